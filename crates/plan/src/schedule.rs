//! What to convert and when: the same conversions begun in other months or not at all,
//! lived over the same futures, and of those which are not beaten in both mean and worst.
//!
//! What may not be is not valued: every schedule has to pass [`Plan::doubts`] (room under
//! the connection and feeders, tranches served whole, a covenant that can be met), keeps
//! each conversion's own lead time, and stays within the plan's [`Bounds`].
//!
//! Futures are halved: schedules are chosen over one half and valued over the other,
//! because the best of many looks better than it is where it was chosen.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

use settle::calendar::Period;
use units::{Money, Share};

use crate::cash::{Line, Month};
use crate::doubt::Doubt;
use crate::terms::{Bounds, Plan};
use crate::value;
use crate::waiting::{self, Waiting};

#[cfg(test)]
mod tests;

/// When a conversion begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Start {
    /// In a month, on the day of the month that is stated.
    At(Period),
    /// Not at all.
    Never,
}

impl fmt::Display for Start {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(month) => f.pad(&month.to_string()),
            Self::Never => f.pad("never"),
        }
    }
}

/// When each of a plan's conversions begins, in their order.
pub type Schedule = Vec<Start>;

/// What is looked at of one future of one schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glimpse {
    /// Present value of all cash.
    pub npv: Money,
    /// Cash by month.
    pub net: Vec<Money>,
    /// The most that is owed to lenders at the end of a month.
    pub debt_peak: Money,
    /// The least coverage of the months tested, in millionths.
    pub coverage_least: Option<i64>,
}

/// Runs a plan over futures.
pub type Run<'a> = dyn FnMut(&Plan, Range<u64>) -> Option<Vec<Glimpse>> + 'a;

/// Futures to try schedules over, and who runs them.
pub struct Trials<'a> {
    /// What futures grow from.
    pub seed: u64,
    /// Those that schedules are chosen by.
    pub choosing: Range<u64>,
    /// Others, over which the chosen are valued.
    pub valuing: Range<u64>,
    /// Glimpses of futures in their order; nothing once a person stopped it.
    pub run: &'a mut Run<'a>,
}

/// What a schedule is worth over some futures, in USD.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Worth {
    /// The mean of its present value.
    pub mean: f64,
    /// The standard error of that.
    pub error: f64,
    /// The mean of the worst twentieth of futures.
    pub worst: f64,
    /// The mean of what it is worth over staying.
    pub over_staying: f64,
    /// The most that is owed to lenders in any future.
    pub debt_peak: f64,
    /// What owners put in beyond staying, in the future that nineteen of twenty are
    /// below.
    pub owners: f64,
    /// The share of futures below the covenant.
    pub breach: Option<f64>,
}

/// A schedule, and what it came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Tried {
    /// When what begins.
    pub schedule: Schedule,
    /// Over the futures that it was chosen by.
    pub chosen: Worth,
    /// Over the others.
    pub valued: Worth,
}

/// How schedules were looked through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// Every one of them.
    All,
    /// From the stated one on, one hall or tranche moved at a time while that helps:
    /// for the mean, for the worst twentieth, and for both alike.
    Moves {
        /// Whether it went on until no move helped; else the limit was met.
        settled: bool,
    },
}

/// Why schedules cannot be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// How many cannot be for it.
    pub count: usize,
    /// One of them.
    pub example: Schedule,
    /// What is wrong with that one.
    pub doubt: Doubt,
}

/// What a search found.
#[derive(Clone, Debug, PartialEq)]
pub struct Search {
    /// The beginnings of each conversion that were looked at, the stated one first.
    pub options: Vec<Vec<Start>>,
    /// How many schedules they make.
    pub space: u128,
    /// How they were looked through.
    pub how: How,
    /// How many were valued.
    pub looked_at: usize,
    /// How many cannot be.
    pub refused: usize,
    /// Why not: by what the first doubt of each expects, how many, and one of them; the
    /// most first.
    pub reasons: Vec<Reason>,
    /// How many of those valued are out of bounds.
    pub beyond: usize,
    /// Whether a person stopped it.
    pub stopped: bool,
    /// The schedule as stated, unless it was stopped before.
    pub stated: Option<Tried>,
    /// What no other that was looked at beats in both mean and worst twentieth, the
    /// largest mean first, by the futures that chose it.
    pub frontier: Vec<Tried>,
    /// What waiting is worth for each conversion that can wait; nothing where fewer than
    /// [`waiting::FUTURES_MIN`] futures choose.
    pub waiting: Vec<Waiting>,
}

