//! The columns of a run's detail: name with unit, meaning, and where each value comes from.

use engine::site::{Load, LoadIx, LoadKind};
use engine::state::PriceUsed;
use engine::{Dispatch, Entry, Freshness, Limit, Reason, Setpoint, Source};
use settle::tariff::PowerBill;
use units::{EnergyPrice, Hashprice, Money, Power, Timestamp};

use super::table::{Column, Subject, Values};
use crate::hindsight::{Bounding, Shadow};
use crate::ledger::{self, Row, Use};

/// One row an interval.
pub(super) struct Intervals;

/// One row an interval and load.
pub(super) struct Loads;

/// One row an interval and limit that was worth something in hindsight.
pub(super) struct InHindsight;

impl Subject for InHindsight {
    type Row<'a> = Shadow;
}

/// The columns of `hindsight.parquet`.
pub(super) const HINDSIGHT: &[Column<InHindsight>] = &[
    Column {
        name: "interval_start",
        meaning: "When the settlement interval begins.",
        values: Values::Instant(|r| r.during.start),
    },
    Column {
        name: "interval_end",
        meaning: "When it ends; the interval does not hold this instant.",
        values: Values::Instant(|r| r.during.end),
    },
    Column {
        name: "limit",
        meaning: "`import`, `export` or `feeder` (a MW more for an hour), `store_room` (a MWh more of a battery), `ramp_up` or `ramp_down` (a MW more an interval).",
        values: Values::Word(|r| r.limit.key()),
    },
    Column {
        name: "feeder",
        meaning: "Which feeder, where it is one. Null otherwise.",
        values: Values::MaybeFeederName(|r| match r.limit {
            Bounding::Feeder(feeder) => Some(feeder),
            Bounding::Import
            | Bounding::Export
            | Bounding::StoreRoom(_)
            | Bounding::RampUp(_)
            | Bounding::RampDown(_) => None,
        }),
    },
    Column {
        name: "load",
        meaning: "Whose store or ramp, where it is a load's. Null otherwise, and for the site's own ramp.",
        values: Values::MaybeLoadName(|r| match r.limit {
            Bounding::StoreRoom(load) => Some(load),
            Bounding::RampUp(load) | Bounding::RampDown(load) => load,
            Bounding::Import | Bounding::Export | Bounding::Feeder(_) => None,
        }),
    },
    Column {
        name: "worth_micro_usd",
        meaning: "What one more of it would have added to the optimum in hindsight, which no site could have earned.",
        values: Values::Whole(|r| r.price.as_micro_usd_per_mwh()),
    },
];

/// What a row about an interval is made from.
pub(super) struct IntervalRow<'a> {
    pub(super) dispatch: &'a Dispatch,
    pub(super) row: &'a Row,
    pub(super) always_on: Option<&'a Row>,
    /// What mining is paid at on the day the interval starts in.
    pub(super) paid: Option<Hashprice>,
}

/// What a row about a load in an interval is made from.
pub(super) struct LoadRow<'a> {
    pub(super) start: Timestamp,
    pub(super) load: LoadIx,
    pub(super) shape: &'a Load,
    pub(super) entry: &'a Entry,
    pub(super) part: &'a ledger::LoadRow,
}

impl Subject for Intervals {
    type Row<'a> = IntervalRow<'a>;
}

impl Subject for Loads {
    type Row<'a> = LoadRow<'a>;
}

impl IntervalRow<'_> {
    /// An amount of the row, where its money could be computed.
    fn computed(&self, money: Money) -> Option<i64> {
        self.row.computed.then_some(money.as_micro_usd())
    }

    fn bill(&self, part: fn(PowerBill) -> Money) -> Option<i64> {
        self.row.bill.map(|bill| part(bill).as_micro_usd())
    }

    fn other(&self, part: fn(&Row) -> Option<Money>) -> Option<i64> {
        self.always_on.and_then(part).map(Money::as_micro_usd)
    }

    fn decided<T>(&self, part: fn(PriceUsed) -> T) -> Option<T> {
        self.dispatch.price.map(part)
    }
}

