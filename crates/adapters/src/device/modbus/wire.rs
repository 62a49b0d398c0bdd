//! One connection to one unit, kept open between calls.

use std::borrow::Cow;
use std::io::ErrorKind;
use std::time::Instant;

use tokio::sync::Mutex;
use tokio_modbus::client::{Client, Context, tcp};
use tokio_modbus::{Error, ExceptionCode, Request, Response, Slave};

use super::profile::Space;
use crate::device::{DeviceText, Reached, Refusal, Unanswered};

/// The way to one unit behind one address.
pub(super) struct Wire {
    at: Reached,
    unit: u8,
    link: Mutex<Option<Context>>,
}

/// What a device said instead of doing it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Exception(pub(super) ExceptionCode);

/// An answer, or an exception.
type Said<T> = Result<T, Exception>;

impl Wire {
    pub(super) fn new(at: Reached, unit: u8) -> Self {
        Self { at, unit, link: Mutex::new(None) }
    }

    pub(super) fn at(&self) -> Reached {
        self.at
    }

    /// Reads `count` words. A connection that went away since the last call is opened
    /// again, once: reading twice changes nothing.
    pub(super) async fn read(
        &self,
        space: Space,
        address: u16,
        count: u16,
        by: Instant,
    ) -> Result<Said<Vec<u16>>, Unanswered> {
        let request = || match space {
            Space::Holding => Request::ReadHoldingRegisters(address, count),
            Space::Input => Request::ReadInputRegisters(address, count),
        };
        let was_open = self.is_open(by).await?;
        let said = match self.call(request(), by).await {
            Err(Unanswered::Closed) if was_open => self.call(request(), by).await?,
            said => said?,
        };
        let words = match said {
            Err(exception) => return Ok(Err(exception)),
            Ok(
                Response::ReadHoldingRegisters(words)
                | Response::ReadInputRegisters(words),
            ) => words,
            Ok(other) => return Err(self.nonsense(&format!("{other:?}")).await),
        };
        if words.len() != usize::from(count) {
            let said = format!("{} words of {count} asked for", words.len());
            return Err(self.nonsense(&said).await);
        }
        Ok(Ok(words))
    }

    /// Writes holding registers, once.
    pub(super) async fn write(
        &self,
        address: u16,
        words: &[u16],
        by: Instant,
    ) -> Result<Said<()>, Unanswered> {
        let request = match words {
            [word] => Request::WriteSingleRegister(address, *word),
            words => Request::WriteMultipleRegisters(address, Cow::Borrowed(words)),
        };
        match self.call(request, by).await? {
            Err(exception) => Ok(Err(exception)),
            Ok(Response::WriteSingleRegister(at, word))
                if at == address && [word] == *words =>
            {
                Ok(Ok(()))
            }
            Ok(Response::WriteMultipleRegisters(at, count))
                if at == address && usize::from(count) == words.len() =>
            {
                Ok(Ok(()))
            }
            Ok(other) => Err(self.nonsense(&format!("{other:?}")).await),
        }
    }

    async fn is_open(&self, by: Instant) -> Result<bool, Unanswered> {
        let held = tokio::time::timeout_at(by.into(), self.link.lock()).await;
        held.map(|link| link.is_some()).map_err(|_| Unanswered::Late)
    }

    /// Asks once, and drops the connection where the answer was no answer: what comes
    /// late would be taken for the answer to the next question.
    async fn call(
        &self,
        request: Request<'_>,
        by: Instant,
    ) -> Result<Said<Response>, Unanswered> {
        let asking = async {
            let mut link = self.link.lock().await;
            let mut open = match link.take() {
                Some(open) => open,
                None => {
                    let stream = self.at.connect(by).await?;
                    tcp::attach_slave(stream, Slave(self.unit))
                }
            };
            let said = open.call(request).await;
            match said {
                Ok(said) => {
                    *link = Some(open);
                    Ok(said.map_err(Exception))
                }
                Err(error) => Err(unanswered(&error)),
            }
        };
        let asked = tokio::time::timeout_at(by.into(), asking).await;
        asked.unwrap_or(Err(Unanswered::Late))
    }

    async fn nonsense(&self, said: &str) -> Unanswered {
        *self.link.lock().await = None;
        Unanswered::Nonsense(DeviceText::of(said))
    }
}

impl std::fmt::Debug for Wire {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Wire({}, unit {})", self.at, self.unit)
    }
}

