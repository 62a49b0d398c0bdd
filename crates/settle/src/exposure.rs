//! What the next lost unit-second costs, tranche by tranche.
//!
//! A credit is a staircase: nothing for a while, then a step. Somebody who
//! decides how much contracted load to shed needs a price for each lost
//! GPU-second instead, and one that never understates what a longer loss comes
//! to. [`Exposure::slope`] is the steepest chord from where the month stands to
//! any later step; together with the fee that is lost with the use and the worth
//! of the term where a month would complete a right to end it, it is what
//! contracted load is worth.
//!
//! The rest of the month is assumed available, and a claim, where one is needed,
//! to be made. A unit of a block counts as if it alone decided.

use crate::availability;
use crate::calendar::Period;
use crate::contract::{Contract, Quantity, Tranche, Versions};
use crate::exact::{Amount, Exact, Rounding};
use crate::facts::Facts;
use crate::facts::record::Tenure;
use crate::fee::{self, Values};
use crate::settlement::owed::{self, Books, Owed};
use crate::settlement::{Documents, Kept, Settlement};
use crate::statement::LineKind;
use units::{Interval, Timestamp};

/// What a tranche stands to lose in the month an instant lies in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exposure {
    /// The tranche.
    pub tranche: String,
    /// The month.
    pub period: Period,
    /// How much there is of it, and what its seconds are counted in.
    pub quantity: Quantity,
    /// Unit-seconds that count in the whole month: reserved less excused so far.
    pub counted: Exact,
    /// Those lost so far.
    pub lost: Exact,
    /// Availability of the whole month if nothing more is lost.
    pub availability: Exact,
    /// The credit if nothing more is lost; not negative.
    pub credit: Amount,
    /// The next step, if there is one.
    pub next: Option<Step>,
    /// The steepest chord to any later step, in units of the currency for each
    /// lost unit-second; nothing where the caps are exhausted.
    pub slope: Exact,
    /// The fee lost with each unit-second, where use is what is paid.
    pub fee: Exact,
    /// The reserved fees of the rest of the term for each unit-second up to the
    /// loss that would complete a right to end the tranche.
    pub termination: Exact,
    /// The power of a GPU in watts below which its seconds are lost; nothing where the
    /// contract has no floor.
    pub floor_watts: Option<Exact>,
    /// Flex events that are not over, in the order of their facts; none where the
    /// contract has no flex.
    pub flex: Vec<FlexEvent>,
    /// What another day of late delivery of what is not accepted costs.
    pub delay_day: Amount,
}

/// A flex event of a tranche.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlexEvent {
    /// The fact that says so, by its number.
    pub fact: u64,
    /// When.
    pub during: Interval,
    /// Seconds that each unit has left of the month's, if they were held below the
    /// floor together.
    pub left: i64,
}

/// A step of the credit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// Unit-seconds that can be lost until it, the last of which costs.
    pub lost_seconds: i128,
    /// By how much the credit rises; positive.
    pub cost: Amount,
}

impl Exposure {
    /// The three parts together, in units of the currency for each unit-second.
    pub fn per_second(&self) -> Exact {
        self.slope + self.fee + self.termination
    }

    /// [`Exposure::per_second`] in millionths for an hour, rounded half up.
    pub fn micro_per_hour(&self) -> i64 {
        micro_per_hour(self.per_second())
    }
}

/// An amount for each second as millionths for an hour, rounded half up; the most
/// that 64 bits hold where it is beyond them, which only a ranking can use.
pub fn micro_per_hour(per_second: Exact) -> i64 {
    let hourly = per_second * Exact::whole(3_600 * 1_000_000);
    let micro = hourly.rounded(Rounding::HalfUp);
    i64::try_from(micro).unwrap_or(if micro < 0 { i64::MIN } else { i64::MAX })
}

/// What each tranche of the contract stands to lose in the month of `as_of`, by
/// the facts known then.
pub fn exposure(versions: &Versions, facts: &Facts, as_of: Timestamp) -> Vec<Exposure> {
    let period = versions.first().zone.period(as_of);
    let mut kept = Kept::default();
    kept.advance(versions, facts, as_of, period);
    exposures(&kept, versions, period, as_of)
}

impl Settlement {
    /// [`exposure`] of this settlement, in the time that new facts take.
    pub fn exposure(&mut self, as_of: Timestamp) -> Vec<Exposure> {
        let period = self.versions().first().zone.period(as_of);
        let (kept, versions) = self.advanced(as_of, period);
        exposures(kept, versions, period, as_of)
    }
}

