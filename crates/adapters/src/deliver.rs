//! One alarm message to one target, once, by webhook or e-mail.
//!
//! [`Channel::deliver`] makes one attempt that ends within its deadline and
//! says what became of it. Which alarms stand, who is told and when to go
//! further up is decided elsewhere; [`retry_after`] only says how long to wait
//! before the next attempt, and that there is a last one.
//!
//! An attempt whose outcome is unknown may have arrived. Unlike an order to a
//! device it is safe to repeat: the message keeps its id, and a receiver drops
//! the double by it. An alarm that arrives twice is better than one that does
//! not arrive.
//!
//! Invariant: contacts the configured target and nothing else: no redirect is
//! followed, no proxy is taken from the environment.
//! Invariant: every attempt is bounded in time, in every phase, and in what it
//! reads.
//! Invariant: TLS is checked and never falls back to plain. What is plain goes
//! to this machine's loopback, unless a webhook's target allows it.
//!
//! ```
//! use adapters::deliver::{Secret, Trust, Webhook, WebhookTarget};
//!
//! let target = WebhookTarget {
//!     url: "http://pager.example/alarms".into(),
//!     secret: Secret::new("sixteen bytes ok".into()),
//!     allow_plain: false,
//!     trust: Trust::System,
//! };
//! let refused = Webhook::new(target).unwrap_err().to_string();
//! assert_eq!(
//!     refused,
//!     "expected https to pager.example, found plain http; \
//!      use https, or set allow_plain for a network of your own",
//! );
//! ```

mod email;
pub(crate) mod http;
mod letter;
mod webhook;
pub(crate) mod wire;
mod wording;

use std::time::Duration;

use units::{Seconds, Timestamp};

pub use email::{Email, EmailTarget, Login, Security};
pub use webhook::{Webhook, WebhookTarget};
pub use wire::Trust;

/// What one person is to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Names this alarm at this level of escalation, the same in every attempt
    /// and in every channel, so that a receiver can drop doubles. Never empty.
    pub id: String,
    /// When the alarm reached this level.
    pub at: Timestamp,
    /// The site it is about.
    pub site: String,
    /// How soon somebody must act.
    pub urgency: Urgency,
    /// One line, consequence first. Control characters are sent as spaces, and
    /// what is over 150 characters is cut.
    pub headline: String,
    /// What is known, in lines. What is over 8 000 characters is cut.
    pub body: String,
    /// The command that acknowledges the alarm.
    pub acknowledge_with: String,
}

/// How soon somebody must act.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Urgency {
    /// Nothing to do; good to know.
    Notice,
    /// Somebody looks within the shift.
    Soon,
    /// Somebody acts now, at night too.
    Now,
}

/// Where a message goes.
#[derive(Debug)]
pub enum Channel {
    /// An HTTP receiver.
    Webhook(Webhook),
    /// A mail server.
    Email(Email),
}

/// What became of one attempt.
#[must_use = "a message that nobody knows to be lost is lost"]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The target took it over.
    Delivered {
        /// What the target said, and which recipients it did not take.
        detail: String,
    },
    /// The target did not take it over.
    Refused {
        /// What was expected, what was found and what to do.
        why: String,
        /// Whether another attempt of the same message may fare better.
        again: bool,
    },
    /// The message left whole and no answer was understood. It may have
    /// arrived; another attempt of the same message is right.
    Unknown {
        /// What was expected and what was found.
        why: String,
    },
}

/// What must not be shown: a password or a signing key.
///
/// Where it comes from is the program's affair. Its `Debug` prints no part of
/// it, and it has no `Display`.
#[derive(Clone)]
pub struct Secret(String);

