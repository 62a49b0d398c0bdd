//! A plan's answer, for a lender, an energy desk and a program.

mod notes;
mod page;
mod past;
mod schedule;
mod sites;

pub use page::page;
pub use past::Over;
pub use schedule::{schedule, schedule_document};

use std::fmt::Write;

use plan::{Answer, Band, Line, Month, PerMwh, Plan, Use};
use serde_json::{Value, json};
use units::Money;

use notes::{notes, warnings};

/// Months shown as a year of a plan.
const YEAR: usize = 12;

fn usd(money: Money) -> f64 {
    money.as_micro_usd() as f64 / 1e6
}

/// Dollars as millions, with a sign only below nought.
fn millions(usd: f64) -> String {
    // No minus before a figure that is shown as nought.
    let rounded = (usd / 1e5).round() / 10.0 + 0.0;
    format!("{rounded:.1}")
}

/// A figure to two places, with a sign only below nought.
fn hundredths(of: f64) -> String {
    let rounded = (of * 100.0).round() / 100.0 + 0.0;
    format!("{rounded:.2}")
}

/// The summary.
pub fn text(plan: &Plan, answer: &Answer, seed: u64, asked: u64) -> String {
    let mut text = String::new();
    write_text(&mut text, plan, answer, seed, asked).expect("text grows");
    text
}

fn write_text(
    out: &mut String,
    plan: &Plan,
    answer: &Answer,
    seed: u64,
    asked: u64,
) -> std::fmt::Result {
    let last = plan.end().previous();
    writeln!(
        out,
        "{}: {} to {last}, {} futures from seed {seed}",
        plan.name, plan.first, answer.paths
    )?;
    if (answer.paths as u64) < asked {
        writeln!(
            out,
            "Stopped: {} of {asked} futures were finished, and all below rests on them.",
            answer.paths
        )?;
    }
    for warning in warnings(plan, answer) {
        writeln!(out, "\n{warning}")?;
    }
    writeln!(out, "\nWhat it is worth at {} a year, million USD", plan.rules.discount)?;
    writeln!(
        out,
        "{:34}{:>10}{:>10}{:>10}{:>10}{:>10}",
        "", "mean", "+/-", "5 %", "median", "95 %"
    )?;
    let of_site = if plan.has_sites() {
        ["plan, all cash of the sites", "sites left as they are"]
    } else {
        ["plan, all cash of the site", "site left as it is"]
    };
    let bands = [
        (of_site[0], answer.npv_usd),
        (of_site[1], answer.npv_stay_usd),
        ("converting over staying", answer.npv_gain_usd),
        ("most that owners put in for it", answer.funding_usd),
    ];
    for (name, band) in bands {
        let figures = [band.mean, band.error, band.p5, band.p50, band.p95].map(millions);
        let [mean, error, p5, p50, p95] = figures;
        writeln!(out, "{name:34}{mean:>10}{error:>10}{p5:>10}{p50:>10}{p95:>10}")?;
    }
    writeln!(
        out,
        "Converting is worth more in {:.1} % of futures.",
        answer.gains * 100.0
    )?;
    match answer.irr {
        Some(irr) => writeln!(
            out,
            "It earns {:.1} % a year on what owners put in (5 to 95 %: {:.1} to {:.1} %), in the {:.1} % of futures that have one rate.",
            irr.p50 * 100.0,
            irr.p5 * 100.0,
            irr.p95 * 100.0,
            answer.irr_share * 100.0
        )?,
        None => writeln!(
            out,
            "No future has one rate of return: owners put in nothing, or never get it back."
        )?,
    }

    for note in notes(plan) {
        writeln!(out, "{note}")?;
    }

    cash(out, plan, answer)?;
    sites::table(out, plan, answer)?;
    coverage(out, plan, answer)?;
    tranches(out, answer)?;
    per_mwh(out, answer)?;
    break_even(out, answer)
}

