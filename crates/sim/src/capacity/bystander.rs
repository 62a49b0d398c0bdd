//! Books of one's own: what was told and said, kept in the most obvious way.
//!
//! Shares nothing with the estate but the words of its events. Whatever it finds is
//! told with the name of what does not hold.

use std::collections::{BTreeMap, BTreeSet};

use engine::capacity::index::index;
use engine::capacity::meter::{Counted, Says};
use engine::capacity::{
    Actor, Asked, BlockNo, Body, Class, Command, Estate, Event, Output, Phase, Place,
    Power, RackNo, RackShows, Refused, Reported, Shows, Sweep, TrayNo,
};
use units::{Interval, Timestamp};

use super::Holds;

/// What the site's people call the work they announce.
pub(super) const SITE_WORDS: &str = "for another's ticket";

/// What does not hold, and how it shows.
pub(super) type Found = Result<(), (Holds, String)>;

/// One block as the bystander noted it.
#[derive(Clone, Debug)]
struct Noted {
    tenant: String,
    tranche: String,
    rack: RackNo,
    seats: Vec<Option<TrayNo>>,
    accepted: Option<Timestamp>,
    handed: Option<Timestamp>,
    returned_by_tenant: Option<bool>,
}

/// A tray as the bystander noted it.
#[derive(Clone, Debug, Default)]
struct Seen {
    serial: String,
    phase: Option<Phase>,
    look: Option<(Timestamp, Shows)>,
    /// The last order of each kind: its number and when.
    orders: BTreeMap<Command, (u32, Timestamp)>,
    seat: Option<(usize, usize)>,
    /// Work that is announced for it and not done.
    windows: Vec<(Interval, String)>,
    cycled: Option<Timestamp>,
    /// Since when its tenant waits for it in place of one that worked.
    wished: Option<Timestamp>,
    /// The hand-over that is not seen yet is the first of its block.
    first: bool,
}

/// The bystander's books.
#[derive(Clone, Debug, Default)]
pub(super) struct Bystander {
    trays: BTreeMap<TrayNo, Seen>,
    racks: BTreeMap<RackNo, RackShows>,
    blocks: Vec<Noted>,
    /// Whose work may be on a machine, by serial number.
    work_on: BTreeMap<String, usize>,
    /// The greatest order's number that a machine was given.
    newest: BTreeMap<String, u32>,
    /// What each seat was said to be, from when on.
    said: BTreeMap<String, BTreeMap<Timestamp, Counted>>,
    events: u64,
}

fn wrong(holds: Holds, text: impl Into<String>) -> Found {
    Err((holds, text.into()))
}

impl Bystander {
    /// Looks at an event that was refused.
    pub(super) fn refused(&self, event: &Event, why: &Refused) -> Found {
        if let (Actor::Tenant(name), Refused::Unfit { .. } | Refused::Unknown { .. }) =
            (&event.by, why)
        {
            // Only what is theirs is spoken of.
            let theirs = if let Body::Accept { block, .. }
            | Body::AcceptByHand { block, .. }
            | Body::Return { block, .. } = &event.body
            {
                let found = self.blocks.get(block.0 as usize);
                found.is_some_and(|found| found.tenant == *name)
            } else if let Body::ReturnTray { tray, .. } | Body::PowerCycle { tray } =
                &event.body
            {
                self.owner(*tray) == Some(name)
            } else {
                true
            };
            if !theirs {
                let text = format!("{name} was told of what is another's: {why}");
                return wrong(Holds::OwnAlone, text);
            }
        }
        Ok(())
    }

    fn owner(&self, tray: TrayNo) -> Option<&String> {
        let (block, _) = self.trays.get(&tray)?.seat?;
        Some(&self.blocks[block].tenant)
    }

    /// Looks at an event that was taken in, and at what came of it.
    pub(super) fn watch(
        &mut self,
        event: &Event,
        outputs: &[Output],
        estate: &Estate,
    ) -> Found {
        self.events += 1;
        self.note(event, estate)?;
        for output in outputs {
            self.note_output(event, output, estate)?;
        }
        self.compare_seats(estate)?;
        if self.events.is_multiple_of(40) {
            self.compare_lists(estate)?;
        }
        if event.body == Body::Wake {
            self.compare_states(event.at, estate)?;
        }
        Ok(())
    }

