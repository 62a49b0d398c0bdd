//! Peak charges: what to let the highest draw of each span be.
//!
//! A cap on the draw of a span costs what it keeps from being done, and each
//! further MW of it the charge. Both together are a convex function of the cap,
//! made of straight lines; the prices of the cap give its slope. From a line left
//! of the least and one right of it the next cap is where both meet; once it lies
//! on both, it is the best, and its prices are the mix of those of the two lines
//! that adds up to the charge. Where the charge is worth paying, the best is the highest
//! draw there is without a cap: a cap a little below it is looked at first, and its line
//! says so. Beyond a cap an interval may draw at the charge
//! itself: that is never better than a higher cap, so the best stays the same, and
//! no cap is too low to be looked at.
//!
//! Spans are looked at side by side, as if they were apart. Where stored energy
//! ties them together that misses the best; the bound tells, and the caps are then
//! sought together, by planes that the cost never falls below.

use super::Solver;
use super::answer::{Answer, Prices};
use super::certify;
use super::conflict::Conflict;
use super::horizon::{Cap, Horizon, Peak};
use super::simplex::Program;

/// A line that the cost of a cap never falls below, the prices that say so, and the plan
/// at the cap where that is kept.
#[derive(Clone, Debug)]
struct Line {
    cap: f64,
    cost: f64,
    slope: f64,
    prices: Prices,
    plan: Option<Answer>,
}

impl Line {
    fn at(&self, cap: f64) -> f64 {
        self.cost + self.slope * (cap - self.cap)
    }
}

/// What is known of one span.
#[derive(Clone, Debug)]
struct Search {
    peak: Peak,
    /// The cap to look at.
    cap: f64,
    left: Option<Line>,
    right: Option<Line>,
    /// Whether a cap was looked at that lies where the slope would be nothing, if it rose
    /// evenly.
    levelled: bool,
    /// Whether the last cap was where both lines meet.
    met: bool,
    found: bool,
    /// The prices of the best where they are not those of both lines, mixed.
    own: Option<Prices>,
}

/// The most rounds before the bound is left to say how good the plan is.
const ROUNDS: usize = 60;
const PLANES: usize = 200;

/// Solves `horizon` with its peak charges.
pub(super) fn solve(
    solver: &mut Solver,
    horizon: &Horizon,
    answer: &mut Answer,
) -> Result<(), Conflict> {
    let alone = horizon.grid.peaks.len() == 1;
    let mut searches: Vec<Search> =
        horizon.grid.peaks.iter().map(|peak| Search::begin(horizon, peak)).collect();
    solver.solve_at(horizon, &searches, answer)?;
    // What is held between spans is valued alike throughout: they part there.
    let stored = answer.prices.stored_usd_per_mwh.clone();
    let mut found = answer.found;
    let mut is_current = true;
    for _ in 0..ROUNDS {
        for search in searches.iter_mut().filter(|search| !search.found) {
            is_current &= !search.look(horizon, answer, &stored, alone);
        }
        if searches.iter().all(|search| search.found) {
            break;
        }
        solver.solve_at(horizon, &searches, answer)?;
        found.add(answer.found);
        is_current = true;
    }
    if !is_current {
        match searches[0].plan() {
            Some(plan) if alone => answer.clone_from(plan),
            Some(_) | None => {
                solver.solve_at(horizon, &searches, answer)?;
                found.add(answer.found);
            }
        }
    }
    answer.found = found;
    for search in &searches {
        search.mix(horizon, &mut answer.prices, alone);
    }
    certify::price_exchange(horizon, &mut answer.prices);
    if !alone && !is_proved(horizon, answer) {
        together(solver, horizon, &mut searches, answer)?;
    }
    certify::part_peaks(horizon, &mut answer.prices);
    Ok(())
}

/// Whether the bound is as good as the plan.
fn is_proved(horizon: &Horizon, answer: &mut Answer) -> bool {
    answer.price(horizon);
    let gap = answer.cost_usd - certify::bound(horizon, &answer.prices);
    gap <= 1e-8 * (1.0 + answer.cost_usd.abs())
}

