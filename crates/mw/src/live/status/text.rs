//! How figures stand in JSON: powers as exact decimal megawatts, instants in UTC
//! with seconds.

use units::Timestamp;

/// An instant with its seconds, which RFC 3339 demands and people leave out.
pub fn rfc3339(at: Timestamp) -> String {
    let mut text = at.to_string();
    if text.matches(':').count() == 1 {
        text.insert_str(text.len() - 1, ":00");
    }
    text
}

/// A power as decimal megawatts, to the watt: `"1.250000"`.
pub mod mw {
    use serde::{Deserialize, Deserializer, Serializer, de};
    use units::Power;

    /// Writes it.
    pub fn serialize<S: Serializer>(power: &Power, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&power.to_mw_text(6))
    }

    /// Reads it.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Power, D::Error> {
        Power::parse_mw(&String::deserialize(from)?).map_err(de::Error::custom)
    }
}

/// The same, or null.
pub mod maybe_mw {
    use serde::{Deserialize, Deserializer, Serializer, de};
    use units::Power;

    /// Writes it.
    pub fn serialize<S: Serializer>(
        power: &Option<Power>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        match power {
            Some(power) => to.serialize_some(&power.to_mw_text(6)),
            None => to.serialize_none(),
        }
    }

    /// Reads it.
    pub fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Power>, D::Error> {
        let text = Option::<String>::deserialize(from)?;
        text.map(|text| Power::parse_mw(&text)).transpose().map_err(de::Error::custom)
    }
}

/// An instant in RFC 3339, in UTC: `"2025-01-31T14:00:00Z"`.
pub mod instant {
    use serde::{Deserialize, Deserializer, Serializer, de};
    use units::Timestamp;

    /// Writes it.
    pub fn serialize<S: Serializer>(at: &Timestamp, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&super::rfc3339(*at))
    }

    /// Reads it.
    pub fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Timestamp, D::Error> {
        Timestamp::parse(&String::deserialize(from)?).map_err(de::Error::custom)
    }
}

/// The same, or null.
pub mod maybe_instant {
    use serde::{Deserialize, Deserializer, Serializer, de};
    use units::Timestamp;

    /// Writes it.
    pub fn serialize<S: Serializer>(
        at: &Option<Timestamp>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        match at {
            Some(at) => to.serialize_some(&super::rfc3339(*at)),
            None => to.serialize_none(),
        }
    }

    /// Reads it.
    pub fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Timestamp>, D::Error> {
        let text = Option::<String>::deserialize(from)?;
        text.map(|text| Timestamp::parse(&text)).transpose().map_err(de::Error::custom)
    }
}
