//! One device on the site's network, as everything above it sees it: a narrow door
//! that each vendor's driver fits.
//!
//! ```text
//! Wanted ──► Driver::tell ──► the device ──► Driver::look ──► Look
//!                 └── Answer                     └── shows it, or does not
//! ```
//!
//! A device that says yes has said yes and no more. [`carry_out`] asks, and then
//! looks until a look newer than the request shows what was wanted: only that is
//! [`Outcome::Done`]. A request without an answer may have been heard; it is looked
//! into and never repeated blindly.
//!
//! Invariant: every call ends by its deadline.
//! Invariant: a driver connects to a [`reach::Reached`] address alone, and those come
//! from the site's allowed networks.
//! Invariant: what a device writes about itself is a [`text::DeviceText`]: short, and of plain
//! characters.
//! Invariant: a figure that a device did not give is absent, never a default.

#[cfg(feature = "asic-rs")]
pub mod asic_rs;
pub mod cgminer;
pub mod dcgm;
pub mod event;
pub mod look;
pub mod modbus;
pub mod outcome;
pub mod question;
pub mod rack;
pub mod reach;
pub mod redfish;
pub mod said;
mod share;
pub mod text;
pub mod whatsminer;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::{Duration, Instant};

use units::Power;

pub use event::{DeviceEvent, Severity};
pub use look::{Field, Identity, Look, Quality, Running};
pub use outcome::{Answer, Outcome, Refusal, Unanswered};
pub use reach::{Allowed, Reached};
pub use text::DeviceText;

/// What a driver is doing for its caller.
pub type Doing<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What a device is told to be. Absolute, so that hearing it twice is hearing it once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// At rest: drawing no more than standby.
    Rest,
    /// At work, drawing at most this at the plug.
    AtMost(Power),
    /// A battery: drawing this from the bus, or giving it where negative.
    Flow(Power),
}

/// One device, behind one vendor's protocol.
pub trait Driver: fmt::Debug + Send + Sync {
    /// Where it is.
    fn at(&self) -> Reached;

    /// What it is.
    fn identify(&self, by: Instant) -> Doing<'_, Result<Identity, Unanswered>>;

    /// How it stands now, read from the device during this call.
    fn look(&self, by: Instant) -> Doing<'_, Result<Look, Unanswered>>;

    /// Asks it to be `wanted`. Asks once: whoever wants it asked again asks again.
    fn tell(&self, wanted: Wanted, by: Instant) -> Doing<'_, Answer>;
}

/// How long to wait before a device is looked at again.
const AGAIN: Duration = Duration::from_millis(250);

/// Asks a device to be `wanted` and looks until it is, until `by`.
pub async fn carry_out(driver: &dyn Driver, wanted: Wanted, by: Instant) -> Outcome {
    let heard = driver.tell(wanted, by).await;
    if let Answer::Refused(why) = heard {
        return Outcome::Refused(why);
    }
    let mut last = match heard {
        Answer::Unknown(why) => why,
        Answer::Accepted | Answer::Refused(_) => Unanswered::NotShown,
    };
    loop {
        match driver.look(by).await {
            Ok(look) if look.shows(wanted) => return Outcome::Done(Box::new(look)),
            Ok(_) => last = Unanswered::NotShown,
            Err(why) => last = why.after(last),
        }
        let again = tokio::time::Instant::now().into_std() + AGAIN;
        if again >= by {
            return Outcome::Unknown(last);
        }
        tokio::time::sleep_until(again.into()).await;
    }
}
