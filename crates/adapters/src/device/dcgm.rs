//! A tray's GPUs as its DCGM exporter counts them: text over HTTP, a line a figure.
//!
//! The exporter runs on the tray's own system. It is asked while that is the site's, and
//! never once a tenant has the tray.

use std::collections::BTreeMap;
use std::time::Instant;

use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::HOST;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;

use super::{DeviceText, Reached, Unanswered};

/// The most bytes of one answer. An exporter of four GPUs writes some 20 kB.
const BODY_MAX: usize = 1_024 * 1_024;

/// Where DCGM's last XID of a GPU is; 0 for none.
const XID: &str = "DCGM_FI_DEV_XID_ERRORS";

/// Whether rows of a GPU's memory could not be remapped.
const ROWS: &str = "DCGM_FI_DEV_ROW_REMAP_FAILURE";

/// XIDs after which a GPU is not to be given to anybody: it fell off the bus, or its
/// memory or its links are broken (NVIDIA's XID catalogue).
const BROKEN: [u64; 8] = [48, 63, 64, 74, 79, 94, 95, 119];

/// Counters of errors of a GPU's links, by the beginning of their names.
const LINK_ERRORS: [&str; 3] = [
    "DCGM_FI_DEV_NVLINK_CRC_FLIT_ERROR_COUNT",
    "DCGM_FI_DEV_NVLINK_CRC_DATA_ERROR_COUNT",
    "DCGM_FI_DEV_NVLINK_RECOVERY_ERROR_COUNT",
];

/// An exporter.
#[derive(Clone, Debug)]
pub struct Exporter {
    at: Reached,
}

/// What it told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// The GPUs that it tells of, a bit each.
    pub gpus: u8,
    /// What is wrong with GPUs by themselves, in a few words each.
    pub broken: Vec<DeviceText>,
    /// Errors of links so far, by GPU and counter.
    pub link_errors: BTreeMap<(u8, String), u64>,
}

impl Exporter {
    /// An exporter at an address that may be reached. Nothing is sent yet.
    pub fn new(at: Reached) -> Self {
        Self { at }
    }

    /// What it counts now.
    ///
    /// # Errors
    ///
    /// When it does not answer by the deadline, or with something else.
    pub async fn count(&self, by: Instant) -> Result<Counted, Unanswered> {
        let asking = async {
            let nonsense = |what: &str| Unanswered::Nonsense(DeviceText::of(what));
            let stream = TokioIo::new(self.at.connect(by).await?);
            let (mut sender, connection) =
                http1::handshake(stream).await.map_err(|_| Unanswered::Closed)?;
            let carries = tokio::spawn(async move {
                // How it ends is told to whoever asked on it.
                let _ = connection.await;
            });
            let request = Request::get("/metrics")
                .header(HOST, self.at.to_string())
                .body(Empty::<Bytes>::new())
                .expect("a request");
            let said = async {
                let answer = sender.send_request(request).await;
                let answer = answer.map_err(|_| Unanswered::Closed)?;
                if answer.status() != StatusCode::OK {
                    let status = answer.status().as_u16();
                    return Err(nonsense(&format!("{status} at /metrics")));
                }
                let body = Limited::new(answer.into_body(), BODY_MAX).collect().await;
                let body =
                    body.map_err(|_| nonsense("an answer that is cut or too long"))?;
                String::from_utf8(body.to_bytes().into())
                    .map_err(|_| nonsense("no text at /metrics"))
            }
            .await;
            carries.abort();
            let counted = Counted::read(&said?);
            match counted.gpus {
                0 => Err(nonsense("no figure of a GPU at /metrics")),
                _ => Ok(counted),
            }
        };
        tokio::time::timeout_at(by.into(), asking).await.map_err(|_| Unanswered::Late)?
    }
}

