//! A site under contract: what happens in a run becomes facts, facts become what is
//! at stake and statements, and who is cut first follows it.

use std::path::Path;

use engine::capacity::meter::Says;
use engine::capacity::{NewFact, TrancheOf};
use engine::site::LoadIx;
use engine::{Reason, Signal, Site};
use mw::config;
use mw::drive::backtest::{Options, run};
use mw::feed::Feed;
use mw::live::exposures::Exposures;
use mw::tenancy::{OverRun, Tenancy};
use serde_json::Value;
use settle::contract::Versions;
use settle::facts::Facts;
use settle::statement::LineKind;
use units::{Interval, Power, Seconds, Timestamp};

use crate::backtest::{fresh, mw, root};

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).expect("an instant")
}

fn childress() -> config::LoadedSite {
    config::load(&root().join("examples/childress-750mw")).expect("an example")
}

/// A feed without prices: only what is under contract runs.
fn no_prices() -> Feed {
    Feed {
        settlement_steps: vec![(at("2026-01-01"), Seconds::minutes(15))],
        ..Feed::default()
    }
}

/// The load of a tranche's hall.
fn hall(site: &Site, number: usize) -> LoadIx {
    site.load_named(&format!("horizon-{number}")).expect("a hall")
}

/// The site over three days of December with all four tranches in service, and room for
/// all but a part of one hall. Returns what stopped and the facts.
fn short_of_room(given: &str) -> (Site, Vec<(LoadIx, Power, Reason)>, OverRun) {
    let loaded = childress();
    short_by_five(loaded.site, &loaded.contracts, given)
}

/// The same of a site like it.
fn short_by_five(
    mut site: Site,
    contracts: &[Versions],
    given: &str,
) -> (Site, Vec<(LoadIx, Power, Reason)>, OverRun) {
    // Below what a site file may say: the grid's own limits may be.
    let all: Power = (1..=4)
        .map(|number| {
            let load = hall(&site, number);
            let machines = site.loads[load].machines().expect("racks");
            site.pue_of(load, None).at_meter(machines.ceiling())
        })
        .sum();
    let rest: Power = (0..site.loads.len())
        .filter(|load| !site.loads[*load].is_firm())
        .map(|load| site.loads[load].machines().map_or(Power::ZERO, |one| one.floor()))
        .sum();
    site.interconnection.import_limit = all + rest - Power::from_mw(5);
    let range = Interval { start: at("2026-12-10"), end: at("2026-12-13") };
    let mut under = OverRun::new(&site, contracts, given, range).expect("facts are read");
    let mut cut = Vec::new();
    let options = Options { under: Some(&mut under), ..Options::default() };
    run(&site, &no_prices(), range, options, |line| {
        cut.clear();
        for (load, entry) in line.dispatch.entries.iter().enumerate() {
            if matches!(entry.reason, Reason::FirmShed { .. }) {
                cut.push((load, entry.to, entry.reason));
            }
        }
        Ok(())
    })
    .expect("it runs");
    (site, cut, under)
}

#[test]
fn what_a_limit_cuts_becomes_a_fact_and_a_credit() {
    let (site, cut, mut under) = short_of_room("");
    let settled = under.settle(at("2026-12-13"));
    assert_eq!(cut.len(), 1, "one hall makes up for all of it");
    assert!(site.loads[cut[0].0].is_firm());
    let stopped = |line: &&str| line.contains("\"state\":\"down\"");
    let stops = under.record().lines().filter(stopped).count();
    // What is lost is spread over the halls as their credits come nearer, and no rack
    // is stopped and started with every second of it.
    assert!((1..40).contains(&stops), "{stops} stops in three days");
    let last = settled[0].statements.last().expect("December, as far as it went");
    assert!(last.is_held(), "the month is not over");
    let credits: Vec<_> =
        last.lines.iter().filter(|line| line.kind == LineKind::Sla).collect();
    // Racks that are out stay out, as far as anybody knows, to the end of the month.
    assert!(credits.iter().any(|line| line.amount.as_minor() < 0), "{credits:?}");
    Facts::read(under.record()).expect("a record of a run is read");
}

