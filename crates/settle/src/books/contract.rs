//! A contract's entries: money received, months earned, documents issued.
//!
//! Revenue is dated the last day of its month and stands as a contract asset until
//! the statement is issued, after the days of grace; then it is owed. What is
//! learned of an earlier month is an entry of its own in the month that corrects it,
//! with the facts that caused it. Nothing is dated in a month whose statement was
//! issued before it was known.

use super::quantities::Quantities;
use super::{AccountId, Book, CommodityId, Root};
use crate::calendar::{Date, Period, Zone};
use crate::contract::{Contract, Versions};
use crate::facts::{Body, Fact, Facts, Purpose};
use crate::revenue::schedule::{Flow, Paid};
use crate::revenue::{self, Making, Policy, Prepaid, Schedule, Standard};
use crate::settlement::{Kept, Settlement};
use crate::statement::{Line, LineKind, Statement};
use std::collections::{BTreeMap, BTreeSet};
use units::Timestamp;

/// The records a contract's entries are made from.
#[derive(Clone, Copy, Debug)]
pub struct ContractRecords<'r> {
    /// The contract's versions.
    pub versions: &'r Versions,
    /// The facts.
    pub facts: &'r Facts,
    /// The statements issued, in their order; a held one is passed over.
    pub issued: &'r [Statement],
    /// What is known later is left out.
    pub as_of: Timestamp,
    /// Whether payments that say nothing of what they are for are this contract's.
    pub takes_unnamed: bool,
    /// The ids of the other contracts of the same books.
    pub others: &'r [String],
}

impl ContractRecords<'_> {
    /// Whether a payment for a document is this contract's to book: its own, or one that
    /// no contract has and somebody has to keep.
    pub(super) fn takes_document(&self, number: &str) -> bool {
        let of =
            |id: &str| number.strip_prefix(id).is_some_and(|rest| rest.starts_with('-'));
        let own = of(&self.versions.first().id);
        own || self.takes_unnamed && !self.others.iter().any(|id| of(id))
    }
}

/// A tranche's accounts.
struct TrancheAccounts {
    contract_asset: AccountId,
    contract_liability: AccountId,
    adjustment: AccountId,
    accrued: BTreeMap<LineKind, AccountId>,
    income: BTreeMap<LineKind, AccountId>,
    added: AccountId,
    interest: AccountId,
}

/// The contract's own accounts.
struct Accounts {
    bank: AccountId,
    receivable: AccountId,
    unapplied: AccountId,
    refund: AccountId,
    customer_credit: AccountId,
    tax: AccountId,
}

/// A payment that counts.
struct Received<'r> {
    day: Date,
    amount: i64,
    seq: u64,
    purpose: &'r Purpose,
}

struct Posting<'b, 'r> {
    book: &'b mut Book,
    records: ContractRecords<'r>,
    contract: &'r Contract,
    zone: &'r Zone,
    money: CommodityId,
    accounts: Accounts,
    tranches: BTreeMap<String, TrancheAccounts>,
    policy: Policy,
    makings: BTreeMap<String, Making>,
    quantities: Quantities,
    seen: BTreeSet<u64>,
    payments: Vec<Received<'r>>,
    /// The months whose revenue was taken, up to this one.
    taken: Option<Period>,
}

/// What posting a contract gives beside its entries.
#[derive(Clone, Debug)]
pub struct PostedContract {
    /// The revenue of its tranches, settled and expected.
    pub schedules: Vec<Schedule>,
    /// The `seq` of the payments that are not set aside.
    pub counted: BTreeSet<u64>,
}

/// Posts a contract's entries.
///
/// # Errors
/// In words, when the contract's choices of accounting are not known.
pub fn post(
    book: &mut Book,
    records: ContractRecords<'_>,
) -> Result<PostedContract, String> {
    let contract = records.versions.all().last().expect("a version");
    let policy = Policy::of(contract)?;
    let money = book.commodity(&contract.currency.code, contract.currency.places);
    let (customer, id) = (contract.customer.as_str(), contract.id.as_str());
    let mut account = |root, first: &str, parts: &[&str]| {
        book.account(root, &[&[first], parts].concat(), money)
    };
    let accounts = Accounts {
        bank: account(Root::Assets, "Bank", &[&contract.currency.code]),
        receivable: account(Root::Assets, "Receivable", &[customer, id]),
        unapplied: account(Root::Assets, "UnappliedCash", &[customer, id]),
        refund: account(Root::Liabilities, "Refund", &[customer, id]),
        customer_credit: account(Root::Liabilities, "CustomerCredit", &[customer, id]),
        tax: account(Root::Liabilities, "Tax", &[id]),
    };
    let mut posting = Posting {
        book,
        records,
        contract,
        zone: &contract.zone,
        money,
        accounts,
        tranches: BTreeMap::new(),
        policy,
        makings: BTreeMap::new(),
        quantities: Quantities::default(),
        seen: BTreeSet::new(),
        payments: Vec::new(),
        taken: None,
    };
    let schedules = posting.all();
    Ok(PostedContract { schedules, counted: posting.seen })
}

