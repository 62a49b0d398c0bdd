//! What the grid asked for and what of it holds, and whether its links are alive.
//!
//! Instructions are kept by programme and name: a later one replaces the one
//! before. What ends one cuts it at the time it says, so that nothing is
//! forgotten early. What cannot be is not taken in, and changes nothing.
//!
//! Stale is not absent: what was asked stays asked until its end, and a link
//! that is silent for too long puts the site at the programme's fail-safe level.

use serde::{Deserialize, Serialize};
use units::{Interval, Power, Seconds, Timestamp};

use crate::people::{Person, RefusedBecause};
use crate::signals::{Ask, Instruction};
use crate::site::{FailSafe, LoadIx, Programme, ProgrammeIx, Site};

/// How many instructions a programme may have at once: of more, those that bind
/// least are dropped.
pub const INSTRUCTIONS_MAX: usize = 64;

/// How long what a person asked for waits for a second person's word.
pub const CONFIRM_WITHIN: Seconds = Seconds::minutes(15);

/// The longest name of an instruction, in characters.
const NAME_MAX: usize = 128;

/// A level above so many times what the site may draw is no level.
const ABSURD: i64 = 10;

/// A price beyond this, in millionths of a dollar a MWh, is no price: above the
/// highest cap of any market, 20 300 AUD in Australia in 2025.
const PRICE_MAX: i64 = 25_000_000_000;

/// More relaxations than this wait for nobody.
const WAITING_MAX: usize = 16;

/// How long after its end an instruction is remembered, so that what was known before
/// and arrives later does not bring it back.
const REMEMBERED: Seconds = Seconds::hours(3);

/// Longer than any instruction: stands for no end.
const WITHOUT_END: Seconds = Seconds::hours(24 * 366 * 100);

/// What the grid asked for, and whether its links are alive.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Obligations {
    /// By programme and name.
    kept: Vec<Instruction>,
    /// By programme.
    links: Vec<Link>,
    waiting: Vec<Waiting>,
    now: Option<Timestamp>,
}

/// Whether a programme's link is alive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Link {
    /// When it was last heard; since the start, where it never was.
    heard_at: Option<Timestamp>,
    /// Since when it counts as lost.
    lost_at: Option<Timestamp>,
}

/// What one person asked for and another has to agree to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Waiting {
    instruction: Instruction,
    by: String,
    until: Timestamp,
}

/// A level that draw may not pass for a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cap {
    /// When it holds.
    pub during: Interval,
    /// The level, at the interconnection's meter.
    pub level: Power,
    /// Whether contract load may stay on where it cannot be met otherwise.
    pub best_effort: bool,
}

/// A level to draw up to, whatever the price.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lift {
    /// Under which programme.
    pub programme: ProgrammeIx,
    /// The level at the meter.
    pub level: Power,
    /// Whose draw is meant.
    pub of: LiftOf,
}

/// Whose draw an instruction to draw means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum LiftOf {
    /// The loads that the programme may trip.
    Armed,
    /// The whole site, at the interconnection.
    Site,
}

/// What the grid asks of one interval.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InForce {
    /// The tightest level that binds every load.
    pub cap: Option<Power>,
    /// The tightest that binds what can be shed, where it is a best-effort one.
    pub cap_best_effort: Option<Power>,
    /// Levels to draw up to.
    pub lifts: Vec<Lift>,
    /// Programmes that tripped their loads.
    pub tripped: Vec<ProgrammeIx>,
    /// A programme whose link is lost and that lets nothing be raised meanwhile.
    pub still: Option<ProgrammeIx>,
}

/// Why something that was said is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum NotUsed {
    /// The site has not joined the programme.
    NoSuchProgramme,
    /// The name is empty or too long.
    NameCannotBe,
    /// The end is not after the start, or either is lifetimes away.
    TimesCannotBe,
    /// The level is negative or many times what the site may draw, or the price is
    /// beyond what any market pays.
    LevelCannotBe,
    /// There are too many: what binds least was dropped.
    TooMany,
}

impl NotUsed {
    /// Why, and what was expected, in words.
    pub fn explain(&self, site: &Site) -> String {
        match self {
            Self::NoSuchProgramme => {
                let names: Vec<String> =
                    site.programmes.iter().map(|one| format!("`{}`", one.name)).collect();
                format!("expected a programme of this site, one of {}", names.join(", "))
            }
            Self::NameCannotBe => {
                format!("expected a name of 1 to {NAME_MAX} characters")
            }
            Self::TimesCannotBe => {
                "expected an end after the start, both within a lifetime".to_owned()
            }
            Self::LevelCannotBe => format!(
                "expected a level from nothing to {ABSURD} times the {} that the site may \
                 draw, or a price that a market could pay",
                site.interconnection.import_limit
            ),
            Self::TooMany => format!(
                "{INSTRUCTIONS_MAX} instructions of a programme and {WAITING_MAX} that \
                 wait are the most; what binds least was dropped"
            ),
        }
    }
}

