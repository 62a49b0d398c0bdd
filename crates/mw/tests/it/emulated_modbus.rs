//! The simulated site's meter and battery over Modbus TCP, and the drivers that read
//! them: two implementations of the protocol, one of each end.

use std::future::Future;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use adapters::device::modbus::{
    Battery, BatteryLimits, Kind, Meaning, ModbusMeter, Plausible, Profile,
};
use adapters::device::reach::{Allowed, Network};
use adapters::device::{
    Driver, Outcome, Quality, Reached, Running, Unanswered, Wanted, carry_out,
};
use adapters::meter::{Meter, Shown};
use engine::Site;
use engine::site::LoadKind;
use mw::emulate::Emulated;
use mw::emulate::modbus::{Fault, Faults, serve_battery, serve_meter};
use mw::live::clock::Clock;
use sim::campus::Tempers;
use tokio::net::TcpListener;
use units::{Energy, Power, Timestamp};

use crate::backtest::root;

/// How long a test may take by the wall, so that one that fails ends.
const ENDS_WITHIN: Duration = Duration::from_secs(180);

pub(crate) fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let test = async { tokio::time::timeout(ENDS_WITHIN, test).await };
    runtime.expect("a runtime").block_on(test).expect("a test that ends")
}

/// The example, whose machines draw nothing at rest: what the meter shows is the house's.
fn site() -> Site {
    let loaded = mw::config::load(&root().join("examples/mixed-10mw"));
    let mut site = loaded.expect("an example").site;
    for load in &mut site.loads {
        match &mut load.kind {
            LoadKind::Rigs(rigs) => rigs.machines.standby = Power::ZERO,
            LoadKind::Racks(racks) => racks.machines.standby = Power::ZERO,
            LoadKind::Battery(_) => {}
        }
    }
    site
}

fn battery_of(site: &Site) -> usize {
    site.loads.iter().position(|load| load.name == "battery").expect("a battery")
}

/// The example at rest, its offices drawing 50 kW, whose second is a sixtieth of ours.
pub(crate) fn emulated() -> Emulated {
    let now = Timestamp::parse("2024-07-01T00:00Z").expect("a time");
    let tempers = Tempers { house: Power::from_kw(50), ..Tempers::none() };
    Emulated::new(site(), 1, tempers, Clock::set(now, 60))
}

pub(crate) fn reached(address: SocketAddr) -> Reached {
    let network = Network::parse("127.0.0.0/8").expect("a network");
    Allowed::new(vec![network], Vec::new()).reach(address).expect("loopback is allowed")
}

pub(crate) async fn meter_of(
    site: &Emulated,
    profile: &Profile,
    faults: Faults,
) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let (site, profile) = (site.clone(), profile.clone());
    tokio::spawn(async move { serve_meter(&site, listener, profile, 1, faults).await });
    address
}

fn driver(address: SocketAddr, profile: Profile) -> ModbusMeter {
    let plausible = Plausible { most: Power::from_mw(12) };
    ModbusMeter::new(reached(address), 1, profile, plausible)
}

fn within(milliseconds: u64) -> Instant {
    Instant::now() + Duration::from_millis(milliseconds)
}

/// How a meter stands when it shows this.
fn power(shown: &Shown) -> (i64, Quality) {
    let power = shown.power.expect("a power");
    (power.value.as_watts(), power.quality)
}

/// Every profile of a meter that comes with the program, read back from an emulated one.
#[test]
fn every_profile_reads_back_what_it_shows() {
    run(async {
        for profile in Profile::shipped() {
            if profile.kind != Kind::Meter {
                continue;
            }
            let site = emulated();
            let address = meter_of(&site, &profile, Faults::default()).await;
            let coding = profile.register(Meaning::Power).expect("power").coding;
            let step = i64::try_from(coding.per_raw.abs() / coding.parts / 1_000_000);
            let step = step.expect("a step in watts") + 1;
            let name = profile.name.clone();
            let meter = driver(address, profile);
            let shown = meter.read(within(8_000)).await.expect("a reading");
            let (watts, quality) = power(&shown);
            assert!((watts - 50_000).abs() <= step, "{name}: {watts} by {step}");
            assert_eq!(quality, Quality::Measured, "{name}");
        }
    });
}

