//! All of a site's GPU racks and who has them, folded from events.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use units::{Seconds, Timestamp};

use super::asset::{Block, BlockNo, Rack, RackNo, Tray, TrayNo};
use super::meter::{Counted, Gathered, SeatMeter};
use super::phase::{
    Asked as Ordered, Command, Look, Phase, Power, Reported, Shows, Standing, Step,
    Times, Wait, Word, next, shown,
};
use super::shape::{Shape, shapes};
use super::upkeep::{Flex, Incident, Timer, Window};
use super::{Actor, Asked, Body, Event, Output, RackShows, Refused, Sweep, TrancheOf};

/// All of a site's GPU racks and who has them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Estate {
    /// When the last event became known.
    pub(super) known: Timestamp,
    /// How many events were taken in.
    pub(super) events: u64,
    pub(super) times: Times,
    pub(super) shapes: Vec<Shape>,
    pub(super) racks: Vec<Rack>,
    pub(super) rack_named: BTreeMap<String, RackNo>,
    pub(super) trays: Vec<Tray>,
    pub(super) blocks: Vec<Block>,
    /// What each seat of a block is counted as; empty before it is accepted.
    pub(super) meters: Vec<Vec<SeatMeter>>,
    pub(super) windows: Vec<Window>,
    pub(super) incidents: Vec<Incident>,
    pub(super) flexes: Vec<Flex>,
    /// What counts from a known instant on, without an event.
    pub(super) timers: BTreeSet<(Timestamp, Timer)>,
    /// Serial numbers of machines in slots, and where.
    pub(super) serials: BTreeMap<String, TrayNo>,
    /// Machines that left their slots, by serial number.
    pub(super) left: BTreeMap<String, Left>,
    /// How long each phase took the trays that left it, newest last, for forecasts.
    pub(super) took: BTreeMap<Phase, Vec<Seconds>>,
}

/// Why a tray is not free that somebody works on.
pub(super) const WORKED_ON: &str = "it is being worked on";

/// What is remembered of a machine that left its slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Left {
    /// Whether a tenant's work may be on it.
    dirty: bool,
    /// The last order's number: what it reports of an earlier one is old news in any
    /// slot.
    generation: u32,
}

/// How many durations of each phase are kept.
const TOOK_KEPT: usize = 4_096;

impl Default for Estate {
    fn default() -> Self {
        Self {
            known: Timestamp::from_unix_seconds(0),
            events: 0,
            times: Times::default(),
            shapes: shapes(),
            racks: Vec::new(),
            rack_named: BTreeMap::new(),
            trays: Vec::new(),
            blocks: Vec::new(),
            meters: Vec::new(),
            windows: Vec::new(),
            incidents: Vec::new(),
            flexes: Vec::new(),
            timers: BTreeSet::new(),
            serials: BTreeMap::new(),
            left: BTreeMap::new(),
            took: BTreeMap::new(),
        }
    }
}

/// What one event led to, gathered before it is told.
#[derive(Debug, Default)]
pub(super) struct Led {
    pub(super) outputs: Vec<Output>,
    pub(super) facts: Gathered,
    /// The incidents this event opened.
    pub(super) opened: BTreeMap<Opened, usize>,
}

/// What seats that fail at once have in common when they are one incident. Tenants
/// of one rack have one each, so that none hears of another's seats.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Opened {
    pub(super) rack: RackNo,
    pub(super) tenant: String,
    pub(super) tranche: TrancheOf,
    pub(super) fault: &'static str,
}

impl Estate {
    /// Takes in one event and says what follows.
    ///
    /// # Errors
    ///
    /// A [`Refused`] event changed nothing and is no part of the record.
    pub fn fold(&mut self, event: &Event) -> Result<Vec<Output>, Refused> {
        self.check(event)?;
        self.check_rules(event)?;
        Ok(self.take(event))
    }

    /// Takes in an event that a record says was taken in before: the rules were those of
    /// then, and what has become stricter since does not undo what happened.
    ///
    /// # Errors
    ///
    /// A [`Refused`] event that no rules ever let pass.
    pub fn refold(&mut self, event: &Event) -> Result<Vec<Output>, Refused> {
        self.check(event)?;
        Ok(self.take(event))
    }

