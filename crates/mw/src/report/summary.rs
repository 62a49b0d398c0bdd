//! The answer of a backtest as a person reads it at a glance in a terminal.

use std::fmt::Write as _;

use units::{Energy, Money, Seconds};

use super::{figures, words};
use crate::answer::{Answer, LoadTotals, Totals};
use crate::ledger::Use;

/// How many notes are shown before the rest are counted.
const NOTES_SHOWN: usize = 5;

/// How long a line of a note may be.
const NOTE_WIDTH: usize = 100;

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

/// One row: a label, the policy's figure and, where compared, always on's and
/// the difference.
struct Row {
    label: &'static str,
    policy: String,
    always_on: String,
    difference: String,
    mean_mw: String,
}

fn money_and_energy(page: &mut String, answer: &Answer) {
    let (ours, theirs) = (&answer.policy, &answer.always_on);
    let time = answer.range.duration();
    let energy = |label, of: fn(&Totals) -> Energy| {
        let (ours, theirs) = (of(ours), of(theirs));
        Row {
            label,
            policy: figures::mwh(ours, 1),
            always_on: figures::mwh(theirs, 1),
            difference: figures::mwh(ours - theirs, 1),
            mean_mw: mean_mw(ours, time),
        }
    };
    let money = |label, of: fn(&Totals) -> Money| {
        let (ours, theirs) = (of(ours), of(theirs));
        Row {
            label,
            policy: figures::usd(ours),
            always_on: figures::usd(theirs),
            difference: figures::usd(ours - theirs),
            mean_mw: String::new(),
        }
    };
    let paid = [ours, theirs].map(words::paid_per_mwh);
    let shown = |price: Option<units::EnergyPrice>| {
        price.map_or("no energy".to_owned(), figures::usd_per_mwh)
    };
    let average = Row {
        label: "  average paid, USD/MWh",
        policy: shown(paid[0]),
        always_on: shown(paid[1]),
        difference: match paid {
            [Some(ours), Some(theirs)] => figures::usd_per_mwh(ours - theirs),
            [..] => String::new(),
        },
        mean_mw: String::new(),
    };
    let by_use: [fn(&Totals) -> Energy; 4] = [
        |t| t.by_use[Use::Contracted as usize],
        |t| t.by_use[Use::Uncommitted as usize],
        |t| t.by_use[Use::Mining as usize],
        |t| t.by_use[Use::Battery as usize],
    ];
    let mut rows = vec![energy("Energy drawn, MWh", |t| t.site)];
    let labels = ["  contracted GPU", "  uncommitted GPU", "  mining", "  battery, net"];
    let uses = Use::ALL.into_iter().zip(labels).zip(by_use);
    rows.extend(
        uses.filter(|((used_for, _), _)| used(answer, *used_for))
            .map(|((_, label), of)| energy(label, of)),
    );
    rows.push(money("Revenue, USD", Totals::revenue));
    let revenue: [(Use, &'static str, fn(&Totals) -> Money); 3] = [
        (Use::Contracted, "  contracted GPU", |t| t.contracted),
        (Use::Uncommitted, "  uncommitted GPU", |t| t.uncommitted),
        (Use::Mining, "  mining", |t| t.mining),
    ];
    rows.extend(
        revenue
            .into_iter()
            .filter(|(used_for, ..)| used(answer, *used_for))
            .map(|(_, label, of)| money(label, of)),
    );
    rows.push(money("Power, USD", Totals::power));
    rows.push(money("  energy at settlement price", |t| t.energy));
    rows.push(money("  adders", |t| t.adders));
    if !answer.site.tariff.blocks.is_empty() {
        rows.push(money("  fixed-price blocks", |t| t.blocks));
    }
    rows.push(average);
    rows.push(money("Wear of starts, USD", |t| t.wear));
    rows.push(money("Margin, USD", Totals::margin));

    let compared = words::compared(answer);
    let head = ["policy", "always on", "difference", "mean MW"];
    let shown_columns: &[usize] = if compared { &[0, 1, 2, 3] } else { &[0, 3] };
    put_row(page, "", &head, shown_columns);
    for row in &rows {
        let cells = [&row.policy, &row.always_on, &row.difference, &row.mean_mw];
        put_row(page, row.label, &cells.map(String::as_str), shown_columns);
    }
}

fn put_row(page: &mut String, label: &str, cells: &[&str], shown: &[usize]) {
    let mut text = format!("{label:<28}");
    for column in shown {
        let cell = cells[*column];
        // The policy's mean stands apart from the three that compare.
        let width = if *column == 3 { 12 } else { 17 };
        text.push_str(&format!("{cell:>width$}"));
    }
    line(page, format_args!("{text}"));
}

fn used(answer: &Answer, used_for: Use) -> bool {
    answer.loads.iter().any(|load| load.used_for == used_for)
}

fn mean_mw(energy: Energy, time: Seconds) -> String {
    if time.as_seconds() <= 0 {
        return String::new();
    }
    figures::mw(energy.over(time), 1)
}

fn curtailing(page: &mut String, answer: &Answer) {
    let whole = answer.range.duration();
    let share = words::percent(
        i128::from(answer.curtailed.as_seconds()),
        i128::from(whole.as_seconds()),
    );
    let earned = if words::compared(answer) {
        let gain = answer.policy.margin() - answer.always_on.margin();
        format!("; deciding earned {} USD over always on", figures::usd(gain))
    } else {
        String::new()
    };
    line(
        page,
        format_args!(
            "\nPrice held load back in {} h of {} h ({share}){earned}.",
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
        .map(|model| model.chars().count())
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
                load.model.as_deref().unwrap_or("-"),
                words::efficiency(&answer.site, place)
                    .map_or("-".to_owned(), words::joules_per_terahash),
                load.worth_mean.map_or("-".to_owned(), figures::usd_per_mwh),
                uptime(load),
                mean_mw(load.energy, answer.range.duration()),
                figures::count(load.starts),
            ),
        );
    }
}

/// The part of its machines' time in which a load was asked to run.
pub(super) fn uptime(load: &LoadTotals) -> String {
    load.uptime.map_or("-".to_owned(), |share| {
        words::percent(i128::from(share.as_ppm()), 1_000_000)
    })
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
    let shown = notes.iter().take(NOTES_SHOWN).map(|note| clipped(note));
    let left = notes.len().saturating_sub(NOTES_SHOWN);
    let rest = (left > 0).then(|| {
        format!(
            "and {} more: `mw history check` prints them all",
            figures::count(left as u64)
        )
    });
    list(page, "Notes", shown.chain(rest));
}

/// A note on one line of the terminal.
fn clipped(note: &str) -> String {
    let first = note.lines().next().unwrap_or_default();
    if first.chars().count() <= NOTE_WIDTH {
        return first.to_owned();
    }
    let kept: String = first.chars().take(NOTE_WIDTH - 1).collect();
    format!("{}…", kept.trim_end())
}
