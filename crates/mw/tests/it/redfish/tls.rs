//! A tray over TLS: what it showed first is kept in the data folder, and whoever shows
//! another certificate is not spoken to.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use adapters::device::redfish::{Security, Tray, TraySettings};
use adapters::device::{Answer, Driver, Outcome, Unanswered, Wanted, carry_out};
use engine::Trouble;
use mw::emulate::redfish::Served;
use mw::fleet::pins::{self, Pins};
use mw::live::Happened;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::channel;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::{by, emulated, reached, run, serve, settings, watts};

/// TLS in front of an emulated tray, until it goes.
struct Front {
    address: SocketAddr,
    carries: JoinHandle<()>,
}

impl Drop for Front {
    fn drop(&mut self) {
        self.carries.abort();
    }
}

impl Front {
    /// Lets its address be another's.
    async fn close(mut self) {
        self.carries.abort();
        // It was ended, and says so.
        drop((&mut self.carries).await);
    }

    /// With this certificate of `fixtures/tls`; at an address, or any.
    async fn open(certificate: &str, at: Option<SocketAddr>, behind: SocketAddr) -> Self {
        let file = |name: String| {
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/tls").join(name)
        };
        let chain = CertificateDer::from_pem_file(file(format!("{certificate}.pem")));
        let key = PrivateKeyDer::from_pem_file(file(format!("{certificate}-key.pem")));
        let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .expect("ring speaks TLS 1.2 and 1.3")
            .with_no_client_auth()
            .with_single_cert(vec![chain.expect("a certificate")], key.expect("a key"))
            .expect("they belong together");
        let accepts = TlsAcceptor::from(Arc::new(config));
        let any = SocketAddr::from(([127, 44, 1, 1], 0));
        let listener = TcpListener::bind(at.unwrap_or(any)).await.expect("an address");
        let address = listener.local_addr().expect("an address");
        let carries = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let accepts = accepts.clone();
                tokio::spawn(async move {
                    // Whoever does not like the certificate leaves.
                    let Ok(mut open) = accepts.accept(stream).await else { return };
                    let mut behind = TcpStream::connect(behind).await.expect("a tray");
                    let both = tokio::io::copy_bidirectional(&mut open, &mut behind);
                    drop(both.await);
                });
            }
        });
        Self { address, carries }
    }
}

fn tray(at: SocketAddr, pins: &Pins) -> Tray {
    let security = Security::Pinned(pins.of(at));
    Tray::new(reached(at), TraySettings { security, ..settings("secret") })
}

fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    drop(std::fs::remove_dir_all(&folder));
    folder
}

/// What a run that lives in the folder hears of it first.
async fn heard(folder: &Path) -> bool {
    let (inbox, mut hears) = channel(8);
    pins::follow(folder.to_owned(), inbox);
    match hears.recv().await {
        Some(Happened::Trouble(Trouble::CertificatesChanged, stands)) => stands,
        other => panic!("{other:?}"),
    }
}

/// Trust on first use, across a start; another certificate is an alarm, and the tray is
/// told nothing until the first is back.
#[test]
fn a_tray_that_shows_another_certificate_is_not_spoken_to() {
    run(async {
        let behind = emulated(7).found_working();
        let served: Served = serve(std::slice::from_ref(&behind)).await;
        let front = Front::open("tray", None, served.addresses[0]).await;
        let at = front.address;
        let folder = folder("tray-pins");

        let pins = Pins::read(&folder).expect("none yet");
        let look = tray(at, &pins).look(by()).await.expect("a look over TLS");
        assert_eq!(look.draw.map(|field| field.value), Some(behind.draw()));
        pins.keep().expect("a folder that can be written");
        let written = std::fs::read_to_string(folder.join(pins::FILE)).expect("a file");
        assert!(written.contains(&at.to_string()), "{written}");
        assert!(!heard(&folder).await, "nothing is wrong");

        // After a start it is who it was.
        let pins = Pins::read(&folder).expect("a file");
        let driver = tray(at, &pins);
        let wanted = Wanted::AtMost(watts(5_000));
        let outcome = carry_out(&driver, wanted, by()).await;
        assert!(matches!(outcome, Outcome::Done(_)), "{outcome:?}");
        drop(driver);
        front.close().await;

        // Somebody else is there, or it was given another certificate.
        let other = Front::open("tray-renewed", Some(at), served.addresses[0]).await;
        let driver = tray(at, &pins);
        let found = driver.look(by()).await;
        let Err(Unanswered::Nonsense(why)) = found else { panic!("{found:?}") };
        assert!(why.as_str().contains("another certificate"), "{why}");
        let told = driver.tell(Wanted::Rest, by()).await;
        assert!(matches!(told, Answer::Unknown(Unanswered::Nonsense(_))), "{told:?}");
        assert!(behind.is_working(), "what it was told went nowhere");
        pins.keep().expect("a folder that can be written");
        assert!(heard(&folder).await, "an alarm");
        let now = std::fs::read_to_string(folder.join(pins::FILE)).expect("a file");
        let pinned = |text: &str| {
            let kept: pins::Kept = serde_json::from_str(text).expect("what was written");
            kept.pinned
        };
        assert_eq!(pinned(&now), pinned(&written), "a line is never changed");
        drop(driver);
        other.close().await;

        let _front = Front::open("tray", Some(at), served.addresses[0]).await;
        let outcome = carry_out(&tray(at, &pins), Wanted::Rest, by()).await;
        assert!(matches!(outcome, Outcome::Done(_)), "{outcome:?}");
        pins.keep().expect("a folder that can be written");
        assert!(!heard(&folder).await, "it is over");
    });
}

/// Nobody knows whom to trust by a file that cannot be read: nothing is started.
#[test]
fn a_file_that_is_none_of_certificates_is_refused() {
    let folder = folder("tray-pins-broken");
    std::fs::create_dir_all(&folder).expect("a folder");
    for (text, expected) in [
        ("{", "put it aside"),
        (
            r#"{"pinned": {"10.0.0.1:443": "abc"}, "refused": {}}"#,
            "64 hexadecimal digits",
        ),
    ] {
        std::fs::write(folder.join(pins::FILE), text).expect("written");
        let error = format!("{:#}", Pins::read(&folder).expect_err(text));
        assert!(error.contains(expected), "{error}");
    }
}
