//! A statement as an invoice of EN 16931, in UBL 2.1.
//!
//! What the statement's lines come to is the invoice; what was paid ahead and credited,
//! and credit carried from and to other statements, is what of it was paid already. A
//! statement that owes the customer is a credit note with the signs turned, of which
//! nothing is payable because it is carried to the next statement.
//!
//! The template is `templates/invoice.xml`; this file makes the words that go in it.

use std::collections::BTreeMap;

use anyhow::bail;
use askama::Template;
use settle::calendar::Zone;
use settle::contract::Currency;
use settle::exact::{Exact, Rounding};
use settle::statement::{Line, LineKind, Statement};

use crate::books::file::Party;
use crate::report::statement::words;

#[derive(Template)]
#[template(path = "invoice.xml", escape = "xml")]
struct Invoice<'i> {
    root: &'static str,
    line_element: &'static str,
    quantity_element: &'static str,
    type_element: &'static str,
    type_code: u16,
    number: &'i str,
    issued: String,
    due: Option<String>,
    notes: Vec<String>,
    currency: &'i str,
    period_start: String,
    period_end: String,
    contract: &'i str,
    corrected: Option<String>,
    parties: [(&'static str, Named); 2],
    terms: String,
    tax: String,
    subtotals: Vec<Subtotal>,
    lines_sum: String,
    tax_exclusive: String,
    tax_inclusive: String,
    prepaid: String,
    payable: String,
    lines: Vec<Item>,
}

/// A party, with what is assumed where nobody said.
struct Named {
    id: String,
    name: String,
    street: Option<String>,
    city: Option<String>,
    postcode: Option<String>,
    country: String,
    tax_id: Option<String>,
}

/// Tax of one rate.
struct Subtotal {
    category: &'static str,
    percent: Option<String>,
    base: String,
    tax: String,
}

/// One line.
struct Item {
    id: usize,
    note: String,
    quantity: String,
    unit: &'static str,
    amount: String,
    start: String,
    end: String,
    name: String,
    category: &'static str,
    percent: Option<String>,
    price: String,
    base_quantity: Option<&'static str>,
}

/// Why a line carries no tax, as the invoice says it.
const NO_TAX: &str = "Not subject to value added tax";

impl Subtotal {
    /// Why there is none, for what is not taxed.
    fn reason(&self) -> Option<&'static str> {
        (self.category == "O").then_some(NO_TAX)
    }
}

/// A statement that was issued, as the text of an invoice.
///
/// Parties are named as `parties` has them; of others the country is taken from the
/// zone and the currency, and a note of the invoice says so.
///
/// # Errors
/// When an amount has more than the two digits after the point that EN 16931 has.
///
/// # Panics
/// When the statement is held.
pub fn invoice(
    statement: &Statement,
    zone: &Zone,
    parties: &BTreeMap<String, Party>,
) -> anyhow::Result<String> {
    if statement.total.places() > 2 {
        bail!(
            "{}: expected a currency with at most two digits after the point, which is all \
             that EN 16931 has, found {}; export it as json, text or pdf",
            statement.number.as_deref().unwrap_or("held"),
            statement.currency
        );
    }
    let number = statement.number.as_deref().expect("it is issued");
    let of_document: Vec<&Line> =
        statement.lines.iter().filter(|line| line.kind != LineKind::Prepayment).collect();
    let sum: i64 = of_document.iter().map(|line| line.amount.as_minor()).sum();
    // Tax on what was paid ahead is settled with it, not on the lines of the invoice.
    let taxed: Vec<_> =
        statement.taxes.iter().filter(|tax| tax.kind != LineKind::Prepayment).collect();
    let tax: i64 = taxed.iter().map(|tax| tax.amount.as_minor()).sum();
    let credit = sum + tax < 0;
    let sign = if credit { -1 } else { 1 };
    let places = u32::from(statement.total.places());
    let money = |minor: i64| units::decimal::text(i128::from(minor), places, places);
    let payable = statement.payable.as_minor();
    let mut notes = vec![format!("Contract {}", statement.contract)];
    let mut named = |id: &str| party(id, statement, zone, parties, &mut notes);
    let (mut supplier, mut customer) =
        (named(&statement.supplier), named(&statement.customer));
    let is_taxed = |kind: LineKind| statement.taxes.iter().find(|tax| tax.kind == kind);
    if taxed.is_empty() {
        // What is not subject to the tax names no number for it.
        (supplier.tax_id, customer.tax_id) = (None, None);
    } else if supplier.tax_id.is_none() {
        notes.push(format!(
            "The number of {} for value added tax is not known; its name stands in its place",
            statement.supplier
        ));
        supplier.tax_id = Some(format!("{}{}", supplier.country, letters(&supplier.id)));
    }
    if statement.carried_out.as_minor() > 0 {
        notes.push(format!(
            "{} {} is credited on the next statement",
            statement.carried_out, statement.currency
        ));
    }
    let nothing = of_document.is_empty().then(|| Item {
        id: 1,
        note: String::new(),
        quantity: "1".to_owned(),
        unit: "C62",
        amount: money(0),
        start: days(statement.period.first_day()).0,
        end: days(statement.period.first_day()).1,
        name: format!("Nothing is charged for {}", statement.period),
        category: "O",
        percent: None,
        price: money(0),
        base_quantity: None,
    });
    let lines = of_document
        .iter()
        .enumerate()
        .map(|(place, line)| {
            let rate = is_taxed(line.kind).map(|tax| tax.rate);
            item(place + 1, line, sign, (rate, !taxed.is_empty()))
        })
        .chain(nothing)
        .collect();
    let (start, end) = days(statement.period.first_day());
    let references = statement.lines.iter().filter_map(|line| {
        line.correction.as_ref().and_then(|correction| correction.reference.clone())
    });
    let text = Invoice {
        root: if credit { "CreditNote" } else { "Invoice" },
        line_element: if credit { "CreditNoteLine" } else { "InvoiceLine" },
        quantity_element: if credit { "CreditedQuantity" } else { "InvoicedQuantity" },
        type_element: if credit { "CreditNoteTypeCode" } else { "InvoiceTypeCode" },
        type_code: if credit { 381 } else { 380 },
        number,
        issued: zone.date(statement.cut.max(statement.as_of)).to_string(),
        due: (!credit).then(|| statement.due.to_string()),
        notes,
        currency: &statement.currency,
        period_start: start,
        period_end: end,
        contract: &statement.contract,
        corrected: references.min(),
        parties: [
            ("AccountingSupplierParty", supplier),
            ("AccountingCustomerParty", customer),
        ],
        terms: format!("Due {}", statement.due),
        tax: money(sign * tax),
        subtotals: subtotals(statement, &of_document, sign, &money),
        lines_sum: money(sign * sum),
        tax_exclusive: money(sign * sum),
        tax_inclusive: money(sign * (sum + tax)),
        prepaid: money(sign * (sum + tax) - payable),
        payable: money(payable),
        lines,
    };
    Ok(text.render()?)
}

