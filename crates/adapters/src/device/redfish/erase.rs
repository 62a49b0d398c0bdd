//! A tray's drives, and what shows that one was erased.
//!
//! ```text
//! Drive.SecureErase ──► a task that completes, or an operation that is there and ends
//! ```
//!
//! A controller that says yes and shows neither has shown nothing: its drive is not
//! erased.

use std::collections::BTreeMap;
use std::time::Instant;

use serde_json::{Value, json};

use super::path::Path;
use super::resource::{self, Resource};
use super::service::Service;
use super::standing;
use crate::device::{Answer, DeviceText, Refusal, Unanswered};

const ERASE: &str = "/Actions/#Drive.SecureErase";

/// The ways to erase that a drive may offer, the first is taken: a key that is forgotten
/// leaves nothing to read and takes seconds.
const WAYS: [&str; 3] = ["CryptographicErase", "BlockErase", "Overwrite"];

/// The drives of one tray, while they are erased.
#[derive(Clone, Debug, Default)]
pub(super) struct Erasing {
    drives: BTreeMap<Path, Drive>,
}

/// How far one drive is.
#[derive(Clone, Debug, Default)]
struct Drive {
    asked: bool,
    /// The task that was named when it was asked.
    task: Option<Path>,
    /// Whether the drive was seen at it.
    at_it: bool,
    done: bool,
}

/// How far a drive's erasing was seen to be.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Shows {
    Nothing,
    AtIt,
    Done,
    Failed(DeviceText),
}

/// What one look at the drives came to.
#[derive(Debug)]
pub(super) enum Erased {
    /// All are erased.
    All,
    /// What is waited for.
    Waits(DeviceText),
    /// One will not be.
    Refused(Refusal),
}

impl Erasing {
    /// What is not seen to be at it is asked once more.
    pub(super) fn again(&mut self) {
        for drive in self.drives.values_mut().filter(|drive| !drive.done) {
            drive.asked &= drive.at_it;
        }
    }

    /// Asks drives that were not asked, and looks at the others.
    pub(super) async fn go_on(
        &mut self,
        service: &Service,
        host: &Resource,
        expected: Option<u32>,
        by: Instant,
    ) -> Result<Erased, Unanswered> {
        let found = drives(service, host, by).await?;
        if let Some(refused) = self.unfit(&found, expected) {
            return Ok(Erased::Refused(Refusal::Unsupported(refused)));
        }
        for resource in &found {
            let drive = self.drives.entry(resource.path.clone()).or_default();
            if drive.done {
                continue;
            }
            let name = resource.name();
            match drive.shows(service, resource, by).await? {
                Shows::Done => drive.done = true,
                Shows::AtIt => (drive.asked, drive.at_it) = (true, true),
                Shows::Failed(why) => {
                    let why = DeviceText::of(&format!("{name} was not erased: {why}"));
                    return Ok(Erased::Refused(Refusal::Other(why)));
                }
                Shows::Nothing if drive.asked => {}
                Shows::Nothing => {
                    let (answer, task) = ask(service, resource, by).await?;
                    match answer {
                        // What was not heard may have been: it is looked for.
                        Answer::Accepted | Answer::Unknown(_) => {
                            (drive.asked, drive.task) = (true, task);
                        }
                        // Nothing happened; it is asked at the next look.
                        Answer::Refused(Refusal::Busy(_)) => {}
                        Answer::Refused(why) => return Ok(Erased::Refused(why)),
                    }
                }
            }
        }
        let all = self.drives.len();
        let done = self.drives.values().filter(|drive| drive.done).count();
        if done == all {
            return Ok(Erased::All);
        }
        let silent = |drive: &Drive| drive.asked && drive.task.is_none() && !drive.at_it;
        let silent = self.drives.values().filter(|drive| silent(drive)).count();
        let mut words = format!("{done} of {all} drives erased");
        if silent > 0 {
            words += &format!(", {silent} said yes and show neither task nor operation");
        }
        Ok(Erased::Waits(DeviceText::of(&words)))
    }

