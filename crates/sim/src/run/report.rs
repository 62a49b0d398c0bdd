//! What a run comes to, in words: a line a tick, a proof or a failure.

use engine::{Freshness, Notice, Output, Reason};
use units::{Power, Timestamp};

use crate::checkers::Books;

/// What the columns of a tick's line are.
pub const LEGEND: &str = "\
time of the tick | generation, ! in an emergency | import limit, dispatched and true \
draw in MW | price in USD/MWh, ? stale, - unknown | a letter a load: L locked out, \
H held, C contract, c contract cut, W worth it, k kept on, . off, o kept off, \
u minimum up, d minimum down, l limited, M maintenance, r out of reach, T tripped, I instructed, S link lost, ? price, b battery rests, + charges, - discharges";

/// A run in which nothing broke.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// What the world grew from.
    pub seed: u64,
    /// How its faults were drawn.
    pub mood: &'static str,
    /// One number for all outputs.
    pub digest: u64,
    /// How many inputs the engine took.
    pub steps: u64,
    /// What happened, so that a proof can be told from an empty one.
    pub tally: Tally,
}

/// How often what happened in a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Intervals decided.
    pub ticks: u64,
    /// Decisions between ticks.
    pub emergencies: u64,
    /// Batches of orders.
    pub batches: u64,
    /// Read-backs asked for.
    pub read_backs: u64,
    /// Requests by people.
    pub requests: u64,
    /// Requests refused.
    pub refusals: u64,
    /// Signals from the future.
    pub futures: u64,
    /// Changes of the site.
    pub changes: u64,
    /// Bad inputs tried on a copy of the engine.
    pub trials: u64,
    /// Orders that never arrived.
    pub orders_lost: u64,
    /// Orders half obeyed.
    pub orders_halved: u64,
    /// Receipts late or lost.
    pub receipts_astray: u64,
    /// Decisions on a price not fresh.
    pub not_fresh: u64,
    /// Entries with a load locked out.
    pub locked_out: u64,
    /// Entries with a load held.
    pub held: u64,
    /// Entries with a contract load cut.
    pub firm_shed: u64,
    /// Entries that a limit stopped.
    pub limited: u64,
    /// Entries kept by a minimum time.
    pub kept_by_time: u64,
    /// Entries with a battery at work.
    pub battery: u64,
    /// Runs at whose end every load had had time to do as decided.
    pub settled: u64,
}

impl Tally {
    pub(super) fn count(&mut self, output: &Output) {
        match output {
            Output::Dispatch(dispatch) => {
                self.emergencies += u64::from(dispatch.emergency);
                let fresh =
                    dispatch.price.is_some_and(|used| used.freshness == Freshness::Fresh);
                self.not_fresh += u64::from(!fresh);
                for entry in &dispatch.entries {
                    match entry.reason {
                        Reason::LockedOut { .. } => self.locked_out += 1,
                        Reason::Held { .. } => self.held += 1,
                        Reason::FirmShed { .. } => self.firm_shed += 1,
                        Reason::Limited { .. } => self.limited += 1,
                        Reason::MinimumUp { .. } | Reason::MinimumDown { .. } => {
                            self.kept_by_time += 1;
                        }
                        Reason::Charging | Reason::Discharging => self.battery += 1,
                        Reason::Stored { .. } | Reason::GivenBack { .. } => {
                            self.battery += 1;
                        }
                        Reason::Maintenance { .. }
                        | Reason::OutOfReach
                        | Reason::Tripped { .. }
                        | Reason::Instructed { .. }
                        | Reason::LinkLost { .. }
                        | Reason::Contracted
                        | Reason::WorthIt
                        | Reason::KeptOn { .. }
                        | Reason::NotWorthIt { .. }
                        | Reason::KeptOff { .. }
                        | Reason::PriceStale
                        | Reason::PriceUnknown
                        | Reason::HashpriceUnknown
                        | Reason::AlwaysOn
                        | Reason::BatteryRests
                        | Reason::KeptStored { .. } => {}
                    }
                }
            }
            Output::Orders(_) => self.batches += 1,
            Output::ReadBack(_) => self.read_backs += 1,
            Output::Metered(_)
            | Output::Keep(_)
            | Output::Alarm(_)
            | Output::Estate(_) => {}
            Output::Notice(Notice::FromTheFuture { .. }) => self.futures += 1,
            Output::Notice(Notice::Refused { .. }) => self.refusals += 1,
            Output::Notice(
                Notice::Accepted(_)
                | Notice::MeteredAlready { .. }
                | Notice::NotUsed { .. }
                | Notice::WaitsForAnother { .. }
                | Notice::Lapsed(_)
                | Notice::DrawNotBelieved { .. }
                | Notice::DrawUnknown
                | Notice::ChangeLosesLockOut { .. }
                | Notice::EstateRefused { .. },
            ) => {}
        }
    }