    fn take(&mut self, event: &Event) -> Vec<Output> {
        let mut led = Led::default();
        self.pass(event.at, &mut led);
        led.facts.put_out(event.at, &mut led.outputs);
        self.known = event.at;
        self.events += 1;
        led.opened.clear();
        self.apply(event, &mut led);
        led.facts.put_out(event.at, &mut led.outputs);
        led.outputs
    }

    /// When the last event became known.
    pub fn known(&self) -> Timestamp {
        self.known
    }

    /// How many events were taken in.
    pub fn events(&self) -> u64 {
        self.events
    }

    /// How long things may take.
    pub fn times(&self) -> &Times {
        &self.times
    }

    /// The racks, by number.
    pub fn racks(&self) -> &[Rack] {
        &self.racks
    }

    /// The trays, by number; those of a rack stand together.
    pub fn trays(&self) -> &[Tray] {
        &self.trays
    }

    /// The blocks that were ever promised, by number.
    pub fn blocks(&self) -> &[Block] {
        &self.blocks
    }

    /// The windows that were ever announced.
    pub fn windows(&self) -> &[Window] {
        &self.windows
    }

    /// The incidents that there ever were.
    pub fn incidents(&self) -> &[Incident] {
        &self.incidents
    }

    /// The flex events that were ever called.
    pub fn flexes(&self) -> &[Flex] {
        &self.flexes
    }

    /// The rack of a name.
    pub fn rack_named(&self, name: &str) -> Option<RackNo> {
        self.rack_named.get(name).copied()
    }

    /// One rack. Panics on a number of another estate.
    pub fn rack(&self, rack: RackNo) -> &Rack {
        &self.racks[rack.place()]
    }

    /// One tray. Panics on a number of another estate.
    pub fn tray(&self, tray: TrayNo) -> &Tray {
        &self.trays[tray.place()]
    }

    /// The block of a number.
    pub fn block(&self, block: BlockNo) -> Option<&Block> {
        self.blocks.get(block.place())
    }

    /// What a rack is made of.
    pub fn shape_of(&self, rack: RackNo) -> &Shape {
        &self.shapes[usize::from(self.rack(rack).shape)]
    }

    /// The name of a tray's slot: rack and place, such as `R0012.t03`.
    pub fn slot_name(&self, tray: TrayNo) -> String {
        let tray = self.tray(tray);
        format!("{}.t{:02}", self.rack(tray.rack).name, tray.slot)
    }

    /// The tray of a slot's name.
    pub fn slot_named(&self, name: &str) -> Option<TrayNo> {
        let (rack, slot) = name.rsplit_once(".t")?;
        let rack = self.rack(self.rack_named(rack)?);
        let slot: u8 = slot.parse().ok()?;
        let tray = TrayNo(rack.first.0 + u32::from(slot));
        (slot < rack.trays && self.slot_name(tray) == name).then_some(tray)
    }

    /// What a tray waits for; nothing when it is where it should be.
    pub fn wait(&self, tray: TrayNo) -> Option<Wait> {
        match next(&self.standing(tray)) {
            Step::Stay { wait, .. } => wait,
            Step::Go { .. } => None,
        }
    }

    /// Until when a tray may be in its phase.
    pub fn due(&self, tray: TrayNo) -> Option<Timestamp> {
        let tray = self.tray(tray);
        self.times.allowed(tray.phase).map(|allowed| tray.since + allowed)
    }

    /// Whether the rack's switches all work and nothing leaks; `None` when nobody
    /// has looked.
    pub fn is_intact(&self, rack: RackNo) -> Option<bool> {
        let (_, shows) = self.rack(rack).shows?;
        Some(self.shape_of(rack).switches_down(&shows) == 0 && shows.leaks == 0)
    }

    /// Whether the NVLink domain of a tray was seen whole; `None` when nobody has
    /// looked. A tray that is a domain of its own is as whole as its own look shows it:
    /// what is wrong with its neighbours is nothing of its.
    pub fn domain_is_whole(&self, tray: TrayNo) -> Option<bool> {
        let rack = self.tray(tray).rack;
        match self.shape_of(rack).is_joined() {
            true => self.is_intact(rack),
            false => Some(true),
        }
    }

