//! Days of history beside a plan, which futures of power are put together from.
//!
//! A line a day of the market's clock: the date, what each of its hours settled at in
//! USD/MWh, and what the coin's logarithm moved by. `mw plan calibrate --days` writes it.

use std::path::Path;

use settle::calendar::Date;
use settle::contract::Hash;
use sim::scenario::blocks::{Blocks, NoBlocks, PastDay, Shape};

use super::{Reading, written};

/// How many days a block has, if nothing is said: a week.
const BLOCK_DAYS: usize = 7;

/// How far from the time of the year a block may be, if nothing is said.
const SEASON_DAYS: i64 = 21;

/// Values of a line: a date, the hours, the coin's move.
const VALUES: usize = 26;

/// Days as a file that is read back to the same.
pub(crate) fn write(days: &[PastDay]) -> String {
    let hours: Vec<String> = (0..24).map(|hour| format!("h{hour:02}")).collect();
    let mut text = format!("date,{},coin_move\n", hours.join(","));
    for day in days {
        let date = units::Timestamp::from_unix_seconds(day.day * 86_400).utc_date();
        let prices: Vec<String> =
            day.usd_per_mwh.iter().map(|price| format!("{price:.4}")).collect();
        let coin = day.coin_move.map_or_else(String::new, |by| format!("{by:.8}"));
        let (year, month, of_month) = date;
        text +=
            &format!("{year:04}-{month:02}-{of_month:02},{},{coin}\n", prices.join(","));
    }
    text
}

/// A line as a day; what was found instead.
fn day(line: &str, with_coin: bool) -> Result<PastDay, String> {
    let values: Vec<&str> = line.split(',').map(str::trim).collect();
    if values.len() != VALUES {
        return Err(format!("{} values", values.len()));
    }
    let date = Date::parse(values[0]).ok_or_else(|| format!("\"{}\"", values[0]))?;
    let at =
        settle::calendar::Zone::named("UTC").expect("everybody has it").midnight(date);
    let mut usd_per_mwh = [0.0; 24];
    for (place, price) in usd_per_mwh.iter_mut().enumerate() {
        let text = values[place + 1];
        *price = text
            .parse()
            .ok()
            .filter(|price: &f64| price.abs() < 1e5)
            .ok_or_else(|| format!("\"{text}\""))?;
    }
    let coin_move = if with_coin {
        let text = values[VALUES - 1];
        let by = text.parse().ok().filter(|by: &f64| by.abs() < 3.0);
        Some(by.ok_or_else(|| format!("\"{text}\" as a coin's move"))?)
    } else {
        None
    };
    Ok(PastDay { day: at.as_unix_seconds() / 86_400, usd_per_mwh, coin_move })
}

impl Reading {
    /// The days that a plan names, if it names any: `None` where they are wrong.
    pub(super) fn days(
        &mut self,
        table: &str,
        written: &written::Power,
        folder: &Path,
        hashed: &mut Vec<u8>,
    ) -> Option<Option<Blocks>> {
        let Some(file) = &written.days else { return Some(None) };
        let key = &format!("{table}.days");
        let text = match std::fs::read_to_string(folder.join(file)) {
            Ok(text) => text,
            Err(error) => {
                let expected = "a file of days beside the plan";
                let remedy = "let `mw plan calibrate --days` write it";
                self.note(key, expected, format!("{file}: {error}"), remedy);
                return None;
            }
        };
        hashed.extend(Hash::of(text.as_bytes()).0);
        let mut days = Vec::new();
        for (number, line) in text.lines().enumerate().skip(1) {
            match day(line, written.coin_on_same_days) {
                Ok(day) => days.push(day),
                Err(found) => {
                    let expected = "a date, 24 prices in USD/MWh and a coin's move";
                    let found = format!("{found} in line {} of {file}", number + 1);
                    self.note(key, expected, found, "write the line as the others are");
                    return None;
                }
            }
        }
        let block_days = written.block_days.unwrap_or(BLOCK_DAYS);
        let season_days = written.season_days.unwrap_or(SEASON_DAYS);
        let block_key = &format!("{table}.block_days");
        let season_key = &format!("{table}.season_days");
        if !(1..=366).contains(&block_days) {
            let found = block_days.to_string();
            self.note(block_key, "1 to 366", found, "7 keeps weekdays in order");
            return None;
        }
        if !(0..=183).contains(&season_days) {
            self.note(
                season_key,
                "0 to 183",
                season_days.to_string(),
                "21 is three weeks",
            );
            return None;
        }
        let blocks = match Blocks::of(days, Shape { block_days, season_days }) {
            Ok(blocks) => blocks,
            Err(NoBlocks::OutOfOrder { place }) => {
                let found = format!("one that is not in line {} of {file}", place + 2);
                self.note(key, "days in order", found, "sort the file by date");
                return None;
            }
            Err(NoBlocks::NoneNear { day_of_year }) => {
                let expected = "blocks on each weekday of each time of the year";
                let found =
                    format!("none within {season_days} days of day {day_of_year}");
                let remedy = "widen season_days, shorten block_days, or add history";
                self.note(key, expected, found, remedy);
                return None;
            }
        };
        let Some(forward) = written.forward_usd_per_mwh else {
            return Some(Some(blocks));
        };
        // The shape over the year stays as it was.
        let months = blocks.means_usd_per_mwh().map(|mean| mean.unwrap_or(0.0));
        let mean = months.iter().sum::<f64>() / 12.0;
        let scaled = blocks.at_forward(months.map(|month| month / mean * forward));
        if scaled.is_none() {
            let expected = "days whose months all have a mean above nought";
            self.note(key, expected, "one that has not", "leave forward_usd_per_mwh out");
        }
        scaled.map(Some)
    }
}