/// Why a search goes no further.
enum End {
    Limit,
    Stopped,
}

impl Worth {
    fn of(glimpses: &[Glimpse], stays: &[Glimpse], ratio_min: Option<Share>) -> Self {
        let usd = |money: Money| money.as_micro_usd() as f64 / 1e6;
        let count = glimpses.len() as f64;
        let mean = |of: &dyn Fn(&(&Glimpse, &Glimpse)) -> f64| {
            glimpses.iter().zip(stays).map(|pair| of(&pair)).sum::<f64>() / count
        };
        let npv = mean(&|(one, _)| usd(one.npv));
        let squares = mean(&|(one, _)| (usd(one.npv) - npv) * (usd(one.npv) - npv));
        let owners: Vec<f64> =
            glimpses.iter().zip(stays).map(|(one, stay)| put_in(one, stay)).collect();
        Self {
            mean: npv,
            error: (squares / (count - 1.0).max(1.0)).sqrt(),
            worst: worst(&glimpses.iter().map(|one| usd(one.npv)).collect::<Vec<_>>()),
            over_staying: mean(&|(one, stay)| usd(one.npv - stay.npv)),
            debt_peak: usd(glimpses
                .iter()
                .map(|one| one.debt_peak)
                .max()
                .unwrap_or(Money::ZERO)),
            owners: value::quantile(&owners, 0.95).unwrap_or(0.0),
            breach: ratio_min.map(|least| {
                let below = |one: &&Glimpse| {
                    one.coverage_least.is_some_and(|ratio| ratio < least.as_ppm())
                };
                glimpses.iter().filter(below).count() as f64 / count
            }),
        }
    }

    fn is_within(&self, bounds: &Bounds) -> bool {
        let owners = bounds.owners_max.map(|most| most.as_micro_usd() as f64 / 1e6);
        let breach = bounds.breach_max.map(|most| most.as_ppm() as f64 / 1e6);
        owners.is_none_or(|most| self.owners <= most)
            && breach.is_none_or(|most| self.breach.is_none_or(|share| share <= most))
    }
}

/// The most that owners put in beyond staying before it comes back.
fn put_in(one: &Glimpse, stay: &Glimpse) -> f64 {
    let (mut sum, mut least) = (Money::ZERO, Money::ZERO);
    for (net, stay) in one.net.iter().zip(&stay.net) {
        sum += *net - *stay;
        least = least.min(sum);
    }
    -(least.as_micro_usd() as f64) / 1e6
}

/// The mean of the worst twentieth of values, of one at the least.
fn worst(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let tail = &sorted[..sorted.len().div_ceil(20)];
    tail.iter().sum::<f64>() / tail.len() as f64
}

impl Plan {
    /// One future of the plan, for what a search asks of it.
    pub fn glimpse(&self, seed: u64, number: u64) -> Glimpse {
        let lived = self.live(seed, number);
        let net: Vec<Money> = lived.months.iter().map(Month::net).collect();
        let rate = value::monthly_rate(self.rules.discount);
        let (mut debt, mut debt_peak) = (Money::ZERO, Money::ZERO);
        for month in &lived.months {
            debt += month.of(Line::Drawn) + month.of(Line::Repaid);
            debt_peak = debt_peak.max(debt);
        }
        let micro = (value::npv(rate, &net) * 1e6).round() as i64;
        Glimpse {
            npv: Money::from_micro_usd(micro),
            net,
            debt_peak,
            coverage_least: lived.coverage.iter().flatten().min().copied(),
        }
    }

    /// The schedule in the file.
    pub fn stated(&self) -> Schedule {
        let start =
            |dropped: bool, month| if dropped { Start::Never } else { Start::At(month) };
        self.conversions
            .iter()
            .map(|one| start(one.dropped, one.begins.period()))
            .collect()
    }

