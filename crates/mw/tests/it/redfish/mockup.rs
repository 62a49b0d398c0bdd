//! The driver against what a real GB300 tray's controller once said, served as it was
//! recorded. Where the recording does not lie beside the project, this is skipped.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use adapters::device::redfish::{Security, Shutdown, Tray, TraySettings};
use adapters::device::{Answer, Driver, Outcome, Running, Unanswered, Wanted, carry_out};
use axum::Router;
use axum::extract::State;
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use engine::capacity::{
    Actor, BlockNo, Body, Phase, Place, Power, RackNo, Reported, Shape, Times, TrancheOf,
    TrayNo,
};
use settle::contract::Hash;
use tokio::net::TcpListener;
use units::Seconds;

use super::estate::Scene;
use super::{by, reached, run, watts};

/// The recording, unpacked in the target folder.
fn unpacked() -> Option<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let archive = here.join("../../../shared/mockups/mockup_gb300.tar.gz");
    if !archive.exists() {
        eprintln!("skipped: {} is absent", archive.display());
        return None;
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("mockup-gb300");
    std::fs::create_dir_all(&folder).expect("the target folder can be written");
    let mut unpack = Command::new("tar");
    unpack.arg("xzf").arg(&archive).arg("-C").arg(&folder);
    let unpacks = unpack.status().is_ok_and(|status| status.success());
    if !unpacks {
        eprintln!("skipped: `tar` cannot unpack {}", archive.display());
        return None;
    }
    Some(folder)
}

/// A change is answered with a yes and changes nothing.
async fn recorded(State(folder): State<PathBuf>, method: Method, uri: Uri) -> Response {
    if method != Method::GET {
        return StatusCode::NO_CONTENT.into_response();
    }
    let path = uri.path().trim_matches('/');
    if path.split('/').any(|part| part == "..") {
        return StatusCode::NOT_FOUND.into_response();
    }
    match std::fs::read(folder.join(path).join("index.json")) {
        Ok(body) => ([("content-type", "application/json")], body).into_response(),
        Err(_) => StatusCode::NOT_FOUND.into_response(),
    }
}

/// The recording behind an address of its own, and its driver.
async fn served(
    folder: PathBuf,
    drives: Option<u32>,
) -> (Tray, tokio::task::JoinHandle<std::io::Result<()>>) {
    let listener = TcpListener::bind("127.44.2.1:0").await.expect("an address");
    let at = listener.local_addr().expect("an address");
    let router = Router::new().fallback(recorded).with_state(folder);
    let serves = tokio::spawn(axum::serve(listener, router).into_future());
    let settings = TraySettings {
        login: None,
        security: Security::Plain,
        beside_gpus: watts(1_200),
        unlimited: None,
        shutdown: Shutdown::Graceful,
        drives,
    };
    (Tray::new(reached(at), settings), serves)
}

/// A recording says yes to everything and changes nothing: the estate finds the tray,
/// and nobody gets it.
#[test]
fn a_recorded_tray_is_an_estates_and_is_handed_to_nobody() {
    let Some(folder) = unpacked() else { return };
    run(async {
        let (tray, serves) = served(folder, None).await;
        let shape = Shape {
            name: "one".to_owned(),
            trays: 1,
            gpus_per_tray: 4,
            switch_trays: 9,
            power_shelves: 8,
            leak_detectors: 4,
        };
        let mut scene = Scene::of(vec![Arc::new(tray)], shape, BTreeMap::new()).await;
        scene.until("burn-in", |scene| scene.phases() == [Phase::BurnIn]).await;
        let shows = scene.shows(0);
        assert_eq!((shows.power, shows.gpus), (Power::On, 0b1111));
        assert_eq!((shows.health, shows.cap_w), (Reported::Ok, None));
        assert_eq!(scene.estate.is_intact(RackNo(0)), Some(true));
        let (rack, evidence) = (RackNo(0), Hash::of(b"a bundle"));
        scene.say(Body::Tested { rack, slots: 1, passed: 1, evidence });
        let tranche = TrancheOf { contract: "CAP".to_owned(), tranche: "H1".to_owned() };
        let blocks = vec![Place { rack, slots: vec![0] }];
        let (tenant, spares) = ("red".to_owned(), Vec::new());
        scene.say(Body::Reserve { tenant, tranche, blocks, spares, within: None });
        let response = Seconds::minutes(1);
        scene.say(Body::Times(Times { response, attempts: 2, ..Times::default() }));
        scene.say(Body::HandOver { block: BlockNo(0) });
        for _ in 0..20 {
            scene.look().await;
        }
        scene.tell(Actor::Site, Body::Wake);
        let tray = scene.estate.tray(TrayNo(0));
        assert_eq!((tray.phase, tray.handed, tray.told), (Phase::Accepted, false, true));
        let waits = scene.estate.wait(TrayNo(0)).expect("a wait").to_string();
        assert!(waits.starts_with("expected the report of image"), "{waits}");
        serves.abort();
    });
}

#[test]
fn a_recorded_tray_is_read() {
    let Some(folder) = unpacked() else { return };
    run(async {
        let (tray, serves) = served(folder, None).await;

        let identity = tray.identify(by()).await.expect("an identity");
        assert_eq!(identity.maker.expect("a maker").as_str(), "Supermicro");
        assert_eq!(identity.limits, Some((watts(800 + 1_200), watts(5_600 + 1_200))));
        let parts = tray.parts(by()).await.expect("its parts");
        // Of its 42 chassis, 34 have a serial number.
        assert_eq!((parts.gpus.len(), parts.chassis.len()), (4, 34));
        assert_eq!(parts.slot, Some(27));
        assert!(parts.missed.is_empty(), "{:?}", parts.missed);

        let look = tray.look(by()).await.expect("a look");
        assert_eq!(look.running.map(|f| f.value), Some(Running::Working));
        assert_eq!(look.limit.map(|f| f.value), Some(watts(5_600 + 1_200)));
        // What its hot-swap controllers report; its GPUs alone draw 954 W.
        assert_eq!(look.draw.map(|f| f.value), Some(watts(1_362)));
        // The hottest memory; 54 degrees is how far a GPU is from its limit.
        let hottest = look.hottest.expect("a temperature").value.as_millidegrees();
        assert!((33_000..36_000).contains(&hottest), "{hottest}");
        assert!(look.faults.is_empty(), "{:?}", look.faults);

        // Accepted is not done.
        let wanted = Wanted::AtMost(watts(4_000));
        assert_eq!(tray.tell(wanted, by()).await, Answer::Accepted);
        let soon = std::time::Instant::now() + std::time::Duration::from_secs(3);
        let outcome = carry_out(&tray, wanted, soon).await;
        assert_eq!(outcome, Outcome::Unknown(Unanswered::NotShown));
        serves.abort();
    });
}