#[test]
fn counters_count_what_the_site_draws() {
    run(async {
        let site = emulated();
        let profile = Profile::named("mw-meter").expect("a profile");
        let meter = driver(meter_of(&site, &profile, Faults::default()).await, profile);
        let first = meter.read(within(8_000)).await.expect("a reading");
        let mut last = first.clone();
        // A minute of the site is a second of ours.
        while last.imported.expect("a counter").value.at < Energy::from_kwh(1) {
            last = meter.read(within(8_000)).await.expect("a reading");
        }
        let drawn = site.account();
        let counted = last.imported.expect("a counter").value;
        let began = first.imported.expect("a counter").value;
        let since = counted.since(began).expect("a counter that goes on");
        assert!(since > Energy::ZERO);
        assert_eq!(last.exported.expect("a counter").value.at, Energy::ZERO);
        // 50 kW since the beginning, to the second and the watt-hour.
        let start = Timestamp::parse("2024-07-01T00:00Z").expect("a time");
        let most = Power::from_kw(50) * (drawn.now - start);
        assert!(counted.at <= most, "{} of {most}", counted.at);
        let beats = |shown: &Shown| shown.heartbeat.expect("a heartbeat").value;
        assert!(beats(&last) > beats(&first));
    });
}

#[test]
fn faults_of_a_meter_are_seen_and_never_believed() {
    run(async {
        let site = emulated();
        let faults = Faults::default();
        let mut profile = Profile::named("mw-meter").expect("a profile");
        profile.still_for = Duration::from_millis(300);
        let meter = driver(meter_of(&site, &profile, faults.clone()).await, profile);
        let read = async || meter.read(within(5_000)).await;
        let (watts, _) = power(&read().await.expect("a reading"));
        assert_eq!(watts, 50_000);

        faults.set(Fault::Stuck, true);
        let stuck = loop {
            let shown = read().await.expect("a reading");
            if power(&shown).1 == Quality::Implausible {
                break shown;
            }
        };
        let field = stuck.power.expect("a power");
        assert!(field.age(Instant::now()) > Duration::from_millis(300), "{field:?}");
        faults.set(Fault::Stuck, false);
        while power(&read().await.expect("a reading")).1 != Quality::Measured {}

        for (fault, expected) in [
            (Fault::WrongTransaction, "nonsense"),
            (Fault::WrongUnit, "nonsense"),
            (Fault::Silent, "late"),
        ] {
            faults.set(fault, true);
            let by = if fault == Fault::Silent { within(300) } else { within(5_000) };
            let found = match meter.read(by).await {
                Err(Unanswered::Nonsense(_)) => "nonsense",
                Err(Unanswered::Late) => "late",
                Err(_) | Ok(_) => "?",
            };
            assert_eq!(found, expected, "{fault:?}");
            faults.clear();
            assert_eq!(power(&read().await.expect("a reading")).0, 50_000, "{fault:?}");
        }
    });
}

#[test]
fn a_spike_and_a_flipped_sign_are_marked() {
    run(async {
        let site = emulated();
        let faults = Faults::default();
        let profile = Profile::named("mw-meter").expect("a profile");
        let address = meter_of(&site, &profile, faults.clone()).await;
        let plausible = Plausible { most: Power::from_kw(200) };
        let meter = ModbusMeter::new(reached(address), 1, profile, plausible);
        let read = async || power(&meter.read(within(5_000)).await.expect("a reading"));
        assert_eq!(read().await, (50_000, Quality::Measured));
        faults.set(Fault::Spike, true);
        assert_eq!(read().await, (500_000, Quality::Implausible));
        faults.clear();
        assert_eq!(read().await, (50_000, Quality::Measured));
        // The counters go on drawing: after a while they contradict the sign.
        faults.set(Fault::SignFlipped, true);
        let mut seen = read().await;
        while seen != (-50_000, Quality::Implausible) {
            seen = read().await;
        }
    });
}

