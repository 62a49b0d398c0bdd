//! A living run whose racks are in hand over Redfish: a tenant is given trays that boot its
//! image, and gives them back wiped.

use std::fs;
use std::net::{SocketAddr, TcpListener as Bound};
use std::process::{Command, Stdio};

use mw::emulate::redfish::{Rack, Tray};
use serde_json::json;

use super::{CONTRACT, Desk, Door, Run};
use crate::backtest::{fresh, root};
use crate::redfish::{by, driver, emulated, run};

/// How many trays the rack has.
const TRAYS: u8 = 3;

/// The example's site, whose contracted racks are R1 and those after it, behind
/// controllers at these addresses.
fn write_site(folder: &std::path::Path, first: SocketAddr) {
    fs::create_dir_all(folder).expect("a folder");
    let site = fs::read_to_string(root().join("examples/mixed-10mw/site.toml"));
    let port = first.port();
    let site = site
        .expect("an example")
        .replacen("format = 1\n", "format = 1\nnetwork = { allow = [\"127.47.0.0/16\"] }\n", 1)
        .replace(
            "worth_usd_per_mwh = 1107 }",
            &format!(
                "worth_usd_per_mwh = 1107, contract = \"contract.toml\", tranche = \"H1\" }}\n\
                 first_rack = \"R1\"\n\
                 devices = {{ driver = \"redfish\", first = \"127.47.1.1\", trays = {TRAYS}, \
                 port = {port}, tls = false, login = \"env:MW_TEST_TRAYS\", drives = 2 }}"
            ),
        );
    assert!(site.contains("127.47.0.0/16") && site.contains("first_rack"), "{site}");
    fs::write(folder.join("site.toml"), site).expect("a site");
    fs::write(folder.join("contract.toml"), CONTRACT).expect("a contract");
}

fn desk(name: &str, first: SocketAddr) -> Desk {
    let (folder, site) = (fresh(name), fresh(&format!("{name}-site")));
    write_site(&site, first);
    let mut command = Command::new(env!("CARGO_BIN_EXE_mw"));
    command
        .arg("run")
        .arg(&site)
        .args(["--against", "sim", "--synth", "7", "--log", "json"])
        .args(["--seconds", "300", "--http", "127.0.0.1:0"])
        .args(["--racks", "devices", "--speed", "30", "--data"])
        .arg(&folder)
        .env("MW_TEST_TRAYS", "operator:secret")
        .stderr(Stdio::piped())
        .stdout(Stdio::null());
    let door = Door::of(Run::of(command, &folder));
    let ana = door.token("Ana", "operator", &[]);
    let red = door.token("Rae", "tenant", &["--tenant", "red"]);
    let blue = door.token("Bo", "tenant", &["--tenant", "blue"]);
    Desk { door, ana, red, blue, keys: 0, site }
}

/// Serves trays at addresses for as long as the test lasts; their serial numbers.
fn served(trays: Vec<Tray>, at: Vec<SocketAddr>) -> Vec<String> {
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        run(async {
            let served = Rack::new(trays).serve(&at).await;
            let _served = served.expect("addresses of this machine");
            for at in &at {
                let condition = driver(*at).condition(by()).await.expect("it answers");
                let serial = condition.serial.expect("a serial number").to_string();
                tell.send(serial).expect("somebody listens");
            }
            drop(tell);
            std::future::pending::<()>().await;
        });
    });
    told.iter().collect()
}

#[test]
fn a_tenant_has_its_trays_over_redfish_and_gives_them_back_wiped() {
    let trays: Vec<Tray> = (1..=u32::from(TRAYS)).map(emulated).collect();
    // A port that was free a moment ago, the same on every address.
    let free = Bound::bind("127.47.1.1:0").expect("a port");
    let first = free.local_addr().expect("an address");
    drop(free);
    let at: Vec<SocketAddr> =
        (1..=TRAYS).map(|last| ([127, 47, 1, last], first.port()).into()).collect();
    let serials = served(trays.clone(), at);

    let mut desk = desk("over-redfish", first);
    desk.ana(
        "say",
        &json!({ "said": { "shape": {
        "name": "three", "trays": TRAYS, "gpus_per_tray": 4, "switch_trays": 9,
        "power_shelves": 8, "leak_detectors": 2,
    } } }),
    );
    desk.ana(
        "say",
        &json!({ "said": { "rack": {
        "name": "R1", "shape": "three", "hall": "A", "due": null, "meant_for": null,
    } } }),
    );
    desk.ana(
        "say",
        &json!({ "said": { "received": { "rack": 0, "serials": serials } } }),
    );
    desk.ana("say", &json!({ "said": { "installed": { "rack": 0 } } }));
    desk.until("burn-in", 3);
    desk.ana(
        "say",
        &json!({ "said": { "tested_by_hand": {
        "rack": 0, "slots": 0b111, "passed": 0b111, "why": "an emulation",
    } } }),
    );
    desk.until("accepted", 3);
    let wanted = json!({
        "contract": "CAP", "tranche": "H1", "gpus": 8, "trays_per_block": 2,
    });
    let made = desk.red("reserve", &wanted);
    assert_eq!(made.status, 200, "{}", made.body);
    let accept = json!({ "block": 0, "by_hand": "an emulation" });
    let accepted = desk.red("accept", &accept);
    assert_eq!(accepted.status, 200, "{}", accepted.body);
    desk.ana("hand-over", &json!({ "block": 0 }));
    desk.until("in service", 2);
    let used = trays.iter().filter(|tray| tray.runs_image() && tray.is_written());
    assert_eq!(used.count(), 2, "two trays run the tenant's image");

    let back = desk.red("return", &json!({ "block": 0, "why": "the term ended" }));
    assert_eq!(back.status, 200, "{}", back.body);
    desk.until("accepted", 3);
    assert!(trays.iter().all(|tray| !tray.runs_image() && !tray.is_written()));
}
