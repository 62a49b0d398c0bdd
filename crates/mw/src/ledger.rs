//! What each interval came to: energy by use, and money at the settlement price.
//!
//! The ledger prices what was metered, whoever decided it, so the same lines
//! serve the policy and the comparison with a site that is always on. Each
//! amount is rounded once, to the millionth of a dollar, and totals are sums of
//! those.
//!
//! An interval that lacks a price has no money at all, on neither side of a
//! comparison: earnings without their cost would be no margin. Where a run has
//! no bitcoin day whatever, mining pay alone is missing.

use engine::site::{LoadKind, Racks, Terms};
use engine::{MeteredInterval, Site, Work};
use settle::mining;
use settle::tariff::PowerBill;
use units::{
    Energy, GpuHourPrice, GpuSeconds, Hashes, Hashprice, Interval, Money, Seconds,
};

use crate::feed::{Cursor, Feed, Settlement};

/// What a load's power is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Use {
    /// GPU capacity under contract.
    Contracted,
    /// GPU capacity sold by the hour.
    Uncommitted,
    /// Mining.
    Mining,
    /// Charging a battery, or giving back.
    Battery,
}

impl Use {
    /// Every use, in the order reports show them.
    pub const ALL: [Self; 4] =
        [Self::Contracted, Self::Uncommitted, Self::Mining, Self::Battery];

    /// What a load is used for.
    pub fn of(kind: &LoadKind) -> Self {
        match kind {
            LoadKind::Rigs(_) => Self::Mining,
            LoadKind::Racks(racks) => match racks.terms {
                Terms::Contracted { .. } => Self::Contracted,
                Terms::Uncommitted { .. } => Self::Uncommitted,
            },
            LoadKind::Battery(_) => Self::Battery,
        }
    }

    /// The word a person reads.
    pub fn name(self) -> &'static str {
        match self {
            Self::Contracted => "contracted GPU",
            Self::Uncommitted => "uncommitted GPU",
            Self::Mining => "mining",
            Self::Battery => "battery",
        }
    }

    /// The word a column or key shows.
    pub fn key(self) -> &'static str {
        match self {
            Self::Contracted => "contracted",
            Self::Uncommitted => "uncommitted",
            Self::Mining => "mining",
            Self::Battery => "battery",
        }
    }
}

/// One interval of the ledger. Costs are negative.
#[derive(Clone, Debug, Default)]
pub struct Row {
    /// The interval; `None` only before the first row.
    pub during: Option<Interval>,
    /// The price it settles at.
    pub settlement: Option<Settlement>,
    /// What was offered for a GPU-hour of racks that are not under contract.
    pub spot: Option<GpuHourPrice>,
    /// Net energy at the interconnection.
    pub site: Energy,
    /// Energy at the meter by use, in the order of [`Use::ALL`].
    pub by_use: [Energy; 4],
    /// Whether its money could be computed; without that every amount is none.
    pub computed: bool,
    /// What the power cost.
    pub bill: Option<PowerBill>,
    /// What mining earned; `None` also where the run has no bitcoin days.
    pub mining: Option<Money>,
    /// What GPU capacity under contract earned.
    pub contracted: Money,
    /// What GPU capacity sold by the hour earned.
    pub uncommitted: Money,
    /// Wear of starts.
    pub wear: Money,
    /// Every load's part, in the site's order.
    pub loads: Vec<LoadRow>,
}

/// One load's part of an interval.
#[derive(Clone, Copy, Debug, Default)]
pub struct LoadRow {
    /// Energy at the meter.
    pub energy: Energy,
    /// Hashes the pool counted.
    pub hashes: Hashes,
    /// GPU time delivered.
    pub gpu: GpuSeconds,
    /// What an hour of it earned.
    pub gpu_hour: GpuHourPrice,
    /// What the battery held at the end.
    pub stored: Energy,
    /// What its work earned; `None` where it cannot be computed.
    pub revenue: Option<Money>,
    /// Machines started.
    pub starts: u64,
}

impl Row {
    /// Everything earned; `None` where a part of it is.
    pub fn revenue(&self) -> Option<Money> {
        Some(self.mining.filter(|_| self.computed)? + self.contracted + self.uncommitted)
    }

    /// Revenue less power and wear; `None` where a part of it is.
    pub fn margin(&self) -> Option<Money> {
        Some(self.revenue()? + self.bill?.total() + self.wear)
    }

    /// Energy of loads that can be shed: mining and uncommitted capacity.
    pub fn sheddable(&self) -> Energy {
        self.by_use[Use::Uncommitted as usize] + self.by_use[Use::Mining as usize]
    }
}

