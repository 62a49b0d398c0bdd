//! What a sweep of many trays costs: one report and the power state of each, over
//! sockets of this machine, with some that never answer.
//!
//! `cargo run --release -p mw --example redfish_sweep [TRAYS] [PERCENT_HANGING]`

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use adapters::deliver::Secret;
use adapters::device::reach::{Allowed, Network};
use adapters::device::redfish::{Login, Security, Shutdown, Tray, TraySettings};
use mw::emulate::redfish::{Fault, Timing, Tray as Emulated, TraySpec};
use mw::live::clock::Clock;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use units::Power;

/// How long the walk through one tray's tree may take, which is made once.
const WALK: Duration = Duration::from_secs(120);

/// How long one tray may take.
const TRAY: Duration = Duration::from_secs(4);

/// How many are asked at once.
const AT_ONCE: usize = 256;

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let mut number = |otherwise: usize| {
        arguments.next().map_or(Ok(otherwise), |text| text.parse::<usize>())
    };
    let (trays, hanging) = (number(1_000)?, number(5)?);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    // The emulators have a thread of their own, as their own machines would.
    let (send, receive) = std::sync::mpsc::channel();
    let serves = std::thread::spawn(move || serve(trays, &send));
    let mut served = Vec::new();
    for _ in 0..trays {
        served.push(receive.recv()?);
    }
    let every = 100 / hanging.clamp(1, 100);
    runtime.block_on(async {
        let drivers: Vec<Arc<Tray>> =
            served.iter().map(|(at, _)| Arc::new(driver(*at))).collect();
        print("walk", ask(&drivers, WALK, 64).await);
        print("sweep, all answer", ask(&drivers, TRAY, AT_ONCE).await);
        let mut hangs = 0;
        if hanging > 0 {
            for (_, tray) in served.iter().step_by(every) {
                tray.take(Fault::Hangs);
                hangs += 1;
            }
        }
        for _ in 0..3 {
            print(&format!("sweep, {hangs} hang"), ask(&drivers, TRAY, AT_ONCE).await);
        }
    });
    drop(serves);
    Ok(())
}

type Served = (SocketAddr, Emulated);

fn serve(trays: usize, send: &std::sync::mpsc::Sender<Served>) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let spec = TraySpec::gb300(132_000.0, 20_000.0, 18);
        for number in 0..trays {
            let login = Some(("operator".to_owned(), "secret".to_owned()));
            let clock = Clock::wall();
            let tray =
                Emulated::new(number as u32, spec, Timing::REALISTIC, login, clock)
                    .found_working();
            let ip = [127, 45, (number / 250) as u8, (number % 250 + 1) as u8];
            let listener = TcpListener::bind(SocketAddr::from((ip, 0))).await?;
            let at = listener.local_addr()?;
            let served = tray.clone();
            tokio::spawn(async move { served.serve(listener).await });
            if send.send((at, tray)).is_err() {
                return Ok(());
            }
        }
        std::future::pending().await
    })
}

fn driver(at: SocketAddr) -> Tray {
    let loopback = Network::parse("127.45.0.0/16").expect("a network");
    let at = Allowed::new(vec![loopback], Vec::new()).reach(at).expect("allowed");
    Tray::new(
        at,
        TraySettings {
            login: Some(Login {
                user: "operator".to_owned(),
                password: Secret::new("secret".to_owned()),
            }),
            security: Security::Plain,
            beside_gpus: Power::from_watts(1_734),
            unlimited: None,
            shutdown: Shutdown::Graceful,
            drives: None,
        },
    )
}

/// How long it took to glance at all of them, how many told their state and draw, and
/// how many did not.
async fn ask(
    drivers: &[Arc<Tray>],
    each: Duration,
    at_once: usize,
) -> (Duration, usize, usize) {
    let began = Instant::now();
    let room = Arc::new(Semaphore::new(at_once));
    let asked: Vec<_> = drivers
        .iter()
        .map(|driver| {
            let (driver, room) = (Arc::clone(driver), Arc::clone(&room));
            tokio::spawn(async move {
                let _room = room.acquire_owned().await;
                let look = driver.glance(Instant::now() + each).await;
                look.is_ok_and(|look| look.running.is_some() && look.draw.is_some())
            })
        })
        .collect();
    let (mut told, mut silent) = (0, 0);
    for one in asked {
        match one.await {
            Ok(true) => told += 1,
            Ok(false) | Err(_) => silent += 1,
        }
    }
    (began.elapsed(), told, silent)
}

#[expect(clippy::print_stdout, reason = "a measurement is printed")]
fn print(what: &str, (took, told, silent): (Duration, usize, usize)) {
    println!("{what}: {told} told, {silent} did not, in {:.2} s", took.as_secs_f64());
}
