//! Bytes of a copy's own: written anew, and compared with what their source was stored with.
//!
//! Nothing refers to them yet: when the request ends early they go away with it, and what a crash
//! leaves is removed at the next start. The file is on the disk before the row that names it.

use std::ops::Range;
use std::sync::Arc;

use tracing::error;

use super::Service;
use super::errors::RequestError;
use super::objects::slice;
use crate::blobs::{blocking, reading};
use crate::checksums::{Algorithm, Digests, Hashing};
use crate::intake::NewBytes;
use crate::store::reads::Source;
use crate::store::rows::ObjectRow;

impl Service {
    /// Copies the range, and refuses a whole source that is damaged: damage must not spread under a
    /// checksum that says all is well.
    pub(super) async fn bytes_apart(
        &self,
        row: &ObjectRow,
        range: &Range<u64>,
        source: Source,
        wanted: Option<Algorithm>,
    ) -> Result<(NewBytes, Digests), RequestError> {
        let hashing = Hashing::for_copy(wanted);
        let (bytes, digests) = match source {
            Source::Inline => self.row_apart(row, range, hashing),
            Source::Files { segments, pins } => {
                let blobs = Arc::clone(&self.store.blobs);
                let copied = async {
                    let new = Arc::clone(&blobs);
                    let writing = blocking(move || new.create(hashing)).await?;
                    let writing = reading::copy(blobs, segments, pins, writing).await?;
                    blocking(move || writing.finish()).await
                };
                let (file, digests) = copied.await.map_err(RequestError::Copy)?;
                (NewBytes::File(file), digests)
            }
        };
        let is_whole = *range == (0..row.content.size_bytes);
        if is_whole && digests.crc64nvme != row.content.crc64nvme {
            error!(
                blob = row.blob.0,
                "not copied: the bytes of the source have changed"
            );
            return Err(RequestError::DamagedSource);
        }
        Ok((bytes, digests))
    }

    fn row_apart(
        &self,
        row: &ObjectRow,
        range: &Range<u64>,
        mut hashing: Hashing,
    ) -> (NewBytes, Digests) {
        let body = slice(&row.body, range);
        hashing.update(&body);
        let id = self.store.blobs.new_id();
        (NewBytes::Inline { id, body }, hashing.finish())
    }
}
