//! Running one site through one future, hour by hour, by the engine's kernel.
//!
//! An hour is decided on what was known when it began: the price then, yesterday's
//! hashprice and rent, and on how likely it is to be a month's peak. It is paid at what
//! it settles at. Adders and fixed-price blocks are taken as they are when a UTC day
//! begins.

use engine::decide::Kernel;
use engine::site::{LoadIx, LoadKind, Machines, Rate, Terms};
use settle::mining;
use units::{
    EnergyPrice, GpuHourPrice, GpuSeconds, Hashes, Money, Seconds, Share, Timestamp,
};

use crate::cash::{Line, Month};
use crate::charged::Meter;
use crate::markets::{Markets, Peaks};
use crate::path::{Use, UseTotals};
use crate::terms::{Place, Plan};

/// What becomes of a load on a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Becomes {
    /// It is taken away.
    Gone,
    /// It stands there: racks serve whom the site says.
    There,
    /// Racks stand there and are let by the hour.
    Let,
}

/// Something that happens to a load at the beginning of a UTC day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Happening {
    /// When.
    pub at: Timestamp,
    /// To which load.
    pub load: LoadIx,
    /// What it becomes.
    pub becomes: Becomes,
}

/// What running the site came to.
#[derive(Clone, Debug)]
pub(crate) struct Ran {
    /// By use, over all months.
    pub(crate) uses: [UseTotals; Use::ALL.len()],
    /// Power of racks under contract, by month: a cost below nought.
    pub(crate) contract_power: Vec<Money>,
    /// Running of racks under contract, by month: a cost below nought.
    pub(crate) contract_running: Vec<Money>,
    /// Rig capacity that stood idle, and what its energy cost at settlement.
    pub(crate) idle_wh: i128,
    pub(crate) idle_value_usd: f64,
    /// What markets were like, by month, as far as they were run.
    pub(crate) markets: Vec<MonthMarket>,
    /// What was metered of deals whose tenant pays for power, in their order.
    pub(crate) meters: Vec<Meter>,
}

/// What markets were like in a month, and how much was mined.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct MonthMarket {
    pub(crate) hours: u64,
    pub(crate) days: u64,
    /// Sums over hours and days.
    pub(crate) price_usd_per_mwh: f64,
    pub(crate) hashprice_usd_per_ph_day: f64,
    /// On the last day.
    pub(crate) coin_usd: f64,
    pub(crate) mining_wh: i128,
}

/// Sums over hours, exact: price in millionths a MWh times watts.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    watt_hours: [i128; Use::ALL.len()],
    cost: [i128; Use::ALL.len()],
}

/// Draw and yield of every use as loads stand.
#[derive(Clone, Copy, Debug, Default)]
struct Standing {
    watts: [i64; Use::ALL.len()],
    gigahashes: i64,
    /// Rigs at full draw.
    rig_watts_max: i64,
    /// Whether any racks are let.
    lets: bool,
}

struct Site<'a> {
    plan: &'a Plan,
    place: &'a Place,
    kernel: Kernel,
    there: Vec<Option<Becomes>>,
    standing: Standing,
    /// Machines that run, by load.
    running: Vec<u32>,
    /// GPU-hours let today, by load.
    let_hours: Vec<i64>,
}

