//! A message handed to a mail server (RFC 5321).

use std::net::IpAddr;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::letter::letter;
use super::wire::{Conversation, Deadline, Reach, Tls, Trust, WireError, is_loopback};
use super::wording::line;
use super::{Message, Outcome, Secret, TargetError};

/// A mail server and whom to write to, as configured.
#[derive(Debug)]
pub struct EmailTarget {
    /// The mail server's name or address.
    pub host: String,
    /// Usually 465 for `Tls`, 587 for `StartTls`, 25 for `None`.
    pub port: u16,
    /// How the connection is kept private.
    pub security: Security,
    /// The sender's address, `name@host.example`.
    pub from: String,
    /// The recipients' addresses, at least one.
    pub to: Vec<String>,
    /// Whom to log in as, where the server wants it.
    pub login: Option<Login>,
    /// Whose certificates are believed.
    pub trust: Trust,
}

/// How a connection to a mail server is kept private.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// TLS from the first byte.
    Tls,
    /// TLS after the greeting; a server that does not offer it gets nothing.
    StartTls,
    /// None: to this machine's loopback alone.
    None,
}

/// A mail server's user.
#[derive(Clone, Debug)]
pub struct Login {
    /// The user's name.
    pub user: String,
    /// The user's password.
    pub password: Secret,
}

/// A mail server that messages can be handed to.
pub struct Email {
    target: EmailTarget,
    /// For all but `Security::None`.
    tls: Option<Tls>,
}

/// One reply: its code and its text in one line.
struct Reply {
    code: u16,
    text: String,
    /// The lines after the first, which after EHLO name what is offered.
    offers: Vec<String>,
}

/// A dialogue with the server, and who it is with.
struct Dialogue {
    talk: Conversation,
    place: String,
}

/// What one reply may have in all; servers send a few hundred bytes.
const REPLY_MAX: usize = 16 * 1_024;
/// What a person is shown of a reply.
const EXCERPT_MAX: usize = 200;

impl Email {
    /// Checks a target.
    ///
    /// Errors when the host, the port or an address cannot be used, when the
    /// connection would be plain to another machine, and when no authority is
    /// trusted.
    pub fn new(target: EmailTarget) -> Result<Self, TargetError> {
        let host = &target.host;
        let is_name = |c: char| c.is_ascii_alphanumeric() || "-._:".contains(c);
        if host.is_empty() || !host.chars().all(is_name) {
            return Err(TargetError::Host(line(host, 100)));
        }
        if target.port == 0 {
            return Err(TargetError::Port);
        }
        if target.to.is_empty() {
            return Err(TargetError::NoRecipient);
        }
        for address in target.to.iter().chain([&target.from]) {
            if !is_address(address) {
                return Err(TargetError::Address(line(address, 100)));
            }
        }
        if let Some(Login { user, password }) = &target.login
            && (user.contains('\0') || password.expose().contains('\0'))
        {
            return Err(TargetError::Login);
        }
        let tls = match target.security {
            Security::None if !is_loopback(host) => {
                return Err(TargetError::PlainMail(host.clone()));
            }
            Security::None => None,
            Security::Tls | Security::StartTls => Some(Tls::new(host, &target.trust)?),
        };
        Ok(Self { target, tls })
    }

    /// The server's host and port, and the recipients.
    pub(super) fn place(&self) -> String {
        let EmailTarget { host, port, to, .. } = &self.target;
        format!("mail server {host}:{port} for {}", to.join(", "))
    }

    pub(super) fn deliver(&self, message: &Message, deadline: Duration) -> Outcome {
        match self.attempt(message, Deadline::after(deadline)) {
            Ok(detail) => Outcome::Delivered { detail },
            Err(outcome) => outcome,
        }
    }

    /// What the server said when it took the letter over, or how it ended.
    fn attempt(&self, message: &Message, deadline: Deadline) -> Result<String, Outcome> {
        let EmailTarget { from, to, .. } = &self.target;
        let mut dialogue = self.greeted(deadline)?;
        let to_sender = format!("MAIL FROM:<{from}>");
        dialogue.ask(&to_sender, "MAIL FROM to be taken", &[250])?;

        let mut taken = 0;
        let mut not_taken: Vec<(&String, Reply)> = Vec::new();
        for address in to {
            let reply = dialogue.say(&format!("RCPT TO:<{address}>"))?;
            match reply.code {
                250 | 251 => taken += 1,
                _ => not_taken.push((address, reply)),
            }
        }
        let complaints = not_taken.iter().map(|(address, reply)| {
            format!("{address} was not taken: {} {}", reply.code, reply.text)
        });
        let complaints = complaints.collect::<Vec<_>>().join("; ");
        if taken == 0 {
            let why = format!(
                "expected {} to take a recipient, found {complaints}",
                dialogue.place
            );
            let again = not_taken.iter().any(|(_, reply)| reply.code < 500);
            return Err(Outcome::Refused { why, again });
        }

        dialogue.ask("DATA", "DATA to be taken", &[354])?;
        let sent = dialogue.hand_over(&letter(message, from, to))?;
        let place = dialogue.place.clone();
        dialogue.leave();
        let mut detail = format!("{place} answered {} {}", sent.code, sent.text);
        if !complaints.is_empty() {
            detail = format!("{detail}; {complaints}");
        }
        Ok(detail)
    }