/// Mean cash by year and line.
fn cash(out: &mut String, plan: &Plan, answer: &Answer) -> std::fmt::Result {
    let years: Vec<&[Month]> = answer.months.chunks(YEAR).collect();
    writeln!(out, "\nMean cash, million USD, by year from {}", plan.first)?;
    write!(out, "{:16}", "")?;
    for year in 1..=years.len() {
        write!(out, "{:>10}", format!("year {year}"))?;
    }
    writeln!(out, "{:>11}", "all")?;
    let mut row = |name: &str, of: &dyn Fn(&Month) -> Money| -> std::fmt::Result {
        let sums: Vec<f64> = years
            .iter()
            .map(|year| year.iter().map(|month| usd(of(month))).sum())
            .collect();
        if sums.iter().all(|sum| *sum == 0.0) {
            return Ok(());
        }
        write!(out, "{name:16}")?;
        for sum in &sums {
            write!(out, "{:>10}", millions(*sum))?;
        }
        writeln!(out, "{:>11}", millions(sums.iter().sum()))
    };
    for line in Line::ALL {
        row(title(line), &|month| month.of(line))?;
    }
    row("net", &Month::net)?;
    // What prepayments and lenders had paid of the machines, where it matters most.
    let funded = answer.funded_usd.last().copied().unwrap_or_default();
    let [ahead, drawn, machines] = funded;
    if machines < 0.0 {
        writeln!(
            out,
            "Machines: {} million; {:.1} % of it paid by tenants ahead, {:.1} % by lenders.",
            millions(-machines),
            ahead / -machines * 100.0,
            drawn / -machines * 100.0
        )?;
    }
    Ok(())
}

fn title(line: Line) -> &'static str {
    match line {
        Line::Mining => "mining",
        Line::Spot => "racks let",
        Line::Contract => "tenants",
        Line::Prepayment => "paid ahead",
        Line::Closed => "tenants, at end",
        Line::PowerMining => "power, mining",
        Line::PowerRacks => "power, racks",
        Line::Blocks => "power blocks",
        Line::Peaks => "peaks",
        Line::Running => "running",
        Line::Works => "works",
        Line::Equipment => "equipment",
        Line::Resale => "resale",
        Line::Drawn => "drawn",
        Line::Interest => "interest, fees",
        Line::Repaid => "repaid",
        Line::Owed => "owed at the end",
        Line::Tax => "tax",
    }
}

fn coverage(out: &mut String, plan: &Plan, answer: &Answer) -> std::fmt::Result {
    let (Some(covenant), Some(least), Some(breach)) =
        (plan.covenant, answer.coverage_least, answer.breach)
    else {
        return Ok(());
    };
    writeln!(
        out,
        "\nCoverage of debt service by the contracts' cash, over {} months, from {}",
        covenant.over_months, covenant.from
    )?;
    writeln!(
        out,
        "least of a future: {} in the middle, {} in one of twenty; below {:.2} in {:.1} % of futures",
        hundredths(least.p50),
        hundredths(least.p5),
        covenant.ratio_min.as_ppm() as f64 / 1e6,
        breach * 100.0
    )
}

fn tranches(out: &mut String, answer: &Answer) -> std::fmt::Result {
    if answer.tranches.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "\n{:28}{:>9}{:>12}{:>12}{:>13}{:>16}",
        "Tranche", "signed", "days late", "5 to 95 %", "long stop", "cost if missed"
    )?;
    for one in &answer.tranches {
        let late = one.days_late.map_or((String::from("-"), String::from("-")), |band| {
            (format!("{:.0}", band.mean), format!("{:.0} to {:.0}", band.p5, band.p95))
        });
        let cost = one
            .cost_usd
            .map_or("-".to_owned(), |cost| format!("{} M USD", millions(cost)));
        writeln!(
            out,
            "{:28}{:>7.1} %{:>12}{:>12}{:>11.1} %{:>16}",
            one.name,
            one.signed * 100.0,
            late.0,
            late.1,
            one.missed * 100.0,
            cost
        )?;
    }
    Ok(())
}

