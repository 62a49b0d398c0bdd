//! What a tray is asked, part by part, so that it becomes what is wanted.

use std::time::{Duration, Instant};

use serde_json::json;
use units::Power;

use super::resource::Resource;
use super::standing::{self, GpuLimit, Limit, SetAt};
use super::tree::Tree;
use super::{Shutdown, Tray};
use crate::device::share::share;
use crate::device::{Answer, DeviceText, Refusal, Running, Unanswered, Wanted};

/// How long to wait before a tray that starts is looked at again.
const AGAIN: Duration = Duration::from_millis(500);

/// What came of setting limits.
enum Set {
    /// What the tray answered.
    Asked(Answer),
    /// Its GPUs are not there yet.
    NotYet,
    /// They are, and take no limits.
    NoLimits,
}

const RESET: &str = "/Actions/#ComputerSystem.Reset";

impl Tray {
    /// Asks the tray to be `wanted`.
    pub(super) async fn be(&self, wanted: Wanted, by: Instant) -> Answer {
        let asked = match wanted {
            Wanted::Rest => self.rest(by).await,
            Wanted::AtMost(power) => self.at_most(power, by).await,
            Wanted::Flow(_) => {
                let what = DeviceText::of("a tray stores nothing");
                Ok(Answer::Refused(Refusal::Unsupported(what)))
            }
        };
        match asked {
            Ok(answer) => answer,
            Err(Unanswered::Login) => Answer::Refused(Refusal::Login),
            Err(why) => Answer::Unknown(why),
        }
    }

    async fn rest(&self, by: Instant) -> Result<Answer, Unanswered> {
        let tree = self.tree(false, by).await?;
        let host = self.service.get(&tree.host, by).await?;
        if matches!(host.text("/PowerState"), Some("Off" | "PoweringOff")) {
            return Ok(Answer::Accepted);
        }
        let kinds: &[&str] = match self.settings.shutdown {
            Shutdown::Graceful => &["GracefulShutdown"],
            Shutdown::Forced => &["ForceOff", "Off"],
        };
        self.reset(&host, kinds, by).await
    }

    async fn at_most(&self, power: Power, by: Instant) -> Result<Answer, Unanswered> {
        let mut tree = self.tree(false, by).await?;
        let host = self.service.get(&tree.host, by).await?;
        let rests = standing::running(&host) == Some(Running::Resting);
        if let Some(refused) = self.out_of_range(&tree, power, rests, by).await? {
            return Ok(Answer::Refused(refused));
        }
        if rests {
            let on = self.reset(&host, &["On"], by).await?;
            if on != Answer::Accepted {
                return Ok(on);
            }
        }
        // GPUs that are not there yet cannot be limited, and come without a limit.
        loop {
            match self.set(&tree, power, by).await? {
                Set::Asked(answer) => return Ok(answer),
                Set::NoLimits if self.settings.unlimited.is_some() => {
                    return Ok(Answer::Accepted);
                }
                Set::NoLimits | Set::NotYet => {}
            }
            if Instant::now() + AGAIN >= by {
                return Ok(Answer::Unknown(Unanswered::NotShown));
            }
            tokio::time::sleep(AGAIN).await;
            if tree.gpus.is_empty() {
                tree = self.tree(true, by).await?;
            }
        }
    }

    /// Why a limit is not even sent. Of a tray at rest it may not be known what its
    /// GPUs take; then it is refused once they are there.
    async fn out_of_range(
        &self,
        tree: &Tree,
        asked: Power,
        rests: bool,
        by: Instant,
    ) -> Result<Option<Refusal>, Unanswered> {
        let mut without = false;
        if self.range().is_none() {
            for gpu in &tree.gpus {
                match standing::limit_of(&self.service, gpu, by).await? {
                    GpuLimit::Set(limit) => self.saw(&gpu.resource.path, limit.range),
                    GpuLimit::Without => without = true,
                    GpuLimit::Gone | GpuLimit::Unread => {}
                }
            }
        }
        let (least, most) = match (self.range(), self.settings.unlimited) {
            (Some(range), _) => range,
            (None, _) if rests => return Ok(None),
            // It takes no limit, and draws what it draws.
            (None, Some(most)) if asked >= most => return Ok(None),
            (None, Some(most)) => (most, most),
            (None, None) if without || tree.gpus.is_empty() => {
                let what = DeviceText::of("no GPU of this tray takes a power limit");
                return Ok(Some(Refusal::Unsupported(what)));
            }
            (None, None) => return Ok(None),
        };
        let fits = (least..=most).contains(&asked);
        Ok((!fits).then_some(Refusal::OutOfRange { least, most, asked }))
    }