    /// Why these drives cannot be seen to be erased, all of them.
    fn unfit(&self, found: &[Resource], expected: Option<u32>) -> Option<DeviceText> {
        let here = found.len();
        let gone =
            self.drives.keys().find(|path| !found.iter().any(|d| d.path == **path));
        let why = match (gone, expected) {
            (Some(gone), _) => format!("{} is gone, and not erased", gone.name()),
            (None, Some(count)) if here != count as usize => {
                format!("of {count} drives that the site file has, it shows {here}")
            }
            (None, None) if here == 0 => {
                "it shows no drive; without any, write drives = 0 in the site file"
                    .to_owned()
            }
            (None, Some(_) | None) => {
                let lacks = |drive: &&Resource| drive.link(&target()).is_none();
                let lacks = found.iter().find(lacks)?;
                format!("{} has no SecureErase", lacks.name())
            }
        };
        Some(DeviceText::of(&why))
    }
}

impl Drive {
    async fn shows(
        &mut self,
        service: &Service,
        resource: &Resource,
        by: Instant,
    ) -> Result<Shows, Unanswered> {
        // A task that ended may be forgotten; the drive itself still tells.
        if let Some(task) = &self.task
            && let Some(task) = standing::tolerate(service.find(task, by).await)?
        {
            return Ok(of_task(&task));
        }
        Ok(match (operates(resource), self.at_it) {
            (true, _) => Shows::AtIt,
            (false, true) => Shows::Done,
            (false, false) => Shows::Nothing,
        })
    }
}

fn target() -> String {
    format!("{ERASE}/target")
}

/// Drives that are there, of every storage that the system has.
async fn drives(
    service: &Service,
    host: &Resource,
    by: Instant,
) -> Result<Vec<Resource>, Unanswered> {
    let mut drives: Vec<Resource> = Vec::new();
    let Some(storage) = host.link("/Storage") else { return Ok(drives) };
    for part in service.members(&storage, by).await? {
        for path in service.get(&part, by).await?.links("/Drives") {
            // One that cannot be read is not known to be erased: that is no answer.
            let found = service.get(&path, by).await?;
            let absent = found.text("/Status/State") == Some("Absent");
            let known = drives.iter().any(|drive| drive.path == found.path);
            if !absent && !known {
                drives.push(found);
            }
        }
    }
    Ok(drives)
}

async fn ask(
    service: &Service,
    drive: &Resource,
    by: Instant,
) -> Result<(Answer, Option<Path>), Unanswered> {
    let Some(at) = drive.link(&target()) else {
        let what = DeviceText::of("the drive has no SecureErase");
        return Ok((Answer::Refused(Refusal::Unsupported(what)), None));
    };
    const SAYS: &str = "SanitizationType@Redfish.AllowableValues";
    let texts = |values: &Value| -> Vec<String> {
        let values = values.as_array().into_iter().flatten();
        values.filter_map(|value| Some(value.as_str()?.to_owned())).collect()
    };
    let mut offered = drive.part(&format!("{ERASE}/{SAYS}")).map_or_else(Vec::new, texts);
    if offered.is_empty()
        && let Some(info) = drive.link(&format!("{ERASE}/@Redfish.ActionInfo"))
        && let Some(info) = standing::tolerate(service.find(&info, by).await)?
    {
        let kind = info.each("/Parameters").find(|one| one["Name"] == "SanitizationType");
        offered = kind.map_or_else(Vec::new, |kind| texts(&kind["AllowableValues"]));
    }
    let way = WAYS.iter().find(|way| offered.iter().any(|offered| offered == *way));
    let what = way.map_or_else(|| json!({}), |way| json!({ "SanitizationType": way }));
    Ok(service.begin(&at, &what, by).await)
}

/// Whether a drive says that it is at something. An operation without a name is none:
/// real trays list one for drives that rest.
fn operates(drive: &Resource) -> bool {
    drive.each("/Operations").any(|operation| {
        let named = |key: &str| operation.get(key).and_then(resource::text).is_some();
        let task = operation.get("AssociatedTask").is_some_and(Value::is_object);
        named("OperationName") || named("Operation") || task
    })
}

