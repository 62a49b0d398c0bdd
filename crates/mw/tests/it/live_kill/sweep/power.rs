//! A disk as it may look after the power failed: what a run's calls wrote and synced
//! is there, and of what they wrote since, some.
//!
//! Ending a process leaves what the kernel holds. So the calls are read from a trace,
//! and the files are made anew from them: a write that was not synced is kept, torn
//! or lost, by the seed. That a file was made, named or removed is kept.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// The calls that change a file or make it durable.
pub(crate) const CALLS: &str =
    "openat,pwrite64,write,ftruncate,fsync,fdatasync,unlink,rename,linkat";

/// A disk writes whole sectors.
const SECTOR: usize = 512;

/// The files of one folder.
#[derive(Debug)]
pub(crate) struct Disk {
    folder: PathBuf,
    files: BTreeMap<PathBuf, Content>,
    /// What a thread has begun to sync, and how much of it was written by then.
    syncing: BTreeMap<String, (PathBuf, usize)>,
}

/// What a file holds for sure, and what was done to it since.
#[derive(Clone, Debug, Default)]
struct Content {
    durable: Vec<u8>,
    pending: Vec<Change>,
    /// How long it is with everything that was done.
    length: usize,
}

#[derive(Clone, Debug)]
enum Change {
    Write { at: usize, bytes: Vec<u8> },
    Length(usize),
}

impl Disk {
    /// What is in a folder now, all of it durable.
    pub(crate) fn of(folder: &Path) -> io::Result<Self> {
        let mut files = BTreeMap::new();
        if folder.exists() {
            for file in fs::read_dir(folder)? {
                let path = file?.path();
                if path.is_file() {
                    let durable = fs::read(&path)?;
                    let length = durable.len();
                    files.insert(path, Content { durable, pending: Vec::new(), length });
                }
            }
        }
        Ok(Self { folder: folder.to_owned(), files, syncing: BTreeMap::new() })
    }

    /// Takes in a trace of [`CALLS`], every text in it in hexadecimal.
    pub(crate) fn replay(&mut self, trace: &str) {
        for line in trace.lines() {
            if let Some((thread, call)) = line.split_once(' ') {
                self.call(thread, call.trim_start());
            }
        }
    }

    fn call(&mut self, thread: &str, call: &str) {
        if call.starts_with("<... ") {
            let synced = call.ends_with("= 0");
            if let (Some((path, count)), true) = (self.syncing.remove(thread), synced) {
                self.synced(&path, count);
            }
            return;
        }
        let Some((name, said)) = call.split_once('(') else { return };
        if said.contains(") = -1 ") {
            return;
        }
        let texts: Vec<Vec<u8>> = said.split('"').skip(1).step_by(2).map(bytes).collect();
        let text = |place: usize| texts.get(place).map(|text| path_of(text));
        let of_descriptor = said
            .split_once('<')
            .and_then(|(_, rest)| rest.split_once('>'))
            .map(|(path, _)| path_of(&bytes(path)));
        match name {
            "openat" => {
                let Some(path) = text(0).filter(|_| said.contains("O_CREAT")) else {
                    return;
                };
                if self.is_here(&path) {
                    self.files.entry(path).or_default();
                }
            }
            "unlink" => {
                text(0).and_then(|path| self.files.remove(&path));
            }
            // A second name of what is written and synced by then.
            "linkat" => {
                if let Some(content) = text(0).and_then(|of| self.files.get(&of).cloned())
                    && let Some(name) = text(1)
                {
                    self.files.insert(name, content);
                }
            }
            "rename" => {
                if let Some(content) = text(0).and_then(|from| self.files.remove(&from))
                    && let Some(to) = text(1)
                {
                    self.files.insert(to, content);
                }
            }
            _ => {
                let Some(path) = of_descriptor else { return };
                self.change(thread, name, &path, said, &texts);
            }
        }
    }

    /// A call about an open file.
    fn change(
        &mut self,
        thread: &str,
        name: &str,
        path: &Path,
        said: &str,
        texts: &[Vec<u8>],
    ) {
        let Some(file) = self.files.get_mut(path) else { return };
        // The last number of the call is where it writes, or how long the file becomes.
        let arguments = said.rsplit_once(')').map_or(said, |(before, _)| before);
        let arguments = arguments.split(" <unfinished").next().unwrap_or_default();
        let last = arguments.rsplit(", ").next().and_then(|text| text.parse().ok());
        match (name, last) {
            ("pwrite64" | "write", Some(last)) => {
                let at = if name == "write" { file.length } else { last };
                let bytes = texts.first().cloned().unwrap_or_default();
                file.length = file.length.max(at + bytes.len());
                file.pending.push(Change::Write { at, bytes });
            }
            ("ftruncate", Some(length)) => {
                file.length = length;
                file.pending.push(Change::Length(length));
            }
            ("fsync" | "fdatasync", _) => {
                let count = file.pending.len();
                if said.ends_with("= 0") {
                    self.synced(path, count);
                } else if said.ends_with("<unfinished ...>") {
                    self.syncing.insert(thread.to_owned(), (path.to_owned(), count));
                }
            }
            _ => {}
        }
    }

