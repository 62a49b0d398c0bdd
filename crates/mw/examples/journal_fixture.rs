//! Writes a small store of today's format, to be read by later programs:
//! `cargo run -p mw --example journal_fixture -- fixtures/journals/format-N`.

#[path = "../tests/it/driven.rs"]
mod driven;

use std::path::PathBuf;

use adapters::store::{Key, StoreAddress};
use anyhow::Context;
use driven::Driven;
use mw::config;
use mw::live::journal::{Journal, record_of};
use mw::records::{STORE, runtime};
use sim::campus::Tempers;
use units::{Power, Seconds, Timestamp};

fn main() -> anyhow::Result<()> {
    let folder =
        std::env::args_os().nth(1).map(PathBuf::from).context("name a folder")?;
    std::fs::create_dir_all(&folder)?;
    let file =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/it/live_kill/site.toml");
    let site = config::load(&file)?.site;
    let from = Timestamp::parse("2025-01-04T00:00Z").map_err(anyhow::Error::msg)?;
    let mut driven =
        Driven::new(&site, Tempers::few(Power::from_watts(5_000)), from, true);
    driven.advance(from + Seconds::minutes(21));
    let records: Vec<_> = driven.steps.iter().map(record_of).collect();
    // Nothing secret is signed with it.
    let key = Key::from_seed([7; 32]);
    let address = StoreAddress::file(&folder.join(STORE));
    runtime()?.block_on(async {
        let mut journal = Journal::begin(&address, key, &site, from).await?.journal;
        journal.append(&records).await?;
        journal.end(&driven.engine, None).await?;
        anyhow::Ok(())
    })?;
    // Only its writer needs it.
    std::fs::remove_file(folder.join(format!("{STORE}.lock")))?;
    Ok(())
}
