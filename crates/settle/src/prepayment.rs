//! What is paid ahead: agreed on the signed value, credited by months of service.

use crate::contract::{Contract, Tranche};
use crate::exact::{Amount, Exact};
use crate::fee::{Values, full_quantity};
use units::{Interval, Timestamp};

/// The value of a tranche as signed: its price over the term from the delivery
/// date for the full quantity, an index at its base. In units of the currency.
pub fn signed_value(contract: &Contract, tranche: &Tranche) -> Exact {
    let zone = &contract.zone;
    let start = zone.midnight(tranche.delivery);
    let end = zone.months_after(start, tranche.months);
    full_quantity(tranche, zone, start, Interval { start, end }, Values::Base).0
}

/// What is to be paid ahead for a tranche; nothing where the contract does not ask.
///
/// # Panics
/// When it is beyond 64 bits of minor units.
pub fn agreed(contract: &Contract, tranche: &Tranche) -> Amount {
    let minor = contract.prepayment.as_ref().map_or(0, |terms| {
        let exact = terms.share
            * signed_value(contract, tranche)
            * contract.currency.minor_per_unit();
        i64::try_from(exact.rounded(contract.rounding))
            .expect("a prepayment fits 64 bits")
    });
    Amount::from_minor(minor, contract.currency.places)
}

/// A prepayment and when its instalments fall due.
#[derive(Clone, Debug, Default)]
pub(crate) struct Plan {
    /// In minor units.
    pub(crate) agreed: i64,
    /// The beginning of each crediting month of service, and the instalment.
    instalments: Vec<(Timestamp, i64)>,
}

/// The prepayment of a tranche in service from `anchor`.
pub(crate) fn plan(
    contract: &Contract,
    tranche: &Tranche,
    anchor: Option<Timestamp>,
) -> Plan {
    let Some(terms) = &contract.prepayment else { return Plan::default() };
    let agreed = agreed(contract, tranche).as_minor();
    let part = agreed / terms.credit_over;
    let residue = agreed - part * (terms.credit_over - 1);
    let instalments = anchor.map_or_else(Vec::new, |anchor| {
        (0..terms.credit_over)
            .map(|place| {
                let begins =
                    contract.zone.months_after(anchor, terms.credit_from + place - 1);
                let last = place == terms.credit_over - 1;
                (begins, if last { residue } else { part })
            })
            .collect()
    });
    Plan { agreed, instalments }
}

impl Plan {
    /// The instalments that have fallen due before `end`.
    pub(crate) fn due_before(&self, end: Timestamp) -> i64 {
        let begun = self.instalments.iter().filter(|(begins, _)| *begins < end);
        begun.map(|(_, amount)| amount).sum()
    }
}