    fn is_here(&self, path: &Path) -> bool {
        // What processes share in memory is no file.
        path.parent() == Some(&self.folder) && !path.to_string_lossy().ends_with("-shm")
    }

    fn synced(&mut self, path: &Path, count: usize) {
        if let Some(file) = self.files.get_mut(path) {
            for change in file.pending.drain(..count.min(file.pending.len())) {
                change.apply(&mut file.durable);
            }
        }
    }

    /// Puts into the folder what is left, and says how many writes were lost or torn.
    pub(crate) fn fail(mut self, seed: u64) -> io::Result<u32> {
        if self.folder.exists() {
            for file in fs::read_dir(&self.folder)? {
                let path = file?.path();
                if path.is_file() {
                    fs::remove_file(path)?;
                }
            }
        }
        let mut lost = 0;
        let mut draws = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        for (path, mut file) in std::mem::take(&mut self.files) {
            if !self.is_here(&path) {
                continue;
            }
            for change in file.pending {
                draws ^= draws << 13;
                draws ^= draws >> 7;
                draws ^= draws << 17;
                match (draws % 4, change) {
                    (0 | 1, change) => change.apply(&mut file.durable),
                    (2, Change::Write { at, mut bytes }) if bytes.len() > SECTOR => {
                        let sectors = bytes.len() / SECTOR;
                        bytes.truncate((draws >> 8) as usize % sectors * SECTOR);
                        Change::Write { at, bytes }.apply(&mut file.durable);
                        lost += 1;
                    }
                    (_, Change::Write { .. } | Change::Length(_)) => lost += 1,
                }
            }
            fs::create_dir_all(&self.folder)?;
            fs::write(&path, &file.durable)?;
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
        }
        Ok(lost)
    }
}

impl Change {
    fn apply(self, file: &mut Vec<u8>) {
        match self {
            Self::Write { at, bytes } => {
                if file.len() < at + bytes.len() {
                    file.resize(at + bytes.len(), 0);
                }
                file[at..at + bytes.len()].copy_from_slice(&bytes);
            }
            Self::Length(length) => file.resize(length, 0),
        }
    }
}

/// What a text in hexadecimal says.
fn bytes(text: &str) -> Vec<u8> {
    let each = text.split("\\x").skip(1);
    each.filter_map(|two| u8::from_str_radix(two.get(..2)?, 16).ok()).collect()
}

fn path_of(bytes: &[u8]) -> PathBuf {
    PathBuf::from(String::from_utf8_lossy(bytes).into_owned())
}

#[test]
fn what_was_not_synced_may_be_lost_and_what_was_is_kept() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("power");
    drop(fs::remove_dir_all(&folder));
    let hex =
        |text: &str| text.bytes().map(|b| format!("\\x{b:02x}")).collect::<String>();
    let file = folder.join("journal");
    let path = hex(&file.display().to_string());
    let big = hex(&"z".repeat(4_096));
    let trace = format!(
        "7 openat(AT_FDCWD<\\x2f>, \"{path}\", O_RDWR|O_CREAT, 0644) = 3<{path}>\n\
         7 pwrite64(3<{path}>, \"{}\", 4, 0) = 4\n\
         8 fdatasync(3<{path}> <unfinished ...>\n\
         7 pwrite64(3<{path}>, \"{}\", 4, 4) = 4\n\
         8 <... fdatasync resumed>) = 0\n\
         7 pwrite64(3<{path}>, \"{big}\", 4096, 8 <unfinished ...>\n",
        hex("kept"),
        hex("late"),
    );
    let mut seen = std::collections::BTreeSet::new();
    for seed in 0..64 {
        let mut disk = Disk::of(&folder).expect("a folder");
        disk.files.clear();
        disk.replay(&trace);
        disk.fail(seed).expect("a folder that can be written");
        let left = fs::read(&file).expect("the file is there");
        assert_eq!(&left[..4], b"kept", "seed {seed}");
        seen.insert((left.len(), left.get(4).copied()));
    }
    assert!(seen.contains(&(4, None)), "both writes are lost in some: {seen:?}");
    assert!(seen.contains(&(8, Some(b'l'))), "one is kept alone in some: {seen:?}");
    assert!(seen.iter().any(|(length, _)| *length == 8 + 4_096), "{seen:?}");
    assert!(seen.iter().any(|(length, _)| (9..8 + 4_096).contains(length)), "{seen:?}");
}
