//! A profile: what the registers of one model mean, as data with its source.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use serde::Deserialize;

use super::figure::{Coding, Order, Width, millionths};

/// What one model's registers mean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// What a site file calls it.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// Who makes it.
    pub maker: String,
    /// Its model.
    pub model: String,
    /// Its port, unless the site says another.
    pub port: u16,
    /// Its unit, unless the site says another.
    pub unit: u8,
    /// Where its registers were read of.
    pub source: String,
    /// How far that is to be believed.
    pub certainty: String,
    /// How long what shows that it measures may stand still.
    pub still_for: Duration,
    /// How long a battery holds its setpoint without another beat of the heart; `None`
    /// is for ever.
    pub watchdog: Option<Duration>,
    /// Numbers of its status register that are faults.
    pub fault_states: Vec<u16>,
    /// Its registers.
    pub registers: Vec<Register>,
}

/// What a device is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// It measures.
    Meter,
    /// It stores.
    Battery,
}

/// One figure of a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Register {
    /// What it is.
    pub means: Meaning,
    /// In which space of addresses.
    pub space: Space,
    /// Its first word, counted from 0 as on the wire.
    pub address: u16,
    /// How words become a figure.
    pub coding: Coding,
    /// Where a counter begins again, in raw steps, where that is not its width.
    pub rolls_over_at: Option<u64>,
    /// How far this row is to be believed, where it is not as far as the profile.
    pub certainty: Option<String>,
}

/// A space of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Space {
    /// Holding registers: function 3, and 6 or 16 to write.
    Holding,
    /// Input registers: function 4.
    Input,
}

/// What a register is about, and its base unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Meaning {
    /// Net power: W, positive drawn.
    Power,
    /// Energy drawn since the meter was made: Wh.
    EnergyImport,
    /// Energy sent back since the meter was made: Wh.
    EnergyExport,
    /// Frequency: Hz.
    Frequency,
    /// Voltage: V.
    Voltage,
    /// Power factor: without unit.
    PowerFactor,
    /// A number that changes with every measurement.
    Heartbeat,
    /// A number for how it is.
    Status,
    /// What a battery is set to draw or give: W, positive drawn. Written and read back.
    Setpoint,
    /// How full a battery is: percent.
    StateOfCharge,
    /// What a battery holds: Wh.
    Stored,
    /// The beat of the heart that a battery waits for: written.
    Watchdog,
}

/// Why a profile is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("profile {profile}: {what}")]
pub struct ProfileError {
    /// Which one.
    pub profile: String,
    /// What was expected and what was found.
    pub what: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    name: String,
    kind: Kind,
    maker: String,
    model: String,
    #[serde(default = "usual_port")]
    port: u16,
    #[serde(default = "usual_unit")]
    unit: u8,
    source: String,
    certainty: String,
    still_for_seconds: Option<u32>,
    watchdog_seconds: Option<u32>,
    #[serde(default)]
    fault_states: Vec<u16>,
    registers: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    means: Meaning,
    space: Space,
    address: u16,
    #[serde(rename = "type")]
    width: Width,
    order: Option<Order>,
    scale: Option<String>,
    range: Option<Range>,
    unit: Option<String>,
    positive: Option<Positive>,
    absent: Option<u64>,
    rolls_over_at: Option<u64>,
    certainty: Option<String>,
}

/// Raw numbers spread evenly over a range of figures.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Range {
    raw: [i64; 2],
    value: [String; 2],
}

/// Which direction a register counts as positive.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Positive {
    Import,
    Export,
}

fn usual_port() -> u16 {
    502
}

fn usual_unit() -> u8 {
    1
}

/// The longest a meter may stand still that has nothing better to show than its
/// figures: they move all the time in a site that draws.
const STILL_FOR: u32 = 60;

/// The longest a heartbeat may stand still, unless the profile says.
const HEART_STILL_FOR: u32 = 10;