    /// The sum of two.
    pub fn with(self, other: Self) -> Self {
        let mut sum = Self::default();
        for ((into, one), other) in
            sum.parts_mut().into_iter().zip(self.parts()).zip(other.parts())
        {
            *into = one.1 + other.1;
        }
        sum
    }

    /// Every count with its name.
    pub fn parts(&self) -> [(&'static str, u64); 20] {
        [
            ("ticks", self.ticks),
            ("emergencies", self.emergencies),
            ("batches of orders", self.batches),
            ("read-backs", self.read_backs),
            ("requests", self.requests),
            ("refusals", self.refusals),
            ("signals from the future", self.futures),
            ("changes of the site", self.changes),
            ("bad inputs tried", self.trials),
            ("orders lost", self.orders_lost),
            ("orders half obeyed", self.orders_halved),
            ("receipts late or lost", self.receipts_astray),
            ("decisions without a fresh price", self.not_fresh),
            ("entries locked out", self.locked_out),
            ("entries held", self.held),
            ("contracts cut", self.firm_shed),
            ("entries limited", self.limited),
            ("entries kept by a minimum time", self.kept_by_time),
            ("batteries at work", self.battery),
            ("runs that came right", self.settled),
        ]
    }

    fn parts_mut(&mut self) -> [&mut u64; 20] {
        [
            &mut self.ticks,
            &mut self.emergencies,
            &mut self.batches,
            &mut self.read_backs,
            &mut self.requests,
            &mut self.refusals,
            &mut self.futures,
            &mut self.changes,
            &mut self.trials,
            &mut self.orders_lost,
            &mut self.orders_halved,
            &mut self.receipts_astray,
            &mut self.not_fresh,
            &mut self.locked_out,
            &mut self.held,
            &mut self.firm_shed,
            &mut self.limited,
            &mut self.kept_by_time,
            &mut self.battery,
            &mut self.settled,
        ]
    }
}

/// A run in which something broke.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What the world grew from.
    pub seed: u64,
    /// Whether it was a live one.
    pub live: bool,
    /// When it broke.
    pub at: Timestamp,
    /// What broke.
    pub broken: Vec<String>,
    /// The last lines before.
    pub tail: Vec<String>,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for line in &self.tail {
            writeln!(f, "  {line}")?;
        }
        for what in &self.broken {
            writeln!(f, "broken at {}: {what}", self.at)?;
        }
        let live = if self.live { "--live " } else { "" };
        write!(f, "to see it again: cargo xtask sim {live}--seed {}", self.seed)
    }
}

/// The line of a tick.
pub(super) fn line_of(at: Timestamp, books: &Books) -> String {
    let Some(dispatch) = &books.dispatch else {
        return format!("{at} nothing decided");
    };
    let price = match dispatch.price {
        None => "-".to_owned(),
        Some(used) => {
            let mark = match used.freshness {
                Freshness::Fresh => "",
                Freshness::Stale => "?",
                Freshness::Expired => "-",
            };
            format!("{}{mark}", used.known.value.to_usd_per_mwh_text(2))
        }
    };
    let drawn: Power = books.loads.iter().map(|account| account.power).sum();
    let letters: String =
        dispatch.entries.iter().map(|entry| letter(entry.reason)).collect();
    format!(
        "{:20} {:>4}{} {:>9} {:>9} {:>9} {:>9} {letters}",
        at.to_string(),
        dispatch.generation,
        if dispatch.emergency { '!' } else { ' ' },
        dispatch.import_limit.to_mw_text(3),
        dispatch.net().to_mw_text(3),
        drawn.to_mw_text(3),
        price,
    )
}

fn letter(reason: Reason) -> char {
    match reason {
        Reason::LockedOut { .. } => 'L',
        Reason::Held { .. } => 'H',
        Reason::Contracted => 'C',
        Reason::FirmShed { .. } => 'c',
        Reason::WorthIt | Reason::AlwaysOn => 'W',
        Reason::KeptOn { .. } => 'k',
        Reason::NotWorthIt { .. } => '.',
        Reason::KeptOff { .. } => 'o',
        Reason::MinimumUp { .. } => 'u',
        Reason::MinimumDown { .. } => 'd',
        Reason::Limited { .. } => 'l',
        Reason::Maintenance { .. } => 'M',
        Reason::OutOfReach => 'r',
        Reason::Tripped { .. } => 'T',
        Reason::Instructed { .. } => 'I',
        Reason::LinkLost { .. } => 'S',
        Reason::PriceStale | Reason::PriceUnknown | Reason::HashpriceUnknown => '?',
        Reason::BatteryRests | Reason::KeptStored { .. } => 'b',
        Reason::Charging | Reason::Stored { .. } => '+',
        Reason::Discharging | Reason::GivenBack { .. } => '-',
    }
}
