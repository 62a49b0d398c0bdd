//! The page "Capacity": what is delivered, by when, how available it was, and what that
//! costs. A tenant's session sees the tenant's own and nothing else.

use std::collections::BTreeMap;

use askama::Template;
use engine::capacity::index::index;
use engine::capacity::news::concerns;
use engine::capacity::{Estate, Phase, TrancheOf};
use settle::statement::{LineKind, Statement};
use units::Timestamp;

use super::{Frame, text};
use crate::api::Api;
use crate::api::call::Call;
use crate::api::problem::Problem;
use crate::api::racks::document::{TrancheDocument, percent};
use crate::api::racks::{self, facts};
use crate::api::read;
use crate::capacity::own::Own;
use crate::capacity::stake::Stake;

/// How many lines a list has at most; the API has them all.
const LINES_MAX: usize = 40;

/// How wide a tranche's bar is on paper.
const WIDTH: u64 = 1_000;

#[derive(Template)]
#[template(path = "console/capacity.html")]
pub(super) struct Capacity {
    frame: Frame,
    verdict: Verdict,
    tranches: Vec<TrancheLine>,
    incidents: Vec<IncidentLine>,
    /// Incidents that are not shown.
    incidents_more: usize,
    windows: Vec<WindowLine>,
    seats: Vec<SeatLine>,
    seats_more: usize,
    /// What trays wait for, the site's people alone.
    waits: Vec<WaitLine>,
    whole_site: bool,
}

struct Verdict {
    tone: &'static str,
    text: String,
}

struct TrancheLine {
    tenant: String,
    contract: String,
    tranche: String,
    accepted: u32,
    promised: Option<u32>,
    in_use: u32,
    parts: Vec<Part>,
    /// What the bar shows, for a reader who cannot see it.
    label: String,
    due: Option<String>,
    dates: String,
    late: bool,
    availability: Option<String>,
    credits: Vec<String>,
}

/// A stretch of a tranche's bar.
struct Part {
    class: &'static str,
    at: u64,
    width: u64,
    hint: String,
}

struct IncidentLine {
    id: String,
    since: String,
    until: Option<String>,
    fault: String,
    machines: String,
    tenant: String,
    worst: &'static str,
    class: Option<&'static str>,
}

struct WindowLine {
    id: String,
    when: String,
    why: String,
    resources: usize,
    emergency: bool,
}

struct SeatLine {
    id: String,
    reason: String,
}

struct WaitLine {
    first: String,
    more: usize,
    what: String,
}

/// Makes the page.
pub(super) async fn page(api: &Api, call: &Call) -> Result<Capacity, Problem> {
    let caller = call.caller.as_ref().ok_or_else(read::nobody)?;
    let estate = racks::estate(api)?;
    let tenant = racks::own(caller).map(str::to_owned);
    let text = facts::text(&api.facts).await?;
    let statements = facts::settled(api, &estate, &text, tenant.as_deref())?;
    let contracts = api.contracts();
    let of = facts::of_tenant(&contracts, tenant.as_deref());
    let mut at_stake = BTreeMap::new();
    let now = api.speaker.clock.now();
    for versions in of {
        let lines = facts::part(&estate, &text, &contracts, &versions.first().customer);
        for stake in facts::stakes_of(&estate, &lines, versions, now)? {
            let contract = versions.first().id.clone();
            let name = TrancheOf { contract, tranche: stake.tranche.clone() };
            at_stake.insert(name, (versions.first().customer.clone(), stake));
        }
    }
    let frame = Frame::of(api, call, "Capacity");
    Ok(view(frame, &estate, tenant.as_deref(), &at_stake, &statements))
}