/// Why a target cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// The URL is not one that can be spoken to. It is not
    /// repeated, because it may carry a token.
    #[error("expected a URL like https://host:port/path, found {0}")]
    Url(&'static str),
    /// Plain HTTP to another machine.
    #[error(
        "expected https to {0}, found plain http; \
         use https, or set allow_plain for a network of your own"
    )]
    PlainWebhook(String),
    /// Plain SMTP to another machine.
    #[error(
        "expected `tls` or `starttls` to the mail server {0}, found `none`, \
         which is for this machine's loopback alone"
    )]
    PlainMail(String),
    /// The signing key is too short to keep forgers out.
    #[error("expected a signing secret of at least {expected} bytes, found {found}")]
    ShortSecret {
        /// The fewest bytes.
        expected: usize,
        /// The bytes there are.
        found: usize,
    },
    /// Not a host's name or address.
    #[error("expected a host's name or address, found `{0}`")]
    Host(String),
    /// Port zero.
    #[error("expected a port from 1 to 65535, found 0")]
    Port,
    /// Not an e-mail address.
    #[error("expected an e-mail address like name@host.example, found `{0}`")]
    Address(String),
    /// Nobody to send to.
    #[error("expected at least one recipient, found none")]
    NoRecipient,
    /// A user or password that SMTP cannot carry.
    #[error("expected a user and a password without NUL, found one")]
    Login,
    /// No certificate authority to trust.
    #[error("expected certificate authorities {from}, found {found}")]
    Trust {
        /// Where they were looked for.
        from: &'static str,
        /// What was there.
        found: String,
    },
}

impl Urgency {
    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Notice => "notice",
            Self::Soon => "soon",
            Self::Now => "now",
        }
    }
}

impl Channel {
    /// Makes one attempt to deliver `message`, and returns within `deadline`.
    ///
    /// `now` is the wall clock's time, which a webhook is stamped and signed
    /// with so that a receiver can refuse what was recorded and sent again.
    /// Blocks: call it where blocking is allowed.
    pub fn deliver(
        &self,
        message: &Message,
        now: Timestamp,
        deadline: Duration,
    ) -> Outcome {
        match self {
            Self::Webhook(webhook) => webhook.deliver(message, now, deadline),
            Self::Email(email) => email.deliver(message, deadline),
        }
    }

    /// Where messages go, for a person to read; shows no secret and no path.
    pub fn place(&self) -> String {
        match self {
            Self::Webhook(webhook) => webhook.place(),
            Self::Email(email) => email.place(),
        }
    }
}

impl Outcome {
    fn refused(why: impl Into<String>) -> Self {
        Self::Refused { why: why.into(), again: false }
    }

    fn refused_for_now(why: impl Into<String>) -> Self {
        Self::Refused { why: why.into(), again: true }
    }
}

impl Secret {
    /// Wraps what must not be shown.
    pub fn new(secret: String) -> Self {
        Self(secret)
    }

    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

/// The first wait. A receiver that restarts is back by then.
const FIRST_WAIT: i64 = 10;
/// The longest wait: an outage that ends is noticed within five minutes.
const LONGEST_WAIT: i64 = 300;
/// Some four hours of attempts. By then the message is history, and what still
/// stands has gone up to somebody else.
const MOST_ATTEMPTS: u32 = 50;

/// How long to wait after so many attempts of one message, or nothing when it
/// is to be given up.
///
/// Waits double from 10 s up to 5 min; the fiftieth attempt is the last. It is
/// for what was refused for now and for what is unknown, with the same id each
/// time.
pub fn retry_after(attempts: u32) -> Option<Seconds> {
    if attempts == 0 {
        return Some(Seconds::from_seconds(0));
    }
    if attempts >= MOST_ATTEMPTS {
        return None;
    }
    // Five doublings pass the longest wait, so the shift stays small.
    let doubled = FIRST_WAIT << (attempts - 1).min(5);
    Some(Seconds::from_seconds(doubled.min(LONGEST_WAIT)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_cap_and_end() {
        let waits: Vec<_> =
            (0..8).map(|n| retry_after(n).map(Seconds::as_seconds)).collect();
        let expected = [0, 10, 20, 40, 80, 160, 300, 300].map(Some);
        assert_eq!(waits, expected);
        assert_eq!(retry_after(49).map(Seconds::as_seconds), Some(300));
        assert_eq!(retry_after(50), None);
        assert_eq!(retry_after(u32::MAX), None);
    }

    #[test]
    fn a_secret_shows_nothing_of_itself() {
        let secret = Secret::new("hunter2".into());
        assert_eq!(format!("{secret:?}"), "Secret");
        assert_eq!(format!("{secret:#?}"), "Secret");
    }
}
