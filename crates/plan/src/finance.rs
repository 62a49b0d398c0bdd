//! Loans, tax and coverage over the months of one path.

use units::{Money, Share};

use crate::cash::{Line, Month};
use crate::terms::{LoanKind, Plan, Repayment};

/// A share of money, rounded half to even.
fn part(share: Share, of: Money) -> Money {
    share.of_money(of)
}

/// One twelfth of a year's rate on money, to the millionth of a dollar.
fn month_of(rate: Share, on: Money) -> Money {
    let exact = i128::from(rate.as_ppm()) * i128::from(on.as_micro_usd());
    let micro = (exact + exact.signum() * 6_000_000) / 12_000_000;
    Money::from_micro_usd(i64::try_from(micro).expect("a month's interest fits"))
}

/// Adds what loans bring and cost: equipment paid in `months` is what they are drawn
/// for, and all of them together give no more than was paid. What is still owed when the
/// plan ends is paid then, out of what machines are worth. A loan that was drawn before
/// the plan began is not known to it.
pub(crate) fn borrow(plan: &Plan, months: &mut [Month]) {
    let bought: Vec<Money> =
        months.iter().map(|month| -month.of(Line::Equipment)).collect();
    let mut unpaid = bought.clone();
    for loan in &plan.loans {
        let (mut drawn, mut left) = (Money::ZERO, Money::ZERO);
        for (place, month) in months.iter_mut().enumerate() {
            let now = plan.period(place);
            if !left.is_zero() {
                month.add(Line::Interest, -month_of(loan.rate, left));
            }
            let room = loan.limit - drawn;
            let draw = match loan.kind {
                LoanKind::DelayedDraw { from, until, share, undrawn_fee }
                    if now <= until && from.is_none_or(|from| from <= now) =>
                {
                    month.add(Line::Interest, -month_of(undrawn_fee, room));
                    // What was paid before the first draw is paid back to owners by it.
                    let since = if from == Some(now) { 0 } else { place };
                    let paid: Money = bought[since..=place].iter().copied().sum();
                    let open: Money = unpaid[since..=place].iter().copied().sum();
                    part(share, paid).min(room.min(open)).max(Money::ZERO)
                }
                LoanKind::Notes { issue } if now == issue => room,
                LoanKind::DelayedDraw { .. } | LoanKind::Notes { .. } => Money::ZERO,
            };
            month.add(Line::Drawn, draw);
            drawn += draw;
            if let LoanKind::DelayedDraw { .. } = loan.kind {
                // The latest payments first: of the months before, what is left.
                let mut to_pay = draw;
                for open in unpaid[..=place].iter_mut().rev() {
                    let by = to_pay.min(*open);
                    *open -= by;
                    to_pay -= by;
                }
            }
            let repaid = repayment(
                left,
                loan.rate,
                loan.repayment,
                now,
                loan.repay_from,
                loan.maturity,
            );
            month.add(Line::Repaid, -repaid);
            left += draw - repaid;
        }
        if let Some(last) = months.last_mut() {
            last.add(Line::Owed, -left);
        }
    }
}

/// What is repaid of `left` in a month.
fn repayment(
    left: Money,
    rate: Share,
    how: Repayment,
    now: settle::calendar::Period,
    from: settle::calendar::Period,
    maturity: settle::calendar::Period,
) -> Money {
    if now < from || left.is_zero() {
        return Money::ZERO;
    }
    if now >= maturity {
        return left;
    }
    let payments = i64::from(maturity.months_since(now)) + 1;
    match how {
        Repayment::Bullet => Money::ZERO,
        Repayment::Straight => Money::from_micro_usd(left.as_micro_usd() / payments),
        Repayment::Level => {
            let monthly = rate.as_ppm() as f64 / 12e6;
            if monthly <= 0.0 {
                return Money::from_micro_usd(left.as_micro_usd() / payments);
            }
            // A payment p for n months is worth p (1 - v^n) / i.
            let mut discount = 1.0;
            for _ in 0..payments {
                discount /= 1.0 + monthly;
            }
            let owed = left.as_micro_usd() as f64;
            let principal = owed * monthly / (1.0 - discount) - owed * monthly;
            Money::from_micro_usd(principal.round() as i64).min(left)
        }
    }
}

/// Adds tax at the end of each twelve months: on what was earned less interest,
/// depreciation and what things that were sold stood in the books at, after the losses of
/// years before. When the plan ends, all that is left is sold. What tenants owe is earned
/// in the month of service, whenever it is paid, and what was paid ahead for a tranche that
/// ended when it ends; everything else is when it is paid.
pub(crate) fn tax(plan: &Plan, months: &mut [Month], served: &[Money], sold: &[Money]) {
    let life = plan.rules.depreciation_months;
    let mut loss = 0_i128;
    let mut in_books = 0_i128;
    let mut written_off = 0_i128;
    let mut profit = 0_i128;
    for place in 0..months.len() {
        let first = (place + 1).saturating_sub(life);
        let bought: Money = months[first..=place]
            .iter()
            .map(|month| -(month.of(Line::Equipment) + month.of(Line::Works)))
            .sum();
        written_off += i128::from(bought.as_micro_usd()) / life as i128;
        let month = &months[place];
        let bought = -(month.of(Line::Equipment) + month.of(Line::Works));
        in_books += i128::from(bought.as_micro_usd());
        let paid = month.of(Line::Contract) + month.of(Line::Prepayment);
        let earned = month.operating() - paid
            + served[place]
            + month.of(Line::Interest)
            + month.of(Line::Resale)
            - sold[place];
        profit += i128::from(earned.as_micro_usd());
        let last = place + 1 == months.len();
        if (place + 1) % 12 != 0 && !last {
            continue;
        }
        in_books -= written_off;
        if last {
            written_off += in_books;
        }
        let taxable = profit - written_off - loss;
        loss = (-taxable).max(0);
        let due = taxable.max(0) * i128::from(plan.rules.tax.as_ppm()) / 1_000_000;
        let due = Money::from_micro_usd(i64::try_from(due).expect("a year's tax fits"));
        months[place].add(Line::Tax, -due);
        (profit, written_off) = (0, 0);
    }
}

/// Cash of the contracts against debt service, in millionths, at the end of each month
/// from the covenant's first on; `None` where no debt was served, and where nothing is
/// owed any more when the month ends: lenders that are repaid test nothing.
///
/// `available` is what the contracts paid, less the power and the running of their
/// racks; what is paid ahead is for buying machines and does not count.
pub(crate) fn coverage(
    plan: &Plan,
    months: &[Month],
    available: &[Money],
) -> Vec<Option<i64>> {
    let Some(covenant) = plan.covenant else { return Vec::new() };
    let from = usize::try_from(plan.place(covenant.from)).unwrap_or(0);
    let mut debt = Money::ZERO;
    let owed: Vec<Money> = months
        .iter()
        .map(|month| {
            debt += month.of(Line::Drawn) + month.of(Line::Repaid);
            debt
        })
        .collect();
    (from..months.len())
        .map(|place| {
            let window = (place + 1).saturating_sub(covenant.over_months)..=place;
            let service: Money = months[window.clone()]
                .iter()
                .map(|month| -(month.of(Line::Interest) + month.of(Line::Repaid)))
                .sum();
            let cash: Money = available[window].iter().copied().sum();
            let (cash, service) = (cash.as_micro_usd(), service.as_micro_usd());
            (service > 0 && owed[place] > Money::ZERO).then(|| {
                let ratio = i128::from(cash) * 1_000_000 / i128::from(service);
                i64::try_from(ratio).unwrap_or(i64::MAX)
            })
        })
        .collect()
}
