//! Whether an event may be taken in: who says it, of what, and whether it fits.
//!
//! Everything is checked before anything changes. A tenant that names what is not
//! theirs hears the same as one that names what is not there.

use std::collections::BTreeSet;

use units::{Interval, Seconds, Timestamp};

use super::asset::{Block, BlockNo, RackNo, TrayNo};
use super::meter::Counted;
use super::phase::Phase;
use super::{Actor, Body, Class, Estate, Event, Place, Refused, Sweep};

/// The longest that anything may be allowed to take.
const LONGEST: Seconds = Seconds::hours(10 * 366 * 24);

/// How many blocks a tenant may reserve and give back in a time, before a person has
/// to reserve for it.
const GIVEN_BACK_MAX: usize = 16;
const GIVEN_BACK_IN: Seconds = Seconds::hours(1);

impl Estate {
    /// What holds of new events alone: rules that became stricter while records of before
    /// are folded as they were taken in.
    pub(super) fn check_rules(&self, event: &Event) -> Result<(), Refused> {
        if let Body::Reserve { tranche, blocks, .. } = &event.body {
            blocks.iter().try_for_each(|place| self.one_domain(place))?;
            return self.one_model(tranche, blocks);
        }
        // What is promised has to be whole when it is taken on, too.
        let (Body::Accept { block, .. }
        | Body::AcceptByHand { block, .. }
        | Body::HandOver { block }) = &event.body
        else {
            return Ok(());
        };
        for tray in self.live_block(*block)?.seats.iter().copied().flatten() {
            if let Some(fault) = self.domain_fault(tray) {
                let found = format!("{}: {fault}", self.slot_name(tray));
                return Err(Refused::unfit("a whole NVLink domain", found));
            }
        }
        Ok(())
    }

    /// A block is of one NVLink domain.
    fn one_domain(&self, place: &Place) -> Result<(), Refused> {
        let shape = self.shape_of(place.rack);
        let apart = !shape.is_joined() && place.slots.len() > 1;
        let expected = format!(
            "blocks of one tray: each tray of {} is an NVLink domain of its own",
            shape.name
        );
        refuse_if(apart, expected, &format!("one of {}", place.slots.len()))
    }

    /// All blocks of a tranche are of one model.
    fn one_model(
        &self,
        tranche: &super::TrancheOf,
        blocks: &[Place],
    ) -> Result<(), Refused> {
        let name = |rack: RackNo| self.shape_of(rack).name.as_str();
        let has = self.models_of(tranche);
        let first = blocks.first().map(|place| name(place.rack));
        for place in blocks {
            let model = name(place.rack);
            let fits = match has.is_empty() {
                true => Some(model) == first,
                false => has.contains(model),
            };
            if !fits {
                let of: Vec<&str> = has.iter().copied().collect();
                let expected = match has.is_empty() {
                    true => "blocks of one model".to_owned(),
                    false => format!("{}, as the tranche has", of.join(" or ")),
                };
                let found = format!("{model} in {}", self.rack(place.rack).name);
                return Err(Refused::unfit(expected, found));
            }
        }
        Ok(())
    }

    /// The models that a tranche's blocks are of; one, but where a record is of before
    /// that was asked for.
    pub fn models_of(&self, tranche: &super::TrancheOf) -> BTreeSet<&str> {
        let live = self.blocks.iter().filter(|block| block.is_live());
        live.filter(|block| block.tranche == *tranche)
            .map(|block| self.shape_of(block.rack).name.as_str())
            .collect()
    }

