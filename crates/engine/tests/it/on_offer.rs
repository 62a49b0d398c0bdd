//! Racks on offer compete with mining and the grid, racks that are promised stay up,
//! and a reservation ends a sale by the hour with the notice its terms give.

mod seeds;

use engine::capacity::{BlockNo, Body, RackNo};
use engine::site::{LoadKind, Racks, Site, Terms};
use engine::{Ask, Dispatch, Event, Instruction, Known, Output, Signal, Source};
use units::{EnergyPrice, GpuHourPrice, Interval, Power, Seconds, Timestamp};

use crate::capacity::Campus;
use crate::live::Live;
use crate::world::{at, site};

/// The small site, whose load by the hour is racks R0001 to R0005 of an estate, with a
/// notice of half an hour.
fn named() -> Site {
    let mut site = site();
    site.programmes.iter_mut().for_each(|programme| programme.silent_after = None);
    let spot = site.load_named("spot").expect("a load");
    let LoadKind::Racks(Racks { first_rack, terms, .. }) = &mut site.loads[spot].kind
    else {
        panic!("racks")
    };
    *first_rack = Some("R0001".to_owned());
    let Terms::Uncommitted { notice, .. } = terms else { panic!("by the hour") };
    *notice = Seconds::minutes(30);
    site
}

fn clock(text: &str) -> Timestamp {
    at(&format!("2024-08-20T{text}Z"))
}

/// A running site and the campus whose racks it powers: four racks that are accepted,
/// of the five that its load is for.
struct Scene {
    live: Live,
    campus: Campus,
    told: usize,
}

impl Scene {
    fn new() -> Self {
        let mut campus = Campus::new("2024-08-20T09:00Z");
        for name in ["R0001", "R0002", "R0003", "R0004"] {
            let rack = campus.put_up(name, "GB300 NVL72");
            campus.burn_in(rack);
        }
        let start = clock("10:00");
        let mut live = Live::of(named(), start);
        live.input(Event::Resume);
        live.sweep();
        live.input(Event::Tick(Interval::starting(start, Seconds::minutes(5))));
        let mut scene = Self { live, campus, told: 0 };
        scene.tell();
        scene
    }

    /// The engine hears what happened to racks, now.
    fn tell(&mut self) {
        for event in self.campus.events.split_off(self.told) {
            self.live.now = self.live.now.max(event.at);
            self.live.input(Event::Estate(Box::new(event.clone())));
            self.campus.events.push(event);
            self.told += 1;
        }
    }

    /// Something happens to racks, at a time of the day.
    fn at(&mut self, text: &str, happens: impl FnOnce(&mut Campus)) {
        self.wait(text);
        self.campus.at = self.live.now;
        self.campus.look();
        happens(&mut self.campus);
        self.tell();
    }

    /// Looks come all the time; without one, nobody knows that racks are well.
    fn wait(&mut self, text: &str) {
        self.wait_until(clock(text));
    }

    fn wait_until(&mut self, end: Timestamp) {
        while self.live.now < end {
            self.live.wait(end.min(self.live.now + Seconds::minutes(4)));
            self.campus.at = self.live.now;
            self.campus.look();
            self.tell();
        }
    }

    fn price(&mut self, usd: i64, from: &str, until: &str) {
        self.wait(from);
        let during = Interval { start: clock(from), end: clock(until) };
        let value = EnergyPrice::from_usd_per_mwh(usd);
        let known = Known { value, during, known_at: during.start, source: Source::Lmp };
        self.live.input(Event::Signal(Signal::Price(known)));
        self.live
            .input(Event::Tick(Interval::starting(self.live.now, Seconds::minutes(5))));
    }

    fn offer(&mut self, usd: &str, from: &str, until: &str) {
        let value = GpuHourPrice::parse_usd(usd).expect("a price");
        let during = Interval { start: clock(from), end: clock(until) };
        let (known_at, source) = (self.live.now, Source::SpotMarket);
        let known = Known { value, during, known_at, source };
        self.live.input(Event::Signal(Signal::SpotOffer(known)));
    }

    fn spot(&self) -> usize {
        self.live.engine.state().site.load_named("spot").expect("a load")
    }

