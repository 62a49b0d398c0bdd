//! Grid feeds as meant: where each programme's events come from.

use std::path::Path;

use adapters::openadr::{PowerUnit, Private, Reading};

use super::contacts::{KeptIn, kept_in};
use super::problem::Findings;
use super::written::Table;

/// Where a programme's events come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenAdr {
    /// The programme's name.
    pub programme: String,
    /// The VTN.
    pub url: String,
    /// The program's name or id there.
    pub program: String,
    /// Where `client-id:client-secret` is kept.
    pub login: KeptIn,
    /// Whether plain HTTP may go to another machine.
    pub allow_plain: bool,
    /// Certificate authorities in place of the machine's own.
    pub authorities: Option<KeptIn>,
    /// How its events are read.
    pub reading: Reading,
}

/// Reads the feeds of a site file in `folder`.
pub(super) fn feeds(
    root: &Table,
    folder: &Path,
    found: &mut Findings<'_>,
) -> Vec<OpenAdr> {
    let mut list = Vec::new();
    for programme in root.tables("programmes") {
        let Some(table) = programme.table("openadr") else { continue };
        let login = kept_in(table, "login", folder, found);
        let authorities = kept_in(table, "authorities", folder, found);
        let text = |key| table.text(key).map(str::to_owned);
        let power = |key| table.power(key);
        let named = (programme.text("name"), text("url"), text("program"), login);
        let (Some(name), Some(url), Some(program), Some(login)) = named else {
            continue;
        };
        list.push(OpenAdr {
            programme: name.to_owned(),
            url,
            program,
            login,
            allow_plain: table.flag("allow_plain").unwrap_or(false),
            authorities,
            reading: Reading {
                power_unit: match table.text("power_unit") {
                    Some("kw") => Some(PowerUnit::Kilowatts),
                    Some("mw") => Some(PowerUnit::Megawatts),
                    _ => None,
                },
                emergency_limit: power("emergency_limit_mw"),
                simple_limits: [
                    power("simple_1_limit_mw"),
                    power("simple_2_limit_mw"),
                    power("simple_3_limit_mw"),
                ],
                private: Private {
                    arm: text("arm_payload"),
                    disarm: text("disarm_payload"),
                    base_point: text("base_point_payload"),
                    trip: text("trip_payload"),
                    restore: text("restore_payload"),
                    test: text("test_payload"),
                },
            },
        });
    }
    list
}
