//! A site file as written, and the site as meant.
//!
//! [`load`] reads a folder with a `site.toml`, or the file itself, in two
//! stages: `written` reads the text against the declared `keys`; the rest turns
//! what is written into an [`engine::Site`], where every name is an index, every
//! local date an instant and every curve in order. All problems that can be
//! found are found in one reading.
//!
//! Invariant: nothing of a broken file comes out. Numbers go from decimal text
//! to exact integers.

mod contacts;
mod contracts;
mod devices;
mod entries;
mod feeds;
mod keys;
mod loads;
mod machines;
mod network;
mod problem;
mod programmes;
mod ramps;
mod reference;
mod tariff;
mod workload;
mod written;

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use engine::Site;
use engine::site::{DecideOn, ForecastFrom, Interconnection, LookAhead, Market, Policy};
use jiff::tz::TimeZone;
use settle::contract::Versions;
use units::{Power, Seconds, Share};

pub use contacts::{Contact, KeptIn, ReachedBy};
pub use devices::{Devices, Placed, Vendor};
pub use feeds::OpenAdr;
pub use problem::{Problem, SiteErrors};
pub use reference::{machines_reference, reference};

use contracts::Contracts;
use keys::{POLICY, SITE};
use loads::Loads;
use network::{Feeders, Halls};
use problem::Findings;
use written::Table;

/// A site file that is right.
#[derive(Clone, Debug)]
pub struct LoadedSite {
    /// The site as meant.
    pub site: Site,
    /// A sentence about it, if the file has one.
    pub description: Option<String>,
    /// The market's time zone: its days and months are counted in it.
    pub time_zone: TimeZone,
    /// Who is told of alarms.
    pub contacts: Vec<Contact>,
    /// Where its devices are.
    pub devices: Devices,
    /// Where programmes' events come from.
    pub feeds: Vec<OpenAdr>,
    /// The contracts its racks serve, by id.
    pub contracts: Vec<Versions>,
    /// What a person should look at, though it is not wrong.
    pub warnings: Vec<String>,
    /// The file read.
    pub path: PathBuf,
    /// Its text.
    pub text: String,
}

/// The name of a site file in its folder.
const FILE_NAME: &str = "site.toml";

/// The largest site file. Chosen: a thousand times the largest example.
const BYTES_MAX: u64 = 4 << 20;

/// The version of the format this program reads.
const FORMAT: u32 = 1;

/// Reads the site in a folder, or in a file.
///
/// # Errors
///
/// Everything that is wrong with the file: what cannot be read, what is not
/// TOML, what a key or value should be, and what does not go together.
pub fn load(path: &Path) -> Result<LoadedSite, SiteErrors> {
    let path = if path.is_dir() { path.join(FILE_NAME) } else { path.to_owned() };
    let text = read_text(&path)?;
    read(&path, text)
}

fn read_text(path: &Path) -> Result<String, SiteErrors> {
    let wrong = |expected: &str, what: String, remedy: &str| {
        SiteErrors::whole_file(path, expected, what, remedy)
    };
    let expected = "a site file, or a folder with a `site.toml`";
    let io = |error: std::io::Error| {
        if error.kind() != std::io::ErrorKind::NotFound {
            return wrong(
                expected,
                error.to_string(),
                "check the path and who may read it",
            );
        }
        let in_folder =
            path.ends_with(FILE_NAME) && path.parent().is_some_and(Path::is_dir);
        let what = if in_folder { "a folder without one" } else { "nothing there" };
        wrong(expected, what.to_owned(), "check the path")
    };
    let kind = path.metadata().map_err(io)?;
    if !kind.is_file() {
        return Err(wrong(
            expected,
            "something that is not a file".to_owned(),
            "check the path",
        ));
    }
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(io)?;
    file.take(BYTES_MAX + 1).read_to_end(&mut bytes).map_err(io)?;
    if bytes.len() as u64 > BYTES_MAX {
        let most = format!("a site file of at most {} MiB", BYTES_MAX >> 20);
        return Err(wrong(&most, "a larger file".to_owned(), "check the path"));
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let line =
            1 + error.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count();
        let what = format!("bytes that are not, on line {line}");
        wrong("text in UTF-8", what, "save the file as UTF-8")
    })
}

