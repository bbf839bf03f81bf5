//! Puts parts together: order, sizes, `ETag` and checksums of a multipart object. Pure.
//!
//! `ETags` of parts are always 32 hex digits: the md5 of an uploaded part, or, for a part copied from
//! another object without moving its bytes, [`copied_part_etag`]. The `ETag` of the object is the md5 of
//! those, joined, with `-N` behind it, as S3 forms it.

use md5::{Digest as _, Md5};
use s3s::dto::ChecksumType;

use crate::checksums::{self, Algorithm, Checksum, Digests};
use crate::limits::{OBJECT_MAX, PART_MIN};

/// What an upload promised about the checksum of its object when it was created.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Promise {
    /// Nothing: the object gets the crc64nvme that every object gets.
    Nothing,
    /// A checksum over all bytes, combined from those of the parts. Always a CRC.
    Whole(Algorithm),
    /// A checksum over the checksums of the parts.
    Composite(Algorithm),
}

impl Promise {
    pub(crate) fn algorithm(self) -> Option<Algorithm> {
        match self {
            Self::Nothing => None,
            Self::Whole(algorithm) | Self::Composite(algorithm) => Some(algorithm),
        }
    }

    /// The name in `x-amz-checksum-type` and in our tables.
    pub(crate) fn checksum_type(self) -> Option<&'static str> {
        match self {
            Self::Nothing => None,
            Self::Whole(_) => Some(ChecksumType::FULL_OBJECT),
            Self::Composite(_) => Some(ChecksumType::COMPOSITE),
        }
    }
}

/// A part as the store holds it.
#[derive(Clone, Debug)]
pub(crate) struct StoredPart {
    pub number: u32,
    pub content: Content,
}

/// A part as the completing request names it.
#[derive(Clone, Debug)]
pub(crate) struct NamedPart {
    pub number: u32,
    pub etag: String,
    pub checksums: Vec<Checksum>,
}

/// What a completing request says about the whole object.
#[derive(Clone, Debug, Default)]
pub(crate) struct WholeClaims {
    pub checksums: Vec<Checksum>,
    pub size_bytes: Option<u64>,
}

/// What the store keeps about the bytes of an object or a part, however they came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Content {
    pub etag: String,
    pub size_bytes: u64,
    pub crc64nvme: u64,
    /// The one checksum, beside crc64nvme, that the writer of the object asked for.
    pub checksum: Option<Checksum>,
}

impl Content {
    /// Of bytes that came as one body: the `ETag` is their md5.
    pub(crate) fn of_body(digests: Digests) -> Self {
        Self::with_etag(hex::encode(digests.md5.unwrap_or_default()), digests)
    }

    /// Of bytes that are already here: see [`copied_part_etag`].
    pub(crate) fn of_copied_part(digests: Digests) -> Self {
        let etag = copied_part_etag(digests.crc64nvme, digests.size_bytes);
        Self::with_etag(etag, digests)
    }

    fn with_etag(etag: String, digests: Digests) -> Self {
        Self {
            etag,
            size_bytes: digests.size_bytes,
            crc64nvme: digests.crc64nvme,
            checksum: digests.extra,
        }
    }

