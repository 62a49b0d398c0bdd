//! A compute tray behind its Redfish service.
//!
//! ```text
//! tell ──► tray: what to ask of which part ──► service: logged in, one at a time ──► wire
//! look ◄── standing: one figure of many parts ◄── tree: what the service has and where
//! ```
//!
//! A tray is told what it may draw as a whole; its GPUs are what can be limited. What
//! the rest of it draws at most (processors, network cards, losses) is the site's to
//! say, and is taken off before the GPUs share what is left.
//!
//! A limit lives until the tray's next reset, and a controller that accepts one has
//! accepted it and no more: a look decides.
//!
//! Invariant: nothing is written to where a change wears the flash.
//! Invariant: what cannot be read of a part that may draw counts at its most.

mod condition;
mod erase;
mod errand;
mod events;
mod path;
mod pin;
mod ports;
mod resource;
mod service;
mod shelf;
mod standing;
mod switch;
mod tell;
mod tree;
mod wire;

use std::fmt;
use std::sync::{Arc, PoisonError};
use std::time::Instant;

use tokio::sync::Mutex;
use units::Power;

pub use condition::{Condition, Health};
pub use errand::{Effect, Errand, Went};
pub use events::Events;
pub use pin::{Fingerprint, Pin, Security};
pub use ports::Neighbour;
pub use service::Login;
pub use shelf::{Shelf, ShelfLook, Supply};
pub use switch::SwitchTray;

use super::{
    Answer, DeviceText, Doing, Driver, Field, Identity, Look, Quality, Reached, Running,
    Unanswered, Wanted,
};
use path::Path;
use service::Service;
use standing::{GpuLimit, Told};
use tree::{Tree, Walk};

/// The most complaints of one look.
const FAULTS_MAX: usize = 32;

/// How a tray is brought to rest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shutdown {
    /// The tenant's system is asked to shut down. One that does not listen stays on.
    #[default]
    Graceful,
    /// The power is cut.
    Forced,
}

/// What a site knows of its trays.
#[derive(Clone, Debug)]
pub struct TraySettings {
    /// Who logs in; nobody where the service asks for none.
    pub login: Option<Login>,
    /// How the service is spoken to.
    pub security: Security,
    /// What the tray draws at most beside its GPUs, at the plug.
    pub beside_gpus: Power,
    /// What the whole tray draws at most, for one whose GPUs take no limit. Without
    /// it such a tray is only brought to rest.
    pub unlimited: Option<Power>,
    /// How it is brought to rest.
    pub shutdown: Shutdown,
    /// How many drives a tenant may have written to; where nobody says, at least one,
    /// and those that it shows.
    pub drives: Option<u32>,
}

/// A compute tray.
pub struct Tray {
    service: Service,
    settings: TraySettings,
    known: Mutex<Known>,
    /// The GPUs that were ever seen, and the range of each limit.
    gpus: std::sync::Mutex<Seen>,
    /// Its network ports, by the walk that they were found after.
    ports: Mutex<Option<(Instant, Vec<Path>)>>,
}

/// What the service has and where, as far as it was walked.
#[derive(Default)]
struct Known {
    tree: Option<Arc<Tree>>,
    walk: Walk,
}

/// GPUs by their paths, with the range of the limit in watts.
#[derive(Clone, Default)]
struct Seen(Vec<(Path, Option<(i64, i64)>)>);

/// A tray by its parts, beyond what every device has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrayIdentity {
    /// The serial numbers of its chassis, each with the chassis' name.
    pub chassis: Vec<(DeviceText, DeviceText)>,
    /// Its GPUs.
    pub gpus: Vec<GpuIdentity>,
    /// Its managers' firmware, each with the manager's name.
    pub firmware: Vec<(DeviceText, DeviceText)>,
    /// Where it sits in its rack, counted by the rack's cable cartridges.
    pub slot: Option<u32>,
    /// What could not be read.
    pub missed: Vec<DeviceText>,
}

/// One GPU.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GpuIdentity {
    /// What the tray calls it.
    pub name: DeviceText,
    /// Its model.
    pub model: Option<DeviceText>,
    /// Its serial number.
    pub serial: Option<DeviceText>,
    /// Its firmware.
    pub firmware: Option<DeviceText>,
}

impl Tray {
    /// A tray at an address that may be reached. Nothing is sent yet.
    pub fn new(at: Reached, settings: TraySettings) -> Self {
        let security = settings.security.clone();
        let service = Service::new(at, security, settings.login.clone());
        Self {
            service,
            settings,
            known: Mutex::default(),
            gpus: Default::default(),
            ports: Mutex::default(),
        }
    }