    /// Which racks of the load run.
    fn runs(&self) -> Vec<u32> {
        let crew = self.live.engine.state().fleet.crew(self.spot()).expect("a crew");
        let machines = (0..).zip(crew.machines());
        machines.filter(|(_, machine)| machine.ordered > 0).map(|(one, _)| one).collect()
    }

    fn decided(&self) -> &Dispatch {
        let outputs = self.live.steps.iter().rev().flat_map(|step| &step.outputs);
        let mut decided = outputs.filter_map(|output| {
            if let Output::Dispatch(dispatch) = output { Some(dispatch) } else { None }
        });
        decided.next().expect("a decision")
    }

    fn why(&self) -> String {
        let dispatch = self.decided();
        let site = &self.live.engine.state().site;
        dispatch.entries[self.spot()].reason.explain(dispatch, site, self.spot())
    }

    fn replays(&self) {
        self.live.fold(clock("10:00")).expect("step and fold reach the same state");
    }
}

/// A rack draws 120 kW beyond its rest, and 1.2 times that at the meter: 72 GPUs at
/// 1.50 USD earn 108 USD an hour, so 900 USD a MWh at the plug and 750 at the meter.
#[test]
fn what_nobody_promised_competes_and_what_is_promised_stays_up() {
    let mut scene = Scene::new();
    scene.price(100, "10:05", "12:30");
    // R0005 is not there: there is nothing of it to be had.
    assert_eq!(scene.runs(), [0, 1, 2, 3]);
    scene.price(800, "10:10", "13:30");
    assert_eq!(scene.runs(), [0_u32; 0], "at 804 USD nothing by the hour pays");

    // Promised at 10:21: whoever buys by the hour has it until 10:51.
    scene.at("10:21", |campus| {
        campus.reserve("red", "H1", RackNo(1), 0..16);
    });
    assert_eq!(scene.runs(), [0_u32; 0]);
    assert_eq!(
        scene.why(),
        "serving earns 750.00 USD/MWh (1.50 USD/GPU-hour; 288 GPUs in 4 racks on offer, 1 \
         of them promised from 10:51 on; 1 not to be had), power costs 804.00 USD/MWh: \
         800.00 USD/MWh (LMP, known 10:10) + adders 4.00 USD/MWh"
    );
    scene.wait("10:50:59");
    assert_eq!(scene.runs(), [0_u32; 0]);
    scene.wait("10:52");
    assert_eq!(scene.runs(), [1], "the notice is over, whatever the price");
    assert_eq!(
        scene.why(),
        "serving earns 750.00 USD/MWh (1.50 USD/GPU-hour; 216 GPUs in 3 racks on offer; 1 \
         held rack is down and waits to be started; 1 not to be had), power costs 804.00 \
         USD/MWh: 800.00 USD/MWh (LMP, known 10:10) + adders 4.00 USD/MWh"
    );

    // Cheap again: the others follow, and go first when it is dear.
    scene.price(100, "11:00", "13:30");
    assert_eq!(scene.runs(), [0, 1, 2, 3]);
    scene.price(800, "11:10", "13:30");
    assert_eq!(scene.runs(), [1]);

    // Given back before anybody had it, it is on offer at once, and not worth its power.
    scene.at("11:21", |campus| {
        let why = "the deal fell through".to_owned();
        campus.say(Body::Return { block: BlockNo(0), why });
    });
    assert_eq!(scene.runs(), [0_u32; 0]);
    scene.replays();
}

#[test]
fn a_tenant_that_has_its_racks_waits_for_no_notice() {
    let mut scene = Scene::new();
    scene.price(800, "10:10", "13:30");
    scene.at("10:21", |campus| {
        campus.deliver("red", "H1", RackNo(2), 0..18);
    });
    assert_eq!(scene.runs(), [2]);
    scene.replays();
}

#[test]
fn a_rack_that_is_being_tested_is_kept_up() {
    let mut scene = Scene::new();
    scene.price(800, "10:10", "13:30");
    assert_eq!(scene.runs(), [0_u32; 0]);
    scene.at("10:21", |campus| {
        campus.put_up("R0005", "GB300 NVL72");
    });
    assert_eq!(scene.runs(), [4]);
    assert!(scene.why().contains("1 held rack is down and waits"), "{}", scene.why());
    scene.wait("10:31");
    assert!(scene.why().contains("1 rack kept up"), "{}", scene.why());
    scene.replays();
}

