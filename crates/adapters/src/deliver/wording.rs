//! The words of a message, made safe to put on a wire.

use sha2::{Digest, Sha256};

use super::Message;

/// A subject that mail programs still show whole, about two lines of a phone.
const HEADLINE_MAX: usize = 150;
/// A person reads a screen or two of it; the rest is in the program.
const BODY_MAX: usize = 8_000;
/// Far over any site's name or command.
const LINE_MAX: usize = 500;
/// Ids over this are sent as their hash.
const ID_MAX: usize = 128;

/// What is said, bounded and without anything that could be taken for a header
/// or that could reorder the text around it.
pub(super) struct Wording {
    pub(super) site: String,
    pub(super) headline: String,
    pub(super) body: String,
    pub(super) acknowledge_with: String,
    /// When, as RFC 3339 with seconds, in UTC.
    pub(super) at: String,
}

impl Wording {
    pub(super) fn of(message: &Message) -> Self {
        let headline = match line(&message.headline, HEADLINE_MAX) {
            empty if empty.is_empty() => "alarm without a headline".to_owned(),
            headline => headline,
        };
        let body = cut(&message.body.replace("\r\n", "\n"), BODY_MAX)
            .chars()
            .map(|c| if c == '\n' || c == '\t' { c } else { harmless(c) })
            .collect();
        Self {
            site: line(&message.site, LINE_MAX),
            headline,
            body,
            acknowledge_with: line(&message.acknowledge_with, LINE_MAX),
            at: instant(message.at).to_string(),
        }
    }
}

/// The same instant in the type that knows calendars.
pub(super) fn instant(at: units::Timestamp) -> jiff::Timestamp {
    jiff::Timestamp::from_second(at.as_unix_seconds())
        .expect("an instant within ten millennia")
}

/// The id as a header's value: percent-encoded where it is not plain, and its
/// hash where it is long. Different ids stay different.
pub(super) fn header_id(id: &str) -> String {
    if id.len() > ID_MAX {
        return format!("sha256:{}", fingerprint(id));
    }
    let mut encoded = String::with_capacity(id.len());
    for byte in id.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~:/".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

/// The SHA-256 of `text`, in hexadecimal.
pub(super) fn fingerprint(text: &str) -> String {
    hex(&Sha256::digest(text.as_bytes()))
}

/// Bytes in lower-case hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// One line of at most `most` characters.
pub(super) fn line(text: &str, most: usize) -> String {
    let harmless: String = text.chars().map(harmless).collect();
    cut(harmless.trim(), most)
}

/// A space for what ends a line, controls a terminal or turns the direction of
/// the text that follows.
fn harmless(c: char) -> char {
    let turns = matches!(c, '\u{200E}' | '\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}');
    if c.is_control() || turns { ' ' } else { c }
}

fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some(_) => text.chars().take(most - 1).chain(['…']).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_stays_one_line_of_bounded_length() {
        let check = |text: &str, expected: &str| assert_eq!(line(text, 8), expected);
        check("plain", "plain");
        check(" a\r\nBcc: b", "a  Bcc:…");
        check("a\u{202E}b\u{2028}c\0", "a b c");
        check("12345678", "12345678");
        check("123456789", "1234567…");
        check("ääääääääää", "äääääää…");
        check("\r\n", "");
    }

    #[test]
    fn ids_stay_plain_and_different() {
        let check = |id: &str, expected: &str| assert_eq!(header_id(id), expected);
        check("site-1/a.2:l1", "site-1/a.2:l1");
        check("a b\r\nX: y", "a%20b%0D%0AX:%20y");
        check("a%20b", "a%2520b");
        check("ü", "%C3%BC");
        let long = header_id(&"x".repeat(129));
        assert_eq!(long.len(), "sha256:".len() + 64);
        assert_ne!(long, header_id(&"x".repeat(130)));
    }
}
