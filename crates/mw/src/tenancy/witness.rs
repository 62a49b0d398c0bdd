//! What happened on a simulated site, as facts: racks accepted, stopped, held lower
//! and started, what was used, metered and paid.
//!
//! A rack is a unit, or a block of units where the contract counts blocks. Racks of a
//! load run in order: the first of them are the last to stop. What went on before the
//! run is known from facts that were given; without any it is assumed that a tranche
//! was accepted and paid ahead on the days agreed.

use std::collections::BTreeSet;

use engine::site::{LoadIx, LoadKind, Machines, Racks, Tranche};
use engine::{MeteredInterval, Setpoint, Site, Work};
use serde_json::{Value, json};
use settle::contract::{Basis, Contract, PowerMode, Quantity, Versions};
use settle::exact::Exact;
use settle::facts::{Body, Facts, Purpose, Size};
use settle::prepayment::agreed;
use units::{EnergyPrice, Interval, Seconds, Timestamp};

/// A site begins at rest, and comes up within its ramps. Racks that ran in full by then
/// did so all along; the others stood from the beginning where they stand then.
const BEGINS_WITHIN: Seconds = Seconds::minutes(15);

/// What the record names as its source.
const SOURCE: &str = "simulated site";

/// Where a load was put, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moved {
    /// When.
    pub at: Timestamp,
    /// Which load.
    pub load: LoadIx,
    /// To what.
    pub to: Setpoint,
}

/// Writes down what happens on a simulated site under its contracts.
#[derive(Debug)]
pub struct Witness {
    site: Site,
    start: Timestamp,
    served: Vec<Served>,
    /// What is to be said when its time comes, earliest first.
    to_come: Vec<(Timestamp, Told)>,
    last_seq: u64,
    source_seq: u64,
    stops: u64,
    /// When the last fact became known.
    known: Timestamp,
    /// Everything written since it was last taken.
    fresh: String,
}

/// One load that serves a tranche.
#[derive(Debug)]
struct Served {
    load: LoadIx,
    tranche: Tranche,
    contract: Contract,
    /// The units of each rack.
    racks: Vec<Vec<Unit>>,
    /// The point each rack runs at, 0 at rest; `None` until it first ran in full.
    points: Vec<Option<usize>>,
    /// The same of those that did not yet.
    coming_up: Vec<usize>,
    accepted: bool,
    /// GPU-seconds used since the month began, or the run.
    used: i64,
    used_from: Timestamp,
    /// Joules metered and not yet written down as whole watt-hours.
    joules: i64,
}

#[derive(Clone, Debug)]
struct Unit {
    name: String,
    size: i64,
    domain: Option<String>,
}

/// A fact in the making.
#[derive(Clone, Debug)]
enum Told {
    /// A tranche is paid ahead.
    Paid { served: usize },
    /// A load's racks are accepted for their tranche.
    Accepted { served: usize },
}

impl Witness {
    /// A witness of a run of `site` over `range`, after the facts given.
    pub fn new(
        site: &Site,
        contracts: &[Versions],
        given: &Facts,
        range: Interval,
    ) -> Self {
        let last = given.all().last();
        let mut witness = Self {
            site: site.clone(),
            start: range.start,
            served: Vec::new(),
            to_come: Vec::new(),
            last_seq: last.map_or(0, |fact| fact.seq),
            source_seq: 0,
            stops: 0,
            known: last.map_or(Timestamp::from_unix_seconds(0), |fact| fact.known_at),
            fresh: String::new(),
        };
        for (load, shape) in site.loads.iter().enumerate() {
            let LoadKind::Racks(racks) = &shape.kind else { continue };
            let Some(tranche) = racks.tranche() else { continue };
            let of = |one: &&Versions| one.first().id == tranche.contract;
            if let Some(versions) = contracts.iter().find(of) {
                witness.serve(load, racks, tranche, versions, given);
            }
        }
        witness.share_out(given);
        witness.plan(given, range);
        witness
    }

