//! Names and their numbers.
//!
//! Units and incidents are named in every fact. A name is found by a hash of it
//! first, which compares one number at each step instead of a text.

use std::collections::BTreeMap;

/// Names, numbered from 0 in the order in which they were first given.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names {
    /// By hash, and by place among names of one hash.
    numbers: BTreeMap<(u64, u32), usize>,
    names: Vec<String>,
}

/// FNV-1a: the offset basis and prime for 64 bits as its authors, Fowler, Noll and Vo, publish them.
fn hash(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

impl Names {
    /// The number of a name, if it has one.
    pub(crate) fn get(&self, name: &str) -> Option<usize> {
        self.find(name).ok()
    }

    /// The number of a name; a new one gets the next.
    pub(crate) fn number(&mut self, name: &str) -> usize {
        self.find(name).unwrap_or_else(|key| {
            self.names.push(name.to_owned());
            self.numbers.insert(key, self.names.len() - 1);
            self.names.len() - 1
        })
    }

    /// A name's number, or where it would be entered.
    fn find(&self, name: &str) -> Result<usize, (u64, u32)> {
        let hash = hash(name);
        for place in 0.. {
            match self.numbers.get(&(hash, place)) {
                Some(number) if self.names[*number] == name => return Ok(*number),
                Some(_) => {}
                None => return Err((hash, place)),
            }
        }
        unreachable!("four billion names of one hash")
    }
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
    fn names_of_one_hash_are_told_apart() {
        let mut names = Names::default();
        names.number("a");
        let other = hash("b");
        names.names.push("x".to_owned());
        names.numbers.insert((other, 0), 1);
        assert_eq!(names.get("b"), None);
        assert_eq!(names.number("b"), 2);
        assert_eq!((names.get("b"), names.get("a")), (Some(2), Some(0)));
    }

    #[test]
    fn the_hash_is_the_one_published() {
        assert_eq!(hash(""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(hash("foobar"), 0x8594_4171_f739_67e8);
    }
}
