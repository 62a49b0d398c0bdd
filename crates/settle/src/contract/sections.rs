//! The sections of a contract file and what each may say.

use super::written::{Table, Written};
use super::{
    AvailabilityRight, Basis, Billing, Claim, Delay, DelayCredit, Excused, GapPolicy,
    GridEmergency, MakeUp, Planned, Power, PowerMode, Prepayment, Refundable, Sla,
    TakeOrPay, Termination, Tier,
};
use crate::exact::Exact;
use crate::facts::beyond_per_mwh;
use crate::statement::LineKind;
use std::collections::BTreeMap;

/// The longest service: a century, so that dates stay within the calendar.
pub(super) const MONTHS_MAX: i64 = 1_200;
/// The most days any term may count: ten years.
const DAYS_MAX: i64 = 3_650;
fn hundredth() -> Exact {
    Exact::ratio(1, 100)
}

/// Notes `what` unless the value lies in `[0, 1]`, or `(0, 1]` when `positive`.
pub(super) fn share(
    table: &Table<'_, '_>,
    key: &str,
    written: Option<Written<Exact>>,
    positive: bool,
) -> Option<Exact> {
    let written = written?;
    let low = written.value.is_negative() || positive && written.value.is_zero();
    if low || written.value > Exact::ONE {
        let range = if positive { "above 0 and at most 1" } else { "from 0 to 1" };
        let found = written.value.to_text();
        table.note(
            written.line,
            key,
            format!("expected a share {range}, found {found}; write 5 % as \"0.05\""),
        );
    }
    Some(written.value)
}

/// A percentage from 0 to `most`, as a share.
pub(super) fn percent(
    table: &Table<'_, '_>,
    key: &str,
    written: Option<Written<Exact>>,
) -> Option<Exact> {
    let written = written?;
    if written.value.is_negative() || written.value > Exact::whole(100) {
        let found = written.value.to_text();
        table.note(
            written.line,
            key,
            format!("expected a percentage from 0 to 100, found {found}"),
        );
    }
    Some(written.value * hundredth())
}

pub(super) fn not_negative(
    table: &Table<'_, '_>,
    key: &str,
    written: Option<Written<Exact>>,
) -> Option<Exact> {
    let written = written?;
    if written.value.is_negative() {
        let found = written.value.to_text();
        table.note(
            written.line,
            key,
            format!("expected a price that is not negative, found {found}"),
        );
    }
    Some(written.value)
}

/// Reads `prefix:N` with N from 0 to `most`.
fn counted(text: &str, prefix: &str, suffix: &str, most: i64) -> Option<i64> {
    let number = text.strip_prefix(prefix)?.strip_prefix(':')?.strip_suffix(suffix)?;
    let number: i64 = number.parse().ok()?;
    (0..=most).contains(&number).then_some(number)
}

pub(super) fn billing(root: &Table<'_, '_>) -> Option<Billing> {
    let table = root.table_needed("billing")?;
    table.word("period", &[("calendar-month", ())]);
    table.word("mode", &[("arrears", ())]);
    table.word("correction", &[("next-invoice", ())]);
    let grace_days = table.whole_needed("grace_days", 0, 60);
    let due_days = table.whole_needed("due_days", 0, 365);
    let limit = table.whole_needed("restate_limit_months", 0, MONTHS_MAX);
    table.finish();
    Some(Billing {
        grace_days: grace_days?.value,
        due_days: due_days?.value,
        restate_limit_months: i32::try_from(limit?.value).expect("bounded above"),
    })
}

pub(super) fn take_or_pay(root: &Table<'_, '_>) -> Option<TakeOrPay> {
    let Some(table) = root.table("take_or_pay") else {
        return (!root.has("take_or_pay"))
            .then_some(TakeOrPay { share: Exact::ONE, make_up: MakeUp::None });
    };
    let share = percent(&table, "percent", table.decimal_needed("percent"));
    let make_up = table.text("make_up").map_or(MakeUp::None, |written| {
        match (written.value, counted(written.value, "months", "", MONTHS_MAX)) {
            ("none", _) => MakeUp::None,
            ("term-end", _) => MakeUp::TermEnd,
            (_, Some(months)) if months > 0 => {
                MakeUp::Months(i32::try_from(months).expect("bounded above"))
            }
            (found, _) => {
                table.note(
                    written.line,
                    "make_up",
                    format!(
                        "expected \"none\", \"term-end\" or \"months:N\", found \"{found}\""
                    ),
                );
                MakeUp::None
            }
        }
    });
    table.finish();
    Some(TakeOrPay { share: share?, make_up })
}

