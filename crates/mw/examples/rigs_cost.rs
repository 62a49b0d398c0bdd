//! What it costs to look at a fleet of rigs and to tell it something: emulated rigs on
//! loopback, some of which hang, and the fleet that a living run drives.
//!
//! Prints each figure with its bound. Nothing here passes or fails by time: a slow machine
//! is not a fault. With `--beside PYTHON` the libraries `pyasic` and `asic-rs`, as far as
//! that Python has them, do the same with the same rigs. `--serve` only lets the rigs
//! answer, for another program to be measured.
#![expect(clippy::print_stdout, reason = "a command line answers on standard output")]

use std::collections::BTreeSet;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use adapters::deliver::Secret;
use adapters::device::cgminer::Cgminer;
use adapters::device::reach::Network;
use adapters::device::whatsminer::Whatsminer;
use adapters::device::{Allowed, Driver};
use adapters::fleet::{Fleet, Pace, Parts, Said, Told};
use anyhow::{Context, bail};
use clap::{Parser, ValueEnum};
use engine::site::{LoadIx, LoadKind};
use engine::{Lease, Move, Order, OrderBatch, Ranges, Setpoint, Site, Survey};
use mw::config;
use mw::emulate::rigs::{Firmware, Manner, Rigs, Timing};
use mw::emulate::{Emulated, Machine};
use mw::live::clock::Clock;
use sim::campus::{Temper, Tempers};
use tokio::sync::mpsc::{Receiver, channel};
use units::Seconds;

const PASSWORD: &str = "admin";

/// The load of the site whose rigs they are.
const LOAD: &str = "s21";

/// A rig that was not seen where it is to be by then is not waited for.
const GIVEN_UP_AFTER: Duration = Duration::from_secs(120);

/// Another library is given up after this.
const OTHERS_GIVEN_UP_AFTER: Duration = Duration::from_secs(600);

/// Where the first rig answers.
const FIRST: Ipv4Addr = Ipv4Addr::new(127, 42, 0, 1);

/// What a fleet of rigs costs.
#[derive(Clone, Debug, Parser)]
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
    /// The most that are asked at once.
    #[arg(long, default_value_t = Pace::default().at_once)]
    at_once: usize,
    /// What they are.
    #[arg(long, value_enum, default_value_t = What::Whatsminer)]
    firmware: What,
    /// They take as long as real ones.
    #[arg(long)]
    realistic: bool,
    /// A Python with `pyasic` and `pyasic_rs`, which are measured beside us.
    #[arg(long)]
    beside: Option<PathBuf>,
    /// How many of the rigs they are given.
    #[arg(long, default_value_t = 1_000)]
    beside_rigs: usize,
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
                let (site, machines, rigs) = shed(arguments)?;
                say_open.send((site, machines, rigs.addresses().to_vec()))?;
                drop(closed.await);
                Ok(())
            })
        });
        let Ok((site, machines, addresses)) = opened.recv() else {
            return rigs.join().expect("a thread that ends");
        };
        let ended = runtime()?.block_on(run(arguments, site, &machines, &addresses));
        drop(close);
        rigs.join().expect("a thread that ends").and(ended)
    })
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}

async fn run(
    arguments: &Arguments,
    site: Site,
    machines: &[Machine],
    addresses: &[SocketAddr],
) -> anyhow::Result<()> {
    println!("{} rigs from {} on", machines.len(), addresses[0]);
    if let Some(seconds) = arguments.serve {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        return Ok(());
    }
    let drivers = drivers(arguments, addresses)?;
    let mut asking = Asking::of(arguments, site, drivers);
    for sweep in ["first sweep, logins and all", "sweep", "sweep"] {
        let took = asking.until_seen(None).await?;
        println!("{sweep}: every healthy rig seen after {:.2} s; at most 6 wanted", took);
    }
    for (name, point) in [
        ("to the middle of its curve", 1),
        ("to rest", 0),
        ("to full power", 2),
        ("to rest", 0),
    ] {
        let took = asking.until_seen(Some(point)).await?;
        println!(
            "{name}: every healthy rig told and read back after {took:.2} s; at most 5 wanted"
        );
        let all = machines.iter().enumerate();
        let healthy = all.filter(|(number, _)| !hangs(arguments, *number));
        let astray = healthy.filter(|(_, it)| it.stands().point != point).count();
        println!("    {astray} healthy rigs are elsewhere");
    }
    let standing = asking.fleet.standing();
    let hanging = (0..machines.len()).filter(|number| hangs(arguments, *number)).count();
    println!(
        "{} of {} devices are only probed, {hanging} hang",
        standing.probed_only, standing.devices
    );
    match &arguments.beside {
        Some(python) => beside(python, arguments, machines, addresses).await,
        None => Ok(()),
    }
}

