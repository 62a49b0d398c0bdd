//! One future of a plan: when things came, what was earned, owed and borrowed.

use engine::site::{LoadIx, LoadKind, Racks, Terms};
use settle::calendar::Date;
use settle::contract::{Quantity, Tranche};
use sim::scenario::delivery;
use sim::scenario::draw::Draws;
use units::Money;

use crate::by_site::{SiteTotals, price_mean};
use crate::cash::{Line, Month};
use crate::finance;
use crate::markets::Peaks;
use crate::operate::{self, Becomes, Happening, MonthMarket, Ran};
use crate::past::Past;
use crate::receipts::{Batch, Ended, Receipts, Span, aggregate, receipts};
use crate::terms::{Conversion, Deal, OnLongStop, Owner, Place, Plan, Serves};
use crate::value;

/// What energy was drawn for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// By rigs.
    Mining,
    /// By racks under contract.
    Contract,
    /// By racks let by the hour.
    Spot,
}

impl Use {
    /// Every use, in order.
    pub const ALL: [Self; 3] = [Self::Mining, Self::Contract, Self::Spot];
}

/// What a use drew, cost and earned over the plan.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UseTotals {
    /// Energy at the meter.
    pub watt_hours: i64,
    /// What it cost, with adders.
    pub power: Money,
    /// What it earned; under contract by the month of service, before what was paid
    /// ahead is taken off.
    pub earned: Money,
}

impl UseTotals {
    /// Both together.
    fn add(&mut self, other: Self) {
        self.watt_hours += other.watt_hours;
        self.power += other.power;
        self.earned += other.earned;
    }
}

/// When one tranche came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delivered {
    /// The deal's place among the plan's.
    pub deal: usize,
    /// The tranche's place in the contract.
    pub tranche: usize,
    /// Whether its deal was signed.
    pub signed: bool,
    /// Days from the delivery date to the acceptance of the last of it.
    pub days_late: i64,
    /// Whether that was after the long stop.
    pub missed: bool,
    /// What missing it cost: present value, after tax, of the same future with this
    /// tranche accepted on its day, less that of the future as it was. Nothing where it was
    /// not missed.
    pub cost: Money,
}

/// What one future came to, in whole numbers, so that it is the same wherever it is
/// read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Its number.
    pub path: u64,
    /// Cash by month.
    pub months: Vec<Month>,
    /// Net cash by month of the same future, had nothing been converted.
    pub stay: Vec<Money>,
    /// By use, in the order of [`Use::ALL`].
    pub uses: [UseTotals; 3],
    /// Each site, in the order of the plan's.
    pub sites: Vec<SiteTotals>,
    /// Every tranche that a conversion serves.
    pub delivered: Vec<Delivered>,
    /// Coverage at the end of each month tested, in millionths; `None` where no debt
    /// was served.
    pub coverage: Vec<Option<i64>>,
    /// Present value of the plan's net cash, and of staying as it is.
    pub npv: Money,
    /// The same, had nothing been converted.
    pub npv_stay: Money,
    /// The rate a year that the conversion earns on what owners put in beyond
    /// staying as it is, in millionths; `None` where no single rate does.
    pub irr_ppm: Option<i64>,
    /// Present value of everything tenants pay, power that they are charged for left out.
    pub contract_value: Money,
    /// Present value of what mining pays when nothing is converted, less what it pays in
    /// the plan.
    pub mining_given_up: Money,
    /// Present value of taxes beyond those of staying.
    pub tax_value: Money,
    /// The mean settled price of power over all hours.
    pub price_micro_usd_per_mwh: i64,
    /// Rig capacity that stood idle, in watt-hours.
    pub idle_watt_hours: i64,
    /// What that energy cost at settlement, not being drawn.
    pub idle_value: Money,
    /// The mean hashprice.
    pub hashprice_micro_usd_per_ph_day: i64,
    /// The coin's price at the end.
    pub coin_last_micro_usd: i64,
}

/// One future of the plan, before it is held against staying.
#[derive(Clone, Debug)]
pub(crate) struct Lived {
    pub(crate) arrivals: Arrivals,
    pub(crate) receipts: Vec<Receipts>,
    pub(crate) sites: Vec<AtSite>,
    pub(crate) months: Vec<Month>,
    pub(crate) coverage: Vec<Option<i64>>,
}