    /// The beginnings that are looked at for each conversion, the stated one first.
    ///
    /// What had begun before the plan stays as it is. The others begin any number of
    /// [`Bounds::every_months`] earlier or later, from the plan's first month on and as
    /// long as they are ready within it; and not at all, unless a tenant has signed.
    pub fn options(&self) -> Vec<Vec<Start>> {
        let every = i32::try_from(self.bounds.every_months.max(1)).unwrap_or(i32::MAX);
        let within = i32::try_from(self.months).expect("months of a plan fit");
        let mut options = Vec::new();
        for (one, stated) in self.conversions.iter().zip(self.stated()) {
            let mut of = vec![stated];
            if !self.has_begun(one) {
                let month = one.begins.period();
                let place = month.months_since(self.first);
                let others =
                    (0..within).filter(|to| *to != place && (to - place) % every == 0);
                for to in others {
                    let start = Start::At(self.first.plus(to));
                    let begun = self.begun(one, start);
                    // Machines would have to be paid before anything is decided.
                    let too_soon =
                        self.is_paid_before(&begun) && !self.is_paid_before(one);
                    if begun.ready < self.end().first_day() && !too_soon {
                        of.push(start);
                    }
                }
                let signed = one
                    .serves
                    .is_some_and(|serves| self.deals[serves.deal].signed == Share::WHOLE);
                if !signed && stated != Start::Never {
                    of.push(Start::Never);
                }
            }
            options.push(of);
        }
        options
    }

    fn begun(&self, one: &crate::Conversion, start: Start) -> crate::Conversion {
        let mut one = one.clone();
        match start {
            Start::Never => one.dropped = true,
            Start::At(month) => {
                let lead_days = one.ready.days_since(one.begins);
                let moved = month.months_since(one.begins.period());
                one.begins = one.begins.plus_months(i64::from(moved));
                one.ready = one.begins.plus_days(lead_days);
                one.dropped = false;
            }
        }
        one
    }

    /// The plan with its conversions begun as a schedule says: each keeps its lead time,
    /// and everything else stands as stated.
    pub fn scheduled(&self, schedule: &[Start]) -> Self {
        let mut plan = self.clone();
        for (one, start) in plan.conversions.iter_mut().zip(schedule) {
            *one = self.begun(one, *start);
        }
        plan
    }

    /// The plan with nothing converted and nothing borrowed.
    pub fn staying(&self) -> Self {
        let mut plan = self.scheduled(&vec![Start::Never; self.conversions.len()]);
        plan.loans.clear();
        plan.covenant = None;
        plan
    }

    /// Looks through schedules: all of them where they are no more than `limit`, else by
    /// moves from the stated one, valuing no more than `limit`.
    pub fn search(&self, limit: usize, trials: Trials<'_>) -> Search {
        let options = self.options();
        let space = options
            .iter()
            .fold(1_u128, |product, of| product.saturating_mul(of.len() as u128));
        let all = space <= limit as u128;
        let mut bench = Bench {
            plan: self,
            options: &options,
            trials,
            limit,
            stays: BTreeMap::new(),
            seen: BTreeMap::new(),
            refused: BTreeMap::new(),
        };
        let ended = if all { bench.all() } else { bench.moves() };
        let how = if all { How::All } else { How::Moves { settled: ended.is_ok() } };
        let mut stopped = matches!(ended, Err(End::Stopped));
        let chosen = bench.frontier();
        let (looked_at, refused) = (bench.seen.len(), bench.refused.len());
        let beyond = bench
            .seen
            .values()
            .filter(|(worth, _)| !worth.is_within(&self.bounds))
            .count();
        let mut tried = |schedule: &Schedule| -> Option<Tried> {
            let chosen = bench.seen.get(schedule)?.0;
            let range = bench.trials.valuing.clone();
            let (valued, _) = bench.run(schedule, range)?;
            Some(Tried { schedule: schedule.clone(), chosen, valued })
        };
        let stated = tried(&self.stated());
        let frontier: Vec<Tried> = chosen.iter().map_while(&mut tried).collect();
        stopped |= frontier.len() < chosen.len();
        let mut waiting = Vec::new();
        let choosing = bench.trials.choosing.clone();
        let few = choosing.end - choosing.start < waiting::FUTURES_MIN;
        for (place, of) in options.iter().enumerate() {
            if few || stopped || of.len() < 2 {
                continue;
            }
            match bench.waits(place) {
                Ok(found) => waiting.extend(found),
                Err(_) => stopped = true,
            }
        }
        Search {
            space,
            how,
            looked_at,
            refused,
            reasons: reasons(&bench.refused),
            beyond,
            stopped,
            stated,
            frontier,
            waiting,
            options,
        }
    }
}

