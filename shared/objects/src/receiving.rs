//! Receiving buckets: where depositors put their tars. Workers list, read and, at the very end,
//! delete exactly the upload they have ingested; only a depositor writes.
//!
//! A delete is of the upload that was looked at, so a newer one under the same key survives it, also
//! one with the same bytes (`deletion.rs`).

use std::ops::Range;

use muniment_model::{BucketName, ObjectKey, Tar};
use tokio_util::sync::CancellationToken;

use crate::bucket::{Attributes, Bucket, Head};
use crate::connection::Connection;
use crate::deletion::Deletion;
use crate::error::StorageError;
use crate::listing::{self, Listing};
use crate::stream::{ObjectStream, Source, TarStream};
use crate::writer::ObjectWriter;

/// All receiving buckets, behind one client.
#[derive(Clone, Debug)]
pub struct ReceivingBuckets {
    pub(crate) connection: Connection,
    pub(crate) prefix: String,
}

impl ReceivingBuckets {
    pub fn bucket(&self, name: BucketName) -> ReceivingBucket {
        ReceivingBucket(Bucket::new(self.connection.clone(), name))
    }

    /// The receiving buckets that the store has, whether an institution is known for them or not.
    pub async fn names(&self) -> Result<Vec<BucketName>, StorageError> {
        listing::buckets(&self.connection, &self.prefix).await
    }
}

/// The bucket one institution puts its bags in.
#[derive(Clone, Debug)]
pub struct ReceivingBucket(pub(crate) Bucket);

impl ReceivingBucket {
    pub fn name(&self) -> &BucketName {
        &self.0.name
    }

    /// Everything in the bucket, tar or not, in key order.
    pub fn list(&self) -> Listing {
        Listing::new(self.0.clone(), "")
    }

    pub async fn head(&self, key: &ObjectKey) -> Result<Head, StorageError> {
        self.0.head(key).await
    }

    /// Reads the upload that `tar` describes, from `from_offset` to its end, and no other.
    pub fn read(&self, tar: &Tar, from_offset: u64, stop: &CancellationToken) -> TarStream {
        self.read_range(tar, from_offset..tar.size, stop)
    }

    /// Reads a part of the upload that `tar` describes, such as one member.
    pub fn read_range(&self, tar: &Tar, range: Range<u64>, stop: &CancellationToken) -> TarStream {
        let source = Source {
            bucket: self.0.clone(),
            key: tar.key.clone(),
            size: tar.size,
        };
        ObjectStream::new(source, Some(tar.etag.clone()), range, stop.clone())
    }

    /// Deletes the upload that [`Self::head`] found. Another one under the key stays, and is
    /// `Superseded`, whatever its bytes. `may_delete` is asked before each try.
    pub async fn delete(
        &self,
        key: &ObjectKey,
        looked_at: &Head,
        may_delete: impl Fn() -> bool,
    ) -> Result<Deletion, StorageError> {
        self.0.delete_upload(key, looked_at, may_delete).await
    }
}

/// A receiving bucket as its depositor sees it: for the command that uploads bags, and for tests.
/// No worker has one.
#[derive(Clone, Debug)]
pub struct DepositBucket(pub(crate) Bucket);

impl DepositBucket {
    pub fn name(&self) -> &BucketName {
        &self.0.name
    }

    /// Uploads a bag, replacing one that has the key.
    pub fn writer(&self, key: &ObjectKey) -> ObjectWriter {
        let attributes = Attributes {
            content_type: "application/x-tar".to_owned(),
            ..Attributes::internal()
        };
        ObjectWriter::new(self.0.clone(), key.clone(), attributes)
    }

    pub async fn head(&self, key: &ObjectKey) -> Result<Head, StorageError> {
        self.0.head(key).await
    }
}
