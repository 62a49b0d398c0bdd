//! Figures and times as people read them.

use units::{Energy, Interval, Power, Seconds, Timestamp};

use crate::ledger::Use;

/// An instant with its day, to the minute.
pub(super) fn instant(at: Timestamp) -> String {
    let text = at.to_string();
    format!("{} {} UTC", &text[..10], &text[11..16])
}

/// The time of day.
pub(super) fn clock(at: Timestamp) -> String {
    at.to_string()[11..16].to_owned()
}

/// The time of day, with the day where that is not the present one.
pub(super) fn clock_or_day(at: Timestamp, now: Timestamp) -> String {
    if at.utc_date() == now.utc_date() {
        clock(at)
    } else {
        let text = at.to_string();
        format!("{} {}", &text[5..10], &text[11..16])
    }
}

/// How long something is, in its largest units.
pub(super) fn length(duration: Seconds) -> String {
    let seconds = duration.as_seconds().max(0);
    let (days, hours, minutes) =
        (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min"),
        (0, ..) => format!("{hours} h {minutes:02} min"),
        (..) => format!("{days} d {hours} h"),
    }
}

/// Megawatts to two places.
pub(super) fn mw(power: Power) -> String {
    power.to_mw_text(2)
}

/// The mean power of some energy over an interval.
pub(super) fn mean(joules: i64, during: Interval) -> Power {
    Energy::from_joules(joules).over(during.duration())
}

/// The use that a document names.
pub(super) fn use_named(key: Option<&str>) -> Option<Use> {
    Use::ALL.into_iter().find(|used| Some(used.key()) == key)
}

/// Megawatts as a place's value.
pub(super) fn megawatts(power: Power) -> f64 {
    power.as_watts() as f64 / 1e6
}

/// A price of a document as a place's value.
pub(super) fn price(text: &str) -> Option<f64> {
    text.parse().ok()
}
