//! Power by blocks of days as they were, and the coin's moves of the same days.
//!
//! A seasonal block bootstrap (after Künsch, 1989, and Politis, 2001): a future is put
//! together from stretches of whole days of history, each of the same weekday and time of
//! the year as the days it stands for. Within a block everything is as it was: how hours
//! follow one another, how long a spike holds, prices below nought, and what the coin did
//! on the same days. No law is told for any of it, and nothing comes that never came.
//!
//! Prices are scaled month by month to a forward, where there is one, and by a level that
//! wanders (fuel), as those of [`power`](super::power) are.
//!
//! A decision at an hour's start knows what the hour before settled at.

use units::Timestamp;

use super::HOURS_PER_YEAR;
use super::copula::Together;
use super::draw::Draws;
use super::level::{Level, LevelPath};
use super::maths;
use super::power::Hour;

/// One day of history by the market's clock.
#[derive(Clone, Debug, PartialEq)]
pub struct PastDay {
    /// Days since 1970.
    pub day: i64,
    /// What each hour settled at, in USD/MWh.
    pub usd_per_mwh: [f64; 24],
    /// What the coin's logarithm moved by; `None` where that is not to be followed.
    pub coin_move: Option<f64>,
}

/// How days are put together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// How many days a block has; a multiple of 7 keeps weekdays in their order.
    pub block_days: usize,
    /// How far a block's first day may be from the time of the year that it stands for.
    pub season_days: i64,
}

/// Days of history to put futures together from.
#[derive(Clone, Debug, PartialEq)]
pub struct Blocks {
    days: Vec<PastDay>,
    shape: Shape,
    /// By day of the year and weekday, where a block may begin.
    begins: Vec<Vec<u32>>,
    /// By month, what prices are multiplied by.
    scale: [f64; 12],
    coin_drift: f64,
}

/// Why days make no blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoBlocks {
    /// No block begins near a day of the year (0 is the first of January), on a weekday.
    NoneNear {
        /// The day of the year.
        day_of_year: i64,
    },
    /// Days are not in order.
    OutOfOrder {
        /// The place of the one that is not after the one before.
        place: usize,
    },
}

const YEAR_DAYS: i64 = 366;
const WEEK: i64 = 7;

/// The day of its year, 0 to 365: the same day of the same month has the same in every
/// year, so that the 29th of February stands between two others in all of them.
fn day_of_year(day: i64) -> i64 {
    const BEFORE: [i64; 12] = [0, 31, 60, 91, 121, 152, 182, 213, 244, 274, 305, 335];
    let (_, month, of_month) = Timestamp::from_unix_seconds(day * 86_400).utc_date();
    BEFORE[month as usize - 1] + i64::from(of_month) - 1
}

fn month(day: i64) -> usize {
    Timestamp::from_unix_seconds(day * 86_400).utc_date().1 as usize - 1
}

fn near(one: i64, other: i64) -> i64 {
    let apart = (one - other).rem_euclid(YEAR_DAYS);
    apart.min(YEAR_DAYS - apart)
}

impl Blocks {
    /// Blocks of days in order; a block has no gap within it.
    ///
    /// # Errors
    /// Where days are not in order, or some part of the year has no block.
    pub fn of(days: Vec<PastDay>, shape: Shape) -> Result<Self, NoBlocks> {
        if let Some(place) = days.windows(2).position(|pair| pair[1].day <= pair[0].day) {
            return Err(NoBlocks::OutOfOrder { place: place + 1 });
        }
        let length = shape.block_days.max(1);
        let mut starts = Vec::new();
        for (place, block) in days.windows(length).enumerate() {
            if block[length - 1].day - block[0].day == length as i64 - 1 {
                starts.push((place as u32, block[0].day));
            }
        }
        let mut begins = vec![Vec::new(); (YEAR_DAYS * WEEK) as usize];
        for (place, day) in starts {
            for of_year in 0..YEAR_DAYS {
                if near(day_of_year(day), of_year) <= shape.season_days {
                    begins[(of_year * WEEK + day.rem_euclid(WEEK)) as usize].push(place);
                }
            }
        }
        if let Some(at) = begins.iter().position(Vec::is_empty) {
            return Err(NoBlocks::NoneNear { day_of_year: at as i64 / WEEK });
        }
        let moves: Vec<f64> = days.iter().filter_map(|day| day.coin_move).collect();
        let grown: f64 = moves.iter().map(|value| maths::exp(*value)).sum();
        let coin_drift =
            if moves.is_empty() { 0.0 } else { -maths::ln(grown / moves.len() as f64) };
        Ok(Self { days, shape, begins, scale: [1.0; 12], coin_drift })
    }

    /// How they are put together.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// Its days.
    pub fn days(&self) -> &[PastDay] {
        &self.days
    }

    /// The mean price of each month in history, in USD/MWh, before it is scaled; nothing
    /// of a month without a day.
    pub fn means_usd_per_mwh(&self) -> [Option<f64>; 12] {
        let mut sums = [(0.0, 0.0); 12];
        for day in &self.days {
            let sum = &mut sums[month(day.day)];
            sum.0 += day.usd_per_mwh.iter().sum::<f64>();
            sum.1 += 24.0;
        }
        sums.map(|(sum, count)| (count > 0.0).then(|| sum / count))
    }

