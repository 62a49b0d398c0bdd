//! What a rack has beside its trays: the switch trays that make its GPUs one domain, and
//! the power shelf that feeds it.
//!
//! Invariant: what does not answer keeps what it was last seen to be; a domain of which a
//! switch tray was never seen is not said to be whole.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use adapters::device::redfish::{Shelf, SwitchTray};
use adapters::device::{DeviceText, Unanswered};
use engine::capacity::RackShows;
use futures_util::{StreamExt, stream};
use tracing::{info, warn};

/// What a rack is joined and fed by, as far as the site file has addresses.
#[derive(Clone, Debug, Default)]
pub struct Joined {
    /// Its switch trays, in their order.
    pub switches: Vec<Arc<SwitchTray>>,
    /// Its power shelf.
    pub shelf: Option<Arc<Shelf>>,
    /// What each part complained of at the last look.
    complaints: BTreeMap<String, String>,
}

/// How one part answered: what it complains of.
type Answered = Result<Vec<DeviceText>, Unanswered>;

/// How a rack's parts answered.
#[derive(Debug)]
pub(super) struct Seen {
    switches: Vec<Answered>,
    shelf: Option<Answered>,
}

impl Joined {
    /// A rack that is joined and fed by these.
    pub fn by(switches: Vec<Arc<SwitchTray>>, shelf: Option<Arc<Shelf>>) -> Self {
        Self { switches, shelf, complaints: BTreeMap::new() }
    }

    /// Looks at every part.
    pub(super) async fn look(self, within: Duration) -> Seen {
        let by = Instant::now() + within;
        // All of a rack's at once: there are nine.
        let at_once = self.switches.len().max(1);
        let looks: Vec<_> = self
            .switches
            .into_iter()
            .map(|switch| async move { switch.ails(by).await })
            .collect();
        let switches: Vec<Answered> =
            stream::iter(looks).buffered(at_once).collect().await;
        let shelf = match &self.shelf {
            Some(shelf) => Some(shelf.look(by).await.map(|look| {
                look.supplies.into_iter().filter_map(|supply| supply.fault).collect()
            })),
            None => None,
        };
        Seen { switches, shelf }
    }

    /// What was seen, in the estate's words, on top of what was known; nothing while a
    /// switch tray was never seen.
    pub(super) fn shows(
        &mut self,
        rack: &str,
        whole: u16,
        before: Option<RackShows>,
        seen: Option<&Seen>,
    ) -> Option<RackShows> {
        // Of what has no address the trays say what is wrong.
        let mut shows =
            before.unwrap_or(RackShows { switches: whole, shelves: u8::MAX, leaks: 0 });
        let Some(seen) = seen else { return Some(shows) };
        for (place, answered) in seen.switches.iter().enumerate() {
            let bit = 1_u16.checked_shl(u32::try_from(place).ok()?)?;
            let name = format!("switch tray {place}");
            match self.is_well(rack, name, answered) {
                Some(true) => shows.switches |= bit,
                Some(false) => shows.switches &= !bit,
                None if before.is_none() => return None,
                None => {}
            }
        }
        if let Some(answered) = &seen.shelf {
            match self.is_well(rack, "power shelf".to_owned(), answered) {
                Some(true) => shows.shelves |= 1,
                Some(false) => shows.shelves &= !1,
                None => {}
            }
        }
        Some(shows)
    }

    /// Whether a part works, where it answered; a change is said.
    fn is_well(&mut self, rack: &str, part: String, answered: &Answered) -> Option<bool> {
        let (is_well, complaint) = match answered {
            Ok(faults) => {
                let words: Vec<String> = faults.iter().map(ToString::to_string).collect();
                (Some(faults.is_empty()), words.join("; "))
            }
            Err(why) => (None, format!("does not answer: {why}")),
        };
        let before = self.complaints.get(&part).map_or("", String::as_str);
        if before != complaint {
            match complaint.as_str() {
                "" => info!(event = "rack_part_well", rack, part),
                _ => warn!(event = "rack_part_not_well", rack, part, "{complaint}"),
            }
            self.complaints.insert(part, complaint);
        }
        is_well
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(switches: Vec<Answered>) -> Seen {
        Seen { switches, shelf: None }
    }

    #[test]
    fn what_does_not_answer_keeps_what_it_was_seen_to_be() {
        let mut joined = Joined::default();
        let well = || Ok(Vec::new());
        let broken = || Ok(vec![DeviceText::of("NVSwitch_0 is Critical")]);
        let silent = || Err(Unanswered::Late);
        let mut shows = |before: Option<RackShows>, answers: Vec<Answered>| {
            joined.shows("R0001", 0b11, before, Some(&seen(answers)))
        };
        // One that was never seen: nobody says that the domain is whole.
        assert_eq!(shows(None, vec![well(), silent()]), None);
        let first = shows(None, vec![well(), well()]).expect("both were seen");
        assert_eq!(first.switches, 0b11);
        let second = shows(Some(first), vec![well(), broken()]).expect("seen");
        assert_eq!(second.switches, 0b01);
        let third = shows(Some(second), vec![silent(), silent()]).expect("seen before");
        assert_eq!(third.switches, 0b01, "silence changes nothing");
        let last = shows(Some(third), vec![silent(), well()]).expect("seen");
        assert_eq!(last.switches, 0b11);
        // Without addresses, trays say what is wrong.
        let none = Joined::default().shows("R0001", 0b11, None, None);
        assert_eq!(none.map(|shows| (shows.switches, shows.shelves)), Some((0b11, 0xff)));
    }
}
