//! A day of dispatch as a picture: megawatts by use against the limit, and the price.
//!
//! What is behind the present is as it was decided and metered; what is ahead of it
//! is what is known to hold and what price is expected, dashed.

use units::{Interval, Seconds, Timestamp};

use super::text::{clock, mean, megawatts, mw, price, use_named};
use crate::api::document::{DecisionDocument, IntervalDocument};
use crate::chart::{Figure, Linear, Panel, Pen, Prices, Time, line, stack, text};
use crate::ledger::Use;
use crate::live::status::{Ahead, InstructionStatus};

const WIDTH: f64 = 1180.0;
const LEFT: f64 = 52.0;
const RIGHT: f64 = 62.0;
const PLOT: f64 = WIDTH - LEFT - RIGHT;
const PRICE_TOP: f64 = 26.0;
const PRICE_HEIGHT: f64 = 130.0;
const POWER_TOP: f64 = 190.0;
const POWER_HEIGHT: f64 = 270.0;
const HEIGHT: f64 = 488.0;

/// A next decision that comes later than this leaves a gap.
const LATE_MAX: Seconds = Seconds::minutes(1);

/// What the picture is of.
pub(super) struct Of<'a> {
    pub(super) day: Interval,
    /// The site's time.
    pub(super) now: Timestamp,
    pub(super) decisions: &'a [Step<'a>],
    pub(super) intervals: &'a [&'a IntervalDocument],
    pub(super) instructions: &'a [InstructionStatus],
    pub(super) ahead: &'a [Ahead],
    /// The site's own limit, in megawatts.
    pub(super) own_limit: f64,
    /// What is chosen to be looked at.
    pub(super) chosen: Option<Timestamp>,
}

/// A decision and the time that it held for.
#[derive(Clone, Copy)]
pub(super) struct Step<'a> {
    pub(super) held: Interval,
    pub(super) decision: &'a DecisionDocument,
}

/// Decisions with the time that each held for: up to the next, or its end.
pub(super) fn steps<'a>(
    decisions: impl Iterator<Item = &'a DecisionDocument>,
    day: Interval,
) -> Vec<Step<'a>> {
    let all: Vec<&DecisionDocument> = decisions.collect();
    let mut steps = Vec::with_capacity(all.len());
    for (place, decision) in all.iter().enumerate() {
        let next = all.get(place + 1).map_or(decision.end, |next| next.start);
        // A tick may be some seconds late: what was asked goes on until then.
        let late = next > decision.end && next - decision.end <= LATE_MAX;
        let end = if late { next } else { decision.end.min(next) };
        let held =
            Interval { start: decision.start.max(day.start), end: end.min(day.end) };
        if held.start < held.end {
            steps.push(Step { held, decision });
        }
    }
    steps
}

/// A place of the picture that can be chosen.
pub(super) struct Hit {
    pub(super) left: f64,
    pub(super) width: f64,
    /// The instant, as an address has it.
    pub(super) at: String,
    /// Its figures in a line.
    pub(super) says: String,
}

/// The picture.
pub(super) struct Picture {
    pub(super) figure: Figure,
    pub(super) hits: Vec<Hit>,
    /// The uses that occur, in the order of the stack from its foot.
    pub(super) uses: Vec<Use>,
}

/// The paper of the picture.
pub(super) fn paper() -> String {
    format!("0 0 {WIDTH} {HEIGHT}")
}

/// From where to where the places to choose go, from the top.
pub(super) const HITS: (f64, f64) = (PRICE_TOP, POWER_TOP + POWER_HEIGHT - PRICE_TOP);

/// What a use is asked to draw by a decision, in megawatts.
fn asked(decision: &DecisionDocument, used: Use) -> f64 {
    let those = decision.loads.iter();
    those
        .filter(|load| use_named(load.used_for.as_deref()) == Some(used))
        .map(|load| megawatts(load.to))
        .sum()
}

pub(super) fn picture(of: &Of<'_>) -> Picture {
    let time = Time::new(of.day, (0.0, PLOT));
    let uses: Vec<Use> = Use::ALL
        .into_iter()
        .filter(|used| of.decisions.iter().any(|step| asked(step.decision, *used) != 0.0))
        .collect();
    let mut marks = Vec::new();
    let panels = vec![
        price_panel(of, &time, &mut marks),
        power_panel(of, &time, &uses, &mut marks),
    ];
    for (at, name) in time.ticks() {
        let x = LEFT + time.at(at);
        for (top, height) in [(PRICE_TOP, PRICE_HEIGHT), (POWER_TOP, POWER_HEIGHT)] {
            marks.push(line("grid", (x, top), (x, top + height)));
        }
        let foot = POWER_TOP + POWER_HEIGHT;
        marks.push(line("axis", (x, foot), (x, foot + 5.0)));
        let name = if name.len() > 5 { "00:00".to_owned() } else { name };
        marks.push(text("tick middle", (x, foot + 18.0), name));
    }
    let figure = Figure {
        id: "day",
        label: format!("Price and megawatts by use over {}, in UTC", of.day),
        width: WIDTH,
        height: HEIGHT,
        marks,
        panels,
    };
    Picture { figure, hits: hits(of, &time), uses }
}

