//! What a tray tells by itself: server-sent events where its service has them, else
//! what changes from look to look.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::resource::{text, timestamp};
use super::wire::{Flowing, nonsense};
use super::{Path, Tray};
use crate::device::event::{DeviceEvent, Severity};
use crate::device::{DeviceText, Running, Unanswered};

/// The most bytes of one event.
const EVENT_MAX: usize = 256 * 1_024;

/// The most records of one event.
const RECORDS_MAX: usize = 64;

/// How often a service without a stream is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// A tray's events, one after the other.
#[derive(Debug)]
pub struct Events {
    tray: Arc<Tray>,
    /// Heard and not yet asked for.
    ready: VecDeque<DeviceEvent>,
    stream: Option<(Flowing, Lines)>,
    /// The last event that was heard whole, so that a new stream goes on after it.
    last: Option<String>,
    seen: Option<Seen>,
}

/// What the last look saw.
#[derive(Debug)]
struct Seen {
    at: Instant,
    running: Option<Running>,
    faults: BTreeSet<DeviceText>,
}

/// Bytes of a stream that become events.
#[derive(Debug, Default)]
pub(super) struct Lines {
    heard: Vec<u8>,
    id: Option<String>,
    data: String,
}

/// One event as it came over the wire.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Sent {
    pub(super) id: Option<String>,
    pub(super) data: String,
}

impl Events {
    pub(super) fn of(tray: Arc<Tray>) -> Self {
        Self { tray, ready: VecDeque::new(), stream: None, last: None, seen: None }
    }

    /// The next event. A stream that broke is taken up again where it ended.
    ///
    /// # Errors
    ///
    /// When none came by the deadline, or the service does not answer. Asking again
    /// is safe.
    pub async fn next(&mut self, by: Instant) -> Result<DeviceEvent, Unanswered> {
        let next = async {
            loop {
                if let Some(event) = self.ready.pop_front() {
                    return Ok(event);
                }
                let tree = self.tray.tree(false, by).await?;
                match &tree.events {
                    Some(path) => self.hear(&path.clone(), by).await?,
                    None => self.compare(by).await?,
                }
            }
        };
        tokio::time::timeout_at(by.into(), next).await.map_err(|_| Unanswered::Late)?
    }

    /// Hears what comes next on the stream.
    async fn hear(&mut self, path: &Path, by: Instant) -> Result<(), Unanswered> {
        if self.stream.is_none() {
            let last = self.last.as_deref();
            let flowing = self.tray.service.listen(path, last, by).await?;
            self.stream = Some((flowing, Lines::default()));
        }
        let Some((flowing, lines)) = &mut self.stream else { return Ok(()) };
        let heard = match flowing.next().await {
            Ok(bytes) => lines.take(&bytes),
            Err(why) => Err(why),
        };
        match heard {
            Ok(sent) => {
                for sent in sent {
                    self.ready.extend(records(&sent.data));
                    self.last = sent.id.or(self.last.take());
                }
                Ok(())
            }
            Err(why) => {
                self.stream = None;
                Err(why)
            }
        }
    }

    /// Looks, and tells what is different.
    async fn compare(&mut self, by: Instant) -> Result<(), Unanswered> {
        use crate::device::Driver;
        if let Some(seen) = &self.seen {
            tokio::time::sleep_until((seen.at + LOOK_EVERY).into()).await;
        }
        let look = self.tray.look(by).await?;
        let running = look.running.map(|field| field.value);
        let faults: BTreeSet<DeviceText> = look.faults.into_iter().collect();
        let now = Instant::now();
        if let Some(seen) = &self.seen {
            let event = |severity, text: &str| DeviceEvent {
                at: None,
                heard: now,
                severity,
                message_id: None,
                origin: None,
                text: DeviceText::of(text),
            };
            if running != seen.running {
                let text = format!("now {running:?}, before {:?}", seen.running);
                self.ready.push_back(event(Severity::Ok, &text));
            }
            for fault in faults.difference(&seen.faults) {
                self.ready.push_back(event(Severity::Critical, fault.as_str()));
            }
            for fault in seen.faults.difference(&faults) {
                let text = format!("no more: {fault}");
                self.ready.push_back(event(Severity::Ok, &text));
            }
        }
        self.seen = Some(Seen { at: now, running, faults });
        Ok(())
    }
}

