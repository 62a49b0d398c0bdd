//! The fleet at work, without a wire: orders, questions and answers go in, what to ask
//! of which device comes out.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::net::{IpAddr, Ipv4Addr};

use engine::site::{LoadIx, Machines};
use engine::{
    Lease, Observed, Order, OrderBatch, ReadBack, Receipt, Setpoint, Site, Source, Survey,
};
use tokio::time::Instant;
use units::{Power, Seconds, Temperature, Timestamp};

use super::line::{Line, Urgency};
use super::member::{Ask, Came, Member, News, NotDone};
use super::meters::Meters;
use super::{Pace, Said, curve};
use crate::device::{Look, Wanted};
use crate::meter::Shown;

/// Which device, by its place in the fleet.
pub(super) type DeviceIx = usize;

/// How often the draw is added up where no meter shows it.
const ADD_UP_EVERY: Seconds = Seconds::from_seconds(10);

/// Where more than one device in so many does not answer, it is not them.
const CHOKED_ABOVE: usize = 4;

/// What to ask of a device.
#[derive(Clone, Copy, Debug)]
pub(super) struct Question {
    pub(super) device: DeviceIx,
    pub(super) ask: Ask,
}

/// A device as the fleet counts it.
#[derive(Clone, Copy, Debug)]
struct Place {
    load: LoadIx,
    /// Its number in its load.
    number: u32,
    /// Which switch it is behind.
    lot: usize,
}

/// A question on its way.
#[derive(Clone, Copy, Debug)]
struct Asking {
    urgency: Urgency,
    at: Timestamp,
}

/// What is to be said of one load: machines, each with what it was seen at.
type Seen = BTreeMap<u32, Option<(u8, Power)>>;

/// Everything the fleet knows.
#[derive(Debug)]
pub(super) struct Works {
    site: Site,
    outside: Option<Temperature>,
    members: Vec<Member>,
    places: Vec<Place>,
    /// The first device of each load, and of the one after the last.
    firsts: Vec<DeviceIx>,
    line: Line,
    /// In which urgency each device waits in the line.
    queued: Vec<Option<Urgency>>,
    asking: Vec<Option<Asking>>,
    later: BinaryHeap<Reverse<(Instant, DeviceIx)>>,
    /// How many devices did not answer when they were asked last.
    silent: usize,
    lease: Lease,
    /// The next machine of each load whose lease ends.
    next_to_fall: Vec<u32>,
    seen: BTreeMap<Timestamp, BTreeMap<LoadIx, Seen>>,
    observed: BTreeMap<Timestamp, Vec<Observed>>,
    not_done: Vec<(LoadIx, u32, NotDone)>,
    pub(super) meters: Meters,
    metered: bool,
    added_up_at: Option<Timestamp>,
}

impl Works {
    /// Nobody has been seen yet. `addresses` are those of each load's devices.
    pub(super) fn new(
        site: Site,
        addresses: &[Vec<IpAddr>],
        metered: bool,
        pace: &Pace,
        lease: Lease,
        (at, now): (Timestamp, Instant),
    ) -> Self {
        let mut lots = BTreeMap::new();
        let (mut places, mut firsts) = (Vec::new(), vec![0]);
        for (load, addresses) in addresses.iter().enumerate() {
            for (number, address) in (0_u32..).zip(addresses) {
                let next = lots.len();
                let lot = *lots.entry(subnet(*address)).or_insert(next);
                places.push(Place { load, number, lot });
            }
            firsts.push(places.len());
        }
        let counts = addresses.iter().map(Vec::len);
        Self {
            meters: Meters::new(counts, at, now, pace.interval),
            members: places.iter().map(|_| Member::new(now)).collect(),
            line: Line::new(lots.len(), pace.at_once, pace.per_subnet),
            queued: vec![None; places.len()],
            asking: vec![None; places.len()],
            places,
            next_to_fall: vec![0; addresses.len()],
            firsts,
            site,
            outside: None,
            later: BinaryHeap::new(),
            lease,
            silent: 0,
            seen: BTreeMap::new(),
            observed: BTreeMap::new(),
            not_done: Vec::new(),
            metered,
            added_up_at: None,
        }
    }

    fn device(&self, load: LoadIx, number: u32) -> Option<DeviceIx> {
        let (first, end) = (*self.firsts.get(load)?, *self.firsts.get(load + 1)?);
        let device = first + number as usize;
        (device < end).then_some(device)
    }

    fn machines(&self, load: LoadIx) -> Option<&Machines> {
        self.site.loads.get(load).and_then(|load| load.machines())
    }

    /// Takes in orders, and holds what was ordered for their lease.
    pub(super) fn obey(&mut self, batch: &OrderBatch, now: Instant) {
        if let Some(lease) = batch.lease {
            self.keep(lease);
        }
        for order in &batch.orders {
            for (device, wanted) in self.meant(order) {
                self.members[device].order(wanted, batch.generation, now);
                self.settle(device, now);
            }
        }
    }