/// At 804 USD a MWh a rack of 72 GPUs has to earn 804 x 1.2 x 0.120 = 115.78 USD an
/// hour: 1.61 USD a GPU-hour do, with the band of 2 USD that a change has to bring.
#[test]
fn the_price_of_a_gpu_hour_decides_for_as_long_as_it_is_offered() {
    let mut scene = Scene::new();
    scene.price(800, "10:10", "13:30");
    scene.offer("1.60", "10:10", "11:00");
    scene.wait("10:16");
    assert_eq!(scene.runs(), [0_u32; 0], "800.00 USD a MWh");
    scene.offer("1.62", "10:10", "11:00");
    scene.wait("10:21");
    assert_eq!(scene.runs(), [0, 1, 2, 3], "810.00 USD a MWh");
    assert_eq!(
        scene.why(),
        "its machines that take orders can bring it to between 0.060 MW and 0.636 MW; \
         serving earns 810.00 USD/MWh (1.62 USD/GPU-hour until 11:00, spot offer, known \
         10:16; 288 GPUs in 4 racks on offer; 1 not to be had), power costs 804.00 USD/MWh: \
         800.00 USD/MWh (LMP, known 10:10) + adders 4.00 USD/MWh"
    );
    // An older offer for the same time is late news.
    let late = Known {
        value: GpuHourPrice::from_micro_usd(0),
        during: Interval { start: clock("10:10"), end: clock("11:00") },
        known_at: clock("10:12"),
        source: Source::SpotMarket,
    };
    scene.live.input(Event::Signal(Signal::SpotOffer(late)));
    scene.wait("10:59");
    assert_eq!(scene.runs(), [0, 1, 2, 3]);
    scene.wait("11:01");
    assert_eq!(scene.runs(), [0_u32; 0], "the offer is over, and 750 USD are not enough");
    scene.replays();
}

/// Two of 18 trays of each of two racks are out: a rack on offer sells 68 GPUs on
/// average, 1.50 USD x 68 / 0.120 / 1.2 = 708.33 USD a MWh.
#[test]
fn gpus_that_cannot_be_sold_earn_nothing() {
    let mut scene = Scene::new();
    scene.at("10:01", |campus| {
        for (rack, slot) in [(0, 3), (0, 4), (2, 8), (2, 17)] {
            let tray = campus.tray(RackNo(rack), slot);
            campus.say(Body::Cordon { tray, why: "a fan".to_owned() });
        }
    });
    scene.price(720, "10:10", "13:30");
    assert_eq!(scene.runs(), [0_u32; 0], "724 USD are more than it earns");
    scene.price(700, "10:20", "13:30");
    assert_eq!(scene.runs(), [0, 1, 2, 3]);
    let why = scene.why();
    let earns =
        "serving earns 708.33 USD/MWh (1.50 USD/GPU-hour; 272 GPUs in 4 racks on offer";
    assert!(why.contains(earns), "{why}");
    scene.replays();
}

/// What price brought to rest is switched off, and still on offer: it is started again.
#[test]
fn a_rack_that_rests_is_on_offer() {
    let mut scene = Scene::new();
    scene.price(800, "10:10", "13:30");
    scene.at("10:21", |campus| {
        campus.pass(1);
        for tray in campus.estate.rack(RackNo(1)).tray_numbers() {
            campus.see(tray, |shows| shows.power = engine::capacity::Power::Off);
        }
        let failed = campus.tray(RackNo(2), 4);
        campus.see(failed, |shows| {
            shows.power = engine::capacity::Power::Off;
            shows.health = engine::capacity::Reported::Critical;
        });
    });
    scene.price(100, "10:30", "13:30");
    assert_eq!(scene.runs(), [0, 1, 2, 3]);
    let why = scene.why();
    assert!(why.contains("284 GPUs in 4 racks on offer"), "{why}");
    scene.replays();
}

