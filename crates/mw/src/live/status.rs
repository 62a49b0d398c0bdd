//! What others may look at: the board that a live run keeps up to date.
//!
//! The loop shows how things stand once a turn and says what came out of the
//! engine; whoever looks gets a copy and never waits for the loop.

mod document;
mod tally;
pub mod text;

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use adapters::store::StoreError;
use engine::capacity::Estate;
use engine::site::{FailSafe, LoadIx, LoadKind, ProgrammeIx};
use engine::state::{Crew, Lapse, Standing};
use engine::{
    Ask, Dispatch, Engine, Notice, Output, Request, Setpoint, Site, Source, State,
};
use tokio::sync::oneshot;
use units::{EnergyPrice, Interval, Seconds, Timestamp};

use super::log;
pub use document::{
    AlarmStatus, ByHandStatus, CapacityStatus, Counts, DecisionStatus, EventStatus,
    FORMAT, FeedStatus, InstructionStatus, JournalStatus, LimitStatus, LoadStatus,
    MachineCounts, MachineStatus, PowerStatus, ProgrammeStatus, SourceStatus, Status,
    WaitingStatus,
};
pub use tally::{Buckets, Tally};

/// A loop that has not come round for so long is not healthy. It comes round every
/// few seconds by itself.
const ROUND_WITHIN: Duration = Duration::from_secs(15);

/// The board of a live run. Clones are the same board.
#[derive(Clone, Debug, Default)]
pub struct Board {
    shared: Arc<Mutex<Shared>>,
}

#[derive(Debug, Default)]
struct Shared {
    site: Option<Arc<Site>>,
    estate: Option<Arc<Estate>>,
    status: Option<Arc<Status>>,
    dispatch: Option<Dispatch>,
    /// The reasons of that dispatch, a line a load.
    reasons: Vec<String>,
    silent_since: Vec<Option<Timestamp>>,
    journal: JournalStatus,
    tally: Tally,
    came_round: Option<Instant>,
    gathered: Option<Instant>,
    wanted: Vec<Wanted>,
    waiting: Vec<Waiting>,
    feeds: Vec<FeedStatus>,
    /// What prices are expected, and since which decision.
    ahead: Arc<Vec<Ahead>>,
    ahead_of: Option<u64>,
}

/// A price that is expected of a quarter of an hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ahead {
    /// When the quarter begins.
    pub start: Timestamp,
    /// The price of energy, adders apart.
    pub price: EnergyPrice,
    /// Whose word it is.
    pub source: Source,
    /// When what it rests on was known.
    pub known_at: Timestamp,
}

/// How long a quarter is that a price is expected of.
const QUARTER: Seconds = Seconds::minutes(15);

/// How many quarters ahead are shown: a day.
const QUARTERS_AHEAD: i64 = 96;

/// What waits for a second person.
#[derive(Debug)]
struct Waiting {
    programme: ProgrammeIx,
    name: String,
    until: Timestamp,
}

/// Somebody wants to see the machines of a load.
#[derive(Debug)]
struct Wanted {
    load: LoadIx,
    answer: oneshot::Sender<Vec<MachineStatus>>,
}

impl Board {
    /// Shows how things stand after a turn of the loop.
    pub fn show(&self, engine: &Engine, now: Timestamp, seq: u64) {
        let mut shared = self.shared();
        let state = engine.state();
        shared.keep_site(&state.site);
        shared.keep_estate(engine.estate());
        shared.note_silence(state, now);
        shared.journal.seq = seq;
        shared.tally.turns += 1;
        shared.look_ahead(state, now);
        let status = shared.status_of(engine, now);
        shared.status = Some(Arc::new(status));
        shared.came_round = Some(Instant::now());
        if let Some(gathered) = shared.gathered.take() {
            shared.tally.turn.add(gathered.elapsed());
        }
        for wanted in std::mem::take(&mut shared.wanted) {
            let crew = state.fleet.crew(wanted.load);
            // Whoever asked may have left.
            drop(wanted.answer.send(crew.map(machines_of).unwrap_or_default()));
        }
    }

