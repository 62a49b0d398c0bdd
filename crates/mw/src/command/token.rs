//! `mw token`: who may come in to a run by HTTP.

use std::path::PathBuf;

use anyhow::bail;
use clap::{Args, Subcommand};
use serde_json::json;
use units::{Seconds, Timestamp};

use super::Ending;
use super::asking::line;
use super::backtest::print;
use crate::api::role::{Permission, Role};
use crate::api::token::{self, Wanted};
use crate::api::wall;
use crate::live::control::wish::instant;
use crate::live::status::text::rfc3339;

/// Say who may come in to a run by HTTP, in which role, and for how long.
#[derive(Debug, Subcommand)]
pub(super) enum Token {
    /// Make a token and print it, once: it is kept nowhere.
    Create(Create),
    /// List the tokens of a run, without what would let anybody in.
    List(List),
    /// Take a token back. A living run turns it away from then on.
    Revoke(Revoke),
}

#[derive(Debug, Args)]
pub(super) struct Create {
    /// The data folder of the run.
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// The person it belongs to, as the record will have them.
    #[arg(long, value_name = "NAME")]
    owner: String,
    /// What they may do.
    #[arg(long, value_enum)]
    role: Role,
    /// What the record calls their role, where it is another word, such as
    /// `rig technician`.
    #[arg(long, value_name = "ROLE")]
    title: Option<String>,
    /// Use it for these alone, where that is less than the role may.
    #[arg(long, value_enum, value_delimiter = ',', value_name = "PERMISSION")]
    only: Option<Vec<Permission>>,
    /// The tenant the person comes from, as the racks' record has it; with the role
    /// `tenant`, and with no other.
    #[arg(long, value_name = "NAME")]
    tenant: Option<String>,
    /// How long it is good for, such as `12h` or `90d`.
    #[arg(long = "for", value_name = "DURATION", default_value = "90d")]
    lasts: String,
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
pub(super) struct Revoke {
    /// The data folder of the run.
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// The token's name: the eight letters after `mw_pat_`.
    #[arg(value_name = "TOKEN")]
    id: String,
}

impl Token {
    pub(super) fn run(self) -> anyhow::Result<Ending> {
        match self {
            Self::Create(create) => create.run(),
            Self::List(list) => list.run(),
            Self::Revoke(revoke) => revoke.run(),
        }
    }
}

impl Create {
    fn run(self) -> anyhow::Result<Ending> {
        is_folder(&self.folder)?;
        let wanted = Wanted {
            owner: self.owner,
            role: self.role,
            title: self.title,
            scope: self.only,
            tenant: self.tenant,
            lasts: length(&self.lasts)?,
        };
        let (made, secret) = token::create(&self.folder, wanted, wall())?;
        let expires_at = rfc3339(made.expires_at);
        if self.json {
            print(&line(&json!({
                "token": secret, "id": made.id, "owner": made.owner,
                "role": made.role.word(), "expires_at": expires_at,
            })))?;
            return Ok(Ending::Well);
        }
        print(&format!("{secret}\n"))?;
        eprintln!(
            "This is shown once. It is {}'s as {}, until {expires_at}; take it back with \
             `mw token revoke {} {}`.",
            made.owner,
            made.role.word(),
            self.folder.display(),
            made.id
        );
        Ok(Ending::Well)
    }
}

impl List {
    fn run(self) -> anyhow::Result<Ending> {
        is_folder(&self.folder)?;
        let tokens = token::list(&self.folder)?;
        let now = wall();
        if self.json {
            let tokens: Vec<_> = tokens
                .iter()
                .map(|token| {
                    json!({
                        "id": token.id, "owner": token.owner, "role": token.role.word(),
                        "title": token.title, "tenant": token.tenant, "only": token.scope,
                        "made_at": rfc3339(token.made_at),
                        "expires_at": rfc3339(token.expires_at),
                        "has_ended": token.expires_at <= now,
                    })
                })
                .collect();
            print(&line(&tokens))?;
            return Ok(Ending::Well);
        }
        if tokens.is_empty() {
            print("Nobody has a token of this run.\n")?;
            return Ok(Ending::Well);
        }
        let mut text = format!("{:8}  {:12}  {:22}  owner\n", "token", "role", "until");
        for token in &tokens {
            let ended = if token.expires_at <= now { ", has ended" } else { "" };
            let only = token.scope.as_ref().map_or(String::new(), |scope| {
                let words: Vec<&str> = scope.iter().map(|one| one.word()).collect();
                format!(", only {}", words.join(","))
            });
            let tenant = token.tenant.as_ref();
            let of = tenant.map_or(String::new(), |tenant| format!(" of {tenant}"));
            text.push_str(&format!(
                "{:8}  {:12}  {:22}  {}{of}{only}{ended}\n",
                token.id,
                token.role.word(),
                rfc3339(token.expires_at),
                token.owner,
            ));
        }
        print(&text)?;
        Ok(Ending::Well)
    }
}

impl Revoke {
    fn run(self) -> anyhow::Result<Ending> {
        is_folder(&self.folder)?;
        if !token::revoke(&self.folder, &self.id)? {
            bail!(
                "expected the name of a token of this run, found `{}`; see `mw token list {}`",
                self.id,
                self.folder.display()
            );
        }
        print(&format!("The token {} lets nobody in any more.\n", self.id))?;
        Ok(Ending::Well)
    }
}

pub(super) fn is_folder(folder: &std::path::Path) -> anyhow::Result<()> {
    if !folder.is_dir() {
        bail!(
            "expected the data folder of a run, found none at {}; start the run first, or \
             make the folder",
            folder.display()
        );
    }
    Ok(())
}

/// A duration, as people write them.
fn length(text: &str) -> anyhow::Result<Seconds> {
    let start = Timestamp::from_unix_seconds(0);
    let is_duration = text.chars().all(|c| c.is_ascii_digit() || "dhms".contains(c));
    match instant(start, text) {
        Ok(end) if is_duration => Ok(end - start),
        Ok(_) | Err(_) => {
            bail!("expected a duration such as 12h or 90d, found `{text}`")
        }
    }
}
