//! A statement as a PDF: what a finance person files and a customer pays from.
//!
//! A4, one column of figures, thousands apart, nothing in colour that is not in words.
//! Pages break between rows, and every page says which it is.

mod sheet;

use std::collections::BTreeMap;

use settle::calendar::{Period, Zone};
use settle::exact::Amount;
use settle::statement::{AvailabilityRow, Line, Statement};

use crate::books::file::Party;
use crate::report::figures::grouped;
use crate::report::statement::{numbers, words};
use sheet::{BOTTOM, LEFT, RIGHT, Sheet, Style};

/// Where the columns of the lines begin or end.
const SERVICE: f32 = 118.0;
const WHAT: f32 = 168.0;
const QUANTITY: f32 = 392.0;
const PRICE: f32 = 462.0;

/// A statement as the bytes of a PDF, always the same for the same statement; the day
/// it was made is that of `zone`, and parties are named as `parties` has them.
///
/// # Errors
/// When the document cannot be made; that is a fault of ours.
pub fn statement(
    statement: &Statement,
    zone: &Zone,
    parties: &BTreeMap<String, Party>,
) -> anyhow::Result<Vec<u8>> {
    let mut page = Page { sheet: Sheet::new(), statement };
    page.head(zone, parties);
    page.held();
    page.lines();
    page.sums();
    page.availability();
    page.prepayment();
    page.rights();
    page.proof();
    let number = statement.number.as_deref().unwrap_or("held");
    let title = format!("Statement {number}");
    let foot = format!("{title} · {} · {}", statement.contract, statement.period);
    page.sheet.finish(&title, &foot)
}

struct Page<'p> {
    sheet: Sheet,
    statement: &'p Statement,
}

/// An address on one line.
fn address(party: &Party) -> String {
    let parts = [&party.street, &party.postcode, &party.city];
    let known = parts.into_iter().flatten().chain([&party.country]);
    known.map(String::as_str).collect::<Vec<_>>().join(", ")
}

fn money(amount: Amount) -> String {
    let text = grouped(&amount.to_string());
    // A true minus, as wide as a digit.
    text.replace('-', "\u{2212}")
}

fn month(period: Period) -> String {
    const NAMES: [&str; 12] = [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ];
    let name =
        usize::try_from(period.month() - 1).ok().and_then(|place| NAMES.get(place));
    format!("{} {}", name.unwrap_or(&""), period.year())
}

