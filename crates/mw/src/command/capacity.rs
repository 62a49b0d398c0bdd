//! `mw capacity`: racks brought in, accepted, given to tenants and counted, as files.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use adapters::acceptance::Bundle;
use adapters::store::{Key, PublicKey};
use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use engine::capacity::index::index;
use engine::capacity::{Actor, BlockNo, Event, Phase, TrancheOf, TrayNo};
use serde_json::json;
use settle::facts::Facts;
use units::Timestamp;

use super::Ending;
use super::asking::{Got, RunFolder, is_run};
use super::backtest::print;
use crate::capacity::facts::{lines, of_tenant, recount};
use crate::capacity::grounds::{Claims, Rests, rests};
use crate::capacity::judging::{dropped, judge_racks};
use crate::capacity::own::Own;
use crate::capacity::stake::stakes;
use crate::capacity::{LOG, Record};
use crate::contract_files;
use crate::live::clock::Clock;
use crate::live::control::{Asked, By, Reply};

/// Bring racks in, accept them against a plan, and show who has what, from files.
///
/// A folder holds the record of an estate of GPU racks, the drop folder for test
/// results, and the signed evidence of what was accepted.
#[derive(Debug, Subcommand)]
pub(super) enum Capacity {
    /// Say what there is: racks by phase, what trays wait for, who has what.
    Show(Show),
    /// Add events to the record: JSON lines, all of them or none.
    Add(Add),
    /// Judge racks by their test results, sign the evidence, and record the outcome.
    Accept(Accept),
    /// Say when each tranche will be there, and what its delay costs.
    Forecast(Forecast),
    /// Write the facts that follow from the record, for settling or for a tenant.
    Log(Log),
    /// Count availability again, from the record or from exported facts alone.
    Verify(Verify),
}

/// Say what there is.
#[derive(Debug, Args)]
pub(super) struct Show {
    /// The estate's folder.
    folder: PathBuf,
    /// Only what this tenant has, as the tenant sees it.
    #[arg(long)]
    tenant: Option<String>,
    /// Print as JSON.
    #[arg(long)]
    json: bool,
}

/// Add events to the record.
#[derive(Debug, Args)]
pub(super) struct Add {
    /// The estate's folder; made if it is not there.
    folder: PathBuf,
    /// The events, a JSON object a line; `-` for standard input.
    events: PathBuf,
}

/// Judge racks by their test results.
#[derive(Debug, Args)]
pub(super) struct Accept {
    /// The estate's folder, or the data folder of a run that lives; results lie in
    /// `results/RACK` of either.
    folder: PathBuf,
    /// The acceptance plan.
    #[arg(long, value_name = "FILE")]
    plan: PathBuf,
    /// A rack to judge; may be given several times.
    #[arg(long, value_name = "NAME", required = true)]
    rack: Vec<String>,
    /// Who judges.
    #[arg(long, value_name = "NAME")]
    by: String,
    /// When; now unless said. Not of a run.
    #[arg(long, value_name = "TIME", value_parser = Timestamp::parse)]
    at: Option<Timestamp>,
}

/// Say when each tranche will be there.
#[derive(Debug, Args)]
pub(super) struct Forecast {
    /// The estate's folder.
    folder: PathBuf,
    /// The contract: its file, or a folder with the file of every version.
    #[arg(long, value_name = "FILE")]
    contract: PathBuf,
    /// As seen at this time; now where nothing is said, and never before the last event.
    #[arg(long, value_name = "TIME", value_parser = Timestamp::parse)]
    as_of: Option<Timestamp>,
    /// Print as JSON.
    #[arg(long)]
    json: bool,
}

/// Write the facts that follow from the record.
#[derive(Debug, Args)]
pub(super) struct Log {
    /// The estate's folder.
    folder: PathBuf,
    /// Only what concerns this tenant.
    #[arg(long)]
    tenant: Option<String>,
    /// The site's name in the facts.
    #[arg(long, default_value = "site")]
    site: String,
}

/// Count availability again.
#[derive(Debug, Args)]
pub(super) struct Verify {
    /// The estate's folder, or a file of exported facts.
    what: PathBuf,
    /// Count up to this instant; the last event or fact unless said.
    #[arg(long, value_name = "TIME", value_parser = Timestamp::parse)]
    until: Option<Timestamp>,
    /// The contract: what was replaced in a full tranche of it counts until then.
    #[arg(long, value_name = "FILE")]
    contract: Option<PathBuf>,
    /// Print as JSON.
    #[arg(long)]
    json: bool,
}

