//! What outlives a process: the steps that were made durable, and a snapshot.

use engine::journal::Step;
use engine::{Engine, Input, MeteredInterval, Output};
use units::{Energy, Timestamp};

use crate::seed::Generator;

/// How often a step is followed by a snapshot, in a million.
const SNAPSHOT_PPM: u32 = 10_000;

/// A record and its last snapshot.
#[derive(Clone, Debug)]
pub(super) struct Record {
    steps: Vec<Step>,
    /// A state, and how many steps led to it.
    snapshot: (usize, Vec<u8>),
}

impl Record {
    /// Of a process that has not begun.
    pub(super) fn of(engine: &Engine) -> Self {
        Self { steps: Vec::new(), snapshot: (0, bytes_of(engine)) }
    }

    pub(super) fn append(&mut self, input: &Input, outputs: &[Output]) {
        self.steps.push(Step { input: input.clone(), outputs: outputs.to_vec() });
    }

    pub(super) fn last(&self) -> &Step {
        self.steps.last().expect("a step was recorded")
    }

    /// Keeps a state, now and then.
    pub(super) fn may_keep(&mut self, state: Vec<u8>, draws: &mut Generator) {
        if draws.chance(SNAPSHOT_PPM) {
            self.snapshot = (self.steps.len(), state);
        }
    }

    /// The engine as it was when the last step was recorded.
    pub(super) fn recover(&self) -> Engine {
        let (taken, bytes) = &self.snapshot;
        let mut engine: Engine =
            postcard::from_bytes(bytes).expect("a snapshot reads back");
        for step in &self.steps[*taken..] {
            engine.fold(step);
        }
        engine
    }

    /// Every interval that was metered, in the order of the record.
    pub(super) fn metered(&self) -> impl Iterator<Item = &MeteredInterval> {
        self.steps.iter().flat_map(|step| &step.outputs).filter_map(|output| match output
        {
            Output::Metered(metered) => Some(metered),
            Output::Dispatch(_)
            | Output::Orders(_)
            | Output::ReadBack(_)
            | Output::Keep(_)
            | Output::Notice(_)
            | Output::Alarm(_)
            | Output::Estate(_) => None,
        })
    }

    /// S6: what was metered has no gap and no overlap, and sums up to what was
    /// drawn.
    pub(super) fn is_metered_once(
        &self,
        start: Timestamp,
        truth: Energy,
    ) -> Option<String> {
        let (mut end, mut sum) = (start, Energy::ZERO);
        for interval in self.metered() {
            if interval.during.start != end {
                return Some(format!(
                    "S6: expected an interval metered from {end}, found {:?}",
                    interval.during
                ));
            }
            end = interval.during.end;
            sum += interval.site;
        }
        (sum != truth)
            .then(|| format!("S6: expected {truth} metered until {end}, found {sum}"))
    }
}

/// What was said, as it would be kept.
pub(super) fn bytes_of_outputs(outputs: &[Output]) -> Vec<u8> {
    postcard::to_allocvec(outputs).expect("outputs can be written")
}

/// A state as it would be kept.
pub(super) fn bytes_of(engine: &Engine) -> Vec<u8> {
    postcard::to_allocvec(engine).expect("a state can be written")
}

/// Where two states first differ, in words; what is only kept to save work apart.
pub(super) fn difference(expected: &Engine, found: &Engine) -> String {
    let text = |engine: &Engine| {
        let whole = format!("{engine:?}");
        match (whole.find("memo: Memo {"), whole.find("act: Act {")) {
            (Some(from), Some(to)) if from < to => {
                format!("{}{}", &whole[..from], &whole[to..])
            }
            _ => whole,
        }
    };
    let (expected, found) = (text(expected), text(found));
    let pairs = expected.chars().zip(found.chars());
    let at = pairs.take_while(|(a, b)| a == b).count().saturating_sub(300);
    let part = |text: &str| text.chars().skip(at).take(450).collect::<String>();
    format!("expected …{}…\n  found …{}…", part(&expected), part(&found))
}
