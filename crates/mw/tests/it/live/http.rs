//! A living run over HTTP: who is let in, what is done once, what is told, and what
//! nobody can hold up.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use mw::api::role::{Role, Rule};
use mw::api::route::{Does, Method, ROUTES, Read as Document};
use serde_json::{Value, json};

use super::Run;

/// The longest that any answer is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// A run with an open HTTP door.
pub(crate) struct Door {
    pub(crate) run: Run,
    pub(crate) address: String,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

impl Answer {
    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body)
            .unwrap_or_else(|_| panic!("expected JSON, found {}", self.body))
    }

    pub(crate) fn problem(&self) -> String {
        assert_eq!(self.headers["content-type"], "application/problem+json");
        let document = self.json();
        assert_eq!(document["status"], self.status);
        document["type"].as_str().expect("a type").replace("urn:megawatt:problem:", "")
    }
}

impl Door {
    /// Starts a run and opens its door.
    pub(crate) fn open(name: &str, more: &[&str]) -> Self {
        let folder = crate::backtest::fresh(name);
        let more = [&["--http", "127.0.0.1:0"], more].concat();
        Self::of(Run::start_in(&folder, &more))
    }

    /// The door of a run that opens one, once it has decided something.
    pub(crate) fn of(mut run: Run) -> Self {
        let open = run.wait_for("http_open");
        let address = open["address"].as_str().expect("an address").to_owned();
        let door = Self { run, address };
        let watcher = door.token("Watcher", "viewer", &[]);
        for _ in 0..10_000 {
            if door.get("/v1/decisions/current", &watcher).status == 200 {
                return door;
            }
        }
        panic!("the run has decided nothing");
    }

    /// Makes a token.
    pub(crate) fn token(&self, owner: &str, role: &str, more: &[&str]) -> String {
        let given = ["--owner", owner, "--role", role, "--json"];
        let (code, text) = self.run.mw(&["token", "create"], &[&given, more].concat());
        assert_eq!(code, 0, "{text}");
        let made: Value = serde_json::from_str(&text).expect("JSON");
        made["token"].as_str().expect("a token").to_owned()
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).expect("the door is open");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        stream.set_write_timeout(Some(PATIENCE)).expect("a timeout");
        stream
    }

    /// Asks, and reads the head of the answer.
    pub(crate) fn begin(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> (Answer, BufReader<TcpStream>) {
        let mut stream = self.connect();
        let mut request = format!("{method} {path} HTTP/1.1\r\nhost: console\r\n");
        for (name, value) in headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        if method == "POST" {
            request.push_str(&format!("content-length: {}\r\n", body.len()));
        }
        request.push_str(&format!("connection: close\r\n\r\n{body}"));
        // It may be turned away before all of it is said.
        drop(stream.write_all(request.as_bytes()));
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        reader.read_line(&mut line).expect("a status line");
        let status = line.split(' ').nth(1).and_then(|code| code.parse().ok());
        let status =
            status.unwrap_or_else(|| panic!("expected a status, found {line:?}"));
        let mut headers = BTreeMap::new();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).expect("a header");
            let Some((name, value)) = line.trim().split_once(": ") else { break };
            headers.insert(name.to_lowercase(), value.to_owned());
        }
        (Answer { status, headers, body: String::new() }, reader)
    }

    /// Asks, and reads all of the answer.
    pub(crate) fn ask(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        let (mut answer, mut reader) = self.begin(method, path, headers, body);
        let mut bytes = Vec::new();
        // A connection that is cut has said what it had to say.
        drop(reader.read_to_end(&mut bytes));
        answer.body = String::from_utf8(bytes).expect("text");
        answer
    }

    /// Looks, with a token.
    pub(crate) fn get(&self, path: &str, token: &str) -> Answer {
        self.ask("GET", path, &[("authorization", &format!("Bearer {token}"))], "")
    }

    /// Has something done, with a token and perhaps a key.
    pub(crate) fn post(
        &self,
        path: &str,
        token: &str,
        key: Option<&str>,
        body: &Value,
    ) -> Answer {
        let bearer = format!("Bearer {token}");
        let mut headers = vec![
            ("authorization", bearer.as_str()),
            ("content-type", "application/json"),
        ];
        headers.extend(key.map(|key| ("idempotency-key", key)));
        self.ask("POST", path, &headers, &body.to_string())
    }
}

