//! What acceptance tools write, read strictly, judged, signed and checked again.

use std::collections::BTreeMap;
use std::path::PathBuf;

use adapters::acceptance::bundle::RackEvidence;
use adapters::acceptance::{
    Bundle, BundleError, Evidence, files, read_plan, read_results,
};
use adapters::store::Key;
use engine::capacity::acceptance::{Outcome, Rate, Results, TrayResults, judge};

fn fixture(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../fixtures/acceptance")
        .join(name);
    std::fs::read_to_string(path).expect("a fixture")
}

/// Reads one file under a name that says what it is.
fn read(name: &str, text: &str) -> Result<Results, String> {
    read_results(&[(name.to_owned(), text.to_owned())]).map_err(|why| why.to_string())
}

fn tray(name: &str, text: &str) -> Result<TrayResults, String> {
    read(name, text).map(|mut results| results.trays.remove(&0).expect("slot 0"))
}

fn rack() -> Vec<(String, String)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../fixtures/acceptance/results/R1");
    files(&folder).expect("a drop folder")
}

fn order() -> BTreeMap<u8, String> {
    BTreeMap::from([(0, "R1-0".to_owned())])
}

#[test]
fn the_worst_gpu_decides_what_a_diagnostic_came_to() {
    let three = tray("slot-00/dcgmi.json", &fixture("dcgmi-3.json")).expect("readable");
    let tests = three.dcgm.expect("tests");
    assert_eq!(tests["software"], Outcome::Passed);
    let why = "FAIL on GPU 2: [\"Detected a DBE on GPU 2\"]".to_owned();
    assert_eq!(tests["memory"], Outcome::Failed(why));
    assert_eq!(tests["pcie"], Outcome::Skipped);
    let four = tray("slot-00/dcgmi.json", &fixture("dcgmi-4.json")).expect("readable");
    let tests = four.dcgm.expect("tests");
    assert_eq!(tests["pcie"], Outcome::Passed);
    assert_eq!(tests["targeted_power"], Outcome::Skipped);
}

#[test]
fn a_diagnostic_that_did_not_run_is_an_error_and_no_pass() {
    for (text, said) in [
        ("", "found 0 bytes without any"),
        ("{\"DCGM Diagnostic\": {", "expected the JSON of dcgmi diag -j"),
        ("{}", "expected a key `DCGM Diagnostic`, found none"),
        (
            "{\"DCGM Diagnostic\": {\"version\": \"4.2.3\"}}",
            "expected a list `test_categories`, found none",
        ),
        (
            "{\"DCGM Diagnostic\": {\"test_categories\": []}}",
            "expected at least one test, found none",
        ),
        (
            "{\"DCGM Diagnostic\": {\"runtime_error\": \"no GPU\"}}",
            "expected a diagnostic that ran, found \"no GPU\"",
        ),
        (
            "{\"DCGM Diagnostic\": {\"test_categories\": [{\"tests\": [{\"name\": \"memory\", \
             \"results\": []}]}]}}",
            "expected results of every test, found memory",
        ),
    ] {
        let why = read("slot-00/dcgmi.json", text).expect_err(text);
        assert!(why.contains(said), "{why}");
    }
    let odd = "{\"DCGM Diagnostic\": {\"test_categories\": [{\"tests\": [{\"name\": \"x\", \
               \"results\": [{\"status\": \"Splendid\"}]}]}]}}";
    let tests = tray("slot-00/dcgmi.json", odd).expect("readable").dcgm.expect("tests");
    assert!(matches!(tests["x"], Outcome::Failed(_)), "no status is guessed");
}

#[test]
fn a_collective_counts_by_its_largest_size_and_its_lesser_bandwidth() {
    let text = fixture("nccl-all_reduce.txt");
    let name = "nccl-all_reduce.txt";
    let run = read(name, &text).expect("readable").rack.nccl["all_reduce"];
    assert_eq!((run.ranks, run.bytes), (4, 17_179_869_184));
    assert_eq!((run.busbw, run.wrong), (Rate(843_060), 0));
    let with = |from: &str, to: &str| read(name, &text.replace(from, to));
    let wrong = |found: Result<Results, String>| {
        found.expect("readable").rack.nccl["all_reduce"].wrong
    };
    assert_eq!(wrong(with("842.37      0", "842.37      3")), 3);
    assert_eq!(wrong(with("842.37      0", "842.37    N/A")), 1);
    assert_eq!(wrong(with("values : 0 OK", "values : 2 FAILED")), 2);
    let cut = text.lines().take(14).collect::<Vec<_>>().join("\n");
    let said = [
        (read(name, &cut), "expected the line `# Out of bounds values` at its end"),
        (with("#  Rank", "#  Rang"), "expected a line `#  Rank` for every GPU"),
        (with("  842.37  ", "  8x2.37  "), "line 13: expected a bus bandwidth in GB/s"),
        (read(name, "mpirun: not found"), "expected at least one size, found none"),
    ];
    for (found, said) in said {
        let why = found.expect_err(said);
        assert!(why.contains(said), "{why}");
    }
}

