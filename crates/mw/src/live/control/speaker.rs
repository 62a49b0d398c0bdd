//! Speaks for a living run: whatever door people come in by, they are answered here.
//!
//! The control socket and the HTTP API are doors; both hand what is asked to the
//! loop's inbox through a [`Speaker`], and say what the engine answered once that is
//! durable.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use adapters::store::{Access, Key, Store, StoreAddress};
use anyhow::Context;
use engine::capacity::{self, Actor, Body};
use engine::{Change, Dispatch, Event, Notice, Output, Person, Site};
use settle::contract::Versions;
use tokio::sync::mpsc::Sender;
use tokio::sync::{oneshot, watch};
use tokio::time::timeout;
use tracing::info;
use units::Power;

use super::{Asked, By, LoadChange, Reply, Wish};
use crate::capacity::judging::{Judged, OfRack, dropped, judge_racks};
use crate::live::Happened;
use crate::live::clock::Clock;
use crate::live::status::{Board, MachineStatus};
use crate::records::KEY;

/// How long an answer is waited for: the loop comes round every few seconds, and
/// a journal that cannot be written is found out sooner than a person gives up.
pub const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// Reads the site file of a run anew, as it was read at its start, and the contracts
/// that it names.
pub type Reread = Box<dyn Fn() -> anyhow::Result<(Site, Vec<Versions>)> + Send + Sync>;

/// What a door speaks for.
pub struct Speaker {
    /// How things stand.
    pub board: Board,
    /// The loop's inbox.
    pub mailbox: Sender<Happened>,
    /// The site's time.
    pub clock: Clock,
    /// The run's data folder, where evidence is kept.
    pub folder: PathBuf,
    /// Where the journal is, to read checkpoints.
    pub store: StoreAddress,
    /// Reads the site file anew, and the contracts that it names.
    pub reread: Reread,
    /// The contracts that the site's racks serve, as they were last read.
    pub contracts: watch::Sender<Arc<Vec<Versions>>>,
}

/// What became of something that was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It was granted, and is durable; or would be, where it was only rehearsed.
    Granted(Granted),
    /// It is no request: something is named that is not there, or a figure is none.
    NotMeant(String),
    /// It was refused, and nothing has changed.
    Refused(String),
    /// It is under way.
    UnderWay(String),
    /// It was not done, or it is not known whether it was.
    Failed(Failed),
}

/// What was granted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Granted {
    /// The consequence, and what comes next.
    pub says: Vec<String>,
    /// The tightest import limit before.
    pub limit_before: Power,
    /// The same after.
    pub limit_after: Power,
    /// Loads that are asked something else by it.
    pub changes: Vec<LoadChange>,
    /// Whether it was only asked what would come of it.
    pub dry_run: bool,
}

/// Why something was not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failed {
    /// The run has not decided anything yet.
    TooSoon,
    /// The loop does not come round, and nothing was asked of it that changes anything.
    NoRound,
    /// The run ends; nothing has changed.
    Ends,
    /// No answer: it may have been done.
    NotKnown,
}

impl Failed {
    /// Why, and what to do.
    pub fn why(self) -> &'static str {
        match self {
            Self::TooSoon => "the run has only begun; ask again in a moment",
            Self::NoRound => {
                "the run has not come round within 30 s; see `mw doctor` and its log"
            }
            Self::Ends => "the run ends; nothing has changed",
            Self::NotKnown => {
                "no answer within 30 s: it is not known whether this was done; look at \
                 the status before asking again, and see the log whether the journal can \
                 be written"
            }
        }
    }
}

/// Why trays were not judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotJudged {
    /// They cannot be, and nothing has changed.
    Refused(String),
    /// The run did not answer.
    Failed(Failed),
}

impl From<Answer> for Reply {
    fn from(answer: Answer) -> Self {
        match answer {
            Answer::Granted(granted) => Self::Accepted {
                says: granted.says,
                limit_before: granted.limit_before,
                limit_after: granted.limit_after,
                changes: granted.changes,
                dry_run: granted.dry_run,
            },
            Answer::NotMeant(why) | Answer::Refused(why) => Self::Refused { why },
            Answer::UnderWay(says) => Self::UnderWay { says },
            Answer::Failed(failed) => Self::Failed { why: failed.why().to_owned() },
        }
    }
}

