//! What can be made to go wrong with an emulated meter or battery, while it runs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use adapters::device::modbus::{Meaning, Micro};

/// One thing that goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// It answers what it answered when that began, heartbeat included.
    Stuck,
    /// It shows ten times its power.
    Spike,
    /// Its power has the other sign.
    SignFlipped,
    /// It takes questions and answers none.
    Silent,
    /// It answers to another question's number.
    WrongTransaction,
    /// It answers in another unit's name.
    WrongUnit,
}

/// What goes wrong now. Clones are of the same device.
#[derive(Clone, Debug, Default)]
pub struct Faults(Arc<Mutex<Standing>>);

#[derive(Debug, Default)]
struct Standing {
    faults: BTreeSet<Fault>,
    /// What a stuck one showed first.
    showed: BTreeMap<Meaning, Option<Micro>>,
}

impl Faults {
    /// A fault begins or ends.
    pub fn set(&self, fault: Fault, stands: bool) {
        let mut standing = self.0.lock().expect("no panic while held");
        match stands {
            true => standing.faults.insert(fault),
            false => standing.faults.remove(&fault),
        };
        if fault == Fault::Stuck {
            standing.showed.clear();
        }
    }

    /// Nothing is wrong any more.
    pub fn clear(&self) {
        *self.0.lock().expect("no panic while held") = Standing::default();
    }

    pub(super) fn has(&self, fault: Fault) -> bool {
        self.0.lock().expect("no panic while held").faults.contains(&fault)
    }

    /// What is shown of a figure.
    pub(super) fn shown(&self, means: Meaning, figure: Option<Micro>) -> Option<Micro> {
        let mut standing = self.0.lock().expect("no panic while held");
        let mut figure = figure;
        if means == Meaning::Power {
            if standing.faults.contains(&Fault::Spike) {
                figure = figure.map(|figure| Micro(figure.0 * 10));
            }
            if standing.faults.contains(&Fault::SignFlipped) {
                figure = figure.map(|figure| Micro(-figure.0));
            }
        }
        if standing.faults.contains(&Fault::Stuck) && means != Meaning::Setpoint {
            return *standing.showed.entry(means).or_insert(figure);
        }
        figure
    }
}
