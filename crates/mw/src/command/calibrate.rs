//! `mw plan calibrate`: what history says of a plan's futures, as a part of its file.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::PathBuf;

use adapters::history::{self, BitcoinDay, History};
use anyhow::{Context, bail};
use clap::Args;
use jiff::tz::TimeZone;
use settle::mining::subsidy;
use sim::scenario::blocks::PastDay;
use sim::scenario::calibrate::{self, Fit, TooShort};
use sim::scenario::maths::{exp, ln};
use sim::scenario::power::Power;
use sim::scenario::reversion::Reversion;
use sim::scenario::{DAYS_PER_YEAR, HOURS_PER_YEAR};
use units::{Seconds, Timestamp};

use super::Ending;
use super::backtest::print;
use crate::plan_file;

/// Show what a plan's futures would have to be to look like history, and how well they
/// do: the `[futures]` of a plan file, with everything that history does not say marked
/// as assumed.
///
/// Only what was known by `--as-of` is read.
#[derive(Debug, Args)]
pub(super) struct Calibrate {
    /// A folder of market and bitcoin history; may be given several times.
    #[arg(long, value_name = "DIR", required = true)]
    history: Vec<PathBuf>,
    /// The settlement point, such as HB_WEST.
    #[arg(long, value_name = "NAME")]
    point: String,
    /// The plan's date: nothing that became known later is read.
    #[arg(long, value_name = "TIME", value_parser = Timestamp::parse)]
    as_of: Timestamp,
    /// A file to write, of the days that were known: futures of power may be put together
    /// from them.
    #[arg(long, value_name = "FILE")]
    days: Option<PathBuf>,
}

/// How the level of power prices wanders from year to year: a few years do not show it.
/// Years of Texas averaged 28.25 (2017, the market monitor), 38 and 22 (2019 and 2020,
/// EIA) and 67 USD/MWh (2022, hub Houston): some 0.4 in logarithms, and it lasts.
const LEVEL_HALF_LIFE_DAYS: f64 = 365.0;
const LEVEL_DEVIATION: f64 = 0.40;

/// How many spikes a year has, likewise: 96, 65, 27 and 15 times a price above 200 USD/MWh
/// began at hub Houston from 2022 to 2025, some 0.8 in logarithms.
const SCARCITY_HALF_LIFE_DAYS: f64 = 365.0;
const SCARCITY_DEVIATION: f64 = 0.80;

impl Calibrate {
    pub(super) fn run(self) -> anyhow::Result<Ending> {
        let history = history::open(&self.history)?.assemble(&self.point, None)?;
        let mut text = format!(
            "# Calibrated on what was known by {} of {} and bitcoin, by `mw plan calibrate`.\n\
             # \"history, model\" says what was matched, and how well.\n",
            self.as_of, history.point
        );
        self.bitcoin(&history, &mut text)?;
        self.power(&history, &mut text)?;
        if let Some(file) = &self.days {
            let days = self.past_days(&history)?;
            std::fs::write(file, plan_file::write_days(&days))
                .with_context(|| format!("cannot write the days {}", file.display()))?;
            eprintln!("Wrote {} days to {}", days.len(), file.display());
        }
        text += ASSUMED;
        print(&text)?;
        Ok(Ending::Well)
    }

