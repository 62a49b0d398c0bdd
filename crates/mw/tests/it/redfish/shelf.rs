//! The driver of power shelves against an emulated one, over a socket.

use adapters::deliver::Secret;
use adapters::device::redfish::{Login, Security, Shelf};
use adapters::device::{Answer, Driver, Refusal, Wanted};
use mw::emulate::redfish::{Rack, Shelf as Emulated};
use mw::live::clock::Clock;
use tokio::net::TcpListener;
use units::{Power, Timestamp};

use super::{by, emulated, reached, run};

/// The shelf of three trays at work, and what they are.
pub(crate) fn shelf() -> (Rack, Emulated) {
    let trays = (0..3).map(|number| emulated(number).found_working());
    let rack = Rack::new(trays.collect());
    let login = Some(("operator".to_owned(), "secret".to_owned()));
    let clock = Clock::set(Timestamp::from_unix_seconds(1_790_000_000), 1);
    (rack.clone(), Emulated::new(4, rack, login, clock))
}

#[test]
fn a_shelf_draws_what_its_rack_does_and_names_the_supply_that_failed() {
    run(async {
        let (rack, emulated) = shelf();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let at = listener.local_addr().expect("an address");
        let serving = emulated.clone();
        tokio::spawn(async move { serving.serve(listener).await });
        let login = Login {
            user: "operator".to_owned(),
            password: Secret::new("secret".to_owned()),
        };
        let shelf = Shelf::new(reached(at), Security::Plain, Some(login));

        let identity = shelf.identify(by()).await.expect("an identity");
        assert_eq!(identity.serial.expect("a serial number").as_str(), "EMS00004");
        let look = shelf.look(by()).await.expect("a look");
        assert_eq!(look.supplies.len(), 6);
        assert_eq!(look.input.map(|field| field.value), Some(rack.draw()));
        assert!(look.supplies.iter().all(|supply| supply.fault.is_none()), "{look:?}");

        emulated.fail(2, true);
        let look = shelf.look(by()).await.expect("a look");
        let failed = &look.supplies[2];
        let fault = failed.fault.as_ref().expect("a fault").as_str();
        assert!(fault.contains("PSU_2 is Critical"), "{fault}");
        assert_eq!(failed.input.map(|field| field.value), Some(Power::ZERO));
        // The others give what it gave.
        assert_eq!(look.input.map(|field| field.value), Some(rack.draw()));

        let device: &dyn Driver = &shelf;
        let as_device = device.look(by()).await.expect("a look");
        assert_eq!(as_device.draw.map(|field| field.value), Some(rack.draw()));
        assert_eq!(as_device.faults.len(), 1);
        let told = device.tell(Wanted::Rest, by()).await;
        assert!(matches!(told, Answer::Refused(Refusal::Unsupported(_))), "{told:?}");
    });
}
