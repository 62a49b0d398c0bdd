//! Books from outside: every drawn record ties out, and what goes wrong in the world
//! ends in a clear state.

use std::fs;
use std::path::{Path, PathBuf};

use mw::books::export::{Journal, focus, statement_pdf};
use mw::books::register::{Done, RegisterFolder};
use mw::books::{Books, Source};
use settle::books::Root;
use settle::books::mining::PayoutState;
use settle::books::power::BillState;
use settle::documents::{Refusal, State, Step};
use settle::settlement::statements;
use sim::tenancy::Tenancy;
use units::Timestamp;

/// A folder of this test's own under the target folder, empty.
pub(crate) fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("the target folder can be written");
    folder
}

/// The books of a drawn contract and its record.
pub(crate) fn drawn(seed: u64) -> Books {
    let tenancy = Tenancy::draw(seed);
    Books::of_contract(tenancy.versions(), tenancy.facts(), None, Some(tenancy.as_of))
        .unwrap_or_else(|error| panic!("seed {seed}: {error:#}"))
}

#[test]
fn drawn_books_agree_with_their_records() {
    for seed in 0..60 {
        let books = drawn(seed);
        assert_eq!(books.check(), Vec::<String>::new(), "seed {seed}");
    }
}

#[test]
fn a_month_that_was_closed_is_left_alone() {
    for seed in 0..12 {
        let tenancy = Tenancy::draw(seed);
        let whole = drawn(seed);
        let issued = &whole.contracts[0].issued;
        for statement in issued.iter().step_by(3) {
            let (versions, facts) = (tenancy.versions(), tenancy.facts());
            let then = Books::of_contract(versions, facts, None, Some(statement.as_of))
                .expect("books");
            let closed = |books: &Books| -> Vec<String> {
                let entries = books.book.entries().iter();
                let before =
                    entries.filter(|entry| entry.date.period() <= statement.period);
                let shown = before.map(|entry| {
                    let postings = entry.postings.iter().map(|(account, amount)| {
                        format!("{} {amount}", books.book.get(*account).name)
                    });
                    let postings: Vec<String> = postings.collect();
                    format!("{} {} {}", entry.date, entry.id, postings.join(", "))
                });
                shown.collect()
            };
            assert_eq!(
                closed(&then),
                closed(&whole),
                "seed {seed}, {}",
                statement.period
            );
        }
    }
}

/// I11: what FOCUS says was billed on an invoice is what the invoice asks for.
#[test]
fn billed_costs_of_an_invoice_sum_to_what_is_payable() {
    for seed in 0..40 {
        let books = drawn(seed);
        let mut bytes = Vec::new();
        focus::usage(&books.contracts, &mut bytes).expect("written");
        let mut reader = csv::Reader::from_reader(bytes.as_slice());
        let head = reader.headers().expect("a head").clone();
        let column =
            |name: &str| head.iter().position(|found| found == name).expect("a column");
        let (cost, invoice) = (column("BilledCost"), column("InvoiceId"));
        let mut sums = std::collections::BTreeMap::<String, i64>::new();
        for row in reader.records() {
            let row = row.expect("a row");
            let places = u32::from(books.currency.places);
            let amount = units::decimal::exact(&row[cost], places).expect("an amount");
            *sums.entry(row[invoice].to_owned()).or_default() += amount;
        }
        for statement in &books.contracts[0].issued {
            let number = statement.number.as_deref().expect("issued");
            let billed = sums.get(number).copied().unwrap_or(0);
            assert_eq!(billed, statement.payable.as_minor(), "seed {seed}, {number}");
        }
    }
}

