//! The schedule by the interest method, from what comes in and what is served.
//!
//! With the opening liability L, what is paid ahead at the beginning of a month p or at
//! its end q, what is billed b, and the fee f that the service of the month is priced at:
//!
//! ```text
//! L' = (L + p) (1 + i) + q + b - R        R = lambda w
//! ```
//!
//! The weight w is the fee itself, or the time served where revenue is straight
//! over time. Lambda is what makes the last L nothing: the worth today of all that
//! is to come in over the worth today of all weights. With equal fees R is the same
//! every month. Lambda is found anew every month for the rest of the term, so that a
//! changed expectation changes what is to come and nothing that was.
//!
//! Amounts are kept in 10^-12 of a minor unit between the months; what is
//! recognised is rounded on its running total, so that roundings do not add up,
//! and the last month takes the residue.

use super::fixed::Factor;

/// Parts of a minor unit that amounts are kept in.
const FINE: i128 = 1_000_000_000_000;

/// What comes in and what is served in one month, in minor units.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flow {
    /// What is paid ahead.
    pub paid: Vec<Paid>,
    /// What the service of the month is priced at.
    pub fee: i64,
    /// What the month's revenue is in proportion to.
    pub weight: i64,
    /// What was paid ahead and is now credited, or owed back.
    pub credited: i64,
}

/// An amount paid ahead in a month.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paid {
    /// Whether it counts from the beginning of the month, or from its end.
    pub from_start: bool,
    /// The amount, in minor units.
    pub amount: i64,
}

/// One month of a schedule, in minor units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Step {
    /// The liability at the beginning.
    pub opening: i64,
    /// What was paid ahead in the month.
    pub paid: i64,
    /// Interest on what was paid ahead.
    pub interest: i64,
    /// What is billed: the fee less what is credited.
    pub billed: i64,
    /// What is recognised as revenue.
    pub revenue: i64,
    /// The liability at the end.
    pub closing: i64,
}

/// A liability that goes from month to month.
#[derive(Clone, Copy, Debug, Default)]
pub struct Carried {
    liability: i128,
    interest: Running,
    revenue: Running,
    closing: i64,
}

/// A total that is recognised in whole units.
#[derive(Clone, Copy, Debug, Default)]
struct Running {
    fine: i128,
    recognised: i64,
}

impl Running {
    fn add(&mut self, fine: i128) -> i64 {
        self.fine += fine;
        self.settle()
    }

    fn settle(&mut self) -> i64 {
        let whole = nearest(self.fine);
        let part = whole - self.recognised;
        self.recognised = whole;
        part
    }
}

/// The nearest whole unit; a half goes up.
fn nearest(fine: i128) -> i64 {
    i64::try_from((2 * fine + FINE).div_euclid(2 * FINE)).expect("an amount fits")
}

fn fine(minor: i64) -> i128 {
    i128::from(minor) * FINE
}

/// What is paid in a month, grown to its end.
fn grown(flow: &Flow, rate: Factor) -> i128 {
    let paid = flow.paid.iter().map(|paid| {
        let amount = fine(paid.amount);
        if paid.from_start { amount + rate.of_amount(amount) } else { amount }
    });
    paid.sum()
}

impl Carried {
    /// The liability, in minor units.
    pub const fn closing(&self) -> i64 {
        self.closing
    }

    /// Takes the first of `flows` as it happened and the others as they are
    /// expected, and says what the first month comes to. `monthly` is one and the
    /// interest of a month.
    ///
    /// # Panics
    /// When there is no flow.
    pub fn step(&mut self, monthly: Factor, flows: &[Flow]) -> Step {
        let flow = flows.first().expect("a month to take");
        let rate = monthly.less_one();
        let opening = self.closing;
        let paid: i64 = flow.paid.iter().map(|paid| paid.amount).sum();
        let with_interest =
            self.liability + rate.of_amount(self.liability) + grown(flow, rate);
        let interest = with_interest - self.liability - fine(paid);
        let billed = flow.fee - flow.credited;
        let due = with_interest + fine(billed);
        let more = flows[1..].iter().any(|later| later.weight != 0);
        let revenue = match (flow.weight, more) {
            // Nothing is served: nothing is recognised, unless nothing ever will be.
            (0, true) => 0,
            (_, false) if self.began(flow) => due,
            (_, false) => 0,
            (now, true) => match lambda(monthly, due, &flows[1..], now) {
                Some(lambda) => lambda.of_amount(fine(now)),
                None => fine(flow.fee),
            },
        };
        self.liability = due - revenue;
        let interest = self.interest.add(interest);
        let revenue = self.revenue.add(revenue);
        self.closing = opening + paid + interest + billed - revenue;
        Step { opening, paid, interest, billed, revenue, closing: self.closing }
    }

