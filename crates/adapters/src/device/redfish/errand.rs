//! What takes a tray several steps: it is handed over, or wiped.
//!
//! ```text
//! hand over: override once to the network ► restart ► its system runs
//! wipe:      override once to the setup   ► restart ► setup ► erase each drive ► off ► on
//! ```
//!
//! In the setup no tenant's system runs that would write to a drive again, and off is
//! where memory forgets. What is observed is what the controller itself knows: the
//! tenant of a machine cannot show it.
//!
//! Invariant: a step is ordered once; that it is done, something that was read after the
//! order shows.
//! Invariant: a step is not ordered before the one in front of it is done.

use std::time::Instant;

use serde_json::json;

use super::Tray;
use super::erase::{Erased, Erasing};
use super::path::Path;
use super::resource::Resource;
use super::standing;
use crate::device::{Answer, DeviceText, Refusal, Running, Unanswered};

/// The most steps that one look goes.
const STEPS_MAX: usize = 8;

const TARGET: &str = "/Boot/BootSourceOverrideTarget";
const ENABLED: &str = "/Boot/BootSourceOverrideEnabled";
const STATE: &str = "/BootProgress/LastState";

/// What is to become of a tray.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It runs what the network gives it.
    HandedOver,
    /// Nothing of its tenant's is on its drives or in its memory.
    Wiped,
}

/// Something on its way, in steps.
#[derive(Clone, Debug)]
pub struct Errand {
    effect: Effect,
    step: Step,
    /// Whether the step was ordered.
    asked: bool,
    /// How the last start stood when the step was ordered.
    before: Start,
    /// Where the override was written.
    written: Option<Path>,
    drives: Erasing,
}

/// What one look at an errand came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Went {
    /// It is done, and was seen to be.
    Done,
    /// What is waited for.
    Waits(DeviceText),
    /// The tray will not do it. The errand begins anew when it is ordered again.
    Refused(Refusal),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// The next start is from somewhere else.
    Override,
    /// It starts, and is there.
    Restart,
    /// Every drive is erased.
    Erase,
    /// It has no power.
    Off,
    /// It has power again.
    On,
}

/// What a system says of its last start: when this is another, it was another start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Start {
    reset: Option<String>,
    state: Option<String>,
}

/// What came of looking for a step's effect.
enum Shown {
    Yes,
    NotYet(String),
}

impl Errand {
    /// One that has not begun.
    pub fn to(effect: Effect) -> Self {
        Self {
            effect,
            step: Step::Override,
            asked: false,
            before: Start::default(),
            written: None,
            drives: Erasing::default(),
        }
    }

    /// What is to become of the tray.
    pub fn effect(&self) -> Effect {
        self.effect
    }

    /// The step that it is at is ordered once more: for long enough, nothing has shown
    /// that it was done. What is seen to be at it goes on.
    pub fn again(&mut self) {
        self.asked = false;
        if self.step == Step::Restart {
            // The override may have been used up on the way to somewhere else.
            self.step = Step::Override;
        }
        self.drives.again();
    }

    /// Looks at the step that it is at, and orders the next when it is done.
    ///
    /// # Errors
    ///
    /// When the tray does not answer by the deadline. Nothing is lost by that.
    pub async fn go_on(&mut self, tray: &Tray, by: Instant) -> Result<Went, Unanswered> {
        let tree = tray.tree(false, by).await?;
        for _ in 0..STEPS_MAX {
            let host = tray.service.get(&tree.host, by).await?;
            if self.step == Step::Erase {
                let expected = tray.settings.drives;
                let went = self.drives.go_on(&tray.service, &host, expected, by).await?;
                match went {
                    Erased::All => {
                        (self.step, self.asked) = (Step::Off, false);
                        continue;
                    }
                    Erased::Waits(why) => return Ok(Went::Waits(why)),
                    Erased::Refused(why) => return Ok(Went::Refused(why)),
                }
            }
            if !self.asked {
                match self.ask(tray, &host, by).await? {
                    // What was not heard may have been: it is looked for.
                    Answer::Accepted | Answer::Unknown(_) => self.asked = true,
                    // Nothing happened; it is asked at the next look.
                    Answer::Refused(Refusal::Busy(why)) => {
                        return Ok(Went::Waits(why));
                    }
                    Answer::Refused(why) => return Ok(Went::Refused(why)),
                }
            }
            let host = tray.service.get(&tree.host, by).await?;
            match self.shown(tray, &host, by).await? {
                Shown::NotYet(waits) => {
                    return Ok(Went::Waits(DeviceText::of(&waits)));
                }
                Shown::Yes => match self.next() {
                    Some(step) => (self.step, self.asked) = (step, false),
                    None => return Ok(Went::Done),
                },
            }
        }
        Ok(Went::Waits(DeviceText::of("the next look")))
    }

    fn next(&self) -> Option<Step> {
        match (self.effect, self.step) {
            (_, Step::Override) => Some(Step::Restart),
            (Effect::Wiped, Step::Restart) => Some(Step::Erase),
            (Effect::Wiped, Step::Erase) => Some(Step::Off),
            (Effect::Wiped, Step::Off) => Some(Step::On),
            (Effect::HandedOver, Step::Restart | Step::Erase | Step::Off | Step::On)
            | (Effect::Wiped, Step::On) => None,
        }
    }

