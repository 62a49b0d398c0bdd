//! Composing a statement from what is owed and what was issued.

use super::owed::{self, Books, Owed};
use super::{Documents, Kept, cut};
use crate::calendar::Period;
use crate::contract::{Contract, PriceUnit, Tranche, Versions};
use crate::exact::{Amount, Exact};
use crate::facts::record::{Place, Tenure};
use crate::facts::{Fact, Facts};
use crate::statement::{
    AvailabilityRow, Correction, FactRange, Line, LineKind, LineQuantity, MakeUpRow,
    PrepaymentRow, Right, RightKind, Statement, TaxLine,
};
use std::collections::BTreeMap;
use units::{Interval, Timestamp};

/// The version of the engine, stamped on every statement.
const ENGINE: &str = concat!("settle ", env!("CARGO_PKG_VERSION"));

/// Everything one statement is composed from.
pub(super) struct Composing<'c> {
    pub(super) kept: &'c Kept,
    pub(super) books: Books<'c>,
    pub(super) facts: &'c [Fact],
    pub(super) documents: &'c Documents,
    pub(super) contract: &'c Contract,
    pub(super) period: Period,
    pub(super) as_of: Timestamp,
    pub(super) owed: Vec<(usize, Vec<Owed>)>,
}

pub(super) fn statement(
    kept: &Kept,
    versions: &Versions,
    facts: &Facts,
    documents: &Documents,
    period: Period,
    as_of: Timestamp,
) -> Statement {
    let books = kept.books(versions, documents);
    let owed = kept.owed(&books, period);
    let composing = Composing {
        kept,
        books,
        facts: facts.known_by(as_of),
        documents,
        contract: versions.settling(period, kept.known),
        period,
        as_of,
        owed,
    };
    composing.statement(kept.first_period(versions))
}

/// What one line bills.
struct Difference<'c> {
    tranche: usize,
    month: &'c Owed,
    kind: LineKind,
    /// In minor units.
    amount: i64,
    /// Of a correction, the document it corrects, where there is one.
    corrects: Option<Option<String>>,
}

/// What took availability away in the months from `first` on.
struct Lost {
    first: usize,
    said: Vec<Vec<Place>>,
}

