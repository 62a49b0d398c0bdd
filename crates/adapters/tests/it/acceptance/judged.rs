//! What the tools said, held against a plan: each check fails by itself, and nothing
//! passes by being of another machine, of a part of it, or of another time.

use super::*;

#[test]
fn a_rack_passes_and_what_was_not_run_does_not() {
    let plan = read_plan("plan.toml", &fixture("plan.toml")).expect("a plan");
    let results = read_results(&rack());
    let verdict = judge(&plan, &subject(), &results);
    assert_eq!(verdict.failures().next(), None);
    assert_eq!(verdict.passed, 1);
    // A second tray without any result fails, and with it the collective of its rack.
    let mut two = subject();
    let other = Slot { serial: "R1-1".to_owned(), since: two.slots[&0].since };
    two.slots.insert(1, other);
    let verdict = judge(&plan, &two, &results);
    assert_eq!(verdict.passed, 0);
    let failures: Vec<String> = verdict.failures().map(ToString::to_string).collect();
    assert_eq!(
        failures[0],
        "rack, nccl all_reduce: expected 8 GPUs, each once, at least 781.850 GB/s at \
         1073741824 bytes or more, no wrong result, found 4 ranks on 4 GPUs of 1 hosts, \
         843.060 GB/s at 17179869184 bytes, 0 wrong"
    );
    assert!(failures[1..].iter().all(|failure| failure.starts_with("slot 1, ")));
}

/// Judges the fixtures after a change, and says what fails.
fn failing(change: impl FnOnce(&mut Subject, &mut Results)) -> Vec<String> {
    let plan = read_plan("plan.toml", &fixture("plan.toml")).expect("a plan");
    let (mut subject, mut results) = (subject(), read_results(&rack()));
    change(&mut subject, &mut results);
    let verdict = judge(&plan, &subject, &results);
    assert_eq!(verdict.passed == 0, verdict.failures().next().is_some());
    verdict.failures().map(|check| check.what.clone()).collect()
}

/// Changes the results of the rack.
fn fails(change: impl FnOnce(&mut Results)) -> Vec<String> {
    failing(|_, results| change(results))
}

/// Changes the results of the tray.
fn tray_fails(change: impl FnOnce(&mut TrayResults)) -> Vec<String> {
    fails(|results| change(results.trays.get_mut(&0).expect("a tray")))
}

fn collective(change: impl FnOnce(&mut Collective)) -> Vec<String> {
    fails(|results| change(results.rack.nccl.get_mut("all_reduce").expect("a run")))
}

#[test]
fn each_check_fails_by_itself() {
    assert_eq!(fails(|r| r.rack.leaks = Some(vec!["L1".to_owned()])), ["leaks"]);
    assert_eq!(fails(|r| r.rack.leaks = None), ["leaks"]);
    assert_eq!(fails(|r| r.rack.flow_ml_per_minute = Some(109_999)), ["flow"]);
    // Five per cent below 823 is 781.85, and that is still good enough.
    assert_eq!(collective(|run| run.busbw = Rate(781_849)), ["nccl all_reduce"]);
    assert!(collective(|run| run.busbw = Rate(781_850)).is_empty());
    let inventory = |t: &mut TrayResults| t.inventory.clone().expect("one");
    assert_eq!(
        tray_fails(|t| {
            let found = inventory(t);
            t.inventory = Some(engine::capacity::acceptance::Inventory {
                serial: "X".to_owned(),
                ..found
            });
        }),
        ["serial number"]
    );
    // A GPU that is named twice is missing once, and is not the one that dcgmi saw.
    assert_eq!(
        tray_fails(|t| {
            let found = t.inventory.as_mut().expect("one");
            found.gpus[3] = found.gpus[0].clone();
        }),
        ["GPUs", "GPUs of dcgmi"]
    );
    assert_eq!(
        tray_fails(|t| {
            t.inventory.as_mut().expect("one").firmware.remove("HGX");
        }),
        ["firmware HGX"]
    );
    assert_eq!(
        tray_fails(|t| {
            let tests = &mut t.dcgm.as_mut().expect("tests").tests;
            tests.get_mut("memory").expect("it").outcome = Outcome::Skipped;
        }),
        ["dcgm memory"]
    );
    assert_eq!(
        tray_fails(|t| {
            let tests = t.nvbandwidth.as_mut().expect("tests");
            tests.get_mut("host_to_device_memcpy_ce").expect("cells").cells[1] =
                Rate(194_999);
        }),
        ["nvbandwidth host_to_device_memcpy_ce"]
    );
    assert_eq!(
        tray_fails(|t| {
            t.soak.as_mut().expect("one").after.insert("pcie_replay".to_owned(), 8);
        }),
        ["counter pcie_replay"]
    );
    assert_eq!(
        tray_fails(|t| {
            let soak = t.soak.as_mut().expect("one");
            soak.to = soak.to - units::Seconds::from_seconds(1);
        }),
        ["soak"]
    );
}

