//! The simulated site's meter and batteries, spoken to in Modbus TCP.
//!
//! [`serve_meter`] and [`serve_battery`] answer on a listener until it or the caller
//! ends, in the words of any profile. The frames are made here and not by the library
//! that reads them on the other side: what both misunderstood would otherwise pass.

mod faces;
mod faults;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use adapters::device::modbus::{Meaning, Micro, Profile, Register, Space};
use engine::site::LoadIx;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::Emulated;
use faces::{BatteryFace, MeterFace};

pub use faults::{Fault, Faults};

/// Who hides behind registers.
trait Face: Send + Sync {
    /// What a register holds; `None` is nothing to be had.
    fn figure(&self, means: Meaning) -> Option<Micro>;

    /// A register is written.
    fn write(&self, means: Meaning, figure: Micro) -> Result<(), Exception>;

    /// Whether it answers at all.
    fn answers(&self) -> bool {
        true
    }
}

/// Why a request is not carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Exception {
    Function,
    Address,
    Value,
}

/// The longest frame of the protocol after its length.
const BODY_MAX: usize = 254;

/// How long a client may be silent.
const IDLE: Duration = Duration::from_secs(120);

/// Shows the meter at the interconnection.
pub async fn serve_meter(
    site: &Emulated,
    listener: TcpListener,
    profile: Profile,
    unit: u8,
    faults: Faults,
) -> io::Result<()> {
    let face = MeterFace::new(site.clone());
    serve(listener, Arc::new(Unit::new(face, profile, unit, faults))).await
}

/// Shows the battery that is a load of the site; it moves to what it is told as fast
/// as a real one, and rests when nobody beats its heart.
pub async fn serve_battery(
    site: &Emulated,
    load: LoadIx,
    listener: TcpListener,
    profile: Profile,
    unit: u8,
    faults: Faults,
) -> io::Result<()> {
    let face = BatteryFace::new(site.clone(), load, profile.watchdog);
    let face = face.ok_or_else(|| io::Error::other("the load is no battery"))?;
    let moves = face.clone();
    let unit = Arc::new(Unit::new(face, profile, unit, faults));
    tokio::select! {
        served = serve(listener, unit) => served,
        () = moves.move_on() => Ok(()),
    }
}

async fn serve(listener: TcpListener, unit: Arc<Unit>) -> io::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let unit = Arc::clone(&unit);
        // Whoever leaves may come back.
        tokio::spawn(async move { unit.speak(stream).await });
    }
}

/// One unit: a face, and how its registers are laid out.
struct Unit {
    face: Box<dyn Face>,
    profile: Profile,
    unit: u8,
    faults: Faults,
}

impl Unit {
    fn new(
        face: impl Face + 'static,
        profile: Profile,
        unit: u8,
        faults: Faults,
    ) -> Self {
        Self { face: Box::new(face), profile, unit, faults }
    }

    async fn speak(&self, mut stream: TcpStream) -> io::Result<()> {
        loop {
            let mut head = [0; 7];
            let heard = tokio::time::timeout(IDLE, stream.read_exact(&mut head)).await;
            heard.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
            let number = u16::from_be_bytes([head[0], head[1]]);
            let protocol = u16::from_be_bytes([head[2], head[3]]);
            let length = usize::from(u16::from_be_bytes([head[4], head[5]]));
            if protocol != 0 || !(2..=BODY_MAX).contains(&length) {
                return Err(io::Error::other("no frame of this protocol"));
            }
            let mut body = vec![0; length - 1];
            let heard = tokio::time::timeout(IDLE, stream.read_exact(&mut body)).await;
            heard.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
            // Another unit of the same wire is not there.
            let silent = self.faults.has(Fault::Silent) || !self.face.answers();
            if silent || head[6] != self.unit {
                continue;
            }
            let answer = self.answer(&body);
            let number = match self.faults.has(Fault::WrongTransaction) {
                true => number.wrapping_add(1),
                false => number,
            };
            let unit = match self.faults.has(Fault::WrongUnit) {
                true => self.unit.wrapping_add(1),
                false => self.unit,
            };
            let mut frame = Vec::with_capacity(answer.len() + 7);
            frame.extend(number.to_be_bytes());
            frame.extend([0, 0]);
            frame.extend((answer.len() as u16 + 1).to_be_bytes());
            frame.push(unit);
            frame.extend(answer);
            stream.write_all(&frame).await?;
        }
    }

