//! What the grid asked for, as a bystander understood it: the tightest limit that
//! holds, by the rules of the instructions and nothing else.

use std::collections::BTreeMap;

use engine::site::{FailSafe, ProgrammeIx, Site};
use engine::state::Cap;
use engine::{Ask, Instruction, Person, Request, Signal};
use units::{Interval, Power, Seconds, Timestamp};

use crate::run::live::{Counts, Fault};

/// What one person asked for waits so long for another one's word.
const CONFIRM_WITHIN: Seconds = Seconds::minutes(15);

/// Everything that was asked.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    kept: BTreeMap<(ProgrammeIx, String), Instruction>,
    /// What each programme's link does: when it was last heard, how long it may be
    /// silent, and what holds then.
    links: Vec<Link>,
    /// What waits for another person, who asked, and until when.
    waiting: BTreeMap<(ProgrammeIx, String), (Instruction, String, Timestamp)>,
    /// The most that any level may be.
    most: Power,
}

#[derive(Clone, Copy, Debug)]
struct Link {
    /// From the first start on, where it never was.
    heard_at: Option<Timestamp>,
    silent_after: Option<Seconds>,
    fail_safe: FailSafe,
    longest: Seconds,
}

impl Asked {
    pub(super) fn of(site: &Site) -> Self {
        let link = |programme: &engine::site::Programme| Link {
            heard_at: None,
            silent_after: programme.silent_after,
            fail_safe: programme.fail_safe,
            longest: programme.longest,
        };
        Self {
            kept: BTreeMap::new(),
            links: site.programmes.iter().map(link).collect(),
            waiting: BTreeMap::new(),
            most: site.interconnection.import_limit.times(10),
        }
    }

    /// A process was started: it listens from now on.
    pub(super) fn listened(&mut self, at: Timestamp) {
        for link in &mut self.links {
            link.heard_at.get_or_insert(at);
        }
    }

    /// The site file was read anew, with the same programmes.
    pub(super) fn change(&mut self, site: &Site) {
        self.most = site.interconnection.import_limit.times(10);
    }

    pub(super) fn hear(&mut self, signal: &Signal, at: Timestamp, counts: &mut Counts) {
        match signal {
            Signal::Heard(programme) => self.heard(*programme, at, counts),
            Signal::Instruction(instruction) => {
                if !self.can_be(instruction, at) {
                    counts.fault(Fault::F14);
                } else if instruction.known_at <= at {
                    counts.fault(Fault::F10);
                    self.heard(instruction.programme, at, counts);
                    self.take(instruction, at);
                }
            }
            Signal::Price(_)
            | Signal::Hashprice(_)
            | Signal::Temperature(_)
            | Signal::DemandForecast(_)
            | Signal::PeakProbability(_)
            | Signal::Draw(_)
            | Signal::Forecast(_)
            | Signal::Exposure(_)
            | Signal::SpotOffer(_)
            | Signal::Sweep(_) => {}
        }
    }

    fn heard(&mut self, programme: ProgrammeIx, at: Timestamp, counts: &mut Counts) {
        if let Some(link) = self.links.get_mut(programme) {
            if link.is_lost(at) {
                counts.fault(Fault::F5);
                counts.note("links lost");
            }
            link.heard_at = Some(at);
        }
    }

    fn can_be(&self, instruction: &Instruction, _at: Timestamp) -> bool {
        let level = level(instruction.ask);
        let named = !instruction.name.trim().is_empty()
            && instruction.name.chars().count() <= 128;
        let ends = level.is_none() || instruction.during.start < instruction.during.end;
        let possible =
            level.is_none_or(|level| Power::ZERO <= level && level <= self.most);
        instruction.programme < self.links.len() && named && ends && possible
    }

