//! A living run judges what tools wrote: uploaded, or left in its drop folder. What rests
//! on that is told from what rests on somebody's word.

use std::collections::BTreeMap;
use std::fs;

use serde_json::{Value, json};

use super::{Desk, mw, root};

fn fixture(name: &str) -> String {
    let path = root().join("fixtures/acceptance").join(name);
    fs::read_to_string(path).expect("a fixture")
}

/// The fixture's plan for boxes of four GPUs that nobody soaks.
fn plan() -> String {
    let plan = fixture("plan.toml").replace("\"GB300 NVL72\"", "\"box\"");
    let plan = plan.replace("soak_hours = 24", "soak_hours = 0");
    plan.replace("flow_ml_per_minute = 110000\n", "")
}

/// What the tools wrote of the box in a rack at an instant of the site.
fn files(rack: &str, at: &str) -> BTreeMap<String, String> {
    let ran = json!({ "from": at, "to": at, "by": "burn-in job 12" }).to_string();
    let of_tray = |name: &str| fixture(&format!("results/R1/slot-00/{name}"));
    BTreeMap::from([
        ("run.json".to_owned(), ran),
        (
            "slot-00/inventory.json".to_owned(),
            of_tray("inventory.json").replace("R1-0", &format!("{rack}-0")),
        ),
        ("slot-00/dcgmi.json".to_owned(), of_tray("dcgmi.json")),
        ("slot-00/nvbandwidth.txt".to_owned(), of_tray("nvbandwidth.txt")),
        ("slot-00/nccl-all_reduce.txt".to_owned(), fixture("nccl-all_reduce.txt")),
    ])
}

/// Three racks of one box each, in burn-in.
fn put_up(desk: &mut Desk) {
    let shape = json!({ "shape": {
        "name": "box", "trays": 1, "gpus_per_tray": 4, "switch_trays": 0,
        "power_shelves": 0, "leak_detectors": 0,
    } });
    desk.ana("say", &json!({ "said": shape }));
    for (number, name) in ["R1", "R2", "R3"].into_iter().enumerate() {
        let rack = json!({ "rack": {
            "name": name, "shape": "box", "hall": "A", "due": null, "meant_for": null,
        } });
        desk.ana("say", &json!({ "said": rack }));
        let serials = [format!("{name}-0")];
        let received = json!({ "received": { "rack": number, "serials": serials } });
        desk.ana("say", &json!({ "said": received }));
        desk.ana("say", &json!({ "said": { "installed": { "rack": number } } }));
    }
    desk.until("burn-in", 3);
}