    fn serve(
        &mut self,
        load: LoadIx,
        racks: &Racks,
        tranche: &Tranche,
        versions: &Versions,
        given: &Facts,
    ) {
        let mut latest = versions.all().iter().rev();
        let contract = latest.find(|one| one.tranche(&tranche.id).is_some());
        let Some(contract) = contract else { return };
        let count = racks.machines.count as usize;
        self.served.push(Served {
            load,
            tranche: tranche.clone(),
            contract: contract.clone(),
            racks: vec![Vec::new(); count],
            points: vec![None; count],
            coming_up: vec![0; count],
            accepted: accepted_in(given, tranche).next().is_some(),
            used: 0,
            used_from: self.start,
            joules: 0,
        });
    }

    /// Gives each rack its units: those that were accepted, in their order, or its own.
    fn share_out(&mut self, given: &Facts) {
        let tranches: BTreeSet<Tranche> =
            self.served.iter().map(|served| served.tranche.clone()).collect();
        for tranche in tranches {
            let mut known: Vec<Unit> = Vec::new();
            for unit in accepted_in(given, &tranche) {
                if !known.iter().any(|other| other.name == unit.name) {
                    known.push(unit);
                }
            }
            let of = |served: &&mut Served| served.tranche == tranche;
            let racks: usize = self
                .served
                .iter()
                .filter(|served| served.tranche == tranche)
                .map(|served| served.racks.len())
                .sum();
            let mut place = 0;
            for served in self.served.iter_mut().filter(of) {
                let name = self.site.loads[served.load].name.clone();
                for rack in 0..served.racks.len() {
                    served.racks[rack] = if known.is_empty() {
                        let LoadKind::Racks(kind) = &self.site.loads[served.load].kind
                        else {
                            unreachable!("only racks serve a tranche")
                        };
                        own_units(&served.contract, &served.tranche, kind, &name, rack, {
                            (place, racks)
                        })
                    } else {
                        let from = place * known.len() / racks;
                        let to = (place + 1) * known.len() / racks;
                        known[from..to].to_vec()
                    };
                    place += 1;
                }
            }
        }
    }

    /// What is assumed of tranches that nothing was said of.
    fn plan(&mut self, given: &Facts, range: Interval) {
        let mut paid = BTreeSet::new();
        for (place, served) in self.served.iter().enumerate() {
            let contract = &served.contract;
            let terms = contract.tranche(&served.tranche.id).expect("it has the tranche");
            let delivery = contract.zone.midnight(terms.delivery);
            if served.accepted || delivery >= range.end {
                continue;
            }
            self.to_come.push((delivery, Told::Accepted { served: place }));
            let is_paid = given.all().iter().any(|fact| pays_ahead(&fact.body, served));
            if let Some(prepayment) = &contract.prepayment
                && !is_paid
                && paid.insert(served.tranche.clone())
            {
                let days = prepayment.due_days_before_delivery;
                let due = contract.zone.midnight(terms.delivery.plus_days(-days));
                self.to_come.push((due, Told::Paid { served: place }));
            }
        }
        self.to_come.sort_by_key(|(at, _)| *at);
        // What lies before the run was known before it.
        self.say_what_is_due(range.start);
    }

    /// What was assumed, in words; nothing where facts were given.
    pub fn assumed(&self) -> Option<String> {
        let early = |served: &&Served| {
            let terms = served.contract.tranche(&served.tranche.id);
            served.accepted
                && terms.is_some_and(|terms| {
                    served.contract.zone.midnight(terms.delivery) <= self.start
                })
        };
        (self.source_seq > 0 && self.served.iter().any(|served| early(&served))).then(
            || {
                "assumed: tranches were accepted and paid ahead on the days agreed and \
                 were available until the run begins; --facts says otherwise"
                    .to_owned()
            },
        )
    }

    /// Takes what was written since the last time.
    pub fn take(&mut self) -> String {
        std::mem::take(&mut self.fresh)
    }

