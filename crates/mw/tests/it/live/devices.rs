//! A living run that drives devices over their real protocols: emulated ones, each at an
//! address of its own.

use std::io::{BufRead, BufReader};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use super::Run;
use crate::backtest::{fresh, mw};

/// How often a run is asked before a test gives up: each asking starts a program.
const ASKED_MAX: usize = 3_000;

/// A site of 20 miners and a meter, whose devices are at addresses from `first` on.
fn site(name: &str, first: Ipv4Addr) -> PathBuf {
    let folder = fresh(name);
    std::fs::create_dir_all(&folder).expect("a folder");
    let [a, b, ..] = first.octets();
    let text = format!(
        r#"format = 1
name = "bench"
market = {{ name = "ERCOT", settlement_point = "HB_WEST" }}
pool = {{ fee_percent = 2 }}
policy = {{ follows_price = false }}
network = {{ allow = ["{a}.{b}.0.0/16"], search_per_second = 2000 }}

[interconnection]
import_limit_mw = 1
meter = {{ driver = "modbus", address = "{a}.{b}.200.1", port = 1502, profile = "mw-meter" }}

[[feeders]]
name = "feeder"
limit_mw = 1

[[halls]]
name = "hall"
feeder = "feeder"
pue = 1.0

[[rigs]]
name = "rigs"
model = "Antminer S21"
count = 20
hall = "hall"
restart_minutes = 0
restart_cost_usd = 0

[rigs.devices]
driver = "whatsminer"
first = "{first}"
login = "env:MW_TEST_MINERS"
pools = ["stratum+tcp://pool.example:3333"]
"#
    );
    std::fs::write(folder.join("site.toml"), text).expect("a site file");
    folder
}

/// A command with the login that the site file names.
fn command(arguments: &[&str], site: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mw"));
    command.arg(arguments[0]).arg(site).args(&arguments[1..]);
    command.env("MW_TEST_MINERS", "a word of the site");
    command
}

/// A program in the background. It ends with this.
struct Program(Child);

impl Program {
    /// Starts it, and waits until it has printed so many lines.
    fn start(mut command: Command, lines: usize) -> (Self, Vec<String>) {
        let mut child =
            command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("starts");
        let printed = BufReader::new(child.stdout.take().expect("output")).lines();
        let printed: Vec<_> =
            printed.take(lines).map(|line| line.expect("a line")).collect();
        assert_eq!(printed.len(), lines, "it ended: {printed:?}");
        (Self(child), printed)
    }

    fn emulate(site: &Path) -> Self {
        let listen = ["--listen", "127.0.0.1:0", "--seconds", "300", "--devices"];
        let arguments = [&["emulate"], &listen[..]].concat();
        let (program, printed) = Self::start(command(&arguments, site), 2);
        assert_eq!(printed[1], "20 devices answer, 0 of them hang");
        program
    }

    fn end(&mut self) {
        // It may have ended.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.end();
    }
}

fn run(site: &Path, folder: &Path, against: &str) -> Run {
    let signals = site.join("signals.jsonl");
    std::fs::write(&signals, "").expect("a file of signals");
    let mut command = command(&["run", "--against", against, "--seconds", "280"], site);
    command.args(["--log", "json", "--data"]).arg(folder).arg("--signals").arg(signals);
    command.stderr(Stdio::piped()).stdout(Stdio::null());
    let mut run = Run::of(command, folder);
    run.wait_for("control_open");
    run
}

/// Asks a run how it stands until that is so.
fn until(run: &Run, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    let mut last = Value::Null;
    for _ in 0..ASKED_MAX {
        let (code, text) = run.mw(&["fleet", "status"], &["--json"]);
        if code == 0 {
            last = serde_json::from_str(&text).expect("JSON");
            if is_so(&last) {
                return last;
            }
        }
    }
    panic!("never {what}: {last:#}")
}

/// Watts of a figure in the status.
fn watts(figure: &Value) -> i64 {
    let text = figure.as_str().unwrap_or("999");
    units::Power::parse_mw(text).expect("megawatts").as_watts()
}

/// Nobody knows what mining earns here, so a person says what the rigs shall draw.
fn hold_at_full(run: &Run) {
    until(run, "looked at", |_| true);
    let level = ["rigs", "--mw", "0.07", "--for", "2h", "--reason", "test"];
    let by = ["--as", "Ben", "--role", "operator"];
    let (code, said) = run.mw(&["fleet", "hold"], &[&level[..], &by[..]].concat());
    assert_eq!(code, 0, "{said}");
}

/// Whether every machine was seen at what it was ordered.
fn settled(status: &Value) -> bool {
    let machines = &status["loads"][0]["machines"];
    machines["in_hand"] == 20 && machines["unanswered"] == 0 && machines["unseen"] == 0
}

