//! Copies within the store: a range of one object becomes another, in parts, and no byte passes
//! through us.
//!
//! Used for members of the tar and for objects above the limit of a single copy. The result is an
//! object only if its checksum is the recorded one. Repeating it replaces the object with itself.

use std::ops::Range;

use futures::{FutureExt, StreamExt, TryStreamExt, stream};
use muniment_model::{Crc64Nvme, ObjectKey};

use crate::bucket::{Attributes, Bucket};
use crate::error::StorageError;
use crate::multipart::{CopySource, PARTS_MAX, Part, Upload};
use crate::open_upload::OpenUpload;

/// Parts of 1 GiB keep one request below a minute or two.
const PART_BYTES: u64 = 1 << 30;

/// S3 user guide, "Multipart upload limits": also what a single `CopyObject` may copy.
pub(crate) const COPY_BYTES_MAX: u64 = 5 << 30;

/// How many parts of one object are copied at once: enough to hide the waits of one another.
const PARTS_AT_ONCE: usize = 4;

/// The largest object that can be copied in parts: 50 TB.
const SIZE_MAX: u64 = COPY_BYTES_MAX * PARTS_MAX;

impl Bucket {
    /// Makes `range` of `source` the object `key`, whose checksum must be `crc`. Returns its etag.
    pub(crate) async fn copy_range(
        &self,
        source: CopySource<'_>,
        range: Range<u64>,
        (key, crc): (&ObjectKey, Crc64Nvme),
        attributes: &Attributes,
    ) -> Result<Option<String>, StorageError> {
        let size = range.end.saturating_sub(range.start);
        if size > SIZE_MAX {
            return Err(StorageError::TooLarge {
                object: self.address(key),
                size_max: SIZE_MAX,
            });
        }
        let mut upload = OpenUpload::begin(self, key, attributes).await?;
        let copied = match copy_parts(upload.parts(), source, range).await {
            Ok(parts) => upload.complete(&parts, size, crc).await,
            Err(error) => Err(error),
        };
        if copied.is_err() {
            upload.abort().await;
        }
        copied
    }
}

async fn copy_parts(
    upload: &Upload,
    source: CopySource<'_>,
    range: Range<u64>,
) -> Result<Vec<Part>, StorageError> {
    // Boxed and collected, because a stream of futures that borrow is not known to be `Send`. At
    // most 10,000 of them, which wait until they are polled.
    let copies: Vec<_> = parts_of(&range)
        .map(|(number, part)| upload.copy_part(number, source, part).boxed())
        .collect();
    stream::iter(copies)
        .buffered(PARTS_AT_ONCE)
        .try_collect()
        .await
}

/// Cuts a range into numbered parts, all of one size but the last.
fn parts_of(range: &Range<u64>) -> impl Iterator<Item = (u32, Range<u64>)> + use<> {
    let Range { start, end } = *range;
    let size = end.saturating_sub(start);
    let part = size.div_ceil(PARTS_MAX).max(PART_BYTES);
    (1_u32..)
        .scan(start, move |next, number| {
            let from = *next;
            *next = from.saturating_add(part).min(end);
            Some((number, from..*next))
        })
        .take_while(|(_, part)| !part.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_cut_into_parts_that_s3_accepts() {
        const GIB: u64 = 1 << 30;
        let rows = [
            ("one byte", 7..8, 1),
            ("one part", 512..512 + GIB, 1),
            ("one byte more", 512..513 + GIB, 2),
            ("the last size with parts of 1 GiB", 0..GIB * 10_000, 10_000),
            ("one byte more than that", 0..GIB * 10_000 + 1, 10_000),
            ("the largest", 3..3 + SIZE_MAX, 10_000),
        ];

        for (name, range, count) in rows {
            let parts: Vec<_> = parts_of(&range).collect();

            assert_eq!(parts.len(), count, "{name}");
            assert_eq!(parts[0].1.start, range.start, "{name}");
            assert_eq!(parts[count - 1].1.end, range.end, "{name}");
            assert!(
                parts
                    .windows(2)
                    .all(|two| two[0].1.end == two[1].1.start && two[0].0 + 1 == two[1].0),
                "{name}"
            );
            assert!(
                parts
                    .iter()
                    .all(|(_, part)| part.end - part.start <= COPY_BYTES_MAX),
                "{name}"
            );
        }
    }
}