    /// Which device is to be what, by an order.
    fn meant(&self, order: &Order) -> Vec<(DeviceIx, Wanted)> {
        let load = order.load;
        let Some(machines) = self.machines(load) else {
            return match order.setpoint {
                Setpoint::Power(power) => {
                    let device = self.device(load, 0);
                    device
                        .map(|device| (device, Wanted::Flow(power)))
                        .into_iter()
                        .collect()
                }
                Setpoint::Level(_) => Vec::new(),
            };
        };
        if order.moves.is_empty() {
            // The load as a whole: its machines take the steps of the level in order.
            let Setpoint::Level(level) = order.setpoint else { return Vec::new() };
            let each = (0..machines.count).filter_map(|number| {
                let point = machines.point_at(level, number);
                Some((self.device(load, number)?, curve::wanted(machines, point)))
            });
            return each.collect();
        }
        let moves = order.moves.iter().flat_map(|to| {
            let within = to.machines.iter().take_while(|n| *n < machines.count);
            within.filter_map(|number| {
                Some((self.device(load, number)?, curve::wanted(machines, to.point)))
            })
        });
        moves.collect()
    }

    /// Somebody watches: what was ordered holds until the lease ends.
    pub(super) fn keep(&mut self, lease: Lease) {
        self.lease = lease;
        self.next_to_fall.fill(0);
        self.members.iter_mut().for_each(Member::stop_falling);
    }

    /// Machines whose lease is over go to rest, each at its turn. What is under contract
    /// stays: a lost link is no reason to break it.
    pub(super) fn pass(&mut self, at: Timestamp, now: Instant) {
        for load in 0..self.next_to_fall.len() {
            if self.site.loads[load].is_firm() {
                continue;
            }
            let wanted = match self.machines(load) {
                Some(_) => Wanted::Rest,
                None => Wanted::Flow(Power::ZERO),
            };
            let count = (self.firsts[load + 1] - self.firsts[load]) as u32;
            while self.next_to_fall[load] < count
                && self.lease.of_machine(self.next_to_fall[load], count) <= at
            {
                let device = self.firsts[load] + self.next_to_fall[load] as usize;
                self.next_to_fall[load] += 1;
                self.members[device].fall(wanted, now);
                self.settle(device, now);
            }
        }
        while let Some(Reverse((due, device))) = self.later.peek().copied()
            && due <= now
        {
            self.later.pop();
            self.settle(device, now);
        }
    }

    /// Somebody wants to know where these are.
    pub(super) fn look(&mut self, asked: &ReadBack, at: Timestamp, now: Instant) {
        let loads = asked.loads.iter().filter_map(|load| self.device(*load, 0));
        let mut devices: Vec<_> = loads.collect();
        for (load, machines) in &asked.machines {
            devices
                .extend(machines.iter().map_while(|number| self.device(*load, number)));
        }
        for device in devices {
            self.ask(device, Urgency::ReadBack, at, now);
        }
    }

    /// Everybody is looked at.
    pub(super) fn survey(&mut self, at: Timestamp, now: Instant) {
        for device in 0..self.members.len() {
            self.ask(device, Urgency::Round, at, now);
        }
    }

    fn ask(&mut self, device: DeviceIx, urgency: Urgency, at: Timestamp, now: Instant) {
        self.members[device].ask(urgency);
        // Nobody waits for one that does not answer: its probe comes when it is due.
        if self.members[device].health.is_parked() {
            self.report(device, at, None);
        }
        self.settle(device, now);
    }

    /// The weather changes.
    pub(super) fn weather(&mut self, outside: Option<Temperature>) {
        self.outside = outside;
    }

    /// Puts a device where it is to wait.
    fn settle(&mut self, device: DeviceIx, now: Instant) {
        let Some((due, urgency)) = self.members[device].due(now) else { return };
        if due > now {
            self.later.push(Reverse((due, device)));
            return;
        }
        if self.queued[device].is_none_or(|queued| urgency < queued) {
            self.queued[device] = Some(urgency);
            self.line.wait(device, self.places[device].lot, urgency);
        }
    }

    /// What to ask next, where the network bears more.
    pub(super) fn next(&mut self, at: Timestamp, now: Instant) -> Option<Question> {
        loop {
            let (device, urgency) = self.line.next()?;
            if self.queued[device] == Some(urgency) {
                self.queued[device] = None;
            }
            let ask = self.members[device].next(now);
            self.note_given_up(device);
            if let Some(ask) = ask {
                self.asking[device] = Some(Asking { urgency, at });
                return Some(Question { device, ask });
            }
            self.line.answered(self.places[device].lot, urgency);
            self.settle(device, now);
        }
    }

