//! What is about to happen, and why.
//!
//! Only what is known to come is said as coming: the next decision, what the grid
//! has asked for later, what people set to end. What prices would bring is said as a
//! condition, with whose word the price is.

use units::{EnergyPrice, Seconds, Timestamp};

use super::text::{clock_or_day, mw};
use crate::api::document::DecisionDocument;
use crate::live::status::{Ahead, Status};

/// The most that is shown.
const SHOWN: usize = 8;

/// How far ahead prices are looked at.
const LOOKED_AHEAD: Seconds = Seconds::hours(12);

/// The most turns of price that are shown.
const TURNS: usize = 4;

/// Something that comes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Coming {
    pub(super) at: Timestamp,
    /// The consequence.
    pub(super) what: String,
    /// The cause.
    pub(super) why: String,
    /// Whether it only may come.
    pub(super) may: bool,
}

/// What comes, the soonest first.
pub(super) fn coming(
    status: &Status,
    decision: Option<&DecisionDocument>,
    ahead: &[Ahead],
) -> Vec<Coming> {
    let mut all = Vec::new();
    let mut push = |at: Timestamp, what: String, why: String| {
        if at > status.at {
            all.push(Coming { at, what, why, may: false });
        }
    };
    if let Some(decided) = &status.decision {
        push(
            decided.end,
            "the next interval is decided".to_owned(),
            "every interval anew, on the price that is known by then".to_owned(),
        );
    }
    for asked in &status.instructions {
        let level =
            asked.level.map_or(String::new(), |level| format!(" {}", mw(level) + " MW"));
        let what = format!("{} `{}`: {}{level}", asked.programme, asked.name, asked.ask);
        if asked.start > status.at {
            let until = clock_or_day(asked.end, status.at);
            push(
                asked.start,
                format!("{what} begins"),
                format!("the grid asks it until {until}"),
            );
        } else {
            push(asked.end, format!("{what} ends"), "its time is over then".to_owned());
        }
    }
    for one in &status.waiting {
        push(
            one.until,
            format!("{} `{}` lapses", one.programme, one.name),
            "unless a second person agrees to it before".to_owned(),
        );
    }
    for one in &status.by_hand {
        let (what, why) = match one.kind.as_str() {
            "lock_out" if one.until_released => (
                format!("the work on {} is expected to be done", one.load),
                format!(
                    "{}; it stays locked out until {} releases it",
                    one.reason, one.role
                ),
            ),
            "lock_out" => {
                (format!("the lock-out of {} ends", one.load), one.reason.clone())
            }
            "hold" => (format!("the hold of {} ends", one.load), one.reason.clone()),
            _ => (format!("the maintenance of {} ends", one.load), one.reason.clone()),
        };
        push(one.until, what, why);
    }
    all.extend(turns(status, decision, ahead));
    all.sort_by(|a, b| a.at.cmp(&b.at).then_with(|| a.what.cmp(&b.what)));
    all.truncate(SHOWN);
    all
}

/// Where expected prices cross what a load breaks even at.
fn turns(
    status: &Status,
    decision: Option<&DecisionDocument>,
    ahead: &[Ahead],
) -> Vec<Coming> {
    let Some(decision) = decision else { return Vec::new() };
    let parse = |text: &str| EnergyPrice::parse_usd_per_mwh(text).ok();
    let cost = decision.cost_usd_per_mwh.as_deref().and_then(parse);
    let price = decision.price.as_ref().and_then(|price| parse(&price.usd_per_mwh));
    let (Some(cost), Some(price)) = (cost, price) else { return Vec::new() };
    let adders = cost - price;
    let mut turns: Vec<Coming> = Vec::new();
    for load in &decision.loads {
        // Racks under contract stay on, and a battery has prices of its own.
        if !matches!(load.used_for.as_deref(), Some("mining" | "uncommitted")) {
            continue;
        }
        let Some(worth) = load.worth_usd_per_mwh.as_deref().and_then(parse) else {
            continue;
        };
        let pays = |at: &&Ahead| worth >= at.price + adders;
        let runs = worth >= cost;
        let until = status.at + LOOKED_AHEAD;
        let those = ahead.iter().filter(|one| one.start > status.at && one.start < until);
        let Some(turn) = those.into_iter().find(|one| pays(one) != runs) else {
            continue;
        };
        let expected = (turn.price + adders).to_usd_per_mwh_text(2);
        let (what, than) =
            if runs { ("would go off", "above") } else { ("would come on", "below") };
        turns.push(Coming {
            at: turn.start,
            what: format!("{} {what}", load.load),
            why: format!(
                "power is expected to cost {expected} USD/MWh ({}), {than} the {} it breaks \
                 even at",
                turn.source,
                worth.to_usd_per_mwh_text(2)
            ),
            may: true,
        });
    }
    turns.sort_by_key(|turn| turn.at);
    turns.truncate(TURNS);
    turns
}
