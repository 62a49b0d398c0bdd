//! What a contract pays: acceptances and lost time become facts, and `settle` says the
//! rest.
//!
//! A tranche is settled as an aggregate: what one conversion brings is one unit, and
//! what its GPUs lose in a month is one stretch of it being down. Lost time is drawn as
//! the contract counts it, so the contract's block rule and its shortest incident are
//! taken out of the copy that is settled, and a tenant who has to ask for a credit always
//! does; everything else stands as signed. The stretch lies at the month's beginning, which moves no amount: availability is counted
//! by the month.

use settle::calendar::{Date, Period};
use settle::contract::{Basis, Claim, Contract, Quantity, Versions};
use settle::facts::Facts;
use settle::settlement::{Settlement, cut};
use settle::statement::LineKind;
use std::collections::BTreeMap;
use std::fmt::Write;
use units::{Money, Seconds, Timestamp};

/// Capacity of one conversion that serves a tranche.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Batch {
    pub(crate) tranche: usize,
    /// What brings it: the conversion's place.
    pub(crate) unit: usize,
    /// GPUs or kilowatts, as the tranche counts.
    pub(crate) size: i64,
    pub(crate) accepted: Date,
    /// The share lost in each of the plan's months.
    pub(crate) lost: Vec<f64>,
}

/// A tranche that the tenant ends at its long stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ended {
    pub(crate) tranche: usize,
    pub(crate) at: Date,
}

/// What a contract pays, in the plan's months.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Receipts {
    /// Statements paid, by the month of payment; refunds and all.
    pub paid: Vec<Money>,
    /// Prepayments received, by month.
    pub ahead: Vec<Money>,
    /// Prepayments that are kept although their tranche ended, by the month of its end.
    pub kept: Vec<Money>,
    /// What the tenant owes at the plan's end for what was served within it, less what was
    /// paid ahead by then and not yet credited.
    pub open: Money,
    /// What of that is power.
    pub power_open: Money,
    /// What each tranche comes to by the month of service, without what is paid ahead and
    /// without power.
    pub earned: Vec<Vec<Money>>,
    /// Power charged to each tranche, by the month of service.
    pub power: Vec<Vec<Money>>,
    /// The same of all tranches, by the month of payment; it is in `paid`, too.
    pub power_paid: Vec<Money>,
}

/// The first of the plan and how many months it has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    pub(crate) first: Period,
    pub(crate) months: usize,
}

impl Span {
    fn place(self, period: Period) -> Option<usize> {
        let place = usize::try_from(period.months_since(self.first)).ok()?;
        (place < self.months).then_some(place)
    }

    /// Whether a month comes after the plan.
    fn is_past(self, period: Period) -> bool {
        let place = i64::from(period.months_since(self.first));
        place >= i64::try_from(self.months).expect("months fit")
    }
}

/// The contract as an aggregate is settled by.
pub(crate) fn aggregate(contract: &Contract) -> Contract {
    let mut contract = contract.clone();
    if let Some(sla) = &mut contract.sla {
        sla.basis = Basis::GpuSeconds;
        sla.min_incident_seconds = 0;
        sla.claim = Claim::Automatic;
    }
    contract
}

