//! Two histories alike up to an instant and different after it give the same
//! decisions up to that instant: nothing looks ahead, from file to dispatch.

use adapters::history;
use engine::{Dispatch, Signal};
use mw::config;
use mw::drive::backtest::{Options, run};
use mw::feed::Feed;
use mw::from_history;
use units::{Energy, EnergyPrice, Hashprice, Interval, Power, Temperature, Timestamp};

use crate::backtest::{fresh, mw, root};

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).expect("an instant")
}

fn decisions(feed: &Feed, range: Interval) -> Vec<(Dispatch, Energy)> {
    let mut decided = Vec::new();
    for example in ["mixed-10mw", "childress-750mw"] {
        let loaded =
            config::load(&root().join("examples").join(example)).expect("an example");
        let options = Options::default();
        run(&loaded.site, feed, range, options, |line| {
            decided.push((line.dispatch.clone(), line.row.site));
            Ok(())
        })
        .expect("a run");
    }
    decided
}

/// The same signals, everything first known after `fork` turned into something else.
fn other_future(feed: &Feed, fork: Timestamp) -> Feed {
    let mut other = feed.clone();
    for (known_at, signal) in &mut other.signals {
        if *known_at <= fork {
            continue;
        }
        match signal {
            Signal::Price(known) => {
                known.value = EnergyPrice::from_usd_per_mwh(2_000) - known.value
            }
            Signal::Hashprice(known) => {
                known.value = Hashprice::from_micro_usd_per_ph_day(1)
            }
            Signal::Temperature(known) => {
                known.value = Temperature::from_millidegrees(45_000)
            }
            Signal::DemandForecast(known) => known.value = Power::from_mw(200_000),
            Signal::Forecast(forecast) => {
                for price in &mut forecast.prices {
                    *price = EnergyPrice::from_usd_per_mwh(2_000) - *price;
                }
            }
            Signal::PeakProbability(_)
            | Signal::Instruction(_)
            | Signal::Heard(_)
            | Signal::Draw(_)
            | Signal::Exposure(_)
            | Signal::SpotOffer(_)
            | Signal::Sweep(_) => {}
        }
    }
    for settlement in &mut other.settlements {
        settlement.price = EnergyPrice::from_usd_per_mwh(1);
    }
    other
}

#[test]
fn decisions_do_not_know_which_future_follows() {
    let folder = fresh("two-futures");
    let path = folder.display().to_string();
    assert!(mw(&["history", "synth", "--seed", "11", "--out", &path]).status.success());
    let found = history::open(&[folder]).expect("a history").assemble("HB_SYNTH", None);
    let feed = from_history::feed(&found.expect("the synthetic point"));
    let range = Interval { start: at("2025-07-10"), end: at("2025-07-14") };
    for fork in ["2025-07-11T18:05Z", "2025-07-12T13:30Z", "2025-07-13"].map(at) {
        let ours = decisions(&feed, range);
        let theirs = decisions(&other_future(&feed, fork), range);
        let before =
            |(dispatch, _): &&(Dispatch, Energy)| dispatch.interval.start <= fork;
        let (ours_before, theirs_before): (Vec<_>, Vec<_>) = (
            ours.iter().filter(before).collect(),
            theirs.iter().filter(before).collect(),
        );
        assert_eq!(
            ours_before, theirs_before,
            "a decision before {fork} knew what followed"
        );
        assert_ne!(
            ours, theirs,
            "the futures after {fork} are not different enough to tell"
        );
    }
}
