//! Power that tenants pay for: what is metered of it while hours are run, and the facts that
//! `settle` charges it by.
//!
//! Hours are put together into stretches in which nothing comes or goes and that lie within
//! a month of the contract's calendar: racks under contract draw alike in all of one, so a
//! stretch read as a whole is charged as its hours read one by one. An hour is of the month
//! that it begins in.

use engine::site::LoadIx;
use settle::calendar::Period;
use settle::contract::{Contract, PowerMode};
use settle::exact::Amount;
use sim::scenario::maths;
use std::collections::BTreeSet;
use units::{EnergyPrice, Interval, Seconds, Timestamp};

use crate::cash::Line;
use crate::operate::Happening;
use crate::path::AtSite;
use crate::receipts::Said;
use crate::terms::Plan;

/// A site's hours of one stretch.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stretch {
    hours: i64,
    /// The settled price, summed over hours, in millionths a MWh.
    settled: i128,
    /// All of the site, in watt-hours, and what it cost with adders: millionths a MWh times
    /// watt-hours.
    site_wh: i128,
    site_cost: i128,
    /// What serves each tranche.
    wh: Vec<i128>,
}

/// The meters of one deal at one site.
#[derive(Clone, Debug)]
pub(crate) struct Meter {
    /// What serves, with its tranche.
    loads: Vec<(LoadIx, usize)>,
    /// Where stretches end, from the first of all.
    cuts: Vec<Timestamp>,
    /// By stretch, of which the last goes on.
    stretches: Vec<Stretch>,
}

impl Meter {
    /// Notes an hour of the site: what it draws and what that costs, the settled price, and
    /// the watts that serve by load.
    pub(crate) fn note(
        &mut self,
        began: Timestamp,
        (watts, cost): (i64, i128),
        settled: EnergyPrice,
        serving: impl Fn(LoadIx) -> i64,
    ) {
        let tranches = self.stretches[0].wh.len();
        while self.cuts.get(self.stretches.len()).is_some_and(|cut| *cut <= began) {
            self.stretches.push(Stretch { wh: vec![0; tranches], ..Stretch::default() });
        }
        let now = self.stretches.last_mut().expect("it begins with one");
        now.hours += 1;
        now.settled += i128::from(settled.as_micro_usd_per_mwh());
        now.site_wh += i128::from(watts);
        now.site_cost += i128::from(watts) * cost;
        for (load, tranche) in &self.loads {
            now.wh[*tranche] += i128::from(serving(*load));
        }
    }
}

/// What is charged by, of one contract.
struct Charges {
    /// The site whose settlement point the index is.
    index_at: Option<usize>,
    /// The site whose bill is passed on.
    billed_at: Option<usize>,
}

impl Plan {
    /// The deals whose tenant pays for power, beside or in place of a fee with power.
    pub(crate) fn charged(&self) -> impl Iterator<Item = usize> {
        (0..self.deals.len())
            .filter(|deal| self.deals[*deal].contract.power.mode != PowerMode::Included)
    }

    /// The sites that a deal is served from.
    pub(crate) fn sites_of(&self, deal: usize) -> BTreeSet<usize> {
        let serves =
            self.conversions.iter().filter(|c| c.serves.is_some_and(|s| s.deal == deal));
        serves.map(|conversion| conversion.site).collect()
    }

    /// The site whose settlement point an index of energy is: one that serves the deal
    /// before others.
    pub(crate) fn site_of_index(&self, deal: usize, index: &str) -> Option<usize> {
        let serving = self.sites_of(deal).into_iter();
        serving
            .chain(0..self.sites.len())
            .find(|at| &*self.sites[*at].site.market.settlement_point == index)
    }