    /// A dialogue that is private where it should be, logged in, and ready for
    /// a letter.
    fn greeted(&self, deadline: Deadline) -> Result<Dialogue, Outcome> {
        let EmailTarget { host, port, security, login, .. } = &self.target;
        let place = format!("mail server {host}:{port}");
        let refused = |error: WireError| {
            let why = format!("expected a connection to {place}, {error}");
            Outcome::refused_for_now(why)
        };
        let reach = match security {
            Security::None => Reach::Loopback,
            Security::Tls | Security::StartTls => Reach::Anywhere,
        };
        let mut talk =
            Conversation::open(host, *port, reach, deadline).map_err(refused)?;
        if let (Security::Tls, Some(tls)) = (security, &self.tls) {
            talk = talk.secured(tls).map_err(refused)?;
        }
        let mut dialogue = Dialogue { talk, place };
        let greeting = dialogue.hear()?;
        dialogue.demand(&greeting, "to be greeted", &[220])?;
        let mut hello = dialogue.hello()?;

        if let (Security::StartTls, Some(tls)) = (security, &self.tls) {
            if !hello.offers("STARTTLS") {
                // Somebody in between may have taken the offer away, so this is
                // no reason to give up for good.
                return Err(Outcome::refused_for_now(format!(
                    "expected {} to offer STARTTLS, found no offer; \
                     nothing is sent in the open",
                    dialogue.place
                )));
            }
            let reply = dialogue.say("STARTTLS")?;
            if reply.code != 220 {
                return Err(Outcome::refused_for_now(format!(
                    "expected {} to begin TLS, found {} {}",
                    dialogue.place, reply.code, reply.text
                )));
            }
            dialogue.talk = dialogue.talk.secured(tls).map_err(|error| {
                let place = &dialogue.place;
                Outcome::refused_for_now(format!("expected TLS with {place}, {error}"))
            })?;
            // What was offered in the open does not count.
            hello = dialogue.hello()?;
        }
        if let Some(login) = login {
            dialogue.log_in(login, &hello)?;
        }
        Ok(dialogue)
    }
}

impl Dialogue {
    fn hello(&mut self) -> Result<Reply, Outcome> {
        // A machine without a public name gives its address (RFC 5321, 4.1.4).
        let own = match self.talk.own_address() {
            Some(IpAddr::V4(address)) => format!("[{address}]"),
            Some(IpAddr::V6(address)) => format!("[IPv6:{address}]"),
            None => "[127.0.0.1]".to_owned(),
        };
        self.ask(&format!("EHLO {own}"), "EHLO to be taken", &[250])
    }

    fn log_in(&mut self, login: &Login, hello: &Reply) -> Result<(), Outcome> {
        let Login { user, password } = login;
        let password = password.expose();
        let expected = "the login to be taken";
        if hello.offers_login("PLAIN") {
            let word = STANDARD.encode(format!("\0{user}\0{password}"));
            self.ask(&format!("AUTH PLAIN {word}"), expected, &[235])?;
        } else if hello.offers_login("LOGIN") {
            self.ask("AUTH LOGIN", expected, &[334])?;
            self.ask(&STANDARD.encode(user), expected, &[334])?;
            self.ask(&STANDARD.encode(password), expected, &[235])?;
        } else {
            return Err(Outcome::refused(format!(
                "expected {} to offer AUTH PLAIN or AUTH LOGIN, found neither; \
                 leave the login out if the server wants none",
                self.place
            )));
        }
        Ok(())
    }

    /// Sends the letter after leave was given, and hears what became of it.
    fn hand_over(&mut self, letter: &str) -> Result<Reply, Outcome> {
        let mut text = String::with_capacity(letter.len() + 8);
        for line in letter.split_inclusive("\r\n") {
            // A line of one dot ends the letter, so every first dot is doubled.
            if line.starts_with('.') {
                text.push('.');
            }
            text.push_str(line);
        }
        text.push_str(".\r\n");
        let place = &self.place;
        // Without its end the server takes no letter over.
        self.talk.say(text.as_bytes()).map_err(|error| {
            let why = format!("expected {place} to take the letter, {error}");
            Outcome::refused_for_now(why)
        })?;
        let reply = Reply::read(&mut self.talk).map_err(|error| Outcome::Unknown {
            why: format!("expected {place} to answer the letter, {error}"),
        })?;
        match reply.code {
            200..=299 => Ok(reply),
            400..=599 => Err(self.refusal(&reply, "the letter to be taken")),
            _ => Err(Outcome::Unknown {
                why: format!(
                    "expected {place} to answer the letter, found {} {}",
                    reply.code, reply.text
                ),
            }),
        }
    }

