//! From a catalog to the series of one settlement point, as a driver wants them.

use std::collections::BTreeSet;

use engine::{Forecast, Known, Source};
use units::{EnergyPrice, GpuHourPrice, Interval, Power, Share, Temperature};

use super::bitcoin::BitcoinDay;
use super::catalog::{Catalog, Series};
use super::currency;
use super::draft::{Key, SeriesKind, Step};
use super::error::HistoryError;
use super::forecast;
use super::market::{self, Currency, DayAheadClock, MARKETS, MarketRules};
use super::note::{Note, NoteKind, counted, duration_text};
use super::settlement::{Derivation, Priced, Settled, settle};
use super::spell::{Gaps, Spell, at, believed, during, finest, gaps, joined, listed};

/// The history of one settlement point: UTC series, sorted and not overlapping.
#[derive(Clone, Debug)]
pub struct History {
    /// The rules of its market.
    pub market: &'static MarketRules,
    /// The settlement point.
    pub point: String,
    /// Dispatch prices, known when their interval starts.
    pub lmp: Vec<Known<EnergyPrice>>,
    /// Settlement prices, known when their interval ends.
    pub settlement: Vec<Settled>,
    /// Day-ahead prices, known the day before.
    pub day_ahead: Vec<Known<EnergyPrice>>,
    /// Bitcoin days, known when they end.
    pub bitcoin: Vec<BitcoinDay>,
    /// Outside air temperature, known when its interval ends.
    pub temperature: Vec<Known<Temperature>>,
    /// The system's forecast demand, known when the day-ahead prices are.
    pub demand_forecast: Vec<Known<Power>>,
    /// How likely intervals are to be coincident peaks, known when they start.
    pub peak_probability: Vec<Known<Share>>,
    /// Price forecasts, each with when it was known.
    pub price_forecasts: Vec<Forecast>,
    /// What was offered for a GPU-hour, in the order it became known.
    pub spot_offers: Vec<Known<GpuHourPrice>>,
    /// The coincident peaks that were published.
    pub coincident_peaks: Vec<Interval>,
    /// What was odd in the files used, and what was chosen.
    pub notes: Vec<Note>,
}

/// One series as judged by the rules in force.
struct Judged<'c> {
    key: &'c Key,
    spells: Vec<Spell>,
}

impl Catalog {
    /// The history of `point`, in any case, in `market` where one is named.
    pub fn assemble(
        &self,
        point: &str,
        market: Option<&str>,
    ) -> Result<History, HistoryError> {
        let asked = match market {
            Some(name) => Some(market::named(name).ok_or_else(|| {
                HistoryError::MarketNotKnown {
                    asked: name.to_owned(),
                    known: MARKETS
                        .iter()
                        .map(|known| known.name)
                        .collect::<Vec<_>>()
                        .join(", "),
                }
            })?),
            None => None,
        };
        let mut chosen = Vec::new();
        let (point, home) = self.home_of(point, asked, &mut chosen)?;
        let rules = asked.unwrap_or(home);
        let judged = self.judged(&point, home, rules, &mut chosen);
        let mut draft = Assembly { rules, point: &point, notes: chosen };
        let lmp = draft.lay(&judged, SeriesKind::Lmp);
        let day_ahead = draft.lay(&judged, SeriesKind::DayAhead);
        let temperature = draft.lay(&judged, SeriesKind::Temperature);
        let demand = draft.lay(&judged, SeriesKind::DemandForecast);
        let probability = draft.lay(&judged, SeriesKind::PeakProbability);
        let peaks = draft.lay(&judged, SeriesKind::CoincidentPeak);
        let settlement = draft.settlement(&judged, &lmp);
        draft.note_currency(lmp.iter().chain(&day_ahead));
        draft
            .note_gaps("bitcoin day", self.bitcoin.iter().map(|day| seconds_of(day.day)));
        draft.note_lags(!day_ahead.is_empty(), !demand.is_empty());

        let price =
            |spell: &Spell| currency::to_usd(rules.currency, spell.start, spell.value);
        let mut clock = DayAheadClock::new(rules);
        let mut demand_clock = DayAheadClock::new(rules);
        let price_forecasts = forecast::curves(
            &self.forecasts,
            &point,
            rules,
            &self.names,
            &mut draft.notes,
        );
        let mut notes = self.notes_of(&judged);
        notes.extend(draft.notes);
        Ok(History {
            market: rules,
            lmp: lmp.iter().map(|s| known(s, price(s), s.start, Source::Lmp)).collect(),
            settlement,
            day_ahead: day_ahead
                .iter()
                .map(|s| known(s, price(s), clock.out_for(s.start), Source::DayAhead))
                .collect(),
            bitcoin: self.bitcoin.clone(),
            temperature: temperature
                .iter()
                .map(|s| {
                    let value = Temperature::from_millidegrees(s.value);
                    known(s, value, s.end, Source::Weather)
                })
                .collect(),
            demand_forecast: demand
                .iter()
                .map(|s| {
                    let out = demand_clock.out_for(s.start);
                    known(s, Power::from_watts(s.value), out, Source::SystemForecast)
                })
                .collect(),
            peak_probability: probability
                .iter()
                .map(|s| {
                    known(s, Share::from_ppm(s.value), s.start, Source::SystemForecast)
                })
                .collect(),
            price_forecasts,
            spot_offers: self.spot_offers.clone(),
            coincident_peaks: peaks.iter().map(|s| during(s.start, s.end)).collect(),
            notes,
            point,
        })
    }