fn of_task(task: &Resource) -> Shows {
    let well = !matches!(task.text("/TaskStatus"), Some("Critical"));
    match task.text("/TaskState") {
        Some("Completed") if well => Shows::Done,
        Some(
            state @ ("Completed" | "Exception" | "Killed" | "Cancelled" | "Interrupted"),
        ) => {
            let why = task.text("/Messages/0/Message").unwrap_or(state);
            Shows::Failed(DeviceText::of(why))
        }
        Some(_) | None => Shows::AtIt,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{DeviceText, Erasing, Shows, of_task, operates};
    use crate::device::redfish::resource::Resource;

    fn drive(json: Value) -> Resource {
        Resource::made_up("/redfish/v1/Systems/S/Storage/1/Drives/D0", json)
    }

    #[test]
    fn a_drive_at_rest_may_list_an_operation_without_a_name() {
        for (operations, expected) in [
            (json!(null), false),
            (json!([]), false),
            // As a captured GB300 has it.
            (json!([{ "OperationName": "", "PercentageComplete": 0 }]), false),
            (json!([{ "OperationName": "Sanitize", "PercentageComplete": 3 }]), true),
            (json!([{ "Operation": "Sanitize" }]), true),
            (json!([{ "AssociatedTask": { "@odata.id": "/redfish/v1/x" } }]), true),
        ] {
            let found = operates(&drive(json!({ "Operations": operations })));
            assert_eq!(found, expected, "{operations}");
        }
    }

    #[test]
    fn a_task_is_done_when_it_completed_and_well() {
        let failed = |why: &str| Shows::Failed(DeviceText::of(why));
        for (state, status, expected) in [
            ("New", "OK", Shows::AtIt),
            ("Running", "OK", Shows::AtIt),
            ("Completed", "OK", Shows::Done),
            ("Completed", "Critical", failed("Completed")),
            ("Exception", "Critical", failed("Exception")),
            ("Cancelled", "OK", failed("Cancelled")),
        ] {
            let task = drive(json!({ "TaskState": state, "TaskStatus": status }));
            assert_eq!(of_task(&task), expected, "{state} {status}");
        }
    }

    #[test]
    fn drives_that_nobody_would_see_erased_are_refused() {
        let erase = "#Drive.SecureErase";
        let at = json!({ "target": "/redfish/v1/x/Actions/Drive.SecureErase" });
        let fit = || drive(json!({ "Actions": { erase: at } }));
        let why = |found: &[Resource], expected| {
            Erasing::default().unfit(found, expected).map(|why| why.to_string())
        };
        assert_eq!(why(&[fit()], None), None);
        assert_eq!(why(&[fit()], Some(1)), None);
        assert_eq!(why(&[], Some(0)), None);
        let none = why(&[], None).expect("a refusal");
        assert!(none.contains("drives = 0"), "{none}");
        let few = why(&[fit()], Some(2)).expect("a refusal");
        assert_eq!(few, "of 2 drives that the site file has, it shows 1");
        let lacks = why(&[drive(json!({ "Id": "D0" }))], None).expect("a refusal");
        assert_eq!(lacks, "D0 has no SecureErase");
    }

    /// What was asked and is not seen at it is asked again; what is at it is not.
    #[test]
    fn what_shows_nothing_is_asked_again_and_no_other() {
        let mut erasing = Erasing::default();
        let fresh = || super::Drive { asked: true, ..super::Drive::default() };
        for (name, drive) in [
            ("D0", fresh()),
            ("D1", super::Drive { at_it: true, ..fresh() }),
            ("D2", super::Drive { done: true, ..fresh() }),
        ] {
            let at = super::Path::of(&format!("/redfish/v1/{name}")).expect("a path");
            erasing.drives.insert(at, drive);
        }
        erasing.again();
        let asked: Vec<bool> = erasing.drives.values().map(|drive| drive.asked).collect();
        assert_eq!(asked, [false, true, true]);
    }
}