/// Where the model says what its GPUs draw, racks are held along the curve: 189 kW less 72
/// times 1,400 W are beside them. Six sevenths of a GPU's power are 1,200 W, above the
/// contract's floor, so that what a limit cuts there is no time down; counted with what is
/// beside them it would be 2,425 W.
#[test]
fn a_cut_along_the_curve_is_a_cap_of_what_a_gpu_may_draw() {
    let folder = root().join("examples/childress-750mw");
    let text = std::fs::read_to_string(folder.join("site.toml")).expect("an example");
    let known = text.replace("power_kw = 189\n", "power_kw = 189\ngpu_limit_w = 1400\n");
    assert_ne!(known, text);
    let known = known.replace("[[racks]]\n", "[[racks]]\nworkload = \"inference\"\n");
    let loaded = config::read(&folder.join("site.toml"), known).expect("right");
    let contract = std::fs::read_to_string(folder.join("contract.toml")).expect("terms");
    let contract = format!("{contract}\n[power_floor]\nwatts_per_gpu = \"1150\"\n");
    let contract = settle::contract::Contract::read(&contract).expect("a contract");
    let versions = Versions::single(contract).expect("one version");
    let (site, cut, under) = short_by_five(loaded.site, &[versions], "");
    assert!(!cut.is_empty());
    for (load, ..) in &cut {
        assert_eq!(site.loads[*load].machines().expect("racks").points.len(), 4);
    }
    let of =
        |what: &str| under.record().lines().filter(|line| line.contains(what)).count();
    assert_eq!(of("\"state\":\"down\""), 0, "nothing is below the floor");
    assert!(of("\"cap_w_per_gpu\":\"1200\"") > 0);
    assert_eq!(of("cap_w_per_gpu"), of("\"cap_w_per_gpu\":\"1200\""));
}

#[test]
fn the_tranche_that_can_lose_no_more_is_cut_first() {
    // H2 has been down since the month began: its credit is at the cap of the month.
    let mut base = OverRun::new(
        &childress().site,
        &childress().contracts,
        "",
        Interval { start: at("2026-12-05"), end: at("2026-12-06") },
    )
    .expect("no facts");
    base.settle(at("2026-12-05"));
    let mut given = base.record().to_owned();
    let last = Facts::read(&given).expect("facts").all().last().expect("some").clone();
    let units: Vec<String> = (1..=264)
        .flat_map(|rack| {
            (1..=18).map(move |tray| format!("\"horizon-2/{rack:04}/{tray:02}\""))
        })
        .collect();
    given.push_str(&format!(
        "{{\"seq\":{},\"site\":\"s\",\"source\":\"desk\",\"source_seq\":1,\
         \"kind\":\"unit_state\",\"valid_from\":\"2026-12-01T00:00Z\",\
         \"valid_to\":\"2026-12-09T00:00Z\",\"known_at\":\"2026-12-09T00:00Z\",\
         \"body\":{{\"units\":[{}],\"state\":\"down\",\"ref\":\"outage\"}}}}\n",
        last.seq + 1,
        units.join(",")
    ));
    let (site, cut, _) = short_of_room(&given);
    assert_eq!(cut.iter().map(|one| one.0).collect::<Vec<_>>(), [hall(&site, 2)]);
}