    fn note(&mut self, event: &Event, estate: &Estate) -> Found {
        let at = event.at;
        if let (Actor::Tenant(name), body) = (&event.by, &event.body) {
            let theirs = self.is_theirs(name, body);
            if !theirs {
                return wrong(Holds::OwnAlone, format!("{name} was let do {body:?}"));
            }
        }
        match &event.body {
            Body::Received { rack, serials } => {
                for (tray, serial) in estate.rack(*rack).tray_numbers().zip(serials) {
                    // Nothing stands for a machine that did not come with its rack.
                    if !serial.is_empty() {
                        self.put(tray, serial)?;
                    }
                }
            }
            Body::Repaired { tray, serial } => {
                if let Some(serial) = serial {
                    self.put(*tray, serial)?;
                }
            }
            Body::Retire { tray, .. } => {
                if let Some(seen) = self.trays.get_mut(tray) {
                    seen.serial.clear();
                }
            }
            Body::Sweep(sweep) => self.note_sweep(sweep, estate),
            Body::Reserve { tenant, tranche, blocks, spares, .. } => {
                let tranche = &tranche.tranche;
                for place in blocks {
                    let block = self.blocks.len();
                    self.is_alike(place, tranche, estate)?;
                    let first = estate.rack(place.rack).first.0;
                    let mut seats = Vec::new();
                    for (seat, slot) in place.slots.iter().enumerate() {
                        let tray = TrayNo(first + u32::from(*slot));
                        self.take_seat(tray, block, seat, at)?;
                        self.is_whole(tray, estate, "promised")?;
                        seats.push(Some(tray));
                    }
                    self.blocks.push(Noted {
                        tenant: tenant.clone(),
                        tranche: tranche.clone(),
                        rack: place.rack,
                        seats,
                        accepted: None,
                        handed: None,
                        returned_by_tenant: None,
                    });
                }
                for spare in spares {
                    if self.trays.get(spare).is_some_and(|seen| seen.seat.is_some()) {
                        return wrong(Holds::CountedOnce, "a spare has a seat");
                    }
                }
            }
            Body::Substitute { out, into } => {
                let Some((block, seat)) = self.trays.get(out).and_then(|seen| seen.seat)
                else {
                    return wrong(Holds::CountedOnce, "no seat to take over");
                };
                let noted = &self.blocks[block];
                let worked = noted.accepted.is_some()
                    && matches!(
                        self.state(noted, seat, at, estate),
                        Counted::Available | Counted::CustomerCaused
                    );
                let wished = worked && matches!(event.by, Actor::Tenant(_));
                let leaves = self.trays.entry(*out).or_default();
                (leaves.seat, leaves.wished) = (None, None);
                self.take_seat(*into, block, seat, at)?;
                self.trays.entry(*into).or_default().wished = wished.then_some(at);
                self.blocks[block].seats[seat] = Some(*into);
                self.trays.entry(*into).or_default().first = false;
            }
            Body::Accept { block, .. } | Body::AcceptByHand { block, .. } => {
                self.are_whole(*block, estate, "accepted")?;
                self.blocks[block.0 as usize].accepted = Some(at);
            }
            Body::HandOver { block } => {
                self.are_whole(*block, estate, "handed over")?;
                let block = &mut self.blocks[block.0 as usize];
                block.handed = Some(at);
                for tray in block.seats.iter().flatten() {
                    let seen = self.trays.entry(*tray).or_default();
                    seen.first = seen.phase == Some(Phase::Accepted);
                }
            }
            Body::Return { block, .. } => {
                let block = &mut self.blocks[block.0 as usize];
                block.returned_by_tenant = Some(matches!(event.by, Actor::Tenant(_)));
                for seat in &mut block.seats {
                    if let Some(tray) = seat.take() {
                        let seen = self.trays.entry(tray).or_default();
                        seen.seat = None;
                        seen.cycled = None;
                        seen.wished = None;
                    }
                }
            }
            Body::PowerCycle { tray } => {
                if matches!(event.by, Actor::Tenant(_)) {
                    self.trays.entry(*tray).or_default().cycled = Some(at);
                }
            }
            Body::Announce { id, trays, window, .. }
            | Body::AnnounceUntold { id, trays, window, .. } => {
                for tray in trays {
                    let seen = self.trays.entry(*tray).or_default();
                    seen.windows.push((*window, id.clone()));
                }
            }
            Body::Defer { id, window } => {
                for seen in self.trays.values_mut() {
                    for (during, of) in &mut seen.windows {
                        if of == id {
                            *during = *window;
                        }
                    }
                }
            }
            Body::Cancel { id, .. } | Body::Done { id } => {
                let called_off = matches!(event.body, Body::Cancel { .. });
                for seen in self.trays.values_mut() {
                    let of_it = seen.windows.iter().filter(|(_, of)| of == id);
                    if called_off && of_it.clone().any(|(during, _)| during.start <= at) {
                        let text = format!("{id} was called off while it went on");
                        return wrong(Holds::EverySecond, text);
                    }
                    seen.windows.retain(|(_, of)| of != id);
                }
            }
            Body::Times(_)
            | Body::Shape(_)
            | Body::Rack { .. }
            | Body::Due { .. }
            | Body::Installed { .. }
            | Body::Tested { .. }
            | Body::TestedByHand { .. }
            | Body::ReturnTray { .. }
            | Body::Cordon { .. }
            | Body::Uncordon { .. }
            | Body::Pull { .. }
            | Body::Retry { .. }
            | Body::Release { .. }
            | Body::Flex { .. }
            | Body::Classify { .. }
            | Body::Wake => {}
        }
        Ok(())
    }