    /// The same with each month's prices scaled to a forward of that month. `None` where
    /// history has a month at nought or below, which no factor brings anywhere.
    #[must_use]
    pub fn at_forward(mut self, usd_per_mwh: [f64; 12]) -> Option<Self> {
        for (month, mean) in self.means_usd_per_mwh().into_iter().enumerate() {
            let mean = mean.filter(|mean| *mean > 0.0)?;
            self.scale[month] = usd_per_mwh[month] / mean;
        }
        Some(self)
    }

    /// The same with every price so many times as high.
    pub fn scale_by(&mut self, factor: f64) {
        self.scale.iter_mut().for_each(|scale| *scale *= factor);
    }

    /// Whether the coin moves as it did on the same days.
    pub fn has_coin(&self) -> bool {
        self.days.iter().all(|day| day.coin_move.is_some())
    }

    /// The path of one future, from the hour of the market's clock that `start` is in.
    pub fn path(
        &self,
        (seed, path): (u64, u64),
        first_hour: i64,
        level: Level,
        fuel: Together,
        bounds_usd_per_mwh: (f64, f64),
    ) -> BlocksPath<'_> {
        let mut begun = BlocksPath {
            blocks: self,
            draws: Draws::of(seed, path, "blocks"),
            hours: first_hour,
            first_day: first_hour.div_euclid(24),
            place: 0,
            left: 0,
            fuel,
            level: level.path(24.0 / HOURS_PER_YEAR),
            factor: 1.0,
            bounds_usd_per_mwh,
            before: 0.0,
        };
        begun.new_day();
        // The hour before the first: of the same day, as it was then.
        let hour = (first_hour - 1).rem_euclid(24) as usize;
        begun.before = begun.price(hour);
        begun
    }
}

/// Power in one future, put together from history.
#[derive(Clone, Debug)]
pub struct BlocksPath<'a> {
    blocks: &'a Blocks,
    draws: Draws,
    /// Hours since 1970 by the market's clock.
    hours: i64,
    first_day: i64,
    /// The day of history that stands for today, and how many of its block follow.
    place: usize,
    left: usize,
    fuel: Together,
    level: LevelPath,
    factor: f64,
    bounds_usd_per_mwh: (f64, f64),
    before: f64,
}

impl BlocksPath<'_> {
    /// The next hour.
    pub fn next_hour(&mut self) -> Hour {
        let settled = self.price(self.hours.rem_euclid(24) as usize);
        let known = std::mem::replace(&mut self.before, settled);
        self.hours += 1;
        if self.hours.rem_euclid(24) == 0 {
            self.new_day();
        }
        Hour { known, settled }
    }

    /// The hour of the market's day that comes next, 0 to 23.
    pub fn hour_of_day(&self) -> usize {
        self.hours.rem_euclid(24) as usize
    }

    /// The day of history that stands for the one that comes next or has begun.
    pub fn day(&self) -> &PastDay {
        &self.blocks.days[self.place]
    }

    /// What the coin's logarithm moved by on that day, less what it grew by on average.
    pub fn coin_move(&self) -> Option<f64> {
        self.day().coin_move.map(|value| value + self.blocks.coin_drift)
    }

    fn new_day(&mut self) {
        let day = self.hours.div_euclid(24);
        let number = (day - self.first_day) as u64;
        if self.left == 0 {
            let at = day_of_year(day) * WEEK + day.rem_euclid(WEEK);
            let begins = &self.blocks.begins[at as usize];
            let unit = self.draws.unit(number);
            self.place = begins[(unit * begins.len() as f64) as usize] as usize;
            self.left = self.blocks.shape.block_days.max(1) - 1;
        } else {
            self.place += 1;
            self.left -= 1;
        }
        self.factor =
            self.level.step(self.fuel.bell(number)) * self.blocks.scale[month(day)];
    }

    fn price(&self, hour: usize) -> f64 {
        let (least, most) = self.bounds_usd_per_mwh;
        (self.day().usd_per_mwh[hour] * self.factor).clamp(least, most)
    }
}

#[cfg(test)]
mod tests {
    use super::super::copula::{Copula, Factor};
    use super::*;

    const SHAPE: Shape = Shape { block_days: 7, season_days: 14 };
    /// 2024-01-01, a Monday.
    const FIRST: i64 = 19_723;

    /// Two years whose prices say which day and hour they are of.
    fn told() -> Vec<PastDay> {
        (0..731)
            .map(|number| PastDay {
                day: FIRST + number,
                usd_per_mwh: std::array::from_fn(|hour| {
                    (number * 24) as f64 + hour as f64
                }),
                coin_move: Some(if number % 2 == 0 { 0.05 } else { -0.03 }),
            })
            .collect()
    }

