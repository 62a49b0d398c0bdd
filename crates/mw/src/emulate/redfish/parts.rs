//! The parts of a GB300 tray and what each can tell: a table, from which its tree of
//! resources is made.
//!
//! Names and nesting follow the layout of real trays; every serial number and every
//! figure here is made up.

/// A chassis of the tray.
pub(super) struct Chassis {
    pub(super) id: &'static str,
    pub(super) kind: &'static str,
    /// The chassis it is in.
    pub(super) within: Option<&'static str>,
    pub(super) maker: &'static str,
    pub(super) model: &'static str,
    /// Of the baseboard with the GPUs, rather than of the host.
    pub(super) is_baseboard: bool,
    pub(super) sensors: &'static [Sensor],
}

/// A sensor.
pub(super) struct Sensor {
    pub(super) id: &'static str,
    pub(super) kind: &'static str,
    pub(super) units: &'static str,
    pub(super) tells: Tells,
}

/// What a sensor tells.
#[derive(Clone, Copy)]
pub(super) enum Tells {
    /// What the whole tray draws.
    TrayPower,
    /// What all its GPUs draw.
    GpusPower,
    /// What one GPU draws.
    GpuPower(usize),
    /// What one GPU has drawn so far.
    GpuEnergy(usize),
    /// How hot one GPU is.
    GpuHeat(usize),
    /// How far one GPU is from its limit: called a temperature all the same.
    GpuHeadroom(usize),
    /// Always this.
    Steady(f64),
}

const fn watts(id: &'static str, tells: Tells) -> Sensor {
    Sensor { id, kind: "Power", units: "W", tells }
}

const fn heat(id: &'static str, tells: Tells) -> Sensor {
    Sensor { id, kind: "Temperature", units: "Cel", tells }
}

const fn gpu(
    id: &'static str,
    within: &'static str,
    sensors: &'static [Sensor],
) -> Chassis {
    Chassis {
        id,
        kind: "Component",
        within: Some(within),
        maker: "NVIDIA",
        model: "GB300",
        is_baseboard: true,
        sensors,
    }
}

const fn host(
    id: &'static str,
    within: Option<&'static str>,
    kind: &'static str,
    sensors: &'static [Sensor],
) -> Chassis {
    Chassis {
        id,
        kind,
        within,
        maker: "Megawatt",
        model: "Emulated tray",
        is_baseboard: false,
        sensors,
    }
}

const fn board(
    id: &'static str,
    within: Option<&'static str>,
    kind: &'static str,
    sensors: &'static [Sensor],
) -> Chassis {
    Chassis {
        id,
        kind,
        within,
        maker: "NVIDIA",
        model: "GB300 NVL",
        is_baseboard: true,
        sensors,
    }
}

/// The chassis, outermost first.
pub(super) const CHASSIS: &[Chassis] = &[
    host(
        "Chassis_0",
        None,
        "Shelf",
        &[
            watts("Chassis_0_TotalHSC_Power_0", Tells::TrayPower),
            heat("Chassis_0_Front_IO_Temp_0", Tells::Steady(24.4)),
        ],
    ),
    host(
        "BMC_0",
        Some("Chassis_0"),
        "Module",
        &[heat("BMC_0_DCSCM_Temp_0", Tells::Steady(31.6))],
    ),
    host(
        "PDB_0",
        Some("Chassis_0"),
        "Component",
        &[heat("PDB_0_Inlet_Temp_0", Tells::Steady(36.9))],
    ),
    host("CBC_0", Some("Chassis_0"), "Component", &[]),
    board(
        "HGX_Chassis_0",
        None,
        "Zone",
        &[watts("HGX_Chassis_0_TotalGPU_Power_0", Tells::GpusPower)],
    ),
    board(
        "HGX_BMC_0",
        Some("HGX_Chassis_0"),
        "Module",
        &[heat("HGX_BMC_0_Temp_0", Tells::Steady(31.9))],
    ),
    board("HGX_ProcessorModule_0", Some("HGX_Chassis_0"), "Module", &[]),
    board("HGX_ProcessorModule_1", Some("HGX_Chassis_0"), "Module", &[]),
    board(
        "HGX_CPU_0",
        Some("HGX_ProcessorModule_0"),
        "Component",
        &[
            watts("ProcessorModule_0_CPU_0_Power_0", Tells::Steady(86.7)),
            heat("ProcessorModule_0_CPU_0_TempAvg_0", Tells::Steady(37.3)),
        ],
    ),
    board(
        "HGX_CPU_1",
        Some("HGX_ProcessorModule_1"),
        "Component",
        &[
            watts("ProcessorModule_1_CPU_0_Power_0", Tells::Steady(90.5)),
            heat("ProcessorModule_1_CPU_0_TempAvg_0", Tells::Steady(37.4)),
        ],
    ),
    gpu("HGX_GPU_0", "HGX_ProcessorModule_0", &GPU_0),
    gpu("HGX_GPU_1", "HGX_ProcessorModule_0", &GPU_1),
    gpu("HGX_GPU_2", "HGX_ProcessorModule_1", &GPU_2),
    gpu("HGX_GPU_3", "HGX_ProcessorModule_1", &GPU_3),
];

