//! A file of signals that grows while it is read.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::PathBuf;

use adapters::growing::Growing;
use engine::{Ask, Signal, Site};
use units::{Power, Timestamp};

use crate::site;

fn file(name: &str) -> PathBuf {
    let path =
        std::env::temp_dir().join(format!("mw-growing-{name}-{}", std::process::id()));
    drop(fs::remove_file(&path));
    path
}

fn append(path: &PathBuf, text: &str) {
    let mut file =
        OpenOptions::new().create(true).append(true).open(path).expect("a file");
    file.write_all(text.as_bytes()).expect("room");
}

fn now() -> Timestamp {
    Timestamp::parse("2026-01-31T14:01Z").expect("an instant")
}

const LMP: &str = r#"{"lmp": {"usd_per_mwh": "-31.25", "start": "2026-01-31T14:00Z", "end": "2026-01-31T14:05Z"}}"#;

#[test]
fn what_is_appended_is_read_once_and_a_line_without_its_end_waits() {
    let (path, site) = (file("append"), site());
    let mut growing = Growing::new(&path);
    assert!(growing.read_on(&site, now()).expect("no file yet").signals.is_empty());
    append(&path, LMP);
    assert!(growing.read_on(&site, now()).expect("half a line").signals.is_empty());
    append(&path, "\n\n{\"heard\": {\"programme\": \"ERS\"}}\n");
    let grown = growing.read_on(&site, now()).expect("lines");
    assert_eq!(grown.signals.len(), 2);
    assert!(matches!(&grown.signals[0], Signal::Price(price) if price.known_at == now()));
    assert!(growing.read_on(&site, now()).expect("nothing new").signals.is_empty());
    fs::write(&path, format!("{LMP}\n")).expect("a shorter file");
    assert_eq!(
        growing.read_on(&site, now()).expect("from its beginning").signals.len(),
        1
    );
    fs::remove_file(path).expect("a file");
}

#[test]
fn an_offer_for_a_gpu_hour_says_its_price_and_for_how_long() {
    let (path, site) = (file("spot"), site());
    append(
        &path,
        r#"{"spot_offer": {"usd_per_gpu_hour": "2.105", "start": "2026-01-31T14:00Z", "end": "2026-01-31T20:00Z"}}
{"spot_offer": {"usd_per_gpu_hour": "-0.01", "start": "2026-01-31T14:00Z", "end": "2026-01-31T20:00Z"}}
{"spot_offer": {"usd_per_gpu_hour": "10000.000001", "start": "2026-01-31T14:00Z", "end": "2026-01-31T20:00Z"}}
{"spot_offer": {"usd_per_gpu_hour": "10000", "start": "2026-01-31T20:00Z", "end": "2026-01-31T21:00Z"}}
"#,
    );
    let grown = Growing::new(&path).read_on(&site, now()).expect("lines");
    let [Signal::SpotOffer(offer), Signal::SpotOffer(most)] = &grown.signals[..] else {
        panic!("{grown:?}")
    };
    assert_eq!(offer.value.as_micro_usd(), 2_105_000);
    assert_eq!(most.value.as_micro_usd(), 10_000_000_000);
    assert_eq!(offer.during.duration(), units::Seconds::hours(6));
    assert_eq!((offer.known_at, offer.source), (now(), engine::Source::SpotMarket));
    assert!(
        grown.bad[0].what.contains("nothing or more, found -0.01"),
        "{:?}",
        grown.bad
    );
    assert_eq!(
        grown.bad[1].what,
        "expected at most 10000.00 USD/GPU-hour, a thousand times what a GPU is sold for: \
         more is in another unit, or a slip; found 10000.000001"
    );
    assert_eq!((grown.bad[1].line, grown.bad.len()), (3, 2));
    fs::remove_file(path).expect("a file");
}

#[test]
fn an_instruction_names_its_programme() {
    let (path, site) = (file("instruction"), site());
    append(
        &path,
        r#"{"instruction": {"programme": "ERS", "name": "e-17", "ask": {"limit_mw": "3.5"}, "start": "2026-01-31T14:00Z", "end": "2026-01-31T18:00Z", "best_effort": true}}
{"instruction": {"programme": "ERS", "name": "e-17", "ask": "withdraw", "start": "2026-01-31T14:00Z", "end": "2026-01-31T18:00Z"}}
"#,
    );
    let grown = Growing::new(&path).read_on(&site, now()).expect("lines");
    assert_eq!(grown.bad, []);
    let asks: Vec<_> = grown
        .signals
        .iter()
        .map(|signal| {
            let Signal::Instruction(told) = signal else {
                panic!("expected an instruction, found {signal:?}");
            };
            (told.programme, told.ask, told.best_effort)
        })
        .collect();
    let limit = Ask::Limit(Power::from_kw(3_500));
    assert_eq!(asks, [(0, limit, true), (0, Ask::Withdraw, false)]);
    fs::remove_file(path).expect("a file");
}

#[test]
fn a_line_that_cannot_be_read_is_a_note_and_changes_nothing() {
    let lines = [
        ("nonsense", "expected a signal as JSON"),
        (
            r#"{"lmp": {"usd_per_mwh": "abc", "start": "2026-01-31", "end": "2026-02-01"}}"#,
            "abc",
        ),
        (
            r#"{"lmp": {"usd_per_mwh": "NaN", "start": "2026-01-31", "end": "2026-02-01"}}"#,
            "NaN",
        ),
        (
            r#"{"lmp": {"usd_per_mwh": 31.25, "start": "2026-01-31", "end": "2026-02-01"}}"#,
            "string",
        ),
        (
            r#"{"lmp": {"usd_per_mwh": "1", "start": "2026-02-01", "end": "2026-01-31"}}"#,
            "end after",
        ),
        (
            r#"{"lmp": {"usd_per_mwh": "1", "start": "2026-01-31T14:00", "end": "2026-02-01"}}"#,
            "offset",
        ),
        (
            r#"{"lmp": {"usd_per_mwh": "1", "start": "2026-01-31", "end": "2026-02-01", "unit": "EUR"}}"#,
            "unit",
        ),
        (r#"{"heard": {"programme": "XYZ"}}"#, "ERS"),
        (
            r#"{"instruction": {"programme": "ERS", "name": "e", "ask": {"limit_mw": "-"}, "start": "2026-01-31", "end": "2026-02-01"}}"#,
            "`-`",
        ),
        ("\u{feff}{}", "expected a signal"),
    ];
    let (path, site) = (file("bad"), site());
    for (line, _) in &lines {
        append(&path, &format!("{line}\n"));
    }
    append(&path, &format!("{}\n{LMP}\n", "x".repeat(100_000)));
    let grown = Growing::new(&path).read_on(&site, now()).expect("lines");
    assert_eq!(grown.signals.len(), 1, "the good line after them is read");
    for (place, (line, says)) in lines.iter().enumerate() {
        let bad = &grown.bad[place];
        assert_eq!(bad.line as usize, place + 1);
        assert!(bad.to_string().contains(says), "{line}: {bad}");
    }
    assert_eq!(grown.bad.len(), lines.len() + 1);
    fs::remove_file(path).expect("a file");
}

/// A site with one programme, and nothing else that matters here.
fn site() -> Site {
    site::with_programme("ERS")
}
