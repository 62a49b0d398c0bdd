//! A rack's trays are one machine of the emulated site: its meter sees what they draw.

use mw::emulate::Emulated as Site;
use mw::emulate::redfish::Rack;
use mw::live::clock::Clock;
use sim::campus::Tempers;
use units::{Power, Timestamp};

use super::{by, emulated, run};

#[test]
fn the_site_sees_what_its_trays_draw() {
    run(async {
        let examples = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        let site = examples.join("../../examples/mixed-10mw");
        let site = mw::config::load(&site).expect("a site").site;
        let racks = site
            .loads
            .iter()
            .find(|load| matches!(load.kind, engine::site::LoadKind::Racks(_)));
        let name = racks.expect("racks").name.clone();
        let clock = Clock::set(Timestamp::from_unix_seconds(1_790_000_000), 10);
        let site = Site::new(site, 1, Tempers::none(), clock);
        let machine = site.machines_of(&name).swap_remove(3);
        let full = machine.points().last().expect("a point").power;
        assert_eq!(machine.stands().point, 0);

        // Eighteen trays that draw together what one machine does.
        let trays: Vec<_> = (0..18).map(|n| emulated(n).found_working()).collect();
        let rack = Rack::new(trays);
        assert!(rack.draw() > Power::ZERO);
        let drives = rack.drive(&machine);
        let sees = async {
            while machine.stands().point == 0 {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            () = drives => {}
            () = sees => {}
            () = tokio::time::sleep_until(by().into()) => panic!("nothing is seen"),
        }
        assert_eq!(machine.stands().draw, full);
    });
}
