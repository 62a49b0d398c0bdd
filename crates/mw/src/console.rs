//! The console: pages for people, made by the program.
//!
//! Each page answers one question and has an address of its own. Pages are complete
//! without a script; a small one of ours keeps them fresh. Nothing is loaded from
//! elsewhere, and no page writes script or style into itself.
//!
//! Invariant: every figure of a page is one that the API answers with, too.
//! Invariant: text that comes from files, devices or people is escaped by the
//! templates, which are the only place that writes markup.

mod bar;
mod capacity;
mod day;
mod next;
mod now;
mod power_day;
mod text;

use askama::Template;
use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, Uri, header};

use crate::api::call::{Call, Caller, cookie};
use crate::api::problem::{Kind, Problem};
use crate::api::role::Permission;
use crate::api::route::Page;
use crate::api::session::{COOKIE, LASTS, Session};
use crate::api::{Api, act, form, wall};
use crate::live::control::speaker::Answer;

/// What a page may load, and where its forms may go: ourselves, and nobody else.
pub const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; \
    connect-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'; \
    frame-ancestors 'none'";

/// The style sheet.
pub const STYLE: &str = include_str!("../templates/console/console.css");

/// The script: all there is.
pub const SCRIPT: &str = include_str!("../templates/console/console.js");

/// What surrounds every page.
struct Frame {
    /// The page's own name.
    title: &'static str,
    /// The site.
    site: String,
    /// The site's time that the figures are of.
    at: String,
    /// Who looks; nobody before they log in.
    who: Option<Who>,
    /// What is wrong with the run itself.
    trouble: Option<String>,
    /// What was done just now, where a form did something.
    said: Option<String>,
}

/// Who looks at a page.
struct Who {
    name: String,
    role: String,
    /// What forms of this session carry; nothing where a token came with the request.
    guard: Option<String>,
    /// Whether they may look after alarms.
    acknowledges: bool,
    /// Whether they see the site, and not only what is a tenant's own.
    sees_site: bool,
}

#[derive(Template)]
#[template(path = "console/login.html")]
struct Login {
    frame: Frame,
    wrong: bool,
    then: String,
}

#[derive(Template)]
#[template(path = "console/problem.html")]
struct Wrong {
    frame: Frame,
    status: u16,
    heading: &'static str,
    detail: String,
}

impl Frame {
    fn of(api: &Api, call: &Call, title: &'static str) -> Self {
        let status = api.speaker.board.status();
        let said = form::once(&call.query, "said").ok().flatten().map(str::to_owned);
        Self {
            title,
            site: status.as_ref().map_or(String::new(), |status| status.site.clone()),
            at: status
                .map_or("nothing yet".to_owned(), |status| text::instant(status.at)),
            who: call.caller.as_ref().map(|caller| who(api, caller)),
            trouble: api.speaker.board.trouble(),
            // Nothing but our own words: an address may come from anybody.
            said: said.and_then(|word| match word.as_str() {
                "acknowledged" => Some("The alarm is acknowledged.".to_owned()),
                "again" => Some("Somebody looks after that alarm already.".to_owned()),
                _ => None,
            }),
        }
    }

    fn bare(title: &'static str) -> Self {
        Self {
            title,
            site: String::new(),
            at: String::new(),
            who: None,
            trouble: None,
            said: None,
        }
    }
}

fn who(api: &Api, caller: &Caller) -> Who {
    let person = caller.token.person();
    Who {
        name: person.name,
        role: person.role,
        guard: caller.session.as_ref().map(|session| session.guard(&api.secret)),
        acknowledges: caller.may(Permission::Acknowledge) && caller.session.is_some(),
        sees_site: caller.may(Permission::SeeSite),
    }
}

/// Answers a call of the console.
///
/// # Errors
///
/// When there is no such thing, or a form is not of its session.
pub async fn answer(
    api: &Api,
    call: &Call,
    page: Page,
) -> Result<Response<Body>, Problem> {
    match page {
        Page::Now => html(200, &now::page(api, call)?),
        Page::Capacity => html(200, &capacity::page(api, call).await?),
        Page::PowerDay => html(200, &power_day::page(api, call).await?),
        Page::Login => {
            let then = local(form::once(&call.query, "then")?.unwrap_or("/"));
            html(200, &Login { frame: Frame::bare("Log in"), wrong: false, then })
        }
        Page::LogIn => log_in(api, call),
        Page::LogOut => {
            let session = guarded(api, call)?;
            api.ended.end(&session, wall());
            let mut response = to("/login");
            set_cookie(&mut response, &format!("{COOKIE}=; Max-Age=0"), api.by_tls);
            Ok(response)
        }
        Page::Acknowledge => acknowledge(api, call).await,
        Page::Style => Ok(asset(STYLE, "text/css; charset=utf-8")),
        Page::Script => Ok(asset(SCRIPT, "text/javascript; charset=utf-8")),
    }
}

/// A problem as a page.
pub fn problem(problem: &Problem) -> Response<Body> {
    let (status, _, heading) = problem.kind.of();
    let page = Wrong {
        frame: Frame::bare("Not possible"),
        status,
        heading,
        detail: problem.detail.clone(),
    };
    html(status, &page).unwrap_or_else(|problem| problem.response())
}

