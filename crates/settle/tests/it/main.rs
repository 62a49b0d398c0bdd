//! Settlement from outside: rules as tables, worked figures, malformed input,
//! invariants over generated contracts and facts.

mod documents;
mod exposure;
mod invariants;
mod malformed;
mod reading;
mod rules;
mod succession;
mod vectors;
mod world;

/// A test file that `mod` does not name is a test that never runs.
#[test]
fn no_file_is_forgotten() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it");
    let main = include_str!("main.rs");
    #[expect(clippy::disallowed_methods, reason = "a test looks at its own folder")]
    let entries = std::fs::read_dir(folder).expect("the tests' folder");
    for entry in entries {
        let name = entry.expect("an entry").file_name().into_string().expect("text");
        let Some(module) = name.strip_suffix(".rs") else { continue };
        assert!(
            module == "main" || main.contains(&format!("mod {module};")),
            "{name} is not named in main.rs"
        );
    }
}
