//! Where a load's machines are: the site's networks, and devices numbered upward
//! from a first address.
//!
//! Invariant: every address is in a network that the site allows, and no two devices
//! share one.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use adapters::device::reach::Network;
use engine::Site;

use super::contacts::{KeptIn, kept_in, port};
use super::loads::Loads;
use super::problem::Findings;
use super::written::Table;

/// As many as the estate has a bit for.
const SWITCH_TRAYS_MAX: u32 = 16;

/// Where the devices of a site are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Devices {
    /// The networks that may be connected to.
    pub allowed: Vec<Network>,
    /// How many connections a second a search of the networks may open.
    pub search_per_second: u32,
    /// The devices of each load, in the site's order; `None` where the file does not
    /// say where they are.
    pub loads: Vec<Option<Placed>>,
    /// The meter at the interconnection.
    pub meter: Option<Placed>,
}

/// Devices of one load, numbered upward from a first address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// What they speak.
    pub driver: Vendor,
    /// Where the first one is.
    pub first: Ipv4Addr,
    /// How many there are.
    pub count: u32,
    /// How many of them make one machine: the trays of a rack.
    pub per_machine: u32,
    /// The port they listen on.
    pub port: u16,
    /// Where the login is kept.
    pub login: Option<KeptIn>,
    /// Where they are to send their work, most preferred first; empty is not watched.
    pub pools: Vec<String>,
    /// The profile of their registers.
    pub profile: Option<String>,
    /// Whether they are spoken to over TLS.
    pub tls: bool,
    /// The unit they answer to behind a gateway.
    pub unit: u8,
    /// Where the power shelf of the first machine is.
    pub shelves: Option<Ipv4Addr>,
    /// Where the first switch tray of the first machine is, and how many a machine has.
    pub switches: Option<(Ipv4Addr, u32)>,
    /// How many drives a tray has, where the file says so.
    pub drives: Option<u32>,
    /// Where the exporter of the first tray's GPUs is.
    pub exporters: Option<Ipv4Addr>,
    /// The port that exporters listen on.
    pub exporter_port: u16,
    /// The file of what each network port is to be plugged into.
    pub cabling: Option<String>,
}

/// What a device speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Vendor {
    /// The encrypted interface of Whatsminer firmware.
    Whatsminer,
    /// The interface that cgminer began and many firmwares have.
    Cgminer,
    /// Whatever the library `asic-rs` knows, where the program is built with it.
    AsicRs,
    /// Redfish, over HTTP.
    Redfish,
    /// Modbus over TCP.
    Modbus,
}

impl Vendor {
    /// Its name, as a site file has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Whatsminer => "whatsminer",
            Self::Cgminer => "cgminer",
            Self::AsicRs => "asic_rs",
            Self::Redfish => "redfish",
            Self::Modbus => "modbus",
        }
    }

    fn named(name: &str) -> Option<Self> {
        let all =
            [Self::Whatsminer, Self::Cgminer, Self::AsicRs, Self::Redfish, Self::Modbus];
        all.into_iter().find(|vendor| vendor.name() == name)
    }

    /// Whether it talks to nobody who does not log in.
    fn needs_login(self) -> bool {
        match self {
            Self::Whatsminer | Self::Redfish => true,
            Self::Cgminer | Self::AsicRs | Self::Modbus => false,
        }
    }
}

impl Placed {
    /// Where device `number` is: numbers leave out addresses that end in 0 or 255.
    pub fn address(&self, number: u32) -> SocketAddr {
        SocketAddr::new(
            placed_at(place_of(self.first) + u64::from(number)).into(),
            self.port,
        )
    }

    /// Where the devices of one machine are, the first of them first.
    pub fn of_machine(&self, machine: u32) -> impl Iterator<Item = SocketAddr> {
        let from = machine * self.per_machine;
        (from..from + self.per_machine).map(|number| self.address(number))
    }

    /// Where the power shelf of a machine is.
    pub fn shelf(&self, machine: u32) -> Option<SocketAddr> {
        let place = place_of(self.shelves?) + u64::from(machine);
        Some((placed_at(place), self.port).into())
    }

