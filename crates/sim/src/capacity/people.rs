//! What people, tenants and the program's looks do in a walk, sensible or not.

use engine::capacity::place::{Sparing, Wanted, place};
use engine::capacity::{
    Actor, Asked, BlockNo, Body, Phase, Place, RackNo, RackShows, Shape, Sweep,
    TrancheOf, TrayNo, Window,
};
use settle::contract::Hash;
use units::{Interval, Seconds};

use super::bystander::{Bystander, SITE_WORDS};
use super::{Broken, Holds, ROUNDS, Walk};

const TENANTS: [&str; 4] = ["red", "blue", "green", "amber"];

/// Racks of a walk; most are small, so that many can be walked through.
const RACKS: u32 = 100;

/// Generations of four trays that a switch tray joins.
const SMALL: [&str; 2] = ["small NVL", "small NVL next"];

fn small(name: &str) -> Shape {
    Shape {
        name: name.to_owned(),
        trays: 4,
        gpus_per_tray: 8,
        switch_trays: 1,
        power_shelves: 2,
        leak_detectors: 1,
    }
}

fn operator() -> Actor {
    Actor::Operator("ada".to_owned())
}

fn evidence() -> Hash {
    Hash::of(b"evidence")
}

impl Walk {
    /// One event, whatever it is.
    pub(super) fn step(&mut self) -> Result<(), Broken> {
        self.pass(240);
        match self.draws.below(100) {
            0..=3 => self.rack_comes(),
            4..=23 => self.look(true),
            24..=29 => self.befall(),
            30..=36 => self.wake(),
            37..=44 => self.judge_tests(),
            45..=49 => self.reserve(),
            50..=56 => self.block_goes_on(),
            57..=60 => self.tenant_wishes(),
            61..=64 => self.meddle(),
            65..=71 => self.repair(),
            72..=74 => self.substitute(),
            75..=77 => self.cordon(),
            78..=80 => self.upkeep(),
            81..=83 => self.classify(),
            84..=86 => self.release(),
            87..=88 => self.give_back(),
            89 => self.retire(),
            _ => self.look(true),
        }
    }

    fn say(&mut self, by: Actor, body: Body, what: &'static str) -> Result<(), Broken> {
        if self.tell(by, body)?.is_ok() {
            self.count(what);
        }
        Ok(())
    }

    fn any_tray(&mut self) -> Option<TrayNo> {
        let trays = self.estate.trays().len() as u64;
        (trays > 0).then(|| TrayNo(self.draws.below(trays) as u32))
    }

    /// A tray that something can be said of, if a few draws find one.
    fn tray_that(&mut self, wanted: impl Fn(&Self, TrayNo) -> bool) -> Option<TrayNo> {
        for _ in 0..40 {
            let tray = self.any_tray()?;
            if wanted(self, tray) {
                return Some(tray);
            }
        }
        None
    }

    fn in_phase(&mut self, phase: Phase) -> Option<TrayNo> {
        self.tray_that(|walk, tray| walk.estate.tray(tray).phase == phase)
    }

    fn any_block(&mut self) -> Option<BlockNo> {
        let blocks = self.estate.blocks().len() as u64;
        // Late blocks are more often alive.
        let last = blocks.min(40);
        (blocks > 0).then(|| BlockNo((blocks - 1 - self.draws.below(last)) as u32))
    }

    fn rack_comes(&mut self) -> Result<(), Broken> {
        let racks = self.estate.racks().len() as u32;
        if racks == 0 {
            for name in SMALL {
                self.say(operator(), Body::Shape(small(name)), "shapes told")?;
            }
        }
        if racks < RACKS {
            let shape = match self.draws.below(100) {
                0..=11 => "GB300 NVL72",
                12..=16 => "GB200 NVL72",
                17..=31 => "HGX B300",
                32..=36 => "HGX H100",
                37..=79 => SMALL[0],
                _ => SMALL[1],
            };
            let body = Body::Rack {
                name: format!("R{racks:03}"),
                shape: shape.to_owned(),
                hall: "north".to_owned(),
                due: None,
                meant_for: None,
            };
            self.say(operator(), body, "racks ordered")?;
        }
        // It is brought in and put up when its time comes.
        for _ in 0..3 {
            let racks = self.estate.racks().len() as u64;
            let rack = RackNo(self.draws.below(racks) as u32);
            self.bring_on(rack)?;
        }
        Ok(())
    }

