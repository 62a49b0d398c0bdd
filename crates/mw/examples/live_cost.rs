//! What a live run costs: state, ticks, sweeps, journal and restart, measured by
//! `cargo xtask bench live`.
//!
//! Prints each figure with its bound, and says where one is beyond it. Nothing here
//! passes or fails by time: a slow machine is not a fault.
#![expect(clippy::print_stdout, reason = "a command line answers on standard output")]

#[path = "../tests/it/driven.rs"]
mod driven;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use adapters::store::{Key, StoreAddress};
use anyhow::{Context, bail, ensure};
use clap::Parser;
use driven::{DRAW_EVERY, Driven, Took};
use engine::{Engine, Event, Signal};
use mw::config;
use mw::live::journal::{Journal, record_of};
use mw::live::wire::{self, FromSite, ToSite};
use mw::records::{KEY, STORE, runtime};
use sim::campus::Tempers;
use units::{Power, Seconds, Timestamp};

/// When the made-up hour begins.
const FROM: &str = "2025-01-04T00:00Z";

const HOUR: Seconds = Seconds::hours(1);
const HALF_HOUR: Seconds = Seconds::minutes(30);

/// What a live run costs.
#[derive(Debug, Parser)]
struct Arguments {
    /// The program, for the restart; without it, only the engine's state is measured.
    #[arg(long)]
    mw: Option<PathBuf>,
    /// A folder to work in; it is emptied first.
    #[arg(long)]
    folder: PathBuf,
    /// How often the run is killed and started again.
    #[arg(long, default_value_t = 7)]
    kills: usize,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let folder = &arguments.folder;
    if folder.exists() {
        std::fs::remove_dir_all(folder)?;
    }
    std::fs::create_dir_all(folder)?;
    engine_state(folder)?;
    let Some(mw) = &arguments.mw else { return Ok(()) };
    let (site, data) = journal_of_an_hour(folder)?;
    restart(&arguments, mw, &site, &data)
}

/// A site of rigs in ten loads, as a file.
fn site_file(folder: &Path, rigs: u32) -> anyhow::Result<PathBuf> {
    let megawatts = rigs * 4 / 1_000 + 10;
    let mut text = format!(
        "format = 1\nname = \"rigs-{rigs}\"\n\
         [market]\nname = \"SYNTH\"\nsettlement_point = \"HB_SYNTH\"\n\
         [interconnection]\nimport_limit_mw = {megawatts}\n\
         ramp_up_mw_per_minute = {megawatts}\nramp_down_mw_per_minute = {megawatts}\n\
         [[feeders]]\nname = \"main\"\nlimit_mw = {megawatts}\n\
         [[halls]]\nname = \"hall\"\nfeeder = \"main\"\npue = 1.05\n\
         [pool]\nfee_percent = 1.5\n\
         [policy]\ndecide_on = \"real_time\"\n"
    );
    for load in 0..10 {
        text += &format!(
            "[[rigs]]\nname = \"load-{load}\"\nmodel = \"Antminer S21\"\ncount = {}\n\
             hall = \"hall\"\nrestart_minutes = 10\nrestart_cost_usd = 0.02\n",
            rigs / 10
        );
    }
    let path = folder.join(format!("rigs-{rigs}.toml"));
    std::fs::write(&path, text)?;
    Ok(path)
}

/// How much of memory this process holds, in bytes.
fn resident() -> anyhow::Result<u64> {
    let text =
        std::fs::read_to_string("/proc/self/status").context("measuring needs Linux")?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kb = line.context("a process has a size")?.trim().trim_end_matches(" kB");
    Ok(kb.parse::<u64>()? * 1_024)
}

