//! Each model against its closed form, within four standard errors.

use units::Timestamp;

use super::coin::Coin;
use super::delivery::{self, Slip};
use super::failure::Failures;
use super::fees::Fees;
use super::level::Level;
use super::network::Network;
use super::power::{Power, Regime};
use super::rental::Rental;
use super::reversion::Reversion;
use super::{DAYS_PER_YEAR, calibrate};

const SEED: u64 = 20_261_130;

/// Checks a mean over paths against what it has to be.
fn check(what: &str, values: &[f64], expected: f64) {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares = values.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>();
    let error = (squares / (count - 1.0) / count).sqrt();
    assert!(
        (mean - expected).abs() < 4.0 * error,
        "{what}: {mean} for {expected}, standard error {error}"
    );
}

fn variance_check(what: &str, values: &[f64], mean: f64, expected: f64) {
    let squares: Vec<f64> = values.iter().map(|v| (v - mean) * (v - mean)).collect();
    check(what, &squares, expected);
}

fn coin(jumps_per_year: f64) -> Coin {
    Coin {
        price_usd: 100.0,
        drift_per_year: 0.08,
        volatility_per_root_year: 0.25,
        jumps_per_year,
        jump_mean: -0.05,
        jump_deviation: 0.10,
    }
}

/// Prices after a year.
fn after_a_year(coin: Coin, paths: u64) -> Vec<f64> {
    let price = |path| {
        let mut prices = coin.path(SEED, path);
        (0..365).map(|_| prices.next_day()).last().expect("a year of days")
    };
    (0..paths).map(price).collect()
}

#[test]
fn a_coin_has_the_moments_of_a_jump_diffusion() {
    let years = 365.0 / DAYS_PER_YEAR;
    for rate in [0.0, 4.0] {
        let coin = coin(rate);
        let prices = after_a_year(coin, 4_000);
        check("mean", &prices, 100.0 * (0.08 * years).exp());
        let logarithms: Vec<f64> = prices.iter().map(|price| price.ln()).collect();
        let k = (-0.05_f64 + 0.005).exp() - 1.0;
        let mean = 100.0_f64.ln() + (0.08 - 0.03125 - rate * k + rate * -0.05) * years;
        check("mean of the logarithm", &logarithms, mean);
        let variance = (0.0625 + rate * (0.0025 + 0.01)) * years;
        variance_check("variance of the logarithm", &logarithms, mean, variance);
    }
}

/// The share of a bell curve below `x`.
fn bell(x: f64) -> f64 {
    delivery::share_below(x)
}

#[test]
fn a_call_on_a_coin_costs_what_mertons_series_says() {
    // The series of Merton (1976): Black and Scholes, weighted by how many jumps came.
    let coin = coin(4.0);
    let (years, rate, strike) = (365.0 / DAYS_PER_YEAR, 0.08, 105.0);
    let k = (-0.05_f64 + 0.005).exp() - 1.0;
    let expected: f64 = {
        let arrivals = 4.0 * (1.0 + k) * years;
        let mut weight = (-arrivals).exp();
        let mut sum = 0.0;
        for jumps in 0..60 {
            let count = f64::from(jumps);
            let variance = 0.0625 + count * 0.01 / years;
            let r = rate - 4.0 * k + count * (1.0 + k).ln() / years;
            let width = (variance * years).sqrt();
            let d1 = ((100.0_f64 / strike).ln() + (r + variance / 2.0) * years) / width;
            let call = 100.0 * bell(d1) - strike * (-r * years).exp() * bell(d1 - width);
            sum += weight * call;
            weight *= arrivals / (count + 1.0);
        }
        sum
    };
    let pays: Vec<f64> = after_a_year(coin, 8_000)
        .iter()
        .map(|price| (price - strike).max(0.0) * (-rate * years).exp())
        .collect();
    check("a call", &pays, expected);
}

