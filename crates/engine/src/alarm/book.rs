//! The book of alarms: what stands, what was told, and when it is told again.
//!
//! | urgency  | told further up after | cleared |
//! |----------|-----------------------|---------|
//! | critical | 5, 15 and 30 min      | when gone for 1 min |
//! | warning  | 60 min                | the same |
//! | note     | never                 | the same |
//!
//! What came three times within an hour stands until it has been gone for 15 min.
//! Of more than ten new ones in ten minutes the rest is told as a number; what is
//! critical is always told by itself.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use units::{Seconds, Timestamp};

use super::what::Subject;
use super::{Alarm, AlarmChange, AlarmId, Stage, Trouble, Urgency, What};
use crate::alarm::watch::{Heard, Wrong};
use crate::people::{Person, RefusedBecause};

/// How long something is gone before its alarm is over.
const OVER_AFTER: Seconds = Seconds::minutes(1);

/// The same for machines that do as they like: when they are tried again, it takes
/// a minute to see that they still do.
const OVER_AFTER_TRYING: Seconds = Seconds::minutes(3);

/// The same for what comes and goes.
const OVER_AFTER_FLAPPING: Seconds = Seconds::minutes(15);

/// So many times within [`FLAPS_WITHIN`], and it comes and goes.
const FLAPS: usize = 3;
const FLAPS_WITHIN: Seconds = Seconds::hours(1);

/// So many new ones within [`FLOOD_WITHIN`] are told one by one.
const FLOOD: usize = 10;
const FLOOD_WITHIN: Seconds = Seconds::minutes(10);

/// What stands, what was told, and when it is told again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlarmBook {
    alarms: BTreeMap<AlarmId, Alarm>,
    /// The number of the last alarm.
    last: u32,
    /// When each subject came up within the last hour.
    comings: BTreeMap<Subject, Vec<Timestamp>>,
    /// When alarms were told one by one, within the last ten minutes.
    told: Vec<Timestamp>,
    /// Raised in a flood, and not even told as a number yet.
    untold: u32,
    /// When the last number was told.
    flood_told_at: Option<Timestamp>,
    /// When what speaks from time to time was last heard.
    pub(crate) heard: Heard,
}

/// After how long unacknowledged an alarm goes further up, level by level.
fn schedule(urgency: Urgency) -> &'static [Seconds] {
    const CRITICAL: [Seconds; 3] =
        [Seconds::minutes(5), Seconds::minutes(15), Seconds::minutes(30)];
    const WARNING: [Seconds; 1] = [Seconds::minutes(60)];
    match urgency {
        Urgency::Critical => &CRITICAL,
        Urgency::Warning => &WARNING,
        Urgency::Note => &[],
    }
}

impl AlarmBook {
    /// The alarms that stand, the most urgent first, the oldest of them first.
    pub fn standing(&self) -> Vec<&Alarm> {
        let mut standing: Vec<&Alarm> = (self.alarms.values())
            .filter(|alarm| !matches!(alarm.stage, Stage::Suspected { .. }))
            .collect();
        standing.sort_by_key(|alarm| (std::cmp::Reverse(alarm.urgency), alarm.id));
        standing
    }

    /// An alarm that stands.
    pub fn get(&self, id: AlarmId) -> Option<&Alarm> {
        self.alarms.get(&id)
    }

    /// Takes in that a person looks after an alarm.
    pub(crate) fn acknowledge(
        &mut self,
        id: AlarmId,
        by: &Person,
    ) -> Result<(), RefusedBecause> {
        let standing = self.alarms.get_mut(&id);
        let alarm = standing
            .filter(|alarm| !matches!(alarm.stage, Stage::Suspected { .. }))
            .ok_or(RefusedBecause::NoSuchAlarm { alarm: id })?;
        if let Some(by) = alarm.acknowledged.clone() {
            return Err(RefusedBecause::AlreadyAcknowledged { by });
        }
        alarm.acknowledged = Some(by.clone());
        Ok(())
    }

    /// Takes in what is wrong with the program itself.
    pub(crate) fn hear_of_trouble(&mut self, trouble: Trouble, standing: bool) {
        if standing {
            self.heard.troubles.insert(trouble);
        } else {
            self.heard.troubles.remove(&trouble);
        }
    }

