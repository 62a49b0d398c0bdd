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
    let chosen = points(&profile, POINTS);
    let tried = |half: usize| {
        let each = chosen.iter().enumerate().filter(move |(place, _)| place % 2 == half);
        each.map(|(_, point)| (point, stand.check(point))).collect::<Vec<_>>()
    };
    // Two at a time: mostly they wait.
    let outcomes = std::thread::scope(|scope| {
        let other = scope.spawn(|| tried(1));
        let mut all = tried(0);
        all.extend(other.join().expect("trying does not panic"));
        all
    });
    let mut failed = Vec::new();
    let (mut killed, mut acknowledged) = (0, 0);
    for (point, outcome) in outcomes {
        match outcome {
            Ok(outcome) => {
                killed += usize::from(outcome.was_killed);
                acknowledged += outcome.acknowledged;
            }
            Err(error) => {
                failed.push(format!("cargo xtask kill --only {point}\n  {error:#}"));
            }
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    assert!(killed >= POINTS / 3, "only {killed} of {POINTS} points ended the run");
    assert!(acknowledged > 0, "nothing was acknowledged before a run was ended");
}

#[test]
fn a_site_falls_to_its_fail_safe_when_its_run_is_killed_for_good() {
    stand("live-fall").falls_when_nobody_watches().expect("it falls");
}

#[test]
fn a_point_reads_back_as_it_was_written() {
    for text in [
        "new:kill:pwrite64:12",
        "killed:power:fdatasync:4",
        "stopped:ENOSPC:pwrite64:3:700",
        "killed:EIO:fsync:2:100",
    ] {
        assert_eq!(Point::parse(text).expect(text).to_string(), text);
    }
    assert!(Point::parse("later:kill:write:1").is_err());
}
