//! A rack of the estate whose trays are behind Redfish services: found, switched on,
//! seen to fail, and switched off and on.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use adapters::device::redfish::Tray as Driven;
use engine::capacity::{
    Actor, Asked, Body, Command, Estate, Event, NewFact, Output, Phase, Power, RackNo,
    Reported, Shape, Sweep, TrayNo,
};
use mw::emulate::redfish::{Fault, Served, Tray as Emulated};
use mw::live::racks::Ordered;
use mw::live::trays::{Beside, Joined, Trays};
use units::{Seconds, Timestamp};

use super::{by, driver, emulated, run, serve};

/// A rack of three trays, the estate that has it, and who looks at it.
pub(crate) struct Scene {
    pub(crate) trays: Vec<Emulated>,
    served: Option<Served>,
    in_hand: Trays,
    by_slot: BTreeMap<String, Arc<Driven>>,
    pub(crate) estate: Estate,
    pub(crate) now: Timestamp,
    orders: Vec<Ordered>,
    pub(crate) notices: Vec<String>,
    pub(crate) facts: Vec<NewFact>,
}

impl Scene {
    /// The rack stands in its place, and its trays are off.
    pub(crate) async fn installed() -> Self {
        let trays: Vec<Emulated> = (1..=3).map(emulated).collect();
        let served = serve(&trays).await;
        let drivers: Vec<_> =
            served.addresses.iter().map(|at| Arc::new(driver(*at))).collect();
        for tray in &drivers {
            let condition = tray.condition(by()).await.expect("it answers");
            assert_eq!((condition.on, condition.gpus), (Some(false), 0));
        }
        let shape = Shape {
            name: "three".to_owned(),
            trays: 3,
            gpus_per_tray: 4,
            switch_trays: 9,
            power_shelves: 8,
            leak_detectors: 2,
        };
        let mut scene = Self::of(drivers, shape, BTreeMap::new()).await;
        (scene.trays, scene.served) = (trays, Some(served));
        scene
    }

    /// A rack of these trays stands in its place, with the serial numbers that they have.
    pub(crate) async fn of(
        drivers: Vec<Arc<Driven>>,
        shape: Shape,
        beside: BTreeMap<String, Beside>,
    ) -> Self {
        let mut by_slot = BTreeMap::new();
        let mut serials = Vec::new();
        for (slot, tray) in drivers.into_iter().enumerate() {
            let condition = tray.condition(by()).await.expect("it answers");
            serials.push(condition.serial.expect("a serial number").to_string());
            by_slot.insert(format!("R1.t{slot:02}"), tray);
        }
        let mut scene = Self {
            trays: Vec::new(),
            served: None,
            in_hand: Trays::of(by_slot.clone()).beside(beside),
            by_slot,
            estate: Estate::default(),
            now: Timestamp::parse("2026-05-01").expect("a date"),
            orders: Vec::new(),
            notices: Vec::new(),
            facts: Vec::new(),
        };
        let name = shape.name.clone();
        scene.say(Body::Shape(shape));
        scene.say(Body::Rack {
            name: "R1".to_owned(),
            shape: name,
            hall: "north".to_owned(),
            due: None,
            meant_for: None,
        });
        scene.say(Body::Received { rack: RackNo(0), serials });
        scene.say(Body::Installed { rack: RackNo(0) });
        scene
    }

    pub(crate) fn tell(&mut self, by: Actor, body: Body) {
        let event = Event { at: self.now, by, body };
        for output in self.estate.fold(&event).expect("it may be") {
            match output {
                Output::Order { tray, command, generation } => {
                    self.orders.push((tray, command, generation));
                }
                Output::Notice { text, .. } => self.notices.push(text),
                Output::Fact(fact) => self.facts.push(fact),
                Output::Moved { .. } | Output::Told { .. } => {}
            }
        }
    }

    pub(crate) fn say(&mut self, body: Body) {
        self.tell(Actor::Operator("ada".to_owned()), body);
    }

    /// Ten seconds pass, every tray is looked at, and what follows is carried out.
    pub(crate) async fn look(&mut self) -> Sweep {
        self.now = self.now + Seconds::from_seconds(10);
        let sweep = self.in_hand.look(&self.estate, self.now).await.expect("trays");
        self.tell(Actor::Site, Body::Sweep(sweep.clone()));
        for refusal in self.in_hand.refusals(&self.estate) {
            self.tell(Actor::Site, refusal);
        }
        let orders = std::mem::take(&mut self.orders);
        self.in_hand.carry_out(&self.estate, orders).await;
        sweep
    }

    /// Looks until it is so, for as long as a loaded machine may take.
    pub(crate) async fn until(&mut self, what: &str, is_so: impl Fn(&Self) -> bool) {
        for _ in 0..200 {
            if is_so(self) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
            self.look().await;
        }
        let count = u32::try_from(self.estate.trays().len()).expect("few trays");
        let trays: Vec<_> =
            (0..count).map(|tray| self.estate.wait(TrayNo(tray))).collect();
        panic!("{what} never came: {trays:?}");
    }

