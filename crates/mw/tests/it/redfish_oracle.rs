//! Our trays and our driver against programs that other people wrote: their services
//! are driven by us, and ours is judged and driven by theirs.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use adapters::device::redfish::{Security, Shutdown, Tray, TraySettings};
use adapters::device::{Answer, Driver, Outcome, Running, Wanted, carry_out};
use engine::capacity::{Phase, Power, Reported, Shape, TrayNo};
use tokio::net::TcpListener;

use crate::redfish::estate::Scene;
use crate::redfish::shelf::shelf;
use crate::redfish::{by, emulated, reached, run, serve, watts};

/// A program of the environment that has our peers, or why there is none.
fn program(name: &str) -> Option<PathBuf> {
    let Some(python) = std::env::var_os("MW_ORACLE_PYTHON") else {
        eprintln!("skipped: MW_ORACLE_PYTHON names no Python with {name}");
        return None;
    };
    let program = Path::new(&python).with_file_name(name);
    if !program.exists() {
        eprintln!("skipped: {} is absent", program.display());
        return None;
    }
    Some(program)
}

/// A folder of this test's own, empty.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("the target folder can be written");
    folder
}

/// A process that ends with the test.
struct Ends(Child);

impl Drop for Ends {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What a program says while our trays go on being served.
async fn say(mut command: Command) -> Output {
    let running = tokio::task::spawn_blocking(move || command.output());
    running.await.expect("a thread").expect("a program that starts")
}

fn text(output: &Output) -> String {
    let both = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    String::from_utf8_lossy(&both).into_owned()
}

/// `sushy-emulator` with one system that is off, until the caller ends it; its driver.
async fn sushy(name: &str) -> Option<(Tray, Ends)> {
    let program = program("sushy-emulator")?;
    let work = folder(name);
    let state = work.join("state");
    std::fs::create_dir_all(&state).expect("the target folder can be written");
    let conf = work.join("emulator.conf");
    let written = format!(
        "SUSHY_EMULATOR_STATE_DIR = '{}'\nSUSHY_EMULATOR_FAKE_DRIVER = True\n\
         SUSHY_EMULATOR_FAKE_SYSTEMS = [{{'uuid': '00000000-0000-4000-8000-000000000001', \
         'name': 'tray00', 'power_state': 'Off', 'external_notifier': False, \
         'nics': [{{'mac': '02:00:00:00:00:01', 'ip': '127.0.0.1'}}]}}]\n",
        state.display()
    );
    std::fs::write(&conf, written).expect("the target folder can be written");
    // A port that was free a moment ago.
    let free = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let at: SocketAddr = free.local_addr().expect("an address");
    drop(free);
    let log = std::fs::File::create(work.join("log")).expect("a file");
    let log_too = log.try_clone().expect("a file");
    let child = Command::new(program)
        .arg("--config")
        .arg(&conf)
        .args(["--fake", "-i", "127.0.0.1", "-p", &at.port().to_string()])
        .stdout(Stdio::from(log))
        .stderr(Stdio::from(log_too))
        .spawn();
    let ends = Ends(child.expect("a program that starts"));
    let tray = Tray::new(
        reached(at),
        TraySettings {
            login: None,
            security: Security::Plain,
            beside_gpus: watts(1_000),
            // It has no GPUs and no limits.
            unlimited: Some(watts(7_000)),
            shutdown: Shutdown::Graceful,
            drives: None,
        },
    );
    let until = by();
    while let Err(why) = tray.look(until).await {
        assert!(Instant::now() < until, "{why}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Some((tray, ends))
}

/// `sushy-emulator`: a reset is accepted first and happens seconds later, and our
/// driver says done when it is.
#[test]
fn sushy_emulator_is_switched_on_and_off() {
    run(async {
        let Some((tray, _ends)) = sushy("sushy").await else { return };
        let look = tray.look(by()).await.expect("a look");
        assert_eq!(look.running.map(|f| f.value), Some(Running::Resting));
        let wanted = Wanted::AtMost(watts(7_000));
        let began = Instant::now();
        let outcome = carry_out(&tray, wanted, by()).await;
        assert!(matches!(outcome, Outcome::Done(_)), "{outcome:?}");
        let on_after = began.elapsed();
        assert_eq!(tray.tell(Wanted::Rest, by()).await, Answer::Accepted);
        let outcome = carry_out(&tray, Wanted::Rest, by()).await;
        assert!(matches!(outcome, Outcome::Done(_)), "{outcome:?}");
        eprintln!(
            "sushy-emulator was on after {on_after:?}, off after {:?}",
            began.elapsed()
        );
    });
}

/// An estate finds it, switches it on as it orders, and stops where it tells nothing: it
/// lists no GPUs.
#[test]
fn sushy_emulator_is_an_estates() {
    run(async {
        let Some((tray, _ends)) = sushy("sushy-estate").await else { return };
        let shape = Shape {
            name: "one".to_owned(),
            trays: 1,
            gpus_per_tray: 4,
            switch_trays: 9,
            power_shelves: 8,
            leak_detectors: 0,
        };
        let mut scene = Scene::of(vec![Arc::new(tray)], shape, BTreeMap::new()).await;
        // It takes up to eleven seconds after it said yes.
        let until = by();
        scene.look().await;
        while scene.shows(0).power == Power::Off {
            assert!(Instant::now() < until, "it is not switched on");
            tokio::time::sleep(Duration::from_millis(300)).await;
            scene.look().await;
        }
        scene.look().await;
        assert_eq!(scene.phases(), [Phase::Discovered]);
        let waits = scene.estate.wait(TrayNo(0)).expect("a wait").to_string();
        assert_eq!(waits, "expected 4 GPUs, observed 0 GPUs");
        assert_eq!(scene.shows(0).health, Reported::Ok);
        assert!(scene.notices.is_empty(), "{:?}", scene.notices);
    });
}

/// DMTF's validator holds every resource of an emulated tray against the schemas.
#[test]
fn the_service_validator_accepts_an_emulated_tray() {
    run(async {
        let tray = emulated(3).found_working();
        let served = serve(std::slice::from_ref(&tray)).await;
        validated("tray", served.addresses[0], 1_000).await;
    });
}

#[test]
fn the_service_validator_accepts_an_emulated_power_shelf() {
    run(async {
        let (_, shelf) = shelf();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let at = listener.local_addr().expect("an address");
        tokio::spawn(async move { shelf.serve(listener).await });
        validated("shelf", at, 150).await;
    });
}

/// Lets the validator look at a whole service: nothing fails, and more than so many
/// properties pass.
async fn validated(name: &str, at: SocketAddr, at_least: u64) {
    let Some(program) = program("rf_service_validator") else { return };
    let Some(schemas) = schemas() else {
        eprintln!("skipped: `cargo metadata` knows no nv-redfish-schema with schemas");
        return;
    };
    let work = folder(&format!("validator-{name}"));
    let mut command = Command::new(program);
    command
        .current_dir(&work)
        .args(["--rhost", &format!("http://{at}")])
        .args(["--user", "operator", "--password", "secret", "--authtype", "Basic"])
        .arg("--schema_directory")
        .arg(&schemas)
        .args(["--nooemcheck", "--logdir"])
        .arg(work.join("logs"));
    let said = say(command).await;
    let text = text(&said);
    assert!(said.status.success(), "{text}");
    // The table's row: passed, warned of, failed, not tested.
    let counts = text.split("NOT TESTED").last().map(numbers).unwrap_or_default();
    let [passed, warned, failed, ..] = counts[..] else { panic!("{text}") };
    assert!(failed == 0 && passed > at_least, "{text}");
    eprintln!(
        "rf_service_validator on a {name}: {passed} pass, {warned} warn, {failed} fail"
    );
}

/// The numbers in the cells of a table's row, without the colours of a terminal.
fn numbers(row: &str) -> Vec<u64> {
    let cells = row.split('|').map(|cell| {
        let plain = cell
            .split('\u{1b}')
            .map(|part| part.split_once('m').map_or(part, |(_colour, rest)| rest).trim());
        plain.collect::<String>().parse()
    });
    cells.filter_map(Result::ok).collect()
}

/// The schemas, as the crate that carries them has them.
fn schemas() -> Option<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    let asked = ["metadata", "--format-version", "1", "--locked", "--manifest-path"];
    let said = Command::new(cargo).args(asked).arg(manifest).output().ok()?;
    let metadata: serde_json::Value = serde_json::from_slice(&said.stdout).ok()?;
    let packages = metadata.get("packages")?.as_array()?;
    let package = packages.iter().find(|p| p["name"] == "nv-redfish-schema")?;
    let folder = Path::new(package["manifest_path"].as_str()?).parent()?;
    let schemas = folder.join("redfish-csdl/csdl");
    schemas.is_dir().then_some(schemas)
}

/// DMTF's command line switches an emulated tray off, and reads its sensors.
#[test]
fn redfish_utilities_drive_an_emulated_tray() {
    let Some(reset) = program("rf_power_reset.py") else { return };
    let Some(sensors) = program("rf_sensor_list.py") else { return };
    let Some(python) = std::env::var_os("MW_ORACLE_PYTHON") else { return };
    run(async {
        let tray = emulated(4).found_working();
        let served = serve(std::slice::from_ref(&tray)).await;
        let rhost = format!("http://{}", served.addresses[0]);
        let ask = |script: &Path, more: &[&str]| {
            let mut command = Command::new(&python);
            command.arg(script);
            command.args(["-u", "operator", "-p", "secret", "-r", &rhost]).args(more);
            command
        };
        let said = say(ask(&sensors, &[])).await;
        let found = text(&said);
        assert!(said.status.success(), "{found}");
        assert!(found.contains("7333"), "the tray's draw is missing: {found}");
        let off = ["-s", "System_0", "-t", "GracefulShutdown"];
        let said = say(ask(&reset, &off)).await;
        assert!(said.status.success(), "{}", text(&said));
        let until = by();
        while tray.is_working() {
            assert!(Instant::now() < until, "it did not go off");
            tokio::task::yield_now().await;
        }
    });
}
