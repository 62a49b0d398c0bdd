//! Trays that are not there behind Redfish services that are: a GB300 tray's tree of
//! resources over HTTP, with what a real one does in time.
//!
//! ```text
//! client ──► service: logins, changes, events ──► body: boots, ramps, forgets
//!                 └── tree: what a path shows        └──► the rack's machine on the campus
//! ```
//!
//! A rack's trays together are one machine of the site: what they draw is what the
//! site's meter sees, to the nearest point of the machine's curve.

mod apart;
mod body;
mod disks;
mod events;
mod parts;
mod shelf;
mod switch;
mod tree;
mod trouble;

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body as Answer, Bytes};
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, ETAG, IF_MATCH, LOCATION};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::Response;
use base64::Engine;
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;
use units::{Power, Timestamp};

pub use body::{Timing, TraySpec};
pub use shelf::Shelf;
pub use switch::SwitchTray;
pub use trouble::Fault;

use super::Machine;
use crate::live::clock::Clock;
use apart::Apart;
use body::{Body, From};
use disks::Disks;
use events::Events;
use tree::View;
use trouble::Trouble;

const PREFIX: &str = "/redfish/v1";

/// The largest change or login that is read.
const REQUEST_MAX: usize = 64 * 1_024;

/// The most sessions at once, as of real controllers.
const SESSIONS_MAX: usize = 64;

/// How often a rack's machine follows what its trays draw.
const BEAT: Duration = Duration::from_millis(100);

/// One emulated tray. Clones are the same tray.
#[derive(Clone)]
pub struct Tray {
    shared: Arc<Shared>,
}

struct Shared {
    number: u32,
    clock: Clock,
    /// Who may come in; nobody has to log in where there is none.
    login: Option<(String, String)>,
    /// What shows nothing of a tray, and takes no orders.
    apart: Option<Apart>,
    state: Mutex<Standing>,
    unreachable: watch::Sender<bool>,
}

struct Standing {
    body: Body,
    /// When its system was last switched on, off or on anew.
    reset_at: Timestamp,
    /// Up to when time was let pass.
    passed: Instant,
    trouble: Trouble,
    events: Events,
    sessions: BTreeMap<u64, String>,
    session_next: u64,
    /// Logins that were refused.
    refused: u64,
}

/// A rack of emulated trays.
#[derive(Clone)]
pub struct Rack {
    trays: Vec<Tray>,
}

impl Tray {
    /// A tray that is off. Its number makes its serial numbers.
    pub fn new(
        number: u32,
        spec: TraySpec,
        timing: Timing,
        login: Option<(String, String)>,
        clock: Clock,
    ) -> Self {
        Self::facing(number, spec, timing, login, clock, None)
    }

    fn facing(
        number: u32,
        spec: TraySpec,
        timing: Timing,
        login: Option<(String, String)>,
        clock: Clock,
        apart: Option<Apart>,
    ) -> Self {
        let state = Standing {
            body: Body::off(spec, timing),
            reset_at: clock.now(),
            passed: Instant::now(),
            trouble: Trouble::default(),
            events: Events::default(),
            sessions: BTreeMap::new(),
            session_next: 1,
            refused: 0,
        };
        let (unreachable, _) = watch::channel(false);
        let state = Mutex::new(state);
        let shared = Shared { number, clock, login, apart, state, unreachable };
        Self { shared: Arc::new(shared) }
    }

    /// The same, found at work: on for hours, at full power.
    pub fn found_working(self) -> Self {
        self.with(|state| state.body.found_working());
        self
    }

    /// Serves whoever connects, until the listener or the caller ends.
    ///
    /// # Errors
    ///
    /// When the address cannot be listened on again after the tray was unreachable.
    pub async fn serve(&self, listener: TcpListener) -> io::Result<()> {
        let address = listener.local_addr()?;
        let mut listener = Some(listener);
        let mut unreachable = self.shared.unreachable.subscribe();
        loop {
            if *unreachable.borrow() {
                listener = None;
                let _ = unreachable.wait_for(|is| !is).await;
            }
            let listening = match listener.take() {
                Some(listener) => listener,
                None => TcpListener::bind(address).await?,
            };
            let router = Router::new().fallback(answer).with_state(self.clone());
            let mut gone = self.shared.unreachable.subscribe();
            tokio::select! {
                served = axum::serve(listening, router).into_future() => served?,
                _ = gone.wait_for(|is| *is) => {}
            }
        }
    }

