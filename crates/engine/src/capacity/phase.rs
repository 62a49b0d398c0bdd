//! The life of a tray: a short line of phases that one pure function moves.
//!
//! ```text
//! ordered > received > installed > discovered > validating > burn-in > accepted
//!                          ^                       in service < ~ > draining
//!                          +---- repair <----------------------------+      retired
//! ```
//!
//! [`next()`] reads what a tray stands at and says where it goes, or what it waits
//! for: what is expected, and what is observed instead. Health, tenancy,
//! maintenance and being a spare are attributes beside the phase, so that no fault
//! traps a machine in one.
//!
//! Invariant: an effect is done only when a look that is newer than the order shows
//! it ([`shown`]); until then it is waited for, and ordered again only after a newer
//! look has shown that it is not done.

use serde::{Deserialize, Serialize};
use units::{Seconds, Timestamp};

/// Where a tray is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Bought and not here.
    Ordered,
    /// At the dock, with its serial number read.
    Received,
    /// In its slot, with power and water.
    Installed,
    /// Its controller answers, and is that of the machine that was received.
    Discovered,
    /// Everything that was ordered has to be there, healthy and clean.
    Validating,
    /// The tests of the acceptance plan run.
    BurnIn,
    /// Passed, and free or waiting for its tenant.
    Accepted,
    /// Its tenant has it.
    InService,
    /// Given back, and not wiped yet.
    Draining,
    /// Out of its slot's duty, with a person.
    Repair,
    /// Gone for good; its slot waits for another machine.
    Retired,
}

impl Phase {
    /// Every phase in the order of the line.
    pub const ALL: [Self; 11] = [
        Self::Ordered,
        Self::Received,
        Self::Installed,
        Self::Discovered,
        Self::Validating,
        Self::BurnIn,
        Self::Accepted,
        Self::InService,
        Self::Draining,
        Self::Repair,
        Self::Retired,
    ];

    /// The phase in words.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ordered => "ordered",
            Self::Received => "received",
            Self::Installed => "installed",
            Self::Discovered => "discovered",
            Self::Validating => "validating",
            Self::BurnIn => "burn-in",
            Self::Accepted => "accepted",
            Self::InService => "in service",
            Self::Draining => "draining",
            Self::Repair => "repair",
            Self::Retired => "retired",
        }
    }

    /// Whether machines in it are looked at.
    pub const fn is_looked_at(self) -> bool {
        match self {
            Self::Ordered | Self::Received | Self::Repair | Self::Retired => false,
            Self::Installed
            | Self::Discovered
            | Self::Validating
            | Self::BurnIn
            | Self::Accepted
            | Self::InService
            | Self::Draining => true,
        }
    }
}

/// How long things may take before a person is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Times {
    /// From the dock to the slot.
    pub received: Seconds,
    /// From the slot to the first answer.
    pub installed: Seconds,
    /// Until it has power and all its GPUs.
    pub discovered: Seconds,
    /// Until it is healthy and clean.
    pub validating: Seconds,
    /// Until the verdict.
    pub burn_in: Seconds,
    /// Until it is wiped.
    pub draining: Seconds,
    /// Until it is back from repair.
    pub repair: Seconds,
    /// Until a look has to show what was ordered; then it is ordered again.
    pub response: Seconds,
    /// How often one thing is ordered before a person is told.
    pub attempts: u8,
    /// How long nobody has to have seen a machine until its state is unknown.
    pub silence: Seconds,
    /// How long before its window a maintenance has to be announced, unless it is
    /// an emergency: the tenant's time to hand machines back.
    pub hand_back: Seconds,
}

impl Default for Times {
    /// A soak of 24 to 72 hours decides burn-in; two weeks to hand back are OFM01 of
    /// NVIDIA's Requirements for AI Clouds; the rest is how long a shift would wait.
    fn default() -> Self {
        Self {
            received: Seconds::hours(14 * 24),
            installed: Seconds::hours(24),
            discovered: Seconds::hours(8),
            validating: Seconds::hours(24),
            burn_in: Seconds::hours(5 * 24),
            draining: Seconds::hours(4),
            repair: Seconds::hours(14 * 24),
            response: Seconds::minutes(15),
            attempts: 3,
            silence: Seconds::minutes(5),
            hand_back: Seconds::hours(14 * 24),
        }
    }
}