/// What one site came to: its hours, and what is built there.
#[derive(Clone, Debug)]
pub(crate) struct AtSite {
    pub(crate) ran: Ran,
    pub(crate) months: Vec<Month>,
}

/// What is known of one future before its hours are run.
#[derive(Clone, Debug)]
pub(crate) struct Arrivals {
    /// By site, in the order of time.
    happenings: Vec<Vec<Happening>>,
    /// When each conversion's racks came; `None` where they never do.
    arrived: Vec<Option<Date>>,
    /// By deal.
    pub(crate) serving: Vec<Serving>,
    delivered: Vec<Delivered>,
}

/// What serves a deal.
#[derive(Clone, Debug, Default)]
pub(crate) struct Serving {
    /// What was to serve it, whether or not it came in time.
    pub(crate) meant: Vec<Batch>,
    /// What does.
    pub(crate) batches: Vec<Batch>,
    pub(crate) ended: Vec<Ended>,
}

/// How far a future may go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Luck {
    /// As drawn.
    Drawn { seed: u64, path: u64 },
    /// Everything on time, every deal signed, nothing fails.
    Best,
}

impl Plan {
    /// Lives future `number` of those that `seed` grows.
    pub fn path(&self, seed: u64, number: u64) -> Outcome {
        let mut lived = self.live(seed, number);
        self.cost_what_was_missed(&mut lived, seed, number);
        let stays =
            self.operate(None, (seed, number), &self.untouched(), self.months, false);
        self.outcome(number, lived, &stays)
    }

    /// When each load of a site comes and goes in a future.
    pub fn happenings(&self, site: usize, seed: u64, number: u64) -> Vec<Happening> {
        let luck = Luck::Drawn { seed, path: number };
        self.arrivals(luck, None).happenings.swap_remove(site)
    }

    /// Lives a future of the plan alone.
    pub(crate) fn live(&self, seed: u64, number: u64) -> Lived {
        self.live_in(None, (seed, number), None)
    }

    /// Runs the hours of every site, so many months of them, metering what tenants are
    /// charged for.
    fn operate(
        &self,
        past: Option<&Past>,
        (seed, number): (u64, u64),
        happenings: &[Vec<Happening>],
        run: usize,
        is_metered: bool,
    ) -> Vec<AtSite> {
        let all = happenings;
        let at_site = |(site, happenings): (usize, &Vec<Happening>)| {
            let mut months = vec![Month::default(); self.months];
            let markets = self.markets_of(site, past, seed, number);
            let peaks = Peaks::new(self, site, seed, number);
            let running = &mut months[..run];
            let meters = if is_metered { self.meters(site, all) } else { Vec::new() };
            let mut ran =
                operate::run(self, site, markets, peaks, happenings, meters, running);
            ran.contract_power.resize(self.months, Money::ZERO);
            ran.contract_running.resize(self.months, Money::ZERO);
            if let Some(last) = months.last_mut() {
                last.add(Line::Resale, self.worth_of_what_was_paid_before(site));
            }
            AtSite { ran, months }
        };
        happenings.iter().enumerate().map(at_site).collect()
    }

    /// The same; with a past, only the months that it has are run, and markets are as
    /// they were; a tranche that is to be on time is accepted on its day at the latest.
    pub(crate) fn live_in(
        &self,
        past: Option<&Past>,
        (seed, number): (u64, u64),
        on_time: Option<Serves>,
    ) -> Lived {
        let arrivals = self.arrivals(Luck::Drawn { seed, path: number }, on_time);
        let run = past.map_or(self.months, |past| past.months().min(self.months));
        let happenings = &arrivals.happenings;
        let mut sites = self.operate(past, (seed, number), happenings, run, true);
        let sold = self.build(&arrivals, |site, place, line, money| {
            sites[site].months[place].add(line, money);
        });
        let mut months = together(&sites, self.months);
        let receipts = self.receipts(&arrivals, &sites);
        let mut available = self.collect(&receipts, &mut months);
        for (place, available) in available.iter_mut().enumerate() {
            for AtSite { ran, .. } in &sites {
                *available += ran.contract_power[place] + ran.contract_running[place];
            }
        }
        finance::borrow(self, &mut months);
        let mut served = vec![Money::ZERO; self.months];
        let earned = receipts.iter().flat_map(|one| one.earned.iter().chain(&one.power));
        for months in earned {
            for (place, earned) in months.iter().enumerate() {
                served[place] += *earned;
            }
        }
        for kept in receipts.iter().map(|receipts| &receipts.kept) {
            for (place, kept) in kept.iter().enumerate() {
                served[place] += *kept;
            }
        }
        finance::tax(self, &mut months, &served, &sold);
        let coverage = finance::coverage(self, &months, &available);
        Lived { arrivals, receipts, sites, months, coverage }
    }