/// The columns of `intervals.parquet`.
pub(super) const INTERVALS: &[Column<Intervals>] = &[
    Column {
        name: "interval_start",
        meaning: "When the interval begins.",
        values: Values::Instant(|r| r.dispatch.interval.start),
    },
    Column {
        name: "interval_end",
        meaning: "When it ends; the interval does not hold this instant.",
        values: Values::Instant(|r| r.dispatch.interval.end),
    },
    Column {
        name: "generation",
        meaning: "The decision's number; it rises with each decision.",
        values: Values::Whole(|r| r.dispatch.generation as i64),
    },
    Column {
        name: "decided_price_micro_usd_per_mwh",
        meaning: "The price it was decided on. Null when none was ever heard.",
        values: Values::MaybeWhole(|r| {
            r.decided(|used| used.known.value.as_micro_usd_per_mwh())
        }),
    },
    Column {
        name: "decided_price_source",
        meaning: "Where that price comes from: `lmp`, `settlement_point` or `day_ahead`.",
        values: Values::MaybeWord(|r| r.decided(|used| source(used.known.source))),
    },
    Column {
        name: "decided_price_start",
        meaning: "The start of the interval that price is about.",
        values: Values::MaybeInstant(|r| r.decided(|used| used.known.during.start)),
    },
    Column {
        name: "decided_price_end",
        meaning: "The end of the interval that price is about.",
        values: Values::MaybeInstant(|r| r.decided(|used| used.known.during.end)),
    },
    Column {
        name: "decided_price_known_at",
        meaning: "When that price could first be known.",
        values: Values::MaybeInstant(|r| r.decided(|used| used.known.known_at)),
    },
    Column {
        name: "decided_price_freshness",
        meaning: "How far it could be trusted: `fresh`, `stale` or `expired`.",
        values: Values::MaybeWord(|r| r.decided(|used| freshness(used.freshness))),
    },
    Column {
        name: "decided_adders_micro_usd_per_mwh",
        meaning: "The tariff's adders that the decision counted on.",
        values: Values::Whole(|r| r.dispatch.adders.as_micro_usd_per_mwh()),
    },
    Column {
        name: "peak_adder_micro_usd_per_mwh",
        meaning: "What a coincident peak was expected to add to a MWh. Null where a rule applies and nothing forecasts its peak.",
        values: Values::MaybeWhole(|r| r.dispatch.peak_adder.map(price)),
    },
    Column {
        name: "decided_hashprice_micro_usd_per_ph_day",
        meaning: "The hashprice the decision counted on.",
        values: Values::MaybeWhole(|r| {
            let known = r.dispatch.hashprice?;
            Some(known.value.as_micro_usd_per_ph_day())
        }),
    },
    Column {
        name: "decided_hashprice_start",
        meaning: "The start of the day that hashprice is about.",
        values: Values::MaybeInstant(|r| Some(r.dispatch.hashprice?.during.start)),
    },
    Column {
        name: "outside_millidegrees_c",
        meaning: "The outside temperature that cooling was taken at. Null where it was not known, and the stated overhead held.",
        values: Values::MaybeWhole(|r| Some(r.dispatch.outside?.as_millidegrees())),
    },
    Column {
        name: "import_limit_w",
        meaning: "The tightest limit on what the site may draw.",
        values: Values::Whole(|r| r.dispatch.import_limit.as_watts()),
    },
    Column {
        name: "settlement_price_micro_usd_per_mwh",
        meaning: "The price the interval is settled at. Null where the history has none.",
        values: Values::MaybeWhole(|r| Some(price(r.row.settlement?.price))),
    },
    Column {
        name: "settlement_start",
        meaning: "The start of the settlement interval that price is about.",
        values: Values::MaybeInstant(|r| Some(r.row.settlement?.during.start)),
    },
    Column {
        name: "settlement_end",
        meaning: "The end of the settlement interval that price is about.",
        values: Values::MaybeInstant(|r| Some(r.row.settlement?.during.end)),
    },
    Column {
        name: "settlement_basis",
        meaning: "How that price came about: `published`, `mean_of_lmps` (derived: time-weighted) or `coarser_mean` (published for a longer interval around it).",
        values: Values::MaybeWord(|r| Some(r.row.settlement?.basis.name())),
    },
    Column {
        name: "hashprice_micro_usd_per_ph_day",
        meaning: "What mining is paid at on the UTC day the interval starts in, before the pool's fee. Null where the history has none.",
        values: Values::MaybeWhole(|r| Some(r.paid?.as_micro_usd_per_ph_day())),
    },
    Column {
        name: "site_energy_j",
        meaning: "Net energy at the interconnection; positive is drawn from the grid.",
        values: Values::Whole(|r| r.row.site.as_joules()),
    },
    Column {
        name: "contracted_energy_j",
        meaning: "Energy of GPU capacity under contract, at the meter, with its share of cooling.",
        values: Values::Whole(|r| energy(r, Use::Contracted)),
    },
    Column {
        name: "uncommitted_energy_j",
        meaning: "Energy of GPU capacity sold by the hour, likewise.",
        values: Values::Whole(|r| energy(r, Use::Uncommitted)),
    },
    Column {
        name: "mining_energy_j",
        meaning: "Energy of mining, likewise.",
        values: Values::Whole(|r| energy(r, Use::Mining)),
    },
    Column {
        name: "battery_energy_j",
        meaning: "Energy a battery took; negative is given back.",
        values: Values::Whole(|r| energy(r, Use::Battery)),
    },
    Column {
        name: "energy_cost_micro_usd",
        meaning: "Net energy at the settlement price. Negative is a cost, positive is income. Null without a settlement price.",
        values: Values::MaybeWhole(|r| r.bill(|bill| bill.energy)),
    },
    Column {
        name: "adders_micro_usd",
        meaning: "Adders on imported energy, negative. Null without a settlement price.",
        values: Values::MaybeWhole(|r| r.bill(|bill| bill.adders)),
    },
    Column {
        name: "blocks_micro_usd",
        meaning: "Fixed-price blocks against the settlement price. Null without a settlement price.",
        values: Values::MaybeWhole(|r| r.bill(|bill| bill.blocks)),
    },
    Column {
        name: "mining_revenue_micro_usd",
        meaning: "What mining earned after the pool's fee. Null where the interval lacks a price, or the run has no bitcoin days.",
        values: Values::MaybeWhole(|r| r.row.mining.map(Money::as_micro_usd)),
    },
    Column {
        name: "contracted_revenue_micro_usd",
        meaning: "What GPU capacity under contract earned. Null where the interval lacks a price.",
        values: Values::MaybeWhole(|r| r.computed(r.row.contracted)),
    },
    Column {
        name: "uncommitted_revenue_micro_usd",
        meaning: "What GPU capacity sold by the hour earned. Null where the interval lacks a price.",
        values: Values::MaybeWhole(|r| r.computed(r.row.uncommitted)),
    },
    Column {
        name: "wear_micro_usd",
        meaning: "Wear of starts, negative. Null where the interval lacks a price.",
        values: Values::MaybeWhole(|r| r.computed(r.row.wear)),
    },
    Column {
        name: "margin_micro_usd",
        meaning: "Revenue less power and wear. Null where a part of it is.",
        values: Values::MaybeWhole(|r| r.row.margin().map(Money::as_micro_usd)),
    },
    Column {
        name: "always_on_site_energy_j",
        meaning: "Net energy of the same site always on. Null where that was not compared.",
        values: Values::MaybeWhole(|r| Some(r.always_on?.site.as_joules())),
    },
    Column {
        name: "always_on_power_cost_micro_usd",
        meaning: "Energy, adders and blocks of the same site always on. Null where they were not compared or not computed.",
        values: Values::MaybeWhole(|r| r.other(|row| Some(row.bill?.total()))),
    },
    Column {
        name: "always_on_revenue_micro_usd",
        meaning: "What the same site always on earned. Null likewise.",
        values: Values::MaybeWhole(|r| r.other(Row::revenue)),
    },
    Column {
        name: "always_on_wear_micro_usd",
        meaning: "Wear of starts of the same site always on, negative. Null likewise.",
        values: Values::MaybeWhole(|r| r.other(|row| row.computed.then_some(row.wear))),
    },
    Column {
        name: "always_on_margin_micro_usd",
        meaning: "Margin of the same site always on. Null likewise.",
        values: Values::MaybeWhole(|r| r.other(Row::margin)),
    },
];

