//! Metrics and health of a living run, read by a reader that is not ours too.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;

use super::Run;

/// One GET: the status line, and the body.
fn get(address: &str, path: &str) -> (String, String) {
    let mut stream = TcpStream::connect(address).expect("metrics are served");
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("a request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    (head.lines().next().expect("a status line").to_owned(), body.to_owned())
}

#[test]
fn metrics_are_in_base_units_and_a_foreign_reader_reads_them() {
    let folder = crate::backtest::fresh("live-metrics");
    let mut run = Run::start_in(&folder, &["--metrics", "127.0.0.1:0", "--speed", "60"]);
    let open = run.wait_for("metrics_open");
    let address = open["address"].as_str().expect("an address").to_owned();
    let (status, page) = loop {
        let (status, page) = get(&address, "/metrics");
        if page.contains("megawatt_dispatch_generation ")
            && !page.contains("generation 0\n")
        {
            break (status, page);
        }
    };
    assert_eq!(status, "HTTP/1.1 200 OK");
    for sample in [
        "megawatt_import_limit_watts 10000000\n",
        "megawatt_power_watts{load=\"s21\",kind=\"most\"} ",
        "megawatt_machines{load=\"s21\",standing=\"in_hand\"} ",
        "megawatt_journal_failing 0\n",
        "megawatt_interval_limit_breaches_total ",
        "megawatt_decision_duration_seconds_bucket{le=\"+Inf\"} ",
        "megawatt_turn_duration_seconds_count ",
        "megawatt_alarms{urgency=\"critical\"} ",
        "megawatt_orders_total{outcome=\"sent\"} ",
    ] {
        assert!(page.contains(sample), "expected {sample} in\n{page}");
    }
    let health = get(&address, "/health");
    assert_eq!(health, ("HTTP/1.1 200 OK".to_owned(), "ok\n".to_owned()));
    assert_eq!(get(&address, "/else").0, "HTTP/1.1 404 Not Found");
    read_elsewhere(&page);
}

/// Reads the page with the Prometheus project's own Python client.
fn read_elsewhere(page: &str) {
    const READ: &str = "
import sys
from prometheus_client.parser import text_string_to_metric_families as read
kinds = {'counter', 'gauge', 'histogram'}
names = set()
for family in read(sys.stdin.read()):
    assert family.type in kinds, family
    assert family.documentation, family
    assert family.name not in names, family.name
    names.add(family.name)
    seen = set()
    for sample in family.samples:
        key = (sample.name, tuple(sorted(sample.labels.items())))
        assert key not in seen, key
        seen.add(key)
    if family.type == 'histogram':
        counts = [s.value for s in family.samples if s.name.endswith('_bucket')]
        total = [s.value for s in family.samples if s.name.endswith('_count')]
        assert counts == sorted(counts) and counts[-1:] == total, family
assert len(names) > 20, names
";
    let python = std::env::var_os("MW_ORACLE_PYTHON");
    let has_reader = python.as_ref().is_some_and(|python| {
        let found =
            Command::new(python).args(["-c", "import prometheus_client"]).output();
        found.is_ok_and(|output| output.status.success())
    });
    let (Some(python), true) = (python, has_reader) else {
        eprintln!("skipped: MW_ORACLE_PYTHON names no Python with prometheus_client");
        return;
    };
    let mut child = Command::new(python)
        .args(["-c", READ])
        .stdin(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("Python starts");
    child.stdin.take().expect("a pipe").write_all(page.as_bytes()).expect("a page");
    let output = child.wait_with_output().expect("Python ends");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
