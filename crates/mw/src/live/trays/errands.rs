//! What takes trays several looks: hand-overs and wipes, one a tray, under the number of
//! the newest order for it.
//!
//! Invariant: what was overtaken by a newer order, or is not waited for any more, goes
//! no further.
//! Invariant: nothing is done to a machine that is not the one that was received.

use std::collections::BTreeMap;
use std::time::Instant;

use adapters::device::redfish::{Condition, Effect, Errand, Tray, Went};
use adapters::device::{Refusal, Unanswered};
use engine::capacity::{Command, Estate, Shows, TrayNo};
use tracing::info;
use units::{Seconds, Timestamp};

/// How long a wiped tray's GPUs may take to answer, until it counts as wiped without
/// them: then they are missing.
const GPUS_WITHIN: Seconds = Seconds::minutes(10);

/// What is on its way.
#[derive(Clone, Debug, Default)]
pub(super) struct Underway {
    by_tray: BTreeMap<TrayNo, One>,
}

/// One tray's.
#[derive(Clone, Debug)]
pub(super) struct One {
    generation: u32,
    errand: Errand,
    /// What it last waited for.
    waits: String,
    /// When it was first seen to be done.
    done: Option<Timestamp>,
    refused: Option<Refusal>,
}

impl Underway {
    /// A tray is to come to something, by an order of this number.
    pub(super) fn order(&mut self, tray: TrayNo, effect: Effect, generation: u32) {
        match self.by_tray.get_mut(&tray) {
            // It was not seen to be done within its time: the step that it is at is
            // ordered once more, and those before it count.
            Some(one) if one.errand.effect() == effect => {
                one.generation = generation;
                if one.done.is_none() {
                    one.errand.again();
                }
            }
            Some(_) | None => {
                let one = One {
                    generation,
                    errand: Errand::to(effect),
                    waits: String::new(),
                    done: None,
                    refused: None,
                };
                self.by_tray.insert(tray, one);
            }
        }
    }

    /// Forgets what nobody waits for any more.
    pub(super) fn forget(&mut self, estate: &Estate) {
        self.by_tray.retain(|number, one| {
            let tray = estate.tray(*number);
            let waited = tray.asked.is_some_and(|asked| {
                asked.generation == one.generation
                    && effect_of(asked.command) == Some(one.errand.effect())
            });
            // The order may be newer than the estate that is looked at.
            waited || tray.generation < one.generation
        });
    }

    /// What a tray is on, to be put back after the look.
    pub(super) fn take(&mut self, tray: TrayNo) -> Option<One> {
        self.by_tray.remove(&tray)
    }

    /// Puts back what goes on; says why where the tray refuses.
    pub(super) fn put(&mut self, tray: TrayNo, mut one: One) -> Option<String> {
        let Some(refused) = one.refused.take() else {
            self.by_tray.insert(tray, one);
            return None;
        };
        Some(will_not(command_of(one.errand.effect()), &refused))
    }

    /// Says in what a tray shows that it was seen to be what it was to become.
    pub(super) fn show(
        &self,
        tray: TrayNo,
        all_gpus: u8,
        at: Timestamp,
        shows: &mut Shows,
    ) {
        let Some(one) = self.by_tray.get(&tray) else { return };
        let Some(done) = one.done else { return };
        match one.errand.effect() {
            Effect::HandedOver => shows.image = one.generation,
            Effect::Wiped if shows.gpus == all_gpus || at - done >= GPUS_WITHIN => {
                shows.wiped = one.generation;
            }
            Effect::Wiped => {}
        }
    }
}

impl One {
    /// Goes on with the machine that answered, if it is the one that is meant; how it
    /// stands afterwards.
    pub(super) async fn go_on(
        &mut self,
        tray: &Tray,
        slot: &str,
        condition: Condition,
        (at, within): (Timestamp, std::time::Duration),
    ) -> Result<Condition, Unanswered> {
        if self.done.is_some() {
            return Ok(condition);
        }
        let order = command_of(self.errand.effect()).name();
        let waits = match self.errand.go_on(tray, Instant::now() + within).await {
            Ok(Went::Done) => {
                info!(event = "rack_order_done", slot, order);
                self.done = Some(at);
                // It stands as it does after the last step, and not as before.
                return tray.condition(Instant::now() + within).await;
            }
            Ok(Went::Refused(why)) => {
                self.refused = Some(why);
                return Ok(condition);
            }
            Ok(Went::Waits(what)) => what.to_string(),
            Err(why) => why.to_string(),
        };
        if self.waits != waits {
            info!(event = "rack_order_waits", slot, order, "{waits}");
            self.waits = waits;
        }
        Ok(condition)
    }
}

/// What takes several looks.
pub(super) fn effect_of(command: Command) -> Option<Effect> {
    match command {
        Command::HandOver => Some(Effect::HandedOver),
        Command::Wipe => Some(Effect::Wiped),
        Command::PowerOn | Command::PowerCycle => None,
    }
}

fn command_of(effect: Effect) -> Command {
    match effect {
        Effect::HandedOver => Command::HandOver,
        Effect::Wiped => Command::Wipe,
    }
}

/// What a person is told of a tray that refuses an order.
pub(super) fn will_not(order: Command, why: &Refusal) -> String {
    format!(
        "the order to {} was refused: {why}. Mend it, uncordon it and retry, or take it out",
        order.name()
    )
}
