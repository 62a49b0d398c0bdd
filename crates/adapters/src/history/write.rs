//! A synthetic history as files of our own layouts.
//!
//! What is written reads back through [`open`](super::open) to the same values.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use units::{
    BitcoinPrice, Difficulty, EnergyPrice, HashRate, Power, Satoshis, Temperature,
    Timestamp, decimal,
};

use super::error::HistoryError;

/// A made history of one settlement point. Every series is in order of time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SyntheticHistory {
    /// The settlement point; a name ending in `_SYNTH` reads back as the market
    /// `SYNTH`, which has ERCOT's rules.
    pub point: String,
    /// Dispatch prices by the start of their interval.
    pub lmp: Vec<(Timestamp, EnergyPrice)>,
    /// Settlement prices by the start of their interval.
    pub settlement: Vec<(Timestamp, EnergyPrice)>,
    /// Day-ahead prices by the start of their hour.
    pub day_ahead: Vec<(Timestamp, EnergyPrice)>,
    /// Outside air temperature by the start of its hour.
    pub temperature: Vec<(Timestamp, Temperature)>,
    /// Forecast demand of the system by the start of its hour.
    pub demand_forecast: Vec<(Timestamp, Power)>,
    /// Bitcoin days.
    pub bitcoin: Vec<SyntheticDay>,
}

/// A made day of bitcoin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SyntheticDay {
    /// Its midnight, UTC.
    pub day: Timestamp,
    /// The price of a coin.
    pub price: BitcoinPrice,
    /// The difficulty.
    pub difficulty: Difficulty,
    /// The network's hash rate as it would be estimated from the day's blocks.
    pub network: HashRate,
    /// Fees of the whole day.
    pub fees: Satoshis,
    /// Blocks of the day.
    pub blocks: u32,
    /// Height of the day's last block.
    pub height: u64,
}

/// Writes a history into `folder`, which must be new or empty.
///
/// The files appear together: they are written beside the folder and moved into
/// place, so that a failure leaves nothing half-written.
pub fn write(folder: &Path, history: &SyntheticHistory) -> Result<(), HistoryError> {
    if occupied(folder)? {
        return Err(HistoryError::FolderNotEmpty(folder.to_owned()));
    }
    let beside = beside(folder);
    let written = fill(&beside, history).and_then(|()| move_into_place(&beside, folder));
    if written.is_err() {
        // The first failure is the one to tell; what is left is beside the folder.
        let _ = std::fs::remove_dir_all(&beside);
    }
    written
}

fn failed(
    doing: &'static str,
    path: &Path,
) -> impl FnOnce(std::io::Error) -> HistoryError {
    let path = path.to_owned();
    move |source| HistoryError::Io { doing, path, source }
}

fn occupied(folder: &Path) -> Result<bool, HistoryError> {
    match std::fs::read_dir(folder) {
        Ok(mut entries) => Ok(entries.next().is_some()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(error) if error.kind() == std::io::ErrorKind::NotADirectory => {
            Err(HistoryError::NotAFolder(folder.to_owned()))
        }
        Err(error) => Err(failed("list", folder)(error)),
    }
}

/// A folder of the same file system, named after the process that writes it.
fn beside(folder: &Path) -> PathBuf {
    let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
    folder.with_file_name(format!(".{name}.{}.partial", std::process::id()))
}

fn move_into_place(beside: &Path, folder: &Path) -> Result<(), HistoryError> {
    // An empty folder gives way; not every system renames onto one.
    if folder.exists() {
        std::fs::remove_dir(folder).map_err(failed("replace", folder))?;
    }
    std::fs::rename(beside, folder).map_err(failed("write", folder))
}

fn fill(folder: &Path, history: &SyntheticHistory) -> Result<(), HistoryError> {
    std::fs::create_dir_all(folder).map_err(failed("create", folder))?;
    let point = history.point.as_str();
    let stem = point.to_ascii_lowercase();
    let price = |price: EnergyPrice| exact(price.as_micro_usd_per_mwh(), 6);
    let put = |name: String, text: String| {
        // A header alone would read back as a file with nothing in it.
        if text.lines().count() < 2 {
            return Ok(());
        }
        let path = folder.join(name);
        std::fs::write(&path, text).map_err(failed("write", &path))
    };
    put(
        format!("{stem}_lmp.csv"),
        rows(&format!("interval_start_utc,{point}"), "", &history.lmp, price),
    )?;
    put(
        format!("{stem}_rt_spp.csv"),
        rows(
            "interval_start_utc,settlement_point,rt_spp_usd_mwh",
            point,
            &history.settlement,
            price,
        ),
    )?;
    put(
        format!("{stem}_da_spp.csv"),
        rows(
            "interval_start_utc,settlement_point,da_spp_usd_mwh",
            point,
            &history.day_ahead,
            price,
        ),
    )?;
    put(
        "demand_forecast.csv".to_owned(),
        rows(
            "interval_start_utc,da_demand_forecast_mw",
            "",
            &history.demand_forecast,
            |power| exact(power.as_watts(), 6),
        ),
    )?;
    put(
        "temperature.csv".to_owned(),
        rows("interval_start_utc,temp_c", "", &history.temperature, |temperature| {
            exact(temperature.as_millidegrees(), 3)
        }),
    )?;
    put("bitcoin_daily.csv".to_owned(), bitcoin_rows(&history.bitcoin))
}

/// Decimal text of an integer count of `10^-scale`, without trailing zeros.
fn exact(value: i64, scale: u32) -> String {
    let text = decimal::text(i128::from(value), scale, scale);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn rows<T: Copy>(
    header: &str,
    point: &str,
    values: &[(Timestamp, T)],
    text: impl Fn(T) -> String,
) -> String {
    let mut file = format!("{header}\n");
    for (start, value) in values {
        let value = text(*value);
        let row = if point.is_empty() {
            writeln!(file, "{start},{value}")
        } else {
            writeln!(file, "{start},{point},{value}")
        };
        row.expect("text grows");
    }
    file
}

fn bitcoin_rows(days: &[SyntheticDay]) -> String {
    let mut file =
        "date,price_usd,difficulty,hashrate_th_s,fees_btc,blocks,height\n".to_owned();
    for day in days {
        let (year, month, date) = day.day.utc_date();
        writeln!(
            file,
            "{year:04}-{month:02}-{date:02},{},{},{},{},{},{}",
            exact(day.price.as_micro_usd(), 6),
            day.difficulty.as_whole(),
            exact(day.network.as_ghs(), 3),
            exact(day.fees.as_satoshis(), 8),
            day.blocks,
            day.height
        )
        .expect("text grows");
    }
    file
}
