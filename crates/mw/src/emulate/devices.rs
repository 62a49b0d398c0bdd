//! A simulated site's devices, each at the address that the site file gives it, over
//! its real protocol, and the grids that its programmes are heard from.
//!
//! The machines, the meter and the batteries are the campus' own; here each gets the
//! vendor's face that the site file names. A grid is a VTN with nothing to say until
//! somebody tells it.
//!
//! Invariant: only loopback is listened on.

use std::net::{IpAddr, SocketAddr};

use adapters::device::modbus::Profile;
use anyhow::{Context, bail};
use engine::site::{Load, LoadKind};
use sim::campus::Temper;
use sim::seed::generator;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use units::Seconds;

use super::modbus::{Faults, serve_battery, serve_meter};
use super::openadr::Vtn;
use super::redfish::{self, Rack, Served, Shelf, SwitchTray, Tray, TraySpec};
use super::rigs::{Firmware, Manner, Rigs, Timing};
use super::{Emulated, Machine};
use crate::config::{LoadedSite, Placed, Vendor};
use crate::live::clock::Clock;
use crate::live::contacts::kept_in;

/// How emulated devices are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ways {
    /// How long they take for what they do.
    pub timing: Timing,
    /// How many of a hundred machines take connections and answer nothing.
    pub hang_percent: u32,
    /// What hangs is drawn from it.
    pub seed: u64,
}

/// Devices that answer. They end with this.
#[derive(Debug)]
pub struct Answering {
    rigs: Vec<Rigs>,
    racks: Vec<Rack>,
    /// The listeners of the racks' trays.
    trays: Vec<Served>,
    /// Meters, batteries, and what ties racks to the campus.
    others: JoinSet<()>,
    shelves: Vec<Shelf>,
    switches: Vec<SwitchTray>,
    grids: Vec<(SocketAddr, Vtn)>,
    hanging: u32,
}

impl Answering {
    /// How many devices answer, or hang.
    pub fn devices(&self) -> usize {
        let rigs: usize = self.rigs.iter().map(|rigs| rigs.addresses().len()).sum();
        rigs + self.shelves.len()
            + self.switches.len()
            + self.trays.iter().map(|served| served.addresses.len()).sum::<usize>()
    }

    /// How many machines hang.
    pub fn hanging(&self) -> u32 {
        self.hanging
    }

    /// The racks' switch trays, in the site's order.
    pub fn switches(&self) -> &[SwitchTray] {
        &self.switches
    }

    /// The racks' power shelves, in the site's order.
    pub fn shelves(&self) -> &[Shelf] {
        &self.shelves
    }

    /// The grids, each with where it answers.
    pub fn grids(&self) -> &[(SocketAddr, Vtn)] {
        &self.grids
    }

    /// The rigs, a group for each load that has some, in the site's order.
    pub fn rigs(&self) -> &[Rigs] {
        &self.rigs
    }

    /// The racks, in the site's order.
    pub fn racks(&self) -> &[Rack] {
        &self.racks
    }
}

