//! What becomes of a process whose journal cannot be written: it has stepped, and
//! does nothing until the step is durable.
//!
//! It is the live loop's rule: what was decided before an outage is about a site that
//! has moved on, so it is kept and not ordered, and the engine is told that nobody
//! watched. Meanwhile leases end.

use engine::{Event, Input, Output};
use units::Seconds;

use super::{Answer, Coming, Fault, Rank, Runner};

/// A step that waits to become durable, and what happens meanwhile.
#[derive(Clone, Debug)]
pub(super) struct Outage {
    input: Input,
    outputs: Vec<Output>,
    waiting: Vec<Event>,
}

impl Outage {
    /// Something happens; it is taken in when the journal is back.
    pub(super) fn wait(&mut self, event: Event) {
        self.waiting.push(event);
    }
}

impl Runner<'_> {
    /// Whether the journal fails at this step. The meters' own reading is asked for
    /// again, which the kill sweep tries.
    pub(super) fn journal_fails(&mut self, input: &Input, outputs: &[Output]) -> bool {
        let metered = |output: &Output| matches!(output, Output::Metered(_));
        let calm_from = self.world.world.calm_from();
        let mut draws = self.draws("outage");
        if self.now >= calm_from
            || outputs.iter().any(metered)
            || !draws.chance(self.world.mishaps.outage_ppm)
        {
            return false;
        }
        let seconds = match draws.below(10) {
            0..=4 => draws.integer(6..=60),
            5..=7 => draws.integer(60..=900),
            _ => draws.integer(900..=2_400),
        };
        let until = (self.now + Seconds::from_seconds(seconds)).min(calm_from);
        self.counts.fault(Fault::F3);
        self.counts.note("outages of the journal");
        self.checkers.unwatched(self.now);
        let (input, outputs) = (input.clone(), outputs.to_vec());
        self.outage = Some(Outage { input, outputs, waiting: Vec::new() });
        self.expect(until, Rank::Restart, Coming::JournalBack);
        true
    }

    /// The journal can be written again; or the process is ended before it can, and
    /// the step is lost.
    pub(super) fn journal_is_back(&mut self) {
        let Some(Outage { input, mut outputs, waiting }) = self.outage.take() else {
            return;
        };
        if self.draws("outage ends").chance(200_000) {
            self.counts.fault(Fault::F2);
            self.counts.note("deaths before the record");
            self.die();
            return;
        }
        self.keep(&input, &outputs);
        outputs.retain(|output| !matches!(output, Output::Orders(_) | Output::Keep(_)));
        self.carry_out(&outputs, None);
        self.stepped(&input, &outputs);
        self.last_wake = None;
        self.input(Event::Resume);
        if self.engine.is_some() && self.outage.is_none() {
            let receipt = self.campus.survey();
            self.answers(vec![Answer { after: Seconds::from_seconds(2), receipt }]);
        }
        for event in waiting {
            self.input(event);
        }
        self.tick_at_once();
    }
}