    /// Whether a tenant may say something, going by what they have.
    fn is_theirs(&self, name: &String, body: &Body) -> bool {
        if let Body::Reserve { tenant, .. } = body {
            return tenant == name;
        }
        if let Body::Accept { block, .. }
        | Body::AcceptByHand { block, .. }
        | Body::Return { block, .. } = body
        {
            return self.blocks[block.0 as usize].tenant == *name;
        }
        if let Body::ReturnTray { tray, .. }
        | Body::PowerCycle { tray }
        | Body::Cordon { tray, .. }
        | Body::Substitute { out: tray, .. } = body
        {
            return self.owner(*tray) == Some(name);
        }
        if let Body::Defer { id, .. } = body {
            let mut trays = self
                .trays
                .iter()
                .filter(|(_, seen)| seen.windows.iter().any(|(_, of)| of == id));
            return trays.all(|(tray, _)| self.owner(*tray) == Some(name));
        }
        false
    }

    fn put(&mut self, tray: TrayNo, serial: &str) -> Found {
        let elsewhere = self.trays.iter().any(|(slot, seen)| {
            *slot != tray && seen.serial == serial && !serial.is_empty()
        });
        if elsewhere {
            return wrong(Holds::CountedOnce, format!("{serial} is in two slots"));
        }
        let seen = self.trays.entry(tray).or_default();
        seen.serial = serial.to_owned();
        seen.look = None;
        seen.orders.clear();
        Ok(())
    }

    /// Whether a block is of one domain, and of the model of its tranche's others.
    fn is_alike(&self, place: &Place, tranche: &String, estate: &Estate) -> Found {
        let shape = estate.shape_of(place.rack);
        if shape.switch_trays == 0 && place.slots.len() > 1 {
            let text = format!("{} boxes are one domain", place.slots.len());
            return wrong(Holds::OneDomain, text);
        }
        let live = self.blocks.iter().filter(|one| one.returned_by_tenant.is_none());
        for other in live.filter(|one| one.tranche == *tranche) {
            let has = &estate.shape_of(other.rack).name;
            if *has != shape.name {
                let text = format!("{tranche} has {has}, and gets {}", shape.name);
                return wrong(Holds::OneDomain, text);
            }
        }
        Ok(())
    }

