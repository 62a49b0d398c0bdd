//! Contracted load is worth what its contract says a lost hour costs: who is cut
//! first under a limit follows it, and the reason carries the figure and its source.

use engine::check::{Fault, check_now};
use engine::site::{LoadKind, OperatingPoint, Racks, Rate, Site, Terms, Tranche};
use engine::{
    Ask, Capacity, Dispatch, Engine, Event, Exposure, FlexEvent, Input, Instruction,
    Notice, Output, Reason, Setpoint, Signal,
};
use units::{Interval, Money, Power, Seconds, Share, Timestamp};

use crate::world::{at, site};

/// The small site with its racks under contract twice, each load for a tranche of its
/// own, H1 and H2.
fn two_tranches() -> Site {
    let mut site = site();
    let spot = site.load_named("spot").expect("a load");
    let tenant = site.load_named("tenant").expect("a load");
    site.loads[spot].kind = site.loads[tenant].kind.clone();
    for (load, id) in [(tenant, "H1"), (spot, "H2")] {
        let LoadKind::Racks(Racks { terms, .. }) = &mut site.loads[load].kind else {
            panic!("racks")
        };
        let Terms::Contracted { tranche, .. } = terms else { panic!("a contract") };
        *tranche = Some(Tranche { contract: "CAP-1".to_owned(), id: id.to_owned() });
    }
    site.loads[tenant].name = "one".to_owned();
    site.loads[spot].name = "two".to_owned();
    site
}

fn clock(text: &str) -> Timestamp {
    at(&format!("2024-08-20T{text}Z"))
}

fn exposure(id: &str, known: &str, micro: i64) -> Exposure {
    Exposure {
        tranche: Tranche { contract: "CAP-1".to_owned(), id: id.to_owned() },
        during: Interval { start: at("2024-08-01"), end: clock("20:00") },
        known_at: clock(known),
        last_fact: Some(41),
        of: Capacity::Gpu,
        credit: Money::from_micro_usd(micro),
        fee: Money::from_micro_usd(2_910_000),
        ending: Money::ZERO,
        floor: None,
        flex: None,
    }
}

/// What a script of signals leads to.
struct Scene(Engine);

impl Scene {
    /// A limit that leaves room for about one of the two tranches stands all day.
    fn tight() -> Self {
        let mut scene = Self(Engine::new(two_tranches(), at("2024-08-20")));
        let limit = Instruction {
            name: "tight".to_owned(),
            programme: 0,
            ask: Ask::Limit(Power::from_kw(2_000)),
            during: Interval { start: at("2024-08-20"), end: at("2024-08-21") },
            best_effort: false,
            known_at: at("2024-08-20"),
        };
        scene.hears(at("2024-08-20"), Signal::Instruction(limit));
        scene
    }

    fn hears(&mut self, now: Timestamp, signal: Signal) -> Vec<Output> {
        self.0.step(&Input { at: now, event: Event::Signal(signal) })
    }

    fn loses(&mut self, now: &str, exposure: Exposure) -> Vec<Output> {
        self.hears(clock(now), Signal::Exposure(exposure))
    }

    fn decides(&mut self, start: &str) -> Dispatch {
        let interval = Interval::starting(clock(start), Seconds::minutes(5));
        let outputs =
            self.0.step(&Input { at: interval.start, event: Event::Tick(interval) });
        let found = outputs.into_iter().find_map(|output| {
            if let Output::Dispatch(dispatch) = output { Some(dispatch) } else { None }
        });
        let dispatch = found.expect("a tick is decided");
        assert_eq!(check_now(self.0.state(), &dispatch), []);
        dispatch
    }

    /// Which of the two tranches was cut less.
    fn served_first(&mut self, start: &str) -> &'static str {
        let dispatch = self.decides(start);
        let site = &self.0.state().site;
        let to = |name: &str| dispatch.entries[site.load_named(name).expect("a load")].to;
        if to("one") > to("two") { "one" } else { "two" }
    }
}

#[test]
fn the_dearest_to_lose_is_served_first() {
    let mut scene = Scene::tight();
    // By the site file alone both are worth the same: the order of the file.
    assert_eq!(scene.served_first("10:00"), "one");
    scene.loses("10:01", exposure("H2", "10:01", 40_000_000));
    assert_eq!(scene.served_first("10:05"), "two");
    scene.loses("10:06", exposure("H1", "10:06", 90_000_000));
    assert_eq!(scene.served_first("10:10"), "one");
    // Its credit is at the cap: what is left is the fee.
    scene.loses("10:11", exposure("H1", "10:11", 0));
    assert_eq!(scene.served_first("10:15"), "two");
}

