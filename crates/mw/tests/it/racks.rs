//! Racks in a living run: what happens to them is durable before anything is done,
//! and a run that is killed goes on as if it had not been.

use std::fs;
use std::path::{Path, PathBuf};

use adapters::store::{Key, StoreAddress};
use engine::capacity::{
    Actor, BlockNo, Body, Estate, Phase, Place, RackNo, TrancheOf, TrayNo,
};
use engine::journal::Step;
use engine::{Event, Input, Output};
use mw::capacity::facts::recount;
use mw::capacity::{Record, events_by};
use mw::config;
use mw::live::journal::{Journal, Recovered, record_of};
use mw::live::racks::{FACTS, Racks};
use mw::live::resume;
use mw::records::{KEY, STORE, runtime};
use settle::contract::Hash;
use settle::facts::Facts;
use sim::hall::{Befalls, Hall};
use units::{Interval, Seconds, Timestamp};

use crate::backtest::fresh;

/// How often the hall is looked at.
const EVERY: Seconds = Seconds::from_seconds(10);

/// How many looks a run has.
const LOOKS: u64 = 540;

/// A living run of racks alone, without a clock around it.
struct Living {
    folder: PathBuf,
    engine: engine::Engine,
    journal: Journal,
    racks: Racks,
    hall: Hall,
    start: Timestamp,
    now: Timestamp,
    looks: u64,
}

fn start() -> Timestamp {
    Timestamp::parse("2026-05-01T00:00Z").expect("an instant")
}

fn operator() -> Actor {
    Actor::Operator("ada".to_owned())
}

/// What people and tenants say, by the look before which they say it.
fn said(look: u64, now: Timestamp) -> Vec<(Actor, Body)> {
    let rack = RackNo(0);
    let all = (1 << 18) - 1;
    let red = || Actor::Tenant("red".to_owned());
    let tranche = || TrancheOf { contract: "CAP".to_owned(), tranche: "H1".to_owned() };
    let evidence = Hash::of(b"a bundle");
    match look {
        1 => vec![(
            operator(),
            Body::Rack {
                name: "R1".to_owned(),
                shape: "GB300 NVL72".to_owned(),
                hall: "A".to_owned(),
                due: None,
                meant_for: Some(tranche()),
            },
        )],
        2 => {
            let serials = (0..18).map(|slot| format!("S{slot:02}")).collect();
            vec![(operator(), Body::Received { rack, serials })]
        }
        3 => vec![(operator(), Body::Installed { rack })],
        20 => {
            vec![(operator(), Body::Tested { rack, slots: all, passed: all, evidence })]
        }
        // Somebody asks for what is not theirs, and nothing comes of it.
        21 => vec![(red(), Body::PowerCycle { tray: TrayNo(3) })],
        22 => {
            let blocks = vec![Place { rack, slots: (0..16).collect() }];
            let (tenant, spares) = ("red".to_owned(), vec![TrayNo(16)]);
            let tranche = tranche();
            vec![(
                operator(),
                Body::Reserve { tenant, tranche, blocks, spares, within: None },
            )]
        }
        24 => vec![(red(), Body::Accept { block: BlockNo(0), evidence })],
        25 => vec![(operator(), Body::HandOver { block: BlockNo(0) })],
        60 => vec![(red(), Body::PowerCycle { tray: TrayNo(3) })],
        100 => {
            let fault = "a GPU is missing".to_owned();
            vec![(red(), Body::ReturnTray { tray: TrayNo(5), fault })]
        }
        105 => vec![(red(), Body::Substitute { out: TrayNo(5), into: TrayNo(16) })],
        200 => vec![(
            operator(),
            Body::Announce {
                id: "W1".to_owned(),
                trays: vec![TrayNo(1), TrayNo(2)],
                window: Interval::starting(
                    now + Seconds::minutes(5),
                    Seconds::minutes(10),
                ),
                emergency: true,
                why: "a valve".to_owned(),
                told: None,
            },
        )],
        // Later than the window, so that a part of it overruns.
        320 => vec![(operator(), Body::Done { id: "W1".to_owned() })],
        480 => {
            let why = "the term ended".to_owned();
            vec![(red(), Body::Return { block: BlockNo(0), why })]
        }
        _ => Vec::new(),
    }
}

impl Living {
    async fn begin(name: &str) -> Self {
        let folder = fresh(name);
        fs::create_dir_all(&folder).expect("a folder");
        let site = config::load(&crate::backtest::root().join("examples/mixed-10mw"));
        let site = site.expect("an example").site;
        let key = Key::load_or_create(&folder.join(KEY)).expect("a key");
        let found = Journal::begin(&address(&folder), key, &site, start()).await;
        Self::of(folder, found.expect("a store"), Hall::default(), start(), 0).await
    }