#[test]
fn exports_are_the_same_bytes_again() {
    let (first, second) = (drawn(3), drawn(3));
    for journal in Journal::ALL {
        let write = |books: &Books| {
            let mut bytes = Vec::new();
            journal.write(&books.book, &mut bytes).expect("written");
            bytes
        };
        assert_eq!(write(&first), write(&second), "{journal:?}");
    }
    let pdf = |books: &Books| {
        let one = &books.contracts[0];
        statement_pdf(&one.issued[0], &one.versions.first().zone, &books.parties)
            .expect("a PDF")
    };
    assert!(pdf(&first).starts_with(b"%PDF-"));
    assert_eq!(pdf(&first), pdf(&second));
}

const SITE: &str = "schema = \"site-books/1\"\nsite = \"North\"\ncurrency = \"USD\"\n\
                    timezone = \"America/Chicago\"\n";

fn site(name: &str, rest: &str, files: &[(&str, &str)]) -> anyhow::Result<Books> {
    let folder = folder(name);
    fs::write(folder.join("books.toml"), format!("{SITE}{rest}")).expect("written");
    for (file, text) in files {
        fs::write(folder.join(file), text).expect("written");
    }
    Books::load(Source { path: folder, facts: None, register: None, as_of: None })
}

fn balance(books: &Books, root: Root, parts: &[&str]) -> i64 {
    books.book.find(root, parts).map_or(0, |account| books.book.balance(account))
}

const POWER: &str = "[[power]]\nbiller = \"qse\"\naccrued = \"accrued.csv\"\n\
                     bills = \"bills.csv\"\n";
const ACCRUED: &str = "month,charge,kind,mwh,amount\n2026-04,energy,cost,1000,30000.00\n\
                       2026-04,delivery,cost,,2000.00\n2026-04,ecrs,revenue,,-500.00\n\
                       2026-05,energy,cost,1000,31000.00\n";

#[test]
fn a_bill_that_disagrees_is_explained_line_by_line() {
    // 10 MWh more than metered, another rate, a fee nobody agreed, a row that does not
    // multiply, delivery forgotten, a total that is not the sum.
    let bills = "number,date,month,charge,mwh,per_mwh,amount,total\n\
                 B-1,2026-05-12,2026-04,energy,1010,30.50,30805.00,33205.00\n\
                 B-1,2026-05-12,2026-04,late fee,,,1500.00,\n\
                 B-1,2026-05-12,2026-04,ecrs,,,-500.00,\n\
                 B-1,2026-05-12,2026-04,meter,1,100,400.00,\n";
    let files = [("accrued.csv", ACCRUED), ("bills.csv", bills)];
    let books = site("books-bill-disagrees", POWER, &files).expect("books");
    let bill = &books.bills[0].1[0];
    assert_eq!(bill.billed - bill.accrued, 3_320_500 - 3_150_000);
    let sum: i64 = bill.differences.iter().map(|one| one.amount).sum();
    assert_eq!(sum, bill.billed - bill.accrued);
    let shown: Vec<String> = bill
        .differences
        .iter()
        .map(|one| {
            let mark = if one.disputed { "disputed" } else { "trued up" };
            format!("{} {} {} {mark}", one.charge, one.cause.name(), one.amount)
        })
        .collect();
    assert_eq!(
        shown,
        [
            "energy Quantity 30500 disputed",
            "energy Price 50000 disputed",
            "late fee NotAccrued 150000 disputed",
            "meter Arithmetic 30000 disputed",
            "meter NotAccrued 10000 disputed",
            "delivery NotBilled -200000 disputed",
            "the whole bill Total 100000 disputed",
        ]
    );
    assert_eq!(bill.state, BillState::Disputed(170_500));
    assert_eq!(balance(&books, Root::Assets, &["DisputedCharges", "qse"]), 170_500);
    assert_eq!(balance(&books, Root::Liabilities, &["Payable", "qse"]), -3_320_500);
    // What of May is not billed stays accrued.
    assert_eq!(balance(&books, Root::Liabilities, &["AccruedPower", "qse"]), -3_100_000);
    assert_eq!(books.check(), Vec::<String>::new());

    for (decision, payable) in [("accepted", -3_320_500), ("taken-back", -3_150_000)] {
        let decided = format!("bill,date,by,decision\nB-1,2026-06-01,ann,{decision}\n");
        let rest = format!("{POWER}decisions = \"decided.csv\"\n");
        let files =
            [("accrued.csv", ACCRUED), ("bills.csv", bills), ("decided.csv", &decided)];
        let books = site("books-bill-decided", &rest, &files).expect("books");
        assert_eq!(balance(&books, Root::Assets, &["DisputedCharges", "qse"]), 0);
        assert_eq!(balance(&books, Root::Liabilities, &["Payable", "qse"]), payable);
    }
}

