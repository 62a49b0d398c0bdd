//! What may come: coin, fees, network, power, rent, failures, and what moves together.

use std::path::Path;

use plan::{Escalator, Futures, Place};
use sim::scenario::HOURS_PER_YEAR;
use sim::scenario::coin::Coin;
use sim::scenario::copula::{Copula, FACTORS};
use sim::scenario::failure::Failures;
use sim::scenario::fees::Fees;
use sim::scenario::level::Level;
use sim::scenario::maths::ln;
use sim::scenario::network::Network;
use sim::scenario::power::{Power, Regime};
use sim::scenario::rental::Rental;
use sim::scenario::reversion::Reversion;

use super::{Reading, written};

impl Reading {
    /// What may come, at every site.
    pub(super) fn futures(
        &mut self,
        file: &written::File,
        sites: &mut [Place],
        folder: &Path,
        hashed: &mut Vec<u8>,
    ) -> Option<Futures> {
        let written = &file.futures;
        let coin = &written.coin;
        let part = |reading: &mut Self,
                    table: &str,
                    key: &str,
                    value: f64,
                    low: f64,
                    high: f64| {
            reading.within(&format!("futures.{table}"), key, value, low, high)
        };
        let positive = |reading: &mut Self, table: &str, key: &str, value: f64| {
            part(reading, table, key, value, 1e-9, 1e18)
        };
        let coin = Coin {
            price_usd: part(self, "coin", "price_usd", coin.price_usd, 1.0, 1e9),
            drift_per_year: part(
                self,
                "coin",
                "drift_percent_per_year",
                coin.drift_percent_per_year,
                -100.0,
                300.0,
            ) / 100.0,
            volatility_per_root_year: part(
                self,
                "coin",
                "volatility_percent",
                coin.volatility_percent,
                0.0,
                500.0,
            ) / 100.0,
            jumps_per_year: part(
                self,
                "coin",
                "jumps_per_year",
                coin.jumps_per_year,
                0.0,
                365.0,
            ),
            jump_mean: part(
                self,
                "coin",
                "jump_mean_percent",
                coin.jump_mean_percent,
                -100.0,
                100.0,
            ) / 100.0,
            jump_deviation: part(
                self,
                "coin",
                "jump_deviation_percent",
                coin.jump_deviation_percent,
                0.0,
                100.0,
            ) / 100.0,
        };
        let fees = &written.fees;
        let fees = Fees {
            mean_btc_per_block: part(
                self,
                "fees",
                "mean_btc_per_block",
                fees.mean_btc_per_block,
                0.0,
                100.0,
            ),
            reversion: Reversion::of(
                positive(self, "fees", "half_life_days", fees.half_life_days) / 365.25,
                part(
                    self,
                    "fees",
                    "deviation_percent",
                    fees.deviation_percent,
                    0.0,
                    500.0,
                ) / 100.0,
            ),
        };
        let network = &written.network;
        if network.height > 10_000_000 {
            let found = network.height.to_string();
            self.note(
                "futures.network.height",
                "up to 10000000",
                found,
                "check the digits",
            );
        }
        let network = Network {
            height: network.height,
            difficulty: part(
                self,
                "network",
                "difficulty",
                network.difficulty,
                // A plain number: 148.258 T is 1.48258e14.
                1e9,
                1e18,
            ),
            breakeven_usd_per_ph_day: positive(
                self,
                "network",
                "breakeven_usd_per_ph_day",
                network.breakeven_usd_per_ph_day,
            ),
            switch_off_share: part(
                self,
                "network",
                "switch_off_percent",
                network.switch_off_percent.unwrap_or(100.0),
                1.0,
                100.0,
            ) / 100.0,
            better_per_year: part(
                self,
                "network",
                "better_percent_per_year",
                network.better_percent_per_year,
                0.0,
                90.0,
            ) / 100.0,
            lag_up_days: part(
                self,
                "network",
                "lag_up_days",
                network.lag_up_days,
                1.0,
                3_650.0,
            ),
            lag_down_days: part(
                self,
                "network",
                "lag_down_days",
                network.lag_down_days,
                1.0,
                3_650.0,
            ),
        };
        let rental = &written.rental;
        let let_share = self.percent("futures.rental", "let_percent", rental.let_percent);
        let rental = Rental {
            price_usd_per_gpu_hour: positive(
                self,
                "rental",
                "price_usd_per_gpu_hour",
                rental.price_usd_per_gpu_hour,
            ),
            decline_per_year: part(
                self,
                "rental",
                "decline_percent_per_year",
                rental.decline_percent_per_year,
                -100.0,
                300.0,
            ) / 100.0,
            reversion: Reversion::of(
                positive(self, "rental", "half_life_days", rental.half_life_days)
                    / 365.25,
                part(
                    self,
                    "rental",
                    "deviation_percent",
                    rental.deviation_percent,
                    0.0,
                    500.0,
                ) / 100.0,
            ),
            launches_per_year: part(
                self,
                "rental",
                "launches_per_year",
                rental.launches_per_year,
                0.0,
                12.0,
            ),
            launch_fall: part(
                self,
                "rental",
                "launch_fall_percent",
                rental.launch_fall_percent,
                -100.0,
                300.0,
            ) / 100.0,
        };
        let failures = &written.failures;
        let failures = Failures {
            gpu_hours_per_incident: positive(
                self,
                "failures",
                "gpu_hours_per_incident",
                failures.gpu_hours_per_incident,
            ),
            gpus_per_incident: positive(
                self,
                "failures",
                "gpus_per_incident",
                failures.gpus_per_incident,
            ),
            repair_hours: part(
                self,
                "failures",
                "repair_hours",
                failures.repair_hours,
                0.0,
                8_760.0,
            ),
            counted: part(
                self,
                "failures",
                "counted_percent",
                failures.counted_percent,
                0.0,
                100.0,
            ) / 100.0,
            outages_per_year: part(
                self,
                "failures",
                "outages_per_year",
                failures.outages_per_year,
                0.0,
                365.0,
            ),
            outage_hours: part(
                self,
                "failures",
                "outage_hours",
                failures.outage_hours,
                0.0,
                8_760.0,
            ),
        };
        let correlation = written.delivery.correlation_percent;
        let mut escalators = Vec::new();
        for (name, index) in &written.indexes {
            let table = format!("indexes.{name}");
            let percent = index.percent_per_year;
            escalators.push(Escalator {
                name: name.clone(),
                value: part(self, &table, "value", index.value, 1e-3, 1e9),
                per_year: part(self, &table, "percent_per_year", percent, -50.0, 100.0)
                    / 100.0,
            });
        }
        let common = self.prices(file, sites, folder, hashed)?;
        let together = written.together.as_ref().map_or(0.0, |told| told.markets_percent);
        let markets_together =
            part(self, "together", "markets_percent", together, -100.0, 100.0) / 100.0;
        Some(Futures {
            coin,
            fees,
            network,
            power: common.power,
            power_days: common.days,
            rental,
            let_share,
            failures,
            together: self.together(written.together.as_ref())?,
            markets_together,
            escalators,
            delivery_correlation: part(
                self,
                "delivery",
                "correlation_percent",
                correlation,
                0.0,
                100.0,
            ) / 100.0,
        })
    }

