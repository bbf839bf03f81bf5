//! Operations on buckets.

use s3s::auth::Credentials;
use s3s::dto::{
    Bucket, CreateBucketInput, CreateBucketOutput, DeleteBucketInput, DeleteBucketOutput,
    GetBucketLocationInput, GetBucketLocationOutput, HeadBucketInput, HeadBucketOutput,
    ListBucketsOutput,
};

use super::Service;
use super::errors::RequestError;
use super::words::timestamp;
use crate::store::buckets::{CreateBucket, DeleteBucket};

/// Signatures may name any region; the buckets say this one.
const REGION: &str = "us-east-1";

impl Service {
    pub(super) async fn make_bucket(
        &self,
        input: CreateBucketInput,
    ) -> Result<CreateBucketOutput, RequestError> {
        let location = Some(format!("/{}", input.bucket));
        let name = input.bucket;
        self.store.submit(CreateBucket { name }).await?;
        Ok(CreateBucketOutput { location })
    }

    pub(super) async fn remove_bucket(
        &self,
        input: DeleteBucketInput,
    ) -> Result<DeleteBucketOutput, RequestError> {
        let name = input.bucket;
        self.store.submit(DeleteBucket { name }).await?;
        Ok(DeleteBucketOutput::default())
    }

    pub(super) async fn find_bucket(
        &self,
        input: HeadBucketInput,
    ) -> Result<HeadBucketOutput, RequestError> {
        self.store.require_bucket(&input.bucket).await?;
        Ok(HeadBucketOutput {
            bucket_region: Some(REGION.to_owned()),
            ..HeadBucketOutput::default()
        })
    }

    /// Those that the key of the request is good for.
    pub(super) async fn visible_buckets(
        &self,
        credentials: Option<Credentials>,
    ) -> Result<ListBucketsOutput, RequestError> {
        let mut buckets = self.store.buckets().await?;
        buckets.retain(|(name, _created)| self.keys.may_use(credentials.as_ref(), name));
        let listed = buckets.into_iter().map(|(name, created_micros)| Bucket {
            bucket_region: Some(REGION.to_owned()),
            creation_date: Some(timestamp(created_micros)),
            name: Some(name),
        });
        Ok(ListBucketsOutput {
            buckets: Some(listed.collect()),
            ..ListBucketsOutput::default()
        })
    }

    pub(super) async fn locate_bucket(
        &self,
        input: GetBucketLocationInput,
    ) -> Result<GetBucketLocationOutput, RequestError> {
        self.store.require_bucket(&input.bucket).await?;
        // That region is said by saying nothing.
        Ok(GetBucketLocationOutput::default())
    }
}
