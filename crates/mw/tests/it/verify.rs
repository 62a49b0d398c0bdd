//! `mw verify`, `mw replay`, `mw backup` and `mw restore` on the store of a live run.

use std::path::{Path, PathBuf};

use adapters::store::{Key, StoreAddress};
use engine::journal::Step;
use engine::{Event, Output, Signal};
use mw::config;
use mw::live::journal::{Journal, record_of};
use mw::records::{KEY, Place, Records, STORE, What, runtime};
use sim::campus::Tempers;
use units::{Power, Seconds, Timestamp};

use crate::backtest::{fresh, mw, root};
use crate::driven::Driven;

/// Who signs in these tests.
const SEED: [u8; 32] = [7; 32];

/// Steps of twenty-one minutes on a small site where a little goes wrong.
fn driven() -> Driven {
    let file = root().join("crates/mw/tests/it/live_kill/site.toml");
    let site = config::load(&file).expect("a site").site;
    let from = Timestamp::parse("2025-01-04T00:00Z").expect("a time");
    let mut driven =
        Driven::new(&site, Tempers::few(Power::from_watts(5_000)), from, true);
    driven.advance(from + Seconds::minutes(21));
    driven
}

/// A run's folder with those steps after `change` was at them.
fn kept(name: &str, change: impl FnOnce(&mut Vec<Step>)) -> PathBuf {
    let mut driven = driven();
    change(&mut driven.steps);
    let folder = fresh(name);
    std::fs::create_dir_all(&folder).expect("a folder");
    let address = StoreAddress::file(&folder.join(STORE));
    let site = driven.engine.state().site.clone();
    let start = driven.steps[0].input.at;
    let records: Vec<_> = driven.steps.iter().map(record_of).collect();
    runtime()
        .expect("a runtime")
        .block_on(async {
            let begun =
                Journal::begin(&address, Key::from_seed(SEED), &site, start).await?;
            let mut journal = begun.journal;
            journal.append(&records).await?;
            journal.end(&driven.engine, None).await?;
            anyhow::Ok(())
        })
        .expect("a store");
    folder
}

/// Runs a command on a run and returns its exit code and what it printed.
fn asked(words: &[&str], run: &Path) -> (i32, String) {
    let shown = run.display().to_string();
    let mut all = vec![words[0], &shown];
    all.extend(&words[1..]);
    let output = mw(&all);
    let said = [output.stdout, output.stderr].concat();
    (
        output.status.code().expect("an exit code"),
        String::from_utf8_lossy(&said).into_owned(),
    )
}

/// `mw verify` ends with `code` and says each of `says`.
fn check(run: &Path, words: &[&str], code: i32, says: &[&str]) {
    let (found, said) = asked(&[&["verify"], words].concat(), run);
    assert_eq!(found, code, "{said}");
    for text in says {
        assert!(said.contains(text), "expected `{text}` in {said}");
    }
}

#[test]
fn a_run_left_alone_proves_itself() {
    let run = kept("verify-sound", |_| {});
    check(&run, &[], 0, &["nothing is wrong", "4 intervals", "1 snapshots compared"]);
    check(&run, &["--chain-only"], 0, &["nothing is wrong", "nothing was decided again"]);
    check(&run, &["--json"], 0, &["\"sound\": true"]);
    let (code, said) = asked(&["replay"], &run);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("the same byte for byte"), "{said}");
    let (code, said) = asked(&["replay", "--explain", "2025-01-04T00:07Z"], &run);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("s21-xp"), "{said}");
}

#[test]
fn what_a_record_contradicts_is_found() {
    let run = kept("verify-order", |steps| {
        let mut last = None;
        for output in steps.iter_mut().flat_map(|step| &mut step.outputs) {
            if let Output::Orders(batch) = output {
                last = Some(batch);
            }
        }
        last.expect("orders").generation += 7;
    });
    check(&run, &[], 3, &["comes out differently", "orders in the name of dispatch"]);
    let (code, said) = asked(&["replay"], &run);
    assert_eq!(code, 3, "{said}");

    let is_metered =
        |step: &Step| matches!(step.input.event, Event::Signal(Signal::Sweep(_)));
    let run = kept("verify-unmetered", |steps| {
        let second =
            steps.iter().filter(|step| is_metered(step)).nth(1).expect("meters").clone();
        steps.retain(|step| *step != second);
    });
    check(&run, &[], 3, &["2025-01-04T00:10Z is not metered"]);

    let run = kept("verify-twice", |steps| {
        let place = steps.iter().position(is_metered).expect("meters");
        let again = steps[place].clone();
        steps.insert(place + 1, again);
    });
    check(&run, &[], 3, &["metered a second time"]);

    let run = kept("verify-state", |steps| {
        steps.truncate(steps.len() / 2);
    });
    check(&run, &[], 3, &["is not the state that the records"]);
}

