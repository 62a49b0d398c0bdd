//! The loop every driver shares: an input in, outputs carried out, all recorded.

pub mod backtest;

use std::collections::VecDeque;

use engine::{Dispatch, Engine, Event, Input, MeteredInterval, Output, Signal, Site};
use sim::Plant;
use units::{Interval, Timestamp};

use crate::drive::record::Record;
use crate::tenancy::witness::Moved;

pub mod record;

/// An engine at work on a simulated site.
///
/// Orders reach the plant and its answers come back as inputs at the same
/// instant; what every input led to goes to the record, if there is one.
pub struct OnPlant<'a> {
    engine: Engine,
    plant: Plant,
    record: Option<&'a mut dyn Record>,
    /// Where loads were put since that was last asked, in order.
    moved: Vec<Moved>,
}

/// What came of one decided interval.
pub struct Decided {
    /// The decision made when it began.
    pub dispatch: Dispatch,
    /// What it came to.
    pub metered: MeteredInterval,
}

impl<'a> OnPlant<'a> {
    /// A site at rest at `start`.
    pub fn new(site: Site, start: Timestamp, record: Option<&'a mut dyn Record>) -> Self {
        let plant = Plant::at_rest(site.clone(), start);
        let engine = Engine::new(site, start);
        Self { engine, plant, record, moved: Vec::new() }
    }

    /// Hands the engine one signal.
    pub fn hear(&mut self, at: Timestamp, signal: Signal) -> anyhow::Result<()> {
        self.input(Input { at, event: Event::Signal(signal) }).map(drop)
    }

    /// Decides an interval, carries it out to its end, and reads the meters.
    pub fn run_interval(&mut self, interval: Interval) -> anyhow::Result<Decided> {
        let start = interval.start;
        // The weather a hall has is the weather its operator knows of.
        self.plant.weather(self.engine.state().outside(start));
        let first = self.input(Input { at: start, event: Event::Tick(interval) })?;
        let dispatch = first.dispatch.expect("a tick is decided");
        loop {
            let (wake, _) = self.engine.next_wake();
            if wake >= interval.end {
                break;
            }
            self.plant.advance(wake);
            self.input(Input { at: wake, event: Event::Wake })?;
        }
        self.plant.advance(interval.end);
        let sweep = Signal::Sweep(self.plant.sweep(interval));
        let last = self.input(Input { at: interval.end, event: Event::Signal(sweep) })?;
        let metered = last.metered.expect("a sweep is metered");
        Ok(Decided { dispatch, metered })
    }

    /// Where loads were put since this was last asked, in order.
    pub fn take_moved(&mut self) -> Vec<Moved> {
        std::mem::take(&mut self.moved)
    }

    /// How many machines of a load were started so far.
    pub fn starts(&self, load: engine::site::LoadIx) -> u64 {
        self.plant.starts(load)
    }

    /// What the engine believes.
    pub fn state(&self) -> &engine::State {
        self.engine.state()
    }

    /// Steps the engine and carries out what it says until nothing is left.
    fn input(&mut self, first: Input) -> anyhow::Result<Outcome> {
        let mut outcome = Outcome::default();
        let mut inbox = VecDeque::new();
        let mut next = Some(first);
        while let Some(input) = next.take().or_else(|| inbox.pop_front()) {
            let outputs = self.engine.step(&input);
            if let Some(record) = &mut self.record {
                record.step(&input, &outputs)?;
            }
            for output in outputs {
                let receipt = match output {
                    Output::Orders(batch) => {
                        self.moved.extend(batch.orders.iter().map(|order| Moved {
                            at: input.at,
                            load: order.load,
                            to: order.setpoint,
                        }));
                        self.plant.obey(&batch)
                    }
                    Output::ReadBack(asked) => self.plant.look_at(asked.loads),
                    Output::Dispatch(dispatch) => {
                        outcome.dispatch = Some(dispatch);
                        continue;
                    }
                    Output::Metered(metered) => {
                        outcome.metered = Some(metered);
                        continue;
                    }
                    Output::Keep(_)
                    | Output::Notice(_)
                    | Output::Alarm(_)
                    | Output::Estate(_) => continue,
                };
                inbox.push_back(Input { at: input.at, event: Event::Receipt(receipt) });
            }
        }
        Ok(outcome)
    }
}

#[derive(Default)]
struct Outcome {
    dispatch: Option<Dispatch>,
    metered: Option<MeteredInterval>,
}
