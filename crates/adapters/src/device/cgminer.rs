//! A miner that speaks the API of cgminer (TCP), as most firmwares but the newest do.
//!
//! What it is, it says in its answer to `version`, and nothing is assumed before. All of
//! them can be looked at. [`Family::LuxOs`] can be told as well: `curtail sleep` and
//! `wakeup`, and its power profiles. What a firmware has no words for is
//! [`Refusal::Unsupported`].

mod luxos;
mod wire;
pub mod words;

use std::sync::Mutex;
use std::time::Instant;

use super::{
    Answer, DeviceText, Doing, Driver, Identity, Look, Reached, Refusal, Unanswered,
    Wanted,
};
use wire::{Speaks, ask, ask_together};
pub use words::Family;

/// Where a miner listens unless the site says otherwise.
pub const PORT: u16 = 4_028;

/// One miner.
#[derive(Debug)]
pub struct Cgminer {
    at: Reached,
    /// What it has said that it is. Asked again when it no longer answers like it.
    known: Mutex<Option<(Family, Speaks)>>,
}

impl Cgminer {
    /// The miner at this address.
    pub fn new(at: Reached) -> Self {
        Self { at, known: Mutex::new(None) }
    }

    /// What it is, by its own word; asked once.
    async fn known(&self, by: Instant) -> Result<(Family, Speaks), Unanswered> {
        let known = *self.known.lock().expect("what is known is whole");
        match known {
            Some(known) => Ok(known),
            None => Ok(self.ask_what(by).await?.0),
        }
    }

    async fn ask_what(
        &self,
        by: Instant,
    ) -> Result<((Family, Speaks), Identity), Unanswered> {
        let (version, speaks) = match ask(self.at, Speaks::Json, "version", by).await {
            // The oldest take no JSON.
            Err(Unanswered::Nonsense(_) | Unanswered::Closed) => {
                (ask(self.at, Speaks::Text, "version", by).await?, Speaks::Text)
            }
            asked => (asked?, Speaks::Json),
        };
        let (family, identity) = words::version(&version)?;
        *self.known.lock().expect("what is known is whole") = Some((family, speaks));
        Ok(((family, speaks), identity))
    }

    async fn identity(&self, by: Instant) -> Result<Identity, Unanswered> {
        let ((family, speaks), mut identity) = self.ask_what(by).await?;
        match family {
            Family::LuxOs => luxos::identify(self.at, &mut identity, by).await?,
            Family::Antminer | Family::Braiins | Family::Avalon | Family::Other => {
                // Not every firmware has it.
                if let Ok(details) = ask(self.at, speaks, "devdetails", by).await {
                    words::details(&mut identity, &details);
                }
            }
        }
        Ok(identity)
    }

    async fn stand(&self, by: Instant) -> Result<Look, Unanswered> {
        let (family, speaks) = self.known(by).await?;
        let looked = async {
            match family {
                Family::LuxOs => luxos::look(self.at, by).await,
                Family::Antminer | Family::Braiins | Family::Avalon | Family::Other => {
                    let answers =
                        ask_together(self.at, speaks, words::questions(family), by);
                    words::look(&answers.await?)
                }
            }
        };
        let looked = looked.await;
        if let Err(Unanswered::Nonsense(_)) = looked {
            *self.known.lock().expect("what is known is whole") = None;
        }
        looked
    }

    async fn be(&self, wanted: Wanted, by: Instant) -> Answer {
        let family = match self.known(by).await {
            Ok((family, _)) => family,
            Err(why) => return Answer::Unknown(why),
        };
        match (family, wanted) {
            (Family::LuxOs, Wanted::Rest) => luxos::rest(self.at, by).await,
            (Family::LuxOs, Wanted::AtMost(power)) => {
                luxos::at_most(self.at, power, by).await
            }
            (
                Family::LuxOs
                | Family::Antminer
                | Family::Braiins
                | Family::Avalon
                | Family::Other,
                Wanted::Rest | Wanted::AtMost(_) | Wanted::Flow(_),
            ) => Answer::Refused(Refusal::Unsupported(DeviceText::of(&format!(
                "{family} is only looked at over this API"
            )))),
        }
    }
}

impl Driver for Cgminer {
    fn at(&self) -> Reached {
        self.at
    }

    fn identify(&self, by: Instant) -> Doing<'_, Result<Identity, Unanswered>> {
        Box::pin(self.identity(by))
    }

    fn look(&self, by: Instant) -> Doing<'_, Result<Look, Unanswered>> {
        Box::pin(self.stand(by))
    }

    fn tell(&self, wanted: Wanted, by: Instant) -> Doing<'_, Answer> {
        Box::pin(self.be(wanted, by))
    }
}