/// Says how long steps of a kind took, and what was wanted.
fn say(driven: &Driven, kind: &str, most: Option<Duration>) {
    let Some(took) = driven.took.get(kind) else {
        println!("  {kind}: none");
        return;
    };
    let sorted = |of: fn(&Took) -> Duration| {
        let mut each: Vec<Duration> = took.iter().map(of).collect();
        each.sort();
        (millis(each[each.len() / 2]), millis(each[each.len() - 1]))
    };
    let (wall, on_cpu) = (sorted(|took| took.wall), sorted(|took| took.on_cpu));
    let bound = most.map_or_else(String::new, |most| {
        let beyond = if millis(most) < wall.1 { ", BEYOND" } else { "" };
        format!("; at most {:.0} ms wanted{beyond}", millis(most))
    });
    println!(
        "  {kind}: {} of them, median {:.2} ms, worst {:.2} ms; on the processor {:.1} and \
         {:.1} ms{bound}",
        took.len(),
        wall.0,
        wall.1,
        on_cpu.0,
        on_cpu.1
    );
}

fn from() -> anyhow::Result<Timestamp> {
    Timestamp::parse(FROM).map_err(anyhow::Error::msg)
}

fn millis(took: Duration) -> f64 {
    took.as_secs_f64() * 1_000.0
}

/// A hundred thousand rigs as engine state.
fn engine_state(folder: &Path) -> anyhow::Result<()> {
    const RIGS: u32 = 100_000;
    let site = config::load(&site_file(folder, RIGS)?)?.site;
    println!("\n{RIGS} rigs in 10 loads as engine state, half an hour at 30 s sweeps");
    let before = resident()?;
    let engine = Engine::live(site.clone(), from()?);
    let grown = resident()?.saturating_sub(before);
    println!(
        "  state: {} bytes a rig in the type, {} by the process's resident size; about 200 wanted",
        size_of::<engine::state::Machine>(),
        grown / u64::from(RIGS)
    );
    drop(engine);
    let tempers = Tempers::few(Power::from_watts(200_000));
    let mut driven = Driven::new(&site, tempers, from()?, false);
    driven.advance(driven.now + Seconds::minutes(30));
    for kind in ["tick", "survey"] {
        say(&driven, kind, Some(Duration::from_millis(100)));
    }
    for kind in ["receipt", "wake", "draw", "meters"] {
        say(&driven, kind, None);
    }
    let bytes = postcard::to_stdvec(&driven.engine)?;
    println!(
        "  snapshot: {} bytes a rig before it is compressed",
        bytes.len() / RIGS as usize
    );
    Ok(())
}

/// An hour of ten thousand rigs in a real store.
fn journal_of_an_hour(folder: &Path) -> anyhow::Result<(PathBuf, PathBuf)> {
    const RIGS: u32 = 10_000;
    let file = site_file(folder, RIGS)?;
    let site = config::load(&file)?.site;
    let data = folder.join("data");
    std::fs::create_dir_all(&data)?;
    let key = Key::load_or_create(&data.join(KEY))?;
    let address = StoreAddress::file(&data.join(STORE));
    let tempers = Tempers::few(Power::from_watts(200_000));
    let mut driven = Driven::new(&site, tempers, from()?, true);
    let mut bytes: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    let (grown, whole) = runtime()?.block_on(async {
        let mut journal = Journal::begin(&address, key, &site, driven.now).await?.journal;
        let (half, end) = (driven.now + HALF_HOUR, driven.now + HOUR);
        let mut at_half = 0;
        while driven.now < end {
            if driven.now == half {
                at_half = size_of_store(&data)?;
            }
            driven.advance((driven.now + DRAW_EVERY).min(end));
            let steps = std::mem::take(&mut driven.steps);
            let records: Vec<_> = steps.iter().map(record_of).collect();
            for (step, record) in steps.iter().zip(&records) {
                let entry = bytes.entry(kind_of(&step.input.event)).or_default();
                *entry = (entry.0 + 1, entry.1 + record.bytes.len() as u64);
            }
            journal.append(&records).await?;
            journal.keep_state(&driven.engine, false).await?;
        }
        let whole = size_of_store(&data)?;
        anyhow::Ok((whole - at_half, whole))
    })?;
    println!(
        "\nAn hour of {RIGS} rigs, a sweep each 30 s, the meter each 5 s, in a store"
    );
    for (kind, (count, bytes)) in bytes {
        println!("  {kind}: {count} records, {bytes} bytes");
    }
    println!(
        "  store: {:.1} MB after the hour with its log and snapshots; grows by {:.0} MB \
         a day; at most 200 wanted",
        whole as f64 / 1e6,
        grown as f64 * 48.0 / 1e6
    );
    Ok((file, data))
}

