//! The miners' drivers against emulated rigs, over sockets: what was asked shows in the
//! machine itself, and whatever is wrong with a rig is met and named.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use adapters::deliver::Secret;
use adapters::device::cgminer::Cgminer;
use adapters::device::reach::Network;
use adapters::device::whatsminer::Whatsminer;
use adapters::device::{
    Allowed, Driver, Outcome, Reached, Refusal, Running, Unanswered, Wanted, carry_out,
};
use mw::config;
use mw::emulate::rigs::{Firmware, Manner, Quirk, Rigs, Timing};
use mw::emulate::{Emulated, Machine};
use mw::live::clock::Clock;
use sim::campus::{Temper, Tempers};
use units::{Power, Seconds, Timestamp};

use crate::backtest::root;

/// Long enough for a loaded machine; no test that passes waits for it.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long what never comes is waited for.
const SHORT: Duration = Duration::from_millis(1_500);

/// The password of the rigs here.
const PASSWORD: &str = "correct horse";

/// Machines of one load that can run at 2600 W and 3500 W and restart in ten minutes,
/// and the rigs that they are.
pub(crate) struct Shed {
    pub(crate) machines: Vec<Machine>,
    pub(crate) rigs: Rigs,
    firmware: Firmware,
}

impl Shed {
    /// So many as addresses, on the runtime that it is called on.
    pub(crate) fn at(
        firmware: Firmware,
        timing: Timing,
        model: &str,
        addresses: &[SocketAddr],
        speed: u32,
    ) -> Self {
        let site =
            config::load(&root().join("examples/mixed-10mw")).expect("a site").site;
        let clock = Clock::set(Timestamp::from_unix_seconds(1_700_000_000), speed);
        let site = Emulated::new(site, 1, Tempers::none(), clock);
        let machines: Vec<Machine> =
            site.machines_of("s21").into_iter().take(addresses.len()).collect();
        let manner = Manner {
            firmware,
            model: model.to_owned(),
            password: PASSWORD.to_owned(),
            pools: vec!["stratum+tcp://pool.example:3333".to_owned()],
            timing,
        };
        let rigs = Rigs::listen(machines.clone(), addresses, manner).expect("listeners");
        Self { machines, rigs, firmware }
    }

    /// Two rigs on ports of their own.
    fn open(firmware: Firmware) -> Self {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        Self::at(firmware, Timing::Fast, "M50S_VH50", &[any, any], 1)
    }

    fn driver(&self, rig: usize) -> Box<dyn Driver> {
        self.driver_with(rig, PASSWORD)
    }

    fn driver_with(&self, rig: usize, password: &str) -> Box<dyn Driver> {
        let at = reached(self.rigs.addresses()[rig]);
        match self.firmware {
            Firmware::Whatsminer => {
                Box::new(Whatsminer::new(at, Some(Secret::new(password.to_owned()))))
            }
            Firmware::LuxOs | Firmware::Antminer | Firmware::Avalon => {
                Box::new(Cgminer::new(at))
            }
        }
    }
}

fn reached(address: SocketAddr) -> Reached {
    let loopback = Network::parse("127.0.0.0/8").expect("a network");
    Allowed::new(vec![loopback], Vec::new()).reach(address).expect("loopback is allowed")
}

fn by(patience: Duration) -> Instant {
    Instant::now() + patience
}

fn at_most(watts: i64) -> Wanted {
    Wanted::AtMost(Power::from_watts(watts))
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(work)
}

/// What came of it, without its words.
fn kind(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Done(_) => "done",
        Outcome::Refused(Refusal::Login) => "refused: login",
        Outcome::Refused(Refusal::Unsupported(_)) => "refused: unsupported",
        Outcome::Refused(Refusal::OutOfRange { .. }) => "refused: range",
        Outcome::Refused(Refusal::Busy(_)) => "refused: busy",
        Outcome::Refused(Refusal::Other(_)) => "refused: other",
        Outcome::Unknown(Unanswered::Unreachable) => "unknown: unreachable",
        Outcome::Unknown(Unanswered::Late) => "unknown: late",
        Outcome::Unknown(Unanswered::Closed) => "unknown: closed",
        Outcome::Unknown(Unanswered::Nonsense(_)) => "unknown: nonsense",
        Outcome::Unknown(Unanswered::Login) => "unknown: login",
        Outcome::Unknown(Unanswered::NotShown) => "unknown: not shown",
    }
}

