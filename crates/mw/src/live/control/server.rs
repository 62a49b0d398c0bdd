//! Answers on the control socket of a living run.
//!
//! It lives in a thread of its own: whoever asks never slows the loop, and a loop
//! that hangs is still answered for.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::os::unix::net::UnixStream as Probe;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use adapters::store::{Access, Store, StoreAddress};
use anyhow::{Context, bail};
use engine::{Notice, Output, Person, Site};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc::Sender;
use tokio::sync::{Semaphore, oneshot};
use tokio::time::timeout;
use tracing::{info, warn};

use super::{Asked, By, REQUEST_BYTES_MAX, Reply, Wish, socket_of};
use crate::live::Happened;
use crate::live::clock::Clock;
use crate::live::status::{Board, MachineStatus};

/// How many may ask at a time; more wait.
const ASKERS_MAX: usize = 32;

/// How long a request may take to arrive, and a reply to be taken.
const LINE_WITHIN: Duration = Duration::from_secs(10);

/// How long an answer is waited for: the loop comes round every few seconds, and
/// a journal that cannot be written is found out sooner than a person gives up.
pub const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// Reads the site file of a run anew, as it was read at its start.
pub type Reread = Box<dyn Fn() -> anyhow::Result<Site> + Send + Sync>;

/// What a control socket speaks for.
pub struct Speaker {
    /// How things stand.
    pub board: Board,
    /// The loop's inbox.
    pub mailbox: Sender<Happened>,
    /// The site's time.
    pub clock: Clock,
    /// Where the journal is, to read checkpoints.
    pub store: StoreAddress,
    /// Reads the site file anew.
    pub reread: Reread,
}

/// An open control socket; dropped, it is gone.
#[derive(Debug)]
pub struct Open {
    path: PathBuf,
}

impl Drop for Open {
    fn drop(&mut self) {
        // The next run removes what nobody answers on.
        drop(fs::remove_file(&self.path));
    }
}

/// Opens the control socket in a run's data folder, and answers on it in a thread of
/// its own until the process ends.
///
/// # Errors
///
/// When a living run answers on it already, or it cannot be made.
pub fn open(folder: &Path, speaker: Speaker) -> anyhow::Result<Open> {
    let path = socket_of(folder);
    clear(&path)?;
    let listener = listen(folder, &path)?;
    let thread = std::thread::Builder::new().name("control".to_owned());
    thread.spawn(move || serve(listener, Arc::new(speaker)))?;
    Ok(Open { path })
}

/// Removes a socket that nobody answers on.
fn clear(path: &Path) -> anyhow::Result<()> {
    match Probe::connect(path) {
        Ok(_) => bail!(
            "a run answers on {}; stop it first, or give this one another data folder",
            path.display()
        ),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            fs::remove_file(path).with_context(|| {
                format!("cannot remove the old socket {}", path.display())
            })
        }
        Err(error) => Err(error)
            .with_context(|| format!("cannot use {} as a socket", path.display())),
    }
}

/// Makes the socket in a folder that nobody else may enter, and only then gives it
/// its name: it is never there for others to open.
fn listen(
    folder: &Path,
    path: &Path,
) -> anyhow::Result<std::os::unix::net::UnixListener> {
    let cannot = || format!("cannot make the control socket {}", path.display());
    let nest = folder.join(format!(".c{}", std::process::id()));
    // One may be left from a process of the same number that was killed.
    drop(fs::remove_dir_all(&nest));
    DirBuilder::new().mode(0o700).create(&nest).with_context(cannot)?;
    let made = (|| {
        let inside = nest.join("s");
        let listener = std::os::unix::net::UnixListener::bind(&inside)?;
        fs::set_permissions(&inside, Permissions::from_mode(0o600))?;
        fs::rename(&inside, path)?;
        listener.set_nonblocking(true)?;
        Ok(listener)
    })();
    drop(fs::remove_dir_all(&nest));
    made.map_err(|error: io::Error| {
        if error.kind() == io::ErrorKind::InvalidInput {
            return anyhow::anyhow!(
                "expected a data folder whose path has at most 90 bytes, for the control \
                 socket; found {}",
                folder.display()
            );
        }
        anyhow::Error::from(error).context(cannot())
    })
}

fn serve(listener: std::os::unix::net::UnixListener, speaker: Arc<Speaker>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let served = runtime.map_err(anyhow::Error::from).and_then(|runtime| {
        runtime.block_on(async {
            let listener = UnixListener::from_std(listener)?;
            let room = Arc::new(Semaphore::new(ASKERS_MAX));
            loop {
                let permit = Arc::clone(&room).acquire_owned().await?;
                let (stream, _) = match listener.accept().await {
                    Ok(accepted) => accepted,
                    Err(error) => {
                        // Such as too many open files: it passes.
                        warn!(event = "control_not_accepted", %error);
                        tokio::time::sleep(Duration::from_secs(1)).await;
                        continue;
                    }
                };
                let speaker = Arc::clone(&speaker);
                tokio::spawn(async move {
                    if let Err(error) = speaker.converse(stream).await {
                        warn!(event = "control_broke_off", %error);
                    }
                    drop(permit);
                });
            }
        })
    });
    let ended: anyhow::Result<()> = served;
    if let Err(error) = ended {
        warn!(event = "control_ended", %error);
    }
}

