//! Headroom: what may still be drawn under every limit on the way to the grid.
//!
//! Draw is counted, what a battery sends back is not: were it to stop, the
//! limits must still hold.

use units::Power;

use super::reason::Limit;
use crate::site::{LoadIx, Site};

/// What is left under every limit of a site.
#[derive(Clone, Debug)]
pub(crate) struct Room {
    import: Power,
    feeders: Vec<Power>,
}

impl Room {
    /// All of it: nothing drawn yet.
    pub(crate) fn whole(site: &Site, import_limit: Power) -> Self {
        Self {
            import: import_limit,
            feeders: site.feeders.iter().map(|f| f.limit).collect(),
        }
    }

    /// What a load may still draw, and which limit says so.
    pub(crate) fn left_for(&self, site: &Site, load: LoadIx) -> (Power, Limit) {
        let mut tightest = (self.import, Limit::Import);
        for feeder in site.path(site.loads[load].feeder) {
            if self.feeders[feeder] < tightest.0 {
                tightest = (self.feeders[feeder], Limit::Feeder(feeder));
            }
        }
        tightest
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
