//! The HTTP door of a living run: an API for programs and a console for people.
//!
//! ```text
//! connection ─► limits ─► route ─► who ─► rule ─► read ─► board, feed, store
//!                                                └─► act ─► key ─► speaker ─► inbox
//! ```
//!
//! Everything that acts goes to the loop through the same [`Speaker`] as the control
//! socket. The console's pages are made from the same documents that the API answers
//! with.
//!
//! Invariant: the person in the record is the owner of the token, so that two tokens
//! of one person are no two people.
//! Invariant: an acting request is carried out at most once for each key.

pub mod act;
pub mod call;
pub mod cursor;
pub mod document;
pub mod events;
pub mod feed;
pub mod form;
pub mod idempotency;
pub mod openapi;
pub mod past;
pub mod problem;
pub mod racks;
pub mod read;
pub mod role;
pub mod route;
pub mod secret;
pub mod serve;
pub mod session;
pub mod throttle;
pub mod token;
pub mod told;
pub mod wire;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use settle::contract::Versions;
use tokio::sync::Semaphore;
use units::Timestamp;

use crate::live::clock::Clock;
use crate::live::control::speaker::Speaker;
use crate::live::racks::FACTS;
use feed::Feed;
use idempotency::Keys;
use racks::facts::Records;
use secret::Secret;
use session::Ended;
use throttle::Throttle;
use token::Register;

/// What the door serves.
pub struct Api {
    /// Answers for the run.
    pub speaker: Arc<Speaker>,
    /// The journal as it grows.
    pub feed: Feed,
    /// Who may come in.
    pub tokens: Arc<Register>,
    /// Which requests were carried out.
    pub keys: Arc<Keys>,
    /// Signs cursors and sessions.
    pub secret: Secret,
    /// Sessions that were ended before their time.
    pub ended: Ended,
    /// How often each person asks.
    pub throttle: Throttle,
    /// Places of those who listen to events.
    pub listeners: Arc<Semaphore>,
    /// The record of facts about the racks and their contracts.
    pub facts: Records,
    /// What waits for a second person.
    pub second: racks::second::Second,
    /// Whether the door is reached by TLS alone, and cookies may say so.
    pub by_tls: bool,
}

/// What the door needs, before it is open.
pub struct Setup {
    /// Answers for the run.
    pub speaker: Arc<Speaker>,
    tokens: Arc<Register>,
    keys: Arc<Keys>,
    secret: Secret,
    facts: Records,
    folder: PathBuf,
}

impl Setup {
    /// Reads what the door needs from a run's data folder.
    ///
    /// # Errors
    ///
    /// When a file of it cannot be read or made.
    pub fn of(
        folder: &Path,
        speaker: Arc<Speaker>,
        beside: Option<&Path>,
    ) -> anyhow::Result<Self> {
        Ok(Self {
            speaker,
            tokens: Arc::new(Register::of(folder)),
            keys: Arc::new(Keys::load(folder, wall())?),
            secret: Secret::load_or_create(folder)?,
            facts: Records {
                racks: folder.join(FACTS),
                beside: beside.map(Path::to_owned),
            },
            folder: folder.to_owned(),
        })
    }

    /// Begins to follow the journal; within the runtime that serves.
    fn begin(self, by_tls: bool) -> Api {
        let Self { folder, speaker, tokens, keys, secret, facts } = self;
        let (store, board) = (speaker.store.clone(), speaker.board.clone());
        let feed = Feed::follow(store, board, speaker.clock);
        racks::hooks::follow(folder, feed.clone());
        Api {
            feed,
            speaker,
            tokens,
            keys,
            secret,
            ended: Ended::default(),
            throttle: Throttle::default(),
            listeners: Arc::new(Semaphore::new(events::LISTENERS_MAX)),
            facts,
            second: racks::second::Second::default(),
            by_tls,
        }
    }
}

impl Api {
    /// The contracts that the site's racks serve, as they were last read.
    pub fn contracts(&self) -> Arc<Vec<Versions>> {
        Arc::clone(&self.speaker.contracts.borrow())
    }
}

/// The wall's time: tokens, sessions and keys last by it, whatever time the site has.
pub fn wall() -> Timestamp {
    Clock::wall().now()
}