    /// Something goes wrong.
    pub fn take(&self, fault: Fault) {
        let now = self.shared.clock.now();
        self.with(|state| {
            state.trouble.take(fault);
            match fault {
                Fault::GpuMissing(number) => {
                    if let Some(gpu) = state.body.gpus.get_mut(number) {
                        gpu.missing = true;
                    }
                    let origin = format!("Systems/HGX_Baseboard_0/Processors/GPU_{number}");
                    let text = format!("GPU_{number} has fallen off the bus.");
                    let id = "ResourceEvent.1.3.ResourceRemoved";
                    state.events.tell(now, "Critical", id, &text, &origin);
                }
                Fault::Leak(number) => {
                    let detector = parts::LEAK_DETECTORS.get(number).unwrap_or(&"");
                    let origin = format!(
                        "Chassis/Chassis_0/ThermalSubsystem/LeakDetection/LeakDetectors/{detector}"
                    );
                    let text = format!("Leak detector {detector} is wet.");
                    let id = "ResourceEvent.1.3.ResourceErrorsDetected";
                    state.events.tell(now, "Critical", id, &text, &origin);
                }
                Fault::OverrideIgnored => state.body.ignores_override = true,
                Fault::EraseFails => state.body.disks.fails = true,
                Fault::OverrideInSettings
                | Fault::NoErase
                | Fault::Hangs
                | Fault::Unreachable
                | Fault::SaysYes
                | Fault::Redirects
                | Fault::Markup
                | Fault::Endless => {}
            }
        });
        self.shared
            .unreachable
            .send_replace(self.with(|state| state.trouble.unreachable));
    }

    /// All is well again.
    pub fn calm(&self) {
        self.with(|state| {
            state.trouble = Trouble::default();
            state.body.ignores_override = false;
            state.body.disks.fails = false;
            state.body.gpus.iter_mut().for_each(|gpu| gpu.missing = false);
        });
        self.shared.unreachable.send_replace(false);
    }

    /// Somebody resets it, beside whoever drives it.
    pub fn reset(&self, kind: &str) {
        // A kind that it does not have changes nothing.
        let _ = self.with(|state| state.body.reset(kind));
    }

    /// Streams of events break off; events are kept.
    pub fn cut_streams(&self) {
        self.with(|state| state.events.cut());
    }

    /// How many listen to its events.
    pub fn listeners(&self) -> usize {
        self.with(|state| state.events.listeners())
    }

    /// Sessions end, as after a restart of the service.
    pub fn forget_sessions(&self) {
        self.with(|state| state.sessions.clear());
    }

    /// How many logins were let in, and how many were refused.
    pub fn logins(&self) -> (u64, u64) {
        self.with(|state| (state.session_next - 1, state.refused))
    }

    /// What it truly draws at the plug.
    pub fn draw(&self) -> Power {
        self.with(|state| Power::from_watts(state.body.draw().round() as i64))
    }

    /// The most that it is truly set to draw: its standby while off.
    pub fn set(&self) -> Power {
        self.with(|state| Power::from_watts(state.body.set().round() as i64))
    }

    /// Whether its system runs.
    pub fn is_working(&self) -> bool {
        self.with(|state| state.body.is_working())
    }

    /// Whether its tenant's image runs, as the network gave it.
    pub fn runs_image(&self) -> bool {
        self.with(|state| state.body.runs_image())
    }

    /// Whether anything of a tenant's is on its drives.
    pub fn is_written(&self) -> bool {
        self.with(|state| state.body.disks.is_written())
    }

    fn with<T>(&self, act: impl FnOnce(&mut Standing) -> T) -> T {
        let mut state = self.shared.state.lock().unwrap_or_else(PoisonError::into_inner);
        self.shared.pass(&mut state);
        act(&mut state)
    }

    /// What a resource shows now.
    fn show(&self, path: &str) -> Option<Value> {
        let (number, now) = (self.shared.number, self.shared.clock.now());
        if let Some(apart) = &self.shared.apart {
            let sessions: Vec<u64> =
                self.with(|state| state.sessions.keys().copied().collect());
            return apart.at(path, number, &sessions);
        }
        self.with(|state| {
            let sessions: Vec<u64> = state.sessions.keys().copied().collect();
            let view = View {
                body: &state.body,
                trouble: &state.trouble,
                reset_at: state.reset_at,
                number,
                now,
                sessions: &sessions,
            };
            view.at(path)
        })
    }

