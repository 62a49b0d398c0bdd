//! What cash of many months is worth: present value, internal rate, quantiles.

use sim::scenario::maths;
use units::{Money, Share};

/// The rate a month that comes to a rate a year, compounded.
pub fn monthly_rate(per_year: Share) -> f64 {
    maths::power(1.0 + per_year.as_ppm() as f64 / 1e6, 1.0 / 12.0) - 1.0
}

/// What monthly flows are worth at a rate a month, in USD; the first is not discounted.
pub fn npv(rate_per_month: f64, flows: &[Money]) -> f64 {
    let factor = 1.0 / (1.0 + rate_per_month);
    // Horner's rule, from the last month to the first.
    let usd = |money: &Money| money.as_micro_usd() as f64 / 1e6;
    flows.iter().rev().fold(0.0, |later, flow| later * factor + usd(flow))
}

/// The rate a year at which monthly flows are worth nothing, when there is one that
/// says something.
///
/// A rate of return is where value falls through nothing as the rate rises. Flows that
/// change their sign more than once may have several roots: where money comes in before
/// it goes out, as with what a tenant pays ahead, value rises again at absurd rates, and
/// that root is passed over. Nothing where no root is of that kind, more than one is, or
/// the first is of the other kind; nor where it contradicts what the flows are worth at
/// `discount` a month: a rate below that of flows that are worth something says nothing.
///
/// Rates from -10 % to 100 % a month are looked through, -72 % a year and more: a last
/// month a little below nothing makes roots further down that are absurd. Between two of
/// a grid where the value changes its sign the root is found by halving.
pub fn irr(flows: &[Money], discount: f64) -> Option<f64> {
    let value = |rate: f64| npv(rate, flows);
    let grid = |step: i32| f64::from(step) / 500.0;
    let mut found = None;
    let mut before = value(grid(-50));
    for step in -49..=500 {
        let after = value(grid(step));
        let falls = before > 0.0 && after <= 0.0;
        let rises = before <= 0.0 && after > 0.0;
        if (falls && found.is_some()) || (rises && found.is_none()) {
            return None;
        }
        if falls {
            found = Some(root(value, grid(step - 1), grid(step)));
        }
        before = after;
    }
    let found = found.filter(|rate| (*rate > discount) == (value(discount) > 0.0))?;
    let per_month = 1.0 + found;
    let mut per_year = 1.0;
    for _ in 0..12 {
        per_year *= per_month;
    }
    Some(per_year - 1.0)
}

fn root(value: impl Fn(f64) -> f64, mut low: f64, mut high: f64) -> f64 {
    for _ in 0..60 {
        let middle = (low + high) / 2.0;
        if value(middle) > 0.0 {
            low = middle;
        } else {
            high = middle;
        }
    }
    (low + high) / 2.0
}

/// The value below which a share of `values` lies: between two neighbours in
/// proportion, as spreadsheets and NumPy do by default. `None` of no values.
pub fn quantile(values: &[f64], share: f64) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let place = share * (sorted.len().checked_sub(1)? as f64);
    let below = place.floor() as usize;
    let above = (below + 1).min(sorted.len() - 1);
    Some(sorted[below] + (sorted[above] - sorted[below]) * (place - below as f64))
}
