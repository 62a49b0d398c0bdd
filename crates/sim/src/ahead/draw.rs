//! Horizons drawn from a seed: every feature that a horizon can have, and what is
//! degenerate about it.
//!
//! A swarm: each horizon has some features and not others, so that each is met
//! alone and together. Figures lie on a coarse grid as often as not, which makes
//! worths and prices equal and corners meet.

use engine::decide::ahead::commit::{Before, Machine};
use engine::decide::ahead::{
    Block, Dated, Demand, End, Feeder, Grid, Horizon, Peak, Ramp, Store,
};

use crate::seed::{self, Generator};

/// The horizon of a seed.
pub fn draw(seed: u64) -> Horizon {
    let mut draw = Draw::new(seed);
    let n = *draw.options.pick(&[1, 1, 2, 2, 3, 4, 5, 6, 8, 12, 16, 24, 24, 48, 96]);
    let hours = *draw.options.pick(&[0.25, 0.25, 0.25, 1.0 / 12.0, 0.5, 1.0]);
    let feeders = draw.feeders(n);
    let loads = draw.loads(n, feeders.len());
    let batteries = draw.batteries(n, hours, feeders.len());
    let grid = draw.grid(n, &loads);
    let worth_usd_per_mwh = draw.worths(n, &loads);
    Horizon { hours, grid, feeders, loads, worth_usd_per_mwh, batteries }
}

/// The horizon of a seed that is small enough to be solved in whole numbers, and
/// machines for some of its loads: all or nothing, or with a least draw while on.
pub fn with_machines(seed: u64) -> (Horizon, Vec<Machine>) {
    let mut draw = Draw::new(seed);
    let mut own = seed::generator(seed::sub_seed(seed, "ahead"), "machines");
    let n = *draw.options.pick(&[1, 2, 3, 4, 6, 8, 10, 12, 16]);
    let hours = *draw.options.pick(&[0.25, 0.5, 1.0]);
    let feeders = draw.feeders(n);
    let mut loads = draw.loads(n, feeders.len());
    let batteries = draw.batteries(n, hours, feeders.len());
    let mut machines = Vec::new();
    for (place, load) in loads.iter_mut().enumerate() {
        let whole: f64 = load.segments_mw.iter().sum();
        if own.chance(PPM / 4) || whole == 0.0 {
            continue;
        }
        let part = *own.pick(&[1.0, 1.0, 0.8, 0.5, 0.2]);
        load.floor_mw = Dated::Always(part * whole);
        // What starts and stops in whole does not do so slowly.
        load.ramp = Ramp::FREE;
        let stood = own.integer(0..=8) as usize;
        machines.push(Machine {
            load: place,
            up: own.integer(0..=6) as usize,
            down: own.integer(0..=6) as usize,
            start_usd: whole * hours * usd(&mut own, draw.coarse, (0, 60)),
            before: match own.chance(PPM / 3) {
                true => Before::On(stood),
                false => Before::Off(stood),
            },
        });
    }
    // What is off draws nothing: limits leave no room for all at once.
    let mut off = loads.clone();
    for machine in &machines {
        off[machine.load].floor_mw = Dated::Always(0.0);
    }
    let grid = draw.grid(n, &off);
    let worth_usd_per_mwh = draw.worths(n, &loads);
    (Horizon { hours, grid, feeders, loads, worth_usd_per_mwh, batteries }, machines)
}

/// A generator for each part, and what kind of horizon it is.
struct Draw {
    options: Generator,
    grid: Generator,
    feeders: Generator,
    loads: Generator,
    worths: Generator,
    stores: Generator,
    /// Figures are multiples of ten or five.
    coarse: bool,
    /// Limits leave little room, and now and then none.
    tight: bool,
    /// Ramps are slow, so that they bind all over.
    slow: bool,
    has: Has,
}

/// Which features there are.
struct Has {
    feeders: bool,
    stores: bool,
    load_ramps: bool,
    exchange_ramp: bool,
    floors: bool,
    ceilings: bool,
    spread: bool,
    blocks: bool,
    peaks: bool,
    dated: bool,
}

const PPM: u32 = 1_000_000;

impl Draw {
    fn new(seed: u64) -> Self {
        let part = |name: &str| seed::generator(seed::sub_seed(seed, "ahead"), name);
        let mut options = part("options");
        let coarse = options.chance(PPM / 2);
        let tight = options.chance(PPM / 6);
        let slow = options.chance(PPM / 3);
        let mut has = || options.chance(PPM * 2 / 5);
        let has = Has {
            feeders: has(),
            stores: has() || has(),
            load_ramps: has(),
            exchange_ramp: has(),
            floors: has(),
            ceilings: has(),
            spread: has(),
            blocks: has(),
            peaks: has(),
            dated: has(),
        };
        let (grid, feeders, loads) = (part("grid"), part("feeders"), part("loads"));
        let (worths, stores) = (part("worths"), part("stores"));
        Self { options, grid, feeders, loads, worths, stores, coarse, tight, slow, has }
    }

