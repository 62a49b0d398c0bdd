//! What is wrong with a plan: what no figure may come out of.

use engine::site::{LoadIx, LoadKind};
use settle::calendar::Date;
use settle::contract::{PowerMode, PriceUnit};
use settle::exact::Exact;
use sim::scenario::blocks::Blocks;
use std::collections::BTreeSet;
use units::{Money, Power, Share};

use crate::terms::{Conversion, LoanKind, Owner, Plan, Serves};

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doubt {
    /// Where in the plan, such as `conversions[2].ready`.
    pub key: String,
    /// What was expected.
    pub expected: String,
    /// What was found.
    pub found: String,
    /// What to do about it.
    pub remedy: String,
}

/// The most days that a delivery, a shipment or a payment may take: ten years.
const DAYS_MAX: i64 = 3_650;

/// The dearest GPU-hour that is believed, USD: anything more is a month's or a slip.
const GPU_HOUR_MAX_USD: i128 = 1_000;

/// How long racks may stand idle before a delivery that the plan never comes to.
const IDLE_DAYS_MAX: i64 = 366;

struct Doubts(Vec<Doubt>);

impl Doubts {
    fn add(&mut self, key: String, expected: &str, found: String, remedy: &str) {
        self.0.push(Doubt {
            key,
            expected: expected.to_owned(),
            found,
            remedy: remedy.to_owned(),
        });
    }
}

impl Plan {
    /// Everything that is wrong with the plan; nothing of one that is right.
    pub fn doubts(&self) -> Vec<Doubt> {
        let mut doubts = Doubts(Vec::new());
        self.doubt_sites(&mut doubts);
        self.doubt_deals(&mut doubts);
        for (place, conversion) in self.conversions.iter().enumerate() {
            self.doubt_conversion(place, conversion, &mut doubts);
        }
        self.doubt_names(&mut doubts);
        self.doubt_loads(&mut doubts);
        self.doubt_loans(&mut doubts);
        self.doubt_limits(&mut doubts);
        self.doubt_quantities(&mut doubts);
        if doubts.0.is_empty() {
            // These rest on everything else being right.
            self.doubt_power(&mut doubts);
            self.doubt_covenant(&mut doubts);
        }
        doubts.0
    }

    /// " at north", where sites have to be told apart.
    fn at(&self, site: usize) -> String {
        if self.has_sites() {
            format!(" at {}", self.sites[site].name)
        } else {
            String::new()
        }
    }

    /// Sites of one market meet the same hours.
    fn doubt_sites(&self, doubts: &mut Doubts) {
        let kind = |site: usize| {
            let (power, days) = self.power_at(site);
            let days = days.map(|days| {
                let dates: Vec<i64> = days.days().iter().map(|day| day.day).collect();
                (days.shape(), dates)
            });
            (power.behind_utc_hours, days)
        };
        for (site, place) in self.sites.iter().enumerate() {
            let key = |what: &str| format!("sites[{site}].{what}");
            let alike = self.sites.iter().position(|one| one.market == place.market);
            if let Some(first) = alike.filter(|first| kind(*first) != kind(site)) {
                let first = &self.sites[first].name;
                doubts.add(
                    key("market"),
                    &format!("a clock and days of history as those of {first}, in the same market"),
                    "others".to_owned(),
                    "sites of one market spike in the same hours: give both days of the same dates and blocks or none, or name another market",
                );
            }
            let has_coin = |site| self.power_at(site).1.is_some_and(Blocks::has_coin);
            if has_coin(site) && !has_coin(0) {
                doubts.add(
                    key("power.coin_on_same_days"),
                    "the coin to move by the days of the first site",
                    format!("by those of {}", place.name),
                    "leave it out here, or name this site first",
                );
            }
        }
    }

