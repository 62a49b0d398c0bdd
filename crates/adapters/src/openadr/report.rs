//! What a VTN wants to hear back of an event: what was drawn while it held.
//!
//! Figures are of the interconnection's meter as it was read between polls. An interval
//! in which it was not heard is left out, and never filled in.

use std::collections::VecDeque;

use serde_json::{Map, Value, json};
use units::{Energy, Interval, Power, Seconds, Timestamp};

/// What of a report can be filed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Wanted {
    /// Energy over each interval, in kWh.
    Usage,
    /// Mean power over each interval, in kW.
    Demand,
}

/// An event that has ended and wants a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Due {
    pub(super) event: String,
    pub(super) wanted: Vec<Wanted>,
    pub(super) intervals: Vec<Interval>,
}

/// What the meter showed, oldest first.
#[derive(Debug, Default)]
pub(super) struct Samples {
    shown: VecDeque<(Timestamp, Power)>,
}

/// How long readings are kept: as long as the longest event is told ahead, and over.
const KEPT: Seconds = Seconds::hours(30);

/// How far apart two readings may be: a poll, and one that failed.
const APART: Seconds = Seconds::from_seconds(75);

impl Wanted {
    fn word(self) -> &'static str {
        match self {
            Self::Usage => "USAGE",
            Self::Demand => "DEMAND",
        }
    }

    fn unit(self) -> &'static str {
        match self {
            Self::Usage => "KWH",
            Self::Demand => "KW",
        }
    }

    fn of(self, energy: Energy, during: Interval) -> f64 {
        match self {
            Self::Usage => energy.as_joules() as f64 / 3_600_000.0,
            Self::Demand => energy.over(during.duration()).as_watts() as f64 / 1_000.0,
        }
    }
}

/// What of an event's report descriptors can be filed.
pub(super) fn wanted(event: &Map<String, Value>) -> Vec<Wanted> {
    let list = event.get("reportDescriptors").and_then(Value::as_array);
    let kinds = list.into_iter().flatten().filter_map(|one| {
        match one.get("payloadType").and_then(Value::as_str) {
            Some("USAGE") => Some(Wanted::Usage),
            Some("DEMAND") => Some(Wanted::Demand),
            Some(_) | None => None,
        }
    });
    let mut kinds: Vec<_> = kinds.collect();
    kinds.sort_unstable();
    kinds.dedup();
    kinds
}

impl Samples {
    /// The meter showed this.
    pub(super) fn note(&mut self, at: Timestamp, draw: Option<Power>) {
        let is_later = self.shown.back().is_none_or(|(last, _)| at > *last);
        if let Some(draw) = draw.filter(|_| is_later) {
            self.shown.push_back((at, draw));
        }
        while self.shown.front().is_some_and(|(first, _)| *first + KEPT < at) {
            self.shown.pop_front();
        }
    }

    /// What was drawn over an interval, each reading held to the next; nothing where
    /// readings are too far apart.
    fn energy(&self, during: Interval) -> Option<Energy> {
        let mut joules: i128 = 0;
        let mut to = during.start;
        let next = self.shown.iter().skip(1).map(|(at, _)| Some(*at));
        for ((at, draw), next) in self.shown.iter().zip(next.chain([None])) {
            let end = next.unwrap_or(during.end).min(during.end);
            if end <= during.start || *at >= during.end {
                continue;
            }
            if *at > to + APART || end > *at + APART {
                return None;
            }
            let seconds = i128::from((end - to).as_seconds());
            joules += i128::from(draw.as_watts()) * seconds;
            to = end;
        }
        let joules = i64::try_from(joules).ok()?;
        (to == during.end).then_some(Energy::from_joules(joules))
    }

    /// The report of an event; nothing where the meter was never heard.
    pub(super) fn report(&self, due: &Due, client: &str) -> Option<Value> {
        let metered: Vec<_> = due
            .intervals
            .iter()
            .enumerate()
            .filter_map(|(number, during)| {
                let energy = self.energy(*during)?;
                let payloads: Vec<_> = due
                    .wanted
                    .iter()
                    .map(|kind| {
                        json!({"type": kind.word(), "values": [kind.of(energy, *during)]})
                    })
                    .collect();
                let lasts = format!("PT{}S", during.duration().as_seconds());
                Some(json!({
                    "id": number, "payloads": payloads,
                    "intervalPeriod": {
                        "start": during.start.to_string(), "duration": lasts,
                    },
                }))
            })
            .collect();
        if metered.is_empty() {
            return None;
        }
        let descriptors: Vec<_> = due
            .wanted
            .iter()
            .map(|kind| {
                json!({
                    "objectType": "REPORT_PAYLOAD_DESCRIPTOR", "payloadType": kind.word(),
                    "readingType": "MEAN", "units": kind.unit(),
                })
            })
            .collect();
        Some(json!({
            "objectType": "REPORT", "eventID": due.event, "clientName": client,
            "payloadDescriptors": descriptors,
            "resources": [{"resourceName": "AGGREGATED_REPORT", "intervals": metered}],
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_unix_seconds(1_780_000_000 + second)
    }

    fn samples(readings: &[(i64, i64)]) -> Samples {
        let mut samples = Samples::default();
        for (second, kw) in readings {
            samples.note(at(*second), Some(Power::from_kw(*kw)));
        }
        samples
    }

    /// Readings in seconds and kW, and what they come to over the first minute, in kJ.
    #[test]
    fn readings_hold_to_the_next_and_gaps_are_not_filled() {
        let during = Interval { start: at(0), end: at(60) };
        for (readings, kilojoules) in [
            (&[(-5, 10), (30, 20)][..], Some(900)),
            (&[(0, 10), (30, 20), (60, 99)], Some(900)),
            (&[(-5, 10), (30, 20), (45, -20), (70, 9)], Some(300)),
            (&[(-60, 10), (30, 20)], None),
            (&[(-70, 10)], None),
            (&[(5, 10)], Some(600)),
            (&[], None),
            (&[(90, 10)], None),
        ] {
            let found = samples(readings).energy(during).map(|e| e.as_joules() / 1_000);
            assert_eq!(found, kilojoules, "{readings:?}");
        }
    }

    #[test]
    fn a_report_has_what_was_asked_for() {
        let event = json!({"reportDescriptors": [
            {"payloadType": "DEMAND"}, {"payloadType": "BASELINE"},
            {"payloadType": "USAGE"}, {"payloadType": "DEMAND"}]});
        let wanted = wanted(event.as_object().expect("an event"));
        assert_eq!(wanted, [Wanted::Usage, Wanted::Demand]);
        let intervals = vec![Interval { start: at(0), end: at(60) }];
        let due = Due { event: "e".to_owned(), wanted, intervals };
        let report = samples(&[(0, 1_000), (30, 2_000)]).report(&due, "north");
        let report = report.expect("a report");
        let payloads = &report["resources"][0]["intervals"][0]["payloads"];
        assert_eq!(payloads[0], json!({"type": "USAGE", "values": [25.0]}));
        assert_eq!(payloads[1], json!({"type": "DEMAND", "values": [1500.0]}));
        assert_eq!(report["eventID"], "e");
        assert_eq!(samples(&[]).report(&due, "north"), None);
    }
}
