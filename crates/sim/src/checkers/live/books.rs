//! The bystander's books of a live site: where every machine can be as far as
//! anybody was told.

use engine::site::{FeederIx, LoadIx, LoadKind, Machines, Site};
use engine::state::Cap;
use engine::{Change, Dispatch, Event, Input, Look, Order, ReadBack, Receipt, Setpoint};
use units::{Interval, Power, Seconds, Temperature, Timestamp};

use super::super::by_hand::ByHand;
use super::asked::Asked;
use super::tenants::Promised;
use crate::campus::Campus;
use crate::run::live::{Counts, Fault};
use crate::world::LiveWorld;

/// So many questions in a row without an answer, and a machine counts at its
/// nameplate.
const STRIKES: u8 = 3;

/// Two silences are at least this far apart.
const ONE_SILENCE: Seconds = Seconds::from_seconds(20);

/// A look so soon after an order that shows a machine elsewhere finds it on its way.
const SETTLES_WITHIN: Seconds = Seconds::from_seconds(30);

/// What a bystander knows of a live run.
#[derive(Clone, Debug)]
pub(crate) struct Books {
    pub(crate) site: Site,
    pub(crate) asked: Asked,
    pub(crate) by_hand: ByHand,
    /// The last decision.
    pub(crate) dispatch: Option<Dispatch>,
    /// The weather it was taken in.
    pub(crate) outside: Option<Temperature>,
    /// Every load's machines; none for a battery.
    pub(crate) crews: Vec<Vec<Known>>,
    pub(crate) batteries: Vec<Option<Account>>,
    /// Which racks somebody has.
    pub(crate) promised: Promised,
    /// When the process was last started, until it gave an order.
    pub(crate) resumed_at: Option<Timestamp>,
    /// How long trouble may take to be counted in: read-backs, and a decision.
    pub(crate) grace: Seconds,
}

/// What a bystander knows of one machine. Points count steps of the curve.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known {
    /// Its last order, or where it was seen since.
    pub(crate) ordered: u8,
    /// The least and the most that it can be at.
    pub(crate) least: u8,
    pub(crate) most: u8,
    /// Whether its last order has no outcome yet.
    pub(crate) unanswered: bool,
    /// Whether it was not seen since the process was started.
    pub(crate) unseen: bool,
    /// Questions in a row without an answer.
    pub(crate) misses: u8,
    missed_at: Timestamp,
    /// Looks in a row that showed something else than ordered.
    pub(crate) defied: u8,
    /// Since when that holds.
    since: Timestamp,
    /// When it was last not where it should be, or nobody knew.
    pub(crate) troubled_at: Option<Timestamp>,
}

/// What a bystander knows of a battery, in power at the meter.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Account {
    pub(crate) ordered: Power,
    pub(crate) least: Power,
    pub(crate) most: Power,
    pub(crate) unanswered: bool,
    pub(crate) unseen: bool,
    since: Timestamp,
    pub(crate) troubled_at: Option<Timestamp>,
    /// When it was last ordered up.
    pub(crate) raised_at: Option<Timestamp>,
}

/// A limit of the site or of a feeder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fence {
    Import,
    Feeder(FeederIx),
}

impl Known {
    fn at_rest() -> Self {
        Self {
            ordered: 0,
            least: 0,
            most: 0,
            unanswered: false,
            unseen: false,
            misses: 0,
            missed_at: Timestamp::from_unix_seconds(0),
            defied: 0,
            since: Timestamp::from_unix_seconds(0),
            troubled_at: None,
        }
    }

    fn unknown(last: u8) -> Self {
        Self { most: last, unanswered: true, unseen: true, ..Self::at_rest() }
    }

    /// Whether it answers nobody.
    pub(crate) fn is_silent(&self) -> bool {
        self.misses >= STRIKES
    }

    /// The most it can be at.
    pub(crate) fn worst(&self, last: u8) -> u8 {
        if self.is_silent() { last } else { self.most.max(self.ordered) }
    }

    /// Whether something was wrong with it a short while ago.
    pub(crate) fn is_troubled(&self, at: Timestamp, grace: Seconds) -> bool {
        let lately = self.troubled_at.is_some_and(|troubled| at - troubled <= grace);
        lately || self.defied > 0 || self.is_silent()
    }
}

impl Books {
    pub(super) fn of(world: &LiveWorld) -> Self {
        let site = world.world.site.clone();
        let mut books = Self {
            asked: Asked::of(&site),
            by_hand: ByHand::of(&site),
            dispatch: None,
            outside: None,
            crews: Vec::new(),
            batteries: Vec::new(),
            promised: Promised::default(),
            resumed_at: None,
            grace: world.world.step + Seconds::minutes(6),
            site,
        };
        for load in &books.site.loads {
            let count = load.machines().map_or(0, |machines| machines.count);
            books.crews.push(vec![Known::at_rest(); count as usize]);
            books.batteries.push(match &load.kind {
                LoadKind::Battery(_) => Some(Account::at_rest()),
                LoadKind::Rigs(_) | LoadKind::Racks(_) => None,
            });
        }
        books
    }