fn exposures(
    kept: &Kept,
    versions: &Versions,
    period: Period,
    as_of: Timestamp,
) -> Vec<Exposure> {
    let documents = Documents::default();
    let books = kept.books(versions, &documents);
    let contract = versions.settling(period, kept.known);
    let months = kept.owed(&books, period);
    let stated = months.iter().filter_map(|(tranche, months)| {
        let id = &books.record.tranches[*tranche].id;
        // Before the first month that anything is owed for, nothing can be lost.
        months.last()?;
        Some((contract.tranche(id)?, *tranche, months))
    });
    stated
        .map(|(terms, tranche, months)| {
            Standing { books: &books, contract, terms, tranche, months, as_of }
                .exposure(period)
        })
        .collect()
}

/// Where one tranche stands.
struct Standing<'s> {
    books: &'s Books<'s>,
    contract: &'s Contract,
    terms: &'s Tranche,
    tranche: usize,
    months: &'s [Owed],
    as_of: Timestamp,
}

impl Standing<'_> {
    fn exposure(&self, period: Period) -> Exposure {
        let places = self.contract.currency.places;
        let month = self.months.last().expect("the month asked for is settled");
        let during = self.books.quantities.months.month(month.place);
        let sla = self.contract.sla.as_ref();
        let so_far = Interval { start: during.start, end: self.as_of.min(during.end) };
        let mut seconds =
            self.books.quantities.seconds_in(self.books.record, self.tranche, so_far);
        // The rest of the month counts as available.
        seconds.reserved = month.seconds.reserved;
        let standing = availability::of(sla, &seconds);
        let fee = self.month_fee(month, so_far);
        let ceiling = self.year_left(fee);
        let credit = |fraction: Exact| -> i128 {
            let share =
                sla.map_or(Exact::ZERO, |sla| availability::credit(sla, fraction));
            let full = (fee * share).rounded(self.contract.rounding);
            ceiling.map_or(full, |ceiling| full.min(ceiling))
        };
        let (counted, lost) = (standing.counted, standing.lost);
        // Lost seconds until availability is strictly below a limit.
        let until = |below: Exact| (counted * (Exact::ONE - below) - lost).floor() + 1;
        let now = credit(standing.fraction);
        let mut next: Option<Step> = None;
        let mut slope = Exact::ZERO;
        let limits = sla.map_or(&[][..], |sla| &sla.tiers).iter();
        for below in limits.map(|tier| tier.below) {
            let seconds = until(below);
            if seconds <= 0 || counted.is_zero() || Exact::whole(seconds) > counted - lost
            {
                continue;
            }
            let after = availability::fraction(counted, lost + Exact::whole(seconds));
            let rise = credit(after) - now;
            if rise <= 0 {
                continue;
            }
            let per_unit = self.contract.currency.minor_per_unit();
            slope = slope.max(Exact::ratio(rise, seconds) / per_unit);
            if next.is_none_or(|step| seconds < step.lost_seconds) {
                let minor = i64::try_from(rise).expect("a credit fits 64 bits");
                let cost = Amount::from_minor(minor, places);
                next = Some(Step { lost_seconds: seconds, cost });
            }
        }
        let paid_by_use = self.contract.take_or_pay.share < Exact::ONE;
        let minor = i64::try_from(now).expect("a credit fits 64 bits");
        Exposure {
            tranche: self.terms.id.clone(),
            period,
            quantity: self.terms.quantity,
            counted,
            lost,
            availability: standing.fraction,
            credit: Amount::from_minor(minor, places),
            next,
            slope,
            fee: match paid_by_use && !counted.is_zero() {
                true => month.fee.price * Exact::ratio(1, 3_600),
                false => Exact::ZERO,
            },
            termination: self.termination(standing.fraction, &until),
            floor_watts: self.contract.power_floor_watts_per_gpu,
            flex: self.flex(seconds.flex),
            delay_day: self.delay_day(),
        }
    }

    /// Flex events to come and the one that is on, where so many unit-seconds of the
    /// month were flex so far.
    fn flex(&self, used: i64) -> Vec<FlexEvent> {
        let Some(hours) = self.contract.flex_hours_per_month else { return Vec::new() };
        let found = &self.books.record.tranches[self.tranche];
        // Rounded so that less is left, not more.
        let each = Exact::ratio(used.into(), found.accepted.max(1).into());
        let left = (hours * Exact::whole(3_600) - each).floor().max(0);
        let left = i64::try_from(left).unwrap_or(i64::MAX);
        let ahead = found.flex.iter().filter(|event| event.value.end > self.as_of);
        ahead
            .map(|event| FlexEvent { fact: event.seq, during: event.value, left })
            .collect()
    }

    /// The month's fee in minor units, before rounding: where use is paid, what
    /// was used and all of the rest of the month.
    fn month_fee(&self, month: &Owed, so_far: Interval) -> Exact {
        let usage = &self.books.record.tranches[self.tranche].usage;
        let during = self.books.quantities.months.month(month.place);
        let in_month = usage.iter().filter(|usage| during.contains(usage.during.start));
        let used: Vec<i64> = in_month.map(|usage| usage.gpu_seconds).collect();
        let rest = Interval { start: so_far.end.max(during.start), end: during.end };
        let rest =
            self.books.quantities.reserved_in(self.books.record, self.tranche, rest);
        let used = (!used.is_empty()).then(|| used.iter().sum::<i64>() + rest);
        let fee = fee::fee(
            self.terms,
            self.contract.take_or_pay.share,
            during.duration().as_seconds(),
            month.seconds.reserved,
            used,
            month.fee.price,
        );
        (fee.capacity + fee.shortfall) * self.contract.currency.minor_per_unit()
    }

    /// What the year's cap leaves for the month, in minor units.
    fn year_left(&self, fee: Exact) -> Option<i128> {
        let cap = self.contract.sla.as_ref()?.year_cap?;
        let before = &self.months[..self.months.len() - 1];
        let before = &before[before.len().saturating_sub(11)..];
        let per_unit = self.contract.currency.minor_per_unit();
        let exact = before.iter().map(|month| month.fee.capacity + month.fee.shortfall);
        let mut fees: Vec<Exact> = exact.map(|fee| fee * per_unit).collect();
        fees.push(fee);
        let credits: i64 =
            before.iter().map(|month| -month.amounts[owed::at(LineKind::Sla)]).sum();
        let left = Exact::floor_of_sum(cap, &fees) - i128::from(credits);
        Some(left.max(0))
    }

    /// The worth of the rest of the term, spread over what may still be lost
    /// before the month completes the right to end it.
    fn termination(&self, fraction: Exact, until: &impl Fn(Exact) -> i128) -> Exact {
        let rule = self.contract.termination.as_ref().and_then(|rule| rule.availability);
        let Some(rule) = rule else { return Exact::ZERO };
        let before = &self.months[..self.months.len() - 1];
        let below = before.iter().rev().take_while(|month| {
            month.seconds.reserved > 0 && month.availability.fraction < rule.below
        });
        let needed = usize::try_from(rule.months - 1).expect("months are positive");
        let seconds = until(rule.below);
        let reserved = self.months.last().is_some_and(|month| month.seconds.reserved > 0);
        if below.count() < needed || fraction < rule.below || seconds <= 0 || !reserved {
            return Exact::ZERO;
        }
        let Some(anchor) = self.books.record.anchor(self.tranche) else {
            return Exact::ZERO;
        };
        let zone = &self.contract.zone;
        let end = zone.months_after(anchor, self.terms.months);
        let rest = Interval { start: self.as_of.max(anchor), end };
        if rest.start >= rest.end {
            return Exact::ZERO;
        }
        let values = Values::Known(self.books.record);
        let (fees, _) = fee::full_quantity(self.terms, zone, anchor, rest, values);
        fees * Exact::ratio(1, seconds)
    }

    /// What another day until acceptance costs: nothing within the days of grace
    /// and nothing beyond the cap.
    fn delay_day(&self) -> Amount {
        let places = self.contract.currency.places;
        let nothing = Amount::from_minor(0, places);
        let Some(delay) = &self.contract.delay else { return nothing };
        let Some(credit) = delay.credit else { return nothing };
        let found = &self.books.record.tranches[self.tranche];
        let record = self.books.record;
        let tenures = found.tenures.iter().map(|tenure| &record.tenures[tenure.get()]);
        let delivered: i64 = tenures.map(Tenure::delivers).sum();
        let missing = self.terms.quantity.count() - delivered;
        if missing <= 0 || found.ending.is_some_and(|ending| ending.at <= self.as_of) {
            return nothing;
        }
        let late = |at: Timestamp| {
            let days = crate::delay::late(
                self.books.record,
                self.contract,
                self.terms,
                delay.grace_days,
                at,
            );
            days.clamp(0, credit.cap_days)
        };
        let day = units::Seconds::hours(24);
        let days = late(self.as_of + day) - late(self.as_of);
        let zone = &self.contract.zone;
        let start = found.anchor.unwrap_or(self.as_of);
        let month = Interval { start, end: zone.months_after(start, 1) };
        let values = Values::Known(self.books.record);
        let (fee, _) = fee::full_quantity(self.terms, zone, start, month, values);
        let part = Exact::ratio(missing.into(), self.terms.quantity.count().into());
        let cost = credit.per_day * Exact::whole(days.into()) * fee * part;
        let minor = cost * self.contract.currency.minor_per_unit();
        let minor = minor.rounded(self.contract.rounding);
        Amount::from_minor(i64::try_from(minor).expect("a credit fits"), places)
    }
}
