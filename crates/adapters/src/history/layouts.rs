//! The layouts of files there are. A new one is a file here and a line in [`ALL`].

mod aemo_dispatch_price;
mod aemo_price_and_demand;
mod bitcoin_daily;
mod coin_metrics;
mod ercot_day_ahead;
mod ercot_sced_lmp;
mod ercot_settlement;
mod gridstatus;
mod hourly_local;
mod interval_utc;
mod peaks;
mod price_forecast;
mod spot_offer;
mod wide_lmp;

use super::draft::Draft;
use super::error::HistoryError;
use super::table::{Header, Table};

/// One layout of files.
pub(crate) struct Layout {
    /// What people call it.
    pub(crate) name: &'static str,
    /// Whether a file with this header is of the layout.
    pub(crate) recognises: fn(&Header) -> bool,
    /// Reads a file of the layout.
    pub(crate) read: fn(&mut Table<'_>, &mut Draft) -> Result<(), HistoryError>,
}

/// Every layout; the first that recognises a header reads the file.
pub(crate) static ALL: &[Layout] = &[
    ercot_settlement::LAYOUT,
    ercot_day_ahead::LAYOUT,
    ercot_sced_lmp::LAYOUT,
    gridstatus::LAYOUT,
    aemo_dispatch_price::LAYOUT,
    aemo_price_and_demand::LAYOUT,
    coin_metrics::LAYOUT,
    bitcoin_daily::LAYOUT,
    hourly_local::LAYOUT,
    peaks::LAYOUT,
    price_forecast::LAYOUT,
    spot_offer::LAYOUT,
    interval_utc::LAYOUT,
    wide_lmp::LAYOUT,
];

/// The columns of a header that a layout does not use.
pub(crate) fn unused<'h>(header: &'h Header, used: &[&str]) -> Vec<&'h str> {
    header
        .names()
        .filter(|name| !name.is_empty())
        .filter(|name| !used.iter().any(|known| known.eq_ignore_ascii_case(name)))
        .collect()
}
