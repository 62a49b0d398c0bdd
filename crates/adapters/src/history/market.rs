//! The rules of each market that a reader of its prices must know, dated and
//! with their sources.
//!
//! Dates are UTC instants of the market's own midnight. A figure marked
//! *unchecked* is from memory and was not found in a second place.

use jiff::tz::TimeZone;
use units::{EnergyPrice, Seconds, Timestamp};

use super::cell::{DAY, utc};
use super::local_time::civil_date;

/// What a reader of a market's prices must know about it.
#[derive(Debug)]
pub struct MarketRules {
    /// The market's short name, such as `ERCOT`.
    pub name: &'static str,
    /// The time zone of its days and hours, in the IANA database.
    pub zone: &'static str,
    /// The currency of its prices.
    pub currency: Currency,
    /// The settlement interval in minutes, by date; empty where it is not
    /// known and the history's own step counts.
    intervals: &'static [Dated],
    /// The price cap in whole currency per MWh, by date; empty where none is known.
    caps: &'static [Dated],
    /// The price floor in whole currency per MWh, by date; empty where none is known.
    floors: &'static [Dated],
    /// How many times the floor a price may reach before it is not believed.
    floor_factor: i64,
    /// Whether the market settles on the time-weighted mean of its dispatch
    /// prices by its own rule, so that such a mean is no approximation.
    pub settles_on_dispatch_mean: bool,
    /// The local hour and minute of the day before delivery at which the
    /// day-ahead prices are out; `None` is the start of the delivery day.
    day_ahead_out: Option<(i64, i64)>,
}

/// A currency that prices come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Currency {
    /// United States dollars.
    Usd,
    /// Australian dollars.
    Aud,
    /// Canadian dollars.
    Cad,
}

impl std::fmt::Display for Currency {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Usd => "USD",
            Self::Aud => "AUD",
            Self::Cad => "CAD",
        })
    }
}

/// A figure and the instant from which it holds.
#[derive(Debug)]
struct Dated(i64, i64);

/// A price in whole currency per MWh to millionths.
const MICRO: i64 = 1_000_000;

/// Beyond this no price is believed in a market whose cap is not known, in
/// whole currency per MWh. Offer caps of the other North American markets are
/// 1 000 to 2 000 (FERC Order 831) and scarcity adders reach a few thousand,
/// so 20 000 catches a slipped decimal and lets every real price pass.
const BELIEVED_WITHOUT_CAP: i64 = 20_000;

/// ERCOT's settlement interval. Source: ERCOT Nodal Protocols, section 6.6.
const QUARTER_HOUR: &[Dated] = &[Dated(0, 15)];
const HOUR: &[Dated] = &[Dated(0, 60)];

/// ERCOT's high system-wide offer cap. Sources: PUCT orders in projects 37897,
/// 40268 and 52631 (3 000 in 2011, 4 500 from 2012-08-01, 5 000, 7 000 and
/// 9 000 from June 2013 to 2015, 5 000 from 2022-01-01; ERCOT market notice
/// M-A120721-01); 2 250 at the start of the nodal market in December 2010.
/// The low cap of 2 000 that held for most of 2021 is left out: a reader's
/// check must not refuse a price because of it. Settlement prices may pass the
/// cap through congestion and adders.
const ERCOT_CAPS: &[Dated] = &[
    Dated(utc(2010, 12, 1, 6), 2_250),
    Dated(utc(2011, 8, 1, 5), 3_000),
    Dated(utc(2012, 8, 1, 5), 4_500),
    Dated(utc(2013, 6, 1, 5), 5_000),
    Dated(utc(2014, 6, 1, 5), 7_000),
    Dated(utc(2015, 6, 1, 5), 9_000),
    Dated(utc(2022, 1, 1, 6), 5_000),
];

/// No floor is published; offers are not below -250. Source: ERCOT Nodal
/// Protocols, section 4.4.9 (unchecked).
const ERCOT_FLOORS: &[Dated] = &[Dated(0, -250)];

/// The NEM settled on half hours until five-minute settlement began at the
/// start of 2021-10-01. Source: AEMC rule 2017 No. 15, five minute settlement.
const NEM_INTERVALS: &[Dated] = &[Dated(0, 30), Dated(utc(2021, 9, 30, 14), 5)];

