//! Drivers, as a site file says where devices are and what they speak.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use adapters::census::Target;
use adapters::deliver::Secret;
use adapters::device::cgminer::Cgminer;
use adapters::device::dcgm::Exporter;
use adapters::device::modbus::{
    Battery, BatteryLimits, Kind, ModbusMeter, Plausible, Profile,
};
use adapters::device::rack::Rack;
use adapters::device::redfish::{
    Login, Pin, Security, Shelf, Shutdown, SwitchTray, Tray, TraySettings,
};
use adapters::device::whatsminer::Whatsminer;
use adapters::device::{Allowed, Driver, Reached};
use adapters::meter::Meter;
use anyhow::{Context, bail};
use engine::Site;
use engine::site::{Load, LoadKind, Racks};
use units::Power;

use crate::config::{Devices, LoadedSite, Placed, Vendor};
use crate::live::contacts::kept_in;
use crate::live::trays::{Beside, Joined, read_cabling};

use super::pins::Pins;

/// The drivers of a site.
#[derive(Debug)]
pub struct Opened {
    /// The driver of each machine of each load, in the site's order; none where the site
    /// file does not say where its devices are.
    pub loads: Vec<Vec<Arc<dyn Driver>>>,
    /// The meter at the interconnection.
    pub meter: Option<Arc<dyn Meter>>,
    /// Batteries, which want to hear that somebody watches.
    pub batteries: Vec<Arc<Battery>>,
}

/// One device, as the census looks for it.
#[derive(Debug)]
pub struct Device {
    /// Where, and what is spoken there.
    pub target: Target,
    /// Which load it belongs to.
    pub load: String,
    /// Where it is to send its work; empty is not watched.
    pub pools: Vec<String>,
}

/// What the site file says of devices, and how strangers are asked what they are.
#[derive(Debug)]
pub struct Known {
    /// The devices of its loads, tray by tray.
    pub devices: Vec<Device>,
    /// Who may be anywhere else.
    pub strangers: Strangers,
}

/// How an address that nobody knows is asked what it is. It is shown no login.
#[derive(Debug)]
pub struct Strangers {
    allowed: Allowed,
    /// Ports, each with whether racks listen on it, else rigs, and over TLS or not.
    ports: BTreeSet<(u16, bool, bool)>,
}

impl Strangers {
    /// Whom to ask at an address, a target a port.
    pub fn at(&self, address: Ipv4Addr) -> impl Iterator<Item = Target> {
        self.ports.iter().filter_map(move |(port, trays, tls)| {
            let at = self.allowed.reach((address, *port).into()).ok()?;
            let speaks: Vec<(&'static str, Arc<dyn Driver>)> = match trays {
                true => {
                    let pin = tls.then(Pin::default);
                    let tray = Tray::new(at, tray_settings(&Share::NONE, None, pin));
                    vec![(Vendor::Redfish.name(), Arc::new(tray))]
                }
                false => vec![
                    (Vendor::Whatsminer.name(), Arc::new(Whatsminer::new(at, None))),
                    (Vendor::Cgminer.name(), Arc::new(Cgminer::new(at))),
                ],
            };
            Some(Target { at, speaks })
        })
    }
}

