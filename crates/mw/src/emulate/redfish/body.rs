//! What a tray does in time: it boots, its GPUs ramp to their limits, it shuts down.
//!
//! Invariant: a function of what was asked and of the time that passed; no clock.

use super::disks::Disks;

/// How long things take.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Timing {
    /// From a reset that was accepted to its first effect, in seconds.
    pub reset_s: f64,
    /// From power on to GPUs that answer.
    pub gpus_s: f64,
    /// From power on to a system that runs.
    pub boot_s: f64,
    /// From an orderly shutdown to power off.
    pub shutdown_s: f64,
    /// How fast a GPU follows its limit, in watts a second.
    pub ramp: f64,
    /// How long a drive takes to be erased.
    pub erase_s: f64,
}

impl Timing {
    /// As real trays take it. Boot in minutes is `[U]`, common knowledge; the rest is
    /// of its order.
    pub const REALISTIC: Self = Self {
        reset_s: 4.0,
        gpus_s: 150.0,
        boot_s: 240.0,
        shutdown_s: 45.0,
        ramp: 200.0,
        erase_s: 30.0,
    };

    /// For tests and demonstrations.
    pub const FAST: Self = Self {
        reset_s: 0.2,
        gpus_s: 0.6,
        boot_s: 1.2,
        shutdown_s: 0.4,
        ramp: 4_000.0,
        erase_s: 0.6,
    };
}

/// How fast a GPU whose power is smoothed follows its limit, in watts a second: the
/// default of a captured GB300.
const SMOOTHED: f64 = 20.0;

/// What a tray is made of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TraySpec {
    /// How many GPUs.
    pub gpus: usize,
    /// The least limit of one, in watts.
    pub gpu_least: f64,
    /// The most.
    pub gpu_most: f64,
    /// What the whole tray draws while off.
    pub standby: f64,
    /// What it draws beside its GPUs while on.
    pub beside: f64,
}

impl TraySpec {
    /// A GB300 tray of a rack that draws so much at full power and at rest, in watts:
    /// what is not of its GPUs is shared out over its trays.
    pub fn gb300(rack_full: f64, rack_standby: f64, trays: usize) -> Self {
        let (gpus, gpu_most, trays) = (4, 1_400.0, trays as f64);
        let beside = (rack_full / trays - gpus as f64 * gpu_most).max(100.0);
        Self { gpus, gpu_least: 200.0, gpu_most, standby: rack_standby / trays, beside }
    }
}

/// Where a tray is between off and on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Power {
    /// Off.
    Off,
    /// On since so many seconds.
    On(f64),
}

/// A tray.
#[derive(Clone, Debug)]
pub(super) struct Body {
    pub(super) spec: TraySpec,
    timing: Timing,
    pub(super) power: Power,
    /// A change of power that was accepted, and the seconds until it happens.
    pending: Option<(f64, bool)>,
    pub(super) gpus: Vec<Gpu>,
    /// What it starts from the next time, that one alone.
    pub(super) once: Option<From>,
    /// What it was started from.
    from: From,
    /// Whether an override does nothing.
    pub(super) ignores_override: bool,
    pub(super) disks: Disks,
}

/// What a system is started from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum From {
    /// What it is always started from: an image of the site's, that writes nothing.
    Usual,
    /// What the network gives it: a tenant's image, that writes to every drive.
    Network,
    /// Nothing: a person may set it up.
    Setup,
}

/// One GPU.
#[derive(Clone, Copy, Debug)]
pub(super) struct Gpu {
    /// Its limit.
    pub(super) set: f64,
    /// What it draws.
    pub(super) draw: f64,
    /// Whether its power is smoothed.
    pub(super) smoothed: bool,
    /// What it has drawn so far, in joules.
    pub(super) joules: f64,
    pub(super) missing: bool,
}

/// The longest step of time, so that a ramp is a ramp.
const STEP: f64 = 0.25;

