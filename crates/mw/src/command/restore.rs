//! `mw restore`: a run's data folder, made from a backup.

use std::path::PathBuf;

use adapters::store::{Expected, PublicKey, StoreAddress, restore};
use anyhow::Context;
use clap::Args;
use serde_json::json;

use super::Ending;
use super::backtest::print;
use super::verify::Progress;
use crate::records::{KEY, STORE, address_of, runtime};

/// Make a run's data folder from a backup.
///
/// The backup is checked before and the copy after. The run goes on from there with
/// the signing key that it began with.
#[derive(Debug, Args)]
pub(super) struct Restore {
    /// The backup.
    file: PathBuf,
    /// The data folder to make, or to put the store into.
    folder: PathBuf,
    /// Put the store here instead: a path, `sqlite:PATH` or `postgres://…`.
    #[arg(long, value_name = "STORE")]
    store: Option<String>,
    /// The public key that must have signed, from a source other than the backup.
    #[arg(long, value_name = "HEX", value_parser = PublicKey::parse)]
    key: Option<PublicKey>,
    /// Print the outcome as JSON.
    #[arg(long)]
    json: bool,
}

impl Restore {
    pub(super) fn run(self) -> anyhow::Result<Ending> {
        let folder = self.folder.display();
        std::fs::create_dir_all(&self.folder)
            .with_context(|| format!("cannot make the folder {folder}"))?;
        let address = match &self.store {
            Some(text) => address_of(text)?,
            None => StoreAddress::file(&self.folder.join(STORE)),
        };
        let expected = Expected { key: self.key, witnessed: Vec::new() };
        let mut progress = Progress::new("restored");
        let verdict = runtime()?.block_on(restore(
            &self.file,
            &address,
            &expected,
            &mut |at, of| progress.at(at, of),
        ))?;
        drop(progress);
        let has_key = self.folder.join(KEY).is_file();
        if self.json {
            let outcome = json!({
                "folder": folder.to_string(),
                "store": verdict.store.to_string(),
                "public_key": verdict.key.to_string(),
                "last_record": verdict.tail.seq,
                "signed_up_to_record": verdict.covered,
                "has_key": has_key,
            });
            print(&format!("{outcome}\n"))?;
            return Ok(Ending::Well);
        }
        print(&format!(
            "Wrote {address}: {} records, signed up to record {} by {}\n",
            verdict.tail.seq, verdict.covered, verdict.key
        ))?;
        if !has_key {
            print(&format!(
                "Before it goes on: put the signing key of that public key at {}\n",
                self.folder.join(KEY).display()
            ))?;
        }
        Ok(Ending::Well)
    }
}
