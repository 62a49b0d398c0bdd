//! What people set by hand: who works on what, what rests, what is held.
//!
//! Invariant: a lock-out made by a person ends when its role releases it, and in
//! no other way.

use serde::{Deserialize, Serialize};
use units::{Interval, Power, Timestamp};

use super::State;
use crate::decide::Setpoint;
use crate::people::{
    ENTRIES_MAX, OPERATOR, Person, RefusedBecause, Request, Text, readable,
};
use crate::ranges::Ranges;
use crate::site::{Hold, LoadIx, LoadKind, LockOut, Maintenance, Site};

/// What machines of a load were last told of who works on them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Mark {
    load: LoadIx,
    locked_out: bool,
    machines: Option<Ranges>,
}

impl State {
    /// Takes in what a person asked for about a load.
    pub(super) fn serve_by_hand(
        &mut self,
        by: &Person,
        request: &Request,
        at: Timestamp,
    ) -> Result<(), RefusedBecause> {
        match request {
            Request::LockOut(asked) => self.start_lock_out(by, asked, at),
            Request::Release { load, machines } => {
                self.release(by, *load, machines.as_ref(), at)
            }
            Request::Maintain(asked) => self.start_maintenance(by, asked, at),
            Request::EndMaintenance { load, machines } => {
                self.end_maintenance(by, *load, machines.as_ref(), at)
            }
            Request::Hold(asked) => self.start_hold(by, asked, at),
            Request::EndHold(load) => self.end_hold(*load, at),
            Request::Instruct(_)
            | Request::Confirm { .. }
            | Request::Acknowledge { .. } => Ok(()),
        }
    }

    fn start_lock_out(
        &mut self,
        by: &Person,
        asked: &LockOut,
        at: Timestamp,
    ) -> Result<(), RefusedBecause> {
        readable(Text::Reason, &asked.reason)?;
        self.exists(asked.load, asked.machines.as_ref())?;
        let during = from_now(asked.during.end, at)?;
        let same = |l: &LockOut| {
            l.until_released
                && (l.load, &l.role) == (asked.load, &by.role)
                && l.machines == asked.machines
        };
        // Said again, it is the same lock-out with another word on its end.
        let before = self.lock_outs.iter().position(same);
        let start = before.map_or(at, |place| self.lock_outs[place].during.start);
        let during = Interval { start, ..during };
        let role = by.role.clone();
        let entry = LockOut { during, until_released: true, role, ..asked.clone() };
        match before {
            Some(place) => self.lock_outs[place] = entry,
            None => push(&mut self.lock_outs, entry)?,
        }
        Ok(())
    }

    fn release(
        &mut self,
        by: &Person,
        load: LoadIx,
        machines: Option<&Ranges>,
        at: Timestamp,
    ) -> Result<(), RefusedBecause> {
        let count = self.exists(load, machines)?;
        let meant = |l: &LockOut| {
            l.load == load && l.is_on(at) && meets(l.machines.as_ref(), machines)
        };
        if !self.lock_outs.iter().any(|l| meant(l) && l.role == by.role) {
            let others = self.lock_outs.iter().filter(|l| meant(l));
            let roles = distinct(others.map(|l| l.role.clone()));
            return Err(match roles.is_empty() {
                true => RefusedBecause::NotLockedOut { load },
                false => RefusedBecause::AnotherRoleLockedItOut { load, roles },
            });
        }
        self.lock_outs.retain_mut(|l| {
            if !meant(l) || l.role != by.role {
                return true;
            }
            let left = left_of(l.machines.as_ref(), machines, count);
            let stays = left.is_some();
            l.machines = left;
            stays
        });
        Ok(())
    }

    fn start_maintenance(
        &mut self,
        by: &Person,
        asked: &Maintenance,
        at: Timestamp,
    ) -> Result<(), RefusedBecause> {
        readable(Text::Reason, &asked.reason)?;
        self.exists(asked.load, asked.machines.as_ref())?;
        let during = from_now(asked.during.end, at)?;
        self.maintenances.retain(|m| {
            (m.load, &m.role) != (asked.load, &by.role) || m.machines != asked.machines
        });
        let role = by.role.clone();
        push(&mut self.maintenances, Maintenance { during, role, ..asked.clone() })
    }

    fn end_maintenance(
        &mut self,
        by: &Person,
        load: LoadIx,
        machines: Option<&Ranges>,
        at: Timestamp,
    ) -> Result<(), RefusedBecause> {
        let count = self.exists(load, machines)?;
        let meant = |m: &Maintenance| {
            m.load == load
                && m.during.contains(at)
                && meets(m.machines.as_ref(), machines)
        };
        let may = |m: &Maintenance| by.role == OPERATOR || by.role == m.role;
        if !self.maintenances.iter().any(|m| meant(m) && may(m)) {
            let others = self.maintenances.iter().filter(|m| meant(m));
            let roles = distinct(others.map(|m| m.role.clone()));
            return Err(match roles.is_empty() {
                true => RefusedBecause::NotInMaintenance { load },
                false => RefusedBecause::AnotherRoleMaintainsIt { load, roles },
            });
        }
        self.maintenances.retain_mut(|m| {
            if !meant(m) || !may(m) {
                return true;
            }
            let left = left_of(m.machines.as_ref(), machines, count);
            let stays = left.is_some();
            m.machines = left;
            stays
        });
        Ok(())
    }

