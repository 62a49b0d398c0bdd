//! A few intervals with all their limits, as a linear program.
//!
//! Within the window every limit is a row or a bound; what lies before and after
//! is there as what it costs to arrive at a stored energy and to go on from one.
//! Of a stretch between two intervals of a window, in which no ramp binds, the
//! program knows what energy can be gained in it at what cost, and no more.
//! Ramps and feeders become rows when a solution breaks them: few ever bind. The
//! first basis is read off the plan without ramps, so few steps are needed.

mod basis;
mod broken;

use std::collections::BTreeMap;

use super::answer::{Answer, RampPrice};
use super::conflict::{Bound, Conflict};
use super::horizon::{Cap, End, Horizon, Ramp};
use super::simplex::{Failure, Program, ROUNDS};
use super::stored::{Piece, Span};

/// What lies outside a window for one store.
#[derive(Clone, Copy, Debug)]
pub(super) enum Outside<'a> {
    /// So much is held.
    Held(f64),
    /// A convex function of what is held.
    Costs(&'a [Piece], Span),
    /// The end of the horizon.
    End,
}

/// What a window goes through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    /// An interval, with all its limits.
    Interval(usize),
    /// Intervals from the first up to the last, excluded: energy gained alone.
    Stretch(usize, usize),
}

impl Step {
    /// The first interval.
    pub(super) fn from(self) -> usize {
        match self {
            Self::Interval(t) | Self::Stretch(t, _) => t,
        }
    }

    /// One past the last interval.
    pub(super) fn to(self) -> usize {
        match self {
            Self::Interval(t) => t + 1,
            Self::Stretch(_, to) => to,
        }
    }
}

/// What energy can be gained in a stretch.
#[derive(Clone, Debug, Default)]
pub(super) struct Gains {
    /// At the least, MWh.
    pub(super) least: f64,
    /// Beyond that, the cheapest first.
    pub(super) pieces: Vec<Piece>,
}

/// What a row stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Row {
    /// What a step draws is what it is supplied with.
    Balance(usize),
    /// What a store holds after a step.
    Stored(usize, usize),
    /// What a store holds at the end is what it is worth.
    Worth(usize),
    /// A feeder in a step.
    Feeder(usize, usize),
    /// A ramp into a step, of a load or of the exchange.
    Ramp(usize, Option<usize>),
}

/// A window under construction and solved.
#[derive(Clone, Debug, Default)]
pub(super) struct Window {
    program: Program,
    rows: Vec<Row>,
    steps: Vec<Step>,
    parts: Vec<(f64, f64)>,
    /// Where the columns of each step begin.
    columns: Vec<Columns>,
    /// Columns of what was held before the first interval, one list a store.
    before: Vec<Vec<usize>>,
    /// Columns of what is held after the last.
    after: Vec<Vec<usize>>,
    /// What they count from.
    before_from: Vec<f64>,
    after_from: Vec<f64>,
    /// What each load drew before the first step, and last the exchange; empty
    /// where that is not settled.
    drawn_before: Vec<f64>,
    /// By step and feeder or ramp: whether its row is there.
    has_row: Vec<bool>,
    /// The first segment of each load, and one past the last of all.
    first: Vec<usize>,
    moved: Vec<usize>,
    suspects: Vec<usize>,
    taken: Vec<bool>,
}

/// Where the columns of a step are. Those of a stretch are what it gains, and
/// what is held after it.
#[derive(Clone, Copy, Debug, Default)]
struct Columns {
    segments: usize,
    grid: usize,
    grid_end: usize,
    stores: usize,
    gains: (usize, usize),
    /// One past the last of an interval.
    end: usize,
    /// What the exchange counts from, MW, or what a stretch gains at the least, MWh.
    least: f64,
}

/// Columns of a store in one interval: in, out, held.
const PER_STORE: usize = 3;

impl Window {
    /// Counts ramps into the first step from what `answer` has before it.
    pub(super) fn follow_on(&mut self, horizon: &Horizon, answer: &Answer, from: usize) {
        self.drawn_before.clear();
        let Some(t) = from.checked_sub(1) else { return };
        let mut segment = t * horizon.segments();
        for load in &horizon.loads {
            let next = segment + load.segments_mw.len();
            self.drawn_before.push(answer.segments_mw[segment..next].iter().sum());
            segment = next;
        }
        self.drawn_before.push(answer.exchange_mw[t]);
    }

