//! The answer of a backtest as a person reads it at a glance in a terminal.

use std::fmt::Write as _;

use super::comparison::mean_mw;
use super::{comparison, figures, words};
use crate::answer::Answer;

/// How many notes are shown before the rest are counted.
const NOTES_SHOWN: usize = 5;

/// How wide the name of a model may be.
const MODEL_WIDTH: usize = 22;

/// The summary of an answer, some forty lines with every unit named.
///
/// Costs carry a minus sign. Where the run was compared with the same site
/// always on, each figure has that site's beside it, and the difference.
pub fn text(answer: &Answer) -> String {
    let mut page = String::new();
    title(&mut page, answer);
    money_and_energy(&mut page, answer);
    curtailing(&mut page, answer);
    loads(&mut page, answer);
    list(
        &mut page,
        "Coincident peaks, beside the margin above",
        answer.peaks.iter().map(|peak| words::peak(peak, words::compared(answer))),
    );
    list(&mut page, "In hindsight", words::hindsight(answer).into_iter());
    let footing = words::footing(answer).into_iter().chain(words::lacks(answer));
    list(&mut page, "Footing", footing);
    notes(&mut page, answer);
    page
}

/// Writing to a string does not fail.
fn line(page: &mut String, text: std::fmt::Arguments<'_>) {
    page.write_fmt(text).expect("a string takes all text");
    page.truncate(page.trim_end_matches(' ').len());
    page.push('\n');
}

fn title(page: &mut String, answer: &Answer) {
    let market = &answer.site.market;
    line(
        page,
        format_args!(
            "{} at {} {}",
            answer.site.name, market.name, market.settlement_point
        ),
    );
    line(
        page,
        format_args!(
            "{}, {} h in {}\n",
            answer.range,
            words::hours(answer.range.duration()),
            words::so_many(answer.intervals, "interval", "intervals"),
        ),
    );
}

fn money_and_energy(page: &mut String, answer: &Answer) {
    let compared = words::compared(answer);
    let shown: &[usize] = if compared { &[0, 1, 2, 3] } else { &[0, 3] };
    put_row(page, "", &comparison::HEAD, shown);
    for row in comparison::rows(answer) {
        let indent = if row.part { "  " } else { "" };
        let cells = [&row.policy, &row.always_on, &row.difference, &row.mean_mw];
        put_row(
            page,
            &format!("{indent}{}", row.label),
            &cells.map(String::as_str),
            shown,
        );
    }
}

fn put_row(page: &mut String, label: &str, cells: &[&str], shown: &[usize]) {
    let mut text = format!("{label:<28}");
    for column in shown {
        text.push_str(&format!("{:>17}", cells[*column]));
    }
    line(page, format_args!("{text}"));
}

fn curtailing(page: &mut String, answer: &Answer) {
    let whole = answer.range.duration();
    let share = words::percent(
        i128::from(answer.curtailed.as_seconds()),
        i128::from(whole.as_seconds()),
    );
    let earned = if words::compared(answer) {
        match figures::above(answer.policy.margin(), answer.always_on.margin()) {
            Some(gain) => {
                format!("; deciding earned {} USD over always on", figures::usd(gain))
            }
            None => "; what deciding earned is not computed".to_owned(),
        }
    } else {
        String::new()
    };
    line(
        page,
        format_args!(
            "\nCurtailed by price in {} h of {} h ({share}){earned}.",
            words::hours(answer.curtailed),
            words::hours(whole),
        ),
    );
}

fn loads(page: &mut String, answer: &Answer) {
    let width = answer
        .loads
        .iter()
        .map(|load| load.name.chars().count())
        .max()
        .unwrap_or(0)
        .max(4);
    let model_width = answer
        .loads
        .iter()
        .filter_map(|load| load.model.as_ref())
        .map(|model| model.chars().count().min(MODEL_WIDTH))
        .max()
        .unwrap_or(0)
        .max(5);
    line(
        page,
        format_args!(
            "\n{:<width$}  {:<15}  {:<model_width$}  {:>5}  {:>10}  {:>7}  {:>9}  {:>12}",
            "Load", "used for", "model", "J/TH", "worth,", "uptime", "mean MW", "starts"
        ),
    );
    line(
        page,
        format_args!(
            "{:width$}  {:15}  {:model_width$}  {:5}  {:>10}",
            "", "", "", "", "USD/MWh"
        ),
    );
    for (place, load) in answer.loads.iter().enumerate() {
        line(
            page,
            format_args!(
                "{:<width$}  {:<15}  {:<model_width$}  {:>5}  {:>10}  {:>7}  {:>9}  {:>12}",
                load.name,
                load.used_for.name(),
                clipped(load.model.as_deref().unwrap_or("-"), MODEL_WIDTH),
                words::efficiency(&answer.site, place)
                    .map_or("-".to_owned(), words::joules_per_terahash),
                load.worth_mean.map_or("-".to_owned(), figures::usd_per_mwh),
                words::uptime(load),
                mean_mw(load.energy, answer.range.duration()),
                figures::count(load.starts),
            ),
        );
    }
}

fn list(page: &mut String, title: &str, sentences: impl Iterator<Item = String>) {
    let mut sentences = sentences.peekable();
    if sentences.peek().is_none() {
        return;
    }
    line(page, format_args!("\n{title}"));
    for sentence in sentences {
        line(page, format_args!("  {sentence}"));
    }
}

fn notes(page: &mut String, answer: &Answer) {
    let notes = &answer.notes;
    let shown = notes.iter().take(NOTES_SHOWN).cloned();
    let left = notes.len().saturating_sub(NOTES_SHOWN);
    let rest = (left > 0).then(|| {
        format!(
            "and {} more: `mw history check` prints them all",
            figures::count(left as u64)
        )
    });
    list(page, "Notes", shown.chain(rest));
}

/// Text on one line of the terminal, cut where it is longer than `width`.
fn clipped(text: &str, width: usize) -> String {
    let first = text.lines().next().unwrap_or_default();
    if first.chars().count() <= width {
        return first.to_owned();
    }
    let kept: String = first.chars().take(width - 1).collect();
    format!("{}…", kept.trim_end())
}