    fn lets_in(&self, headers: &HeaderMap) -> bool {
        let Some((user, password)) = &self.shared.login else { return true };
        let header = |name: &str| headers.get(name)?.to_str().ok();
        if let Some(token) = header("x-auth-token") {
            return self
                .with(|state| state.sessions.values().any(|known| known == token));
        }
        let expected = basic(user, password);
        header(AUTHORIZATION.as_str()) == Some(expected.as_str())
    }

    fn log_in(&self, asked: &Value) -> Response {
        let text =
            |name: &str| asked.get(name).and_then(Value::as_str).unwrap_or_default();
        let (user, password) = (text("UserName"), text("Password"));
        let is_known = self
            .shared
            .login
            .as_ref()
            .is_none_or(|(known, secret)| known == user && secret == password);
        if !is_known {
            self.with(|state| state.refused += 1);
            return complain(StatusCode::UNAUTHORIZED, "The login is not known.");
        }
        let number = self.shared.number;
        let (id, token) = self.with(|state| {
            let id = state.session_next;
            state.session_next += 1;
            // Good for an emulator on loopback, which asks nobody who they are.
            let token = format!("emulated-{number}-{id}");
            state.sessions.insert(id, token.clone());
            while state.sessions.len() > SESSIONS_MAX {
                state.sessions.pop_first();
            }
            (id, token)
        });
        let mut said = reply(StatusCode::CREATED, &tree::session(&id.to_string()));
        let location = format!("{PREFIX}/SessionService/Sessions/{id}");
        for (name, value) in [("x-auth-token", token), (LOCATION.as_str(), location)] {
            if let (Ok(name), Ok(value)) =
                (axum::http::HeaderName::try_from(name), value.parse())
            {
                said.headers_mut().insert(name, value);
            }
        }
        said
    }

    fn log_out(&self, path: &str) -> Response {
        let id = path.rsplit('/').next().and_then(|id| id.parse().ok());
        let ended = id.and_then(|id: u64| self.with(|state| state.sessions.remove(&id)));
        match ended {
            Some(_) => empty(StatusCode::NO_CONTENT),
            None => complain(StatusCode::NOT_FOUND, "There is no such session."),
        }
    }

    fn act(&self, path: &str, asked: &Value) -> Response {
        if let Some(drive) = drive_of(path).filter(|_| self.shared.apart.is_none()) {
            return self.erase(drive);
        }
        if path != "Systems/System_0/Actions/ComputerSystem.Reset"
            || self.shared.apart.is_some()
        {
            return complain(StatusCode::NOT_FOUND, "There is no such action.");
        }
        let kind = asked.get("ResetType").and_then(Value::as_str).unwrap_or("On");
        let done = self.with(|state| match state.trouble.says_yes {
            true => Ok(()),
            false => state.body.reset(kind),
        });
        match done {
            Ok(()) => empty(StatusCode::NO_CONTENT),
            Err(why) => complain(StatusCode::BAD_REQUEST, why),
        }
    }

    fn erase(&self, drive: usize) -> Response {
        let now = self.shared.clock.now();
        let began = self.with(|state| match state.trouble.says_yes {
            true => Ok(None),
            false if state.trouble.no_erase => Err("there is no such action"),
            false => state
                .body
                .erase(drive)
                .map(|id| Some((id, state.body.disks.task(id, now)))),
        });
        match began {
            Ok(None) => empty(StatusCode::NO_CONTENT),
            Ok(Some((id, task))) => {
                let mut said = reply(StatusCode::ACCEPTED, &task.unwrap_or_default());
                let at = format!("{PREFIX}/TaskService/Tasks/{id}/Monitor");
                said.headers_mut().insert(LOCATION, at.parse().expect("a path"));
                said
            }
            Err(why) => complain(StatusCode::CONFLICT, why),
        }
    }