    pub(super) fn check(&self, event: &Event) -> Result<(), Refused> {
        let at = event.at;
        plausible(at)?;
        if at < self.known {
            return Err(Refused::Earlier { known: self.known, at });
        }
        self.check_speaker(event)?;
        match &event.body {
            Body::Wake => Ok(()),
            Body::Times(times) => {
                let (shortest, longest) = (times.shortest(), times.longest());
                let fits = shortest >= Seconds::from_seconds(1) && longest <= LONGEST;
                let found = format!("{shortest} to {longest}");
                refuse_if(!fits, format!("times of 1 s to {LONGEST}"), &found)?;
                refuse_if(times.attempts == 0, "at least one attempt", "none")
            }
            Body::Shape(shape) => {
                if let Some(fault) = shape.fault() {
                    return Err(Refused::unfit("a shape that can be counted", fault));
                }
                let known = self.shapes.iter().any(|known| known.name == shape.name);
                refuse_if(known, "a new generation", &shape.name)
            }
            Body::Rack { name, shape, hall, due, .. } => {
                due.map_or(Ok(()), plausible)?;
                refuse_if(name.is_empty() || hall.is_empty(), "a name and a hall", name)?;
                refuse_if(self.rack_named.contains_key(name), "a new rack", name)?;
                let later = super::shape::later();
                let mut known = self.shapes.iter().chain(&later);
                match known.any(|known| known.name == *shape) {
                    true => Ok(()),
                    false => Err(unknown("a generation", shape)),
                }
            }
            Body::Due { rack, at } => {
                plausible(*at)?;
                self.known_rack(*rack)
            }
            Body::Received { rack, serials } => {
                self.known_rack(*rack)?;
                self.check_received(*rack, serials)
            }
            Body::Installed { rack } => {
                self.known_rack(*rack)?;
                // What did not come with the rack is put in when it has come.
                let mut trays = self.rack(*rack).tray_numbers();
                match trays.any(|tray| self.tray(tray).phase == Phase::Received) {
                    true => Ok(()),
                    false => self.all_in(*rack, Phase::Received),
                }
            }
            Body::Sweep(sweep) => self.check_sweep(sweep, at),
            Body::Tested { rack, slots, passed, .. }
            | Body::TestedByHand { rack, slots, passed, .. } => {
                if let Body::TestedByHand { why, .. } = &event.body {
                    refuse_if(why.trim().is_empty(), "why they count so", "nothing")?;
                }
                self.known_rack(*rack)?;
                let trays = self.rack(*rack).trays;
                let outside = trays < 64 && slots >> trays != 0;
                refuse_if(*slots == 0 || outside, "slots of the rack", "others")?;
                refuse_if(
                    passed & !slots != 0,
                    "passed slots among those judged",
                    "others",
                )?;
                for tray in self.rack(*rack).tray_numbers() {
                    if slots & (1 << self.tray(tray).slot) != 0 {
                        self.in_phase(tray, &[Phase::BurnIn])?;
                    }
                }
                Ok(())
            }
            Body::Reserve { tenant, tranche, blocks, spares, within } => {
                if let Actor::Tenant(name) = &event.by {
                    refuse_if(name != tenant, "your own name", tenant)?;
                    self.check_given_back(tenant, at)?;
                }
                refuse_if(tenant.is_empty(), "a tenant", "no name")?;
                self.check_room(event, blocks, spares)?;
                match within {
                    Some(within) => self.check_within(tenant, tranche, blocks, *within),
                    None => Ok(()),
                }
            }
            Body::Accept { block, evidence } => {
                let none = *evidence == settle::contract::Hash::start();
                self.check_accept(*block, at, none)
            }
            Body::AcceptByHand { block, why } => {
                refuse_if(why.trim().is_empty(), "why it is accepted", "nothing")?;
                self.check_accept(*block, at, false)
            }
            Body::HandOver { block } => {
                let found = self.live_block(*block)?;
                let given = found.handed_over.is_some();
                refuse_if(given, "a block not given to its tenant", "given")
            }
            Body::Return { block, .. } => self.live_block(*block).map(|_| ()),
            Body::ReturnTray { tray, .. } => {
                self.seated(*tray)?;
                self.in_phase(*tray, &[Phase::InService])?;
                let already = self.tray(*tray).returned.is_some();
                refuse_if(already, "a tray its tenant has", "one given back")
            }
            Body::PowerCycle { tray } => {
                self.known_tray(*tray)?;
                self.in_phase(*tray, &[Phase::InService])?;
                let busy = self.tray(*tray).asked.is_some();
                refuse_if(busy, "a tray that nothing is asked of", "an order under way")
            }
            Body::Cordon { tray, .. } | Body::Uncordon { tray } => self.known_tray(*tray),
            Body::Substitute { out, into } => {
                self.seated(*out)?;
                self.known_tray(*into)?;
                let same = self.tray(*out).rack == self.tray(*into).rack;
                refuse_if(!same, "a tray of the same rack", "another rack's")?;
                match self.unfree_for(*into, event) {
                    Some(why) => Err(Refused::unfit("a free tray", why)),
                    None => Ok(()),
                }
            }
            Body::Pull { tray, .. } => {
                self.known_tray(*tray)?;
                self.looked_at(*tray)?;
                let found = self.tray(*tray);
                refuse_if(
                    found.dirty && found.seat.is_none(),
                    "a wiped machine, or its release by two people",
                    "one that is not wiped",
                )
            }
            Body::Repaired { tray, serial } => {
                self.known_tray(*tray)?;
                self.in_phase(*tray, &[Phase::Repair, Phase::Retired])?;
                let found = self.tray(*tray);
                if found.phase == Phase::Retired {
                    // An order that was called off left no slot behind.
                    let there = self.rack(found.rack).shows.is_some();
                    refuse_if(!there, "a slot of a rack that is there", "none")?;
                    let none = "none: the machine that was in it is retired";
                    refuse_if(serial.is_none(), "another machine's serial number", none)?;
                }
                match serial {
                    Some(serial) => self.new_serial(serial),
                    None => Ok(()),
                }
            }
            Body::Retire { tray, .. } => {
                self.known_tray(*tray)?;
                let found = self.tray(*tray);
                refuse_if(found.seat.is_some(), "a tray without a seat", "one with")?;
                let there = matches!(found.phase, Phase::Received | Phase::Retired);
                let expected = "an order, or a machine in its slot or in repair";
                refuse_if(there, expected, found.phase.name())
            }
            Body::Retry { tray } => {
                self.known_tray(*tray)?;
                refuse_if(
                    self.tray(*tray).asked.is_none(),
                    "a tray that something was ordered of",
                    "none",
                )
            }
            Body::Release { tray, second, .. } => {
                self.known_tray(*tray)?;
                self.looked_at(*tray)?;
                // However the name is written, it is one person.
                let folded = |name: &str| name.trim().to_lowercase();
                let alone = match &event.by {
                    Actor::Operator(name) => {
                        second.trim().is_empty() || folded(name) == folded(second)
                    }
                    Actor::Tenant(_) | Actor::Site => true,
                };
                refuse_if(alone, "two people", "one")
            }
            Body::Announce { id, trays, window, emergency, .. }
            | Body::AnnounceUntold { id, trays, window, emergency, .. } => {
                refuse_if(id.is_empty(), "a name for the window", "none")?;
                refuse_if(self.window_named(id).is_some(), "a new window", id)?;
                let distinct: BTreeSet<&TrayNo> = trays.iter().collect();
                refuse_if(
                    trays.is_empty() || distinct.len() != trays.len(),
                    "each machine once",
                    "none, or one twice",
                )?;
                for tray in trays {
                    self.known_tray(*tray)?;
                    self.no_other_work(*tray, None, *window, *emergency)?;
                }
                plausible(window.end)?;
                refuse_if(window.start >= window.end, "an end after its start", "none")?;
                refuse_if(window.start < at, "a window to come", "one begun")?;
                let seats = trays.iter().any(|tray| self.tray(*tray).seat.is_some());
                let soon = window.start < at + self.times.hand_back;
                refuse_if(
                    !emergency && seats && soon,
                    format!("notice of {}", self.times.hand_back),
                    &format!("a start at {}", window.start),
                )
            }
            Body::Defer { id, window } => self.check_deferral(event, id, *window),
            Body::Done { id } => {
                let place =
                    self.window_named(id).ok_or_else(|| unknown("a window", id))?;
                refuse_if(self.windows[place].done.is_some(), "work under way", "done")
            }
            Body::Cancel { id, .. } => {
                let place =
                    self.window_named(id).ok_or_else(|| unknown("a window", id))?;
                let window = &self.windows[place];
                let over = match window.cancelled {
                    true => "is called off",
                    false => "is done",
                };
                let found = format!("`{id}`, which {over}");
                refuse_if(window.done.is_some(), "a window to come", &found)?;
                let begun = window.during.start <= at;
                let start = window.during.start;
                let found = format!("`{id}`, which began at {start}; say `done` of it");
                refuse_if(begun, "a window to come", &found)
            }
            Body::Flex { id, tranche, during } => {
                refuse_if(id.is_empty(), "a name for the flex event", "none")?;
                let known = self.flexes.iter().any(|flex| flex.id == *id);
                refuse_if(known, "a new flex event", id)?;
                plausible(during.end)?;
                let backwards = during.start >= during.end;
                refuse_if(backwards, "an end after its start", "none")?;
                refuse_if(during.start < at, "a flex event to come", "one begun")?;
                let mut live = self.blocks.iter().filter(|block| block.is_live());
                let any = live.any(|block| block.tranche == *tranche);
                refuse_if(!any, "a tranche that has blocks", &tranche.tranche)
            }
            Body::Classify { incident, class, .. } => {
                let found = self.incidents.iter().find(|known| known.id == *incident);
                let found = found.ok_or_else(|| unknown("an incident", incident))?;
                let unseen = found.closed.is_some()
                    && found.worst == Counted::Unknown
                    && found.class.is_none();
                refuse_if(
                    *class == Class::Available && !unseen,
                    "an incident that is over, that nobody looked at and nobody classified",
                    incident,
                )
            }
        }
    }

