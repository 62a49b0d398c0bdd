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
mod tenants;

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Output, Stdio};
use std::sync::mpsc::{self, Receiver};

use serde_json::Value;

use crate::backtest::{fresh, mw, root};

/// How long a run may take by the wall, so that a test that fails leaves none behind.
const SECONDS_MAX: &str = "300";

/// A run that lives until this goes.
pub(crate) struct Run {
    child: Child,
    folder: PathBuf,
    log: Receiver<String>,
}

impl Run {
    /// Starts a run of an example on made-up history, and waits until it answers.
    pub(crate) fn start(name: &str, more: &[&str]) -> Self {
        let folder = fresh(name);
        let mut run = Self::start_in(&folder, more);
        run.wait_for("control_open");
        run.answers();
        run
    }

    fn answers(&self) {
        let asked = (0..10_000).map(|_| self.mw(&["fleet", "status"], &["--json"]).0);
        assert!(asked.into_iter().any(|code| code == 0), "the run has not come round");
    }

    /// Starts a run in a folder, and waits for nothing.
    pub(crate) fn start_in(folder: &Path, more: &[&str]) -> Self {
        Self::of(Self::command(folder, more), folder)
    }

    /// Starts a run whose log is a pipe that nobody reads, and waits until it answers.
    pub(crate) fn start_unread(name: &str, more: &[&str]) -> Self {
        let folder = fresh(name);
        let child = Self::command(&folder, more).spawn().expect("the program starts");
        let run = Self { child, folder, log: mpsc::channel().1 };
        run.answers();
        run
    }

    /// What is in a log that nobody has read, once the run is dead.
    pub(crate) fn unread(mut self) -> String {
        self.child.kill().expect("a run that lives");
        let mut log = String::new();
        let pipe = self.child.stderr.as_mut().expect("a pipe");
        pipe.read_to_string(&mut log).expect("a log");
        log
    }

    fn command(folder: &Path, more: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mw"));
        command
            .args(["run", "examples/mixed-10mw", "--against", "sim", "--synth", "7"])
            .args(["--log", "json", "--seconds", SECONDS_MAX, "--data"])
            .arg(folder)
            .args(more)
            .current_dir(root())
            .stderr(Stdio::piped())
            .stdout(Stdio::null());
        command
    }

    /// A run that a command starts in a folder, its log in JSON on standard error.
    pub(crate) fn of(mut command: Command, folder: &Path) -> Self {
        let mut child = command.spawn().expect("the program starts");
        let log = lines_of(child.stderr.take().expect("a log"));
        Self { child, folder: folder.to_owned(), log }
    }

    /// Reads the log up to an event, and returns it.
    pub(crate) fn wait_for(&mut self, event: &str) -> Value {
        let mut said = String::new();
        loop {
            let Ok(line) = self.log.recv() else {
                panic!("the run ended before {event}:\n{said}")
            };
            said.push_str(&line);
            said.push('\n');
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

/// The lines of a log, taken as they come, whether or not a test asks for them.
fn lines_of(log: ChildStderr) -> Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(log).lines().map_while(Result::ok) {
            // A test that has ended asks for nothing more; its run is read to the end.
            drop(sender.send(line));
        }
    });
    receiver
}

/// An exit code, and all that was printed.
pub(crate) fn text_of(output: Output) -> (i32, String) {
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8(text).expect("the program prints UTF-8");
    (output.status.code().expect("an exit code"), text)
}