    /// What tenants pay; power as far as sites were run.
    fn receipts(&self, arrivals: &Arrivals, sites: &[AtSite]) -> Vec<Receipts> {
        let of = self.deals.iter().zip(&arrivals.serving).enumerate();
        of.map(|(number, (deal, serving))| {
            let contract = aggregate(&deal.contract);
            let mut power = self.power_facts(sites, number);
            power.extend(self.index_facts(number));
            let (batches, ended) = (&serving.batches, &serving.ended);
            receipts(&contract, self.span(), batches, ended, power)
        })
        .collect()
    }

    fn outcome(&self, path: u64, lived: Lived, stays: &[AtSite]) -> Outcome {
        let sites = self.by_site(&lived, stays);
        let mut stays = together(stays, self.months);
        let nothing = vec![Money::ZERO; self.months];
        finance::tax(self, &mut stays, &nothing, &nothing);
        let rate = value::monthly_rate(self.rules.discount);
        let worth = |flows: &[Money]| usd(value::npv(rate, flows));
        let of = |months: &[Month], of: &dyn Fn(&Month) -> Money| -> Vec<Money> {
            months.iter().map(of).collect()
        };
        let months = &lived.months;
        let net = of(months, &Month::net);
        let stay = of(&stays, &Month::net);
        let gain: Vec<Money> = net.iter().zip(&stay).map(|(a, b)| *a - *b).collect();
        let tax = worth(&of(months, &|month| month.of(Line::Tax)))
            - worth(&of(&stays, &|month| month.of(Line::Tax)));
        let mined =
            |months: &[Month]| worth(&of(months, &|month| month.of(Line::Mining)));
        let mining_given_up = mined(&stays) - mined(months);
        let tenants = of(months, &|month| {
            month.of(Line::Contract) + month.of(Line::Prepayment) + month.of(Line::Closed)
        });
        // Power that is passed on is nothing of the price of capacity.
        let tenants: Vec<Money> = (0..tenants.len())
            .map(|place| {
                let is_last = place + 1 == self.months;
                let power = |one: &Receipts| {
                    let open = if is_last { one.power_open } else { Money::ZERO };
                    one.power_paid[place] + open
                };
                tenants[place] - lived.receipts.iter().map(power).sum::<Money>()
            })
            .collect();
        let mut uses = <[UseTotals; Use::ALL.len()]>::default();
        for (of, uses) in uses.iter_mut().enumerate() {
            sites.iter().for_each(|site| uses.add(site.uses[of]));
        }
        let delivered = lived.arrivals.delivered.clone();
        let at = &lived.sites;
        let idle_wh = at.iter().map(|at| at.ran.idle_wh).sum::<i128>();
        let idle_usd = at.iter().map(|at| at.ran.idle_value_usd).sum::<f64>();
        let markets = lived.markets();
        let sum = |of: &dyn Fn(&MonthMarket) -> f64| markets.iter().map(of).sum::<f64>();
        let hashprice = sum(&|month| month.hashprice_usd_per_ph_day)
            / sum(&|month| month.days as f64).max(1.0);
        let coin =
            markets.last().map_or(self.futures.coin.price_usd, |month| month.coin_usd);
        Outcome {
            path,
            npv: worth(&net),
            npv_stay: worth(&stay),
            irr_ppm: value::irr(&gain, rate).map(|rate| (rate * 1e6).round() as i64),
            contract_value: worth(&tenants),
            mining_given_up,
            tax_value: tax,
            stay,
            uses,
            sites,
            delivered,
            price_micro_usd_per_mwh: price_mean(at),
            idle_watt_hours: i64::try_from(idle_wh).expect("years of energy fit"),
            idle_value: usd(idle_usd),
            hashprice_micro_usd_per_ph_day: (hashprice * 1e6).round() as i64,
            coin_last_micro_usd: (coin * 1e6).round() as i64,
            months: lived.months,
            coverage: lived.coverage,
        }
    }

