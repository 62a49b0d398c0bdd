//! The HTTP API given to a tester that we did not write, which presses every button
//! of a run that nobody needs; and the console given to a browser.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::http::Door;

/// How long one campaign may take, in seconds.
const SECONDS: &str = "90";

/// The tester beside the Python of the comparisons; nothing, and says so, without.
fn schemathesis() -> Option<PathBuf> {
    let python = std::env::var_os("MW_ORACLE_PYTHON");
    let tester = python.map(|python| Path::new(&python).with_file_name("st"));
    match tester.filter(|tester| tester.exists()) {
        Some(tester) => Some(tester),
        None => {
            eprintln!("skipped: MW_ORACLE_PYTHON names no Python with schemathesis");
            None
        }
    }
}

/// Presses every button but the one that ends the run.
fn campaign(door: &Door, tester: &Path, token: Option<&str>) {
    let url = format!("http://{}/v1/openapi.json", door.address);
    let mut command = Command::new(tester);
    command.args(["run", &url, "--max-time", SECONDS, "--max-response-time", "30"]);
    // A machine that does other things answers late, and late is not wrong.
    command.args(["--request-timeout", "30"]);
    command.args(["--generation-deterministic", "--seed", "7", "--no-color"]);
    command.args(["--phases", "examples,coverage,fuzzing,stateful"]);
    command.args(["--max-examples", "20", "--exclude-path", "/v1/stop"]);
    // It reads a stream to its end, and this one has none.
    command.args(["--exclude-path", "/v1/events"]);
    command.args(["--exclude-path", "/v1/capacity/events"]);
    // A body that the schema lets through may still mean nothing on this site.
    command.args(["--exclude-checks", "positive_data_acceptance"]);
    if let Some(token) = token {
        command.args(["--header", &format!("Authorization: Bearer {token}")]);
    }
    let output = command.current_dir(door.run.folder()).output().expect("it starts");
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    eprintln!("{text}");
    assert!(output.status.success(), "{text}");
    assert!(!text.contains("mw_pat_") || token.is_some(), "no token was given");
}

#[test]
fn schemathesis_finds_nothing_wrong_with_an_operator() {
    let Some(tester) = schemathesis() else { return };
    let door = Door::open("http-schemathesis", &[]);
    let token = door.token("Tester", "operator", &[]);
    campaign(&door, &tester, Some(&token));
    assert_eq!(door.get("/v1/status", &token).status, 200, "the run lives on");
}

#[test]
fn schemathesis_finds_nothing_wrong_with_an_admin() {
    let Some(tester) = schemathesis() else { return };
    let door = Door::open("http-schemathesis-admin", &[]);
    let token = door.token("Tester", "admin", &[]);
    campaign(&door, &tester, Some(&token));
    assert_eq!(door.get("/v1/status", &token).status, 200, "the run lives on");
}

#[test]
fn schemathesis_gets_nowhere_with_no_token() {
    let Some(tester) = schemathesis() else { return };
    let door = Door::open("http-schemathesis-nobody", &[]);
    campaign(&door, &tester, None);
    assert_eq!(door.run.status()["counts"]["accepted"], 0);
}

/// A browser on this machine; nothing, and says so, without.
fn browser() -> Option<PathBuf> {
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path)
        .flat_map(|folder| names.map(|name| folder.join(name)))
        .find(|program| program.exists());
    if found.is_none() {
        eprintln!("skipped: there is no Chromium on the path");
    }
    found
}

#[test]
fn a_browser_shows_the_form_and_complains_of_nothing() {
    let Some(browser) = browser() else { return };
    let door = Door::open("http-browser", &[]);
    let profile = crate::backtest::fresh("http-browser-profile");
    let output = Command::new(browser)
        .args([
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--enable-logging=stderr",
        ])
        .args(["--virtual-time-budget=5000", "--timeout=20000", "--dump-dom"])
        .arg(format!("--user-data-dir={}", profile.display()))
        .arg(format!("http://{}/", door.address))
        .output()
        .expect("it starts");
    let (page, log) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(page.contains("<label for=\"token\">"), "{page}\n{log}");
    for complaint in ["Content Security Policy", "CONSOLE", "Uncaught"] {
        assert!(!log.contains(complaint), "{log}");
    }
}