    fn doubt_deals(&self, doubts: &mut Doubts) {
        for (place, deal) in self.deals.iter().enumerate() {
            let contract = &deal.contract;
            let key = |what: &str| format!("contracts[{place}].{what}");
            if contract.currency.code != "USD" {
                doubts.add(
                    key("file"),
                    "a contract in USD",
                    format!("one in {}", contract.currency.code),
                    "plan it in dollars, or leave it out",
                );
            }
            self.doubt_charges(place, key("file"), doubts);
            for tranche in &contract.tranches {
                let index = tranche.price.index.as_ref().map(|index| &*index.name);
                let is_assumed =
                    |name| self.futures.escalators.iter().any(|one| one.name == name);
                if let Some(index) = index.filter(|index| !is_assumed(*index)) {
                    doubts.add(
                        key("file"),
                        "prices that are stated, or an index of the plan",
                        format!("tranche {} moves with {index}", tranche.id),
                        "state what the index is at and how it grows in [futures.indexes], or the price by steps",
                    );
                }
                let prices = tranche.price.steps.iter().map(|step| step.amount);
                let dearest = prices.fold(tranche.price.amount, Exact::max);
                let is_by_hour = tranche.price.unit == PriceUnit::GpuHour;
                if is_by_hour && dearest > Exact::whole(GPU_HOUR_MAX_USD) {
                    doubts.add(
                        key("file"),
                        &format!("at most {GPU_HOUR_MAX_USD} USD per GPU-hour"),
                        format!("tranche {} at {dearest}", tranche.id),
                        "state it for an hour, not for a month or a year",
                    );
                }
                let free = tranche.price.amount.is_zero()
                    && tranche.price.steps.iter().all(|step| step.amount.is_zero());
                if free {
                    doubts.add(
                        key("file"),
                        "a price above nought",
                        format!("tranche {} is free", tranche.id),
                        "state its price",
                    );
                }
            }
            let ppm = deal.signed.as_ppm();
            if !(0..=1_000_000).contains(&ppm) {
                doubts.add(
                    key("signed_percent"),
                    "0 to 100",
                    format!("{}", ppm as f64 / 10_000.0),
                    "100 is a contract that is signed",
                );
            }
        }
    }

    /// Power that the tenant pays for is charged by what a plan has: meters, the price at a
    /// site's settlement point, and a site's bill.
    fn doubt_charges(&self, deal: usize, key: String, doubts: &mut Doubts) {
        let power = &self.deals[deal].contract.power;
        if power.mode == PowerMode::Included {
            return;
        }
        let is_billed = power.mode == PowerMode::PassThrough && power.true_up;
        let sites = self.sites_of(deal);
        if is_billed && sites.len() > 1 {
            let names: Vec<&str> =
                sites.iter().map(|at| &*self.sites[*at].name).collect();
            doubts.add(
                key,
                "one site whose bill is passed through",
                format!("a contract served from {}", names.join(" and ")),
                "settlement splits the bills of one site by its meters: let each site have a contract, or charge an index or an estimate without a true-up",
            );
            return;
        }
        let is_estimated =
            power.mode == PowerMode::PassThrough && power.estimate_per_mwh.is_some();
        if is_billed || is_estimated {
            return;
        }
        let points = self.sites.iter().map(|p| &*p.site.market.settlement_point);
        let points: BTreeSet<&str> = points.collect();
        let points: Vec<&str> = points.into_iter().collect();
        let known = power.index.as_deref().map(|index| self.site_of_index(deal, index));
        if known.flatten().is_none() {
            let found = power.index.as_deref().unwrap_or("none");
            doubts.add(
                key,
                &format!("an energy price that a plan draws: {}", points.join(", ")),
                format!("power charged by {found}"),
                "name a site's settlement point as the index, pass the bill through with a true-up, or state an estimate",
            );
        }
    }

