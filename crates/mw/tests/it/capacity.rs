//! `mw capacity`: a rack from the dock to a counted seat, as files.

use std::path::Path;

use engine::capacity::{
    Actor, Asked, BlockNo, Body, Event, Place, Power, RackNo, Reported, Shape, Shows,
    Sweep, TrancheOf, TrayNo,
};
use settle::contract::Hash;
use units::{Seconds, Timestamp};

use crate::backtest::{fresh, mw, root};

/// 4 GPUs at 1.00 an hour, due 2026-04-01, with a credit for each day late.
const CONTRACT: &str = r#"
schema = "capacity-contract/1"
id = "CAP"
supplier = "site-co"
customer = "red"
currency = "USD"
timezone = "UTC"
effective = 2026-01-01
[billing]
grace_days = 5
due_days = 30
restate_limit_months = 24
[delay]
credit = { per_day = "0.01", of = "monthly-fee", cap_days = 60 }
long_stop_days = 120
[[tranche]]
id = "H1"
gpus = 4
price = { unit = "gpu-hour", amount = "1.00" }
delivery = 2026-04-01
months = 12
"#;

struct Desk {
    folder: std::path::PathBuf,
    at: Timestamp,
    shows: Shows,
}

impl Desk {
    fn new(name: &str) -> Self {
        let folder = fresh(name);
        std::fs::create_dir_all(&folder).expect("a folder");
        Self {
            folder,
            at: Timestamp::parse("2026-05-01").expect("a date"),
            shows: Shows {
                power: Power::On,
                health: Reported::Ok,
                gpus: 0b1111,
                wiped: 0,
                image: 0,
                started: None,
                cap_w: None,
                serial: Some("R1-0".to_owned()),
            },
        }
    }

    fn path(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    fn sweep(&mut self, seconds: i64) -> (Actor, Body) {
        self.at = self.at + Seconds::from_seconds(seconds);
        let sweep = Sweep {
            at: self.at,
            of: Asked::All,
            changed: vec![(TrayNo(0), self.shows.clone())],
            silent: vec![],
            racks: vec![(RackNo(0), engine::capacity::RackShows::default())],
        };
        (Actor::Site, Body::Sweep(sweep))
    }

    /// Adds events; the exit code and what was said.
    fn add(&self, events: Vec<(Actor, Body)>) -> (i32, String) {
        self.add_at(events.into_iter().map(|(by, body)| (self.at, by, body)).collect())
    }

    fn add_at(&self, events: Vec<(Timestamp, Actor, Body)>) -> (i32, String) {
        let lines: String = events
            .into_iter()
            .map(|(at, by, body)| {
                serde_json::to_string(&Event { at, by, body }).expect("an event") + "\n"
            })
            .collect();
        std::fs::write(self.folder.join("events.jsonl"), lines).expect("written");
        self.run(&["add", &self.path("estate"), &self.path("events.jsonl")])
    }

    fn run(&self, arguments: &[&str]) -> (i32, String) {
        let mut all = vec!["capacity"];
        all.extend(arguments);
        said(&all)
    }
}

fn said(arguments: &[&str]) -> (i32, String) {
    let output = mw(arguments);
    let text = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    (output.status.code().expect("an exit code"), text)
}

fn ada(body: Body) -> (Actor, Body) {
    (Actor::Operator("ada".to_owned()), body)
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let from = entry.expect("an entry").path();
        let to = to.join(from.file_name().expect("a name"));
        match from.is_dir() {
            true => copy(&from, &to),
            false => drop(std::fs::copy(&from, &to).expect("copied")),
        }
    }
}