    /// Takes in what holds from now on.
    fn take(&mut self, instruction: &Instruction, at: Timestamp) {
        let key = (instruction.programme, instruction.name.clone());
        let before = self.kept.get(&key);
        if before.is_some_and(|kept| kept.known_at > instruction.known_at) {
            return;
        }
        let from = instruction.during.start.max(at);
        match instruction.ask {
            Ask::Withdraw => {
                let nothing = Interval { start: from, end: from };
                let kept = self.kept.entry(key).or_insert_with(|| Instruction {
                    during: nothing,
                    ..instruction.clone()
                });
                kept.during.end = kept.during.end.min(from);
                kept.known_at = instruction.known_at;
            }
            Ask::Restore | Ask::Disarm => {
                let trips = instruction.ask == Ask::Restore;
                for ((programme, _), kept) in &mut self.kept {
                    let is_meant = if trips {
                        kept.ask == Ask::Trip
                    } else {
                        matches!(kept.ask, Ask::Arm(_))
                    };
                    let since = kept.known_at > instruction.known_at;
                    if *programme == instruction.programme && is_meant && !since {
                        kept.during.end = kept.during.end.min(from);
                        kept.known_at = instruction.known_at;
                    }
                }
            }
            Ask::Limit(_)
            | Ask::DispatchTo(_)
            | Ask::BasePoint(_)
            | Ask::Arm(_)
            | Ask::Trip
            | Ask::Test(_)
            | Ask::Price(_) => {
                let mut kept = instruction.clone();
                let longest = self.links[instruction.programme].longest;
                if kept.ask != Ask::Trip {
                    kept.during.end = kept.during.end.min(from + longest);
                } else {
                    kept.during.end = from + Seconds::hours(24 * 3_650);
                }
                self.kept.insert(key, kept);
            }
        }
    }

    /// A person said something of the grid's.
    pub(super) fn serve(&mut self, by: &Person, request: &Request, at: Timestamp) {
        self.waiting.retain(|_, (_, _, until)| at < *until);
        match request {
            Request::Instruct(instruction) if self.can_be(instruction, at) => {
                let instruction = Instruction { known_at: at, ..instruction.clone() };
                if self.relaxes(&instruction, at) {
                    let key = (instruction.programme, instruction.name.clone());
                    let waits = (instruction, by.name.clone(), at + CONFIRM_WITHIN);
                    self.waiting.insert(key, waits);
                } else {
                    self.take(&instruction, at);
                }
            }
            Request::Confirm { programme, name } => {
                let key = (*programme, name.clone());
                let another =
                    self.waiting.get(&key).is_some_and(|(_, who, _)| *who != by.name);
                if another && let Some((instruction, ..)) = self.waiting.remove(&key) {
                    self.take(&instruction, at);
                }
            }
            Request::Instruct(_)
            | Request::LockOut(_)
            | Request::Release { .. }
            | Request::Maintain(_)
            | Request::EndMaintenance { .. }
            | Request::Hold(_)
            | Request::EndHold(_)
            | Request::Acknowledge { .. } => {}
        }
    }

    /// Whether something would let more be drawn than what holds.
    fn relaxes(&self, new: &Instruction, at: Timestamp) -> bool {
        let key = (new.programme, new.name.clone());
        if new.ask == Ask::Restore {
            let tripped = |(key, kept): (&(ProgrammeIx, String), &Instruction)| {
                key.0 == new.programme && kept.ask == Ask::Trip && kept.during.end > at
            };
            return self.kept.iter().any(tripped);
        }
        let Some(old) = self.kept.get(&key).filter(|old| old.during.end > at) else {
            return false;
        };
        let later = new.during.start > old.during.start.max(at);
        if old.ask == Ask::Trip {
            return new.ask != Ask::Trip || later;
        }
        let Some(was) = cap(old.ask) else { return false };
        cap(new.ask).is_none_or(|now| now > was)
            || later
            || new.during.end < old.during.end
            || (new.best_effort && !old.best_effort)
    }

    /// The tightest limit that binds every load at `at`, if any does.
    pub(super) fn limit(&self, at: Timestamp) -> Option<Power> {
        let asked = (self.kept.values())
            .filter(|kept| kept.during.contains(at) && !kept.best_effort)
            .filter_map(|kept| cap(kept.ask));
        let lost =
            self.links.iter().filter(|link| link.is_lost(at)).filter_map(
                |link| match link.fail_safe {
                    FailSafe::Limit(level) => Some(level),
                    FailSafe::Hold => None,
                },
            );
        asked.chain(lost).min()
    }

    /// Whether a programme has tripped its loads at `at`.
    pub(super) fn trips(&self, programme: ProgrammeIx, at: Timestamp) -> bool {
        self.kept.iter().any(|((of, _), kept)| {
            *of == programme && kept.ask == Ask::Trip && kept.during.contains(at)
        })
    }

