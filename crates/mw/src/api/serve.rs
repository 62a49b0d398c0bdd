//! Takes a request through the table: route, who, rule, query, body, and what it does.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::rejection::RawPathParamsRejection;
use axum::extract::{RawPathParams, Request};
use axum::http::{HeaderName, HeaderValue, Method as HttpMethod, Response, header};
use axum::routing::any;
use serde::Serialize;
use sha2::{Digest, Sha256};
use tokio::time::timeout;
use tracing::info;

use super::act::{Wanted, answer_of};
use super::call::{Call, Caller, bearer, cookie};
use super::idempotency::{Begin, KEY_BYTES_MAX};
use super::problem::{Kind, Problem};
use super::racks::act::RacksAct;
use super::role::Rule;
use super::route::{Act, Does, Method, ROUTES, Route};
use super::secret::text_of;
use super::session::{COOKIE, Session};
use super::{Api, events, form, racks, read, wall};
use crate::console;

/// The longest body, in bytes.
pub const BODY_BYTES_MAX: usize = 64 << 10;

/// The longest body with what tools wrote of a rack, in bytes: of 18 trays it is one or
/// two mebibytes.
pub const RESULTS_BYTES_MAX: usize = 16 << 20;

/// How long a body may take to arrive.
const BODY_WITHIN: Duration = Duration::from_secs(10);

/// The header of idempotency keys.
pub const KEY: &str = "idempotency-key";

/// What every answer carries: it is nobody else's, is what it says it is, and is shown
/// in nobody's frame.
const HEADERS: [(HeaderName, &str); 4] = [
    (header::CACHE_CONTROL, "no-store"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::X_FRAME_OPTIONS, "DENY"),
];

/// The table as a service.
pub fn router(api: Arc<Api>) -> Router {
    let mut by_path: BTreeMap<&'static str, Vec<&'static Route>> = BTreeMap::new();
    for route in ROUTES {
        by_path.entry(route.path).or_default().push(route);
    }
    let mut router = Router::new();
    for (path, routes) in by_path {
        let api = Arc::clone(&api);
        let serve = move |parts: Result<RawPathParams, RawPathParamsRejection>,
                          request: Request| {
            let (api, routes) = (Arc::clone(&api), routes.clone());
            async move {
                let head_only = request.method() == HttpMethod::HEAD;
                let served = match parts {
                    Ok(parts) => serve(&api, &routes, &parts, request).await,
                    Err(_) => Err(Kind::NotFound.because("expected an address in UTF-8")),
                };
                finished(served, head_only)
            }
        };
        router = router.route(path, any(serve));
    }
    router.fallback(async || {
        let why = "there is nothing at this address; see /v1/openapi.json for the API and \
                   / for the console";
        finished(Err(Kind::NotFound.because(why)), false)
    })
}

fn finished(served: Result<Response<Body>, Problem>, head_only: bool) -> Response<Body> {
    let mut response = served.unwrap_or_else(|problem| problem.response());
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    headers
        .entry(header::CONTENT_SECURITY_POLICY)
        .or_insert(HeaderValue::from_static(console::POLICY));
    if head_only {
        *response.body_mut() = Body::empty();
    }
    response
}

