//! What the API answers about racks.

use engine::capacity::index::Resource;
use engine::capacity::meter::Tally;
use engine::capacity::{BlockNo, Estate, Flex, Incident, TrancheOf, Window};
use serde::Serialize;
use units::Timestamp;
use utoipa::ToSchema;

use crate::capacity::own::Own;
use crate::capacity::stake::StakeDocument;
use crate::live::status::text::{instant, maybe_instant};

/// What there is.
#[derive(Debug, Serialize, ToSchema)]
pub struct CapacityDocument {
    /// As of when.
    #[serde(with = "instant")]
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// Whose it is; nothing where it is the whole site's.
    pub tenant: Option<String>,
    /// Every tray of the site by where it is in its life; empty for a tenant.
    pub trays_by_phase: Vec<PhaseDocument>,
    /// Tranches that have or had seats.
    pub tranches: Vec<TrancheDocument>,
}

/// Trays in one phase.
#[derive(Debug, Serialize, ToSchema)]
pub struct PhaseDocument {
    /// The phase.
    pub phase: String,
    /// How many trays are in it.
    pub trays: u32,
}

/// A tranche and its availability to date.
#[derive(Debug, Serialize, ToSchema)]
pub struct TrancheDocument {
    /// Whose it is.
    pub tenant: String,
    /// The contract.
    pub contract: String,
    /// The tranche.
    pub tranche: String,
    /// GPUs of its seats now.
    pub gpus: u32,
    /// GPUs that the tenant has in use.
    pub gpus_in_use: u32,
    /// Available GPU-seconds of every seat, whatever part of a block a contract asks for.
    pub available_gpu_seconds: i64,
    /// GPU-seconds that are neither excused nor unknown.
    pub counted_gpu_seconds: i64,
    /// The one in the other, in per cent, cut off; nothing before anything is counted.
    pub availability_percent: Option<String>,
    /// Every second since acceptance, by what it counts as.
    pub gpu_seconds: SecondsDocument,
}

/// GPU-seconds by what they count as.
#[derive(Debug, Serialize, ToSchema)]
pub struct SecondsDocument {
    /// Up and healthy.
    pub available: i64,
    /// Answering and not whole.
    pub degraded: i64,
    /// Down.
    pub down: i64,
    /// Within announced work.
    pub planned: i64,
    /// As the tenant had it.
    pub customer_caused: i64,
    /// Nobody looked.
    pub unknown: i64,
}

impl TrancheDocument {
    pub(super) fn of(
        tenant: &str,
        name: &TrancheOf,
        gpus: u32,
        gpus_in_use: u32,
        seconds: Tally,
    ) -> Self {
        let counted = seconds.available + seconds.degraded + seconds.down;
        Self {
            tenant: tenant.to_owned(),
            contract: name.contract.clone(),
            tranche: name.tranche.clone(),
            gpus,
            gpus_in_use,
            available_gpu_seconds: seconds.available,
            counted_gpu_seconds: counted,
            availability_percent: percent(seconds.available, counted),
            gpu_seconds: SecondsDocument {
                available: seconds.available,
                degraded: seconds.degraded,
                down: seconds.down,
                planned: seconds.planned,
                customer_caused: seconds.customer_caused,
                unknown: seconds.unknown,
            },
        }
    }
}

/// A share in per cent, cut off, so that it never looks better than it is.
pub fn percent(up: i64, of: i64) -> Option<String> {
    let parts = (i128::from(up) * 1_000_000).checked_div(i128::from(of))?;
    Some(format!("{}.{:04}", parts / 10_000, parts % 10_000))
}

/// Some resources.
#[derive(Debug, Serialize, ToSchema)]
pub struct ResourcesDocument {
    /// As of when.
    #[serde(with = "instant")]
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// By block and seat.
    pub resources: Vec<ResourceDocument>,
    /// Where the list goes on; nothing at its end.
    pub next: Option<String>,
}

