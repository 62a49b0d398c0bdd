//! One request, read: who asks, what of, with which figures.

use axum::body::Bytes;
use axum::http::{HeaderMap, header};
use units::Timestamp;

use super::form::{self, Pairs};
use super::problem::{Kind, Problem};
use super::role::Permission;
use super::route::{Parameter, Values};
use super::session::Session;
use super::token::Token;
use crate::live::control::By;

/// Who asks.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The token, which names the person.
    pub token: Token,
    /// The session, where they came in by the console.
    pub session: Option<Session>,
}

/// One request.
#[derive(Clone, Debug)]
pub struct Call {
    /// Who asks; nobody where the route is open.
    pub caller: Option<Caller>,
    /// The parts of the address that vary.
    pub parts: Pairs,
    /// What stands after the question mark.
    pub query: Pairs,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// The same as text, where it says of itself to be a form.
    pub form: Pairs,
}

impl Caller {
    /// The person, as the record has them.
    pub fn by(&self) -> By {
        let person = self.token.person();
        By { name: person.name, role: person.role }
    }

    /// Whether they may do something.
    pub fn may(&self, wanted: Permission) -> bool {
        self.token.may(wanted)
    }
}

impl Call {
    /// A part of the address; empty where the route has none of the name.
    pub fn part(&self, name: &str) -> &str {
        let part = self.parts.iter().find(|(found, _)| found == name);
        part.map_or("", |(_, value)| value.as_str())
    }

    /// Checks the query against what may stand in it.
    ///
    /// # Errors
    ///
    /// When a name is not known, or a value is not of its kind.
    pub fn check_query(&self, may: &[Parameter]) -> Result<(), Problem> {
        for (name, _) in &self.query {
            if may.iter().all(|known| known.name != name) {
                let known: Vec<&str> = may.iter().map(|known| known.name).collect();
                let known =
                    if known.is_empty() { "none".into() } else { known.join(", ") };
                let why = format!(
                    "expected one of the parameters {known}, found `{}`",
                    name.escape_debug()
                );
                return Err(Kind::BadRequest.because(why).at(name));
            }
        }
        for parameter in may {
            let Some(value) = self.asked(parameter.name)? else { continue };
            let wrong = |expected: &str| {
                let found = value.escape_debug();
                let why = format!("expected {expected}, found `{found}`");
                Err(Kind::BadRequest.because(why).at(parameter.name))
            };
            match parameter.of {
                Values::Text => {}
                Values::Instant if Timestamp::parse(value).is_err() => {
                    return wrong(
                        "an instant with its offset, such as 2025-01-31T14:00:00Z",
                    );
                }
                Values::Count { most, .. }
                    if value.parse::<u32>().map_or(true, |count| count > most)
                        || !value.bytes().all(|byte| byte.is_ascii_digit()) =>
                {
                    return wrong(&format!("a whole number up to {most}"));
                }
                Values::Bool if value != "true" && value != "false" => {
                    return wrong("true or false");
                }
                Values::Word(words) if !words.contains(&value) => {
                    return wrong(&format!("one of {}", words.join(", ")));
                }
                Values::Instant
                | Values::Count { .. }
                | Values::Bool
                | Values::Word(_) => {}
            }
        }
        Ok(())
    }

    /// The value of a parameter, if it is there.
    ///
    /// # Errors
    ///
    /// When it is there twice.
    pub fn asked(&self, name: &str) -> Result<Option<&str>, Problem> {
        form::once(&self.query, name)
    }

    /// The instant of a parameter, if it is there.
    ///
    /// # Errors
    ///
    /// When it is none.
    pub fn instant(&self, name: &str) -> Result<Option<Timestamp>, Problem> {
        let Some(value) = self.asked(name)? else { return Ok(None) };
        let at = Timestamp::parse(value).map_err(|_| {
            Kind::BadRequest.because("expected an instant with its offset").at(name)
        })?;
        Ok(Some(at))
    }

    /// The count of a parameter, or what it usually is; at least 1.
    ///
    /// # Errors
    ///
    /// When it is none.
    pub fn limit(&self) -> Result<usize, Problem> {
        let limit = self.asked("limit")?.map_or(Some(100), |value| value.parse().ok());
        match limit {
            Some(0) | None => {
                let why = "expected a whole number from 1 to 1000";
                Err(Kind::BadRequest.because(why).at("limit"))
            }
            Some(limit) => Ok(limit),
        }
    }

    /// Whether it is only asked what would come of it.
    ///
    /// # Errors
    ///
    /// When that is said twice.
    pub fn is_dry_run(&self) -> Result<bool, Problem> {
        Ok(self.asked("dry_run")? == Some("true"))
    }

    /// A header as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// The value of a cookie.
pub fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let lines = headers.get_all(header::COOKIE).into_iter();
    lines.filter_map(|line| line.to_str().ok()).find_map(|line| {
        line.split(';')
            .filter_map(|pair| pair.trim().split_once('='))
            .find(|(found, _)| *found == name)
            .map(|(_, value)| value)
    })
}

/// What stands after `Bearer`.
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let line = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, secret) = line.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| secret.trim())
}
