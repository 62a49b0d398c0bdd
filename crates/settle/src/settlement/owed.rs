//! What one tranche owes month by month, recomputed forward in order.

use super::quantities::Quantities;
use crate::availability::{self, Availability};
use crate::calendar::Period;
use crate::contract::{
    Contract, GapPolicy, MakeUp, PriceUnit, Quantity, Tranche, Versions,
};
use crate::delay;
use crate::exact::Exact;
use crate::facts::record::Record;
use crate::fee::{self, Balance, Fee, Values};
use crate::power::PowerMonth;
use crate::prepayment::{self, Plan};
use crate::statement::{HoldReason, LineKind, Seconds};
use std::collections::{BTreeMap, BTreeSet};
use units::{Interval, Timestamp};

/// Amounts by kind of line, in minor units.
pub(crate) type Amounts = [i64; LineKind::ALL.len()];

/// What a tranche owes for one month.
#[derive(Clone, Debug)]
pub(crate) struct Owed {
    /// The month's place in the table of months.
    pub(crate) place: usize,
    pub(crate) seconds: Seconds,
    pub(crate) availability: Availability,
    pub(crate) fee: Fee,
    pub(crate) amounts: Amounts,
    pub(crate) power: Option<PowerMonth>,
    /// Left as issued, because it is older than the restatement limit.
    pub(crate) frozen: bool,
    /// The facts beside the states that the amounts rest on, by kind.
    pub(crate) facts: BTreeMap<LineKind, BTreeSet<u64>>,
    pub(crate) why: BTreeMap<LineKind, String>,
    pub(crate) holds: Vec<(HoldReason, Option<u64>, String)>,
    pub(crate) prepaid: Prepaid,
    /// GPU-seconds that may still be drawn after the month.
    pub(crate) make_up: Option<Exact>,
}

/// A prepayment at the end of a month, in minor units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Prepaid {
    pub(crate) agreed: i64,
    pub(crate) received: i64,
    pub(crate) applied: i64,
    pub(crate) refunded: i64,
}

/// Everything a tranche is settled from.
pub(crate) struct Books<'b> {
    pub(crate) record: &'b Record,
    pub(crate) quantities: &'b Quantities,
    pub(crate) versions: &'b Versions,
    pub(crate) known: usize,
    pub(crate) power: &'b BTreeMap<String, BTreeMap<usize, PowerMonth>>,
    /// What was issued, by tranche and month.
    pub(crate) issued: &'b BTreeMap<(String, Period), Amounts>,
    /// The months of which a statement was issued.
    pub(crate) statements: &'b BTreeSet<Period>,
}

/// Where a kind stands among the amounts.
pub(crate) const fn at(kind: LineKind) -> usize {
    kind as usize
}

pub(crate) fn minor(contract: &Contract, exact: Exact) -> i64 {
    let minor = exact * contract.currency.minor_per_unit();
    i64::try_from(minor.rounded(contract.rounding)).expect("an amount fits 64 bits")
}

/// What passes from one month to the next.
#[derive(Default)]
pub(super) struct Carried {
    /// Fees (exact, in minor units) and credits of the months before.
    pub(super) months: Vec<(Exact, i64)>,
    pub(super) delay_used: i64,
    pub(super) prepaid: Prepaid,
    pub(super) balance: Balance,
}

/// What depends on the version alone.
pub(super) struct Stated<'b> {
    pub(super) contract: &'b Contract,
    pub(super) tranche: &'b Tranche,
    pub(super) plan: Plan,
    pub(super) batches: Vec<delay::Batch>,
    pub(super) batches_missing: bool,
    /// The end of the full term, before any early end.
    pub(super) term_end: Option<Timestamp>,
}

