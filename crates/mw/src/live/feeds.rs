//! Grid feeds of a living run: asked again and again, and heard through the inbox.
//!
//! A VTN that is not heard changes nothing: what it asked holds to its end, and the
//! engine counts the silence.

use std::collections::BTreeMap;
use std::sync::Arc;

use adapters::deliver::Secret;
use adapters::openadr::{
    Access, Book, Client, Context, EventView, Feed, Heard, Verdict, chance,
};
use anyhow::Context as _;
use engine::site::ProgrammeIx;
use engine::{Engine, Signal, Site};
use tokio::sync::mpsc::Sender;
use tokio::sync::watch;
use tracing::{info, warn};

use super::Happened;
use super::clock::Clock;
use super::contacts::{kept_in, trust};
use super::status::{Board, EventStatus, FeedStatus};
use crate::config::OpenAdr;

/// A feed that can be asked, and whose it is.
#[derive(Debug)]
pub struct Opened {
    feed: Feed,
    programme: String,
}

/// Opens a feed: its login is looked up here, and shown nowhere.
///
/// # Errors
///
/// When the login is not where it is said to be or is none, or the URL cannot be used.
pub fn open(
    of: &OpenAdr,
    engine: &Engine,
    now: units::Timestamp,
    env: &dyn Fn(&str) -> Option<String>,
) -> anyhow::Result<Opened> {
    let open = || {
        let login = kept_in(&of.login, env)?;
        let (id, secret) = login.split_once(':').with_context(|| {
            format!("expected `client-id:client-secret` in {}", of.login)
        })?;
        let client = Client::new(Access {
            url: of.url.clone(),
            client_id: Secret::new(id.to_owned()),
            client_secret: Secret::new(secret.to_owned()),
            allow_plain: of.allow_plain,
            trust: trust(of.authorities.as_ref(), env)?,
        })?;
        let state = engine.state();
        let programme = place(&state.site, &of.programme).context("no such programme")?;
        let before = state.obligations.instructions(now);
        let book = Book::new(programme, of.reading.clone(), before);
        Ok(Feed::new(client, &of.program, &state.site.name, book))
    };
    let feed: anyhow::Result<Feed> = open();
    let feed = feed.with_context(|| {
        format!("cannot use the OpenADR feed of the programme `{}`", of.programme)
    })?;
    Ok(Opened { feed, programme: of.programme.clone() })
}

fn place(site: &Site, programme: &str) -> Option<ProgrammeIx> {
    site.programmes.iter().position(|one| one.name == programme)
}

/// Asks a feed for as long as the run lives.
pub fn follow(
    opened: Opened,
    site: watch::Receiver<Arc<Site>>,
    clock: Clock,
    board: Board,
    mailbox: Sender<Happened>,
) {
    tokio::spawn(async move {
        let Opened { mut feed, programme } = opened;
        let mut shown = Shown::default();
        while !mailbox.is_closed() {
            let site_now = Arc::clone(&site.borrow());
            // A programme that the site left is not asked about.
            if let Some(place) = place(&site_now, &programme) {
                let context = context(&site_now, place, &board, clock);
                let asked = tokio::task::spawn_blocking(move || {
                    let heard = feed.poll(&context);
                    (feed, heard)
                });
                let heard;
                (feed, heard) = match asked.await {
                    Ok(asked) => asked,
                    // The run ends.
                    Err(_) => return,
                };
                match heard {
                    Ok(heard) => {
                        shown.heard(&programme, &feed, &heard, &board, clock);
                        for signal in heard.signals {
                            let signal = of_programme(signal, place);
                            // The loop may have ended already.
                            drop(mailbox.send(Happened::Heard(signal)).await);
                        }
                    }
                    Err(error) => {
                        shown.unheard(&programme, &feed, &error.to_string(), &board);
                    }
                }
            }
            tokio::select! {
                () = tokio::time::sleep(feed.next_in(clock.now(), chance())) => {}
                () = mailbox.closed() => return,
            }
        }
    });
}

