//! An NVLink switch tray behind its Redfish service: whether it works.
//!
//! A switch tray is looked at and never told anything: it joins the GPUs of a whole rack.

use std::fmt;
use std::time::Instant;

use super::pin::Security;
use super::resource::Resource;
use super::service::{Login, Service, bounded};
use super::{Path, standing};
use crate::device::{
    Answer, DeviceText, Doing, Driver, Identity, Look, Reached, Refusal, Unanswered,
    Wanted,
};

/// An NVLink switch tray.
pub struct SwitchTray {
    service: Service,
}

impl SwitchTray {
    /// A switch tray at an address that may be reached. Nothing is sent yet.
    pub fn new(at: Reached, security: Security, login: Option<Login>) -> Self {
        Self { service: Service::new(at, security, login) }
    }

    /// Why it does not work, a line for each part that says so; none where it works. What
    /// it does not tell of itself is no reason.
    ///
    /// # Errors
    ///
    /// When the service does not answer by the deadline.
    pub async fn ails(&self, by: Instant) -> Result<Vec<DeviceText>, Unanswered> {
        let mut parts = self.all("/Chassis", by).await?;
        parts.extend(self.all("/Systems", by).await?);
        for fabric in self.all("/Fabrics", by).await? {
            if let Some(switches) = fabric.link("/Switches") {
                parts.extend(self.members(&switches, by).await?);
            }
        }
        Ok(parts.iter().filter_map(ailment).collect())
    }

    /// The members of one of the root's collections, where it has it.
    async fn all(
        &self,
        of: &'static str,
        by: Instant,
    ) -> Result<Vec<Resource>, Unanswered> {
        let root = self.service.get(&Path::root(), by).await?;
        match root.link(of) {
            Some(all) => self.members(&all, by).await,
            None => Ok(Vec::new()),
        }
    }

    async fn members(&self, of: &Path, by: Instant) -> Result<Vec<Resource>, Unanswered> {
        let mut found = Vec::new();
        for path in self.service.members(of, by).await? {
            found.extend(standing::tolerate(self.service.find(&path, by).await)?);
        }
        Ok(found)
    }
}

/// Why a part keeps the tray from working. A warning does not.
fn ailment(part: &Resource) -> Option<DeviceText> {
    let off = part.text("/PowerState").filter(|state| *state == "Off");
    let health = ["/Status/HealthRollup", "/Status/Health"];
    let critical = health.iter().any(|at| part.text(at) == Some("Critical"));
    let why = match (off, critical) {
        (Some(_), _) => "is off",
        (None, true) => "is Critical",
        (None, false) => return None,
    };
    let message = part.text("/Status/Conditions/0/Message").unwrap_or_default();
    Some(DeviceText::of(format!("{} {why} {message}", part.name()).trim_end()))
}

/// As any device: what it complains of, and no order.
impl Driver for SwitchTray {
    fn at(&self) -> Reached {
        self.service.at()
    }

    fn identify(&self, by: Instant) -> Doing<'_, Result<Identity, Unanswered>> {
        Box::pin(bounded(by, async move {
            let chassis = self.all("/Chassis", by).await?;
            let first = chassis.iter().find(|one| one.said("/SerialNumber").is_some());
            Ok(Identity {
                maker: first.and_then(|one| one.said("/Manufacturer")),
                model: first.and_then(|one| one.said("/Model")),
                serial: first.and_then(|one| one.said("/SerialNumber")),
                firmware: None,
                limits: None,
            })
        }))
    }

    fn look(&self, by: Instant) -> Doing<'_, Result<Look, Unanswered>> {
        Box::pin(async move {
            let faults = bounded(by, self.ails(by)).await?;
            Ok(Look { faults, ..Look::default() })
        })
    }

    fn tell(&self, _: Wanted, _: Instant) -> Doing<'_, Answer> {
        let why = "a switch tray is looked at alone: it joins a whole rack";
        let why = DeviceText::of(why);
        Box::pin(async move { Answer::Refused(Refusal::Unsupported(why)) })
    }
}

impl fmt::Debug for SwitchTray {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SwitchTray").field(&self.service.at()).finish()
    }
}