    /// Compares what is wrong now with what stands; makes and returns the changes.
    pub(crate) fn review(
        &mut self,
        mut wrong: Vec<Wrong>,
        at: Timestamp,
    ) -> Vec<AlarmChange> {
        // The most urgent are told by themselves before a flood is.
        wrong.sort_by_key(|wrong| {
            (std::cmp::Reverse(wrong.what.urgency()), wrong.what.subject())
        });
        let mut changes = Vec::new();
        let mut still_wrong: Vec<AlarmId> = Vec::new();
        let mut told: Vec<AlarmId> = Vec::new();
        for wrong in wrong {
            let subject = wrong.what.subject();
            let id = self.find(&subject);
            let id = id.unwrap_or(AlarmId(self.last + 1));
            if still_wrong.contains(&id) {
                continue;
            }
            still_wrong.push(id);
            while let Some(change) = self.next_of_wrong(id, &wrong, at) {
                self.apply(&change, at);
                told.extend(change.is_told().then_some(id));
                changes.push(change);
            }
        }
        let ids: Vec<AlarmId> = self.alarms.keys().copied().collect();
        for id in ids {
            let change = match still_wrong.contains(&id) {
                // One word at a time: who is told next is told a moment later.
                true if told.contains(&id) => None,
                true => self.escalation_due(id, at),
                false => self.next_of_gone(id, at),
            };
            if let Some(change) = change {
                self.apply(&change, at);
                changes.push(change);
            }
        }
        if self.flood_due().is_some_and(|due| due <= at) {
            let change = AlarmChange::Flood { more: self.untold };
            self.apply(&change, at);
            changes.push(change);
        }
        changes
    }

    /// The next change of an alarm whose subject is wrong.
    fn next_of_wrong(
        &self,
        id: AlarmId,
        wrong: &Wrong,
        at: Timestamp,
    ) -> Option<AlarmChange> {
        let what = || wrong.what.clone();
        let raised = || {
            let urgent = wrong.what.urgency() == Urgency::Critical;
            let told = urgent || self.told_lately(at) < FLOOD;
            Some(AlarmChange::Raised { id, what: what(), told })
        };
        let Some(alarm) = self.alarms.get(&id) else {
            if wrong.delay > Seconds::ZERO {
                let until = at + wrong.delay;
                return Some(AlarmChange::Suspected { id, what: what(), until });
            }
            return raised();
        };
        match alarm.stage {
            Stage::Suspected { until } if until <= at => raised(),
            Stage::Suspected { .. } => None,
            Stage::Gone { .. } => Some(AlarmChange::Returned { id }),
            Stage::Wrong => {
                let size = wrong.what.size();
                if wrong.what.urgency() > alarm.urgency
                    || size / 2 >= alarm.size_told.max(1)
                {
                    Some(AlarmChange::Grew { id, what: what() })
                } else if size < alarm.what.size() && size <= alarm.what.size() / 2 {
                    Some(AlarmChange::Shrank { id, what: what() })
                } else {
                    None
                }
            }
        }
    }

    /// The next change of an alarm whose subject is not wrong any more.
    fn next_of_gone(&self, id: AlarmId, at: Timestamp) -> Option<AlarmChange> {
        let alarm = self.alarms.get(&id)?;
        match alarm.stage {
            Stage::Suspected { .. } => Some(AlarmChange::Dropped { id }),
            Stage::Wrong => Some(AlarmChange::Gone { id }),
            Stage::Gone { since } if at - since >= self.over_after(alarm, at) => {
                Some(AlarmChange::Cleared { id })
            }
            Stage::Gone { .. } => None,
        }
    }

    /// The change that takes an alarm further up, where it is due. What is due more
    /// than once is told once.
    fn escalation_due(&self, id: AlarmId, at: Timestamp) -> Option<AlarmChange> {
        let alarm = self.alarms.get(&id)?;
        self.next_level(alarm).filter(|due| *due <= at)?;
        let passed = |after: &&Seconds| alarm.urgent_since + **after <= at;
        let level = schedule(alarm.urgency).iter().take_while(passed).count();
        Some(AlarmChange::Escalated { id, level: level as u8 })
    }

    /// When an alarm goes further up; `None` when it does not.
    fn next_level(&self, alarm: &Alarm) -> Option<Timestamp> {
        let waits = alarm.told && alarm.is_wrong_now() && alarm.acknowledged.is_none();
        let after = schedule(alarm.urgency).get(usize::from(alarm.level));
        after.filter(|_| waits).map(|after| alarm.urgent_since + *after)
    }

    fn over_after(&self, alarm: &Alarm, at: Timestamp) -> Seconds {
        let comings = self.comings.get(&alarm.what.subject());
        let lately = |times: &Vec<Timestamp>| {
            times.iter().filter(|time| at - **time < FLAPS_WITHIN).count()
        };
        match (comings.map_or(0, lately), &alarm.what) {
            (FLAPS.., _) => OVER_AFTER_FLAPPING,
            (_, What::Defiant { .. }) => OVER_AFTER_TRYING,
            (_, _) => OVER_AFTER,
        }
    }

