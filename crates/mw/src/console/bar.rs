//! Megawatts by use against the limits, as one bar.
//!
//! The bar has no text in it, so that it can be as narrow as a phone; what it shows
//! stands beside it as a list.

use crate::chart::{Linear, Mark, Place, line};

/// How wide the bar is on paper; it is stretched to its place.
const WIDTH: f64 = 1000.0;
const HEIGHT: f64 = 60.0;
const TOP: f64 = 10.0;
const THICK: f64 = 34.0;

/// The bar.
pub(super) struct Bar {
    pub(super) marks: Vec<Mark>,
    /// What it shows, for a reader who cannot see it.
    pub(super) label: String,
    /// How far its ticks are apart.
    pub(super) apart: String,
}

/// A stretch of it.
pub(super) struct Part {
    /// Its look.
    pub(super) class: &'static str,
    /// Megawatts; negative gives back.
    pub(super) size: f64,
    /// What it stands for.
    pub(super) hint: String,
}

/// What the bar is drawn against, in megawatts.
pub(super) struct Against {
    pub(super) limit: f64,
    pub(super) own_limit: f64,
    pub(super) worst: f64,
    pub(super) meter: Option<f64>,
}

pub(super) fn bar(parts: Vec<Part>, against: &Against, label: String) -> Bar {
    let sum =
        |sign: f64| -> f64 { parts.iter().map(|part| (part.size * sign).max(0.0)).sum() };
    let meter = against.meter.unwrap_or(0.0);
    let reaches = [sum(1.0), against.own_limit, against.limit, against.worst, meter];
    let high = reaches.into_iter().fold(0.0, f64::max);
    let low = -sum(-1.0).max(-meter);
    let scale = Linear::new(low * 1.03, high * 1.03, (0.0, WIDTH));
    let mut marks = Vec::new();
    let (ticks, digits) = scale.ticks(10.0);
    let apart = match ticks.as_slice() {
        [first, second, ..] => format!("{:.digits$} MW", second - first),
        [] | [_] => String::new(),
    };
    let foot = TOP + THICK;
    for tick in ticks {
        let x = scale.at(tick);
        let class = if tick == 0.0 { "zero" } else { "tick-mark" };
        marks.push(line(class, (x, foot), (x, foot + 7.0)));
    }
    let (mut up, mut down) = (0.0, 0.0);
    for part in parts {
        let from = if part.size >= 0.0 { &mut up } else { &mut down };
        let (a, b) = (scale.at(*from), scale.at(*from + part.size));
        *from += part.size;
        if (b - a).abs() < 0.05 {
            continue;
        }
        marks.push(Mark::Box {
            class: part.class,
            at: Place(a.min(b), TOP),
            width: (b - a).abs(),
            height: THICK,
            hint: part.hint,
        });
    }
    let upright = |class: &'static str, at: f64, over: f64| {
        let x = scale.at(at);
        line(class, (x, TOP - over), (x, foot + over))
    };
    marks.push(line("zero", (scale.at(0.0), TOP), (scale.at(0.0), foot)));
    marks.push(upright("mark-worst", against.worst, 4.0));
    if let Some(meter) = against.meter {
        marks.push(upright("mark-meter", meter, 4.0));
    }
    if against.own_limit > against.limit {
        marks.push(upright("mark-own-limit", against.own_limit, 8.0));
    }
    let breach = against.worst > against.limit;
    let class = if breach { "mark-limit breach" } else { "mark-limit" };
    marks.push(upright(class, against.limit, 8.0));
    Bar { marks, label, apart }
}

impl Bar {
    /// The paper it is drawn on.
    pub(super) fn paper(&self) -> String {
        format!("0 0 {WIDTH} {HEIGHT}")
    }
}
