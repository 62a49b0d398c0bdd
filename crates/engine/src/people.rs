//! What people ask for, who they are, and how they are answered.

use serde::{Deserialize, Serialize};
use units::{Power, Timestamp};

use crate::alarm::AlarmId;
use crate::ranges::Ranges;
use crate::signals::Instruction;
use crate::site::{Hold, LoadIx, LockOut, Maintenance, ProgrammeIx, Site};
use crate::state::NotUsed;

/// The role that may end what others began, except a lock-out.
pub const OPERATOR: &str = "operator";

/// The longest name of a person or a role, in characters.
pub const NAME_LENGTH_MAX: usize = 64;

/// The longest reason, in characters.
pub const REASON_LENGTH_MAX: usize = 200;

/// The most lock-outs, maintenances or holds that stand at a time.
pub const ENTRIES_MAX: usize = 1_000;

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Person {
    /// Their name: two people are two names.
    pub name: String,
    /// In which role, such as `rig technician` or `dispatcher`.
    pub role: String,
}

/// What a person can ask for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// Someone works on a load: from now, until their role releases it. The entry's
    /// end is when they expect to be done; its role is the person's own.
    LockOut(LockOut),
    /// The work is done; only the role that locked it out can say so.
    Release {
        /// Which load.
        load: LoadIx,
        /// Which machines of it; `None` is all that the role locked out.
        machines: Option<Ranges>,
    },
    /// Take a load out of service until the entry's end; its role is the person's
    /// own.
    Maintain(Maintenance),
    /// Put it back before its end.
    EndMaintenance {
        /// Which load.
        load: LoadIx,
        /// Which machines of it; `None` is all.
        machines: Option<Ranges>,
    },
    /// Keep a load at a level by hand, until the entry's end; its role is the
    /// person's own.
    Hold(Hold),
    /// Give a held load back to the engine.
    EndHold(LoadIx),
    /// The grid said something by telephone.
    Instruct(Instruction),
    /// A second person agrees to what waits for one.
    Confirm {
        /// Under which programme.
        programme: ProgrammeIx,
        /// The instruction's name.
        name: String,
    },
    /// Somebody looks after an alarm: it is not taken further up.
    Acknowledge {
        /// Which.
        alarm: AlarmId,
    },
}

/// A request that was granted, and what it comes to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accepted {
    /// What was asked.
    pub request: Request,
    /// What the load, or the site where it is about none, was asked to draw before,
    /// at the meter.
    pub from: Power,
    /// What it is asked to draw now.
    pub to: Power,
    /// The roles that keep some of the load locked out.
    pub locked_out_by: Vec<String>,
}

/// Why a request was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RefusedBecause {
    /// Only the role that locked a load out can release it.
    AnotherRoleLockedItOut {
        /// Which load.
        load: LoadIx,
        /// The roles that can.
        roles: Vec<String>,
    },
    /// Only the role that took it out of service, or the operator, can put it back.
    AnotherRoleMaintainsIt {
        /// Which load.
        load: LoadIx,
        /// The roles that can, beside the operator.
        roles: Vec<String>,
    },
    /// The load is not of this site.
    NoSuchLoad,
    /// The load does not have all of the machines named.
    NoSuchMachines {
        /// Which load.
        load: LoadIx,
        /// How many it has.
        count: u32,
    },
    /// Nothing of it is locked out.
    NotLockedOut {
        /// Which load.
        load: LoadIx,
    },
    /// Nothing of it is in maintenance.
    NotInMaintenance {
        /// Which load.
        load: LoadIx,
    },
    /// It is not held.
    NotHeld {
        /// Which load.
        load: LoadIx,
    },
    /// The load cannot draw as much or as little as that.
    BeyondEnvelope {
        /// Which load.
        load: LoadIx,
        /// What was asked, at the meter.
        asked: Power,
        /// The least it can.
        lowest: Power,
        /// The most it can.
        highest: Power,
    },
    /// It would end before it began.
    EndIsPast {
        /// The end.
        end: Timestamp,
    },
    /// A text is no text that can be shown to others.
    Unreadable {
        /// Which text.
        text: Text,
        /// What is wrong with it.
        because: Unreadable,
    },
    /// Too much of its kind stands already.
    TooMany {
        /// The most that may stand.
        most: usize,
    },
    /// Nothing of that name waits for a second person.
    NothingToConfirm,
    /// The one who asked cannot also agree.
    SamePerson,
    /// What the grid is said to ask cannot be.
    NotUsed(NotUsed),
    /// No such alarm stands.
    NoSuchAlarm {
        /// Which.
        alarm: AlarmId,
    },
    /// Somebody looks after that alarm already.
    AlreadyAcknowledged {
        /// Who.
        by: Person,
    },
}