impl Body {
    pub(super) fn off(spec: TraySpec, timing: Timing) -> Self {
        let gpu = Gpu {
            set: spec.gpu_most,
            draw: 0.0,
            smoothed: false,
            joules: 0.0,
            missing: false,
        };
        let gpus = vec![gpu; spec.gpus];
        Self {
            spec,
            timing,
            power: Power::Off,
            pending: None,
            gpus,
            once: None,
            from: From::Usual,
            ignores_override: false,
            disks: Disks::default(),
        }
    }

    /// As it is after hours at full power.
    pub(super) fn found_working(&mut self) {
        self.pending = None;
        self.switch(true);
        self.advance(7_200.0);
    }

    /// Lets seconds pass; says whether the power changed.
    pub(super) fn advance(&mut self, seconds: f64) -> bool {
        let mut changed = false;
        let mut left = seconds.max(0.0);
        while left > 0.0 {
            // A pause of hours is one step: everything has long settled.
            let step = if left > 3_600.0 { left } else { left.min(STEP) };
            left -= step;
            changed |= self.pass(step);
        }
        changed
    }

    fn pass(&mut self, step: f64) -> bool {
        let mut changed = false;
        if let Power::On(since) = &mut self.power {
            *since += step;
        }
        if let Some((left, on)) = self.pending {
            let left = left - step;
            self.pending = (left > 0.0).then_some((left, on));
            if left <= 0.0 {
                self.switch(on);
                changed = true;
            }
        }
        let works = self.is_working();
        if works && self.from == From::Network {
            self.disks.write();
        }
        if self.power != Power::Off {
            self.disks.pass(step);
        }
        for gpu in &mut self.gpus {
            let wants = if works && !gpu.missing { gpu.set } else { 0.0 };
            let rate = if gpu.smoothed && works { SMOOTHED } else { self.timing.ramp };
            let most = rate * step;
            gpu.draw += (wants - gpu.draw).clamp(-most, most);
            gpu.joules += gpu.draw * step;
        }
        changed
    }

    fn switch(&mut self, on: bool) {
        self.power = if on { Power::On(0.0) } else { Power::Off };
        if on {
            let once = if self.ignores_override { None } else { self.once.take() };
            self.from = once.unwrap_or(From::Usual);
        }
        for gpu in &mut self.gpus {
            // Limits are of this life alone.
            gpu.set = self.spec.gpu_most;
            gpu.draw = 0.0;
        }
    }

    /// Accepts a reset; nothing happens yet.
    pub(super) fn reset(&mut self, kind: &str) -> Result<(), &'static str> {
        let delay = self.timing.reset_s;
        let shutdown = self.timing.shutdown_s;
        let on = self.power != Power::Off;
        self.pending = match kind {
            "On" if on => None,
            "On" => Some((delay, true)),
            "ForceOff" if on => Some((delay, false)),
            "GracefulShutdown" if on => Some((delay + shutdown, false)),
            "ForceOff" | "GracefulShutdown" => None,
            "GracefulRestart" | "ForceRestart" | "PowerCycle" => Some((delay, true)),
            _ => return Err("the kind of reset is not one that this system has"),
        };
        Ok(())
    }

    /// Whether its GPUs can be asked.
    pub(super) fn has_gpus(&self) -> bool {
        matches!(self.power, Power::On(since) if since >= self.timing.gpus_s)
    }

    /// Whether its system runs.
    pub(super) fn is_working(&self) -> bool {
        self.has_started() && self.from != From::Setup
    }

    /// Whether it waits in its setup.
    pub(super) fn is_set_up(&self) -> bool {
        self.has_started() && self.from == From::Setup
    }

    /// Whether its tenant's image runs.
    pub(super) fn runs_image(&self) -> bool {
        self.has_started() && self.from == From::Network
    }

    fn has_started(&self) -> bool {
        matches!(self.power, Power::On(since) if since >= self.timing.boot_s)
    }

    /// How long it takes to be there once it has power, in whole seconds.
    pub(super) fn starts_in(&self) -> i64 {
        self.timing.boot_s.ceil() as i64
    }

    /// Begins to erase a drive; the number of the task.
    pub(super) fn erase(&mut self, drive: usize) -> Result<usize, &'static str> {
        match self.power {
            Power::Off => Err("the drive has no power"),
            Power::On(_) => self.disks.erase(drive, self.timing.erase_s),
        }
    }

    /// What it draws at the plug, in watts.
    pub(super) fn draw(&self) -> f64 {
        match self.power {
            Power::Off => self.spec.standby,
            Power::On(_) => self.spec.beside + self.gpu_draw(),
        }
    }

    pub(super) fn gpu_draw(&self) -> f64 {
        self.gpus.iter().map(|gpu| gpu.draw).sum()
    }

    /// The most that it is set to draw: nothing above standby while off.
    pub(super) fn set(&self) -> f64 {
        match self.power {
            Power::Off => self.spec.standby,
            Power::On(_) => {
                let gpus = self.gpus.iter().filter(|gpu| !gpu.missing);
                self.spec.beside + gpus.map(|gpu| gpu.set).sum::<f64>()
            }
        }
    }

    /// How hot a GPU is: it follows its draw.
    pub(super) fn celsius(&self, gpu: usize) -> f64 {
        33.0 + self.gpus[gpu].draw * 0.03
    }
}

