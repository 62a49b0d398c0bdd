//! Answers with documents.

use serde::Serialize;
use serde_json::Value;
use units::{Interval, Seconds};

use super::call::Call;
use super::document::{
    AlarmsDocument, CheckpointDocument, DecisionsDocument, ExpectedDocument,
    GridDocument, IntervalsDocument, LoadsDocument, MachinesDocument, MyselfDocument,
    OutlookDocument,
};
use super::past::{self, Wanted};
use super::problem::{Kind, Problem};
use super::role::Permission;
use super::route::Read;
use super::{Api, cursor, openapi, racks};
use crate::live::control::speaker::{Failed, last_checkpoint};
use crate::live::status::Status;

/// How far back is looked where nobody says from when.
const A_DAY: Seconds = Seconds::hours(24);

/// Answers a call with a document.
///
/// # Errors
///
/// When there is no such thing, or the run cannot answer now.
pub async fn answer(api: &Api, call: &Call, what: Read) -> Result<Value, Problem> {
    match what {
        Read::OpenApi => json(&openapi::document()),
        Read::Myself => myself(call),
        Read::Status => json(&*status(api)?),
        Read::Loads => {
            let status = status(api)?;
            json(&LoadsDocument {
                at: status.at,
                loads: status.loads.clone(),
                by_hand: status.by_hand.clone(),
            })
        }
        Read::Load => {
            let status = status(api)?;
            let name = call.part("load");
            let load = status.loads.iter().find(|load| load.name == name);
            json(load.ok_or_else(|| no_load(&status, name))?)
        }
        Read::Machines => machines(api, call).await,
        Read::Decisions => decisions(api, call).await,
        Read::Decision => {
            let decision = api.feed.decision().ok_or_else(|| {
                Kind::NotFound.because("nothing was decided yet; ask again in a moment")
            })?;
            json(&*decision)
        }
        Read::Intervals => intervals(api, call).await,
        Read::Outlook => {
            let expected = api.speaker.board.ahead();
            let expected = expected.iter().map(|one| ExpectedDocument {
                start: one.start,
                price_usd_per_mwh: one.price.to_usd_per_mwh_text(2),
                source: one.source.to_string(),
                known_at: one.known_at,
            });
            json(&OutlookDocument { at: status(api)?.at, expected: expected.collect() })
        }
        Read::Alarms => {
            let status = status(api)?;
            json(&AlarmsDocument { at: status.at, alarms: status.alarms.clone() })
        }
        Read::Grid => {
            let status = status(api)?;
            json(&GridDocument {
                at: status.at,
                programmes: status.programmes.clone(),
                instructions: status.instructions.clone(),
                waiting: status.waiting.clone(),
                limits: status.limits.clone(),
            })
        }
        Read::Racks(what) => racks::answer(api, call, what).await,
        Read::Checkpoint => {
            let checkpoint = last_checkpoint(&api.speaker.store).await;
            let checkpoint = checkpoint.map_err(store_away)?;
            json(&CheckpointDocument { checkpoint })
        }
    }
}

/// How everything stands.
///
/// # Errors
///
/// When the run has only begun.
pub fn status(api: &Api) -> Result<std::sync::Arc<Status>, Problem> {
    api.speaker.board.status().ok_or_else(|| Failed::TooSoon.into())
}

/// There is no load of that name.
pub fn no_load(status: &Status, name: &str) -> Problem {
    let known: Vec<String> =
        status.loads.iter().map(|load| format!("`{}`", load.name)).collect();
    let why = format!(
        "expected a load of this site, one of {}; found `{}`",
        known.join(", "),
        name.escape_debug()
    );
    Kind::NotFound.because(why).at("load")
}

fn myself(call: &Call) -> Result<Value, Problem> {
    let caller = call.caller.as_ref().ok_or_else(nobody)?;
    let token = &caller.token;
    let permissions =
        Permission::ALL.into_iter().filter(|permission| token.may(*permission));
    json(&MyselfDocument {
        owner: token.owner.clone(),
        role: token.role,
        tenant: token.tenant.clone(),
        recorded_role: token.person().role,
        token: token.id.clone(),
        permissions: permissions.collect(),
        expires_at: token.expires_at,
    })
}

/// Nobody is known by what was shown.
pub fn nobody() -> Problem {
    Kind::Unauthenticated.because(
        "expected a token that is known and has not ended, as `Authorization: Bearer \
         mw_pat_…`; make one with `mw token create`",
    )
}

async fn machines(api: &Api, call: &Call) -> Result<Value, Problem> {
    let name = call.part("load");
    let site = api.speaker.board.site().ok_or(Failed::TooSoon)?;
    let place =
        site.load_named(name).ok_or_else(|| match api.speaker.board.status() {
            Some(status) => no_load(&status, name),
            None => Failed::TooSoon.into(),
        })?;
    let standing = call.asked("standing")?;
    let limit = call.limit()?;
    let question = format!("machines {name:?} {standing:?}");
    let from = match call.asked("cursor")? {
        Some(cursor) => cursor::read(&api.secret, &question, cursor)?,
        None => 0,
    };
    let mut machines = api.speaker.machines(place).await?;
    machines.retain(|machine| {
        u64::from(machine.machine) >= from
            && standing.is_none_or(|standing| machine.standing == standing)
    });
    let next = machines.get(limit).map(|machine| u64::from(machine.machine));
    machines.truncate(limit);
    let next = next.map(|place| cursor::make(&api.secret, &question, place));
    json(&MachinesDocument { load: name.to_owned(), machines, next })
}