pub(super) fn sla(root: &Table<'_, '_>) -> Option<Sla> {
    let table = root.table("sla")?;
    let blocks = table.word("basis", &[("gpu-seconds", false), ("blocks", true)]);
    let block = table.table("block").and_then(|block| {
        let units = block.whole_needed("units", 1, 100_000);
        let needed = block.whole_needed("needed", 1, 100_000);
        let (units, needed) = units.zip(needed)?;
        if needed.value > units.value {
            block.note(
                needed.line,
                "needed",
                format!("expected at most {}, found {}", units.value, needed.value),
            );
        }
        block.finish();
        Some(Basis::Blocks {
            units: u32::try_from(units.value).expect("bounded above"),
            needed: u32::try_from(needed.value).expect("bounded above"),
        })
    });
    let basis = match (blocks.value, block) {
        (true, Some(block)) => block,
        (true, None) => {
            if !table.has("block") {
                let text = "expected the table [sla.block] with units and needed, \
                            found nothing; add it or set basis to \"gpu-seconds\"";
                table.note(blocks.line, "basis", text);
            }
            Basis::GpuSeconds
        }
        (false, None) => Basis::GpuSeconds,
        (false, Some(_)) => {
            let text = "expected \"blocks\" beside [sla.block], found \"gpu-seconds\"";
            table.note(blocks.line, "basis", text);
            Basis::GpuSeconds
        }
    };
    let target = share(&table, "target", table.decimal_needed("target"), true);
    let tiers = tiers(&table, target);
    let month_cap = share(&table, "month_cap", table.decimal("month_cap"), false);
    let year_cap = share(&table, "year_cap", table.decimal("year_cap"), false);
    let claim = table.text("claim").map_or(Claim::Automatic, |written| {
        match (written.value, counted(written.value, "customer-claim", "d", DAYS_MAX)) {
            ("automatic", _) => Claim::Automatic,
            (_, Some(days)) => Claim::Customer { days },
            (found, None) => {
                table.note(
                    written.line,
                    "claim",
                    format!(
                        "expected \"automatic\" or \"customer-claim:30d\", found \"{found}\""
                    ),
                );
                Claim::Automatic
            }
        }
    });
    let degraded = table.text("degraded").map_or(Exact::ONE, |written| {
        match (written.value, Exact::parse(written.value)) {
            ("count-as-down", _) => Exact::ONE,
            ("count-as-available", _) => Exact::ZERO,
            (_, Ok(share)) if !share.is_negative() && share <= Exact::ONE => share,
            (found, _) => {
                table.note(
                    written.line,
                    "degraded",
                    format!(
                        "expected \"count-as-down\", \"count-as-available\" or a share \
                         from 0 to 1, found \"{found}\""
                    ),
                );
                Exact::ONE
            }
        }
    });
    let min_incident = table.whole("min_incident_seconds", 0, 31 * 86_400);
    let gap_policy = table
        .word("gap_policy", &[("ask", GapPolicy::Ask), ("exclude", GapPolicy::Exclude)]);
    let excused = table.table("excused").map(excused).unwrap_or_default();
    table.finish();
    Some(Sla {
        basis,
        target: target?,
        tiers,
        month_cap: month_cap.unwrap_or(Exact::ONE),
        year_cap,
        claim,
        degraded,
        min_incident_seconds: min_incident.map_or(0, |written| written.value),
        gap_policy: gap_policy.value,
        excused,
    })
}

fn tiers(sla: &Table<'_, '_>, target: Option<Exact>) -> Vec<Tier> {
    let mut tiers: Vec<(Tier, usize)> = Vec::new();
    for table in sla.tables("tiers") {
        let below = share(&table, "below", table.decimal_needed("below"), true);
        let credit = share(&table, "credit", table.decimal_needed("credit"), true);
        if let (Some(below), Some(target)) = (below, target)
            && below > target
        {
            let text = format!(
                "expected at most the target {}, found {}",
                target.to_text(),
                below.to_text()
            );
            table.note(table.line(), "below", text);
        }
        if let (Some(below), Some(credit)) = (below, credit) {
            tiers.push((Tier { below, credit }, table.line()));
        }
        table.finish();
    }
    tiers.sort_by_key(|tier| std::cmp::Reverse(tier.0.below));
    for pair in tiers.windows(2) {
        let (better, worse) = (pair[0].0, pair[1].0);
        if worse.below == better.below || worse.credit < better.credit {
            let text = format!(
                "expected a credit of at least {} below {}, found {} below {}; \
                 a worse availability never earns less, and each limit stands once",
                better.credit.to_text(),
                better.below.to_text(),
                worse.credit.to_text(),
                worse.below.to_text()
            );
            sla.note(pair[1].1, "tiers", text);
        }
    }
    tiers.into_iter().map(|(tier, _)| tier).collect()
}