fn method(method: Method) -> &'static str {
    match method {
        Method::Get => "GET",
        Method::Post => "POST",
    }
}

#[test]
fn every_route_answers_every_role_by_the_table() {
    let door = Door::open("http-roles", &["--speed", "60"]);
    let tokens: Vec<(Role, String)> = Role::ALL
        .into_iter()
        .map(|role| {
            let more: &[&str] =
                if role == Role::Tenant { &["--tenant", "red"] } else { &[] };
            (role, door.token(&format!("A {}", role.word()), role.word(), more))
        })
        .collect();
    let mut asked = 0;
    for route in ROUTES {
        let path = route.path.replace("{load}", "s21").replace("{alarm}", "4000000");
        let path = match route.does {
            Does::Act(_) => format!("{path}?dry_run=true"),
            Does::Read(_) | Does::Events | Does::RacksEvents | Does::Page(_) => path,
        };
        let ask = |token: Option<&str>| {
            let bearer = token.map(|token| format!("Bearer {token}"));
            let mut headers = Vec::new();
            if route.is_api() && route.method == Method::Post {
                headers.push(("content-type", "application/json"));
            }
            if let Some(bearer) = &bearer {
                headers.push(("authorization", bearer));
            }
            let body = if route.is_api() { "{}" } else { "" };
            door.begin(method(route.method), &path, &headers, body).0.status
        };
        let nobody = ask(None);
        let wrong =
            ask(Some("mw_pat_00000000_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"));
        let is_page = !route.is_api();
        match route.rule {
            Rule::Open => assert_ne!(nobody, 303, "{}", route.path),
            Rule::Needs(_) if is_page => {
                assert_eq!((nobody, wrong), (303, 303), "{}", route.path);
            }
            Rule::Needs(_) => assert_eq!((nobody, wrong), (401, 401), "{}", route.path),
        }
        for (role, token) in &tokens {
            let found = ask(Some(token));
            let may = match route.rule {
                Rule::Open => true,
                Rule::Needs(permission) => role.may(permission),
            };
            let what =
                format!("{} {} as {}", method(route.method), route.path, role.word());
            if !may {
                assert_eq!(found, 403, "{what}");
            } else if is_page && route.method == Method::Post {
                // Forms need the guard of a session, or a token in the form.
                assert!([401, 403].contains(&found), "{what}: {found}");
            } else {
                assert!(![401, 403].contains(&found) && found < 500, "{what}: {found}");
            }
            asked += 1;
        }
    }
    assert_eq!(asked, ROUTES.len() * Role::ALL.len());
    let admin = &tokens.iter().find(|(role, _)| *role == Role::Admin).expect("one").1;
    let never = door.ask("DELETE", "/v1/status", &[], "");
    assert_eq!((never.status, never.problem().as_str()), (405, "method-not-allowed"));
    assert_eq!(never.headers["allow"], "GET, HEAD");
    assert_eq!(door.get("/v1/nothing", admin).problem(), "not-found");
    assert_eq!(door.get("/v1/status?speed=1", admin).problem(), "bad-request");
    assert_eq!(door.run.status()["counts"]["accepted"], 0, "a dry run changes nothing");
}

