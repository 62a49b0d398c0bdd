//! What every second of an accepted seat counts as, from changes of state.
//!
//! A seat is counted from its block's acceptance on. To give the block back ends no
//! contract: a seat that its tenant gave back counts as the tenant's wish from then on,
//! one that the site took back as down, and `settle` knows when the tranche ends. It
//! is in one state at a time, and a state holds from the instant something changed
//! to the next: from the look that showed it, the word that was said, the edge of a
//! window. Nobody having looked for longer than is allowed is `unknown` from the
//! last look on, which is neither up nor down.
//!
//! The changes leave as facts, in the words of `settle`, which alone decides what
//! they are worth.
//!
//! Invariant: the states of a seat cover its time without gap or overlap, so that
//! its [`Tally`] sums to the time since acceptance.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use settle::contract::Hash;
use units::{Interval, Seconds, Timestamp};

use super::asset::{BlockNo, TrayNo};
use super::estate::{Led, Opened};
use super::phase::{Phase, Power, Reported};
use super::{Class, Estate, Output, TrancheOf};

/// What a seat counts as, the better first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Counted {
    /// It works, with all its GPUs, in a whole NVLink domain.
    Available,
    /// Its tenant wants it so.
    CustomerCaused,
    /// It is worked on inside an announced window.
    Planned,
    /// Nobody looked.
    Unknown,
    /// It answers, and would fail its acceptance.
    Degraded,
    /// It does not work, or nobody can have it.
    Down,
}

impl Counted {
    /// The state's name in the facts.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Available => "available",
            Self::Degraded => "degraded",
            Self::Down => "down",
            Self::Planned => "planned",
            Self::CustomerCaused => "customer_caused",
            Self::Unknown => "unknown",
        }
    }

    /// Whether it is an incident.
    const fn is_incident(self) -> bool {
        match self {
            Self::Degraded | Self::Down | Self::Unknown => true,
            Self::Available | Self::Planned | Self::CustomerCaused => false,
        }
    }
}

impl Class {
    /// The class's name in the facts.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Available => "available",
            Self::Degraded => "degraded",
            Self::Down => "down",
            Self::Grid => "grid",
            Self::ForceMajeure => "force_majeure",
            Self::CustomerCaused => "customer_caused",
        }
    }
}

/// Seconds of a seat by what they count as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Up.
    pub available: i64,
    /// Answering, and failing its acceptance.
    pub degraded: i64,
    /// Down.
    pub down: i64,
    /// In announced windows.
    pub planned: i64,
    /// By the tenant's own wish.
    pub customer_caused: i64,
    /// Not known.
    pub unknown: i64,
}

impl Tally {
    /// Adds seconds of one state.
    pub fn add(&mut self, counted: Counted, seconds: i64) {
        let part = match counted {
            Counted::Available => &mut self.available,
            Counted::Degraded => &mut self.degraded,
            Counted::Down => &mut self.down,
            Counted::Planned => &mut self.planned,
            Counted::CustomerCaused => &mut self.customer_caused,
            Counted::Unknown => &mut self.unknown,
        };
        *part += seconds;
    }

    /// Adds another's seconds so many times.
    pub fn add_all(&mut self, other: &Self, times: i64) {
        self.available += other.available * times;
        self.degraded += other.degraded * times;
        self.down += other.down * times;
        self.planned += other.planned * times;
        self.customer_caused += other.customer_caused * times;
        self.unknown += other.unknown * times;
    }

    /// All of them.
    pub fn total(&self) -> i64 {
        self.available
            + self.degraded
            + self.down
            + self.planned
            + self.customer_caused
            + self.unknown
    }
}

/// What one seat counts as now, and what it counted as.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeatMeter {
    /// What it counts as.
    pub counted: Counted,
    /// The incident, window or request that it refers to.
    pub reference: Option<String>,
    /// Since when.
    pub since: Timestamp,
    /// The power limit that its GPUs are held to, in watts.
    pub cap_w: Option<u32>,
    /// The incident it is part of, by its place among the incidents.
    pub incident: Option<u32>,
    /// The seconds before.
    pub before: Tally,
}

