//! What a plan is: sites, what is to be done to them, who pays, and what may come.

use engine::Site;
use engine::site::LoadIx;
use settle::calendar::{Date, Period, Zone};
use settle::contract::{Contract, Tranche};
use sim::scenario::blocks::Blocks;
use sim::scenario::coin::Coin;
use sim::scenario::copula::Copula;
use sim::scenario::delivery::Slip;
use sim::scenario::failure::Failures;
use sim::scenario::fees::Fees;
use sim::scenario::network::Network;
use sim::scenario::power::Power;
use sim::scenario::rental::Rental;
use units::{Money, Share};

/// Everything that was decided and assumed.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What people call it.
    pub name: String,
    /// The sites, at least one.
    pub sites: Vec<Place>,
    /// The first month; what is known, is known at its beginning.
    pub first: Period,
    /// How many months it looks ahead.
    pub months: usize,
    /// Contracts, signed and on offer.
    pub deals: Vec<Deal>,
    /// What is to be converted.
    pub conversions: Vec<Conversion>,
    /// What is borrowed, in the order in which it is drawn.
    pub loans: Vec<Loan>,
    /// What lenders ask of cash against debt service, if anything.
    pub covenant: Option<Covenant>,
    /// Rules of value, tax and depreciation.
    pub rules: Rules,
    /// What may come.
    pub futures: Futures,
    /// Within what another schedule is looked for.
    pub bounds: Bounds,
}

/// A site of a plan.
#[derive(Clone, Debug)]
pub struct Place {
    /// What the plan calls it.
    pub name: String,
    /// The site with every load that stands in it at some time.
    pub site: Site,
    /// What it costs to run it beside power.
    pub running: Running,
    /// Its market's number; sites of one number share every draw of its price of power,
    /// and the first site is in number 0.
    pub market: usize,
    /// Its own price of power, where it is not that of [`Futures`].
    pub prices: Option<Prices>,
}

/// The price of power at a site.
#[derive(Clone, Debug)]
pub struct Prices {
    /// How it moves.
    pub power: Power,
    /// Days of history that it is put together from; see [`Futures::power_days`].
    pub days: Option<Blocks>,
}

/// A contract, and what is assumed about it.
#[derive(Clone, Debug)]
pub struct Deal {
    /// Its terms.
    pub contract: Contract,
    /// The probability that it is signed: whole for one that is.
    pub signed: Share,
    /// What the tenant does once a tranche's long stop has passed.
    pub on_long_stop: OnLongStop,
}

/// What a tenant does once the long stop has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnLongStop {
    /// Ends the tranche; what was paid ahead goes back by the contract's rule.
    Ends,
    /// Waits.
    Waits,
    /// Ends the whole order where the first tranche to be delivered is missed, else the
    /// tranche alone.
    EndsOrder,
}

/// Loads that leave and loads that come in their place.
#[derive(Clone, Debug)]
pub struct Conversion {
    /// What people call it.
    pub name: String,
    /// The place of its site in [`Plan::sites`]; its loads are that site's.
    pub site: usize,
    /// Rigs that are switched off when the work begins.
    pub rigs_out: Vec<LoadIx>,
    /// Racks that stand once it is ready.
    pub racks: Vec<LoadIx>,
    /// When the work begins.
    pub begins: Date,
    /// When the racks are to be accepted.
    pub ready: Date,
    /// How late that may be.
    pub slip: Slip,
    /// What the building costs.
    pub works: Works,
    /// What is ordered for it.
    pub equipment: Option<Equipment>,
    /// Whose machines stand in the racks.
    pub machines: Owner,
    /// What the rigs are sold for when they leave.
    pub resale: Money,
    /// What they stand in the books at then: what exceeds the resale is a loss.
    pub book_value: Money,
    /// Whom the racks serve; nobody sells them by the hour.
    pub serves: Option<Serves>,
    /// Whether it is not done after all: its rigs stay, its racks never come, and an
    /// offer that it was to serve is declined.
    pub dropped: bool,
}

/// Whose machines stand in racks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// The site's: they are let by the hour where no tenant has them.
    Site,
    /// The tenant's: racks are empty before the tenant comes and once it is gone.
    Tenant,
}

/// Which tranche of which deal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Serves {
    /// The deal's place in [`Plan::deals`].
    pub deal: usize,
    /// The tranche's place in its contract.
    pub tranche: usize,
}

/// What a building costs, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Works {
    /// In all.
    pub cost: Money,
    /// The share paid in each month from the beginning on; together they are whole.
    pub schedule: Vec<Share>,
}

/// Machines ordered for a conversion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Equipment {
    /// What they cost.
    pub price: Money,
    /// How many days before acceptance they are shipped.
    pub ships_days_before: i64,
    /// How many days after shipment they are paid.
    pub payable_days: i64,
    /// Whether the order can be cancelled before shipment, free of charge.
    pub cancellable: bool,
    /// What part of the price they are worth when the plan ends.
    pub residual: Share,
}