    async fn of(
        folder: PathBuf,
        found: Recovered,
        hall: Hall,
        now: Timestamp,
        looks: u64,
    ) -> Self {
        let told = found.engine.facts_told();
        let racks = Racks::open(&folder, "mixed", told, &address(&folder)).await;
        let racks = racks.expect("facts");
        let (engine, journal) = (found.engine, found.journal);
        Self { folder, engine, journal, racks, hall, start: start(), now, looks }
    }

    /// The process dies. With `before`, what was durable was not carried out yet.
    async fn killed(self, before: Option<Step>) -> Self {
        let Self { folder, mut journal, hall, now, looks, .. } = self;
        if let Some(step) = before {
            journal.append(&[record_of(&step)]).await.expect("a record");
        }
        drop(journal);
        let facts = folder.join(FACTS);
        if let Ok(mut bytes) = fs::read(&facts) {
            // The last line was being written.
            bytes.truncate(bytes.len().saturating_sub(40));
            fs::write(&facts, bytes).expect("a file");
        }
        let key = Key::load(&folder.join(KEY)).expect("a key");
        let found = Journal::recover(&address(&folder), key).await.expect("a run");
        Self::of(folder, found, hall, now, looks).await
    }

    /// What happens next: what is said, then a look.
    fn coming(&mut self) -> Vec<Event> {
        self.looks += 1;
        self.now =
            self.start + Seconds::from_seconds(EVERY.as_seconds() * self.looks as i64);
        if let (Some(estate), 90 | 400 | 440) = (self.engine.estate(), self.looks) {
            let befalls = match self.looks {
                90 => (TrayNo(5), Befalls::GpuLost),
                400 => (TrayNo(7), Befalls::Silent),
                _ => (TrayNo(7), Befalls::Mended),
            };
            self.hall.befall(estate, befalls.0, befalls.1);
        }
        let mut events: Vec<Event> = said(self.looks, self.now)
            .into_iter()
            .map(|(by, body)| self.of_racks(by, body))
            .collect();
        if let Some(sweep) =
            self.engine.estate().and_then(|estate| self.hall.look(estate, self.now))
        {
            events.push(self.of_racks(Actor::Site, Body::Sweep(sweep)));
        }
        events.push(Event::Wake);
        events
    }

    fn of_racks(&self, by: Actor, body: Body) -> Event {
        Event::Estate(Box::new(engine::capacity::Event { at: self.now, by, body }))
    }

    fn step(&mut self, event: Event) -> Step {
        let input = Input { at: self.now, event };
        let outputs = self.engine.step(&input);
        Step { input, outputs }
    }

    fn carry_out(&mut self, step: &Step) {
        for output in &step.outputs {
            let Output::Estate(followed) = output else { continue };
            self.racks.carry_out(followed);
            if let engine::capacity::Output::Order { tray, command, generation } =
                followed
            {
                let estate = self.engine.estate().expect("there are racks");
                self.hall.order(estate, (*tray, *command, *generation), self.now);
            }
        }
    }

    async fn live(mut self, deaths: &[u64]) -> Self {
        while self.looks < LOOKS {
            let events = self.coming();
            let dies = deaths.contains(&self.looks);
            let count = events.len();
            for (place, event) in events.into_iter().enumerate() {
                let step = self.step(event);
                if dies && place + 1 == count {
                    // Orders of this step are lost with the process.
                    let lost = step.outputs.iter().any(|output| {
                        matches!(
                            output,
                            Output::Estate(engine::capacity::Output::Order { .. })
                        )
                    });
                    assert!(!lost, "the hall would not hear what it was told");
                    self = self.killed(Some(step)).await;
                } else {
                    let kept = self.journal.append(&[record_of(&step)]).await;
                    kept.expect("a record");
                    self.carry_out(&step);
                }
            }
        }
        self
    }

    fn estate(&self) -> &Estate {
        self.engine.estate().expect("there are racks")
    }

    fn facts(&self) -> String {
        fs::read_to_string(self.folder.join(FACTS)).expect("facts")
    }
}

fn address(folder: &Path) -> StoreAddress {
    StoreAddress::file(&folder.join(STORE))
}

