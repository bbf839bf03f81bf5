//! Checksums of what the bytes are now, rather than of what was once stored.
//!
//! A store that answers from its index says that a copy is right when its bytes have changed on the
//! disk. So in the buckets that are named for it, a request for checksums reads the object. It reads
//! only, so it may be repeated.

use std::io::ErrorKind;
use std::sync::Arc;

use tracing::error;

use super::Service;
use super::errors::RequestError;
use crate::blobs::reading;
use crate::checksums::Hashing;
use crate::multipart::Content;
use crate::store::reads::{ObjectName, Source};
use crate::store::rows::ObjectRow;

/// The crc64nvme of no bytes: what an object has whose bytes are not all there.
const NOTHING: u64 = 0;

impl Service {
    /// What the object is by its bytes, all of which are in `source`. One that was changed has other
    /// checksums than those it was stored with, and is reported.
    pub(super) async fn as_read(
        &self,
        name: ObjectName<'_>,
        row: &ObjectRow,
        source: Source,
    ) -> Result<Content, RequestError> {
        let found = self.crc_as_read(row, source).await?;
        if found == row.content.crc64nvme {
            return Ok(row.content.clone());
        }
        let ObjectName { bucket, key, .. } = name;
        error!(bucket, key, "the bytes of a stored object have changed");
        Ok(Content {
            crc64nvme: found,
            checksum: None,
            ..row.content.clone()
        })
    }

    async fn crc_as_read(&self, row: &ObjectRow, source: Source) -> Result<u64, RequestError> {
        let mut hashing = Hashing::for_copy(None);
        let (segments, pins) = match source {
            Source::Inline => {
                hashing.update(&row.body);
                return Ok(hashing.finish().crc64nvme);
            }
            Source::Files { segments, pins } => (segments, pins),
        };
        let blobs = Arc::clone(&self.store.blobs);
        let reading = async move {
            let read = reading::hash(blobs, segments, pins, hashing).await;
            Ok(read?.crc64nvme)
        };
        match self.readings.find(row.blob, reading).await {
            Ok(found) => Ok(found),
            // A file that was cut short or removed: the object is damaged, and stays so.
            Err(cause)
                if matches!(cause.kind(), ErrorKind::UnexpectedEof | ErrorKind::NotFound) =>
            {
                error!(%cause, "the bytes of a stored object are not all there");
                Ok(NOTHING)
            }
            Err(cause) => Err(RequestError::ReadBack(cause)),
        }
    }
}
