//! Shapes of racks: what one generation is made of, as data.
//!
//! Nothing else in the program knows how many trays a rack has. Another
//! generation is another row.

use serde::{Deserialize, Serialize};

use super::RackShows;

/// What a rack is made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shape {
    /// What the generation is called.
    pub name: String,
    /// Compute trays; at most 64.
    pub trays: u8,
    /// GPUs of one tray; at most 8.
    pub gpus_per_tray: u8,
    /// Switch trays that join the GPUs into one NVLink domain; 0 where a domain is
    /// one tray.
    pub switch_trays: u8,
    /// Power shelves.
    pub power_shelves: u8,
    /// Leak detectors of the rack itself; 0 where it is cooled by air.
    pub leak_detectors: u8,
}

impl Shape {
    /// GPUs of the whole rack.
    pub fn gpus(&self) -> u32 {
        u32::from(self.trays) * u32::from(self.gpus_per_tray)
    }

    /// Whether switch trays join its trays into one NVLink domain; else each tray is a
    /// domain of its own, as a box of eight GPUs is.
    pub fn is_joined(&self) -> bool {
        self.switch_trays > 0
    }

    /// How many power shelves carry it at full load. Shelves are fitted twice over, so
    /// that one feed of two may be lost: half of them, rounded up.
    pub fn shelves_needed(&self) -> u8 {
        self.power_shelves.div_ceil(2)
    }

    /// Switch trays that do not work, of what a look showed.
    pub fn switches_down(&self, shows: &RackShows) -> u32 {
        let all = (1_u32 << self.switch_trays) - 1;
        (all & !u32::from(shows.switches)).count_ones()
    }

    /// Power shelves that work, of what a look showed.
    pub fn shelves_up(&self, shows: &RackShows) -> u32 {
        let all = (1_u32 << self.power_shelves) - 1;
        (all & u32::from(shows.shelves)).count_ones()
    }

    /// The GPUs of a tray as bits.
    pub fn all_gpus(&self) -> u8 {
        u8::try_from((1_u16 << self.gpus_per_tray) - 1).expect("at most 8 GPUs a tray")
    }

    /// What is wrong with it, if anything.
    pub fn fault(&self) -> Option<&'static str> {
        let (trays, gpus) = (self.trays, self.gpus_per_tray);
        match () {
            () if self.name.is_empty() => Some("expected a name, found none"),
            () if !(1..=64).contains(&trays) => Some("expected 1 to 64 trays"),
            () if !(1..=8).contains(&gpus) => Some("expected 1 to 8 GPUs a tray"),
            () if self.switch_trays > 16 => Some("expected at most 16 switch trays"),
            () if self.power_shelves > 8 => Some("expected at most 8 power shelves"),
            () => None,
        }
    }
}

/// The generations that are known without being told.
///
/// GB300 and GB200 NVL72: 18 compute trays, 9 switch trays and 8 shelves, as in
/// NVIDIA's rack of infra-controller's hardware simulation; HGX B300 and H100 are
/// air-cooled trays of eight, four to a rack, each a domain of its own.
pub fn shapes() -> Vec<Shape> {
    let row =
        |name: &str, trays, gpus_per_tray, switch_trays, power_shelves, leak| Shape {
            name: name.to_owned(),
            trays,
            gpus_per_tray,
            switch_trays,
            power_shelves,
            leak_detectors: leak,
        };
    vec![
        row("GB300 NVL72", 18, 4, 9, 8, 2),
        row("GB200 NVL72", 18, 4, 9, 8, 2),
        row("HGX B300", 4, 8, 0, 2, 0),
        row("HGX H100", 4, 8, 0, 2, 0),
    ]
}

/// Generations that became known later. An estate takes one up when a rack of it is
/// ordered, so that those of before are made of what they were made of.
///
/// HGX B200: eight GPUs of one NVSwitch board to a box, cooled by air, as HGX H100.
pub fn later() -> Vec<Shape> {
    vec![Shape {
        name: "HGX B200".to_owned(),
        trays: 4,
        gpus_per_tray: 8,
        switch_trays: 0,
        power_shelves: 2,
        leak_detectors: 0,
    }]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_campus_is_what_it_is_said_to_be() {
        let shapes = shapes();
        let gb300 = &shapes[0];
        assert_eq!(1_056 * u32::from(gb300.trays), 19_008);
        assert_eq!(1_056 * gb300.gpus(), 76_032);
        assert_eq!(gb300.all_gpus(), 0b1111);
        assert_eq!(shapes[2].all_gpus(), u8::MAX);
    }

    #[test]
    fn a_shape_that_cannot_be_counted_is_refused() {
        let all = shapes().into_iter().chain(later());
        assert!(all.into_iter().all(|shape| shape.fault().is_none()));
        let wrong = |change: fn(&mut Shape)| {
            let mut shape = shapes().swap_remove(0);
            change(&mut shape);
            shape.fault().is_some()
        };
        assert!(wrong(|shape| shape.trays = 0));
        assert!(wrong(|shape| shape.trays = 65));
        assert!(wrong(|shape| shape.gpus_per_tray = 9));
        assert!(wrong(|shape| shape.switch_trays = 17));
        assert!(wrong(|shape| shape.power_shelves = 9));
        assert!(wrong(|shape| shape.name.clear()));
    }
}
