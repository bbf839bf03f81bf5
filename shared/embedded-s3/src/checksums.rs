//! Digests of bodies: what the store computes for every byte, and the checksums of S3.
//!
//! Every object gets a full-object crc64nvme and, where its bytes came in one PUT, an md5 (the
//! `ETag`). A request may name one more algorithm; it is computed in the same pass. What a request
//! *claims* about its body is in [`claims`]; this module only computes.

pub(crate) mod claims;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use crc_fast::CrcAlgorithm;
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest as _, Sha256};

/// The checksum algorithms of S3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Algorithm {
    Crc32,
    Crc32c,
    Crc64Nvme,
    Sha1,
    Sha256,
}

impl Algorithm {
    pub(crate) const ALL: [Self; 5] = [
        Self::Crc32,
        Self::Crc32c,
        Self::Crc64Nvme,
        Self::Sha1,
        Self::Sha256,
    ];

    /// The name in `x-amz-checksum-algorithm` and in our tables.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Crc32 => "CRC32",
            Self::Crc32c => "CRC32C",
            Self::Crc64Nvme => "CRC64NVME",
            Self::Sha1 => "SHA1",
            Self::Sha256 => "SHA256",
        }
    }

    /// The header, or trailer, that carries a value.
    pub(crate) const fn header(self) -> &'static str {
        match self {
            Self::Crc32 => "x-amz-checksum-crc32",
            Self::Crc32c => "x-amz-checksum-crc32c",
            Self::Crc64Nvme => "x-amz-checksum-crc64nvme",
            Self::Sha1 => "x-amz-checksum-sha1",
            Self::Sha256 => "x-amz-checksum-sha256",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|algorithm| algorithm.name().eq_ignore_ascii_case(name))
    }

    /// How many bytes a value has before base64.
    const fn length(self) -> usize {
        match self {
            Self::Crc32 | Self::Crc32c => 4,
            Self::Crc64Nvme => 8,
            Self::Sha1 => 20,
            Self::Sha256 => 32,
        }
    }

    /// The CRC behind it, if it is one: only a CRC of parts can be combined into one of the whole.
    const fn crc(self) -> Option<CrcAlgorithm> {
        match self {
            Self::Crc32 => Some(CrcAlgorithm::Crc32IsoHdlc),
            Self::Crc32c => Some(CrcAlgorithm::Crc32Iscsi),
            Self::Crc64Nvme => Some(CrcAlgorithm::Crc64Nvme),
            Self::Sha1 | Self::Sha256 => None,
        }
    }

    pub(crate) const fn is_crc(self) -> bool {
        self.crc().is_some()
    }
}

/// A value of one algorithm, as it goes over the wire: base64, and `-N` when composed of N parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Checksum {
    pub algorithm: Algorithm,
    pub value: String,
}

impl Checksum {
    pub(crate) fn of_bytes(algorithm: Algorithm, bytes: &[u8]) -> Self {
        Self {
            algorithm,
            value: BASE64.encode(bytes),
        }
    }

    /// The one of that algorithm among the two that are kept.
    pub(crate) fn among(
        algorithm: Algorithm,
        crc64nvme: u64,
        other: Option<&Self>,
    ) -> Option<Self> {
        if algorithm == Algorithm::Crc64Nvme {
            return Some(Self::of_crc64nvme(crc64nvme));
        }
        let other = other.filter(|other| other.algorithm == algorithm);
        other.cloned()
    }

    pub(crate) fn of_crc64nvme(crc: u64) -> Self {
        Self::of_bytes(Algorithm::Crc64Nvme, &crc.to_be_bytes())
    }

    fn of_crc(algorithm: Algorithm, crc: u64) -> Self {
        let bytes = crc.to_be_bytes();
        let skipped = bytes.len().saturating_sub(algorithm.length());
        Self::of_bytes(algorithm, bytes.get(skipped..).unwrap_or_default())
    }

    /// The raw bytes, if this is a well-formed value over one run of bytes (no `-N`).
    pub(crate) fn bytes(&self) -> Option<Vec<u8>> {
        BASE64
            .decode(&self.value)
            .ok()
            .filter(|bytes| bytes.len() == self.algorithm.length())
    }

    pub(crate) fn is_composite(&self) -> bool {
        self.value.contains('-')
    }
}

/// The crc64nvme of two runs of bytes, one after the other.
pub(crate) fn combine_crc64nvme(first: u64, second: u64, second_length: u64) -> u64 {
    crc_fast::checksum_combine(CrcAlgorithm::Crc64Nvme, first, second, second_length)
}

