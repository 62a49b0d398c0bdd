//! A power shelf behind its Redfish service: its supplies and what they draw.
//!
//! A shelf is looked at and never told anything: it feeds a whole rack.

use std::fmt;
use std::time::Instant;

use units::Power;

use super::pin::Security;
use super::resource::Resource;
use super::service::{Login, Service, bounded};
use super::{Path, standing};
use crate::device::{
    Answer, DeviceText, Doing, Driver, Field, Identity, Look, Reached, Refusal,
    Unanswered, Wanted,
};

/// A power shelf.
pub struct Shelf {
    service: Service,
}

/// One supply of a shelf.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Supply {
    /// What the shelf calls it.
    pub name: DeviceText,
    /// Its model.
    pub model: Option<DeviceText>,
    /// Its serial number.
    pub serial: Option<DeviceText>,
    /// What it draws.
    pub input: Option<Field<Power>>,
    /// What it complains of.
    pub fault: Option<DeviceText>,
}

/// How a shelf stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShelfLook {
    /// Its supplies.
    pub supplies: Vec<Supply>,
    /// What it draws as a whole, where every supply says.
    pub input: Option<Field<Power>>,
}

impl Shelf {
    /// A shelf at an address that may be reached. Nothing is sent yet.
    pub fn new(at: Reached, security: Security, login: Option<Login>) -> Self {
        Self { service: Service::new(at, security, login) }
    }

    /// What it is.
    ///
    /// # Errors
    ///
    /// When the service does not answer by the deadline, or has no chassis.
    pub async fn identify(&self, by: Instant) -> Result<Identity, Unanswered> {
        let chassis = self.chassis(by).await?;
        let first = chassis.iter().find(|one| one.link("/PowerSubsystem").is_some());
        let first = first.or(chassis.first());
        Ok(Identity {
            maker: first.and_then(|one| one.said("/Manufacturer")),
            model: first.and_then(|one| one.said("/Model")),
            serial: first.and_then(|one| one.said("/SerialNumber")),
            firmware: None,
            limits: None,
        })
    }

    /// How it stands now.
    ///
    /// # Errors
    ///
    /// When the service does not answer by the deadline.
    pub async fn look(&self, by: Instant) -> Result<ShelfLook, Unanswered> {
        let mut supplies = Vec::new();
        for chassis in self.chassis(by).await? {
            let Some(at) = chassis.link("/PowerSubsystem") else { continue };
            let subsystem = standing::tolerate(self.service.find(&at, by).await)?;
            let at = subsystem.and_then(|subsystem| subsystem.link("/PowerSupplies"));
            let Some(at) = at else { continue };
            for path in self.service.members(&at, by).await? {
                let found = standing::tolerate(self.service.find(&path, by).await)?;
                supplies.push(match found {
                    Some(found) => self.supply(&found, by).await?,
                    None => unread(&path),
                });
            }
        }
        let inputs = supplies.iter().map(|supply| supply.input).collect();
        Ok(ShelfLook { input: standing::sum(inputs), supplies })
    }

    async fn supply(&self, found: &Resource, by: Instant) -> Result<Supply, Unanswered> {
        Ok(Supply {
            name: found.name(),
            model: found.said("/Model"),
            serial: found.said("/SerialNumber"),
            input: standing::input(&self.service, found, by).await?,
            fault: standing::complaint(found),
        })
    }

    async fn chassis(&self, by: Instant) -> Result<Vec<Resource>, Unanswered> {
        let root = self.service.get(&Path::root(), by).await?;
        let mut chassis = Vec::new();
        if let Some(all) = root.link("/Chassis") {
            for path in self.service.members(&all, by).await? {
                chassis.extend(standing::tolerate(self.service.find(&path, by).await)?);
            }
        }
        Ok(chassis)
    }
}

fn unread(path: &Path) -> Supply {
    let fault = format!("{} cannot be read", path.name());
    Supply {
        name: DeviceText::of(path.name()),
        model: None,
        serial: None,
        input: None,
        fault: Some(DeviceText::of(&fault)),
    }
}

/// As any device: what it draws and what it complains of, and no order.
impl Driver for Shelf {
    fn at(&self) -> Reached {
        self.service.at()
    }

    fn identify(&self, by: Instant) -> Doing<'_, Result<Identity, Unanswered>> {
        Box::pin(bounded(by, Self::identify(self, by)))
    }

    fn look(&self, by: Instant) -> Doing<'_, Result<Look, Unanswered>> {
        Box::pin(async move {
            let ShelfLook { supplies, input } = bounded(by, Self::look(self, by)).await?;
            let faults = supplies.into_iter().filter_map(|supply| supply.fault).collect();
            Ok(Look { draw: input, faults, ..Look::default() })
        })
    }

    fn tell(&self, _: Wanted, _: Instant) -> Doing<'_, Answer> {
        let why =
            DeviceText::of("a power shelf is looked at alone: it feeds a whole rack");
        Box::pin(async move { Answer::Refused(Refusal::Unsupported(why)) })
    }
}

impl fmt::Debug for Shelf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Shelf").field(&self.service.at()).finish()
    }
}