/// To rest and back, to one point and the other: what is read back is what the machine
/// truly does.
#[test]
fn a_rig_is_what_it_was_told_to_be() {
    for firmware in [Firmware::Whatsminer, Firmware::LuxOs] {
        block_on(async {
            let shed = Shed::open(firmware);
            let driver = shed.driver(0);
            let identity = driver.identify(by(PATIENCE)).await.expect("an identity");
            assert!(
                identity.model.is_some() && identity.serial.is_some(),
                "{identity:?}"
            );
            for (wanted, point, watts) in [
                (at_most(3_500), 2, 3_500),
                (at_most(2_600), 1, 2_600),
                (at_most(3_499), 1, 2_600),
                (Wanted::Rest, 0, 10),
                (Wanted::Rest, 0, 10),
                (at_most(2_600), 1, 2_600),
                (at_most(9_000), 2, 3_500),
                (at_most(9_000), 2, 3_500),
            ] {
                let outcome = carry_out(&*driver, wanted, by(PATIENCE)).await;
                let Outcome::Done(look) = outcome else {
                    panic!("{firmware:?} {wanted:?}: {outcome:?}")
                };
                let stands = shed.machines[0].stands();
                assert_eq!(stands.point, point, "{firmware:?} {wanted:?}");
                let draw = look.draw.expect("a draw").value;
                assert_eq!(draw, stands.draw, "{firmware:?} {wanted:?}");
                assert!(
                    draw.as_watts() <= watts.max(100),
                    "{firmware:?} {wanted:?} {draw}"
                );
                let running = look.running.map(|it| it.value);
                let expected =
                    if point == 0 { Running::Resting } else { Running::Starting };
                assert_eq!(running, Some(expected), "{firmware:?} {wanted:?}");
            }
            let refused = carry_out(&*driver, at_most(1_000), by(PATIENCE)).await;
            let expected = match firmware {
                Firmware::LuxOs => "refused: range",
                Firmware::Whatsminer | Firmware::Antminer | Firmware::Avalon => {
                    "refused: other"
                }
            };
            assert_eq!(kind(&refused), expected);
            assert_eq!(shed.machines[1].stands().point, 0, "the other is left alone");
        });
    }
}

/// A look tells a rig that warms up from one that hashes.
#[test]
fn a_rig_hashes_when_it_has_warmed_up() {
    for firmware in [Firmware::Whatsminer, Firmware::LuxOs] {
        block_on(async {
            let any = SocketAddr::from(([127, 0, 0, 1], 0));
            let shed = Shed::at(firmware, Timing::Fast, "M50S_VH50", &[any], 3_600);
            let driver = shed.driver(0);
            carry_out(&*driver, at_most(3_500), by(PATIENCE)).await;
            let look = loop {
                let look = driver.look(by(PATIENCE)).await.expect("a look");
                if look.running.map(|it| it.value) == Some(Running::Working) {
                    break look;
                }
            };
            assert_eq!(look.hashrate.map(|it| it.value.as_ghs()), Some(200_000));
            assert_eq!(look.pools[0].as_str(), "stratum+tcp://pool.example:3333");
            assert!(look.hottest.is_some(), "{look:?}");
        });
    }
}

