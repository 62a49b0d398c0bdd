//! A Whatsminer, over the encrypted API of its firmware (2.0, TCP).
//!
//! Reading is open to everybody; telling needs the login of the account `admin`, and a
//! miner whose API switch was set by its maker's tool. Each command has a connection of
//! its own.
//!
//! | wanted | becomes |
//! |---|---|
//! | [`Wanted::Rest`] | `power_off` with `respbefore`: the answer comes before the act, or not at all; it is not waited for long |
//! | [`Wanted::AtMost`] | `adjust_power_limit`, if it is another; `power_on`, if it is off |
//!
//! A power limit restarts the miner's program, which hashes again after minutes, so it is
//! set only where a look shows another. A look of the last minute counts, if the miner was
//! told nothing since: it is then not looked at again before it is told. A miner that was
//! seen at rest has no program to restart, and its limit is set whatever it was.

pub mod seal;
mod token;
mod wire;
mod words;

use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use serde_json::{Map, Value};
use units::Power;

use crate::deliver::Secret;

use super::{
    Answer, Doing, Driver, Identity, Look, Reached, Refusal, Running, Unanswered, Wanted,
};
use seal::Fill;
use token::Tokens;
use wire::Told;

/// Where a miner listens unless the site says otherwise.
pub const PORT: u16 = 4_028;

/// How long the answer to a command is waited for, at most: what was not answered by
/// then is looked into.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// What goes off may answer nobody first: its answer is waited for as long, or a few times
/// as long as it took for a question, and then it is looked at.
const OFF_WITHIN: Duration = Duration::from_millis(500);

/// How long a miner is taken to stand as it was seen. A fleet is looked at twice a minute.
const SEEN_HOLDS: Duration = Duration::from_secs(60);

/// One Whatsminer.
#[derive(Debug)]
pub struct Whatsminer {
    at: Reached,
    /// Nothing: it can be looked at alone.
    login: Option<Secret>,
    tokens: Tokens,
    /// What the newest look showed, if it was told nothing since.
    seen: Mutex<Option<Seen>>,
    /// What its firmware turned out to be like.
    habits: Mutex<Habits>,
}

/// How a firmware differs from the rule.
#[derive(Clone, Copy, Debug, Default)]
struct Habits {
    /// It takes one question at a time.
    one_by_one: bool,
    /// How the last block of what it reads is filled.
    fill: Fill,
    /// How long it took to answer a question.
    answers_in: Duration,
}

/// What a look showed that counts for what it is told next.
#[derive(Clone, Copy, Debug)]
struct Seen {
    /// When the look began.
    from: Instant,
    running: Option<Running>,
    limit: Option<Power>,
}

impl Whatsminer {
    /// The miner at this address; with the password of its account `admin` it can be
    /// told things, without one it is looked at alone.
    pub fn new(at: Reached, login: Option<Secret>) -> Self {
        let (seen, habits) = (Mutex::default(), Mutex::default());
        Self { at, login, tokens: Tokens::default(), seen, habits }
    }

    async fn identity(&self, by: Instant) -> Result<Identity, Unanswered> {
        let version = wire::read(self.at, "get_version", by).await?;
        let mut identity = words::version(&version)?;
        // What the other two do not say, an older firmware does not know.
        for (command, take) in [
            ("devdetails", words::details as fn(&mut Identity, &Value)),
            ("get_miner_info", words::info),
        ] {
            match wire::read(self.at, command, by).await {
                Ok(answer) => take(&mut identity, &answer),
                Err(Unanswered::Nonsense(_)) => {}
                Err(why) => return Err(why),
            }
        }
        Ok(identity)
    }

    async fn stand(&self, by: Instant) -> Result<Look, Unanswered> {
        let one_by_one = self.habits().one_by_one;
        let together = match one_by_one {
            true => None,
            false => match wire::read(self.at, "summary+pools", by).await {
                Err(Unanswered::Nonsense(_)) => None,
                asked => Some(asked?),
            },
        };
        let summary = match together {
            Some(summary) => summary,
            None => wire::read(self.at, "summary", by).await?,
        };
        let pools = match words::has_pools(&summary) {
            true => summary.clone(),
            false => wire::read(self.at, "pools", by).await?,
        };
        let asked_at = Instant::now();
        let status = wire::read(self.at, "status", by).await?;
        let answers_in = asked_at.elapsed();
        let look = words::look(&summary, &pools, &status)?;
        {
            let mut habits = self.habits();
            // What refused both and answered each has to be asked so.
            habits.one_by_one = !words::has_pools(&summary);
            habits.answers_in = answers_in;
        }
        if let Some(login) = &self.login {
            // Ahead of time, so that an order need not wait for it.
            drop(self.tokens.renew_if_old(self.at, login, by).await);
        }
        Ok(look)
    }

    /// As [`Self::stand`], and keeps what it showed, for what it is told next.
    async fn stand_noted(&self, by: Instant) -> Result<Look, Unanswered> {
        let from = Instant::now();
        let look = self.stand(by).await?;
        let running = look.running.map(|running| running.value);
        let limit = look.limit.map(|limit| limit.value);
        *self.seen() = Some(Seen { from, running, limit });
        Ok(look)
    }