/// Where nobody is known: to the form, and from there back.
pub fn to_login(uri: &Uri) -> Response<Body> {
    let then = uri.path_and_query().map_or("/", |path| path.as_str());
    let then: String = then
        .bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' => {
                char::from(byte).to_string()
            }
            other => format!("%{other:02X}"),
        })
        .collect();
    to(&if then == "/" { "/login".to_owned() } else { format!("/login?then={then}") })
}

fn log_in(api: &Api, call: &Call) -> Result<Response<Body>, Problem> {
    let secret = form::once(&call.form, "token")?.unwrap_or("").trim();
    let then = local(form::once(&call.form, "then")?.unwrap_or("/"));
    let now = wall();
    let Some(token) = api.tokens.known(secret, now) else {
        tracing::info!(event = "login_refused");
        return html(401, &Login { frame: Frame::bare("Log in"), wrong: true, then });
    };
    let session = Session::begin(&token.id, now).map_err(|error| {
        tracing::error!(event = "no_session", error = format!("{error:#}"));
        Kind::Internal.because("no session can be begun; see the log of the run")
    })?;
    tracing::info!(event = "login", owner = token.owner, token = token.id);
    // A tenant has one page.
    let then = if token.may(Permission::SeeSite) { then } else { "/capacity".to_owned() };
    let mut response = to(&then);
    let cookie = session.cookie(&api.secret);
    let lasts = LASTS.as_seconds();
    set_cookie(&mut response, &format!("{COOKIE}={cookie}; Max-Age={lasts}"), api.by_tls);
    Ok(response)
}

/// The session of a form, if the form is of one of our pages.
fn guarded(api: &Api, call: &Call) -> Result<Session, Problem> {
    let session = call.caller.as_ref().and_then(|caller| caller.session.clone());
    let guard = form::once(&call.form, "guard")?.unwrap_or("");
    match session.filter(|session| session.is_guarded(guard, &api.secret)) {
        Some(session) => Ok(session),
        None => {
            let cookie = cookie(&call.headers, COOKIE).is_some();
            tracing::warn!(event = "form_forged", cookie);
            let why = "expected a form of a page of this session; open the page anew and \
                       send it from there";
            Err(Kind::Forged.because(why))
        }
    }
}

async fn acknowledge(api: &Api, call: &Call) -> Result<Response<Body>, Problem> {
    guarded(api, call)?;
    let by = call.caller.as_ref().map(Caller::by).ok_or_else(crate::api::read::nobody)?;
    let wish = act::acknowledge(call)?;
    match api.speaker.ask(by, &wish, false).await {
        Answer::Granted(_) | Answer::UnderWay(_) => Ok(to("/?said=acknowledged")),
        // Twice the same form, or two people at once: it is looked after.
        Answer::Refused(why) if why.contains("already") => Ok(to("/?said=again")),
        other @ (Answer::NotMeant(_) | Answer::Refused(_) | Answer::Failed(_)) => {
            let problem = act::answer_of(other, false).err();
            Err(problem.unwrap_or_else(|| Kind::Internal.because("no answer")))
        }
    }
}

/// An address of ours, whatever was written.
fn local(then: &str) -> String {
    let is_ours = ["/", "/power-day", "/capacity"].contains(&then)
        || then.starts_with("/power-day?");
    let plain = then.bytes().all(|byte| byte.is_ascii_graphic());
    if is_ours && plain { then.to_owned() } else { "/".to_owned() }
}

fn html(status: u16, page: &impl Template) -> Result<Response<Body>, Problem> {
    let text = page.render().map_err(|error| {
        tracing::error!(event = "page_not_made", %error);
        Kind::Internal.because("the page cannot be made; see the log of the run")
    })?;
    let mut response = asset(&text, "text/html; charset=utf-8");
    *response.status_mut() = StatusCode::from_u16(status).expect("a status of ours");
    Ok(response)
}

fn asset(text: &str, kind: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::from(text.to_owned()));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

fn to(place: &str) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SEE_OTHER;
    let place = HeaderValue::from_str(place).unwrap_or(HeaderValue::from_static("/"));
    response.headers_mut().insert(header::LOCATION, place);
    response
}

fn set_cookie(response: &mut Response<Body>, cookie: &str, by_tls: bool) {
    let secure = if by_tls { "; Secure" } else { "" };
    let cookie = format!("{cookie}; Path=/; HttpOnly; SameSite=Strict{secure}");
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_logs_in_stays_with_us() {
        for (then, expected) in [
            ("/", "/"),
            ("/power-day?day=2025-06-01", "/power-day?day=2025-06-01"),
            ("//elsewhere.example", "/"),
            ("https://elsewhere.example", "/"),
            ("/power-dayx", "/"),
            ("/capacity", "/capacity"),
            ("/capacity/x", "/"),
            ("/power-day?\r\nset-cookie: a=b", "/"),
            ("", "/"),
        ] {
            assert_eq!(local(then), expected, "{then:?}");
        }
    }

    #[test]
    fn the_script_is_small_and_asks_nobody_else() {
        assert!(SCRIPT.len() < 20_000, "{} bytes", SCRIPT.len());
        for elsewhere in ["http://", "https://", "import(", "eval(", "innerHTML"] {
            assert!(!SCRIPT.contains(elsewhere), "{elsewhere}");
        }
        assert!(!STYLE.contains("@import") && !STYLE.contains("http"));
    }
}
