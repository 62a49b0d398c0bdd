//! The table of routes: every address, who may use it, and what it does.
//!
//! What is served, who is let in, and what the OpenAPI document says all follow from
//! this one table.
//!
//! Invariant: an address that is not in the table is not served, and a row without a
//! rule is not Rust.

use super::racks::RacksRead;
use super::racks::act::RacksAct;
use super::role::Permission::{
    Acknowledge, HandLoads, Instruct, Reload, RunRacks, SeeRacks, SeeRecord, SeeSelf,
    SeeSite, Stop, UseRacks,
};
use super::role::Rule::{self, Needs, Open};

/// How an address is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Method {
    /// To look.
    Get,
    /// To change something.
    Post,
}

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    /// How it is asked.
    pub method: Method,
    /// Its address; names in braces are parts that vary.
    pub path: &'static str,
    /// Who may.
    pub rule: Rule,
    /// What it does.
    pub does: Does,
}

/// What a route does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Does {
    /// Answers with a document.
    Read(Read),
    /// Has something done.
    Act(Act),
    /// Tells what happens as it happens.
    Events,
    /// Tells a tenant what happens to its own.
    RacksEvents,
    /// Shows a page of the console, or takes one of its forms.
    Page(Page),
}

/// Documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Read {
    /// The OpenAPI document.
    OpenApi,
    /// Who one is.
    Myself,
    /// The status document.
    Status,
    /// Every load.
    Loads,
    /// One load.
    Load,
    /// The machines of a load.
    Machines,
    /// Decisions of a time.
    Decisions,
    /// The newest decision.
    Decision,
    /// Metered intervals of a time.
    Intervals,
    /// Expected prices.
    Outlook,
    /// Alarms that stand.
    Alarms,
    /// Programmes, instructions, limits.
    Grid,
    /// The last signed checkpoint.
    Checkpoint,
    /// Something about racks.
    Racks(RacksRead),
}

/// What can be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Somebody works on a load.
    LockOut,
    /// The work is done.
    Release,
    /// Take a load out of service.
    Maintain,
    /// Put it back.
    EndMaintenance,
    /// Keep a load at a level.
    Hold,
    /// Give it back.
    EndHold,
    /// Pass on what the grid says.
    Instruct,
    /// Agree as the second person.
    Confirm,
    /// Look after an alarm.
    Acknowledge,
    /// Read the site file anew.
    Reload,
    /// End the run.
    Stop,
    /// Something about racks.
    Racks(RacksAct),
}

/// Pages and forms of the console.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Page {
    /// How the site stands now.
    Now,
    /// A day of dispatch.
    PowerDay,
    /// Racks and who has them.
    Capacity,
    /// Where a token is given.
    Login,
    /// The form of it.
    LogIn,
    /// Ends a session.
    LogOut,
    /// Somebody looks after an alarm.
    Acknowledge,
    /// The style sheet.
    Style,
    /// The script.
    Script,
}

const fn get(path: &'static str, rule: Rule, does: Read) -> Route {
    Route { method: Method::Get, path, rule, does: Does::Read(does) }
}

const fn act(path: &'static str, rule: Rule, does: Act) -> Route {
    Route { method: Method::Post, path, rule, does: Does::Act(does) }
}

const fn racks(path: &'static str, what: RacksRead) -> Route {
    get(path, Needs(SeeRacks), Read::Racks(what))
}

const fn said(path: &'static str, rule: Rule, what: RacksAct) -> Route {
    act(path, rule, Act::Racks(what))
}

const fn page(method: Method, path: &'static str, rule: Rule, does: Page) -> Route {
    Route { method, path, rule, does: Does::Page(does) }
}

