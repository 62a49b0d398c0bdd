//! The energy meters' registers: they count on while no process reads them.

use engine::site::Site;
use engine::{Reading, Sweep, Work};
use units::{Energy, Interval, Timestamp};

use crate::campus::Campus;

/// What every meter has counted, and up to where that was told.
#[derive(Clone, Debug)]
pub(super) struct Registers {
    read_at: Timestamp,
    metered_to: Timestamp,
    /// What was counted and not told yet, up to the last reading.
    site: Energy,
    loads: Vec<(Energy, Option<Work>)>,
    /// All that was told.
    told: Energy,
}

impl Registers {
    pub(super) fn of(site: &Site, start: Timestamp) -> Self {
        Self {
            read_at: start,
            metered_to: start,
            site: Energy::ZERO,
            loads: vec![(Energy::ZERO, None); site.loads.len()],
            told: Energy::ZERO,
        }
    }

    /// Counts on to `at`.
    pub(super) fn read(&mut self, campus: &mut Campus, at: Timestamp) {
        let sweep = campus.sweep(Interval { start: self.read_at, end: at });
        self.read_at = at;
        self.site += sweep.site.unwrap_or_default();
        for reading in sweep.readings {
            let (energy, work) = &mut self.loads[reading.load];
            *energy += reading.energy;
            *work = Some(match (*work, reading.work) {
                (Some(Work::Hashes(a)), Work::Hashes(b)) => Work::Hashes(a + b),
                (Some(Work::Gpu(a)), Work::Gpu(b)) => Work::Gpu(a + b),
                (_, work) => work,
            });
        }
    }

    /// What was counted since the last interval that was told.
    pub(super) fn since_last_metered(&self, at: Timestamp) -> Option<Sweep> {
        let readings = (self.loads.iter().enumerate())
            .filter_map(|(load, (energy, work))| {
                Some(Reading { load, energy: *energy, work: (*work)? })
            })
            .collect();
        let during = Interval { start: self.metered_to, end: at };
        (self.metered_to < at).then_some(Sweep {
            during,
            site: Some(self.site),
            readings,
        })
    }

    /// It is in the record: the next one begins here.
    pub(super) fn metered(&mut self, end: Timestamp) {
        self.metered_to = end;
        self.told += std::mem::take(&mut self.site);
        for counted in &mut self.loads {
            *counted = (Energy::ZERO, None);
        }
    }

    /// Up to when it is in the record.
    pub(super) fn metered_to(&self) -> Timestamp {
        self.metered_to
    }

    /// All that was told.
    pub(super) fn total(&self) -> Energy {
        self.told
    }
}
