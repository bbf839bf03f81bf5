//! Who may ask, and for what. An unknown key is told apart from a wrong secret, as S3 does.
//!
//! What a key is not good for is refused before anything is read, so that the answer does not tell
//! whether it is there. Whatever names no bucket of the key is refused, and so is every operation that
//! is not in the list of those for such keys.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use s3s::access::{S3Access, S3AccessContext};
use s3s::auth::{Credentials as Signer, S3Auth, SecretKey};
use s3s::dto::{CopyObjectInput, CopySource, UploadPartCopyInput};
use s3s::{S3Error, S3ErrorCode, S3Request, S3Result};

use crate::{Credentials, Key, Reach};

/// The one operation on no bucket. Its answer has only those that the key is good for.
const LIST_BUCKETS: &str = "ListBuckets";
/// What a key of a few buckets may do in them. Not what changes a bucket, nor what costs its owner: an
/// operation that is added one day is refused until it is one of these.
const ON_OBJECTS: [&str; 23] = [
    "AbortMultipartUpload",
    "CompleteMultipartUpload",
    "CopyObject",
    "CreateMultipartUpload",
    "DeleteObject",
    "DeleteObjectTagging",
    "DeleteObjects",
    "GetBucketLocation",
    "GetBucketVersioning",
    "GetObject",
    "GetObjectAttributes",
    "GetObjectTagging",
    "HeadBucket",
    "HeadObject",
    "ListMultipartUploads",
    "ListObjectVersions",
    "ListObjects",
    "ListObjectsV2",
    "ListParts",
    "PutObject",
    "PutObjectTagging",
    "UploadPart",
    "UploadPartCopy",
];

/// The keys by their names. Clones share them.
#[derive(Clone)]
pub(super) struct Keys(Arc<HashMap<String, Known>>);

struct Known {
    secret_key: String,
    reach: Reach,
}

impl Keys {
    pub(super) fn new(first: &Credentials, more: &[Key]) -> Self {
        let first = Key {
            credentials: first.clone(),
            reach: Reach::Everything,
        };
        let known = more.iter().chain([&first]).map(|key| {
            let Credentials {
                access_key,
                secret_key,
            } = key.credentials.clone();
            let reach = key.reach.clone();
            (access_key, Known { secret_key, reach })
        });
        Self(Arc::new(known.collect()))
    }

    /// Whether the key that signed is good for the objects of this bucket. One that did not sign is good
    /// for nothing.
    pub(super) fn may_use(&self, signer: Option<&Signer>, bucket: &str) -> bool {
        match self.reach(signer) {
            Some(Reach::Everything) => true,
            Some(Reach::Buckets(buckets)) => buckets.contains(bucket),
            None => false,
        }
    }

    fn reach(&self, signer: Option<&Signer>) -> Option<&Reach> {
        Some(&self.0.get(&signer?.access_key)?.reach)
    }

    fn may_copy(&self, signer: Option<&Signer>, source: &CopySource) -> S3Result<()> {
        let may = match source {
            CopySource::Bucket { bucket, .. } => self.may_use(signer, bucket),
            // Not here at all, which is for the operation to say to those who may hear it.
            CopySource::AccessPoint { .. } | CopySource::Outpost { .. } => {
                self.reach(signer) == Some(&Reach::Everything)
            }
        };
        if may { Ok(()) } else { Err(denied()) }
    }
}

#[async_trait]
impl S3Auth for Keys {
    async fn get_secret_key(&self, access_key: &str) -> S3Result<SecretKey> {
        if let Some(known) = self.0.get(access_key) {
            return Ok(SecretKey::from(known.secret_key.clone()));
        }
        let message = "the access key is not one of this endpoint";
        Err(S3Error::with_message(
            S3ErrorCode::InvalidAccessKeyId,
            message,
        ))
    }
}

#[async_trait]
impl S3Access for Keys {
    async fn check(&self, request: &mut S3AccessContext<'_>) -> S3Result<()> {
        let operation = request.s3_op().name();
        let may = match self.reach(request.credentials()) {
            None => false,
            Some(Reach::Everything) => true,
            Some(Reach::Buckets(buckets)) => match request.s3_path().get_bucket_name() {
                Some(bucket) => buckets.contains(bucket) && ON_OBJECTS.contains(&operation),
                None => operation == LIST_BUCKETS,
            },
        };
        if may { Ok(()) } else { Err(denied()) }
    }

    async fn copy_object(&self, req: &mut S3Request<CopyObjectInput>) -> S3Result<()> {
        self.may_copy(req.credentials.as_ref(), &req.input.copy_source)
    }

    async fn upload_part_copy(&self, req: &mut S3Request<UploadPartCopyInput>) -> S3Result<()> {
        self.may_copy(req.credentials.as_ref(), &req.input.copy_source)
    }
}

fn denied() -> S3Error {
    S3Error::with_message(S3ErrorCode::AccessDenied, "Access Denied")
}
