//! Loans: keys that every kind has, and those of one kind alone.

use plan::{Deal, Loan, LoanKind, Repayment};
use settle::calendar::Period;

use super::{Reading, written};

impl Reading {
    pub(super) fn loans(&mut self, file: &written::File, deals: &[Deal]) -> Vec<Loan> {
        let mut loans = Vec::new();
        for (place, written) in file.loans.iter().enumerate() {
            let key = format!("loans[{place}]");
            let kind = self.loan_kind(&key, written);
            let limit = self.musd(&key, "limit_musd", written.limit_musd);
            let rate = self.percent(&key, "rate_percent", written.rate_percent);
            let repay_from =
                self.month(&format!("{key}.repay_from"), &written.repay_from);
            let maturity = self.month(&format!("{key}.maturity"), &written.maturity);
            let repayment = match written.repayment {
                written::Repayment::Level => Repayment::Level,
                written::Repayment::Straight => Repayment::Straight,
                written::Repayment::Bullet => Repayment::Bullet,
            };
            let on = written.secured_on.as_deref();
            let secured_on = self.secured_on(&format!("{key}.secured_on"), on, deals);
            if let (Some(kind), Some(repay_from), Some(maturity)) =
                (kind, repay_from, maturity)
            {
                loans.push(Loan {
                    name: written.name.clone(),
                    kind,
                    limit,
                    rate,
                    repay_from,
                    maturity,
                    repayment,
                    secured_on,
                });
            }
        }
        loans
    }

    /// How a loan is drawn; nothing where a key of its kind is missing.
    fn loan_kind(&mut self, key: &str, written: &written::Loan) -> Option<LoanKind> {
        let (kind, own) = match written.kind {
            written::LoanKind::DelayedDraw => ("delayed_draw", true),
            written::LoanKind::Notes => ("notes", false),
        };
        for (name, is_written, is_own) in [
            ("draws_until", written.draws_until.is_some(), own),
            ("equipment_percent", written.equipment_percent.is_some(), own),
            ("undrawn_fee_percent", written.undrawn_fee_percent.is_some(), own),
            ("issue", written.issue.is_some(), !own),
        ] {
            let key = format!("{key}.{name}");
            if is_own && !is_written {
                let expected = format!("a value, as every loan of kind {kind} has");
                self.note(&key, &expected, "none", "state it");
            }
            if is_written && !is_own {
                let expected = format!("no such key in a loan of kind {kind}");
                self.note(&key, &expected, "one", "leave it out, or change the kind");
            }
        }
        if !own && written.draws_from.is_some() {
            let expected = format!("no such key in a loan of kind {kind}");
            let remedy = "leave it out, or change the kind";
            self.note(&format!("{key}.draws_from"), &expected, "one", remedy);
        }
        match written.kind {
            written::LoanKind::DelayedDraw => {
                let from = match &written.draws_from {
                    Some(_) => {
                        Some(self.loan_month(key, "draws_from", &written.draws_from)?)
                    }
                    None => None,
                };
                let until = self.loan_month(key, "draws_until", &written.draws_until);
                let (share, fee) =
                    (written.equipment_percent?, written.undrawn_fee_percent?);
                Some(LoanKind::DelayedDraw {
                    from,
                    until: until?,
                    share: self.percent(key, "equipment_percent", share),
                    undrawn_fee: self.percent(key, "undrawn_fee_percent", fee),
                })
            }
            written::LoanKind::Notes => {
                let issue = self.loan_month(key, "issue", &written.issue)?;
                Some(LoanKind::Notes { issue })
            }
        }
    }

    fn loan_month(
        &mut self,
        key: &str,
        name: &str,
        text: &Option<String>,
    ) -> Option<Period> {
        self.month(&format!("{key}.{name}"), text.as_deref()?)
    }

    /// The contract of that id among the plan's.
    fn secured_on(
        &mut self,
        key: &str,
        id: Option<&str>,
        deals: &[Deal],
    ) -> Option<usize> {
        let id = id?;
        let found = deals.iter().position(|deal| deal.contract.id == id);
        if found.is_none() {
            let ids: Vec<&str> = deals.iter().map(|deal| &*deal.contract.id).collect();
            self.note(
                key,
                "the id of a contract of the plan",
                format!("\"{id}\", where the plan has {}", ids.join(", ")),
                "write it as its contract file does, or name the contract in [[contracts]]",
            );
        }
        found
    }
}
