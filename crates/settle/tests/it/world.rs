//! A small language for contracts and facts, so that a rule fits on a page.
//!
//! A line is a fact: `accept H1 a,b 1 2026-04-01` or
//! `a down 2026-04-10T00:00..2026-04-10T05:00 ref=i1 known=2026-04-11`. Without
//! `known=` a fact is known when it ends, or when it begins if it has no end.
//! `raw KIND {json} FROM..TO` is any other fact.

use settle::calendar::Period;
use settle::contract::{Contract, Versions};
use settle::facts::Facts;
use settle::settlement::{statement, statements};
use settle::statement::Statement;
use std::fmt::Write;
use units::Timestamp;

/// Ten GPUs at 1.00 an hour for a year from April 2026, with `extra` sections.
pub(crate) fn contract(extra: &str) -> String {
    contract_with("", extra, "\"1.00\"")
}

/// The same with keys of the root and a price.
pub(crate) fn contract_with(root: &str, extra: &str, amount: &str) -> String {
    format!(
        "schema = \"capacity-contract/1\"\nid = \"CAP\"\nsupplier = \"site-co\"\n\
         customer = \"tenant\"\ncurrency = \"USD\"\ntimezone = \"UTC\"\n\
         effective = 2026-01-01\n{root}\n[billing]\ngrace_days = 5\ndue_days = 30\n\
         restate_limit_months = 24\n{extra}\n[[tranche]]\nid = \"H1\"\ngpus = 10\n\
         price = {{ unit = \"gpu-hour\", amount = {amount} }}\ndelivery = 2026-04-01\n\
         months = 12\n"
    )
}

pub(crate) fn versions(text: &str) -> Versions {
    let contract = Contract::read(text).unwrap_or_else(|problems| panic!("{problems}"));
    Versions::single(contract).expect("one version")
}

pub(crate) fn at(text: &str) -> Timestamp {
    let zoned = if text.contains('T') && !text.ends_with('Z') {
        format!("{text}Z")
    } else {
        text.to_owned()
    };
    Timestamp::parse(&zoned).unwrap_or_else(|error| panic!("{error}"))
}

pub(crate) fn month(text: &str) -> Period {
    Period::parse(text).expect("a month")
}

pub(crate) fn rfc3339(at: Timestamp) -> String {
    let text = at.to_string();
    if text.len() == 17 { text.replace('Z', ":00Z") } else { text }
}

/// One fact of the small language, not yet numbered.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    pub(crate) kind: String,
    pub(crate) body: String,
    pub(crate) from: Timestamp,
    pub(crate) to: Option<Timestamp>,
    pub(crate) known: Timestamp,
    /// Keys beside the usual ones, such as `"clock_offset_seconds":3`.
    pub(crate) extra: String,
    /// The number at the source, when it is not to be the next.
    pub(crate) source_seq: Option<u64>,
}

/// The units `a,b` or `u0..u9`.
fn units(text: &str) -> Vec<String> {
    match text.split_once("..") {
        Some((first, last)) => {
            let split = |text: &str| {
                let digits = text.trim_start_matches(|c: char| !c.is_ascii_digit());
                let name = &text[..text.len() - digits.len()];
                (name.to_owned(), digits.parse::<u32>().expect("a number"))
            };
            let ((name, first), (_, last)) = (split(first), split(last));
            (first..=last).map(|number| format!("{name}{number}")).collect()
        }
        None => text.split(',').map(str::to_owned).collect(),
    }
}

/// Reads the small language.
pub(crate) fn said(text: &str) -> Vec<Said> {
    let mut found = Vec::new();
    for line in text.lines().map(str::trim) {
        if line.is_empty() || line.starts_with("//") {
            continue;
        }
        let mut words: Vec<&str> = line.split_whitespace().collect();
        let option = |words: &mut Vec<&str>, key: &str| {
            let place = words.iter().position(|word| word.starts_with(key))?;
            Some(words.remove(place)[key.len()..].to_owned())
        };
        let known = option(&mut words, "known=");
        let reference = option(&mut words, "ref=");
        let cap = option(&mut words, "cap=");
        let domain = option(&mut words, "domain=");
        let replaces = option(&mut words, "replaces=");
        let source_seq = option(&mut words, "source_seq=");
        let offset = option(&mut words, "offset=");
        let when = words.pop().expect("a time");
        let (from, to) = match when.split_once("..") {
            Some((from, to)) => (at(from), Some(at(to))),
            None => (at(when), None),
        };
        let (kind, body) = match words.as_slice() {
            ["accept", tranche, names, size] => {
                let (contract, tranche) =
                    tranche.split_once('/').unwrap_or(("CAP", tranche));
                let size = match size.strip_suffix("kw") {
                    Some(kw) => format!("\"kw\":{kw}"),
                    None => format!("\"gpus\":{size}"),
                };
                let domain = domain
                    .map_or(String::new(), |domain| format!(",\"domain\":\"{domain}\""));
                let list: Vec<String> = units(names)
                    .iter()
                    .map(|unit| format!("{{\"unit\":\"{unit}\",{size}{domain}}}"))
                    .collect();
                let replaces = replaces.map_or(String::new(), |names| {
                    let names: Vec<String> =
                        units(&names).iter().map(|unit| format!("\"{unit}\"")).collect();
                    format!(",\"replaces\":[{}]", names.join(","))
                });
                let body = format!(
                    "{{\"contract\":\"{contract}\",\"tranche\":\"{tranche}\",\"units\":[{}]{replaces}}}",
                    list.join(",")
                );
                ("acceptance".to_owned(), body)
            }
            ["raw", kind, body @ ..] => ((*kind).to_owned(), body.join(" ")),
            [names, state] => {
                let list: Vec<String> =
                    units(names).iter().map(|unit| format!("\"{unit}\"")).collect();
                let reference =
                    reference.map_or(String::new(), |id| format!(",\"ref\":\"{id}\""));
                let cap =
                    cap.map_or(String::new(), |cap| format!(",\"cap_w_per_gpu\":{cap}"));
                let body = format!(
                    "{{\"units\":[{}],\"state\":\"{state}\"{reference}{cap}}}",
                    list.join(",")
                );
                ("unit_state".to_owned(), body)
            }
            _ => panic!("not a fact: {line}"),
        };
        found.push(Said {
            kind,
            body,
            from,
            to,
            known: known.map_or(to.unwrap_or(from), |known| at(&known)),
            extra: offset.map_or(String::new(), |offset| {
                format!(",\"clock_offset_seconds\":{offset}")
            }),
            source_seq: source_seq.map(|number| number.parse().expect("a number")),
        });
    }
    found
}

