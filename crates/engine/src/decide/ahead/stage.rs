//! One interval as a market: what each further MW costs at the battery.
//!
//! All loads served and as much sent back as may be, power is cheapest for the
//! battery. From there each further MW comes from the cheapest source left: a
//! load of little worth that draws less, or the grid that is paid less or asked
//! for more. Sources in rising cost are the slopes of a convex function of what
//! the battery draws. A feeder between a source and the battery is a cap on all
//! sources beyond it; caps nest, so taking the cheapest that still gets through
//! stays right. Feeders without a battery below them cut the least worthy loads
//! off before all that.

use super::conflict::{Bound, Conflict};
use super::horizon::{Cap, Demand, Horizon};
use super::known::is_same;
use super::loads::Loads;

/// Where a MW comes from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Source {
    /// What it costs, USD/MWh.
    pub(super) cost: f64,
    /// How much there is, MW.
    pub(super) width: f64,
    /// The segment that draws less, or [`GRID`].
    pub(super) segment: u32,
    /// How many feeders of the battery's path lie between.
    pub(super) level: u32,
}

/// The source is the grid.
pub(super) const GRID: u32 = u32::MAX;

/// What does not change from interval to interval.
#[derive(Clone, Debug, Default)]
pub(super) struct Layout {
    /// The load of each segment.
    pub(super) load_of: Vec<usize>,
    /// The first segment of each load, and one past the last of all.
    pub(super) first: Vec<usize>,
    pub(super) width: Vec<f64>,
    /// The battery's feeders from its own up to the interconnection.
    pub(super) path: Vec<usize>,
    /// For each feeder, its place in the path if it is there.
    pub(super) place: Vec<Option<usize>>,
    /// For each load, the level it stands at: the number of feeders of the path
    /// between it and the battery.
    pub(super) level: Vec<u32>,
    simple: bool,
    /// How much all segments can draw together, MW.
    whole: f64,
    /// Segments, the least worthy first, as of the last interval looked at; what
    /// each is worth and how wide it is; and what all were worth then.
    pub(super) order: Vec<u32>,
    ranked: Vec<(f64, f64)>,
    sorted: Vec<f64>,
}

/// One interval, ready to be asked.
#[derive(Clone, Debug, Default)]
pub(super) struct Stage {
    /// Sources within the battery's reach, in rising cost.
    pub(super) sources: Vec<Source>,
    /// What the battery draws before the first source is taken, MW.
    pub(super) least: f64,
    /// The dearest source before those and the cheapest after them, USD/MWh.
    pub(super) beyond: (f64, f64),
    /// How many segments in order draw nothing whatever the battery does.
    pub(super) shed: usize,
    /// How much of the first source is taken whatever the battery does, MW.
    pub(super) skipped: f64,
    rem: Vec<f64>,
    grid: Vec<(f64, f64)>,
    all: Vec<Source>,
    /// What loads leave, where feeders or floors bound them.
    loads: Loads,
    /// By level of the battery's path, while an interval is settled: the dearest source
    /// taken, the cheapest left, and the price there.
    taken: Vec<f64>,
    left: Vec<f64>,
    prices: Vec<f64>,
}

impl Layout {
    /// Reads what stays the same; `feeder` is where the battery hangs.
    pub(super) fn read(&mut self, horizon: &Horizon, feeder: Option<usize>) {
        let lists = [&mut self.load_of, &mut self.first, &mut self.path];
        lists.into_iter().for_each(Vec::clear);
        self.width.clear();
        for (load, demand) in horizon.loads.iter().enumerate() {
            self.first.push(self.load_of.len());
            for width in &demand.segments_mw {
                self.load_of.push(load);
                self.width.push(*width);
            }
        }
        self.first.push(self.load_of.len());
        let mut at = feeder;
        while let Some(feeder) = at {
            self.path.push(feeder);
            at = horizon.feeders[feeder].parent;
        }
        let path = &self.path;
        let place_of = |feeder: usize| path.iter().position(|on| *on == feeder);
        self.place.clear();
        self.place.extend((0..horizon.feeders.len()).map(place_of));
        let level_from = |mut at: Option<usize>| {
            while let Some(feeder) = at {
                if let Some(place) = place_of(feeder) {
                    return place as u32;
                }
                at = horizon.feeders[feeder].parent;
            }
            path.len() as u32
        };
        self.level.clear();
        self.level.extend(horizon.loads.iter().map(|load| level_from(load.feeder)));
        self.simple =
            horizon.feeders.is_empty() && horizon.loads.iter().all(Demand::is_unbounded);
        // The order is that of worths alone, whatever it was before.
        if self.order.len() != self.load_of.len() {
            self.order.clear();
            self.order.extend(0..self.load_of.len() as u32);
        }
        self.sorted.clear();
        self.ranked.clear();
        self.whole = self.width.iter().sum();
    }