    /// Whether a machine's domain is whole, as it was last seen.
    fn is_whole(&self, tray: TrayNo, estate: &Estate, what: &str) -> Found {
        let rack = estate.tray(tray).rack;
        let shape = estate.shape_of(rack);
        let shows = self.racks.get(&rack).copied().unwrap_or_default();
        let down = (0..shape.switch_trays).any(|bit| shows.switches & (1 << bit) == 0);
        if shape.switch_trays > 0 && (down || shows.leaks != 0) {
            let text = format!("tray {} is {what} in a broken domain: {shows:?}", tray.0);
            return wrong(Holds::OneDomain, text);
        }
        Ok(())
    }

    fn are_whole(&self, block: BlockNo, estate: &Estate, what: &str) -> Found {
        let seats = self.blocks[block.0 as usize].seats.iter().flatten();
        seats.copied().try_for_each(|tray| self.is_whole(tray, estate, what))
    }

    fn take_seat(
        &mut self,
        tray: TrayNo,
        block: usize,
        seat: usize,
        at: Timestamp,
    ) -> Found {
        let seen = self.trays.entry(tray).or_default();
        if let Some((_, work)) =
            seen.windows.iter().find(|(during, _)| during.start <= at)
        {
            let text = format!("tray {} is promised while {work} goes on", tray.0);
            return wrong(Holds::OneDomain, text);
        }
        if let Some((other, _)) = seen.seat {
            let text = format!("tray {} is in blocks {other} and {block}", tray.0);
            return wrong(Holds::CountedOnce, text);
        }
        if let Some(before) = self.work_on.get(&seen.serial) {
            let text = format!(
                "{} is promised to block {block} with the work of block {before} on it",
                seen.serial
            );
            return wrong(Holds::WipedBefore, text);
        }
        seen.seat = Some((block, seat));
        Ok(())
    }

    fn note_sweep(&mut self, sweep: &Sweep, estate: &Estate) {
        self.racks.extend(sweep.racks.iter().copied());
        let told: BTreeMap<TrayNo, &Shows> =
            sweep.changed.iter().map(|(tray, shows)| (*tray, shows)).collect();
        let silent: BTreeSet<TrayNo> = sweep.silent.iter().copied().collect();
        let racks: BTreeSet<RackNo> = match &sweep.of {
            Asked::All => self.trays.keys().map(|tray| estate.tray(*tray).rack).collect(),
            Asked::Racks(racks) => racks.iter().copied().collect(),
            Asked::Told => BTreeSet::new(),
        };
        for (tray, seen) in &mut self.trays {
            let asked = racks.contains(&estate.tray(*tray).rack);
            let shows = match told.get(tray) {
                Some(shows) => (*shows).clone(),
                None if asked && !silent.contains(tray) => match &seen.look {
                    Some((_, shows)) => shows.clone(),
                    None => continue,
                },
                None => continue,
            };
            let there = seen.phase.is_some_and(Phase::is_looked_at);
            let newer = seen.look.as_ref().is_none_or(|(at, _)| *at < sweep.at);
            let own = shows.serial.as_ref().is_none_or(|serial| *serial == seen.serial)
                || seen.phase == Some(Phase::Installed);
            if !there || !newer || !own {
                continue;
            }
            let after = |command| seen.orders.get(&command).copied();
            if let Some((generation, at)) = after(Command::Wipe)
                && shows.wiped == generation
                && sweep.at > at
            {
                self.work_on.remove(&seen.serial);
            }
            if let Some((_, at)) = after(Command::PowerCycle)
                && shows.started.is_some_and(|started| started > at)
                && shows.power == Power::On
                && sweep.at > at
            {
                seen.cycled = None;
            }
            seen.look = Some((sweep.at, shows));
        }
    }

