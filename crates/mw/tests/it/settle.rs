//! The public contract in `examples/childress-750mw`, settled over its whole term, and
//! what `mw settle` leaves behind.

use settle::prepayment::signed_value;
use settle::settlement::{cut, differences, statements};
use settle::statement::{LineKind, Statement};
use sim::tenancy::{Pace, term};

use crate::backtest::{fresh, mw, root};

/// What posted lines of a kind come to, in minor units.
fn sum(made: &[Statement], kind: LineKind) -> i64 {
    let lines = made.iter().flat_map(|one| &one.lines);
    lines.filter(|line| line.kind == kind).map(|line| line.amount.as_minor()).sum()
}

#[test]
fn the_prepayment_ends_at_nothing_and_the_total_is_the_contract_less_credits() {
    let path = root().join("examples/childress-750mw/contract.toml");
    let versions = mw::contract_files::versions(&path).expect("an example");
    let contract = versions.first();
    let text = term(contract, 7, Pace { incidents_a_day: 4 });
    let facts = settle::facts::Facts::read(&text).expect("what is drawn is read");
    let last = facts.all().last().expect("facts").known_at;
    let far = contract.zone.months_after(last, 2);
    let as_of = cut(contract, contract.zone.period(far));
    let made = statements(&versions, &facts, as_of);
    assert!(
        made.iter().all(|one| !one.is_held()),
        "{:?}",
        made.last().map(|one| &one.held)
    );

    let end = made.last().expect("statements");
    for row in &end.prepayment {
        assert_eq!(row.received, row.agreed, "{}", row.tranche);
        assert_eq!(row.applied, row.received, "{}", row.tranche);
        assert!(row.remaining.is_zero() && row.refunded.is_zero(), "{}", row.tranche);
    }
    // Every tranche is in service for five years of 43,824 hours, whenever they begin:
    // what is billed is what was signed, but for a rounding each month.
    let signed: i64 = contract
        .tranches
        .iter()
        .map(|tranche| {
            let value =
                signed_value(contract, tranche) * contract.currency.minor_per_unit();
            i64::try_from(value.floor()).expect("it fits")
        })
        .sum();
    let capacity = sum(&made, LineKind::Capacity);
    assert!((capacity - signed).abs() <= 200, "{capacity} billed, {signed} signed");
    let credits = sum(&made, LineKind::Sla) + sum(&made, LineKind::Delay);
    assert!(sum(&made, LineKind::Delay) < 0 && sum(&made, LineKind::Sla) < 0);
    let total: i64 = made.iter().map(|one| one.total.as_minor()).sum();
    let prepaid = sum(&made, LineKind::Prepayment);
    assert_eq!(total, capacity + credits + prepaid);
    let payable: i64 = made.iter().map(|one| one.payable.as_minor()).sum();
    assert_eq!(payable, total + end.carried_out.as_minor());

    // Built again from contract and facts alone.
    let place = made.len() / 2;
    assert_eq!(
        differences(&versions, &facts, &made[..place], &made[place]),
        Vec::<String>::new()
    );
    let mut altered = made[place].clone();
    altered.lines[0].amount =
        settle::exact::Amount::from_minor(altered.lines[0].amount.as_minor() + 1, 2);
    assert!(!differences(&versions, &facts, &made[..place], &altered).is_empty());
}

/// A contract may be called what no file can be, and what was written is enough to settle
/// and to verify again.
#[test]
fn what_is_written_can_be_settled_shown_and_verified_again() {
    let given = fresh("settle-given");
    std::fs::create_dir_all(&given).expect("a folder");
    let write = |name: &str, text: &str| {
        let path = given.join(name);
        std::fs::write(&path, text).expect("a file");
        path.display().to_string()
    };
    let contract = write(
        "contract.toml",
        "schema = \"capacity-contract/1\"\nid = \"../CAP 7\"\nsupplier = \"s\"\n\
         customer = \"c\"\ncurrency = \"USD\"\ntimezone = \"UTC\"\n\
         effective = 2026-01-01\n[billing]\ngrace_days = 5\ndue_days = 30\n\
         restate_limit_months = 24\n[[tranche]]\nid = \"H1\"\ngpus = 10\n\
         price = { unit = \"gpu-hour\", amount = \"1.00\" }\n\
         delivery = 2026-04-01\nmonths = 12\n",
    );
    let fact = |seq: u32, kind: &str, body: &str| {
        format!(
            "{{\"seq\":{seq},\"site\":\"s\",\"source\":\"ops\",\"source_seq\":{seq},\
             \"kind\":\"{kind}\",\"valid_from\":\"2026-04-01T00:00:00Z\",\
             \"known_at\":\"2026-04-01T00:00:00Z\",\"body\":{body}}}\n"
        )
    };
    let accepted = "{\"contract\":\"../CAP 7\",\"tranche\":\"H1\",\
                    \"units\":[{\"unit\":\"a\",\"gpus\":10}]}";
    let up = "{\"unit\":\"a\",\"state\":\"available\"}";
    let record = fact(1, "acceptance", accepted) + &fact(2, "unit_state", up);
    let facts = write("facts.jsonl", &record);
    let out = fresh("settle-out").display().to_string();
    let due = ["--as-of", "2026-06-10"];
    let said = |arguments: &[&str]| {
        let output = mw(arguments);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "mw {arguments:?}: {error}");
        String::from_utf8(output.stdout).expect("UTF-8")
    };
    let first = said(
        &[&["settle", &contract, "--facts", &facts, "--out", &out], &due[..]].concat(),
    );
    assert!(first.contains("../CAP 7-0002") && first.contains("7,440.00"), "{first}");
    assert!(std::path::Path::new(&out).join("..-CAP-7-0002.json").is_file());
    assert_eq!(
        said(&[&["settle", &contract, "--facts", &out], &due[..]].concat()),
        first
    );
    let page = said(&["statement", "show", &out, "../CAP 7-0002"]);
    assert!(page.contains("26,784,000 GPU-seconds"), "{page}");
    let verified =
        said(&["statement", "verify", &out, "--contract", &contract, "--facts", &out]);
    assert_eq!(verified.matches("as contract and facts say").count(), 2, "{verified}");
}
