//! The racks of a living run in hand over Redfish: the trays that the site file has
//! addresses for are looked at, and switched, handed over and wiped as the estate orders.
//!
//! What a look shows is held against the estate's last one, so that only changes are
//! said. What a tray refuses for good is said too, so that a person hears of it at once.
//!
//! Invariant: an order that was overtaken by a newer one is not carried out.
//! Invariant: what a look shows is said as of when it began.

mod beside;
mod errands;
mod joined;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use adapters::device::redfish::{Condition, Health, Tray};
use adapters::device::{Answer, Refusal, Unanswered};
use engine::capacity::{
    Actor, Asked, Body, Command, Estate, Power, RackNo, RackShows, Reported, Shows,
    Sweep, TrayNo,
};
use futures_util::{StreamExt, stream};
use tokio::sync::mpsc::Receiver;
use tracing::{info, warn};
use units::{Seconds, Timestamp};

use super::Happened;
use super::racks::{Ordered, Seen};
pub use beside::{Beside, Cabling, read_cabling};
use beside::{Found, is_ours};
use errands::{One, Underway, effect_of, will_not};
pub use joined::Joined;

/// How often every tray is looked at.
const LOOK_EVERY: Seconds = Seconds::from_seconds(10);

/// How long a tray may take to show how it stands, or to answer an order.
const WITHIN: Duration = Duration::from_secs(8);

/// The most racks whose switch trays and shelf are asked at once.
const RACKS_AT_ONCE: usize = 32;

/// The most trays that are asked at once.
const AT_ONCE: usize = 256;

/// Trays by the names of their slots in the estate, such as `R0012.t03`.
#[derive(Clone, Debug, Default)]
pub struct Trays {
    by_slot: BTreeMap<String, Arc<Tray>>,
    /// What each said of its last reset, and when another was first seen.
    resets: BTreeMap<String, (String, Option<Timestamp>)>,
    /// Slots whose machine did not answer at the last look.
    silent: BTreeMap<String, String>,
    /// What they are asked beside their controllers, and what was last found wrong.
    beside: BTreeMap<TrayNo, Asking>,
    to_ask: BTreeMap<String, Beside>,
    /// What joins and feeds racks, by their names.
    joined: BTreeMap<String, Joined>,
    underway: Underway,
    /// Trays that refuse what was ordered of them, and why.
    refused: BTreeMap<TrayNo, String>,
}

/// What a tray is asked beside its controller.
#[derive(Clone, Debug)]
struct Asking {
    what: Beside,
    /// What was wrong, in words; empty while nothing was.
    wrong: String,
}

/// How one tray answered.
struct Answered {
    number: TrayNo,
    slot: String,
    condition: Result<Condition, Unanswered>,
    /// What it is on.
    on: Option<One>,
    /// What was found beside its controller, where it may be asked.
    found: Option<Found>,
}

impl Trays {
    /// These, by the names of their slots.
    pub fn of(by_slot: BTreeMap<String, Arc<Tray>>) -> Self {
        Self { by_slot, ..Self::default() }
    }

    /// Asked beside their controllers, by the names of their slots.
    pub fn beside(self, to_ask: BTreeMap<String, Beside>) -> Self {
        Self { to_ask, ..self }
    }

    /// In racks that are joined and fed by these, by their names.
    pub fn joined(self, joined: BTreeMap<String, Joined>) -> Self {
        Self { joined, ..self }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.by_slot.len()
    }

