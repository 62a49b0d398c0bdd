//! The keys a site file may have: one table that checks files and prints the reference.

mod devices;
mod openadr;

use Quantity as Q;
use devices::{BATTERY_DEVICE, METER, NETWORK, RACK_DEVICES, RIG_DEVICES};
use openadr::OPENADR;

use super::workload;

/// A table of a file and the keys it may have.
pub(super) struct Section {
    /// What it is for, as the reference page says it.
    pub(super) meaning: &'static str,
    /// The keys, in the order the reference page lists them.
    pub(super) keys: &'static [Key],
}

/// One key.
pub(super) struct Key {
    /// As written; the unit is part of it.
    pub(super) name: &'static str,
    /// What its value may be.
    pub(super) kind: Kind,
    /// What holds where it is not written.
    pub(super) need: Need,
    /// What it means.
    pub(super) meaning: &'static str,
}

/// What a value may be.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    /// Words.
    Text,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// True or false.
    Flag,
    /// An exact decimal number.
    Number(Quantity, Range),
    /// A date or an instant.
    Date,
    /// Months of the year, 1 to 12.
    Months,
    /// A list of names.
    Names,
    /// A table, `[name]` or `{ .. }`.
    Table(&'static Section),
    /// A list of tables, `[[name]]` or `[{ .. }, ..]`.
    Tables(&'static Section),
}

/// What a number counts. The unit is the end of the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Quantity {
    /// Things, or a version.
    Count,
    /// Power in MW.
    Megawatts,
    /// Power in kW.
    Kilowatts,
    /// Power in W.
    Watts,
    /// Energy in MWh.
    MegawattHours,
    /// A part of a whole.
    Percent,
    /// Facility power over IT power.
    Ratio,
    /// Air temperature.
    Celsius,
    /// A hash rate.
    TerahashPerSecond,
    /// A price of energy.
    UsdPerMwh,
    /// A price of GPU time.
    UsdPerGpuHour,
    /// A charge for power.
    UsdPerKwMonth,
    /// Money.
    Usd,
    /// Time in seconds.
    Seconds,
    /// Time in minutes.
    Minutes,
    /// Time in hours.
    Hours,
}

/// Which numbers make sense, beside the bound every quantity has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Range {
    /// Any sign.
    Any,
    /// Zero or more.
    NotNegative,
    /// More than zero.
    Positive,
}

/// What holds where a key is not written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    /// It must be written.
    Required,
    /// Nothing holds; the meaning says what that is.
    Optional,
    /// This value, as it would be written.
    Default(&'static str),
}

/// The ends of keys that name a unit, longest first.
pub(super) const UNIT_ENDINGS: &[&str] = &[
    "_usd_per_gpu_hour",
    "_usd_per_kw_month",
    "_mw_per_minute",
    "_usd_per_mwh",
    "_percent",
    "_seconds",
    "_minutes",
    "_hours",
    "_mwh",
    "_ths",
    "_usd",
    "_mw",
    "_kw",
    "_w",
    "_c",
];

