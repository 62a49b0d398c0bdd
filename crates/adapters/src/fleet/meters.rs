//! What is metered: the interconnection by its meter, loads by what their machines
//! say.
//!
//! Nothing is made up. An interval over which a machine was not seen has no reading of
//! its load, and one whose ends the meter did not show has none of the site.

use std::collections::BTreeMap;
use std::time::Duration;

use engine::site::{LoadIx, LoadKind, Rate};
use engine::{Reading, Site, Sweep, Work};
use tokio::time::Instant;
use units::{Energy, GpuSeconds, Hashes, Interval, Power, Pue, Seconds, Timestamp};

use crate::device::{Look, Quality};
use crate::meter::{Counter, Shown};

/// What a machine was seen at holds this long; after that nobody knows.
const SEEN_HOLDS: Duration = Duration::from_secs(120);

/// How long after its end an interval waits for the meter to show where it ended.
const METER_WITHIN: Seconds = Seconds::from_seconds(10);

/// How many intervals are kept for whoever asks later: a week of five minutes.
const KEPT: usize = 7 * 288;

/// What one machine draws and gives, counted from look to look.
#[derive(Clone, Copy, Debug)]
struct Gauge {
    counted: Instant,
    seen: Option<Instant>,
    draw: Option<Power>,
    /// What it gives a second: gigahashes, or millionths of a GPU-second.
    rate: Option<i64>,
    /// Watts times milliseconds, at the plug.
    energy: i128,
    /// Rate times milliseconds.
    work: i128,
    /// Whether it was not known for some of the time.
    gap: bool,
}

/// Every meter of a site.
#[derive(Debug)]
pub(super) struct Meters {
    gauges: Vec<Vec<Gauge>>,
    stored: Vec<Option<Energy>>,
    metering: Interval,
    length: Seconds,
    /// Where the registers stood when the interval began.
    began: Option<Registers>,
    /// Where they stood when it ended, once it has.
    ended: Option<Registers>,
    kept: BTreeMap<Timestamp, Sweep>,
}

#[derive(Clone, Copy, Debug)]
struct Registers {
    imported: Counter,
    exported: Option<Counter>,
}

impl Registers {
    fn of(shown: &Shown) -> Option<Self> {
        let imported = shown.imported?;
        let exported = shown.exported;
        let believed = imported.quality > Quality::Implausible
            && exported.is_none_or(|field| field.quality > Quality::Implausible);
        believed.then_some(Self {
            imported: imported.value,
            exported: exported.map(|field| field.value),
        })
    }

    /// Net energy since `earlier`, where both registers counted on.
    fn since(&self, earlier: &Self, exports: bool) -> Option<Energy> {
        let imported = self.imported.since(earlier.imported)?;
        match (self.exported, earlier.exported) {
            (Some(now), Some(before)) => Some(imported - now.since(before)?),
            (None, None) if !exports => Some(imported),
            (None | Some(_), None | Some(_)) => None,
        }
    }
}

impl Meters {
    pub(super) fn new(
        machines: impl Iterator<Item = usize>,
        at: Timestamp,
        now: Instant,
        length: Seconds,
    ) -> Self {
        let gauge = Gauge {
            counted: now,
            seen: None,
            draw: None,
            rate: None,
            energy: 0,
            work: 0,
            // What was before the first look nobody saw.
            gap: true,
        };
        let gauges: Vec<_> = machines.map(|count| vec![gauge; count]).collect();
        let start = at.floor(length);
        Self {
            stored: vec![None; gauges.len()],
            gauges,
            metering: Interval::starting(start, length),
            length,
            began: None,
            ended: None,
            kept: BTreeMap::new(),
        }
    }

    /// A machine was seen at a point of its curve, or a load that is one device.
    pub(super) fn seen(
        &mut self,
        site: &Site,
        (load, machine): (LoadIx, u32),
        point: u8,
        look: &Look,
        now: Instant,
    ) {
        let gauge = &mut self.gauges[load][machine as usize];
        gauge.count_on(now);
        gauge.seen = Some(now);
        gauge.draw = super::curve::draw(look);
        gauge.rate = match &site.loads[load].kind {
            LoadKind::Rigs(_) => look.hashrate.map(|rate| rate.value.as_ghs()),
            LoadKind::Racks(racks) => {
                let at = usize::from(point).checked_sub(1);
                let point = at.and_then(|at| racks.machines.points.get(at));
                let share = point.map(|point| match point.rate {
                    Rate::Throughput(share) => share.as_ppm(),
                    Rate::Hash(_) => 0,
                });
                Some(share.unwrap_or(0) * i64::from(racks.gpus_per_rack))
            }
            LoadKind::Battery(_) => {
                gauge.draw = look.draw.map(|draw| draw.value);
                self.stored[load] = look.stored.map(|stored| stored.value);
                Some(0)
            }
        };
    }