/// One resource: a seat, whatever machine is in it.
#[derive(Debug, Serialize, ToSchema)]
pub struct ResourceDocument {
    /// Its name, for as long as the block lives. A tenant reads names of its own.
    pub id: String,
    /// What its tenant calls it.
    pub tenant_id: String,
    /// Whose it is.
    pub tenant: String,
    /// The contract.
    pub contract: String,
    /// The tranche that it delivers.
    pub tranche: String,
    /// The block, which is given and taken whole.
    pub block: u32,
    /// Its NVLink domain: a rack, or a slot where a tray is a domain of its own.
    pub nvlink_domain: String,
    /// What its machines are.
    pub model: String,
    /// The slot of the machine that is in it.
    pub slot: Option<String>,
    /// The serial number of that machine.
    pub serial: Option<String>,
    /// GPUs.
    pub gpus: u8,
    /// Whether it was accepted.
    pub delivered: bool,
    /// Whether it was seen healthy lately, and its NVLink domain whole.
    pub healthy: bool,
    /// Whether it is promised.
    pub reserved: bool,
    /// Whether its tenant has it.
    pub in_use: bool,
    /// Why it is as it is.
    pub reason: String,
    /// What it counts as, once delivered.
    pub counted: Option<String>,
    /// Since when.
    #[serde(with = "instant")]
    #[schema(value_type = String, format = DateTime)]
    pub since: Timestamp,
}

impl ResourceDocument {
    pub(super) fn of(one: Resource, names: &Own<'_>, for_tenant: bool) -> Self {
        let tenant_id = names.named(&one.id);
        let block = if for_tenant { names.block(BlockNo(one.block)) } else { one.block };
        Self {
            id: if for_tenant { tenant_id.clone() } else { one.id },
            tenant_id,
            tenant: one.tenant,
            contract: one.tranche.contract,
            tranche: one.tranche.tranche,
            block,
            nvlink_domain: one.nvlink_domain,
            model: one.model,
            slot: one.slot,
            serial: one.serial,
            gpus: one.gpus,
            delivered: one.delivered,
            healthy: one.healthy,
            reserved: one.reserved,
            in_use: one.in_use,
            reason: one.reason,
            counted: one.counted.map(|counted| counted.name().to_owned()),
            since: one.since,
        }
    }
}

/// Some blocks.
#[derive(Debug, Serialize, ToSchema)]
pub struct BlocksDocument {
    /// As of when.
    #[serde(with = "instant")]
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// By number.
    pub blocks: Vec<BlockDocument>,
    /// Where the list goes on; nothing at its end.
    pub next: Option<String>,
}

/// One block: trays of one NVLink domain that are given and taken together.
#[derive(Debug, Serialize, ToSchema)]
pub struct BlockDocument {
    /// Its number, never used again. A tenant reads numbers of its own.
    pub block: u32,
    /// What its tenant calls it.
    pub tenant_block: u32,
    /// Whose it is.
    pub tenant: String,
    /// The contract.
    pub contract: String,
    /// The tranche that it delivers.
    pub tranche: String,
    /// Its NVLink domain: a rack, or a slot where a tray is a domain of its own.
    pub nvlink_domain: String,
    /// What its machines are.
    pub model: String,
    /// Its seats.
    pub resources: Vec<String>,
    /// When it was promised.
    #[serde(with = "instant")]
    #[schema(value_type = String, format = DateTime)]
    pub reserved_at: Timestamp,
    /// When it was accepted.
    #[serde(with = "maybe_instant")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub accepted_at: Option<Timestamp>,
    /// When it was given to its tenant.
    #[serde(with = "maybe_instant")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub handed_over_at: Option<Timestamp>,
    /// When it was given or taken back.
    #[serde(with = "maybe_instant")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub returned_at: Option<Timestamp>,
    /// Whether the tenant gave it back.
    pub returned_by_tenant: Option<bool>,
}

impl BlockDocument {
    pub(super) fn of(
        estate: &Estate,
        number: BlockNo,
        names: &Own<'_>,
        for_tenant: bool,
    ) -> Self {
        let block = estate.block(number).expect("a block of the estate");
        let tenant_block = names.block(number);
        let name = |seat| {
            let name = estate.seat_name(number, seat);
            if for_tenant { names.named(&name) } else { name }
        };
        Self {
            block: if for_tenant { tenant_block } else { number.0 },
            tenant_block,
            tenant: block.tenant.clone(),
            contract: block.tranche.contract.clone(),
            tranche: block.tranche.tranche.clone(),
            nvlink_domain: estate.domain_of(block),
            model: estate.shape_of(block.rack).name.clone(),
            resources: (0..block.seats.len()).map(name).collect(),
            reserved_at: block.reserved,
            accepted_at: block.accepted,
            handed_over_at: block.handed_over,
            returned_at: block.returned.map(|(at, _)| at),
            returned_by_tenant: block.returned.map(|(_, theirs)| theirs),
        }
    }
}

