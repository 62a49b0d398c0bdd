//! Source files: their first lines, names, leftovers and what they may not use.

use super::{Finding, Text, Tree};

/// Crates in which every number is exact.
const EXACT: &[&str] = &["units", "settle", "engine"];

/// Crates in which the order of anything may reach an output.
const ORDERED: &[&str] = &["units", "settle", "engine", "sim"];

/// Words that say nothing about the thing they name.
const BANNED_WORDS: &[&str] = &[
    "manager", "managers", "handler", "handlers", "helper", "helpers", "util", "utils",
    "common", "data", "info",
];

/// Every source file says its one subject in its first line.
pub(super) fn first_lines(tree: &Tree) -> Vec<Finding> {
    let silent =
        |file: &&Text| !file.text.lines().next().unwrap_or("").starts_with("//! ");
    let what =
        "expected a first line that begins with //! and says the file's one subject";
    tree.rust().filter(silent).map(|file| Finding::new(&file.path, 1, what)).collect()
}

/// Every source file is a module of another, so none is forgotten.
pub(super) fn forgotten_modules(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.rust() {
        let Some((folder, name)) = file.path.rsplit_once('/') else {
            continue;
        };
        let name = name.trim_end_matches(".rs");
        let is_root = matches!(name, "main" | "lib" | "build" | "mod");
        let last = folder.rsplit('/').next().unwrap_or_default();
        if is_root
            || matches!(last, "examples" | "benches" | "bin" | "tests" | "fixtures")
        {
            continue;
        }
        let parents = [
            format!("{folder}.rs"),
            format!("{folder}/mod.rs"),
            format!("{folder}/main.rs"),
            format!("{folder}/lib.rs"),
        ];
        let declared = parents.iter().filter_map(|path| tree.file(path)).any(|parent| {
            let mut lines = parent.text.lines();
            lines.any(|line| line.trim().ends_with(&format!("mod {name};")))
        });
        if !declared {
            let what = format!("expected `mod {name};` in the module above, found none");
            findings.push(Finding::new(&file.path, 0, what));
        }
    }
    findings
}

/// A crate has one integration-test binary: linking is what costs time.
pub(super) fn one_test_binary(tree: &Tree) -> Vec<Finding> {
    let alone = |file: &&Text| {
        let folder = file.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        folder.ends_with("/tests")
    };
    let what = "expected a module of tests/it/main.rs, found a test binary of its own";
    tree.rust().filter(alone).map(|file| Finding::new(&file.path, 0, what)).collect()
}

/// Nothing is left for later, and every exception has a reason.
pub(super) fn leftovers(tree: &Tree) -> Vec<Finding> {
    // Written apart, so that this file does not find itself.
    let markers = [
        concat!("to", "do!("),
        concat!("unimple", "mented!("),
        concat!("FIX", "ME"),
        concat!("XX", "X"),
        concat!("#[ig", "nore"),
        concat!("#[al", "low("),
        concat!("#![al", "low("),
        concat!("db", "g!("),
    ];
    find(tree.rust(), |line| {
        let marker = markers.iter().find(|marker| line.contains(**marker))?;
        Some(format!("expected finished code, found `{marker}`"))
    })
}

/// Files, modules and types are named by what they are.
pub(super) fn banned_words(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    let what = |word| format!("expected a name that says what it is, found `{word}`");
    for file in tree.rust() {
        for word in file.path.split(['/', '.']).filter_map(banned_in) {
            findings.push(Finding::new(&file.path, 0, what(word)));
        }
        for (line, text) in file.lines() {
            if let Some(word) = declared_name(code(text)).and_then(banned_in) {
                findings.push(Finding::new(&file.path, line, what(word)));
            }
        }
    }
    findings
}

/// The one room of an exact crate where prices of limits are real numbers: what
/// leaves it is snapped back.
const REAL: &str = "crates/engine/src/decide/ahead";

/// Money, energy and power are exact.
pub(super) fn floats(tree: &Tree) -> Vec<Finding> {
    let exact = |file: &&Text| file.is_of(EXACT) && !file.path.starts_with(REAL);
    find(tree.rust().filter(exact), |line| {
        let float = words(code(line)).find(|word| matches!(*word, "f32" | "f64"))?;
        Some(format!("expected exact numbers, found `{float}`"))
    })
}

/// The order of a hash map differs between runs.
pub(super) fn hash_order(tree: &Tree) -> Vec<Finding> {
    find(tree.rust().filter(|file| file.is_of(ORDERED)), |line| {
        let hashed =
            words(code(line)).find(|word| matches!(*word, "HashMap" | "HashSet"))?;
        Some(format!(
            "expected an ordered collection, found `{hashed}`; use BTreeMap or BTreeSet"
        ))
    })
}

