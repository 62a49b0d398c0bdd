//! A demonstration: a whole campus on this machine, run as any site is.
//!
//! ```text
//! scenes ──► emulated devices, grid and prices ◄──wires──► a living run ──► console
//!                                                              └──► lines on the terminal
//! ```
//!
//! Everything is in one process and in a folder of its own: what it started ends with
//! it, and nothing of it was ever real.
//!
//! Invariant: only loopback is listened on and connected to.

pub mod delivery;
pub mod narrate;
pub mod scenario;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use adapters::fleet::Pace;
use adapters::store::StoreAddress;
use anyhow::{Context, ensure};
use sim::campus::Tempers;
use sim::hall::Hall;
use tokio::sync::mpsc::{Sender, channel};
use units::{Seconds, Timestamp};

use crate::api::role::Role;
use crate::api::token::{self, Wanted};
use crate::api::wall;
use crate::config::{self, LoadedSite};
use crate::emulate::Emulated;
use crate::emulate::devices::{Answering, Ways, answer};
use crate::emulate::openadr::{VEN, Vtn};
use crate::emulate::redfish::Fault;
use crate::emulate::rigs::Timing;
use crate::feed::Feed;
use crate::fleet::Driven;
use crate::fleet::pins::Pins;
use crate::live::Happened;
use crate::live::clock::Clock;
use crate::live::devices::Against;
use crate::live::launch::{INBOX, INFORMED_AFTER, Launch};
use crate::live::log::Log;
use crate::live::outward;
use crate::live::racks::InHand;
use crate::live::status::Board;
use crate::records::STORE;
use delivery::{Delivery, Said, TENANT};
use narrate::Narrator;
use scenario::{EMERGENCY_LASTS, Scene};

/// The campus, as it is written.
const SITE: &str = include_str!("../../../examples/demo-campus/site.toml");

/// The contract that its racks serve.
const CONTRACT: &str = include_str!("../../../examples/demo-campus/contract.toml");

/// What devices and the grid are logged in with; nobody else's.
const LOGINS: [(&str, &str); 3] = [
    ("login-rigs", "demo-rigs"),
    ("login-racks", "demo:demo-racks"),
    ("login-grid", VEN),
];

/// Which tray of the first rack fails.
const TRAY_FAILS: usize = 4;

/// How often the terminal looks for something to tell.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// How a demonstration is run.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where everything is kept; made, and nobody else's.
    pub folder: PathBuf,
    /// Where the console listens; loopback.
    pub http: SocketAddr,
    /// How many seconds of the campus pass in one of the wall.
    pub speed: u32,
    /// When it ends by itself, by the wall.
    pub lasts: Option<Duration>,
}

/// The site file of the demonstration and its logins, written into its folder.
///
/// # Errors
///
/// When they cannot be written or read back.
pub fn write_site(folder: &Path) -> anyhow::Result<LoadedSite> {
    use std::io::Write;
    use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};

    let mut private = std::fs::DirBuilder::new();
    private.mode(0o700).recursive(true).create(folder)?;
    for (name, content) in
        LOGINS.into_iter().chain([("site.toml", SITE), ("contract.toml", CONTRACT)])
    {
        let mut options = std::fs::OpenOptions::new();
        options.mode(0o600).write(true).create(true).truncate(true);
        let path = folder.join(name);
        let written =
            options.open(&path).and_then(|mut f| f.write_all(content.as_bytes()));
        written.with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(config::load(&folder.join("site.toml"))?)
}

/// Runs a demonstration until it is stopped, and tells `say` what happens, line by line.
/// `feed` has the prices from `from` on.
///
/// # Errors
///
/// When an address is taken, as by another demonstration, or a run cannot be started.
pub async fn run(
    settings: &Settings,
    loaded: &LoadedSite,
    mut feed: Feed,
    from: Timestamp,
    say: &mut dyn FnMut(&str) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let clock = Clock::set(from, settings.speed);
    scenario::with_spike(&mut feed, scenario::spike(from, settings.speed));
    let campus = Emulated::new(loaded.site.clone(), 1, Tempers::none(), clock)
        .with_dynamics(Timing::Fast.dynamics());
    let ways = Ways { timing: Timing::Fast, hang_percent: 0, seed: 1 };
    let answering = answer(&campus, loaded, ways).await.context(
        "cannot put the campus on this machine's loopback; another demonstration may \
         be running",
    )?;
    let (_, vtn) = answering.grids().first().context("the campus hears a grid")?;
    let (mailbox, inbox) = channel(INBOX);
    // The meter is read as often in the campus' time as a real one in ours.
    let pace = Pace::default();
    let pace = Pace { meter_every: pace.meter_every / settings.speed.min(20), ..pace };
    let devices =
        Driven::start(loaded, vec![settings.http], pace, clock, Pins::default())?;
    let owner = Wanted {
        owner: "demo".to_owned(),
        role: Role::Admin,
        title: None,
        scope: None,
        tenant: None,
        lasts: Seconds::hours(24),
    };
    let tenant = Wanted {
        owner: format!("{TENANT}'s desk"),
        role: Role::Tenant,
        tenant: Some(TENANT.to_owned()),
        ..owner.clone()
    };
    let (_, token) = token::create(&settings.folder, owner, wall())?;
    let (_, tenants) = token::create(&settings.folder, tenant, wall())?;
    let ready = Launch {
        loaded,
        feed: &feed,
        against: Against::Devices(devices),
        folder: &settings.folder,
        store: &StoreAddress::file(&settings.folder.join(STORE)),
        found: None,
        site_file: loaded.path.clone(),
        signals: None,
        facts: None,
        estate: None,
        hands: Some(InHand::Hall(Hall::default())),
        outward: &outward::Options::console(settings.http, Log::Text),
    }
    .prepare(mailbox.clone(), inbox)
    .await?;
    let board = ready.board();
    say(&opening(settings, &answering, &token, &tenants))?;

    let stage = Stage { answering: &answering, vtn, board, settings };
    let played = stage.play(mailbox, say);
    let (lived, played) = tokio::join!(ready.run(), played);
    lived?;
    played
}

