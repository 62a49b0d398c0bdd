//! A run's folder: whole or not there.
//!
//! Files are written into a folder beside it that gets its name when all of
//! them are complete. A run that fails leaves nothing behind.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

/// The journal's name in a run's folder.
pub const JOURNAL: &str = "journal.mwj";

/// A run's folder in the making.
pub struct RunFolder {
    wanted: PathBuf,
    partial: PathBuf,
    kept: bool,
}

impl RunFolder {
    /// Begins a run's folder. Nothing may be at `wanted` yet, so that no run is
    /// lost to another.
    pub fn create(wanted: &Path) -> anyhow::Result<Self> {
        if wanted.exists() {
            bail!(
                "{} exists already; name another folder or remove it first",
                wanted.display()
            );
        }
        let name = wanted.file_name().with_context(|| {
            format!("expected a folder to write, found {}", wanted.display())
        })?;
        let mut partial_name = name.to_os_string();
        partial_name.push(format!(".partial-{}", std::process::id()));
        let partial = wanted.with_file_name(partial_name);
        if let Some(parent) =
            wanted.parent().filter(|parent| !parent.as_os_str().is_empty())
        {
            fs::create_dir_all(parent).with_context(|| {
                format!("cannot make the folder {}", parent.display())
            })?;
        }
        fs::create_dir(&partial)
            .with_context(|| format!("cannot make the folder {}", partial.display()))?;
        Ok(Self { wanted: wanted.to_owned(), partial, kept: false })
    }

    /// Where its files go for now.
    pub fn path(&self) -> &Path {
        &self.partial
    }

    /// Writes one of its files.
    pub fn write(&self, name: &str, text: &str) -> anyhow::Result<()> {
        let path = self.partial.join(name);
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
    }

    /// Gives the folder its name: everything in it is complete.
    pub fn keep(mut self) -> anyhow::Result<()> {
        fs::rename(&self.partial, &self.wanted).with_context(|| {
            format!(
                "cannot give {} its name {}",
                self.partial.display(),
                self.wanted.display()
            )
        })?;
        self.kept = true;
        Ok(())
    }
}

impl Drop for RunFolder {
    fn drop(&mut self) {
        if !self.kept {
            // Best effort: the folder's name says that it is partial.
            drop(fs::remove_dir_all(&self.partial));
        }
    }
}
