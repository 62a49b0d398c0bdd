//! Why a load is asked what it is asked, as data and in words.
//!
//! A reason carries only what the dispatch does not already say; its words name
//! every figure, with its unit, its source and that source's time, so that the
//! sum can be done by hand.

use serde::{Deserialize, Serialize};
use units::{EnergyPrice, Power, Seconds, Timestamp};

use super::dispatch::{Dispatch, Setpoint, clock};
use crate::signals::{Capacity, Exposure};
use crate::site::{FeederIx, LoadIx, LoadKind, ProgrammeIx, Site, Terms};
use crate::state::LiftOf;

/// Why a load is asked what it is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reason {
    /// A person works on it.
    LockedOut {
        /// Until when, as entered; `None` is until its role releases it.
        until: Option<Timestamp>,
    },
    /// It is out of service.
    Maintenance {
        /// Until when, as entered.
        until: Timestamp,
    },
    /// It is kept at a level by hand.
    Held {
        /// The level at the meter.
        at: Power,
        /// Until when, as entered.
        until: Timestamp,
    },
    /// It serves a contract.
    Contracted,
    /// It serves a contract and a limit left no room for all of it.
    FirmShed {
        /// Which limit.
        limit: Limit,
    },
    /// Its worth is at or above the cost.
    WorthIt,
    /// Its worth is below the cost, though not by what changing over costs.
    KeptOn {
        /// How far worth may fall below cost before it stops.
        band: EnergyPrice,
    },
    /// Its worth is below the cost.
    NotWorthIt {
        /// How far worth had to fall below cost to stop it; zero if it was off.
        band: EnergyPrice,
    },
    /// It is off, and its worth is not far enough above the cost to start it.
    KeptOff {
        /// How far worth must rise above cost to start it.
        band: EnergyPrice,
    },
    /// It was raised a short while ago.
    MinimumUp {
        /// Until when it stays up.
        until: Timestamp,
    },
    /// It was lowered a short while ago.
    MinimumDown {
        /// Until when it stays down.
        until: Timestamp,
    },
    /// It is worth more than the cost and a limit left no room for all of it.
    Limited {
        /// Which limit.
        limit: Limit,
    },
    /// Machines that take no orders, or that a person works on, keep it from going
    /// higher; or none of it can be moved.
    OutOfReach,
    /// A grid programme tripped it: it rests until that is restored.
    Tripped {
        /// Which programme.
        programme: ProgrammeIx,
    },
    /// A grid programme asks for a level to be drawn, whatever the price.
    Instructed {
        /// Which programme.
        programme: ProgrammeIx,
        /// The level at the meter.
        level: Power,
        /// Whose draw is meant.
        of: LiftOf,
    },
    /// A grid programme's link is lost, and nothing is raised meanwhile.
    LinkLost {
        /// Which programme.
        programme: ProgrammeIx,
    },
    /// The price is stale: it stays where it is, and nothing is raised.
    PriceStale,
    /// No price is known.
    PriceUnknown,
    /// Nobody knows what mining earns.
    HashpriceUnknown,
    /// The site runs whatever the price.
    AlwaysOn,
    /// The battery charges: power costs no more than the stated price.
    Charging,
    /// The battery discharges: power costs at least the stated price.
    Discharging,
    /// The battery rests: the cost is between its stated prices, or it is full
    /// or empty where it would act.
    BatteryRests,
    /// The battery charges as planned: what is stored is worth more than power
    /// costs, after losses.
    Stored {
        /// What a stored MWh is worth.
        stored: EnergyPrice,
    },
    /// The battery discharges as planned: power costs more than what is stored is
    /// worth, after losses.
    GivenBack {
        /// What a stored MWh is worth.
        stored: EnergyPrice,
    },
    /// The battery rests, as planned or for want of room: what is stored is worth
    /// keeping.
    KeptStored {
        /// What a stored MWh is worth.
        stored: EnergyPrice,
    },
}