/// Where a limit leaves room for two racks of four, the promised one is of the two.
#[test]
fn under_a_limit_what_is_promised_goes_first() {
    let mut scene = Scene::new();
    scene.price(100, "10:05", "13:30");
    scene.at("10:21", |campus| {
        campus.deliver("red", "H1", RackNo(3), 0..18);
    });
    assert_eq!(scene.runs(), [0, 1, 2, 3]);
    let tenant = scene.live.engine.state().site.load_named("tenant").expect("a load");
    let rest = |scene: &Scene| {
        let dispatch = scene.decided();
        (dispatch.entries[tenant].to, dispatch.entries[scene.spot()].to)
    };
    assert_eq!(rest(&scene), (Power::from_kw(1_560), Power::from_kw(636)));
    let limit = Instruction {
        name: "tight".to_owned(),
        programme: 0,
        ask: Ask::Limit(Power::from_kw(2_070)),
        during: Interval { start: clock("10:00"), end: clock("12:00") },
        best_effort: false,
        known_at: clock("10:00"),
    };
    scene.live.input(Event::Signal(Signal::Instruction(limit)));
    scene.wait("10:40");
    // 1,560 kW for the tenant, 60 kW for racks and 22 kW for rigs at rest leave 428 kW:
    // enough for two racks of 144 kW each.
    assert_eq!(scene.runs(), [0, 3]);
    scene.replays();
}

/// A limit that leaves room for two racks of four, and nobody was promised any of them.
fn limited(until: &str) -> Scene {
    let mut scene = Scene::new();
    scene.price(100, "10:05", "13:30");
    let limit = Instruction {
        name: "tight".to_owned(),
        programme: 0,
        ask: Ask::Limit(Power::from_kw(2_070)),
        during: Interval { start: clock("10:00"), end: clock(until) },
        best_effort: false,
        known_at: clock("10:00"),
    };
    scene.live.input(Event::Signal(Signal::Instruction(limit)));
    scene.wait("10:40");
    assert_eq!(scene.runs(), [0, 1]);
    scene
}

impl Scene {
    /// What each rack of the load was ordered to, in turn.
    fn moved(&self, from: &str) -> Vec<String> {
        let spot = self.spot();
        let steps = self.live.steps.iter().filter(|step| step.input.at >= clock(from));
        let orders = steps.flat_map(|step| &step.outputs).filter_map(|output| {
            if let Output::Orders(batch) = output { Some(&batch.orders) } else { None }
        });
        let moves = orders.flatten().filter(|order| order.load == spot);
        let moves = moves.flat_map(|order| &order.moves);
        moves.map(|to| format!("{} to {}", to.machines, to.point)).collect()
    }

    /// The alarms that stand about racks that are held.
    fn held_down(&self) -> Vec<String> {
        let standing = self.live.engine.alarms().standing();
        let is_about = |alarm: &&&engine::Alarm| {
            matches!(alarm.what, engine::alarm::What::HeldDown { .. })
        };
        let about = standing.iter().filter(is_about);
        about.map(|alarm| alarm.what.consequence()).collect()
    }
}

/// The rack of a tenant that comes while a limit holds takes the place of one on offer:
/// that comes down, is seen to be down, and only then is there room for the other.
#[test]
fn one_on_offer_makes_way_for_one_that_is_held() {
    let mut scene = limited("11:00");
    scene.at("10:41", |campus| {
        campus.deliver("red", "H1", RackNo(3), 0..18);
    });
    let why = scene.why();
    assert!(why.contains("; 1 held rack is down and waits to be started;"), "{why}");
    scene.wait("10:43");
    assert_eq!(scene.runs(), [0, 3]);
    assert_eq!(scene.moved("10:41"), ["1 to 0", "3 to 1"]);
    scene.wait("10:46");
    let why = scene.why();
    assert!(why.contains("; 1 rack kept up;"), "{why}");

    // Dear, and then without a limit: what is on offer rests, and the tenant's runs.
    scene.price(800, "10:55", "13:30");
    scene.wait("13:00");
    assert_eq!(scene.runs(), [3]);
    assert_eq!(scene.held_down(), [""; 0]);
    scene.replays();
}

