//! The few calls that a VEN makes: a token, programs, events, reports.
//!
//! Our own, because the client of the OpenADR project brings a second TLS library.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::deliver::http::{Status, Url, status};
use crate::deliver::wire::{Conversation, Deadline, Reach, Tls, WireError, is_loopback};
use crate::deliver::{Secret, TargetError, Trust};
use crate::device::DeviceText;

/// How to reach a VTN.
#[derive(Debug)]
pub struct Access {
    /// `https://host:port/path`, without a slash at its end.
    pub url: String,
    /// Who we are.
    pub client_id: Secret,
    /// How we prove it.
    pub client_secret: Secret,
    /// Whether plain HTTP may go to another machine. To this one's loopback it always
    /// may.
    pub allow_plain: bool,
    /// Whose certificates are believed.
    pub trust: Trust,
}

/// A VTN, as a VEN speaks to it.
pub struct Client {
    url: Url,
    base: String,
    client_id: Secret,
    client_secret: Secret,
    reach: Reach,
    tls: Option<Tls>,
    token: Option<Token>,
}

struct Token {
    bearer: String,
    until: Instant,
}

/// A program of the VTN.
#[derive(Clone, Debug, PartialEq)]
pub struct Program {
    /// The VTN's id of it.
    pub id: String,
    /// What units and currencies its payloads have.
    pub descriptors: Vec<Value>,
}

/// Why a VTN said nothing that can be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    /// It was not heard, or not understood, in time.
    #[error("expected an answer of the VTN {place} to {what}, {why}")]
    Unheard {
        /// Which VTN.
        place: String,
        /// What was asked.
        what: &'static str,
        /// Why not.
        why: String,
    },
    /// It does not accept the login.
    #[error("the VTN {0} does not accept the login; check `login` and what it may read")]
    Login(String),
    /// It has no program of that name.
    #[error("the VTN {place} has no program `{program}`, found {found}")]
    NoProgram {
        /// Which VTN.
        place: String,
        /// As the site file has it.
        program: String,
        /// What it has.
        found: String,
    },
}

/// The most of an answer.
const ANSWER_MAX: usize = 4 << 20;
/// The most of its lines.
const HEAD_MAX: usize = 32 << 10;
/// How many things a page has: what the specification allows.
const PAGE: usize = 50;
/// The most pages: beyond it a list has no end.
const PAGES_MAX: usize = 40;
/// How long a token is believed to last where the VTN does not say.
const TOKEN_LASTS: u64 = 300;
/// How long before its end a token is renewed.
const TOKEN_MARGIN: Duration = Duration::from_secs(30);

impl Client {
    /// Checks how a VTN is to be reached.
    ///
    /// # Errors
    ///
    /// When the URL cannot be read, is plain where that is not allowed, or no authority
    /// is trusted.
    pub fn new(access: Access) -> Result<Self, TargetError> {
        let url = Url::parse(access.url.trim_end_matches('/'))?;
        let is_here = is_loopback(&url.host);
        if !url.is_secure && !is_here && !access.allow_plain {
            return Err(TargetError::PlainWebhook(url.host));
        }
        let tls =
            url.is_secure.then(|| Tls::new(&url.host, &access.trust)).transpose()?;
        let is_held = !url.is_secure && is_here && !access.allow_plain;
        Ok(Self {
            base: url.path.trim_end_matches('/').to_owned(),
            url,
            client_id: access.client_id,
            client_secret: access.client_secret,
            reach: if is_held { Reach::Loopback } else { Reach::Anywhere },
            tls,
            token: None,
        })
    }

    /// Which VTN it is.
    pub fn place(&self) -> &str {
        &self.url.authority
    }

    /// The program of a name, or of an id.
    ///
    /// # Errors
    ///
    /// When the VTN is not heard in time, refuses, or has none of that name.
    pub fn program(
        &mut self,
        name: &str,
        deadline: Duration,
    ) -> Result<Program, ClientError> {
        let all = self.list("/programs?", "programs", Deadline::after(deadline))?;
        let text = |one: &Value, key: &str| {
            one.get(key).and_then(Value::as_str).map(str::to_owned)
        };
        let is = |one: &&Value| {
            let named = text(one, "programName");
            named.as_deref() == Some(name) || text(one, "id").as_deref() == Some(name)
        };
        let found = all.iter().find(is);
        let found = found.and_then(|one| Some((text(one, "id")?, one)));
        let Some((id, program)) = found else {
            let names: Vec<_> = all
                .iter()
                .filter_map(|one| text(one, "programName"))
                .map(|name| format!("`{}`", DeviceText::of(&name)))
                .take(8)
                .collect();
            let found = match names.is_empty() {
                true => "none".to_owned(),
                false => names.join(", "),
            };
            let (place, program) = (self.place().to_owned(), name.to_owned());
            return Err(ClientError::NoProgram { place, program, found });
        };
        let descriptors = program.get("payloadDescriptors").and_then(Value::as_array);
        Ok(Program { id, descriptors: descriptors.cloned().unwrap_or_default() })
    }