/// Tax by rate: what is taxed at a rate, and what is not taxed.
fn subtotals(
    statement: &Statement,
    lines: &[&Line],
    sign: i64,
    money: &dyn Fn(i64) -> String,
) -> Vec<Subtotal> {
    let mut by_rate: BTreeMap<Option<Exact>, (i64, i64)> = BTreeMap::new();
    let any = statement.taxes.iter().any(|tax| tax.kind != LineKind::Prepayment);
    for line in lines {
        let tax = statement.taxes.iter().find(|tax| tax.kind == line.kind);
        let rate = tax.map(|tax| tax.rate);
        // Beside taxed lines, what bears no tax is taxed at nothing.
        let rate = rate.or_else(|| any.then_some(Exact::ZERO));
        by_rate.entry(rate).or_default().0 += line.amount.as_minor();
    }
    for tax in statement.taxes.iter().filter(|tax| tax.kind != LineKind::Prepayment) {
        by_rate.entry(Some(tax.rate)).or_default().1 += tax.amount.as_minor();
    }
    if by_rate.is_empty() {
        by_rate.insert(None, (0, 0));
    }
    let subtotal = |(rate, (base, tax)): (Option<Exact>, (i64, i64))| Subtotal {
        category: category(rate),
        percent: rate.map(percent),
        base: money(sign * base),
        tax: money(sign * tax),
    };
    by_rate.into_iter().map(subtotal).collect()
}

fn category(rate: Option<Exact>) -> &'static str {
    match rate {
        None => "O",
        Some(rate) if rate.is_zero() => "Z",
        Some(_) => "S",
    }
}

fn percent(rate: Exact) -> String {
    (rate * Exact::whole(100))
        .to_text_cut(4)
        .trim_end_matches('0')
        .trim_end_matches('.')
        .to_owned()
}

fn days(first: settle::calendar::Date) -> (String, String) {
    let last = first.period().next().first_day().plus_days(-1);
    (first.to_string(), last.to_string())
}

/// A line: its quantity and price where they make its amount, otherwise one of it.
fn item(
    id: usize,
    line: &Line,
    sign: i64,
    (rate, any_tax): (Option<Exact>, bool),
) -> Item {
    let minor = sign * line.amount.as_minor();
    let places = u32::from(line.amount.places());
    let text = |minor: i64| units::decimal::text(i128::from(minor), places, places);
    let (start, end) = days(line.service.first_day());
    let rate = rate.or_else(|| any_tax.then_some(Exact::ZERO));
    let mut item = Item {
        id,
        note: line.why.clone(),
        quantity: if minor < 0 { "-1".to_owned() } else { "1".to_owned() },
        unit: "C62",
        amount: text(minor),
        start,
        end,
        name: format!(
            "{} of tranche {}, {}",
            words(line.kind),
            line.tranche,
            line.service
        ),
        category: category(rate),
        percent: rate.map(percent),
        price: text(minor.abs()),
        base_quantity: None,
    };
    if let Some((seconds, price)) = by_the_hour(line) {
        item.quantity = (sign * seconds).to_string();
        item.unit = "SEC";
        item.price = price;
        item.base_quantity = Some("3600");
    }
    item
}