fn per_mwh(out: &mut String, answer: &Answer) -> std::fmt::Result {
    writeln!(
        out,
        "\nA MWh at the meter, USD{:>15}{:>10}{:>10}{:>14}",
        "earns", "power", "leaves", "GWh a future"
    )?;
    let names = ["mine it", "convert it", "let it by the hour"];
    for (name, of) in names.into_iter().zip(&answer.per_mwh) {
        if let Some(PerMwh { earned, power, mwh }) = of {
            writeln!(
                out,
                "{name:23}{:>15}{:>10}{:>10}{:>14.1}",
                hundredths(*earned),
                hundredths(*power),
                hundredths(earned - power),
                mwh / 1e3
            )?;
        }
    }
    writeln!(
        out,
        "{:23}{:>15}   the mean price: what a MWh of a fixed-price block brings",
        "sell it back",
        hundredths(answer.price_mean_usd_per_mwh)
    )?;
    if let Some((price, mwh)) = answer.idle {
        writeln!(
            out,
            "{:23}{:>15}{:>34.1}   while rigs stood idle",
            "",
            hundredths(price),
            mwh / 1e3
        )?;
    }
    Ok(())
}

fn break_even(out: &mut String, answer: &Answer) -> std::fmt::Result {
    let even = &answer.break_even;
    writeln!(out, "\nBreak-even")?;
    if let Some(hashprice) = even.hashprice_usd_per_ph_day {
        writeln!(
            out,
            "mining pays for its power at a hashprice of {} USD/PH/day; the mean of futures is {:.2}",
            hundredths(hashprice),
            even.hashprice_mean
        )?;
    }
    if let Some(hashprice) = even.hashprice_to_stay {
        writeln!(
            out,
            "staying is worth as much as converting at a hashprice of {} USD/PH/day, before tax",
            hundredths(hashprice)
        )?;
    }
    if let (Some(price), Some(now)) = (even.usd_per_gpu_hour, even.price_now) {
        writeln!(
            out,
            "converting is worth as much as staying at {} USD a GPU-hour, before tax; the contracts pay {now:.2}",
            hundredths(price)
        )?;
    }
    if let (Some(rent), Some(now)) = (even.usd_per_kw_month, even.rent_now) {
        writeln!(
            out,
            "converting is worth as much as staying at {} USD a kW and month, before tax; the leases pay {now:.2}",
            hundredths(rent)
        )?;
    }
    Ok(())
}

fn band(band: Band) -> Value {
    json!({
        "mean": band.mean, "standard_error": band.error, "p5": band.p5, "p25": band.p25,
        "p50": band.p50, "p75": band.p75, "p95": band.p95,
    })
}

/// What converting is worth with one assumption moved.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bar {
    /// The assumption, and how far it is moved.
    pub name: &'static str,
    /// The mean gain with less of it, in USD.
    pub low_usd: f64,
    /// As planned.
    pub middle_usd: f64,
    /// With more of it.
    pub high_usd: f64,
}

impl Bar {
    /// How far apart the ends are.
    pub fn spread(&self) -> f64 {
        (self.high_usd - self.low_usd).abs()
    }
}

/// Each assumption moved by itself.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tornado {
    /// Over how many futures.
    pub futures: u64,
    /// What matters most first.
    pub bars: Vec<Bar>,
    /// How many assumptions a person stopped before all of their futures were finished.
    pub left_out: usize,
}

/// The bars as a table, in their order, and what is left out; nothing where nothing was
/// asked.
pub fn tornado(of: &Tornado) -> String {
    let mut text = String::new();
    if let Some(first) = of.bars.first() {
        text = format!(
            "\nWhat matters, over the first {} futures: converting over staying, million USD; as planned {}\n",
            of.futures,
            millions(first.middle_usd)
        );
        for bar in &of.bars {
            let (low, high) = (millions(bar.low_usd), millions(bar.high_usd));
            writeln!(text, "{:46}{low:>10}{high:>10}", bar.name).expect("text grows");
        }
    }
    if of.left_out > 0 {
        let all = of.bars.len() + of.left_out;
        writeln!(
            text,
            "\nStopped: {} of {all} assumptions were not moved over all {} futures, and are left out of what matters.",
            of.left_out, of.futures
        )
        .expect("text grows");
    }
    text
}

