//! A staged file as a later stage reads it: believed only when its bytes have the checksum that
//! pass one computed.
//!
//! A depositor is never blamed for a bit that flipped in our staging, and no flipped bit is ever
//! recorded. The reader throws away what it made of the bytes when the end says that they changed.

use bytes::Bytes;
use muniment_digest::Crc64;
use muniment_model::{Crc64Nvme, ObjectKey};
use muniment_objects::{ObjectStream, StagingBucket, StorageError};

/// What an operator reads when staged files change again and again.
pub(crate) const STAGING_UNSTABLE: &str = "files in the staging bucket are not what was staged, \
    again and again. Nobody's bag is to blame: look into the staging bucket's storage. Requeue the \
    item when that is resolved.";

/// A staged file that is being read.
pub(crate) struct StagedFile {
    bytes: ObjectStream,
    crc: Crc64,
    /// Nothing to compare with in the records of an older version.
    expected: Option<Crc64Nvme>,
}

/// Why a staged file could not be read.
#[derive(Debug)]
pub(crate) enum StagedFault {
    /// It is gone, or is not what pass one staged.
    Changed,
    Unanswered(StorageError),
}

impl StagedFile {
    pub(crate) fn open(
        staging: &StagingBucket,
        key: &ObjectKey,
        size: u64,
        expected: Option<Crc64Nvme>,
    ) -> Self {
        Self {
            bytes: staging.read(key, size),
            crc: Crc64::new(),
            expected,
        }
    }

    /// The next bytes. `None` after the last, and only if all of them are as they were staged.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, StagedFault> {
        match self.bytes.next().await {
            Ok(Some(block)) => {
                self.crc.update(&block);
                Ok(Some(block))
            }
            Ok(None) if self.expected.is_none_or(|crc| crc == self.crc.value()) => Ok(None),
            Ok(None) | Err(StorageError::NotFound(_) | StorageError::WrongSize { .. }) => {
                Err(StagedFault::Changed)
            }
            Err(error) => Err(StagedFault::Unanswered(error)),
        }
    }
}
