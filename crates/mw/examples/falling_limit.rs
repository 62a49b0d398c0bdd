//! How long it takes from the word of a lower limit to a meter below it, over real
//! protocols: a run, and ten thousand emulated rigs and a meter in a process of their own,
//! of which some hang.
//!
//! ```text
//! cargo build --release --locked --package mw --bin mw --example falling_limit
//! target/release/examples/falling_limit --mw target/release/mw --folder target/falling
//! ```
//!
//! Prints each figure with its bound. Nothing here passes or fails by time: a slow machine
//! is not a fault.
#![expect(clippy::print_stdout, reason = "a command line answers on standard output")]

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use adapters::device::Allowed;
use adapters::device::modbus::{ModbusMeter, Plausible, Profile};
use adapters::device::reach::Network;
use adapters::meter::Meter as _;
use anyhow::{Context, bail, ensure};
use clap::Parser;
use units::Power;

/// What one rig draws at full power.
const RIG: Power = Power::from_watts(3_500);

/// Where the rigs answer, from the first on, and the meter.
const FIRST: Ipv4Addr = Ipv4Addr::new(127, 45, 0, 1);
const METER: (Ipv4Addr, u16) = (Ipv4Addr::new(127, 45, 200, 1), 1_502);

/// How often the meter is read.
const READ_EVERY: Duration = Duration::from_millis(50);

/// What has not come about by then does not.
const GIVEN_UP_AFTER: Duration = Duration::from_secs(180);

/// How long a limit takes to be followed.
#[derive(Debug, Parser)]
struct Arguments {
    /// The program.
    #[arg(long)]
    mw: PathBuf,
    /// A folder to work in; it is emptied first.
    #[arg(long)]
    folder: PathBuf,
    /// How many rigs.
    #[arg(long, default_value_t = 10_000)]
    rigs: u32,
    /// How many of a hundred hang.
    #[arg(long, default_value_t = 5)]
    hang_percent: u32,
    /// How often the limit falls.
    #[arg(long, default_value_t = 50)]
    times: usize,
    /// The rigs take as long as real ones.
    #[arg(long)]
    realistic: bool,
}

fn main() -> anyhow::Result<()> {
    let arguments = &Arguments::parse();
    let folder = &arguments.folder;
    if folder.exists() {
        std::fs::remove_dir_all(folder)?;
    }
    std::fs::create_dir_all(folder)?;
    std::fs::write(folder.join("site.toml"), site_file(arguments.rigs))?;
    std::fs::write(folder.join("signals.jsonl"), "")?;
    let _emulated = emulate(arguments)?;
    let _run = run(arguments)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(measure(arguments))
}

async fn measure(arguments: &Arguments) -> anyhow::Result<()> {
    let all = Power::from_watts(RIG.as_watts() * i64::from(arguments.rigs));
    let of_all = |percent: i64| Power::from_watts(all.as_watts() / 100 * percent);
    let meter = meter(all)?;
    let mw = |words: &[&str]| say(arguments, words);
    let full = all.to_mw_text(6);
    // Nobody says here what mining earns: a person says what the rigs shall draw.
    let hold = ["fleet", "hold", "FOLDER", "rigs", "--mw", &full, "--for", "20h"];
    let why = ["--reason", "measured", "--as", "Ben", "--role", "operator"];
    mw(&[&hold[..], &why[..]].concat())?;
    // Those that hang stay where they are, and were at rest when nobody heard of them.
    let up = of_all(99 - i64::from(arguments.hang_percent));
    let limit = of_all(70).to_mw_text(6);
    let mut took = Vec::new();
    for time in 0..arguments.times {
        until(&meter, "up", |draw| draw >= up).await?;
        let name = format!("call {time}");
        let programme = ["--programme", "grid", "--name", &name];
        let from = Instant::now();
        let told = ["grid", "limit", "FOLDER", "--mw", &limit, "--for", "1h"];
        let ben = ["--as", "Ben", "--role", "dispatcher"];
        mw(&[&told[..], &programme[..], &ben[..]].concat())?;
        until(&meter, "below the limit", |draw| draw <= of_all(70)).await?;
        took.push(from.elapsed());
        println!("  {time}: {:.2} s", from.elapsed().as_secs_f64());
        mw(&[&["grid", "withdraw", "FOLDER"][..], &programme[..], &ben[..]].concat())?;
        let cem = ["--as", "Cem", "--role", "dispatcher"];
        mw(&[&["grid", "confirm", "FOLDER"][..], &programme[..], &cem[..]].concat())?;
    }
    took.sort();
    let at = |percent: usize| took[(took.len() - 1) * percent / 100].as_secs_f64();
    println!(
        "{} rigs, {} % hanging, a limit that falls by 30 %, {} times: p50 {:.2} s, p99 {:.2} s, \
         worst {:.2} s from the word to the meter; at most 10 wanted",
        arguments.rigs,
        arguments.hang_percent,
        took.len(),
        at(50),
        at(99),
        at(100)
    );
    Ok(())
}

