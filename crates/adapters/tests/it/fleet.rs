//! A fleet of devices that are not there: who is told what, who is believed, who is
//! only probed. Time is the test's own.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use adapters::device::reach::Network;
use adapters::device::{
    Allowed, Answer, Doing, Driver, Field, Identity, Look, Reached, Running, Unanswered,
    Wanted,
};
use adapters::fleet::{Fleet, NotDone, Pace, Parts, Said, SiteTime, Told};
use adapters::meter::{Counter, Meter, Shown};
use engine::site::{
    Envelope, Load, LoadKind, Machines, OperatingPoint, Racks, Rate, Rigs, Terms,
};
use engine::{Lease, Move, Order, OrderBatch, Ranges, ReadBack, Setpoint, Site};
use proptest::prelude::*;
use tokio::sync::mpsc::{Receiver, channel};
use tokio::time::{Instant, sleep};
use units::{
    Energy, EnergyPrice, GpuHourPrice, HashRate, Money, Power, Seconds, Share, Timestamp,
};

/// When every test begins.
const START: Timestamp = Timestamp::from_unix_seconds(1_800_000_000);

/// How a device that is not there behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Temper {
    /// It does as it is told.
    Good,
    /// It takes connections and answers nothing.
    Hangs,
    /// It says yes and does nothing.
    Lies,
    /// It does as it is told, and its answer is lost.
    Mute,
}

#[derive(Debug)]
struct Fake {
    at: Reached,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    temper: Temper,
    takes: Duration,
    is: Wanted,
    /// What it was told, and when.
    told: Vec<(Wanted, Instant)>,
    asked: u32,
    at_once: u32,
}

fn reached(number: usize) -> Reached {
    let network = Network::parse("10.0.0.0/8").expect("a network");
    let (high, low) = (number / 250, number % 250 + 1);
    let address: SocketAddr =
        format!("10.0.{high}.{low}:4028").parse().expect("an address");
    Allowed::new(vec![network], Vec::new()).reach(address).expect("allowed")
}

impl Fake {
    fn new(number: usize, temper: Temper) -> Arc<Self> {
        Arc::new(Self {
            at: reached(number),
            state: Mutex::new(State {
                temper,
                takes: Duration::from_millis(40),
                is: Wanted::Rest,
                told: Vec::new(),
                asked: 0,
                at_once: 0,
            }),
        })
    }

    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.state.lock().expect("a state"))
    }

    fn is(&self) -> Wanted {
        self.with(|state| state.is)
    }

    /// Whether an answer comes in time.
    async fn answers(&self, by: std::time::Instant) -> bool {
        let (temper, takes) = self.with(|state| {
            state.asked += 1;
            state.at_once += 1;
            assert_eq!(state.at_once, 1, "a device is asked one thing at a time");
            (state.temper, state.takes)
        });
        let by = Instant::from_std(by);
        let answered = match temper {
            Temper::Hangs => by,
            Temper::Good | Temper::Lies | Temper::Mute => Instant::now() + takes,
        };
        tokio::time::sleep_until(answered.min(by)).await;
        self.with(|state| state.at_once -= 1);
        answered < by
    }
}

impl Driver for Fake {
    fn at(&self) -> Reached {
        self.at
    }

    fn identify(&self, _: std::time::Instant) -> Doing<'_, Result<Identity, Unanswered>> {
        Box::pin(async { Ok(Identity::default()) })
    }

    fn look(&self, by: std::time::Instant) -> Doing<'_, Result<Look, Unanswered>> {
        Box::pin(async move {
            if !self.answers(by).await {
                return Err(Unanswered::Late);
            }
            let (running, limit) = match self.is() {
                Wanted::Rest | Wanted::Flow(_) => {
                    (Running::Resting, Power::from_watts(20))
                }
                Wanted::AtMost(power) => (Running::Working, power),
            };
            Ok(Look {
                running: Some(Field::reported(running)),
                limit: Some(Field::reported(limit)),
                draw: Some(Field::reported(limit)),
                hashrate: Some(Field::reported(HashRate::from_ths(100))),
                ..Look::default()
            })
        })
    }

    fn tell(&self, wanted: Wanted, by: std::time::Instant) -> Doing<'_, Answer> {
        Box::pin(async move {
            if !self.answers(by).await {
                return Answer::Unknown(Unanswered::Late);
            }
            self.with(|state| {
                state.told.push((wanted, Instant::now()));
                match state.temper {
                    Temper::Good | Temper::Mute => state.is = wanted,
                    Temper::Lies | Temper::Hangs => {}
                }
                match state.temper {
                    Temper::Mute => Answer::Unknown(Unanswered::Closed),
                    Temper::Good | Temper::Lies | Temper::Hangs => Answer::Accepted,
                }
            })
        })
    }
}