/// Every route.
pub const ROUTES: &[Route] = &[
    get("/v1/openapi.json", Open, Read::OpenApi),
    get("/v1/self", Needs(SeeSelf), Read::Myself),
    get("/v1/status", Needs(SeeSite), Read::Status),
    get("/v1/loads", Needs(SeeSite), Read::Loads),
    get("/v1/loads/{load}", Needs(SeeSite), Read::Load),
    get("/v1/loads/{load}/machines", Needs(SeeSite), Read::Machines),
    act("/v1/loads/{load}/lock-out", Needs(HandLoads), Act::LockOut),
    act("/v1/loads/{load}/release", Needs(HandLoads), Act::Release),
    act("/v1/loads/{load}/maintenance", Needs(HandLoads), Act::Maintain),
    act("/v1/loads/{load}/end-maintenance", Needs(HandLoads), Act::EndMaintenance),
    act("/v1/loads/{load}/hold", Needs(HandLoads), Act::Hold),
    act("/v1/loads/{load}/end-hold", Needs(HandLoads), Act::EndHold),
    get("/v1/decisions", Needs(SeeSite), Read::Decisions),
    get("/v1/decisions/current", Needs(SeeSite), Read::Decision),
    get("/v1/intervals", Needs(SeeSite), Read::Intervals),
    get("/v1/outlook", Needs(SeeSite), Read::Outlook),
    get("/v1/alarms", Needs(SeeSite), Read::Alarms),
    act("/v1/alarms/{alarm}/acknowledge", Needs(Acknowledge), Act::Acknowledge),
    get("/v1/grid", Needs(SeeSite), Read::Grid),
    act("/v1/grid/instructions", Needs(Instruct), Act::Instruct),
    act("/v1/grid/confirmations", Needs(Instruct), Act::Confirm),
    Route {
        method: Method::Get,
        path: "/v1/events",
        rule: Needs(SeeSite),
        does: Does::Events,
    },
    racks("/v1/capacity", RacksRead::Overview),
    racks("/v1/capacity/resources", RacksRead::Resources),
    racks("/v1/capacity/blocks", RacksRead::Blocks),
    racks("/v1/capacity/incidents", RacksRead::Incidents),
    racks("/v1/capacity/maintenance", RacksRead::Windows),
    racks("/v1/capacity/flex", RacksRead::Flexes),
    racks("/v1/capacity/facts", RacksRead::Facts),
    racks("/v1/capacity/statements", RacksRead::Statements),
    racks("/v1/capacity/forecast", RacksRead::Forecast),
    Route {
        method: Method::Get,
        path: "/v1/capacity/events",
        rule: Needs(SeeRacks),
        does: Does::RacksEvents,
    },
    said("/v1/capacity/reserve", Needs(UseRacks), RacksAct::Reserve),
    said("/v1/capacity/accept", Needs(UseRacks), RacksAct::Accept),
    said("/v1/capacity/hand-over", Needs(RunRacks), RacksAct::HandOver),
    said("/v1/capacity/return", Needs(UseRacks), RacksAct::Return),
    said("/v1/capacity/return-resource", Needs(UseRacks), RacksAct::ReturnResource),
    said("/v1/capacity/power-cycle", Needs(UseRacks), RacksAct::PowerCycle),
    said("/v1/capacity/cordon", Needs(UseRacks), RacksAct::Cordon),
    said("/v1/capacity/replace", Needs(UseRacks), RacksAct::Replace),
    said("/v1/capacity/maintenance", Needs(RunRacks), RacksAct::Announce),
    said("/v1/capacity/defer-maintenance", Needs(UseRacks), RacksAct::Defer),
    said("/v1/capacity/end-maintenance", Needs(RunRacks), RacksAct::Done),
    said("/v1/capacity/cancel-maintenance", Needs(RunRacks), RacksAct::Cancel),
    said("/v1/capacity/flex", Needs(RunRacks), RacksAct::Flex),
    said("/v1/capacity/results", Needs(RunRacks), RacksAct::Judge),
    said("/v1/capacity/say", Needs(RunRacks), RacksAct::Say),
    get("/v1/checkpoint", Needs(SeeRecord), Read::Checkpoint),
    act("/v1/reload", Needs(Reload), Act::Reload),
    act("/v1/stop", Needs(Stop), Act::Stop),
    page(Method::Get, "/", Needs(SeeSite), Page::Now),
    page(Method::Get, "/power-day", Needs(SeeSite), Page::PowerDay),
    page(Method::Get, "/capacity", Needs(SeeRacks), Page::Capacity),
    page(Method::Get, "/login", Open, Page::Login),
    page(Method::Post, "/login", Open, Page::LogIn),
    page(Method::Post, "/logout", Needs(SeeSelf), Page::LogOut),
    page(
        Method::Post,
        "/alarms/{alarm}/acknowledge",
        Needs(Acknowledge),
        Page::Acknowledge,
    ),
    page(Method::Get, "/assets/console.css", Open, Page::Style),
    page(Method::Get, "/assets/console.js", Open, Page::Script),
];

/// A parameter of the address.
#[derive(Clone, Copy, Debug)]
pub struct Parameter {
    /// Its name.
    pub name: &'static str,
    /// What it is.
    pub says: &'static str,
    /// What it may be.
    pub of: Values,
}

