//! Which addresses may be connected to: the site's own networks, and nothing else.
//!
//! Targets are private addresses, so a list of what is denied would be the wrong way
//! round. A [`Reached`] can be made by [`Allowed::reach`] alone, and drivers take
//! nothing else.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Instant;

use tokio::net::TcpStream;

use super::Unanswered;

/// A network, as CIDR: `10.20.0.0/16`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    first: u32,
    prefix: u8,
}

/// Why a text is no network or an address may not be connected to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReachError {
    /// It is not written as a network.
    #[error("expected a network such as 10.20.0.0/16, found `{0}`")]
    NotANetwork(String),
    /// Its address has bits beyond its prefix.
    #[error(
        "expected the first address of the network, {first}/{prefix}, found `{found}`"
    )]
    NotTheFirst {
        /// What it should be.
        first: Ipv4Addr,
        /// How many bits are the network's.
        prefix: u8,
        /// As written.
        found: String,
    },
    /// Multicast, link-local, unspecified or broadcast: no site's device is there.
    #[error("{0} is no address of a device")]
    NoDevice(IpAddr),
    /// Not in an allowed network.
    #[error("{0} is in none of the site's allowed networks")]
    Outside(IpAddr),
    /// One of our own listeners.
    #[error("{0} is a listener of this program")]
    Ourselves(SocketAddr),
}

/// What may be connected to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allowed {
    networks: Vec<Network>,
    ourselves: Vec<SocketAddr>,
}

/// An address that may be connected to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reached(SocketAddr);

impl Network {
    /// A network from its CIDR text.
    ///
    /// # Errors
    ///
    /// When it is none, or names an address within it instead of the first.
    pub fn parse(text: &str) -> Result<Self, ReachError> {
        let wrong = || ReachError::NotANetwork(text.chars().take(60).collect());
        let (address, prefix) = text.split_once('/').ok_or_else(wrong)?;
        let address: Ipv4Addr = address.parse().map_err(|_| wrong())?;
        let prefix: u8 = prefix.parse().map_err(|_| wrong())?;
        if prefix > 32 || prefix == 0 {
            return Err(wrong());
        }
        let network = Self { first: u32::from(address) & mask(prefix), prefix };
        if network.first != u32::from(address) {
            let first = Ipv4Addr::from(network.first);
            return Err(ReachError::NotTheFirst {
                first,
                prefix,
                found: text.to_owned(),
            });
        }
        Ok(network)
    }

    /// Whether an address is in it.
    pub fn contains(&self, address: Ipv4Addr) -> bool {
        u32::from(address) & mask(self.prefix) == self.first
    }

    /// Every address in it, first to last.
    pub fn addresses(&self) -> impl Iterator<Item = Ipv4Addr> {
        let last = self.first | !mask(self.prefix);
        (self.first..=last).map(Ipv4Addr::from)
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", Ipv4Addr::from(self.first), self.prefix)
    }
}

fn mask(prefix: u8) -> u32 {
    u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0)
}

impl Allowed {
    /// These networks, and never the program's own listeners.
    pub fn new(networks: Vec<Network>, ourselves: Vec<SocketAddr>) -> Self {
        Self { networks, ourselves }
    }

    /// The networks.
    pub fn networks(&self) -> &[Network] {
        &self.networks
    }

    /// An address, if it may be connected to. Loopback may be where a network lists it.
    ///
    /// # Errors
    ///
    /// When it may not, and why.
    pub fn reach(&self, address: SocketAddr) -> Result<Reached, ReachError> {
        // An IPv4 address in the clothes of an IPv6 one is that IPv4 address.
        let ip = address.ip().to_canonical();
        let IpAddr::V4(v4) = ip else {
            return Err(ReachError::Outside(ip));
        };
        if v4.is_unspecified()
            || v4.is_broadcast()
            || v4.is_multicast()
            || v4.is_link_local()
        {
            return Err(ReachError::NoDevice(ip));
        }
        if !self.networks.iter().any(|network| network.contains(v4)) {
            return Err(ReachError::Outside(ip));
        }
        let address = SocketAddr::new(ip, address.port());
        match self.ourselves.contains(&address) {
            true => Err(ReachError::Ourselves(address)),
            false => Ok(Reached(address)),
        }
    }
}

impl Reached {
    /// The address.
    pub fn address(self) -> SocketAddr {
        self.0
    }

    /// A connection, by the deadline.
    ///
    /// # Errors
    ///
    /// When nobody answers, or not in time.
    pub async fn connect(self, by: Instant) -> Result<TcpStream, Unanswered> {
        let connecting = TcpStream::connect(self.0);
        match tokio::time::timeout_at(by.into(), connecting).await {
            Err(_) => Err(Unanswered::Late),
            Ok(Err(error)) if error.kind() == io::ErrorKind::TimedOut => {
                Err(Unanswered::Late)
            }
            Ok(Err(_)) => Err(Unanswered::Unreachable),
            Ok(Ok(stream)) => {
                // Without it a request waits for the acknowledgement of the one before.
                stream.set_nodelay(true).map_err(|_| Unanswered::Closed)?;
                Ok(stream)
            }
        }
    }
}

impl fmt::Display for Reached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::{Allowed, Network, ReachError};

    fn check(address: &str) -> &'static str {
        let networks = ["10.20.0.0/16", "127.1.0.0/24", "169.254.0.0/16"];
        let networks = networks.map(|text| Network::parse(text).expect("a network"));
        let ours = "127.1.0.9:7411".parse().expect("an address");
        let allowed = Allowed::new(networks.to_vec(), vec![ours]);
        match allowed.reach(address.parse().expect("an address")) {
            Ok(_) => "reached",
            Err(ReachError::NoDevice(_)) => "no device",
            Err(ReachError::Outside(_)) => "outside",
            Err(ReachError::Ourselves(_)) => "ourselves",
            Err(ReachError::NotANetwork(_) | ReachError::NotTheFirst { .. }) => "?",
        }
    }

    #[test]
    fn only_the_sites_networks_are_reached() {
        for (address, expected) in [
            ("10.20.3.4:4028", "reached"),
            ("10.21.3.4:4028", "outside"),
            ("127.1.0.4:80", "reached"),
            ("127.0.0.1:80", "outside"),
            ("[::ffff:127.0.0.1]:80", "outside"),
            ("[::ffff:10.20.3.4]:80", "reached"),
            ("[::1]:80", "outside"),
            ("127.1.0.9:7411", "ourselves"),
            ("[::ffff:127.1.0.9]:7411", "ourselves"),
            ("169.254.169.254:80", "no device"),
            ("0.0.0.0:80", "no device"),
            ("224.0.0.1:80", "no device"),
            ("8.8.8.8:53", "outside"),
        ] {
            assert_eq!(check(address), expected, "{address}");
        }
    }

    #[test]
    fn a_network_is_written_by_its_first_address() {
        for wrong in ["10.0.0.0", "10.0.0.0/33", "10.0.0.1/8", "0.0.0.0/0", "a/8", "::/8"]
        {
            assert!(Network::parse(wrong).is_err(), "{wrong}");
        }
        let network = Network::parse("127.1.0.252/30").expect("a network");
        let all: Vec<_> = network.addresses().map(|a| a.to_string()).collect();
        assert_eq!(all, ["127.1.0.252", "127.1.0.253", "127.1.0.254", "127.1.0.255"]);
    }
}