/// The most registers of a profile.
const REGISTERS_MAX: usize = 64;

/// How far a row may be believed.
const CERTAINTIES: [&str; 4] = ["measured", "published", "derived", "unverified"];

/// Profiles that come with the program.
const SHIPPED: [&str; 6] = [
    include_str!("profiles/mw-meter.toml"),
    include_str!("profiles/abb-b23.toml"),
    include_str!("profiles/satec-pm180.toml"),
    include_str!("profiles/schneider-pm5340.toml"),
    include_str!("profiles/pymodbus-simulator.toml"),
    include_str!("profiles/mw-battery.toml"),
];

impl Profile {
    /// The profiles that come with the program.
    pub fn shipped() -> Vec<Self> {
        let read = |text: &&str| Self::read(text).expect("a shipped profile is right");
        SHIPPED.iter().map(read).collect()
    }

    /// A profile that comes with the program.
    pub fn named(name: &str) -> Option<Self> {
        Self::shipped().into_iter().find(|profile| profile.name == name)
    }

    /// Reads a profile.
    ///
    /// # Errors
    ///
    /// What is not TOML, has a key too many or too few, or does not go together.
    pub fn read(text: &str) -> Result<Self, ProfileError> {
        let written: Written = toml::from_str(text).map_err(|error| ProfileError {
            profile: "(unread)".to_owned(),
            what: error.to_string(),
        })?;
        let name = written.name.clone();
        written.meant().map_err(|what| ProfileError { profile: name, what })
    }

    /// The register of a meaning.
    pub fn register(&self, means: Meaning) -> Option<&Register> {
        self.registers.iter().find(|register| register.means == means)
    }
}

impl Written {
    fn meant(self) -> Result<Profile, String> {
        let certain = |text: &str| match CERTAINTIES.contains(&text) {
            true => Ok(()),
            false => {
                Err(format!("expected a certainty of {CERTAINTIES:?}, found `{text}`"))
            }
        };
        certain(&self.certainty)?;
        if self.registers.is_empty() || self.registers.len() > REGISTERS_MAX {
            let found = self.registers.len();
            return Err(format!(
                "expected 1 to {REGISTERS_MAX} registers, found {found}"
            ));
        }
        let mut registers = Vec::new();
        let mut meanings = BTreeSet::new();
        for (number, row) in self.registers.into_iter().enumerate() {
            let means = row.means;
            let place =
                |what: String| format!("register {}, {means}: {what}", number + 1);
            if !meanings.insert(means) {
                return Err(place("expected one register of that meaning".to_owned()));
            }
            if let Some(text) = &row.certainty {
                certain(text).map_err(place)?;
            }
            registers.push(row.meant().map_err(place)?);
        }
        let needed: &[Meaning] = match self.kind {
            Kind::Meter => &[Meaning::Power],
            Kind::Battery => &[Meaning::Power, Meaning::Setpoint],
        };
        if let Some(missing) = needed.iter().find(|means| !meanings.contains(means)) {
            return Err(format!("expected a register of {missing}, found none"));
        }
        if self.kind == Kind::Meter
            && let Some(wrong) = meanings.iter().find(|means| means.is_batterys())
        {
            return Err(format!("expected registers of a meter, found {wrong}"));
        }
        for written in [Meaning::Setpoint, Meaning::Watchdog] {
            let found = registers.iter().find(|one: &&Register| one.means == written);
            if found.is_some_and(|one| one.space == Space::Input) {
                return Err(format!("expected {written} in `holding`, found `input`"));
            }
        }
        let usual = match meanings.contains(&Meaning::Heartbeat) {
            true => HEART_STILL_FOR,
            false => STILL_FOR,
        };
        let seconds = |seconds: u32| Duration::from_secs(u64::from(seconds));
        Ok(Profile {
            name: self.name,
            kind: self.kind,
            maker: self.maker,
            model: self.model,
            port: self.port,
            unit: self.unit,
            source: self.source,
            certainty: self.certainty,
            still_for: seconds(self.still_for_seconds.unwrap_or(usual)),
            watchdog: self.watchdog_seconds.map(seconds),
            fault_states: self.fault_states,
            registers,
        })
    }
}