#[test]
fn what_tools_wrote_is_judged_by_a_run_and_a_lender_is_told_from_a_word() {
    let mut desk = Desk::open("judged");
    put_up(&mut desk);
    let folder = desk.door.run.folder().to_owned();
    let at = desk.get("", &desk.ana)["at"].as_str().expect("an instant").to_owned();

    // A verdict that somebody else came to is none, whatever hash it names.
    let ana = desk.ana.clone();
    let tested = json!({ "said": { "tested": {
        "rack": 0, "slots": 1, "passed": 1, "evidence": "ab".repeat(32),
    } } });
    let told = desk.post("say", &ana, &tested);
    assert_eq!(told.problem(), "refused", "{}", told.body);
    assert!(told.body.contains("tested_by_hand"), "{}", told.body);

    // By HTTP: a failure is told and the tray stays, a dry run keeps nothing.
    let mut broken = files("R1", &at);
    let cut = broken["slot-00/dcgmi.json"][..200].to_owned();
    broken.insert("slot-00/dcgmi.json".to_owned(), cut);
    let upload = |files| json!({ "rack": "R1", "plan": plan(), "files": files });
    assert_eq!(desk.red("results", &upload(broken.clone())).problem(), "forbidden");
    let failed = desk.ana("results", &upload(broken)).json();
    assert_eq!(failed["passed"], false, "{failed}");
    assert!(failed["says"].to_string().contains("slot-00/dcgmi.json: expected the JSON"));
    let path = "/v1/capacity/results?dry_run=true";
    let dry = desk.door.post(path, &ana, None, &upload(files("R1", &at))).json();
    let kept = |evidence: &Value| {
        let hash = evidence.as_str().expect("a hash");
        folder.join("bundles").join(format!("{hash}.json")).is_file()
    };
    assert_eq!((&dry["passed"], kept(&dry["evidence"])), (&json!(true), false));
    let passed = desk.ana("results", &upload(files("R1", &at))).json();
    assert_eq!((&passed["passed"], kept(&passed["evidence"])), (&json!(true), true));
    desk.until("accepted", 1);

    // From the drop folder, by command: an exit code of its own where trays fail.
    let plan_file = desk.site.join("plan.toml");
    fs::write(&plan_file, plan()).expect("a plan");
    let plan_file = plan_file.display().to_string();
    let run = folder.display().to_string();
    let accept = || {
        let said = mw(&[
            "capacity", "accept", &run, "--plan", &plan_file, "--rack", "R2", "--by",
            "ana",
        ]);
        let text = String::from_utf8_lossy(&said.stdout).into_owned()
            + &String::from_utf8_lossy(&said.stderr);
        (said.status.code(), text)
    };
    let (code, text) = accept();
    assert_eq!(code, Some(3), "{text}");
    assert!(text.contains("expected the results of R2 in"), "{text}");
    let drop_into = |files: BTreeMap<String, String>| {
        for (name, text) in files {
            let path = folder.join("results/R2").join(name);
            fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            fs::write(path, text).expect("written");
        }
    };
    drop_into(files("R9", &at));
    let (code, text) = accept();
    assert_eq!(code, Some(5), "{text}");
    assert!(text.contains("slot 0, serial number: expected R2-0, found R9-0"), "{text}");
    assert!(!folder.join("estate.log").exists(), "a run is no estate of files");
    drop_into(files("R2", &at));
    let (code, text) = accept();
    assert_eq!(code, Some(0), "{text}");
    assert!(text.starts_with("R2: 1 of 1 trays passed"), "{text}");

    // The third on somebody's word, on the record.
    let by_hand = json!({ "said": { "tested_by_hand": {
        "rack": 2, "slots": 1, "passed": 1, "why": "the vendor says so",
    } } });
    desk.ana("say", &by_hand);
    desk.until("accepted", 3);
    let wanted = json!({
        "contract": "CAP", "tranche": "H1", "gpus": 12, "trays_per_block": 1,
    });
    let blocks = desk.red("reserve", &wanted);
    assert_eq!(blocks.json()["blocks"], json!([0, 1, 2]), "{}", blocks.body);
    let listed = desk.get("/blocks", &desk.red);
    let block_of = |rack: &str| {
        let blocks = listed["blocks"].as_array().expect("blocks").iter();
        let mut of = blocks.filter(|one| one.to_string().contains(&format!("/{rack}/")));
        of.next().expect("a block")["block"].clone()
    };
    let evidence = &passed["evidence"];
    let unknown = json!({ "block": block_of("R1"), "evidence": "cd".repeat(32) });
    assert_eq!(desk.red("accept", &unknown).problem(), "refused");
    let others = json!({ "block": block_of("R2"), "evidence": evidence });
    let refused = desk.red("accept", &others);
    assert!(refused.body.contains("that of other machines"), "{}", refused.body);
    let neither = desk.red("accept", &json!({ "block": block_of("R1") }));
    assert_eq!(neither.problem(), "not-meant");
    let first = json!({ "block": block_of("R1"), "evidence": evidence });
    assert_eq!(desk.red("accept", &first).status, 200);
    for rack in ["R2", "R3"] {
        let word = json!({ "block": block_of(rack), "by_hand": "in a hurry" });
        assert_eq!(desk.red("accept", &word).status, 200);
    }

    let verified = || {
        let said = mw(&["verify", &run, "--json"]);
        let text = String::from_utf8_lossy(&said.stdout).into_owned();
        (said.status.code(), serde_json::from_str::<Value>(&text).expect("JSON"))
    };
    let (code, found) = verified();
    let of = &found["acceptance"]["tranches"][0];
    assert_eq!(code, Some(0), "{found}");
    assert_eq!(
        (&of["gpus_on_evidence"], &of["gpus_on_somebodys_word"]),
        (&json!(4), &json!(8))
    );
    assert_eq!(of["evidence"], json!([evidence]));
    let words = of["words"].to_string();
    assert!(words.contains("accepted by hand by tenant red"), "{words}");
    assert!(words.contains("in a hurry"), "{words}");

    // Evidence that was altered is found, and evidence that is gone is nobody's.
    let hash = evidence.as_str().expect("a hash");
    let bundle = folder.join("bundles").join(format!("{hash}.json"));
    let text = fs::read_to_string(&bundle).expect("a bundle");
    fs::write(&bundle, text.replace("843.06", "943.06")).expect("written");
    let (code, found) = verified();
    assert_eq!(code, Some(3), "{found}");
    assert!(found["findings"].to_string().contains(hash), "{found}");
    fs::remove_file(&bundle).expect("it is there");
    let (code, found) = verified();
    let of = &found["acceptance"]["tranches"][0];
    assert_eq!((code, &of["gpus_on_evidence"]), (Some(0), &json!(0)), "{found}");
    assert!(of["words"].to_string().contains("that is not kept"), "{found}");
}