/// Which limit left no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Limit {
    /// What the site may draw: its own limit or the grid's.
    Import,
    /// What the grid asks loads that can be shed to keep under, as far as they can.
    BestEffort,
    /// What the site may send back.
    Export,
    /// A feeder's.
    Feeder(FeederIx),
}

impl Reason {
    /// The reason in one word, as a table shows it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::LockedOut { .. } => "locked_out",
            Self::Maintenance { .. } => "maintenance",
            Self::Held { .. } => "held",
            Self::Contracted => "contracted",
            Self::FirmShed { .. } => "firm_shed",
            Self::WorthIt => "worth_it",
            Self::KeptOn { .. } => "kept_on",
            Self::NotWorthIt { .. } => "not_worth_it",
            Self::KeptOff { .. } => "kept_off",
            Self::MinimumUp { .. } => "minimum_up",
            Self::MinimumDown { .. } => "minimum_down",
            Self::Limited { .. } => "limited",
            Self::OutOfReach => "out_of_reach",
            Self::Tripped { .. } => "tripped",
            Self::Instructed { .. } => "instructed",
            Self::LinkLost { .. } => "link_lost",
            Self::PriceStale => "price_stale",
            Self::PriceUnknown => "price_unknown",
            Self::HashpriceUnknown => "hashprice_unknown",
            Self::AlwaysOn => "always_on",
            Self::Charging => "charging",
            Self::Discharging => "discharging",
            Self::BatteryRests => "battery_rests",
            Self::Stored { .. } => "stored",
            Self::GivenBack { .. } => "given_back",
            Self::KeptStored { .. } => "kept_stored",
        }
    }

    /// The reason in words, with the figures of its dispatch.
    pub fn explain(&self, dispatch: &Dispatch, site: &Site, load: LoadIx) -> String {
        let worth = || worth_text(dispatch, site, load);
        let cost = || cost_text(dispatch);
        match self {
            Self::LockedOut { until: None } => {
                "locked out until it is released: a person works on it".to_owned()
            }
            Self::LockedOut { until: Some(until) } => {
                let role = site
                    .lock_outs
                    .iter()
                    .find(|l| l.load == load && l.during.end == *until);
                let who = role.map_or("a person works on it".to_owned(), |l| {
                    format!("{} ({})", l.reason, l.role)
                });
                format!("locked out until {until}: {who}")
            }
            Self::Maintenance { until } => format!("out of service until {until}"),
            Self::Held { at, until } => format!("held at {at} by hand until {until}"),
            Self::Contracted => format!("under contract; {}", worth()),
            Self::FirmShed { limit } => {
                format!(
                    "under contract, cut by {}; {}",
                    limit.explain(dispatch, site),
                    worth()
                )
            }
            Self::WorthIt => format!("{}, {}", worth(), cost()),
            Self::KeptOn { band } => {
                format!(
                    "{}, {}; stays on within {band} of it{}",
                    worth(),
                    cost(),
                    committed_text(dispatch, site, load)
                )
            }
            Self::NotWorthIt { band } if band.is_zero() => {
                format!("{}, {}", worth(), cost())
            }
            Self::NotWorthIt { band } => {
                format!(
                    "{}, {}; more than the {band} that a stop costs{}",
                    worth(),
                    cost(),
                    committed_text(dispatch, site, load)
                )
            }
            Self::KeptOff { band } => {
                format!(
                    "{}, {}; starts from {band} above it{}",
                    worth(),
                    cost(),
                    committed_text(dispatch, site, load)
                )
            }
            Self::MinimumUp { until } => format!(
                "raised a short while ago, stays up until {until}; {}, {}",
                worth(),
                cost()
            ),
            Self::MinimumDown { until } => format!(
                "lowered a short while ago, stays down until {until}; {}, {}",
                worth(),
                cost()
            ),
            Self::Limited { limit } => {
                format!(
                    "{} leaves no more room; {}, {}",
                    limit.explain(dispatch, site),
                    worth(),
                    cost()
                )
            }
            Self::OutOfReach => reach_text(dispatch, site, load),
            Self::Tripped { programme } => format!(
                "tripped by {} until it restores it",
                programme_text(site, *programme)
            ),
            Self::Instructed { programme, level, of } => {
                let whose = match of {
                    LiftOf::Site => format!(
                        "{level} drawn at the interconnection{}",
                        unexplained_text(dispatch)
                    ),
                    LiftOf::Armed => format!("{level} drawn that it can trip"),
                };
                format!(
                    "{} asks for {whose}; {}, {}",
                    programme_text(site, *programme),
                    worth(),
                    cost()
                )
            }
            Self::LinkLost { programme } => format!(
                "nothing was heard from {}: nothing is raised",
                programme_text(site, *programme)
            ),
            Self::PriceStale => format!("{}; nothing is raised on it", cost()),
            Self::PriceUnknown => {
                "no price is known; only what is under contract runs".to_owned()
            }
            Self::HashpriceUnknown => match dispatch.hashprice {
                Some(old) => {
                    format!("the last hashprice known is of {}", old.during.start)
                }
                None => "no hashprice is known".to_owned(),
            },
            Self::AlwaysOn => "always on, whatever the price".to_owned(),
            Self::Charging => format!("{}; {}", cost(), battery_text(site, load)),
            Self::Discharging => format!("{}; {}", cost(), battery_text(site, load)),
            Self::BatteryRests => {
                let why = rest_text(dispatch, site, load);
                format!("{}; {}{why}", cost(), battery_text(site, load))
            }
            Self::Stored { stored } => {
                format!(
                    "{}; a stored MWh is worth {stored}, one drawn to charge {}{}",
                    cost(),
                    price_text(dispatch.entries[load].worth),
                    outlook_text(dispatch)
                )
            }
            Self::GivenBack { stored } => {
                format!(
                    "{}; a stored MWh is worth {stored}, one given back {}{}",
                    cost(),
                    price_text(dispatch.entries[load].worth),
                    outlook_text(dispatch)
                )
            }
            Self::KeptStored { stored } => {
                format!(
                    "{}; a stored MWh is worth {stored}{}",
                    cost(),
                    outlook_text(dispatch)
                )
            }
        }
    }
}

