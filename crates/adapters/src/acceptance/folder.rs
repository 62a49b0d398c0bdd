//! A rack's drop folder, as it is found: its files' texts, and what else lies in it.

use std::path::Path;

/// The longest file that is read, in bytes; the tools write some kilobytes.
const FILE_BYTES_MAX: u64 = 4 << 20;

/// What a drop folder holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dropped {
    /// Files by their names in it, in order. Bytes that are no UTF-8 are replaced, and
    /// whoever reads such a text refuses it.
    pub files: Vec<(String, String)>,
    /// What was not read, and why.
    pub notes: Vec<String>,
}

/// The files of a rack's folder, and of the folders of its trays.
///
/// # Errors
///
/// What the system says of a folder or file that cannot be read, with its name.
pub fn files(folder: &Path) -> Result<Dropped, String> {
    let mut dropped = Dropped::default();
    for name in names(folder)? {
        let path = folder.join(&name);
        if !path.is_dir() {
            dropped.take(&path, name)?;
            continue;
        }
        if !name.starts_with("slot") {
            dropped.notes.push(format!("{name}: passed by, a folder"));
            continue;
        }
        for inner in names(&path)? {
            let (path, name) = (path.join(&inner), format!("{name}/{inner}"));
            match path.is_dir() {
                true => dropped.notes.push(format!("{name}: passed by, a folder")),
                false => dropped.take(&path, name)?,
            }
        }
    }
    Ok(dropped)
}

impl Dropped {
    fn take(&mut self, path: &Path, name: String) -> Result<(), String> {
        let file = name.rsplit('/').next().unwrap_or(&name);
        if file.starts_with('.') || file.ends_with('~') {
            self.notes.push(format!("{name}: passed by, no file of an acceptance"));
            return Ok(());
        }
        let at =
            |error: std::io::Error| format!("cannot read {}: {error}", path.display());
        let bytes = path.metadata().map_err(at)?.len();
        if bytes > FILE_BYTES_MAX {
            self.notes.push(format!(
                "{name}: passed by, expected at most {FILE_BYTES_MAX} bytes, found {bytes}"
            ));
            return Ok(());
        }
        let bytes = std::fs::read(path).map_err(at)?;
        self.files.push((name, String::from_utf8_lossy(&bytes).into_owned()));
        Ok(())
    }
}

/// The names in a folder, in order.
fn names(folder: &Path) -> Result<Vec<String>, String> {
    let at = |error: std::io::Error| format!("cannot read {}: {error}", folder.display());
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(at)? {
        let name = entry.map_err(at)?.file_name();
        names.push(name.to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}
