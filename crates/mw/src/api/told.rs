//! What a record of the journal says, as documents and events.
//!
//! A decision names loads by place; their names and the words of its reasons are of
//! the site file that was in force. Where that is not known, words are left out
//! rather than made up.

use std::sync::Arc;

use adapters::store::Record;
use engine::journal::Step;
use engine::{
    AlarmChange, Change, Dispatch, Event, Freshness, MeteredInterval, Notice, Output,
    Quality, Request, Site, capacity,
};
use serde_json::{Value, json};
use units::Timestamp;

use super::document::{
    DecidedLoadDocument, DecisionDocument, IntervalDocument, MeteredLoadDocument,
    PriceDocument,
};
use super::racks::act::told;
use crate::capacity::own::Own;
use crate::ledger::Use;
use crate::live::journal::step_of;
use crate::live::status::text::rfc3339;

/// Something that happened, as a stream tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// The record that holds it.
    pub seq: u64,
    /// What kind of thing.
    pub kind: EventKind,
    /// The tenant it is told; nothing where it is told the site's people.
    pub tenant: Option<String>,
    /// It, as JSON on one line.
    pub data: String,
    /// The same under its tenant's own names, once they are known.
    pub own: Option<String>,
}

impl Told {
    /// Whether it is told a tenant whose names for it are not known yet.
    pub fn waits_for_names(&self) -> bool {
        self.tenant.is_some() && self.own.is_none()
    }
}

/// The kinds of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EventKind {
    /// A decision was taken.
    Decision,
    /// An interval was metered.
    Metered,
    /// An alarm was raised, has changed or is over.
    Alarm,
    /// A person asked for something, and was answered.
    Request,
    /// The site file changed.
    Site,
    /// Something happened to racks or to who has them.
    Racks,
}

impl EventKind {
    /// Every kind.
    pub const ALL: [Self; 6] = [
        Self::Decision,
        Self::Metered,
        Self::Alarm,
        Self::Request,
        Self::Site,
        Self::Racks,
    ];

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Decision => "decision",
            Self::Metered => "metered",
            Self::Alarm => "alarm",
            Self::Request => "request",
            Self::Site => "site",
            Self::Racks => "racks",
        }
    }
}

/// Everything that a record says.
#[derive(Debug, Default)]
pub struct Said {
    /// Decisions.
    pub decisions: Vec<DecisionDocument>,
    /// Metered intervals.
    pub intervals: Vec<IntervalDocument>,
    /// Events, in order.
    pub events: Vec<Told>,
    /// The site that is decided by from here on, where that changed.
    pub site: Option<Arc<Site>>,
}

