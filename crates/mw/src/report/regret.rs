//! How far policies fall short of the optimum in hindsight, as a table and as a
//! document.

use engine::Site;
use serde_json::{Value, json};
use units::{Interval, Money, Share};

use super::{figures, words};
use crate::hindsight::Hindsight;

/// One policy over one stretch of time.
pub struct Line {
    /// The stretch.
    pub during: Interval,
    /// What it looked ahead on.
    pub forecast: &'static str,
    /// What it came to, or what is missing to say.
    pub found: Result<Hindsight, String>,
}

/// The table, as a person reads it in a terminal.
pub fn text(site: &Site, lines: &[Line]) -> String {
    let market = &site.market;
    let mut page = format!(
        "{} at {} {}\nMargin less what coincident peaks were expected to cost, USD. The optimum \
         is of the whole year at its\nsettlement prices: a bound that no site could have earned.\n\n\
         {:<22} {:<18} {:>14} {:>14} {:>8} {:>15} {:>14} {:>14}\n",
        site.name,
        market.name,
        market.settlement_point,
        "from, to (UTC)",
        "forecast",
        "optimum",
        "policy",
        "caught",
        "above always on",
        "forecast error",
        "decision error",
    );
    for line in lines {
        let date = |at: units::Timestamp| at.to_string()[..10].to_owned();
        let during = format!("{} {}", date(line.during.start), date(line.during.end));
        let row = match &line.found {
            Err(missing) => format!("not computed: {missing}"),
            Ok(found) => format!(
                "{:>14} {:>14} {:>8} {:>15} {:>14} {:>14}",
                figures::usd(found.best),
                figures::usd(found.policy),
                part(found.caught()),
                part(found.caught_above_always_on()),
                figures::usd(found.forecast_error()),
                figures::usd(found.decision_error()),
            ),
        };
        page.push_str(&format!("{during:<22} {:<18} {row}\n", line.forecast));
    }
    page
}

/// The same as a document.
pub fn document(site: &Site, lines: &[Line]) -> Value {
    let micro = Money::as_micro_usd;
    let rows: Vec<Value> = lines
        .iter()
        .map(|line| {
            let mut row = json!({
                "start": line.during.start.to_string(),
                "end": line.during.end.to_string(),
                "forecast": line.forecast,
                "missing": line.found.as_ref().err(),
            });
            if let Ok(found) = &line.found {
                row["best_micro_usd"] = micro(found.best).into();
                row["policy_micro_usd"] = micro(found.policy).into();
                row["always_on_micro_usd"] = found.always_on.map(micro).into();
                row["forecast_error_micro_usd"] = micro(found.forecast_error()).into();
                row["decision_error_micro_usd"] = micro(found.decision_error()).into();
            }
            row
        })
        .collect();
    json!({
        "format": super::json::FORMAT,
        "site": site.name,
        "settlement_point": site.market.settlement_point,
        "lines": rows,
    })
}

fn part(share: Option<Share>) -> String {
    share.map_or("-".to_owned(), |share| {
        words::percent(i128::from(share.as_ppm()), 1_000_000)
    })
}