/// The NEM's market price cap by financial year. Source: AEMC, schedule of
/// reliability settings; to 2020-21 seen in a second table, after that unchecked.
const NEM_CAPS: &[Dated] = &[
    Dated(utc(2015, 6, 30, 14), 13_800),
    Dated(utc(2016, 6, 30, 14), 14_000),
    Dated(utc(2017, 6, 30, 14), 14_200),
    Dated(utc(2018, 6, 30, 14), 14_500),
    Dated(utc(2019, 6, 30, 14), 14_700),
    Dated(utc(2020, 6, 30, 14), 15_000),
    Dated(utc(2021, 6, 30, 14), 15_100),
    Dated(utc(2022, 6, 30, 14), 15_500),
    Dated(utc(2023, 6, 30, 14), 16_600),
    Dated(utc(2024, 6, 30, 14), 17_500),
    Dated(utc(2025, 6, 30, 14), 20_300),
];

/// The NEM's market floor price. Source: National Electricity Rules 3.9.6.
const NEM_FLOORS: &[Dated] = &[Dated(0, -1_000)];

/// A market whose interval, cap and floor this table does not hold.
const fn plain(
    name: &'static str,
    zone: &'static str,
    day_ahead_out: Option<(i64, i64)>,
) -> MarketRules {
    MarketRules {
        name,
        zone,
        currency: Currency::Usd,
        intervals: &[],
        caps: &[],
        floors: &[],
        floor_factor: 1,
        settles_on_dispatch_mean: false,
        day_ahead_out,
    }
}

/// ERCOT under a name; the synthetic market keeps ERCOT's rules.
const fn ercot(name: &'static str) -> MarketRules {
    MarketRules {
        name,
        zone: "America/Chicago",
        currency: Currency::Usd,
        intervals: QUARTER_HOUR,
        caps: ERCOT_CAPS,
        floors: ERCOT_FLOORS,
        floor_factor: 5,
        settles_on_dispatch_mean: false,
        // The day-ahead market's results are posted by 13:30. Source: ERCOT
        // Nodal Protocols, section 4.5.3, and the market's daily timeline.
        day_ahead_out: Some((13, 30)),
    }
}

/// The markets there are, the unknown one last.
///
/// Hours at which other markets publish day-ahead prices are unchecked; each
/// is later than the market's usual time rather than earlier.
pub(crate) static MARKETS: &[MarketRules] = &[
    ercot("ERCOT"),
    ercot("SYNTH"),
    MarketRules {
        name: "NEM",
        // Market time is UTC+10 all year, as Queensland keeps it.
        zone: "Australia/Brisbane",
        currency: Currency::Aud,
        intervals: NEM_INTERVALS,
        caps: NEM_CAPS,
        floors: NEM_FLOORS,
        floor_factor: 2,
        settles_on_dispatch_mean: true,
        day_ahead_out: None,
    },
    MarketRules {
        name: "AESO",
        zone: "America/Edmonton",
        currency: Currency::Cad,
        intervals: HOUR,
        // Source: ISO rules of the Alberta Electric System Operator (unchecked).
        caps: &[Dated(0, 1_000)],
        floors: &[Dated(0, 0)],
        floor_factor: 2,
        settles_on_dispatch_mean: true,
        day_ahead_out: None,
    },
    plain("CAISO", "America/Los_Angeles", Some((14, 0))),
    plain("PJM", "America/New_York", Some((14, 0))),
    plain("MISO", "America/Panama", Some((14, 0))),
    plain("NYISO", "America/New_York", Some((12, 0))),
    plain("ISONE", "America/New_York", Some((14, 0))),
    plain("SPP", "America/Chicago", Some((14, 0))),
    plain("OTHER", "UTC", None),
];

/// What a price is to a market's cap and floor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Between floor and cap.
    Inside,
    /// Beyond, yet believable: adders and congestion carry prices there.
    Beyond,
    /// Not believable.
    Unbelievable,
}

/// The market of that name, in any case.
pub(crate) fn named(name: &str) -> Option<&'static MarketRules> {
    MARKETS.iter().find(|market| market.name.eq_ignore_ascii_case(name))
}

/// The market of that name, which a layout knows to be in the table.
pub(crate) fn known(name: &str) -> &'static MarketRules {
    named(name).expect("a layout names a market of the table")
}

