//! The tree of resources that a tray shows: each made from the table of its parts and
//! from how it stands at the moment it is asked.

use serde_json::{Map, Value, json};
use units::{Seconds, Timestamp};

use super::body::{Body, From, Power};
use super::parts::{self, CHASSIS, Chassis, LEAK_DETECTORS, REPORTS, RESETS, Tells};
use super::trouble::Trouble;
use crate::live::status::text::rfc3339;

/// The hottest a GPU gets before it slows down, in degrees.
const GPU_HOT: f64 = 87.0;

/// What is seen of a tray.
pub(super) struct View<'a> {
    pub(super) body: &'a Body,
    pub(super) trouble: &'a Trouble,
    /// The tray's number, of which its serial numbers are made.
    pub(super) number: u32,
    pub(super) now: Timestamp,
    /// When its system was last switched on, off or on anew.
    pub(super) reset_at: Timestamp,
    /// Sessions that are open.
    pub(super) sessions: &'a [u64],
}

impl View<'_> {
    /// The resource at a path, without the service's prefix.
    pub(super) fn at(&self, path: &str) -> Option<Value> {
        let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        let found = match parts.as_slice() {
            [] => self.root(),
            ["Systems"] => {
                collection(path, "ComputerSystem", ["System_0", "HGX_Baseboard_0"])
            }
            ["Systems", "System_0"] => self.host(),
            ["Systems", "System_0", "ResetActionInfo"] => self.reset_info(),
            ["Systems", "System_0", "Settings"] => self.settings(path),
            ["Systems", "System_0", "Storage", ..] | ["TaskService", ..] => {
                return self.body.disks.show(path, self.trouble, self.now);
            }
            ["Systems", "HGX_Baseboard_0"] => self.baseboard(),
            ["Systems", "HGX_Baseboard_0", "Processors"] => self.processors(path),
            ["Systems", "HGX_Baseboard_0", "Processors", id, rest @ ..] => {
                return self.processor(path, id, rest);
            }
            ["Chassis"] => collection(path, "Chassis", CHASSIS.iter().map(|c| c.id)),
            ["Chassis", id, rest @ ..] => {
                return self.of_chassis(path, parts::chassis(id)?, rest);
            }
            ["Managers"] => collection(path, "Manager", ["BMC_0", "HGX_BMC_0"]),
            ["Managers", id @ ("BMC_0" | "HGX_BMC_0")] => self.manager(id),
            ["TelemetryService"] => telemetry(),
            ["TelemetryService", "MetricReports"] => {
                collection(path, "MetricReport", REPORTS.iter().map(|(id, _)| *id))
            }
            ["TelemetryService", "MetricReports", id] => {
                let (id, baseboard) = REPORTS.iter().find(|(known, _)| known == id)?;
                self.report(id, *baseboard)
            }
            ["EventService"] => event_service(),
            ["EventService", "Subscriptions"] => collection(path, "EventDestination", []),
            ["SessionService"] => session_service(),
            ["SessionService", "Sessions"] => {
                let ids: Vec<String> =
                    self.sessions.iter().map(ToString::to_string).collect();
                collection(path, "Session", ids.iter().map(String::as_str))
            }
            ["SessionService", "Sessions", id] => {
                self.sessions.iter().find(|session| session.to_string() == *id)?;
                session(id)
            }
            _ => return None,
        };
        Some(found)
    }

    fn is_on(&self) -> bool {
        self.body.power != Power::Off
    }

    fn serial(&self, part: &str) -> String {
        let sum = part.bytes().fold(self.number, |sum, byte| {
            sum.wrapping_mul(31).wrapping_add(u32::from(byte))
        });
        format!("EMU{:05}{:06X}", self.number, sum & 0xff_ffff)
    }

    fn name(&self, name: &str) -> String {
        match self.trouble.markup {
            true => {
                format!("<script>alert('{name}')</script><img src=x onerror=alert(1)>")
            }
            false => name.to_owned(),
        }
    }

    fn root(&self) -> Value {
        json!({
            "@odata.id": "/redfish/v1/",
            "@odata.type": "#ServiceRoot.v1_15_0.ServiceRoot",
            "Id": "RootService",
            "Name": "Root Service",
            "Vendor": "Megawatt",
            "Product": self.name("GB NVL"),
            "RedfishVersion": "1.17.0",
            "UUID": uuid(self.number, 0),
            "Chassis": link("Chassis"),
            "EventService": link("EventService"),
            "Managers": link("Managers"),
            "SessionService": link("SessionService"),
            "Systems": link("Systems"),
            "Tasks": link("TaskService"),
            "TelemetryService": link("TelemetryService"),
            "Links": { "Sessions": link("SessionService/Sessions") },
            "ProtocolFeaturesSupported": {
                "ExcerptQuery": false,
                "ExpandQuery": {
                    "ExpandAll": false, "Levels": false, "Links": false, "NoLinks": false
                },
                "FilterQuery": false,
                "OnlyMemberQuery": false,
                "SelectQuery": false
            }
        })
    }

    fn host(&self) -> Value {
        let there = self.body.is_working() || self.body.is_set_up();
        let progress = match self.body.power {
            Power::Off => "None",
            Power::On(_) if self.body.is_working() => "OSRunning",
            Power::On(_) if self.body.is_set_up() => "SetupEntered",
            Power::On(_) => "MemoryInitializationStarted",
        };
        let took = if there { self.body.starts_in() } else { 0 };
        let progressed = self.reset_at + Seconds::from_seconds(took);
        let health = if self.trouble.leak.is_some() { "Critical" } else { "OK" };
        json!({
            "@odata.id": "/redfish/v1/Systems/System_0",
            "@odata.type": "#ComputerSystem.v1_22_0.ComputerSystem",
            "Id": "System_0",
            "Name": "System_0",
            "Manufacturer": self.name("Megawatt"),
            "Model": self.name("GB300 NVL tray"),
            "SerialNumber": self.serial("System_0"),
            "UUID": uuid(self.number, 1),
            "SystemType": "Physical",
            "PowerState": if self.is_on() { "On" } else { "Off" },
            "LastResetTime": rfc3339(self.reset_at),
            "BootProgress": {
                "LastState": progress, "LastStateTime": rfc3339(progressed)
            },
            "Boot": self.boot(!self.trouble.override_in_settings),
            "@Redfish.Settings": {
                "@odata.type": "#Settings.v1_3_5.Settings",
                "SettingsObject": link("Systems/System_0/Settings")
            },
            "Storage": link("Systems/System_0/Storage"),
            "Actions": { "#ComputerSystem.Reset": {
                "target": "/redfish/v1/Systems/System_0/Actions/ComputerSystem.Reset",
                "@Redfish.ActionInfo": "/redfish/v1/Systems/System_0/ResetActionInfo"
            } },
            "Links": {
                "Chassis": [link("Chassis/Chassis_0")],
                "ManagedBy": [link("Managers/BMC_0")]
            },
            "Status": { "Health": health, "State": state(self.is_on()) }
        })
    }

    /// What the next start is overridden to, where that is told here.
    fn boot(&self, is_here: bool) -> Value {
        let once = self.body.once.filter(|_| is_here);
        let target = match once {
            Some(From::Network) => "Pxe",
            Some(From::Setup) => "BiosSetup",
            Some(From::Usual) | None => "None",
        };
        json!({
            "BootSourceOverrideEnabled": if once.is_some() { "Once" } else { "Disabled" },
            "BootSourceOverrideTarget": target,
            "BootSourceOverrideTarget@Redfish.AllowableValues":
                ["None", "Pxe", "Hdd", "BiosSetup"]
        })
    }

    fn settings(&self, path: &str) -> Value {
        json!({
            "@odata.id": odata(path),
            "@odata.type": "#ComputerSystem.v1_22_0.ComputerSystem",
            "Id": "Settings",
            "Name": "System_0 Pending Settings",
            "Boot": self.boot(self.trouble.override_in_settings)
        })
    }

    fn reset_info(&self) -> Value {
        json!({
            "@odata.id": "/redfish/v1/Systems/System_0/ResetActionInfo",
            "@odata.type": "#ActionInfo.v1_2_0.ActionInfo",
            "Id": "ResetActionInfo",
            "Name": "Reset Action Info",
            "Parameters": [{
                "Name": "ResetType", "Required": true, "DataType": "String",
                "AllowableValues": RESETS
            }]
        })
    }

    fn baseboard(&self) -> Value {
        let missing = self.body.gpus.iter().any(|gpu| gpu.missing);
        let rollup = if missing && self.is_on() { "Critical" } else { "OK" };
        json!({
            "@odata.id": "/redfish/v1/Systems/HGX_Baseboard_0",
            "@odata.type": "#ComputerSystem.v1_22_0.ComputerSystem",
            "Id": "HGX_Baseboard_0",
            "Name": "HGX_Baseboard_0",
            "Manufacturer": "NVIDIA",
            "Model": "GB300 NVL",
            "SerialNumber": self.serial("HGX_Baseboard_0"),
            "UUID": uuid(self.number, 2),
            "SystemType": "Physical",
            "PowerState": if self.is_on() { "On" } else { "Off" },
            "Processors": link("Systems/HGX_Baseboard_0/Processors"),
            "Links": {
                "Chassis": [link("Chassis/HGX_Chassis_0")],
                "ManagedBy": [link("Managers/HGX_BMC_0")]
            },
            "Status": {
                "Health": "OK", "HealthRollup": rollup, "State": state(self.is_on())
            }
        })
    }

    fn processors(&self, path: &str) -> Value {
        let gpus = (0..self.body.gpus.len()).filter(|gpu| !self.body.gpus[*gpu].missing);
        let gpus: Vec<String> = gpus.map(|gpu| format!("GPU_{gpu}")).collect();
        let all = ["CPU_0", "CPU_1"].into_iter().chain(gpus.iter().map(String::as_str));
        collection(path, "Processor", all)
    }

    fn processor(&self, path: &str, id: &str, rest: &[&str]) -> Option<Value> {
        if matches!(id, "CPU_0" | "CPU_1") {
            return match rest {
                [] => Some(self.cpu(path, id)),
                ["EnvironmentMetrics"] => Some(self.cpu_metrics(path, id)),
                _ => None,
            };
        }
        let gpu = self.gpu_number(id)?;
        match rest {
            [] => Some(self.gpu(path, gpu)),
            ["EnvironmentMetrics"] if self.body.has_gpus() => {
                Some(self.gpu_metrics(path, gpu))
            }
            ["Oem", "Nvidia", "PowerSmoothing"] if self.body.has_gpus() => {
                Some(self.smoothing(path, gpu))
            }
            _ => None,
        }
    }

    /// The number of a GPU that is there.
    pub(super) fn gpu_number(&self, id: &str) -> Option<usize> {
        let number: usize = id.strip_prefix("GPU_")?.parse().ok()?;
        self.body.gpus.get(number).filter(|gpu| !gpu.missing)?;
        Some(number)
    }

    fn cpu(&self, path: &str, id: &str) -> Value {
        let number = id.trim_start_matches("CPU_");
        json!({
            "@odata.id": odata(path),
            "@odata.type": "#Processor.v1_20_0.Processor",
            "Id": id,
            "Name": "Processor",
            "ProcessorType": "CPU",
            "Manufacturer": "NVIDIA",
            "Model": "Grace",
            "SerialNumber": self.serial(id),
            "EnvironmentMetrics": link(&format!("{path}/EnvironmentMetrics")),
            "Links": { "Chassis": link(&format!("Chassis/HGX_CPU_{number}")) },
            "Status": { "Health": "OK", "State": state(self.is_on()) }
        })
    }

    /// As real ones are: the limit's source is the control that keeps it in flash, and
    /// the temperature is the distance from a limit.
    fn cpu_metrics(&self, path: &str, id: &str) -> Value {
        let number = id.trim_start_matches("CPU_");
        let control = format!(
            "/redfish/v1/Chassis/HGX_CPU_{number}/Controls/\
             ProcessorModule_{number}_CPU_0_TDPPowerNonvolatile_0"
        );
        json!({
            "@odata.id": odata(path),
            "@odata.type": "#EnvironmentMetrics.v1_3_0.EnvironmentMetrics",
            "Id": "EnvironmentMetrics",
            "Name": format!("{id} Environment Metrics"),
            "PowerLimitWatts": {
                "AllowableMin": 50, "AllowableMax": 300, "SetPoint": 300,
                "ControlMode": "Disabled", "DataSourceUri": control
            }
        })
    }

    fn gpu(&self, path: &str, gpu: usize) -> Value {
        let id = format!("GPU_{gpu}");
        json!({
            "@odata.id": odata(path),
            "@odata.type": "#Processor.v1_20_0.Processor",
            "Id": id,
            "Name": self.name("Processor"),
            "ProcessorType": "GPU",
            "Manufacturer": "NVIDIA",
            "Model": self.name("NVIDIA GB300"),
            "SerialNumber": self.serial(&id),
            "FirmwareVersion": "97.10.3E.00.05",
            "EnvironmentMetrics": link(&format!("{path}/EnvironmentMetrics")),
            "Links": { "Chassis": link(&format!("Chassis/HGX_GPU_{gpu}")) },
            "Status": { "Health": "OK", "State": state(self.is_on()) }
        })
    }

    fn gpu_metrics(&self, path: &str, gpu: usize) -> Value {
        let spec = &self.body.spec;
        let one = &self.body.gpus[gpu];
        let sensor = |name: &str| {
            format!("/redfish/v1/Chassis/HGX_GPU_{gpu}/Sensors/HGX_GPU_{gpu}_{name}")
        };
        json!({
            "@odata.id": odata(path),
            "@odata.type": "#EnvironmentMetrics.v1_3_0.EnvironmentMetrics",
            "Id": "EnvironmentMetrics",
            "Name": format!("GPU_{gpu} Environment Metrics"),
            "PowerLimitWatts": {
                "AllowableMin": spec.gpu_least,
                "AllowableMax": spec.gpu_most,
                "ControlMode": "Automatic",
                "DefaultSetPoint": spec.gpu_most,
                "Reading": tenths(one.draw),
                "SetPoint": one.set
            },
            "PowerWatts": { "DataSourceUri": sensor("Power_0"), "Reading": tenths(one.draw) },
            "EnergyJoules": { "DataSourceUri": sensor("Energy_0"), "Reading": tenths(one.joules) },
            "TemperatureCelsius": {
                "DataSourceUri": sensor("TEMP_1"),
                "Reading": tenths(GPU_HOT - self.body.celsius(gpu))
            }
        })
    }

    fn smoothing(&self, path: &str, gpu: usize) -> Value {
        json!({
            "@odata.id": odata(path),
            "@odata.type": "#NvidiaPowerSmoothing.v1_1_0.NvidiaPowerSmoothing",
            "Id": "PowerSmoothing",
            "Name": format!("GPU_{gpu} Power Smoothing"),
            "Enabled": self.body.gpus[gpu].smoothed,
            "ImmediateRampDown": false,
            "RampUpWattsPerSecond": 20.0,
            "RampDownWattsPerSecond": 20.0
        })
    }

    fn of_chassis(&self, path: &str, of: &Chassis, rest: &[&str]) -> Option<Value> {
        if of.gpu().is_some_and(|gpu| self.body.gpus.get(gpu).is_none_or(|g| g.missing)) {
            return None;
        }
        let found = match rest {
            [] => self.chassis(path, of),
            ["EnvironmentMetrics"] => self.chassis_metrics(path, of),
            ["Sensors"] => collection(path, "Sensor", of.sensors.iter().map(|s| s.id)),
            ["Sensors", id] => self.sensor(path, of, id)?,
            ["ThermalSubsystem"] if of.id == "Chassis_0" => json!({
                "@odata.id": odata(path),
                "@odata.type": "#ThermalSubsystem.v1_3_0.ThermalSubsystem",
                "Id": "ThermalSubsystem",
                "Name": "Thermal Subsystem",
                "LeakDetection": link(&format!("{path}/LeakDetection")),
                "Status": { "Health": "OK", "State": "Enabled" }
            }),
            ["ThermalSubsystem", "LeakDetection"] if of.id == "Chassis_0" => json!({
                "@odata.id": odata(path),
                "@odata.type": "#LeakDetection.v1_0_1.LeakDetection",
                "Id": "LeakDetection",
                "Name": "Leak Detection",
                "LeakDetectors": link(&format!("{path}/LeakDetectors")),
                "Status": { "Health": "OK", "State": "Enabled" }
            }),
            ["ThermalSubsystem", "LeakDetection", "LeakDetectors"]
                if of.id == "Chassis_0" =>
            {
                collection(path, "LeakDetector", LEAK_DETECTORS)
            }
            ["ThermalSubsystem", "LeakDetection", "LeakDetectors", id]
                if of.id == "Chassis_0" =>
            {
                self.leak_detector(path, id)?
            }
            ["Controls"] => collection(path, "Control", controls(of)),
            ["Controls", id] if controls(of).contains(id) => self.control(path, id),
            _ => return None,
        };
        Some(found)
    }

    fn chassis(&self, path: &str, of: &Chassis) -> Value {
        let manager = if of.is_baseboard { "HGX_BMC_0" } else { "BMC_0" };
        let system = if of.is_baseboard { "HGX_Baseboard_0" } else { "System_0" };
        let contains: Vec<Value> = CHASSIS
            .iter()
            .filter(|inner| inner.within == Some(of.id))
            .filter(|inner| inner.gpu().is_none_or(|gpu| self.is_there(gpu)))
            .map(|inner| link(&format!("Chassis/{}", inner.id)))
            .collect();
        let mut links = Map::new();
        links.insert(
            "ManagedBy".to_owned(),
            json!([link(&format!("Managers/{manager}"))]),
        );
        links.insert(
            "ComputerSystems".to_owned(),
            json!([link(&format!("Systems/{system}"))]),
        );
        if let Some(within) = of.within {
            links.insert("ContainedBy".to_owned(), link(&format!("Chassis/{within}")));
        }
        if !contains.is_empty() {
            links.insert("Contains".to_owned(), json!(contains));
        }
        let mut chassis = json!({
            "@odata.id": odata(path),
            "@odata.type": "#Chassis.v1_22_0.Chassis",
            "Id": of.id,
            "Name": self.name(of.id),
            "ChassisType": of.kind,
            "Manufacturer": of.maker,
            "Model": of.model,
            "SerialNumber": self.serial(of.id),
            "PowerState": if self.is_on() { "On" } else { "Off" },
            "Sensors": link(&format!("{path}/Sensors")),
            "EnvironmentMetrics": link(&format!("{path}/EnvironmentMetrics")),
            "Controls": link(&format!("{path}/Controls")),
            "Links": links,
            "Status": { "Health": "OK", "HealthRollup": "OK", "State": "Enabled" }
        });
        match of.id {
            "Chassis_0" => {
                chassis["ThermalSubsystem"] = link(&format!("{path}/ThermalSubsystem"));
            }
            "CBC_0" => {
                let slot = self.number % 18;
                chassis["Oem"] = json!({ "Nvidia": {
                    "@odata.type": "#NvidiaChassis.v1_4_0.NvidiaCBCChassis",
                    "ChassisPhysicalSlotNumber": slot + 10,
                    "ComputeTrayIndex": slot
                } });
            }
            _ => {}
        }
        chassis
    }

    fn is_there(&self, gpu: usize) -> bool {
        self.body.gpus.get(gpu).is_some_and(|gpu| !gpu.missing)
    }

    fn chassis_metrics(&self, path: &str, of: &Chassis) -> Value {
        let mut metrics = json!({
            "@odata.id": odata(path),
            "@odata.type": "#EnvironmentMetrics.v1_3_0.EnvironmentMetrics",
            "Id": "EnvironmentMetrics",
            "Name": "Chassis Environment Metrics"
        });
        if of.id == "Chassis_0" {
            metrics["PowerWatts"] = json!({
                "DataSourceUri":
                    "/redfish/v1/Chassis/Chassis_0/Sensors/Chassis_0_TotalHSC_Power_0",
                "Reading": tenths(self.body.draw())
            });
        }
        metrics
    }

    /// What a sensor shows; nothing while its part is off.
    fn reading(&self, tells: Tells) -> Option<f64> {
        let part = |gpu: usize| self.body.gpus.get(gpu).filter(|_| self.body.has_gpus());
        let shown = match tells {
            Tells::TrayPower => Some(self.body.draw()),
            Tells::GpusPower => Some(self.body.gpu_draw()),
            Tells::GpuPower(gpu) => part(gpu).map(|gpu| gpu.draw),
            Tells::GpuEnergy(gpu) => part(gpu).map(|gpu| gpu.joules),
            Tells::GpuHeat(gpu) => part(gpu).map(|_| self.body.celsius(gpu)),
            Tells::GpuHeadroom(gpu) => {
                part(gpu).map(|_| GPU_HOT - self.body.celsius(gpu))
            }
            Tells::Steady(value) => Some(value),
        };
        shown.map(tenths)
    }

    fn sensor(&self, path: &str, of: &Chassis, id: &str) -> Option<Value> {
        let sensor = of.sensors.iter().find(|sensor| sensor.id == id)?;
        let mut found = json!({
            "@odata.id": odata(path),
            "@odata.type": "#Sensor.v1_7_0.Sensor",
            "Id": sensor.id,
            "Name": sensor.id.replace('_', " "),
            "ReadingType": sensor.kind,
            "ReadingUnits": sensor.units,
            "Reading": self.reading(sensor.tells),
            "Status": { "Health": "OK", "State": "Enabled" }
        });
        if let Tells::GpuHeadroom(_) = sensor.tells {
            found["ReadingBasis"] = json!("Headroom");
        }
        Some(found)
    }

    fn leak_detector(&self, path: &str, id: &str) -> Option<Value> {
        let number = LEAK_DETECTORS.iter().position(|known| *known == id)?;
        let leaks = self.trouble.leak == Some(number);
        let state = if leaks { "Critical" } else { "OK" };
        Some(json!({
            "@odata.id": odata(path),
            "@odata.type": "#LeakDetector.v1_1_0.LeakDetector",
            "Id": id,
            "Name": id.replace('_', " "),
            "LeakDetectorType": "Moisture",
            "DetectorState": state,
            "Status": { "Health": state, "State": "Enabled" }
        }))
    }

    fn control(&self, path: &str, id: &str) -> Value {
        let (least, most, set) = match id.starts_with("TotalGPU") {
            true => {
                let count = self.body.gpus.len() as f64;
                let set: f64 = self.body.gpus.iter().map(|gpu| gpu.set).sum();
                let spec = &self.body.spec;
                (spec.gpu_least * count, spec.gpu_most * count, set)
            }
            false => (50.0, 300.0, 300.0),
        };
        json!({
            "@odata.id": odata(path),
            "@odata.type": "#Control.v1_5_0.Control",
            "Id": id,
            "Name": id.replace('_', " "),
            "ControlType": "Power",
            "ControlMode": "Automatic",
            "SetPointUnits": "W",
            "AllowableMin": least,
            "AllowableMax": most,
            "SetPoint": set,
            "Status": { "Health": "OK", "State": "Enabled" }
        })
    }

    fn manager(&self, id: &str) -> Value {
        let (chassis, system, firmware) = match id {
            "BMC_0" => ("BMC_0", "System_0", "70.01.00.09"),
            _ => ("HGX_BMC_0", "HGX_Baseboard_0", "GB300Nvl-25.07-7"),
        };
        json!({
            "@odata.id": format!("/redfish/v1/Managers/{id}"),
            "@odata.type": "#Manager.v1_15_0.Manager",
            "Id": id,
            "Name": id,
            "ManagerType": "BMC",
            "FirmwareVersion": self.name(firmware),
            "DateTime": stamp(self.now),
            "Links": {
                "ManagerForServers": [link(&format!("Systems/{system}"))],
                "ManagerForChassis": [link(&format!("Chassis/{chassis}"))],
                "ManagerInChassis": link(&format!("Chassis/{chassis}"))
            },
            "Status": { "Health": "OK", "State": "Enabled" }
        })
    }

    fn report(&self, id: &str, is_baseboard: bool) -> Value {
        let of_side =
            CHASSIS.iter().filter(|chassis| chassis.is_baseboard == is_baseboard);
        let there = of_side.filter(|c| c.gpu().is_none_or(|gpu| self.is_there(gpu)));
        let values: Vec<Value> = there
            .flat_map(|chassis| {
                chassis.sensors.iter().map(move |sensor| (chassis, sensor))
            })
            .map(|(chassis, sensor)| {
                let path =
                    format!("/redfish/v1/Chassis/{}/Sensors/{}", chassis.id, sensor.id);
                let value = self.reading(sensor.tells);
                let value = value.map_or_else(|| "nan".to_owned(), |v| format!("{v:.6}"));
                json!({
                    "MetricProperty": path,
                    "MetricValue": value,
                    "Timestamp": stamp(self.now)
                })
            })
            .collect();
        json!({
            "@odata.id": format!("/redfish/v1/TelemetryService/MetricReports/{id}"),
            "@odata.type": "#MetricReport.v1_4_2.MetricReport",
            "Id": id,
            "Name": id,
            "Timestamp": stamp(self.now),
            "MetricValues": values
        })
    }
}

