//! Ends a live run in the middle, for real, and holds what is left against what the
//! site says was done.
//!
//! The site is a process of its own and outlives the run. The run is ended by
//! `strace` at the n-th call of a kind (SIGKILL when the call is entered, so that
//! everything before it happened and it did not), or its disk fails there, or the power
//! does, and what was not synced is lost. Then it is started again without interference and stopped in good order, and what its
//! records say is compared with the site's own account.

#[path = "sweep/power.rs"]
mod power;

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use engine::{Event, Output, Request};
use mw::emulate::Account;
use mw::live::control::{Asked, By, Reply, Wish, client};
use mw::live::wire::{self, FromSite, ToSite};
use mw::records::{Place, Records, What};
use power::Disk;
use units::{Energy, Interval, Timestamp};

/// When the site's clock begins, and how many of its seconds pass in one of the wall.
const FROM: &str = "2025-01-04T00:00Z";
const SPEED: &str = "600";

/// How long runs live by the wall, in seconds, unless they are ended.
const LIVES: &str = "2";

/// Rows of made-up history that are kept: two weeks of five-minute prices. A run
/// reads all of it each time it starts.
const ROWS_KEPT: usize = 14 * 288;

/// The calls that make something durable or send it.
const CALLS: [&str; 11] = [
    "pwrite64",
    "fdatasync",
    "fsync",
    "write",
    "writev",
    "sendto",
    "openat",
    "unlink",
    "linkat",
    "ftruncate",
    "rename",
];

/// Points that once found something; they always run.
const KEPT: [&str; 4] = [
    // The store's file is begun and not yet a store.
    "new:kill:fsync:4",
    // So long that what was decided before is not ordered after it.
    "new:ENOSPC:pwrite64:60:6500",
    // Between an order and the next sync, and while a record is written.
    "new:power:sendto:40",
    "stopped:power:pwrite64:120",
];

/// After an outage this long, in milliseconds, a run looks at machines before it
/// orders.
const TOO_LATE: u128 = 6_000;

/// What the tests stand on.
pub(crate) struct Stand {
    /// The program.
    pub(crate) mw: PathBuf,
    /// A folder of their own.
    pub(crate) folder: PathBuf,
    /// A short history.
    history: PathBuf,
    site: PathBuf,
}

/// Where and how a run is interfered with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Point {
    /// What the run was before.
    pub(crate) before: Before,
    /// What is done to it.
    pub(crate) fault: Fault,
}

/// What a run was before it is interfered with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Before {
    /// Nothing: it begins.
    New,
    /// Stopped in good order.
    Stopped,
    /// Killed.
    Killed,
}

/// What is done to a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It is killed when a thread enters a call for the n-th time.
    Kill {
        /// Which call.
        call: String,
        /// Which time.
        n: u32,
    },
    /// It is killed there, and of what it wrote and had not synced, some is lost.
    Power {
        /// Which call.
        call: String,
        /// Which time.
        n: u32,
    },
    /// A call fails from a thread's n-th time on, for a while.
    Disk {
        /// Which call.
        call: String,
        /// `ENOSPC` or `EIO`.
        error: String,
        /// Which time.
        n: u32,
        /// For how long after it was noticed, in milliseconds of the wall.
        lasts: u64,
    },
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let before = match self.before {
            Before::New => "new",
            Before::Stopped => "stopped",
            Before::Killed => "killed",
        };
        match &self.fault {
            Fault::Kill { call, n } => write!(f, "{before}:kill:{call}:{n}"),
            Fault::Power { call, n } => write!(f, "{before}:power:{call}:{n}"),
            Fault::Disk { call, error, n, lasts } => {
                write!(f, "{before}:{error}:{call}:{n}:{lasts}")
            }
        }
    }
}

