//! A connection to one target that ends by its deadline.
//!
//! Before every read and write the socket is given the time that is left, so
//! that a target which sends a byte now and then gains nothing by it.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::TargetError;
use super::wording::line;

/// Whose certificates are believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trust {
    /// The authorities that this machine trusts, read once.
    System,
    /// These authorities and no others.
    Only {
        /// Certificates as PEM text.
        pem: String,
    },
}

/// What a connection over TLS needs to know of its target.
#[derive(Debug)]
pub(crate) struct Tls {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
}

/// Who may be connected to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    Anywhere,
    /// A plain connection that was allowed because its name is this machine's:
    /// held to it after the name is resolved.
    Loopback,
}

/// When an attempt must be over.
#[derive(Clone, Copy)]
pub(crate) struct Deadline(Instant);

/// Why nothing more is heard.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WireError {
    #[error("found none before the deadline")]
    Late,
    #[error("found the connection closed")]
    Closed,
    #[error("found more than {0} bytes")]
    TooLong(usize),
    #[error("found `{0}`")]
    Unreadable(String),
    #[error("found no address of that name: {0}")]
    Unresolved(String),
    #[error("found a name that is not this machine's loopback")]
    NotLoopback,
    #[error("found an error: {0}")]
    Io(io::Error),
}

/// Two sides that take turns to speak in lines.
pub(crate) struct Conversation {
    link: Link,
    /// Read and not yet asked for.
    heard: Vec<u8>,
}

enum Link {
    Plain(Timed),
    Tls(Box<StreamOwned<ClientConnection, Timed>>),
}

/// A socket that is never waited on for longer than is left.
struct Timed {
    stream: TcpStream,
    deadline: Deadline,
}

impl Deadline {
    pub(crate) fn after(allowed: Duration) -> Self {
        let now = Instant::now();
        // A deadline beyond the clock's range is one that a person never sees.
        Self(now.checked_add(allowed).unwrap_or(now + Duration::from_secs(86_400)))
    }

    /// The time left, never zero.
    fn left(self) -> io::Result<Duration> {
        match self.0.saturating_duration_since(Instant::now()) {
            Duration::ZERO => Err(ErrorKind::TimedOut.into()),
            left => Ok(left),
        }
    }
}

impl Tls {
    /// Reads the authorities, so that what is wrong with them shows when the
    /// target is configured and not when it is first needed.
    pub(crate) fn new(host: &str, trust: &Trust) -> Result<Self, TargetError> {
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| TargetError::Host(line(host, 100)))?;
        let mut roots = RootCertStore::empty();
        let (from, complaint) = match trust {
            Trust::System => {
                let found = rustls_native_certs::load_native_certs();
                roots.add_parsable_certificates(found.certs);
                ("of this machine", found.errors.first().map(ToString::to_string))
            }
            Trust::Only { pem } => {
                let wrong = |error: &dyn std::fmt::Display| TargetError::Trust {
                    from: "in the PEM text",
                    found: error.to_string(),
                };
                for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
                    let certificate = certificate.map_err(|error| wrong(&error))?;
                    roots.add(certificate).map_err(|error| wrong(&error))?;
                }
                ("in the PEM text", None)
            }
        };
        if roots.is_empty() {
            let found = complaint.unwrap_or_else(|| "none".to_owned());
            return Err(TargetError::Trust { from, found });
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("ring speaks TLS 1.2 and 1.3")
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self { config: Arc::new(config), name })
    }
}

/// Whether a host, as written, is this machine.
pub(crate) fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

impl Conversation {
    /// Connects, without TLS.
    pub(crate) fn open(
        host: &str,
        port: u16,
        reach: Reach,
        deadline: Deadline,
    ) -> Result<Self, WireError> {
        let mut addresses = resolve(host, port, deadline)?;
        if reach == Reach::Loopback {
            addresses.retain(|address| address.ip().is_loopback());
            if addresses.is_empty() {
                return Err(WireError::NotLoopback);
            }
        }
        let mut last = WireError::Unresolved("none".to_owned());
        let count = addresses.len();
        for (tried, address) in addresses.iter().enumerate() {
            // An address that swallows everything leaves time for the next one.
            let share = u32::try_from(count - tried).unwrap_or(u32::MAX);
            match TcpStream::connect_timeout(address, deadline.left()? / share) {
                Ok(stream) => {
                    stream.set_nodelay(true)?;
                    let link = Link::Plain(Timed { stream, deadline });
                    return Ok(Self { link, heard: Vec::new() });
                }
                Err(error) => last = error.into(),
            }
        }
        Err(last)
    }

