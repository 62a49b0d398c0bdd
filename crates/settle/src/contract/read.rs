//! Reading a contract file, strictly: every problem found in one reading.

use super::written::{Source, Table};
use super::{Contract, Currency, Document, Hash, Problems};
use super::{sections, tranche};
use crate::calendar::Zone;
use crate::exact::Rounding;
use toml::de::DeTable;

impl Contract {
    /// Reads a contract from the text of its file.
    ///
    /// # Errors
    /// Every problem in the file: unknown, missing and mistyped keys, and terms
    /// that contradict each other, each with its line and key.
    pub fn read(text: &str) -> Result<Self, Problems> {
        let source = Source::new(text);
        let (tree, errors) = DeTable::parse_recoverable(text);
        if !errors.is_empty() {
            for error in errors {
                let offset = error.span().map_or(0, |span| span.start);
                let first = error.message().lines().next().unwrap_or("").to_owned();
                source.note(
                    source.line(offset),
                    "",
                    format!("this is not TOML: {first}"),
                );
            }
            return Err(source.finish().expect("an error was noted"));
        }
        let root = Table::root(&source, tree.get_ref());
        let contract = read_root(&root, Hash::of(text.as_bytes()));
        root.finish();
        match (contract, source.finish()) {
            (Some(contract), None) => Ok(contract),
            (_, Some(problems)) => Err(problems),
            (None, None) => unreachable!("a contract that is not read has a problem"),
        }
    }
}

fn read_root(root: &Table<'_, '_>, hash: Hash) -> Option<Contract> {
    root.text_needed("schema");
    root.word("schema", &[("capacity-contract/1", ())]);
    let id = root.text_needed("id");
    let supersedes = root.text("supersedes").and_then(|written| {
        let hash = Hash::parse(written.value);
        if hash.is_none() && !written.value.is_empty() {
            root.note(
                written.line,
                "supersedes",
                format!(
                    "expected the SHA-256 of a file in hexadecimal or nothing, found \"{}\"",
                    written.value
                ),
            );
        }
        hash
    });
    let supplier = root.text_needed("supplier");
    let customer = root.text_needed("customer");
    let currency = root.text_needed("currency").and_then(|written| {
        let currency = Currency::of_code(written.value);
        if currency.is_none() {
            root.note(
                written.line,
                "currency",
                format!(
                    "expected a currency of ISO 4217 such as \"USD\", found \"{}\"",
                    written.value
                ),
            );
        }
        currency
    });
    let zone = root.text_needed("timezone").and_then(|written| {
        let zone = Zone::named(written.value);
        if zone.is_none() {
            root.note(
                written.line,
                "timezone",
                format!(
                    "expected a zone such as \"UTC\" or \"America/Chicago\", found \"{}\"",
                    written.value
                ),
            );
        }
        zone
    });
    let effective = root.date_needed("effective");
    root.text("law");
    let document = root.table("document").and_then(|table| {
        let (name, sha256) = (table.text_needed("name"), table.text_needed("sha256"));
        table.finish();
        Some(Document { name: name?.value.to_owned(), sha256: sha256?.value.to_owned() })
    });
    let rounding = root.table("rounding").map_or(Rounding::HalfUp, |table| {
        let money = table.word(
            "money",
            &[("line-half-up", Rounding::HalfUp), ("line-half-even", Rounding::HalfEven)],
        );
        table.word("quantity", &[("exact", ())]);
        table.word("allocation", &[("largest-remainder", ())]);
        table.finish();
        money.value
    });
    let billing = sections::billing(root);
    let take_or_pay = sections::take_or_pay(root);
    let sla = sections::sla(root);
    let power_floor_watts_per_gpu = sections::power_floor(root);
    let flex_hours_per_month = sections::flex(root);
    let prepayment = sections::prepayment(root);
    let delay = sections::delay(root);
    let termination = sections::termination(root);
    let power = sections::power(root);
    let tax = sections::tax(root);
    let accounting = sections::accounting(root);
    let tranches = tranche::tranches(root, &take_or_pay, prepayment.as_ref());
    Some(Contract {
        hash,
        id: id?.value.to_owned(),
        supersedes,
        supplier: supplier?.value.to_owned(),
        customer: customer?.value.to_owned(),
        currency: currency?,
        zone: zone?,
        effective: effective?.value,
        document,
        rounding,
        billing: billing?,
        take_or_pay: take_or_pay?,
        sla,
        power_floor_watts_per_gpu,
        flex_hours_per_month,
        prepayment,
        delay,
        termination,
        power,
        tax,
        tranches: tranches?,
        accounting,
    })
}
