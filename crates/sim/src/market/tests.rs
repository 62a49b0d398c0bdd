//! What must be true of every synthetic history.

use settle::mining::subsidy;
use units::{Difficulty, EnergyPrice, Seconds, Temperature, Timestamp};

use super::*;

const SEEDS: [u64; 5] = [1, 2, 3, 4, 5];

fn one_year(seed: u64) -> SyntheticHistory {
    synthesise(seed, usual_start(), 1)
}

fn usd(price: EnergyPrice) -> f64 {
    price.as_micro_usd_per_mwh() as f64 / 1e6
}

/// Every number of a history folded into one (FNV-1a).
fn digest(history: &SyntheticHistory) -> u64 {
    let prices = |series: &[(Timestamp, EnergyPrice)]| -> Vec<(Timestamp, i64)> {
        let plain = series.iter().map(|(at, price)| (*at, price.as_micro_usd_per_mwh()));
        plain.collect()
    };
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut fold = |value: i64| {
        for byte in value.to_le_bytes() {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    };
    for series in [&history.lmp, &history.settlement, &history.day_ahead] {
        for (at, value) in prices(series) {
            fold(at.as_unix_seconds());
            fold(value);
        }
    }
    for (at, value) in &history.temperature {
        fold(at.as_unix_seconds());
        fold(value.as_millidegrees());
    }
    for (at, value) in &history.demand_forecast {
        fold(at.as_unix_seconds());
        fold(value.as_watts());
    }
    for row in &history.bitcoin {
        fold(row.day.as_unix_seconds());
        fold(row.price.as_micro_usd());
        fold(row.difficulty.as_whole());
        fold(row.network.as_ghs());
        fold(row.fees.as_satoshis());
        fold(i64::from(row.blocks));
        fold(row.height.cast_signed());
    }
    hash
}

#[test]
fn a_seed_is_a_history_on_every_machine() {
    // Written down so that a machine or a version that draws otherwise is seen.
    // Changes with any change of a table or of the order of draws.
    assert_eq!(digest(&one_year(7)), 10_789_602_917_210_224_276);
    assert_ne!(digest(&one_year(7)), digest(&one_year(8)));
}

#[test]
fn a_year_more_leaves_the_years_before_as_they_were() {
    let (short, long) = (one_year(3), synthesise(3, usual_start(), 2));
    assert!(long.lmp.starts_with(&short.lmp));
    assert!(long.settlement.starts_with(&short.settlement));
    assert!(long.day_ahead.starts_with(&short.day_ahead));
    assert!(long.temperature.starts_with(&short.temperature));
    assert!(long.demand_forecast.starts_with(&short.demand_forecast));
    assert!(long.bitcoin.starts_with(&short.bitcoin));
}

#[test]
fn every_series_is_gapless_over_calendar_years() {
    fn check<T>(series: &[(Timestamp, T)], step: Seconds, start: &str, end: &str) {
        let at = |text| Timestamp::parse(text).expect("a date");
        assert_eq!(series[0].0, at(start));
        assert_eq!(series[series.len() - 1].0 + step, at(end));
        assert!(series.windows(2).all(|pair| pair[1].0 - pair[0].0 == step));
    }
    let cases = [
        ("2025-01-01", 1, "2025-01-01", "2026-01-01"),
        ("2028-02-29T13:37Z", 1, "2028-02-29", "2029-02-28"),
        ("2019-07-01", 2, "2019-07-01", "2021-07-01"),
    ];
    for (given, years, start, end) in cases {
        let history = synthesise(1, Timestamp::parse(given).expect("a date"), years);
        check(&history.lmp, LMP_INTERVAL, start, end);
        check(&history.settlement, SETTLEMENT_INTERVAL, start, end);
        check(&history.day_ahead, HOUR, start, end);
        check(&history.temperature, HOUR, start, end);
        check(&history.demand_forecast, HOUR, start, end);
        let days: Vec<_> = history.bitcoin.iter().map(|row| (row.day, ())).collect();
        check(&days, DAY, start, end);
    }
}

#[test]
#[should_panic(expected = "expected 1 to 20 years, found 21")]
fn more_than_twenty_years_are_refused() {
    synthesise(1, usual_start(), YEARS_MAX + 1);
}

/// A figure of one year's five-minute prices.
type Figure = (&'static str, fn(&[f64]) -> f64, f64, f64);

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn quantile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[(sorted.len() as f64 * share) as usize]
}

fn share(values: &[f64], of: fn(f64) -> bool) -> f64 {
    values.iter().filter(|value| of(**value)).count() as f64 / values.len() as f64
}

/// How much a price cut at 300 USD/MWh tells of the one so many steps on.
fn autocorrelation(values: &[f64], steps: usize) -> f64 {
    let cut: Vec<f64> = values.iter().map(|value| value.min(300.0)).collect();
    correlation(&cut[steps..], &cut[..cut.len() - steps])
}

fn correlation(left: &[f64], right: &[f64]) -> f64 {
    let (left_mean, right_mean) = (mean(left), mean(right));
    let off = |values: &[f64], mean: f64| -> Vec<f64> {
        values.iter().map(|value| value - mean).collect()
    };
    let (left, right) = (off(left, left_mean), off(right, right_mean));
    let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    product(&left, &right) / (product(&left, &left) * product(&right, &right)).sqrt()
}

#[test]
fn a_years_prices_look_like_a_hubs() {
    let figures: [Figure; 10] = [
        ("mean", mean, 24.0, 50.0),
        ("5th percentile", |x| quantile(x, 0.05), -3.0, 12.0),
        ("median", |x| quantile(x, 0.5), 20.0, 30.0),
        ("95th percentile", |x| quantile(x, 0.95), 50.0, 100.0),
        ("99th percentile", |x| quantile(x, 0.99), 110.0, 600.0),
        ("below nought", |x| share(x, |p| p < 0.0), 0.01, 0.10),
        ("above 200", |x| share(x, |p| p > 200.0), 0.004, 0.026),
        ("above 1 000", |x| share(x, |p| p > 1_000.0), 0.000_2, 0.007),
        ("after 5 minutes", |x| autocorrelation(x, 1), 0.88, 0.97),
        ("after a day", |x| autocorrelation(x, 288), 0.25, 0.70),
    ];
    let mut capped = 0;
    for seed in SEEDS {
        let prices: Vec<f64> =
            one_year(seed).lmp.iter().map(|(_, price)| usd(*price)).collect();
        for (figure, of, low, high) in figures {
            let found = of(&prices);
            assert!((low..=high).contains(&found), "seed {seed}, {figure}: {found}");
        }
        assert!(prices.iter().all(|price| (-35.0..=5_000.0).contains(price)));
        capped += usize::from(prices.contains(&5_000.0));
    }
    assert!(capped >= 4, "the cap was reached in {capped} of 5 years");
}

#[test]
fn a_spike_lasts_from_tens_of_minutes_to_hours() {
    let mut stretches = Vec::new();
    for seed in SEEDS {
        let history = one_year(seed);
        let spiking = |price: &(Timestamp, EnergyPrice)| usd(price.1) > 1_000.0;
        let chunks = history.lmp.chunk_by(|a, b| spiking(a) == spiking(b));
        stretches.extend(
            chunks.filter(|chunk| spiking(&chunk[0])).map(|chunk| chunk.len() as f64),
        );
    }
    let minutes = mean(&stretches) * 5.0;
    assert!((15.0..90.0).contains(&minutes), "{minutes}");
    assert!(quantile(&stretches, 0.99) > 12.0, "some last over an hour");
}

#[test]
fn wind_makes_spring_cheap_and_sunset_makes_summer_dear() {
    for seed in SEEDS {
        let history = one_year(seed);
        let prices = |months: [i8; 3], hours: [i64; 2]| -> Vec<f64> {
            let within = history.lmp.iter().filter(|(at, _)| {
                // By the market's clock, six hours behind.
                let local = *at - Seconds::hours(6);
                let hour = local.as_unix_seconds() / 3_600 % 24;
                months.contains(&local.utc_date().1)
                    && hours[0] <= hour
                    && hour < hours[1]
            });
            within.map(|(_, price)| usd(*price)).collect()
        };
        let negative = |months| share(&prices(months, [0, 24]), |price| price < 0.0);
        let (spring, summer) = (negative([3, 4, 5]), negative([7, 8, 9]));
        assert!(spring > 2.0 * summer, "seed {seed}: {spring} and {summer}");
        let (noon, evening) =
            (mean(&prices([6, 7, 8], [10, 14])), mean(&prices([6, 7, 8], [18, 21])));
        assert!(evening > 1.5 * noon, "seed {seed}: {evening} and {noon}");
    }
}

#[test]
fn settlement_is_the_mean_dispatch_price_and_a_small_adder() {
    let history = one_year(4);
    let mut with_adder = 0;
    for (runs, settled) in history.lmp.chunks_exact(3).zip(&history.settlement) {
        assert_eq!(runs[0].0, settled.0);
        let held = runs.iter().map(|(_, price)| (*price, LMP_INTERVAL));
        let lmp = usd(EnergyPrice::mean(held).expect("three runs"));
        let adder = usd(settled.1) - lmp;
        // Half a cent is the rounding.
        let most = 0.08 * (1.0 + lmp.abs() / 50.0) + 0.006;
        assert!((-0.006..most).contains(&adder), "{}: {adder}", settled.0);
        with_adder += usize::from(adder > 0.006);
    }
    let share = with_adder as f64 / history.settlement.len() as f64;
    assert!((0.1..0.3).contains(&share), "{share}");
}

#[test]
fn day_ahead_foresees_the_hour_but_not_exactly() {
    for seed in SEEDS {
        let history = one_year(seed);
        let cut = |price: f64| price.min(300.0);
        let hourly = history.lmp.chunks_exact(12).map(|runs| {
            cut(mean(&runs.iter().map(|(_, price)| usd(*price)).collect::<Vec<_>>()))
        });
        let hourly: Vec<f64> = hourly.collect();
        let ahead: Vec<f64> =
            history.day_ahead.iter().map(|(_, price)| cut(usd(*price))).collect();
        let told = correlation(&hourly, &ahead);
        assert!((0.6..0.9).contains(&told), "seed {seed}: {told}");
        let premium = mean(&ahead) - mean(&hourly);
        assert!(premium.abs() < 4.0, "seed {seed}: {premium}");
    }
}

#[test]
fn demand_follows_temperature_and_the_week() {
    let history = one_year(2);
    let megawatts = |of: &dyn Fn(Timestamp, Temperature) -> bool| {
        let both = history.temperature.iter().zip(&history.demand_forecast);
        let chosen: Vec<f64> = both
            .filter(|((at, temperature), _)| of(*at, *temperature))
            .map(|(_, (_, power))| power.as_watts() as f64 / 1e6)
            .collect();
        mean(&chosen)
    };
    let celsius = Temperature::from_millidegrees;
    let mild = megawatts(&|_, t| celsius(12_000) < t && t < celsius(18_000));
    let hot = megawatts(&|_, t| t > celsius(34_000));
    let cold = megawatts(&|_, t| t < celsius(0));
    assert!(hot > 1.3 * mild && cold > 1.15 * mild, "{cold} {mild} {hot}");
    // 1970-01-01 was a Thursday, so Saturday and Sunday are days 2 and 3.
    let weekend = |at: Timestamp| {
        matches!((at - Seconds::hours(6)).as_unix_seconds() / 86_400 % 7, 2 | 3)
    };
    let (rest, work) =
        (megawatts(&|at, _| weekend(at)), megawatts(&|at, _| !weekend(at)));
    assert!(rest < 0.98 * work, "{rest} and {work}");
}

#[test]
fn temperatures_stay_on_this_earth() {
    for seed in SEEDS {
        let history = one_year(seed);
        let low = history.temperature.iter().map(|(_, t)| t.as_millidegrees()).min();
        let high = history.temperature.iter().map(|(_, t)| t.as_millidegrees()).max();
        assert!(low > Some(-25_000) && low < Some(5_000), "seed {seed}: {low:?}");
        assert!(high > Some(32_000) && high < Some(48_000), "seed {seed}: {high:?}");
    }
}

#[test]
fn difficulty_changes_every_2016_blocks_and_at_most_fourfold() {
    for seed in SEEDS {
        let history = synthesise(seed, usual_start(), 4);
        let mut height = 876_000;
        let mut difficulty = Difficulty::from_whole(110_000_000_000_000);
        let mut retargets = 0;
        for row in &history.bitcoin {
            assert_eq!(row.height, height + u64::from(row.blocks), "{}", row.day);
            let retargeted = row.height / 2_016 != height / 2_016;
            assert_eq!(row.difficulty != difficulty, retargeted, "{}", row.day);
            let (before, after) = (difficulty.as_whole(), row.difficulty.as_whole());
            assert!(after <= 4 * before && before <= 4 * after, "{}", row.day);
            // What readers derive from the hash rate is the difficulty again.
            let implied = Difficulty::implied(row.network, i64::from(row.blocks));
            if !retargeted {
                let off = (implied - row.difficulty).as_whole().abs();
                assert!(off * 1_000_000 < after, "{}: {implied}", row.day);
            }
            retargets += u32::from(retargeted);
            (height, difficulty) = (row.height, row.difficulty);
        }
        assert!((100..110).contains(&retargets), "seed {seed}: {retargets}");
    }
}

#[test]
fn the_subsidy_halves_within_its_fourth_year_and_the_network_shrinks() {
    let history = synthesise(1, usual_start(), 5);
    let halved = history
        .bitcoin
        .iter()
        .position(|row| row.height >= 1_050_000)
        .expect("the halving comes within five years");
    let (before, after) = (&history.bitcoin[halved - 1], &history.bitcoin[halved]);
    assert!(before.day >= Timestamp::parse("2028-01-01").expect("a date"));
    assert!(after.day < Timestamp::parse("2028-09-01").expect("a date"));
    assert_eq!(subsidy(before.height), subsidy(1_049_999));
    assert_eq!(subsidy(before.height), subsidy(after.height) + subsidy(after.height));
    let rate = |days: std::ops::Range<usize>| {
        let rates: Vec<f64> =
            history.bitcoin[days].iter().map(|row| row.network.as_ghs() as f64).collect();
        mean(&rates)
    };
    let (full, halved) = (rate(halved - 30..halved), rate(halved + 20..halved + 50));
    assert!(halved < 0.97 * full, "{halved} after {full}");
}

#[test]
fn bitcoin_stays_plausible_for_twenty_years() {
    let history = synthesise(1, usual_start(), YEARS_MAX);
    for row in &history.bitcoin {
        let price = row.price.as_micro_usd() / 1_000_000;
        assert!((10_000..10_000_000).contains(&price), "{}: {price}", row.day);
        assert!((70..280).contains(&row.blocks), "{}: {}", row.day, row.blocks);
        assert!(row.fees.as_satoshis() > 0, "{}", row.day);
    }
    let fees: Vec<f64> =
        history.bitcoin.iter().map(|row| row.fees.as_satoshis() as f64 / 1e8).collect();
    let (usual, rush) = (quantile(&fees, 0.5), quantile(&fees, 0.995));
    assert!((3.0..7.0).contains(&usual) && rush > 8.0 * usual, "{usual} {rush}");
}
