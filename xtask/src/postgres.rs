//! A PostgreSQL server of the test run's own.
//!
//! It lies in a temporary folder, listens on a Unix socket in that folder and
//! nowhere else, and ends with the run.
//! Where the machine has no PostgreSQL, the tests that need it are skipped and
//! say so.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::shell::{program, quietly};

/// A running server; it is stopped, and its folder removed, when this is dropped.
pub(crate) struct Postgres {
    programs: PathBuf,
    folder: PathBuf,
    user: Option<(u32, u32)>,
    server: Option<Child>,
}

impl Postgres {
    /// Starts one, or says why there is none.
    pub(crate) fn start() -> Option<Self> {
        match Self::started() {
            Ok(server) => Some(server),
            Err(error) => {
                println!(
                    "skipped: the store's tests over PostgreSQL: {error:#}; \
                     they need `initdb` and `postgres`, Debian's package postgresql"
                );
                None
            }
        }
    }

    /// Its address, as the store takes it.
    pub(crate) fn address(&self) -> String {
        format!("postgres://mw@localhost/postgres?host={}", self.folder.display())
    }

    fn started() -> Result<Self> {
        let programs =
            programs().context("expected PostgreSQL's programs, found none")?;
        // The path of a Unix socket may have about a hundred characters: not in
        // the target folder.
        let folder =
            std::env::temp_dir().join(format!("mw-postgres-{}", std::process::id()));
        fs::create_dir(&folder)
            .with_context(|| format!("cannot make {}", folder.display()))?;
        let user = other_user();
        let mut made = Self { programs, folder, user, server: None };
        fs::set_permissions(&made.folder, fs::Permissions::from_mode(0o700))?;
        if let Some((uid, gid)) = user {
            chown(&made.folder, Some(uid), Some(gid))?;
        }
        let place = made.folder.to_str().context("the temporary folder is not UTF-8")?;
        let cluster = format!("{place}/cluster");
        let init = ["-D", &cluster, "-U", "mw", "-A", "trust", "-E", "UTF8", "--no-sync"];
        let answer =
            made.program("initdb", &init).output().context("cannot start initdb")?;
        if !answer.status.success() {
            bail!("initdb failed: {}", String::from_utf8_lossy(&answer.stderr).trim());
        }
        let socket = format!("unix_socket_directories={place}");
        let serve = [
            "-D",
            &cluster,
            "-c",
            "listen_addresses=",
            "-c",
            &socket,
            "-c",
            "lc_messages=C",
        ];
        // In our own process group, so that what interrupts the run ends it too.
        let mut server = made.program("postgres", &serve);
        let mut server =
            server.stderr(Stdio::piped()).spawn().context("cannot start it")?;
        let said = server.stderr.take().context("its log is not ours to read")?;
        made.server = Some(server);
        let mut said = BufReader::new(said).lines();
        let mut log = String::new();
        loop {
            match said.next().transpose()? {
                Some(line) if line.contains("ready to accept connections") => break,
                Some(line) => log.push_str(&format!("{line}\n")),
                None => bail!("postgres did not start: {}", log.trim()),
            }
        }
        // Its log is read to the end, or it would wait for us.
        std::thread::spawn(move || said.map_while(Result::ok).for_each(drop));
        Ok(made)
    }

    fn program(&self, name: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.programs.join(name));
        command.args(arguments).current_dir(&self.folder).stdin(Stdio::null());
        command.stdout(Stdio::null());
        if let Some((uid, gid)) = self.user {
            command.uid(uid).gid(gid);
        }
        command
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if let Some(mut server) = self.server.take() {
            let cluster = self.folder.join("cluster").display().to_string();
            let stop = ["-D", &cluster, "-m", "immediate", "stop"];
            if quietly(&mut self.program("pg_ctl", &stop)).is_none() {
                // It has ended already, or it does now.
                let _ = server.kill();
            }
            let _ = server.wait();
        }
        if let Err(error) = fs::remove_dir_all(&self.folder) {
            println!("cannot remove {}: {error}", self.folder.display());
        }
    }
}

/// The folder of `initdb` and its kind: the newest of Debian's, or the path's.
fn programs() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let version = |path: &Path| path.file_name()?.to_str()?.parse::<u32>().ok();
    let newest = versions
        .map(|entry| entry.path())
        .filter(|path| path.join("bin/initdb").exists())
        .max_by_key(|path| version(path));
    let named = || {
        let path = std::env::var_os("PATH")?;
        std::env::split_paths(&path).find(|folder| folder.join("initdb").exists())
    };
    newest.map(|path| path.join("bin")).or_else(named)
}

/// PostgreSQL refuses to run as root: then it runs as its own user, or as nobody.
fn other_user() -> Option<(u32, u32)> {
    let id = |arguments: &[&str]| {
        quietly(&mut program("id", arguments))?.trim().parse::<u32>().ok()
    };
    if id(&["-u"]) != Some(0) {
        return None;
    }
    let of = |name: &str| Some((id(&["-u", name])?, id(&["-g", name])?));
    of("postgres").or_else(|| of("nobody"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_listens_on_its_own_socket_alone_and_leaves_nothing() {
        let Some(server) = Postgres::start() else {
            return;
        };
        let folder = server.folder.clone();
        assert!(
            folder.join(".s.PGSQL.5432").exists(),
            "no socket in {}",
            folder.display()
        );
        let pid =
            fs::read_to_string(folder.join("cluster/postmaster.pid")).expect("its file");
        // Its sixth line says what it listens on beside the socket.
        assert_eq!(pid.lines().nth(5).map(str::trim), Some(""));
        drop(server);
        assert!(!folder.exists());
    }
}
