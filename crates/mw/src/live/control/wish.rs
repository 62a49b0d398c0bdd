//! What a person wants, in the names and words of the site, made a request.

use engine::site::{Hold, LockOut, Maintenance};
use engine::{AlarmId, Ask, Instruction, Ranges, Request, Site};
use serde::{Deserialize, Serialize};
use units::{EnergyPrice, Interval, Power, Seconds, Timestamp};

/// The longest that may be asked for at once: what lasts longer is configuration.
const LONGEST: Seconds = Seconds::hours(24 * 366);

/// What a person wants done. Times are instants with their offset
/// (`2025-01-31T14:00Z`) or durations from now (`90s`, `30m`, `2h`, `1d`, `2h30m`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "wish", rename_all = "snake_case", deny_unknown_fields)]
pub enum Wish {
    /// Someone works on a load: nothing starts it until their role releases it.
    LockOut {
        /// Which load.
        load: String,
        /// Which machines of it, such as `3,10-19`; all where it is left out.
        #[serde(default)]
        machines: Option<String>,
        /// Why.
        reason: String,
        /// When the work is expected to be done.
        expect: String,
    },
    /// The work is done.
    Release {
        /// Which load.
        load: String,
        /// Which machines of it.
        #[serde(default)]
        machines: Option<String>,
    },
    /// Take a load out of service for a time.
    Maintain {
        /// Which load.
        load: String,
        /// Which machines of it.
        #[serde(default)]
        machines: Option<String>,
        /// Why.
        reason: String,
        /// Until when.
        until: String,
    },
    /// Put it back before its end.
    EndMaintenance {
        /// Which load.
        load: String,
        /// Which machines of it.
        #[serde(default)]
        machines: Option<String>,
    },
    /// Keep a load at a level by hand.
    Hold {
        /// Which load.
        load: String,
        /// The level at the meter, in decimal megawatts.
        power_mw: String,
        /// Why.
        reason: String,
        /// Until when.
        until: String,
    },
    /// Give a held load back.
    EndHold {
        /// Which load.
        load: String,
    },
    /// The grid said something that no feed carries.
    Instruct {
        /// Under which programme.
        programme: String,
        /// What it is called: a later one of the name replaces it.
        name: String,
        /// What was asked.
        told: Told,
        /// The level it names, in decimal megawatts at the interconnection.
        #[serde(default)]
        power_mw: Option<String>,
        /// The price it names.
        #[serde(default)]
        price_usd_per_mwh: Option<String>,
        /// From when; now where it is left out.
        #[serde(default)]
        from: Option<String>,
        /// Until when.
        until: String,
        /// Whether contract load may stay on where it cannot be met otherwise.
        #[serde(default)]
        best_effort: bool,
    },
    /// A second person agrees to what waits for one.
    Confirm {
        /// Under which programme.
        programme: String,
        /// The instruction's name.
        name: String,
    },
    /// Somebody looks after an alarm.
    Acknowledge {
        /// Its number.
        alarm: u32,
    },
}

/// What the grid asked, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Told {
    /// Draw no more than a level.
    Limit,
    /// Draw a level.
    Dispatch,
    /// Draw a level now.
    BasePoint,
    /// Keep at least a level drawn.
    Arm,
    /// No reserve is kept any more.
    Disarm,
    /// The programme's loads are off at once.
    Trip,
    /// They may come back.
    Restore,
    /// Draw no more than a level, as a test.
    Test,
    /// A price.
    Price,
    /// What the name stood for does not hold any more.
    Withdraw,
}

/// Why a wish is no request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WishError {
    /// No load of the name.
    #[error("expected a load of this site, one of {known}; found `{found}`")]
    Load {
        /// What was named.
        found: String,
        /// What there is.
        known: String,
    },
    /// No programme of the name.
    #[error("expected a grid programme of this site, one of {known}; found `{found}`")]
    Programme {
        /// What was named.
        found: String,
        /// What there is.
        known: String,
    },
    /// Not a set of machines.
    #[error(transparent)]
    Machines(#[from] engine::ranges::NotRanges),
    /// Not a power.
    #[error("expected a power in decimal megawatts, such as 1.25; found `{0}`")]
    Power(String),
    /// Not a price.
    #[error("expected a price in decimal USD per MWh, such as 41.37; found `{0}`")]
    Price(String),
    /// A level is missing, or is one too many.
    #[error("expected {expected} with `{word}`")]
    Figure {
        /// What is.
        expected: &'static str,
        /// What was asked.
        word: &'static str,
    },
    /// Not a time.
    #[error(
        "expected a duration (90s, 30m, 2h, 1d, 2h30m) or an instant with its offset \
         (2025-01-31T14:00Z), found `{0}`"
    )]
    Time(String),
    /// A time too far off.
    #[error("expected a time within a year from now, found `{0}`")]
    Far(String),
    /// An end that is not after the start.
    #[error("expected an end after the start, found {start} to {end}")]
    Backwards {
        /// From when.
        start: Timestamp,
        /// Until when.
        end: Timestamp,
    },
}

