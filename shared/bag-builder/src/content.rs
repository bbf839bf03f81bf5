//! What a file of a built bag holds: bytes, or a size and a seed from which they follow.
//!
//! Used by the builder for every file. A generated file takes no memory, whatever its size, and
//! has the same bytes each time.

use std::io::{self, Write};

use muniment_digest::FanOut;
use muniment_model::Digests;

#[derive(Clone, Debug)]
pub(super) enum Content {
    Bytes(Vec<u8>),
    Generated { size: u64, seed: u64 },
}

/// Small enough to stay in cache between making and digesting.
const PIECE: usize = 64 * 1024;

impl Content {
    pub(super) fn size(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Generated { size, .. } => *size,
        }
    }

    pub(super) fn write_to(&self, out: &mut impl Write) -> io::Result<()> {
        match self {
            Self::Bytes(bytes) => out.write_all(bytes),
            Self::Generated { size, seed } => generate(*size, *seed, out),
        }
    }

    /// Writes the content and digests it on the way.
    pub(super) fn write_digested(&self, out: &mut impl Write) -> io::Result<Digests> {
        let mut tee = Tee {
            out,
            digests: FanOut::new(),
        };
        self.write_to(&mut tee)?;
        Ok(tee.digests.finish())
    }
}

/// Steele, Lea and Flood, "Fast splittable pseudorandom number generators": enough that nothing
/// compresses and no two seeds look alike.
fn generate(size: u64, seed: u64, out: &mut impl Write) -> io::Result<()> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    };
    let mut piece = vec![0; PIECE];
    let mut left = size;
    while left > 0 {
        for word in piece.chunks_exact_mut(8) {
            word.copy_from_slice(&next().to_le_bytes());
        }
        let count = usize::try_from(left).map_or(PIECE, |left| left.min(PIECE));
        out.write_all(piece.get(..count).unwrap_or_default())?;
        left -= count as u64;
    }
    Ok(())
}

struct Tee<'a, W> {
    out: &'a mut W,
    digests: FanOut,
}

impl<W: Write> Write for Tee<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.digests
            .update(bytes.get(..written).unwrap_or_default());
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