/// The bars as JSON.
pub fn tornado_document(bars: &[Bar]) -> Value {
    let bar = |bar: &Bar| {
        json!({
            "assumption": bar.name,
            "low_usd": bar.low_usd,
            "as_planned_usd": bar.middle_usd,
            "high_usd": bar.high_usd,
        })
    };
    bars.iter().map(bar).collect()
}

/// The answer as JSON, with units in its keys.
pub fn document(plan: &Plan, answer: &Answer, seed: u64, asked: u64) -> Value {
    let months: Vec<Value> = (0..answer.months.len())
        .map(|place| {
            let month = &answer.months[place];
            let lines: serde_json::Map<String, Value> = Line::ALL
                .into_iter()
                .map(|line| (format!("{}_usd", line.name()), json!(usd(month.of(line)))))
                .collect();
            let [ahead, drawn, machines] = answer.funded_usd[place];
            json!({
                "month": plan.period(place).to_string(),
                "mean": lines,
                "net_usd": band(answer.net_usd[place]),
                "prepaid_so_far_usd": ahead,
                "drawn_so_far_usd": drawn,
                "equipment_so_far_usd": machines,
            })
        })
        .collect();
    let tranches: Vec<Value> = answer
        .tranches
        .iter()
        .map(|one| {
            json!({
                "tranche": one.name,
                "signed_share": one.signed,
                "days_late": one.days_late.map(band),
                "long_stop_missed_share": one.missed,
                "cost_if_missed_usd": one.cost_usd,
            })
        })
        .collect();
    let use_of = |of: Use| {
        answer.per_mwh[of as usize].map(|PerMwh { earned, power, mwh }| {
            json!({ "earned_usd_per_mwh": earned, "power_usd_per_mwh": power, "mwh": mwh })
        })
    };
    let even = &answer.break_even;
    let mut document = json!({
        "plan": plan.name,
        "first_month": plan.first.to_string(),
        "months": plan.months,
        "seed": seed,
        "paths": answer.paths,
        "paths_asked": asked,
        "warnings": warnings(plan, answer),
        "notes": notes(plan),
        "npv_usd": band(answer.npv_usd),
        "npv_stay_usd": band(answer.npv_stay_usd),
        "npv_gain_usd": band(answer.npv_gain_usd),
        "gain_share": answer.gains,
        "irr_per_year": answer.irr.map(band),
        "irr_share": answer.irr_share,
        "funding_usd": band(answer.funding_usd),
        "coverage_least": answer.coverage_least.map(band),
        "coverage_breach_share": answer.breach,
        "tranches": tranches,
        "mine_it": use_of(Use::Mining),
        "convert_it": use_of(Use::Contract),
        "let_it": use_of(Use::Spot),
        "sell_it_back_usd_per_mwh": answer.price_mean_usd_per_mwh,
        "idle_usd_per_mwh": answer.idle.map(|idle| idle.0),
        "idle_mwh": answer.idle.map(|idle| idle.1),
        "break_even_hashprice_usd_per_ph_day": even.hashprice_usd_per_ph_day,
        "break_even_hashprice_to_stay_usd_per_ph_day": even.hashprice_to_stay,
        "hashprice_mean_usd_per_ph_day": even.hashprice_mean,
        "break_even_usd_per_gpu_hour": even.usd_per_gpu_hour,
        "contract_usd_per_gpu_hour": even.price_now,
        "break_even_usd_per_kw_month": even.usd_per_kw_month,
        "contract_usd_per_kw_month": even.rent_now,
        "cash": months,
    });
    if plan.has_sites() {
        document["sites"] = sites::document(answer);
    }
    document
}
