//! Days of a load by the hour, drawn from seeds: racks of it are promised, given and come
//! back, prices rise and fall, limits come and go. Books of their own say which racks have
//! to run, and which must not.

use engine::capacity::{BlockNo, Body, RackNo};
use engine::{Ask, Event, Instruction, Known, Signal, Source};
use units::{EnergyPrice, Interval, Power, Seconds, Timestamp};

use super::{Scene, clock};

/// How long it may take until who has a rack shows in who has power: the notice of half
/// an hour is booked apart from it.
const SETTLES: Seconds = Seconds::minutes(10);

/// The racks that are accepted.
const RACKS: u32 = 4;

/// What a limit leaves room for.
const ROOM: usize = 2;

/// Numbers from a seed, none of which anybody chose.
struct Draws(u64);

impl Draws {
    fn below(&mut self, count: u64) -> u64 {
        // Knuth's linear congruential generator; its high bits are good.
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % count
    }
}

/// What the books say of one rack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Booked {
    /// On offer, since then.
    Offered(Timestamp),
    /// Somebody's block, from then on whatever power costs.
    Promised { block: BlockNo, from: Timestamp, given: bool },
}

/// One day.
struct Day {
    scene: Scene,
    draws: Draws,
    racks: Vec<Booked>,
    /// Since when power costs more than anybody pays for a rack by the hour.
    dear_since: Option<Timestamp>,
    limited_until: Timestamp,
    limits: u32,
    /// How often a rack had to run although it was dear, and while a limit held.
    kept_up: (u32, u32),
}

impl Day {
    fn of(seed: u64) -> Self {
        let mut scene = Scene::new();
        scene.price(100, "10:05", "15:30");
        let start = scene.live.now;
        Self {
            scene,
            draws: Draws(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15)),
            racks: vec![Booked::Offered(start); RACKS as usize],
            dear_since: None,
            limited_until: start,
            limits: 0,
            kept_up: (0, 0),
        }
    }

    fn now(&self) -> Timestamp {
        self.scene.live.now
    }

    fn promised(&self) -> usize {
        self.racks.iter().filter(|rack| matches!(rack, Booked::Promised { .. })).count()
    }

    /// Something happens, on an edge of five minutes.
    fn happens(&mut self) {
        let rack = self.draws.below(u64::from(RACKS)) as usize;
        let (now, number) = (self.now(), RackNo(rack as u32));
        self.scene.campus.at = now;
        self.scene.campus.look();
        match (self.draws.below(6), self.racks[rack]) {
            (0 | 1, Booked::Offered(since)) if self.promised() < ROOM => {
                // What came back is wiped and looked at first.
                if now - since < SETTLES {
                    return;
                }
                let given = self.draws.below(2) == 0;
                let slots = 0..18;
                let from = match given {
                    true => now,
                    false => now + Seconds::minutes(30),
                };
                let campus = &mut self.scene.campus;
                let block = match given {
                    true => campus.deliver("red", "H1", number, slots),
                    false => campus.reserve("red", "H1", number, slots),
                };
                self.racks[rack] = Booked::Promised { block, from, given };
            }
            (2, Booked::Promised { block, from, .. }) if now - from >= SETTLES => {
                let why = "the term ended".to_owned();
                self.scene.campus.say(Body::Return { block, why });
                self.racks[rack] = Booked::Offered(now);
            }
            (3 | 4, _) => self.price(now),
            (5, _) if now >= self.limited_until => self.limit(now),
            _ => {}
        }
        self.scene.tell();
    }

    fn price(&mut self, now: Timestamp) {
        let dear = self.dear_since.is_none();
        self.dear_since = dear.then_some(now);
        let value = EnergyPrice::from_usd_per_mwh(if dear { 800 } else { 100 });
        let during = Interval { start: now, end: clock("23:00") };
        let known = Known { value, during, known_at: now, source: Source::Lmp };
        self.scene.live.input(Event::Signal(Signal::Price(known)));
        let interval = Interval::starting(now, Seconds::minutes(5));
        self.scene.live.input(Event::Tick(interval));
    }

    fn limit(&mut self, now: Timestamp) {
        self.limits += 1;
        let lasts = Seconds::minutes(30 + 15 * self.draws.below(4) as i64);
        self.limited_until = now + lasts;
        let limit = Instruction {
            name: format!("tight {}", self.limits),
            programme: 0,
            ask: Ask::Limit(Power::from_kw(2_070)),
            during: Interval { start: now, end: self.limited_until },
            best_effort: false,
            known_at: now,
        };
        self.scene.live.input(Event::Signal(Signal::Instruction(limit)));
    }

    /// Holds which racks run against the books.
    fn check(&mut self) -> Result<(), String> {
        let (now, runs) = (self.now(), self.scene.runs());
        for (rack, booked) in (0..).zip(self.racks.clone()) {
            let runs = runs.contains(&rack);
            match booked {
                Booked::Promised { from, .. } if now - from >= SETTLES => {
                    if !runs {
                        return Err(format!(
                            "{now}: held rack {rack} is down: {booked:?}"
                        ));
                    }
                    self.kept_up.0 += u32::from(self.dear_since.is_some());
                    self.kept_up.1 += u32::from(now < self.limited_until);
                }
                Booked::Offered(since) => {
                    let long = |since: Timestamp| now - since >= SETTLES;
                    if runs && long(since) && self.dear_since.is_some_and(long) {
                        return Err(format!(
                            "{now}: rack {rack} on offer runs at a loss"
                        ));
                    }
                }
                Booked::Promised { .. } => {}
            }
        }
        Ok(())
    }

    fn live(&mut self) -> Result<(), String> {
        while self.now() < clock("15:00") {
            self.happens();
            for _ in 0..5 * (1 + self.draws.below(3)) {
                let next = self.now() + Seconds::minutes(1);
                self.scene.wait_until(next);
                self.check()?;
            }
        }
        self.scene.replays();
        Ok(())
    }
}

/// Whatever comes: who was promised a rack has it, and nobody else's runs at a loss.
#[test]
fn held_racks_run_and_no_rack_runs_at_a_loss() {
    let mut kept_up = (0, 0);
    for seed in 1..=12 {
        let mut day = Day::of(seed);
        if let Err(wrong) = day.live() {
            panic!("seed {seed}: {wrong}");
        }
        kept_up = (kept_up.0 + day.kept_up.0, kept_up.1 + day.kept_up.1);
    }
    // Minutes in which it mattered; without them this would prove nothing.
    assert!(kept_up.0 > 500 && kept_up.1 > 500, "{kept_up:?}");
}
