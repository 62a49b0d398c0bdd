//! A rack: one machine to whoever orders it, many trays to whoever drives it.

use std::fmt;
use std::time::Instant;

use futures_util::future::join_all;
use tokio::sync::Mutex;
use units::Power;

use super::share::share;
use super::{
    Answer, DeviceText, Doing, Driver, Field, Identity, Look, Quality, Reached, Refusal,
    Running, Unanswered, Wanted,
};

/// Trays that are told and looked at as one. It is what was wanted when every tray is.
pub struct Rack {
    trays: Vec<Box<dyn Driver>>,
    /// What the rack draws at most beside its trays, at the plug: switches, and what
    /// is lost in its supplies.
    beside_trays: Power,
    /// What each tray takes, as far as it is known.
    ranges: Mutex<Vec<Option<(Power, Power)>>>,
}

impl Rack {
    /// A rack of these trays.
    ///
    /// Panics where there are none.
    pub fn new(trays: Vec<Box<dyn Driver>>, beside_trays: Power) -> Self {
        assert!(!trays.is_empty(), "a rack has trays");
        let ranges = Mutex::new(vec![None; trays.len()]);
        Self { trays, beside_trays, ranges }
    }

    /// Its trays, in the order they were given.
    pub fn trays(&self) -> &[Box<dyn Driver>] {
        &self.trays
    }

    async fn identity(&self, by: Instant) -> Result<Identity, Unanswered> {
        let all = join_all(self.trays.iter().map(|tray| tray.identify(by))).await;
        let mut ranges = self.ranges.lock().await;
        for (range, identity) in ranges.iter_mut().zip(&all) {
            *range = identity.as_ref().map_or(*range, |identity| identity.limits);
        }
        let known: Option<Vec<(Power, Power)>> = ranges.iter().copied().collect();
        let limits = known.map(|known| {
            let least: Power = known.iter().map(|(least, _)| *least).sum();
            let most: Power = known.iter().map(|(_, most)| *most).sum();
            (least + self.beside_trays, most + self.beside_trays)
        });
        let mut first = None;
        let mut failed = Unanswered::Unreachable;
        for identity in all {
            match identity {
                Ok(identity) => {
                    first.get_or_insert(identity);
                }
                Err(why) => failed = why,
            }
        }
        let first = first.ok_or(failed)?;
        Ok(Identity { limits, ..first })
    }

    async fn look_at(&self, by: Instant) -> Result<Look, Unanswered> {
        let all = join_all(self.trays.iter().map(|tray| tray.look(by))).await;
        let mut faults = Vec::new();
        let mut looks = Vec::new();
        let mut failed = None;
        for (tray, look) in self.trays.iter().zip(all) {
            match look {
                Ok(look) => {
                    faults.extend(look.faults.iter().map(|fault| at(tray.at(), fault)));
                    looks.push(look);
                }
                Err(why) => {
                    faults.push(at(tray.at(), &why));
                    failed = Some(why);
                }
            }
        }
        if let (true, Some(why)) = (looks.is_empty(), &failed) {
            return Err(why.clone());
        }
        let mut whole = Look { faults, ..Look::default() };
        whole.hottest =
            looks.iter().filter_map(|look| look.hottest).max_by_key(|f| f.value);
        // What one tray did not tell is not known of the rack.
        if failed.is_none() {
            whole.running = running(&looks);
            whole.draw = sum(looks.iter().map(|look| look.draw), self.beside_trays);
            whole.limit = sum(looks.iter().map(|look| look.limit), self.beside_trays);
        }
        Ok(whole)
    }

    async fn be(&self, wanted: Wanted, by: Instant) -> Answer {
        let each = match wanted {
            Wanted::Rest | Wanted::Flow(_) => vec![wanted; self.trays.len()],
            Wanted::AtMost(power) => match self.shares(power).await {
                Ok(shares) => shares.into_iter().map(Wanted::AtMost).collect(),
                Err(refusal) => return Answer::Refused(refusal),
            },
        };
        let telling = self.trays.iter().zip(each).map(|(tray, each)| tray.tell(each, by));
        let answers = join_all(telling).await;
        answers.into_iter().fold(Answer::Accepted, Answer::or_worse)
    }

    /// What each tray may draw so that the rack draws no more than `power`.
    async fn shares(&self, power: Power) -> Result<Vec<Power>, Refusal> {
        let ranges = self.ranges.lock().await;
        // A tray that is not known yet says itself what it does not take.
        let unknown = (0, i64::MAX / 4_096);
        let ranges: Vec<(i64, i64)> = ranges
            .iter()
            .map(|range| range.map_or(unknown, |(l, m)| (l.as_watts(), m.as_watts())))
            .collect();
        let least: i64 = ranges.iter().map(|(least, _)| least).sum();
        let most: i64 = ranges.iter().map(|(_, most)| most).sum();
        let (least, most) = (Power::from_watts(least), Power::from_watts(most));
        let (least, most) = (least + self.beside_trays, most + self.beside_trays);
        let refused = Refusal::OutOfRange { least, most, asked: power };
        if power > most {
            return Err(refused);
        }
        let shares = share((power - self.beside_trays).as_watts(), &ranges);
        let shares = shares.ok_or(refused)?;
        Ok(shares.into_iter().map(Power::from_watts).collect())
    }
}

/// A fault of a tray, with the tray.
fn at(tray: Reached, fault: &dyn fmt::Display) -> DeviceText {
    DeviceText::of(&format!("{}: {fault}", tray.address()))
}

/// At rest when all are, at work when all are, else on its way.
fn running(looks: &[Look]) -> Option<Field<Running>> {
    let fields: Option<Vec<Field<Running>>> =
        looks.iter().map(|look| look.running).collect();
    let fields = fields?;
    let all = |running| fields.iter().all(|field| field.value == running);
    let value = if all(Running::Resting) {
        Running::Resting
    } else if all(Running::Working) {
        Running::Working
    } else {
        Running::Starting
    };
    let oldest = fields.iter().map(|field| field.at).min()?;
    Some(Field { value, at: oldest, quality: Quality::Derived })
}

/// The sum of figures that are all known, and what is beside them at most.
fn sum(
    fields: impl Iterator<Item = Option<Field<Power>>>,
    beside: Power,
) -> Option<Field<Power>> {
    let fields: Option<Vec<Field<Power>>> = fields.collect();
    let fields = fields?;
    let oldest = fields.iter().map(|field| field.at).min()?;
    let value = fields.iter().map(|field| field.value).sum::<Power>() + beside;
    Some(Field { value, at: oldest, quality: Quality::Derived })
}

impl fmt::Debug for Rack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rack").field("trays", &self.trays).finish_non_exhaustive()
    }
}

impl Driver for Rack {
    fn at(&self) -> Reached {
        self.trays[0].at()
    }

    fn identify(&self, by: Instant) -> Doing<'_, Result<Identity, Unanswered>> {
        Box::pin(self.identity(by))
    }

    fn look(&self, by: Instant) -> Doing<'_, Result<Look, Unanswered>> {
        Box::pin(self.look_at(by))
    }

    fn tell(&self, wanted: Wanted, by: Instant) -> Doing<'_, Answer> {
        Box::pin(self.be(wanted, by))
    }
}
