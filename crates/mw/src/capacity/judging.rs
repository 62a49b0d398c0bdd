//! Trays in burn-in judged by what their tools wrote, the evidence signed and kept, and
//! what goes into the record for it: the same from files, over the socket and by HTTP.
//!
//! Invariant: the evidence is on the disk before anything rests on it.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use adapters::acceptance::bundle::RackEvidence;
use adapters::acceptance::{Bundle, Dropped, Evidence, files, read_plan, read_results};
use adapters::store::Key;
use anyhow::{Context, bail};
use engine::capacity::acceptance::{Check, Subject, judge};
use engine::capacity::{Body, Estate, Phase, RackNo};
use units::Timestamp;

/// The folder in which tools leave what they wrote, a folder for each rack.
pub const RESULTS: &str = "results";

/// The folder of signed evidence, by its hash.
pub const BUNDLES: &str = "bundles";

/// Failures of a rack that are listed; the rest are counted.
const LISTED_MAX: usize = 100;

/// What came of it.
#[derive(Clone, Debug)]
pub struct Judged {
    /// The evidence, signed.
    pub bundle: Bundle,
    /// What is in it.
    pub evidence: Evidence,
    /// What goes into the record, a rack each.
    pub bodies: Vec<Body>,
    /// What was passed by, by rack.
    pub notes: Vec<String>,
}

/// A rack and what its tools wrote.
pub type OfRack = (String, Dropped);

/// What lies in a folder's drop folder of some racks.
///
/// # Errors
///
/// When a rack has no folder there, or it cannot be read.
pub fn dropped(folder: &Path, racks: &[String]) -> anyhow::Result<Vec<OfRack>> {
    let mut all = Vec::new();
    for rack in racks {
        if rack.is_empty() || rack.contains(['/', '\\']) || rack.starts_with('.') {
            bail!("expected the name of a rack, found `{}`", rack.escape_debug());
        }
        let folder = folder.join(RESULTS).join(rack);
        if !folder.is_dir() {
            bail!(
                "expected the results of {rack} in {}, found no such folder",
                folder.display()
            );
        }
        all.push((rack.clone(), files(&folder).map_err(anyhow::Error::msg)?));
    }
    Ok(all)
}

/// Judges trays of racks that are in burn-in, and signs what it came to.
///
/// # Errors
///
/// A plan that cannot be read or is of another shape; a rack that is not known, or has
/// nothing in burn-in.
pub fn judge_racks(
    estate: &Estate,
    (plan_file, plan_text): (&str, &str),
    racks: Vec<OfRack>,
    at: Timestamp,
    key: &Key,
) -> anyhow::Result<Judged> {
    let plan = read_plan(plan_file, plan_text)?;
    let (mut all, mut bodies, mut notes) = (Vec::new(), Vec::new(), Vec::new());
    let mut names = Vec::new();
    for (name, dropped) in racks {
        let rack = estate
            .rack_named(&name)
            .with_context(|| format!("expected a rack of the estate, found {name}"))?;
        let shape = estate.shape_of(rack);
        if shape.name != plan.shape {
            bail!(
                "{name}: expected a rack of {}, for which the plan is, found {}",
                plan.shape,
                shape.name
            );
        }
        let subject = Subject::of(estate, rack, at);
        if subject.slots.is_empty() {
            bail!("{name}: expected trays in burn-in, found {}", phases(estate, rack));
        }
        let results = read_results(&dropped.files);
        notes.extend(
            dropped
                .notes
                .iter()
                .chain(&results.notes)
                .map(|note| format!("{name}/{note}")),
        );
        for slot in results.trays.keys().filter(|slot| **slot >= shape.trays) {
            let trays = shape.trays;
            notes.push(format!(
                "{name}/slot-{slot}: passed by, the rack has {trays} slots"
            ));
        }
        let verdict = judge(&plan, &subject, &results);
        bodies.push((rack, subject.bits(), verdict.passed));
        names.push(name.clone());
        all.push(RackEvidence { rack: name, subject, files: dropped.files, verdict });
    }
    let evidence = Evidence {
        of: names.join(", "),
        at_unix_seconds: at.as_unix_seconds(),
        plan: plan_text.to_owned(),
        racks: all,
    };
    let bundle = evidence.signed(key);
    let hash = bundle.hash();
    let bodies = bodies.into_iter().map(|(rack, slots, passed)| Body::Tested {
        rack,
        slots,
        passed,
        evidence: hash,
    });
    let bodies = bodies.collect();
    Ok(Judged { bundle, evidence, bodies, notes })
}