    /// The point as the history spells it, and the market its series are in.
    fn home_of(
        &self,
        point: &str,
        asked: Option<&'static MarketRules>,
        notes: &mut Vec<Note>,
    ) -> Result<(String, &'static MarketRules), HistoryError> {
        let priced: Vec<(&Key, &Series)> =
            self.series.iter().filter(|(key, _)| key.kind.is_price()).collect();
        if priced.is_empty() {
            let folders: Vec<String> = self
                .folders
                .iter()
                .map(|folder| format!("`{}`", folder.display()))
                .collect();
            return Err(HistoryError::NoPrices(folders.join(", ")));
        }
        let found: Vec<(&Key, &Series)> = priced
            .iter()
            .filter(|(key, _)| key.point.eq_ignore_ascii_case(point))
            .copied()
            .collect();
        let Some((first, _)) = found.first() else {
            let points: BTreeSet<&str> =
                priced.iter().map(|(key, _)| key.point.as_str()).collect();
            return Err(HistoryError::PointNotFound {
                point: point.to_owned(),
                points: nearest_first(point, points.into_iter()),
            });
        };
        let spelled = first.point.clone();
        let mut markets: Vec<(&'static str, bool)> = Vec::new();
        for (key, series) in &found {
            match markets.iter_mut().find(|known| known.0 == key.market) {
                Some(known) => known.1 |= series.market_stated,
                None => markets.push((key.market, series.market_stated)),
            }
        }
        // A market that a file states comes before one that was guessed.
        markets.sort_by_key(|market| !market.1);
        let names: Vec<&str> = markets.iter().map(|market| market.0).collect();
        let names = names.join(" and ");
        let home = match asked {
            Some(asked) if markets.iter().any(|market| market.0 == asked.name) => asked,
            Some(asked) if markets[0].1 => {
                return Err(HistoryError::PointInOtherMarket {
                    point: spelled,
                    asked: asked.name.to_owned(),
                    found: names,
                });
            }
            Some(asked) => {
                notes.push(note(
                    &spelled,
                    NoteKind::Assumed,
                    format!(
                        "nothing in the files says that {spelled} belongs to {names}"
                    ),
                    format!("taken as {}, as asked", asked.name),
                ));
                market::known(markets[0].0)
            }
            None => {
                if markets.len() > 1 {
                    notes.push(note(
                        &spelled,
                        NoteKind::Overlap,
                        format!("{spelled} is in {names}"),
                        format!("{} is used; name a market for another", markets[0].0),
                    ));
                }
                market::known(markets[0].0)
            }
        };
        Ok((spelled, home))
    }

    /// The point's series and those that serve every point, without values that
    /// cannot be right.
    fn judged(
        &self,
        point: &str,
        home: &'static MarketRules,
        rules: &'static MarketRules,
        notes: &mut Vec<Note>,
    ) -> Vec<Judged<'_>> {
        self.series
            .iter()
            .filter(|(key, _)| {
                let here = key.market == home.name || key.market == rules.name;
                match key.point.as_str() {
                    "" => key.market.is_empty() || here,
                    name => name == point && key.market == home.name,
                }
            })
            .map(|(key, series)| {
                let spells = believed(key, &series.spells, rules, &self.names, notes);
                Judged { key, spells }
            })
            .collect()
    }