    /// Forgets what was drawn before: it is not settled.
    pub(super) fn stand_alone(&mut self) {
        self.drawn_before.clear();
    }

    /// Solves `steps`, which follow each other. `answer` holds a plan to start
    /// from, and `ramps` are those that had a price in it.
    pub(super) fn solve(
        &mut self,
        horizon: &Horizon,
        caps: &[Cap],
        steps: &[Step],
        gains: &BTreeMap<Step, Gains>,
        outside: (&[Outside<'_>], &[Outside<'_>]),
        answer: &Answer,
        ramps: &[RampPrice],
    ) -> Result<(), Stop> {
        self.steps.clear();
        self.steps.extend_from_slice(steps);
        self.program.clear(NEAR_USD_PER_MWH * horizon.hours);
        self.rows.clear();
        self.columns.clear();
        self.first.clear();
        let mut segments = 0;
        for demand in &horizon.loads {
            self.first.push(segments);
            segments += demand.segments_mw.len();
        }
        self.first.push(segments);
        let limits = horizon.feeders.len() + horizon.loads.len() + 1;
        self.has_row.clear();
        self.has_row.resize(steps.len() * limits, false);
        self.outside(horizon, outside.0, outside.1, answer);
        for step in steps {
            match step {
                Step::Interval(t) => self.add_columns(horizon, caps, *t, answer),
                Step::Stretch(from, to) => {
                    self.add_stretch(horizon, (*from, *to), &gains[step], answer);
                }
            }
        }
        for at in 0..steps.len() {
            self.add_rows(horizon, at);
        }
        self.choose_basis(horizon, answer);
        self.known_rows(horizon, answer, ramps);
        if !self.program.start() {
            self.safe_basis(horizon);
            if !self.program.start() {
                return Err(Stop::Stuck);
            }
        }
        let mut unfinished = 0;
        while unfinished < ROUNDS {
            self.program.solve().map_err(|failure| self.stop(failure))?;
            let rows = self.program.rows();
            self.add_broken(horizon);
            if self.program.rows() > rows {
                self.program.take_in_rows(rows);
            } else if self.program.finish() {
                return Ok(());
            } else {
                unfinished += 1;
            }
        }
        Err(Stop::Stuck)
    }

    fn from(&self) -> usize {
        self.steps.first().map_or(0, |step| step.from())
    }

    fn to(&self) -> usize {
        self.steps.last().map_or(0, |step| step.to())
    }

    /// Steps taken.
    pub(super) fn pivots(&self) -> usize {
        self.program.pivots
    }

    fn stop(&self, failure: Failure) -> Stop {
        match failure {
            Failure::Stuck => Stop::Stuck,
            Failure::Infeasible(rows) => Stop::Infeasible(self.conflict(&rows)),
        }
    }

    fn conflict(&self, rows: &[usize]) -> Conflict {
        let mut limits = Vec::new();
        let (mut from, mut to) = (usize::MAX, 0);
        for row in rows {
            let step = match self.rows[*row] {
                Row::Balance(step) => step,
                Row::Worth(store) => {
                    limits.push(Bound::Stored(store));
                    self.steps.len() - 1
                }
                Row::Stored(step, store) => {
                    limits.extend([Bound::StorePower(store), Bound::Stored(store)]);
                    step
                }
                Row::Feeder(step, feeder) => {
                    limits.push(Bound::Feeder(feeder));
                    step
                }
                Row::Ramp(step, load) => {
                    limits.push(load.map_or(Bound::ExchangeRamp, Bound::LoadRamp));
                    step
                }
            };
            let (t, end) = (self.steps[step].from(), self.steps[step].to());
            from = from.min(t);
            to = to.max(end);
        }
        limits.sort_unstable();
        limits.dedup();
        Conflict { from, to, limits }
    }

