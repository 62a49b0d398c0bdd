//! A living run as others see it, through the program: its control socket, commands,
//! metrics, log and doctor.

mod alarms;
mod contacts;
mod control;
mod devices;
mod doctor;
mod feeds;
mod http;
mod http_oracle;
mod metrics;

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

use crate::backtest::{fresh, mw, root};

/// How long a run may take by the wall, so that a test that fails leaves none behind.
const SECONDS_MAX: &str = "300";

/// A run that lives until this goes.
pub(crate) struct Run {
    child: Child,
    folder: PathBuf,
    log: BufReader<std::process::ChildStderr>,
}

impl Run {
    /// Starts a run of an example on made-up history, and waits until it answers.
    pub(crate) fn start(name: &str, more: &[&str]) -> Self {
        let folder = fresh(name);
        let mut run = Self::start_in(&folder, more);
        run.wait_for("control_open");
        for _ in 0..10_000 {
            if run.mw(&["fleet", "status"], &["--json"]).0 == 0 {
                return run;
            }
        }
        panic!("the run has not come round");
    }

    /// Starts a run in a folder, and waits for nothing.
    pub(crate) fn start_in(folder: &Path, more: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mw"));
        command
            .args(["run", "examples/mixed-10mw", "--against", "sim", "--synth", "7"])
            .args(["--log", "json", "--seconds", SECONDS_MAX, "--data"])
            .arg(folder)
            .args(more)
            .current_dir(root())
            .stderr(Stdio::piped())
            .stdout(Stdio::null());
        Self::of(command, folder)
    }

    /// A run that a command starts in a folder, its log in JSON on standard error.
    pub(crate) fn of(mut command: Command, folder: &Path) -> Self {
        let mut child = command.spawn().expect("the program starts");
        let log = BufReader::new(child.stderr.take().expect("a log"));
        Self { child, folder: folder.to_owned(), log }
    }

    /// Reads the log up to an event, and returns it.
    pub(crate) fn wait_for(&mut self, event: &str) -> Value {
        let mut said = String::new();
        loop {
            let mut line = String::new();
            let read = self.log.read_line(&mut line).expect("a log");
            assert!(read > 0, "the run ended before {event}:\n{said}");
            said.push_str(&line);
            let Ok(value) = serde_json::from_str::<Value>(&line) else {
                panic!("expected JSON in the log, found {line}")
            };
            if value["event"] == event {
                return value;
            }
        }
    }

    /// A command about this run: its exit code and what it prints.
    pub(crate) fn mw(&self, command: &[&str], more: &[&str]) -> (i32, String) {
        let folder = self.folder.display().to_string();
        let arguments = [command, &[folder.as_str()], more].concat();
        text_of(mw(&arguments))
    }

    /// How it stands.
    pub(crate) fn status(&self) -> Value {
        let (code, text) = self.mw(&["fleet", "status"], &["--json"]);
        assert_eq!(code, 0, "{text}");
        serde_json::from_str(&text).expect("JSON")
    }

    /// Its data folder.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Its process.
    pub(crate) fn process(&self) -> u32 {
        self.child.id()
    }

    /// Waits until it has ended.
    pub(crate) fn ended(mut self) -> i32 {
        self.child.wait().expect("a process").code().expect("an exit code")
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        // It may have ended.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// An exit code, and all that was printed.
pub(crate) fn text_of(output: Output) -> (i32, String) {
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8(text).expect("the program prints UTF-8");
    (output.status.code().expect("an exit code"), text)
}
