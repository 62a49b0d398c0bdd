//! A file that grows: one line of JSON for each thing that became known.
//!
//! Any program that can append a line can feed a site: a market feed, a script
//! behind a QSE's e-mail, a person with an editor. Numbers are text, so that they
//! are exact.
//!
//! ```json
//! {"lmp": {"usd_per_mwh": "31.25", "start": "2026-01-31T14:00Z", "end": "2026-01-31T14:05Z"}}
//! {"spot_offer": {"usd_per_gpu_hour": "2.10", "start": "2026-01-31T14:00Z", "end": "2026-01-31T20:00Z"}}
//! {"instruction": {"programme": "ERS", "name": "e-17", "ask": {"limit_mw": "3.5"},
//!                  "start": "2026-01-31T14:00Z", "end": "2026-01-31T18:00Z"}}
//! ```
//!
//! A line that cannot be read is a note with its number and changes nothing. A
//! last line without its end is not there yet.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use engine::{Ask, Instruction, Known, Signal, Site, Source};
use serde::Deserialize;
use units::{
    EnergyPrice, GpuHourPrice, Hashprice, Interval, Power, Temperature, Timestamp,
    decimal,
};

/// The longest line, and the most that is read at once.
const LINE_BYTES_MAX: usize = 64 << 10;
const READ_BYTES_MAX: u64 = 8 << 20;

/// A file that grows, read from where it was left.
#[derive(Debug)]
pub struct Growing {
    path: PathBuf,
    read_to: u64,
    line: u64,
    /// The beginning of a line whose end is not there yet.
    partial: Vec<u8>,
}

/// A line that says nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}, line {line}: {what}; the line is passed over")]
pub struct BadLine {
    /// Which file.
    pub path: String,
    /// Which line, from 1.
    pub line: u64,
    /// What was expected, and what was found.
    pub what: String,
}

/// What was new in the file.
#[derive(Debug, Default)]
pub struct Grown {
    /// What became known, in the order of the lines.
    pub signals: Vec<Signal>,
    /// Lines that say nothing.
    pub bad: Vec<BadLine>,
}