#[test]
fn a_resettlement_takes_the_place_of_the_bill_it_replaces() {
    let bills = "number,date,month,charge,mwh,per_mwh,amount,replaces\n\
                 B-1,2026-05-12,2026-04,energy,1000,30,30000.00,\n\
                 B-1,2026-05-12,2026-04,delivery,,,2000.00,\n\
                 B-1,2026-05-12,2026-04,ecrs,,,-500.00,\n\
                 B-1,2026-05-12,2026-04,fee,,,900.00,\n\
                 B-2,2026-07-12,2026-04,energy,1002,30,30060.00,B-1\n\
                 B-2,2026-07-12,2026-04,delivery,,,2000.00,\n\
                 B-2,2026-07-12,2026-04,ecrs,,,-500.00,\n";
    let files = [("accrued.csv", ACCRUED), ("bills.csv", bills)];
    let books = site("books-bill-replaced", POWER, &files).expect("books");
    let bills = &books.bills[0].1;
    assert_eq!(bills[0].state, BillState::Disputed(90_000));
    assert_eq!((bills[1].accrued, bills[1].billed), (3_240_000, 3_156_000));
    // The fee that was in dispute is gone again.
    assert_eq!(bills[1].state, BillState::Disputed(-90_000));
    assert_eq!(balance(&books, Root::Assets, &["DisputedCharges", "qse"]), 0);
    assert_eq!(balance(&books, Root::Liabilities, &["Payable", "qse"]), -3_156_000);
    assert_eq!(books.check(), Vec::<String>::new());
}

#[test]
fn a_bill_within_the_tolerance_is_trued_up() {
    let bills = "number,date,month,charge,mwh,per_mwh,amount,paid\n\
                 B-1,2026-05-12,2026-04,energy,1001,30,30030.00,2026-05-20\n\
                 B-1,2026-05-12,2026-04,delivery,,,2000.00,\n\
                 B-1,2026-05-12,2026-04,ecrs,,,-500.00,\n";
    let files = [("accrued.csv", ACCRUED), ("bills.csv", bills)];
    let books = site("books-bill-agrees", POWER, &files).expect("books");
    assert_eq!(books.bills[0].1[0].state, BillState::Agreed);
    let trued = balance(&books, Root::Expenses, &["Power", "TrueUp", "qse", "Quantity"]);
    assert_eq!(trued, 3_000);
    assert_eq!(balance(&books, Root::Liabilities, &["Payable", "qse"]), 0);
    assert_eq!(balance(&books, Root::Assets, &["Bank", "USD"]), -3_153_000);
}

const MINING: &str = "[mining]\nearned = \"earned.csv\"\npayouts = \"payouts.csv\"\n\
                      fees = { foundry = \"0.01\" }\n";
const EARNED: &str = "day,pool,btc,amount,ph\n2026-04-01,foundry,0.99,60000.00,1000\n\
                      2026-04-02,foundry,0.99,61000.00,1000\n";

