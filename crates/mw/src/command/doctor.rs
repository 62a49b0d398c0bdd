//! `mw doctor`: whether what a run needs is there, and what to do where it is not.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use adapters::store::{Access, Kind, Store, StoreAddress};
use clap::Args;
use jiff::tz::TimeZone;
use serde::Serialize;
use units::{Seconds, Timestamp};

use super::Ending;
use super::asking::{is_run, length, line};
use super::backtest::print;
use crate::config::{self, Contact, KeptIn, LoadedSite, ReachedBy};
use crate::live::clock::Clock;
use crate::live::contacts;
use crate::live::control::client::{NoReply, ask};
use crate::live::control::{Asked, Reply, SOCKET};
use crate::live::status::Status;
use crate::records::{KEY, STORE};

/// Check what a run needs, and say what to do about what is wrong.
///
/// Changes nothing. Secrets are looked up and not shown.
#[derive(Debug, Args)]
pub(super) struct Doctor {
    /// A site, as a folder with a site.toml or the file itself, or a run's data
    /// folder; several are checked one after the other.
    #[arg(value_name = "SITE|DIR", required = true)]
    places: Vec<PathBuf>,
    /// Print it as JSON.
    #[arg(long)]
    json: bool,
}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
struct Finding {
    /// What was looked at.
    what: &'static str,
    /// How it is.
    found: Found,
    /// What was seen, and what to do where it is not well.
    says: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Found {
    Well,
    Doubtful,
    Wrong,
}

/// Journals grow by about this in a day, at ten thousand machines looked at every
/// half minute.
const GROWTH_MB_PER_DAY: u64 = 200;

/// With less room than for so many days, somebody should make some.
const DAYS_OF_ROOM: u64 = 14;

/// Files, sockets and pipes that a run needs open at once, with room to spare.
const OPEN_FILES: u64 = 256;

/// A clock off by more than this stamps what is known at the wrong time.
const CLOCK_OFF_MAX: Seconds = Seconds::from_seconds(2);

/// No machine whose clock is right shows an earlier time: this program is younger.
const EARLIEST: Timestamp = Timestamp::from_unix_seconds(1_767_225_600);

impl Doctor {
    pub(super) fn run(self) -> anyhow::Result<Ending> {
        let mut findings = Findings::default();
        for place in &self.places {
            let is_run = is_run(place);
            if is_run {
                findings.look_at_run(place);
            }
            if !is_run || place.join("site.toml").exists() {
                findings.look_at_site(place);
            }
        }
        findings.look_at_machine();
        let list = findings.0;
        let text = if self.json {
            line(&serde_json::json!({
                "well": list.iter().all(|one| one.found != Found::Wrong),
                "findings": list,
            }))
        } else {
            text(&list)
        };
        print(&text)?;
        let is_wrong = list.iter().any(|one| one.found == Found::Wrong);
        Ok(if is_wrong { Ending::Wrong } else { Ending::Well })
    }
}

fn text(findings: &[Finding]) -> String {
    let mut text = String::new();
    for one in findings {
        let mark = match one.found {
            Found::Well => "well     ",
            Found::Doubtful => "DOUBTFUL ",
            Found::Wrong => "WRONG    ",
        };
        text.push_str(&format!("{mark}{}: {}\n", one.what, one.says));
    }
    let wrong = findings.iter().filter(|one| one.found == Found::Wrong).count();
    text.push_str(&match wrong {
        0 => "Nothing is wrong.\n".to_owned(),
        1 => "1 thing is wrong.\n".to_owned(),
        _ => format!("{wrong} things are wrong.\n"),
    });
    text
}

#[derive(Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn well(&mut self, what: &'static str, says: impl Into<String>) {
        self.0.push(Finding { what, found: Found::Well, says: says.into() });
    }

    fn doubtful(&mut self, what: &'static str, says: impl Into<String>) {
        self.0.push(Finding { what, found: Found::Doubtful, says: says.into() });
    }

    fn wrong(&mut self, what: &'static str, says: impl Into<String>) {
        self.0.push(Finding { what, found: Found::Wrong, says: says.into() });
    }

    fn look_at_site(&mut self, place: &Path) {
        const WHAT: &str = "site file";
        let loaded = match config::load(place) {
            Ok(loaded) => loaded,
            Err(errors) => return self.wrong(WHAT, errors.to_string()),
        };
        let site = &loaded.site;
        self.well(
            WHAT,
            format!(
                "{}: {} with {} loads",
                loaded.path.display(),
                site.name,
                site.loads.len()
            ),
        );
        for warning in &loaded.warnings {
            self.doubtful(WHAT, warning.clone());
        }
        self.look_at_zone(&loaded);
        self.look_at_contacts(&loaded);
    }

    fn look_at_zone(&mut self, loaded: &LoadedSite) {
        let now = jiff::Timestamp::from_second(Clock::wall().now().as_unix_seconds());
        let local = now.map(|now| now.to_zoned(loaded.time_zone.clone()));
        if let Ok(local) = local {
            self.well(
                "time zone",
                format!(
                    "it is {} at {}",
                    local.strftime("%Y-%m-%d %H:%M %Z"),
                    loaded.site.market.name
                ),
            );
        }
    }

    fn look_at_contacts(&mut self, loaded: &LoadedSite) {
        const WHAT: &str = "contacts";
        let env = |name: &str| std::env::var(name).ok();
        let mut at_once = false;
        for contact in &loaded.contacts {
            self.look_at_secret(contact);
            match contacts::open(contact, &env) {
                Ok(open) => {
                    at_once |= contact.level == 0;
                    self.well(
                        WHAT,
                        format!(
                            "`{}` is told of what is {} or more, from level {}, by {}",
                            contact.name,
                            contact.from_urgency,
                            contact.level,
                            open.channel.place()
                        ),
                    );
                }
                Err(error) => self.wrong(WHAT, format!("{error:#}")),
            }
        }
        if loaded.contacts.is_empty() {
            self.doubtful(
                WHAT,
                "nobody is told of alarms; write `[[contacts]]` into the site file",
            );
        } else if !at_once {
            self.doubtful(
                WHAT,
                "nobody is told at once; give one of the contacts `level = 0`",
            );
        }
    }

    /// A secret that others may read is none.
    fn look_at_secret(&mut self, contact: &Contact) {
        let secret = match &contact.by {
            ReachedBy::Webhook { secret, .. } => Some(secret),
            ReachedBy::Email { login, .. } => {
                login.as_ref().map(|(_, password)| password)
            }
        };
        if let Some(KeptIn::File(path)) = secret
            && fs::metadata(path).is_ok_and(|kept| kept.permissions().mode() & 0o077 != 0)
        {
            self.doubtful(
                "contacts",
                format!(
                    "the secret of `{}` can be read by others; run `chmod 600 {}`",
                    contact.name,
                    path.display()
                ),
            );
        }
    }

    fn look_at_run(&mut self, folder: &Path) {
        self.look_at_key(&folder.join(KEY));
        self.look_at_room(folder);
        let status = self.look_at_socket(folder);
        self.look_at_store(&folder.join(STORE), status.is_some());
        if let Some(status) = status {
            self.look_at_living(&status);
        }
    }

    fn look_at_key(&mut self, key: &Path) {
        const WHAT: &str = "signing key";
        match fs::metadata(key) {
            Ok(kept) if kept.permissions().mode() & 0o077 != 0 => self.wrong(
                WHAT,
                format!(
                    "expected {0} to be its owner's alone, found mode {1:03o}; \
                     run `chmod 600 {0}`",
                    key.display(),
                    kept.permissions().mode() & 0o777
                ),
            ),
            Ok(_) => self.well(WHAT, format!("{} is its owner's alone", key.display())),
            Err(error) => self.wrong(
                WHAT,
                format!("cannot read {}: {error}; a run makes one", key.display()),
            ),
        }
    }

    fn look_at_room(&mut self, folder: &Path) {
        const WHAT: &str = "disk";
        let Some(free) = free_megabytes(folder) else {
            return self
                .doubtful(WHAT, format!("cannot tell the room in {}", folder.display()));
        };
        let days = free / GROWTH_MB_PER_DAY;
        let says = format!(
            "{free} MB free: {days} days of a journal at {GROWTH_MB_PER_DAY} MB a day, \
             which is that of ten thousand machines"
        );
        match days {
            0 => {
                self.wrong(WHAT, format!("{says}; make room, or the run stops ordering"))
            }
            days if days < DAYS_OF_ROOM => {
                self.doubtful(WHAT, format!("{says}; make room"))
            }
            _ => self.well(WHAT, says),
        }
    }

    fn look_at_socket(&mut self, folder: &Path) -> Option<Box<Status>> {
        const WHAT: &str = "control socket";
        let socket = folder.join(SOCKET);
        if let Ok(kept) = fs::symlink_metadata(&socket) {
            let mode = kept.permissions().mode() & 0o777;
            if mode & 0o077 != 0 {
                self.wrong(
                    WHAT,
                    format!(
                        "expected {} to be its owner's alone, found mode {mode:03o}",
                        socket.display()
                    ),
                );
            }
        }
        match ask(folder, &Asked::Status {}) {
            Ok(Reply::Status { status }) => {
                self.well(WHAT, format!("process {} answers", status.pid));
                return Some(status);
            }
            Ok(Reply::Failed { why }) => self.doubtful(WHAT, why),
            Ok(other) => {
                self.wrong(WHAT, format!("expected the status, found {other:?}"))
            }
            Err(NoReply::Nobody { .. }) => {
                self.doubtful(WHAT, "nobody answers: no run lives here now");
            }
            Err(error) => self.wrong(WHAT, error.to_string()),
        }
        None
    }

    fn look_at_store(&mut self, path: &Path, lives: bool) {
        const WHAT: &str = "journal";
        if !path.exists() {
            return self.doubtful(
                WHAT,
                format!(
                    "none at {}; a run that keeps it elsewhere has a `--store`",
                    path.display()
                ),
            );
        }
        match read_store(&StoreAddress::file(path)) {
            Ok((seq, kind)) => {
                let log = path.with_extension("sqlite-wal");
                let size_of =
                    |path: &Path| fs::metadata(path).map_or(0, |kept| kept.size());
                let size = (size_of(path) + size_of(&log)) >> 10;
                let last = kind.map_or("none", Kind::name);
                self.well(WHAT, format!("{seq} records in {size} kB, the last a {last}"));
                if !lives && kind.is_some_and(|kind| kind == Kind::Step) {
                    self.doubtful(
                        WHAT,
                        "the last run was not ended on purpose; started again, it goes on \
                         where it was",
                    );
                }
            }
            Err(error) => self.wrong(WHAT, format!("{error:#}")),
        }
    }

    fn look_at_living(&mut self, status: &Status) {
        match &status.journal.failing_because {
            Some(because) => self.wrong(
                "loop",
                format!(
                    "the journal cannot be written, and nothing is ordered: {because}"
                ),
            ),
            None => self.well("loop", format!("{} turns so far", status.counts.turns)),
        }
        let silent: u32 = status
            .loads
            .iter()
            .filter_map(|load| load.machines)
            .map(|machines| machines.silent)
            .sum();
        match (status.power.meter_silent_since, silent) {
            (Some(since), _) => self.wrong(
                "link to the site",
                format!(
                    "the interconnection's meter is silent for {}; look at the link",
                    length(status.at - since)
                ),
            ),
            (None, 0) => self.well("link to the site", "everything answers"),
            (None, silent) => self.doubtful(
                "link to the site",
                format!("{silent} machines are silent; see `mw fleet status`"),
            ),
        }
        for alarm in status.alarms.iter().filter(|alarm| alarm.urgency == "critical") {
            self.wrong("alarm", alarm.headline.clone());
        }
        let off = status.at - Clock::wall().now();
        let off = off.max(Seconds::ZERO - off);
        if off > CLOCK_OFF_MAX {
            self.doubtful(
                "site's clock",
                format!(
                    "it is {} off this machine's; a simulated site may be, a real one may not",
                    length(off)
                ),
            );
        } else {
            self.well("site's clock", "agrees with this machine's");
        }
    }

    fn look_at_machine(&mut self) {
        let now = Clock::wall().now();
        if now < EARLIEST {
            self.wrong(
                "clock",
                format!("this machine takes it to be {now}; set its clock"),
            );
        } else {
            let zone = TimeZone::system();
            let zone = zone.iana_name().unwrap_or("an unnamed zone").to_owned();
            self.well(
                "clock",
                format!("{now}, this machine's own time zone is {zone} and is not used"),
            );
        }
        match open_files_max() {
            Some(most) if most < OPEN_FILES => self.wrong(
                "open files",
                format!(
                    "expected a limit of at least {OPEN_FILES}, found {most}; raise it \
                     (`LimitNOFILE` of the service, or `ulimit -n`)"
                ),
            ),
            Some(most) => self.well("open files", format!("up to {most}")),
            None => self.doubtful("open files", "cannot tell the limit"),
        }
    }
}

/// The last record's number and kind.
fn read_store(address: &StoreAddress) -> anyhow::Result<(u64, Option<Kind>)> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut store = Store::open(address, Access::Read).await?;
        let seq = store.tail().await?.seq;
        // A run that was ended signs where it stands, and that comes last.
        let mut last = None;
        for seq in (seq.saturating_sub(3).max(1)..=seq).rev() {
            let kind = store.record(seq).await?.kind;
            last = Some(kind);
            if kind != Kind::Checkpoint && kind != Kind::Snapshot {
                break;
            }
        }
        store.close().await?;
        Ok((seq, last))
    })
}

/// What is free on the disk of a folder, as `df` has it.
fn free_megabytes(folder: &Path) -> Option<u64> {
    let output = Command::new("df").arg("-Pk").arg("--").arg(folder).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let free: u64 = text.lines().nth(1)?.split_whitespace().nth(3)?.parse().ok()?;
    Some(free >> 10)
}

/// How many files this process, and so a run started beside it, may have open.
fn open_files_max() -> Option<u64> {
    let limits = fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits.lines().find(|line| line.starts_with("Max open files"))?;
    line.split_whitespace().nth(3)?.parse().ok()
}