impl Point {
    /// Reads what is printed.
    pub(crate) fn parse(text: &str) -> anyhow::Result<Self> {
        let parts: Vec<&str> = text.split(':').collect();
        let before = match parts.first().copied() {
            Some("new") => Before::New,
            Some("stopped") => Before::Stopped,
            Some("killed") => Before::Killed,
            Some(_) | None => {
                bail!("expected new, stopped or killed first, found `{text}`")
            }
        };
        let fault = match parts[1..] {
            ["kill", call, n] => Fault::Kill { call: call.to_owned(), n: n.parse()? },
            ["power", call, n] => Fault::Power { call: call.to_owned(), n: n.parse()? },
            [error, call, n, lasts] => Fault::Disk {
                call: call.to_owned(),
                error: error.to_owned(),
                n: n.parse()?,
                lasts: lasts.parse()?,
            },
            _ => bail!("expected such as `new:kill:pwrite64:12`, found `{text}`"),
        };
        Ok(Self { before, fault })
    }
}

/// What one point came to.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Outcome {
    /// Whether the run was ended by what was done to it.
    pub(crate) was_killed: bool,
    /// Requests that were acknowledged.
    pub(crate) acknowledged: u64,
}

/// Whether runs can be interfered with here.
pub(crate) fn has_strace() -> bool {
    let kill = "inject=execve:signal=KILL:when=2";
    let probe = ["-f", "-qq", "-o", "/dev/null", "-e", "trace=execve", "-e", kill];
    let mut probed = Command::new("strace");
    let probed = silently(probed.args(probe).args(["env", "true"])).status();
    probed.is_ok_and(|status| status.signal() == Some(9))
}

impl Stand {
    /// Makes a folder with a site and a short history.
    pub(crate) fn new(mw: &Path, folder: &Path) -> anyhow::Result<Self> {
        if folder.exists() {
            fs::remove_dir_all(folder)?;
        }
        let history = folder.join("history");
        fs::create_dir_all(folder)?;
        let mut synth = Command::new(mw);
        synth
            .args(["history", "synth", "--seed", "7", "--years", "1", "--out"])
            .arg(&history);
        let made = synth.stdout(Stdio::null()).status()?;
        ensure!(made.success(), "the history cannot be made: {made}");
        for file in fs::read_dir(&history)? {
            let path = file?.path();
            let text = fs::read_to_string(&path)?;
            let kept: Vec<&str> = text.lines().take(ROWS_KEPT).collect();
            fs::write(&path, kept.join("\n") + "\n")?;
        }
        let site = folder.join("site.toml");
        fs::write(&site, include_str!("site.toml"))?;
        Ok(Self { mw: mw.to_owned(), folder: folder.to_owned(), history, site })
    }

    /// How often each call is made by the thread that makes it most, in a run that
    /// nobody interferes with.
    pub(crate) fn profile(&self) -> anyhow::Result<BTreeMap<String, u32>> {
        let place = self.folder.join("profile");
        fs::create_dir_all(&place)?;
        let site = Site::start(self)?;
        let log = place.join("calls.txt");
        let mut command = Command::new("strace");
        command.args(["-f", "-qq", "--seccomp-bpf", "-e"]);
        command.arg(format!("trace={}", CALLS.join(","))).arg("-o").arg(&log);
        self.run_words(&mut command, &site, &place.join("data"));
        let status = silently(&mut command).status()?;
        ensure!(status.success(), "a run that nobody interferes with failed: {status}");
        drop(site);
        let most = most_by_one_thread(&fs::read_to_string(&log)?);
        fs::remove_dir_all(&place)?;
        Ok(most)
    }

    /// The command line of a run, appended to what is in front of it.
    fn run_words(&self, command: &mut Command, site: &Site, data: &Path) {
        command.arg(&self.mw).arg("run").arg(&self.site);
        command.args(["--against", &site.address, "--data"]).arg(data);
        command.arg("--history").arg(&self.history).args(["--seconds", LIVES]);
    }

