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

use anyhow::{Context, bail};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tracing::warn;

use super::speaker::Speaker;
use super::{REQUEST_BYTES_MAX, Reply, socket_of};

/// How many may ask at a time; more wait.
const ASKERS_MAX: usize = 32;

/// How long a request may take to arrive, and a reply to be taken.
const LINE_WITHIN: Duration = Duration::from_secs(10);

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
pub fn open(folder: &Path, speaker: Arc<Speaker>) -> anyhow::Result<Open> {
    let path = socket_of(folder);
    clear(&path)?;
    let listener = listen(folder, &path)?;
    let thread = std::thread::Builder::new().name("control".to_owned());
    thread.spawn(move || serve(listener, speaker))?;
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
                    if let Err(error) = converse(&speaker, stream).await {
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

/// One request, one reply.
async fn converse(speaker: &Speaker, stream: UnixStream) -> io::Result<()> {
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
            Ok(asked) => speaker.answer(asked, user).await,
            Err(error) => failed(format!("expected a request of this program: {error}")),
        },
    };
    let mut text = serde_json::to_string(&reply)?;
    text.push('\n');
    match timeout(LINE_WITHIN, writer.write_all(text.as_bytes())).await {
        Ok(written) => written,
        Err(_) => Err(io::ErrorKind::TimedOut.into()),
    }
}

fn failed(why: impl Into<String>) -> Reply {
    Reply::Failed { why: why.into() }
}
