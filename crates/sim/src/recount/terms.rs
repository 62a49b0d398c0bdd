//! Which version of the contract holds, and where its months begin and end.

use settle::calendar::{Date, Period};
use settle::contract::{Contract, Versions};
use settle::facts::{Body, Facts};
use units::Timestamp;

/// An instant, in seconds since 1970.
pub(super) type At = i64;

/// The versions of a contract that are known, oldest first.
pub(super) struct Terms<'c> {
    pub(super) versions: Vec<&'c Contract>,
}

impl<'c> Terms<'c> {
    /// The versions known at `as_of`. One that a fact names is known from that
    /// fact on, another one from its effective day on; the first always is.
    pub(super) fn known(versions: &'c Versions, facts: &Facts, as_of: Timestamp) -> Self {
        let mut known = Vec::new();
        for contract in versions.all() {
            let named: Vec<Timestamp> = facts
                .all()
                .iter()
                .filter(|fact| {
                    fact.body == Body::ContractVersion { sha256: contract.hash }
                })
                .map(|fact| fact.known_at)
                .collect();
            let since = match named.iter().min() {
                Some(known_at) => *known_at,
                None => contract.zone.midnight(contract.effective),
            };
            if !known.is_empty() && since > as_of {
                break;
            }
            known.push(contract);
        }
        Self { versions: known }
    }

    /// The contract's name.
    pub(super) fn id(&self) -> &str {
        &self.versions[0].id
    }

    /// The version that settles `period`: the last one effective by its first day.
    pub(super) fn of(&self, period: Period) -> &'c Contract {
        let mut found = self.versions[0];
        for contract in &self.versions {
            if contract.effective <= period.first_day() {
                found = contract;
            }
        }
        found
    }

    /// The version that settles the month an instant lies in.
    pub(super) fn at(&self, at: At) -> &'c Contract {
        self.of(self.period(at))
    }

    /// The names of the tranches of all versions, in order and once.
    pub(super) fn tranches(&self) -> Vec<&'c str> {
        let mut names: Vec<&str> = Vec::new();
        for tranche in self.versions.iter().flat_map(|contract| &contract.tranches) {
            if !names.contains(&tranche.id.as_str()) {
                names.push(&tranche.id);
            }
        }
        names
    }

    /// The month an instant lies in.
    pub(super) fn period(&self, at: At) -> Period {
        self.versions[0].zone.period(Timestamp::from_unix_seconds(at))
    }

    /// The day an instant lies in.
    pub(super) fn date(&self, at: At) -> Date {
        self.versions[0].zone.date(Timestamp::from_unix_seconds(at))
    }

    /// The first instant of a day.
    pub(super) fn midnight(&self, date: Date) -> At {
        self.versions[0].zone.midnight(date).as_unix_seconds()
    }

    /// The first instant of a month and of the month after.
    pub(super) fn month(&self, period: Period) -> (At, At) {
        (self.midnight(period.first_day()), self.midnight(period.next().first_day()))
    }

    /// So many months after an instant, in civil time, never chained.
    pub(super) fn months_after(&self, anchor: At, months: i64) -> At {
        let anchor = Timestamp::from_unix_seconds(anchor);
        self.versions[0].zone.months_after(anchor, months).as_unix_seconds()
    }

    /// The instant at which a month's facts are cut off.
    pub(super) fn cut(&self, period: Period) -> At {
        let grace = self.of(period).billing.grace_days;
        self.midnight(period.next().first_day().plus_days(grace))
    }
}
