//! Sessions of the console: who logged in with a token, for some hours.
//!
//! The cookie names the token and is signed; the token is looked up again for every
//! request, so a session ends with its token. A form that changes anything carries a
//! guard that only pages of the same session have.

use std::collections::BTreeMap;
use std::sync::Mutex;

use units::{Seconds, Timestamp};

use super::secret::{Secret, random, text_of};

/// The cookie's name.
pub const COOKIE: &str = "mw_session";

/// How long a session lasts: a shift.
pub const LASTS: Seconds = Seconds::hours(12);

/// The most sessions that are remembered as ended.
const ENDED_MAX: usize = 10_000;

/// Sessions that were ended before their time.
#[derive(Debug, Default)]
pub struct Ended(Mutex<BTreeMap<String, Timestamp>>);

/// A session that stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// The token it was begun with.
    pub token: String,
    /// Its own random name.
    pub nonce: String,
    /// When it ends.
    pub until: Timestamp,
}

impl Session {
    /// Begins one, at `now` by the wall.
    ///
    /// # Errors
    ///
    /// When the system has no random numbers to give.
    pub fn begin(token: &str, now: Timestamp) -> anyhow::Result<Self> {
        let nonce = text_of(&random::<18>()?);
        Ok(Self { token: token.to_owned(), nonce, until: now + LASTS })
    }

    /// The cookie's value.
    pub fn cookie(&self, secret: &Secret) -> String {
        let text = self.text();
        format!("{text}.{}", secret.sign("session", &text))
    }

    /// The session of a cookie, if it is one of ours and stands at `now`.
    pub fn of(
        cookie: &str,
        secret: &Secret,
        ended: &Ended,
        now: Timestamp,
    ) -> Option<Self> {
        let (text, signature) = cookie.rsplit_once('.')?;
        if !secret.is_of(signature, "session", text) {
            return None;
        }
        let mut parts = text.split('.');
        let (token, until, nonce) = (parts.next()?, parts.next()?, parts.next()?);
        let until = Timestamp::from_unix_seconds(until.parse().ok()?);
        let session = Self { token: token.to_owned(), nonce: nonce.to_owned(), until };
        (now < until && !ended.has(&session)).then_some(session)
    }

    /// What its forms carry.
    pub fn guard(&self, secret: &Secret) -> String {
        secret.sign("form", &self.text())
    }

    /// Whether a form is of this session.
    pub fn is_guarded(&self, guard: &str, secret: &Secret) -> bool {
        secret.is_of(guard, "form", &self.text())
    }

    fn text(&self) -> String {
        format!("{}.{}.{}", self.token, self.until.as_unix_seconds(), self.nonce)
    }
}

impl Ended {
    /// Ends a session.
    pub fn end(&self, session: &Session, now: Timestamp) {
        let mut ended = self.0.lock().expect("whoever held it let it go whole");
        ended.retain(|_, until| now < *until);
        if ended.len() >= ENDED_MAX {
            ended.pop_first();
        }
        ended.insert(session.nonce.clone(), session.until);
    }

    fn has(&self, session: &Session) -> bool {
        let ended = self.0.lock().expect("whoever held it let it go whole");
        ended.contains_key(&session.nonce)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_stands_until_its_end_and_its_guard_is_its_own() {
        let (secret, ended) = (Secret::of([3; 32]), Ended::default());
        let now = Timestamp::from_unix_seconds(1_790_000_000);
        let one = Session::begin("0123abcd", now).expect("a session");
        let other = Session::begin("0123abcd", now).expect("a session");
        let cookie = one.cookie(&secret);
        assert_eq!(Session::of(&cookie, &secret, &ended, now), Some(one.clone()));
        assert_eq!(Session::of(&cookie, &secret, &ended, now + LASTS), None);
        assert_eq!(Session::of(&cookie, &Secret::of([4; 32]), &ended, now), None);
        let forged = cookie.replace("0123abcd", "0123abce");
        assert_eq!(Session::of(&forged, &secret, &ended, now), None);
        assert!(one.is_guarded(&one.guard(&secret), &secret));
        assert!(!one.is_guarded(&other.guard(&secret), &secret));
        assert!(!one.is_guarded("", &secret));
        ended.end(&one, now);
        assert_eq!(Session::of(&cookie, &secret, &ended, now), None);
    }
}