    fn answer(&self, body: &[u8]) -> Vec<u8> {
        let function = body[0];
        self.carry_out(function, &body[1..]).unwrap_or_else(|exception| {
            let code = match exception {
                Exception::Function => 1,
                Exception::Address => 2,
                Exception::Value => 3,
            };
            vec![function | 0x80, code]
        })
    }

    fn carry_out(&self, function: u8, asked: &[u8]) -> Result<Vec<u8>, Exception> {
        let word = |at: usize| {
            let pair = asked.get(at..at + 2).ok_or(Exception::Value)?;
            Ok(u16::from_be_bytes([pair[0], pair[1]]))
        };
        match function {
            3 | 4 => {
                let space = if function == 3 { Space::Holding } else { Space::Input };
                let (start, count) = (word(0)?, word(2)?);
                if count == 0 || count > 125 {
                    return Err(Exception::Value);
                }
                let words = self.read(space, start, count)?;
                let mut said = vec![function, (words.len() * 2) as u8];
                said.extend(words.iter().flat_map(|word| word.to_be_bytes()));
                Ok(said)
            }
            6 => {
                let (start, value) = (word(0)?, word(2)?);
                self.write(start, &[value])?;
                Ok(body_of(function, start, value))
            }
            16 => {
                let (start, count) = (word(0)?, word(2)?);
                let bytes = asked.get(5..).ok_or(Exception::Value)?;
                if asked[4] as usize != bytes.len()
                    || bytes.len() != usize::from(count) * 2
                {
                    return Err(Exception::Value);
                }
                let words: Vec<u16> = bytes
                    .chunks_exact(2)
                    .map(|pair| u16::from_be_bytes([pair[0], pair[1]]))
                    .collect();
                self.write(start, &words)?;
                Ok(body_of(function, start, count))
            }
            _ => Err(Exception::Function),
        }
    }

    fn read(&self, space: Space, start: u16, count: u16) -> Result<Vec<u16>, Exception> {
        let end = start.checked_add(count - 1).ok_or(Exception::Address)?;
        (start..=end)
            .map(|address| {
                let holds = |row: &&Register| {
                    row.space == space
                        && (row.address..row.address + row.coding.width.words())
                            .contains(&address)
                };
                let row = self.profile.registers.iter().find(holds);
                let row = row.ok_or(Exception::Address)?;
                Ok(self.words(row)[usize::from(address - row.address)])
            })
            .collect()
    }

    /// What a register holds; zeros, or its word for it, where there is nothing.
    fn words(&self, row: &Register) -> Vec<u16> {
        let coding = row.coding;
        let raw =
            matches!(row.means, Meaning::Heartbeat | Meaning::Status | Meaning::Watchdog);
        let hold = |figure: Micro| {
            // A counter goes on from nothing when it is full.
            let figure = match (row.means, coding.span()) {
                (Meaning::EnergyImport | Meaning::EnergyExport, Some(span)) => {
                    Micro(figure.0.rem_euclid(span.0))
                }
                (Meaning::Heartbeat, Some(span)) if raw => {
                    Micro(figure.0.rem_euclid(span.0))
                }
                _ => figure,
            };
            coding.words(figure)
        };
        let figure = self.faults.shown(row.means, self.face.figure(row.means));
        figure.and_then(hold).unwrap_or_else(|| {
            let bits = coding.absent.unwrap_or(0);
            let count = coding.width.words();
            (0..count).rev().map(|at| (bits >> (16 * at)) as u16).collect()
        })
    }

    fn write(&self, start: u16, words: &[u16]) -> Result<(), Exception> {
        let is = |row: &&Register| row.space == Space::Holding && row.address == start;
        let row = self.profile.registers.iter().find(is).ok_or(Exception::Address)?;
        if usize::from(row.coding.width.words()) != words.len() {
            return Err(Exception::Address);
        }
        let figure = row.coding.figure(words).ok_or(Exception::Value)?;
        self.face.write(row.means, figure)
    }
}

fn body_of(function: u8, start: u16, value: u16) -> Vec<u8> {
    let mut body = vec![function];
    body.extend(start.to_be_bytes());
    body.extend(value.to_be_bytes());
    body
}
