//! A message as the text of an e-mail (RFC 5322).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::Message;
use super::wording::{Wording, fingerprint, header_id, instant};

/// Bytes of text in an encoded word, so that with its frame it stays within
/// the 75 characters of RFC 2047: 45 bytes are 60 in base64.
const WORD_MAX: usize = 45;
/// Characters in a line of quoted-printable text, without the mark that it
/// goes on (RFC 2045: 76 with it).
const QUOTED_MAX: usize = 75;

/// The whole letter, lines ended by CR LF, dots not yet doubled.
///
/// The same message gives the same bytes in every attempt. `from` and `to` are
/// addresses that were checked.
pub(super) fn letter(message: &Message, from: &str, to: &[String]) -> String {
    let wording = Wording::of(message);
    let domain = from.rsplit_once('@').map_or("localhost", |(_, domain)| domain);
    let headers = [
        ("Date", rfc_5322_date(message)),
        ("From", from.to_owned()),
        ("To", to.join(",\r\n ")),
        ("Subject", unstructured(&wording.headline)),
        ("Message-ID", format!("<{}@{domain}>", &fingerprint(&message.id)[..32])),
        ("MIME-Version", "1.0".to_owned()),
        ("Content-Type", "text/plain; charset=utf-8".to_owned()),
        ("Content-Transfer-Encoding", "quoted-printable".to_owned()),
        // Out-of-office programs leave it alone (RFC 3834).
        ("Auto-Submitted", "auto-generated".to_owned()),
        ("X-Megawatt-Alarm", header_id(&message.id)),
        ("X-Megawatt-Urgency", message.urgency.as_str().to_owned()),
    ];
    let mut letter: String =
        headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    letter.push_str("\r\n");
    letter.push_str(&quoted_printable(&text(message, &wording)));
    letter
}

fn text(message: &Message, wording: &Wording) -> String {
    let Wording { site, headline, body, acknowledge_with, at } = wording;
    let urgency = message.urgency.as_str();
    format!(
        "{headline}\n\n{}\n\n\
         Site: {site}\nAt: {at}\nUrgency: {urgency}\nAlarm: {}\n\n\
         To acknowledge:\n  {acknowledge_with}\n",
        body.trim_end(),
        header_id(&message.id),
    )
}

fn rfc_5322_date(message: &Message) -> String {
    let at = instant(message.at).to_zoned(jiff::tz::TimeZone::UTC);
    at.strftime("%a, %d %b %Y %H:%M:%S +0000").to_string()
}

/// One line of text as a header's value: as it is when it is plain, else in
/// encoded words of whole characters.
fn unstructured(text: &str) -> String {
    let is_plain = text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
    if is_plain && !text.contains("=?") {
        return text.to_owned();
    }
    let mut words: Vec<String> = vec![String::new()];
    for c in text.chars() {
        let last = words.last_mut().expect("there is always a last word");
        if last.len() + c.len_utf8() > WORD_MAX {
            words.push(c.to_string());
        } else {
            last.push(c);
        }
    }
    let encoded: Vec<String> = words
        .iter()
        .map(|word| format!("=?utf-8?B?{}?=", STANDARD.encode(word)))
        .collect();
    encoded.join("\r\n ")
}

/// Text as quoted-printable (RFC 2045): lines of at most 76 ASCII characters.
fn quoted_printable(text: &str) -> String {
    let mut encoded = String::new();
    for line in text.lines() {
        let mut width = 0;
        let mut bytes = line.bytes().peekable();
        while let Some(byte) = bytes.next() {
            // A blank at the end of a line would be lost on the way.
            let is_kept_blank = matches!(byte, b' ' | b'\t') && bytes.peek().is_some();
            let is_plain = byte.is_ascii_graphic() && byte != b'=';
            let piece = if is_plain || is_kept_blank {
                char::from(byte).to_string()
            } else {
                format!("={byte:02X}")
            };
            if width + piece.len() > QUOTED_MAX {
                encoded.push_str("=\r\n");
                width = 0;
            }
            width += piece.len();
            encoded.push_str(&piece);
        }
        encoded.push_str("\r\n");
    }
    encoded
}

#[cfg(test)]
mod tests {
    use units::Timestamp;

    use super::*;
    use crate::deliver::Urgency;

    #[test]
    fn a_letter_reads_like_this() {
        let message = Message {
            id: "north/import-limit:2".into(),
            at: Timestamp::from_unix_seconds(1_700_000_000),
            site: "north".into(),
            urgency: Urgency::Now,
            headline: "Hall B is 1.2 MW over its feeder's limit".into(),
            body: "Feeder F2 carries 6.2 MW; its limit is 5.0 MW.\nRigs: no answer."
                .into(),
            acknowledge_with: "mw grid acknowledge north/import-limit:2".into(),
        };
        let to = ["a@night.example".to_owned(), "b@day.example".to_owned()];
        let expected = "\
Date: Tue, 14 Nov 2023 22:13:20 +0000
From: mw@site.example
To: a@night.example,
 b@day.example
Subject: Hall B is 1.2 MW over its feeder's limit
Message-ID: <71a1246d8991badabd2ec897ddb776ca@site.example>
MIME-Version: 1.0
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: quoted-printable
Auto-Submitted: auto-generated
X-Megawatt-Alarm: north/import-limit:2
X-Megawatt-Urgency: now

Hall B is 1.2 MW over its feeder's limit

Feeder F2 carries 6.2 MW; its limit is 5.0 MW.
Rigs: no answer.

Site: north
At: 2023-11-14T22:13:20Z
Urgency: now
Alarm: north/import-limit:2

To acknowledge:
  mw grid acknowledge north/import-limit:2
";
        let found = letter(&message, "mw@site.example", &to);
        assert!(!found.replace("\r\n", "").contains(['\r', '\n']), "{found:?}");
        assert_eq!(found.replace("\r\n", "\n"), expected);
    }

    #[test]
    fn a_subject_is_plain_or_encoded() {
        let check = |text: &str, expected: &str| assert_eq!(unstructured(text), expected);
        check("plain = text?", "plain = text?");
        check("Größe", "=?utf-8?B?R3LDtsOfZQ==?=");
        check("=?utf-8?B?eA==?=", "=?utf-8?B?PT91dGYtOD9CP2VBPT0/PQ==?=");
        let long = unstructured(&"ü".repeat(50));
        assert_eq!(long.lines().count(), 3);
        assert!(long.lines().all(|line| line.len() <= 76), "{long}");
    }

    #[test]
    fn quoted_printable_keeps_lines_short_and_blanks() {
        let check =
            |text: &str, expected: &str| assert_eq!(quoted_printable(text), expected);
        check("a=b", "a=3Db\r\n");
        check("end \nnext\t\n", "end=20\r\nnext=09\r\n");
        check("\n\nx", "\r\n\r\nx\r\n");
        check("ü", "=C3=BC\r\n");
        let long = quoted_printable(&"ü".repeat(100));
        assert!(long.lines().all(|line| line.len() <= 76), "{long}");
    }
}