impl Speaker {
    /// One request, one reply.
    async fn converse(&self, stream: UnixStream) -> io::Result<()> {
        let user = stream.peer_cred().map(|peer| peer.uid()).ok();
        let (reader, mut writer) = stream.into_split();
        let mut line = String::new();
        let mut reader = BufReader::new(reader.take(REQUEST_BYTES_MAX + 1));
        let read = timeout(LINE_WITHIN, reader.read_line(&mut line)).await;
        let reply = match read {
            Err(_) => failed("expected a request within 10 s, found none"),
            Ok(Err(error)) => failed(format!("expected a line of JSON, found {error}")),
            Ok(Ok(0)) => return Ok(()),
            Ok(Ok(_)) if line.len() as u64 > REQUEST_BYTES_MAX => {
                failed(format!("expected a request of at most {REQUEST_BYTES_MAX} bytes"))
            }
            Ok(Ok(_)) => match serde_json::from_str(&line) {
                Ok(asked) => self.answer(asked, user).await,
                Err(error) => {
                    failed(format!("expected a request of this program: {error}"))
                }
            },
        };
        let mut text = serde_json::to_string(&reply)?;
        text.push('\n');
        match timeout(LINE_WITHIN, writer.write_all(text.as_bytes())).await {
            Ok(written) => written,
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
        }
    }

    async fn answer(&self, asked: Asked, user: Option<u32>) -> Reply {
        match asked {
            Asked::Status {} => match self.board.status() {
                Some(status) => Reply::Status { status: Box::new((*status).clone()) },
                None => failed("the run has only begun; ask again in a moment"),
            },
            Asked::Machines { load } => self.machines(load).await,
            Asked::Ask { by, wish } => self.ask(by, &wish, user).await,
            Asked::Checkpoint {} => match last_checkpoint(&self.store).await {
                Ok(checkpoint) => Reply::Checkpoint { checkpoint },
                Err(error) => failed(format!("{error:#}")),
            },
            Asked::Reload { by } => self.reload(by, user).await,
            Asked::Stop { by } => {
                info!(event = "stop_asked", by = by.name, role = by.role, user);
                let by = Person { name: by.name, role: by.role };
                match self.mailbox.send(Happened::Stop(Some(by))).await {
                    Ok(()) => Reply::UnderWay {
                        says:
                            "the run ends; machines fall to their fail-safe levels when \
                               their leases end"
                                .to_owned(),
                    },
                    Err(_) => failed(ENDS),
                }
            }
        }
    }

    async fn machines(&self, load: String) -> Reply {
        let Some(site) = self.board.site() else {
            return failed("the run has only begun; ask again in a moment");
        };
        let Some(place) = site.load_named(&load) else {
            let names: Vec<String> =
                site.loads.iter().map(|load| format!("`{}`", load.name)).collect();
            return Reply::Refused {
                why: format!("expected a load of this site, one of {}", names.join(", ")),
            };
        };
        let machines: oneshot::Receiver<Vec<MachineStatus>> = self.board.machines(place);
        match timeout(ANSWER_WITHIN, machines).await {
            Ok(Ok(machines)) => Reply::Machines { load, machines },
            Ok(Err(_)) | Err(_) => failed(NO_ROUND),
        }
    }

    /// Hands a request to the loop, and says what the engine answered once that is
    /// durable.
    async fn ask(&self, by: By, wish: &Wish, user: Option<u32>) -> Reply {
        let Some((site, before)) = self.board.site().zip(self.board.status()) else {
            return failed("the run has only begun; ask again in a moment");
        };
        let request = match wish.meant(&site, self.clock.now(), &by.role) {
            Ok(request) => request,
            Err(error) => return Reply::Refused { why: error.to_string() },
        };
        info!(event = "asked_by_socket", by = by.name, role = by.role, user);
        let by = Person { name: by.name, role: by.role };
        let (answer, answered) = oneshot::channel();
        let asked = Happened::Asked { by, request, answer };
        let outputs = match self.answered(asked, answered).await {
            Ok(outputs) => outputs,
            Err(why) => return failed(why),
        };
        let before = before.power.import_limit;
        let after = outputs.iter().rev().find_map(|output| match output {
            Output::Dispatch(dispatch) => Some(dispatch.import_limit),
            Output::Orders(_)
            | Output::ReadBack(_)
            | Output::Keep(_)
            | Output::Metered(_)
            | Output::Notice(_)
            | Output::Alarm(_) => None,
        });
        reply_of(&outputs, &site, before, after.unwrap_or(before))
    }