/// Runs a path's hours at one site into `months`, in its markets, which begin on the first
/// of them.
pub(crate) fn run(
    plan: &Plan,
    number: usize,
    mut markets: Markets<'_>,
    mut peaks: Peaks<'_>,
    happenings: &[Happening],
    meters: Vec<Meter>,
    months: &mut [Month],
) -> Ran {
    let zone = plan.zone();
    let futures = &plan.futures;
    let place = &plan.sites[number];
    let shape = &place.site;
    let mut site = Site {
        plan,
        place,
        kernel: Kernel::new(shape.clone()),
        there: vec![None; shape.loads.len()],
        standing: Standing::default(),
        running: vec![0; shape.loads.len()],
        let_hours: vec![0; shape.loads.len()],
    };
    let mut ran = Ran {
        uses: Default::default(),
        contract_power: vec![Money::ZERO; months.len()],
        contract_running: vec![Money::ZERO; months.len()],
        idle_wh: 0,
        idle_value_usd: 0.0,
        markets: Vec::with_capacity(months.len()),
        meters,
    };
    let mut happenings = happenings.iter().peekable();
    let mut hashprice_known = None;
    let mut rent_known = futures.rental.price_usd_per_gpu_hour;
    for (place, month) in months.iter_mut().enumerate() {
        let during = zone.month(plan.period(place));
        let mut sums = Sums::default();
        let mut market = MonthMarket::default();
        let mut block_price = 0_i128;
        let mut at = during.start;
        while at < during.end {
            // What the day before showed is what is known.
            let today = markets.next_day();
            let hashprice = today.hashprice;
            while let Some(next) = happenings.next_if(|next| next.at <= at) {
                site.there[next.load] =
                    (next.becomes != Becomes::Gone).then_some(next.becomes);
                site.kernel.set_present(next.load, next.becomes != Becomes::Gone);
            }
            site.kernel.set_hashprice(Some(hashprice_known.unwrap_or(hashprice)));
            site.let_at(rent_known, futures.let_share);
            site.look();
            let adders = shape.tariff.adders_at(at);
            let blocks = blocks_at(shape, at);
            let mut gigahash_hours = 0_i128;

            for (hour, drawn) in today.hours.iter().enumerate() {
                let hour_of_day = today.hour_of_day(hour);
                let peak = plan.peak_adder(number, at, hour_of_day);
                let known = micro(drawn.known);
                let settled = micro(drawn.settled);
                if site.kernel.decide(known + adders + peak) {
                    gigahash_hours -= site.starts(month);
                    site.look();
                }
                let standing = &site.standing;
                let cost = i128::from((settled + adders).as_micro_usd_per_mwh());
                for of in 0..Use::ALL.len() {
                    let watts = i128::from(standing.watts[of]);
                    sums.watt_hours[of] += watts;
                    sums.cost[of] += watts * cost;
                }
                gigahash_hours += i128::from(standing.gigahashes);
                let began = at + Seconds::hours(hour as i64);
                for meter in &mut ran.meters {
                    let all = standing.watts.iter().sum();
                    meter.note(began, (all, cost), settled, |load| site.serving(load));
                }
                if standing.lets {
                    site.let_an_hour();
                }
                let standing = &site.standing;
                let idle = standing.rig_watts_max - standing.watts[Use::Mining as usize];
                ran.idle_wh += i128::from(idle);
                ran.idle_value_usd += idle as f64 / 1e6 * drawn.settled;
                market.price_usd_per_mwh += drawn.settled;
                for (watts, price) in &blocks {
                    let gain = settled - *price;
                    block_price +=
                        i128::from(*watts) * i128::from(gain.as_micro_usd_per_mwh());
                }
                peaks.note(began, hour_of_day, site.kernel.draw());
            }

            let hashes = Hashes::from_gigahashes(gigahash_hours.max(0) * 3_600);
            let paid = mining::pay(hashes, hashprice, shape.pool_fee);
            month.add(Line::Mining, paid);
            ran.uses[Use::Mining as usize].earned += paid;
            site.let_out(today.rent_usd, month, &mut ran);
            site.run_a_day(during.duration(), month, &mut ran.contract_running[place]);
            hashprice_known = Some(hashprice);
            rent_known = today.rent_usd;
            market.hashprice_usd_per_ph_day += today.hashprice_usd_per_ph_day;
            market.coin_usd = today.coin_usd;
            market.hours += 24;
            market.days += 1;
            at = at + Seconds::hours(24);
        }
        for (of, used) in Use::ALL.into_iter().enumerate() {
            // Millionths a MWh times watt-hours, over a million watt-hours a MWh.
            let cost = money(sums.cost[of] / 1_000_000);
            let line =
                if used == Use::Mining { Line::PowerMining } else { Line::PowerRacks };
            month.add(line, -cost);
            ran.uses[of].power += cost;
            ran.uses[of].watt_hours +=
                i64::try_from(sums.watt_hours[of]).expect("a month's energy fits");
            if used == Use::Contract {
                ran.contract_power[place] = -cost;
            }
        }
        month.add(Line::Blocks, money(block_price / 1_000_000));
        month.add(Line::Peaks, peaks.charge(plan.period(place)));
        market.mining_wh = sums.watt_hours[Use::Mining as usize];
        ran.markets.push(market);
    }
    ran
}