impl Counted {
    /// Reads an exporter's text; a line that is none of a GPU's figures is passed over.
    pub fn read(text: &str) -> Self {
        let mut counted = Self::default();
        for line in text.lines().filter(|line| line.starts_with("DCGM_FI_")) {
            let Some((name, gpu, value)) = figure(line) else { continue };
            counted.gpus |= 1 << gpu;
            // An exporter writes floating point; what is counted here are whole numbers.
            let whole = if value >= 0.0 { value as u64 } else { 0 };
            match name {
                XID if BROKEN.contains(&whole) => {
                    counted
                        .broken
                        .push(DeviceText::of(&format!("GPU {gpu}: XID {whole}")));
                }
                ROWS if whole > 0 => {
                    let what =
                        format!("GPU {gpu}: rows of its memory cannot be remapped");
                    counted.broken.push(DeviceText::of(&what));
                }
                _ if LINK_ERRORS.iter().any(|counter| name.starts_with(counter)) => {
                    counted.link_errors.insert((gpu, name.to_owned()), whole);
                }
                _ => {}
            }
        }
        counted
    }

    /// The GPUs whose links had more than so many errors since `before`. A counter that
    /// went back began anew.
    pub fn failing_links(&self, before: &Self, most: u64) -> Vec<DeviceText> {
        let mut failing = Vec::new();
        for ((gpu, counter), now) in &self.link_errors {
            let then = before.link_errors.get(&(*gpu, counter.clone())).copied();
            let then = then.filter(|then| then <= now).unwrap_or(0);
            if now - then > most {
                let more = now - then;
                failing.push(DeviceText::of(&format!("GPU {gpu}: {more} NVLink errors")));
            }
        }
        failing
    }
}

/// The name, the GPU and the value of a line such as `NAME{gpu="0",…} 1`.
fn figure(line: &str) -> Option<(&str, u8, f64)> {
    let (name, rest) = line.split_once('{')?;
    let (labels, value) = rest.rsplit_once('}')?;
    let gpu = labels.split(',').find_map(|label| {
        let number = label.trim().strip_prefix("gpu=\"")?.strip_suffix('"')?;
        number.parse::<u8>().ok().filter(|gpu| *gpu < 8)
    })?;
    let value: f64 = value.split_whitespace().next()?.parse().ok()?;
    value.is_finite().then_some((name, gpu, value))
}

#[cfg(test)]
mod tests {
    use super::Counted;

    const TEXT: &str = "\
# HELP DCGM_FI_DEV_XID_ERRORS Value of the last XID error encountered.
# TYPE DCGM_FI_DEV_XID_ERRORS gauge
DCGM_FI_DEV_XID_ERRORS{gpu=\"0\",UUID=\"GPU-1\",Hostname=\"n1\"} 0
DCGM_FI_DEV_XID_ERRORS{gpu=\"1\",UUID=\"GPU-2\",hostname=\"n1\"} 79
DCGM_FI_DEV_XID_ERRORS{gpu=\"3\",UUID=\"GPU-4\",hostname=\"n1\"} 31
DCGM_FI_DEV_ROW_REMAP_FAILURE{gpu=\"3\",UUID=\"GPU-4\"} 1
DCGM_FI_DEV_NVLINK_CRC_FLIT_ERROR_COUNT_TOTAL{gpu=\"0\"} 12
DCGM_FI_DEV_GPU_TEMP{gpu=\"9\"} 44
DCGM_FI_DEV_GPU_TEMP{gpu=\"2\"} nan
go_goroutines 14
";

    #[test]
    fn an_exporter_tells_which_gpus_there_are_and_what_is_wrong() {
        let counted = Counted::read(TEXT);
        assert_eq!(counted.gpus, 0b1011);
        let broken: Vec<&str> = counted.broken.iter().map(|text| text.as_str()).collect();
        // XID 31 is a program's own fault.
        assert_eq!(
            broken,
            ["GPU 1: XID 79", "GPU 3: rows of its memory cannot be remapped"]
        );
        assert_eq!(Counted::read("<html>"), Counted::default());
    }

    #[test]
    fn links_fail_by_what_was_counted_since() {
        let of = |errors: u64| {
            Counted::read(&format!(
                "DCGM_FI_DEV_NVLINK_CRC_FLIT_ERROR_COUNT_TOTAL{{gpu=\"2\"}} {errors}\n"
            ))
        };
        for (before, now, fails) in [
            (12, 12, false),
            (12, 112, false),
            (12, 113, true),
            (500, 20, false),
            (500, 101, true),
        ] {
            let failing = of(now).failing_links(&of(before), 100);
            assert_eq!(!failing.is_empty(), fails, "{before} {now}");
        }
        assert!(!of(101).failing_links(&Counted::default(), 100).is_empty());
    }
}
