//! The S3 operations, answered from the store. This file only says which there are.

mod attributes;
mod buckets;
mod copied_bytes;
mod copies;
mod disk;
mod errors;
mod keys;
mod lists;
mod objects;
mod read_back;
mod restores;
mod tags;
mod uploads;
mod versions;
mod words;

use std::collections::HashSet;
use std::sync::Arc;

use async_trait::async_trait;
use s3s::config::{S3Config, StaticConfigProvider};
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{S3, S3Request, S3Response, S3Result, dto};

use crate::readings::Readings;
use crate::store::Store;
use crate::{Copies, Credentials, Options, Thaw};
use disk::Disk;
use errors::RequestError;
use keys::Keys;

/// Most bytes of an XML request. Completing 10,000 parts with checksums takes about 3 MB.
const XML_MAX_BYTES: usize = 4 * 1024 * 1024;

/// The service, behind signature version 4; unsigned requests are refused, and so is what a key is not
/// good for.
pub(crate) fn build(store: Store, credentials: &Credentials, options: &Options) -> S3Service {
    let mut config = S3Config::default();
    config.xml_max_body_size = XML_MAX_BYTES;
    // Browser forms are not an operation of ours; refuse them before they are buffered.
    config.post_object_max_file_size = 0;

    let keys = Keys::new(credentials, &options.more_keys);
    let mut builder = S3ServiceBuilder::new(Service {
        store,
        keys: keys.clone(),
        readings: Readings::default(),
        copies: options.copies,
        read_back: options.read_back.clone(),
        thaw: options.thaw,
        disk: Disk::default(),
    });
    builder.set_config(Arc::new(StaticConfigProvider::new(Arc::new(config))));
    builder.set_auth(keys.clone());
    builder.set_access(keys);
    builder.build()
}

struct Service {
    store: Store,
    keys: Keys,
    readings: Readings,
    copies: Copies,
    /// The buckets whose checksums are those of the bytes.
    read_back: HashSet<String>,
    thaw: Thaw,
    disk: Disk,
}

/// Marks an answer whose status is 202: `s3s` has no way to say so.
#[derive(Clone, Copy)]
pub(crate) struct Accepted;

/// The output of an operation, with what else its answer carries.
struct Answer<T>(S3Response<T>);

impl<T> From<T> for Answer<T> {
    fn from(output: T) -> Self {
        Self(S3Response::new(output))
    }
}

impl Service {
    fn answer<T>(
        &self,
        outcome: Result<impl Into<Answer<T>>, RequestError>,
    ) -> S3Result<S3Response<T>> {
        let error = match outcome {
            Ok(output) => return Ok(output.into().0),
            Err(error) => error,
        };
        if error.is_disk_full() {
            self.disk.found_full();
        }
        Err(error.into())
    }
}

/// One line per operation: its name, input and output as S3 has them, and the method that answers it.
/// The error of the method becomes an S3 error.
macro_rules! operations {
    ($($operation:ident($req:ident: $input:ident) -> $output:ident = $method:ident($($arg:expr)?);)*) => {
        #[async_trait]
        impl S3 for Service {
            $(async fn $operation(
                &self,
                $req: S3Request<dto::$input>,
            ) -> S3Result<S3Response<dto::$output>> {
                let outcome = self.$method($($arg)?).await;
                self.answer(outcome)
            })*
        }
    };
}

operations! {
    create_bucket(req: CreateBucketInput) -> CreateBucketOutput = make_bucket(req.input);
    delete_bucket(req: DeleteBucketInput) -> DeleteBucketOutput = remove_bucket(req.input);
    head_bucket(req: HeadBucketInput) -> HeadBucketOutput = find_bucket(req.input);
    list_buckets(req: ListBucketsInput) -> ListBucketsOutput = visible_buckets(req.credentials);
    get_bucket_location(req: GetBucketLocationInput) -> GetBucketLocationOutput
        = locate_bucket(req.input);

    put_bucket_versioning(req: PutBucketVersioningInput) -> PutBucketVersioningOutput
        = set_versioning(req.input);
    get_bucket_versioning(req: GetBucketVersioningInput) -> GetBucketVersioningOutput
        = versioning(req.input);

    put_object(req: PutObjectInput) -> PutObjectOutput = put(req);
    get_object(req: GetObjectInput) -> GetObjectOutput = get(req.input);
    head_object(req: HeadObjectInput) -> HeadObjectOutput = head(req.input);
    get_object_attributes(req: GetObjectAttributesInput) -> GetObjectAttributesOutput
        = attributes(req.input);
    delete_object(req: DeleteObjectInput) -> DeleteObjectOutput = delete(req.input);
    delete_objects(req: DeleteObjectsInput) -> DeleteObjectsOutput = delete_many(req.input);
    get_object_tagging(req: GetObjectTaggingInput) -> GetObjectTaggingOutput = tags(req.input);
    put_object_tagging(req: PutObjectTaggingInput) -> PutObjectTaggingOutput
        = put_tags(req.input);
    delete_object_tagging(req: DeleteObjectTaggingInput) -> DeleteObjectTaggingOutput
        = remove_tags(req.input);
    restore_object(req: RestoreObjectInput) -> RestoreObjectOutput = restore(req.input);
    copy_object(req: CopyObjectInput) -> CopyObjectOutput = copy(req);
    list_objects(req: ListObjectsInput) -> ListObjectsOutput = list(req.input);
    list_objects_v2(req: ListObjectsV2Input) -> ListObjectsV2Output = list_v2(req.input);
    list_object_versions(req: ListObjectVersionsInput) -> ListObjectVersionsOutput
        = list_versions(req.input);

    create_multipart_upload(req: CreateMultipartUploadInput) -> CreateMultipartUploadOutput
        = start_upload(req.input);
    upload_part(req: UploadPartInput) -> UploadPartOutput = put_part(req);
    upload_part_copy(req: UploadPartCopyInput) -> UploadPartCopyOutput = copy_part(req.input);
    complete_multipart_upload(req: CompleteMultipartUploadInput) -> CompleteMultipartUploadOutput
        = complete_upload(req.input);
    abort_multipart_upload(req: AbortMultipartUploadInput) -> AbortMultipartUploadOutput
        = abort_upload(req.input);
    list_parts(req: ListPartsInput) -> ListPartsOutput = list_upload_parts(req.input);
    list_multipart_uploads(req: ListMultipartUploadsInput) -> ListMultipartUploadsOutput
        = list_uploads(req.input);
}
