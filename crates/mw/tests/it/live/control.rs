//! What people ask of a living run, and how it answers.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;

use super::Run;

const ANA: [&str; 4] = ["--as", "Ana", "--role", "rig technician"];
const BEN: [&str; 4] = ["--as", "Ben", "--role", "operator"];
const CEM: [&str; 4] = ["--as", "Cem", "--role", "operator"];

/// Asks, and holds exit code and answer against what is expected.
fn check(run: &Run, command: &[&str], more: &[&[&str]], code: i32, says: &str) {
    let (found, text) = run.mw(command, &more.concat());
    assert_eq!(found, code, "{command:?}: {text}");
    assert!(text.contains(says), "{command:?}: expected `{says}` in {text}");
}

#[test]
fn what_a_person_works_on_is_released_by_their_role_alone() {
    let run = Run::start("live-lock-out", &[]);
    let lock_out = ["--machines", "3,10-19", "--reason", "fans", "--expect", "2h"];
    let load: &[&str] = &["s21"];
    check(&run, &["fleet", "lock-out"], &[load, &ANA, &lock_out], 0, "locked out");
    let entry = &run.status()["by_hand"][0];
    assert_eq!(entry["kind"], "lock_out");
    assert_eq!(entry["load"], "s21");
    assert_eq!(entry["machines"], "3,10-19");
    assert_eq!(entry["until_released"], true);
    let locked = ["s21", "--standing", "locked-out", "--json"];
    let (_, machines) = run.mw(&["fleet", "machines"], &locked);
    let machines: serde_json::Value = serde_json::from_str(&machines).expect("JSON");
    assert_eq!(machines["machines"].as_array().map(Vec::len), Some(11));

    check(&run, &["fleet", "release"], &[load, &BEN], 3, "locked out by");
    check(&run, &["fleet", "release"], &[load, &ANA], 0, "released");
    assert_eq!(run.status()["by_hand"].as_array().map(Vec::len), Some(0));
}

#[test]
fn what_cannot_be_is_refused_and_says_what_can() {
    let run = Run::start("live-refused", &[]);
    let hold = |mw: &'static str| ["--mw", mw, "--for", "1h", "--reason", "test"];
    let s21: &[&str] = &["s21"];
    check(&run, &["fleet", "hold"], &[s21, &BEN, &hold("900")], 3, "expected a level");
    check(&run, &["fleet", "hold"], &[&["none"], &BEN, &hold("1")], 3, "`s21`");
    check(&run, &["fleet", "hold"], &[s21, &BEN, &hold("much")], 3, "decimal megawatts");
    check(&run, &["fleet", "end-hold"], &[s21, &BEN], 3, "not held");
    check(&run, &["alarm", "acknowledge"], &[&["999"], &BEN], 3, "no alarm 999");
    let nobody = ["--as", " ", "--role", "operator"];
    check(&run, &["fleet", "end-hold"], &[s21, &nobody], 3, "expected a name");
    let forever = ["--machines", "1", "--reason", "x", "--expect", "9999d"];
    check(&run, &["fleet", "lock-out"], &[s21, &ANA, &forever], 3, "within a year");
    let backwards = ["--machines", "4-3", "--reason", "x", "--expect", "1h"];
    check(&run, &["fleet", "lock-out"], &[s21, &ANA, &backwards], 3, "machine numbers");
}

#[test]
fn a_limit_by_telephone_holds_at_once_and_is_relaxed_by_two() {
    let run = Run::start("live-limit", &[]);
    let name: &[&str] = &["--programme", "grid", "--name", "call 1"];
    let limit = ["--mw", "4.5", "--for", "1h"];
    check(
        &run,
        &["grid", "limit"],
        &[name, &BEN, &limit, &["--dry-run"]],
        0,
        "to 4.500 MW",
    );
    assert_ne!(run.status()["power"]["import_limit_mw"], "4.500000");
    check(&run, &["grid", "limit"], &[name, &BEN, &limit], 0, "to 4.500 MW");
    let status = run.status();
    assert_eq!(status["power"]["import_limit_mw"], "4.500000");
    assert_eq!(status["power"]["import_limit_by"], "grid `call 1`");

    check(&run, &["grid", "withdraw"], &[name, &BEN], 0, "another person");
    assert_eq!(run.status()["waiting"][0]["name"], "call 1");
    assert_eq!(run.status()["power"]["import_limit_mw"], "4.500000");
    let (_, text) = run.mw(&["grid", "status"], &[]);
    assert!(text.contains("WAITS FOR A SECOND PERSON"), "{text}");
    check(&run, &["grid", "confirm"], &[name, &BEN], 3, "");
    check(&run, &["grid", "confirm"], &[name, &CEM], 0, "confirmed");
    let status = run.status();
    assert_ne!(status["power"]["import_limit_mw"], "4.500000");
    assert_eq!(status["waiting"].as_array().map(Vec::len), Some(0));
}

#[test]
fn a_stop_ends_the_run_and_its_socket() {
    let run = Run::start("live-stop", &[]);
    let socket = run.folder().join("control.sock");
    let mode = std::fs::metadata(&socket).expect("a socket").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let folder = run.folder().to_owned();
    check(&run, &["fleet", "stop"], &[&BEN], 0, "ends");
    assert_eq!(run.ended(), 0);
    assert!(!socket.exists());
    let folder = folder.display().to_string();
    let (code, text) = super::text_of(crate::backtest::mw(&["fleet", "status", &folder]));
    assert_eq!(code, 4, "{text}");
    assert!(text.contains("nobody answers"), "{text}");
}