fn load(name: &str, kind: LoadKind) -> Load {
    let none = Envelope {
        ramp_up_per_minute: None,
        ramp_down_per_minute: None,
        up_min: Seconds::ZERO,
        down_min: Seconds::ZERO,
    };
    Load { name: name.into(), feeder: None, hall: None, envelope: none, kind }
}

/// Rigs that can run at so many points, each a hundred watts above the one before.
fn rigs(count: usize, points: i64) -> Load {
    let point = |number| OperatingPoint {
        power: Power::from_watts(1_000 + 100 * number),
        rate: Rate::Hash(HashRate::from_ths(100)),
    };
    load(
        "rigs",
        LoadKind::Rigs(Rigs {
            model: "rig".into(),
            machines: Machines {
                count: count as u32,
                standby: Power::from_watts(20),
                points: (1..=points).map(point).collect(),
            },
            strike: None,
            restart: Seconds::ZERO,
            restart_cost: Money::ZERO,
        }),
    )
}

fn contracted() -> Load {
    let power = Power::from_kw(100);
    let point =
        OperatingPoint { power, rate: Rate::Throughput(Share::from_ppm(1_000_000)) };
    load(
        "racks",
        LoadKind::Racks(Racks {
            model: "rack".into(),
            machines: Machines {
                count: 1,
                standby: Power::from_kw(5),
                points: vec![point],
            },
            gpus_per_rack: 72,
            beside_gpus: Power::ZERO,
            first_rack: None,
            terms: Terms::Contracted {
                price: GpuHourPrice::ZERO,
                worth: EnergyPrice::ZERO,
                tranche: None,
            },
        }),
    )
}

/// A fleet at work, and what it says.
struct Stage {
    fleet: Fleet,
    said: Receiver<Said>,
    began: Instant,
    devices: Vec<Arc<Fake>>,
}

fn far() -> Lease {
    Lease { until: START + Seconds::hours(24), over: Seconds::ZERO }
}

impl Stage {
    fn new(
        loads: Vec<Load>,
        devices: Vec<Arc<Fake>>,
        meter: Option<Arc<dyn Meter>>,
    ) -> Self {
        let mut site: Site = crate::site::with_programme("grid");
        let mut rest = devices.iter().map(|device| Arc::clone(device) as Arc<dyn Driver>);
        let mut each: Vec<Vec<Arc<dyn Driver>>> = Vec::new();
        for load in &loads {
            let count = load.machines().expect("machines").count as usize;
            each.push(rest.by_ref().take(count).collect());
        }
        site.loads = loads;
        let parts =
            Parts { site, loads: each, meter, pace: Pace::default(), lease: far() };
        let began = Instant::now();
        let time: SiteTime = Arc::new(move || {
            let passed = i64::try_from(began.elapsed().as_secs()).expect("a short test");
            START + Seconds::from_seconds(passed)
        });
        let (says, said) = channel(100_000);
        Self { fleet: Fleet::start(parts, time, says), said, began, devices }
    }

    fn of(tempers: &[Temper]) -> Self {
        let devices = tempers.iter().enumerate().map(|(n, t)| Fake::new(n, *t)).collect();
        Self::new(vec![rigs(tempers.len(), 2)], devices, None)
    }

    /// Orders machines of the first load to a point.
    async fn order(&self, generation: u64, point: u8, machines: Ranges) {
        let moves = vec![Move { point, machines }];
        let order = Order { load: 0, setpoint: Setpoint::Level(0), moves };
        let batch = OrderBatch { generation, lease: None, orders: vec![order] };
        self.fleet.tell(Told::Orders(batch)).await;
    }

    async fn order_all(&self, generation: u64, point: u8) {
        self.order(generation, point, Ranges::all(self.devices.len() as u32)).await;
    }

