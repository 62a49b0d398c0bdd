//! What matters: the plan with one assumption at a time somewhat lower and higher.
//!
//! Every variant meets the same futures, so that a difference of means is the
//! assumption's own and not the draw's. How far each is moved is stated beside it: a
//! judgement, not a probability.

use sim::scenario::blocks::Blocks;
use sim::scenario::maths::ln;
use sim::scenario::power::Power;
use units::{Money, Share};

use crate::terms::Plan;

/// One assumption, and the plan with it lower and higher.
#[derive(Clone, Debug)]
pub struct Lever {
    /// The assumption, and how far it is moved.
    pub name: &'static str,
    /// The plan with less of it, and with more.
    pub plans: [Plan; 2],
}

fn scaled(money: Money, percent: i64) -> Money {
    let micro = i128::from(money.as_micro_usd()) * i128::from(percent) / 100;
    Money::from_micro_usd(i64::try_from(micro).expect("a scaled amount fits"))
}

impl Plan {
    /// The plan with each assumption that may matter moved.
    pub fn levers(&self) -> Vec<Lever> {
        let lever = |name, change: &dyn Fn(&mut Self, i64), by: [i64; 2]| {
            let plans = by.map(|by| {
                let mut plan = self.clone();
                change(&mut plan, by);
                plan
            });
            Lever { name, plans }
        };
        vec![
            lever("price of power, -20 % and +20 %", &power, [80, 120]),
            lever("coin, -30 % and +30 %", &coin, [70, 130]),
            lever("network's breakeven, -20 % and +20 %", &network, [80, 120]),
            lever("rent of a GPU-hour, -30 % and +30 %", &rent, [70, 130]),
            lever("days late, half and twice", &late, [50, 200]),
            lever("time to repair, half and twice", &repair, [50, 200]),
            lever("price of machines, -10 % and +10 %", &equipment, [90, 110]),
            lever("cost of works, -20 % and +20 %", &works, [80, 120]),
            lever("running racks, -20 % and +20 %", &running, [80, 120]),
            lever("worth of machines at the end, none and twice", &residual, [0, 200]),
            lever("interest, a point less and more", &interest, [-10_000, 10_000]),
            lever("discount, two points less and more", &discount, [-20_000, 20_000]),
        ]
    }
}

fn part(percent: i64) -> f64 {
    percent as f64 / 100.0
}

fn power(plan: &mut Plan, percent: i64) {
    let futures = &mut plan.futures;
    scale_power(&mut futures.power, futures.power_days.as_mut(), percent);
    for own in plan.sites.iter_mut().filter_map(|place| place.prices.as_mut()) {
        scale_power(&mut own.power, own.days.as_mut(), percent);
    }
}

fn scale_power(power: &mut Power, days: Option<&mut Blocks>, percent: i64) {
    for price in power.calm_usd_per_mwh.iter_mut().flatten() {
        *price *= part(percent);
    }
    power.spike_logarithm.0 += ln(part(percent));
    power.low_depth_usd_per_mwh *= part(percent);
    if let Some(days) = days {
        days.scale_by(part(percent));
    }
}

fn coin(plan: &mut Plan, percent: i64) {
    plan.futures.coin.price_usd *= part(percent);
}

fn network(plan: &mut Plan, percent: i64) {
    plan.futures.network.breakeven_usd_per_ph_day *= part(percent);
}

fn rent(plan: &mut Plan, percent: i64) {
    plan.futures.rental.price_usd_per_gpu_hour *= part(percent);
}

fn late(plan: &mut Plan, percent: i64) {
    for conversion in &mut plan.conversions {
        conversion.slip.median_days *= part(percent);
        conversion.slip.ninetieth_days *= part(percent);
        conversion.slip.days_max *= part(percent);
    }
}

fn repair(plan: &mut Plan, percent: i64) {
    plan.futures.failures.repair_hours *= part(percent);
    plan.futures.failures.outage_hours *= part(percent);
}

fn equipment(plan: &mut Plan, percent: i64) {
    for equipment in plan.conversions.iter_mut().filter_map(|c| c.equipment.as_mut()) {
        equipment.price = scaled(equipment.price, percent);
    }
}

fn works(plan: &mut Plan, percent: i64) {
    for conversion in &mut plan.conversions {
        conversion.works.cost = scaled(conversion.works.cost, percent);
    }
}

fn running(plan: &mut Plan, percent: i64) {
    for place in &mut plan.sites {
        let racks = &mut place.running.racks_per_mw_month;
        *racks = scaled(*racks, percent);
    }
}

fn residual(plan: &mut Plan, percent: i64) {
    for equipment in plan.conversions.iter_mut().filter_map(|c| c.equipment.as_mut()) {
        let ppm = equipment.residual.as_ppm() * percent / 100;
        equipment.residual = Share::from_ppm(ppm.min(1_000_000));
    }
}

fn interest(plan: &mut Plan, ppm: i64) {
    for loan in &mut plan.loans {
        loan.rate = Share::from_ppm((loan.rate.as_ppm() + ppm).max(0));
    }
}

fn discount(plan: &mut Plan, ppm: i64) {
    let moved = plan.rules.discount.as_ppm() + ppm;
    plan.rules.discount = Share::from_ppm(moved.max(0));
}