    /// An interval is about to begin.
    pub fn begins(&mut self, at: Timestamp) {
        self.say_what_is_due(at);
        if at < self.start + BEGINS_WITHIN {
            return;
        }
        for place in 0..self.served.len() {
            for point in 0..=self.full(place) {
                let served = &mut self.served[place];
                let is_there = |rack: &usize| {
                    served.points[*rack].is_none() && served.coming_up[*rack] == point
                };
                let late: Vec<usize> =
                    (0..served.points.len()).filter(is_there).collect();
                for rack in &late {
                    served.points[*rack] = Some(point);
                }
                if !late.is_empty() && served.accepted {
                    self.say_state(place, &late, point, self.start, at);
                }
            }
        }
    }

    /// A load was moved.
    pub fn moved(&mut self, moved: Moved) {
        let Setpoint::Level(level) = moved.to else { return };
        let Some(place) = self.served.iter().position(|one| one.load == moved.load)
        else {
            return;
        };
        let Some(machines) = self.site.loads[moved.load].machines() else { return };
        let full = machines.points.len();
        let mut changed: Vec<Vec<usize>> = vec![Vec::new(); full + 1];
        let served = &mut self.served[place];
        for (rack, point) in served.points.iter_mut().enumerate() {
            let now = point_of(machines, level, rack);
            // A rack that comes up for the first time ran before.
            let before = match *point {
                None if now < full => {
                    served.coming_up[rack] = now;
                    continue;
                }
                None => full,
                Some(point) => point,
            };
            *point = Some(now);
            if before != now {
                changed[now].push(rack);
            }
        }
        if self.served[place].accepted {
            for (point, racks) in changed.iter().enumerate() {
                if !racks.is_empty() {
                    self.say_state(place, racks, point, moved.at, moved.at);
                }
            }
        }
    }

    /// An interval was metered; `price` is what its energy settled at.
    pub fn metered(&mut self, metered: &MeteredInterval, price: Option<EnergyPrice>) {
        let during = metered.during;
        for place in 0..self.served.len() {
            let load = self.served[place].load;
            if let Work::Gpu(time) = metered.loads[load].work
                && self.served[place].accepted
            {
                self.served[place].used += time.as_seconds();
            }
            self.say_usage(place, during);
        }
        self.say_energy(metered, price);
    }

    /// The run is over.
    pub fn ends(&mut self, at: Timestamp) {
        for place in 0..self.served.len() {
            if self.served[place].used_from < at {
                self.say_used(place, at, at);
            }
        }
    }

    fn say_what_is_due(&mut self, now: Timestamp) {
        let due = self.to_come.partition_point(|(at, _)| *at <= now);
        let due: Vec<(Timestamp, Told)> = self.to_come.drain(..due).collect();
        for (at, told) in due {
            match told {
                Told::Paid { served } => self.say_paid(served, at),
                Told::Accepted { served } => self.say_accepted(served, at),
            }
        }
    }

    fn say_paid(&mut self, place: usize, at: Timestamp) {
        let served = &self.served[place];
        let contract = &served.contract;
        let terms = contract.tranche(&served.tranche.id).expect("it has the tranche");
        let amount = agreed(contract, terms).to_string();
        let body = json!({
            "amount": amount,
            "currency": contract.currency.code,
            "for": format!("prepayment:{}", served.tranche.id),
            "contract": contract.id,
        });
        self.say("payment", (at, Some(at + Seconds::from_seconds(1))), at, &body);
    }