/// Nothing of a rack that is cordoned whole can be sold: one that can runs in its place.
#[test]
fn what_nobody_can_have_makes_way_for_what_is_on_offer() {
    let mut scene = limited("11:00");
    scene.at("10:41", |campus| {
        let trays: Vec<_> = campus.estate.rack(RackNo(0)).tray_numbers().collect();
        for tray in trays {
            campus.say(Body::Cordon { tray, why: "a leak".to_owned() });
        }
    });
    scene.wait("10:50");
    assert_eq!(scene.runs(), [1, 2]);
    scene.replays();
}

/// One that does not start takes the place of one on offer for a minute at a time, ever
/// less often, and an alarm says that it is down.
#[test]
fn one_that_does_not_start_costs_none_on_offer_for_ever() {
    let mut scene = limited("13:30");
    scene.live.stuck("spot", 3);
    scene.at("10:41", |campus| {
        campus.deliver("red", "H1", RackNo(3), 0..18);
    });
    scene.wait("10:45");
    assert_eq!(scene.held_down(), [""; 0]);
    scene.wait("10:59");
    assert_eq!(
        scene.held_down(),
        [
            "Who was promised it, or tests it, has no power: 1 of the 5 racks of `spot` is down."
        ]
    );
    assert_eq!(scene.runs(), [0, 1]);
    let once = ["1 to 0", "3 to 1", "1 to 1"];
    assert_eq!(scene.moved("10:41"), [once, once].concat());
    let mut minutes = 0;
    for minute in 0..120 {
        scene.wait_until(clock("11:00") + Seconds::minutes(minute));
        minutes += u32::from(scene.runs() != [0, 1]);
        assert_eq!(scene.held_down().len(), 1, "it stands on");
    }
    assert_eq!(scene.moved("10:59"), [once; 4].concat(), "four times in two hours");
    assert!(minutes <= 8, "{minutes}");
    scene.replays();
}

/// Nothing starts what a person works on, and nothing makes way for it.
#[test]
fn what_is_worked_on_takes_nobodys_place() {
    let mut scene = limited("11:00");
    let spot = scene.spot();
    scene.live.ask(engine::Request::LockOut(engine::site::LockOut {
        load: spot,
        machines: Some(std::iter::once(3).collect()),
        during: Interval { start: clock("10:40"), end: clock("12:00") },
        until_released: true,
        role: "rig technician".to_owned(),
        reason: "a leak".to_owned(),
    }));
    scene.at("10:41", |campus| {
        campus.deliver("red", "H1", RackNo(3), 0..18);
    });
    scene.wait("10:55");
    assert_eq!((scene.runs(), scene.held_down()), (vec![0, 1], Vec::new()));
    assert_eq!(scene.moved("10:41"), [""; 0]);
    scene.replays();
}

/// 288 GPUs at the most that can be written down are still counted, and run.
#[test]
fn no_offer_is_too_much_to_count() {
    let mut scene = Scene::new();
    scene.price(800, "10:10", "13:30");
    for usd in ["100000000000", "9223372036854.775807", "-9223372036854.775807"] {
        scene.offer(usd, "10:10", "11:00");
        let until = scene.live.now + Seconds::minutes(6);
        scene.wait_until(until);
        assert_eq!(scene.runs().is_empty(), usd.starts_with('-'), "{usd}");
    }
    scene.replays();
}

/// What nobody has seen for five minutes is not on offer, though nothing happens: looks
/// have stopped, and with them what anybody knows.
#[test]
fn what_is_not_seen_any_more_is_not_on_offer() {
    let mut scene = Scene::new();
    scene.price(100, "10:05", "13:30");
    scene.at("10:20", |_| {});
    scene.live.wait(clock("10:25:01"));
    assert_eq!(scene.runs(), [0, 1, 2, 3]);
    let (due, why) = scene.live.engine.next_wake();
    assert_eq!((due, why), (clock("10:25:01"), "a rack on offer was not seen lately"));
    scene.live.wait(clock("10:25:10"));
    assert_eq!(scene.runs(), [0_u32; 0]);
    let why = scene.why();
    assert!(why.contains("; 0 GPUs in 0 racks on offer; 5 not to be had"), "{why}");
    scene.live.wait(clock("12:00"));
    assert!(!scene.why().contains("4 racks on offer"), "{}", scene.why());

    // Seen again, they are on offer again: one that rests as well.
    scene.wait("12:01");
    assert_eq!(scene.runs(), [0, 1, 2, 3]);
    scene.replays();
}
