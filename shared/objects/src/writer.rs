//! Writes an object of unknown length: one PUT when it is small, else a multipart upload.
//!
//! Nothing is visible at the key before `finish`, and then only if the store has the checksum that
//! was asked for. A writer that is dropped leaves at most an open upload, which `abort_uploads`
//! removes. Writing the same object again replaces it. The bytes of each part are taken from the budget
//! of the process before the part begins, so a writer waits while others hold too many.

use bytes::{Bytes, BytesMut};
use crc_fast::{CrcAlgorithm, Digest};
use muniment_model::{Crc64Nvme, ObjectKey};
use tokio::task::JoinSet;

use crate::answer::broken_body;
use crate::bucket::{Attributes, Bucket};
use crate::budget::HeldBytes;
use crate::error::StorageError;
use crate::multipart::{PARTS_MAX, Part};
use crate::open_upload::OpenUpload;
use crate::stream::ObjectStream;

/// The size of the first parts. S3 asks for 5 MiB; larger ones cost fewer requests.
const PART_BYTES: usize = 16 * 1024 * 1024;

/// After this many parts their size doubles, up to [`DOUBLINGS_MAX`] times: 10,000 parts then hold
/// some 700 GB, and a part never more than 128 MiB of memory.
const PARTS_PER_SIZE: u32 = 2_000;
const DOUBLINGS_MAX: u32 = 3;

/// How many bytes of parts may be on their way, beside the part that is being filled.
const BYTES_UNDER_WAY: usize = 2 * PART_BYTES;

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    pub size: u64,
    pub crc64nvme: Crc64Nvme,
    /// Without quotes; `None` where the store names none.
    pub etag: Option<String>,
}

/// An object in the making.
#[derive(Debug)]
pub struct ObjectWriter {
    bucket: Bucket,
    key: ObjectKey,
    attributes: Attributes,
    /// The bytes of the next part.
    filling: BytesMut,
    /// What may be filled; `None` between two parts.
    held: Option<HeldBytes>,
    upload: Option<OpenUpload>,
    parts_begun: u32,
    under_way: JoinSet<Result<Part, StorageError>>,
    done: Vec<Part>,
    crc: Digest,
    size: u64,
}

impl ObjectWriter {
    pub(crate) fn new(bucket: Bucket, key: ObjectKey, attributes: Attributes) -> Self {
        Self {
            bucket,
            key,
            attributes,
            filling: BytesMut::new(),
            held: None,
            upload: None,
            parts_begun: 0,
            under_way: JoinSet::new(),
            done: Vec::new(),
            crc: Digest::new(CrcAlgorithm::Crc64Nvme),
            size: 0,
        }
    }

    /// Adds bytes. Waits while enough of the object is on its way already. After an error only
    /// [`Self::abort`] is of use.
    pub async fn write(&mut self, mut bytes: Bytes) -> Result<(), StorageError> {
        self.crc.update(&bytes);
        self.size += bytes.len() as u64;
        while !bytes.is_empty() {
            let part = part_bytes(self.parts_begun + 1);
            if self.held.is_none() {
                // In one piece and before the first byte: to grow would hold some while it waits.
                self.held = Some(self.bucket.connection.budget().take(part as u64).await);
                self.filling.reserve(part);
            }
            let room = part - self.filling.len();
            let taken = bytes.split_to(room.min(bytes.len()));
            self.filling.extend_from_slice(&taken);
            if taken.len() == room {
                self.send_part().await?;
            }
        }
        Ok(())
    }

    /// Waits until all parts have arrived, so that [`Self::finish`] has one request left to make: for a
    /// caller who may give the object up until then. Of an object of one part nothing is sent.
    pub async fn arrived(&mut self) -> Result<(), StorageError> {
        if self.upload.is_none() {
            return Ok(());
        }
        if !self.filling.is_empty() {
            self.send_part().await?;
        }
        while !self.under_way.is_empty() {
            self.part_done().await?;
        }
        Ok(())
    }

