//! The deal book: what public deals come to by our own code, beside what was published.
//!
//! `examples/deals/README.md` is made here, so that its figures are those of this code.

use std::fmt::Write;
use std::sync::atomic::AtomicBool;

use mw::plan_file;
use mw::plan_run::run;
use plan::Answer;
use serde::Deserialize;
use settle::contract::Contract;
use settle::prepayment::{agreed, signed_value};

use crate::backtest::root;

/// Futures that the plan of the first deal is lived over.
const FUTURES: u64 = 40;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Book {
    rent_usd_per_kw_month: f64,
    rises_percent_per_year: f64,
    lease: Vec<Lease>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Lease {
    name: String,
    mw: u32,
    delivery: toml::value::Datetime,
    source: String,
    figures: Vec<Figure>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Figure {
    what: String,
    mw: Option<u32>,
    years: u32,
    published: f64,
    kind: Kind,
    why: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Prediction,
    Check,
}

/// One line of the page.
struct Row {
    deal: String,
    what: String,
    unit: &'static str,
    computed: f64,
    published: f64,
    kind: Kind,
    why: String,
    source: String,
}

fn book() -> Book {
    let path = root().join("examples/deals/deals.toml");
    let text = std::fs::read_to_string(path).expect("the book");
    toml::from_str(&text).unwrap_or_else(|error| panic!("{error}"))
}

/// What a contract's tranches are worth as signed, in billions of dollars.
fn billions(contract: &Contract) -> f64 {
    let values = contract.tranches.iter().map(|tranche| {
        let value = signed_value(contract, tranche);
        value.numerator() as f64 / value.denominator() as f64
    });
    values.sum::<f64>() / 1e9
}

/// A lease as a contract: a monthly rent for megawatts that rises each year.
fn contract(book: &Book, lease: &Lease, mw: u32, years: u32) -> Contract {
    let first: i32 = lease.delivery.to_string()[..4].parse().expect("a year");
    let rest = lease.delivery.to_string()[4..].to_owned();
    let rent = |year: u32| {
        let rise = (1.0 + book.rises_percent_per_year / 100.0)
            .powi(i32::try_from(year).expect("a few years"));
        format!("{:.2}", f64::from(mw) * 1_000.0 * book.rent_usd_per_kw_month * rise)
    };
    let steps: Vec<String> = (1..years)
        .map(|year| {
            let from = first + i32::try_from(year).expect("a few years");
            format!("{{ from = {from}{rest}, amount = \"{}\" }}", rent(year))
        })
        .collect();
    let text = format!(
        "schema = \"capacity-contract/1\"\nid = \"LEASE\"\nsupplier = \"owner\"\n\
         customer = \"tenant\"\ncurrency = \"USD\"\ntimezone = \"UTC\"\n\
         effective = 2024-01-01\n\
         [billing]\ngrace_days = 5\ndue_days = 30\nrestate_limit_months = 24\n\
         [power]\nmode = \"pass-through\"\nestimate_per_mwh = \"40\"\n\
         [[tranche]]\nid = \"ALL\"\ndelivery = {first}{rest}\nmonths = {}\n\
         price = {{ unit = \"mw-month\", mw = \"{mw}\", amount = \"{}\", steps = [ {} ] }}\n",
        years * 12,
        rent(0),
        steps.join(", ")
    );
    Contract::read(&text).unwrap_or_else(|problems| panic!("{problems}"))
}

fn leases(book: &Book) -> Vec<Row> {
    let mut rows = Vec::new();
    for lease in &book.lease {
        for figure in &lease.figures {
            let mw = figure.mw.unwrap_or(lease.mw);
            rows.push(Row {
                deal: lease.name.clone(),
                what: figure.what.clone(),
                unit: "billion USD",
                computed: billions(&contract(book, lease, mw, figure.years)),
                published: figure.published,
                kind: figure.kind,
                why: figure.why.clone(),
                source: lease.source.clone(),
            });
        }
    }
    rows
}

/// The deal that has a whole plan, and the least coverage of its futures: the middle one.
fn cloud() -> (Vec<Row>, f64) {
    let path = root().join("examples/childress-750mw");
    let loaded = plan_file::load(&path).unwrap_or_else(|error| panic!("{error}"));
    let contract = &loaded.plan.deals[0].contract;
    let stop = AtomicBool::new(false);
    let found = run(&loaded.plan, 1, 0..FUTURES, 2, &stop, &|_| {});
    let answer = Answer::of(&loaded.plan, &found.outcomes).expect("futures");
    let [ahead, drawn, machines] = answer.funded_usd.last().copied().expect("months");
    let value = billions(contract);
    let paid_ahead: f64 = contract
        .tranches
        .iter()
        .map(|tranche| agreed(contract, tranche).as_minor() as f64 / 100.0)
        .sum();
    let racks = answer.per_mwh[1].expect("racks serve");
    let row = |what: &str, unit, computed, published, why: &str, source: &str| Row {
        deal: "IREN and Microsoft, Childress".to_owned(),
        what: what.to_owned(),
        unit,
        computed,
        published,
        kind: Kind::Check,
        why: why.to_owned(),
        source: source.to_owned(),
    };
    let eight_k = "8-K of November 2025, stocktitan.net";
    let rows = vec![
        row("contract", "billion USD", value, 9.7, "the price is made of it", eight_k),
        row(
            "contract, a year",
            "billion USD",
            value / 5.0,
            1.94,
            "value over the term",
            "reportify.ai, ainvest.com",
        ),
        row(
            "a MWh of critical IT load",
            "USD",
            // At the meter of halls with an overhead of 1.10.
            racks.earned * 1.1,
            1_107.0,
            "200 MW over the plan's racks; less credits for lateness and failures",
            "nobody: 1.94 billion a year over 200 MW, both public",
        ),
        row(
            "paid ahead",
            "billion USD",
            paid_ahead / 1e9,
            1.9,
            "a share that is public, of the contract",
            "release of Q2 FY26, stocktitan.net",
        ),
        row(
            "machines paid by tenant and lenders",
            "%",
            (ahead + drawn) / -machines * 100.0,
            96.2,
            "a sum of public figures: 5.59 of 5.81 billion are published",
            "8-K of 1 June 2026, secwatch.observer",
        ),
    ];
    (rows, answer.coverage_least.expect("debt is served").p50)
}

fn off(row: &Row) -> f64 {
    let percent = (row.computed / row.published - 1.0) * 100.0;
    // No minus before a figure that is shown as nought.
    (percent * 10.0).round() / 10.0 + 0.0
}

fn page(rows: &[Row], coverage: f64) -> String {
    let mut out = String::from(
        "# deals\n\n\
         Five public deals, as far as public figures go: what our code makes of their terms, beside what was published.\n\n\
         - The cloud contract of Childress is a whole plan: `mw plan examples/childress-750mw`. Its README says where each figure comes from.\n\
         - The leases are in `deals.toml`: each is written as a contract with a monthly rent for its megawatts, and valued by the code that settles contracts.\n\n\
         A **check** computes a figure from others that it was made of, or that are published beside it: it shows that figures and code agree, and nothing more.\n\
         A **prediction** rests on something carried over from another deal, and could have failed.\n",
    );
    for (kind, title) in [(Kind::Prediction, "Predictions"), (Kind::Check, "Checks")] {
        write!(
            out,
            "\n## {title}\n\n| deal | figure | computed | published | off | because | published by |\n|---|---|---|---|---|---|---|\n"
        )
        .expect("text grows");
        for row in rows.iter().filter(|row| row.kind == kind) {
            writeln!(
                out,
                "| {} | {}, {} | {:.2} | {} | {:+.1} % | {} | {} |",
                row.deal,
                row.what,
                row.unit,
                row.computed,
                row.published,
                off(row),
                row.why,
                row.source
            )
            .expect("text grows");
        }
    }
    write!(
        out,
        "\nOne rent carries over between the two leases to one tenant, with the same backstop: all three figures within a tenth.\n\
         It does not carry over to another tenant: AWS pays over a third less for a megawatt, CoreWeave a fifth. Why is not public; who builds, who backs the rent and what is leased differ.\n\
         A plan for such a deal needs its own rent; another deal's is no forecast.\n\n\
         Lenders ask for coverage of at least 1.05 at Childress; the least that the plan comes to over its months is {coverage:.2} in the middle one of {FUTURES} futures.\n\
         Neither a check nor a prediction: we know of no published coverage that it could be held against.\n\n\
         ## What is assumed\n\n\
         - `deals.toml`: the rent, its rise of 2.9 % a year, and every delivery day; that each lease begins at once, not by phases, and rises alike; that AWS's 300 MW are critical IT load.\n\
         - The leases pass power through, which moves no figure here. Backstops and warrants are left out.\n\
         - Childress: everything marked \"assumed\" in its contract, site and plan: dates of tranches, service levels, delay credits, who bears power.\n\n\
         A test makes this page and fails where it is stale: `MW_UPDATE_REFERENCE=1 cargo nextest run -p mw -E 'test(the_deal_book)'`.\n"
    )
    .expect("text grows");
    out
}

#[test]
fn the_deal_book_is_a_reference_that_is_fresh() {
    let book = book();
    let (mut rows, coverage) = cloud();
    rows.extend(leases(&book));
    // What is told in words holds.
    for row in &rows {
        let off = off(row).abs();
        match row.kind {
            Kind::Check => assert!(off < 2.5, "{} {}: {off}", row.deal, row.what),
            Kind::Prediction if row.deal.contains("TeraWulf") => {
                assert!(off < 10.0, "{} {}: {off}", row.deal, row.what);
            }
            Kind::Prediction => {
                // What the tenant pays less than that: over a third, and a fifth.
                let less = 1.0 - row.published / row.computed;
                let told = if row.deal.contains("AWS") { 0.34..0.5 } else { 0.18..0.25 };
                assert!(told.contains(&less), "{} {}: {less}", row.deal, row.what);
            }
        }
    }
    assert!(coverage > 1.05, "{coverage}");
    let made = page(&rows, coverage);
    let path = root().join("examples/deals/README.md");
    if std::env::var_os("MW_UPDATE_REFERENCE").is_some() {
        std::fs::write(&path, &made).expect("the page can be written");
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == made, "examples/deals/README.md is stale: run `cargo xtask docs`");
}

/// A level rent by hand: 100 MW at 100 USD a kW and month, for two years, the second
/// dearer by a tenth.
#[test]
fn a_lease_is_worth_its_rent_by_month() {
    let book = Book {
        rent_usd_per_kw_month: 100.0,
        rises_percent_per_year: 10.0,
        lease: vec![Lease {
            name: "L".into(),
            mw: 100,
            delivery: "2026-03-01".parse().expect("a day"),
            source: String::new(),
            figures: Vec::new(),
        }],
    };
    let value = billions(&contract(&book, &book.lease[0], 100, 2));
    assert!((value - 0.252).abs() < 1e-9, "{value}");
}
