//! Why a statement is held: nothing of it is posted until the reasons are gone.

use super::compose::Composing;
use super::cut;
use crate::calendar::Period;
use crate::statement::{Hold, HoldReason};
use units::Interval;

impl Composing<'_> {
    /// Why nothing may be posted.
    pub(super) fn held(&self, first_period: Period) -> Vec<Hold> {
        let mut held = Vec::new();
        let hold = |reason, text: String| Hold {
            reason,
            tranche: None,
            period: None,
            seq: None,
            text,
        };
        let cut = cut(self.contract, self.period);
        if self.as_of < cut {
            let text = format!(
                "expected facts up to the cut at {cut}, found them up to {}",
                self.as_of
            );
            held.push(hold(HoldReason::NotCut, text));
        }
        let last = self.documents.last.as_ref().map(|last| last.period);
        let in_order = match last {
            Some(last) => self.period == last || self.period == last.next(),
            None => self.period <= first_period,
        };
        if !in_order {
            let next = last.map_or(first_period, Period::next);
            let text =
                format!("expected {next} to be settled first, found {}", self.period);
            held.push(hold(HoldReason::OutOfOrder, text));
        }
        let limit = self.contract.billing.restate_limit_months;
        let zone = &self.contract.zone;
        let window = Interval {
            start: zone.month(self.period.plus(-limit)).start,
            end: zone.month(self.period).end,
        };
        for fact in self.kept.intake.quarantined.values() {
            let end = fact.valid_to.unwrap_or(crate::facts::FOR_EVER);
            let last = end.max(fact.valid_from + units::Seconds::from_seconds(1));
            if fact.valid_from < window.end && window.start < last {
                held.push(Hold {
                    seq: Some(fact.seq),
                    ..hold(
                        HoldReason::Quarantined,
                        format!(
                            "{}; approve quarantine:{} or discard:{}",
                            fact.reason, fact.key, fact.key
                        ),
                    )
                });
            }
        }
        for (tranche, months) in &self.owed {
            for month in months {
                for (reason, seq, text) in &month.holds {
                    held.push(Hold {
                        reason: *reason,
                        tranche: Some(self.id(*tranche).to_owned()),
                        period: Some(self.books.period(month.place)),
                        seq: *seq,
                        text: text.clone(),
                    });
                }
            }
        }
        held
    }
}