    fn bring_on(&mut self, rack: RackNo) -> Result<(), Broken> {
        let trays: Vec<TrayNo> = self.estate.rack(rack).tray_numbers().collect();
        match self.estate.tray(trays[0]).phase == Phase::Ordered {
            true => {
                let gpus = self.estate.shape_of(rack).all_gpus();
                let serials: Vec<String> =
                    trays.iter().map(|_| self.machines.make(gpus)).collect();
                for (tray, serial) in trays.iter().zip(&serials) {
                    self.machines.put(*tray, serial);
                }
                let whole = RackShows { switches: u16::MAX, shelves: 0xff, leaks: 0 };
                self.machines.racks.insert(rack, whole);
                self.say(operator(), Body::Received { rack, serials }, "racks received")
            }
            false => self.say(operator(), Body::Installed { rack }, "racks installed"),
        }
    }

    /// Looks at all machines, or some; with faults some looks are late or missing.
    fn look(&mut self, faults: bool) -> Result<(), Broken> {
        let at = self.at;
        self.machines.work(at, faults);
        let late = faults && self.draws.chance(60_000);
        let back = if late { self.draws.integer(0..=400) } else { 0 };
        let part = faults && self.draws.chance(250_000);
        let racks: Vec<RackNo> = if part {
            let racks = self.estate.racks().len() as u64;
            (0..racks)
                .filter(|_| self.draws.chance(400_000))
                .map(|rack| RackNo(rack as u32))
                .collect()
        } else {
            Vec::new()
        };
        let mut changed = Vec::new();
        let mut silent = Vec::new();
        let mut stranger = None;
        let slots: Vec<TrayNo> = self.machines.slots.keys().copied().collect();
        for tray in slots {
            let found = self.estate.tray(tray);
            if !found.phase.is_looked_at() || (part && !racks.contains(&found.rack)) {
                continue;
            }
            let lost = faults && self.draws.chance(10_000);
            let last = found.look.as_ref().map(|look| look.shows.clone());
            let Some(machine) = self.machines.in_slot(tray) else { continue };
            if !machine.answers || lost {
                silent.push(tray);
                continue;
            }
            let shows = machine.shows.clone();
            // Most of all where something is awaited that its claims would bring about.
            let chance = if found.asked.is_some() { 20_000 } else { 300 };
            if faults && stranger.is_none() && self.draws.chance(chance) {
                // Another machine answers at the slot's address, and claims much.
                let mut claims = shows.clone();
                claims.serial = Some("stranger".to_owned());
                claims.wiped = found.generation;
                stranger = Some(());
                changed.push((tray, claims));
            } else if last.as_ref() != Some(&shows) || self.draws.chance(100_000) {
                changed.push((tray, shows));
            }
        }
        let shown =
            self.machines.racks.iter().filter(|(rack, _)| !part || racks.contains(rack));
        let rack_shows: Vec<(RackNo, RackShows)> = shown
            .filter(|(rack, shows)| {
                self.estate.rack(**rack).shows.map(|(_, before)| before) != Some(**shows)
            })
            .map(|(rack, shows)| (*rack, *shows))
            .collect();
        let of = match (part, faults && self.draws.chance(50_000)) {
            (true, _) => Asked::Racks(racks),
            (false, true) => Asked::Told,
            (false, false) => Asked::All,
        };
        let at = at - Seconds::from_seconds(back);
        let sweep = Sweep { at, of, changed, silent, racks: rack_shows };
        self.say(Actor::Site, Body::Sweep(sweep), "looks")?;
        if late {
            self.count("late looks");
        }
        Ok(())
    }

    fn wake(&mut self) -> Result<(), Broken> {
        self.say(Actor::Site, Body::Wake, "wakes")
    }

    fn befall(&mut self) -> Result<(), Broken> {
        for _ in 0..self.draws.below(4) {
            let Some(tray) = self.any_tray() else { return Ok(()) };
            let gpus = self.estate.shape_of(self.estate.tray(tray).rack).all_gpus();
            if let Some(what) = self.machines.befall(tray, gpus) {
                self.count(what);
            }
        }
        if self.draws.chance(60_000)
            && let Some(tray) = self.any_tray()
        {
            let rack = self.estate.tray(tray).rack;
            let leaks = u8::from(self.draws.chance(500_000));
            let switches =
                if self.draws.chance(500_000) { u16::MAX } else { u16::MAX - 1 };
            if let Some(shows) = self.machines.racks.get_mut(&rack) {
                *shows = RackShows { switches, shelves: 0xff, leaks };
                self.count("racks change");
            }
        }
        Ok(())
    }