/// Marks that both panels have: the present, and what is chosen.
fn upright(of: &Of<'_>, time: &Time, height: f64) -> Vec<crate::chart::Mark> {
    let mut marks = Vec::new();
    if let Some(chosen) = of.chosen.filter(|at| of.day.contains(*at)) {
        let x = time.at(chosen);
        marks.push(line("chosen", (x, 0.0), (x, height)));
    }
    if of.day.contains(of.now) {
        let x = time.at(of.now);
        marks.push(line("present", (x, 0.0), (x, height)));
    }
    marks
}

fn price_panel(of: &Of<'_>, time: &Time, marks: &mut Vec<crate::chart::Mark>) -> Panel {
    let known = of.decisions.iter().filter_map(|step| {
        let usd = price(&step.decision.price.as_ref()?.usd_per_mwh)?;
        Some((step.held, usd))
    });
    let known: Vec<(Interval, f64)> = known.collect();
    let expected: Vec<(Interval, f64)> = of
        .ahead
        .iter()
        .map(|one| {
            let held = Interval::starting(one.start, Seconds::minutes(15));
            (held, one.price.as_micro_usd_per_mwh() as f64 / 1e6)
        })
        .filter(|(held, _)| held.end > of.now && held.overlaps(of.day))
        .collect();
    let all = || known.iter().chain(&expected).map(|(_, usd)| *usd);
    let scale = Prices::new(
        all().fold(0.0, f64::min),
        all().fold(0.0, f64::max) * 1.4,
        (PRICE_HEIGHT, 0.0),
    );
    for tick in scale.ticks(17.0) {
        let y = PRICE_TOP + scale.at(tick);
        let class = if tick == 0.0 { "zero" } else { "grid" };
        marks.push(line(class, (LEFT, y), (LEFT + PLOT, y)));
        marks.push(text(
            "tick start",
            (LEFT + PLOT + 7.0, y + 4.0),
            format!("{tick:.0}"),
        ));
    }
    marks.push(text(
        "unit start",
        (LEFT, PRICE_TOP - 10.0),
        "Price that was decided on; dashed: expected",
    ));
    marks.push(text("unit end", (WIDTH, PRICE_TOP - 10.0), "USD/MWh"));
    let mut inside = Vec::new();
    let line_of = |those: &[(Interval, f64)], from: Option<Timestamp>| {
        let mut pen = Pen::default();
        let mut last: Option<Timestamp> = None;
        for (held, usd) in those {
            let start = from.map_or(held.start, |from| held.start.max(from));
            let (left, right) = (time.at(start), time.at(held.end.min(of.day.end)));
            let y = scale.at(*usd);
            if last == Some(held.start) {
                pen.draw(left, y)
            } else {
                pen.go(left, y)
            }
            pen.draw(right, y);
            last = Some(held.end);
        }
        pen
    };
    let ahead = line_of(&expected, Some(of.now.max(of.day.start)));
    if !ahead.is_up() {
        inside.push(ahead.mark("price expected"));
    }
    let behind = line_of(&known, None);
    if !behind.is_up() {
        inside.push(behind.mark("price"));
    }
    inside.extend(upright(of, time, PRICE_HEIGHT));
    Panel { left: LEFT, top: PRICE_TOP, width: PLOT, height: PRICE_HEIGHT, marks: inside }
}