    fn feeders(&mut self, n: usize) -> Vec<Feeder> {
        if !self.has.feeders {
            return Vec::new();
        }
        let (coarse, dated, draw) = (self.coarse, self.has.dated, &mut self.feeders);
        let count = draw.integer(1..=4) as usize;
        let feeder = |place: usize| {
            let parent = draw.integer(-1..=place as i64 - 1);
            let parent = usize::try_from(parent).ok();
            // Now and then one that carries nothing at all.
            let limit = if draw.chance(PPM / 12) {
                Dated::Always(0.0)
            } else {
                dated_mw(draw, n, dated, coarse, (10.0, 160.0))
            };
            Feeder { parent, limit_mw: limit }
        };
        (0..count).map(feeder).collect()
    }

    fn loads(&mut self, n: usize, feeders: usize) -> Vec<Demand> {
        let (coarse, dated, slow, draw) =
            (self.coarse, self.has.dated, self.slow, &mut self.loads);
        let (floors, ceilings, ramps) =
            (self.has.floors, self.has.ceilings, self.has.load_ramps);
        let count = *draw.pick(&[0, 1, 1, 2, 2, 3, 4, 6]);
        let tight = self.tight;
        let load = |_| {
            let count = *draw.pick(&[1, 1, 1, 2, 3]);
            let mut segments_mw: Vec<f64> =
                (0..count).map(|_| mw(draw, coarse, (5.0, 60.0))).collect();
            if draw.chance(PPM / 25) {
                segments_mw[0] = 0.0;
            }
            let whole: f64 = segments_mw.iter().sum();
            let ceiling_mw = if ceilings && draw.chance(PPM / 2) {
                dated_mw(draw, n, dated, coarse, (whole / 3.0, whole * 1.2))
            } else {
                Dated::Always(f64::INFINITY)
            };
            let floor_mw = if floors && draw.chance(PPM / 3) {
                let part = if tight { 0.7 } else { 0.3 };
                dated_mw(draw, n, dated, coarse, (0.0, whole * part))
            } else {
                Dated::Always(0.0)
            };
            let ramp = if ramps && draw.chance(PPM * 2 / 3) {
                ramp(draw, coarse, slow, whole, |draw| mw(draw, coarse, (0.0, whole)))
            } else {
                Ramp::FREE
            };
            let feeder = hangs_at(draw, feeders);
            Demand { feeder, segments_mw, floor_mw, ceiling_mw, ramp }
        };
        (0..count).map(load).collect()
    }

    fn batteries(&mut self, n: usize, hours: f64, feeders: usize) -> Vec<Store> {
        if !self.has.stores {
            return Vec::new();
        }
        let (coarse, dated, draw) = (self.coarse, self.has.dated, &mut self.stores);
        let store = |_| {
            let most =
                if draw.chance(PPM / 20) { 0.0 } else { mw(draw, coarse, (5.0, 80.0)) };
            let efficiency = |draw: &mut Generator| *draw.pick(&[0.94, 0.9, 0.85, 1.0]);
            let stored = most * draw.integer(0..=10) as f64 / 10.0;
            let least =
                if draw.chance(PPM / 5) { (most / 10.0).min(stored) } else { 0.0 };
            let power = dated_mw(draw, n, dated, coarse, (5.0, 60.0));
            let end = match draw.integer(0..=3) {
                0 | 1 => End::Free,
                2 => {
                    // Mostly within what can be reached by then.
                    let reach = 8.0 * hours * n as f64;
                    let wish = most * draw.integer(0..=10) as f64 / 10.0;
                    let wild = draw.chance(PPM / 10);
                    let mwh = if wild {
                        wish
                    } else {
                        wish.clamp(stored - reach, stored + reach)
                    };
                    End::At(mwh.clamp(least, most.max(least)))
                }
                _ => {
                    let mut parts: Vec<(f64, f64)> = (0..draw.integer(1..=3))
                        .map(|_| {
                            (mw(draw, coarse, (5.0, 40.0)), usd(draw, coarse, (0, 90)))
                        })
                        .collect();
                    parts.sort_by(|one, other| other.1.total_cmp(&one.1));
                    End::Worth(parts)
                }
            };
            let room = if dated && draw.chance(PPM / 4) {
                let part =
                    |draw: &mut Generator| most * draw.integer(9..=10) as f64 / 10.0;
                Dated::Each((0..n).map(|_| part(draw).max(least)).collect())
            } else {
                Dated::Always(most)
            };
            Store {
                feeder: hangs_at(draw, feeders),
                charge_mw: power.clone(),
                discharge_mw: if draw.chance(PPM / 2) {
                    power
                } else {
                    dated_mw(draw, n, dated, coarse, (5.0, 60.0))
                },
                stored_min_mwh: Dated::Always(least),
                stored_max_mwh: room,
                charge_efficiency: efficiency(draw),
                discharge_efficiency: efficiency(draw),
                wear_usd_per_mwh: *draw.pick(&[0.0, 0.0, 5.0, 12.5]),
                stored_mwh: stored,
                end,
            }
        };
        let count = *self.options.pick(&[1, 1, 1, 2, 3]);
        (0..count).map(store).collect()
    }

