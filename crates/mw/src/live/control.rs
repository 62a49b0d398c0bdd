//! The control socket: what others may ask of a living run, and how it answers.
//!
//! A Unix socket in the run's data folder. One connection is one request and one
//! reply, each a line of JSON. Who may open the socket may ask anything: it
//! belongs to the user that the run belongs to, and to nobody else.
//!
//! Invariant: what a person asks for is answered only when it is durable.

pub mod client;
pub mod server;
pub mod speaker;
pub mod wish;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use units::Power;

use super::status::text::mw;
use super::status::{MachineStatus, Status};
pub use wish::{Told, Wish};

/// The socket's name in a run's data folder.
pub const SOCKET: &str = "control.sock";

/// The longest request, in bytes.
pub const REQUEST_BYTES_MAX: u64 = 64 << 10;

/// The longest reply, in bytes: a hundred thousand machines take some 20 MB.
pub const REPLY_BYTES_MAX: u64 = 64 << 20;

/// What may be asked of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "snake_case", deny_unknown_fields)]
pub enum Asked {
    /// How everything stands.
    Status {},
    /// How the machines of a load stand.
    Machines {
        /// Which load, by name.
        load: String,
    },
    /// A person wants something done.
    Ask {
        /// Who.
        by: By,
        /// What.
        wish: Wish,
        /// Whether only to say what would come of it.
        #[serde(default)]
        dry_run: bool,
    },
    /// The last signed checkpoint of the journal.
    Checkpoint {},
    /// Judge a rack's trays in burn-in by what lies in the run's drop folder.
    Judge {
        /// Who wants that.
        by: By,
        /// The rack, by name.
        rack: String,
        /// The text of the acceptance plan.
        plan: String,
    },
    /// Read the site file anew.
    Reload {
        /// Who wants that.
        by: By,
    },
    /// End the run, on purpose.
    Stop {
        /// Who wants that.
        by: By,
    },
}

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct By {
    /// Their name: two people are two names.
    pub name: String,
    /// In which role.
    pub role: String,
}

/// What a run answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reply", rename_all = "snake_case")]
pub enum Reply {
    /// How everything stands.
    Status {
        /// The document.
        status: Box<Status>,
    },
    /// How the machines of a load stand.
    Machines {
        /// The load.
        load: String,
        /// Every machine, by number.
        machines: Vec<MachineStatus>,
    },
    /// It was granted, and is durable.
    Accepted {
        /// The consequence, and what comes next.
        says: Vec<String>,
        /// The tightest import limit before.
        #[serde(rename = "import_limit_before_mw", with = "mw")]
        limit_before: Power,
        /// The same after.
        #[serde(rename = "import_limit_after_mw", with = "mw")]
        limit_after: Power,
        /// Loads that are asked something else by it.
        #[serde(default)]
        changes: Vec<LoadChange>,
        /// Whether it was only asked what would come of it.
        #[serde(default)]
        dry_run: bool,
    },
    /// It was refused, and nothing has changed.
    Refused {
        /// Why, and what to do.
        why: String,
    },
    /// The last signed checkpoint; none where none was signed yet.
    Checkpoint {
        /// As `mw verify` takes it.
        checkpoint: Option<serde_json::Value>,
    },
    /// Trays were judged, and what came of it is in the record.
    Judged {
        /// What passed, and every check that failed.
        says: Vec<String>,
        /// Whether all of them passed.
        passed: bool,
        /// The hash of the signed evidence, which is kept in the data folder.
        evidence: String,
    },
    /// It is under way.
    UnderWay {
        /// What happens next.
        says: String,
    },
    /// It could not be done, or it is not known whether it was.
    Failed {
        /// Why, and what to do.
        why: String,
    },
}

/// A load that is asked something else than before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct LoadChange {
    /// Which load, by name.
    pub load: String,
    /// What it was asked, at the meter, in decimal megawatts.
    #[serde(rename = "from_mw", with = "mw")]
    #[schema(value_type = String)]
    pub from: Power,
    /// What it is asked now.
    #[serde(rename = "to_mw", with = "mw")]
    #[schema(value_type = String)]
    pub to: Power,
    /// Whether it is under contract.
    pub firm: bool,
    /// Why, with figures.
    pub reason: String,
}

/// Where the control socket of a data folder is.
pub fn socket_of(folder: &Path) -> PathBuf {
    folder.join(SOCKET)
}