#[test]
fn a_pool_that_underpays_owes_the_rest_until_it_pays_or_is_let_off() {
    // Nine tenths of the hashes, twice the fee, and a thousand satoshis gone.
    let short = "id,date,pool,from,to,btc,ph,fee,makes_good\n\
                 P1,2026-04-03,foundry,2026-04-01,2026-04-02,1.76399000,1800,0.02,\n";
    let files = [("earned.csv", EARNED), ("payouts.csv", short)];
    let books = site("books-pool-short", MINING, &files).expect("books");
    let payout = &books.payouts[0];
    assert_eq!(payout.state, PayoutState::Short(21_601_000));
    let shown: Vec<(&str, i64)> =
        payout.differences.iter().map(|(cause, part)| (cause.name(), *part)).collect();
    assert_eq!(
        shown,
        [("Hashes", -19_800_000), ("Fee", -1_800_000), ("Unexplained", -1_000)]
    );
    assert_eq!(
        balance(&books, Root::Assets, &["Pool", "Disputed", "foundry"]),
        21_601_000
    );
    assert_eq!(balance(&books, Root::Assets, &["Pool", "Earned", "foundry"]), 0);
    assert_eq!(books.check(), Vec::<String>::new());

    let made =
        format!("{short}P2,2026-04-09,foundry,2026-04-01,2026-04-02,0.21601000,,,P1\n");
    let files = [("earned.csv", EARNED), ("payouts.csv", made.as_str())];
    let books = site("books-pool-made-good", MINING, &files).expect("books");
    assert_eq!(books.payouts[0].state, PayoutState::MadeGood);
    assert_eq!(balance(&books, Root::Assets, &["Bitcoin"]), 198_000_000);

    let given_up = "payout,date,by\nP1,2026-05-01,ann\n";
    let rest = format!("{MINING}given_up = \"given-up.csv\"\n");
    let files =
        [("earned.csv", EARNED), ("payouts.csv", short), ("given-up.csv", given_up)];
    let books = site("books-pool-given-up", &rest, &files).expect("books");
    assert!(matches!(books.payouts[0].state, PayoutState::GivenUp(_)));
    assert_eq!(balance(&books, Root::Assets, &["Pool", "Disputed", "foundry"]), 0);
    // Its worth leaves revenue: 121 000 x 0.21601 / 1.98.
    let lost = balance(&books, Root::Income, &["Contra", "PoolDifference", "foundry"]);
    assert_eq!(lost, 1_320_061);
}

#[test]
fn a_row_that_cannot_be_read_is_named_and_nothing_is_posted() {
    let cases = [
        ("month,charge,amount\n2026-13,energy,1\n", "row 1, month: expected a month"),
        (
            "month,charge,amount\n2026-04,energy,1.005\n",
            "row 1, amount: expected a decimal",
        ),
        ("month,charge\n2026-04,energy\n", "expected a column `amount`, found none"),
        ("month,charge,amount,what\n", "found `what`"),
        ("month,charge,kind,amount\n2026-04,e,gift,1\n", "expected cost or revenue"),
    ];
    for (accrued, expected) in cases {
        let power = "[[power]]\nbiller = \"qse\"\naccrued = \"accrued.csv\"\n";
        let files = [("accrued.csv", accrued)];
        let Err(error) = site("books-bad-row", power, &files) else {
            panic!("expected an error for {accrued}");
        };
        let said = format!("{error:#}");
        assert!(said.contains(expected) && said.contains("accrued.csv"), "{said}");
    }
    let Err(error) = site("books-bad-key", "[power]\nbiler = \"x\"\n", &[]) else {
        panic!("expected an error");
    };
    assert!(format!("{error:#}").contains("books.toml"), "{error:#}");
}

