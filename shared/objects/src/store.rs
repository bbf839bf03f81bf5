//! A store as a whole, for the command that sets an installation up on one: which buckets there are, what the
//! store can do, and small objects that say whose it is. No worker has one.
//!
//! Everything may be repeated: a bucket that is there stays, an object is created once and never replaced, and
//! what is tried is tried with an object that is put first and gone at the end.

use std::time::Duration;

use aws_sdk_s3::types::{BucketLocationConstraint, CreateBucketConfiguration};
use bytes::Bytes;
use crc_fast::{CrcAlgorithm, checksum};
use muniment_model::{BucketName, Crc64Nvme, ObjectKey};
use muniment_retry::{Backoff, retry};

use crate::answer::{Condition, error_of};
use crate::bucket::{Attributes, Bucket, quoted};
use crate::connection::{Connection, Connections, Endpoint, Limit};
use crate::error::StorageError;
use crate::listing::{self, Listing};

/// A person waits for the first answer, who may have mistyped the address.
const FIRST_ANSWER: Backoff = Backoff {
    attempts_max: 4,
    first: Duration::from_millis(200),
    longest: Duration::from_secs(1),
};
const FIRST_ANSWER_LIMIT: Duration = Duration::from_secs(10);

/// The region whose buckets are made without naming it.
const FIRST_REGION: &str = "us-east-1";

/// What is put to try what the store can do.
const TRIED: &[u8] = b"tried by muniment at its start; may be deleted\n";
/// No object has this etag.
const NO_ETAG: &str = "00000000000000000000000000000000";

/// A store, with keys that may do everything in it.
#[derive(Clone, Debug)]
pub struct Store {
    connection: Connection,
    region: String,
}

/// What a store does that not every one does, though each of them takes the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Abilities {
    /// Refuses to create an object whose key is taken (`If-None-Match`).
    pub conditional_writes: bool,
    /// Deletes an object only if it is the one that was meant (`If-Match`).
    pub conditional_deletes: bool,
}

impl Store {
    /// Opens no connection.
    pub fn new(connections: &Connections, endpoint: &Endpoint) -> Self {
        Self {
            connection: connections.to(endpoint),
            region: endpoint.region.clone(),
        }
    }

    /// The buckets that the keys are shown. Asked first: gives up after a few seconds if nobody answers.
    pub async fn buckets(&self) -> Result<Vec<BucketName>, StorageError> {
        let resource = self.connection.resource();
        retry(&FIRST_ANSWER, self.connection.stop(), || {
            let asked = Box::pin(async {
                let answer = self.connection.client().list_buckets().send().await;
                answer.map_err(|error| error_of(error, &resource, Condition::None))
            });
            self.connection.once(&resource, FIRST_ANSWER_LIMIT, asked)
        })
        .await?;
        listing::buckets(&self.connection, "").await
    }

    pub async fn make_bucket(&self, name: &BucketName) -> Result<(), StorageError> {
        let resource = self.bucket(name).resource();
        let elsewhere = (self.region != FIRST_REGION).then(|| {
            let region = BucketLocationConstraint::from(self.region.as_str());
            let configuration = CreateBucketConfiguration::builder();
            configuration.location_constraint(region).build()
        });
        let made = self
            .connection
            .send(&resource, Limit::ANSWER, Condition::None, |client| {
                client
                    .create_bucket()
                    .bucket(name.as_str())
                    .set_create_bucket_configuration(elsewhere.clone())
                    .send()
            })
            .await;
        match made {
            Err(error) if !error.is_own_bucket() => Err(error),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// The first keys of a bucket, a page at most, of those that begin with `prefix`.
    pub async fn first_keys(
        &self,
        bucket: &BucketName,
        prefix: &str,
    ) -> Result<Vec<String>, StorageError> {
        let page = Listing::new(self.bucket(bucket), prefix)
            .next_page()
            .await?;
        let listed = page.into_iter().flatten();
        Ok(listed.map(|object| object.key).collect())
    }

    /// A small object as a whole; `TooLarge` beyond `size_max`.
    pub async fn get(
        &self,
        bucket: &BucketName,
        key: &ObjectKey,
        size_max: u64,
    ) -> Result<Option<Bytes>, StorageError> {
        match self.bucket(bucket).get(key, size_max, None).await {
            Ok(bytes) => Ok(Some(bytes)),
            Err(StorageError::NotFound(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Makes a small object; `AlreadyThere` when the key is taken, be it by an earlier try whose answer was
    /// lost.
    pub async fn create(
        &self,
        bucket: &BucketName,
        key: &ObjectKey,
        bytes: Bytes,
    ) -> Result<(), StorageError> {
        put(&self.bucket(bucket), key, &bytes, Condition::IfNoneMatch).await
    }

    /// One that is not there is deleted, too.
    pub async fn delete(&self, bucket: &BucketName, key: &ObjectKey) -> Result<(), StorageError> {
        self.bucket(bucket).delete(key).await
    }

    /// Tries what the store can do, with an object of this key, which nobody else may touch meanwhile, and which is
    /// gone afterwards.
    pub async fn abilities(
        &self,
        bucket: &BucketName,
        key: &ObjectKey,
    ) -> Result<Abilities, StorageError> {
        let (bucket, bytes) = (self.bucket(bucket), Bytes::from_static(TRIED));
        put(&bucket, key, &bytes, Condition::None).await?;
        let conditional_writes = match put(&bucket, key, &bytes, Condition::IfNoneMatch).await {
            Ok(()) => false,
            Err(StorageError::AlreadyThere(_)) => true,
            Err(error) => return Err(error),
        };
        let conditional_deletes = deletes_conditionally(&bucket, key).await?;
        bucket.delete(key).await?;
        Ok(Abilities {
            conditional_writes,
            conditional_deletes,
        })
    }

    fn bucket(&self, name: &BucketName) -> Bucket {
        Bucket::new(self.connection.clone(), name.clone())
    }
}

/// Whether an object stays that is to be deleted if it is another one.
async fn deletes_conditionally(bucket: &Bucket, key: &ObjectKey) -> Result<bool, StorageError> {
    let resource = bucket.resource_of(key);
    let deleted = bucket
        .connection
        .send(&resource, Limit::ANSWER, Condition::IfMatch, |client| {
            client
                .delete_object()
                .bucket(bucket.name.as_str())
                .key(key.as_str())
                .if_match(quoted(NO_ETAG))
                .send()
        })
        .await;
    match deleted {
        Err(StorageError::Superseded(_)) => Ok(true),
        // Not there: deleted by a try whose answer was lost.
        Ok(_) | Err(StorageError::NotFound(_)) => Ok(false),
        Err(error) => Err(error),
    }
}

async fn put(
    bucket: &Bucket,
    key: &ObjectKey,
    bytes: &Bytes,
    condition: Condition,
) -> Result<(), StorageError> {
    let crc = Crc64Nvme(checksum(CrcAlgorithm::Crc64Nvme, bytes));
    let attributes = Attributes {
        condition,
        ..Attributes::internal()
    };
    let put = bucket.put(key, bytes, crc, &attributes).await;
    put.map(|_etag| ())
}