impl Times {
    fn all(&self) -> [Seconds; 10] {
        [
            self.received,
            self.installed,
            self.discovered,
            self.validating,
            self.burn_in,
            self.draining,
            self.repair,
            self.response,
            self.silence,
            self.hand_back,
        ]
    }

    /// The shortest of them.
    pub(crate) fn shortest(&self) -> Seconds {
        self.all().into_iter().min().expect("ten of them")
    }

    /// The longest of them.
    pub(crate) fn longest(&self) -> Seconds {
        self.all().into_iter().max().expect("ten of them")
    }

    /// How long a tray may be in a phase; nothing where it may stay.
    pub fn allowed(&self, phase: Phase) -> Option<Seconds> {
        match phase {
            Phase::Received => Some(self.received),
            Phase::Installed => Some(self.installed),
            Phase::Discovered => Some(self.discovered),
            Phase::Validating => Some(self.validating),
            Phase::BurnIn => Some(self.burn_in),
            Phase::Draining => Some(self.draining),
            Phase::Repair => Some(self.repair),
            Phase::Ordered | Phase::Accepted | Phase::InService | Phase::Retired => None,
        }
    }
}

/// What is ordered of a machine. Whether it was done, a look shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// Switch it on.
    PowerOn,
    /// Boot the wiper: it empties storage, GPU memory, TPM and firmware settings,
    /// and reports home with the order's generation.
    Wipe,
    /// Boot the tenant's image, which reports home with the order's generation.
    HandOver,
    /// Switch it off and on again.
    PowerCycle,
}

impl Command {
    /// What is ordered, in words.
    pub const fn name(self) -> &'static str {
        match self {
            Self::PowerOn => "power on",
            Self::Wipe => "wipe",
            Self::HandOver => "hand over",
            Self::PowerCycle => "power cycle",
        }
    }
}

/// An order whose effect is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// What was ordered.
    pub command: Command,
    /// The order's number at its tray; a machine refuses an older one.
    pub generation: u32,
    /// When.
    pub at: Timestamp,
    /// How often, this time included.
    pub attempts: u8,
}

/// Whether a machine has power.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Power {
    /// It runs.
    On,
    /// It does not.
    Off,
}

/// What a machine's controller says of its health (Redfish `Status.HealthRollup`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reported {
    /// All is well.
    Ok,
    /// Something needs looking at.
    Warning,
    /// Something does not work.
    Critical,
}

/// What one look showed of a tray.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shows {
    /// Whether it has power.
    pub power: Power,
    /// What its controller says.
    pub health: Reported,
    /// The GPUs that are there and work, a bit each.
    pub gpus: u8,
    /// The generation of the last wipe that reported its end; 0 for none.
    pub wiped: u32,
    /// The generation of the tenant's image that reported home; 0 for none.
    pub image: u32,
    /// When it last started (Redfish `LastResetTime`), where it says so.
    pub started: Option<Timestamp>,
    /// The least power limit of its GPUs in watts, where it has one.
    #[serde(default)]
    pub cap_w: Option<u32>,
    /// The serial number that was read, if it was.
    #[serde(default)]
    pub serial: Option<String>,
}

/// A look and when it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Look {
    /// When the machine was looked at.
    pub at: Timestamp,
    /// What it showed.
    pub shows: Shows,
}

/// What a person said of a machine since its phase began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Word {
    /// It is at the dock.
    Received,
    /// It is in its slot.
    Installed,
    /// It is taken out of duty.
    Pulled,
    /// It, or another in its place, is ready in its slot.
    Repaired,
    /// It is gone for good.
    Retired,
}

/// What the tests came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tested {
    /// When the results were judged.
    pub at: Timestamp,
    /// Whether every check passed.
    pub passed: bool,
}

