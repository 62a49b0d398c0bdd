//! An estate within a running engine: what happened comes in when it comes, and time
//! passes between.
//!
//! The engine asks after every input when time alone wants something. Looking that up
//! takes a walk over every tray, so it is kept beside the estate and looked up once for
//! each event.

use serde::{Deserialize, Serialize};
use units::{Seconds, Timestamp};

use super::news::news;
use super::{Actor, Body, Estate, Event, Output, Refused, TrayNo};
use crate::alarm::{OfRacks, of_racks};

/// An estate, and when it next wants to be woken.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    estate: Estate,
    wake: Option<Timestamp>,
    /// How many facts were told.
    facts: u64,
    overdue: Option<Overdue>,
    /// What a person is woken for, as the estate stands.
    wrong: Vec<OfRacks>,
}

/// Trays that a person was told of because they wait for longer than is allowed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overdue {
    /// How many.
    pub trays: u32,
    /// The slot of the first.
    pub first: String,
    /// Where that is, and what it waits for.
    pub waits: String,
}

/// What is overdue and stays so when time has passed is looked at again after this.
const AGAIN_AFTER: Seconds = Seconds::minutes(1);

impl Kept {
    /// The estate.
    pub fn estate(&self) -> &Estate {
        &self.estate
    }

    /// How many facts it has told: the number of the last one.
    pub fn facts(&self) -> u64 {
        self.facts
    }

    /// Takes in an event that reached us at `now`.
    ///
    /// # Errors
    ///
    /// What the estate refuses, and what is later than it reached us.
    pub fn take(
        &mut self,
        event: &Event,
        now: Timestamp,
    ) -> Result<Vec<Output>, Refused> {
        if event.at > now {
            let (expected, found) = (format!("an event by {now}"), event.at.to_string());
            return Err(Refused::Unfit { expected, found });
        }
        let mut outputs = self.estate.fold(event)?;
        outputs.extend(news(&self.estate, event, &outputs));
        self.wake = self.estate.next_wake().map(|(due, _)| due);
        self.count(&outputs);
        self.look_over();
        Ok(outputs)
    }

    /// Takes in an event that a record says was taken in, whatever has become stricter
    /// since.
    ///
    /// # Errors
    ///
    /// What no rules ever let pass.
    pub(crate) fn retake(&mut self, event: &Event) -> Result<(), Refused> {
        let outputs = self.estate.refold(event)?;
        self.wake = self.estate.next_wake().map(|(due, _)| due);
        self.count(&outputs);
        self.look_over();
        Ok(())
    }

    /// Takes on how many facts a record says were told: where something counts otherwise
    /// today, those are the ones that have numbers.
    pub(crate) fn have_told(&mut self, facts: u64) {
        self.facts = facts;
    }

    /// Lets time pass up to `now`, if it is time for anything.
    pub fn pass(&mut self, now: Timestamp) -> Vec<Output> {
        if self.wake.is_none_or(|due| now < due) {
            return Vec::new();
        }
        let wake = Event { at: now, by: Actor::Site, body: Body::Wake };
        let folded = self.estate.fold(&wake);
        let mut outputs = folded.expect("the site may say that time passed");
        outputs.extend(news(&self.estate, &wake, &outputs));
        let next = self.estate.next_wake().map(|(due, _)| due);
        self.wake = next.map(|due| if due <= now { now + AGAIN_AFTER } else { due });
        self.count(&outputs);
        self.look_over();
        outputs
    }

    fn look_over(&mut self) {
        self.overdue = overdue(&self.estate);
        self.wrong = of_racks(&self.estate);
    }

    /// What a person is woken for.
    pub(crate) fn wrong(&self) -> &[OfRacks] {
        &self.wrong
    }

    /// Trays that wait for longer than is allowed, where any do.
    pub fn overdue(&self) -> Option<&Overdue> {
        self.overdue.as_ref()
    }

    /// When time alone wants something, and why.
    pub fn next_wake(&self) -> Option<(Timestamp, &'static str)> {
        self.wake.map(|due| (due, "something about racks is due or overdue"))
    }

    fn count(&mut self, outputs: &[Output]) {
        let facts = outputs.iter().filter(|output| matches!(output, Output::Fact(_)));
        self.facts += facts.count() as u64;
    }
}

fn overdue(estate: &Estate) -> Option<Overdue> {
    let all = (0..).map(TrayNo).zip(estate.trays());
    let mut told = all.filter(|(_, tray)| tray.told).map(|(number, _)| number);
    let first = told.next()?;
    let phase = estate.tray(first).phase.name();
    let mut waits = match estate.wait(first) {
        Some(wait) => format!("{phase}: {wait}"),
        None => phase.to_owned(),
    };
    if let Some(why) = &estate.tray(first).cordon {
        waits += &format!("; kept from everybody: {why}");
    }
    let others = u32::try_from(told.count()).unwrap_or(u32::MAX);
    let trays = others.saturating_add(1);
    Some(Overdue { trays, first: estate.slot_name(first), waits })
}
