//! Trays of the estate are handed over and wiped over Redfish, and nobody calls done what
//! was not seen.

use engine::capacity::meter::{Counted, Says};
use engine::capacity::{
    Actor, BlockNo, Body, Phase, Place, RackNo, Times, TrancheOf, TrayNo,
};
use mw::emulate::redfish::Fault;
use settle::contract::Hash;
use units::Seconds;

use super::estate::Scene;
use super::run;

fn red() -> Actor {
    Actor::Tenant("red".to_owned())
}

fn evidence() -> Hash {
    Hash::of(b"a bundle")
}

impl Scene {
    /// The rack passed its tests, and two of its trays are promised to somebody.
    async fn promised() -> Self {
        let mut scene = Self::burning_in().await;
        let (rack, slots, passed) = (RackNo(0), 0b111, 0b111);
        scene.say(Body::Tested { rack, slots, passed, evidence: evidence() });
        let tranche = TrancheOf { contract: "CAP".to_owned(), tranche: "H1".to_owned() };
        scene.say(Body::Reserve {
            tenant: "red".to_owned(),
            tranche,
            blocks: vec![Place { rack, slots: vec![0, 1] }],
            spares: Vec::new(),
            within: None,
        });
        scene.tell(red(), Body::Accept { block: BlockNo(0), evidence: evidence() });
        scene
    }

    /// What is not seen within a minute is ordered again, twice.
    fn impatient(&mut self) {
        let response = Seconds::minutes(1);
        self.say(Body::Times(Times { response, attempts: 2, ..Times::default() }));
    }

    fn hand_over(&mut self) {
        self.say(Body::HandOver { block: BlockNo(0) });
    }

    fn give_back(&mut self) {
        self.tell(
            red(),
            Body::Return { block: BlockNo(0), why: "the term ended".to_owned() },
        );
    }

    async fn in_service() -> Self {
        let mut scene = Self::promised().await;
        scene.hand_over();
        scene.until_phases([Phase::InService, Phase::InService, Phase::Accepted]).await;
        scene
    }

    async fn until_phases(&mut self, phases: [Phase; 3]) {
        let what = format!("{phases:?}");
        self.until(&what, |scene| scene.phases() == phases).await;
    }

    /// Looks so many times, whatever they show.
    async fn looks(&mut self, count: usize) {
        for _ in 0..count {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            self.look().await;
        }
    }

    /// What was said of seats, each thing once.
    fn counted(&self) -> Vec<Counted> {
        let mut counted: Vec<Counted> = Vec::new();
        for fact in &self.facts {
            if let Says::State { counted: now, .. } = fact.says
                && !counted.contains(&now)
            {
                counted.push(now);
            }
        }
        counted
    }

    fn is_told(&self, tray: u32) -> bool {
        self.estate.tray(TrayNo(tray)).told
    }
}

#[test]
fn a_block_reaches_its_tenant_and_comes_back_wiped() {
    run(async {
        let mut scene = Scene::promised().await;
        assert!(scene.trays.iter().all(|tray| !tray.runs_image() && !tray.is_written()));
        scene.hand_over();
        scene.until_phases([Phase::InService, Phase::InService, Phase::Accepted]).await;
        for (tray, has_image) in scene.trays.iter().zip([true, true, false]) {
            assert_eq!((tray.runs_image(), tray.is_written()), (has_image, has_image));
        }
        // A first boot is the tenant's own: nothing of it counts against the site.
        assert_eq!(scene.counted(), [Counted::Available]);
        let untouched = scene.shows(2).started;
        scene.give_back();
        scene.until_phases([Phase::Accepted; 3]).await;
        for (place, tray) in scene.trays.iter().enumerate() {
            assert!(!tray.runs_image() && !tray.is_written());
            assert!(!scene.estate.trays()[place].dirty);
            assert_eq!(scene.shows(place).gpus, 0b1111);
        }
        assert_eq!(scene.shows(2).started, untouched, "it was nobody's");
        assert_eq!(scene.counted(), [Counted::Available, Counted::CustomerCaused]);
        // It goes to the next one.
        assert_eq!(scene.estate.unfree(TrayNo(0)), None);
        assert!(scene.notices.is_empty(), "{:?}", scene.notices);
    });
}

