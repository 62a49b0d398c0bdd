//! How a tray stands as a part of its rack: what its acceptance and its contract ask,
//! and the resets that people and tenants order.
//!
//! A look at what it draws is another matter: that one is short, and made often.

use std::time::Instant;

use units::Power;

use super::resource::Resource;
use super::standing::{self, GpuLimit};
use super::tree::Tree;
use super::{Path, Tray};
use crate::device::{Answer, DeviceText, Refusal, Running, Unanswered};

/// How a tray stands as a part of its rack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// The serial number of its system.
    pub serial: Option<DeviceText>,
    /// Whether its system is on or on its way; nothing where it does not say.
    pub on: Option<bool>,
    /// When its system was last reset, as it says it: another text is another start.
    pub reset_at: Option<DeviceText>,
    /// The worst health of its systems.
    pub health: Health,
    /// GPUs that are there and can be asked, a bit each by the number in their names.
    pub gpus: u8,
    /// Whether its service lists GPUs at all.
    pub lists_gpus: bool,
    /// The lowest power limit of a GPU that is held below what it can take.
    pub held_to: Option<Power>,
    /// Leak detectors that are not well.
    pub leaks: Vec<DeviceText>,
}

/// What a service says of health, the best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Health {
    /// Well.
    Ok,
    /// Something wants attention.
    Warning,
    /// Something has failed.
    Critical,
}

impl Tray {
    /// How it stands.
    ///
    /// # Errors
    ///
    /// When the service does not answer by the deadline.
    pub async fn condition(&self, by: Instant) -> Result<Condition, Unanswered> {
        let tree = self.tree(false, by).await?;
        let host = self.service.get(&tree.host, by).await?;
        let running = standing::running(&host);
        let mut health = health_of(&host);
        for system in tree.systems.iter().filter(|system| **system != tree.host) {
            let found = self.service.find(system, by).await;
            if let Some(found) = standing::tolerate(found)? {
                health = health.max(health_of(&found));
            }
        }
        let (gpus, held_to) = self.gpus_there(&tree, by).await?;
        Ok(Condition {
            serial: host.said("/SerialNumber").or_else(|| host.said("/UUID")),
            on: running.map(|running| running != Running::Resting),
            reset_at: host.said("/LastResetTime"),
            health,
            gpus,
            lists_gpus: !(tree.gpus.is_empty() && tree.lost.is_empty()),
            held_to,
            leaks: standing::leaks(&self.service, &tree.leaks, by).await?,
        })
    }

    /// Which GPUs answer, and the lowest limit that one is held to.
    async fn gpus_there(
        &self,
        tree: &Tree,
        by: Instant,
    ) -> Result<(u8, Option<Power>), Unanswered> {
        let (mut there, mut held_to) = (0_u8, None);
        for (place, gpu) in tree.gpus.iter().enumerate() {
            if standing::is_absent(&gpu.resource) {
                continue;
            }
            let bit = number_in(&gpu.resource.path).unwrap_or(place);
            match standing::limit_of(&self.service, gpu, by).await? {
                GpuLimit::Gone | GpuLimit::Unread => continue,
                GpuLimit::Without => {}
                GpuLimit::Set(limit) => {
                    self.saw(&gpu.resource.path, limit.range);
                    let most = limit.range.map(|(_, most)| Power::from_watts(most));
                    if most.is_some_and(|most| limit.set < most) {
                        let lowest: &mut Power = held_to.get_or_insert(limit.set);
                        *lowest = limit.set.min(*lowest);
                    }
                }
            }
            there |= 1_u8.checked_shl(u32::try_from(bit).unwrap_or(8)).unwrap_or(0);
        }
        Ok((there, held_to))
    }

    /// Switches its system on, where it is off.
    pub async fn power_on(&self, by: Instant) -> Answer {
        self.ask_reset(&["On"], true, by).await
    }

    /// Switches its system off and on; one that is off is switched on.
    pub async fn power_cycle(&self, by: Instant) -> Answer {
        self.ask_reset(&["PowerCycle", "ForceRestart"], false, by).await
    }

    /// Asks for a reset; nothing where only one that is off is meant and it is on.
    async fn ask_reset(&self, kinds: &[&str], only_off: bool, by: Instant) -> Answer {
        let asked = async {
            let tree = self.tree(false, by).await?;
            let host = self.service.get(&tree.host, by).await?;
            let rests = standing::running(&host) == Some(Running::Resting);
            match (rests, only_off) {
                (true, _) => self.reset(&host, &["On"], by).await,
                (false, true) => Ok(Answer::Accepted),
                (false, false) => self.reset(&host, kinds, by).await,
            }
        };
        match asked.await {
            Ok(answer) => answer,
            Err(Unanswered::Login) => Answer::Refused(Refusal::Login),
            Err(why) => Answer::Unknown(why),
        }
    }
}

fn health_of(system: &Resource) -> Health {
    let said = ["/Status/Health", "/Status/HealthRollup"];
    let said = said.into_iter().filter_map(|pointer| system.text(pointer));
    said.map(|text| match text {
        "OK" => Health::Ok,
        "Warning" => Health::Warning,
        // What is not known to be well is not.
        _ => Health::Critical,
    })
    .max()
    .unwrap_or(Health::Ok)
}

/// The number that a resource's name ends in.
fn number_in(path: &Path) -> Option<usize> {
    let name = path.name();
    let digits = name.bytes().rev().take_while(u8::is_ascii_digit).count();
    name[name.len() - digits..].parse().ok()
}