#[cfg(test)]
mod tests {
    use super::{Body, From, Power, Timing, TraySpec};

    fn tray(timing: Timing) -> Body {
        Body::off(TraySpec::gb300(132_000.0, 20_000.0, 18), timing)
    }

    #[test]
    fn a_rack_of_these_trays_draws_what_its_model_does() {
        let mut tray = tray(Timing::FAST);
        assert_eq!((tray.draw() * 18.0).round(), 20_000.0);
        tray.reset("On").expect("a kind");
        tray.advance(60.0);
        assert_eq!((tray.draw() * 18.0).round(), 132_000.0);
    }

    #[test]
    fn a_reset_is_accepted_first_and_happens_later() {
        let mut tray = tray(Timing::REALISTIC);
        tray.reset("On").expect("a kind");
        assert_eq!(tray.power, Power::Off);
        tray.advance(5.0);
        assert!(tray.power != Power::Off && !tray.has_gpus());
        tray.advance(160.0);
        assert!(tray.has_gpus() && !tray.is_working());
        tray.advance(100.0);
        assert!(tray.is_working());
    }

    #[test]
    fn a_limit_is_followed_on_a_ramp_and_forgotten_at_a_reset() {
        let mut tray = tray(Timing::REALISTIC);
        tray.reset("On").expect("a kind");
        tray.advance(400.0);
        tray.gpus[0].smoothed = true;
        tray.gpus.iter_mut().for_each(|gpu| gpu.set = 700.0);
        tray.advance(10.0);
        // Smoothed: 20 W/s, so that 700 W take 35 s. Not smoothed: 200 W/s.
        assert_eq!(tray.gpus[0].draw.round(), 1_200.0);
        assert_eq!(tray.gpus[1].draw.round(), 700.0);
        tray.advance(26.0);
        assert_eq!(tray.gpus[0].draw.round(), 700.0);
        tray.reset("ForceRestart").expect("a kind");
        tray.advance(5.0);
        assert_eq!(tray.gpus[0].set, 1_400.0);
    }

    #[test]
    fn an_override_is_for_one_start() {
        let mut tray = tray(Timing::FAST);
        for (once, images, setups) in
            [(Some(From::Network), true, false), (Some(From::Setup), false, true)]
        {
            tray.once = once;
            tray.reset("PowerCycle").expect("a kind");
            tray.advance(2.0);
            assert_eq!((tray.runs_image(), tray.is_set_up()), (images, setups));
            assert_eq!(tray.once, None);
        }
        assert!(tray.disks.is_written(), "the tenant's image wrote");
        tray.reset("PowerCycle").expect("a kind");
        tray.advance(2.0);
        assert!(tray.is_working() && !tray.runs_image());
    }
}