/// Why schedules cannot be, alike ones together.
fn reasons(refused: &BTreeMap<Schedule, Doubt>) -> Vec<Reason> {
    let mut alike: BTreeMap<&str, Reason> = BTreeMap::new();
    for (schedule, doubt) in refused {
        let new = || Reason { count: 0, example: schedule.clone(), doubt: doubt.clone() };
        alike.entry(doubt.expected.as_str()).or_insert_with(new).count += 1;
    }
    let mut reasons: Vec<Reason> = alike.into_values().collect();
    reasons.sort_by_key(|reason| std::cmp::Reverse(reason.count));
    reasons
}

/// What was tried so far.
struct Bench<'a, 'b> {
    plan: &'a Plan,
    options: &'a [Vec<Start>],
    trials: Trials<'b>,
    limit: usize,
    /// By the first of the futures.
    stays: BTreeMap<u64, Vec<Glimpse>>,
    /// By schedule, over the futures that choose: what it is worth, and each value.
    seen: BTreeMap<Schedule, (Worth, Vec<f64>)>,
    refused: BTreeMap<Schedule, Doubt>,
}

impl Bench<'_, '_> {
    fn run(
        &mut self,
        schedule: &[Start],
        range: Range<u64>,
    ) -> Option<(Worth, Vec<f64>)> {
        if !self.stays.contains_key(&range.start) {
            let stays = (self.trials.run)(&self.plan.staying(), range.clone())?;
            self.stays.insert(range.start, stays);
        }
        let plan = self.plan.scheduled(schedule);
        let glimpses = (self.trials.run)(&plan, range.clone())?;
        let ratio_min = plan.covenant.map(|covenant| covenant.ratio_min);
        let worth = Worth::of(&glimpses, &self.stays[&range.start], ratio_min);
        let values = glimpses.iter().map(|one| one.npv.as_micro_usd() as f64 / 1e6);
        Some((worth, values.collect()))
    }

    fn is_refused(&mut self, schedule: &Schedule) -> bool {
        if self.refused.contains_key(schedule) {
            return true;
        }
        let doubt = self.plan.scheduled(schedule).doubts().into_iter().next();
        let refused = doubt.is_some();
        self.refused.extend(doubt.map(|doubt| (schedule.clone(), doubt)));
        refused
    }

    /// What a schedule is worth over the futures that choose; nothing of one that cannot
    /// be.
    fn look(&mut self, schedule: &Schedule) -> Result<Option<Worth>, End> {
        if let Some((worth, _)) = self.seen.get(schedule) {
            return Ok(Some(*worth));
        }
        if self.is_refused(schedule) {
            return Ok(None);
        }
        if self.seen.len() >= self.limit {
            return Err(End::Limit);
        }
        let range = self.trials.choosing.clone();
        let found = self.run(schedule, range).ok_or(End::Stopped)?;
        let worth = found.0;
        self.seen.insert(schedule.clone(), found);
        Ok(Some(worth))
    }

    fn all(&mut self) -> Result<(), End> {
        let mut at = vec![0; self.options.len()];
        loop {
            let schedule = at.iter().zip(self.options).map(|(at, of)| of[*at]).collect();
            self.look(&schedule)?;
            let Some(next) =
                (0..at.len()).find(|hall| at[*hall] + 1 < self.options[*hall].len())
            else {
                return Ok(());
            };
            at[..next].fill(0);
            at[next] += 1;
        }
    }

