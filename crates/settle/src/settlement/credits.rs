//! The credits of a month, in the order in which each limits the next:
//! availability, late delivery, prepayment.

use super::owed::{Books, Carried, Owed, Stated, at, minor};
use crate::contract::{Claim, Refundable};
use crate::exact::Exact;
use crate::facts::Cause;
use crate::statement::{HoldReason, LineKind};
use std::collections::BTreeSet;

impl Books<'_> {
    /// The credit for availability, under the caps of the month and the year.
    pub(super) fn credit_availability(
        &self,
        tranche: usize,
        stated: &Stated<'_>,
        owed: &mut Owed,
        carried: &mut Carried,
    ) {
        let contract = stated.contract;
        let exact = if owed.frozen {
            let issued = owed.amounts[at(LineKind::Capacity)]
                + owed.amounts[at(LineKind::Shortfall)];
            Exact::whole(issued.into())
        } else {
            let fee = owed.fee.capacity + owed.fee.shortfall;
            fee * contract.currency.minor_per_unit()
        };
        let before = carried.months.len().saturating_sub(11);
        let window = &carried.months[before..];
        let mut fees: Vec<Exact> = window.iter().map(|month| month.0).collect();
        fees.push(exact);
        let credits: i64 = window.iter().map(|month| month.1).sum();
        let mut credit = -owed.amounts[at(LineKind::Sla)];
        if let (false, Some(sla)) = (owed.frozen, &contract.sla) {
            let share = owed.availability.credit;
            let full = (exact * share).rounded(contract.rounding);
            credit = i64::try_from(full).expect("a credit fits 64 bits");
            let mut why = format!(
                "availability {}, credit {} of the fee",
                owed.availability.fraction,
                share.to_text()
            );
            if let Some(cap) = sla.year_cap {
                let left = Exact::floor_of_sum(cap, &fees) - i128::from(credits);
                let left = i64::try_from(left.max(0)).expect("a cap fits 64 bits");
                if left < credit {
                    credit = left;
                    why.push_str(", cut to what the year's cap leaves");
                }
            }
            let claims = &self.record.tranches[tranche].claims;
            let claim = claims.get(&self.period(owed.place));
            if let Claim::Customer { days } = sla.claim {
                let first_day = self.period(owed.place).next().first_day();
                let deadline = contract.zone.midnight(first_day.plus_days(days));
                match claim.filter(|claim| claim.value <= deadline) {
                    Some(claim) => {
                        owed.facts.entry(LineKind::Sla).or_default().insert(claim.seq);
                    }
                    None => credit = 0,
                }
            }
            owed.amounts[at(LineKind::Sla)] = -credit;
            owed.why.insert(LineKind::Sla, why);
        }
        carried.months.push((exact, credit));
    }

    /// The credit for late delivery, as far as the month's fee carries it.
    pub(super) fn credit_delay(
        &self,
        stated: &Stated<'_>,
        owed: &mut Owed,
        carried: &mut Carried,
    ) {
        let contract = stated.contract;
        if owed.frozen {
            carried.delay_used -= owed.amounts[at(LineKind::Delay)];
            return;
        }
        let end = self.quantities.months.month(owed.place).end;
        let begun = || stated.batches.iter().filter(|batch| batch.accepted < end);
        let exact: Exact = begun().map(|batch| batch.credit).sum();
        let left = minor(contract, exact) - carried.delay_used;
        let room = owed.amounts[at(LineKind::Capacity)] + owed.amounts[at(LineKind::Sla)];
        let credit = left.min(room).max(0);
        if begun().next().is_some() && stated.batches_missing {
            let text = "expected index values over the first month of service, found \
                        none for part of it; record them"
                .to_owned();
            owed.holds.push((HoldReason::PriceMissing, None, text));
        }
        if begun().next().is_some() && credit > 0 {
            let days = begun().map(|batch| batch.days).max().unwrap_or(0);
            let why = format!("late by up to {days} days that count");
            owed.why.insert(LineKind::Delay, why);
            let facts = owed.facts.entry(LineKind::Delay).or_default();
            facts.extend(begun().map(|batch| batch.seq));
            facts.extend(self.record.delay_excuses.iter().map(|window| window.seq));
        }
        carried.delay_used += credit;
        owed.amounts[at(LineKind::Delay)] = -credit;
    }

    /// What was paid ahead, credited as instalments fall due.
    pub(super) fn credit_prepayment(
        &self,
        tranche: usize,
        stated: &Stated<'_>,
        owed: &mut Owed,
        carried: &mut Carried,
    ) {
        let found = &self.record.tranches[tranche];
        let end = self.quantities.months.month(owed.place).end;
        let begun = || found.payments.iter().filter(|payment| payment.value.0 < end);
        let prepaid = &mut carried.prepaid;
        prepaid.agreed = stated.plan.agreed;
        prepaid.received = begun().map(|payment| payment.value.1).sum();
        if owed.frozen {
            prepaid.applied -= owed.amounts[at(LineKind::Prepayment)];
            prepaid.refunded -= owed.amounts[at(LineKind::Refund)];
            return;
        }
        let left = prepaid.received - prepaid.applied - prepaid.refunded;
        let over = self.over(tranche, stated, owed.place);
        let due = match over {
            Some(_) => left,
            None => stated.plan.due_before(end) - prepaid.applied,
        };
        let room: i64 = [
            LineKind::Capacity,
            LineKind::Shortfall,
            LineKind::Overage,
            LineKind::Sla,
            LineKind::Delay,
        ]
        .into_iter()
        .map(|kind| owed.amounts[at(kind)])
        .sum();
        let applied = due.min(left).min(room).max(0);
        prepaid.applied += applied;
        owed.amounts[at(LineKind::Prepayment)] = -applied;
        let payments: BTreeSet<u64> = begun().map(|payment| payment.seq).collect();
        let rest = (left - applied).max(0);
        if let Some(refund) = over
            && refund
        {
            prepaid.refunded += rest;
            owed.amounts[at(LineKind::Refund)] = -rest;
            let facts = owed.facts.entry(LineKind::Refund).or_default();
            facts.extend(&payments);
            facts.extend(found.ending.map(|ending| ending.seq));
            owed.why.insert(
                LineKind::Refund,
                "what was paid ahead and not credited is owed back".to_owned(),
            );
        }
        owed.facts.entry(LineKind::Prepayment).or_default().extend(payments);
        owed.why.insert(
            LineKind::Prepayment,
            "instalments due, as far as the month's lines and what was received go"
                .to_owned(),
        );
    }

    /// Whether the month is the last of service or after it, and then whether
    /// what is left is owed back.
    fn over(&self, tranche: usize, stated: &Stated<'_>, place: usize) -> Option<bool> {
        let found = &self.record.tranches[tranche];
        let months = &self.quantities.months;
        let early = found
            .ending
            .filter(|ending| stated.term_end.is_none_or(|end| ending.at < end));
        let end = match (early, stated.term_end) {
            (Some(ending), _) => ending.at,
            (None, Some(end)) => end,
            (None, None) => return None,
        };
        // The last month holds the last second of service.
        if end > months.month(place).end {
            return None;
        }
        let refundable =
            stated.contract.prepayment.as_ref().map(|terms| terms.refundable);
        Some(match (early, refundable) {
            (None, _) | (Some(_), Some(Refundable::Always)) => true,
            (Some(_), Some(Refundable::Never) | None) => false,
            (Some(ending), Some(Refundable::OnSupplierTermination)) => match ending.cause
            {
                Cause::Supplier | Cause::LongStop => true,
                Cause::Customer | Cause::Convenience => false,
            },
        })
    }
}