impl Speaker {
    /// Answers one request of the control socket; `user` is who opened it.
    pub async fn answer(&self, asked: Asked, user: Option<u32>) -> Reply {
        match asked {
            Asked::Status {} => match self.board.status() {
                Some(status) => Reply::Status { status: Box::new((*status).clone()) },
                None => Reply::from(Answer::Failed(Failed::TooSoon)),
            },
            Asked::Machines { load } => self.machines_named(load).await,
            Asked::Ask { by, wish, dry_run } => {
                info!(event = "asked_by_socket", by = by.name, role = by.role, user);
                self.ask(by, &wish, dry_run).await.into()
            }
            Asked::Checkpoint {} => match last_checkpoint(&self.store).await {
                Ok(checkpoint) => Reply::Checkpoint { checkpoint },
                Err(error) => Reply::Failed { why: format!("{error:#}") },
            },
            Asked::Judge { by, rack, plan } => {
                info!(event = "judge_asked", by = by.name, role = by.role, user, rack);
                self.judge_dropped(by, rack, plan).await
            }
            Asked::Reload { by } => {
                info!(event = "reload_asked", by = by.name, role = by.role, user);
                self.reload(by, false).await.into()
            }
            Asked::Stop { by } => {
                info!(event = "stop_asked", by = by.name, role = by.role, user);
                self.stop(by).await.into()
            }
        }
    }

    async fn machines_named(&self, load: String) -> Reply {
        let Some(site) = self.board.site() else {
            return Reply::from(Answer::Failed(Failed::TooSoon));
        };
        let Some(place) = site.load_named(&load) else {
            let names: Vec<String> =
                site.loads.iter().map(|load| format!("`{}`", load.name)).collect();
            return Reply::Refused {
                why: format!("expected a load of this site, one of {}", names.join(", ")),
            };
        };
        match self.machines(place).await {
            Ok(machines) => Reply::Machines { load, machines },
            Err(failed) => Reply::from(Answer::Failed(failed)),
        }
    }

    /// The machines of a load, as they stand after the loop's next turn.
    ///
    /// # Errors
    ///
    /// When the loop does not come round.
    pub async fn machines(
        &self,
        load: engine::site::LoadIx,
    ) -> Result<Vec<MachineStatus>, Failed> {
        match timeout(ANSWER_WITHIN, self.board.machines(load)).await {
            Ok(Ok(machines)) => Ok(machines),
            Ok(Err(_)) | Err(_) => Err(Failed::NoRound),
        }
    }

    /// Hands a request to the loop, and says what the engine answered once that is
    /// durable. A dry run is answered by a copy of the engine, and changes nothing.
    pub async fn ask(&self, by: By, wish: &Wish, dry_run: bool) -> Answer {
        let Some((site, before)) = self.board.site().zip(self.board.status()) else {
            return Answer::Failed(Failed::TooSoon);
        };
        let request = match wish.meant(&site, self.clock.now(), &by.role) {
            Ok(request) => request,
            Err(error) => return Answer::NotMeant(error.to_string()),
        };
        let by = Person { name: by.name, role: by.role };
        let (answer, answered) = oneshot::channel();
        let asked = if dry_run {
            let event = Box::new(Event::Operator { by, request });
            Happened::Rehearsed { event, answer }
        } else {
            Happened::Asked { by, request, answer }
        };
        let outputs = match self.answered(asked, answered, dry_run).await {
            Ok(outputs) => outputs,
            Err(failed) => return Answer::Failed(failed),
        };
        answer_of(&outputs, &site, before.power.import_limit, dry_run)
    }

    /// Hands something to the loop, and waits for what the engine said, durable.
    async fn answered(
        &self,
        asked: Happened,
        answered: oneshot::Receiver<Vec<Output>>,
        dry_run: bool,
    ) -> Result<Vec<Output>, Failed> {
        let unknown = if dry_run { Failed::NoRound } else { Failed::NotKnown };
        let answered = async {
            self.mailbox.send(asked).await.map_err(|_| Failed::Ends)?;
            answered.await.map_err(|_| unknown)
        };
        timeout(ANSWER_WITHIN, answered).await.unwrap_or(Err(unknown))
    }

    /// Hands what somebody says of racks to the loop, and returns what came of it once
    /// that is durable, a refusal too.
    ///
    /// # Errors
    ///
    /// When it was not done, or it is not known whether it was.
    pub async fn ask_racks(
        &self,
        by: Actor,
        body: Body,
        dry_run: bool,
    ) -> Result<Vec<Output>, Failed> {
        let (answer, answered) = oneshot::channel();
        let body = Box::new(body);
        let asked = if dry_run {
            // The loop puts its own time to it.
            let at = self.clock.now();
            let said = capacity::Event { at, by, body: *body };
            Happened::Rehearsed { event: Box::new(Event::Estate(Box::new(said))), answer }
        } else {
            Happened::Estate { by, body, answer: Some(answer) }
        };
        self.answered(asked, answered, dry_run).await
    }