/// Reads a site from the text of a file.
///
/// # Errors
///
/// As [`load`], but for what concerns the file system.
pub fn read(path: &Path, text: String) -> Result<LoadedSite, SiteErrors> {
    let mut found = Findings::new(&text);
    let root = written::read(&SITE, &mut found);
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut contracts = Contracts::beside(folder);
    let meant =
        root.as_ref().and_then(|root| meant(root, folder, &mut contracts, &mut found));
    let feeds = root.as_ref().map(|root| feeds::feeds(root, folder, &mut found));
    let contacts = root.map(|root| contacts::contacts(&root, folder, &mut found));
    let warnings = found.finish(path)?;
    let Meant { site, time_zone, description, devices } =
        meant.expect("a file without problems has a site");
    Ok(LoadedSite {
        site,
        description,
        time_zone,
        devices,
        contacts: contacts.unwrap_or_default(),
        feeds: feeds.unwrap_or_default(),
        contracts: contracts.list(),
        warnings,
        path: path.to_owned(),
        text,
    })
}

/// What a site file says of the site itself.
struct Meant {
    site: Site,
    time_zone: TimeZone,
    description: Option<String>,
    devices: Devices,
}

/// The site that is meant; `None` where what is written does not give one.
fn meant(
    root: &Table,
    folder: &Path,
    contracts: &mut Contracts,
    found: &mut Findings<'_>,
) -> Option<Meant> {
    if root.count("format").is_some_and(|format| format != FORMAT) {
        let what = root.shown("format");
        let remedy = "this program reads no other version";
        found.problem(root.at("format"), "format", FORMAT.to_string(), what, remedy);
        return None;
    }
    // Without a zone there is nothing right to date by; UTC keeps the rest readable.
    let zone = time_zone(root, found).unwrap_or(TimeZone::UTC);
    let feeders = Feeders::of(root, found);
    let halls = Halls::of(root, &feeders, found);
    let loads = Loads::of(root, &feeders, &halls, contracts, found);
    let mut site = Site {
        name: root.text("name").unwrap_or_default().to_owned(),
        market: market(root),
        interconnection: interconnection(root, found),
        feeders: feeders.list.clone(),
        halls: halls.list.clone(),
        tariff: tariff::tariff(root, &zone, found),
        pool_fee: pool_fee(root, found),
        loads: loads.list.clone(),
        programmes: Vec::new(),
        lock_outs: entries::lock_outs(root, &loads, &zone, found),
        holds: Vec::new(),
        policy: policy(root, found),
    };
    site.holds = entries::holds(root, &site, &loads, &zone, found);
    site.programmes =
        programmes::programmes(root, &loads, site.interconnection.import_limit, found);
    network::check_limits(&site, root, &feeders, found);
    ramps::check_ramps(root, &site, found);
    let devices = devices::devices(root, &site, &loads, folder, found);
    let description = root.text("description").map(str::to_owned);
    Some(Meant { site, time_zone: zone, description, devices })
}

fn time_zone(root: &Table, found: &mut Findings<'_>) -> Option<TimeZone> {
    let market = root.table("market")?;
    let (name, key) = (market.text("name")?, "time_zone");
    let known = adapters::history::markets()
        .find(|known| known.name == name)
        .map(|known| known.zone);
    let zone = match (known, market.text(key)) {
        (Some(known), Some(zone)) if zone != known => {
            let remedy = format!("leave it out: {name} keeps its own time");
            let expected = format!("\"{known}\"");
            found.problem(
                market.at(key),
                market.key(key),
                expected,
                market.shown(key),
                remedy,
            );
            return None;
        }
        (Some(known), _) => known,
        (None, Some(zone)) => zone,
        (None, None) if market.writes(key) => return None,
        (None, None) => {
            let names: Vec<_> =
                adapters::history::markets().map(|known| known.name).collect();
            let near = written::nearest(name, names.iter().copied());
            let mut remedy =
                "for another market, write its `time_zone` as well".to_owned();
            if let Some(near) = near {
                remedy = format!("did you mean \"{near}\"? {remedy}");
            }
            let (at, key) = (market.at("name"), market.key("name"));
            found.problem(at, key, names.join(", "), market.shown("name"), remedy);
            return None;
        }
    };
    let read = TimeZone::get(zone).ok();
    if read.is_none() {
        found.problem(
            market.at(key),
            market.key(key),
            "a time zone by its IANA name, such as America/Chicago",
            market.shown(key),
            "",
        );
    }
    read
}

fn market(root: &Table) -> Market {
    let text = |key| {
        let market = root.table("market");
        market.and_then(|market| market.text(key)).unwrap_or_default().to_owned()
    };
    Market { name: text("name"), settlement_point: text("settlement_point") }
}

