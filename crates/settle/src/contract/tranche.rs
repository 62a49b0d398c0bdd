//! The tranches of a contract file and their prices.

use super::sections::{MONTHS_MAX, not_negative, share};
use super::written::{Table, Written};
use super::{Index, Prepayment, Price, PriceUnit, Quantity, Step, TakeOrPay, Tranche};
use crate::calendar::Date;
use crate::exact::Exact;

/// The largest tranche in GPUs or kilowatts.
const QUANTITY_MAX: i64 = 1_000_000_000;

/// The most a tranche may be worth over its term, in units of the currency.
const VALUE_MAX: i128 = 100_000_000_000_000;

pub(super) fn tranches(
    root: &Table<'_, '_>,
    take_or_pay: &Option<TakeOrPay>,
    prepayment: Option<&Prepayment>,
) -> Option<Vec<Tranche>> {
    if !root.has("tranche") {
        root.note(1, "tranche", "expected at least one [[tranche]], found none");
    }
    let mut tranches: Vec<Tranche> = Vec::new();
    let mut complete = true;
    for table in root.tables("tranche") {
        match tranche(&table, take_or_pay.as_ref(), prepayment) {
            Some(tranche) => {
                if tranches.iter().any(|earlier| earlier.id == tranche.id) {
                    let text = format!("expected a new name, found {} again", tranche.id);
                    table.note(table.line(), "id", text);
                }
                tranches.push(tranche);
            }
            None => complete = false,
        }
        table.finish();
    }
    (complete && !tranches.is_empty()).then_some(tranches)
}

fn tranche(
    table: &Table<'_, '_>,
    take_or_pay: Option<&TakeOrPay>,
    prepayment: Option<&Prepayment>,
) -> Option<Tranche> {
    let id = table.text_needed("id");
    let gpus = table.whole("gpus", 1, QUANTITY_MAX);
    let delivery = table.date_needed("delivery");
    let months = table.whole_needed("months", 1, MONTHS_MAX);
    let early = table.word("early", &[("refuse", false), ("accept", true)]);
    if let (Some(months), Some(prepayment)) = (months, prepayment)
        && prepayment.credit_from + prepayment.credit_over - 1 > months.value
    {
        let text = format!(
            "expected at least the {} months in which the prepayment is credited, found {}",
            prepayment.credit_from + prepayment.credit_over - 1,
            months.value
        );
        table.note(months.line, "months", text);
    }
    let inner = table.table_needed("price")?;
    let price = price(&inner, delivery, months);
    if let (Some(price), Some(take_or_pay)) = (&price, take_or_pay)
        && price.unit != PriceUnit::GpuHour
        && take_or_pay.share != Exact::ONE
    {
        let text = "expected \"gpu-hour\" where take-or-pay is below 100 percent; \
                    a monthly price is a reservation fee";
        inner.note(inner.line(), "unit", text);
    }
    let kilowatts = price.as_ref().and_then(|price| price.mw).and_then(|mw| {
        let kilowatts = mw * Exact::whole(1_000);
        let whole = i64::try_from(kilowatts.floor()).ok()?;
        (kilowatts.denominator() == 1 && (1..=QUANTITY_MAX).contains(&whole))
            .then_some(whole)
    });
    let gpu_hour = price.as_ref().is_some_and(|price| price.unit == PriceUnit::GpuHour);
    let quantity = match (gpus, kilowatts) {
        (Some(gpus), _) => Some(Quantity::Gpus(gpus.value)),
        (None, Some(kilowatts)) if !gpu_hour => Some(Quantity::Kilowatts(kilowatts)),
        _ => {
            if !table.has("gpus") {
                let text = "expected the number of GPUs, or megawatts in the price that \
                            are a whole number of kilowatts, found neither";
                table.note(table.line(), "gpus", text);
            }
            None
        }
    };
    if let (Some(price), Some(quantity), Some(months)) = (&price, quantity, months) {
        check_value(&inner, price, quantity, months.value);
    }
    inner.finish();
    Some(Tranche {
        id: id?.value.to_owned(),
        quantity: quantity?,
        price: price?,
        delivery: delivery?.value,
        months: months?.value,
        early: early.value,
    })
}

