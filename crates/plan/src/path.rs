//! One future of a plan: when things came, what was earned, owed and borrowed.

use engine::site::{LoadIx, LoadKind, Racks, Terms};
use settle::calendar::Date;
use settle::contract::Quantity;
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
use crate::terms::{Conversion, OnLongStop, Place, Plan};
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
    /// What missing it cost within the plan: what a tranche accepted on its day would
    /// have earned, less what it earned, less what its racks were let for instead.
    /// Nothing where it was not missed.
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
        let lived = self.live(seed, number);
        let stays =
            self.operate(None, (seed, number), &self.untouched(), self.months, false);
        self.outcome(number, lived, &stays)
    }

    /// When each load of a site comes and goes in a future.
    pub fn happenings(&self, site: usize, seed: u64, number: u64) -> Vec<Happening> {
        self.arrivals(Luck::Drawn { seed, path: number }).happenings.swap_remove(site)
    }

    /// Lives a future of the plan alone.
    pub(crate) fn live(&self, seed: u64, number: u64) -> Lived {
        self.live_in(None, seed, number)
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
            AtSite { ran, months }
        };
        happenings.iter().enumerate().map(at_site).collect()
    }

    /// The same; with a past, only the months that it has are run, and markets are as
    /// they were.
    pub(crate) fn live_in(&self, past: Option<&Past>, seed: u64, number: u64) -> Lived {
        let arrivals = self.arrivals(Luck::Drawn { seed, path: number });
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
        let tenants =
            of(months, &|month| month.of(Line::Contract) + month.of(Line::Prepayment));
        // Power that is passed on is nothing of the price of capacity.
        let tenants: Vec<Money> = (0..tenants.len())
            .map(|place| {
                let power = lived.receipts.iter().map(|one| one.power_paid[place]);
                tenants[place] - power.sum::<Money>()
            })
            .collect();
        let mut uses = <[UseTotals; Use::ALL.len()]>::default();
        for (of, uses) in uses.iter_mut().enumerate() {
            sites.iter().for_each(|site| uses.add(site.uses[of]));
        }
        let delivered = self.costs(&lived);
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

    /// What each missed tranche cost.
    fn costs(&self, lived: &Lived) -> Vec<Delivered> {
        let arrivals = &lived.arrivals;
        let mut delivered = arrivals.delivered.clone();
        for one in delivered.iter_mut().filter(|one| one.missed && one.signed) {
            let contract = &self.deals[one.deal].contract;
            let on_time: Vec<Batch> = arrivals.serving[one.deal]
                .meant
                .iter()
                .filter(|batch| batch.tranche == one.tranche)
                .map(|batch| Batch {
                    accepted: contract.tranches[one.tranche].delivery,
                    ..batch.clone()
                })
                .collect();
            let could =
                receipts(&aggregate(contract), self.span(), &on_time, &[], Vec::new());
            let sum = |months: &[Money]| months.iter().copied().sum::<Money>();
            let serving = self.conversions.iter().filter(|conversion| {
                conversion.serves.is_some_and(|serves| {
                    serves.deal == one.deal && serves.tranche == one.tranche
                })
            });
            let let_for: Money = serving
                .flat_map(|c| c.racks.iter().map(|load| (c.site, *load)))
                .map(|(site, load)| lived.sites[site].ran.let_by_load[load])
                .sum();
            one.cost = sum(&could.earned[one.tranche])
                - sum(&lived.receipts[one.deal].earned[one.tranche])
                - let_for;
        }
        delivered
    }

    pub(crate) fn span(&self) -> Span {
        Span { first: self.first, months: self.months }
    }

    /// The first instant of a day.
    pub(crate) fn midnight(&self, day: Date) -> units::Timestamp {
        self.zone().midnight(day)
    }

    /// The sites if nothing is converted: rigs, and racks that no conversion brings.
    fn untouched(&self) -> Vec<Vec<Happening>> {
        // Before anything else happens.
        let start = units::Timestamp::from_unix_seconds(0);
        let at_site = |(site, place): (usize, &Place)| {
            let comes = |load: &LoadIx| {
                let brings = |c: &Conversion| c.site == site && c.racks.contains(load);
                self.conversions.iter().any(brings)
            };
            (0..place.site.loads.len())
                .map(|load| Happening {
                    at: start,
                    load,
                    becomes: if comes(&load) { Becomes::Gone } else { Becomes::There },
                })
                .collect()
        };
        self.sites.iter().enumerate().map(at_site).collect()
    }

    /// When everything comes and goes, and what serves whom by it.
    fn arrivals(&self, luck: Luck) -> Arrivals {
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
            let arrives = conversion.ready.plus_days(late);
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
            Luck::Best => true,
        };
        let mut serving_it = Serving::default();
        let days = found.arrived.clone();
        for (number, tranche) in contract.tranches.iter().enumerate() {
            let serving: Vec<usize> = (0..self.conversions.len())
                .filter(|at| {
                    let serves = self.conversions[*at].serves;
                    serves.is_some_and(|s| s.deal == place && s.tranche == number)
                })
                .collect();
            let accepted = |at: usize| {
                let day = days[at]?;
                Some(if tranche.early { day } else { day.max(tranche.delivery) })
            };
            let all = || serving.iter().filter_map(|at| accepted(*at));
            let (Some(first), Some(last)) = (all().min(), all().max()) else { continue };
            // Service is counted from the first acceptance.
            let anchor = contract.zone.midnight(first);
            let term = contract.zone.months_after(anchor, tranche.months);
            let stop = contract.delay.as_ref().and_then(|delay| delay.long_stop_days);
            let stop = stop.map(|days| tranche.delivery.plus_days(days));
            let missed = stop.is_some_and(|stop| last > stop);
            let end = stop.filter(|_| missed && deal.on_long_stop == OnLongStop::Ends);
            found.delivered.push(Delivered {
                deal: place,
                tranche: number,
                signed,
                days_late: last.days_since(tranche.delivery),
                missed,
                cost: Money::ZERO,
            });
            if let (Some(end), true) = (end, signed) {
                serving_it.ended.push(Ended { tranche: number, at: end });
            }
            for at in serving.iter().copied() {
                let conversion = &self.conversions[at];
                let Some(day) = accepted(at) else { continue };
                let size = self.size(conversion, tranche.quantity);
                let lost = self.lost(at, size, luck);
                let batch =
                    Batch { tranche: number, unit: at, size, accepted: day, lost };
                serving_it.meant.push(batch.clone());
                let gone = end.is_some_and(|end| self.is_cancelled(conversion, day, end));
                if signed && gone {
                    found.arrived[at] = None;
                    continue;
                }
                let serves = signed && end.is_none_or(|end| day <= end);
                let becomes = if serves { Becomes::There } else { Becomes::Let };
                let until = end.map_or(term, |end| term.min(self.midnight(end)));
                for load in &conversion.racks {
                    let load = *load;
                    let at = self.midnight(day);
                    let happenings = &mut found.happenings[conversion.site];
                    happenings.push(Happening { at, load, becomes });
                    if serves {
                        let becomes = Becomes::Let;
                        happenings.push(Happening { at: until, load, becomes });
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
        conversion.equipment.is_some_and(|equipment| {
            let ships = ready.plus_days(-equipment.ships_days_before);
            equipment.cancellable && ships > end
        })
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
            let paid =
                arrived.plus_days(equipment.payable_days - equipment.ships_days_before);
            add(place(paid), Line::Equipment, -equipment.price);
            if paid < self.end().first_day() {
                let worth = equipment.residual.of_money(equipment.price);
                add(self.months.checked_sub(1), Line::Resale, worth);
            }
        }
        sold
    }

    /// What buildings cost before the first month, as far as the plan knows: it is spent,
    /// whatever is decided, and counts nowhere.
    pub fn spent_before(&self) -> Money {
        let of = |conversion: &Conversion| -> Money {
            let works = &conversion.works;
            let first = conversion.begins.period().first_day();
            let due = |after: usize| self.place(first.plus_months(after as i64).period());
            let paid = works.schedule.iter().enumerate();
            let before = paid.filter(|(after, _)| due(*after) < 0);
            before.map(|(_, share)| share.of_money(works.cost)).sum()
        };
        self.conversions.iter().map(of).sum()
    }

    /// The best that coverage can be: everything on time, nothing fails, and power and
    /// running cost nothing.
    pub(crate) fn best_coverage(&self) -> Vec<Option<i64>> {
        let arrivals = self.arrivals(Luck::Best);
        let mut months = vec![Month::default(); self.months];
        self.build(&arrivals, |_, place, line, money| months[place].add(line, money));
        let available = self.collect(&self.receipts(&arrivals, &[]), &mut months);
        finance::borrow(self, &mut months);
        finance::coverage(self, &months, &available)
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
