//! What it costs to look at a fleet of rigs and to tell it something: emulated rigs on
//! loopback, some of which hang, and the drivers alone, with no more than a bound on how
//! many are spoken with at a time.
//!
//! Prints each figure. Nothing here passes or fails by time: a slow machine is not a
//! fault. `--serve` only lets the rigs answer, for another program to be measured.
#![expect(clippy::print_stdout, reason = "a command line answers on standard output")]

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use adapters::deliver::Secret;
use adapters::device::cgminer::Cgminer;
use adapters::device::reach::Network;
use adapters::device::whatsminer::Whatsminer;
use adapters::device::{Allowed, Driver, Outcome, Wanted, carry_out};
use anyhow::{Context, bail};
use clap::{Parser, ValueEnum};
use engine::site::LoadKind;
use mw::config;
use mw::emulate::rigs::{Firmware, Manner, Rigs, Timing};
use mw::emulate::{Emulated, Machine};
use mw::live::clock::Clock;
use sim::campus::{Temper, Tempers};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use units::{Power, Seconds};

const PASSWORD: &str = "admin";

/// Where the first rig answers.
const FIRST: Ipv4Addr = Ipv4Addr::new(127, 42, 0, 1);

/// What a fleet of rigs costs.
#[derive(Debug, Parser)]
struct Arguments {
    /// A site with a load named `s21`, whose rigs are multiplied.
    #[arg(long, default_value = "examples/mixed-10mw")]
    site: PathBuf,
    /// How many rigs.
    #[arg(long, default_value_t = 10_000)]
    rigs: u32,
    /// Every how manieth hangs; 0 is none.
    #[arg(long, default_value_t = 20)]
    hangs_every: usize,
    /// How many are spoken with at a time. More than the machine can serve within the
    /// patience, and nobody is served: each waits for all.
    #[arg(long, default_value_t = 128)]
    at_a_time: usize,
    /// How long a rig is waited for, in milliseconds.
    #[arg(long, default_value_t = 2_000)]
    patience_ms: u64,
    /// What they are.
    #[arg(long, value_enum, default_value_t = What::Whatsminer)]
    firmware: What,
    /// They take as long as real ones.
    #[arg(long)]
    realistic: bool,
    /// Only serve, for so many seconds.
    #[arg(long)]
    serve: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum What {
    Whatsminer,
    Luxos,
}

fn main() -> anyhow::Result<()> {
    let arguments = &Arguments::parse();
    let (say_open, opened) = std::sync::mpsc::channel();
    let (close, closed) = tokio::sync::oneshot::channel::<()>();
    // The rigs have a thread of their own, as they would have a process of their own.
    std::thread::scope(|scope| {
        let rigs = scope.spawn(move || {
            runtime()?.block_on(async {
                let (machines, rigs) = shed(arguments)?;
                say_open.send((machines, rigs.addresses().to_vec()))?;
                drop(closed.await);
                Ok(())
            })
        });
        let Ok((machines, addresses)) = opened.recv() else {
            return rigs.join().expect("a thread that ends");
        };
        let ended = runtime()?.block_on(run(arguments, &machines, &addresses));
        drop(close);
        rigs.join().expect("a thread that ends").and(ended)
    })
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}

async fn run(
    arguments: &Arguments,
    machines: &[Machine],
    addresses: &[SocketAddr],
) -> anyhow::Result<()> {
    println!("{} rigs from {} on", machines.len(), addresses[0]);
    if let Some(seconds) = arguments.serve {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        return Ok(());
    }
    let loopback = Network::parse("127.0.0.0/8")?;
    let allowed = Allowed::new(vec![loopback], Vec::new());
    let drivers: Vec<Arc<dyn Driver>> = addresses
        .iter()
        .map(|address| {
            let at = allowed.reach(*address)?;
            Ok(match arguments.firmware {
                What::Whatsminer => {
                    let login = Secret::new(PASSWORD.to_owned());
                    Arc::new(Whatsminer::new(at, Some(login))) as Arc<dyn Driver>
                }
                What::Luxos => Arc::new(Cgminer::new(at)),
            })
        })
        .collect::<anyhow::Result<_>>()?;

    for sweep in ["first look, logins and all", "look", "look"] {
        let (took, answered) = each(arguments, &drivers, |driver, by| async move {
            driver.look(by).await.is_ok()
        })
        .await;
        say(arguments, sweep, took, &answered);
    }
    for (name, wanted) in [
        ("to 2600 W and read back", Wanted::AtMost(Power::from_watts(2_600))),
        ("to rest and read back", Wanted::Rest),
        ("to 3500 W and read back", Wanted::AtMost(Power::from_watts(3_500))),
        ("to rest and read back", Wanted::Rest),
    ] {
        let (took, answered) = each(arguments, &drivers, move |driver, by| async move {
            matches!(carry_out(&*driver, wanted, by).await, Outcome::Done(_))
        })
        .await;
        say(arguments, name, took, &answered);
        let point = match wanted {
            Wanted::Rest => 0,
            Wanted::AtMost(power) if power.as_watts() < 3_500 => 1,
            Wanted::AtMost(_) | Wanted::Flow(_) => 2,
        };
        let truly = machines.iter().filter(|it| it.stands().point == point).count();
        println!("    {truly} machines truly are there");
    }
    Ok(())
}

/// Machines that hang and machines that do not, and the rigs that they are.
fn shed(arguments: &Arguments) -> anyhow::Result<(Vec<Machine>, Rigs)> {
    let mut site = config::load(&arguments.site)?.site;
    let load = site.load_named("s21").context("expected a load named s21")?;
    match &mut site.loads[load].kind {
        LoadKind::Rigs(rigs) => rigs.machines.count = arguments.rigs,
        LoadKind::Racks(_) | LoadKind::Battery(_) => bail!("expected s21 to be rigs"),
    }
    let timing = if arguments.realistic { Timing::Realistic } else { Timing::Fast };
    let clock = Clock::set(Clock::wall().now(), 1);
    let site =
        Emulated::new(site, 1, Tempers::none(), clock).with_dynamics(timing.dynamics());
    let machines = site.machines_of("s21");
    for (number, machine) in machines.iter().enumerate() {
        machine.go_to(2);
        if hangs(arguments, number) {
            machine.take_temper(Temper::Hangs, Seconds::hours(24));
        }
    }
    let from = u32::from(FIRST);
    let numbers = from..from + arguments.rigs;
    let addresses: Vec<SocketAddr> =
        numbers.map(|number| (Ipv4Addr::from(number), 4_028).into()).collect();
    let (firmware, model) = match arguments.firmware {
        What::Whatsminer => (Firmware::Whatsminer, "M50S_VH50"),
        What::Luxos => (Firmware::LuxOs, "Antminer S21"),
    };
    let manner = Manner {
        firmware,
        model: model.to_owned(),
        password: PASSWORD.to_owned(),
        pools: vec!["stratum+tcp://pool.example:3333".to_owned()],
        timing,
    };
    let rigs = Rigs::listen(machines.clone(), &addresses, manner)?;
    Ok((machines, rigs))
}

fn hangs(arguments: &Arguments, number: usize) -> bool {
    arguments.hangs_every > 0 && number.is_multiple_of(arguments.hangs_every)
}

/// Does something with each rig, so many at a time. How long each took from the start of
/// all, and whether it went well.
async fn each<W, F>(
    arguments: &Arguments,
    drivers: &[Arc<dyn Driver>],
    with: W,
) -> (Duration, Vec<(Duration, bool)>)
where
    W: Fn(Arc<dyn Driver>, Instant) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = bool> + Send,
{
    let places = Arc::new(Semaphore::new(arguments.at_a_time));
    let patience = Duration::from_millis(arguments.patience_ms);
    let from = Instant::now();
    let mut all = JoinSet::new();
    for (number, driver) in drivers.iter().enumerate() {
        let place = Arc::clone(&places).acquire_owned().await;
        let (driver, with) = (Arc::clone(driver), with.clone());
        all.spawn(async move {
            let well = with(driver, Instant::now() + patience).await;
            drop(place);
            (number, from.elapsed(), well)
        });
    }
    let mut done = vec![(Duration::ZERO, false); drivers.len()];
    while let Some(Ok((number, took, well))) = all.join_next().await {
        done[number] = (took, well);
    }
    (from.elapsed(), done)
}

fn say(arguments: &Arguments, what: &str, took: Duration, done: &[(Duration, bool)]) {
    let healthy = done.iter().enumerate().filter(|(at, _)| !hangs(arguments, *at));
    let (well, ill): (Vec<_>, Vec<_>) = healthy.partition(|(_, (_, well))| *well);
    let last = well.iter().map(|(_, (took, _))| *took).max().unwrap_or_default();
    println!(
        "{what}: {} healthy done after {:.2} s, {} healthy not; all ended after {:.2} s",
        well.len(),
        last.as_secs_f64(),
        ill.len(),
        took.as_secs_f64(),
    );
}