    /// Where the switch trays of a machine are.
    pub fn switches(&self, machine: u32) -> impl Iterator<Item = SocketAddr> {
        let of = self.switches.map(|(first, count)| {
            let from = place_of(first) + u64::from(machine) * u64::from(count);
            (from, count)
        });
        let places =
            of.into_iter().flat_map(|(from, count)| from..from + u64::from(count));
        places.map(|place| (placed_at(place), self.port).into())
    }

    /// Where the exporter of a device's GPUs is.
    pub fn exporter(&self, number: u32) -> Option<SocketAddr> {
        let place = place_of(self.exporters?) + u64::from(number);
        Some((placed_at(place), self.exporter_port).into())
    }

    /// How many machines they make.
    pub fn machines(&self) -> u32 {
        self.count / self.per_machine.max(1)
    }

    /// The places it takes, of all addresses that do not end in 0 or 255.
    fn places(&self) -> std::ops::Range<u64> {
        let first = place_of(self.first);
        first..first + u64::from(self.count)
    }
}

/// Addresses that end in 1 to 254, counted.
fn place_of(address: Ipv4Addr) -> u64 {
    let address = u32::from(address);
    u64::from(address >> 8) * 254 + u64::from(address & 0xff) - 1
}

fn placed_at(place: u64) -> Ipv4Addr {
    let address = (place / 254) << 8 | (place % 254 + 1);
    // What is beyond the last address is in no network.
    u32::try_from(address).map_or(Ipv4Addr::BROADCAST, Ipv4Addr::from)
}

/// Reads where everything is.
pub(super) fn devices(
    root: &Table,
    site: &Site,
    loads: &Loads,
    folder: &Path,
    found: &mut Findings<'_>,
) -> Devices {
    let (allowed, search_per_second) = network(root, found);
    let mut reading = Reading { allowed: &allowed, folder, taken: Vec::new(), found };
    let mut list = vec![None; site.loads.len()];
    for (table, load) in loads.tables(root) {
        let key = if table.declares("devices") { "devices" } else { "device" };
        let Some(inner) = table.table(key) else { continue };
        let machines = load.and_then(|load| site.loads[load].machines());
        let placed = reading.placed(inner, machines.map_or(1, |m| m.count));
        if let Some(load) = load {
            list[load] = placed;
        }
    }
    let grid = root.table("interconnection");
    let meter = grid.and_then(|grid| grid.table("meter"));
    let meter = meter.and_then(|meter| reading.placed(meter, 1));
    Devices { allowed, search_per_second, loads: list, meter }
}

/// The site's networks, and how fast they may be searched.
fn network(root: &Table, found: &mut Findings<'_>) -> (Vec<Network>, u32) {
    let Some(table) = root.table("network") else {
        return (Vec::new(), 0);
    };
    let key = "allow";
    let mut allowed = Vec::new();
    for text in table.names(key).unwrap_or_default() {
        match Network::parse(text) {
            Ok(network) => allowed.push(network),
            Err(error) => {
                let expected = "networks such as \"10.20.0.0/16\"";
                found.problem(
                    table.at(key),
                    table.key(key),
                    expected,
                    error.to_string(),
                    "",
                );
            }
        }
    }
    (allowed, table.count("search_per_second").unwrap_or(0))
}

struct Reading<'a, 't> {
    allowed: &'a [Network],
    folder: &'a Path,
    /// Places that are taken, by which port and which table.
    taken: Vec<(std::ops::Range<u64>, u16, String)>,
    found: &'a mut Findings<'t>,
}