    fn told_lately(&self, at: Timestamp) -> usize {
        self.told.iter().filter(|told_at| at - **told_at < FLOOD_WITHIN).count()
    }

    /// When the next number of a flood is told; `None` when there is nothing to tell.
    fn flood_due(&self) -> Option<Timestamp> {
        let first = Timestamp::from_unix_seconds(0);
        let due = self.flood_told_at.map_or(first, |told_at| told_at + FLOOD_WITHIN);
        (self.untold > 0).then_some(due)
    }

    fn find(&self, subject: &Subject) -> Option<AlarmId> {
        let alarm = self.alarms.values().find(|a| a.what.subject() == *subject);
        alarm.map(|alarm| alarm.id)
    }

    /// Takes in a change: when it is made, and when it is read in the record.
    pub(crate) fn apply(&mut self, change: &AlarmChange, at: Timestamp) {
        match change {
            AlarmChange::Suspected { id, what, until } => {
                self.open(*id, what, Stage::Suspected { until: *until }, at);
            }
            AlarmChange::Dropped { id } => {
                self.alarms.remove(id);
                // Nobody was told the last number: it is free again.
                if self.last == id.0 {
                    self.last -= 1;
                }
            }
            AlarmChange::Raised { id, what, told } => {
                if !self.alarms.contains_key(id) {
                    self.open(*id, what, Stage::Wrong, at);
                }
                self.note_coming(what.subject(), at);
                if *told {
                    self.told.retain(|told_at| at - *told_at < FLOOD_WITHIN);
                    self.told.push(at);
                } else {
                    self.untold += 1;
                }
                if let Some(alarm) = self.alarms.get_mut(id) {
                    alarm.stage = Stage::Wrong;
                    alarm.tell(what, *told, at);
                }
            }
            AlarmChange::Grew { id, what } => {
                if let Some(alarm) = self.alarms.get_mut(id) {
                    alarm.tell(what, true, at);
                }
            }
            AlarmChange::Shrank { id, what } => {
                if let Some(alarm) = self.alarms.get_mut(id) {
                    alarm.what = what.clone();
                }
            }
            AlarmChange::Escalated { id, level } => {
                if let Some(alarm) = self.alarms.get_mut(id) {
                    alarm.level = *level;
                    alarm.tellings += 1;
                }
            }
            AlarmChange::Gone { id } => {
                if let Some(alarm) = self.alarms.get_mut(id) {
                    alarm.stage = Stage::Gone { since: at };
                }
            }
            AlarmChange::Returned { id } => {
                let Some(alarm) = self.alarms.get_mut(id) else { return };
                alarm.stage = Stage::Wrong;
                alarm.returns += 1;
                let subject = alarm.what.subject();
                self.note_coming(subject, at);
            }
            AlarmChange::Cleared { id } => {
                self.alarms.remove(id);
            }
            AlarmChange::Flood { .. } => {
                self.untold = 0;
                self.flood_told_at = Some(at);
            }
        }
    }

    fn open(&mut self, id: AlarmId, what: &What, stage: Stage, at: Timestamp) {
        self.last = self.last.max(id.0);
        let alarm = Alarm {
            id,
            what: what.clone(),
            urgency: what.urgency(),
            since: at,
            returns: 0,
            level: 0,
            acknowledged: None,
            stage,
            told: false,
            tellings: 0,
            urgent_since: at,
            size_told: 0,
        };
        self.alarms.insert(id, alarm);
    }

    fn note_coming(&mut self, subject: Subject, at: Timestamp) {
        self.comings.retain(|_, times| {
            times.retain(|time| at - *time < FLAPS_WITHIN);
            !times.is_empty()
        });
        let times = self.comings.entry(subject).or_default();
        times.push(at);
        if times.len() > FLAPS {
            times.remove(0);
        }
    }

    /// When something changes by itself, and why.
    pub(crate) fn next_wake(&self, at: Timestamp) -> Option<(Timestamp, &'static str)> {
        let of_each = self.alarms.values().filter_map(|alarm| match alarm.stage {
            Stage::Suspected { until } => Some((until, "see whether something lasts")),
            Stage::Gone { since } => {
                let over = since + self.over_after(alarm, at);
                Some((over, "clear an alarm"))
            }
            Stage::Wrong => {
                let due = self.next_level(alarm)?;
                Some((due, "take an alarm further up"))
            }
        });
        let flood = self.flood_due().map(|due| (due, "tell how many alarms there are"));
        of_each.chain(flood).min()
    }
}

