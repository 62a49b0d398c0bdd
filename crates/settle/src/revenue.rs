//! Revenue from contracts with customers, month by month: what was billed, what is
//! recognised, and what is left to be recognised.
//!
//! Stand-ready capacity is a series of distinct days, so the fee of a month is its
//! revenue, tranche by tranche (ASC 606-10-25-18(e); IFRS 15.22(b)). Where a part is
//! paid long ahead, the contract names a rate, and a [`Schedule`] adds interest on
//! what was paid ahead and as much to revenue over the term (606-10-32-15 to 20;
//! IFRS 15.60 to 65). Under `ASC842-operating` the fees are spread evenly over the
//! time of service and nothing is added.
//!
//! What is expected of the months to come is the fixed part: what is paid in any
//! case, at the prices known. What happened replaces it month by month.
//!
//! Everything here is computed and shown; the accountant decides.

pub mod fixed;
pub mod schedule;

use crate::calendar::{Date, Period};
use crate::contract::{Contract, PriceUnit, Tranche, Versions};
use crate::exact::Exact;
use crate::fee::{self, Values};
use crate::prepayment;
use crate::settlement::Kept;
use crate::settlement::owed::minor;
use fixed::Factor;
use schedule::{Carried, Flow, Paid, Step};
use units::Interval;

/// How a contract's revenue is recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standard {
    /// ASC 606.
    Asc606,
    /// IFRS 15.
    Ifrs15,
    /// ASC 842, the lessor's side of an operating lease.
    Asc842Operating,
}

/// The choices of a contract that move its schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// By which standard.
    pub standard: Standard,
    /// The yearly rate of the significant financing component, if there is one.
    pub rate: Option<Exact>,
}

/// One month of a tranche's revenue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Month {
    /// The month.
    pub period: Period,
    /// Whether it was settled; otherwise it is expected.
    pub settled: bool,
    /// What the service of the month is priced at, in minor units.
    pub fee: i64,
    /// What was paid ahead and is credited or owed back in the month.
    pub credited: i64,
    /// What of the month's payments counts from its first day; the rest counts from the
    /// first day of the next.
    pub paid_at_start: i64,
    /// What it comes to.
    pub step: Step,
}

/// A tranche's revenue over its term.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// The tranche.
    pub tranche: String,
    /// By which rules.
    pub policy: Policy,
    /// One and the interest of a month.
    pub monthly: Factor,
    /// Digits after the point of the currency.
    pub places: u8,
    /// The months, from the first in which anything happens.
    pub months: Vec<Month>,
}

impl Standard {
    /// The name in contract files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Asc606 => "ASC606",
            Self::Ifrs15 => "IFRS15",
            Self::Asc842Operating => "ASC842-operating",
        }
    }
}

impl Policy {
    /// What a contract chooses. Without a word it is ASC 606 without financing.
    ///
    /// # Errors
    /// In words, when the contract names a standard that is not known or a rate that
    /// is no rate from 0 to 1.
    pub fn of(contract: &Contract) -> Result<Self, String> {
        let chosen = |key: &str| contract.accounting.get(key).map(String::as_str);
        let standard = match chosen("standard") {
            None | Some("ASC606") => Standard::Asc606,
            Some("IFRS15") => Standard::Ifrs15,
            Some("ASC842-operating") => Standard::Asc842Operating,
            Some(found) => {
                return Err(format!(
                    "accounting.standard: expected \"ASC606\", \"IFRS15\" or \
                     \"ASC842-operating\", found \"{found}\""
                ));
            }
        };
        let rate = match chosen("significant_financing") {
            None | Some("none") => None,
            Some(text) => {
                let written = text.split(' ').next().unwrap_or_default();
                let rate = Exact::parse(written).ok();
                let rate = rate.filter(|r| !r.is_negative() && *r <= Exact::ONE);
                Some(rate.ok_or_else(|| {
                    format!(
                        "accounting.significant_financing: expected a yearly rate from \
                         0 to 1 such as \"0.0596\", found \"{written}\""
                    )
                })?)
            }
        };
        // What is paid ahead of a lease is rent, and rent is spread without interest.
        let rate = rate.filter(|_| standard != Standard::Asc842Operating);
        Ok(Self { standard, rate })
    }

    /// One and the interest of a month.
    pub fn monthly(&self) -> Factor {
        self.rate.map_or(Factor::ONE, |rate| Factor::twelfth_root(Exact::ONE + rate))
    }
}

/// A schedule in the making: months are taken as they are settled.
#[derive(Clone, Debug)]
pub(crate) struct Making {
    carried: Carried,
    pub(crate) schedule: Schedule,
}

impl Making {
    pub(crate) fn new(tranche: &str, policy: Policy, places: u8) -> Self {
        let monthly = policy.monthly();
        let schedule = Schedule {
            tranche: tranche.to_owned(),
            policy,
            monthly,
            places,
            months: Vec::new(),
        };
        Self { carried: Carried::default(), schedule }
    }

    /// Takes a month: the first of `flows`, with the others expected after it.
    pub(crate) fn take(&mut self, period: Period, settled: bool, flows: &[Flow]) -> Step {
        let step = self.carried.step(self.schedule.monthly, flows);
        let Flow { paid, fee, credited, .. } = &flows[0];
        let at_start = paid.iter().filter(|paid| paid.from_start);
        self.schedule.months.push(Month {
            period,
            settled,
            fee: *fee,
            credited: *credited,
            paid_at_start: at_start.map(|paid| paid.amount).sum(),
            step,
        });
        step
    }

