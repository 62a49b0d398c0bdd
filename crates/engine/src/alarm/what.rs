//! What can be wrong, how urgent it is, and the sentences that say so: the
//! consequence first, then the cause, then what to do.

use serde::{Deserialize, Serialize};
use units::{Power, Timestamp};

use super::{OfRacks, Trouble, Urgency};
use crate::ranges::Ranges;
use crate::site::FailSafe;

/// What is wrong, with the figures of its sentences. Names, not places: a changed
/// site file leaves them true.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum What {
    /// A load that a person works on was seen running.
    LockedOutRuns {
        /// Which load.
        load: String,
        /// Which machines of it; `None` is the load as one device.
        machines: Option<Ranges>,
        /// What they were seen to draw.
        draw: Power,
        /// The roles that locked it out.
        roles: Vec<String>,
    },
    /// Loads may draw more than a limit, at worst.
    MayExceed {
        /// Which limit.
        limit: LimitNamed,
        /// How much it allows.
        size: Power,
        /// By how much they may be above it.
        by: Power,
        /// The machines that make most of the difference.
        unheard: Option<Unheard>,
        /// Whether everything under it that can be shed is ordered off.
        all_shed: bool,
    },
    /// The interconnection's meter shows more than the site may draw.
    AboveLimit {
        /// What it may draw.
        size: Power,
        /// What the meter shows.
        draw: Power,
    },
    /// A load under contract is cut.
    ContractCut {
        /// The racks that are off or capped.
        racks: Group,
        /// Which limit cuts it.
        limit: LimitNamed,
        /// How much that allows.
        size: Power,
    },
    /// The site draws what no load explains, or less than its loads.
    Unexplained {
        /// What is drawn beyond what loads can draw; negative is missing.
        draw: Power,
        /// What the site may draw.
        import_limit: Power,
    },
    /// Machines answer nobody.
    Silent {
        /// Which, and how many.
        machines: Group,
        /// Since when the first of them.
        since: Timestamp,
    },
    /// Machines do something else than ordered.
    Defiant {
        /// Which, and how many.
        machines: Group,
        /// Since when the first of them.
        since: Timestamp,
    },
    /// A lock-out is past its expected end.
    LockOutOverdue {
        /// Which load.
        load: String,
        /// Which machines of it; `None` is the whole load.
        machines: Option<Ranges>,
        /// The role that locked it out.
        role: String,
        /// Why.
        reason: String,
        /// When it was to end.
        expected: Timestamp,
    },
    /// A programme's link is silent.
    LinkSilent {
        /// Which programme.
        programme: String,
        /// Since when.
        since: Timestamp,
        /// Where the site goes.
        fail_safe: FailSafe,
    },
    /// The interconnection's meter is silent.
    MeterSilent {
        /// Since when.
        since: Timestamp,
    },
    /// No price that can be decided on is known.
    PriceStale {
        /// The end of what the last one known was about.
        last: Option<Timestamp>,
    },
    /// Nobody knows what mining earns.
    HashpriceStale {
        /// The end of what the last one known was about.
        last: Option<Timestamp>,
    },
    /// What the grid said cannot be, and was not used.
    Quarantined {
        /// By which programme.
        programme: String,
        /// Why not, the last time.
        why: String,
        /// How many.
        count: u32,
    },
    /// Something is wrong with the program itself.
    Program(Trouble),
    /// Trays of GPU racks wait for longer than is allowed.
    TraysOverdue {
        /// How many.
        trays: u32,
        /// The slot of the first.
        first: String,
        /// Where that is, and what it waits for.
        waits: String,
    },
    /// Racks that are promised or being tested are down, and nobody had them so.
    HeldDown {
        /// Which, and how many.
        racks: Group,
    },
    /// Something is wrong with a GPU rack, or with what a tenant has.
    OfRacks(OfRacks),
}

/// Machines of one load.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// Which load.
    pub load: String,
    /// Whether they are racks; else rigs.
    pub racks: bool,
    /// Whether the load is under contract.
    pub firm: bool,
    /// How many of them.
    pub count: u32,
    /// Of how many.
    pub of: u32,
}

/// Machines that have not answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unheard {
    /// Which, and how many.
    pub machines: Group,
    /// Since when the first of them.
    pub since: Timestamp,
}