    /// A run, interfered with or not.
    fn run(&self, fault: Option<&Fault>, site: &Site, data: &Path) -> Command {
        let mut command = match fault {
            None => Command::new("env"),
            Some(fault) => {
                let (call, inject) = match fault {
                    Fault::Kill { call, n } | Fault::Power { call, n } => {
                        (call, format!("{call}:signal=KILL:when={n}"))
                    }
                    Fault::Disk { call, error, n, .. } => {
                        (call, format!("{call}:error={error}:when={n}+"))
                    }
                };
                let mut command = Command::new("strace");
                // With --seccomp-bpf no signal is injected.
                let traced = if let Fault::Power { .. } = fault {
                    // The tracer ends when all that was done is written down.
                    command.args(["-f", "-y", "-xx", "-s", "1000000", "-o"]);
                    command.arg(trace_of(data));
                    format!("trace={call},{}", power::CALLS)
                } else {
                    // The run is our child, and goes on when the tracer is ended.
                    command.args(["-D", "-f", "-qq", "-o", "/dev/null"]);
                    format!("trace={call}")
                };
                command.args(["-e", &traced, "-e", &format!("inject={inject}")]);
                command
            }
        };
        self.run_words(&mut command, site, data);
        command
    }

    /// Interferes with a run at one point, lets it go on, and checks what is left.
    pub(crate) fn check(&self, point: &Point) -> anyhow::Result<Outcome> {
        let place = self.folder.join(point.to_string().replace(':', "-"));
        fs::create_dir_all(&place)?;
        let data = place.join("data");
        let site = Site::start(self)?;
        match point.before {
            Before::New => {}
            Before::Stopped => self.goes_well(&site, &data)?,
            Before::Killed => {
                let mut child = silently(&mut self.run(None, &site, &data)).spawn()?;
                wait(Duration::from_millis(1_200));
                child.kill()?;
                child.wait()?;
            }
        }
        let mut disk = Disk::of(&data)?;
        let asking = Asking::start(&data);
        let log = place.join("log");
        let mut run = self.run(Some(&point.fault), &site, &data);
        run.stdin(Stdio::null()).stdout(Stdio::null()).stderr(fs::File::create(&log)?);
        let mut run = run.spawn()?;
        let endured = match &point.fault {
            Fault::Kill { .. } | Fault::Power { .. } => Ok(()),
            Fault::Disk { lasts, .. } => {
                endures(&mut run, &site, &log, Duration::from_millis(*lasts))
            }
        };
        let status = ended(&mut run, Duration::from_secs(20));
        if status.is_err() {
            run.kill()?;
        }
        let acknowledged = asking.end();
        let status =
            endured.and(status).with_context(|| format!("see {}", log.display()))?;
        let was_killed = !status.success();
        if let (Fault::Power { n, .. }, true) = (&point.fault, was_killed) {
            let trace = trace_of(&data);
            disk.replay(&String::from_utf8_lossy(&fs::read(&trace)?));
            disk.fail(u64::from(*n))?;
        }
        if let (Fault::Disk { .. }, true) = (&point.fault, was_killed) {
            // A disk that fails while the program starts may end it; it says why.
            let said = fs::read_to_string(&log)?;
            ensure!(
                said.contains("error: "),
                "a failing disk ended it without a word: {said}"
            );
        }
        let before = records_of(&data).unwrap_or_default();
        self.goes_well(&site, &data)?;
        let account = site.account()?;
        drop(site);
        let after = records_of(&data)?;
        ensure!(
            after.decisions > before.decisions,
            "nothing was decided after the restart: {} decisions before, {} after",
            before.decisions,
            after.decisions
        );
        compare(&after, &account)?;
        for reason in &acknowledged {
            ensure!(
                after.reasons.contains(reason),
                "`{reason}` was acknowledged and is not in the record"
            );
        }
        self.proves(&["verify"], &data)?;
        self.proves(&["replay"], &data)?;
        fs::remove_dir_all(&place)?;
        Ok(Outcome { was_killed, acknowledged: acknowledged.len() as u64 })
    }

