//! The optimum without ramps: one pass forward, one back.
//!
//! Forward, every interval becomes a market, the market a function of the energy
//! gained, and the functions are convolved into what it costs to arrive at a
//! stored energy. Back, from the end on, each convolution is split again into
//! what was held before and what was gained, at the one price on which both
//! agree. Exact, and linear in the length of the horizon.

use super::answer::{AGREE, Answer};
use super::conflict::{Bound, Conflict};
use super::horizon::{Cap, End, Horizon};
use super::known::{Known, is_same};
use super::stage::{GridPrice, Layout, Source, Stage};
use super::stored::{self, Piece, Reach, Span};
use super::window::Gains;

/// An interval as a market.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Mark {
    /// Its sources, in the arena of all.
    pub(super) sources: (usize, usize),
    /// Its pieces of energy gained, in the arena of all.
    pub(super) gains: (usize, usize),
    /// What is gained at the least, MWh.
    pub(super) gained: f64,
    /// What the battery draws before the first source is taken, MW.
    pub(super) least: f64,
    /// The dearest source that is taken whatever the battery does, and the
    /// cheapest that never is.
    pub(super) beyond: (f64, f64),
    /// How many segments in order, and how much of the first source, draw nothing
    /// whatever the battery does.
    pub(super) shed: (usize, f64),
    /// Where it was placed last.
    placed: Placed,
}

impl Mark {
    /// Its pieces.
    fn gains<'a>(&self, all: &'a [Piece]) -> &'a [Piece] {
        &all[self.gains.0..self.gains.1]
    }
}

/// What an interval does where the store gains so much at such a price: it follows from
/// its market and those two figures alone.
#[derive(Clone, Copy, Debug)]
struct Placed {
    /// What is gained, MWh, and the price of stored energy, USD/MWh; no number before it
    /// is placed.
    at: [f64; 2],
    /// What is gained once that is charge and discharge.
    gained: f64,
    charge: f64,
    discharge: f64,
    exchange: f64,
    power: f64,
    /// What its segments draw, in the arena of all.
    drawn: usize,
}

impl Default for Placed {
    fn default() -> Self {
        let at = [f64::NAN; 2];
        let (gained, charge, discharge, exchange, power) = (0.0, 0.0, 0.0, 0.0, 0.0);
        Self { at, gained, charge, discharge, exchange, power, drawn: 0 }
    }
}

/// The pass over a horizon without ramps, with its buffers.
#[derive(Clone, Debug, Default)]
pub(super) struct Free {
    layout: Layout,
    stage: Stage,
    /// Intervals as markets, those of the last call from `first` on.
    marks: Vec<Mark>,
    first: usize,
    pub(super) sources: Vec<Source>,
    pub(super) gains: Vec<Piece>,
    /// What it costs to arrive before each interval and after the last.
    pub(super) arrive: Vec<Piece>,
    pub(super) to_here: Vec<Span>,
    /// What the segments of placed intervals draw, where intervals are remembered.
    drawn: Vec<f64>,
    remembers: bool,
    /// What it costs to go on, before each interval and after the last.
    pub(super) onward: Vec<Piece>,
    pub(super) from_here: Vec<Span>,
    turned: Vec<Piece>,
    has_battery: bool,
    /// What the last call's figures were: marks of the same are taken over.
    known: Known,
    /// The battery, its power as of the last interval looked at.
    reach: Reach,
}

impl Free {
    /// Begins another horizon.
    pub(super) fn begin(&mut self) {
        self.stage.begin();
    }