    /// Has the next start come from somewhere else.
    fn override_once(&self, path: &str, asked: &Value) -> Response {
        let here = path == "Systems/System_0/Settings";
        let text = |name: &str| asked.pointer(&format!("/Boot/{name}"))?.as_str();
        let refused = |why| complain(StatusCode::BAD_REQUEST, why);
        let once =
            match (text("BootSourceOverrideEnabled"), text("BootSourceOverrideTarget")) {
                (Some("Once"), Some("Pxe")) => Some(From::Network),
                (Some("Once"), Some("BiosSetup")) => Some(From::Setup),
                (Some("Disabled"), _) => None,
                _ => {
                    return refused(
                        "The value of BootSourceOverrideTarget is not in the list.",
                    );
                }
            };
        self.with(|state| {
            if state.trouble.override_in_settings != here {
                return refused("Boot properties are taken elsewhere.");
            }
            if !state.trouble.says_yes {
                state.body.once = once;
            }
            empty(StatusCode::NO_CONTENT)
        })
    }

    /// Changes what can be changed: a GPU's limit, whether its power is smoothed, and what
    /// the next start is from.
    fn change(&self, path: &str, asked: &Value, headers: &HeaderMap) -> Response {
        let Some(shown) = self.show(path) else {
            return complain(StatusCode::NOT_FOUND, "There is no such resource.");
        };
        let expected = headers.get(IF_MATCH).and_then(|etag| etag.to_str().ok());
        if expected.is_some_and(|expected| expected != "*" && expected != etag(&shown)) {
            return complain(
                StatusCode::PRECONDITION_FAILED,
                "It was changed meanwhile.",
            );
        }
        if matches!(path, "Systems/System_0" | "Systems/System_0/Settings") {
            return self.override_once(path, asked);
        }
        let gpu = path
            .strip_prefix("Systems/HGX_Baseboard_0/Processors/GPU_")
            .and_then(|rest| rest.split_once('/'))
            .and_then(|(number, rest)| Some((number.parse::<usize>().ok()?, rest)));
        let refused = |why| complain(StatusCode::BAD_REQUEST, why);
        self.with(|state| {
            let (least, most) = (state.body.spec.gpu_least, state.body.spec.gpu_most);
            let says_yes = state.trouble.says_yes;
            match gpu {
                Some((number, "EnvironmentMetrics")) => {
                    let to = asked.pointer("/PowerLimitWatts/SetPoint");
                    let Some(to) = to.and_then(Value::as_f64) else {
                        return refused("Only PowerLimitWatts.SetPoint can be changed.");
                    };
                    if !(least..=most).contains(&to) {
                        return refused("The value of SetPoint is out of range.");
                    }
                    if !says_yes {
                        state.body.gpus[number].set = to.round();
                    }
                }
                Some((number, "Oem/Nvidia/PowerSmoothing")) => {
                    let to = asked.get("Enabled").and_then(Value::as_bool);
                    let Some(to) = to else {
                        return refused("Only Enabled can be changed.");
                    };
                    if !says_yes {
                        state.body.gpus[number].smoothed = to;
                    }
                }
                Some(_) | None => {
                    let why = "Nothing of this resource can be changed.";
                    return complain(StatusCode::METHOD_NOT_ALLOWED, why);
                }
            }
            empty(StatusCode::NO_CONTENT)
        })
    }
}

impl Shared {
    /// Lets the time pass that has passed on the site's clock.
    fn pass(&self, state: &mut Standing) {
        let now = Instant::now();
        let wall = now.saturating_duration_since(state.passed);
        state.passed = now;
        let seconds = wall.as_secs_f64() * f64::from(self.clock.speed());
        if state.body.advance(seconds) {
            state.reset_at = self.clock.now();
            let on = state.body.draw() > state.body.spec.standby;
            let text =
                format!("The system has been powered {}.", if on { "on" } else { "off" });
            let id = "ResourceEvent.1.3.ResourcePowerStateChanged";
            state.events.tell(self.clock.now(), "OK", id, &text, "Systems/System_0");
        }
    }
}

impl Rack {
    /// A rack of these trays.
    pub fn new(trays: Vec<Tray>) -> Self {
        Self { trays }
    }

