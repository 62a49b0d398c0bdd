//! Month after month: fees, then what comes off them, each from the months before.

use std::collections::{BTreeMap, BTreeSet};

use settle::calendar::Period;
use settle::contract::{Claim, Contract, GapPolicy, MakeUp, Refundable, Tranche};
use settle::exact::Exact;
use settle::facts::{About, Approves, Body, Cause, Purpose};
use settle::statement::{HoldReason, LineKind, Seconds};

use super::fees::{self, rounded};
use super::power;
use super::record::{self, Record, end, is_ours, quantity, start};
use super::terms::{At, Terms};
use super::timeline::{self, Piece};
use super::{Held, Issued, Place, Prepaid};

/// Everything that is owed up to a month, and the month's own tables.
#[derive(Default)]
pub(super) struct Books {
    pub(super) owed: BTreeMap<Place, i64>,
    pub(super) seconds: BTreeMap<String, Seconds>,
    pub(super) availability: BTreeMap<String, Exact>,
    pub(super) prepayment: BTreeMap<String, Prepaid>,
    pub(super) make_up: BTreeMap<String, Exact>,
    pub(super) held: BTreeSet<Held>,
}

/// The service of a tranche under one version of its terms.
#[derive(Clone, Copy, Debug)]
struct Service {
    /// The first acceptance; `None` when it was ended before any.
    anchor: Option<At>,
    ends: At,
    /// Why it ends before its time, when it does.
    cause: Option<Cause>,
}

/// The month of the first delivery or acceptance.
pub(super) fn first_period(terms: &Terms<'_>, record: &Record<'_>) -> Period {
    let deliveries = terms
        .versions
        .iter()
        .flat_map(|contract| &contract.tranches)
        .map(|tranche| tranche.delivery.period());
    let acceptances =
        record.accepted.values().flatten().map(|unit| terms.period(unit.at));
    deliveries.chain(acceptances).min().expect("a contract has a tranche")
}

/// Keeps the books of every tranche from the first month to `period`.
pub(super) fn keep(
    terms: &Terms<'_>,
    record: &Record<'_>,
    issued: &[Issued],
    period: Period,
) -> Books {
    let mut books = Books::default();
    let mut first = first_period(terms, record).min(period);
    for one in issued {
        first = first.min(one.period);
    }
    hold_set_aside(terms, record, issued, (first, period), &mut books.held);
    for id in terms.tranches() {
        let mut months = Vec::new();
        let mut month = first;
        while month <= period {
            months.push(month);
            month = month.next();
        }
        Tranched { terms, record, issued, id, settled: period }.keep(&months, &mut books);
    }
    books
}

/// A fact that was set aside holds the statement when it touches a month that is
/// being settled: one that may still change. What lies before the first month is
/// part of it.
fn hold_set_aside(
    terms: &Terms<'_>,
    record: &Record<'_>,
    issued: &[Issued],
    (first, settled): (Period, Period),
    held: &mut BTreeSet<Held>,
) {
    for aside in &record.set_aside {
        let mut period = first;
        while period <= settled {
            let (mut from, to) = terms.month(period);
            if period == first {
                from = At::MIN;
            }
            let is_open = terms.tranches().into_iter().any(|id| {
                !Tranched { terms, record, issued, id, settled }.is_frozen(period)
            });
            if is_open && aside.from < to && from < aside.to {
                held.insert(Held {
                    reason: HoldReason::Quarantined,
                    tranche: None,
                    period: None,
                    seq: Some(aside.seq),
                });
            }
            period = period.next();
        }
    }
}

/// One tranche's books.
struct Tranched<'r> {
    terms: &'r Terms<'r>,
    record: &'r Record<'r>,
    issued: &'r [Issued],
    id: &'r str,
    /// The month that is being settled.
    settled: Period,
}

/// What has been reached so far, month after month.
#[derive(Default)]
struct Running {
    /// What the units were until the end of service, by that end.
    pieces: BTreeMap<At, Vec<Vec<Piece>>>,
    /// Fees before rounding, by month, for the cap of a year.
    fees: BTreeMap<Period, Exact>,
    /// Credits given, by month, not negative.
    credits: BTreeMap<Period, i64>,
    delay_used: i64,
    applied: i64,
    refunded: i64,
    /// Paid and unused GPU-seconds by the month they were paid in.
    unused: BTreeMap<Period, Exact>,
}