/// The checksum of the whole from those of its parts, in order; only for a CRC.
pub(crate) fn combine(algorithm: Algorithm, parts: &[(Vec<u8>, u64)]) -> Option<Checksum> {
    let crc = algorithm.crc()?;
    // 0 is the CRC of no bytes, whichever of ours it is.
    let whole = parts.iter().fold(0, |before, (bytes, length)| {
        let value = bytes
            .iter()
            .fold(0_u64, |value, byte| value << 8 | u64::from(*byte));
        crc_fast::checksum_combine(crc, before, value, *length)
    });
    Some(Checksum::of_crc(algorithm, whole))
}

/// The checksum over the checksums of the parts, as S3 forms it: `base64-N`.
pub(crate) fn compose(algorithm: Algorithm, parts: &[Vec<u8>]) -> Checksum {
    let mut extra = Extra::new(algorithm);
    for part in parts {
        extra.update(part);
    }
    let mut checksum = extra.finish();
    checksum.value = format!("{}-{}", checksum.value, parts.len());
    checksum
}

/// What was computed over a run of bytes.
#[derive(Clone, Debug)]
pub(crate) struct Digests {
    pub size_bytes: u64,
    pub md5: Option<[u8; 16]>,
    pub crc64nvme: u64,
    pub extra: Option<Checksum>,
}

/// Computes over bytes as they pass.
pub(crate) struct Hashing {
    size_bytes: u64,
    md5: Option<Md5>,
    crc64nvme: crc_fast::Digest,
    extra: Option<Extra>,
}

impl Hashing {
    /// For a body: md5 for its `ETag`, crc64nvme, and what the request or its upload asks for.
    pub(crate) fn for_body(extra: Option<Algorithm>) -> Self {
        Self {
            md5: Some(Md5::new()),
            ..Self::for_copy(extra)
        }
    }

    /// For bytes that are already here: no md5, which is seven times the cost of all the rest.
    pub(crate) fn for_copy(extra: Option<Algorithm>) -> Self {
        Self {
            size_bytes: 0,
            md5: None,
            crc64nvme: crc_fast::Digest::new(CrcAlgorithm::Crc64Nvme),
            // crc64nvme is computed anyway.
            extra: extra
                .filter(|algorithm| *algorithm != Algorithm::Crc64Nvme)
                .map(Extra::new),
        }
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.size_bytes += bytes.len() as u64;
        self.crc64nvme.update(bytes);
        if let Some(md5) = &mut self.md5 {
            md5.update(bytes);
        }
        if let Some(extra) = &mut self.extra {
            extra.update(bytes);
        }
    }

    pub(crate) fn finish(self) -> Digests {
        Digests {
            size_bytes: self.size_bytes,
            md5: self.md5.map(|md5| md5.finalize().into()),
            crc64nvme: self.crc64nvme.finalize(),
            extra: self.extra.map(Extra::finish),
        }
    }
}

enum Extra {
    Crc(Algorithm, Box<crc_fast::Digest>),
    Sha1(Sha1),
    Sha256(Sha256),
}

impl Extra {
    fn new(algorithm: Algorithm) -> Self {
        let crc = |crc| Self::Crc(algorithm, Box::new(crc_fast::Digest::new(crc)));
        match algorithm {
            Algorithm::Sha1 => Self::Sha1(Sha1::new()),
            Algorithm::Sha256 => Self::Sha256(Sha256::new()),
            Algorithm::Crc32 => crc(CrcAlgorithm::Crc32IsoHdlc),
            Algorithm::Crc32c => crc(CrcAlgorithm::Crc32Iscsi),
            Algorithm::Crc64Nvme => crc(CrcAlgorithm::Crc64Nvme),
        }
    }

    fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Crc(_, digest) => digest.update(bytes),
            Self::Sha1(digest) => digest.update(bytes),
            Self::Sha256(digest) => digest.update(bytes),
        }
    }

    fn finish(self) -> Checksum {
        match self {
            Self::Crc(algorithm, digest) => Checksum::of_crc(algorithm, digest.finalize()),
            Self::Sha1(digest) => Checksum::of_bytes(Algorithm::Sha1, &digest.finalize()),
            Self::Sha256(digest) => Checksum::of_bytes(Algorithm::Sha256, &digest.finalize()),
        }
    }
}

#[cfg(test)]
mod tests;
