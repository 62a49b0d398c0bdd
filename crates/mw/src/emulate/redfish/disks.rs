//! A tray's drives: a tenant writes to them, and they are erased in time.

use serde_json::{Value, json};

use super::tree::{collection, link, odata, stamp};
use super::trouble::Trouble;
use units::Timestamp;

/// Where they are, below the service.
pub(super) const AT: &str = "Systems/System_0/Storage/1/Drives";

/// Bays, of which the last is empty.
const BAYS: [&str; 3] = ["NVMe_SSD_200", "NVMe_SSD_201", "NVMe_SSD_210"];

/// The drives of a tray, and what was done to them.
#[derive(Clone, Debug, Default)]
pub(super) struct Disks {
    /// Whether somebody's work is on each.
    written: [bool; BAYS.len() - 1],
    tasks: Vec<Task>,
    /// Whether erasing comes to nothing.
    pub(super) fails: bool,
}

/// A drive that is erased, or was.
#[derive(Clone, Copy, Debug)]
struct Task {
    drive: usize,
    takes: f64,
    left: f64,
    failed: bool,
}

impl Disks {
    /// Somebody's work is on all of them.
    pub(super) fn write(&mut self) {
        self.written.fill(true);
    }

    /// Whether somebody's work is on any of them.
    pub(super) fn is_written(&self) -> bool {
        self.written.contains(&true)
    }

    /// The drive of a bay that is not empty.
    pub(super) fn named(id: &str) -> Option<usize> {
        BAYS.iter().position(|bay| *bay == id).filter(|bay| *bay + 1 < BAYS.len())
    }

    pub(super) fn erase(
        &mut self,
        drive: usize,
        takes: f64,
    ) -> Result<usize, &'static str> {
        if self.at(drive).is_some() {
            return Err("the drive is being erased");
        }
        self.tasks.push(Task { drive, takes, left: takes, failed: false });
        Ok(self.tasks.len())
    }

    /// Lets seconds pass with power.
    pub(super) fn pass(&mut self, step: f64) {
        for task in self.tasks.iter_mut().filter(|task| task.left > 0.0) {
            task.left -= step;
            if task.left <= 0.0 {
                task.failed = self.fails;
                self.written[task.drive] &= self.fails;
            }
        }
    }

    /// The task that is at a drive.
    fn at(&self, drive: usize) -> Option<usize> {
        self.tasks.iter().position(|task| task.drive == drive && task.left > 0.0)
    }

    /// What a storage shows below a system, or a task; `path` is whole.
    pub(super) fn show(
        &self,
        path: &str,
        trouble: &Trouble,
        now: Timestamp,
    ) -> Option<Value> {
        let found = match path.strip_prefix("Systems/System_0/Storage") {
            Some("") => collection(path, "Storage", ["1"]),
            Some("/1") => {
                let drives = BAYS.map(|bay| link(&format!("{AT}/{bay}")));
                json!({
                    "@odata.id": odata(path),
                    "@odata.type": "#Storage.v1_13_0.Storage",
                    "Id": "1",
                    "Name": "Storage",
                    "Drives": drives,
                    "Drives@odata.count": drives.len(),
                    "Status": { "Health": "OK", "State": "Enabled" }
                })
            }
            Some(rest) => {
                let id = rest.strip_prefix("/1/Drives/")?;
                let id = BAYS.iter().find(|bay| **bay == id)?;
                self.drive(path, id, trouble)
            }
            None => match path.strip_prefix("TaskService")? {
                "" => json!({
                    "@odata.id": odata(path),
                    "@odata.type": "#TaskService.v1_1_4.TaskService",
                    "Id": "TaskService",
                    "Name": "Task Service",
                    "ServiceEnabled": true,
                    "Tasks": link("TaskService/Tasks"),
                    "Status": { "Health": "OK", "State": "Enabled" }
                }),
                "/Tasks" => {
                    let ids: Vec<String> =
                        (1..=self.tasks.len()).map(|id| id.to_string()).collect();
                    collection(path, "Task", ids.iter().map(String::as_str))
                }
                rest => self.task(rest.strip_prefix("/Tasks/")?.parse().ok()?, now)?,
            },
        };
        Some(found)
    }

    fn drive(&self, path: &str, id: &str, trouble: &Trouble) -> Value {
        let mut drive = json!({
            "@odata.id": odata(path),
            "@odata.type": "#Drive.v1_18_0.Drive",
            "Id": id,
            "Name": id,
            "MediaType": "SSD",
            "Protocol": "NVMe",
            "Status": { "State": "Absent" }
        });
        let Some(number) = Self::named(id) else { return drive };
        drive["Status"] = json!({ "Health": "OK", "State": "Enabled" });
        drive["CapacityBytes"] = json!(3_840_755_982_336_u64);
        // As real ones have it: one at rest has an operation without a name.
        drive["Operations"] = json!([{ "OperationName": "", "PercentageComplete": 0 }]);
        if let Some(task) = self.at(number) {
            drive["Operations"] = json!([{
                "OperationName": "Sanitize",
                "PercentageComplete": self.tasks[task].percent(),
                "AssociatedTask": link(&format!("TaskService/Tasks/{}", task + 1))
            }]);
        }
        if !trouble.no_erase {
            drive["Actions"] = json!({ "#Drive.SecureErase": {
                "target": format!("{}/Actions/Drive.SecureErase", odata(path)),
                "SanitizationType@Redfish.AllowableValues":
                    ["BlockErase", "CryptographicErase"]
            } });
        }
        drive
    }

    /// A task by its number.
    pub(super) fn task(&self, id: usize, now: Timestamp) -> Option<Value> {
        let task = self.tasks.get(id.checked_sub(1)?)?;
        let (state, status) = match (task.left > 0.0, task.failed) {
            (true, _) => ("Running", "OK"),
            (false, false) => ("Completed", "OK"),
            (false, true) => ("Exception", "Critical"),
        };
        let mut shown = json!({
            "@odata.id": odata(&format!("TaskService/Tasks/{id}")),
            "@odata.type": "#Task.v1_7_4.Task",
            "Id": id.to_string(),
            "Name": format!("Erase {}", BAYS[task.drive]),
            "StartTime": stamp(now),
            "PercentComplete": task.percent(),
            "TaskState": state,
            "TaskStatus": status,
            "Messages": []
        });
        if task.failed {
            shown["Messages"] = json!([{
                "MessageId": "Base.1.18.GeneralError",
                "Message": "The drive did not answer the sanitize command.",
                "Severity": "Critical"
            }]);
        }
        Some(shown)
    }
}

impl Task {
    fn percent(&self) -> u32 {
        (100.0 * (1.0 - self.left.max(0.0) / self.takes)).floor() as u32
    }
}