/// Lets other libraries do what we do, with the same rigs, and says how much longer they
/// take: each found, read, and sent to rest and read back, by us first.
async fn beside(
    python: &Path,
    arguments: &Arguments,
    machines: &[Machine],
    addresses: &[SocketAddr],
) -> anyhow::Result<()> {
    let count = arguments.beside_rigs.min(addresses.len());
    let (machines, addresses) = (&machines[..count], &addresses[..count]);
    let all_run = || {
        machines.iter().for_each(|machine| {
            machine.go_to(2);
        })
    };

    let fewer = Arguments { rigs: u32::try_from(count)?, ..arguments.clone() };
    let site = site_of(&fewer)?;
    all_run();
    let mut ours = Asking::of(&fewer, site, drivers(&fewer, addresses)?);
    let found = ours.until_seen(None).await?;
    let swept = ours.until_seen(None).await?;
    let rested = ours.until_seen(Some(0)).await?;
    drop(ours);
    println!(
        "{count} rigs, by us: found after {found:.2} s, read {swept:.2} s, at rest {rested:.2} s"
    );

    for library in ["pyasic", "asic-rs"] {
        all_run();
        let theirs = other(python, library, addresses).await?;
        let Some(theirs) = theirs else { continue };
        for key in ["find_s", "sweep_s", "rest_s"] {
            anyhow::ensure!(
                theirs[key].is_f64(),
                "expected `{key}` of {library}: {theirs}"
            );
        }
        let number = |key: &str| theirs[key].as_f64().expect("checked above");
        let times = |key: &str, ours: f64| number(key) / ours.max(0.01);
        println!(
            "{count} rigs, by {library}: {} found after {:.2} s ({:.1} times ours), \
             {} read {:.2} s ({:.1} times), {} at rest {:.2} s ({:.1} times)",
            theirs["found"],
            number("find_s"),
            times("find_s", found),
            theirs["read"],
            number("sweep_s"),
            times("sweep_s", swept),
            theirs["rested"],
            number("rest_s"),
            times("rest_s", rested),
        );
    }
    Ok(())
}

/// What a library makes of the rigs; nothing where that Python does not have it.
async fn other(
    python: &Path,
    library: &str,
    addresses: &[SocketAddr],
) -> anyhow::Result<Option<serde_json::Value>> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/rigs_cost/others.py");
    let mut child = Command::new(python)
        .args([script, library, PASSWORD])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .with_context(|| format!("cannot start {}", python.display()))?;
    let each = addresses.iter().map(|at| format!("{}\n", at.ip()));
    let mut stdin = child.stdin.take().context("it reads what it is given")?;
    stdin.write_all(each.collect::<String>().as_bytes())?;
    drop(stdin);
    let end = Instant::now() + OTHERS_GIVEN_UP_AFTER;
    while child.try_wait()?.is_none() {
        if Instant::now() >= end {
            child.kill()?;
            child.wait()?;
            println!("{library} is given up after {} s", OTHERS_GIVEN_UP_AFTER.as_secs());
            return Ok(None);
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let said = child.wait_with_output()?.stdout;
    let said = String::from_utf8_lossy(&said);
    let said = said.lines().last().with_context(|| format!("{library} says nothing"))?;
    let said: serde_json::Value =
        serde_json::from_str(said).with_context(|| format!("{library} says `{said}`"))?;
    if let Some(absent) = said["absent"].as_str() {
        println!("skipped: {library}, because {} has no {absent}", python.display());
        return Ok(None);
    }
    Ok(Some(said))
}

/// A driver for each rig.
fn drivers(
    arguments: &Arguments,
    addresses: &[SocketAddr],
) -> anyhow::Result<Vec<Arc<dyn Driver>>> {
    let loopback = Network::parse("127.0.0.0/8")?;
    let allowed = Allowed::new(vec![loopback], Vec::new());
    addresses
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
        .collect()
}

/// A fleet that is asked, and what it says.
struct Asking<'a> {
    arguments: &'a Arguments,
    fleet: Fleet,
    said: Receiver<Said>,
    load: LoadIx,
    generation: u64,
}

