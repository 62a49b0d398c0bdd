//! One number for all outputs of a run, to tell two runs apart.

use std::fmt::Write;

use engine::Output;

/// FNV-1a (Fowler, Noll and Vo) over the outputs as text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Digest(u64);

impl Default for Digest {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Digest {
    pub(super) fn add(&mut self, outputs: &[Output]) {
        write!(self, "{outputs:?}").expect("a digest takes any text");
    }

    pub(super) fn add_bytes(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }

    pub(super) fn value(self) -> u64 {
        self.0
    }
}

impl Write for Digest {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        self.add_bytes(text.as_bytes());
        Ok(())
    }
}