    fn note_output(&mut self, event: &Event, output: &Output, estate: &Estate) -> Found {
        match output {
            Output::Order { tray, command, generation } => {
                self.note_order(event, *tray, *command, *generation, estate)
            }
            Output::Moved { tray, to, .. } => self.note_move(*tray, *to),
            Output::Fact(fact) => {
                let Says::State { units, counted, reference, .. } = &fact.says else {
                    return Ok(());
                };
                if matches!(counted, Counted::Degraded | Counted::Down | Counted::Unknown)
                {
                    self.names_one_tenant(reference.as_deref(), units, estate)?;
                }
                for unit in units {
                    let said = self.said.entry(unit.clone()).or_default();
                    match fact.valid_to {
                        None => {
                            if said
                                .last_key_value()
                                .is_some_and(|(from, _)| *from > fact.valid_from)
                            {
                                let text =
                                    format!("{unit} is told of before its last change");
                                return wrong(Holds::EverySecond, text);
                            }
                            said.insert(fact.valid_from, *counted);
                        }
                        Some(end) => {
                            let after =
                                said.range(..=end).next_back().map(|(_, state)| *state);
                            said.retain(|from, _| {
                                *from < fact.valid_from || *from >= end
                            });
                            said.insert(fact.valid_from, *counted);
                            if let Some(after) = after {
                                said.entry(end).or_insert(after);
                            }
                        }
                    }
                }
                Ok(())
            }
            Output::Notice { .. } | Output::Told { .. } => Ok(()),
        }
    }

    /// Whether an incident is of its own tenant's seats and of nobody else's.
    fn names_one_tenant(
        &self,
        incident: Option<&str>,
        units: &[String],
        estate: &Estate,
    ) -> Found {
        let mut latest = estate.incidents().iter().rev();
        let found = latest.find(|known| Some(known.id.as_str()) == incident);
        let Some(found) = found else {
            return wrong(Holds::EverySecond, format!("{units:?} fail without incident"));
        };
        for unit in units {
            let number =
                unit.rsplit_once("/b").and_then(|(_, seat)| seat.split_once('.'));
            let block = number.and_then(|(block, _)| block.parse::<usize>().ok());
            let tenant = block.and_then(|block| self.blocks.get(block));
            let tenant = tenant.map(|block| &block.tenant);
            if tenant != Some(&found.tenant) {
                let text = format!("{} of {} has {unit} in it", found.id, found.tenant);
                return wrong(Holds::OwnAlone, text);
            }
        }
        Ok(())
    }

    fn note_order(
        &mut self,
        event: &Event,
        tray: TrayNo,
        command: Command,
        generation: u32,
        estate: &Estate,
    ) -> Found {
        let seen = self.trays.entry(tray).or_default();
        let newest = self.newest.entry(seen.serial.clone()).or_default();
        if generation <= *newest {
            let text =
                format!("{} is ordered under {generation} after {newest}", seen.serial);
            return wrong(Holds::NewerLook, text);
        }
        *newest = generation;
        let by_hand = matches!(event.body, Body::Retry { .. } | Body::PowerCycle { .. });
        if let Some((_, before)) = seen.orders.get(&command)
            && !by_hand
            && estate.tray(tray).asked.is_some_and(|asked| asked.attempts > 1)
        {
            let late = *before + estate.times().response;
            if seen.look.as_ref().is_none_or(|(at, _)| *at <= late) {
                let text = format!("{} is ordered again without a look", seen.serial);
                return wrong(Holds::NewerLook, text);
            }
        }
        if command == Command::HandOver {
            let Some((block, _)) = seen.seat else {
                return wrong(Holds::OwnAlone, "a machine without a seat is handed over");
            };
            if let Some(before) = self.work_on.get(&seen.serial)
                && *before != block
            {
                let text = format!(
                    "{} goes to block {block} with the work of block {before} on it",
                    seen.serial
                );
                return wrong(Holds::WipedBefore, text);
            }
            if seen.orders.contains_key(&Command::HandOver) {
                seen.first = seen.first && self.blocks[block].handed == Some(event.at);
            }
            self.work_on.insert(seen.serial.clone(), block);
        }
        seen.orders.insert(command, (generation, event.at));
        Ok(())
    }