    /// Takes in what was heard.
    pub(super) fn hear(&mut self, input: &Input, counts: &mut Counts) {
        let at = input.at;
        match &input.event {
            Event::Signal(signal) => self.asked.hear(signal, at, counts),
            Event::Receipt(receipt) => self.answer(receipt, at, counts),
            Event::Operator { by, request } => {
                self.by_hand.serve(&self.site, by, request, at);
                self.promised.serve(request);
                self.asked.serve(by, request, at);
            }
            Event::Change(Change::Site(site)) => self.change(site),
            Event::Resume => self.resume(at),
            Event::Estate(event) => self.promised.fold(event),
            Event::Tick(_) | Event::Wake | Event::Trouble { .. } => {}
        }
        let counts = self.crews.iter().map(Vec::len);
        self.promised.pass(&self.site, counts, at);
    }

    fn resume(&mut self, at: Timestamp) {
        self.resumed_at = Some(at);
        self.asked.listened(at);
        for (load, crew) in self.crews.iter_mut().enumerate() {
            let last = self.site.loads[load].machines().map_or(0, last_point);
            for known in crew {
                (known.least, known.most) = (0, last);
                (known.unanswered, known.unseen) = (true, true);
                known.since = at;
                known.troubled_at = Some(at);
            }
        }
        for (load, account) in self.batteries.iter_mut().enumerate() {
            if let (Some(account), LoadKind::Battery(battery)) =
                (account, &self.site.loads[load].kind)
            {
                account.least = -battery.discharge_max;
                account.most = battery.charge_max;
                (account.unanswered, account.unseen) = (true, true);
                account.since = at;
                account.troubled_at = Some(at);
            }
        }
    }

    fn answer(&mut self, receipt: &Receipt, at: Timestamp, counts: &mut Counts) {
        if receipt.observed_at > at {
            counts.fault(Fault::F4);
        }
        let observed_at = receipt.observed_at.min(at);
        for survey in &receipt.surveys {
            let Some(machines) =
                self.site.loads.get(survey.load).and_then(|load| load.machines())
            else {
                continue;
            };
            let crew = &mut self.crews[survey.load];
            for look in survey.looks() {
                if let Some(known) = crew.get_mut(look.machine as usize) {
                    seen(known, machines, &look, observed_at, at, counts);
                }
            }
            for number in survey.silent.iter() {
                if let Some(known) = crew.get_mut(number as usize)
                    && known.since <= observed_at
                {
                    counts.fault(Fault::F6);
                    missed(known, observed_at);
                }
            }
        }
        for observed in &receipt.observed {
            let account = self.batteries.get_mut(observed.load).and_then(Option::as_mut);
            if let (Some(account), Setpoint::Power(power)) = (account, observed.setpoint)
            {
                let same = power == account.ordered;
                let too_old = observed_at < account.since
                    || (observed_at == account.since && !same && !account.unseen);
                if too_old {
                    continue;
                }
                if !same && !account.unseen {
                    account.troubled_at = Some(at);
                }
                (account.ordered, account.least, account.most) = (power, power, power);
                (account.unanswered, account.unseen) = (false, false);
                account.since = observed_at;
            }
        }
    }

    /// Machines that are asked once more did not answer.
    pub(super) fn asked_again(&mut self, asked: &ReadBack, at: Timestamp) {
        for (load, machines) in &asked.machines {
            for number in machines.iter() {
                if let Some(known) = self.crews[*load].get_mut(number as usize) {
                    missed(known, at);
                }
            }
        }
    }

    /// The site file was read anew: entries of the old file end, those made by hand
    /// stay; machines that left are forgotten, and new ones unknown.
    fn change(&mut self, site: &Site) {
        if self.by_hand.would_lose(site) {
            return;
        }
        self.by_hand.change(&self.site, site);
        for (crew, load) in self.crews.iter_mut().zip(&site.loads) {
            if let Some(machines) = load.machines() {
                let unknown = Known::unknown(last_point(machines));
                crew.resize(machines.count as usize, unknown);
            }
        }
        self.asked.change(site);
        self.site = site.clone();
    }

