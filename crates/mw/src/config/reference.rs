//! The reference pages of the site file and of the machine table, from what checks them.

use std::fmt::Write;

use engine::site::Rate;

use super::keys::{Kind, Need, Range, SITE, Section};
use super::machines;
use super::problem::Findings;
use super::workload::{self, Workload};
use super::written::Table;

const OPENING: &str = "\
# The site file

This page is made from the declarations that check a site file.
To change it, change those and run `cargo xtask docs`.

A site is a folder with a `site.toml`, or the file itself.
The unit of a number is the end of its key, and a number stands alone: `import_limit_mw = 750`.
Numbers are read in decimal, exactly; more digits than are kept are an error.
An unknown key is an error, and so is everything on this page that does not hold.
An error names the file, the line and column, and the key with the tables it is in; `rigs[0]` is the first of `[[rigs]]`.

## Dates

A date such as `2025-01-31` is the first instant of that day in the market's time zone.
An instant is written with its offset from UTC, such as `2025-01-31T14:00:00-06:00` or `2025-01-31T20:00:00Z`; one without an offset is an error.
`from` is included and `until` is not: for one day, `until` is the next day.
Where either may be left out, it is then 1990-01-01 or 2100-01-01, the ends of the time a file can speak of.
Entries of a tariff that have one name may follow each other and do not overlap.

## What must go together

- A limit, of the interconnection or a feeder, is no less than what the loads behind it draw whatever is decided: rigs and uncommitted racks at rest, contracted racks and those named by `first_rack` at full power, each at the worst PUE.
- Feeders lead to the interconnection without a loop.
- Names of feeders, of halls and of loads are each given once; rigs, racks and batteries share theirs.
- A ramp is no less than what one machine behind it moves at once, at the worst PUE.
- Curves rise, and each further watt gives no more than the watts before it, from rest on.
- A hold is within what its load can draw at the worst PUE and within every limit above it, and two holds of one load do not overlap.

A feeder whose limit is more than the one above it, a feeder or hall with nothing behind it, a hold on racks under contract and a model that takes the place of the table's are warnings.

Markets whose time zone is known: ";

/// The reference page of the site file, in Markdown.
pub fn reference() -> String {
    let markets: Vec<_> = adapters::history::markets()
        .map(|known| format!("{} ({})", known.name, known.zone))
        .collect();
    let mut page = format!("{OPENING}{}.\n", markets.join(", "));
    section(&mut page, "Top of the file", &SITE, "");
    page
}

/// Writes one section and then those inside it.
fn section(page: &mut String, title: &str, section: &Section, path: &str) {
    let meaning = sentences(section.meaning);
    put(page, format_args!("\n## {title}\n\n{meaning}\n"));
    put(
        page,
        format_args!("\n| key | value | without it | meaning |\n|---|---|---|---|\n"),
    );
    for key in section.keys {
        let without = match key.need {
            Need::Required => "error".to_owned(),
            Need::Optional => "none".to_owned(),
            Need::Default(default) => format!("`{default}`"),
        };
        let meaning = match (key.kind, key.meaning) {
            (Kind::Table(inner) | Kind::Tables(inner), "") => inner.meaning,
            (_, meaning) => meaning,
        };
        put(
            page,
            format_args!(
                "| `{}` | {} | {without} | {meaning} |\n",
                key.name,
                value(key.kind)
            ),
        );
    }
    for key in section.keys {
        let path = match path {
            "" => key.name.to_owned(),
            path => format!("{path}.{}", key.name),
        };
        match key.kind {
            Kind::Table(inner) => {
                self::section(page, &format!("`[{path}]`"), inner, &path)
            }
            Kind::Tables(inner) => {
                self::section(page, &format!("`[[{path}]]`"), inner, &path)
            }
            Kind::Text
            | Kind::Choice(_)
            | Kind::Flag
            | Kind::Number(..)
            | Kind::Date
            | Kind::Months
            | Kind::Names => {}
        }
    }
}

/// What a value may be, as a cell says it.
fn value(kind: Kind) -> String {
    match kind {
        Kind::Text => "text".to_owned(),
        Kind::Choice(choices) => {
            let choices: Vec<_> =
                choices.iter().map(|choice| format!("`\"{choice}\"`")).collect();
            choices.join(" or ")
        }
        Kind::Flag => "`true` or `false`".to_owned(),
        Kind::Number(quantity, range) => {
            let (least, most) = quantity.bounds();
            let unit = quantity.unit();
            match range {
                Range::Positive => format!("{unit}, above 0, at most {most}"),
                Range::NotNegative => format!("{unit}, {} to {most}", least.max(0)),
                Range::Any => format!("{unit}, {least} to {most}"),
            }
        }
        Kind::Date => "date or instant".to_owned(),
        Kind::Months => "list of months".to_owned(),
        Kind::Names => "list of names".to_owned(),
        Kind::Table(_) => "table".to_owned(),
        Kind::Tables(_) => "list of tables".to_owned(),
    }
}

/// One sentence a line, as Markdown is written here.
fn sentences(text: &str) -> String {
    text.replace(". ", ".\n")
}

const MACHINES_OPENING: &str = "\
# The machine table

This page is made from `crates/mw/src/config/machines.toml`.
To change it, change that and run `cargo xtask docs`.