#[test]
fn of_two_who_approve_at_once_one_is_first_and_nothing_is_lost() {
    let tenancy = (0..).map(Tenancy::draw).find(|drawn| {
        !statements(&drawn.versions(), &drawn.facts(), drawn.as_of)[0].is_held()
    });
    let tenancy = tenancy.expect("one that is not held");
    let (versions, facts) = (tenancy.versions(), tenancy.facts());
    let made = statements(&versions, &facts, tenancy.as_of);
    for round in 0..10 {
        let path = folder(&format!("books-register-{round}"));
        let register = RegisterFolder::at(&path);
        let (number, draft) = register.keep(&made[0]).expect("kept");
        let at = Timestamp::from_unix_seconds(1_790_000_000);
        let done = register.act(at, "ann", &number, &draft).expect("written");
        assert!(matches!(done, Done::Written));
        let Step::Draft { sha256, .. } = draft else { unreachable!("it is a draft") };
        let people = ["bo", "cy", "di", "ed", "fay", "gus"];
        let outcomes: Vec<(&str, Done)> = std::thread::scope(|scope| {
            let tries = people.map(|by| {
                let (register, number) = (register.clone(), number.clone());
                scope.spawn(move || {
                    let step = Step::Approve { sha256 };
                    (by, register.act(at, by, &number, &step).expect("it can be written"))
                })
            });
            tries.map(|one| one.join().expect("no panic")).into()
        });
        let won: Vec<&str> = outcomes
            .iter()
            .filter(|(_, done)| matches!(done, Done::Written))
            .map(|(by, _)| *by)
            .collect();
        assert_eq!(won.len(), 1, "{outcomes:?}");
        for (_, done) in &outcomes {
            if let Done::Refused(why) = done {
                let Refusal::NotThere { state, .. } = why else { panic!("{why}") };
                assert!(state.contains(won[0]), "{state}");
            }
        }
        let read = register.read().expect("it reads");
        let state = &read.document(&number).expect("it is there").state;
        assert!(matches!(state, State::Approved { approved, .. } if approved == won[0]));
    }
}

#[test]
fn a_register_that_was_touched_is_found() {
    let tenancy = (0..).map(Tenancy::draw).find(|drawn| {
        !statements(&drawn.versions(), &drawn.facts(), drawn.as_of)[0].is_held()
    });
    let tenancy = tenancy.expect("one that is not held");
    let (versions, facts) = (tenancy.versions(), tenancy.facts());
    let made = statements(&versions, &facts, tenancy.as_of);
    let path = folder("books-register-touched");
    let register = RegisterFolder::at(&path);
    let (number, draft) = register.keep(&made[0]).expect("kept");
    let at = Timestamp::from_unix_seconds(1_790_000_000);
    let Step::Draft { sha256, .. } = draft.clone() else { unreachable!("it is a draft") };
    for (by, step) in
        [("ann", draft), ("bo", Step::Approve { sha256 }), ("ann", Step::Issue)]
    {
        let done = register.act(at, by, &number, &step).expect("written");
        assert!(matches!(done, Done::Written), "{done:?}");
    }
    let load = || {
        let (versions, facts) = (tenancy.versions(), tenancy.facts());
        Books::of_contract(versions, facts, Some(&path), Some(tenancy.as_of))
    };
    let books = load().expect("books");
    assert_eq!(books.contracts[0].issued, made[..1]);
    assert_eq!(books.check(), Vec::<String>::new());
    // What a crash left behind is no event.
    fs::write(path.join("events/000004.partial-1-x"), "{").expect("written");
    assert!(load().is_ok());
    let second = path.join("events/000002.json");
    let text = fs::read_to_string(&second).expect("it is there");
    for spoiled in [text.replace("\"bo\"", "\"eve\""), text.replace(',', ", ")] {
        fs::write(&second, spoiled).expect("written");
        assert!(load().is_err());
    }
    fs::remove_file(&second).expect("removed");
    assert!(load().is_err());
    fs::write(&second, text).expect("written");
    let document = fs::read_dir(&path)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .find(|entry| entry.extension().is_some_and(|ending| ending == "json"))
        .expect("a document");
    let text = fs::read_to_string(&document).expect("it is there");
    fs::write(&document, text.replacen('1', "2", 1)).expect("written");
    assert!(load().is_err());
}