    /// Notes what each missed tranche cost: the same future is lived once more with it on
    /// its day.
    fn cost_what_was_missed(&self, lived: &mut Lived, seed: u64, number: u64) {
        let rate = value::monthly_rate(self.rules.discount);
        let worth = |months: &[Month]| {
            let net: Vec<Money> = months.iter().map(Month::net).collect();
            usd(value::npv(rate, &net))
        };
        let was = worth(&lived.months);
        let delivered = &mut lived.arrivals.delivered;
        for one in delivered.iter_mut().filter(|one| one.missed && one.signed) {
            let on_time = Serves { deal: one.deal, tranche: one.tranche };
            let other = self.live_in(None, (seed, number), Some(on_time));
            one.cost = worth(&other.months) - was;
        }
    }

    pub(crate) fn span(&self) -> Span {
        Span { first: self.first, months: self.months }
    }

    /// The first instant of a day.
    pub(crate) fn midnight(&self, day: Date) -> units::Timestamp {
        self.zone().midnight(day)
    }

    /// The sites if nothing is converted: rigs, and racks that no conversion brings. Rigs
    /// that left before the plan are gone whatever is decided.
    fn untouched(&self) -> Vec<Vec<Happening>> {
        // Before anything else happens.
        let start = units::Timestamp::from_unix_seconds(0);
        let at_site = |(site, place): (usize, &Place)| {
            let is_gone = |load: &LoadIx| {
                let gone = |c: &Conversion| {
                    c.racks.contains(load)
                        || self.has_begun(c) && c.rigs_out.contains(load)
                };
                self.conversions.iter().any(|c| c.site == site && gone(c))
            };
            (0..place.site.loads.len())
                .map(|load| Happening {
                    at: start,
                    load,
                    becomes: if is_gone(&load) { Becomes::Gone } else { Becomes::There },
                })
                .collect()
        };
        self.sites.iter().enumerate().map(at_site).collect()
    }

    /// Whether the work on a conversion began before the plan.
    pub(crate) fn has_begun(&self, conversion: &Conversion) -> bool {
        conversion.begins < self.first.first_day()
    }

    /// When everything comes and goes, and what serves whom by it; a tranche that is to be
    /// on time is accepted on its day at the latest.
    fn arrivals(&self, luck: Luck, on_time: Option<Serves>) -> Arrivals {
        let mut happenings = self.untouched();
        for conversion in self.conversions.iter().filter(|conversion| !conversion.dropped)
        {
            let at = self.midnight(conversion.begins);
            for load in &conversion.rigs_out {
                happenings[conversion.site].push(Happening {
                    at,
                    load: *load,
                    becomes: Becomes::Gone,
                });
            }
        }
        let mut arrived = Vec::new();
        for (number, conversion) in self.conversions.iter().enumerate() {
            let late = match luck {
                Luck::Drawn { seed, path }
                    if conversion.ready > self.first.first_day() =>
                {
                    let correlation = self.futures.delivery_correlation;
                    let number = number as u64;
                    delivery::days_late(seed, path, number, &conversion.slip, correlation)
                }
                Luck::Drawn { .. } | Luck::Best => 0,
            };
            // Drawn all the same, so that another's draw is not moved.
            let mut arrives = conversion.ready.plus_days(late);
            if let (Some((_, tranche)), true) = (
                self.served(conversion),
                on_time.is_some() && conversion.serves == on_time,
            ) {
                arrives = arrives.min(tranche.delivery);
            }
            arrived.push((!conversion.dropped).then_some(arrives));
        }
        let mut found =
            Arrivals { happenings, arrived, serving: Vec::new(), delivered: Vec::new() };
        for deal in 0..self.deals.len() {
            self.serve(deal, luck, &mut found);
        }
        for (number, conversion) in self.conversions.iter().enumerate() {
            let Some(arrived) = found.arrived[number] else { continue };
            if conversion.serves.is_none() {
                let at = self.midnight(arrived);
                for load in &conversion.racks {
                    found.happenings[conversion.site].push(Happening {
                        at,
                        load: *load,
                        becomes: Becomes::Let,
                    });
                }
            }
        }
        found.happenings.iter_mut().for_each(|site| site.sort());
        found
    }