impl Quantity {
    /// The unit, as a sentence about a number says it.
    pub(super) fn unit(self) -> &'static str {
        match self {
            Self::Count => "whole number",
            Self::Megawatts => "number of MW",
            Self::Kilowatts => "number of kW",
            Self::Watts => "whole number of W",
            Self::MegawattHours => "number of MWh",
            Self::Percent => "number of percent",
            Self::Ratio => "ratio",
            Self::Celsius => "number of degrees Celsius",
            Self::TerahashPerSecond => "number of TH/s",
            Self::UsdPerMwh => "number of USD/MWh",
            Self::UsdPerGpuHour => "number of USD per GPU-hour",
            Self::UsdPerKwMonth => "number of USD per kW and month",
            Self::Usd => "number of USD",
            Self::Seconds => "number of seconds",
            Self::Minutes => "number of minutes",
            Self::Hours => "number of hours",
        }
    }

    /// The digits kept after the point.
    pub(super) fn places(self) -> u32 {
        match self {
            Self::Count | Self::Watts | Self::Seconds => 0,
            Self::Kilowatts | Self::Celsius | Self::TerahashPerSecond => 3,
            Self::Percent => 4,
            Self::Megawatts
            | Self::MegawattHours
            | Self::Ratio
            | Self::UsdPerMwh
            | Self::UsdPerGpuHour
            | Self::UsdPerKwMonth
            | Self::Usd
            | Self::Minutes
            | Self::Hours => 6,
        }
    }

    /// The least and the most that is believed, in the written unit. Chosen so
    /// that no slip of the pen overflows a sum and no real site is refused.
    pub(super) fn bounds(self) -> (i64, i64) {
        match self {
            Self::Count => (0, 1_000_000),
            Self::Megawatts => (-100_000, 100_000),
            Self::Kilowatts => (0, 10_000),
            Self::Watts => (0, 10_000_000),
            Self::MegawattHours => (0, 1_000_000),
            Self::Percent => (0, 100),
            Self::Ratio => (1, 10),
            Self::Celsius => (-90, 70),
            Self::TerahashPerSecond => (0, 1_000_000),
            Self::UsdPerMwh => (-1_000_000, 1_000_000),
            Self::UsdPerGpuHour => (0, 100_000),
            Self::UsdPerKwMonth => (0, 100_000),
            Self::Usd => (0, 1_000_000_000),
            Self::Seconds => (0, 31_536_000),
            Self::Minutes => (0, 525_600),
            Self::Hours => (0, 8_760),
        }
    }
}

const fn required(name: &'static str, kind: Kind, meaning: &'static str) -> Key {
    Key { name, kind, need: Need::Required, meaning }
}

const fn optional(name: &'static str, kind: Kind, meaning: &'static str) -> Key {
    Key { name, kind, need: Need::Optional, meaning }
}

const fn defaulted(
    name: &'static str,
    kind: Kind,
    default: &'static str,
    meaning: &'static str,
) -> Key {
    Key { name, kind, need: Need::Default(default), meaning }
}

const fn positive(quantity: Quantity) -> Kind {
    Kind::Number(quantity, Range::Positive)
}

const fn not_negative(quantity: Quantity) -> Kind {
    Kind::Number(quantity, Range::NotNegative)
}

const fn any(quantity: Quantity) -> Kind {
    Kind::Number(quantity, Range::Any)
}

/// A site file.
pub(super) static SITE: Section = Section {
    meaning: "One interconnection and everything behind it.",
    keys: &[
        required(
            "format",
            any(Q::Count),
            "The version of this format; this program reads 1.",
        ),
        required("name", Kind::Text, "What people call the site."),
        optional("description", Kind::Text, "A sentence about it, for people."),
        required("market", Kind::Table(&MARKET), ""),
        required("interconnection", Kind::Table(&INTERCONNECTION), ""),
        optional("feeders", Kind::Tables(&FEEDER), ""),
        optional("halls", Kind::Tables(&HALL), ""),
        optional("tariff", Kind::Table(&TARIFF), ""),
        optional("pool", Kind::Table(&POOL), ""),
        optional("policy", Kind::Table(&POLICY), ""),
        optional("rig_models", Kind::Tables(&RIG_MODEL), ""),
        optional("rack_models", Kind::Tables(&RACK_MODEL), ""),
        optional("rigs", Kind::Tables(&RIGS), ""),
        optional("racks", Kind::Tables(&RACKS), ""),
        optional("batteries", Kind::Tables(&BATTERY), ""),
        optional("programmes", Kind::Tables(&PROGRAMME), ""),
        optional("lock_outs", Kind::Tables(&LOCK_OUT), ""),
        optional("holds", Kind::Tables(&HOLD), ""),
        optional("contacts", Kind::Tables(&CONTACT), ""),
        optional("network", Kind::Table(&NETWORK), ""),
    ],
};

/// The table of machine models that comes with the program.
pub(super) static MACHINE_TABLE: Section = Section {
    meaning: "Machine models, a row each.",
    keys: &[
        required("rig_models", Kind::Tables(&RIG_MODEL), ""),
        required("rack_models", Kind::Tables(&RACK_MODEL), ""),
    ],
};