impl Tranched<'_> {
    fn keep(&self, months: &[Period], books: &mut Books) {
        let mut running = Running::default();
        for period in months {
            let contract = self.terms.of(*period);
            let Some(tranche) = contract.tranche(self.id) else { continue };
            let owed = self.month(*period, contract, tranche, &mut running, books);
            for (kind, amount) in owed {
                books.owed.insert((self.id.to_owned(), *period, kind), amount);
            }
        }
    }

    /// One month of one tranche, rule by rule.
    fn month(
        &self,
        period: Period,
        contract: &Contract,
        tranche: &Tranche,
        running: &mut Running,
        books: &mut Books,
    ) -> BTreeMap<LineKind, i64> {
        let month = self.terms.month(period);
        let service = self.service(tranche);
        let until = service.map_or(month.0, |service| service.ends);
        let pieces = running
            .pieces
            .entry(until)
            .or_insert_with(|| timeline::pieces(self.terms, self.record, self.id, until));
        let pieces = pieces.clone();
        let seconds = timeline::count(&pieces, month.0, month.1);
        let availability = availability(contract, &seconds);
        let frozen = self.is_frozen(period);
        let mut hold = |reason, seq| {
            let tranche = Some(self.id.to_owned());
            books.held.insert(Held { reason, tranche, period: Some(period), seq });
        };

        // Quantities and fees.
        let span = service.and_then(|service| Some((service.anchor?, service.ends)));
        let fees = fees::fees(self.terms, self.record, tranche, &pieces, period, span);
        let last = service.map(|service| self.last_period(&service));
        let drawn = draw(contract, period, last, running, fees.above);
        let overage = fees.overage_price * (Exact::whole(fees.above) - drawn);
        let power = power::power(self.terms, self.record, self.id, period);
        let mut owed: BTreeMap<LineKind, i64> = BTreeMap::new();
        owed.insert(LineKind::Capacity, rounded(contract, fees.capacity));
        owed.insert(LineKind::Shortfall, rounded(contract, fees.shortfall));
        owed.insert(LineKind::Overage, rounded(contract, overage));
        owed.insert(LineKind::Power, power.amount);
        if !frozen {
            let policy =
                contract.sla.as_ref().map_or(GapPolicy::Ask, |sla| sla.gap_policy);
            if seconds.unknown > 0 && policy == GapPolicy::Ask {
                hold(HoldReason::Unknown, None);
            }
            if fees.lacks_price || power.lacks_price {
                hold(HoldReason::PriceMissing, None);
            }
            if fees.lacks_usage {
                hold(HoldReason::UsageMissing, None);
            }
        }
        if frozen {
            self.as_issued(period, &mut owed);
        }

        // Availability.
        let fee = match frozen {
            true => Exact::whole(
                (owed[&LineKind::Capacity] + owed[&LineKind::Shortfall]).into(),
            ),
            false => fees.capacity + fees.shortfall,
        };
        running.fees.insert(period, fee);
        // Only what was paid for can be drawn later.
        let is_paid = !frozen || owed[&LineKind::Shortfall] != 0;
        running.unused.insert(period, if is_paid { fees.unused } else { Exact::ZERO });
        let credit = match self.is_claimed(contract, period) {
            true => sla_credit(contract, period, availability, fee, running),
            false => 0,
        };
        owed.insert(LineKind::Sla, -credit);
        if frozen {
            self.as_issued(period, &mut owed);
        }
        running.credits.insert(period, -owed[&LineKind::Sla]);

        // Delay.
        let mut pool = 0;
        if let Some(anchor) = service.and_then(|service| service.anchor) {
            match self.delay_pool(contract, tranche, anchor, month.1) {
                Some(found) => pool = found - running.delay_used,
                None if !frozen => hold(HoldReason::PriceMissing, None),
                None => {}
            }
        }
        let room = (owed[&LineKind::Capacity] + owed[&LineKind::Sla]).max(0);
        owed.insert(LineKind::Delay, -pool.clamp(0, room));
        if frozen {
            self.as_issued(period, &mut owed);
        }
        running.delay_used += -owed[&LineKind::Delay];

        // Prepayment.
        let agreed = self.agreed(contract, tranche);
        let received = self.received(contract, month.1);
        let open = received - running.applied - running.refunded;
        let due = match last {
            Some(last) if period >= last => open,
            Some(_) | None => {
                self.due(contract, agreed, service, period) - running.applied
            }
        };
        let base = [
            LineKind::Capacity,
            LineKind::Shortfall,
            LineKind::Overage,
            LineKind::Sla,
            LineKind::Delay,
        ];
        let base: i64 = base.iter().map(|kind| owed[kind]).sum();
        let applied = due.min(open).min(base.max(0)).max(0);
        owed.insert(LineKind::Prepayment, -applied);
        if frozen {
            self.as_issued(period, &mut owed);
        }
        running.applied += -owed[&LineKind::Prepayment];
        let is_refunded = match (last, service) {
            (Some(last), Some(service)) => {
                period >= last && is_refundable(contract, service.cause)
            }
            (Some(_) | None, Some(_) | None) => false,
        };
        let left = received - running.applied - running.refunded;
        owed.insert(LineKind::Refund, if is_refunded { -left.max(0) } else { 0 });
        if frozen {
            self.as_issued(period, &mut owed);
        }
        running.refunded += -owed[&LineKind::Refund];

        // The fee for ending early.
        let anchor = service.and_then(|service| service.anchor);
        let fee = self.termination_fee(contract, tranche, period, anchor);
        owed.insert(LineKind::TerminationFee, fee.unwrap_or(0));
        if let (Err(seq), false) = (fee, frozen) {
            hold(HoldReason::ApprovalTooHigh, Some(seq));
        }
        if frozen {
            self.as_issued(period, &mut owed);
        }

        if period == self.settled {
            let id = self.id.to_owned();
            books.seconds.insert(id.clone(), seconds);
            books.availability.insert(id.clone(), availability);
            if contract.prepayment.is_some() {
                let prepaid = Prepaid {
                    agreed,
                    received,
                    applied: running.applied,
                    remaining: received - running.applied - running.refunded,
                    refunded: running.refunded,
                };
                books.prepayment.insert(id.clone(), prepaid);
            }
            books.make_up.insert(id, balance(contract, period, last, running));
        }
        owed
    }

    /// From the first acceptance for so many months; cut where it was ended.
    fn service(&self, tranche: &Tranche) -> Option<Service> {
        let units = self.record.accepted.get(self.id);
        let anchor = units.and_then(|units| units.iter().map(|unit| unit.at).min());
        let ended = record::ended_at(self.terms, self.id, &self.record.facts);
        let natural = anchor.map(|at| self.terms.months_after(at, tranche.months));
        match (natural, ended) {
            (Some(natural), Some((at, cause))) if at < natural => {
                // Ended before the first acceptance: it never began.
                let anchor = anchor.filter(|anchor| *anchor < at);
                Some(Service { anchor, ends: at, cause: Some(cause) })
            }
            (Some(natural), _) => Some(Service { anchor, ends: natural, cause: None }),
            (None, Some((at, cause))) => {
                Some(Service { anchor: None, ends: at, cause: Some(cause) })
            }
            (None, None) => None,
        }
    }

    /// The month that has the last second of service.
    fn last_period(&self, service: &Service) -> Period {
        self.terms.period(service.ends - 1)
    }

    /// Older than the limit, issued, and not in dispute: it stays as it is.
    fn is_frozen(&self, period: Period) -> bool {
        let limit = self.terms.of(self.settled).billing.restate_limit_months;
        let was_issued = self.issued.iter().any(|one| one.period == period);
        let is_disputed = self.record.facts.iter().any(|fact| {
            let Body::Dispute { tranche, period: named } = &fact.body else {
                return false;
            };
            is_ours(self.terms, tranche) && tranche.tranche == self.id && *named == period
        });
        self.settled.months_since(period) > limit && was_issued && !is_disputed
    }

    /// Puts what was issued for a month in the place of what is owed for it.
    fn as_issued(&self, period: Period, owed: &mut BTreeMap<LineKind, i64>) {
        for (kind, amount) in owed {
            let place = (self.id.to_owned(), period, *kind);
            *amount = self.issued.iter().filter_map(|one| one.lines.get(&place)).sum();
        }
    }

    /// Whether the customer asked for the month's credit in time, where it has to.
    fn is_claimed(&self, contract: &Contract, period: Period) -> bool {
        let Some(sla) = &contract.sla else { return false };
        let Claim::Customer { days } = sla.claim else { return true };
        let deadline = self.terms.midnight(period.next().first_day().plus_days(days));
        self.record.facts.iter().any(|fact| {
            let Body::Claim { tranche, period: named } = &fact.body else { return false };
            is_ours(self.terms, tranche)
                && tranche.tranche == self.id
                && *named == period
                && fact.known_at.as_unix_seconds() <= deadline
        })
    }

    /// What every unit accepted before `until` that was late has earned in all;
    /// `None` when a price is missing.
    fn delay_pool(
        &self,
        contract: &Contract,
        tranche: &Tranche,
        anchor: At,
        until: At,
    ) -> Option<i64> {
        let Some(delay) = &contract.delay else { return Some(0) };
        let Some(credit) = delay.credit else { return Some(0) };
        let mut weighted_days = 0;
        for unit in &self.record.accepted[self.id] {
            if unit.at >= until {
                continue;
            }
            let late = self.terms.date(unit.at).days_since(tranche.delivery)
                - delay.grace_days
                - self.excused_days(tranche, unit.at);
            weighted_days += late.clamp(0, credit.cap_days) * unit.delivered;
        }
        if weighted_days == 0 {
            return Some(0);
        }
        let fee =
            fees::first_month_fee(self.terms, self.record, contract, tranche, anchor)?;
        let parts = Exact::ratio(weighted_days.into(), quantity(tranche.quantity).into());
        Some(rounded(contract, credit.per_day * parts * fee))
    }

    /// Whole days between delivery and acceptance under an instruction of the grid
    /// operator or force majeure.
    fn excused_days(&self, tranche: &Tranche, accepted: At) -> i64 {
        let delivery = self.terms.midnight(tranche.delivery);
        let mut windows: Vec<(At, At)> = Vec::new();
        for fact in &self.record.facts {
            let excuses = matches!(
                fact.body,
                Body::GridInstruction { .. }
                    | Body::Notice { about: About::ForceMajeure, .. }
            );
            if excuses {
                windows.push((start(fact).max(delivery), end(fact).min(accepted)));
            }
        }
        windows.sort_unstable();
        let mut excused = 0;
        let mut reached = delivery;
        for (from, to) in windows {
            let from = from.max(reached);
            if from < to {
                excused += to - from;
                reached = to;
            }
        }
        excused / 86_400
    }

    /// What the contract asks to be paid ahead.
    fn agreed(&self, contract: &Contract, tranche: &Tranche) -> i64 {
        let Some(prepayment) = &contract.prepayment else { return 0 };
        let value = fees::signed_value(self.terms, contract, tranche);
        rounded(contract, prepayment.share * value)
    }

    /// What was paid for the prepayment before `until`.
    fn received(&self, contract: &Contract, until: At) -> i64 {
        let mut received = Exact::ZERO;
        for fact in &self.record.facts {
            if let Body::Payment { amount, currency, purpose: Purpose::Prepayment(name) } =
                &fact.body
                && is_ours(self.terms, name)
                && name.tranche == self.id
                && *currency == contract.currency.code
                && start(fact) < until
            {
                received += *amount;
            }
        }
        rounded(contract, fees::minor(contract, received))
    }

    /// The instalments whose month of service begins by the end of `period`.
    fn due(
        &self,
        contract: &Contract,
        agreed: i64,
        service: Option<Service>,
        period: Period,
    ) -> i64 {
        let Some(prepayment) = &contract.prepayment else { return 0 };
        let Some(anchor) = service.and_then(|service| service.anchor) else { return 0 };
        let mut begun = 0;
        for place in 0..prepayment.credit_over {
            let month = prepayment.credit_from + place;
            let begins = self.terms.months_after(anchor, month - 1);
            if self.terms.period(begins) <= period {
                begun += 1;
            }
        }
        match begun == prepayment.credit_over {
            true => agreed,
            false => agreed / prepayment.credit_over * begun,
        }
    }

    /// The approved fee for ending early, in the month it ended, or the approval that
    /// allows more than the contract does.
    fn termination_fee(
        &self,
        contract: &Contract,
        tranche: &Tranche,
        period: Period,
        anchor: Option<At>,
    ) -> Result<i64, u64> {
        let ended = record::ended_at(self.terms, self.id, &self.record.facts);
        let Some((ended, _)) = ended else { return Ok(0) };
        if self.terms.period(ended) != period {
            return Ok(0);
        }
        let mut approved = None;
        for fact in &self.record.facts {
            if let Body::Approval {
                approves: Approves::TerminationFee { tranche },
                amount: Some(amount),
                ..
            } = &fact.body
                && tranche == self.id
            {
                approved = Some((fact.seq, fees::minor(contract, *amount)));
            }
        }
        let Some((seq, approved)) = approved else { return Ok(0) };
        let natural = self.terms.months_after(anchor.unwrap_or(ended), tranche.months);
        let most = fees::remaining_fees(self.terms, contract, tranche, ended, natural);
        match approved <= Exact::whole(rounded(contract, most).into()) {
            true => Ok(rounded(contract, approved)),
            false => Err(seq),
        }
    }
}

