//! What a full campus of racks costs a living run: 1,056 racks, 19,008 trays, 76,032
//! GPUs inside the engine's state, and a start from the store.
//!
//! `cargo run --release -p mw --example estate_speed` prints how long a step of the
//! engine takes that folds in a sweep, how long 512 GPUs take to place, and how long
//! a run takes from its store to its first step.

#![expect(clippy::print_stdout, reason = "an example prints what it measured")]

use std::path::Path;
use std::time::Instant;

use adapters::store::{Key, StoreAddress};
use anyhow::Context;
use engine::capacity::place::{Sparing, Wanted, place};
use engine::capacity::{
    self, Actor, Asked, BlockNo, Body, Command, Output, Place, Power, RackNo, RackShows,
    Reported, Shows, Sweep, TrancheOf, TrayNo,
};
use engine::journal::Step;
use engine::{Engine, Event, Input};
use mw::config;
use mw::live::journal::{Journal, record_of};
use mw::records::{KEY, STORE, runtime};
use settle::contract::Hash;
use units::{Interval, Seconds, Timestamp};

const RACKS: u32 = 1_056;
const TRAYS: u8 = 18;

/// A site whose one load is every rack of the campus.
const SITE: &str = r#"
format = 1
name = "campus"
[market]
name = "SYNTH"
settlement_point = "HB_SYNTH"
[interconnection]
import_limit_mw = 300
export_limit_mw = 0
[[feeders]]
name = "main"
limit_mw = 300
[[halls]]
name = "halls"
feeder = "main"
pue = 1.2
[pool]
fee_percent = 1
[policy]
decide_on = "real_time"
[[racks]]
name = "gpu"
model = "GB300 NVL72"
count = 1056
hall = "halls"
first_rack = "R0000"
uncommitted = { price_usd_per_gpu_hour = 2, notice_minutes = 30 }
"#;

struct Campus {
    engine: Engine,
    at: Timestamp,
    shows: Vec<Shows>,
    steps: Vec<Step>,
}

impl Campus {
    fn step(&mut self, event: Event) {
        let input = Input { at: self.at, event };
        let outputs = self.engine.step(&input);
        for output in &outputs {
            if let engine::Output::Estate(Output::Order { tray, command, generation }) =
                output
            {
                let shows = &mut self.shows[tray.0 as usize];
                match command {
                    Command::HandOver => shows.image = *generation,
                    Command::Wipe => shows.wiped = *generation,
                    Command::PowerOn | Command::PowerCycle => {}
                }
            }
        }
        self.steps.push(Step { input, outputs });
    }

    fn tell(&mut self, by: Actor, body: Body) {
        let event = capacity::Event { at: self.at, by, body };
        self.step(Event::Estate(Box::new(event)));
    }

    fn say(&mut self, body: Body) {
        self.tell(Actor::Operator("ada".to_owned()), body);
    }

    /// A sweep in which every `nth` tray is told as changed.
    fn sweep(&self, nth: usize) -> Sweep {
        let told = self.shows.iter().enumerate().step_by(nth);
        let changed: Vec<(TrayNo, Shows)> =
            told.map(|(place, shows)| (TrayNo(place as u32), shows.clone())).collect();
        Sweep { at: self.at, of: Asked::All, changed, silent: vec![], racks: vec![] }
    }

    fn look(&mut self) {
        self.at = self.at + Seconds::from_seconds(60);
        let mut sweep = self.sweep(1);
        let whole = RackShows { switches: 0x1ff, shelves: 0xff, leaks: 0 };
        sweep.racks = (0..RACKS).map(|rack| (RackNo(rack), whole)).collect();
        self.tell(Actor::Site, Body::Sweep(sweep));
    }

    /// Every rack accepted, three quarters of them in service in blocks of sixteen.
    fn built(engine: Engine, start: Timestamp) -> Self {
        let mut campus = Self { engine, at: start, shows: Vec::new(), steps: Vec::new() };
        campus.step(Event::Resume);
        campus.step(Event::Tick(Interval::starting(start, Seconds::minutes(5))));
        for rack in 0..RACKS {
            let name = format!("R{rack:04}");
            let serials: Vec<String> =
                (0..TRAYS).map(|slot| format!("{name}-{slot}")).collect();
            campus.shows.extend(serials.iter().map(|serial| Shows {
                power: Power::On,
                health: Reported::Ok,
                gpus: 0b1111,
                wiped: 0,
                image: 0,
                started: None,
                cap_w: None,
                serial: Some(serial.clone()),
            }));
            campus.say(Body::Rack {
                name,
                shape: "GB300 NVL72".to_owned(),
                hall: format!("hall {}", rack / 132),
                due: None,
                meant_for: None,
            });
            campus.say(Body::Received { rack: RackNo(rack), serials });
            campus.say(Body::Installed { rack: RackNo(rack) });
        }
        for _ in 0..3 {
            campus.look();
        }
        let (all, evidence) = ((1 << TRAYS) - 1, Hash::of(b"bundle"));
        for rack in (0..RACKS).map(RackNo) {
            campus.say(Body::Tested { rack, slots: all, passed: all, evidence });
        }
        for rack in 0..RACKS * 3 / 4 {
            campus.say(Body::Reserve {
                tenant: format!("tenant {}", rack % 4),
                tranche: TrancheOf {
                    contract: "CAP".to_owned(),
                    tranche: "H1".to_owned(),
                },
                blocks: vec![Place { rack: RackNo(rack), slots: (0..16).collect() }],
                spares: vec![],
                within: None,
            });
            campus.say(Body::Accept { block: BlockNo(rack), evidence });
            campus.say(Body::HandOver { block: BlockNo(rack) });
        }
        campus.look();
        campus
    }
}

