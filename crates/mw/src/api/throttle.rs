//! How often one person may ask, so that nobody's program takes the door from others.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Instant;

/// Requests that may come at once.
const BURST: f64 = 1_000.0;

/// Requests that may come each second after that.
const PER_SECOND: f64 = 200.0;

/// How many people are kept in mind.
const PEOPLE_MAX: usize = 10_000;

/// How often each person has asked.
#[derive(Debug, Default)]
pub struct Throttle(Mutex<BTreeMap<String, Left>>);

#[derive(Clone, Copy, Debug)]
struct Left {
    requests: f64,
    at: Instant,
}

impl Throttle {
    /// Whether a person may ask once more at `now`.
    pub fn lets(&self, person: &str, now: Instant) -> bool {
        let mut people = self.0.lock().expect("whoever held it let it go whole");
        if people.len() >= PEOPLE_MAX {
            people.retain(|_, left| left.filled(now) < BURST);
        }
        let left =
            people.entry(person.to_owned()).or_insert(Left { requests: BURST, at: now });
        let requests = left.filled(now);
        let lets = requests >= 1.0;
        *left = Left { requests: requests - f64::from(u8::from(lets)), at: now };
        lets
    }
}

impl Left {
    fn filled(self, now: Instant) -> f64 {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        (self.requests + passed * PER_SECOND).min(BURST)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn who_asks_too_often_waits_and_others_do_not() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        let asked = (0..2_000).filter(|_| throttle.lets("Ana", now)).count();
        assert_eq!(asked, 1_000);
        assert!(throttle.lets("Ben", now));
        let later = now + Duration::from_secs(1);
        let asked = (0..2_000).filter(|_| throttle.lets("Ana", later)).count();
        assert_eq!(asked, 200);
    }
}
