//! Webhooks: a tenant's events, posted to a receiver of the tenant's.
//!
//! `webhooks.json` in the run's data folder says who is posted to; the site's people
//! write it with `mw webhook`, and a living run reads it anew when it has changed. What
//! was delivered is remembered by the number of its record, so that a restart goes on
//! there. Whatever did not arrive for sure is posted again under the same id.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use adapters::deliver::{
    Outcome, Secret, TargetError, Trust, Webhook, WebhookTarget, retry_after,
};
use anyhow::bail;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::task::AbortHandle;
use tracing::{info, warn};
use units::Timestamp;

use crate::api::feed::{Feed, Gone};
use crate::api::secret::{random, text_of};
use crate::api::told::Told;
use crate::api::wall;
use crate::live::status::text::instant;
use crate::small_file;

/// The file of webhooks in a run's data folder.
pub const FILE: &str = "webhooks.json";
const WRITTEN_BY: &str = "mw webhook create";

/// The most webhooks a run may have.
const HOOKS_MAX: usize = 100;

/// How often it is looked whether the file has changed.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How long one attempt may take.
const DELIVER_WITHIN: Duration = Duration::from_secs(10);

/// The most events that are taken up at once.
const BATCH: usize = 256;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    format: u32,
    hooks: Vec<Hook>,
}

impl Default for Kept {
    fn default() -> Self {
        Self { format: small_file::FORMAT, hooks: Vec::new() }
    }
}

/// One webhook.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hook {
    /// Its name.
    pub id: String,
    /// The tenant whose events are posted.
    pub tenant: String,
    /// Where to.
    url: String,
    /// What signs them.
    secret: String,
    /// Whether plain HTTP may go to another machine.
    #[serde(default)]
    allow_plain: bool,
    /// When it was made.
    #[serde(with = "instant")]
    pub made_at: Timestamp,
}

impl std::fmt::Debug for Hook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hook")
            .field("id", &self.id)
            .field("tenant", &self.tenant)
            .finish_non_exhaustive()
    }
}

impl Hook {
    fn open(&self) -> Result<Webhook, TargetError> {
        Webhook::new(WebhookTarget {
            url: self.url.clone(),
            secret: Secret::new(self.secret.clone()),
            allow_plain: self.allow_plain,
            trust: Trust::System,
        })
    }
}

/// Makes a webhook, and returns what signs it: nobody can ask for it again.
///
/// # Errors
///
/// When the address cannot be posted to, or the file cannot be written.
pub fn create(
    folder: &Path,
    tenant: &str,
    url: &str,
    allow_plain: bool,
) -> anyhow::Result<(Hook, String)> {
    if tenant.trim().is_empty() {
        bail!("expected the tenant whose events are posted, found no name");
    }
    change(folder, |kept| {
        if kept.hooks.len() >= HOOKS_MAX {
            bail!("expected at most {HOOKS_MAX} webhooks; remove some first");
        }
        let secret = text_of(&random::<32>()?);
        let hook = Hook {
            id: random::<4>()?.map(|byte| format!("{byte:02x}")).concat(),
            tenant: tenant.to_owned(),
            url: url.to_owned(),
            secret: secret.clone(),
            allow_plain,
            made_at: wall(),
        };
        hook.open()?;
        kept.hooks.push(hook.clone());
        Ok((hook, secret))
    })
}

/// Every webhook of a data folder, the oldest first.
///
/// # Errors
///
/// When the file cannot be read.
pub fn list(folder: &Path) -> anyhow::Result<Vec<Hook>> {
    Ok(read(&folder.join(FILE))?.hooks)
}

/// Takes a webhook out. Returns whether it was there.
///
/// # Errors
///
/// When the file cannot be read or written.
pub fn remove(folder: &Path, id: &str) -> anyhow::Result<bool> {
    change(folder, |kept| {
        let before = kept.hooks.len();
        kept.hooks.retain(|hook| hook.id != id);
        Ok(kept.hooks.len() < before)
    })
}

fn read(path: &Path) -> anyhow::Result<Kept> {
    Ok(small_file::read(path, WRITTEN_BY)?.unwrap_or_default())
}

fn change<T>(
    folder: &Path,
    how: impl FnOnce(&mut Kept) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    small_file::change(&folder.join(FILE), WRITTEN_BY, how)
}