#[test]
fn a_backtest_prints_its_statements_and_they_can_be_checked() {
    let history = fresh("under-contract-history").display().to_string();
    let out = fresh("under-contract-run").display().to_string();
    let made =
        mw(&["history", "synth", "--seed", "3", "--years", "2", "--out", &history]);
    assert!(made.status.success());
    let site = "examples/childress-750mw";
    let range = ["--from", "2026-06-28", "--to", "2026-07-03"];
    let given = ["--history", &history, "--point", "HB_SYNTH"];
    let run = mw(&[&["backtest", site, "--out", &out], &given[..], &range].concat());
    let text = String::from_utf8(run.stdout).expect("UTF-8");
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    assert!(text.contains("Statements of CHILDRESS-2025-11"), "{text}");
    assert!(text.contains("assumed: tranches were accepted"), "{text}");
    assert!(text.contains("2026-07   held"), "{text}");

    let contract = format!("{site}/contract.toml");
    let verified =
        mw(&["statement", "verify", &out, "--contract", &contract, "--facts", &out]);
    assert_eq!(verified.status.code(), Some(0));
    let replayed = mw(&["replay", &out, "--json"]);
    let replayed: Value = serde_json::from_slice(&replayed.stdout).expect("JSON");
    assert_eq!(replayed["identical"], true);
    let why = mw(&["replay", &out, "--explain", "2026-07-02T12:00Z"]);
    let why = String::from_utf8(why.stdout).expect("UTF-8");
    assert!(why.contains("H2 under CHILDRESS-2025-11 loses"), "{why}");
    // The same facts settle to the same statements by themselves.
    let again = mw(&["settle", &contract, "--facts", &out, "--as-of", "2026-07-06"]);
    assert!(
        text.contains(String::from_utf8_lossy(&again.stdout).lines().nth(3).unwrap())
    );
}

#[test]
fn a_living_run_hears_what_is_at_stake_as_facts_arrive() {
    let loaded = childress();
    let folder = fresh("exposures-live");
    std::fs::create_dir_all(&folder).expect("a folder");
    let file = folder.join("facts.jsonl");
    let range = Interval { start: at("2026-12-10"), end: at("2026-12-11") };
    let under =
        OverRun::new(&loaded.site, &loaded.contracts, "", range).expect("no facts");
    let mut exposures = Exposures::new(Path::new(&file), &loaded.site, &loaded.contracts);
    let now = at("2026-12-10");
    assert!(exposures.read_on(now).is_empty(), "there is no file yet");
    let record = under.record();
    let (first, second) = record.split_at(record.len() - 40);
    let write = |text: &str| {
        use std::io::Write as _;
        let mut options = std::fs::OpenOptions::new();
        let mut open = options.create(true).append(true).open(&file).expect("a file");
        open.write_all(text.as_bytes()).expect("it is written");
    };
    write(first);
    let begun = exposures.read_on(now);
    write(second);
    write("not a fact\n");
    let all = exposures.read_on(now);
    let tranches = |signals: &[Signal]| signals.len();
    assert!(tranches(&begun) < 4 || all.is_empty(), "a part of a line is no fact yet");
    assert_eq!(exposures.read_on(now), [], "nothing changed");
    let january = exposures.read_on(at("2027-01-01"));
    assert_eq!(tranches(&january), 4, "a month begins anew");
}

/// What others know of the contracts and what the run says of its racks are one record:
/// neither alone says what is at stake, and what grows is not said again.
#[test]
fn what_is_known_beside_the_racks_counts_with_what_they_say() {
    let loaded = childress();
    let folder = fresh("exposures-beside");
    std::fs::create_dir_all(&folder).expect("a folder");
    let (given, racks) = (folder.join("known.jsonl"), folder.join("facts.jsonl"));
    let range = Interval { start: at("2026-12-10"), end: at("2026-12-11") };
    let under =
        OverRun::new(&loaded.site, &loaded.contracts, "", range).expect("no facts");
    let payment = |seq: u64| {
        format!(
            "{{\"seq\":{seq},\"site\":\"o\",\"source\":\"bank\",\"source_seq\":{seq},\
             \"kind\":\"payment\",\"valid_from\":\"2026-11-01T00:00Z\",\
             \"known_at\":\"2026-11-01T00:00Z\",\"body\":{{\"amount\":\"5.00\",\
             \"currency\":\"USD\",\"for\":\"prepayment:H1\"}}}}\n"
        )
    };
    std::fs::write(&given, payment(1)).expect("a file");
    let mut exposures = Exposures::new(&given, &loaded.site, &loaded.contracts);
    exposures = exposures.beside(&racks);
    let now = at("2026-12-10");
    assert_eq!(exposures.read_on(now), [], "a payment puts nothing at stake");
    std::fs::write(&racks, under.record()).expect("a file");
    assert_eq!(exposures.read_on(now).len(), 4, "the racks are in service");
    std::fs::write(&given, payment(1) + &payment(2)).expect("a file");
    assert_eq!(exposures.read_on(now), [], "it was said before");
    assert_eq!(exposures.read_on(at("2027-01-01")).len(), 4, "a month begins anew");
}

