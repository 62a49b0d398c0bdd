//! The answer of a backtest: what the site did, what it earned, and why.
//!
//! Built line by line while the run goes on; holds only what the summary and
//! the report show, so its size does not grow with the number of loads times
//! the number of intervals.

mod hours;

use std::collections::BTreeMap;

use engine::site::LoadKind;
use engine::{Dispatch, Freshness, Reason, Setpoint, Site, Source};
use settle::tariff::CoincidentPeakRule;
use units::{
    Energy, EnergyPrice, GpuSeconds, Hashes, Hashprice, Interval, Money, Power, Seconds,
    Share, Temperature, Timestamp,
};

use crate::drive::backtest::Line;
use crate::feed::{Basis, Feed};
use crate::hindsight::Hindsight;
use crate::ledger::{Row, Use};

pub use hours::Highlight;

/// How many buckets of time the stacked picture has at most.
const BUCKETS: i64 = 600;

/// The answer of a backtest.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The site.
    pub site: Site,
    /// What the run covers.
    pub range: Interval,
    /// How many intervals were decided.
    pub intervals: u64,
    /// What the policy came to.
    pub policy: Totals,
    /// What the same site came to always on.
    pub always_on: Totals,
    /// Time in which price held back a load that could be shed.
    pub curtailed: Seconds,
    /// Each load's part.
    pub loads: Vec<LoadTotals>,
    /// Each UTC month's part, by year and month.
    pub months: BTreeMap<(i16, i8), Month>,
    /// How the run was decided and settled: counts that a reader should know.
    pub basis: Footing,
    /// Every settlement price with how long it held, dearest first after
    /// [`Tally::finish`].
    pub prices: Vec<(EnergyPrice, Seconds)>,
    /// Megawatts by use and price over time.
    pub picture: Vec<Bucket>,
    /// The twenty hours in which deciding was worth most, best first.
    pub highlights: Vec<Highlight>,
    /// The coincident-peak charges of the tariff.
    pub peaks: Vec<PeakCharge>,
    /// What the reader of the history said about it, and what the run assumed.
    pub notes: Vec<String>,
    /// The run held against its optimum, or what is missing to compute that; `None`
    /// where nobody asked.
    pub hindsight: Option<Result<Hindsight, String>>,
}

/// Sums over a run. Costs are negative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Net energy at the interconnection.
    pub site: Energy,
    /// Energy at the meter by use, in the order of [`Use::ALL`].
    pub by_use: [Energy; 4],
    /// What mining earned where it could be computed.
    pub mining: Money,
    /// What GPU capacity under contract earned.
    pub contracted: Money,
    /// What GPU capacity sold by the hour earned.
    pub uncommitted: Money,
    /// Net energy at the settlement price.
    pub energy: Money,
    /// Adders on imported energy.
    pub adders: Money,
    /// Fixed-price blocks against the settlement price.
    pub blocks: Money,
    /// Wear of starts.
    pub wear: Money,
    /// Energy of intervals that lack a price: in no amount of money here.
    pub left_out: Energy,
    /// Whether the run has no bitcoin day to pay mining by.
    pub mining_unknown: bool,
}

impl Totals {
    /// What mining earned, where the run has bitcoin days to tell.
    pub fn mining(&self) -> Option<Money> {
        (!self.mining_unknown).then_some(self.mining)
    }

    /// Everything earned; `None` where mining pay is not known.
    pub fn revenue(&self) -> Option<Money> {
        Some(self.mining()? + self.contracted + self.uncommitted)
    }

    /// What power cost, with blocks and adders.
    pub fn power(&self) -> Money {
        self.energy + self.adders + self.blocks
    }

    /// Revenue less power and wear; `None` where revenue is.
    pub fn margin(&self) -> Option<Money> {
        Some(self.revenue()? + self.power() + self.wear)
    }

