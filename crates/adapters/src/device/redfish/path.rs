//! Where a resource is within one service.

use std::fmt;

/// The longest path that is asked for; real ones have some two hundred bytes.
const BYTES_MAX: usize = 512;

/// A path below `/redfish/` of the service that named it, and of no other: what a
/// service writes cannot lead anywhere else.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Path(String);

impl Path {
    /// The service's root.
    pub(super) fn root() -> Self {
        Self("/redfish/v1/".to_owned())
    }

    /// Where sessions are made, unless the root says otherwise.
    pub(super) fn sessions() -> Self {
        Self("/redfish/v1/SessionService/Sessions".to_owned())
    }

    /// What a service wrote, if it is a path of its own.
    pub(super) fn of(said: &str) -> Option<Self> {
        // A fragment names a part of the resource, and is never sent.
        let path = said.trim().split('#').next().unwrap_or_default();
        let plain = |byte: u8| byte.is_ascii_graphic() && byte != b'\\';
        let climbs = |part: &str| part == ".." || part.eq_ignore_ascii_case("%2e%2e");
        let fits = path.starts_with("/redfish/")
            && path.len() <= BYTES_MAX
            && path.bytes().all(plain)
            && !path.split('/').any(climbs);
        fits.then(|| Self(path.to_owned()))
    }

    /// As it is sent.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// Its last part: what the resource is called.
    pub(super) fn name(&self) -> &str {
        self.0.trim_end_matches('/').rsplit('/').next().unwrap_or_default()
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::Path;

    #[test]
    fn a_path_stays_within_the_service() {
        for (said, expected) in [
            ("/redfish/v1/Systems/System_0", Some("/redfish/v1/Systems/System_0")),
            (
                "/redfish/v1/Chassis/C/Sensors/S#/Reading",
                Some("/redfish/v1/Chassis/C/Sensors/S"),
            ),
            ("http://169.254.169.254/redfish/v1", None),
            ("//elsewhere/redfish/v1", None),
            ("/redfish/v1/../../etc", None),
            ("/redfish/v1/%2E%2e/x", None),
            ("/redfish/v1/a b", None),
            ("/redfish/v1/a\r\nX: y", None),
            ("/api/v1", None),
            ("", None),
        ] {
            let found = Path::of(said);
            assert_eq!(found.as_ref().map(Path::as_str), expected, "{said}");
        }
        assert!(Path::of(&format!("/redfish/{}", "a".repeat(600))).is_none());
    }
}