/// The store's file and its log, in bytes.
fn size_of_store(data: &Path) -> anyhow::Result<u64> {
    let mut size = 0;
    for entry in std::fs::read_dir(data)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(STORE) {
            size += entry.metadata()?.len();
        }
    }
    Ok(size)
}

fn kind_of(event: &Event) -> &'static str {
    match event {
        Event::Tick(_) => "tick",
        Event::Wake => "wake",
        Event::Signal(Signal::Draw(_)) => "draw",
        Event::Signal(Signal::Sweep(_)) => "meters",
        Event::Signal(_) => "price",
        Event::Receipt(receipt) if receipt.surveys.len() >= 10 => "sweep",
        Event::Receipt(_) => "receipt",
        Event::Operator { .. }
        | Event::Change(_)
        | Event::Resume
        | Event::Trouble { .. }
        | Event::Estate(_) => "other",
    }
}

/// From the start of a killed run to its first order, on ten thousand rigs.
#[expect(clippy::disallowed_methods, reason = "measures other processes")]
fn restart(
    arguments: &Arguments,
    mw: &Path,
    site: &Path,
    data: &Path,
) -> anyhow::Result<()> {
    let history = arguments.folder.join("history");
    let synth = ["history", "synth", "--seed", "7", "--years", "1", "--out"];
    let made =
        Command::new(mw).args(synth).arg(&history).stdout(Stdio::null()).status()?;
    ensure!(made.success(), "the history cannot be made: {made}");
    let mut took = Vec::new();
    for time in 1..=arguments.kills {
        // A site whose machines are at rest, so that there is something to order. Its
        // clock is ahead of the journal, as after any outage.
        let from = from()? + HOUR + Seconds::minutes(i64::try_from(time)?);
        let (mut emulated, address) = emulate(mw, site, from)?;
        let before = newest(&address)?;
        let began = Instant::now();
        let mut run = Command::new(mw);
        run.arg("run").arg(site).args(["--against", &address, "--data"]).arg(data);
        run.arg("--history").arg(&history);
        let log = std::fs::File::create(arguments.folder.join("run.log"))?;
        let mut run =
            run.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn()?;
        while newest(&address)? == before {
            if let Some(status) = run.try_wait()? {
                emulated.kill()?;
                bail!("the run ended before its first order: {status}; see run.log");
            }
            ensure!(
                began.elapsed() < Duration::from_secs(120),
                "no order within two minutes"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
        took.push(began.elapsed());
        // A while of ordinary work before it is killed.
        std::thread::sleep(Duration::from_secs(3));
        run.kill()?;
        run.wait()?;
        emulated.kill()?;
        emulated.wait()?;
    }
    took.sort();
    println!(
        "\nFrom the start of a killed run to its first order at 10,000 rigs, {} times, \
         each reading a year of prices\n  median {:.2} s, worst {:.2} s; at most 10 wanted",
        took.len(),
        took[took.len() / 2].as_secs_f64(),
        took[took.len() - 1].as_secs_f64()
    );
    Ok(())
}

fn emulate(mw: &Path, site: &Path, from: Timestamp) -> anyhow::Result<(Child, String)> {
    let mut command = Command::new(mw);
    command.arg("emulate").arg(site).args(["--listen", "127.0.0.1:0", "--from"]);
    command.arg(from.to_string()).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut process = command.spawn()?;
    let mut address = String::new();
    BufReader::new(process.stdout.take().context("a pipe")?).read_line(&mut address)?;
    Ok((process, address.trim().to_owned()))
}

/// How many orders the machines have carried out.
fn newest(address: &str) -> anyhow::Result<u64> {
    runtime()?.block_on(async {
        let mut stream = tokio::net::TcpStream::connect(address).await?;
        wire::say(&mut stream, &ToSite::Account).await?;
        while let Some(said) = wire::hear::<FromSite>(&mut stream).await? {
            if let FromSite::Account(account) = said {
                let each = account.loads.iter().flat_map(|load| &load.machines);
                return Ok(each.map(|one| u64::from(one.executed)).sum());
            }
        }
        bail!("the site ended without an account")
    })
}