fn shown(what: &str, mut micros: Vec<u128>) {
    micros.sort_unstable();
    let (middle, last) = (micros[micros.len() / 2], micros[micros.len() - 1]);
    println!(
        "{what:58} {middle:>9} us in the middle, {last:>9} us at most of {}",
        micros.len()
    );
}

fn main() -> anyhow::Result<()> {
    let folder = std::env::temp_dir().join(format!("mw-estate-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let measured = measure(&folder);
    std::fs::remove_dir_all(&folder)?;
    measured
}

fn measure(folder: &Path) -> anyhow::Result<()> {
    let site = config::read(Path::new("site.toml"), SITE.to_owned())?.site;
    let start = Timestamp::parse("2026-05-01").map_err(anyhow::Error::msg)?;
    let begun = Instant::now();
    let mut campus = Campus::built(Engine::live(site.clone(), start), start);
    println!(
        "{} steps bring {} trays in, {} ms",
        campus.steps.len(),
        campus.engine.estate().context("an estate")?.trays().len(),
        begun.elapsed().as_millis()
    );
    for (what, nth, times) in [
        ("a step that folds a sweep in which every tray is told", 1, 20),
        ("a step that folds a sweep in which a hundredth is", 100, 20),
        ("a step that folds a sweep in which one is", usize::MAX, 20),
    ] {
        let mut took = Vec::new();
        for _ in 0..times {
            campus.at = campus.at + Seconds::from_seconds(10);
            let sweep = campus.sweep(nth);
            let begun = Instant::now();
            campus.tell(Actor::Site, Body::Sweep(sweep));
            took.push(begun.elapsed().as_micros());
        }
        shown(what, took);
    }
    let wanted = Wanted {
        model: None,
        gpus: 512,
        trays_per_block: 16,
        tranche: None,
        spares: Sparing::default(),
    };
    let estate = campus.engine.estate().context("an estate")?;
    let mut took = Vec::new();
    for _ in 0..50 {
        let begun = Instant::now();
        place(estate, &wanted).map_err(|none| anyhow::anyhow!("{none}"))?;
        took.push(begun.elapsed().as_micros());
    }
    shown("place 512 GPUs in blocks of 16 trays", took);

    let address = StoreAddress::file(&folder.join(STORE));
    let key = Key::load_or_create(&folder.join(KEY))?;
    runtime()?.block_on(async {
        let mut journal = Journal::begin(&address, key, &site, start).await?.journal;
        let records: Vec<_> = campus.steps.iter().map(record_of).collect();
        for some in records.chunks(256) {
            journal.append(some).await?;
        }
        journal.keep_state(&campus.engine, true).await?;
        drop(journal);
        recovered(folder, &campus, "start from the store, nothing after the snapshot")
            .await?;
        // Looks every ten seconds, until shortly before the next snapshot is due.
        let key = Key::load(&folder.join(KEY))?;
        let mut journal = Journal::recover(&address, key).await?.journal;
        let (before, mut kept) = (campus.steps.len(), 0);
        for _ in 0..1_990 {
            campus.at = campus.at + Seconds::from_seconds(10);
            let sweep = campus.sweep(100);
            campus.tell(Actor::Site, Body::Sweep(sweep));
            let step = campus.steps.last().context("a step")?;
            journal.append(&[record_of(step)]).await?;
            let at = journal.seq();
            journal.keep_state(&campus.engine, false).await?;
            kept += u32::from(journal.seq() > at);
        }
        drop(journal);
        println!("{} steps more, {kept} checkpoints", campus.steps.len() - before);
        recovered(
            folder,
            &campus,
            "start from the store, shortly before the next snapshot",
        )
        .await
    })
}

/// Starts from the store and holds the engine against the one that lived.
async fn recovered(folder: &Path, campus: &Campus, what: &str) -> anyhow::Result<()> {
    let address = StoreAddress::file(&folder.join(STORE));
    let mut took = Vec::new();
    for _ in 0..3 {
        let key = Key::load(&folder.join(KEY))?;
        let begun = Instant::now();
        let found = Journal::recover(&address, key).await?;
        took.push(begun.elapsed().as_micros());
        anyhow::ensure!(
            found.engine.estate() == campus.engine.estate(),
            "another estate"
        );
    }
    shown(what, took);
    Ok(())
}
