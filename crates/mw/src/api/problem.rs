//! What is answered where something is wrong: RFC 9457 problem documents.
//!
//! `type` is stable; programs may decide by it. `detail` is for people and says what
//! was expected, what was found, and what to do.

use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};
use serde::Serialize;
use utoipa::ToSchema;

use crate::live::control::speaker::Failed;

/// What kind of thing is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Nobody is known by what was shown.
    Unauthenticated,
    /// Whoever it is may not do this.
    Forbidden,
    /// The session's guard against forged posts is missing or wrong.
    Forged,
    /// There is nothing of that name.
    NotFound,
    /// It is there, and not for this method.
    MethodNotAllowed,
    /// The request cannot be read.
    BadRequest,
    /// The body is not JSON.
    UnsupportedMediaType,
    /// The request is too long.
    TooLarge,
    /// The request did not arrive in time.
    TooSlow,
    /// The request can be read and means nothing on this site.
    NotMeant,
    /// The engine refuses it.
    Refused,
    /// An acting request came without an idempotency key.
    KeyMissing,
    /// The first request with the key is still being answered.
    KeyInUse,
    /// The key came with another request before.
    KeyReused,
    /// It is not known whether it was done.
    NotKnown,
    /// What was asked for has gone.
    Gone,
    /// Too many requests.
    TooMany,
    /// The run cannot answer now; nothing has changed.
    Unavailable,
    /// A fault of ours.
    Internal,
}

impl Kind {
    /// Every kind, for the reference.
    pub const ALL: [Self; 19] = [
        Self::Unauthenticated,
        Self::Forbidden,
        Self::Forged,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::BadRequest,
        Self::UnsupportedMediaType,
        Self::TooLarge,
        Self::TooSlow,
        Self::NotMeant,
        Self::Refused,
        Self::KeyMissing,
        Self::KeyInUse,
        Self::KeyReused,
        Self::NotKnown,
        Self::Gone,
        Self::TooMany,
        Self::Unavailable,
        Self::Internal,
    ];

    /// Its status code, the end of its type URI, and its title.
    pub fn of(self) -> (u16, &'static str, &'static str) {
        match self {
            Self::Unauthenticated => (401, "unauthenticated", "Nobody is known by that"),
            Self::Forbidden => (403, "forbidden", "This role may not do that"),
            Self::Forged => (403, "forged", "The form is not of this session"),
            Self::NotFound => (404, "not-found", "There is no such thing"),
            Self::MethodNotAllowed => {
                (405, "method-not-allowed", "It cannot be asked that way")
            }
            Self::BadRequest => (400, "bad-request", "The request cannot be read"),
            Self::UnsupportedMediaType => {
                (415, "unsupported-media-type", "The body is not JSON")
            }
            Self::TooLarge => (413, "too-large", "The request is too long"),
            Self::TooSlow => (408, "too-slow", "The request did not arrive in time"),
            Self::NotMeant => (422, "not-meant", "It means nothing on this site"),
            Self::Refused => (409, "refused", "The engine refuses it"),
            Self::KeyMissing => {
                (400, "idempotency-key-missing", "An Idempotency-Key is needed")
            }
            Self::KeyInUse => {
                (409, "idempotency-key-in-use", "The first request is still answered")
            }
            Self::KeyReused => (
                422,
                "idempotency-key-reused",
                "The Idempotency-Key came with another request",
            ),
            Self::NotKnown => (504, "not-known", "It is not known whether it was done"),
            Self::Gone => (410, "gone", "What was asked for has gone"),
            Self::TooMany => (429, "too-many-requests", "Too many requests"),
            Self::Unavailable => (503, "unavailable", "The run cannot answer now"),
            Self::Internal => (500, "internal", "A fault of the program"),
        }
    }

    /// Its type URI.
    pub fn uri(self) -> String {
        format!("urn:megawatt:problem:{}", self.of().1)
    }