#[test]
fn what_acts_is_done_once_for_its_key_and_rehearsed_without() {
    let door = Door::open("http-once", &[]);
    let ana = door.token("Ana", "operator", &[]);
    let hold = "/v1/loads/s21/hold";
    let body = json!({ "power_mw": "1.5", "reason": "test", "until": "1h" });

    let rehearsed = door.post(&format!("{hold}?dry_run=true"), &ana, None, &body);
    assert_eq!(rehearsed.status, 200, "{}", rehearsed.body);
    assert_eq!(rehearsed.json()["dry_run"], true);
    assert!(rehearsed.body.contains("s21"), "{}", rehearsed.body);
    assert_eq!(door.run.status()["by_hand"], json!([]));

    let missing = door.post(hold, &ana, None, &body);
    assert_eq!(missing.problem(), "idempotency-key-missing");
    let done = door.post(hold, &ana, Some("k-1"), &body);
    assert_eq!(done.status, 200, "{}", done.body);
    assert!(!done.headers.contains_key("idempotency-replayed"));
    let again = door.post(hold, &ana, Some("k-1"), &body);
    assert_eq!((again.status, &again.body), (200, &done.body));
    assert_eq!(again.headers["idempotency-replayed"], "true");
    let other = json!({ "power_mw": "1.0", "reason": "test", "until": "1h" });
    assert_eq!(
        door.post(hold, &ana, Some("k-1"), &other).problem(),
        "idempotency-key-reused"
    );
    let elsewhere = door.post("/v1/loads/s19-xp/hold", &ana, Some("k-1"), &body);
    assert_eq!(elsewhere.problem(), "idempotency-key-reused");
    let status = door.run.status();
    assert_eq!(status["counts"]["accepted"], 1);
    assert_eq!(status["by_hand"][0]["kind"], "hold");
    assert_eq!(status["by_hand"][0]["role"], "operator");

    let refused = door.post(
        hold,
        &ana,
        Some("k-2"),
        &json!({ "power_mw": "900", "reason": "test", "until": "1h" }),
    );
    assert_eq!((refused.status, refused.problem().as_str()), (409, "refused"));
    let none = door.post(
        hold,
        &ana,
        Some("k-3"),
        &json!({ "power_mw": "much", "reason": "test", "until": "1h" }),
    );
    assert_eq!((none.status, none.problem().as_str()), (422, "not-meant"));
    let unknown = door.post("/v1/loads/none/hold", &ana, Some("k-4"), &body);
    assert_eq!(unknown.problem(), "not-found");
    let strange = json!({ "power_mw": "1", "reason": "x", "until": "1h", "force": true });
    assert_eq!(door.post(hold, &ana, Some("k-5"), &strange).problem(), "bad-request");
    let end = door.post("/v1/loads/s21/end-hold", &ana, Some("k-6"), &json!({}));
    assert_eq!(end.status, 200, "{}", end.body);

    let keys = std::fs::read_to_string(door.run.folder().join("idempotency.jsonl"));
    assert!(keys.expect("keys").contains("k-1"));
    let tokens = std::fs::read_to_string(door.run.folder().join("tokens.json"));
    assert!(!tokens.expect("tokens").contains(&ana), "a token is kept nowhere");
}

#[test]
fn two_tokens_of_one_person_are_one_person() {
    let door = Door::open("http-two", &[]);
    let ben = door.token("Ben", "dispatcher", &[]);
    let ben_too = door.token("Ben", "operator", &[]);
    let cem = door.token("Cem", "operator", &[]);
    let call = json!({
        "programme": "grid", "name": "call 1", "told": "limit", "power_mw": "4.5", "until": "1h"
    });
    let limit = door.post("/v1/grid/instructions", &ben, Some("1"), &call);
    assert_eq!(limit.json()["import_limit_after_mw"], "4.500000", "{}", limit.body);
    let back = json!({
        "programme": "grid", "name": "call 1", "told": "withdraw", "until": "1h"
    });
    let waits = door.post("/v1/grid/instructions", &ben, Some("2"), &back);
    assert!(waits.body.contains("another person"), "{}", waits.body);
    let agree = json!({ "programme": "grid", "name": "call 1" });
    for (token, key) in [(&ben, "3"), (&ben_too, "4")] {
        let same = door.post("/v1/grid/confirmations", token, Some(key), &agree);
        assert_eq!(same.problem(), "refused", "{}", same.body);
    }
    assert_eq!(door.get("/v1/grid", &ben).json()["waiting"][0]["name"], "call 1");
    let agreed = door.post("/v1/grid/confirmations", &cem, Some("5"), &agree);
    assert_eq!(agreed.status, 200, "{}", agreed.body);
    assert_eq!(door.get("/v1/grid", &ben).json()["waiting"], json!([]));

    let (code, _) = door.run.mw(&["token", "revoke"], &[&ben[7..15]]);
    assert_eq!(code, 0);
    assert_eq!(door.get("/v1/grid", &ben).problem(), "unauthenticated");
    assert_eq!(door.get("/v1/grid", &ben_too).status, 200);
    let narrow = door.token("Cem", "operator", &["--only", "see_site"]);
    assert_eq!(door.get("/v1/grid", &narrow).status, 200);
    let held = door.post("/v1/grid/confirmations", &narrow, Some("6"), &agree);
    assert_eq!(held.problem(), "forbidden");
}