    /// Sets every GPU's share of a limit.
    async fn set(
        &self,
        tree: &Tree,
        power: Power,
        by: Instant,
    ) -> Result<Set, Unanswered> {
        let host = self.service.get(&tree.host, by).await?;
        let works = standing::running(&host) == Some(Running::Working);
        let mut limits: Vec<Limit> = Vec::new();
        let (mut unread, mut without) = (0, 0);
        for gpu in tree.gpus.iter().filter(|gpu| !standing::is_absent(&gpu.resource)) {
            match standing::limit_of(&self.service, gpu, by).await? {
                GpuLimit::Set(limit) => {
                    self.saw(&gpu.resource.path, limit.range);
                    limits.push(limit);
                }
                // Of a tray at work it is missing, and draws nothing.
                GpuLimit::Gone if works => {}
                GpuLimit::Gone => return Ok(Set::NotYet),
                GpuLimit::Without if works => without += 1,
                GpuLimit::Without => return Ok(Set::NotYet),
                // It may be at its most, whatever it is told.
                GpuLimit::Unread => {
                    unread += self.seen().most(&gpu.resource.path).unwrap_or(0);
                }
            }
        }
        if limits.is_empty() {
            let none_takes_one = works && (without > 0 || tree.gpus.is_empty());
            return Ok(if none_takes_one { Set::NoLimits } else { Set::NotYet });
        }
        let left = (power - self.settings.beside_gpus).as_watts() - unread;
        let ranges: Vec<(i64, i64)> = limits
            .iter()
            .map(|limit| limit.range.unwrap_or((0, i64::MAX / 64)))
            .collect();
        let Some(shares) = share(left, &ranges).filter(|_| without == 0) else {
            let (least, most) = self.range().unwrap_or((power, power));
            return Ok(Set::Asked(Answer::Refused(match unread + without {
                0 => Refusal::OutOfRange { least, most, asked: power },
                _ => Refusal::Busy(DeviceText::of(
                    "a GPU that cannot be limited may draw too much for this limit",
                )),
            })));
        };
        // Lowered first, so that the tray is never set to more than it was or will be.
        let mut changes: Vec<(&Limit, i64)> =
            limits.iter().zip(shares).filter(|(l, to)| l.set.as_watts() != *to).collect();
        changes.sort_by_key(|(limit, to)| to - limit.set.as_watts());
        let mut worst = Answer::Accepted;
        for (limit, to) in changes {
            worst = worst.or_worse(self.set_one(limit, to, by).await);
        }
        Ok(Set::Asked(worst))
    }

    async fn set_one(&self, limit: &Limit, watts: i64, by: Instant) -> Answer {
        match &limit.at {
            SetAt::Metrics(path, etag) => {
                let change = json!({ "PowerLimitWatts": { "SetPoint": watts } });
                self.service.patch(path, etag.as_deref(), &change, by).await
            }
            SetAt::Control(path) => {
                let change = json!({ "SetPoint": watts });
                self.service.patch(path, None, &change, by).await
            }
            SetAt::FlashOnly => Answer::Refused(Refusal::Unsupported(DeviceText::of(
                "the limit is kept in flash, which a change every few minutes wears out",
            ))),
        }
    }

    /// Calls the reset action with the first of `kinds` that the service has.
    pub(super) async fn reset(
        &self,
        host: &Resource,
        kinds: &[&str],
        by: Instant,
    ) -> Result<Answer, Unanswered> {
        let unsupported =
            |what: &str| Ok(Answer::Refused(Refusal::Unsupported(DeviceText::of(what))));
        let Some(target) = host.link(&format!("{RESET}/target")) else {
            return unsupported("the system has no reset action");
        };
        let allowed = self.reset_kinds(host, by).await?;
        let has =
            |kind: &&&str| allowed.is_empty() || allowed.iter().any(|a| a == **kind);
        let Some(kind) = kinds.iter().find(has) else {
            return unsupported(&format!("no reset of kind {}", kinds.join(" or ")));
        };
        Ok(self.service.act(&target, &json!({ "ResetType": kind }), by).await)
    }

    /// The kinds of reset that the service says it has; none where it does not say.
    async fn reset_kinds(
        &self,
        host: &Resource,
        by: Instant,
    ) -> Result<Vec<String>, Unanswered> {
        let texts = |from: &Resource, pointer: &str| -> Vec<String> {
            from.each(pointer)
                .filter_map(|kind| Some(kind.as_str()?.to_owned()))
                .collect()
        };
        let here = texts(host, &format!("{RESET}/ResetType@Redfish.AllowableValues"));
        if !here.is_empty() {
            return Ok(here);
        }
        let Some(info) = host.link(&format!("{RESET}/@Redfish.ActionInfo")) else {
            return Ok(Vec::new());
        };
        let info = standing::tolerate(self.service.find(&info, by).await)?;
        Ok(info
            .map_or_else(Vec::new, |info| texts(&info, "/Parameters/0/AllowableValues")))
    }
}
