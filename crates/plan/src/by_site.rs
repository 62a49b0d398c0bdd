//! What each site of a plan comes to.
//!
//! Mining, power, running and what is built are a site's own. What a tranche earns is split
//! by what each site had accepted of it. Lenders, tax and what is paid ahead are of the whole
//! plan.

use units::Money;

use crate::cash::{Line, Month};
use crate::path::{AtSite, Lived, Serving, Use, UseTotals, usd};
use crate::receipts::Batch;
use crate::terms::Plan;
use crate::value;

/// What one site came to over the plan; what lenders and the tax office get is no
/// site's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SiteTotals {
    /// By use, in the order of [`Use::ALL`].
    pub uses: [UseTotals; 3],
    /// Fixed-price blocks against the settlement price.
    pub blocks: Money,
    /// Charges for demand at the system's peaks: a cost below nought.
    pub peaks: Money,
    /// Running it beside power: a cost below nought.
    pub running: Money,
    /// Buildings and machines, less what is sold: a cost below nought.
    pub built: Money,
    /// The mean settled price of power over all hours.
    pub price_micro_usd_per_mwh: i64,
    /// Present value of all of it, tenants by the month of service.
    pub worth: Money,
    /// The same, had nothing been converted.
    pub worth_stay: Money,
}

impl Plan {
    /// What each site came to.
    pub(crate) fn by_site(&self, lived: &Lived, stays: &[AtSite]) -> Vec<SiteTotals> {
        let rate = value::monthly_rate(self.rules.discount);
        let earned = self.earned_by_site(lived);
        let of = |(site, (at, stay)): (usize, (&AtSite, &AtSite))| {
            let sum = |lines: &[Line]| -> Money {
                let all = at.months.iter();
                all.flat_map(|m| lines.iter().map(|line| m.of(*line))).sum()
            };
            let mut uses = at.ran.uses;
            uses[Use::Contract as usize].earned = earned[site].iter().copied().sum();
            let flows: Vec<Money> =
                at.months.iter().zip(&earned[site]).map(|(m, e)| m.net() + *e).collect();
            let stay: Vec<Money> = stay.months.iter().map(Month::net).collect();
            SiteTotals {
                uses,
                blocks: sum(&[Line::Blocks]),
                peaks: sum(&[Line::Peaks]),
                running: sum(&[Line::Running]),
                built: sum(&[Line::Works, Line::Equipment, Line::Resale]),
                price_micro_usd_per_mwh: price_mean(std::slice::from_ref(at)),
                worth: usd(value::npv(rate, &flows)),
                worth_stay: usd(value::npv(rate, &stay)),
            }
        };
        lived.sites.iter().zip(stays).enumerate().map(of).collect()
    }

    /// What contracts earn by site and month of service.
    fn earned_by_site(&self, lived: &Lived) -> Vec<Vec<Money>> {
        let mut earned = vec![vec![Money::ZERO; self.months]; self.sites.len()];
        let deals = lived.arrivals.serving.iter().zip(&lived.receipts).enumerate();
        for (deal, (serving, receipts)) in deals {
            for (tranche, months) in receipts.power.iter().enumerate() {
                for (place, money) in months.iter().enumerate() {
                    if money.is_zero() {
                        continue;
                    }
                    let weights = self.metered(&lived.sites, deal, tranche, place);
                    for (part, months) in split(*money, &weights).zip(&mut earned) {
                        months[place] += part;
                    }
                }
            }
            for (tranche, months) in receipts.earned.iter().enumerate() {
                for (place, money) in months.iter().enumerate() {
                    if money.is_zero() {
                        continue;
                    }
                    let weights = self.accepted(serving, tranche, place);
                    for (part, months) in split(*money, &weights).zip(&mut earned) {
                        months[place] += part;
                    }
                }
            }
        }
        earned
    }

    /// How much of a tranche each site had accepted in a month; what each was to bring where
    /// nothing was.
    fn accepted(&self, serving: &Serving, tranche: usize, place: usize) -> Vec<i128> {
        let weigh = |batches: &[Batch], seconds: &dyn Fn(&Batch) -> i64| {
            let mut weights = vec![0_i128; self.sites.len()];
            for batch in batches.iter().filter(|batch| batch.tranche == tranche) {
                let site = self.conversions[batch.unit].site;
                weights[site] += i128::from(batch.size) * i128::from(seconds(batch));
            }
            weights
        };
        let month = self.zone().month(self.period(place));
        let in_service = |batch: &Batch| {
            let from = self.midnight(batch.accepted).max(month.start);
            (month.end - from).as_seconds().max(0)
        };
        let weights = weigh(&serving.batches, &in_service);
        if weights.iter().any(|weight| *weight > 0) {
            return weights;
        }
        // A credit for what is late is of those who were to bring it.
        weigh(&serving.meant, &|_| 1)
    }
}

/// Splits an amount by weights into parts that add up to it.
fn split(money: Money, weights: &[i128]) -> impl Iterator<Item = Money> {
    let whole = weights.iter().sum::<i128>().max(1);
    let total = i128::from(money.as_micro_usd());
    let (mut so_far, mut given) = (0, 0);
    weights.iter().map(move |weight| {
        so_far += weight;
        let part = total * so_far / whole - given;
        given += part;
        Money::from_micro_usd(i64::try_from(part).expect("a part fits as the whole does"))
    })
}

/// The mean settled price over the hours of sites, in millionths a MWh.
pub(crate) fn price_mean(sites: &[AtSite]) -> i64 {
    let months = || sites.iter().flat_map(|at| &at.ran.markets);
    let price = months().map(|month| month.price_usd_per_mwh).sum::<f64>();
    let hours = months().map(|month| month.hours as f64).sum::<f64>().max(1.0);
    (price / hours * 1e6).round() as i64
}

#[cfg(test)]
mod tests;
