//! Cursors: where a list goes on, opaque and signed.
//!
//! A cursor holds a place and a hash of what was asked for. One that was altered, or
//! that comes back with another question, is refused.

use sha2::{Digest, Sha256};

use super::problem::{Kind, Problem};
use super::secret::{Secret, bytes_of, text_of};

/// The word that cursors are signed under.
const WORD: &str = "cursor";

/// Makes the cursor of a place in the answer to `question`.
pub fn make(secret: &Secret, question: &str, place: u64) -> String {
    let hash = Sha256::digest(question.as_bytes());
    let text = format!("{place}.{}", text_of(&hash[..12]));
    let signature = secret.sign(WORD, &text);
    text_of(format!("{text}.{signature}").as_bytes())
}

/// The place that a cursor stands for.
///
/// # Errors
///
/// When it is none of ours, or of another question.
pub fn read(secret: &Secret, question: &str, cursor: &str) -> Result<u64, Problem> {
    let wrong = || {
        Kind::BadRequest
            .because(
                "expected a cursor as this run gave it, with the same filters; begin the \
                 list anew without one",
            )
            .at("cursor")
    };
    let text = bytes_of(cursor).and_then(|bytes| String::from_utf8(bytes).ok());
    let text = text.ok_or_else(wrong)?;
    let (signed, signature) = text.rsplit_once('.').ok_or_else(wrong)?;
    if !secret.is_of(signature, WORD, signed) {
        return Err(wrong());
    }
    let (place, hash) = signed.split_once('.').ok_or_else(wrong)?;
    if text_of(&Sha256::digest(question.as_bytes())[..12]) != hash {
        return Err(wrong());
    }
    place.parse().map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_good_as_it_was_given_and_for_its_question_alone() {
        let secret = Secret::of([7; 32]);
        let cursor = make(&secret, "machines s21", 500);
        assert_eq!(read(&secret, "machines s21", &cursor), Ok(500));
        assert!(read(&secret, "machines s19", &cursor).is_err());
        assert!(read(&Secret::of([8; 32]), "machines s21", &cursor).is_err());
        for place in 0..cursor.len() {
            let mut altered = cursor.clone().into_bytes();
            altered[place] = if altered[place] == b'A' { b'B' } else { b'A' };
            let altered = String::from_utf8(altered).expect("still text");
            assert!(read(&secret, "machines s21", &altered).is_err(), "{place}");
        }
        for none in ["", ".", "500", &text_of(b"500.x.y")] {
            assert!(read(&secret, "machines s21", none).is_err(), "{none}");
        }
    }
}