    /// Who may say what: a tenant of its own, the site what it sees, people the rest.
    fn check_speaker(&self, event: &Event) -> Result<(), Refused> {
        let not_theirs =
            |what: &'static str| Err(Refused::NotYours { what: what.into() });
        match (&event.by, &event.body) {
            (Actor::Operator(name), Body::Sweep(_) | Body::Wake) => {
                Err(Refused::NotForYou { by: name.clone() })
            }
            (Actor::Operator(name), _) => {
                refuse_if(name.is_empty(), "a person's name", "none")
            }
            (
                Actor::Site,
                Body::Sweep(_) | Body::Wake | Body::Tested { .. } | Body::Cordon { .. },
            ) => Ok(()),
            (Actor::Tenant(name), body) => match body {
                Body::Reserve { .. } => Ok(()),
                Body::Accept { block, .. }
                | Body::AcceptByHand { block, .. }
                | Body::Return { block, .. } => {
                    match self.block(*block).is_some_and(|block| block.tenant == *name) {
                        true => Ok(()),
                        false => not_theirs("a block"),
                    }
                }
                Body::ReturnTray { tray, .. }
                | Body::PowerCycle { tray }
                | Body::Cordon { tray, .. }
                | Body::Substitute { out: tray, .. } => {
                    match self.tenant_of(*tray) == Some(name) {
                        true => Ok(()),
                        false => not_theirs("a tray"),
                    }
                }
                Body::Defer { id, .. } => {
                    let window = self.window_named(id).map(|place| &self.windows[place]);
                    let theirs = window.is_some_and(|window| {
                        window
                            .trays
                            .iter()
                            .all(|tray| self.tenant_of(*tray) == Some(name))
                    });
                    if theirs { Ok(()) } else { not_theirs("a window") }
                }
                Body::Times(_)
                | Body::Shape(_)
                | Body::Rack { .. }
                | Body::Due { .. }
                | Body::Received { .. }
                | Body::Installed { .. }
                | Body::Sweep(_)
                | Body::Tested { .. }
                | Body::TestedByHand { .. }
                | Body::HandOver { .. }
                | Body::Uncordon { .. }
                | Body::Pull { .. }
                | Body::Repaired { .. }
                | Body::Retire { .. }
                | Body::Retry { .. }
                | Body::Release { .. }
                | Body::Announce { .. }
                | Body::AnnounceUntold { .. }
                | Body::Done { .. }
                | Body::Cancel { .. }
                | Body::Flex { .. }
                | Body::Classify { .. }
                | Body::Wake => Err(Refused::NotForYou { by: event.by.to_string() }),
            },
            (Actor::Site, _) => Err(Refused::NotForYou { by: event.by.to_string() }),
        }
    }

