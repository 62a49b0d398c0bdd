//! What a device says by itself.

use std::time::Instant;

use units::Timestamp;

use super::DeviceText;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// All is well, or well again.
    Ok,
    /// Something needs attention.
    Warning,
    /// Something needs attention now.
    Critical,
}

/// Something that a device told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceEvent {
    /// When it happened, by the device's clock.
    pub at: Option<Timestamp>,
    /// When it was heard.
    pub heard: Instant,
    /// How bad it is.
    pub severity: Severity,
    /// Which message of a registry it is.
    pub message_id: Option<DeviceText>,
    /// The part it is about.
    pub origin: Option<DeviceText>,
    /// In the device's words.
    pub text: DeviceText,
}