    /// Goes forward over the horizon. `caps` say from what draw on an interval pays
    /// more, to keep a peak down.
    pub(super) fn forward(
        &mut self,
        horizon: &Horizon,
        caps: &[Cap],
    ) -> Result<(), Conflict> {
        let battery = horizon.batteries.first();
        self.has_battery = battery.is_some();
        self.layout.read(horizon, battery.and_then(|store| store.feeder));
        self.reach = horizon.reach(0);
        let n = horizon.len();
        let Reach { into, out_of, wear, hours, .. } = self.reach;
        let battery_is = [into, out_of, wear, hours];
        let layout = &self.layout;
        let widths = layout.widths();
        let is_simple = layout.is_simple();
        let mut moved = self.known.begin(horizon, caps, widths, battery_is, is_simple);
        self.remembers = moved.is_some();
        if !self.remembers || self.sources.len() > 64 * n + 1_024 {
            // What was kept of calls before is in the way.
            moved = None;
            self.first = 0;
            self.marks.clear();
            self.sources.clear();
            self.gains.clear();
            self.drawn.clear();
        }
        self.arrive.clear();
        // Some four pieces an interval are the rule.
        for list in [&mut self.gains, &mut self.arrive] {
            list.reserve(4 * n);
        }
        self.first += moved.unwrap_or(0);
        self.marks.resize(self.first + n, Mark::default());
        self.to_here.clear();
        let mut span = Span {
            from: battery.map_or(0.0, |store| store.stored_mwh),
            start: 0,
            end: 0,
        };
        for t in 0..n {
            self.to_here.push(span);
            if moved.is_none() || !self.known.is_known(t) {
                self.marks[self.first + t] = self.market(horizon, caps[t], t)?;
            }
            if let Some(store) = battery {
                let (least, most) =
                    (store.stored_min_mwh.at(t), store.stored_max_mwh.at(t));
                let mark = &self.marks[self.first + t];
                let (gains, gained) = (mark.gains(&self.gains), mark.gained);
                let list = &mut self.arrive;
                let next = stored::convolve(list, span, gains, gained, least, most);
                span = next.ok_or_else(|| self.cannot_hold(t))?;
            }
        }
        self.to_here.push(span);
        if self.remembers {
            self.known.end(n);
        }
        Ok(())
    }

    /// Intervals `from..to` as markets.
    fn marks_of(&self, from: usize, to: usize) -> &[Mark] {
        &self.marks[self.first + from..self.first + to]
    }

    /// What interval `t` is as a market, and the energy that can be gained in it.
    fn market(
        &mut self,
        horizon: &Horizon,
        cap: Cap,
        t: usize,
    ) -> Result<Mark, Conflict> {
        let segments = self.layout.load_of.len();
        let worth = &horizon.worth_usd_per_mwh[t * segments..(t + 1) * segments];
        let reach = &mut self.reach;
        if let Some(store) = horizon.batteries.first() {
            reach.charge = store.charge_mw.at(t);
            reach.discharge = store.discharge_mw.at(t);
        }
        let (discharge, charge) = (reach.discharge, reach.charge);
        let stage = &mut self.stage;
        stage.lay_out(horizon, &mut self.layout, t, worth, cap, discharge, charge)?;
        let mut mark = Mark {
            sources: (self.sources.len(), 0),
            gains: (self.gains.len(), 0),
            gained: 0.0,
            least: stage.least,
            beyond: stage.beyond,
            shed: (stage.shed, stage.skipped),
            placed: Placed { drawn: self.drawn.len(), ..Placed::default() },
        };
        if self.remembers {
            self.drawn.resize(mark.placed.drawn + segments, 0.0);
        }
        self.sources.extend_from_slice(&stage.sources);
        mark.sources.1 = self.sources.len();
        if self.has_battery {
            let gains = &mut self.gains;
            if reach.is_plain(&stage.sources) {
                reach.plain_gains(mark.least, &stage.sources, gains);
            } else {
                reach.walk(mark.least, &stage.sources, |stretch| {
                    if stretch.piece.width > stored::CRUMB {
                        gains.push(stretch.piece);
                    }
                    true
                });
            }
            mark.gained = reach.least_gained(mark.least);
        }
        mark.gains.1 = self.gains.len();
        Ok(mark)
    }

    fn cannot_hold(&self, t: usize) -> Conflict {
        // Since when: the battery has gone as far as it can every interval since
        // it was last free to choose.
        let reached = self.to_here.len() - 1;
        let from = self.to_here[..reached]
            .iter()
            .rposition(|span| span.end > span.start + 1)
            .map_or(0, |at| at + 1);
        let limits = vec![Bound::StorePower(0), Bound::Stored(0)];
        Conflict { from: from.min(t), to: t + 1, limits }
    }

    /// What is held at the end and what a MWh more is worth there.
    fn end(&self, horizon: &Horizon) -> Result<(f64, f64), Conflict> {
        let Some(store) = horizon.batteries.first() else { return Ok((0.0, 0.0)) };
        let last = self.to_here[horizon.len()];
        let pieces = &self.arrive[last.start..last.end];
        let held = last.from;
        let most = held + pieces.iter().map(|piece| piece.width).sum::<f64>();
        match &store.end {
            End::At(wanted) => {
                if *wanted < held - 1e-9 || *wanted > most + 1e-9 {
                    return Err(self.cannot_hold(horizon.len() - 1));
                }
                let at = wanted.clamp(held, most);
                let (left, right) = stored::slopes_at(&self.arrive, last, at);
                let price = if left.is_finite() { left } else { right };
                Ok((at, if price.is_finite() { price } else { 0.0 }))
            }
            End::Free => Ok(worth_holding(held, pieces, &[])),
            End::Worth(parts) => Ok(worth_holding(held, pieces, parts)),
        }
    }