    fn bitcoin(&self, history: &History, text: &mut String) -> anyhow::Result<()> {
        let known: Vec<_> =
            history.bitcoin.iter().filter(|day| day.known_at <= self.as_of).collect();
        let Some(last) = known.last() else {
            bail!(
                "expected bitcoin days known by {}, found none; add a folder that has them",
                self.as_of
            )
        };
        let prices: Vec<f64> =
            known.iter().map(|day| day.price.as_micro_usd() as f64 / 1e6).collect();
        let (coin, fits) =
            calibrate::coin(&prices, 0.0).map_err(|e| short("bitcoin days", e))?;
        write!(
            text,
            "\n[futures.coin]\nprice_usd = {:.2}\ndrift_percent_per_year = 0          # assumed: a past rise is no forecast\n\
             volatility_percent = {:.1}\njumps_per_year = {:.1}\njump_mean_percent = {:.2}\njump_deviation_percent = {:.2}\n",
            coin.price_usd,
            coin.volatility_per_root_year * 100.0,
            coin.jumps_per_year,
            coin.jump_mean * 100.0,
            coin.jump_deviation * 100.0,
        )?;
        show(text, &fits)?;

        // The subsidy is what a whole number of halvings leaves of fifty coins.
        let height = history::height_about(last.day.start);
        let halved = subsidy(height).as_satoshis();
        let paid: Vec<f64> = known
            .iter()
            .map(|day| {
                let subsidy = subsidy(history::height_about(day.day.start)).as_satoshis();
                (day.reward.as_satoshis() - subsidy) as f64 / 1e8
            })
            .collect();
        let recent = &paid[paid.len().saturating_sub(730)..];
        let (fees, fits) =
            calibrate::fees(recent).map_err(|e| short("days of fees", e))?;
        write!(
            text,
            "\n[futures.fees]                          # the last two years\nmean_btc_per_block = {:.5}\nhalf_life_days = {:.1}\ndeviation_percent = {:.1}\n",
            fees.mean_btc_per_block,
            std::f64::consts::LN_2 / fees.reversion.pull_per_year * DAYS_PER_YEAR,
            fees.reversion.deviation() * 100.0,
        )?;
        show(text, &fits)?;
        let hashprices: Vec<f64> = known
            .iter()
            .map(|day| day.hashprice.as_micro_usd_per_ph_day() as f64 / 1e6)
            .collect();
        let breakeven = calibrate::breakeven(&hashprices)
            .map_err(|e| short("days of hashprice", e))?;
        write!(
            text,
            "\n[futures.network]\nheight = {height}                       # about, at 144 blocks a day; its subsidy is {:.4} BTC\n\
             difficulty = {:.4e}\nbreakeven_usd_per_ph_day = {breakeven:.2}      # assumed: free entry holds hashprice below; the middle of the last half year\n\
             switch_off_percent = 55                 # assumed: a machine of 30 J/TH burns 36 USD/PH/day at 50 USD/MWh\n\
             better_percent_per_year = 16            # assumed: a hash costs half after about four years\n\
             lag_up_days = 180                       # assumed: machines are built over 4 to 9 months\n\
             lag_down_days = 45                      # assumed: and switched off over weeks\n",
            halved as f64 / 1e8,
            last.difficulty.as_whole() as f64,
        )?;
        Ok(())
    }

    /// The whole days of the market's clock that were known, with what the coin moved by
    /// on the UTC day of the same date. A day that lacks either is left out.
    fn past_days(&self, history: &History) -> anyhow::Result<Vec<PastDay>> {
        let behind = behind_utc(history.market.zone, self.as_of)?;
        let known: Vec<_> =
            history.bitcoin.iter().filter(|day| day.known_at <= self.as_of).collect();
        let moves: BTreeMap<i64, f64> = known
            .windows(2)
            .filter(|pair| pair[0].day.end == pair[1].day.start)
            .map(|pair| {
                let usd = |day: &BitcoinDay| day.price.as_micro_usd() as f64;
                let day = pair[1].day.start.as_unix_seconds() / 86_400;
                (day, ln(usd(pair[1]) / usd(pair[0])))
            })
            .collect();
        let mut by_day: BTreeMap<i64, Vec<f64>> = BTreeMap::new();
        for (at, price) in hourly(history, self.as_of) {
            let hour = at.as_unix_seconds().div_euclid(3_600) - behind;
            by_day.entry(hour.div_euclid(24)).or_default().push(price);
        }
        let whole = by_day.into_iter().filter_map(|(day, prices)| {
            let usd_per_mwh = <[f64; 24]>::try_from(prices).ok()?;
            Some(PastDay { day, usd_per_mwh, coin_move: Some(*moves.get(&day)?) })
        });
        Ok(whole.collect())
    }

    fn power(&self, history: &History, text: &mut String) -> anyhow::Result<()> {
        let hours = hourly(history, self.as_of);
        let behind = behind_utc(history.market.zone, self.as_of)?;
        let level = Reversion::of(LEVEL_HALF_LIFE_DAYS / DAYS_PER_YEAR, LEVEL_DEVIATION);
        let half_life = SCARCITY_HALF_LIFE_DAYS / DAYS_PER_YEAR;
        let scarcity = Reversion::of(half_life, SCARCITY_DEVIATION);
        let usd = |price: Option<units::EnergyPrice>, otherwise: f64| {
            price.map_or(otherwise, |price| price.as_micro_usd_per_mwh() as f64 / 1e6)
        };
        let bounds = (
            usd(history.market.floor(self.as_of), -1_000.0),
            usd(history.market.cap(self.as_of), 10_000.0),
        );
        let (power, fits) =
            calibrate::power(&hours, behind, (level, scarcity), bounds)
                .map_err(|error| short("whole hours of settlement prices", error))?;
        write_power(text, &power)?;
        show(text, &fits)
    }
}

fn short(what: &str, error: TooShort) -> anyhow::Error {
    anyhow::anyhow!(
        "expected at least {} {what} known by then, found {}; add history, or state the \
         figures by hand",
        error.expected,
        error.found
    )
}