static MARKET: Section = Section {
    meaning: "Where the site buys and sells.",
    keys: &[
        required(
            "name",
            Kind::Text,
            "The market, such as ERCOT. One whose time zone is not known needs `time_zone`.",
        ),
        required("settlement_point", Kind::Text, "Where it settles, such as HB_WEST."),
        optional(
            "time_zone",
            Kind::Text,
            "The market's time zone by its IANA name, such as America/Chicago. \
             Left out for a market the program knows.",
        ),
    ],
};

static INTERCONNECTION: Section = Section {
    meaning: "Where the site meets the grid. Limits are at the meter.",
    keys: &[
        required(
            "import_limit_mw",
            positive(Q::Megawatts),
            "The most that may be drawn.",
        ),
        defaulted(
            "export_limit_mw",
            not_negative(Q::Megawatts),
            "0",
            "The most that may be sent back.",
        ),
        optional(
            "ramp_up_mw_per_minute",
            positive(Q::Megawatts),
            "The most that draw may rise in a minute. Without it there is no limit.",
        ),
        optional(
            "ramp_down_mw_per_minute",
            positive(Q::Megawatts),
            "The most that draw may fall in a minute. Without it there is no limit.",
        ),
        optional(
            "ramp_emergency_mw_per_minute",
            positive(Q::Megawatts),
            "The most that draw may fall in a minute in an emergency, no slower than \
             `ramp_down_mw_per_minute`. Without it there is no limit.",
        ),
        optional("meter", Kind::Table(&METER), ""),
    ],
};

static FEEDER: Section = Section {
    meaning: "A circuit with a limit on what flows to the loads behind it.",
    keys: &[
        required("name", Kind::Text, "What people call it."),
        optional(
            "parent",
            Kind::Text,
            "The feeder above. Without it the feeder hangs on the interconnection.",
        ),
        required(
            "limit_mw",
            positive(Q::Megawatts),
            "The most that may flow, at the meter, in either direction.",
        ),
    ],
};

static HALL: Section = Section {
    meaning: "A room with a cooling overhead. Write `pue`, or `pue_by_temperature` \
              together with `pue_where_temperature_missing`.",
    keys: &[
        required("name", Kind::Text, "What people call it."),
        required("feeder", Kind::Text, "The feeder it hangs on."),
        optional(
            "pue",
            any(Q::Ratio),
            "Facility power over IT power, the same in all weather.",
        ),
        optional(
            "pue_by_temperature",
            Kind::Tables(&PUE_POINT),
            "Facility power over IT power by outside temperature, coldest first. Between \
             two points the dearer one holds.",
        ),
        optional(
            "pue_where_temperature_missing",
            any(Q::Ratio),
            "What holds while the outside temperature is not known: at least every value \
             of the table, so that a limit holds whatever the weather is.",
        ),
    ],
};

static PUE_POINT: Section = Section {
    meaning: "One point of a hall's table.",
    keys: &[
        required("temperature_c", any(Q::Celsius), "Outside air temperature."),
        required(
            "pue",
            any(Q::Ratio),
            "Facility power over IT power at that temperature.",
        ),
    ],
};

static TARIFF: Section = Section {
    meaning: "What power costs beside the settlement price.",
    keys: &[
        optional("adders", Kind::Tables(&ADDER), ""),
        optional("fixed_price_blocks", Kind::Tables(&BLOCK), ""),
        optional("coincident_peaks", Kind::Tables(&COINCIDENT_PEAK), ""),
    ],
};

static ADDER: Section = Section {
    meaning: "A charge on each imported MWh: delivery, losses, retail fee. A charge that \
              changes is two entries of one name that do not overlap.",
    keys: &[
        required("name", Kind::Text, "What the bill calls it."),
        required(
            "price_usd_per_mwh",
            any(Q::UsdPerMwh),
            "What it costs; a credit is negative.",
        ),
        optional("from", Kind::Date, "When it begins. Without it, it has always been."),
        optional("until", Kind::Date, "When it has ended. Without it, it goes on."),
    ],
};