/// What a count of availability is of, as a document and as a person is told: what
/// machines did. What is owed for it, a contract's rules say, and `mw settle` counts.
const EVERY_SEAT: (&str, &str) = (
    "every_seat",
    "every seat, also one in whose place another came, and every unit of a block, \
     whatever part of it a contract asks for; `mw settle` counts what is owed",
);

/// The same where the contract's quantities are known.
const UNTIL_REPLACED: (&str, &str) = (
    "every_seat_until_replaced",
    "every seat until another came in its place, and every unit of a block, whatever \
     part of it the contract asks for; `mw settle` counts what is owed",
);

impl Capacity {
    pub(super) fn run(self) -> anyhow::Result<Ending> {
        match self {
            Self::Show(command) => command.run(),
            Self::Add(command) => command.run(),
            Self::Accept(command) => command.run(),
            Self::Forecast(command) => command.run(),
            Self::Log(command) => command.run(),
            Self::Verify(command) => command.run(),
        }
    }
}

impl Show {
    fn run(self) -> anyhow::Result<Ending> {
        let record = Record::open(&self.folder)?;
        let estate = &record.estate;
        let mut seats = index(estate, self.tenant.as_deref());
        if let Some(tenant) = &self.tenant {
            let own = Own::of(estate, tenant);
            for seat in &mut seats {
                seat.id = own.named(&seat.id);
                seat.block = own.block(BlockNo(seat.block));
            }
        }
        let mut tranches: BTreeMap<TrancheOf, u32> = BTreeMap::new();
        for seat in &seats {
            *tranches.entry(seat.tranche.clone()).or_default() += u32::from(seat.gpus);
        }
        let mut phases: BTreeMap<Phase, u32> = BTreeMap::new();
        let mut waits: BTreeMap<String, Vec<String>> = BTreeMap::new();
        if self.tenant.is_none() {
            for place in 0..estate.trays().len() {
                let tray = TrayNo(u32::try_from(place).expect("few trays"));
                let phase = estate.tray(tray).phase;
                *phases.entry(phase).or_default() += 1;
                if let Some(wait) = estate.wait(tray) {
                    let what = format!("{}: {wait}", phase.name());
                    waits.entry(what).or_default().push(estate.slot_name(tray));
                }
            }
        }
        if self.json {
            let availability: Vec<_> = tranches
                .keys()
                .map(|tranche| {
                    let (seconds, (up, of)) = estate.availability(tranche);
                    json!({
                        "tranche": tranche,
                        "gpu_seconds": seconds,
                        "available_gpu_seconds": up,
                        "counted_gpu_seconds": of,
                    })
                })
                .collect();
            let phases: BTreeMap<&str, u32> =
                phases.iter().map(|(phase, trays)| (phase.name(), *trays)).collect();
            let value = json!({
                "as_of": estate.known().to_string(),
                "counted": EVERY_SEAT.0,
                "phases": phases,
                "waits": waits,
                "seats": seats,
                "availability": availability,
            });
            print(&(serde_json::to_string_pretty(&value)? + "\n"))?;
            return Ok(Ending::Well);
        }
        let mut text = format!("as of {}", estate.known());
        if self.tenant.is_none() {
            let _ = write!(text, ", {} events", estate.events());
        }
        text.push('\n');
        if self.tenant.is_none() {
            let racks = estate.racks().len();
            let _ = writeln!(text, "{racks} racks, {} trays", estate.trays().len());
            for (phase, trays) in &phases {
                let _ = writeln!(text, "{trays:>7} {}", phase.name());
            }
            for (what, trays) in &waits {
                let more = match trays.len() {
                    1 => String::new(),
                    count => format!(" and {} more", count - 1),
                };
                let _ = writeln!(text, "{}{more}, {what}", trays[0]);
            }
        }
        for (tranche, gpus) in &tranches {
            let (_, (up, of)) = estate.availability(tranche);
            let _ = writeln!(
                text,
                "{}/{}: {gpus} GPUs, availability to date {}",
                tranche.contract,
                tranche.tranche,
                percent(up, of)
            );
        }
        if !tranches.is_empty() {
            let _ = writeln!(text, "counted: {}", EVERY_SEAT.1);
        }
        let odd = seats.iter().filter(|seat| !seat.healthy || !seat.in_use);
        for seat in odd {
            let _ = writeln!(text, "{}: {}", seat.id, seat.reason);
        }
        print(&text)?;
        Ok(Ending::Well)
    }
}

