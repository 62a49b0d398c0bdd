//! The page "Power day": where did the megawatts of a day go, and why?

use std::sync::Arc;

use askama::Template;
use units::{Interval, Seconds, Timestamp};

use super::Frame;
use super::day::{HITS, Of, Picture, Step, area, paper, picture, steps};
use super::text::{self, clock, clock_or_day, mean, megawatts, mw, use_named};
use crate::api::Api;
use crate::api::call::Call;
use crate::api::document::{DecisionDocument, IntervalDocument};
use crate::api::form;
use crate::api::past::{self, Wanted};
use crate::api::problem::{Kind, Problem};
use crate::api::read::status;
use crate::chart::tenth;
use crate::ledger::Use;

/// A day.
const DAY: Seconds = Seconds::hours(24);

/// How often the record is read on for a day that is not kept in memory.
const READS_MAX: usize = 8;

#[derive(Template)]
#[template(path = "console/power-day.html")]
pub(super) struct PowerDay {
    frame: Frame,
    day: String,
    before: String,
    after: Option<String>,
    is_today: bool,
    picture: Picture,
    chosen: Option<Chosen>,
    rows: Vec<Row>,
    uses: Vec<Legend>,
    whole: bool,
}

/// A use as the legend shows it.
struct Legend {
    swatch: &'static str,
    name: &'static str,
}