fn power_panel(
    of: &Of<'_>,
    time: &Time,
    uses: &[Use],
    marks: &mut Vec<crate::chart::Mark>,
) -> Panel {
    // Where nothing was decided, nothing is shown.
    let mut columns: Vec<(Interval, Option<&DecisionDocument>)> = Vec::new();
    for step in of.decisions {
        if let Some((last, _)) = columns.last().filter(|(l, _)| l.end < step.held.start) {
            let gap = Interval { start: last.end, end: step.held.start };
            columns.push((gap, None));
        }
        columns.push((step.held, Some(step.decision)));
    }
    let edges: Vec<(f64, f64)> = columns
        .iter()
        .map(|(held, _)| (time.at(held.start), time.at(held.end)))
        .collect();
    let size = |decision: &Option<&DecisionDocument>, used: Use| {
        decision.map_or(0.0, |decision| asked(decision, used))
    };
    let sizes: Vec<Vec<f64>> = uses
        .iter()
        .map(|used| columns.iter().map(|(_, decision)| size(decision, *used)).collect())
        .collect();
    let sum = |place: usize, sign: f64| -> f64 {
        sizes.iter().map(|size| (size[place] * sign).max(0.0)).sum()
    };
    let places = 0..columns.len();
    let drawn = places.clone().map(|place| sum(place, 1.0)).fold(0.0, f64::max);
    let given = places.map(|place| sum(place, -1.0)).fold(0.0, f64::max);
    let metered: Vec<(Interval, f64)> = of
        .intervals
        .iter()
        .map(|one| {
            let during = Interval { start: one.start, end: one.end };
            (during, megawatts(mean(one.site_j, during)))
        })
        .collect();
    let most = metered.iter().map(|(_, mw)| *mw).fold(drawn, f64::max);
    let scale =
        Linear::new(-given * 1.05, most.max(of.own_limit) * 1.06, (POWER_HEIGHT, 0.0));
    let (ticks, digits) = scale.ticks(6.0);
    for tick in ticks {
        let y = POWER_TOP + scale.at(tick);
        let class = if tick == 0.0 { "zero" } else { "grid" };
        marks.push(line(class, (LEFT, y), (LEFT + PLOT, y)));
        marks.push(text("tick end", (LEFT - 7.0, y + 4.0), format!("{tick:.digits$}")));
    }
    marks.push(text(
        "unit start",
        (LEFT, POWER_TOP - 10.0),
        "MW asked, by use, with what was metered and the import limit",
    ));
    let mut inside = Vec::new();
    for one in of.instructions {
        let during = Interval { start: one.start, end: one.end };
        if during.overlaps(of.day) {
            let left = time.at(one.start.max(of.day.start));
            let right = time.at(one.end.min(of.day.end));
            inside.push(crate::chart::Mark::Box {
                class: "instructed",
                at: crate::chart::Place(left, 0.0),
                width: right - left,
                height: POWER_HEIGHT,
                hint: format!(
                    "{} `{}`: {} {}",
                    one.programme,
                    one.name,
                    one.ask,
                    one.level.map_or(String::new(), |level| mw(level) + " MW")
                ),
            });
        }
    }
    for (used, pen) in uses.iter().zip(stack(&edges, &sizes, &scale)) {
        if !pen.is_up() {
            inside.push(pen.mark(area(*used)));
        }
    }
    let mut delivered = Pen::default();
    let mut last = None;
    for (during, mw) in &metered {
        let (left, right) = (
            time.at(during.start.max(of.day.start)),
            time.at(during.end.min(of.day.end)),
        );
        let y = scale.at(*mw);
        if last == Some(during.start) {
            delivered.draw(left, y)
        } else {
            delivered.go(left, y)
        }
        delivered.draw(right, y);
        last = Some(during.end);
    }
    if !delivered.is_up() {
        inside.push(delivered.mark("metered"));
    }
    let mut limit = Pen::default();
    let mut last = None;
    for step in of.decisions {
        let y = scale.at(megawatts(step.decision.import_limit));
        let (left, right) = (time.at(step.held.start), time.at(step.held.end));
        if last == Some(step.held.start) {
            limit.draw(left, y)
        } else {
            limit.go(left, y)
        }
        limit.draw(right, y);
        last = Some(step.held.end);
    }
    if !limit.is_up() {
        inside.push(limit.mark("limit"));
    }
    inside.extend(limits_ahead(of, time, &scale));
    inside.extend(upright(of, time, POWER_HEIGHT));
    Panel { left: LEFT, top: POWER_TOP, width: PLOT, height: POWER_HEIGHT, marks: inside }
}

/// The limit as it is known to hold after the present, dashed.
fn limits_ahead(of: &Of<'_>, time: &Time, scale: &Linear) -> Option<crate::chart::Mark> {
    let from = of.now.max(of.day.start);
    if from >= of.day.end {
        return None;
    }
    let caps: Vec<&InstructionStatus> = of
        .instructions
        .iter()
        .filter(|one| {
            let is_cap =
                matches!(one.ask.as_str(), "limit" | "test" | "dispatch" | "base_point");
            is_cap && !one.best_effort && one.level.is_some()
        })
        .collect();
    let mut cuts: Vec<Timestamp> = caps
        .iter()
        .flat_map(|one| [one.start, one.end])
        .chain([from, of.day.end])
        .collect();
    cuts.retain(|at| from <= *at && *at <= of.day.end);
    cuts.sort();
    cuts.dedup();
    let mut pen = Pen::default();
    for pair in cuts.windows(2) {
        let (start, end) = (pair[0], pair[1]);
        let levels = caps.iter().filter(|one| one.start <= start && start < one.end);
        let level = levels
            .filter_map(|one| one.level.map(megawatts))
            .fold(of.own_limit, f64::min);
        let y = scale.at(level);
        if pen.is_up() {
            pen.go(time.at(start), y)
        } else {
            pen.draw(time.at(start), y)
        }
        pen.draw(time.at(end), y);
    }
    (!pen.is_up()).then(|| pen.mark("limit ahead"))
}

