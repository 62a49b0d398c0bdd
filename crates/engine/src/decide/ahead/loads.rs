//! The loads of each interval within their floors, ceilings and feeders.
//!
//! What a segment may draw, and what shedding it is worth, follow from the site and the
//! interval alone. A cap on a peak changes what the grid costs and nothing here, so this
//! is laid out once for a horizon, however many caps are looked at.

use super::conflict::{Bound, Conflict};
use super::horizon::Horizon;
use super::stage::{Layout, Source};

/// What loads leave, interval by interval.
#[derive(Clone, Debug, Default)]
pub(super) struct Loads {
    /// How many intervals are laid out.
    count: usize,
    /// What every segment may draw, by interval: what floors take is part of it.
    ceiling: Vec<f64>,
    /// The price below each feeder that is not on the battery's path and cuts.
    cut: Vec<f64>,
    /// How much more may flow through each feeder of the path, all loads served and as
    /// much sent back as may be.
    room: Vec<f64>,
    /// What all segments draw then.
    drawn: Vec<f64>,
    /// What segments can draw less, in rising worth, and where each interval's begin.
    sources: Vec<Source>,
    from: Vec<usize>,
    /// Of the interval that is laid out: what every segment must draw, what each
    /// feeder's loads are worth, and what they must draw.
    floor: Vec<f64>,
    lists: Vec<Vec<(f64, u32)>>,
    floors: Vec<f64>,
}

impl Loads {
    /// Begins another horizon.
    pub(super) fn begin(&mut self) {
        self.count = 0;
        let figures = [&mut self.ceiling, &mut self.cut, &mut self.room, &mut self.drawn];
        figures.into_iter().for_each(Vec::clear);
        self.sources.clear();
        self.from.clear();
        self.from.push(0);
    }

    /// Lays out interval `t`, unless it is: intervals come in order.
    pub(super) fn lay_out(
        &mut self,
        horizon: &Horizon,
        layout: &mut Layout,
        t: usize,
        worth: &[f64],
    ) -> Result<(), Conflict> {
        if t < self.count {
            return Ok(());
        }
        layout.sort(worth);
        let first = self.ceiling.len();
        let laid = self.lay_out_next(horizon, layout, t, worth);
        if laid.is_err() {
            self.ceiling.truncate(first);
            self.cut.truncate(self.count * horizon.feeders.len());
            self.room.truncate(self.count * layout.path.len());
            return laid;
        }
        for segment in &layout.order {
            let at = *segment as usize;
            let width = self.ceiling[first + at] - self.floor[at];
            if width > 0.0 {
                let level = layout.level[layout.load_of[at]];
                let (cost, segment) = (worth[at], *segment);
                self.sources.push(Source { cost, width, segment, level });
            }
        }
        self.from.push(self.sources.len());
        self.drawn.push(self.ceiling[first..].iter().sum());
        self.count += 1;
        Ok(())
    }

    fn lay_out_next(
        &mut self,
        horizon: &Horizon,
        layout: &Layout,
        t: usize,
        worth: &[f64],
    ) -> Result<(), Conflict> {
        self.bound_segments(horizon, layout, t)?;
        self.cut_off(horizon, layout, t, worth)?;
        self.room_inside(horizon, layout, t)
    }

    /// What every segment may draw in interval `t`.
    pub(super) fn ceilings(&self, t: usize) -> &[f64] {
        let count = self.ceiling.len() / self.count;
        &self.ceiling[t * count..(t + 1) * count]
    }

    /// The price below each feeder that is not on the battery's path and cuts.
    pub(super) fn cuts(&self, t: usize) -> &[f64] {
        let count = self.cut.len() / self.count;
        &self.cut[t * count..(t + 1) * count]
    }

    /// How much more may flow through each feeder of the battery's path.
    pub(super) fn rooms(&self, t: usize) -> &[f64] {
        let count = self.room.len() / self.count;
        &self.room[t * count..(t + 1) * count]
    }

    /// What all segments may draw together, MW.
    pub(super) fn drawn(&self, t: usize) -> f64 {
        self.drawn[t]
    }

    /// What segments can draw less, in rising worth.
    pub(super) fn sources(&self, t: usize) -> &[Source] {
        &self.sources[self.from[t]..self.from[t + 1]]
    }

    /// Floors and ceilings of loads, shared out to their segments in order.
    fn bound_segments(
        &mut self,
        horizon: &Horizon,
        layout: &Layout,
        t: usize,
    ) -> Result<(), Conflict> {
        self.floor.clear();
        for (load, demand) in horizon.loads.iter().enumerate() {
            let mut floor = demand.floor_mw.at(t);
            let mut ceiling = demand.ceiling_mw.at(t);
            let whole: f64 = demand.segments_mw.iter().sum();
            if floor > ceiling.min(whole) + 1e-9 {
                let limits = vec![Bound::Floor(load), Bound::Ceiling(load)];
                return Err(Conflict::at(t, limits));
            }
            for segment in layout.first[load]..layout.first[load + 1] {
                let width = layout.width[segment];
                let most = width.min(ceiling.max(0.0));
                let least = most.min(floor.max(0.0));
                ceiling -= most;
                floor -= least;
                self.ceiling.push(most);
                self.floor.push(least);
            }
        }
        Ok(())
    }