    /// The loop has gathered what happened, and begins to work on it.
    pub fn gathered(&self) {
        self.shared().gathered = Some(Instant::now());
    }

    /// The engine took a step that decided, in so long.
    pub fn decided_in(&self, spent: Duration) {
        self.shared().tally.decision.add(spent);
    }

    /// Something came out of the engine.
    pub fn happened(&self, output: &Output) {
        log::said(output);
        let mut shared = self.shared();
        shared.tally.count(output);
        match output {
            Output::Dispatch(dispatch) => {
                shared.dispatch = Some(dispatch.clone());
                shared.reasons.clear();
            }
            Output::Notice(notice) => shared.note_waiting(notice),
            Output::Orders(_)
            | Output::ReadBack(_)
            | Output::Keep(_)
            | Output::Metered(_)
            | Output::Alarm(_)
            | Output::Estate(_) => {}
        }
    }

    /// A grid feed was asked, and how it stands.
    pub fn feed(&self, status: FeedStatus) {
        let feeds = &mut self.shared().feeds;
        match feeds.binary_search_by(|one| one.programme.cmp(&status.programme)) {
            Ok(at) => feeds[at] = status,
            Err(at) => feeds.insert(at, status),
        }
    }

    /// The journal cannot be written.
    pub fn journal_failed(&self, error: &StoreError) {
        let mut shared = self.shared();
        let at = shared.status.as_ref().map(|status| status.at);
        let journal = &mut shared.journal;
        journal.failing_because = Some(error.to_string());
        journal.failing_since = journal.failing_since.or(at);
        shared.came_round = Some(Instant::now());
        shared.tell_journal();
    }

    /// It can be written again.
    pub fn journal_back(&self) {
        let mut shared = self.shared();
        shared.journal.failing_since = None;
        shared.journal.failing_because = None;
        shared.tell_journal();
    }

    /// An alarm message was delivered, or given up.
    pub fn told(&self, delivered: bool) {
        let mut shared = self.shared();
        let counts = &mut shared.tally;
        match delivered {
            true => counts.alarms_delivered += 1,
            false => counts.alarms_given_up += 1,
        }
    }

    /// How things stood after the last turn; nothing before the first.
    pub fn status(&self) -> Option<Arc<Status>> {
        self.shared().status.clone()
    }

    /// The site as the run knows it; nothing before the first turn.
    pub fn site(&self) -> Option<Arc<Site>> {
        self.shared().site.clone()
    }

    /// The site's racks and who has them; nothing where none were ever told of.
    pub fn estate(&self) -> Option<Arc<Estate>> {
        self.shared().estate.clone()
    }

    /// What prices are expected of the next day, as of the last decision.
    pub fn ahead(&self) -> Arc<Vec<Ahead>> {
        Arc::clone(&self.shared().ahead)
    }

    /// Counts and times since the process was started.
    pub fn tally(&self) -> Tally {
        self.shared().tally.clone()
    }

    /// Asks for the machines of a load, as they stand after the next turn.
    pub fn machines(&self, load: LoadIx) -> oneshot::Receiver<Vec<MachineStatus>> {
        let (answer, receiver) = oneshot::channel();
        self.shared().wanted.push(Wanted { load, answer });
        receiver
    }

    /// What is wrong with the run itself, if something is.
    pub fn trouble(&self) -> Option<String> {
        let shared = self.shared();
        if let Some(because) = &shared.journal.failing_because {
            return Some(format!("the journal cannot be written: {because}"));
        }
        match shared.came_round {
            None => Some("the loop has not come round yet".to_owned()),
            Some(at) if at.elapsed() > ROUND_WITHIN => {
                let seconds = at.elapsed().as_secs();
                Some(format!("the loop has not come round for {seconds} s"))
            }
            Some(_) => None,
        }
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().expect("whoever held the board let it go whole")
    }
}