/// A contract with a floor and flex hours: what is at stake carries both, and the event
/// by the name that whoever called it gave it.
#[test]
fn what_is_at_stake_carries_the_floor_and_the_flex_event() {
    let loaded = childress();
    let written = root().join("examples/childress-750mw/contract.toml");
    let text = std::fs::read_to_string(written).expect("an example");
    let terms =
        "[power_floor]\nwatts_per_gpu = \"900.5\"\n[flex]\nhours_per_month = 40\n";
    let text = format!("{text}\n{terms}");
    let contract = settle::contract::Contract::read(&text).expect("a contract");
    let versions = Versions::single(contract).expect("one version");
    let range = Interval { start: at("2026-12-10"), end: at("2026-12-11") };
    let under = OverRun::new(&loaded.site, &loaded.contracts, "", range).expect("facts");
    let mut record = under.record().to_owned();
    let flex = NewFact {
        valid_from: at("2026-12-10T06:00Z"),
        valid_to: Some(at("2026-12-10T08:00Z")),
        known_at: at("2026-12-10"),
        says: Says::Flex {
            id: "F7".to_owned(),
            tranche: TrancheOf {
                contract: "CHILDRESS-2025-11".to_owned(),
                tranche: "H2".to_owned(),
            },
        },
    };
    let seq = record.lines().count() as u64 + 1;
    let flex = flex.line(seq, "east");
    record.push_str(&flex);
    let facts = Facts::read(&record).expect("facts");
    let mut tenancy = Tenancy::new(&loaded.site, &[versions], &facts);
    let said = tenancy.signals(at("2026-12-10T01:00Z"));
    let of = |id: &str| {
        let all = said.iter().filter_map(|signal| {
            if let Signal::Exposure(known) = signal { Some(known) } else { None }
        });
        all.clone().find(|known| known.tranche.id == id).expect("a tranche in service")
    };
    // Rounded up: a GPU at 900 W is below the floor.
    assert_eq!(of("H1").floor, Some(Power::from_watts(901)));
    assert_eq!(of("H1").flex, None, "it was called of another tranche");
    let event = of("H2").flex.as_ref().expect("an event");
    assert_eq!((event.id.as_str(), event.left), ("F7", Seconds::hours(40)));
    assert_eq!(event.during.start, at("2026-12-10T06:00Z"));
    // Over, it is not said any more.
    let later = tenancy.signals(at("2026-12-10T08:00Z"));
    let gone = |signal: &Signal| matches!(signal, Signal::Exposure(known) if known.tranche.id == "H2" && known.flex.is_none());
    assert!(later.iter().any(gone), "{later:?}");
}

#[test]
fn a_site_file_says_what_is_wrong_with_a_contract_it_names() {
    let folder = root().join("examples/childress-750mw");
    let text = std::fs::read_to_string(folder.join("site.toml")).expect("an example");
    let first = "contract = \"contract.toml\", tranche = \"H1\"";
    for (instead, expected) in [
        ("contract = \"contract.toml\"", "expected `tranche` beside `contract`"),
        ("tranche = \"H1\"", "expected `contract` beside `tranche`"),
        (
            "contract = \"contract.toml\", tranche = \"H9\"",
            "expected a tranche of CHILDRESS-2025-11, found \"H9\"",
        ),
        (
            "contract = \"contract.toml\", tranche = \"H2\"",
            "expected at most the 19008 GPUs of H2, found 38016",
        ),
        ("contract = \"nosuch.toml\", tranche = \"H1\"", "cannot read"),
    ] {
        let changed = text.replacen(first, instead, 1);
        assert_ne!(changed, text);
        let errors = config::read(&folder.join("site.toml"), changed)
            .expect_err("it is wrong")
            .to_string();
        assert!(errors.contains(expected), "{instead}: {errors}");
    }
}
