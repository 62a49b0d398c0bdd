//! The bystander's books: what was asked, said and ordered, and where every
//! load truly stands.

use engine::site::{FeederIx, LoadIx, Site};
use engine::state::Cap;
use engine::{Ask, Dispatch, Instruction, Order, Setpoint, Signal};
use units::{Interval, Power, Seconds, Temperature, Timestamp};

use super::by_hand::ByHand;
use super::live::counts_from;
use crate::world::{World, at_rest, change_of_count};

/// What a bystander knows of a run.
#[derive(Clone, Debug)]
pub(crate) struct Books {
    pub(crate) site: Site,
    pub(crate) limits: Vec<Cap>,
    pub(crate) by_hand: ByHand,
    /// The interval of the last tick.
    pub(crate) interval: Option<Interval>,
    /// The last decision.
    pub(crate) dispatch: Option<Dispatch>,
    /// The weather.
    pub(crate) outside: Option<Temperature>,
    pub(crate) loads: Vec<Account>,
    serial: u64,
}

/// What a bystander knows of one load.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    /// What it truly draws.
    pub(crate) power: Power,
    /// Where it truly stands.
    pub(crate) setpoint: Setpoint,
    /// Where the engine last saw it.
    pub(crate) seen: Setpoint,
    /// Orders that no look has answered, oldest first.
    pub(crate) unanswered: Vec<(u64, Setpoint)>,
    /// The last order, or what was seen since.
    pub(crate) ordered: Setpoint,
    /// When it was last ordered up.
    pub(crate) raised_at: Option<Timestamp>,
    /// When it was last ordered down.
    pub(crate) lowered_at: Option<Timestamp>,
    /// When an order to it, or a receipt from it, last went astray.
    pub(crate) troubled_at: Option<Timestamp>,
    serial: u64,
}

/// A look at a load that a receipt tells of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look {
    pub(crate) load: LoadIx,
    /// What it was seen at.
    pub(crate) seen: Setpoint,
    /// The last order to the load before the look.
    pub(crate) after: u64,
}

/// A limit of the site or of a feeder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fence {
    Import,
    Feeder(FeederIx),
}

impl Books {
    pub(crate) fn of(world: &World) -> Self {
        let site = world.site.clone();
        let account = |load: LoadIx| {
            let setpoint = at_rest(&site, load);
            Account {
                power: site.power_at(load, setpoint, None),
                setpoint,
                seen: setpoint,
                unanswered: Vec::new(),
                ordered: setpoint,
                raised_at: None,
                lowered_at: None,
                troubled_at: None,
                serial: 0,
            }
        };
        Self {
            limits: Vec::new(),
            by_hand: ByHand::of(&site),
            interval: None,
            dispatch: None,
            outside: None,
            loads: (0..site.loads.len()).map(account).collect(),
            site,
            serial: 0,
        }
    }

    /// Whether it asks for many times what the site may draw.
    pub(crate) fn cannot_be(&self, signal: &Signal) -> bool {
        let most = self.site.interconnection.import_limit.times(10);
        matches!(
            signal,
            Signal::Instruction(Instruction { ask: Ask::Limit(level), .. }) if *level > most
        )
    }

    pub(crate) fn hear(&mut self, signal: &Signal) {
        if let Signal::Instruction(Instruction {
            ask: Ask::Limit(level), during, ..
        }) = signal
        {
            let cap = Cap { during: *during, level: *level, best_effort: false };
            self.limits.push(cap);
        }
    }

    /// Takes in what loads were seen at.
    pub(crate) fn answer(&mut self, looks: &[Look]) {
        for look in looks {
            let account = &mut self.loads[look.load];
            if look.after < account.serial {
                continue;
            }
            account.unanswered.clear();
            let seen = change_of_count(&self.site, look.load, look.seen);
            account.seen = seen;
            account.ordered = seen;
        }
    }

    /// The site file was read anew: entries of the old file end, those made by
    /// hand stay, groups keep what they have of their machines.
    pub(crate) fn change(&mut self, site: &Site) {
        self.by_hand.change(&self.site, site);
        self.site = site.clone();
        for load in 0..self.loads.len() {
            let fit = |setpoint| change_of_count(&self.site, load, setpoint);
            let account = &mut self.loads[load];
            account.setpoint = fit(account.setpoint);
            account.seen = fit(account.seen);
            account.ordered = fit(account.ordered);
            for (_, order) in &mut account.unanswered {
                *order = fit(*order);
            }
            let power = self.site.power_at(load, account.setpoint, self.outside);
            self.loads[load].power = power;
        }
    }