#[test]
fn a_reversion_has_the_mean_variance_and_half_life_of_ornstein_and_uhlenbeck() {
    let reversion = Reversion { pull_per_year: 2.0, width_per_root_year: 0.6 };
    assert!((reversion.deviation() - 0.3).abs() < 1e-12);
    let half = Reversion::of(0.25, 0.3);
    let stepping = half.stepping(0.25);
    assert!((stepping.step(1.0, 0.0) - 0.5).abs() < 1e-12, "half way after a half-life");
    // From 1, half a year in steps of two lengths: exact for both.
    for steps in [1_u64, 26] {
        let stepping = reversion.stepping(0.5 / steps as f64);
        let ends: Vec<f64> = (0..20_000_u64)
            .map(|path| {
                let draws = super::draw::Draws::of(SEED, path, "reversion");
                (0..steps).fold(1.0, |value, step| stepping.step(value, draws.bell(step)))
            })
            .collect();
        let mean = (-1.0_f64).exp();
        check("mean", &ends, mean);
        let variance = 0.36 / 4.0 * (1.0 - (-2.0_f64).exp());
        variance_check("variance", &ends, mean, variance);
    }
}

#[test]
fn fees_keep_their_mean() {
    let fees = Fees { mean_btc_per_block: 0.04, reversion: Reversion::of(0.05, 0.7) };
    let last = |path| {
        let mut days = fees.path(SEED, path);
        (0..90).map(|_| days.next_day()).last().expect("some days")
    };
    let values: Vec<f64> = (0..5_000).map(last).collect();
    check("mean fee", &values, 0.04);
}

fn network() -> Network {
    Network {
        height: 903_000,
        difficulty: 1.2e14,
        breakeven_usd_per_ph_day: 40.0,
        better_per_year: 0.0,
        switch_off_share: 1.0,
        lag_up_days: 180.0,
        lag_down_days: 45.0,
    }
}

/// Hashprice over breakeven by day, at a steady coin.
fn gains(network: Network, price: f64, days: usize) -> Vec<f64> {
    let mut path = network.path();
    (0..days)
        .map(|_| path.next_day(price, 0.03).hashprice_usd_per_ph_day / 40.0)
        .collect()
}

#[test]
fn hash_rate_comes_e_times_nearer_the_breakeven_in_a_lag() {
    // Height 903 000 is 1 848 blocks into its period; the coin pays twice or half.
    for (price, lag, days) in [(205_000.0, 180.0_f64, 180), (51_000.0, 45.0, 45)] {
        let gains = gains(network(), price, 2_000);
        let (first, then) = (gains[0].ln(), gains[days].ln());
        // Difficulty follows a period of two weeks later: about half a period's lag.
        let expected = (-1.0_f64).exp();
        let shift = (14.0 / lag).min(0.4);
        let share = then / first;
        assert!(
            share > expected - 0.05 && share < expected * (shift * 1.5).exp() + 0.05,
            "after {days} days {share} of {first} is left"
        );
        assert!((gains[1_999] - 1.0).abs() < 0.03 || lag == 180.0, "{}", gains[1_999]);
    }
}

#[test]
fn hash_rate_stays_where_running_pays_and_buying_does_not() {
    let network = Network { switch_off_share: 0.5, ..network() };
    // The coin pays three quarters of the breakeven: nobody buys, nobody stops.
    let mut path = network.path();
    let rates: Vec<f64> =
        (0..200).map(|_| path.next_day(57_000.0, 0.03).network_ehs).collect();
    assert!(rates.windows(2).all(|pair| pair[0] == pair[1]), "{rates:?}");
    // A quarter: they stop until running pays, e times nearer in a lag.
    let gains = gains(network, 19_000.0, 2_000);
    assert!(gains[0] < 0.3, "{}", gains[0]);
    let share = (gains[45] / 0.5).ln() / (gains[0] / 0.5).ln();
    let shift = (14.0_f64 / 45.0 * 1.5).exp();
    let expected = (-1.0_f64).exp();
    assert!(share > expected - 0.05 && share < expected * shift + 0.05, "{share}");
    assert!((gains[1_999] / 0.5 - 1.0).abs() < 0.03, "{}", gains[1_999]);
}

