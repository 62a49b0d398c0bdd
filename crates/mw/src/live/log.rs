//! What a living run says as it goes, to standard error: text for a person, or a
//! line of JSON an event.

use std::io;

use clap::ValueEnum;
use engine::{Notice, Output};
use tracing::{Level, info, warn};
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

/// Begins to log, for the whole process.
///
/// Our own events from `info` on, those of what we build on from `warn` on.
pub fn start(log: Log) {
    let kept = Targets::new().with_default(Level::WARN).with_target("mw", Level::INFO);
    let registry = tracing_subscriber::registry().with(kept);
    let started = match log {
        Log::Text => {
            let layer =
                fmt::layer().with_writer(io::stderr).with_ansi(false).with_target(false);
            registry.with(layer).try_init()
        }
        Log::Json => {
            let layer = fmt::layer()
                .json()
                .flatten_event(true)
                .with_current_span(false)
                .with_span_list(false)
                .with_writer(io::stderr);
            registry.with(layer).try_init()
        }
    };
    // In tests several runs share a process; the first one's log is everybody's.
    drop(started);
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
        Output::ReadBack(_) | Output::Keep(_) | Output::Metered(_) | Output::Alarm(_) => {
        }
    }
}
