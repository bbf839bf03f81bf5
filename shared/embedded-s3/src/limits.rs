//! The limits of S3, as the endpoint enforces them, and those of its connections. Pure: numbers and
//! comparisons.
//!
//! Those of S3 are kept exactly, so that what works here works on the real service and what the real
//! service refuses is refused on one machine too.

use std::collections::BTreeMap;
use std::time::Duration;

use muniment_http_server::Limits;

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;
const GIB: u64 = 1024 * MIB;
const TIB: u64 = 1024 * GIB;

pub(crate) const SERVER: Limits = Limits {
    // Each may hold about 2 MiB of a body. Clients of one machine use a few dozen.
    connections_max: 1024,
    // What is left is for others than the one that wants too much.
    per_address_max: 768,
    // A PUT of an SDK has about 20, and one more for each entry of user metadata.
    headers_max: 100,
    // More than any head: it is also how much of a large body is read at once.
    head_bytes_max: 400 * 1024,
    // Far more than a head takes on a slow network.
    head_wait_max: Duration::from_secs(10),
    // Longer than clients keep an idle connection, so that it is they who close it.
    idle_wait_max: Duration::from_mins(2),
    // Nothing moves while a large object is copied or read back: 5 GiB at a tenth of a slow disk.
    stall_wait_max: Duration::from_mins(10),
    // Enough for a small request, and for a part on a slow disk.
    drain_wait_max: Duration::from_secs(10),
};

/// Most bytes one PUT, one part or one server-side copy may carry.
pub(crate) const BODY_MAX: u64 = 5 * GIB;
/// Fewest bytes of a part, unless it is the last.
pub(crate) const PART_MIN: u64 = 5 * MIB;
/// Highest part number, and so the most parts of one object.
pub(crate) const PARTS_MAX: u32 = 10_000;
/// Most bytes of one object, however it is put together.
pub(crate) const OBJECT_MAX: u64 = 50 * TIB;
/// Most bytes of a key.
pub(crate) const KEY_MAX: usize = 1024;
/// Most bytes of user metadata, names and values together.
pub(crate) const METADATA_MAX: usize = 2048;
/// Most keys of one bulk delete, and most entries of one page of any list.
pub(crate) const PAGE_MAX: usize = 1000;

/// A request that asks for more than S3 allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum LimitFault {
    #[error("the body is larger than {BODY_MAX} bytes")]
    BodyTooLarge,
    #[error("the source of the copy is larger than {BODY_MAX} bytes")]
    CopyTooLarge,
    #[error("the key is empty or longer than {KEY_MAX} bytes")]
    Key,
    #[error("the user metadata is larger than {METADATA_MAX} bytes")]
    MetadataTooLarge,
    #[error("a part number is between 1 and {PARTS_MAX}")]
    PartNumber,
    #[error("a bulk delete names between 1 and {PAGE_MAX} keys")]
    DeleteCount,
    #[error("a page size is 0 or more")]
    PageSize,
}

pub(crate) fn check_body(length: u64) -> Result<(), LimitFault> {
    if length > BODY_MAX {
        return Err(LimitFault::BodyTooLarge);
    }
    Ok(())
}

pub(crate) fn check_copy(length: u64) -> Result<(), LimitFault> {
    if length > BODY_MAX {
        return Err(LimitFault::CopyTooLarge);
    }
    Ok(())
}

pub(crate) fn check_key(key: &str) -> Result<(), LimitFault> {
    if key.is_empty() || key.len() > KEY_MAX {
        return Err(LimitFault::Key);
    }
    Ok(())
}

pub(crate) fn check_metadata(metadata: &BTreeMap<String, String>) -> Result<(), LimitFault> {
    let lengths = metadata
        .iter()
        .map(|(name, value)| name.len() + value.len());
    if lengths.sum::<usize>() > METADATA_MAX {
        return Err(LimitFault::MetadataTooLarge);
    }
    Ok(())
}

pub(crate) fn check_delete_count(count: usize) -> Result<(), LimitFault> {
    if count == 0 || count > PAGE_MAX {
        return Err(LimitFault::DeleteCount);
    }
    Ok(())
}

pub(crate) fn part_number(number: i32) -> Result<u32, LimitFault> {
    u32::try_from(number)
        .ok()
        .filter(|number| (1..=PARTS_MAX).contains(number))
        .ok_or(LimitFault::PartNumber)
}

/// How many entries a page holds: what was asked for, at most [`PAGE_MAX`].
pub(crate) fn page_size(asked: Option<i32>) -> Result<usize, LimitFault> {
    let Some(asked) = asked else {
        return Ok(PAGE_MAX);
    };
    usize::try_from(asked)
        .map(|size| size.min(PAGE_MAX))
        .map_err(|_negative| LimitFault::PageSize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_limit_holds_at_the_limit_and_not_beyond() {
        let metadata =
            |value_len: usize| BTreeMap::from([("ab".to_owned(), "v".repeat(value_len))]);
        let rows = [
            ("body", check_body(BODY_MAX), check_body(BODY_MAX + 1)),
            ("copy", check_copy(BODY_MAX), check_copy(BODY_MAX + 1)),
            (
                "key",
                check_key(&"k".repeat(KEY_MAX)),
                check_key(&"k".repeat(KEY_MAX + 1)),
            ),
            ("empty key", check_key("k"), check_key("")),
            (
                "metadata",
                check_metadata(&metadata(METADATA_MAX - 2)),
                check_metadata(&metadata(METADATA_MAX - 1)),
            ),
            (
                "highest part",
                part_number(10_000).map(drop),
                part_number(10_001).map(drop),
            ),
            (
                "lowest part",
                part_number(1).map(drop),
                part_number(0).map(drop),
            ),
            (
                "page",
                page_size(Some(0)).map(drop),
                page_size(Some(-1)).map(drop),
            ),
        ];

        for (name, at_limit, beyond) in rows {
            assert_eq!(at_limit, Ok(()), "{name} at the limit");
            assert!(beyond.is_err(), "{name} beyond the limit");
        }
    }

    #[test]
    fn a_page_is_never_larger_than_a_thousand() {
        assert_eq!(page_size(Some(5000)), Ok(PAGE_MAX));
        assert_eq!(page_size(None), Ok(PAGE_MAX));
        assert_eq!(page_size(Some(7)), Ok(7));
    }
}