    fn judge_tests(&mut self) -> Result<(), Broken> {
        let Some(tray) = self.in_phase(Phase::BurnIn) else { return Ok(()) };
        let rack = self.estate.tray(tray).rack;
        let waiting: u64 = self
            .estate
            .rack(rack)
            .tray_numbers()
            .map(|tray| self.estate.tray(tray))
            .filter(|tray| tray.phase == Phase::BurnIn)
            .map(|tray| 1 << tray.slot)
            .sum();
        let fails = if self.draws.chance(150_000) { self.draws.next_u64() } else { 0 };
        let passed = waiting & !fails;
        let body = Body::Tested { rack, slots: waiting, passed, evidence: evidence() };
        self.say(operator(), body, "tests judged")
    }

    fn tenant(&mut self) -> Actor {
        Actor::Tenant((*self.draws.pick(&TENANTS)).to_owned())
    }

    fn reserve(&mut self) -> Result<(), Broken> {
        let tenant = *self.draws.pick(&TENANTS);
        let trays_per_block = *self.draws.pick(&[1, 2, 3, 8, 16]);
        let small = trays_per_block < 4;
        let per_block = u32::from(trays_per_block) * if small { 8 } else { 4 };
        let tranche = TrancheOf {
            contract: "CAP".to_owned(),
            tranche: format!("{tenant}{}", self.draws.below(4)),
        };
        let named = self.draws.chance(200_000);
        let model = named.then(|| {
            (*self.draws.pick(&["GB200 NVL72", "HGX B300", "HGX H100", SMALL[1]]))
                .to_owned()
        });
        // Somebody finds room for one tranche and reserves it for another.
        let for_it = !self.draws.chance(100_000);
        let wanted = Wanted {
            gpus: per_block * self.draws.integer(1..=2) as u32,
            trays_per_block,
            model,
            tranche: for_it.then(|| tranche.clone()),
            spares: Sparing { failures_per_spare: 5, ..Sparing::default() },
        };
        let found = match place(&self.estate, &wanted) {
            Ok(found) => found,
            Err(_) => {
                self.count("no room");
                return Ok(());
            }
        };
        let mut blocks = found.blocks;
        if self.draws.chance(150_000)
            && let Some(tray) = self.any_tray()
        {
            // Somebody writes places down by hand.
            let tray = self.estate.tray(tray);
            let mut slots = vec![tray.slot];
            if self.draws.chance(500_000) {
                slots.push((tray.slot + 1) % self.estate.rack(tray.rack).trays);
            }
            let hand = Place { rack: tray.rack, slots };
            match self.draws.chance(400_000) {
                true => blocks = vec![hand],
                false => blocks.push(hand),
            }
        }
        let body = Body::Reserve {
            tenant: tenant.to_owned(),
            tranche,
            blocks,
            spares: found.spares,
            within: None,
        };
        let by = match self.draws.chance(500_000) {
            true => Actor::Tenant(tenant.to_owned()),
            false => operator(),
        };
        self.say(by, body, "reservations")
    }

    fn block_goes_on(&mut self) -> Result<(), Broken> {
        let Some(block) = self.any_block() else { return Ok(()) };
        let found = &self.estate.blocks()[block.0 as usize];
        let tenant = Actor::Tenant(found.tenant.clone());
        if found.accepted.is_none() && self.draws.chance(600_000) {
            let body = Body::Accept { block, evidence: evidence() };
            return self.say(tenant, body, "blocks accepted");
        }
        self.say(operator(), Body::HandOver { block }, "blocks handed over")
    }

    fn tenant_wishes(&mut self) -> Result<(), Broken> {
        let Some(tray) = self.in_phase(Phase::InService) else { return Ok(()) };
        let Some(tenant) = self.estate.tenant_of(tray) else { return Ok(()) };
        let tenant = Actor::Tenant(tenant.to_owned());
        match self.draws.below(3) {
            0 => {
                let body = Body::ReturnTray { tray, fault: "XID 79".to_owned() };
                self.say(tenant, body, "trays given back")
            }
            _ => self.say(tenant, Body::PowerCycle { tray }, "power cycles"),
        }
    }