/// The time that is asked about, and where to go on in it.
struct Range {
    during: Interval,
    question: String,
    place: Option<u64>,
    limit: usize,
}

fn range(api: &Api, call: &Call, what: &str) -> Result<Range, Problem> {
    let now = api.speaker.clock.now();
    let (from, to) = (call.instant("from")?, call.instant("to")?);
    // A list that goes on goes on with the filters as they were written.
    let question = format!("{what} {:?} {:?}", call.asked("from")?, call.asked("to")?);
    let end = to.unwrap_or(now + Seconds::from_seconds(1));
    let start = from.unwrap_or(end.max(now) - A_DAY);
    if end <= start {
        let why = "expected `to` after `from`";
        return Err(Kind::BadRequest.because(why).at("to"));
    }
    let place = match call.asked("cursor")? {
        Some(cursor) => Some(cursor::read(&api.secret, &question, cursor)?),
        None => None,
    };
    let limit = call.limit()?;
    Ok(Range { during: Interval { start, end }, question, place, limit })
}

async fn decisions(api: &Api, call: &Call) -> Result<Value, Problem> {
    let range = range(api, call, "decisions")?;
    let site = api.speaker.board.site();
    let (store, during) = (&api.speaker.store, range.during);
    let kept = api.feed.decisions(during);
    let (decisions, next) = match kept {
        Some(kept) => {
            let from = range.place.unwrap_or(0);
            let those =
                kept.iter().filter(|one| one.seq >= from && during.contains(one.start));
            page(those.map(|one| (**one).clone()).collect(), range.limit, |one| one.seq)
        }
        None => {
            let found = past::look(
                store,
                site.as_ref(),
                Wanted::Decisions,
                during,
                range.place,
                range.limit,
            );
            let found = found.await.map_err(store_away)?;
            (found.decisions, found.next)
        }
    };
    let next = next.map(|place| cursor::make(&api.secret, &range.question, place));
    json(&DecisionsDocument { decisions, next })
}

async fn intervals(api: &Api, call: &Call) -> Result<Value, Problem> {
    let range = range(api, call, "intervals")?;
    let site = api.speaker.board.site();
    let (store, during) = (&api.speaker.store, range.during);
    let (intervals, next) = match api.feed.intervals(during) {
        Some(kept) => {
            let from = range.place.unwrap_or(0);
            let those =
                kept.iter().filter(|one| one.seq >= from && during.contains(one.start));
            page(those.map(|one| (**one).clone()).collect(), range.limit, |one| one.seq)
        }
        None => {
            let found = past::look(
                store,
                site.as_ref(),
                Wanted::Intervals,
                during,
                range.place,
                range.limit,
            );
            let found = found.await.map_err(store_away)?;
            (found.intervals, found.next)
        }
    };
    let next = next.map(|place| cursor::make(&api.secret, &range.question, place));
    json(&IntervalsDocument { intervals, next })
}

/// At most `limit`, and the record to go on at. Several of one record stay together.
fn page<T>(
    mut all: Vec<T>,
    limit: usize,
    seq: impl Fn(&T) -> u64,
) -> (Vec<T>, Option<u64>) {
    let mut end = limit.min(all.len());
    while end < all.len() && end > 0 && seq(&all[end]) == seq(&all[end - 1]) {
        end += 1;
    }
    let next = all.get(end).map(&seq);
    all.truncate(end);
    (all, next)
}

/// The record cannot be read now.
fn store_away(error: anyhow::Error) -> Problem {
    tracing::warn!(event = "record_not_read", error = format!("{error:#}"));
    Kind::Unavailable.because("the record cannot be read now; see the log of the run")
}

/// A document as JSON.
///
/// # Errors
///
/// A fault of ours.
pub fn json(value: &impl Serialize) -> Result<Value, Problem> {
    serde_json::to_value(value).map_err(|error| {
        tracing::error!(event = "not_json", %error);
        Kind::Internal.because("the answer cannot be written; see the log of the run")
    })
}

#[cfg(test)]
mod tests {
    use super::page;

    #[test]
    fn a_page_ends_between_records() {
        let check = |limit: usize, kept: usize, next: Option<u64>| {
            let (page, found) = page(vec![1_u64, 2, 2, 2, 3], limit, |seq| *seq);
            assert_eq!((page.len(), found), (kept, next), "{limit}");
        };
        check(1, 1, Some(2));
        check(2, 4, Some(3));
        check(4, 4, Some(3));
        check(5, 5, None);
        check(9, 5, None);
    }
}