/// Reads what a record says, by the site that was in force before it, and by an estate
/// of the time or later: what tenants hear has their names where it is given.
///
/// # Errors
///
/// When the record is no record of this program.
pub fn said(
    record: &Record,
    site: Option<&Arc<Site>>,
    estate: Option<&capacity::Estate>,
) -> anyhow::Result<Said> {
    let Some(Step { input, outputs }) = step_of(record)? else {
        return Ok(Said::default());
    };
    let mut said = Said::default();
    let seq = record.seq;
    let mut tell = |kind: EventKind, data: Value| {
        let data = data.to_string();
        said.events.push(Told { seq, kind, tenant: None, data, own: None });
    };
    let at = rfc3339(input.at);
    let mut site = site.cloned();
    if let Event::Change(Change::Site(changed)) = &input.event {
        let kept = outputs.iter().any(|output| {
            matches!(output, Output::Notice(Notice::ChangeLosesLockOut { .. }))
        });
        if !kept {
            let changed = Arc::new((**changed).clone());
            tell(EventKind::Site, json!({ "at": at, "site": changed.name }));
            said.site = Some(Arc::clone(&changed));
            site = Some(changed);
        }
    }
    let site = site.as_deref();
    if let Event::Operator { by, request } = &input.event {
        let (answer, says) = answered(&outputs, site);
        let asked = request_word(request);
        tell(
            EventKind::Request,
            json!({
                "at": at, "by": by.name, "role": by.role, "asked": asked,
                "answer": answer, "says": says,
            }),
        );
    }
    for output in &outputs {
        match output {
            Output::Dispatch(dispatch) => {
                let decision = decision(seq, input.at, dispatch, site);
                tell(
                    EventKind::Decision,
                    json!({
                        "at": at,
                        "generation": decision.generation,
                        "start": rfc3339(decision.start),
                        "end": rfc3339(decision.end),
                        "emergency": decision.emergency,
                        "asked_mw": decision.asked.to_mw_text(6),
                        "import_limit_mw": decision.import_limit.to_mw_text(6),
                    }),
                );
                said.decisions.push(decision);
            }
            Output::Metered(metered) => {
                let interval = interval(seq, metered, site);
                tell(
                    EventKind::Metered,
                    json!({
                        "at": at,
                        "start": rfc3339(interval.start),
                        "end": rfc3339(interval.end),
                        "site_j": interval.site_j,
                        "site_quality": interval.site_quality,
                    }),
                );
                said.intervals.push(interval);
            }
            Output::Alarm(change) => {
                if let Some(data) = alarm(&at, change) {
                    tell(EventKind::Alarm, data);
                }
            }
            Output::Estate(of_racks) => {
                if let Some(data) = racks(&at, of_racks) {
                    tell(EventKind::Racks, data);
                }
            }
            Output::Orders(_)
            | Output::ReadBack(_)
            | Output::Keep(_)
            | Output::Notice(_) => {}
        }
    }
    for output in &outputs {
        if let Output::Estate(capacity::Output::Told { tenant, news }) = output {
            let data = told(&at, tenant, news).to_string();
            let names = estate.map(|estate| Own::of(estate, tenant));
            let names = names.filter(|names| names.knows(news));
            let own = names.map(|names| told(&at, tenant, &names.news(news)).to_string());
            let (kind, tenant) = (EventKind::Racks, Some(tenant.clone()));
            said.events.push(Told { seq, kind, tenant, data, own });
        }
    }
    Ok(said)
}

/// What the site's people hear of racks: what moves, and what they have to see.
fn racks(at: &str, output: &capacity::Output) -> Option<Value> {
    match output {
        capacity::Output::Moved { tray, from, to, why } => Some(json!({
            "at": at, "about": "tray", "tray": tray.0, "from": from.name(),
            "to": to.name(), "says": why,
        })),
        capacity::Output::Notice { tray, text } => Some(json!({
            "at": at, "about": "notice", "tray": tray.map(|tray| tray.0), "says": text,
        })),
        capacity::Output::Order { .. }
        | capacity::Output::Fact(_)
        | capacity::Output::Told { .. } => None,
    }
}

fn request_word(request: &Request) -> &'static str {
    match request {
        Request::LockOut(_) => "lock_out",
        Request::Release { .. } => "release",
        Request::Maintain(_) => "maintain",
        Request::EndMaintenance { .. } => "end_maintenance",
        Request::Hold(_) => "hold",
        Request::EndHold(_) => "end_hold",
        Request::Instruct(_) => "instruct",
        Request::Confirm { .. } => "confirm",
        Request::Acknowledge { .. } => "acknowledge",
    }
}

fn answered(outputs: &[Output], site: Option<&Site>) -> (&'static str, Option<String>) {
    let notices = outputs.iter().filter_map(|output| match output {
        Output::Notice(notice) => Some(notice),
        Output::Dispatch(_)
        | Output::Orders(_)
        | Output::ReadBack(_)
        | Output::Keep(_)
        | Output::Metered(_)
        | Output::Alarm(_)
        | Output::Estate(_) => None,
    });
    for notice in notices {
        if let Notice::Refused { why } = notice {
            return ("refused", site.map(|site| why.explain(site)));
        }
        if let Notice::WaitsForAnother { name, until, .. } = notice {
            let says = format!("`{name}` waits for a second person until {until}");
            return ("waits", Some(says));
        }
        if let Notice::Accepted(accepted) = notice {
            return ("accepted", site.map(|site| accepted.explain(site)));
        }
    }
    ("unknown", None)
}