/// Some break-fix events.
#[derive(Debug, Serialize, ToSchema)]
pub struct IncidentsDocument {
    /// As of when.
    #[serde(with = "instant")]
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// The earliest first.
    pub incidents: Vec<IncidentDocument>,
    /// Where the list goes on; nothing at its end.
    pub next: Option<String>,
}

/// One break-fix event.
#[derive(Debug, Serialize, ToSchema)]
pub struct IncidentDocument {
    /// Its name, for ever. A tenant reads names of its own.
    pub id: String,
    /// What its tenant calls it.
    pub tenant_id: String,
    /// Whose seats they were.
    pub tenant: String,
    /// Their rack.
    pub rack: String,
    /// What was wrong.
    pub fault: String,
    /// The machines.
    pub machines: Vec<MachineDocument>,
    /// From when.
    #[serde(with = "instant")]
    #[schema(value_type = String, format = DateTime)]
    pub opened_at: Timestamp,
    /// When something about it last changed.
    #[serde(with = "instant")]
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
    /// Until when.
    #[serde(with = "maybe_instant")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub closed_at: Option<Timestamp>,
    /// The worst that a seat counted as.
    pub worst: String,
    /// What it was found to be.
    pub class: Option<String>,
    /// By which evidence.
    pub evidence: Option<String>,
    /// When the machines had been given to their tenant.
    #[serde(with = "maybe_instant")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub node_handed_over_at: Option<Timestamp>,
}

/// One machine of an incident.
#[derive(Debug, Serialize, ToSchema)]
pub struct MachineDocument {
    /// Its slot then.
    pub slot: String,
    /// Its serial number.
    pub serial: String,
}

impl IncidentDocument {
    pub(super) fn of(
        estate: &Estate,
        one: &Incident,
        names: &Own<'_>,
        for_tenant: bool,
    ) -> Self {
        let machines = one.machines.iter();
        let tenant_id = names.named(&one.id);
        Self {
            id: if for_tenant { tenant_id.clone() } else { one.id.clone() },
            tenant_id,
            tenant: one.tenant.clone(),
            rack: estate.rack(one.rack).name.clone(),
            fault: one.fault.clone(),
            machines: machines
                .map(|(slot, serial)| MachineDocument {
                    slot: slot.clone(),
                    serial: serial.clone(),
                })
                .collect(),
            opened_at: one.opened,
            updated_at: one.updated,
            closed_at: one.closed,
            worst: one.worst.name().to_owned(),
            class: one.class.as_ref().map(|(class, _)| class.name().to_owned()),
            evidence: one.class.as_ref().and_then(|(_, evidence)| evidence.clone()),
            node_handed_over_at: one.handed_over,
        }
    }
}

/// Some announced work.
#[derive(Debug, Serialize, ToSchema)]
pub struct WindowsDocument {
    /// As of when.
    #[serde(with = "instant")]
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// As it was announced.
    pub windows: Vec<WindowDocument>,
    /// Where the list goes on; nothing at its end.
    pub next: Option<String>,
}

/// One window of announced work.
#[derive(Debug, Serialize, ToSchema)]
pub struct WindowDocument {
    /// Its name, for ever.
    pub id: String,
    /// The seats that are worked on; a tenant's own alone.
    pub resources: Vec<String>,
    /// When it begins.
    #[serde(with = "instant")]
    #[schema(value_type = String, format = DateTime)]
    pub start: Timestamp,
    /// And ends.
    #[serde(with = "instant")]
    #[schema(value_type = String, format = DateTime)]
    pub end: Timestamp,
    /// When it was announced.
    #[serde(with = "instant")]
    #[schema(value_type = String, format = DateTime)]
    pub announced_at: Timestamp,
    /// Up to when the tenant may put its start off; nothing where it may not.
    #[serde(with = "maybe_instant")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub may_start_by: Option<Timestamp>,
    /// Whether it could not wait.
    pub emergency: bool,
    /// What is done: the site's own words to its people, `told` to tenants.
    pub why: String,
    /// What tenants are told is done.
    pub told: String,
    /// Whether it was called off before it began.
    pub cancelled: bool,
    /// When it was done and looked over, or called off.
    #[serde(with = "maybe_instant")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub done_at: Option<Timestamp>,
}

