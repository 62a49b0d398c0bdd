//! Exports given to the programs they are for, as they are and spoiled.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use mw::books::Books;
use mw::books::export::{Journal, focus, ubl};
use mw::report::books::revenue_csv;
use settle::contract::{Contract, Versions};
use sim::tenancy::{Pace, term};

use crate::backtest::root;
use crate::books::{drawn, folder};

/// Runs one of the scripts and shows what it says; panics where it finds fault. False,
/// and says so, where its Python is not there.
fn ask(variable: &str, script: &str, arguments: &[&OsStr]) -> bool {
    let Some(python) = std::env::var_os(variable) else {
        eprintln!("skipped: {variable} names no Python for {script}");
        return false;
    };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/books_oracle");
    let output = Command::new(python)
        .arg(folder.join(script))
        .args(arguments)
        .output()
        .expect("the variable names a program that starts");
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    eprintln!("{text}");
    assert!(output.status.success(), "{text}");
    true
}

/// Contracts of every kind of term, written here and nowhere else.
fn contracts() -> Vec<(&'static str, String)> {
    let head = |id: &str, currency: &str, zone: &str| {
        format!(
            "schema = \"capacity-contract/1\"\nid = \"{id}\"\nsupplier = \"Nord & Süd AG\"\n\
             customer = \"the <tenant> \\\"x\\\"\"\ncurrency = \"{currency}\"\n\
             timezone = \"{zone}\"\neffective = 2026-01-15\n[billing]\ngrace_days = 4\n\
             due_days = 30\nrestate_limit_months = 12\n"
        )
    };
    let sla = "[sla]\nbasis = \"gpu-seconds\"\ntarget = \"0.999\"\n\
               tiers = [ { below = \"0.999\", credit = \"0.10\" } ]\ngap_policy = \"exclude\"\n\
               [sla.excused]\ngrid_emergency = {}\n";
    let prepaid = "[prepayment]\npercent = \"30\"\ndue = \"days-before-delivery:45\"\n\
                   credit_from = 4\ncredit_over = 7\n";
    vec![
        (
            "usual",
            head("CAP/1 a", "USD", "America/Chicago")
                + sla
                + prepaid
                + "[delay]\ngrace_days = 1\ncredit = { per_day = \"0.01\", of = \"monthly-fee\", cap_days = 20 }\n\
                   [[tranche]]\nid = \"H 1\"\ngpus = 144\nprice = { unit = \"gpu-hour\", amount = \"2.40\" }\n\
                   delivery = 2026-04-01\nmonths = 14\n\
                   [[tranche]]\nid = \"H/1\"\ngpus = 72\nprice = { unit = \"gpu-hour\", amount = \"2.123456\", steps = [ { from = 2026-09-10, amount = \"2.5\" } ] }\n\
                   delivery = 2026-06-15\nmonths = 12\n\
                   [accounting]\nstandard = \"ASC606\"\nsignificant_financing = { rate = \"0.09\", since = 2026-04-01 }\n",
        ),
        (
            "taxed",
            head("STEUER", "EUR", "Europe/Berlin")
                + sla
                + "[tax]\ncapacity = \"19\"\nsla = \"19\"\npower = \"7\"\n\
                   [power]\nmode = \"pass-through\"\nestimate_per_mwh = \"71.50\"\n\
                   [[tranche]]\nid = \"A\"\nprice = { unit = \"mw-month\", amount = \"250000\", mw = \"5\" }\n\
                   delivery = 2026-04-20\nmonths = 9\n\
                   [accounting]\nstandard = \"IFRS15\"\nsignificant_financing = \"none\"\n",
        ),
        (
            "yen",
            head("YEN", "JPY", "Asia/Tokyo")
                + prepaid
                + "[take_or_pay]\npercent = \"80\"\nmake_up = \"months:3\"\n\
                   [[tranche]]\nid = \"T\"\ngpus = 72\nprice = { unit = \"gpu-hour\", amount = \"410\", overage = \"500\" }\n\
                   delivery = 2026-05-01\nmonths = 12\n\
                   [accounting]\nstandard = \"ASC842-operating\"\n",
        ),
        (
            "dinar",
            head("KWD-1", "KWD", "UTC")
                + prepaid
                + "[[tranche]]\nid = \"flat\"\ngpus = 72\nprice = { unit = \"flat\", amount = \"30000.125\" }\n\
                   delivery = 2026-04-01\nmonths = 12\n\
                   [accounting]\nsignificant_financing = { rate = \"0.12\", since = 2026-04-01 }\n",
        ),
    ]
}

/// The books of a contract over a made-up term.
fn books(text: &str, incidents_a_day: i64) -> Books {
    let contract =
        Contract::read(text).unwrap_or_else(|problems| panic!("{problems}\n{text}"));
    let facts = term(&contract, 11, Pace { incidents_a_day });
    let facts = settle::facts::Facts::read(&facts).expect("what is drawn is read");
    let versions = Versions::single(contract).expect("one version");
    Books::of_contract(versions, facts, None, None).expect("books")
}

/// The example and the contracts above.
fn every() -> Vec<(String, Books)> {
    let example = root().join("examples/childress-750mw/contract.toml");
    let example = fs::read_to_string(example).expect("an example");
    let mut all = vec![("childress".to_owned(), books(&example, 2))];
    all.extend(
        contracts().into_iter().map(|(name, text)| (name.to_owned(), books(&text, 1))),
    );
    for (name, books) in &all {
        assert_eq!(books.check(), Vec::<String>::new(), "{name}");
        assert!(!books.contracts[0].issued.is_empty(), "{name}");
    }
    all
}

