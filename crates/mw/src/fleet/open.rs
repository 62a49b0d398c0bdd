//! Drivers, as a site file says where devices are and what they speak.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use adapters::deliver::Secret;
use adapters::device::cgminer::Cgminer;
use adapters::device::modbus::{
    Battery, BatteryLimits, Kind, ModbusMeter, Plausible, Profile,
};
use adapters::device::rack::Rack;
use adapters::device::redfish::{
    self, Login, Pin, Security, Shutdown, Tray, TraySettings,
};
use adapters::device::whatsminer::Whatsminer;
use adapters::device::{Allowed, Driver, Reached};
use adapters::meter::Meter;
use anyhow::{Context, bail};
use engine::Site;
use engine::site::{Load, LoadKind};
use units::Power;

use crate::config::{Devices, LoadedSite, Placed, Vendor};
use crate::live::contacts::kept_in;

/// The drivers of a site.
#[derive(Debug)]
pub struct Opened {
    /// The driver of each machine of each load, in the site's order; none where the site
    /// file does not say where its devices are.
    pub loads: Vec<Vec<Arc<dyn Driver>>>,
    /// The meter at the interconnection.
    pub meter: Option<Arc<dyn Meter>>,
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
) -> anyhow::Result<Opened> {
    let Devices { allowed, loads: placed, meter, .. } = &loaded.devices;
    let opening = Opening {
        site: &loaded.site,
        allowed: Allowed::new(allowed.clone(), ourselves),
        folder: loaded.path.parent().unwrap_or(Path::new(".")),
        env,
    };
    let mut loads = Vec::with_capacity(placed.len());
    for (load, placed) in loaded.site.loads.iter().zip(placed) {
        let drivers = match placed {
            Some(placed) => opening
                .load(load, placed)
                .with_context(|| format!("cannot drive the load `{}`", load.name))?,
            None => Vec::new(),
        };
        loads.push(drivers);
    }
    let meter = meter.as_ref().map(|placed| opening.meter(placed)).transpose();
    Ok(Opened { loads, meter: meter.context("cannot read the meter")? })
}

struct Opening<'a> {
    site: &'a Site,
    allowed: Allowed,
    folder: &'a Path,
    env: &'a dyn Fn(&str) -> Option<String>,
}

impl Opening<'_> {
    fn load(&self, load: &Load, placed: &Placed) -> anyhow::Result<Vec<Arc<dyn Driver>>> {
        let login = placed.login.as_ref().map(|kept| kept_in(kept, self.env));
        let login = login.transpose()?;
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
            Vendor::Redfish => {
                let first = machine * placed.per_machine;
                let trays: Result<Vec<_>, _> =
                    (first..first + placed.per_machine).map(at).collect();
                Arc::new(rack(load, placed, trays?, login)?)
            }
            Vendor::Modbus => {
                let LoadKind::Battery(battery) = &load.kind else {
                    bail!("only batteries are driven over Modbus");
                };
                let limits = BatteryLimits {
                    charge_max: battery.charge_max,
                    discharge_max: battery.discharge_max,
                    capacity: Some(battery.stored_max),
                };
                let profile = self.profile(placed, Kind::Battery)?;
                Arc::new(Battery::new(at(0)?, placed.unit, profile, limits))
            }
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

/// A rack of trays. What it draws beyond its GPUs is shared out over them: what a rack
/// draws at full work, less what its GPUs may.
fn rack(
    load: &Load,
    placed: &Placed,
    trays: Vec<Reached>,
    login: Option<&str>,
) -> anyhow::Result<Rack> {
    let LoadKind::Racks(racks) = &load.kind else {
        bail!("only racks are driven over Redfish");
    };
    let login = login.map(user_and_password).transpose()?;
    let count = i64::from(placed.per_machine.max(1));
    let full = Power::from_watts(
        racks.machines.points.last().map_or(0, |point| point.power.as_watts() / count),
    );
    let gpus = i64::from(racks.gpus_per_rack) / count;
    let beside_gpus = full - GPU_MOST.times(gpus);
    let settings = TraySettings {
        login,
        security: match placed.tls {
            true => Security::Pinned(Pin::default()),
            false => Security::Plain,
        },
        beside_gpus: beside_gpus.max(Power::ZERO),
        unlimited: Some(full),
        shutdown: Shutdown::Graceful,
    };
    let tray = |at| Box::new(Tray::new(at, settings.clone())) as Box<dyn Driver>;
    // What no tray draws is in the share of each.
    Ok(Rack::new(trays.into_iter().map(tray).collect(), Power::ZERO))
}

/// The highest limit that one GPU of a GB300 tray takes.
const GPU_MOST: Power = Power::from_watts(1_400);

/// A login as it is kept: `user:password`.
fn user_and_password(text: &str) -> anyhow::Result<redfish::Login> {
    // What is kept is a secret, and not repeated.
    let (user, password) = text
        .split_once(':')
        .context("expected the login as `user:password`, found no colon in it")?;
    Ok(Login { user: user.to_owned(), password: Secret::new(password.to_owned()) })
}