    /// Somebody reaches for what is not theirs, or for what is not there.
    fn meddle(&mut self) -> Result<(), Broken> {
        let by = self.tenant();
        let block =
            BlockNo(self.draws.below(self.estate.blocks().len() as u64 + 2) as u32);
        let tray = TrayNo(self.draws.below(self.estate.trays().len() as u64 + 5) as u32);
        let why = || "mine".to_owned();
        let body = match self.draws.below(9) {
            0 => Body::Accept { block, evidence: evidence() },
            1 => Body::Return { block, why: why() },
            2 => Body::ReturnTray { tray, fault: why() },
            3 => Body::PowerCycle { tray },
            4 => Body::Cordon { tray, why: why() },
            5 => Body::Pull { tray, why: why() },
            6 => Body::HandOver { block },
            7 => Body::Uncordon { tray },
            _ => Body::Release { tray, second: "ben".to_owned(), why: why() },
        };
        self.say(by, body, "meddled and let be")
    }

    fn repair(&mut self) -> Result<(), Broken> {
        if self.draws.chance(300_000) {
            let pulled = self.tray_that(|walk, tray| {
                walk.estate.wait(tray).is_some()
                    || (walk.estate.tray(tray).phase.is_looked_at()
                        && !walk.estate.is_healthy(tray))
            });
            let Some(tray) = pulled else { return Ok(()) };
            let body = Body::Pull { tray, why: "does not work".to_owned() };
            return self.say(operator(), body, "trays pulled");
        }
        let slot_of =
            |retired: bool| if retired { Phase::Retired } else { Phase::Repair };
        let retired = self.draws.chance(100_000);
        let Some(tray) = self.in_phase(slot_of(retired)) else { return Ok(()) };
        let gpus = self.estate.shape_of(self.estate.tray(tray).rack).all_gpus();
        let serial = match self.draws.below(4) {
            // Another machine: new, or one off the shelf, with whatever is on it.
            0 => Some(self.machines.make(gpus)),
            1 => self.shelf(),
            _ => None,
        };
        let put = serial.clone();
        if self.tell(operator(), Body::Repaired { tray, serial })?.is_ok() {
            if let Some(serial) = &put {
                self.machines.put(tray, serial);
                self.count("machines swapped");
            }
            if self.draws.chance(850_000) {
                self.machines.mend(tray, gpus);
            }
            self.count(if retired { "retired slots filled" } else { "trays repaired" });
        }
        Ok(())
    }

    /// A machine that is in no slot.
    fn shelf(&mut self) -> Option<String> {
        let shelf: Vec<String> = self
            .machines
            .by_serial
            .keys()
            .filter(|serial| !self.machines.slots.values().any(|used| used == *serial))
            .cloned()
            .collect();
        (!shelf.is_empty()).then(|| self.draws.pick(&shelf).clone())
    }

    fn substitute(&mut self) -> Result<(), Broken> {
        let failing = self.tray_that(|walk, tray| {
            walk.estate.tray(tray).seat.is_some() && !walk.estate.is_healthy(tray)
        });
        // A tenant may want another machine in place of one that works.
        let theirs = self.draws.chance(200_000);
        let seated = self.tray_that(|walk, tray| walk.estate.tray(tray).seat.is_some());
        let Some(out) = (if theirs { seated } else { failing }) else { return Ok(()) };
        let by = match self.estate.tenant_of(out) {
            Some(tenant) if theirs => Actor::Tenant(tenant.to_owned()),
            Some(_) | None => operator(),
        };
        let rack = self.estate.tray(out).rack;
        let trays: Vec<TrayNo> = self.estate.rack(rack).tray_numbers().collect();
        let free = trays.iter().find(|tray| self.estate.unfree(**tray).is_none());
        let into = match free {
            Some(free) if self.draws.chance(900_000) => *free,
            _ => *self.draws.pick(&trays),
        };
        let what = if theirs { "tenants swap machines" } else { "spares take over" };
        self.say(by, Body::Substitute { out, into }, what)
    }

    fn cordon(&mut self) -> Result<(), Broken> {
        let cordoned =
            self.tray_that(|walk, tray| walk.estate.tray(tray).cordon.is_some());
        match cordoned {
            Some(tray) if self.draws.chance(600_000) => {
                self.say(operator(), Body::Uncordon { tray }, "uncordoned")
            }
            _ => {
                let Some(tray) = self.any_tray() else { return Ok(()) };
                let body = Body::Cordon { tray, why: "looks odd".to_owned() };
                self.say(operator(), body, "cordoned")
            }
        }
    }