/// Something that `settle` counts, not yet numbered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewFact {
    /// From when it is true.
    pub valid_from: Timestamp,
    /// Until when; nothing while it lasts.
    pub valid_to: Option<Timestamp>,
    /// When it became known.
    pub known_at: Timestamp,
    /// What it says.
    pub says: Says,
}

/// What a fact says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Says {
    /// Seats were accepted.
    Acceptance {
        /// The tranche.
        tranche: TrancheOf,
        /// Name, GPUs and serial number of each seat.
        units: Vec<(String, u8, String)>,
        /// Their NVLink domain.
        domain: String,
        /// The hash of the evidence.
        evidence: Hash,
    },
    /// Seats are in a state.
    State {
        /// The seats.
        units: Vec<String>,
        /// The state.
        counted: Counted,
        /// The incident, window or request it refers to.
        reference: Option<String>,
        /// The power limit of each GPU in watts.
        cap_w: Option<u32>,
    },
    /// Work was announced.
    Notice {
        /// The window's name.
        id: String,
    },
    /// Power is held lower for a time, as a tranche's contract allows.
    Flex {
        /// The event's name.
        id: String,
        /// The tranche.
        tranche: TrancheOf,
    },
    /// An incident was found to be something.
    Classification {
        /// The incident.
        incident: String,
        /// What it was.
        class: Class,
        /// Its evidence.
        evidence: Option<String>,
    },
    /// Seats were accepted in a tranche of which others had been given or taken back.
    /// It stands last, so that a journal written before it reads as it did.
    Succession {
        /// The tranche.
        tranche: TrancheOf,
        /// Name, GPUs and serial number of each seat.
        units: Vec<(String, u8, String)>,
        /// Their NVLink domain.
        domain: String,
        /// The hash of the evidence.
        evidence: Hash,
        /// The seats in whose place they may come, in the order in which those leave.
        replaces: Vec<String>,
    },
}

impl NewFact {
    /// The fact as a line of a record, under its numbers there.
    ///
    /// ```
    /// use engine::capacity::meter::{NewFact, Says};
    /// let fact = NewFact {
    ///     valid_from: units::Timestamp::parse("2026-05-01").unwrap(),
    ///     valid_to: None,
    ///     known_at: units::Timestamp::parse("2026-05-01").unwrap(),
    ///     says: Says::Classification {
    ///         incident: "I1".to_owned(),
    ///         class: engine::capacity::Class::Down,
    ///         evidence: None,
    ///     },
    /// };
    /// assert!(settle::facts::Facts::read(&fact.line(1, "east")).is_ok());
    /// ```
    pub fn line(&self, seq: u64, site: &str) -> String {
        let (kind, body) = self.says.body();
        let to = self
            .valid_to
            .map_or(String::new(), |to| format!(",\"valid_to\":\"{}\"", instant(to)));
        format!(
            "{{\"seq\":{seq},\"site\":{},\"source\":\"capacity\",\"source_seq\":{seq},\
             \"kind\":\"{kind}\",\"valid_from\":\"{}\"{to},\"known_at\":\"{}\",\
             \"body\":{body}}}\n",
            quoted(site),
            instant(self.valid_from),
            instant(self.known_at),
        )
    }
}