impl Row {
    fn meant(self) -> Result<Register, String> {
        let words = self.width.words();
        let order = match (self.order, words) {
            (None, 1) => Order::Big,
            (Some(_), 1) => {
                return Err("expected no `order`, found one: it is one word".to_owned());
            }
            (Some(order), _) => order,
            (None, _) => {
                return Err("expected `order`, \"big\" or \"little\", found none: \
                            which word comes first is never guessed"
                    .to_owned());
            }
        };
        if self.address.checked_add(words - 1).is_none() {
            return Err("expected an address within 65535".to_owned());
        }
        let factor = self.means.factor(self.unit.as_deref())?;
        let sign = match (self.means.has_direction(), self.positive) {
            (true, Some(Positive::Import)) | (false, None) => 1,
            (true, Some(Positive::Export)) => -1,
            (true, None) => {
                return Err(
                    "expected `positive`, \"import\" or \"export\", found none: \
                            which direction is positive is never guessed"
                        .to_owned(),
                );
            }
            (false, Some(_)) => {
                return Err("expected no `positive`, found one".to_owned());
            }
        };
        let scaled = |text: &str| {
            let value = millionths(text).map_err(|error| error.to_string())?;
            value.checked_mul(factor * sign).ok_or("expected less".to_owned())
        };
        let mut coding = Coding {
            width: self.width,
            order,
            base: 0,
            raw_base: 0,
            per_raw: 0,
            parts: 1,
            absent: self.absent,
        };
        match (&self.scale, &self.range) {
            (Some(_), Some(_)) => {
                return Err("expected `scale` or `range`, found both".to_owned());
            }
            (scale, None) => {
                let step = scaled(scale.as_deref().unwrap_or("1"))?;
                if step * sign <= 0 {
                    return Err("expected a positive `scale`".to_owned());
                }
                coding.per_raw = step;
            }
            (None, Some(range)) => {
                let [from, to] = range.raw.map(i128::from);
                let (low, high) = (scaled(&range.value[0])?, scaled(&range.value[1])?);
                if to <= from || low == high || self.width == Width::F32 {
                    return Err(
                        "expected a `range` of whole numbers that rises".to_owned()
                    );
                }
                (coding.base, coding.raw_base) = (low, from);
                (coding.per_raw, coding.parts) = (high - low, to - from);
            }
        }
        if self.rolls_over_at.is_some() && !self.means.counts() {
            return Err("expected `rolls_over_at` at a counter alone".to_owned());
        }
        Ok(Register {
            means: self.means,
            space: self.space,
            address: self.address,
            coding,
            rolls_over_at: self.rolls_over_at,
            certainty: self.certainty,
        })
    }
}

impl Meaning {
    /// Whether it has a direction: which one is positive has to be said.
    fn has_direction(self) -> bool {
        matches!(self, Self::Power | Self::Setpoint)
    }

    fn counts(self) -> bool {
        matches!(self, Self::EnergyImport | Self::EnergyExport)
    }

    fn is_batterys(self) -> bool {
        matches!(
            self,
            Self::Setpoint | Self::StateOfCharge | Self::Stored | Self::Watchdog
        )
    }

