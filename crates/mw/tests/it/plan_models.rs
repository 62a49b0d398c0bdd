//! Models of futures, and the rule of waiting, against QuantLib.
//!
//! What QuantLib has in closed form or by finite differences has to lie within three
//! standard errors of the mean over our futures; what is exact on both sides has to agree
//! to the last digits.

use std::fs;
use std::process::Command;

use plan::Rule;
use serde_json::{Value, json};
use sim::scenario::DAYS_PER_YEAR;
use sim::scenario::coin::Coin;
use sim::scenario::copula::{Copula, FACTORS, Factor};
use sim::scenario::draw::Draws;
use sim::scenario::maths::exp;
use sim::scenario::rental::Rental;
use sim::scenario::reversion::Reversion;

use crate::backtest::root;
use crate::books::folder;

const SEED: u64 = 1;
const FUTURES: u64 = 20_000;
const DAYS: u64 = 365;

/// What part of our year those days are.
fn years() -> f64 {
    DAYS as f64 / DAYS_PER_YEAR
}

/// A mean and its standard error.
fn mean(values: &[f64]) -> (f64, f64) {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares = values.iter().map(|value| (value - mean) * (value - mean)).sum::<f64>();
    (mean, (squares / (count - 1.0) / count).sqrt())
}

fn check(what: &str, values: &[f64], expected: &Value) {
    let expected = expected.as_f64().expect("a figure of QuantLib");
    let (found, error) = mean(values);
    assert!(
        (found - expected).abs() < 3.0 * error,
        "{what}: {found} +/- {error}, QuantLib {expected}"
    );
    // An error so wide that anything passes is no comparison.
    assert!(error < 0.05 * expected.abs(), "{what}: {found} +/- {error}");
}

/// A coin with these jumps a year.
fn coin(jumps_per_year: f64) -> Coin {
    Coin {
        price_usd: 100.0,
        drift_per_year: 0.05,
        volatility_per_root_year: 0.4,
        jumps_per_year,
        jump_mean: -0.1,
        jump_deviation: 0.2,
    }
}

fn prices(coin: Coin) -> Vec<f64> {
    let last = |path| {
        let mut prices = coin.path(SEED, path);
        (0..DAYS).map(|_| prices.next_day()).last().expect("days")
    };
    (0..FUTURES).map(last).collect()
}

/// A coin and rent, neither with a drift, that move together.
fn exchanged(widths: [f64; 2], correlation: f64) -> Vec<f64> {
    let coin =
        Coin { drift_per_year: 0.0, volatility_per_root_year: widths[0], ..coin(0.0) };
    // Hardly pulled at all, rent is a Brownian motion too; its mean stands still.
    let rent = Rental {
        price_usd_per_gpu_hour: 90.0,
        decline_per_year: widths[1] * widths[1] / 2.0,
        reversion: Reversion { pull_per_year: 1e-7, width_per_root_year: widths[1] },
        launches_per_year: 0.0,
        launch_fall: 0.0,
    };
    let mut told = [[0.0; FACTORS]; FACTORS];
    told[Factor::Rent as usize][Factor::Coin as usize] = correlation;
    let copula = Copula::of(&told).expect("two can");
    (0..FUTURES)
        .map(|path| {
            let draws = |of| copula.draws(of, SEED, path, 0);
            let mut one = coin.path_with(SEED, path, draws(Factor::Coin));
            let mut other = rent.path_with(SEED, path, draws(Factor::Rent));
            let both = (0..DAYS).map(|_| (one.next_day(), other.next_day()));
            let (coin, rent) = both.last().expect("days");
            (coin - rent).max(0.0)
        })
        .collect()
}

/// What a put brings, sold by a rule that was learned from other futures.
fn put(price: f64, strike: f64, rate: f64, width: f64, dates: usize) -> Vec<f64> {
    let step = 1.0 / dates as f64;
    let lives = |from: u64| {
        let mut known = vec![Vec::new(); dates];
        let mut values = vec![Vec::new(); dates + 1];
        for path in from..from + FUTURES {
            let draws = Draws::of(SEED, path, "put");
            let mut price = price;
            for date in 0..dates {
                let drift = (rate - width * width / 2.0) * step;
                price *= exp(drift + width * step.sqrt() * draws.bell(date as u64));
                known[date].push([price, 0.0]);
                let discount = exp(-rate * step * (date + 1) as f64);
                values[date].push(discount * (strike - price));
            }
            values[dates].push(0.0);
        }
        (values, known)
    };
    let (chosen, knew) = lives(0);
    let rule = Rule::fit(&chosen, &knew);
    let (values, known) = lives(FUTURES);
    let all = 0..usize::try_from(FUTURES).expect("a count");
    all.map(|future| values[rule.choice(|date| known[date][future])][future]).collect()
}