/// What `contract` pays for `batches`, where some tranches ended and meters, prices, bills and
/// indexes say what is told.
///
/// Panics when settlement sets one of the facts aside: they are all made here.
pub(crate) fn receipts(
    contract: &Contract,
    span: Span,
    batches: &[Batch],
    ended: &[Ended],
    told: Vec<Said>,
) -> Receipts {
    let mut receipts = Receipts {
        paid: vec![Money::ZERO; span.months],
        ahead: vec![Money::ZERO; span.months],
        kept: vec![Money::ZERO; span.months],
        open: Money::ZERO,
        power_open: Money::ZERO,
        earned: vec![vec![Money::ZERO; span.months]; contract.tranches.len()],
        power: vec![vec![Money::ZERO; span.months]; contract.tranches.len()],
        power_paid: vec![Money::ZERO; span.months],
    };
    // What was paid ahead by the plan's end, and is neither credited nor given back.
    let mut held = vec![Money::ZERO; contract.tranches.len()];
    let paid_ahead = (&mut receipts.ahead[..], &mut held[..]);
    let (text, any) = facts(contract, span, (batches, ended, told), paid_ahead);
    if !any {
        return receipts;
    }
    let versions = Versions::single(contract.clone()).expect("one version is a chain");
    let facts = Facts::read(&text).expect("facts that are made here can be read");
    let last =
        span.first.plus(i32::try_from(span.months).expect("months fit")).previous();
    let known = facts.all().last().map(|fact| fact.known_at);
    let as_of = cut(contract, last).max(known.expect("facts were made"));
    let mut settlement = Settlement::new(versions, facts);
    let owed = settlement.owed(last, as_of);
    let aside = settlement.quarantined(as_of);
    assert!(aside.is_empty(), "a fact of a plan was set aside: {:?}", aside.first());

    let scale = 10_i64.pow(6 - u32::from(contract.currency.places).min(6));
    let paid_in = |service: Period| {
        let day = contract.zone.date(cut(contract, service));
        day.plus_days(contract.billing.due_days).period()
    };
    let mut totals: BTreeMap<Period, Money> = BTreeMap::new();
    for ((id, service, kind), amount) in owed {
        let amount = Money::from_micro_usd(amount.as_minor() * scale);
        let of = contract.tranches.iter().position(|tranche| tranche.id == id);
        if kind == LineKind::Refund {
            // Nothing is left to set it off against: it is paid.
            receipts.pay(span, paid_in(service), amount);
            if let Some(of) = of {
                held[of] += amount;
            }
            continue;
        }
        if let (Some(of), LineKind::Prepayment) = (of, kind) {
            held[of] += amount;
        }
        *totals.entry(service).or_insert(Money::ZERO) += amount;
        if kind == LineKind::Power {
            match span.place(paid_in(service)) {
                Some(place) => receipts.power_paid[place] += amount,
                None if span.is_past(paid_in(service)) => receipts.power_open += amount,
                None => {}
            }
        }
        let Some((of, place)) = of.zip(span.place(service)) else { continue };
        match kind {
            LineKind::Prepayment => {}
            LineKind::Power => receipts.power[of][place] += amount,
            LineKind::Capacity
            | LineKind::Shortfall
            | LineKind::Overage
            | LineKind::Sla
            | LineKind::Delay
            | LineKind::Refund
            | LineKind::TerminationFee => receipts.earned[of][place] += amount,
        }
    }
    let mut credit = Money::ZERO;
    for (service, total) in totals {
        // What a statement leaves as a credit comes off the next.
        let due = total + credit;
        credit = due.min(Money::ZERO);
        receipts.pay(span, paid_in(service), due.max(Money::ZERO));
    }
    receipts.open += credit;
    for (of, held) in held.into_iter().enumerate() {
        let end = ended.iter().find(|ended| ended.tranche == of);
        match end.map(|end| end.at.period()).filter(|end| !span.is_past(*end)) {
            Some(end) => {
                if let Some(place) = span.place(end) {
                    receipts.kept[place] += held;
                }
            }
            None => receipts.open -= held,
        }
    }
    receipts
}

impl Receipts {
    /// Notes what is paid in a month: after the plan it is open when that ends.
    fn pay(&mut self, span: Span, month: Period, amount: Money) {
        match span.place(month) {
            Some(place) => self.paid[place] += amount,
            None if span.is_past(month) => self.open += amount,
            None => {}
        }
    }
}

/// One line of a record, not yet numbered.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    pub(crate) known: Timestamp,
    pub(crate) kind: &'static str,
    pub(crate) from: Timestamp,
    pub(crate) to: Option<Timestamp>,
    pub(crate) body: String,
}

