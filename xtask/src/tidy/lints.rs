//! The clippy files: a crate's own replaces the root's, so it must repeat it.

use toml::{Table, Value};

use super::{Finding, Text, Tree};

/// The crates that are handed everything they know, by the lint file they share.
const PURE: &[&str] = &["units", "settle", "engine"];

/// Every crate's file says all that the root's does, and the pure crates' files
/// are the same.
pub(super) fn clippy_files_agree(tree: &Tree) -> Vec<Finding> {
    let Some(shared) = tree.file("clippy.toml") else {
        return vec![Finding::new(
            "clippy.toml",
            0,
            "expected the shared lints, found no file",
        )];
    };
    let own = tree.files.iter().filter(|file| file.path.ends_with("/clippy.toml"));
    let mut findings: Vec<Finding> = own.flat_map(|file| missing(shared, file)).collect();
    let pure = |name: &&str| tree.file(&format!("crates/{name}/clippy.toml"));
    let model = pure(&"engine").map(|file| &file.text);
    for name in PURE {
        if model.is_none() || pure(name).map(|file| &file.text) != model {
            let path = format!("crates/{name}/clippy.toml");
            findings.push(Finding::new(
                &path,
                0,
                "expected the engine's file, found another",
            ));
        }
    }
    findings
}

/// What `file` lacks of `shared`.
fn missing(shared: &Text, file: &Text) -> Vec<Finding> {
    let fault = |what: String| Finding::new(&file.path, 0, what);
    let (shared, own) = match (shared.text.parse::<Table>(), file.text.parse::<Table>()) {
        (Ok(shared), Ok(own)) => (shared, own),
        (Err(error), _) | (_, Err(error)) => {
            return vec![fault(format!("expected TOML, found {error}"))];
        }
    };
    let mut findings = Vec::new();
    for (key, value) in &shared {
        let entries = match value {
            Value::Array(entries) => entries.as_slice(),
            Value::String(_)
            | Value::Integer(_)
            | Value::Float(_)
            | Value::Boolean(_)
            | Value::Datetime(_)
            | Value::Table(_) => std::slice::from_ref(value),
        };
        let kept = match own.get(key) {
            Some(Value::Array(kept)) => kept.as_slice(),
            Some(kept) => std::slice::from_ref(kept),
            None => &[],
        };
        for entry in entries.iter().filter(|entry| !kept.contains(entry)) {
            let path = entry.get("path").and_then(Value::as_str).unwrap_or("the value");
            findings.push(fault(format!(
                "expected `{key}` to hold {path} as the root's does"
            )));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::check;
    use super::*;

    #[test]
    fn a_crates_file_repeats_the_roots() {
        let shared = "disallowed-types = [{ path = \"a\", reason = \"b\" }]";
        let more = "disallowed-types = [{ path = \"a\", reason = \"b\" }, \"c\"]";
        let with = |engine, settle| {
            [
                ("clippy.toml", shared),
                ("crates/engine/clippy.toml", engine),
                ("crates/settle/clippy.toml", settle),
                ("crates/units/clippy.toml", more),
            ]
        };
        check(clippy_files_agree, &with(more, more), &[]);
        check(clippy_files_agree, &with(more, shared), &["crates/settle/clippy.toml:0"]);
        check(
            clippy_files_agree,
            &with(more, "disallowed-types = []"),
            &["crates/settle/clippy.toml:0", "crates/settle/clippy.toml:0"],
        );
    }
}
