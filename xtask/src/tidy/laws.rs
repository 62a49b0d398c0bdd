//! What each crate may depend on.

use toml::{Table, Value};

use super::{Finding, Text, Tree};

/// A crate and the law that made it one.
struct Law {
    name: &'static str,
    /// Crates of ours it may know, in its tests too.
    ours: &'static [&'static str],
    /// Crates of others it may know; `None` is any.
    others: Option<&'static [&'static str]>,
    /// What the law is for, as a finding says it.
    law: &'static str,
}

/// `units <- settle <- engine <- sim <- plan`, `engine <- adapters`, and `mw` sees all.
const LAWS: &[Law] = &[
    Law {
        name: "units",
        ours: &[],
        others: Some(&["jiff", "rust_decimal", "serde", "thiserror"]),
        law: "units depends on nothing of ours",
    },
    Law {
        name: "settle",
        ours: &["units"],
        others: Some(&["jiff", "serde", "serde_json", "sha2", "thiserror", "toml"]),
        law: "settle depends on units alone, so that a counterparty can build it",
    },
    Law {
        name: "engine",
        ours: &["units", "settle"],
        others: Some(&["serde", "thiserror"]),
        law: "the engine has no IO, no clock, no async and no randomness",
    },
    Law {
        name: "sim",
        ours: &["units", "settle", "engine"],
        // postcard: two engines are compared by what they write. serde_json: what is
        // drawn is told to a program that we did not write.
        others: Some(&[
            "postcard",
            "rand_core",
            "rand_pcg",
            "serde",
            "serde_json",
            "thiserror",
        ]),
        law: "a simulation is drawn from a seed, reaches nothing and does not know the adapters",
    },
    Law {
        name: "plan",
        ours: &["units", "settle", "engine", "sim"],
        others: Some(&["serde", "serde_json", "thiserror"]),
        law: "a plan is imagined from a seed, and reaches nothing",
    },
    Law {
        name: "adapters",
        ours: &["units", "settle", "engine"],
        others: None,
        law: "adapters do not know the simulation or the program",
    },
    Law {
        name: "mw",
        ours: &["units", "settle", "engine", "sim", "plan", "adapters"],
        others: None,
        law: "the program does not know xtask",
    },
    Law {
        name: "xtask",
        ours: &[],
        others: Some(&["anyhow", "clap", "toml"]),
        law: "xtask builds fast because it knows nothing of ours",
    },
];

/// Crates of ours, and what each depends on, against the laws.
pub(super) fn dependencies(tree: &Tree) -> Vec<Finding> {
    manifests(tree).flat_map(|(name, file)| in_manifest(name, file)).collect()
}

/// Each crate has its part in ARCHITECTURE.md.
pub(super) fn crates_are_described(tree: &Tree) -> Vec<Finding> {
    let page = tree.file("ARCHITECTURE.md");
    let described = |folder: &str| {
        page.is_some_and(|page| page.text.contains(&format!("### `{folder}`")))
    };
    manifests(tree)
        .filter_map(|(_, file)| file.path.strip_suffix("/Cargo.toml"))
        .filter(|folder| !described(folder))
        .map(|folder| {
            let what = format!("expected a part headed ### `{folder}`, found none");
            Finding::new("ARCHITECTURE.md", 0, what)
        })
        .collect()
}

fn manifests(tree: &Tree) -> impl Iterator<Item = (&str, &Text)> {
    tree.files.iter().filter_map(|file| {
        let folder = file.path.strip_suffix("/Cargo.toml")?;
        Some((folder.strip_prefix("crates/").unwrap_or(folder), file))
    })
}

fn in_manifest(name: &str, file: &Text) -> Vec<Finding> {
    let fault = |what: String| Finding::new(&file.path, 0, what);
    let Some(law) = LAWS.iter().find(|law| law.name == name) else {
        let what =
            format!("expected a law for crate {name}, found none; see LAWS in xtask");
        return vec![fault(what)];
    };
    let manifest: Table = match file.text.parse() {
        Ok(manifest) => manifest,
        Err(error) => return vec![fault(format!("expected TOML, found {error}"))],
    };
    let mut findings = Vec::new();
    if manifest.get("lints").and_then(|lints| lints.get("workspace")).is_none() {
        findings.push(fault("expected the workspace's lints, found others".to_owned()));
    }
    for (kind, dependency, value) in declared(&manifest) {
        if value.get("workspace").is_none() {
            let what =
                format!("expected {dependency} from the workspace table, found its own");
            findings.push(fault(what));
        }
        let is_ours = LAWS.iter().any(|law| law.name == dependency);
        let allowed = match (is_ours, law.others) {
            (true, _) => law.ours.contains(&dependency),
            (false, Some(others)) => kind == Kind::Test || others.contains(&dependency),
            (false, None) => true,
        };
        if !allowed {
            findings
                .push(fault(format!("expected no {dependency}, found it: {}", law.law)));
        }
    }
    findings
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Build,
    Test,
}

/// Every dependency a manifest declares, those of one platform included.
fn declared(manifest: &Table) -> Vec<(Kind, &str, &Value)> {
    let platforms = manifest.get("target").and_then(Value::as_table);
    let platforms =
        platforms.into_iter().flat_map(Table::values).filter_map(Value::as_table);
    let kinds = [
        ("dependencies", Kind::Build),
        ("build-dependencies", Kind::Build),
        ("dev-dependencies", Kind::Test),
    ];
    let mut declared = Vec::new();
    for table in std::iter::once(manifest).chain(platforms) {
        for (key, kind) in kinds {
            let Some(dependencies) = table.get(key).and_then(Value::as_table) else {
                continue;
            };
            declared.extend(
                dependencies.iter().map(|(name, value)| (kind, name.as_str(), value)),
            );
        }
    }
    declared
}

#[cfg(test)]
mod tests {
    use super::super::check;
    use super::*;

    fn engine(dependencies: &str) -> String {
        format!("[lints]\nworkspace = true\n{dependencies}")
    }

    #[test]
    fn the_engine_may_know_settle_and_not_the_simulation() {
        let path = "crates/engine/Cargo.toml";
        let found = format!("{path}:0");
        let cases = [
            ("[dependencies]\nsettle.workspace = true", false),
            ("[dependencies]\nsim.workspace = true", true),
            ("[dev-dependencies]\nsim.workspace = true", true),
            ("[dependencies]\ntokio.workspace = true", true),
            ("[dev-dependencies]\ninsta.workspace = true", false),
            ("[target.\"cfg(unix)\".dependencies]\nlibc.workspace = true", true),
            ("[dependencies]\nserde = \"1\"", true),
        ];
        for (dependencies, wrong) in cases {
            let expected: &[&str] = if wrong { &[&found] } else { &[] };
            check(super::dependencies, &[(path, &engine(dependencies))], expected);
        }
    }

    #[test]
    fn a_new_crate_needs_a_law_and_a_description() {
        let files = [("crates/novelty/Cargo.toml", "[lints]\nworkspace = true")];
        check(dependencies, &files, &["crates/novelty/Cargo.toml:0"]);
        check(crates_are_described, &files, &["ARCHITECTURE.md:0"]);
    }
}