impl Shared {
    /// Keeps the site in step with the engine's.
    fn keep_site(&mut self, site: &Site) {
        if self.site.as_deref() == Some(site) {
            return;
        }
        let before = self.site.replace(Arc::new(site.clone()));
        self.silent_since = vec![None; site.loads.len()];
        if before.is_some() {
            // What was decided about another site has other loads.
            self.dispatch = None;
            self.reasons.clear();
        }
    }

    /// Keeps the estate in step with the engine's, where one is and has changed.
    fn keep_estate(&mut self, estate: Option<&Estate>) {
        let Some(estate) = estate else { return };
        if self.estate.as_ref().is_none_or(|kept| kept.events() != estate.events()) {
            self.estate = Some(Arc::new(estate.clone()));
        }
    }

    /// Keeps what prices are expected, anew with each decision.
    fn look_ahead(&mut self, state: &State, now: Timestamp) {
        let generation = self.dispatch.as_ref().map(|dispatch| dispatch.generation);
        if generation == self.ahead_of {
            return;
        }
        self.ahead_of = generation;
        let first = now.floor(QUARTER);
        let starts = (0..QUARTERS_AHEAD)
            .map(|quarter| first + Seconds::from_seconds(quarter * QUARTER.as_seconds()));
        let ahead = starts.filter_map(|start| {
            let expected = state.expected(start)?;
            let (price, source) = (expected.price, expected.source);
            Some(Ahead { start, price, source, known_at: expected.known_at })
        });
        self.ahead = Arc::new(ahead.collect());
    }

    /// Keeps in step with what waits for a second person.
    fn note_waiting(&mut self, notice: &Notice) {
        let about = match notice {
            Notice::WaitsForAnother { programme, name, .. }
            | Notice::Lapsed(Lapse::NotConfirmed { programme, name }) => {
                (programme, name)
            }
            Notice::Accepted(accepted) => match &accepted.request {
                Request::Confirm { programme, name } => (programme, name),
                Request::LockOut(_)
                | Request::Release { .. }
                | Request::Maintain(_)
                | Request::EndMaintenance { .. }
                | Request::Hold(_)
                | Request::EndHold(_)
                | Request::Instruct(_)
                | Request::Acknowledge { .. } => return,
            },
            Notice::Lapsed(Lapse::LinkLost(_))
            | Notice::FromTheFuture { .. }
            | Notice::MeteredAlready { .. }
            | Notice::NotUsed { .. }
            | Notice::DrawNotBelieved { .. }
            | Notice::DrawUnknown
            | Notice::Refused { .. }
            | Notice::ChangeLosesLockOut { .. }
            | Notice::EstateRefused { .. } => return,
        };
        let (programme, name) = about;
        self.waiting.retain(|one| one.programme != *programme || one.name != *name);
        if let Notice::WaitsForAnother { until, .. } = notice {
            let (programme, name, until) = (*programme, name.clone(), *until);
            self.waiting.push(Waiting { programme, name, until });
        }
    }

    fn note_silence(&mut self, state: &State, now: Timestamp) {
        for (load, since) in self.silent_since.iter_mut().enumerate() {
            let is_silent =
                state.fleet.crew(load).is_some_and(|crew| crew.sums().silent > 0);
            *since = is_silent.then(|| since.unwrap_or(now));
        }
    }

    /// The journal fails between turns: what is shown says so at once.
    fn tell_journal(&mut self) {
        if let Some(status) = &self.status {
            let status = Status { journal: self.journal.clone(), ..(**status).clone() };
            self.status = Some(Arc::new(status));
        }
    }

