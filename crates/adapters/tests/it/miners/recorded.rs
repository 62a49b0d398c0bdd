//! What the drivers make of answers in the shape of real ones.

use std::collections::BTreeMap;
use std::path::Path;

use adapters::device::{
    Answer, Driver, Field, Identity, Look, Quality, Refusal, Running, Wanted, carry_out,
};
use adapters::device::{Outcome, Unanswered};
use serde_json::Value;
use units::{HashRate, Power};

use super::peer::{Act, Peer};
use super::{PATIENCE, block_on, by, cgminer, whatsminer};

/// The answers of a file of `fixtures/miners`.
fn recorded(file: &str) -> BTreeMap<String, String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/miners");
    let text = std::fs::read_to_string(path.join(file)).expect("a fixture");
    if file.ends_with(".txt") {
        let lines = text.lines().map(|line| line.split_once(' ').expect("an answer"));
        return lines.map(|(asked, said)| (asked.to_owned(), said.to_owned())).collect();
    }
    let answers: BTreeMap<String, Value> = serde_json::from_str(&text).expect("JSON");
    answers.into_iter().map(|(asked, said)| (asked, said.to_string())).collect()
}

/// What a driver sees, in a line a figure.
async fn seen(driver: &dyn Driver) -> String {
    let identity = driver.identify(by(PATIENCE)).await.expect("an identity");
    let look = driver.look(by(PATIENCE)).await.expect("a look");
    let Identity { maker, model, serial, firmware, limits } = identity;
    let Look { running, limit, draw, hashrate, hottest, pools, faults, flow, stored } =
        look;
    assert_eq!(
        (flow.is_some(), stored.is_some()),
        (false, false),
        "a miner is no battery"
    );
    let text = |of: Option<adapters::device::DeviceText>| {
        of.map_or("-".to_owned(), |text| text.to_string())
    };
    let marked = |value: String, quality| match quality {
        Quality::Reported => value,
        Quality::Derived | Quality::Implausible | Quality::Measured => {
            format!("{value} ({quality:?})")
        }
    };
    let watts =
        |it: Field<Power>| marked(format!("{} W", it.value.as_watts()), it.quality);
    let rate =
        |it: Field<HashRate>| marked(format!("{} GH/s", it.value.as_ghs()), it.quality);
    let or_none = |it: Option<String>| it.unwrap_or_else(|| "-".to_owned());
    let lines = [
        [text(maker), text(model), text(serial), text(firmware)].join(" | "),
        or_none(limits.map(|(least, most)| {
            format!("takes {} to {} W", least.as_watts(), most.as_watts())
        })),
        or_none(running.map(|it| marked(format!("{:?}", it.value), it.quality))),
        or_none(limit.map(watts)),
        or_none(draw.map(watts)),
        or_none(hashrate.map(rate)),
        or_none(hottest.map(|it| marked(it.value.to_string(), it.quality))),
        pools.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
        faults.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
    ];
    lines.join("\n")
}

/// What is seen of a recorded miner, whether it takes questions together or alone.
fn check(file: &str, driver: fn(&Peer) -> Box<dyn Driver>, expected: &str) {
    for joins in [true, false] {
        let found = block_on(async {
            let peer = Peer::recorded(recorded(file), joins).await;
            seen(&*driver(&peer)).await
        });
        assert_eq!(found, expected, "{file}, together: {joins}\n{found}");
    }
}

#[test]
fn a_whatsminer() {
    check(
        "whatsminer.json",
        whatsminer,
        "MicroBT | Whatsminer M50S_VH50 | HTM38X00000007 | 20240624.18.REL\n\
         -\nWorking\n3300 W\n3200 W\n124500 GH/s\n81.0 °C\n\
         stratum+tcp://pool.example:3333, stratum+tcp://second.example:3333\n\
         error 110, error 218",
    );
}

/// An older one that was switched off, and knows little: what it does not say is absent.
#[test]
fn an_old_whatsminer_at_rest() {
    check(
        "whatsminer-old.json",
        whatsminer,
        "MicroBT | - | C4:11:04:00:00:08 | 20220729.11.REL\n-\nResting\n-\n-\n-\n-\n\n",
    );
}

/// A newer one that has begun and does not hash yet.
#[test]
fn a_new_whatsminer_that_starts() {
    check(
        "whatsminer-new.json",
        whatsminer,
        "MicroBT | Whatsminer M63S_VL40 | HTM38X0000000A | 20241001.11.REL\n\
         -\nStarting\n7200 W\n812 W\n0 GH/s\n41.5 °C\nstratum+tcp://pool.example:3333\n",
    );
}

#[test]
fn a_luxos_miner() {
    check(
        "luxos.json",
        cgminer,
        "Bitmain | Antminer S19k Pro | JYZZ00000009 | 2025.4.8.220305-57b389c7\n\
         takes 784 to 2760 W\nWorking\n1190 W\n1051 W\n59756 GH/s\n49.5 °C\n\
         stratum+tcp://pool.example:3333\n",
    );
}