#[test]
fn every_cell_of_a_matrix_counts_and_has_to_make_its_sum() {
    let text = fixture("nvbandwidth.txt");
    let name = "slot-00/nvbandwidth.txt";
    let tests = tray(name, &text).expect("readable").nvbandwidth.expect("tests");
    let cells = |test: &str| tests[test].iter().map(|cell| cell.0).collect::<Vec<_>>();
    assert_eq!(cells("host_to_device_memcpy_ce"), [207_550, 207_100]);
    assert_eq!(cells("device_to_device_memcpy_read_ce"), [780_310, 779_980]);
    for (from, to, said) in [
        (" 1    779.98       N/A\n", "", "expected cells that sum to 1560.290 GB/s"),
        ("SUM host_to_device_memcpy_ce 414.65\n", "", "the sum of host_to_device"),
        ("207.10", "2O7.10", "expected a cell in GB/s, found 2O7.10"),
        ("Running", "Ran", "a sum of the test above"),
    ] {
        let why = read(name, &text.replace(from, to)).expect_err(said);
        assert!(why.contains(said), "{why}");
    }
}

#[test]
fn a_name_that_is_unknown_is_an_error() {
    for name in ["notes.txt", "slot-x/dcgmi.json", "slot-00/log.txt", "nccl-x.log"] {
        let why = read(name, "{}").expect_err(name);
        assert!(why.contains("a name that is unknown"), "{why}");
    }
}

#[test]
fn a_plan_says_what_is_wrong_with_it() {
    let text = fixture("plan.toml");
    let plan = read_plan("plan.toml", &text).expect("a plan");
    assert_eq!(plan.nccl["all_reduce"], Rate(823_000));
    assert_eq!(plan.nvbandwidth["device_to_device_memcpy_read_ce"], Rate(740_500));
    for (from, to, said) in [
        ("\"823\"", "\"-1\"", "found all_reduce = -1"),
        ("dcgm_level = 2", "dcgm_level = 5", "expected dcgm_level from 0 to 4, found 5"),
        ("within_percent = 5", "within_percent = 101", "from 0 to 100, found 101"),
        ("flat =", "flatt =", "unknown field"),
    ] {
        let why = read_plan("plan.toml", &text.replace(from, to)).expect_err(said);
        assert!(why.to_string().contains(said), "{why}");
    }
}

#[test]
fn a_rack_passes_and_what_was_not_run_does_not() {
    let plan = read_plan("plan.toml", &fixture("plan.toml")).expect("a plan");
    let results = read_results(&rack()).expect("readable");
    let verdict = judge(&plan, &order(), 4, &results);
    assert_eq!(verdict.failures().next(), None);
    assert_eq!(verdict.passed, 1);
    // A second tray without any result fails, and with it the collective of its rack.
    let mut two = order();
    two.insert(1, "R1-1".to_owned());
    let verdict = judge(&plan, &two, 4, &results);
    assert_eq!(verdict.passed, 0);
    let failures: Vec<String> = verdict.failures().map(ToString::to_string).collect();
    assert_eq!(
        failures[0],
        "rack, nccl all_reduce: expected 8 GPUs, at least 781.850 GB/s, no wrong result, \
         found 4 GPUs, 843.060 GB/s at 17179869184 bytes, 0 wrong"
    );
    assert!(failures[1..].iter().all(|failure| failure.starts_with("slot 1, ")));
}

/// Changes one thing of the rack's results and says what fails.
fn fails(change: impl FnOnce(&mut Results)) -> Vec<String> {
    let plan = read_plan("plan.toml", &fixture("plan.toml")).expect("a plan");
    let mut results = read_results(&rack()).expect("readable");
    change(&mut results);
    let verdict = judge(&plan, &order(), 4, &results);
    assert_eq!(verdict.passed, 0);
    verdict.failures().map(|check| check.what.clone()).collect()
}

