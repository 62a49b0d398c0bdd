//! Which load of the program is which load of the site, by name.
//!
//! Inside the program a load is a place in its site file; on the wire it is a
//! place in the site's own. The two files need not agree on the order, and the
//! program's may change while it runs.
//!
//! Invariant: an order reaches the load of the name it was decided for, or nobody.

use engine::site::LoadIx;
use engine::{OrderBatch, ReadBack, Receipt, Signal, Site, Sweep};

/// Which load of the program is which load of the site.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Numbering {
    /// The site's place of each load of the program, if it has it.
    theirs: Vec<Option<LoadIx>>,
    /// The program's place of each load of the site, if it knows it.
    ours: Vec<Option<LoadIx>>,
}

impl Numbering {
    /// Puts the loads of `site` beside those the site says it has, in its order.
    pub fn of(site: &Site, said: &[String]) -> Self {
        let place_of = |name: &str| said.iter().position(|other| other == name);
        let theirs: Vec<_> = site.loads.iter().map(|load| place_of(&load.name)).collect();
        let ours = said.iter().map(|name| site.load_named(name)).collect();
        Self { theirs, ours }
    }

    /// Loads of the program that the site does not have.
    pub fn missing<'a>(&'a self, site: &'a Site) -> impl Iterator<Item = &'a str> {
        let loads = site.loads.iter().zip(&self.theirs);
        loads.filter(|(_, theirs)| theirs.is_none()).map(|(load, _)| load.name.as_str())
    }

    /// Orders as the site numbers loads. What it does not have is not ordered: it
    /// stays unanswered, and is read back.
    pub fn orders(&self, mut batch: OrderBatch) -> OrderBatch {
        batch.orders.retain_mut(|order| renumber(&mut order.load, &self.theirs));
        batch
    }

    /// What is to be looked at, as the site numbers loads.
    pub fn asked(&self, mut asked: ReadBack) -> ReadBack {
        asked.loads.retain_mut(|load| renumber(load, &self.theirs));
        asked.machines.retain_mut(|(load, _)| renumber(load, &self.theirs));
        asked
    }

    /// What was seen, as the program numbers loads. What it does not know is no
    /// load of its site file.
    pub fn receipt(&self, mut receipt: Receipt) -> Receipt {
        receipt.observed.retain_mut(|seen| renumber(&mut seen.load, &self.ours));
        receipt.surveys.retain_mut(|seen| renumber(&mut seen.load, &self.ours));
        receipt
    }

    /// What was heard from the site, as the program numbers loads.
    pub fn signal(&self, signal: Signal) -> Signal {
        if let Signal::Sweep(sweep) = signal {
            return Signal::Sweep(self.sweep(sweep));
        }
        signal
    }

    fn sweep(&self, mut sweep: Sweep) -> Sweep {
        sweep.readings.retain_mut(|reading| renumber(&mut reading.load, &self.ours));
        sweep.readings.sort_by_key(|reading| reading.load);
        sweep
    }
}

/// Whether there is such a load on the other side; it gets its number there.
fn renumber(load: &mut LoadIx, to: &[Option<LoadIx>]) -> bool {
    match to.get(*load).copied().flatten() {
        Some(other) => {
            *load = other;
            true
        }
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use engine::{Observed, Order, Setpoint};
    use units::Timestamp;

    use super::*;

    fn site() -> Site {
        let root =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/mixed-10mw");
        crate::config::load(&root).expect("an example").site
    }

    fn names(site: &Site) -> Vec<String> {
        site.loads.iter().map(|load| load.name.clone()).collect()
    }

    #[test]
    fn an_order_reaches_the_load_of_its_name_in_whatever_order_the_site_has_them() {
        let site = site();
        let mut said = names(&site);
        said.reverse();
        let numbering = Numbering::of(&site, &said);
        let order =
            |load| Order { load, setpoint: Setpoint::Level(load as u32), moves: vec![] };
        let orders = (0..site.loads.len()).map(order).collect();
        let batch = numbering.orders(OrderBatch { generation: 1, lease: None, orders });
        for order in &batch.orders {
            let Setpoint::Level(ours) = order.setpoint else { panic!("a level") };
            assert_eq!(said[order.load], site.loads[ours as usize].name);
        }
        assert_eq!(batch.orders.len(), site.loads.len());

        let seen = |load| Observed { load, setpoint: Setpoint::Level(load as u32) };
        let receipt = numbering.receipt(Receipt {
            observed_at: Timestamp::from_unix_seconds(0),
            observed: (0..said.len()).map(seen).collect(),
            surveys: Vec::new(),
        });
        for seen in &receipt.observed {
            let Setpoint::Level(theirs) = seen.setpoint else { panic!("a level") };
            assert_eq!(site.loads[seen.load].name, said[theirs as usize]);
        }
    }

    #[test]
    fn what_only_one_side_has_is_neither_ordered_nor_heard() {
        let site = site();
        let mut said = names(&site);
        let lost = said.remove(0);
        said.push("new".to_owned());
        let numbering = Numbering::of(&site, &said);
        assert_eq!(numbering.missing(&site).collect::<Vec<_>>(), [lost.as_str()]);
        let asked = ReadBack { loads: (0..site.loads.len()).collect(), machines: vec![] };
        assert_eq!(numbering.asked(asked).loads.len(), site.loads.len() - 1);
        let observed =
            vec![Observed { load: said.len() - 1, setpoint: Setpoint::Level(1) }];
        let at = Timestamp::from_unix_seconds(0);
        let heard = Receipt { observed_at: at, observed, surveys: vec![] };
        assert!(numbering.receipt(heard).observed.is_empty());
    }
}