    fn start_hold(
        &mut self,
        by: &Person,
        asked: &Hold,
        at: Timestamp,
    ) -> Result<(), RefusedBecause> {
        readable(Text::Reason, &asked.reason)?;
        self.exists(asked.load, None)?;
        let load = asked.load;
        let (lowest, highest) = self.site.envelope_at_meter(load);
        if asked.power < lowest || asked.power > highest {
            let asked = asked.power;
            return Err(RefusedBecause::BeyondEnvelope { load, asked, lowest, highest });
        }
        let during = from_now(asked.during.end, at)?;
        self.holds.retain(|kept| kept.load != load || !kept.during.overlaps(during));
        let role = by.role.clone();
        push(&mut self.holds, Hold { during, role, ..asked.clone() })
    }

    fn end_hold(&mut self, load: LoadIx, at: Timestamp) -> Result<(), RefusedBecause> {
        self.exists(load, None)?;
        let before = self.holds.len();
        self.holds.retain(|kept| kept.load != load || !kept.during.contains(at));
        match self.holds.len() == before {
            true => Err(RefusedBecause::NotHeld { load }),
            false => Ok(()),
        }
    }

    /// Whether the site has that load, and the load those machines; how many it has.
    fn exists(
        &self,
        load: LoadIx,
        machines: Option<&Ranges>,
    ) -> Result<u32, RefusedBecause> {
        let shape = self.site.loads.get(load).ok_or(RefusedBecause::NoSuchLoad)?;
        let count = shape.machines().map_or(0, |machines| machines.count);
        match machines {
            None => Ok(count),
            Some(some) if some.last().is_some_and(|last| last < count) => Ok(count),
            Some(_) => Err(RefusedBecause::NoSuchMachines { load, count }),
        }
    }

    /// Whether an entry about these machines is about the whole load: some machines
    /// of one ideal device are all of it.
    fn is_whole(&self, load: LoadIx, machines: Option<&Ranges>) -> bool {
        machines.is_none() || self.fleet.crew(load).is_none()
    }

    /// The lock-out of a whole load that touches `interval`.
    pub fn lock_out(&self, load: LoadIx, interval: Interval) -> Option<&LockOut> {
        self.lock_outs.iter().find(|l| {
            l.load == load
                && l.touches(interval)
                && self.is_whole(load, l.machines.as_ref())
        })
    }

    /// Whether a person works on a whole load at `at`.
    pub fn is_locked_out(&self, load: LoadIx, at: Timestamp) -> bool {
        self.lock_outs.iter().any(|l| {
            l.load == load && l.is_on(at) && self.is_whole(load, l.machines.as_ref())
        })
    }

    /// The roles that keep a load, or some machines of it, locked out at `at`.
    pub fn locked_out_by(&self, load: LoadIx, at: Timestamp) -> Vec<String> {
        let on = self.lock_outs.iter().filter(|l| l.load == load && l.is_on(at));
        distinct(on.map(|l| l.role.clone()))
    }

    /// The maintenance of a whole load that touches `interval`.
    pub fn maintenance(&self, load: LoadIx, interval: Interval) -> Option<&Maintenance> {
        self.maintenances.iter().find(|m| {
            m.load == load
                && m.during.overlaps(interval)
                && self.is_whole(load, m.machines.as_ref())
        })
    }

    /// The hold on a load that touches `interval`; of several, the lowest.
    pub fn hold(&self, load: LoadIx, interval: Interval) -> Option<&Hold> {
        let touching = |h: &&Hold| h.load == load && h.during.overlaps(interval);
        self.holds.iter().filter(touching).min_by_key(|h| h.power)
    }

    /// Lets every machine know whether somebody works on it, or it is out of
    /// service, at some instant of `during`.
    pub(crate) fn mark_machines(&mut self, during: Interval) {
        if !self.fleet.is_by_machine() {
            return;
        }
        let locked = self.lock_outs.iter().filter(|l| l.touches(during));
        let locked = locked.map(|l| (l.load, true, &l.machines));
        let resting = self.maintenances.iter().filter(|m| m.during.overlaps(during));
        let resting = resting.map(|m| (m.load, false, &m.machines));
        let marks: Vec<_> = locked.chain(resting).collect();
        let before = self.marks.iter().map(|m| (m.load, m.locked_out, &m.machines));
        if before.eq(marks.iter().copied()) {
            return;
        }
        let marks: Vec<Mark> = marks
            .into_iter()
            .map(|(load, locked_out, machines)| Mark {
                load,
                locked_out,
                machines: machines.clone(),
            })
            .collect();
        let mut loads: Vec<LoadIx> =
            self.marks.iter().chain(&marks).map(|mark| mark.load).collect();
        loads.sort_unstable();
        loads.dedup();
        self.marks = marks;
        for load in loads {
            self.mark_crew(load);
        }
    }