async fn serve(
    api: &Arc<Api>,
    routes: &[&'static Route],
    parts: &RawPathParams,
    request: Request,
) -> Result<Response<Body>, Problem> {
    let (head, body) = request.into_parts();
    let method = match head.method {
        HttpMethod::GET | HttpMethod::HEAD => Some(Method::Get),
        HttpMethod::POST => Some(Method::Post),
        _ => None,
    };
    let route = routes.iter().find(|route| Some(route.method) == method);
    let route = route.ok_or_else(|| not_that_way(routes))?;

    let caller = caller(api, &head.headers, route);
    let is_page = matches!(route.does, Does::Page(_));
    let caller = match (route.rule, caller) {
        (Rule::Open, caller) => caller,
        (Rule::Needs(_), None) if is_page => return Ok(console::to_login(&head.uri)),
        (Rule::Needs(_), None) => return Err(read::nobody()),
        (Rule::Needs(wanted), Some(caller)) => {
            if !caller.may(wanted) {
                let why = format!(
                    "expected a token that may `{}`, found one of the role `{}`{}",
                    wanted.word(),
                    caller.token.role.word(),
                    if caller.token.scope.is_some() {
                        " with a narrower scope"
                    } else {
                        ""
                    }
                );
                let problem = Kind::Forbidden.because(why);
                return if is_page {
                    Ok(console::problem(&problem))
                } else {
                    Err(problem)
                };
            }
            Some(caller)
        }
    };
    if let Some(caller) = &caller
        && !api.throttle.lets(&caller.token.owner, Instant::now())
    {
        return Err(Kind::TooMany.because("expected at most 200 requests a second"));
    }

    let mut call = Call {
        caller,
        parts: parts.iter().map(|(n, v)| (n.to_owned(), v.to_owned())).collect(),
        query: form::read(head.uri.query().unwrap_or(""))?,
        headers: head.headers,
        body: Bytes::new(),
        form: Vec::new(),
    };
    if route.is_api() {
        call.check_query(route.query())?;
    }
    if route.method == Method::Post {
        call.body = body_of(body, longest(route)).await?;
        check_content(route, &mut call)?;
    }
    match route.does {
        Does::Read(what) => {
            let document = read::answer(api, &call, what).await?;
            Ok(json(200, document.to_string()))
        }
        Does::Act(what) => act(api, route, &call, what).await,
        Does::Events | Does::RacksEvents => events::tell(api, &call, route.does),
        Does::Page(page) => {
            let page = console::answer(api, &call, page).await;
            Ok(page.unwrap_or_else(|problem| console::problem(&problem)))
        }
    }
}

fn not_that_way(routes: &[&'static Route]) -> Problem {
    let mut allow: Vec<&str> = Vec::new();
    for route in routes {
        match route.method {
            Method::Get => allow.extend(["GET", "HEAD"]),
            Method::Post => allow.push("POST"),
        }
    }
    let allow = allow.join(", ");
    let problem =
        Kind::MethodNotAllowed.because(format!("expected one of the methods {allow}"));
    Problem { allow: Some(allow), ..problem }
}

/// Who asks. A token goes before a session; what acts over the API takes a token
/// alone, which no other site's page can send.
fn caller(api: &Api, headers: &axum::http::HeaderMap, route: &Route) -> Option<Caller> {
    let now = wall();
    if headers.contains_key(header::AUTHORIZATION) {
        let token = api.tokens.known(bearer(headers)?, now)?;
        return Some(Caller { token, session: None });
    }
    if matches!(route.does, Does::Act(_)) {
        return None;
    }
    let session = Session::of(cookie(headers, COOKIE)?, &api.secret, &api.ended, now)?;
    let token = api.tokens.named(&session.token, now)?;
    Some(Caller { token, session: Some(session) })
}

/// The longest body of a route, in bytes.
fn longest(route: &Route) -> usize {
    match route.does {
        Does::Act(Act::Racks(RacksAct::Judge)) => RESULTS_BYTES_MAX,
        Does::Act(_)
        | Does::Read(_)
        | Does::Events
        | Does::RacksEvents
        | Does::Page(_) => BODY_BYTES_MAX,
    }
}

async fn body_of(body: Body, longest: usize) -> Result<Bytes, Problem> {
    match timeout(BODY_WITHIN, to_bytes(body, longest)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(error)) => {
            let text = std::error::Error::source(&error).map(ToString::to_string);
            if text.as_deref().is_some_and(|text| text.contains("length limit")) {
                let why = format!("expected a body of at most {longest} bytes");
                return Err(Kind::TooLarge.because(why));
            }
            Err(Kind::BadRequest.because(format!("expected a whole body: {error}")))
        }
        Err(_) => {
            let seconds = BODY_WITHIN.as_secs();
            Err(Kind::TooSlow.because(format!("expected the body within {seconds} s")))
        }
    }
}

/// A body of the API is JSON, one of the console a form.
fn check_content(route: &Route, call: &mut Call) -> Result<(), Problem> {
    let kind = call
        .header("content-type")
        .map(|kind| kind.split(';').next().unwrap_or("").trim().to_ascii_lowercase());
    if route.is_api() {
        let silent = match route.does {
            Does::Act(act) => call.body.is_empty() && act.may_be_silent(),
            Does::Read(_) | Does::Events | Does::RacksEvents | Does::Page(_) => false,
        };
        if !silent && kind.as_deref() != Some("application/json") {
            let why = "expected a body of `Content-Type: application/json`";
            return Err(Kind::UnsupportedMediaType.because(why));
        }
        return Ok(());
    }
    if !call.body.is_empty()
        && kind.as_deref() != Some("application/x-www-form-urlencoded")
    {
        let why = "expected a form of `application/x-www-form-urlencoded`";
        return Err(Kind::UnsupportedMediaType.because(why));
    }
    let text = std::str::from_utf8(&call.body)
        .map_err(|_| Kind::BadRequest.because("expected a form in UTF-8"))?;
    call.form = form::read(text)?;
    Ok(())
}

fn json(status: u16, body: String) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    let status = axum::http::StatusCode::from_u16(status);
    *response.status_mut() = status.expect("a status of ours");
    let kind = if response.status().is_success() {
        "application/json"
    } else {
        "application/problem+json"
    };
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

/// Has something done, at most once for its key.
async fn act(
    api: &Arc<Api>,
    route: &Route,
    call: &Call,
    what: Act,
) -> Result<Response<Body>, Problem> {
    let caller = call.caller.clone().ok_or_else(read::nobody)?;
    let dry_run = call.is_dry_run()?;
    let key = key_of(call)?;
    let wanted = what.wanted(api, call)?;
    let load = call.part("load");
    if !load.is_empty() {
        let status = read::status(api)?;
        if status.loads.iter().all(|known| known.name != load) {
            return Err(read::no_load(&status, load));
        }
    }
    if dry_run {
        let (status, body) = done(api, &caller, &wanted, true).await;
        return Ok(json(status, body));
    }
    let Some(key) = key else {
        let why = "expected an `Idempotency-Key` of your own making, new for each thing to \
                   be done: asked again with the same key, nothing is done twice";
        return Err(Kind::KeyMissing.because(why).at("Idempotency-Key"));
    };
    let mut hash = Sha256::new();
    for part in [route.path.as_bytes(), load.as_bytes(), call.part("alarm").as_bytes()] {
        hash.update(part);
        hash.update([0]);
    }
    hash.update(&call.body);
    let request = text_of(&hash.finalize());

    // Whoever asked may leave: what was begun is brought to its end all the same.
    let api = Arc::clone(api);
    let task =
        tokio::spawn(async move { once(&api, &caller, &wanted, key, request).await });
    task.await.unwrap_or_else(|error| {
        tracing::error!(event = "act_broke_off", %error);
        Err(Kind::NotKnown.because("it is not known whether this was done; see the log"))
    })
}

async fn once(
    api: &Arc<Api>,
    caller: &Caller,
    wanted: &Wanted,
    key: String,
    request: String,
) -> Result<Response<Body>, Problem> {
    let (keys, owner) = (Arc::clone(&api.keys), caller.token.owner.clone());
    let begun = on_disk(move || keys.begin(&owner, &key, &request, wall())).await?;
    let ticket = match begun {
        Begin::First(ticket) => ticket,
        Begin::Again { status, body } => {
            let mut response = json(status, body);
            let yes = HeaderValue::from_static("true");
            response.headers_mut().insert("idempotency-replayed", yes);
            return Ok(response);
        }
    };
    let (status, body) = done(api, caller, wanted, false).await;
    let keys = Arc::clone(&api.keys);
    let kept = body.clone();
    on_disk(move || match status {
        // Nothing has changed, and it may be asked again.
        503 => keys.free(ticket, wall()),
        _ => keys.answered(ticket, status, &kept, wall()),
    })
    .await?;
    Ok(json(status, body))
}

/// Files are not written where others wait.
async fn on_disk<T: Send + 'static>(
    how: impl FnOnce() -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    tokio::task::spawn_blocking(how).await.unwrap_or_else(|error| {
        tracing::error!(event = "key_not_written", %error);
        Err(Kind::Internal.because("the idempotency key cannot be written"))
    })
}

