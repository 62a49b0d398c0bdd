//! Contracted load is worth what its contract says a lost hour costs: who is cut
//! first under a limit follows it, and the reason carries the figure and its source.

use engine::check::{Fault, check_now};
use engine::site::{LoadKind, Racks, Site, Terms, Tranche};
use engine::{
    Ask, Capacity, Dispatch, Engine, Event, Exposure, Input, Instruction, Notice, Output,
    Reason, Setpoint, Signal,
};
use units::{Interval, Money, Power, Seconds, Timestamp};

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
        let found = outputs.into_iter().find_map(|output| match output {
            Output::Dispatch(dispatch) => Some(dispatch),
            _ => None,
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
