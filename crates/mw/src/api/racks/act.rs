//! What is asked about racks over HTTP, made an event of the estate.
//!
//! Names become numbers here, and room is found; whether it may be, the estate says.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use adapters::acceptance::Dropped;
use engine::capacity::news::{BlockIs, News};
use engine::capacity::place::{NoRoom, Sparing, Wanted as Room, place};
use engine::capacity::{
    Actor, BlockNo, Body, Estate, Output, Refused, TrancheOf, TrayNo,
};
use engine::{Notice, Output as Said};
use serde::Deserialize;
use serde_json::Value;
use settle::contract::{Hash, Quantity};
use units::{Interval, Timestamp};
use utoipa::ToSchema;

use super::document::RacksDoneDocument;
use super::second::Agreed;
use super::{actor, estate, facts, none_of, own};
use crate::api::act::body;
use crate::api::call::Call;
use crate::api::problem::{Kind, Problem};
use crate::api::{Api, read, wall};
use crate::capacity::grounds::{covers, evidence};
use crate::capacity::own::Own;
use crate::live::control::speaker::NotJudged;
use crate::live::status::text::rfc3339;

/// How often it is looked whether the board knows what the loop did.
const BOARD_EVERY: Duration = Duration::from_millis(10);

/// What can be asked about racks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RacksAct {
    /// Promise free trays to a tenant.
    Reserve,
    /// Accept a block under its contract.
    Accept,
    /// Give a block to its tenant.
    HandOver,
    /// Give a block back.
    Return,
    /// Give one seat's machine back because it does not work.
    ReturnResource,
    /// Switch a seat's machine off and on.
    PowerCycle,
    /// Keep a seat's machine from being given to anybody.
    Cordon,
    /// Have a spare of the same NVLink domain take a seat over.
    Replace,
    /// Announce work on machines.
    Announce,
    /// Ask for a later window.
    Defer,
    /// Announced work is done and looked over.
    Done,
    /// Announced work is called off before it begins.
    Cancel,
    /// Power is held lower for a time, as the contract allows.
    Flex,
    /// Judge trays in burn-in by what their tools wrote.
    Judge,
    /// Anything else that people say of racks.
    Say,
}

/// What is wanted of the estate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Who.
    pub by: Actor,
    /// What.
    pub what: What,
    /// What the program found out on the way, for the site's people.
    pub notes: Vec<String>,
}

/// What is wanted, once it is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// That this goes into the record.
    Say(Box<Body>),
    /// That trays are judged, and what it comes to goes into the record.
    Judge(JudgeBody),
}

/// What the tools wrote of a rack's trays in burn-in, to be judged.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct JudgeBody {
    /// The rack, by name.
    #[schema(example = "R0012")]
    rack: String,
    /// The text of the acceptance plan.
    plan: String,
    /// The texts of the files, by the names that they have in a drop folder.
    #[schema(example = json!({ "slot-00/dcgmi.json": "…" }))]
    files: BTreeMap<String, String>,
}

/// Topology blocks: so many GPUs, as trays that share one NVLink domain each.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReserveBody {
    /// For whom; a tenant reserves for itself.
    #[serde(default)]
    tenant: Option<String>,
    /// The contract.
    contract: String,
    /// The tranche that they deliver.
    tranche: String,
    /// GPUs in all: whole blocks.
    #[schema(example = 64)]
    gpus: u32,
    /// Trays of each block.
    #[schema(example = 16)]
    trays_per_block: u8,
    /// The model they are to be of; that of the tranche's other blocks, or the one with
    /// the most room, where it is left out.
    #[serde(default)]
    #[schema(example = "GB300 NVL72")]
    model: Option<String>,
}

/// A block.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BlockBody {
    /// Its number.
    block: u32,
}

/// A block, and what it is accepted on: one of the two.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AcceptBody {
    /// Its number.
    block: u32,
    /// The hash of signed evidence that the run keeps, in hex.
    #[serde(default)]
    evidence: Option<String>,
    /// Why it is accepted without: the record says that it rests on the caller's word.
    #[serde(default)]
    by_hand: Option<String>,
}

/// A block that is given back.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReturnBody {
    /// Its number.
    block: u32,
    /// Why.
    why: String,
}

/// A resource.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ResourceBody {
    /// Its name in the index; the site's people may name a slot.
    #[schema(example = "H1/R0012/b7.03")]
    resource: String,
}

