//! Receivers of messages on this machine's loopback: HTTP and SMTP, well
//! behaved or not.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use adapters::deliver::{Message, Outcome, Urgency};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use units::Timestamp;

pub(crate) const AUTHORITY: &str = include_str!("../../../../fixtures/tls/authority.pem");
const RECEIVER: &str = include_str!("../../../../fixtures/tls/receiver.pem");
const RECEIVER_KEY: &str = include_str!("../../../../fixtures/tls/receiver-key.pem");

/// A deadline that a test waits out.
pub(crate) const SHORT: Duration = Duration::from_millis(200);
/// A deadline that a test waits out after the receiver has come a certain way,
/// also on a busy machine.
pub(crate) const ROOMY: Duration = Duration::from_millis(1_000);
/// A deadline that no test comes near.
pub(crate) const LONG: Duration = Duration::from_secs(20);
/// When an attempt that should end after `SHORT` has run away; a busy machine
/// needs the distance.
pub(crate) const RAN_AWAY: Duration = Duration::from_secs(10);

pub(crate) fn message() -> Message {
    Message {
        id: "north/import-limit:2".into(),
        at: Timestamp::from_unix_seconds(1_700_000_000),
        site: "north".into(),
        urgency: Urgency::Now,
        headline: "Hall B is 1.2 MW over its feeder's limit".into(),
        body: "Feeder F2 carries 6.2 MW; its limit is 5.0 MW.\n.\nRigs: no answer."
            .into(),
        acknowledge_with: "mw grid acknowledge north/import-limit:2".into(),
    }
}

/// One word for an outcome.
pub(crate) fn word(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Delivered { .. } => "delivered",
        Outcome::Refused { again: true, .. } => "refused for now",
        Outcome::Refused { again: false, .. } => "refused",
        Outcome::Unknown { .. } => "unknown",
    }
}

/// What an outcome says.
pub(crate) fn said(outcome: &Outcome) -> &str {
    match outcome {
        Outcome::Delivered { detail: text }
        | Outcome::Refused { why: text, .. }
        | Outcome::Unknown { why: text } => text,
    }
}

/// Serves connections on a thread, one after the other, each by one function.
pub(crate) struct Receiver {
    pub(crate) port: u16,
    serving: JoinHandle<Vec<String>>,
}

/// The receiver's end of a connection.
pub(crate) enum Wire {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ServerConnection, TcpStream>>),
}

/// What a receiver does with one connection; returns what it heard.
pub(crate) type Serve = Box<dyn FnOnce(Wire) -> String + Send>;

impl Receiver {
    pub(crate) fn start(connections: Vec<Serve>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("a bound socket").port();
        let serving = std::thread::spawn(move || {
            let serve = |serve: Serve| {
                let (stream, _) = listener.accept().expect("a connection");
                serve(Wire::Plain(stream))
            };
            connections.into_iter().map(serve).collect()
        });
        Self { port, serving }
    }

    /// What each connection brought.
    pub(crate) fn heard(self) -> Vec<String> {
        self.serving.join().expect("the receiver ended well")
    }
}

impl Wire {
    /// The server's side of TLS; nothing when the client goes away.
    pub(crate) fn secured(self) -> Option<Self> {
        let Self::Plain(mut stream) = self else { panic!("secured twice") };
        let certificate = CertificateDer::from_pem_slice(RECEIVER.as_bytes());
        let key = PrivateKeyDer::from_pem_slice(RECEIVER_KEY.as_bytes());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![certificate.expect("PEM")], key.expect("PEM"))
            .expect("a key that fits its certificate");
        let mut session = ServerConnection::new(Arc::new(config)).expect("a session");
        while session.is_handshaking() {
            session.complete_io(&mut stream).ok()?;
        }
        Some(Self::Tls(Box::new(StreamOwned::new(session, stream))))
    }

    pub(crate) fn say(&mut self, text: &str) {
        // The client may have gone; the test looks at what the client says.
        let _ = match self {
            Self::Plain(stream) => stream.write_all(text.as_bytes()),
            Self::Tls(stream) => {
                stream.write_all(text.as_bytes()).and_then(|()| stream.flush())
            }
        };
    }

    fn byte(&mut self) -> Option<u8> {
        let mut byte = [0];
        let read = match self {
            Self::Plain(stream) => stream.read(&mut byte),
            Self::Tls(stream) => stream.read(&mut byte),
        };
        read.is_ok_and(|count| count == 1).then_some(byte[0])
    }

    /// The next line with its end, or what there was of it.
    pub(crate) fn line(&mut self) -> String {
        let mut line = Vec::new();
        while let Some(byte) = self.byte() {
            line.push(byte);
            if byte == b'\n' {
                break;
            }
        }
        String::from_utf8_lossy(&line).into_owned()
    }

    /// Says nothing more and waits for the other side to go.
    pub(crate) fn hang(mut self) {
        while self.byte().is_some() {}
    }

    /// Says `text` again and again, a byte every 20 ms, until the client goes.
    pub(crate) fn drip(self, text: &str) {
        let Self::Plain(mut stream) = self else { panic!("drips in the open") };
        stream.set_read_timeout(Some(Duration::from_millis(20))).expect("a timeout");
        for byte in text.bytes().cycle() {
            // Waits for the client to go, for one pace.
            if matches!(stream.read(&mut [0; 4_096]), Ok(0))
                || stream.write_all(&[byte]).is_err()
            {
                return;
            }
        }
    }

    /// An HTTP request: its head and its body.
    pub(crate) fn request(&mut self) -> String {
        let mut request = String::new();
        let mut length = 0;
        loop {
            let line = self.line();
            if let Some(value) = line.strip_prefix("Content-Length: ") {
                length = value.trim().parse().expect("a length");
            }
            request.push_str(&line);
            if line == "\r\n" || line.is_empty() {
                break;
            }
        }
        let body: Vec<u8> = (0..length).map_while(|_| self.byte()).collect();
        request + std::str::from_utf8(&body).expect("UTF-8")
    }
}