/// Everything that [`next()`] may look at.
#[derive(Clone, Copy, Debug)]
pub struct Standing<'s> {
    /// The phase.
    pub phase: Phase,
    /// Since when.
    pub since: Timestamp,
    /// What a person said since.
    pub word: Option<Word>,
    /// The last look, if there was one.
    pub look: Option<&'s Look>,
    /// The GPUs that have to be there, a bit each.
    pub gpus: u8,
    /// The serial number that belongs into the slot.
    pub serial: &'s str,
    /// Whether a tenant's work may be on it.
    pub dirty: bool,
    /// The verdict, once there is one since burn-in began.
    pub tested: Option<Tested>,
    /// Whether it has a seat that a tenant is to have.
    pub serve: bool,
    /// Whether its tenant's image has been seen since it was last handed over.
    pub handed: bool,
    /// Whether a person or a rule keeps it from being given to anybody.
    pub cordoned: bool,
    /// What was ordered and not seen yet.
    pub asked: Option<Asked>,
    /// How long things may take.
    pub times: &'s Times,
}

/// Where a tray goes from here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// It stays.
    Stay {
        /// What it waits for; nothing when it is where it should be.
        wait: Option<Wait>,
        /// What has to be ordered now.
        ask: Option<Command>,
    },
    /// It goes on.
    Go {
        /// The next phase.
        to: Phase,
        /// Why, in words.
        why: &'static str,
    },
}

/// What is waited for, and what is there instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wait {
    /// What has to be seen or said.
    pub expected: Expected,
    /// What is.
    pub observed: Observed,
}

/// What has to be seen or said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Expected {
    /// A person says that it is at the dock.
    Arrival,
    /// A person says that it is in its slot.
    Installation,
    /// A look at it that is newer than an instant.
    Answer {
        /// The instant.
        after: Timestamp,
    },
    /// The serial number that was received.
    Serial,
    /// Power.
    PowerOn,
    /// Every GPU, a bit each.
    Gpus(u8),
    /// Health that is reported as well.
    Healthy,
    /// The wiper's report of this generation.
    Wiped(u32),
    /// The tenant's image's report of this generation.
    Image(u32),
    /// A start after an instant.
    Start {
        /// The instant.
        after: Timestamp,
    },
    /// A verdict after an instant that passed.
    Passed {
        /// The instant.
        after: Timestamp,
    },
    /// A person says that it is ready again.
    Repair,
}

/// What was seen or said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Observed {
    /// Nothing at all.
    Nothing,
    /// The last look was then.
    LookOf(Timestamp),
    /// Another serial number, or one that belongs into another slot.
    OtherSerial,
    /// No power.
    PowerOff,
    /// These GPUs, a bit each.
    Gpus(u8),
    /// This health.
    Health(Reported),
    /// This generation of a wipe.
    Wiped(u32),
    /// This generation of an image.
    Image(u32),
    /// A start then.
    Start(Timestamp),
    /// A verdict that did not pass.
    Failed(Timestamp),
}

impl std::fmt::Display for Expected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Arrival => f.write_str("a person's word that it is at the dock"),
            Self::Installation => f.write_str("a person's word that it is in its slot"),
            Self::Answer { after } => write!(f, "an answer after {after}"),
            Self::Serial => f.write_str("the serial number that was received"),
            Self::PowerOn => f.write_str("power on"),
            Self::Gpus(gpus) => write!(f, "{} GPUs", gpus.count_ones()),
            Self::Healthy => f.write_str("health that is well"),
            Self::Wiped(generation) => write!(f, "the report of wipe {generation}"),
            Self::Image(generation) => write!(f, "the report of image {generation}"),
            Self::Start { after } => write!(f, "a start after {after}"),
            Self::Passed { after } => write!(f, "tests passed after {after}"),
            Self::Repair => f.write_str("a person's word that it is ready again"),
        }
    }
}