    /// Every event of a program.
    ///
    /// # Errors
    ///
    /// When the VTN is not heard in time, refuses, or its list has no end. A list that
    /// was cut short is an error and no list.
    pub fn events(
        &mut self,
        program: &str,
        deadline: Duration,
    ) -> Result<Vec<Value>, ClientError> {
        let path = format!("/events?programID={}&", encoded(program));
        self.list(&path, "events", Deadline::after(deadline))
    }

    /// Files a report.
    ///
    /// # Errors
    ///
    /// When the VTN is not heard in time, or refuses it.
    pub fn report(
        &mut self,
        report: &Value,
        deadline: Duration,
    ) -> Result<(), ClientError> {
        let deadline = Deadline::after(deadline);
        let body = report.to_string().into_bytes();
        self.authorised(
            "POST",
            "/reports",
            Some(("application/json", body)),
            "a report",
            deadline,
        )
        .map(|_| ())
    }

    fn list(
        &mut self,
        path: &str,
        what: &'static str,
        deadline: Deadline,
    ) -> Result<Vec<Value>, ClientError> {
        let mut all = Vec::new();
        for page in 0..PAGES_MAX {
            let path = format!("{path}skip={}&limit={PAGE}", page * PAGE);
            let answer = self.authorised("GET", &path, None, what, deadline)?;
            let Value::Array(mut list) = answer else {
                return Err(self.unheard(what, "found JSON that is no list".to_owned()));
            };
            // One that sends more than was asked for sends all there is.
            let is_last = list.len() != PAGE;
            all.append(&mut list);
            if is_last {
                return Ok(all);
            }
        }
        Err(self.unheard(what, format!("found more than {} of them", PAGES_MAX * PAGE)))
    }

    /// Asks with a token, and once more with a new one where the VTN does not know it
    /// any more.
    fn authorised(
        &mut self,
        method: &str,
        path: &str,
        body: Option<(&str, Vec<u8>)>,
        what: &'static str,
        deadline: Deadline,
    ) -> Result<Value, ClientError> {
        for attempt in 0..2 {
            let bearer = self.bearer(deadline)?;
            let header = format!("Authorization: Bearer {bearer}");
            let body = body.as_ref().map(|(kind, bytes)| (*kind, bytes.as_slice()));
            let (status, answer) =
                self.ask(method, path, Some(&header), body, what, deadline)?;
            match status.code {
                200..=299 => return self.json(&answer, what),
                401 if attempt == 0 => self.token = None,
                401 | 403 => break,
                _ => return Err(self.unheard(what, self.refusal(&status, &answer))),
            }
        }
        self.token = None;
        Err(ClientError::Login(self.place().to_owned()))
    }

    fn bearer(&mut self, deadline: Deadline) -> Result<String, ClientError> {
        if let Some(token) = &self.token
            && token.until > Instant::now() + TOKEN_MARGIN
        {
            return Ok(token.bearer.clone());
        }
        let what = "a request for a token";
        let form = format!(
            "grant_type=client_credentials&client_id={}&client_secret={}",
            encoded(self.client_id.expose()),
            encoded(self.client_secret.expose()),
        );
        let body = ("application/x-www-form-urlencoded", form.as_bytes());
        let (status, answer) =
            self.ask("POST", "/auth/token", None, Some(body), what, deadline)?;
        match status.code {
            200..=299 => {}
            400 | 401 | 403 => {
                return Err(ClientError::Login(self.place().to_owned()));
            }
            _ => return Err(self.unheard(what, self.refusal(&status, &answer))),
        }
        let answer = self.json(&answer, what)?;
        let bearer = answer.get("access_token").and_then(Value::as_str);
        let is_sent = |text: &&str| {
            !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
        };
        let Some(bearer) = bearer.filter(is_sent) else {
            return Err(self.unheard(what, "found no token in it".to_owned()));
        };
        let lasts = answer.get("expires_in").and_then(Value::as_u64);
        let lasts = Duration::from_secs(lasts.unwrap_or(TOKEN_LASTS).min(86_400));
        let bearer = bearer.to_owned();
        let until = Instant::now() + lasts;
        self.token = Some(Token { bearer: bearer.clone(), until });
        Ok(bearer)
    }

    fn json(&self, answer: &[u8], what: &'static str) -> Result<Value, ClientError> {
        serde_json::from_slice(answer).map_err(|_| {
            let beginning = &answer[..answer.len().min(60)];
            let said = DeviceText::of(&String::from_utf8_lossy(beginning));
            self.unheard(what, format!("found no JSON but `{said}`"))
        })
    }