/// A resource, and why.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ResourceWhyBody {
    /// Its name in the index; the site's people may name a slot.
    #[schema(example = "H1/R0012/b7.03")]
    resource: String,
    /// Why: what is wrong with it.
    why: String,
}

/// A resource that another machine is to take over.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReplaceBody {
    /// Its name in the index.
    #[schema(example = "H1/R0012/b7.03")]
    resource: String,
    /// The slot of the free tray that takes it over; a spare of its domain where it is
    /// left out.
    #[serde(default)]
    with: Option<String>,
}

/// Work to come.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AnnounceBody {
    /// What it is called, once for ever.
    window: String,
    /// The slots of the machines.
    #[schema(example = json!(["R0012.t03"]))]
    slots: Vec<String>,
    /// When it begins.
    start: String,
    /// And ends.
    end: String,
    /// Whether it cannot wait for the tenant's time to hand back. Then it may be at the
    /// time of other work.
    #[serde(default)]
    emergency: bool,
    /// What is done, in the site's own words; no tenant reads them.
    why: String,
    /// What tenants are told is done; without it, that there is work on so many machines.
    #[serde(default)]
    told: Option<String>,
}

/// Announced work that is called off.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CancelBody {
    /// Its name.
    window: String,
    /// Why, in the site's own words.
    why: String,
}

/// A later time for announced work.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DeferBody {
    /// Its name.
    window: String,
    /// When it is to begin.
    start: String,
    /// And to end.
    end: String,
}

/// Announced work.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WindowBody {
    /// Its name.
    window: String,
}

/// A contracted flex event.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FlexBody {
    /// What it is called, once for ever.
    id: String,
    /// The contract.
    contract: String,
    /// The tranche.
    tranche: String,
    /// When it begins.
    start: String,
    /// And ends.
    end: String,
}

/// Anything that people say of racks, as the reference of `mw capacity` has it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SayBody {
    /// The body of an event: an object with one key.
    #[schema(value_type = Object)]
    said: Value,
}

impl RacksAct {
    /// What a call asks.
    ///
    /// # Errors
    ///
    /// When it cannot be read, names what is not there, or there is no room.
    pub fn asked(self, api: &Api, call: &Call) -> Result<Asked, Problem> {
        let caller = call.caller.as_ref().ok_or_else(read::nobody)?;
        let names = Names { estate: &*estate(api)?, tenant: own(caller) };
        let mut notes = Vec::new();
        let said = match self {
            Self::Reserve => reserve(api, &names, body(call)?, &mut notes)?,
            Self::Accept => {
                let AcceptBody { block, evidence, by_hand } = body(call)?;
                let block = names.block(block)?;
                match (evidence, by_hand) {
                    (Some(evidence), None) => {
                        let evidence = Hash::parse(&evidence).ok_or_else(|| {
                            let why =
                                "expected the hash of the evidence, 64 digits in hex";
                            Kind::BadRequest.because(why).at("/evidence")
                        })?;
                        names.rests_on(api, block, &evidence)?;
                        Body::Accept { block, evidence }
                    }
                    (None, Some(why)) => Body::AcceptByHand { block, why },
                    (None, None) | (Some(_), Some(_)) => {
                        let why = "expected evidence, or why it is accepted by hand";
                        return Err(Kind::NotMeant.because(why).at(""));
                    }
                }
            }
            Self::HandOver => {
                let BlockBody { block } = body(call)?;
                Body::HandOver { block: names.block(block)? }
            }
            Self::Return => {
                let ReturnBody { block, why } = body(call)?;
                Body::Return { block: names.block(block)?, why }
            }
            Self::ReturnResource => {
                let ResourceWhyBody { resource, why } = body(call)?;
                Body::ReturnTray { tray: names.tray(&resource)?, fault: why }
            }
            Self::PowerCycle => {
                let ResourceBody { resource } = body(call)?;
                Body::PowerCycle { tray: names.tray(&resource)? }
            }
            Self::Cordon => {
                let ResourceWhyBody { resource, why } = body(call)?;
                Body::Cordon { tray: names.tray(&resource)?, why }
            }
            Self::Replace => {
                let ReplaceBody { resource, with } = body(call)?;
                let out = names.tray(&resource)?;
                Body::Substitute { out, into: names.spare(out, with.as_deref())? }
            }
            Self::Announce => {
                let AnnounceBody { window, slots, start, end, emergency, why, told } =
                    body(call)?;
                let trays: Result<Vec<TrayNo>, Problem> =
                    slots.iter().map(|slot| names.tray(slot)).collect();
                let during = interval(&start, &end)?;
                Body::Announce {
                    id: window,
                    trays: trays?,
                    window: during,
                    emergency,
                    why,
                    told,
                }
            }
            Self::Defer => {
                let DeferBody { window, start, end } = body(call)?;
                Body::Defer { id: window, window: interval(&start, &end)? }
            }
            Self::Done => {
                let WindowBody { window } = body(call)?;
                Body::Done { id: window }
            }
            Self::Cancel => {
                let CancelBody { window, why } = body(call)?;
                Body::Cancel { id: window, why }
            }
            Self::Flex => {
                let FlexBody { id, contract, tranche, start, end } = body(call)?;
                let (tranche, during) =
                    (TrancheOf { contract, tranche }, interval(&start, &end)?);
                Body::Flex { id, tranche, during }
            }
            Self::Judge => {
                let what = What::Judge(body(call)?);
                return Ok(Asked { by: actor(caller), what, notes });
            }
            Self::Say => {
                let SayBody { said } = body(call)?;
                let said = serde_json::from_value(said).map_err(|error| {
                    let why = format!("expected the body of an event: {error}");
                    Kind::BadRequest.because(why).at("/said")
                })?;
                names.vouched(api, said)?
            }
        };
        Ok(Asked { by: actor(caller), what: What::Say(Box::new(said)), notes })
    }
}

