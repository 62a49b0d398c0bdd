//! Tests of the adapters against small files and, where it lies beside the
//! project, real history.

mod acceptance;
mod deliver_email;
mod deliver_oracle;
mod deliver_receivers;
mod deliver_webhook;
mod fleet;
mod growing;
mod history_errors;
mod history_layouts;
mod history_mutated;
mod history_real;
mod history_round_trip;
mod miners;
mod modbus_hostile;
mod openadr_hostile;
mod site;
mod store;
mod store_full;

/// Every file of this folder is a module above: a forgotten one tests nothing.
#[test]
fn no_test_file_is_forgotten() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it");
    for entry in std::fs::read_dir(folder).expect("the test folder") {
        let path = entry.expect("an entry").path();
        let Some(stem) = path.file_stem().and_then(|stem| stem.to_str()) else {
            continue;
        };
        if path.extension().is_some_and(|end| end == "rs") && stem != "main" {
            let listed = format!("mod {stem};");
            assert!(include_str!("main.rs").contains(&listed), "{listed}");
        }
    }
}