#[test]
fn a_better_machine_lowers_what_hashprice_comes_to() {
    let network = Network { better_per_year: 0.2, ..network() };
    let gains = gains(network, 100_000.0, 1_461);
    let halved = gains.windows(2).any(|pair| pair[1] < 0.6 * pair[0]);
    assert!(halved, "the subsidy halves at block 1 050 000");
    assert!(gains[1_460] < 0.8, "{}", gains[1_460]);
}

#[test]
fn blocks_keep_ten_minutes_once_the_hash_rate_stands() {
    let mut path = network().path();
    let steady = 40.0 / (1e15 * 86_400.0 / (1.2e14 * 4_294_967_296.0)) / (3.125 + 0.03);
    let chain = (0..400).map(|_| path.next_day(steady, 0.03)).last().expect("days");
    assert!((chain.difficulty / 1.2e14 - 1.0).abs() < 0.002, "{}", chain.difficulty);
    let rate = chain.difficulty * 4_294_967_296.0 / 600.0 / 1e18;
    assert!((chain.network_ehs / rate - 1.0).abs() < 0.002);
}

#[test]
fn rent_falls_as_its_generation_ages_and_at_launches() {
    let rental = Rental {
        price_usd_per_gpu_hour: 3.0,
        decline_per_year: 0.2,
        reversion: Reversion::of(0.1, 0.15),
        launches_per_year: 0.5,
        launch_fall: 0.25,
    };
    let last = |path| {
        let mut days = rental.path(SEED, path);
        (0..1_461).map(|_| days.next_day()).last().expect("some days").ln()
    };
    let logarithms: Vec<f64> = (0..3_000).map(last).collect();
    let years = 1_461.0 / DAYS_PER_YEAR;
    // A launch's fall is followed with the reversion's lag, so a little is to come.
    let lag = 1.0 / rental.reversion.pull_per_year;
    let expected = 3.0_f64.ln() - 0.2 * years - 0.5 * 0.25 * (years - lag);
    check("rent", &logarithms, expected);
}

fn power() -> Power {
    let mut calm = [[0.0; 24]; 12];
    for (month, hours) in calm.iter_mut().enumerate() {
        for (hour, price) in hours.iter_mut().enumerate() {
            *price = 20.0 + month as f64 + hour as f64 / 2.0;
        }
    }
    Power {
        calm_usd_per_mwh: calm,
        behind_utc_hours: 6,
        level: Level::about_one(Reversion::of(0.5, 0.2)),
        deviation: Reversion::of(4.0 / 8_766.0, 0.3),
        spike: Regime { begins_per_hour: 0.004, ends_per_hour: 0.4 },
        spike_by_hour: [1.0; 24],
        scarcity: Reversion::of(1.0, 0.0),
        spike_logarithm: (5.8, 0.6),
        low: Regime { begins_per_hour: 0.008, ends_per_hour: 0.2 },
        low_depth_usd_per_mwh: 8.0,
        bounds_usd_per_mwh: (-250.0, 5_000.0),
    }
}

const START: Timestamp = Timestamp::from_unix_seconds(1_767_225_600);