fn view(
    frame: Frame,
    estate: &Estate,
    tenant: Option<&str>,
    at_stake: &BTreeMap<TrancheOf, (String, Stake)>,
    statements: &[Statement],
) -> Capacity {
    let now = estate.known();
    let counted = racks::tranches(estate, tenant);
    let mut names: BTreeMap<TrancheOf, String> = at_stake
        .iter()
        .map(|(name, (customer, _))| (name.clone(), customer.clone()))
        .collect();
    for one in &counted {
        let name =
            TrancheOf { contract: one.contract.clone(), tranche: one.tranche.clone() };
        names.entry(name).or_insert_with(|| one.tenant.clone());
    }
    if tenant.is_none() {
        // Racks may be meant for what nobody has reserved yet.
        for name in estate.racks().iter().filter_map(|rack| rack.meant_for.as_ref()) {
            names.entry(name.clone()).or_default();
        }
    }
    let tranches: Vec<TrancheLine> = names
        .into_iter()
        .map(|(name, whose)| {
            let found = counted.iter().find(|one| {
                one.tenant == whose
                    && one.contract == name.contract
                    && one.tranche == name.tranche
            });
            let stake = at_stake.get(&name).map(|(_, stake)| stake);
            tranche(estate, tenant, &name, whose, found, stake, statements, now)
        })
        .collect();
    let theirs = |whose: &str| tenant.is_none_or(|tenant| tenant == whose);
    let mut incidents: Vec<_> =
        estate.incidents().iter().filter(|one| theirs(&one.tenant)).collect();
    let open = incidents.iter().filter(|one| one.closed.is_none()).count();
    // Those that go on first, then the newest.
    incidents.sort_by_key(|one| (one.closed.is_some(), std::cmp::Reverse(one.opened)));
    let incidents_more = incidents.len().saturating_sub(LINES_MAX);
    let who = match tenant {
        Some(tenant) => engine::capacity::Actor::Tenant(tenant.to_owned()),
        None => engine::capacity::Actor::Site,
    };
    let mut windows: Vec<_> = estate
        .windows()
        .iter()
        .filter(|window| window.done.is_none() && concerns(estate, &window.seats, &who))
        .collect();
    windows.sort_by_key(|window| window.during.start);
    let seats = index(estate, tenant);
    let (gpus, in_use) = seats.iter().fold((0, 0), |(all, used), seat| {
        let gpus = u32::from(seat.gpus);
        (all + gpus, used + if seat.in_use && seat.healthy { gpus } else { 0 })
    });
    let odd: Vec<&_> =
        seats.iter().filter(|seat| !seat.healthy || !seat.in_use).collect();
    let own = tenant.map(|tenant| Own::of(estate, tenant));
    let late = tranches.iter().filter(|one| one.late).count();
    let verdict = verdict(gpus, in_use, open, late);
    Capacity {
        frame,
        verdict,
        incidents: incidents
            .iter()
            .take(LINES_MAX)
            .map(|one| incident(one, now, own.as_ref()))
            .collect(),
        incidents_more,
        windows: windows
            .iter()
            .map(|one| WindowLine {
                id: one.id.clone(),
                when: format!(
                    "{} to {}",
                    text::instant(one.during.start),
                    text::clock_or_day(one.during.end, one.during.start)
                ),
                why: match tenant {
                    Some(_) => one.for_tenants().to_owned(),
                    None => one.why.clone(),
                },
                resources: racks::seats_of(estate, &one.seats, tenant).count(),
                emergency: one.emergency,
            })
            .collect(),
        seats_more: odd.len().saturating_sub(LINES_MAX),
        seats: odd
            .iter()
            .take(LINES_MAX)
            .map(|seat| SeatLine {
                id: called(own.as_ref(), &seat.id),
                reason: seat.reason.clone(),
            })
            .collect(),
        waits: if tenant.is_none() { waits(estate) } else { Vec::new() },
        whole_site: tenant.is_none(),
        tranches,
    }
}

fn verdict(gpus: u32, in_use: u32, open: usize, late: usize) -> Verdict {
    let served = match gpus {
        0 => "No GPUs are reserved".to_owned(),
        _ => format!("{in_use} of {gpus} reserved GPUs are in use and healthy"),
    };
    let incidents = match open {
        0 => String::new(),
        1 => "; one incident goes on".to_owned(),
        _ => format!("; {open} incidents go on"),
    };
    let dates = match late {
        0 => String::new(),
        1 => "; one tranche is late".to_owned(),
        _ => format!("; {late} tranches are late"),
    };
    let tone = if open + late > 0 { "warning" } else { "calm" };
    Verdict { tone, text: format!("{served}{incidents}{dates}.") }
}

