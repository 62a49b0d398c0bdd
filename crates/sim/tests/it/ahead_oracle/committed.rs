//! Plans with machines that are on or off against the best that HiGHS finds in whole
//! numbers.

use engine::decide::ahead::commit::{Effort, Machine};
use engine::decide::ahead::{Horizon, Solver};
use serde_json::json;
use sim::ahead::{json, machines as rules, plan, within_usd};

use super::peer::Peer;

/// How far a plan is from the best, and the bound on it from both.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Excess {
    /// What the plan costs more than the best, USD.
    usd: f64,
    /// What the best costs more than the bound, USD.
    gap_usd: f64,
    /// What the best costs less than machines off as soon as they may be, USD:
    /// what there is to be gained. Infinite where that is no plan.
    gain_usd: f64,
    /// What is added and taken away to get the cost, USD.
    gross_usd: f64,
}

impl Excess {
    /// The distribution in words, and mean and worst of what the plans cost more, as
    /// a share of what is added and taken away.
    pub(crate) fn tell(found: &[Self]) -> (String, f64, f64) {
        let share = |part: f64, whole: f64| {
            if part > 0.0 { part / whole.max(part) } else { 0.0 }
        };
        let of_gross: Vec<f64> =
            found.iter().map(|e| share(e.usd, e.gross_usd)).collect();
        let of_gain: Vec<f64> = found.iter().map(|e| share(e.usd, e.gain_usd)).collect();
        let bound: Vec<f64> =
            found.iter().map(|e| share(e.gap_usd, e.gross_usd)).collect();
        let mean = |list: &[f64]| list.iter().sum::<f64>() / list.len().max(1) as f64;
        let worst = |list: &[f64]| list.iter().copied().fold(0.0, f64::max);
        let best = of_gross.iter().filter(|share| **share < 1e-6).count();
        let say = |list: &[f64]| {
            let mut sorted = list.to_vec();
            sorted.sort_by(f64::total_cmp);
            let high = sorted.get(sorted.len() * 95 / 100).copied().unwrap_or(0.0);
            format!(
                "mean {:.4} %, 95th percentile {:.4} %, worst {:.4} %",
                100.0 * mean(list),
                100.0 * high,
                100.0 * worst(list)
            )
        };
        let told = format!(
            "{} plans, {best} of them the best; above it by {} of the cost's parts ({} of \
             what there is to gain); the bound is below it by {} of the cost's parts",
            found.len(),
            say(&of_gross),
            say(&of_gain),
            say(&bound)
        );
        (told, mean(&of_gross), worst(&of_gross))
    }
}

/// Finds a plan both ways; says what does not hold. `None` where there is none.
pub(crate) fn compare_committed(
    horizon: &Horizon,
    machines: &[Machine],
    solver: &mut Solver,
    peer: &mut Peer,
) -> Result<Option<Excess>, String> {
    let mut told = json::write(horizon);
    rules::write(&mut told, machines);
    let reply = peer.ask(&json!({ "horizon": told }));
    let ours = solver.commit(horizon, machines, Effort::default());
    let best = match (reply["status"].as_str(), &ours) {
        (Some("optimal"), _) => reply["objective"].as_f64().expect("an objective"),
        (Some("infeasible"), Err(_)) => return Ok(None),
        (status, _) => {
            return Err(format!("feasible: HiGHS says {status:?}, ours {ours:?}"));
        }
    };
    let ours = ours.map_err(|conflict| {
        format!("infeasible: HiGHS finds a best of {best}, ours says {conflict}")
    })?;
    let broken = rules::broken(horizon, machines, &ours.on, &ours.plan);
    if !broken.is_empty() {
        return Err(format!("limits: the plan breaks {}", broken.join("; ")));
    }
    let (cost, gross) = plan::cost_usd(horizon, &ours.plan);
    let starts = rules::starts_usd(machines, &ours.on);
    let (cost, gross) = (cost + starts, gross + starts);
    let within = within_usd(best, gross);
    if (cost - ours.cost_usd).abs() > within {
        return Err(format!("cost: expected {cost}, found {}", ours.cost_usd));
    }
    if ours.cost_usd < best - within {
        return Err(format!("cost: {} below the best, {best}", ours.cost_usd));
    }
    if ours.bound_usd > best + within {
        return Err(format!("bound: {} above the best, {best}", ours.bound_usd));
    }
    let again = Solver::default().commit(horizon, machines, Effort::default());
    if again.as_ref() != Ok(&ours) {
        return Err("a new solver differs from a used one".to_owned());
    }
    let first = solver.commit(horizon, machines, Effort { steps: 0, tries: 1, cases: 0 });
    let more = |usd: f64| if usd > within { usd } else { 0.0 };
    Ok(Some(Excess {
        usd: more(ours.cost_usd - best),
        gap_usd: more(best - ours.bound_usd),
        gain_usd: first.map_or(f64::INFINITY, |first| more(first.cost_usd - best)),
        gross_usd: gross,
    }))
}