    /// Whether machines can come into the slots of a rack: each once, and into slots
    /// that wait for one.
    fn check_received(&self, rack: RackNo, serials: &[String]) -> Result<(), Refused> {
        let trays = usize::from(self.rack(rack).trays);
        if serials.len() != trays {
            let found = format!("{}", serials.len());
            return Err(Refused::unfit(format!("{trays} serial numbers"), found));
        }
        let came: Vec<(TrayNo, &String)> = self
            .rack(rack)
            .tray_numbers()
            .zip(serials)
            .filter(|(_, serial)| !serial.is_empty())
            .collect();
        refuse_if(came.is_empty(), "a serial number", "none")?;
        let distinct: BTreeSet<&String> =
            came.iter().map(|(_, serial)| *serial).collect();
        refuse_if(
            distinct.len() != came.len(),
            "each serial number once",
            "one of them twice",
        )?;
        came.iter().try_for_each(|(tray, serial)| {
            self.in_phase(*tray, &[Phase::Ordered])?;
            self.new_serial(serial)
        })
    }

    /// Whether a block can be accepted.
    fn check_accept(
        &self,
        block: BlockNo,
        at: Timestamp,
        none: bool,
    ) -> Result<(), Refused> {
        let found = self.live_block(block)?;
        refuse_if(found.accepted.is_some(), "a block not accepted", "accepted")?;
        refuse_if(none, "the hash of the evidence", "none")?;
        for tray in found.seats.iter() {
            let tray = tray.ok_or_else(|| {
                Refused::unfit("a machine in every seat", "an empty one")
            })?;
            self.in_phase(tray, &[Phase::Accepted, Phase::InService])?;
            refuse_if(
                !self.is_healthy_at(tray, at),
                "every machine seen healthy lately",
                &self.slot_name(tray),
            )?;
        }
        Ok(())
    }

