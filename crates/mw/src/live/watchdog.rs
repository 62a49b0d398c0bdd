//! Ends the process when its loop does not come round.
//!
//! A process that hangs holds no lease: machines fall to their fail-safe levels by
//! themselves. Ending it lets whoever supervises it start another.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How long one turn of the loop may take.
const TURN_MAX: Duration = Duration::from_secs(30);

/// The exit code of a process that was ended because it hung: that of an abort.
pub const EXIT_HUNG: i32 = 134;

/// Sees whether the loop comes round.
#[derive(Clone, Debug)]
pub struct Watchdog {
    since: Instant,
    last: Arc<AtomicU64>,
}

impl Watchdog {
    /// Starts to watch, in a thread of its own.
    pub fn start() -> Self {
        let dog = Self { since: Instant::now(), last: Arc::new(AtomicU64::new(0)) };
        let watching = dog.clone();
        std::thread::spawn(move || watching.watch());
        notify("READY=1");
        dog
    }

    /// The loop came round.
    pub fn came_round(&self) {
        let now = self.since.elapsed().as_millis() as u64;
        let before = self.last.swap(now, Ordering::Relaxed);
        if now / 1_000 != before / 1_000 {
            notify("WATCHDOG=1");
        }
    }

    #[expect(clippy::disallowed_methods, reason = "a thread that does nothing but watch")]
    fn watch(&self) {
        loop {
            std::thread::sleep(Duration::from_secs(1));
            let last = Duration::from_millis(self.last.load(Ordering::Relaxed));
            if self.since.elapsed().saturating_sub(last) > TURN_MAX {
                tracing::error!(event = "hung", "the loop did not come round; ending");
                std::process::exit(EXIT_HUNG);
            }
        }
    }
}

/// Tells a supervisor that listens, such as systemd, over its socket.
fn notify(state: &str) {
    if let Some(path) = std::env::var_os("NOTIFY_SOCKET")
        && let Ok(socket) = std::os::unix::net::UnixDatagram::unbound()
    {
        // Nobody may be listening any more.
        drop(socket.send_to(state.as_bytes(), path));
    }
}
