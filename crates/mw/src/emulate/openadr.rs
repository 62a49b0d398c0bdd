//! A grid that speaks OpenADR 3.1 from the other end: a small VTN with a program and
//! events that are created while it runs.
//!
//! Like the real one it passes on what it is given, junk included: checking is the
//! business of whoever acts on it. It has two logins, and the one that reads may not
//! write.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use units::{Power, Seconds, Timestamp};

use crate::live::clock::Clock;

/// The login of whoever is told, unless it is another: `ven-client:ven-secret`.
pub const VEN: &str = "ven-client:ven-secret";

/// The login of whoever tells: `bl-client:bl-secret`.
pub const BUSINESS: &str = "bl-client:bl-secret";

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Quirk {
    /// Every token that was given has expired.
    TokenExpired,
    /// The login may not read events.
    Forbidden,
    /// Answers take half a minute.
    Slow,
    /// A proxy in between answers with a page for people.
    Html,
    /// The database behind it is gone.
    Failing,
    /// Lists come back empty, with 200.
    Forgets,
}

/// A VTN. Clones are the same one.
#[derive(Clone, Debug)]
pub struct Vtn {
    shared: Arc<Mutex<Shared>>,
    clock: Clock,
}

#[derive(Debug)]
struct Shared {
    program: Value,
    /// The login of whoever is told.
    ven: String,
    events: BTreeMap<String, Value>,
    reports: Vec<Value>,
    tokens: BTreeMap<String, (Scope, Instant)>,
    quirks: BTreeSet<Quirk>,
    counted: u64,
    /// Lists of events that were asked for.
    asked: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scope {
    Reads,
    Writes,
}

/// How long a token lasts.
const TOKEN_LASTS: Duration = Duration::from_secs(3_600);

/// How long a slow one takes.
const SLOW: Duration = Duration::from_secs(30);

/// The most events it keeps; of more, the oldest go.
const EVENTS_MAX: usize = 1_000;

/// The id of its one program.
const PROGRAM: &str = "program-1";

impl Vtn {
    /// A VTN with one program of that name and no events, in the time of `clock`.
    pub fn new(program: &str, clock: Clock) -> Self {
        let unit = |kind: &str| json!({"payloadType": kind, "units": "KW"});
        let program = json!({
            "id": PROGRAM, "objectType": "PROGRAM", "programName": program,
            "payloadDescriptors": [
                unit("IMPORT_CAPACITY_LIMIT"),
                unit("DISPATCH_SETPOINT"),
                unit("DISPATCH_SETPOINT_RELATIVE"),
                {"payloadType": "PRICE", "units": "KWH", "currency": "USD"},
            ],
        });
        let shared = Shared {
            program,
            ven: VEN.to_owned(),
            events: BTreeMap::new(),
            reports: Vec::new(),
            tokens: BTreeMap::new(),
            quirks: BTreeSet::new(),
            counted: 0,
            asked: 0,
        };
        Self { shared: Arc::new(Mutex::new(shared)), clock }
    }

    /// The same for whoever is told with this login, `client-id:client-secret`.
    #[must_use]
    pub fn told_with(self, login: String) -> Self {
        self.shared().ven = login;
        self
    }

    /// Answers on a listener until it or the caller ends.
    pub async fn serve(&self, listener: TcpListener) -> io::Result<()> {
        self.serve_under(listener, "").await
    }

    /// The same under a path such as `/openadr3/3.1.0`.
    pub async fn serve_under(&self, listener: TcpListener, path: &str) -> io::Result<()> {
        let routes = Router::new()
            .route("/auth/token", post(token))
            .route("/programs", get(programs))
            .route("/events", get(events).post(create))
            .route("/events/{id}", get(event).put(change).delete(cancel))
            .route("/reports", post(report))
            .with_state(self.clone());
        let routes = match path.trim_end_matches('/') {
            "" => routes,
            path => Router::new().nest(path, routes),
        };
        axum::serve(listener, routes).await
    }

    /// An event as it is written, whatever it says. Its id.
    pub fn create(&self, event: Value) -> String {
        let mut shared = self.shared();
        shared.counted += 1;
        let id = format!("event-{}", shared.counted);
        let event = self.stamped(event, &id);
        shared.events.insert(id.clone(), event);
        while shared.events.len() > EVENTS_MAX {
            shared.events.pop_first();
        }
        id
    }

    /// One payload from now on, for so long; its id. `priority` 0 is the highest.
    pub fn tell(
        &self,
        kind: &str,
        value: Value,
        lasts: Seconds,
        priority: u32,
    ) -> String {
        let start = self.clock.now().to_string();
        self.create(json!({
            "eventName": kind, "priority": priority,
            "intervalPeriod": {
                "start": start, "duration": format!("PT{}S", lasts.as_seconds()),
            },
            "intervals": [{"id": 0, "payloads": [{"type": kind, "values": [value]}]}],
        }))
    }