const fn energy(id: &'static str, of: usize) -> Sensor {
    Sensor { id, kind: "EnergyJoules", units: "J", tells: Tells::GpuEnergy(of) }
}

const GPU_0: [Sensor; 4] = [
    watts("HGX_GPU_0_Power_0", Tells::GpuPower(0)),
    energy("HGX_GPU_0_Energy_0", 0),
    heat("HGX_GPU_0_TEMP_0", Tells::GpuHeat(0)),
    heat("HGX_GPU_0_TEMP_1", Tells::GpuHeadroom(0)),
];

const GPU_1: [Sensor; 4] = [
    watts("HGX_GPU_1_Power_0", Tells::GpuPower(1)),
    energy("HGX_GPU_1_Energy_0", 1),
    heat("HGX_GPU_1_TEMP_0", Tells::GpuHeat(1)),
    heat("HGX_GPU_1_TEMP_1", Tells::GpuHeadroom(1)),
];

const GPU_2: [Sensor; 4] = [
    watts("HGX_GPU_2_Power_0", Tells::GpuPower(2)),
    energy("HGX_GPU_2_Energy_0", 2),
    heat("HGX_GPU_2_TEMP_0", Tells::GpuHeat(2)),
    heat("HGX_GPU_2_TEMP_1", Tells::GpuHeadroom(2)),
];

const GPU_3: [Sensor; 4] = [
    watts("HGX_GPU_3_Power_0", Tells::GpuPower(3)),
    energy("HGX_GPU_3_Energy_0", 3),
    heat("HGX_GPU_3_TEMP_0", Tells::GpuHeat(3)),
    heat("HGX_GPU_3_TEMP_1", Tells::GpuHeadroom(3)),
];

/// Its leak detectors, all of the outermost chassis.
pub(super) const LEAK_DETECTORS: [&str; 4] = [
    "Chassis_0_LeakDetector_0_ColdPlate",
    "Chassis_0_LeakDetector_0_Manifold",
    "Chassis_0_LeakDetector_1_ColdPlate",
    "Chassis_0_LeakDetector_1_Manifold",
];

/// Which sensors each report tells: of the host's side, and of the baseboard's.
pub(super) const REPORTS: [(&str, bool); 2] =
    [("PlatformEnvironmentMetrics_0", false), ("HGX_PlatformEnvironmentMetrics_0", true)];

/// The kinds of reset.
pub(super) const RESETS: [&str; 6] = [
    "On",
    "ForceOff",
    "GracefulShutdown",
    "GracefulRestart",
    "ForceRestart",
    "PowerCycle",
];

/// The chassis of that name.
pub(super) fn chassis(id: &str) -> Option<&'static Chassis> {
    CHASSIS.iter().find(|chassis| chassis.id == id)
}

impl Chassis {
    /// The GPU that it holds.
    pub(super) fn gpu(&self) -> Option<usize> {
        self.id.strip_prefix("HGX_GPU_")?.parse().ok()
    }
}