    fn note_move(&mut self, tray: TrayNo, to: Phase) -> Found {
        let seen = self.trays.entry(tray).or_default();
        let from = seen.phase.replace(to);
        match to {
            Phase::Accepted => {
                if let Some(before) = self.work_on.get(&seen.serial) {
                    let text = format!(
                        "{} is free with the work of block {before} on it",
                        seen.serial
                    );
                    return wrong(Holds::WipedBefore, text);
                }
            }
            Phase::InService => {
                let order = seen.orders.get(&Command::HandOver);
                let shown = order.zip(seen.look.as_ref()).is_some_and(
                    |((generation, asked), (at, shows))| {
                        shows.image == *generation && at > asked
                    },
                );
                if !shown {
                    let text =
                        format!("{} is in service and nobody saw it so", seen.serial);
                    return wrong(Holds::NewerLook, text);
                }
                seen.first = false;
                seen.wished = None;
            }
            Phase::Draining | Phase::Repair | Phase::Retired => {
                seen.cycled = None;
                seen.wished = None;
                seen.first = false;
            }
            Phase::Ordered
            | Phase::Received
            | Phase::Installed
            | Phase::Discovered
            | Phase::Validating
            | Phase::BurnIn => {}
        }
        // Another machine may come into its slot, and that it is another was noted.
        if from == Some(Phase::Retired) && seen.serial.is_empty() {
            return wrong(Holds::CountedOnce, "a retired machine came back");
        }
        Ok(())
    }

    fn compare_seats(&self, estate: &Estate) -> Found {
        for (place, tray) in estate.trays().iter().enumerate() {
            let number = TrayNo(place as u32);
            let own = self.trays.get(&number).and_then(|seen| seen.seat);
            let theirs =
                tray.seat.map(|(block, seat)| (block.0 as usize, usize::from(seat)));
            if own != theirs {
                let text = format!("tray {place} has seat {theirs:?}, noted {own:?}");
                return wrong(Holds::CountedOnce, text);
            }
        }
        Ok(())
    }

    fn compare_lists(&self, estate: &Estate) -> Found {
        let tenants: BTreeSet<&String> =
            self.blocks.iter().map(|block| &block.tenant).collect();
        let mut listed = 0;
        for tenant in tenants {
            let mut own = Vec::new();
            for block in
                self.blocks.iter().filter(|block| block.returned_by_tenant.is_none())
            {
                if block.tenant == *tenant {
                    own.extend(block.seats.iter().map(|tray| {
                        tray.and_then(|tray| self.trays.get(&tray))
                            .map(|seen| seen.serial.clone())
                    }));
                }
            }
            let list = index(estate, Some(tenant));
            listed += list.len();
            let theirs: Vec<Option<String>> =
                list.iter().map(|seat| seat.serial.clone()).collect();
            // Nor does it read what the site's people say to each other.
            let read = |words: &str| list.iter().any(|seat| seat.reason.contains(words));
            if read(SITE_WORDS) {
                return wrong(Holds::OwnAlone, format!("{tenant} reads `{SITE_WORDS}`"));
            }
            if own != theirs || list.iter().any(|seat| seat.tenant != *tenant) {
                let text = format!("{tenant} sees {theirs:?}, has {own:?}");
                return wrong(Holds::OwnAlone, text);
            }
        }
        if listed != index(estate, None).len() {
            return wrong(Holds::CountedOnce, "the tenants' lists are not all of it");
        }
        Ok(())
    }

    /// What every counted seat has to count as when everything is known up to now.
    fn compare_states(&self, now: Timestamp, estate: &Estate) -> Found {
        for (place, block) in self.blocks.iter().enumerate() {
            if block.accepted.is_none() {
                continue;
            }
            for seat in 0..block.seats.len() {
                let meter = estate.seat_meter(BlockNo(place as u32), seat);
                let counted = meter.map(|meter| meter.counted);
                let own = self.state(block, seat, now, estate);
                if counted != Some(own) {
                    let text = format!(
                        "seat {place}.{seat} counts as {counted:?}, is {own:?}: {:?}",
                        block.seats[seat].map(|tray| &self.trays[&tray])
                    );
                    return wrong(Holds::EverySecond, text);
                }
            }
        }
        Ok(())
    }

