//! The miners' drivers against answers that real ones gave, and against peers that are
//! hostile: a driver ends by its deadline and says what it met.

mod hostile;
mod order;
mod peer;
mod recorded;

use std::time::{Duration, Instant};

use adapters::deliver::Secret;
use adapters::device::cgminer::Cgminer;
use adapters::device::reach::Network;
use adapters::device::whatsminer::Whatsminer;
use adapters::device::{Allowed, Driver, Reached};

use peer::Peer;

/// Long enough for a loaded machine; no test that passes waits for it.
const PATIENCE: Duration = Duration::from_secs(60);

fn by(patience: Duration) -> Instant {
    Instant::now() + patience
}

fn reached(peer: &Peer) -> Reached {
    let loopback = Network::parse("127.0.0.0/8").expect("a network");
    let allowed = Allowed::new(vec![loopback], Vec::new());
    allowed.reach(peer.address()).expect("loopback is allowed")
}

fn whatsminer(peer: &Peer) -> Box<dyn Driver> {
    let login = Secret::new("admin".to_owned());
    Box::new(Whatsminer::new(reached(peer), Some(login)))
}

fn cgminer(peer: &Peer) -> Box<dyn Driver> {
    Box::new(Cgminer::new(reached(peer)))
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(work)
}
