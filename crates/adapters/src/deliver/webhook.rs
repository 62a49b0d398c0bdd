//! A message as an HTTP POST that its receiver can check.

use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use serde::Serialize;
use sha2::Sha256;
use units::Timestamp;

use super::http::{Status, Url, status};
use super::wire::{Conversation, Deadline, Reach, Tls, Trust, WireError, is_loopback};
use super::wording::{Wording, header_id, hex, line};
use super::{Message, Outcome, Secret, TargetError};

/// Where and how to post, as configured.
pub struct WebhookTarget {
    /// `https://host:port/path`. May carry a token in its path: it is shown
    /// nowhere.
    pub url: String,
    /// Signs every message; at least 16 bytes.
    pub secret: Secret,
    /// Whether plain `http` may go to another machine. To this machine's
    /// loopback it always may.
    pub allow_plain: bool,
    /// Whose certificates are believed.
    pub trust: Trust,
}

/// A receiver that messages can be posted to.
pub struct Webhook {
    url: Url,
    secret: Secret,
    reach: Reach,
    /// For `https`.
    tls: Option<Tls>,
}

/// What is posted. The order of the keys is part of the bytes that are signed,
/// and of nothing else.
#[derive(Serialize)]
struct Posted<'a> {
    id: &'a str,
    at: &'a str,
    site: &'a str,
    urgency: &'a str,
    headline: &'a str,
    body: &'a str,
    acknowledge_with: &'a str,
}

/// 128 bits, as many as guessing is held off by.
const SECRET_MIN: usize = 16;
/// What an answer's lines may have in all; receivers send a few hundred bytes.
const HEAD_MAX: usize = 16 * 1_024;
/// What is read of an answer's body, out of politeness: some receivers drop
/// their work when they cannot finish answering.
const BODY_MAX: usize = 64 * 1_024;
/// What a refusal shows of an answer's body.
const EXCERPT_MAX: usize = 200;

impl Webhook {
    /// Checks a target.
    ///
    /// Errors when the URL cannot be read or is plain where that is not
    /// allowed, when the secret is short, and when no authority is trusted.
    pub fn new(target: WebhookTarget) -> Result<Self, TargetError> {
        let url = Url::parse(&target.url)?;
        let is_here = is_loopback(&url.host);
        if !url.is_secure && !is_here && !target.allow_plain {
            return Err(TargetError::PlainWebhook(url.host));
        }
        let found = target.secret.expose().len();
        if found < SECRET_MIN {
            return Err(TargetError::ShortSecret { expected: SECRET_MIN, found });
        }
        let tls =
            url.is_secure.then(|| Tls::new(&url.host, &target.trust)).transpose()?;
        let is_held = !url.is_secure && is_here && !target.allow_plain;
        let reach = if is_held { Reach::Loopback } else { Reach::Anywhere };
        Ok(Self { url, secret: target.secret, reach, tls })
    }

    /// The receiver's host and port.
    pub(super) fn place(&self) -> String {
        format!("webhook {}", self.url.authority)
    }

    pub(super) fn deliver(
        &self,
        message: &Message,
        now: Timestamp,
        deadline: Duration,
    ) -> Outcome {
        self.send(&self.request(message, now), deadline)
    }

    /// Posts JSON of the caller's own, signed like a message. `id` names it, the same
    /// in every attempt, so that a receiver can drop doubles.
    pub fn post(
        &self,
        id: &str,
        json: &str,
        now: Timestamp,
        deadline: Duration,
    ) -> Outcome {
        self.send(&self.signed(id, json.as_bytes(), now), deadline)
    }

    fn send(&self, request: &[u8], deadline: Duration) -> Outcome {
        let place = self.place();
        let mut talk = match self.open(Deadline::after(deadline)) {
            Ok(talk) => talk,
            Err(error) => {
                let why = format!("expected a connection to {place}, {error}");
                return Outcome::refused_for_now(why);
            }
        };
        let said = talk.say(request);
        let mut budget = HEAD_MAX;
        let answer = match (said, status(&mut talk, &mut budget)) {
            // What has no end cannot have been taken; what the receiver said
            // before it hung up still counts when it is a no.
            (Err(_), Ok(Status { code, reason })) if code >= 300 => {
                Ok(Status { code, reason })
            }
            (Err(error), _) => {
                let why = format!("expected {place} to take the message, {error}");
                return Outcome::refused_for_now(why);
            }
            (Ok(()), answer) => answer,
        };
        match answer {
            Ok(status) => {
                let excerpt = rest(&mut talk, budget, status.code);
                talk.close();
                verdict(&place, &status, &excerpt)
            }
            Err(error) => Outcome::Unknown {
                why: format!("expected an answer of {place}, {error}"),
            },
        }
    }

    fn open(&self, deadline: Deadline) -> Result<Conversation, WireError> {
        let Url { host, port, .. } = &self.url;
        let talk = Conversation::open(host, *port, self.reach, deadline)?;
        match &self.tls {
            Some(tls) => talk.secured(tls),
            None => Ok(talk),
        }
    }