    fn grid(&mut self, n: usize, loads: &[Demand]) -> Grid {
        let (coarse, dated, slow) = (self.coarse, self.has.dated, self.slow);
        let whole: f64 = loads.iter().flat_map(|load| &load.segments_mw).sum();
        let import_usd_per_mwh = self.prices(n);
        let draw = &mut self.grid;
        let base = if draw.chance(PPM / 4) {
            dated_mw(draw, n, dated, coarse, (0.0, 20.0))
        } else {
            Dated::Always(0.0)
        };
        // Most sites hold what must run: what is always drawn fits below.
        let floor: f64 = loads.iter().map(|load| most_of(&load.floor_mw, n)).sum();
        let must = if self.tight { 0.0 } else { floor + most_of(&base, n) };
        let import_limit_mw = dated_mw(
            draw,
            n,
            dated,
            coarse,
            (must + 0.3 * whole, must + 30.0 + 1.1 * whole),
        );
        let export_limit_mw = match draw.integer(0..=5) {
            0 | 1 => Dated::Always(0.0),
            2..=4 => dated_mw(draw, n, dated, coarse, (0.0, 80.0)),
            _ if self.tight => Dated::Always(-mw(draw, coarse, (5.0, 30.0))),
            _ => Dated::Always(0.0),
        };
        let span = (whole + 60.0).max(40.0);
        let ramp = if self.has.exchange_ramp {
            ramp(draw, coarse, slow, span, |draw| {
                mw(draw, coarse, (0.0, 0.8 * whole + 10.0))
            })
        } else {
            Ramp::FREE
        };
        let export_usd_per_mwh = self.has.spread.then(|| {
            let always = usd(draw, coarse, (0, 20));
            let spread = |_| if coarse { always } else { always * draw.unit() };
            let spreads: Vec<f64> = (0..n).map(spread).collect();
            import_usd_per_mwh
                .iter()
                .zip(spreads)
                .map(|(price, spread)| price - spread)
                .collect()
        });
        let mut grid = Grid {
            import_usd_per_mwh,
            export_usd_per_mwh,
            import_limit_mw,
            export_limit_mw,
            base_mw: base,
            ramp,
            blocks: Vec::new(),
            peaks: Vec::new(),
        };
        if self.has.blocks {
            grid.blocks =
                (0..draw.integer(1..=3)).map(|_| block(draw, coarse, n, &grid)).collect();
        }
        if self.has.peaks {
            grid.peaks = peaks(draw, coarse, n, whole);
        }
        grid
    }

    /// Prices of a kind: a walk with spikes, two levels, one, below nothing all
    /// day, or anything.
    fn prices(&mut self, n: usize) -> Vec<f64> {
        let (coarse, draw) = (self.coarse, &mut self.grid);
        let kind = draw.integer(0..=6);
        let mut level = usd(draw, coarse, (10, 60));
        let two = [level, usd(draw, coarse, (-20, 120))];
        (0..n)
            .map(|_| match kind {
                0..=2 => {
                    level += usd(draw, coarse, (-10, 10));
                    if draw.chance(PPM / 20) {
                        usd(draw, coarse, (200, 5_000))
                    } else {
                        level
                    }
                }
                3 => *draw.pick(&two),
                4 => two[0],
                5 => -usd(draw, coarse, (0, 150)),
                _ => usd(draw, coarse, (-100, 200)),
            })
            .collect()
    }