    /// Goes back over the horizon and writes plan and prices.
    pub(super) fn trace(
        &mut self,
        horizon: &Horizon,
        caps: &[Cap],
        answer: &mut Answer,
    ) -> Result<(), Conflict> {
        answer.fit(horizon);
        let end = self.end(horizon)?;
        self.trace_back(horizon, caps, answer, horizon.len(), end, false)?;
        Ok(())
    }

    /// Goes back from the end of the interval before `to`, where `held` is held
    /// at a price of `stored`, until it meets what `answer` says already. Returns
    /// the first interval it wrote.
    pub(super) fn trace_back(
        &mut self,
        horizon: &Horizon,
        caps: &[Cap],
        answer: &mut Answer,
        to: usize,
        (mut held, mut stored): (f64, f64),
        meet: bool,
    ) -> Result<usize, Conflict> {
        for t in (0..to).rev() {
            if meet && answer.agrees(t, held, stored) {
                return Ok(t + 1);
            }
            let mut gained = 0.0;
            if self.has_battery {
                let mark = &self.marks[self.first + t];
                let gains = mark.gains(&self.gains);
                let (list, from) = (&self.arrive, mark.gained);
                let (part, (low, high)) =
                    stored::split(list, self.to_here[t], gains, from, held);
                gained = part;
                // Where what is held is cut off, the price on this side differs.
                let priced = stored.max(low).min(high);
                answer.prices.store_room_usd_per_mwh[t] = stored - priced;
                stored = priced;
                answer.stored_mwh[t] = held;
            }
            held -= self.place(horizon, caps, answer, t, gained, stored)?;
        }
        Ok(0)
    }

    /// Goes on from the end of the interval before `from`, where `held` is held
    /// at a price of `stored` and `planned` was, until it meets what `answer` says
    /// already. Returns one past the last interval it wrote.
    pub(super) fn trace_on(
        &mut self,
        horizon: &Horizon,
        caps: &[Cap],
        answer: &mut Answer,
        from: usize,
        (mut held, mut stored): (f64, f64),
        mut planned: f64,
    ) -> Result<usize, Conflict> {
        for t in from..horizon.len() {
            let same = (planned - held).abs() <= AGREE
                && (answer.prices.stored_usd_per_mwh[t] - stored).abs() <= AGREE;
            if !self.has_battery || same {
                return Ok(t);
            }
            planned = answer.stored_mwh[t];
            let most = self.turn(t);
            let (part, (low, high)) = stored::split(
                &self.onward,
                self.from_here[t + 1],
                &self.turned,
                -most,
                held,
            );
            // Slopes of what it costs to go on are what held energy is worth, with
            // the other sign.
            let priced = stored.max(-high).min(-low);
            if t > 0 {
                answer.prices.store_room_usd_per_mwh[t - 1] = priced - stored;
            }
            stored = priced;
            let gained = self.place(horizon, caps, answer, t, -part, stored)?;
            held += gained;
            answer.stored_mwh[t] = held;
            answer.prices.store_room_usd_per_mwh[t] = 0.0;
        }
        Ok(horizon.len())
    }

