//! Parameters from history: what each model would have to be to look like a slice of it.
//!
//! Pure functions of values that were known at the plan's date; who calls them cuts the
//! history there. Each returns the model beside a [`Fit`]: the same figures of history
//! and of the model, so that a reader sees what was matched and what was not.

use units::Timestamp;

use super::coin::Coin;
use super::fees::Fees;
use super::level::Level;
use super::power::{Power, Regime};
use super::reversion::Reversion;
use super::{DAYS_PER_YEAR, HOURS_PER_YEAR, maths};

/// One figure of history and of the calibrated model.
#[derive(Clone, Debug, PartialEq)]
pub struct Fit {
    /// What it is, with its unit.
    pub figure: &'static str,
    /// Of history.
    pub history: f64,
    /// Of the model: in closed form, or of a long path where the text says so.
    pub model: f64,
}

/// Why a history calibrates nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooShort {
    /// How many values it takes.
    pub expected: usize,
    /// How many there are.
    pub found: usize,
}

/// The fewest days of a coin and of fees: half a year.
pub const DAYS_MIN: usize = 180;

/// The fewest hours of power prices: a year, since seasons differ.
pub const HOURS_MIN: usize = 8_760;

/// The hours that say where the level stands: a season of ninety days.
pub const RECENT_HOURS: usize = 2_160;

/// A move of more than so many deviations is a jump.
const JUMP_DEVIATIONS: f64 = 3.5;

/// A price above so many times the median, and above [`SPIKE_MIN`], is a spike.
const SPIKE_MEDIANS: f64 = 5.0;
const SPIKE_MIN: f64 = 150.0;

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn deviation(values: &[f64]) -> f64 {
    let mean = mean(values);
    let squares = values.iter().map(|value| (value - mean) * (value - mean)).sum::<f64>();
    (squares / (values.len() as f64 - 1.0)).sqrt()
}

/// How much a value tells of the next.
fn autocorrelation(values: &[f64]) -> f64 {
    let mean = mean(values);
    let product = |pair: &[f64]| (pair[0] - mean) * (pair[1] - mean);
    let all = values.iter().map(|value| (value - mean) * (value - mean)).sum::<f64>();
    values.windows(2).map(product).sum::<f64>() / all
}

fn enough(found: usize, expected: usize) -> Result<(), TooShort> {
    if found < expected { Err(TooShort { expected, found }) } else { Ok(()) }
}

/// A coin from its price at the end of each day, in USD, the last of which is the
/// plan's; its drift is told, since a past rise is no forecast.
///
/// # Errors
/// With fewer than [`DAYS_MIN`] prices.
pub fn coin(prices: &[f64], drift_per_year: f64) -> Result<(Coin, Vec<Fit>), TooShort> {
    enough(prices.len(), DAYS_MIN)?;
    let moves: Vec<f64> =
        prices.windows(2).map(|pair| maths::ln(pair[1] / pair[0])).collect();
    // Jumps widen the deviation they are told by, so they are taken out in rounds.
    let mut usual = moves.clone();
    loop {
        let (middle, most) = (mean(&usual), JUMP_DEVIATIONS * deviation(&usual));
        let kept: Vec<f64> = usual
            .iter()
            .copied()
            .filter(|value| (value - middle).abs() <= most)
            .collect();
        if kept.len() == usual.len() {
            break;
        }
        usual = kept;
    }
    let (middle, most) = (mean(&usual), JUMP_DEVIATIONS * deviation(&usual));
    let jumps: Vec<f64> = moves
        .iter()
        .filter(|value| (**value - middle).abs() > most)
        .map(|value| value - middle)
        .collect();
    let years = moves.len() as f64 / DAYS_PER_YEAR;
    let many = jumps.len() > 1;
    let coin = Coin {
        price_usd: prices[prices.len() - 1],
        drift_per_year,
        volatility_per_root_year: deviation(&usual) * DAYS_PER_YEAR.sqrt(),
        jumps_per_year: if many { jumps.len() as f64 / years } else { 0.0 },
        jump_mean: if many { mean(&jumps) } else { 0.0 },
        jump_deviation: if many { deviation(&jumps) } else { 0.0 },
    };
    // Moments of a jump diffusion: variances and fourth cumulants add.
    let (m, s, rate) =
        (coin.jump_mean, coin.jump_deviation, coin.jumps_per_year / DAYS_PER_YEAR);
    let diffusion =
        coin.volatility_per_root_year * coin.volatility_per_root_year / DAYS_PER_YEAR;
    let variance = diffusion + rate * (m * m + s * s);
    let fourth = rate * (m * m * m * m + 6.0 * m * m * s * s + 3.0 * s * s * s * s);
    let spread = deviation(&moves);
    let kurtosis = moves
        .iter()
        .map(|value| {
            let score = (value - mean(&moves)) / spread;
            score * score * score * score
        })
        .sum::<f64>()
        / moves.len() as f64;
    let fits = vec![
        Fit {
            figure: "volatility a year, jumps included, percent",
            history: spread * DAYS_PER_YEAR.sqrt() * 100.0,
            model: (variance * DAYS_PER_YEAR).sqrt() * 100.0,
        },
        Fit {
            figure: "kurtosis of a day's move",
            history: kurtosis,
            model: 3.0 + fourth / (variance * variance),
        },
    ];
    Ok((coin, fits))
}

