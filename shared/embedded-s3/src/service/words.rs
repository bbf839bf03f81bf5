//! Between the words of S3 requests and answers and those of the store.

use std::time::{Duration, UNIX_EPOCH};

use http::HeaderMap;
use s3s::dto::{self, ETagCondition, Timestamp, TimestampFormat};

use super::errors::RequestError;
use crate::checksums::{Algorithm, Checksum};
use crate::multipart::{Content, Promise};
use crate::store::rows::About;

/// What an object without a type is.
pub(super) const DEFAULT_TYPE: &str = "binary/octet-stream";
/// The class that is meant when none is named; not said in answers about objects.
const DEFAULT_CLASS: &str = dto::StorageClass::STANDARD;
const CLASSES: [&str; 8] = [
    dto::StorageClass::DEEP_ARCHIVE,
    dto::StorageClass::GLACIER,
    dto::StorageClass::GLACIER_IR,
    dto::StorageClass::INTELLIGENT_TIERING,
    dto::StorageClass::ONEZONE_IA,
    dto::StorageClass::REDUCED_REDUNDANCY,
    dto::StorageClass::STANDARD,
    dto::StorageClass::STANDARD_IA,
];

pub(super) fn timestamp(micros: i64) -> Timestamp {
    let since = Duration::from_micros(u64::try_from(micros).unwrap_or(0));
    Timestamp::from(UNIX_EPOCH + since)
}

/// As `Last-Modified` shows it, and as dates in conditions are meant.
pub(super) fn whole_seconds(micros: i64) -> Timestamp {
    timestamp(micros - micros.rem_euclid(1_000_000))
}

/// How long the body is once its transfer framing is taken off.
pub(super) fn body_length(headers: &HeaderMap) -> Result<u64, RequestError> {
    let number = |name: &str| -> Option<u64> { headers.get(name)?.to_str().ok()?.parse().ok() };
    number("x-amz-decoded-content-length")
        .or_else(|| number("content-length"))
        .ok_or(RequestError::NoLength)
}

/// Whether the signature covers a sha256 of the whole body, which `s3s` then compares.
pub(super) fn signs_whole_body(headers: &HeaderMap) -> bool {
    headers
        .get("x-amz-content-sha256")
        .is_some_and(|value| value.len() == 64)
}

/// A condition on the target of a copy, which `s3s` does not parse.
pub(super) fn condition(
    headers: &HeaderMap,
    name: &str,
) -> Result<Option<ETagCondition>, RequestError> {
    headers
        .get(name)
        .map(|value| ETagCondition::parse_http_header(value.as_bytes()))
        .transpose()
        .map_err(|_malformed| RequestError::Unsupported("a condition that is not an entity tag"))
}

pub(super) fn storage_class(
    class: Option<&dto::StorageClass>,
) -> Result<Option<String>, RequestError> {
    let Some(class) = class.map(dto::StorageClass::as_str) else {
        return Ok(None);
    };
    if !CLASSES.contains(&class) {
        return Err(RequestError::StorageClass);
    }
    Ok((class != DEFAULT_CLASS).then(|| class.to_owned()))
}

/// As listings say it: always there.
pub(super) fn listed_class(class: Option<String>) -> String {
    class.unwrap_or_else(|| DEFAULT_CLASS.to_owned())
}

pub(super) fn algorithm(
    algorithm: Option<&dto::ChecksumAlgorithm>,
) -> Result<Option<Algorithm>, RequestError> {
    algorithm
        .map(|algorithm| Algorithm::named(algorithm.as_str()).ok_or(RequestError::Checksum))
        .transpose()
}

/// `aws-chunked` says how the body travelled, not what the object is.
pub(super) fn content_encoding(value: Option<&str>) -> Option<String> {
    let kept: Vec<&str> = value?
        .split(',')
        .map(str::trim)
        .filter(|encoding| !encoding.eq_ignore_ascii_case("aws-chunked") && !encoding.is_empty())
        .collect();
    (!kept.is_empty()).then(|| kept.join(","))
}