    fn doubt_conversion(
        &self,
        place: usize,
        conversion: &Conversion,
        doubts: &mut Doubts,
    ) {
        let key = |what: &str| format!("conversions[{place}].{what}");
        if conversion.ready < conversion.begins {
            doubts.add(
                key("ready"),
                &format!("a day from {} on, when the work begins", conversion.begins),
                format!(
                    "{}: a lead time of {} days",
                    conversion.ready,
                    conversion.ready.days_since(conversion.begins)
                ),
                "let the work begin earlier, or be ready later",
            );
        }
        for (what, day) in [("begins", conversion.begins), ("ready", conversion.ready)] {
            let first = self.first.first_day();
            if day.days_since(first).abs() > 3 * DAYS_MAX {
                doubts.add(
                    key(what),
                    &format!("a day within thirty years of {first}"),
                    day.to_string(),
                    "check the year",
                );
            }
        }
        if conversion.racks.is_empty() {
            doubts.add(
                key("racks"),
                "at least one load of racks",
                "none".to_owned(),
                "name the racks that come; a hall that only closes earns nothing",
            );
        }
        let slip = &conversion.slip;
        let sound = (0.0..=1.0).contains(&slip.on_time)
            && slip.median_days >= 0.0
            && slip.ninetieth_days >= slip.median_days
            && slip.days_max >= slip.median_days;
        let sound = sound && slip.days_max <= DAYS_MAX as f64;
        if !sound || (slip.on_time < 1.0 && slip.median_days <= 0.0) {
            doubts.add(
                key("slip"),
                "on time from 0 to 100 percent, and when late a median above nought of days, no more than the ninetieth percentile",
                format!("{} percent, {} and {} days", slip.on_time * 100.0, slip.median_days, slip.ninetieth_days),
                "state how late it is in half and in nine of ten cases",
            );
        }
        let paid: i64 =
            conversion.works.schedule.iter().map(|share| share.as_ppm()).sum();
        if !conversion.works.cost.is_zero() && paid != Share::WHOLE.as_ppm() {
            doubts.add(
                key("works.schedule_percent"),
                "shares that add up to 100",
                format!("{}", paid as f64 / 10_000.0),
                "state what is paid in each month from the beginning on",
            );
        }
        let money = [
            ("works.cost_musd", conversion.works.cost),
            ("resale_musd", conversion.resale),
            ("book_value_musd", conversion.book_value),
            (
                "equipment.price_musd",
                conversion.equipment.map_or(Money::ZERO, |e| e.price),
            ),
        ];
        for (what, money) in money {
            if money < Money::ZERO {
                doubts.add(
                    key(what),
                    "nought or more",
                    money.to_string(),
                    "costs are written as they are paid",
                );
            }
        }
        if let Some(equipment) = conversion.equipment {
            for (what, days) in [
                ("equipment.ships_days_before", equipment.ships_days_before),
                ("equipment.payable_days", equipment.payable_days),
            ] {
                if !(0..=DAYS_MAX).contains(&days) {
                    doubts.add(key(what), "nought or more days", days.to_string(), "machines are shipped before they are accepted, and paid after they are shipped");
                }
            }
        }
        if conversion.machines == Owner::Tenant {
            let expected = "the site's machines, or a tenant who brings them";
            if conversion.equipment.is_some() {
                doubts.add(
                    key("machines"),
                    expected,
                    "the tenant's, and an order for them in equipment".to_owned(),
                    "leave equipment out, or say machines = \"site\"",
                );
            }
            if conversion.serves.is_none() {
                doubts.add(
                    key("machines"),
                    expected,
                    "the tenant's, where the racks serve none".to_owned(),
                    "name racks under a contract of the plan, or say machines = \"site\"",
                );
            }
        }
        self.doubt_dates(place, conversion, doubts);
        if conversion.serves.is_none()
            && conversion
                .racks
                .iter()
                .any(|load| self.is_contracted(conversion.site, *load))
        {
            doubts.add(
                key("racks"),
                "racks whose contract is among [[contracts]]",
                "racks under another, or under none with a price".to_owned(),
                "add the contract's file, or make the racks uncommitted in the site file",
            );
        }
    }

    /// What serves a tranche can be accepted within the plan, where it is due there.
    fn doubt_dates(&self, place: usize, conversion: &Conversion, doubts: &mut Doubts) {
        let Some((deal, tranche)) = self.served(conversion) else { return };
        if conversion.dropped {
            return;
        }
        let end = self.end().first_day();
        let stop = deal.contract.delay.as_ref().and_then(|delay| delay.long_stop_days);
        let stop = stop.map(|days| tranche.delivery.plus_days(days));
        if let Some(stop) = stop.filter(|stop| *stop < end && conversion.ready >= end) {
            doubts.add(
                format!("conversions[{place}].ready"),
                &format!("a day by {stop}, the long stop of tranche {}", tranche.id),
                format!("{}, after the plan's end: no future meets it", conversion.ready),
                "be ready earlier, plan further, or leave the tranche out",
            );
        }
        let waits = tranche.delivery.days_since(conversion.ready);
        if waits > IDLE_DAYS_MAX && tranche.delivery >= end && !tranche.early {
            doubts.add(
                format!("conversions[{place}].ready"),
                &format!(
                    "a day within a year before {}, the delivery of tranche {}",
                    tranche.delivery, tranche.id
                ),
                format!(
                    "{}: racks would be idle until after the plan's end",
                    conversion.ready
                ),
                "check the year of the contract's delivery, or be ready later",
            );
        }
    }