#[test]
fn a_run_that_is_killed_again_and_again_has_the_same_racks_and_facts() {
    runtime().expect("a runtime").block_on(async {
        let whole = Living::begin("racks-whole").await.live(&[]).await;
        let deaths = [1, 2, 4, 23, 26, 30, 61, 99, 104, 231, 290, 299, 431, 490, 539];
        let killed = Living::begin("racks-killed").await.live(&deaths).await;
        assert_eq!(killed.estate(), whole.estate());
        assert_eq!(killed.facts(), whole.facts());

        // It is the life that was meant: everything happened, and everything ended.
        let estate = whole.estate();
        assert!(estate.blocks()[0].returned.is_some());
        assert_eq!(estate.incidents().len(), 3, "{:?}", estate.incidents());
        let free = (0..18).filter(|tray| estate.unfree(TrayNo(*tray)).is_none());
        assert_eq!(free.count(), 17, "one has a GPU less");
        assert_eq!(estate.tray(TrayNo(5)).phase, Phase::Repair);

        // A tenant comes to the same figure from the facts alone.
        let facts = Facts::read(&whole.facts()).expect("facts");
        let counted = recount(&facts, None, estate.known());
        let tranche = &estate.blocks()[0].tranche;
        let (_, availability) = estate.availability(tranche);
        assert_eq!(counted["H1"].availability(), availability);
        assert!(availability.0 < availability.1 && availability.0 > 0);
    });
}

#[test]
fn facts_that_the_journal_does_not_have_are_not_passed_over() {
    runtime().expect("a runtime").block_on(async {
        let living = Living::begin("racks-older").await.live(&[]).await;
        let told = living.engine.facts_told();
        let lines = living.facts().lines().count() as u64;
        assert_eq!(lines, told);
        let store = address(&living.folder);
        let open = Racks::open(&living.folder, "mixed", told - 1, &store);
        let error = open.await.expect_err("one too many").to_string();
        assert!(error.contains("move the file away"), "{error}");
    });
}

#[test]
fn a_site_that_was_told_of_no_racks_has_none() {
    runtime().expect("a runtime").block_on(async {
        let mut living = Living::begin("racks-none").await;
        living.now = start() + EVERY;
        let nobody = living.of_racks(operator(), Body::Installed { rack: RackNo(0) });
        let step = living.step(nobody);
        assert!(
            matches!(
                &step.outputs[..],
                [Output::Notice(engine::Notice::EstateRefused { .. })]
            ),
            "{:?}",
            step.outputs
        );
        let later = engine::capacity::Event {
            at: living.now + EVERY,
            by: operator(),
            body: Body::Times(engine::capacity::Times::default()),
        };
        let step = living.step(Event::Estate(Box::new(later)));
        assert!(matches!(
            &step.outputs[..],
            [Output::Notice(engine::Notice::EstateRefused { .. })]
        ));
        assert!(living.engine.estate().is_none());
        assert!(!living.folder.join(FACTS).exists());
    });
}

#[test]
fn a_record_kept_as_files_is_taken_over_once() {
    let folder = fresh("racks-files");
    let estate = folder.join("estate");
    let mut record = Record::open_to_add(&estate).expect("a folder");
    let at = |look: u64| start() + Seconds::from_seconds(10 * look as i64);
    let event = |look| {
        let (by, body) = said(look, at(look)).remove(0);
        engine::capacity::Event { at: at(look), by, body }
    };
    let place = |number| format!("event {number}");
    record.add(&[event(1), event(2), event(3)], &place).expect("they may be");
    let kept = record.estate.clone();
    drop(record);
    let early = events_by(&estate, at(2)).expect_err("the site's clock is behind");
    assert!(early.to_string().contains("the site's time"), "{early}");
    runtime().expect("a runtime").block_on(async {
        let living = Living::begin("racks-files-run").await;
        let site = living.engine.state().site.clone();
        let recovered = |living: Living| async move {
            drop(living.journal);
            let key = Key::load(&living.folder.join(KEY)).expect("a key");
            Journal::recover(&address(&living.folder), key).await.expect("a run")
        };
        let (data, now) = (living.folder.clone(), at(5));
        let events = events_by(&estate, now).expect("events");
        let found = recovered(living).await;
        let resumed = resume(found, &site, events.clone(), now).await;
        let (engine, journal, steps) = resumed.expect("it goes on");
        assert_eq!(steps.len(), 4, "the start, and three events");
        assert_eq!(engine.estate(), Some(&kept));
        drop(journal);
        let key = Key::load(&data.join(KEY)).expect("a key");
        let found = Journal::recover(&address(&data), key).await.expect("a run");
        let again = resume(found, &site, events, now).await.expect("it goes on");
        assert_eq!(again.0.estate(), Some(&kept), "once is enough");
    });
}