/// The market that a settlement point's name belongs to, as far as it says.
pub(crate) fn of_point(point: &str) -> Option<&'static MarketRules> {
    const NEM_REGIONS: [&str; 6] = ["NSW1", "QLD1", "SA1", "SNOWY1", "TAS1", "VIC1"];
    const ERCOT_PREFIXES: [&str; 3] = ["HB_", "LZ_", "DC_"];
    if point.ends_with("_SYNTH") {
        Some(known("SYNTH"))
    } else if NEM_REGIONS.contains(&point) {
        Some(known("NEM"))
    } else if ERCOT_PREFIXES.iter().any(|prefix| point.starts_with(prefix)) {
        Some(known("ERCOT"))
    } else {
        None
    }
}

/// The market that a file's name mentions as a word of its own.
pub(crate) fn of_file_name(name: &str) -> Option<&'static MarketRules> {
    name.split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.eq_ignore_ascii_case("OTHER"))
        .filter(|word| !word.eq_ignore_ascii_case("SPP"))
        .find_map(|word| match word.to_ascii_lowercase().as_str() {
            "aemo" => Some(known("NEM")),
            _ => named(word),
        })
}

fn in_force(table: &[Dated], at: i64) -> Option<i64> {
    let since = table.iter().rev().find(|dated| dated.0 <= at);
    since.or(table.first()).map(|dated| dated.1)
}

impl MarketRules {
    /// How long a settlement interval is at `at`; `None` where the market's is
    /// not in the table.
    pub fn settlement_interval(&self, at: Timestamp) -> Option<Seconds> {
        in_force(self.intervals, at.as_unix_seconds()).map(Seconds::minutes)
    }

    /// The price cap at `at` in the market's currency; `None` where none is known.
    pub fn cap(&self, at: Timestamp) -> Option<EnergyPrice> {
        in_force(self.caps, at.as_unix_seconds()).map(whole)
    }

    /// The price floor at `at` in the market's currency; `None` where none is known.
    pub fn floor(&self, at: Timestamp) -> Option<EnergyPrice> {
        in_force(self.floors, at.as_unix_seconds()).map(whole)
    }

    /// When the day-ahead prices come out, in words.
    pub fn day_ahead_known(&self) -> String {
        match self.day_ahead_out {
            Some((hour, minute)) => {
                format!("{hour:02}:{minute:02} market time the day before delivery")
            }
            None => "the start of the delivery day, market time".to_owned(),
        }
    }

    /// The market's time zone.
    pub(crate) fn time_zone(&self) -> TimeZone {
        TimeZone::get(self.zone)
            .expect("the bundled database has every zone of the table")
    }

    /// Judges a price in millionths of the market's currency per MWh.
    pub(crate) fn judge(&self, at: i64, micro: i64) -> Verdict {
        let beyond = |limit: i64, edge: i64| {
            let outside =
                micro.saturating_sub(limit * MICRO).saturating_mul(limit.signum());
            let unbelievable =
                micro.saturating_sub(edge * MICRO).saturating_mul(limit.signum());
            match (outside > 0, unbelievable > 0) {
                (_, true) => Verdict::Unbelievable,
                (true, false) => Verdict::Beyond,
                (false, false) => Verdict::Inside,
            }
        };
        if micro >= 0 {
            match in_force(self.caps, at) {
                Some(cap) => beyond(cap, cap * 2),
                None => beyond(BELIEVED_WITHOUT_CAP, BELIEVED_WITHOUT_CAP),
            }
        } else {
            match in_force(self.floors, at) {
                // A floor of nothing: no negative price can be right.
                Some(0) => Verdict::Unbelievable,
                Some(floor) => beyond(floor, floor * self.floor_factor),
                None => beyond(-BELIEVED_WITHOUT_CAP, -BELIEVED_WITHOUT_CAP),
            }
        }
    }

    /// The limits that [`MarketRules::judge`] holds a price at `at` against, in words.
    pub(crate) fn limits(&self, at: i64) -> String {
        match (in_force(self.caps, at), in_force(self.floors, at)) {
            (Some(cap), Some(floor)) => {
                format!("cap {cap} and floor {floor} {}/MWh", self.currency)
            }
            _ => format!(
                "no cap known; believed within {BELIEVED_WITHOUT_CAP} {}/MWh",
                self.currency
            ),
        }
    }
}

fn whole(price: i64) -> EnergyPrice {
    EnergyPrice::from_micro_usd_per_mwh(price * MICRO)
}

