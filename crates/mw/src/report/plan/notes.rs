//! What is said beside a plan's figures: what is to be known before any of them, and what
//! they do not say by themselves.

use plan::{Answer, Plan};
use settle::contract::Claim;
use settle::exact::Exact;
use units::Timestamp;

use super::{millions, usd};

/// What is to be known before any figure: that no future does what lenders ask, or what the
/// plan hopes for.
pub(super) fn warnings(plan: &Plan, answer: &Answer) -> Vec<String> {
    let mut warnings = Vec::new();
    if let (Some(least), Some(breach)) = (Answer::covenant_ratio(plan), answer.breach)
        && breach >= 1.0
    {
        warnings.push(format!(
            "NO FUTURE MEETS THE COVENANT: coverage falls below {least:.2} in each of the {} futures. Lenders may end every loan then; the figures below suppose that they never do.",
            answer.paths
        ));
    }
    for deal in plan.deals.iter().filter(|deal| deal.signed.is_zero()) {
        warnings.push(format!(
            "{} is signed in no future (signed_percent = 0): its tenant pays nothing below.",
            deal.contract.id
        ));
    }
    warnings
}

/// What figures do not say by themselves: what was before the plan, what terms of contracts
/// are taken how, and what charges end within it.
pub(super) fn notes(plan: &Plan) -> Vec<String> {
    let mut notes = Vec::new();
    before(plan, &mut notes);
    terms(plan, &mut notes);
    let end = plan.end().first_day();
    let rules = plan.sites.iter().flat_map(|place| {
        let rules = &place.site.tariff.coincident_peaks;
        rules.iter().map(move |rule| (place, rule))
    });
    for (place, rule) in rules {
        let last = rule.months.iter().map(|month| month.end).max();
        // A rule that goes on has its months in the last year, too.
        let zone = plan.zone();
        let goes_on = |last: Timestamp| zone.months_after(last, 12) >= zone.midnight(end);
        if let Some(last) = last.filter(|last| !goes_on(*last)) {
            let at = if plan.has_sites() {
                format!(" of {}", place.name)
            } else {
                String::new()
            };
            notes.push(format!(
                "The charge {} has its last peaks before {} in the site file{at}, and nothing is charged at peaks after: state what follows it, if anything does.",
                rule.name,
                zone.date(last)
            ));
        }
    }
    notes
}

/// What was paid, had left or had come before the plan.
fn before(plan: &Plan, notes: &mut Vec<String>) {
    let spent = plan.spent_before();
    let parts = [("works", spent.works), ("machines", spent.machines)];
    let parts: Vec<String> = parts
        .iter()
        .filter(|(_, money)| !money.is_zero())
        .map(|(what, money)| format!("{what} of {} million USD", millions(usd(*money))))
        .collect();
    if !parts.is_empty() {
        let mut parts = parts.join(" and ");
        parts[..1].make_ascii_uppercase();
        notes.push(format!(
            "{parts} were paid before {}: they are spent whatever is decided, and count nowhere, not in the rate of return either.",
            plan.first
        ));
    }
    if !spent.machines.is_zero() {
        notes.push(
            "What those machines are worth when the plan ends counts with and without converting: they are there in either case.".to_owned(),
        );
    }
    let first = plan.first.first_day();
    let named = |of: &dyn Fn(&plan::Conversion) -> bool| {
        let found = plan.conversions.iter().filter(|one| !one.dropped && of(one));
        found.map(|one| &*one.name).collect::<Vec<_>>().join(", ")
    };
    let left = named(&|one| one.begins < first && !one.rigs_out.is_empty());
    if !left.is_empty() {
        notes.push(format!(
            "Rigs of {left} had left before {}: they mine neither with nor without converting.",
            plan.first
        ));
    }
    let came = named(&|one| one.ready < first);
    if !came.is_empty() {
        notes.push(format!(
            "Racks of {came} were ready before {}: what they earn counts as converting.",
            plan.first
        ));
    }
}

/// How terms are taken that the futures do not draw.
fn terms(plan: &Plan, notes: &mut Vec<String>) {
    let percent = |share: Exact| (share * Exact::whole(100)).to_text();
    for contract in plan.deals.iter().map(|deal| &deal.contract) {
        let id = &contract.id;
        if contract.take_or_pay.share < Exact::ONE {
            notes.push(format!(
                "{id} takes {} % of what is reserved in any case, and the rest by use: full use is assumed.",
                percent(contract.take_or_pay.share)
            ));
        }
        if let Some(Claim::Customer { days }) = contract.sla.as_ref().map(|sla| sla.claim)
        {
            notes.push(format!(
                "{id} gives credits for availability to a tenant who claims them within {days} days: every one is claimed."
            ));
        }
        let right = contract.termination.as_ref().and_then(|terms| terms.availability);
        if let Some(right) = right {
            notes.push(format!(
                "{id} lets its tenant end a tranche that is below {} % available in {}: no future lets it.",
                percent(right.below),
                match right.months {
                    1 => "a month".to_owned(),
                    months => format!("{months} months in a row"),
                }
            ));
        }
    }
}