    /// Looks at every tray that stands in a slot: what is different from the estate's
    /// last look. Nothing where none of them does.
    pub async fn look(&mut self, estate: &Estate, at: Timestamp) -> Option<Sweep> {
        let standing: Vec<(TrayNo, String, Arc<Tray>)> = (0..)
            .map(TrayNo)
            .zip(estate.trays())
            .filter(|(_, tray)| tray.phase.is_looked_at())
            .filter_map(|(number, _)| {
                let slot = estate.slot_name(number);
                let tray = Arc::clone(self.by_slot.get(&slot)?);
                Some((number, slot, tray))
            })
            .collect();
        if standing.is_empty() {
            return None;
        }
        self.underway.forget(estate);
        let asked = standing.into_iter().map(|(number, slot, tray)| {
            let on = self.underway.take(number);
            let serial = estate.tray(number).serial.as_str();
            let beside = self.to_ask.get(&slot).filter(|_| is_ours(estate.tray(number)));
            look_at(number, (slot, tray), on, beside.cloned(), (serial, at))
        });
        let asked: Vec<_> = asked.collect();
        let mut answered: Vec<Answered> =
            stream::iter(asked).buffer_unordered(AT_ONCE).collect().await;
        answered.sort_by_key(|answered| answered.number);
        let parts = self.look_at_parts(estate, &answered).await;
        Some(self.sweep(estate, at, answered, parts))
    }

    /// Looks at what joins and feeds the racks of these trays, where it has addresses.
    async fn look_at_parts(
        &self,
        estate: &Estate,
        trays: &[Answered],
    ) -> BTreeMap<RackNo, joined::Seen> {
        let mut racks: Vec<RackNo> =
            trays.iter().map(|answered| estate.tray(answered.number).rack).collect();
        racks.dedup();
        let looks = racks.into_iter().filter_map(|number| {
            let joined = self.joined.get(&estate.rack(number).name)?.clone();
            Some(async move { (number, joined.look(WITHIN).await) })
        });
        let looks: Vec<_> = looks.collect();
        stream::iter(looks).buffer_unordered(RACKS_AT_ONCE).collect().await
    }

    fn sweep(
        &mut self,
        estate: &Estate,
        at: Timestamp,
        answered: Vec<Answered>,
        parts: BTreeMap<RackNo, joined::Seen>,
    ) -> Sweep {
        let (mut changed, mut silent) = (Vec::new(), Vec::new());
        let mut leaks: BTreeMap<RackNo, u8> = BTreeMap::new();
        for Answered { number, slot, mut condition, on, found } in answered {
            let tray = estate.tray(number);
            if let (Ok(condition), Some(found)) = (&mut condition, found) {
                self.found(number, &slot, condition, &found);
            }
            if let Some(why) = on.and_then(|on| self.underway.put(number, on)) {
                self.refuses(number, &slot, why);
            }
            match condition {
                Ok(condition) => {
                    self.answers_again(&slot);
                    let wet = leaks.entry(tray.rack).or_default();
                    *wet |= u8::from(!condition.leaks.is_empty());
                    let shows = self.shows(estate, number, &slot, condition, at);
                    if tray.look.as_ref().is_none_or(|look| look.shows != shows) {
                        changed.push((number, shows));
                    }
                }
                Err(why) => {
                    self.is_silent(&slot, &why);
                    silent.push(number);
                }
            }
        }
        let mut racks = Vec::new();
        let of: Vec<RackNo> = leaks.keys().copied().collect();
        for (number, leaks) in leaks {
            let rack = estate.rack(number);
            let whole = (1_u32 << estate.shape_of(number).switch_trays) - 1;
            let whole = u16::try_from(whole).expect("at most 16 switch trays");
            let before = rack.shows.map(|(_, shows)| shows);
            let seen = parts.get(&number);
            let joined = self.joined.entry(rack.name.clone()).or_default();
            let Some(shows) = joined.shows(&rack.name, whole, before, seen) else {
                continue;
            };
            let shows = RackShows { leaks, ..shows };
            if rack.shows.is_none_or(|(_, seen)| seen != shows) {
                racks.push((number, shows));
            }
        }
        Sweep { at, of: Asked::Racks(of), changed, silent, racks }
    }

