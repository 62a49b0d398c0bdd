//! Lines of HTTP that both ends of the wire agree on: where to, and how it went.

use super::TargetError;
use super::wire::{Conversation, WireError};
use super::wording::line;

/// The parts of an `http` or `https` URL.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Url {
    pub(crate) is_secure: bool,
    /// A name or an address, without brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// As the `Host` header says it.
    pub(crate) authority: String,
    /// From the first slash on, with the query.
    pub(crate) path: String,
}

/// The first line of an answer.
pub(crate) struct Status {
    pub(crate) code: u16,
    pub(crate) reason: String,
}

/// The status that counts: the first that is not 1xx.
pub(crate) fn status(
    talk: &mut Conversation,
    budget: &mut usize,
) -> Result<Status, WireError> {
    loop {
        let status = Status::parse(&talk.line(budget)?)?;
        if status.code >= 200 {
            return Ok(status);
        }
        while !talk.line(budget)?.is_empty() {}
    }
}

impl Status {
    pub(crate) fn parse(text: &str) -> Result<Self, WireError> {
        let wrong = || WireError::Unreadable(line(text, 60));
        let rest = text.strip_prefix("HTTP/1.").ok_or_else(wrong)?;
        let rest = rest
            .strip_prefix(|c: char| c.is_ascii_digit())
            .and_then(|rest| rest.strip_prefix(' '))
            .ok_or_else(wrong)?;
        let (code, reason) = rest.split_once(' ').unwrap_or((rest, ""));
        let is_code = code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_digit());
        let code = code.parse().ok().filter(|code| is_code && (100..600).contains(code));
        Ok(Self { code: code.ok_or_else(wrong)?, reason: line(reason, 60) })
    }
}

impl Url {
    pub(crate) fn parse(text: &str) -> Result<Self, TargetError> {
        let wrong = |found| Err(TargetError::Url(found));
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return wrong("spaces or characters that are not ASCII; percent-encode them");
        }
        let Some((scheme, rest)) = text.split_once("://") else {
            return wrong("no `://`");
        };
        let is_secure = match scheme.to_ascii_lowercase().as_str() {
            "https" => true,
            "http" => false,
            _ => return wrong("another scheme"),
        };
        if rest.contains(['#', '\\']) {
            return wrong("a `#` or a `\\`");
        }
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        if authority.contains('@') {
            return wrong("a user or a password, which would not be sent");
        }
        let (host, port) = match authority.strip_prefix('[') {
            Some(inner) => match inner.split_once(']') {
                Some((host, port)) if host.parse::<std::net::Ipv6Addr>().is_ok() => {
                    (host, port)
                }
                _ => return wrong("brackets around what is no IPv6 address"),
            },
            None => authority.split_at(authority.find(':').unwrap_or(authority.len())),
        };
        let is_name = |c: char| c.is_ascii_alphanumeric() || "-._:".contains(c);
        if host.is_empty() || !host.chars().all(is_name) {
            return wrong("no host");
        }
        let port = match port.strip_prefix(':') {
            None if port.is_empty() => Some(if is_secure { 443 } else { 80 }),
            None => None,
            Some(digits) if digits.starts_with('+') => None,
            Some(digits) => digits.parse().ok().filter(|port| *port != 0),
        };
        let Some(port) = port else {
            return wrong("a port that is not from 1 to 65535");
        };
        let slash = if path.starts_with('/') { "" } else { "/" };
        Ok(Self {
            is_secure,
            host: host.to_owned(),
            port,
            authority: authority.to_owned(),
            path: format!("{slash}{path}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_read_to_its_parts() {
        let check = |text: &str, host: &str, port: u16, path: &str| {
            let url = Url::parse(text).expect(text);
            assert_eq!(
                (url.host.as_str(), url.port, url.path.as_str()),
                (host, port, path)
            );
        };
        check("https://a.example", "a.example", 443, "/");
        check("HTTP://a.example?k=v", "a.example", 80, "/?k=v");
        check("http://127.0.0.1:8080/x/y?z", "127.0.0.1", 8080, "/x/y?z");
        check("https://[::1]:8443/x", "::1", 8443, "/x");
        check("https://[::1]/x@y", "::1", 443, "/x@y");
    }

    #[test]
    fn a_url_that_misleads_is_refused_and_not_repeated() {
        let check = |text: &str| {
            let error = Url::parse(text).expect_err(text).to_string();
            assert!(!error.contains("s3cret"), "{error}");
        };
        check("a.example/s3cret");
        check("ftp://a.example/s3cret");
        check("https:///s3cret");
        check("https://user:s3cret@a.example/");
        check("https://a.example/s3cret#part");
        check("https://a.example\\@b.example/s3cret");
        check("https://a.example/s3cret\r\nX: y");
        check("https://a.example/s3cret x");
        check("https://a.example:0/");
        check("https://a.example:65536/");
        check("https://a.example:+80/");
        check("https://[::1/");
        check("https://[::1]80/");
        check("https://a.example:/");
        check("https://ä.example/");
    }

    #[test]
    fn a_status_line_is_read_strictly() {
        let check = |text: &str, expected: Option<u16>| {
            assert_eq!(Status::parse(text).ok().map(|status| status.code), expected);
        };
        check("HTTP/1.1 200 OK", Some(200));
        check("HTTP/1.0 204", Some(204));
        check("HTTP/1.1 503 ", Some(503));
        check("HTTP/2 200", None);
        check("HTTP/1.1 20", None);
        check("HTTP/1.1 +20", None);
        check("HTTP/1.1 999", None);
        check("220 mail.example ESMTP", None);
        check("", None);
    }
}
