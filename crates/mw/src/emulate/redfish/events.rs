//! What a tray tells by itself: events with numbers, the last of which are kept for
//! whoever lost the connection.

use std::collections::VecDeque;
use std::convert::Infallible;

use axum::body::{Body as Answer, Bytes};
use futures_util::stream;
use serde_json::json;
use tokio::sync::broadcast;
use units::Timestamp;

use super::tree::stamp;

/// How many are kept.
const KEPT: usize = 64;

/// The events of one tray.
#[derive(Debug)]
pub(super) struct Events {
    next: u64,
    kept: VecDeque<(u64, String)>,
    sender: broadcast::Sender<(u64, String)>,
}

impl Default for Events {
    fn default() -> Self {
        Self { next: 1, kept: VecDeque::new(), sender: broadcast::Sender::new(KEPT) }
    }
}

impl Events {
    /// Tells one.
    pub(super) fn tell(
        &mut self,
        now: Timestamp,
        severity: &str,
        message: &str,
        text: &str,
        origin: &str,
    ) {
        let id = self.next;
        self.next += 1;
        let event = json!({
            "@odata.type": "#Event.v1_9_0.Event",
            "Id": id.to_string(),
            "Name": "Event",
            "Events": [{
                "MemberId": "0",
                "EventId": id.to_string(),
                "EventType": "Alert",
                "EventTimestamp": stamp(now),
                "MessageSeverity": severity,
                "MessageId": message,
                "Message": text,
                "OriginOfCondition": { "@odata.id": format!("/redfish/v1/{origin}") }
            }]
        });
        let event = event.to_string();
        self.kept.push_back((id, event.clone()));
        if self.kept.len() > KEPT {
            self.kept.pop_front();
        }
        // Nobody listening is no fault.
        let _ = self.sender.send((id, event));
    }

    /// How many listen.
    pub(super) fn listeners(&self) -> usize {
        self.sender.receiver_count()
    }

    /// Ends every stream; what is kept is kept.
    pub(super) fn cut(&mut self) {
        self.sender = broadcast::Sender::new(KEPT);
    }

    /// A stream of them: those after `last` that are kept, then what comes.
    pub(super) fn listen(&self, last: Option<u64>) -> Answer {
        let missed: VecDeque<(u64, String)> = match last {
            Some(last) => {
                self.kept.iter().filter(|(id, _)| *id > last).cloned().collect()
            }
            None => VecDeque::new(),
        };
        let receiver = self.sender.subscribe();
        let flows = stream::unfold((missed, receiver, true), |state| async move {
            let (mut missed, mut receiver, is_first) = state;
            if is_first {
                // So that whoever listens knows that it does.
                let hello = Bytes::from_static(b": listening\n\n");
                return Some((Ok::<_, Infallible>(hello), (missed, receiver, false)));
            }
            let event = match missed.pop_front() {
                Some(event) => Some(event),
                None => loop {
                    match receiver.recv().await {
                        Ok(event) => break Some(event),
                        Err(broadcast::error::RecvError::Lagged(_)) => {}
                        Err(broadcast::error::RecvError::Closed) => break None,
                    }
                },
            };
            let (id, data) = event?;
            let sent = Bytes::from(format!("id: {id}\ndata: {data}\n\n"));
            Some((Ok(sent), (missed, receiver, false)))
        });
        Answer::from_stream(flows)
    }
}
