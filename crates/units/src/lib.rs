//! The quantities a powered site is run in.
//!
//! Each type holds one quantity in one exact base unit. Units appear only in
//! the names of constructors and accessors (`from_mw`, `as_watts`), so a number
//! without a unit cannot travel through the program, and two quantities meet
//! only through the operators written out here:
//!
//! | product                               | is            | base unit arithmetic                  |
//! |---------------------------------------|---------------|---------------------------------------|
//! | [`Power`] ` * ` [`Seconds`]           | [`Energy`]    | W x s = J, exact                      |
//! | [`HashRate`] ` * ` [`Seconds`]        | [`Hashes`]    | GH/s x s = GH, exact                  |
//! | [`Efficiency`] ` * ` [`HashRate`]     | [`Power`]     | mJ/TH x GH/s / 10^6 = W, half to even |
//! | [`EnergyPrice::of`] an [`Energy`]     | [`Money`]     | uUSD/MWh x J / 3.6e9, half to even    |
//! | [`Hashprice::of`] some [`Hashes`]     | [`Money`]     | rounds once, half to even             |
//! | [`Hashprice::earned_per_mwh`]         | [`EnergyPrice`] | what a megawatt-hour earns mining   |
//! | [`GpuHourPrice::of`] [`GpuSeconds`]   | [`Money`]     | rounds once, half to even             |
//! | [`Pue::at_meter`] of an IT [`Power`]  | [`Power`]     | rounds up: a limit is never helped by rounding |
//!
//! Signs: power and energy drawn from the grid are positive; money to the
//! operator is positive.
//!
//! Invariant: no floating point. Forecasts and solvers convert at their own
//! boundary and snap the answer back.
//!
//! ```
//! use units::{Efficiency, Hashprice, Power, Seconds, Energy};
//! assert_eq!(Power::from_mw(12) * Seconds::minutes(5), Energy::from_mwh(1));
//! let hashprice = Hashprice::from_micro_usd_per_ph_day(50_000_000);
//! let breakeven = hashprice.earned_per_mwh(Efficiency::from_mj_per_th(17_500));
//! assert_eq!(breakeven.to_string(), "119.05 USD/MWh");
//! ```

// Every amount is exact, so that every machine reaches the same one.
#![deny(clippy::float_arithmetic)]

mod bitcoin;
mod compute;
pub mod decimal;
mod energy;
mod money;
mod quantity;
mod share;
mod time;

pub use bitcoin::{BitcoinPrice, Difficulty, Satoshis};
pub use compute::{Efficiency, GpuSeconds, HashRate, Hashes};
pub use decimal::DecimalError;
pub use energy::{Energy, Power};
pub use money::{EnergyPrice, GpuHourPrice, Hashprice, Money, PowerPrice};
pub use share::{Pue, Share, Temperature};
pub use time::{Interval, Seconds, Timestamp, TimestampError};