impl Lines {
    /// The events that are whole with these bytes.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Result<Vec<Sent>, Unanswered> {
        self.heard.extend_from_slice(bytes);
        let mut sent = Vec::new();
        while let Some(end) = self.heard.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.heard.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line);
            let line = line.trim_end_matches(['\n', '\r']);
            if line.is_empty() {
                let (id, data) = (self.id.take(), std::mem::take(&mut self.data));
                if !data.is_empty() || id.is_some() {
                    sent.push(Sent { id, data });
                }
                continue;
            }
            let (name, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match name {
                "id" => self.id = plain(value),
                "data" => {
                    if !self.data.is_empty() {
                        self.data.push('\n');
                    }
                    self.data.push_str(value);
                }
                // Comments keep the connection open; other fields are not ours.
                _ => {}
            }
            if self.data.len() > EVENT_MAX {
                return Err(nonsense("an event without end"));
            }
        }
        if self.heard.len() > EVENT_MAX {
            return Err(nonsense("an event without end"));
        }
        Ok(sent)
    }
}

/// An id that can be sent back as a header.
fn plain(id: &str) -> Option<String> {
    let fits = id.len() <= 128 && id.bytes().all(|byte| byte.is_ascii_graphic());
    (fits && !id.is_empty()).then(|| id.to_owned())
}

/// The records of one event. What is none of Redfish is none.
fn records(data: &str) -> Vec<DeviceEvent> {
    let Ok(json) = serde_json::from_str::<Value>(data) else { return Vec::new() };
    let records = json.get("Events").and_then(Value::as_array);
    records.into_iter().flatten().take(RECORDS_MAX).map(record).collect()
}

fn record(record: &Value) -> DeviceEvent {
    let said = |name: &str| record.get(name).and_then(text);
    let severity = match said("MessageSeverity").or_else(|| said("Severity")) {
        Some("OK") => Severity::Ok,
        Some("Critical") => Severity::Critical,
        // What does not say how bad it is deserves a look.
        Some(_) | None => Severity::Warning,
    };
    let origin = record.pointer("/OriginOfCondition/@odata.id").and_then(text);
    let origin = origin.or_else(|| said("OriginOfCondition"));
    DeviceEvent {
        at: said("EventTimestamp").and_then(timestamp),
        heard: Instant::now(),
        severity,
        message_id: said("MessageId").map(DeviceText::of),
        origin: origin.map(DeviceText::of),
        text: DeviceText::of(said("Message").unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use super::{Lines, Sent, records};
    use crate::device::event::Severity;

    fn sent(id: Option<&str>, data: &str) -> Sent {
        Sent { id: id.map(str::to_owned), data: data.to_owned() }
    }

    #[test]
    fn a_stream_is_cut_into_events_wherever_its_bytes_end() {
        let stream = b": hello\r\n\r\nid: 7\r\ndata: {\"a\":\r\ndata: 1}\r\n\r\nevent: x\ndata:2\n\n";
        for size in [1, 3, stream.len()] {
            let mut lines = Lines::default();
            let mut found = Vec::new();
            for bytes in stream.chunks(size) {
                found.extend(lines.take(bytes).expect("a stream"));
            }
            assert_eq!(found, [sent(Some("7"), "{\"a\":\n1}"), sent(None, "2")]);
        }
    }

    #[test]
    fn an_event_without_end_is_given_up() {
        let mut lines = Lines::default();
        let endless = vec![b'x'; 300 * 1_024];
        assert!(lines.take(&endless).is_err());
        let mut lines = Lines::default();
        let mut line = b"data: ".to_vec();
        line.extend(std::iter::repeat_n(b'x', 200 * 1_024));
        line.push(b'\n');
        assert!(lines.take(&line).is_ok());
        assert!(lines.take(&line).is_err());
    }

    #[test]
    fn what_is_no_event_tells_nothing() {
        for data in ["", "[]", "{}", "{\"Events\": 3}", "<html>"] {
            assert!(records(data).is_empty(), "{data}");
        }
        let data = r#"{"Events": [{"EventTimestamp": "2026-06-29T08:05:10.759+00:00",
            "MessageSeverity": "Critical", "MessageId": "ResourceEvent.1.3.ResourceErrorsDetected",
            "Message": "<b>leak</b>", "OriginOfCondition": {"@odata.id": "/redfish/v1/Chassis/C"}}]}"#;
        let found = records(data);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].severity, Severity::Critical);
        assert_eq!(found[0].text.as_str(), "?b?leak?/b?");
        assert!(found[0].at.is_some());
    }
}