/// Notes a tranche that is worth more than anything real, so that whatever is
/// reckoned from it stays exact.
fn check_value(inner: &Table<'_, '_>, price: &Price, quantity: Quantity, months: i64) {
    let later = price.steps.iter().map(|step| step.amount);
    let most = later.fold(price.amount, Exact::max).floor() + 1;
    let times = match price.unit {
        PriceUnit::GpuHour => i128::from(quantity.count()) * i128::from(months) * 744,
        PriceUnit::MwMonth | PriceUnit::Flat => i128::from(months),
    };
    let value = most.saturating_mul(times);
    if value > VALUE_MAX {
        let text = format!(
            "expected a price that makes a tranche worth at most {VALUE_MAX} over its \
             term, found about {value}"
        );
        inner.note(inner.line(), "amount", text);
    }
}

fn price(
    table: &Table<'_, '_>,
    delivery: Option<Written<Date>>,
    months: Option<Written<i64>>,
) -> Option<Price> {
    let unit = table.word(
        "unit",
        &[
            ("gpu-hour", PriceUnit::GpuHour),
            ("mw-month", PriceUnit::MwMonth),
            ("flat", PriceUnit::Flat),
        ],
    );
    table.text_needed("unit");
    let amount = not_negative(table, "amount", table.decimal_needed("amount"));
    let mw = table.decimal("mw");
    let overage = table.decimal("overage");
    if unit.value != PriceUnit::GpuHour
        && let Some(overage) = overage
    {
        let text = "expected no overage under a monthly price; remove the key";
        table.note(overage.line, "overage", text);
    }
    if unit.value == PriceUnit::MwMonth && !table.has("mw") {
        let text = "expected the megawatts the amount is for, found nothing; add the key";
        table.note(table.line(), "mw", text);
    }
    let overage = not_negative(table, "overage", overage);
    let mw = not_negative(table, "mw", mw);
    let mut steps: Vec<Step> = Vec::new();
    for inner in table.tables("steps") {
        let from = inner.date_needed("from");
        let amount = not_negative(&inner, "amount", inner.decimal_needed("amount"));
        if let (Some(from), Some(delivery), Some(months)) = (from, delivery, months) {
            let end = delivery.value.plus_months(months.value);
            let after = steps.last().map(|step| step.from);
            if from.value < delivery.value
                || from.value >= end
                || after.is_some_and(|after| from.value <= after)
            {
                let text = format!(
                    "expected a day within the term from {} to {end} and after the step \
                     before, found {}",
                    delivery.value, from.value
                );
                inner.note(from.line, "from", text);
            }
        }
        if let (Some(from), Some(amount)) = (from, amount) {
            steps.push(Step { from: from.value, amount });
        }
        inner.finish();
    }
    let index = table.table("index").and_then(|inner| {
        let name = inner.text_needed("name");
        let base = inner.decimal_needed("base");
        if let Some(base) = base
            && (base.value.is_negative() || base.value.is_zero())
        {
            let text = format!("expected a base above 0, found {}", base.value.to_text());
            inner.note(base.line, "base", text);
            return None;
        }
        let moved = share(&inner, "share", inner.decimal("share"), false);
        let floor = not_negative(&inner, "floor", inner.decimal("floor"));
        let cap = inner.decimal("cap");
        if let (Some(floor), Some(cap)) = (floor, cap)
            && cap.value < floor
        {
            let text = format!("expected at least the floor {}", floor.to_text());
            inner.note(cap.line, "cap", text);
        }
        let cap = not_negative(&inner, "cap", cap);
        inner.finish();
        Some(Index {
            name: name?.value.to_owned(),
            base: base?.value,
            share: moved.unwrap_or(Exact::ONE),
            floor,
            cap,
        })
    });
    Some(Price { unit: unit.value, amount: amount?, mw, overage, steps, index })
}
