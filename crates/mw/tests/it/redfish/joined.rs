//! A rack whose switch trays and power shelf are behind Redfish services too.

use std::net::SocketAddr;
use std::sync::Arc;

use adapters::deliver::Secret;
use adapters::device::redfish::{
    Login, Security, Shelf as DrivenShelf, SwitchTray as Driven,
};
use engine::capacity::RackNo;
use mw::emulate::redfish::{Rack, Shelf, SwitchTray};
use mw::live::clock::Clock;
use mw::live::trays::Joined;
use tokio::net::TcpListener;
use units::Timestamp;

use super::estate::Scene;
use super::{reached, run};

fn login() -> Option<(String, String)> {
    Some(("operator".to_owned(), "secret".to_owned()))
}

fn logs_in() -> Option<Login> {
    let (user, password) = login()?;
    Some(Login { user, password: Secret::new(password) })
}

async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.44.9.1:0").await.expect("an address");
    let at = listener.local_addr().expect("it listens");
    (listener, at)
}

/// Nine switch trays and a shelf, and whoever looks at them.
async fn joined(scene: &Scene) -> (Vec<SwitchTray>, Shelf, Joined) {
    let clock = Clock::set(Timestamp::from_unix_seconds(1_790_000_000), 1);
    let (mut switches, mut driven) = (Vec::new(), Vec::new());
    for number in 0..9 {
        let (listener, at) = listen().await;
        let switch = SwitchTray::new(number, login(), clock);
        let served = switch.clone();
        tokio::spawn(async move { served.serve(listener).await });
        driven.push(Arc::new(Driven::new(reached(at), Security::Plain, logs_in())));
        switches.push(switch);
    }
    let (listener, at) = listen().await;
    let shelf = Shelf::new(1, Rack::new(scene.trays.clone()), login(), clock);
    let served = shelf.clone();
    tokio::spawn(async move { served.serve(listener).await });
    let fed = DrivenShelf::new(reached(at), Security::Plain, logs_in());
    (switches, shelf, Joined::by(driven, Some(Arc::new(fed))))
}

/// The rack as it was last seen: switch trays, shelves, and whether it is whole.
fn rack(scene: &Scene) -> (u16, u8, Option<bool>) {
    let shows = scene.estate.rack(RackNo(0)).shows.expect("a look").1;
    (shows.switches, shows.shelves, scene.estate.is_intact(RackNo(0)))
}

#[test]
fn a_switch_tray_that_breaks_makes_a_domain_that_is_not_whole_until_it_is_well() {
    run(async {
        let mut scene = Scene::burning_in().await;
        let (switches, shelf, joined) = joined(&scene).await;
        scene.join(joined);
        scene.look().await;
        assert_eq!(rack(&scene), (0x1ff, 0xff, Some(true)));

        switches[3].breaks(true);
        shelf.fail(2, true);
        let sweep = scene.look().await;
        assert_eq!(sweep.racks.len(), 1);
        assert_eq!(rack(&scene), (0x1f7, 0xfe, Some(false)));
        let tray = scene.estate.rack(RackNo(0)).first;
        assert!(scene.estate.unfree(tray).is_some());
        // What stays as it is is not told again.
        assert_eq!(scene.look().await.racks.len(), 0);

        // Nothing is heard of the one that broke: it is as it was.
        switches[3].hides(true);
        assert_eq!(scene.look().await.racks.len(), 0);
        switches[3].hides(false);
        switches[3].breaks(false);
        shelf.fail(2, false);
        let is_whole = |scene: &Scene| rack(scene) == (0x1ff, 0xff, Some(true));
        scene.until("a whole domain", is_whole).await;
    });
}

/// A program that starts while a switch tray is silent does not say that the domain is
/// whole.
#[test]
fn a_domain_of_which_a_switch_tray_was_never_seen_is_not_said_to_be_whole() {
    run(async {
        let mut scene = Scene::installed().await;
        let (switches, _, joined) = joined(&scene).await;
        scene.join(joined);
        switches[0].hides(true);
        for _ in 0..3 {
            scene.look().await;
        }
        assert!(scene.estate.rack(RackNo(0)).shows.is_none());
        assert_eq!(scene.estate.is_intact(RackNo(0)), None);
        switches[0].hides(false);
        let is_whole = |scene: &Scene| scene.estate.is_intact(RackNo(0)) == Some(true);
        scene.until("a whole domain", is_whole).await;
    });
}
