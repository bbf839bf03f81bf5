//! The state of an unfinished file, as bytes that another process can continue from.
//!
//! Wrong states would give wrong digests, and a depositor would be blamed for them. So the bytes carry the
//! number of their format and a checksum, and whatever is not exactly as it was saved is refused.

use muniment_model::Crc64Nvme;
use sha2::digest::common::hazmat::{SerializableState, SerializedState};

use crate::{Crc64, FanOut, Md5Side, Sha512Side};

/// Of the bytes below. To be raised when a new version of a digest crate saves other ones, which a test
/// tells.
const FORMAT: u8 = 1;

/// The length of a crc64nvme.
const CRC_BYTES: usize = 8;

impl FanOut {
    /// Everything that is needed to go on: some 500 bytes, at whatever byte the file is.
    pub fn save(&self) -> Vec<u8> {
        let Self {
            md5_side: Md5Side { md5, sha256 },
            sha512_side: Sha512Side { sha512, sha1, crc },
        } = self;
        let mut saved = vec![FORMAT];
        saved.extend_from_slice(&md5.serialize());
        saved.extend_from_slice(&sha256.serialize());
        saved.extend_from_slice(&sha512.serialize());
        saved.extend_from_slice(&sha1.serialize());
        saved.extend_from_slice(&crc.value().0.to_be_bytes());
        let check = checksum(&saved);
        saved.extend_from_slice(&check);
        saved
    }

    /// Goes on where [`Self::save`] was called; `None` when these are not the bytes that it returned,
    /// or those of another version.
    pub fn resume(saved: &[u8]) -> Option<Self> {
        let (saved, check) = saved.split_at_checked(saved.len().checked_sub(CRC_BYTES)?)?;
        let (format, mut rest) = saved.split_first()?;
        if *format != FORMAT || checksum(saved) != check {
            return None;
        }
        let (md5, sha256) = (take(&mut rest)?, take(&mut rest)?);
        let (sha512, sha1) = (take(&mut rest)?, take(&mut rest)?);
        let crc = u64::from_be_bytes(rest.try_into().ok()?);
        let crc = Crc64::resume(Crc64Nvme(crc));
        Some(Self {
            md5_side: Md5Side { md5, sha256 },
            sha512_side: Sha512Side { sha512, sha1, crc },
        })
    }
}

fn take<S: SerializableState>(bytes: &mut &[u8]) -> Option<S> {
    let (state, rest) = bytes.split_at_checked(size_of::<SerializedState<S>>())?;
    *bytes = rest;
    S::deserialize(state.try_into().ok()?).ok()
}

fn checksum(bytes: &[u8]) -> [u8; CRC_BYTES] {
    let mut crc = Crc64::new();
    crc.update(bytes);
    crc.value().0.to_be_bytes()
}
