//! What takes two people: a tenant's machine is released, a block in use is taken back.
//! It waits for the second, who says the same under a name of their own.
//!
//! What waits is in memory: after a restart the first says it again.
//!
//! Invariant: nobody agrees with themselves, and nobody is agreed for.

use std::sync::{Mutex, PoisonError};

use engine::capacity::{Actor, BlockNo, Body, Estate, TrayNo};
use units::{Seconds, Timestamp};

use crate::api::problem::{Kind, Problem};

/// How long the first person's word waits.
const WAITS: Seconds = Seconds::minutes(15);

/// What waits for a second person.
#[derive(Debug, Default)]
pub struct Second(Mutex<Vec<Waiting>>);

#[derive(Clone, Debug)]
struct Waiting {
    what: What,
    by: String,
    until: Timestamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Release(TrayNo),
    Return(BlockNo),
}

/// Whether it may be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Agreed {
    /// It takes one person, or this is the second.
    Yes(Body),
    /// It waits for another person until then.
    Waits(Timestamp),
}

impl Second {
    /// What becomes of something that was asked, by the wall's clock. What is only tried is
    /// not kept.
    ///
    /// # Errors
    ///
    /// When somebody names the second person, who has to speak for themselves.
    pub fn agree(
        &self,
        by: &Actor,
        body: &Body,
        estate: &Estate,
        now: Timestamp,
        dry_run: bool,
    ) -> Result<Agreed, Problem> {
        let Some((what, by)) = takes_two(by, body, estate) else {
            return Ok(Agreed::Yes(body.clone()));
        };
        if let Body::Release { second, .. } = body
            && !second.is_empty()
        {
            let why = "expected no `second`: the second person says the same under their \
                       own name, within a quarter of an hour";
            return Err(Kind::BadRequest.because(why).at("/said"));
        }
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.retain(|one| one.until > now);
        // However the name is written, it is one person.
        let folded = |name: &str| name.trim().to_lowercase();
        let first = waiting.iter().position(|one| one.what == what);
        match first {
            Some(at) if folded(&waiting[at].by) != folded(by) => {
                let first = match dry_run {
                    true => waiting[at].clone(),
                    false => waiting.remove(at),
                };
                Ok(Agreed::Yes(with_second(body, &first.by)))
            }
            Some(at) => Ok(Agreed::Waits(waiting[at].until)),
            None => {
                let until = now + WAITS;
                if !dry_run {
                    waiting.push(Waiting { what, by: by.to_owned(), until });
                }
                Ok(Agreed::Waits(until))
            }
        }
    }
}

/// What takes two of the site's people, and who asked.
fn takes_two<'a>(by: &'a Actor, body: &Body, estate: &Estate) -> Option<(What, &'a str)> {
    let Actor::Operator(by) = by else { return None };
    if let Body::Release { tray, .. } = body {
        return Some((What::Release(*tray), by));
    }
    let Body::Return { block, .. } = body else { return None };
    let found = estate.blocks().get(block.0 as usize)?;
    // Its tenant's work is on it, and a wipe follows.
    let in_use = found.is_live() && found.handed_over.is_some();
    in_use.then_some((What::Return(*block), by))
}

fn with_second(body: &Body, first: &str) -> Body {
    let mut body = body.clone();
    if let Body::Release { second, .. } = &mut body {
        first.clone_into(second);
    } else if let Body::Return { why, .. } = &mut body {
        *why = format!("{why} (asked for by {first} too)");
    }
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    fn release(second: &str) -> Body {
        Body::Release {
            tray: TrayNo(3),
            second: second.to_owned(),
            why: "it hangs".to_owned(),
        }
    }

    #[test]
    fn nothing_is_released_before_another_person_says_so_too() {
        let (second, estate) = (Second::default(), Estate::default());
        let at = Timestamp::from_unix_seconds;
        let says = |by: &str, now: i64, dry_run: bool| {
            let by = Actor::Operator(by.to_owned());
            second.agree(&by, &release(""), &estate, at(now), dry_run)
        };
        // Tried, and nothing kept.
        assert_eq!(says("ben", 0, true).expect("it waits"), Agreed::Waits(at(900)));
        assert_eq!(says("ada", 0, false).expect("it waits"), Agreed::Waits(at(900)));
        // However it is written, it is one person, and asking again gains no time.
        assert_eq!(says(" ADA", 100, false).expect("it waits"), Agreed::Waits(at(900)));
        let agreed = says("ben", 200, false).expect("two people");
        let Agreed::Yes(Body::Release { second: first, .. }) = agreed else {
            panic!("{agreed:?}")
        };
        assert_eq!(first, "ada");
        // It was used up, and it lasts no longer than it says.
        assert_eq!(says("ben", 300, false).expect("it waits"), Agreed::Waits(at(1_200)));
        assert_eq!(says("ada", 1_200, false).expect("late"), Agreed::Waits(at(2_100)));
        // Nobody is agreed for.
        let eve = Actor::Operator("eve".to_owned());
        let named = second.agree(&eve, &release("ada"), &estate, at(1_201), false);
        assert!(named.is_err());
    }
}
