//! What acceptance tools write, read strictly, judged, signed and checked again.

mod judged;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use adapters::acceptance::bundle::RackEvidence;
use adapters::acceptance::{
    Bundle, BundleError, Evidence, files, read_plan, read_results,
};
use adapters::store::Key;
use engine::capacity::acceptance::{
    Collective, Outcome, Rate, Results, Slot, Subject, TrayResults, judge,
};
use units::Timestamp;

fn fixture(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../fixtures/acceptance")
        .join(name);
    std::fs::read_to_string(path).expect("a fixture")
}

/// Reads one file under a name that says what it is.
fn read(name: &str, text: &str) -> Result<Results, String> {
    let results = read_results(&[(name.to_owned(), text.to_owned())]);
    let of_trays = results.trays.values().flat_map(|tray| &tray.unread);
    let first = results.rack.unread.iter().chain(of_trays).next().cloned();
    match first {
        Some(why) => {
            Err(format!("{}: expected {}, found {}", why.file, why.expected, why.found))
        }
        None => Ok(results),
    }
}

fn tray(name: &str, text: &str) -> Result<TrayResults, String> {
    read(name, text).map(|mut results| results.trays.remove(&0).expect("slot 0"))
}

fn run(text: &str) -> Result<Collective, String> {
    read("nccl-all_reduce.txt", text).map(|results| results.rack.nccl["all_reduce"])
}

fn rack() -> Vec<(String, String)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../fixtures/acceptance/results/R1");
    files(&folder).expect("a drop folder").files
}

fn instant(text: &str) -> Timestamp {
    Timestamp::parse(text).expect("an instant")
}

/// The tray of the fixtures, in burn-in since midnight.
fn subject() -> Subject {
    let slot = Slot { serial: "R1-0".to_owned(), since: instant("2026-05-01T00:00Z") };
    Subject {
        at: instant("2026-05-02T08:00Z"),
        gpus_per_tray: 4,
        one_domain: true,
        leak_detectors: 2,
        slots: BTreeMap::from([(0, slot)]),
        beside: 0,
        with_tenants: 0,
    }
}

#[test]
fn the_worst_gpu_decides_what_a_diagnostic_came_to() {
    let three = tray("slot-00/dcgmi.json", &fixture("dcgmi-3.json")).expect("readable");
    let found = three.dcgm.expect("tests");
    let tests = &found.tests;
    assert_eq!(tests["software"].outcome, Outcome::Passed);
    assert_eq!(tests["software"].gpus.len(), 4);
    let why = "FAIL on GPU 2: [\"Detected a DBE on GPU 2\"]".to_owned();
    assert_eq!(tests["memory"].outcome, Outcome::Failed(why));
    assert_eq!(tests["pcie"].outcome, Outcome::Skipped);
    assert!(found.serials.is_empty());
    let four = tray("slot-00/dcgmi.json", &fixture("dcgmi-4.json")).expect("readable");
    let found = four.dcgm.expect("tests");
    assert_eq!(found.tests["pcie"].outcome, Outcome::Passed);
    // The processor beside them is no GPU.
    assert_eq!(found.tests["software"].gpus.len(), 4);
    assert_eq!(found.tests["targeted_power"].outcome, Outcome::Skipped);
    assert_eq!(found.serials.len(), 4);
}

