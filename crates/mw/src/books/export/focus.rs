//! What was billed and what is committed, as FOCUS has them.
//!
//! FOCUS is the FinOps Foundation's open specification of cost and usage. Usage is the
//! dataset of version 1.2: a row a line, a row a tax, and rows for credit carried, so
//! that the billed cost of an invoice is what it asks to be paid. Commitments are the
//! Contract Commitment dataset of version 1.4: a row a tranche.
//!
//! A monthly fee is priced by the month: one of it, at its amount, so that price times
//! quantity is the cost to the cent; what was consumed is in unit-seconds.

use std::io::Write;

use settle::calendar::Zone;
use settle::contract::{Contract, Quantity, Tranche};
use settle::exact::{Amount, Exact};
use settle::prepayment::signed_value;
use settle::statement::{Line, LineKind, Statement};
use units::Timestamp;

use super::ascii;
use crate::books::OneContract;
use crate::report::statement::words;

/// The columns of a usage row, in the order of their names.
const USAGE: [&str; 57] = [
    "AvailabilityZone",
    "BilledCost",
    "BillingAccountId",
    "BillingAccountName",
    "BillingAccountType",
    "BillingCurrency",
    "BillingPeriodEnd",
    "BillingPeriodStart",
    "CapacityReservationId",
    "CapacityReservationStatus",
    "ChargeCategory",
    "ChargeClass",
    "ChargeDescription",
    "ChargeFrequency",
    "ChargePeriodEnd",
    "ChargePeriodStart",
    "CommitmentDiscountCategory",
    "CommitmentDiscountId",
    "CommitmentDiscountName",
    "CommitmentDiscountQuantity",
    "CommitmentDiscountStatus",
    "CommitmentDiscountType",
    "CommitmentDiscountUnit",
    "ConsumedQuantity",
    "ConsumedUnit",
    "ContractedCost",
    "ContractedUnitPrice",
    "EffectiveCost",
    "InvoiceId",
    "InvoiceIssuerName",
    "ListCost",
    "ListUnitPrice",
    "PricingCategory",
    "PricingCurrency",
    "PricingCurrencyContractedUnitPrice",
    "PricingCurrencyEffectiveCost",
    "PricingCurrencyListUnitPrice",
    "PricingQuantity",
    "PricingUnit",
    "ProviderName",
    "PublisherName",
    "RegionId",
    "RegionName",
    "ResourceId",
    "ResourceName",
    "ResourceType",
    "ServiceCategory",
    "ServiceName",
    "ServiceSubcategory",
    "SkuId",
    "SkuMeter",
    "SkuPriceDetails",
    "SkuPriceId",
    "SubAccountId",
    "SubAccountName",
    "SubAccountType",
    "Tags",
];

/// The columns of a commitment row.
const COMMITMENT: [&str; 30] = [
    "BillingCurrency",
    "ContractCommitmentApplicability",
    "ContractCommitmentBenefitCategory",
    "ContractCommitmentCategory",
    "ContractCommitmentCost",
    "ContractCommitmentCreated",
    "ContractCommitmentDescription",
    "ContractCommitmentDiscountPercentage",
    "ContractCommitmentDurationType",
    "ContractCommitmentFulfillmentInterval",
    "ContractCommitmentId",
    "ContractCommitmentLastUpdated",
    "ContractCommitmentLifecycleStatus",
    "ContractCommitmentModel",
    "ContractCommitmentOfferCategory",
    "ContractCommitmentPaymentInterval",
    "ContractCommitmentPaymentModel",
    "ContractCommitmentPaymentUpfrontPercentage",
    "ContractCommitmentPeriodEnd",
    "ContractCommitmentPeriodStart",
    "ContractCommitmentQuantity",
    "ContractCommitmentType",
    "ContractCommitmentUnit",
    "ContractId",
    "ContractPeriodEnd",
    "ContractPeriodStart",
    "InvoiceIssuerName",
    "PricingCurrency",
    "PricingCurrencyContractCommitmentCost",
    "ServiceProviderName",
];

/// One row: values by column, empty where there is none.
struct Row<'c> {
    columns: &'c [&'static str],
    values: Vec<String>,
}

