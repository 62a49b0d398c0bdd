//! Metrics for Prometheus and a health check, over HTTP.
//!
//! Base units, as its users expect: watts, seconds. No metric is kept a machine:
//! ten thousand of them belong in the journal.

use std::fmt::Write as _;
use std::net::{SocketAddr, TcpListener};

use anyhow::Context;
use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use tracing::warn;
use units::Power;

use super::log;
use super::status::{Board, Buckets, LoadStatus, MachineCounts, Status, Tally};

/// The content type of the text format.
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Serves `/metrics` and `/health` in a thread of its own until the process ends.
/// Returns where.
///
/// # Errors
///
/// When the address cannot be listened on.
pub fn serve(address: SocketAddr, board: Board) -> anyhow::Result<SocketAddr> {
    let cannot = || format!("cannot listen for metrics on {address}");
    let listener = TcpListener::bind(address).with_context(cannot)?;
    listener.set_nonblocking(true)?;
    let bound = listener.local_addr()?;
    let thread = std::thread::Builder::new().name("metrics".to_owned());
    thread.spawn(move || {
        let served: anyhow::Result<()> = (|| {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener)?;
                Ok(axum::serve(listener, router(board)).await?)
            })
        })();
        if let Err(error) = served {
            warn!(event = "metrics_ended", %error);
        }
    })?;
    Ok(bound)
}

fn router(board: Board) -> Router {
    let of_health = board.clone();
    Router::new()
        .route(
            "/metrics",
            get(async move || ([(header::CONTENT_TYPE, TEXT)], text_of(&board))),
        )
        .route("/health", get(async move || health(&of_health)))
}