    fn status_of(&mut self, engine: &Engine, now: Timestamp) -> Status {
        let state = engine.state();
        let site = &state.site;
        let dispatch =
            self.dispatch.as_ref().filter(|d| d.entries.len() == site.loads.len());
        if let (Some(dispatch), true) = (dispatch, self.reasons.is_empty()) {
            let entries = dispatch.entries.iter().enumerate();
            self.reasons = entries
                .map(|(load, entry)| entry.reason.explain(dispatch, site, load))
                .collect();
        }
        let limits = limits(state, now);
        Status {
            format: FORMAT,
            program: format!("mw {}", env!("CARGO_PKG_VERSION")),
            pid: std::process::id(),
            site: site.name.clone(),
            at: now,
            journal: self.journal.clone(),
            decision: dispatch.map(decision),
            power: power(state, &limits),
            limits,
            loads: (0..site.loads.len())
                .map(|load| {
                    let reason = self.reasons.get(load).cloned();
                    let silent_since = self.silent_since[load];
                    let asked = dispatch.map(|dispatch| dispatch.entries[load].to);
                    LoadStatus { asked, reason, silent_since, ..self::load(state, load) }
                })
                .collect(),
            programmes: programmes(state, now),
            feeds: self.feeds.clone(),
            instructions: instructions(state, now),
            waiting: self
                .waiting
                .iter()
                .filter(|one| now < one.until)
                .map(|one| WaitingStatus {
                    programme: programme_name(site, one.programme).to_owned(),
                    name: one.name.clone(),
                    until: one.until,
                })
                .collect(),
            by_hand: by_hand(state, now),
            alarms: alarms(engine),
            sources: sources(state, dispatch, now),
            counts: self.tally.counts(),
        }
    }
}

fn decision(dispatch: &Dispatch) -> DecisionStatus {
    let price = dispatch.price.map(|used| used.known);
    DecisionStatus {
        generation: dispatch.generation,
        start: dispatch.interval.start,
        end: dispatch.interval.end,
        emergency: dispatch.emergency,
        asked: dispatch.net(),
        price_usd_per_mwh: price.map(|price| price.value.to_usd_per_mwh_text(2)),
        price_source: price.map(|price| price.source.to_string()),
    }
}

fn power(state: &State, limits: &[LimitStatus]) -> PowerStatus {
    let believed = state.believed();
    let unexplained = state.residual.beyond();
    let worst = believed.most + unexplained;
    let tightest = limits.iter().find(|limit| !limit.best_effort);
    let tightest = tightest.expect("the site's own limit is always there");
    PowerStatus {
        draw: state.residual.draw(),
        meter_silent_since: state.residual.lost_since(),
        unexplained,
        ordered: believed.ordered,
        least: believed.least,
        worst,
        import_limit: tightest.level,
        import_limit_by: tightest.by.clone(),
        headroom: tightest.level - worst,
    }
}

/// Every limit that holds at `now`, tightest first.
fn limits(state: &State, now: Timestamp) -> Vec<LimitStatus> {
    let site = &state.site;
    let own = LimitStatus {
        level: site.interconnection.import_limit,
        by: "the interconnection".to_owned(),
        until: None,
        best_effort: false,
    };
    let asked = state.obligations.instructions(now).filter_map(|one| {
        let level = one.ask.cap()?;
        one.during.contains(now).then(|| LimitStatus {
            level,
            by: format!("{} `{}`", programme_name(site, one.programme), one.name),
            until: Some(one.during.end),
            best_effort: one.best_effort,
        })
    });
    let lost = site.programmes.iter().enumerate().filter_map(|(ix, programme)| {
        state.obligations.lost_since(ix)?;
        match programme.fail_safe {
            FailSafe::Hold => None,
            FailSafe::Limit(level) => Some(LimitStatus {
                level,
                by: format!("the lost link of {}", programme.name),
                until: None,
                best_effort: false,
            }),
        }
    });
    let mut limits: Vec<_> = [own].into_iter().chain(asked).chain(lost).collect();
    limits.sort_by_key(|limit| limit.level);
    limits
}

