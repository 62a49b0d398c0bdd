//! What a tray's service has and where: walked once, then used by every look.
//!
//! A real tray has some twelve hundred resources, and a controller answers one in tens
//! of milliseconds. The walk reads the few that say where the rest is; what it read
//! before a deadline is not read again after it. One broken chassis costs what it
//! holds, and never the tray.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::path::Path;
use super::resource::Resource;
use super::service::Service;
use crate::device::{DeviceText, Unanswered};

/// After how long the walk is made anew: parts are swapped.
const WALKED_FOR: Duration = Duration::from_secs(900);

/// The most resources that one walk reads.
const READS_MAX: usize = 2_000;

/// Where a tray's figures are.
#[derive(Clone, Debug)]
pub(super) struct Tree {
    /// The system that is switched on and off.
    pub(super) host: Path,
    /// Every system: their health is the tray's.
    pub(super) systems: Vec<Path>,
    pub(super) gpus: Vec<Gpu>,
    /// GPUs that are listed and cannot be read.
    pub(super) lost: Vec<Path>,
    /// What the whole tray draws, best first.
    pub(super) draw: Vec<Source>,
    /// Sensors of how hot a part is.
    pub(super) temperatures: Vec<Path>,
    /// Reports that tell many sensors at once.
    pub(super) reports: Vec<Path>,
    pub(super) leaks: Vec<Path>,
    /// The stream of events.
    pub(super) events: Option<Path>,
    /// Chassis and managers, for what they say of themselves.
    pub(super) chassis: Vec<Resource>,
    pub(super) managers: Vec<Resource>,
    /// What could not be read, in a few words.
    pub(super) missed: Vec<DeviceText>,
    /// When it was walked.
    pub(super) walked: Instant,
}

/// One GPU.
#[derive(Clone, Debug)]
pub(super) struct Gpu {
    pub(super) resource: Resource,
    /// Where its power limit and its own draw are.
    pub(super) metrics: Option<Path>,
}

/// Where a figure of power is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// A sensor, which a report may tell.
    Sensor(Path),
    /// A property of a resource.
    Property(Path, &'static str),
    /// The sum of what supplies draw from the bus or the mains.
    Supplies(Vec<Path>),
}

/// A walk that may be interrupted.
#[derive(Debug, Default)]
pub(super) struct Walk {
    /// What was read, and what is not there.
    read: BTreeMap<Path, Option<Resource>>,
    missed: Vec<DeviceText>,
    lost: Vec<Path>,
}

impl Tree {
    /// Whether it is time to walk again.
    pub(super) fn is_old(&self) -> bool {
        self.walked.elapsed() > WALKED_FOR
    }
}

impl Walk {
    /// Goes on until the tree is known.
    ///
    /// # Errors
    ///
    /// When the service does not answer, or has no system. What was read is kept.
    pub(super) async fn go_on(
        &mut self,
        service: &Service,
        by: Instant,
    ) -> Result<Tree, Unanswered> {
        let root = match service.get(&Path::root(), by).await {
            Err(Unanswered::Nonsense(why)) => {
                let bare = Path::of("/redfish/v1").expect("a path");
                let found = service.find(&bare, by).await;
                found.ok().flatten().ok_or(Unanswered::Nonsense(why))?
            }
            other => other?,
        };
        let mut systems = Vec::new();
        if let Some(all) = root.link("/Systems") {
            systems = self.all(service, &all, by).await?;
        }
        let host = host(&systems).ok_or_else(|| {
            Unanswered::Nonsense(DeviceText::of("the service has no computer system"))
        })?;
        let gpus = self.gpus(service, &systems, by).await?;
        let mut chassis = Vec::new();
        if let Some(all) = root.link("/Chassis") {
            chassis = self.all(service, &all, by).await?;
        }
        let (draw, leaks) = self.outsides(service, &chassis, by).await?;
        let temperatures = self.temperatures(service, &gpus, by).await?;
        let reports = self.reports(service, &root, by).await?;
        let mut managers = Vec::new();
        if let Some(all) = root.link("/Managers") {
            managers = self.all(service, &all, by).await?;
        }
        let mut events = None;
        if let Some(at) = root.link("/EventService") {
            let found = self.find(service, &at, by).await?;
            events = found.and_then(|found| found.link("/ServerSentEventUri"));
        }
        let missed = std::mem::take(&mut self.missed);
        self.read.clear();
        Ok(Tree {
            host,
            systems: systems.into_iter().map(|system| system.path).collect(),
            gpus,
            lost: std::mem::take(&mut self.lost),
            draw,
            temperatures,
            reports,
            leaks,
            events,
            chassis,
            managers,
            missed,
            walked: Instant::now(),
        })
    }

