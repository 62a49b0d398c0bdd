//! HiGHS as a process that answers line by line, and what its answers are to agree
//! with.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use engine::decide::ahead::{Answer, Conflict, Horizon, Solver};
use serde_json::{Value, json};
use sim::ahead::bound::{Limits, bound};
use sim::ahead::{json, plan, within_usd};

/// A running `highs.py`.
pub(crate) struct Peer {
    child: Child,
    requests: Option<ChildStdin>,
    replies: BufReader<ChildStdout>,
}

impl Peer {
    /// Starts it with a Python that has highspy; `None` where it has not.
    pub(crate) fn start(python: &OsStr) -> Option<Self> {
        let has_it = Command::new(python).args(["-c", "import highspy"]).output();
        if !has_it.expect("a Python that starts").status.success() {
            return None;
        }
        let script =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/ahead_oracle/highs.py");
        let mut child = Command::new(python)
            .arg(script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a Python that starts");
        let requests = child.stdin.take();
        let replies = BufReader::new(child.stdout.take().expect("its output"));
        Some(Self { child, requests, replies })
    }

    /// One request, one reply.
    pub(crate) fn ask(&mut self, request: &Value) -> Value {
        let requests = self.requests.as_mut().expect("open until dropped");
        writeln!(requests, "{request}").expect("a peer that reads");
        let mut line = String::new();
        self.replies.read_line(&mut line).expect("a peer that answers");
        serde_json::from_str(&line)
            .unwrap_or_else(|error| panic!("{error}: {line}\nasked: {request}"))
    }

    /// What HiGHS finds for a horizon; `None` where nothing keeps all limits.
    pub(crate) fn optimum(
        &mut self,
        horizon: &Horizon,
    ) -> Result<Option<(f64, Value)>, String> {
        let reply = self.ask(&json!({ "horizon": json::write(horizon) }));
        match reply["status"].as_str() {
            Some("optimal") => {
                let objective = reply["objective"].as_f64().expect("an objective");
                Ok(Some((objective, reply["answer"].clone())))
            }
            Some("infeasible") => Ok(None),
            _ => Err(format!(
                "peer: HiGHS finds neither an optimum nor a conflict: {reply}"
            )),
        }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // The end of its input is its sign to stop.
        drop(self.requests.take());
        // A failing test says more than a peer that will not end.
        drop(self.child.wait());
    }
}

/// What a comparison came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Compared {
    /// Both found the optimum.
    Optimal { windows: usize, pivots: usize, general: bool },
    /// Both found that nothing keeps all limits.
    Conflict,
}

/// Solves a horizon both ways; says what does not agree.
pub(crate) fn compare(
    horizon: &Horizon,
    solver: &mut Solver,
    peer: &mut Peer,
) -> Result<Compared, String> {
    let ours = catch_unwind(AssertUnwindSafe(|| solver.solve(horizon)));
    let ours = ours.map_err(|_| {
        // What it kept from before is in an unknown state.
        *solver = Solver::default();
        "panics".to_owned()
    })?;
    match (ours, peer.optimum(horizon)?) {
        (Ok(answer), Some((objective, _))) => {
            agree(horizon, &answer, objective)?;
            let alone = Solver::default().solve(horizon).map_err(|error| {
                format!("a new solver differs from a used one: {error}")
            })?;
            if alone != answer {
                return Err("a new solver differs from a used one".to_owned());
            }
            let found = answer.found;
            Ok(Compared::Optimal {
                windows: found.windows,
                pivots: found.pivots,
                general: found.general,
            })
        }
        (Err(conflict), None) => {
            conflicts(horizon, &conflict, peer).map(|()| Compared::Conflict)
        }
        (Ok(answer), None) => {
            let broken = plan::broken(horizon, &answer).join("; ");
            Err(format!(
                "feasible: HiGHS finds no plan within all limits, ours costs {} and breaks [{broken}]",
                answer.cost_usd
            ))
        }
        (Err(conflict), Some((objective, _))) => Err(format!(
            "infeasible: HiGHS finds an optimum of {objective}, ours says {conflict}"
        )),
    }
}

/// An answer is the optimum, is priced as one, and is as good as `objective`.
pub(crate) fn agree(
    horizon: &Horizon,
    answer: &Answer,
    objective: f64,
) -> Result<(), String> {
    let broken = plan::broken(horizon, answer);
    if !broken.is_empty() {
        return Err(format!("limits: the plan breaks {}", broken.join("; ")));
    }
    let (cost, gross) = plan::cost_usd(horizon, answer);
    let within = within_usd(objective, gross);
    let same = |what: &str, value: f64| {
        if (value - objective).abs() <= within {
            return Ok(());
        }
        Err(format!("{what}: expected {objective} within {within}, found {value}"))
    };
    same("cost: of the plan", cost)?;
    same("cost: as said", answer.cost_usd)?;
    same("bound: as said", answer.bound_usd)?;
    if answer.bound_usd > answer.cost_usd + within {
        return Err("bound: above the cost".to_owned());
    }
    for limits in [Limits::Kept, Limits::Charged] {
        let from_prices = bound(horizon, &answer.prices, limits)
            .map_err(|error| format!("prices, limits {limits:?}: {error}"))?;
        same(&format!("prices, limits {limits:?}: bound"), from_prices)?;
    }
    Ok(())
}

/// The limits that are named conflict by themselves, and none of them is needless.
fn conflicts(
    horizon: &Horizon,
    conflict: &Conflict,
    peer: &mut Peer,
) -> Result<(), String> {
    let named = json::write_conflict(conflict);
    let reply = peer.ask(&json!({ "horizon": json::write(horizon), "conflict": named }));
    if reply["conflict"] != "infeasible" {
        return Err(format!(
            "conflict: the limits named can be kept together: {conflict}"
        ));
    }
    let needless = reply["needless"].as_array().expect("a list");
    if !needless.is_empty() {
        let needless: Vec<String> = needless.iter().map(Value::to_string).collect();
        return Err(format!(
            "needless: {} in a conflict without which the rest conflicts too: {conflict}",
            needless.join(", ")
        ));
    }
    Ok(())
}
