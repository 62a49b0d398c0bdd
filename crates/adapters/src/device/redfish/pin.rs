//! Who a service is: the certificate it showed first.
//!
//! A tray's controller signs its own certificate, so no authority can vouch for it.
//! What it showed first is kept, and whoever shows another is not spoken to.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use sha2::{Digest, Sha256};

/// How a service is spoken to.
#[derive(Clone, Debug)]
pub enum Security {
    /// In the open, where the site file says so.
    Plain,
    /// Over TLS, with the certificate pinned on first use.
    Pinned(Pin),
}

/// SHA-256 of a certificate.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint(pub [u8; 32]);

/// The certificate that is expected, once one is known. Clones are the same pin.
#[derive(Clone, Debug, Default)]
pub struct Pin(Arc<Mutex<Held>>);

#[derive(Debug, Default)]
struct Held {
    pinned: Option<Fingerprint>,
    /// Another that was shown last, and that is not spoken to.
    refused: Option<Fingerprint>,
}

impl Pin {
    /// The certificate that was seen before, or none yet.
    pub fn new(known: Option<Fingerprint>) -> Self {
        Self(Arc::new(Mutex::new(Held { pinned: known, refused: None })))
    }

    /// What is expected now, to be kept for the next start.
    pub fn fingerprint(&self) -> Option<Fingerprint> {
        self.held().pinned
    }

    /// The certificate that it showed last, where that is another than is expected.
    pub fn refused(&self) -> Option<Fingerprint> {
        self.held().refused
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The certificate of a service that has proved to hold its key: a first one is kept.
    pub(super) fn hold(&self, shown: Option<&CertificateDer<'_>>) {
        let mut held = self.held();
        held.refused = None;
        if held.pinned.is_none() {
            held.pinned = shown.map(Fingerprint::of);
        }
    }

    /// How TLS is spoken with that service.
    pub(super) fn client(&self) -> ClientConfig {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = Verifier { pin: self.clone(), provider: Arc::clone(&provider) };
        ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("ring speaks TLS 1.2 and 1.3")
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth()
    }
}

impl Fingerprint {
    /// What [`fmt::Display`] writes: 64 hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        let is_hex =
            text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        for (at, byte) in bytes.iter_mut().enumerate().filter(|_| is_hex) {
            *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).ok()?;
        }
        is_hex.then_some(Self(bytes))
    }

    fn of(certificate: &CertificateDer<'_>) -> Self {
        Self(Sha256::digest(certificate.as_ref()).into())
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[derive(Debug)]
struct Verifier {
    pin: Pin,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let shown = Fingerprint::of(end_entity);
        let mut held = self.pin.held();
        match held.pinned {
            Some(pinned) if pinned != shown => {
                held.refused = Some(shown);
                Err(Error::General(
                    "the device shows another certificate than the one that is pinned"
                        .to_owned(),
                ))
            }
            Some(_) | None => Ok(ServerCertVerified::assertion()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