    /// Whether there is nothing but segments, battery and grid.
    pub(super) fn is_simple(&self) -> bool {
        self.simple
    }

    /// How wide each segment is, MW.
    pub(super) fn widths(&self) -> &[f64] {
        &self.width
    }

    /// How many feeders lie between the interconnection and the battery.
    pub(super) fn depth(&self) -> u32 {
        self.path.len() as u32
    }

    /// Puts the least worthy segment first. Little changes from one interval to
    /// the next, so insertion finds most in place.
    pub(super) fn sort(&mut self, worth: &[f64]) {
        if is_same(&self.sorted, worth) {
            return;
        }
        self.sorted.clear();
        self.sorted.extend_from_slice(worth);
        for at in 1..self.order.len() {
            let segment = self.order[at];
            let value = worth[segment as usize];
            let mut to = at;
            while to > 0 {
                let before = self.order[to - 1];
                let other = worth[before as usize];
                // The later segment of a load never comes after an earlier one of
                // the same worth: what is shed first was served last.
                let right = other < value || (other == value && before > segment);
                if right {
                    break;
                }
                self.order[to] = before;
                to -= 1;
            }
            self.order[to] = segment;
        }
        self.ranked.clear();
        let rank = |s: &u32| (worth[*s as usize], self.width[*s as usize]);
        self.ranked.extend(self.order.iter().map(rank));
    }
}

impl Layout {
    /// What each segment draws when the battery draws `beyond` more than the
    /// least, where nothing lies between: what comes before the sources draws
    /// nothing, what comes after them all it can. Returns what all draw.
    pub(super) fn settle(
        &self,
        sources: &[Source],
        (shed, skipped): (usize, f64),
        beyond: f64,
        segments: &mut [f64],
    ) -> f64 {
        segments.copy_from_slice(&self.width);
        let mut drawn = self.whole;
        for (segment, (_, width)) in self.order[..shed].iter().zip(&self.ranked) {
            segments[*segment as usize] = 0.0;
            drawn -= width;
        }
        let mut left = beyond;
        for (at, source) in sources.iter().enumerate() {
            if left <= 0.0 && at > 0 {
                break;
            }
            if source.segment != GRID {
                let before = if at == 0 { skipped } else { 0.0 };
                let taken = before + source.width.min(left.max(0.0));
                let segment = source.segment as usize;
                segments[segment] -= taken;
                drawn -= taken;
            }
            left -= source.width;
        }
        drawn
    }
}

impl Stage {
    /// Begins another horizon.
    pub(super) fn begin(&mut self) {
        self.loads.begin();
    }

    /// Lays out interval `t` for a battery that may draw between `-discharge`
    /// and `charge`.
    pub(super) fn lay_out(
        &mut self,
        horizon: &Horizon,
        layout: &mut Layout,
        t: usize,
        worth: &[f64],
        cap: Cap,
        discharge: f64,
        charge: f64,
    ) -> Result<(), Conflict> {
        let (least, most) = horizon.exchange_range(t);
        if least > most {
            return Err(Conflict::at(t, vec![Bound::Import, Bound::Export]));
        }
        horizon.exchange_parts(t, cap, &mut self.grid);
        let mut drawn = horizon.grid.base_mw.at(t);
        if layout.simple {
            layout.sort(worth);
            drawn += layout.whole;
        } else {
            self.loads.lay_out(horizon, layout, t, worth)?;
            drawn += self.loads.drawn(t);
        }
        // All loads served, as much sent back as may be.
        let lowest = -horizon.grid.export_limit_mw.at(t) - drawn;
        self.least = lowest.max(-discharge);
        let skip = self.least - lowest;
        let room = charge - self.least;
        self.sources.clear();
        self.beyond = (f64::NEG_INFINITY, f64::INFINITY);
        (self.shed, self.skipped) = (0, 0.0);
        let missing = if layout.simple {
            self.reach_out(layout, skip, room)
        } else {
            self.merge(layout, t);
            self.take_in_order(skip, room)
        };
        if missing > 1e-9 || self.least > charge + 1e-9 {
            return Err(self.nothing_fits(horizon, layout, t, self.least > charge));
        }
        Ok(())
    }