fn load(state: &State, load: LoadIx) -> LoadStatus {
    let belief = state.fleet.of(load);
    let power_of = |setpoint| state.power_now(load, setpoint);
    let meant = &state.site.loads[load];
    let (kind, model) = match &meant.kind {
        LoadKind::Rigs(rigs) => ("rigs", Some(rigs.model.clone())),
        LoadKind::Racks(racks) => ("racks", Some(racks.model.clone())),
        LoadKind::Battery(_) => ("battery", None),
    };
    LoadStatus {
        name: meant.name.clone(),
        kind: kind.to_owned(),
        model,
        firm: meant.is_firm(),
        asked: None,
        reason: None,
        ordered: power_of(belief.ordered),
        least: belief.draw_at_least(power_of),
        most: belief.draw_at_most(power_of),
        machines: state.fleet.crew(load).map(counts_of),
        capacity: capacity(state, load),
        silent_since: None,
    }
}

/// The GPUs of racks, those under contract, and those that are served for sure.
fn capacity(state: &State, load: LoadIx) -> Option<CapacityStatus> {
    let LoadKind::Racks(racks) = &state.site.loads[load].kind else { return None };
    let running = match state.fleet.of(load).at_least {
        Setpoint::Level(level) => racks.machines.running(level),
        Setpoint::Power(_) => 0,
    };
    // A rack that answers nobody may serve or not: it is not counted on.
    let unsure = state.fleet.crew(load).map_or(0, |crew| {
        let sums = crew.sums();
        sums.silent + sums.defiant
    });
    let gpus = |racks_of: u32| racks_of * racks.gpus_per_rack;
    let all = gpus(racks.machines.count);
    Some(CapacityStatus {
        gpus: all,
        committed_gpus: if state.site.loads[load].is_firm() { all } else { 0 },
        delivered_gpus: gpus(running.min(racks.machines.count.saturating_sub(unsure))),
    })
}

fn counts_of(crew: &Crew) -> MachineCounts {
    let sums = crew.sums();
    let count = u32::try_from(crew.machines().len()).unwrap_or(u32::MAX);
    MachineCounts {
        count,
        in_hand: count.saturating_sub(sums.silent + sums.defiant),
        silent: sums.silent,
        defiant: sums.defiant,
        unanswered: sums.unanswered,
        unseen: sums.unseen,
        locked_out: sums.locked_out,
        locked_out_running: sums.locked_out_running,
    }
}

fn machines_of(crew: &Crew) -> Vec<MachineStatus> {
    (0_u32..)
        .zip(crew.machines())
        .map(|(number, machine)| MachineStatus {
            machine: number,
            standing: match machine.standing {
                Standing::InHand => "in_hand",
                Standing::Silent => "silent",
                Standing::Defiant => "defiant",
            }
            .to_owned(),
            ordered_point: machine.ordered,
            most_point: machine.most.max(machine.ordered),
            seen_draw_w: machine.last_draw().as_watts(),
            unanswered: machine.unanswered,
            unseen: machine.unseen,
            locked_out: machine.locked_out,
            in_maintenance: machine.in_maintenance,
        })
        .collect()
}

fn programmes(state: &State, now: Timestamp) -> Vec<ProgrammeStatus> {
    let instant = Interval::starting(now, Seconds::from_seconds(1));
    let tripped = state.obligations.in_force(&state.site, instant).tripped;
    state
        .site
        .programmes
        .iter()
        .enumerate()
        .map(|(ix, programme)| ProgrammeStatus {
            name: programme.name.clone(),
            silent_after_seconds: programme.silent_after.map(Seconds::as_seconds),
            lost_since: state.obligations.lost_since(ix),
            fail_safe: match programme.fail_safe {
                FailSafe::Hold => "hold what was asked last".to_owned(),
                FailSafe::Limit(level) => format!("draw no more than {level}"),
            },
            tripped: tripped.contains(&ix),
        })
        .collect()
}