/// Something that came about by itself as time passed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Lapse {
    /// A link was silent for too long: its fail-safe level holds.
    LinkLost(ProgrammeIx),
    /// Nobody agreed in time to what this waited for.
    NotConfirmed {
        /// Under which programme.
        programme: ProgrammeIx,
        /// The instruction's name.
        name: String,
    },
}

/// What became of an instruction that a person passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passed {
    /// It holds.
    Taken,
    /// It would relax a limit, and waits until then for a second person.
    Waits(Timestamp),
}

impl Ask {
    /// The level it asks for, if it asks for one.
    pub fn level(&self) -> Option<Power> {
        match self {
            Self::Limit(level)
            | Self::DispatchTo(level)
            | Self::BasePoint(level)
            | Self::Arm(level)
            | Self::Test(level) => Some(*level),
            Self::Disarm
            | Self::Trip
            | Self::Restore
            | Self::Price(_)
            | Self::Withdraw => None,
        }
    }

    /// The level it lets nothing be drawn above.
    pub fn cap(&self) -> Option<Power> {
        match self {
            Self::Limit(level)
            | Self::DispatchTo(level)
            | Self::BasePoint(level)
            | Self::Test(level) => Some(*level),
            Self::Arm(_)
            | Self::Disarm
            | Self::Trip
            | Self::Restore
            | Self::Price(_)
            | Self::Withdraw => None,
        }
    }

    /// The level it wants drawn, and whose draw is meant.
    fn lift(&self) -> Option<(Power, LiftOf)> {
        match self {
            Self::DispatchTo(level) | Self::BasePoint(level) => {
                Some((*level, LiftOf::Site))
            }
            Self::Arm(level) => Some((*level, LiftOf::Armed)),
            Self::Limit(_)
            | Self::Disarm
            | Self::Trip
            | Self::Restore
            | Self::Test(_)
            | Self::Price(_)
            | Self::Withdraw => None,
        }
    }

    /// How much it binds: of too many, the least goes first.
    fn tightness(&self) -> i64 {
        match self {
            Self::Trip => i64::MAX,
            Self::Limit(level)
            | Self::DispatchTo(level)
            | Self::BasePoint(level)
            | Self::Test(level) => -level.as_watts(),
            Self::Arm(_) => i64::MIN + 1,
            Self::Price(_) | Self::Disarm | Self::Restore | Self::Withdraw => i64::MIN,
        }
    }
}

impl Programme {
    /// Whether it may trip a load: those it names, else all that can be shed whole.
    pub fn trips(&self, site: &Site, load: LoadIx) -> bool {
        if self.loads.is_empty() {
            let load = &site.loads[load];
            !load.is_firm() && !load.may_be_promised()
        } else {
            self.loads.contains(&load)
        }
    }
}

impl InForce {
    /// Whether nothing is asked.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether it asks for less than `before`: a lower level, or another trip.
    pub fn is_tighter_than(&self, before: &Self) -> bool {
        let lower = |now: Option<Power>, then: Option<Power>| match (now, then) {
            (Some(now), Some(then)) => now < then,
            (Some(_), None) => true,
            (None, _) => false,
        };
        lower(self.cap, before.cap)
            || lower(self.cap_for_sheddable(), before.cap_for_sheddable())
            || self.tripped.iter().any(|programme| !before.tripped.contains(programme))
    }

    /// The tightest limit on import that binds every load.
    pub fn import_limit(&self, site: &Site) -> Power {
        let limit = site.interconnection.import_limit;
        self.cap.map_or(limit, |cap| cap.min(limit)).max(Power::ZERO)
    }

    /// The tightest that binds what can be shed.
    pub fn sheddable_limit(&self, site: &Site) -> Power {
        let limit = self.import_limit(site);
        self.cap_best_effort.map_or(limit, |cap| cap.min(limit)).max(Power::ZERO)
    }

    fn cap_for_sheddable(&self) -> Option<Power> {
        match (self.cap, self.cap_best_effort) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        }
    }
}