    /// The same where nothing lies between: merges segments and grid and keeps
    /// what is within reach. Returns what is missing before anything is.
    fn reach_out(&mut self, layout: &Layout, mut skip: f64, mut room: f64) -> f64 {
        let (mut load, mut grid) = (0, 0);
        loop {
            let (cost, width, from_grid) =
                match (layout.ranked.get(load), self.grid.get(grid)) {
                    (Some((worth, _)), Some((cost, width))) if cost <= worth => {
                        grid += 1;
                        (*cost, *width, true)
                    }
                    (Some((worth, width)), _) => {
                        load += 1;
                        (*worth, *width, false)
                    }
                    (None, Some((cost, width))) => {
                        grid += 1;
                        (*cost, *width, true)
                    }
                    (None, None) => return skip,
                };
            if width <= 0.0 {
                continue;
            }
            if width <= skip + DUST {
                skip = (skip - width).max(0.0);
                self.beyond.0 = cost;
                self.shed = load;
                continue;
            }
            let segment = if from_grid { GRID } else { layout.order[load - 1] };
            if !self.keep(Source { cost, width, segment, level: 0 }, &mut skip, &mut room)
            {
                return 0.0;
            }
        }
    }

    /// Keeps what of a source is within reach; false once nothing more is.
    fn keep(&mut self, source: Source, skip: &mut f64, room: &mut f64) -> bool {
        if *room <= 0.0 && *skip <= 0.0 {
            self.beyond.1 = source.cost;
            return false;
        }
        if *skip > 0.0 {
            self.beyond.0 = source.cost;
            self.skipped = *skip;
        }
        let left = source.width - *skip;
        let width = left.min(room.max(0.0));
        *skip = 0.0;
        *room -= width;
        self.sources.push(Source { width, ..source });
        if width < left {
            self.beyond.1 = source.cost;
            return false;
        }
        true
    }

    /// Sources of every place in rising cost, and the room on their way.
    fn merge(&mut self, layout: &Layout, t: usize) {
        let level = layout.depth();
        let from_grid =
            |(cost, width): (f64, f64)| Source { cost, width, segment: GRID, level };
        self.all.clear();
        let mut grid = self.grid.iter().copied().peekable();
        for source in self.loads.sources(t) {
            while let Some(part) = grid.next_if(|(cost, _)| *cost <= source.cost) {
                self.all.push(from_grid(part));
            }
            self.all.push(*source);
        }
        self.all.extend(grid.map(from_grid));
        self.rem.clear();
        self.rem.extend_from_slice(self.loads.rooms(t));
    }

    /// Takes the cheapest that still gets through to the battery. Returns what is
    /// missing before anything is within reach.
    fn take_in_order(&mut self, mut skip: f64, mut room: f64) -> f64 {
        for at in 0..self.all.len() {
            let source = self.all[at];
            let between = &mut self.rem[..source.level as usize];
            let width = between.iter().fold(source.width, |w, rem| w.min(*rem));
            // What rounding leaves of a feeder's room lets nothing through, and has no price.
            if width <= DUST {
                continue;
            }
            for rem in between {
                *rem -= width;
            }
            if width <= skip + DUST {
                skip = (skip - width).max(0.0);
                self.beyond.0 = source.cost;
                continue;
            }
            if !self.keep(Source { width, ..source }, &mut skip, &mut room) {
                return 0.0;
            }
        }
        skip
    }