    /// An order goes out; nobody knows yet whether it arrives.
    pub(crate) fn order(&mut self, at: Timestamp, order: &Order) {
        self.serial += 1;
        let from = self.power_of(order.load, self.loads[order.load].ordered);
        let to = self.power_of(order.load, order.setpoint);
        let account = &mut self.loads[order.load];
        if to > from {
            account.raised_at = Some(at);
        }
        if to < from {
            account.lowered_at = Some(at);
        }
        account.serial = self.serial;
        account.unanswered.push((self.serial, order.setpoint));
        account.ordered = order.setpoint;
    }

    /// S3: an order whose outcome is unknown is read back, never repeated.
    pub(crate) fn no_repeat(&self, order: &Order, broken: &mut Vec<String>) {
        let account = &self.loads[order.load];
        let last = account.unanswered.last().map(|(_, setpoint)| *setpoint);
        if last == Some(order.setpoint) {
            broken.push(format!(
                "S3: expected {} to be read back, found its order repeated",
                self.site.loads[order.load].name
            ));
        }
    }

    /// The last order to a load.
    pub(crate) fn serial(&self, load: LoadIx) -> u64 {
        self.loads[load].serial
    }

    /// What a load draws at a setpoint in the weather of now.
    pub(crate) fn power_of(&self, load: LoadIx, setpoint: Setpoint) -> Power {
        self.site.power_at(load, setpoint, self.outside)
    }

    /// What a load draws at rest in the weather of now.
    pub(crate) fn floor(&self, load: LoadIx) -> Power {
        self.power_of(load, at_rest(&self.site, load))
    }

    /// The most a load draws, or will once an order not yet answered arrives.
    pub(crate) fn worst(&self, load: LoadIx) -> Power {
        let account = &self.loads[load];
        let orders = (account.unanswered.iter()).map(|(_, to)| self.power_of(load, *to));
        orders.fold(account.power, Power::max).max(Power::ZERO)
    }

    /// The most a load can be drawing as far as the engine can know.
    pub(crate) fn worst_believable(&self, load: LoadIx) -> Power {
        self.worst(load).max(self.power_of(load, self.loads[load].seen))
    }

    /// Every limit of the site.
    pub(crate) fn fences(&self) -> impl Iterator<Item = Fence> + use<> {
        let feeders = (0..self.site.feeders.len()).map(Fence::Feeder);
        std::iter::once(Fence::Import).chain(feeders)
    }

    /// Whether a load hangs under a limit.
    pub(crate) fn is_under(&self, load: LoadIx, fence: Fence) -> bool {
        match fence {
            Fence::Import => true,
            Fence::Feeder(feeder) => {
                self.site.path(self.site.loads[load].feeder).any(|above| above == feeder)
            }
        }
    }

    /// Every load under a limit.
    pub(crate) fn under(&self, fence: Fence) -> impl Iterator<Item = LoadIx> + '_ {
        (0..self.loads.len()).filter(move |load| self.is_under(*load, fence))
    }

    /// Every level that was asked for, from when a decision has to count it.
    pub(crate) fn limits_counted(&self) -> Vec<Cap> {
        let response = self.site.programmes.first().map_or(Seconds::ZERO, |p| p.response);
        let counted = |cap: &Cap| {
            let start = counts_from(&self.site, cap.during.start, cap.level, response);
            Cap { during: Interval { start, ..cap.during }, ..*cap }
        };
        self.limits.iter().map(counted).collect()
    }

    /// How much may flow through a limit at `at`.
    pub(crate) fn limit(&self, fence: Fence, at: Timestamp) -> Power {
        match fence {
            Fence::Feeder(feeder) => self.site.feeders[feeder].limit,
            Fence::Import => self
                .limits
                .iter()
                .filter(|limit| limit.during.contains(at))
                .map(|limit| limit.level)
                .fold(self.site.interconnection.import_limit, Power::min),
        }
    }

    /// Whether a person works on a load at `at`.
    pub(crate) fn is_locked_out(&self, load: LoadIx, at: Timestamp) -> bool {
        (self.by_hand.lock_outs.iter()).any(|l| l.load == load && l.is_on(at))
    }
}
