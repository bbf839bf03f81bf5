//! Reads the records of a PAX header: `LENGTH KEY=VALUE\n`, one after the other.
//!
//! Used by the reader when the body of an `x` or `g` header has passed; its size is limited there.
//! Only the keys that decide what a member is are kept. A record that readers could take in
//! different ways is refused.

use std::num::IntErrorKind;

use chrono::{DateTime, Utc};

use super::fault::TarFault;

/// What the PAX header before a member says about it. Of a repeated key the last one counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Records {
    pub(super) path: Option<Vec<u8>>,
    pub(super) size: Option<u64>,
    pub(super) modified_at: Option<DateTime<Utc>>,
    pub(super) is_sparse: bool,
    /// The real name of a sparse file, whose header has a made-up one.
    pub(super) sparse_name: Option<Vec<u8>>,
}

impl Records {
    /// `offset` is where the header is in the tar.
    pub(super) fn read(body: &[u8], offset: u64) -> Result<Self, TarFault> {
        let mut records = Self::default();
        each_record(body, offset, |key, value| {
            match key {
                b"path" if value.is_empty() => return Err(TarFault::BadRecord { offset }),
                b"path" => records.path = Some(value.to_vec()),
                b"size" => records.size = Some(size(value, offset)?),
                b"mtime" => records.modified_at = time(value),
                b"GNU.sparse.name" => {
                    records.is_sparse = true;
                    records.sparse_name = Some(value.to_vec());
                }
                _ if is_sparse(key) => records.is_sparse = true,
                _ => {}
            }
            Ok(())
        })?;
        Ok(records)
    }
}

/// A global header counts for all members after it, so one that changes what they are would have
/// to be remembered across a resumed reading; tools write only comments and times there.
pub(super) fn check_global(body: &[u8], offset: u64) -> Result<(), TarFault> {
    each_record(body, offset, |key, _| {
        if matches!(key, b"path" | b"size" | b"linkpath") || is_sparse(key) {
            let key = String::from_utf8_lossy(key).into_owned();
            return Err(TarFault::GlobalKey { key, offset });
        }
        Ok(())
    })
}

/// GNU tar and bsdtar in three forms, star, and Solaris.
fn is_sparse(key: &[u8]) -> bool {
    key.starts_with(b"GNU.sparse.") || key == b"SCHILY.realsize" || key == b"SUN.holesdata"
}

fn each_record(
    body: &[u8],
    offset: u64,
    mut record: impl FnMut(&[u8], &[u8]) -> Result<(), TarFault>,
) -> Result<(), TarFault> {
    let mut rest = body;
    while !rest.is_empty() {
        let (key, value, after) = split_record(rest).ok_or(TarFault::BadRecord { offset })?;
        record(key, value)?;
        rest = after;
    }
    Ok(())
}

/// The first record's key and value, and what follows it. Values may hold newlines, so only the
/// length tells where a record ends.
fn split_record(body: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let blank = body.iter().position(|byte| *byte == b' ')?;
    let length = usize::try_from(decimal(body.get(..blank)?)?).ok()?;
    let (record, after) = body.split_at_checked(length)?;
    let text = record.get(blank + 1..)?.strip_suffix(b"\n")?;
    let equals = text.iter().position(|byte| *byte == b'=')?;
    let (key, value) = text.split_at_checked(equals)?;
    (!key.is_empty()).then_some((key, value.get(1..)?, after))
}

fn decimal(digits: &[u8]) -> Option<u64> {
    let only_digits = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    let text = std::str::from_utf8(digits).ok().filter(|_| only_digits)?;
    text.parse().ok()
}

fn size(value: &[u8], offset: u64) -> Result<u64, TarFault> {
    decimal(value)
        .filter(|size| i64::try_from(*size).is_ok())
        .ok_or(TarFault::ImpossibleSize { offset })
}

/// Seconds since 1970 with an optional fraction, `1234567890.5`; may be negative. `None` when it is no
/// time at all; one that no calendar has is the last of ours, which is not recorded either.
fn time(value: &[u8]) -> Option<DateTime<Utc>> {
    let text = std::str::from_utf8(value).ok()?;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let beyond = DateTime::<Utc>::MAX_UTC;
    let seconds = match whole.parse::<i64>() {
        Ok(seconds) => seconds,
        Err(error) => {
            let is_number = matches!(
                error.kind(),
                IntErrorKind::PosOverflow | IntErrorKind::NegOverflow
            );
            return is_number.then_some(beyond);
        }
    };
    let nanos = format!("{fraction:0<9}");
    let nanos = u32::try_from(decimal(nanos.as_bytes().get(..9)?)?).ok()?;
    if whole.starts_with('-') && nanos > 0 {
        let time = DateTime::from_timestamp(seconds.saturating_sub(1), 1_000_000_000 - nanos);
        return time.or(Some(beyond));
    }
    DateTime::from_timestamp(seconds, nanos).or(Some(beyond))
}