fn instructions(state: &State, now: Timestamp) -> Vec<InstructionStatus> {
    state
        .obligations
        .instructions(now)
        .map(|one| InstructionStatus {
            programme: programme_name(&state.site, one.programme).to_owned(),
            name: one.name.clone(),
            ask: ask_word(&one.ask).to_owned(),
            level: one.ask.level(),
            start: one.during.start,
            end: one.during.end,
            known_at: one.known_at,
            best_effort: one.best_effort,
        })
        .collect()
}

/// The word that stands for what an instruction asks.
pub fn ask_word(ask: &Ask) -> &'static str {
    match ask {
        Ask::Limit(_) => "limit",
        Ask::DispatchTo(_) => "dispatch",
        Ask::BasePoint(_) => "base_point",
        Ask::Arm(_) => "arm",
        Ask::Disarm => "disarm",
        Ask::Trip => "trip",
        Ask::Restore => "restore",
        Ask::Test(_) => "test",
        Ask::Price(_) => "price",
        Ask::Withdraw => "withdraw",
    }
}

fn programme_name(site: &Site, programme: usize) -> &str {
    site.programmes.get(programme).map_or("?", |programme| programme.name.as_str())
}

fn by_hand(state: &State, now: Timestamp) -> Vec<ByHandStatus> {
    let site = &state.site;
    let name = |load: LoadIx| site.loads.get(load).map_or("?", |l| l.name.as_str());
    let lock_outs =
        state.lock_outs.iter().filter(|one| one.is_on(now)).map(|one| ByHandStatus {
            kind: "lock_out".to_owned(),
            load: name(one.load).to_owned(),
            machines: one.machines.as_ref().map(ToString::to_string),
            level: None,
            role: one.role.clone(),
            reason: one.reason.clone(),
            since: one.during.start,
            until: one.during.end,
            until_released: one.until_released,
        });
    let out_of_service = state.maintenances.iter().filter(|one| one.during.contains(now));
    let maintenances = out_of_service.map(|one| ByHandStatus {
        kind: "maintenance".to_owned(),
        load: name(one.load).to_owned(),
        machines: one.machines.as_ref().map(ToString::to_string),
        level: None,
        role: one.role.clone(),
        reason: one.reason.clone(),
        since: one.during.start,
        until: one.during.end,
        until_released: false,
    });
    let held = state.holds.iter().filter(|one| one.during.contains(now));
    let holds = held.map(|one| ByHandStatus {
        kind: "hold".to_owned(),
        load: name(one.load).to_owned(),
        machines: None,
        level: Some(one.power),
        role: one.role.clone(),
        reason: one.reason.clone(),
        since: one.during.start,
        until: one.during.end,
        until_released: false,
    });
    lock_outs.chain(maintenances).chain(holds).collect()
}

/// Alarms that stand, most urgent first.
fn alarms(engine: &Engine) -> Vec<AlarmStatus> {
    let standing = engine.alarms().standing();
    standing
        .into_iter()
        .map(|alarm| AlarmStatus {
            id: alarm.id.0,
            urgency: alarm.urgency.to_string(),
            since: alarm.since,
            level: alarm.level,
            headline: alarm.headline(),
            body: alarm.body(),
            acknowledged_by: alarm
                .acknowledged
                .as_ref()
                .map(|by| format!("{} ({})", by.name, by.role)),
        })
        .collect()
}

fn sources(
    state: &State,
    dispatch: Option<&Dispatch>,
    now: Timestamp,
) -> Vec<SourceStatus> {
    let source = |name: &str, known_at: Option<Timestamp>| SourceStatus {
        source: name.to_owned(),
        known_at,
        age_seconds: known_at.map(|at| (now - at).as_seconds()),
    };
    let price = dispatch.and_then(|dispatch| dispatch.price).map(|used| used.known);
    vec![
        source("price", price.map(|price| price.known_at)),
        source("hashprice", state.hashprice.map(|known| known.known_at)),
    ]
}