/// Some take the override where settings wait for the next start, and nowhere else.
#[test]
fn an_override_is_written_where_it_is_taken() {
    run(async {
        let mut scene = Scene::promised().await;
        scene.trays[0].take(Fault::OverrideInSettings);
        scene.hand_over();
        scene.until_phases([Phase::InService, Phase::InService, Phase::Accepted]).await;
        assert!(scene.trays[0].runs_image());
        scene.give_back();
        scene.until_phases([Phase::Accepted; 3]).await;
        assert!(!scene.trays[0].is_written());
    });
}

/// A start that was not from where it was to be is no hand-over, though a system runs.
#[test]
fn a_start_from_elsewhere_is_no_hand_over() {
    run(async {
        let mut scene = Scene::promised().await;
        scene.impatient();
        scene.trays[0].take(Fault::OverrideIgnored);
        scene.trays[1].take(Fault::SaysYes);
        scene.hand_over();
        scene.looks(30).await;
        assert_eq!(scene.phases(), [Phase::Accepted; 3]);
        assert!(scene.trays[0].is_working() && !scene.trays[0].runs_image());
        assert_eq!(scene.shows(0).image, 0);
        // A person hears, and mends it; then it is ordered once more.
        scene.tell(Actor::Site, Body::Wake);
        assert!(scene.is_told(0) && scene.is_told(1) && !scene.is_told(2));
        for tray in [0, 1] {
            scene.trays[tray as usize].calm();
            scene.say(Body::Retry { tray: TrayNo(tray) });
        }
        scene.until_phases([Phase::InService, Phase::InService, Phase::Accepted]).await;
    });
}

#[test]
fn what_cannot_be_erased_goes_to_nobody_and_a_person_hears_why() {
    run(async {
        let mut scene = Scene::in_service().await;
        scene.trays[0].take(Fault::NoErase);
        scene.trays[1].take(Fault::EraseFails);
        scene.give_back();
        scene.until("both told", |scene| scene.is_told(0) && scene.is_told(1)).await;
        assert_eq!(scene.phases()[..2], [Phase::Draining; 2]);
        let why =
            |tray| scene.estate.tray(TrayNo(tray)).cordon.clone().expect("a reason");
        assert!(why(0).contains("NVMe_SSD_200 has no SecureErase"), "{}", why(0));
        assert!(why(1).contains("did not answer the sanitize command"), "{}", why(1));
        // Of each one word, however often it is looked at.
        scene.looks(5).await;
        assert_eq!(scene.notices.len(), 2, "{:?}", scene.notices);
        assert!(scene.notices[0].starts_with("R1.t00: the order to wipe was refused"));
        for tray in [0, 1] {
            assert!(scene.trays[tray as usize].is_written());
            assert!(scene.estate.tray(TrayNo(tray)).dirty);
            assert!(scene.estate.unfree(TrayNo(tray)).is_some());
        }
        // One is mended. For the other two people let the machine go, unwiped.
        scene.trays[0].calm();
        scene.say(Body::Uncordon { tray: TrayNo(0) });
        scene.say(Body::Retry { tray: TrayNo(0) });
        let second = "bob".to_owned();
        let why = "its drives are shredded".to_owned();
        scene.say(Body::Release { tray: TrayNo(1), second, why });
        scene.until_phases([Phase::Accepted, Phase::Repair, Phase::Accepted]).await;
        assert!(!scene.trays[0].is_written() && !scene.estate.tray(TrayNo(0)).dirty);
        assert!(scene.estate.tray(TrayNo(1)).dirty);
    });
}

/// Whoever has it in hand forgot what it was on: it is ordered again, and begun anew.
#[test]
fn a_wipe_that_was_forgotten_halfway_begins_anew() {
    run(async {
        let mut scene = Scene::in_service().await;
        scene.impatient();
        scene.give_back();
        scene.looks(2).await;
        scene.forget();
        scene.until_phases([Phase::Accepted; 3]).await;
        assert!(scene.trays.iter().all(|tray| !tray.is_written()));
        assert!(scene.estate.trays()[0].generation > 2);
    });
}

/// A machine that was swapped for another is not erased in its place.
#[test]
fn a_stranger_in_the_slot_is_left_alone() {
    run(async {
        let mut scene = Scene::in_service().await;
        scene.swap(0, 2);
        let before = scene.trays[2].is_working();
        scene.give_back();
        scene
            .until("the other wiped", |scene| scene.phases()[1] == Phase::Accepted)
            .await;
        assert_eq!(scene.phases()[0], Phase::Draining);
        assert_eq!(scene.trays[2].is_working(), before);
        assert!(scene.trays[0].is_written() && scene.estate.trays()[0].dirty);
    });
}