/// A share in per cent, cut off, so that it never looks better than it is.
fn percent(up: i64, of: i64) -> String {
    if of == 0 {
        return "not counted yet".to_owned();
    }
    let parts = i128::from(up) * 1_000_000 / i128::from(of);
    format!("{}.{:04} %", parts / 10_000, parts % 10_000)
}

impl Add {
    fn run(self) -> anyhow::Result<Ending> {
        let mut text = String::new();
        if self.events.as_os_str() == "-" {
            std::io::stdin()
                .read_to_string(&mut text)
                .context("cannot read standard input")?;
        } else {
            text = std::fs::read_to_string(&self.events)
                .with_context(|| format!("cannot read {}", self.events.display()))?;
        }
        let now = Clock::wall().now();
        let mut events: Vec<Event> = Vec::new();
        let mut lines: Vec<usize> = Vec::new();
        for (place, line) in text.lines().enumerate() {
            if line.trim().is_empty() {
                continue;
            }
            let at = || format!("{}, line {}", self.events.display(), place + 1);
            let event: Event = serde_json::from_str(line)
                .with_context(|| format!("{}: expected an event", at()))?;
            if event.at > now {
                bail!(
                    "{}: expected an event by {now}, found one of {}; what is recorded \
                     for later would keep out all that comes before it",
                    at(),
                    event.at
                );
            }
            events.push(event);
            lines.push(place + 1);
        }
        if events.is_empty() {
            bail!("{}: expected an event, found none", self.events.display());
        }
        let mut record = Record::open_to_add(&self.folder)?;
        let before = record.notices.len();
        let file = self.events.display();
        record.add(&events, &|number| format!("{file}, line {}", lines[number]))?;
        let mut text = format!(
            "{} {} added; {} in the record\n",
            events.len(),
            if events.len() == 1 { "event" } else { "events" },
            record.estate.events()
        );
        for notice in &record.notices[before..] {
            let _ = writeln!(text, "{notice}");
        }
        print(&text)?;
        Ok(Ending::Well)
    }
}

impl Accept {
    fn run(self) -> anyhow::Result<Ending> {
        let plan_text = std::fs::read_to_string(&self.plan)
            .with_context(|| format!("cannot read {}", self.plan.display()))?;
        let distinct: BTreeSet<String> = self.rack.iter().cloned().collect();
        let racks: Vec<String> = distinct.into_iter().collect();
        if !self.folder.join(LOG).is_file() && is_run(&self.folder) {
            return self.ask_run(&plan_text, &racks);
        }
        let mut record = Record::open_to_go_on(&self.folder)?;
        let now = Clock::wall().now();
        let at = self.at.unwrap_or(now);
        if at > now {
            bail!("expected a time by {now}, found {at}");
        }
        let found = dropped(&self.folder, &racks)?;
        let key = Key::load_or_create(&self.folder.join("key"))?;
        let plan_file = self.plan.display().to_string();
        let plan = (plan_file.as_str(), plan_text.as_str());
        let judged = judge_racks(&record.estate, plan, found, at, &key)?;
        // The evidence is there before anything rests on it.
        let path = judged.keep(&self.folder)?;
        let events: Vec<Event> = judged
            .bodies
            .iter()
            .map(|body| Event {
                at,
                by: Actor::Operator(self.by.clone()),
                body: body.clone(),
            })
            .collect();
        record.add(&events, &|number| racks[number].clone())?;
        let mut text = judged.text();
        let _ = writeln!(text, "evidence {}\nsigned by {}", path.display(), key.public());
        print(&text)?;
        Ok(if judged.is_good() { Ending::Well } else { Ending::NotPassed })
    }