#[test]
fn what_is_wrong_on_the_wire_is_met_and_named() {
    use Quirk::*;
    for (quirk, whatsminer, luxos) in [
        (Garbage, "unknown: nonsense", "unknown: nonsense"),
        (Endless, "unknown: nonsense", "unknown: nonsense"),
        (Drips, "unknown: late", "unknown: late"),
        (ClosesEarly, "unknown: closed", "unknown: closed"),
        (ActsUnanswered, "done", "done"),
        (ActsAndHolds, "done", "done"),
        (Refuses, "refused: other", "refused: other"),
        (SaysYes, "unknown: not shown", "unknown: not shown"),
        (OtherLogin, "refused: login", "done"),
        (OtherSeal, "refused: login", "done"),
        (CountedSeal, "done", "done"),
        (ReadOnly, "refused: unsupported", "done"),
        (OtherNumber, "done", "unknown: nonsense"),
        (Markup, "done", "done"),
        (OtherPool, "done", "done"),
    ] {
        for (firmware, expected) in
            [(Firmware::Whatsminer, whatsminer), (Firmware::LuxOs, luxos)]
        {
            block_on(async {
                let shed = Shed::open(firmware);
                shed.machines[0].go_to(2);
                shed.rigs.take_quirk(0, Some(quirk));
                let driver = shed.driver(0);
                // What is unknown is looked into until the deadline.
                let patience = match expected.starts_with("unknown") {
                    true => SHORT,
                    false => PATIENCE,
                };
                let outcome = carry_out(&*driver, Wanted::Rest, by(patience)).await;
                assert_eq!(
                    kind(&outcome),
                    expected,
                    "{quirk:?} {firmware:?} {outcome:?}"
                );
                let rests = shed.machines[0].stands().point == 0;
                if let Outcome::Done(_) = outcome {
                    assert!(rests, "{quirk:?} {firmware:?}");
                }
                if let Outcome::Refused(_) = outcome {
                    assert!(!rests, "{quirk:?} {firmware:?}");
                }
            });
        }
    }
}

#[test]
fn what_is_wrong_with_the_machine_shows() {
    for (temper, expected) in [
        (Temper::Hangs, "unknown: late"),
        (Temper::Mute, "unknown: late"),
        (Temper::Ignores, "unknown: not shown"),
        // It says so; that it draws on is for the meter to find.
        (Temper::Lies, "done"),
    ] {
        for firmware in [Firmware::Whatsminer, Firmware::LuxOs] {
            block_on(async {
                let shed = Shed::open(firmware);
                shed.machines[0].go_to(2);
                shed.machines[0].take_temper(temper, Seconds::hours(1));
                let driver = shed.driver(0);
                let patience = if expected == "done" { PATIENCE } else { SHORT };
                let outcome = carry_out(&*driver, Wanted::Rest, by(patience)).await;
                assert_eq!(
                    kind(&outcome),
                    expected,
                    "{temper:?} {firmware:?} {outcome:?}"
                );
                if let Outcome::Done(look) = outcome {
                    let draw = look.draw.expect("a draw").value;
                    assert_eq!(draw, Power::from_watts(3_500), "the draw gives it away");
                }
            });
        }
    }
}

/// A password that is not the miner's is told from everything else, and moves nothing.
#[test]
fn a_wrong_password_is_refused() {
    block_on(async {
        let shed = Shed::open(Firmware::Whatsminer);
        shed.machines[0].go_to(2);
        let driver = shed.driver_with(0, "guessed");
        for wanted in [Wanted::Rest, at_most(2_600)] {
            let outcome = carry_out(&*driver, wanted, by(PATIENCE)).await;
            assert_eq!(outcome, Outcome::Refused(Refusal::Login), "{wanted:?}");
        }
        assert_eq!(shed.machines[0].stands().point, 2);
        // It can be looked at all the same.
        let look = driver.look(by(PATIENCE)).await.expect("a look");
        assert_eq!(look.draw.map(|it| it.value), Some(Power::from_watts(3_500)));
        let without = Whatsminer::new(reached(shed.rigs.addresses()[0]), None);
        let outcome = carry_out(&without, Wanted::Rest, by(PATIENCE)).await;
        assert_eq!(outcome, Outcome::Refused(Refusal::Login));
    });
}