    fn state(
        &self,
        block: &Noted,
        seat: usize,
        now: Timestamp,
        estate: &Estate,
    ) -> Counted {
        match block.returned_by_tenant {
            Some(true) => return Counted::CustomerCaused,
            Some(false) => return Counted::Down,
            None => {}
        }
        let Some(tray) = block.seats[seat] else { return Counted::Down };
        let seen = &self.trays[&tray];
        if seen.windows.iter().any(|(window, _)| window.contains(now)) {
            return Counted::Planned;
        }
        if seen.windows.iter().any(|(window, _)| now >= window.end) {
            return Counted::Down;
        }
        if seen.cycled.is_some_and(|at| now < at + estate.times().response) {
            return Counted::CustomerCaused;
        }
        if seen.phase == Some(Phase::Accepted)
            && seen.wished.is_some_and(|at| now < at + estate.times().response)
        {
            return Counted::CustomerCaused;
        }
        let up = match seen.phase {
            Some(Phase::InService) => true,
            Some(Phase::Accepted) => block.handed.is_none() || seen.first,
            Some(_) | None => false,
        };
        if !up {
            return Counted::Down;
        }
        let Some((at, shows)) = &seen.look else { return Counted::Unknown };
        let shape = estate.shape_of(block.rack);
        let rack = self.racks.get(&block.rack).copied().unwrap_or_default();
        let switches = (1_u32 << shape.switch_trays) - 1;
        let joined = switches != 0;
        // Its first boot takes power and GPUs away for as long as an order may take.
        let given = seen.orders.get(&Command::HandOver).map(|(_, given)| *given);
        let boots = seen.phase == Some(Phase::Accepted)
            && block.handed.is_some()
            && given.is_some_and(|given| now < given + estate.times().response);
        match () {
            () if now - *at > estate.times().silence => Counted::Unknown,
            () if shows.power == Power::Off && !boots => Counted::Down,
            () if shows.health == Reported::Critical => Counted::Down,
            () if shows.health == Reported::Warning => Counted::Degraded,
            () if shows.gpus != shape.all_gpus() && !boots => Counted::Degraded,
            () if u32::from(rack.switches) & switches != switches => Counted::Degraded,
            () if joined && rack.leaks != 0 => Counted::Degraded,
            () => Counted::Available,
        }
    }

    /// In the end: the seconds of every seat, from what was said alone.
    pub(super) fn end(&self, now: Timestamp, estate: &Estate) -> Found {
        for (place, block) in self.blocks.iter().enumerate() {
            let Some(accepted) = block.accepted else { continue };
            for seat in 0..block.seats.len() {
                let number = BlockNo(place as u32);
                let tally = estate.seat_tally(number, seat, now);
                let elapsed = (now - accepted).as_seconds();
                if tally.total() != elapsed {
                    let text =
                        format!("{} of {elapsed} seconds are counted", tally.total());
                    return wrong(Holds::EverySecond, text);
                }
                let unit = estate.seat_name(number, seat);
                let mut own = engine::capacity::meter::Tally::default();
                let said = self.said.get(&unit).into_iter().flatten();
                let mut edges: Vec<(Timestamp, Counted)> =
                    said.map(|(from, state)| (*from, *state)).collect();
                edges.push((now, Counted::Unknown));
                for pair in edges.windows(2) {
                    own.add(pair[0].1, (pair[1].0 - pair[0].0).as_seconds());
                }
                if own != tally {
                    let text = format!("{unit} is counted {tally:?}, was said {own:?}");
                    return wrong(Holds::EverySecond, text);
                }
            }
        }
        Ok(())
    }

    /// An incident that nobody looked at, to be found out about.
    pub(super) fn classes() -> [Class; 4] {
        [Class::Available, Class::Down, Class::Grid, Class::CustomerCaused]
    }
}
