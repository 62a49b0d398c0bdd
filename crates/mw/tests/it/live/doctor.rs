//! What `mw doctor` finds.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use super::{Run, text_of};
use crate::backtest::{fresh, mw, root};

/// Asks the doctor; returns the exit code and its findings.
fn doctor(places: &[&str]) -> (i32, Value) {
    let (code, text) = text_of(mw(&[&["doctor", "--json"], places].concat()));
    let found: Value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{text}"));
    assert_eq!(found["well"].as_bool(), Some(code == 0));
    (code, found)
}

fn says(found: &Value, what: &str, how: &str) -> String {
    let findings = found["findings"].as_array().expect("findings");
    let of = findings.iter().filter(|one| one["what"] == what && one["found"] == how);
    of.map(|one| one["says"].as_str().expect("words")).collect::<Vec<_>>().join("\n")
}

#[test]
fn an_example_is_well_but_tells_nobody_of_alarms() {
    let (code, found) = doctor(&["examples/mixed-10mw"]);
    assert_eq!(code, 0, "{found}");
    assert!(says(&found, "contacts", "doubtful").contains("nobody is told"), "{found}");
}

#[test]
fn a_secret_that_is_not_there_is_wrong_and_one_that_is_is_not_shown() {
    let folder = fresh("doctor-secrets");
    fs::create_dir_all(&folder).expect("a folder");
    let site = fs::read_to_string(root().join("examples/mixed-10mw/site.toml"));
    let site = site.expect("an example");
    let contact = "
[[contacts]]
name = \"night\"
webhook = { url = \"http://127.0.0.1:9/alarms\", secret = \"file:secret\" }
";
    fs::write(folder.join("site.toml"), site + contact).expect("a site file");
    let place = folder.display().to_string();
    let (code, found) = doctor(&[&place]);
    assert_eq!(code, 1);
    assert!(
        says(&found, "contacts", "wrong").contains("cannot read the file"),
        "{found}"
    );

    fs::write(folder.join("secret"), "hunter2 hunter2 hunter2\n").expect("a secret");
    let (code, found) = doctor(&[&place]);
    assert_eq!(code, 0, "{found}");
    assert!(says(&found, "contacts", "well").contains("`night`"), "{found}");
    assert!(!found.to_string().contains("hunter2"));

    fs::write(folder.join("secret"), "short\n").expect("a secret");
    let (code, found) = doctor(&[&place]);
    assert_eq!(code, 1);
    assert!(says(&found, "contacts", "wrong").contains("at least 16"), "{found}");
}

#[test]
fn a_living_run_is_looked_at_and_a_key_that_others_can_read_is_wrong() {
    let run = Run::start("doctor-run", &[]);
    let place = run.folder().display().to_string();
    let (_, found) = doctor(&[&place]);
    assert!(says(&found, "control socket", "well").contains("answers"), "{found}");
    assert!(says(&found, "journal", "well").contains("records"), "{found}");
    assert!(!says(&found, "signing key", "well").is_empty(), "{found}");
    assert!(
        !says(&found, "disk", "well").is_empty() || found.to_string().contains("MB free")
    );

    let key = run.folder().join("key");
    fs::set_permissions(&key, Permissions::from_mode(0o644)).expect("our own key");
    let (code, found) = doctor(&[&place]);
    assert_eq!(code, 1);
    assert!(says(&found, "signing key", "wrong").contains("chmod 600"), "{found}");
}

#[test]
fn what_is_neither_site_nor_run_is_wrong() {
    let (code, found) = doctor(&["crates"]);
    assert_eq!(code, 1);
    assert!(says(&found, "site file", "wrong").contains("site.toml"), "{found}");
}