impl std::fmt::Display for Observed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Nothing => f.write_str("nothing"),
            Self::LookOf(at) => write!(f, "a last answer of {at}"),
            Self::OtherSerial => f.write_str("another serial number"),
            Self::PowerOff => f.write_str("power off"),
            Self::Gpus(gpus) => write!(f, "{} GPUs", gpus.count_ones()),
            Self::Health(Reported::Ok) => f.write_str("health well"),
            Self::Health(Reported::Warning) => f.write_str("health warning"),
            Self::Health(Reported::Critical) => f.write_str("health critical"),
            Self::Wiped(0) => f.write_str("no wipe"),
            Self::Wiped(generation) => write!(f, "wipe {generation}"),
            Self::Image(0) => f.write_str("no image"),
            Self::Image(generation) => write!(f, "image {generation}"),
            Self::Start(at) => write!(f, "a start of {at}"),
            Self::Failed(at) => write!(f, "tests failed at {at}"),
        }
    }
}

impl std::fmt::Display for Wait {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "expected {}, observed {}", self.expected, self.observed)
    }
}

/// Whether a look shows that an order was carried out.
pub fn shown(asked: &Asked, look: &Look) -> bool {
    let shows = &look.shows;
    let done = match asked.command {
        Command::PowerOn => shows.power == Power::On,
        Command::Wipe => shows.wiped == asked.generation,
        Command::HandOver => shows.image == asked.generation,
        Command::PowerCycle => {
            let started = shows.started.is_some_and(|started| started > asked.at);
            started && shows.power == Power::On
        }
    };
    look.at > asked.at && done
}

/// Says where a tray goes from where it stands.
pub fn next(standing: &Standing<'_>) -> Step {
    match (standing.phase, standing.word) {
        (Phase::Retired, Some(Word::Repaired)) => {
            return go(Phase::Installed, "another machine is in its slot");
        }
        (Phase::Retired, _) => return rest(),
        (_, Some(Word::Retired)) => {
            return go(Phase::Retired, "a person took it away for good");
        }
        (Phase::Ordered | Phase::Received | Phase::Repair, Some(Word::Pulled)) => {}
        (_, Some(Word::Pulled)) => return go(Phase::Repair, "a person took it out"),
        (_, Some(Word::Received | Word::Installed | Word::Repaired) | None) => {}
    }
    match standing.phase {
        Phase::Ordered => match standing.word {
            Some(Word::Received) => go(Phase::Received, "it is at the dock"),
            Some(_) | None => wait(Expected::Arrival, Observed::Nothing),
        },
        Phase::Received => match standing.word {
            Some(Word::Installed) => go(Phase::Installed, "it is in its slot"),
            Some(_) | None => wait(Expected::Installation, Observed::Nothing),
        },
        Phase::Installed => installed(standing),
        Phase::Discovered => discovered(standing),
        Phase::Validating => validating(standing),
        Phase::BurnIn => burn_in(standing),
        Phase::Accepted => accepted(standing),
        Phase::InService => in_service(standing),
        Phase::Draining => draining(standing),
        Phase::Repair => match standing.word {
            Some(Word::Repaired) => go(Phase::Installed, "it is ready in its slot"),
            Some(_) | None => wait(Expected::Repair, Observed::Nothing),
        },
        Phase::Retired => rest(),
    }
}

/// The last look, if it is newer than the phase.
fn fresh<'s>(standing: &Standing<'s>) -> Option<&'s Shows> {
    let look = standing.look.filter(|look| look.at > standing.since)?;
    Some(&look.shows)
}

fn installed(standing: &Standing<'_>) -> Step {
    let Some(shows) = fresh(standing) else { return no_answer(standing) };
    match &shows.serial {
        Some(serial) if serial == standing.serial => {
            go(Phase::Discovered, "it answers, and is the machine that was received")
        }
        Some(_) => wait(Expected::Serial, Observed::OtherSerial),
        None => wait(Expected::Serial, Observed::Nothing),
    }
}

fn discovered(standing: &Standing<'_>) -> Step {
    let Some(shows) = fresh(standing) else { return no_answer(standing) };
    if shows.power == Power::Off {
        let pending = Wait { expected: Expected::PowerOn, observed: Observed::PowerOff };
        return pursue(standing, Command::PowerOn, pending);
    }
    if shows.gpus != standing.gpus {
        return wait(Expected::Gpus(standing.gpus), Observed::Gpus(shows.gpus));
    }
    go(Phase::Validating, "it has power and every GPU")
}

