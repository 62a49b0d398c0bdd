//! A plan run over what happened, for a person and a program.

use std::fmt::Write;

use plan::{Figure, Plan, Stretch, Verdict};
use serde_json::{Value, json};

use crate::plan_past::Covered;

/// What is shown of a plan run over what happened.
#[derive(Clone, Copy, Debug)]
pub struct Over<'a> {
    /// The settlement point whose prices they were.
    pub point: &'a str,
    /// What history had.
    pub covered: &'a Covered,
    /// What the futures grew from.
    pub seed: u64,
    /// How many futures were lived.
    pub paths: usize,
    /// Every figure, stretch by stretch.
    pub verdicts: &'a [Verdict],
}

/// What a figure is called, in how many digits, and what it is divided by to be shown.
fn shown(figure: Figure) -> (&'static str, usize, f64) {
    match figure {
        Figure::PowerPrice => ("power, USD/MWh", 2, 1.0),
        Figure::Hashprice => ("hashprice, USD/PH/day", 2, 1.0),
        Figure::Coin => ("coin at the end, USD", 0, 1.0),
        Figure::MiningEnergy => ("mined with, GWh", 1, 1e3),
        Figure::MiningPay => ("mining pay, million USD", 2, 1e6),
        Figure::MiningMargin => ("mining pay less power, million USD", 2, 1e6),
        Figure::Operating => ("running the site, million USD", 2, 1e6),
        Figure::Net => ("all cash, million USD", 2, 1e6),
    }
}

/// What a figure is called in documents, with its unit.
fn key(figure: Figure) -> &'static str {
    match figure {
        Figure::PowerPrice => "power_usd_per_mwh",
        Figure::Hashprice => "hashprice_usd_per_ph_day",
        Figure::Coin => "coin_last_usd",
        Figure::MiningEnergy => "mining_mwh",
        Figure::MiningPay => "mining_pay_usd",
        Figure::MiningMargin => "mining_pay_less_power_usd",
        Figure::Operating => "operating_usd",
        Figure::Net => "net_usd",
    }
}

fn last(stretch: Stretch) -> settle::calendar::Period {
    stretch.first.plus(i32::try_from(stretch.months).expect("months fit")).previous()
}

impl Over<'_> {
    /// Whether markets of the futures or of the past move a figure at all.
    fn judged(&self) -> impl Iterator<Item = &Verdict> {
        let moves =
            |one: &&Verdict| one.foreseen.p5 < one.foreseen.p95 || !one.is_within();
        self.verdicts.iter().filter(moves)
    }

    /// The table.
    pub fn text(&self, plan: &Plan) -> String {
        let mut text = String::new();
        self.write(&mut text, plan).expect("text grows");
        text
    }

    fn write(&self, out: &mut String, plan: &Plan) -> std::fmt::Result {
        let months = self.covered.past.months();
        let last_month =
            plan.first.plus(i32::try_from(months).expect("months fit")).previous();
        writeln!(
            out,
            "{} over what happened at {}: {} to {last_month}, {} futures from seed {}",
            plan.name, self.point, plan.first, self.paths, self.seed
        )?;
        let mut before = None;
        for one in self.verdicts {
            if before != Some(one.stretch) {
                before = Some(one.stretch);
                let during = format!("{} to {}", one.stretch.first, last(one.stretch));
                writeln!(
                    out,
                    "\n{during:36}{:>11}{:>11}{:>11}{:>11}{:>9}",
                    "5 %", "median", "95 %", "happened", "below"
                )?;
            }
            let (name, digits, by) = shown(one.figure);
            let band = one.foreseen;
            write!(out, "{name:36}")?;
            for value in [band.p5, band.p50, band.p95, one.happened] {
                // No minus before a figure that is shown as nought.
                let scale = 10_f64.powi(i32::try_from(digits).expect("a digit"));
                let value = (value / by * scale).round() / scale + 0.0;
                write!(out, "{value:>11.digits$}")?;
            }
            writeln!(out, "{:>7.0} %", one.below * 100.0)?;
        }
        let judged = self.judged().count();
        let within = self.judged().filter(|one| one.is_within()).count();
        writeln!(
            out,
            "\n{within} of {judged} figures lie where nine of ten futures have them. Those of one stretch \
             move together, so this is no count of independent trials.\n\
             \"below\" is the share of futures that came to less. Deliveries, failures, deals, rent and \
             days of peaks are drawn: \"happened\" is the mean over them."
        )?;
        for (count, what) in [
            (self.covered.hours_bridged, "hours had no price"),
            (self.covered.days_bridged, "days had no bitcoin figures"),
        ] {
            if count > 0 {
                writeln!(out, "{count} {what}: those before them were taken.")?;
            }
        }
        Ok(())
    }

    /// The same with units in its keys.
    pub fn document(&self, plan: &Plan) -> Value {
        let mut stretches: Vec<Value> = Vec::new();
        let mut before = None;
        for one in self.verdicts {
            if before != Some(one.stretch) {
                before = Some(one.stretch);
                stretches.push(json!({
                    "first_month": one.stretch.first.to_string(),
                    "last_month": last(one.stretch).to_string(),
                    "figures": {},
                }));
            }
            let band = one.foreseen;
            let stretch = stretches.last_mut().expect("one was begun");
            stretch["figures"][key(one.figure)] = json!({
                "mean": band.mean,
                "p5": band.p5,
                "p25": band.p25,
                "p50": band.p50,
                "p75": band.p75,
                "p95": band.p95,
                "happened": one.happened,
                "below_percent": one.below * 100.0,
                "is_within_p5_p95": one.is_within(),
            });
        }
        json!({
            "plan": plan.name,
            "settlement_point": self.point,
            "seed": self.seed,
            "paths": self.paths,
            "hours_bridged": self.covered.hours_bridged,
            "days_bridged": self.covered.days_bridged,
            "stretches": stretches,
        })
    }
}