impl Page<'_> {
    fn head(&mut self, zone: &Zone, parties: &BTreeMap<String, Party>) {
        let one = self.statement;
        let sheet = &mut self.sheet;
        let named = |id: &str| match parties.get(id) {
            Some(party) => (party.name.clone(), address(party)),
            None => (id.to_owned(), String::new()),
        };
        let ((supplier, from), (customer, to)) =
            (named(&one.supplier), named(&one.customer));
        sheet.fitted(LEFT, 330.0, &supplier, Style::LARGE);
        let title = if one.is_held() { "Statement held" } else { "Statement" };
        sheet.right(RIGHT, title, Style::LARGE);
        sheet.down(14.0);
        sheet.fitted(LEFT, 330.0, &from, Style::QUIET);
        sheet.down(14.0);
        sheet.fitted(LEFT, 330.0, &format!("to {customer}"), Style::TEXT);
        sheet.right(
            RIGHT,
            one.number.as_deref().unwrap_or("without a number"),
            Style::BOLD,
        );
        sheet.down(12.0);
        sheet.fitted(LEFT, 330.0, &to, Style::QUIET);
        sheet.down(22.0);
        let facts = [
            ("Contract", one.contract.clone()),
            ("Period", month(one.period)),
            ("Made on", zone.date(one.cut.max(one.as_of)).to_string()),
            ("Due", one.due.to_string()),
            ("Currency", one.currency.clone()),
        ];
        let width = (RIGHT - LEFT) / 5.0;
        for (place, (name, _)) in (0_u8..).zip(&facts) {
            sheet.left(LEFT + width * f32::from(place), name, Style::QUIET);
        }
        sheet.down(13.0);
        for (place, (_, value)) in (0_u8..).zip(&facts) {
            let at = LEFT + width * f32::from(place);
            sheet.fitted(at, width - 8.0, value, Style::BOLD);
        }
        sheet.down(10.0);
        sheet.rule(0.8);
        sheet.down(22.0);
        sheet.left(LEFT, "Amount payable", Style::TEXT);
        sheet.right(
            RIGHT,
            &format!("{} {}", one.currency, money(one.payable)),
            Style::LARGE,
        );
        sheet.down(26.0);
    }

    fn held(&mut self) {
        if self.statement.held.is_empty() {
            return;
        }
        self.sheet.left(LEFT, "Nothing is posted, because", Style::BOLD);
        self.sheet.down(13.0);
        for hold in &self.statement.held {
            self.sheet.paragraph(LEFT + 8.0, RIGHT, &hold.text, Style::TEXT);
        }
        self.sheet.down(8.0);
    }

    fn lines(&mut self) {
        let one = self.statement;
        let corrections: Vec<&Line> =
            one.lines.iter().filter(|line| line.service != one.period).collect();
        self.line_heads("Charges and credits");
        if one.lines.len() == corrections.len() {
            self.sheet.left(LEFT, "Nothing is charged for the month.", Style::TEXT);
            self.sheet.down(15.0);
        }
        for line in one.lines.iter().filter(|line| line.service == one.period) {
            self.line(line);
        }
        if corrections.is_empty() {
            return;
        }
        self.sheet.down(8.0);
        self.line_heads("Corrections of earlier months");
        for line in corrections {
            self.line(line);
        }
    }

    fn line_heads(&mut self, title: &str) {
        let sheet = &mut self.sheet;
        sheet.keep(44.0);
        sheet.left(LEFT, title, Style::BOLD);
        sheet.down(15.0);
        sheet.left(LEFT, "Tranche", Style::QUIET);
        sheet.left(SERVICE, "Month", Style::QUIET);
        sheet.left(WHAT, "For", Style::QUIET);
        sheet.right(QUANTITY, "Quantity", Style::QUIET);
        sheet.right(PRICE, "Price", Style::QUIET);
        sheet.right(RIGHT, "Amount", Style::QUIET);
        sheet.down(5.0);
        sheet.rule(0.4);
        sheet.down(13.0);
    }

    fn line(&mut self, line: &Line) {
        let sheet = &mut self.sheet;
        sheet.keep(28.0);
        sheet.fitted(LEFT, SERVICE - LEFT - 6.0, &line.tranche, Style::TEXT);
        sheet.left(SERVICE, &line.service.to_string(), Style::TEXT);
        sheet.left(WHAT, &capital(words(line.kind)), Style::TEXT);
        let mut note = line.why.clone();
        if let Some(quantity) = &line.quantity {
            let (amount, unit) = hours(&quantity.amount, &quantity.unit);
            sheet.right(QUANTITY, &format!("{amount} {unit}"), Style::SMALL);
        }
        if let Some(price) = &line.price {
            // The unit of the price is in the note, the figure in its column.
            let (figure, rest) = price.split_once(' ').unwrap_or((price, ""));
            sheet.right(PRICE, figure, Style::SMALL);
            note = format!("{rest}; {note}");
        }
        sheet.right(RIGHT, &money(line.amount), Style::TEXT);
        sheet.down(11.0);
        if let Some(correction) = &line.correction {
            let reference = correction.reference.as_deref().unwrap_or("no document");
            note = format!(
                "{note}; first billed by {reference}; facts since: {}",
                numbers(&correction.causes)
            );
        }
        if !note.is_empty() {
            sheet.paragraph(WHAT, RIGHT - 76.0, &note, Style::SMALL);
        }
        sheet.down(6.0);
    }

    fn sums(&mut self) {
        let one = self.statement;
        self.sheet.keep(84.0);
        self.sheet.rule(0.4);
        self.sheet.down(14.0);
        let mut sum = |name: &str, amount: Amount, style| {
            self.sheet.right(PRICE, name, style);
            self.sheet.right(RIGHT, &money(amount), style);
            self.sheet.down(14.0);
        };
        sum("Subtotal", one.subtotal, Style::TEXT);
        for tax in &one.taxes {
            let rate = (tax.rate * settle::exact::Exact::whole(100)).to_text_cut(2);
            let name = format!("Tax on {}, {rate} %", words(tax.kind));
            sum(&name, tax.amount, Style::TEXT);
        }
        sum("Total", one.total, Style::BOLD);
        if !one.carried_in.is_zero() {
            let less =
                Amount::from_minor(-one.carried_in.as_minor(), one.carried_in.places());
            sum("Credit from the statement before", less, Style::TEXT);
        }
        if !one.carried_out.is_zero() {
            sum("Credit to the next statement", one.carried_out, Style::TEXT);
        }
        sum(&format!("Payable by {}", one.due), one.payable, Style::BOLD);
        self.sheet.down(12.0);
    }

    fn availability(&mut self) {
        let one = self.statement;
        if one.availability.is_empty() {
            return;
        }
        let heads = ["Reserved", "Available", "Down", "Excused", "Other", "Availability"];
        self.table("Availability, in unit-hours", &heads);
        for row in &one.availability {
            let seconds = &row.seconds;
            let other = seconds.degraded + seconds.unknown;
            let cells = [
                seconds.reserved,
                seconds.available,
                seconds.down,
                seconds.excused(),
                other,
            ];
            let mut cells: Vec<String> = cells.into_iter().map(unit_hours).collect();
            cells.push(format!("{} %", row.percent));
            self.row(&label(row), &cells);
        }
        self.sheet.down(12.0);
    }

    fn prepayment(&mut self) {
        let one = self.statement;
        if one.prepayment.is_empty() {
            return;
        }
        let heads = ["Agreed", "Received", "Credited", "Owed back", "Remaining"];
        self.table("Paid ahead", &heads);
        for row in &one.prepayment {
            let cells =
                [row.agreed, row.received, row.applied, row.refunded, row.remaining];
            let cells: Vec<String> = cells.into_iter().map(money).collect();
            self.row(&row.tranche, &cells);
        }
        self.sheet.down(12.0);
    }

    fn table(&mut self, title: &str, heads: &[&str]) {
        let sheet = &mut self.sheet;
        sheet.keep(50.0);
        sheet.left(LEFT, title, Style::BOLD);
        sheet.down(15.0);
        sheet.left(LEFT, "Tranche", Style::QUIET);
        for (place, head) in (0_u8..).zip(heads) {
            sheet.right(column(place, heads.len()), head, Style::QUIET);
        }
        sheet.down(5.0);
        sheet.rule(0.4);
        sheet.down(12.0);
    }

    fn row(&mut self, label: &str, cells: &[String]) {
        let sheet = &mut self.sheet;
        sheet.keep(14.0);
        sheet.fitted(LEFT, 62.0, label, Style::SMALL);
        for (place, cell) in (0_u8..).zip(cells) {
            sheet.right(column(place, cells.len()), cell, Style::SMALL);
        }
        sheet.down(12.0);
    }

    fn rights(&mut self) {
        if self.statement.rights.is_empty() {
            return;
        }
        self.sheet.keep(30.0);
        self.sheet.left(LEFT, "Rights that have arisen, to exercise or not", Style::BOLD);
        self.sheet.down(13.0);
        for right in &self.statement.rights {
            let text = format!("{}, since {}: {}", right.tranche, right.since, right.why);
            self.sheet.paragraph(LEFT, RIGHT, &text, Style::SMALL);
        }
        self.sheet.down(12.0);
    }

    /// What the figures rest on, so that anybody can make them again.
    fn proof(&mut self) {
        let one = self.statement;
        let facts = &one.facts;
        let range = match (facts.first, facts.last) {
            (Some(first), Some(last)) => format!(
                "{} facts, {first} to {last}, known by {}; their chain ends in {}.",
                facts.count, one.as_of, facts.chain_sha256
            ),
            _ => "No fact was known.".to_owned(),
        };
        let text = format!(
            "Made from contract file {} and {range} Settled by {}. Anybody who has both \
             can make this statement again.",
            one.contract_sha256, one.engine
        );
        self.sheet.keep(40.0);
        self.sheet.rule(0.4);
        self.sheet.down(12.0);
        self.sheet.paragraph(LEFT, RIGHT, &text, Style::SMALL);
        debug_assert!(self.sheet.at() <= BOTTOM, "rows stay on the page");
    }
}

/// The right edge of a table's column.
fn column(place: u8, count: usize) -> f32 {
    let first = 118.0;
    let count = u8::try_from(count).expect("few columns");
    let width = (RIGHT - first) / f32::from(count);
    first + width * f32::from(place + 1)
}

fn label(row: &AvailabilityRow) -> String {
    let unit = row.unit.strip_suffix("-seconds").unwrap_or(&row.unit);
    format!("{} ({unit})", row.tranche)
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// Unit-seconds as unit-hours with two digits, for reading.
fn unit_hours(seconds: i64) -> String {
    let hours = settle::exact::Exact::ratio(seconds.into(), 3_600);
    grouped(&hours.to_text_cut(2))
}

/// A quantity as people say it: hours instead of seconds.
fn hours(amount: &settle::exact::Exact, unit: &str) -> (String, String) {
    let scaled = |per: i128| {
        grouped(&(*amount * settle::exact::Exact::ratio(1, per)).to_text_cut(2))
    };
    match unit.strip_suffix("-seconds") {
        Some(of) => (scaled(3_600), format!("{of}-hours")),
        None if unit == "Wh" => (scaled(1_000_000), "MWh".to_owned()),
        None => (grouped(&amount.to_text()), unit.to_owned()),
    }
}
