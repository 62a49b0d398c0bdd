//! Tells what happens as it happens: server-sent events over the journal.
//!
//! An event's id is the number of its record, so a listener that comes back says where
//! it was. Of several events of one record only the last carries the id: one that was
//! cut off in between is told the whole record again.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, Response, header};
use http_body_util::channel::{Channel, Sender};
use tokio::time::{Instant, timeout, timeout_at};

use super::call::Call;
use super::feed::{Feed, Gone};
use super::problem::{Kind, Problem};
use super::route::Does;
use super::token::Register;
use super::told::{EventKind, Told};
use super::{Api, wall};

/// How often a listener hears that the line is there.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// A listener who takes nothing for so long is left.
const TAKEN_WITHIN: Duration = Duration::from_secs(20);

/// The most events that are handed over at once.
const BATCH: usize = 256;

/// The most that may listen at a time.
pub const LISTENERS_MAX: usize = 64;

/// Begins to tell a caller what happens.
///
/// # Errors
///
/// When what they ask to hear first has gone, or too many listen.
pub fn tell(api: &Api, call: &Call, does: Does) -> Result<Response<Body>, Problem> {
    let wants = match (does, &call.caller) {
        (Does::RacksEvents, Some(caller)) => {
            Wants::OfTenants(caller.token.tenant.clone())
        }
        _ => Wants::OfSite(kinds(call.asked("types")?)?),
    };
    let written = api.speaker.board.status().map_or(0, |status| status.journal.seq);
    let last = match (call.header("last-event-id"), call.asked("after")?) {
        (Some(last), _) => Some(("Last-Event-ID", last)),
        (None, Some(after)) => Some(("after", after)),
        (None, None) => None,
    };
    let after = match last {
        Some((name, last)) => {
            let seq: u64 = last.trim().parse().map_err(|_| {
                Kind::BadRequest.because("expected the number of a record").at(name)
            })?;
            if seq > written.max(api.feed.read_to()) {
                let why = format!(
                    "expected a record of this run, which has come to {written}; begin anew \
                     from /v1/status"
                );
                return Err(Kind::Gone.because(why).at(name));
            }
            seq
        }
        None => api.feed.read_to().max(written),
    };
    if let Err(Gone { from }) = api.feed.events_after(after, 1) {
        let why = format!(
            "events before record {from} are not kept; begin anew from /v1/status, and see \
             /v1/decisions and `mw replay` for the past"
        );
        return Err(Kind::Gone.because(why).at("Last-Event-ID"));
    }
    let room = std::sync::Arc::clone(&api.listeners);
    let permit = room.try_acquire_owned().map_err(|_| {
        Kind::Unavailable.because(format!(
            "expected at most {LISTENERS_MAX} listeners, and all places are taken"
        ))
    })?;
    let token = call.caller.as_ref().map(|caller| caller.token.id.clone());
    let (mut sender, body) = Channel::<Bytes, std::io::Error>::new(4);
    let (feed, tokens) = (api.feed.clone(), std::sync::Arc::clone(&api.tokens));
    tokio::spawn(async move {
        let _permit = permit;
        // Whoever listened has left.
        drop(run(&mut sender, &feed, &tokens, token.as_deref(), &wants, after).await);
    });
    let mut response = Response::new(Body::new(body));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}

/// What a listener hears.
enum Wants {
    /// What the site's people are told, of these kinds.
    OfSite(Vec<EventKind>),
    /// What this tenant is told; what every tenant is, for the site's people.
    OfTenants(Option<String>),
}

impl Wants {
    fn hear(&self, told: &Told) -> bool {
        match (self, &told.tenant) {
            (Self::OfSite(kinds), None) => kinds.contains(&told.kind),
            (Self::OfTenants(Some(own)), Some(tenant)) => own == tenant,
            (Self::OfTenants(None), Some(_)) => true,
            (Self::OfSite(_), Some(_)) | (Self::OfTenants(_), None) => false,
        }
    }
}

/// The listener has left, or takes nothing.
struct Left;