    /// Lays out one deal: who is accepted when, and what ends.
    fn serve(&self, place: usize, luck: Luck, found: &mut Arrivals) {
        let deal = &self.deals[place];
        let contract = &deal.contract;
        let signed = match luck {
            Luck::Drawn { seed, path } => {
                let unit = Draws::of(seed, path, "deals").unit(place as u64);
                unit * 1e6 < deal.signed.as_ppm() as f64
            }
            Luck::Best => !deal.signed.is_zero(),
        };
        // An offer that is not signed by the day it was to take effect never is.
        let declined = contract.effective.max(self.first.first_day());
        let mut serving_it = Serving::default();
        let days = found.arrived.clone();
        let accepted = |at: usize, tranche: &Tranche| {
            let day = days[at]?;
            Some(if tranche.early { day } else { day.max(tranche.delivery) })
        };
        let serving = |number: usize| {
            let by = Serves { deal: place, tranche: number };
            (0..self.conversions.len())
                .filter(move |at| self.conversions[*at].serves == Some(by))
        };
        // The first and the last acceptance of a tranche, and its long stop where missed.
        let coming = |number: usize| {
            let tranche = &contract.tranches[number];
            let all = || serving(number).filter_map(|at| accepted(at, tranche));
            let (first, last) = (all().min()?, all().max()?);
            let stop = contract.delay.as_ref().and_then(|delay| delay.long_stop_days);
            let stop = stop.map(|days| tranche.delivery.plus_days(days));
            Some((first, last, stop.filter(|stop| last > *stop)))
        };
        let order_end = order_end(deal, &coming);
        for (number, tranche) in contract.tranches.iter().enumerate() {
            let Some((first, last, stop)) = coming(number) else { continue };
            // Service is counted from the first acceptance.
            let anchor = contract.zone.midnight(first);
            let term = contract.zone.months_after(anchor, tranche.months);
            // What ended with the order before its own stop was not missed by itself.
            let stop = stop.filter(|stop| order_end.is_none_or(|end| *stop <= end));
            let own_end = stop.filter(|_| deal.on_long_stop != OnLongStop::Waits);
            let end = [own_end, order_end].into_iter().flatten().min();
            found.delivered.push(Delivered {
                deal: place,
                tranche: number,
                signed,
                days_late: last.days_since(tranche.delivery),
                missed: stop.is_some(),
                cost: Money::ZERO,
            });
            if let (Some(end), true) = (end, signed) {
                serving_it.ended.push(Ended { tranche: number, at: end });
            }
            for at in serving(number) {
                let conversion = &self.conversions[at];
                let (Some(arrives), Some(day)) = (days[at], accepted(at, tranche)) else {
                    continue;
                };
                let size = self.size(conversion, tranche.quantity);
                let lost = self.lost(at, size, luck);
                let batch =
                    Batch { tranche: number, unit: at, size, accepted: day, lost };
                serving_it.meant.push(batch.clone());
                let left = if signed { end } else { Some(declined) };
                if left.is_some_and(|left| self.is_cancelled(conversion, arrives, left)) {
                    found.arrived[at] = None;
                    continue;
                }
                let serves = signed && end.is_none_or(|end| day <= end);
                let after = match conversion.machines {
                    Owner::Site => Becomes::Let,
                    // A tenant takes its machines away, or never brings them.
                    Owner::Tenant => Becomes::Gone,
                };
                let becomes = if serves { Becomes::There } else { after };
                let until = end.map_or(term, |end| term.min(self.midnight(end)));
                for load in &conversion.racks {
                    let load = *load;
                    let at = self.midnight(day);
                    let happenings = &mut found.happenings[conversion.site];
                    happenings.push(Happening { at, load, becomes });
                    if serves {
                        happenings.push(Happening { at: until, load, becomes: after });
                    }
                }
                if serves {
                    serving_it.batches.push(batch);
                }
            }
        }
        found.serving.push(serving_it);
    }

    /// Whether an order is cancelled when the tenant leaves on a day.
    fn is_cancelled(&self, conversion: &Conversion, ready: Date, end: Date) -> bool {
        let paid = self.is_paid_before(conversion);
        conversion.equipment.is_some_and(|equipment| {
            let ships = ready.plus_days(-equipment.ships_days_before);
            equipment.cancellable && ships > end && !paid
        })
    }

    /// Whether machines were paid before the plan, had they been on time: then they were,
    /// and it is their coming alone that may be late.
    pub(crate) fn is_paid_before(&self, conversion: &Conversion) -> bool {
        conversion.equipment.is_some_and(|equipment| {
            let paid = conversion.ready.plus_days(equipment.paid_after_days());
            paid < self.first.first_day()
        })
    }