    /// The notes of the files that gave values to these series, without those
    /// about other points and those that judging has made anew.
    fn notes_of(&self, judged: &[Judged<'_>]) -> Vec<Note> {
        let mut of_series: BTreeSet<&str> = BTreeSet::new();
        for judged in judged {
            let files = self.series[judged.key].spells.iter().map(|spell| spell.file);
            let files: BTreeSet<u32> = files.collect();
            of_series
                .extend(files.iter().map(|file| self.names[*file as usize].as_str()));
        }
        let beside_prices: BTreeSet<&str> = self
            .bitcoin_files
            .union(&self.offer_files)
            .map(|file| self.names[*file as usize].as_str())
            .collect();
        let point =
            judged.iter().map(|judged| judged.key.point.as_str()).find(|p| !p.is_empty());
        let judged_anew =
            |kind| matches!(kind, NoteKind::BeyondCap | NoteKind::Quarantined);
        self.notes
            .iter()
            .filter(|note| match note.file.as_deref() {
                Some(file) if of_series.contains(file) => {
                    let about =
                        note.point.as_deref().is_none_or(|about| Some(about) == point);
                    about && !judged_anew(note.kind)
                }
                Some(file) => beside_prices.contains(file),
                None => true,
            })
            .cloned()
            .collect()
    }
}

/// What an assembly decides as it goes.
struct Assembly<'p> {
    rules: &'static MarketRules,
    point: &'p str,
    notes: Vec<Note>,
}

impl Assembly<'_> {
    fn note(&mut self, kind: NoteKind, message: String, treatment: String) {
        self.notes.push(note(self.point, kind, message, treatment));
    }

    /// The finest of the series of a kind at each time, with a note of what
    /// gave way and of the gaps.
    fn lay(&mut self, judged: &[Judged<'_>], kind: SeriesKind) -> Vec<Spell> {
        let found = finest(of_kind(judged, kind));
        if !found.gave_way.is_empty() {
            self.note(
                NoteKind::Overlap,
                format!("{kind} series overlap: {}", listed(&found.gave_way)),
                "the finest series wins".to_owned(),
            );
        }
        if kind != SeriesKind::CoincidentPeak {
            let stretches = found.spells.iter().map(|spell| (spell.start, spell.end));
            self.note_gaps(&kind.to_string(), stretches);
        }
        found.spells
    }

    fn settlement(&mut self, judged: &[Judged<'_>], lmp: &[Spell]) -> Vec<Settled> {
        let rules = self.rules;
        let priced = |spell: &Spell| Priced {
            start: spell.start,
            end: spell.end,
            price: currency::to_usd(rules.currency, spell.start, spell.value),
        };
        let published = of_kind(judged, SeriesKind::Settlement);
        self.note_currency(published.iter().flatten());
        let published: Vec<Vec<Priced>> =
            published.iter().map(|series| series.iter().map(priced).collect()).collect();
        let lmp: Vec<Priced> = lmp.iter().map(priced).collect();
        // A market whose interval is not known settles on what the history has.
        let own =
            published.iter().flatten().map(|priced| priced.end - priced.start).min();
        let found = settle(&published, &lmp, |start| {
            let known = rules.settlement_interval(at(start));
            known.map_or(own.unwrap_or(900), units::Seconds::as_seconds)
        });
        if !found.gave_way.is_empty() {
            self.note(
                NoteKind::Overlap,
                format!("settlement prices overlap: {}", listed(&found.gave_way)),
                "the finest wins; a mean over a longer interval gives way".to_owned(),
            );
        }
        for (derivation, what, treatment) in [
            (
                Derivation::MeanLmp,
                "from the time-weighted mean of dispatch prices over the interval",
                if rules.settles_on_dispatch_mean {
                    "that mean is the market's own rule"
                } else {
                    "marked as derived; the market's own price also carries adders"
                },
            ),
            (
                Derivation::HourlyMean,
                "from a published mean over a longer interval",
                "marked as derived; known when the longer interval ends",
            ),
        ] {
            let of_kind = found.prices.iter().filter(|price| price.derived == derivation);
            let stretches: Vec<(i64, i64)> =
                of_kind.map(|p| seconds_of(p.during)).collect();
            if !stretches.is_empty() {
                let count = counted(stretches.len(), "settlement price");
                self.note(
                    NoteKind::Derived,
                    format!("{count} {what}: {}", listed(&joined(stretches))),
                    treatment.to_owned(),
                );
            }
        }
        if !found.too_thin.is_empty() {
            let count = counted(found.too_thin.len(), "settlement interval");
            self.note(
                NoteKind::Gap,
                format!(
                    "{count} with dispatch prices for less than two thirds: {}",
                    listed(&joined(found.too_thin))
                ),
                "without a settlement price".to_owned(),
            );
        }
        self.note_gaps(
            "settlement price",
            found.prices.iter().map(|p| seconds_of(p.during)),
        );
        found.prices
    }

    fn note_gaps(&mut self, what: &str, stretches: impl IntoIterator<Item = (i64, i64)>) {
        let Gaps { count, seconds, longest } = gaps(stretches);
        let Some((from, to)) = longest else { return };
        self.note(
            NoteKind::Gap,
            format!(
                "{what}: {}, {} in all, the longest {}",
                counted(count, "gap"),
                duration_text(seconds),
                during(from, to)
            ),
            "missing; nothing is put in their place".to_owned(),
        );
    }

    fn note_currency<'s>(&mut self, prices: impl Iterator<Item = &'s Spell>) {
        let rules = self.rules;
        if rules.currency == Currency::Usd {
            return;
        }
        let rates: BTreeSet<(i64, i64)> = prices
            .filter_map(|spell| currency::rate(rules.currency, spell.start))
            .collect();
        for (year, rate) in rates {
            let message = format!("prices are in {}", rules.currency);
            let rate = units::decimal::text(i128::from(rate), 3, 3);
            let treatment = format!(
                "turned into USD at {rate} a dollar, the IRS's yearly average of {year}"
            );
            let known = |note: &Note| {
                note.kind == NoteKind::Currency && note.treatment == treatment
            };
            if !self.notes.iter().any(known) {
                self.note(NoteKind::Currency, message, treatment);
            }
        }
    }

    fn note_lags(&mut self, day_ahead: bool, demand: bool) {
        let what = match (day_ahead, demand) {
            (true, true) => "day-ahead prices and demand forecasts",
            (true, false) => "day-ahead prices",
            (false, true) => "demand forecasts",
            (false, false) => return,
        };
        self.note(
            NoteKind::Assumed,
            format!("{what} do not say when they were published"),
            format!("taken as known at {}", self.rules.day_ahead_known()),
        );
    }
}

