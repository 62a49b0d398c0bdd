//! Everything that reaches out: devices, files, alarms and the store.
//!
//! [`history`] reads folders of market and bitcoin files into UTC series with
//! the time each value is about and the time it could first be known.
//! [`growing`] follows a file of signals as it grows.
//! [`device`] is one device behind one vendor's protocol: told, looked at, read back.
//! [`fleet`] is a site's devices together: orders, leases, sweeps.
//! [`meter`] is one electricity meter: what it shows, and whether it still counts.
//! [`acceptance`] reads what tools said of a rack, and signs the evidence.
//! [`census`] finds who is on the site's networks, and what is different.
//! [`openadr`] is a grid feed: events become instructions, checked.
//! [`deliver`] hands one alarm message to one webhook or mail server.
//! [`store`] keeps what happened: a durable journal with snapshots and signed
//! checkpoints, in SQLite or PostgreSQL.
//!
//! Invariant: holds no policy. What a value is worth is decided elsewhere.
//! Invariant: market time zones, hour-ending keys and daylight saving end here.

pub mod acceptance;
pub mod census;
pub mod deliver;
pub mod device;
pub mod fleet;
pub mod growing;
pub mod history;
pub mod meter;
pub mod openadr;
pub mod store;