#[test]
fn what_became_known_later_stands_until_the_month_ends() {
    let mut scene = Scene::tight();
    scene.loses("10:02", exposure("H2", "10:02", 40_000_000));
    scene.loses("10:03", exposure("H2", "10:01", 0));
    assert_eq!(scene.served_first("10:05"), "two");
    // At 20:00 the month is over: nobody has said yet what the next one costs.
    assert_eq!(scene.served_first("20:00"), "one");
    assert!(scene.decides("20:05").exposures.is_empty());
}

#[test]
fn nothing_is_known_before_it_can_be_and_nothing_of_others() {
    let mut scene = Scene::tight();
    let early = scene.loses("10:00", exposure("H2", "10:30", 40_000_000));
    assert!(matches!(early[..], [Output::Notice(Notice::FromTheFuture { .. })]));
    scene.loses("10:00", exposure("H9", "10:00", 40_000_000));
    assert!(scene.decides("10:05").exposures.is_empty());
}

#[test]
fn a_figure_beyond_all_sense_is_held_to_what_can_be_reckoned_with() {
    let mut scene = Scene::tight();
    let mut beyond = exposure("H2", "10:00", i64::MAX);
    beyond.fee = Money::from_micro_usd(i64::MIN);
    beyond.ending = Money::from_micro_usd(i64::MAX);
    scene.loses("10:00", beyond);
    assert_eq!(scene.served_first("10:05"), "two");
}

#[test]
fn the_reason_carries_the_figure_and_its_source() {
    let mut scene = Scene::tight();
    scene.loses("10:01", exposure("H2", "10:01", 40_000_000));
    let dispatch = scene.decides("10:05");
    let site = &scene.0.state().site;
    let line = |name| {
        let load = site.load_named(name).expect("a load");
        dispatch.entries[load].reason.explain(&dispatch, site, load)
    };
    // 42.91 x 72 / 0.120 MW / 1.2 = 21 455.
    insta::assert_snapshot!(line("two"), @"under contract; a lost MWh costs 21455.00 USD/MWh (H2 under CAP-1 loses 42.91 USD for a GPU-hour: credit 40.00 USD + fee 2.91 USD, by facts to 41 known 2024-08-20T10:01Z; 72 GPUs in 0.120 MW, PUE 1.200)");
    insta::assert_snapshot!(line("one"), @"under contract, cut by feeder halls's limit of 3.000 MW; a lost MWh costs 916.67 USD/MWh");
}

#[test]
fn a_dispatch_that_serves_the_cheaper_first_is_found() {
    let mut scene = Scene::tight();
    scene.loses("10:01", exposure("H2", "10:01", 40_000_000));
    let mut dispatch = scene.decides("10:05");
    let site = scene.0.state().site.clone();
    let (one, two) = (
        site.load_named("one").expect("a load"),
        site.load_named("two").expect("a load"),
    );
    let (dear, cheap) = (dispatch.entries[two], dispatch.entries[one]);
    for (load, other) in [(one, dear), (two, cheap)] {
        let entry = &mut dispatch.entries[load];
        (entry.setpoint, entry.to, entry.reason) =
            (other.setpoint, other.to, other.reason);
    }
    assert!(matches!(dispatch.entries[two].reason, Reason::FirmShed { .. }));
    assert!(matches!(dispatch.entries[two].setpoint, Setpoint::Level(_)));
    let found = check_now(scene.0.state(), &dispatch);
    let expected = Fault::DearerFirmShed { instead: one };
    assert!(found.iter().any(|one| one.fault == expected), "{found:?}");
}

/// Each rack of the two tranches at 10 kW of rest, 94 kW for 60 percent of its work and
/// 130 kW for all of it: 84 kW for 72 GPUs are 1,166 W each, 120 kW are 1,666 W.
fn curved() -> Site {
    let mut site = two_tranches();
    for name in ["one", "two"] {
        let load = site.load_named(name).expect("a load");
        let LoadKind::Racks(racks) = &mut site.loads[load].kind else { panic!("racks") };
        racks.machines.points.insert(
            0,
            OperatingPoint {
                power: Power::from_kw(94),
                rate: Rate::Throughput(Share::from_ppm(800_000)),
            },
        );
        racks.beside_gpus = Power::from_kw(10);
    }
    site
}

fn floored(id: &str, micro: i64, floor: i64) -> Exposure {
    let floor = Some(Power::from_watts(floor));
    Exposure { floor, ..exposure(id, "10:00", micro) }
}

impl Scene {
    /// A limit in kilowatts at the meter, from 10:00 on.
    fn curved(limit_kw: i64) -> Self {
        let mut scene = Self(Engine::new(curved(), at("2024-08-20")));
        let limit = Instruction {
            name: "tight".to_owned(),
            programme: 0,
            ask: Ask::Limit(Power::from_kw(limit_kw)),
            during: Interval { start: clock("10:00"), end: clock("12:00") },
            best_effort: false,
            known_at: clock("10:00"),
        };
        scene.hears(clock("10:00"), Signal::Instruction(limit));
        scene
    }