A load names a model of this table; a site file may add its own as `[[rig_models]]` and `[[rack_models]]`.
Certainty says how far hash rate and draw, or GPUs and draw, are to be believed.
\"Published\" is the maker's or a test laboratory's figure, \"reseller table\" a shop's, which are often wrong, and \"unverified\" common knowledge without a source at hand.
The draw at rest is unverified in every row: a site that has measured its own writes `standby_w` or `standby_kw`.
There is one operating point for each model of rigs, because no tuning curve with a source and a date was at hand.
";

const CURVES_OPENING: &str = "
## Throughput against power

A rack without a `power_curve` of its own or its model's runs along the curve of its `workload`, where the row above says what limit its GPUs take.
What it draws beside its GPUs stays, whatever their limit: full power less all of their limits.
Of an H100's 700 W, 600 cost 5 to 8 % of the throughput of inference ([factryze.ai, glossary](https://factryze.ai/glossary/power-capping)) and 10 to 15 % of the steps of a pretraining ([scale atlas](https://factryze.ai/scale-atlas/power/power-capping)); the middle of each is what six sevenths of the power cost here, and the middle of both is `mixed`, what holds where no `workload` is said.
Assumed: that other GPUs lose as much at the same part of their power, and that each further seventh costs 1 % more than the one before it.
A point is left out where whole racks at rest beside whole racks at full power do better, so that each curve is concave: where half of the power is beside the GPUs, few points are left.

";

/// The curve that racks of each model have by their workload.
fn curves(page: &mut String, table: &Table) {
    page.push_str(CURVES_OPENING);
    let put = &mut |line: std::fmt::Arguments<'_>| self::put(page, line);
    put(format_args!("| model | beside its GPUs, kW | workload | kW: throughput |\n"));
    put(format_args!("|---|---|---|---|\n"));
    let kw = |power: units::Power| units::decimal::text(power.as_watts().into(), 3, 1);
    let mut scratch = Findings::new(machines::TABLE);
    for row in table.tables("rack_models") {
        let model = machines::rack_model(row, &mut scratch).expect("a right row");
        let Some(beside_gpus) = model.beside_gpus else { continue };
        let full = model.points.last().expect("it runs").power;
        let (standby, gpus) = (model.standby, model.gpus);
        let rack = workload::Rack { full, standby, beside_gpus, gpus };
        for (name, class) in workload::NAMES.iter().zip(Workload::ALL) {
            let points: Vec<_> = class
                .points(rack)
                .iter()
                .map(|point| {
                    let Rate::Throughput(share) = point.rate else {
                        unreachable!("a rack's rate")
                    };
                    let percent = units::decimal::text(share.as_ppm().into(), 4, 1);
                    format!("{}: {percent} %", kw(point.power))
                })
                .collect();
            let text = row.text("name").unwrap_or_default();
            let beside = kw(beside_gpus);
            put(format_args!(
                "| {text} | {beside} | `{name}` | {} |\n",
                points.join(", ")
            ));
        }
    }
}

/// The reference page of the machine table, in Markdown.
pub fn machines_reference() -> String {
    let mut scratch = Findings::new(machines::TABLE);
    let table = machines::table(&mut scratch);
    let mut page = MACHINES_OPENING.to_owned();
    put(
        &mut page,
        format_args!(
            "\n## Rigs\n\n\
             | model | maker | TH/s | W | J/TH | at rest, W | cooling | certainty | source | read |\n\
             |---|---|---|---|---|---|---|---|---|---|\n"
        ),
    );
    for row in table.tables("rig_models") {
        let efficiency = row
            .power("power_w")
            .zip(row.hash_rate("hashrate_ths"))
            .and_then(|(power, rate)| units::Efficiency::of(power, rate))
            .map_or(String::new(), |efficiency| {
                units::decimal::text(i128::from(efficiency.as_mj_per_th()), 3, 1)
            });
        let [rate, power, standby] =
            ["hashrate_ths", "power_w", "standby_w"].map(|key| row.shown(key));
        model(&mut page, row, &format!("{rate} | {power} | {efficiency} | {standby}"));
    }
    put(
        &mut page,
        format_args!(
            "\n## Racks\n\n\
             | model | maker | GPUs | kW | at rest, kW | limit of a GPU, W | cooling | certainty | source | read |\n\
             |---|---|---|---|---|---|---|---|---|---|\n"
        ),
    );
    for row in table.tables("rack_models") {
        let [gpus, power, standby, limit] =
            ["gpus_per_rack", "power_kw", "standby_kw", "gpu_limit_w"]
                .map(|key| row.shown(key));
        model(&mut page, row, &format!("{gpus} | {power} | {standby} | {limit}"));
    }
    curves(&mut page, &table);
    page
}

fn model(page: &mut String, row: &Table, figures: &str) {
    let text = |key| row.text(key).unwrap_or_default();
    let date = row.date("date").map_or(String::new(), |date| date.to_string());
    put(
        page,
        format_args!(
            "| {} | {} | {figures} | {} | {} | {} | {date} |\n",
            text("name"),
            text("maker"),
            text("cooling"),
            text("certainty"),
            text("source"),
        ),
    );
}

fn put(page: &mut String, text: std::fmt::Arguments<'_>) {
    page.write_fmt(text).expect("writing to a string does not fail");
}