/// An estate of one rack of one tray, in burn-in, with its results dropped.
fn in_burn_in(name: &str) -> Desk {
    let mut desk = Desk::new(name);
    let shape = Shape {
        name: "one tray".to_owned(),
        trays: 1,
        gpus_per_tray: 4,
        switch_trays: 0,
        power_shelves: 0,
        leak_detectors: 0,
    };
    let meant_for =
        Some(TrancheOf { contract: "CAP".to_owned(), tranche: "H1".to_owned() });
    let rack = RackNo(0);
    let begun = vec![
        ada(Body::Shape(shape)),
        ada(Body::Rack {
            name: "R1".to_owned(),
            shape: "one tray".to_owned(),
            hall: "north".to_owned(),
            due: None,
            meant_for,
        }),
        ada(Body::Received { rack, serials: vec!["R1-0".to_owned()] }),
        ada(Body::Installed { rack }),
    ];
    assert_eq!(desk.add(begun).0, 0);
    for _ in 0..3 {
        let sweep = desk.sweep(60);
        let (code, text) = desk.add(vec![sweep]);
        assert_eq!(code, 0, "{text}");
    }
    let results = desk.folder.join("estate/results");
    copy(&root().join("fixtures/acceptance/results"), &results);
    // Where a domain is one tray, its collective is its own.
    let of_tray = results.join("R1/slot-00/nccl-all_reduce.txt");
    std::fs::rename(results.join("R1/nccl-all_reduce.txt"), of_tray).expect("moved");
    let plan = std::fs::read_to_string(root().join("fixtures/acceptance/plan.toml"));
    let plan = plan.expect("a plan").replace("\"GB300 NVL72\"", "\"one tray\"");
    std::fs::write(desk.folder.join("plan.toml"), plan).expect("written");
    std::fs::write(desk.folder.join("contract.toml"), CONTRACT).expect("written");
    desk
}

fn accept(desk: &mut Desk) -> (i32, String) {
    let (estate, plan) = (desk.path("estate"), desk.path("plan.toml"));
    // The soak and the other tests are over.
    desk.at = desk.at.max(Timestamp::parse("2026-05-02T08:00Z").expect("an instant"));
    let at = desk.at.to_string();
    desk.run(&[
        "accept", &estate, "--plan", &plan, "--rack", "R1", "--by", "ada", "--at", &at,
    ])
}