/// Posts events to every webhook of a data folder, for as long as the door is open.
pub fn follow(folder: PathBuf, feed: Feed) {
    tokio::spawn(async move {
        let path = folder.join(FILE);
        let mut of = None;
        let mut running: BTreeMap<String, AbortHandle> = BTreeMap::new();
        loop {
            let found = fs::metadata(&path).ok();
            let now = found.map(|it| (it.ino(), it.len(), it.mtime(), it.mtime_nsec()));
            if of != now {
                of = now;
                let kept = read(&path).unwrap_or_else(|error| {
                    warn!(event = "webhooks_unreadable", error = format!("{error:#}"));
                    Kept::default()
                });
                let wanted = |id: &String| kept.hooks.iter().any(|hook| hook.id == *id);
                running.retain(|id, task| {
                    let stays = wanted(id);
                    if !stays {
                        task.abort();
                    }
                    stays
                });
                for hook in kept.hooks {
                    if !running.contains_key(&hook.id) {
                        let (id, feed) = (hook.id.clone(), feed.clone());
                        let sent = folder.join(format!("webhook-{id}.sent"));
                        let task = tokio::spawn(post(hook, sent, feed));
                        running.insert(id, task.abort_handle());
                    }
                }
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    });
}

/// Posts what a tenant hears, in order, from where it was left.
async fn post(hook: Hook, sent: PathBuf, feed: Feed) {
    let receiver = match hook.open() {
        Ok(receiver) => std::sync::Arc::new(receiver),
        Err(error) => {
            warn!(event = "webhook_not_open", webhook = hook.id, %error);
            return;
        }
    };
    let mut news = feed.news();
    let known = fs::read_to_string(&sent).ok();
    let known: Option<u64> = known.and_then(|text| text.trim().parse().ok());
    let mut seen = known.unwrap_or_else(|| feed.read_to());
    // From here on, whatever comes first: a run that starts again before anything was
    // delivered goes on from where this one began.
    if known.is_none()
        && let Err(error) = small_file::replace(&sent, &format!("{seen}\n"))
    {
        warn!(event = "webhook_not_noted", webhook = hook.id, %error);
    }
    loop {
        let (events, to) = match feed.events_after(seen, BATCH) {
            Ok(found) => found,
            Err(Gone { from }) => {
                warn!(event = "webhook_missed", webhook = hook.id, before = from);
                let data = serde_json::json!({
                    "about": "missed", "tenant": hook.tenant,
                    "says": format!(
                        "events before record {from} are not kept; read /v1/capacity anew"
                    ),
                });
                deliver(&hook, &receiver, &format!("{}-missed", from - 1), &data).await;
                seen = from - 1;
                continue;
            }
        };
        let theirs: Vec<&Told> = events
            .iter()
            .filter(|told| told.tenant.as_deref() == Some(&hook.tenant))
            .collect();
        for (place, told) in theirs.iter().enumerate() {
            let of_record = theirs[..place].iter().filter(|one| one.seq == told.seq);
            let id = format!("{}-{}", told.seq, of_record.count());
            let data = told.own.as_ref().unwrap_or(&told.data);
            let data = serde_json::from_str(data).expect("an event is JSON");
            deliver(&hook, &receiver, &id, &data).await;
        }
        let more = events.len() >= BATCH;
        if to != seen
            && !theirs.is_empty()
            && let Err(error) = small_file::replace(&sent, &format!("{to}\n"))
        {
            // Then some come twice after a restart, under the same ids.
            warn!(event = "webhook_not_noted", webhook = hook.id, %error);
        }
        seen = to;
        if !more && news.changed().await.is_err() {
            return;
        }
    }
}

/// Posts one event until it has arrived, is refused for good, or is given up.
async fn deliver(
    hook: &Hook,
    receiver: &std::sync::Arc<Webhook>,
    id: &str,
    data: &Value,
) {
    let mut data = data.clone();
    data["id"] = id.into();
    let text = data.to_string();
    let mut attempts = 0;
    loop {
        let (to, id, text) =
            (std::sync::Arc::clone(receiver), id.to_owned(), text.clone());
        let attempt = move || to.post(&id, &text, wall(), DELIVER_WITHIN);
        let outcome = tokio::task::spawn_blocking(attempt).await;
        attempts += 1;
        let why = match outcome {
            Ok(Outcome::Delivered { .. }) => {
                info!(event = "webhook_delivered", webhook = hook.id, attempts);
                return;
            }
            Ok(Outcome::Refused { why, again: false }) => {
                warn!(event = "webhook_refused", webhook = hook.id, why);
                return;
            }
            Ok(Outcome::Refused { why, again: true } | Outcome::Unknown { why }) => why,
            Err(error) => error.to_string(),
        };
        let Some(wait) = retry_after(attempts) else {
            warn!(event = "webhook_given_up", webhook = hook.id, attempts, why);
            return;
        };
        let seconds = u64::try_from(wait.as_seconds()).unwrap_or(0);
        tokio::time::sleep(Duration::from_secs(seconds)).await;
    }
}