    /// The checksum of that algorithm, over the whole or composed, if there is one.
    pub(crate) fn checksum_by(&self, algorithm: Algorithm) -> Option<Checksum> {
        Checksum::among(algorithm, self.crc64nvme, self.checksum.as_ref())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum AssemblyFault {
    #[error("the request names no part")]
    Empty,
    #[error("part {0} is out of order")]
    Order(u32),
    #[error("part {0} is not there, or is not the one that was named")]
    Part(u32),
    #[error("part {0} is smaller than {PART_MIN} bytes and not the last")]
    TooSmall(u32),
    #[error("the object would be larger than {OBJECT_MAX} bytes")]
    TooLarge,
    #[error("the parts do not add up to the size that was named")]
    WrongSize,
    #[error("the checksum of the whole object does not match")]
    WrongChecksum,
    #[error("the parts carry no {0:?} checksum to verify the whole with")]
    NoChecksum(Algorithm),
}

/// The `ETag` of a part whose bytes were never read in for an md5: crc64nvme, then size, in hex.
///
/// `ETags` are opaque, but must differ when the bytes do and have the length of an md5, because the
/// `ETag` of the object is formed from them.
pub(crate) fn copied_part_etag(crc64nvme: u64, size_bytes: u64) -> String {
    format!("{crc64nvme:016x}{size_bytes:016x}")
}

/// What the object is, made of the parts `named` among those `stored` (ascending by number).
pub(crate) fn assemble(
    named: &[NamedPart],
    stored: &[StoredPart],
    promise: Promise,
    whole: &WholeClaims,
) -> Result<Content, AssemblyFault> {
    let chosen = choose(named, stored)?;
    let size_bytes: u64 = chosen.iter().map(|part| part.content.size_bytes).sum();
    if size_bytes > OBJECT_MAX {
        return Err(AssemblyFault::TooLarge);
    }
    if whole
        .size_bytes
        .is_some_and(|claimed| claimed != size_bytes)
    {
        return Err(AssemblyFault::WrongSize);
    }
    let crc64nvme = chosen.iter().fold(0, |before, part| {
        let part = &part.content;
        checksums::combine_crc64nvme(before, part.crc64nvme, part.size_bytes)
    });
    let content = Content {
        etag: etag_of(&chosen)?,
        size_bytes,
        crc64nvme,
        checksum: keep_promise(&chosen, promise)?,
    };
    for claimed in &whole.checksums {
        check_whole(&content, &chosen, claimed)?;
    }
    Ok(content)
}

fn choose<'a>(
    named: &[NamedPart],
    stored: &'a [StoredPart],
) -> Result<Vec<&'a StoredPart>, AssemblyFault> {
    let Some(last) = named.last() else {
        return Err(AssemblyFault::Empty);
    };
    for (before, part) in named.iter().zip(named.iter().skip(1)) {
        if before.number >= part.number {
            return Err(AssemblyFault::Order(part.number));
        }
    }
    let mut chosen: Vec<&StoredPart> = Vec::with_capacity(named.len());
    for part in named {
        let found = stored
            .binary_search_by_key(&part.number, |stored| stored.number)
            .ok()
            .and_then(|at| stored.get(at))
            .filter(|stored| is_the_one(part, &stored.content))
            .ok_or(AssemblyFault::Part(part.number))?;
        if found.content.size_bytes < PART_MIN && part.number != last.number {
            return Err(AssemblyFault::TooSmall(part.number));
        }
        chosen.push(found);
    }
    Ok(chosen)
}

fn is_the_one(named: &NamedPart, stored: &Content) -> bool {
    named.etag == stored.etag
        && named
            .checksums
            .iter()
            .all(|claimed| stored.checksum_by(claimed.algorithm).as_ref() == Some(claimed))
}

fn etag_of(parts: &[&StoredPart]) -> Result<String, AssemblyFault> {
    let mut md5 = Md5::new();
    for part in parts {
        let bytes =
            hex::decode(&part.content.etag).map_err(|_not_hex| AssemblyFault::Part(part.number))?;
        md5.update(bytes);
    }
    Ok(format!("{}-{}", hex::encode(md5.finalize()), parts.len()))
}

fn keep_promise(
    parts: &[&StoredPart],
    promise: Promise,
) -> Result<Option<Checksum>, AssemblyFault> {
    match promise {
        Promise::Nothing | Promise::Whole(Algorithm::Crc64Nvme) => Ok(None),
        Promise::Whole(algorithm) => combined(parts, algorithm).map(Some),
        Promise::Composite(algorithm) => {
            let values: Vec<Vec<u8>> = values_of(parts, algorithm)?
                .into_iter()
                .map(|(bytes, _length)| bytes)
                .collect();
            Ok(Some(checksums::compose(algorithm, &values)))
        }
    }
}

fn check_whole(
    content: &Content,
    parts: &[&StoredPart],
    claimed: &Checksum,
) -> Result<(), AssemblyFault> {
    let computed = if claimed.algorithm == Algorithm::Crc64Nvme {
        Checksum::of_crc64nvme(content.crc64nvme)
    } else if claimed.is_composite() {
        content
            .checksum
            .clone()
            .ok_or(AssemblyFault::NoChecksum(claimed.algorithm))?
    } else {
        combined(parts, claimed.algorithm)?
    };
    if computed == *claimed {
        Ok(())
    } else {
        Err(AssemblyFault::WrongChecksum)
    }
}

fn combined(parts: &[&StoredPart], algorithm: Algorithm) -> Result<Checksum, AssemblyFault> {
    checksums::combine(algorithm, &values_of(parts, algorithm)?)
        .ok_or(AssemblyFault::NoChecksum(algorithm))
}

/// The raw checksum and the length of every part.
fn values_of(
    parts: &[&StoredPart],
    algorithm: Algorithm,
) -> Result<Vec<(Vec<u8>, u64)>, AssemblyFault> {
    parts
        .iter()
        .map(|part| {
            let checksum = part.content.checksum.as_ref();
            checksum
                .filter(|checksum| checksum.algorithm == algorithm)
                .and_then(Checksum::bytes)
                .map(|bytes| (bytes, part.content.size_bytes))
                .ok_or(AssemblyFault::NoChecksum(algorithm))
        })
        .collect()
}

#[cfg(test)]
mod tests;
