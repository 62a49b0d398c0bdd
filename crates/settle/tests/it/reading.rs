//! Reading contracts: every problem at once, each with line, key and what to do.

use crate::world::{contract, contract_with, facts, versions};
use settle::contract::{Contract, Versions};
use settle::settlement::{differences, statements};
use settle::statement::Statement;

#[track_caller]
fn check_refused(text: &str, expected: &[&str]) {
    let problems = Contract::read(text).expect_err("problems").to_string();
    let lines: Vec<&str> = problems.lines().collect();
    assert_eq!(lines.len(), expected.len(), "{problems}");
    for (line, expected) in lines.iter().zip(expected) {
        assert!(line.contains(expected), "expected {expected}\nin {problems}");
    }
}

#[test]
fn all_problems_are_found_in_one_reading() {
    check_refused(
        &contract("[sla]\ntarget = 0.995\ntiers = []\nmood = \"good\"")
            .replace("USD", "QQQ")
            .replace("months = 12", "months = \"12\"")
            .replace("grace_days = 5\n", ""),
        &[
            "line 5: `currency`: expected a currency of ISO 4217",
            "line 9: `billing.grace_days`: expected a whole number from 0 to 60, found nothing",
            "line 13: `sla.target`: expected a decimal number in quotes",
            "line 15: `sla.mood`: expected one of",
            "line 21: `tranche[1].months`: expected a whole number",
        ],
    );
}

#[test]
fn terms_that_contradict_each_other_are_refused() {
    let tiers =
        |list: &str| contract(&format!("[sla]\ntarget = \"0.99\"\ntiers = [{list}]"));
    for (text, expected) in [
        (tiers("{ below = \"0.995\", credit = \"0.1\" }"), "at most the target 0.99"),
        (
            tiers(
                "{ below = \"0.99\", credit = \"0.1\" }, { below = \"0.9\", credit = \"0.05\" }",
            ),
            "a worse availability never earns less",
        ),
        (tiers("{ below = \"0.99\", credit = \"0\" }"), "above 0 and at most 1"),
        (
            contract("[sla]\ntarget = \"0.9\"\ntiers = []\nyear_cap = \"1.1\""),
            "from 0 to 1",
        ),
        (
            contract(
                "[delay]\ncredit = { per_day = \"0.02\", of = \"monthly-fee\", cap_days = 51 }",
            ),
            "a credit above the monthly fee",
        ),
        (
            contract("[prepayment]\npercent = \"101\"\ncredit_from = 1\ncredit_over = 1"),
            "from 0 to 100",
        ),
        (
            contract("[prepayment]\npercent = \"10\"\ncredit_from = 7\ncredit_over = 7"),
            "the 13 months in which the prepayment is credited, found 12",
        ),
        (contract_with("", "", "\"-1\""), "not negative, found -1"),
        (
            contract_with(
                "",
                "",
                "\"1\", steps = [{ from = 2026-03-01, amount = \"2\" }]",
            ),
            "a day within the term",
        ),
        (
            contract_with("", "", "\"1\", index = { name = \"x\", base = \"0\" }"),
            "a base above 0",
        ),
        (contract("").replace("gpus = 10", "gpus = 0"), "a whole number from 1"),
        (contract("").replace("\"UTC\"", "\"Mars/Olympus\""), "Mars/Olympus"),
        (contract("").replace("= 2026-04-01", "= 2200-01-01"), "from 2000 to 2199"),
        (contract("").replace("= 2026-04-01", "= 1999-12-31"), "from 2000 to 2199"),
        (
            contract("[power]\nmode = \"pass-through\"\nestimate_per_mwh = \"1000001\""),
            "`power.estimate_per_mwh`: expected a price of at most 1000000, found 1000001",
        ),
        (
            contract("[power]\nmode = \"index\"\nindex = \"x\"\nadder = \"-1000000.5\""),
            "`power.adder`: expected a price of at most 1000000, found -1000000.5",
        ),
        (
            contract("[take_or_pay]\npercent = \"80\"")
                .replace("\"gpu-hour\"", "\"flat\""),
            "expected \"gpu-hour\" where take-or-pay is below 100",
        ),
        (
            contract("").replace("grace_days", "mode = \"advance\"\ngrace_days"),
            "expected \"arrears\"",
        ),
        (
            contract("").replace("grace_days", "period = \"week\"\ngrace_days"),
            "expected \"calendar-month\"",
        ),
    ] {
        check_refused(&text, &[expected]);
    }
    let twice = contract("");
    let tranche = twice.split_once("[[tranche]]").expect("a tranche").1;
    check_refused(
        &format!("{twice}[[tranche]]{tranche}"),
        &["expected a new name, found H1"],
    );
}

#[test]
fn a_chain_with_a_fork_a_gap_or_a_wrong_hash_is_refused() {
    let read = |text: &str| Contract::read(text).expect("a contract");
    let first = read(&contract(""));
    let amend = |hash: &str, effective: &str, amount: &str| {
        let text = contract_with(&format!("supersedes = \"{hash}\""), "", amount);
        read(&text.replace("effective = 2026-01-01", &format!("effective = {effective}")))
    };
    let hash = first.hash.to_string();
    let second = amend(&hash, "2026-05-01", "\"2\"");
    let refused = |chain: Vec<Contract>, reason: &str| {
        let problems = Versions::chain(chain).expect_err(reason).to_string();
        assert!(problems.contains(reason), "{problems}");
    };
    refused(vec![second.clone()], "a version that supersedes nothing, found none");
    let fork = amend(&hash, "2026-06-01", "\"3\"");
    refused(vec![first.clone(), second.clone(), fork], "withdraw the others");
    let gap = amend(&"0".repeat(64), "2026-06-01", "\"3\"");
    refused(
        vec![first.clone(), second.clone(), gap],
        "give the version with that hash too",
    );
    let within = amend(&hash, "2026-05-02", "\"2\"");
    refused(vec![first.clone(), within], "change prices within a month by price steps");
    assert!(Versions::chain(vec![second, first]).is_ok());
}

#[test]
fn a_statement_reads_back_and_verifies_and_a_change_is_found() {
    let sla = "[sla]\ntarget = \"1\"\ntiers = [{ below = \"1\", credit = \"0.10\" }]\n\
               [tax]\ncapacity = \"5\"";
    let versions = versions(&contract(sla));
    let record = facts(
        "accept H1 a 10 2026-04-01
         a available 2026-04-01
         a down 2026-04-10..2026-04-10T03:00",
    );
    let made = statements(&versions, &record, crate::world::at("2026-06-06"));
    for (place, statement) in made.iter().enumerate() {
        let json = statement.to_json();
        let back = Statement::from_json(&json).expect("a statement");
        assert_eq!(back, *statement);
        assert_eq!(back.to_json(), json);
        assert_eq!(differences(&versions, &record, &made[..place], statement), [""; 0]);
    }
    let forged = made[0].to_json().replace("-720.00", "-72.00");
    let forged = Statement::from_json(&forged).expect("a statement");
    let found = differences(&versions, &record, &[], &forged);
    assert!(found[0].starts_with("line H1 2026-04 sla: the statement says"), "{found:?}");
}