#[test]
fn a_falling_limit_is_followed_over_real_protocols_and_read_back() {
    let site = site("live-devices-site", Ipv4Addr::new(127, 77, 0, 1));
    let _emulated = Program::emulate(&site);
    let folder = fresh("live-devices");
    let run = run(&site, &folder, "devices");
    hold_at_full(&run);
    let full = 20 * 3_500;
    until(&run, "at full power", |status| {
        settled(status) && watts(&status["power"]["draw_mw"]) == full
    });
    let limit = ["--programme", "grid", "--mw", "0.049", "--for", "1h", "--name", "call"];
    let by = ["--as", "Ben", "--role", "dispatcher"];
    let (code, said) = run.mw(&["grid", "limit"], &[&limit[..], &by[..]].concat());
    assert_eq!(code, 0, "{said}");
    let status = until(&run, "below the limit", |status| {
        settled(status) && watts(&status["power"]["draw_mw"]) <= 49_000
    });
    // As many as fit, and no fewer: the rest draws standby.
    assert!(watts(&status["power"]["draw_mw"]) > 45_000, "{status:#}");
}

#[test]
fn a_driver_of_its_own_outlives_the_engine_and_is_driven_again() {
    let site = site("live-drive-site", Ipv4Addr::new(127, 78, 0, 1));
    let _emulated = Program::emulate(&site);
    let listen = ["drive", "--listen", "127.0.0.1:0", "--seconds", "300"];
    let (_driver, printed) = Program::start(command(&listen, &site), 1);
    let folder = fresh("live-drive");
    let full = |status: &Value| {
        settled(status) && watts(&status["power"]["draw_mw"]) == 20 * 3_500
    };
    // Each engine goes without a word; the next one looks, and goes on.
    for _ in 0..2 {
        let run = run(&site, &folder, &printed[0]);
        hold_at_full(&run);
        until(&run, "at full power", full);
    }
}

#[test]
fn a_census_finds_who_is_there_and_what_is_different() {
    let site = site("live-census-site", Ipv4Addr::new(127, 79, 0, 1));
    let folder = fresh("live-census");
    let census = |more: &[&str]| {
        let data = folder.display().to_string();
        let mut command = command(&["census", "--data", &data], &site);
        let output = command.args(["--network", "127.79.0.0/24"]).args(more).output();
        super::text_of(output.expect("it runs"))
    };
    let mut emulated = Program::emulate(&site);
    let (code, said) = census(&[]);
    // The emulated pools are the site's own, and nobody else is there.
    assert_eq!(code, 0, "{said}");
    assert!(said.starts_with("20 devices at "), "{said}");
    emulated.end();
    let (code, said) = census(&[]);
    assert_eq!(code, 3, "{said}");
    assert!(said.contains("20 differences") && said.contains("is missing"), "{said}");
    assert_eq!(census(&["--show"]), (3, said));
}

/// Whoever edits the site file does not change by it where machines are to send their
/// work: two people have to, by their tokens.
#[test]
fn pools_are_changed_by_two_people() {
    let site = site("live-pools-site", Ipv4Addr::new(127, 80, 0, 1));
    let folder = fresh("live-pools");
    std::fs::create_dir_all(&folder).expect("a folder");
    let data = folder.display().to_string();
    let census = |more: &[&str], token: &str| {
        let mut command = command(&["census", "--data", &data], &site);
        command.env("MW_TEST_TOKEN", token).args(["--network", "127.80.0.0/24"]);
        super::text_of(command.args(more).output().expect("it runs"))
    };
    let token = |owner: &str, role: &str| {
        let made = mw(&["token", "create", &data, "--owner", owner, "--role", role]);
        let (code, said) = super::text_of(made);
        assert_eq!(code, 0, "{said}");
        let token = said.split_whitespace().find(|word| word.starts_with("mw_pat_"));
        token.expect("a token").to_owned()
    };
    let _emulated = Program::emulate(&site);
    let (code, said) = census(&[], "");
    assert_eq!(code, 0, "{said}");

    let file = site.join("site.toml");
    let text = std::fs::read_to_string(&file).expect("a site file");
    let edited = text.replace("pool.example", "other.example");
    std::fs::write(&file, edited).expect("written");
    let (code, said) = census(&[], "");
    // The machines still do as was agreed; that the file says otherwise is what is wrong.
    assert_eq!(code, 3, "{said}");
    assert!(said.contains("1 differences:") && said.contains("two people"), "{said}");

    let agree = ["--agree-pools", "rigs", "--token", "env:MW_TEST_TOKEN"];
    let (ana, ben) = (token("Ana", "operator"), token("Ben", "admin"));
    let viewer = token("Vera", "viewer");
    for (who, code, word) in [
        ("mw_pat_made_up", 1, "expected a token"),
        (viewer.as_str(), 1, "operator or an admin"),
        (ana.as_str(), 0, "another has to agree"),
        (ana.as_str(), 1, "another person than Ana"),
        (ben.as_str(), 0, "is held to stratum+tcp://other.example:3333"),
    ] {
        let (found, said) = census(&agree, who);
        assert_eq!(found, code, "{said}");
        assert!(said.contains(word), "{said}");
    }
    // Now the machines are what is wrong.
    let (code, said) = census(&[], "");
    assert_eq!(code, 3, "{said}");
    assert!(said.contains("20 differences") && !said.contains("two people"), "{said}");
}

#[test]
fn a_site_without_devices_says_what_to_write() {
    let (code, said) =
        super::text_of(mw(&["drive", "examples/mixed-10mw", "--listen", "127.0.0.1:0"]));
    assert_eq!(code, 1);
    assert!(said.contains("[rigs.devices]"), "{said}");
}