/// GPU-seconds and the price of 3 600 of them, where they make the line's amount.
fn by_the_hour(line: &Line) -> Option<(i64, String)> {
    let quantity = line.quantity.as_ref().filter(|quantity| {
        quantity.unit == "GPU-seconds" && quantity.amount.denominator() == 1
    })?;
    let price = line.price.as_deref()?.split(' ').next()?;
    let hourly = Exact::parse(price).ok()?;
    let minor_per_unit = Exact::whole(10_i128.pow(line.amount.places().into()));
    let exact = quantity.amount * hourly * Exact::ratio(1, 3_600) * minor_per_unit;
    let seconds = i64::try_from(quantity.amount.floor()).ok()?;
    let amount = i128::from(line.amount.as_minor());
    let fits = [Rounding::HalfUp, Rounding::HalfEven];
    fits.iter()
        .any(|rule| exact.rounded(*rule) == amount)
        .then(|| (seconds, price.to_owned()))
}

fn letters(text: &str) -> String {
    text.chars().filter(char::is_ascii_alphanumeric).collect()
}

/// A party as it is known, or as far as it can be assumed.
fn party(
    id: &str,
    statement: &Statement,
    zone: &Zone,
    parties: &BTreeMap<String, Party>,
    notes: &mut Vec<String>,
) -> Named {
    if let Some(known) = parties.get(id) {
        return Named {
            id: id.to_owned(),
            name: known.name.clone(),
            street: known.street.clone(),
            city: known.city.clone(),
            postcode: known.postcode.clone(),
            country: known.country.clone(),
            tax_id: known.tax_id.clone(),
        };
    }
    let country = assumed_country(zone.name(), &statement.currency);
    notes.push(format!(
        "The address of {id} is not known; the country {country} is assumed from the \
         contract's time zone and currency"
    ));
    Named {
        id: id.to_owned(),
        name: id.to_owned(),
        street: None,
        city: None,
        postcode: None,
        country: country.to_owned(),
        tax_id: None,
    }
}

/// The country that a zone lies in, or that a currency is of.
fn assumed_country(zone: &str, currency: &str) -> &'static str {
    match zone {
        "Europe/Berlin" => "DE",
        "Europe/Paris" => "FR",
        "Europe/Dublin" => "IE",
        "Europe/Amsterdam" => "NL",
        "Europe/Madrid" => "ES",
        "Europe/Rome" => "IT",
        "Europe/Helsinki" => "FI",
        "Europe/Lisbon" => "PT",
        "Europe/Vienna" => "AT",
        "Europe/Brussels" => "BE",
        "Europe/Athens" => "GR",
        _ => Currency::of_code(currency).map_or("US", |_| country_of(currency)),
    }
}

/// The country whose money a currency is; of the euro the largest that has it.
fn country_of(currency: &str) -> &'static str {
    const COUNTRIES: [(&str, &str); 44] = [
        ("AED", "AE"),
        ("ARS", "AR"),
        ("AUD", "AU"),
        ("BHD", "BH"),
        ("BRL", "BR"),
        ("CAD", "CA"),
        ("CHF", "CH"),
        ("CLP", "CL"),
        ("CNY", "CN"),
        ("COP", "CO"),
        ("CZK", "CZ"),
        ("DKK", "DK"),
        ("EGP", "EG"),
        ("EUR", "DE"),
        ("GBP", "GB"),
        ("HKD", "HK"),
        ("HUF", "HU"),
        ("IDR", "ID"),
        ("ILS", "IL"),
        ("INR", "IN"),
        ("ISK", "IS"),
        ("JOD", "JO"),
        ("JPY", "JP"),
        ("KES", "KE"),
        ("KRW", "KR"),
        ("KWD", "KW"),
        ("MXN", "MX"),
        ("MYR", "MY"),
        ("NGN", "NG"),
        ("NOK", "NO"),
        ("NZD", "NZ"),
        ("OMR", "OM"),
        ("PEN", "PE"),
        ("PHP", "PH"),
        ("PLN", "PL"),
        ("PYG", "PY"),
        ("QAR", "QA"),
        ("RON", "RO"),
        ("SAR", "SA"),
        ("SEK", "SE"),
        ("SGD", "SG"),
        ("THB", "TH"),
        ("TND", "TN"),
        ("ZAR", "ZA"),
    ];
    let found = COUNTRIES.iter().find(|(code, _)| *code == currency);
    found.map_or("US", |(_, country)| country)
}