impl<'c> Row<'c> {
    fn new(columns: &'c [&'static str]) -> Self {
        Self { columns, values: vec![String::new(); columns.len()] }
    }

    fn set(&mut self, column: &str, value: impl Into<String>) {
        let place = self.columns.iter().position(|name| *name == column);
        self.values[place.expect("a column of the dataset")] = ascii(&value.into());
    }
}

/// A number as FOCUS readers take it for a decimal: with a point.
fn numeric(text: String) -> String {
    if text.contains('.') { text } else { text + ".0" }
}

/// An instant as FOCUS writes it, to the second.
fn instant(at: Timestamp) -> String {
    let text = at.to_string();
    match text.len() {
        17 => text.replace('Z', ":00Z"),
        _ => text,
    }
}

/// Writes what was billed, a row a line.
///
/// # Errors
/// When the writer fails.
pub fn usage(contracts: &[OneContract], to: &mut dyn Write) -> anyhow::Result<()> {
    let mut writer = csv::Writer::from_writer(to);
    writer.write_record(USAGE)?;
    for one in contracts {
        let zone = &one.versions.first().zone;
        for statement in &one.issued {
            for row in rows(statement, zone) {
                writer.write_record(&row.values)?;
            }
        }
    }
    writer.flush()?;
    Ok(())
}

fn rows(statement: &Statement, zone: &Zone) -> Vec<Row<'static>> {
    let mut found = Vec::new();
    for line in &statement.lines {
        let mut row = base(statement, zone);
        charge(&mut row, statement, line, zone);
        found.push(row);
    }
    for tax in &statement.taxes {
        let mut row = base(statement, zone);
        cost(&mut row, tax.amount);
        row.set("ChargeCategory", "Tax");
        row.set("ChargeDescription", format!("Tax on {}", words(tax.kind)));
        row.set("ChargeFrequency", "Usage-Based");
        row.set("ServiceName", "Capacity");
        found.push(row);
    }
    let places = statement.total.places();
    let carried = [
        (-statement.carried_in.as_minor(), "Credit from the statement before"),
        (statement.carried_out.as_minor(), "Credit to the next statement"),
    ];
    for (minor, text) in carried {
        if minor == 0 {
            continue;
        }
        let mut row = base(statement, zone);
        cost(&mut row, Amount::from_minor(minor, places));
        row.set("ChargeCategory", "Credit");
        row.set("ChargeDescription", text);
        row.set("ChargeFrequency", "One-Time");
        row.set("ServiceName", "Capacity");
        found.push(row);
    }
    found
}

/// What every row of a statement has.
fn base(statement: &Statement, zone: &Zone) -> Row<'static> {
    let mut row = Row::new(&USAGE);
    let month = zone.month(statement.period);
    row.set("BillingAccountId", &statement.contract);
    row.set("BillingAccountName", &statement.customer);
    row.set("BillingAccountType", "Contract");
    row.set("BillingCurrency", &statement.currency);
    row.set("BillingPeriodStart", instant(month.start));
    row.set("BillingPeriodEnd", instant(month.end));
    row.set("ChargePeriodStart", instant(month.start));
    row.set("ChargePeriodEnd", instant(month.end));
    row.set("InvoiceId", statement.number.as_deref().unwrap_or_default());
    row.set("InvoiceIssuerName", &statement.supplier);
    row.set("ProviderName", &statement.supplier);
    row.set("PublisherName", &statement.supplier);
    row.set("PricingCurrency", &statement.currency);
    row.set("ServiceCategory", "Compute");
    row.set("ServiceSubcategory", "Other (Compute)");
    row
}

/// The costs of a row: there is one price, which the contract states.
fn cost(row: &mut Row<'_>, amount: Amount) {
    for column in [
        "BilledCost",
        "ContractedCost",
        "EffectiveCost",
        "ListCost",
        "PricingCurrencyEffectiveCost",
    ] {
        row.set(column, numeric(amount.to_string()));
    }
}