#[test]
fn models_come_to_what_quantlib_says() {
    let Some(python) = std::env::var_os("MW_ORACLE_PYTHON") else {
        eprintln!("skipped: MW_ORACLE_PYTHON names no Python");
        return;
    };
    let part = years();
    let (plain, jumpy) = (coin(0.0), coin(3.0));
    let whole = |coin: Coin, strike: f64| {
        json!({
            "price": coin.price_usd,
            "strike": strike,
            "drift": coin.drift_per_year * part,
            "width": coin.volatility_per_root_year * part.sqrt(),
            "jumps": coin.jumps_per_year * part,
            "jump_mean": coin.jump_mean,
            "jump_deviation": coin.jump_deviation,
        })
    };
    let reversions =
        [(0.05, 0.3, 0.7, 24.0 / 8_766.0), (2.0, 1.5, -0.4, 0.25), (8.0, 0.6, 1.2, 1.0)];
    let (widths, correlation): ([f64; 2], f64) = ([0.5, 0.3], 0.6);
    let asked = json!({
        "diffusion": whole(plain, 110.0),
        "jumps": whole(jumpy, 110.0),
        "reversion": reversions
            .map(|(pull, width, distance, years)| {
                json!({ "pull": pull, "width": width, "distance": distance, "years": years })
            })
            .to_vec(),
        "exchange": {
            "prices": [100.0, 90.0],
            "widths": widths.map(|width| width * part.sqrt()),
            "correlation": correlation,
        },
        "put": { "price": 36.0, "strike": 40.0, "rate": 0.06, "width": 0.2, "dates": 50 },
    });
    let file = folder("plan-models").join("asked.json");
    fs::write(&file, asked.to_string()).expect("the folder can be written");
    let script = root().join("crates/mw/tests/it/plan_oracle/models.py");
    let output = Command::new(python).arg(script).arg(&file).output().expect("a Python");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    let found: Value = serde_json::from_slice(&output.stdout).expect("JSON");

    let after = prices(plain);
    check("mean of a diffusion", &after, &found["diffusion_mean"]);
    let calls = |prices: &[f64]| -> Vec<f64> {
        prices.iter().map(|price| (price - 110.0).max(0.0)).collect()
    };
    check("call on a diffusion", &calls(&after), &found["diffusion_call"]);
    check("call on a jump diffusion", &calls(&prices(jumpy)), &found["jumps_call"]);
    for ((pull, width, distance, years), theirs) in
        reversions.into_iter().zip(found["reversion"].as_array().expect("a list"))
    {
        let own = Reversion { pull_per_year: pull, width_per_root_year: width };
        // A week's steps or one: the law is the same.
        for steps in [1, 168] {
            let stepping = own.stepping(years / f64::from(steps));
            let (mut at, mut variance) = (distance, 0.0);
            for _ in 0..steps {
                at = stepping.step(at, 0.0);
                let (keep, kick) = (stepping.step(1.0, 0.0), stepping.step(0.0, 1.0));
                variance = keep * keep * variance + kick * kick;
            }
            for (ours, theirs) in [(at, &theirs[0]), (variance.sqrt(), &theirs[1])] {
                let theirs = theirs.as_f64().expect("a number");
                assert!(
                    (ours - theirs).abs() < 1e-9,
                    "{pull}: {ours}, QuantLib {theirs}"
                );
            }
        }
    }
    check("exchange of two", &exchanged(widths, correlation), &found["exchange"]);
    let apart = mean(&exchanged(widths, 0.0)).0;
    assert!(apart > 1.1 * found["exchange"].as_f64().expect("a price"), "{apart}");

    // A rule that is not the best falls short by a little, and never exceeds it.
    let theirs = found["put"].as_f64().expect("a price");
    let (ours, error) = mean(&put(36.0, 40.0, 0.06, 0.2, 50));
    assert!(ours < theirs + 3.0 * error, "{ours} +/- {error}, QuantLib {theirs}");
    assert!(ours > 0.99 * theirs - 3.0 * error, "{ours} +/- {error}, QuantLib {theirs}");
}