#[test]
fn the_example_says_what_is_open() {
    let path = crate::backtest::root().join("examples/north-books");
    let as_of = Some(Timestamp::parse("2026-06-10").expect("an instant"));
    let books = Books::load(Source { path, facts: None, register: None, as_of })
        .unwrap_or_else(|error| panic!("{error:#}"));
    assert_eq!(books.check(), Vec::<String>::new());
    let bills = &books.bills[0].1;
    assert_eq!(bills[0].state, BillState::Agreed);
    assert_eq!(bills[1].state, BillState::Disputed(437_500));
    assert_eq!(books.payouts[0].state, PayoutState::Agreed);
    assert!(matches!(books.payouts[1].state, PayoutState::Short(_)));
    // March was billed with a credit that April takes back.
    let numbers: Vec<&str> = books.contracts[0]
        .issued
        .iter()
        .filter_map(|one| one.number.as_deref())
        .collect();
    assert_eq!(numbers, ["NORTH-1-0001", "NORTH-1-0002", "NORTH-1-0003"]);
    let corrected = books.book.entries().iter().any(|entry| {
        entry.id == "NORTH-1-0002-corrects-2026-03" && entry.text.contains("facts 5")
    });
    assert!(corrected);
    let pack = mw::books::lender::document(&books);
    assert_eq!(pack["coverage"]["twelve_months_to"], "2026-05");
    assert_eq!(pack["tranches"][0]["acceptances"][0]["quantity"], 72);
    let text = mw::report::books::lender_text(&pack);
    assert!(text.contains("72 of 72 accepted"), "{text}");
}

#[test]
fn what_halls_and_models_earned_sums_to_what_the_run_earned() {
    let run = crate::backtest::fresh("books-worth");
    let folder = run.display().to_string();
    let range = ["--synth", "7", "--from", "2025-07-01", "--to", "2025-08-03"];
    let mut all = vec!["backtest", "examples/mixed-10mw", "--json", "--out", &folder];
    all.extend(range);
    let output = crate::backtest::mw(&all);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let summary: serde_json::Value =
        serde_json::from_slice(&output.stdout).expect("JSON");
    let estate =
        mw::books::worth::estate(&run).unwrap_or_else(|error| panic!("{error:#}"));
    let micro = |key: &str| {
        summary["policy"][key]
            .as_i64()
            .unwrap_or_else(|| panic!("{key}: {}", summary["policy"]))
    };
    for cut in [&estate.halls, &estate.models, &estate.loads] {
        let margin: i64 = cut.iter().map(|worth| worth.margin_micro_usd()).sum();
        assert_eq!(margin, micro("margin_micro_usd"));
    }
    // Room for a load is worth what the connection and its feeders are, in hindsight.
    let run_site = mw::config::load(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/mixed-10mw"),
    )
    .expect("a site")
    .site;
    for (worth, load) in estate.loads.iter().zip(&run_site.loads) {
        let above: Vec<&str> = run_site
            .path(load.feeder)
            .map(|at| run_site.feeders[at].name.as_str())
            .collect();
        let limits = summary["hindsight"]["limits"].as_array().expect("limits");
        let added = limits.iter().filter(|limit| match limit["limit"].as_str() {
            Some("import") => true,
            Some("feeder") => above.contains(&limit["of"].as_str().expect("a feeder")),
            _ => false,
        });
        let added: i64 =
            added.map(|limit| limit["added_micro_usd"].as_i64().expect("money")).sum();
        let mean = worth.shadow_micro_usd_per_mwh.expect("a run with hindsight");
        assert!(mean > 0, "{}: {mean}", worth.name);
        let hours = worth.seconds / 3_600;
        assert!((mean * hours - added).abs() <= 2 * hours, "{}: {mean}", worth.name);
    }
    // The same power, accrued by month and held against nothing yet.
    let text = "[[power]]\nbiller = \"qse\"\nfrom_run = true\n";
    let books = site("books-from-run", &format!("run = \"{folder}\"\n{text}"), &[])
        .unwrap_or_else(|error| panic!("{error:#}"));
    let power: i64 = estate.loads.iter().map(|worth| worth.power_micro_usd).sum();
    let accrued = balance(&books, Root::Liabilities, &["AccruedPower", "qse"]);
    assert!((accrued * 10_000 - power).abs() <= 3 * 10_000, "{accrued} {power}");
    assert_eq!(books.check(), Vec::<String>::new());
}