    /// A rack of so many GB300 trays that are off, which together draw what one machine
    /// of a racks load does at full power and at rest. The trays' numbers begin at
    /// `first`.
    pub fn gb300(
        first: u32,
        trays: u32,
        (full, standby): (Power, Power),
        timing: Timing,
        login: Option<(String, String)>,
        clock: Clock,
    ) -> Self {
        let watts = |power: Power| power.as_watts() as f64;
        let spec = TraySpec::gb300(watts(full), watts(standby), trays as usize);
        let tray = |number| Tray::new(number, spec, timing, login.clone(), clock);
        Self::new((first..first + trays).map(tray).collect())
    }

    /// Its trays.
    pub fn trays(&self) -> &[Tray] {
        &self.trays
    }

    /// What it truly draws at the plug.
    pub fn draw(&self) -> Power {
        self.trays.iter().map(Tray::draw).sum()
    }

    /// Serves its trays on these addresses, each tray on its own, until the caller ends.
    ///
    /// # Errors
    ///
    /// When an address cannot be listened on. Nothing is served then.
    pub async fn serve(&self, addresses: &[SocketAddr]) -> io::Result<Served> {
        let mut listeners = Vec::new();
        for address in addresses.iter().take(self.trays.len()) {
            listeners.push(TcpListener::bind(address).await?);
        }
        let mut served = Served { addresses: Vec::new(), tasks: Vec::new() };
        for (tray, listener) in self.trays.iter().cloned().zip(listeners) {
            served.addresses.push(listener.local_addr()?);
            served.tasks.push(tokio::spawn(async move { tray.serve(listener).await }));
        }
        Ok(served)
    }

    /// Lets one machine of the site draw what the rack draws, for as long as it is
    /// polled: the machine goes to the point of its curve that is nearest.
    pub async fn drive(&self, machine: &Machine) {
        let points = machine.points();
        loop {
            let draw = self.draw();
            let off = |power: Power| power.max(draw) - power.min(draw);
            let nearest = (0_u8..).zip(&points).min_by_key(|(_, point)| off(point.power));
            if let Some((point, _)) = nearest
                && machine.stands().point != point
            {
                machine.go_to(point);
            }
            tokio::time::sleep(BEAT).await;
        }
    }
}

/// Listeners at work; they end with this.
#[derive(Debug)]
pub struct Served {
    /// Where they listen, in the trays' order.
    pub addresses: Vec<SocketAddr>,
    tasks: Vec<tokio::task::JoinHandle<io::Result<()>>>,
}

impl Drop for Served {
    fn drop(&mut self) {
        self.tasks.iter().for_each(tokio::task::JoinHandle::abort);
    }
}

/// Answers one request.
async fn answer(State(tray): State<Tray>, request: Request) -> Response {
    let trouble = tray.with(|state| state.trouble.clone());
    if trouble.hangs || trouble.unreachable {
        std::future::pending::<()>().await;
    }
    if trouble.redirects {
        let mut said = empty(StatusCode::TEMPORARY_REDIRECT);
        let elsewhere = "http://169.254.169.254/latest/meta-data/";
        said.headers_mut().insert(LOCATION, elsewhere.parse().expect("an address"));
        return said;
    }
    if trouble.endless {
        let begin = stream::iter([Bytes::from_static(b"{\"Members\": [")]);
        let more = stream::repeat(Bytes::from_static(&[b' '; 4_096]));
        let flows = begin.chain(more).map(Ok::<_, io::Error>);
        return Response::new(Answer::from_stream(flows));
    }
    let (head, content) = request.into_parts();
    let whole = head.uri.path().trim_end_matches('/').to_owned();
    match whole.as_str() {
        "/redfish" => return reply(StatusCode::OK, &json!({ "v1": "/redfish/v1/" })),
        "/redfish/v1/odata" => return reply(StatusCode::OK, &odata()),
        "/redfish/v1/$metadata" => return metadata(),
        _ => {}
    }
    let Some(path) = whole.strip_prefix(PREFIX) else {
        return complain(StatusCode::NOT_FOUND, "There is no such resource.");
    };
    let path = path.trim_start_matches('/').to_owned();
    let is_login = head.method == Method::POST
        && matches!(
            path.as_str(),
            "SessionService/Sessions" | "SessionService/Sessions/Members"
        );
    let is_open = path.is_empty() && head.method == Method::GET;
    if !is_login && !is_open && !tray.lets_in(&head.headers) {
        return complain(StatusCode::UNAUTHORIZED, "Log in first.");
    }
    if head.method == Method::GET || head.method == Method::HEAD {
        if path == "EventService/SSE" {
            let last = head.headers.get("last-event-id");
            let last = last.and_then(|last| last.to_str().ok()?.parse().ok());
            let mut said = Response::new(tray.with(|state| state.events.listen(last)));
            let kind = "text/event-stream".parse().expect("a kind");
            said.headers_mut().insert(CONTENT_TYPE, kind);
            return said;
        }
        return match tray.show(&path) {
            Some(shown) => reply(StatusCode::OK, &shown),
            None => complain(StatusCode::NOT_FOUND, "There is no such resource."),
        };
    }
    let Ok(content) = axum::body::to_bytes(content, REQUEST_MAX).await else {
        return complain(StatusCode::PAYLOAD_TOO_LARGE, "The request is too long.");
    };
    let asked = match content.is_empty() {
        true => json!({}),
        false => match serde_json::from_slice(&content) {
            Ok(asked) => asked,
            Err(_) => {
                return complain(StatusCode::BAD_REQUEST, "The request is no JSON.");
            }
        },
    };
    match head.method {
        Method::POST if is_login => tray.log_in(&asked),
        Method::POST => tray.act(&path, &asked),
        Method::PATCH => tray.change(&path, &asked, &head.headers),
        Method::DELETE => tray.log_out(&path),
        _ => complain(StatusCode::METHOD_NOT_ALLOWED, "Nothing here takes this method."),
    }
}

