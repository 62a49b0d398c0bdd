//! Figures beyond all sense: far above anything real, and low enough that whatever is
//! reckoned from them stays exact.

use super::intake::Terms;
use super::{Body, Fact};
use crate::exact::Exact;

/// A TWh in one interval.
const WH_MAX: i64 = 1_000_000_000_000;
/// A million for a MWh, either way.
const PER_MWH_MAX: i128 = 1_000_000;
/// A million million in one payment, bill or approval.
const AMOUNT_MAX: i128 = 1_000_000_000_000;
/// A thousand times the base.
const INDEX_RATIO_MAX: i128 = 1_000;
/// A hundred times what a tranche has.
const USE_MAX: i128 = 100;

fn at_most(found: Exact, most: i128, what: &str) -> Option<String> {
    let most = Exact::whole(most);
    (found > most || found < -most)
        .then(|| format!("expected {what} of at most {most}, found {}", found.to_text()))
}

/// What is beyond all sense in a price for a MWh.
pub(crate) fn beyond_per_mwh(price: Exact) -> Option<String> {
    at_most(price, PER_MWH_MAX, "a price")
}

/// What is beyond all sense in a fact: what was expected, and what was found.
pub(super) fn beyond(terms: Terms<'_>, fact: &Fact) -> Option<String> {
    match &fact.body {
        Body::MeterInterval { wh, .. } => (wh.unsigned_abs() > WH_MAX.unsigned_abs())
            .then(|| format!("expected at most {WH_MAX} Wh in an interval, found {wh}")),
        Body::EnergyPrice { per_mwh, .. } => beyond_per_mwh(*per_mwh),
        Body::UtilityBill { amount, .. } | Body::Payment { amount, .. } => {
            at_most(*amount, AMOUNT_MAX, "an amount")
        }
        Body::Approval { amount, .. } => at_most((*amount)?, AMOUNT_MAX, "an amount"),
        Body::IndexValue { index, value } => {
            let all = terms.versions.iter().flat_map(|contract| &contract.tranches);
            let indices = all.filter_map(|tranche| tranche.price.index.as_ref());
            let mut named = indices.filter(|of| of.name == *index);
            let most = Exact::whole(INDEX_RATIO_MAX);
            if value.is_negative() || value.is_zero() {
                return Some(format!(
                    "expected a value of {index} above 0, found {}",
                    value.to_text()
                ));
            }
            named.find(|of| *value > of.base * most).map(|of| {
                format!(
                    "expected a value of {index} up to {most} times its base {}, found {}",
                    of.base.to_text(),
                    value.to_text()
                )
            })
        }
        Body::Usage { tranche, gpu_seconds } => {
            let signed = terms.tranche(&tranche.tranche)?.quantity.count();
            let seconds = (fact.valid_to? - fact.valid_from).as_seconds();
            let most = i128::from(signed) * i128::from(seconds) * USE_MAX;
            (i128::from(*gpu_seconds) > most).then(|| {
                format!("expected use of at most {most} GPU-seconds, found {gpu_seconds}")
            })
        }
        Body::Acceptance(_)
        | Body::UnitState(_)
        | Body::IncidentClassification { .. }
        | Body::Notice { .. }
        | Body::GridInstruction { .. }
        | Body::Flex { .. }
        | Body::Claim { .. }
        | Body::Dispute { .. }
        | Body::Termination { .. }
        | Body::ContractVersion { .. } => None,
    }
}
