//! A campus as instruments at its bus see it: energy that was counted, and a load that
//! is one device set to a power beside orders.

use engine::site::LoadIx;
use units::{Energy, Power};

use super::Campus;

impl Campus {
    /// Net energy at the interconnection since the last sweep, which it does not end.
    pub fn energy(&mut self) -> Energy {
        self.count_house();
        let (site, now) = (&self.site, self.now);
        let each = self.groups.iter_mut().map(|group| {
            group.count_on(site, now);
            group.energy()
        });
        each.sum::<Energy>() + self.house_energy
    }

    /// A load that is one device draws or gives this from now on, by its own protocol,
    /// as its temper lets it: as if the newest order had said so. Says whether it
    /// answers; nothing where the load is none.
    pub fn set_power(&mut self, load: LoadIx, power: Power) -> Option<bool> {
        if self.site.loads.get(load)?.machines().is_some() {
            return None;
        }
        let newest = self.done.of(load, 0)?.newest;
        Some(self.group(load, |group, around| {
            group.order(0, power.as_watts(), newest, around).is_some()
        }))
    }
}