fn interconnection(root: &Table, found: &mut Findings<'_>) -> Interconnection {
    let table = root.table("interconnection");
    let power = |key| table.and_then(|table| table.power(key));
    let down = power("ramp_down_mw_per_minute");
    let emergency = power("ramp_emergency_mw_per_minute");
    if let (Some(table), Some(emergency)) = (table, emergency)
        && down.map_or(!table.writes("ramp_down_mw_per_minute"), |down| emergency < down)
    {
        let key = "ramp_emergency_mw_per_minute";
        let expected = match down {
            Some(_) => format!(
                "at least `ramp_down_mw_per_minute`, {}",
                table.shown("ramp_down_mw_per_minute"),
            ),
            None => "it beside `ramp_down_mw_per_minute`".to_owned(),
        };
        let remedy = "an emergency is no slower than a day without one";
        found.problem(table.at(key), table.key(key), expected, table.shown(key), remedy);
    }
    Interconnection {
        import_limit: power("import_limit_mw").unwrap_or(Power::from_mw(1_000_000)),
        export_limit: power("export_limit_mw").unwrap_or(Power::ZERO),
        ramp_up_per_minute: power("ramp_up_mw_per_minute"),
        ramp_down_per_minute: down,
        ramp_emergency_per_minute: emergency,
    }
}

fn pool_fee(root: &Table, found: &mut Findings<'_>) -> Share {
    if let Some(rigs) = root.tables("rigs").first()
        && !root.writes("pool")
    {
        let remedy = "write `[pool]` with `fee_percent`";
        found.problem(
            rigs.start(),
            "pool",
            "a pool, since the site mines",
            "nothing",
            remedy,
        );
    }
    root.table("pool").and_then(|pool| pool.share("fee_percent")).unwrap_or(Share::ZERO)
}

fn policy(root: &Table, found: &mut Findings<'_>) -> Policy {
    let default = written::defaults(&POLICY);
    let table = root.table("policy").unwrap_or(&default);
    let seconds = |key| table.seconds(key).unwrap_or(Seconds::ZERO);
    Policy {
        decide_on: match table.text("decide_on") {
            Some("day_ahead") => DecideOn::DayAhead,
            _ => DecideOn::RealTime,
        },
        follows_price: table.flag("follows_price").unwrap_or(true),
        hysteresis: table.energy_price("hysteresis_usd_per_mwh").unwrap_or_default(),
        restart_spread: seconds("restart_spread_minutes"),
        hashprice_age_max: seconds("hashprice_age_max_hours"),
        stale_price_hold: seconds("stale_price_hold_minutes"),
        lease: lease(table, found),
        look_ahead: look_ahead(table, found),
    }
}

/// How far decisions look ahead: no further than what bounds their cost.
fn look_ahead(policy: &Table, found: &mut Findings<'_>) -> LookAhead {
    let length = policy.seconds("look_ahead_hours").unwrap_or(Seconds::ZERO);
    if length > LookAhead::LONGEST {
        let key = "look_ahead_hours";
        let shown = policy.shown(key);
        found.problem(policy.at(key), policy.key(key), "at most 72", shown, "");
    }
    let days = policy.count("forecast_quantile_days").unwrap_or(QUANTILE_DAYS_MAX);
    if days > QUANTILE_DAYS_MAX {
        let key = "forecast_quantile_days";
        let shown = policy.shown(key);
        let expected = format!("at most {QUANTILE_DAYS_MAX}");
        found.problem(policy.at(key), policy.key(key), expected, shown, "");
    }
    let share = policy.share("forecast_quantile_percent").unwrap_or(Share::ZERO);
    LookAhead {
        length,
        forecast: match policy.text("forecast") {
            Some("day_ahead") => ForecastFrom::DayAhead,
            Some("quantile") => ForecastFrom::Quantile { share, days },
            Some("file") => ForecastFrom::Told,
            _ => ForecastFrom::Persistence,
        },
    }
}

/// Of how many days a quantile is at the most: what is kept of each quarter.
const QUANTILE_DAYS_MAX: u32 = 60;

/// How long machines hold an order: no less than a minute, so that a slow network
/// is not taken for a dead program.
fn lease(policy: &Table, found: &mut Findings<'_>) -> Seconds {
    let key = "lease_seconds";
    let lease = policy.seconds(key).unwrap_or(Seconds::minutes(10));
    if lease < Seconds::minutes(1) {
        let shown = policy.shown(key);
        found.problem(policy.at(key), policy.key(key), "at least 60", shown, "");
    }
    lease
}