/// The columns of `loads.parquet`.
pub(super) const LOADS: &[Column<Loads>] = &[
    Column {
        name: "interval_start",
        meaning: "When the interval begins; joins with `intervals.parquet`.",
        values: Values::Instant(|r| r.start),
    },
    Column {
        name: "load",
        meaning: "The load, as the site file names it.",
        values: Values::LoadName(|r| r.load),
    },
    Column {
        name: "used_for",
        meaning: "What its power is used for: `contracted`, `uncommitted`, `mining` or `battery`.",
        values: Values::Word(|r| Use::of(&r.shape.kind).key()),
    },
    Column {
        name: "from_w",
        meaning: "What it was asked to draw before, at the meter.",
        values: Values::Whole(|r| r.entry.from.as_watts()),
    },
    Column {
        name: "setpoint_w",
        meaning: "What it is asked to draw now, at the meter.",
        values: Values::Whole(|r| r.entry.to.as_watts()),
    },
    Column {
        name: "level",
        meaning: "How many steps of its curve a group of machines has taken; null for a battery.",
        values: Values::MaybeWhole(|r| match r.entry.setpoint {
            Setpoint::Level(level) => Some(i64::from(level)),
            Setpoint::Power(_) => None,
        }),
    },
    Column {
        name: "worth_micro_usd_per_mwh",
        meaning: "What its marginal MWh at the meter is worth. Null where nobody knows.",
        values: Values::MaybeWhole(|r| r.entry.worth.map(price)),
    },
    Column {
        name: "reason",
        meaning: "Why it is asked that, in one word.",
        values: Values::Word(|r| r.entry.reason.name()),
    },
    Column {
        name: "reason_until",
        meaning: "Until when the reason holds: the end of a lock-out, a hold or a minimum time.",
        values: Values::MaybeInstant(|r| Figures::of(&r.entry.reason).until),
    },
    Column {
        name: "reason_at_w",
        meaning: "The level at the meter that a load is held at by hand.",
        values: Values::MaybeWhole(|r| {
            Figures::of(&r.entry.reason).at.map(Power::as_watts)
        }),
    },
    Column {
        name: "reason_band_micro_usd_per_mwh",
        meaning: "How far worth and cost must part before the load changes over.",
        values: Values::MaybeWhole(|r| Figures::of(&r.entry.reason).band.map(price)),
    },
    Column {
        name: "reason_stored_micro_usd_per_mwh",
        meaning: "What a MWh stored in the battery is worth by the plan. Null where there was none.",
        values: Values::MaybeWhole(|r| Figures::of(&r.entry.reason).stored.map(price)),
    },
    Column {
        name: "reason_limit",
        meaning: "The limit that left no room: `import`, `export` or `feeder NAME`.",
        values: Values::LimitName(|r| Figures::of(&r.entry.reason).limit),
    },
    Column {
        name: "energy_j",
        meaning: "Energy at the meter, with its share of cooling; negative is given back.",
        values: Values::Whole(|r| r.part.energy.as_joules()),
    },
    Column {
        name: "hashes_gh",
        meaning: "Hashes the pool counted. Null for a load that does not mine.",
        values: Values::MaybeWhole(|r| match r.shape.kind {
            LoadKind::Rigs(_) => {
                let gigahashes = r.part.hashes.as_gigahashes();
                Some(i64::try_from(gigahashes).expect("an interval's hashes fit"))
            }
            LoadKind::Racks(_) | LoadKind::Battery(_) => None,
        }),
    },
    Column {
        name: "gpu_seconds",
        meaning: "GPU time delivered. Null for a load without GPUs.",
        values: Values::MaybeWhole(|r| match r.shape.kind {
            LoadKind::Racks(_) => Some(r.part.gpu.as_seconds()),
            LoadKind::Rigs(_) | LoadKind::Battery(_) => None,
        }),
    },
    Column {
        name: "gpu_hour_price_micro_usd",
        meaning: "What a GPU-hour earns: what was offered, where it is not under contract and \
                  an offer stood, and otherwise the price of the site file. Null for a load \
                  without GPUs.",
        values: Values::MaybeWhole(|r| match r.shape.kind {
            LoadKind::Racks(_) => Some(r.part.gpu_hour.as_micro_usd()),
            LoadKind::Rigs(_) | LoadKind::Battery(_) => None,
        }),
    },
    Column {
        name: "stored_j",
        meaning: "What a battery holds at the end of the interval. Null for any other load.",
        values: Values::MaybeWhole(|r| match r.shape.kind {
            LoadKind::Battery(_) => Some(r.part.stored.as_joules()),
            LoadKind::Rigs(_) | LoadKind::Racks(_) => None,
        }),
    },
    Column {
        name: "revenue_micro_usd",
        meaning: "What its work earned. Null where the interval lacks a price, or the run has no bitcoin days.",
        values: Values::MaybeWhole(|r| r.part.revenue.map(Money::as_micro_usd)),
    },
    Column {
        name: "starts",
        meaning: "Machines started in the interval.",
        values: Values::Whole(|r| r.part.starts as i64),
    },
];