/// A limit by its name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum LimitNamed {
    /// What the site may draw.
    Import,
    /// What the site may send back.
    Export,
    /// What a feeder may carry.
    Feeder(String),
}

/// What an alarm is about: of one subject, one alarm stands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Subject {
    kind: u8,
    about: String,
}

/// The sentences of an alarm.
pub(super) struct Words {
    pub(super) consequence: String,
    pub(super) cause: String,
    pub(super) action: String,
}

impl What {
    pub(super) fn subject(&self) -> Subject {
        let of_lock_out = |load: &str, machines: &Option<Ranges>, role: &str| {
            let machines = machines.as_ref().map_or(String::new(), Ranges::to_string);
            format!("{load}\n{machines}\n{role}")
        };
        let (kind, about) = match self {
            Self::LockedOutRuns { load, .. } => (0, load.clone()),
            Self::MayExceed { limit, .. } => (1, limit.to_string()),
            Self::AboveLimit { .. } => (2, String::new()),
            Self::ContractCut { racks, .. } => (3, racks.load.clone()),
            Self::Unexplained { .. } => (4, String::new()),
            Self::Silent { machines, .. } => (5, machines.load.clone()),
            Self::Defiant { machines, .. } => (6, machines.load.clone()),
            Self::LockOutOverdue { load, machines, role, .. } => {
                (7, of_lock_out(load, machines, role))
            }
            Self::LinkSilent { programme, .. } => (8, programme.clone()),
            Self::MeterSilent { .. } => (9, String::new()),
            Self::PriceStale { .. } => (10, String::new()),
            Self::HashpriceStale { .. } => (11, String::new()),
            Self::Quarantined { programme, .. } => (12, programme.clone()),
            Self::Program(trouble) => (13, format!("{trouble:?}")),
            Self::TraysOverdue { .. } => (14, String::new()),
            Self::HeldDown { racks } => (15, racks.load.clone()),
            Self::OfRacks(what) => {
                let (kind, about) = what.about();
                (16 + kind, about.to_owned())
            }
        };
        Subject { kind, about }
    }

    /// How soon somebody must act.
    pub fn urgency(&self) -> Urgency {
        match self {
            Self::LockedOutRuns { .. }
            | Self::MayExceed { .. }
            | Self::AboveLimit { .. }
            | Self::ContractCut { .. }
            | Self::HeldDown { .. } => Urgency::Critical,
            // A tenth of what the site may draw is no rounding any more.
            Self::Unexplained { draw, import_limit } => {
                let ten = i128::from(draw.as_watts().abs()) * 10;
                match ten > i128::from(import_limit.as_watts()) {
                    true => Urgency::Critical,
                    false => Urgency::Warning,
                }
            }
            Self::Silent { machines, .. } | Self::Defiant { machines, .. } => {
                machines.urgency()
            }
            Self::LockOutOverdue { .. }
            | Self::LinkSilent { .. }
            | Self::MeterSilent { .. }
            | Self::PriceStale { .. }
            | Self::HashpriceStale { .. }
            | Self::Quarantined { .. }
            | Self::TraysOverdue { .. } => Urgency::Warning,
            Self::OfRacks(what) => what.urgency(),
            Self::Program(trouble) => match trouble {
                Trouble::JournalNotWritable
                | Trouble::StoreFull
                | Trouble::SiteLinkLost
                | Trouble::PoolsChanged
                | Trouble::CertificatesChanged => Urgency::Critical,
                Trouble::ClockJumped
                | Trouble::DeliveryFailing
                | Trouble::DevicesMissing
                | Trouble::DevicesChanged => Urgency::Warning,
            },
        }
    }

    /// How large it is, in what it is counted in: twice as much is told again.
    pub(super) fn size(&self) -> u64 {
        match self {
            Self::LockedOutRuns { machines, .. } => {
                machines.as_ref().map_or(1, |machines| u64::from(machines.len()))
            }
            Self::MayExceed { by, .. } => by.as_watts().unsigned_abs(),
            Self::AboveLimit { size, draw } => (*draw - *size).as_watts().unsigned_abs(),
            Self::ContractCut { racks, .. } | Self::HeldDown { racks } => {
                u64::from(racks.count)
            }
            Self::Unexplained { draw, .. } => draw.as_watts().unsigned_abs(),
            Self::Silent { machines, .. } | Self::Defiant { machines, .. } => {
                u64::from(machines.count)
            }
            Self::Quarantined { count, .. } => u64::from(*count),
            Self::TraysOverdue { trays, .. } => u64::from(*trays),
            Self::OfRacks(what) => what.size(),
            Self::LockOutOverdue { .. }
            | Self::LinkSilent { .. }
            | Self::MeterSilent { .. }
            | Self::PriceStale { .. }
            | Self::HashpriceStale { .. }
            | Self::Program(_) => 1,
        }
    }