    fn upkeep(&mut self) -> Result<(), Broken> {
        let open: Vec<&Window> =
            self.estate.windows().iter().filter(|window| window.done.is_none()).collect();
        let count = open.len();
        if count > 0 && (count > 8 || self.draws.chance(500_000)) {
            let window = open[self.draws.below(count as u64) as usize].clone();
            if self.draws.chance(200_000) {
                let by =
                    if self.draws.chance(500_000) { self.tenant() } else { operator() };
                // Only the site's people may make it longer.
                let later = match &by {
                    Actor::Tenant(_) => Seconds::hours(1),
                    Actor::Operator(_) | Actor::Site => Seconds::hours(2),
                };
                let during = Interval {
                    start: window.during.start + Seconds::hours(1),
                    end: window.during.end + later,
                };
                let body = Body::Defer { id: window.id, window: during };
                return self.say(by, body, "work put off");
            }
            if self.draws.chance(250_000) {
                let (id, why) = (window.id, SITE_WORDS.to_owned());
                let body = Body::Cancel { id, why };
                return self.say(operator(), body, "work called off");
            }
            return self.say(operator(), Body::Done { id: window.id }, "work done");
        }
        let mut trays: Vec<TrayNo> =
            (0..self.draws.below(4) + 1).filter_map(|_| self.any_tray()).collect();
        trays.sort_unstable();
        trays.dedup();
        let emergency = self.draws.chance(600_000);
        // What happens to be announced already is hit again.
        if self.draws.chance(300_000)
            && let Some(tray) =
                self.tray_that(|walk, tray| !walk.estate.tray(tray).windows.is_empty())
            && !trays.contains(&tray)
        {
            trays.push(tray);
        }
        let beside = trays.iter().any(|tray| !self.estate.tray(*tray).windows.is_empty());
        let ahead = if emergency { 2 } else { 14 * 24 };
        let start = self.at
            + Seconds::hours(ahead)
            + Seconds::from_seconds(self.draws.integer(0..=3_600));
        let long = Seconds::from_seconds(self.draws.integer(60..=20_000));
        let body = Body::Announce {
            id: format!("M{}", self.estate.windows().len()),
            trays,
            window: Interval::starting(start, long),
            emergency,
            why: SITE_WORDS.to_owned(),
            told: self.draws.chance(300_000).then(|| "firmware".to_owned()),
        };
        let what = match (emergency, beside) {
            (true, true) => "emergencies beside other work",
            (true, false) | (false, _) => "work announced",
        };
        self.say(operator(), body, what)
    }

    fn classify(&mut self) -> Result<(), Broken> {
        let incidents = self.estate.incidents().len() as u64;
        if incidents == 0 {
            return Ok(());
        }
        let place = self.draws.below(incidents) as usize;
        let incident = self.estate.incidents()[place].id.clone();
        let class = *self.draws.pick(&Bystander::classes());
        let body = Body::Classify { incident, class, evidence: None };
        self.say(operator(), body, "incidents classified")
    }

    fn release(&mut self) -> Result<(), Broken> {
        let stuck = self.tray_that(|walk, tray| {
            let asked = walk.estate.tray(tray).asked;
            asked.is_some_and(|asked| asked.attempts > 1)
                || walk.estate.tray(tray).phase == Phase::Draining
        });
        let Some(tray) = stuck else { return Ok(()) };
        if self.draws.chance(500_000) {
            return self.say(operator(), Body::Retry { tray }, "ordered once more");
        }
        let second = if self.draws.chance(800_000) { "ben" } else { "ada" };
        let body = Body::Release {
            tray,
            second: second.to_owned(),
            why: "nothing moves it".to_owned(),
        };
        self.say(operator(), body, "released by two")
    }

    fn give_back(&mut self) -> Result<(), Broken> {
        let Some(block) = self.any_block() else { return Ok(()) };
        let tenant = self.estate.blocks()[block.0 as usize].tenant.clone();
        let by =
            if self.draws.chance(700_000) { Actor::Tenant(tenant) } else { operator() };
        self.say(
            by,
            Body::Return { block, why: "enough".to_owned() },
            "blocks given back",
        )
    }

