//! Our letters against a mail server and a mail parser written by others.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command, Stdio};

use adapters::deliver::{
    Channel, Email, EmailTarget, Login, Message, Secret, Security, Trust,
};
use units::Timestamp;

use crate::deliver_receivers::{AUTHORITY, LONG, message, word};

/// A server of `aiosmtpd` with STARTTLS and a login takes a letter, and
/// Python's parser reads back what was meant.
#[test]
fn oracle_aiosmtpd_reads_what_was_written() {
    let Some(python) = std::env::var_os("MW_ORACLE_PYTHON") else {
        eprintln!("skipped: MW_ORACLE_PYTHON names no Python with aiosmtpd");
        return;
    };
    let has_it = Command::new(&python).args(["-c", "import aiosmtpd"]).output();
    if !has_it.expect("MW_ORACLE_PYTHON names a program that starts").status.success() {
        eprintln!("skipped: {} has no aiosmtpd", python.to_string_lossy());
        return;
    }
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut server = Command::new(&python)
        .arg(here.join("tests/it/deliver_oracle/receive.py"))
        .arg(here.join("../../fixtures/tls"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("a server that starts");
    let mut said = BufReader::new(server.stdout.take().expect("its output"));
    let mut port = String::new();
    said.read_line(&mut port).expect("its port");

    let message = Message {
        headline: "Größe über 1,2 MW: Halle B drosselt ⚡ und die Nachtschicht muss \
                   jetzt den Abgang F2 prüfen"
            .into(),
        body: "Zeile eins =20 \n.\n..\n\tÜber 5 °C\nFrom here\nline at the end ".into(),
        ..message()
    };
    let target = EmailTarget {
        host: "localhost".into(),
        port: port.trim().parse().expect("a port"),
        security: Security::StartTls,
        from: "mw@site.example".into(),
        to: vec!["a@night.example".into(), "b@day.example".into()],
        login: Some(Login { user: "mw".into(), password: Secret::new("hunter2".into()) }),
        trust: Trust::Only { pem: AUTHORITY.into() },
    };
    let email = Channel::Email(Email::new(target).expect("a target"));
    let now = Timestamp::from_unix_seconds(1_700_000_060);
    let outcome = email.deliver(&message, now, LONG);

    // The end of its input is its sign to stop, and to say what it took.
    drop(server.stdin.take());
    let mut taken = String::new();
    said.read_to_string(&mut taken).expect("what it took");
    server.wait().expect("an end");
    assert_eq!(word(&outcome), "delivered", "{outcome:?}\n{taken}");
    let taken: serde_json::Value = serde_json::from_str(&taken).expect("JSON");
    assert_eq!(taken["subject"], message.headline.as_str());
    assert_eq!(taken["defects"], serde_json::json!([]));
    assert_eq!(taken["from"], "mw@site.example");
    assert_eq!(taken["to"], serde_json::json!(["a@night.example", "b@day.example"]));
    assert_eq!(taken["recipients"], taken["to"]);
    assert_eq!(taken["date"], 1_700_000_000);
    assert_eq!(taken["auto_submitted"], "auto-generated");
    assert_eq!(taken["alarm"], message.id.as_str());
    assert_eq!(taken["is_private"], true);
    let text = taken["text"].as_str().expect("text").replace("\r\n", "\n");
    let body = message.body.trim_end();
    let begins = format!("{}\n\n{body}\n\nSite: north\n", message.headline);
    assert!(text.starts_with(&begins), "{text}");
}