fn charge(row: &mut Row<'_>, statement: &Statement, line: &Line, zone: &Zone) {
    let service = zone.month(line.service);
    cost(row, line.amount);
    row.set("ChargePeriodStart", instant(service.start));
    row.set("ChargePeriodEnd", instant(service.end));
    row.set("SubAccountId", format!("{}/{}", statement.contract, line.tranche));
    row.set("SubAccountName", &line.tranche);
    row.set("SubAccountType", "Tranche");
    row.set("ServiceName", "Capacity");
    row.set(
        "ChargeDescription",
        format!("{} of tranche {}: {}", words(line.kind), line.tranche, line.why),
    );
    let corrected = line.correction.is_some();
    if corrected {
        row.set("ChargeClass", "Correction");
        if let Some(reference) =
            line.correction.as_ref().and_then(|correction| correction.reference.as_ref())
        {
            let tags = serde_json::json!({ "mw:ReferenceInvoiceId": reference });
            row.set("Tags", tags.to_string());
        }
    }
    let used = match line.kind {
        LineKind::Capacity | LineKind::Overage | LineKind::Power => Some("Used"),
        LineKind::Shortfall => Some("Unused"),
        LineKind::Sla
        | LineKind::Delay
        | LineKind::Prepayment
        | LineKind::Refund
        | LineKind::TerminationFee => None,
    };
    let Some(used) = used else {
        row.set(
            "ChargeCategory",
            match line.kind {
                LineKind::TerminationFee => "Adjustment",
                LineKind::Capacity
                | LineKind::Shortfall
                | LineKind::Overage
                | LineKind::Sla
                | LineKind::Delay
                | LineKind::Power
                | LineKind::Prepayment
                | LineKind::Refund => "Credit",
            },
        );
        row.set("ChargeFrequency", "One-Time");
        return;
    };
    row.set("ChargeCategory", "Usage");
    row.set("ChargeFrequency", "Usage-Based");
    let reservation = format!("{}/{}", statement.contract, line.tranche);
    if line.kind != LineKind::Power {
        row.set("CapacityReservationId", &reservation);
        row.set("CapacityReservationStatus", used);
    }
    row.set("ResourceId", &reservation);
    row.set("ResourceName", format!("Tranche {}", line.tranche));
    row.set("ResourceType", "GPU capacity");
    let sku = format!("{reservation}/{}", line.kind.name());
    row.set("SkuId", &sku);
    row.set("SkuPriceId", format!("{sku}/month"));
    row.set("SkuMeter", words(line.kind));
    row.set("PricingCategory", "Committed");
    if let Some(quantity) = &line.quantity
        && used == "Used"
        && !corrected
    {
        row.set("ConsumedQuantity", decimal(quantity.amount));
        let unit = match quantity.unit.as_str() {
            "GPU-seconds" => "GPU-Seconds",
            "kW-seconds" => "kW-Seconds",
            other => other,
        };
        row.set("ConsumedUnit", unit);
    }
    // A price is not below nothing: what is, is one of it taken back.
    let (quantity, price) = if line.amount.as_minor() < 0 {
        ("-1.0", Amount::from_minor(-line.amount.as_minor(), line.amount.places()))
    } else {
        ("1.0", line.amount)
    };
    row.set("PricingQuantity", quantity);
    row.set("PricingUnit", "Months");
    for column in [
        "ListUnitPrice",
        "ContractedUnitPrice",
        "PricingCurrencyListUnitPrice",
        "PricingCurrencyContractedUnitPrice",
    ] {
        row.set(column, numeric(price.to_string()));
    }
}

/// A quantity in decimal, cut to six digits where it has no end.
fn decimal(exact: Exact) -> String {
    let text = exact.to_text();
    numeric(if text.contains('/') { exact.to_text_cut(6) } else { text })
}

/// Writes what is committed, a row a tranche.
///
/// # Errors
/// When the writer fails.
pub fn commitments(contracts: &[OneContract], to: &mut dyn Write) -> anyhow::Result<()> {
    let mut writer = csv::Writer::from_writer(to);
    writer.write_record(COMMITMENT)?;
    for one in contracts {
        let terms = one.versions.all().last().expect("a version");
        for tranche in &terms.tranches {
            writer.write_record(&commitment(one, terms, tranche).values)?;
        }
    }
    writer.flush()?;
    Ok(())
}