/// The record as text, and whether there is anything in it. Notes what is paid ahead, by
/// month, and by tranche as far as that is by the plan's end.
fn facts(
    contract: &Contract,
    span: Span,
    (batches, ended, told): (&[Batch], &[Ended], Vec<Said>),
    (ahead, by_tranche): (&mut [Money], &mut [Money]),
) -> (String, bool) {
    let zone = &contract.zone;
    let mut said = told;
    for (place, tranche) in contract.tranches.iter().enumerate() {
        let served = batches.iter().any(|batch| batch.tranche == place)
            || ended.iter().any(|ended| ended.tranche == place);
        let (Some(terms), true) = (&contract.prepayment, served) else { continue };
        let day = tranche.delivery.plus_days(-terms.due_days_before_delivery);
        if ended.iter().any(|ended| ended.tranche == place && ended.at < day) {
            // The order ended before it was due.
            continue;
        }
        let amount = settle::prepayment::agreed(contract, tranche);
        let at = zone.midnight(day);
        let scale = 10_i64.pow(6 - u32::from(contract.currency.places).min(6));
        let money = Money::from_micro_usd(amount.as_minor() * scale);
        if let Some(place) = span.place(day.period()) {
            ahead[place] += money;
        }
        if !span.is_past(day.period()) {
            by_tranche[place] += money;
        }
        let body = format!(
            "{{\"amount\":\"{amount}\",\"currency\":\"{}\",\"for\":\"prepayment:{}\"}}",
            contract.currency.code, tranche.id
        );
        let to = Some(at + Seconds::from_seconds(1));
        said.push(Said { known: at, kind: "payment", from: at, to, body });
    }
    for batch in batches {
        accepted(contract, span, batch, &mut said);
    }
    for ended in ended {
        let at = zone.midnight(ended.at);
        let id = &contract.tranches[ended.tranche].id;
        let body = format!("{{\"tranche\":\"{id}\",\"cause\":\"long_stop\"}}");
        said.push(Said { known: at, kind: "termination", from: at, to: None, body });
    }
    said.sort_by_key(|said| said.known);
    let mut text = String::with_capacity(said.len() * 240);
    for (at, one) in said.iter().enumerate() {
        let seq = at + 1;
        let to = one
            .to
            .map_or_else(String::new, |to| format!("\"valid_to\":\"{}\",", rfc3339(to)));
        writeln!(
            text,
            "{{\"seq\":{seq},\"site\":\"plan\",\"source\":\"plan\",\"source_seq\":{seq},\
             \"kind\":\"{}\",\"valid_from\":\"{}\",{to}\"known_at\":\"{}\",\"body\":{}}}",
            one.kind,
            rfc3339(one.from),
            rfc3339(one.known),
            one.body
        )
        .expect("text grows");
    }
    (text, !said.is_empty())
}

/// A batch's acceptance, and what it lost in each month.
fn accepted(contract: &Contract, span: Span, batch: &Batch, said: &mut Vec<Said>) {
    let zone = &contract.zone;
    let tranche = &contract.tranches[batch.tranche];
    let at = zone.midnight(batch.accepted);
    let counted = match tranche.quantity {
        Quantity::Gpus(_) => "gpus",
        Quantity::Kilowatts(_) => "kw",
    };
    let unit = format!("conversion-{}", batch.unit);
    let body = format!(
        "{{\"contract\":\"{}\",\"tranche\":\"{}\",\"units\":[{{\"unit\":\"{unit}\",\"{counted}\":{}}}]}}",
        contract.id, tranche.id, batch.size
    );
    said.push(Said { known: at, kind: "acceptance", from: at, to: None, body });
    let state = |state: &str| format!("{{\"units\":[\"{unit}\"],\"state\":\"{state}\"}}");
    let body = state("available");
    said.push(Said { known: at, kind: "unit_state", from: at, to: None, body });
    let end = zone.months_after(at, tranche.months + 1);
    for (place, lost) in batch.lost.iter().enumerate() {
        let place = i32::try_from(place).expect("months fit");
        let month = zone.month(span.first.plus(place));
        let from = month.start.max(at);
        if from >= month.end || from >= end {
            continue;
        }
        let length = (month.end - from).as_seconds();
        let seconds = (lost * length as f64).round() as i64;
        if seconds > 0 {
            let to = from + Seconds::from_seconds(seconds.min(length));
            let body = state("down");
            said.push(Said { known: to, kind: "unit_state", from, to: Some(to), body });
        }
    }
}

/// An instant with its seconds, as facts write it.
fn rfc3339(at: Timestamp) -> String {
    let text = at.to_string();
    if text.len() == 17 { text.replace('Z', ":00Z") } else { text }
}