    fn path(blocks: &Blocks, path: u64, first_day: i64) -> BlocksPath<'_> {
        let fuel = Copula::APART.draws(Factor::Power, 1, path, 0);
        blocks.path((1, path), first_day * 24, Level::still(), fuel, (-1e9, 1e9))
    }

    #[test]
    fn a_future_is_made_of_weeks_of_the_same_season_and_weekday() {
        let blocks = Blocks::of(told(), SHAPE).expect("two years");
        // Five years from 2026-01-01 on.
        let first = FIRST + 731;
        let mut future = path(&blocks, 3, first);
        let mut days = Vec::new();
        let mut before = None;
        for number in 0..1_826_i64 {
            let of = future.day().day;
            let day = first + number;
            assert_eq!(of.rem_euclid(7), day.rem_euclid(7), "the same weekday");
            // A block begins near; its last day is six further on.
            assert!(near(day_of_year(of), day_of_year(day)) <= 14 + 2, "the same season");
            for hour in 0..24 {
                let now = future.next_hour();
                assert_eq!(now.settled, ((of - FIRST) * 24 + hour) as f64);
                if let Some(before) = before {
                    assert_eq!(now.known, before, "the hour before is what is known");
                }
                before = Some(now.settled);
            }
            days.push(of);
        }
        for week in days.chunks(7) {
            assert!(week.windows(2).all(|pair| pair[1] == pair[0] + 1), "{week:?}");
        }
        // Weeks are drawn: two futures differ, and most of history is met.
        assert_ne!(path(&blocks, 4, first).day().day, 0);
        let mut met = days.clone();
        met.sort_unstable();
        met.dedup();
        assert!(met.len() > 500, "{}", met.len());
        assert_eq!(path(&blocks, 3, first).day().day, days[0]);
    }

    #[test]
    fn months_come_to_their_forwards_and_history_keeps_what_it_had_within_days() {
        // Afternoons at three times the night, and one hour in a hundred at 500.
        let draws = Draws::of(9, 0, "history");
        let days: Vec<PastDay> = (0..1_461)
            .map(|number| PastDay {
                day: FIRST + number,
                usd_per_mwh: std::array::from_fn(|hour| {
                    let unit = draws.unit((number * 24 + hour as i64) as u64);
                    let calm = if hour < 12 { 20.0 } else { 60.0 };
                    if unit < 0.01 { 500.0 } else { calm }
                }),
                coin_move: None,
            })
            .collect();
        let forward: [f64; 12] = std::array::from_fn(|month| 30.0 + month as f64);
        // A day for each day of the year and weekday is more than four years have.
        let single = Shape { block_days: 1, season_days: 0 };
        assert!(matches!(
            Blocks::of(days.clone(), single),
            Err(NoBlocks::NoneNear { .. })
        ));
        let days = Blocks::of(days, SHAPE);
        let blocks = days.expect("four years").at_forward(forward).expect("above nought");
        assert!(!blocks.has_coin());
        let mut sums = [(0.0_f64, 0.0_f64); 12];
        let (mut night, mut noon) = (0.0, 0.0);
        for number in 0..200 {
            let mut future = path(&blocks, number, FIRST + 1_461);
            for day in 0..365 {
                let month = month(FIRST + 1_461 + day);
                for hour in 0..24 {
                    let price = future.next_hour().settled;
                    sums[month].0 += price;
                    sums[month].1 += 1.0;
                    if hour < 12 { night += price } else { noon += price }
                }
            }
        }
        for (month, (sum, count)) in sums.into_iter().enumerate() {
            // Days within a fortnight of a month's ends are its neighbours': scaled as
            // this month's, their mean is this month's within what spikes make of it.
            let (found, told) = (sum / count, forward[month]);
            assert!((found / told - 1.0).abs() < 0.08, "{month}: {found} for {told}");
        }
        assert!((noon / night - 64.4 / 24.8).abs() < 0.15, "{}", noon / night);
    }

    #[test]
    fn the_coin_moves_as_on_the_same_days_and_grows_by_nothing() {
        let blocks = Blocks::of(told(), SHAPE).expect("two years");
        assert!(blocks.has_coin());
        let (mut grown, mut count) = (0.0, 0.0);
        for number in 0..100 {
            let mut future = path(&blocks, number, FIRST + 731);
            for _ in 0..365 {
                let own = future.day().clone();
                let raw = if (own.day - FIRST) % 2 == 0 { 0.05 } else { -0.03 };
                let found = future.coin_move().expect("a move");
                assert!((found - raw - blocks.coin_drift).abs() < 1e-15);
                grown += maths::exp(found);
                count += 1.0;
                (0..24).for_each(|_| {
                    future.next_hour();
                });
            }
        }
        assert!((grown / count - 1.0).abs() < 1e-3, "{}", grown / count);
    }

    #[test]
    fn days_out_of_order_or_too_few_make_no_blocks() {
        let mut days = told();
        days.swap(3, 4);
        assert_eq!(Blocks::of(days, SHAPE), Err(NoBlocks::OutOfOrder { place: 4 }));
        let mut spring = told();
        spring.truncate(90);
        assert!(matches!(Blocks::of(spring, SHAPE), Err(NoBlocks::NoneNear { .. })));
    }
}
