//! Racks over HTTP: what the site's people see of all of them, and a tenant of its own.
//!
//! The words are those of NVIDIA's Requirements for AI Clouds: a resource is a seat,
//! with a stable name and a reason (CAP03); a break-fix event is an incident (BFX02).
//!
//! Invariant: what a tenant is shown follows from its own seats, incidents and windows
//! alone; whose anything else is, or whether it is there, it is not told.

pub mod act;
pub mod document;
pub mod facts;
pub mod hooks;
pub mod second;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use engine::capacity::index::index;
use engine::capacity::meter::Tally;
use engine::capacity::news::concerns;
use engine::capacity::{Actor, BlockNo, Estate, Phase, TrancheOf};
use serde::Serialize;
use serde_json::Value;

use super::call::{Call, Caller};
use super::problem::{Kind, Problem};
use super::{Api, cursor, read};
use crate::capacity::own::Own;
use crate::live::control::speaker::Failed;
use document::{
    BlockDocument, BlocksDocument, CapacityDocument, FlexDocument, FlexesDocument,
    IncidentDocument, IncidentsDocument, PhaseDocument, ResourceDocument,
    ResourcesDocument, TrancheDocument, WindowDocument, WindowsDocument,
};

/// Documents about racks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RacksRead {
    /// What there is, and availability to date.
    Overview,
    /// The index of resources.
    Resources,
    /// Blocks.
    Blocks,
    /// Break-fix events.
    Incidents,
    /// Announced work.
    Windows,
    /// Flex events.
    Flexes,
    /// The record that availability is counted from.
    Facts,
    /// What is owed.
    Statements,
    /// When each tranche will be there, and what its delay costs.
    Forecast,
}

/// Whom a caller speaks for.
pub fn actor(caller: &Caller) -> Actor {
    match &caller.token.tenant {
        Some(tenant) => Actor::Tenant(tenant.clone()),
        None => Actor::Operator(caller.token.owner.clone()),
    }
}

/// The tenant whose alone a caller may see; nothing for the site's people.
pub fn own(caller: &Caller) -> Option<&str> {
    caller.token.tenant.as_deref()
}

/// The estate, or an empty one where no racks were ever told of.
///
/// # Errors
///
/// When the run has only begun.
pub fn estate(api: &Api) -> Result<Arc<Estate>, Problem> {
    let board = &api.speaker.board;
    board.site().ok_or(Failed::TooSoon)?;
    Ok(board.estate().unwrap_or_default())
}

/// Answers a call with a document.
///
/// # Errors
///
/// When the run cannot answer now, or a list cannot be gone on with.
pub async fn answer(api: &Api, call: &Call, what: RacksRead) -> Result<Value, Problem> {
    let caller = call.caller.as_ref().ok_or_else(read::nobody)?;
    let estate = estate(api)?;
    let (who, tenant) = (actor(caller), own(caller));
    let mut names = OwnOfAll { estate: &estate, known: BTreeMap::new() };
    match what {
        RacksRead::Overview => read::json(&overview(&estate, tenant)),
        RacksRead::Resources => {
            let wanted = call.asked("tranche")?;
            let all = index(&estate, tenant).into_iter();
            let all = all.filter(|one| wanted.is_none_or(|id| one.tranche.tranche == id));
            let all = all.map(|one| {
                let own = names.of(&one.tenant);
                ResourceDocument::of(one, own, tenant.is_some())
            });
            let all = all.collect();
            let (resources, next) = page(api, call, "resources", all)?;
            read::json(&ResourcesDocument { at: estate.known(), resources, next })
        }
        RacksRead::Blocks => {
            let all = blocks(&estate, tenant, &mut names);
            let (blocks, next) = page(api, call, "blocks", all)?;
            read::json(&BlocksDocument { at: estate.known(), blocks, next })
        }
        RacksRead::Incidents => {
            let open = call.asked("open")?.map(|open| open == "true");
            let all = estate.incidents().iter();
            let all = all
                .filter(|one| tenant.is_none_or(|tenant| one.tenant == tenant))
                .filter(|one| open.is_none_or(|open| one.closed.is_none() == open));
            let all = all.map(|one| {
                IncidentDocument::of(
                    &estate,
                    one,
                    names.of(&one.tenant),
                    tenant.is_some(),
                )
            });
            let all = all.collect();
            let (incidents, next) = page(api, call, "incidents", all)?;
            read::json(&IncidentsDocument { at: estate.known(), incidents, next })
        }
        RacksRead::Windows => {
            let all = estate.windows().iter();
            let all = all.filter(|window| concerns(&estate, &window.seats, &who));
            let all = all.map(|one| WindowDocument::of(&estate, one, tenant)).collect();
            let (windows, next) = page(api, call, "windows", all)?;
            read::json(&WindowsDocument { at: estate.known(), windows, next })
        }
        RacksRead::Flexes => {
            let own = tranches(&estate, tenant);
            let all = estate.flexes().iter().filter(|flex| {
                let of = |one: &TrancheDocument| {
                    one.contract == flex.tranche.contract
                        && one.tranche == flex.tranche.tranche
                };
                own.iter().any(of)
            });
            let all = all.map(FlexDocument::from).collect();
            let (flexes, next) = page(api, call, "flexes", all)?;
            read::json(&FlexesDocument { at: estate.known(), flexes, next })
        }
        RacksRead::Facts => facts::answer(api, call, &estate, tenant).await,
        RacksRead::Statements => facts::statements(api, &estate, tenant).await,
        RacksRead::Forecast => facts::forecast(api, &estate, tenant).await,
    }
}

