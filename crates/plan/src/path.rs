//! One future of a plan: when things came, what was earned, owed and borrowed.

use engine::site::{LoadIx, LoadKind, Racks, Terms};
use settle::calendar::Date;
use settle::contract::Quantity;
use sim::scenario::delivery;
use sim::scenario::draw::Draws;
use units::Money;

use crate::cash::{Line, Month};
use crate::finance;
use crate::markets::Peaks;
use crate::operate::{self, Becomes, Happening, Ran};
use crate::past::Past;
use crate::receipts::{Batch, Ended, Receipts, Span, aggregate, receipts};
use crate::terms::{Conversion, OnLongStop, Plan};
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
    /// Present value of everything tenants pay.
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
    arrivals: Arrivals,
    pub(crate) ran: Ran,
    pub(crate) months: Vec<Month>,
    pub(crate) coverage: Vec<Option<i64>>,
}

/// What is settled of one future before its hours are run.
#[derive(Clone, Debug)]
pub(crate) struct Arrivals {
    happenings: Vec<Happening>,
    /// When each conversion's racks came; `None` where they never do.
    arrived: Vec<Option<Date>>,
    receipts: Vec<Receipts>,
    /// By deal, what was to serve it, whether or not it came in time.
    batches: Vec<Vec<Batch>>,
    delivered: Vec<Delivered>,
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

        let mut stays = vec![Month::default(); self.months];
        let markets = self.markets(seed, number);
        let peaks = Peaks::new(self, seed, number);
        operate::run(self, markets, peaks, &self.untouched(), &mut stays);
        let nothing = vec![Money::ZERO; self.months];
        finance::tax(self, &mut stays, &nothing, &nothing);

