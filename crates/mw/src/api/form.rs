//! Names and values as addresses and forms write them.

use super::problem::{Kind, Problem};

/// Pairs in the order they were written.
pub type Pairs = Vec<(String, String)>;

/// Reads `a=1&b=two%20words`.
///
/// # Errors
///
/// When a percent sign begins no byte, or the bytes are no UTF-8.
pub fn read(text: &str) -> Result<Pairs, Problem> {
    let wrong = |part: &str| {
        Kind::BadRequest.because(format!(
            "expected names and values as an address writes them, found `{}`",
            part.escape_debug()
        ))
    };
    let mut pairs = Vec::new();
    for part in text.split('&').filter(|part| !part.is_empty()) {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        let name = decoded(name).ok_or_else(|| wrong(part))?;
        let value = decoded(value).ok_or_else(|| wrong(part))?;
        pairs.push((name, value));
    }
    Ok(pairs)
}

/// The value of a name that may be there once.
///
/// # Errors
///
/// When it is there twice.
pub fn once<'a>(pairs: &'a Pairs, name: &str) -> Result<Option<&'a str>, Problem> {
    let mut values = pairs.iter().filter(|(found, _)| found == name);
    let first = values.next().map(|(_, value)| value.as_str());
    if values.next().is_some() {
        let why = format!("expected `{name}` once, found it several times");
        return Err(Kind::BadRequest.because(why).at(name));
    }
    Ok(first)
}

fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digit = |byte: u8| char::from(byte).to_digit(16);
                let (high, low) = (digit(rest.next()?)?, digit(rest.next()?)?);
                u8::try_from(high * 16 + low).ok()?
            }
            other => other,
        });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_read_as_addresses_write_them() {
        let check = |text: &str, expected: Option<&[(&str, &str)]>| {
            let found = read(text).ok();
            let found: Option<Vec<(&str, &str)>> = found.as_ref().map(|pairs| {
                pairs.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect()
            });
            assert_eq!(found.as_deref(), expected, "{text}");
        };
        check("", Some(&[]));
        check("a=1&b=two%20words+x", Some(&[("a", "1"), ("b", "two words x")]));
        check("a=%C3%A9&&b", Some(&[("a", "é"), ("b", "")]));
        check("a=%zz", None);
        check("a=%c", None);
        check("a=%ff", None);
        assert!(once(&read("a=1&a=2").expect("pairs"), "a").is_err());
    }
}