/// What is borrowed.
#[derive(Clone, Debug, PartialEq)]
pub struct Loan {
    /// The place of the contract that lenders rely on, among the plan's; they lend on none
    /// that may not be signed.
    pub secured_on: Option<usize>,
    /// What people call it.
    pub name: String,
    /// How it is drawn.
    pub kind: LoanKind,
    /// The most that is drawn.
    pub limit: Money,
    /// Interest a year, on what is drawn.
    pub rate: Share,
    /// The month of the first repayment.
    pub repay_from: Period,
    /// The month in which the last of it is repaid.
    pub maturity: Period,
    /// How it is repaid between.
    pub repayment: Repayment,
}

/// How a loan is drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum LoanKind {
    /// A share of each payment for equipment, while draws are allowed.
    DelayedDraw {
        /// The first month of a draw, where it is not the plan's: it is of all payments up
        /// to then.
        from: Option<Period>,
        /// The last month of a draw.
        until: Period,
        /// The share of each payment.
        share: Share,
        /// The fee a year on what is not drawn, until then.
        undrawn_fee: Share,
    },
    /// All at once.
    Notes {
        /// The month of issue.
        issue: Period,
    },
}

/// How a loan is repaid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repayment {
    /// In payments that are equal with their interest.
    Level,
    /// In equal parts, and interest beside.
    Straight,
    /// At maturity.
    Bullet,
}

/// What lenders ask of cash against debt service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Covenant {
    /// The least ratio, in millionths: 1 050 000 is 1.05.
    pub ratio_min: Share,
    /// The first month at whose end it is tested.
    pub from: Period,
    /// Over how many months up to then.
    pub over_months: usize,
}

/// What it costs to run the site beside power, for each MW of nameplate at the meter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Running {
    /// Of rigs, a month.
    pub mining_per_mw_month: Money,
    /// Of racks, a month.
    pub racks_per_mw_month: Money,
}

/// Rules of value, tax and depreciation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// What a dollar loses in worth a year.
    pub discount: Share,
    /// Tax on a plan year's profit, after losses of years before.
    pub tax: Share,
    /// Over how many months what was paid for is written off, in equal parts.
    pub depreciation_months: usize,
}

/// Within what other schedules are looked for, beside what no plan may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// How many months lie between two beginnings that are looked at; at least one.
    pub every_months: usize,
    /// The most that owners put in beyond staying as it is, in nineteen of twenty
    /// futures.
    pub owners_max: Option<Money>,
    /// The largest share of futures that may fall below the covenant.
    pub breach_max: Option<Share>,
}

/// What may come.
#[derive(Clone, Debug)]
pub struct Futures {
    /// A coin's price.
    pub coin: Coin,
    /// What a block's transactions pay.
    pub fees: Fees,
    /// Hash rate and difficulty.
    pub network: Network,
    /// The price of power, at sites that do not have their own.
    pub power: Power,
    /// Days of history that futures of power are put together from, in place of drawing
    /// it; its level, clock and bounds are those of `power`.
    pub power_days: Option<Blocks>,
    /// What a GPU-hour rents for.
    pub rental: Rental,
    /// What share of racks that serve nobody is let.
    pub let_share: Share,
    /// How GPUs fail.
    pub failures: Failures,
    /// How coin, fees, power and rent move together.
    pub together: Copula,
    /// How much of the first market's level the levels of power of other markets share: a
    /// correlation of the draws of a day.
    pub markets_together: f64,
    /// Indexes that prices of contracts move with.
    pub escalators: Vec<Escalator>,
    /// How much of what makes deliveries late they share.
    pub delivery_correlation: f64,
}

/// An index that prices of contracts move with, such as consumer prices: assumed, not drawn.
#[derive(Clone, Debug, PartialEq)]
pub struct Escalator {
    /// What contracts call it.
    pub name: String,
    /// What it is at when the plan begins, and was before.
    pub value: f64,
    /// How it grows a year, as a share of itself; known month by month.
    pub per_year: f64,
}

impl Equipment {
    /// How many days after the machines come they are paid; before that where it is below
    /// nought.
    pub(crate) fn paid_after_days(&self) -> i64 {
        self.payable_days - self.ships_days_before
    }
}

impl Plan {
    /// The calendar that the plan's own months and days are counted in.
    pub fn zone(&self) -> Zone {
        Zone::named("UTC").expect("the zone that everybody has")
    }

    /// The place of a month among the plan's; negative before it begins.
    pub fn place(&self, period: Period) -> i64 {
        i64::from(period.months_since(self.first))
    }

    /// The month at a place.
    pub fn period(&self, place: usize) -> Period {
        self.first.plus(i32::try_from(place).expect("months of a plan fit"))
    }

    /// The first month after the plan.
    pub fn end(&self) -> Period {
        self.period(self.months)
    }

    /// The price of power at a site, and the days that it is put together from.
    pub fn power_at(&self, site: usize) -> (&Power, Option<&Blocks>) {
        match &self.sites[site].prices {
            Some(own) => (&own.power, own.days.as_ref()),
            None => (&self.futures.power, self.futures.power_days.as_ref()),
        }
    }

    /// Whether there are several sites, which then have to be told apart.
    pub fn has_sites(&self) -> bool {
        self.sites.len() > 1
    }

    /// The tranche that a conversion serves, with its deal.
    pub fn served(&self, conversion: &Conversion) -> Option<(&Deal, &Tranche)> {
        let serves = conversion.serves?;
        let deal = &self.deals[serves.deal];
        Some((deal, &deal.contract.tranches[serves.tranche]))
    }
}