impl Composing<'_> {
    fn amount(&self, minor: i64) -> Amount {
        Amount::from_minor(minor, self.contract.currency.places)
    }

    pub(super) fn id(&self, tranche: usize) -> &str {
        &self.books.record.tranches[tranche].id
    }

    fn statement(&self, first_period: Period) -> Statement {
        let contract = self.contract;
        let lines = self.lines();
        let subtotal: i64 = lines.iter().map(|line| line.amount.as_minor()).sum();
        let taxes = self.taxes(&lines);
        let total = subtotal + taxes.iter().map(|tax| tax.amount.as_minor()).sum::<i64>();
        let carried_in = self.documents.last.as_ref().map_or(0, |last| last.carried_out);
        let held = self.held(first_period);
        let cut = cut(contract, self.period);
        let issue_day = contract.zone.date(cut.max(self.as_of));
        Statement {
            number: held
                .is_empty()
                .then(|| format!("{}-{:04}", contract.id, self.documents.count + 1)),
            revision: self.documents.revisions.get(&self.period).copied().unwrap_or(0),
            contract: contract.id.clone(),
            contract_sha256: contract.hash,
            supplier: contract.supplier.clone(),
            customer: contract.customer.clone(),
            currency: contract.currency.code.clone(),
            period: self.period,
            cut,
            as_of: self.as_of,
            facts: FactRange {
                first: self.facts.first().map(|fact| fact.seq),
                last: self.facts.last().map(|fact| fact.seq),
                count: u64::try_from(self.facts.len()).expect("a count fits 64 bits"),
                chain_sha256: self
                    .facts
                    .last()
                    .map_or(crate::contract::Hash::start(), |fact| fact.chain),
            },
            engine: ENGINE.to_owned(),
            subtotal: self.amount(subtotal),
            taxes,
            total: self.amount(total),
            carried_in: self.amount(carried_in),
            payable: self.amount((total - carried_in).max(0)),
            carried_out: self.amount((carried_in - total).max(0)),
            due: issue_day.plus_days(contract.billing.due_days),
            availability: self.availability(),
            prepayment: self.prepayment(),
            make_up: self.make_up(),
            rights: self.rights(),
            held,
            lines,
        }
    }

    /// A line for each difference.
    fn lines(&self) -> Vec<Line> {
        let differences = self.differences();
        let lost = self.lost(&differences);
        let mut causes = None;
        let lines = differences.iter().map(|difference| {
            let correction = difference.corrects.clone().map(|reference| Correction {
                reference,
                causes: causes
                    .get_or_insert_with(|| self.learned())
                    .touching(difference.tranche, self.month_of(difference.month)),
            });
            self.line(difference, lost.get(&difference.tranche), correction)
        });
        lines.collect()
    }

    /// What is owed less what was issued, where they differ: the month's own first,
    /// then corrections by month.
    fn differences(&self) -> Vec<Difference<'_>> {
        let mut found = Vec::new();
        for (order, (tranche, months)) in self.owed.iter().enumerate() {
            for month in months {
                let service = self.books.period(month.place);
                let key = (self.id(*tranche).to_owned(), service);
                let issued = self.documents.amounts.get(&key);
                let correction = service != self.period;
                for kind in LineKind::ALL {
                    let before = issued.map_or(0, |issued| issued[owed::at(kind)]);
                    let amount = month.amounts[owed::at(kind)] - before;
                    if amount == 0 {
                        continue;
                    }
                    // Where nothing was issued there is nothing to correct.
                    let again = self.documents.count > 0
                        && (correction || self.documents.periods.contains(&service));
                    let corrects = again.then(|| {
                        let first = self.documents.first_billed.get(&key);
                        let first =
                            first.or_else(|| self.documents.of_period.get(&service));
                        first.cloned()
                    });
                    let difference =
                        Difference { tranche: *tranche, month, kind, amount, corrects };
                    found.push(((correction, service, order, kind), difference));
                }
            }
        }
        found.sort_by_key(|(key, _)| *key);
        found.into_iter().map(|(_, difference)| difference).collect()
    }

    /// What took availability away, for each tranche with a credit among the
    /// differences. One walk over a tranche's units serves all its months.
    fn lost(&self, differences: &[Difference<'_>]) -> BTreeMap<usize, Lost> {
        let mut spans: BTreeMap<usize, (usize, usize)> = BTreeMap::new();
        let credits = differences.iter().filter(|one| one.kind == LineKind::Sla);
        for Difference { tranche, month, .. } in credits {
            let span = spans.entry(*tranche).or_insert((month.place, month.place));
            *span = (span.0.min(month.place), span.1.max(month.place));
        }
        let quantities = self.books.quantities;
        let lost = spans.into_iter().map(|(tranche, (first, last))| {
            let said = quantities.said_in(self.books.record, tranche, first, last);
            (tranche, Lost { first, said })
        });
        lost.collect()
    }

    fn month_of(&self, month: &Owed) -> Interval {
        self.books.quantities.months.month(month.place)
    }

    fn line(
        &self,
        difference: &Difference<'_>,
        lost: Option<&Lost>,
        correction: Option<Correction>,
    ) -> Line {
        let Difference { tranche, month, kind, amount, .. } = *difference;
        let contract = self.books.contract(month.place);
        let terms = contract.tranche(self.id(tranche));
        let record = self.books.record;
        let mut facts: Vec<u64> =
            month.facts.get(&kind).into_iter().flatten().copied().collect();
        match kind {
            LineKind::Capacity | LineKind::Shortfall | LineKind::Overage => {
                facts.extend(&record.tranches[tranche].acceptances);
            }
            LineKind::Sla => {
                let said = lost.map(|lost| &lost.said[month.place - lost.first]);
                for place in said.into_iter().flatten() {
                    let said = record.assertion(*place);
                    facts.push(said.seq);
                    facts.extend(said.reference.iter().flat_map(|at| self.evidence(*at)));
                }
            }
            LineKind::Delay
            | LineKind::Power
            | LineKind::Prepayment
            | LineKind::Refund
            | LineKind::TerminationFee => {}
        }
        facts.sort_unstable();
        facts.dedup();
        let (quantity, price) = terms
            .map_or((None, None), |terms| self.quantity_and_price(terms, month, kind));
        let mut why = match kind {
            LineKind::Capacity => "reserved and in service".to_owned(),
            LineKind::Shortfall => "reserved, paid and not used".to_owned(),
            LineKind::Overage => "used above what was reserved".to_owned(),
            LineKind::Sla
            | LineKind::Delay
            | LineKind::Power
            | LineKind::Prepayment
            | LineKind::Refund
            | LineKind::TerminationFee => {
                month.why.get(&kind).cloned().unwrap_or_default()
            }
        };
        if correction.is_some() {
            let now = self.amount(month.amounts[owed::at(kind)]);
            why.push_str(&format!("; now {now} for the month, less what was issued"));
        }
        Line {
            tranche: self.id(tranche).to_owned(),
            service: self.books.period(month.place),
            kind,
            quantity,
            price,
            amount: self.amount(amount),
            correction,
            facts,
            why,
        }
    }

    fn quantity_and_price(
        &self,
        terms: &Tranche,
        month: &Owed,
        kind: LineKind,
    ) -> (Option<LineQuantity>, Option<String>) {
        let currency = &self.contract.currency.code;
        let quantity = |amount: Exact, unit: &str| {
            Some(LineQuantity { amount, unit: unit.to_owned() })
        };
        let per = match terms.price.unit {
            PriceUnit::GpuHour => "GPU-hour",
            PriceUnit::MwMonth | PriceUnit::Flat => "month for the full quantity",
        };
        let price =
            |price: Exact| Some(format!("{} {currency} per {per}", price.to_text()));
        let unit = owed::unit_of(terms);
        let fee = &month.fee;
        match kind {
            LineKind::Capacity => {
                (quantity(fee.capacity_seconds, unit), price(fee.price))
            }
            LineKind::Shortfall => {
                (quantity(fee.shortfall_seconds, unit), price(fee.price))
            }
            LineKind::Overage => {
                let over = terms.price.overage.unwrap_or(fee.price);
                (quantity(fee.overage_seconds, unit), price(over))
            }
            LineKind::Sla => (quantity(month.availability.lost, unit), None),
            LineKind::Power => {
                let wh = month.power.as_ref().map_or(0, |power| power.wh);
                (quantity(Exact::whole(wh.into()), "Wh"), None)
            }
            LineKind::Delay
            | LineKind::Prepayment
            | LineKind::Refund
            | LineKind::TerminationFee => (None, None),
        }
    }

    /// The facts that classify or excuse what refers to an incident.
    fn evidence(&self, incident: Place) -> impl Iterator<Item = u64> {
        let record = self.books.record;
        let class = record.evidence(incident).and_then(|found| found.class);
        let evidence = class.and_then(|class| class.value.1).unwrap_or(incident);
        let excuses = record.evidence(evidence).into_iter().flat_map(|evidence| {
            let notices = evidence.notices.iter().map(|notice| notice.seq);
            notices.chain(evidence.instructions.iter().map(|found| found.seq))
        });
        class.map(|class| class.seq).into_iter().chain(excuses)
    }

    fn taxes(&self, lines: &[Line]) -> Vec<TaxLine> {
        let taxed = self.contract.tax.iter().filter_map(|(kind, rate)| {
            let of_kind = lines.iter().filter(|line| line.kind == *kind);
            let base: i64 = of_kind.map(|line| line.amount.as_minor()).sum();
            let tax = *rate * Exact::whole(base.into());
            let tax =
                i64::try_from(tax.rounded(self.contract.rounding)).expect("a tax fits");
            (base != 0).then(|| TaxLine {
                kind: *kind,
                rate: *rate,
                base: self.amount(base),
                amount: self.amount(tax),
            })
        });
        taxed.collect()
    }

    /// Each tranche of the version that settles the month, with its last month.
    fn current(&self) -> impl Iterator<Item = (&Tranche, usize, &Owed)> {
        self.owed.iter().filter_map(|(tranche, months)| {
            let terms = self.contract.tranche(self.id(*tranche))?;
            Some((terms, *tranche, months.last()?))
        })
    }

    fn availability(&self) -> Vec<AvailabilityRow> {
        let in_service =
            self.current().filter(|(_, _, month)| month.seconds.reserved > 0);
        in_service
            .map(|(terms, _, month)| AvailabilityRow {
                tranche: terms.id.clone(),
                unit: owed::unit_of(terms).to_owned(),
                seconds: month.seconds,
                availability: month.availability.fraction,
                percent: (month.availability.fraction * Exact::whole(100)).to_text_cut(4),
                credit: month.availability.credit,
            })
            .collect()
    }

    fn prepayment(&self) -> Vec<PrepaymentRow> {
        if self.contract.prepayment.is_none() {
            return Vec::new();
        }
        self.current()
            .map(|(terms, _, month)| {
                let paid = month.prepaid;
                PrepaymentRow {
                    tranche: terms.id.clone(),
                    agreed: self.amount(paid.agreed),
                    received: self.amount(paid.received),
                    applied: self.amount(paid.applied),
                    remaining: self.amount(paid.received - paid.applied - paid.refunded),
                    refunded: self.amount(paid.refunded),
                }
            })
            .collect()
    }

    fn make_up(&self) -> Vec<MakeUpRow> {
        self.current()
            .filter_map(|(terms, _, month)| {
                let balance = month.make_up?;
                Some(MakeUpRow { tranche: terms.id.clone(), balance })
            })
            .collect()
    }

    /// The rights that have arisen by the month's end.
    fn rights(&self) -> Vec<Right> {
        let mut rights = Vec::new();
        let end = self.contract.zone.month(self.period).end;
        let record = self.books.record;
        for (terms, tranche, _) in self.current() {
            let days =
                self.contract.delay.as_ref().and_then(|delay| delay.long_stop_days);
            let ended = record.tranches[tranche].ending.is_some_and(|e| e.at < end);
            if let Some(days) = days {
                let stop = terms.delivery.plus_days(days);
                let tenures = record.tranches[tranche].tenures.iter();
                let accepted: i64 = tenures
                    .map(|tenure| &record.tenures[tenure.get()])
                    .filter(|tenure| tenure.during.start < end)
                    .map(Tenure::delivers)
                    .sum();
                let full = terms.quantity.count();
                if self.contract.zone.midnight(stop) < end && accepted < full && !ended {
                    rights.push(Right {
                        tranche: terms.id.clone(),
                        kind: RightKind::LongStop,
                        since: stop,
                        why: format!(
                            "{accepted} of {full} accepted by the month's end; \
                             delivery was due {} and the long stop was {stop}",
                            terms.delivery
                        ),
                    });
                }
            }
        }
        for (tranche, months) in &self.owed {
            rights.extend(self.availability_right(*tranche, months));
        }
        rights
    }

    fn availability_right(&self, tranche: usize, months: &[Owed]) -> Option<Right> {
        let right = self.contract.termination.as_ref()?.availability?;
        let terms = self.contract.tranche(self.id(tranche))?;
        let below = months.iter().rev().take_while(|month| {
            month.seconds.reserved > 0 && month.availability.fraction < right.below
        });
        let below = below.count();
        if below < usize::try_from(right.months).expect("months are positive") {
            return None;
        }
        let since = self.contract.zone.date(self.contract.zone.month(self.period).end);
        Some(Right {
            tranche: terms.id.clone(),
            kind: RightKind::AvailabilityTermination,
            since,
            why: format!(
                "availability below {} for {below} months in a row; {} are needed",
                right.below.to_text(),
                right.months
            ),
        })
    }
}
