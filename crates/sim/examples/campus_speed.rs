//! How fast a campus is: device-steps a second on one core, by its size.
#![expect(clippy::print_stdout, reason = "a command line answers on standard output")]
#![expect(clippy::disallowed_methods, reason = "how long it takes is what it measures")]
#![expect(clippy::disallowed_types, reason = "how long it takes is what it measures")]

#[path = "../tests/it/campus/site.rs"]
mod site;

use std::time::{Duration, Instant};

use engine::{Lease, Move, Order, OrderBatch, Ranges, Setpoint};
use sim::Campus;
use sim::campus::Tempers;
use site::{BATTERY, RIGS, SPOT, TENANT, site};
use units::{Power, Seconds, Timestamp};

/// How often each size is measured; the best run counts.
const RUNS: u32 = 5;

fn main() {
    println!(
        "a step is one second of one machine: it passes, and the machine is looked at\n\
         tempers are few, draws are noisy; each minute the lease is kept and a tenth\n\
         of the machines is ordered\n"
    );
    println!(
        "{:>9}  {:>14}  {:>13}  {:>11}  {:>12}  {:>13}",
        "machines",
        "steps/s a core",
        "a second, us",
        "a look, ns",
        "an order, ns",
        "bytes written"
    );
    let mut rates = Vec::new();
    for machines in [1_000_u32, 10_000, 100_000] {
        let best = (0..RUNS).map(|_| measure(machines)).min_by_key(Spent::of_steps);
        let best = best.expect("at least one run");
        let rate = best.steps * 1_000_000_000 / best.of_steps().as_nanos().max(1) as u64;
        println!(
            "{machines:>9}  {rate:>14}  {:>13}  {:>11}  {:>12}  {:>13}",
            tenths(best.passing, best.steps * 1_000 / u64::from(machines)),
            tenths(best.looking, best.steps),
            tenths(best.ordering, best.orders),
            best.bytes / u64::from(machines),
        );
        rates.push(rate);
    }
    println!(
        "\na hundred times the machines take {} times the time",
        100 * rates[0] / rates[rates.len() - 1].max(1),
    );
}

/// What one run took, in total.
struct Spent {
    steps: u64,
    orders: u64,
    passing: Duration,
    looking: Duration,
    ordering: Duration,
    bytes: u64,
}

impl Spent {
    fn of_steps(&self) -> Duration {
        self.passing + self.looking
    }
}

fn measure(machines: u32) -> Spent {
    let rigs = machines - 7;
    let start = Timestamp::from_unix_seconds(1_700_000_000);
    let tempers = Tempers::few(Power::from_kw(200));
    let mut campus = Campus::new(site(rigs), 1, tempers, start);
    let lease =
        |now| Lease { until: now + Seconds::minutes(3), over: Seconds::minutes(2) };
    let order = |load, setpoint, moves| Order { load, setpoint, moves };
    let all = |point, count| vec![Move { point, machines: Ranges::all(count) }];
    campus.obey(&OrderBatch {
        generation: 1,
        lease: Some(lease(start)),
        orders: vec![
            order(RIGS, Setpoint::Level(rigs), all(1, rigs)),
            order(TENANT, Setpoint::Level(4), all(1, 4)),
            order(SPOT, Setpoint::Level(2), all(1, 2)),
            order(BATTERY, Setpoint::Power(Power::from_kw(100)), Vec::new()),
        ],
    });
    let mut spent = Spent {
        steps: 0,
        orders: 0,
        passing: Duration::ZERO,
        looking: Duration::ZERO,
        ordering: Duration::ZERO,
        bytes: 0,
    };
    // So many seconds that small sites are measured as long as large ones.
    let seconds = (20_000_000 / u64::from(machines)).clamp(60, 2_000);
    for second in 1..=seconds {
        let began = Instant::now();
        campus.advance(campus.now() + Seconds::from_seconds(1));
        if second % 60 == 0 {
            campus.keep(&lease(campus.now()));
        }
        let passed = Instant::now();
        let receipt = campus.survey();
        let looked = Instant::now();
        spent.passing += passed - began;
        spent.looking += looked - passed;
        spent.steps += u64::from(machines);
        // What was seen is used, so that it is not left out.
        assert_eq!(receipt.observed_at, campus.now());
        if second % 60 == 0 {
            let first = rigs / 10 * (second / 60 % 10) as u32;
            let which = (first..first + rigs / 10).collect::<Ranges>();
            let point = (second / 600 % 2) as u8 + 1;
            let batch = OrderBatch {
                generation: 1 + second,
                lease: Some(lease(campus.now())),
                orders: vec![order(
                    RIGS,
                    Setpoint::Level(0),
                    vec![Move { point, machines: which }],
                )],
            };
            let began = Instant::now();
            let answers = campus.obey(&batch);
            spent.ordering += began.elapsed();
            spent.orders += u64::from(rigs / 10);
            assert!(!answers.is_empty());
        }
    }
    spent.bytes = postcard::to_stdvec(&campus).expect("a campus is written").len() as u64;
    spent
}

/// Nanoseconds each of so many, to a tenth.
fn tenths(spent: Duration, count: u64) -> String {
    let tenths = spent.as_nanos() as u64 * 10 / count.max(1);
    format!("{}.{}", tenths / 10, tenths % 10)
}