static BLOCK: Section = Section {
    meaning: "Power bought ahead. What the site does not use goes back at the settlement \
              price.",
    keys: &[
        required("name", Kind::Text, "What the supply contract calls it."),
        required(
            "power_mw",
            positive(Q::Megawatts),
            "How much is bought, in every instant.",
        ),
        required("price_usd_per_mwh", any(Q::UsdPerMwh), "At what price."),
        required("from", Kind::Date, "When it begins."),
        required("until", Kind::Date, "When it has ended."),
    ],
};

static COINCIDENT_PEAK: Section = Section {
    meaning: "A transmission charge set by demand in the system's peak intervals, such as \
              4CP. It begins and ends with a month of the market.",
    keys: &[
        required("name", Kind::Text, "What the tariff calls it."),
        required("months", Kind::Months, "The months in which a peak can fall, 1 to 12."),
        required(
            "peaks_per_month",
            positive(Q::Count),
            "How many peaks each of those months has.",
        ),
        required(
            "interval_minutes",
            positive(Q::Minutes),
            "How long a peak interval is: 5, 15, 30 or 60.",
        ),
        required(
            "charge_usd_per_kw_month",
            not_negative(Q::UsdPerKwMonth),
            "The charge for each of twelve months on the mean demand in the peaks.",
        ),
        required("from", Kind::Date, "When the rule begins."),
        optional(
            "until",
            Kind::Date,
            "When it has ended. Without it, it goes on until 2100.",
        ),
        defaulted(
            "watch_percent_of_month_high",
            positive(Q::Percent),
            "98",
            "An interval is watched when its demand forecast is at least this part of the \
             highest forecast known for its month.",
        ),
        defaulted(
            "watch_probability_percent",
            not_negative(Q::Percent),
            "0.8",
            "How likely a watched interval is then taken to be a peak. At 98 % some 120 quarter \
             hours a summer month were watched on ERCOT's day-ahead forecasts of 2024 and 2025, \
             one of them the peak.",
        ),
    ],
};

static POOL: Section = Section {
    meaning: "What mining is paid through. A site that mines has one.",
    keys: &[required(
        "fee_percent",
        not_negative(Q::Percent),
        "What the pool keeps of mining pay.",
    )],
};

/// How the site decides; every key may be left out.
pub(super) static POLICY: Section = Section {
    meaning: "How the site decides.",
    keys: &[
        defaulted(
            "decide_on",
            Kind::Choice(&["real_time", "day_ahead"]),
            "\"real_time\"",
            "`real_time`: the LMP of the interval, else the last settlement price known. \
             `day_ahead`: the day-ahead price of the interval as a forecast, else as \
             `real_time`.",
        ),
        defaulted(
            "follows_price",
            Kind::Flag,
            "true",
            "Whether price may curtail at all; `false` is a site that is always on.",
        ),
        defaulted(
            "hysteresis_usd_per_mwh",
            not_negative(Q::UsdPerMwh),
            "2",
            "How far worth must pass cost before a load changes over, beside what a \
             restart costs.",
        ),
        defaulted(
            "restart_spread_minutes",
            positive(Q::Minutes),
            "120",
            "How long a curtailment is expected to last: what a restart costs is spread \
             over it.",
        ),
        defaulted(
            "hashprice_age_max_hours",
            positive(Q::Hours),
            "72",
            "How old the last hashprice may grow before mining stops for want of one.",
        ),
        defaulted(
            "stale_price_hold_minutes",
            not_negative(Q::Minutes),
            "60",
            "How long a load may stay where it is on a price that went stale.",
        ),
        defaulted(
            "lease_seconds",
            positive(Q::Seconds),
            "600",
            "How long machines hold an order without another word, at least 60: a dead \
             program lets the site fall to its fail-safe levels after this.",
        ),
        defaulted(
            "look_ahead_hours",
            not_negative(Q::Hours),
            "24",
            "How far ahead batteries are planned and minimum times are weighed, at most \
             72; 0 looks at each interval by itself. A site without either decides the \
             same however far it looks.",
        ),
        defaulted(
            "forecast",
            Kind::Choice(&["persistence", "day_ahead", "quantile", "file"]),
            "\"persistence\"",
            "Whose prices are expected. `persistence`: those of the same time of the day \
             before. `day_ahead`: those of the day-ahead market, as far as they are \
             published. `quantile`: a quantile of those of the same quarter of an hour of \
             some days before. `file`: those of the history's price forecasts. Where one of \
             the last three says nothing, the day before's are.",
        ),
        defaulted(
            "forecast_quantile_percent",
            not_negative(Q::Percent),
            "50",
            "Which quantile: 50 is the median.",
        ),
        defaulted(
            "forecast_quantile_days",
            positive(Q::Count),
            "28",
            "Of how many days, at most 60.",
        ),
    ],
};