/// The devices of a site one by one, for a census.
///
/// # Errors
///
/// As [`open`].
pub fn known(
    loaded: &LoadedSite,
    ourselves: Vec<SocketAddr>,
    env: &dyn Fn(&str) -> Option<String>,
    pins: &Pins,
) -> anyhow::Result<Known> {
    let placed = &loaded.devices;
    let allowed = Allowed::new(placed.allowed.clone(), ourselves);
    let mut devices = Vec::new();
    // Miners listen where they always did, whatever the site has.
    let mut ports = BTreeSet::from([(4_028, false, false)]);
    for (load, placed) in loaded.site.loads.iter().zip(&placed.loads) {
        let Some(placed) = placed else { continue };
        let login = placed.login.as_ref().map(|kept| kept_in(kept, env)).transpose()?;
        let trays = match placed.driver {
            Vendor::Whatsminer | Vendor::Cgminer | Vendor::AsicRs => false,
            Vendor::Redfish => true,
            Vendor::Modbus => continue,
        };
        ports.insert((placed.port, trays, placed.tls));
        for number in 0..placed.count {
            let at = allowed.reach(placed.address(number))?;
            let driver: Arc<dyn Driver> = match (placed.driver, &load.kind) {
                (Vendor::Redfish, LoadKind::Racks(racks)) => {
                    let login = login.as_deref().map(user_and_password).transpose()?;
                    let share = of_tray(racks, placed);
                    let pin = placed.tls.then(|| pins.of(at.address()));
                    Arc::new(Tray::new(at, tray_settings(&share, login, pin)))
                }
                (Vendor::Whatsminer, _) => {
                    Arc::new(Whatsminer::new(at, login.clone().map(Secret::new)))
                }
                (Vendor::AsicRs, _) => by_library(at, login.as_deref())?,
                (Vendor::Cgminer | Vendor::Redfish | Vendor::Modbus, _) => {
                    Arc::new(Cgminer::new(at))
                }
            };
            let target = Target { at, speaks: vec![(placed.driver.name(), driver)] };
            let (load, pools) = (load.name.clone(), placed.pools.clone());
            devices.push(Device { target, load, pools });
        }
        for at in (0..placed.machines()).flat_map(|machine| placed.switches(machine)) {
            let at = allowed.reach(at)?;
            let switch = Arc::new(switch_tray(at, placed, login.as_deref(), pins)?);
            let speaks: Vec<(_, Arc<dyn Driver>)> = vec![(placed.driver.name(), switch)];
            let target = Target { at, speaks };
            devices.push(Device { target, load: load.name.clone(), pools: Vec::new() });
        }
        for at in (0..placed.machines()).filter_map(|machine| placed.shelf(machine)) {
            let at = allowed.reach(at)?;
            let shelf = Arc::new(shelf(at, placed, login.as_deref(), pins)?);
            let speaks: Vec<(_, Arc<dyn Driver>)> = vec![(placed.driver.name(), shelf)];
            let target = Target { at, speaks };
            devices.push(Device { target, load: load.name.clone(), pools: Vec::new() });
        }
    }
    Ok(Known { devices, strangers: Strangers { allowed, ports } })
}

/// Makes a driver for every device. Nothing is connected to yet.
///
/// # Errors
///
/// When a login or a profile is not where the site file says, or an address may not be
/// connected to because the program listens there itself.
pub fn open(
    loaded: &LoadedSite,
    ourselves: Vec<SocketAddr>,
    env: &dyn Fn(&str) -> Option<String>,
    pins: &Pins,
) -> anyhow::Result<Opened> {
    let Devices { allowed, loads: placed, meter, .. } = &loaded.devices;
    let opening = Opening {
        site: &loaded.site,
        allowed: Allowed::new(allowed.clone(), ourselves),
        folder: loaded.path.parent().unwrap_or(Path::new(".")),
        env,
        pins,
    };
    let mut loads = Vec::with_capacity(placed.len());
    let mut batteries = Vec::new();
    for (load, placed) in loaded.site.loads.iter().zip(placed) {
        let drivers = match placed {
            Some(placed) => opening
                .load(load, placed, &mut batteries)
                .with_context(|| format!("cannot drive the load `{}`", load.name))?,
            None => Vec::new(),
        };
        loads.push(drivers);
    }
    let meter = meter.as_ref().map(|placed| opening.meter(placed)).transpose();
    Ok(Opened { loads, meter: meter.context("cannot read the meter")?, batteries })
}