fn unanswered(error: &Error) -> Unanswered {
    match error {
        Error::Protocol(_) => Unanswered::Nonsense(DeviceText::of(
            "an answer to another question, or of another unit",
        )),
        Error::Transport(error)
            if matches!(
                error.kind(),
                ErrorKind::InvalidData | ErrorKind::InvalidInput
            ) =>
        {
            Unanswered::Nonsense(DeviceText::of(&error.to_string()))
        }
        // However it ended, there is no connection any more.
        Error::Transport(_) => Unanswered::Closed,
    }
}

impl Exception {
    fn words(self) -> &'static str {
        match self.0 {
            ExceptionCode::IllegalFunction => "exception 1: no such function",
            ExceptionCode::IllegalDataAddress => "exception 2: no such register",
            ExceptionCode::IllegalDataValue => "exception 3: no such value",
            ExceptionCode::ServerDeviceFailure => "exception 4: the device failed",
            ExceptionCode::Acknowledge => "exception 5: it takes its time",
            ExceptionCode::ServerDeviceBusy => "exception 6: busy",
            ExceptionCode::MemoryParityError => "exception 8: memory parity",
            ExceptionCode::GatewayPathUnavailable => {
                "exception 10: the gateway has no path to that unit"
            }
            ExceptionCode::GatewayTargetDevice => {
                "exception 11: the unit behind the gateway does not answer"
            }
            ExceptionCode::Custom(_) => "an exception of its own",
        }
    }

    /// What it means for a look.
    pub(super) fn unanswered(self) -> Unanswered {
        match self.0 {
            ExceptionCode::GatewayPathUnavailable
            | ExceptionCode::GatewayTargetDevice => Unanswered::Unreachable,
            ExceptionCode::IllegalFunction
            | ExceptionCode::IllegalDataAddress
            | ExceptionCode::IllegalDataValue
            | ExceptionCode::ServerDeviceFailure
            | ExceptionCode::Acknowledge
            | ExceptionCode::ServerDeviceBusy
            | ExceptionCode::MemoryParityError
            | ExceptionCode::Custom(_) => {
                Unanswered::Nonsense(DeviceText::of(self.words()))
            }
        }
    }

    /// What it means for a request: a refusal, or nothing known.
    pub(super) fn answer(self) -> crate::device::Answer {
        use crate::device::Answer;
        let words = DeviceText::of(self.words());
        match self.0 {
            ExceptionCode::IllegalFunction | ExceptionCode::IllegalDataAddress => {
                Answer::Refused(Refusal::Unsupported(words))
            }
            ExceptionCode::ServerDeviceBusy => Answer::Refused(Refusal::Busy(words)),
            ExceptionCode::IllegalDataValue | ExceptionCode::MemoryParityError => {
                Answer::Refused(Refusal::Other(words))
            }
            // It heard, and whether it does so is seen by looking.
            ExceptionCode::Acknowledge => Answer::Accepted,
            ExceptionCode::GatewayPathUnavailable
            | ExceptionCode::GatewayTargetDevice => {
                Answer::Unknown(Unanswered::Unreachable)
            }
            // It failed while it did what was asked, or has words of its own.
            ExceptionCode::ServerDeviceFailure | ExceptionCode::Custom(_) => {
                Answer::Unknown(Unanswered::Nonsense(words))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio_modbus::ExceptionCode;

    use super::Exception;
    use crate::device::{Answer, Refusal, Unanswered};

    /// Each exception code, and what it means for a request.
    #[test]
    fn exceptions_refuse_or_say_nothing() {
        for (code, expected) in [
            (1, "unsupported"),
            (2, "unsupported"),
            (3, "other"),
            (4, "unknown"),
            (5, "accepted"),
            (6, "busy"),
            (8, "other"),
            (10, "unreachable"),
            (11, "unreachable"),
            (77, "unknown"),
        ] {
            let said = match Exception(ExceptionCode::new(code)).answer() {
                Answer::Accepted => "accepted",
                Answer::Refused(Refusal::Unsupported(_)) => "unsupported",
                Answer::Refused(Refusal::Busy(_)) => "busy",
                Answer::Refused(Refusal::Other(_)) => "other",
                Answer::Refused(Refusal::Login | Refusal::OutOfRange { .. }) => "?",
                Answer::Unknown(Unanswered::Unreachable) => "unreachable",
                Answer::Unknown(_) => "unknown",
            };
            assert_eq!(said, expected, "{code}");
        }
    }
}