    fn mark_crew(&mut self, load: LoadIx) {
        let marks = &self.marks;
        let is = |locked_out: bool, machine: u32| {
            marks.iter().any(|mark| {
                (mark.load, mark.locked_out) == (load, locked_out)
                    && mark.machines.as_ref().is_none_or(|some| some.contains(machine))
            })
        };
        self.fleet.change_crew(&self.site, load, |crew, machines| {
            crew.mark(machines, |m| is(true, m), |m| is(false, m));
        });
    }

    /// What a changed site would lose sight of: a lock-out that stands on a load, or
    /// on machines, that it does not have any more.
    pub(crate) fn lock_out_lost(&self, to: &Site) -> Option<&LockOut> {
        self.lock_outs.iter().filter(|l| l.until_released).find(|lock_out| {
            let load = to.load_named(&self.site.loads[lock_out.load].name);
            let count = load.map(|load| to.loads[load].machines().map_or(0, |m| m.count));
            let last = lock_out.machines.as_ref().and_then(Ranges::last);
            count.is_none_or(|count| last.is_some_and(|last| last >= count))
        })
    }

    /// Takes over what was made by hand since the old site file, for the loads that
    /// the new one still has.
    pub(super) fn carry_by_hand(&mut self, to: &Site) {
        let from = &self.site;
        let there = |load: LoadIx| to.load_named(&from.loads[load].name);
        let lock_outs = to.lock_outs.iter().cloned().chain(
            self.lock_outs
                .iter()
                .filter(|l| !from.lock_outs.contains(l))
                .filter_map(|l| there(l.load).map(|load| LockOut { load, ..l.clone() })),
        );
        let holds = to.holds.iter().cloned().chain(
            self.holds
                .iter()
                .filter(|h| !from.holds.contains(h))
                .filter_map(|h| there(h.load).map(|load| Hold { load, ..h.clone() })),
        );
        let maintenances = self
            .maintenances
            .iter()
            .filter_map(|m| there(m.load).map(|load| Maintenance { load, ..m.clone() }));
        let (lock_outs, holds) = (lock_outs.collect(), holds.collect());
        self.maintenances = maintenances.collect();
        (self.lock_outs, self.holds) = (lock_outs, holds);
    }

    /// Machines that a changed site counts anew are told anew who works on them.
    pub(super) fn forget_marks(&mut self) {
        self.marks.clear();
        for load in 0..self.site.loads.len() {
            self.mark_crew(load);
        }
    }

    /// Drops what ended before `at`.
    pub(super) fn forget_by_hand(&mut self, at: Timestamp) {
        self.maintenances.retain(|m| m.during.end > at);
        if self.fleet.is_by_machine() {
            self.lock_outs.retain(|l| l.until_released || l.during.end > at);
            self.holds.retain(|h| h.during.end > at);
        }
    }
}

impl Site {
    /// The least and the most that a hold may ask of a load at the meter, at the
    /// highest overhead. Machines at rest draw something; a hold at nothing means
    /// rest.
    pub fn envelope_at_meter(&self, load: LoadIx) -> (Power, Power) {
        match &self.loads[load].kind {
            LoadKind::Battery(battery) => (-battery.discharge_max, battery.charge_max),
            LoadKind::Rigs(_) | LoadKind::Racks(_) => {
                let machines = self.loads[load].machines();
                let last = machines.map_or(0, |machines| machines.level_max());
                (Power::ZERO, self.power_at(load, Setpoint::Level(last), None))
            }
        }
    }
}

/// From now until an end that is still to come.
fn from_now(end: Timestamp, at: Timestamp) -> Result<Interval, RefusedBecause> {
    match end > at {
        true => Ok(Interval { start: at, end }),
        false => Err(RefusedBecause::EndIsPast { end }),
    }
}

fn push<T>(entries: &mut Vec<T>, entry: T) -> Result<(), RefusedBecause> {
    if entries.len() >= ENTRIES_MAX {
        return Err(RefusedBecause::TooMany { most: ENTRIES_MAX });
    }
    entries.push(entry);
    Ok(())
}

/// Whether two entries are about some machine in common; `None` is all.
fn meets(one: Option<&Ranges>, other: Option<&Ranges>) -> bool {
    one.zip(other).is_none_or(|(one, other)| one.meets(other))
}

/// The machines of an entry without those that are given back; `None` when it is
/// over. Of `count` machines, an entry about the whole load has all.
fn left_of(
    entry: Option<&Ranges>,
    given_back: Option<&Ranges>,
    count: u32,
) -> Option<Ranges> {
    let given_back = given_back?;
    let left = match entry {
        Some(machines) => machines.minus(given_back),
        None => Ranges::all(count).minus(given_back),
    };
    (!left.is_empty()).then_some(left)
}

fn distinct(roles: impl Iterator<Item = String>) -> Vec<String> {
    let roles: std::collections::BTreeSet<String> = roles.collect();
    roles.into_iter().collect()
}