    /// Makes the object visible. `expected` is the checksum from the record, or `None` for a
    /// document of ours that has no record yet: then it is the one of the bytes written.
    pub async fn finish(mut self, expected: Option<Crc64Nvme>) -> Result<Written, StorageError> {
        let (size, crc64nvme) = (self.size, Crc64Nvme(self.crc.finalize()));
        let finished = if expected.is_none_or(|crc| crc == crc64nvme) {
            self.send_rest(size, crc64nvme).await
        } else {
            Err(StorageError::DamagedOnTheWay(
                self.bucket.address(&self.key),
            ))
        };
        if finished.is_err() {
            self.abort().await;
        }
        finished.map(|etag| Written {
            size,
            crc64nvme,
            etag,
        })
    }

    /// Writes all that the stream brings, whose checksum must be the recorded one, and finishes.
    /// Returns the object's etag.
    pub(crate) async fn write_all(
        mut self,
        mut from: ObjectStream,
        expected: Crc64Nvme,
    ) -> Result<Option<String>, StorageError> {
        let sent = async {
            while let Some(bytes) = from.next().await? {
                self.write(bytes).await?;
            }
            Ok(())
        };
        if let Err(error) = sent.await {
            self.abort().await;
            return Err(error);
        }
        Ok(self.finish(Some(expected)).await?.etag)
    }

    /// Gives the object up.
    pub async fn abort(mut self) {
        // Parts that arrive after the upload is gone would be refused; these do not arrive.
        self.under_way.shutdown().await;
        if let Some(upload) = self.upload.take() {
            upload.abort().await;
        }
    }

    async fn send_rest(
        &mut self,
        size: u64,
        crc: Crc64Nvme,
    ) -> Result<Option<String>, StorageError> {
        if self.upload.is_none() {
            let bytes = self.filling.split().freeze();
            return self
                .bucket
                .put(&self.key, &bytes, crc, &self.attributes)
                .await;
        }
        self.arrived().await?;
        self.done.sort_by_key(|part| part.number);
        match &mut self.upload {
            Some(upload) => upload.complete(&self.done, size, crc).await,
            None => Ok(None),
        }
    }

    /// Hands the filled part to a task of its own.
    async fn send_part(&mut self) -> Result<(), StorageError> {
        let size = self.filling.len();
        while !self.under_way.is_empty() && (self.under_way.len() + 1) * size > BYTES_UNDER_WAY {
            self.part_done().await?;
        }
        if u64::from(self.parts_begun) >= PARTS_MAX {
            return Err(StorageError::TooLarge {
                object: self.bucket.address(&self.key),
                size_max: self.size,
            });
        }
        let upload = if let Some(upload) = &self.upload {
            upload.parts()
        } else {
            let upload = OpenUpload::begin(&self.bucket, &self.key, &self.attributes).await?;
            self.upload.insert(upload).parts()
        };
        self.parts_begun += 1;
        let number = self.parts_begun;
        let bytes = self.filling.split().freeze();
        let (upload, held) = (upload.clone(), self.held.take());
        self.under_way.spawn(async move {
            let part = upload.put_part(number, bytes).await;
            drop(held);
            part
        });
        Ok(())
    }

    async fn part_done(&mut self) -> Result<(), StorageError> {
        match self.under_way.join_next().await {
            Some(Ok(part)) => self.done.push(part?),
            Some(Err(error)) => {
                return Err(broken_body(error, &self.bucket.resource_of(&self.key)));
            }
            None => {}
        }
        Ok(())
    }
}

/// How many bytes part `number` (from 1) holds, unless it is the last.
fn part_bytes(number: u32) -> usize {
    let doublings = (number.saturating_sub(1) / PARTS_PER_SIZE).min(DOUBLINGS_MAX);
    PART_BYTES << doublings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_grow_but_never_beyond_what_memory_allows() {
        const MIB: usize = 1024 * 1024;
        let rows = [
            (1, 16 * MIB),
            (2_000, 16 * MIB),
            (2_001, 32 * MIB),
            (4_001, 64 * MIB),
            (6_001, 128 * MIB),
            (10_000, 128 * MIB),
        ];

        for (number, expected) in rows {
            assert_eq!(part_bytes(number), expected, "part {number}");
        }
    }
}