#[test]
fn a_rack_goes_from_the_dock_to_a_counted_seat_by_files_alone() {
    let mut desk = in_burn_in("capacity-whole");
    let estate = desk.path("estate");
    let (code, text) = desk.run(&["show", &estate]);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("R1.t00, burn-in: expected tests passed after"), "{text}");
    // Before anything is accepted: 30 days late today, 5 days of burn-in allowed.
    let contract = desk.path("contract.toml");
    let forecast =
        ["forecast", &estate, "--contract", &contract, "--as-of", "2026-05-01"];
    let (code, text) = desk.run(&forecast);
    assert_eq!(code, 0, "{text}");
    // A month of 4 GPUs from 2026-05-06 is 31 x 24 x 4 = 2,976.00; 35 days late at one
    // per cent are 1,041.60.
    for line in [
        "H1: 0 of 4 GPUs accepted, due 2026-04-01T00:00Z",
        "  a right to end it from 2026-07-30T00:00Z",
        "  complete likely 2026-05-06T00:03Z, cautiously 2026-05-06T00:03Z",
        "  delay credits 0.00, likely -1041.60, cautiously -1041.60",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    let (code, text) = accept(&mut desk);
    assert_eq!(code, 0, "{text}");
    assert!(text.starts_with("R1: 1 of 1 trays passed"), "{text}");

    // Whoever has the evidence and the key judges it again.
    let bundles =
        std::fs::read_dir(desk.folder.join("estate/bundles")).expect("evidence");
    let bundle =
        bundles.map(|entry| entry.expect("an entry").path()).next().expect("one");
    let bundle_text = bundle.display().to_string();
    let key =
        text.lines().find_map(|line| line.strip_prefix("signed by ")).expect("a key");
    let (code, verified) = said(&["verify", &bundle_text, "--key", key]);
    assert_eq!(code, 0, "{verified}");
    assert!(verified.contains("R1: 1 of 1 trays passed, judged again"), "{verified}");
    let altered = std::fs::read_to_string(&bundle).expect("a bundle");
    let other = desk.folder.join("altered.json");
    std::fs::write(&other, altered.replace("843.06", "943.06")).expect("written");
    assert_eq!(said(&["verify", &other.display().to_string()]).0, 3);

    let hash = bundle.file_stem().expect("a name").to_str().expect("a hash");
    let evidence = Hash::parse(hash).expect("a hash");
    let sweep = desk.sweep(60);
    let block = BlockNo(0);
    let (code, text) = desk.add(vec![
        sweep,
        ada(Body::Reserve {
            tenant: "red".to_owned(),
            tranche: TrancheOf { contract: "CAP".to_owned(), tranche: "H1".to_owned() },
            blocks: vec![Place { rack: RackNo(0), slots: vec![0] }],
            spares: vec![],
            within: None,
        }),
        ada(Body::Accept { block, evidence }),
        ada(Body::HandOver { block }),
    ]);
    assert_eq!(code, 0, "{text}");
    desk.shows.image = 1;
    let sweep = desk.sweep(60);
    assert_eq!(desk.add(vec![sweep]).0, 0);
    desk.shows.power = Power::Off;
    let sweep = desk.sweep(100);
    assert_eq!(desk.add(vec![sweep]).0, 0);
    desk.shows.power = Power::On;
    let sweep = desk.sweep(40);
    assert_eq!(desk.add(vec![sweep]).0, 0);

    // Accepted for 200 seconds, of which 40 down: 4 GPUs each.
    let (code, text) = desk.run(&["verify", &estate]);
    assert_eq!(code, 0, "{text}");
    for line in [
        "H1: availability 80.0000 %",
        "counted: every seat, also one in whose place another came",
        "             640 GPU-seconds available",
        "             160 GPU-seconds down",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    // The tenant has the facts alone, and comes to the same.
    let (code, facts) = desk.run(&["log", &estate, "--tenant", "red"]);
    assert_eq!(code, 0, "{facts}");
    let exported = desk.folder.join("facts.jsonl");
    std::fs::write(&exported, facts).expect("written");
    let (code, again) = desk.run(&["verify", &exported.display().to_string()]);
    assert_eq!(code, 0, "{again}");
    let rests = text.strip_prefix(&again).expect("what follows is of the evidence alone");
    let on = "CAP/H1: 4 GPUs accepted on evidence that is kept and judged again, 0 on \
              somebody's word\n";
    assert!(rests.starts_with(on), "{rests}");
    assert_eq!(desk.run(&["log", &estate, "--tenant", "blue"]), (0, String::new()));
    let (_, seen) = desk.run(&["show", &estate, "--tenant", "red"]);
    assert!(seen.contains("CAP/H1: 4 GPUs, availability to date 80.0000 %"), "{seen}");
    let (_, seen) = desk.run(&["show", &estate, "--tenant", "blue"]);
    assert!(!seen.contains("CAP/H1"), "{seen}");
    // A month of 4 GPUs from 2026-05-02 is 2,976.00; 31 days late at one per cent of it
    // are 922.56.
    let (_, text) = desk.run(&forecast);
    assert!(text.contains("  complete\n  delay credits -922.56\n"), "{text}");
}

#[test]
fn what_is_refused_leaves_the_record_as_it_was() {
    let desk = in_burn_in("capacity-refused");
    let log = desk.folder.join("estate/estate.log");
    let before = std::fs::read(&log).expect("a record");
    let (code, text) = desk.add(vec![
        ada(Body::Cordon { tray: TrayNo(0), why: "odd".to_owned() }),
        ada(Body::HandOver { block: BlockNo(0) }),
    ]);
    assert_ne!(code, 0);
    let place = "events.jsonl, line 2: hand_over of block 0";
    assert!(text.contains(place), "{text}");
    assert!(text.contains("expected a block that is known, found number 0"), "{text}");
    assert_eq!(std::fs::read(&log).expect("a record"), before);
}

#[test]
fn an_altered_record_is_found() {
    let desk = in_burn_in("capacity-altered");
    let log = desk.folder.join("estate/estate.log");
    let before = std::fs::read_to_string(&log).expect("a record");
    let cut: Vec<&str> = before.lines().collect();
    let without = [&cut[..3], &cut[4..]].concat().join("\n") + "\n";
    for (text, said) in [
        (before.replace("north", "south"), "line 2: expected the chain"),
        (without, "line 4: expected the chain"),
        (before[..before.len() - 5].to_owned(), "expected a whole last line"),
    ] {
        std::fs::write(&log, text).expect("written");
        let (code, found) = desk.run(&["show", &desk.path("estate")]);
        assert_ne!(code, 0);
        assert!(found.contains(said), "{found}");
    }
}

#[test]
fn a_result_that_is_not_good_is_named_and_the_tray_waits() {
    let mut desk = in_burn_in("capacity-fails");
    let file = desk.folder.join("estate/results/R1/slot-00/soak.json");
    let soak = std::fs::read_to_string(&file).expect("a soak");
    let soak = soak.replace("\"after\": { \"xid\": 0", "\"after\": { \"xid\": 79");
    std::fs::write(&file, soak).expect("written");
    let (code, text) = accept(&mut desk);
    assert_eq!(code, 5, "{text}");
    let line = "  slot 0, counter xid: expected no change, found 0 to 79";
    assert!(text.contains(line), "{text}");
    let (_, text) = desk.run(&["show", &desk.path("estate")]);
    assert!(text.contains("observed tests failed at 2026-05-02T08:00Z"), "{text}");
}

/// A tray that came back from repair, and the files of before: they are none of it.
#[test]
fn results_of_before_a_repair_are_none_after_it() {
    let mut desk = in_burn_in("capacity-repaired");
    assert_eq!(accept(&mut desk).0, 0);
    let tray = TrayNo(0);
    let sweep = desk.sweep(60);
    let (code, text) = desk.add(vec![
        sweep,
        ada(Body::Pull { tray, why: "xid 79".to_owned() }),
        ada(Body::Repaired { tray, serial: None }),
    ]);
    assert_eq!(code, 0, "{text}");
    for _ in 0..3 {
        let sweep = desk.sweep(60);
        assert_eq!(desk.add(vec![sweep]).0, 0);
    }
    let (code, text) = accept(&mut desk);
    assert_eq!(code, 5, "{text}");
    assert!(text.contains("slot 0, time of the soak: expected a run in this burn-in"));
    let said = Body::TestedByHand {
        rack: RackNo(0),
        slots: 1,
        passed: 1,
        why: "a fan was changed".to_owned(),
    };
    assert_eq!(desk.add(vec![ada(said)]).0, 0);
    let (_, text) = desk.run(&["show", &desk.path("estate")]);
    assert!(text.contains("1 accepted"), "{text}");
}

/// A folder that is none leaves nothing behind, and an empty record proves nothing.
#[test]
fn a_wrong_folder_is_refused_and_left_as_it_was() {
    let desk = in_burn_in("capacity-wrong");
    let other = desk.folder.join("other");
    std::fs::create_dir_all(&other).expect("a folder");
    let (folder, plan) = (other.display().to_string(), desk.path("plan.toml"));
    let accept = ["accept", &folder, "--plan", &plan, "--rack", "R1", "--by", "ada"];
    let (code, text) = desk.run(&accept);
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("expected the folder of an estate of racks"), "{text}");
    let bad = desk.folder.join("bad.jsonl");
    std::fs::write(
        &bad,
        "{\"at\":0,\"by\":\"site\",\"body\":{\"installed\":{\"rack\":7}}}\n",
    )
    .expect("written");
    let (code, text) = desk.run(&["add", &folder, &bad.display().to_string()]);
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("bad.jsonl, line 1: installed"), "{text}");
    assert_eq!(
        std::fs::read_dir(&other).expect("a folder").count(),
        0,
        "nothing is left"
    );
    std::fs::write(other.join("estate.log"), "").expect("written");
    let (code, text) = desk.run(&["verify", &folder]);
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("estate.log empty"), "{text}");
}

#[test]
fn a_folder_without_an_estate_is_named_with_what_to_do() {
    let folder = fresh("capacity-none").display().to_string();
    for arguments in [
        vec!["capacity", "show", &folder],
        vec!["capacity", "log", &folder],
        vec!["capacity", "forecast", &folder, "--contract", "none.toml"],
    ] {
        let output = mw(&arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success(), "{arguments:?}");
        assert!(said.contains(&folder) && said.contains("mw capacity add"), "{said}");
        assert!(!said.contains("os error"), "{said}");
    }
}
