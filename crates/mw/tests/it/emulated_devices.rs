//! A whole site's devices and its grid at the addresses that its file gives them.

use std::path::Path;
use std::time::Duration;

use adapters::census::{Pace, search};
use engine::Ask;
use mw::census::Plan;
use mw::config;
use mw::demo;
use mw::emulate::Emulated;
use mw::emulate::devices::{Ways, answer};
use mw::emulate::rigs::Timing;
use mw::fleet::pins::Pins;
use mw::live::clock::Clock;
use sim::campus::Tempers;
use units::{Power, Seconds};

use crate::backtest::fresh;
use crate::emulated_openadr::{asks, context, feed_as};

/// The demonstration's campus at addresses of its own, with power shelves and a login of
/// the grid that no emulator has by itself.
fn campus(folder: &Path) -> config::LoadedSite {
    demo::write_site(folder).expect("a site");
    let file = folder.join("site.toml");
    let text = std::fs::read_to_string(&file).expect("a site file");
    let text = text.replace("127.77.", "127.82.");
    let text = text.replace(
        "trays = 18,",
        "trays = 18, shelves = \"127.82.30.1\", switches = \"127.82.31.1\",",
    );
    let text = text.replace(":18080\"", ":18080/openadr3/3.1.0\"");
    std::fs::write(&file, text).expect("written");
    std::fs::write(folder.join("login-grid"), "north:a secret+of its own")
        .expect("written");
    config::load(folder).expect("a site")
}

/// The grid that the site hears is told something and heard over its real protocol, with
/// the site's own login; the shelves are found by the census like everything else.
#[test]
fn a_sites_grid_and_shelves_answer_where_its_file_says() {
    let folder = fresh("emulated-campus");
    let loaded = campus(&folder);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let clock = Clock::wall();
        let site = Emulated::new(loaded.site.clone(), 1, Tempers::none(), clock);
        let ways = Ways { timing: Timing::Fast, hang_percent: 0, seed: 1 };
        let answering = answer(&site, &loaded, ways).await.expect("addresses of ours");
        assert_eq!(answering.devices(), 600 + 36 + 2 + 18);
        assert_eq!((answering.shelves().len(), answering.switches().len()), (2, 18));

        let [(at, grid)] = answering.grids() else { panic!("one grid") };
        assert_eq!(at.to_string(), "127.82.251.1:18080");
        grid.limit(Power::from_mw(2), Seconds::hours(1));
        let url = loaded.feeds[0].url.clone();
        let heard = tokio::task::spawn_blocking(move || {
            let mut feed = feed_as("north:a secret+of its own", &url, "demand-response");
            feed.poll(&context())
        });
        let heard = heard.await.expect("a thread").expect("it is heard");
        assert_eq!(asks(&heard), [Ask::Limit(Power::from_mw(2))]);

        let env = |_: &str| None;
        let plan = Plan::of(&loaded, &[], Vec::new(), &env, &Pins::default());
        let Plan { targets, expected } = plan.expect("a plan");
        let is_looked_at =
            |at: &str| ["127.82.30.", "127.82.31."].iter().any(|net| at.starts_with(net));
        assert_eq!(expected.keys().filter(|at| is_looked_at(at)).count(), 2 + 18);
        let targets = targets.into_iter().filter(|target| {
            is_looked_at(&target.at.to_string())
                && expected.contains_key(&target.at.to_string())
        });
        let pace = Pace { open_within: Duration::from_secs(20), ..Pace::of(1_000) };
        let found = search(targets.collect(), pace, |_| {}).await;
        let models: Vec<_> = found.values().map(|it| it.model.as_deref()).collect();
        let (shelves, switches) = models.split_at(2);
        assert_eq!(shelves, [Some("33 kW power shelf"); 2]);
        assert_eq!(switches, [Some("NVLink switch tray"); 18]);
    });
}
