//! What machines answer, gathered: those that answer together are one receipt.

use std::collections::BTreeMap;

use engine::site::LoadIx;
use engine::{Observed, Receipt, Survey};
use units::{Seconds, Timestamp};

use super::group::{Group, Reply};

/// A receipt, and how long after the question it comes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// How long after the question.
    pub after: Seconds,
    /// What was seen at the moment of the question.
    pub receipt: Receipt,
}

/// Who answers, by how late and by how far their clocks are off.
#[derive(Debug, Default)]
pub(super) struct Answers(BTreeMap<(Seconds, Seconds), BTreeMap<LoadIx, Heard>>);

#[derive(Debug, Default)]
struct Heard {
    answered: Vec<u32>,
    silent: Vec<u32>,
}

impl Answers {
    pub(super) fn note(&mut self, load: LoadIx, machine: u32, reply: Reply) {
        let mut put = |after| {
            let of = self.0.entry((after, reply.clock_off)).or_default();
            of.entry(load).or_default().answered.push(machine);
        };
        put(reply.after);
        if let Some(again) = reply.again {
            put(again);
        }
    }

    pub(super) fn note_silent(&mut self, load: LoadIx, machine: u32) {
        let of = self.0.entry((Seconds::ZERO, Seconds::ZERO)).or_default();
        of.entry(load).or_default().silent.push(machine);
    }

    /// What they say, in the order it comes.
    pub(super) fn say(self, groups: &[Group], now: Timestamp) -> Vec<Answer> {
        let receipt = |clock_off, loads: BTreeMap<LoadIx, Heard>| {
            let mut receipt = Receipt {
                observed_at: now + clock_off,
                observed: Vec::new(),
                surveys: Vec::new(),
            };
            for (load, heard) in loads {
                let group = &groups[load];
                if !group.is_single() {
                    receipt.surveys.push(heard.survey(load, group));
                } else if !heard.answered.is_empty() {
                    receipt.observed.push(Observed { load, setpoint: group.says() });
                }
            }
            receipt
        };
        self.0
            .into_iter()
            .map(|((after, clock_off), loads)| Answer {
                after,
                receipt: receipt(clock_off, loads),
            })
            .filter(|answer| {
                !answer.receipt.observed.is_empty() || !answer.receipt.surveys.is_empty()
            })
            .collect()
    }
}

impl Heard {
    fn survey(self, load: LoadIx, group: &Group) -> Survey {
        let answered = self.answered.into_iter().map(|machine| (machine, true));
        let silent = self.silent.into_iter().map(|machine| (machine, false));
        let mut asked: Vec<(u32, bool)> = answered.chain(silent).collect();
        asked.sort_unstable();
        asked.dedup_by_key(|(machine, _)| *machine);
        let look = |(machine, answers): (u32, bool)| {
            (machine, answers.then(|| group.look(machine)))
        };
        Survey::of(load, asked.into_iter().map(look))
    }
}