    /// The tenant whose seat a tray has.
    pub fn tenant_of(&self, tray: TrayNo) -> Option<&str> {
        let (block, _) = self.trays.get(tray.place())?.seat?;
        Some(&self.blocks[block.place()].tenant)
    }

    fn check_sweep(&self, sweep: &Sweep, at: Timestamp) -> Result<(), Refused> {
        if sweep.at > at {
            let expected = format!("looks by {at}");
            return Err(Refused::unfit(expected, format!("looks of {}", sweep.at)));
        }
        let mut told = BTreeSet::new();
        for tray in sweep.silent.iter().chain(sweep.changed.iter().map(|(tray, _)| tray))
        {
            self.known_tray(*tray)?;
            refuse_if(!told.insert(*tray), "each tray once", &self.slot_name(*tray))?;
        }
        if let super::Asked::Racks(racks) = &sweep.of {
            racks.iter().try_for_each(|rack| self.known_rack(*rack))?;
        }
        sweep.racks.iter().try_for_each(|(rack, _)| self.known_rack(*rack))
    }

    /// Why a tray is not free, to whoever asks; the site's people hear which work it is.
    fn unfree_for(&self, tray: TrayNo, event: &Event) -> Option<String> {
        let why = self.unfree_at(tray, event.at)?;
        let work = self.worked_on(tray, event.at);
        Some(match (work, &event.by) {
            (Some(window), Actor::Operator(_)) if why == super::estate::WORKED_ON => {
                format!("{why} in `{}` ({})", window.id, window.during)
            }
            _ => why.to_owned(),
        })
    }