    fn add(&mut self, row: &Row) {
        self.site += row.site;
        for (sum, energy) in self.by_use.iter_mut().zip(row.by_use) {
            *sum += energy;
        }
        let Some(bill) = row.bill else {
            self.left_out += row.site;
            return;
        };
        self.energy += bill.energy;
        self.adders += bill.adders;
        self.blocks += bill.blocks;
        self.contracted += row.contracted;
        self.uncommitted += row.uncommitted;
        self.wear += row.wear;
        self.mining_unknown |= row.mining.is_none();
        self.mining += row.mining.unwrap_or_default();
    }
}

/// One load's part of a run.
#[derive(Clone, Debug)]
pub struct LoadTotals {
    /// What people call it.
    pub name: String,
    /// Its model; a battery has none.
    pub model: Option<String>,
    /// What it is used for.
    pub used_for: Use,
    /// Energy at the meter.
    pub energy: Energy,
    /// What its work earned where it could be computed.
    pub revenue: Money,
    /// Hashes the pool counted.
    pub hashes: Hashes,
    /// GPU time delivered.
    pub gpu: GpuSeconds,
    /// Machines started.
    pub starts: u64,
    /// The part of its machines' time in which they were asked to run.
    pub uptime: Option<Share>,
    /// What its MWh at the meter was worth in the mean: for rigs the breakeven at
    /// the mean hashprice and overhead, running at the last point of their curve.
    pub worth_mean: Option<EnergyPrice>,
    machine_seconds: i128,
    worth_sum: (i128, i128),
}

/// One month's part of a run.
#[derive(Clone, Copy, Debug, Default)]
pub struct Month {
    /// What the policy came to.
    pub policy: Totals,
    /// What always on came to.
    pub always_on: Totals,
}

/// What a run was decided and settled on, in intervals.
#[derive(Clone, Debug, Default)]
pub struct Footing {
    /// Decided on which source of price; `None` where none was known.
    pub decided_on: BTreeMap<Option<Source>, u64>,
    /// Decided on a price that was stale or expired.
    pub not_fresh: u64,
    /// Settled at which kind of price; `None` where there was none.
    pub settled_at: BTreeMap<Option<Basis>, u64>,
    /// Taken at the stated overhead because the temperature was missing.
    pub temperature_missing: u64,
    /// In a coincident-peak month with nothing to forecast the peak.
    pub peak_not_forecast: u64,
    /// On a day without a hashprice, while others of the run have one.
    pub no_hashprice: u64,
    /// In which an import limit left sheddable loads less than they were worth.
    pub limited: u64,
    /// In which a load under contract was cut by a limit.
    pub firm_shed: u64,
}

/// Megawatts by use over a stretch of time.
#[derive(Clone, Copy, Debug)]
pub struct Bucket {
    /// The stretch.
    pub during: Interval,
    /// Energy at the meter by use, in the order of [`Use::ALL`].
    pub by_use: [Energy; 4],
    /// The highest settlement price in it.
    pub price_max: Option<EnergyPrice>,
    price_sum: (i128, i128),
    /// How much of it was metered.
    pub metered: Seconds,
}

impl Bucket {
    /// The time-weighted mean settlement price.
    pub fn price_mean(&self) -> Option<EnergyPrice> {
        let (sum, seconds) = self.price_sum;
        (seconds > 0).then(|| EnergyPrice::from_micro_usd_per_mwh((sum / seconds) as i64))
    }

    /// Mean power of one use, as far as metered.
    pub fn power(&self, used_for: Use) -> Power {
        match self.metered {
            Seconds::ZERO => Power::ZERO,
            metered => self.by_use[used_for as usize].over(metered),
        }
    }
}

/// A coincident-peak charge over a run.
#[derive(Clone, Debug)]
pub struct PeakCharge {
    /// What the tariff calls it.
    pub name: String,
    /// Peaks published within the run and the rule's months.
    pub peaks: Vec<Interval>,
    /// The charge they came to; `None` where no peak is published.
    pub charge: Option<Money>,
    /// The same for the site always on.
    pub always_on: Option<Money>,
    /// What is missing, where the charge is not computed.
    pub missing: Option<String>,
    /// What the forecast expected the charge to come to, over what was drawn.
    pub expected: Money,
    /// The same for the site always on.
    pub expected_always_on: Money,
    /// The rule's place in the tariff.
    rule: usize,
    demands: BTreeMap<Timestamp, (Energy, Energy)>,
}