#[test]
fn lists_go_on_by_cursors_that_cannot_be_made_up() {
    let door = Door::open("http-cursors", &["--speed", "120"]);
    let eve = door.token("Eve", "viewer", &[]);
    let first = "/v1/loads/s21/machines?limit=300";
    let (mut path, mut seen) = (first.to_owned(), Vec::new());
    let mut cursor = String::new();
    loop {
        let page = door.get(&path, &eve).json();
        let machines = page["machines"].as_array().expect("machines");
        seen.extend(
            machines.iter().map(|one| one["machine"].as_u64().expect("a number")),
        );
        let Some(next) = page["next"].as_str() else { break };
        cursor = next.to_owned();
        path = format!("{first}&cursor={next}");
    }
    assert_eq!(seen, (0..1_000).collect::<Vec<u64>>());
    for (place, letter) in [(3, 'A'), (cursor.len() - 1, 'z')] {
        let mut altered: Vec<char> = cursor.chars().collect();
        altered[place] = if altered[place] == letter { 'B' } else { letter };
        let altered: String = altered.into_iter().collect();
        let answer = door.get(&format!("{first}&cursor={altered}"), &eve);
        assert_eq!(answer.problem(), "bad-request", "{place}");
    }
    let elsewhere = format!("/v1/loads/s19-xp/machines?limit=300&cursor={cursor}");
    assert_eq!(door.get(&elsewhere, &eve).problem(), "bad-request");

    // Decisions, as they come to be, a page of one each.
    let mut numbers = Vec::new();
    let mut path = "/v1/decisions?limit=1".to_owned();
    for _ in 0..3 {
        let page = door.get(&path, &eve).json();
        for decision in page["decisions"].as_array().expect("decisions") {
            numbers.push(decision["generation"].as_u64().expect("a number"));
            let load = &decision["loads"][0];
            assert!(load["explanation"].as_str().expect("words").len() > 10, "{load}");
        }
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/v1/decisions?limit=1&cursor={next}");
    }
    assert_eq!(numbers[0], 1);
    assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]), "{numbers:?}");
    let backwards = "/v1/decisions?from=2025-06-02T00:00:00Z&to=2025-06-01T00:00:00Z";
    assert_eq!(door.get(backwards, &eve).problem(), "bad-request");
}

/// Reads events up to one of a kind: the ids that came, and its data.
pub(crate) fn events_to(
    reader: &mut BufReader<TcpStream>,
    kind: &str,
) -> (Vec<u64>, Value) {
    let (mut ids, mut is_it) = (Vec::new(), false);
    loop {
        let mut line = String::new();
        assert!(reader.read_line(&mut line).expect("events") > 0, "the stream ended");
        if let Some(id) = line.trim().strip_prefix("id: ") {
            ids.push(id.parse().expect("a number"));
        } else if let Some(found) = line.trim().strip_prefix("event: ") {
            is_it = found == kind;
        } else if let Some(data) = line.trim().strip_prefix("data: ")
            && is_it
        {
            return (ids, serde_json::from_str(data).expect("JSON on one line"));
        }
    }
}

#[test]
fn events_are_taken_up_where_they_were_left() {
    let door = Door::open("http-events", &["--speed", "120"]);
    let eve = door.token("Eve", "viewer", &[]);
    let ana = door.token("Ana", "operator", &[]);
    let bearer = format!("Bearer {eve}");
    let auth = ("authorization", bearer.as_str());
    let (head, mut events) = door.begin("GET", "/v1/events?after=0", &[auth], "");
    assert_eq!(
        (head.status, head.headers["content-type"].as_str()),
        (200, "text/event-stream")
    );
    let (ids, decision) = events_to(&mut events, "decision");
    assert_eq!(decision["generation"], 1);
    assert!(ids.windows(2).all(|pair| pair[0] < pair[1]), "{ids:?}");
    drop(events);

    let body = json!({ "reason": "fans", "expect": "2h", "machines": "3" });
    let done = door.post("/v1/loads/s21/lock-out", &ana, Some("k"), &body);
    assert_eq!(done.status, 200, "{}", done.body);
    let last = ids.last().copied().unwrap_or(1).to_string();
    let back = [auth, ("last-event-id", last.as_str())];
    let (head, mut events) =
        door.begin("GET", "/v1/events?types=request,decision", &back, "");
    assert_eq!(head.status, 200);
    let (ids, request) = events_to(&mut events, "request");
    assert!(ids.iter().all(|id| *id > last.parse().expect("a number")), "{ids:?}");
    assert_eq!(
        (&request["by"], &request["asked"], &request["answer"]),
        (&json!("Ana"), &json!("lock_out"), &json!("accepted"))
    );
    let beyond = [auth, ("last-event-id", "999999999")];
    assert_eq!(door.ask("GET", "/v1/events", &beyond, "").problem(), "gone");
    let none = [auth, ("last-event-id", "soon")];
    assert_eq!(door.ask("GET", "/v1/events", &none, "").problem(), "bad-request");
}