    /// Judges a rack by what lies in the run's drop folder.
    async fn judge_dropped(&self, by: By, rack: String, plan: String) -> Reply {
        let folder = self.folder.clone();
        let names = [rack];
        let read = tokio::task::spawn_blocking(move || dropped(&folder, &names)).await;
        let read = read.map_err(anyhow::Error::from).and_then(|read| read);
        let racks = match read {
            Ok(racks) => racks,
            Err(error) => return Reply::Refused { why: format!("{error:#}") },
        };
        match self.judge(Actor::Operator(by.name), plan, racks, false).await {
            Ok((judged, _)) => Reply::Judged {
                says: judged.lines(),
                passed: judged.is_good(),
                evidence: judged.bundle.hash().to_string(),
            },
            Err(NotJudged::Refused(why)) => Reply::Refused { why },
            Err(NotJudged::Failed(failed)) => Reply::from(Answer::Failed(failed)),
        }
    }

    /// Judges trays by what their tools wrote, keeps the evidence, and has what it came
    /// to taken into the record. A dry run keeps nothing.
    ///
    /// # Errors
    ///
    /// When it cannot be judged, or the estate refuses what it came to.
    pub async fn judge(
        &self,
        by: Actor,
        plan: String,
        racks: Vec<OfRack>,
        dry_run: bool,
    ) -> Result<(Judged, Vec<Output>), NotJudged> {
        self.board.site().ok_or(NotJudged::Failed(Failed::TooSoon))?;
        let estate = self.board.estate().unwrap_or_default();
        let (folder, at) = (self.folder.clone(), self.clock.now());
        let work = move || {
            let key = Key::load_or_create(&folder.join(KEY))?;
            let judged = judge_racks(&estate, ("the plan", &plan), racks, at, &key)?;
            if !dry_run {
                judged.keep(&folder)?;
            }
            Ok::<_, anyhow::Error>(judged)
        };
        let judged = tokio::task::spawn_blocking(work).await;
        let judged = judged.map_err(anyhow::Error::from).and_then(|judged| judged);
        let judged = judged.map_err(|error| NotJudged::Refused(format!("{error:#}")))?;
        let mut outputs = Vec::new();
        for body in &judged.bodies {
            let said = self.ask_racks(by.clone(), body.clone(), dry_run).await;
            outputs.extend(said.map_err(NotJudged::Failed)?);
        }
        let refused = outputs.iter().find_map(|output| {
            let Output::Notice(Notice::EstateRefused { why, .. }) = output else {
                return None;
            };
            Some(why.to_string())
        });
        match refused {
            Some(why) => Err(NotJudged::Refused(why)),
            None => Ok((judged, outputs)),
        }
    }

    /// Reads the site file anew, and has the loop decide by it.
    pub async fn reload(&self, by: By, dry_run: bool) -> Answer {
        let (site, contracts) = match (self.reread)() {
            Ok(read) => read,
            Err(error) => return Answer::Refused(format!("{error:#}")),
        };
        let Some((now, before)) = self.board.site().zip(self.board.status()) else {
            return Answer::Failed(Failed::TooSoon);
        };
        if now.name != site.name {
            return Answer::Refused(format!(
                "expected the file of the site `{}`, found that of `{}`",
                now.name, site.name
            ));
        }
        let others = **self.contracts.borrow() != contracts;
        if *now == site {
            return Answer::UnderWay(match (others, dry_run) {
                (false, _) => "the site file has not changed".to_owned(),
                (true, true) => "its contracts would be read anew".to_owned(),
                (true, false) => {
                    self.contracts.send_replace(Arc::new(contracts));
                    "its contracts were read anew; the site file has not changed"
                        .to_owned()
                }
            });
        }
        let (answer, answered) = oneshot::channel();
        let asked = if dry_run {
            let event = Box::new(Event::Change(Change::Site(Box::new(site.clone()))));
            Happened::Rehearsed { event, answer }
        } else {
            let by = Person { name: by.name, role: by.role };
            Happened::Changed { by, site: Box::new(site.clone()), answer }
        };
        let outputs = match self.answered(asked, answered, dry_run).await {
            Ok(outputs) => outputs,
            Err(failed) => return Answer::Failed(failed),
        };
        if let Some(dispatch) = last_dispatch(&outputs) {
            if dry_run {
                return Answer::Granted(Granted {
                    says: vec!["the site file would be decided by".to_owned()],
                    limit_before: before.power.import_limit,
                    limit_after: dispatch.import_limit,
                    changes: changes_of(dispatch, &site),
                    dry_run,
                });
            }
            if others {
                self.contracts.send_replace(Arc::new(contracts));
            }
            return Answer::UnderWay(
                "the site file was read anew and is decided by".to_owned(),
            );
        }
        let refused = outputs.iter().find_map(|output| match output {
            Output::Notice(notice) => Some(not_changed_because(notice)),
            Output::Dispatch(_)
            | Output::Orders(_)
            | Output::ReadBack(_)
            | Output::Keep(_)
            | Output::Metered(_)
            | Output::Alarm(_)
            | Output::Estate(_) => None,
        });
        Answer::Refused(
            refused.unwrap_or_else(|| "the engine did not take it".to_owned()),
        )
    }

