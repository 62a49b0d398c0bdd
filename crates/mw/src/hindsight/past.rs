//! What happened over a run, as far as its optimum in hindsight needs it: kept by
//! settlement interval while the run goes on.

use engine::decide::earned;
use engine::site::{LoadIx, LoadKind};
use engine::{Dispatch, Entry, Reason, Site};
use units::{Energy, EnergyPrice, Interval, Money, Power, Pue, Seconds, Timestamp};

use super::{Hindsight, horizon};
use crate::drive::backtest::Line;
use crate::feed::Feed;
use crate::ledger::Row;

/// What happened over a run.
pub struct Past<'a> {
    pub(super) site: &'a Site,
    feed: &'a Feed,
    pub(super) range: Interval,
    /// The length of a slot.
    pub(super) step: Seconds,
    pub(super) slots: Vec<Slot>,
    /// Each load in each slot: slot by slot.
    pub(super) parts: Vec<Part>,
    /// What each point of each load's curve earns a MWh at the meter: slot by slot,
    /// and within one the loads in the site's order.
    pub(super) earned: Vec<EnergyPrice>,
    /// How many points each load's curve has.
    pub(super) points: Vec<usize>,
    policy: Option<Money>,
    always_on: Option<Option<Money>>,
}

/// What was true in a slot.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Slot {
    /// How much of it was metered.
    pub(super) seconds: i64,
    /// What a MWh cost that was drawn, and brought that was sent back; nothing
    /// where money could not be computed.
    pub(super) cost: EnergyPrice,
    pub(super) export: EnergyPrice,
    /// What could be drawn, by the tightest limit in it.
    pub(super) limit: Option<Power>,
    /// What was, net.
    pub(super) drawn: Energy,
    /// What money does not decide in it: blocks, and what fixed loads earned.
    pub(super) given: Money,
}

/// What a load did in a slot.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Part {
    pub(super) drawn: Energy,
    /// What it could draw at the most and at rest, at the overhead of the time.
    pub(super) most: Energy,
    pub(super) rest: Energy,
    /// Whether something other than money decided it.
    pub(super) fixed: bool,
    revenue: Money,
}

impl<'a> Past<'a> {
    /// Nothing yet, of a run of `site` over `range`, settled by `feed`.
    pub fn new(site: &'a Site, feed: &'a Feed, range: Interval) -> Self {
        let steps = feed.settlement_steps.iter();
        let within = steps.filter(|(from, _)| *from < range.end).map(|(_, step)| *step);
        let step = within.min().unwrap_or(feed.settlement_step(range.start));
        let slots = (range.duration().as_seconds() / step.as_seconds().max(1)).max(1);
        let slots = slots as usize;
        let points: Vec<usize> = (site.loads.iter())
            .map(|load| load.machines().map_or(0, |machines| machines.points.len()))
            .collect();
        Self {
            site,
            feed,
            range,
            step,
            slots: vec![Slot::default(); slots],
            parts: vec![Part::default(); slots * site.loads.len()],
            earned: vec![EnergyPrice::ZERO; slots * points.iter().sum::<usize>()],
            points,
            policy: Some(Money::ZERO),
            always_on: None,
        }
    }

    /// Takes in one line.
    pub fn add(&mut self, line: &Line<'_>) {
        let Line { dispatch, row, always_on } = *line;
        if row.computed {
            let ours = worth_of(row, dispatch);
            self.policy = self.policy.zip(ours).map(|(sum, row)| sum + row);
        }
        if let Some(other) = always_on {
            let sum = self.always_on.unwrap_or(Some(Money::ZERO));
            self.always_on = Some(match other.computed {
                true => sum.zip(worth_of(other, dispatch)).map(|(sum, row)| sum + row),
                false => sum,
            });
        }
        // An interval longer than a slot is spread over those it covers.
        let during = dispatch.interval;
        let mut at = during.start;
        while at < during.end {
            let slot = self.slot_at(at);
            let end = (at.floor(self.step) + self.step).min(during.end);
            let part = Interval { start: at, end };
            if let Some(slot) = slot {
                self.add_part(slot, part, during, dispatch, row);
            }
            at = end;
        }
    }

    fn slot_at(&self, at: Timestamp) -> Option<usize> {
        let since = (at - self.range.start).as_seconds();
        let slot = usize::try_from(since / self.step.as_seconds()).ok()?;
        (slot < self.slots.len()).then_some(slot)
    }