    /// Hands something to the loop, and waits for what the engine said, durable.
    async fn answered(
        &self,
        asked: Happened,
        answered: oneshot::Receiver<Vec<Output>>,
    ) -> Result<Vec<Output>, &'static str> {
        let answered = async {
            self.mailbox.send(asked).await.map_err(|_| ENDS)?;
            answered.await.map_err(|_| NOT_KNOWN)
        };
        timeout(ANSWER_WITHIN, answered).await.unwrap_or(Err(NOT_KNOWN))
    }

    async fn reload(&self, by: By, user: Option<u32>) -> Reply {
        info!(event = "reload_asked", by = by.name, role = by.role, user);
        let site = match (self.reread)() {
            Ok(site) => site,
            Err(error) => return Reply::Refused { why: format!("{error:#}") },
        };
        if let Some(now) = self.board.site().filter(|now| now.name != site.name) {
            let why = format!(
                "expected the file of the site `{}`, found that of `{}`",
                now.name, site.name
            );
            return Reply::Refused { why };
        }
        if self.board.site().is_some_and(|now| *now == site) {
            return Reply::UnderWay { says: "the site file has not changed".to_owned() };
        }
        let by = Person { name: by.name, role: by.role };
        let (answer, answered) = oneshot::channel();
        let asked = Happened::Changed { by, site: Box::new(site), answer };
        let outputs = match self.answered(asked, answered).await {
            Ok(outputs) => outputs,
            Err(why) => return failed(why),
        };
        let decided = |output: &Output| matches!(output, Output::Dispatch(_));
        if outputs.iter().any(decided) {
            let says = "the site file was read anew and is decided by";
            return Reply::UnderWay { says: says.to_owned() };
        }
        let refused = outputs.iter().find_map(|output| match output {
            Output::Notice(notice) => Some(not_changed_because(notice)),
            Output::Dispatch(_)
            | Output::Orders(_)
            | Output::ReadBack(_)
            | Output::Keep(_)
            | Output::Metered(_)
            | Output::Alarm(_) => None,
        });
        Reply::Refused {
            why: refused.unwrap_or_else(|| "the engine did not take it".to_owned()),
        }
    }
}

const NO_ROUND: &str =
    "the run has not come round within 30 s; see `mw doctor` and its log";

const ENDS: &str = "the run ends; nothing has changed";

const NOT_KNOWN: &str = "no answer within 30 s: it is not known whether this was done; look at \
     the status before asking again, and see the log whether the journal can be written";

fn failed(why: impl Into<String>) -> Reply {
    Reply::Failed { why: why.into() }
}

/// Why a changed site file was not taken.
fn not_changed_because(notice: &Notice) -> String {
    if let Notice::ChangeLosesLockOut { load, role } = notice {
        return format!(
            "the file has no load `{load}`, which the role `{role}` has locked out; release \
             it first, or keep the load; the site is decided by as before"
        );
    }
    format!("the site is decided by as before: {notice:?}")
}

/// What the engine said, in words.
fn reply_of(
    outputs: &[Output],
    site: &Site,
    limit_before: units::Power,
    limit_after: units::Power,
) -> Reply {
    let mut says = Vec::new();
    for output in outputs {
        match output {
            Output::Notice(Notice::Refused { why }) => {
                return Reply::Refused { why: why.explain(site) };
            }
            Output::Notice(Notice::Accepted(accepted)) => {
                says.push(accepted.explain(site))
            }
            Output::Notice(Notice::WaitsForAnother { programme, name, until }) => {
                let programme =
                    site.programmes.get(*programme).map_or("?", |one| one.name.as_str());
                says.push(format!(
                    "`{name}` is not in force: it would relax a limit, and waits until {until} \
                     for another person to confirm it, with `mw grid confirm DIR --programme \
                     {programme} --name {name}`"
                ));
            }
            Output::Notice(_)
            | Output::Dispatch(_)
            | Output::Orders(_)
            | Output::ReadBack(_)
            | Output::Keep(_)
            | Output::Metered(_)
            | Output::Alarm(_) => {}
        }
    }
    Reply::Accepted { says, limit_before, limit_after }
}

/// The last signed checkpoint in a store.
pub async fn last_checkpoint(
    address: &StoreAddress,
) -> anyhow::Result<Option<serde_json::Value>> {
    let mut store = Store::open(address, Access::Read).await?;
    let last = store.last_checkpoint().await;
    // What was read stands, however the connection ends.
    drop(store.close().await);
    let json = last?.map(|checkpoint| serde_json::from_str(&checkpoint.to_json()));
    json.transpose().context("cannot read back the checkpoint")
}