    fn worths(&mut self, n: usize, loads: &[Demand]) -> Vec<f64> {
        let (coarse, dated, draw) = (self.coarse, self.has.dated, &mut self.worths);
        let equal = draw.chance(PPM / 8).then(|| usd(draw, coarse, (20, 100)));
        let one = |draw: &mut Generator| {
            // Some loads must run, and some would be paid not to.
            equal.unwrap_or_else(|| match draw.integer(0..=14) {
                0 => 4_000.0,
                1 => -usd(draw, coarse, (0, 40)),
                _ => usd(draw, coarse, (0, 120)),
            })
        };
        let whole: Vec<Vec<f64>> = loads
            .iter()
            .map(|load| load.segments_mw.iter().map(|_| one(draw)).collect())
            .collect();
        let mut worths = Vec::new();
        for _ in 0..n {
            for own in &whole {
                let moved = |draw: &mut Generator, worth: f64| match dated {
                    true => worth + usd(draw, coarse, (-10, 10)),
                    false => worth,
                };
                let mut own: Vec<f64> =
                    own.iter().map(|worth| moved(draw, *worth)).collect();
                own.sort_by(|one, other| other.total_cmp(one));
                worths.extend(own);
            }
        }
        worths
    }
}

/// A power between two, on a grid of ten or anywhere.
fn mw(draw: &mut Generator, coarse: bool, (low, high): (f64, f64)) -> f64 {
    let value = low + (high - low) * draw.unit();
    if coarse {
        (value / 10.0).round() * 10.0
    } else {
        (value * 1_000.0).round() / 1_000.0
    }
}

/// A price between two, on a grid of five or anywhere.
fn usd(draw: &mut Generator, coarse: bool, (low, high): (i64, i64)) -> f64 {
    if coarse {
        return 5.0 * draw.integer(low.div_euclid(5)..=high.div_euclid(5)) as f64;
    }
    draw.integer(low * 100..=high * 100) as f64 / 100.0
}

fn dated_mw(
    draw: &mut Generator,
    n: usize,
    dated: bool,
    coarse: bool,
    range: (f64, f64),
) -> Dated {
    if dated && draw.chance(PPM / 2) {
        return Dated::Each((0..n).map(|_| mw(draw, coarse, range)).collect());
    }
    Dated::Always(mw(draw, coarse, range))
}

fn most_of(value: &Dated, n: usize) -> f64 {
    (0..n).map(|t| value.at(t)).fold(0.0, f64::max)
}

fn hangs_at(draw: &mut Generator, feeders: usize) -> Option<usize> {
    usize::try_from(draw.integer(-1..=feeders as i64 - 1)).ok()
}

/// A ramp of something as large as `whole`: of one direction or both, slow or
/// not, from somewhere or from anywhere.
fn ramp(
    draw: &mut Generator,
    coarse: bool,
    slow: bool,
    whole: f64,
    before: impl Fn(&mut Generator) -> f64,
) -> Ramp {
    let part = if slow { (0.02, 0.15) } else { (0.15, 0.8) };
    let one = |draw: &mut Generator| {
        if draw.chance(PPM / 4) {
            return f64::INFINITY;
        }
        mw(draw, coarse, (part.0 * whole, part.1 * whole)).max(if slow {
            1.0
        } else {
            5.0
        })
    };
    let (up_mw, down_mw) = (one(draw), one(draw));
    let before_mw = draw.chance(PPM / 2).then(|| before(draw));
    Ramp { up_mw, down_mw, before_mw }
}

/// A block whose resale lies between what a MWh drawn costs and one sent back pays.
fn block(draw: &mut Generator, coarse: bool, n: usize, grid: &Grid) -> Block {
    let from = draw.integer(0..=n as i64 - 1) as usize;
    let to = draw.integer(from as i64 + 1..=n as i64) as usize;
    let part = *draw.pick(&[0.0, 0.25, 0.5, 1.0]);
    let resale = |t: usize| {
        let import = grid.import_usd_per_mwh[t];
        let export = grid.export_usd_per_mwh.as_ref().map_or(import, |pays| pays[t]);
        (export + part * (import - export)).clamp(export, import)
    };
    Block {
        from,
        to,
        mw: mw(draw, coarse, (5.0, 60.0)),
        resale_usd_per_mwh: Dated::Each((0..n).map(resale).collect()),
    }
}

/// Spans with a charge on their highest draw, one after the other.
fn peaks(draw: &mut Generator, coarse: bool, n: usize, whole: f64) -> Vec<Peak> {
    let mut peaks = Vec::new();
    let mut from = 0;
    while from < n && peaks.len() < 3 {
        from += draw.integer(0..=n as i64 / 4) as usize;
        if from >= n {
            break;
        }
        let to = draw.integer(from as i64 + 1..=n as i64) as usize;
        let already_mw = match draw.integer(0..=2) {
            0 => 0.0,
            _ => mw(draw, coarse, (0.0, whole.max(10.0))),
        };
        let usd_per_mw = usd(draw, coarse, (0, 400));
        peaks.push(Peak { from, to, usd_per_mw, already_mw });
        from = to;
    }
    peaks
}