    /// What machines at a site that were paid before the plan are worth when it ends. They
    /// are there whatever is decided, so that they are sold in either life.
    fn worth_of_what_was_paid_before(&self, site: usize) -> Money {
        let own = self.conversions.iter().filter(|one| one.site == site);
        let before = own.filter(|one| self.is_paid_before(one));
        let orders = before.filter_map(|one| one.equipment);
        orders.map(|order| order.residual.of_money(order.price)).sum()
    }

    /// What a conversion brings, as the tranche counts.
    pub(crate) fn size(&self, conversion: &Conversion, by: Quantity) -> i64 {
        let loads = &self.sites[conversion.site].site.loads;
        let of = |load: &LoadIx| match &loads[*load].kind {
            LoadKind::Racks(Racks { machines, gpus_per_rack, .. }) => match by {
                Quantity::Gpus(_) => {
                    i64::from(machines.count) * i64::from(*gpus_per_rack)
                }
                Quantity::Kilowatts(_) => machines.ceiling().as_watts() / 1_000,
            },
            LoadKind::Rigs(_) | LoadKind::Battery(_) => 0,
        };
        conversion.racks.iter().map(of).sum()
    }

    /// The share of each month that a conversion's GPUs lose.
    fn lost(&self, number: usize, size: i64, luck: Luck) -> Vec<f64> {
        let zone = self.zone();
        (0..self.months)
            .map(|place| match luck {
                Luck::Best => 0.0,
                Luck::Drawn { seed, path } => {
                    let length = zone.month(self.period(place)).duration();
                    let hours = length.as_seconds() as f64 / 3_600.0;
                    let (part, month) = (number as u64, place as u64);
                    let failures = &self.futures.failures;
                    failures.lost_share(seed, path, part, month, size as f64, hours)
                }
            })
            .collect()
    }

    /// Adds what tenants pay; returns what they pay for service, by month.
    fn collect(&self, receipts: &[Receipts], months: &mut [Month]) -> Vec<Money> {
        let mut available = vec![Money::ZERO; months.len()];
        for receipts in receipts {
            for (place, month) in months.iter_mut().enumerate() {
                month.add(Line::Contract, receipts.paid[place]);
                month.add(Line::Prepayment, receipts.ahead[place]);
                available[place] += receipts.paid[place];
            }
            if let Some(last) = months.last_mut() {
                last.add(Line::Closed, receipts.open);
            }
        }
        available
    }

    /// Tells `add` of buildings, machines and what is sold, by site and month; returns what
    /// rigs that were sold stood in the books at, by month.
    fn build(
        &self,
        arrivals: &Arrivals,
        mut add: impl FnMut(usize, usize, Line, Money),
    ) -> Vec<Money> {
        let mut sold = vec![Money::ZERO; self.months];
        let place = |day: Date| {
            let place = usize::try_from(self.place(day.period())).ok()?;
            (place < self.months).then_some(place)
        };
        for (number, conversion) in self.conversions.iter().enumerate() {
            if conversion.dropped {
                continue;
            }
            let mut add = |place: Option<usize>, line, money| {
                if let Some(place) = place {
                    add(conversion.site, place, line, money);
                }
            };
            for (after, share) in conversion.works.schedule.iter().enumerate() {
                let day =
                    conversion.begins.period().first_day().plus_months(after as i64);
                let cost = share.of_money(conversion.works.cost);
                add(place(day), Line::Works, -cost);
            }
            add(place(conversion.begins), Line::Resale, conversion.resale);
            if let Some(place) = place(conversion.begins) {
                sold[place] += conversion.book_value;
            }
            let (Some(equipment), Some(arrived)) =
                (conversion.equipment, arrivals.arrived[number])
            else {
                continue;
            };
            if self.is_paid_before(conversion) {
                continue;
            }
            let paid = arrived.plus_days(equipment.paid_after_days());
            add(place(paid), Line::Equipment, -equipment.price);
            if paid < self.end().first_day() {
                let worth = equipment.residual.of_money(equipment.price);
                add(self.months.checked_sub(1), Line::Resale, worth);
            }
        }
        sold
    }