    /// The site may draw no more than this, from now on, for so long; its id.
    pub fn limit(&self, level: Power, lasts: Seconds) -> String {
        let kilowatts = level.as_watts() / 1_000;
        self.tell("IMPORT_CAPACITY_LIMIT", json!(kilowatts), lasts, 0)
    }

    /// A grid emergency, from now on, for so long; its id.
    pub fn emergency(&self, said: &str, lasts: Seconds) -> String {
        self.tell("ALERT_GRID_EMERGENCY", json!(said), lasts, 0)
    }

    /// An event changes; whether there is one.
    pub fn change(&self, id: &str, event: Value) -> bool {
        let event = self.stamped(event, id);
        match self.shared().events.get_mut(id) {
            Some(old) => {
                *old = event;
                true
            }
            None => false,
        }
    }

    /// An event is cancelled; whether there was one.
    pub fn cancel(&self, id: &str) -> bool {
        self.shared().events.remove(id).is_some()
    }

    /// Something goes wrong, or right again.
    pub fn set(&self, quirk: Quirk, stands: bool) {
        let mut shared = self.shared();
        match stands {
            true => shared.quirks.insert(quirk),
            false => shared.quirks.remove(&quirk),
        };
        if quirk == Quirk::TokenExpired && stands {
            shared.tokens.clear();
        }
    }

    /// Reports that were filed, oldest first.
    pub fn reports(&self) -> Vec<Value> {
        self.shared().reports.clone()
    }

    /// How often its events were asked for and given.
    pub fn asked(&self) -> u64 {
        self.shared().asked
    }

    fn stamped(&self, event: Value, id: &str) -> Value {
        let now: Timestamp = self.clock.now();
        // What is no object is passed on all the same, as junk.
        let mut event = match event.as_object() {
            Some(event) => event.clone(),
            None => serde_json::Map::from_iter([("intervals".to_owned(), event)]),
        };
        event.insert("id".to_owned(), json!(id));
        event.insert("objectType".to_owned(), json!("EVENT"));
        event.insert("programID".to_owned(), json!(PROGRAM));
        event.entry("createdDateTime").or_insert_with(|| json!(now.to_string()));
        event.insert("modificationDateTime".to_owned(), json!(now.to_string()));
        Value::Object(event)
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().expect("no panic while held")
    }

    /// Whether a request may go on, and if not, what is answered.
    async fn check(&self, headers: &HeaderMap, needs: Scope) -> Result<(), Response> {
        let has = |quirk| self.shared().quirks.contains(&quirk);
        if has(Quirk::Slow) {
            tokio::time::sleep(SLOW).await;
        }
        if has(Quirk::Html) {
            let page = "<!doctype html><title>Bad gateway</title>";
            return Err(([(header::CONTENT_TYPE, "text/html")], page).into_response());
        }
        if has(Quirk::Failing) {
            return Err(problem(StatusCode::INTERNAL_SERVER_ERROR, "database"));
        }
        let bearer = headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.strip_prefix("Bearer "));
        let held = bearer.and_then(|bearer| self.shared().tokens.get(bearer).copied());
        match held.filter(|(_, until)| *until > Instant::now()) {
            None => Err(problem(StatusCode::UNAUTHORIZED, "token")),
            Some((Scope::Reads, _)) if needs == Scope::Writes => {
                Err(problem(StatusCode::FORBIDDEN, "Missing 'write_events' scope"))
            }
            Some(_) if has(Quirk::Forbidden) => {
                Err(problem(StatusCode::FORBIDDEN, "Missing 'read_all' scope"))
            }
            Some(_) => Ok(()),
        }
    }
}

fn problem(status: StatusCode, detail: &str) -> Response {
    let body = json!({"status": status.as_u16(), "title": "refused", "detail": detail});
    answer(status, &body)
}

fn answer(status: StatusCode, body: &Value) -> Response {
    let kind = [(header::CONTENT_TYPE, "application/json")];
    (status, kind, body.to_string()).into_response()
}

/// A token for a login, as OAuth2's client credentials.
async fn token(State(vtn): State<Vtn>, body: Bytes) -> Response {
    let form = String::from_utf8_lossy(&body);
    let field = |name: &str| {
        let mut pairs = form.split('&');
        pairs.find_map(|pair| pair.strip_prefix(name)?.strip_prefix('=')).map(decoded)
    };
    let login = field("client_id").zip(field("client_secret"));
    let login = login.map(|(id, secret)| format!("{id}:{secret}"));
    let mut shared = vtn.shared();
    let scope = match login {
        Some(login) if login == shared.ven => Scope::Reads,
        Some(login) if login == BUSINESS => Scope::Writes,
        Some(_) | None => return problem(StatusCode::UNAUTHORIZED, "invalid_client"),
    };
    shared.counted += 1;
    let token = format!("token-{}", shared.counted);
    shared.tokens.insert(token.clone(), (scope, Instant::now() + TOKEN_LASTS));
    let lasts = TOKEN_LASTS.as_secs();
    answer(
        StatusCode::OK,
        &json!({"access_token": token, "token_type": "Bearer", "expires_in": lasts}),
    )
}

