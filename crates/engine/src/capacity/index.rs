//! What a tenant has, as one list with stable names and reasons.
//!
//! The words are those of CAP01 of NVIDIA's Requirements for AI Clouds: delivered,
//! healthy, reserved, in use. A tenant's list holds its own seats and nothing else:
//! no other name. Numbers in the names of seats are the site's own; whoever shows them
//! to a tenant gives it names of its own, from which nothing of others follows.

use serde::Serialize;
use units::Timestamp;

use super::asset::BlockNo;
use super::meter::Counted;
use super::phase::Phase;
use super::{Estate, TrancheOf};

/// One seat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Resource {
    /// Its name, for as long as the block lives; machines may change under it.
    pub id: String,
    /// The tenant whose it is.
    pub tenant: String,
    /// The tranche that it delivers.
    pub tranche: TrancheOf,
    /// The block, which is given and taken whole.
    pub block: u32,
    /// Its NVLink domain: the rack, or the machine's slot where a tray is a domain of
    /// its own.
    pub nvlink_domain: String,
    /// What the machines of its block are.
    pub model: String,
    /// The slot of the machine that is in it.
    pub slot: Option<String>,
    /// The serial number of that machine.
    pub serial: Option<String>,
    /// GPUs.
    pub gpus: u8,
    /// It was accepted.
    pub delivered: bool,
    /// It was seen healthy lately, and its NVLink domain whole.
    pub healthy: bool,
    /// It is promised.
    pub reserved: bool,
    /// Its tenant has it.
    pub in_use: bool,
    /// Why it is as it is.
    pub reason: String,
    /// What it counts as, once delivered.
    pub counted: Option<Counted>,
    /// Since when.
    pub since: Timestamp,
}

/// The seats that live blocks have: of one tenant, or of all for the site's people.
pub fn index(estate: &Estate, tenant: Option<&str>) -> Vec<Resource> {
    let mut found = Vec::new();
    for (place, block) in estate.blocks().iter().enumerate() {
        let theirs = tenant.is_none_or(|tenant| block.tenant == tenant);
        if !block.is_live() || !theirs {
            continue;
        }
        let number = BlockNo(super::estate::number(place));
        for seat in 0..block.seats.len() {
            found.push(resource(estate, number, seat, tenant.is_some()));
        }
    }
    found
}

fn resource(estate: &Estate, number: BlockNo, seat: usize, for_tenant: bool) -> Resource {
    let block = &estate.blocks()[number.place()];
    let tray = block.seats[seat];
    let meter = estate.seat_meter(number, seat);
    let machine = tray.map(|tray| estate.tray(tray));
    let reason = match (tray, machine) {
        (Some(tray), Some(machine)) => {
            reason(estate, tray, machine.phase, meter.is_some(), for_tenant)
        }
        _ => "no machine is in it".to_owned(),
    };
    Resource {
        id: estate.seat_name(number, seat),
        tenant: block.tenant.clone(),
        tranche: block.tranche.clone(),
        block: number.0,
        nvlink_domain: match tray {
            Some(tray) => estate.domain_name(tray),
            None => estate.domain_of(block),
        },
        model: estate.shape_of(block.rack).name.clone(),
        slot: tray.map(|tray| estate.slot_name(tray)),
        serial: machine.map(|machine| machine.serial.clone()),
        gpus: estate.shape_of(block.rack).gpus_per_tray,
        delivered: block.accepted.is_some(),
        healthy: tray.is_some_and(|tray| {
            estate.is_healthy(tray) && estate.domain_is_whole(tray) == Some(true)
        }),
        reserved: true,
        in_use: machine.is_some_and(|machine| machine.phase == Phase::InService),
        reason,
        counted: meter.map(|meter| meter.counted),
        since: meter
            .map(|meter| meter.since)
            .or(machine.map(|machine| machine.since))
            .unwrap_or(block.reserved),
    }
}

fn reason(
    estate: &Estate,
    tray: super::TrayNo,
    phase: Phase,
    counted: bool,
    for_tenant: bool,
) -> String {
    let machine = estate.tray(tray);
    let work = |window: &super::Window| {
        let what = if for_tenant { window.for_tenants() } else { &window.why };
        format!("work {} from {}: {what}", window.id, window.during)
    };
    if let Some(why) = &machine.returned {
        return format!("given back: {why}");
    }
    if let Some(window) = estate.worked_on(tray, estate.known()) {
        return work(window);
    }
    if let Some(wait) = estate.wait(tray) {
        return format!("{}: {wait}", phase.name());
    }
    if !estate.is_healthy(tray) {
        return format!("{}, and not seen healthy lately", phase.name());
    }
    if let Some(fault) = estate.domain_fault(tray) {
        return format!("{}, and {fault}", phase.name());
    }
    if let Some(window) = estate.next_work(tray, estate.known()) {
        return format!("{}; {}", phase.name(), work(window));
    }
    match (phase, counted) {
        (Phase::Accepted, false) => "passed its tests, and not accepted yet".to_owned(),
        (Phase::Accepted, true) => "accepted, and not handed over yet".to_owned(),
        (phase, _) => phase.name().to_owned(),
    }
}