    /// Where the next start is from, the better first.
    fn targets(&self) -> &'static [&'static str] {
        match self.effect {
            Effect::HandedOver => &["Pxe", "UefiHttp"],
            Effect::Wiped => &["BiosSetup"],
        }
    }

    /// How far the start has to come.
    fn arrives(&self) -> &'static str {
        match self.effect {
            Effect::HandedOver => "OSRunning",
            Effect::Wiped => "SetupEntered",
        }
    }

    async fn ask(
        &mut self,
        tray: &Tray,
        host: &Resource,
        by: Instant,
    ) -> Result<Answer, Unanswered> {
        let rests = standing::running(host) == Some(Running::Resting);
        match self.step {
            Step::Override => self.override_once(tray, host, by).await,
            Step::Restart => {
                self.before = Start::of(host);
                let kinds: &[&str] =
                    if rests { &["On"] } else { &["PowerCycle", "ForceRestart"] };
                tray.reset(host, kinds, by).await
            }
            Step::Off => {
                self.before = Start::of(host);
                tray.reset(host, &["ForceOff", "Off"], by).await
            }
            Step::On if rests => tray.reset(host, &["On"], by).await,
            Step::On | Step::Erase => Ok(Answer::Accepted),
        }
    }

    /// Has the next start come from somewhere else, that one and no other.
    async fn override_once(
        &mut self,
        tray: &Tray,
        host: &Resource,
        by: Instant,
    ) -> Result<Answer, Unanswered> {
        let unsupported =
            |what: &str| Ok(Answer::Refused(Refusal::Unsupported(DeviceText::of(what))));
        // Nobody would see what came of it.
        if host.part("/BootProgress").is_none() {
            return unsupported("its system tells no BootProgress, so no start is seen");
        }
        if host.part("/LastResetTime").is_none()
            && host.part("/BootProgress/LastStateTime").is_none()
        {
            return unsupported(
                "its system tells neither LastResetTime nor LastStateTime",
            );
        }
        if host.part("/Boot").is_none_or(|boot| boot.get(&TARGET[6..]).is_none()) {
            return unsupported("its system has no BootSourceOverrideTarget");
        }
        let offered: Vec<&str> = host
            .each(&format!("{TARGET}@Redfish.AllowableValues"))
            .filter_map(serde_json::Value::as_str)
            .collect();
        let wanted = self.targets();
        let takes = |target: &&&str| offered.is_empty() || offered.contains(*target);
        let Some(target) = wanted.iter().find(takes) else {
            return unsupported(&format!("it cannot start from {}", wanted.join(" or ")));
        };
        let change = json!({ "Boot": {
            "BootSourceOverrideEnabled": "Once", "BootSourceOverrideTarget": target
        } });
        let etag = host.etag.as_deref();
        let answer = tray.service.patch(&host.path, etag, &change, by).await;
        self.written = Some(host.path.clone());
        // Some take it only where settings wait for the next start.
        let elsewhere = host.link("/@Redfish.Settings/SettingsObject");
        let (Answer::Refused(Refusal::Unsupported(_) | Refusal::Other(_)), Some(at)) =
            (&answer, elsewhere)
        else {
            return Ok(answer);
        };
        let Some(settings) = standing::tolerate(tray.service.find(&at, by).await)? else {
            return Ok(answer);
        };
        self.written = Some(at.clone());
        Ok(tray.service.patch(&at, settings.etag.as_deref(), &change, by).await)
    }

    async fn shown(
        &self,
        tray: &Tray,
        host: &Resource,
        by: Instant,
    ) -> Result<Shown, Unanswered> {
        let rests = standing::running(host) == Some(Running::Resting);
        Ok(match self.step {
            Step::Override => match self.overridden(tray, host, by).await? {
                Some(target) if self.targets().contains(&target.as_str()) => Shown::Yes,
                Some(_) | None => {
                    let once = self.targets().join(" or ");
                    Shown::NotYet(format!("the override once to {once}, read back"))
                }
            },
            Step::Restart => {
                let state = host.text(STATE);
                let seen = state.unwrap_or("nothing");
                let arrives = self.arrives();
                if Start::of(host) == self.before {
                    Shown::NotYet(format!("a new start to {arrives}, none seen yet"))
                } else if state != Some(arrives) {
                    Shown::NotYet(format!("a start to {arrives}, seen {seen}"))
                } else if self.overridden(tray, host, by).await?.is_some() {
                    Shown::NotYet("a start that uses up the override".to_owned())
                } else {
                    Shown::Yes
                }
            }
            // Whoever else drives it may have switched it on again meanwhile.
            Step::Off if rests || Start::of(host).reset != self.before.reset => {
                Shown::Yes
            }
            Step::Off => Shown::NotYet("power off".to_owned()),
            Step::On if rests => Shown::NotYet("power on".to_owned()),
            Step::On => Shown::Yes,
            Step::Erase => Shown::NotYet("erased drives".to_owned()),
        })
    }

    /// Where the next start is to come from, that one alone; nothing where it is as
    /// always.
    async fn overridden(
        &self,
        tray: &Tray,
        host: &Resource,
        by: Instant,
    ) -> Result<Option<String>, Unanswered> {
        let once = |from: &Resource| -> Option<String> {
            let is_once = from.text(ENABLED) == Some("Once");
            is_once.then(|| from.text(TARGET).map(str::to_owned)).flatten()
        };
        if let Some(found) = once(host) {
            return Ok(Some(found));
        }
        let Some(at) = self.written.as_ref().filter(|at| **at != host.path) else {
            return Ok(None);
        };
        let settings = standing::tolerate(tray.service.find(at, by).await)?;
        Ok(settings.as_ref().and_then(once))
    }
}

impl Start {
    fn of(host: &Resource) -> Self {
        let text = |pointer: &str| host.text(pointer).map(str::to_owned);
        Self { reset: text("/LastResetTime"), state: text("/BootProgress/LastStateTime") }
    }
}