/// Nothing names a place on somebody's machine, or where packages come from.
pub(super) fn outside_places(tree: &Tree) -> Vec<Finding> {
    // Written apart, so that this file does not find itself.
    let folders =
        ["home", "root", "Users", "opt", "work"].map(|folder| format!("/{folder}/"));
    let registries = [
        concat!("--index", "-url"),
        concat!("--extra-index", "-url"),
        concat!("--find", "-links"),
        concat!("[sour", "ce."),
        concat!("[regi", "stries"),
    ];
    let mut findings = find(tree.files.iter(), |line| {
        for folder in &folders {
            let mut rest = line;
            while let Some(at) = rest.find(folder.as_str()) {
                let before = rest[..at].chars().next_back();
                if before.is_none_or(|c| c.is_whitespace() || "\"'`(=<".contains(c)) {
                    return Some(format!(
                        "expected a relative path, found one in {folder}"
                    ));
                }
                rest = &rest[at + folder.len()..];
            }
        }
        let registry = registries.iter().find(|registry| line.contains(**registry))?;
        Some(format!("expected the packages' usual places, found `{registry}`"))
    });
    let usual = "registry+https://github.com/rust-lang/crates.io-index";
    let lock = tree.files.iter().filter(|file| file.name() == "Cargo.lock");
    findings.extend(find(lock, |line| {
        let place = line.strip_prefix("source = ")?.trim_matches('"');
        (place != usual).then(|| format!("expected crates.io, found {place}"))
    }));
    findings
}

/// What a rule about single lines finds.
fn find<'a>(
    files: impl Iterator<Item = &'a Text>,
    fault: impl Fn(&str) -> Option<String>,
) -> Vec<Finding> {
    files
        .flat_map(|file| file.lines().map(move |(line, text)| (file, line, text)))
        .filter_map(|(file, line, text)| {
            fault(text).map(|what| Finding::new(&file.path, line, what))
        })
        .collect()
}

/// A line without its comment.
fn code(line: &str) -> &str {
    line.find("//").map_or(line, |at| &line[..at])
}

/// The identifiers and numbers of a line.
fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty())
}

/// The name a line declares, if it declares a module or a type.
fn declared_name(line: &str) -> Option<&str> {
    let mut words = words(line).skip_while(|word| {
        matches!(*word, "pub" | "crate" | "super" | "in" | "const" | "async" | "unsafe")
    });
    let keyword = words.next()?;
    let declares = ["mod", "struct", "enum", "trait", "type"].contains(&keyword);
    if declares { words.next() } else { None }
}

/// The banned word in a name, whichever way its words are joined.
fn banned_in(name: &str) -> Option<&'static str> {
    let mut parts = vec![String::new()];
    for c in name.chars() {
        if !c.is_alphanumeric() || c.is_uppercase() {
            parts.push(String::new());
        }
        if c.is_alphanumeric() {
            let last = parts.last_mut().expect("there is always a last part");
            last.extend(c.to_lowercase());
        }
    }
    BANNED_WORDS.iter().copied().find(|word| parts.iter().any(|part| part == word))
}

#[cfg(test)]
mod tests {
    use super::super::check;
    use super::*;

    #[test]
    fn names_that_say_nothing_are_found() {
        let text = concat!(
            "//! A.",
            "\npub(crate) struct OrderManager;",
            "\nenum ReadData {}",
            "\nstruct Database;",
            "\nlet info = 1; // mod util",
            "\nmod utils;",
        );
        check(
            banned_words,
            &[("crates/a/src/b.rs", text), ("crates/a/src/helpers.rs", "//! B.")],
            &[
                "crates/a/src/b.rs:2",
                "crates/a/src/b.rs:3",
                "crates/a/src/b.rs:6",
                "crates/a/src/helpers.rs:0",
            ],
        );
    }

    #[test]
    fn what_is_left_for_later_is_found() {
        let text =
            format!("//! A.\n{}\n{}\nfinished()", concat!("to", "do!()"), "// FIX_ME");
        check(leftovers, &[("a.rs", &text)], &["a.rs:2"]);
    }

    #[test]
    fn a_file_without_a_subject_is_found() {
        let files = [("a.rs", "//! A.\n"), ("b.rs", "use a;\n"), ("c.rs", "")];
        check(first_lines, &files, &["b.rs:1", "c.rs:1"]);
    }

    #[test]
    fn floats_and_hash_order_are_found_where_they_matter() {
        let text =
            "//! A.\nlet a: f64 = 1.0;\n/// not an f64\nuse std::collections::HashMap;";
        let files = [("crates/settle/src/a.rs", text), ("crates/mw/src/a.rs", text)];
        check(floats, &files, &["crates/settle/src/a.rs:2"]);
        check(hash_order, &files, &["crates/settle/src/a.rs:4"]);
    }

    #[test]
    fn a_forgotten_module_is_found() {
        let files = [
            ("crates/a/tests/it/main.rs", "//! Tests.\nmod kept;\n"),
            ("crates/a/tests/it/kept.rs", "mod inner;"),
            ("crates/a/tests/it/kept/inner.rs", ""),
            ("crates/a/tests/it/lost.rs", ""),
            ("crates/a/tests/alone.rs", ""),
            ("crates/a/examples/shown.rs", ""),
        ];
        check(forgotten_modules, &files, &["crates/a/tests/it/lost.rs:0"]);
        check(one_test_binary, &files, &["crates/a/tests/alone.rs:0"]);
    }

    #[test]
    fn places_outside_the_project_are_found() {
        let text = format!(
            "see /{}/me/x\nsee ../{0}/me\n{}",
            "home",
            concat!("--index", "-url")
        );
        check(outside_places, &[("a.md", &text)], &["a.md:1", "a.md:3"]);
        let lock = "source = \"git+https://example.org/a\"";
        check(outside_places, &[("Cargo.lock", lock)], &["Cargo.lock:1"]);
    }
}