fn alarm(at: &str, change: &AlarmChange) -> Option<Value> {
    let id = change.id().map(|id| id.0);
    let told = |word: &str, says: Option<String>| {
        Some(json!({ "at": at, "alarm": id, "change": word, "says": says }))
    };
    match change {
        AlarmChange::Raised { what, .. } => told("raised", Some(what.consequence())),
        AlarmChange::Grew { what, .. } => told("grew", Some(what.consequence())),
        AlarmChange::Shrank { what, .. } => told("shrank", Some(what.consequence())),
        AlarmChange::Escalated { .. } => told("escalated", None),
        AlarmChange::Returned { .. } => told("returned", None),
        AlarmChange::Gone { .. } => told("gone", None),
        AlarmChange::Cleared { .. } => told("cleared", None),
        AlarmChange::Flood { more } => {
            told("flood", Some(format!("{more} more alarms were raised")))
        }
        AlarmChange::Suspected { .. } | AlarmChange::Dropped { .. } => None,
    }
}

/// A decision as a document; `site` is what was in force, where that is known.
pub fn decision(
    seq: u64,
    decided_at: Timestamp,
    dispatch: &Dispatch,
    site: Option<&Site>,
) -> DecisionDocument {
    let site = site.filter(|site| site.loads.len() == dispatch.entries.len());
    let price = |price: units::EnergyPrice| price.to_usd_per_mwh_text(2);
    let loads = dispatch.entries.iter().enumerate().map(|(load, entry)| {
        let meant = site.map(|site| &site.loads[load]);
        DecidedLoadDocument {
            load: meant.map_or_else(|| format!("load {load}"), |one| one.name.clone()),
            used_for: meant.map(|one| Use::of(&one.kind).key().to_owned()),
            from: entry.from,
            to: entry.to,
            worth_usd_per_mwh: entry.worth.map(price),
            reason: entry.reason.name().to_owned(),
            explanation: site.map(|site| entry.reason.explain(dispatch, site, load)),
        }
    });
    DecisionDocument {
        seq,
        decided_at,
        generation: dispatch.generation,
        start: dispatch.interval.start,
        end: dispatch.interval.end,
        emergency: dispatch.emergency,
        asked: dispatch.net(),
        import_limit: dispatch.import_limit,
        sheddable_limit: dispatch.sheddable_limit,
        unexplained: dispatch.unexplained,
        price: dispatch.price.map(|used| PriceDocument {
            usd_per_mwh: price(used.known.value),
            source: used.known.source.to_string(),
            known_at: used.known.known_at,
            freshness: match used.freshness {
                Freshness::Fresh => "fresh",
                Freshness::Stale => "stale",
                Freshness::Expired => "expired",
            }
            .to_owned(),
        }),
        cost_usd_per_mwh: dispatch.cost().map(price),
        hashprice_usd_per_ph_day: dispatch
            .hashprice
            .map(|known| known.value.to_string().replace(" USD/PH/day", "")),
        looked_ahead_until: dispatch.outlook.map(|outlook| outlook.until),
        loads: loads.collect(),
    }
}

/// A metered interval as a document.
pub fn interval(
    seq: u64,
    metered: &MeteredInterval,
    site: Option<&Site>,
) -> IntervalDocument {
    let site = site.filter(|site| site.loads.len() == metered.loads.len());
    let loads = metered.loads.iter().enumerate().map(|(load, one)| {
        let meant = site.map(|site| &site.loads[load]);
        MeteredLoadDocument {
            load: meant.map_or_else(|| format!("load {load}"), |one| one.name.clone()),
            used_for: meant.map(|one| Use::of(&one.kind).key().to_owned()),
            energy_j: one.energy.as_joules(),
            quality: quality(one.quality).to_owned(),
        }
    });
    IntervalDocument {
        seq,
        start: metered.during.start,
        end: metered.during.end,
        site_j: metered.site.as_joules(),
        site_quality: quality(metered.site_quality).to_owned(),
        unexplained_j: metered.unexplained.as_joules(),
        loads: loads.collect(),
    }
}

fn quality(quality: Quality) -> &'static str {
    match quality {
        Quality::Measured => "measured",
        Quality::Doubtful => "doubtful",
        Quality::Estimated => "estimated",
    }
}