fn excused(table: Table<'_, '_>) -> Excused {
    let needed = |inner: &Table<'_, '_>| {
        let hours = inner.hours("notice_hours");
        if hours.is_none() && !inner.has("notice_hours") {
            let text = "expected hours, found nothing; add the key";
            inner.note(inner.line(), "notice_hours", text);
        }
        hours.map(|hours| hours.value)
    };
    let planned = table.table("planned_maintenance").and_then(|inner| {
        let notice = needed(&inner);
        let hours_per_month = inner.hours("hours_per_month").map(|hours| hours.value);
        inner.finish();
        Some(Planned { notice_hours: notice?, hours_per_month })
    });
    let grid = table.table("grid_emergency").map(|inner| {
        inner.word("evidence", &[("operator-instruction", ())]);
        let hours_per_year = inner.hours("hours_per_year").map(|hours| hours.value);
        inner.finish();
        GridEmergency { hours_per_year }
    });
    let force_majeure_notice_hours = table.table("force_majeure").and_then(|inner| {
        let notice = needed(&inner);
        inner.finish();
        notice
    });
    let customer_caused = table.table("customer_caused").map(Table::finish).is_some();
    table.finish();
    Excused { planned, grid, force_majeure_notice_hours, customer_caused }
}

pub(super) fn power_floor(root: &Table<'_, '_>) -> Option<Exact> {
    let table = root.table("power_floor")?;
    let written = table.decimal_needed("watts_per_gpu");
    let floor = not_negative(&table, "watts_per_gpu", written);
    table.finish();
    floor
}

pub(super) fn flex(root: &Table<'_, '_>) -> Option<Exact> {
    let table = root.table("flex")?;
    let hours = table.hours("hours_per_month");
    if !table.has("hours_per_month") {
        let text = "expected hours, found nothing; add the key";
        table.note(table.line(), "hours_per_month", text);
    }
    table.finish();
    hours.map(|hours| hours.value)
}

pub(super) fn prepayment(root: &Table<'_, '_>) -> Option<Prepayment> {
    let table = root.table("prepayment")?;
    let share = percent(&table, "percent", table.decimal_needed("percent"));
    let due = table.text("due").and_then(|written| {
        let days = counted(written.value, "days-before-delivery", "", DAYS_MAX);
        if days.is_none() {
            let text = format!(
                "expected \"days-before-delivery:N\", found \"{}\"",
                written.value
            );
            table.note(written.line, "due", text);
        }
        days
    });
    let credit_from = table.whole_needed("credit_from", 1, MONTHS_MAX);
    let credit_over = table.whole_needed("credit_over", 1, MONTHS_MAX);
    let refundable = table.word(
        "refundable",
        &[
            ("on-supplier-termination", Refundable::OnSupplierTermination),
            ("always", Refundable::Always),
            ("never", Refundable::Never),
        ],
    );
    table.finish();
    Some(Prepayment {
        share: share?,
        due_days_before_delivery: due.unwrap_or(0),
        credit_from: credit_from?.value,
        credit_over: credit_over?.value,
        refundable: refundable.value,
    })
}

pub(super) fn delay(root: &Table<'_, '_>) -> Option<Delay> {
    let table = root.table("delay")?;
    let grace_days = table.whole("grace_days", 0, DAYS_MAX);
    let credit = table.table("credit").and_then(|inner| {
        let per_day = share(&inner, "per_day", inner.decimal_needed("per_day"), false);
        inner.word("of", &[("monthly-fee", ())]);
        let cap = inner.whole_needed("cap_days", 0, DAYS_MAX);
        if let (Some(per_day), Some(cap)) = (per_day, cap)
            && per_day * Exact::whole(cap.value.into()) > Exact::ONE
        {
            let text = format!(
                "expected per_day x cap_days at most 1, found {} x {}; \
                 a credit above the monthly fee is not a discount",
                per_day.to_text(),
                cap.value
            );
            inner.note(cap.line, "cap_days", text);
        }
        inner.finish();
        Some(DelayCredit { per_day: per_day?, cap_days: cap?.value })
    });
    let long_stop = table.whole("long_stop_days", 0, DAYS_MAX);
    table.finish();
    Some(Delay {
        grace_days: grace_days.map_or(0, |written| written.value),
        credit,
        long_stop_days: long_stop.map(|written| written.value),
    })
}