/// Prices metered intervals in order.
pub struct Ledger<'a> {
    site: &'a Site,
    feed: &'a Feed,
    /// Whether the run has any bitcoin day to pay mining by.
    pays_mining: bool,
    settlements: Cursor,
    day: Option<(Interval, Option<Hashprice>)>,
    starts: Vec<u64>,
    row: Row,
}

/// What a GPU-hour of racks earns: what was offered, where they are not under contract
/// and an offer stood.
fn gpu_hour(racks: &Racks, spot: Option<GpuHourPrice>) -> GpuHourPrice {
    match racks.terms {
        Terms::Contracted { price, .. } => price,
        Terms::Uncommitted { price, .. } => spot.unwrap_or(price),
    }
}

const DAY: Seconds = Seconds::hours(24);

impl<'a> Ledger<'a> {
    /// A ledger for a run of a site over `range`, settled at the prices of a feed.
    pub fn new(site: &'a Site, feed: &'a Feed, range: Interval) -> Self {
        Self {
            site,
            feed,
            pays_mining: feed.pays_mining(range),
            settlements: Cursor::default(),
            day: None,
            starts: vec![0; site.loads.len()],
            row: Row {
                loads: vec![LoadRow::default(); site.loads.len()],
                ..Row::default()
            },
        }
    }

    /// Prices one metered interval; racks not under contract earned `spot` where an
    /// offer stood. `starts` says how many machines of each load were started since the
    /// beginning.
    pub fn price(
        &mut self,
        metered: &MeteredInterval,
        spot: Option<GpuHourPrice>,
        starts: impl Fn(usize) -> u64,
    ) -> &Row {
        let during = metered.during;
        let hashprice = self.hashprice(during);
        let settlement = self.settlements.settlement(self.feed, during);
        let paid = hashprice.is_some() || !self.pays_mining || !self.site.mines();
        let row = &mut self.row;
        row.during = Some(during);
        row.settlement = settlement;
        row.computed = settlement.is_some() && paid;
        row.site = metered.site;
        row.spot = spot;
        row.bill = settlement
            .filter(|_| row.computed)
            .map(|s| self.site.tariff.bill(during, metered.site, s.price));
        row.by_use = [Energy::ZERO; 4];
        row.mining = (row.computed && self.pays_mining).then_some(Money::ZERO);
        if !self.site.mines() {
            row.mining = row.computed.then_some(Money::ZERO);
        }
        (row.contracted, row.uncommitted, row.wear) =
            (Money::ZERO, Money::ZERO, Money::ZERO);

        for (load, metered) in metered.loads.iter().enumerate() {
            let shape = &self.site.loads[load];
            let started = starts(load) - self.starts[load];
            self.starts[load] += started;
            let mut part =
                LoadRow { energy: metered.energy, starts: started, ..LoadRow::default() };
            match (&shape.kind, metered.work) {
                (LoadKind::Rigs(rigs), Work::Hashes(hashes)) => {
                    part.hashes = hashes;
                    part.revenue = hashprice
                        .map(|price| mining::pay(hashes, price, self.site.pool_fee));
                    row.mining =
                        row.mining.zip(part.revenue).map(|(sum, paid)| sum + paid);
                    if started > 0 {
                        row.wear -= rigs.restart_cost.times(started as i64);
                    }
                }
                (LoadKind::Racks(racks), Work::Gpu(time)) => {
                    part.gpu = time;
                    let sum = match &racks.terms {
                        Terms::Contracted { .. } => &mut row.contracted,
                        Terms::Uncommitted { .. } => &mut row.uncommitted,
                    };
                    part.gpu_hour = gpu_hour(racks, spot);
                    let earned = part.gpu_hour.of(time);
                    *sum += earned;
                    part.revenue = Some(earned);
                }
                (LoadKind::Battery(_), Work::Stored(stored)) => {
                    part.stored = stored;
                    part.revenue = Some(Money::ZERO);
                }
                (LoadKind::Rigs(_) | LoadKind::Racks(_) | LoadKind::Battery(_), _) => {
                    panic!("a meter reports the work of its own load")
                }
            }
            part.revenue = part.revenue.filter(|_| row.computed);
            row.by_use[Use::of(&shape.kind) as usize] += metered.energy;
            row.loads[load] = part;
        }
        if !row.computed {
            (row.contracted, row.uncommitted, row.wear) =
                (Money::ZERO, Money::ZERO, Money::ZERO);
        }
        row
    }

    /// What mining earned on the day an interval starts in.
    fn hashprice(&mut self, during: Interval) -> Option<Hashprice> {
        match self.day {
            Some((day, known)) if day.contains(during.start) => known,
            _ => {
                let day = Interval::starting(during.start.floor(DAY), DAY);
                let known = self.feed.hashprices.get(&day.start).copied();
                self.day = Some((day, known));
                known
            }
        }
    }
}