    /// The consequence, in one sentence.
    pub fn consequence(&self) -> String {
        self.words().consequence
    }

    pub(super) fn words(&self) -> Words {
        let (consequence, cause, action) = match self {
            Self::LockedOutRuns { load, machines, draw, roles } => (
                format!(
                    "Somebody working on {} may be hurt.",
                    some_of(load, machines.as_ref())
                ),
                format!(
                    "Locked out by {}, and seen running at {}.",
                    roles.join(" and "),
                    kw(*draw)
                ),
                "Get everybody away from it, then cut its power at the breaker."
                    .to_owned(),
            ),
            Self::MayExceed { limit, size, by, unheard, all_shed } => (
                format!("{limit} may draw {} more than its {} limit.", mw(*by), mw(*size)),
                match unheard {
                    Some(unheard) => format!(
                        "{} {} not answered since {}.",
                        capital(&unheard.machines.to_string()),
                        if unheard.machines.count == 1 { "has" } else { "have" },
                        clock(unheard.since)
                    ),
                    None => "Loads draw more than they were ordered.".to_owned(),
                },
                match all_shed {
                    true => "Everything that can be shed is ordered off; \
                             cut what does not answer at its breaker."
                        .to_owned(),
                    false => "Shedding goes on; \
                              if it does not help, cut what does not answer at its breaker."
                        .to_owned(),
                },
            ),
            Self::AboveLimit { size, draw } => (
                format!(
                    "The site draws {} more than its {} limit.",
                    mw(*draw - *size),
                    mw(*size)
                ),
                format!("The interconnection's meter shows {}.", mw(*draw)),
                "Shedding goes on; \
                 if it does not help, open a feeder and tell the grid's control room."
                    .to_owned(),
            ),
            Self::ContractCut { racks, limit, size } => (
                format!("A contract is not served in full: {racks} are off or capped."),
                match limit {
                    LimitNamed::Import => {
                        format!("The site may draw no more than {}.", mw(*size))
                    }
                    LimitNamed::Export => {
                        format!("The site may send back no more than {}.", mw(*size))
                    }
                    LimitNamed::Feeder(feeder) => {
                        format!("Feeder `{feeder}` may carry no more than {}.", mw(*size))
                    }
                },
                "Everything else under that limit was shed first; tell the tenant, and \
                 ask whether the limit can be lifted."
                    .to_owned(),
            ),
            Self::Unexplained { draw, import_limit } if *draw >= Power::ZERO => (
                format!(
                    "{} are drawn that no load explains, {} of what the site may draw.",
                    mw(*draw),
                    share(*draw, *import_limit)
                ),
                "A machine draws more than it says, or something is connected that the \
                 site file does not name."
                    .to_owned(),
                "Compare the feeders' meters; until it is found it comes off what loads \
                 may draw."
                    .to_owned(),
            ),
            Self::Unexplained { draw, .. } => (
                format!(
                    "The site draws {} less than its loads say they do.",
                    mw(Power::ZERO - *draw)
                ),
                "Machines do not run as they say, or the interconnection's meter is wrong."
                    .to_owned(),
                "Compare the feeders' meters; what mining and tenants are paid may be \
                 short."
                    .to_owned(),
            ),
            Self::Silent { machines, since } => (
                format!(
                    "{} cannot be told anything and {} counted at full draw.",
                    capital(&machines.to_string()),
                    if machines.count == 1 { "is" } else { "are" }
                ),
                format!("No answer since {}.", clock(*since)),
                "Look at their switch and their power first; one by one if they share none."
                    .to_owned(),
            ),
            Self::Defiant { machines, since } => (
                format!(
                    "{} {} not do as ordered and {} left alone for 15 min at a time.",
                    capital(&machines.to_string()),
                    if machines.count == 1 { "does" } else { "do" },
                    if machines.count == 1 { "is" } else { "are" }
                ),
                format!("Seen at something else since {}.", clock(*since)),
                "Look for another controller, a pool-side switch or a fault in the firmware."
                    .to_owned(),
            ),
            Self::LockOutOverdue { load, machines, role, reason, expected } => (
                format!("Nothing starts {}.", some_of(load, machines.as_ref())),
                format!(
                    "The lock-out by {role} ({reason}) was to end at {}.",
                    clock(*expected)
                ),
                format!(
                    "Ask {role} whether the work is done; only that role can release it."
                ),
            ),
            Self::LinkSilent { programme, since, fail_safe } => (
                match fail_safe {
                    FailSafe::Hold => format!(
                        "What `{programme}` asked last stays in force, and nothing it asks \
                         now is heard."
                    ),
                    FailSafe::Limit(level) => format!(
                        "The site goes to {}, the fail-safe level of `{programme}`.",
                        mw(*level)
                    ),
                },
                format!("Its link has been silent since {}.", clock(*since)),
                "Call the programme's control room, and enter by hand what it asks."
                    .to_owned(),
            ),
            Self::MeterSilent { since } => (
                "Nobody sees what the site draws; the largest unexplained draw of the last \
                 hour is assumed."
                    .to_owned(),
                format!(
                    "The interconnection's meter has said nothing that can be believed \
                     since {}.",
                    clock(*since)
                ),
                "Look at the meter's link; read the meter by hand against the limit."
                    .to_owned(),
            ),
            Self::PriceStale { last } => (
                "Nothing is started on price.".to_owned(),
                match last {
                    Some(last) => {
                        format!("The last price known is of the time until {}.", clock(*last))
                    }
                    None => "No price is known.".to_owned(),
                },
                "Look at the price feed.".to_owned(),
            ),
            Self::HashpriceStale { last } => (
                "Rigs without a strike price stand still.".to_owned(),
                match last {
                    Some(last) => {
                        format!("The last hashprice known is of the time until {last}.")
                    }
                    None => "No hashprice is known.".to_owned(),
                },
                "Look at the bitcoin feed.".to_owned(),
            ),
            Self::Quarantined { programme, why, count } => (
                format!("Something that `{programme}` asked is not done."),
                format!(
                    "What it said cannot be used{}: {why}.",
                    match count {
                        1 => String::new(),
                        count => format!(", {count} times within 10 min"),
                    }
                ),
                "Ask its control room what was meant, and enter that by hand.".to_owned(),
            ),
            Self::TraysOverdue { trays, first, waits } => (
                match trays {
                    1 => "A tray of a GPU rack does not come on by itself.".to_owned(),
                    trays => {
                        format!("{trays} trays of GPU racks do not come on by themselves.")
                    }
                },
                format!("{first} is {waits}."),
                "Look at the machine; have it ordered once more, or take it out for repair."
                    .to_owned(),
            ),
            Self::HeldDown { racks } => (
                format!(
                    "Who was promised it, or tests it, has no power: {racks} {} down.",
                    if racks.count == 1 { "is" } else { "are" }
                ),
                "What is on offer was brought down for it first; it did not start, or a \
                 limit or a ramp leaves no room for it."
                    .to_owned(),
                "See whether it takes orders and has power; where a limit leaves no room, \
                 ask whether that can be lifted, and tell the tenant."
                    .to_owned(),
            ),
            Self::OfRacks(what) => return what.words(),
            Self::Program(Trouble::JournalNotWritable) => (
                "No order is given any more; loads go to their fail-safe levels when \
                 their leases end."
                    .to_owned(),
                "What happens cannot be written to the journal.".to_owned(),
                "Look at the disk and at the database.".to_owned(),
            ),
            Self::Program(Trouble::StoreFull) => (
                "Nothing is raised any more, and soon no order can be given.".to_owned(),
                "The store has no room left.".to_owned(),
                "Make room on its disk.".to_owned(),
            ),
            Self::Program(Trouble::ClockJumped) => (
                "Prices, limits and leases may be taken at the wrong time.".to_owned(),
                "The machine's clock jumped.".to_owned(),
                "Look at its time service.".to_owned(),
            ),
            Self::Program(Trouble::DeliveryFailing) => (
                "Alarms may reach nobody.".to_owned(),
                "A channel that carries them refuses or does not answer.".to_owned(),
                "Look at the mail server and the webhook's receiver.".to_owned(),
            ),
            Self::Program(Trouble::SiteLinkLost) => (
                "Nothing can be ordered, and machines fall to their fail-safe levels when \
                 their leases end."
                    .to_owned(),
                "The link to the site is lost.".to_owned(),
                "Look at the network between here and the site.".to_owned(),
            ),
            Self::Program(Trouble::PoolsChanged) => (
                "What the site mines may be paid to somebody else.".to_owned(),
                "The census found machines that send their work elsewhere than the site \
                 file, or than before."
                    .to_owned(),
                "See `mw census --show` for which, take them off the network, and find \
                 out who changed them."
                    .to_owned(),
            ),
            Self::Program(Trouble::DevicesMissing) => (
                "Machines may run, or rest, without anybody knowing.".to_owned(),
                "The census does not find devices that were there or should be."
                    .to_owned(),
                "See `mw census --show` for which, and look at their power and their \
                 switch."
                    .to_owned(),
            ),
            Self::Program(Trouble::DevicesChanged) => (
                "Orders may reach other machines than they are meant for.".to_owned(),
                "The census found devices that are new, moved, replaced or of another \
                 firmware."
                    .to_owned(),
                "See `mw census --show` for which; if somebody changed them on purpose, \
                 correct the site file."
                    .to_owned(),
            ),
            Self::Program(Trouble::CertificatesChanged) => (
                "Those devices are not spoken to: somebody may stand between us and them."
                    .to_owned(),
                "Devices show another certificate than the one they showed first."
                    .to_owned(),
                "See `refused` in certificates.json of the data folder for which. Where \
                 somebody renewed one on purpose, stop the driver, take its lines out and \
                 start it anew."
                    .to_owned(),
            ),
        };
        Words { consequence, cause, action }
    }
}