#[expect(clippy::too_many_arguments, reason = "one line is made of all of it, once")]
fn tranche(
    estate: &Estate,
    tenant: Option<&str>,
    name: &TrancheOf,
    whose: String,
    counted: Option<&TrancheDocument>,
    stake: Option<&Stake>,
    statements: &[Statement],
    now: Timestamp,
) -> TrancheLine {
    let promised = stake.map(|stake| stake.gpus);
    let accepted = accepted(estate, name, &whose);
    let complete = stake.and_then(|stake| stake.forecast.complete());
    let late = stake.is_some_and(|stake| {
        let likely = complete.map(|(likely, _)| likely);
        accepted < stake.gpus
            && (stake.delivery < now || likely.is_some_and(|at| at > stake.delivery))
    });
    let dates = match (stake, complete) {
        (Some(stake), _) if accepted >= stake.gpus => "complete".to_owned(),
        (Some(_), Some((likely, cautious))) => format!(
            "complete likely {}, cautiously {}",
            text::instant(likely),
            text::instant(cautious)
        ),
        (Some(stake), None) if stake.forecast.without > 0 => {
            let none = format!("no rack with a date for {} GPUs", stake.forecast.without);
            match stake.forecast.racks.iter().map(|rack| rack.likely).max() {
                Some(likely) => {
                    format!("{none}; others likely {}", text::instant(likely))
                }
                None => none,
            }
        }
        (Some(_), None) => "not foretold yet".to_owned(),
        (None, _) => "no contract of it is known here".to_owned(),
    };
    let (parts, label) = bar(estate, tenant, name, promised, accepted);
    TrancheLine {
        tenant: whose,
        contract: name.contract.clone(),
        tranche: name.tranche.clone(),
        accepted,
        promised,
        in_use: counted.map_or(0, |one| one.gpus_in_use),
        parts,
        label,
        due: stake.map(|stake| text::instant(stake.delivery)),
        dates,
        late,
        availability: counted
            .and_then(|one| percent(one.available_gpu_seconds, one.counted_gpu_seconds)),
        credits: credits(name, stake, statements),
    }
}

/// GPUs of a tranche that were accepted and are still its tenant's.
fn accepted(estate: &Estate, name: &TrancheOf, whose: &str) -> u32 {
    let live = estate.blocks().iter().filter(|block| block.is_live());
    live.filter(|block| block.tenant == whose && block.tranche == *name)
        .filter(|block| block.accepted.is_some())
        .map(|block| {
            let gpus = u32::from(estate.shape_of(block.rack).gpus_per_tray);
            gpus * u32::try_from(block.seats.len()).unwrap_or(0)
        })
        .sum()
}

/// Credits that accrue: for the delay, and in the month that goes on.
fn credits(
    name: &TrancheOf,
    stake: Option<&Stake>,
    statements: &[Statement],
) -> Vec<String> {
    let mut credits = Vec::new();
    if let Some(stake) = stake {
        if !stake.credits_now.is_zero() {
            credits.push(format!("{} for delay so far", stake.credits_now));
        }
        if let Some(day) = stake.another_day.filter(|day| !day.is_zero()) {
            credits.push(format!("{day} for another day"));
        }
    }
    let going_on =
        statements.iter().rev().find(|statement| statement.contract == name.contract);
    if let Some(statement) = going_on {
        for line in &statement.lines {
            let of_this = line.tranche == name.tranche;
            if of_this && line.kind == LineKind::Sla {
                credits.push(format!(
                    "{} {} for availability in {}",
                    line.amount, statement.currency, statement.period
                ));
            }
        }
    }
    credits
}

