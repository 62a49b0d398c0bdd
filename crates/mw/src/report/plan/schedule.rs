//! What a search of schedules found: a table for people, and a document.

use std::fmt::Write;

use plan::{FUTURES_MIN, How, Plan, Reason, Search, Tried, Waiting, Worth};
use serde_json::{Value, json};

use super::millions;

/// The most reasons that are printed; the document has them all.
const REASONS_MAX: usize = 5;

/// What was found, as text.
pub fn schedule(plan: &Plan, search: &Search) -> String {
    let mut text = String::new();
    write_text(&mut text, plan, search).expect("text grows");
    text
}

/// The conversions that can begin otherwise.
fn movable(search: &Search) -> Vec<usize> {
    let several = |place: &usize| search.options[*place].len() > 1;
    (0..search.options.len()).filter(several).collect()
}

fn write_text(out: &mut String, plan: &Plan, search: &Search) -> std::fmt::Result {
    let halls = movable(search);
    writeln!(out, "\nWhat to convert and when, million USD")?;
    if halls.is_empty() {
        return writeln!(
            out,
            "Every conversion had begun before {}: there is nothing to choose.",
            plan.first
        );
    }
    for place in 0..plan.conversions.len() {
        if !halls.contains(&place) {
            let one = &plan.conversions[place];
            writeln!(out, "{} is as stated: it began on {}.", one.name, one.begins)?;
        }
    }
    writeln!(out, "{}", looked_through(search))?;
    for reason in search.reasons.iter().take(REASONS_MAX) {
        let begins: Vec<String> = halls
            .iter()
            .map(|place| {
                format!("{} {}", plan.conversions[*place].name, reason.example[*place])
            })
            .collect();
        writeln!(
            out,
            "{} cannot be: expected {}; such as {}: {}",
            reason.count,
            reason.doubt.expected,
            begins.join(", "),
            reason.doubt.found
        )?;
    }
    let width = |place: &usize| plan.conversions[*place].name.chars().count().max(7) + 2;
    write!(out, "{:12}", "")?;
    for place in &halls {
        write!(out, "{:>1$}", plan.conversions[*place].name, width(place))?;
    }
    writeln!(
        out,
        "{:>10}{:>8}{:>12}{:>14}{:>11}{:>11}",
        "mean", "+/-", "worst 5 %", "over staying", "peak debt", "owners in"
    )?;
    let rows = search.stated.iter().map(|tried| ("as stated", tried));
    for (name, tried) in
        rows.chain(search.frontier.iter().map(|tried| ("frontier", tried)))
    {
        write!(out, "{name:12}")?;
        for place in &halls {
            write!(out, "{:>1$}", tried.schedule[*place], width(place))?;
        }
        let worth = tried.valued;
        let [mean, error, worst, over, debt, owners] = [
            worth.mean,
            worth.error,
            worth.worst,
            worth.over_staying,
            worth.debt_peak,
            worth.owners,
        ]
        .map(millions);
        writeln!(out, "{mean:>10}{error:>8}{worst:>12}{over:>14}{debt:>11}{owners:>11}")?;
    }
    if search.frontier.is_empty() {
        writeln!(out, "{}", nothing_shown(search))?;
    }
    if search.waiting.is_empty() && !search.stopped {
        writeln!(
            out,
            "Waiting is valued where a conversion has several beginnings and at least {FUTURES_MIN} futures choose."
        )?;
    }
    for waiting in &search.waiting {
        let name = &plan.conversions[waiting.conversion].name;
        writeln!(
            out,
            "Waiting with {name}, the others as stated: best fixed now {} for {}; deciding each time on hashprice and rent {}: worth {} +/- {}.",
            waiting.fixed,
            millions(waiting.fixed_usd),
            millions(waiting.deciding_usd),
            millions(waiting.deciding_usd - waiting.fixed_usd),
            millions(waiting.error_usd),
        )?;
    }
    Ok(())
}

/// Why no schedule is shown.
fn nothing_shown(search: &Search) -> &'static str {
    if search.looked_at == 0 {
        "No schedule was valued: let it run longer."
    } else if search.beyond < search.looked_at {
        "Schedules within the plan's bounds were found, and none was shown before it was stopped."
    } else {
        "No schedule that was looked at is within the plan's bounds."
    }
}

/// How many were looked at, of how many, and how.
fn looked_through(search: &Search) -> String {
    let how = match search.how {
        _ if search.stopped => "stopped before it was done",
        How::All => "every one",
        How::Moves { settled: true } => {
            "by moves from the stated one until none helped: there may be better"
        }
        How::Moves { settled: false } => {
            "by moves from the stated one until the limit: there may be better"
        }
    };
    format!(
        "{} of {} schedules valued, {how}; {} cannot be, {} are out of bounds. Chosen over one half of the futures, shown over the other.",
        search.looked_at, search.space, search.refused, search.beyond
    )
}

/// What was found, as JSON, with units in its keys.
pub fn schedule_document(plan: &Plan, search: &Search) -> Value {
    let worth = |worth: &Worth| {
        json!({
            "npv_mean_usd": worth.mean,
            "npv_standard_error_usd": worth.error,
            "npv_worst_twentieth_mean_usd": worth.worst,
            "over_staying_mean_usd": worth.over_staying,
            "debt_peak_usd": worth.debt_peak,
            "owners_p95_usd": worth.owners,
            "below_covenant_share": worth.breach,
        })
    };
    let tried = |tried: &Tried| {
        let begins: serde_json::Map<String, Value> = plan
            .conversions
            .iter()
            .zip(&tried.schedule)
            .map(|(one, start)| (one.name.clone(), json!(start.to_string())))
            .collect();
        json!({
            "begins": begins,
            "valued": worth(&tried.valued),
            "chosen": worth(&tried.chosen),
        })
    };
    let reason = |reason: &Reason| {
        json!({
            "schedules": reason.count,
            "key": reason.doubt.key,
            "expected": reason.doubt.expected,
            "found_in_one": reason.doubt.found,
        })
    };
    let waiting = |waiting: &Waiting| {
        let often: Vec<Value> = waiting
            .begins
            .iter()
            .map(|(start, share)| json!({ "begins": start.to_string(), "share": share }))
            .collect();
        json!({
            "conversion": plan.conversions[waiting.conversion].name,
            "best_fixed_now": waiting.fixed.to_string(),
            "fixed_npv_usd": waiting.fixed_usd,
            "deciding_npv_usd": waiting.deciding_usd,
            "value_of_waiting_usd": waiting.deciding_usd - waiting.fixed_usd,
            "standard_error_usd": waiting.error_usd,
            "rule_begins": often,
        })
    };
    json!({
        "schedules": search.space.to_string(),
        "looked_at": search.looked_at,
        "cannot_be": search.refused,
        "cannot_be_because": search.reasons.iter().map(reason).collect::<Vec<_>>(),
        "out_of_bounds": search.beyond,
        "exhaustive": search.how == How::All && !search.stopped,
        "until_no_move_helped": search.how == How::Moves { settled: true },
        "stopped": search.stopped,
        "stated": search.stated.as_ref().map(tried),
        "frontier": search.frontier.iter().map(tried).collect::<Vec<_>>(),
        "waiting": search.waiting.iter().map(waiting).collect::<Vec<_>>(),
    })
}