/// What a parameter may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Values {
    /// Text.
    Text,
    /// An instant.
    Instant,
    /// A whole number up to the second, and what it is where it is left out.
    Count {
        /// Where it is left out.
        usual: u32,
        /// The most.
        most: u32,
    },
    /// `true` or `false`.
    Bool,
    /// One of these words.
    Word(&'static [&'static str]),
}

const LIMIT: Parameter = Parameter {
    name: "limit",
    says: "The most that is answered with at once.",
    of: Values::Count { usual: 100, most: 1_000 },
};
const CURSOR: Parameter = Parameter {
    name: "cursor",
    says: "Where the list goes on: `next` of the answer before, with the same filters.",
    of: Values::Text,
};
const FROM: Parameter = Parameter {
    name: "from",
    says: "What begins at this instant or later; a day ago where it is left out.",
    of: Values::Instant,
};
const TO: Parameter = Parameter {
    name: "to",
    says: "What begins before this instant; now where it is left out.",
    of: Values::Instant,
};
const STANDING: Parameter = Parameter {
    name: "standing",
    says: "Only machines that stand so.",
    of: Values::Word(&["in_hand", "silent", "defiant"]),
};
const TYPES: Parameter = Parameter {
    name: "types",
    says: "Only these kinds of events, separated by commas.",
    of: Values::Text,
};
const AFTER: Parameter = Parameter {
    name: "after",
    says: "The record after which to begin, where there is no `Last-Event-ID`; from now \
           on where both are left out.",
    of: Values::Count { usual: 0, most: u32::MAX },
};
const TRANCHE: Parameter = Parameter {
    name: "tranche",
    says: "Only what delivers this tranche.",
    of: Values::Text,
};
const OPEN: Parameter = Parameter {
    name: "open",
    says: "Only those that go on, or only those that are over.",
    of: Values::Bool,
};
const DRY_RUN: Parameter = Parameter {
    name: "dry_run",
    says: "Whether only to say what would come of it, and change nothing.",
    of: Values::Bool,
};

impl Route {
    /// The parameters that may stand in its query.
    pub fn query(&self) -> &'static [Parameter] {
        match self.does {
            Does::Read(Read::Machines) => &[LIMIT, CURSOR, STANDING],
            Does::Read(Read::Decisions | Read::Intervals) => &[FROM, TO, LIMIT, CURSOR],
            Does::Read(Read::Racks(RacksRead::Resources)) => &[TRANCHE, LIMIT, CURSOR],
            Does::Read(Read::Racks(RacksRead::Incidents)) => &[OPEN, LIMIT, CURSOR],
            Does::Read(Read::Racks(
                RacksRead::Blocks
                | RacksRead::Windows
                | RacksRead::Flexes
                | RacksRead::Facts,
            )) => &[LIMIT, CURSOR],
            Does::Read(
                Read::Racks(
                    RacksRead::Overview | RacksRead::Statements | RacksRead::Forecast,
                )
                | Read::OpenApi
                | Read::Myself
                | Read::Status
                | Read::Loads
                | Read::Load
                | Read::Decision
                | Read::Outlook
                | Read::Alarms
                | Read::Grid
                | Read::Checkpoint,
            ) => &[],
            Does::Act(_) => &[DRY_RUN],
            Does::Events => &[TYPES, AFTER],
            Does::RacksEvents => &[AFTER],
            // Pages pass over what they do not know: links may carry more.
            Does::Page(_) => &[],
        }
    }

    /// Whether it is of the API, and not of the console.
    pub fn is_api(&self) -> bool {
        match self.does {
            Does::Read(_) | Does::Act(_) | Does::Events | Does::RacksEvents => true,
            Does::Page(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_route_is_there_once_and_what_acts_is_a_post_with_a_rule() {
        let mut seen = BTreeSet::new();
        for route in ROUTES {
            assert!(seen.insert((route.path, route.method)), "{} twice", route.path);
            assert_eq!(route.is_api(), route.path.starts_with("/v1/"), "{}", route.path);
            if let Does::Act(_) = route.does {
                assert_eq!(route.method, Method::Post, "{}", route.path);
                assert_ne!(route.rule, Open, "{}", route.path);
            }
            if let Does::Read(_) = route.does {
                assert_eq!(route.method, Method::Get, "{}", route.path);
            }
        }
        let open: Vec<&str> =
            ROUTES.iter().filter(|r| r.rule == Open).map(|r| r.path).collect();
        assert_eq!(
            open,
            [
                "/v1/openapi.json",
                "/login",
                "/login",
                "/assets/console.css",
                "/assets/console.js"
            ]
        );
    }
}