/// How far a row is to be believed.
pub(super) const CERTAINTIES: &[&str] =
    &["measured", "published", "reseller table", "derived", "unverified"];

static RIG_MODEL: Section = Section {
    meaning: "A mining machine of the site's own, beside those of the program's table. \
              The columns are the table's.",
    keys: &[
        required("name", Kind::Text, "The model, maker's line included."),
        required("maker", Kind::Text, "Who makes it."),
        required("hashrate_ths", positive(Q::TerahashPerSecond), "Hash rate as sold."),
        required("power_w", positive(Q::Watts), "Draw at that hash rate, at the plug."),
        required("standby_w", not_negative(Q::Watts), "Draw at rest, at the plug."),
        required(
            "cooling",
            Kind::Choice(&["air", "hydro", "immersion"]),
            "How it is cooled.",
        ),
        optional(
            "tuning",
            Kind::Tables(&TUNING_POINT),
            "The operating points of its firmware, in rising power. Without it there is \
             one: hash rate and draw as sold.",
        ),
        required(
            "certainty",
            Kind::Choice(CERTAINTIES),
            "How far hash rate and draw are to be believed.",
        ),
        required("source", Kind::Text, "Where the figures were read."),
        required("date", Kind::Date, "When they were read."),
    ],
};

static RACK_MODEL: Section = Section {
    meaning: "A GPU rack of the site's own, beside those of the program's table. The \
              columns are the table's.",
    keys: &[
        required("name", Kind::Text, "The model."),
        required("maker", Kind::Text, "Who makes it."),
        required("gpus_per_rack", positive(Q::Count), "GPUs in one rack."),
        required("power_kw", positive(Q::Kilowatts), "Draw at full work, at the plug."),
        required("standby_kw", not_negative(Q::Kilowatts), "Draw at rest, at the plug."),
        optional(
            "gpu_limit_w",
            positive(Q::Watts),
            "The highest limit on power that one of its GPUs takes. What the rack draws \
             beside them is the rest of `power_kw`, and no limit makes it less.",
        ),
        optional(
            "power_curve",
            Kind::Tables(&POWER_POINT),
            "Throughput by power, in rising power. Without it, that of the `workload` of \
             the racks where `gpu_limit_w` is written, and otherwise one point: all of the \
             throughput at `power_kw`.",
        ),
        required("cooling", Kind::Choice(&["air", "liquid"]), "How it is cooled."),
        required(
            "certainty",
            Kind::Choice(CERTAINTIES),
            "How far the figures are to be believed.",
        ),
        required("source", Kind::Text, "Where the figures were read."),
        required("date", Kind::Date, "When they were read."),
    ],
};

static TUNING_POINT: Section = Section {
    meaning: "One way a mining machine can run. Each further watt gives no more than the \
              watts before it.",
    keys: &[
        required("power_w", positive(Q::Watts), "Draw, at the plug."),
        required("hashrate_ths", positive(Q::TerahashPerSecond), "Hash rate."),
    ],
};

static POWER_POINT: Section = Section {
    meaning: "One way a rack can run. Each further watt gives no more than the watts \
              before it; the last point gives 100 percent.",
    keys: &[
        required("power_kw", positive(Q::Kilowatts), "Draw, at the plug."),
        required(
            "throughput_percent",
            positive(Q::Percent),
            "Throughput, as a part of that at full power.",
        ),
    ],
};

