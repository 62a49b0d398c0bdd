//! Verifying a statement: made again from contract and facts, and compared.

use super::statement;
use crate::contract::Versions;
use crate::facts::Facts;
use crate::statement::Statement;
use units::Timestamp;

/// Makes a statement again from the contract, the facts and the documents issued
/// before it, and says in words where it differs; nothing when it is the same.
pub fn differences(
    versions: &Versions,
    facts: &Facts,
    issued_before: &[Statement],
    given: &Statement,
) -> Vec<String> {
    let again = statement(versions, facts, issued_before, given.period, given.as_of);
    let mut found = Vec::new();
    let mut compare =
        |what: &str, given: &dyn std::fmt::Display, again: &dyn std::fmt::Display| {
            let (given, again) = (given.to_string(), again.to_string());
            if given != again {
                found.push(format!(
                    "{what}: the statement says {given}, the facts say {again}"
                ));
            }
        };
    let none = || "none".to_owned();
    let instant = |at: Timestamp| at.to_string();
    let seq = |seq: Option<u64>| seq.map_or_else(none, |seq| seq.to_string());
    compare(
        "number",
        &given.number.clone().unwrap_or_else(none),
        &again.number.clone().unwrap_or_else(none),
    );
    compare("revision", &given.revision, &again.revision);
    compare("contract", &given.contract, &again.contract);
    compare("contract_sha256", &given.contract_sha256, &again.contract_sha256);
    compare("supplier", &given.supplier, &again.supplier);
    compare("customer", &given.customer, &again.customer);
    compare("currency", &given.currency, &again.currency);
    compare("cut", &instant(given.cut), &instant(again.cut));
    compare("facts.first", &seq(given.facts.first), &seq(again.facts.first));
    compare("facts.last", &seq(given.facts.last), &seq(again.facts.last));
    compare("facts.count", &given.facts.count, &again.facts.count);
    compare("facts.chain_sha256", &given.facts.chain_sha256, &again.facts.chain_sha256);
    compare("engine", &given.engine, &again.engine);
    compare("subtotal", &given.subtotal, &again.subtotal);
    compare("total", &given.total, &again.total);
    compare("carried_in", &given.carried_in, &again.carried_in);
    compare("payable", &given.payable, &again.payable);
    compare("carried_out", &given.carried_out, &again.carried_out);
    compare("due", &given.due, &again.due);
    tables(given, &again, &mut found);
    if found.is_empty() && *given != again {
        found.push("the statement differs in a field that is not compared".to_owned());
    }
    found
}

/// The rows of a table under their names.
fn rows<T: serde::Serialize>(
    rows: &[T],
    name: impl Fn(&T) -> String,
) -> Vec<(String, String)> {
    let text = |row: &T| serde_json::to_string(row).expect("a row is text and numbers");
    rows.iter().map(|row| (name(row), text(row))).collect()
}

fn tables(given: &Statement, again: &Statement, found: &mut Vec<String>) {
    type Rows = Vec<(String, String)>;
    let lines = |statement: &Statement| -> Rows {
        rows(&statement.lines, |line| {
            format!("line {} {} {}", line.tranche, line.service, line.kind.name())
        })
    };
    let taxes = |statement: &Statement| -> Rows {
        rows(&statement.taxes, |tax| format!("tax on {}", tax.kind.name()))
    };
    let availability = |statement: &Statement| -> Rows {
        rows(&statement.availability, |row| format!("availability of {}", row.tranche))
    };
    let prepayment = |statement: &Statement| -> Rows {
        rows(&statement.prepayment, |row| format!("prepayment of {}", row.tranche))
    };
    let make_up = |statement: &Statement| -> Rows {
        rows(&statement.make_up, |row| format!("make-up of {}", row.tranche))
    };
    let rights = |statement: &Statement| -> Rows {
        rows(&statement.rights, |row| format!("right of {} {:?}", row.tranche, row.kind))
    };
    let held = |statement: &Statement| -> Rows {
        rows(&statement.held, |hold| format!("hold {:?} {:?}", hold.reason, hold.seq))
    };
    let all: [&dyn Fn(&Statement) -> Rows; 7] =
        [&lines, &taxes, &availability, &prepayment, &make_up, &rights, &held];
    for table in all {
        let (given, again) = (table(given), table(again));
        for (name, row) in &given {
            match again.iter().find(|(other, _)| other == name) {
                None => found.push(format!("{name}: only the statement has it, {row}")),
                Some((_, other)) if other != row => found.push(format!(
                    "{name}: the statement says {row}, the facts say {other}"
                )),
                Some(_) => {}
            }
        }
        for (name, row) in &again {
            if !given.iter().any(|(other, _)| other == name) {
                found.push(format!("{name}: only the facts have it, {row}"));
            }
        }
        if found.is_empty() && given != again {
            found.push("the rows stand in another order or number".to_owned());
        }
    }
}
