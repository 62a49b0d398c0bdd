//! A run that is killed, or whose disk fails, goes on where it was.

mod sweep;

use std::path::Path;

use sweep::{Point, Stand, has_strace, points};

/// How many points run with every test; `cargo xtask kill` runs hundreds.
const POINTS: usize = 12;

fn stand(name: &str) -> Stand {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    Stand::new(Path::new(env!("CARGO_BIN_EXE_mw")), &folder).expect("a stand")
}

#[test]
fn a_run_that_is_killed_anywhere_goes_on_and_loses_nothing() {
    if !has_strace() {
        eprintln!(
            "skipped: ending a run at a call needs `strace` and the right to trace"
        );
        return;
    }
    let stand = stand("live-kill");
    let profile = stand.profile().expect("a run that nobody interferes with");
    let mut failed = Vec::new();
    for point in points(&profile, POINTS) {
        if let Err(error) = stand.check(&point) {
            failed.push(format!("cargo xtask kill --only {point}\n  {error:#}"));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[test]
fn a_site_falls_to_its_fail_safe_when_its_run_is_killed_for_good() {
    stand("live-fall").falls_when_nobody_watches().expect("it falls");
}

#[test]
fn a_point_reads_back_as_it_was_written() {
    for text in
        ["new:kill:pwrite64:12", "stopped:ENOSPC:pwrite64:3:40", "killed:EIO:fsync:2:1"]
    {
        assert_eq!(Point::parse(text).expect(text).to_string(), text);
    }
    assert!(Point::parse("later:kill:write:1").is_err());
}