/// What there is: of one tenant, or of all.
pub fn overview(estate: &Estate, tenant: Option<&str>) -> CapacityDocument {
    let mut phases: BTreeMap<Phase, u32> = BTreeMap::new();
    if tenant.is_none() {
        for tray in estate.trays() {
            *phases.entry(tray.phase).or_default() += 1;
        }
    }
    let phases = phases.into_iter();
    CapacityDocument {
        at: estate.known(),
        tenant: tenant.map(str::to_owned),
        trays_by_phase: phases
            .map(|(phase, trays)| PhaseDocument { phase: phase.name().to_owned(), trays })
            .collect(),
        tranches: tranches(estate, tenant),
    }
}

/// Each tranche with its availability to date, counted over the blocks that a tenant
/// has or had.
pub fn tranches(estate: &Estate, tenant: Option<&str>) -> Vec<TrancheDocument> {
    let theirs = |tenant_of: &str| tenant.is_none_or(|tenant| tenant_of == tenant);
    let names: BTreeSet<(&str, &TrancheOf)> = estate
        .blocks()
        .iter()
        .filter(|block| theirs(&block.tenant))
        .map(|block| (block.tenant.as_str(), &block.tranche))
        .collect();
    let seats = index(estate, tenant);
    let of_name = |(whose, name): (&str, &TrancheOf)| {
        let mut seconds = Tally::default();
        for (place, block) in (0..).zip(estate.blocks()) {
            if block.tenant != whose || block.tranche != *name {
                continue;
            }
            let gpus = i64::from(estate.shape_of(block.rack).gpus_per_tray);
            for seat in 0..block.seats.len() {
                let tally = estate.seat_tally(BlockNo(place), seat, estate.known());
                seconds.add_all(&tally, gpus);
            }
        }
        let now = || {
            let of = seats.iter().filter(move |seat| seat.tenant == whose);
            of.filter(move |seat| seat.tranche == *name)
        };
        let gpus = |of: &mut dyn Iterator<Item = u8>| of.map(u32::from).sum::<u32>();
        TrancheDocument::of(
            whose,
            name,
            gpus(&mut now().map(|seat| seat.gpus)),
            gpus(&mut now().filter(|seat| seat.in_use).map(|seat| seat.gpus)),
            seconds,
        )
    };
    names.into_iter().map(of_name).collect()
}

fn blocks(
    estate: &Estate,
    tenant: Option<&str>,
    names: &mut OwnOfAll<'_>,
) -> Vec<BlockDocument> {
    let all = (0..).zip(estate.blocks());
    all.filter(|(_, block)| tenant.is_none_or(|tenant| block.tenant == tenant))
        .map(|(place, block)| {
            let own = names.of(&block.tenant);
            BlockDocument::of(estate, BlockNo(place), own, tenant.is_some())
        })
        .collect()
}

/// What each tenant calls its own, counted once for each.
struct OwnOfAll<'e> {
    estate: &'e Estate,
    known: BTreeMap<String, Own<'e>>,
}

impl<'e> OwnOfAll<'e> {
    fn of(&mut self, tenant: &str) -> &Own<'e> {
        let estate = self.estate;
        self.known.entry(tenant.to_owned()).or_insert_with(|| Own::of(estate, tenant))
    }
}

/// The names of seats that a window is about; a tenant's own alone.
pub fn seats_of<'a>(
    estate: &'a Estate,
    seats: &'a [(BlockNo, u8)],
    tenant: Option<&'a str>,
) -> impl Iterator<Item = String> + 'a {
    let theirs = move |block: BlockNo| {
        let whose = estate.block(block).map(|block| block.tenant.as_str());
        tenant.is_none_or(|tenant| whose == Some(tenant))
    };
    let names = tenant.map(|tenant| Own::of(estate, tenant));
    let own = seats.iter().filter(move |(block, _)| theirs(*block));
    own.map(move |(block, seat)| {
        let name = estate.seat_name(*block, usize::from(*seat));
        names.as_ref().map_or_else(|| name.clone(), |names| names.named(&name))
    })
}

/// At most as many as are asked for, from where the list goes on.
fn page<T: Serialize>(
    api: &Api,
    call: &Call,
    what: &str,
    mut all: Vec<T>,
) -> Result<(Vec<T>, Option<String>), Problem> {
    let limit = call.limit()?;
    let filters: Vec<_> =
        call.query.iter().filter(|(name, _)| name != "cursor").collect();
    let whose = call.caller.as_ref().and_then(own);
    let question = format!("{what} {whose:?} {filters:?}");
    let from = match call.asked("cursor")? {
        Some(cursor) => cursor::read(&api.secret, &question, cursor)?,
        None => 0,
    };
    let from = usize::try_from(from).unwrap_or(usize::MAX).min(all.len());
    let mut rest = all.split_off(from);
    let next = (rest.len() > limit).then(|| {
        let place = u64::try_from(from + limit).expect("a place in a list");
        cursor::make(&api.secret, &question, place)
    });
    rest.truncate(limit);
    Ok((rest, next))
}

/// A tenant hears the same of what is another's and of what is not there.
pub fn none_of(what: &str, of_tenant: bool) -> Problem {
    let whose = if of_tenant { "of yours" } else { "that is known" };
    Kind::NotFound.because(format!("expected {what} {whose}, found none of that name"))
}