    fn seen(&self) -> MutexGuard<'_, Option<Seen>> {
        self.seen.lock().expect("what was seen is whole")
    }

    fn habits(&self) -> MutexGuard<'_, Habits> {
        self.habits.lock().expect("what is known of it is whole")
    }

    async fn be(&self, wanted: Wanted, by: Instant) -> Answer {
        // Whatever it is told now, what was seen before is over.
        let seen = self.seen().take().filter(|seen| seen.from.elapsed() < SEEN_HOLDS);
        match wanted {
            Wanted::Rest => {
                let params = [("respbefore", Value::from("true"))];
                let patience = OFF_WITHIN.max(self.habits().answers_in * 4);
                self.command("power_off", params.into_iter(), patience, by).await
            }
            Wanted::AtMost(power) => match seen {
                Some(Seen { running: Some(Running::Resting), .. }) => {
                    self.start(power, by).await
                }
                Some(Seen {
                    running: Some(Running::Starting | Running::Working),
                    limit: Some(limit),
                    ..
                }) if limit != power => self.limit(power, by).await,
                // To tell it nothing is right only where it stands so now.
                Some(_) | None => self.at_most(power, by).await,
            },
            Wanted::Flow(_) => Answer::Refused(Refusal::Unsupported(
                super::DeviceText::of("a miner takes no power setpoint with a sign"),
            )),
        }
    }

    /// Starts one that rests, whatever its limit was.
    async fn start(&self, power: Power, by: Instant) -> Answer {
        match self.limit(power, by).await {
            Answer::Accepted => {
                self.command("power_on", std::iter::empty(), ANSWER_WITHIN, by).await
            }
            answer @ (Answer::Refused(_) | Answer::Unknown(_)) => answer,
        }
    }

    /// Sets its limit. Whether the limit was heard is seen by looking; a miner is not
    /// started on a limit that it may not have.
    async fn limit(&self, power: Power, by: Instant) -> Answer {
        let watts = Value::from(power.as_watts().to_string());
        let params = [("power_limit", watts)];
        self.command("adjust_power_limit", params.into_iter(), ANSWER_WITHIN, by).await
    }

    async fn at_most(&self, power: Power, by: Instant) -> Answer {
        let look = match self.stand(by).await {
            Ok(look) => look,
            // Nothing was asked of it yet.
            Err(Unanswered::Login) => return Answer::Refused(Refusal::Login),
            Err(why) => return Answer::Unknown(why),
        };
        if look.limit.map(|limit| limit.value) != Some(power) {
            match self.limit(power, by).await {
                Answer::Accepted => {}
                answer @ (Answer::Refused(_) | Answer::Unknown(_)) => return answer,
            }
        }
        let running = look.running.map(|running| running.value);
        match running {
            Some(Running::Starting | Running::Working) => Answer::Accepted,
            Some(Running::Resting) | None => {
                self.command("power_on", std::iter::empty(), ANSWER_WITHIN, by).await
            }
        }
    }

    /// Tells it something, under its seal. A seal that the miner has forgotten is made
    /// anew once, and what it could not read is filled the other way once: it did not
    /// understand the command, so it is not repeated.
    async fn command(
        &self,
        name: &str,
        params: impl Iterator<Item = (&'static str, Value)>,
        patience: Duration,
        by: Instant,
    ) -> Answer {
        let Some(login) = &self.login else { return Answer::Refused(Refusal::Login) };
        let mut command = Map::new();
        command.insert("cmd".to_owned(), Value::from(name));
        command.extend(params.map(|(key, value)| (key.to_owned(), value)));

        let was = self.habits().fill;
        let (mut fill, mut fresh) = (was, false);
        loop {
            let (seal, is_new) = match self.tokens.seal(self.at, login, fresh, by).await {
                Ok(found) => found,
                Err(answer) => return answer,
            };
            let now = Instant::now();
            let longest = by.min(now + ANSWER_WITHIN).min(now + (by - now) / 2);
            let until = longest.min(now + patience);
            match wire::tell(self.at, &seal, fill, command.clone(), until).await {
                // That it was not waited for longer is no silence of its.
                Err(Unanswered::Late) if until < longest => {
                    return Answer::Unknown(Unanswered::Closed);
                }
                Err(why) => return Answer::Unknown(why),
                Ok(Told::Said(said)) if words::is_unread(&said) && fill == was => {
                    fill = was.other();
                }
                Ok(Told::Said(said)) if words::is_token_no_more(&said) && !is_new => {
                    fresh = true;
                }
                Ok(Told::Said(said)) => {
                    if !words::is_unread(&said) {
                        self.habits().fill = fill;
                    }
                    return words::answer(&said);
                }
                Ok(Told::NotUnderstood(_) | Told::OtherSeal) if !is_new => fresh = true,
                Ok(Told::NotUnderstood(answer)) => return words::not_understood(&answer),
                Ok(Told::OtherSeal) => return Answer::Refused(Refusal::Login),
            }
        }
    }
}

impl Driver for Whatsminer {
    fn at(&self) -> Reached {
        self.at
    }

    fn identify(&self, by: Instant) -> Doing<'_, Result<Identity, Unanswered>> {
        Box::pin(self.identity(by))
    }

    fn look(&self, by: Instant) -> Doing<'_, Result<Look, Unanswered>> {
        Box::pin(self.stand_noted(by))
    }

    fn tell(&self, wanted: Wanted, by: Instant) -> Doing<'_, Answer> {
        Box::pin(self.be(wanted, by))
    }
}
