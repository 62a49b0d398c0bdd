//! Sets of machines by number, as runs: a batch for ten thousand machines is a
//! few numbers.

use serde::{Deserialize, Serialize};

/// A set of machine numbers, written as runs in rising order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ranges(Vec<Run>);

/// Machines that follow one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Run {
    /// How many are skipped after the run before.
    gap: u32,
    /// How many belong.
    length: u32,
}

impl Ranges {
    /// Machines `0` to `count - 1`.
    pub fn all(count: u32) -> Self {
        (0..count).collect()
    }

    /// Whether it is empty.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many machines it has.
    pub fn len(&self) -> u32 {
        self.0.iter().map(|run| run.length).sum()
    }

    /// The machines in rising order. A set from outside may name numbers beyond
    /// `u32`; they are left out.
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        let mut next = 0_u32;
        self.0.iter().flat_map(move |run| {
            let first = next.saturating_add(run.gap);
            next = first.saturating_add(run.length);
            first..next
        })
    }

    /// Whether a machine belongs to it.
    pub fn contains(&self, machine: u32) -> bool {
        let mut next = 0_u32;
        self.0.iter().any(|run| {
            let first = next.saturating_add(run.gap);
            next = first.saturating_add(run.length);
            (first..next).contains(&machine)
        })
    }

    /// The machines of this set that are not in `other`.
    pub fn minus(&self, other: &Self) -> Self {
        let mut taken = other.iter().peekable();
        self.iter()
            .filter(|machine| {
                while taken.next_if(|other| other < machine).is_some() {}
                taken.peek() != Some(machine)
            })
            .collect()
    }

    /// Whether some machine is in both.
    pub fn meets(&self, other: &Self) -> bool {
        self.minus(other).len() < self.len()
    }

    /// The highest machine of the set.
    pub fn last(&self) -> Option<u32> {
        let end: u64 =
            self.0.iter().map(|run| u64::from(run.gap) + u64::from(run.length)).sum();
        u32::try_from(end.checked_sub(1)?).ok()
    }
}

/// Panics where the numbers do not rise.
impl FromIterator<u32> for Ranges {
    fn from_iter<I: IntoIterator<Item = u32>>(machines: I) -> Self {
        let mut runs: Vec<Run> = Vec::new();
        let mut next = 0_u32;
        for machine in machines {
            let gap = machine.checked_sub(next).expect("machines in rising order");
            match runs.last_mut() {
                Some(run) if gap == 0 => run.length += 1,
                Some(_) | None => runs.push(Run { gap, length: 1 }),
            }
            next = machine + 1;
        }
        Self(runs)
    }
}

impl std::fmt::Display for Ranges {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut next = 0_u32;
        for (at, run) in self.0.iter().enumerate() {
            let first = next.saturating_add(run.gap);
            next = first.saturating_add(run.length);
            let comma = if at == 0 { "" } else { "," };
            match run.length {
                1 => write!(f, "{comma}{first}")?,
                _ => write!(f, "{comma}{first}-{}", next.saturating_sub(1))?,
            }
        }
        Ok(())
    }
}

/// Why a text is no set of machines.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected machine numbers such as 3,10-19 in rising order, found {0:?}")]
pub struct NotRanges(String);

impl std::str::FromStr for Ranges {
    type Err = NotRanges;

    fn from_str(text: &str) -> Result<Self, NotRanges> {
        let wrong = || NotRanges(text.to_owned());
        let number = |part: &str| part.trim().parse::<u32>().map_err(|_| wrong());
        let mut machines = Vec::new();
        for part in text.split(',') {
            let (first, last) = match part.split_once('-') {
                Some((first, last)) => (number(first)?, number(last)?),
                None => (number(part)?, number(part)?),
            };
            // A typing error must not fill the memory.
            let rises = machines.last().is_none_or(|before| *before < first);
            if last < first || last - first > 1_000_000 || !rises {
                return Err(wrong());
            }
            machines.extend(first..=last);
        }
        Ok(machines.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_reads_back_what_was_put_in() {
        for machines in [vec![], vec![0], vec![7], vec![0, 1, 2], vec![1, 2, 5, 9, 10]] {
            let set: Ranges = machines.iter().copied().collect();
            assert_eq!(set.iter().collect::<Vec<_>>(), machines);
            assert_eq!(set.len() as usize, machines.len());
            assert_eq!(set.last(), machines.last().copied());
            assert!((0..12).all(|m| set.contains(m) == machines.contains(&m)));
        }
    }

    #[test]
    fn what_is_taken_away_is_not_there_any_more() {
        let set = |text: &str| text.parse::<Ranges>().expect("a set");
        for (from, take, left) in [
            ("0-9", "3-5", "0-2,6-9"),
            ("0-9", "0-20", ""),
            ("3,10-19", "1,4,10,19", "3,11-18"),
            ("3,10-19", "5", "3,10-19"),
        ] {
            assert_eq!(set(from).minus(&set(take)).to_string(), left);
            assert_eq!(set(from).meets(&set(take)), from != left);
        }
    }

    #[test]
    fn text_reads_back_and_disorder_is_refused() {
        let set: Ranges = "3,10-12".parse().expect("a set");
        assert_eq!(set.iter().collect::<Vec<_>>(), [3, 10, 11, 12]);
        assert_eq!(set.to_string(), "3,10-12");
        for wrong in ["", "3,", "5-4", "4,3", "3,3", "0-4000000000", "a"] {
            assert!(wrong.parse::<Ranges>().is_err(), "{wrong:?}");
        }
    }
}