/// Builds an answer line by line.
pub struct Tally {
    answer: Answer,
    hours: hours::Hours,
    bucket_step: Seconds,
    sheddable: Vec<bool>,
    breakevens: Vec<Option<EnergyPrice>>,
    breakevens_at: Option<(Option<Hashprice>, Option<Temperature>)>,
}

impl Tally {
    /// An empty answer for a run of `site` over `range`.
    pub fn new(site: &Site, feed: &Feed, range: Interval, notes: Vec<String>) -> Self {
        let loads = site
            .loads
            .iter()
            .map(|load| LoadTotals {
                name: load.name.clone(),
                model: match &load.kind {
                    LoadKind::Rigs(rigs) => Some(rigs.model.clone()),
                    LoadKind::Racks(racks) => Some(racks.model.clone()),
                    LoadKind::Battery(_) => None,
                },
                used_for: Use::of(&load.kind),
                energy: Energy::ZERO,
                revenue: Money::ZERO,
                hashes: Hashes::ZERO,
                gpu: GpuSeconds::ZERO,
                starts: 0,
                uptime: None,
                worth_mean: None,
                machine_seconds: 0,
                worth_sum: (0, 0),
            })
            .collect();
        let peaks = site
            .tariff
            .coincident_peaks
            .iter()
            .enumerate()
            .filter(|(_, rule)| rule.months.iter().any(|month| month.overlaps(range)))
            .map(|(place, rule)| {
                let within = |peak: &&Interval| {
                    range.contains(peak.start) && rule.month_of(peak.start).is_some()
                };
                let peaks: Vec<Interval> =
                    feed.coincident_peaks.iter().filter(within).copied().collect();
                PeakCharge {
                    name: rule.name.clone(),
                    rule: place,
                    demands: peaks
                        .iter()
                        .map(|p| (p.start, Default::default()))
                        .collect(),
                    peaks,
                    charge: None,
                    always_on: None,
                    missing: None,
                    expected: Money::ZERO,
                    expected_always_on: Money::ZERO,
                }
            })
            .collect();
        let span = range.duration().as_seconds();
        let hours_each = ((span / 3_600 + BUCKETS - 1) / BUCKETS).max(1);
        Self {
            sheddable: site
                .loads
                .iter()
                .map(|load| matches!(Use::of(&load.kind), Use::Mining | Use::Uncommitted))
                .collect(),
            answer: Answer {
                site: site.clone(),
                range,
                intervals: 0,
                policy: Totals::default(),
                always_on: Totals::default(),
                curtailed: Seconds::ZERO,
                loads,
                months: BTreeMap::new(),
                basis: Footing::default(),
                prices: Vec::new(),
                picture: Vec::new(),
                highlights: Vec::new(),
                peaks,
                notes,
                hindsight: None,
            },
            hours: hours::Hours::default(),
            breakevens: vec![None; site.loads.len()],
            breakevens_at: None,
            bucket_step: Seconds::hours(hours_each),
        }
    }

    /// Takes in one line.
    pub fn add(&mut self, line: &Line<'_>) {
        let Line { dispatch, row, always_on } = *line;
        let during = dispatch.interval;
        let answer = &mut self.answer;
        answer.intervals += 1;
        answer.policy.add(row);
        let (year, month, _) = during.start.utc_date();
        let month = answer.months.entry((year, month)).or_default();
        month.policy.add(row);
        if let Some(other) = always_on {
            answer.always_on.add(other);
            month.always_on.add(other);
        }
        self.count_footing(dispatch, row);
        self.refresh_breakevens(dispatch);
        self.add_loads(dispatch, row);
        self.add_peaks(dispatch, row, always_on);
        self.add_picture(during, row);
        if let Some(other) = always_on {
            self.hours.add(dispatch, row, other);
        }
    }