/// Where the trays of a rack stand, in words.
fn phases(estate: &Estate, rack: RackNo) -> String {
    let trays = estate.rack(rack).tray_numbers().map(|tray| estate.tray(tray).phase);
    let all: Vec<Phase> = trays.collect();
    let count = |phase: &Phase| all.iter().filter(|found| *found == phase).count();
    let named = Phase::ALL.iter().filter(|phase| count(phase) > 0);
    let named: Vec<String> =
        named.map(|phase| format!("{} {}", count(phase), phase.name())).collect();
    named.join(", ")
}

/// Copies the evidence that one folder keeps into another.
///
/// # Errors
///
/// When it cannot be read or written.
pub fn take_over(from: &Path, into: &Path) -> anyhow::Result<()> {
    let (from, into) = (from.join(BUNDLES), into.join(BUNDLES));
    if !from.is_dir() {
        return Ok(());
    }
    let copy = || {
        std::fs::create_dir_all(&into)?;
        for entry in std::fs::read_dir(&from)? {
            let entry = entry?;
            let name = entry.file_name();
            if !into.join(&name).exists() {
                std::fs::copy(entry.path(), into.join(&name))?;
            }
        }
        Ok::<_, std::io::Error>(())
    };
    copy().with_context(|| {
        format!("cannot copy the evidence {} to {}", from.display(), into.display())
    })
}

impl Judged {
    /// Keeps the evidence in a folder.
    ///
    /// # Errors
    ///
    /// When the disk does not take it.
    pub fn keep(&self, folder: &Path) -> anyhow::Result<PathBuf> {
        let folder = folder.join(BUNDLES);
        std::fs::create_dir_all(&folder)
            .with_context(|| format!("cannot make the folder {}", folder.display()))?;
        let path = folder.join(format!("{}.json", self.bundle.hash()));
        let partial = path.with_extension("partial");
        // The name is there when all of it is.
        std::fs::write(&partial, self.bundle.to_json())
            .and_then(|()| std::fs::File::open(&partial)?.sync_all())
            .and_then(|()| std::fs::rename(&partial, &path))
            .with_context(|| format!("cannot write {}", path.display()))?;
        Ok(path)
    }

    /// Whether every tray judged passed.
    pub fn is_good(&self) -> bool {
        self.evidence.racks.iter().all(|rack| rack.verdict.passed == rack.subject.bits())
    }

    /// What it came to, a line each.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for rack in &self.evidence.racks {
            lines.push(format!(
                "{}: {} of {} trays passed, {} checks",
                rack.rack,
                rack.verdict.passed.count_ones(),
                rack.subject.slots.len(),
                rack.verdict.checks.len()
            ));
            let failures: Vec<&Check> = rack.verdict.failures().collect();
            let listed = failures.iter().take(LISTED_MAX);
            lines.extend(listed.map(|check| format!("  {check}")));
            if failures.len() > LISTED_MAX {
                lines.push(format!("  and {} more", failures.len() - LISTED_MAX));
            }
        }
        lines.extend(self.notes.iter().map(|note| format!("note: {note}")));
        lines
    }

    /// The same as a text.
    pub fn text(&self) -> String {
        self.lines().iter().fold(String::new(), |mut text, line| {
            let _ = writeln!(text, "{line}");
            text
        })
    }
}
