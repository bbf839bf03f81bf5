//! Lists of keys, buckets and open uploads, a bounded page at a time, and bulk deletion.
//!
//! A list is a question and may be asked again. Keys are asked for in percent-encoding, because
//! a depositor's key may hold bytes that XML cannot.

use aws_sdk_s3::types::{Delete, EncodingType, ObjectIdentifier};
use chrono::{DateTime, Utc};
use muniment_model::{BucketName, KeyPrefix, ObjectKey};
use percent_encoding::percent_decode_str;

use crate::answer::{Answer, Condition, error_of};
use crate::bucket::{Bucket, incomplete, unquoted, utc};
use crate::connection::{Connection, Limit};
use crate::error::{Place, StorageError};

/// S3's own limit on a page of keys and on a bulk delete.
pub(crate) const PAGE_MAX: usize = 1_000;

/// S3's limit on the buckets of an account is 10,000, a page of them; no store we know has more.
const BUCKET_PAGES_MAX: usize = 100;

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
pub struct Listing {
    bucket: Bucket,
    prefix: String,
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
        Self {
            bucket,
            prefix: prefix.to_owned(),
            next: Next::First,
        }
    }

    /// The next 1,000 objects at most; `None` after the last page.
    pub async fn next_page(&mut self) -> Result<Option<Vec<Listed>>, StorageError> {
        let token = match &self.next {
            Next::First => None,
            Next::Token(token) => Some(token.as_str()),
            Next::End => return Ok(None),
        };
        let place = self.bucket.place();
        let (page, next) = self
            .bucket
            .connection
            .call(&place, Limit::ANSWER, || {
                page_once(&self.bucket, &self.prefix, token, &place)
            })
            .await?;
        self.next = next;
        Ok(Some(page))
    }
}

async fn page_once(
    bucket: &Bucket,
    prefix: &str,
    token: Option<&str>,
    place: &Place,
) -> Result<(Vec<Listed>, Next), StorageError> {
    let output = bucket
        .connection
        .client()
        .list_objects_v2()
        .bucket(bucket.name.as_str())
        .prefix(prefix)
        .encoding_type(EncodingType::Url)
        .set_continuation_token(token.map(str::to_owned))
        .send()
        .await
        .map_err(|error| error_of(error, place, Condition::None))?;
    let mut page = Vec::with_capacity(output.contents().len());
    for object in output.contents() {
        let size = object.size().and_then(|size| u64::try_from(size).ok());
        let last_modified = object.last_modified().and_then(utc);
        let (Some(key), Some(size), Some(last_modified)) = (object.key(), size, last_modified)
        else {
            return Err(incomplete(place, "an entry without key, size or date"));
        };
        page.push(Listed {
            key: decoded(key, output.encoding_type()),
            etag: unquoted(object.e_tag()),
            size,
            last_modified,
        });
    }
    let next = match (output.is_truncated(), output.next_continuation_token()) {
        (Some(true), Some(next)) => Next::Token(next.to_owned()),
        (Some(true), None) => return Err(incomplete(place, "a page without its successor")),
        (Some(false) | None, _) => Next::End,
    };
    Ok((page, next))
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
    /// Deletes everything under `prefix`; returns how many objects that were. Repeating it deletes
    /// what is left.
    pub(crate) async fn delete_all(&self, prefix: &KeyPrefix) -> Result<u64, StorageError> {
        let mut listing = Listing::new(self.clone(), prefix.as_str());
        let mut count = 0;
        while let Some(page) = listing.next_page().await? {
            count += page.len() as u64;
            self.delete_page(&page).await?;
        }
        Ok(count)
    }

    async fn delete_page(&self, page: &[Listed]) -> Result<(), StorageError> {
        if page.is_empty() {
            return Ok(());
        }
        debug_assert!(page.len() <= PAGE_MAX, "a page fits one bulk delete");
        let place = self.place();
        self.connection
            .call(&place, Limit::ANSWER, || self.delete_once(page, &place))
            .await
    }

    async fn delete_once(&self, page: &[Listed], place: &Place) -> Result<(), StorageError> {
        let unbuildable = |_| incomplete(place, "an entry without key");
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
            .map_err(|error| error_of(error, place, Condition::None))?;
        match output.errors().first() {
            None => Ok(()),
            Some(error) => Err(Answer {
                status: 0,
                code: error.code().unwrap_or_default().to_owned(),
                message: error.message().unwrap_or_default().to_owned(),
                retry_after: None,
            }
            .into_error(place, Condition::None)),
        }
    }

    /// Aborts every open multipart upload under `prefix`; returns how many there were. Only its
    /// leaseholder writes under a prefix, so none of them is in use.
    pub(crate) async fn abort_uploads(&self, prefix: &KeyPrefix) -> Result<u64, StorageError> {
        let place = self.place();
        let mut marker = (None, None);
        let mut count = 0;
        loop {
            let output = self
                .connection
                .call(&place, Limit::ANSWER, || async {
                    self.connection
                        .client()
                        .list_multipart_uploads()
                        .bucket(self.name.as_str())
                        .prefix(prefix.as_str())
                        .set_key_marker(marker.0.clone())
                        .set_upload_id_marker(marker.1.clone())
                        .send()
                        .await
                        .map_err(|error| error_of(error, &place, Condition::None))
                })
                .await?;
            for upload in output.uploads() {
                let key = upload.key().and_then(|key| ObjectKey::new(key).ok());
                let (Some(key), Some(id)) = (key, upload.upload_id()) else {
                    return Err(incomplete(&place, "an upload without key or id"));
                };
                self.abort_upload(&key, id).await?;
                count += 1;
            }
            if output.is_truncated() != Some(true) {
                return Ok(count);
            }
            let next = (
                output.next_key_marker().map(str::to_owned),
                output.next_upload_id_marker().map(str::to_owned),
            );
            if next == marker {
                return Err(incomplete(&place, "a list of uploads that stands still"));
            }
            marker = next;
        }
    }
}

/// The store's buckets whose names begin with `prefix`.
pub(crate) async fn buckets(
    connection: &Connection,
    prefix: &str,
) -> Result<Vec<BucketName>, StorageError> {
    let place = connection.place();
    let mut names = Vec::new();
    let mut token = None;
    for _ in 0..BUCKET_PAGES_MAX {
        let output = connection
            .call(&place, Limit::ANSWER, || async {
                connection
                    .client()
                    .list_buckets()
                    .prefix(prefix)
                    .set_continuation_token(token.clone())
                    .send()
                    .await
                    .map_err(|error| error_of(error, &place, Condition::None))
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
    Err(incomplete(&place, "a list of buckets without end"))
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