    /// Kills a run and starts none: the site falls to its fail-safe by itself.
    pub(crate) fn falls_when_nobody_watches(&self) -> anyhow::Result<()> {
        let place = self.folder.join("nobody");
        fs::create_dir_all(&place)?;
        let site = Site::start(self)?;
        let mut child =
            silently(&mut self.run(None, &site, &place.join("data"))).spawn()?;
        wait(Duration::from_millis(1_800));
        child.kill()?;
        child.wait()?;
        let killed = site.account()?;
        ensure!(killed.loads[0].running > 0, "nothing ran when it was killed");
        let last = last_lease(&place.join("data"))?;
        let until = Instant::now() + Duration::from_secs(20);
        let fallen = loop {
            let account = site.account()?;
            if account.now > last {
                break account;
            }
            ensure!(Instant::now() < until, "the site's clock stands at {}", account.now);
            wait(Duration::from_millis(20));
        };
        for (load, was) in fallen.loads.iter().enumerate().take(2) {
            ensure!(
                was.running == 0,
                "{} machines of load {load} run at {}, when every lease had ended at {last}",
                was.running,
                fallen.now
            );
        }
        ensure!(
            fallen.loads[2].running == killed.loads[2].running,
            "racks under contract stay as they are: {} before, {} after",
            killed.loads[2].running,
            fallen.loads[2].running
        );
        fs::remove_dir_all(&place)?;
        Ok(())
    }

    /// A run that nobody interferes with ends well.
    fn goes_well(&self, site: &Site, data: &Path) -> anyhow::Result<()> {
        let output = self.run(None, site, data).stdin(Stdio::null()).output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(
            output.status.success(),
            "the run did not go on: {}: {said}",
            output.status
        );
        Ok(())
    }

    fn proves(&self, words: &[&str], data: &Path) -> anyhow::Result<()> {
        let output = Command::new(&self.mw).args(words).arg(data).output()?;
        let said = String::from_utf8_lossy(&output.stdout);
        let error = String::from_utf8_lossy(&output.stderr);
        ensure!(
            output.status.success(),
            "mw {words:?}: {}: {said}{error}",
            output.status
        );
        Ok(())
    }
}

/// Where what a run's calls do is written down.
fn trace_of(data: &Path) -> PathBuf {
    data.with_extension("trace")
}

/// Lets the disk of a run fail for a while, and sees that nothing is done meanwhile.
fn endures(
    run: &mut Child,
    site: &Site,
    log: &Path,
    lasts: Duration,
) -> anyhow::Result<()> {
    let noticed =
        |what: &str| fs::read_to_string(log).is_ok_and(|said| said.contains(what));
    let until = Instant::now() + Duration::from_secs(10);
    while !noticed("journal_failed") {
        // It ended before the n-th call, or could not start.
        if run.try_wait()?.is_some() || Instant::now() > until {
            return Ok(());
        }
        wait(Duration::from_millis(10));
    }
    // What was sent before arrives.
    wait(Duration::from_millis(100));
    let before = site.account()?;
    wait(lasts);
    let after = site.account()?;
    let done = |account: &Account| {
        let each = account.loads.iter().flat_map(|load| &load.machines);
        each.map(|one| u64::from(one.executed) + u64::from(one.starts)).sum::<u64>()
    };
    end_tracer(run)?;
    if noticed("journal_back") {
        // Another thread writes, which has not come to its n-th call.
        return Ok(());
    }
    ensure!(
        done(&after) == done(&before),
        "{} orders and starts before, {} after {} ms in which nothing could be written",
        done(&before),
        done(&after),
        lasts.as_millis()
    );
    let until = Instant::now() + Duration::from_secs(10);
    while !noticed("journal_back") {
        ensure!(Instant::now() < until, "the run did not go on when the disk was well");
        wait(Duration::from_millis(10));
    }
    if lasts.as_millis() > TOO_LATE {
        wait(Duration::from_millis(50));
        ensure!(
            noticed("orders_too_late"),
            "what was decided before {} ms of outage was ordered after it",
            lasts.as_millis()
        );
    }
    Ok(())
}

/// Ends what interferes with a run, unless the run has ended.
fn end_tracer(run: &Child) -> anyhow::Result<()> {
    let status = fs::read_to_string(format!("/proc/{}/status", run.id()))?;
    let tracer = status.lines().find_map(|line| line.strip_prefix("TracerPid:"));
    let Some(tracer) = tracer.map(str::trim).filter(|pid| *pid != "0") else {
        return Ok(());
    };
    let mut end = Command::new("sh");
    let ended = silently(end.args(["-c", &format!("kill -9 {tracer}")])).status()?;
    ensure!(ended.success(), "the tracer {tracer} cannot be ended");
    Ok(())
}

