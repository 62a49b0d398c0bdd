//! What became of a request to a device.

use super::{DeviceText, Look};

/// What a device said to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It said yes. Whether it does so is seen by looking.
    Accepted,
    /// It said no, and nothing changes.
    Refused(Refusal),
    /// It said nothing that can be understood: it may have heard.
    Unknown(Unanswered),
}

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A look newer than the request shows it.
    Done(Box<Look>),
    /// The device refused it.
    Refused(Refusal),
    /// It may have been heard and may not. To be looked into, not repeated.
    Unknown(Unanswered),
}

/// Why a device refuses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It does not believe who asks.
    #[error(
        "the device does not accept the login; check the credentials in the site file"
    )]
    Login,
    /// It cannot do that at all.
    #[error("the device cannot do this: {0}")]
    Unsupported(DeviceText),
    /// It can, but not to this value.
    #[error("the device takes {least} to {most}, {asked} was asked")]
    OutOfRange {
        /// The least it takes.
        least: units::Power,
        /// The most it takes.
        most: units::Power,
        /// What was asked.
        asked: units::Power,
    },
    /// It is busy with something else.
    #[error("the device is busy: {0}")]
    Busy(DeviceText),
    /// In the device's words.
    #[error("the device refuses: {0}")]
    Other(DeviceText),
}

/// Why a device said nothing that can be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unanswered {
    /// Nobody is at that address.
    #[error("nobody answers at that address")]
    Unreachable,
    /// It did not answer before the deadline.
    #[error("no answer before the deadline")]
    Late,
    /// It closed the connection before it had answered.
    #[error("the connection was closed before an answer")]
    Closed,
    /// What it said is not of its protocol, or has no end.
    #[error("the answer cannot be understood: {0}")]
    Nonsense(DeviceText),
    /// It does not let us look.
    #[error(
        "the device does not accept the login; check the credentials in the site file"
    )]
    Login,
    /// It answers, and does not show what it was asked to be.
    #[error("the device answers and does not show what was asked")]
    NotShown,
}

impl Answer {
    /// What is told of two parts' answers: what may have been heard, then a no, then
    /// a yes.
    #[must_use]
    pub fn or_worse(self, other: Self) -> Self {
        match (&self, &other) {
            (Self::Unknown(_), _) => self,
            (_, Self::Unknown(_)) => other,
            (Self::Refused(_), _) => self,
            (Self::Accepted, _) => other,
        }
    }
}

impl Unanswered {
    /// Which of two to tell of, when this came after `before`: what a device does says
    /// more than that it was not heard once.
    #[must_use]
    pub fn after(self, before: Self) -> Self {
        match (&self, &before) {
            (Self::Late | Self::Closed | Self::Unreachable, Self::NotShown) => before,
            _ => self,
        }
    }
}