pub(super) fn termination(root: &Table<'_, '_>) -> Option<Termination> {
    let table = root.table("termination")?;
    let fee = table.word(
        "fee",
        &[("none", false), ("remaining-reserved-fees less mitigation", true)],
    );
    let mitigation = share(&table, "mitigation", table.decimal("mitigation"), false);
    let availability = table.table("availability").and_then(|inner| {
        let below = share(&inner, "below", inner.decimal_needed("below"), true);
        let months = inner.whole_needed("months", 1, MONTHS_MAX);
        inner.finish();
        let months = i32::try_from(months?.value).expect("bounded above");
        Some(AvailabilityRight { below: below?, months })
    });
    table.finish();
    Some(Termination {
        fee: fee.value,
        mitigation: mitigation.unwrap_or(Exact::ZERO),
        availability,
    })
}

pub(super) fn power(root: &Table<'_, '_>) -> Power {
    let included = Power {
        mode: PowerMode::Included,
        index: None,
        estimate_per_mwh: None,
        adder_per_mwh: Exact::ZERO,
        true_up: false,
    };
    let Some(table) = root.table("power") else { return included };
    let mode = table.word(
        "mode",
        &[
            ("included", PowerMode::Included),
            ("pass-through", PowerMode::PassThrough),
            ("index", PowerMode::Index),
        ],
    );
    table.word("basis", &[("revenue-meter-MWh", ())]);
    let true_up = table.word("true_up", &[("on-utility-invoice", true), ("none", false)]);
    let index = table.text("index").map(|written| written.value.to_owned());
    let estimate = table.decimal("estimate_per_mwh");
    let estimate_per_mwh = not_negative(&table, "estimate_per_mwh", estimate);
    let adder = table.decimal("adder");
    for (key, written) in [("estimate_per_mwh", &estimate), ("adder", &adder)] {
        if let Some(written) = written
            && let Some(text) = beyond_per_mwh(written.value)
        {
            table.note(written.line, key, text);
        }
    }
    if mode.value == PowerMode::Index && index.is_none() {
        let text = "expected the name of an energy price, found nothing; add the key";
        table.note(mode.line, "index", text);
    }
    table.finish();
    Power {
        mode: mode.value,
        index,
        estimate_per_mwh,
        adder_per_mwh: adder.map_or(Exact::ZERO, |written| written.value),
        true_up: true_up.value,
    }
}

pub(super) fn tax(root: &Table<'_, '_>) -> BTreeMap<LineKind, Exact> {
    let Some(table) = root.table("tax") else { return BTreeMap::new() };
    let mut rates = BTreeMap::new();
    for (name, written) in table.named_decimals() {
        let Some(kind) = LineKind::parse(&name) else {
            let names: Vec<&str> = LineKind::ALL.iter().map(|kind| kind.name()).collect();
            let text = format!(
                "expected one of {}, found an unknown kind of line",
                names.join(", ")
            );
            table.note(written.line, &name, text);
            continue;
        };
        if let Some(rate) = percent(&table, &name, Some(written)) {
            rates.insert(kind, rate);
        }
    }
    rates
}

pub(super) fn accounting(root: &Table<'_, '_>) -> BTreeMap<String, String> {
    let mut choices = BTreeMap::new();
    let Some(table) = root.table("accounting") else { return choices };
    for key in ["standard", "sla_credits", "delay_credits", "contract_asset"] {
        if let Some(written) = table.text(key) {
            choices.insert(key.to_owned(), written.value.to_owned());
        }
    }
    match table.table_or_word("significant_financing", "none") {
        Some(inner) => {
            let (rate, since) =
                (inner.decimal_needed("rate"), inner.date_needed("since"));
            if let (Some(rate), Some(since)) = (rate, since) {
                let text = format!("{} since {}", rate.value.to_text(), since.value);
                choices.insert("significant_financing".to_owned(), text);
            }
            inner.finish();
        }
        None => {
            choices.insert("significant_financing".to_owned(), "none".to_owned());
        }
    }
    table.finish();
    choices
}
