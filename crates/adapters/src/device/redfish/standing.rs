//! How a tray stands: what a look at it reads, and how the parts become one figure.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::Value;
use units::{Power, Temperature};

use super::path::Path;
use super::resource::{self, Resource, celsius, watts};
use super::service::Service;
use super::tree::{Gpu, Source, Tree};
use crate::device::{DeviceText, Field, Quality, Running, Unanswered};

/// The most that a reading's own age is believed; beyond it the clocks disagree.
const AGE_MAX: i64 = 600;

/// Of a group's leak detectors, the most that are read.
const DETECTORS_MAX: usize = 64;

/// What a GPU's limit is and may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Limit {
    /// The most it is set to draw.
    pub(super) set: Power,
    /// The least and the most it takes, in watts.
    pub(super) range: Option<(i64, i64)>,
    /// Where it is set.
    pub(super) at: SetAt,
}

/// Where a limit is set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum SetAt {
    /// On the metrics themselves.
    Metrics(Path, Option<String>),
    /// On a control that forgets it at a reset, as a limit that changes every few
    /// minutes should.
    Control(Path),
    /// Only where each change wears the flash: never.
    FlashOnly,
}

/// What one report or several tell, by the sensor.
#[derive(Debug, Default)]
pub(super) struct Told(BTreeMap<Path, Field<f64>>);

/// Where a system is between off and working.
pub(super) fn running(host: &Resource) -> Option<Running> {
    let boots = host.text("/BootProgress/LastState");
    match host.text("/PowerState")? {
        "Off" => Some(Running::Resting),
        "PoweringOn" => Some(Running::Starting),
        // Still drawing: neither at rest nor on its way to work.
        "PoweringOff" | "Paused" => Some(Running::Working),
        "On" => match boots {
            // What does not say is believed to be at work.
            None | Some("OSRunning" | "OSBootStarted") => Some(Running::Working),
            Some(_) => Some(Running::Starting),
        },
        _ => None,
    }
}

/// What a GPU's metrics say of its limit; nothing for GPUs that have none.
pub(super) fn limit(metrics: &Resource) -> Option<Limit> {
    const LIMIT: &str = "/PowerLimitWatts";
    let number = |what: &str| metrics.number(&format!("{LIMIT}/{what}"));
    let set = watts(number("SetPoint")?)?;
    let range = number("AllowableMin").zip(number("AllowableMax"));
    let range = range.map(|(least, most)| (least.ceil() as i64, most.floor() as i64));
    let source = metrics.link("/PowerLimitWatts/DataSourceUri");
    let at = match source {
        Some(control) if control.name().contains("Nonvolatile") => {
            let forgets = control.as_str().replace("Nonvolatile", "Volatile");
            Path::of(&forgets).map_or(SetAt::FlashOnly, SetAt::Control)
        }
        Some(_) | None => SetAt::Metrics(metrics.path.clone(), metrics.etag.clone()),
    };
    Some(Limit { set, range, at })
}

impl Told {
    /// Reads reports; what cannot be read is not told.
    pub(super) async fn by(
        service: &Service,
        reports: &[Path],
        by: Instant,
    ) -> Result<Self, Unanswered> {
        let mut told = Self::default();
        for report in reports {
            if let Some(report) = tolerate(service.find(report, by).await)? {
                told.take(&report);
            }
        }
        Ok(told)
    }

    fn take(&mut self, report: &Resource) {
        for value in report.each("/MetricValues") {
            let stale = value.pointer("/Oem/Nvidia/MetricValueStale");
            if stale.and_then(Value::as_bool) == Some(true) {
                continue;
            }
            let path = value.get("MetricProperty").and_then(Value::as_str);
            let number = value.get("MetricValue").and_then(resource::number);
            let (Some(path), Some(number)) = (path.and_then(Path::of), number) else {
                continue;
            };
            let stamp = value.get("Timestamp").and_then(Value::as_str);
            let field = Field {
                value: number,
                at: at(report, stamp),
                quality: Quality::Reported,
            };
            self.0.insert(path, field);
        }
    }

