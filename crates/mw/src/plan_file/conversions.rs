//! Conversions: in which site, of which loads, when, and at what price.

use engine::site::{LoadIx, LoadKind, Terms};
use plan::{Conversion, Deal, Equipment, Owner, Place, Serves, Works};
use settle::contract::PriceUnit;
use sim::scenario::delivery::Slip;

use super::{Reading, written};

impl Reading {
    pub(super) fn conversions(
        &mut self,
        file: &written::File,
        sites: &[Place],
        deals: &[Deal],
    ) -> Vec<Conversion> {
        let mut conversions = Vec::new();
        for (place, written) in file.conversions.iter().enumerate() {
            let key = format!("conversions[{place}]");
            let Some(number) = self.site_of(&key, written, sites) else { continue };
            let site = &sites[number].site;
            let racks = self.loads(&format!("{key}.racks"), site, &written.racks, true);
            let rigs_out =
                self.loads(&format!("{key}.rigs_out"), site, &written.rigs_out, false);
            let begins = self.date(&format!("{key}.begins"), &written.begins);
            let ready = self.date(&format!("{key}.ready"), &written.ready);
            let slip = &written.slip;
            let schedule = written.works.schedule_percent.iter();
            let schedule = schedule
                .map(|part| self.percent(&key, "works.schedule_percent", *part))
                .collect();
            let works = Works {
                cost: self.musd(&key, "works.cost_musd", written.works.cost_musd),
                schedule,
            };
            let equipment = written.equipment.as_ref().map(|written| Equipment {
                price: self.musd(&key, "equipment.price_musd", written.price_musd),
                ships_days_before: written.ships_days_before,
                payable_days: written.payable_days,
                cancellable: written.cancellable,
                residual: self.percent(
                    &key,
                    "equipment.residual_percent",
                    written.residual_percent,
                ),
            });
            let resale = self.musd(&key, "resale_musd", written.resale_musd);
            let book_value = self.musd(&key, "book_value_musd", written.book_value_musd);
            let serves = self.serves(&format!("{key}.racks"), site, &racks, deals);
            let is_lease = |serves: &Serves| {
                let tranches = &deals[serves.deal].contract.tranches;
                tranches[serves.tranche].price.unit == PriceUnit::MwMonth
            };
            let machines = match written.machines {
                Some(written::Owner::Site) => Owner::Site,
                Some(written::Owner::Tenant) => Owner::Tenant,
                None if equipment.is_none() && serves.as_ref().is_some_and(is_lease) => {
                    Owner::Tenant
                }
                None => Owner::Site,
            };
            let (Some(begins), Some(ready)) = (begins, ready) else { continue };
            conversions.push(Conversion {
                name: written.name.clone(),
                site: number,
                rigs_out,
                racks,
                begins,
                ready,
                slip: Slip {
                    on_time: slip.on_time_percent / 100.0,
                    median_days: slip.median_days,
                    ninetieth_days: slip.ninetieth_days,
                    days_max: slip.days_max,
                },
                works,
                equipment,
                machines,
                resale,
                book_value,
                serves,
                dropped: false,
            });
        }
        conversions
    }

    /// The loads of those names, racks or rigs.
    fn loads(
        &mut self,
        key: &str,
        site: &engine::Site,
        names: &[String],
        racks: bool,
    ) -> Vec<LoadIx> {
        let what = if racks { "racks" } else { "rigs" };
        let mut found = Vec::new();
        for name in names {
            let load =
                site.load_named(name).filter(|load| match site.loads[*load].kind {
                    LoadKind::Racks(_) => racks,
                    LoadKind::Rigs(_) => !racks,
                    LoadKind::Battery(_) => false,
                });
            match load {
                Some(load) => found.push(load),
                None => self.note(
                    key,
                    &format!("the name of {what} of the site"),
                    format!("\"{name}\""),
                    "write it as the site file does",
                ),
            }
        }
        found
    }

    /// The one tranche that all of the racks serve, if any does.
    fn serves(
        &mut self,
        key: &str,
        site: &engine::Site,
        racks: &[LoadIx],
        deals: &[Deal],
    ) -> Option<Serves> {
        let mut all = racks.iter().map(|load| {
            let LoadKind::Racks(racks) = &site.loads[*load].kind else { return None };
            let Terms::Contracted { tranche: Some(named), .. } = &racks.terms else {
                return None;
            };
            let deal =
                deals.iter().position(|deal| deal.contract.id == named.contract)?;
            let tranches = &deals[deal].contract.tranches;
            let tranche = tranches.iter().position(|tranche| tranche.id == named.id)?;
            Some(Serves { deal, tranche })
        });
        let first = all.next().flatten();
        if all.any(|other| other != first) {
            self.note(
                key,
                "racks that all serve one tranche",
                "racks of several",
                "write a conversion for each tranche",
            );
        }
        first
    }

    /// The site that a conversion is in: the one it names, or the only one that has all of
    /// its loads.
    fn site_of(
        &mut self,
        key: &str,
        written: &written::Conversion,
        sites: &[Place],
    ) -> Option<usize> {
        let names: Vec<&str> = sites.iter().map(|place| &*place.name).collect();
        let key = format!("{key}.site");
        if let Some(name) = &written.site {
            let found = sites.iter().position(|place| place.name == *name);
            if found.is_none() {
                self.note(
                    &key,
                    "the name of a site of the plan",
                    format!("\"{name}\", where the plan has {}", names.join(", ")),
                    "write it as [[sites]] does, or leave it out where there is one site",
                );
            }
            return found;
        }
        if let [_] = sites {
            return Some(0);
        }
        let loads = || written.racks.iter().chain(&written.rigs_out);
        let has = |place: &Place| loads().all(|l| place.site.load_named(l).is_some());
        let all: Vec<usize> = (0..sites.len()).filter(|at| has(&sites[*at])).collect();
        if let [only] = all[..] {
            return Some(only);
        }
        let found = if all.is_empty() {
            "no site that has all of its loads".to_owned()
        } else {
            let all: Vec<&str> = all.iter().map(|at| names[*at]).collect();
            format!("none, where its loads are in {}", all.join(" and in "))
        };
        self.note(
            &key,
            "the one site that it is in",
            found,
            "name the site; what is done in two sites is two conversions",
        );
        None
    }
}
