//! The contracts that racks serve: files beside the site file, named by it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use engine::site::{Racks, Tranche};
use settle::contract::{Basis, Quantity, Versions};

use super::problem::Findings;
use super::written::{Table, nearest};
use crate::contract_files;

/// The contracts read so far.
pub(super) struct Contracts {
    folder: PathBuf,
    /// By the path written; `None` where it cannot be read.
    read: BTreeMap<String, Option<Versions>>,
    /// GPUs that stand for each tranche so far.
    gpus: BTreeMap<Tranche, i64>,
}

impl Contracts {
    /// None yet; paths are meant from `folder`.
    pub(super) fn beside(folder: &Path) -> Self {
        let (read, gpus) = (BTreeMap::new(), BTreeMap::new());
        Self { folder: folder.to_owned(), read, gpus }
    }

    /// The contracts, in the order of their ids.
    pub(super) fn list(self) -> Vec<Versions> {
        let mut list: Vec<Versions> = self.read.into_values().flatten().collect();
        list.sort_by(|a, b| a.first().id.cmp(&b.first().id));
        list
    }

    /// The tranche that racks under contract serve, if the file names one; `None`
    /// where it is written wrong.
    pub(super) fn tranche(
        &mut self,
        contracted: &Table,
        found: &mut Findings<'_>,
    ) -> Option<Option<Tranche>> {
        let (path, id) = match (contracted.text("contract"), contracted.text("tranche")) {
            (Some(path), Some(id)) => (path.to_owned(), id.to_owned()),
            (None, None) => return Some(None),
            (path, _) => {
                let (written, missing) = match path {
                    Some(_) => ("contract", "tranche"),
                    None => ("tranche", "contract"),
                };
                let expected = format!("`{missing}` beside `{written}`");
                let (at, key) = (contracted.at(written), contracted.key(missing));
                found.problem(at, key, expected, "nothing", "write both, or neither");
                return None;
            }
        };
        if !self.read.contains_key(&path) {
            let read = self.open(&path, contracted, found);
            self.read.insert(path.clone(), read);
        }
        let versions = self.read.get(&path)?.as_ref()?;
        let stated = || versions.all().iter().flat_map(|one| &one.tranches);
        if !stated().any(|tranche| tranche.id == id) {
            let near = nearest(&id, stated().map(|tranche| tranche.id.as_str()));
            let remedy =
                near.map_or(String::new(), |near| format!("did you mean \"{near}\"?"));
            let (at, key) = (contracted.at("tranche"), contracted.key("tranche"));
            let expected = format!("a tranche of {}", versions.first().id);
            found.problem(at, key, expected, contracted.shown("tranche"), remedy);
            return None;
        }
        Some(Some(Tranche { contract: versions.first().id.clone(), id }))
    }

    fn open(
        &self,
        path: &str,
        contracted: &Table,
        found: &mut Findings<'_>,
    ) -> Option<Versions> {
        let (at, key) = (contracted.at("contract"), contracted.key("contract"));
        let versions = match contract_files::versions(&self.folder.join(path)) {
            Ok(versions) => versions,
            Err(error) => {
                let expected = "a contract's file, or the folder of its versions";
                found.problem(at, key, expected, format!("\n{error:#}"), "");
                return None;
            }
        };
        let first = versions.first();
        let mut others = self.read.values().flatten();
        if others.any(|other| other.first().id == first.id) {
            let expected = "one path for each contract";
            let what = format!("{} at a second one", first.id);
            found.problem(at, key, expected, what, "write the same path at every load");
            return None;
        }
        if first.currency.code != "USD" {
            let what = format!("a contract in {}", first.currency.code);
            let remedy = "leave `contract` and `tranche` out";
            found.problem(at, key, "a contract in USD", what, remedy);
            return None;
        }
        Some(versions)
    }

    /// Counts racks towards their tranche, and notes where they are more than it has
    /// or cannot be blocks of it.
    pub(super) fn count(
        &mut self,
        contracted: &Table,
        racks: &Racks,
        found: &mut Findings<'_>,
    ) {
        let Some(tranche) = racks.tranche() else { return };
        let of_contract = |one: &&Versions| one.first().id == tranche.contract;
        let Some(versions) = self.read.values().flatten().find(of_contract) else {
            return;
        };
        let (at, key) = (contracted.at("tranche"), contracted.key("tranche"));
        for contract in versions.all() {
            if let Some(sla) = &contract.sla
                && let Basis::Blocks { units, .. } = sla.basis
                && !racks.gpus_per_rack.is_multiple_of(units)
            {
                let expected = format!("racks that divide into blocks of {units} units");
                let what = format!("racks of {} GPUs", racks.gpus_per_rack);
                found.problem(at, &key, expected, what, "");
                return;
            }
        }
        let latest = versions.all().iter().rev();
        let terms = latest.filter_map(|one| one.tranche(&tranche.id)).next();
        let Some(Quantity::Gpus(most)) = terms.map(|terms| terms.quantity) else {
            return;
        };
        let gpus = self.gpus.entry(tranche.clone()).or_default();
        *gpus += i64::from(racks.machines.count) * i64::from(racks.gpus_per_rack);
        if *gpus > most {
            let expected = format!("at most the {most} GPUs of {}", tranche.id);
            found.problem(at, key, expected, format!("{gpus}"), "count fewer racks");
        }
    }
}