#[test]
fn a_statement_that_is_disputed_after_its_close_is_corrected_by_a_later_one() {
    let folder_of = crate::backtest::root().join("examples/north-books");
    let versions = mw::contract_files::versions(&folder_of.join("contract.toml"));
    let versions = versions.expect("an example");
    let facts = mw::contract_files::facts(&folder_of.join("facts.jsonl")).expect("facts");
    let as_of = Timestamp::parse("2026-06-10").expect("an instant");
    let made = statements(&versions, &facts, as_of);
    let path = folder("books-register-disputed");
    let register = RegisterFolder::at(&path);
    let at = Timestamp::from_unix_seconds(1_790_000_000);
    let act = |by: &str, number: &str, step: Step| {
        let done = register.act(at, by, number, &step).expect("written");
        assert!(matches!(done, Done::Written), "{done:?}");
    };
    let issue = |place: usize| {
        let (number, draft) = register.keep(&made[place]).expect("kept");
        let Step::Draft { sha256, .. } = draft.clone() else { unreachable!("a draft") };
        act("ann", &number, draft);
        act("bo", &number, Step::Approve { sha256 });
        act("ann", &number, Step::Issue);
    };
    issue(0);
    let why = "the tenant had switched them off".to_owned();
    act("tenant", "NORTH-1-0001", Step::Dispute { why });
    issue(1);
    let read = register.read().expect("it reads");
    let state = |number: &str| read.document(number).expect("it is there").state.clone();
    assert_eq!(state("NORTH-1-0001"), State::Corrected { by: "NORTH-1-0002".to_owned() });
    assert_eq!(state("NORTH-1-0002"), State::Issued);
    // Both are as they were issued, and the books have the correction beside them.
    let books =
        Books::of_contract(versions, facts, Some(&path), Some(as_of)).expect("books");
    assert_eq!(books.contracts[0].issued, made[..2]);
    assert_eq!(books.check(), Vec::<String>::new());
    let credit = balance(&books, Root::Income, &["Contra", "SLA", "NORTH-1", "H1"]);
    assert_eq!(credit, 0);
}

#[test]
fn what_was_exported_is_checked_and_left_alone() {
    let out = crate::backtest::fresh("books-exported");
    let folder = out.display().to_string();
    let given = ["examples/north-books", "--as-of", "2026-06-10"];
    let run = |command: &[&str], rest: &[&str]| {
        let output = crate::backtest::mw(&[command, &given, rest].concat());
        let said = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8_lossy(&said).into_owned())
    };
    for format in ["beancount", "focus", "ubl", "pdf", "text"] {
        let export = ["--format", format, "--out", &folder];
        let (code, said) = run(&["books", "export"], &export);
        assert_eq!(code, Some(0), "{format}: {said}");
    }
    let verify = ["--export", folder.as_str()];
    let (code, said) = run(&["books", "verify"], &verify);
    assert_eq!(code, Some(0), "{said}");
    let journal = out.join("books.beancount");
    let text = fs::read_to_string(&journal).expect("it is there");
    fs::write(&journal, text.replacen("60.00 USD", "60.01 USD", 1)).expect("written");
    let (code, said) = run(&["books", "verify"], &verify);
    assert!(code == Some(3) && said.contains("books.beancount"), "{said}");
    // A file that is not ours to lose is not written over.
    let again = ["--format", "beancount", "--out", &folder];
    let (code, said) = run(&["books", "export"], &again);
    assert!(code == Some(1) && said.contains("is there already"), "{said}");
    let (code, said) = run(&["books", "reconcile"], &[]);
    assert!(code == Some(1) && said.contains("wait for a decision"), "{said}");
    let verified = crate::backtest::mw(&["verify", "examples/north-books", "--json"]);
    assert!(verified.status.success());
}