/// Lets the devices that the site file names answer. On a current runtime.
///
/// # Errors
///
/// When the site file names none, an address is not loopback or cannot be listened on, or
/// a login or a profile is not where the file says.
pub async fn answer(
    site: &Emulated,
    loaded: &LoadedSite,
    ways: Ways,
) -> anyhow::Result<Answering> {
    let env = |name: &str| std::env::var(name).ok();
    let devices = &loaded.devices;
    let mut answering = Answering {
        rigs: Vec::new(),
        racks: Vec::new(),
        trays: Vec::new(),
        others: JoinSet::new(),
        shelves: Vec::new(),
        switches: Vec::new(),
        grids: Vec::new(),
        hanging: 0,
    };
    let mut draws = generator(ways.seed, "hang");
    for (ix, (load, placed)) in loaded.site.loads.iter().zip(&devices.loads).enumerate() {
        let Some(placed) = placed else { continue };
        let login = placed.login.as_ref().map(|kept| kept_in(kept, &env)).transpose()?;
        let machines = site.machines_of(&load.name);
        for machine in &machines {
            if draws.chance(ways.hang_percent * 10_000) {
                machine.take_temper(Temper::Hangs, Seconds::hours(24 * 365));
                answering.hanging += 1;
            }
        }
        let told = format!("cannot emulate the devices of `{}`", load.name);
        match placed.driver {
            Vendor::Whatsminer | Vendor::Cgminer | Vendor::AsicRs => {
                let rigs = rigs(load, placed, machines, login, ways).context(told)?;
                answering.rigs.push(rigs);
            }
            Vendor::Redfish => {
                let clock = site.with(|works| works.clock);
                for machine in machines {
                    let rack =
                        rack(load, placed, &machine, login.as_deref(), ways, clock)
                            .context(told.clone())?;
                    let first = machine.number() * placed.per_machine;
                    let at: Vec<SocketAddr> = (first..first + placed.per_machine)
                        .map(|number| placed.address(number))
                        .collect();
                    on_loopback(&at).context(told.clone())?;
                    let served = rack.serve(&at).await.context(told.clone())?;
                    if let Some(at) = placed.shelf(machine.number()) {
                        let listener = listen(at).await.context(told.clone())?;
                        let login =
                            login.as_deref().map(user_and_password).transpose()?;
                        let shelf =
                            Shelf::new(machine.number(), rack.clone(), login, clock);
                        answering.shelves.push(shelf.clone());
                        answering
                            .others
                            .spawn(async move { ended(shelf.serve(listener).await) });
                    }
                    for (place, at) in (0..).zip(placed.switches(machine.number())) {
                        let listener = listen(at).await.context(told.clone())?;
                        let login =
                            login.as_deref().map(user_and_password).transpose()?;
                        let number = machine.number() * 16 + place;
                        let switch = SwitchTray::new(number, login, clock);
                        answering.switches.push(switch.clone());
                        answering
                            .others
                            .spawn(async move { ended(switch.serve(listener).await) });
                    }
                    answering.trays.push(served);
                    answering.racks.push(rack.clone());
                    answering.others.spawn(async move { rack.drive(&machine).await });
                }
            }
            Vendor::Modbus => {
                let listener = listen(placed.address(0)).await.context(told)?;
                let (site, profile) = (site.clone(), profile(placed)?);
                let unit = placed.unit;
                answering.others.spawn(async move {
                    let faults = Faults::default();
                    let served =
                        serve_battery(&site, ix, listener, profile, unit, faults).await;
                    ended(served);
                });
            }
        }
    }
    if let Some(placed) = &devices.meter {
        let listener = listen(placed.address(0)).await;
        let listener = listener.context("cannot emulate the meter")?;
        let (site, profile, unit) = (site.clone(), profile(placed)?, placed.unit);
        answering.others.spawn(async move {
            let faults = Faults::default();
            ended(serve_meter(&site, listener, profile, unit, faults).await);
        });
    }
    for feed in &loaded.feeds {
        let told = format!("cannot emulate the grid of `{}`", feed.programme);
        let Some((at, path)) = here(&feed.url) else { continue };
        let login = kept_in(&feed.login, &env).context(told.clone())?;
        let listener = listen(at).await.context(told)?;
        let clock = site.with(|works| works.clock);
        let vtn = Vtn::new(&feed.program, clock).told_with(login);
        answering.grids.push((at, vtn.clone()));
        answering
            .others
            .spawn(async move { ended(vtn.serve_under(listener, &path).await) });
    }
    if answering.devices() == 0 && answering.others.is_empty() {
        bail!(
            "{}: expected to find where devices are, found none; write `[rigs.devices]`, \
             `[racks.devices]`, `[batteries.device]` or `[interconnection.meter]`",
            loaded.path.display()
        );
    }
    Ok(answering)
}