    /// The level of each tranche, and why.
    fn of_both(&mut self, start: &str) -> [(u32, String); 2] {
        let dispatch = self.decides(start);
        let site = &self.0.state().site;
        ["one", "two"].map(|name| {
            let load = site.load_named(name).expect("a load");
            let Setpoint::Level(level) = dispatch.entries[load].setpoint else {
                panic!("machines")
            };
            (level, dispatch.entries[load].reason.explain(&dispatch, site, load))
        })
    }
}

/// At the meter, at 1.2, both tranches rest at 240 kW, are at their first points at
/// 2,256 kW and at their last at 3,120 kW; rigs at rest draw 22 kW.
///
/// Of 2,600 kW the dearer one takes its 1,560 kW where no floor is known. What is left
/// for the other, 1,018 kW, is its rest and eight racks at their first point, 100.8 kW
/// each: two racks are lost.
///
/// With a floor of 1,000 W a GPU both have their first points, and the 322 kW beyond
/// them go to seven racks of the dearer one, 43.2 kW each: nobody has lost anything.
#[test]
fn what_a_floor_leaves_to_cut_is_cut_first() {
    let mut scene = Scene::curved(2_600);
    scene.loses("10:00", exposure("H1", "10:00", 40_000_000));
    scene.loses("10:00", exposure("H2", "10:00", 90_000_000));
    let [one, two] = scene.of_both("10:05");
    assert_eq!((one.0, two.0), (8, 20));

    let mut scene = Scene::curved(2_600);
    scene.loses("10:00", floored("H1", 40_000_000, 1_000));
    scene.loses("10:00", floored("H2", 90_000_000, 1_000));
    let [one, two] = scene.of_both("10:05");
    assert_eq!((one.0, two.0), (10, 17));
    let none = "; none is held below the floor of 1000 W a GPU: no credit is due";
    assert!(one.1.ends_with(none), "{}", one.1);
    assert!(two.1.ends_with(none), "{}", two.1);
}

/// 94 kW less the 10 kW beside them are 1,166 W for each of 72 GPUs: with a floor of
/// 1,167 W only the last point is enough, and the eight racks at the first are lost too.
/// All 720 GPUs at 42.91 USD an hour are 30,895.20 USD.
#[test]
fn what_a_rack_draws_beside_its_gpus_is_not_theirs() {
    for (floor, levels) in [(1_166, (10, 17)), (1_167, (8, 20))] {
        let mut scene = Scene::curved(2_600);
        scene.loses("10:00", floored("H1", 40_000_000, floor));
        scene.loses("10:00", floored("H2", 90_000_000, floor));
        let [one, two] = scene.of_both("10:05");
        assert_eq!((one.0, two.0), levels, "a floor of {floor} W");
        let lost = "; 720 GPUs below the floor of 1167 W a GPU count as down: 30895.20 USD an hour";
        assert_eq!(one.1.ends_with(lost), floor == 1_167, "{}", one.1);
    }
}

/// Of 1,700 kW, 1,678 kW are for racks: 1,128 kW for the floors of the dearer tranche,
/// and the rest of the other and four racks of 100.8 kW in the 550 kW that are left.
///
/// A flex event excuses what is below the floor while it is on and hours are left: then
/// its tranche costs the fee alone, and is cut first, whatever its credit.
#[test]
fn a_flex_event_makes_its_tranche_the_cheapest_to_cut() {
    let flex = |left: i64| FlexEvent {
        id: "F7".to_owned(),
        during: Interval { start: clock("10:30"), end: clock("11:00") },
        left: Seconds::minutes(left),
    };
    for (left, excused) in [(150, true), (0, false)] {
        let mut scene = Scene::curved(1_700);
        scene.loses("10:00", floored("H1", 40_000_000, 1_000));
        let dear =
            Exposure { flex: Some(flex(left)), ..floored("H2", 90_000_000, 1_000) };
        scene.loses("10:00", dear);
        for (start, on) in [("10:25", false), ("10:30", true), ("11:00", false)] {
            let [one, two] = scene.of_both(start);
            if on && excused {
                assert_eq!((one.0, two.0), (10, 4), "at {start}");
                // 432 GPUs at 2.91 USD.
                let text = "; 432 GPUs below the floor of 1000 W a GPU are excused by the flex \
                            event F7 until 11:00, with 2 h 30 min left of the month's: 1257.12 \
                            USD an hour";
                assert!(two.1.ends_with(text), "{}", two.1);
            } else {
                assert_eq!((one.0, two.0), (4, 10), "at {start}");
                // 432 GPUs at 42.91 USD.
                let text = "; 432 GPUs below the floor of 1000 W a GPU count as down: 18537.12 \
                            USD an hour";
                assert!(one.1.ends_with(text), "{}", one.1);
            }
        }
    }
}