impl<'r> Posting<'_, 'r> {
    fn all(&mut self) -> Vec<Schedule> {
        let records = self.records;
        let mut settlement =
            Settlement::new(records.versions.clone(), records.facts.clone());
        let issued: Vec<&Statement> = records
            .issued
            .iter()
            .filter(|one| !one.is_held() && one.as_of <= records.as_of)
            .collect();
        // Before the first statement nothing is closed.
        let mut open = None;
        for statement in &issued {
            let (kept, versions) = settlement.advanced(statement.as_of, statement.period);
            self.receive(kept, open);
            open = Some(statement.period.next());
            self.earn(statement);
            self.recognise(kept, versions, statement);
            let day = last_day(statement.period);
            self.quantities.post(self.book, kept, versions, statement.period, day);
            settlement.issue(statement);
        }
        let last = issued.last().map(|one| one.period);
        let until = last.unwrap_or_else(|| self.zone.period(records.as_of));
        let (kept, versions) = settlement.advanced(records.as_of, until);
        self.receive(kept, open);
        self.settle_documents(&issued);
        self.schedules(kept, versions, last)
    }

    /// The accounts of a tranche.
    fn tranche(&mut self, tranche: &str) -> &TrancheAccounts {
        if !self.tranches.contains_key(tranche) {
            let (book, money) = (&mut *self.book, self.money);
            let id = self.contract.id.as_str();
            let mut account = |root, names: &[&str]| {
                book.account(root, &[names, &[id, tranche]].concat(), money)
            };
            let straight = self.policy.standard == Standard::Asc842Operating;
            let (added, adjustment) = if straight {
                ("StraightLine", "DeferredRevenue")
            } else {
                ("CapacityFinancing", "ContractFinancing")
            };
            let income = LineKind::ALL.into_iter().filter_map(|kind| {
                let names: &[&str] = match kind {
                    LineKind::Capacity => &["Capacity"],
                    LineKind::Shortfall => &["Shortfall"],
                    LineKind::Overage => &["Overage"],
                    LineKind::Sla => &["Contra", "SLA"],
                    LineKind::Delay => &["Contra", "Delay"],
                    LineKind::Power => &["PowerPassThrough"],
                    LineKind::TerminationFee => &["TerminationFee"],
                    LineKind::Prepayment | LineKind::Refund => return None,
                };
                Some((kind, account(Root::Income, names)))
            });
            let income = income.collect();
            let accrued = [
                (LineKind::Sla, account(Root::Liabilities, &["AccruedSLA"])),
                (LineKind::Delay, account(Root::Liabilities, &["AccruedDelay"])),
            ];
            let accounts = TrancheAccounts {
                contract_asset: account(Root::Assets, &["ContractAsset"]),
                contract_liability: account(Root::Liabilities, &["Contract"]),
                adjustment: account(Root::Liabilities, &[adjustment]),
                accrued: accrued.into(),
                income,
                added: account(Root::Income, &[added]),
                interest: account(Root::Expenses, &["InterestOnPrepayment"]),
            };
            self.tranches.insert(tranche.to_owned(), accounts);
        }
        &self.tranches[tranche]
    }

    /// Notes the payments that count now and did not before. `open` is the first
    /// month that is not closed.
    fn receive(&mut self, kept: &Kept, open: Option<Period>) {
        let facts = self.records.facts.all();
        let record = &kept.intake.record;
        for payment in &record.received[..] {
            if !self.seen.insert(payment.seq) {
                continue;
            }
            let place = facts.partition_point(|fact| fact.seq < payment.seq);
            let fact = &facts[place];
            let Body::Payment { purpose, .. } = &fact.body else { continue };
            if !self.is_ours(purpose) {
                continue;
            }
            let day = self.posting_day(fact, open);
            let received =
                Received { day, amount: payment.value, seq: fact.seq, purpose };
            self.payments.push(received);
        }
    }

    /// Whether a payment is this contract's to book.
    fn is_ours(&self, purpose: &Purpose) -> bool {
        let id = &self.contract.id;
        match purpose {
            Purpose::Prepayment(name) => {
                let known = self.records.versions.all().iter();
                let mut known =
                    known.filter_map(|version| version.tranche(&name.tranche));
                name.contract.as_ref().is_none_or(|named| named == id)
                    && known.next().is_some()
            }
            Purpose::Document(number) => self.records.takes_document(number),
            Purpose::Unstated => self.records.takes_unnamed,
        }
    }

    /// The day it is true from, or, where that month is closed, the day it became
    /// known.
    fn posting_day(&self, fact: &Fact, open: Option<Period>) -> Date {
        let day = self.zone.date(fact.valid_from);
        let Some(open) = open else { return day };
        if day.period() >= open {
            return day;
        }
        self.zone.date(fact.known_at).max(open.first_day())
    }

    /// The month's revenue, and corrections of earlier months.
    fn earn(&mut self, statement: &Statement) {
        let number = statement.number.as_deref().expect("it is issued");
        let day = last_day(statement.period);
        let services: BTreeSet<Period> =
            statement.lines.iter().map(|line| line.service).collect();
        for service in services {
            let lines: Vec<&Line> =
                statement.lines.iter().filter(|line| line.service == service).collect();
            let mut postings = Vec::new();
            for line in &lines {
                self.earned(line, &mut postings);
            }
            let (id, text) = if service == statement.period {
                (format!("{number}-earned"), format!("{service} earned"))
            } else {
                let causes: BTreeSet<u64> = lines
                    .iter()
                    .filter_map(|line| line.correction.as_ref())
                    .flat_map(|correction| correction.causes.iter().copied())
                    .collect();
                (
                    format!("{number}-corrects-{service}"),
                    format!("{service} corrected, because of facts {}", listed(&causes)),
                )
            };
            self.book.post(day, &id, &text, &postings);
        }
    }

    /// One line, earned and not yet issued.
    fn earned(&mut self, line: &Line, postings: &mut Vec<(AccountId, i64)>) {
        let refund = self.accounts.refund;
        let accounts = self.tranche(&line.tranche);
        let amount = line.amount.as_minor();
        match line.kind {
            // Money, not revenue: posted when the document is issued.
            LineKind::Prepayment => {}
            LineKind::Refund => {
                postings.push((accounts.contract_liability, -amount));
                postings.push((refund, amount));
            }
            LineKind::Sla | LineKind::Delay => {
                postings.push((accounts.income[&line.kind], -amount));
                postings.push((accounts.accrued[&line.kind], amount));
            }
            LineKind::Capacity
            | LineKind::Shortfall
            | LineKind::Overage
            | LineKind::Power
            | LineKind::TerminationFee => {
                postings.push((accounts.contract_asset, amount));
                postings.push((accounts.income[&line.kind], -amount));
            }
        }
    }

    /// What the schedule adds to the months up to the statement's.
    fn recognise(&mut self, kept: &Kept, versions: &Versions, statement: &Statement) {
        let paid = self
            .payments
            .iter()
            .filter(|payment| matches!(payment.purpose, Purpose::Prepayment(_)));
        let first = paid.map(|payment| payment.day.period()).min();
        let first = first.unwrap_or(statement.period).min(statement.period);
        let mut period = self.taken.map_or(first, Period::next);
        while period <= statement.period {
            let ids: Vec<String> = versions
                .all()
                .iter()
                .flat_map(|version| &version.tranches)
                .map(|tranche| tranche.id.clone())
                .collect::<BTreeSet<_>>()
                .into_iter()
                .collect();
            for id in ids {
                self.recognise_month(kept, versions, &id, period, statement);
            }
            self.taken = Some(period);
            period = period.next();
        }
    }

    fn recognise_month(
        &mut self,
        kept: &Kept,
        versions: &Versions,
        id: &str,
        period: Period,
        statement: &Statement,
    ) {
        let policy = self.policy;
        let mut flow = Flow { paid: self.paid_in(id, period), ..Flow::default() };
        if period == statement.period {
            let lines = || statement.lines.iter().filter(|line| line.tranche == id);
            let sum = |kinds: &[LineKind]| -> i64 {
                let lines = lines().filter(|line| kinds.contains(&line.kind));
                lines.map(|line| line.amount.as_minor()).sum()
            };
            flow.fee = sum(&[LineKind::Capacity, LineKind::Shortfall]);
            flow.credited = -sum(&[LineKind::Prepayment, LineKind::Refund]);
            let served = statement.availability.iter().find(|row| row.tranche == id);
            let contract = versions.settling(period, kept.known.max(1));
            let count = contract.tranche(id).map_or(1, |t| t.quantity.count().max(1));
            let seconds = served.map_or(0, |row| row.seconds.reserved / count);
            flow.weight = revenue::weight(policy, flow.fee, seconds);
        }
        let prepaid = self.prepaid(id, period, flow.credited);
        let mut flows = vec![flow];
        flows.extend(revenue::expected(kept, versions, id, policy, period, prepaid));
        let places = self.contract.currency.places;
        let making = self.makings.entry(id.to_owned());
        let making = making.or_insert_with(|| Making::new(id, policy, places));
        let step = making.take(period, true, &flows);
        let added = step.revenue - flows[0].fee;
        let text = match policy.standard {
            Standard::Asc606 | Standard::Ifrs15 => {
                format!("{period}, interest on what was paid ahead for {id}")
            }
            Standard::Asc842Operating => format!("{period}, rent of {id} spread evenly"),
        };
        let accounts = self.tranche(id);
        let postings = [
            (accounts.interest, step.interest),
            (accounts.added, -added),
            (accounts.adjustment, added - step.interest),
        ];
        let entry = format!("{}-{id}-{period}-financing", self.contract.id);
        self.book.post(last_day(period), &entry, &text, &postings);
    }

    /// What was paid ahead for a tranche in a month.
    fn paid_in(&self, id: &str, period: Period) -> Vec<Paid> {
        let of = self.payments.iter().filter(|payment| match payment.purpose {
            Purpose::Prepayment(name) => {
                name.tranche == id && payment.day.period() == period
            }
            Purpose::Document(_) | Purpose::Unstated => false,
        });
        of.map(|payment| revenue::there(payment.day, payment.amount)).collect()
    }

    /// What was paid ahead by the end of a month, and credited.
    fn prepaid(&self, id: &str, period: Period, credited_now: i64) -> Prepaid {
        let paid = self.payments.iter().filter(|payment| match payment.purpose {
            Purpose::Prepayment(name) => {
                name.tranche == id && payment.day.period() <= period
            }
            Purpose::Document(_) | Purpose::Unstated => false,
        });
        let before = self.makings.get(id).map_or(0, |making| {
            making.schedule.months.iter().map(|month| month.credited).sum()
        });
        Prepaid {
            received: paid.map(|payment| payment.amount).sum(),
            credited: before + credited_now,
        }
    }

    /// Documents issued and money received, in the order of their days.
    fn settle_documents(&mut self, issued: &[&Statement]) {
        let mut order: Vec<(Date, bool, usize)> = Vec::new();
        for (place, statement) in issued.iter().enumerate() {
            order.push((issue_day(self.zone, statement), false, place));
        }
        for (place, payment) in self.payments.iter().enumerate() {
            order.push((payment.day, true, place));
        }
        order.sort_unstable();
        let mut open: BTreeMap<&str, i64> = BTreeMap::new();
        let mut waiting: BTreeMap<&str, Vec<(u64, i64)>> = BTreeMap::new();
        for (day, is_payment, place) in order {
            if !is_payment {
                let statement = issued[place];
                let number = statement.number.as_deref().expect("it is issued");
                self.issue(statement, number, day);
                *open.entry(number).or_default() += statement.payable.as_minor();
                for (seq, amount) in waiting.remove(number).into_iter().flatten() {
                    let left = open.get_mut(number).expect("it was just issued");
                    let applied = amount.min(*left);
                    *left -= applied;
                    let postings = [
                        (self.accounts.unapplied, applied),
                        (self.accounts.receivable, -applied),
                    ];
                    let id = format!("{}-fact-{seq}-applied", self.contract.id);
                    let text = format!("{number} was paid before it was issued");
                    self.book.post(day, &id, &text, &postings);
                }
                continue;
            }
            let payment = &self.payments[place];
            let (amount, seq) = (payment.amount, payment.seq);
            let id = format!("{}-fact-{seq}", self.contract.id);
            match payment.purpose {
                Purpose::Prepayment(name) => {
                    let tranche = name.tranche.clone();
                    let liability = self.tranche(&tranche).contract_liability;
                    let text = format!("paid ahead for {tranche}");
                    let postings = [(self.accounts.bank, amount), (liability, -amount)];
                    self.book.post(day, &id, &text, &postings);
                }
                Purpose::Document(number) => {
                    let applied = match open.get_mut(number.as_str()) {
                        Some(left) => {
                            let applied = amount.min(*left);
                            *left -= applied;
                            applied
                        }
                        None => {
                            waiting.entry(number).or_default().push((seq, amount));
                            0
                        }
                    };
                    let text = match applied {
                        0 => format!("paid for {number}, of which nothing is open"),
                        _ => format!("paid for {number}"),
                    };
                    let postings = [
                        (self.accounts.bank, amount),
                        (self.accounts.receivable, -applied),
                        (self.accounts.unapplied, applied - amount),
                    ];
                    self.book.post(day, &id, &text, &postings);
                }
                Purpose::Unstated => {
                    let postings = [
                        (self.accounts.bank, amount),
                        (self.accounts.unapplied, -amount),
                    ];
                    let text = "paid, without saying what for";
                    self.book.post(day, &id, text, &postings);
                }
            }
        }
    }

    /// A document becomes what is owed.
    fn issue(&mut self, statement: &Statement, number: &str, day: Date) {
        let credit = statement.carried_in.as_minor() - statement.carried_out.as_minor();
        let mut postings = vec![
            (self.accounts.receivable, statement.payable.as_minor()),
            (self.accounts.customer_credit, credit),
        ];
        for line in &statement.lines {
            let amount = line.amount.as_minor();
            let refund = self.accounts.refund;
            let accounts = self.tranche(&line.tranche);
            let account = match line.kind {
                LineKind::Prepayment => accounts.contract_liability,
                LineKind::Refund => refund,
                LineKind::Sla | LineKind::Delay => accounts.accrued[&line.kind],
                LineKind::Capacity
                | LineKind::Shortfall
                | LineKind::Overage
                | LineKind::Power
                | LineKind::TerminationFee => accounts.contract_asset,
            };
            postings.push((account, -amount));
        }
        for tax in &statement.taxes {
            postings.push((self.accounts.tax, -tax.amount.as_minor()));
        }
        let text = format!("statement of {}, due {}", statement.period, statement.due);
        self.book.post(day, number, &text, &postings);
    }

    /// The schedules, with the months expected after the last settled.
    fn schedules(
        &mut self,
        kept: &Kept,
        versions: &Versions,
        last: Option<Period>,
    ) -> Vec<Schedule> {
        let mut schedules = Vec::new();
        for terms in &self.contract.tranches {
            let id = &terms.id;
            let places = self.contract.currency.places;
            let mut making = match self.makings.remove(id) {
                Some(making) => making,
                None => Making::new(id, self.policy, places),
            };
            // Before the first statement the schedule begins with the first money.
            let after = last.unwrap_or_else(|| {
                let terms = self.contract.prepayment.as_ref();
                let days = terms.map_or(0, |p| p.due_days_before_delivery);
                let first = self.contract.first_delivery().plus_days(-days).period();
                let paid = self.payments.iter().map(|payment| payment.day.period());
                paid.min().map_or(first, |paid| paid.min(first)).previous()
            });
            if last.is_none() {
                let mut period = after.next();
                let paid_until = self.payments.iter().map(|p| p.day.period()).max();
                while paid_until.is_some_and(|until| period <= until) {
                    let prepaid = self.prepaid(id, period, 0);
                    let paid = self.paid_in(id, period);
                    let mut flows = vec![Flow { paid, ..Flow::default() }];
                    let policy = self.policy;
                    flows.extend(revenue::expected(
                        kept, versions, id, policy, period, prepaid,
                    ));
                    making.take(period, true, &flows);
                    period = period.next();
                }
                let after = period.previous();
                let prepaid = self.prepaid(id, after, 0);
                let flows =
                    revenue::expected(kept, versions, id, self.policy, after, prepaid);
                schedules.push(making.finish(after, &flows));
                continue;
            }
            let mut prepaid = self.prepaid(id, after, 0);
            prepaid.credited =
                making.schedule.months.iter().map(|month| month.credited).sum();
            let flows =
                revenue::expected(kept, versions, id, self.policy, after, prepaid);
            schedules.push(making.finish(after, &flows));
        }
        schedules
    }
}

/// The last day of a month.
fn last_day(period: Period) -> Date {
    period.next().first_day().plus_days(-1)
}

/// The day a statement was issued.
pub(super) fn issue_day(zone: &Zone, statement: &Statement) -> Date {
    zone.date(statement.cut.max(statement.as_of))
}

/// A few numbers, and how many more there are.
fn listed(numbers: &BTreeSet<u64>) -> String {
    const SHOWN: usize = 8;
    let mut text: Vec<String> =
        numbers.iter().take(SHOWN).map(ToString::to_string).collect();
    if text.is_empty() {
        text.push("known before".to_owned());
    }
    if numbers.len() > SHOWN {
        text.push(format!("and {} more", numbers.len() - SHOWN));
    }
    text.join(", ")
}