/// What it costs to run a load that stands there for a day of a month of so many.
pub(crate) fn run_for_a_day(place: &Place, load: LoadIx, days: i64) -> Money {
    let shape = &place.site.loads[load];
    let Some(machines) = shape.machines() else { return Money::ZERO };
    let pue = place.site.pue_of(load, None);
    let watts = pue.at_meter(machines.ceiling()).as_watts();
    let per_mw = match &shape.kind {
        LoadKind::Rigs(_) => place.running.mining_per_mw_month,
        LoadKind::Racks(_) | LoadKind::Battery(_) => place.running.racks_per_mw_month,
    };
    let exact = i128::from(per_mw.as_micro_usd()) * i128::from(watts);
    money(exact / 1_000_000 / i128::from(days))
}

fn money(micro: i128) -> Money {
    Money::from_micro_usd(i64::try_from(micro).expect("a month's money fits 64 bits"))
}

/// A price in whole millionths.
fn micro(usd: f64) -> EnergyPrice {
    EnergyPrice::from_micro_usd_per_mwh((usd * 1e6) as i64)
}

/// Blocks in force, in watts and what they cost.
fn blocks_at(site: &engine::Site, at: Timestamp) -> Vec<(i64, EnergyPrice)> {
    let blocks = site.tariff.blocks.iter().filter(|block| block.during.contains(at));
    blocks.map(|block| (block.power.as_watts(), block.price)).collect()
}

/// The hashes a second that machines give at a level.
fn rate(machines: &Machines, level: u32) -> i64 {
    let of = |rate: Rate| match rate {
        Rate::Hash(rate) => rate.as_ghs(),
        Rate::Throughput(_) => 0,
    };
    let mut below = 0;
    let mut total = 0;
    for (at, point) in machines.points.iter().enumerate() {
        let own = of(point.rate);
        total += i64::from(machines.taken(level, at)) * (own - below);
        below = own;
    }
    total
}

impl MonthMarket {
    /// The month at several sites: coin and network are the same at each.
    pub(crate) fn together(sites: &[&Ran], month: usize) -> Self {
        let mut all = Self::default();
        for one in sites.iter().filter_map(|ran| ran.markets.get(month)) {
            all.hours += one.hours;
            all.days += one.days;
            all.price_usd_per_mwh += one.price_usd_per_mwh;
            all.hashprice_usd_per_ph_day += one.hashprice_usd_per_ph_day;
            all.coin_usd = one.coin_usd;
            all.mining_wh += one.mining_wh;
        }
        all
    }
}

