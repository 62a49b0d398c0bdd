//! What a living run says as it goes, to standard error: text for a person, or a
//! line of JSON an event.
//!
//! **Invariant:** whoever reads the log cannot hold up the loop. Lines go through a
//! bounded queue to a thread of their own; when the reader has stopped and the queue is
//! full, lines are lost and counted. What must not be lost is in the journal.

use std::io;
use std::sync::OnceLock;

use clap::ValueEnum;
use engine::{Notice, Output, capacity};
use tracing::{Level, info, warn};
use tracing_appender::non_blocking::{
    ErrorCounter, NonBlocking, NonBlockingBuilder, WorkerGuard,
};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// How a run's log is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Log {
    /// Lines for a person.
    #[default]
    Text,
    /// One JSON object a line, for programs.
    Json,
}

/// How many lines wait at most for whoever reads them: some minutes of a busy site, and
/// a few megabytes.
const LINES_WAITING_MAX: usize = 16_384;

/// Counts the lines that nobody took, since the log began.
static LOST: OnceLock<ErrorCounter> = OnceLock::new();

/// Keeps the log going. Dropped, it writes what still waits, for a second at most.
#[derive(Debug)]
#[must_use = "the log ends when this is dropped"]
pub struct Kept {
    _writer: WorkerGuard,
}

/// Begins to log, for the whole process.
///
/// Our own events from `info` on, those of what we build on from `warn` on.
pub fn start(log: Log) -> Kept {
    let (lines, kept) = queue_to(io::stderr());
    let targets = Targets::new().with_default(Level::WARN).with_target("mw", Level::INFO);
    let registry = tracing_subscriber::registry().with(targets);
    // In tests several runs share a process; the first one's log is everybody's.
    LOST.get_or_init(|| lines.error_counter());
    let started = match log {
        Log::Text => {
            let layer =
                fmt::layer().with_writer(lines).with_ansi(false).with_target(false);
            registry.with(layer).try_init()
        }
        Log::Json => {
            let layer = fmt::layer()
                .json()
                .flatten_event(true)
                .with_current_span(false)
                .with_span_list(false)
                .with_writer(lines);
            registry.with(layer).try_init()
        }
    };
    drop(started);
    Kept { _writer: kept }
}

/// Lines that were lost because nobody took them.
pub fn lines_lost() -> u64 {
    LOST.get().map_or(0, |lost| lost.dropped_lines() as u64)
}

/// A queue of lines that nobody waits for, and its end.
fn queue_to(end: impl io::Write + Send + 'static) -> (NonBlocking, WorkerGuard) {
    NonBlockingBuilder::default()
        .lossy(true)
        .buffered_lines_limit(LINES_WAITING_MAX)
        .thread_name("log")
        .finish(end)
}

/// Says what came out of the engine, as far as a person who reads along wants to
/// know. Alarms are said where they are told.
pub(super) fn said(output: &Output) {
    match output {
        Output::Dispatch(dispatch) => {
            let (start, asked) = (dispatch.interval.start, dispatch.net());
            info!(
                event = "decided",
                generation = dispatch.generation,
                dispatch = %start,
                emergency = dispatch.emergency,
                asked_mw = asked.to_mw_text(6),
                import_limit_mw = dispatch.import_limit.to_mw_text(6),
            );
        }
        Output::Orders(batch) => {
            let loads = batch.orders.len();
            info!(event = "ordered", generation = batch.generation, loads);
        }
        Output::Notice(Notice::Accepted(accepted)) => {
            info!(event = "accepted", request = ?accepted.request);
        }
        Output::Notice(notice) => warn!(event = "notice", notice = ?notice),
        Output::Estate(capacity::Output::Notice { text, .. }) => {
            warn!(event = "racks", notice = text);
        }
        Output::ReadBack(_)
        | Output::Keep(_)
        | Output::Metered(_)
        | Output::Alarm(_)
        | Output::Estate(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::sync::mpsc;

    use super::*;

    /// A reader that takes nothing until it is let go.
    struct Stopped(mpsc::Receiver<()>);

    impl io::Write for Stopped {
        fn write(&mut self, line: &[u8]) -> io::Result<usize> {
            // An error says that the test is over, and nothing else is ever said.
            assert!(self.0.recv().is_err());
            Ok(line.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_has_stopped_holds_nobody_up() {
        let (let_go, stopped) = mpsc::channel();
        let (mut lines, kept) = queue_to(Stopped(stopped));
        let lost = lines.error_counter();
        let all = LINES_WAITING_MAX + 100;
        for _ in 0..all {
            lines.write_all(b"a line\n").expect("a queue takes or drops");
        }
        // One line is in the reader's hands, or none yet.
        assert!((99..=100).contains(&lost.dropped_lines()), "{}", lost.dropped_lines());
        drop((let_go, kept));
    }
}
