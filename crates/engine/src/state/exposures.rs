//! What tranches under contract stand to lose, as last heard.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use units::{EnergyPrice, Timestamp};

use crate::signals::Exposure;
use crate::site::{LoadIx, LoadKind, Site, Terms, Tranche};

/// The newest exposure heard of each tranche that the site serves.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exposures(BTreeMap<Tranche, Exposure>);

impl Exposures {
    /// Keeps an exposure, unless a later one is known or no load serves the tranche.
    pub(super) fn learn(&mut self, site: &Site, new: &Exposure) {
        let served = site.loads.iter().any(|load| match &load.kind {
            LoadKind::Racks(racks) => racks.tranche() == Some(&new.tranche),
            LoadKind::Rigs(_) | LoadKind::Battery(_) => false,
        });
        let old = self.0.get(&new.tranche);
        if served && old.is_none_or(|old| old.known_at <= new.known_at) {
            self.0.insert(new.tranche.clone(), new.clone());
        }
    }

    /// Those that hold at `at`, by tranche.
    pub fn in_force(&self, at: Timestamp) -> impl Iterator<Item = &Exposure> {
        self.0.values().filter(move |known| known.during.contains(at))
    }

    /// What a lost MWh at the plug of a load under contract costs at `at`: by its
    /// contract, or by the site file where the contract does not say. `None` for a
    /// load that is under none.
    pub fn lost_mwh(
        &self,
        site: &Site,
        load: LoadIx,
        at: Timestamp,
    ) -> Option<EnergyPrice> {
        let LoadKind::Racks(racks) = &site.loads[load].kind else { return None };
        let Terms::Contracted { worth, tranche, .. } = &racks.terms else { return None };
        let known = tranche.as_ref().and_then(|tranche| self.0.get(tranche));
        let known = known.filter(|known| known.during.contains(at));
        Some(known.map_or(*worth, |known| known.per_mwh(racks, at)))
    }
}