    /// Writes interval `t`, in which `gained` is gained at a price of `stored`;
    /// returns what was gained.
    fn place(
        &mut self,
        horizon: &Horizon,
        caps: &[Cap],
        answer: &mut Answer,
        t: usize,
        gained: f64,
        stored: f64,
    ) -> Result<f64, Conflict> {
        let segments = self.layout.load_of.len();
        let mark = &self.marks[self.first + t];
        let placed = &mark.placed;
        if is_same(&placed.at, &[gained, stored]) {
            let drawn = &self.drawn[placed.drawn..placed.drawn + segments];
            answer.segments_mw[t * segments..][..segments].copy_from_slice(drawn);
            answer.exchange_mw[t] = placed.exchange;
            answer.prices.power_usd_per_mwh[t] = placed.power;
            if self.has_battery {
                answer.charge_mw[t] = placed.charge;
                answer.discharge_mw[t] = placed.discharge;
                answer.prices.stored_usd_per_mwh[t] = stored;
            }
            return Ok(placed.gained);
        }
        let mark = *mark;
        let reach = &mut self.reach;
        if let Some(store) = horizon.batteries.first() {
            reach.charge = store.charge_mw.at(t);
            reach.discharge = store.discharge_mw.at(t);
        }
        let reach = *reach;
        let sources = &self.sources[mark.sources.0..mark.sources.1];
        let (mut charge, mut discharge) = (0.0, 0.0);
        if self.has_battery {
            let plain = if reach.is_plain(sources) {
                reach.plain_at(mark.least, gained)
            } else {
                None
            };
            if let Some(plain) = plain {
                (charge, discharge) = plain;
            } else {
                (charge, discharge) = reach.start(mark.least);
                let mut left = gained - mark.gained;
                reach.walk(mark.least, sources, |stretch| {
                    if left <= 0.0 {
                        return false;
                    }
                    let width = stretch.piece.width;
                    let part = if width <= left { 1.0 } else { left / width };
                    left -= width;
                    charge += stretch.charge * part;
                    discharge += stretch.discharge * part;
                    left > 0.0
                });
            }
            answer.charge_mw[t] = charge;
            answer.discharge_mw[t] = discharge;
            answer.prices.stored_usd_per_mwh[t] = stored;
        }
        let worth = &horizon.worth_usd_per_mwh[t * segments..(t + 1) * segments];
        let power = price_of_power(
            &reach,
            sources,
            mark.beyond,
            mark.least,
            charge,
            discharge,
            stored,
        );
        self.settle(horizon, caps, t, worth, charge - discharge, power, answer)?;
        let at = [gained, stored];
        let gained = reach.gained(charge, discharge);
        if self.remembers {
            let drawn = &answer.segments_mw[t * segments..][..segments];
            self.drawn[mark.placed.drawn..][..segments].copy_from_slice(drawn);
            let (exchange, power) =
                (answer.exchange_mw[t], answer.prices.power_usd_per_mwh[t]);
            self.marks[self.first + t].placed =
                Placed { at, gained, charge, discharge, exchange, power, ..mark.placed };
        }
        Ok(gained)
    }

    /// What energy intervals `from..to` can gain together.
    pub(super) fn gains_of(&self, from: usize, to: usize) -> Gains {
        let mut gains = Gains::default();
        // Lists are merged with others of their size: what costs the same in many
        // intervals is one piece soon.
        let mut lists: Vec<Vec<Piece>> = Vec::new();
        for (at, mark) in self.marks_of(from, to).iter().enumerate() {
            gains.least += mark.gained;
            lists.push(self.gains[mark.gains.0..mark.gains.1].to_vec());
            for _ in 0..(at + 1).trailing_zeros() {
                stored::merge_last(&mut lists);
            }
        }
        while lists.len() > 1 {
            stored::merge_last(&mut lists);
        }
        gains.pieces = lists.pop().unwrap_or_default();
        gains
    }

    /// Shares out to intervals `from..to` what they gain together at one price of
    /// stored energy. Returns the interval in which that held most outside of what
    /// a store can hold.
    pub(super) fn share_out(
        &mut self,
        horizon: &Horizon,
        caps: &[Cap],
        answer: &mut Answer,
        (from, to): (usize, usize),
    ) -> Result<Option<usize>, Conflict> {
        let store = &horizon.batteries[0];
        let price = answer.prices.stored_usd_per_mwh[from];
        let mut held = match from {
            0 => store.stored_mwh,
            t => answer.stored_mwh[t - 1],
        };
        let end = answer.stored_mwh[to - 1];
        let same = 1e-9 * (1.0 + price.abs());
        // What is cheaper than the price is gained; of what costs just that, as
        // much as is left.
        let mut left = end - held;
        for mark in self.marks_of(from, to) {
            left -= mark.gained;
            for piece in &self.gains[mark.gains.0..mark.gains.1] {
                if piece.slope < price - same {
                    left -= piece.width;
                }
            }
        }
        let mut worst = (TOUCH, None);
        for t in from..to {
            let mark = self.marks[self.first + t];
            let (low, high) = (store.stored_min_mwh.at(t), store.stored_max_mwh.at(t));
            let mut gained = mark.gained;
            for piece in &self.gains[mark.gains.0..mark.gains.1] {
                if piece.slope < price - same {
                    gained += piece.width;
                } else if piece.slope <= price + same && left > 0.0 {
                    let room = (high - held - gained).max(0.0);
                    let part = piece.width.min(left).min(room);
                    gained += part;
                    left -= part;
                }
            }
            held += self.place(horizon, caps, answer, t, gained, price)?;
            let outside = (low - held).max(held - high);
            if outside > worst.0 && t + 1 < to {
                worst = (outside, Some(t));
            }
            if t + 1 < to {
                answer.stored_mwh[t] = held;
                answer.prices.store_room_usd_per_mwh[t] = 0.0;
            }
        }
        if worst.1.is_none() && (held - end).abs() > 1e-6 {
            // Ties could not be shared out in order: hold back where most was.
            return Ok(Some(from + (to - from - 1) / 2));
        }
        Ok(worst.1)
    }