pub(super) fn http_date(at: &Timestamp) -> Option<String> {
    let mut text = Vec::new();
    at.format(TimestampFormat::HttpDate, &mut text).ok()?;
    String::from_utf8(text).ok()
}

pub(super) fn expires_of(about: &About) -> Option<Timestamp> {
    Timestamp::parse(TimestampFormat::HttpDate, about.expires.as_deref()?).ok()
}

/// What a PUT, a replacing copy and a new upload say about the object, by the same field names.
macro_rules! about_of {
    ($input:expr) => {{
        let metadata: std::collections::BTreeMap<String, String> = $input
            .metadata
            .clone()
            .unwrap_or_default()
            .into_iter()
            .collect();
        $crate::limits::check_metadata(&metadata)?;
        $crate::store::rows::About {
            content_type: $input.content_type.clone(),
            cache_control: $input.cache_control.clone(),
            content_disposition: $input.content_disposition.clone(),
            content_encoding: $crate::service::words::content_encoding(
                $input.content_encoding.as_deref(),
            ),
            content_language: $input.content_language.clone(),
            expires: $input
                .expires
                .as_ref()
                .and_then($crate::service::words::http_date),
            metadata,
            tags: $crate::tags::tags_in($input.tagging.as_deref())?,
            storage_class: $crate::service::words::storage_class($input.storage_class.as_ref())?,
        }
    }};
}
pub(super) use about_of;

/// Puts the `ETag` and the checksums of a content into an answer; all answers have the same fields.
macro_rules! with_digests {
    ($output:expr, $content:expr) => {{
        let content: &$crate::multipart::Content = $content;
        $output.e_tag = Some(s3s::dto::ETag::Strong(content.etag.clone()));
        $crate::service::words::with_checksums!($output, content);
    }};
}
pub(super) use with_digests;

/// The checksums alone.
macro_rules! with_checksums {
    ($output:expr, $content:expr) => {{
        use $crate::checksums::Algorithm;
        let content: &$crate::multipart::Content = $content;
        let value = |algorithm| Some(content.checksum_by(algorithm)?.value);
        $output.checksum_crc32 = value(Algorithm::Crc32);
        $output.checksum_crc32c = value(Algorithm::Crc32c);
        $output.checksum_crc64nvme = value(Algorithm::Crc64Nvme);
        $output.checksum_sha1 = value(Algorithm::Sha1);
        $output.checksum_sha256 = value(Algorithm::Sha256);
    }};
}
pub(super) use with_checksums;

/// The checksums named in a request, from its five fields.
macro_rules! checksums_named {
    ($input:expr) => {
        [
            (Algorithm::Crc32, &$input.checksum_crc32),
            (Algorithm::Crc32c, &$input.checksum_crc32c),
            (Algorithm::Crc64Nvme, &$input.checksum_crc64nvme),
            (Algorithm::Sha1, &$input.checksum_sha1),
            (Algorithm::Sha256, &$input.checksum_sha256),
        ]
        .into_iter()
        .filter_map(|(algorithm, value)| {
            let value = value.clone()?;
            Some(Checksum { algorithm, value })
        })
        .collect::<Vec<Checksum>>()
    };
}
pub(super) use checksums_named;

/// What an upload promised, as answers say it.
pub(super) fn promised(
    promise: Promise,
) -> (Option<dto::ChecksumAlgorithm>, Option<dto::ChecksumType>) {
    let algorithm = promise.algorithm().map(Algorithm::name);
    (
        algorithm.map(dto::ChecksumAlgorithm::from_static),
        promise.checksum_type().map(dto::ChecksumType::from_static),
    )
}

/// Composite when the checksum that was asked for is; the crc64nvme is of the full object always.
pub(super) fn checksum_type(content: &Content) -> dto::ChecksumType {
    let checksum = content.checksum.as_ref();
    dto::ChecksumType::from_static(if checksum.is_some_and(Checksum::is_composite) {
        dto::ChecksumType::COMPOSITE
    } else {
        dto::ChecksumType::FULL_OBJECT
    })
}
