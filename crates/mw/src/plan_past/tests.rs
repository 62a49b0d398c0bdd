//! Histories of a few weeks, whose hours a person can work out.

use adapters::history::{
    BitcoinDerivation, BlocksSource, Derivation, DifficultySource, Settled,
    SubsidySource, markets,
};
use engine::{Known, Source};
use units::{BitcoinPrice, Difficulty, Hashprice, Interval, Satoshis};

use super::*;
use crate::plan_file;

fn plan() -> Plan {
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/childress-750mw");
    let loaded = plan_file::load(std::path::Path::new(example));
    loaded.unwrap_or_else(|error| panic!("{error}")).plan
}

fn at(hours: i64) -> Timestamp {
    Timestamp::parse("2026-01-01").expect("a date") + Seconds::hours(hours)
}

fn during(start: Timestamp, length: Seconds) -> Interval {
    Interval { start, end: start + length }
}

/// So many days of quarters of an hour from the plan's first day, at a price that counts
/// them, and of bitcoin.
fn history(days: i64) -> History {
    let quarter = Seconds::minutes(15);
    let settlement = (0..days * 96).map(|number| {
        let during = during(at(0) + Seconds::minutes(15 * number), quarter);
        let price = EnergyPrice::from_usd_per_mwh(number);
        let derived = Derivation::Published;
        Settled { during, price, known_at: during.end, derived }
    });
    let bitcoin = (0..days).map(|number| {
        let day = during(at(24 * number), Seconds::hours(24));
        BitcoinDay {
            day,
            known_at: day.end,
            hashprice: Hashprice::from_micro_usd_per_ph_day(40_000_000 + number),
            price: BitcoinPrice::from_micro_usd(90_000_000_000 + number),
            difficulty: Difficulty::from_whole(100_000_000_000_000),
            reward: Satoshis::from_satoshis(315_000_000),
            derived: BitcoinDerivation {
                difficulty: DifficultySource::Published,
                blocks: BlocksSource::Published,
                subsidy: SubsidySource::Height,
                fees_missing: false,
            },
        }
    });
    History {
        market: markets().find(|market| market.name == "ERCOT").expect("a market"),
        point: "HB_WEST".into(),
        lmp: Vec::new(),
        settlement: settlement.collect(),
        day_ahead: Vec::new(),
        bitcoin: bitcoin.collect(),
        temperature: Vec::new(),
        demand_forecast: Vec::new(),
        peak_probability: Vec::new(),
        price_forecasts: Vec::new(),
        spot_offers: Vec::new(),
        coincident_peaks: Vec::new(),
        notes: Vec::new(),
    }
}

fn days(history: &History) -> Vec<Day> {
    let plan = plan();
    let covered = read(&plan, std::slice::from_ref(history))
        .unwrap_or_else(|error| panic!("{error}"));
    covered.past.days(0).to_vec()
}

#[test]
fn an_hour_settles_at_its_mean_and_knows_the_quarter_before() {
    let days = days(&history(31));
    assert_eq!(days.len(), 31);
    for (number, day) in days.iter().enumerate() {
        for (hour, price) in day.hours.iter().enumerate() {
            let first = (number * 24 + hour) as f64 * 4.0;
            assert_eq!(price.settled, first + 1.5);
            // Nothing is before the first of all.
            let known = if first == 0.0 { 1.5 } else { first - 1.0 };
            assert_eq!(price.known, known);
        }
        assert_eq!(day.hashprice_usd_per_ph_day, 40.0 + number as f64 / 1e6);
        // Midnight in London is six in the evening in Texas.
        assert_eq!(day.first_hour, 18);
    }
}

#[test]
fn a_dispatch_price_of_what_begins_goes_before_a_price_of_what_ended() {
    let mut history = history(31);
    let five = Seconds::minutes(5);
    history.lmp = vec![Known {
        value: EnergyPrice::from_usd_per_mwh(777),
        during: during(at(5), five),
        known_at: at(5),
        source: Source::Lmp,
    }];
    let days = days(&history);
    assert_eq!(days[0].hours[5].known, 777.0);
    assert_eq!(days[0].hours[6].known, 23.0);
    assert_eq!(days[0].hours[5].settled, 21.5);
}

#[test]
fn what_comes_later_changes_nothing_that_was_known() {
    let before = days(&history(31));
    let mut later = history(31);
    let cut = at(10 * 24 + 7);
    for one in later.settlement.iter_mut().filter(|one| one.known_at > cut) {
        one.price = EnergyPrice::from_usd_per_mwh(-5);
    }
    let after = days(&later);
    for number in 0..31 * 24 {
        let of = |days: &[Day]| days[number / 24].hours[number % 24];
        let start = at(number as i64);
        if start <= cut {
            assert_eq!(of(&before).known, of(&after).known, "{start}");
        }
        if start + Seconds::hours(1) <= cut {
            assert_eq!(of(&before), of(&after), "{start}");
        } else {
            assert_ne!(of(&before).settled, of(&after).settled, "{start}");
        }
    }
}

#[test]
fn short_gaps_are_bridged_and_told_and_long_ones_end_it() {
    let plan = plan();
    let gap = |from: i64, hours: i64| {
        let mut history = history(62);
        let gone = at(from)..at(from + hours);
        history.settlement.retain(|one| !gone.contains(&one.during.start));
        read(&plan, std::slice::from_ref(&history))
    };
    let bridged = gap(40 * 24, 3).expect("two months");
    assert_eq!((bridged.past.months(), bridged.hours_bridged), (2, 3));
    let hours = bridged.past.days(0)[40].hours;
    assert_eq!([hours[0].settled, hours[2].settled], [40.0 * 96.0 - 2.5; 2]);
    assert_eq!(hours[3].settled, 40.0 * 96.0 + 13.5);
    // What is not there yet has not happened, and is not bridged.
    assert_eq!(gap(59 * 24 - 2, 200).expect("a month").past.months(), 1);
    assert_eq!(gap(40 * 24, 25).expect("a month").past.months(), 1);
    let said = gap(3 * 24, 25).expect_err("no month").to_string();
    for part in ["HB_WEST", "2026-01", "from 2026-01-01", "plan from an earlier month"] {
        assert!(said.contains(part), "{said}");
    }

    let mut history = history(31);
    history.bitcoin.retain(|day| !(at(240)..at(288)).contains(&day.day.start));
    let bridged = read(&plan, std::slice::from_ref(&history)).expect("a month");
    assert_eq!((bridged.days_bridged, bridged.hours_bridged), (2, 0));
    assert_eq!(bridged.past.days(0)[11].hashprice_usd_per_ph_day, 40.000_009);
    history.bitcoin.clear();
    let said =
        read(&plan, std::slice::from_ref(&history)).expect_err("no coin").to_string();
    assert!(said.contains("bitcoin none"), "{said}");
}