    /// Shakes hands over TLS; what is said from here on is private.
    ///
    /// Panics when it is already.
    pub(crate) fn secured(self, tls: &Tls) -> Result<Self, WireError> {
        // Anything here was said in the open and would be taken as private.
        if !self.heard.is_empty() {
            return Err(WireError::Unreadable("more than was asked for".to_owned()));
        }
        let Link::Plain(mut timed) = self.link else {
            panic!("a connection is secured once");
        };
        let config = Arc::clone(&tls.config);
        let mut session = ClientConnection::new(config, tls.name.clone())
            .map_err(|error| WireError::Io(io::Error::other(error)))?;
        while session.is_handshaking() {
            session.complete_io(&mut timed)?;
        }
        let link = Link::Tls(Box::new(StreamOwned::new(session, timed)));
        Ok(Self { link, heard: Vec::new() })
    }

    /// The address that this side speaks from.
    pub(crate) fn own_address(&self) -> Option<IpAddr> {
        let timed = match &self.link {
            Link::Plain(timed) => timed,
            Link::Tls(stream) => &stream.sock,
        };
        timed.stream.local_addr().ok().map(|address| address.ip())
    }

    /// Hands all of `bytes` to the other side's socket.
    pub(crate) fn say(&mut self, bytes: &[u8]) -> Result<(), WireError> {
        match &mut self.link {
            Link::Plain(timed) => timed.write_all(bytes)?,
            Link::Tls(stream) => {
                stream.write_all(bytes)?;
                stream.flush()?;
            }
        }
        Ok(())
    }

    /// The next line without its end, taken off `budget`, which is the number
    /// of bytes the whole reply may still have.
    pub(crate) fn line(&mut self, budget: &mut usize) -> Result<String, WireError> {
        loop {
            if let Some(end) = self.heard.iter().position(|byte| *byte == b'\n')
                && end < *budget
            {
                *budget -= end + 1;
                let line: Vec<u8> = self.heard.drain(..=end).collect();
                let line = line.strip_suffix(b"\n").unwrap_or(&line);
                let line = line.strip_suffix(b"\r").unwrap_or(line);
                return Ok(String::from_utf8_lossy(line).into_owned());
            }
            if self.heard.len() >= *budget {
                return Err(WireError::TooLong(*budget));
            }
            self.hear()?;
        }
    }

    /// The next `wanted` bytes, or as many as come.
    pub(crate) fn bytes(&mut self, wanted: usize) -> Vec<u8> {
        while self.heard.len() < wanted && self.hear().is_ok() {}
        self.heard.drain(..wanted.min(self.heard.len())).collect()
    }

    /// Says that nothing more comes. What fails here changes nothing.
    pub(crate) fn close(mut self) {
        if let Link::Tls(stream) = &mut self.link {
            stream.conn.send_close_notify();
            let _ = stream.flush();
        }
    }

    fn hear(&mut self) -> Result<(), WireError> {
        let mut buffer = [0; 2_048];
        let count = match &mut self.link {
            Link::Plain(timed) => timed.read(&mut buffer)?,
            Link::Tls(stream) => stream.read(&mut buffer)?,
        };
        if count == 0 {
            return Err(WireError::Closed);
        }
        self.heard.extend_from_slice(&buffer[..count]);
        Ok(())
    }
}

/// The addresses of `host`, in the system's order.
fn resolve(
    host: &str,
    port: u16,
    deadline: Deadline,
) -> Result<Vec<SocketAddr>, WireError> {
    if let Ok(address) = host.parse() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    let (answer, answers) = mpsc::channel();
    let name = host.to_owned();
    // The system's resolver takes no deadline, so it is waited for from
    // outside. It has its own limit, and the thread ends with it.
    std::thread::Builder::new().name("resolve".to_owned()).spawn(move || {
        let found = (name.as_str(), port).to_socket_addrs();
        // Nobody listens any more when the deadline has passed.
        let _ = answer.send(found.map(Iterator::collect::<Vec<_>>));
    })?;
    match answers.recv_timeout(deadline.left()?) {
        Ok(Ok(addresses)) => Ok(addresses),
        Ok(Err(error)) => Err(WireError::Unresolved(error.to_string())),
        Err(_) => Err(WireError::Late),
    }
}

impl Read for Timed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.set_read_timeout(Some(self.deadline.left()?))?;
        self.stream.read(buffer)
    }
}

impl Write for Timed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.set_write_timeout(Some(self.deadline.left()?))?;
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl From<io::Error> for WireError {
    fn from(error: io::Error) -> Self {
        let kind = error.kind();
        // A socket that waited in vain says one or the other.
        if kind == ErrorKind::TimedOut || kind == ErrorKind::WouldBlock {
            Self::Late
        } else if kind == ErrorKind::UnexpectedEof {
            Self::Closed
        } else {
            Self::Io(error)
        }
    }
}
