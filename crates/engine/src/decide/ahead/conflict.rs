//! Limits that contradict each other, by name.

/// Limits that cannot all be kept.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.say())]
pub struct Conflict {
    /// The first interval they are needed in.
    pub from: usize,
    /// One past the last.
    pub to: usize,
    /// What contradicts, in a fixed order.
    pub limits: Vec<Bound>,
}

/// Something that limits or demands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bound {
    /// The most that may be drawn from the grid.
    Import,
    /// The most that may be sent back, or the least that must be drawn.
    Export,
    /// How far the exchange with the grid may move.
    ExchangeRamp,
    /// What may flow through a feeder.
    Feeder(usize),
    /// The least a load must draw.
    Floor(usize),
    /// The most a load may or can draw.
    Ceiling(usize),
    /// How far a load may move.
    LoadRamp(usize),
    /// What a store can take in or give back.
    StorePower(usize),
    /// What a store can or must hold.
    Stored(usize),
}

impl Conflict {
    /// A conflict within one interval.
    pub(super) fn at(t: usize, limits: Vec<Bound>) -> Self {
        Self { from: t, to: t + 1, limits }
    }

    fn say(&self) -> String {
        let mut text = format!("in intervals {}..{}, ", self.from, self.to);
        for (at, limit) in self.limits.iter().enumerate() {
            if at > 0 {
                text.push_str(if at + 1 == self.limits.len() { " and " } else { ", " });
            }
            text.push_str(&limit.say());
        }
        text.push_str(" contradict each other");
        text
    }
}

impl Bound {
    fn say(self) -> String {
        match self {
            Self::Import => "the import limit".to_owned(),
            Self::Export => "the export limit".to_owned(),
            Self::ExchangeRamp => "the ramp of the exchange".to_owned(),
            Self::Feeder(feeder) => format!("the limit of feeder {feeder}"),
            Self::Floor(load) => format!("the floor of load {load}"),
            Self::Ceiling(load) => format!("the ceiling of load {load}"),
            Self::LoadRamp(load) => format!("the ramp of load {load}"),
            Self::StorePower(store) => format!("the power of store {store}"),
            Self::Stored(store) => format!("the energy of store {store}"),
        }
    }
}