static RIGS: Section = Section {
    meaning: "Mining machines of one model in one hall: a load.",
    keys: &[
        required("name", Kind::Text, "What people call the load."),
        required("model", Kind::Text, "A model of the machine table or of `rig_models`."),
        required("count", positive(Q::Count), "How many."),
        required("hall", Kind::Text, "The hall they stand in."),
        optional(
            "tuning",
            Kind::Tables(&TUNING_POINT),
            "How each can run, in rising power, in place of the model's.",
        ),
        optional(
            "standby_w",
            not_negative(Q::Watts),
            "Draw of one at rest, at the plug, in place of the model's.",
        ),
        required(
            "restart_minutes",
            not_negative(Q::Minutes),
            "How long a machine draws power after a start before it hashes.",
        ),
        required(
            "restart_cost_usd",
            not_negative(Q::Usd),
            "What one start of one machine costs in wear.",
        ),
        defaulted(
            "min_up_minutes",
            not_negative(Q::Minutes),
            "0",
            "Once raised, it is not lowered for price before this.",
        ),
        defaulted(
            "min_down_minutes",
            not_negative(Q::Minutes),
            "0",
            "Once lowered, it is not raised before this.",
        ),
        optional(
            "ramp_up_mw_per_minute",
            positive(Q::Megawatts),
            "The most its draw may rise in a minute. Without it there is no limit.",
        ),
        optional(
            "ramp_down_mw_per_minute",
            positive(Q::Megawatts),
            "The most its draw may fall in a minute. Without it there is no limit.",
        ),
        optional(
            "strike_usd_per_mwh",
            any(Q::UsdPerMwh),
            "Curtail above this price, whatever mining earns.",
        ),
        optional("devices", Kind::Table(&RIG_DEVICES), ""),
    ],
};

static RACKS: Section = Section {
    meaning: "GPU racks of one model in one hall: a load. Write `contracted` or \
              `uncommitted`.",
    keys: &[
        required("name", Kind::Text, "What people call the load."),
        required(
            "model",
            Kind::Text,
            "A model of the machine table or of `rack_models`.",
        ),
        required("count", positive(Q::Count), "How many."),
        required("hall", Kind::Text, "The hall they stand in."),
        optional(
            "contracted",
            Kind::Table(&CONTRACTED),
            "Firm: never shed while a load that may be shed remains on the same limit.",
        ),
        optional("uncommitted", Kind::Table(&UNCOMMITTED), "Sold by the GPU-hour."),
        optional(
            "first_rack",
            Kind::Text,
            "The estate's rack that the first of them is. The others follow, counted on \
             at the number that the name ends in.",
        ),
        optional(
            "beside_gpus_kw",
            not_negative(Q::Kilowatts),
            "What one draws beside its GPUs when it runs, at the plug. Without it, what \
             the model's `gpu_limit_w` leaves, and where it has none, as much as at rest.",
        ),
        optional(
            "power_curve",
            Kind::Tables(&POWER_POINT),
            "Throughput by power, in rising power, in place of the model's.",
        ),
        optional(
            "workload",
            Kind::Choice(workload::NAMES),
            "What runs on them: how much throughput a limit on their GPUs costs, where \
             neither they nor the model have a curve and the model has a `gpu_limit_w`. \
             Without it `mixed`; those named by `first_rack` then run whole.",
        ),
        optional(
            "standby_kw",
            not_negative(Q::Kilowatts),
            "Draw of one at rest, at the plug, in place of the model's.",
        ),
        defaulted(
            "min_up_minutes",
            not_negative(Q::Minutes),
            "0",
            "Once raised, it is not lowered for price before this.",
        ),
        defaulted(
            "min_down_minutes",
            not_negative(Q::Minutes),
            "0",
            "Once lowered, it is not raised before this.",
        ),
        optional(
            "ramp_up_mw_per_minute",
            positive(Q::Megawatts),
            "The most its draw may rise in a minute. Without it there is no limit.",
        ),
        optional(
            "ramp_down_mw_per_minute",
            positive(Q::Megawatts),
            "The most its draw may fall in a minute. Without it there is no limit.",
        ),
        optional("devices", Kind::Table(&RACK_DEVICES), ""),
    ],
};