    /// Reads a resource, unless it was read before. What is broken is missed; a
    /// service that does not answer ends the walk for now.
    async fn find(
        &mut self,
        service: &Service,
        path: &Path,
        by: Instant,
    ) -> Result<Option<Resource>, Unanswered> {
        if let Some(known) = self.read.get(path) {
            return Ok(known.clone());
        }
        if self.read.len() >= READS_MAX {
            return Ok(None);
        }
        let found = match service.find(path, by).await {
            Ok(found) => found,
            Err(Unanswered::Nonsense(why)) => {
                self.missed.push(why);
                None
            }
            Err(
                why @ (Unanswered::Unreachable
                | Unanswered::Late
                | Unanswered::Closed
                | Unanswered::Login
                | Unanswered::NotShown),
            ) => return Err(why),
        };
        self.read.insert(path.clone(), found.clone());
        Ok(found)
    }

    /// Reads the members of a collection that can be read.
    async fn all(
        &mut self,
        service: &Service,
        collection: &Path,
        by: Instant,
    ) -> Result<Vec<Resource>, Unanswered> {
        let mut all = Vec::new();
        for member in self.members(service, collection, by).await? {
            all.extend(self.find(service, &member, by).await?);
        }
        Ok(all)
    }

    async fn members(
        &mut self,
        service: &Service,
        collection: &Path,
        by: Instant,
    ) -> Result<Vec<Path>, Unanswered> {
        match service.members(collection, by).await {
            Err(Unanswered::Nonsense(why)) => {
                self.missed.push(why);
                Ok(Vec::new())
            }
            other => other,
        }
    }

    async fn gpus(
        &mut self,
        service: &Service,
        systems: &[Resource],
        by: Instant,
    ) -> Result<Vec<Gpu>, Unanswered> {
        let mut gpus: Vec<Gpu> = Vec::new();
        for system in systems {
            let Some(processors) = system.link("/Processors") else { continue };
            for path in self.members(service, &processors, by).await? {
                let Some(found) = self.find(service, &path, by).await? else {
                    if path.name().contains("GPU") && !self.lost.contains(&path) {
                        self.lost.push(path);
                    }
                    continue;
                };
                let known = |gpu: &Gpu| gpu.resource.path == found.path;
                if is_gpu(&found) && !gpus.iter().any(known) {
                    let metrics = found.link("/EnvironmentMetrics");
                    gpus.push(Gpu { resource: found, metrics });
                }
            }
        }
        Ok(gpus)
    }

    /// What is known of the outside of the tray: its draw, and its leak detectors. A
    /// chassis within another is part of it.
    async fn outsides(
        &mut self,
        service: &Service,
        chassis: &[Resource],
        by: Instant,
    ) -> Result<(Vec<Source>, Vec<Path>), Unanswered> {
        let (mut draw, mut later, mut leaks) = (Vec::new(), Vec::new(), Vec::new());
        for one in chassis.iter().filter(|one| one.link("/Links/ContainedBy").is_none()) {
            if let Some(at) = one.link("/EnvironmentMetrics")
                && let Some(metrics) = self.find(service, &at, by).await?
                && metrics.number("/PowerWatts/Reading").is_some()
                && !is_of_gpu(one)
            {
                if let Some(sensor) = metrics.link("/PowerWatts/DataSourceUri") {
                    draw.push(Source::Sensor(sensor));
                }
                draw.push(Source::Property(at, "/PowerWatts/Reading"));
            }
            if let Some(at) = one.link("/PowerSubsystem")
                && let Some(subsystem) = self.find(service, &at, by).await?
                && let Some(supplies) = subsystem.link("/PowerSupplies")
            {
                let supplies = self.members(service, &supplies, by).await?;
                if !supplies.is_empty() {
                    later.push(Source::Supplies(supplies));
                }
            }
            // The older way to say it.
            const CONSUMED: &str = "/PowerControl/0/PowerConsumedWatts";
            if let Some(at) = one.link("/Power")
                && let Some(power) = self.find(service, &at, by).await?
                && power.number(CONSUMED).is_some()
            {
                later.push(Source::Property(at, CONSUMED));
            }
            if let Some(at) = one.link("/ThermalSubsystem")
                && let Some(thermal) = self.find(service, &at, by).await?
                && let Some(at) = thermal.link("/LeakDetection")
                && let Some(detection) = self.find(service, &at, by).await?
            {
                match detection.link("/LeakDetectors") {
                    Some(detectors) => {
                        leaks.extend(self.members(service, &detectors, by).await?);
                    }
                    // Some tell of all their detectors in one place.
                    None => leaks.push(at),
                }
            }
        }
        draw.append(&mut later);
        Ok((draw, leaks))
    }

