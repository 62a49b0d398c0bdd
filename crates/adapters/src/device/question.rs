//! One question and one answer on a connection of its own, as miners want it.
//!
//! The miners' programs descend from one that writes an answer, ends it with a zero
//! byte and closes. Some forget the one, some the other. An answer has ended with
//! whichever comes first: the zero byte, the end of its JSON, or of the connection.
//!
//! Invariant: no more than [`ANSWER_MAX`] bytes are read, and nothing after the deadline.

use std::time::Instant;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{DeviceText, Reached, Unanswered};

/// The most bytes of an answer. The longest that is known, statistics of every chip,
/// has some tens of thousands.
pub const ANSWER_MAX: usize = 256 * 1024;

/// Asks one question, and returns the bytes of the answer without its zero byte.
///
/// # Errors
///
/// When there is no whole answer by the deadline, and why.
pub async fn ask(
    at: Reached,
    question: &[u8],
    by: Instant,
) -> Result<Vec<u8>, Unanswered> {
    let asking = async {
        let mut stream = at.connect(by).await?;
        stream.write_all(question).await.map_err(|_| Unanswered::Closed)?;
        let mut answer = Growing::default();
        let mut bytes = [0_u8; 8 * 1024];
        loop {
            let read = stream.read(&mut bytes).await.map_err(|_| Unanswered::Closed)?;
            if read == 0 {
                return answer.closed();
            }
            if answer.takes(&bytes[..read])? {
                return Ok(answer.bytes);
            }
        }
    };
    tokio::time::timeout_at(by.into(), asking).await.map_err(|_| Unanswered::Late)?
}

/// An answer as it comes in.
#[derive(Debug, Default)]
struct Growing {
    bytes: Vec<u8>,
    /// How many brackets of its JSON are open.
    depth: usize,
    in_text: bool,
    after_backslash: bool,
}

impl Growing {
    /// Takes more in; whether the answer has ended.
    fn takes(&mut self, more: &[u8]) -> Result<bool, Unanswered> {
        for byte in more {
            if *byte == 0 {
                // One before everything else is left over from an answer before.
                if self.bytes.is_empty() {
                    continue;
                }
                return Ok(true);
            }
            if self.bytes.len() == ANSWER_MAX {
                let what = format!("an answer of more than {ANSWER_MAX} bytes");
                return Err(Unanswered::Nonsense(DeviceText::of(&what)));
            }
            self.bytes.push(*byte);
            if self.ends_with(*byte) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether this byte closes the last bracket of a JSON answer.
    fn ends_with(&mut self, byte: u8) -> bool {
        if self.in_text {
            let quoted = std::mem::take(&mut self.after_backslash);
            match byte {
                b'\\' if !quoted => self.after_backslash = true,
                b'"' if !quoted => self.in_text = false,
                _ => {}
            }
            return false;
        }
        match byte {
            b'"' => self.in_text = self.depth > 0,
            b'{' | b'[' if self.is_json() => self.depth += 1,
            b'}' | b']' if self.depth > 0 => {
                self.depth -= 1;
                return self.depth == 0;
            }
            _ => {}
        }
        false
    }

    /// Whether it began as JSON; the older answers are text between pipes.
    fn is_json(&self) -> bool {
        let first = self.bytes.iter().find(|byte| !byte.is_ascii_whitespace());
        first.is_some_and(|byte| matches!(byte, b'{' | b'['))
    }

    /// The other side has closed: what there is, if that can be an answer.
    fn closed(self) -> Result<Vec<u8>, Unanswered> {
        match self.bytes.is_empty() || self.depth > 0 || self.in_text {
            true => Err(Unanswered::Closed),
            false => Ok(self.bytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{ANSWER_MAX, Growing};
    use crate::device::Unanswered;

    /// What comes of an answer that arrives in these pieces, and is then closed.
    fn check(pieces: &[&str], expected: Result<&str, Unanswered>) {
        let mut answer = Growing::default();
        for piece in pieces {
            if answer.takes(piece.as_bytes()).expect("short enough") {
                let bytes = String::from_utf8(answer.bytes).expect("text");
                return assert_eq!(Ok(bytes.as_str()), expected, "{pieces:?}");
            }
        }
        let closed = answer.closed().map(|it| String::from_utf8(it).expect("text"));
        assert_eq!(closed.as_deref().map_err(Clone::clone), expected, "{pieces:?}");
    }

    #[test]
    fn an_answer_ends_where_it_ends() {
        check(&["{\"a\":1}\0", "more"], Ok("{\"a\":1}"));
        check(&["{\"a\":[{}]", "}", "{\"b\":1}"], Ok("{\"a\":[{}]}"));
        check(&["{\"a\":\"}\\\"}\"", "}"], Ok("{\"a\":\"}\\\"}\"}"));
        check(&["STATUS=S,Msg={|SUM", "MARY|\0"], Ok("STATUS=S,Msg={|SUMMARY|"));
        check(&["STATUS=S|"], Ok("STATUS=S|"));
        check(&["\0{\"a\":1}"], Ok("{\"a\":1}"));
        check(&["{\"a\":"], Err(Unanswered::Closed));
        check(&[], Err(Unanswered::Closed));
    }

    #[test]
    fn an_answer_without_an_end_is_cut_short() {
        let mut answer = Growing::default();
        let mut taken = 0;
        let error = loop {
            match answer.takes(&[b'x'; 10_000]) {
                Ok(ended) => assert!(!ended),
                Err(why) => break why,
            }
            taken += 10_000;
        };
        assert!(matches!(error, Unanswered::Nonsense(_)), "{error}");
        assert!(taken <= ANSWER_MAX);
    }
}