async fn run(
    sender: &mut Sender<Bytes, std::io::Error>,
    feed: &Feed,
    tokens: &Register,
    token: Option<&str>,
    wants: &Wants,
    after: u64,
) -> Result<(), Left> {
    let mut news = feed.news();
    let mut seen = after;
    say(sender, "retry: 2000\n\n".to_owned()).await?;
    loop {
        match feed.events_after(seen, BATCH) {
            Ok((events, to)) => {
                let more = events.len() >= BATCH;
                let text = text_of(&events, wants);
                if !text.is_empty() {
                    say(sender, text).await?;
                }
                seen = to;
                if more {
                    continue;
                }
            }
            // It fell behind by more than is kept: coming back, it is told so.
            Err(Gone { .. }) => return Ok(()),
        }
        let beat = Instant::now() + HEARTBEAT;
        match timeout_at(beat, news.changed()).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return Ok(()),
            Err(_) => {
                // A token that was revoked hears no more.
                if token.is_some_and(|id| tokens.named(id, wall()).is_none()) {
                    return Ok(());
                }
                say(sender, format!(": record {seen}\n\n")).await?;
            }
        }
    }
}

async fn say(
    sender: &mut Sender<Bytes, std::io::Error>,
    text: String,
) -> Result<(), Left> {
    match timeout(TAKEN_WITHIN, sender.send_data(Bytes::from(text))).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) | Err(_) => Err(Left),
    }
}

fn kinds(types: Option<&str>) -> Result<Vec<EventKind>, Problem> {
    let Some(types) = types else { return Ok(EventKind::ALL.to_vec()) };
    let known = || EventKind::ALL.map(EventKind::word).join(", ");
    types
        .split(',')
        .map(|word| {
            EventKind::ALL.into_iter().find(|kind| kind.word() == word).ok_or_else(|| {
                let why = format!(
                    "expected kinds of events out of {}, found `{}`",
                    known(),
                    word.escape_debug()
                );
                Kind::BadRequest.because(why).at("types")
            })
        })
        .collect()
}

/// Events as a stream writes them.
fn text_of(events: &[Told], wants: &Wants) -> String {
    let mut text = String::new();
    let wanted: Vec<&Told> = events.iter().filter(|told| wants.hear(told)).collect();
    for (place, told) in wanted.iter().enumerate() {
        let is_last = wanted.get(place + 1).is_none_or(|next| next.seq != told.seq);
        if is_last {
            text.push_str(&format!("id: {}\n", told.seq));
        }
        let data = match (wants, &told.own) {
            (Wants::OfTenants(Some(_)), Some(own)) => own,
            (Wants::OfTenants(_) | Wants::OfSite(_), _) => &told.data,
        };
        text.push_str(&format!("event: {}\ndata: {data}\n\n", told.kind.word()));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_event_of_a_record_carries_its_id() {
        let told = |seq, kind, tenant: Option<&str>, data: &str| Told {
            seq,
            kind,
            tenant: tenant.map(str::to_owned),
            data: data.to_owned(),
            own: tenant.map(|tenant| format!("{data} of {tenant}")),
        };
        let events = [
            told(7, EventKind::Request, None, "1"),
            told(7, EventKind::Decision, None, "2"),
            told(7, EventKind::Racks, Some("red"), "4"),
            told(7, EventKind::Racks, Some("blue"), "5"),
            told(8, EventKind::Alarm, None, "3"),
        ];
        let of = |tenant: &str| Wants::OfTenants(Some(tenant.to_owned()));
        assert_eq!(
            text_of(&events, &of("blue")),
            "id: 7\nevent: racks\ndata: 5 of blue\n\n"
        );
        assert_eq!(text_of(&events, &of("green")), "");
        assert_eq!(text_of(&events, &Wants::OfTenants(None)).matches("data").count(), 2);
        assert_eq!(
            text_of(&events, &Wants::OfSite(EventKind::ALL.to_vec())),
            "event: request\ndata: 1\n\nid: 7\nevent: decision\ndata: 2\n\n\
             id: 8\nevent: alarm\ndata: 3\n\n"
        );
        assert_eq!(
            text_of(&events, &Wants::OfSite(vec![EventKind::Request])),
            "id: 7\nevent: request\ndata: 1\n\n"
        );
    }

    #[test]
    fn kinds_are_words_and_nothing_else() {
        assert_eq!(kinds(Some("alarm")), Ok(vec![EventKind::Alarm]));
        assert!(kinds(Some("alarm,")).is_err());
        assert!(kinds(Some("orders")).is_err());
    }
}