    /// Sensors of how hot each GPU is. Some say how far it is from its limit instead,
    /// and are called temperatures all the same.
    async fn temperatures(
        &mut self,
        service: &Service,
        gpus: &[Gpu],
        by: Instant,
    ) -> Result<Vec<Path>, Unanswered> {
        let mut temperatures = Vec::new();
        for gpu in gpus {
            let Some(at) = gpu.resource.link("/Links/Chassis") else { continue };
            let Some(chassis) = self.find(service, &at, by).await? else { continue };
            let Some(sensors) = chassis.link("/Sensors") else { continue };
            for sensor in self.members(service, &sensors, by).await? {
                if !sensor.name().to_ascii_lowercase().contains("temp") {
                    continue;
                }
                let found = self.find(service, &sensor, by).await?;
                if found.is_some_and(|found| is_temperature(&found)) {
                    temperatures.push(sensor);
                }
            }
        }
        Ok(temperatures)
    }

    /// Reports that tell of surroundings: power and temperatures.
    async fn reports(
        &mut self,
        service: &Service,
        root: &Resource,
        by: Instant,
    ) -> Result<Vec<Path>, Unanswered> {
        let Some(at) = root.link("/TelemetryService") else { return Ok(Vec::new()) };
        let Some(telemetry) = self.find(service, &at, by).await? else {
            return Ok(Vec::new());
        };
        let Some(at) = telemetry.link("/MetricReports") else { return Ok(Vec::new()) };
        let reports = self.members(service, &at, by).await?;
        let tells = |report: &Path| report.name().contains("Environment");
        Ok(reports.into_iter().filter(tells).collect())
    }
}

/// The system that a person would call the machine: it can be reset and it boots.
fn host(systems: &[Resource]) -> Option<Path> {
    let score = |system: &Resource| {
        let has = |pointer: &str| usize::from(system.part(pointer).is_some());
        has("/Actions/#ComputerSystem.Reset") * 4
            + has("/PowerState") * 2
            + has("/Bios").max(has("/Boot/BootSourceOverrideTarget"))
    };
    let best = systems.iter().map(score).max()?;
    systems.iter().find(|system| score(system) == best).map(|system| system.path.clone())
}

fn is_gpu(processor: &Resource) -> bool {
    match processor.text("/ProcessorType") {
        Some(kind) => kind == "GPU",
        None => processor.path.name().starts_with("GPU"),
    }
}

fn is_of_gpu(chassis: &Resource) -> bool {
    chassis.path.name().contains("GPU")
}

/// Whether a sensor says how hot a part is, rather than how far from its limit.
pub(super) fn is_temperature(sensor: &Resource) -> bool {
    let basis = sensor.text("/ReadingBasis").unwrap_or("Zero");
    let name = sensor.path.name().to_ascii_lowercase();
    sensor.text("/ReadingType") == Some("Temperature")
        && basis == "Zero"
        && !name.contains("limit")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Resource, host, is_temperature};

    #[test]
    fn the_host_is_what_can_be_reset() {
        let reset = json!({ "#ComputerSystem.Reset": { "target": "/redfish/v1/x" } });
        let systems = [
            ("HGX_Baseboard_0", json!({ "PowerState": "On" })),
            ("System_0", json!({ "PowerState": "On", "Actions": reset })),
            ("HGX_1", json!({ "PowerState": "On", "Actions": reset })),
            ("DGX", json!({ "PowerState": "On", "Actions": reset, "Bios": {} })),
        ];
        let check = |names: &[&str], expected: &str| {
            let systems: Vec<Resource> = systems
                .iter()
                .filter(|(name, _)| names.contains(name))
                .map(|(name, json)| {
                    Resource::made_up(
                        &format!("/redfish/v1/Systems/{name}"),
                        json.clone(),
                    )
                })
                .collect();
            assert_eq!(host(&systems).expect("a host").name(), expected);
        };
        check(&["HGX_Baseboard_0", "System_0"], "System_0");
        check(&["HGX_1", "DGX"], "DGX");
        check(&["HGX_Baseboard_0"], "HGX_Baseboard_0");
        assert!(host(&[]).is_none());
    }

    #[test]
    fn a_distance_from_a_limit_is_no_temperature() {
        for (name, basis, expected) in [
            ("HGX_GPU_0_TEMP_0", json!(null), true),
            ("HGX_GPU_0_TEMP_0", json!("Zero"), true),
            ("HGX_GPU_0_TEMP_1", json!("Headroom"), false),
            ("HGX_GPU_0_TEMP_1", json!("Delta"), false),
            ("CPU_0_TempLimit_0", json!(null), false),
        ] {
            let path = format!("/redfish/v1/Chassis/C/Sensors/{name}");
            let json = json!({ "ReadingType": "Temperature", "ReadingBasis": basis });
            assert_eq!(
                is_temperature(&Resource::made_up(&path, json)),
                expected,
                "{name}"
            );
        }
    }
}
