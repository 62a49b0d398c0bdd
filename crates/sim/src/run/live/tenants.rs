//! What happens to racks of a live run: looks at them, and people and tenants who
//! reserve, accept, give, return and cordon, in their turn and out of it.

use engine::capacity::{
    Actor, BlockNo, Body, Estate, Event, Output, Phase, Place, RackNo, TrancheOf, TrayNo,
};
use units::{Seconds, Timestamp};

use crate::hall::{Befalls, Hall};
use crate::seed::Generator;
use crate::world::estate::{evidence, tested};

/// Machines are looked at this often: within the five minutes for which a look counts.
pub(super) const LOOKED_AT_EVERY: Seconds = Seconds::from_seconds(45);

/// The hall and what it holds, which outlive the process.
#[derive(Debug, Default)]
pub(super) struct Tenants {
    hall: Hall,
}

impl Tenants {
    /// A machine of the hall is told something.
    pub(super) fn carry_out(&mut self, estate: &Estate, output: &Output, at: Timestamp) {
        if let Output::Order { tray, command, generation } = output {
            self.hall.order(estate, (*tray, *command, *generation), at);
        }
    }

    /// Everybody's machine is looked at.
    pub(super) fn look(&mut self, estate: &Estate, at: Timestamp) -> Option<Event> {
        let sweep = self.hall.look(estate, at)?;
        Some(Event { at, by: Actor::Site, body: Body::Sweep(sweep) })
    }

    /// Whatever befell machines is mended.
    pub(super) fn mend(&mut self, estate: &Estate) {
        for tray in 0..estate.trays().len() as u32 {
            self.hall.befall(estate, TrayNo(tray), Befalls::Mended);
        }
    }

    /// Something happens to one of the racks. What cannot be is said all the same, now
    /// and then: the estate refuses it.
    pub(super) fn happens(
        &mut self,
        estate: &Estate,
        at: Timestamp,
        draws: &mut Generator,
    ) -> Option<Event> {
        let tray = TrayNo(draws.below(estate.trays().len() as u64) as u32);
        let block = BlockNo(draws.below(estate.blocks().len() as u64 + 1) as u32);
        let tenant = (*draws.pick(&["red", "blue"])).to_owned();
        let whose = estate.block(block).map_or(tenant.clone(), |of| of.tenant.clone());
        let operator = Actor::Operator("ada".to_owned());
        let why = "as drawn".to_owned();
        let (by, body) = match draws.below(16) {
            0..=4 => (operator, reserve(estate, tray, tenant, draws)?),
            5 | 6 => (Actor::Tenant(whose), Body::Accept { block, evidence: evidence() }),
            7 => (operator, Body::HandOver { block }),
            8..=10 => (Actor::Tenant(whose), Body::Return { block, why }),
            11 => (operator, Body::Cordon { tray, why }),
            12 => (operator, Body::Uncordon { tray }),
            13 => {
                let untested = (0..).zip(estate.trays());
                let mut untested = untested.filter(|(_, of)| of.phase == Phase::BurnIn);
                let (number, _) = untested.next()?;
                (operator, tested(RackNo(number)))
            }
            14 => (Actor::Tenant(tenant), Body::PowerCycle { tray }),
            _ => {
                let befalls = *draws.pick(&[
                    Befalls::GpuLost,
                    Befalls::Silent,
                    Befalls::Mended,
                    Befalls::Mended,
                ]);
                self.hall.befall(estate, tray, befalls);
                return None;
            }
        };
        Some(Event { at, by, body })
    }
}

/// One to three racks from `first` on that nobody has.
fn reserve(
    estate: &Estate,
    first: TrayNo,
    tenant: String,
    draws: &mut Generator,
) -> Option<Body> {
    let count = draws.integer(1..=3) as usize;
    let free = (first.0..estate.trays().len() as u32)
        .filter(|tray| estate.unfree(TrayNo(*tray)).is_none());
    let blocks: Vec<Place> = free
        .take(count)
        .map(|tray| Place { rack: RackNo(tray), slots: vec![0] })
        .collect();
    if blocks.is_empty() {
        return None;
    }
    let tranche = TrancheOf { contract: "CAP".to_owned(), tranche: "H1".to_owned() };
    Some(Body::Reserve { tenant, tranche, blocks, spares: Vec::new(), within: None })
}