impl Limit {
    fn explain(self, dispatch: &Dispatch, site: &Site) -> String {
        match self {
            Self::Import => {
                format!(
                    "the import limit of {}{}",
                    dispatch.import_limit,
                    unexplained_text(dispatch)
                )
            }
            Self::BestEffort => format!(
                "the grid's best-effort limit of {}{}",
                dispatch.sheddable_limit,
                unexplained_text(dispatch)
            ),
            Self::Export => {
                format!("the export limit of {}", site.interconnection.export_limit)
            }
            Self::Feeder(ix) => {
                let feeder = &site.feeders[ix];
                format!("feeder {}'s limit of {}", feeder.name, feeder.limit)
            }
        }
    }
}

/// What comes off a limit on import because no load explains it.
fn unexplained_text(dispatch: &Dispatch) -> String {
    if dispatch.unexplained.is_zero() {
        return String::new();
    }
    format!(" less {} that no load explains", dispatch.unexplained)
}

fn programme_text(site: &Site, programme: ProgrammeIx) -> &str {
    site.programmes.get(programme).map_or("a programme", |one| &one.name)
}

fn worth_text(dispatch: &Dispatch, site: &Site, load: LoadIx) -> String {
    let Some(worth) = dispatch.entries[load].worth else {
        return "worth not known".to_owned();
    };
    match &site.loads[load].kind {
        LoadKind::Rigs(rigs) if rigs.strike.is_some() => format!("strike {worth}"),
        LoadKind::Rigs(_) => {
            let source = dispatch.hashprice.map_or(String::new(), |known| {
                format!(" ({} of {})", known.value, date(known.during.start))
            });
            format!("mining earns {worth}{source}")
        }
        LoadKind::Racks(racks) => match &racks.terms {
            Terms::Contracted { .. } => {
                let known = racks.tranche().and_then(|tranche| {
                    dispatch.exposures.iter().find(|known| known.tranche == *tranche)
                });
                match known {
                    Some(known) => {
                        let rack = known.rack_text(racks);
                        let pue = site.pue_of(load, dispatch.outside);
                        let floor = floor_text(dispatch, site, load, known);
                        format!(
                            "a lost MWh costs {worth} ({known}; {rack}, {pue}){floor}"
                        )
                    }
                    None => format!("a lost MWh costs {worth}"),
                }
            }
            Terms::Uncommitted { price, .. } => {
                let offer = offer_text(dispatch, site, load);
                match dispatch.spot {
                    None => format!("serving earns {worth} ({price}{offer})"),
                    Some(spot) => {
                        let known = clock_or_date(dispatch, spot.known_at);
                        let until = clock_or_date(dispatch, spot.during.end);
                        format!(
                            "serving earns {worth} ({} until {until}, {}, known {known}{offer})",
                            spot.value, spot.source,
                        )
                    }
                }
            }
        },
        LoadKind::Battery(_) => format!("a stored MWh is worth {worth}"),
    }
}