    /// Whether service has begun: money alone is no service.
    fn began(&self, flow: &Flow) -> bool {
        flow.weight != 0 || self.revenue.fine != 0
    }
}

/// What each unit of weight is recognised at, so that the last liability is nothing;
/// `None` where there is nothing to share or nothing to share it by. `due` is what is
/// there at the end of the month whose weight is `now`.
fn lambda(monthly: Factor, due: i128, later: &[Flow], now: i64) -> Option<Factor> {
    let rate = monthly.less_one();
    let discount = monthly.inverse();
    let (mut worth, mut weights) = (due, fine(now));
    let mut factor = Factor::ONE;
    for flow in later {
        factor = factor.times(discount);
        let comes = grown(flow, rate) + fine(flow.fee - flow.credited);
        worth += factor.of_amount(comes);
        weights += factor.of_amount(fine(flow.weight));
    }
    (weights > 0 && worth > 0).then(|| Factor::ratio(worth, weights))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exact::Exact;

    /// 20 % paid ahead two months before the start, credited in equal parts in months
    /// 25 to 60, a flat monthly fee.
    fn vector(fee: i64) -> Vec<Flow> {
        let ahead = fee * 60 / 5;
        let part = ahead / 36;
        let mut flows = vec![Flow::default(); 62];
        flows[0].paid.push(Paid { from_start: true, amount: ahead });
        for month in 1..=60 {
            let flow = &mut flows[month + 1];
            (flow.fee, flow.weight) = (fee, fee);
            if month >= 25 {
                flow.credited = if month == 60 { ahead - 35 * part } else { part };
            }
        }
        flows
    }

    fn run(flows: &[Flow], rate: &str) -> Vec<Step> {
        let yearly = Exact::ONE + Exact::parse(rate).expect("a rate");
        let monthly = Factor::twelfth_root(yearly);
        let mut carried = Carried::default();
        (0..flows.len()).map(|month| carried.step(monthly, &flows[month..])).collect()
    }

    #[test]
    fn the_published_vector_comes_out() {
        // 9.7 billion dollars over 60 months, in cents.
        let fee = 970_000_000_000 / 60;
        for (rate, ten_thousandths) in [("0.06", 451), ("0.09", 681), ("0.12", 912)] {
            let steps = run(&vector(fee), rate);
            let revenue: i64 = steps.iter().map(|step| step.revenue).sum();
            let interest: i64 = steps.iter().map(|step| step.interest).sum();
            assert_eq!(revenue - fee * 60, interest, "{rate}");
            let over = i128::from(interest) * 10_000;
            let share = (over + i128::from(fee) * 30) / (i128::from(fee) * 60);
            assert_eq!(share, ten_thousandths, "{rate}");
            assert_eq!(steps.last().map(|step| step.closing), Some(0), "{rate}");
            // The same every month, to the cent, the residue included.
            let served = &steps[2..];
            let spread = served
                .iter()
                .map(|step| step.revenue)
                .max()
                .zip(served.iter().map(|step| step.revenue).min());
            assert!(spread.is_some_and(|(most, least)| most - least <= 1), "{rate}");
        }
        let interest: i64 =
            run(&vector(fee), "0.06").iter().map(|step| step.interest).sum();
        assert_eq!(interest / 100 / 1_000_000, 437);
    }

    #[test]
    fn without_interest_the_fee_is_the_revenue() {
        for (flow, step) in vector(1_234_567).iter().zip(run(&vector(1_234_567), "0")) {
            assert_eq!((step.revenue, step.interest), (flow.fee, 0));
        }
    }

    #[test]
    fn a_changed_expectation_changes_only_what_is_to_come() {
        let mut flows = vector(1_000_000);
        let before = run(&flows, "0.06");
        let monthly = Factor::twelfth_root(Exact::parse("1.06").expect("a factor"));
        let mut carried = Carried::default();
        let mut steps = Vec::new();
        for month in 0..flows.len() {
            if month == 30 {
                // Half is given up from here on, and what is left is owed back.
                let applied: i64 = flows[..30].iter().map(|flow| flow.credited).sum();
                for flow in &mut flows[30..] {
                    *flow = Flow { fee: 500_000, weight: 500_000, ..Flow::default() };
                }
                flows[30].credited = 12_000_000 - applied;
            }
            steps.push(carried.step(monthly, &flows[month..]));
        }
        assert_eq!(steps[..30], before[..30]);
        assert_eq!(steps.last().map(|step| step.closing), Some(0));
        let fees: i64 = flows.iter().map(|flow| flow.fee).sum();
        let sums = |of: fn(&Step) -> i64| steps.iter().map(of).sum::<i64>();
        assert_eq!(sums(|step| step.revenue) - fees, sums(|step| step.interest));
    }
}
