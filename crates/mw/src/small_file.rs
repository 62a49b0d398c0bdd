//! Small files of a data folder: read whole, and written whole or not at all.
//!
//! They say who may come in, what was pinned, what was found; a run and a command at its
//! side have them at once, and a machine may stop at any instant.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::{Context, bail};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// What every file that commands change begins with.
#[derive(Debug, Deserialize)]
struct Begins {
    format: u32,
}

/// The format of such files.
pub const FORMAT: u32 = 1;

/// Puts a text in the place of a file, private to who runs this, whole or not at all. The
/// folder is made where there is none.
///
/// # Errors
///
/// When it cannot be written; then the file is as it was.
pub fn replace(path: &Path, text: &str) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder {
        fs::create_dir_all(folder)?;
    }
    let beside = path.with_extension("new");
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut file = options.open(&beside)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

/// Puts something as JSON in the place of a file.
///
/// # Errors
///
/// When it cannot be written; then the file is as it was.
pub fn replace_json(path: &Path, what: &impl Serialize) -> io::Result<()> {
    replace(path, &(serde_json::to_string_pretty(what)? + "\n"))
}

/// What a file of a command's has; nothing where there is none.
///
/// # Errors
///
/// When it cannot be read, is not what `written_by` writes, or is of another format.
pub fn read<T: DeserializeOwned>(
    path: &Path,
    written_by: &str,
) -> anyhow::Result<Option<T>> {
    let at = || path.display().to_string();
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(at),
    };
    let other = || format!("{}: expected a file of `{written_by}`", at());
    let Begins { format } = serde_json::from_str(&text).with_context(other)?;
    if format != FORMAT {
        bail!(
            "{}: this program reads format {FORMAT}, found {format}; use the program that \
             wrote it",
            at()
        );
    }
    serde_json::from_str(&text).map(Some).with_context(other)
}

/// Changes a file of a command's, one program at a time.
///
/// # Errors
///
/// When it cannot be read or written, and those of `how`; then the file is as it was.
pub fn change<T: Default + Serialize + DeserializeOwned, D>(
    path: &Path,
    written_by: &str,
    how: impl FnOnce(&mut T) -> anyhow::Result<D>,
) -> anyhow::Result<D> {
    let at = || format!("cannot write {}", path.display());
    let mut private = OpenOptions::new();
    private.write(true).create(true).truncate(false).mode(0o600);
    let lock = private.open(path.with_extension("lock")).with_context(at)?;
    lock.lock().with_context(at)?;
    let mut kept = read(path, written_by)?.unwrap_or_default();
    let done = how(&mut kept)?;
    replace_json(path, &kept).with_context(at)?;
    Ok(done)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    #[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
    struct Kept {
        format: u32,
        names: Vec<String>,
    }

    /// A place for a file that is not there.
    fn fresh(name: &str) -> PathBuf {
        let name = format!("mw-small-file-{name}-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).expect("a folder");
        folder.join("kept.json")
    }

    #[test]
    fn what_cannot_be_read_is_never_written_over() {
        let path = fresh("read");
        let add = |kept: &mut Kept| {
            kept.format = FORMAT;
            kept.names.push("Ana".to_owned());
            Ok(())
        };
        change(&path, "mw keep", add).expect("a first");
        for (text, why) in [
            ("{\"format\":2,\"other\":[]}", "reads format 1, found 2"),
            ("{\"names\":[]}", "expected a file of `mw keep`"),
            ("{", "expected a file of `mw keep`"),
        ] {
            fs::write(&path, text).expect("written");
            let refused = change(&path, "mw keep", add).expect_err("not one of ours");
            assert!(format!("{refused:#}").contains(why), "{refused:#}");
            assert_eq!(fs::read_to_string(&path).expect("as it was"), text);
        }
    }

    #[test]
    fn what_a_command_gives_up_leaves_the_file_as_it_was() {
        let path = fresh("given-up");
        let given_up =
            change(&path, "mw keep", |kept: &mut Kept| -> anyhow::Result<()> {
                kept.names.push("Ben".to_owned());
                bail!("no")
            });
        assert_eq!(given_up.expect_err("given up").to_string(), "no");
        assert_eq!(read::<Kept>(&path, "mw keep").expect("none"), None);
    }
}