    /// What everything draws together by its own word, at the meter; `None` where one
    /// machine was not seen of late.
    pub(super) fn by_word(
        &self,
        now: Instant,
        pue: impl Fn(LoadIx) -> Pue,
    ) -> Option<Power> {
        let mut sum = Power::ZERO;
        for (load, gauges) in self.gauges.iter().enumerate() {
            let mut plug = Power::ZERO;
            for gauge in gauges {
                plug += gauge.draw.filter(|_| gauge.is_known(now))?;
            }
            sum += pue(load).at_meter(plug);
        }
        Some(sum)
    }

    /// The interconnection's meter was read at `at`.
    pub(super) fn shown(&mut self, shown: &Shown, at: Timestamp) {
        let Some(registers) = Registers::of(shown) else { return };
        if at >= self.metering.end {
            let in_time = at <= self.metering.end + METER_WITHIN;
            self.ended = self.ended.or(in_time.then_some(registers));
        } else if self.began.is_none() && at <= self.metering.start + METER_WITHIN {
            self.began = Some(registers);
        }
    }

    /// Ends the interval that is over, if it is. With a meter it waits a little for
    /// where that stood.
    pub(super) fn end_interval(
        &mut self,
        site: &Site,
        metered: bool,
        (at, now): (Timestamp, Instant),
        pue: impl Fn(LoadIx) -> Pue,
    ) -> Option<Sweep> {
        let end = self.metering.end;
        if at < end || (metered && self.ended.is_none() && at <= end + METER_WITHIN) {
            return None;
        }
        let exports = site.interconnection.export_limit > Power::ZERO;
        let (began, ended) = (self.began, self.ended.take());
        let sweep = Sweep {
            during: self.metering,
            site: ended
                .zip(began)
                .and_then(|(ended, began)| ended.since(&began, exports)),
            readings: (0..self.gauges.len())
                .filter_map(|load| self.reading(site, load, now, &pue))
                .collect(),
        };
        self.began = ended;
        self.metering = Interval::starting(at.floor(self.length), self.length);
        self.kept.insert(sweep.during.start, sweep.clone());
        while self.kept.len() > KEPT {
            self.kept.pop_first();
        }
        Some(sweep)
    }

    /// The intervals that began at `start` or later.
    pub(super) fn from(&self, start: Timestamp) -> Vec<Sweep> {
        self.kept.range(start..).map(|(_, sweep)| sweep.clone()).collect()
    }

    /// What a load's machines counted; `None` where one of them was not known all the
    /// time.
    fn reading(
        &mut self,
        site: &Site,
        load: LoadIx,
        now: Instant,
        pue: impl Fn(LoadIx) -> Pue,
    ) -> Option<Reading> {
        let (mut energy, mut work, mut gap) = (0, 0, false);
        for gauge in &mut self.gauges[load] {
            gauge.count_on(now);
            energy += std::mem::take(&mut gauge.energy);
            work += std::mem::take(&mut gauge.work);
            gap |= std::mem::take(&mut gauge.gap);
        }
        if gap {
            return None;
        }
        let at_meter = energy * i128::from(pue(load).as_ppm()) / 1_000_000 / 1_000;
        let work = work / 1_000;
        Some(Reading {
            load,
            energy: Energy::from_joules(i64::try_from(at_meter).ok()?),
            work: match &site.loads[load].kind {
                LoadKind::Rigs(_) => Work::Hashes(Hashes::from_gigahashes(work)),
                LoadKind::Racks(_) => Work::Gpu(GpuSeconds::from_seconds(
                    i64::try_from(work / 1_000_000).ok()?,
                )),
                LoadKind::Battery(_) => Work::Stored(self.stored[load]?),
            },
        })
    }
}

impl Gauge {
    fn is_known(&self, now: Instant) -> bool {
        self.seen.is_some_and(|seen| now <= seen + SEEN_HOLDS)
    }

    /// Counts what it was last seen at up to now.
    fn count_on(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.counted).as_millis();
        let passed = i128::try_from(passed).unwrap_or(0);
        match (self.is_known(now), self.draw, self.rate) {
            (true, Some(draw), Some(rate)) => {
                self.energy += i128::from(draw.as_watts()) * passed;
                self.work += i128::from(rate) * passed;
            }
            (true | false, Some(_) | None, Some(_) | None) => self.gap |= passed > 0,
        }
        self.counted = now;
    }
}