/// Tells when a market's day-ahead figures for an instant came out.
pub(crate) struct DayAheadClock {
    rules: &'static MarketRules,
    zone: TimeZone,
    last: Option<(i64, i64)>,
}

impl DayAheadClock {
    pub(crate) fn new(rules: &'static MarketRules) -> Self {
        Self { rules, zone: rules.time_zone(), last: None }
    }

    /// When the figure for the delivery interval starting at `at` came out, in
    /// seconds since 1970. Never after `at`.
    pub(crate) fn out_for(&mut self, at: i64) -> i64 {
        let instant =
            jiff::Timestamp::from_second(at).expect("an instant within ten millennia");
        let offset = i64::from(self.zone.to_offset(instant).seconds());
        let day = (at + offset).div_euclid(DAY);
        if let Some((known_day, out)) = self.last
            && known_day == day
        {
            return out.min(at);
        }
        let local = match self.rules.day_ahead_out {
            Some((hour, minute)) => civil_date(day - 1).at(
                i8::try_from(hour).expect("an hour"),
                i8::try_from(minute).expect("a minute"),
                0,
                0,
            ),
            None => civil_date(day).at(0, 0, 0, 0),
        };
        let out = local
            .to_zoned(self.zone.clone())
            .expect("an instant within ten millennia")
            .timestamp()
            .as_second();
        self.last = Some((day, out));
        out.min(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_zone_is_bundled() {
        for market in MARKETS {
            let zone = market.time_zone();
            assert_eq!(zone.iana_name(), Some(market.zone), "{}", market.name);
        }
    }

    #[test]
    fn rules_change_at_the_markets_midnight() {
        let ercot = known("ERCOT");
        let new_year = Timestamp::parse("2022-01-01T00:00-06:00").expect("an instant");
        let cap = |at| ercot.cap(at).map(|cap| cap.to_usd_per_mwh_text(0));
        assert_eq!(cap(new_year), Some("5000".to_owned()));
        assert_eq!(cap(new_year - Seconds::from_seconds(1)), Some("9000".to_owned()));
        let nem = known("NEM");
        let october = Timestamp::parse("2021-10-01T00:00+10:00").expect("an instant");
        assert_eq!(nem.settlement_interval(october), Some(Seconds::minutes(5)));
        let before = october - Seconds::from_seconds(1);
        assert_eq!(nem.settlement_interval(before), Some(Seconds::minutes(30)));
    }

    #[test]
    fn prices_are_judged_by_the_rules_of_their_day() {
        let at = |text| Timestamp::parse(text).expect("an instant").as_unix_seconds();
        let uri = at("2021-02-16");
        let later = at("2023-08-10");
        let cases = [
            ("ERCOT", uri, 9_053, Verdict::Beyond),
            ("ERCOT", uri, 8_999, Verdict::Inside),
            ("ERCOT", later, 5_000, Verdict::Inside),
            ("ERCOT", later, 5_100, Verdict::Beyond),
            ("ERCOT", later, 10_001, Verdict::Unbelievable),
            ("ERCOT", later, -250, Verdict::Inside),
            ("ERCOT", later, -1_250, Verdict::Beyond),
            ("ERCOT", later, -1_251, Verdict::Unbelievable),
            ("NEM", later, 16_600, Verdict::Inside),
            ("NEM", later, -2_001, Verdict::Unbelievable),
            ("AESO", later, -1, Verdict::Unbelievable),
            ("AESO", later, 0, Verdict::Inside),
            ("OTHER", later, 19_999, Verdict::Inside),
            ("OTHER", later, -20_001, Verdict::Unbelievable),
        ];
        for (market, at, price, expected) in cases {
            let found = known(market).judge(at, price * MICRO);
            assert_eq!(found, expected, "{market} {price}");
        }
    }

    #[test]
    fn day_ahead_prices_come_out_the_day_before() {
        let at = |text| Timestamp::parse(text).expect("an instant").as_unix_seconds();
        let mut clock = DayAheadClock::new(known("ERCOT"));
        let out = at("2024-07-01T13:30-05:00");
        assert_eq!(clock.out_for(at("2024-07-02T00:00-05:00")), out);
        assert_eq!(clock.out_for(at("2024-07-02T23:00-05:00")), out);
        // Still the first of July in Texas.
        assert_eq!(clock.out_for(at("2024-07-02T03:00Z")), at("2024-06-30T13:30-05:00"));
    }
}