impl Says {
    /// The kind's name in the record, and the body.
    fn body(&self) -> (&'static str, String) {
        match self {
            Self::Acceptance { tranche, units, domain, evidence } => {
                ("acceptance", accepted(tranche, units, domain, evidence, &[]))
            }
            Self::Succession { tranche, units, domain, evidence, replaces } => {
                ("acceptance", accepted(tranche, units, domain, evidence, replaces))
            }
            Self::State { units, counted, reference, cap_w } => {
                let units: Vec<String> = units.iter().map(|unit| quoted(unit)).collect();
                let reference = reference
                    .as_ref()
                    .map_or(String::new(), |found| format!(",\"ref\":{}", quoted(found)));
                let cap = cap_w
                    .map_or(String::new(), |cap| format!(",\"cap_w_per_gpu\":\"{cap}\""));
                let body = format!(
                    "{{\"units\":[{}],\"state\":\"{}\"{reference}{cap}}}",
                    units.join(","),
                    counted.name()
                );
                ("unit_state", body)
            }
            Self::Notice { id } => {
                let body = format!(
                    "{{\"id\":{},\"about\":\"planned_maintenance\"}}",
                    quoted(id)
                );
                ("notice", body)
            }
            Self::Flex { id, tranche } => {
                let body = format!(
                    "{{\"id\":{},\"contract\":{},\"tranche\":{}}}",
                    quoted(id),
                    quoted(&tranche.contract),
                    quoted(&tranche.tranche)
                );
                ("flex", body)
            }
            Self::Classification { incident, class, evidence } => {
                let reference = evidence
                    .as_ref()
                    .map_or(String::new(), |found| format!(",\"ref\":{}", quoted(found)));
                let body = format!(
                    "{{\"incident\":{},\"class\":\"{}\"{reference}}}",
                    quoted(incident),
                    class.name()
                );
                ("incident_classification", body)
            }
        }
    }
}

/// The body of an acceptance.
fn accepted(
    tranche: &TrancheOf,
    units: &[(String, u8, String)],
    domain: &str,
    evidence: &Hash,
    replaces: &[String],
) -> String {
    let units: Vec<String> = units
        .iter()
        .map(|(unit, gpus, serial)| {
            format!(
                "{{\"unit\":{},\"gpus\":{gpus},\"domain\":{},\"serial\":{}}}",
                quoted(unit),
                quoted(domain),
                quoted(serial)
            )
        })
        .collect();
    let names: Vec<String> = replaces.iter().map(|unit| quoted(unit)).collect();
    let replaces = match names.is_empty() {
        true => String::new(),
        false => format!(",\"replaces\":[{}]", names.join(",")),
    };
    format!(
        "{{\"contract\":{},\"tranche\":{},\"units\":[{}]{replaces},\"evidence\":\"{evidence}\"}}",
        quoted(&tranche.contract),
        quoted(&tranche.tranche),
        units.join(",")
    )
}

/// An instant with its seconds.
fn instant(at: Timestamp) -> String {
    let text = at.to_string();
    match text.len() {
        // The shortest form leaves whole minutes without seconds.
        17 => text.replace('Z', ":00Z"),
        _ => text,
    }
}