    fn retire(&mut self) -> Result<(), Broken> {
        if !self.draws.chance(200_000) {
            return Ok(());
        }
        let Some(tray) = self.any_tray() else { return Ok(()) };
        let body = Body::Retire { tray, why: "worn".to_owned() };
        if self.tell(operator(), body)?.is_ok() {
            // It goes to the shelf, with whatever is on it.
            self.machines.slots.remove(&tray);
            self.count("trays retired");
        }
        Ok(())
    }

    /// The faults stop, and everybody does what is waited for: everything comes free.
    pub(super) fn calm(&mut self) -> Result<(), Broken> {
        let said = |walk: &mut Self, body: Body| -> Result<(), Broken> {
            match walk.tell(operator(), body.clone())? {
                Ok(()) => Ok(()),
                Err(why) => {
                    let text = format!("{body:?} cannot be done in the end: {why}");
                    Err(walk.broken(Holds::NoDeadEnd, text))
                }
            }
        };
        let open: Vec<_> = self
            .estate
            .windows()
            .iter()
            .filter(|window| window.done.is_none())
            .map(|window| (window.id.clone(), window.during.start))
            .collect();
        for (id, begins) in open {
            let why = "the end".to_owned();
            let body = match begins > self.at {
                true => Body::Cancel { id, why },
                false => Body::Done { id },
            };
            said(self, body)?;
        }
        for block in 0..self.estate.blocks().len() {
            if self.estate.blocks()[block].is_live() {
                let block = BlockNo(block as u32);
                said(self, Body::Return { block, why: "the end".to_owned() })?;
            }
        }
        for shows in self.machines.racks.values_mut() {
            *shows = RackShows { switches: u16::MAX, shelves: 0xff, leaks: 0 };
        }
        for _ in 0..ROUNDS {
            for tray in (0..self.estate.trays().len()).map(|place| TrayNo(place as u32)) {
                let gpus = self.estate.shape_of(self.estate.tray(tray).rack).all_gpus();
                self.machines.mend(tray, gpus);
                if self.estate.tray(tray).cordon.is_some() {
                    said(self, Body::Uncordon { tray })?;
                }
                if self.estate.tray(tray).phase == Phase::Repair {
                    said(self, Body::Repaired { tray, serial: None })?;
                }
                if self
                    .estate
                    .tray(tray)
                    .asked
                    .is_some_and(|asked| asked.at + Seconds::hours(1) < self.at)
                {
                    said(self, Body::Retry { tray })?;
                }
            }
            for rack in (0..self.estate.racks().len()).map(|place| RackNo(place as u32)) {
                let phases: Vec<Phase> = self
                    .estate
                    .rack(rack)
                    .tray_numbers()
                    .map(|tray| self.estate.tray(tray).phase)
                    .collect();
                if phases
                    .iter()
                    .all(|phase| matches!(phase, Phase::Ordered | Phase::Received))
                {
                    self.bring_on(rack)?;
                }
                let slots: u64 = phases
                    .iter()
                    .enumerate()
                    .filter(|(_, phase)| **phase == Phase::BurnIn)
                    .map(|(slot, _)| 1 << slot)
                    .sum();
                if slots != 0 {
                    let body =
                        Body::Tested { rack, slots, passed: slots, evidence: evidence() };
                    said(self, body)?;
                }
            }
            self.at = self.at + Seconds::from_seconds(120);
            self.look(false)?;
            self.wake()?;
            let all = (0..self.estate.trays().len()).map(|place| TrayNo(place as u32));
            let mut left = all.filter(|tray| {
                self.estate.tray(*tray).phase != Phase::Retired
                    && self.estate.unfree(*tray).is_some()
            });
            if left.next().is_none() {
                self.count("everything came free");
                let seen = self.bystander.end(self.at, &self.estate);
                return seen.map_err(|(holds, text)| self.broken(holds, text));
            }
        }
        let all = (0..self.estate.trays().len()).map(|place| TrayNo(place as u32));
        let stuck: Vec<String> = all
            .filter(|tray| {
                let phase = self.estate.tray(*tray).phase;
                phase != Phase::Retired && self.estate.unfree(*tray).is_some()
            })
            .map(|tray| {
                let wait =
                    self.estate.wait(tray).map_or(String::new(), |wait| wait.to_string());
                let phase = self.estate.tray(tray).phase.name();
                format!("{} {phase} {wait}", self.estate.slot_name(tray))
            })
            .take(3)
            .collect();
        Err(self.broken(Holds::NoDeadEnd, format!("does not come free: {stuck:?}")))
    }
}