fn commitment(one: &OneContract, contract: &Contract, tranche: &Tranche) -> Row<'static> {
    let mut row = Row::new(&COMMITMENT);
    let zone = &contract.zone;
    let first = one.versions.first();
    let span = |tranche: &Tranche| {
        let start = zone.midnight(tranche.delivery);
        (start, zone.months_after(start, tranche.months))
    };
    let (start, end) = span(tranche);
    let all = contract.tranches.iter().map(span);
    let last = all.map(|(_, end)| end).max().unwrap_or(end);
    let code = &contract.currency.code;
    let value = signed_value(contract, tranche) * contract.currency.minor_per_unit();
    let minor = i64::try_from(value.rounded(contract.rounding)).expect("a value fits");
    let value = Amount::from_minor(minor, contract.currency.places).to_string();
    let value = numeric(value);
    let ahead = contract.prepayment.as_ref().map(|terms| terms.share);
    let model = match ahead {
        None => "No Upfront",
        Some(share) if share.is_zero() => "No Upfront",
        Some(share) if share == Exact::ONE => "All Upfront",
        Some(_) => "Partial Upfront",
    };
    let unit = match tranche.quantity {
        Quantity::Gpus(_) => "GPUs",
        Quantity::Kilowatts(_) => "kW",
    };
    let status = if one.as_of < start {
        "Pending"
    } else if one.as_of >= end {
        "Expired"
    } else {
        "Active"
    };
    row.set("BillingCurrency", code);
    row.set("PricingCurrency", code);
    let applies = serde_json::json!({
        "InclusionOperator": "And",
        "Inclusions": [{
            "Dimension": "SubAccountId",
            "Operator": "In",
            "Values": [format!("{}/{}", contract.id, tranche.id)],
        }],
    });
    row.set("ContractCommitmentApplicability", applies.to_string());
    row.set("ContractCommitmentBenefitCategory", "Availability");
    row.set("ContractCommitmentCategory", "Usage");
    row.set("ContractCommitmentCost", &value);
    row.set("PricingCurrencyContractCommitmentCost", value);
    row.set("ContractCommitmentCreated", instant(zone.midnight(first.effective)));
    row.set("ContractCommitmentLastUpdated", instant(zone.midnight(contract.effective)));
    row.set(
        "ContractCommitmentDescription",
        format!("Tranche {} of {}", tranche.id, contract.id),
    );
    row.set("ContractCommitmentDurationType", duration(tranche.months));
    row.set("ContractCommitmentFulfillmentInterval", "Monthly");
    row.set("ContractCommitmentId", format!("{}/{}", contract.id, tranche.id));
    row.set("ContractCommitmentLifecycleStatus", status);
    row.set("ContractCommitmentModel", "Continuous");
    row.set("ContractCommitmentOfferCategory", "Negotiated");
    row.set("ContractCommitmentPaymentInterval", "Monthly");
    row.set("ContractCommitmentPaymentModel", model);
    row.set(
        "ContractCommitmentPaymentUpfrontPercentage",
        decimal(ahead.unwrap_or(Exact::ZERO)),
    );
    row.set("ContractCommitmentPeriodStart", instant(start));
    row.set("ContractCommitmentPeriodEnd", instant(end));
    row.set("ContractCommitmentQuantity", tranche.quantity.count().to_string());
    row.set("ContractCommitmentType", "Capacity Reservation");
    row.set("ContractCommitmentUnit", unit);
    row.set("ContractId", &contract.id);
    row.set("ContractPeriodStart", instant(zone.midnight(first.effective)));
    row.set("ContractPeriodEnd", instant(last));
    row.set("InvoiceIssuerName", &contract.supplier);
    row.set("ServiceProviderName", &contract.supplier);
    row
}

/// A length in months as the specification spells it, in years where it is whole years.
fn duration(months: i64) -> String {
    match (months % 12, months / 12) {
        (0, years) => format!("{years}-Year"),
        _ => format!("{months}-Month"),
    }
}