#[test]
fn power_keeps_its_regimes_shares_and_its_mean() {
    let power = power();
    let [calm, spike, low] = power.shares();
    assert!((calm + spike + low - 1.0).abs() < 1e-12);
    assert!((spike / calm - 0.01).abs() < 1e-12 && (low / calm - 0.04).abs() < 1e-12);
    let (mut means, mut spikes, mut lows) = (Vec::new(), Vec::new(), Vec::new());
    for path in 0..60 {
        let mut hours = power.path(SEED, path, START);
        let drawn: Vec<_> = (0..17_532).map(|_| hours.next_hour()).collect();
        let share = |of: &dyn Fn(f64) -> bool| {
            drawn.iter().filter(|hour| of(hour.known)).count() as f64 / drawn.len() as f64
        };
        means.push(
            drawn.iter().map(|hour| hour.settled).sum::<f64>() / drawn.len() as f64,
        );
        // Ninety per cent of spikes are above 150, and calm prices seldom are.
        spikes.push(share(&|price| price > 150.0));
        lows.push(share(&|price| price < 0.0));
        assert!(drawn.iter().all(|hour| (-250.0..=5_000.0).contains(&hour.known)));
    }
    check("mean", &means, power.mean_usd_per_mwh());
    let above_150 = 1.0 - bell((150.0_f64.ln() - 5.8) / 0.6);
    check("share of spikes", &spikes, spike * above_150);
    // Calm prices are below nought where the deviation is below -1: 0.04 per cent.
    check("share of lows", &lows, low + calm * bell(-1.0 / 0.3));
}

#[test]
fn a_forward_is_met_and_what_it_cannot_be_is_told() {
    let forward = power().at_forward(41.0).expect("above the spikes' part");
    assert!((forward.mean_usd_per_mwh() - 41.0).abs() < 1e-9);
    assert_eq!(power().at_forward(1.0), None);
}

#[test]
fn nothing_of_an_hour_is_known_before_it_begins() {
    // What is known is the price at the start; the end's is in the settled one alone.
    let power = power();
    let mut early = power.path(SEED, 5, START);
    let first: Vec<_> = (0..100).map(|_| early.next_hour()).collect();
    let mut again = power.path(SEED, 5, START);
    for (at, hour) in first.iter().enumerate() {
        assert_eq!(again.next_hour(), *hour);
        if let Some(next) = first.get(at + 1) {
            assert_eq!(hour.settled, (hour.known + next.known) / 2.0);
        }
    }
}

#[test]
fn a_delivery_slips_as_stated() {
    let slip =
        Slip { on_time: 0.4, median_days: 30.0, ninetieth_days: 120.0, days_max: 720.0 };
    assert_eq!(slip.days_at(0.39), 0);
    assert_eq!(slip.days_at(0.4 + 0.6 * 0.5), 30);
    assert_eq!(slip.days_at(0.4 + 0.6 * 0.9), 120);
    assert_eq!(slip.days_at(0.999_999_999), 720);
    let late = |number: u64, correlation: f64| -> Vec<i64> {
        (0..20_000)
            .map(|path| delivery::days_late(SEED, path, number, &slip, correlation))
            .collect()
    };
    let share = |days: &[i64], of: &dyn Fn(i64) -> bool| -> Vec<f64> {
        days.iter().map(|days| f64::from(u8::from(of(*days)))).collect()
    };
    let (first, second) = (late(0, 0.5), late(1, 0.5));
    check("on time", &share(&first, &|days| days == 0), 0.4);
    check(
        "late by the median or less",
        &share(&second, &|days| days <= 30),
        0.4 + 0.6 * 0.508,
    );
    let both = |first: &[i64], second: &[i64]| -> Vec<f64> {
        let pairs = first.iter().zip(second);
        pairs.map(|(a, b)| f64::from(u8::from(*a == 0 && *b == 0))).collect()
    };
    check("apart", &both(&late(0, 0.0), &late(1, 0.0)), 0.16);
    let together = both(&first, &second).iter().sum::<f64>() / 20_000.0;
    assert!(together > 0.22, "a common cause makes both on time more often: {together}");
    assert_eq!(late(3, 1.0), late(4, 1.0), "one cause alone is one date");
}

