//! One machine of a campus, looked at and moved by its own protocol, beside orders:
//! nobody's lease, nobody's generation.

use engine::site::LoadIx;
use units::{Power, Seconds};

use super::temper::Temper;
use super::{Campus, Machines};

/// How a machine stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stands {
    /// How many steps of its curve it says it has taken: 0 is at rest.
    pub says: u8,
    /// How many it has taken in truth.
    pub point: u8,
    /// What it draws at the plug, in truth.
    pub draw: Power,
    /// It was started, draws, and gives nothing yet.
    pub starting: bool,
    /// What is wrong with it.
    pub temper: Option<Temper>,
    /// How long it takes to answer; `None` does not answer.
    pub answers_after: Option<Seconds>,
}

impl Campus {
    /// How one machine stands; nothing where the load has no such machine, and for a
    /// load that is one device.
    pub fn stands(&self, load: LoadIx, machine: u32) -> Option<Stands> {
        self.groups.get(load)?.stands(machine, self.lot())
    }

    /// One machine is told to go to a point of its curve, by its own protocol. It does
    /// so as its temper lets it, as if the newest order had said so, until further
    /// notice. How long its answer takes; `None` does not answer.
    pub fn set_point(
        &mut self,
        load: LoadIx,
        machine: u32,
        point: u8,
    ) -> Option<Seconds> {
        self.machines_of(load)?;
        let newest = self.done.of(load, machine)?.newest;
        self.group(load, |group, around| {
            let reply = group.order(machine, i64::from(point), newest, around);
            reply.map(|reply| reply.after)
        })
    }

    /// How the machines of a load can run; nothing for a load that is one device.
    pub fn machines_of(&self, load: LoadIx) -> Option<&Machines> {
        self.site.loads.get(load)?.machines()
    }
}
