//! The tariff as meant: dated charges whose days are the market's.

use jiff::civil;
use jiff::tz::TimeZone;
use settle::tariff::{Adder, CoincidentPeakRule, FixedPriceBlock, PeakWatch, Tariff};
use units::{Interval, Seconds, Timestamp};

use super::problem::Findings;
use super::written::{Date, Table, YEARS, first_instant};

/// Reads the tariff; without one, power costs the settlement price alone.
pub(super) fn tariff(root: &Table, zone: &TimeZone, found: &mut Findings<'_>) -> Tariff {
    let mut tariff =
        Tariff { adders: Vec::new(), blocks: Vec::new(), coincident_peaks: Vec::new() };
    let Some(table) = root.table("tariff") else {
        return tariff;
    };
    let mut adders = Vec::new();
    for entry in table.tables("adders") {
        let Some(during) = during(entry, zone, found) else {
            continue;
        };
        check_apart(entry, during, &mut adders, found);
        if let (Some(name), Some(price)) =
            (entry.text("name"), entry.energy_price("price_usd_per_mwh"))
        {
            tariff.adders.push(Adder { name: name.to_owned(), price, during });
        }
    }
    let mut blocks = Vec::new();
    for entry in table.tables("fixed_price_blocks") {
        let Some(during) = during(entry, zone, found) else {
            continue;
        };
        check_apart(entry, during, &mut blocks, found);
        if let (Some(name), Some(power), Some(price)) = (
            entry.text("name"),
            entry.power("power_mw"),
            entry.energy_price("price_usd_per_mwh"),
        ) {
            tariff.blocks.push(FixedPriceBlock {
                name: name.to_owned(),
                power,
                price,
                during,
            });
        }
    }
    let mut rules = Vec::new();
    for entry in table.tables("coincident_peaks") {
        let Some(during) = during(entry, zone, found) else {
            continue;
        };
        check_apart(entry, during, &mut rules, found);
        tariff.coincident_peaks.extend(rule(entry, during, zone, found));
    }
    tariff
}

/// When an entry holds: from the one date until the other, the second not
/// included. An end that is left out is the end of the years a file speaks of.
pub(super) fn during(
    entry: &Table,
    zone: &TimeZone,
    found: &mut Findings<'_>,
) -> Option<Interval> {
    let open = |year| Date::Day(civil::Date::constant(year, 1, 1));
    let date = |key, open_year| match entry.writes(key) {
        true => entry.date(key),
        false => Some(open(open_year)),
    };
    let start = date("from", *YEARS.start())?.in_market(zone);
    let end = date("until", *YEARS.end())?.in_market(zone);
    if end <= start {
        let expected = format!("a time after `from`, {}", entry.shown("from"));
        let remedy =
            "`until` is the first instant after: for one day, write the next day";
        let at = entry.at("until");
        found.problem(at, entry.key("until"), expected, entry.shown("until"), remedy);
        return None;
    }
    Some(Interval { start, end })
}

/// Notes an entry that overlaps an earlier one of its name.
fn check_apart<'t>(
    entry: &'t Table,
    during: Interval,
    earlier: &mut Vec<(&'t str, Interval)>,
    found: &mut Findings<'_>,
) {
    let Some(name) = entry.text("name") else {
        return;
    };
    if let Some((_, other)) =
        earlier.iter().find(|(other, at)| *other == name && at.overlaps(during))
    {
        found.problem(
            entry.at("name"),
            entry.key("name"),
            format!("entries of the name \"{name}\" that do not overlap"),
            format!("{during} beside {other}"),
            "end the one where the other begins, or give it another name",
        );
    }
    earlier.push((name, during));
}

/// The lengths a market meters demand in.
const PEAK_MINUTES: [i64; 4] = [5, 15, 30, 60];

fn rule(
    entry: &Table,
    during: Interval,
    zone: &TimeZone,
    found: &mut Findings<'_>,
) -> Option<CoincidentPeakRule> {
    let interval = entry.seconds("interval_minutes");
    if let Some(interval) = interval
        && !PEAK_MINUTES.iter().any(|minutes| Seconds::minutes(*minutes) == interval)
    {
        let key = "interval_minutes";
        let what = entry.shown(key);
        found.problem(entry.at(key), entry.key(key), "5, 15, 30 or 60", what, "");
    }
    for key in ["from", "until"] {
        if let Some(date) = entry.date(key)
            && !begins_a_month(date.in_market(zone), zone)
        {
            found.problem(
                entry.at(key),
                entry.key(key),
                "the first instant of a month of the market",
                entry.shown(key),
                "a month's peak is known when the whole month is: write its first day",
            );
        }
    }
    let months = entry.months("months")?;
    let peaks_per_month = entry.count("peaks_per_month")?;
    let months_of_year = u32::try_from(months.len()).expect("at most twelve months");
    Some(CoincidentPeakRule {
        name: entry.text("name")?.to_owned(),
        months: months_within(months, during, zone),
        peaks_per_month,
        peaks_per_year: peaks_per_month * months_of_year,
        interval: interval?,
        charge_per_kw_month: entry.power_price("charge_usd_per_kw_month")?,
        watch: PeakWatch {
            share_of_high: entry.share("watch_percent_of_month_high")?,
            probability: entry.share("watch_probability_percent")?,
        },
    })
}

fn local_day(at: Timestamp, zone: &TimeZone) -> civil::Date {
    let instant = jiff::Timestamp::from_second(at.as_unix_seconds())
        .expect("an instant of a year that may be written");
    zone.to_datetime(instant).date()
}

fn begins_a_month(at: Timestamp, zone: &TimeZone) -> bool {
    let day = local_day(at, zone);
    day.day() == 1 && first_instant(day, zone) == at
}

/// The months of the market that lie within `during`, in order.
fn months_within(months: &[i8], during: Interval, zone: &TimeZone) -> Vec<Interval> {
    let (first, last) =
        (local_day(during.start, zone).year(), local_day(during.end, zone).year());
    let every =
        (first..=last).flat_map(|year| months.iter().map(move |month| (year, *month)));
    every
        .map(|(year, month)| {
            let next = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
            Interval {
                start: first_instant(civil::Date::constant(year, month, 1), zone),
                end: first_instant(civil::Date::constant(next.0, next.1, 1), zone),
            }
        })
        .filter(|month| during.start <= month.start && month.end <= during.end)
        .collect()
}