impl WindowDocument {
    pub(super) fn of(estate: &Estate, one: &Window, tenant: Option<&str>) -> Self {
        let may =
            !one.emergency && one.done.is_none() && one.during.start > estate.known();
        let twice = estate.times().hand_back + estate.times().hand_back;
        let resources: Vec<String> =
            super::seats_of(estate, &one.seats, tenant).collect();
        let told = |seats: usize| match &one.told {
            Some(told) => told.clone(),
            None => {
                let machines = if seats == 1 { "machine" } else { "machines" };
                format!("{} on {seats} {machines}", one.for_tenants())
            }
        };
        Self {
            id: one.id.clone(),
            start: one.during.start,
            end: one.during.end,
            announced_at: one.announced,
            may_start_by: may.then(|| one.announced + twice),
            emergency: one.emergency,
            why: match tenant {
                Some(_) => told(resources.len()),
                None => one.why.clone(),
            },
            told: told(resources.len()),
            resources,
            cancelled: one.cancelled,
            done_at: one.done,
        }
    }
}

/// Some flex events.
#[derive(Debug, Serialize, ToSchema)]
pub struct FlexesDocument {
    /// As of when.
    #[serde(with = "instant")]
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// As they were called.
    pub flexes: Vec<FlexDocument>,
    /// Where the list goes on; nothing at its end.
    pub next: Option<String>,
}

/// One flex event: power is held lower for a time, as the contract allows.
#[derive(Debug, Serialize, ToSchema)]
pub struct FlexDocument {
    /// Its name, for ever.
    pub id: String,
    /// The contract.
    pub contract: String,
    /// The tranche.
    pub tranche: String,
    /// When it begins.
    #[serde(with = "instant")]
    #[schema(value_type = String, format = DateTime)]
    pub start: Timestamp,
    /// And ends.
    #[serde(with = "instant")]
    #[schema(value_type = String, format = DateTime)]
    pub end: Timestamp,
    /// When it was called.
    #[serde(with = "instant")]
    #[schema(value_type = String, format = DateTime)]
    pub called_at: Timestamp,
}

impl From<&Flex> for FlexDocument {
    fn from(one: &Flex) -> Self {
        Self {
            id: one.id.clone(),
            contract: one.tranche.contract.clone(),
            tranche: one.tranche.tranche.clone(),
            start: one.during.start,
            end: one.during.end,
            called_at: one.called,
        }
    }
}

/// Some facts, as the record has them.
#[derive(Debug, Serialize, ToSchema)]
pub struct FactsDocument {
    /// The lines of the record, in its order: `mw capacity verify` counts them again.
    #[schema(value_type = Vec<Object>)]
    pub facts: Vec<serde_json::Value>,
    /// Where the list goes on; nothing at its end.
    pub next: Option<String>,
}

/// Statements, as `mw settle` makes them.
#[derive(Debug, Serialize, ToSchema)]
pub struct StatementsDocument {
    /// As of when.
    #[serde(with = "instant")]
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// Of every month that was cut off, and of the one that goes on.
    #[schema(value_type = Vec<Object>)]
    pub statements: Vec<serde_json::Value>,
}

/// When each tranche will be there, and what hangs on it.
#[derive(Debug, Serialize, ToSchema)]
pub struct ForecastDocument {
    /// As of when.
    #[serde(with = "instant")]
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// The tranches, contract by contract.
    pub tranches: Vec<StakeDocument>,
}

/// What came of something that was asked about racks.
#[derive(Debug, Serialize, ToSchema)]
pub struct RacksDoneDocument {
    /// Whether it was only asked what would come of it, and nothing has changed.
    pub dry_run: bool,
    /// What came of it, a sentence each.
    pub says: Vec<String>,
    /// The blocks it is about.
    pub blocks: Vec<u32>,
    /// Where it takes two people and this is the first: until when it waits for another to
    /// say the same. Nothing was done.
    pub waits_until: Option<String>,
    /// Whether every tray passed, where trays were judged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub passed: Option<bool>,
    /// The hash of the signed evidence, where trays were judged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evidence: Option<String>,
}