#[test]
fn a_second_run_in_the_folder_of_a_living_one_does_not_start() {
    let run = Run::start("live-second", &[]);
    let second = Run::start_in(run.folder(), &[]);
    assert_eq!(second.ended(), 1);
    assert_eq!(run.status()["site"], "mixed-10mw");
}

#[test]
fn what_is_no_request_is_answered_and_changes_nothing() {
    let run = Run::start("live-junk", &[]);
    let ask = |bytes: &[u8]| -> String {
        let mut stream =
            UnixStream::connect(run.folder().join("control.sock")).expect("a socket");
        // The run may hang up before all of it is said.
        drop(stream.write_all(bytes));
        drop(stream.shutdown(Shutdown::Write));
        let mut reply = String::new();
        drop(stream.read_to_string(&mut reply));
        reply
    };
    for (junk, says) in [
        (&b"hello\n"[..], "expected a request"),
        (b"{}\n", "request"),
        (b"{\"request\":\"open\"}\n", "open"),
        (b"{\"request\":\"status\",\"of\":1}\n", "of"),
        (
            b"{\"request\":\"ask\",\"by\":{\"name\":\"a\",\"role\":\"b\"},\"wish\":{}}\n",
            "wish",
        ),
        (b"\xff\xfe\n", "JSON"),
    ] {
        let reply = ask(junk);
        assert!(
            reply.contains("\"failed\"") && reply.contains(says),
            "{junk:?}: {reply}"
        );
    }
    assert_eq!(ask(b""), "");
    let long =
        [b"{\"request\":\"".to_vec(), vec![b'x'; 1 << 20], b"\"}\n".to_vec()].concat();
    let reply = ask(&long);
    assert!(reply.is_empty() || reply.contains("at most"), "{reply}");
    assert_eq!(run.status()["counts"]["accepted"], 0);
}

#[test]
fn a_flood_of_requests_changes_nothing_and_leaves_nothing_behind() {
    let run = Run::start("live-flood", &["--speed", "60"]);
    let before = run.status();
    let open = |run: &Run| {
        let files = std::fs::read_dir(format!("/proc/{}/fd", run.process()));
        files.expect("a process that lives").count()
    };
    let open_before = open(&run);
    let socket = run.folder().join("control.sock");
    let not_theirs =
        b"{\"request\":\"ask\",\"by\":{\"name\":\"Eve\",\"role\":\"visitor\"},\
        \"wish\":{\"wish\":\"end_hold\",\"load\":\"s21\"}}\n";
    std::thread::scope(|scope| {
        for number in 0..8 {
            let socket = &socket;
            scope.spawn(move || {
                for _ in 0..60 {
                    let mut stream = UnixStream::connect(socket).expect("a socket");
                    let asked: &[u8] = match number % 4 {
                        0 => b"{\"request\":\"status\"}\n",
                        1 => not_theirs,
                        2 => b"{\"request\":\"open\"}\n",
                        // One that says nothing and leaves.
                        _ => b"",
                    };
                    // The run may hang up before all of it is said, or heard.
                    drop(stream.write_all(asked));
                    drop(stream.shutdown(Shutdown::Write));
                    let mut reply = String::new();
                    drop(stream.read_to_string(&mut reply));
                    let is_granted = reply.contains("\"accepted\"") && number % 4 == 1;
                    assert!(!is_granted, "{reply}");
                }
            });
        }
    });
    let after = run.status();
    assert_eq!(after["counts"]["accepted"], 0);
    assert_eq!(after["by_hand"], before["by_hand"]);
    // Whoever left may have to be noticed first.
    let left = (0..200).map(|_| {
        run.status();
        open(&run)
    });
    let least = left.take_while(|open| *open > open_before + 4).count();
    assert!(least < 200, "{} files are open, {open_before} before", open(&run));
}

#[test]
fn a_log_that_nobody_reads_holds_nothing_up() {
    let run = Run::start_unread("live-log-unread", &["--speed", "60"]);
    let asked = b"{\"request\":\"ask\",\"by\":{\"name\":\"Eve\",\"role\":\"visitor\"},\
        \"wish\":{\"wish\":\"end_hold\",\"load\":\"s21\"}}\n";
    for _ in 0..600 {
        let mut stream =
            UnixStream::connect(run.folder().join("control.sock")).expect("a socket");
        stream.write_all(asked).expect("a run that listens");
        let mut reply = String::new();
        stream.read_to_string(&mut reply).expect("an answer");
        assert!(reply.contains("refused"), "{reply}");
    }
    assert_eq!(run.status()["counts"]["refused"], 600);
    // More was said than the pipe holds, or this shows nothing.
    let log = run.unread();
    assert!(log.len() >= 60_000, "{} bytes, ending {log:?}", log.len());
}

#[test]
fn every_view_is_text_for_people_too() {
    let run = Run::start("live-views", &["--speed", "60"]);
    for (command, more, says) in [
        (&["fleet", "status"][..], &[][..], "may draw"),
        (&["fleet", "machines"], &["s21"], "in hand"),
        (&["fleet", "machines"], &["battery"], "one device"),
        (&["grid", "status"], &[], "limits, the tightest first"),
        (&["alarm", "list"], &[], ""),
    ] {
        check(&run, command, &[more], 0, says);
    }
    check(&run, &["fleet", "reload"], &[&BEN], 0, "has not changed");
    check(&run, &["fleet", "checkpoint"], &[], 0, "");
}