    fn count_footing(&mut self, dispatch: &Dispatch, row: &Row) {
        let basis = &mut self.answer.basis;
        let price = dispatch.price;
        *basis.decided_on.entry(price.map(|used| used.known.source)).or_default() += 1;
        basis.not_fresh +=
            u64::from(price.is_none_or(|used| used.freshness != Freshness::Fresh));
        *basis.settled_at.entry(row.settlement.map(|s| s.basis)).or_default() += 1;
        let unpaid = row.settlement.is_some() && !row.computed;
        basis.no_hashprice += u64::from(unpaid);
        let needs = dispatch.outside.is_none() && self.answer.site.needs_temperature();
        basis.temperature_missing += u64::from(needs);
        basis.peak_not_forecast += u64::from(dispatch.peak_adder.is_none());
        let mut limited = false;
        let mut firm_shed = false;
        let mut curtailed = false;
        for (entry, sheddable) in dispatch.entries.iter().zip(&self.sheddable) {
            limited |= matches!(entry.reason, Reason::Limited { .. });
            firm_shed |= matches!(entry.reason, Reason::FirmShed { .. });
            let by_price = matches!(
                entry.reason,
                Reason::NotWorthIt { .. }
                    | Reason::KeptOff { .. }
                    | Reason::MinimumDown { .. }
            );
            curtailed |= *sheddable && by_price;
        }
        basis.limited += u64::from(limited);
        basis.firm_shed += u64::from(firm_shed);
        if curtailed {
            self.answer.curtailed += dispatch.interval.duration();
        }
    }

    fn add_loads(&mut self, dispatch: &Dispatch, row: &Row) {
        let seconds = i128::from(dispatch.interval.duration().as_seconds());
        for (load, total) in self.answer.loads.iter_mut().enumerate() {
            let part = &row.loads[load];
            total.energy += part.energy;
            total.hashes += part.hashes;
            total.gpu += part.gpu;
            total.starts += part.starts;
            total.revenue += part.revenue.unwrap_or_default();
            let entry = &dispatch.entries[load];
            if let (Setpoint::Level(level), Some(machines)) =
                (entry.setpoint, self.answer.site.loads[load].machines())
            {
                total.machine_seconds += i128::from(machines.running(level)) * seconds;
            }
            let worth = match &self.answer.site.loads[load].kind {
                LoadKind::Rigs(_) => self.breakevens[load],
                LoadKind::Racks(_) | LoadKind::Battery(_) => entry.worth,
            };
            if let Some(worth) = worth {
                let micro = i128::from(worth.as_micro_usd_per_mwh());
                total.worth_sum.0 += micro * seconds;
                total.worth_sum.1 += seconds;
            }
        }
    }

    /// What each rig load breaks even at, worked out again when hashprice or
    /// weather change.
    fn refresh_breakevens(&mut self, dispatch: &Dispatch) {
        let basis = (dispatch.hashprice.map(|known| known.value), dispatch.outside);
        if self.breakevens_at == Some(basis) {
            return;
        }
        self.breakevens_at = Some(basis);
        let site = &self.answer.site;
        for (load, breakeven) in self.breakevens.iter_mut().enumerate() {
            *breakeven = match (&site.loads[load].kind, basis.0) {
                (LoadKind::Rigs(rigs), Some(hashprice)) => {
                    rigs.efficiency().map(|efficiency| {
                        let earned = hashprice.earned_per_mwh(efficiency);
                        let pue = site.pue_of(load, basis.1);
                        pue.worth_at_meter(site.pool_fee.rest().of_price(earned))
                    })
                }
                (LoadKind::Rigs(_) | LoadKind::Racks(_) | LoadKind::Battery(_), _) => {
                    None
                }
            };
        }
    }