    /// What is wrong with the NVLink domain of a tray, in words; nothing where it was
    /// seen whole.
    pub fn domain_fault(&self, tray: TrayNo) -> Option<String> {
        if self.domain_is_whole(tray) == Some(true) {
            return None;
        }
        let rack = self.rack(self.tray(tray).rack);
        let Some((_, shows)) = rack.shows else {
            return Some("its NVLink domain was not seen yet".to_owned());
        };
        let shape = self.shape_of(self.tray(tray).rack);
        let mut wrong = Vec::new();
        match shape.switches_down(&shows) {
            0 => {}
            down => {
                wrong.push(format!("{down} of {} switch trays down", shape.switch_trays));
            }
        }
        match shows.leaks.count_ones() {
            0 => {}
            1 => wrong.push("a leak".to_owned()),
            leaks => wrong.push(format!("{leaks} leaks")),
        }
        Some(format!("its NVLink domain is not whole: {}", wrong.join(", ")))
    }

    /// The name of a tray's NVLink domain: its rack, or its slot where a tray is a
    /// domain of its own.
    pub fn domain_name(&self, tray: TrayNo) -> String {
        let rack = self.tray(tray).rack;
        match self.shape_of(rack).is_joined() {
            true => self.rack(rack).name.clone(),
            false => self.slot_name(tray),
        }
    }

    /// The name of a block's NVLink domain; of its rack where no tray is left in it.
    pub fn domain_of(&self, block: &Block) -> String {
        match &block.seats[..] {
            [Some(tray)] => self.domain_name(*tray),
            _ => self.rack(block.rack).name.clone(),
        }
    }

    /// Whether a tray was seen lately with power, every GPU and good health.
    pub fn is_healthy(&self, tray: TrayNo) -> bool {
        self.is_healthy_at(tray, self.known)
    }

    pub(super) fn is_healthy_at(&self, tray: TrayNo, at: Timestamp) -> bool {
        let seen = self.tray(tray);
        seen.look.as_ref().is_some_and(|look| {
            at - look.at <= self.times.silence
                && look.shows.power == Power::On
                && look.shows.health == Reported::Ok
                && look.shows.gpus == self.shape_of(seen.rack).all_gpus()
        })
    }