/// Waits for a run to end.
fn ended(run: &mut Child, within: Duration) -> anyhow::Result<ExitStatus> {
    let until = Instant::now() + within;
    loop {
        if let Some(status) = run.try_wait()? {
            return Ok(status);
        }
        ensure!(Instant::now() < until, "the run did not end within {within:?}");
        wait(Duration::from_millis(5));
    }
}

/// A simulated site in a process of its own.
struct Site {
    process: Child,
    address: String,
}

impl Site {
    fn start(stand: &Stand) -> anyhow::Result<Self> {
        let mut command = Command::new(&stand.mw);
        command.arg("emulate").arg(&stand.site).args(["--listen", "127.0.0.1:0"]);
        command.args(["--from", FROM, "--speed", SPEED, "--seconds", "120"]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = command.spawn()?;
        let mut address = String::new();
        let output = process.stdout.take().context("a pipe")?;
        BufReader::new(output).read_line(&mut address)?;
        let address = address.trim().to_owned();
        if address.is_empty() {
            process.kill()?;
            bail!("the simulated site does not listen");
        }
        Ok(Self { process, address })
    }

    /// What it says was truly done.
    fn account(&self) -> anyhow::Result<Account> {
        let runtime = mw::records::runtime()?;
        let asked = async {
            let mut stream = tokio::net::TcpStream::connect(&self.address).await?;
            wire::say(&mut stream, &ToSite::Account).await?;
            while let Some(said) = wire::hear::<FromSite>(&mut stream).await? {
                if let FromSite::Account(account) = said {
                    return Ok(*account);
                }
            }
            bail!("the site ended without an account")
        };
        runtime.block_on(async {
            tokio::time::timeout(Duration::from_secs(10), asked)
                .await
                .context("no account")?
        })
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// Somebody who asks for something again and again, and notes what was granted.
struct Asking {
    over: Arc<AtomicBool>,
    granted: Arc<Mutex<Vec<String>>>,
    thread: std::thread::JoinHandle<()>,
}

impl Asking {
    fn start(data: &Path) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let granted = Arc::new(Mutex::new(Vec::new()));
        let thread = {
            let (over, granted, data) =
                (Arc::clone(&over), Arc::clone(&granted), data.to_owned());
            std::thread::spawn(move || {
                for number in 0_usize.. {
                    if over.load(Ordering::Relaxed) {
                        return;
                    }
                    let reason = format!("test {number} of {}", std::process::id());
                    let by = By { name: "Ada".to_owned(), role: "operator".to_owned() };
                    // Each time another level, so that machines are ordered at once.
                    let load = ["s21", "s21-xp"][number % 2];
                    let kilowatts = [40, 90, 20, 120, 60][number % 5];
                    let wish = Wish::Hold {
                        load: load.to_owned(),
                        power_mw: format!("0.{kilowatts:03}"),
                        reason: reason.clone(),
                        until: "30m".to_owned(),
                    };
                    let asked = Asked::Ask { by, wish, dry_run: false };
                    // Nobody may be there, or they may die before they answer.
                    if let Ok(Reply::Accepted { .. }) = client::ask(&data, &asked) {
                        granted.lock().expect("nobody panics with it").push(reason);
                    }
                    wait(Duration::from_millis(4));
                }
            })
        };
        Self { over, granted, thread }
    }

    fn end(self) -> Vec<String> {
        self.over.store(true, Ordering::Relaxed);
        self.thread.join().expect("asking does not panic");
        std::mem::take(&mut self.granted.lock().expect("nobody panics with it"))
    }
}

/// What a run's records say.
#[derive(Debug, Default)]
struct Said {
    decisions: u64,
    /// The dispatches in whose names each machine was ordered; `None` is every
    /// machine of a load.
    ordered: BTreeMap<(usize, Option<u32>), Vec<u64>>,
    metered: Vec<(Interval, Energy)>,
    reasons: Vec<String>,
}

fn records_of(data: &Path) -> anyhow::Result<Said> {
    let mut said = Said::default();
    let mut records = Records::open(&Place::of(&data.display().to_string())?)?;
    records.each(|entry| {
        let What::Step(step) = entry.what else { return Ok(true) };
        if let Event::Operator { request: Request::Hold(hold), .. } = &step.input.event {
            said.reasons.push(hold.reason.clone());
        }
        for output in &step.outputs {
            match output {
                Output::Dispatch(_) => said.decisions += 1,
                Output::Orders(batch) => {
                    for order in &batch.orders {
                        let moved = order.moves.iter().flat_map(|to| to.machines.iter());
                        let mut each: Vec<_> = moved.map(Some).collect();
                        if each.is_empty() {
                            each.push(None);
                        }
                        for machine in each {
                            let orders = said.ordered.entry((order.load, machine));
                            orders.or_default().push(batch.generation);
                        }
                    }
                }
                Output::Metered(metered) => {
                    said.metered.push((metered.during, metered.site));
                }
                Output::ReadBack(_)
                | Output::Keep(_)
                | Output::Notice(_)
                | Output::Alarm(_)
                | Output::Estate(_) => {}
            }
        }
        Ok(true)
    })?;
    Ok(said)
}

/// When every machine has gone to its fail-safe, by the last lease in the record.
fn last_lease(data: &Path) -> anyhow::Result<Timestamp> {
    let mut last = None;
    let mut records = Records::open(&Place::of(&data.display().to_string())?)?;
    records.each(|entry| {
        let What::Step(step) = entry.what else { return Ok(true) };
        for output in &step.outputs {
            let lease = match output {
                Output::Keep(lease) => Some(*lease),
                Output::Orders(batch) => batch.lease,
                Output::Dispatch(_)
                | Output::ReadBack(_)
                | Output::Metered(_)
                | Output::Notice(_)
                | Output::Alarm(_)
                | Output::Estate(_) => None,
            };
            if let Some(lease) = lease {
                last = last.max(Some(lease.until + lease.over));
            }
        }
        Ok(true)
    })?;
    last.context("no lease in the record")
}

/// Holds the records against what the site says was done.
fn compare(said: &Said, account: &Account) -> anyhow::Result<()> {
    let none = Vec::new();
    for (load, of_load) in account.loads.iter().enumerate() {
        for (machine, done) in (0_u32..).zip(&of_load.machines) {
            let own = said.ordered.get(&(load, Some(machine))).unwrap_or(&none);
            let all = said.ordered.get(&(load, None)).unwrap_or(&none);
            let orders = own.len() + all.len();
            ensure!(
                done.executed as usize <= orders,
                "machine {machine} of load {load} carried out {} orders, {orders} are in the \
                 record",
                done.executed
            );
            let newest = done.newest;
            ensure!(
                done.executed == 0 || own.contains(&newest) || all.contains(&newest),
                "machine {machine} of load {load} carried out an order of dispatch {newest}, \
                 which is not in the record"
            );
        }
    }
    let each = || account.loads.iter().flat_map(|load| &load.machines);
    let refused: u64 = each().map(|one| u64::from(one.refused)).sum();
    ensure!(refused == 0, "{refused} orders of an older dispatch were sent");
    let repeated: u64 = each().map(|one| u64::from(one.repeated)).sum();
    ensure!(repeated == 0, "{repeated} orders were repeated while unanswered");

    let truth: BTreeMap<_, _> = account
        .metered
        .iter()
        .map(|(during, energy)| (during.start, (*during, *energy)))
        .collect();
    let (mut next, mut metered, mut drawn) = (None, Energy::ZERO, Energy::ZERO);
    for (during, energy) in &said.metered {
        ensure!(
            next.is_none_or(|next| next == during.start),
            "{during} was metered where {next:?} comes next"
        );
        next = Some(during.end);
        let Some((truly, Some(counted))) = truth.get(&during.start) else {
            bail!("{during} was metered, and the site's meter knows no such interval");
        };
        ensure!(truly == during, "{during} was metered, the site's meter says {truly}");
        metered += *energy;
        drawn += *counted;
    }
    ensure!(metered == drawn, "metered {metered}, drew {drawn}");
    ensure!(
        said.metered.len() >= 3,
        "only {} intervals were metered",
        said.metered.len()
    );
    Ok(())
}

fn silently(command: &mut Command) -> &mut Command {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null())
}

#[expect(clippy::disallowed_methods, reason = "other processes need the wall's time")]
fn wait(lasts: Duration) {
    std::thread::sleep(lasts);
}

/// How often each call is made by the thread that makes it most, from what a tracer
/// wrote. A call that another thread interrupted is told in two lines, of which the
/// first names it.
fn most_by_one_thread(trace: &str) -> BTreeMap<String, u32> {
    let mut by_thread: BTreeMap<(&str, &str), u32> = BTreeMap::new();
    for line in trace.lines() {
        let Some((thread, rest)) = line.split_once(' ') else { continue };
        let Some((call, _)) = rest.trim_start().split_once('(') else { continue };
        if CALLS.contains(&call) {
            *by_thread.entry((thread, call)).or_default() += 1;
        }
    }
    let mut most = BTreeMap::new();
    for ((_, call), count) in by_thread {
        let entry = most.entry(call.to_owned()).or_insert(0);
        *entry = count.max(*entry);
    }
    most
}

/// So many points, spread over every call of a run: what is rare is tried each time
/// it happens.
pub(crate) fn points(profile: &BTreeMap<String, u32>, wanted: usize) -> Vec<Point> {
    const RARE: u32 = 12;
    let mut kills: Vec<(String, u32)> = Vec::new();
    let often: Vec<_> = profile.iter().filter(|(_, most)| **most > RARE).collect();
    for (call, most) in profile {
        if *most <= RARE {
            kills.extend((1..=*most).map(|n| (call.clone(), n)));
        }
    }
    let left = (wanted * 9 / 10).saturating_sub(kills.len()).max(often.len());
    let each = left / often.len().max(1);
    for (call, most) in often {
        let each = (each as u32).clamp(1, *most);
        // Denser at the start, where the store and the key are made.
        kills.extend((1..=each).map(|i| {
            let share = u64::from(i) * u64::from(i) * u64::from(*most);
            (
                call.clone(),
                (share / u64::from(each) / u64::from(each)).max(u64::from(i)) as u32,
            )
        }));
    }
    let before = [Before::New, Before::Stopped, Before::New, Before::Killed];
    let mut points: Vec<Point> = Vec::new();
    for (place, (call, n)) in kills.into_iter().enumerate() {
        // At one in six the power fails.
        let fault = if place % 6 == 5 {
            Fault::Power { call, n }
        } else {
            Fault::Kill { call, n }
        };
        points.push(Point { before: before[place % 4], fault });
    }
    let mut disk = 0;
    let faults = [("ENOSPC", "pwrite64"), ("EIO", "fsync"), ("EIO", "pwrite64")];
    while disk < wanted.saturating_sub(points.len()).max(wanted / 10) {
        let (error, call) = faults[disk % 3];
        let most = profile.get(call).copied().unwrap_or(20);
        let n = 4 + (disk as u32 * 7_919) % most.max(5);
        let lasts = [100, 700, 6_500][disk / 3 % 3];
        let fault =
            Fault::Disk { call: call.to_owned(), error: error.to_owned(), n, lasts };
        points.push(Point { before: before[disk % 4], fault });
        disk += 1;
    }
    // An even choice where there are more than were asked for.
    if points.len() > wanted {
        let all = points.len();
        points = (0..wanted).map(|i| points[i * all / wanted].clone()).collect();
    }
    points.extend(KEPT.iter().map(|text| Point::parse(text).expect("a point")));
    points
}

#[test]
fn a_call_that_was_interrupted_is_counted_once() {
    let trace = "7 openat(AT_FDCWD, \"a\", O_RDONLY <unfinished ...>\n\
         8 write(3, \"x\", 1) = 1\n\
         7 <... openat resumed>) = -1 ENOENT (No such file or directory)\n\
         8 --- SIGCHLD {si_signo=SIGCHLD} (core dumped)\n\
         8 write(3, \"x\", 1) = 1\n";
    let most = most_by_one_thread(trace);
    assert_eq!(most, [("openat".to_owned(), 1), ("write".to_owned(), 2)].into());
}