/// What a contract's floor makes of a load's draw: which GPUs are below it, and what
/// that comes to.
fn floor_text(
    dispatch: &Dispatch,
    site: &Site,
    load: LoadIx,
    known: &Exposure,
) -> String {
    let (LoadKind::Racks(racks), Setpoint::Level(level), Some(floor)) =
        (&site.loads[load].kind, dispatch.entries[load].setpoint, known.floor)
    else {
        return String::new();
    };
    let (machines, floor) = (&racks.machines, floor.as_watts());
    let at_floor = machines.taken(level, known.floor_point(racks));
    let below = (machines.count - at_floor) * racks.gpus_per_rack;
    if below == 0 {
        return format!(
            "; none is held below the floor of {floor} W a GPU: no credit is due"
        );
    }
    let start = dispatch.interval.start;
    let hour = match known.of {
        Capacity::Gpu => {
            let hour = known.per_hour_at(start).times(i64::from(below));
            format!("{hour} an hour")
        }
        Capacity::Kilowatt => "what each kW of it costs".to_owned(),
    };
    match known.excused(start) {
        Some(event) => format!(
            "; {below} GPUs below the floor of {floor} W a GPU are excused by the flex event {} until \
             {}, with {} left of the month's: {hour}",
            event.id,
            clock_or_date(dispatch, event.during.end),
            hours_text(event.left),
        ),
        None => {
            format!(
                "; {below} GPUs below the floor of {floor} W a GPU count as down: {hour}"
            )
        }
    }
}

/// A length in hours and minutes.
fn hours_text(length: Seconds) -> String {
    let minutes = length.as_seconds() / 60;
    format!("{} h {:02} min", minutes / 60, minutes % 60)
}

/// What of a load's racks is on offer, where the site says which racks they are.
fn offer_text(dispatch: &Dispatch, site: &Site, load: LoadIx) -> String {
    let Some(of) = dispatch.on_offer.iter().find(|one| one.load == load) else {
        return String::new();
    };
    let racks = |count: u32| if count == 1 { "rack" } else { "racks" };
    let mut text =
        format!("; {} GPUs in {} {} on offer", of.gpus, of.offered, racks(of.offered));
    if let (noticed @ 1.., Some(until)) = (of.noticed, of.until) {
        let until = clock_or_date(dispatch, until);
        text.push_str(&format!(", {noticed} of them promised from {until} on"));
    }
    let up = of.held - of.down;
    if up > 0 {
        text.push_str(&format!("; {up} {} kept up", racks(up)));
    }
    match of.down {
        0 => {}
        1 => text.push_str("; 1 held rack is down and waits to be started"),
        down => {
            text.push_str(&format!(
                "; {down} held racks are down and wait to be started"
            ));
        }
    }
    let dark = of.dark(site);
    if dark > 0 {
        text.push_str(&format!("; {dark} not to be had"));
    }
    text
}