/// What machines have to earn to be bought, from hashprice at the end of each day, in
/// order of time: the middle of the last half year, since a rush of fees of some days
/// builds nothing.
///
/// # Errors
/// With fewer than [`DAYS_MIN`] days.
pub fn breakeven(usd_per_ph_day: &[f64]) -> Result<f64, TooShort> {
    enough(usd_per_ph_day.len(), DAYS_MIN)?;
    let mut last = usd_per_ph_day[usd_per_ph_day.len() - DAYS_MIN..].to_vec();
    last.sort_by(f64::total_cmp);
    Ok((last[DAYS_MIN / 2 - 1] + last[DAYS_MIN / 2]) / 2.0)
}

/// Fees from what a block of each day paid on average, in coins.
///
/// # Errors
/// With fewer than [`DAYS_MIN`] days above nought.
pub fn fees(btc_per_block: &[f64]) -> Result<(Fees, Vec<Fit>), TooShort> {
    let logarithms: Vec<f64> = btc_per_block
        .iter()
        .filter(|fee| **fee > 0.0)
        .map(|fee| maths::ln(*fee))
        .collect();
    enough(logarithms.len(), DAYS_MIN)?;
    let keep = autocorrelation(&logarithms).clamp(0.01, 0.999);
    let half_life = std::f64::consts::LN_2 / -maths::ln(keep) / DAYS_PER_YEAR;
    let reversion = Reversion::of(half_life, deviation(&logarithms));
    let spread = reversion.deviation();
    let middle = maths::exp(mean(&logarithms));
    let mean_btc_per_block = middle * maths::exp(spread * spread / 2.0);
    let fits = vec![
        Fit {
            figure: "mean fee of a block, BTC",
            history: mean(btc_per_block),
            model: mean_btc_per_block,
        },
        Fit {
            figure: "autocorrelation of the logarithm, a day",
            history: autocorrelation(&logarithms),
            model: keep,
        },
    ];
    Ok((Fees { mean_btc_per_block, reversion }, fits))
}

/// Power from its hourly prices in USD/MWh, in order of time, for a market whose clock
/// is so far behind UTC. How the level and the rate of spikes wander from year to year
/// is told: a few years do not show it. It starts where calm prices of the last [`RECENT_HOURS`] stand against
/// those of all years at the same times of the year; with one year of history they are
/// the same prices, and it starts at one.
///
/// # Errors
/// With fewer than [`HOURS_MIN`] hours.
pub fn power(
    hours: &[(Timestamp, f64)],
    behind_utc_hours: i64,
    (wanders, scarcity): (Reversion, Reversion),
    bounds_usd_per_mwh: (f64, f64),
) -> Result<(Power, Vec<Fit>), TooShort> {
    enough(hours.len(), HOURS_MIN)?;
    let prices: Vec<f64> = hours.iter().map(|(_, price)| *price).collect();
    let mut sorted = prices.clone();
    sorted.sort_by(f64::total_cmp);
    let spike_above = (SPIKE_MEDIANS * sorted[sorted.len() / 2]).max(SPIKE_MIN);
    let local = |at: Timestamp| {
        let hours = at.as_unix_seconds().div_euclid(3_600) - behind_utc_hours;
        let month = Timestamp::from_unix_seconds(hours * 3_600).utc_date().1;
        (month as usize - 1, hours.rem_euclid(24) as usize)
    };
    let is_calm = |price: f64| (0.0..=spike_above).contains(&price);

    let calm_usd_per_mwh = calm_means(hours, local, is_calm);
    let deviations: Vec<f64> = hours
        .iter()
        .filter(|(_, price)| is_calm(*price))
        .map(|(at, price)| {
            let (month, hour) = local(*at);
            price / calm_usd_per_mwh[month][hour] - 1.0
        })
        .collect();
    let (strays, told) = (deviation(&deviations), autocorrelation(&deviations));
    // What a lognormal's logarithm tells of the next, where the lognormal tells so much.
    let squared = strays * strays;
    let keep = maths::ln(1.0 + told.max(0.01) * squared) / maths::ln(1.0 + squared);
    // Prices that never stray tell nothing of how they come back.
    let keep = if squared > 0.0 { keep.clamp(0.01, 0.999) } else { 0.5 };
    let half_life = std::f64::consts::LN_2 / -maths::ln(keep) / HOURS_PER_YEAR;
    let spike = regime(&prices, |price| price > spike_above, is_calm);
    let low = regime(&prices, |price| price < 0.0, is_calm);
    let spikes: Vec<f64> =
        prices.iter().filter(|p| **p > spike_above).map(|p| maths::ln(*p)).collect();
    let lows: Vec<f64> = prices.iter().filter(|p| **p < 0.0).map(|p| -p).collect();
    let spike_logarithm = if spikes.len() > 1 {
        (mean(&spikes), deviation(&spikes))
    } else {
        (maths::ln(spike_above), 0.0)
    };

    let recent = &hours[hours.len().saturating_sub(RECENT_HOURS)..];
    let (mut came, mut usual) = (0.0, 0.0);
    for (at, price) in recent.iter().filter(|(_, price)| is_calm(*price)) {
        let (month, hour) = local(*at);
        came += price;
        usual += calm_usd_per_mwh[month][hour];
    }
    let starts = if came > 0.0 { came / usual } else { 1.0 };

    let power = Power {
        calm_usd_per_mwh,
        behind_utc_hours,
        level: Level { reversion: wanders, starts },
        deviation: Reversion::of(half_life, strays),
        spike,
        spike_by_hour: begins_by_hour(hours, local, |price| price > spike_above),
        scarcity,
        spike_logarithm,
        low,
        low_depth_usd_per_mwh: if lows.is_empty() { 1.0 } else { mean(&lows) },
        bounds_usd_per_mwh,
    };
    let fits = fits(&power, hours, spike_above);
    Ok((power, fits))
}

