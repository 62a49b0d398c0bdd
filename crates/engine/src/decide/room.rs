//! Headroom: what may still be drawn under every limit on the way to the grid.
//!
//! Draw is counted, what a battery sends back is not: were it to stop, the
//! limits must still hold.

use serde::{Deserialize, Serialize};
use units::Power;

use super::reason::Limit;
use crate::site::{LoadIx, Site};

/// What loads together may draw.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Import {
    /// All of them.
    pub(crate) all: Power,
    /// While one that can be shed draws more than its least: no more than all.
    pub(crate) sheddable: Power,
}

impl Import {
    /// What the interconnection allows.
    pub(crate) fn whole(site: &Site) -> Self {
        let limit = site.interconnection.import_limit;
        Self { all: limit, sheddable: limit }
    }
}

/// What is left under every limit of a site.
#[derive(Clone, Debug)]
pub(crate) struct Room {
    import: Power,
    /// By how much less may be drawn while what can be shed draws.
    kept_back: Power,
    feeders: Vec<Power>,
}

impl Room {
    /// All of it: nothing drawn yet.
    pub(crate) fn whole(site: &Site, import: Import) -> Self {
        Self {
            import: import.all,
            kept_back: import.all - import.sheddable,
            feeders: site.feeders.iter().map(|f| f.limit).collect(),
        }
    }

    /// Becomes the same as another of the same site, where it is.
    pub(crate) fn copy_from(&mut self, other: &Self) {
        self.import = other.import;
        self.kept_back = other.kept_back;
        self.feeders.copy_from_slice(&other.feeders);
    }

    /// What a load may still draw, and which limit says so.
    #[inline]
    pub(crate) fn left_for(&self, site: &Site, load: LoadIx) -> (Power, Limit) {
        let mut tightest = (self.import, Limit::Import);
        if !self.kept_back.is_zero() && !site.loads[load].is_firm() {
            tightest = (self.import - self.kept_back, Limit::BestEffort);
        }
        for feeder in site.path(site.loads[load].feeder) {
            if self.feeders[feeder] < tightest.0 {
                tightest = (self.feeders[feeder], Limit::Feeder(feeder));
            }
        }
        tightest
    }

    /// What is left under one limit; nothing is counted towards export.
    pub(crate) fn left_under(&self, limit: Limit) -> Power {
        match limit {
            Limit::Import => self.import,
            Limit::Feeder(feeder) => self.feeders[feeder],
            Limit::BestEffort => self.import - self.kept_back,
            Limit::Export => Power::ZERO,
        }
    }

    /// Takes draw away from every limit above a load. Room may become negative
    /// when loads at rest alone are above a limit.
    pub(crate) fn take(&mut self, site: &Site, load: LoadIx, draw: Power) {
        self.import -= draw;
        for feeder in site.path(site.loads[load].feeder) {
            self.feeders[feeder] -= draw;
        }
    }
}
