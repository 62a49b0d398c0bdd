//! A profile's registers read from a device, in as few questions as they allow.

use std::collections::BTreeMap;
use std::time::Instant;

use super::figure::{Micro, bits_of};
use super::profile::{Meaning, Profile, Space};
use super::wire::Wire;
use crate::device::Unanswered;

/// The most words of one question.
const WORDS_MAX: u16 = 120;

/// What a device's registers hold. What it did not give is absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    held: BTreeMap<Meaning, Held>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Held {
    words: Vec<u16>,
    bits: u64,
    figure: Option<Micro>,
}

impl Figures {
    /// The figure of a meaning, in millionths of its base unit.
    pub fn figure(&self, means: Meaning) -> Option<Micro> {
        self.held.get(&means)?.figure
    }

    /// The raw number of a meaning.
    pub fn raw(&self, means: Meaning) -> Option<u64> {
        self.held.get(&means).map(|held| held.bits)
    }

    /// The words of a meaning.
    pub(super) fn words(&self, means: Meaning) -> Option<&[u16]> {
        self.held.get(&means).map(|held| held.words.as_slice())
    }

    /// Every word that was read, in a fixed order: what moves in a meter that measures.
    pub(super) fn all_words(&self) -> Vec<u16> {
        self.held.values().flat_map(|held| held.words.iter().copied()).collect()
    }
}

/// Registers that touch each other, asked for together. A gap is never asked for: many
/// devices refuse the whole question for it.
fn blocks(profile: &Profile) -> Vec<(Space, u16, u16)> {
    let mut places: Vec<_> = profile
        .registers
        .iter()
        .map(|row| (row.space, row.address, row.coding.width.words()))
        .collect();
    places.sort_unstable();
    let mut blocks: Vec<(Space, u16, u16)> = Vec::new();
    for (space, address, words) in places {
        match blocks.last_mut() {
            Some((of, start, count))
                if *of == space
                    && u32::from(address) <= u32::from(*start) + u32::from(*count)
                    && address + words - *start <= WORDS_MAX =>
            {
                *count = (*count).max(address + words - *start);
            }
            Some(_) | None => blocks.push((space, address, words)),
        }
    }
    blocks
}

/// Reads every register of a profile. One that the device refuses is absent.
///
/// # Errors
///
/// When the device does not answer, or refuses the register of power.
pub(super) async fn read(
    wire: &Wire,
    profile: &Profile,
    by: Instant,
) -> Result<Figures, Unanswered> {
    let mut held = BTreeMap::new();
    let power = profile.register(Meaning::Power).map(|row| (row.space, row.address));
    for (space, start, count) in blocks(profile) {
        match wire.read(space, start, count, by).await? {
            Ok(words) => {
                let places = (start..=u16::MAX).map(|address| (space, address));
                held.extend(places.zip(words));
            }
            Err(exception) => {
                let is_here = |(of, address): (Space, u16)| {
                    of == space && address >= start && address - start < count
                };
                if power.is_some_and(is_here) {
                    return Err(exception.unanswered());
                }
            }
        }
    }
    Ok(Figures::of(profile, &held))
}

impl Figures {
    /// What words at their places stand for under a profile.
    pub(super) fn of(profile: &Profile, words: &BTreeMap<(Space, u16), u16>) -> Self {
        let held = profile.registers.iter().filter_map(|row| {
            let places = (0..row.coding.width.words())
                .map(|at| words.get(&(row.space, row.address.checked_add(at)?)).copied());
            let words = places.collect::<Option<Vec<u16>>>()?;
            let bits = bits_of(&words, row.coding.order);
            let figure = row.coding.figure(&words);
            Some((row.means, Held { words, bits, figure }))
        });
        Self { held: held.collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::{Space, blocks};
    use crate::device::modbus::Profile;

    #[test]
    fn what_touches_is_asked_for_together_and_gaps_never() {
        let of = |name| blocks(&Profile::named(name).expect("a profile"));
        assert_eq!(of("mw-meter"), [(Space::Input, 0, 17)]);
        assert_eq!(of("mw-battery"), [(Space::Holding, 0, 3), (Space::Input, 0, 7)]);
        assert_eq!(
            of("abb-b23"),
            [
                (Space::Holding, 0x5000, 8),
                (Space::Holding, 0x5b06, 2),
                (Space::Holding, 0x5b14, 2),
                (Space::Holding, 0x5b2c, 1),
            ]
        );
    }
}
