//! Energy balances: what the loads drew is what the site drew, to the joule,
//! and a reading that is true is believed.

use engine::{MeteredInterval, Quality, Site, Sweep};
use units::Energy;

/// What the meters should show.
#[derive(Clone, Debug)]
pub(super) struct Meters {
    site: Site,
    last: Option<Sweep>,
    /// How many sweeps in a row arrived whole and in time, with no change of
    /// the site between.
    whole_in_a_row: u32,
}

impl Meters {
    pub(super) fn of(site: &Site) -> Self {
        Self { site: site.clone(), last: None, whole_in_a_row: 1 }
    }

    pub(super) fn change(&mut self, site: &Site) {
        self.site = site.clone();
        self.whole_in_a_row = 0;
    }

    /// The true sweep against what powers and times come to.
    pub(super) fn swept(
        &mut self,
        sweep: &Sweep,
        energies: &[Energy],
        broken: &mut Vec<String>,
    ) {
        let total: Energy = energies.iter().copied().sum();
        if sweep.site != Some(total) {
            broken.push(format!(
                "balance: expected {total} at the site's meter, found {:?}",
                sweep.site
            ));
        }
        for reading in &sweep.readings {
            if reading.energy != energies[reading.load] {
                broken.push(format!(
                    "balance: expected {} at {}, found {}",
                    energies[reading.load],
                    self.site.loads[reading.load].name,
                    reading.energy
                ));
            }
        }
        self.last = Some(sweep.clone());
    }

    /// What the engine made of it; `whole` if nothing went wrong on the way.
    pub(super) fn metered(
        &mut self,
        metered: &MeteredInterval,
        whole: bool,
        broken: &mut Vec<String>,
    ) {
        let loads: Energy = metered.loads.iter().map(|load| load.energy).sum();
        if metered.site != loads + metered.unexplained {
            broken.push("balance: loads and the unexplained do not sum up".to_owned());
        }
        self.whole_in_a_row = if whole { self.whole_in_a_row + 1 } else { 0 };
        let Some(sweep) = self.last.as_ref().filter(|_| whole) else {
            return;
        };
        if !metered.unexplained.is_zero() || Some(metered.site) != sweep.site {
            broken.push(format!(
                "balance: expected nothing unexplained, found {}",
                metered.unexplained
            ));
        }
        for (load, reading) in metered.loads.iter().zip(&sweep.readings) {
            let name = &self.site.loads[reading.load].name;
            if load.energy != reading.energy {
                broken.push(format!(
                    "balance: {name} drew {}, metered {}",
                    reading.energy, load.energy
                ));
            }
            if self.whole_in_a_row > 1 && load.quality != Quality::Measured {
                broken.push(format!("metering: a true reading of {name} is doubted"));
            }
        }
    }
}
