//! The chain of a contract's versions, and which one settles which month.

use super::{Contract, Hash, Problem, Problems};
use crate::calendar::Period;

/// A contract and its amendments, in order.
///
/// The first supersedes nothing; each other one supersedes the one before it,
/// has the same id, currency and zone, and becomes effective on the first of a
/// later month.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Versions(Vec<Contract>);

impl Versions {
    /// A contract without amendments.
    ///
    /// # Errors
    /// When it says that it amends another.
    pub fn single(contract: Contract) -> Result<Self, Problems> {
        Self::chain(vec![contract])
    }

    /// Orders versions into a chain.
    ///
    /// # Errors
    /// When they do not form one: nothing at the start, a fork, a gap, a hash
    /// that nothing has, another id, currency or zone, or an effective date
    /// that is not the first of a later month.
    pub fn chain(contracts: Vec<Contract>) -> Result<Self, Problems> {
        let mut problems = Vec::new();
        let mut note = |text: String| {
            problems.push(Problem { line: 1, key: "supersedes".to_owned(), text });
        };
        let mut rest = contracts;
        let mut chain: Vec<Contract> = Vec::new();
        loop {
            let previous: Option<Hash> = chain.last().map(|last| last.hash);
            let mut found: Vec<Contract> =
                rest.extract_if(.., |contract| contract.supersedes == previous).collect();
            if found.len() > 1 {
                note(match previous {
                    Some(hash) => format!(
                        "expected one amendment of {hash}, found {}; withdraw the others",
                        found.len()
                    ),
                    None => format!(
                        "expected one version that supersedes nothing, found {}; \
                         give the later ones the hash they amend",
                        found.len()
                    ),
                });
            }
            if found.is_empty() {
                break;
            }
            chain.push(found.swap_remove(0));
        }
        for contract in &rest {
            note(match contract.supersedes {
                Some(hash) => format!(
                    "expected the hash of a version given, found {hash}; \
                     give the version with that hash too"
                ),
                None => "expected one version that supersedes nothing".to_owned(),
            });
        }
        if chain.is_empty() {
            note("expected a version that supersedes nothing, found none".to_owned());
        }
        for pair in chain.windows(2) {
            for (what, before, after) in [
                ("id", &pair[0].id, &pair[1].id),
                ("currency", &pair[0].currency.code, &pair[1].currency.code),
                (
                    "timezone",
                    &pair[0].zone.name().to_owned(),
                    &pair[1].zone.name().to_owned(),
                ),
            ] {
                if before != after {
                    note(format!(
                        "expected the {what} {before} of the version it amends, found {after}"
                    ));
                }
            }
            if !pair[1].effective.is_first_of_month()
                || pair[1].effective <= pair[0].effective
            {
                note(format!(
                    "expected an amendment effective on the first of a month after {}, \
                     found {}; change prices within a month by price steps",
                    pair[0].effective, pair[1].effective
                ));
            }
        }
        if problems.is_empty() { Ok(Self(chain)) } else { Err(Problems(problems)) }
    }

    /// The versions, first to last.
    pub fn all(&self) -> &[Contract] {
        &self.0
    }

    /// The first version.
    pub fn first(&self) -> &Contract {
        &self.0[0]
    }

    /// The version that settles `period` when the first `known` versions are known.
    ///
    /// # Panics
    /// When none is known.
    pub fn settling(&self, period: Period, known: usize) -> &Contract {
        let first_day = period.first_day();
        let known = &self.0[..known];
        known
            .iter()
            .rev()
            .find(|contract| contract.effective <= first_day)
            .unwrap_or(&known[0])
    }
}
