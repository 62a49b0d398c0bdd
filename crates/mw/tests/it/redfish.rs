//! The driver of trays against emulated trays, over sockets.

mod campus;
pub(crate) mod estate;
mod handed;
mod hostile;
mod joined;
mod mockup;
mod rack;
pub(crate) mod shelf;
mod tls;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use adapters::deliver::Secret;
use adapters::device::reach::{Allowed, Network};
use adapters::device::redfish::{Login, Security, Shutdown, Tray, TraySettings};
use adapters::device::{
    Answer, Driver, Outcome, Reached, Refusal, Running, Severity, Wanted, carry_out,
};
use mw::emulate::redfish::{Fault, Rack, Served, Timing, Tray as Emulated, TraySpec};
use mw::live::clock::Clock;
use units::{Power, Timestamp};

/// How many of the emulator's seconds pass in one of the wall.
const SPEED: u32 = 10;

/// Longer than anything here takes on a loaded machine.
const LONG: Duration = Duration::from_secs(60);

pub(crate) fn by() -> Instant {
    Instant::now() + LONG
}

pub(crate) fn watts(watts: i64) -> Power {
    Power::from_watts(watts)
}

/// A tray of a rack of 132 kW: 5,600 W of GPUs and 1,733 W beside them.
pub(crate) fn emulated(number: u32) -> Emulated {
    let clock = Clock::set(Timestamp::from_unix_seconds(1_790_000_000), SPEED);
    let spec = TraySpec::gb300(132_000.0, 20_000.0, 18);
    let login = Some(("operator".to_owned(), "secret".to_owned()));
    Emulated::new(number, spec, Timing::FAST, login, clock)
}

/// The trays at work, at addresses of this machine.
pub(crate) async fn serve(trays: &[Emulated]) -> Served {
    let rack = Rack::new(trays.to_vec());
    let any: Vec<SocketAddr> = (1..=trays.len())
        .map(|last| SocketAddr::from(([127, 44, 0, last as u8], 0)))
        .collect();
    rack.serve(&any).await.expect("addresses of this machine")
}

pub(crate) fn reached(at: SocketAddr) -> Reached {
    let loopback = Network::parse("127.0.0.0/8").expect("a network");
    Allowed::new(vec![loopback], Vec::new()).reach(at).expect("an allowed address")
}

pub(crate) fn settings(password: &str) -> TraySettings {
    TraySettings {
        login: Some(Login {
            user: "operator".to_owned(),
            password: Secret::new(password.to_owned()),
        }),
        security: Security::Plain,
        beside_gpus: watts(1_734),
        unlimited: None,
        shutdown: Shutdown::Graceful,
        drives: None,
    }
}

pub(crate) fn driver(at: SocketAddr) -> Tray {
    Tray::new(reached(at), settings("secret"))
}

pub(crate) fn run<T>(what: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(what)
}

/// One tray at work, and its driver.
async fn at_work() -> (Emulated, Served, Arc<Tray>) {
    let tray = emulated(7).found_working();
    let served = serve(std::slice::from_ref(&tray)).await;
    let driver = Arc::new(driver(served.addresses[0]));
    (tray, served, driver)
}

#[test]
fn a_tray_is_started_limited_and_brought_to_rest() {
    run(async {
        let tray = emulated(7);
        let served = serve(std::slice::from_ref(&tray)).await;
        let driver = driver(served.addresses[0]);
        let rests = driver.look(by()).await.expect("a look");
        assert!(rests.shows(Wanted::Rest));
        assert_eq!(rests.limit, None);

        let wanted = Wanted::AtMost(watts(5_000));
        let outcome = carry_out(&driver, wanted, by()).await;
        let Outcome::Done(look) = outcome else { panic!("{outcome:?}") };
        // 5,000 W less 1,734 W beside leave 816 W for each of four.
        assert_eq!(look.limit.map(|limit| limit.value), Some(watts(4 * 816 + 1_734)));
        assert!(tray.set() <= watts(5_000), "{}", tray.set());

        let outcome = carry_out(&driver, Wanted::Rest, by()).await;
        assert!(matches!(outcome, Outcome::Done(_)), "{outcome:?}");
        assert!(!tray.is_working());
    });
}

#[test]
fn a_look_at_a_tray_at_work() {
    run(async {
        let (tray, _served, driver) = at_work().await;
        let look = driver.look(by()).await.expect("a look");
        assert_eq!(look.running.map(|field| field.value), Some(Running::Working));
        assert_eq!(look.limit.map(|field| field.value), Some(watts(5_600 + 1_734)));
        assert_eq!(look.draw.map(|field| field.value), Some(tray.draw()));
        // 75 degrees, and not the 12 that are left to the limit.
        let hottest = look.hottest.expect("a temperature").value;
        assert_eq!(hottest.as_millidegrees(), 75_000);
        assert!(look.faults.is_empty(), "{:?}", look.faults);

        let glance = driver.glance(by()).await.expect("a glance");
        assert_eq!(
            (glance.running.map(|f| f.value), glance.draw.map(|f| f.value)),
            (Some(Running::Working), Some(tray.draw()))
        );
    });
}