    /// The meters at a site of every deal that is charged, where all sites' loads come and
    /// go like that.
    pub(crate) fn meters(
        &self,
        site: usize,
        happenings: &[Vec<Happening>],
    ) -> Vec<Meter> {
        let meter = |deal: usize| {
            let contract = &self.deals[deal].contract;
            let begin = self.zone().month(self.first).start;
            let end = self.zone().month(self.end()).start;
            let mut cuts: BTreeSet<Timestamp> =
                happenings.iter().flatten().map(|one| one.at).collect();
            // One more than the plan has, for clocks behind and before its own.
            for place in 0..=self.months {
                cuts.insert(contract.zone.month(self.period(place)).start);
            }
            let mut cuts: Vec<Timestamp> =
                cuts.into_iter().filter(|at| begin < *at && *at < end).collect();
            cuts.insert(0, begin);
            let own = self.conversions.iter().filter(|c| c.site == site);
            let loads = own.filter_map(|c| c.serves.map(|serves| (c, serves)));
            let loads = loads.filter(|(_, serves)| serves.deal == deal);
            Meter {
                loads: loads
                    .flat_map(|(c, serves)| {
                        c.racks.iter().map(move |l| (*l, serves.tranche))
                    })
                    .collect(),
                cuts,
                stretches: vec![Stretch {
                    wh: vec![0; contract.tranches.len()],
                    ..Stretch::default()
                }],
            }
        };
        self.charged().map(meter).collect()
    }

    fn charges(&self, deal: usize) -> Charges {
        let power = &self.deals[deal].contract.power;
        let index = power.index.as_deref();
        let is_passed = power.mode == PowerMode::PassThrough && power.true_up;
        Charges {
            index_at: index.and_then(|index| self.site_of_index(deal, index)),
            billed_at: self.sites_of(deal).first().copied().filter(|_| is_passed),
        }
    }

    /// The energy of what serves a tranche in a month of its calendar, by site.
    pub(crate) fn metered(
        &self,
        sites: &[AtSite],
        deal: usize,
        tranche: usize,
        place: usize,
    ) -> Vec<i128> {
        let Some(number) = self.charged().position(|one| one == deal) else {
            return vec![0; sites.len()];
        };
        let zone = &self.deals[deal].contract.zone;
        let at_site = |at: &AtSite| {
            let meter = &at.ran.meters[number];
            let of = meter.cuts.iter().zip(&meter.stretches);
            let ours =
                of.filter(|(cut, _)| self.place(zone.period(**cut)) == place as i64);
            ours.map(|(_, stretch)| stretch.wh[tranche]).sum()
        };
        sites.iter().map(at_site).collect()
    }

    /// What meters, prices and bills say of a deal, as far as sites were run.
    pub(crate) fn power_facts(&self, sites: &[AtSite], deal: usize) -> Vec<Said> {
        let mut said = Vec::new();
        let Some(number) = self.charged().position(|one| one == deal) else {
            return said;
        };
        let contract = &self.deals[deal].contract;
        let charges = self.charges(deal);
        let meters: Vec<&Meter> = sites.iter().map(|at| &at.ran.meters[number]).collect();
        let Some(first) = meters.first() else { return said };
        for place in 0..self.months {
            let period = self.period(place);
            let month = contract.zone.month(period);
            let of_month = |at: &usize| month.contains(first.cuts[*at]);
            let stretches: Vec<usize> =
                (0..first.stretches.len()).filter(of_month).collect();
            let served = stretches.iter().any(|at| {
                meters
                    .iter()
                    .any(|meter| meter.stretches[*at].wh.iter().any(|wh| *wh > 0))
            });
            if !served {
                continue;
            }
            for at in &stretches {
                let start = first.cuts[*at];
                let hours = first.stretches[*at].hours;
                // The last stretch ends where the plan does.
                let end = first.cuts.get(at + 1).copied();
                let end = end.unwrap_or(start + Seconds::hours(hours)).min(month.end);
                let during = Interval { start, end };
                let parts: Vec<&Stretch> =
                    meters.iter().map(|meter| &meter.stretches[*at]).collect();
                self.read(contract, during, &parts, &charges, &mut said);
            }
            if let Some(site) = charges.billed_at {
                let all =
                    stretches.iter().map(|at| meters[site].stretches[*at].site_cost);
                let energy = all.sum::<i128>() / 1_000_000;
                // Charges for peaks are costs below nought.
                let peaks = sites[site].months[place].of(Line::Peaks);
                let micro = energy - i128::from(peaks.as_micro_usd());
                said.push(bill(contract, period, month, micro));
            }
        }
        said
    }