/// Asks the run, and says what became of it: status code and body.
async fn done(
    api: &Api,
    caller: &Caller,
    wanted: &Wanted,
    dry_run: bool,
) -> (u16, String) {
    let by = caller.by();
    info!(
        event = "asked_by_http",
        by = by.name,
        role = by.role,
        token = caller.token.id,
        dry_run
    );
    let answer = match wanted {
        Wanted::Racks(asked) => return racks::act::done(api, asked, dry_run).await,
        Wanted::Wish(wish) => api.speaker.ask(by, wish, dry_run).await,
        Wanted::Reload => api.speaker.reload(by, dry_run).await,
        Wanted::Stop if dry_run => crate::live::control::speaker::Answer::UnderWay(
            "the run would end; machines would fall to their fail-safe levels when their \
             leases end"
                .to_owned(),
        ),
        Wanted::Stop => api.speaker.stop(by).await,
    };
    match answer_of(answer, dry_run) {
        Ok(document) => (200, text(&document)),
        Err(problem) => (problem.status(), text(&problem.document())),
    }
}

fn text(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("a document is JSON")
}

/// The idempotency key, if there is one.
fn key_of(call: &Call) -> Result<Option<String>, Problem> {
    let wrong = || {
        let why = format!(
            "expected an `Idempotency-Key` of 1 to {KEY_BYTES_MAX} visible ASCII characters"
        );
        Kind::BadRequest.because(why).at("Idempotency-Key")
    };
    let mut lines = call.headers.get_all(KEY).into_iter();
    let Some(line) = lines.next() else { return Ok(None) };
    if lines.next().is_some() {
        return Err(wrong());
    }
    let key = line.to_str().map_err(|_| wrong())?.trim().trim_matches('"');
    let fits = (1..=KEY_BYTES_MAX).contains(&key.len());
    if !fits || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(wrong());
    }
    Ok(Some(key.to_owned()))
}