fn controls(of: &Chassis) -> Vec<&'static str> {
    match of.id {
        "HGX_Chassis_0" => vec!["TotalGPU_Power_0"],
        "HGX_CPU_0" => vec![
            "ProcessorModule_0_CPU_0_TDPPowerNonvolatile_0",
            "ProcessorModule_0_CPU_0_TDPPowerVolatile_0",
        ],
        "HGX_CPU_1" => vec![
            "ProcessorModule_1_CPU_0_TDPPowerNonvolatile_0",
            "ProcessorModule_1_CPU_0_TDPPowerVolatile_0",
        ],
        _ => Vec::new(),
    }
}

fn telemetry() -> Value {
    json!({
        "@odata.id": "/redfish/v1/TelemetryService",
        "@odata.type": "#TelemetryService.v1_2_1.TelemetryService",
        "Id": "TelemetryService",
        "Name": "Telemetry Service",
        "MaxReports": REPORTS.len(),
        "MetricReports": link("TelemetryService/MetricReports"),
        "Status": { "State": "Enabled" }
    })
}

fn event_service() -> Value {
    json!({
        "@odata.id": "/redfish/v1/EventService",
        "@odata.type": "#EventService.v1_7_2.EventService",
        "Id": "EventService",
        "Name": "Event Service",
        "ServiceEnabled": true,
        "DeliveryRetryAttempts": 3,
        "DeliveryRetryIntervalSeconds": 30,
        "EventFormatTypes": ["Event"],
        "ServerSentEventUri": "/redfish/v1/EventService/SSE",
        "Subscriptions": link("EventService/Subscriptions"),
        "Status": { "State": "Enabled" }
    })
}