fn opening(
    settings: &Settings,
    answering: &Answering,
    token: &str,
    tenants: &str,
) -> String {
    format!(
        "A campus of {} devices is on this machine's loopback, {} seconds of it in one.\n\
         Console  http://{}/   token {token}\n\
         A tenant's           token {tenants}\n\
         Once racks are tested, try it as aurora: 64 GPUs of its second tranche.\n\
         \u{20} curl http://{}/v1/capacity/reserve -H 'Authorization: Bearer {tenants}' \\\n\
         \u{20}   -H 'Idempotency-Key: try-1' -H 'Content-Type: application/json' \\\n\
         \u{20}   -d '{{\"contract\":\"AURORA\",\"tranche\":\"H2\",\"gpus\":64,\"trays_per_block\":16}}'\n\
         Folder   {}\n\
         Ctrl-C ends everything.\n",
        answering.devices(),
        settings.speed,
        settings.http,
        settings.http,
        settings.folder.display()
    )
}

/// Where the scenes are played.
struct Stage<'a> {
    answering: &'a Answering,
    vtn: &'a Vtn,
    board: Board,
    settings: &'a Settings,
}

impl Stage<'_> {
    /// Plays the scenes and tells what comes of them, until somebody stops it or the
    /// time is up; then the run is told to stop.
    async fn play(
        &self,
        mailbox: Sender<Happened>,
        say: &mut dyn FnMut(&str) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let told = self.tell(say, &mailbox).await;
        // The loop may have ended already.
        drop(mailbox.send(Happened::Stop(None)).await);
        told
    }

    async fn tell(
        &self,
        say: &mut dyn FnMut(&str) -> anyhow::Result<()>,
        mailbox: &Sender<Happened>,
    ) -> anyhow::Result<()> {
        let began = tokio::time::Instant::now();
        let mut scenes = Scene::ALL.into_iter().peekable();
        let mut narrator = Narrator::default();
        let mut delivery = Delivery::default();
        let stopped = tokio::signal::ctrl_c();
        tokio::pin!(stopped);
        let end = self.settings.lasts.map(|lasts| began + lasts);
        loop {
            let look = tokio::time::sleep(LOOK_EVERY);
            tokio::select! {
                stopped = &mut stopped => {
                    stopped?;
                    return say("Ending what was started.");
                }
                () = mailbox.closed() => return Ok(()),
                () = look => {}
            }
            while let Some((_, scene)) = scenes.next_if(|(at, _)| began.elapsed() >= *at)
            {
                say(&format!("--- {}", scene.words()))?;
                self.set(scene)?;
            }
            let estate = self.board.estate();
            if let Some(said) = delivery.next(estate.as_deref(), began.elapsed()) {
                let Said { events, words } = said;
                say(&format!("--- {words}"))?;
                for (by, body) in events {
                    let body = Box::new(body);
                    // The loop may have ended already.
                    drop(mailbox.send(Happened::Estate { by, body, answer: None }).await);
                }
            }
            if let Some(status) = self.board.status() {
                for line in narrator.tell(&status) {
                    say(&line)?;
                }
            }
            if end.is_some_and(|end| tokio::time::Instant::now() >= end) {
                return say("The time is up; ending what was started.");
            }
        }
    }

    fn set(&self, scene: Scene) -> anyhow::Result<()> {
        let tray = || {
            let rack = self.answering.racks().first();
            let tray = rack.and_then(|rack| rack.trays().get(TRAY_FAILS));
            tray.context("the campus has a rack of trays")
        };
        match scene {
            Scene::Spike => {}
            Scene::Emergency => {
                self.vtn.emergency("Energy emergency alert, level 2", EMERGENCY_LASTS);
            }
            Scene::TrayFails => tray()?.take(Fault::Hangs),
            Scene::TrayBack => tray()?.calm(),
        }
        Ok(())
    }
}

/// When the campus' day begins: when enough is known to be informed by.
///
/// # Errors
///
/// When too little is known to be informed by.
pub fn begins(range: units::Interval) -> anyhow::Result<Timestamp> {
    ensure!(
        range.start + INFORMED_AFTER < range.end,
        "expected prices of more than three days, found {} to {}",
        range.start,
        range.end
    );
    Ok(range.start + INFORMED_AFTER)
}