    /// The lowest level that the whole site is to draw up to at `at`; the highest that
    /// each programme armed; and whether a lost link lets nothing be raised.
    pub(super) fn to_draw(
        &self,
        at: Timestamp,
    ) -> (Option<Power>, BTreeMap<ProgrammeIx, Power>, bool) {
        let (mut site, mut armed) = (None::<Power>, BTreeMap::new());
        for ((programme, _), kept) in &self.kept {
            let holds = kept.during.contains(at);
            match kept.ask {
                Ask::DispatchTo(level) | Ask::BasePoint(level) if holds => {
                    site = Some(site.map_or(level, |lowest| lowest.min(level)));
                }
                Ask::Arm(level) if holds || self.is_held(*programme, kept, at) => {
                    let highest = armed.entry(*programme).or_insert(level);
                    *highest = level.max(*highest);
                }
                Ask::DispatchTo(_)
                | Ask::BasePoint(_)
                | Ask::Arm(_)
                | Ask::Limit(_)
                | Ask::Disarm
                | Ask::Trip
                | Ask::Restore
                | Ask::Test(_)
                | Ask::Price(_)
                | Ask::Withdraw => {}
            }
        }
        let still = |link: &Link| link.is_lost(at) && link.fail_safe == FailSafe::Hold;
        (site, armed, self.links.iter().any(still))
    }

    /// Whether a band stays armed because its link was lost while it was.
    fn is_held(&self, programme: ProgrammeIx, kept: &Instruction, at: Timestamp) -> bool {
        let link = &self.links[programme];
        let lost_at = link.heard_at.zip(link.silent_after).map(|(heard, s)| heard + s);
        link.fail_safe == FailSafe::Hold
            && link.is_lost(at)
            && lost_at.is_some_and(|lost_at| kept.during.contains(lost_at))
    }

    /// Every level that is asked for, and those of links that are lost at `at`.
    pub(super) fn caps(&self, site: &Site, at: Timestamp) -> Vec<Cap> {
        let asked = self.kept.values().filter_map(|kept| {
            let level = cap(kept.ask)?;
            let response = site.programmes[kept.programme].response;
            let start = counts_from(site, kept.during.start, level, response);
            let during = Interval { start, ..kept.during };
            Some(Cap { during, level, best_effort: kept.best_effort })
        });
        let lost = self.links.iter().filter(|link| link.is_lost(at)).filter_map(|link| {
            let during = Interval::starting(link.heard_at?, Seconds::hours(24 * 3_650));
            match link.fail_safe {
                FailSafe::Limit(level) => Some(Cap { during, level, best_effort: false }),
                FailSafe::Hold => None,
            }
        });
        asked.chain(lost).collect()
    }
}

impl Link {
    fn is_lost(&self, at: Timestamp) -> bool {
        let due = self.heard_at.zip(self.silent_after);
        due.is_some_and(|(heard_at, silent_after)| at >= heard_at + silent_after)
    }
}

/// When a site that draws all it may has to begin to come down, minute by minute at
/// its emergency ramp, to be at a level when the response to it is over.
pub(crate) fn counts_from(
    site: &Site,
    start: Timestamp,
    level: Power,
    response: Seconds,
) -> Timestamp {
    let Some(ramp) = site.interconnection.ramp_emergency_per_minute else { return start };
    let (mut draw, mut at) = (site.interconnection.import_limit, start + response);
    while draw > level && ramp > Power::ZERO {
        draw -= ramp;
        at = at - Seconds::minutes(1);
    }
    at.min(start)
}

/// The level that is asked for, if one is.
fn level(ask: Ask) -> Option<Power> {
    if let Ask::Arm(level) = ask { Some(level) } else { cap(ask) }
}

/// The level that nothing may be drawn above.
fn cap(ask: Ask) -> Option<Power> {
    match ask {
        Ask::Limit(level)
        | Ask::DispatchTo(level)
        | Ask::BasePoint(level)
        | Ask::Test(level) => Some(level),
        Ask::Arm(_)
        | Ask::Disarm
        | Ask::Trip
        | Ask::Restore
        | Ask::Price(_)
        | Ask::Withdraw => None,
    }
}