fn write_journals(books: &Books, name: &str) -> PathBuf {
    let folder = folder(name);
    for journal in Journal::ALL {
        let mut file = File::create(folder.join(journal.file_name())).expect("a file");
        let mut bytes = Vec::new();
        journal.write(&books.book, &mut bytes).expect("written");
        file.write_all(&bytes).expect("written");
    }
    folder
}

#[test]
fn accounting_programs_accept_the_books_and_find_every_fault() {
    for (name, books) in every() {
        let folder = write_journals(&books, &format!("books-journals-{name}"));
        let spoiled = if name == "childress" { "1" } else { "3" };
        let arguments = [folder.as_os_str(), spoiled.as_ref()];
        if !ask("MW_ORACLE_PYTHON", "journals.py", &arguments) {
            return;
        }
    }
    for seed in [1, 5, 9] {
        let folder = write_journals(&drawn(seed), &format!("books-journals-{seed}"));
        ask("MW_ORACLE_PYTHON", "journals.py", &[folder.as_os_str(), "1".as_ref()]);
    }
}

#[test]
fn the_schematron_accepts_the_invoices_and_finds_every_fault() {
    for (name, books) in every() {
        let folder = folder(&format!("books-invoices-{name}"));
        let zone = &books.contracts[0].versions.first().zone;
        let issued = &books.contracts[0].issued;
        for statement in issued.iter().step_by(issued.len().div_ceil(12)) {
            let number = statement.number.as_deref().expect("issued").replace('/', "-");
            match ubl::invoice(statement, zone, &books.parties) {
                Ok(text) => {
                    fs::write(folder.join(format!("{number}.xml")), text)
                        .expect("written");
                }
                // EN 16931 has two digits after the point, a dinar has three.
                Err(error) => {
                    let said = error.to_string();
                    assert!(
                        name == "dinar" && said.contains("two digits"),
                        "{name}: {said}"
                    );
                }
            }
        }
        if name == "dinar" {
            continue;
        }
        if !ask("MW_ORACLE_PYTHON", "invoices.py", &[folder.as_os_str()]) {
            return;
        }
    }
}

#[test]
fn the_focus_validator_accepts_the_exports() {
    for (name, books) in every() {
        let folder = folder(&format!("books-focus-{name}"));
        let create = |name| File::create(folder.join(name)).expect("a file");
        focus::usage(&books.contracts, &mut create("usage.csv")).expect("written");
        focus::commitments(&books.contracts, &mut create("commitments.csv"))
            .expect("written");
        if !ask("MW_ORACLE_FOCUS_PYTHON", "focus.py", &[folder.as_os_str()]) {
            return;
        }
    }
}

/// Twenty percent paid sixty days before the start, credited in equal parts in months 25
/// to 60, a flat monthly fee.
fn financed(rate: &str) -> String {
    format!(
        "schema = \"capacity-contract/1\"\nid = \"CAP\"\nsupplier = \"s\"\n\
         customer = \"c\"\ncurrency = \"USD\"\ntimezone = \"UTC\"\n\
         effective = 2025-12-01\n[billing]\ngrace_days = 5\ndue_days = 30\n\
         restate_limit_months = 24\n[prepayment]\npercent = \"20\"\n\
         due = \"days-before-delivery:60\"\ncredit_from = 25\ncredit_over = 36\n\
         [[tranche]]\nid = \"H1\"\ngpus = 19008\n\
         price = {{ unit = \"flat\", amount = \"161666666\" }}\ndelivery = 2026-03-01\n\
         months = 60\n[accounting]\nstandard = \"ASC606\"\n\
         significant_financing = {{ rate = \"{rate}\", since = 2026-03-01 }}\n"
    )
}

#[test]
fn programs_of_finance_find_the_rate_in_the_schedules() {
    // Before anything happened the whole term is expected, paid when it is due.
    let signed = units::Timestamp::parse("2025-12-01").expect("an instant");
    for (rate, hundredths) in [("0.06", 451), ("0.09", 681), ("0.12", 912)] {
        let contract = Contract::read(&financed(rate)).expect("a contract");
        let versions = Versions::single(contract).expect("one version");
        let facts = settle::facts::Facts::default();
        let books =
            Books::of_contract(versions, facts, None, Some(signed)).expect("books");
        let months = &books.contracts[0].posted.schedules[0].months;
        // Paid on the last of December, counted from the first of January.
        assert_eq!(months.len(), 63);
        assert_eq!(months.last().map(|month| month.step.closing), Some(0));
        let interest: i64 = months.iter().map(|month| month.step.interest).sum();
        let fees: i64 = months.iter().map(|month| month.fee).sum();
        assert_eq!(
            (i128::from(interest) * 20_000 + i128::from(fees)) / (2 * i128::from(fees)),
            hundredths
        );
        let file = folder(&format!("books-schedule-{rate}")).join("revenue.csv");
        fs::write(&file, revenue_csv(&books).expect("text")).expect("written");
        ask("MW_ORACLE_PYTHON", "schedule.py", &[file.as_os_str(), rate.as_ref()]);
    }
    // Settled months, late deliveries and odd days included.
    for (name, text) in contracts() {
        let rate = match name {
            "usual" => "0.09",
            "dinar" => "0.12",
            _ => continue,
        };
        let file = folder(&format!("books-schedule-{name}")).join("revenue.csv");
        let books = books(&text, 1);
        fs::write(&file, revenue_csv(&books).expect("text")).expect("written");
        ask("MW_ORACLE_PYTHON", "schedule.py", &[file.as_os_str(), rate.as_ref()]);
    }
}
