//! Modbus TCP: meters and batteries whose registers are described by a profile.
//!
//! ```text
//! profile (TOML) ──► Registers ──► Wire: read, write ──► words ──► figures
//!                                                          └── Watch: still alive? plausible?
//! ```
//!
//! Words are worth nothing without what they mean: which word comes first, of what
//! sign, in what unit. All of that is in the profile, so that another meter is another
//! file.
//!
//! Invariant: a meter that answers and does not measure gives no fresh figure.
//! Invariant: what the wire says of an order is that it was heard; that it is so is
//! read back.

mod battery;
mod figure;
mod meter;
mod profile;
mod registers;
mod watch;
mod wire;

pub use battery::{Battery, BatteryLimits};
pub use figure::{Coding, Micro, Order, Width};
pub use meter::ModbusMeter;
pub use profile::{Kind, Meaning, Profile, ProfileError, Register, Space};
pub use registers::Figures;
pub use watch::Plausible;
