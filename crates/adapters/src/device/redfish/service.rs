//! A Redfish service: logged in to once, asked one thing at a time.
//!
//! A session's token is used until the service forgets it; where there are no
//! sessions, every request carries the login. A login that was refused is not tried
//! again for a while, because controllers lock an account after a few.

use std::fmt;
use std::time::{Duration, Instant};

use base64::Engine;
use hyper::Method;
use hyper::header::{AUTHORIZATION, HeaderName, IF_MATCH, LOCATION};
use serde_json::{Value, json};
use tokio::sync::Mutex;

use super::path::Path;
use super::pin::Security;
use super::resource::{self, Resource};
use super::wire::{Asked, Flowing, Said, Wire, nonsense};
use crate::deliver::Secret;
use crate::device::{Answer, DeviceText, Reached, Refusal, Unanswered};

/// How long a refused login is not tried again.
const REFUSED_FOR: Duration = Duration::from_secs(300);

/// The most pages of one collection.
const PAGES_MAX: usize = 16;

const TOKEN: HeaderName = HeaderName::from_static("x-auth-token");

/// Who logs in.
#[derive(Clone)]
pub struct Login {
    /// The account.
    pub user: String,
    /// Its password.
    pub password: Secret,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").field("user", &self.user).finish_non_exhaustive()
    }
}

/// One service.
pub(super) struct Service {
    at: Reached,
    talk: Mutex<Talk>,
    security: Security,
}

struct Talk {
    wire: Wire,
    login: Option<Login>,
    entry: Entry,
    /// When the login was refused.
    refused: Option<Instant>,
}

/// How requests are let in.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Entry {
    /// Nobody logged in yet, or nobody has to.
    Open,
    Session(String),
    Basic,
}

impl Service {
    pub(super) fn new(at: Reached, security: Security, login: Option<Login>) -> Self {
        let wire = Wire::new(at, security.clone());
        let talk = Talk { wire, login, entry: Entry::Open, refused: None };
        Self { at, talk: Mutex::new(talk), security }
    }

    pub(super) fn at(&self) -> Reached {
        self.at
    }

    /// Reads a resource; `None` where the service has none there.
    pub(super) async fn find(
        &self,
        path: &Path,
        by: Instant,
    ) -> Result<Option<Resource>, Unanswered> {
        let said = self.ask(Method::GET, path, None, None, by).await?;
        match said.status {
            200 => Resource::of(path, &said).map(Some),
            404 | 405 | 410 | 501 => Ok(None),
            _ => Err(unexpected(&said, path)),
        }
    }

    /// Reads a resource that has to be there.
    pub(super) async fn get(
        &self,
        path: &Path,
        by: Instant,
    ) -> Result<Resource, Unanswered> {
        let found = self.find(path, by).await?;
        found.ok_or_else(|| nonsense(&format!("nothing at {path}")))
    }

    /// The members of a collection, page by page; none where it is absent.
    pub(super) async fn members(
        &self,
        path: &Path,
        by: Instant,
    ) -> Result<Vec<Path>, Unanswered> {
        let mut members = Vec::new();
        let mut page = Some(path.clone());
        for _ in 0..PAGES_MAX {
            let Some(at) = page else { break };
            let Some(found) = self.find(&at, by).await? else { break };
            members.extend(found.links("/Members"));
            page = found.link("/Members@odata.nextLink");
        }
        members.dedup();
        Ok(members)
    }

    /// Changes properties of a resource.
    pub(super) async fn patch(
        &self,
        path: &Path,
        etag: Option<&str>,
        change: &Value,
        by: Instant,
    ) -> Answer {
        answer(self.ask(Method::PATCH, path, etag, Some(change), by).await, path)
    }

    /// Calls an action.
    pub(super) async fn act(&self, target: &Path, what: &Value, by: Instant) -> Answer {
        self.begin(target, what, by).await.0
    }

    /// Calls an action that may take longer than its answer: what was answered, and
    /// the task that is to be watched, where there is one.
    pub(super) async fn begin(
        &self,
        target: &Path,
        what: &Value,
        by: Instant,
    ) -> (Answer, Option<Path>) {
        let said = self.ask(Method::POST, target, None, Some(what), by).await;
        let task = said.as_ref().ok().and_then(task_of);
        (answer(said, target), task)
    }

    async fn ask(
        &self,
        method: Method,
        path: &Path,
        etag: Option<&str>,
        body: Option<&Value>,
        by: Instant,
    ) -> Result<Said, Unanswered> {
        let body = body.map(|body| body.to_string().into_bytes());
        let asking = async {
            let mut talk = self.talk.lock().await;
            let mut headers = Vec::new();
            headers.extend(etag.map(|etag| (IF_MATCH, etag.to_owned())));
            talk.ask(&Asked { method, path, headers, body }, by).await
        };
        tokio::time::timeout_at(by.into(), asking).await.map_err(|_| Unanswered::Late)?
    }

    /// Begins to listen to a stream of events, from the one after `last` on.
    pub(super) async fn listen(
        &self,
        path: &Path,
        last: Option<&str>,
        by: Instant,
    ) -> Result<Flowing, Unanswered> {
        let asking = async {
            let mut headers = self.talk.lock().await.let_in(by).await?;
            let resume = HeaderName::from_static("last-event-id");
            headers.extend(last.map(|last| (resume, last.to_owned())));
            let asked = Asked { method: Method::GET, path, headers, body: None };
            let apart = Wire::new(self.at, self.security.clone());
            match apart.flow(&asked, by).await? {
                (200, flowing) => Ok(flowing),
                (401 | 403, _) => Err(Unanswered::Login),
                (status, _) => Err(nonsense(&format!("{status} at {path}"))),
            }
        };
        tokio::time::timeout_at(by.into(), asking).await.map_err(|_| Unanswered::Late)?
    }
}

