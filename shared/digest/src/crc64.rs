//! The running CRC-64/NVME, the checksum S3 computes over a whole object.
//!
//! Unlike a digest it can continue from a finished value. So the checksum of a tar survives a restart as
//! the eight bytes of a checkpoint.

use crc_fast::CrcAlgorithm;
use muniment_model::Crc64Nvme;

/// Every bit set: what CRC-64/NVME starts from, and what is mixed in by exclusive-or at the end.
const MASK: u64 = u64::MAX;

/// Takes the CRC-64/NVME of bytes as they stream past.
#[derive(Clone)]
pub struct Crc64(crc_fast::Digest);

impl Crc64 {
    pub fn new() -> Self {
        Self(crc_fast::Digest::new(CrcAlgorithm::Crc64Nvme))
    }

    /// Continues after the bytes whose checksum is `value`.
    pub fn resume(value: Crc64Nvme) -> Self {
        // A finished value differs from the running state by the final exclusive-or only.
        let state = value.0 ^ MASK;
        Self(crc_fast::Digest::new_with_init_state(
            CrcAlgorithm::Crc64Nvme,
            state,
        ))
    }

    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The checksum of everything added so far. More may be added afterwards.
    pub fn value(&self) -> Crc64Nvme {
        Crc64Nvme(self.0.finalize())
    }
}

impl Default for Crc64 {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests;