impl Group {
    /// A few silent rigs are every day's work; a hundredth of a load is not, and a
    /// fifth is an outage. Racks under contract have no such slack.
    fn urgency(&self) -> Urgency {
        let (count, of) = (u64::from(self.count), u64::from(self.of));
        if count * 5 >= of {
            Urgency::Critical
        } else if count * 100 >= of || self.firm {
            Urgency::Warning
        } else {
            Urgency::Note
        }
    }
}

impl std::fmt::Display for Group {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let noun = match (self.racks, self.of) {
            (true, 1) => "rack",
            (true, _) => "racks",
            (false, 1) => "rig",
            (false, _) => "rigs",
        };
        write!(f, "{} of the {} {noun} of `{}`", self.count, self.of, self.load)
    }
}

impl std::fmt::Display for LimitNamed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Import => f.write_str("The site"),
            Self::Export => f.write_str("The site, sending back,"),
            Self::Feeder(feeder) => write!(f, "Feeder `{feeder}`"),
        }
    }
}

fn some_of(load: &str, machines: Option<&Ranges>) -> String {
    let Some(machines) = machines else { return format!("`{load}`") };
    let mut text = machines.to_string();
    if text.len() > 60 {
        let end = text[..60].rfind(',').unwrap_or(60);
        text.truncate(end);
        text.push_str(" and others");
    }
    match machines.len() {
        1 => format!("machine {text} of `{load}`"),
        _ => format!("machines {text} of `{load}`"),
    }
}

/// Megawatts without the noughts that say nothing.
fn mw(power: Power) -> String {
    let text = power.to_mw_text(3);
    let text = match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.'),
        false => text.as_str(),
    };
    format!("{text} MW")
}

fn kw(power: Power) -> String {
    match power.as_watts() {
        watts @ ..10_000 => format!("{watts} W"),
        watts => format!("{} kW", watts / 1_000),
    }
}

fn share(part: Power, of: Power) -> String {
    let of = of.as_watts().max(1);
    format!("{} %", i128::from(part.as_watts()) * 100 / i128::from(of))
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters
        .next()
        .map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}

/// The time of day in UTC, as an alarm on a phone says it.
fn clock(at: Timestamp) -> String {
    let seconds = at.as_unix_seconds().rem_euclid(86_400);
    format!("{:02}:{:02} UTC", seconds / 3_600, seconds % 3_600 / 60)
}