/// The facts as JSON lines, in the order in which they became known.
pub(crate) fn lines(said: &[Said]) -> String {
    let mut sorted: Vec<&Said> = said.iter().collect();
    sorted.sort_by_key(|fact| fact.known);
    let mut text = String::new();
    for (place, fact) in sorted.into_iter().enumerate() {
        let seq = place + 1;
        let source_seq =
            fact.source_seq.unwrap_or_else(|| u64::try_from(seq).expect("small") + 1_000);
        let to = fact
            .to
            .map_or(String::new(), |to| format!("\"valid_to\":\"{}\",", rfc3339(to)));
        writeln!(
            text,
            "{{\"seq\":{seq},\"site\":\"s\",\"source\":\"ops\",\"source_seq\":{source_seq},\
             \"kind\":\"{}\",\"valid_from\":\"{}\",{to}\"known_at\":\"{}\",\"body\":{}{}}}",
            fact.kind,
            rfc3339(fact.from),
            rfc3339(fact.known),
            fact.body,
            fact.extra
        )
        .expect("text grows");
    }
    text
}

pub(crate) fn facts(text: &str) -> Facts {
    let lines = lines(&said(text));
    Facts::read(&lines).unwrap_or_else(|problems| panic!("{problems}\n{lines}"))
}

/// The statements up to `as_of` as text, one line each with its lines below.
pub(crate) fn told(made: &[Statement]) -> String {
    let mut text = String::new();
    for statement in made {
        match &statement.number {
            Some(number) => writeln!(
                text,
                "{number} {} total {} payable {}",
                statement.period, statement.total, statement.payable
            ),
            None => writeln!(text, "held {}", statement.period),
        }
        .expect("text grows");
        for line in &statement.lines {
            let reference =
                line.correction.as_ref().map_or(String::new(), |correction| {
                    let number = correction.reference.as_deref().unwrap_or("none");
                    format!(" corrects {number}")
                });
            writeln!(
                text,
                "{} {} {} {}{reference}",
                line.tranche,
                line.service,
                line.kind.name(),
                line.amount
            )
            .expect("text grows");
        }
        for hold in &statement.held {
            writeln!(text, "because {}", hold.text).expect("text grows");
        }
    }
    text
}

/// Checks the statements up to `as_of` against a table.
#[track_caller]
pub(crate) fn check(contract: &str, said: &str, as_of: &str, expected: &str) {
    let made = statements(&versions(contract), &facts(said), at(as_of));
    same(&told(&made), expected);
}

/// Checks the one statement of `period`, all earlier months billed in it.
#[track_caller]
pub(crate) fn check_once(contract: &str, said: &str, period: &str, expected: &str) {
    let versions = versions(contract);
    let period = month(period);
    let as_of = settle::settlement::cut(versions.first(), period);
    let made = statement(&versions, &facts(said), &[], period, as_of);
    let lines: Vec<String> =
        told(&[made]).lines().skip(1).map(|line| format!("{line}\n")).collect();
    let lines: Vec<&str> = lines
        .iter()
        .map(String::as_str)
        .filter(|line| !line.contains("to be settled first"))
        .collect();
    same(&lines.concat(), expected);
}

#[track_caller]
pub(crate) fn same(found: &str, expected: &str) {
    let tidy = |text: &str| -> Vec<String> {
        text.lines()
            .map(|line| line.split("//").next().unwrap_or(""))
            .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
            .filter(|line| !line.is_empty())
            .collect()
    };
    let (found, expected) = (tidy(found), tidy(expected));
    assert!(
        found == expected,
        "\nfound:\n{}\n\nexpected:\n{}\n",
        found.join("\n"),
        expected.join("\n")
    );
}