    pub(crate) fn phases(&self) -> Vec<Phase> {
        self.estate.trays().iter().map(|tray| tray.phase).collect()
    }

    pub(crate) fn shows(&self, tray: usize) -> engine::capacity::Shows {
        self.estate.trays()[tray].look.clone().expect("a look").shows
    }

    /// The rack is joined and fed by what has addresses too.
    pub(crate) fn join(&mut self, joined: Joined) {
        let joined = BTreeMap::from([("R1".to_owned(), joined)]);
        self.in_hand = std::mem::take(&mut self.in_hand).joined(joined);
    }

    /// The program that looks is another, which knows nothing of what was on its way.
    pub(crate) fn forget(&mut self) {
        self.in_hand = Trays::of(self.by_slot.clone());
    }

    /// Whoever looks finds in each of two slots the machine of the other.
    pub(crate) fn swap(&mut self, one: usize, other: usize) {
        let name = |slot: usize| format!("R1.t{slot:02}");
        let mut by_slot = self.by_slot.clone();
        by_slot.insert(name(one), Arc::clone(&self.by_slot[&name(other)]));
        by_slot.insert(name(other), Arc::clone(&self.by_slot[&name(one)]));
        self.in_hand = Trays::of(by_slot);
    }

    /// The rack is found, switched on and ready for its tests.
    pub(crate) async fn burning_in() -> Self {
        let mut scene = Self::installed().await;
        scene.until("burn-in", |scene| scene.phases() == [Phase::BurnIn; 3]).await;
        scene
    }
}

#[test]
fn a_rack_is_found_and_switched_on_as_the_estate_orders() {
    run(async {
        let mut scene = Scene::installed().await;
        let first = scene.look().await;
        assert_eq!(first.changed.len(), 3);
        assert_eq!(first.of, Asked::Racks(vec![RackNo(0)]));
        assert!(first.changed.iter().all(|(_, shows)| shows.power == Power::Off));
        scene.until("burn-in", |scene| scene.phases() == [Phase::BurnIn; 3]).await;
        for tray in 0..3 {
            let shows = scene.shows(tray);
            assert_eq!((shows.power, shows.health), (Power::On, Reported::Ok));
            assert_eq!((shows.gpus, shows.cap_w), (0b1111, None));
        }
        assert_eq!(scene.estate.is_intact(RackNo(0)), Some(true));
        // What stays as it is is not told again.
        let again = scene.look().await;
        assert_eq!(
            (again.changed.len(), again.silent.len(), again.racks.len()),
            (0, 0, 0)
        );
    });
}

#[test]
fn a_missing_gpu_a_leak_and_a_dead_controller_are_seen() {
    run(async {
        let mut scene = Scene::burning_in().await;
        scene.trays[0].take(Fault::GpuMissing(2));
        scene.trays[1].take(Fault::Leak(0));
        scene.trays[2].take(Fault::Unreachable);
        let sweep = scene.look().await;
        assert_eq!(sweep.silent, [TrayNo(2)]);
        assert_eq!(scene.shows(0).gpus, 0b1011);
        assert_eq!(scene.shows(1).health, Reported::Critical);
        assert_eq!(scene.estate.is_intact(RackNo(0)), Some(false));
        assert_eq!(sweep.racks[0].1.leaks, 1);
        // Nobody has seen the third since, and nobody says anything of it.
        let seen = scene.estate.trays()[2].look.as_ref().expect("a look").at;
        assert!(seen < sweep.at);
        // It comes back as it was.
        scene.trays[2].calm();
        scene
            .until("an answer", |scene| {
                scene.estate.trays()[2]
                    .look
                    .as_ref()
                    .is_some_and(|look| look.at > sweep.at)
            })
            .await;
    });
}

/// A tray tells when it was last reset: that it is another time than before shows that
/// it was, and not that the order was accepted.
#[test]
fn a_power_cycle_is_done_when_another_reset_is_seen() {
    run(async {
        let mut scene = Scene::burning_in().await;
        let before = scene.shows(1).started;
        let asked_at = scene.now;
        let generation = scene.estate.trays()[1].generation;
        // Another order is newer: the older one is not carried out.
        let orders = vec![
            (TrayNo(0), Command::PowerCycle, scene.estate.trays()[0].generation - 1),
            (TrayNo(1), Command::PowerCycle, generation),
        ];
        scene.in_hand.carry_out(&scene.estate, orders).await;
        let untouched = scene.shows(0).started;
        scene.until("a start", |scene| scene.shows(1).started != before).await;
        let started = scene.shows(1).started.expect("a start");
        assert!(started > asked_at, "{started} {asked_at}");
        assert_eq!(scene.shows(0).started, untouched);
        scene
            .until("the whole tray", |scene| {
                let shows = scene.shows(1);
                shows.power == Power::On && shows.gpus == 0b1111
            })
            .await;
        assert_eq!(scene.shows(1).started, Some(started), "it was one start");
    });
}