/// The look of a use's area.
pub(super) fn area(used: Use) -> &'static str {
    match used {
        Use::Contracted => "part contracted",
        Use::Uncommitted => "part uncommitted",
        Use::Mining => "part mining",
        Use::Battery => "part battery",
    }
}

fn hits(of: &Of<'_>, time: &Time) -> Vec<Hit> {
    of.decisions
        .iter()
        .map(|step| {
            let (left, right) = (time.at(step.held.start), time.at(step.held.end));
            let metered = of
                .intervals
                .iter()
                .find(|one| one.start <= step.held.start && step.held.start < one.end);
            let metered = metered.map_or("not metered yet".to_owned(), |one| {
                let during = Interval { start: one.start, end: one.end };
                format!("metered {} MW", mw(mean(one.site_j, during)))
            });
            let price = step
                .decision
                .price
                .as_ref()
                .map_or("no price known".to_owned(), |price| {
                    format!("{} USD/MWh", price.usd_per_mwh)
                });
            Hit {
                left: LEFT + left,
                width: (right - left).max(0.2),
                at: step.held.start.to_string(),
                says: format!(
                    "{} to {}: {price}, asked {} MW, {metered}, limit {} MW",
                    clock(step.held.start),
                    clock(step.held.end),
                    mw(step.decision.asked),
                    mw(step.decision.import_limit)
                ),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use units::Power;

    use super::*;
    use crate::api::document::DecidedLoadDocument;

    fn at(minute: i64) -> Timestamp {
        let start = Timestamp::parse("2025-06-01T00:00Z").expect("an instant");
        start + Seconds::minutes(minute)
    }

    fn decision(from: i64, to: i64, loads: &[(&str, i64)]) -> DecisionDocument {
        let loads = loads.iter().map(|(used, mw)| DecidedLoadDocument {
            load: format!("a {used}"),
            used_for: Some((*used).to_owned()),
            from: Power::ZERO,
            to: Power::from_mw(*mw),
            worth_usd_per_mwh: None,
            reason: "worth_it".to_owned(),
            explanation: None,
        });
        DecisionDocument {
            seq: 1,
            decided_at: at(from),
            generation: 1,
            start: at(from),
            end: at(to),
            emergency: false,
            asked: Power::from_mw(5),
            import_limit: Power::from_mw(10),
            sheddable_limit: Power::from_mw(10),
            unexplained: Power::ZERO,
            price: None,
            cost_usd_per_mwh: None,
            hashprice_usd_per_ph_day: None,
            looked_ahead_until: None,
            loads: loads.collect(),
        }
    }

    #[test]
    fn a_decision_holds_up_to_the_next() {
        let all = [
            decision(0, 5, &[]),
            decision(3, 5, &[]),
            decision(6, 10, &[]),
            decision(20, 25, &[]),
        ];
        let day = Interval { start: at(0), end: at(24) };
        let held: Vec<(i64, i64)> = steps(all.iter(), day)
            .iter()
            .map(|step| {
                let minutes = |until: Timestamp| (until - at(0)).as_seconds() / 60;
                (minutes(step.held.start), minutes(step.held.end))
            })
            .collect();
        assert_eq!(held, [(0, 3), (3, 6), (6, 10), (20, 24)]);
    }

    #[test]
    fn a_picture_shows_every_use_and_a_place_to_choose_for_each_decision() {
        let all = [
            decision(0, 5, &[("mining", 4), ("battery", -1)]),
            decision(5, 10, &[("mining", 0), ("contracted", 2)]),
        ];
        let day = Interval::starting(at(0), Seconds::hours(24));
        let picture = picture(&Of {
            day,
            now: at(10),
            decisions: &steps(all.iter(), day),
            intervals: &[],
            instructions: &[],
            ahead: &[],
            own_limit: 10.0,
            chosen: Some(at(5)),
        });
        assert_eq!(picture.uses, [Use::Contracted, Use::Mining, Use::Battery]);
        assert_eq!(picture.hits.len(), 2);
        let says = &picture.hits[1].says;
        assert!(
            says.starts_with("00:05 to 00:10: no price known, asked 5.00 MW"),
            "{says}"
        );
        let drawn = picture.figure.panels[1].marks.iter().filter(|mark| {
            matches!(mark, crate::chart::Mark::Path { class, .. } if class.starts_with("part"))
        });
        assert_eq!(drawn.count(), 3);
    }
}
