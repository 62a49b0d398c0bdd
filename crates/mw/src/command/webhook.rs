//! `mw webhook`: who is posted a tenant's events.

use std::path::PathBuf;

use anyhow::bail;
use clap::{Args, Subcommand};
use serde_json::json;

use super::Ending;
use super::asking::line;
use super::backtest::print;
use crate::api::racks::hooks;
use crate::live::status::text::rfc3339;

/// Say who is posted what a tenant hears of its racks.
#[derive(Debug, Subcommand)]
pub(super) enum Webhook {
    /// Make a webhook and print what signs it, once: it is shown nowhere else.
    Create(Create),
    /// List the webhooks of a run, without where they go and what signs them.
    List(List),
    /// Post to a webhook no more. A living run stops at once.
    Remove(Remove),
}

#[derive(Debug, Args)]
pub(super) struct Create {
    /// The data folder of the run.
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// The tenant whose events are posted.
    #[arg(long, value_name = "NAME")]
    tenant: String,
    /// Where to: `https://host/path`.
    #[arg(long, value_name = "URL")]
    url: String,
    /// Allow plain HTTP to another machine, on a network of your own.
    #[arg(long)]
    allow_plain: bool,
    /// Print it as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(super) struct List {
    /// The data folder of the run.
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// Print the list as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(super) struct Remove {
    /// The data folder of the run.
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// The webhook's name, of `mw webhook list`.
    #[arg(value_name = "WEBHOOK")]
    id: String,
}

impl Webhook {
    pub(super) fn run(self) -> anyhow::Result<Ending> {
        match self {
            Self::Create(create) => create.run(),
            Self::List(list) => list.run(),
            Self::Remove(remove) => remove.run(),
        }
    }
}

impl Create {
    fn run(self) -> anyhow::Result<Ending> {
        super::token::is_folder(&self.folder)?;
        let (made, secret) =
            hooks::create(&self.folder, &self.tenant, &self.url, self.allow_plain)?;
        if self.json {
            let made = json!({ "id": made.id, "tenant": made.tenant, "secret": secret });
            print(&line(&made))?;
            return Ok(Ending::Well);
        }
        print(&format!("{secret}\n"))?;
        eprintln!(
            "This is shown once: it signs what is posted to {}'s receiver. Take it back \
             with `mw webhook remove {} {}`.",
            made.tenant,
            self.folder.display(),
            made.id
        );
        Ok(Ending::Well)
    }
}

impl List {
    fn run(self) -> anyhow::Result<Ending> {
        super::token::is_folder(&self.folder)?;
        let hooks = hooks::list(&self.folder)?;
        if self.json {
            let hooks: Vec<_> = hooks
                .iter()
                .map(|hook| {
                    json!({
                        "id": hook.id, "tenant": hook.tenant,
                        "made_at": rfc3339(hook.made_at),
                    })
                })
                .collect();
            print(&line(&hooks))?;
            return Ok(Ending::Well);
        }
        if hooks.is_empty() {
            print("Nobody is posted anything.\n")?;
            return Ok(Ending::Well);
        }
        let lines = hooks.iter().map(|hook| {
            format!("{}  {}  since {}\n", hook.id, hook.tenant, rfc3339(hook.made_at))
        });
        print(&lines.collect::<String>())?;
        Ok(Ending::Well)
    }
}

impl Remove {
    fn run(self) -> anyhow::Result<Ending> {
        super::token::is_folder(&self.folder)?;
        if !hooks::remove(&self.folder, &self.id)? {
            bail!(
                "expected the name of a webhook of this run, found `{}`; see `mw webhook \
                 list {}`",
                self.id,
                self.folder.display()
            );
        }
        print(&format!("The webhook {} is posted to no more.\n", self.id))?;
        Ok(Ending::Well)
    }
}