impl<'a> Asking<'a> {
    fn of(arguments: &'a Arguments, site: Site, drivers: Vec<Arc<dyn Driver>>) -> Self {
        let load = site.load_named(LOAD).expect("a load that was found before");
        let mut loads = vec![Vec::new(); site.loads.len()];
        loads[load] = drivers;
        let clock = Clock::wall();
        let until = clock.now() + Seconds::hours(2);
        let parts = Parts {
            site,
            loads,
            meter: None,
            pace: Pace { at_once: arguments.at_once, ..Pace::default() },
            lease: Lease { until, over: Seconds::from_seconds(1) },
        };
        let (say, said) = channel(1_024);
        let fleet = Fleet::start(parts, Arc::new(move || clock.now()), say);
        Self { arguments, fleet, said, load, generation: 0 }
    }

    /// Asks for everybody, or orders everybody to a point; seconds until every healthy
    /// rig was seen, there if it was ordered.
    async fn until_seen(&mut self, point: Option<u8>) -> anyhow::Result<f64> {
        let all: Ranges = (0..self.arguments.rigs).collect();
        let told = match point {
            None => Told::Survey,
            Some(point) => {
                self.generation += 1;
                let moves = vec![Move { point, machines: all }];
                let setpoint = Setpoint::Level(0);
                let order = Order { load: self.load, setpoint, moves };
                let generation = self.generation;
                Told::Orders(OrderBatch { generation, lease: None, orders: vec![order] })
            }
        };
        let mut missing: BTreeSet<u32> = (0..self.arguments.rigs)
            .filter(|number| !hangs(self.arguments, *number as usize))
            .collect();
        let from = Instant::now();
        self.fleet.tell(told).await;
        while !missing.is_empty() {
            let left = GIVEN_UP_AFTER.saturating_sub(from.elapsed());
            let said = tokio::time::timeout(left, self.said.recv()).await;
            let Ok(Some(said)) = said else {
                bail!("{} healthy rigs were not seen there", missing.len());
            };
            let Said::Receipt(receipt) = said else { continue };
            for look in receipt.surveys.iter().flat_map(Survey::looks) {
                if point.is_none_or(|point| point == look.point) {
                    missing.remove(&look.machine);
                }
            }
        }
        Ok(from.elapsed().as_secs_f64())
    }
}

/// The site with so many rigs.
fn site_of(arguments: &Arguments) -> anyhow::Result<Site> {
    let mut site = config::load(&arguments.site)?.site;
    let load = site.load_named(LOAD).context("expected a load named s21")?;
    match &mut site.loads[load].kind {
        LoadKind::Rigs(rigs) => rigs.machines.count = arguments.rigs,
        LoadKind::Racks(_) | LoadKind::Battery(_) => bail!("expected s21 to be rigs"),
    }
    Ok(site)
}

/// Machines that hang and machines that do not, and the rigs that they are.
fn shed(arguments: &Arguments) -> anyhow::Result<(Site, Vec<Machine>, Rigs)> {
    let site = site_of(arguments)?;
    let timing = if arguments.realistic { Timing::Realistic } else { Timing::Fast };
    let clock = Clock::set(Clock::wall().now(), 1);
    let emulated = Emulated::new(site.clone(), 1, Tempers::none(), clock)
        .with_dynamics(timing.dynamics());
    let machines = emulated.machines_of(LOAD);
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
    Ok((site, machines, rigs))
}

fn hangs(arguments: &Arguments, number: usize) -> bool {
    arguments.hangs_every > 0 && number.is_multiple_of(arguments.hangs_every)
}