    /// Feeders without a battery below keep their worthiest loads.
    fn cut_off(
        &mut self,
        horizon: &Horizon,
        layout: &Layout,
        t: usize,
        worth: &[f64],
    ) -> Result<(), Conflict> {
        let count = horizon.feeders.len();
        let (first, ceiling) = (self.cut.len(), self.ceiling.len() - self.floor.len());
        self.cut.resize(first + count, f64::NEG_INFINITY);
        if count == 0 {
            return Ok(());
        }
        self.lists.resize(count, Vec::new());
        self.floors.clear();
        self.floors.resize(count, 0.0);
        for list in &mut self.lists {
            list.clear();
        }
        for (load, demand) in horizon.loads.iter().enumerate() {
            let Some(feeder) = demand.feeder else { continue };
            if layout.place[feeder].is_some() {
                continue;
            }
            for (segment, worth) in worth
                .iter()
                .enumerate()
                .take(layout.first[load + 1])
                .skip(layout.first[load])
            {
                self.lists[feeder].push((*worth, segment as u32));
                self.floors[feeder] += self.floor[segment];
            }
        }
        for feeder in (0..count).rev() {
            if layout.place[feeder].is_some() {
                continue;
            }
            let mut list = std::mem::take(&mut self.lists[feeder]);
            let mut room = horizon.feeders[feeder].limit_mw.at(t) - self.floors[feeder];
            if room < -1e-9 {
                return Err(self.too_much_below(horizon, layout, t, feeder));
            }
            list.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
            for (worth, segment) in &list {
                let at = *segment as usize;
                let wide = self.ceiling[ceiling + at] - self.floor[at];
                let kept = wide.min(room.max(0.0));
                if kept < wide {
                    self.cut[first + feeder] = self.cut[first + feeder].max(*worth);
                    self.ceiling[ceiling + at] = self.floor[at] + kept;
                }
                room -= kept;
            }
            if let Some(parent) = horizon.feeders[feeder].parent
                && layout.place[parent].is_none()
            {
                self.lists[parent].extend_from_slice(&list);
                self.floors[parent] += self.floors[feeder];
            }
            self.lists[feeder] = list;
        }
        Ok(())
    }

    /// How much more may flow through each feeder of the path with all loads served and
    /// as much sent back as may be.
    fn room_inside(
        &mut self,
        horizon: &Horizon,
        layout: &Layout,
        t: usize,
    ) -> Result<(), Conflict> {
        if layout.path.is_empty() {
            return Ok(());
        }
        let ceiling = &self.ceiling[self.ceiling.len() - self.floor.len()..];
        let drawn = horizon.grid.base_mw.at(t) + ceiling.iter().sum::<f64>();
        let lowest = -horizon.grid.export_limit_mw.at(t) - drawn;
        for (place, feeder) in layout.path.iter().enumerate() {
            let inside = |(segment, _): &(usize, &f64)| {
                layout.level[layout.load_of[*segment]] as usize <= place
            };
            let below: f64 =
                ceiling.iter().enumerate().filter(inside).map(|(_, most)| most).sum();
            let room = horizon.feeders[*feeder].limit_mw.at(t) - (lowest + below);
            // Less than that cannot flow.
            if room < -1e-9 {
                let limits = vec![Bound::Export, Bound::Feeder(*feeder)];
                return Err(Conflict::at(t, limits));
            }
            self.room.push(room);
        }
        Ok(())
    }

    fn too_much_below(
        &self,
        horizon: &Horizon,
        layout: &Layout,
        t: usize,
        feeder: usize,
    ) -> Conflict {
        let mut limits = vec![Bound::Feeder(feeder)];
        limits.extend(floors_below(horizon, layout, &self.floor, Some(feeder)));
        Conflict::at(t, limits)
    }

    /// The floors below a feeder of interval `t`, or of all loads, that something of a
    /// load must draw for.
    pub(super) fn floors_below(
        &mut self,
        horizon: &Horizon,
        layout: &Layout,
        t: usize,
        feeder: Option<usize>,
    ) -> Vec<Bound> {
        let ceiling = self.ceiling.len();
        // Floors are not kept: they are asked for where nothing fits.
        let _ = self.bound_segments(horizon, layout, t);
        self.ceiling.truncate(ceiling);
        floors_below(horizon, layout, &self.floor, feeder).collect()
    }
}

/// The floors of loads below a feeder, or of all.
fn floors_below<'a>(
    horizon: &'a Horizon,
    layout: &'a Layout,
    floor: &'a [f64],
    feeder: Option<usize>,
) -> impl Iterator<Item = Bound> + 'a {
    (0..horizon.loads.len())
        .filter(move |load| {
            let takes = (layout.first[*load]..layout.first[*load + 1])
                .any(|segment| floor[segment] > 0.0);
            takes && feeder.is_none_or(|feeder| horizon.is_below(*load, feeder))
        })
        .map(Bound::Floor)
}