/// The drive that an action erases.
fn drive_of(path: &str) -> Option<usize> {
    let rest = path.strip_prefix(disks::AT)?.strip_prefix('/')?;
    Disks::named(rest.strip_suffix("/Actions/Drive.SecureErase")?)
}

fn basic(user: &str, password: &str) -> String {
    let pair = format!("{user}:{password}");
    format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair))
}

/// What a resource is now, in a word: writers name it, so that nobody undoes what they
/// have not seen. Readings change all the time and are no part of it.
fn etag(shown: &Value) -> String {
    let set = shown.pointer("/PowerLimitWatts/SetPoint").or_else(|| shown.get("Enabled"));
    format!("W/\"{}\"", set.map_or_else(|| "0".to_owned(), ToString::to_string))
}

fn reply(status: StatusCode, shown: &Value) -> Response {
    let mut said = Response::new(Answer::from(shown.to_string()));
    *said.status_mut() = status;
    let headers = said.headers_mut();
    headers.insert(CONTENT_TYPE, "application/json".parse().expect("a kind"));
    headers.insert("odata-version", "4.0".parse().expect("a version"));
    if let Ok(etag) = etag(shown).parse() {
        headers.insert(ETAG, etag);
    }
    said
}

fn empty(status: StatusCode) -> Response {
    let mut said = Response::new(Answer::empty());
    *said.status_mut() = status;
    said
}

/// An error, as Redfish has them.
fn complain(status: StatusCode, why: &str) -> Response {
    let mut said = reply(
        status,
        &json!({ "error": {
            "code": "Base.1.18.GeneralError",
            "message": why,
            "@Message.ExtendedInfo": [{
                "@odata.type": "#Message.v1_1_2.Message",
                "MessageId": "Base.1.18.GeneralError",
                "Message": why,
                "Severity": "Warning"
            }]
        } }),
    );
    said.headers_mut().remove(ETAG);
    if status == StatusCode::UNAUTHORIZED {
        let asks = "Basic realm=\"Redfish\"".parse().expect("a challenge");
        said.headers_mut().insert("www-authenticate", asks);
    }
    said
}

fn odata() -> Value {
    json!({
        "@odata.context": "/redfish/v1/$metadata",
        "value": [{ "name": "Service", "kind": "Singleton", "url": "/redfish/v1/" }]
    })
}

fn metadata() -> Response {
    const XML: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\
        <edmx:Edmx xmlns:edmx=\"http://docs.oasis-open.org/odata/ns/edmx\" Version=\"4.0\">\
        <edmx:DataServices/></edmx:Edmx>";
    let mut said = Response::new(Answer::from(XML));
    said.headers_mut().insert(CONTENT_TYPE, "application/xml".parse().expect("a kind"));
    said
}

impl std::fmt::Debug for Tray {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Tray").field(&self.shared.number).finish()
    }
}

impl std::fmt::Debug for Rack {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Rack").field(&self.trays).finish()
    }
}
