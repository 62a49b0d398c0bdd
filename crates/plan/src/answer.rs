//! What many futures say together.

use units::{Money, Share};

use crate::by_site::SiteTotals;
use crate::cash::{Line, Month};
use crate::path::{Outcome, Use, UseTotals};
use crate::terms::{Place, Plan};
use crate::value;

/// A figure's mean and quantiles over futures.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Band {
    /// The mean.
    pub mean: f64,
    /// Its standard error: how far the mean of so many futures may be off.
    pub error: f64,
    /// The value that one in twenty futures is below.
    pub p5: f64,
    /// One in four.
    pub p25: f64,
    /// Half of them.
    pub p50: f64,
    /// Three in four.
    pub p75: f64,
    /// Nineteen in twenty.
    pub p95: f64,
}

/// What became of a tranche.
#[derive(Clone, Debug, PartialEq)]
pub struct TrancheRisk {
    /// Its contract and its own name.
    pub name: String,
    /// The probability that its contract is signed.
    pub signed: f64,
    /// Days late, of those signed.
    pub days_late: Option<Band>,
    /// The probability that it is accepted after its long stop.
    pub missed: f64,
    /// What that costs on average when it happens, in USD.
    pub cost_usd: Option<f64>,
}

/// A use of a megawatt-hour at the meter, in USD.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PerMwh {
    /// What it earned.
    pub earned: f64,
    /// What its power cost, with adders.
    pub power: f64,
    /// How many MWh a future has of it.
    pub mwh: f64,
}

/// What a site comes to; means over futures, in USD where nothing is said.
#[derive(Clone, Debug, PartialEq)]
pub struct SiteAnswer {
    /// What the plan calls it.
    pub name: String,
    /// MWh at the meter by use.
    pub mwh: [f64; 3],
    /// What each use earned; contracts by the month of service.
    pub earned_usd: [f64; 3],
    /// What the power of each use cost, with adders.
    pub power_usd: [f64; 3],
    /// Fixed-price blocks against the settlement price.
    pub blocks_usd: f64,
    /// Charges at the system's peaks: below nought.
    pub peaks_usd: f64,
    /// Running it beside power: below nought.
    pub running_usd: f64,
    /// Buildings and machines, less what is sold: below nought.
    pub built_usd: f64,
    /// The mean settled price of power, USD/MWh.
    pub price_usd_per_mwh: f64,
    /// Present value of all of it.
    pub worth_usd: Band,
    /// The same, had nothing been converted.
    pub worth_stay_usd: Band,
    /// The difference, future by future.
    pub worth_gain_usd: Band,
}

impl SiteAnswer {
    /// Everything it earned, less all its costs.
    pub fn all_usd(&self) -> f64 {
        let uses =
            self.earned_usd.iter().sum::<f64>() - self.power_usd.iter().sum::<f64>();
        uses + self.blocks_usd + self.peaks_usd + self.running_usd + self.built_usd
    }
}

/// Where the plan earns nothing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BreakEven {
    /// The mean hashprice at which what was mined pays for its power alone, in
    /// USD/PH/day.
    pub hashprice_usd_per_ph_day: Option<f64>,
    /// The mean hashprice at which staying is worth as much as converting, before tax and
    /// with machines run in the same hours, in USD/PH/day; nothing where converting gives
    /// up no mining, or is worth less at any.
    pub hashprice_to_stay: Option<f64>,
    /// The mean hashprice over futures, beside it.
    pub hashprice_mean: f64,
    /// The contract price of a GPU-hour at which converting is worth as much as
    /// staying, before tax, in USD.
    pub usd_per_gpu_hour: Option<f64>,
    /// The contracts' price of a GPU-hour now, beside it.
    pub price_now: Option<f64>,
    /// The rent of a kW and month at which converting is worth as much as staying, before
    /// tax, in USD.
    pub usd_per_kw_month: Option<f64>,
    /// The contracts' rent of a kW and month now, beside it.
    pub rent_now: Option<f64>,
}