#[test]
fn who_is_slow_or_long_winded_holds_up_nobody() {
    let door = Door::open("http-slow", &[]);
    let ana = door.token("Ana", "operator", &[]);
    let slow: Vec<TcpStream> = (0..100)
        .map(|_| {
            let mut stream = door.connect();
            stream
                .write_all(b"GET /v1/status HTTP/1.1\r\nhost: x\r\nx-slow: ")
                .expect("sent");
            stream
        })
        .collect();
    assert_eq!(door.get("/v1/status", &ana).status, 200);
    let long = format!("{{\"reason\":\"{}\"}}", "x".repeat(70 << 10));
    let bearer = format!("Bearer {ana}");
    let headers = [
        ("authorization", bearer.as_str()),
        ("content-type", "application/json"),
        ("idempotency-key", "long"),
    ];
    let answer = door.ask("POST", "/v1/loads/s21/lock-out", &headers, &long);
    assert_eq!(answer.problem(), "too-large");
    let plain = [headers[0], ("content-type", "text/plain"), headers[2]];
    let answer = door.ask("POST", "/v1/loads/s21/lock-out", &plain, "{}");
    assert_eq!(answer.problem(), "unsupported-media-type");
    let key = [headers[0], headers[1], ("idempotency-key", "two words")];
    let answer = door.ask(
        "POST",
        "/v1/loads/s21/lock-out",
        &key,
        "{\"reason\":\"x\",\"expect\":\"1h\"}",
    );
    assert_eq!(answer.problem(), "bad-request");
    let wide = format!("/v1/status?x={}", "y".repeat(64 << 10));
    assert!([400, 414, 431].contains(&door.get(&wide, &ana).status));
    // Each is hung up on, by the door's own deadline.
    for mut stream in slow {
        let mut said = Vec::new();
        drop(stream.read_to_end(&mut said));
        assert!(!said.starts_with(b"HTTP/1.1 200"));
    }
    assert_eq!(door.get("/v1/status", &ana).status, 200);
}

