//! What is asked over HTTP, made a wish of the site.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use utoipa::ToSchema;

use super::Api;
use super::call::Call;
use super::document::DoneDocument;
use super::problem::{Kind, Problem};
use super::racks::act as racks;
use super::route::Act;
use crate::live::control::speaker::Answer;
use crate::live::control::{Told, Wish};

/// What is wanted of the run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Something of the engine.
    Wish(Wish),
    /// The site file, read anew.
    Reload,
    /// The end of the run.
    Stop,
    /// Something of the racks.
    Racks(Box<racks::Asked>),
}

/// Someone works on a load: nothing starts it until their role releases it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LockOutBody {
    /// Which machines of it, such as `3,10-19`; all where it is left out.
    #[serde(default)]
    #[schema(example = "3,10-19")]
    machines: Option<String>,
    /// Why.
    #[schema(example = "fan replacement, row 3")]
    reason: String,
    /// When the work is expected to be done: an instant with its offset, or a duration
    /// from now.
    #[schema(example = "2h")]
    expect: String,
}

/// Machines of a load.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MachinesBody {
    /// Which machines of it, such as `3,10-19`; all where it is left out.
    #[serde(default)]
    #[schema(example = "3,10-19")]
    machines: Option<String>,
}

/// Take a load out of service for a time.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MaintainBody {
    /// Which machines of it, such as `3,10-19`; all where it is left out.
    #[serde(default)]
    #[schema(example = "3,10-19")]
    machines: Option<String>,
    /// Why.
    #[schema(example = "firmware")]
    reason: String,
    /// Until when: an instant with its offset, or a duration from now.
    #[schema(example = "4h")]
    until: String,
}

/// Keep a load at a level by hand.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HoldBody {
    /// The level at the meter, in decimal megawatts.
    #[schema(example = "1.25")]
    power_mw: String,
    /// Why.
    #[schema(example = "load test")]
    reason: String,
    /// Until when: an instant with its offset, or a duration from now.
    #[schema(example = "1h")]
    until: String,
}

/// The grid said something that no feed carries.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InstructBody {
    /// Under which programme.
    #[schema(example = "grid")]
    programme: String,
    /// What it is called: a later one of the name replaces it.
    #[schema(example = "call 1")]
    name: String,
    /// What was asked.
    told: Told,
    /// The level it names, in decimal megawatts at the interconnection.
    #[serde(default)]
    #[schema(example = "4.5")]
    power_mw: Option<String>,
    /// The price it names.
    #[serde(default)]
    price_usd_per_mwh: Option<String>,
    /// From when; now where it is left out.
    #[serde(default)]
    from: Option<String>,
    /// Until when.
    #[schema(example = "1h")]
    until: String,
    /// Whether contract load may stay on where it cannot be met otherwise.
    #[serde(default)]
    best_effort: bool,
}

/// A second person agrees to what waits for one.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConfirmBody {
    /// Under which programme.
    #[schema(example = "grid")]
    programme: String,
    /// The instruction's name.
    #[schema(example = "call 1")]
    name: String,
}

/// A body without a word.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EmptyBody {}

impl Act {
    /// Whether a body may be left out.
    pub fn may_be_silent(self) -> bool {
        match self {
            Self::Release
            | Self::EndMaintenance
            | Self::EndHold
            | Self::Acknowledge
            | Self::Reload
            | Self::Stop => true,
            Self::LockOut
            | Self::Maintain
            | Self::Hold
            | Self::Instruct
            | Self::Confirm
            | Self::Racks(_) => false,
        }
    }