/// The settlement prices of whole hours that were known by then.
fn hourly(history: &History, as_of: Timestamp) -> Vec<(Timestamp, f64)> {
    let hour = Seconds::hours(1);
    let known = history.settlement.iter().filter(|one| one.known_at <= as_of);
    let mut hours: Vec<(Timestamp, f64, i64)> = Vec::new();
    for one in known {
        let at = one.during.start.floor(hour);
        let seconds = one.during.duration().as_seconds();
        let usd = one.price.as_micro_usd_per_mwh() as f64 / 1e6 * seconds as f64;
        match hours.last_mut() {
            Some(last) if last.0 == at => {
                last.1 += usd;
                last.2 += seconds;
            }
            Some(_) | None => hours.push((at, usd, seconds)),
        }
    }
    let whole = hours.into_iter().filter(|hour| hour.2 == 3_600);
    whole.map(|(at, usd, seconds)| (at, usd / seconds as f64)).collect()
}

/// How far a market's standard time is behind UTC, in whole hours.
fn behind_utc(zone: &str, at: Timestamp) -> anyhow::Result<i64> {
    let rules = TimeZone::get(zone)
        .with_context(|| format!("cannot find the time zone {zone}"))?;
    let winter = jiff::civil::date(at.utc_date().0, 1, 15);
    let at = winter.to_zoned(rules).context("a day in winter")?;
    Ok(-i64::from(at.offset().seconds()) / 3_600)
}

fn show(text: &mut String, fits: &[Fit]) -> anyhow::Result<()> {
    for fit in fits {
        writeln!(text, "# {}: {:.4}, {:.4}", fit.figure, fit.history, fit.model)?;
    }
    Ok(())
}

fn write_power(text: &mut String, power: &Power) -> anyhow::Result<()> {
    let half_life =
        |reversion: &Reversion| std::f64::consts::LN_2 / reversion.pull_per_year;
    writeln!(text, "\n[futures.power]\nbehind_utc_hours = {}", power.behind_utc_hours)?;
    writeln!(text, "# By month, and hour of the market's day.\ncalm_usd_per_mwh = [")?;
    for month in &power.calm_usd_per_mwh {
        let row: Vec<String> = month.iter().map(|price| format!("{price:.1}")).collect();
        writeln!(text, "  [{}],", row.join(", "))?;
    }
    let list = |values: &[f64]| {
        values.iter().map(|value| format!("{value:.2}")).collect::<Vec<_>>().join(", ")
    };
    write!(
        text,
        "]\n# assumed: a few years do not show how fuel wanders; ERCOT's did by some 40 %\n\
         # and of the last ninety days beside the same season of all years: where it starts\n\
         level = {{ half_life_days = {:.0}, deviation_percent = {:.0}, starts_percent = {:.0} }}\n\
         deviation = {{ half_life_hours = {:.2}, deviation_percent = {:.1} }}\n\
         low = {{ begins_percent_per_hour = {:.4}, ends_percent_per_hour = {:.2}, depth_usd_per_mwh = {:.2} }}\n\
         bounds_usd_per_mwh = [{:?}, {:?}]\n\n[futures.power.spike]\n\
         begins_percent_per_hour = {:.4}\nends_percent_per_hour = {:.2}\n\
         median_usd_per_mwh = {:.1}\ndeviation_percent = {:.1}\nby_hour = [{}]\n\
         # assumed: years of hub Houston had from 15 to 96 spikes\n\
         rate = {{ half_life_days = {:.0}, deviation_percent = {:.0} }}\n",
        half_life(&power.level.reversion) * DAYS_PER_YEAR,
        power.level.reversion.deviation() * 100.0,
        power.level.starts * 100.0,
        half_life(&power.deviation) * HOURS_PER_YEAR,
        power.deviation.deviation() * 100.0,
        power.low.begins_per_hour * 100.0,
        power.low.ends_per_hour * 100.0,
        power.low_depth_usd_per_mwh,
        power.bounds_usd_per_mwh.0,
        power.bounds_usd_per_mwh.1,
        power.spike.begins_per_hour * 100.0,
        power.spike.ends_per_hour * 100.0,
        exp(power.spike_logarithm.0),
        power.spike_logarithm.1 * 100.0,
        list(&power.spike_by_hour),
        half_life(&power.scarcity) * DAYS_PER_YEAR,
        power.scarcity.deviation() * 100.0,
    )?;
    Ok(())
}

/// What no history says.
const ASSUMED: &str = r"
# Assumed throughout: no series of these machines exists. H100 went from 7 to 12 USD in
# 2023 to 1.70 in October 2025 and 2.35 in March 2026 (public trackers).
[futures.rental]
price_usd_per_gpu_hour = 3.00
decline_percent_per_year = 15
half_life_days = 60
deviation_percent = 20
launches_per_year = 0.5
launch_fall_percent = 20
let_percent = 80

# One interruption in 50 677 GPU-hours: 419 in 54 days on 16 384 H100, arXiv 2407.21783.
# The rest is assumed.
[futures.failures]
gpu_hours_per_incident = 50677
gpus_per_incident = 4
repair_hours = 12
counted_percent = 100
outages_per_year = 0.5
outage_hours = 6

[futures.delivery]
correlation_percent = 50                # assumed: one supplier
";
