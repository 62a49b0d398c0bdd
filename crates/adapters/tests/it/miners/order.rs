//! What a Whatsminer is asked on the way to an order, question by question.

use std::sync::{Arc, Mutex};

use adapters::device::whatsminer::seal::{Fill, Salts, Seal};
use adapters::device::{Answer, Driver, Refusal, Running, Wanted};
use serde_json::{Value, json};
use units::Power;

use super::peer::{Act, Peer};
use super::{PATIENCE, block_on, by, whatsminer};

/// A miner that does as it is told, and what it was asked since this was looked at last.
struct Miner {
    peer: Peer,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    off: bool,
    limit: i64,
    /// The most that it can be limited to.
    most: i64,
    asked: Vec<String>,
}

impl Miner {
    async fn open(off: bool, limit: i64) -> Self {
        let state = State { off, limit, most: 3_600, asked: Vec::new() };
        let state = Arc::new(Mutex::new(state));
        let shared = Arc::clone(&state);
        let peer = Peer::open(move |asked| {
            let asked: Value = serde_json::from_str(asked).expect("a question");
            Act::Say(shared.lock().expect("a state").answer(&asked).to_string())
        });
        Self { peer: peer.await, state }
    }

    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.state.lock().expect("a state"))
    }

    fn asked(&self) -> Vec<String> {
        self.with(|state| std::mem::take(&mut state.asked))
    }
}

impl State {
    fn answer(&mut self, asked: &Value) -> Value {
        let salts =
            Salts { salt: "BQ5hoXV9".into(), new_salt: "jb".into(), time: "5".into() };
        let Some(closed) = asked["data"].as_str() else {
            let command = asked["command"].as_str().unwrap_or_default();
            self.asked.push(command.to_owned());
            return match command {
                "get_token" => {
                    let Salts { salt, new_salt, time } = salts;
                    let said = json!({ "salt": salt, "newsalt": new_salt, "time": time });
                    json!({ "STATUS": "S", "Code": 134, "Msg": said })
                }
                "summary+pools" => json!({
                    "summary": [{ "SUMMARY": [{ "Power Limit": self.limit, "HS RT": 0 }] }],
                    "pools": [{ "POOLS": [] }],
                }),
                "status" => json!({
                    "STATUS": "S", "Code": 131, "Msg": { "mineroff": self.off.to_string() },
                }),
                _ => json!({ "STATUS": "E", "Code": 14, "Msg": "invalid cmd" }),
            };
        };
        let seal = Seal::of("admin", &salts);
        let command = seal.open(closed).expect("a sealed command");
        let command: Value = serde_json::from_slice(&command).expect("JSON");
        let name = command["cmd"].as_str().unwrap_or_default().to_owned();
        let limit = command["power_limit"].as_str().map(|w| w.parse().expect("watts"));
        let takes = limit.is_none_or(|limit: i64| limit <= self.most);
        match name.as_str() {
            "power_on" => self.off = false,
            "power_off" => self.off = true,
            _ if takes => self.limit = limit.expect("a limit"),
            _ => {}
        }
        self.asked.push(name);
        let said = match takes {
            true => json!({ "STATUS": "S", "Code": 131, "Msg": "API command OK" }),
            false => json!({ "STATUS": "E", "Code": 132, "Msg": "API command ERROR" }),
        };
        json!({ "enc": seal.close(&said.to_string(), Fill::Zeros) })
    }
}

fn at_most(watts: i64) -> Wanted {
    Wanted::AtMost(Power::from_watts(watts))
}

async fn tell(driver: &dyn Driver, wanted: Wanted) -> Answer {
    driver.tell(wanted, by(PATIENCE)).await
}

async fn look(driver: &dyn Driver) -> (Option<Running>, Option<i64>) {
    let look = driver.look(by(PATIENCE)).await.expect("a look");
    let limit = look.limit.map(|limit| limit.value.as_watts());
    (look.running.map(|running| running.value), limit)
}

/// What was seen at rest is started without another look, and on the limit that is
/// wanted whoever changed it meanwhile; what was told anything since is looked at first.
#[test]
fn what_was_seen_at_rest_is_started_without_another_look() {
    block_on(async {
        let miner = Miner::open(true, 3_600).await;
        let driver = whatsminer(&miner.peer);
        assert_eq!(look(&*driver).await, (Some(Running::Resting), Some(3_600)));
        assert_eq!(miner.asked(), ["summary+pools", "status", "get_token"]);

        // As it was seen is not as it is now: somebody else has been there.
        miner.with(|state| state.limit = 2_000);
        assert_eq!(tell(&*driver, at_most(3_600)).await, Answer::Accepted);
        assert_eq!(miner.asked(), ["adjust_power_limit", "power_on"]);
        miner.with(|state| assert_eq!((state.off, state.limit), (false, 3_600)));

        assert_eq!(tell(&*driver, at_most(3_600)).await, Answer::Accepted);
        assert_eq!(miner.asked(), ["summary+pools", "status"], "it is looked at first");

        assert_eq!(tell(&*driver, Wanted::Rest).await, Answer::Accepted);
        assert_eq!(miner.asked(), ["power_off"]);
        assert_eq!(tell(&*driver, at_most(3_600)).await, Answer::Accepted);
        let asked = ["summary+pools", "status", "power_on"];
        assert_eq!(miner.asked(), asked, "nobody saw it at rest");
    });
}

/// What was seen at work on another limit gets its own without another look; that there
/// is nothing to tell it is believed of a look made for it alone.
#[test]
fn what_was_seen_on_another_limit_gets_its_own_at_once() {
    block_on(async {
        let miner = Miner::open(false, 3_600).await;
        let driver = whatsminer(&miner.peer);
        assert_eq!(look(&*driver).await, (Some(Running::Starting), Some(3_600)));
        miner.asked();
        assert_eq!(tell(&*driver, at_most(3_000)).await, Answer::Accepted);
        assert_eq!(miner.asked(), ["adjust_power_limit"]);

        assert_eq!(look(&*driver).await, (Some(Running::Starting), Some(3_000)));
        miner.asked();
        // Somebody else has sent it to rest: it was right a moment ago.
        miner.with(|state| state.off = true);
        assert_eq!(tell(&*driver, at_most(3_000)).await, Answer::Accepted);
        assert_eq!(miner.asked(), ["summary+pools", "status", "power_on"]);
        miner.with(|state| assert!(!state.off));
    });
}

#[test]
fn what_does_not_take_its_limit_is_not_started() {
    block_on(async {
        let miner = Miner::open(true, 3_600).await;
        let driver = whatsminer(&miner.peer);
        look(&*driver).await;
        miner.asked();
        for asked in [
            &["adjust_power_limit"][..],
            &["summary+pools", "status", "adjust_power_limit"][..],
        ] {
            let told = tell(&*driver, at_most(9_000)).await;
            assert!(matches!(told, Answer::Refused(Refusal::Other(_))), "{told:?}");
            assert_eq!(miner.asked(), asked);
            miner.with(|state| assert!(state.off));
        }
    });
}