    /// Takes in what came of a question.
    pub(super) fn came(&mut self, device: DeviceIx, came: Came, now: Instant) {
        let Some(Asking { urgency, at }) = self.asking[device].take() else { return };
        self.line.answered(self.places[device].lot, urgency);
        if let Came::Looked(Ok(look)) = &came {
            self.count(device, look, now);
        }
        let choked = self.is_choked();
        let was_silent = self.members[device].health.is_silent();
        let news = self.members[device].came(came, choked, now);
        let is_silent = self.members[device].health.is_silent();
        self.silent += usize::from(is_silent);
        self.silent -= usize::from(was_silent);
        match news {
            News::None => {}
            News::Seen(look) => self.report(device, at, Some(&look)),
            News::Silent => self.report(device, at, None),
        }
        self.note_given_up(device);
        self.settle(device, now);
    }

    fn note_given_up(&mut self, device: DeviceIx) {
        if let Some(why) = self.members[device].given_up.take() {
            let Place { load, number, .. } = self.places[device];
            self.not_done.push((load, number, why));
        }
    }

    /// Orders that were given up since this was asked last: which machine's, and why.
    pub(super) fn not_done(&mut self) -> Vec<(LoadIx, u32, NotDone)> {
        std::mem::take(&mut self.not_done)
    }

    /// Whether so many devices do not answer that it is none of them.
    fn is_choked(&self) -> bool {
        self.silent * CHOKED_ABOVE > self.members.len()
    }

    /// Counts what a device draws from now on.
    fn count(&mut self, device: DeviceIx, look: &Look, now: Instant) {
        let Place { load, number, .. } = self.places[device];
        let point = match self.machines(load) {
            Some(machines) => curve::seen(machines, look).map_or(0, |(point, _)| point),
            None => 0,
        };
        self.meters.seen(&self.site, (load, number), point, look, now);
    }

    /// Notes what is to be said of a device.
    fn report(&mut self, device: DeviceIx, at: Timestamp, look: Option<&Look>) {
        let Place { load, number, .. } = self.places[device];
        let Some(machines) = self.machines(load) else {
            if let Some(flow) = look.and_then(|look| look.flow) {
                let setpoint = Setpoint::Power(flow.value);
                let of = self.observed.entry(at).or_default();
                of.retain(|other| other.load != load);
                of.push(Observed { load, setpoint });
            }
            return;
        };
        let seen = look.and_then(|look| curve::seen(machines, look));
        let loads = self.seen.entry(at).or_default();
        loads.entry(load).or_default().insert(number, seen);
    }

    /// What was seen and not said yet, each moment by itself.
    pub(super) fn receipts(&mut self) -> Vec<Receipt> {
        let mut receipts: BTreeMap<Timestamp, Receipt> = BTreeMap::new();
        let empty = |observed_at| Receipt {
            observed_at,
            observed: Vec::new(),
            surveys: Vec::new(),
        };
        for (at, loads) in std::mem::take(&mut self.seen) {
            let surveys = loads.into_iter().map(|(load, seen)| Survey::of(load, seen));
            receipts.entry(at).or_insert_with(|| empty(at)).surveys.extend(surveys);
        }
        for (at, observed) in std::mem::take(&mut self.observed) {
            receipts.entry(at).or_insert_with(|| empty(at)).observed = observed;
        }
        receipts.into_values().collect()
    }

    /// The interconnection's meter was read.
    pub(super) fn shown(&mut self, shown: &Shown, at: Timestamp) {
        self.meters.shown(shown, at);
    }

    /// What is metered by now: an interval that ended, and the draw where no meter
    /// shows it.
    pub(super) fn metered(&mut self, at: Timestamp, now: Instant) -> Vec<Said> {
        let (site, outside) = (&self.site, self.outside);
        let pue = |load| site.pue_of(load, outside);
        let mut said = Vec::new();
        let sweep = self.meters.end_interval(site, self.metered, (at, now), pue);
        said.extend(sweep.map(Said::Sweep));
        let due = self.added_up_at.is_none_or(|last| at >= last + ADD_UP_EVERY);
        if !self.metered && due {
            self.added_up_at = Some(at);
            let power = self.meters.by_word(now, pue);
            said.extend(power.map(|power| Said::Draw {
                power,
                at,
                source: Source::Looks,
            }));
        }
        said
    }

    /// How many devices there are, and how many of them are only probed.
    pub(super) fn counts(&self) -> (usize, usize) {
        let parked = self.members.iter().filter(|member| member.health.is_parked());
        (self.members.len(), parked.count())
    }
}

/// Devices of one /24 are taken to be behind one switch.
fn subnet(address: IpAddr) -> u32 {
    match address.to_canonical() {
        IpAddr::V4(address) => u32::from(address) >> 8,
        IpAddr::V6(_) => u32::from(Ipv4Addr::UNSPECIFIED),
    }
}