pub(super) fn session_service() -> Value {
    json!({
        "@odata.id": "/redfish/v1/SessionService",
        "@odata.type": "#SessionService.v1_1_9.SessionService",
        "Id": "SessionService",
        "Name": "Session Service",
        "ServiceEnabled": true,
        "SessionTimeout": 1_800,
        "Sessions": link("SessionService/Sessions")
    })
}

/// A session, as its maker sees it.
pub(super) fn session(id: &str) -> Value {
    json!({
        "@odata.id": format!("/redfish/v1/SessionService/Sessions/{id}"),
        "@odata.type": "#Session.v1_7_0.Session",
        "Id": id,
        "Name": "User Session",
        "UserName": "operator",
        "Password": null
    })
}

pub(super) fn collection<'a>(
    path: &str,
    of: &str,
    members: impl IntoIterator<Item = &'a str>,
) -> Value {
    let path = path.trim_matches('/');
    let members: Vec<Value> =
        members.into_iter().map(|member| link(&format!("{path}/{member}"))).collect();
    json!({
        "@odata.id": odata(path),
        "@odata.type": format!("#{of}Collection.{of}Collection"),
        "Name": format!("{of} Collection"),
        "Members": members,
        "Members@odata.count": members.len()
    })
}

pub(super) fn link(path: &str) -> Value {
    json!({ "@odata.id": odata(path) })
}

pub(super) fn odata(path: &str) -> String {
    format!("/redfish/v1/{}", path.trim_matches('/'))
}

fn state(is_on: bool) -> &'static str {
    if is_on { "Enabled" } else { "StandbyOffline" }
}

/// To a tenth: instruments have no more.
fn tenths(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

pub(super) fn uuid(number: u32, part: u32) -> String {
    format!("00000000-0000-4000-8000-{part:04x}{number:08x}")
}

/// A time as the service writes it.
pub(super) fn stamp(now: Timestamp) -> String {
    let text = now.to_string();
    // Redfish has seconds always.
    match text.strip_suffix('Z') {
        Some(minutes) if minutes.len() == "2025-01-31T12:00".len() => {
            format!("{minutes}:00Z")
        }
        Some(_) | None => text,
    }
}