fn note(point: &str, kind: NoteKind, message: String, treatment: String) -> Note {
    Note {
        file: None,
        row: None,
        point: Some(point.to_owned()),
        kind,
        message,
        treatment,
    }
}

fn seconds_of(interval: Interval) -> (i64, i64) {
    (interval.start.as_unix_seconds(), interval.end.as_unix_seconds())
}

/// The series of a kind, the finest first.
fn of_kind(judged: &[Judged<'_>], kind: SeriesKind) -> Vec<Vec<Spell>> {
    let mut found: Vec<(Step, Vec<Spell>)> = judged
        .iter()
        .filter(|judged| judged.key.kind == kind)
        .map(|judged| (judged.key.step, judged.spells.clone()))
        .collect();
    found.sort_by_key(|(step, _)| *step);
    found.into_iter().map(|(_, spells)| spells).collect()
}

fn known<T>(spell: &Spell, value: T, known_at: i64, source: Source) -> Known<T> {
    Known {
        value,
        during: during(spell.start, spell.end),
        known_at: at(known_at),
        source,
    }
}

/// Names by how few letters must change to get the wanted one.
fn nearest_first<'n>(wanted: &str, names: impl Iterator<Item = &'n str>) -> Vec<String> {
    let wanted = wanted.to_ascii_uppercase();
    let mut names: Vec<(usize, &str)> =
        names.map(|name| (distance(&wanted, &name.to_ascii_uppercase()), name)).collect();
    names.sort();
    names.into_iter().map(|(_, name)| name.to_owned()).collect()
}

/// How many letters must be put in, taken out or changed.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let change = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = change.min(row[j] + 1).min(row[j + 1] + 1);
        }
    }
    row[b.len()]
}