/// The trays of the estate's racks, by the names of their slots: those of loads that
/// are driven over Redfish and name their first rack.
///
/// # Errors
///
/// As [`open`].
pub fn trays(
    loaded: &LoadedSite,
    ourselves: Vec<SocketAddr>,
    env: &dyn Fn(&str) -> Option<String>,
    pins: &Pins,
) -> anyhow::Result<BTreeMap<String, Arc<Tray>>> {
    let allowed = Allowed::new(loaded.devices.allowed.clone(), ourselves);
    let mut found = BTreeMap::new();
    for (load, placed) in loaded.site.loads.iter().zip(&loaded.devices.loads) {
        let (Some(placed), LoadKind::Racks(racks)) = (placed, &load.kind) else {
            continue;
        };
        let login = placed.login.as_ref().map(|kept| kept_in(kept, env)).transpose()?;
        let login = login.as_deref().map(user_and_password).transpose()?;
        let share = of_tray(racks, placed);
        for machine in 0..placed.machines() {
            let Some(rack) = racks.rack_name(machine) else { continue };
            for slot in 0..placed.per_machine {
                let at =
                    allowed.reach(placed.address(machine * placed.per_machine + slot))?;
                let pin = placed.tls.then(|| pins.of(at.address()));
                let mut settings = tray_settings(&share, login.clone(), pin);
                settings.drives = placed.drives;
                let tray = Arc::new(Tray::new(at, settings));
                found.insert(format!("{rack}.t{slot:02}"), tray);
            }
        }
    }
    Ok(found)
}

/// What the racks of the estate are joined and fed by, by their names, as far as the site
/// file has addresses.
///
/// # Errors
///
/// As [`open`].
pub fn joined(
    loaded: &LoadedSite,
    ourselves: Vec<SocketAddr>,
    env: &dyn Fn(&str) -> Option<String>,
    pins: &Pins,
) -> anyhow::Result<BTreeMap<String, Joined>> {
    let allowed = Allowed::new(loaded.devices.allowed.clone(), ourselves);
    let mut found = BTreeMap::new();
    for (load, placed) in loaded.site.loads.iter().zip(&loaded.devices.loads) {
        let (Some(placed), LoadKind::Racks(racks)) = (placed, &load.kind) else {
            continue;
        };
        let login = placed.login.as_ref().map(|kept| kept_in(kept, env)).transpose()?;
        let login = login.as_deref();
        for machine in 0..placed.machines() {
            let Some(rack) = racks.rack_name(machine) else { continue };
            let mut switches = Vec::new();
            for at in placed.switches(machine) {
                let switch = switch_tray(allowed.reach(at)?, placed, login, pins)?;
                switches.push(Arc::new(switch));
            }
            let mut fed = None;
            if let Some(at) = placed.shelf(machine) {
                fed = Some(Arc::new(shelf(allowed.reach(at)?, placed, login, pins)?));
            }
            found.insert(rack, Joined::by(switches, fed));
        }
    }
    Ok(found)
}

fn switch_tray(
    at: Reached,
    placed: &Placed,
    login: Option<&str>,
    pins: &Pins,
) -> anyhow::Result<SwitchTray> {
    let login = login.map(user_and_password).transpose()?;
    Ok(SwitchTray::new(at, security(at, placed, pins), login))
}

fn shelf(
    at: Reached,
    placed: &Placed,
    login: Option<&str>,
    pins: &Pins,
) -> anyhow::Result<Shelf> {
    let login = login.map(user_and_password).transpose()?;
    Ok(Shelf::new(at, security(at, placed, pins), login))
}

fn security(at: Reached, placed: &Placed, pins: &Pins) -> Security {
    let pin = placed.tls.then(|| pins.of(at.address()));
    pin.map_or(Security::Plain, Security::Pinned)
}

