//! What a device writes about itself, made harmless.

use std::fmt;

/// The most characters that are kept.
const CHARACTERS_MAX: usize = 120;

/// Short text of plain characters: letters, digits and a little punctuation. Whatever
/// else a device writes becomes `?`, and what is too long is cut.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceText(String);

impl DeviceText {
    /// What is left of `said`.
    pub fn of(said: &str) -> Self {
        let plain = |c: char| match c {
            ' ' | '.' | ',' | ':' | ';' | '/' | '-' | '_' | '+' | '*' | '(' | ')'
            | '=' | '#' | '@' | '%' | '|' | '[' | ']' => c,
            _ if c.is_ascii_alphanumeric() => c,
            _ => '?',
        };
        Self(said.trim().chars().take(CHARACTERS_MAX).map(plain).collect())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DeviceText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::DeviceText;

    #[test]
    fn markup_and_control_characters_do_not_survive() {
        let said = DeviceText::of("<script>alert('M60S')</script>\u{1b}[31m\n");
        assert_eq!(said.as_str(), "?script?alert(?M60S?)?/script??[31m");
        assert_eq!(DeviceText::of(&"9".repeat(4_000)).as_str().len(), 120);
    }
}
