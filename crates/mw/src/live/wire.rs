//! How the program and a simulated site speak: frames over any stream.
//!
//! ```text
//! frame  length (4, little-endian)  postcard of a message
//! ```

use std::io;

use engine::{Lease, OrderBatch, ReadBack, Receipt, Source, Sweep};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use units::{Power, Temperature, Timestamp};

use crate::emulate::Account;

/// The longest frame. A survey of a hundred thousand machines takes some 200 kB.
const FRAME_BYTES_MAX: u32 = 16 << 20;

/// What is said to a site.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToSite {
    /// Carry out these orders.
    Orders(OrderBatch),
    /// Somebody watches: hold what was ordered until then.
    Keep(Lease),
    /// Say where these are.
    Look(ReadBack),
    /// Say where every machine is.
    Survey,
    /// The weather it has: that which its operator knows of. A site that is there has
    /// its own.
    Weather(Option<Temperature>),
    /// Send the meters' intervals from here on.
    MetersFrom(Timestamp),
    /// Say what was truly done and drawn so far: for tests, which believe no run.
    Account,
}

/// What a site says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FromSite {
    /// The first word: who it is and what time it has.
    Hello {
        /// The site's name, as its file has it.
        site: String,
        /// What its loads are called, in the order in which it numbers them.
        loads: Vec<String>,
        /// Its time.
        now: Timestamp,
        /// How many of its seconds pass in one of the wall.
        speed: u32,
    },
    /// Where machines were seen.
    Receipt(Receipt),
    /// What the site draws.
    Draw {
        /// Net draw.
        power: Power,
        /// When it was read.
        at: Timestamp,
        /// Who says so: the interconnection's meter, or machines where there is none.
        source: Source,
    },
    /// What the meters counted over one interval.
    Sweep(Sweep),
    /// What was truly done and drawn so far.
    Account(Box<Account>),
}

/// Writes one message.
pub async fn say(
    stream: &mut (impl AsyncWrite + Unpin),
    message: &impl Serialize,
) -> io::Result<()> {
    let body = postcard::to_stdvec(message).map_err(io::Error::other)?;
    let length = u32::try_from(body.len()).map_err(io::Error::other)?;
    stream.write_all(&length.to_le_bytes()).await?;
    stream.write_all(&body).await?;
    stream.flush().await
}

/// Reads one message; `None` where the other side has ended.
pub async fn hear<T: DeserializeOwned>(
    stream: &mut (impl AsyncRead + Unpin),
) -> io::Result<Option<T>> {
    let mut length = [0; 4];
    match stream.read_exact(&mut length).await {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        read => read?,
    };
    let length = u32::from_le_bytes(length);
    if length > FRAME_BYTES_MAX {
        return Err(io::Error::other(format!(
            "expected a frame of at most {FRAME_BYTES_MAX} bytes, found {length}"
        )));
    }
    let mut body = vec![0; length as usize];
    stream.read_exact(&mut body).await?;
    postcard::from_bytes(&body).map(Some).map_err(io::Error::other)
}