    /// Whether every tray named is free, and named once.
    fn check_room(
        &self,
        event: &Event,
        blocks: &[Place],
        spares: &[TrayNo],
    ) -> Result<(), Refused> {
        let mut taken: BTreeSet<TrayNo> = BTreeSet::new();
        let mut take = |tray: TrayNo| -> Result<(), Refused> {
            self.known_tray(tray)?;
            let name = self.slot_name(tray);
            refuse_if(!taken.insert(tray), "each tray once", &name)?;
            match self.unfree_for(tray, event) {
                Some(why) => Err(Refused::unfit("a free tray", format!("{name}: {why}"))),
                None => Ok(()),
            }
        };
        refuse_if(blocks.is_empty(), "at least one block", "none")?;
        for place in blocks {
            self.known_rack(place.rack)?;
            let rack = self.rack(place.rack);
            refuse_if(place.slots.is_empty(), "at least one tray a block", "none")?;
            for slot in &place.slots {
                let inside = *slot < rack.trays;
                refuse_if(!inside, "a slot of the rack", &slot.to_string())?;
                take(TrayNo(rack.first.0 + u32::from(*slot)))?;
            }
        }
        for spare in spares {
            take(*spare)?;
        }
        Ok(())
    }

    /// Every block stays on the record, so a tenant cannot make any number of them.
    fn check_given_back(&self, tenant: &str, at: Timestamp) -> Result<(), Refused> {
        // The last blocks are the latest.
        let lately = self.blocks.iter().rev();
        let lately = lately.take_while(|block| block.reserved + GIVEN_BACK_IN > at);
        let given_back =
            lately.filter(|block| block.tenant == tenant && !block.is_live()).count();
        refuse_if(
            given_back >= GIVEN_BACK_MAX,
            format!("at most {GIVEN_BACK_MAX} blocks reserved and given back in an hour"),
            &given_back.to_string(),
        )
    }

    /// Whether a tenant's live blocks of a tranche and these are within what it may
    /// have, in GPUs.
    fn check_within(
        &self,
        tenant: &str,
        tranche: &super::TrancheOf,
        blocks: &[Place],
        within: u64,
    ) -> Result<(), Refused> {
        let new = blocks.iter().map(|one| self.gpus_of(one.rack, one.slots.len()));
        self.room_within(tenant, tranche, new.sum(), within)
    }

    /// Whether so many GPUs more of a tranche are within what a tenant may have of it.
    ///
    /// # Errors
    ///
    /// [`Refused::Unfit`] where they are not.
    pub fn room_within(
        &self,
        tenant: &str,
        tranche: &super::TrancheOf,
        gpus: u64,
        within: u64,
    ) -> Result<(), Refused> {
        let live = self.blocks.iter().filter(|block| {
            block.is_live() && block.tenant == tenant && block.tranche == *tranche
        });
        let taken: u64 =
            live.map(|block| self.gpus_of(block.rack, block.seats.len())).sum();
        refuse_if(
            taken + gpus > within,
            format!("no more than the {within} GPUs of the tranche"),
            &format!("{gpus} beside {taken} that are reserved already"),
        )
    }

    fn gpus_of(&self, rack: RackNo, trays: usize) -> u64 {
        u64::from(self.shape_of(rack).gpus_per_tray) * trays as u64
    }

    fn check_deferral(
        &self,
        event: &Event,
        id: &str,
        to: Interval,
    ) -> Result<(), Refused> {
        let place = self.window_named(id).ok_or_else(|| unknown("a window", id))?;
        let window = &self.windows[place];
        let begun = window.done.is_some() || window.during.start <= event.at;
        refuse_if(begun, "a window to come", "one begun or done")?;
        refuse_if(window.emergency, "work that can wait", "an emergency")?;
        plausible(to.end)?;
        let later = to.start > window.during.start && to.start < to.end;
        refuse_if(!later, "a later time", &to.to_string())?;
        for tray in &window.trays {
            self.no_other_work(*tray, Some(place), to, false)?;
        }
        if !matches!(event.by, Actor::Tenant(_)) {
            return Ok(());
        }
        // A tenant says when, and neither how long the work takes nor, by putting it
        // off again and again, that it is never done.
        let (long, asked) = (window.during.duration(), to.duration());
        refuse_if(asked != long, format!("a window of {long}"), &asked.to_string())?;
        let latest = window.announced + self.times.hand_back + self.times.hand_back;
        refuse_if(
            to.start > latest,
            format!("a start by {latest}"),
            &to.start.to_string(),
        )
    }