    /// Has a living run judge what lies in its own drop folder.
    fn ask_run(&self, plan: &str, racks: &[String]) -> anyhow::Result<Ending> {
        if self.at.is_some() {
            bail!("expected no --at: a run judges in its own time");
        }
        let run = RunFolder { folder: self.folder.clone(), json: false };
        let mut ending = Ending::Well;
        for rack in racks {
            let by = By { name: self.by.clone(), role: "operator".to_owned() };
            let (rack, plan) = (rack.clone(), plan.to_owned());
            match run.ask(&Asked::Judge { by, rack, plan })? {
                Got::Ended(ended) => return Ok(ended),
                Got::Reply(Reply::Judged { says, passed, evidence }) => {
                    let says: String =
                        says.iter().map(|line| format!("{line}\n")).collect();
                    print(&format!("{says}evidence {evidence}\n"))?;
                    if !passed {
                        ending = Ending::NotPassed;
                    }
                }
                Got::Reply(Reply::Refused { why }) => {
                    eprintln!("refused: {why}");
                    return Ok(Ending::Refused);
                }
                Got::Reply(other) => bail!("expected a verdict, found {other:?}"),
            }
        }
        Ok(ending)
    }
}

impl Forecast {
    fn run(self) -> anyhow::Result<Ending> {
        let record = Record::open(&self.folder)?;
        let versions = contract_files::versions(&self.contract)?;
        let facts = lines(&record.facts, "site");
        let now = self.as_of.unwrap_or_else(|| Clock::wall().now());
        let now = now.max(record.estate.known());
        let stakes = stakes(&record.estate, &facts, &versions, now)?;
        if self.json {
            let value: Vec<_> = stakes.iter().map(|stake| stake.document(true)).collect();
            print(&(serde_json::to_string_pretty(&value)? + "\n"))?;
            return Ok(Ending::Well);
        }
        let mut text = format!("as of {now}\n");
        for stake in &stakes {
            let done = stake.gpus - stake.forecast.left;
            let _ = writeln!(
                text,
                "{}: {done} of {} GPUs accepted, due {}",
                stake.tranche, stake.gpus, stake.delivery
            );
            if let Some(at) = stake.long_stop {
                let _ = writeln!(text, "  a right to end it from {at}");
            }
            match stake.forecast.complete() {
                Some((likely, cautious)) => {
                    let _ = writeln!(
                        text,
                        "  complete likely {likely}, cautiously {cautious}"
                    );
                }
                None if stake.forecast.left == 0 => text += "  complete\n",
                None => {
                    let _ = writeln!(
                        text,
                        "  no rack with a date for {} GPUs",
                        stake.forecast.without
                    );
                }
            }
            for rack in &stake.forecast.racks {
                let _ = writeln!(
                    text,
                    "  {}: {} GPUs, {}, likely {}",
                    rack.rack, rack.gpus, rack.phase, rack.likely
                );
            }
            let _ = write!(text, "  delay credits {}", stake.credits_now);
            if let (Some(likely), Some(cautious)) =
                (stake.credits_likely, stake.credits_cautious)
            {
                let least = if stake.forecast.without > 0 { ", at least" } else { "," };
                let _ = write!(text, "{least} likely {likely}, cautiously {cautious}");
            }
            text.push('\n');
        }
        print(&text)?;
        Ok(Ending::Well)
    }
}

impl Log {
    fn run(self) -> anyhow::Result<Ending> {
        let record = Record::open(&self.folder)?;
        let facts = of_tenant(&record.estate, &record.facts, self.tenant.as_deref());
        print(&lines(&facts, &self.site))?;
        Ok(Ending::Well)
    }
}

