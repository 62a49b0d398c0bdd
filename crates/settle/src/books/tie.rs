//! Books against the records they were made from, summed another way.
//!
//! A balance that the entries made is compared with what the statements and the
//! payments say by themselves: each account on its own, by a sum that shares
//! nothing with the posting. An auditor does the same with a pocket calculator.

use super::contract::ContractRecords;
use super::{Book, Root};
use crate::exact::Rounding;
use crate::facts::{Body, Purpose};
use crate::revenue::Schedule;
use crate::statement::{Line, LineKind, Statement};
use std::collections::BTreeSet;

/// Says where a contract's accounts differ from its records, in words; nothing when
/// they do not.
///
/// `counted` are the `seq` of the payments that are not set aside.
pub fn tie_out(
    book: &Book,
    records: ContractRecords<'_>,
    schedules: &[Schedule],
    counted: &BTreeSet<u64>,
) -> Vec<String> {
    let mut tie = Tie { book, records, found: Vec::new() };
    tie.contract(schedules, counted);
    tie.found
}

struct Tie<'t> {
    book: &'t Book,
    records: ContractRecords<'t>,
    found: Vec<String>,
}

impl Tie<'_> {
    fn contract(&mut self, schedules: &[Schedule], counted: &BTreeSet<u64>) {
        let contract = self.records.versions.all().last().expect("a version");
        let (id, customer) = (contract.id.as_str(), contract.customer.as_str());
        let issued: Vec<&Statement> = self
            .records
            .issued
            .iter()
            .filter(|one| !one.is_held() && one.as_of <= self.records.as_of)
            .collect();
        let lines = || issued.iter().flat_map(|one| &one.lines);
        let (mut ahead, mut other) = (Vec::new(), 0_i64);
        for fact in self.records.facts.known_by(self.records.as_of) {
            let Body::Payment { amount, purpose, .. } = &fact.body else { continue };
            if !counted.contains(&fact.seq) {
                continue;
            }
            let minor = *amount * contract.currency.minor_per_unit();
            let minor =
                i64::try_from(minor.rounded(Rounding::HalfUp)).expect("a payment fits");
            match purpose {
                Purpose::Prepayment(name) => {
                    if name.contract.as_deref().is_none_or(|named| named == id) {
                        ahead.push((name.tranche.as_str(), minor));
                    }
                }
                Purpose::Document(number) if self.records.takes_document(number) => {
                    other += minor;
                }
                Purpose::Document(_) => {}
                Purpose::Unstated if self.records.takes_unnamed => other += minor,
                Purpose::Unstated => {}
            }
        }
        let payable: i64 = issued.iter().map(|one| one.payable.as_minor()).sum();
        let open = self.sum(&[
            (Root::Assets, &["Receivable", customer, id]),
            (Root::Assets, &["UnappliedCash", customer, id]),
        ]);
        self.same("receivable and unapplied cash", open, payable - other);
        let carried = issued.last().map_or(0, |one| one.carried_out.as_minor());
        self.account(Root::Liabilities, &["CustomerCredit", customer, id], -carried);
        self.account(Root::Liabilities, &["Refund", customer, id], 0);
        let taxes = issued.iter().flat_map(|one| &one.taxes);
        let taxes: i64 = taxes.map(|tax| tax.amount.as_minor()).sum();
        self.account(Root::Liabilities, &["Tax", id], -taxes);
        let tranches: BTreeSet<&str> =
            lines().map(|line| line.tranche.as_str()).collect();
        for tranche in tranches {
            let of = |kinds: &[LineKind]| -> i64 {
                let chosen =
                    |line: &&Line| line.tranche == tranche && kinds.contains(&line.kind);
                lines().filter(chosen).map(|line| line.amount.as_minor()).sum()
            };
            for (kind, names) in [
                (LineKind::Capacity, &["Capacity", id, tranche][..]),
                (LineKind::Shortfall, &["Shortfall", id, tranche]),
                (LineKind::Overage, &["Overage", id, tranche]),
                (LineKind::Sla, &["Contra", "SLA", id, tranche]),
                (LineKind::Delay, &["Contra", "Delay", id, tranche]),
                (LineKind::Power, &["PowerPassThrough", id, tranche]),
                (LineKind::TerminationFee, &["TerminationFee", id, tranche]),
            ] {
                self.account(Root::Income, names, -of(&[kind]));
            }
            for names in [&["AccruedSLA", id, tranche], &["AccruedDelay", id, tranche]] {
                self.account(Root::Liabilities, names, 0);
            }
            self.account(Root::Assets, &["ContractAsset", id, tranche], 0);
            let paid = ahead.iter().filter(|(name, _)| *name == tranche);
            let paid: i64 = paid.map(|(_, minor)| minor).sum();
            let credited = of(&[LineKind::Prepayment, LineKind::Refund]);
            let left = -(paid + credited);
            self.account(Root::Liabilities, &["Contract", id, tranche], left);
        }
        for schedule in schedules {
            self.schedule(id, schedule);
        }
    }

    /// The liability as posted against that of the schedule.
    fn schedule(&mut self, id: &str, schedule: &Schedule) {
        let tranche = schedule.tranche.as_str();
        let settled = schedule.months.iter().filter(|month| month.settled);
        let (interest, added) = settled.fold((0, 0), |sum, month| {
            (sum.0 + month.step.interest, sum.1 + month.step.revenue - month.fee)
        });
        self.account(Root::Expenses, &["InterestOnPrepayment", id, tranche], interest);
        let posted = self.sum(&[
            (Root::Income, &["CapacityFinancing", id, tranche]),
            (Root::Income, &["StraightLine", id, tranche]),
        ]);
        self.same(&format!("revenue added to {tranche}"), posted, -added);
        let posted = self.sum(&[
            (Root::Liabilities, &["ContractFinancing", id, tranche]),
            (Root::Liabilities, &["DeferredRevenue", id, tranche]),
        ]);
        self.same(&format!("financing of {tranche}"), posted, added - interest);
    }

    fn sum(&self, accounts: &[(Root, &[&str])]) -> i64 {
        let found =
            accounts.iter().filter_map(|(root, parts)| self.book.find(*root, parts));
        found.map(|account| self.book.balance(account)).sum()
    }

    fn account(&mut self, root: Root, parts: &[&str], expected: i64) {
        let name = format!("{}:{}", root.name(), parts.join(":"));
        let posted = self.sum(&[(root, parts)]);
        self.same(&name, posted, expected);
    }

    fn same(&mut self, what: &str, posted: i64, expected: i64) {
        if posted != expected {
            self.found.push(format!(
                "{what}: the entries come to {posted}, the records to {expected}, in the \
                 smallest unit"
            ));
        }
    }
}