/// What names mean to a caller.
struct Names<'a> {
    estate: &'a Estate,
    tenant: Option<&'a str>,
}

impl Names<'_> {
    fn none(&self, what: &str, pointer: &str) -> Problem {
        none_of(what, self.tenant.is_some()).at(pointer)
    }

    fn block(&self, number: u32) -> Result<BlockNo, Problem> {
        let block = match self.tenant {
            Some(tenant) => Own::of(self.estate, tenant).block_of(number),
            None => self.estate.block(BlockNo(number)).map(|_| BlockNo(number)),
        };
        block.ok_or_else(|| self.none("a block", "/block"))
    }

    /// What is said to rest on evidence has to: of what the run does not keep, it knows
    /// nothing but somebody's word, which the record has to say.
    fn vouched(&self, api: &Api, said: Body) -> Result<Body, Problem> {
        let evidence = if let Body::Tested { evidence, .. } = &said {
            evidence
        } else if let Body::Accept { block, evidence } = &said {
            self.rests_on(api, *block, evidence)?;
            return Ok(said);
        } else {
            return Ok(said);
        };
        // A verdict is judged here, and never told.
        Err(Kind::Refused.because(format!(
            "expected results to be judged, at `POST /v1/capacity/results` or with `mw \
             capacity accept`, or `tested_by_hand` with why; found evidence {evidence} and \
             a verdict that somebody else came to"
        )))
    }

    /// Evidence that a block rests on is kept, and of a machine of it.
    fn rests_on(&self, api: &Api, block: BlockNo, hash: &Hash) -> Result<(), Problem> {
        let none = |found: String| {
            Kind::Refused
                .because(format!(
                    "expected evidence that the run keeps and that a machine of the block \
                     passed in, or why it is accepted by hand; found {found}"
                ))
                .at("/evidence")
        };
        let (evidence, _) = evidence(&api.speaker.folder, hash)
            .map_err(|_| none(format!("none of the hash {hash}")))?;
        let Some(found) = self.estate.block(block) else { return Ok(()) };
        let rack = &self.estate.rack(found.rack).name;
        let mut trays = found.seats.iter().copied().flatten();
        match trays.any(|tray| covers(&evidence, rack, self.estate.tray(tray))) {
            true => Ok(()),
            false => Err(none("that of other machines".to_owned())),
        }
    }

    /// The tray of a seat, or for the site's people of a slot.
    fn tray(&self, name: &str) -> Result<TrayNo, Problem> {
        let none = || self.none("a resource", "/resource");
        let seat = match self.tenant {
            Some(tenant) => Own::of(self.estate, tenant).seat_of(name),
            None => self.estate.seat_named(name),
        };
        if let Some((block, seat)) = seat {
            let found = self.estate.block(block).ok_or_else(none)?;
            return found.seats[usize::from(seat)].ok_or_else(|| {
                Kind::Refused.because("expected a machine in the seat, found none")
            });
        }
        match self.tenant {
            Some(_) => Err(none()),
            None => self.estate.slot_named(name).ok_or_else(none),
        }
    }

    /// The free tray that is to take a seat over: the one named, or the one of its
    /// domain that failed least, spares first.
    fn spare(&self, out: TrayNo, with: Option<&str>) -> Result<TrayNo, Problem> {
        let estate = self.estate;
        let of_rack = estate.rack(estate.tray(out).rack).tray_numbers();
        let mut free = of_rack.filter(|tray| estate.unfree(*tray).is_none());
        let found = match with {
            Some(name) => free.find(|tray| estate.slot_name(*tray) == name),
            None => free.min_by_key(|tray| {
                let tray_of = estate.tray(*tray);
                let work = estate.next_work(*tray, estate.known()).is_some();
                (work, !tray_of.spare, tray_of.failures, *tray)
            }),
        };
        found.ok_or_else(|| {
            let why = "expected a free tray in the same rack, found none";
            Kind::Refused.because(why)
        })
    }
}