    /// Turns what interval `t` can gain around: what it costs to gain less. Returns
    /// the most that it can gain.
    fn turn(&mut self, t: usize) -> f64 {
        let mark = self.marks[self.first + t];
        let gains = &self.gains[mark.gains.0..mark.gains.1];
        self.turned.clear();
        self.turned.extend(gains.iter().rev().map(|p| Piece { slope: -p.slope, ..*p }));
        mark.gained + gains.iter().map(|piece| piece.width).sum::<f64>()
    }

    /// What it costs to go on from every stored energy, for intervals that need
    /// it: the pass backward.
    pub(super) fn backward(&mut self, horizon: &Horizon) {
        let Some(store) = horizon.batteries.first() else { return };
        let n = horizon.len();
        self.onward.clear();
        self.from_here.clear();
        self.from_here.resize(n + 1, Span::default());
        let span = self.to_here[n];
        let last = &self.arrive[span.start..span.end];
        let least = span.from;
        let most = least + last.iter().map(|piece| piece.width).sum::<f64>();
        let (least, most) = match store.end {
            End::At(held) => (held, held),
            End::Free | End::Worth(_) => {
                // Whatever the end may hold, not only what can be arrived at.
                let (low, high) =
                    (store.stored_min_mwh.at(n - 1), store.stored_max_mwh.at(n - 1));
                (low.min(least), high.max(most))
            }
        };
        let mut span = Span { from: least, start: 0, end: 0 };
        let parts: &[(f64, f64)] = match &store.end {
            End::Worth(parts) => parts,
            End::At(_) | End::Free => &[],
        };
        let mut from = 0.0;
        for (width, usd) in parts.iter().copied().chain([(f64::INFINITY, 0.0)]) {
            let to: f64 = (from + width).min(most);
            let width = to - least.max(from);
            if width > stored::CRUMB {
                self.onward.push(Piece { slope: -usd, width });
            }
            from = to.max(from);
        }
        span.end = self.onward.len();
        self.from_here[n] = span;
        for t in (1..n).rev() {
            let most = self.turn(t);
            let (low, high) =
                (store.stored_min_mwh.at(t - 1), store.stored_max_mwh.at(t - 1));
            let next =
                stored::convolve(&mut self.onward, span, &self.turned, -most, low, high);
            // Forward found a way, so there is one back.
            let Some(next) = next else { break };
            span = next;
            self.from_here[t] = span;
        }
    }
}

impl Free {
    /// Writes what loads and the grid do in interval `t`, and what limits are
    /// worth there.
    #[expect(clippy::too_many_arguments, reason = "one place of the horizon")]
    fn settle(
        &mut self,
        horizon: &Horizon,
        caps: &[Cap],
        t: usize,
        worth: &[f64],
        battery: f64,
        power: (f64, f64),
        answer: &mut Answer,
    ) -> Result<(), Conflict> {
        let count = worth.len();
        let drawn = &mut answer.segments_mw[t * count..(t + 1) * count];
        let import = horizon.grid.import_usd_per_mwh[t];
        let power = import.max(power.0).min(power.1.max(power.0));
        let base = horizon.grid.base_mw.at(t);
        if self.layout.is_simple() {
            self.layout.sort(worth);
            let mark = self.marks[self.first + t];
            let sources = &self.sources[mark.sources.0..mark.sources.1];
            let beyond = battery - mark.least;
            let sum = self.layout.settle(sources, mark.shed, beyond, drawn);
            answer.exchange_mw[t] = base + sum + battery;
            answer.prices.power_usd_per_mwh[t] = power;
            return Ok(());
        }
        let feeders = horizon.feeders.len();
        let inside = &mut answer.prices.feeders_usd_per_mwh[t * feeders..][..feeders];
        let (layout, at) = (&self.layout, (battery, power));
        let outside = self.stage.settle(horizon, layout, t, caps[t], at, drawn, inside);
        // From what power is worth below each feeder to what the feeder is.
        for feeder in (0..feeders).rev() {
            let above = horizon.feeders[feeder].parent.map_or(outside, |up| inside[up]);
            inside[feeder] -= above;
        }
        let power = outside;
        let exchange = base + drawn.iter().sum::<f64>() + battery;
        answer.exchange_mw[t] = exchange;
        answer.prices.power_usd_per_mwh[t] = power;
        Ok(())
    }
}

