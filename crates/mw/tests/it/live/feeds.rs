//! A living run that is told by a VTN.

use std::process::{Command, Stdio};

use mw::emulate::openadr::VEN;
use serde_json::json;
use units::{Power, Seconds};

use super::Run;
use crate::backtest::{fresh, root};
use crate::emulated_openadr::vtn;

/// The example with a programme whose events come from `url`, in a folder of its own.
fn site(name: &str, url: &str) -> std::path::PathBuf {
    let folder = fresh(name);
    std::fs::create_dir_all(&folder).expect("a folder");
    let example = root().join("examples/mixed-10mw/site.toml");
    let text = std::fs::read_to_string(example).expect("an example");
    let programme = format!(
        "\n[[programmes]]\nname = \"utility\"\nsilent_after_seconds = 120\n\
         [programmes.openadr]\nurl = \"{url}\"\nprogram = \"large-load\"\n\
         login = \"env:MW_TEST_VTN\"\n"
    );
    std::fs::write(folder.join("site.toml"), text + &programme).expect("a site file");
    folder
}

#[test]
fn a_limit_of_a_vtn_binds_a_living_run_and_junk_is_shown() {
    let (vtn, url) = vtn("large-load");
    vtn.tell("PRICE", json!("abc"), Seconds::hours(1), 1);
    vtn.create(json!({
        "eventName": "curtail",
        "intervals": [{"id": 0, "payloads": [
            {"type": "IMPORT_CAPACITY_LIMIT", "values": [4000]}]}],
    }));
    let site = site("live-openadr-site", &url);
    let folder = fresh("live-openadr");
    let mut command = Command::new(env!("CARGO_BIN_EXE_mw"));
    command.arg("run").arg(&site).args(["--against", "sim", "--synth", "7"]);
    command.args(["--log", "json", "--seconds", "120", "--data"]).arg(&folder);
    command.env("MW_TEST_VTN", VEN).stderr(Stdio::piped()).stdout(Stdio::null());
    let mut run = Run::of(command, &folder);
    let bad = run.wait_for("openadr_quarantined");
    assert_eq!(bad["programme"], "utility");
    let open = run.wait_for("openadr_open_ended");
    assert_eq!(open["name"], "curtail");

    let level = Power::from_mw(4).to_mw_text(6);
    let binds = (0..10_000).find_map(|_| {
        let (code, text) = run.mw(&["fleet", "status"], &["--json"]);
        let status: serde_json::Value =
            (code == 0).then(|| serde_json::from_str(&text).expect("JSON"))?;
        (status["limits"][0]["limit_mw"] == json!(level)).then_some(status)
    });
    let status = binds.expect("a limit that binds");
    let feed = &status["feeds"][0];
    assert_eq!(feed["programme"], "utility");
    assert_eq!(feed["failing_because"], json!(null));
    let verdicts: Vec<_> = feed["events"].as_array().expect("events").iter().collect();
    assert_eq!(verdicts[0]["verdict"], "quarantined");
    assert_eq!(verdicts[1]["verdict"], "acted");
    assert_eq!(verdicts[1]["end_imposed"], true);
    assert_eq!(status["instructions"][0]["name"], "adr/event-2/0");
}