impl Talk {
    async fn ask(&mut self, asked: &Asked<'_>, by: Instant) -> Result<Said, Unanswered> {
        let said = self.ask_once(asked, by).await?;
        if said.status != 401 {
            return Ok(said);
        }
        // A 401 did nothing. A session that was forgotten is made anew, once.
        if self.login.is_none() || !matches!(self.entry, Entry::Session(_)) {
            return Err(self.refuse());
        }
        self.entry = Entry::Open;
        let said = self.ask_once(asked, by).await?;
        if said.status == 401 { Err(self.refuse()) } else { Ok(said) }
    }

    async fn ask_once(
        &mut self,
        asked: &Asked<'_>,
        by: Instant,
    ) -> Result<Said, Unanswered> {
        let mut asked = asked.clone();
        asked.headers.extend(self.let_in(by).await?);
        self.wire.ask(&asked, by).await
    }

    fn refuse(&mut self) -> Unanswered {
        self.entry = Entry::Open;
        self.refused = self.login.is_some().then(Instant::now);
        Unanswered::Login
    }

    /// What a request needs to be let in.
    async fn let_in(
        &mut self,
        by: Instant,
    ) -> Result<Vec<(HeaderName, String)>, Unanswered> {
        let Some(login) = self.login.clone() else {
            return Ok(Vec::new());
        };
        if self.refused.is_some_and(|at| at.elapsed() < REFUSED_FOR) {
            return Err(Unanswered::Login);
        }
        if self.entry == Entry::Open {
            self.entry = self.log_in(&login, by).await?;
            self.refused = None;
        }
        Ok(match &self.entry {
            Entry::Open => Vec::new(),
            Entry::Session(token) => vec![(TOKEN, token.clone())],
            Entry::Basic => {
                let pair = format!("{}:{}", login.user, login.password.expose());
                let pair = base64::engine::general_purpose::STANDARD.encode(pair);
                vec![(AUTHORIZATION, format!("Basic {pair}"))]
            }
        })
    }

    async fn log_in(&mut self, login: &Login, by: Instant) -> Result<Entry, Unanswered> {
        let body = json!({
            "UserName": login.user,
            "Password": login.password.expose(),
        });
        let path = Path::sessions();
        let body = Some(body.to_string().into_bytes());
        let asked =
            Asked { method: Method::POST, path: &path, headers: Vec::new(), body };
        let said = self.wire.ask(&asked, by).await?;
        let token = said.headers.get(TOKEN).and_then(|token| token.to_str().ok());
        match (said.status, token) {
            (200..=299, Some(token)) => Ok(Entry::Session(token.to_owned())),
            // Services without sessions, and those whose sessions are only shown.
            (200..=299, None) | (404 | 405 | 501, _) => Ok(Entry::Basic),
            (400 | 401 | 403, _) => Err(self.refuse()),
            _ => Err(unexpected(&said, &path)),
        }
    }
}

/// The task that an answer names: in its body, else in its `Location`.
fn task_of(said: &Said) -> Option<Path> {
    if said.status != 202 {
        return None;
    }
    let body: Option<Value> = serde_json::from_slice(&said.body).ok();
    let task = body.filter(|body| {
        body["@odata.type"].as_str().is_some_and(|kind| kind.contains("Task."))
    });
    let task = task.and_then(|task| Path::of(task["@odata.id"].as_str()?));
    task.or_else(|| {
        let location = said.headers.get(LOCATION)?.to_str().ok()?;
        // Some write their own address before the path; the path alone counts. A
        // monitor shows no state: its task does.
        let task =
            location[location.find("/redfish/")?..].replace("TaskMonitors", "Tasks");
        Path::of(task.trim_end_matches("/Monitor"))
    })
}

/// An answer that is none to a question.
fn unexpected(said: &Said, path: &Path) -> Unanswered {
    match said.status {
        401 | 403 => Unanswered::Login,
        300..=399 => {
            nonsense(&format!("{} elsewhere, not followed: {path}", said.status))
        }
        status => nonsense(&format!("{status} at {path}")),
    }
}

/// What an answer to a change or an action means.
fn answer(said: Result<Said, Unanswered>, path: &Path) -> Answer {
    let said = match said {
        Ok(said) => said,
        Err(Unanswered::Login) => return Answer::Refused(Refusal::Login),
        Err(why) => return Answer::Unknown(why),
    };
    let words = || words(&said).unwrap_or_else(|| DeviceText::of(path.as_str()));
    match said.status {
        200..=299 => Answer::Accepted,
        401 | 403 => Answer::Refused(Refusal::Login),
        404 | 405 | 501 => Answer::Refused(Refusal::Unsupported(words())),
        409 | 412 | 423 | 428 | 429 | 503 => Answer::Refused(Refusal::Busy(words())),
        400..=499 => Answer::Refused(Refusal::Other(words())),
        // A redirect did nothing here, and what it leads to is not asked; a fault of
        // the service may have come after the deed.
        _ => Answer::Unknown(unexpected(&said, path)),
    }
}

/// The service's own words for a no.
fn words(said: &Said) -> Option<DeviceText> {
    let json: Value = serde_json::from_slice(&said.body).ok()?;
    ["/error/@Message.ExtendedInfo/0/Message", "/error/message"]
        .iter()
        .find_map(|pointer| resource::text(json.pointer(pointer)?))
        .map(DeviceText::of)
}

/// What several requests come to by a deadline.
pub(super) async fn bounded<T>(
    by: Instant,
    asking: impl Future<Output = Result<T, Unanswered>>,
) -> Result<T, Unanswered> {
    tokio::time::timeout_at(by.into(), asking).await.unwrap_or(Err(Unanswered::Late))
}