fn validating(standing: &Standing<'_>) -> Step {
    if standing.dirty {
        return wiping(standing);
    }
    let Some(shows) = fresh(standing) else { return no_answer(standing) };
    match shows.health {
        Reported::Ok => go(Phase::BurnIn, "it is healthy and clean"),
        other @ (Reported::Warning | Reported::Critical) => {
            wait(Expected::Healthy, Observed::Health(other))
        }
    }
}

fn burn_in(standing: &Standing<'_>) -> Step {
    let expected = Expected::Passed { after: standing.since };
    match standing.tested {
        Some(tested) if tested.passed => go(Phase::Accepted, "it passed every test"),
        Some(tested) => wait(expected, Observed::Failed(tested.at)),
        None => wait(expected, Observed::Nothing),
    }
}

fn accepted(standing: &Standing<'_>) -> Step {
    if !standing.serve {
        return match standing.dirty {
            true => go(Phase::Draining, "it was given back before it was taken"),
            false => rest(),
        };
    }
    if standing.handed {
        return go(Phase::InService, "its tenant's image reported home");
    }
    let generation = match standing.asked {
        Some(asked) if asked.command == Command::HandOver => asked.generation,
        Some(_) | None => 0,
    };
    let image = standing.look.map_or(0, |look| look.shows.image);
    let pending =
        Wait { expected: Expected::Image(generation), observed: Observed::Image(image) };
    pursue(standing, Command::HandOver, pending)
}

fn in_service(standing: &Standing<'_>) -> Step {
    if !standing.serve {
        return go(Phase::Draining, "it was given back");
    }
    match standing.asked {
        Some(asked) if asked.command == Command::PowerCycle => {
            let started = standing.look.and_then(|look| look.shows.started);
            let pending = Wait {
                expected: Expected::Start { after: asked.at },
                observed: started.map_or(Observed::Nothing, Observed::Start),
            };
            pursue(standing, Command::PowerCycle, pending)
        }
        Some(_) | None => rest(),
    }
}

fn draining(standing: &Standing<'_>) -> Step {
    if standing.dirty {
        return wiping(standing);
    }
    let healthy = standing.look.is_some_and(|look| {
        look.shows.health == Reported::Ok && look.shows.gpus == standing.gpus
    });
    match healthy && !standing.cordoned {
        true => go(Phase::Accepted, "it is wiped and healthy"),
        false => go(Phase::Repair, "it is wiped, and not fit to be given to anybody"),
    }
}

fn wiping(standing: &Standing<'_>) -> Step {
    let generation = match standing.asked {
        Some(asked) if asked.command == Command::Wipe => asked.generation,
        Some(_) | None => 0,
    };
    let wiped = standing.look.map_or(0, |look| look.shows.wiped);
    let pending =
        Wait { expected: Expected::Wiped(generation), observed: Observed::Wiped(wiped) };
    pursue(standing, Command::Wipe, pending)
}

/// Waits for an order's effect: orders it first, and again when a look after the
/// time to respond has shown that it is not done, as often as is allowed.
fn pursue(standing: &Standing<'_>, command: Command, pending: Wait) -> Step {
    let ask = match standing.asked {
        Some(asked) if asked.command == command => {
            let late = asked.at + standing.times.response;
            let seen = standing.look.is_some_and(|look| look.at > late);
            seen && asked.attempts < standing.times.attempts
        }
        Some(_) | None => true,
    };
    Step::Stay { wait: Some(pending), ask: ask.then_some(command) }
}

fn no_answer(standing: &Standing<'_>) -> Step {
    let last = standing.look.map_or(Observed::Nothing, |look| Observed::LookOf(look.at));
    wait(Expected::Answer { after: standing.since }, last)
}

fn rest() -> Step {
    Step::Stay { wait: None, ask: None }
}

fn wait(expected: Expected, observed: Observed) -> Step {
    Step::Stay { wait: Some(Wait { expected, observed }), ask: None }
}

fn go(to: Phase, why: &'static str) -> Step {
    Step::Go { to, why }
}