static CONTRACTED: Section = Section {
    meaning: "Terms of racks under contract.",
    keys: &[
        required(
            "price_usd_per_gpu_hour",
            not_negative(Q::UsdPerGpuHour),
            "What a GPU-hour earns.",
        ),
        required(
            "worth_usd_per_mwh",
            not_negative(Q::UsdPerMwh),
            "What a lost MWh at the plug costs: fee, credits, risk. Used while the \
             tranche's own exposure is not known.",
        ),
        optional(
            "contract",
            Kind::Text,
            "The contract they serve: its file, or the folder of its versions, from where \
             this file is.",
        ),
        optional(
            "tranche",
            Kind::Text,
            "The tranche of that contract they serve. Its exposure takes the place of \
             the worth above while it is in service.",
        ),
    ],
};

static UNCOMMITTED: Section = Section {
    meaning: "Terms of racks without a contract.",
    keys: &[
        required(
            "price_usd_per_gpu_hour",
            not_negative(Q::UsdPerGpuHour),
            "What a GPU-hour earns while no spot offer stands.",
        ),
        defaulted(
            "notice_minutes",
            not_negative(Q::Minutes),
            "0",
            "For how long who buys by the hour keeps a rack that is promised to a \
             tenant. Used where the racks are named by `first_rack`.",
        ),
    ],
};

static BATTERY: Section = Section {
    meaning: "A battery: a load. Powers are at the meter.",
    keys: &[
        required("name", Kind::Text, "What people call the load."),
        optional(
            "feeder",
            Kind::Text,
            "The feeder it hangs on. Without it, the interconnection itself.",
        ),
        required("charge_mw", positive(Q::Megawatts), "The most it can charge with."),
        required(
            "discharge_mw",
            positive(Q::Megawatts),
            "The most it can discharge with.",
        ),
        required("capacity_mwh", positive(Q::MegawattHours), "What it holds when full."),
        defaulted(
            "stored_min_percent",
            not_negative(Q::Percent),
            "0",
            "The least it is let hold, of its capacity.",
        ),
        defaulted(
            "stored_max_percent",
            positive(Q::Percent),
            "100",
            "The most it is let hold, of its capacity.",
        ),
        required(
            "stored_first_percent",
            not_negative(Q::Percent),
            "What it holds at the start, of its capacity.",
        ),
        required(
            "charge_efficiency_percent",
            positive(Q::Percent),
            "What part of the energy drawn is stored.",
        ),
        required(
            "discharge_efficiency_percent",
            positive(Q::Percent),
            "What part of the stored energy is given back.",
        ),
        required(
            "charge_below_usd_per_mwh",
            any(Q::UsdPerMwh),
            "Charge when power costs no more than this.",
        ),
        required(
            "discharge_above_usd_per_mwh",
            any(Q::UsdPerMwh),
            "Discharge when power costs at least this.",
        ),
        optional(
            "ramp_up_mw_per_minute",
            positive(Q::Megawatts),
            "The most its draw may rise in a minute. Without it there is no limit.",
        ),
        optional(
            "ramp_down_mw_per_minute",
            positive(Q::Megawatts),
            "The most its draw may fall in a minute. Without it there is no limit.",
        ),
        optional("device", Kind::Table(&BATTERY_DEVICE), ""),
    ],
};

static LOCK_OUT: Section = Section {
    meaning: "A person works on a load: nothing can start it until the entry ends.",
    keys: &[
        required("load", Kind::Text, "Which load."),
        required("from", Kind::Date, "When it begins."),
        required("until", Kind::Date, "When it has ended."),
        required("role", Kind::Text, "Who may release it."),
        required("reason", Kind::Text, "Why."),
    ],
};