    /// What was said so far: where each machine of the first load was last seen, and
    /// what was not done.
    fn heard(&mut self) -> Heard {
        let mut heard = Heard::default();
        while let Ok(said) = self.said.try_recv() {
            match said {
                Said::Receipt(receipt) => {
                    for survey in receipt.surveys.iter().filter(|s| s.load == 0) {
                        for look in survey.looks() {
                            heard.seen.insert(look.machine, look.point);
                        }
                        heard.silent.extend(survey.silent.iter());
                    }
                }
                Said::NotDone { machine, why, .. } => {
                    heard.not_done.insert(machine, why);
                }
                Said::Sweep(sweep) => heard.sweeps.push(sweep),
                Said::Draw { power, .. } => heard.draws.push(power),
            }
        }
        heard
    }

    async fn seconds(&self, seconds: u64) {
        sleep(Duration::from_secs(seconds)).await;
    }
}

#[derive(Debug, Default)]
struct Heard {
    seen: std::collections::BTreeMap<u32, u8>,
    silent: std::collections::BTreeSet<u32>,
    not_done: std::collections::BTreeMap<u32, NotDone>,
    sweeps: Vec<engine::Sweep>,
    draws: Vec<Power>,
}

/// One in twenty hangs.
fn crowd(count: usize) -> Vec<Temper> {
    let temper = |n: usize| if n % 20 == 7 { Temper::Hangs } else { Temper::Good };
    (0..count).map(temper).collect()
}