    /// What a call asks.
    ///
    /// # Errors
    ///
    /// When its body or address cannot be read.
    pub fn wanted(self, api: &Api, call: &Call) -> Result<Wanted, Problem> {
        let load = || call.part("load").to_owned();
        let wish = match self {
            Self::LockOut => {
                let LockOutBody { machines, reason, expect } = body(call)?;
                Wish::LockOut { load: load(), machines, reason, expect }
            }
            Self::Release => {
                let MachinesBody { machines } = body_or_none(call)?;
                Wish::Release { load: load(), machines }
            }
            Self::Maintain => {
                let MaintainBody { machines, reason, until } = body(call)?;
                Wish::Maintain { load: load(), machines, reason, until }
            }
            Self::EndMaintenance => {
                let MachinesBody { machines } = body_or_none(call)?;
                Wish::EndMaintenance { load: load(), machines }
            }
            Self::Hold => {
                let HoldBody { power_mw, reason, until } = body(call)?;
                Wish::Hold { load: load(), power_mw, reason, until }
            }
            Self::EndHold => {
                let EmptyBody {} = body_or_none(call)?;
                Wish::EndHold { load: load() }
            }
            Self::Instruct => {
                let InstructBody {
                    programme,
                    name,
                    told,
                    power_mw,
                    price_usd_per_mwh,
                    from,
                    until,
                    best_effort,
                } = body(call)?;
                Wish::Instruct {
                    programme,
                    name,
                    told,
                    power_mw,
                    price_usd_per_mwh,
                    from,
                    until,
                    best_effort,
                }
            }
            Self::Confirm => {
                let ConfirmBody { programme, name } = body(call)?;
                Wish::Confirm { programme, name }
            }
            Self::Acknowledge => {
                let EmptyBody {} = body_or_none(call)?;
                acknowledge(call)?
            }
            Self::Reload => {
                let EmptyBody {} = body_or_none(call)?;
                return Ok(Wanted::Reload);
            }
            Self::Stop => {
                let EmptyBody {} = body_or_none(call)?;
                return Ok(Wanted::Stop);
            }
            Self::Racks(act) => {
                return Ok(Wanted::Racks(Box::new(act.asked(api, call)?)));
            }
        };
        Ok(Wanted::Wish(wish))
    }
}

/// The alarm that an address names, acknowledged.
///
/// # Errors
///
/// When it is no alarm's number.
pub fn acknowledge(call: &Call) -> Result<Wish, Problem> {
    let alarm = call.part("alarm").parse().map_err(|_| {
        let why = "expected the number of an alarm, see `/v1/alarms`";
        Kind::NotFound.because(why).at("alarm")
    })?;
    Ok(Wish::Acknowledge { alarm })
}

fn body_or_none<T: DeserializeOwned + Default>(call: &Call) -> Result<T, Problem> {
    if call.body.is_empty() { Ok(T::default()) } else { body(call) }
}

/// The body of a call.
///
/// # Errors
///
/// When it is not what the OpenAPI document shows.
pub fn body<T: DeserializeOwned>(call: &Call) -> Result<T, Problem> {
    serde_json::from_slice(&call.body).map_err(|error| {
        let why = format!("expected the body that the OpenAPI document shows: {error}");
        Kind::BadRequest.because(why).at("")
    })
}

/// What became of it, as status code and body.
pub fn answer_of(answer: Answer, dry_run: bool) -> Result<DoneDocument, Problem> {
    match answer {
        Answer::Granted(granted) => Ok(DoneDocument {
            dry_run,
            says: granted.says,
            import_limit_before_mw: Some(granted.limit_before.to_mw_text(6)),
            import_limit_after_mw: Some(granted.limit_after.to_mw_text(6)),
            changes: granted.changes,
        }),
        Answer::UnderWay(says) => Ok(DoneDocument {
            dry_run,
            says: vec![says],
            import_limit_before_mw: None,
            import_limit_after_mw: None,
            changes: Vec::new(),
        }),
        Answer::NotMeant(why) => Err(Kind::NotMeant.because(why)),
        Answer::Refused(why) => Err(Kind::Refused.because(why)),
        Answer::Failed(failed) => Err(failed.into()),
    }
}