    /// Columns of what is held before and after, where that is not fixed.
    fn outside(
        &mut self,
        horizon: &Horizon,
        before: &[Outside<'_>],
        after: &[Outside<'_>],
        answer: &Answer,
    ) {
        let stores = horizon.batteries.len();
        let (first, last) = (self.from(), self.to() - 1);
        for list in [&mut self.before, &mut self.after] {
            list.resize(stores, Vec::new());
            list.iter_mut().for_each(Vec::clear);
        }
        self.before_from.clear();
        self.after_from.clear();
        for (store, battery) in horizon.batteries.iter().enumerate() {
            let held = match first {
                0 => battery.stored_mwh,
                t => answer.stored_mwh[(t - 1) * stores + store],
            };
            let program = &mut self.program;
            let from =
                place_outside(program, before[store], held, &mut self.before[store]);
            self.before_from.push(from);
            let held = answer.stored_mwh[last * stores + store];
            let list = &mut self.after[store];
            let from = match (after[store], &battery.end) {
                (Outside::End, End::Worth(parts)) => {
                    worth_at_end(program, parts, held, list);
                    0.0
                }
                (outside, _) => place_outside(program, outside, held, list),
            };
            self.after_from.push(from);
        }
    }

    fn add_columns(
        &mut self,
        horizon: &Horizon,
        caps: &[Cap],
        t: usize,
        answer: &Answer,
    ) {
        let program = &mut self.program;
        let count = horizon.segments();
        let mut columns = Columns { segments: program.count(), ..Columns::default() };
        let mut at = t * count;
        let power = answer.prices.power_usd_per_mwh[t];
        for demand in &horizon.loads {
            let mut floor = demand.floor_mw.at(t);
            let mut ceiling = demand.ceiling_mw.at(t);
            for width in &demand.segments_mw {
                let most = width.min(ceiling.max(0.0));
                let least = most.min(floor.max(0.0));
                ceiling -= most;
                floor -= least;
                let cost = -horizon.worth_usd_per_mwh[at] * horizon.hours;
                let column = program.column(cost, least, most);
                let drawn = answer.segments_mw[at];
                if drawn > 0.5 * (least + most) {
                    program.prefer_high(column);
                }
                let gain = horizon.worth_usd_per_mwh[at] - power;
                let is_far = (drawn <= least + TOUCH && gain < -NEAR_USD_PER_MWH)
                    || (drawn >= most - TOUCH && gain > NEAR_USD_PER_MWH);
                if is_far {
                    program.put_to_sleep(column);
                }
                at += 1;
            }
        }
        columns.least = -horizon.grid.export_limit_mw.at(t);
        columns.grid = program.count();
        let mut left = answer.exchange_mw[t] - columns.least;
        horizon.exchange_parts(t, caps[t], &mut self.parts);
        for (cost, width) in &self.parts {
            let column = program.column(cost * horizon.hours, 0.0, *width);
            if left > 0.5 * width {
                program.prefer_high(column);
            }
            left -= width;
        }
        if self.parts.is_empty() {
            // Where nothing can be exchanged, the balance has a column of its own still.
            program.column(0.0, 0.0, 0.0);
        }
        columns.grid_end = program.count();
        columns.stores = program.count();
        let stores = horizon.batteries.len();
        for (store, battery) in horizon.batteries.iter().enumerate() {
            let at = t * stores + store;
            let charge = program.column(0.0, 0.0, battery.charge_mw.at(t));
            if answer.charge_mw[at] > 0.5 * battery.charge_mw.at(t) {
                program.prefer_high(charge);
            }
            let wear = battery.wear_usd_per_mwh * horizon.hours;
            let discharge = program.column(wear, 0.0, battery.discharge_mw.at(t));
            if answer.discharge_mw[at] > 0.5 * battery.discharge_mw.at(t) {
                program.prefer_high(discharge);
            }
            let (least, most) = held_within(horizon, store, t);
            let held = program.column(0.0, least, most);
            if answer.stored_mwh[at] > 0.5 * (least + most) {
                program.prefer_high(held);
            }
        }
        columns.end = program.count();
        self.columns.push(columns);
    }

    /// Columns of a stretch: what it gains, and what is held after it.
    fn add_stretch(
        &mut self,
        horizon: &Horizon,
        (from, to): (usize, usize),
        gains: &Gains,
        answer: &Answer,
    ) {
        let store = &horizon.batteries[0];
        let before = match from {
            0 => store.stored_mwh,
            t => answer.stored_mwh[t - 1],
        };
        let mut left = answer.stored_mwh[to - 1] - before - gains.least;
        let first = self.program.count();
        for piece in &gains.pieces {
            piece_of(&mut self.program, piece.slope, piece.width, &mut left);
        }
        let stores = self.program.count();
        let (least, most) = held_within(horizon, 0, to - 1);
        let held = self.program.column(0.0, least, most);
        if answer.stored_mwh[to - 1] > 0.5 * (least + most) {
            self.program.prefer_high(held);
        }
        let (least, gains) = (gains.least, (first, stores));
        // What is held stands where it does in an interval.
        let stores = held - (PER_STORE - 1);
        let segments = first;
        self.columns.push(Columns {
            segments,
            stores,
            gains,
            least,
            ..Columns::default()
        });
    }

    fn add_rows(&mut self, horizon: &Horizon, at: usize) {
        let columns = self.columns[at];
        let interval = match self.steps[at] {
            Step::Interval(t) => Some(t),
            Step::Stretch(..) => None,
        };
        if let Some(t) = interval {
            self.program.lull(columns.segments, columns.grid);
            for column in columns.segments..columns.grid {
                if !self.program.is_asleep(column) {
                    self.program.entry(column, 1.0);
                }
            }
            for column in columns.grid..columns.grid_end {
                self.program.entry(column, -1.0);
            }
            for store in 0..horizon.batteries.len() {
                self.program.entry(columns.charge(store), 1.0);
                self.program.entry(columns.discharge(store), -1.0);
            }
            let right = columns.least - horizon.grid.base_mw.at(t);
            self.program.end_row(right, columns.segments);
            self.rows.push(Row::Balance(at));
        }
        for (store, battery) in horizon.batteries.iter().enumerate() {
            let mut right = 0.0;
            let replaced = self.is_replaced(horizon, at, store);
            if replaced {
                for column in &self.after[store] {
                    self.program.entry(*column, 1.0);
                }
                right -= self.after_from[store];
            } else {
                self.program.entry(columns.held(store), 1.0);
            }
            if interval.is_some() {
                let into = -horizon.hours * battery.charge_efficiency;
                self.program.entry(columns.charge(store), into);
                let out_of = horizon.hours / battery.discharge_efficiency;
                self.program.entry(columns.discharge(store), out_of);
            } else {
                for column in columns.gains.0..columns.gains.1 {
                    self.program.entry(column, -1.0);
                }
                right += columns.least;
            }
            if at == 0 {
                for column in &self.before[store] {
                    self.program.entry(*column, -1.0);
                }
                right += self.before_from[store];
            } else {
                self.program.entry(self.columns[at - 1].held(store), -1.0);
            }
            self.program.end_row(right, columns.held(store));
            self.rows.push(Row::Stored(at, store));
            if at + 1 == self.steps.len() && !replaced && !self.after[store].is_empty() {
                // What is held at the end is made up of what it is worth.
                self.program.entry(columns.held(store), -1.0);
                for column in &self.after[store] {
                    self.program.entry(*column, 1.0);
                }
                self.program.end_row(0.0, self.after[store][0]);
                self.rows.push(Row::Worth(store));
            }
        }
    }

    /// Whether what is held after a step is written as what it costs to go on.
    fn is_replaced(&self, horizon: &Horizon, at: usize, store: usize) -> bool {
        at + 1 == self.steps.len()
            && !self.after[store].is_empty()
            && self.to() != horizon.len()
    }

    /// What was drawn before a step that no interval of the window precedes.
    fn settled_before(
        &self,
        at: usize,
        t: usize,
        who: usize,
        ramp: &Ramp,
    ) -> Option<f64> {
        match t {
            0 => ramp.before_mw,
            _ if at == 0 => self.drawn_before.get(who).copied(),
            _ => None,
        }
    }

    /// The step before, if it is an interval.
    fn earlier(&self, at: usize) -> Option<usize> {
        let before = at.checked_sub(1)?;
        matches!(self.steps[before], Step::Interval(_)).then_some(before)
    }

    /// What a load draws in a step, or the exchange.
    fn drawn(&self, at: usize, load: Option<usize>) -> f64 {
        let columns = &self.columns[at];
        let sum = |list: std::ops::Range<usize>| self.program.sum_of(list);
        match load {
            Some(load) => sum(self.of_load(at, load)),
            None => columns.least + sum(columns.grid..columns.grid_end),
        }
    }

    fn of_load(&self, at: usize, load: usize) -> std::ops::Range<usize> {
        let from = self.columns[at].segments;
        from + self.first[load]..from + self.first[load + 1]
    }

    fn feeder_row(&mut self, horizon: &Horizon, at: usize, feeder: usize) {
        let columns = self.columns[at];
        for load in 0..horizon.loads.len() {
            if horizon.is_below(load, feeder) {
                for column in self.of_load(at, load) {
                    self.program.wake(column);
                    self.program.entry(column, 1.0);
                }
            }
        }
        for (store, battery) in horizon.batteries.iter().enumerate() {
            if horizon.hangs_below(battery.feeder, feeder) {
                self.program.entry(columns.charge(store), 1.0);
                self.program.entry(columns.discharge(store), -1.0);
            }
        }
        let t = self.steps[at].from();
        let limit = horizon.feeders[feeder].limit_mw.at(t);
        // Bounded as a ramp is: nothing sends back more than stores can.
        let mut room = 1.0 + limit.max(0.0);
        for battery in &horizon.batteries {
            if horizon.hangs_below(battery.feeder, feeder) {
                room += battery.discharge_mw.at(t);
            }
        }
        let slack = self.program.column(0.0, 0.0, room);
        self.program.entry(slack, 1.0);
        self.program.end_row(limit, slack);
        self.rows.push(Row::Feeder(at, feeder));
    }

    fn ramp_row(&mut self, at: usize, load: Option<usize>, ramp: &Ramp) {
        let of = |at: usize| match load {
            Some(load) => (self.of_load(at, load), 0.0),
            None => {
                let columns = self.columns[at];
                (columns.grid..columns.grid_end, columns.least)
            }
        };
        let (now, least) = of(at);
        let earlier = self.earlier(at).map(of);
        let before = match &earlier {
            Some((_, least)) => *least,
            None => {
                let who = load.unwrap_or(self.first.len() - 1);
                let t = self.steps[at].from();
                self.settled_before(at, t, who, ramp).unwrap_or(0.0)
            }
        };
        // What nothing limits moves no further than from one end to the other: bounds on
        // both sides let any basis be made one to start from.
        let mut reach = 1.0 + (before - least).abs();
        for column in now {
            self.program.wake(column);
            self.program.entry(column, 1.0);
            reach += self.program.bounds(column).1;
        }
        for column in earlier.into_iter().flat_map(|(columns, _)| columns) {
            self.program.wake(column);
            self.program.entry(column, -1.0);
            reach += self.program.bounds(column).1;
        }
        let (down, up) = (ramp.down_mw.min(reach), ramp.up_mw.min(reach));
        let rise = self.program.column(0.0, -down, up);
        self.program.entry(rise, -1.0);
        self.program.end_row(before - least, rise);
        self.rows.push(Row::Ramp(at, load));
    }

    /// Writes plan and prices of the window's intervals; what ramps are worth goes
    /// to `ramps`, which held what was known of them before.
    pub(super) fn write(
        &self,
        horizon: &Horizon,
        answer: &mut Answer,
        ramps: &mut Vec<RampPrice>,
    ) {
        let count = horizon.segments();
        let stores = horizon.batteries.len();
        let feeders = horizon.feeders.len();
        let hours = horizon.hours;
        ramps.clear();
        for (at, step) in self.steps.iter().enumerate() {
            let columns = self.columns[at];
            for store in 0..stores {
                let place = (step.to() - 1) * stores + store;
                answer.stored_mwh[place] = if self.is_replaced(horizon, at, store) {
                    let after = &self.after[store];
                    let sum: f64 = after.iter().map(|c| self.program.value(*c)).sum();
                    self.after_from[store] + sum
                } else {
                    self.program.value(columns.held(store))
                };
                answer.prices.store_room_usd_per_mwh[place] = 0.0;
            }
            let Step::Interval(t) = *step else { continue };
            for segment in 0..count {
                answer.segments_mw[t * count + segment] =
                    self.program.value(columns.segments + segment);
            }
            answer.exchange_mw[t] = self.drawn(at, None);
            for store in 0..stores {
                let place = t * stores + store;
                answer.charge_mw[place] = self.program.value(columns.charge(store));
                answer.discharge_mw[place] = self.program.value(columns.discharge(store));
            }
            answer.prices.feeders_usd_per_mwh[t * feeders..(t + 1) * feeders].fill(0.0);
        }
        for (row, what) in self.rows.iter().enumerate() {
            let price = -self.program.multiplier(row);
            match *what {
                Row::Balance(at) => {
                    let t = self.steps[at].from();
                    answer.prices.power_usd_per_mwh[t] = price / hours;
                }
                Row::Stored(at, store) => {
                    for t in self.steps[at].from()..self.steps[at].to() {
                        answer.prices.stored_usd_per_mwh[t * stores + store] = price;
                    }
                }
                Row::Worth(_) => {}
                Row::Feeder(at, feeder) => {
                    let place = self.steps[at].from() * feeders + feeder;
                    answer.prices.feeders_usd_per_mwh[place] = (price / hours).max(0.0);
                }
                Row::Ramp(at, load) => {
                    let ramp = horizon.ramp(load);
                    let limit = if price > 0.0 { ramp.up_mw } else { ramp.down_mw };
                    // What nothing limits has no price but what rounding leaves.
                    if price.abs() > 1e-9 && limit.is_finite() {
                        let t = self.steps[at].from();
                        ramps.push(RampPrice { t, load, usd_per_mw: price });
                    }
                }
            }
        }
    }

    /// What each store holds before the window, MWh.
    pub(super) fn held_before(&self, store: usize) -> f64 {
        let sum: f64 = self.before[store].iter().map(|c| self.program.value(*c)).sum();
        self.before_from[store] + sum
    }
}

impl Columns {
    fn charge(self, store: usize) -> usize {
        self.stores + store * PER_STORE
    }

    fn discharge(self, store: usize) -> usize {
        self.stores + store * PER_STORE + 1
    }

    fn held(self, store: usize) -> usize {
        self.stores + store * PER_STORE + 2
    }

    /// A column of the balance: the dearest part of the exchange.
    fn some_of_balance(self) -> usize {
        self.grid_end - 1
    }
}

/// Columns for what is held outside; returns what they count from.
fn place_outside(
    program: &mut Program,
    outside: Outside<'_>,
    held: f64,
    columns: &mut Vec<usize>,
) -> f64 {
    match outside {
        Outside::Held(held) => held,
        Outside::End => 0.0,
        Outside::Costs(list, span) => {
            let mut left = held - span.from;
            for piece in &list[span.start..span.end] {
                columns.push(piece_of(program, piece.slope, piece.width, &mut left));
            }
            if columns.is_empty() {
                columns.push(program.column(0.0, 0.0, 0.0));
            }
            span.from
        }
    }
}

/// Columns for what is held at the end, for what it is worth.
fn worth_at_end(
    program: &mut Program,
    parts: &[(f64, f64)],
    held: f64,
    columns: &mut Vec<usize>,
) {
    let mut left = held;
    for (width, usd) in parts {
        columns.push(piece_of(program, -usd, *width, &mut left));
    }
    columns.push(piece_of(program, 0.0, f64::MAX, &mut left));
}

fn piece_of(program: &mut Program, cost: f64, width: f64, left: &mut f64) -> usize {
    let column = program.column(cost, 0.0, width);
    if *left > TOUCH && *left < width - TOUCH {
        program.mark(column);
    }
    if *left > 0.5 * width {
        program.prefer_high(column);
    }
    *left -= width;
    column
}

/// What a store must and may hold at the end of an interval.
fn held_within(horizon: &Horizon, store: usize, t: usize) -> (f64, f64) {
    let battery = &horizon.batteries[store];
    match battery.end {
        End::At(held) if t + 1 == horizon.len() => (held, held),
        End::At(_) | End::Free | End::Worth(_) => {
            (battery.stored_min_mwh.at(t), battery.stored_max_mwh.at(t))
        }
    }
}

/// Two powers this close are the same, MW.
const TOUCH: f64 = 1e-7;

/// What is worth this much more than power, or less, sleeps until a price comes near.
const NEAR_USD_PER_MWH: f64 = 1.0;

/// A feeder that is worth more has a row from the start, USD/MWh.
const PRICED: f64 = 1e-6;

/// How far a limit may be passed before its row is written, MW.
const PRIMAL: f64 = 1e-8;

/// Why a window has no solution.
#[derive(Clone, Debug)]
pub(super) enum Stop {
    /// Limits contradict each other.
    Infeasible(Conflict),
    /// The steps led nowhere.
    Stuck,
}