    /// What each segment draws and what power is worth at every feeder, when
    /// the battery draws `battery` at a price of `price`, `cap` holds, and there are
    /// feeders or floors. Writes segments and feeder prices; returns the price at the
    /// interconnection.
    pub(super) fn settle(
        &mut self,
        horizon: &Horizon,
        layout: &Layout,
        t: usize,
        cap: Cap,
        (battery, price): (f64, f64),
        segments: &mut [f64],
        feeders: &mut [f64],
    ) -> f64 {
        let depth = layout.path.len();
        horizon.exchange_parts(t, cap, &mut self.grid);
        self.merge(layout, t);
        segments.copy_from_slice(self.loads.ceilings(t));
        let lowest = -horizon.grid.export_limit_mw.at(t)
            - horizon.grid.base_mw.at(t)
            - self.loads.drawn(t);
        let mut wanted = battery - lowest;
        let (taken, left) = (&mut self.taken, &mut self.left);
        for (list, figure) in [(&mut *taken, f64::NEG_INFINITY), (left, f64::INFINITY)] {
            list.clear();
            list.resize(depth + 1, figure);
        }
        for source in &self.all {
            let level = source.level as usize;
            let between = &mut self.rem[..level];
            let through = between.iter().fold(source.width, |w, rem| w.min(*rem));
            let through = through.min(wanted).max(0.0);
            for rem in between {
                *rem -= through;
            }
            wanted -= through;
            if through > 0.0 {
                self.taken[level] = self.taken[level].max(source.cost);
                if source.segment != GRID {
                    let segment = source.segment as usize;
                    segments[segment] -= through;
                }
            }
            if through < source.width {
                self.left[level] = self.left[level].min(source.cost);
            }
        }
        // From the battery outwards: a feeder with room has one price on both
        // sides, a full one may be dearer inside.
        let mut at = price;
        let prices = &mut self.prices;
        prices.clear();
        prices.resize(depth + 1, price);
        for level in 1..=depth {
            if self.rem[level - 1] <= 1e-9 {
                let end = (level..depth).find(|next| self.rem[*next] <= 1e-9);
                let beyond = level..=end.unwrap_or(depth);
                let dearest =
                    self.taken[beyond.clone()].iter().fold(f64::MIN, |m, c| m.max(*c));
                let cheapest = self.left[beyond].iter().fold(f64::MAX, |m, c| m.min(*c));
                at = at.min(cheapest.max(dearest));
            }
            prices[level] = at;
        }
        let cuts = self.loads.cuts(t);
        for (feeder, circuit) in horizon.feeders.iter().enumerate() {
            let outside = match circuit.parent {
                None => prices[depth],
                Some(parent) => feeders[parent],
            };
            feeders[feeder] = match layout.place[feeder] {
                Some(place) => prices[place],
                None => outside.max(cuts[feeder]),
            };
        }
        prices[depth]
    }

    /// Says why the battery can draw nothing at all that keeps every limit.
    fn nothing_fits(
        &mut self,
        horizon: &Horizon,
        layout: &Layout,
        t: usize,
        forced: bool,
    ) -> Conflict {
        if forced {
            // More has to be drawn than loads and battery can take.
            let mut limits = vec![Bound::Export];
            limits.extend((0..horizon.loads.len()).map(Bound::Ceiling));
            if !horizon.batteries.is_empty() {
                limits.push(Bound::StorePower(0));
            }
            return Conflict::at(t, limits);
        }
        // What has to be drawn does not get through: the innermost feeder of the
        // path that floors alone fill, or the interconnection.
        let discharge = horizon.batteries.first().map_or(0.0, |b| b.discharge_mw.at(t));
        for feeder in layout.path.iter().rev() {
            let floors: f64 = (0..horizon.loads.len())
                .filter(|load| horizon.is_below(*load, *feeder))
                .map(|load| horizon.loads[load].floor_mw.at(t))
                .sum();
            if floors - discharge > horizon.feeders[*feeder].limit_mw.at(t) + 1e-9 {
                let mut limits = vec![Bound::Feeder(*feeder), Bound::StorePower(0)];
                limits.extend(self.loads.floors_below(horizon, layout, t, Some(*feeder)));
                return Conflict::at(t, limits);
            }
        }
        let mut limits = vec![Bound::Import];
        if !horizon.batteries.is_empty() {
            limits.push(Bound::StorePower(0));
        }
        limits.extend(self.loads.floors_below(horizon, layout, t, None));
        Conflict::at(t, limits)
    }
}

/// What the exchange costs in one interval, USD/MWh.
#[derive(Clone, Copy, Debug)]
pub(super) struct GridPrice {
    /// A MWh drawn.
    pub(super) import: f64,
    /// A MWh sent back.
    pub(super) export: f64,
}

/// A power below this is what rounding leaves, MW.
const DUST: f64 = 1e-9;
