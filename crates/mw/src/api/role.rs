//! Who may do what over HTTP: roles and permissions, in one table.
//!
//! Roles are fixed at compile time. A route names the permission it needs
//! ([`Rule`]); a route without a rule cannot be written.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// In which role a token's owner comes.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    ToSchema,
    clap::ValueEnum,
)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
pub enum Role {
    /// Looks at everything of the site, and changes nothing.
    Viewer,
    /// Runs the site: loads by hand, alarms, and what the grid says by telephone.
    Operator,
    /// Speaks for the grid's side: instructions and alarms, and no loads by hand.
    Dispatcher,
    /// Settles what was drawn: looks, and reads the signed record.
    Settlement,
    /// Configures the run.
    Admin,
    /// Looks at everything, the signed record too, and changes nothing.
    Auditor,
    /// A tenant of the site: sees and uses what the tenant has, and nothing else of it.
    Tenant,
}

/// What may be done.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    ToSchema,
    clap::ValueEnum,
)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
pub enum Permission {
    /// See who one is.
    SeeSelf,
    /// See the site: loads, limits, decisions, alarms, events.
    SeeSite,
    /// Read the signed record.
    SeeRecord,
    /// Look after an alarm.
    Acknowledge,
    /// Hold a load, lock it out, take it out of service, and give it back.
    HandLoads,
    /// Pass on what the grid says, and agree as the second person.
    Instruct,
    /// Have the site file read anew.
    Reload,
    /// End the run.
    Stop,
    /// See racks and who has them; a tenant its own alone.
    SeeRacks,
    /// Reserve racks, accept them, give them back, and report what is wrong; a tenant
    /// its own alone.
    UseRacks,
    /// Bring racks in, hand them over, work on them, and call flex events.
    RunRacks,
}

/// What a route asks of whoever comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Nothing: it shows nothing of the site.
    Open,
    /// A token or a session whose role may do this.
    Needs(Permission),
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 7] = [
        Self::Viewer,
        Self::Operator,
        Self::Dispatcher,
        Self::Settlement,
        Self::Admin,
        Self::Auditor,
        Self::Tenant,
    ];

    /// The word for it, as the record and files have it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Dispatcher => "dispatcher",
            Self::Settlement => "settlement",
            Self::Admin => "admin",
            Self::Auditor => "auditor",
            Self::Tenant => "tenant",
        }
    }

    /// The table: what a role may do.
    pub const fn may(self, wanted: Permission) -> bool {
        use Permission as P;
        match wanted {
            P::SeeSelf => true,
            P::SeeSite => !matches!(self, Self::Tenant),
            P::SeeRecord => {
                matches!(self, Self::Settlement | Self::Admin | Self::Auditor)
            }
            P::Acknowledge | P::Instruct => {
                matches!(self, Self::Operator | Self::Dispatcher)
            }
            P::HandLoads => matches!(self, Self::Operator),
            P::Reload | P::Stop => matches!(self, Self::Admin),
            P::SeeRacks => true,
            P::UseRacks => matches!(self, Self::Operator | Self::Tenant),
            P::RunRacks => matches!(self, Self::Operator),
        }
    }
}

impl Permission {
    /// Every permission.
    pub const ALL: [Self; 11] = [
        Self::SeeSelf,
        Self::SeeSite,
        Self::SeeRecord,
        Self::Acknowledge,
        Self::HandLoads,
        Self::Instruct,
        Self::Reload,
        Self::Stop,
        Self::SeeRacks,
        Self::UseRacks,
        Self::RunRacks,
    ];

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::SeeSelf => "see_self",
            Self::SeeSite => "see_site",
            Self::SeeRecord => "see_record",
            Self::Acknowledge => "acknowledge",
            Self::HandLoads => "hand_loads",
            Self::Instruct => "instruct",
            Self::Reload => "reload",
            Self::Stop => "stop",
            Self::SeeRacks => "see_racks",
            Self::UseRacks => "use_racks",
            Self::RunRacks => "run_racks",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_this() {
        let header = "viewer operator dispatcher settlement admin auditor tenant";
        let words: Vec<&str> = Role::ALL.iter().map(|role| role.word()).collect();
        assert_eq!(words.join(" "), header);
        for (permission, expected) in Permission::ALL.into_iter().zip([
            "y y y y y y y",
            "y y y y y y .",
            ". . . y y y .",
            ". y y . . . .",
            ". y . . . . .",
            ". y y . . . .",
            ". . . . y . .",
            ". . . . y . .",
            "y y y y y y y",
            ". y . . . . y",
            ". y . . . . .",
        ]) {
            let found: Vec<&str> = Role::ALL
                .iter()
                .map(|role| if role.may(permission) { "y" } else { "." })
                .collect();
            assert_eq!(found.join(" "), expected, "{}", permission.word());
        }
    }
}