static PROGRAMME: Section = Section {
    meaning: "A grid programme that the site has joined: who instructs it, and where it \
              goes when it hears nothing. A site that names none has one, `grid`, whose \
              link may be silent.",
    keys: &[
        required("name", Kind::Text, "What people and feeds call it."),
        optional(
            "loads",
            Kind::Names,
            "The loads it may trip. Without it, every load that can be shed.",
        ),
        defaulted(
            "response_seconds",
            positive(Q::Seconds),
            "600",
            "How soon an instruction has to be met.",
        ),
        defaulted(
            "longest_hours",
            positive(Q::Hours),
            "24",
            "The longest an instruction may hold: a later end, or an open one, is cut to \
             this.",
        ),
        optional(
            "silent_after_seconds",
            positive(Q::Seconds),
            "After how long without a word the link counts as lost. Without it, it may be \
             silent.",
        ),
        optional(
            "fail_safe_limit_mw",
            not_negative(Q::Megawatts),
            "What the site draws at most while the link is lost. Without it, an armed \
             reserve keeps its band and nothing is raised.",
        ),
        optional("openadr", Kind::Table(&OPENADR), ""),
    ],
};

static HOLD: Section = Section {
    meaning: "A load kept at a level by hand.",
    keys: &[
        required("load", Kind::Text, "Which load."),
        required(
            "power_mw",
            any(Q::Megawatts),
            "The level at the meter: machines are counted down to what fits under it. \
             Negative is a battery that discharges.",
        ),
        required("from", Kind::Date, "When it begins."),
        required("until", Kind::Date, "When it has ended."),
        required("reason", Kind::Text, "Why."),
    ],
};

static CONTACT: Section = Section {
    meaning: "Somebody who is told of a live run's alarms. Write `webhook` or `email`.",
    keys: &[
        required("name", Kind::Text, "What people call them."),
        defaulted(
            "from_urgency",
            Kind::Choice(&["note", "warning", "critical"]),
            "\"warning\"",
            "How urgent an alarm has to be. `critical`: act now, at night too. `warning`: \
             look within the shift. `note`: good to know.",
        ),
        defaulted(
            "level",
            not_negative(Q::Count),
            "0",
            "How far up an alarm has to have been taken because nobody acknowledged it, 0 \
             to 3. 0 is at once.",
        ),
        optional("webhook", Kind::Table(&WEBHOOK), "An HTTP receiver."),
        optional("email", Kind::Table(&EMAIL), "A mail server."),
    ],
};

static WEBHOOK: Section = Section {
    meaning: "An HTTP receiver of alarms.",
    keys: &[
        required("url", Kind::Text, "Where it is."),
        required(
            "secret",
            Kind::Text,
            "Where the signing secret is kept: `env:NAME` or `file:PATH`. It has at least \
             16 bytes.",
        ),
        defaulted(
            "allow_plain",
            Kind::Flag,
            "false",
            "Whether plain HTTP may go to another machine, on a network of your own.",
        ),
        optional(
            "authorities",
            Kind::Text,
            "Certificate authorities in place of the machine's own, as PEM: `file:PATH` or \
             `env:NAME`.",
        ),
    ],
};

static EMAIL: Section = Section {
    meaning: "A mail server that alarms are handed to.",
    keys: &[
        required("host", Kind::Text, "The server's name or address."),
        required(
            "port",
            positive(Q::Count),
            "Its port: 465 for `tls`, 587 for `starttls`.",
        ),
        defaulted(
            "security",
            Kind::Choice(&["tls", "starttls", "none"]),
            "\"tls\"",
            "How the connection is kept private; `none` is for this machine's loopback alone.",
        ),
        required("from", Kind::Text, "The sender's address."),
        required(
            "to",
            Kind::Text,
            "The recipient's address, or several with commas between.",
        ),
        optional("user", Kind::Text, "Whom to log in as."),
        optional(
            "password",
            Kind::Text,
            "Where the password is kept: `env:NAME` or `file:PATH`.",
        ),
        optional(
            "authorities",
            Kind::Text,
            "Certificate authorities in place of the machine's own, as PEM: `file:PATH` or \
             `env:NAME`.",
        ),
    ],
};