/// What the trays of the estate are asked beside their controllers, by the names of
/// their slots: exporters of their GPUs, and how they are to be plugged in.
///
/// # Errors
///
/// When an address is not of the site's networks, or a file cannot be read.
pub fn beside(
    loaded: &LoadedSite,
    ourselves: Vec<SocketAddr>,
) -> anyhow::Result<BTreeMap<String, Beside>> {
    let allowed = Allowed::new(loaded.devices.allowed.clone(), ourselves);
    let folder = loaded.path.parent().unwrap_or(Path::new("."));
    let mut found = BTreeMap::new();
    for (load, placed) in loaded.site.loads.iter().zip(&loaded.devices.loads) {
        let (Some(placed), LoadKind::Racks(racks)) = (placed, &load.kind) else {
            continue;
        };
        let mut cabling = BTreeMap::new();
        if let Some(file) = &placed.cabling {
            let path = folder.join(file);
            let told = || format!("cannot use the cabling {}", path.display());
            let text = std::fs::read_to_string(&path).with_context(told)?;
            cabling = read_cabling(&text).with_context(told)?;
        }
        for machine in 0..placed.machines() {
            let Some(rack) = racks.rack_name(machine) else { continue };
            for slot in 0..placed.per_machine {
                let name = format!("{rack}.t{slot:02}");
                let exporter = placed.exporter(machine * placed.per_machine + slot);
                let exporter = exporter.map(|at| allowed.reach(at)).transpose()?;
                let exporter = exporter.map(Exporter::new);
                let cabling = cabling.remove(&name).unwrap_or_default();
                found.insert(name, Beside::new(exporter, cabling));
            }
        }
        if let Some(slot) = cabling.keys().next() {
            bail!(
                "{}: expected slots of the racks of `{}`, found {slot}",
                placed.cabling.as_deref().unwrap_or_default(),
                load.name
            );
        }
    }
    Ok(found)
}

/// A miner driven by the library `asic-rs`; `login` is a password, or `user:password`.
#[cfg(feature = "asic-rs")]
fn by_library(at: Reached, login: Option<&str>) -> anyhow::Result<Arc<dyn Driver>> {
    use adapters::device::asic_rs::{AsicRs, Login};
    let login = login.map(|login| {
        let (user, password) = login.split_once(':').unwrap_or(("admin", login));
        Login { user: user.to_owned(), password: Secret::new(password.to_owned()) }
    });
    Ok(Arc::new(AsicRs::new(at, login)))
}

#[cfg(not(feature = "asic-rs"))]
fn by_library(_: Reached, _: Option<&str>) -> anyhow::Result<Arc<dyn Driver>> {
    bail!(
        "expected a driver that this program has, found `asic_rs`; build it with \
         `--features asic-rs`, or name another driver"
    )
}

struct Opening<'a> {
    site: &'a Site,
    allowed: Allowed,
    folder: &'a Path,
    env: &'a dyn Fn(&str) -> Option<String>,
    pins: &'a Pins,
}

impl Opening<'_> {
    fn load(
        &self,
        load: &Load,
        placed: &Placed,
        batteries: &mut Vec<Arc<Battery>>,
    ) -> anyhow::Result<Vec<Arc<dyn Driver>>> {
        let login = placed.login.as_ref().map(|kept| kept_in(kept, self.env));
        let login = login.transpose()?;
        if let LoadKind::Battery(battery) = &load.kind {
            let limits = BatteryLimits {
                charge_max: battery.charge_max,
                discharge_max: battery.discharge_max,
                capacity: Some(battery.stored_max),
            };
            let at = self.allowed.reach(placed.address(0))?;
            let profile = self.profile(placed, Kind::Battery)?;
            let battery = Arc::new(Battery::new(at, placed.unit, profile, limits));
            batteries.push(Arc::clone(&battery));
            return Ok(vec![battery]);
        }
        (0..placed.machines())
            .map(|machine| self.machine(load, placed, machine, login.as_deref()))
            .collect()
    }

    fn machine(
        &self,
        load: &Load,
        placed: &Placed,
        machine: u32,
        login: Option<&str>,
    ) -> anyhow::Result<Arc<dyn Driver>> {
        let at = |number: u32| self.allowed.reach(placed.address(number));
        Ok(match placed.driver {
            Vendor::Whatsminer => {
                let login = login.map(|password| Secret::new(password.to_owned()));
                Arc::new(Whatsminer::new(at(machine)?, login))
            }
            Vendor::Cgminer => Arc::new(Cgminer::new(at(machine)?)),
            Vendor::AsicRs => by_library(at(machine)?, login)?,
            Vendor::Redfish => {
                let first = machine * placed.per_machine;
                let trays: Result<Vec<_>, _> =
                    (first..first + placed.per_machine).map(at).collect();
                Arc::new(rack(load, placed, trays?, login, self.pins)?)
            }
            Vendor::Modbus => bail!("only batteries are driven over Modbus"),
        })
    }

    fn meter(&self, placed: &Placed) -> anyhow::Result<Arc<dyn Meter>> {
        let at = self.allowed.reach(placed.address(0))?;
        let profile = self.profile(placed, Kind::Meter)?;
        let grid = &self.site.interconnection;
        let most = grid.import_limit.max(grid.export_limit);
        // A meter at its limit still says so, and what is beyond it too.
        let plausible = Plausible { most: most.times(2) };
        Ok(Arc::new(ModbusMeter::new(at, placed.unit, profile, plausible)))
    }

    /// A profile of the program's by name, or one in a file.
    fn profile(&self, placed: &Placed, kind: Kind) -> anyhow::Result<Profile> {
        let name = placed.profile.as_deref().unwrap_or_default();
        let profile = match Profile::named(name) {
            Some(profile) => profile,
            None => {
                let path = self.folder.join(name);
                let text = std::fs::read_to_string(&path).with_context(|| {
                    let shipped: Vec<_> = Profile::shipped()
                        .into_iter()
                        .filter(|profile| profile.kind == kind)
                        .map(|profile| profile.name)
                        .collect();
                    format!(
                        "expected a profile: {}, or a file; cannot read {}",
                        shipped.join(", "),
                        path.display()
                    )
                })?;
                Profile::read(&text)
                    .with_context(|| format!("cannot use {}", path.display()))?
            }
        };
        if profile.kind != kind {
            bail!("expected a profile of another kind of device than `{name}` is");
        }
        Ok(profile)
    }
}

