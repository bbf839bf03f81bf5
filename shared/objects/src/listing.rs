//! Lists of keys, buckets and open uploads, a bounded page at a time, and bulk deletion.
//!
//! A list is a question and may be asked again. Keys are asked for in percent-encoding, because
//! a depositor's key may hold bytes that XML cannot.

use aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Output;
use aws_sdk_s3::types::{Delete, EncodingType, ObjectIdentifier};
use chrono::{DateTime, Utc};
use muniment_model::{BucketName, KeyPrefix, ObjectKey};
use percent_encoding::percent_decode_str;

use crate::answer::{Answer, Condition, error_of};
use crate::bucket::{Bucket, incomplete, unquoted, utc};
use crate::connection::{Connection, Limit};
use crate::deletion::Deletion;
use crate::error::{Resource, StorageError};

/// S3's own limit on a page of keys and on a bulk delete.
pub(crate) const PAGE_MAX: usize = 1_000;

/// S3's limit on the buckets of an account is 10,000, a page of them; no store we know has more.
const BUCKET_PAGES_MAX: usize = 100;

/// A page has 1,000 uploads. A prefix has as many open ones as workers were killed while they made one.
const UPLOAD_PAGES_MAX: usize = 1_000;

/// What ends the first part of a key.
const SLASH: &str = "/";

/// An object as a list names it. The key may be any text: it is a depositor's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    pub key: String,
    /// Without quotes.
    pub etag: String,
    pub size: u64,
    pub last_modified: DateTime<Utc>,
}

/// Goes through the objects of a bucket in key order.
#[derive(Debug)]
pub struct Listing(Pages);

/// Goes through the first parts of a bucket's keys, up to and with their first slash, in their order.
/// Keys without a slash are passed over.
#[derive(Debug)]
pub struct FirstParts {
    pages: Pages,
    /// Itself not one of them.
    after: String,
}

/// What is asked for, and how far the answers have come.
#[derive(Debug)]
struct Pages {
    bucket: Bucket,
    prefix: String,
    /// What keys have in common up to it is answered once.
    delimiter: Option<String>,
    /// Only keys greater than this.
    after: Option<String>,
    next: Next,
}

#[derive(Debug)]
enum Next {
    First,
    Token(String),
    End,
}

impl Listing {
    pub(crate) fn new(bucket: Bucket, prefix: &str) -> Self {
        Self(Pages {
            bucket,
            prefix: prefix.to_owned(),
            delimiter: None,
            after: None,
            next: Next::First,
        })
    }

    /// The next 1,000 objects at most; `None` after the last page.
    pub async fn next_page(&mut self) -> Result<Option<Vec<Listed>>, StorageError> {
        let Some(output) = self.0.next().await? else {
            return Ok(None);
        };
        let mut page = Vec::with_capacity(output.contents().len());
        for object in output.contents() {
            let size = object.size().and_then(|size| u64::try_from(size).ok());
            let last_modified = object.last_modified().and_then(utc);
            let (Some(key), Some(size), Some(last_modified)) = (object.key(), size, last_modified)
            else {
                let resource = self.0.bucket.resource();
                return Err(incomplete(&resource, "an entry without key, size or date"));
            };
            page.push(Listed {
                key: decoded(key, output.encoding_type()),
                etag: unquoted(object.e_tag()),
                size,
                last_modified,
            });
        }
        Ok(Some(page))
    }
}

impl FirstParts {
    /// Those that come after `after`, itself one of them; empty for all.
    pub(crate) fn new(bucket: Bucket, after: &str) -> Self {
        let pages = Pages {
            bucket,
            prefix: String::new(),
            delimiter: Some(SLASH.to_owned()),
            after: Some(after.to_owned()).filter(|after| !after.is_empty()),
            next: Next::First,
        };
        Self {
            pages,
            after: after.to_owned(),
        }
    }

    /// The next 1,000 at most; `None` after the last page. A page may be empty.
    pub async fn next_page(&mut self) -> Result<Option<Vec<String>>, StorageError> {
        let Some(output) = self.pages.next().await? else {
            return Ok(None);
        };
        let parts = output.common_prefixes().iter();
        let parts = parts.filter_map(|common| common.prefix());
        let parts = parts.map(|part| decoded(part, output.encoding_type()));
        // Stores differ on whether a first part comes after itself. To ask for what comes after all keys
        // that begin with it ("120" for "12/") is no way out: there are stores that pass over "120/" then.
        Ok(Some(parts.filter(|part| *part != self.after).collect()))
    }
}

impl Pages {
    async fn next(&mut self) -> Result<Option<ListObjectsV2Output>, StorageError> {
        let token = match &self.next {
            Next::First => None,
            Next::Token(token) => Some(token.as_str()),
            Next::End => return Ok(None),
        };
        let resource = self.bucket.resource();
        let output = self
            .bucket
            .connection
            .send(&resource, Limit::ANSWER, Condition::None, |client| {
                client
                    .list_objects_v2()
                    .bucket(self.bucket.name.as_str())
                    .prefix(&self.prefix)
                    .set_delimiter(self.delimiter.clone())
                    .set_start_after(self.after.clone())
                    .encoding_type(EncodingType::Url)
                    .set_continuation_token(token.map(str::to_owned))
                    .send()
            })
            .await?;
        self.next = match (output.is_truncated(), output.next_continuation_token()) {
            (Some(true), Some(next)) => Next::Token(next.to_owned()),
            (Some(true), None) => {
                return Err(incomplete(&resource, "a page without its successor"));
            }
            (Some(false) | None, _) => Next::End,
        };
        Ok(Some(output))
    }
}

