//! The reference page of a run's Parquet files, made from their declared columns.

use super::columns::{HINDSIGHT, INTERVALS, LOADS};
use super::plan::{OF_CASH, OF_PATHS, OF_SITES, OF_TRANCHES};
use super::table::{Column, Subject};

const OPENING: &str = "\
# The detail of a backtest

This page is made from `crates/mw/src/report/parquet/columns.rs`.
To change it, change that and run `cargo xtask docs`.

`mw backtest --out RUN` writes three Parquet files into RUN.
Every figure is exact: an integer in the base unit that ends its name, never a float.
The units are joules (`_j`), watts (`_w`), gigahashes (`_gh`), seconds (`_seconds`) and millionths of a dollar (`_micro_usd`).
A megawatt-hour is 3 600 000 000 J.
Money to the operator is positive, so costs are negative; power and energy drawn from the grid are positive.
Instants are in UTC and intervals are half-open.
A total of `summary.json` is the sum of its column; a null counts as nothing there, and the summary counts the nulls.

Each file says in its key-value metadata: `mw.format` (the version of these columns, now 1), `mw.site` and `mw.pool_fee_ppm` (what the pool keeps, in parts per million).
";

const OF_A_PLAN: &str = "\
# The futures of a plan

This page is made from `crates/mw/src/report/parquet/plan.rs`.
To change it, change that and run `cargo xtask docs`.

`mw plan PLAN --parquet DIR`, and `mw plan merge` with the same option, write four Parquet files into DIR.
Every figure is exact: an integer in the unit that ends its name, never a float.
The units are watt-hours (`_wh`), days (`_days`), parts per million (`_ppm`) and millionths of a dollar (`_micro_usd`).
In is positive, out is negative; energy is drawn at the meter.
The means of the summary are means of these columns.
";

/// The reference page of a plan's futures, in Markdown.
pub fn plan_page() -> String {
    let mut page = OF_A_PLAN.to_owned();
    section(&mut page, super::plan::PATHS, "One row a future, in order.", OF_PATHS);
    section(
        &mut page,
        super::plan::CASH,
        "One row a future and month: by future, and earliest first.",
        OF_CASH,
    );
    section(
        &mut page,
        super::plan::SITES,
        "One row a future and site, by future, in the plan's order. Sites add up to the future's own energy and earnings.",
        OF_SITES,
    );
    section(
        &mut page,
        super::plan::TRANCHES,
        "One row a future and tranche that a conversion serves.",
        OF_TRANCHES,
    );
    page
}

/// The reference page, in Markdown.
pub fn page() -> String {
    let mut page = OPENING.to_owned();
    section(
        &mut page,
        "intervals.parquet",
        "One row an interval, earliest first.",
        INTERVALS,
    );
    section(
        &mut page,
        "loads.parquet",
        "One row an interval and load: earliest first, and within an interval in the site's order.\n\
         With the interval's row, the columns that begin with `reason` give the sentence that `mw replay --explain` prints.",
        LOADS,
    );
    section(
        &mut page,
        "hindsight.parquet",
        "One row a settlement interval and limit of which more would have been worth something, earliest first: shadow prices of the optimum in hindsight.\n\
         Nobody could have known what they rest on. The file is there where that optimum could be computed.",
        HINDSIGHT,
    );
    page
}

fn section<S: Subject>(
    page: &mut String,
    file: &str,
    about: &str,
    columns: &[Column<S>],
) {
    page.push_str(&format!(
        "\n## `{file}`\n\n{about}\n\n\
         | column | type | unit | meaning |\n|---|---|---|---|\n"
    ));
    for column in columns {
        let (kind, nullable) = column.values.shown();
        let null = if nullable { ", nullable" } else { "" };
        page.push_str(&format!(
            "| `{}` | {kind}{null} | {} | {} |\n",
            column.name,
            unit(column.name),
            column.meaning
        ));
    }
}

/// The unit a column's name ends in.
fn unit(name: &str) -> &'static str {
    const UNITS: [(&str, &str); 12] = [
        ("_wh", "Wh"),
        ("_days", "days"),
        ("_ppm", "10^-6"),
        ("_micro_usd_per_mwh", "10^-6 USD/MWh"),
        ("_micro_usd_per_ph_day", "10^-6 USD/PH/day"),
        ("gpu_hour_price_micro_usd", "10^-6 USD/GPU-hour"),
        ("_micro_usd", "10^-6 USD"),
        ("_millidegrees_c", "10^-3 °C"),
        ("gpu_seconds", "GPU s"),
        ("_gh", "GH"),
        ("_j", "J"),
        ("_w", "W"),
    ];
    UNITS.iter().find(|(end, _)| name.ends_with(end)).map_or("", |(_, unit)| unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_of_numbers_has_its_unit_in_its_name_or_is_a_count() {
        let counts = ["generation", "level", "starts", "path", "contract", "tranche"];
        fn numbers<S: Subject>(columns: &[Column<S>]) -> Vec<&'static str> {
            columns
                .iter()
                .filter(|column| column.values.shown().0 == "INT64")
                .map(|column| column.name)
                .collect()
        }
        let of_plans = [numbers(OF_PATHS), numbers(OF_CASH), numbers(OF_TRANCHES)];
        let of_runs = [numbers(INTERVALS), numbers(LOADS)];
        for name in of_runs.into_iter().chain(of_plans).flatten() {
            assert!(!unit(name).is_empty() || counts.contains(&name), "{name}");
        }
    }
}