    /// How factors move together; nothing where that cannot be.
    fn together(&mut self, written: Option<&written::Together>) -> Option<Copula> {
        let Some(written) = written else { return Some(Copula::APART) };
        let table = "futures.together";
        let mut told = [[0.0; FACTORS]; FACTORS];
        for (one, other, key, value) in [
            (1, 0, "coin_fees_percent", written.coin_fees_percent),
            (2, 0, "coin_power_percent", written.coin_power_percent),
            (3, 0, "coin_rent_percent", written.coin_rent_percent),
            (2, 1, "fees_power_percent", written.fees_power_percent),
            (3, 1, "fees_rent_percent", written.fees_rent_percent),
            (3, 2, "power_rent_percent", written.power_rent_percent),
        ] {
            told[one][other] = self.within(table, key, value, -99.0, 99.0) / 100.0;
        }
        let copula = Copula::of(&told);
        if copula.is_none() {
            self.note(
                table,
                "correlations that draws can have all at once",
                "some that contradict one another",
                "bring them nearer to nought: what moves with one thing moves with what that moves with",
            );
        }
        copula
    }

    /// How a price of power moves, as a table says.
    pub(super) fn power(
        &mut self,
        table: &str,
        written: &written::Power,
    ) -> Option<Power> {
        let mut calm = [[0.0; 24]; 12];
        let rows = &written.calm_usd_per_mwh;
        let shaped = rows.len() == 12 && rows.iter().all(|row| row.len() == 24);
        let above = rows.iter().flatten().all(|price| *price > 0.0 && *price < 10_000.0);
        if !shaped || !above {
            self.note(
                &format!("{table}.calm_usd_per_mwh"),
                "12 months of 24 prices above nought",
                format!("{} rows", rows.len()),
                "let `mw plan calibrate` write it from history",
            );
            return None;
        }
        for (month, row) in rows.iter().enumerate() {
            calm[month].copy_from_slice(row);
        }
        let regime = |reading: &mut Self, key: &str, begins: f64, ends: f64| Regime {
            begins_per_hour: reading.within(
                table,
                &format!("{key}.begins_percent_per_hour"),
                begins,
                0.0,
                50.0,
            ) / 100.0,
            ends_per_hour: reading.within(
                table,
                &format!("{key}.ends_percent_per_hour"),
                ends,
                0.1,
                100.0,
            ) / 100.0,
        };
        let (spike, low) = (&written.spike, &written.low);
        let mut spike_by_hour = [1.0; 24];
        if let Some(hours) = &spike.by_hour {
            if hours.len() != 24
                || hours.iter().any(|weight| !(0.0..=24.0).contains(weight))
            {
                self.note(
                    &format!("{table}.spike.by_hour"),
                    "24 weights of nought or more, about a mean of 1",
                    format!("{}", hours.len()),
                    "leave it out where every hour is alike",
                );
                return None;
            }
            spike_by_hour.copy_from_slice(hours);
        }
        let [least, most] = written.bounds_usd_per_mwh;
        if least.partial_cmp(&most) != Some(std::cmp::Ordering::Less) {
            self.note(
                &format!("{table}.bounds_usd_per_mwh"),
                "the least price, then the most",
                format!("{least}, {most}"),
                "turn them round",
            );
            return None;
        }
        let behind = written.behind_utc_hours;
        if !(-14..=14).contains(&behind) {
            let key = &format!("{table}.behind_utc_hours");
            self.note(key, "-14 to 14", behind.to_string(), "6 is Texas in winter");
            return None;
        }
        let power = Power {
            calm_usd_per_mwh: calm,
            behind_utc_hours: behind,
            level: self.level(table, &written.level),
            deviation: Reversion::of(
                self.within(
                    table,
                    "deviation.half_life_hours",
                    written.deviation.half_life_hours,
                    1e-3,
                    8_766.0,
                ) / HOURS_PER_YEAR,
                self.within(
                    table,
                    "deviation.deviation_percent",
                    written.deviation.deviation_percent,
                    0.0,
                    300.0,
                ) / 100.0,
            ),
            spike: regime(
                self,
                "spike",
                spike.begins_percent_per_hour,
                spike.ends_percent_per_hour,
            ),
            spike_by_hour,
            scarcity: self.scarcity(table, spike.rate.as_ref()),
            spike_logarithm: (
                ln(self.within(
                    table,
                    "spike.median_usd_per_mwh",
                    spike.median_usd_per_mwh,
                    1.0,
                    100_000.0,
                )),
                self.within(
                    table,
                    "spike.deviation_percent",
                    spike.deviation_percent,
                    0.0,
                    300.0,
                ) / 100.0,
            ),
            low: regime(
                self,
                "low",
                low.begins_percent_per_hour,
                low.ends_percent_per_hour,
            ),
            low_depth_usd_per_mwh: self.within(
                table,
                "low.depth_usd_per_mwh",
                low.depth_usd_per_mwh,
                0.0,
                10_000.0,
            ),
            bounds_usd_per_mwh: (least, most),
        };
        let Some(forward) = written.forward_usd_per_mwh else { return Some(power) };
        if let Some(starts) = written.level.starts_percent {
            self.note(
                &format!("{table}.level.starts_percent"),
                "no starts_percent beside forward_usd_per_mwh",
                starts.to_string(),
                "leave one of them out: a forward says where prices stand",
            );
            return None;
        }
        let rest = power.mean_usd_per_mwh();
        let scaled = power.at_forward(forward);
        if scaled.is_none() {
            self.note(
                &format!("{table}.forward_usd_per_mwh"),
                "more than spikes and lows alone come to",
                format!("{forward}, where the mean without it is {rest:.2}"),
                "raise it, or let spikes be rarer",
            );
        }
        let hours =
            scaled.iter().flat_map(|power| power.calm_usd_per_mwh.iter().flatten());
        let dearest = hours.copied().fold(0.0, f64::max);
        if dearest > most {
            self.note(
                &format!("{table}.forward_usd_per_mwh"),
                &format!("a mean whose hours stay within bounds_usd_per_mwh, {most} at most"),
                format!("{forward}, where the dearest calm hour would be at {dearest:.2}"),
                "lower it, or raise the bound: prices above it are cut off, and the mean with them",
            );
        }
        scaled
    }

    /// How the level of prices wanders, and from where.
    fn level(&mut self, table: &str, written: &written::Level) -> Level {
        let days = written.half_life_days;
        let days = self.within(table, "level.half_life_days", days, 1e-3, 36_500.0);
        let deviation = written.deviation_percent;
        let deviation =
            self.within(table, "level.deviation_percent", deviation, 0.0, 300.0);
        let starts = written.starts_percent.unwrap_or(100.0);
        let starts = self.within(table, "level.starts_percent", starts, 1.0, 1_000.0);
        Level {
            reversion: Reversion::of(days / 365.25, deviation / 100.0),
            starts: starts / 100.0,
        }
    }

    /// How the rate of spikes wanders; it stands still where nothing is said.
    fn scarcity(&mut self, table: &str, written: Option<&written::Wanders>) -> Reversion {
        let Some(written) = written else { return Reversion::of(1.0, 0.0) };
        let days = written.half_life_days;
        let days = self.within(table, "spike.rate.half_life_days", days, 1e-3, 36_500.0);
        let spread = written.deviation_percent;
        let spread =
            self.within(table, "spike.rate.deviation_percent", spread, 0.0, 300.0);
        Reversion::of(days / 365.25, spread / 100.0)
    }
}