/// What the last MW the battery draws cost and what the next would, as far as
/// that agrees with what stored energy is worth: every price of power in between
/// is one at which the plan is best.
fn price_of_power(
    reach: &Reach,
    sources: &[Source],
    beyond: (f64, f64),
    least: f64,
    charge: f64,
    discharge: f64,
    stored: f64,
) -> (f64, f64) {
    let (mut low, mut high) = beyond;
    let mut left = charge - discharge - least;
    for source in sources {
        if left <= TOUCH {
            high = source.cost;
            break;
        }
        low = source.cost;
        if left < source.width - TOUCH {
            high = source.cost;
            break;
        }
        left -= source.width;
    }
    let (into, out_of) = (stored * reach.into, stored / reach.out_of + reach.wear);
    let mut agreed = (low, high);
    if reach.charge > 0.0 || reach.discharge > 0.0 {
        if charge > TOUCH {
            agreed.1 = agreed.1.min(into);
        }
        if charge < reach.charge - TOUCH {
            agreed.0 = agreed.0.max(into);
        }
        if discharge > TOUCH {
            agreed.0 = agreed.0.max(out_of);
        }
        if discharge < reach.discharge - TOUCH {
            agreed.1 = agreed.1.min(out_of);
        }
    }
    // Rounding alone can part what agrees.
    (agreed.0.clamp(low, high), agreed.1.clamp(low, high))
}

/// How much to hold at the end, from `held` up, when holding on is worth what
/// `parts` say from empty up and getting there costs what `pieces` say; and what
/// a MWh more is worth there.
fn worth_holding(mut held: f64, pieces: &[Piece], parts: &[(f64, f64)]) -> (f64, f64) {
    let mut until = 0.0;
    let mut parts = parts.iter();
    let mut worth = 0.0;
    let mut below = f64::NEG_INFINITY;
    let mut advance = |held: f64, until: &mut f64, worth: &mut f64| {
        while *until <= held + TOUCH {
            match parts.next() {
                Some((width, usd)) => {
                    *until += width;
                    *worth = *usd;
                }
                None => {
                    *until = f64::INFINITY;
                    *worth = 0.0;
                }
            }
        }
    };
    advance(held, &mut until, &mut worth);
    for piece in pieces {
        let mut left = piece.width;
        while left > 0.0 {
            if piece.slope >= worth {
                return (held, worth.max(below).min(piece.slope));
            }
            let step = left.min(until - held);
            held += step;
            left -= step;
            below = piece.slope;
            advance(held, &mut until, &mut worth);
        }
    }
    (held, worth.max(below))
}

impl Horizon {
    /// What the battery of the horizon can do in an interval.
    #[inline]
    pub(super) fn reach(&self, t: usize) -> Reach {
        let Some(store) = self.batteries.first() else {
            return Reach::of(1.0, 1.0, 0.0, self.hours);
        };
        let (into, out_of) = (store.charge_efficiency, store.discharge_efficiency);
        let mut reach = Reach::of(into, out_of, store.wear_usd_per_mwh, self.hours);
        reach.charge = store.charge_mw.at(t);
        reach.discharge = store.discharge_mw.at(t);
        reach
    }

    /// What the exchange costs in an interval.
    #[inline]
    pub(super) fn price(&self, t: usize) -> GridPrice {
        let import = self.grid.import_usd_per_mwh[t];
        let export = self.grid.export_usd_per_mwh.as_ref().map_or(import, |e| e[t]);
        GridPrice { import, export }
    }
}

/// Two powers this close are the same, MW.
const TOUCH: f64 = 1e-9;