fn rack(
    load: &Load,
    placed: &Placed,
    trays: Vec<Reached>,
    login: Option<&str>,
    pins: &Pins,
) -> anyhow::Result<Rack> {
    let LoadKind::Racks(racks) = &load.kind else {
        bail!("only racks are driven over Redfish");
    };
    let login = login.map(user_and_password).transpose()?;
    let share = of_tray(racks, placed);
    let tray = |at: Reached| {
        let pin = placed.tls.then(|| pins.of(at.address()));
        let settings = tray_settings(&share, login.clone(), pin);
        Box::new(Tray::new(at, settings)) as Box<dyn Driver>
    };
    // What no tray draws is in the share of each.
    Ok(Rack::new(trays.into_iter().map(tray).collect(), Power::ZERO))
}

/// What of a rack is one tray's.
struct Share {
    /// Draw at full work, its share of the rack's rest included.
    full: Power,
    /// Of that, what the site file says is beside its GPUs.
    beside_gpus: Power,
    /// Its GPUs.
    gpus: i64,
}

impl Share {
    /// Of a tray that is only looked at.
    const NONE: Self = Self { full: Power::ZERO, beside_gpus: Power::ZERO, gpus: 0 };
}

fn of_tray(racks: &Racks, placed: &Placed) -> Share {
    let trays = i64::from(placed.per_machine.max(1));
    let part = |power: Power| Power::from_watts(power.as_watts() / trays);
    Share {
        full: part(racks.machines.ceiling_of_one()),
        beside_gpus: part(racks.beside_gpus),
        gpus: i64::from(racks.gpus_per_rack) / trays,
    }
}

/// What it draws beside its GPUs is what the site file says, and no less than what it
/// draws at full work beyond what they may.
fn tray_settings(share: &Share, login: Option<Login>, pin: Option<Pin>) -> TraySettings {
    let beyond = share.full - GPU_MOST.times(share.gpus);
    TraySettings {
        login,
        security: pin.map_or(Security::Plain, Security::Pinned),
        beside_gpus: share.beside_gpus.max(beyond).max(Power::ZERO),
        unlimited: Some(share.full),
        shutdown: Shutdown::Graceful,
        drives: None,
    }
}

/// The highest limit that one GPU of a GB300 tray takes.
const GPU_MOST: Power = Power::from_watts(1_400);

/// A login as it is kept: `user:password`.
fn user_and_password(text: &str) -> anyhow::Result<Login> {
    // What is kept is a secret, and not repeated.
    let (user, password) = text
        .split_once(':')
        .context("expected the login as `user:password`, found no colon in it")?;
    Ok(Login { user: user.to_owned(), password: Secret::new(password.to_owned()) })
}
