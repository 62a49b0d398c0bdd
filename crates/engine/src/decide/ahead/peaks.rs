//! Peak charges: what to let the highest draw of each span be.
//!
//! A cap on the draw of a span costs what it keeps from being done, and each
//! further MW of it the charge. Both together are a convex function of the cap,
//! made of straight lines; the prices of the cap give its slope. From a line left
//! of the least and one right of it the next cap is where both meet; once it lies
//! on both, it is the best, and its prices are the mix of those of the two lines
//! that adds up to the charge. Beyond a cap an interval may draw at the charge
//! itself: that is never better than a higher cap, so the best stays the same, and
//! no cap is too low to be looked at. Spans are looked at side by side.

use super::Solver;
use super::answer::{Answer, Prices};
use super::certify;
use super::conflict::Conflict;
use super::horizon::{Cap, Horizon, Peak};

/// A line that the cost of a cap never falls below, and the prices that say so.
#[derive(Clone, Debug)]
struct Line {
    cap: f64,
    cost: f64,
    slope: f64,
    prices: Prices,
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
    right: Line,
    found: bool,
    /// Whether the prices of the best are those of both lines.
    mixed: bool,
}

/// The most rounds before the bound is left to say how good the plan is.
const ROUNDS: usize = 60;

/// Solves `horizon` with its peak charges.
pub(super) fn solve(
    solver: &mut Solver,
    horizon: &Horizon,
    answer: &mut Answer,
) -> Result<(), Conflict> {
    solver.solve_capped(horizon, answer)?;
    certify::price_limits(horizon, &solver.caps, answer);
    // What is held between spans is valued alike throughout: they part there.
    let stored = answer.prices.stored_usd_per_mwh.clone();
    let begin = |peak: &Peak| Search::begin(horizon, answer, &stored, *peak);
    let mut searches: Vec<Search> = horizon.grid.peaks.iter().map(begin).collect();
    let mut found = answer.found;
    for _ in 0..ROUNDS {
        if searches.iter().all(|search| search.found) {
            break;
        }
        solver.solve_at(horizon, &searches, answer)?;
        found.add(answer.found);
        for search in searches.iter_mut().filter(|search| !search.found) {
            search.look(horizon, answer, &stored);
        }
    }
    solver.solve_at(horizon, &searches, answer)?;
    found.add(answer.found);
    answer.found = found;
    for search in &searches {
        search.mix(horizon, &mut answer.prices);
    }
    Ok(())
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
    /// The highest draw without a charge is right of the best.
    fn begin(horizon: &Horizon, answer: &Answer, stored: &[f64], peak: Peak) -> Self {
        let least = peak.already_mw.max(0.0);
        let drawn = &answer.exchange_mw[peak.from..peak.to];
        let cap = drawn.iter().copied().fold(least, f64::max);
        let found = cap <= least + SAME || peak.usd_per_mw <= 0.0;
        let mut right = Line {
            cap,
            cost: 0.0,
            slope: peak.usd_per_mw,
            prices: answer.prices.of_span(horizon, peak.from, peak.to),
        };
        right.cost = cost_of(horizon, answer, stored, &peak, cap);
        let cap = if found { cap } else { least };
        Self { peak, cap, left: None, right, found, mixed: false }
    }

    /// Learns from the plan at the cap it looked at, and chooses the next.
    fn look(&mut self, horizon: &Horizon, answer: &Answer, stored: &[f64]) {
        let Peak { from, to, usd_per_mw, .. } = self.peak;
        let cost = cost_of(horizon, answer, stored, &self.peak, self.cap);
        let paid: f64 = answer.prices.peak_usd_per_mwh[from..to].iter().sum();
        let slope = usd_per_mw - paid * horizon.hours;
        let touches = self.left.as_ref().is_some_and(|left| {
            let expected = left.at(self.cap).max(self.right.at(self.cap));
            cost <= expected + 1e-9 * (1.0 + cost.abs().max(usd_per_mw * self.cap))
        });
        if touches {
            (self.found, self.mixed) = (true, true);
            return;
        }
        if slope.abs() <= 1e-9 * usd_per_mw || (slope > 0.0 && self.left.is_none()) {
            self.found = true;
            return;
        }
        let prices = answer.prices.of_span(horizon, from, to);
        let line = Line { cap: self.cap, cost, slope, prices };
        if slope < 0.0 {
            self.left = Some(line);
        } else {
            self.right = line;
        }
        let (Some(left), right) = (&self.left, &self.right) else { return };
        let meet = (left.at(0.0) - right.at(0.0)) / (right.slope - left.slope);
        self.cap = meet.clamp(left.cap, right.cap);
        if right.cap - left.cap <= SAME {
            (self.found, self.mixed) = (true, true);
        }
    }

    /// Gives the span the mix of both lines' prices that adds up to the charge.
    fn mix(&self, horizon: &Horizon, prices: &mut Prices) {
        let (Some(left), true) = (&self.left, self.mixed) else { return };
        let share = self.right.slope / (self.right.slope - left.slope);
        let Peak { from, to, .. } = self.peak;
        prices.mix_span(horizon, from, to, (&left.prices, share), &self.right.prices);
    }
}

/// What a span costs at a cap, charge included. What is held when it begins and
/// ends is valued at prices that are the same for every cap.
fn cost_of(
    horizon: &Horizon,
    answer: &Answer,
    stored: &[f64],
    peak: &Peak,
    cap: f64,
) -> f64 {
    let stores = horizon.batteries.len();
    let over = peak.usd_per_mw.max(0.0) / horizon.hours;
    let mut hourly = 0.0;
    for t in peak.from..peak.to {
        hourly += answer.hourly(horizon, t);
        hourly += over * (answer.exchange_mw[t] - cap).max(0.0);
    }
    let mut total = hourly * horizon.hours + peak.usd_per_mw * cap;
    for (store, battery) in horizon.batteries.iter().enumerate() {
        let held = |t: usize| answer.stored_mwh[t * stores + store];
        let value = |t: usize| stored[t * stores + store];
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

/// Two draws this close are the same, MW.
const SAME: f64 = 1e-7;