fn reserve(
    api: &Api,
    names: &Names<'_>,
    wanted: ReserveBody,
    notes: &mut Vec<String>,
) -> Result<Body, Problem> {
    let ReserveBody { tenant, contract, tranche, gpus, trays_per_block, model } = wanted;
    let tranche = TrancheOf { contract, tranche };
    let for_whom = match (names.tenant, tenant) {
        (Some(own), None) => own.to_owned(),
        (Some(own), Some(named)) if named == own => named,
        (Some(_), Some(_)) => {
            let why = "expected your own name, or none";
            return Err(Kind::NotMeant.because(why).at("/tenant"));
        }
        (None, Some(named)) => named,
        (None, None) => {
            let why = "expected for whom it is reserved";
            return Err(Kind::NotMeant.because(why).at("/tenant"));
        }
    };
    let within = match names.tenant {
        Some(tenant) => promised(api, tenant, &tranche)?,
        None => None,
    };
    if let Some(within) = within {
        let room = names.estate.room_within(&for_whom, &tranche, u64::from(gpus), within);
        room.map_err(|why| Kind::Refused.because(why.to_string()).at("/gpus"))?;
    }
    let wanted = Room {
        gpus,
        trays_per_block,
        model: model.clone(),
        tranche: Some(tranche.clone()),
        spares: Sparing::default(),
    };
    let found = place(names.estate, &wanted).map_err(|no_room| {
        // How much is free beside is the site's own affair; what it is made of is not.
        let of_model = model.as_ref().map_or(String::new(), |name| format!(" of {name}"));
        Kind::Refused.because(match (names.tenant, &no_room) {
            (Some(_), NoRoom::TooLittle { .. } | NoRoom::NotWhole { .. }) => format!(
                "expected room for {gpus} GPUs{of_model} in blocks of {trays_per_block} \
                 trays of one NVLink domain, found too little"
            ),
            (Some(_), NoRoom::NoSuchModel { .. } | NoRoom::OtherModel { .. })
            | (None, _) => no_room.to_string(),
        })
    })?;
    *notes = found.reasons;
    let (blocks, spares) = (found.blocks, found.spares);
    Ok(Body::Reserve { tenant: for_whom, tranche, blocks, spares, within })
}

/// The GPUs that a tenant's own contract promises of a tranche; nothing where it is
/// counted otherwise. Whether there are so many, the estate says, when it takes it in.
fn promised(
    api: &Api,
    tenant: &str,
    tranche: &TrancheOf,
) -> Result<Option<u64>, Problem> {
    let contracts = api.contracts();
    let mut own = facts::of_tenant(&contracts, Some(tenant));
    let contract = own.find(|one| one.first().id == tranche.contract);
    let of_it = contract.and_then(|one| {
        one.all().iter().rev().find_map(|version| version.tranche(&tranche.tranche))
    });
    let of_it = of_it.ok_or_else(|| none_of("a tranche", true).at("/tranche"))?;
    let Quantity::Gpus(promised) = of_it.quantity else { return Ok(None) };
    Ok(Some(u64::try_from(promised).unwrap_or(0)))
}