#[test]
fn a_diagnostic_that_did_not_run_is_an_error_and_no_pass() {
    for (text, said) in [
        ("", "found 0 bytes without any"),
        ("{\"DCGM Diagnostic\": {", "expected the JSON of dcgmi diag -j"),
        ("{}", "found a document without a key `DCGM Diagnostic`"),
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
    let found = tray("slot-00/dcgmi.json", odd).expect("readable").dcgm.expect("tests");
    let outcome = &found.tests["x"].outcome;
    assert!(matches!(outcome, Outcome::Failed(_)), "no status is guessed");
}

/// The reader's case: every GPU passes, and the summary of the test says it failed.
#[test]
fn a_failure_beside_passes_is_one() {
    let text = fixture("dcgmi-4.json");
    let of = |text: &str| {
        let found = tray("slot-00/dcgmi.json", text).expect("readable").dcgm;
        found.expect("tests").tests["memory"].outcome.clone()
    };
    let place = text.find("\"memory\"").expect("a test");
    let (before, behind) = text.split_at(place);
    let summary = "\"test_summary\": {\"status\": \"Pass\"}";
    let failed = "\"test_summary\": {\"status\": \"Fail\", \"warnings\": \"x\"}";
    let text_of = before.to_owned() + &behind.replacen(summary, failed, 1);
    assert_eq!(of(&text_of), Outcome::Failed("Fail: \"x\"".to_owned()));
    // DCGM may record an error and pass the test all the same.
    let erred = "\"status\": \"Pass\", \"warnings\": [{\"error_id\": 30, \
                 \"warning\": \"could not allocate\"}]";
    let text_of = before.to_owned() + &behind.replacen("\"status\": \"Pass\"", erred, 1);
    assert!(matches!(of(&text_of), Outcome::Failed(_)), "an error is none");
}

#[test]
fn lines_around_a_diagnostic_are_passed_over() {
    let text = fixture("dcgmi-4.json");
    let name = "slot-00/dcgmi.json";
    let plain = tray(name, &text).expect("readable").dcgm;
    let numbered: String = text.lines().map(|line| format!("0: {line}\n")).collect();
    for text in [
        format!("{text}Done.\n"),
        format!("WARN {{x}} of a plugin\n{text}rc=0\n"),
        format!("{{ \"level\": \"info\" }}\n{text}"),
        format!("\u{feff}{text}"),
        numbered,
    ] {
        assert_eq!(tray(name, &text).expect("readable").dcgm, plain);
    }
    let two = read(name, &format!("{text}{text}")).expect_err("two");
    assert!(two.contains("expected one diagnostic"), "{two}");
    let cut = read(name, &text[..text.len() / 2]).expect_err("cut off");
    assert!(cut.contains("EOF"), "{cut}");
    let tasks: String =
        text.lines().zip(0..).map(|(line, at)| format!("{}: {line}\n", at % 2)).collect();
    let tasks = read(name, &tasks).expect_err("two tasks");
    assert!(tasks.contains("without `srun -l`"), "{tasks}");
}

#[test]
fn a_collective_counts_by_its_largest_size_and_its_lesser_bandwidth() {
    let text = fixture("nccl-all_reduce.txt");
    let found = run(&text).expect("readable");
    assert_eq!((found.ranks, found.gpus, found.hosts), (4, 4, 1));
    assert_eq!(found.bytes, 17_179_869_184);
    assert_eq!((found.busbw, found.wrong), (Rate(843_060), 0));
    let with = |from: &str, to: &str| run(&text.replace(from, to));
    let wrong = |from: &str, to: &str| with(from, to).expect("readable").wrong;
    assert_eq!(wrong("842.37      0", "842.37      3"), 3);
    assert_eq!(wrong("842.37      0", "842.37    N/A"), 1);
    // What this program checks in place and did not, is not right.
    assert_eq!(wrong("843.06      0", "843.06    N/A"), 1);
    assert_eq!(wrong("values : 0 OK", "values : 2 FAILED"), 2);
    let cut = text.lines().take(15).collect::<Vec<_>>().join("\n");
    let said = [
        (run(&cut), "expected the line `# Out of bounds values` at its end"),
        (with("#  Rank", "#  Rang"), "expected a line `#  Rank` for every GPU"),
        (with("  842.37  ", "  8x2.37  "), "line 14: expected a bus bandwidth in GB/s"),
        (run("mpirun: not found"), "expected at least one size, found none"),
        (with("all_reduce_perf", "all_gather_perf"), "expected a run of all_reduce_perf"),
        // A bad run and a good one: which of them counts?
        (run(&format!("{text}{text}")), "expected one run, found rank 0 a second time"),
    ];
    for (found, said) in said {
        let why = found.expect_err(said);
        assert!(why.contains(said), "{why}");
    }
    // Two operations at one size: the lesser counts.
    let last = text.lines().find(|line| line.contains("845.10")).expect("a size");
    let lesser = last.replace("845.10", "700.00");
    for both in [format!("{last}\n{lesser}"), format!("{lesser}\n{last}")] {
        let found = run(&text.replace(last, &both)).expect("readable");
        assert_eq!(found.busbw, Rate(700_000));
    }
}

#[test]
fn ranks_are_told_apart_by_host_and_gpu() {
    let text = fixture("nccl-all_reduce.txt");
    let same = text.replace("device  1 [0x02]", "device  0 [0x01]");
    let found = run(&same).expect("readable");
    assert_eq!((found.ranks, found.gpus), (4, 3));
    // A job that shows each rank one GPU numbers them all 0.
    let shown: String = (1..4).fold(text, |text, device| {
        text.replace(&format!("device  {device}"), "device  0")
    });
    assert_eq!(run(&shown).expect("readable").gpus, 4);
}

/// `alltoall_perf` checks nothing in place, and says so.
#[test]
fn what_a_program_does_not_check_in_place_is_not_wrong() {
    let text = fixture("nccl-all_reduce.txt").replace("all_reduce", "alltoall");
    let text = text.replace("842.91      0", "99.9    N/A");
    let text = text.replace("843.06      0", "99.9    N/A");
    let found = read("nccl-alltoall.txt", &text).expect("readable").rack.nccl["alltoall"];
    assert_eq!((found.wrong, found.busbw), (0, Rate(845_100)));
    let unchecked = text.replace("845.10      0", "845.10    N/A");
    let found = read("nccl-alltoall.txt", &unchecked).expect("readable");
    assert_eq!(found.rack.nccl["alltoall"].wrong, 1);
}

#[test]
fn what_job_starters_put_before_lines_is_passed_over() {
    let text = fixture("nccl-all_reduce.txt");
    let plain = run(&text).expect("readable");
    for prefix in ["0: ", " 0: ", "[1,0]<stdout>:", "[1,0]<stdout>: "] {
        let tagged: String =
            text.lines().map(|line| format!("{prefix}{line}\n")).collect();
        assert_eq!(run(&tagged), Ok(plain), "{prefix}");
    }
    // With the time of day behind each size (`-T`).
    let timed = text.replace("843.06      0", "843.06      0  2026-05-01 12:00:00");
    assert_eq!(run(&timed), Ok(plain));
}

#[test]
fn every_cell_of_a_matrix_counts_and_has_to_make_its_sum() {
    let text = fixture("nvbandwidth.txt");
    let name = "slot-00/nvbandwidth.txt";
    let tests = tray(name, &text).expect("readable").nvbandwidth.expect("tests");
    let of = |test: &str| {
        let matrix = &tests[test];
        (matrix.rows, matrix.columns, matrix.cells.len(), matrix.missing)
    };
    assert_eq!(of("host_to_device_memcpy_ce"), (1, 4, 4, 0));
    assert_eq!(of("device_to_device_memcpy_read_ce"), (4, 4, 12, 0));
    let cells = &tests["host_to_device_memcpy_ce"].cells;
    assert_eq!(cells[..2], [Rate(207_550), Rate(207_100)]);
    let row = " 1    779.98       N/A    780.40    779.77\n";
    assert!(text.contains(row));
    let gap = text.replace("779.77", "   N/A").replace("9359.88", "8580.11");
    let tests = tray(name, &gap).expect("readable").nvbandwidth.expect("tests");
    assert_eq!(tests["device_to_device_memcpy_read_ce"].missing, 1);
    let sum = "expected cells that sum to 9359.880 GB/s";
    for (from, to, said) in [
        (row, "", sum),
        ("    780.40    779.77\n", "\n", "expected 4 cells, as the line above numbers"),
        ("SUM host_to_device_memcpy_ce 828.94", "", "the sum of host_to_device"),
        ("207.10", "2O7.10", "expected a cell in GB/s, found 2O7.10"),
        ("Running", "Ran", "a sum of the test above"),
    ] {
        let why = read(name, &text.replace(from, to)).expect_err(said);
        assert!(why.contains(said), "{why}");
    }
    // A bad run first, and a good one behind it.
    let twice = format!("{}{text}", text.replace("780", "300").replace("9359", "5519"));
    let why = read(name, &twice).expect_err("twice");
    assert!(why.contains("a second time") || why.contains("sum to"), "{why}");
    let twice = read(name, &format!("{text}{text}")).expect_err("twice");
    assert!(twice.contains("expected each test once"), "{twice}");
}

#[test]
fn a_file_of_no_acceptance_is_noted_and_passed_by() {
    for (name, said) in [
        ("notes.txt", "no file of an acceptance"),
        ("slot-00/log.txt", "no file of an acceptance"),
        ("slot-x/dcgmi.json", "the folder of a tray is called slot-00"),
        ("slot-00/dcgmi.jsn", "is dcgmi.json meant?"),
        ("slot-00/nvbandwith.txt", "is nvbandwidth.txt meant?"),
        ("nccl-x.log", "is nccl-COLLECTIVE.txt meant?"),
        ("dcgmi.json", "it belongs into the folder of a tray"),
    ] {
        let found = read(name, "{}").expect("nothing wrong with it");
        assert!(found.notes[0].starts_with(&format!("{name}: ")), "{:?}", found.notes);
        assert!(found.notes[0].contains(said), "{:?}", found.notes);
    }
}

fn lay(folder: &Path, name: &str, bytes: &[u8]) {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
    std::fs::write(path, bytes).expect("written");
}

#[test]
fn a_folder_is_read_past_what_is_strange_in_it() {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("acceptance-folder");
    drop(std::fs::remove_dir_all(&folder));
    lay(&folder, ".DS_Store", b"\x00\x01");
    lay(&folder, "logs/dcgmi.log", b"");
    lay(&folder, "slot-00/soak.json~", b"{");
    lay(&folder, "slot-00/logs/x", b"");
    lay(&folder, "slot-01/dcgmi.json/x", b"");
    lay(&folder, "slot-01/nvbandwidth.txt", b"\xff\xfen\x00v\x00");
    let dropped = files(&folder).expect("readable");
    let names: Vec<&str> = dropped.files.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["slot-01/nvbandwidth.txt"]);
    assert_eq!(
        dropped.notes,
        [
            ".DS_Store: passed by, no file of an acceptance",
            "logs: passed by, a folder",
            "slot-00/logs: passed by, a folder",
            "slot-00/soak.json~: passed by, no file of an acceptance",
            "slot-01/dcgmi.json: passed by, a folder",
        ]
    );
    let unread = &read_results(&dropped.files).trays[&1].unread;
    assert_eq!(unread[0].file, "slot-01/nvbandwidth.txt");
    assert_eq!(unread[0].expected, "text in UTF-8");
    let why = files(&folder.join("none")).expect_err("no such folder");
    assert!(why.contains("acceptance-folder/none"), "{why}");
}

/// Which of two folders of a slot is meant, nobody can say.
#[test]
fn two_folders_of_one_slot_are_a_failure_of_it() {
    let files = ["slot-03/dcgmi.json", "slot-3/dcgmi.json"]
        .map(|name| (name.to_owned(), fixture("dcgmi-4.json")));
    let unread = &read_results(&files).trays[&3].unread;
    assert_eq!(unread[0].file, "slot-3/dcgmi.json");
    assert_eq!(unread[0].expected, "one folder of the slot, slot-03");
}

#[test]
fn a_plan_says_what_is_wrong_with_it() {
    let text = fixture("plan.toml");
    let plan = read_plan("plan.toml", &text).expect("a plan");
    assert_eq!(plan.nccl["all_reduce"], Rate(823_000));
    assert_eq!(plan.nccl_least_bytes, 1 << 30);
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

fn bundle() -> (Bundle, Key) {
    let plan_text = fixture("plan.toml");
    let plan = read_plan("plan.toml", &plan_text).expect("a plan");
    let files = rack();
    let verdict = judge(&plan, &subject(), &read_results(&files));
    let racks =
        vec![RackEvidence { rack: "R1".to_owned(), subject: subject(), files, verdict }];
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
