//! What is known of a tray beside its controller's own word, while no tenant has it: what
//! its exporter counts, and what its network ports are plugged into.
//!
//! Invariant: a tenant's machine is not asked.

use std::collections::BTreeMap;
use std::time::Instant;

use adapters::device::dcgm::{Counted, Exporter};
use adapters::device::redfish::{Condition, Neighbour, Tray};
use adapters::device::{DeviceText, Unanswered};
use engine::capacity::{self, Phase};

/// The most errors that a GPU's links may count from one start to the next, as cables that
/// are well have some.
const LINK_ERRORS_MAX: u64 = 100;

/// What each network port is to be plugged into: the switch, and its port.
pub type Cabling = BTreeMap<String, (String, String)>;

/// What a tray is asked beside its controller.
#[derive(Clone, Debug, Default)]
pub struct Beside {
    /// Where its GPUs are counted.
    exporter: Option<Exporter>,
    /// How it is to be plugged in; empty where nobody says.
    cabling: Cabling,
    /// What was counted first since it started.
    first: Option<(Option<DeviceText>, Counted)>,
}

/// What came of asking.
#[derive(Debug, Default)]
pub(super) struct Found {
    counted: Option<Counted>,
    neighbours: Option<Vec<Neighbour>>,
}

/// Whether a tray may be asked beside its controller: its system is the site's.
pub(super) fn is_ours(tray: &capacity::Tray) -> bool {
    match tray.phase {
        Phase::Discovered | Phase::Validating | Phase::BurnIn | Phase::Accepted => {
            !tray.dirty && !tray.handed && tray.asked.is_none()
        }
        Phase::Ordered
        | Phase::Received
        | Phase::Installed
        | Phase::InService
        | Phase::Draining
        | Phase::Repair
        | Phase::Retired => false,
    }
}

impl Beside {
    /// An exporter where there is one, and how the tray is to be plugged in.
    pub fn new(exporter: Option<Exporter>, cabling: Cabling) -> Self {
        Self { exporter, cabling, first: None }
    }

    /// Asks what there is to be asked. What does not answer tells nothing.
    pub(super) async fn ask(
        &self,
        tray: &Tray,
        by: Instant,
    ) -> Result<Found, Unanswered> {
        let mut found = Found::default();
        if let Some(exporter) = &self.exporter {
            found.counted = exporter.count(by).await.ok();
        }
        if !self.cabling.is_empty() {
            found.neighbours = Some(tray.neighbours(by).await?);
        }
        Ok(found)
    }

    /// Puts what was found into how the tray stands; says what is wrong with it, where
    /// anything is.
    pub(super) fn put_into(
        &mut self,
        condition: &mut Condition,
        found: &Found,
    ) -> Vec<DeviceText> {
        let mut wrong = Vec::new();
        if let Some(counted) = &found.counted {
            // What its controller lists and its own system does not have is not there.
            match condition.lists_gpus {
                true => condition.gpus &= counted.gpus,
                false => {
                    condition.gpus = counted.gpus;
                    condition.lists_gpus = true;
                }
            }
            wrong.extend(counted.broken.iter().cloned());
            let started = condition.reset_at.clone();
            if self.first.as_ref().is_none_or(|(since, _)| *since != started) {
                self.first = Some((started, counted.clone()));
            }
            let first = self.first.as_ref().map(|(_, first)| first);
            wrong.extend(
                first
                    .into_iter()
                    .flat_map(|first| counted.failing_links(first, LINK_ERRORS_MAX)),
            );
        }
        if let Some(neighbours) = &found.neighbours {
            wrong.extend(misplugged(&self.cabling, neighbours));
        }
        wrong
    }
}

/// What is plugged in elsewhere than it is to be, or nowhere.
fn misplugged(cabling: &Cabling, neighbours: &[Neighbour]) -> Vec<DeviceText> {
    let wrong = cabling.iter().filter_map(|(port, (switch, at))| {
        let sees = neighbours.iter().find(|seen| seen.port.as_str() == port);
        let seen = match sees {
            Some(seen)
                if seen.switch.as_str() == switch && seen.switch_port.as_str() == at =>
            {
                return None;
            }
            Some(seen) => format!("{} {}", seen.switch, seen.switch_port),
            None => "nobody".to_owned(),
        };
        Some(DeviceText::of(&format!("{port} sees {seen}, expected {switch} {at}")))
    });
    wrong.collect()
}

/// Reads a file of how trays are to be plugged in, by their slots.
///
/// # Errors
///
/// With the line that cannot be read, or that says a port twice.
pub fn read_cabling(text: &str) -> anyhow::Result<BTreeMap<String, Cabling>> {
    let mut found: BTreeMap<String, Cabling> = BTreeMap::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty()
            || line.starts_with('#')
            || line == "slot,port,switch,switch_port"
        {
            continue;
        }
        let parts: Vec<&str> = line.split(',').map(str::trim).collect();
        let [slot, port, switch, at] = parts.as_slice() else {
            anyhow::bail!(
                "line {number}: expected `slot,port,switch,switch_port`, found `{line}`"
            );
        };
        let to = ((*switch).to_owned(), (*at).to_owned());
        let of = found.entry((*slot).to_owned()).or_default();
        if of.insert((*port).to_owned(), to).is_some() {
            anyhow::bail!(
                "line {number}: expected each port once, found {slot} {port} again"
            );
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::{DeviceText, Neighbour, misplugged, read_cabling};

    fn seen(port: &str, switch: &str, at: &str) -> Neighbour {
        let text = DeviceText::of;
        Neighbour { port: text(port), switch: text(switch), switch_port: text(at) }
    }

    #[test]
    fn a_port_is_plugged_in_where_the_file_says() {
        let text = "slot,port,switch,switch_port\nR1.t00,mlx5_0,leaf3,swp1\n\n\
                    R1.t00,mlx5_1,leaf4,swp1\n# R1.t01 comes later\n";
        let cabling = read_cabling(text).expect("a file");
        let of = &cabling["R1.t00"];
        let well = [seen("mlx5_0", "leaf3", "swp1"), seen("mlx5_1", "leaf4", "swp1")];
        assert!(misplugged(of, &well).is_empty());
        let wrong = misplugged(of, &[seen("mlx5_0", "leaf4", "swp22")]);
        let wrong: Vec<&str> = wrong.iter().map(DeviceText::as_str).collect();
        assert_eq!(
            wrong,
            [
                "mlx5_0 sees leaf4 swp22, expected leaf3 swp1",
                "mlx5_1 sees nobody, expected leaf4 swp1"
            ]
        );
    }

    #[test]
    fn a_file_that_cannot_be_read_names_the_line() {
        for (text, line) in
            [("R1.t00,mlx5_0,leaf3", "line 1"), ("\na,b,c,d\na,b,c,e\n", "line 3")]
        {
            let error = read_cabling(text).expect_err("no such line").to_string();
            assert!(error.starts_with(line), "{error}");
        }
    }
}