    /// What could wait is not announced for the time of other work.
    fn no_other_work(
        &self,
        tray: TrayNo,
        but: Option<usize>,
        during: Interval,
        emergency: bool,
    ) -> Result<(), Refused> {
        let other = self.other_work(tray, but, during, emergency);
        let found = other.unwrap_or_default();
        refuse_if(!found.is_empty(), "machines in no other window at that time", &found)
    }

    fn known_rack(&self, rack: RackNo) -> Result<(), Refused> {
        match self.racks.get(rack.place()) {
            Some(_) => Ok(()),
            None => Err(unknown("a rack", &format!("number {}", rack.0))),
        }
    }

    fn known_tray(&self, tray: TrayNo) -> Result<(), Refused> {
        match self.trays.get(tray.place()) {
            Some(_) => Ok(()),
            None => Err(unknown("a tray", &format!("number {}", tray.0))),
        }
    }

    fn live_block(&self, block: BlockNo) -> Result<&Block, Refused> {
        let found = self.block(block);
        let found =
            found.ok_or_else(|| unknown("a block", &format!("number {}", block.0)))?;
        match found.is_live() {
            true => Ok(found),
            false => Err(Refused::unfit("a block in use", "one given back")),
        }
    }

    fn seated(&self, tray: TrayNo) -> Result<(), Refused> {
        self.known_tray(tray)?;
        refuse_if(self.tray(tray).seat.is_none(), "a tray with a seat", "one without")
    }

    fn in_phase(&self, tray: TrayNo, phases: &[Phase]) -> Result<(), Refused> {
        let found = self.tray(tray).phase;
        if phases.contains(&found) {
            return Ok(());
        }
        let names: Vec<&str> = phases.iter().map(|phase| phase.name()).collect();
        let expected = format!("{} {}", self.slot_name(tray), names.join(" or "));
        Err(Refused::unfit(expected, found.name()))
    }

    fn all_in(&self, rack: RackNo, phase: Phase) -> Result<(), Refused> {
        let mut trays = self.rack(rack).tray_numbers();
        trays.try_for_each(|tray| self.in_phase(tray, &[phase]))
    }

    fn looked_at(&self, tray: TrayNo) -> Result<(), Refused> {
        let phase = self.tray(tray).phase;
        refuse_if(!phase.is_looked_at(), "a machine in its slot", phase.name())
    }

    /// A machine is in one slot at a time.
    fn new_serial(&self, serial: &str) -> Result<(), Refused> {
        refuse_if(serial.is_empty(), "a serial number", "none")?;
        match self.serials.get(serial) {
            Some(tray) => {
                let found = format!("{serial} in {}", self.slot_name(*tray));
                Err(Refused::unfit("a machine that is in no slot", found))
            }
            None => Ok(()),
        }
    }
}

fn refuse_if(
    wrong: bool,
    expected: impl Into<String>,
    found: &str,
) -> Result<(), Refused> {
    if wrong { Err(Refused::unfit(expected, found)) } else { Ok(()) }
}

/// Nobody means a time that no calendar here has.
fn plausible(at: Timestamp) -> Result<(), Refused> {
    let (first, last) = (0, 7_258_118_400);
    let fits = (first..last).contains(&at.as_unix_seconds());
    refuse_if(!fits, "a time from 1970 to 2199", "another")
}

fn unknown(what: &'static str, found: &str) -> Refused {
    Refused::Unknown { what: what.into(), found: found.to_owned() }
}
