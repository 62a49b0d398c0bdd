//! What each site of a plan comes to, where there are several.

use std::fmt::Write;

use plan::{Answer, Plan, SiteAnswer, Use};
use serde_json::{Value, json};

use super::{band, hundredths, millions};

/// Hours of a plan.
fn hours(plan: &Plan) -> f64 {
    let zone = plan.zone();
    let length = zone.month(plan.end()).start - zone.month(plan.first).start;
    length.as_seconds() as f64 / 3_600.0
}

/// A figure of a site, as it is shown.
type Shown<'a> = &'a dyn Fn(&SiteAnswer) -> String;

/// The sites beside one another.
pub(super) fn table(out: &mut String, plan: &Plan, answer: &Answer) -> std::fmt::Result {
    if !plan.has_sites() {
        return Ok(());
    }
    let hours = hours(plan);
    let wide = answer.sites.iter().map(|site| site.name.chars().count() + 2).max();
    let wide = wide.unwrap_or(0).max(12);
    writeln!(out, "\nBy site, means of a future over the plan, million USD")?;
    write!(out, "{:34}", "")?;
    for site in &answer.sites {
        write!(out, "{:>wide$}", site.name)?;
    }
    writeln!(out)?;
    let mut row = |name: &str, of: Shown<'_>| -> std::fmt::Result {
        let shown: Vec<String> = answer.sites.iter().map(of).collect();
        if shown.iter().all(|one| one == "0.0") {
            return Ok(());
        }
        write!(out, "{name:34}")?;
        for one in shown {
            write!(out, "{one:>wide$}")?;
        }
        writeln!(out)
    };
    let mw = |of: Use| {
        move |site: &SiteAnswer| format!("{:.1}", site.mwh[of as usize] / hours)
    };
    row("MW mined with, mean", &mw(Use::Mining))?;
    row("MW under contract, mean", &mw(Use::Contract))?;
    row("MW let, mean", &mw(Use::Spot))?;
    row("price of power, USD/MWh", &|site| hundredths(site.price_usd_per_mwh))?;
    row("mining", &|site| millions(site.earned_usd[Use::Mining as usize]))?;
    row("racks let", &|site| millions(site.earned_usd[Use::Spot as usize]))?;
    row("tenants, by month of service", &|site| {
        millions(site.earned_usd[Use::Contract as usize])
    })?;
    row("power", &|site| millions(-site.power_usd.iter().sum::<f64>()))?;
    row("power blocks", &|site| millions(site.blocks_usd))?;
    row("peaks", &|site| millions(site.peaks_usd))?;
    row("running", &|site| millions(site.running_usd))?;
    row("works and machines, less sold", &|site| millions(site.built_usd))?;
    row("all, before lenders and tax", &|site| millions(site.all_usd()))?;
    row("worth now", &|site| millions(site.worth_usd.mean))?;
    row("worth as it is", &|site| millions(site.worth_stay_usd.mean))?;
    row("converting over staying", &|site| millions(site.worth_gain_usd.mean))?;
    row("  one future in twenty below", &|site| millions(site.worth_gain_usd.p5))?;
    row("  one in twenty above", &|site| millions(site.worth_gain_usd.p95))
}

/// The sites as JSON.
pub(super) fn document(answer: &Answer) -> Value {
    let site = |site: &SiteAnswer| {
        let of = |of: Use| {
            json!({
                "mwh": site.mwh[of as usize],
                "earned_usd": site.earned_usd[of as usize],
                "power_usd": site.power_usd[of as usize],
            })
        };
        json!({
            "site": site.name,
            "mining": of(Use::Mining),
            "contract": of(Use::Contract),
            "let": of(Use::Spot),
            "price_usd_per_mwh": site.price_usd_per_mwh,
            "blocks_usd": site.blocks_usd,
            "peaks_usd": site.peaks_usd,
            "running_usd": site.running_usd,
            "built_usd": site.built_usd,
            "before_lenders_and_tax_usd": site.all_usd(),
            "worth_usd": band(site.worth_usd),
            "worth_stay_usd": band(site.worth_stay_usd),
            "worth_gain_usd": band(site.worth_gain_usd),
        })
    };
    answer.sites.iter().map(site).collect()
}
