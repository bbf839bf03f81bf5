//! What a signature says that it is for, read out of the header or the query. Pure; whether the
//! signature is right is for `s3s` to find.

use http::header::AUTHORIZATION;
use http::{HeaderMap, Uri};
use percent_encoding::percent_decode_str;

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Scope {
    pub region: String,
    /// Seconds; of a presigned URL.
    pub expires: Option<u64>,
}

impl Scope {
    pub(super) fn of(headers: &HeaderMap, uri: &Uri) -> Option<Self> {
        let header = headers
            .get(AUTHORIZATION)
            .and_then(|value| value.to_str().ok());
        if let Some(credential) = header.and_then(|text| part(text, "Credential=")) {
            return Some(Self {
                region: region_of(credential)?,
                expires: None,
            });
        }
        let query = uri.query()?;
        let value = |name: &str| {
            let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
            let (_, value) = pairs.find(|(found, _)| *found == name)?;
            percent_decode_str(value).decode_utf8().ok()
        };
        Some(Self {
            region: region_of(&value("X-Amz-Credential")?)?,
            expires: value("X-Amz-Expires").and_then(|seconds| seconds.parse().ok()),
        })
    }
}

/// Whether the `Range` header is among those that the header signs.
pub(super) fn signs_range(authorization: &str) -> bool {
    part(authorization, "SignedHeaders=").is_some_and(|names| {
        names
            .split(';')
            .any(|name| name.eq_ignore_ascii_case("range"))
    })
}

fn part<'a>(authorization: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = authorization.split_once(name)?;
    Some(rest.split([',', ' ']).next().unwrap_or(rest))
}

/// `KEY/DATE/REGION/SERVICE/aws4_request`, where a key may hold slashes.
fn region_of(credential: &str) -> Option<String> {
    credential.rsplit('/').nth(2).map(str::to_owned)
}