impl Reading<'_, '_> {
    /// The devices of one table, for so many machines.
    fn placed(&mut self, table: &Table, machines: u32) -> Option<Placed> {
        let driver = table.text("driver").and_then(Vendor::named);
        let port = port(table, "port", self.found);
        let login = table.declares("login") && table.writes("login");
        let login = match login {
            true => kept_in(table, "login", self.folder, self.found),
            false => None,
        };
        let (driver, port) = (driver?, port?);
        if driver.needs_login() && !table.writes("login") {
            let remedy = "write `login = \"env:NAME\"` or `login = \"file:PATH\"`";
            let expected = format!("a login, which {} asks for", driver.name());
            self.found.problem(table.start(), table.path(), expected, "none", remedy);
        }
        let per_machine = match table.declares("trays") {
            true => table.count("trays")?,
            false => 1,
        };
        let key = if table.declares("first") { "first" } else { "address" };
        let placed = Placed {
            driver,
            first: self.address(table, key)?,
            count: machines.checked_mul(per_machine)?,
            per_machine,
            port,
            login,
            pools: self.pools(table),
            profile: text_if_declared(table, "profile"),
            tls: table.declares("tls") && table.flag("tls")?,
            unit: self.unit(table)?,
            shelves: self.shelves(table)?,
            switches: self.switches(table)?,
            drives: match table.declares("drives") && table.writes("drives") {
                true => Some(table.count("drives")?),
                false => None,
            },
            exporters: match table.declares("exporters") && table.writes("exporters") {
                true => Some(self.address(table, "exporters")?),
                false => None,
            },
            exporter_port: match table.declares("exporter_port") {
                true => self::port(table, "exporter_port", self.found)?,
                false => 0,
            },
            cabling: text_if_declared(table, "cabling"),
        };
        self.within(table, key, &placed)?;
        self.alone(table, key, &placed)?;
        if let Some(first) = placed.shelves {
            let shelves =
                Placed { first, count: machines, per_machine: 1, ..placed.clone() };
            self.within(table, "shelves", &shelves)?;
            self.alone(table, "shelves", &shelves)?;
        }
        if let Some((first, each)) = placed.switches {
            let count = machines.checked_mul(each)?;
            let switches = Placed { first, count, per_machine: each, ..placed.clone() };
            self.within(table, "switches", &switches)?;
            self.alone(table, "switches", &switches)?;
        }
        if let Some(first) = placed.exporters {
            let port = placed.exporter_port;
            let exporters = Placed { first, port, ..placed.clone() };
            self.within(table, "exporters", &exporters)?;
            self.alone(table, "exporters", &exporters)?;
        }
        Some(placed)
    }

    fn shelves(&mut self, table: &Table) -> Option<Option<Ipv4Addr>> {
        match table.declares("shelves") && table.writes("shelves") {
            true => self.address(table, "shelves").map(Some),
            false => Some(None),
        }
    }

    fn switches(&mut self, table: &Table) -> Option<Option<(Ipv4Addr, u32)>> {
        if !(table.declares("switches") && table.writes("switches")) {
            return Some(None);
        }
        let first = self.address(table, "switches")?;
        let each = table.count("switch_trays")?;
        if each > SWITCH_TRAYS_MAX {
            let (at, key) = (table.at("switch_trays"), table.key("switch_trays"));
            let expected = "at most 16 switch trays a rack";
            self.found.problem(at, key, expected, table.shown("switch_trays"), "");
            return None;
        }
        Some(Some((first, each)))
    }

    /// An address, as four numbers: no names, so that nobody else says where it is.
    fn address(&mut self, table: &Table, key: &str) -> Option<Ipv4Addr> {
        let address: Option<Ipv4Addr> = table.text(key)?.parse().ok();
        let address = address.filter(|address| !matches!(address.octets()[3], 0 | 255));
        if address.is_none() {
            let expected = "an IPv4 address that does not end in 0 or 255";
            let what = table.shown(key);
            self.found.problem(table.at(key), table.key(key), expected, what, "");
        }
        address
    }

    fn unit(&mut self, table: &Table) -> Option<u8> {
        if !table.declares("unit") {
            return Some(0);
        }
        let unit = table.count("unit")?;
        match u8::try_from(unit) {
            Ok(unit @ 0..=247) => Some(unit),
            Ok(_) | Err(_) => {
                let (at, key) = (table.at("unit"), table.key("unit"));
                let expected = "a unit from 0 to 247";
                self.found.problem(at, key, expected, table.shown("unit"), "");
                None
            }
        }
    }

    fn pools(&mut self, table: &Table) -> Vec<String> {
        if !table.declares("pools") {
            return Vec::new();
        }
        let pools = table.names("pools").unwrap_or_default();
        for pool in pools.iter().filter(|pool| !is_pool(pool)) {
            let expected = "pools such as \"stratum+tcp://pool.example:3333\"";
            let what = format!("\"{}\"", pool.chars().take(60).collect::<String>());
            let (at, key) = (table.at("pools"), table.key("pools"));
            let remedy = "workers and passwords have no place here";
            self.found.problem(at, key, expected, what, remedy);
        }
        pools.to_vec()
    }

