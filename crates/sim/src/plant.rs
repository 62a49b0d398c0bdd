//! The site's machines as they would behave: a group of like machines is one
//! device that does what it is told at once, warms up before it hashes, and is
//! metered to the joule.

use engine::site::{Battery, LoadIx, LoadKind, Machines, Rate};
use engine::{Observed, OrderBatch, Reading, Receipt, Setpoint, Site, Sweep, Work};
use units::{
    Energy, GpuSeconds, HashRate, Hashes, Interval, Power, Pue, Seconds, Share,
    Temperature, Timestamp,
};

/// Every machine of a site.
#[derive(Clone, Debug)]
pub struct Plant {
    site: Site,
    devices: Vec<Device>,
    outside: Option<Temperature>,
    now: Timestamp,
}

/// One load's machines.
#[derive(Clone, Debug)]
struct Device {
    setpoint: Setpoint,
    /// The overhead of its hall in the weather of now.
    pue: Pue,
    /// What it draws at the meter now.
    power: Power,
    /// Machines that draw power and do not hash yet, oldest first.
    warming: Vec<Warming>,
    /// Machines started so far.
    starts: u64,
    energy: Energy,
    hashes: Hashes,
    gpu: GpuSeconds,
    stored: Energy,
}

#[derive(Clone, Copy, Debug)]
struct Warming {
    until: Timestamp,
    machines: u32,
}

impl Plant {
    /// Every machine of `site` at rest, from `now` on.
    pub fn at_rest(site: Site, now: Timestamp) -> Self {
        let devices = (0..site.loads.len())
            .map(|load| {
                let (setpoint, stored) = match &site.loads[load].kind {
                    LoadKind::Rigs(_) | LoadKind::Racks(_) => {
                        (Setpoint::Level(0), Energy::ZERO)
                    }
                    LoadKind::Battery(battery) => {
                        (Setpoint::Power(Power::ZERO), battery.stored_first)
                    }
                };
                Device {
                    setpoint,
                    pue: site.pue_of(load, None),
                    power: site.power_at(load, setpoint, None),
                    warming: Vec::new(),
                    starts: 0,
                    energy: Energy::ZERO,
                    hashes: Hashes::ZERO,
                    gpu: GpuSeconds::ZERO,
                    stored,
                }
            })
            .collect();
        Self { site, devices, outside: None, now }
    }

    /// The weather changes from now on.
    pub fn weather(&mut self, outside: Option<Temperature>) {
        if outside == self.outside {
            return;
        }
        self.outside = outside;
        for (load, device) in self.devices.iter_mut().enumerate() {
            device.pue = self.site.pue_of(load, outside);
            device.power = power_of(&self.site, load, device);
        }
    }

    /// Carries out a batch of orders now, and says where each load stands.
    pub fn obey(&mut self, batch: &OrderBatch) -> Receipt {
        for order in &batch.orders {
            self.set(order.load, order.setpoint);
        }
        self.look_at(batch.orders.iter().map(|order| order.load))
    }

    /// Puts one load at a setpoint now.
    pub fn set(&mut self, load: LoadIx, setpoint: Setpoint) {
        let device = &mut self.devices[load];
        if let (Setpoint::Level(from), Setpoint::Level(to)) = (device.setpoint, setpoint)
            && let Some(machines) = self.site.loads[load].machines()
        {
            let (from, to) = (machines.running(from), machines.running(to));
            let restart = match &self.site.loads[load].kind {
                LoadKind::Rigs(rigs) => rigs.restart,
                LoadKind::Racks(_) | LoadKind::Battery(_) => Seconds::ZERO,
            };
            device.run(from, to, self.now + restart, restart);
        }
        device.setpoint = setpoint;
        device.power = power_of(&self.site, load, device);
    }

    /// Where loads stand now.
    pub fn look_at(&self, loads: impl IntoIterator<Item = LoadIx>) -> Receipt {
        let seen =
            |load: LoadIx| Observed { load, setpoint: self.devices[load].setpoint };
        Receipt {
            observed_at: self.now,
            observed: loads.into_iter().map(seen).collect(),
            surveys: Vec::new(),
        }
    }

    /// Lets time pass.
    pub fn advance(&mut self, to: Timestamp) {
        assert!(to >= self.now, "time passes forwards");
        let from = self.now;
        for (load, device) in self.devices.iter_mut().enumerate() {
            device.energy += device.power * (to - from);
            match &self.site.loads[load].kind {
                LoadKind::Rigs(rigs) => device.hash(&rigs.machines, from, to),
                LoadKind::Racks(racks) => {
                    device.gpu += served(
                        &racks.machines,
                        device.level(),
                        racks.gpus_per_rack,
                        to - from,
                    );
                }
                LoadKind::Battery(battery) => device.store(battery, to - from),
            }
        }
        self.now = to;
    }