        self.outcome(number, lived, stays)
    }

    /// When each load of the site comes and goes in a future.
    pub fn happenings(&self, seed: u64, number: u64) -> Vec<Happening> {
        self.arrivals(Luck::Drawn { seed, path: number }).happenings
    }

    /// Lives a future of the plan alone.
    pub(crate) fn live(&self, seed: u64, number: u64) -> Lived {
        self.live_in(None, seed, number)
    }

    /// The same; with a past, only the months that it has are run, and markets are as
    /// they were.
    pub(crate) fn live_in(&self, past: Option<&Past>, seed: u64, number: u64) -> Lived {
        let arrivals = self.arrivals(Luck::Drawn { seed, path: number });
        let mut months = vec![Month::default(); self.months];
        let markets = self.markets_of(past, seed, number);
        let peaks = Peaks::new(self, seed, number);
        let run = past.map_or(self.months, |past| past.months().min(self.months));
        let happenings = &arrivals.happenings;
        let mut ran = operate::run(self, markets, peaks, happenings, &mut months[..run]);
        ran.contract_power.resize(self.months, Money::ZERO);
        ran.contract_running.resize(self.months, Money::ZERO);
        let sold = self.build(&arrivals, &mut months);
        let mut available = self.collect(&arrivals, &mut months);
        for (place, available) in available.iter_mut().enumerate() {
            *available += ran.contract_power[place] + ran.contract_running[place];
        }
        finance::borrow(self, &mut months);
        let mut served = vec![Money::ZERO; self.months];
        for months in arrivals.receipts.iter().flat_map(|receipts| &receipts.earned) {
            for (place, earned) in months.iter().enumerate() {
                served[place] += *earned;
            }
        }
        finance::tax(self, &mut months, &served, &sold);
        let coverage = finance::coverage(self, &months, &available);
        Lived { arrivals, ran, months, coverage }
    }

    fn outcome(&self, path: u64, lived: Lived, stays: Vec<Month>) -> Outcome {
        let Lived { arrivals, ran, months, coverage } = lived;
        let rate = value::monthly_rate(self.rules.discount);
        let worth = |flows: &[Money]| usd(value::npv(rate, flows));
        let of = |months: &[Month], of: &dyn Fn(&Month) -> Money| -> Vec<Money> {
            months.iter().map(of).collect()
        };
        let net = of(&months, &Month::net);
        let stay = of(&stays, &Month::net);
        let gain: Vec<Money> = net.iter().zip(&stay).map(|(a, b)| *a - *b).collect();
        let tax = worth(&of(&months, &|month| month.of(Line::Tax)))
            - worth(&of(&stays, &|month| month.of(Line::Tax)));
        let tenants =
            of(&months, &|month| month.of(Line::Contract) + month.of(Line::Prepayment));
        let mut uses = ran.uses;
        let earned = arrivals.receipts.iter().flat_map(|receipts| &receipts.earned);
        uses[Use::Contract as usize].earned = earned.flatten().copied().sum();
        let delivered = self.costs(&arrivals, &ran);
        Outcome {
            path,
            npv: worth(&net),
            npv_stay: worth(&stay),
            irr_ppm: value::irr(&gain, rate).map(|rate| (rate * 1e6).round() as i64),
            contract_value: worth(&tenants),
            tax_value: tax,
            months,
            stay,
            uses,
            delivered,
            coverage,
            price_micro_usd_per_mwh: (ran.price_mean_usd_per_mwh * 1e6).round() as i64,
            idle_watt_hours: i64::try_from(ran.idle_wh).expect("years of energy fit"),
            idle_value: usd(ran.idle_value_usd),
            hashprice_micro_usd_per_ph_day: (ran.hashprice_mean_usd_per_ph_day * 1e6)
                .round() as i64,
            coin_last_micro_usd: (ran.coin_last_usd * 1e6).round() as i64,
        }
    }

    /// What each missed tranche cost.
    fn costs(&self, arrivals: &Arrivals, ran: &Ran) -> Vec<Delivered> {
        let mut delivered = arrivals.delivered.clone();
        for one in delivered.iter_mut().filter(|one| one.missed && one.signed) {
            let contract = &self.deals[one.deal].contract;
            let on_time: Vec<Batch> = arrivals.batches[one.deal]
                .iter()
                .filter(|batch| batch.tranche == one.tranche)
                .map(|batch| Batch {
                    accepted: contract.tranches[one.tranche].delivery,
                    ..batch.clone()
                })
                .collect();
            let could = receipts(&aggregate(contract), self.span(), &on_time, &[]);
            let sum = |months: &[Money]| months.iter().copied().sum::<Money>();
            let serving = self.conversions.iter().filter(|conversion| {
                conversion.serves.is_some_and(|serves| {
                    serves.deal == one.deal && serves.tranche == one.tranche
                })
            });
            let let_for: Money =
                serving.flat_map(|c| &c.racks).map(|load| ran.let_by_load[*load]).sum();
            one.cost = sum(&could.earned[one.tranche])
                - sum(&arrivals.receipts[one.deal].earned[one.tranche])
                - let_for;
        }
        delivered
    }

    pub(crate) fn span(&self) -> Span {
        Span { first: self.first, months: self.months }
    }

    /// The first instant of a day.
    fn midnight(&self, day: Date) -> units::Timestamp {
        self.zone().midnight(day)
    }

    /// The site if nothing is converted: rigs, and racks that no conversion brings.
    fn untouched(&self) -> Vec<Happening> {
        // Before anything else happens.
        let start = units::Timestamp::from_unix_seconds(0);
        let comes =
            |load: &LoadIx| self.conversions.iter().any(|c| c.racks.contains(load));
        (0..self.site.loads.len())
            .map(|load| Happening {
                at: start,
                load,
                becomes: if comes(&load) { Becomes::Gone } else { Becomes::There },
            })
            .collect()
    }

    /// When everything comes and goes, and what tenants pay by it.
    fn arrivals(&self, luck: Luck) -> Arrivals {
        let mut happenings = self.untouched();
        for conversion in self.conversions.iter().filter(|conversion| !conversion.dropped)
        {
            let at = self.midnight(conversion.begins);
            for load in &conversion.rigs_out {
                happenings.push(Happening { at, load: *load, becomes: Becomes::Gone });
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
        let mut found = Arrivals {
            happenings,
            arrived,
            receipts: Vec::new(),
            batches: Vec::new(),
            delivered: Vec::new(),
        };
        for deal in 0..self.deals.len() {
            self.serve(deal, luck, &mut found);
        }
        for (number, conversion) in self.conversions.iter().enumerate() {
            let Some(arrived) = found.arrived[number] else { continue };
            if conversion.serves.is_none() {
                let at = self.midnight(arrived);
                for load in &conversion.racks {
                    found.happenings.push(Happening {
                        at,
                        load: *load,
                        becomes: Becomes::Let,
                    });
                }
            }
        }
        found.happenings.sort();
        found
    }

    /// Lays out one deal: who is accepted when, what ends, and what is paid.
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
        let (mut meant, mut batches, mut ended) = (Vec::new(), Vec::new(), Vec::new());
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
                ended.push(Ended { tranche: number, at: end });
            }
            for at in serving.iter().copied() {
                let conversion = &self.conversions[at];
                let Some(day) = accepted(at) else { continue };
                let size = self.size(conversion, tranche.quantity);
                let lost = self.lost(at, size, luck);
                let batch =
                    Batch { tranche: number, unit: at, size, accepted: day, lost };
                meant.push(batch.clone());
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
                    found.happenings.push(Happening { at, load, becomes });
                    if serves {
                        let becomes = Becomes::Let;
                        found.happenings.push(Happening { at: until, load, becomes });
                    }
                }
                if serves {
                    batches.push(batch);
                }
            }
        }
        found.receipts.push(receipts(
            &aggregate(contract),
            self.span(),
            &batches,
            &ended,
        ));
        found.batches.push(meant);
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
        let of = |load: &LoadIx| match &self.site.loads[*load].kind {
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
    fn collect(&self, arrivals: &Arrivals, months: &mut [Month]) -> Vec<Money> {
        let mut available = vec![Money::ZERO; months.len()];
        for receipts in &arrivals.receipts {
            for (place, month) in months.iter_mut().enumerate() {
                month.add(Line::Contract, receipts.paid[place]);
                month.add(Line::Prepayment, receipts.ahead[place]);
                available[place] += receipts.paid[place];
            }
        }
        available
    }

    /// Adds buildings, machines and what is sold; returns what rigs that were sold stood in
    /// the books at, by month.
    fn build(&self, arrivals: &Arrivals, months: &mut [Month]) -> Vec<Money> {
        let mut sold = vec![Money::ZERO; months.len()];
        let place = |day: Date| {
            let place = usize::try_from(self.place(day.period())).ok()?;
            (place < months.len()).then_some(place)
        };
        let mut add: Vec<(Option<usize>, Line, Money)> = Vec::new();
        for (number, conversion) in self.conversions.iter().enumerate() {
            if conversion.dropped {
                continue;
            }
            for (after, share) in conversion.works.schedule.iter().enumerate() {
                let day =
                    conversion.begins.period().first_day().plus_months(after as i64);
                let cost = share.of_money(conversion.works.cost);
                add.push((place(day), Line::Works, -cost));
            }
            add.push((place(conversion.begins), Line::Resale, conversion.resale));
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
            add.push((place(paid), Line::Equipment, -equipment.price));
            if paid < self.end().first_day() {
                let worth = equipment.residual.of_money(equipment.price);
                add.push((months.len().checked_sub(1), Line::Resale, worth));
            }
        }
        for (place, line, money) in add {
            if let Some(place) = place {
                months[place].add(line, money);
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
        self.build(&arrivals, &mut months);
        let available = self.collect(&arrivals, &mut months);
        finance::borrow(self, &mut months);
        finance::coverage(self, &months, &available)
    }

    /// Whether a load is one of racks under contract.
    pub(crate) fn is_contracted(&self, load: LoadIx) -> bool {
        matches!(
            &self.site.loads[load].kind,
            LoadKind::Racks(racks) if matches!(racks.terms, Terms::Contracted { .. })
        )
    }
}

fn usd(value: f64) -> Money {
    Money::from_micro_usd((value * 1e6).round() as i64)
}