/// The mean of calm prices by month and hour; where a month was not seen, the hour's
/// mean over all, and never below a cent.
fn calm_means(
    hours: &[(Timestamp, f64)],
    local: impl Fn(Timestamp) -> (usize, usize),
    is_calm: impl Fn(f64) -> bool,
) -> [[f64; 24]; 12] {
    let mut sums = [[(0.0, 0.0); 24]; 12];
    let mut of_hour = [(0.0, 0.0); 24];
    for (at, price) in hours.iter().filter(|(_, price)| is_calm(*price)) {
        let (month, hour) = local(*at);
        for place in [&mut sums[month][hour], &mut of_hour[hour]] {
            place.0 += price;
            place.1 += 1.0;
        }
    }
    let mut means = [[0.0; 24]; 12];
    for month in 0..12 {
        for hour in 0..24 {
            let (sum, count) = sums[month][hour];
            let (sum, count) = if count > 0.0 { (sum, count) } else { of_hour[hour] };
            means[month][hour] = if count > 0.0 { (sum / count).max(0.01) } else { 0.01 };
        }
    }
    means
}

/// How often a regime begins in a calm hour, and ends.
fn regime(
    prices: &[f64],
    within: impl Fn(f64) -> bool,
    is_calm: impl Fn(f64) -> bool,
) -> Regime {
    let (mut calm, mut begun, mut inside, mut ended) = (0.0_f64, 0.0, 0.0_f64, 0.0);
    for pair in prices.windows(2) {
        if is_calm(pair[0]) {
            calm += 1.0;
            begun += f64::from(u8::from(within(pair[1])));
        } else if within(pair[0]) {
            inside += 1.0;
            ended += f64::from(u8::from(!within(pair[1])));
        }
    }
    Regime {
        begins_per_hour: begun / calm.max(1.0),
        ends_per_hour: if inside > 0.0 { (ended / inside).max(0.01) } else { 1.0 },
    }
}

/// How much likelier than usual a regime begins, by hour of the day; mean one.
fn begins_by_hour(
    hours: &[(Timestamp, f64)],
    local: impl Fn(Timestamp) -> (usize, usize),
    within: impl Fn(f64) -> bool,
) -> [f64; 24] {
    // One more everywhere, so that an hour without a spike is not one that cannot.
    let mut counts = [1.0; 24];
    for pair in hours.windows(2) {
        if !within(pair[0].1) && within(pair[1].1) {
            counts[local(pair[1].0).1] += 1.0;
        }
    }
    let mean = mean(&counts);
    counts.map(|count| count / mean)
}

/// Figures of history beside those of ten years of one path of the model.
fn fits(power: &Power, hours: &[(Timestamp, f64)], spike_above: f64) -> Vec<Fit> {
    // Fuel and scarcity are told, not matched, so they stand still here.
    let still = Power {
        level: Level::still(),
        scarcity: Reversion::of(1.0, 0.0),
        ..power.clone()
    };
    let mut path = still.path(1, 0, hours[0].0);
    let drawn: Vec<f64> = (0..87_660).map(|_| path.next_hour().known).collect();
    let prices: Vec<f64> = hours.iter().map(|(_, price)| *price).collect();
    let share = |values: &[f64], of: &dyn Fn(f64) -> bool| {
        values.iter().filter(|value| of(**value)).count() as f64 / values.len() as f64
            * 100.0
    };
    let cut =
        |values: &[f64]| -> Vec<f64> { values.iter().map(|v| v.min(300.0)).collect() };
    let figure = |figure, of: &dyn Fn(&[f64]) -> f64| Fit {
        figure,
        history: of(&prices),
        model: of(&drawn),
    };
    vec![
        figure("mean, USD/MWh", &mean),
        figure("mean cut at 300, USD/MWh", &|values| mean(&cut(values))),
        figure("deviation cut at 300, USD/MWh", &|values| deviation(&cut(values))),
        figure("share of spikes, percent", &|values| share(values, &|p| p > spike_above)),
        figure("share below nought, percent", &|values| share(values, &|p| p < 0.0)),
        figure("autocorrelation after an hour, cut at 300", &|values| {
            autocorrelation(&cut(values))
        }),
    ]
}