fn health(board: &Board) -> impl IntoResponse + use<> {
    match board.trouble() {
        None => (StatusCode::OK, "ok\n".to_owned()),
        Some(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")),
    }
}

/// The metrics of a board in the text format.
fn text_of(board: &Board) -> String {
    let mut page = Page::default();
    page.family("build_info", "gauge", "The program that runs the site.");
    page.sample("build_info", &[("version", env!("CARGO_PKG_VERSION"))], 1);
    let tally = board.tally();
    page.counts(&tally);
    page.one(
        "log_lines_lost_total",
        "counter",
        "Lines of the log that were dropped because nobody took them.",
        log::lines_lost(),
    );
    if let Some(status) = board.status() {
        page.status(&status);
    }
    page.text
}

#[derive(Default)]
struct Page {
    text: String,
}

impl Page {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.text, "# HELP megawatt_{name} {help}");
        let _ = writeln!(self.text, "# TYPE megawatt_{name} {kind}");
    }

    fn sample(
        &mut self,
        name: &str,
        labels: &[(&str, &str)],
        value: impl std::fmt::Display,
    ) {
        let _ = write!(self.text, "megawatt_{name}");
        for (place, (label, value)) in labels.iter().enumerate() {
            let before = if place == 0 { '{' } else { ',' };
            let _ = write!(self.text, "{before}{label}=\"{}\"", escaped(value));
        }
        let after = if labels.is_empty() { "" } else { "}" };
        let _ = writeln!(self.text, "{after} {value}");
    }

    fn one(&mut self, name: &str, kind: &str, help: &str, value: impl std::fmt::Display) {
        self.family(name, kind, help);
        self.sample(name, &[], value);
    }

    fn watts(&mut self, name: &str, help: &str, power: Power) {
        self.one(name, "gauge", help, power.as_watts());
    }

    fn status(&mut self, status: &Status) {
        let power = &status.power;
        if let Some(draw) = power.draw {
            self.watts(
                "site_draw_watts",
                "The interconnection's meter, as last read.",
                draw,
            );
        }
        self.watts(
            "unexplained_power_watts",
            "What the site draws beyond what its loads explain.",
            power.unexplained,
        );
        self.watts(
            "import_limit_watts",
            "The tightest limit on import.",
            power.import_limit,
        );
        self.watts(
            "headroom_watts",
            "The import limit less what may be drawn at worst.",
            power.headroom,
        );
        self.loads(&status.loads);
        self.family(
            "signal_age_seconds",
            "gauge",
            "How old the newest value of a source is.",
        );
        for source in &status.sources {
            if let Some(age) = source.age_seconds {
                self.sample("signal_age_seconds", &[("source", &source.source)], age);
            }
        }
        self.family("alarms", "gauge", "Alarms that stand.");
        for urgency in ["critical", "warning", "note"] {
            let count =
                status.alarms.iter().filter(|alarm| alarm.urgency == urgency).count();
            self.sample("alarms", &[("urgency", urgency)], count);
        }
        let journal = &status.journal;
        self.one("journal_seq", "gauge", "The last durable record.", journal.seq);
        self.one(
            "journal_failing",
            "gauge",
            "1 while the journal cannot be written, and nothing is ordered.",
            u8::from(journal.failing_because.is_some()),
        );
        let generation = status.decision.as_ref().map_or(0, |one| one.generation);
        self.one(
            "dispatch_generation",
            "gauge",
            "The last decision's number.",
            generation,
        );
    }

    fn loads(&mut self, loads: &[LoadStatus]) {
        self.family(
            "power_watts",
            "gauge",
            "What a load draws at the meter, as believed.",
        );
        for load in loads {
            let kinds =
                [("ordered", load.ordered), ("least", load.least), ("most", load.most)];
            for (kind, power) in kinds {
                let labels = [("load", load.name.as_str()), ("kind", kind)];
                self.sample("power_watts", &labels, power.as_watts());
            }
        }
        self.family("machines", "gauge", "Machines of a load by how they take orders.");
        let by_machine = loads.iter().filter_map(|load| Some((load, load.machines?)));
        for (load, machines) in by_machine.clone() {
            let MachineCounts { in_hand, silent, defiant, .. } = machines;
            for (standing, count) in
                [("in_hand", in_hand), ("silent", silent), ("defiant", defiant)]
            {
                let labels = [("load", load.name.as_str()), ("standing", standing)];
                self.sample("machines", &labels, count);
            }
        }
        self.family("machines_locked_out", "gauge", "Machines that a person works on.");
        for (load, machines) in by_machine {
            self.sample(
                "machines_locked_out",
                &[("load", &load.name)],
                machines.locked_out,
            );
        }
    }

    fn counts(&mut self, tally: &Tally) {
        let counts = tally.counts();
        self.family(
            "orders_total",
            "counter",
            "Machines and devices that were ordered, and that did not answer in time and \
             were looked at.",
        );
        self.sample("orders_total", &[("outcome", "sent")], counts.ordered);
        self.sample("orders_total", &[("outcome", "read_back")], counts.read_back);
        self.one("turns_total", "counter", "Turns of the loop.", counts.turns);
        self.one("decisions_total", "counter", "Decisions taken.", counts.decisions);
        self.one(
            "emergencies_total",
            "counter",
            "Decisions that answered an emergency.",
            counts.emergencies,
        );
        self.family("requests_total", "counter", "What people asked for.");
        self.sample("requests_total", &[("answer", "accepted")], counts.accepted);
        self.sample("requests_total", &[("answer", "refused")], counts.refused);
        self.one("intervals_total", "counter", "Metered intervals.", counts.metered);
        self.one(
            "interval_limit_breaches_total",
            "counter",
            "Metered intervals with more energy than the import limit lets through.",
            counts.limit_breaches,
        );
        self.one(
            "alarms_raised_total",
            "counter",
            "Alarms raised.",
            counts.alarms_raised,
        );
        self.family(
            "alarm_messages_total",
            "counter",
            "Alarm messages by what became of them.",
        );
        let delivered = [("outcome", "delivered")];
        self.sample("alarm_messages_total", &delivered, counts.alarms_delivered);
        let given_up = [("outcome", "given_up")];
        self.sample("alarm_messages_total", &given_up, counts.alarms_given_up);
        self.histogram(
            "decision_duration_seconds",
            "How long a step of the engine took that decided.",
            &tally.decision,
        );
        self.histogram(
            "turn_duration_seconds",
            "How long a turn of the loop took, waiting apart.",
            &tally.turn,
        );
    }

    fn histogram(&mut self, name: &str, help: &str, buckets: &Buckets) {
        self.family(name, "histogram", help);
        let bucket = format!("{name}_bucket");
        for (bound, count) in buckets.cumulative() {
            let bound = seconds_text(u128::from(bound) * 1_000_000);
            self.sample(&bucket, &[("le", &bound)], count);
        }
        self.sample(&bucket, &[("le", "+Inf")], buckets.count());
        self.sample(&format!("{name}_sum"), &[], seconds_text(buckets.sum().as_nanos()));
        self.sample(&format!("{name}_count"), &[], buckets.count());
    }
}

/// Nanoseconds as decimal seconds, without zeros at the end.
fn seconds_text(nanos: u128) -> String {
    let text = format!("{}.{:09}", nanos / 1_000_000_000, nanos % 1_000_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A label's value as the text format wants it.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_decimal_and_short() {
        let check = |nanos: u128, text: &str| assert_eq!(seconds_text(nanos), text);
        check(0, "0");
        check(1_000_000, "0.001");
        check(30_000_000_000, "30");
        check(1_234_567_891, "1.234567891");
    }

    #[test]
    fn labels_keep_to_the_format_whatever_a_load_is_called() {
        let mut page = Page::default();
        page.sample("x", &[("load", "a\"b\\c\nd"), ("kind", "most")], 1);
        assert_eq!(page.text, "megawatt_x{load=\"a\\\"b\\\\c\\nd\",kind=\"most\"} 1\n");
    }
}