fn interval(start: &str, end: &str) -> Result<Interval, Problem> {
    let instant = |text: &str, pointer: &str| {
        Timestamp::parse(text).map_err(|_| {
            let found = text.escape_debug();
            let why = format!("expected an instant with its offset, found `{found}`");
            Kind::NotMeant.because(why).at(pointer)
        })
    };
    let (start, end) = (instant(start, "/start")?, instant(end, "/end")?);
    if end <= start {
        return Err(Kind::NotMeant.because("expected an end after the start").at("/end"));
    }
    Ok(Interval { start, end })
}

/// Hands it to the loop, and says what came of it: status code and body.
pub async fn done(api: &Api, asked: &Asked, dry_run: bool) -> (u16, String) {
    let text = |document: &RacksDoneDocument| {
        serde_json::to_string(document).expect("a document is JSON")
    };
    let by = asked.by.clone();
    let answered = match &asked.what {
        What::Say(body) => say(api, asked, body, dry_run).await,
        What::Judge(JudgeBody { rack, plan, files }) => {
            let files = files.iter().map(|(name, text)| (name.clone(), text.clone()));
            let dropped = Dropped { files: files.collect(), notes: Vec::new() };
            let racks = vec![(rack.clone(), dropped)];
            match api.speaker.judge(by, plan.clone(), racks, dry_run).await {
                Ok((judged, _)) => Ok(RacksDoneDocument {
                    dry_run,
                    says: judged.lines(),
                    blocks: Vec::new(),
                    waits_until: None,
                    passed: Some(judged.is_good()),
                    evidence: Some(judged.bundle.hash().to_string()),
                }),
                Err(NotJudged::Refused(why)) => Err(Kind::Refused.because(why)),
                Err(NotJudged::Failed(failed)) => Err(failed.into()),
            }
        }
    };
    match answered {
        Ok(document) => (200, text(&document)),
        Err(problem) => {
            let document = serde_json::to_string(&problem.document());
            (problem.status(), document.expect("a problem is JSON"))
        }
    }
}

/// The estate once the board knows the blocks that came of something: a tenant's numbers
/// are counted over its own.
async fn estate_after(
    api: &Api,
    outputs: &[Said],
    dry_run: bool,
) -> Result<Arc<Estate>, Problem> {
    let blocks = outputs.iter().filter_map(|output| {
        let Said::Estate(Output::Told { news: News::Block { block, .. }, .. }) = output
        else {
            return None;
        };
        Some(block.0)
    });
    let last = blocks.max().filter(|_| !dry_run);
    loop {
        let estate = estate(api)?;
        if last.is_none_or(|last| estate.block(BlockNo(last)).is_some()) {
            return Ok(estate);
        }
        tokio::time::sleep(BOARD_EVERY).await;
    }
}

/// Has it go into the record, once as many people as it takes have said so.
async fn say(
    api: &Api,
    asked: &Asked,
    body: &Body,
    dry_run: bool,
) -> Result<RacksDoneDocument, Problem> {
    let by = &asked.by;
    match api.second.agree(by, body, &*estate(api)?, wall(), dry_run)? {
        Agreed::Yes(body) => {
            match api.speaker.ask_racks(by.clone(), body, dry_run).await {
                Ok(outputs) => {
                    let estate = estate_after(api, &outputs, dry_run).await?;
                    done_of(asked, &outputs, &estate, dry_run)
                }
                Err(failed) => Err(failed.into()),
            }
        }
        Agreed::Waits(until) => Ok(RacksDoneDocument {
            dry_run,
            says: vec![format!(
                "nothing was done: a second person has to say the same by {}",
                rfc3339(until)
            )],
            blocks: Vec::new(),
            waits_until: Some(rfc3339(until)),
            passed: None,
            evidence: None,
        }),
    }
}

