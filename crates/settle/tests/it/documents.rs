//! Documents: numbers without gaps and two pairs of eyes, whatever is tried.

use proptest::prelude::*;
use settle::calendar::Period;
use settle::contract::Hash;
use settle::documents::{Refusal, Register, State, Step};
use units::Timestamp;

const PEOPLE: [&str; 3] = ["ann", "bo", "cy"];
const CONTRACTS: [&str; 2] = ["CAP", "OTHER"];

fn at() -> Timestamp {
    Timestamp::from_unix_seconds(1_790_000_000)
}

fn draft(contract: &str, corrects: &[&str]) -> Step {
    Step::Draft {
        sha256: Hash::of(contract.as_bytes()),
        contract: contract.to_owned(),
        period: Period::new(2026, 4).expect("a month"),
        corrects: corrects.iter().map(|number| (*number).to_owned()).collect(),
    }
}

fn act(
    register: &mut Register,
    by: &str,
    number: &str,
    step: Step,
) -> Result<(), Refusal> {
    let event = register.event(at(), by, number, step);
    register.take(&event)
}

fn approve(contract: &str) -> Step {
    Step::Approve { sha256: Hash::of(contract.as_bytes()) }
}

fn issued(register: &mut Register, number: &str, corrects: &[&str]) {
    act(register, "ann", number, draft("CAP", corrects)).expect("a draft");
    act(register, "bo", number, approve("CAP")).expect("approved");
    act(register, "ann", number, Step::Issue).expect("issued");
}

#[test]
fn a_document_goes_from_draft_to_issue_by_two_people() {
    let mut register = Register::default();
    let number = "CAP-0001";
    act(&mut register, "ann", number, draft("CAP", &[])).expect("a draft");
    let same = act(&mut register, "ann", number, approve("CAP"));
    assert!(matches!(same, Err(Refusal::SamePerson { .. })), "{same:?}");
    let early = act(&mut register, "bo", number, Step::Issue);
    assert!(matches!(early, Err(Refusal::NotThere { .. })), "{early:?}");
    let other = act(&mut register, "bo", number, approve("another text"));
    assert!(matches!(other, Err(Refusal::OtherContent { .. })), "{other:?}");
    act(&mut register, "bo", number, approve("CAP")).expect("approved");
    let twice = act(&mut register, "cy", number, approve("CAP"));
    let said = twice.expect_err("approved already").to_string();
    assert!(said.contains("approved by bo"), "{said}");
    act(&mut register, "ann", number, Step::Issue).expect("issued");
    assert_eq!(register.document(number).map(|one| &one.state), Some(&State::Issued));
    let late =
        act(&mut register, "ann", number, Step::Withdraw { why: "late".to_owned() });
    assert!(matches!(late, Err(Refusal::NotThere { .. })), "{late:?}");
}

#[test]
fn a_disputed_document_is_corrected_by_a_later_one_that_refers_to_it() {
    let mut register = Register::default();
    issued(&mut register, "CAP-0001", &[]);
    let why = "the outage was ours".to_owned();
    act(&mut register, "tenant", "CAP-0001", Step::Dispute { why }).expect("disputed");
    let state = |register: &Register| {
        register.document("CAP-0001").expect("it is there").state.to_string()
    };
    assert_eq!(state(&register), "disputed: the outage was ours");
    issued(&mut register, "CAP-0002", &["CAP-0001"]);
    assert_eq!(state(&register), "corrected by CAP-0002");
    assert_eq!(register.issued("CAP").count(), 2);
    assert_eq!(register.gaps(), Vec::<String>::new());
}

#[test]
fn a_withdrawn_draft_leaves_its_number_to_the_next() {
    let mut register = Register::default();
    act(&mut register, "ann", "CAP-0001", draft("CAP", &[])).expect("a draft");
    let taken = act(&mut register, "bo", "CAP-0001", draft("CAP", &[]));
    assert!(matches!(taken, Err(Refusal::Taken { .. })), "{taken:?}");
    let ahead = act(&mut register, "bo", "CAP-0002", draft("CAP", &[]));
    assert!(matches!(ahead, Err(Refusal::NotNext { .. })), "{ahead:?}");
    let why = "facts came late".to_owned();
    act(&mut register, "ann", "CAP-0001", Step::Withdraw { why }).expect("withdrawn");
    issued(&mut register, "CAP-0001", &[]);
    assert_eq!(register.gaps(), Vec::<String>::new());
    assert_eq!(register.documents().len(), 2);
}

#[test]
fn an_event_that_does_not_follow_is_refused() {
    let mut register = Register::default();
    let first = register.event(at(), "ann", "CAP-0001", draft("CAP", &[]));
    let mut elsewhere = register.clone();
    register.take(&first).expect("the first");
    // Somebody else was first: the same place is taken.
    let second = elsewhere.event(at(), "bo", "CAP-0001", draft("CAP", &[]));
    let refused = register.take(&second);
    assert!(
        matches!(refused, Err(Refusal::OutOfPlace { expected: 2, .. })),
        "{refused:?}"
    );
    // An edited history has another chain.
    let mut edited = first;
    edited.by = "mallory".to_owned();
    elsewhere.take(&edited).expect("it is a history of its own");
    let next = elsewhere.event(at(), "bo", "CAP-0001", approve("CAP"));
    assert!(matches!(register.take(&next), Err(Refusal::OutOfPlace { .. })));
}

proptest! {
    /// I10: whatever people try, in whatever order, the numbers issued of a contract
    /// are one to the last, each once, and each was approved by a second person.
    #[test]
    fn numbers_have_no_gaps(tries in proptest::collection::vec(
        (0_usize..6, 0_usize..3, 0_usize..2, 0_u64..4), 0..120,
    )) {
        let mut register = Register::default();
        let mut drafted = std::collections::BTreeMap::new();
        for (what, who, which, number) in tries {
            let (by, contract) = (PEOPLE[who], CONTRACTS[which]);
            let number = format!("{contract}-{number:04}");
            let why = "so".to_owned();
            let step = match what {
                0 => draft(contract, &[]),
                1 => approve(contract),
                2 => Step::Issue,
                3 => Step::Withdraw { why },
                4 => Step::Dispute { why },
                _ => Step::Dismiss { why },
            };
            let before = register.documents().to_vec();
            let done = act(&mut register, by, &number, step);
            if done.is_err() {
                prop_assert_eq!(register.documents(), &before[..]);
                continue;
            }
            if what == 0 {
                drafted.insert(number.clone(), by);
            }
            if what == 1 {
                prop_assert!(drafted[&number] != by, "{} approved their own draft", by);
            }
            for contract in CONTRACTS {
                let numbers: Vec<String> =
                    register.issued(contract).map(|one| one.number.clone()).collect();
                let expected: Vec<String> =
                    (1..=numbers.len()).map(|n| format!("{contract}-{n:04}")).collect();
                prop_assert_eq!(numbers, expected);
            }
            prop_assert_eq!(register.gaps(), Vec::<String>::new());
        }
    }
}