impl<'b> Books<'b> {
    pub(crate) fn contract(&self, place: usize) -> &'b Contract {
        self.versions.settling(self.period(place), self.known)
    }

    pub(crate) fn period(&self, place: usize) -> Period {
        let months = &self.quantities.months;
        let first = months.first.expect("the table of months is made before use");
        first.plus(i32::try_from(place).expect("months fit 32 bits"))
    }

    /// Whether the table of months begins after a period.
    pub(crate) fn begins_after(&self, period: Period) -> bool {
        self.quantities.months.first.is_none_or(|first| period < first)
    }

    pub(crate) fn place(&self, period: Period) -> usize {
        let months = &self.quantities.months;
        let first = months.first.expect("the table of months is made before use");
        usize::try_from(period.months_since(first)).expect("a month in the table")
    }

    /// What a tranche owes for each month from `first` to `last`.
    pub(crate) fn owed(&self, tranche: usize, first: Period, last: Period) -> Vec<Owed> {
        let record = self.record;
        let id = &record.tranches[tranche].id;
        let anchor = record.anchor(tranche);
        let mut stated: Vec<Option<Stated<'b>>> = Vec::new();
        stated.resize_with(self.known, || None);
        let mut carried = Carried::default();
        let mut found = Vec::new();
        for place in self.place(first)..=self.place(last) {
            let contract = self.contract(place);
            let version =
                self.versions.all().iter().position(|v| v.hash == contract.hash);
            let version = version.expect("the version is one of the chain");
            let terms = contract.tranche(id);
            if let (None, Some(tranche_terms)) = (&stated[version], terms) {
                let (batches, batches_missing) =
                    delay::batches(record, tranche, contract, tranche_terms);
                stated[version] = Some(Stated {
                    contract,
                    tranche: tranche_terms,
                    plan: prepayment::plan(contract, tranche_terms, anchor),
                    batches,
                    batches_missing,
                    term_end: anchor.map(|anchor| {
                        contract.zone.months_after(anchor, tranche_terms.months)
                    }),
                });
            }
            let limit = contract_limit(self.contract(self.place(last)));
            let period = self.period(place);
            let frozen = last.months_since(period) > limit
                && self.statements.contains(&period)
                && !record.tranches[tranche].disputes.contains_key(&period);
            let owed = match &stated[version] {
                Some(stated) if terms.is_some() => {
                    self.month(tranche, stated, place, frozen, &mut carried)
                }
                Some(_) | None => self.nothing(place, frozen, &mut carried),
            };
            found.push(owed);
        }
        found
    }

    /// A month in which the contract has no such tranche.
    fn nothing(&self, place: usize, frozen: bool, carried: &mut Carried) -> Owed {
        carried.months.push((Exact::ZERO, 0));
        Owed {
            place,
            seconds: Seconds::default(),
            availability: availability::of(None, &Seconds::default()),
            fee: Fee::default(),
            amounts: Amounts::default(),
            power: None,
            frozen,
            facts: BTreeMap::new(),
            why: BTreeMap::new(),
            holds: Vec::new(),
            prepaid: carried.prepaid,
            make_up: None,
        }
    }

    fn month(
        &self,
        tranche: usize,
        stated: &Stated<'_>,
        place: usize,
        frozen: bool,
        carried: &mut Carried,
    ) -> Owed {
        let contract = stated.contract;
        let seconds = self.quantities.seconds(tranche, place);
        let mut owed = Owed {
            place,
            seconds,
            availability: availability::of(contract.sla.as_ref(), &seconds),
            ..self.nothing(place, frozen, carried)
        };
        carried.months.pop();
        self.unknown(contract, &mut owed);
        self.charge(tranche, stated, &mut owed, carried);
        if frozen {
            let key = (self.record.tranches[tranche].id.clone(), self.period(place));
            owed.amounts = self.issued.get(&key).copied().unwrap_or_default();
            owed.holds.clear();
        }
        self.credit_availability(tranche, stated, &mut owed, carried);
        self.credit_delay(stated, &mut owed, carried);
        self.charge_power(tranche, contract, &mut owed);
        self.credit_prepayment(tranche, stated, &mut owed, carried);
        self.charge_ending(tranche, stated, &mut owed);
        owed.prepaid = carried.prepaid;
        owed
    }

    /// Time of unknown state is neither up nor down: somebody has to say.
    fn unknown(&self, contract: &Contract, owed: &mut Owed) {
        let asks =
            contract.sla.as_ref().is_none_or(|sla| sla.gap_policy == GapPolicy::Ask);
        if asks && owed.seconds.unknown > 0 {
            let text = format!(
                "expected the state of every unit, found {} unit-seconds unknown; \
                 record what they were",
                owed.seconds.unknown
            );
            owed.holds.push((HoldReason::Unknown, None, text));
        }
    }

    /// Capacity, shortfall and overage.
    fn charge(
        &self,
        tranche: usize,
        stated: &Stated<'_>,
        owed: &mut Owed,
        carried: &mut Carried,
    ) {
        let (contract, terms) = (stated.contract, stated.tranche);
        let months = &self.quantities.months;
        let month = months.month(owed.place);
        let found = &self.record.tranches[tranche];
        let end = stated.term_end.map(|end| found.ending.map_or(end, |e| end.min(e.at)));
        let service = found.anchor.zip(end).map(|(start, end)| Interval {
            start: start.max(month.start),
            end: end.min(month.end),
        });
        let service = service.filter(|service| service.start < service.end);
        let mut used = None;
        if terms.price.unit == PriceUnit::GpuHour {
            for usage in &found.usage {
                if month.contains(usage.during.start) {
                    *used.get_or_insert(0) += usage.gpu_seconds;
                    for kind in
                        [LineKind::Capacity, LineKind::Shortfall, LineKind::Overage]
                    {
                        owed.facts.entry(kind).or_default().insert(usage.seq);
                    }
                }
            }
        }
        let share = contract.take_or_pay.share;
        if share < Exact::ONE
            && let Some(service) = service
            && owed.seconds.reserved > 0
            && !covers(found.usage.iter().map(|usage| usage.during), service)
        {
            let text =
                "expected usage for all of the month's service, found none for part \
                        of it; record what was used"
                    .to_owned();
            owed.holds.push((HoldReason::UsageMissing, None, text));
        }
        if owed.seconds.reserved == 0 && used.unwrap_or(0) == 0 {
            owed.make_up = self.balance_after(tranche, stated, owed, carried, end);
            return;
        }
        let pieces = fee::pieces(
            terms,
            &contract.zone,
            service.unwrap_or(month),
            Values::Known(self.record),
        );
        let weights: Vec<i64> = if pieces.len() == 1 {
            vec![owed.seconds.reserved]
        } else {
            let reserved = pieces.iter().map(|piece| {
                self.quantities.reserved_in(self.record, tranche, piece.during)
            });
            reserved.collect()
        };
        for (piece, weight) in pieces.iter().zip(&weights) {
            if piece.missing && (*weight > 0 || owed.seconds.reserved == 0) {
                let index = terms.price.index.as_ref().map_or("", |index| &index.name);
                let text = format!(
                    "expected a value of {index} from {} on, found none; record it",
                    piece.during.start
                );
                owed.holds.push((HoldReason::PriceMissing, None, text));
            }
            owed.facts.entry(LineKind::Capacity).or_default().extend(piece.seq);
        }
        let price = fee::mean(&pieces, &weights);
        let length = month.duration().as_seconds();
        let reserved = owed.seconds.reserved;
        let mut fee = fee::fee(terms, share, length, reserved, used, price);
        if contract.take_or_pay.make_up != MakeUp::None && !fee.overage_seconds.is_zero()
        {
            let over = fee.overage * (Exact::ONE / fee.overage_seconds);
            fee.drawn_seconds = carried.balance.draw(owed.place, fee.overage_seconds);
            fee.overage_seconds = fee.overage_seconds - fee.drawn_seconds;
            fee.overage = over * fee.overage_seconds;
        }
        owed.fee = fee;
        for (kind, exact) in [
            (LineKind::Capacity, fee.capacity),
            (LineKind::Shortfall, fee.shortfall),
            (LineKind::Overage, fee.overage),
        ] {
            owed.amounts[at(kind)] = minor(contract, exact);
        }
        owed.make_up = self.balance_after(tranche, stated, owed, carried, end);
    }

    /// Adds the month's shortfall to the balance and returns what is left after the
    /// month; `end` is the end of service.
    fn balance_after(
        &self,
        tranche: usize,
        stated: &Stated<'_>,
        owed: &Owed,
        carried: &mut Carried,
        end: Option<Timestamp>,
    ) -> Option<Exact> {
        let last = match stated.contract.take_or_pay.make_up {
            MakeUp::None => return None,
            // The month that holds the last second of service.
            MakeUp::TermEnd => end.map_or(usize::MAX, |end| {
                self.quantities.months.place(end + units::Seconds::from_seconds(-1))
            }),
            MakeUp::Months(months) => {
                owed.place + usize::try_from(months).expect("months are positive")
            }
        };
        // Of a month that stays as issued, only what was paid for can be drawn later.
        let key = || (self.record.tranches[tranche].id.clone(), self.period(owed.place));
        let is_paid = !owed.frozen
            || (self.issued.get(&key()))
                .is_some_and(|issued| issued[at(LineKind::Shortfall)] != 0);
        if is_paid && !owed.fee.shortfall_seconds.is_zero() {
            carried.balance.add(last, owed.fee.shortfall_seconds);
        }
        Some(carried.balance.left(owed.place + 1))
    }

    fn charge_power(&self, tranche: usize, contract: &Contract, owed: &mut Owed) {
        let rows = self.power.get(&self.record.tranches[tranche].id);
        let Some(row) = rows.and_then(|rows| rows.get(&owed.place)) else { return };
        owed.power = Some(row.clone());
        if owed.frozen {
            return;
        }
        if row.billed.is_none() && row.missing {
            let text =
                "expected an energy price over every metered interval, found none \
                        for some; record the price or the utility's bill"
                    .to_owned();
            owed.holds.push((HoldReason::PriceMissing, None, text));
        }
        let estimate = minor(contract, row.estimate);
        owed.amounts[at(LineKind::Power)] = row.billed.unwrap_or(estimate);
        let why = match row.billed {
            Some(_) => "part of the utility's bills by energy, losses included",
            None => "energy with its part of the losses, at the price metered against",
        };
        owed.why.insert(LineKind::Power, why.to_owned());
        owed.facts.entry(LineKind::Power).or_default().extend(&row.facts);
    }

    /// The approved fee for ending early, in the month of the end.
    fn charge_ending(&self, tranche: usize, stated: &Stated<'_>, owed: &mut Owed) {
        let found = &self.record.tranches[tranche];
        let Some((ending, approved)) = found.ending.zip(found.fee_approved) else {
            return;
        };
        let month = self.quantities.months.month(owed.place);
        if owed.frozen || !month.contains(ending.at) {
            return;
        }
        let schedule = self.ending_fee(stated, found.anchor, ending.at);
        let amount = approved.value;
        match amount {
            Some(amount) if amount <= schedule && !amount.is_negative() => {
                owed.amounts[at(LineKind::TerminationFee)] =
                    minor(stated.contract, amount);
                let facts = owed.facts.entry(LineKind::TerminationFee).or_default();
                facts.extend([ending.seq, approved.seq]);
                let why = format!(
                    "approved; the schedule allows up to {}",
                    schedule.to_text_cut(stated.contract.currency.places.into())
                );
                owed.why.insert(LineKind::TerminationFee, why);
            }
            Some(_) | None => {
                let text = format!(
                    "expected an approved amount from 0 to {}, found {}; approve it anew",
                    schedule.to_text_cut(stated.contract.currency.places.into()),
                    amount.map_or("none".to_owned(), Exact::to_text)
                );
                let hold = (HoldReason::ApprovalTooHigh, Some(approved.seq), text);
                owed.holds.push(hold);
            }
        }
    }

    /// The reserved fees that remain after an early end, less what the supplier
    /// is taken to save.
    fn ending_fee(
        &self,
        stated: &Stated<'_>,
        anchor: Option<Timestamp>,
        end: Timestamp,
    ) -> Exact {
        let (contract, terms) = (stated.contract, stated.tranche);
        let rule = contract.termination.as_ref().filter(|rule| rule.fee);
        let Some(rule) = rule else { return Exact::ZERO };
        let delivery = contract.zone.midnight(terms.delivery);
        let anchor = anchor.unwrap_or(delivery);
        let term_end = contract.zone.months_after(anchor, terms.months);
        let rest = Interval { start: end.max(anchor), end: term_end };
        if rest.start >= rest.end {
            return Exact::ZERO;
        }
        let values = Values::Known(self.record);
        let (fees, _) = fee::full_quantity(terms, &contract.zone, anchor, rest, values);
        fees * (Exact::ONE - rule.mitigation)
    }
}

fn contract_limit(contract: &Contract) -> i32 {
    contract.billing.restate_limit_months
}

/// Whether `spans` together cover all of `whole`.
fn covers(spans: impl Iterator<Item = Interval>, whole: Interval) -> bool {
    let mut spans: Vec<Interval> = spans.filter(|span| span.overlaps(whole)).collect();
    spans.sort_unstable_by_key(|span| span.start);
    let mut at = whole.start;
    for span in spans {
        if span.start <= at {
            at = at.max(span.end);
        }
    }
    at >= whole.end
}

/// What the second of a tranche's quantity is called.
pub(crate) fn unit_of(tranche: &Tranche) -> &'static str {
    match tranche.quantity {
        Quantity::Gpus(_) | Quantity::Kilowatts(_) => tranche.quantity.second(),
    }
}
