//! Asks a living run something over its control socket.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use super::speaker::ANSWER_WITHIN;
use super::{Asked, REPLY_BYTES_MAX, Reply, socket_of};

/// Longer than the run itself waits for its loop.
const REPLY_WITHIN: Duration = ANSWER_WITHIN.saturating_add(Duration::from_secs(5));

/// Why there is no reply.
#[derive(Debug, thiserror::Error)]
pub enum NoReply {
    /// No run lives there.
    #[error(
        "nobody answers on {socket}: no run lives in this data folder; \
         start one with `mw run`, or name the folder of the one that runs"
    )]
    Nobody {
        /// Where the socket would be.
        socket: String,
    },
    /// The socket is another user's.
    #[error("may not open {socket}; ask as the user that the run belongs to")]
    NotAllowed {
        /// Where the socket is.
        socket: String,
    },
    /// It broke off, or took too long.
    #[error(
        "no reply from the run on {socket}; whether it was done is not known, \
         look at the status before asking again"
    )]
    BrokeOff {
        /// Where the socket is.
        socket: String,
        /// What happened.
        source: io::Error,
    },
    /// It answered something that this program does not understand.
    #[error(
        "expected a reply of this program from {socket}; is the run of another version?"
    )]
    NotUnderstood {
        /// Where the socket is.
        socket: String,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}

/// Asks the run that lives in a data folder.
///
/// # Errors
///
/// When nobody answers, or not in words of this program. What the run refuses is a
/// reply.
pub fn ask(folder: &Path, asked: &Asked) -> Result<Reply, NoReply> {
    let path = socket_of(folder);
    let socket = path.display().to_string();
    let stream = UnixStream::connect(&path).map_err(|error| {
        if error.kind() == io::ErrorKind::PermissionDenied {
            return NoReply::NotAllowed { socket: socket.clone() };
        }
        NoReply::Nobody { socket: socket.clone() }
    })?;
    let line = converse(&stream, asked)
        .map_err(|source| NoReply::BrokeOff { socket: socket.clone(), source })?;
    serde_json::from_str(&line)
        .map_err(|source| NoReply::NotUnderstood { socket, source })
}

fn converse(mut stream: &UnixStream, asked: &Asked) -> io::Result<String> {
    stream.set_read_timeout(Some(REPLY_WITHIN))?;
    stream.set_write_timeout(Some(REPLY_WITHIN))?;
    let mut request = serde_json::to_vec(asked)?;
    request.push(b'\n');
    stream.write_all(&request)?;
    let mut line = String::new();
    BufReader::new(stream.take(REPLY_BYTES_MAX)).read_line(&mut line)?;
    if !line.ends_with('\n') {
        return Err(io::Error::new(
            io::ErrorKind::UnexpectedEof,
            "the reply is cut short",
        ));
    }
    Ok(line)
}