    fn say_accepted(&mut self, place: usize, at: Timestamp) {
        let served = &mut self.served[place];
        served.accepted = true;
        served.used_from = served.used_from.max(at);
        let is_gpus = matches!(
            served.contract.tranche(&served.tranche.id).map(|terms| terms.quantity),
            Some(Quantity::Gpus(_))
        );
        let key = if is_gpus { "gpus" } else { "kw" };
        let units: Vec<Value> = (served.racks.iter().flatten())
            .filter(|unit| unit.size > 0)
            .map(|unit| match &unit.domain {
                Some(domain) => {
                    json!({ "unit": unit.name, key: unit.size, "domain": domain })
                }
                None => json!({ "unit": unit.name, key: unit.size }),
            })
            .collect();
        let body = json!({
            "contract": served.contract.id,
            "tranche": served.tranche.id,
            "units": units,
        });
        let full = self.full(place);
        let racks: Vec<usize> = (0..self.served[place].racks.len()).collect();
        self.say("acceptance", (at, None), at, &body);
        // Where each of them stands, as far as anybody has seen.
        for point in 0..=full {
            let there: Vec<usize> = racks
                .iter()
                .copied()
                .filter(|rack| self.served[place].points[*rack].unwrap_or(full) == point)
                .collect();
            if !there.is_empty() {
                self.say_state(place, &there, point, at, at);
            }
        }
    }

    /// The point at which a load's machines run in full.
    fn full(&self, place: usize) -> usize {
        let machines = self.site.loads[self.served[place].load].machines();
        machines.map_or(0, |machines| machines.points.len())
    }

    /// Racks of a load run at a point from `from` on.
    fn say_state(
        &mut self,
        place: usize,
        racks: &[usize],
        point: usize,
        from: Timestamp,
        known: Timestamp,
    ) {
        let full = self.full(place);
        let served = &self.served[place];
        let units: Vec<&str> = racks
            .iter()
            .flat_map(|rack| &served.racks[*rack])
            .filter(|unit| unit.size > 0)
            .map(|unit| unit.name.as_str())
            .collect();
        if units.is_empty() {
            return;
        }
        let mut body = json!({ "units": units, "state": "available" });
        if point == 0 {
            self.stops += 1;
            body["state"] = json!("down");
            body["ref"] = json!(format!("stop-{}", self.stops));
        } else if point < full
            && let LoadKind::Racks(kind) = &self.site.loads[served.load].kind
        {
            // As a decision counts it: what a rack draws beside its GPUs is not theirs.
            let each = kind.per_gpu(point - 1).as_watts();
            body["cap_w_per_gpu"] = json!(each.to_string());
        }
        self.say("unit_state", (from, None), known, &body);
    }

    /// What was used of a tranche, once its month is over.
    fn say_usage(&mut self, place: usize, during: Interval) {
        let zone = &self.served[place].contract.zone;
        let month = zone.month(zone.period(during.start));
        if during.end >= month.end {
            self.say_used(place, month.end, during.end);
        }
    }

    fn say_used(&mut self, place: usize, to: Timestamp, known: Timestamp) {
        let served = &mut self.served[place];
        let from = served.used_from;
        let used = std::mem::take(&mut served.used);
        served.used_from = to.max(from);
        let is_paid_by_use = served.contract.take_or_pay.share < Exact::ONE;
        if !is_paid_by_use || !served.accepted || from >= to {
            return;
        }
        let body = json!({
            "contract": served.contract.id,
            "tranche": served.tranche.id,
            "gpu_seconds": used,
        });
        self.say("usage", (from, Some(to)), known, &body);
    }

    /// What was metered, where a contract passes power on. The simulated site loses
    /// nothing on the way: its main meter counts what its loads draw.
    fn say_energy(&mut self, metered: &MeteredInterval, price: Option<EnergyPrice>) {
        let passes = |served: &Served| served.contract.power.mode != PowerMode::Included;
        if !self.served.iter().any(passes) {
            return;
        }
        let (during, known) = (metered.during, metered.during.end);
        let valid = (during.start, Some(during.end));
        let mut main = 0;
        for place in 0..self.served.len() {
            let served = &mut self.served[place];
            if !served.accepted {
                continue;
            }
            served.joules += metered.loads[served.load].energy.as_joules().max(0);
            let wh = served.joules / 3_600;
            served.joules %= 3_600;
            main += wh;
            let body = json!({
                "meter": self.site.loads[served.load].name,
                "wh": wh,
                "contract": served.contract.id,
                "tranche": served.tranche.id,
            });
            self.say("meter_interval", valid, known, &body);
        }
        self.say("meter_interval", valid, known, &json!({ "meter": "main", "wh": main }));
        let mut indices = BTreeSet::new();
        for served in &self.served {
            indices.extend(served.contract.power.index.clone());
        }
        if let Some(price) = price {
            let micro = i128::from(price.as_micro_usd_per_mwh());
            let per_mwh = Exact::ratio(micro, 1_000_000).to_text();
            for index in indices {
                let body = json!({ "index": index, "per_mwh": per_mwh });
                self.say("energy_price", valid, known, &body);
            }
        }
    }

