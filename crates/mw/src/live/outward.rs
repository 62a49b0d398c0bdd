//! What a living run opens towards people and programs: the control socket, metrics
//! and a line to every contact.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use adapters::store::StoreAddress;
use clap::Args;
use engine::Engine;
use settle::contract::Versions;
use tokio::sync::mpsc::Sender;
use tokio::sync::watch;
use tracing::{info, warn};

use super::alarms::{self, Alarms};
use super::clock::Clock;
use super::control::server::{self, Open};
use super::control::speaker::Speaker;
use super::log::{self, Log};
use super::status::Board;
use super::{Happened, contacts, metrics};
use crate::api::Setup;
use crate::api::wire::{self, Listen};
use crate::config;

/// What a run opens, as asked for on the command line.
#[derive(Debug, Args)]
pub struct Options {
    /// Serve metrics for Prometheus and a health check at this address.
    #[arg(long, value_name = "ADDRESS")]
    metrics: Option<SocketAddr>,
    /// Serve the HTTP API and the console at this address. Who may come in has a token
    /// of `mw token create`.
    #[arg(long, value_name = "ADDRESS")]
    http: Option<SocketAddr>,
    /// The certificate chain to show, as PEM: then the address may be reached from
    /// beyond this machine.
    #[arg(long, value_name = "FILE", requires_all = ["http", "http_key"])]
    http_certificate: Option<PathBuf>,
    /// Its private key, as PEM.
    #[arg(long, value_name = "FILE", requires = "http_certificate")]
    http_key: Option<PathBuf>,
    /// How the log is written, to standard error.
    #[arg(long, value_enum, default_value_t = Log::Text)]
    log: Log,
}

/// Which run it is opened for.
pub struct For<'a> {
    /// The run's data folder.
    pub folder: &'a Path,
    /// Where the site file is.
    pub site_file: PathBuf,
    /// Who is told of alarms.
    pub contacts: &'a [config::Contact],
    /// The contracts that its racks serve.
    pub contracts: watch::Sender<Arc<Vec<Versions>>>,
    /// What is known of them beside the run's own record.
    pub facts: Option<&'a Path>,
    /// The engine, recovered.
    pub engine: &'a Engine,
    /// The site's time.
    pub clock: Clock,
    /// Where the journal is.
    pub store: &'a StoreAddress,
    /// The loop's inbox.
    pub mailbox: &'a Sender<Happened>,
}

/// What is open. Dropped, the control socket is gone.
#[derive(Debug)]
pub struct Outward {
    /// What others may look at.
    pub board: Board,
    /// Takes alarms to people.
    pub alarms: Alarms,
    /// Keeps the control socket there.
    pub control: Open,
}

impl Options {
    /// The API and the console at an address of this machine, and nothing else.
    pub fn console(http: SocketAddr, log: Log) -> Self {
        let (http_certificate, http_key) = (None, None);
        Self { metrics: None, http: Some(http), http_certificate, http_key, log }
    }

    /// Begins to log, for as long as what it returns is kept.
    pub fn log(&self) -> log::Kept {
        log::start(self.log)
    }

    /// The addresses that are listened on.
    pub fn listens(&self) -> Vec<SocketAddr> {
        [self.metrics, self.http].into_iter().flatten().collect()
    }

    /// Opens everything, before the loop begins.
    ///
    /// # Errors
    ///
    /// When another run lives in the folder, an address is taken, or a contact cannot
    /// be used: better found out now than at the first alarm.
    pub async fn open(&self, of: For<'_>) -> anyhow::Result<Outward> {
        let board = Board::default();
        let site = &of.engine.state().site;
        let env = |name: &str| std::env::var(name).ok();
        let lines: Result<Vec<_>, _> =
            of.contacts.iter().map(|contact| contacts::open(contact, &env)).collect();
        let mut alarms =
            Alarms::start(lines?, &site.name, of.folder, of.clock, &board, of.mailbox)?;
        if of.contacts.is_empty() {
            warn!(event = "nobody_is_told", "the site file has no contacts for alarms");
        } else {
            match alarms::last_deliveries(of.store).await {
                Ok(deliveries) => alarms.resume(of.engine, deliveries),
                Err(error) => {
                    // Told twice is better than not at all.
                    warn!(event = "deliveries_not_read", error = format!("{error:#}"));
                    alarms.resume(of.engine, Vec::new());
                }
            }
        }
        let (site_file, market) = (of.site_file, site.market.clone());
        let speaker = Arc::new(Speaker {
            board: board.clone(),
            mailbox: of.mailbox.clone(),
            clock: of.clock,
            folder: of.folder.to_owned(),
            store: of.store.clone(),
            reread: Box::new(move || {
                let loaded = config::load(&site_file)?;
                let mut site = loaded.site;
                // What the run is fed is of the market that it was started with.
                site.market = market.clone();
                Ok((site, loaded.contracts))
            }),
            contracts: of.contracts,
        });
        let control = server::open(of.folder, Arc::clone(&speaker))?;
        info!(event = "control_open", folder = %of.folder.display());
        if let Some(address) = self.http {
            let (certificate, key) = (&self.http_certificate, &self.http_key);
            let listen = Listen::of(address, certificate.as_deref(), key.as_deref())?;
            let scheme = if listen.tls.is_some() { "https" } else { "http" };
            let setup = Setup::of(of.folder, Arc::clone(&speaker), of.facts)?;
            let address = wire::open(listen, setup)?;
            info!(event = "http_open", address = %address, url = %format!("{scheme}://{address}/"));
        }
        if let Some(address) = self.metrics {
            let address = metrics::serve(address, board.clone())?;
            info!(event = "metrics_open", address = %address);
        }
        Ok(Outward { board, alarms, control })
    }
}