/// The answer of a plan.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// How many futures it rests on.
    pub paths: usize,
    /// Present value of the plan's net cash, USD.
    pub npv_usd: Band,
    /// Of staying as it is.
    pub npv_stay_usd: Band,
    /// Of converting over staying, future by future.
    pub npv_gain_usd: Band,
    /// The share of futures in which converting is worth more.
    pub gains: f64,
    /// The rate a year that converting earns on what owners put in beyond staying, of
    /// the futures that have one.
    pub irr: Option<Band>,
    /// The share of futures that have one.
    pub irr_share: f64,
    /// The most that owners have to have put in beyond what came back, USD.
    pub funding_usd: Band,
    /// Mean cash by month, line by line.
    pub months: Vec<Month>,
    /// Net cash by month.
    pub net_usd: Vec<Band>,
    /// What tenants had paid ahead and lenders had given up to each month, against
    /// what machines had cost: mean prepayments, draws and equipment, USD.
    pub funded_usd: Vec<[f64; 3]>,
    /// The least coverage of a future.
    pub coverage_least: Option<Band>,
    /// The share of futures in which it falls below the covenant, and in which debt is
    /// served at all.
    pub breach: Option<f64>,
    /// Each site, before lenders and tax.
    pub sites: Vec<SiteAnswer>,
    /// Each tranche.
    pub tranches: Vec<TrancheRisk>,
    /// Mining a MWh, serving it under contract, letting it.
    pub per_mwh: [Option<PerMwh>; 3],
    /// What a MWh of fixed-price power not used brings: the mean price, in USD.
    pub price_mean_usd_per_mwh: f64,
    /// What a MWh was at while rigs stood idle, in USD, and how many MWh a future has.
    pub idle: Option<(f64, f64)>,
    /// Where it earns nothing.
    pub break_even: BreakEven,
}

impl Band {
    /// Of values in the order of their futures; `None` of none.
    pub fn of(values: &[f64]) -> Option<Self> {
        let at = |share| value::quantile(values, share);
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let squares = values.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>();
        let error =
            if values.len() > 1 { (squares / (count - 1.0) / count).sqrt() } else { 0.0 };
        Some(Self {
            mean,
            error,
            p5: at(0.05)?,
            p25: at(0.25)?,
            p50: at(0.5)?,
            p75: at(0.75)?,
            p95: at(0.95)?,
        })
    }
}

fn usd(money: Money) -> f64 {
    money.as_micro_usd() as f64 / 1e6
}

impl Answer {
    /// What `outcomes` say, in the order of their paths; `None` of none.
    pub fn of(plan: &Plan, outcomes: &[Outcome]) -> Option<Self> {
        if outcomes.is_empty() {
            return None;
        }
        let count = outcomes.len() as f64;
        let band = |of: &dyn Fn(&Outcome) -> f64| {
            Band::of(&outcomes.iter().map(of).collect::<Vec<_>>())
        };
        let share = |of: &dyn Fn(&Outcome) -> bool| {
            outcomes.iter().filter(|outcome| of(outcome)).count() as f64 / count
        };
        let gain = |outcome: &Outcome| usd(outcome.npv - outcome.npv_stay);
        let irrs: Vec<f64> = outcomes
            .iter()
            .filter_map(|outcome| Some(outcome.irr_ppm? as f64 / 1e6))
            .collect();
        let least = |outcome: &Outcome| outcome.coverage.iter().flatten().min().copied();
        let leasts: Vec<f64> =
            outcomes.iter().filter_map(|o| Some(least(o)? as f64 / 1e6)).collect();
        let breach = plan.covenant.map(|covenant| {
            share(&|o| least(o).is_some_and(|ratio| ratio < covenant.ratio_min.as_ppm()))
        });
        let (months, net_usd, funded_usd) = by_month(plan, outcomes);
        Some(Self {
            paths: outcomes.len(),
            npv_usd: band(&|outcome| usd(outcome.npv))?,
            npv_stay_usd: band(&|outcome| usd(outcome.npv_stay))?,
            npv_gain_usd: band(&gain)?,
            gains: share(&|outcome| gain(outcome) > 0.0),
            irr: Band::of(&irrs),
            irr_share: irrs.len() as f64 / count,
            funding_usd: band(&funding)?,
            months,
            net_usd,
            funded_usd,
            coverage_least: Band::of(&leasts),
            breach,
            sites: sites(plan, outcomes)?,
            tranches: tranches(plan, outcomes),
            per_mwh: Use::ALL.map(|of| per_mwh(outcomes, of)),
            price_mean_usd_per_mwh: band(&|o| o.price_micro_usd_per_mwh as f64 / 1e6)?
                .mean,
            idle: idle(outcomes),
            break_even: break_even(plan, outcomes),
        })
    }
}

