//! Listens, and keeps every connection within its limits.
//!
//! The door has a thread of its own: whoever is slow there never slows the loop. A
//! head has to arrive in time, an answer has to be taken in time, and no address may
//! hold more than its share of connections.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context as Task, Poll, ready};
use std::time::Duration;

use anyhow::{Context, bail};
use axum::Router;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Semaphore;
use tokio::time::{Instant, Sleep, sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tracing::{debug, info, warn};

use super::serve::router;
use super::{Api, Setup};

/// The most connections at a time.
const CONNECTIONS_MAX: usize = 512;

/// The most of one address that is not this machine's own.
const OF_ONE_MAX: usize = 64;

/// How long a head may take to arrive, and a connection may be idle.
const HEAD_WITHIN: Duration = Duration::from_secs(10);

/// How long a TLS handshake may take.
const HANDSHAKE_WITHIN: Duration = Duration::from_secs(10);

/// How long what was sent may stay untaken.
const TAKEN_WITHIN: Duration = Duration::from_secs(20);

/// The longest head, in bytes.
const HEAD_BYTES_MAX: usize = 32 << 10;

/// Where and how to listen.
#[derive(Clone, Debug)]
pub struct Listen {
    /// The address.
    pub address: SocketAddr,
    /// How the other side is shown who we are; nothing is plain HTTP.
    pub tls: Option<Arc<rustls::ServerConfig>>,
}

impl Listen {
    /// Where and how to listen: beyond this machine only by TLS.
    ///
    /// # Errors
    ///
    /// When the address would let others in without TLS, or certificate and key cannot
    /// be used.
    pub fn of(
        address: SocketAddr,
        certificate: Option<&Path>,
        key: Option<&Path>,
    ) -> anyhow::Result<Self> {
        let tls = match (certificate, key) {
            (Some(certificate), Some(key)) => Some(tls(certificate, key)?),
            (None, None) => None,
            (Some(_), None) | (None, Some(_)) => {
                bail!("expected a certificate and its key, found one of the two")
            }
        };
        if tls.is_none() && !address.ip().is_loopback() {
            bail!(
                "expected an address of this machine's own, such as 127.0.0.1:8080, or a \
                 certificate and a key with --http-certificate and --http-key; found {address} \
                 without: tokens would be there to read on the network"
            );
        }
        Ok(Self { address, tls })
    }
}

/// Reads certificate and key. What is in the key's file is never said.
fn tls(certificate: &Path, key: &Path) -> anyhow::Result<Arc<rustls::ServerConfig>> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_file_iter(certificate)
        .with_context(|| format!("cannot read {}", certificate.display()))?
        .collect();
    let chain = chain.with_context(|| {
        format!("{}: expected certificates as PEM", certificate.display())
    })?;
    let secret = PrivateKeyDer::from_pem_file(key).map_err(|_| {
        anyhow::anyhow!("{}: expected a private key as PEM", key.display())
    })?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .context("TLS has no version in common with itself")?
        .with_no_client_auth()
        .with_single_cert(chain, secret)
        .with_context(|| {
            format!(
                "expected {} to be the key of {}",
                key.display(),
                certificate.display()
            )
        })?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// Opens the door, in a thread of its own until the process ends. Returns where.
///
/// # Errors
///
/// When the address cannot be listened on.
pub fn open(listen: Listen, setup: Setup) -> anyhow::Result<SocketAddr> {
    let Listen { address, tls } = listen;
    let cannot = || format!("cannot listen for HTTP on {address}");
    let listener = TcpListener::bind(address).with_context(cannot)?;
    listener.set_nonblocking(true)?;
    let bound = listener.local_addr()?;
    let thread = std::thread::Builder::new().name("http".to_owned());
    thread.spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let served = runtime.map_err(anyhow::Error::from).and_then(|runtime| {
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener)?;
                let api = Arc::new(setup.begin(tls.is_some()));
                accept(listener, api, tls).await
            })
        });
        if let Err(error) = served {
            warn!(event = "http_ended", error = format!("{error:#}"));
        }
    })?;
    Ok(bound)
}

