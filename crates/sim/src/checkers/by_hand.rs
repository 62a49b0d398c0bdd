//! What people set by hand, as a bystander understood it.

use engine::site::{Hold, LoadIx, LockOut, Site};
use engine::{Person, Ranges, Request};
use units::{Interval, Timestamp};

/// Who works on what, and what is held.
#[derive(Clone, Debug)]
pub(crate) struct ByHand {
    pub(crate) lock_outs: Vec<LockOut>,
    pub(crate) holds: Vec<Hold>,
}

impl ByHand {
    pub(crate) fn of(site: &Site) -> Self {
        Self { lock_outs: site.lock_outs.clone(), holds: site.holds.clone() }
    }

    /// The site file was read anew: its old entries end, those made by hand stay.
    pub(crate) fn change(&mut self, old: &Site, new: &Site) {
        let by_hand = |l: &&LockOut| !old.lock_outs.contains(l);
        let kept: Vec<_> = self.lock_outs.iter().filter(by_hand).cloned().collect();
        self.lock_outs = new.lock_outs.iter().cloned().chain(kept).collect();
        let by_hand = |h: &&Hold| !old.holds.contains(h);
        let kept: Vec<_> = self.holds.iter().filter(by_hand).cloned().collect();
        self.holds = new.holds.iter().cloned().chain(kept).collect();
    }

    /// Whether a site file lacks machines that a person works on: then it is not
    /// taken over.
    pub(crate) fn would_lose(&self, to: &Site) -> bool {
        self.lock_outs.iter().filter(|lock_out| lock_out.until_released).any(|lock_out| {
            let last = lock_out.machines.as_ref().and_then(Ranges::last);
            let count = to.loads[lock_out.load].machines().map_or(0, |m| m.count);
            last.is_some_and(|last| last >= count)
        })
    }

    /// Takes in what a person asked for about a load; whether it is to be granted.
    pub(crate) fn serve(
        &mut self,
        site: &Site,
        by: &Person,
        request: &Request,
        at: Timestamp,
    ) -> bool {
        match request {
            Request::LockOut(lock_out) => {
                let granted =
                    lock_out.load < site.loads.len() && lock_out.during.end > at;
                if granted {
                    self.lock_out(by, lock_out, at);
                }
                granted
            }
            Request::Release { load, machines } => {
                self.release(site, by, *load, machines.as_ref(), at)
            }
            Request::Hold(hold) => {
                let fits = hold.load < site.loads.len() && {
                    let (lowest, highest) = site.envelope_at_meter(hold.load);
                    lowest <= hold.power && hold.power <= highest
                };
                let granted = fits && hold.during.end > at;
                if granted {
                    let during = Interval { start: at, ..hold.during };
                    self.holds.retain(|kept| {
                        kept.load != hold.load || !kept.during.overlaps(during)
                    });
                    let role = by.role.clone();
                    self.holds.push(Hold { during, role, ..hold.clone() });
                }
                granted
            }
            Request::EndHold(load) => {
                let before = self.holds.len();
                self.holds.retain(|h| h.load != *load || !h.during.contains(at));
                before != self.holds.len()
            }
            Request::Maintain(_)
            | Request::EndMaintenance { .. }
            | Request::Instruct(_)
            | Request::Confirm { .. }
            | Request::Acknowledge { .. } => true,
        }
    }

    /// From now until its role releases it; said again, it is the same one.
    fn lock_out(&mut self, by: &Person, lock_out: &LockOut, at: Timestamp) {
        let mut entry = LockOut {
            during: Interval { start: at, ..lock_out.during },
            until_released: true,
            role: by.role.clone(),
            ..lock_out.clone()
        };
        let same = |l: &&mut LockOut| {
            l.until_released
                && (l.load, &l.role, &l.machines)
                    == (entry.load, &entry.role, &entry.machines)
        };
        match self.lock_outs.iter_mut().find(same) {
            Some(kept) => {
                entry.during.start = kept.during.start;
                *kept = entry;
            }
            None => self.lock_outs.push(entry),
        }
    }

    /// Only what the same role locked out, and only the machines it names.
    fn release(
        &mut self,
        site: &Site,
        by: &Person,
        load: LoadIx,
        machines: Option<&Ranges>,
        at: Timestamp,
    ) -> bool {
        let count = site.loads.get(load).and_then(|load| load.machines());
        let all = Ranges::all(count.map_or(0, |machines| machines.count));
        let mut granted = false;
        self.lock_outs.retain_mut(|lock_out| {
            let locked = lock_out.machines.as_ref().unwrap_or(&all);
            let met = machines.is_none_or(|released| {
                locked.iter().any(|machine| released.contains(machine))
            });
            let same = lock_out.load == load && lock_out.role == by.role;
            if !same || !lock_out.is_on(at) || !met {
                return true;
            }
            granted = true;
            let Some(released) = machines else { return false };
            let left: Ranges = locked.iter().filter(|m| !released.contains(*m)).collect();
            let stays = !left.is_empty();
            lock_out.machines = Some(left);
            stays
        });
        granted
    }

    /// Whether a person works on a machine at `at`; a battery is machine 0.
    pub(crate) fn is_locked_out(
        &self,
        load: LoadIx,
        machine: u32,
        at: Timestamp,
    ) -> bool {
        self.lock_outs.iter().any(|lock_out| {
            lock_out.load == load
                && lock_out.is_on(at)
                && lock_out.machines.as_ref().is_none_or(|some| some.contains(machine))
        })
    }
}