/// The decision that is looked at.
struct Chosen {
    from: String,
    until: String,
    decided_at: String,
    emergency: bool,
    figures: Vec<(&'static str, String)>,
    loads: Vec<LoadLine>,
    generation: u64,
    seq: u64,
}

struct LoadLine {
    load: String,
    swatch: &'static str,
    from: String,
    to: String,
    moved: &'static str,
    worth: String,
    reason: String,
}

/// One interval of the table.
struct Row {
    at: String,
    time: String,
    price: String,
    limit: String,
    asked: String,
    by_use: Vec<String>,
    metered: String,
    chosen: bool,
}

/// Makes the page.
pub(super) async fn page(api: &Api, call: &Call) -> Result<PowerDay, Problem> {
    let status = status(api)?;
    let wrong = |name: &str, expected: &str| {
        Kind::BadRequest.because(format!("expected {expected} as `{name}`")).at(name)
    };
    let at = match form::once(&call.query, "at")? {
        Some(at) => Some(Timestamp::parse(at).map_err(|_| wrong("at", "an instant"))?),
        None => None,
    };
    let start = match form::once(&call.query, "day")? {
        Some(day) => {
            Timestamp::parse(day).map_err(|_| wrong("day", "a day such as 2025-06-01"))?
        }
        None => at.unwrap_or(status.at),
    }
    .floor(DAY);
    let day = Interval::starting(start, DAY);
    let (decisions, intervals, whole) = of_day(api, day).await?;
    let ahead = api.speaker.board.ahead();
    let own = status.limits.iter().find(|limit| limit.by == "the interconnection");
    let own_limit = own.map_or(status.power.import_limit, |own| own.level);
    let frame = Frame::of(api, call, "Power day");
    let steps = steps(decisions.iter().map(Arc::as_ref), day);
    let metered: Vec<&IntervalDocument> = intervals.iter().map(Arc::as_ref).collect();
    let chosen = match at {
        Some(at) => steps.iter().rev().find(|step| step.held.start <= at),
        None => steps.last(),
    };
    let picture = picture(&Of {
        day,
        now: status.at,
        decisions: &steps,
        intervals: &metered,
        instructions: &status.instructions,
        ahead: &ahead,
        own_limit: megawatts(own_limit),
        chosen: chosen.map(|step| step.held.start),
    });
    let is_today = day.contains(status.at);
    let date = |at: Timestamp| at.to_string()[..10].to_owned();
    Ok(PowerDay {
        frame,
        day: date(start),
        before: date(start - DAY),
        after: (day.end <= status.at).then(|| date(day.end)),
        is_today,
        rows: rows(&steps, &metered, &picture.uses, chosen, status.at),
        chosen: chosen.map(|step| chosen_of(step, status.at)),
        uses: picture
            .uses
            .iter()
            .map(|used| Legend { swatch: area(*used), name: used.name() })
            .collect(),
        picture,
        whole,
    })
}

type Day = (Vec<Arc<DecisionDocument>>, Vec<Arc<IntervalDocument>>, bool);

/// What was decided and metered on a day, and whether that is all of it.
async fn of_day(api: &Api, day: Interval) -> Result<Day, Problem> {
    let kept = api.feed.decisions(day).zip(api.feed.intervals(day));
    if let Some((decisions, intervals)) = kept {
        return Ok((decisions, intervals, true));
    }
    let site = api.speaker.board.site();
    let (mut decisions, mut intervals) = (Vec::new(), Vec::new());
    let mut whole = true;
    for wanted in [Wanted::Decisions, Wanted::Intervals] {
        let mut place = None;
        for read in 0..READS_MAX {
            let (store, limit) = (&api.speaker.store, 1_000);
            let found = past::look(store, site.as_ref(), wanted, day, place, limit).await;
            let found = found.map_err(|error| {
                tracing::warn!(event = "day_not_read", error = format!("{error:#}"));
                Kind::Unavailable.because("the record of that day cannot be read now")
            })?;
            decisions.extend(found.decisions.into_iter().map(Arc::new));
            intervals.extend(found.intervals.into_iter().map(Arc::new));
            place = found.next;
            if place.is_none() {
                break;
            }
            whole &= read + 1 < READS_MAX;
        }
    }
    Ok((decisions, intervals, whole))
}

fn chosen_of(step: &Step<'_>, now: Timestamp) -> Chosen {
    let decision = step.decision;
    let price = match &decision.price {
        Some(price) => format!(
            "{} USD/MWh ({}, known {})",
            price.usd_per_mwh,
            price.source,
            clock_or_day(price.known_at, step.held.start)
        ),
        None => "not known".to_owned(),
    };
    let mut figures = vec![
        ("Asked", format!("{} MW", mw(decision.asked))),
        ("Import limit", format!("{} MW", mw(decision.import_limit))),
        ("Price", price),
    ];
    if let Some(cost) = &decision.cost_usd_per_mwh {
        figures.push(("Power costs", format!("{cost} USD/MWh with adders")));
    }
    if !decision.unexplained.is_zero() {
        figures.push(("Unexplained", format!("{} MW", mw(decision.unexplained))));
    }
    if let Some(until) = decision.looked_ahead_until {
        figures.push(("Looked ahead", format!("until {}", text::instant(until))));
    }
    let loads = decision.loads.iter().map(|load| LoadLine {
        load: load.load.clone(),
        swatch: use_named(load.used_for.as_deref()).map_or("part", area),
        from: mw(load.from),
        to: mw(load.to),
        // What looks the same is called the same.
        moved: if mw(load.to) == mw(load.from) {
            ""
        } else if load.to > load.from {
            "up"
        } else {
            "down"
        },
        worth: load.worth_usd_per_mwh.clone().unwrap_or_else(|| "-".to_owned()),
        reason: load.explanation.clone().unwrap_or_else(|| load.reason.clone()),
    });
    Chosen {
        from: clock(step.held.start),
        until: clock(step.held.end),
        decided_at: clock_or_day(decision.decided_at, now),
        emergency: decision.emergency,
        figures,
        loads: loads.collect(),
        generation: decision.generation,
        seq: decision.seq,
    }
}

fn rows(
    steps: &[Step<'_>],
    metered: &[&IntervalDocument],
    uses: &[Use],
    chosen: Option<&Step<'_>>,
    now: Timestamp,
) -> Vec<Row> {
    steps
        .iter()
        .rev()
        .map(|step| {
            let start = step.held.start;
            let one = metered.iter().find(|one| one.start <= start && start < one.end);
            let decision = step.decision;
            let by_use = uses.iter().map(|used| {
                let those = decision.loads.iter();
                let sum = those
                    .filter(|load| use_named(load.used_for.as_deref()) == Some(*used))
                    .map(|load| load.to)
                    .sum();
                mw(sum)
            });
            Row {
                at: start.to_string(),
                time: clock_or_day(start, now),
                price: decision
                    .price
                    .as_ref()
                    .map_or("-".to_owned(), |price| price.usd_per_mwh.clone()),
                limit: mw(decision.import_limit),
                asked: mw(decision.asked),
                by_use: by_use.collect(),
                metered: one.map_or("-".to_owned(), |one| {
                    mw(mean(one.site_j, Interval { start: one.start, end: one.end }))
                }),
                chosen: chosen.is_some_and(|chosen| chosen.held.start == start),
            }
        })
        .collect()
}