/// Reads a request and answers it.
pub(crate) fn answers(text: &'static str) -> Serve {
    Box::new(move |mut wire| {
        let request = wire.request();
        wire.say(text);
        request
    })
}

/// A mail server's manners.
#[derive(Clone, Copy, Default)]
pub(crate) struct Manners {
    /// TLS from the first byte.
    pub(crate) is_tls: bool,
    /// What EHLO is answered with, after the name, before TLS.
    pub(crate) offers: &'static [&'static str],
    /// The same after TLS.
    pub(crate) offers_in_private: &'static [&'static str],
    /// Replies other than the usual, by the beginning of what was said;
    /// `hang` and `close` do so. The greeting is to ``, a letter to `.`.
    pub(crate) replies: &'static [(&'static str, &'static str)],
}

/// Serves one SMTP dialogue; hears every line, with `TLS` where it began.
pub(crate) fn mail(manners: Manners) -> Serve {
    Box::new(move |mut wire| {
        let mut heard = String::new();
        if manners.is_tls {
            match wire.secured() {
                Some(secured) => wire = secured,
                None => return heard,
            }
            heard.push_str("TLS\r\n");
        }
        let mut line = String::new();
        let mut is_letter = false;
        loop {
            let usual = usual_reply(&line, is_letter);
            is_letter = line.starts_with("DATA");
            let reply = manners
                .replies
                .iter()
                .find(|(said, _)| match *said {
                    "" | "." => line.trim_end() == *said,
                    said => line.starts_with(said),
                })
                .map_or(usual, |(_, reply)| reply);
            match reply {
                "hang" => {
                    wire.hang();
                    return heard;
                }
                "close" => return heard,
                "EHLO" => {
                    let is_private = matches!(wire, Wire::Tls(_));
                    let offers = if is_private {
                        manners.offers_in_private
                    } else {
                        manners.offers
                    };
                    let mut lines = vec!["mail.example"];
                    lines.extend(offers);
                    let last = lines.pop().expect("a line");
                    let said: String =
                        lines.iter().map(|line| format!("250-{line}\r\n")).collect();
                    wire.say(&format!("{said}250 {last}\r\n"));
                }
                reply => wire.say(&format!("{reply}\r\n")),
            }
            if line.starts_with("STARTTLS") && reply.starts_with("220") {
                match wire.secured() {
                    Some(secured) => wire = secured,
                    None => return heard,
                }
                heard.push_str("TLS\r\n");
            }
            if is_letter && reply.starts_with("354") {
                loop {
                    line = wire.line();
                    heard.push_str(&line);
                    if line == ".\r\n" || line.is_empty() {
                        break;
                    }
                }
            } else {
                is_letter = false;
                line = wire.line();
                heard.push_str(&line);
            }
            if line.is_empty() || line.starts_with("QUIT") {
                return heard;
            }
        }
    })
}

fn usual_reply(line: &str, is_letter: bool) -> &'static str {
    let word = line.split([' ', '\r']).next().unwrap_or("");
    match word {
        "" => "220 mail.example ESMTP",
        "." if is_letter => "250 2.0.0 queued as 42",
        "EHLO" => "EHLO",
        "STARTTLS" => "220 go on",
        "AUTH" => "235 welcome",
        "DATA" => "354 end with a dot",
        _ => "250 ok",
    }
}