/// Seeks the caps of all spans together. Each plan gives a plane that the cost of
/// any caps is never below; the next caps are where the highest of all planes is
/// lowest. Prices are those of the planes that meet there, mixed as they bear it.
fn together(
    solver: &mut Solver,
    horizon: &Horizon,
    searches: &mut [Search],
    answer: &mut Answer,
) -> Result<(), Conflict> {
    let mut planes: Vec<Prices> = Vec::new();
    let mut found = answer.found;
    let mut program = Program::default();
    program.clear(0.0);
    // Costs count from the first plan's, down to what nothing falls below.
    let zero = answer.cost_usd;
    let depth = zero - certify::bound(horizon, &answer.prices);
    let cost = program.column(1.0, -2.0 * depth - 1.0, f64::MAX);
    let caps: Vec<usize> = searches
        .iter()
        .map(|search| {
            // A charge elsewhere may move draw into this span.
            let Peak { from, to, already_mw, .. } = search.peak;
            let most =
                (from..to).map(|t| horizon.exchange_range(t).1).fold(0.0, f64::max);
            let least = already_mw.max(0.0);
            program.column(0.0, least, most.max(least))
        })
        .collect();
    for _ in 0..PLANES {
        solver.solve_at(horizon, searches, answer)?;
        found.add(answer.found);
        planes.push(answer.prices.clone());
        let value = soft_cost(horizon, answer, searches) - zero;
        let row = program.rows();
        let mut right = value;
        program.entry(cost, 1.0);
        for (search, column) in searches.iter().zip(&caps) {
            let Peak { from, to, usd_per_mw, .. } = search.peak;
            let paid: f64 = answer.prices.peak_usd_per_mwh[from..to].iter().sum();
            let slope = usd_per_mw.max(0.0) - paid * horizon.hours;
            program.entry(*column, -slope);
            right -= slope * search.cap;
        }
        let above = program.column(0.0, 0.0, f64::INFINITY);
        program.entry(above, -1.0);
        program.end_row(right, if row == 0 { cost } else { above });
        let solved = if row == 0 {
            program.start()
        } else {
            program.take_in_rows(row);
            true
        };
        if !solved || program.optimum().is_err() {
            break;
        }
        let lowest = program.value(cost);
        if value <= lowest + 1e-9 * (1.0 + zero.abs()) {
            break;
        }
        for (search, column) in searches.iter_mut().zip(&caps) {
            search.cap = snapped(program.value(*column));
        }
    }
    solver.solve_at(horizon, searches, answer)?;
    found.add(answer.found);
    answer.found = found;
    let shares: Vec<f64> = (0..planes.len()).map(|row| program.multiplier(row)).collect();
    answer.prices.mix(horizon, &planes, &shares);
    Ok(())
}

/// What a plan costs with every MW beyond a cap paid at the charge.
fn soft_cost(horizon: &Horizon, answer: &mut Answer, searches: &[Search]) -> f64 {
    let mut hourly = answer.hourly(horizon, 0..horizon.len());
    let mut charged = 0.0;
    for Search { peak, cap, .. } in searches {
        let charge = peak.usd_per_mw.max(0.0);
        for drawn in &answer.exchange_mw[peak.from..peak.to] {
            hourly += charge / horizon.hours * (drawn - cap).max(0.0);
        }
        charged += charge * (cap - peak.already_mw);
    }
    let held: f64 = (0..horizon.batteries.len())
        .map(|store| answer.worth_at_end(horizon, store))
        .sum();
    hourly * horizon.hours + charged - held
}

impl Solver {
    /// The optimum at the caps that the searches look at.
    fn solve_at(
        &mut self,
        horizon: &Horizon,
        searches: &[Search],
        answer: &mut Answer,
    ) -> Result<(), Conflict> {
        for search in searches {
            let Peak { from, to, usd_per_mw, .. } = search.peak;
            if usd_per_mw > 0.0 {
                let over = usd_per_mw / horizon.hours;
                self.caps[from..to].fill(Cap { mw: search.cap, over });
            }
        }
        self.solve_capped(horizon, answer)?;
        certify::price_limits(horizon, &self.caps, answer);
        Ok(())
    }
}

impl Search {
    /// Begins with the lowest cap there can be, or with none: where the charge is worth
    /// sparing altogether, or worth paying in full, one plan and its proof are enough.
    fn begin(horizon: &Horizon, peak: &Peak) -> Self {
        let is_worth_paying = peak.usd_per_mw < earned(horizon, peak) / 2.0;
        let cap = if is_worth_paying { f64::INFINITY } else { least(peak) };
        Self {
            peak: *peak,
            cap,
            left: None,
            right: None,
            levelled: false,
            met: false,
            found: false,
            own: None,
        }
    }