    fn add_part(
        &mut self,
        place: usize,
        part: Interval,
        during: Interval,
        dispatch: &Dispatch,
        row: &Row,
    ) {
        let seconds = part.duration();
        let whole = during.duration().as_seconds();
        let share = |amount: i64| {
            (i128::from(amount) * i128::from(seconds.as_seconds()) / i128::from(whole))
                as i64
        };
        let energy = |energy: Energy| Energy::from_joules(share(energy.as_joules()));
        let money = |money: Money| Money::from_micro_usd(share(money.as_micro_usd()));
        let slot = &mut self.slots[place];
        slot.seconds += seconds.as_seconds();
        slot.drawn += energy(row.site);
        let limit = dispatch.import_limit - dispatch.unexplained;
        slot.limit = Some(slot.limit.map_or(limit, |tightest| tightest.min(limit)));
        if let (Some(settled), Some(bill)) = (row.settlement, row.bill) {
            let peak = dispatch.peak_adder.unwrap_or_default();
            let adders = self.site.tariff.adders_at(during.start);
            slot.cost = settled.price + adders + peak;
            slot.export = settled.price.min(slot.cost);
            slot.given += money(bill.blocks);
        }
        let day = during.start.floor(Seconds::hours(24));
        let hashprice = self.feed.hashprices.get(&day).copied();
        let mut first = place * self.points.iter().sum::<usize>();
        for (load, entry) in dispatch.entries.iter().enumerate() {
            let pue = self.site.pue_of(load, dispatch.outside);
            let kept = &mut self.parts[place * self.site.loads.len() + load];
            let of_load = &row.loads[load];
            kept.drawn += energy(of_load.energy);
            kept.fixed |= is_fixed(entry);
            kept.revenue += money(of_load.revenue.unwrap_or_default());
            if let Some(machines) = self.site.loads[load].machines() {
                kept.most += pue.at_meter(machines.ceiling()) * seconds;
                kept.rest += pue.at_meter(machines.floor()) * seconds;
            }
            if row.computed && self.points[load] > 0 {
                let earned = earned(self.site, load, hashprice, row.spot, pue);
                for (slot, price) in self.earned[first..].iter_mut().zip(earned) {
                    *slot = price;
                }
            }
            first += self.points[load];
        }
    }

    /// The run held against its optimum, with what its policy comes to with perfect
    /// forecasts.
    ///
    /// # Errors
    ///
    /// What is missing to compute it, as a sentence.
    pub fn judge(mut self, perfect: Option<Money>) -> Result<Hindsight, String> {
        let (Some(policy), Some(perfect)) = (self.policy, perfect) else {
            return Err("the history has no bitcoin days to pay mining by".to_owned());
        };
        let loads = self.site.loads.len();
        for (place, slot) in self.slots.iter_mut().enumerate() {
            let parts = &self.parts[place * loads..(place + 1) * loads];
            slot.given += parts.iter().filter(|part| part.fixed).map(|p| p.revenue).sum();
        }
        let optimum = horizon::optimum(&self)?;
        Ok(Hindsight {
            policy,
            always_on: self.always_on.flatten(),
            perfect,
            best: optimum.value,
            limits: optimum.limits,
            shadow: optimum.shadow,
        })
    }

    /// The highest overhead that each load had.
    pub(super) fn widest(&self, load: LoadIx) -> Pue {
        match self.site.loads[load].hall.map(|hall| &self.site.halls[hall].pue) {
            None => Pue::ONE,
            Some(engine::site::PueCurve::Constant(pue)) => *pue,
            Some(engine::site::PueCurve::ByTemperature { points, missing }) => {
                points.iter().map(|(_, pue)| *pue).fold(*missing, Pue::max)
            }
        }
    }

    /// Whether a load is a battery.
    pub(super) fn is_battery(&self, load: LoadIx) -> bool {
        matches!(self.site.loads[load].kind, LoadKind::Battery(_))
    }
}

/// What an interval came to, less what coincident peaks were expected to cost.
pub(super) fn worth_of(row: &Row, dispatch: &Dispatch) -> Option<Money> {
    let peak = dispatch.peak_adder.unwrap_or_default();
    Some(row.margin()? - peak.of(row.site.max(Energy::ZERO)))
}

/// Whether people, the grid or a contract decided what a load draws: money decides
/// nothing there, in hindsight neither.
fn is_fixed(entry: &Entry) -> bool {
    match entry.reason {
        Reason::LockedOut { .. }
        | Reason::Maintenance { .. }
        | Reason::Held { .. }
        | Reason::Contracted
        | Reason::FirmShed { .. }
        | Reason::OutOfReach
        | Reason::Tripped { .. }
        | Reason::Instructed { .. }
        | Reason::LinkLost { .. } => true,
        Reason::WorthIt
        | Reason::KeptOn { .. }
        | Reason::NotWorthIt { .. }
        | Reason::KeptOff { .. }
        | Reason::MinimumUp { .. }
        | Reason::MinimumDown { .. }
        | Reason::Limited { .. }
        | Reason::PriceStale
        | Reason::PriceUnknown
        | Reason::HashpriceUnknown
        | Reason::AlwaysOn
        | Reason::Charging
        | Reason::Discharging
        | Reason::BatteryRests
        | Reason::Stored { .. }
        | Reason::GivenBack { .. }
        | Reason::KeptStored { .. } => false,
    }
}
