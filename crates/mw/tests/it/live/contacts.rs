//! Contacts of a site file: what is right is meant so, what is wrong says where.

use std::path::{Path, PathBuf};

use engine::Urgency;
use mw::config::{self, Contact, KeptIn, ReachedBy};

fn read(contacts: &str) -> Result<Vec<Contact>, String> {
    let example = crate::backtest::root().join("examples/mixed-10mw/site.toml");
    let text = std::fs::read_to_string(example).expect("an example") + contacts;
    config::read(Path::new("/sites/a/site.toml"), text)
        .map(|loaded| loaded.contacts)
        .map_err(|errors| errors.to_string())
}

#[test]
fn contacts_are_meant_as_written() {
    let contacts = read(
        r#"
        [[contacts]]
        name = "on call"
        webhook = { url = "https://pager.example/x", secret = "file:secrets/pager" }

        [[contacts]]
        name = "manager"
        from_urgency = "critical"
        level = 2
        email = { host = "mail.example", port = 587, security = "starttls", from = "a@b.example", to = "c@d.example, e@f.example", user = "mw", password = "env:MAIL" }
        "#,
    )
    .expect("right contacts");
    assert_eq!(contacts[0].from_urgency, Urgency::Warning);
    assert_eq!(contacts[0].level, 0);
    let kept = KeptIn::File(PathBuf::from("/sites/a/secrets/pager"));
    assert!(
        matches!(&contacts[0].by, ReachedBy::Webhook { secret, .. } if *secret == kept)
    );
    assert_eq!((contacts[1].from_urgency, contacts[1].level), (Urgency::Critical, 2));
    let ReachedBy::Email { to, login, port, .. } = &contacts[1].by else {
        panic!("{contacts:?}")
    };
    assert_eq!((to.len(), *port), (2, 587));
    assert_eq!(*login, Some(("mw".to_owned(), KeptIn::Env("MAIL".to_owned()))));
}

#[test]
fn wrong_contacts_say_what_is_wrong_and_repeat_no_secret() {
    let webhook = |secret: &str| {
        format!("webhook = {{ url = \"https://p.example\", secret = \"{secret}\" }}")
    };
    let check = |rest: &str, says: &str| {
        let wrong = read(&format!("\n[[contacts]]\nname = \"a\"\n{rest}\n"));
        let wrong = wrong.expect_err(rest);
        assert!(wrong.contains(says), "expected `{says}` in {wrong}");
        assert!(!wrong.contains("hunter2"), "{wrong}");
    };
    check("", "`webhook` or `email`");
    check(&webhook("hunter2"), "`env:NAME` or `file:PATH`");
    check(&webhook("env:"), "`env:NAME` or `file:PATH`");
    check(&format!("level = 4\n{}", webhook("env:A")), "a level from 0 to 3");
    check(&format!("from_urgency = \"loud\"\n{}", webhook("env:A")), "\"critical\"");
    let second = format!("{0}\n[[contacts]]\nname = \"a\"\n{0}", webhook("env:A"));
    check(&second, "a name of its own");
    let email = |more: &str| {
        format!(
            "email = {{ host = \"m\", port = 25, from = \"a@b.c\", to = \"d@e.f\"{more} }}"
        )
    };
    check(&email(", user = \"mw\""), "`user` and `password`");
    check(&email(", password = \"env:A\""), "`user` and `password`");
    check(&email("").replace("25", "70000"), "a port from 1 to 65535");
}
