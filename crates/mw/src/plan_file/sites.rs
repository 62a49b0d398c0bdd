//! The sites of a plan: one, or several with their markets and their price of power.

use std::path::Path;

use plan::{Place, Prices, Running};
use settle::contract::Hash;

use super::{Reading, written};
use crate::config;

impl Reading {
    /// Every site, without its price of power.
    pub(super) fn sites(
        &mut self,
        file: &written::File,
        folder: &Path,
        hashed: &mut Vec<u8>,
    ) -> Option<Vec<Place>> {
        let running = self.running("running", file.running);
        let (Some(only), []) = (&file.site, &file.sites[..]) else {
            return self.several(file, running, folder, hashed);
        };
        let site = self.site_file("site", only, folder, hashed)?;
        let name = site.name.to_string();
        Some(vec![Place { name, site, running, market: 0, prices: None }])
    }

    fn several(
        &mut self,
        file: &written::File,
        running: Running,
        folder: &Path,
        hashed: &mut Vec<u8>,
    ) -> Option<Vec<Place>> {
        if file.site.is_some() || file.sites.is_empty() {
            let found = if file.site.is_some() { "both" } else { "neither" };
            self.note(
                "site",
                "`site`, or a table [[sites]] for each of several",
                found,
                "name the file of the one site, or every site in [[sites]]",
            );
            return None;
        }
        let (mut places, mut markets) = (Vec::<Place>::new(), Vec::<String>::new());
        for (number, written) in file.sites.iter().enumerate() {
            let key = format!("sites[{number}]");
            let is_taken = places.iter().any(|place| place.name == written.name);
            if written.name.is_empty() || is_taken {
                self.note(
                    &format!("{key}.name"),
                    "a name that no other site of the plan has",
                    format!("\"{}\"", written.name),
                    "tell sites apart: conversions and answers name them so",
                );
            }
            let site =
                self.site_file(&format!("{key}.file"), &written.file, folder, hashed)?;
            let market = written.market.clone();
            let market = market.unwrap_or_else(|| site.market.name.to_string());
            let known = markets.iter().position(|one| *one == market);
            let market = known.unwrap_or_else(|| {
                markets.push(market);
                markets.len() - 1
            });
            let running = match written.running {
                Some(own) => self.running(&format!("{key}.running"), own),
                None => running,
            };
            let name = written.name.clone();
            places.push(Place { name, site, running, market, prices: None });
        }
        Some(places)
    }

    fn site_file(
        &mut self,
        key: &str,
        file: &str,
        folder: &Path,
        hashed: &mut Vec<u8>,
    ) -> Option<engine::Site> {
        match config::load(&folder.join(file)) {
            Ok(loaded) => {
                hashed.extend(Hash::of(loaded.text.as_bytes()).0);
                Some(loaded.site)
            }
            Err(error) => {
                let expected = "a site file that is right";
                self.note(key, expected, error.to_string(), "mend it");
                None
            }
        }
    }

    fn running(&mut self, key: &str, written: written::Running) -> Running {
        let (mining, racks) =
            (written.mining_usd_per_mw_month, written.racks_usd_per_mw_month);
        Running {
            mining_per_mw_month: self.usd(key, "mining_usd_per_mw_month", mining),
            racks_per_mw_month: self.usd(key, "racks_usd_per_mw_month", racks),
        }
    }

    /// Gives sites the price of power that is their own, and returns what the others have:
    /// where every site has its own, that of the first.
    pub(super) fn prices(
        &mut self,
        file: &written::File,
        sites: &mut [Place],
        folder: &Path,
        hashed: &mut Vec<u8>,
    ) -> Option<Prices> {
        let common = match &file.futures.power {
            Some(written) => {
                Some(self.prices_of("futures.power", written, folder, hashed)?)
            }
            None => None,
        };
        for (number, (place, written)) in sites.iter_mut().zip(&file.sites).enumerate() {
            let key = format!("sites[{number}]");
            place.prices = match (&written.power, &written.power_from) {
                (None, None) => None,
                (Some(power), None) => Some(self.prices_of(
                    &format!("{key}.power"),
                    power,
                    folder,
                    hashed,
                )?),
                (None, Some(from)) => {
                    let key = format!("{key}.power_from");
                    let power = self.calibrated(&key, from, folder, hashed)?;
                    Some(self.prices_of(&key, &power, folder, hashed)?)
                }
                (Some(_), Some(_)) => {
                    self.note(
                        &format!("{key}.power_from"),
                        "a price of power, or the file that it is in",
                        "both",
                        "leave one of them out",
                    );
                    return None;
                }
            };
        }
        let own = || sites.iter().all(|place| place.prices.is_some());
        let first = || sites.first().and_then(|place| place.prices.clone());
        let common = common.or_else(|| first().filter(|_| own()));
        if common.is_none() {
            self.note(
                "futures.power",
                "a price of power for every site that has none of its own",
                "none",
                "let `mw plan calibrate` write it from history",
            );
        }
        common
    }

    fn prices_of(
        &mut self,
        table: &str,
        written: &written::Power,
        folder: &Path,
        hashed: &mut Vec<u8>,
    ) -> Option<Prices> {
        let power = self.power(table, written)?;
        let days = self.days(table, written, folder, hashed)?;
        Some(Prices { power, days })
    }

    /// The price of power in what `mw plan calibrate` wrote.
    fn calibrated(
        &mut self,
        key: &str,
        file: &str,
        folder: &Path,
        hashed: &mut Vec<u8>,
    ) -> Option<written::Power> {
        let read = std::fs::read_to_string(folder.join(file)).map_err(|e| e.to_string());
        let parsed = read.and_then(|text| {
            hashed.extend(Hash::of(text.as_bytes()).0);
            toml::from_str(&text).map_err(|error| error.to_string().replace('\n', "\n  "))
        });
        match parsed {
            Ok(written::Calibrated { futures }) => Some(futures.power),
            Err(error) => {
                self.note(
                    key,
                    "a file beside the plan with a [futures.power]",
                    format!("{file}: {}", error.trim_end()),
                    "let `mw plan calibrate` write it from the point's history",
                );
                None
            }
        }
    }
}