#[test]
fn each_check_fails_by_itself() {
    let tray = |results: &mut Results, change: fn(&mut TrayResults)| {
        change(results.trays.get_mut(&0).expect("a tray"));
    };
    assert_eq!(fails(|r| r.rack.leaks = Some(vec!["L1".to_owned()])), ["leaks"]);
    assert_eq!(fails(|r| r.rack.leaks = None), ["leaks"]);
    assert_eq!(fails(|r| r.rack.flow_ml_per_minute = Some(109_999)), ["flow"]);
    let busbw = |rate| {
        move |r: &mut Results| {
            r.rack.nccl.get_mut("all_reduce").expect("a run").busbw = Rate(rate);
        }
    };
    // Five per cent below 823 is 781.85, and that is still good enough.
    assert_eq!(fails(busbw(781_849)), ["nccl all_reduce"]);
    let plan = read_plan("plan.toml", &fixture("plan.toml")).expect("a plan");
    let mut results = read_results(&rack()).expect("readable");
    busbw(781_850)(&mut results);
    assert_eq!(judge(&plan, &order(), 4, &results).passed, 1);
    assert_eq!(
        fails(|r| tray(r, |t| t.inventory.as_mut().expect("one").serial = "X".to_owned())),
        ["serial number"]
    );
    assert_eq!(
        fails(
            |r| tray(r, |t| t.inventory.as_mut().expect("one").gpus[3] = "G0".to_owned())
        ),
        ["GPUs"]
    );
    assert_eq!(
        fails(|r| tray(r, |t| {
            t.inventory.as_mut().expect("one").firmware.remove("HGX");
        })),
        ["firmware HGX"]
    );
    assert_eq!(
        fails(|r| tray(r, |t| {
            let tests = t.dcgm.as_mut().expect("tests");
            tests.insert("memory".to_owned(), Outcome::Skipped);
        })),
        ["dcgm memory"]
    );
    assert_eq!(
        fails(|r| tray(r, |t| {
            let tests = t.nvbandwidth.as_mut().expect("tests");
            tests.get_mut("host_to_device_memcpy_ce").expect("cells")[1] = Rate(194_999);
        })),
        ["nvbandwidth host_to_device_memcpy_ce"]
    );
    assert_eq!(
        fails(|r| tray(r, |t| {
            t.soak.as_mut().expect("one").after.insert("pcie_replay".to_owned(), 8);
        })),
        ["counter pcie_replay"]
    );
    assert_eq!(
        fails(|r| tray(r, |t| {
            let soak = t.soak.as_mut().expect("one");
            soak.to = soak.to - units::Seconds::from_seconds(1);
        })),
        ["soak"]
    );
}

fn bundle() -> (Bundle, Key) {
    let plan_text = fixture("plan.toml");
    let plan = read_plan("plan.toml", &plan_text).expect("a plan");
    let files = rack();
    let verdict = judge(&plan, &order(), 4, &read_results(&files).expect("readable"));
    let racks = vec![RackEvidence {
        rack: "R1".to_owned(),
        gpus_per_tray: 4,
        order: order(),
        files,
        verdict,
    }];
    let key = Key::from_seed([7; 32]);
    let evidence = Evidence {
        of: "CAP/H1".to_owned(),
        at_unix_seconds: 1_777_700_000,
        plan: plan_text,
        racks,
    };
    (evidence.signed(&key), key)
}

#[test]
fn a_bundle_is_checked_by_whoever_has_it_and_the_public_key() {
    let (bundle, key) = bundle();
    let read = Bundle::parse(&bundle.to_json()).expect("a bundle");
    assert_eq!(read, bundle);
    let evidence = read.verify(&key.public()).expect("good");
    assert_eq!(evidence.racks[0].verdict.passed, 1);
    let other = Key::from_seed([8; 32]).public();
    assert_eq!(
        read.verify(&other),
        Err(BundleError::Signature { key: other.to_string() })
    );
}

#[test]
fn an_altered_bundle_is_found() {
    let (bundle, key) = bundle();
    // One GPU-second of doubt: a figure, a verdict, a plan.
    for (from, to) in
        [("843.06", "943.06"), ("R1-0", "R1-9"), ("dcgm_level = 2", "dcgm_level = 1")]
    {
        let text = bundle.to_json().replace(from, to);
        assert_ne!(text, bundle.to_json());
        let read = Bundle::parse(&text).expect("a bundle");
        let found = read.verify(&key.public());
        assert!(matches!(found, Err(BundleError::Signature { .. })), "{found:?}");
    }
}

#[test]
fn a_verdict_that_does_not_follow_is_found_though_it_is_signed() {
    let (bundle, key) = bundle();
    let mut evidence = bundle.verify(&key.public()).expect("good");
    evidence.racks[0].verdict.checks[0].found = "no leak at all".to_owned();
    let found = evidence.signed(&key).verify(&key.public());
    assert_eq!(
        found.expect_err("it does not follow").to_string(),
        "R1: expected the verdict that the outputs lead to, found rack, leaks: expected no \
         leak, found no leak at all"
    );
}