    fn add_peaks(&mut self, dispatch: &Dispatch, row: &Row, always_on: Option<&Row>) {
        let at = dispatch.interval.start;
        let rules = &self.answer.site.tariff.coincident_peaks;
        // One adder stands for every rule in season; each has its part by what a
        // MWh in one of its peaks would cost.
        let weight = |rule: &CoincidentPeakRule| match rule.month_of(at) {
            Some(_) => rule.expected_adder(Share::WHOLE).as_micro_usd_per_mwh(),
            None => 0,
        };
        let adder = dispatch.peak_adder.filter(|adder| !adder.is_zero());
        let whole: i64 = if adder.is_some() { rules.iter().map(weight).sum() } else { 0 };
        for peak in &mut self.answer.peaks {
            if let (Some(adder), 1..) = (adder, whole) {
                let ppm =
                    i128::from(weight(&rules[peak.rule])) * 1_000_000 / i128::from(whole);
                let adder = Share::from_ppm(ppm as i64).of_price(adder);
                peak.expected -= adder.of(row.site.max(Energy::ZERO));
                if let Some(other) = always_on {
                    peak.expected_always_on -= adder.of(other.site.max(Energy::ZERO));
                }
            }
            let covering = peak.peaks.iter().find(|p| p.contains(at));
            if let Some((ours, theirs)) =
                covering.and_then(|p| peak.demands.get_mut(&p.start))
            {
                *ours += row.site;
                *theirs += always_on.map_or(Energy::ZERO, |other| other.site);
            }
        }
    }

    fn add_picture(&mut self, during: Interval, row: &Row) {
        let price = row.settlement.map(|settlement| settlement.price);
        if let Some(price) = price {
            match self.answer.prices.last_mut() {
                Some((last, held)) if *last == price => *held += during.duration(),
                _ => self.answer.prices.push((price, during.duration())),
            }
        }
        let bucket = during.start.floor(self.bucket_step);
        let picture = &mut self.answer.picture;
        if picture.last().is_none_or(|last| last.during.start != bucket) {
            picture.push(Bucket {
                during: Interval::starting(bucket, self.bucket_step),
                by_use: [Energy::ZERO; 4],
                price_max: None,
                price_sum: (0, 0),
                metered: Seconds::ZERO,
            });
        }
        let Some(last) = picture.last_mut() else {
            return;
        };
        last.metered += during.duration();
        for (sum, energy) in last.by_use.iter_mut().zip(row.by_use) {
            *sum += energy;
        }
        if let Some(price) = price {
            let seconds = i128::from(during.duration().as_seconds());
            last.price_max = last.price_max.max(Some(price));
            last.price_sum.0 += i128::from(price.as_micro_usd_per_mwh()) * seconds;
            last.price_sum.1 += seconds;
        }
    }

    /// The answer, complete.
    pub fn finish(mut self) -> Answer {
        let mut answer = self.answer;
        answer.highlights = self.hours.finish(&answer.site);
        answer.prices.sort_by(|a, b| b.cmp(a));
        let run = i128::from(answer.range.duration().as_seconds());
        for (total, load) in answer.loads.iter_mut().zip(&answer.site.loads) {
            total.uptime = load.machines().filter(|_| run > 0).map(|machines| {
                let whole = i128::from(machines.count) * run;
                Share::from_ppm((total.machine_seconds * 1_000_000 / whole.max(1)) as i64)
            });
            let (sum, seconds) = total.worth_sum;
            total.worth_mean = (seconds > 0)
                .then(|| EnergyPrice::from_micro_usd_per_mwh((sum / seconds) as i64));
        }
        for peak in &mut answer.peaks {
            let rule = &answer.site.tariff.coincident_peaks[peak.rule];
            if peak.peaks.is_empty() {
                peak.missing = Some(
                    "the system's published peak intervals are missing from the history"
                        .to_owned(),
                );
                continue;
            }
            let mean = |energy: Energy| energy.max(Energy::ZERO).over(rule.interval);
            let (ours, theirs): (Vec<Power>, Vec<Power>) = peak
                .demands
                .values()
                .map(|(ours, theirs)| (mean(*ours), mean(*theirs)))
                .unzip();
            peak.charge = Some(rule.charge(&ours));
            peak.always_on = Some(rule.charge(&theirs));
        }
        answer
    }
}