/// The most that owners put in beyond staying as it is, before it comes back.
fn funding(outcome: &Outcome) -> f64 {
    let (mut sum, mut least) = (0.0_f64, 0.0_f64);
    for (month, stay) in outcome.months.iter().zip(&outcome.stay) {
        sum += usd(month.net() - *stay);
        least = least.min(sum);
    }
    -least
}

fn by_month(plan: &Plan, outcomes: &[Outcome]) -> (Vec<Month>, Vec<Band>, Vec<[f64; 3]>) {
    let count = outcomes.len() as i128;
    let (mut months, mut net, mut funded) = (Vec::new(), Vec::new(), Vec::new());
    let mut so_far = [0.0; 3];
    for place in 0..plan.months {
        let mut mean = Month::default();
        for line in Line::ALL {
            let sum: i128 = outcomes
                .iter()
                .map(|o| i128::from(o.months[place].of(line).as_micro_usd()))
                .sum();
            let micro = i64::try_from(sum / count).expect("a mean fits");
            mean.add(line, Money::from_micro_usd(micro));
        }
        let nets: Vec<f64> =
            outcomes.iter().map(|o| usd(o.months[place].net())).collect();
        net.extend(Band::of(&nets));
        for (at, line) in
            [Line::Prepayment, Line::Drawn, Line::Equipment].into_iter().enumerate()
        {
            so_far[at] += usd(mean.of(line));
        }
        funded.push(so_far);
        months.push(mean);
    }
    (months, net, funded)
}

fn tranches(plan: &Plan, outcomes: &[Outcome]) -> Vec<TrancheRisk> {
    let first = &outcomes[0].delivered;
    (0..first.len())
        .map(|at| {
            let one = first[at];
            let contract = &plan.deals[one.deal].contract;
            let of: Vec<_> =
                outcomes.iter().map(|outcome| outcome.delivered[at]).collect();
            let signed: Vec<_> = of.iter().filter(|one| one.signed).collect();
            let missed: Vec<_> = signed.iter().filter(|one| one.missed).collect();
            let late: Vec<f64> = signed.iter().map(|one| one.days_late as f64).collect();
            let cost = missed.iter().map(|one| usd(one.cost)).sum::<f64>();
            TrancheRisk {
                name: format!("{} {}", contract.id, contract.tranches[one.tranche].id),
                signed: signed.len() as f64 / of.len() as f64,
                days_late: Band::of(&late),
                missed: missed.len() as f64 / signed.len().max(1) as f64,
                cost_usd: (!missed.is_empty()).then(|| cost / missed.len() as f64),
            }
        })
        .collect()
}

fn sites(plan: &Plan, outcomes: &[Outcome]) -> Option<Vec<SiteAnswer>> {
    let count = outcomes.len() as f64;
    let of = |(at, place): (usize, &Place)| {
        let mean = |of: &dyn Fn(&SiteTotals) -> f64| {
            outcomes.iter().map(|o| of(&o.sites[at])).sum::<f64>() / count
        };
        let band = |of: &dyn Fn(&SiteTotals) -> f64| {
            Band::of(&outcomes.iter().map(|o| of(&o.sites[at])).collect::<Vec<_>>())
        };
        let uses = |of: &dyn Fn(UseTotals) -> f64| {
            Use::ALL.map(|used| mean(&|site| of(site.uses[used as usize])))
        };
        Some(SiteAnswer {
            name: place.name.clone(),
            mwh: uses(&|one| one.watt_hours as f64 / 1e6),
            earned_usd: uses(&|one| usd(one.earned)),
            power_usd: uses(&|one| usd(one.power)),
            blocks_usd: mean(&|site| usd(site.blocks)),
            peaks_usd: mean(&|site| usd(site.peaks)),
            running_usd: mean(&|site| usd(site.running)),
            built_usd: mean(&|site| usd(site.built)),
            price_usd_per_mwh: mean(&|site| site.price_micro_usd_per_mwh as f64 / 1e6),
            worth_usd: band(&|site| usd(site.worth))?,
            worth_stay_usd: band(&|site| usd(site.worth_stay))?,
            worth_gain_usd: band(&|site| usd(site.worth - site.worth_stay))?,
        })
    };
    plan.sites.iter().enumerate().map(of).collect()
}