    /// Learns from the plan at the cap it looked at, and chooses the next. Says
    /// whether that is another.
    fn look(
        &mut self,
        horizon: &Horizon,
        answer: &Answer,
        stored: &[f64],
        alone: bool,
    ) -> bool {
        let Peak { from, to, usd_per_mw, .. } = self.peak;
        let looked = self.cap;
        if looked == f64::INFINITY {
            // Without a cap, the highest draw is right of the best.
            let drawn = &answer.exchange_mw[from..to];
            self.cap = drawn.iter().copied().fold(least(&self.peak), f64::max);
        }
        let cost = cost_of(horizon, answer, stored, &self.peak, self.cap, alone);
        let paid: f64 = answer.prices.peak_usd_per_mwh[from..to].iter().sum();
        let slope = usd_per_mw - paid * horizon.hours;
        // Nothing is below where both lines meet; elsewhere a plan may well lie on one.
        if let (true, Some(left), Some(right)) = (self.met, &self.left, &self.right) {
            let expected = left.at(self.cap).max(right.at(self.cap));
            if cost <= expected + 1e-9 * (1.0 + cost.abs().max(usd_per_mw * self.cap)) {
                self.found = true;
                return false;
            }
        }
        let is_least = is_same(self.cap, least(&self.peak));
        let prices = prices_of(horizon, answer, &self.peak, alone);
        if usd_per_mw <= 0.0
            || slope.abs() <= 1e-9 * usd_per_mw
            || (slope > 0.0 && is_least)
        {
            self.found = true;
            self.own = Some(prices);
            return false;
        }
        // A plan is of one search alone, or of all of them at once.
        let plan = alone.then(|| answer.clone());
        let line = Line { cap: self.cap, cost, slope, prices, plan };
        if slope < 0.0 {
            self.left = Some(line);
        } else {
            self.right = Some(line);
        }
        let (Some(left), Some(right)) = (&self.left, &self.right) else {
            self.cap = match &self.right {
                None => f64::INFINITY,
                Some(_) if looked.is_finite() => least(&self.peak),
                Some(right) => (right.cap - NEAR).max(least(&self.peak)),
            };
            return true;
        };
        let meet = (left.at(0.0) - right.at(0.0)) / (right.slope - left.slope);
        let meet = meet.clamp(left.cap, right.cap.max(left.cap));
        // Where both lines meet at the cap of one, nothing is below that.
        let best = [right.cap, left.cap].into_iter().find(|cap| is_same(*cap, meet));
        self.found = best.is_some();
        self.cap = snapped(match best {
            Some(cap) => cap,
            None if looked == f64::INFINITY => (right.cap - NEAR).max(meet),
            None if !self.levelled => {
                self.levelled = true;
                where_level(left, right)
            }
            None => {
                self.met = true;
                meet
            }
        });
        self.cap != looked
    }

    /// The plan at the cap that was found, where it is kept.
    fn plan(&self) -> Option<&Answer> {
        let lines = [&self.left, &self.right];
        let line = lines.into_iter().flatten().find(|line| line.cap == self.cap);
        line.and_then(|line| line.plan.as_ref())
    }

    /// Gives the span the prices that were found: those of the best itself, or the
    /// mix of both lines' that adds up to the charge.
    fn mix(&self, horizon: &Horizon, prices: &mut Prices, alone: bool) {
        let (from, to) = reach_of(horizon, &self.peak, alone);
        match (&self.own, &self.left) {
            (Some(own), _) => prices.mix_span(horizon, from, to, (own, 1.0), own),
            (None, Some(left)) => {
                let Some(right) = &self.right else { return };
                let share = right.slope / (right.slope - left.slope);
                let part = (&left.prices, share);
                prices.mix_span(horizon, from, to, part, &right.prices);
            }
            (None, None) => {}
        }
    }
}

/// A single span is looked at with all that lies before and after it.
fn reach_of(horizon: &Horizon, peak: &Peak, alone: bool) -> (usize, usize) {
    if alone { (0, horizon.len()) } else { (peak.from, peak.to) }
}