#[test]
fn a_braiins_miner() {
    check(
        "braiins.json",
        cgminer,
        "- | Antminer S19j Pro | - | boser-openwrt 0.1.0-26ba61b9\n\
         -\nWorking (Derived)\n2960 W\n2911 W (Derived)\n85001 GH/s\n62.0 °C\n\
         stratum+tcp://pool.example:3333\n",
    );
}

#[test]
fn a_stock_antminer() {
    check(
        "antminer.json",
        cgminer,
        "Bitmain | Antminer S19j Pro | - | Fri Nov 17 17:37:49 CST 2023\n\
         -\nWorking (Derived)\n-\n-\n101235 GH/s\n64.0 °C\nstratum+tcp://pool.example:3333\n",
    );
}

/// It speaks the older form alone.
#[test]
fn an_avalon() {
    check(
        "avalon.txt",
        cgminer,
        "Canaan | AvalonMiner 1246-83 | 0200000000000007 | 21072802_4ec6bb0_211fc46\n\
         -\nWorking (Derived)\n-\n3189 W (Derived)\n81073 GH/s\n77.0 °C\n\
         stratum+tcp://pool.example:3333, stratum+tcp://second.example:3333\n",
    );
}

/// A firmware that has no words for it is asked nothing that could change it.
#[test]
fn what_a_firmware_cannot_do_is_refused() {
    for file in ["braiins.json", "antminer.json", "avalon.txt"] {
        block_on(async {
            let peer = Peer::recorded(recorded(file), true).await;
            let driver = cgminer(&peer);
            for wanted in [Wanted::Rest, Wanted::AtMost(Power::from_watts(2_000))] {
                let outcome = carry_out(&*driver, wanted, by(PATIENCE)).await;
                let refused =
                    matches!(outcome, Outcome::Refused(Refusal::Unsupported(_)));
                assert!(refused, "{file}: {outcome:?}");
            }
            let asked = peer.asked();
            assert!(asked.iter().all(|it| it.contains("version")), "{asked:?}");
        });
    }
}

/// The firmware's own tuner would leave a profile that it was set to.
#[test]
fn a_luxos_miner_that_tunes_itself_is_not_limited() {
    block_on(async {
        let peer = Peer::recorded(recorded("luxos.json"), true).await;
        let driver = cgminer(&peer);
        let limit = |watts| Wanted::AtMost(Power::from_watts(watts));
        let told = driver.tell(limit(800), by(PATIENCE)).await;
        let Answer::Refused(Refusal::Other(why)) = told else { panic!("{told:?}") };
        assert!(why.as_str().contains("ATM"), "{why}");
        let told = driver.tell(limit(700), by(PATIENCE)).await;
        let out_of_range = Refusal::OutOfRange {
            least: Power::from_watts(784),
            most: Power::from_watts(2_760),
            asked: Power::from_watts(700),
        };
        assert_eq!(told, Answer::Refused(out_of_range));
    });
}

/// A miner that goes to rest before it can say so: the answer is unknown, and what is
/// seen after decides.
#[test]
fn a_command_without_an_answer_is_read_back() {
    for off_after in [true, false] {
        block_on(async {
            let answers = recorded("whatsminer.json");
            let was_told = std::sync::atomic::AtomicBool::new(false);
            let peer = Peer::open(move |asked| {
                use std::sync::atomic::Ordering;
                let asked: Value = serde_json::from_str(asked).unwrap_or_default();
                if asked["enc"] == 1 {
                    was_told.store(true, Ordering::SeqCst);
                    return Act::Close;
                }
                let command = asked["command"].as_str().unwrap_or_default();
                if command == "get_token" {
                    let salts =
                        "{\"time\":\"5626\",\"salt\":\"BQ5hoXV9\",\"newsalt\":\"jbzk\"}";
                    let token =
                        format!("{{\"STATUS\":\"S\",\"Code\":134,\"Msg\":{salts}}}");
                    return Act::Say(token);
                }
                match answers.get(command) {
                    Some(said) if off_after && was_told.load(Ordering::SeqCst) => {
                        Act::Say(
                            said.replace(
                                "\"mineroff\":\"false\"",
                                "\"mineroff\":\"true\"",
                            ),
                        )
                    }
                    Some(said) => Act::Say(said.clone()),
                    None => Act::Say("{\"STATUS\":\"E\",\"Code\":14}".to_owned()),
                }
            })
            .await;
            let driver = whatsminer(&peer);
            let patience = if off_after { PATIENCE } else { PATIENCE / 60 };
            match carry_out(&*driver, Wanted::Rest, by(patience)).await {
                Outcome::Done(look) if off_after => {
                    assert_eq!(look.running.map(|it| it.value), Some(Running::Resting));
                }
                Outcome::Unknown(Unanswered::NotShown) if !off_after => {}
                other
                @ (Outcome::Done(_) | Outcome::Unknown(_) | Outcome::Refused(_)) => {
                    panic!("{other:?}")
                }
            }
            let told = peer.asked().iter().filter(|it| it.contains("\"enc\"")).count();
            assert_eq!(told, 1, "it is never told twice");
        });
    }
}