    /// Says one line, and demands one of these codes.
    fn ask(
        &mut self,
        command: &str,
        expected: &str,
        codes: &[u16],
    ) -> Result<Reply, Outcome> {
        let reply = self.say(command)?;
        self.demand(&reply, expected, codes)?;
        Ok(reply)
    }

    /// Says one line and hears the reply. The line is shown nowhere.
    fn say(&mut self, command: &str) -> Result<Reply, Outcome> {
        let said = self.talk.say(format!("{command}\r\n").as_bytes());
        // A server that hangs up may have said why.
        match (said, self.hear()) {
            (_, Ok(reply)) => Ok(reply),
            (Ok(()), Err(outcome)) => Err(outcome),
            (Err(error), Err(_)) => Err(Outcome::refused_for_now(format!(
                "expected {} to listen, {error}",
                self.place
            ))),
        }
    }

    /// A reply before the letter left, so that silence is a refusal.
    fn hear(&mut self) -> Result<Reply, Outcome> {
        Reply::read(&mut self.talk).map_err(|error| {
            let why = format!("expected a reply of {}, {error}", self.place);
            Outcome::refused_for_now(why)
        })
    }

    fn demand(&self, reply: &Reply, what: &str, codes: &[u16]) -> Result<(), Outcome> {
        if codes.contains(&reply.code) {
            return Ok(());
        }
        Err(self.refusal(reply, what))
    }

    fn refusal(&self, reply: &Reply, what: &str) -> Outcome {
        let Reply { code, text, .. } = reply;
        let why = format!("expected {what} by {}, found {code} {text}", self.place);
        // 5yz is for good (RFC 5321, 4.2.1).
        Outcome::Refused { why, again: *code < 500 }
    }

    /// Takes leave without waiting: the letter is the server's already.
    fn leave(mut self) {
        let _ = self.talk.say(b"QUIT\r\n");
        self.talk.close();
    }
}

impl Reply {
    fn read(talk: &mut Conversation) -> Result<Self, WireError> {
        let mut budget = REPLY_MAX;
        let mut lines = Vec::new();
        loop {
            let said = talk.line(&mut budget)?;
            let wrong = || WireError::Unreadable(line(&said, 60));
            let digits = said.get(..3).ok_or_else(wrong)?;
            let code: u16 = match digits.bytes().all(|byte| byte.is_ascii_digit()) {
                true => digits.parse().map_err(|_| wrong())?,
                false => return Err(wrong()),
            };
            if !(200..600).contains(&code) {
                return Err(wrong());
            }
            let (is_last, text) = match said[3..].chars().next() {
                None => (true, ""),
                Some(' ') => (true, &said[4..]),
                Some('-') => (false, &said[4..]),
                Some(_) => return Err(wrong()),
            };
            lines.push(line(text, EXCERPT_MAX));
            if is_last {
                let text = line(&lines.join(" "), EXCERPT_MAX);
                return Ok(Self { code, text, offers: lines.split_off(1) });
            }
        }
    }

    fn offers(&self, word: &str) -> bool {
        self.offers.iter().any(|offer| offer.eq_ignore_ascii_case(word))
    }

    fn offers_login(&self, way: &str) -> bool {
        self.offers.iter().any(|offer| {
            // Some servers write `AUTH=PLAIN`.
            let mut words = offer.split([' ', '=']);
            words.next().is_some_and(|word| word.eq_ignore_ascii_case("AUTH"))
                && words.any(|word| word.eq_ignore_ascii_case(way))
        })
    }
}

/// Whether it is an address that needs no quoting: dot-atoms of RFC 5322, in
/// ASCII, in the lengths of RFC 5321.
fn is_address(text: &str) -> bool {
    let Some((name, domain)) = text.split_once('@') else {
        return false;
    };
    let is_atom =
        |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c);
    let is_label = |c: char| c.is_ascii_alphanumeric() || c == '-';
    name.len() <= 64
        && text.len() <= 254
        && name.split('.').all(|part| !part.is_empty() && part.chars().all(is_atom))
        && domain.split('.').all(|part| !part.is_empty() && part.chars().all(is_label))
}

impl std::fmt::Debug for Email {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Email").field(&self.place()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_cannot_say_more_than_an_address() {
        let check =
            |text: &str, expected| assert_eq!(is_address(text), expected, "{text}");
        check("mw@site.example", true);
        check("night.shift+mw@site-1.example", true);
        check("root@localhost", true);
        check("", false);
        check("site.example", false);
        check("a@b@c", false);
        check("a@b>\r\nRCPT TO:<c@d", false);
        check("a b@site.example", false);
        check("<a@site.example>", false);
        check("a..b@site.example", false);
        check("a@site..example", false);
        check("ü@site.example", false);
        check("a,b@site.example", false);
    }
}
