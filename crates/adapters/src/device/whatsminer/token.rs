//! The token that a miner is told things with: had once, used until it grows old.
//!
//! A miner gives out few at a time and forgets each after half an hour, and hashing the
//! login for one costs a third of a millisecond: a fleet does not pay that for each order.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::deliver::Secret;

use super::super::{Answer, Reached, Refusal, Unanswered};
use super::seal::Seal;
use super::{wire, words};

/// A miner forgets a token after half an hour.
const LASTS: Duration = Duration::from_secs(28 * 60);

/// From when on a look renews it.
const OLD: Duration = Duration::from_secs(20 * 60);

/// The token of one miner, if there is one.
#[derive(Debug, Default)]
pub(super) struct Tokens(Mutex<Option<Token>>);

#[derive(Clone, Debug)]
struct Token {
    seal: Arc<Seal>,
    from: Instant,
}

impl Tokens {
    /// The seal to tell it something with, and whether it is a new one; `fresh` takes no
    /// other.
    ///
    /// # Errors
    ///
    /// What becomes of the order where there is none: the miner was asked nothing else.
    pub(super) async fn seal(
        &self,
        at: Reached,
        login: &Secret,
        fresh: bool,
        by: Instant,
    ) -> Result<(Arc<Seal>, bool), Answer> {
        if let Some(token) = self.younger_than(LASTS)
            && !fresh
        {
            return Ok((token.seal, false));
        }
        Ok((self.renew(at, login, by).await?, true))
    }

    /// Has another token where this one will soon be forgotten, or there is none.
    pub(super) async fn renew_if_old(
        &self,
        at: Reached,
        login: &Secret,
        by: Instant,
    ) -> Result<(), Answer> {
        if self.younger_than(OLD).is_none() {
            self.renew(at, login, by).await?;
        }
        Ok(())
    }

    async fn renew(
        &self,
        at: Reached,
        login: &Secret,
        by: Instant,
    ) -> Result<Arc<Seal>, Answer> {
        let from = Instant::now();
        let said = wire::read(at, "get_token", by).await.map_err(Answer::Unknown)?;
        let salts = words::salts(&said).ok_or_else(|| match words::answer(&said) {
            refused @ (Answer::Refused(Refusal::Busy(_) | Refusal::Other(_))
            | Answer::Refused(Refusal::Unsupported(_))) => refused,
            Answer::Refused(Refusal::Login | Refusal::OutOfRange { .. })
            | Answer::Accepted
            | Answer::Unknown(_) => Answer::Unknown(Unanswered::Nonsense(
                super::super::DeviceText::of("a token without its salts"),
            )),
        })?;
        let seal = Arc::new(Seal::of(login.expose(), &salts));
        *self.0.lock().expect("a token is whole") =
            Some(Token { seal: Arc::clone(&seal), from });
        Ok(seal)
    }

    fn younger_than(&self, age: Duration) -> Option<Token> {
        let token = self.0.lock().expect("a token is whole").clone()?;
        (token.from.elapsed() < age).then_some(token)
    }
}