/// One GPU of a tray tested is not the tray tested.
#[test]
fn results_are_of_every_gpu_of_the_tray() {
    let mut one: serde_json::Value =
        serde_json::from_str(&fixture("dcgmi-4.json")).expect("JSON");
    let categories = one["DCGM Diagnostic"]["test_categories"].as_array_mut();
    for category in categories.expect("a list") {
        let results = category["tests"][0]["results"].as_array_mut().expect("a list");
        results.retain(|result| result["entity_id"] != 3);
    }
    let one = one.to_string();
    let read = tray("slot-00/dcgmi.json", &one).expect("readable").dcgm.expect("tests");
    assert_eq!(read.tests["memory"].gpus.len(), 3);
    assert_eq!(
        tray_fails(|t| t.dcgm.as_mut().expect("tests").tests = read.tests),
        ["dcgm software", "dcgm memory", "dcgm pcie"]
    );
    let d2d = "device_to_device_memcpy_read_ce";
    let matrix = |change: fn(&mut engine::capacity::acceptance::Matrix)| {
        tray_fails(|t| {
            change(t.nvbandwidth.as_mut().expect("tests").get_mut(d2d).expect("it"));
        })
    };
    let what = format!("nvbandwidth {d2d}");
    assert_eq!(matrix(|m| (m.rows, m.columns) = (2, 2)), [what.as_str()]);
    assert_eq!(matrix(|m| m.missing = 1), [what.as_str()]);
    assert_eq!(matrix(|m| m.rows = 3), [what.as_str()]);
}

#[test]
fn a_collective_is_of_the_whole_domain_and_of_large_messages() {
    let what = ["nccl all_reduce"];
    assert_eq!(collective(|run| run.gpus = 1), what, "ranks on one GPU");
    assert_eq!(collective(|run| run.hosts = 0), what);
    assert_eq!(collective(|run| run.bytes = 8), what);
    assert_eq!(collective(|run| run.wrong = 1), what);
    // A tray of 18 that comes back is judged by a run of all that stand.
    let came_back = |ranks| {
        failing(|subject, results| {
            subject.beside = 17;
            let run = results.rack.nccl.get_mut("all_reduce").expect("a run");
            (run.ranks, run.gpus, run.hosts) = (ranks, ranks, ranks / 4);
        })
    };
    assert!(came_back(72).is_empty());
    assert_eq!(came_back(4), what, "alone it says nothing of the switches");
    assert_eq!(came_back(68), what);
    // A tenant's machines may take part; the site's own have to.
    let beside_tenants = |ranks, beside, with_tenants| {
        failing(|subject, results| {
            (subject.beside, subject.with_tenants) = (beside, with_tenants);
            let run = results.rack.nccl.get_mut("all_reduce").expect("a run");
            (run.ranks, run.gpus, run.hosts) = (ranks, ranks, ranks / 4);
        })
    };
    assert!(beside_tenants(8, 1, 16).is_empty());
    assert!(beside_tenants(72, 1, 16).is_empty());
    assert_eq!(beside_tenants(4, 1, 16), what);
    assert_eq!(beside_tenants(4, 0, 17), what, "a tray alone");
    assert!(beside_tenants(72, 0, 17).is_empty());
}

/// Boxes of eight: each is a domain of its own, and no water runs through them.
#[test]
fn a_box_is_judged_by_its_own_collective() {
    let boxed = |target: &str| {
        failing(|subject, results| {
            subject.one_domain = false;
            subject.leak_detectors = 0;
            results.rack.leaks = None;
            results.rack.flow_ml_per_minute = Some(121_000);
            let run = results.rack.nccl.remove("all_reduce").expect("a run");
            let tray = results.trays.get_mut(&0).expect("a tray");
            tray.nccl.insert(target.to_owned(), run);
        })
    };
    assert!(boxed("all_reduce").is_empty());
    assert_eq!(boxed("all_gather"), ["nccl all_reduce"]);
    let name = "slot-00/nccl-all_reduce.txt";
    let read = tray(name, &fixture("nccl-all_reduce.txt")).expect("readable");
    assert_eq!(read.nccl["all_reduce"].ranks, 4);
}