    /// The levels that hold in an interval decided at `at`, and the loads that are
    /// tripped.
    pub(super) fn limits_and_trips(
        &self,
        at: Timestamp,
        during: Interval,
    ) -> (Vec<Cap>, Vec<LoadIx>) {
        let holds_at = at.max(during.start);
        let trips = |load: &LoadIx| {
            (self.site.programmes.iter().enumerate()).any(|(programme, joined)| {
                // What may be promised cannot be taken off whole.
                let shape = &self.site.loads[*load];
                let meant = if joined.loads.is_empty() {
                    !shape.is_firm() && !shape.may_be_promised()
                } else {
                    joined.loads.contains(load)
                };
                meant && self.asked.trips(programme, holds_at)
            })
        };
        let tripped = (0..self.site.loads.len()).filter(trips).collect();
        (self.asked.caps(&self.site, at), tripped)
    }

    /// What a load draws with every machine that can be told at rest.
    pub(super) fn rests_at(&self, load: LoadIx) -> Power {
        match self.site.loads[load].machines() {
            None => Power::ZERO,
            Some(machines) => {
                self.site.pue_of(load, self.outside).at_meter(machines.floor())
            }
        }
    }

    /// An order goes into the record; nobody knows whether it will arrive.
    pub(super) fn order(&mut self, at: Timestamp, order: &Order) {
        self.resumed_at = None;
        for to in &order.moves {
            for number in to.machines.iter() {
                if let Some(known) = self.crews[order.load].get_mut(number as usize) {
                    known.least = known.least.min(known.ordered);
                    known.most = known.most.max(known.ordered);
                    known.ordered = to.point;
                    known.unanswered = true;
                    known.since = at;
                    known.troubled_at = Some(at);
                }
            }
        }
        if let (Some(account), Setpoint::Power(power)) =
            (&mut self.batteries[order.load], order.setpoint)
        {
            if power > account.ordered {
                account.raised_at = Some(at);
            }
            account.least = account.least.min(account.ordered);
            account.most = account.most.max(account.ordered);
            account.ordered = power;
            account.unanswered = true;
            account.since = at;
            account.troubled_at = Some(at);
        }
    }

    /// What a load draws at the meter with each of its machines at a point.
    pub(super) fn at_meter(&self, load: LoadIx, point: impl Fn(&Known) -> u8) -> Power {
        let Some(machines) = self.site.loads[load].machines() else {
            return Power::ZERO;
        };
        let plug: Power =
            self.crews[load].iter().map(|known| draw(machines, point(known))).sum();
        self.site.pue_of(load, self.outside).at_meter(plug)
    }

    /// The most a load can draw, as far as anybody was told; no less than nothing.
    pub(super) fn worst(&self, load: LoadIx) -> Power {
        match (&self.batteries[load], self.site.loads[load].machines()) {
            (Some(account), _) => account.most.max(account.ordered).max(Power::ZERO),
            (None, Some(machines)) => {
                let last = last_point(machines);
                self.at_meter(load, |known| known.worst(last))
            }
            (None, None) => Power::ZERO,
        }
    }

    /// What a load draws if whatever is in order does as told, and what has been in
    /// trouble for a good while is at its worst.
    pub(super) fn settled(&self, load: LoadIx, at: Timestamp) -> Power {
        match (&self.batteries[load], self.site.loads[load].machines()) {
            (Some(account), _) => account.ordered.max(Power::ZERO),
            (None, Some(machines)) => {
                let last = last_point(machines);
                self.at_meter(load, |known| {
                    let lately = known.troubled_at.is_some_and(|t| at - t <= self.grace);
                    if lately { known.ordered } else { known.worst(last) }
                })
            }
            (None, None) => Power::ZERO,
        }
    }

    /// What a load draws as ordered.
    pub(super) fn as_ordered(&self, load: LoadIx) -> Power {
        match &self.batteries[load] {
            Some(account) => account.ordered,
            None => self.at_meter(load, |known| known.ordered),
        }
    }

    /// Where every machine of a load truly is; nothing for a battery.
    pub(super) fn points(&self, load: LoadIx, campus: &Campus) -> Vec<u8> {
        (0..self.crews[load].len() as u32).map(|m| campus.point(load, m)).collect()
    }

    /// How far a load moved by order, from where its machines could be known to be.
    pub(super) fn moved(&self, load: LoadIx, before: &[u8], after: &[u8]) -> Power {
        let Some(machines) = self.site.loads[load].machines() else {
            return Power::ZERO;
        };
        let by = |(known, (before, after)): (&Known, (&u8, &u8))| {
            let believable = (*before).clamp(known.least, known.most);
            let stays = before == after;
            if stays {
                return Power::ZERO;
            }
            draw(machines, *after) - draw(machines, believable)
        };
        let plug: Power =
            self.crews[load].iter().zip(before.iter().zip(after)).map(by).sum();
        let pue = self.site.pue_of(load, self.outside);
        // Rounding at the meter depends on where a movement begins, by a watt.
        if plug >= Power::ZERO {
            (pue.at_meter(plug) - Power::from_watts(1)).max(Power::ZERO)
        } else {
            (Power::from_watts(1) - pue.at_meter(-plug)).min(Power::ZERO)
        }
    }