    /// What indexes that a contract's prices move with are at, month by month.
    pub(crate) fn index_facts(&self, deal: usize) -> Vec<Said> {
        let contract = &self.deals[deal].contract;
        let names: BTreeSet<&str> = contract
            .tranches
            .iter()
            .filter_map(|tranche| Some(&*tranche.price.index.as_ref()?.name))
            .collect();
        let found = names.into_iter().filter_map(|name| {
            self.futures.escalators.iter().find(|index| index.name == name)
        });
        let mut said = Vec::new();
        for index in found {
            let begun = contract.first_delivery().min(self.first.first_day());
            for place in 0..self.months {
                let day = if place == 0 { begun } else { self.period(place).first_day() };
                let grown = maths::power(1.0 + index.per_year, place as f64 / 12.0);
                let value = (index.value * grown * 1e6).round() as i64;
                let value = Amount::from_minor(value, 6);
                let at = contract.zone.midnight(day);
                said.push(Said {
                    known: at,
                    kind: "index_value",
                    from: at,
                    to: None,
                    body: format!(
                        "{{\"index\":\"{}\",\"value\":\"{value}\"}}",
                        index.name
                    ),
                });
            }
        }
        said
    }

    /// What the meters and the index say of one stretch.
    fn read(
        &self,
        contract: &Contract,
        during: Interval,
        parts: &[&Stretch],
        charges: &Charges,
        said: &mut Vec<Said>,
    ) {
        let mut fact = |kind: &'static str, body: String| {
            let (from, to) = (during.start, Some(during.end));
            said.push(Said { known: during.end, kind, from, to, body });
        };
        if let Some(site) = charges.billed_at {
            let wh = parts[site].site_wh;
            fact("meter_interval", format!("{{\"meter\":\"main\",\"wh\":{wh}}}"));
            // What no tenant draws is the site's own, and no loss.
            let own = wh - parts.iter().flat_map(|part| &part.wh).sum::<i128>();
            if own > 0 {
                let body = format!("{{\"meter\":\"site\",\"wh\":{own}}}");
                fact("meter_interval", body);
            }
        }
        for (place, part) in parts.iter().enumerate() {
            for (tranche, wh) in contract.tranches.iter().zip(&part.wh) {
                if *wh > 0 {
                    let id = &tranche.id;
                    let body = format!(
                        "{{\"meter\":\"site-{place}-{id}\",\"wh\":{wh},\"tranche\":\"{id}\"}}"
                    );
                    fact("meter_interval", body);
                }
            }
        }
        if let (Some(index), Some(site)) = (&contract.power.index, charges.index_at) {
            let part = parts[site];
            let mean = part.settled / i128::from(part.hours.max(1));
            let mean = i64::try_from(mean).expect("a price fits");
            let price = Amount::from_minor(mean, 6);
            fact(
                "energy_price",
                format!("{{\"index\":\"{index}\",\"per_mwh\":\"{price}\"}}"),
            );
        }
    }
}

/// The utility's bill of a month, to the minor unit.
fn bill(contract: &Contract, period: Period, month: Interval, micro: i128) -> Said {
    let places = contract.currency.places;
    let each = 10_i128.pow(6 - u32::from(places).min(6));
    let minor = (micro + each / 2).div_euclid(each);
    let minor = i64::try_from(minor).expect("a month's bill fits");
    let amount = Amount::from_minor(minor, places);
    Said {
        known: month.end,
        kind: "utility_bill",
        from: month.start,
        to: Some(month.end),
        body: format!("{{\"amount\":\"{amount}\",\"number\":\"{period}\"}}"),
    }
}

#[cfg(test)]
mod tests;