#[test]
fn failures_have_the_moments_of_a_compound_poisson_sum() {
    for (gpus, repair) in [(19_008.0, 6.0), (720.0, 12.0)] {
        let failures = Failures {
            gpu_hours_per_incident: 50_677.0,
            gpus_per_incident: 4.0,
            repair_hours: repair,
            counted: 1.0,
            outages_per_year: 0.0,
            outage_hours: 0.0,
        };
        let lost: Vec<f64> = (0..6_000)
            .map(|path| failures.lost_share(SEED, path, 1, 7, gpus, 730.0))
            .collect();
        check("lost", &lost, failures.mean_share());
        let deviation = failures.deviation(gpus, 730.0);
        variance_check("variance", &lost, failures.mean_share(), deviation * deviation);
    }
    let outages = Failures {
        gpu_hours_per_incident: 1e18,
        gpus_per_incident: 1.0,
        repair_hours: 1.0,
        counted: 0.0,
        outages_per_year: 2.0,
        outage_hours: 5.0,
    };
    let lost: Vec<f64> = (0..40_000)
        .map(|path| outages.lost_share(SEED, path, 0, 0, 19_008.0, 730.5))
        .collect();
    check("outages", &lost, outages.mean_share());
}

#[test]
fn calibrating_on_a_models_own_path_finds_the_model_again() {
    let jumpy = Coin { jump_mean: -0.02, jump_deviation: 0.12, ..coin(8.0) };
    let mut days = jumpy.path(SEED, 1);
    let prices: Vec<f64> = (0..3_650).map(|_| days.next_day()).collect();
    let (found, fits) = calibrate::coin(&prices, 0.0).expect("ten years");
    assert!((found.volatility_per_root_year - 0.25).abs() < 0.02, "{found:?}");
    assert!((4.0..9.0).contains(&found.jumps_per_year), "{found:?}");
    assert!((fits[0].history / fits[0].model - 1.0).abs() < 0.05, "{fits:?}");
    assert!(fits[1].history > 4.0, "{fits:?}");

    let fees = Fees { mean_btc_per_block: 0.05, reversion: Reversion::of(0.03, 0.5) };
    let mut days = fees.path(SEED, 1);
    let paid: Vec<f64> = (0..3_650).map(|_| days.next_day()).collect();
    let (found, _) = calibrate::fees(&paid).expect("ten years");
    assert!((found.mean_btc_per_block / 0.05 - 1.0).abs() < 0.15, "{found:?}");
    assert!((found.reversion.deviation() / 0.5 - 1.0).abs() < 0.15, "{found:?}");

    let still = Power { level: Level::still(), ..power() };
    let mut path = still.path(SEED, 1, START);
    let hours: Vec<(Timestamp, f64)> = (0..35_064)
        .map(|hour| {
            let at = START + units::Seconds::hours(hour);
            (at, path.next_hour().known)
        })
        .collect();
    let (found, fits) = calibrate::power(
        &hours,
        6,
        (still.level.reversion, still.scarcity),
        (-250.0, 5_000.0),
    )
    .expect("four years");
    let expected = still.mean_usd_per_mwh();
    assert!(
        (found.mean_usd_per_mwh() / expected - 1.0).abs() < 0.08,
        "{expected} {fits:?}"
    );
    assert!((found.deviation.deviation() / 0.3 - 1.0).abs() < 0.1, "{found:?}");
    assert!((found.spike.ends_per_hour - 0.4).abs() < 0.06, "{found:?}");
    assert!((found.low.begins_per_hour / 0.008 - 1.0).abs() < 0.2, "{found:?}");
    for fit in &fits[1..] {
        let off = (fit.history - fit.model).abs();
        assert!(off < 0.15 * fit.history.abs().max(0.4), "{fit:?}");
    }
    let short = calibrate::power(
        &hours[..100],
        6,
        (still.level.reversion, still.scarcity),
        (-250.0, 5_000.0),
    );
    assert_eq!(short.expect_err("too short").found, 100);
    assert!(calibrate::coin(&prices[..10], 0.0).is_err());
}