    /// The schedule with the expected months after those taken.
    pub(crate) fn finish(mut self, after: Period, expected: &[Flow]) -> Schedule {
        let mut period = after;
        for place in 0..expected.len() {
            period = period.next();
            self.take(period, false, &expected[place..]);
        }
        self.schedule
    }
}

/// What was already paid and credited of a tranche, in minor units.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Prepaid {
    pub(crate) received: i64,
    pub(crate) credited: i64,
}

/// The weight of a month: its fee, or the seconds it is served.
pub(crate) fn weight(policy: Policy, fee: i64, seconds: i64) -> i64 {
    match policy.standard {
        Standard::Asc606 | Standard::Ifrs15 => fee,
        Standard::Asc842Operating => seconds,
    }
}

/// What is expected of a tranche in each month after `after`, from what is known.
pub(crate) fn expected(
    kept: &Kept,
    versions: &Versions,
    id: &str,
    policy: Policy,
    after: Period,
    prepaid: Prepaid,
) -> Vec<Flow> {
    let known = &versions.all()[..kept.known.max(1)];
    let Some((contract, terms)) =
        known.iter().rev().find_map(|contract| Some((contract, contract.tranche(id)?)))
    else {
        return Vec::new();
    };
    let zone = &contract.zone;
    let record = &kept.intake.record;
    let found = record.tranches.iter().find(|tranche| tranche.id == id);
    let first_day = after.next().first_day();
    // What was not accepted in time is expected next.
    let anchor = found
        .and_then(|found| found.anchor)
        .unwrap_or_else(|| zone.midnight(terms.delivery.max(first_day)));
    let term_end = zone.months_after(anchor, terms.months);
    let end = found
        .and_then(|found| found.ending)
        .map_or(term_end, |ending| ending.at.min(term_end));
    let plan = prepayment::plan(contract, terms, Some(anchor));
    let received = prepaid.received.max(plan.agreed);
    let mut flows: Vec<Flow> = Vec::new();
    let mut credited = prepaid.credited;
    let mut period = after.next();
    let last = zone.period(end + units::Seconds::from_seconds(-1));
    while period <= last {
        let month = zone.month(period);
        let service =
            Interval { start: anchor.max(month.start), end: end.min(month.end) };
        let mut flow = Flow::default();
        if service.start < service.end {
            let settling = versions.settling(period, known.len());
            let terms = settling.tranche(id).unwrap_or(terms);
            flow.fee = fee_of(settling, terms, kept, service, month);
            flow.weight = weight(policy, flow.fee, service.duration().as_seconds());
            let due = if period == last { received } else { plan.due_before(month.end) };
            flow.credited = (due - credited).min(flow.fee).max(0);
            if period == last {
                flow.credited = received - credited;
            }
            credited += flow.credited;
        }
        flows.push(flow);
        period = period.next();
    }
    let missing = received - prepaid.received;
    if missing > 0 && !flows.is_empty() {
        let days = contract.prepayment.as_ref().map_or(0, |p| p.due_days_before_delivery);
        let due = terms.delivery.plus_days(-days).max(first_day);
        let place = due.period().months_since(after.next());
        let flow = usize::try_from(place).ok().and_then(|place| flows.get_mut(place));
        if let Some(flow) = flow {
            flow.paid.push(there(due, missing));
        }
    }
    flows
}

/// What the fixed part of a month's service is priced at.
fn fee_of(
    contract: &Contract,
    terms: &Tranche,
    kept: &Kept,
    service: Interval,
    month: Interval,
) -> i64 {
    let values = Values::Known(&kept.intake.record);
    let pieces = fee::pieces(terms, &contract.zone, service, values);
    let quantity = i128::from(terms.quantity.count());
    let length = i128::from(month.duration().as_seconds());
    let parts = pieces.iter().map(|piece| {
        let seconds = i128::from(piece.during.duration().as_seconds());
        piece.price
            * match terms.price.unit {
                PriceUnit::GpuHour => Exact::ratio(quantity * seconds, 3_600),
                PriceUnit::MwMonth | PriceUnit::Flat => Exact::ratio(seconds, length),
            }
    });
    let fee: Exact = parts.sum();
    minor(contract, fee * contract.take_or_pay.share)
}

/// An amount paid on a day, which counts from the nearer edge of its month: the closed
/// form has whole months, and so a schedule earns its rate month by month.
pub(crate) fn there(day: Date, amount: i64) -> Paid {
    let first = day.period().first_day();
    let length = day.period().next().first_day().days_since(first);
    let from_start = 2 * day.days_since(first) <= length;
    Paid { from_start, amount }
}

/// How far away revenue is, for what remains to be recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Band {
    /// Whole months from the reporting date at which it begins.
    pub from: i32,
    /// Whole months at which it ends; `None` is beyond all of them.
    pub until: Option<i32>,
    /// What is expected to be recognised in it, in minor units.
    pub amount: i64,
}

/// What remains to be recognised, by time band: within a year, one to two years, two
/// to three, three to five, and beyond (606-10-50-13; IFRS 15.120).
pub fn remaining(schedules: &[Schedule]) -> Vec<Band> {
    const EDGES: [i32; 5] = [0, 12, 24, 36, 60];
    let bands = EDGES.iter().enumerate().map(|(place, from)| {
        let until = EDGES.get(place + 1).copied();
        let within = |away: i32| away >= *from && until.is_none_or(|until| away < until);
        let expected = schedules.iter().flat_map(|schedule| {
            schedule.months.iter().filter(|month| !month.settled).enumerate()
        });
        let amount = expected
            .filter(|(away, _)| within(i32::try_from(*away).expect("few months")))
            .map(|(_, month)| month.step.revenue)
            .sum();
        Band { from: *from, until, amount }
    });
    bands.collect()
}