/// A use's totals over all futures: MWh, and USD earned and paid for power.
fn totals(outcomes: &[Outcome], of: Use) -> (f64, f64, f64) {
    let all = outcomes.iter().map(|outcome| outcome.uses[of as usize]);
    let add = |sum: (f64, f64, f64), one: UseTotals| {
        let mwh = one.watt_hours as f64 / 1e6;
        (sum.0 + mwh, sum.1 + usd(one.earned), sum.2 + usd(one.power))
    };
    all.fold((0.0, 0.0, 0.0), add)
}

fn per_mwh(outcomes: &[Outcome], of: Use) -> Option<PerMwh> {
    let (mwh, earned, power) = totals(outcomes, of);
    (mwh > 0.0).then(|| PerMwh {
        earned: earned / mwh,
        power: power / mwh,
        mwh: mwh / outcomes.len() as f64,
    })
}

fn idle(outcomes: &[Outcome]) -> Option<(f64, f64)> {
    let mwh = outcomes.iter().map(|o| o.idle_watt_hours as f64 / 1e6).sum::<f64>();
    let value = outcomes.iter().map(|o| usd(o.idle_value)).sum::<f64>();
    (mwh > 0.0).then(|| (value / mwh, mwh / outcomes.len() as f64))
}

fn break_even(plan: &Plan, outcomes: &[Outcome]) -> BreakEven {
    let count = outcomes.len() as f64;
    let mean =
        |of: &dyn Fn(&Outcome) -> f64| outcomes.iter().map(of).sum::<f64>() / count;
    let hashprice_mean = mean(&|o| o.hashprice_micro_usd_per_ph_day as f64 / 1e6);
    let (_, earned, power) = totals(outcomes, Use::Mining);
    // Everything a tenant pays moves with its price; the rest does not.
    let gain = mean(&|o| usd(o.npv - o.npv_stay) - usd(o.tax_value));
    let tenants = mean(&|o| usd(o.contract_value));
    // So does everything that mining pays, in both lives, with hashprice.
    let given_up = mean(&|o| usd(o.mining_given_up));
    let to_stay = (given_up > 0.0).then(|| hashprice_mean * (1.0 + gain / given_up));
    let price_now = price_per_gpu_hour(plan);
    let rent_now = rent_per_kw_month(plan);
    let even = |now: Option<f64>| {
        now.filter(|_| tenants > 0.0).map(|price| price * (1.0 - gain / tenants))
    };
    BreakEven {
        hashprice_usd_per_ph_day: (earned > 0.0).then(|| hashprice_mean * power / earned),
        hashprice_to_stay: to_stay.filter(|price| *price > 0.0),
        hashprice_mean,
        usd_per_gpu_hour: even(price_now),
        price_now,
        usd_per_kw_month: even(rent_now),
        rent_now,
    }
}

/// The mean price of a GPU-hour over contracts that state one, by GPUs.
fn price_per_gpu_hour(plan: &Plan) -> Option<f64> {
    let (mut gpus, mut price) = (0.0, 0.0);
    for tranche in plan.deals.iter().flat_map(|deal| &deal.contract.tranches) {
        if tranche.price.unit != settle::contract::PriceUnit::GpuHour {
            return None;
        }
        let amount = tranche.price.amount;
        let each = amount.numerator() as f64 / amount.denominator() as f64;
        gpus += tranche.quantity.count() as f64;
        price += tranche.quantity.count() as f64 * each;
    }
    (gpus > 0.0).then(|| price / gpus)
}

/// The mean rent of a kW and month over contracts for megawatts, by kW; nothing where one
/// is for something else.
fn rent_per_kw_month(plan: &Plan) -> Option<f64> {
    let (mut kw, mut rent) = (0.0, 0.0);
    for tranche in plan.deals.iter().flat_map(|deal| &deal.contract.tranches) {
        if tranche.price.unit != settle::contract::PriceUnit::MwMonth {
            return None;
        }
        let amount = tranche.price.amount;
        kw += tranche.quantity.count() as f64;
        rent += amount.numerator() as f64 / amount.denominator() as f64;
    }
    (kw > 0.0).then(|| rent / kw)
}

impl Answer {
    /// The covenant's ratio, as a number.
    pub fn covenant_ratio(plan: &Plan) -> Option<f64> {
        let ratio = |of: Share| of.as_ppm() as f64 / 1e6;
        plan.covenant.map(|covenant| ratio(covenant.ratio_min))
    }
}