    /// Reads every meter over the time since the last sweep, and starts anew.
    pub fn sweep(&mut self, during: Interval) -> Sweep {
        let mut readings = Vec::with_capacity(self.devices.len());
        for (load, device) in self.devices.iter_mut().enumerate() {
            let work = match &self.site.loads[load].kind {
                LoadKind::Rigs(_) => Work::Hashes(std::mem::take(&mut device.hashes)),
                LoadKind::Racks(_) => Work::Gpu(std::mem::take(&mut device.gpu)),
                LoadKind::Battery(_) => Work::Stored(device.stored),
            };
            readings.push(Reading {
                load,
                energy: std::mem::take(&mut device.energy),
                work,
            });
        }
        let site = readings.iter().map(|reading| reading.energy).sum();
        Sweep { during, site: Some(site), readings }
    }

    /// What a load draws at the meter now.
    pub fn power(&self, load: LoadIx) -> Power {
        self.devices[load].power
    }

    /// Where a load stands now.
    pub fn setpoint(&self, load: LoadIx) -> Setpoint {
        self.devices[load].setpoint
    }

    /// How many machines of a load were started so far.
    pub fn starts(&self, load: LoadIx) -> u64 {
        self.devices[load].starts
    }

    /// The time it is.
    pub fn now(&self) -> Timestamp {
        self.now
    }
}

fn power_of(site: &Site, load: LoadIx, device: &Device) -> Power {
    match (device.setpoint, site.loads[load].machines()) {
        (Setpoint::Level(level), Some(machines)) => {
            device.pue.at_meter(machines.power_at(level))
        }
        (Setpoint::Level(_), None) => Power::ZERO,
        (Setpoint::Power(power), _) => power,
    }
}

/// GPU time served: a rack below full power serves its share.
fn served(
    machines: &Machines,
    level: u32,
    gpus_per_rack: u32,
    duration: Seconds,
) -> GpuSeconds {
    let mut share_of_racks = Share::ZERO;
    let mut below = Share::ZERO;
    for (at, point) in machines.points.iter().enumerate() {
        let Rate::Throughput(share) = point.rate else {
            continue;
        };
        let gained = share - below;
        let taken = i64::from(machines.taken(level, at));
        share_of_racks += Share::from_ppm(gained.as_ppm() * taken);
        below = share;
    }
    let full = GpuSeconds::of(i64::from(gpus_per_rack), duration);
    GpuSeconds::from_seconds(
        (i128::from(full.as_seconds()) * i128::from(share_of_racks.as_ppm()) / 1_000_000)
            as i64,
    )
}

impl Device {
    fn level(&self) -> u32 {
        match self.setpoint {
            Setpoint::Level(level) => level,
            Setpoint::Power(_) => 0,
        }
    }

    /// Moves from so many running machines to so many. The last started are the
    /// first to stop.
    fn run(&mut self, from: u32, to: u32, warm_at: Timestamp, restart: Seconds) {
        if to > from {
            self.starts += u64::from(to - from);
            if restart > Seconds::ZERO {
                self.warming.push(Warming { until: warm_at, machines: to - from });
            }
        }
        let mut stopping = from.saturating_sub(to);
        while stopping > 0
            && let Some(last) = self.warming.last_mut()
        {
            let stopped = last.machines.min(stopping);
            last.machines -= stopped;
            stopping -= stopped;
            if last.machines == 0 {
                self.warming.pop();
            }
        }
    }

    /// Hashes from `from` to `to`, each machine from when it is warm.
    fn hash(&mut self, machines: &Machines, from: Timestamp, to: Timestamp) {
        let mut at = from;
        while at < to {
            self.warming.retain(|warming| warming.until > at);
            let next = self.warming.iter().map(|warming| warming.until).min();
            let until = next.map_or(to, |next| next.min(to));
            let warming: u32 = self.warming.iter().map(|warming| warming.machines).sum();
            self.hashes += hash_rate(machines, self.level(), warming) * (until - at);
            at = until;
        }
    }

    fn store(&mut self, battery: &Battery, duration: Seconds) {
        let joules = i128::from((self.power * duration).as_joules());
        let gained = if joules >= 0 {
            joules * i128::from(battery.charge_efficiency.as_ppm()) / 1_000_000
        } else {
            joules * 1_000_000 / i128::from(battery.discharge_efficiency.as_ppm())
        };
        let gained = i64::try_from(gained).expect("an interval's energy fits in 64 bits");
        self.stored += Energy::from_joules(gained);
    }
}

/// What a group hashes at `level` while its `warming` last machines do not.
fn hash_rate(machines: &Machines, level: u32, warming: u32) -> HashRate {
    let warm = machines.running(level) - warming;
    let mut total = HashRate::ZERO;
    let mut below = HashRate::ZERO;
    for (at, point) in machines.points.iter().enumerate() {
        let Rate::Hash(rate) = point.rate else {
            continue;
        };
        total += (rate - below).times(i64::from(machines.taken(level, at).min(warm)));
        below = rate;
    }
    total
}
