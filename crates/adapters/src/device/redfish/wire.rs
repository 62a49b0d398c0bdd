//! One connection to one service: held to an address that may be reached, with a
//! bound on every answer and an end to every wait.
//!
//! Redirects are answers like any other and lead nowhere.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{ACCEPT, CONTENT_TYPE, HOST, HeaderMap, HeaderName};
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::AbortHandle;
use tokio_rustls::TlsConnector;

use super::path::Path;
use super::pin::Security;
use crate::device::{DeviceText, Reached, Unanswered};

/// The most bytes of one answer. The largest report of a tray has 150 kB.
const BODY_MAX: usize = 4 * 1_024 * 1_024;

/// The most bytes of an answer's headers.
const HEAD_MAX: usize = 64 * 1_024;

/// Who speaks, as the service sees it.
pub(super) struct Wire {
    at: Reached,
    security: Security,
    kept: Option<Kept>,
}

/// A connection that stays open between requests.
struct Kept {
    sender: SendRequest<Full<Bytes>>,
    carries: AbortHandle,
}

/// What is asked of a service.
#[derive(Clone)]
pub(super) struct Asked<'a> {
    pub(super) method: Method,
    pub(super) path: &'a Path,
    pub(super) headers: Vec<(HeaderName, String)>,
    pub(super) body: Option<Vec<u8>>,
}

/// What a service said.
pub(super) struct Said {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

/// An answer that goes on, on a connection of its own.
pub(super) struct Flowing {
    body: Incoming,
    _kept: Kept,
}

/// Why a request failed, and whether it certainly was not sent.
struct Failed {
    why: Unanswered,
    unsent: bool,
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

impl Wire {
    pub(super) fn new(at: Reached, security: Security) -> Self {
        Self { at, security, kept: None }
    }

    /// Asks once. A request on a connection that the service had meanwhile closed is
    /// asked again on a new one, if it was not sent or changes nothing.
    ///
    /// The caller bounds the time; what is dropped in the middle closes the connection.
    pub(super) async fn ask(
        &mut self,
        asked: &Asked<'_>,
        by: Instant,
    ) -> Result<Said, Unanswered> {
        if let Some(kept) = self.kept.take() {
            match self.ask_on(kept, asked).await {
                Ok(said) => return Ok(said),
                Err(Failed { why: Unanswered::Closed, unsent })
                    if unsent || asked.method == Method::GET => {}
                Err(failed) => return Err(failed.why),
            }
        }
        let kept = self.connect(by).await?;
        self.ask_on(kept, asked).await.map_err(|failed| failed.why)
    }

    async fn ask_on(
        &mut self,
        mut kept: Kept,
        asked: &Asked<'_>,
    ) -> Result<Said, Failed> {
        let response = send(&mut kept, self.at, asked).await?;
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let body = Limited::new(response.into_body(), BODY_MAX);
        let body = body.collect().await.map_err(|error| {
            let why = match error.downcast_ref::<LengthLimitError>() {
                Some(_) => nonsense("more than 4 MiB in one answer"),
                None => Unanswered::Closed,
            };
            Failed { why, unsent: false }
        })?;
        self.kept = Some(kept);
        Ok(Said { status, headers, body: body.to_bytes().into() })
    }

    /// Asks on a connection of its own for an answer that has no end.
    pub(super) async fn flow(
        &self,
        asked: &Asked<'_>,
        by: Instant,
    ) -> Result<(u16, Flowing), Unanswered> {
        let mut kept = self.connect(by).await?;
        let response =
            send(&mut kept, self.at, asked).await.map_err(|failed| failed.why)?;
        let status = response.status().as_u16();
        Ok((status, Flowing { body: response.into_body(), _kept: kept }))
    }

    async fn connect(&self, by: Instant) -> Result<Kept, Unanswered> {
        let plain = self.at.connect(by).await?;
        let stream: Box<dyn Stream> = match &self.security {
            Security::Plain => Box::new(plain),
            Security::Pinned(pin) => {
                let connector = TlsConnector::from(Arc::new(pin.client()));
                let name = self.at.address().ip().into();
                let stream = connector.connect(name, plain).await;
                let stream = stream.map_err(|error| {
                    // Anything else is a connection that ended.
                    let is_tls = error.kind() == std::io::ErrorKind::InvalidData;
                    match is_tls {
                        true => nonsense(&error.to_string()),
                        false => Unanswered::Closed,
                    }
                })?;
                let shown = stream.get_ref().1.peer_certificates();
                pin.hold(shown.and_then(|chain| chain.first()));
                Box::new(stream)
            }
        };
        let (sender, connection) = http1::Builder::new()
            .max_buf_size(HEAD_MAX)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|_| Unanswered::Closed)?;
        let carries = tokio::spawn(async move {
            // How it ends is told to whoever asked on it.
            let _ = connection.await;
        });
        Ok(Kept { sender, carries: carries.abort_handle() })
    }
}

async fn send(
    kept: &mut Kept,
    at: Reached,
    asked: &Asked<'_>,
) -> Result<Response<Incoming>, Failed> {
    let mut request = Request::builder()
        .method(&asked.method)
        .uri(asked.path.as_str())
        .header(HOST, at.to_string())
        .header(ACCEPT, "application/json, text/event-stream")
        .header("OData-Version", "4.0");
    for (name, value) in &asked.headers {
        request = request.header(name, value);
    }
    if asked.body.is_some() {
        request = request.header(CONTENT_TYPE, "application/json");
    }
    let body = Full::new(asked.body.clone().unwrap_or_default().into());
    let request = request.body(body).map_err(|_| Failed {
        why: nonsense("a path or a token that cannot be sent"),
        unsent: true,
    })?;
    kept.sender.ready().await.map_err(|error| failed(&error, true))?;
    kept.sender.send_request(request).await.map_err(|error| failed(&error, false))
}

fn failed(error: &hyper::Error, unsent: bool) -> Failed {
    let unsent = unsent || error.is_canceled();
    let why = match error.is_parse() {
        true => nonsense("no answer of HTTP"),
        false => Unanswered::Closed,
    };
    Failed { why, unsent }
}

pub(super) fn nonsense(what: &str) -> Unanswered {
    Unanswered::Nonsense(DeviceText::of(what))
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.carries.abort();
    }
}

impl fmt::Debug for Flowing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Flowing")
    }
}

impl Flowing {
    /// The next bytes of it.
    ///
    /// # Errors
    ///
    /// When the service ended it.
    pub(super) async fn next(&mut self) -> Result<Bytes, Unanswered> {
        loop {
            match self.body.frame().await {
                Some(Ok(frame)) => {
                    if let Ok(bytes) = frame.into_data() {
                        return Ok(bytes);
                    }
                }
                Some(Err(_)) | None => return Err(Unanswered::Closed),
            }
        }
    }
}