fn rigs(
    load: &Load,
    placed: &Placed,
    machines: Vec<Machine>,
    login: Option<String>,
    ways: Ways,
) -> anyhow::Result<Rigs> {
    let LoadKind::Rigs(rigs) = &load.kind else {
        bail!("only rigs speak {}", placed.driver.name());
    };
    let manner = Manner {
        firmware: match placed.driver {
            // The library can set no limit on the other.
            Vendor::Whatsminer | Vendor::AsicRs => Firmware::Whatsminer,
            // The one of the family that can be told a limit.
            Vendor::Cgminer | Vendor::Redfish | Vendor::Modbus => Firmware::LuxOs,
        },
        model: rigs.model.replace("Whatsminer ", "").replace(' ', "_"),
        password: login.unwrap_or_default(),
        pools: match placed.pools.is_empty() {
            true => vec!["stratum+tcp://pool.invalid:3333".to_owned()],
            false => placed.pools.clone(),
        },
        timing: ways.timing,
    };
    let at: Vec<SocketAddr> = (0..placed.count).map(|n| placed.address(n)).collect();
    Ok(Rigs::listen(machines, &at, manner)?)
}

fn rack(
    load: &Load,
    placed: &Placed,
    machine: &Machine,
    login: Option<&str>,
    ways: Ways,
    clock: Clock,
) -> anyhow::Result<Rack> {
    let LoadKind::Racks(racks) = &load.kind else {
        bail!("only racks are of trays");
    };
    if placed.tls {
        bail!("trays are emulated without TLS; write `tls = false`");
    }
    let watts = |power: units::Power| power.as_watts() as f64;
    let full = racks.machines.points.last().map_or(0.0, |point| watts(point.power));
    let standby = watts(racks.machines.standby);
    let spec = TraySpec::gb300(full, standby, placed.per_machine as usize);
    let timing = match ways.timing {
        Timing::Fast => redfish::Timing::FAST,
        Timing::Realistic => redfish::Timing::REALISTIC,
    };
    let login = login.map(user_and_password).transpose()?;
    let first = machine.number() * placed.per_machine;
    let tray = |number| Tray::new(number, spec, timing, login.clone(), clock);
    Ok(Rack::new((first..first + placed.per_machine).map(tray).collect()))
}

fn user_and_password(text: &str) -> anyhow::Result<(String, String)> {
    // What is kept is a secret, and not repeated.
    let both = text
        .split_once(':')
        .context("expected the login as `user:password`, found no colon in it")?;
    Ok((both.0.to_owned(), both.1.to_owned()))
}

/// Where a VTN of this URL listens on this machine, and under which path; nothing where it
/// is another machine's, or spoken to over TLS.
fn here(url: &str) -> Option<(SocketAddr, String)> {
    let url: hyper::Uri = url.parse().ok()?;
    let address: IpAddr = url.host()?.parse().ok()?;
    let is_here = url.scheme_str() == Some("http") && address.is_loopback();
    is_here
        .then(|| ((address, url.port_u16().unwrap_or(80)).into(), url.path().to_owned()))
}

fn profile(placed: &Placed) -> anyhow::Result<Profile> {
    let name = placed.profile.as_deref().unwrap_or_default();
    Profile::named(name).with_context(|| {
        format!(
            "expected a profile of the program's, found `{name}`: a file of registers \
                 is not emulated"
        )
    })
}

async fn listen(at: SocketAddr) -> anyhow::Result<TcpListener> {
    on_loopback(&[at])?;
    TcpListener::bind(at).await.with_context(|| format!("cannot listen on {at}"))
}

fn on_loopback(at: &[SocketAddr]) -> anyhow::Result<()> {
    match at.iter().find(|at| !at.ip().is_loopback()) {
        Some(at) => bail!("expected loopback addresses for emulated devices, found {at}"),
        None => Ok(()),
    }
}

fn ended(served: std::io::Result<()>) {
    if let Err(error) = served {
        tracing::warn!(event = "emulated_device_ended", %error);
    }
}