/// A text that a person gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Text {
    /// Their name.
    Name,
    /// Their role.
    Role,
    /// Why they ask.
    Reason,
}

/// Why a text cannot be shown to others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Unreadable {
    /// It says nothing.
    Empty,
    /// It has more characters than this.
    LongerThan(usize),
    /// It has control characters, or some that turn the text around.
    Controls,
    /// It begins or ends with a space, so that two that look alike differ.
    Padded,
}

impl Person {
    /// Whether their name and role can be shown to others.
    pub fn readable(&self) -> Result<(), RefusedBecause> {
        readable(Text::Name, &self.name)?;
        readable(Text::Role, &self.role)
    }
}

/// Whether a text can be shown to others.
pub fn readable(text: Text, value: &str) -> Result<(), RefusedBecause> {
    let most = match text {
        Text::Name | Text::Role => NAME_LENGTH_MAX,
        Text::Reason => REASON_LENGTH_MAX,
    };
    let because = if value.trim().is_empty() {
        Unreadable::Empty
    } else if value.chars().count() > most {
        Unreadable::LongerThan(most)
    } else if value.chars().any(is_control) {
        Unreadable::Controls
    } else if value.trim() != value {
        Unreadable::Padded
    } else {
        return Ok(());
    };
    Err(RefusedBecause::Unreadable { text, because })
}

/// Control characters, line and paragraph separators, and those that change the
/// direction of the text around them.
fn is_control(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}' | '\u{061c}')
        || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

impl Request {
    /// The load it is about; `None` where it is about none.
    pub fn load(&self) -> Option<LoadIx> {
        match self {
            Self::LockOut(entry) => Some(entry.load),
            Self::Maintain(entry) => Some(entry.load),
            Self::Hold(entry) => Some(entry.load),
            Self::Release { load, .. }
            | Self::EndMaintenance { load, .. }
            | Self::EndHold(load) => Some(*load),
            Self::Instruct(_) | Self::Confirm { .. } | Self::Acknowledge { .. } => None,
        }
    }
}

impl Accepted {
    /// What was granted and what happens next, in words.
    pub fn explain(&self, site: &Site) -> String {
        let moves = self.moves(site);
        match &self.request {
            Request::LockOut(LockOut { load, machines, role, .. }) => format!(
                "{} locked out: no order starts that until {role} releases it; {moves}; \
                 wait until it is seen at rest, and isolate it before anybody touches it",
                is(site, *load, machines.as_ref()),
            ),
            Request::Release { load, machines } if self.locked_out_by.is_empty() => {
                format!(
                    "{} released: the next decision may start it; {moves}",
                    is(site, *load, machines.as_ref()),
                )
            }
            Request::Release { load, machines } => format!(
                "{} released by this role; still locked out in `{}`, in whole or in \
                 part, by {}; {moves}",
                is(site, *load, machines.as_ref()),
                name(site, *load),
                list(&self.locked_out_by),
            ),
            Request::Maintain(Maintenance { load, machines, during, .. }) => format!(
                "{} out of service until {}, and back after that within the ramps; \
                 {moves}; lock it out before anybody touches it",
                is(site, *load, machines.as_ref()),
                during.end,
            ),
            Request::EndMaintenance { load, machines } => format!(
                "{} back in service, within the ramps; {moves}{}",
                is(site, *load, machines.as_ref()),
                self.stays_off(),
            ),
            Request::Hold(hold) => format!(
                "`{}` is held at {} until {}, as far as limits, contracts and minimum \
                 times allow; {moves}{}",
                name(site, hold.load),
                hold.power,
                hold.during.end,
                self.stays_off(),
            ),
            Request::EndHold(load) => {
                format!("`{}` follows the dispatch again; {moves}", name(site, *load))
            }
            Request::Instruct(instruction) => {
                format!("the instruction {} is taken in; {moves}", instruction.name)
            }
            Request::Confirm { name, .. } => {
                format!("the instruction {name} is confirmed; {moves}")
            }
            Request::Acknowledge { alarm } => format!(
                "alarm {alarm} is acknowledged: it goes no further up, and stands until \
                 its cause is gone"
            ),
        }
    }

    fn moves(&self, site: &Site) -> String {
        let what = match self.request.load() {
            Some(load) => format!("`{}`", name(site, load)),
            None => "the site".to_owned(),
        };
        if self.from == self.to {
            return format!("{what} stays at {}", self.to);
        }
        format!("{what} goes from {} to {}", self.from, self.to)
    }

    fn stays_off(&self) -> String {
        if self.locked_out_by.is_empty() {
            return String::new();
        }
        format!("; what {} locked out stays off", list(&self.locked_out_by))
    }
}