/// How many connections each address holds.
type Held = Arc<Mutex<BTreeMap<IpAddr, usize>>>;

/// One connection's place; dropped, it is free.
struct Place {
    held: Held,
    of: IpAddr,
}

impl Place {
    fn take(held: &Held, of: IpAddr) -> Option<Self> {
        let mut count = held.lock().expect("whoever held it let it go whole");
        let mine = count.entry(of).or_default();
        if *mine >= OF_ONE_MAX && !of.is_loopback() {
            return None;
        }
        *mine += 1;
        Some(Self { held: Arc::clone(held), of })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut count = self.held.lock().expect("whoever held it let it go whole");
        if let Some(mine) = count.get_mut(&self.of) {
            *mine -= 1;
            if *mine == 0 {
                count.remove(&self.of);
            }
        }
    }
}

async fn accept(
    listener: tokio::net::TcpListener,
    api: Arc<Api>,
    tls: Option<Arc<rustls::ServerConfig>>,
) -> anyhow::Result<()> {
    let router = router(api);
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let held = Held::default();
    let tls = tls.map(TlsAcceptor::from);
    loop {
        let permit = Arc::clone(&room).acquire_owned().await?;
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                // Such as too many open files: it passes.
                warn!(event = "http_not_accepted", %error);
                sleep(Duration::from_secs(1)).await;
                continue;
            }
        };
        let Some(place) = Place::take(&held, peer.ip()) else {
            info!(event = "http_too_many", peer = %peer.ip());
            continue;
        };
        // Small answers go at once.
        drop(stream.set_nodelay(true));
        let (router, tls) = (router.clone(), tls.clone());
        tokio::spawn(async move {
            let stream = Patient::new(stream);
            let spoken = match tls {
                None => speak(stream, router).await,
                Some(tls) => match timeout(HANDSHAKE_WITHIN, tls.accept(stream)).await {
                    Ok(Ok(stream)) => speak(stream, router).await,
                    Ok(Err(error)) => Err(error.to_string()),
                    Err(_) => Err("the TLS handshake took too long".to_owned()),
                },
            };
            if let Err(error) = spoken {
                debug!(event = "http_broke_off", peer = %peer, error);
            }
            drop((permit, place));
        });
    }
}

async fn speak(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    router: Router,
) -> Result<(), String> {
    let mut http = hyper::server::conn::http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(HEAD_WITHIN)
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(64);
    let service = TowerToHyperService::new(router);
    let spoken = http.serve_connection(TokioIo::new(stream), service).await;
    spoken.map_err(|error| error.to_string())
}

/// A connection whose other side has to take what it is sent.
struct Patient<T> {
    inner: T,
    /// When patience ends, while something waits to be taken.
    ends: Option<Pin<Box<Sleep>>>,
}

impl<T> Patient<T> {
    fn new(inner: T) -> Self {
        Self { inner, ends: None }
    }

    /// What a write came to, or that it took too long.
    fn judged<R>(
        &mut self,
        task: &mut Task<'_>,
        written: Poll<io::Result<R>>,
    ) -> Poll<io::Result<R>> {
        if written.is_ready() {
            self.ends = None;
            return written;
        }
        let ends = self.ends.get_or_insert_with(|| {
            Box::pin(tokio::time::sleep_until(Instant::now() + TAKEN_WITHIN))
        });
        ready!(ends.as_mut().poll(task));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Patient<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        task: &mut Task<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(task, into)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Patient<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        task: &mut Task<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write(task, bytes);
        self.judged(task, written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.inner).poll_flush(task);
        self.judged(task, flushed)
    }

    fn poll_shutdown(
        mut self: Pin<&mut Self>,
        task: &mut Task<'_>,
    ) -> Poll<io::Result<()>> {
        let ended = Pin::new(&mut self.inner).poll_shutdown(task);
        self.judged(task, ended)
    }
}