/// A site of rigs behind one meter.
fn site_file(rigs: u32) -> String {
    // A tenth more than they draw together.
    let megawatts = i64::from(rigs) * RIG.as_watts() / 900_000 + 1;
    let (meter, port) = METER;
    format!(
        r#"format = 1
name = "rigs"
market = {{ name = "ERCOT", settlement_point = "HB_WEST" }}
pool = {{ fee_percent = 2 }}
policy = {{ follows_price = false }}
network = {{ allow = ["127.45.0.0/16"] }}

[interconnection]
import_limit_mw = {megawatts}
ramp_up_mw_per_minute = {ramp}
ramp_down_mw_per_minute = {ramp}
meter = {{ driver = "modbus", address = "{meter}", port = {port}, profile = "mw-meter" }}

[[feeders]]
name = "feeder"
limit_mw = {megawatts}

[[halls]]
name = "hall"
feeder = "feeder"
pue = 1.0

[[rigs]]
name = "rigs"
model = "Antminer S21"
count = {rigs}
hall = "hall"
restart_minutes = 0
restart_cost_usd = 0

[rigs.devices]
driver = "whatsminer"
first = "{FIRST}"
login = "env:MW_BENCH_MINERS"
pools = ["stratum+tcp://pool.example:3333"]
"#,
        ramp = megawatts * 60,
    )
}

/// A program in the background, which ends with this.
struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// The program, with the login that the site file names.
fn program(arguments: &Arguments) -> Command {
    let mut command = Command::new(&arguments.mw);
    command.env("MW_BENCH_MINERS", "a word of the site").stdin(Stdio::null());
    command
}

fn emulate(arguments: &Arguments) -> anyhow::Result<Program> {
    let mut command = program(arguments);
    command.arg("emulate").arg(&arguments.folder);
    command.args(["--listen", "127.0.0.1:0", "--devices", "--seconds", "7200"]);
    command.args(["--hang-percent", &arguments.hang_percent.to_string()]);
    command.args(["--profile", if arguments.realistic { "realistic" } else { "fast" }]);
    let mut child = command.stdout(Stdio::piped()).spawn()?;
    let said = BufReader::new(child.stdout.take().context("a pipe")?).lines();
    let said: Vec<String> = said.take(2).collect::<Result<_, _>>()?;
    ensure!(said.len() == 2, "the devices do not answer: {said:?}");
    println!("{}", said[1]);
    Ok(Program(child))
}

#[expect(clippy::disallowed_methods, reason = "measures other processes")]
fn run(arguments: &Arguments) -> anyhow::Result<Program> {
    let data = arguments.folder.join("data");
    let mut command = program(arguments);
    command.arg("run").arg(&arguments.folder);
    command.args(["--against", "devices", "--seconds", "7200", "--log", "json"]);
    command.arg("--data").arg(&data);
    command.arg("--signals").arg(arguments.folder.join("signals.jsonl"));
    let log = std::fs::File::create(arguments.folder.join("run.log"))?;
    let run = Program(command.stdout(Stdio::null()).stderr(log).spawn()?);
    let from = Instant::now();
    while say(arguments, &["fleet", "status", "FOLDER"]).is_err() {
        ensure!(from.elapsed() < GIVEN_UP_AFTER, "the run does not answer; see run.log");
        std::thread::sleep(Duration::from_millis(200));
    }
    Ok(run)
}

/// Says something to the run; `FOLDER` stands for where it is.
fn say(arguments: &Arguments, words: &[&str]) -> anyhow::Result<()> {
    let data = arguments.folder.join("data");
    let mut command = program(arguments);
    for word in words {
        if *word == "FOLDER" {
            command.arg(&data)
        } else {
            command.arg(word)
        };
    }
    let output = command.output()?;
    if !output.status.success() {
        let said = [output.stdout, output.stderr].concat();
        bail!("{words:?}: {}", String::from_utf8_lossy(&said));
    }
    Ok(())
}

/// The emulated meter, read by nobody else but the run.
fn meter(all: Power) -> anyhow::Result<ModbusMeter> {
    let allowed = Allowed::new(vec![Network::parse("127.45.0.0/16")?], Vec::new());
    let at = allowed.reach(SocketAddr::from(METER))?;
    let profile = Profile::named("mw-meter").context("a profile")?;
    Ok(ModbusMeter::new(at, 1, profile, Plausible { most: all + all }))
}

/// Reads the meter until it shows that.
async fn until(
    meter: &ModbusMeter,
    what: &str,
    is_so: impl Fn(Power) -> bool,
) -> anyhow::Result<()> {
    let from = Instant::now();
    let mut last = None;
    while from.elapsed() < GIVEN_UP_AFTER {
        let by = Instant::now() + Duration::from_secs(2);
        let shown = meter.read(by).await.ok().and_then(|shown| shown.power);
        last = shown.map(|power| power.value).or(last);
        if last.is_some_and(&is_so) {
            return Ok(());
        }
        tokio::time::sleep(READ_EVERY).await;
    }
    bail!("never {what}; the meter shows {last:?}")
}