    /// How many of its base unit one of `unit` is.
    fn factor(self, unit: Option<&str>) -> Result<i128, String> {
        let known: &[(&str, i128)] = match self {
            Self::Power | Self::Setpoint => &[("W", 1), ("kW", 1_000), ("MW", 1_000_000)],
            Self::EnergyImport | Self::EnergyExport | Self::Stored => {
                &[("Wh", 1), ("kWh", 1_000), ("MWh", 1_000_000)]
            }
            Self::Frequency => &[("Hz", 1)],
            Self::Voltage => &[("V", 1), ("kV", 1_000)],
            Self::StateOfCharge => &[("%", 1)],
            Self::PowerFactor | Self::Heartbeat | Self::Status | Self::Watchdog => {
                return match unit {
                    None => Ok(1),
                    Some(unit) => Err(format!("expected no `unit`, found `{unit}`")),
                };
            }
        };
        let found = known.iter().find(|(name, _)| Some(*name) == unit);
        found.map(|(_, factor)| *factor).ok_or_else(|| {
            let names: Vec<_> = known.iter().map(|(name, _)| *name).collect();
            let found = unit.unwrap_or("none");
            format!("expected a `unit` of {}, found `{found}`", names.join(", "))
        })
    }
}

impl fmt::Display for Meaning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Power => "power",
            Self::EnergyImport => "energy_import",
            Self::EnergyExport => "energy_export",
            Self::Frequency => "frequency",
            Self::Voltage => "voltage",
            Self::PowerFactor => "power_factor",
            Self::Heartbeat => "heartbeat",
            Self::Status => "status",
            Self::Setpoint => "setpoint",
            Self::StateOfCharge => "state_of_charge",
            Self::Stored => "stored",
            Self::Watchdog => "watchdog",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Kind, Meaning, Profile};

    #[test]
    fn every_shipped_profile_is_right_and_has_a_name_of_its_own() {
        let all = Profile::shipped();
        for profile in &all {
            let named = Profile::named(&profile.name).expect("a profile");
            assert_eq!(&named, profile);
            assert!(profile.register(Meaning::Power).is_some());
            assert!(!profile.source.is_empty());
        }
        assert!(all.iter().any(|profile| profile.kind == Kind::Battery));
    }

    fn profile(rows: &str) -> Result<Profile, String> {
        let head = "name = \"m\"\nkind = \"meter\"\nmaker = \"a\"\nmodel = \"b\"\n\
                    source = \"c\"\ncertainty = \"unverified\"\nregisters = [";
        Profile::read(&format!("{head}{rows}]")).map_err(|error| error.to_string())
    }

    #[test]
    fn nothing_is_guessed() {
        let power = "{ means = \"power\", space = \"input\", address = 0, ";
        assert!(profile(&format!(
            "{power} type = \"i32\", order = \"big\", unit = \"W\", positive = \"import\" }}"
        ))
        .is_ok());
        for (rest, says) in [
            ("type = \"i32\", unit = \"W\", positive = \"import\" }", "`order`"),
            ("type = \"i16\", unit = \"W\" }", "`positive`"),
            ("type = \"i16\", positive = \"import\" }", "`unit`"),
            ("type = \"i16\", unit = \"V\", positive = \"import\" }", "`unit`"),
            ("type = \"i24\", unit = \"W\", positive = \"import\" }", "i24"),
            (
                "type = \"i16\", order = \"big\", unit = \"W\", positive = \"import\" }",
                "one word",
            ),
            (
                "type = \"i16\", scale = \"0\", unit = \"W\", positive = \"import\" }",
                "positive `scale`",
            ),
            (
                "type = \"i16\", scale = \"-1\", unit = \"W\", positive = \"import\" }",
                "positive `scale`",
            ),
            (
                "type = \"i16\", scal = \"1\", unit = \"W\", positive = \"import\" }",
                "scal",
            ),
        ] {
            let error = profile(&format!("{power}{rest}")).expect_err(rest);
            assert!(error.contains(says), "{rest}: {error}");
        }
        assert!(profile("").expect_err("no registers").contains("registers"));
        let voltage = "{ means = \"voltage\", space = \"input\", address = 0, type = \"u16\", unit = \"V\" }";
        assert!(profile(voltage).expect_err("no power").contains("power"));
    }
}