    /// It, with what a person needs to know.
    pub fn because(self, detail: impl Into<String>) -> Problem {
        Problem { kind: self, detail: detail.into(), errors: Vec::new(), allow: None }
    }
}

/// Something wrong with a request, or with us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What kind.
    pub kind: Kind,
    /// What was expected, what was found, what to do.
    pub detail: String,
    /// Where in the request.
    pub errors: Vec<Fault>,
    /// What a 405 allows.
    pub allow: Option<String>,
}

/// One place that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Fault {
    /// A JSON pointer into the body, or the name of a parameter or header.
    pub pointer: String,
    /// What is wrong there.
    pub detail: String,
}

/// The document.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProblemDocument {
    /// Stable: which kind of problem.
    #[serde(rename = "type")]
    kind: String,
    /// The kind in words.
    title: String,
    /// The status code.
    status: u16,
    /// What was expected, what was found, what to do.
    detail: String,
    /// Where in the request.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    errors: Vec<Fault>,
}

impl Problem {
    /// The same, with the place in the request.
    pub fn at(mut self, pointer: &str) -> Self {
        let detail = self.detail.clone();
        self.errors.push(Fault { pointer: pointer.to_owned(), detail });
        self
    }

    /// Its status code.
    pub fn status(&self) -> u16 {
        self.kind.of().0
    }

    /// The document.
    pub fn document(&self) -> ProblemDocument {
        let (status, _, title) = self.kind.of();
        ProblemDocument {
            kind: self.kind.uri(),
            title: title.to_owned(),
            status,
            detail: self.detail.clone(),
            errors: self.errors.clone(),
        }
    }

    /// The response.
    pub fn response(&self) -> Response<Body> {
        let body = serde_json::to_vec(&self.document()).expect("a problem is JSON");
        let mut response = Response::new(Body::from(body));
        let status = StatusCode::from_u16(self.status());
        *response.status_mut() = status.expect("a status of the table");
        let headers = response.headers_mut();
        let json = HeaderValue::from_static("application/problem+json");
        headers.insert(header::CONTENT_TYPE, json);
        match self.kind {
            Kind::Unauthenticated => {
                let how = HeaderValue::from_static("Bearer realm=\"megawatt\"");
                headers.insert(header::WWW_AUTHENTICATE, how);
            }
            Kind::TooMany | Kind::Unavailable | Kind::KeyInUse => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
            }
            Kind::TooSlow | Kind::TooLarge => {
                // What is left of it is not read.
                headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            Kind::MethodNotAllowed => {
                if let Some(allow) = &self.allow
                    && let Ok(allow) = HeaderValue::from_str(allow)
                {
                    headers.insert(header::ALLOW, allow);
                }
            }
            Kind::Forbidden
            | Kind::Forged
            | Kind::NotFound
            | Kind::BadRequest
            | Kind::UnsupportedMediaType
            | Kind::NotMeant
            | Kind::Refused
            | Kind::KeyMissing
            | Kind::KeyReused
            | Kind::NotKnown
            | Kind::Gone
            | Kind::Internal => {}
        }
        response
    }
}

impl From<Failed> for Problem {
    fn from(failed: Failed) -> Self {
        let kind = match failed {
            Failed::TooSoon | Failed::NoRound | Failed::Ends => Kind::Unavailable,
            Failed::NotKnown => Kind::NotKnown,
        };
        kind.because(failed.why())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_kind_has_a_type_of_its_own_and_a_status_of_trouble() {
        let types: BTreeSet<String> = Kind::ALL.iter().map(|kind| kind.uri()).collect();
        assert_eq!(types.len(), Kind::ALL.len());
        for kind in Kind::ALL {
            let response = kind.because("x").at("/y").response();
            assert_eq!(response.status().as_u16(), kind.of().0);
            assert!(response.status().is_client_error() || kind.of().0 >= 500);
        }
    }
}