    fn moves(&mut self) -> Result<(), End> {
        let aims: [fn(&Worth) -> f64; 3] =
            [|worth| worth.mean, |worth| worth.worst, |worth| worth.mean + worth.worst];
        for aim in aims {
            let bounds = self.plan.bounds;
            let score = |worth: Option<Worth>| {
                worth.filter(|worth| worth.is_within(&bounds)).map(|worth| aim(&worth))
            };
            let mut current = self.plan.stated();
            let mut best = score(self.look(&current)?);
            loop {
                let before = current.clone();
                for hall in 0..self.options.len() {
                    for start in &self.options[hall] {
                        let other = self.moved(&current, hall, *start);
                        let found = score(self.look(&other)?);
                        // Nothing is below every number.
                        if found > best {
                            (current, best) = (other, found);
                        }
                    }
                }
                if current == before {
                    break;
                }
            }
        }
        Ok(())
    }

    /// A schedule with one conversion begun otherwise. Those that serve one tranche are
    /// dropped together, and taken up again together.
    fn moved(&self, from: &Schedule, hall: usize, start: Start) -> Schedule {
        let mut schedule = from.clone();
        let serves = self.plan.conversions[hall].serves;
        for (other, one) in self.plan.conversions.iter().enumerate() {
            if serves.is_none() || one.serves != serves {
                continue;
            }
            if start == Start::Never {
                schedule[other] = Start::Never;
            } else if schedule[other] == Start::Never {
                schedule[other] = self.options[other][0];
            }
        }
        schedule[hall] = start;
        schedule
    }

    /// What is within bounds and not beaten in both mean and worst.
    fn frontier(&self) -> Vec<Schedule> {
        let mut within: Vec<(&Schedule, &Worth)> = self
            .seen
            .iter()
            .map(|(schedule, (worth, _))| (schedule, worth))
            .filter(|(_, worth)| worth.is_within(&self.plan.bounds))
            .collect();
        within.sort_by(|(_, a), (_, b)| {
            b.mean.total_cmp(&a.mean).then(b.worst.total_cmp(&a.worst))
        });
        let mut best = f64::NEG_INFINITY;
        let mut frontier = Vec::new();
        for (schedule, worth) in within {
            if worth.worst > best {
                best = worth.worst;
                frontier.push(schedule.clone());
            }
        }
        frontier
    }

    /// What it is worth to decide when to begin one conversion as its time comes, the
    /// others as stated; nothing where there is nothing to choose.
    fn waits(&mut self, hall: usize) -> Result<Option<Waiting>, End> {
        let mut starts = self.options[hall].clone();
        // By month, and not at all last.
        starts.sort_unstable();
        let stated = self.plan.stated();
        let (mut choices, mut chosen, mut valued) = (Vec::new(), Vec::new(), Vec::new());
        for start in starts {
            let schedule = self.moved(&stated, hall, start);
            if self.is_refused(&schedule) {
                continue;
            }
            let choosing = match self.seen.get(&schedule) {
                Some((_, values)) => values.clone(),
                None => {
                    let range = self.trials.choosing.clone();
                    self.run(&schedule, range).ok_or(End::Stopped)?.1
                }
            };
            let range = self.trials.valuing.clone();
            chosen.push(choosing);
            valued.push(self.run(&schedule, range).ok_or(End::Stopped)?.1);
            choices.push(start);
        }
        if choices.len() < 2 {
            return Ok(None);
        }
        let seed = self.trials.seed;
        let known = |range: Range<u64>| {
            let of: Vec<_> = range.map(|path| self.plan.known(seed, path)).collect();
            let at = |start: &Start| match start {
                Start::At(month) => {
                    let place = usize::try_from(self.plan.place(*month)).unwrap_or(0);
                    of.iter().map(|months| months[place].figures()).collect()
                }
                Start::Never => Vec::new(),
            };
            choices.iter().map(at).collect::<Vec<Vec<[f64; 2]>>>()
        };
        let (knew, know) =
            (known(self.trials.choosing.clone()), known(self.trials.valuing.clone()));
        Ok(Some(waiting::of(hall, &choices, (&chosen, &knew), (&valued, &know))))
    }
}
