//! A journal file: a run's records in compressed, hash-chained blocks.
//!
//! ```text
//! magic  8 bytes
//! block  kind (1)  compressed length (4)  chain (32)  snappy(postcard records)
//! block  ...
//! ```
//!
//! The chain of a block is SHA-256 over the chain of the block before it, the
//! block's kind and its records, so an edited, removed or reordered block is
//! found. The last block says how many steps there were; a file without one was
//! cut short.

use std::fs::File;
use std::io::{BufReader, BufWriter, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use engine::journal::{End, FORMAT, Head, OLDEST, Step, is_read};
use engine::{Input, Output};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::drive::record::Record;

const MAGIC: [u8; 8] = *b"mwjourn\n";

/// Steps gather to about this many bytes before they become a block.
const BLOCK_BYTES: usize = 1 << 20;

/// No block is larger than this; a length beyond it is damage.
const BLOCK_BYTES_MAX: usize = 1 << 26;

const HEAD: u8 = 1;
const STEPS: u8 = 2;
const END: u8 = 3;

type Chain = [u8; 32];

/// Why a journal cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The file cannot be opened or read.
    #[error("cannot read {path}")]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It is some other file.
    #[error("{path} is not a journal of this program")]
    NotAJournal {
        /// Which file.
        path: PathBuf,
    },
    /// It was written in a format that this program does not read.
    #[error(
        "{path} is in journal format {found}, written by {program}; this program reads {OLDEST} to {FORMAT}; \
         replay it with the program that wrote it"
    )]
    OtherFormat {
        /// Which file.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// The program that wrote it.
        program: String,
    },
    /// A block does not match its chain: the file was altered.
    #[error(
        "{path}: block {block} does not follow from the one before it; the file was altered"
    )]
    Broken {
        /// Which file.
        path: PathBuf,
        /// Which block, counted from 1.
        block: u64,
    },
    /// The file ends before its run did.
    #[error("{path} ends after {steps} steps without an end record; it was cut short")]
    CutShort {
        /// Which file.
        path: PathBuf,
        /// How many steps it holds.
        steps: u64,
    },
}

/// Writes a journal file.
pub struct Writer {
    file: BufWriter<File>,
    chain: Chain,
    steps: Vec<u8>,
    count: u64,
    packer: snap::raw::Encoder,
    packed: Vec<u8>,
}

impl Writer {
    /// Begins a journal at `path`.
    pub fn create(path: &Path, head: &Head) -> anyhow::Result<Self> {
        let file = File::create_new(path)
            .with_context(|| format!("cannot write {}", path.display()))?;
        let mut writer = Self {
            file: BufWriter::new(file),
            chain: [0; 32],
            steps: Vec::with_capacity(BLOCK_BYTES * 2),
            count: 0,
            packer: snap::raw::Encoder::new(),
            packed: Vec::new(),
        };
        writer.file.write_all(&MAGIC)?;
        writer.block(HEAD, &postcard::to_stdvec(head)?)?;
        Ok(writer)
    }

    /// Writes what is left and the end record, and makes the file durable.
    pub fn finish(mut self) -> anyhow::Result<()> {
        self.flush_steps()?;
        self.block(END, &postcard::to_stdvec(&End { steps: self.count })?)?;
        let file = self.file.into_inner().context("cannot write the journal")?;
        file.sync_all().context("cannot make the journal durable")
    }

    fn flush_steps(&mut self) -> anyhow::Result<()> {
        if self.steps.is_empty() {
            return Ok(());
        }
        let steps = std::mem::take(&mut self.steps);
        self.block(STEPS, &steps)?;
        self.steps = steps;
        self.steps.clear();
        Ok(())
    }

    fn block(&mut self, kind: u8, raw: &[u8]) -> anyhow::Result<()> {
        self.chain = chain_on(self.chain, kind, raw);
        self.packed.resize(snap::raw::max_compress_len(raw.len()), 0);
        let length = self.packer.compress(raw, &mut self.packed)?;
        self.file.write_all(&[kind])?;
        self.file.write_all(&u32::try_from(length)?.to_le_bytes())?;
        self.file.write_all(&self.chain)?;
        self.file.write_all(&self.packed[..length]).context("cannot write the journal")
    }
}