fn cost_text(dispatch: &Dispatch) -> String {
    let Some(used) = dispatch.price else {
        return "no price is known".to_owned();
    };
    let known = used.known;
    let source =
        format!("({}, known {})", known.source, clock_or_date(dispatch, known.known_at));
    if used.freshness != crate::state::Freshness::Fresh {
        return format!(
            "the last price known is {} {source}, of {}",
            known.value, known.during
        );
    }
    let mut text = match dispatch.cost() {
        Some(cost) if cost != known.value => {
            format!("power costs {cost}: {} {source}", known.value)
        }
        _ => format!("power costs {} {source}", known.value),
    };
    if !dispatch.adders.is_zero() {
        text.push_str(&format!(" + adders {}", dispatch.adders));
    }
    if let Some(peak) = dispatch.peak_adder.filter(|adder| !adder.is_zero()) {
        text.push_str(&format!(" + expected coincident peak {peak}"));
    }
    text
}

/// A price that is there.
fn price_text(price: Option<EnergyPrice>) -> String {
    price.map_or("not known".to_owned(), |price| price.to_string())
}

/// Whose prices a band was weighed by, where minimum times commit a load.
fn committed_text(dispatch: &Dispatch, site: &Site, load: LoadIx) -> String {
    if site.loads[load].envelope.commits() {
        outlook_text(dispatch)
    } else {
        String::new()
    }
}

/// Whose prices were expected, and up to when.
fn outlook_text(dispatch: &Dispatch) -> String {
    let Some(outlook) = dispatch.outlook else { return String::new() };
    format!(
        " by what is expected until {} ({}, known {})",
        outlook.until,
        outlook.source,
        clock_or_date(dispatch, outlook.known_at)
    )
}

fn battery_text(site: &Site, load: LoadIx) -> String {
    match &site.loads[load].kind {
        LoadKind::Battery(battery) => format!(
            "charges up to {}, discharges from {}",
            battery.charge_below, battery.discharge_above
        ),
        LoadKind::Rigs(_) | LoadKind::Racks(_) => String::new(),
    }
}

/// How far a load can be moved, in megawatts.
fn reach_text(dispatch: &Dispatch, site: &Site, load: LoadIx) -> String {
    let reach = dispatch.entries[load].reach;
    let draw = |level| site.power_at(load, Setpoint::Level(level), dispatch.outside);
    let is_about = |one: &&crate::state::OnOffer| one.load == load;
    let on_offer = dispatch.on_offer.iter().find(is_about);
    if reach.floor == reach.ceiling && on_offer.is_some_and(|one| one.offered == 0) {
        let (racks, draw) = (offer_text(dispatch, site, load), draw(reach.floor));
        return format!("nothing of it may be moved{racks}; counted at {draw}");
    }
    if reach.floor == reach.ceiling {
        return format!(
            "none of its machines takes orders; counted at {}",
            draw(reach.floor)
        );
    }
    format!(
        "its machines that take orders can bring it to between {} and {}; {}, {}",
        draw(reach.floor),
        draw(reach.ceiling),
        worth_text(dispatch, site, load),
        cost_text(dispatch)
    )
}

/// Why a battery rests at a cost at which it would act.
fn rest_text(dispatch: &Dispatch, site: &Site, load: LoadIx) -> &'static str {
    match (&site.loads[load].kind, dispatch.cost()) {
        (LoadKind::Battery(battery), Some(cost)) if cost >= battery.discharge_above => {
            "; it has nothing left to give"
        }
        (LoadKind::Battery(battery), Some(cost)) if cost <= battery.charge_below => {
            "; it is full, or worthier loads leave it no room"
        }
        (LoadKind::Battery(_) | LoadKind::Rigs(_) | LoadKind::Racks(_), _) => "",
    }
}

/// The time of day, with its date where that is not the interval's own.
fn clock_or_date(dispatch: &Dispatch, at: Timestamp) -> String {
    if at.utc_date() == dispatch.interval.start.utc_date() {
        clock(at)
    } else {
        at.to_string()
    }
}

fn date(at: Timestamp) -> String {
    let (year, month, day) = at.utc_date();
    format!("{year:04}-{month:02}-{day:02}")
}