    /// Conversions and loans are told apart by their names.
    fn doubt_names(&self, doubts: &mut Doubts) {
        let conversions = self.conversions.iter().map(|one| &*one.name).collect();
        let loans = self.loans.iter().map(|one| &*one.name).collect();
        for (of, names) in
            [("conversions", conversions), ("loans", loans)] as [(&str, Vec<&str>); 2]
        {
            for (place, name) in names.iter().enumerate() {
                let key = format!("{of}[{place}].name");
                let remedy = "answers tell them apart by it";
                if name.trim().is_empty() {
                    doubts.add(key, "a name", "none".to_owned(), remedy);
                } else if names[..place].contains(name) {
                    let expected = format!("a name that no other of {of} has");
                    doubts.add(key, &expected, format!("\"{name}\" again"), remedy);
                }
            }
        }
    }

    /// Each load comes once and leaves once.
    fn doubt_loads(&self, doubts: &mut Doubts) {
        let loads = self.sites.iter().enumerate().flat_map(|(site, place)| {
            let loads = place.site.loads.iter().enumerate();
            loads.map(move |(load, shape)| (site, load, shape))
        });
        for (site, load, shape) in loads {
            let at = self.at(site);
            let named = |of: &dyn Fn(&Conversion) -> bool| {
                let own = self.conversions.iter().filter(|one| one.site == site);
                own.filter(|conversion| of(conversion)).count()
            };
            let comes = named(&|conversion| conversion.racks.contains(&load));
            let leaves = named(&|conversion| conversion.rigs_out.contains(&load));
            if comes > 1 || leaves > 1 {
                doubts.add(
                    "conversions".to_owned(),
                    &format!("load {}{at} in one conversion", shape.name),
                    format!("it in {}", comes.max(leaves)),
                    "split the load in the site file, or name it once",
                );
            }
            let own = || self.conversions.iter().filter(|one| one.site == site);
            let again = |of: &dyn Fn(&Conversion) -> &[LoadIx]| {
                let times = |one| of(one).iter().filter(|named| **named == load).count();
                own().map(times).max().unwrap_or(0)
            };
            let times = again(&|one| &one.racks).max(again(&|one| &one.rigs_out));
            if times > 1 {
                doubts.add(
                    "conversions".to_owned(),
                    &format!("load {}{at} once in a conversion", shape.name),
                    format!("it {times} times"),
                    "name it once",
                );
            }
            if matches!(shape.kind, LoadKind::Battery(_)) {
                doubts.add(
                    "site".to_owned(),
                    "a site of rigs and racks",
                    format!("the battery {}{at}", shape.name),
                    "a plan does not decide what a battery holds; take it out of the site that is planned",
                );
            }
            if comes == 0 && self.is_contracted(site, load) {
                doubts.add(
                    "conversions".to_owned(),
                    &format!("when the racks {}{at} under contract came", shape.name),
                    "no conversion that brings them".to_owned(),
                    "add one, ready on the day on which they were accepted",
                );
            }
        }
    }