/// Results of before the machine was in its slot, or of after now, are none of it.
#[test]
fn results_are_of_this_burn_in() {
    let soak = |from: &str, to: &str| {
        tray_fails(|t| {
            let soak = t.soak.as_mut().expect("one");
            (soak.from, soak.to) = (instant(from), instant(to));
        })
    };
    assert_eq!(soak("2020-05-01T00:00Z", "2020-05-02T00:00Z"), ["time of the soak"]);
    assert_eq!(soak("2099-05-01T00:00Z", "2099-05-02T00:00Z"), ["time of the soak"]);
    assert_eq!(soak("2026-04-30T23:59Z", "2026-05-02T06:00Z"), ["time of the soak"]);
    assert!(soak("2026-05-01T00:00Z", "2026-05-02T08:00Z").is_empty());
    // Nobody says when the tools ran.
    let whole = ["time of the tools of the rack", "time of the tools"];
    assert_eq!(fails(|r| r.rack.ran = None), whole);
    assert_eq!(
        fails(|r| r.rack.ran.as_mut().expect("it").to = instant("2026-05-02T08:01Z")),
        whole
    );
    // The folder of a tray says it for the tray.
    assert_eq!(
        fails(|r| {
            let ran = r.rack.ran.clone().expect("it");
            r.trays.get_mut(&0).expect("a tray").ran = Some(ran);
            r.rack.ran = None;
        }),
        ["time of the tools of the rack"]
    );
    // A tray that came back from repair, and the files of before.
    assert_eq!(
        failing(|subject, _| {
            let slot = subject.slots.get_mut(&0).expect("it");
            slot.since = instant("2026-06-01T00:00Z");
            subject.at = instant("2026-06-03T00:00Z");
        }),
        ["time of the tools of the rack", "time of the soak", "time of the tools"]
    );
    // An inventory and a look at leaks may say their own.
    let own = |at: &str| {
        fails(|r| {
            let at = Some(instant(at));
            r.rack.looked_at = at;
            let tray = r.trays.get_mut(&0).expect("a tray");
            tray.inventory.as_mut().expect("one").at = at;
        })
    };
    assert!(own("2026-05-01T02:00Z").is_empty());
    assert_eq!(
        own("2026-04-01T02:00Z"),
        ["time of leaks and flow", "time of the inventory"]
    );
}

#[test]
fn a_gpu_is_in_one_tray_and_dcgmi_saw_those_of_the_inventory() {
    let gpu = "1653525035101";
    assert_eq!(
        fails(|r| {
            let other = r.trays[&0].clone();
            r.trays.insert(5, other);
            r.trays.get_mut(&5).expect("it").inventory.as_mut().expect("one").gpus =
                vec![gpu.to_owned()];
        }),
        [format!("GPU {gpu}")]
    );
    assert_eq!(
        tray_fails(|t| {
            let found = t.dcgm.as_mut().expect("tests");
            found.serials = ["1", "2", "3", "4"].map(str::to_owned).into();
        }),
        ["GPUs of dcgmi"]
    );
}

/// One broken file of one tray is that tray's failure alone.
#[test]
fn a_broken_file_fails_its_tray_and_is_named() {
    let plan = read_plan("plan.toml", &fixture("plan.toml")).expect("a plan");
    let plan = engine::capacity::acceptance::Plan { nccl: BTreeMap::new(), ..plan };
    let mut files = rack();
    let of_first: Vec<(String, String)> = files
        .iter()
        .filter(|(name, _)| name.starts_with("slot-00/"))
        .map(|(name, text)| {
            let text = text.replace("16535250351", "99").replace("R1-0", "R1-1");
            (name.replace("slot-00", "slot-01"), text)
        })
        .collect();
    files.extend(of_first);
    let broken = files.iter_mut().find(|(name, _)| name == "slot-00/dcgmi.json");
    broken.expect("a file").1.truncate(200);
    let mut two = subject();
    let other = Slot { serial: "R1-1".to_owned(), since: two.slots[&0].since };
    two.slots.insert(1, other);
    let verdict = judge(&plan, &two, &read_results(&files));
    assert_eq!(verdict.passed, 0b10, "{:?}", verdict.failures().collect::<Vec<_>>());
    let first = verdict.failures().next().expect("a failure").to_string();
    assert!(
        first.starts_with("slot 0, slot-00/dcgmi.json: expected the JSON"),
        "{first}"
    );
}