fn prices_of(horizon: &Horizon, answer: &Answer, peak: &Peak, alone: bool) -> Prices {
    let (from, to) = reach_of(horizon, peak, alone);
    answer.prices.of_span(horizon, from, to)
}

/// What a span costs at a cap, charge included. What is held when it begins and
/// ends is valued at prices that are the same for every cap.
fn cost_of(
    horizon: &Horizon,
    answer: &Answer,
    stored: &[f64],
    peak: &Peak,
    cap: f64,
    alone: bool,
) -> f64 {
    let stores = horizon.batteries.len();
    let over = peak.usd_per_mw.max(0.0) / horizon.hours;
    let (from, to) = reach_of(horizon, peak, alone);
    let mut hourly = answer.hourly(horizon, from..to);
    for drawn in &answer.exchange_mw[peak.from..peak.to] {
        hourly += over * (drawn - cap).max(0.0);
    }
    let mut total = hourly * horizon.hours + peak.usd_per_mw * cap;
    for (store, battery) in horizon.batteries.iter().enumerate() {
        let held = |t: usize| answer.stored_mwh[t * stores + store];
        let value = |t: usize| stored[t * stores + store];
        if alone {
            total -= answer.worth_at_end(horizon, store);
            continue;
        }
        total += match peak.from {
            0 => value(0) * battery.stored_mwh,
            t => value(t) * held(t - 1),
        };
        if peak.to < horizon.len() {
            total -= value(peak.to) * held(peak.to - 1);
        } else {
            total -= answer.worth_at_end(horizon, store);
        }
    }
    total
}

/// What a MW beyond the lowest cap would earn over the span, USD: about that, from some
/// of its intervals and without what stores and feeders do. The worthiest loads are
/// below the cap.
fn earned(horizon: &Horizon, peak: &Peak) -> f64 {
    let span = peak.to - peak.from;
    let step = span.div_ceil(SAMPLES).max(1);
    let widths: Vec<f64> =
        horizon.loads.iter().flat_map(|load| load.segments_mw.iter().copied()).collect();
    let mut segments: Vec<(f64, f64)> = Vec::with_capacity(widths.len());
    let mut sum = 0.0;
    for t in (peak.from..peak.to).step_by(step) {
        let worths = &horizon.worth_usd_per_mwh[t * widths.len()..];
        segments.clear();
        segments.extend(worths.iter().copied().zip(widths.iter().copied()));
        segments.sort_unstable_by(|a, b| b.0.total_cmp(&a.0));
        let mut left = least(peak) - horizon.grid.base_mw.at(t);
        let beyond = segments.iter().find(|(_, width)| {
            left -= width;
            left < 0.0
        });
        let price = horizon.grid.import_usd_per_mwh[t];
        sum += beyond.map_or(0.0, |(worth, _)| (worth - price).max(0.0));
    }
    sum * horizon.hours * span as f64 / span.div_ceil(step).max(1) as f64
}

/// The lowest cap there can be: so much was drawn already.
fn least(peak: &Peak) -> f64 {
    peak.already_mw.max(0.0)
}

/// The cap at which the slope would be nothing, if it rose evenly from one line to the
/// other. The line on the left is that of the lowest cap, far from the best, and counts
/// half.
fn where_level(left: &Line, right: &Line) -> f64 {
    let fall = -left.slope / 2.0;
    left.cap + (right.cap - left.cap) * fall / (fall + right.slope)
}

/// Whether two draws are the same but for rounding.
fn is_same(a: f64, b: f64) -> bool {
    (a - b).abs() <= SAME
}

/// A cap that is a whole number of kilowatts but for rounding: what has to be drawn is one
/// as a rule, and a cap a hair above it would leave open which of both stands in the way.
fn snapped(cap: f64) -> f64 {
    let whole = (cap * 1e3).round() / 1e3;
    if (cap - whole).abs() <= HAIR { whole } else { cap }
}

/// What rounding leaves of a cap, MW. Any wider, and caps that are none would be moved.
const HAIR: f64 = 2e-8;

/// Two draws this close are the same, MW.
const SAME: f64 = 1e-7;

/// From so many intervals at the most it is estimated what a cap costs.
const SAMPLES: usize = 96;

/// So far below the highest draw is near: a kilowatt, in MW.
const NEAR: f64 = 1e-3;