#[test]
fn another_unit_of_the_wire_does_not_answer() {
    run(async {
        let site = emulated();
        let profile = Profile::named("mw-meter").expect("a profile");
        let address = meter_of(&site, &profile, Faults::default()).await;
        let plausible = Plausible { most: Power::from_mw(12) };
        let meter = ModbusMeter::new(reached(address), 9, profile, plausible);
        let found = meter.read(within(200)).await;
        assert_eq!(found.map(|_| ()), Err(Unanswered::Late));
    });
}

/// Where the example's battery is shown.
pub(crate) async fn battery_at(
    site: &Emulated,
    watchdog: Duration,
    faults: Faults,
) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let load = battery_of(&self::site());
    let mut profile = Profile::named("mw-battery").expect("a profile");
    profile.watchdog = Some(watchdog);
    let site = site.clone();
    tokio::spawn(async move {
        serve_battery(&site, load, listener, profile, 1, faults).await
    });
    address
}

async fn battery(site: &Emulated, watchdog: Duration, faults: Faults) -> Battery {
    battery_driver(battery_at(site, watchdog, faults).await)
}

fn battery_driver(address: SocketAddr) -> Battery {
    let profile = Profile::named("mw-battery").expect("a profile");
    let limits = BatteryLimits {
        charge_max: Power::from_mw(1),
        discharge_max: Power::from_mw(2),
        capacity: Some(Energy::from_mwh(4)),
    };
    Battery::new(reached(address), 1, profile, limits)
}

#[test]
fn a_battery_does_what_it_is_told_and_is_read_back() {
    run(async {
        let site = emulated();
        let battery = battery(&site, Duration::from_secs(60), Faults::default()).await;
        let identity = battery.identify(within(8_000)).await.expect("an identity");
        assert_eq!(identity.limits, Some((Power::from_mw(-2), Power::from_mw(1))));
        for (wanted, watts, running) in [
            (Wanted::Flow(Power::from_kw(800)), 800_000, Running::Working),
            (Wanted::Flow(Power::from_watts(-1_234_567)), -1_234_567, Running::Working),
            (Wanted::Rest, 0, Running::Resting),
        ] {
            let done = carry_out(&battery, wanted, within(9_000)).await;
            let Outcome::Done(look) = done else { panic!("{wanted:?}: {done:?}") };
            assert_eq!(look.running.map(|field| field.value), Some(running));
            assert!(look.faults.is_empty(), "{look:?}");
            // What it draws follows in its own time.
            loop {
                let look = battery.look(within(8_000)).await.expect("a look");
                let draw = look.draw.expect("a draw").value.as_watts();
                if draw == watts {
                    break;
                }
            }
        }
        let look = battery.look(within(8_000)).await.expect("a look");
        let stored = look.stored.expect("a store").value;
        assert!(stored > Energy::from_mwh(1) && stored < Energy::from_mwh(3), "{stored}");
    });
}

#[test]
fn a_battery_that_nobody_watches_goes_to_rest() {
    run(async {
        let (site, held) = (emulated(), Duration::from_millis(400));
        let address = battery_at(&site, held, Faults::default()).await;
        let (teller, other) = (battery_driver(address), battery_driver(address));
        let told = Wanted::Flow(Power::from_kw(500));
        let done = carry_out(&teller, told, within(9_000)).await;
        assert!(matches!(done, Outcome::Done(_)), "{done:?}");
        // Somebody else's looks do not keep it up. One look is several requests, and
        // the battery may go to rest between two of them: the next look tells all.
        let told_of = loop {
            let look = other.look(within(8_000)).await.expect("a look");
            let running = look.running.map(|field| field.value);
            if running == Some(Running::Resting) && !look.faults.is_empty() {
                break look.faults;
            }
        };
        assert_eq!(told_of[0].as_str(), "status 4");
    });
}

#[test]
fn a_battery_that_is_silent_may_have_heard() {
    run(async {
        let (site, faults) = (emulated(), Faults::default());
        let battery = battery(&site, Duration::from_secs(60), faults.clone()).await;
        faults.set(Fault::Silent, true);
        let told = Wanted::Flow(Power::from_kw(500));
        let found = carry_out(&battery, told, within(300)).await;
        assert_eq!(found, Outcome::Unknown(Unanswered::Late));
    });
}