fn done_of(
    asked: &Asked,
    outputs: &[Said],
    estate: &Estate,
    dry_run: bool,
) -> Result<RacksDoneDocument, Problem> {
    let tenant = match &asked.by {
        Actor::Tenant(name) => Some(name.as_str()),
        Actor::Operator(_) | Actor::Site => None,
    };
    let mut done = RacksDoneDocument {
        dry_run,
        says: Vec::new(),
        blocks: Vec::new(),
        waits_until: None,
        passed: None,
        evidence: None,
    };
    if tenant.is_none() {
        done.says.extend(asked.notes.iter().cloned());
    }
    for output in outputs {
        match output {
            Said::Notice(Notice::EstateRefused { why, .. }) => {
                let kind = match why {
                    Refused::NotYours { .. } | Refused::Unknown { .. } => Kind::NotFound,
                    Refused::NotForYou { .. } => Kind::Forbidden,
                    Refused::Earlier { .. } | Refused::Unfit { .. } => Kind::Refused,
                    _ => Kind::Refused,
                };
                return Err(kind.because(why.to_string()));
            }
            Said::Estate(Output::Told { tenant: whose, news })
                if tenant.is_none_or(|tenant| tenant == whose) =>
            {
                let own = tenant.map(|tenant| Own::of(estate, tenant).news(news));
                let news = own.as_ref().unwrap_or(news);
                done.says.push(words(news));
                if let News::Block { block, .. } = news {
                    done.blocks.push(block.0);
                }
            }
            Said::Estate(Output::Order { command, .. }) => {
                done.says.push(format!("ordered: {}", command.name()));
            }
            Said::Dispatch(_)
            | Said::Orders(_)
            | Said::ReadBack(_)
            | Said::Keep(_)
            | Said::Metered(_)
            | Said::Notice(_)
            | Said::Alarm(_)
            | Said::Estate(_) => {}
        }
    }
    done.says.dedup();
    if done.says.is_empty() {
        done.says.push("it is on the record".to_owned());
    }
    Ok(done)
}

/// News as a sentence.
pub fn words(news: &News) -> String {
    match news {
        News::Block { block, is } => {
            let is = match is {
                BlockIs::Reserved => "reserved",
                BlockIs::Accepted => "accepted, and its seconds are counted",
                BlockIs::HandedOver => "handed over",
                BlockIs::Returned => "given back",
            };
            format!("block {} is {is}", block.0)
        }
        News::Seat { seat, slot, phase, .. } => {
            format!("{seat}: the machine in {slot} is {}", phase.name())
        }
        News::Counted { seats, counted, since, reference } => {
            let of = reference.as_ref().map_or(String::new(), |id| format!(" ({id})"));
            let since = rfc3339(*since);
            format!("{} count as {} since {since}{of}", seats.join(", "), counted.name())
        }
        News::Window { id, during, done, .. } => {
            let (start, end) = (rfc3339(during.start), rfc3339(during.end));
            let is = if *done { "is done" } else { "is announced" };
            format!("work {id} {is}: {start} to {end}")
        }
        News::Cancelled { id, .. } => format!("work {id} is called off"),
        News::Flex { id, during } => {
            let (start, end) = (rfc3339(during.start), rfc3339(during.end));
            format!("flex event {id}: {start} to {end}")
        }
        News::Incident { id, class } => {
            format!("incident {id} was found to be {}", class.name())
        }
    }
}

/// The same as JSON, for whoever listens.
pub fn told(at: &str, tenant: &str, news: &News) -> Value {
    let mut value =
        serde_json::json!({ "at": at, "tenant": tenant, "says": words(news) });
    let (kind, more) = match news {
        News::Block { block, is } => {
            ("block", serde_json::json!({ "block": block.0, "is": is }))
        }
        News::Seat { seat, slot, serial, phase } => (
            "resource",
            serde_json::json!({
                "resource": seat, "slot": slot, "serial": serial, "phase": phase.name(),
            }),
        ),
        News::Counted { seats, counted, since, reference } => (
            "counted",
            serde_json::json!({
                "resources": seats, "counted": counted.name(),
                "since": rfc3339(*since), "ref": reference,
            }),
        ),
        News::Window { id, during, seats, emergency, done } => (
            "maintenance",
            serde_json::json!({
                "window": id, "start": rfc3339(during.start), "end": rfc3339(during.end),
                "resources": seats, "emergency": emergency, "done": done,
            }),
        ),
        News::Cancelled { id, seats } => (
            "maintenance",
            serde_json::json!({ "window": id, "resources": seats, "cancelled": true }),
        ),
        News::Flex { id, during } => (
            "flex",
            serde_json::json!({
                "id": id, "start": rfc3339(during.start), "end": rfc3339(during.end),
            }),
        ),
        News::Incident { id, class } => {
            ("incident", serde_json::json!({ "incident": id, "class": class.name() }))
        }
    };
    value["about"] = kind.into();
    if let (Some(all), Value::Object(more)) = (value.as_object_mut(), more) {
        all.extend(more);
    }
    value
}