impl Alarm {
    /// Takes on figures that people are told, or would be but for a flood. What
    /// became more urgent starts its way up anew: whoever looks after it agreed to
    /// less.
    fn tell(&mut self, what: &What, told: bool, at: Timestamp) {
        if self.tellings == 0 || what.urgency() > self.urgency {
            self.urgent_since = at;
            self.level = 0;
            self.acknowledged = None;
        }
        self.urgency = self.urgency.max(what.urgency());
        self.size_told = self.size_told.max(what.size());
        self.what = what.clone();
        self.told |= told;
        self.tellings += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alarm::what::Group;

    fn silent(load: usize, count: u32, of: u32) -> Wrong {
        let load = format!("rigs {load}");
        let machines = Group { load, racks: false, firm: false, count, of };
        let since = Timestamp::from_unix_seconds(0);
        Wrong { what: What::Silent { machines, since }, delay: Seconds::ZERO }
    }

    type Moment<'a> = (i64, &'a [(usize, u32)], &'a str);

    /// What is told at each moment: minutes, then the loads with silent machines as
    /// (load, count) of a thousand, then what is told in words.
    fn check(story: &[Moment<'_>]) {
        let mut book = AlarmBook::default();
        for (minutes, wrong, expected) in story {
            let at = Timestamp::from_unix_seconds(0) + Seconds::minutes(*minutes);
            let wrong = wrong.iter().map(|(load, count)| silent(*load, *count, 1_000));
            let changes = book.review(wrong.collect(), at);
            let told = changes.iter().filter(|change| change.is_told());
            let words = told.map(|change| match change {
                AlarmChange::Raised { id, .. } => format!("raised {id}"),
                AlarmChange::Grew { id, .. } => format!("grew {id}"),
                AlarmChange::Escalated { id, level } => format!("{id} to {level}"),
                AlarmChange::Flood { more } => format!("and {more} more"),
                AlarmChange::Suspected { .. }
                | AlarmChange::Dropped { .. }
                | AlarmChange::Shrank { .. }
                | AlarmChange::Gone { .. }
                | AlarmChange::Returned { .. }
                | AlarmChange::Cleared { .. } => panic!("{change:?} is not told"),
            });
            let words: Vec<String> = words.collect();
            assert_eq!(words.join(", "), *expected, "after {minutes} min");
        }
    }

    #[test]
    fn what_nobody_acknowledges_goes_up_in_time() {
        check(&[
            (0, &[(0, 300)], "raised 1"),
            (4, &[(0, 310)], ""),
            (5, &[(0, 320)], "1 to 1"),
            (14, &[(0, 320)], ""),
            (15, &[(0, 320)], "1 to 2"),
            (31, &[(0, 320)], "1 to 3"),
            (300, &[(0, 320)], ""),
        ]);
        // A warning goes up once, a note never.
        check(&[
            (0, &[(0, 20), (1, 2)], "raised 1, raised 2"),
            (60, &[(0, 20), (1, 2)], "1 to 1"),
        ]);
        // What was due twice is told once.
        check(&[(0, &[(0, 300)], "raised 1"), (20, &[(0, 300)], "1 to 2")]);
    }

    #[test]
    fn what_gets_worse_is_told_when_it_doubles_or_is_more_urgent() {
        check(&[
            (0, &[(0, 2)], "raised 1"),
            (1, &[(0, 3)], ""),
            (2, &[(0, 4)], "grew 1"),
            (3, &[(0, 2)], ""),
            (4, &[(0, 4)], ""),
            (5, &[(0, 10)], "grew 1"),
            (6, &[(0, 200)], "grew 1"),
            (11, &[(0, 200)], "1 to 1"),
        ]);
        // It is not told twice at once.
        check(&[
            (0, &[(0, 300)], "raised 1"),
            (6, &[(0, 700)], "grew 1"),
            (7, &[(0, 700)], "1 to 1"),
        ]);
    }

    #[test]
    fn a_flood_is_told_as_a_number() {
        let many: Vec<(usize, u32)> = (0..44).map(|load| (load, 20)).collect();
        let first: Vec<String> = (1..=10).map(|id| format!("raised {id}")).collect();
        let story = format!("{}, and 34 more", first.join(", "));
        check(&[(0, &many, &story), (1, &many, ""), (12, &many, "")]);
        // What is critical is told all the same.
        let mut worse = many.clone();
        worse.push((50, 900));
        check(&[(0, &many, &story), (1, &worse, "raised 45")]);
    }
}