/// A tranche's GPUs by where they are: what is accepted, then the trays of racks that
/// are meant for it, along their way. A tenant sees what is accepted alone.
fn bar(
    estate: &Estate,
    tenant: Option<&str>,
    name: &TrancheOf,
    promised: Option<u32>,
    accepted: u32,
) -> (Vec<Part>, String) {
    let mut stretches: Vec<(&'static str, &'static str, u32)> =
        vec![("accepted", "delivered", accepted)];
    if tenant.is_none() {
        let mut phases: BTreeMap<std::cmp::Reverse<Phase>, u32> = BTreeMap::new();
        for rack in
            estate.racks().iter().filter(|rack| rack.meant_for.as_ref() == Some(name))
        {
            for number in rack.tray_numbers() {
                let tray = estate.tray(number);
                let taken = tray.seat.is_some_and(|(block, _)| {
                    estate.blocks()[block.0 as usize].accepted.is_some()
                });
                if !taken && tray.phase != Phase::Retired {
                    let gpus = estate.shape_of(tray.rack).gpus_per_tray;
                    *phases.entry(std::cmp::Reverse(tray.phase)).or_default() +=
                        u32::from(gpus);
                }
            }
        }
        for (std::cmp::Reverse(phase), gpus) in phases {
            stretches.push((look(phase), phase.name(), gpus));
        }
    }
    let sum: u32 = stretches.iter().map(|(.., gpus)| gpus).sum();
    let whole = u64::from(sum.max(promised.unwrap_or(0)).max(1));
    let mut parts = Vec::new();
    let mut from = 0_u64;
    for (class, what, gpus) in &stretches {
        let to = from + u64::from(*gpus);
        let (at, end) = (from * WIDTH / whole, to * WIDTH / whole);
        if end > at {
            let hint = format!("{gpus} GPUs {what}");
            parts.push(Part { class, at, width: end - at, hint });
        }
        from = to;
    }
    let words: Vec<String> = stretches
        .iter()
        .filter(|(.., gpus)| *gpus > 0)
        .map(|(_, what, gpus)| format!("{gpus} GPUs {what}"))
        .collect();
    let label = match words.is_empty() {
        true => "nothing yet".to_owned(),
        false => words.join(", "),
    };
    (parts, label)
}

/// The look of a phase.
fn look(phase: Phase) -> &'static str {
    match phase {
        Phase::Accepted | Phase::InService => "free",
        Phase::BurnIn => "burn-in",
        Phase::Installed | Phase::Discovered | Phase::Validating => "setting-up",
        Phase::Draining | Phase::Repair => "repair",
        Phase::Ordered | Phase::Received | Phase::Retired => "ordered",
    }
}

/// What whoever looks calls something.
fn called(own: Option<&Own<'_>>, name: &str) -> String {
    own.map_or_else(|| name.to_owned(), |own| own.named(name))
}

fn incident(
    one: &engine::capacity::Incident,
    now: Timestamp,
    own: Option<&Own<'_>>,
) -> IncidentLine {
    let slots: Vec<&str> = one.machines.iter().map(|(slot, _)| slot.as_str()).collect();
    IncidentLine {
        id: called(own, &one.id),
        since: text::clock_or_day(one.opened, now),
        until: one.closed.map(|at| text::clock_or_day(at, now)),
        fault: one.fault.clone(),
        machines: slots.join(", "),
        tenant: one.tenant.clone(),
        worst: one.worst.name(),
        class: one.class.as_ref().map(|(class, _)| class.name()),
    }
}

/// What trays wait for, most trays first.
fn waits(estate: &Estate) -> Vec<WaitLine> {
    let mut waits: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for place in 0..estate.trays().len() {
        let tray = engine::capacity::TrayNo(u32::try_from(place).expect("few trays"));
        if let Some(wait) = estate.wait(tray) {
            let what = format!("{}: {wait}", estate.tray(tray).phase.name());
            waits.entry(what).or_default().push(estate.slot_name(tray));
        }
    }
    let mut lines: Vec<WaitLine> = waits
        .into_iter()
        .map(|(what, slots)| WaitLine {
            first: slots[0].clone(),
            more: slots.len() - 1,
            what,
        })
        .collect();
    lines.sort_by_key(|line| std::cmp::Reverse(line.more));
    lines.truncate(LINES_MAX);
    lines
}