#[test]
fn an_edited_record_a_wrong_key_and_a_missing_run_are_found() {
    let run = kept("verify-edited", |_| {});
    let (_, said) = asked(&["verify", "--json"], &run);
    let document: serde_json::Value = serde_json::from_str(&said).expect("JSON");
    let key = document["chain"]["public_key"].as_str().expect("a key").to_owned();
    check(&run, &["--key", &key], 0, &["nothing is wrong"]);
    let other = Key::from_seed([8; 32]).public().to_string();
    check(&run, &["--key", &other], 3, &["is not signed by the key"]);

    // One byte of one step, changed in the file behind the store's back.
    let mut records =
        Records::open(&Place::of(&run.display().to_string()).expect("a run"))
            .expect("a record");
    let mut step = Vec::new();
    records
        .each(|entry| {
            if let What::Step(found) = entry.what
                && matches!(found.input.event, Event::Tick(_))
            {
                step = postcard::to_stdvec(&found)?;
            }
            Ok(step.is_empty())
        })
        .expect("steps");
    let file = run.join(STORE);
    let mut bytes = std::fs::read(&file).expect("the store");
    let part = &step[..24];
    let place =
        bytes.windows(part.len()).position(|window| window == part).expect("the step");
    bytes[place + 20] ^= 1;
    std::fs::write(&file, bytes).expect("the store");
    check(&run, &[], 3, &["does not follow from the one before it"]);

    let nowhere = fresh("verify-nowhere");
    check(&nowhere, &[], 1, &["cannot read"]);
}

#[test]
fn a_backup_is_the_same_run() {
    let run = kept("backup-of", |_| {});
    std::fs::write(run.join(KEY), "not part of a backup").expect("a file");
    let file = fresh("backup.mwb");
    drop(std::fs::remove_file(&file));
    let shown = file.display().to_string();
    let (code, said) = asked(&["backup", &shown], &run);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("Not in it"), "{said}");
    check(&file, &[], 0, &["nothing is wrong"]);
    let restored = fresh("backup-restored");
    let output = mw(&["restore", &shown, &restored.display().to_string()]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}");
    assert!(said.contains("put the signing key"), "{said}");
    check(&restored, &[], 0, &["nothing is wrong"]);
    std::fs::remove_file(&file).expect("the backup");
}

#[test]
fn stores_of_every_format_can_be_checked() {
    let folder = root().join("fixtures/journals");
    let mut formats = 0;
    for entry in std::fs::read_dir(&folder).expect("fixtures") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let Some(format) = name.strip_prefix("format-") else { continue };
        formats += 1;
        // A copy: a store is opened beside its log, which is written.
        let copy = fresh(&format!("journal-{name}"));
        std::fs::create_dir_all(&copy).expect("a folder");
        std::fs::copy(path.join(STORE), copy.join(STORE)).expect("a copy");
        check(&copy, &["--chain-only"], 0, &["nothing is wrong"]);
        if !format.parse().is_ok_and(engine::journal::is_read) {
            check(&copy, &[], 0, &["this program reads"]);
            continue;
        }
        check(&copy, &[], 0, &["nothing is wrong"]);
        let (code, said) = asked(&["replay"], &copy);
        assert_eq!(code, 0, "{said}");
        let address = StoreAddress::file(&copy.join(STORE));
        let recovered = runtime()
            .expect("a runtime")
            .block_on(Journal::recover(&address, Key::from_seed(SEED)))
            .expect("it goes on");
        assert!(recovered.engine.interval().is_some());
    }
    assert!(
        formats > 0,
        "expected a store of at least one format in {}",
        folder.display()
    );
}