impl RefusedBecause {
    /// Why, and what to do, in words.
    pub fn explain(&self, site: &Site) -> String {
        match self {
            Self::AnotherRoleLockedItOut { load, roles } => format!(
                "`{}` was locked out by {}: only that role can release it; ask whether \
                 the work is done",
                name(site, *load),
                list(roles),
            ),
            Self::AnotherRoleMaintainsIt { load, roles } => format!(
                "`{}` was taken out of service by {}: that role or the {OPERATOR} can put \
                 it back",
                name(site, *load),
                list(roles),
            ),
            Self::NoSuchLoad => {
                let names: Vec<String> =
                    site.loads.iter().map(|load| format!("`{}`", load.name)).collect();
                format!("expected a load of this site, one of {}", names.join(", "))
            }
            Self::NoSuchMachines { load, count } => match count {
                0 => format!(
                    "`{}` is one device: leave the machine numbers away",
                    name(site, *load)
                ),
                _ => format!(
                    "expected machines of `{}`, 0 to {}; found none or others",
                    name(site, *load),
                    count - 1
                ),
            },
            Self::NotLockedOut { load } => {
                format!("nothing of that is locked out in `{}`", name(site, *load))
            }
            Self::NotInMaintenance { load } => {
                format!("nothing of that is in maintenance in `{}`", name(site, *load))
            }
            Self::NotHeld { load } => format!("`{}` is not held", name(site, *load)),
            Self::BeyondEnvelope { load, asked, lowest, highest } => format!(
                "expected a level from {lowest} to {highest}, what `{}` can draw at the \
                 meter; found {asked}",
                name(site, *load),
            ),
            Self::EndIsPast { end } => {
                format!("expected an end that is still to come; found {end}")
            }
            Self::Unreadable { text, because } => {
                let text = match text {
                    Text::Name => "name",
                    Text::Role => "role",
                    Text::Reason => "reason",
                };
                match because {
                    Unreadable::Empty => format!("expected a {text}, found none"),
                    Unreadable::LongerThan(most) => {
                        format!("expected a {text} of at most {most} characters")
                    }
                    Unreadable::Controls => {
                        format!("expected a {text} without control characters")
                    }
                    Unreadable::Padded => {
                        format!("expected a {text} without spaces around it")
                    }
                }
            }
            Self::TooMany { most } => {
                format!("{most} of these stand already; end some of them first")
            }
            Self::NothingToConfirm => {
                "nothing of that name waits for a second person".to_owned()
            }
            Self::SamePerson => {
                "whoever asked cannot also agree; ask another person".to_owned()
            }
            Self::NotUsed(why) => why.explain(site),
            Self::NoSuchAlarm { alarm } => format!("no alarm {alarm} stands"),
            Self::AlreadyAcknowledged { by } => {
                format!("{} ({}) looks after it already", by.name, by.role)
            }
        }
    }
}

/// A load or some of its machines, with the verb.
fn is(site: &Site, load: LoadIx, machines: Option<&Ranges>) -> String {
    let name = name(site, load);
    match machines {
        None => format!("`{name}` is"),
        Some(machines) if machines.len() == 1 => {
            format!("machine {machines} of `{name}` is")
        }
        Some(machines) => format!("machines {machines} of `{name}` are"),
    }
}

fn name(site: &Site, load: LoadIx) -> &str {
    site.loads.get(load).map_or("?", |load| load.name.as_str())
}

fn list(roles: &[String]) -> String {
    roles.join(" and ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: Text, value: &str, expected: Option<Unreadable>) {
        let found = match readable(text, value) {
            Ok(()) => None,
            Err(RefusedBecause::Unreadable { because, .. }) => Some(because),
            Err(other) => panic!("{other:?}"),
        };
        assert_eq!(found, expected, "{value:?}");
    }

    #[test]
    fn a_text_that_others_cannot_read_is_refused() {
        check(Text::Name, "Ana Petrović", None);
        check(Text::Reason, "fan replacement, row 3", None);
        check(Text::Role, "", Some(Unreadable::Empty));
        check(Text::Role, "  ", Some(Unreadable::Empty));
        check(Text::Name, "Ana ", Some(Unreadable::Padded));
        check(Text::Reason, "fan\nBcc: all", Some(Unreadable::Controls));
        check(Text::Reason, "fan\u{202e}liar", Some(Unreadable::Controls));
        check(Text::Name, &"x".repeat(NAME_LENGTH_MAX), None);
        let longest = Some(Unreadable::LongerThan(NAME_LENGTH_MAX));
        check(Text::Name, &"x".repeat(NAME_LENGTH_MAX + 1), longest);
        let longest = Some(Unreadable::LongerThan(REASON_LENGTH_MAX));
        check(Text::Reason, &"x".repeat(REASON_LENGTH_MAX + 1), longest);
    }
}