    /// Why a tray cannot be promised to anybody now; nothing when it can.
    pub fn unfree(&self, tray: TrayNo) -> Option<&'static str> {
        self.unfree_at(tray, self.known)
    }

    pub(super) fn unfree_at(&self, tray: TrayNo, at: Timestamp) -> Option<&'static str> {
        let found = self.tray(tray);
        match () {
            () if found.seat.is_some() => Some("it has a seat"),
            () if found.phase != Phase::Accepted => Some("it is not accepted"),
            () if found.dirty => Some("it is not wiped"),
            () if found.cordon.is_some() => Some("it is cordoned"),
            () if self.worked_on(tray, at).is_some() => Some(WORKED_ON),
            () if self.domain_is_whole(tray) != Some(true) => {
                Some("its NVLink domain was not seen whole")
            }
            () if !self.is_healthy_at(tray, at) => Some("it was not seen healthy lately"),
            () => None,
        }
    }

    /// Whether a tray's tenant is to have it.
    pub(super) fn serves(&self, tray: &Tray) -> bool {
        let block = tray.seat.map(|(block, _)| &self.blocks[block.place()]);
        let handed = block.is_some_and(|block| block.handed_over.is_some());
        handed && tray.returned.is_none()
    }

    fn standing(&self, tray: TrayNo) -> Standing<'_> {
        let tray = &self.trays[tray.place()];
        Standing {
            phase: tray.phase,
            since: tray.since,
            word: tray.word,
            look: tray.look.as_ref(),
            gpus: self.shape_of(tray.rack).all_gpus(),
            serial: &tray.serial,
            dirty: tray.dirty,
            tested: tray.tested,
            serve: self.serves(tray),
            handed: tray.handed,
            cordoned: tray.cordon.is_some(),
            asked: tray.asked,
            times: &self.times,
        }
    }

    /// Moves a tray as far as it goes, and orders what it waits for.
    pub(super) fn advance(&mut self, number: TrayNo, led: &mut Led) {
        let at = self.known;
        loop {
            match next(&self.standing(number)) {
                Step::Stay { ask, .. } => {
                    if let Some(command) = ask {
                        self.order(number, command, led);
                    }
                    return;
                }
                Step::Go { to, why } => {
                    let tray = &mut self.trays[number.place()];
                    let from = tray.phase;
                    let took = self.took.entry(from).or_default();
                    if took.len() == TOOK_KEPT {
                        took.remove(0);
                    }
                    took.push(at - tray.since);
                    tray.phase = to;
                    tray.since = at;
                    tray.word = None;
                    tray.asked = None;
                    tray.told = false;
                    match to {
                        Phase::BurnIn => tray.tested = None,
                        Phase::Draining | Phase::Repair | Phase::Retired => {
                            tray.handed = false;
                            tray.cycled = None;
                            tray.wished = None;
                        }
                        Phase::Ordered
                        | Phase::Received
                        | Phase::Installed
                        | Phase::Discovered
                        | Phase::Validating
                        | Phase::Accepted
                        | Phase::InService => {}
                    }
                    let why = why.into();
                    led.outputs.push(Output::Moved { tray: number, from, to, why });
                }
            }
        }
    }

    /// Orders something of a tray, under a new generation.
    pub(super) fn order(&mut self, number: TrayNo, command: Command, led: &mut Led) {
        let at = self.known;
        let tray = &mut self.trays[number.place()];
        let before = tray.asked.filter(|asked| asked.command == command);
        tray.generation += 1;
        let generation = tray.generation;
        let attempts = before.map_or(1, |asked| asked.attempts + 1);
        tray.asked = Some(Ordered { command, generation, at, attempts });
        if command == Command::HandOver {
            // From here on a tenant's work may be on it, whatever a look shows.
            tray.dirty = true;
            tray.handed = false;
        }
        led.outputs.push(Output::Order { tray: number, command, generation });
    }

    /// Lets the instants that lie before `at` count.
    fn pass(&mut self, at: Timestamp, led: &mut Led) {
        while let Some((when, timer)) = self.timers.first().copied()
            && when <= at
        {
            self.timers.remove(&(when, timer));
            self.known = when.max(self.known);
            led.opened.clear();
            match timer {
                Timer::Window(window) => {
                    for tray in self.windows[window as usize].trays.clone() {
                        self.count(tray, when, led);
                    }
                }
                Timer::Tray(tray) => self.count(tray, when, led),
            }
        }
    }

    fn apply(&mut self, event: &Event, led: &mut Led) {
        let at = event.at;
        match &event.body {
            Body::Times(times) => self.times = *times,
            Body::Shape(shape) => self.shapes.push(shape.clone()),
            Body::Rack { name, shape, hall, due, meant_for } => {
                let rack = RackNo(number(self.racks.len()));
                let shape = self.shape_named(shape).expect("checked");
                let first = TrayNo(number(self.trays.len()));
                let trays = self.shapes[shape].trays;
                self.racks.push(Rack {
                    name: name.clone(),
                    shape: u16::try_from(shape).expect("few shapes"),
                    hall: hall.clone(),
                    due: *due,
                    meant_for: meant_for.clone(),
                    first,
                    trays,
                    shows: None,
                    failures: 0,
                });
                self.rack_named.insert(name.clone(), rack);
                self.trays.extend((0..trays).map(|slot| Tray::ordered(rack, slot, at)));
            }
            Body::Due { rack, at } => self.racks[rack.place()].due = Some(*at),
            Body::Received { rack, serials } => self.receive(*rack, serials, led),
            Body::Installed { rack } => {
                for tray in self.rack(*rack).tray_numbers() {
                    if self.tray(tray).phase == Phase::Received {
                        self.say(tray, Word::Installed, led);
                    }
                }
            }
            Body::Sweep(sweep) => self.take_sweep(sweep, led),
            Body::Tested { rack, slots, passed, .. }
            | Body::TestedByHand { rack, slots, passed, .. } => {
                for tray in self.rack(*rack).tray_numbers() {
                    let bit = 1_u64 << self.tray(tray).slot;
                    if slots & bit == 0 {
                        continue;
                    }
                    let passed = passed & bit != 0;
                    self.trays[tray.place()].tested =
                        Some(super::phase::Tested { at, passed });
                    self.advance(tray, led);
                }
            }
            Body::Reserve { tenant, tranche, blocks, spares, .. } => {
                let first_new = self.blocks.len();
                for place in blocks {
                    let first = self.rack(place.rack).first.0;
                    let block = BlockNo(number(self.blocks.len()));
                    let seats: Vec<TrayNo> = place
                        .slots
                        .iter()
                        .map(|slot| TrayNo(first + u32::from(*slot)))
                        .collect();
                    for (seat, tray) in seats.iter().enumerate() {
                        let seat = u8::try_from(seat).expect("at most 64 seats");
                        self.trays[tray.place()].seat = Some((block, seat));
                        self.trays[tray.place()].spare = false;
                    }
                    self.blocks.push(Block {
                        tenant: tenant.clone(),
                        tranche: tranche.clone(),
                        rack: place.rack,
                        seats: seats.into_iter().map(Some).collect(),
                        reserved: at,
                        accepted: None,
                        handed_over: None,
                        returned: None,
                    });
                    self.meters.push(Vec::new());
                }
                for tray in spares {
                    self.trays[tray.place()].spare = true;
                }
                for (place, _) in (first_new..).zip(blocks) {
                    for tray in self.blocks[place].seats.clone().into_iter().flatten() {
                        self.seat_in_windows(tray, led);
                    }
                }
            }
            Body::Accept { block, evidence } => self.accept(*block, *evidence, led),
            Body::AcceptByHand { block, why } => {
                self.accept(*block, super::acceptance::word(&event.by, why), led);
            }
            Body::HandOver { block } => {
                self.blocks[block.place()].handed_over = Some(at);
                for tray in self.blocks[block.place()].seats.clone().into_iter().flatten()
                {
                    self.touch(tray, at, led);
                }
            }
            Body::Return { block, .. } => {
                let theirs = matches!(event.by, Actor::Tenant(_));
                let found = &mut self.blocks[block.place()];
                found.returned = Some((at, theirs));
                let trays: Vec<TrayNo> = found.seats.iter().copied().flatten().collect();
                for seat in 0..self.blocks[block.place()].seats.len() {
                    self.count_seat(*block, seat, at, led);
                }
                self.blocks[block.place()].seats.fill(None);
                for tray in trays {
                    self.trays[tray.place()].seat = None;
                    self.trays[tray.place()].returned = None;
                    self.trays[tray.place()].wished = None;
                    self.advance(tray, led);
                }
                self.free_spares(self.blocks[block.place()].rack);
            }
            Body::ReturnTray { tray, fault } => {
                let found = &mut self.trays[tray.place()];
                found.returned = Some(fault.clone());
                found.cordon = Some(fault.clone());
                self.touch(*tray, at, led);
            }
            Body::PowerCycle { tray } => {
                if matches!(event.by, Actor::Tenant(_)) {
                    self.trays[tray.place()].cycled = Some(at);
                    self.timers.insert((at + self.times.response, Timer::Tray(*tray)));
                }
                self.order(*tray, Command::PowerCycle, led);
                self.touch(*tray, at, led);
            }
            Body::Cordon { tray, why } if event.by == Actor::Site => {
                self.will_not(*tray, why, led);
                self.touch(*tray, at, led);
            }
            Body::Cordon { tray, why } => {
                self.trays[tray.place()].cordon = Some(why.clone());
                self.touch(*tray, at, led);
            }
            Body::Uncordon { tray } => {
                self.trays[tray.place()].cordon = None;
                self.touch(*tray, at, led);
            }
            Body::Substitute { out, into } => {
                let (block, seat) = self.tray(*out).seat.expect("checked");
                let meter = self.meters[block.place()].get(usize::from(seat));
                let worked = meter.is_some_and(|meter| {
                    matches!(meter.counted, Counted::Available | Counted::CustomerCaused)
                });
                let wished = worked && matches!(event.by, Actor::Tenant(_));
                self.blocks[block.place()].seats[usize::from(seat)] = Some(*into);
                let leaves = &mut self.trays[out.place()];
                leaves.seat = None;
                leaves.returned = None;
                leaves.wished = None;
                leaves.cordon.get_or_insert_with(|| "a spare took its seat".to_owned());
                let comes = &mut self.trays[into.place()];
                comes.seat = Some((block, seat));
                comes.spare = false;
                comes.wished = wished.then_some(at);
                if wished {
                    self.timers.insert((at + self.times.response, Timer::Tray(*into)));
                }
                self.seat_in_windows(*into, led);
                self.advance(*out, led);
                self.touch(*into, at, led);
            }
            Body::Pull { tray, .. } | Body::Release { tray, .. } => {
                self.say(*tray, Word::Pulled, led);
                self.count(*tray, at, led);
            }
            Body::Repaired { tray, serial } => {
                if let Some(serial) = serial {
                    // A retired machine left its slot when it was retired.
                    if !self.tray(*tray).serial.is_empty() {
                        self.take_out(*tray);
                    }
                    self.put_into(*tray, serial);
                }
                let found = &mut self.trays[tray.place()];
                found.cordon = None;
                found.returned = None;
                self.say(*tray, Word::Repaired, led);
                self.count(*tray, at, led);
            }
            // A rack comes as one: what was ordered with it does not come either. What
            // is here already stays.
            Body::Retire { tray, .. } if self.tray(*tray).phase == Phase::Ordered => {
                for tray in self.rack(self.tray(*tray).rack).tray_numbers() {
                    if self.tray(tray).phase == Phase::Ordered {
                        self.say(tray, Word::Retired, led);
                    }
                }
            }
            Body::Retire { tray, .. } => {
                self.take_out(*tray);
                self.trays[tray.place()].spare = false;
                self.say(*tray, Word::Retired, led);
            }
            Body::Retry { tray } => {
                if let Some(asked) = self.tray(*tray).asked {
                    self.trays[tray.place()].asked = None;
                    self.order(*tray, asked.command, led);
                }
                self.trays[tray.place()].told = false;
                self.advance(*tray, led);
            }
            Body::Announce { .. }
            | Body::AnnounceUntold { .. }
            | Body::Defer { .. }
            | Body::Done { .. }
            | Body::Cancel { .. }
            | Body::Flex { .. }
            | Body::Classify { .. } => self.keep_up(event, led),
            Body::Wake => self.wake(led),
        }
    }

    /// Says what changed of a rack beside its trays.
    fn notice_rack(
        &self,
        rack: RackNo,
        before: Option<RackShows>,
        shows: RackShows,
        led: &mut Led,
    ) {
        let shape = self.shape_of(rack);
        let is = |shows: &RackShows| {
            let switches = u32::from(shape.switch_trays) - shape.switches_down(shows);
            (switches, shape.shelves_up(shows), shows.leaks.count_ones())
        };
        let whole = (shape.switch_trays.into(), shape.power_shelves.into(), 0);
        let (was, now) = (before.as_ref().map_or(whole, is), is(&shows));
        if was == now {
            return;
        }
        let mut parts = Vec::new();
        if was.0 != now.0 {
            parts.push(format!("{} of {} switch trays work", now.0, shape.switch_trays));
        }
        if was.1 != now.1 {
            parts
                .push(format!("{} of {} power shelves work", now.1, shape.power_shelves));
        }
        match (was.2 != now.2, now.2) {
            (false, _) => {}
            (true, 0) => parts.push("nothing leaks any more".to_owned()),
            (true, 1) => parts.push("a detector finds a leak".to_owned()),
            (true, leaks) => parts.push(format!("{leaks} detectors find leaks")),
        }
        let text = format!("{}: {}", self.rack(rack).name, parts.join(", "));
        led.outputs.push(Output::Notice { tray: None, text });
    }

    /// A machine refuses what was ordered of it: that it is tried again helps nobody, so
    /// a person is told now.
    fn will_not(&mut self, number: TrayNo, why: &str, led: &mut Led) {
        let tray = &mut self.trays[number.place()];
        // What a person kept it for is not forgotten over this.
        tray.cordon.get_or_insert_with(|| why.to_owned());
        tray.told |= tray.asked.is_some();
        let text = format!("{}: {why}", self.slot_name(number));
        led.outputs.push(Output::Notice { tray: Some(number), text });
    }

    /// The place of a shape among those that were told or used, which it is put among
    /// where it is known without either.
    fn shape_named(&mut self, name: &str) -> Option<usize> {
        let place = self.shapes.iter().position(|known| known.name == *name);
        place.or_else(|| {
            let shape = super::shape::later().into_iter().find(|one| one.name == name)?;
            self.shapes.push(shape);
            Some(self.shapes.len() - 1)
        })
    }

    /// A rack is at the dock, or trays that did not come with it.
    fn receive(&mut self, rack: RackNo, serials: &[String], led: &mut Led) {
        for (tray, serial) in self.rack(rack).tray_numbers().zip(serials) {
            if !serial.is_empty() {
                self.put_into(tray, serial);
                self.say(tray, Word::Received, led);
            } else if self.tray(tray).phase == Phase::Ordered {
                let text = format!(
                    "{}: expected a machine with its rack, none came; it is ordered still",
                    self.slot_name(tray)
                );
                led.outputs.push(Output::Notice { tray: Some(tray), text });
            }
        }
    }

    /// Keeps no spares in a rack that no tenant has a block in any more.
    fn free_spares(&mut self, rack: RackNo) {
        let mut live = self.blocks.iter().filter(|block| block.is_live());
        if live.any(|block| block.rack == rack) {
            return;
        }
        for tray in self.rack(rack).tray_numbers() {
            self.trays[tray.place()].spare = false;
        }
    }

    /// A person's word about a tray.
    fn say(&mut self, tray: TrayNo, word: Word, led: &mut Led) {
        self.trays[tray.place()].word = Some(word);
        self.advance(tray, led);
    }

    /// Moves a tray on and counts its seat anew.
    pub(super) fn touch(&mut self, tray: TrayNo, at: Timestamp, led: &mut Led) {
        self.advance(tray, led);
        self.count(tray, at, led);
    }

    /// Puts the machine of a serial number into a slot.
    fn put_into(&mut self, tray: TrayNo, serial: &str) {
        self.serials.insert(serial.to_owned(), tray);
        let before = self.left.remove(serial);
        let found = &mut self.trays[tray.place()];
        found.serial = serial.to_owned();
        found.look = None;
        found.dirty = before.is_some_and(|left| left.dirty);
        let earlier = before.map_or(0, |left| left.generation);
        found.generation = found.generation.max(earlier);
    }

    /// Takes a slot's machine out, and remembers whether it was wiped.
    fn take_out(&mut self, tray: TrayNo) {
        let found = &mut self.trays[tray.place()];
        let serial = std::mem::take(&mut found.serial);
        self.serials.remove(&serial);
        let left = Left { dirty: found.dirty, generation: found.generation };
        self.left.insert(serial, left);
    }

    fn take_sweep(&mut self, sweep: &Sweep, led: &mut Led) {
        for (rack, shows) in &sweep.racks {
            let found = &mut self.racks[rack.place()];
            if found.shows.is_none_or(|(at, _)| at < sweep.at) {
                let before = found.shows.replace((sweep.at, *shows));
                self.notice_rack(*rack, before.map(|(_, before)| before), *shows, led);
                if sweep.of == Asked::Told {
                    for tray in self.rack(*rack).tray_numbers() {
                        self.count(tray, sweep.at, led);
                    }
                }
            }
        }
        for (tray, shows) in &sweep.changed {
            self.take_look(*tray, sweep.at, Some(shows), led);
        }
        let mut told = vec![false; self.trays.len()];
        for tray in sweep.silent.iter().chain(sweep.changed.iter().map(|(tray, _)| tray))
        {
            told[tray.place()] = true;
        }
        match &sweep.of {
            Asked::All => {
                for (place, told) in told.into_iter().enumerate() {
                    if !told {
                        self.take_look(TrayNo(number(place)), sweep.at, None, led);
                    }
                }
            }
            Asked::Racks(racks) => {
                for rack in racks {
                    for tray in self.rack(*rack).tray_numbers() {
                        if !told[tray.place()] {
                            self.take_look(tray, sweep.at, None, led);
                        }
                    }
                }
            }
            Asked::Told => {}
        }
        // Who was silent long enough is unknown from the last look on.
        for tray in &sweep.silent {
            self.count(*tray, sweep.at, led);
        }
    }

    /// Takes in that a tray was seen, showing what it showed before unless it is told.
    fn take_look(
        &mut self,
        number: TrayNo,
        at: Timestamp,
        told: Option<&Shows>,
        led: &mut Led,
    ) {
        let tray = &self.trays[number.place()];
        let newer = tray.look.as_ref().is_none_or(|look| look.at < at);
        // A machine that is not in its slot shows nothing of it, and an older look
        // says nothing that is not known better.
        if !tray.phase.is_looked_at() || !newer || (told.is_none() && tray.look.is_none())
        {
            return;
        }
        let stranger = told
            .and_then(|shows| shows.serial.as_deref())
            .is_some_and(|serial| serial != tray.serial);
        if stranger && tray.phase != Phase::Installed {
            let text = format!(
                "{}: expected the machine {}, another answers; what it says counts for nothing",
                self.slot_name(number),
                tray.serial
            );
            led.outputs.push(Output::Notice { tray: Some(number), text });
            return;
        }
        // A gap in the looks is unknown, before what the new look says counts.
        if let Some(look) = &tray.look
            && at - look.at > self.times.silence
        {
            self.count_silent(number, at, led);
        }
        let tray = &mut self.trays[number.place()];
        match (&mut tray.look, told) {
            (Some(look), None) => look.at = at,
            (look, Some(shows)) => *look = Some(Look { at, shows: shows.clone() }),
            (None, None) => {}
        }
        let mut moves = told.is_some();
        if let (Some(asked), Some(look)) = (tray.asked, &tray.look) {
            moves = true;
            if shown(&asked, look) {
                tray.asked = None;
                tray.told = false;
                match asked.command {
                    Command::Wipe => tray.dirty = false,
                    Command::HandOver => {
                        tray.handed = true;
                        tray.wished = None;
                    }
                    Command::PowerCycle => tray.cycled = None,
                    Command::PowerOn => {}
                }
            }
        }
        let tray = &self.trays[number.place()];
        let waits = !matches!(tray.phase, Phase::Accepted | Phase::InService);
        if moves || waits {
            self.advance(number, led);
        }
        let tray = &self.trays[number.place()];
        if tray.seat.is_some() {
            self.count(number, at, led);
        }
    }

    /// What the passing of time alone brings.
    fn wake(&mut self, led: &mut Led) {
        for place in 0..self.trays.len() {
            let number = TrayNo(number(place));
            let tray = &self.trays[place];
            if tray.asked.is_some() {
                self.advance(number, led);
            }
            let tray = &self.trays[place];
            if tray.seat.is_some() {
                self.count(number, self.known, led);
            }
            let tray = &self.trays[place];
            let overdue = self.due(number).is_some_and(|due| due <= self.known);
            let unheard = tray.asked.is_some_and(|asked| {
                asked.attempts >= self.times.attempts
                    && asked.at + self.times.response <= self.known
            });
            if (overdue || unheard) && !tray.told {
                let wait =
                    self.wait(number).map_or(String::new(), |wait| format!(": {wait}"));
                let text = format!(
                    "{} is {} since {}{wait}",
                    self.slot_name(number),
                    tray.phase.name(),
                    tray.since
                );
                self.trays[place].told = true;
                led.outputs.push(Output::Notice { tray: Some(number), text });
            }
        }
    }

    /// The next instant at which time alone changes something, and why.
    pub fn next_wake(&self) -> Option<(Timestamp, &'static str)> {
        let mut soonest: Option<(Timestamp, &'static str)> = None;
        let mut consider = |at: Timestamp, why: &'static str| {
            if soonest.is_none_or(|(before, _)| at < before) {
                soonest = Some((at, why));
            }
        };
        if let Some((at, _)) = self.timers.first() {
            consider(*at, "a window begins or ends, or a tenant's request is overdue");
        }
        for (place, tray) in self.trays.iter().enumerate() {
            if !tray.told
                && let Some(due) = self.due(TrayNo(number(place)))
            {
                consider(due, "a tray is in its phase for as long as is allowed");
            }
            if !tray.told
                && let Some(asked) = tray.asked
                && asked.attempts >= self.times.attempts
            {
                consider(asked.at + self.times.response, "an order has had no effect");
            }
            if let Some(asked) = tray.asked
                && asked.command == Command::HandOver
                && asked.at + self.times.response > self.known
            {
                consider(asked.at + self.times.response, "a boot has had its time");
            }
            if let (Some((block, seat)), Some(look)) = (tray.seat, &tray.look)
                && let Some(meter) = self.meters[block.place()].get(usize::from(seat))
                && meter.counted != Counted::Unknown
            {
                let silent = look.at + self.times.silence + Seconds::from_seconds(1);
                consider(silent, "a tray was not seen for too long");
            }
        }
        soonest
    }
}

/// A place as a number.
pub(super) fn number(place: usize) -> u32 {
    u32::try_from(place).expect("fewer than 2^32 of anything")
}