#[tokio::test(start_paused = true)]
async fn every_healthy_machine_is_told_and_read_back_though_others_hang() {
    let mut stage = Stage::of(&crowd(2_000));
    stage.order_all(1, 2).await;
    stage.seconds(5).await;
    let heard = stage.heard();
    let full = Wanted::AtMost(Power::from_watts(1_200));
    for (number, device) in stage.devices.iter().enumerate() {
        let hangs = number % 20 == 7;
        assert_eq!(device.is() == full, !hangs, "{number}");
        let seen = heard.seen.get(&(number as u32)).copied();
        assert_eq!(seen, (!hangs).then_some(2), "{number}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_hangs_is_only_probed_after_a_while_and_nothing_else_is() {
    let mut stage = Stage::of(&crowd(2_000));
    for _ in 0..6 {
        stage.fleet.tell(Told::Survey).await;
        stage.seconds(30).await;
    }
    assert_eq!(stage.fleet.standing().probed_only, 100);
    let heard = stage.heard();
    assert!(heard.silent.iter().all(|machine| machine % 20 == 7), "a healthy one silent");
    // The first answer takes it back.
    for device in &stage.devices {
        device.with(|state| state.temper = Temper::Good);
    }
    stage.fleet.tell(Told::Survey).await;
    stage.seconds(30).await;
    assert_eq!(stage.fleet.standing().probed_only, 0);
    assert_eq!(stage.heard().seen.len(), 2_000);
}

#[tokio::test(start_paused = true)]
async fn a_choked_network_parks_nobody() {
    let stage = Stage::of(&vec![Temper::Good; 1_000]);
    let take = |takes| {
        for device in &stage.devices {
            device.with(|state| state.takes = takes);
        }
    };
    // For a minute every answer comes later than anybody waits for it.
    take(Duration::from_secs(9));
    for _ in 0..6 {
        stage.fleet.tell(Told::Survey).await;
        stage.seconds(10).await;
        assert_eq!(stage.fleet.standing().probed_only, 0);
    }
    take(Duration::from_millis(40));
    let mut stage = stage;
    stage.order_all(1, 1).await;
    stage.seconds(15).await;
    assert_eq!(stage.heard().seen.values().filter(|point| **point == 1).count(), 1_000);
}

#[tokio::test(start_paused = true)]
async fn who_says_yes_and_does_nothing_is_reported_as_not_done() {
    let mut stage = Stage::of(&[Temper::Lies, Temper::Good, Temper::Mute, Temper::Hangs]);
    stage.order_all(1, 2).await;
    stage.seconds(35).await;
    let heard = stage.heard();
    assert_eq!(heard.not_done.get(&0), Some(&NotDone::NotShown));
    assert_eq!(heard.not_done.get(&3), Some(&NotDone::Unanswered(Unanswered::Late)));
    assert_eq!(heard.not_done.len(), 2);
    let seen: Vec<_> = heard.seen.into_iter().collect();
    // The liar is seen where it is; whose answer was lost is seen to have followed.
    assert_eq!(seen, [(0, 0), (1, 2), (2, 2)]);
    let told = |number: usize| stage.devices[number].with(|state| state.told.len());
    assert_eq!((told(0), told(2)), (1, 1), "nobody is told twice");
}

#[tokio::test(start_paused = true)]
async fn what_was_given_up_is_not_done_later() {
    let stage = Stage::of(&[Temper::Hangs]);
    stage.order_all(1, 2).await;
    stage.seconds(40).await;
    stage.devices[0].with(|state| state.temper = Temper::Good);
    stage.fleet.tell(Told::Survey).await;
    stage.seconds(40).await;
    assert_eq!(stage.devices[0].with(|state| state.told.len()), 0);
}

#[tokio::test(start_paused = true)]
async fn the_newest_order_takes_the_place_of_one_that_waits() {
    let stage = Stage::of(&[Temper::Good]);
    stage.devices[0].with(|state| state.takes = Duration::from_secs(1));
    for (generation, point) in [(5, 1), (6, 2), (7, 0), (6, 2)] {
        stage.order_all(generation, point).await;
        stage.seconds(0).await;
        sleep(Duration::from_millis(60)).await;
    }
    stage.seconds(10).await;
    let told = stage.devices[0].with(|state| state.told.clone());
    let told: Vec<_> = told.into_iter().map(|(wanted, _)| wanted).collect();
    assert_eq!(told, [Wanted::AtMost(Power::from_watts(1_100)), Wanted::Rest]);
}

#[tokio::test(start_paused = true)]
async fn without_a_word_machines_go_to_rest_in_turn_and_contracts_are_kept() {
    let devices: Vec<_> = (0..101).map(|n| Fake::new(n, Temper::Good)).collect();
    for device in &devices {
        device.with(|state| state.is = Wanted::AtMost(Power::from_watts(1_200)));
    }
    let stage = Stage::new(vec![rigs(100, 2), contracted()], devices, None);
    let (until, over) = (START + Seconds::from_seconds(60), Seconds::from_seconds(100));
    stage.fleet.tell(Told::Keep(Lease { until, over })).await;
    stage.seconds(58).await;
    let resting = |stage: &Stage| {
        let rest = stage.devices.iter().filter(|d| d.is() == Wanted::Rest);
        rest.count()
    };
    assert_eq!(resting(&stage), 0);
    for (after, expected) in [(12, 10), (40, 50), (55, 100)] {
        stage.seconds(after).await;
        let resting = resting(&stage);
        assert!(resting.abs_diff(expected) <= 2, "{resting}, not {expected}");
    }
    // Machine by machine, and the racks under contract stay.
    let fell: Vec<_> = stage.devices[..100]
        .iter()
        .map(|device| device.with(|state| state.told[0].1 - stage.began))
        .collect();
    assert!(fell.is_sorted(), "{fell:?}");
    assert!(stage.devices[100].with(|state| state.told.is_empty()));
}

#[tokio::test(start_paused = true)]
async fn who_watches_again_stops_the_fall() {
    let stage = Stage::of(&[Temper::Good; 100]);
    let lease = |until, over| Lease {
        until: START + Seconds::from_seconds(until),
        over: Seconds::from_seconds(over),
    };
    stage.order_all(1, 2).await;
    stage.fleet.tell(Told::Keep(lease(60, 100))).await;
    stage.seconds(110).await;
    stage.fleet.tell(Told::Keep(lease(600, 100))).await;
    stage.seconds(300).await;
    let working = stage.devices.iter().filter(|device| device.is() != Wanted::Rest);
    assert!(working.count().abs_diff(50) <= 2);
}

/// A meter that counts a steady draw.
#[derive(Debug)]
struct Steady {
    at: Reached,
    since: Instant,
    draw: Power,
}

impl Meter for Steady {
    fn at(&self) -> Reached {
        self.at
    }

    fn read(&self, _: std::time::Instant) -> Doing<'_, Result<Shown, Unanswered>> {
        let passed = self.since.elapsed().as_secs();
        let joules = self.draw.as_watts() * i64::try_from(passed).expect("a short test");
        let at = Energy::from_joules(joules);
        let imported = Some(Field::reported(Counter { at, wraps_at: None }));
        let power = Some(Field::reported(self.draw));
        Box::pin(async move { Ok(Shown { power, imported, ..Shown::default() }) })
    }
}

#[tokio::test(start_paused = true)]
async fn an_interval_is_metered_where_its_ends_were_seen() {
    let draw = Power::from_kw(50);
    let meter = Steady { at: reached(999), since: Instant::now(), draw };
    let devices = (0..3).map(|n| Fake::new(n, Temper::Good)).collect();
    let mut stage = Stage::new(vec![rigs(3, 2)], devices, Some(Arc::new(meter)));
    stage.order_all(1, 2).await;
    for _ in 0..32 {
        stage.fleet.tell(Told::Survey).await;
        stage.seconds(30).await;
    }
    let heard = stage.heard();
    assert!(heard.draws.iter().all(|shown| *shown == draw) && heard.draws.len() > 400);
    assert_eq!(heard.sweeps.len(), 3);
    // Before the first look nobody knows; after it everything adds up.
    assert!(heard.sweeps[0].readings.is_empty());
    let [second, third] = &heard.sweeps[1..] else { panic!("two more") };
    for sweep in [second, third] {
        let metered = sweep.site.expect("the meter showed both ends").as_joules();
        assert!((metered - 15_000_000).abs() <= 200_000, "{metered}");
        let read = sweep.readings[0].energy.as_joules();
        assert!((read - 3 * 1_200 * 300).abs() < 5_000, "{read}");
    }
    stage.fleet.tell(Told::MetersFrom(third.during.start)).await;
    stage.seconds(1).await;
    assert_eq!(stage.heard().sweeps, std::slice::from_ref(third));
}

#[tokio::test(start_paused = true)]
async fn without_a_meter_the_draw_is_what_machines_say_and_nothing_where_one_is_silent() {
    let mut stage = Stage::of(&[Temper::Good, Temper::Good]);
    stage.fleet.tell(Told::Survey).await;
    stage.seconds(15).await;
    assert_eq!(stage.heard().draws, [Power::from_watts(40)]);
    stage.devices[1].with(|state| state.temper = Temper::Hangs);
    stage.seconds(200).await;
    stage.heard();
    stage
        .fleet
        .tell(Told::Look(ReadBack {
            loads: Vec::new(),
            machines: vec![(0, Ranges::all(2))],
        }))
        .await;
    stage.seconds(30).await;
    assert_eq!(stage.heard().draws, []);
}

/// One order of a story: its generation, whether the device answers it, how long it
/// takes, and how long after it the next one comes.
type Moment = (u64, bool, u64, u64);

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn an_older_order_never_takes_effect_after_a_newer_one(
        story in prop::collection::vec((1_u64..6, any::<bool>(), 0_u64..3_900, 0_u64..4_000), 1..40),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .expect("a runtime");
        let (told, ordered) = runtime.block_on(lived(&story));
        // Each order has a point of its own: what took effect says which one it was.
        let place = |wanted: &Wanted| match wanted {
            Wanted::AtMost(power) => (power.as_watts() - 1_000) as usize / 100 - 1,
            Wanted::Rest | Wanted::Flow(_) => usize::MAX,
        };
        let effects: Vec<usize> = told.iter().map(place).collect();
        prop_assert!(effects.is_sorted(), "{effects:?} of {ordered:?}");
        let generations: Vec<u64> = effects.iter().map(|at| ordered[*at]).collect();
        prop_assert!(generations.is_sorted(), "{generations:?}");
        let newest = (0..ordered.len()).max_by_key(|at| (ordered[*at], *at));
        prop_assert_eq!(effects.last().copied(), newest);
    }
}

async fn lived(story: &[Moment]) -> (Vec<Wanted>, Vec<u64>) {
    let device = Fake::new(0, Temper::Good);
    let stage = Stage::new(vec![rigs(1, 40)], vec![Arc::clone(&device)], None);
    for (number, (generation, answers, takes, pause)) in (1_u8..).zip(story) {
        device.with(|state| {
            state.temper = if *answers { Temper::Good } else { Temper::Mute };
            state.takes = Duration::from_millis(*takes);
        });
        stage.order(*generation, number, Ranges::all(1)).await;
        sleep(Duration::from_millis(*pause)).await;
    }
    device.with(|state| {
        state.temper = Temper::Good;
        state.takes = Duration::from_millis(20);
    });
    stage.seconds(60).await;
    let told =
        device.with(|state| state.told.iter().map(|(wanted, _)| *wanted).collect());
    (told, story.iter().map(|(generation, ..)| *generation).collect())
}