/// Text as JSON writes it.
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            c if c < ' ' => {
                let _ = write!(quoted, "\\u{:04x}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// One seat's change.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Change {
    from: Timestamp,
    counted: Counted,
    reference: Option<String>,
    cap_w: Option<u32>,
}

/// Facts of one event: seats that change alike are one fact.
#[derive(Debug, Default)]
pub(super) struct Gathered(Vec<(String, Change)>);

impl Gathered {
    /// Tells what was gathered, earliest first; of what a seat changed to at one
    /// instant, the last.
    pub(super) fn put_out(&mut self, known_at: Timestamp, outputs: &mut Vec<Output>) {
        let mut changes = std::mem::take(&mut self.0);
        if changes.is_empty() {
            return;
        }
        // Stable: the order in which a seat changed stays.
        changes.sort_by(|a, b| (a.1.from, &a.0).cmp(&(b.1.from, &b.0)));
        let mut alike: BTreeMap<Change, Vec<String>> = BTreeMap::new();
        let mut left = changes.into_iter().peekable();
        while let Some((unit, change)) = left.next() {
            let overtaken = left
                .peek()
                .is_some_and(|(next, to)| *next == unit && to.from == change.from);
            if !overtaken {
                alike.entry(change).or_default().push(unit);
            }
        }
        for (Change { from, counted, reference, cap_w }, units) in alike {
            outputs.push(Output::Fact(NewFact {
                valid_from: from,
                valid_to: None,
                known_at,
                says: Says::State { units, counted, reference, cap_w },
            }));
        }
    }
}

/// What a seat is found to count as.
struct Found {
    counted: Counted,
    /// The window or request that it refers to.
    reference: Option<String>,
    /// What is wrong, for an incident.
    fault: &'static str,
    cap_w: Option<u32>,
}

impl Found {
    fn of(counted: Counted, fault: &'static str) -> Self {
        Self { counted, reference: None, fault, cap_w: None }
    }
}

impl Estate {
    /// The name of a seat: what a contract counts, whatever machine is in it.
    pub fn seat_name(&self, block: BlockNo, seat: usize) -> String {
        let found = &self.blocks[block.place()];
        let rack = &self.racks[found.rack.place()].name;
        format!("{}/{rack}/b{}.{seat:02}", found.tranche.tranche, block.0)
    }

    /// The block and seat of a seat's name.
    pub fn seat_named(&self, name: &str) -> Option<(BlockNo, u8)> {
        let (_, number) = name.rsplit_once("/b")?;
        let (block, seat) = number.split_once('.')?;
        let (block, seat) = (BlockNo(block.parse().ok()?), seat.parse().ok()?);
        let seats = self.block(block)?.seats.len();
        let inside = usize::from(seat) < seats;
        (inside && self.seat_name(block, usize::from(seat)) == name)
            .then_some((block, seat))
    }

    /// What a seat counts as, and what it counted as; nothing before acceptance.
    pub fn seat_meter(&self, block: BlockNo, seat: usize) -> Option<&SeatMeter> {
        self.meters.get(block.place())?.get(seat)
    }

    /// The seconds of a seat up to an instant that is not before its last change.
    pub fn seat_tally(&self, block: BlockNo, seat: usize, until: Timestamp) -> Tally {
        let Some(meter) = self.seat_meter(block, seat) else { return Tally::default() };
        let mut tally = meter.before;
        tally.add(meter.counted, (until - meter.since).as_seconds().max(0));
        tally
    }

    /// GPU-seconds of a tranche up to now, and its availability as a fraction:
    /// available over all that is neither excused nor unknown.
    pub fn availability(&self, tranche: &TrancheOf) -> (Tally, (i64, i64)) {
        let mut sum = Tally::default();
        for (place, block) in self.blocks.iter().enumerate() {
            if block.tranche != *tranche || block.accepted.is_none() {
                continue;
            }
            let gpus = i64::from(self.shape_of(block.rack).gpus_per_tray);
            let number = BlockNo(super::estate::number(place));
            for seat in 0..self.meters[place].len() {
                sum.add_all(&self.seat_tally(number, seat, self.known), gpus);
            }
        }
        (sum, (sum.available, sum.available + sum.degraded + sum.down))
    }

    /// Accepts a block: its seats are counted from now on.
    pub(super) fn accept(&mut self, block: BlockNo, evidence: Hash, led: &mut Led) {
        let at = self.known;
        let found = &mut self.blocks[block.place()];
        found.accepted = Some(at);
        let (seats, rack, tranche) =
            (found.seats.clone(), found.rack, found.tranche.clone());
        let gpus = self.shape_of(rack).gpus_per_tray;
        let units = seats
            .iter()
            .enumerate()
            .map(|(seat, tray)| {
                let serial = tray.map_or("", |tray| &self.tray(tray).serial);
                (self.seat_name(block, seat), gpus, serial.to_owned())
            })
            .collect();
        let domain = self.domain_of(&self.blocks[block.place()]);
        let replaces = self.replaced_by(block);
        let says = match replaces.is_empty() {
            true => Says::Acceptance { tranche, units, domain, evidence },
            false => Says::Succession { tranche, units, domain, evidence, replaces },
        };
        led.outputs.push(Output::Fact(NewFact {
            valid_from: at,
            valid_to: None,
            known_at: at,
            says,
        }));
        for seat in 0..seats.len() {
            // What it counts as now is told once, whatever it is.
            let unit = self.seat_name(block, seat);
            self.meters[block.place()].push(SeatMeter {
                counted: Counted::Available,
                reference: None,
                since: at,
                cap_w: None,
                incident: None,
                before: Tally::default(),
            });
            let change = Change {
                from: at,
                counted: Counted::Available,
                reference: None,
                cap_w: None,
            };
            led.facts.0.push((unit, change));
            self.count_seat(block, seat, at, led);
        }
    }

    /// The seats in whose place a block of their tranche may come: of what its tenant had
    /// accepted, first what was given or taken back, the longest ago first, and then
    /// what is kept from everybody whole. How many of them leave depends on how much the
    /// contract promises, which `settle` knows.
    fn replaced_by(&self, newcomer: BlockNo) -> Vec<String> {
        let new = &self.blocks[newcomer.place()];
        let is_kept = |tray: &Option<TrayNo>| {
            tray.is_none_or(|tray| self.tray(tray).cordon.is_some())
        };
        let mut leave: Vec<(bool, Option<Timestamp>, usize)> = Vec::new();
        for (place, block) in self.blocks.iter().enumerate() {
            let is_other = place != newcomer.place() && block.accepted.is_some();
            let of_it = block.tenant == new.tenant && block.tranche == new.tranche;
            let leaves = !block.is_live() || block.seats.iter().all(is_kept);
            if is_other && of_it && leaves {
                leave.push((block.is_live(), block.returned.map(|(at, _)| at), place));
            }
        }
        leave.sort_unstable();
        let seats = leave.into_iter().flat_map(|(_, _, place)| {
            let block = BlockNo(super::estate::number(place));
            (0..self.blocks[place].seats.len()).map(move |seat| (block, seat))
        });
        seats.map(|(block, seat)| self.seat_name(block, seat)).collect()
    }

    /// Counts the seat of a tray anew, as from an instant.
    pub(super) fn count(&mut self, tray: TrayNo, from: Timestamp, led: &mut Led) {
        if let Some((block, seat)) = self.tray(tray).seat {
            self.count_seat(block, usize::from(seat), from, led);
        }
    }

    /// Counts a seat anew, as from an instant.
    pub(super) fn count_seat(
        &mut self,
        block: BlockNo,
        seat: usize,
        from: Timestamp,
        led: &mut Led,
    ) {
        let Some(meter) = self.meters[block.place()].get(seat) else { return };
        // A late look says nothing of a time that is known already.
        let from = from.max(meter.since);
        let found = self.found(block, seat, from);
        self.change(block, seat, from, found, led);
    }

    /// Counts a tray's seat as unknown since its last look.
    pub(super) fn count_silent(&mut self, tray: TrayNo, now: Timestamp, led: &mut Led) {
        let Some((block, seat)) = self.tray(tray).seat else { return };
        self.count_seat(block, usize::from(seat), now, led);
    }

    fn change(
        &mut self,
        block: BlockNo,
        seat: usize,
        from: Timestamp,
        found: Found,
        led: &mut Led,
    ) {
        let meter = &self.meters[block.place()][seat];
        let before = (meter.counted, meter.incident);
        let same = meter.counted == found.counted
            && meter.cap_w == found.cap_w
            && (found.counted.is_incident() || meter.reference == found.reference);
        if same {
            return;
        }
        let tray = self.blocks[block.place()].seats[seat];
        // Where looks decided, nobody has known anything since the last one.
        let by_looks =
            !matches!(meter.counted, Counted::Planned | Counted::CustomerCaused);
        let look = tray.and_then(|tray| self.tray(tray).look.as_ref());
        let from = match look {
            Some(look) if by_looks && found.counted == Counted::Unknown => {
                look.at.min(from)
            }
            Some(_) | None => from,
        };
        let from = from.max(meter.since);
        if let (Counted::Unknown, Some(open)) = (meter.counted, meter.incident)
            && meter.since < from
        {
            let stretch = Interval { start: meter.since, end: from };
            let seat = u8::try_from(seat).expect("at most 64 seats");
            self.incidents[open as usize].unknown.push((block, seat, stretch));
        }
        let incident = match (found.counted.is_incident(), before.1) {
            (true, Some(open)) => {
                self.incident_goes_on(open, found.counted, from);
                Some(open)
            }
            (true, None) => Some(self.incident_opens(block, seat, &found, from, led)),
            (false, Some(open)) => {
                self.incident_closes(open, from);
                None
            }
            (false, None) => None,
        };
        let reference = match incident {
            Some(incident) => Some(self.incidents[incident as usize].id.clone()),
            None => found.reference,
        };
        let unit = self.seat_name(block, seat);
        let meter = &mut self.meters[block.place()][seat];
        meter.before.add(meter.counted, (from - meter.since).as_seconds());
        meter.counted = found.counted;
        meter.reference = reference.clone();
        meter.since = from;
        meter.cap_w = found.cap_w;
        meter.incident = incident;
        let (counted, cap_w) = (found.counted, found.cap_w);
        led.facts.0.push((unit, Change { from, counted, reference, cap_w }));
    }

    /// Counts what nobody knew of an incident as available after all.
    pub(super) fn found_available(&mut self, incident: usize, led: &mut Led) {
        let stretches = self.incidents[incident].unknown.clone();
        let mut alike: BTreeMap<(Timestamp, Timestamp), Vec<String>> = BTreeMap::new();
        for (block, seat, during) in stretches {
            let seat = usize::from(seat);
            let seconds = during.duration().as_seconds();
            let before = &mut self.meters[block.place()][seat].before;
            before.add(Counted::Unknown, -seconds);
            before.add(Counted::Available, seconds);
            let unit = self.seat_name(block, seat);
            alike.entry((during.start, during.end)).or_default().push(unit);
        }
        for ((start, end), units) in alike {
            led.outputs.push(Output::Fact(NewFact {
                valid_from: start,
                valid_to: Some(end),
                known_at: self.known,
                says: Says::State {
                    units,
                    counted: Counted::Available,
                    reference: None,
                    cap_w: None,
                },
            }));
        }
    }

    fn incident_opens(
        &mut self,
        block: BlockNo,
        seat: usize,
        found: &Found,
        from: Timestamp,
        led: &mut Led,
    ) -> u32 {
        let terms = &self.blocks[block.place()];
        let (rack, tray) = (terms.rack, terms.seats[seat]);
        let handed_over = terms.handed_over;
        let key = Opened {
            rack,
            tenant: terms.tenant.clone(),
            tranche: terms.tranche.clone(),
            fault: found.fault,
        };
        if found.counted != Counted::Unknown {
            self.racks[rack.place()].failures += 1;
            if let Some(tray) = tray {
                self.trays[tray.place()].failures += 1;
            }
        }
        let place = match led.opened.get(&key) {
            Some(place) => *place,
            None => {
                let place = self.incidents.len();
                self.incidents.push(super::Incident {
                    id: format!("I{}", place + 1),
                    rack,
                    tenant: key.tenant.clone(),
                    fault: found.fault.to_owned(),
                    machines: Vec::new(),
                    opened: from,
                    updated: self.known,
                    closed: None,
                    open_seats: 0,
                    worst: found.counted,
                    unknown: Vec::new(),
                    class: None,
                    handed_over,
                });
                led.opened.insert(key, place);
                place
            }
        };
        let machine =
            tray.map(|tray| (self.slot_name(tray), self.tray(tray).serial.clone()));
        let incident = &mut self.incidents[place];
        incident.machines.extend(machine);
        incident.opened = incident.opened.min(from);
        incident.closed = None;
        incident.open_seats += 1;
        super::estate::number(place)
    }

    fn incident_goes_on(&mut self, open: u32, counted: Counted, at: Timestamp) {
        let incident = &mut self.incidents[open as usize];
        incident.updated = incident.updated.max(at);
        incident.worst = incident.worst.max(counted);
    }

    fn incident_closes(&mut self, open: u32, at: Timestamp) {
        let incident = &mut self.incidents[open as usize];
        incident.updated = incident.updated.max(at);
        incident.open_seats -= 1;
        if incident.open_seats == 0 {
            incident.closed = Some(at);
        }
    }

    /// What a seat counts as at an instant, by everything that is known.
    fn found(&self, block: BlockNo, seat: usize, now: Timestamp) -> Found {
        let terms = &self.blocks[block.place()];
        if let Some((_, theirs)) = terms.returned {
            return match theirs {
                true => Found {
                    reference: Some(format!("return/b{}", block.0)),
                    ..Found::of(Counted::CustomerCaused, "")
                },
                false => Found::of(Counted::Down, "taken back by the site"),
            };
        }
        let Some(number) = terms.seats[seat] else {
            return Found::of(Counted::Down, "no machine");
        };
        let tray = self.tray(number);
        let own = (block, u8::try_from(seat).expect("at most 64 seats"));
        if let Some(window) = self.worked_on(number, now) {
            if now >= window.during.end {
                return Found::of(Counted::Down, "work beyond its window");
            }
            return Found {
                reference: Some(window.notice_of(own)),
                ..Found::of(Counted::Planned, "")
            };
        }
        if let Some(asked) = tray.cycled
            && now < asked + self.times.response
        {
            let name = self.slot_name(number);
            return Found {
                reference: Some(format!(
                    "power-cycle/{name}/{}",
                    asked.as_unix_seconds()
                )),
                ..Found::of(Counted::CustomerCaused, "")
            };
        }
        if let Some(asked) = tray.wished
            && now < asked + self.times.response
            && tray.phase == Phase::Accepted
        {
            let (name, at) = (self.slot_name(number), asked.as_unix_seconds());
            return Found {
                reference: Some(format!("replace/{name}/{at}")),
                ..Found::of(Counted::CustomerCaused, "")
            };
        }
        // Given for the first time: the image boots on a machine that was up, and for as
        // long as that may take it may be off, and its GPUs away.
        let mut boots = false;
        match tray.phase {
            // Ready, and not yet given: delivered is delivered.
            Phase::Accepted if terms.handed_over.is_none() => {}
            Phase::InService => {}
            Phase::Accepted => {
                let first = tray.asked.filter(|asked| {
                    terms.handed_over == Some(asked.at) && asked.attempts == 1
                });
                let Some(first) = first else {
                    return Found::of(Counted::Down, "not yet given back to its tenant");
                };
                boots = now < first.at + self.times.response;
            }
            Phase::Ordered
            | Phase::Received
            | Phase::Installed
            | Phase::Discovered
            | Phase::Validating
            | Phase::BurnIn
            | Phase::Draining
            | Phase::Repair
            | Phase::Retired => return Found::of(Counted::Down, "out for repair"),
        }
        let Some(look) = &tray.look else {
            return Found::of(Counted::Unknown, "not seen");
        };
        if now - look.at > self.times.silence {
            return Found::of(Counted::Unknown, "not seen");
        }
        let shows = &look.shows;
        if shows.power == Power::Off && !boots {
            return Found::of(Counted::Down, "no power");
        }
        match shows.health {
            Reported::Critical => return Found::of(Counted::Down, "critical health"),
            Reported::Warning => return Found::of(Counted::Degraded, "health warning"),
            Reported::Ok => {}
        }
        if shows.gpus != self.shape_of(tray.rack).all_gpus() && !boots {
            return Found::of(Counted::Degraded, "missing GPU");
        }
        if self.domain_is_whole(number) == Some(false) {
            return Found::of(Counted::Degraded, "NVLink domain or leak");
        }
        Found { cap_w: shows.cap_w, ..Found::of(Counted::Available, "") }
    }

    /// The facts that a window's announcement is.
    pub(super) fn tell_notice(&self, id: &str, window: Interval, led: &mut Led) {
        led.outputs.push(Output::Fact(NewFact {
            valid_from: window.start,
            valid_to: Some(window.end),
            known_at: self.known,
            says: Says::Notice { id: id.to_owned() },
        }));
    }

    /// How long a seat may not have been seen and still counts as it was seen.
    pub fn silence(&self) -> Seconds {
        self.times.silence
    }
}