#[test]
fn a_tray_says_what_it_is_part_by_part() {
    run(async {
        let (_tray, _served, driver) = at_work().await;
        let identity = driver.identify(by()).await.expect("an identity");
        let range = (watts(800 + 1_734), watts(5_600 + 1_734));
        assert_eq!(identity.limits, Some(range));
        assert_eq!(identity.firmware.expect("firmware").as_str(), "70.01.00.09");
        let parts = driver.parts(by()).await.expect("its parts");
        let gpus: Vec<&str> = parts.gpus.iter().map(|gpu| gpu.name.as_str()).collect();
        assert_eq!(gpus, ["GPU_0", "GPU_1", "GPU_2", "GPU_3"]);
        assert!(parts.gpus.iter().all(|gpu| gpu.serial.is_some()));
        assert_eq!(parts.slot, Some(17));
        assert_eq!(parts.chassis.len(), 14);
        assert!(parts.missed.is_empty(), "{:?}", parts.missed);
    });
}

#[test]
fn what_is_out_of_range_is_refused_before_it_is_sent() {
    run(async {
        let (tray, _served, driver) = at_work().await;
        let before = tray.set();
        for asked in [0, 2_533, 7_335, 100_000] {
            let answer = driver.tell(Wanted::AtMost(watts(asked)), by()).await;
            let expected = Refusal::OutOfRange {
                least: watts(2_534),
                most: watts(7_334),
                asked: watts(asked),
            };
            assert_eq!(answer, Answer::Refused(expected));
        }
        let answer = driver.tell(Wanted::Flow(watts(1)), by()).await;
        assert!(matches!(answer, Answer::Refused(Refusal::Unsupported(_))), "{answer:?}");
        assert_eq!(tray.set(), before);
    });
}

#[test]
fn a_limit_is_gone_after_a_reset_and_a_look_shows_it() {
    run(async {
        let (tray, _served, driver) = at_work().await;
        let wanted = Wanted::AtMost(watts(4_000));
        assert!(matches!(carry_out(&*driver, wanted, by()).await, Outcome::Done(_)));
        tray.reset("ForceRestart");
        loop {
            let look = driver.look(by()).await.expect("a look");
            if look.running.map(|f| f.value) == Some(Running::Working)
                && look.limit.is_some_and(|limit| limit.value > watts(4_010))
            {
                assert!(!look.shows(wanted));
                break;
            }
            tokio::task::yield_now().await;
        }
        assert!(matches!(carry_out(&*driver, wanted, by()).await, Outcome::Done(_)));
        assert!(tray.set() <= watts(4_000));
    });
}

#[test]
fn a_missing_gpu_and_a_leak_are_faults_and_cost_nothing_else() {
    run(async {
        let (tray, _served, driver) = at_work().await;
        driver.identify(by()).await.expect("an identity");
        tray.take(Fault::GpuMissing(2));
        tray.take(Fault::Leak(1));
        let look = driver.look(by()).await.expect("a look");
        let faults: Vec<&str> = look.faults.iter().map(|f| f.as_str()).collect();
        assert!(faults.contains(&"GPU_2 is missing"), "{faults:?}");
        let leak = "leak: Chassis_0_LeakDetector_0_Manifold is Critical";
        assert!(faults.contains(&leak), "{faults:?}");
        assert_eq!(look.limit.map(|limit| limit.value), Some(watts(3 * 1_400 + 1_734)));
        assert!(look.draw.is_some() && look.hottest.is_some());
        // What the whole tray may have is still no error, and the three share it.
        let wanted = Wanted::AtMost(watts(7_334));
        assert!(matches!(carry_out(&*driver, wanted, by()).await, Outcome::Done(_)));
        let wanted = Wanted::AtMost(watts(4_734));
        assert!(matches!(carry_out(&*driver, wanted, by()).await, Outcome::Done(_)));
        let limit = driver.look(by()).await.expect("a look").limit.expect("a limit");
        assert_eq!(limit.value, watts(3 * 1_000 + 1_734));
    });
}

#[test]
fn what_a_tray_tells_by_itself_is_heard_and_taken_up_again() {
    run(async {
        let (tray, _served, driver) = at_work().await;
        let mut events = driver.events();
        // Whoever listens is there before something happens.
        while tray.listeners() == 0 {
            let soon = Instant::now() + Duration::from_millis(300);
            assert!(events.next(soon).await.is_err());
        }
        tray.take(Fault::Leak(0));
        let leak = events.next(by()).await.expect("an event");
        assert_eq!(leak.severity, Severity::Critical);
        assert!(leak.at.is_some());
        let origin = leak.origin.expect("an origin");
        assert!(origin.as_str().ends_with("Chassis_0_LeakDetector_0_ColdPlate"));
        tray.cut_streams();
        tray.take(Fault::GpuMissing(3));
        let gpu = loop {
            // A stream that was cut is an error once, and then goes on where it was.
            if let Ok(event) = events.next(by()).await {
                break event;
            }
        };
        assert_eq!(gpu.text.as_str(), "GPU_3 has fallen off the bus.");
    });
}