impl Wish {
    /// The request that is meant, about `site` at `now`, by somebody in `role`.
    ///
    /// # Errors
    ///
    /// What is named and not there, and figures and times that are none.
    pub fn meant(
        &self,
        site: &Site,
        now: Timestamp,
        role: &str,
    ) -> Result<Request, WishError> {
        Ok(match self {
            Self::LockOut { load, machines, reason, expect } => {
                Request::LockOut(LockOut {
                    load: load_named(site, load)?,
                    machines: machines_of(machines)?,
                    during: from_now(now, expect)?,
                    until_released: true,
                    role: role.to_owned(),
                    reason: reason.clone(),
                })
            }
            Self::Release { load, machines } => Request::Release {
                load: load_named(site, load)?,
                machines: machines_of(machines)?,
            },
            Self::Maintain { load, machines, reason, until } => {
                Request::Maintain(Maintenance {
                    load: load_named(site, load)?,
                    machines: machines_of(machines)?,
                    during: from_now(now, until)?,
                    role: role.to_owned(),
                    reason: reason.clone(),
                })
            }
            Self::EndMaintenance { load, machines } => Request::EndMaintenance {
                load: load_named(site, load)?,
                machines: machines_of(machines)?,
            },
            Self::Hold { load, power_mw, reason, until } => Request::Hold(Hold {
                load: load_named(site, load)?,
                power: power(power_mw)?,
                during: from_now(now, until)?,
                role: role.to_owned(),
                reason: reason.clone(),
            }),
            Self::EndHold { load } => Request::EndHold(load_named(site, load)?),
            Self::Instruct {
                programme,
                name,
                told,
                power_mw,
                price_usd_per_mwh,
                from,
                until,
                best_effort,
            } => {
                let start = match from {
                    Some(from) => instant(now, from)?,
                    None => now,
                };
                Request::Instruct(Instruction {
                    name: name.clone(),
                    programme: programme_named(site, programme)?,
                    ask: told.meant(power_mw.as_deref(), price_usd_per_mwh.as_deref())?,
                    during: between(start, end(start, now, until)?)?,
                    best_effort: *best_effort,
                    known_at: now,
                })
            }
            Self::Confirm { programme, name } => Request::Confirm {
                programme: programme_named(site, programme)?,
                name: name.clone(),
            },
            Self::Acknowledge { alarm } => {
                Request::Acknowledge { alarm: AlarmId(*alarm) }
            }
        })
    }
}

impl Told {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Limit => "limit",
            Self::Dispatch => "dispatch",
            Self::BasePoint => "base_point",
            Self::Arm => "arm",
            Self::Disarm => "disarm",
            Self::Trip => "trip",
            Self::Restore => "restore",
            Self::Test => "test",
            Self::Price => "price",
            Self::Withdraw => "withdraw",
        }
    }

    /// Whether it names a level.
    pub fn has_level(self) -> bool {
        match self {
            Self::Limit | Self::Dispatch | Self::BasePoint | Self::Arm | Self::Test => {
                true
            }
            Self::Disarm | Self::Trip | Self::Restore | Self::Price | Self::Withdraw => {
                false
            }
        }
    }

    fn meant(self, level: Option<&str>, price: Option<&str>) -> Result<Ask, WishError> {
        let expected = match (self.has_level(), self == Self::Price) {
            (true, _) => "a level in MW and no price",
            (false, true) => "a price and no level",
            (false, false) => "neither level nor price",
        };
        let wrong = || WishError::Figure { expected, word: self.word() };
        match (self, level, price) {
            (Self::Limit, Some(level), None) => Ok(Ask::Limit(power(level)?)),
            (Self::Dispatch, Some(level), None) => Ok(Ask::DispatchTo(power(level)?)),
            (Self::BasePoint, Some(level), None) => Ok(Ask::BasePoint(power(level)?)),
            (Self::Arm, Some(level), None) => Ok(Ask::Arm(power(level)?)),
            (Self::Test, Some(level), None) => Ok(Ask::Test(power(level)?)),
            (Self::Price, None, Some(price)) => EnergyPrice::parse_usd_per_mwh(price)
                .map(Ask::Price)
                .map_err(|_| WishError::Price(price.to_owned())),
            (Self::Disarm, None, None) => Ok(Ask::Disarm),
            (Self::Trip, None, None) => Ok(Ask::Trip),
            (Self::Restore, None, None) => Ok(Ask::Restore),
            (Self::Withdraw, None, None) => Ok(Ask::Withdraw),
            (
                Self::Limit
                | Self::Dispatch
                | Self::BasePoint
                | Self::Arm
                | Self::Test
                | Self::Price
                | Self::Disarm
                | Self::Trip
                | Self::Restore
                | Self::Withdraw,
                _,
                _,
            ) => Err(wrong()),
        }
    }
}

fn load_named(site: &Site, name: &str) -> Result<usize, WishError> {
    site.load_named(name).ok_or_else(|| WishError::Load {
        found: name.to_owned(),
        known: names(site.loads.iter().map(|load| load.name.as_str())),
    })
}