fn context(site: &Site, place: ProgrammeIx, board: &Board, clock: Clock) -> Context {
    Context {
        now: clock.now(),
        draw: board.status().and_then(|status| status.power.draw),
        import_limit: site.interconnection.import_limit,
        longest: site.programmes[place].longest,
    }
}

/// The same signal, by the number that the programme has now.
fn of_programme(signal: Signal, place: ProgrammeIx) -> Signal {
    match signal {
        Signal::Instruction(instruction) => {
            Signal::Instruction(engine::Instruction { programme: place, ..instruction })
        }
        Signal::Heard(_) => Signal::Heard(place),
        other @ (Signal::Price(_)
        | Signal::Hashprice(_)
        | Signal::Temperature(_)
        | Signal::DemandForecast(_)
        | Signal::PeakProbability(_)
        | Signal::Draw(_)
        | Signal::Sweep(_)
        | Signal::Exposure(_)
        | Signal::SpotOffer(_)
        | Signal::Forecast(_)) => other,
    }
}

/// What was shown of a feed, so that a change is told once.
#[derive(Debug, Default)]
struct Shown {
    views: BTreeMap<String, EventView>,
    status: FeedStatus,
}

impl Shown {
    fn heard(
        &mut self,
        programme: &str,
        feed: &Feed,
        heard: &Heard,
        board: &Board,
        clock: Clock,
    ) {
        if self.status.failing_because.take().is_some() {
            info!(event = "openadr_back", programme, vtn = feed.place());
        }
        for view in &heard.views {
            if self.views.get(&view.id) != Some(view) {
                tell(programme, view);
            }
        }
        for (id, filed) in &heard.reports {
            match filed {
                Ok(()) => info!(event = "openadr_reported", programme, id),
                Err(why) => warn!(event = "openadr_not_reported", programme, id, "{why}"),
            }
        }
        let views = heard.views.iter().map(|view| (view.id.clone(), view.clone()));
        self.views = views.collect();
        self.status.programme = programme.to_owned();
        self.status.vtn = feed.place().to_owned();
        self.status.heard_at = Some(clock.now());
        self.status.events = heard.views.iter().map(event_status).collect();
        board.feed(self.status.clone());
    }

    fn unheard(&mut self, programme: &str, feed: &Feed, why: &str, board: &Board) {
        if self.status.failing_because.as_deref() != Some(why) {
            warn!(event = "openadr_unheard", programme, vtn = feed.place(), "{why}");
        }
        self.status.programme = programme.to_owned();
        self.status.vtn = feed.place().to_owned();
        self.status.failing_because = Some(why.to_owned());
        board.feed(self.status.clone());
    }
}

fn tell(programme: &str, view: &EventView) {
    let (id, name) = (&view.id, view.name.as_deref().unwrap_or("-"));
    match &view.verdict {
        Verdict::Quarantined(why) => {
            warn!(event = "openadr_quarantined", programme, id, name, "{why}");
        }
        Verdict::Acted if view.end_imposed => {
            warn!(
                event = "openadr_open_ended",
                programme, id, name, "it was given an end"
            );
        }
        Verdict::Acted | Verdict::Overruled | Verdict::Shown => {
            info!(event = "openadr_event", programme, id, name, verdict = ?view.verdict);
        }
    }
    for shown in &view.shown {
        info!(event = "openadr_shown", programme, id, name, "{shown}");
    }
}

fn event_status(view: &EventView) -> EventStatus {
    let (verdict, why) = match &view.verdict {
        Verdict::Acted => ("acted", None),
        Verdict::Shown => ("shown", None),
        Verdict::Overruled => ("overruled", None),
        Verdict::Quarantined(why) => ("quarantined", Some(why.clone())),
    };
    EventStatus {
        id: view.id.clone(),
        name: view.name.clone(),
        verdict: verdict.to_owned(),
        why,
        shown: view.shown.clone(),
        start: view.during.map(|during| during.start),
        end: view.during.map(|during| during.end),
        end_imposed: view.end_imposed,
    }
}