    /// What buildings and machines cost before the first month, as far as the plan knows: it
    /// is spent, whatever is decided, and counts nowhere.
    pub fn spent_before(&self) -> SpentBefore {
        let works = |conversion: &Conversion| -> Money {
            let works = &conversion.works;
            let first = conversion.begins.period().first_day();
            let due = |after: usize| self.place(first.plus_months(after as i64).period());
            let paid = works.schedule.iter().enumerate();
            let before = paid.filter(|(after, _)| due(*after) < 0);
            before.map(|(_, share)| share.of_money(works.cost)).sum()
        };
        let before = self.conversions.iter().filter(|one| self.is_paid_before(one));
        SpentBefore {
            works: self.conversions.iter().map(works).sum(),
            machines: before.filter_map(|one| Some(one.equipment?.price)).sum(),
        }
    }

    /// The best that coverage can be: every deal that may be is signed, everything is on
    /// time, nothing fails and power costs nothing. What it costs to run racks is certain.
    pub(crate) fn best_coverage(&self) -> Vec<Option<i64>> {
        let arrivals = self.arrivals(Luck::Best, None);
        let mut months = vec![Month::default(); self.months];
        self.build(&arrivals, |_, place, line, money| months[place].add(line, money));
        let mut available = self.collect(&self.receipts(&arrivals, &[]), &mut months);
        for (available, cost) in available.iter_mut().zip(self.running_under(&arrivals)) {
            *available -= cost;
        }
        finance::borrow(self, &mut months);
        finance::coverage(self, &months, &available)
    }

    /// What it costs to run racks while they serve a contract, by month.
    fn running_under(&self, arrivals: &Arrivals) -> Vec<Money> {
        let zone = self.zone();
        let mut costs = vec![Money::ZERO; self.months];
        for (place, happenings) in self.sites.iter().zip(&arrivals.happenings) {
            let mut serves = vec![false; place.site.loads.len()];
            let mut happenings = happenings.iter().peekable();
            for (month, cost) in costs.iter_mut().enumerate() {
                let during = zone.month(self.period(month));
                let days = during.duration().as_seconds() / 86_400;
                for day in 0..days {
                    let at = during.start + units::Seconds::hours(24 * day);
                    while let Some(next) = happenings.next_if(|next| next.at <= at) {
                        let is_racks = matches!(
                            place.site.loads[next.load].kind,
                            LoadKind::Racks(Racks {
                                terms: Terms::Contracted { .. },
                                ..
                            })
                        );
                        serves[next.load] = is_racks && next.becomes == Becomes::There;
                    }
                    let serving = (0..serves.len()).filter(|load| serves[*load]);
                    *cost += serving
                        .map(|load| operate::run_for_a_day(place, load, days))
                        .sum::<Money>();
                }
            }
        }
        costs
    }

    /// Whether a load of a site is one of racks under contract.
    pub(crate) fn is_contracted(&self, site: usize, load: LoadIx) -> bool {
        matches!(
            &self.sites[site].site.loads[load].kind,
            LoadKind::Racks(racks) if matches!(racks.terms, Terms::Contracted { .. })
        )
    }
}

impl Lived {
    /// What markets were like, by month, as far as they were run.
    pub(crate) fn markets(&self) -> Vec<MonthMarket> {
        let months = self.sites.iter().map(|at| at.ran.markets.len()).max().unwrap_or(0);
        let rans: Vec<&Ran> = self.sites.iter().map(|at| &at.ran).collect();
        (0..months).map(|month| MonthMarket::together(&rans, month)).collect()
    }
}

/// What was spent before a plan's first month.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpentBefore {
    /// On buildings.
    pub works: Money,
    /// On machines.
    pub machines: Money,
}

/// When a tenant ends the whole order, if it does: at the long stop of the tranche that was
/// to come first. `coming` says of a tranche its first and last acceptance, and its long
/// stop where that is missed.
fn order_end(
    deal: &Deal,
    coming: &dyn Fn(usize) -> Option<(Date, Date, Option<Date>)>,
) -> Option<Date> {
    if deal.on_long_stop != OnLongStop::EndsOrder {
        return None;
    }
    let tranches = &deal.contract.tranches;
    let first = (0..tranches.len()).min_by_key(|at| tranches[*at].delivery)?;
    coming(first)?.2
}

/// The months of every site together.
fn together(sites: &[AtSite], months: usize) -> Vec<Month> {
    let mut all = vec![Month::default(); months];
    for at in sites {
        for (all, month) in all.iter_mut().zip(&at.months) {
            for line in Line::ALL {
                all.add(line, month.of(line));
            }
        }
    }
    all
}

pub(crate) fn usd(value: f64) -> Money {
    Money::from_micro_usd((value * 1e6).round() as i64)
}

#[cfg(test)]
mod tests;