/// The figures of a reason, where it has them.
#[derive(Default)]
struct Figures {
    until: Option<Timestamp>,
    at: Option<Power>,
    band: Option<EnergyPrice>,
    limit: Option<Limit>,
    stored: Option<EnergyPrice>,
}

impl Figures {
    fn of(reason: &Reason) -> Self {
        let none = Self::default();
        match *reason {
            Reason::Held { at, until } => {
                Self { at: Some(at), until: Some(until), ..none }
            }
            Reason::LockedOut { until } => Self { until, ..none },
            Reason::Maintenance { until }
            | Reason::MinimumUp { until }
            | Reason::MinimumDown { until } => Self { until: Some(until), ..none },
            Reason::KeptOn { band }
            | Reason::NotWorthIt { band }
            | Reason::KeptOff { band } => Self { band: Some(band), ..none },
            Reason::FirmShed { limit } | Reason::Limited { limit } => {
                Self { limit: Some(limit), ..none }
            }
            Reason::Instructed { level, .. } => Self { at: Some(level), ..none },
            Reason::Contracted
            | Reason::WorthIt
            | Reason::OutOfReach
            | Reason::Tripped { .. }
            | Reason::LinkLost { .. }
            | Reason::PriceStale
            | Reason::PriceUnknown
            | Reason::HashpriceUnknown
            | Reason::AlwaysOn
            | Reason::Charging
            | Reason::Discharging
            | Reason::BatteryRests => none,
            Reason::Stored { stored }
            | Reason::GivenBack { stored }
            | Reason::KeptStored { stored } => Self { stored: Some(stored), ..none },
        }
    }
}

fn price(price: EnergyPrice) -> i64 {
    price.as_micro_usd_per_mwh()
}

fn energy(row: &IntervalRow<'_>, used_for: Use) -> i64 {
    row.row.by_use[used_for as usize].as_joules()
}

/// The word for where a price comes from.
pub(in crate::report) fn source(source: Source) -> &'static str {
    match source {
        Source::Lmp => "lmp",
        Source::SettlementPoint => "settlement_point",
        Source::DayAhead => "day_ahead",
        Source::Bitcoin => "bitcoin",
        Source::Weather => "weather",
        Source::SystemForecast => "system_forecast",
        Source::Grid => "grid",
        Source::Meter => "meter",
        Source::Looks => "looks",
        Source::SpotMarket => "spot_market",
        Source::EarlierDay => "earlier_day",
        Source::Quantile => "quantile",
        Source::Forecaster => "forecaster",
        Source::Foresight => "foresight",
    }
}

/// The word for how far a price can be trusted.
fn freshness(freshness: Freshness) -> &'static str {
    match freshness {
        Freshness::Fresh => "fresh",
        Freshness::Stale => "stale",
        Freshness::Expired => "expired",
    }
}