impl Site<'_> {
    fn is_let(&self, load: LoadIx) -> bool {
        let uncommitted = matches!(
            &self.place.site.loads[load].kind,
            LoadKind::Racks(racks) if matches!(racks.terms, Terms::Uncommitted { .. })
        );
        match self.there[load] {
            Some(Becomes::Let) => true,
            Some(Becomes::There) => uncommitted,
            Some(Becomes::Gone) | None => false,
        }
    }

    /// The watts that racks draw for their tenant.
    fn serving(&self, load: LoadIx) -> i64 {
        let serves = self.there[load] == Some(Becomes::There);
        if serves { self.kernel.draws()[load].as_watts() } else { 0 }
    }

    /// Racks that are let earn yesterday's rent for as much of them as is let.
    fn let_at(&mut self, rent_usd: f64, share: Share) {
        let micro = rent_usd * share.as_ppm() as f64;
        let price = GpuHourPrice::from_micro_usd(micro.round() as i64);
        for load in 0..self.there.len() {
            if self.is_let(load) {
                // Nobody reserves them in a plan, so there is nothing to give notice of.
                let notice = Seconds::ZERO;
                self.kernel.set_terms(load, Terms::Uncommitted { price, notice });
            }
        }
    }

    /// Sums up how loads stand.
    fn look(&mut self) {
        let mut standing = Standing::default();
        for (load, shape) in self.place.site.loads.iter().enumerate() {
            let Some(machines) = shape.machines().filter(|_| self.there[load].is_some())
            else {
                self.running[load] = 0;
                continue;
            };
            let level = self.kernel.levels()[load];
            let watts = self.kernel.draws()[load].as_watts();
            self.running[load] = machines.running(level);
            let used = match &shape.kind {
                LoadKind::Rigs(_) => {
                    standing.gigahashes += rate(machines, level);
                    let pue = self.place.site.pue_of(load, None);
                    standing.rig_watts_max += pue.at_meter(machines.ceiling()).as_watts();
                    Use::Mining
                }
                LoadKind::Racks(_) if self.is_let(load) => {
                    standing.lets = true;
                    Use::Spot
                }
                LoadKind::Racks(_) | LoadKind::Battery(_) => Use::Contract,
            };
            standing.watts[used as usize] += watts;
        }
        self.standing = standing;
    }

    /// What machines started since the last look cost: wear, and gigahash-hours that
    /// they do not give while they warm up, which are returned.
    fn starts(&self, month: &mut Month) -> i128 {
        let mut lost = 0;
        for (load, shape) in self.place.site.loads.iter().enumerate() {
            let LoadKind::Rigs(rigs) = &shape.kind else { continue };
            if self.there[load].is_none() {
                continue;
            }
            let now = rigs.machines.running(self.kernel.levels()[load]);
            let started = now.saturating_sub(self.running[load]);
            if started > 0 {
                let wear = rigs.restart_cost.times(i64::from(started));
                month.add(Line::Running, -wear);
                let each = rate(&rigs.machines, rigs.machines.level_max())
                    / i64::from(rigs.machines.count.max(1));
                lost += i128::from(each)
                    * i128::from(started)
                    * i128::from(rigs.restart.as_seconds())
                    / 3_600;
            }
        }
        lost
    }

    /// Notes an hour of racks that are let.
    fn let_an_hour(&mut self) {
        for (load, shape) in self.place.site.loads.iter().enumerate() {
            if let (LoadKind::Racks(racks), true) = (&shape.kind, self.is_let(load)) {
                self.let_hours[load] +=
                    i64::from(self.running[load]) * i64::from(racks.gpus_per_rack);
            }
        }
    }

    /// A day of GPU-hours let, at the day's rent, as far as they are let.
    fn let_out(&mut self, rent_usd: f64, month: &mut Month, ran: &mut Ran) {
        let micro = rent_usd * self.plan.futures.let_share.as_ppm() as f64;
        let price = GpuHourPrice::from_micro_usd(micro.round() as i64);
        for hours in &mut self.let_hours {
            let earned = price.of(GpuSeconds::from_seconds(*hours * 3_600));
            *hours = 0;
            month.add(Line::Spot, earned);
            ran.uses[Use::Spot as usize].earned += earned;
        }
    }

    /// A day of what it costs to run what stands there, as its part of a month.
    fn run_a_day(&self, of: Seconds, month: &mut Month, contract: &mut Money) {
        let days = of.as_seconds() / 86_400;
        for (load, shape) in self.place.site.loads.iter().enumerate() {
            if self.there[load].is_none() {
                continue;
            }
            let under_contract =
                !matches!(shape.kind, LoadKind::Rigs(_)) && !self.is_let(load);
            let cost = run_for_a_day(self.place, load, days);
            month.add(Line::Running, -cost);
            if under_contract {
                *contract -= cost;
            }
        }
    }
}