/// S3 encodes like a form: a space is `+`.
fn decoded(key: &str, encoding: Option<&EncodingType>) -> String {
    if encoding != Some(&EncodingType::Url) {
        return key.to_owned();
    }
    let spaced = key.replace('+', " ");
    percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
}

impl Bucket {
    /// Deletes the objects of a page. Idempotent: what is gone already counts as deleted.
    pub(crate) async fn delete_page(
        &self,
        page: &[Listed],
        may_delete: impl Fn() -> bool,
    ) -> Result<Deletion, StorageError> {
        if page.is_empty() {
            return Ok(Deletion::Gone);
        }
        debug_assert!(page.len() <= PAGE_MAX, "a page fits one bulk delete");
        let resource = self.resource();
        self.connection
            .call(&resource, Limit::ANSWER, || async {
                if !may_delete() {
                    return Ok(Deletion::Forbidden);
                }
                self.delete_once(page, &resource).await?;
                Ok(Deletion::Deleted)
            })
            .await
    }

    async fn delete_once(&self, page: &[Listed], resource: &Resource) -> Result<(), StorageError> {
        let unbuildable = |_| incomplete(resource, "an entry without key");
        let mut keys = Delete::builder().quiet(true);
        for object in page {
            let key = ObjectIdentifier::builder().key(&object.key).build();
            keys = keys.objects(key.map_err(unbuildable)?);
        }
        let output = self
            .connection
            .client()
            .delete_objects()
            .bucket(self.name.as_str())
            .delete(keys.build().map_err(unbuildable)?)
            .send()
            .await
            .map_err(|error| error_of(error, resource, Condition::None))?;
        match output.errors().first() {
            None => Ok(()),
            Some(error) => Err(Answer {
                status: 0,
                code: error.code().unwrap_or_default().to_owned(),
                message: error.message().unwrap_or_default().to_owned(),
                retry_after: None,
            }
            .into_error(resource, Condition::None)),
        }
    }

    /// Aborts every open multipart upload under `prefix`; returns how many there were. Only its
    /// leaseholder writes under a prefix, so none of them is in use.
    pub(crate) async fn abort_uploads(&self, prefix: &KeyPrefix) -> Result<u64, StorageError> {
        self.abort_listed_uploads(prefix.as_str(), |_| true).await
    }

    /// Aborts every open multipart upload to this very key; returns how many there were.
    pub(crate) async fn abort_uploads_to(&self, key: &ObjectKey) -> Result<u64, StorageError> {
        let same = |found: &ObjectKey| found == key;
        self.abort_listed_uploads(key.as_str(), same).await
    }

    async fn abort_listed_uploads(
        &self,
        prefix: &str,
        wanted: impl Fn(&ObjectKey) -> bool,
    ) -> Result<u64, StorageError> {
        let resource = self.resource();
        let mut marker = (None, None);
        let mut count = 0;
        for _ in 0..UPLOAD_PAGES_MAX {
            let output = self
                .connection
                .send(&resource, Limit::ANSWER, Condition::None, |client| {
                    client
                        .list_multipart_uploads()
                        .bucket(self.name.as_str())
                        .prefix(prefix)
                        .set_key_marker(marker.0.clone())
                        .set_upload_id_marker(marker.1.clone())
                        .send()
                })
                .await?;
            for upload in output.uploads() {
                let key = upload.key().and_then(|key| ObjectKey::new(key).ok());
                let (Some(key), Some(id)) = (key, upload.upload_id()) else {
                    return Err(incomplete(&resource, "an upload without key or id"));
                };
                if wanted(&key) {
                    self.abort_upload(&key, id).await?;
                    count += 1;
                }
            }
            if output.is_truncated() != Some(true) {
                return Ok(count);
            }
            let next = (
                output.next_key_marker().map(str::to_owned),
                output.next_upload_id_marker().map(str::to_owned),
            );
            if next == marker {
                break;
            }
            marker = next;
        }
        Err(incomplete(&resource, "an endless list of uploads"))
    }
}

/// The store's buckets whose names begin with `prefix`.
pub(crate) async fn buckets(
    connection: &Connection,
    prefix: &str,
) -> Result<Vec<BucketName>, StorageError> {
    let resource = connection.resource();
    let mut names = Vec::new();
    let mut token = None;
    for _ in 0..BUCKET_PAGES_MAX {
        let output = connection
            .send(&resource, Limit::ANSWER, Condition::None, |client| {
                client
                    .list_buckets()
                    .prefix(prefix)
                    .set_continuation_token(token.clone())
                    .send()
            })
            .await?;
        // A store may ignore the prefix. Names that are no bucket names of S3 are not ours.
        let ours = output
            .buckets()
            .iter()
            .filter_map(|bucket| bucket.name())
            .filter(|name| name.starts_with(prefix))
            .filter_map(|name| BucketName::new(name).ok());
        names.extend(ours);
        token = output.continuation_token().map(str::to_owned);
        if token.is_none() {
            return Ok(names);
        }
    }
    Err(incomplete(&resource, "a list of buckets without end"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_decoded_only_when_the_store_encoded_them() {
        let url = Some(&EncodingType::Url);
        let rows = [
            ("a+b%2Bc%20d.tar", url, "a b+c d.tar"),
            ("a+b%2Bc.tar", None, "a+b%2Bc.tar"),
            ("%C3%BC%00.tar", url, "ü\0.tar"),
            ("%FF.tar", url, "\u{fffd}.tar"),
        ];

        for (key, encoding, expected) in rows {
            assert_eq!(decoded(key, encoding), expected, "{key}");
        }
    }
}