/// What one line may say.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Line {
    Lmp(Priced),
    SettlementPrice(Priced),
    DayAheadPrice(Priced),
    Hashprice(Mined),
    Temperature(Measured),
    Instruction(Told),
    Heard(Link),
    SpotOffer(Offered),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Priced {
    usd_per_mwh: String,
    start: String,
    end: String,
    known_at: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Offered {
    usd_per_gpu_hour: String,
    start: String,
    end: String,
    known_at: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Mined {
    usd_per_ph_day: String,
    start: String,
    end: String,
    known_at: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Measured {
    celsius: String,
    start: String,
    end: String,
    known_at: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Link {
    programme: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Told {
    programme: String,
    name: String,
    ask: Asked,
    start: String,
    end: String,
    #[serde(default)]
    best_effort: bool,
    known_at: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Asked {
    LimitMw(String),
    DispatchToMw(String),
    BasePointMw(String),
    ArmMw(String),
    TestMw(String),
    PriceUsdPerMwh(String),
    Disarm,
    Trip,
    Restore,
    Withdraw,
}

impl Growing {
    /// A file to be read from its beginning. It need not be there yet.
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), read_to: 0, line: 0, partial: Vec::new() }
    }

    /// What was appended since. A file that became shorter is read from its
    /// beginning. `now` is when a line is known that does not say so itself.
    ///
    /// # Errors
    ///
    /// When the file is there and cannot be read.
    pub fn read_on(&mut self, site: &Site, now: Timestamp) -> io::Result<Grown> {
        let mut file = match File::open(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(Grown::default());
            }
            opened => opened?,
        };
        if file.metadata()?.len() < self.read_to {
            *self = Self::new(&self.path);
        }
        file.seek(SeekFrom::Start(self.read_to))?;
        let mut bytes = Vec::new();
        let read = file.take(READ_BYTES_MAX).read_to_end(&mut bytes)?;
        self.read_to += read as u64;
        let mut grown = Grown::default();
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.partial.extend_from_slice(part);
            if part.ends_with(b"\n") {
                let line = std::mem::take(&mut self.partial);
                self.take(&line, site, now, &mut grown);
            } else if self.partial.len() > LINE_BYTES_MAX {
                // What is this long has no end; what follows it is judged by itself.
                self.partial.truncate(LINE_BYTES_MAX + 1);
            }
        }
        Ok(grown)
    }

    fn take(&mut self, line: &[u8], site: &Site, now: Timestamp, grown: &mut Grown) {
        self.line += 1;
        let line = line.trim_ascii();
        if line.is_empty() {
            return;
        }
        match understood(line, site, now) {
            Ok(signal) => grown.signals.push(signal),
            Err(what) => grown.bad.push(BadLine {
                path: self.path.display().to_string(),
                line: self.line,
                what,
            }),
        }
    }
}

/// The most that an offer may be. GPUs are sold for single dollars an hour; what is
/// beyond a thousand times that would keep racks up at any price of power.
pub(crate) const SPOT_OFFER_MAX: GpuHourPrice =
    GpuHourPrice::from_micro_usd(10_000_000_000);

fn understood(line: &[u8], site: &Site, now: Timestamp) -> Result<Signal, String> {
    if line.len() > LINE_BYTES_MAX {
        return Err(format!("expected at most {LINE_BYTES_MAX} bytes"));
    }
    let line: Line = serde_json::from_slice(line)
        .map_err(|error| format!("expected a signal as JSON: {error}"))?;
    match line {
        Line::Lmp(said) => price(&said, Source::Lmp, now),
        Line::SettlementPrice(said) => price(&said, Source::SettlementPoint, now),
        Line::DayAheadPrice(said) => price(&said, Source::DayAhead, now),
        Line::Hashprice(said) => {
            let value = decimal::exact(&said.usd_per_ph_day, 6).map_err(in_words)?;
            let value = Hashprice::from_micro_usd_per_ph_day(value);
            known(
                value,
                &said.start,
                &said.end,
                said.known_at.as_deref(),
                Source::Bitcoin,
                now,
            )
            .map(Signal::Hashprice)
        }
        Line::SpotOffer(said) => {
            let value =
                GpuHourPrice::parse_usd(&said.usd_per_gpu_hour).map_err(in_words)?;
            if value < GpuHourPrice::ZERO {
                let expected = "expected a price of nothing or more";
                return Err(format!("{expected}, found {}", said.usd_per_gpu_hour));
            }
            if value > SPOT_OFFER_MAX {
                let expected = format!(
                    "expected at most {SPOT_OFFER_MAX}, a thousand times what a GPU is sold \
                     for: more is in another unit, or a slip"
                );
                return Err(format!("{expected}; found {}", said.usd_per_gpu_hour));
            }
            known(
                value,
                &said.start,
                &said.end,
                said.known_at.as_deref(),
                Source::SpotMarket,
                now,
            )
            .map(Signal::SpotOffer)
        }
        Line::Temperature(said) => {
            let value = Temperature::parse_celsius(&said.celsius).map_err(in_words)?;
            known(
                value,
                &said.start,
                &said.end,
                said.known_at.as_deref(),
                Source::Weather,
                now,
            )
            .map(Signal::Temperature)
        }
        Line::Heard(link) => programme(site, &link.programme).map(Signal::Heard),
        Line::Instruction(told) => instruction(told, site, now).map(Signal::Instruction),
    }
}

fn price(said: &Priced, source: Source, now: Timestamp) -> Result<Signal, String> {
    let value = EnergyPrice::parse_usd_per_mwh(&said.usd_per_mwh).map_err(in_words)?;
    known(value, &said.start, &said.end, said.known_at.as_deref(), source, now)
        .map(Signal::Price)
}

fn instruction(told: Told, site: &Site, now: Timestamp) -> Result<Instruction, String> {
    let power = |text: &str| Power::parse_mw(text).map_err(in_words);
    let ask = match &told.ask {
        Asked::LimitMw(text) => Ask::Limit(power(text)?),
        Asked::DispatchToMw(text) => Ask::DispatchTo(power(text)?),
        Asked::BasePointMw(text) => Ask::BasePoint(power(text)?),
        Asked::ArmMw(text) => Ask::Arm(power(text)?),
        Asked::TestMw(text) => Ask::Test(power(text)?),
        Asked::PriceUsdPerMwh(text) => {
            Ask::Price(EnergyPrice::parse_usd_per_mwh(text).map_err(in_words)?)
        }
        Asked::Disarm => Ask::Disarm,
        Asked::Trip => Ask::Trip,
        Asked::Restore => Ask::Restore,
        Asked::Withdraw => Ask::Withdraw,
    };
    Ok(Instruction {
        programme: programme(site, &told.programme)?,
        name: told.name,
        ask,
        during: during(&told.start, &told.end)?,
        best_effort: told.best_effort,
        known_at: known_at(told.known_at.as_deref(), now)?,
    })
}

fn programme(site: &Site, name: &str) -> Result<engine::site::ProgrammeIx, String> {
    let found = site.programmes.iter().position(|programme| programme.name == name);
    found.ok_or_else(|| {
        let names: Vec<_> = site.programmes.iter().map(|one| one.name.as_str()).collect();
        format!("expected a programme of the site ({}), found `{name}`", names.join(", "))
    })
}

fn known<T>(
    value: T,
    start: &str,
    end: &str,
    known: Option<&str>,
    source: Source,
    now: Timestamp,
) -> Result<Known<T>, String> {
    Ok(Known {
        value,
        during: during(start, end)?,
        known_at: known_at(known, now)?,
        source,
    })
}

fn during(start: &str, end: &str) -> Result<Interval, String> {
    let (start, end) = (
        Timestamp::parse(start).map_err(in_words)?,
        Timestamp::parse(end).map_err(in_words)?,
    );
    if end <= start {
        return Err(format!("expected an end after the start, found {start} and {end}"));
    }
    Ok(Interval { start, end })
}

fn known_at(text: Option<&str>, now: Timestamp) -> Result<Timestamp, String> {
    text.map_or(Ok(now), |text| Timestamp::parse(text).map_err(in_words))
}

fn in_words(error: impl std::fmt::Display) -> String {
    error.to_string()
}
