//! A rack: many trays that are one machine to whoever orders it.

use std::time::{Duration, Instant};

use adapters::device::rack::Rack;
use adapters::device::{Driver, Outcome, Running, Unanswered, Wanted, carry_out};
use engine::site::LoadKind;
use mw::emulate::redfish::Fault;

use super::{by, driver, emulated, run, serve, watts};

/// The driver of trays that are served.
fn rack(addresses: &[std::net::SocketAddr]) -> Rack {
    let trays = addresses.iter().map(|at| Box::new(driver(*at)) as Box<dyn Driver>);
    Rack::new(trays.collect(), watts(500))
}

#[test]
fn a_limit_is_shared_over_the_trays_and_done_when_all_are() {
    run(async {
        let trays = [emulated(0), emulated(1), emulated(2)];
        let served = serve(&trays).await;
        let rack = rack(&served.addresses);
        let wanted = Wanted::AtMost(watts(15_500));
        let outcome = carry_out(&rack, wanted, by()).await;
        let Outcome::Done(look) = outcome else { panic!("{outcome:?}") };
        assert!(look.shows(wanted));
        for tray in &trays {
            assert!(tray.set() <= watts(5_000), "{}", tray.set());
        }
        let identity = rack.identify(by()).await.expect("an identity");
        let range = (watts(3 * 2_534 + 500), watts(3 * 7_334 + 500));
        assert_eq!(identity.limits, Some(range));

        // One that says yes and stays as it is keeps the rack from being done.
        trays[1].take(Fault::SaysYes);
        let until = Instant::now() + Duration::from_secs(3);
        let outcome = carry_out(&rack, Wanted::Rest, until).await;
        assert_eq!(outcome, Outcome::Unknown(Unanswered::NotShown));
        trays[1].calm();
        let outcome = carry_out(&rack, Wanted::Rest, by()).await;
        let Outcome::Done(look) = outcome else { panic!("{outcome:?}") };
        assert_eq!(look.running.map(|f| f.value), Some(Running::Resting));
    });
}

#[test]
fn what_one_tray_does_not_tell_is_not_known_of_the_rack() {
    run(async {
        let trays = [emulated(0).found_working(), emulated(1).found_working()];
        let served = serve(&trays).await;
        let rack = rack(&served.addresses);
        let look = rack.look(by()).await.expect("a look");
        let both = trays[0].draw() + trays[1].draw() + watts(500);
        assert_eq!(look.draw.map(|field| field.value), Some(both));
        trays[1].take(Fault::Hangs);
        let until = Instant::now() + Duration::from_secs(3);
        let look = rack.look(until).await.expect("a look");
        assert_eq!((look.draw, look.limit, look.running), (None, None, None));
        let named = served.addresses[1].to_string();
        assert!(look.faults.iter().any(|f| f.as_str().starts_with(&named)), "{look:?}");
        trays[0].take(Fault::Hangs);
        let until = Instant::now() + Duration::from_millis(600);
        assert_eq!(rack.look(until).await, Err(Unanswered::Late));
    });
}

/// A rack of GB300 at a point of its curve is so many watts for each GPU: 132 kW are 31.2
/// beside them and 72 times 1,400 W, of which limits take sevenths.
#[test]
fn a_point_of_the_curve_is_a_limit_for_each_gpu() {
    run(async {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let site = mw::config::load(&folder.join("examples/mixed-10mw")).expect("a site");
        let load = site.site.load_named("tenant-a").expect("racks");
        let LoadKind::Racks(racks) = &site.site.loads[load].kind else { panic!("racks") };
        assert_eq!(racks.beside_gpus, watts(31_200));
        let tray = emulated(0);
        let served = serve(std::slice::from_ref(&tray)).await;
        let driver = driver(served.addresses[0]);
        let points = racks.machines.points.iter().zip(0..);
        for ((point, number), limit) in points.zip([800, 1_000, 1_200, 1_400]) {
            assert_eq!(racks.per_gpu(number), watts(limit));
            // A tray's part of the rack, and the watt that eighteen of them do not share.
            let wanted = Wanted::AtMost(watts(point.power.as_watts() / 18 + 1));
            let outcome = carry_out(&driver, wanted, by()).await;
            let Outcome::Done(look) = outcome else { panic!("{outcome:?}") };
            let set = look.limit.map(|field| field.value);
            assert_eq!(set, Some(watts(4 * limit + 1_734)), "point {number}");
        }
    });
}