/// The share of reserved time, less what is excused, that was not down.
fn availability(contract: &Contract, seconds: &Seconds) -> Exact {
    let (degraded, excluded) = match &contract.sla {
        Some(sla) => (sla.degraded, sla.gap_policy == GapPolicy::Exclude),
        None => (Exact::ONE, false),
    };
    let mut counted = seconds.reserved - seconds.excused();
    if excluded {
        counted -= seconds.unknown;
    }
    if counted == 0 {
        return Exact::ONE;
    }
    let counted = Exact::whole(counted.into());
    let down = Exact::whole(seconds.down.into());
    (counted - down - degraded * Exact::whole(seconds.degraded.into())) / counted
}

/// The month's credit: the highest tier missed, under the month's cap, rounded, and
/// then under what twelve months' cap leaves.
fn sla_credit(
    contract: &Contract,
    period: Period,
    availability: Exact,
    fee: Exact,
    running: &Running,
) -> i64 {
    let sla = contract.sla.as_ref().expect("a credit has terms");
    let mut share = Exact::ZERO;
    for tier in &sla.tiers {
        if availability < tier.below {
            share = share.max(tier.credit);
        }
    }
    let credit = rounded(contract, fee * share.min(sla.month_cap));
    let Some(year_cap) = sla.year_cap else { return credit };
    let in_window = |other: &Period| (0..12).contains(&period.months_since(*other));
    let mut fees = Exact::ZERO;
    let mut before = 0;
    for (_, fee) in running.fees.iter().filter(|(other, _)| in_window(other)) {
        fees += *fee;
    }
    for (_, given) in running.credits.iter().filter(|(other, _)| in_window(other)) {
        before += *given;
    }
    let most = i64::try_from((year_cap * fees).floor()).expect("an amount") - before;
    credit.min(most).max(0)
}

