//! `mw backup`: a live run's store, copied while it is written to.

use std::path::PathBuf;

use adapters::store::{Access, Store, backup};
use anyhow::bail;
use clap::Args;
use serde_json::json;

use super::Ending;
use super::backtest::print;
use super::verify::Progress;
use crate::capacity::judging::BUNDLES;
use crate::records::{KEY, Place, Records, runtime};

/// Copy a run's store into one file, while the run goes on.
///
/// The copy is the same store: the same records, chain and signatures. The signing
/// key, the site file and signed evidence are not in it.
#[derive(Debug, Args)]
pub(super) struct Backup {
    /// The run's folder, its store's file, or the address of its store.
    run: String,
    /// The file to write; it appears when it is whole.
    file: PathBuf,
    /// Print the outcome as JSON.
    #[arg(long)]
    json: bool,
}

impl Backup {
    pub(super) fn run(self) -> anyhow::Result<Ending> {
        let place = Place::of(&self.run)?;
        let Place::Store(address) = &place else {
            bail!(
                "expected a live run's store at {}, found a journal file; copy it as it is",
                self.run
            );
        };
        let site = Records::open(&place)?.head().site.name.clone();
        let mut progress = Progress::new("copied");
        let done = runtime()?.block_on(async {
            let mut store = Store::open(address, Access::Read).await?;
            let done =
                backup(&mut store, &self.file, &mut |at, of| progress.at(at, of)).await?;
            store.close().await?;
            Ok::<_, anyhow::Error>(done)
        })?;
        drop(progress);
        let file = self.file.display();
        if self.json {
            let outcome = json!({
                "file": file.to_string(),
                "site": site,
                "store": done.store.to_string(),
                "last_record": done.tail.seq,
                "chain": done.tail.chain.to_string(),
            });
            print(&format!("{outcome}\n"))?;
            return Ok(Ending::Well);
        }
        print(&format!(
            "Wrote {file}: {site}, {} records\n\
             Not in it, keep them apart: the signing key ({KEY} in the run's folder), the site \
             file, and the signed evidence of acceptances ({BUNDLES} in the run's folder)\n",
            done.tail.seq
        ))?;
        Ok(Ending::Well)
    }
}
