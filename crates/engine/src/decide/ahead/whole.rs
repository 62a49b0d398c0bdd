//! The whole horizon as one window: exact whatever couples its intervals.
//!
//! Several stores, or ramps that bind nearly everywhere, leave nothing to
//! decompose. Its cost grows with the cube of the number of intervals, so it is
//! for horizons of days, not of years.

use super::answer::Answer;
use super::horizon::{Cap, Horizon};
use super::ramps::Unrepaired;
use super::window::{Outside, Step, Stop, Window};

/// The most rows of a first basis.
const LARGEST: usize = 2_400;

/// Solves `horizon` as one window, starting from the plan of `answer`.
pub(super) fn solve(
    window: &mut Window,
    horizon: &Horizon,
    caps: &[Cap],
    answer: &mut Answer,
) -> Result<(), Unrepaired> {
    let stores = horizon.batteries.len();
    if horizon.len() * (1 + stores) > LARGEST {
        return Err(Unrepaired::TooWide);
    }
    answer.found.general = true;
    let steps: Vec<Step> = (0..horizon.len()).map(Step::Interval).collect();
    let before: Vec<Outside<'_>> =
        horizon.batteries.iter().map(|store| Outside::Held(store.stored_mwh)).collect();
    let after = vec![Outside::End; stores];
    let solved = window.solve(horizon, caps, &steps, &[], (&before, &after), answer);
    answer.found.pivots += window.pivots();
    match solved {
        Ok(()) => {
            window.write(horizon, answer);
            Ok(())
        }
        Err(Stop::Infeasible(conflict)) => Err(Unrepaired::Conflict(conflict)),
        Err(Stop::Stuck) => Err(Unrepaired::TooWide),
    }
}