    fn doubt_loans(&self, doubts: &mut Doubts) {
        for (place, loan) in self.loans.iter().enumerate() {
            let key = |what: &str| format!("loans[{place}].{what}");
            if loan.maturity < loan.repay_from {
                doubts.add(
                    key("maturity"),
                    &format!("a month from {} on", loan.repay_from),
                    loan.maturity.to_string(),
                    "repay before it is due",
                );
            }
            if loan.limit < Money::ZERO || loan.rate < Share::from_ppm(0) {
                doubts.add(
                    key("limit_musd"),
                    "a limit and a rate of nought or more",
                    format!("{} at {}", loan.limit, loan.rate),
                    "state what may be drawn, and the interest a year",
                );
            }
            if let Some(deal) = loan.secured_on.map(|place| &self.deals[place])
                && deal.signed < Share::WHOLE
            {
                doubts.add(
                    key("secured_on"),
                    "a contract that is signed",
                    format!("{}, signed in {} of futures", deal.contract.id, deal.signed),
                    "plan without the loan, or with the contract signed: lenders rely on it",
                );
            }
            let last_draw = match loan.kind {
                LoanKind::DelayedDraw { until, .. } => until,
                LoanKind::Notes { issue } => issue,
            };
            if last_draw > loan.maturity {
                doubts.add(
                    key("maturity"),
                    &format!("a month from the last draw in {last_draw} on"),
                    loan.maturity.to_string(),
                    "draw before it is repaid",
                );
            }
            let months = format!("{} to {}", self.first, self.end().previous());
            match loan.kind {
                LoanKind::Notes { issue } if self.place(issue) < 0 => doubts.add(
                    key("issue"),
                    &format!("a month from {} on", self.first),
                    issue.to_string(),
                    "a plan knows no debt of before it began; begin it earlier",
                ),
                LoanKind::Notes { issue } if issue >= self.end() => doubts.add(
                    key("issue"),
                    &format!("a month of {months}"),
                    format!("{issue}: nothing would be lent"),
                    "issue it earlier, plan further, or leave the loan out",
                ),
                LoanKind::DelayedDraw { until, .. } if self.place(until) < 0 => doubts
                    .add(
                        key("draws_until"),
                        &format!("a month from {} on", self.first),
                        format!("{until}: nothing could be drawn"),
                        "let it be drawn later, or leave the loan out",
                    ),
                LoanKind::DelayedDraw { from: Some(from), until, .. } if from > until => {
                    doubts.add(
                        key("draws_from"),
                        &format!("a month up to the last draw in {until}"),
                        from.to_string(),
                        "begin earlier, or let it be drawn for longer",
                    );
                }
                LoanKind::Notes { .. } | LoanKind::DelayedDraw { .. } => {}
            }
        }
    }

    /// Lenders lend no more than what is bought for it: machines, and for notes buildings,
    /// too. What is dropped counts, since limits are agreed before.
    fn doubt_limits(&self, doubts: &mut Doubts) {
        let machines: Money =
            self.conversions.iter().filter_map(|one| Some(one.equipment?.price)).sum();
        let works: Money = self.conversions.iter().map(|one| one.works.cost).sum();
        for (place, loan) in self.loans.iter().enumerate() {
            let (for_it, most) = match loan.kind {
                LoanKind::DelayedDraw { .. } => ("machines", machines),
                LoanKind::Notes { .. } => ("works and machines", works + machines),
            };
            if loan.limit > most {
                doubts.add(
                    format!("loans[{place}].limit_musd"),
                    &format!("no more than the {most} of {for_it}"),
                    loan.limit.to_string(),
                    "lower it, or state what it pays for",
                );
            }
        }
        let all: Money = self.loans.iter().map(|loan| loan.limit).sum();
        let alone = self.loans.iter().all(|loan| loan.limit <= works + machines);
        if alone && all > works + machines {
            doubts.add(
                "loans".to_owned(),
                &format!(
                    "limits of no more than works and machines: {}",
                    works + machines
                ),
                format!("{all} together"),
                "lower them, or state what they pay for",
            );
        }
    }

    fn serving(&self, deal: usize, tranche: usize) -> impl Iterator<Item = &Conversion> {
        let serves = Serves { deal, tranche };
        self.conversions.iter().filter(move |one| one.serves == Some(serves))
    }

    /// Whether everything that was to serve a tranche is dropped.
    pub(crate) fn is_declined(&self, deal: usize, tranche: usize) -> bool {
        let mut serving = self.serving(deal, tranche).peekable();
        serving.peek().is_some() && serving.all(|conversion| conversion.dropped)
    }

    /// What serves a tranche is all of it.
    fn doubt_quantities(&self, doubts: &mut Doubts) {
        for (deal_place, deal) in self.deals.iter().enumerate() {
            for (place, tranche) in deal.contract.tranches.iter().enumerate() {
                let serving = self.serving(deal_place, place).filter(|c| !c.dropped);
                let brought: i64 = serving
                    .map(|conversion| self.size(conversion, tranche.quantity))
                    .sum();
                let signed = tranche.quantity.count();
                if self.is_declined(deal_place, place) {
                    if deal.signed == Share::WHOLE {
                        doubts.add(
                            format!("contracts[{deal_place}].file"),
                            &format!("something to serve tranche {}", tranche.id),
                            "every conversion that was to serve it dropped".to_owned(),
                            "what is signed is served: only an offer can be declined",
                        );
                    }
                    continue;
                }
                if brought != signed {
                    doubts.add(
                        format!("contracts[{deal_place}].file"),
                        &format!("conversions that bring the {signed} of tranche {}", tranche.id),
                        format!("{brought}"),
                        "less is never accepted in full, and more is not paid: change racks or tranche",
                    );
                }
                let by_gpu = tranche.price.unit == PriceUnit::GpuHour;
                debug_assert!(by_gpu || signed > 0, "a tranche has a quantity");
            }
        }
    }

