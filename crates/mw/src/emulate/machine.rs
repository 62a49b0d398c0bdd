//! One machine of an emulated site, as its own firmware has it: where it stands, what
//! it draws, and where it is told to go.
//!
//! The site's campus has the dynamics and the tempers; a vendor's emulator puts its
//! protocol in front of this and imitates nothing.

use std::time::Duration;

use engine::site::{LoadIx, Rate};
use sim::campus::{Back, Stands, Temper};
use units::{HashRate, Power, Seconds, Share};

use super::Emulated;

/// One machine of an emulated site. Clones are the same machine.
#[derive(Clone, Debug)]
pub struct Machine {
    site: Emulated,
    load: LoadIx,
    number: u32,
}

/// What a machine gives at one point of its curve, and what that draws.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    /// What it draws at the plug.
    pub power: Power,
    /// What it gives.
    pub rate: Rate,
}

impl Emulated {
    /// The machines of the load of this name, in their order; none where the site has
    /// no such load, or where it is one device.
    pub fn machines_of(&self, load: &str) -> Vec<Machine> {
        let found = self.with(|works| {
            let load = works.campus.site().load_named(load)?;
            Some((load, works.campus.machines_of(load)?.count))
        });
        let (load, count) = found.unwrap_or_default();
        (0..count).map(|number| Machine { site: self.clone(), load, number }).collect()
    }
}

impl Machine {
    /// Its number in its load.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// How it stands now. What answers nobody has no [`Stands::answers_after`].
    pub fn stands(&self) -> Stands {
        let (load, number) = (self.load, self.number);
        let stands = self.site.with(|works| works.now().stands(load, number));
        stands.expect("a machine is made for a load that has it")
    }

    /// Tells it to go to a point of its curve, 0 to rest: it does as its temper lets
    /// it. How long its answer takes by the wall; `None` does not answer.
    pub fn go_to(&self, point: u8) -> Option<Duration> {
        let (load, number) = (self.load, self.number);
        self.site.with(|works| {
            let after = works.now().set_point(load, number, point)?;
            Some(works.wall(after))
        })
    }

    /// How long it takes to answer a question now, by the wall; `None` does not answer.
    pub fn answers_after(&self) -> Option<Duration> {
        let after = self.stands().answers_after?;
        Some(self.site.with(|works| works.wall(after)))
    }

    /// How it can run: at rest first, then the points of its curve.
    pub fn points(&self) -> Vec<Point> {
        let load = self.load;
        self.site.with(|works| {
            let machines = works.campus.machines_of(load);
            let machines = machines.expect("a machine is made for a load that has it");
            let nothing = match machines.points.first().map(|point| point.rate) {
                Some(Rate::Throughput(_)) => Rate::Throughput(Share::ZERO),
                Some(Rate::Hash(_)) | None => Rate::Hash(HashRate::ZERO),
            };
            let rest = Point { power: machines.standby, rate: nothing };
            let points = machines.points.iter();
            let points = points.map(|at| Point { power: at.power, rate: at.rate });
            std::iter::once(rest).chain(points).collect()
        })
    }

    /// Something goes wrong with it from now on, for so long by the site's clock.
    pub fn take_temper(&self, temper: Temper, lasts: Seconds) {
        let (load, only) = (self.load, std::iter::once(self.number).collect());
        self.site.with(|works| works.now().take_temper(load, &only, temper, lasts));
    }

    /// It reboots: at rest and silent for so long by the site's clock.
    pub fn reboot(&self, back: Back, lasts: Seconds) {
        let (load, only) = (self.load, std::iter::once(self.number).collect());
        self.site.with(|works| works.now().reboot(load, &only, back, lasts));
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use sim::campus::{Temper, Tempers};
    use units::{Power, Seconds, Timestamp};

    use super::{Emulated, Machine};
    use crate::config;
    use crate::live::clock::Clock;

    /// The machines of the mixed example that can run at two points.
    fn rigs() -> Vec<Machine> {
        let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
        let site = config::load(&examples.join("mixed-10mw")).expect("a site").site;
        let clock = Clock::set(Timestamp::from_unix_seconds(1_700_000_000), 1);
        Emulated::new(site, 1, Tempers::none(), clock).machines_of("s21")
    }

    #[test]
    fn a_machine_goes_where_it_is_told_and_warms_up() {
        let rig = &rigs()[7];
        assert_eq!(rig.stands().point, 0);
        assert!(rig.go_to(2).is_some());
        let stands = rig.stands();
        assert_eq!((stands.says, stands.point), (2, 2));
        assert_eq!(stands.draw, Power::from_watts(3_500));
        assert!(stands.starting, "it takes minutes to restart");
        rig.go_to(0);
        assert_eq!((rig.stands().point, rig.stands().starting), (0, false));
    }

    #[test]
    fn what_is_wrong_with_a_machine_shows() {
        let rigs = rigs();
        rigs[0].take_temper(Temper::Hangs, Seconds::hours(1));
        assert_eq!(rigs[0].go_to(1), None);
        assert_eq!((rigs[0].stands().point, rigs[0].answers_after()), (0, None));

        rigs[1].take_temper(Temper::Lies, Seconds::hours(1));
        assert!(rigs[1].go_to(1).is_some());
        assert_eq!((rigs[1].stands().says, rigs[1].stands().point), (1, 0));
    }

    #[test]
    fn a_load_that_is_one_device_has_no_machines() {
        let rigs = rigs();
        assert_eq!(rigs.len(), 1_000);
        let site = &rigs[0].site;
        assert!(site.machines_of("battery").is_empty());
        assert!(site.machines_of("nobody").is_empty());
    }
}