/// What a form's field says.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let digits: Vec<u8> = match byte {
            b'%' => rest.clone().take(2).collect(),
            _ => Vec::new(),
        };
        let digits = std::str::from_utf8(&digits).unwrap_or_default();
        match (byte, u8::from_str_radix(digits, 16)) {
            (b'%', Ok(meant)) => {
                bytes.push(meant);
                rest.by_ref().take(2).for_each(drop);
            }
            (b'+', _) => bytes.push(b' '),
            (byte, _) => bytes.push(byte),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

async fn programs(State(vtn): State<Vtn>, headers: HeaderMap, uri: Uri) -> Response {
    if let Err(refused) = vtn.check(&headers, Scope::Reads).await {
        return refused;
    }
    let list = vec![vtn.shared().program.clone()];
    answer(StatusCode::OK, &page(list, &uri))
}

async fn events(State(vtn): State<Vtn>, headers: HeaderMap, uri: Uri) -> Response {
    if let Err(refused) = vtn.check(&headers, Scope::Reads).await {
        return refused;
    }
    let mut shared = vtn.shared();
    shared.asked += 1;
    let list = match shared.quirks.contains(&Quirk::Forgets) {
        true => Vec::new(),
        false => shared.events.values().cloned().collect(),
    };
    answer(StatusCode::OK, &page(list, &uri))
}

async fn event(
    State(vtn): State<Vtn>,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Response {
    if let Err(refused) = vtn.check(&headers, Scope::Reads).await {
        return refused;
    }
    match vtn.shared().events.get(&id) {
        Some(event) => answer(StatusCode::OK, event),
        None => problem(StatusCode::NOT_FOUND, "no such event"),
    }
}

async fn create(State(vtn): State<Vtn>, headers: HeaderMap, body: Bytes) -> Response {
    if let Err(refused) = vtn.check(&headers, Scope::Writes).await {
        return refused;
    }
    let Ok(event) = serde_json::from_slice(&body) else {
        return problem(StatusCode::BAD_REQUEST, "JSON");
    };
    let id = vtn.create(event);
    let event = vtn.shared().events.get(&id).cloned().unwrap_or_default();
    answer(StatusCode::CREATED, &event)
}

async fn change(
    State(vtn): State<Vtn>,
    headers: HeaderMap,
    Path(id): Path<String>,
    body: Bytes,
) -> Response {
    if let Err(refused) = vtn.check(&headers, Scope::Writes).await {
        return refused;
    }
    match serde_json::from_slice(&body).map(|event| vtn.change(&id, event)) {
        Ok(true) => answer(StatusCode::OK, &json!({"id": id})),
        Ok(false) => problem(StatusCode::NOT_FOUND, "no such event"),
        Err(_) => problem(StatusCode::BAD_REQUEST, "JSON"),
    }
}

async fn cancel(
    State(vtn): State<Vtn>,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Response {
    if let Err(refused) = vtn.check(&headers, Scope::Writes).await {
        return refused;
    }
    match vtn.cancel(&id) {
        true => answer(StatusCode::OK, &json!({"id": id})),
        false => problem(StatusCode::NOT_FOUND, "no such event"),
    }
}

async fn report(State(vtn): State<Vtn>, headers: HeaderMap, body: Bytes) -> Response {
    if let Err(refused) = vtn.check(&headers, Scope::Reads).await {
        return refused;
    }
    let Ok(report) = serde_json::from_slice::<Value>(&body) else {
        return problem(StatusCode::BAD_REQUEST, "JSON");
    };
    let mut shared = vtn.shared();
    if shared.reports.len() < EVENTS_MAX {
        shared.reports.push(report.clone());
    }
    answer(StatusCode::CREATED, &report)
}

/// The part of a list that a query asks for.
fn page(list: Vec<Value>, uri: &Uri) -> Value {
    let query = uri.query().unwrap_or_default();
    let number = |name: &str| {
        let field =
            query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
        field.and_then(|text| text.parse::<usize>().ok())
    };
    let (skip, limit) = (number("skip").unwrap_or(0), number("limit").unwrap_or(50));
    Value::Array(list.into_iter().skip(skip).take(limit).collect())
}