    fn request(&self, message: &Message, now: Timestamp) -> Vec<u8> {
        let wording = Wording::of(message);
        let posted = Posted {
            id: &message.id,
            at: &wording.at,
            site: &wording.site,
            urgency: message.urgency.as_str(),
            headline: &wording.headline,
            body: &wording.body,
            acknowledge_with: &wording.acknowledge_with,
        };
        let body = serde_json::to_vec(&posted).expect("text is JSON");
        self.signed(&message.id, &body, now)
    }

    /// A request that its receiver can check.
    fn signed(&self, id: &str, body: &[u8], now: Timestamp) -> Vec<u8> {
        let stamp = now.as_unix_seconds();
        let head = [
            format!("POST {} HTTP/1.1", self.url.path),
            format!("Host: {}", self.url.authority),
            "User-Agent: megawatt".to_owned(),
            "Accept: */*".to_owned(),
            "Content-Type: application/json".to_owned(),
            format!("Content-Length: {}", body.len()),
            format!("Idempotency-Key: {}", header_id(id)),
            format!("X-Megawatt-Timestamp: {stamp}"),
            format!("X-Megawatt-Signature: {}", signature(&self.secret, stamp, body)),
            "Connection: close".to_owned(),
            "\r\n".to_owned(),
        ];
        let mut request = head.join("\r\n").into_bytes();
        request.extend_from_slice(body);
        request
    }
}

/// `v1=` and the HMAC-SHA-256 of the stamp, a full stop and the body, in
/// hexadecimal.
fn signature(secret: &Secret, stamp: i64, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes())
        .expect("a key of any length");
    mac.update(stamp.to_string().as_bytes());
    mac.update(b".");
    mac.update(body);
    format!("v1={}", hex(&mac.finalize().into_bytes()))
}

fn verdict(place: &str, status: &Status, excerpt: &str) -> Outcome {
    let Status { code, reason } = status;
    let found = match (reason.as_str(), excerpt) {
        ("", "") => format!("{code}"),
        ("", excerpt) => format!("{code}: {excerpt}"),
        (reason, "") => format!("{code} {reason}"),
        (reason, excerpt) => format!("{code} {reason}: {excerpt}"),
    };
    let expected = format!("expected {place} to answer 2xx, found {found}");
    match code {
        200..=299 => Outcome::Delivered { detail: format!("{place} answered {found}") },
        300..=399 => Outcome::refused(format!(
            "{expected}; redirects are not followed, configure the URL they lead to"
        )),
        408 | 429 | 500..=599 => Outcome::refused_for_now(expected),
        _ => Outcome::refused(expected),
    }
}

/// Reads what follows the status, as far as it comes, and returns the beginning
/// of the body when there is a refusal to explain. The verdict stands already.
fn rest(talk: &mut Conversation, mut budget: usize, code: u16) -> String {
    let mut length = None;
    loop {
        match talk.line(&mut budget) {
            Ok(header) if header.is_empty() => break,
            Ok(header) => {
                if let Some((name, value)) = header.split_once(':')
                    && name.eq_ignore_ascii_case("content-length")
                {
                    length = value.trim().parse::<usize>().ok();
                }
            }
            Err(_) => return String::new(),
        }
    }
    if matches!(code, 204 | 304) {
        return String::new();
    }
    let body = talk.bytes(length.unwrap_or(BODY_MAX).min(BODY_MAX));
    // Without a length the body is in chunks, whose lengths are not for people.
    if code < 300 || length.is_none() {
        return String::new();
    }
    line(&String::from_utf8_lossy(&body), EXCERPT_MAX)
}

impl std::fmt::Debug for WebhookTarget {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let plain = &self.allow_plain;
        f.debug_struct("WebhookTarget")
            .field("allow_plain", plain)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Webhook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Webhook").field(&self.url.authority).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_what_openssl_says() {
        // printf '1700000000.{"id":"a"}' | openssl dgst -sha256 -hmac 'sixteen bytes ok'
        let secret = Secret::new("sixteen bytes ok".into());
        assert_eq!(
            signature(&secret, 1_700_000_000, br#"{"id":"a"}"#),
            "v1=9a331e97fb9ae1c37844ab4458521ae3ae47446d27214a03029c3704579c6188"
        );
    }

    #[test]
    fn the_answer_decides() {
        let check = |code: u16, expected: &str| {
            let status = Status { code, reason: "R".into() };
            let found = match verdict("webhook a", &status, "") {
                Outcome::Delivered { .. } => "delivered",
                Outcome::Refused { again: true, .. } => "again",
                Outcome::Refused { again: false, .. } => "refused",
                Outcome::Unknown { .. } => "unknown",
            };
            assert_eq!(found, expected, "{code}");
        };
        check(200, "delivered");
        check(202, "delivered");
        check(204, "delivered");
        check(301, "refused");
        check(307, "refused");
        check(400, "refused");
        check(401, "refused");
        check(404, "refused");
        check(408, "again");
        check(410, "refused");
        check(413, "refused");
        check(429, "again");
        check(500, "again");
        check(503, "again");
    }
}