fn programme_named(site: &Site, name: &str) -> Result<usize, WishError> {
    let place = site.programmes.iter().position(|programme| programme.name == name);
    place.ok_or_else(|| WishError::Programme {
        found: name.to_owned(),
        known: names(site.programmes.iter().map(|programme| programme.name.as_str())),
    })
}

fn names<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<String> = names.map(|name| format!("`{name}`")).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

fn machines_of(text: &Option<String>) -> Result<Option<Ranges>, WishError> {
    Ok(text.as_deref().map(str::parse).transpose()?)
}

fn power(text: &str) -> Result<Power, WishError> {
    Power::parse_mw(text).map_err(|_| WishError::Power(text.to_owned()))
}

fn from_now(now: Timestamp, until: &str) -> Result<Interval, WishError> {
    between(now, instant(now, until)?)
}

fn between(start: Timestamp, end: Timestamp) -> Result<Interval, WishError> {
    if end <= start {
        return Err(WishError::Backwards { start, end });
    }
    Ok(Interval { start, end })
}

/// An end: a duration counts from the start, an instant is one.
fn end(start: Timestamp, now: Timestamp, text: &str) -> Result<Timestamp, WishError> {
    match duration(text) {
        Some(length) => within_a_year(now, start + length, text),
        None => instant(now, text),
    }
}

/// An instant: a duration counts from now.
pub fn instant(now: Timestamp, text: &str) -> Result<Timestamp, WishError> {
    let at = match duration(text) {
        Some(length) => now + length,
        None => Timestamp::parse(text).map_err(|_| WishError::Time(text.to_owned()))?,
    };
    within_a_year(now, at, text)
}

fn within_a_year(
    now: Timestamp,
    at: Timestamp,
    text: &str,
) -> Result<Timestamp, WishError> {
    if at - now > LONGEST || now - at > LONGEST {
        return Err(WishError::Far(text.to_owned()));
    }
    Ok(at)
}

/// A duration such as `2h` or `2h30m`, units from large to small; `None` where it is
/// none or longer than anybody means.
fn duration(text: &str) -> Option<Seconds> {
    let mut rest = text.trim();
    let (mut total, mut last) = (0_i64, i64::MAX);
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let count: i64 = rest.get(..digits)?.parse().ok()?;
        let unit = match rest.as_bytes().get(digits)? {
            b'd' => 86_400,
            b'h' => 3_600,
            b'm' => 60,
            b's' => 1,
            _ => return None,
        };
        if unit >= last {
            return None;
        }
        total = total.checked_add(count.checked_mul(unit)?)?;
        last = unit;
        rest = &rest[digits + 1..];
    }
    let longest = LONGEST.as_seconds() * 300;
    (last < i64::MAX && total <= longest).then(|| Seconds::from_seconds(total))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_people_write_them() {
        let check = |text: &str, expected: Option<i64>| {
            assert_eq!(duration(text).map(Seconds::as_seconds), expected, "{text:?}");
        };
        check("90s", Some(90));
        check("30m", Some(1_800));
        check("2h", Some(7_200));
        check("1d", Some(86_400));
        check("2h30m", Some(9_000));
        check("0s", Some(0));
        check("", None);
        check("2", None);
        check("h", None);
        check("-2h", None);
        check("30m2h", None);
        check("2h2h", None);
        check("1.5h", None);
        check("2 h", None);
        check("99999999999999999999d", None);
        check("9999999d", None);
        check("2ü", None);
    }

    #[test]
    fn an_end_is_an_instant_or_a_length_from_the_start() {
        let now = Timestamp::parse("2025-06-01T12:00Z").expect("an instant");
        let start = Timestamp::parse("2025-06-01T13:00Z").expect("an instant");
        let check = |text: &str, expected: &str| {
            assert_eq!(end(start, now, text).expect(text).to_string(), expected);
        };
        check("2h", "2025-06-01T15:00Z");
        check("2025-06-01T20:00+02:00", "2025-06-01T18:00Z");
        assert!(matches!(end(start, now, "2025-06-01T20:00"), Err(WishError::Time(_))));
        assert!(matches!(end(start, now, "2035-06-01"), Err(WishError::Far(_))));
        assert!(matches!(end(start, now, "700d"), Err(WishError::Far(_))));
    }

    #[test]
    fn what_the_grid_asks_has_the_figures_that_belong_to_it() {
        let check = |told: Told, level: Option<&str>, price: Option<&str>, fits: bool| {
            assert_eq!(
                told.meant(level, price).is_ok(),
                fits,
                "{told:?} {level:?} {price:?}"
            );
        };
        check(Told::Limit, Some("4.5"), None, true);
        check(Told::Limit, None, None, false);
        check(Told::Limit, Some("4.5"), Some("3"), false);
        check(Told::Limit, Some("much"), None, false);
        check(Told::Trip, None, None, true);
        check(Told::Trip, Some("1"), None, false);
        check(Told::Price, None, Some("-12.5"), true);
        check(Told::Price, Some("1"), None, false);
        check(Told::Withdraw, None, None, true);
    }
}
