//! Whether a device is asked like any other: strikes, and probes once it has enough.
//!
//! A device that does not answer costs a request's whole deadline, every time. After
//! some silences it is only probed from time to time, and the first answer takes it
//! back. Silences of one moment are one strike, and while many devices are silent at
//! once none of them gets one: then the network or this machine is choked, and healthy
//! devices are late.

use std::time::Duration;

use tokio::time::Instant;

/// So many of the last silences and answers that count.
const OF: u32 = 4;

/// So many silences among them, and a device is only probed.
const STRIKES: u32 = 3;

/// Silences closer together than this are one.
const ONE_SILENCE: Duration = Duration::from_secs(5);

/// How often a device that does not answer is probed.
pub(super) const PROBE_EVERY: Duration = Duration::from_secs(10);

/// What is remembered of one device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Health {
    /// The last that count, newest in the lowest bit; set is a silence.
    silences: u32,
    silent_at: Option<Instant>,
    probed_at: Option<Instant>,
    parked: bool,
}

impl Health {
    /// It answered, whatever it said.
    pub(super) fn answered(&mut self) {
        self.silences = match self.parked {
            // One answer to a probe closes the breaker; the past is forgiven.
            true => 0,
            false => (self.silences << 1) & mask(),
        };
        self.parked = false;
        self.silent_at = None;
    }

    /// It did not answer; `choked` where many others did not either.
    pub(super) fn silent(&mut self, now: Instant, choked: bool) {
        if self.silent_at.is_some_and(|at| now < at + ONE_SILENCE) {
            return;
        }
        self.silent_at = Some(now);
        if choked {
            return;
        }
        self.silences = (self.silences << 1 | 1) & mask();
        self.parked |= self.silences.count_ones() >= STRIKES;
    }

    /// Whether it is only probed.
    pub(super) fn is_parked(&self) -> bool {
        self.parked
    }

    /// Whether it was silent when it was asked last, and is asked like any other.
    pub(super) fn is_silent(&self) -> bool {
        self.silent_at.is_some() && !self.parked
    }

    /// Whether it answered whenever it was asked of late.
    pub(super) fn is_well(&self) -> bool {
        self.silences == 0
    }

    /// When it may be asked next: at once, or when its next probe is due.
    pub(super) fn asked_from(&self, now: Instant) -> Instant {
        match (self.parked, self.probed_at) {
            (true, Some(at)) => at + PROBE_EVERY,
            (true, None) | (false, _) => now,
        }
    }

    /// It is asked now.
    pub(super) fn asks(&mut self, now: Instant) {
        if self.parked {
            self.probed_at = Some(now);
        }
    }
}

fn mask() -> u32 {
    (1 << OF) - 1
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::Health;

    /// `.` is an answer, `x` a silence, `o` one among many, `_` ten seconds.
    fn parked_after(story: &str) -> bool {
        let (mut health, mut now) = (Health::default(), Instant::now());
        for what in story.chars() {
            match what {
                '.' => health.answered(),
                'x' => health.silent(now, false),
                'o' => health.silent(now, true),
                _ => now += Duration::from_secs(10),
            }
        }
        health.is_parked()
    }

    #[test]
    fn three_silences_of_four_park_a_device_and_one_answer_takes_it_back() {
        for (story, parked) in [
            ("x_x", false),
            ("x_x_x", true),
            ("x_._x_x", true),
            ("x_._x_._x_._x", false),
            ("x_x_x_.", false),
            // Taken back, it has all its strikes again.
            ("x_x_x_._x_x", false),
            // Late many times in one moment is late once.
            ("xxxxxxxx", false),
            ("xxx_xxx", false),
            ("o_o_o_o", false),
            ("o_x_o_x_o_x", true),
        ] {
            assert_eq!(parked_after(story), parked, "{story}");
        }
    }
}
