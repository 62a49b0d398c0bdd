//! Everything that reaches out: history files, and later devices, grids and the store.
//!
//! [`history`] reads folders of market and bitcoin files into UTC series with
//! the time each value is about and the time it could first be known.
//!
//! Invariant: holds no policy. What a value is worth is decided elsewhere.
//! Invariant: market time zones, hour-ending keys and daylight saving end here.

pub mod history;