/// A miner forgets a token, by age or by a restart; the next order goes through.
#[test]
fn a_token_that_was_forgotten_is_had_anew() {
    for firmware in [Firmware::Whatsminer, Firmware::LuxOs] {
        block_on(async {
            let shed = Shed::open(firmware);
            let driver = shed.driver(0);
            for wanted in [at_most(2_600), Wanted::Rest, at_most(3_500)] {
                let outcome = carry_out(&*driver, wanted, by(PATIENCE)).await;
                assert_eq!(kind(&outcome), "done", "{firmware:?} {outcome:?}");
                shed.rigs.forget_logins(0);
            }
            assert_eq!(shed.machines[0].stands().point, 2);
        });
    }
}

#[test]
fn names_are_plain_and_a_changed_pool_shows() {
    for firmware in [Firmware::Whatsminer, Firmware::LuxOs, Firmware::Avalon] {
        block_on(async {
            let shed = Shed::open(firmware);
            shed.rigs.take_quirk(0, Some(Quirk::Markup));
            shed.rigs.take_quirk(1, Some(Quirk::OtherPool));
            let identity = shed.driver(0).identify(by(PATIENCE)).await;
            let model = identity.expect("an identity").model.expect("a model");
            assert!(!model.as_str().contains(['<', '>', '\'']), "{model}");
            let look = shed.driver(1).look(by(PATIENCE)).await.expect("a look");
            assert_eq!(look.pools[0].as_str(), "stratum+tcp://thief.example:3333");
        });
    }
}

/// What is only looked at shows what it does, and takes no order.
#[test]
fn a_firmware_without_words_for_it_is_only_looked_at() {
    for firmware in [Firmware::Antminer, Firmware::Avalon] {
        block_on(async {
            let any = SocketAddr::from(([127, 0, 0, 1], 0));
            let model = "Antminer S21";
            let shed = Shed::at(firmware, Timing::Fast, model, &[any], 3_600);
            shed.machines[0].go_to(1);
            let driver = shed.driver(0);
            let look = loop {
                let look = driver.look(by(PATIENCE)).await.expect("a look");
                if look.hashrate.is_some_and(|rate| !rate.value.is_zero()) {
                    break look;
                }
            };
            assert_eq!(look.hashrate.map(|it| it.value.as_ghs()), Some(160_000));
            assert_eq!(look.running.map(|it| it.value), Some(Running::Working));
            let outcome = carry_out(&*driver, Wanted::Rest, by(PATIENCE)).await;
            assert_eq!(kind(&outcome), "refused: unsupported", "{firmware:?}");
            assert_eq!(shed.machines[0].stands().point, 1);
        });
    }
}

/// Another limit restarts a real rig: it draws, and hashes again after minutes.
#[test]
fn with_real_timing_another_limit_is_a_restart() {
    block_on(async {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let shed =
            Shed::at(Firmware::Whatsminer, Timing::Realistic, "M50S_VH50", &[any], 3_600);
        let rig = &shed.machines[0];
        rig.go_to(2);
        while rig.stands().starting {
            tokio::task::yield_now().await;
        }
        let driver = shed.driver(0);
        let outcome = carry_out(&*driver, at_most(2_600), by(PATIENCE)).await;
        assert_eq!(kind(&outcome), "done", "{outcome:?}");
        assert_eq!(rig.stands().point, 1);
        assert_eq!(rig.starts(), 2);
    });
}

#[test]
fn only_loopback_is_listened_on() {
    block_on(async {
        let site =
            config::load(&root().join("examples/mixed-10mw")).expect("a site").site;
        let clock = Clock::set(Timestamp::from_unix_seconds(1_700_000_000), 1);
        let site = Emulated::new(site, 1, Tempers::none(), clock);
        let manner = Manner {
            firmware: Firmware::LuxOs,
            model: "Antminer S21".to_owned(),
            password: String::new(),
            pools: Vec::new(),
            timing: Timing::Fast,
        };
        let outside = SocketAddr::from(([0, 0, 0, 0], 0));
        let error = Rigs::listen(site.machines_of("s21"), &[outside], manner)
            .expect_err("it is not loopback");
        assert!(error.to_string().contains("0.0.0.0:0"), "{error}");
    });
}