/// What was paid and not used in the months that may still be drawn on; the oldest
/// is drawn first. Returns what is drawn of `above`.
fn draw(
    contract: &Contract,
    period: Period,
    last: Option<Period>,
    running: &mut Running,
    above: i128,
) -> Exact {
    let is_over = last.is_some_and(|last| period > last);
    let mut drawn = Exact::ZERO;
    for (paid_in, left) in &mut running.unused {
        let may = match contract.take_or_pay.make_up {
            MakeUp::None => false,
            MakeUp::TermEnd => !is_over,
            MakeUp::Months(months) => period.months_since(*paid_in) <= months,
        };
        if may {
            let part = (Exact::whole(above) - drawn).min(*left);
            drawn += part;
            *left = *left - part;
        }
    }
    drawn
}

/// What may still be drawn in the month after `period`.
fn balance(
    contract: &Contract,
    period: Period,
    last: Option<Period>,
    running: &Running,
) -> Exact {
    let is_over = last.is_some_and(|last| period >= last);
    let mut sum = Exact::ZERO;
    for (paid_in, left) in &running.unused {
        let may = match contract.take_or_pay.make_up {
            MakeUp::None => false,
            MakeUp::TermEnd => !is_over,
            MakeUp::Months(months) => period.months_since(*paid_in) < months,
        };
        if may {
            sum += *left;
        }
    }
    sum
}

/// What is left is paid back at the natural end, and otherwise as agreed.
fn is_refundable(contract: &Contract, cause: Option<Cause>) -> bool {
    let (Some(prepayment), Some(cause)) = (&contract.prepayment, cause) else {
        return true;
    };
    match prepayment.refundable {
        Refundable::Always => true,
        Refundable::Never => false,
        Refundable::OnSupplierTermination => {
            matches!(cause, Cause::Supplier | Cause::LongStop)
        }
    }
}