    /// What its parts are.
    ///
    /// # Errors
    ///
    /// When the service does not answer by the deadline.
    pub async fn parts(&self, by: Instant) -> Result<TrayIdentity, Unanswered> {
        let tree = self.tree(true, by).await?;
        let named = |pointer: &'static str| {
            move |resource: &resource::Resource| {
                Some((resource.name(), resource.said(pointer)?))
            }
        };
        let gpus = tree.gpus.iter().map(|gpu| GpuIdentity {
            name: gpu.resource.name(),
            model: gpu.resource.said("/Model"),
            serial: gpu.resource.said("/SerialNumber"),
            firmware: gpu.resource.said("/FirmwareVersion"),
        });
        let slot = tree
            .chassis
            .iter()
            .find_map(|chassis| chassis.number("/Oem/Nvidia/ChassisPhysicalSlotNumber"));
        Ok(TrayIdentity {
            chassis: tree.chassis.iter().filter_map(named("/SerialNumber")).collect(),
            gpus: gpus.collect(),
            firmware: tree
                .managers
                .iter()
                .filter_map(named("/FirmwareVersion"))
                .collect(),
            slot: slot.filter(|slot| (0.0..1_000.0).contains(slot)).map(|s| s as u32),
            missed: tree.missed.clone(),
        })
    }

    /// The least that can be asked about a tray: its power state, and what one report
    /// tells of its draw. For sweeps of many.
    ///
    /// # Errors
    ///
    /// When the service does not answer by the deadline.
    pub async fn glance(&self, by: Instant) -> Result<Look, Unanswered> {
        let tree = self.tree(false, by).await?;
        let host = self.service.get(&tree.host, by).await?;
        let running = standing::running(&host).map(|value| field(value, host.read));
        let tells = tree.draw.iter().find_map(|source| match source {
            tree::Source::Sensor(sensor) => Some(sensor),
            tree::Source::Property(..) | tree::Source::Supplies(_) => None,
        });
        let mut told = Told::default();
        for report in &tree.reports {
            told = Told::by(&self.service, std::slice::from_ref(report), by).await?;
            if tells.is_some_and(|sensor| told.of(sensor).is_some()) {
                break;
            }
        }
        let draw = standing::draw(&self.service, &tree, &told, by).await?;
        Ok(Look { running, draw, ..Look::default() })
    }

    /// Its events from now on; a stream where the service has one, else what changes
    /// between looks.
    pub fn events(self: &Arc<Self>) -> Events {
        Events::of(Arc::clone(self))
    }

    /// What the service has and where, walked anew where that was long ago.
    async fn tree(&self, anew: bool, by: Instant) -> Result<Arc<Tree>, Unanswered> {
        let locking = tokio::time::timeout_at(by.into(), self.known.lock()).await;
        let mut known = locking.map_err(|_| Unanswered::Late)?;
        if let Some(tree) = &known.tree
            && !anew
            && !tree.is_old()
        {
            return Ok(Arc::clone(tree));
        }
        let tree = known.walk.go_on(&self.service, by).await?;
        for gpu in &tree.gpus {
            self.saw(&gpu.resource.path, None);
        }
        tree.lost.iter().for_each(|lost| self.saw(lost, None));
        let tree = Arc::new(tree);
        known.tree = Some(Arc::clone(&tree));
        Ok(tree)
    }

    async fn look_at(&self, by: Instant) -> Result<Look, Unanswered> {
        let tree = self.tree(false, by).await?;
        let host = self.service.get(&tree.host, by).await?;
        let running = standing::running(&host);
        let mut look = Look {
            running: running.map(|value| field(value, host.read)),
            faults: standing::complaint(&host).into_iter().collect(),
            ..Look::default()
        };
        for system in tree.systems.iter().filter(|system| **system != tree.host) {
            let found = self.service.find(system, by).await;
            if let Some(found) = standing::tolerate(found)? {
                look.faults.extend(standing::complaint(&found));
            }
        }
        if matches!(running, Some(Running::Starting | Running::Working)) {
            let (limit, faults) = self.limit(&tree, running, by).await?;
            look.limit = limit;
            look.faults.extend(faults);
        }
        look.faults.extend(standing::leaks(&self.service, &tree.leaks, by).await?);
        let told = Told::by(&self.service, &tree.reports, by).await?;
        look.draw = standing::draw(&self.service, &tree, &told, by).await?;
        look.hottest = standing::hottest(&self.service, &tree, &told, by).await?;
        look.faults.truncate(FAULTS_MAX);
        Ok(look)
    }

    /// The most that the tray is set to draw: its GPUs' limits and what is beside
    /// them. Unknown while GPUs are not there yet, for they come back without a limit.
    async fn limit(
        &self,
        tree: &Tree,
        running: Option<Running>,
        by: Instant,
    ) -> Result<(Option<Field<Power>>, Vec<DeviceText>), Unanswered> {
        let (mut sum, mut set, mut unlimited) = (Power::ZERO, 0, false);
        let (mut is_known, mut faults) = (true, Vec::new());
        let mut quality = Quality::Reported;
        let expected = self.seen();
        for (path, range) in &expected.0 {
            let gpu = tree.gpus.iter().find(|gpu| gpu.resource.path == *path);
            let name = path.name();
            let limit = match gpu {
                Some(gpu) if !standing::is_absent(&gpu.resource) => {
                    standing::limit_of(&self.service, gpu, by).await?
                }
                Some(_) | None => GpuLimit::Gone,
            };
            match limit {
                GpuLimit::Set(limit) => {
                    self.saw(path, limit.range);
                    sum += limit.set;
                    set += 1;
                }
                GpuLimit::Without => unlimited = true,
                GpuLimit::Gone if running == Some(Running::Working) => {
                    faults.push(DeviceText::of(&format!("{name} is missing")));
                }
                GpuLimit::Gone => is_known = false,
                GpuLimit::Unread => {
                    faults.push(DeviceText::of(&format!("{name} cannot be read")));
                    quality = Quality::Derived;
                    match range {
                        Some((_, most)) => sum += Power::from_watts(*most),
                        None => is_known = false,
                    }
                }
            }
        }
        let limit = if unlimited || expected.0.is_empty() {
            self.settings.unlimited.map(|most| (most, Quality::Derived))
        } else {
            let all = sum + self.settings.beside_gpus;
            (is_known && set > 0).then_some((all, quality))
        };
        let limit =
            limit.map(|(value, quality)| Field { value, at: Instant::now(), quality });
        Ok((limit, faults))
    }

    async fn identity(&self, by: Instant) -> Result<Identity, Unanswered> {
        let tree = self.tree(true, by).await?;
        let host = self.service.get(&tree.host, by).await?;
        for gpu in &tree.gpus {
            if let GpuLimit::Set(limit) =
                standing::limit_of(&self.service, gpu, by).await?
            {
                self.saw(&gpu.resource.path, limit.range);
            }
        }
        let firmware = tree.managers.iter().find_map(|m| m.said("/FirmwareVersion"));
        Ok(Identity {
            maker: host.said("/Manufacturer"),
            model: host.said("/Model"),
            serial: host.said("/SerialNumber").or_else(|| host.said("/UUID")),
            firmware,
            limits: self.range(),
        })
    }

    fn seen(&self) -> Seen {
        self.gpus.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes that a GPU was seen, and the range of its limit where it gave one.
    fn saw(&self, gpu: &Path, range: Option<(i64, i64)>) {
        let mut seen = self.gpus.lock().unwrap_or_else(PoisonError::into_inner);
        match seen.0.iter_mut().find(|(path, _)| path == gpu) {
            Some((_, known)) => *known = range.or(*known),
            None => seen.0.push((gpu.clone(), range)),
        }
    }

    /// The least and the most that the tray can be limited to, with every GPU that was
    /// ever seen.
    fn range(&self) -> Option<(Power, Power)> {
        let seen = self.seen().0;
        let known = seen.iter().find_map(|(_, range)| *range)?;
        // One that did not say is like the others of its tray.
        let ranges = seen.iter().map(|(_, range)| range.unwrap_or(known));
        let ranges: Vec<(i64, i64)> = ranges.collect();
        let least: i64 = ranges.iter().map(|(least, _)| least).sum();
        let most: i64 = ranges.iter().map(|(_, most)| most).sum();
        let beside = self.settings.beside_gpus;
        Some((Power::from_watts(least) + beside, Power::from_watts(most) + beside))
    }
}

impl Seen {
    /// The most that a GPU may be at, where it is known.
    fn most(&self, gpu: &Path) -> Option<i64> {
        self.0.iter().find(|(path, _)| path == gpu)?.1.map(|(_, most)| most)
    }
}

/// A reported figure, as of when it was read.
fn field<T>(value: T, read: Instant) -> Field<T> {
    Field { value, at: read, quality: Quality::Reported }
}

impl fmt::Debug for Tray {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Tray").field(&self.service.at()).finish()
    }
}

impl Driver for Tray {
    fn at(&self) -> Reached {
        self.service.at()
    }

    fn identify(&self, by: Instant) -> Doing<'_, Result<Identity, Unanswered>> {
        Box::pin(self.identity(by))
    }

    fn look(&self, by: Instant) -> Doing<'_, Result<Look, Unanswered>> {
        Box::pin(self.look_at(by))
    }

    fn tell(&self, wanted: Wanted, by: Instant) -> Doing<'_, Answer> {
        Box::pin(self.be(wanted, by))
    }
}