    /// Racks under contract cannot be shed, so they have to fit under every limit of their
    /// site.
    fn doubt_power(&self, doubts: &mut Doubts) {
        for site in 0..self.sites.len() {
            self.doubt_power_at(site, doubts);
        }
    }

    fn doubt_power_at(&self, number: usize, doubts: &mut Doubts) {
        let site = &self.sites[number].site;
        let own = || self.conversions.iter().filter(|c| c.site == number);
        let mut days: Vec<Date> = own().filter(|c| !c.dropped).map(|c| c.ready).collect();
        days.sort_unstable();
        let there = |load: LoadIx, day: Date| {
            let comes = |c: &Conversion| !c.dropped && c.ready <= day;
            own().any(|c| c.racks.contains(&load) && comes(c))
        };
        let draw = |load: LoadIx| {
            let machines = site.loads[load].machines();
            let pue = site.pue_of(load, None);
            machines.map_or(Power::ZERO, |m| pue.at_meter(m.ceiling()))
        };
        let firm: Vec<LoadIx> = (0..site.loads.len())
            .filter(|load| self.is_contracted(number, *load))
            .collect();
        for day in days {
            let all: Power = firm
                .iter()
                .filter(|load| there(**load, day))
                .map(|load| draw(*load))
                .sum();
            let limit = site.interconnection.import_limit;
            let mut found =
                (all > limit).then(|| (format!("the interconnection's {limit}"), all));
            for (feeder, shape) in site.feeders.iter().enumerate() {
                let behind = |load: &&LoadIx| {
                    let own = site.loads[**load].feeder;
                    site.path(own).any(|above| above == feeder)
                };
                let drawn: Power = firm
                    .iter()
                    .filter(|load| there(**load, day))
                    .filter(behind)
                    .map(|load| draw(*load))
                    .sum();
                if drawn > shape.limit && found.is_none() {
                    found = Some((
                        format!("the {} of feeder {}", shape.limit, shape.name),
                        drawn,
                    ));
                }
            }
            if let Some((limit, drawn)) = found {
                let at = self.at(number);
                doubts.add(
                    "conversions".to_owned(),
                    &format!("racks under contract within {limit}{at}"),
                    format!("{drawn} at {day}, overhead included"),
                    "contracted racks cannot be shed: convert fewer, or raise the limit first",
                );
                return;
            }
        }
    }

    /// A covenant that is missed even when everything goes right.
    fn doubt_covenant(&self, doubts: &mut Doubts) {
        let Some(covenant) = self.covenant else { return };
        if covenant.from >= self.end() {
            doubts.add(
                "covenant.from".to_owned(),
                &format!("a month up to {}, the plan's last", self.end().previous()),
                covenant.from.to_string(),
                "test earlier, plan further, or leave the covenant out",
            );
            return;
        }
        let best = self.best_coverage();
        let from = usize::try_from(self.place(covenant.from)).unwrap_or(0);
        let least = best
            .iter()
            .enumerate()
            .filter_map(|(at, ratio)| Some((ratio.as_ref().copied()?, from + at)))
            .min();
        let Some((ratio, place)) = least else {
            if self.conversions.iter().any(|conversion| conversion.dropped) {
                // What was to be borrowed for is not bought, so nothing is tested.
                return;
            }
            doubts.add(
                "covenant".to_owned(),
                "debt that is served and still owed at the end of a month it is tested in",
                "none".to_owned(),
                "state loans, test earlier, or leave the covenant out",
            );
            return;
        };
        if ratio < covenant.ratio_min.as_ppm() {
            doubts.add(
                "covenant.ratio_min".to_owned(),
                &format!(
                    "{:.3} to be met when every offer is signed, everything is on time, nothing fails and power costs nothing",
                    covenant.ratio_min.as_ppm() as f64 / 1e6
                ),
                format!("{:.3} at best in {}", ratio as f64 / 1e6, self.period(place)),
                "borrow less, repay over longer, run racks for less, or test later: no future of this plan meets it",
            );
        }
    }
}