#[test]
fn the_console_lets_people_in_by_a_form_and_takes_forms_of_its_own_pages_alone() {
    let door = Door::open("http-console", &[]);
    let ana = door.token("Ana", "operator", &[]);
    let form = ("content-type", "application/x-www-form-urlencoded");
    let stranger = door.ask("GET", "/power-day?day=2025-01-01", &[], "");
    assert_eq!(stranger.status, 303);
    assert!(
        stranger.headers["location"].starts_with("/login?then=%2Fpower-day")
            || stranger.headers["location"].starts_with("/login?then=/power-day")
    );
    let wrong = door.ask("POST", "/login", &[form], "token=mw_pat_x&then=%2F");
    assert_eq!(wrong.status, 401);
    assert!(!wrong.headers.contains_key("set-cookie"));
    let body = format!("token={ana}&then=https%3A%2F%2Felsewhere.example");
    let entered = door.ask("POST", "/login", &[form], &body);
    assert_eq!((entered.status, entered.headers["location"].as_str()), (303, "/"));
    let set = &entered.headers["set-cookie"];
    assert!(set.contains("HttpOnly") && set.contains("SameSite=Strict"), "{set}");
    assert!(!set.contains(&ana));
    let cookie = ("cookie", set.split(';').next().expect("a cookie"));

    for path in ["/", "/power-day"] {
        let page = door.ask("GET", path, &[cookie], "");
        assert_eq!(page.status, 200, "{}", page.body);
        let policy = &page.headers["content-security-policy"];
        assert!(
            policy.contains("script-src 'self'") && !policy.contains("unsafe"),
            "{policy}"
        );
        let html = &page.body;
        assert_eq!(html.matches("<script").count(), 1, "one script, of ours");
        assert!(html.contains("<script src=\"/assets/console.js\" defer></script>"));
        for never in ["style=\"", "onclick", "javascript:", "http://", "https://"] {
            assert!(!html.contains(never), "{never} in {path}");
        }
        assert!(html.contains("mixed-10mw") && html.contains("Ana"), "{html}");
    }
    assert_eq!(door.ask("GET", "/v1/status", &[cookie], "").status, 200);
    let bare = [cookie, ("content-type", "application/json"), ("idempotency-key", "k")];
    let forged = door.ask("POST", "/v1/loads/s21/end-hold", &bare, "{}");
    assert_eq!(forged.problem(), "unauthenticated", "a cookie does not act over the API");
    for guard in ["", "guard=AAAA"] {
        let forged = door.ask("POST", "/alarms/1/acknowledge", &[cookie, form], guard);
        assert_eq!(forged.status, 403, "{guard}");
        assert_eq!(door.ask("POST", "/logout", &[cookie, form], guard).status, 403);
    }
    let page = door.ask("GET", "/", &[cookie], "").body;
    let guard = page
        .split("name=\"guard\" value=\"")
        .nth(1)
        .and_then(|rest| rest.split('"').next());
    let guard = format!("guard={}", guard.expect("a guard"));
    let none = door.ask("POST", "/alarms/4000000/acknowledge", &[cookie, form], &guard);
    assert_eq!(none.status, 409, "{}", none.body);
    assert_eq!(door.ask("POST", "/logout", &[cookie, form], &guard).status, 303);
    assert_eq!(door.ask("GET", "/", &[cookie], "").status, 303, "the session has ended");
}

#[test]
fn an_address_beyond_this_machine_needs_tls_and_tls_is_spoken() {
    let folder = crate::backtest::fresh("http-open-plain");
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_mw"));
    let (code, text) = super::text_of(
        command
            .args(["run", "examples/mixed-10mw", "--against", "sim", "--synth", "7"])
            .args(["--seconds", "60", "--http", "0.0.0.0:0", "--data"])
            .arg(&folder)
            .current_dir(crate::backtest::root())
            .output()
            .expect("the program starts"),
    );
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("--http-certificate"), "{text}");

    let tls = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/tls");
    let (certificate, key) = (tls.join("receiver.pem"), tls.join("receiver-key.pem"));
    let folder = crate::backtest::fresh("http-tls");
    let mut run = Run::start_in(
        &folder,
        &[
            "--http",
            "127.0.0.1:0",
            "--http-certificate",
            certificate.to_str().expect("a path"),
            "--http-key",
            key.to_str().expect("a path"),
        ],
    );
    let open = run.wait_for("http_open");
    assert!(open["url"].as_str().expect("an address").starts_with("https://"));
    let address = open["address"].as_str().expect("an address").to_owned();
    // Plain HTTP is not answered.
    let mut plain = TcpStream::connect(&address).expect("the door is open");
    plain.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    plain.write_all(b"GET /login HTTP/1.1\r\nhost: x\r\n\r\n").expect("sent");
    let mut said = Vec::new();
    drop(plain.read_to_end(&mut said));
    assert!(!said.starts_with(b"HTTP/"), "{said:?}");
}

#[test]
fn the_openapi_document_is_served_as_it_is_checked_in() {
    let door = Door::open("http-openapi", &[]);
    let served = door.ask("GET", "/v1/openapi.json", &[], "").json();
    assert_eq!(served, mw::api::openapi::document());
    for route in ROUTES.iter().filter(|route| route.is_api()) {
        let operation = &served["paths"][route.path][method(route.method).to_lowercase()];
        assert!(operation.is_object(), "{} is not in the document", route.path);
        let is_open = route.does == Does::Read(Document::OpenApi);
        assert_eq!(operation["security"] == json!([]), is_open, "{}", route.path);
    }
}