    fn refusal(&self, status: &Status, answer: &[u8]) -> String {
        let said = match status.code {
            300..=399 => "a redirect, which is not followed".to_owned(),
            _ => {
                let beginning = &answer[..answer.len().min(200)];
                DeviceText::of(&String::from_utf8_lossy(beginning)).to_string()
            }
        };
        format!("found {} {}: {said}", status.code, status.reason)
    }

    fn unheard(&self, what: &'static str, why: String) -> ClientError {
        ClientError::Unheard { place: self.place().to_owned(), what, why }
    }

    fn ask(
        &self,
        method: &str,
        path: &str,
        header: Option<&str>,
        body: Option<(&str, &[u8])>,
        what: &'static str,
        deadline: Deadline,
    ) -> Result<(Status, Vec<u8>), ClientError> {
        let asked = || {
            let mut talk =
                Conversation::open(&self.url.host, self.url.port, self.reach, deadline)?;
            if let Some(tls) = &self.tls {
                talk = talk.secured(tls)?;
            }
            let mut head = vec![
                format!("{method} {}{path} HTTP/1.1", self.base),
                format!("Host: {}", self.url.authority),
                "User-Agent: megawatt".to_owned(),
                "Accept: application/json".to_owned(),
                "Connection: close".to_owned(),
            ];
            head.extend(header.map(str::to_owned));
            if let Some((kind, bytes)) = body {
                head.push(format!("Content-Type: {kind}"));
                head.push(format!("Content-Length: {}", bytes.len()));
            }
            let mut request = head.join("\r\n").into_bytes();
            request.extend_from_slice(b"\r\n\r\n");
            request.extend_from_slice(body.map_or(&[][..], |(_, bytes)| bytes));
            talk.say(&request)?;
            let mut budget = HEAD_MAX;
            let status = status(&mut talk, &mut budget)?;
            let answer = rest(&mut talk, budget, status.code)?;
            talk.close();
            Ok((status, answer))
        };
        asked().map_err(|error: WireError| self.unheard(what, error.to_string()))
    }
}

/// What follows the status: all of it, or an error.
fn rest(
    talk: &mut Conversation,
    mut budget: usize,
    code: u16,
) -> Result<Vec<u8>, WireError> {
    let (mut length, mut chunked) = (None, false);
    loop {
        let header = talk.line(&mut budget)?;
        if header.is_empty() {
            break;
        }
        let Some((name, value)) = header.split_once(':') else { continue };
        let value = value.trim();
        if name.eq_ignore_ascii_case("content-length") {
            let unreadable = || WireError::Unreadable("a length".to_owned());
            length = Some(value.parse::<usize>().map_err(|_| unreadable())?);
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            chunked = value.eq_ignore_ascii_case("chunked");
        }
    }
    if matches!(code, 204 | 304) {
        return Ok(Vec::new());
    }
    if chunked {
        return in_chunks(talk);
    }
    match length {
        Some(length) if length > ANSWER_MAX => Err(WireError::TooLong(ANSWER_MAX)),
        Some(length) => exactly(talk, length),
        // It ends with the connection.
        None => {
            let all = talk.bytes(ANSWER_MAX + 1);
            match all.len() > ANSWER_MAX {
                true => Err(WireError::TooLong(ANSWER_MAX)),
                false => Ok(all),
            }
        }
    }
}

fn exactly(talk: &mut Conversation, length: usize) -> Result<Vec<u8>, WireError> {
    let bytes = talk.bytes(length);
    match bytes.len() == length {
        true => Ok(bytes),
        false => Err(WireError::Closed),
    }
}

fn in_chunks(talk: &mut Conversation) -> Result<Vec<u8>, WireError> {
    let mut all = Vec::new();
    loop {
        let line = talk.line(&mut 64)?;
        let size = line.split(';').next().unwrap_or_default().trim();
        let size = usize::from_str_radix(size, 16)
            .map_err(|_| WireError::Unreadable("a chunk's length".to_owned()))?;
        if all.len() + size > ANSWER_MAX {
            return Err(WireError::TooLong(ANSWER_MAX));
        }
        if size == 0 {
            return Ok(all);
        }
        all.append(&mut exactly(talk, size)?);
        talk.line(&mut 8)?;
    }
}

/// Text as a part of a form or a query.
fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    let encode = |byte: u8| match plain(byte) {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02X}"),
    };
    text.bytes().map(encode).collect()
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Client").field(&self.url.authority).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::encoded;

    #[test]
    fn a_secret_survives_a_form() {
        assert_eq!(encoded("a-B_1.~"), "a-B_1.~");
        assert_eq!(encoded("p&s=w %ä"), "p%26s%3Dw%20%25%C3%A4");
    }
}