impl Verify {
    fn run(self) -> anyhow::Result<Ending> {
        if self.what.is_dir() {
            // Says what a folder is that is none of an estate.
            drop(Record::open(&self.what)?);
        }
        let is_estate = self.what.join(LOG).is_file();
        let mut grounds = Rests::default();
        let (facts, estate) = match is_estate {
            true => {
                let record = Record::open(&self.what)?;
                let facts = Facts::read(&lines(&record.facts, "site"))?;
                let mut claims = Claims::default();
                record.events.iter().for_each(|event| claims.take(event));
                grounds = rests(&record.estate, &claims, &self.what);
                (facts, Some(record.estate))
            }
            false => (contract_files::facts(&self.what)?, None),
        };
        let last = facts.all().last().map(|fact| fact.known_at);
        let last = estate.as_ref().map(|estate| estate.known()).or(last);
        let Some(until) = self.until.or(last) else {
            bail!("{}: expected at least one fact, found none", self.what.display());
        };
        let versions = self.contract.as_deref().map(contract_files::versions);
        let versions = versions.transpose()?;
        let contract = versions.as_ref().and_then(|versions| versions.all().last());
        let counted = recount(&facts, contract, until);
        let counts = if contract.is_some() { UNTIL_REPLACED } else { EVERY_SEAT };
        let mut differs = grounds.wrong.clone();
        if let Some(estate) = estate.as_ref().filter(|estate| until == estate.known()) {
            // The estate does not know what is full.
            let beside = recount(&facts, None, until);
            let mut kept: BTreeMap<&str, (i64, i64)> = BTreeMap::new();
            let names: BTreeSet<&TrancheOf> =
                estate.blocks().iter().map(|block| &block.tranche).collect();
            for tranche in names {
                let (_, (up, of)) = estate.availability(tranche);
                let sum = kept.entry(&tranche.tranche).or_default();
                *sum = (sum.0 + up, sum.1 + of);
            }
            for (tranche, kept) in kept {
                let again = beside.get(tranche).map_or((0, 0), |one| one.availability());
                if again != kept {
                    differs.push(format!(
                        "{tranche}: expected {} of {} GPU-seconds, found {} of {}",
                        kept.0, kept.1, again.0, again.1
                    ));
                }
            }
        }
        if self.json {
            let tranches: BTreeMap<&String, _> = counted
                .iter()
                .map(|(tranche, one)| {
                    let (up, of) = one.availability();
                    let value = json!({
                        "gpu_seconds": one.by_state,
                        "available_gpu_seconds": up,
                        "counted_gpu_seconds": of,
                    });
                    (tranche, value)
                })
                .collect();
            let value = json!({
                "until": until.to_string(),
                "counted": counts.0,
                "tranches": tranches,
                "differs": differs,
                "acceptance": grounds.document(),
            });
            print(&(serde_json::to_string_pretty(&value)? + "\n"))?;
        } else {
            let mut text = format!("up to {until}\n");
            for (tranche, one) in &counted {
                let (up, of) = one.availability();
                let _ = writeln!(text, "{tranche}: availability {}", percent(up, of));
                for (state, seconds) in &one.by_state {
                    let _ = writeln!(text, "{seconds:>16} GPU-seconds {state}");
                }
            }
            let _ = writeln!(text, "counted: {}", counts.1);
            for line in grounds.lines() {
                let _ = writeln!(text, "{line}");
            }
            for one in &differs {
                let _ = writeln!(text, "differs: {one}");
            }
            print(&text)?;
        }
        Ok(if differs.is_empty() { Ending::Well } else { Ending::Differs })
    }
}

/// Whether a file says that it is an acceptance bundle.
pub(super) fn is_bundle(path: &Path) -> bool {
    let mut start = [0; 24];
    let read = std::fs::File::open(path).and_then(|mut file| file.read(&mut start));
    read.is_ok() && start.starts_with(b"{\"megawatt_acceptance\":")
}

/// Checks an acceptance bundle: its signature, and every verdict again.
pub(super) fn verify_bundle(
    path: &Path,
    key: Option<&PublicKey>,
    as_json: bool,
) -> anyhow::Result<Ending> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read {}", path.display()))?;
    let bundle = Bundle::parse(&text).with_context(|| path.display().to_string())?;
    let signer = bundle.key();
    let found = bundle.verify(key.unwrap_or(&signer));
    let racks = found.as_ref().map_or(&[][..], |evidence| &evidence.racks);
    let passed: Vec<(&str, u32, usize)> = racks
        .iter()
        .map(|rack| {
            let passed = rack.verdict.passed.count_ones();
            (rack.rack.as_str(), passed, rack.subject.slots.len())
        })
        .collect();
    let wrong = found.as_ref().err().map(ToString::to_string);
    if as_json {
        let value = json!({
            "bundle": bundle.hash(),
            "public_key": signer.to_string(),
            "key_was_given": key.is_some(),
            "racks": passed.iter().map(|(rack, passed, of)| json!({
                "rack": rack, "passed": passed, "judged": of,
            })).collect::<Vec<_>>(),
            "wrong": wrong,
        });
        print(&(serde_json::to_string_pretty(&value)? + "\n"))?;
    } else {
        let mut text = format!("acceptance {}\nsigned by {signer}\n", bundle.hash());
        if key.is_none() {
            text +=
                "compare that key with one you have from the site, or give it: --key\n";
        }
        for (rack, passed, of) in &passed {
            let _ = writeln!(text, "{rack}: {passed} of {of} trays passed, judged again");
        }
        if let Some(wrong) = &wrong {
            let _ = writeln!(text, "wrong: {wrong}");
        }
        print(&text)?;
    }
    Ok(if wrong.is_none() { Ending::Well } else { Ending::Differs })
}