    /// How a machine stands, in the estate's words.
    fn shows(
        &mut self,
        estate: &Estate,
        number: TrayNo,
        slot: &str,
        condition: Condition,
        at: Timestamp,
    ) -> Shows {
        let last = estate.tray(number).look.as_ref().map(|look| &look.shows);
        let whole = estate.shape_of(estate.tray(number).rack).all_gpus();
        let on = condition.on == Some(true);
        let health = match condition.health {
            _ if !condition.leaks.is_empty() => Reported::Critical,
            Health::Ok => Reported::Ok,
            Health::Warning => Reported::Warning,
            Health::Critical => Reported::Critical,
        };
        let watts = condition.held_to.map(|held| held.as_watts());
        let mut shows = Shows {
            power: if on { Power::On } else { Power::Off },
            health,
            // Of one that is off nobody knows what will answer.
            // Of one that lists none, either, once nobody counts them any more.
            gpus: if on && condition.lists_gpus {
                condition.gpus & whole
            } else {
                last.map_or(0, |one| one.gpus)
            },
            wiped: last.map_or(0, |one| one.wiped),
            image: last.map_or(0, |one| one.image),
            started: self.started(slot, &condition, last, at),
            cap_w: watts.and_then(|watts| u32::try_from(watts).ok()),
            serial: condition.serial.map(|serial| serial.to_string()),
        };
        self.underway.show(number, whole, at, &mut shows);
        shows
    }

    /// When it was last started, as far as anybody saw: when it first told of another
    /// reset than before. Its own clock may be off.
    fn started(
        &mut self,
        slot: &str,
        condition: &Condition,
        last: Option<&Shows>,
        at: Timestamp,
    ) -> Option<Timestamp> {
        let before = last.and_then(|shows| shows.started);
        let Some(said) = condition.reset_at.as_ref().map(ToString::to_string) else {
            return before;
        };
        let known = self.resets.get(slot);
        let started = match known {
            Some((earlier, started)) if *earlier == said => started.or(before),
            Some(_) => Some(at),
            None => before,
        };
        self.resets.insert(slot.to_owned(), (said, started));
        started
    }

    fn answers_again(&mut self, slot: &str) {
        if self.silent.remove(slot).is_some() {
            info!(event = "tray_answers_again", slot);
        }
    }

    fn is_silent(&mut self, slot: &str, why: &Unanswered) {
        let why = why.to_string();
        if self.silent.get(slot) != Some(&why) {
            warn!(event = "tray_silent", slot, "{why}");
            self.silent.insert(slot.to_owned(), why);
        }
    }

    /// Takes in what was found of a tray beside its controller; what is wrong is said once,
    /// and while it is so the tray is not well.
    fn found(
        &mut self,
        number: TrayNo,
        slot: &str,
        condition: &mut Condition,
        found: &Found,
    ) {
        let Some(what) = self.to_ask.get(slot) else { return };
        let new = || Asking { what: what.clone(), wrong: String::new() };
        let asking = self.beside.entry(number).or_insert_with(new);
        let wrong = asking.what.put_into(condition, found);
        let wrong: Vec<String> = wrong.iter().map(ToString::to_string).collect();
        let wrong = wrong.join("; ");
        if !wrong.is_empty() {
            condition.health = condition.health.max(Health::Critical);
        }
        if wrong != asking.wrong {
            asking.wrong.clone_from(&wrong);
            if !wrong.is_empty() {
                warn!(event = "tray_not_well", slot, "{wrong}");
                self.refused.insert(number, wrong);
            }
        }
    }

    fn refuses(&mut self, number: TrayNo, slot: &str, why: String) {
        warn!(event = "rack_order_refused", slot, "{why}");
        self.refused.insert(number, why);
    }

    /// What the site has to say of trays that refuse what was ordered of them; of each
    /// once.
    pub fn refusals(&mut self, estate: &Estate) -> Vec<Body> {
        let refused = std::mem::take(&mut self.refused);
        let news = refused.into_iter().filter(|(number, why)| {
            let tray = estate.tray(*number);
            tray.cordon.as_ref() != Some(why) || (tray.asked.is_some() && !tray.told)
        });
        news.map(|(tray, why)| Body::Cordon { tray, why }).collect()
    }