impl Record for Writer {
    fn step(&mut self, input: &Input, outputs: &[Output]) -> anyhow::Result<()> {
        /// Borrows what [`Step`] owns; the two are written alike.
        #[derive(Serialize)]
        struct Borrowed<'a> {
            input: &'a Input,
            outputs: &'a [Output],
        }
        let steps = std::mem::take(&mut self.steps);
        self.steps = postcard::to_extend(&Borrowed { input, outputs }, steps)?;
        self.count += 1;
        if self.steps.len() >= BLOCK_BYTES {
            self.flush_steps()?;
        }
        Ok(())
    }
}

fn chain_on(before: Chain, kind: u8, raw: &[u8]) -> Chain {
    Sha256::new()
        .chain_update(before)
        .chain_update([kind])
        .chain_update(raw)
        .finalize()
        .into()
}

/// Reads a journal file step by step.
pub struct Reader {
    path: PathBuf,
    file: BufReader<File>,
    chain: Chain,
    blocks: u64,
    steps: u64,
    raw: Vec<u8>,
    at: usize,
    ended: bool,
}

impl Reader {
    /// Opens a journal and reads what its run began with.
    pub fn open(path: &Path) -> Result<(Head, Self), JournalError> {
        let unreadable =
            |source| JournalError::Unreadable { path: path.to_owned(), source };
        let file = File::open(path).map_err(unreadable)?;
        let mut reader = Self {
            path: path.to_owned(),
            file: BufReader::new(file),
            chain: [0; 32],
            blocks: 0,
            steps: 0,
            raw: Vec::new(),
            at: 0,
            ended: false,
        };
        let mut magic = [0; 8];
        let not_a_journal = || JournalError::NotAJournal { path: path.to_owned() };
        reader.file.read_exact(&mut magic).map_err(|_| not_a_journal())?;
        if magic != MAGIC || reader.next_block()? != HEAD {
            return Err(not_a_journal());
        }
        // Format and program come first, so that they can be read from any format.
        let (format, rest) =
            postcard::take_from_bytes::<u32>(&reader.raw).map_err(|_| not_a_journal())?;
        if !is_read(format) {
            let program =
                postcard::take_from_bytes(rest).map_or(String::new(), |(name, _)| name);
            return Err(JournalError::OtherFormat {
                path: path.to_owned(),
                found: format,
                program,
            });
        }
        let head = postcard::from_bytes(&reader.raw).map_err(|_| reader.broken())?;
        reader.at = reader.raw.len();
        Ok((head, reader))
    }

    /// The next step, or `None` after a proper end.
    pub fn next_step(&mut self) -> Result<Option<Step>, JournalError> {
        while self.at == self.raw.len() {
            if self.ended {
                return Ok(None);
            }
            match self.next_block()? {
                STEPS => {}
                END => {
                    let end: End =
                        postcard::from_bytes(&self.raw).map_err(|_| self.broken())?;
                    if end.steps != self.steps {
                        return Err(self.broken());
                    }
                    self.ended = true;
                    self.at = self.raw.len();
                }
                _ => return Err(self.broken()),
            }
        }
        let taken = postcard::take_from_bytes::<Step>(&self.raw[self.at..]);
        let (step, rest) = taken.map_err(|_| self.broken())?;
        self.at = self.raw.len() - rest.len();
        self.steps += 1;
        Ok(Some(step))
    }

    fn next_block(&mut self) -> Result<u8, JournalError> {
        self.blocks += 1;
        let mut header = [0; 37];
        self.read(&mut header)?;
        let kind = header[0];
        let length =
            u32::from_le_bytes([header[1], header[2], header[3], header[4]]) as usize;
        if length > BLOCK_BYTES_MAX {
            return Err(self.broken());
        }
        let mut packed = vec![0; length];
        self.read(&mut packed)?;
        self.raw = snap::raw::Decoder::new()
            .decompress_vec(&packed)
            .map_err(|_| self.broken())?;
        self.at = 0;
        self.chain = chain_on(self.chain, kind, &self.raw);
        if self.chain[..] != header[5..] {
            return Err(self.broken());
        }
        Ok(kind)
    }

    fn read(&mut self, into: &mut [u8]) -> Result<(), JournalError> {
        self.file.read_exact(into).map_err(|source| {
            if source.kind() == ErrorKind::UnexpectedEof {
                JournalError::CutShort { path: self.path.clone(), steps: self.steps }
            } else {
                JournalError::Unreadable { path: self.path.clone(), source }
            }
        })
    }

    fn broken(&self) -> JournalError {
        JournalError::Broken { path: self.path.clone(), block: self.blocks }
    }
}
