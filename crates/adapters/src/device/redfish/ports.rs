//! What a tray's network ports are plugged into, as their neighbours say it (LLDP).

use std::time::Instant;

use super::path::Path;
use super::service::Service;
use super::tree::Tree;
use super::{Tray, standing};
use crate::device::{DeviceText, Unanswered};

/// The most ports that are asked.
const PORTS_MAX: usize = 64;

/// What a port sees at the other end of its cable.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Neighbour {
    /// The tray's port.
    pub port: DeviceText,
    /// The switch, by the name it gives itself.
    pub switch: DeviceText,
    /// The switch's port.
    pub switch_port: DeviceText,
}

impl Tray {
    /// What every port that hears a neighbour is plugged into.
    ///
    /// # Errors
    ///
    /// When the service does not answer by the deadline.
    pub async fn neighbours(&self, by: Instant) -> Result<Vec<Neighbour>, Unanswered> {
        let tree = self.tree(false, by).await?;
        let known = self.ports.lock().await.clone();
        let ports = match known.filter(|(walked, _)| *walked == tree.walked) {
            Some((_, ports)) => ports,
            None => {
                let ports = ports(&self.service, &tree, by).await?;
                *self.ports.lock().await = Some((tree.walked, ports.clone()));
                ports
            }
        };
        let mut neighbours = Vec::new();
        for path in &ports {
            let found = standing::tolerate(self.service.find(path, by).await)?;
            let Some(port) = found else { continue };
            const HEARD: &str = "/Ethernet/LLDPReceive";
            let switch = port.said(&format!("{HEARD}/SystemName"));
            let switch = switch.or_else(|| port.said(&format!("{HEARD}/ChassisId")));
            let switch_port = port.said(&format!("{HEARD}/PortId"));
            if let (Some(switch), Some(switch_port)) = (switch, switch_port) {
                neighbours.push(Neighbour { port: port.name(), switch, switch_port });
            }
        }
        neighbours.sort();
        Ok(neighbours)
    }
}

/// Where its network adapters' ports are.
async fn ports(
    service: &Service,
    tree: &Tree,
    by: Instant,
) -> Result<Vec<Path>, Unanswered> {
    let mut ports = Vec::new();
    for adapters in tree.chassis.iter().filter_map(|one| one.link("/NetworkAdapters")) {
        for adapter in service.members(&adapters, by).await? {
            let found = standing::tolerate(service.find(&adapter, by).await)?;
            if let Some(all) = found.and_then(|adapter| adapter.link("/Ports")) {
                ports.extend(service.members(&all, by).await?);
            }
        }
    }
    ports.truncate(PORTS_MAX);
    Ok(ports)
}