    /// The same for a battery.
    pub(super) fn moved_battery(
        &self,
        load: LoadIx,
        before: Power,
        after: Power,
    ) -> Power {
        match &self.batteries[load] {
            Some(account) if before != after => {
                after - before.max(account.least).min(account.most)
            }
            Some(_) | None => Power::ZERO,
        }
    }

    /// Machines that are silent, that defy their orders, that did not answer.
    pub(super) fn ill(&self) -> (usize, usize, usize) {
        let count = |ill: fn(&Known) -> bool| {
            self.crews.iter().flatten().filter(|known| ill(known)).count()
        };
        (
            count(Known::is_silent),
            count(|known| known.defied > 0),
            count(|known| known.unanswered),
        )
    }

    /// Every limit of the site.
    pub(super) fn fences(&self) -> impl Iterator<Item = Fence> + use<> {
        let feeders = (0..self.site.feeders.len()).map(Fence::Feeder);
        std::iter::once(Fence::Import).chain(feeders)
    }

    /// Every load under a limit.
    pub(super) fn under(&self, fence: Fence) -> impl Iterator<Item = LoadIx> + '_ {
        (0..self.site.loads.len()).filter(move |load| match fence {
            Fence::Import => true,
            Fence::Feeder(feeder) => {
                self.site.path(self.site.loads[*load].feeder).any(|above| above == feeder)
            }
        })
    }

    /// How much may flow through a limit at `at`.
    pub(super) fn limit(&self, fence: Fence, at: Timestamp) -> Power {
        match fence {
            Fence::Feeder(feeder) => self.site.feeders[feeder].limit,
            Fence::Import => {
                let grid = self.site.interconnection.import_limit;
                self.asked.limit(at).map_or(grid, |limit| limit.min(grid))
            }
        }
    }
}

impl Account {
    fn at_rest() -> Self {
        Self {
            ordered: Power::ZERO,
            least: Power::ZERO,
            most: Power::ZERO,
            unanswered: false,
            unseen: false,
            since: Timestamp::from_unix_seconds(0),
            troubled_at: None,
            raised_at: None,
        }
    }
}

/// To be asked and to be found silent shortly after is one silence.
fn missed(known: &mut Known, at: Timestamp) {
    if known.misses > 0 && at - known.missed_at < ONE_SILENCE {
        return;
    }
    known.missed_at = at;
    if known.misses == 0 {
        known.troubled_at = Some(at);
    }
    known.misses = known.misses.saturating_add(1);
}

/// A look older than the last order says nothing about it, and one of the same
/// second only if it shows what was ordered.
fn seen(
    known: &mut Known,
    machines: &Machines,
    look: &Look,
    observed_at: Timestamp,
    at: Timestamp,
    counts: &mut Counts,
) {
    let last = last_point(machines);
    if look.point > last {
        return;
    }
    // What it draws gives away a machine that lies: by a twentieth and fifty watts.
    let gives_away = |point: u8| {
        let word = draw(machines, point).as_watts();
        look.draw.as_watts() > word + word / 20 + 50
    };
    let point = (look.point..last).find(|point| !gives_away(*point)).unwrap_or(last);
    if point != look.point {
        counts.fault(Fault::F7);
    }
    let same = point == known.ordered;
    let too_old = observed_at < known.since
        || (observed_at == known.since && !same && !known.unseen);
    let on_its_way = known.unanswered
        && !known.unseen
        && !same
        && observed_at < known.since + SETTLES_WITHIN;
    if too_old || on_its_way {
        return;
    }
    if same || known.unseen {
        known.defied = 0;
        if !known.unseen && !known.unanswered && known.misses == 0 {
            known.troubled_at = None;
        }
        known.troubled_at = known.troubled_at.filter(|_| !same);
    } else {
        counts.fault(Fault::F7);
        known.defied = known.defied.saturating_add(1);
        known.troubled_at = Some(at);
    }
    (known.ordered, known.least, known.most) = (point, point, point);
    (known.unanswered, known.unseen) = (false, false);
    known.misses = 0;
    known.since = observed_at;
}

/// The last point of a curve.
pub(super) fn last_point(machines: &Machines) -> u8 {
    machines.points.len() as u8
}

/// What one machine draws at a point, at the plug.
pub(super) fn draw(machines: &Machines, point: u8) -> Power {
    match point.checked_sub(1) {
        None => machines.standby,
        Some(at) => machines.points[usize::from(at)].power,
    }
}
