//! Names and their numbers.
//!
//! Units and incidents are named in every fact, so finding a name has to cost next
//! to nothing: its hash leads to a place of a table that holds its number, or to one
//! of the few places after it.

use std::ops::Range;

/// Names, numbered from 0 in the order in which they were first given.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names {
    /// Where a hash leads: the name with it, or else the names in the places after it up
    /// to a free one. The length is a power of two, and at least an eighth is free.
    table: Vec<Entry>,
    /// All names, one after another.
    text: String,
    /// Where each of them ends.
    ends: Vec<usize>,
}

/// A place of the table.
#[derive(Clone, Copy, Debug)]
struct Entry {
    /// The lower half of the name's hash, which tells most names apart without a look
    /// at the text.
    hash: u32,
    /// The name's number, or [`FREE`].
    number: u32,
}

const FREE: u32 = u32::MAX;

/// How many places the first table has.
const PLACES_MIN: usize = 64;

/// Eight bytes of the name at a time, each mixed in by a multiplication with an odd
/// number without a pattern: the bits of the golden ratio.
fn hash(name: &str) -> u64 {
    let mix = |hash: u64, word: u64| {
        let product = (hash ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        product ^ (product >> 32)
    };
    let (words, rest) = name.as_bytes().as_chunks::<8>();
    let words = words.iter().fold(0, |hash, word| mix(hash, u64::from_le_bytes(*word)));
    // The length in front of the last bytes: a name is not another with noughts behind.
    let length = u64::try_from(name.len()).expect("a length fits 64 bits");
    mix(words, rest.iter().fold(length, |word, byte| word << 8 | u64::from(*byte)))
}

impl Names {
    /// The number of a name, if it has one.
    pub(crate) fn get(&self, name: &str) -> Option<usize> {
        if self.table.is_empty() {
            return None;
        }
        self.find(name, hash(name)).ok()
    }

    /// The number of a name; a new one gets the next.
    pub(crate) fn number(&mut self, name: &str) -> usize {
        if 8 * self.ends.len() >= 7 * self.table.len() {
            self.grow();
        }
        let hash = hash(name);
        self.find(name, hash).unwrap_or_else(|place| {
            let number = self.ends.len();
            self.text.push_str(name);
            self.ends.push(self.text.len());
            self.table[place] = Entry::new(hash, number);
            number
        })
    }

    /// How many names there are.
    pub(crate) fn count(&self) -> usize {
        self.ends.len()
    }

    /// The name with a number.
    pub(crate) fn name(&self, number: usize) -> &str {
        &self.text[self.bytes(number)]
    }

    fn bytes(&self, number: usize) -> Range<usize> {
        let start = number.checked_sub(1).map_or(0, |before| self.ends[before]);
        start..self.ends[number]
    }

    /// A name's number, or the free place for it.
    fn find(&self, name: &str, hash: u64) -> Result<usize, usize> {
        let (text, wanted) = (self.text.as_bytes(), Entry::new(hash, 0).hash);
        let mut place = self.first_place(hash);
        loop {
            let entry = self.table[place];
            if entry.number == FREE {
                return Err(place);
            }
            let number = index(entry.number);
            if entry.hash == wanted && text[self.bytes(number)] == *name.as_bytes() {
                return Ok(number);
            }
            place = (place + 1) & (self.table.len() - 1);
        }
    }

    /// Where a hash leads: its upper bits, which every byte of the name has reached.
    fn first_place(&self, hash: u64) -> usize {
        let bits = self.table.len().trailing_zeros();
        usize::try_from(hash >> (u64::BITS - bits)).expect("within the table")
    }

    /// Twice the places.
    fn grow(&mut self) {
        let places = (2 * self.table.len()).max(PLACES_MIN);
        self.table = vec![Entry { hash: 0, number: FREE }; places];
        for number in 0..self.count() {
            let hash = hash(self.name(number));
            let mut place = self.first_place(hash);
            while self.table[place].number != FREE {
                place = (place + 1) & (places - 1);
            }
            self.table[place] = Entry::new(hash, number);
        }
    }
}

impl Entry {
    fn new(hash: u64, number: usize) -> Self {
        let number = u32::try_from(number).expect("fewer than four billion names");
        let lower = hash & u64::from(u32::MAX);
        Self { hash: u32::try_from(lower).expect("a lower half"), number }
    }
}

fn index(number: u32) -> usize {
    usize::try_from(number).expect("a number of 32 bits is a place")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_keeps_its_number() {
        let mut names = Names::default();
        assert_eq!(names.get("a"), None);
        assert_eq!([names.number("a"), names.number("b"), names.number("a")], [0, 1, 0]);
        assert_eq!(names.get("b"), Some(1));
    }

    #[test]
    fn many_names_keep_their_numbers_while_the_table_grows() {
        let mut names = Names::default();
        let name = |number: usize| format!("h{}/rack{number}/tray", number % 3);
        for number in 0..1_000 {
            assert_eq!(names.number(&name(number)), number);
        }
        for number in 0..1_000 {
            assert_eq!(names.get(&name(number)), Some(number));
        }
        assert_eq!(names.get("h0/rack1/tray"), None);
    }

    #[test]
    fn names_of_one_hash_are_told_apart() {
        let mut names = Names::default();
        names.number("a");
        // Another name stands where the hash of `b` leads, with that hash.
        let hash = hash("b");
        names.text.push('x');
        names.ends.push(names.text.len());
        let place = names.find("b", hash).expect_err("it has no number yet");
        names.table[place] = Entry::new(hash, 1);
        assert_eq!(names.get("b"), None);
        assert_eq!(names.number("b"), 2);
        assert_eq!((names.get("b"), names.get("a")), (Some(2), Some(0)));
    }

    #[test]
    fn names_that_differ_in_one_place_or_in_length_differ_in_hash() {
        let names = ["", "\0", "tray1", "tray2", "rack1/tray1", "rack1/tray2", "\0tray1"];
        for (place, name) in names.iter().enumerate() {
            let others = names.iter().skip(place + 1);
            others
                .for_each(|other| assert_ne!(hash(name), hash(other), "{name} {other}"));
        }
    }
}