    /// Ends the run on purpose.
    pub async fn stop(&self, by: By) -> Answer {
        let by = Person { name: by.name, role: by.role };
        match self.mailbox.send(Happened::Stop(Some(by))).await {
            Ok(()) => Answer::UnderWay(
                "the run ends; machines fall to their fail-safe levels when their leases \
                 end"
                .to_owned(),
            ),
            Err(_) => Answer::Failed(Failed::Ends),
        }
    }
}

/// Why a changed site file was not taken.
fn not_changed_because(notice: &Notice) -> String {
    if let Notice::ChangeLosesLockOut { load, role } = notice {
        return format!(
            "the file has no load `{load}`, which the role `{role}` has locked out; release \
             it first, or keep the load; the site is decided by as before"
        );
    }
    format!("the site is decided by as before: {notice:?}")
}

fn last_dispatch(outputs: &[Output]) -> Option<&Dispatch> {
    outputs.iter().rev().find_map(|output| match output {
        Output::Dispatch(dispatch) => Some(dispatch),
        Output::Orders(_)
        | Output::ReadBack(_)
        | Output::Keep(_)
        | Output::Metered(_)
        | Output::Notice(_)
        | Output::Alarm(_)
        | Output::Estate(_) => None,
    })
}

/// What the engine said, in words.
fn answer_of(
    outputs: &[Output],
    site: &Site,
    limit_before: Power,
    dry_run: bool,
) -> Answer {
    let mut says = Vec::new();
    for output in outputs {
        match output {
            Output::Notice(Notice::Refused { why }) => {
                return Answer::Refused(why.explain(site));
            }
            Output::Notice(Notice::Accepted(accepted)) => {
                says.push(accepted.explain(site))
            }
            Output::Notice(Notice::WaitsForAnother { programme, name, until }) => {
                let programme =
                    site.programmes.get(*programme).map_or("?", |one| one.name.as_str());
                says.push(format!(
                    "`{name}` is not in force: it would relax a limit, and waits until {until} \
                     for another person to confirm it, with `mw grid confirm DIR --programme \
                     {programme} --name {name}`"
                ));
            }
            Output::Notice(_)
            | Output::Dispatch(_)
            | Output::Orders(_)
            | Output::ReadBack(_)
            | Output::Keep(_)
            | Output::Metered(_)
            | Output::Alarm(_)
            | Output::Estate(_) => {}
        }
    }
    let dispatch = last_dispatch(outputs);
    Answer::Granted(Granted {
        says,
        limit_before,
        limit_after: dispatch.map_or(limit_before, |dispatch| dispatch.import_limit),
        changes: dispatch.map_or(Vec::new(), |dispatch| changes_of(dispatch, site)),
        dry_run,
    })
}

/// The loads that a decision asks something else of than before.
fn changes_of(dispatch: &Dispatch, site: &Site) -> Vec<LoadChange> {
    let moved = dispatch.entries.iter().enumerate().zip(&site.loads);
    moved
        .filter(|((_, entry), _)| entry.from != entry.to)
        .map(|((load, entry), meant)| LoadChange {
            load: meant.name.clone(),
            from: entry.from,
            to: entry.to,
            firm: meant.is_firm(),
            reason: entry.reason.explain(dispatch, site, load),
        })
        .collect()
}

/// The last signed checkpoint in a store.
pub async fn last_checkpoint(
    address: &StoreAddress,
) -> anyhow::Result<Option<serde_json::Value>> {
    let mut store = Store::open(address, Access::Read).await?;
    let last = store.last_checkpoint().await;
    // What was read stands, however the connection ends.
    drop(store.close().await);
    let json = last?.map(|checkpoint| serde_json::from_str(&checkpoint.to_json()));
    json.transpose().context("cannot read back the checkpoint")
}