    fn say(
        &mut self,
        kind: &str,
        (from, to): (Timestamp, Option<Timestamp>),
        known: Timestamp,
        body: &Value,
    ) {
        self.last_seq += 1;
        self.source_seq += 1;
        self.known = self.known.max(known);
        let line = json!({
            "seq": self.last_seq,
            "site": self.site.name,
            "source": SOURCE,
            "source_seq": self.source_seq,
            "kind": kind,
            "valid_from": from.to_string(),
            "valid_to": to.map(|to| to.to_string()),
            "known_at": self.known.to_string(),
            "body": body,
        });
        self.fresh.push_str(&line.to_string());
        self.fresh.push('\n');
    }
}

/// The point a rack of a group runs at, at a level.
fn point_of(machines: &Machines, level: u32, rack: usize) -> usize {
    (0..machines.points.len())
        .filter(|point| rack < machines.taken(level, *point) as usize)
        .count()
}

/// The units of rack number `place` of all `racks` that serve a tranche.
fn own_units(
    contract: &Contract,
    tranche: &Tranche,
    kind: &Racks,
    load: &str,
    rack: usize,
    (place, racks): (usize, usize),
) -> Vec<Unit> {
    let size = match contract.tranche(&tranche.id).map(|terms| terms.quantity) {
        Some(Quantity::Gpus(_)) | None => i64::from(kind.gpus_per_rack),
        Some(Quantity::Kilowatts(all)) => part(all, place, racks),
    };
    let name = format!("{load}/{:04}", rack + 1);
    let blocks = contract.sla.as_ref().map(|sla| sla.basis);
    let Some(Basis::Blocks { units, .. }) = blocks else {
        return vec![Unit { name, size, domain: None }];
    };
    (0..units as usize)
        .map(|unit| Unit {
            name: format!("{name}/{:02}", unit + 1),
            size: part(size, unit, units as usize),
            domain: Some(name.clone()),
        })
        .collect()
}

/// Part number `place` of `all` in `parts` whole ones, as even as can be.
fn part(all: i64, place: usize, parts: usize) -> i64 {
    let edge = |place: usize| i128::from(all) * place as i128 / parts.max(1) as i128;
    i64::try_from(edge(place + 1) - edge(place)).expect("a part is no more than all")
}

/// The units that were accepted for a tranche, in their order.
fn accepted_in<'f>(
    given: &'f Facts,
    tranche: &'f Tranche,
) -> impl Iterator<Item = Unit> + 'f {
    let accepted = given.all().iter().filter_map(move |fact| {
        let Body::Acceptance(accepted) = &fact.body else { return None };
        let is_meant =
            accepted.contract == tranche.contract && accepted.tranche == tranche.id;
        is_meant.then_some(accepted)
    });
    accepted.flat_map(|accepted| &accepted.units).map(|unit| Unit {
        name: unit.unit.clone(),
        size: match unit.size {
            Size::Gpus(size) | Size::Kilowatts(size) => size,
        },
        domain: unit.domain.clone(),
    })
}

/// Whether a fact is the prepayment of a load's tranche.
fn pays_ahead(body: &Body, served: &Served) -> bool {
    let Body::Payment { purpose: Purpose::Prepayment(name), .. } = body else {
        return false;
    };
    let contract = name.contract.as_deref();
    name.tranche == served.tranche.id
        && contract.is_none_or(|id| id == served.tranche.contract)
}