impl Obligations {
    /// Whether nothing was ever asked and no link was lost.
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
            && self.waiting.is_empty()
            && self.links.iter().all(|link| link.lost_at.is_none())
    }

    /// What was asked and has not ended at `at`, by programme and name.
    pub fn instructions(&self, at: Timestamp) -> impl Iterator<Item = &Instruction> {
        self.kept.iter().filter(move |kept| kept.during.end > at)
    }

    /// Since when a programme's link counts as lost.
    pub fn lost_since(&self, programme: ProgrammeIx) -> Option<Timestamp> {
        self.links.get(programme).and_then(|link| link.lost_at)
    }

    /// The levels that draw may not pass, with the fail-safe ones of lost links. One
    /// that the ramp does not reach within its programme's response counts earlier.
    pub fn caps(&self, site: &Site) -> Vec<Cap> {
        let asked = self.kept.iter().filter_map(|kept| {
            let level = kept.ask.cap()?;
            let start = kept.during.start - lead(site, kept);
            let during = Interval { start, ..kept.during };
            Some(Cap { during, level, best_effort: kept.best_effort })
        });
        let lost = site.programmes.iter().zip(&self.links).filter_map(|(one, link)| {
            let during = Interval::starting(link.lost_at?, WITHOUT_END);
            match one.fail_safe {
                FailSafe::Limit(level) => Some(Cap { during, level, best_effort: false }),
                FailSafe::Hold => None,
            }
        });
        asked.chain(lost).collect()
    }

    /// The loads that are tripped in `interval`.
    pub fn tripped_loads(&self, site: &Site, interval: Interval) -> Vec<LoadIx> {
        let tripped = self.in_force(site, interval).tripped;
        let is_tripped = |load: &LoadIx| {
            tripped.iter().any(|p| site.programmes[*p].trips(site, *load))
        };
        (0..site.loads.len()).filter(is_tripped).collect()
    }

    /// What is asked of `interval`. A level counts from the start of the interval
    /// that it touches; a trip and a level to draw up to, when they start.
    pub fn in_force(&self, site: &Site, interval: Interval) -> InForce {
        let mut now = InForce::default();
        if self.is_empty() {
            return now;
        }
        let limit = site.interconnection.import_limit;
        let binds = |cap: &&Cap| cap.level < limit && cap.during.overlaps(interval);
        for cap in self.caps(site).iter().filter(binds) {
            let kept =
                if cap.best_effort { &mut now.cap_best_effort } else { &mut now.cap };
            *kept = Some(kept.map_or(cap.level, |tightest| tightest.min(cap.level)));
        }
        let at = self.now.map_or(interval.start, |now| now.max(interval.start));
        for kept in self.kept.iter().filter(|kept| self.holds(site, kept, at)) {
            if kept.ask == Ask::Trip && !now.tripped.contains(&kept.programme) {
                now.tripped.push(kept.programme);
            }
            if let Some((level, of)) = kept.ask.lift() {
                now.lift(Lift { programme: kept.programme, level, of });
            }
        }
        let still = |(at, link): (usize, &Link)| {
            let holds = site.programmes.get(at)?.fail_safe == FailSafe::Hold;
            (holds && link.lost_at.is_some()).then_some(at)
        };
        now.still = self.links.iter().enumerate().find_map(still);
        now
    }

    /// Whether an instruction holds at `at`. While a link is lost, a band that was
    /// armed when it was lost stays armed.
    fn holds(&self, site: &Site, kept: &Instruction, at: Timestamp) -> bool {
        kept.during.contains(at)
            || (kept.during.start <= at && self.outlives_its_end(site, kept))
    }

    fn outlives_its_end(&self, site: &Site, kept: &Instruction) -> bool {
        let holds = |one: &Programme| one.fail_safe == FailSafe::Hold;
        site.programmes.get(kept.programme).is_some_and(holds)
            && matches!(kept.ask, Ask::Arm(_))
            && self.lost_since(kept.programme).is_some_and(|at| kept.during.contains(at))
    }

    /// Time passed: what came about by itself.
    pub(crate) fn pass(&mut self, site: &Site, at: Timestamp) -> Vec<Lapse> {
        self.now = Some(at);
        self.links.resize(site.programmes.len(), Link::default());
        let mut lapses = Vec::new();
        for (programme, link) in self.links.iter_mut().enumerate() {
            let due = due(&site.programmes[programme], link);
            if let Some(due) = due.filter(|due| *due <= at) {
                link.lost_at = Some(due);
                lapses.push(Lapse::LinkLost(programme));
            }
        }
        if self.waiting.iter().any(|waiting| waiting.until <= at) {
            let (over, still) = std::mem::take(&mut self.waiting)
                .into_iter()
                .partition(|waiting: &Waiting| waiting.until <= at);
            self.waiting = still;
            lapses.extend(over.into_iter().map(|waiting| Lapse::NotConfirmed {
                programme: waiting.instruction.programme,
                name: waiting.instruction.name,
            }));
        }
        lapses
    }

    /// When something next comes about by itself, after `at`.
    pub(crate) fn next_deadline(
        &self,
        site: &Site,
        at: Timestamp,
    ) -> Option<(Timestamp, &'static str)> {
        let turns = self.kept.iter().flat_map(|kept| {
            [
                (kept.during.start - lead(site, kept), "a level is ramped down to"),
                (kept.during.start, "an instruction starts"),
                (kept.during.end, "an instruction ends"),
            ]
        });
        let links =
            site.programmes.iter().zip(&self.links).filter_map(|(one, link)| {
                Some((due(one, link)?, "a link has been silent"))
            });
        let waiting = self
            .waiting
            .iter()
            .map(|waiting| (waiting.until, "nobody agreed to an instruction"));
        turns.chain(links).chain(waiting).filter(|(due, _)| *due > at).min()
    }

    /// The process was started: links that nobody listened to count as heard now.
    pub(crate) fn listen_from(&mut self, site: &Site, at: Timestamp) {
        self.links.resize(site.programmes.len(), Link::default());
        for link in &mut self.links {
            link.heard_at.get_or_insert(at);
        }
    }

    /// A programme's link was heard from at `at`.
    pub(crate) fn hear(
        &mut self,
        site: &Site,
        programme: ProgrammeIx,
        at: Timestamp,
    ) -> Result<(), NotUsed> {
        self.links.resize(site.programmes.len(), Link::default());
        let link = self.links.get_mut(programme).ok_or(NotUsed::NoSuchProgramme)?;
        let was_lost = link.lost_at.is_some();
        *link = Link { heard_at: Some(at), lost_at: None };
        if was_lost {
            self.forget_before(site, at);
        }
        Ok(())
    }

    /// Takes in what a feed says.
    pub(crate) fn learn(
        &mut self,
        site: &Site,
        instruction: &Instruction,
        at: Timestamp,
    ) -> Result<(), NotUsed> {
        check_can_be(site, instruction, at)?;
        self.hear(site, instruction.programme, at)?;
        self.take(site, instruction, at)
    }

    /// Takes in what a person passes on. What would relax a limit waits for
    /// another person to agree.
    pub(crate) fn pass_on(
        &mut self,
        site: &Site,
        by: &Person,
        instruction: &Instruction,
        at: Timestamp,
    ) -> Result<Passed, NotUsed> {
        check_can_be(site, instruction, at)?;
        // A person knows it when they say it.
        let instruction = &Instruction { known_at: at, ..instruction.clone() };
        if !self.relaxes(instruction, at) {
            self.take(site, instruction, at)?;
            return Ok(Passed::Taken);
        }
        let until = at + CONFIRM_WITHIN;
        let same = |waiting: &Waiting| {
            waiting.instruction.programme == instruction.programme
                && waiting.instruction.name == instruction.name
        };
        self.waiting.retain(|waiting| !same(waiting));
        if self.waiting.len() >= WAITING_MAX {
            return Err(NotUsed::TooMany);
        }
        self.waiting.push(Waiting {
            instruction: instruction.clone(),
            by: by.name.clone(),
            until,
        });
        Ok(Passed::Waits(until))
    }

    /// Another person agrees to what waits.
    pub(crate) fn confirm(
        &mut self,
        site: &Site,
        by: &Person,
        programme: ProgrammeIx,
        name: &str,
        at: Timestamp,
    ) -> Result<(), RefusedBecause> {
        let waiting = self.waiting.iter().position(|waiting| {
            let asked = &waiting.instruction;
            asked.programme == programme && asked.name == name
        });
        let waiting = waiting.ok_or(RefusedBecause::NothingToConfirm)?;
        if self.waiting[waiting].by.trim() == by.name.trim() {
            return Err(RefusedBecause::SamePerson);
        }
        let instruction = self.waiting.remove(waiting).instruction;
        // It was looked at when it was asked for; of too many, it is the one to go.
        let _ = self.take(site, &instruction, at);
        Ok(())
    }

    /// Whether it would let more be drawn than what holds now.
    fn relaxes(&self, new: &Instruction, at: Timestamp) -> bool {
        let named = self.named(new.programme, &new.name).map(|ix| &self.kept[ix]);
        let ended = named.filter(|old| old.during.end > at);
        match new.ask {
            Ask::Restore => self
                .instructions(at)
                .any(|kept| kept.programme == new.programme && kept.ask == Ask::Trip),
            Ask::Disarm => false,
            Ask::Withdraw => {
                ended.is_some_and(|old| old.ask.cap().is_some() || old.ask == Ask::Trip)
            }
            Ask::Limit(_)
            | Ask::DispatchTo(_)
            | Ask::BasePoint(_)
            | Ask::Arm(_)
            | Ask::Trip
            | Ask::Test(_)
            | Ask::Price(_) => ended.is_some_and(|old| loosens(old, new, at)),
        }
    }

    fn named(&self, programme: ProgrammeIx, name: &str) -> Option<usize> {
        self.place(programme, name).ok()
    }

    fn place(&self, programme: ProgrammeIx, name: &str) -> Result<usize, usize> {
        self.kept.binary_search_by(|kept| {
            (kept.programme, kept.name.as_str()).cmp(&(programme, name))
        })
    }

    fn take(
        &mut self,
        site: &Site,
        instruction: &Instruction,
        at: Timestamp,
    ) -> Result<(), NotUsed> {
        let programme = instruction.programme;
        let ends_at = instruction.during.start.max(at);
        let place = self.place(programme, &instruction.name);
        // What was said before cannot undo what was said since.
        let older = |kept: &Instruction| kept.known_at > instruction.known_at;
        if place.is_ok_and(|at| older(&self.kept[at])) {
            return Ok(());
        }
        match instruction.ask {
            Ask::Withdraw => match place {
                Ok(place) => end(&mut self.kept[place], ends_at, instruction.known_at),
                // What it withdraws may be late on its way.
                Err(place) => {
                    let during = Interval { start: ends_at, end: ends_at };
                    self.kept
                        .insert(place, Instruction { during, ..instruction.clone() });
                }
            },
            Ask::Restore | Ask::Disarm => {
                let restores = instruction.ask == Ask::Restore;
                let is_meant = |kept: &Instruction| {
                    let (is_trip, is_arm) =
                        (kept.ask == Ask::Trip, matches!(kept.ask, Ask::Arm(_)));
                    if restores { is_trip } else { is_arm }
                };
                for kept in &mut self.kept {
                    if kept.programme == programme && is_meant(kept) && !older(kept) {
                        end(kept, ends_at, instruction.known_at);
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
                let longest = site.programmes[programme].longest;
                kept.during.end = if kept.ask == Ask::Trip {
                    ends_at + WITHOUT_END
                } else {
                    kept.during.end.min(ends_at + longest)
                };
                match place {
                    Ok(place) => self.kept[place] = kept,
                    Err(place) => self.kept.insert(place, kept),
                }
            }
        }
        self.forget_before(site, at);
        self.drop_loosest(programme, at)
    }

    /// Of too many, what has ended goes first.
    fn drop_loosest(
        &mut self,
        programme: ProgrammeIx,
        at: Timestamp,
    ) -> Result<(), NotUsed> {
        let of_programme = |kept: &&Instruction| kept.programme == programme;
        if self.kept.iter().filter(of_programme).count() <= INSTRUCTIONS_MAX {
            return Ok(());
        }
        let loosest = (0..self.kept.len())
            .filter(|place| self.kept[*place].programme == programme)
            .min_by_key(|place| {
                let kept = &self.kept[*place];
                let holds = kept.during.end > at;
                (holds, kept.ask.tightness(), std::cmp::Reverse(kept.during.start))
            });
        let dropped = loosest.map(|loosest| self.kept.remove(loosest));
        match dropped {
            Some(dropped) if dropped.during.end <= at => Ok(()),
            Some(_) | None => Err(NotUsed::TooMany),
        }
    }

    /// Drops what ended a good while before `at`.
    pub(crate) fn forget_before(&mut self, site: &Site, at: Timestamp) {
        let mut kept = std::mem::take(&mut self.kept);
        kept.retain(|kept| {
            kept.during.end > at - REMEMBERED || self.outlives_its_end(site, kept)
        });
        self.kept = kept;
    }

    /// The same under a changed site: programmes go by name.
    pub(crate) fn carried_over(mut self, from: &Site, to: &Site) -> Self {
        let now = |old: ProgrammeIx| {
            let name = &from.programmes.get(old)?.name;
            to.programmes.iter().position(|programme| programme.name == *name)
        };
        let mut links = vec![Link::default(); to.programmes.len()];
        for (old, link) in self.links.iter().enumerate() {
            if let Some(new) = now(old) {
                links[new] = *link;
            }
        }
        self.links = links;
        self.kept.retain_mut(|kept| {
            let new = now(kept.programme);
            kept.programme = new.unwrap_or(kept.programme);
            new.is_some()
        });
        self.kept.sort_by(|a, b| (a.programme, &a.name).cmp(&(b.programme, &b.name)));
        self.waiting.retain_mut(|waiting| {
            let new = now(waiting.instruction.programme);
            waiting.instruction.programme = new.unwrap_or_default();
            new.is_some()
        });
        self
    }
}

impl InForce {
    /// Takes in a level to draw up to: of several for the whole site the lowest
    /// holds, and of several that one programme armed the highest.
    fn lift(&mut self, new: Lift) {
        let same = |kept: &&mut Lift| match (kept.of, new.of) {
            (LiftOf::Site, LiftOf::Site) => true,
            (LiftOf::Armed, LiftOf::Armed) => kept.programme == new.programme,
            (LiftOf::Site, LiftOf::Armed) | (LiftOf::Armed, LiftOf::Site) => false,
        };
        match self.lifts.iter_mut().find(same) {
            None => self.lifts.push(new),
            Some(kept) => {
                let takes_over = match new.of {
                    LiftOf::Site => new.level < kept.level,
                    LiftOf::Armed => new.level > kept.level,
                };
                if takes_over {
                    *kept = new;
                }
            }
        }
    }
}

/// When a link counts as lost if nothing more is heard; nothing where it is lost
/// already, or may be silent.
fn due(programme: &Programme, link: &Link) -> Option<Timestamp> {
    let heard_at = link.heard_at.filter(|_| link.lost_at.is_none())?;
    Some(heard_at + programme.silent_after?)
}

/// How long before its start an instruction's level has to count, so that the site
/// is at it when its programme's response is over: what the emergency ramp needs from
/// the most that the site may draw, beyond the response.
fn lead(site: &Site, kept: &Instruction) -> Seconds {
    let grid = &site.interconnection;
    let (Some(level), Some(programme), Some(ramp)) = (
        kept.ask.cap(),
        site.programmes.get(kept.programme),
        grid.ramp_emergency_per_minute.filter(|ramp| *ramp > Power::ZERO),
    ) else {
        return Seconds::ZERO;
    };
    let fall = (grid.import_limit - level).max(Power::ZERO).as_watts();
    let needed = Seconds::minutes((fall + ramp.as_watts() - 1) / ramp.as_watts());
    let early = needed.as_seconds() - programme.response.as_seconds();
    Seconds::from_seconds(early.max(0))
}

/// Ends an instruction at `at`, by what was known at `known_at`.
fn end(kept: &mut Instruction, at: Timestamp, known_at: Timestamp) {
    kept.during.end = kept.during.end.min(at);
    kept.known_at = known_at;
}

/// Whether a new form of an instruction would let more be drawn than the old one.
fn loosens(old: &Instruction, new: &Instruction, at: Timestamp) -> bool {
    let starts_later = new.during.start > old.during.start.max(at);
    if old.ask == Ask::Trip {
        return new.ask != Ask::Trip || starts_later;
    }
    let Some(level) = old.ask.cap() else { return false };
    new.ask.cap().is_none_or(|new_level| new_level > level)
        || starts_later
        || new.during.end < old.during.end
        || (new.best_effort && !old.best_effort)
}

/// Whether an instruction can be; what cannot is not used for anything.
fn check_can_be(
    site: &Site,
    instruction: &Instruction,
    at: Timestamp,
) -> Result<(), NotUsed> {
    if instruction.programme >= site.programmes.len() {
        return Err(NotUsed::NoSuchProgramme);
    }
    let name = &instruction.name;
    if name.trim().is_empty() || name.chars().count() > NAME_MAX {
        return Err(NotUsed::NameCannotBe);
    }
    let Interval { start, end } = instruction.during;
    let away = start.as_unix_seconds().abs_diff(at.as_unix_seconds());
    // What ends something else needs no end of its own.
    let has_end = instruction.ask.level().is_some();
    if away > WITHOUT_END.as_seconds().unsigned_abs() || (has_end && end <= start) {
        return Err(NotUsed::TimesCannotBe);
    }
    let most = site.interconnection.import_limit.times(ABSURD);
    let level = instruction.ask.level().unwrap_or(Power::ZERO);
    let price = match instruction.ask {
        Ask::Price(price) => price.as_micro_usd_per_mwh(),
        Ask::Limit(_)
        | Ask::DispatchTo(_)
        | Ask::BasePoint(_)
        | Ask::Arm(_)
        | Ask::Disarm
        | Ask::Trip
        | Ask::Restore
        | Ask::Test(_)
        | Ask::Withdraw => 0,
    };
    let absurd = price.unsigned_abs() > PRICE_MAX.unsigned_abs();
    if level < Power::ZERO || level > most || absurd {
        return Err(NotUsed::LevelCannotBe);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::site::{
        DecideOn, Interconnection, LookAhead, Market, Policy, Programme, Site,
    };
    use settle::tariff::Tariff;
    use units::{EnergyPrice, Share};

    fn site(silent_after: Option<i64>, fail_safe: FailSafe) -> Site {
        let programme = Programme {
            name: "grid".to_owned(),
            loads: Vec::new(),
            response: Seconds::minutes(10),
            longest: Seconds::hours(4),
            silent_after: silent_after.map(Seconds::from_seconds),
            fail_safe,
        };
        Site {
            name: "test".to_owned(),
            market: Market { name: "ERCOT".to_owned(), settlement_point: "A".to_owned() },
            interconnection: Interconnection {
                import_limit: Power::from_mw(60),
                export_limit: Power::ZERO,
                ramp_up_per_minute: None,
                ramp_down_per_minute: None,
                ramp_emergency_per_minute: None,
            },
            feeders: Vec::new(),
            halls: Vec::new(),
            tariff: Tariff {
                adders: Vec::new(),
                blocks: Vec::new(),
                coincident_peaks: Vec::new(),
            },
            pool_fee: Share::ZERO,
            loads: Vec::new(),
            programmes: vec![programme],
            lock_outs: Vec::new(),
            holds: Vec::new(),
            policy: Policy {
                decide_on: DecideOn::RealTime,
                follows_price: true,
                hysteresis: EnergyPrice::ZERO,
                restart_spread: Seconds::hours(2),
                hashprice_age_max: Seconds::hours(72),
                stale_price_hold: Seconds::hours(1),
                lease: Seconds::minutes(10),
                look_ahead: LookAhead::NONE,
            },
        }
    }

    fn at(minutes: i64) -> Timestamp {
        Timestamp::from_unix_seconds(1_800_000_000) + Seconds::minutes(minutes)
    }

    fn told(name: &str, ask: Ask, from: i64, until: i64, known: i64) -> Instruction {
        Instruction {
            name: name.to_owned(),
            programme: 0,
            ask,
            during: Interval { start: at(from), end: at(until) },
            best_effort: false,
            known_at: at(known),
        }
    }

    fn limit(megawatts: i64) -> Ask {
        Ask::Limit(Power::from_mw(megawatts))
    }

    /// What holds five minutes from `minute` on, as megawatts.
    fn cap(kept: &Obligations, site: &Site, minute: i64) -> Option<i64> {
        let interval = Interval::starting(at(minute), Seconds::minutes(5));
        kept.in_force(site, interval).cap.map(|cap| cap.as_watts() / 1_000_000)
    }

    #[test]
    fn a_later_instruction_of_one_name_replaces_the_earlier_and_never_the_later() {
        let site = site(None, FailSafe::Hold);
        let mut kept = Obligations::default();
        for (ask, known, expected) in [
            (limit(30), 0, Some(30)),
            (limit(40), 2, Some(40)),
            (limit(20), 1, Some(40)),
            (limit(70), 3, None),
            (limit(10), 4, Some(10)),
            (Ask::Withdraw, 5, None),
        ] {
            let instruction = told("a", ask, 0, 60, known);
            kept.learn(&site, &instruction, at(known)).expect("it can be");
            assert_eq!(cap(&kept, &site, 10), expected, "{instruction:?}");
        }
    }

    #[test]
    fn a_level_that_the_ramp_does_not_reach_in_time_counts_earlier() {
        let mut site = site(None, FailSafe::Hold);
        let mut kept = Obligations::default();
        kept.learn(&site, &told("a", limit(20), 60, 90, 0), at(0)).expect("it can be");
        // 40 MW at 2 MW a minute are 20 minutes, of which the response gives 10.
        for (ramp, counts_from) in [(None, 60), (Some(4), 60), (Some(2), 50)] {
            site.interconnection.ramp_emergency_per_minute = ramp.map(Power::from_mw);
            let before = Interval { start: at(0), end: at(counts_from) };
            assert_eq!(kept.in_force(&site, before).cap, None, "{ramp:?}");
            assert_eq!(cap(&kept, &site, counts_from), Some(20), "{ramp:?}");
            let due = kept.next_deadline(&site, at(0)).map(|(due, _)| due);
            assert_eq!(due, Some(at(counts_from)), "{ramp:?}");
        }
        assert_eq!(cap(&kept, &site, 90), None);
    }

    #[test]
    fn an_end_is_cut_and_a_start_in_the_past_is_fine() {
        let site = site(None, FailSafe::Hold);
        let mut kept = Obligations::default();
        let endless = told("a", limit(30), -100_000, 10_000_000, 0);
        kept.learn(&site, &endless, at(0)).expect("it can be");
        assert_eq!(cap(&kept, &site, 235), Some(30));
        assert_eq!(cap(&kept, &site, 240), None);
        kept.learn(&site, &told("b", limit(30), 10, 11, 0), at(20)).expect("it can be");
        assert_eq!(kept.instructions(at(20)).count(), 1, "what has ended is not told");
    }

    #[test]
    fn a_flood_keeps_the_tightest() {
        let site = site(None, FailSafe::Hold);
        let mut kept = Obligations::default();
        kept.learn(&site, &told("tight", limit(5), 0, 60, 0), at(0)).expect("it can be");
        let mut dropped = 0;
        for number in 0..1_000 {
            let one = told(&format!("{number}"), limit(10 + number % 7), 0, 60, 0);
            dropped += u32::from(kept.learn(&site, &one, at(0)).is_err());
        }
        assert_eq!(kept.instructions(at(0)).count(), INSTRUCTIONS_MAX);
        assert_eq!(dropped as usize, 1_001 - INSTRUCTIONS_MAX);
        assert_eq!(cap(&kept, &site, 10), Some(5));
    }

    #[test]
    fn a_trip_stands_until_it_is_restored_whatever_its_end_says() {
        let site = site(None, FailSafe::Hold);
        let mut kept = Obligations::default();
        let tripped = |kept: &Obligations, minute| {
            let interval = Interval::starting(at(minute), Seconds::minutes(5));
            !kept.in_force(&site, interval).tripped.is_empty()
        };
        kept.learn(&site, &told("t", Ask::Trip, 0, 0, 0), at(0)).expect("it can be");
        assert!(tripped(&kept, 100_000));
        kept.learn(&site, &told("r", Ask::Restore, 30, 31, 10), at(10))
            .expect("it can be");
        assert!(tripped(&kept, 25));
        assert!(!tripped(&kept, 30));
    }

    #[test]
    fn a_restore_of_before_does_not_undo_a_trip_of_since() {
        let site = site(None, FailSafe::Hold);
        let mut kept = Obligations::default();
        let interval = Interval::starting(at(20), Seconds::minutes(5));
        kept.learn(&site, &told("t", Ask::Trip, 0, 0, 10), at(10)).expect("it can be");
        // Late on its way.
        kept.learn(&site, &told("r", Ask::Restore, 0, 1, 5), at(11)).expect("it can be");
        assert_eq!(kept.in_force(&site, interval).tripped, [0]);
        kept.learn(&site, &told("r", Ask::Restore, 0, 1, 12), at(12)).expect("it can be");
        assert!(kept.in_force(&site, interval).tripped.is_empty());
    }

    #[test]
    fn what_was_withdrawn_does_not_come_back_by_an_older_word() {
        let site = site(None, FailSafe::Hold);
        let (limited, withdrawn) =
            (told("a", limit(30), 0, 240, 0), told("a", Ask::Withdraw, 0, 1, 5));
        // Repeated, or late on its way.
        for arrive in [[&limited, &withdrawn, &limited], [&withdrawn, &limited, &limited]]
        {
            let mut kept = Obligations::default();
            for (minute, instruction) in (10..).step_by(50).zip(arrive) {
                kept.learn(&site, instruction, at(minute)).expect("it can be");
            }
            assert_eq!(cap(&kept, &site, 120), None);
            assert_eq!(kept.instructions(at(120)).count(), 0);
            kept.learn(&site, &told("a", limit(20), 0, 240, 6), at(121)).expect("new");
            assert_eq!(cap(&kept, &site, 125), Some(20));
        }
    }

    #[test]
    fn a_silent_link_is_lost_from_when_it_was_due_and_back_when_heard() {
        let site = site(Some(120), FailSafe::Limit(Power::from_mw(7)));
        let mut kept = Obligations::default();
        assert_eq!(kept.pass(&site, at(500)), [], "never heard is not lost");
        kept.listen_from(&site, at(0));
        let due = kept.next_deadline(&site, at(0)).map(|(due, _)| due);
        assert_eq!(due, Some(at(2)));
        assert_eq!(kept.pass(&site, at(1)), []);
        assert_eq!(kept.pass(&site, at(2)), [Lapse::LinkLost(0)]);
        assert_eq!((cap(&kept, &site, 2), cap(&kept, &site, 900)), (Some(7), Some(7)));
        assert_eq!(kept.pass(&site, at(3)), [], "it is lost once");
        kept.hear(&site, 0, at(4)).expect("the programme is there");
        assert_eq!(cap(&kept, &site, 4), None);
    }

    #[test]
    fn only_what_relaxes_waits_for_another_person() {
        let site = site(None, FailSafe::Hold);
        let by = |name: &str| Person { name: name.to_owned(), role: "desk".to_owned() };
        for (first, then, waits) in [
            (limit(30), told("a", limit(29), 0, 60, 0), false),
            (limit(30), told("a", limit(30), 0, 61, 0), false),
            (limit(30), told("a", limit(31), 0, 60, 0), true),
            (limit(30), told("a", limit(30), 0, 59, 0), true),
            (limit(30), told("a", limit(30), 5, 60, 0), true),
            (limit(30), told("a", Ask::Withdraw, 0, 60, 0), true),
            (limit(30), told("a", Ask::Price(EnergyPrice::ZERO), 0, 60, 0), true),
            (limit(30), told("b", limit(60), 0, 60, 0), false),
            (Ask::Trip, told("b", Ask::Restore, 0, 60, 0), true),
            (Ask::Trip, told("a", limit(1), 0, 60, 0), true),
            (Ask::Arm(Power::from_mw(3)), told("b", Ask::Disarm, 0, 60, 0), false),
        ] {
            let mut kept = Obligations::default();
            kept.learn(&site, &told("a", first, 0, 60, 0), at(0)).expect("it can be");
            let passed =
                kept.pass_on(&site, &by("Alex"), &then, at(1)).expect("it can be");
            let until = at(1) + CONFIRM_WITHIN;
            let expected = if waits { Passed::Waits(until) } else { Passed::Taken };
            assert_eq!(passed, expected, "{first:?}, then {then:?}");
            let before = kept.kept.clone();
            let agreed = kept.confirm(&site, &by("Alex"), 0, &then.name, at(2));
            assert!(agreed.is_err(), "{agreed:?}");
            assert_eq!(kept.kept, before);
            let agreed = kept.confirm(&site, &by("Sam"), 0, &then.name, at(2));
            assert_eq!(agreed.is_ok(), waits);
        }
    }
}