    pub(super) fn of(&self, sensor: &Path) -> Option<Field<f64>> {
        self.0.get(sensor).copied()
    }
}

/// When a figure was true: when it was read, less the age that the service gives it by
/// its own clock.
fn at(resource: &Resource, stamp: Option<&str>) -> Instant {
    let stamped = stamp.and_then(resource::timestamp).zip(resource.date);
    let age = stamped.map_or(0, |(stamp, date)| (date - stamp).as_seconds());
    let age = if (0..=AGE_MAX).contains(&age) { age.unsigned_abs() } else { 0 };
    resource.read.checked_sub(Duration::from_secs(age)).unwrap_or(resource.read)
}

/// What the whole tray draws, from the best source that tells.
pub(super) async fn draw(
    service: &Service,
    tree: &Tree,
    told: &Told,
    by: Instant,
) -> Result<Option<Field<Power>>, Unanswered> {
    for source in &tree.draw {
        let found = match source {
            Source::Sensor(sensor) => match told.of(sensor) {
                Some(field) => power(field),
                None => {
                    let found = tolerate(service.find(sensor, by).await)?;
                    found.and_then(|found| read(&found, "/Reading"))
                }
            },
            Source::Property(at, pointer) => {
                let found = tolerate(service.find(at, by).await)?;
                found.and_then(|found| read(&found, pointer))
            }
            Source::Supplies(supplies) => {
                let inputs = inputs(service, supplies, by).await?;
                sum(inputs)
            }
        };
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

fn power(field: Field<f64>) -> Option<Field<Power>> {
    let value = watts(field.value)?;
    Some(Field { value, at: field.at, quality: field.quality })
}

fn read(resource: &Resource, pointer: &str) -> Option<Field<Power>> {
    let value = resource.watts(pointer)?;
    Some(Field { value, at: resource.read, quality: Quality::Reported })
}

/// What each supply draws; `None` for one that does not say.
pub(super) async fn inputs(
    service: &Service,
    supplies: &[Path],
    by: Instant,
) -> Result<Vec<Option<Field<Power>>>, Unanswered> {
    let mut inputs = Vec::new();
    for supply in supplies {
        let found = tolerate(service.find(supply, by).await)?;
        inputs.push(match found {
            Some(supply) => input(service, &supply, by).await?,
            None => None,
        });
    }
    Ok(inputs)
}

/// What a supply draws, as its metrics say it.
pub(super) async fn input(
    service: &Service,
    supply: &Resource,
    by: Instant,
) -> Result<Option<Field<Power>>, Unanswered> {
    let Some(at) = supply.link("/Metrics") else {
        return Ok(read(supply, "/PowerInputWatts"));
    };
    let metrics = tolerate(service.find(&at, by).await)?;
    Ok(metrics.and_then(|metrics| read(&metrics, "/InputPowerWatts/Reading")))
}

/// The sum of figures that are all known.
pub(super) fn sum(fields: Vec<Option<Field<Power>>>) -> Option<Field<Power>> {
    let fields: Option<Vec<Field<Power>>> = fields.into_iter().collect();
    let fields = fields.filter(|fields| !fields.is_empty())?;
    let oldest = fields.iter().map(|field| field.at).min()?;
    let value = fields.iter().map(|field| field.value).sum();
    Some(Field { value, at: oldest, quality: Quality::Derived })
}

/// The hottest part: what reports tell of its sensors, or the sensors themselves.
pub(super) async fn hottest(
    service: &Service,
    tree: &Tree,
    told: &Told,
    by: Instant,
) -> Result<Option<Field<Temperature>>, Unanswered> {
    let mut hottest: Option<Field<Temperature>> = None;
    for sensor in &tree.temperatures {
        let field = match told.of(sensor) {
            Some(field) => Some(field),
            None => tolerate(service.find(sensor, by).await)?.and_then(|found| {
                let value = found.number("/Reading")?;
                Some(Field { value, at: found.read, quality: Quality::Reported })
            }),
        };
        let Some((field, value)) = field.and_then(|f| Some((f, celsius(f.value)?)))
        else {
            continue;
        };
        if hottest.is_none_or(|hottest| value > hottest.value) {
            hottest = Some(Field { value, at: field.at, quality: field.quality });
        }
    }
    Ok(hottest)
}

/// What the health of a resource complains of.
pub(super) fn complaint(resource: &Resource) -> Option<DeviceText> {
    let health = resource.text("/Status/HealthRollup");
    let health = health.filter(|health| *health != "OK");
    let health = health.or_else(|| resource.text("/Status/Health"));
    let health = health.filter(|health| *health != "OK")?;
    let why = resource.text("/Status/Conditions/0/Message").unwrap_or_default();
    Some(DeviceText::of(&format!("{} is {health} {why}", resource.name())))
}

/// Whether a GPU says that it is not there.
pub(super) fn is_absent(gpu: &Resource) -> bool {
    gpu.text("/Status/State") == Some("Absent")
}

/// What detectors say of leaks, each by itself or in groups.
pub(super) async fn leaks(
    service: &Service,
    detectors: &[Path],
    by: Instant,
) -> Result<Vec<DeviceText>, Unanswered> {
    let mut leaks = Vec::new();
    for path in detectors {
        let Some(found) = tolerate(service.find(path, by).await)? else {
            leaks.push(DeviceText::of(&format!("{} does not answer", path.name())));
            continue;
        };
        let grouped = found.each("/LeakDetectorGroups").flat_map(|group| {
            group["Detectors"].as_array().into_iter().flatten().take(DETECTORS_MAX)
        });
        for detector in grouped {
            let state = resource::text(&detector["DetectorState"]);
            if let Some(state) = state.filter(|state| *state != "OK") {
                let name =
                    resource::text(&detector["DeviceName"]).unwrap_or("a detector");
                leaks.push(DeviceText::of(&format!("leak: {name} is {state}")));
            }
        }
        let state = found.text("/DetectorState");
        let state = state.or_else(|| found.text("/Status/Health"));
        if let Some(state) = state.filter(|state| *state != "OK") {
            leaks.push(DeviceText::of(&format!("leak: {} is {state}", found.name())));
        }
    }
    Ok(leaks)
}

/// One GPU's limit, read now.
pub(super) enum GpuLimit {
    /// The GPU is not there, and draws nothing.
    Gone,
    /// Its metrics cannot be read.
    Unread,
    /// It has no limit.
    Without,
    /// It has one.
    Set(Limit),
}

/// Reads one GPU's limit.
pub(super) async fn limit_of(
    service: &Service,
    gpu: &Gpu,
    by: Instant,
) -> Result<GpuLimit, Unanswered> {
    let Some(at) = &gpu.metrics else { return Ok(GpuLimit::Without) };
    match service.find(at, by).await {
        Ok(Some(metrics)) => {
            let set = limit(&metrics);
            Ok(set.map_or(GpuLimit::Without, GpuLimit::Set))
        }
        Ok(None) => Ok(GpuLimit::Gone),
        Err(Unanswered::Nonsense(_)) => Ok(GpuLimit::Unread),
        Err(why) => Err(why),
    }
}

/// A broken resource is one that is not there; a service that does not answer is an
/// error.
pub(super) fn tolerate(
    found: Result<Option<Resource>, Unanswered>,
) -> Result<Option<Resource>, Unanswered> {
    match found {
        Err(Unanswered::Nonsense(_)) => Ok(None),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use units::Power;

    use super::{Limit, Resource, SetAt, Told, complaint, limit, running};
    use crate::device::Running;
    use crate::device::redfish::path::Path;

    const METRICS: &str = "/redfish/v1/Systems/H/Processors/GPU_0/EnvironmentMetrics";

    fn path(text: &str) -> Path {
        Path::of(text).expect("a path")
    }

    #[test]
    fn a_limit_is_set_where_it_wears_nothing() {
        let controls = "/redfish/v1/Chassis/HGX_CPU_0/Controls";
        let here = SetAt::Metrics(path(METRICS), None);
        for (source, expected) in [
            // GB300 and DGX H100 name no source; GH200 names one that is not there.
            (None, here.clone()),
            (Some(format!("{controls}/GPU_0_Power_0")), here.clone()),
            (
                Some(format!("{controls}/CPU_0_TDPPowerNonvolatile_0")),
                SetAt::Control(path(&format!("{controls}/CPU_0_TDPPowerVolatile_0"))),
            ),
            (Some("http://elsewhere/Nonvolatile".to_owned()), here),
        ] {
            let json = json!({ "PowerLimitWatts": {
                "SetPoint": 1_400, "AllowableMin": 200, "AllowableMax": 1_400.0,
                "DataSourceUri": source
            } });
            let found = limit(&Resource::made_up(METRICS, json));
            let set = Power::from_watts(1_400);
            let expected = Limit { set, range: Some((200, 1_400)), at: expected };
            assert_eq!(found, Some(expected), "{source:?}");
        }
    }

    #[test]
    fn what_is_no_limit_is_none() {
        for json in [
            json!({}),
            // Early GB200.
            json!({ "PowerLimitWatts": { "SetPoint": null } }),
            json!({ "PowerLimitWatts": { "SetPoint": "STATIC:3:0" } }),
            json!({ "PowerLimitWatts": 700 }),
            json!({ "PowerLimitWatts": { "SetPoint": 1e300 } }),
        ] {
            let found = limit(&Resource::made_up(METRICS, json.clone()));
            assert_eq!(found, None, "{json}");
        }
    }

    #[test]
    fn a_system_rests_starts_or_works() {
        let check = |state: Value, boots: Value, expected: Option<Running>| {
            let json = json!({
                "PowerState": state, "BootProgress": { "LastState": boots }
            });
            let found = running(&Resource::made_up("/redfish/v1/Systems/S", json));
            assert_eq!(found, expected, "{state} {boots}");
        };
        check(json!("Off"), json!(null), Some(Running::Resting));
        check(json!("On"), json!(null), Some(Running::Working));
        check(json!("On"), json!("OSRunning"), Some(Running::Working));
        check(json!("On"), json!("MemoryInitializationStarted"), Some(Running::Starting));
        check(json!("PoweringOn"), json!("None"), Some(Running::Starting));
        // Still drawing.
        check(json!("PoweringOff"), json!(null), Some(Running::Working));
        check(json!("<b>"), json!(null), None);
        check(json!(null), json!(null), None);
    }

    #[test]
    fn a_report_tells_what_is_a_number_and_not_stale() {
        let sensor = |name: &str| format!("/redfish/v1/Chassis/C/Sensors/{name}");
        let json = json!({ "MetricValues": [
            { "MetricProperty": sensor("A"), "MetricValue": "1361.53" },
            { "MetricProperty": sensor("B"), "MetricValue": "nan" },
            { "MetricProperty": sensor("C"), "MetricValue": "5",
              "Oem": { "Nvidia": { "MetricValueStale": true } } },
            { "MetricProperty": "http://elsewhere/", "MetricValue": "5" },
            { "MetricValue": "5" },
            "STATIC:3:0",
            { "MetricProperty": sensor("D"), "MetricValue": 7 },
        ] });
        let mut told = Told::default();
        told.take(&Resource::made_up("/redfish/v1/R", json));
        let value = |name: &str| told.of(&path(&sensor(name))).map(|field| field.value);
        assert_eq!(value("A"), Some(1361.53));
        assert_eq!((value("B"), value("C"), value("D")), (None, None, Some(7.0)));
        assert_eq!(told.0.len(), 2);
    }

    #[test]
    fn health_that_is_not_ok_is_a_complaint() {
        for (status, expected) in [
            (json!({ "Health": "OK", "HealthRollup": "OK" }), None),
            (
                json!({ "Health": "OK", "HealthRollup": "Critical" }),
                Some("S is Critical"),
            ),
            (json!({ "Health": "Warning" }), Some("S is Warning")),
            (json!({ "Health": null }), None),
            (json!(3), None),
        ] {
            let json = json!({ "Status": status });
            let found = complaint(&Resource::made_up("/redfish/v1/Systems/S", json));
            assert_eq!(found.as_ref().map(|f| f.as_str()), expected, "{status}");
        }
    }
}