    /// Carries out the newest order of each machine.
    pub async fn carry_out(&mut self, estate: &Estate, orders: Vec<Ordered>) {
        let mut newest: BTreeMap<TrayNo, (Command, u32)> = BTreeMap::new();
        for (tray, command, generation) in orders {
            let kept = newest.entry(tray).or_insert((command, generation));
            if generation >= kept.1 {
                *kept = (command, generation);
            }
        }
        let mut telling = Vec::new();
        for (number, (command, generation)) in newest {
            let slot = estate.slot_name(number);
            // The estate may have changed its mind meanwhile.
            if estate.tray(number).generation > generation {
                continue;
            }
            let Some(tray) = self.by_slot.get(&slot).map(Arc::clone) else {
                let (order, why) =
                    (command.name(), "the site file has no address for it");
                warn!(event = "rack_order_not_said", slot, order, "{why}");
                continue;
            };
            match effect_of(command) {
                // It is gone about at the next look, when it is known who is there.
                Some(effect) => self.underway.order(number, effect, generation),
                None => telling.push(tell(number, slot, tray, command)),
            }
        }
        let mut told = stream::iter(telling).buffer_unordered(AT_ONCE);
        let mut refused = Vec::new();
        while let Some(said) = told.next().await {
            refused.extend(said);
        }
        drop(told);
        for (number, slot, why) in refused {
            self.refuses(number, &slot, why);
        }
    }
}

/// Looks at one tray, and goes on with what it is on where it is the machine that is
/// meant.
async fn look_at(
    number: TrayNo,
    (slot, tray): (String, Arc<Tray>),
    mut on: Option<One>,
    beside: Option<Beside>,
    (serial, at): (&str, Timestamp),
) -> Answered {
    let mut condition = tray.condition(Instant::now() + WITHIN).await;
    if let (Some(one), Ok(stands)) = (&mut on, &condition)
        && stands.serial.as_ref().is_some_and(|found| found.as_str() == serial)
    {
        condition = one.go_on(&tray, &slot, stands.clone(), (at, WITHIN)).await;
    }
    let mut found = None;
    if let (Some(beside), Ok(stands)) = (beside, &condition)
        && stands.on == Some(true)
    {
        found = beside.ask(&tray, Instant::now() + WITHIN).await.ok();
    }
    Answered { number, slot, condition, on, found }
}

/// Tells a tray something that takes one request; says why where it refuses.
async fn tell(
    number: TrayNo,
    slot: String,
    tray: Arc<Tray>,
    command: Command,
) -> Option<(TrayNo, String, String)> {
    let by = Instant::now() + WITHIN;
    let order = command.name();
    let answer = match command {
        Command::PowerOn => tray.power_on(by).await,
        Command::PowerCycle => tray.power_cycle(by).await,
        Command::Wipe | Command::HandOver => return None,
    };
    match answer {
        Answer::Accepted => info!(event = "rack_order_said", slot, order),
        // It is read back by the looks, and never repeated here.
        answer @ (Answer::Unknown(_) | Answer::Refused(Refusal::Busy(_))) => {
            warn!(event = "rack_order_in_doubt", slot, order, ?answer);
        }
        Answer::Refused(why) => return Some((number, slot, will_not(command, &why))),
    }
    None
}

/// Looks at the trays and carries out what is ordered of them, until the run ends.
pub(super) async fn drive(mut trays: Trays, of: Seen, mut orders: Receiver<Ordered>) {
    while !of.mailbox.is_closed() {
        let next = of.clock.now() + LOOK_EVERY;
        if let Some(estate) = of.board.estate() {
            let mut waiting = Vec::new();
            while let Ok(order) = orders.try_recv() {
                waiting.push(order);
            }
            trays.carry_out(&estate, waiting).await;
            let sweep = trays.look(&estate, of.clock.now()).await.map(Body::Sweep);
            for body in sweep.into_iter().chain(trays.refusals(&estate)) {
                let body = Box::new(body);
                let happened = Happened::Estate { by: Actor::Site, body, answer: None };
                // The loop may have ended already.
                drop(of.mailbox.send(happened).await);
            }
        }
        tokio::time::sleep(of.clock.until(next)).await;
    }
}