    /// Notes devices outside the site's networks.
    fn within(&mut self, table: &Table, key: &str, placed: &Placed) -> Option<()> {
        let outside = (0..placed.count).map(|number| placed.address(number)).find(|at| {
            let std::net::IpAddr::V4(at) = at.ip() else { return true };
            !self.allowed.iter().any(|network| network.contains(at))
        });
        let Some(outside) = outside else {
            return Some(());
        };
        let expected = match placed.count {
            1 => "an address in an allowed network".to_owned(),
            count => format!("room for {count} devices in allowed networks"),
        };
        let what = format!("{} outside of them", outside.ip());
        let remedy = match self.allowed.is_empty() {
            true => "write `[network]` with `allow`, the networks its devices are in",
            false => "allow its network in `network.allow`, or correct the address",
        };
        self.found.problem(table.at(key), table.key(key), expected, what, remedy);
        None
    }

    /// Notes devices where others already are.
    fn alone(&mut self, table: &Table, key: &str, placed: &Placed) -> Option<()> {
        let places = placed.places();
        let clash = self.taken.iter().find(|(taken, port, _)| {
            // Units of one gateway share its address.
            *port == placed.port
                && placed.driver != Vendor::Modbus
                && taken.start < places.end
                && places.start < taken.end
        });
        if let Some((_, _, other)) = clash {
            let last = placed.address(placed.count.saturating_sub(1)).ip();
            let expected = "addresses of their own";
            let what =
                format!("{} to {last}, where devices of `{other}` are", placed.first);
            self.found.problem(table.at(key), table.key(key), expected, what, "");
            return None;
        }
        self.taken.push((places, placed.port, table.path().to_owned()));
        Some(())
    }
}

fn text_if_declared(table: &Table, key: &str) -> Option<String> {
    table.declares(key).then(|| table.text(key).map(str::to_owned)).flatten()
}

/// Whether it is a scheme, a host and a port, and nothing more.
fn is_pool(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once("://") else {
        return false;
    };
    let Some((host, port)) = rest.rsplit_once(':') else {
        return false;
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || ".-".contains(c);
    ["stratum+tcp", "stratum+ssl", "stratum2+tcp"].contains(&scheme)
        && !host.is_empty()
        && host.chars().all(plain)
        && port.parse::<u16>().is_ok_and(|port| port > 0)
}

#[cfg(test)]
mod tests {
    use super::{Placed, Vendor, is_pool};

    #[test]
    fn devices_are_numbered_upward_and_leave_out_the_ends_of_a_network() {
        let placed = Placed {
            driver: Vendor::Redfish,
            first: "10.0.0.253".parse().expect("an address"),
            count: 36,
            per_machine: 18,
            port: 443,
            login: None,
            pools: Vec::new(),
            profile: None,
            tls: true,
            unit: 0,
            shelves: Some("10.0.9.254".parse().expect("an address")),
            switches: Some(("10.0.8.250".parse().expect("an address"), 9)),
            drives: None,
            exporters: None,
            exporter_port: 9_400,
            cabling: None,
        };
        assert_eq!(placed.shelf(1).expect("a shelf").to_string(), "10.0.10.1:443");
        let of_second: Vec<_> = placed.switches(1).map(|at| at.to_string()).collect();
        assert_eq!((of_second.len(), of_second[0].as_str()), (9, "10.0.9.5:443"));
        let at = |number| placed.address(number).to_string();
        assert_eq!(at(0), "10.0.0.253:443");
        assert_eq!(at(1), "10.0.0.254:443");
        assert_eq!(at(2), "10.0.1.1:443");
        let second: Vec<_> = placed.of_machine(1).map(|at| at.to_string()).collect();
        assert_eq!((second.len(), second[0].as_str()), (18, "10.0.1.17:443"));
        assert_eq!(placed.machines(), 2);
    }

    #[test]
    fn a_pool_is_a_scheme_a_host_and_a_port() {
        for (text, right) in [
            ("stratum+tcp://pool.example:3333", true),
            ("stratum+ssl://10.1.2.3:443", true),
            ("pool.example:3333", false),
            ("http://pool.example:3333", false),
            ("stratum+tcp://user:secret@pool.example:3333", false),
            ("stratum+tcp://pool.example", false),
            ("stratum+tcp://:3333", false),
            ("stratum+tcp://pool.example:0", false),
        ] {
            assert_eq!(is_pool(text), right, "{text}");
        }
    }
}
