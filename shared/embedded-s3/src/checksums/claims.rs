//! What a request says about its body, and whether the bytes that arrived agree.
//!
//! `s3s` hands these headers over unchecked. Everything here is decided before a row is written, so
//! a body that disagrees leaves nothing behind.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::{HeaderMap, HeaderValue};

use super::{Algorithm, Checksum, Digests};

/// What the headers of a request claim.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Claims {
    md5: Option<[u8; 16]>,
    checksum: Option<Claim>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Claim {
    Value(Checksum),
    /// The value follows the body.
    Trailer(Algorithm),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ClaimFault {
    #[error("the Content-MD5 is not the base64 of 16 bytes")]
    MalformedMd5,
    #[error("the value of {} is not a checksum of that kind", .0.header())]
    MalformedChecksum(Algorithm),
    #[error("a request carries at most one x-amz-checksum header")]
    SeveralChecksums,
    #[error("an algorithm is named, but neither a header nor a trailer carries its value")]
    NoValue,
    #[error("the trailer names an algorithm that is not one we know")]
    UnknownAlgorithm,
    #[error("the trailer {} did not follow the body", .0.header())]
    TrailerMissing(Algorithm),
    #[error("the Content-MD5 does not match the body")]
    WrongMd5,
    #[error("{} does not match the body", .0.header())]
    WrongChecksum(Algorithm),
}

impl Claims {
    pub(crate) fn of(headers: &HeaderMap) -> Result<Self, ClaimFault> {
        let md5 = headers.get("content-md5").map(parse_md5).transpose()?;
        let mut values = Vec::new();
        for algorithm in Algorithm::ALL {
            values.extend(value_of(headers, algorithm)?);
        }
        let trailer = trailer_in(headers)?;
        let checksum = match (values.as_slice(), trailer) {
            ([], None) => None,
            ([], Some(algorithm)) => Some(Claim::Trailer(algorithm)),
            ([one], None) => Some(Claim::Value(one.clone())),
            ([_, ..], _) => return Err(ClaimFault::SeveralChecksums),
        };
        if checksum.is_none() && headers.contains_key("x-amz-sdk-checksum-algorithm") {
            return Err(ClaimFault::NoValue);
        }
        Ok(Self { md5, checksum })
    }

    /// The algorithm to compute beside md5 and crc64nvme.
    pub(crate) fn algorithm(&self) -> Option<Algorithm> {
        match &self.checksum {
            Some(Claim::Value(checksum)) => Some(checksum.algorithm),
            Some(Claim::Trailer(algorithm)) => Some(*algorithm),
            None => None,
        }
    }

    /// Whether the body is what it was said to be. `trailers` are those that followed it.
    pub(crate) fn check(
        &self,
        digests: &Digests,
        trailers: Option<&HeaderMap>,
    ) -> Result<(), ClaimFault> {
        if self.md5.is_some() && self.md5 != digests.md5 {
            return Err(ClaimFault::WrongMd5);
        }
        let claimed = match &self.checksum {
            None => return Ok(()),
            Some(Claim::Value(checksum)) => checksum.clone(),
            Some(Claim::Trailer(algorithm)) => trailers
                .and_then(|trailers| value_of(trailers, *algorithm).transpose())
                .ok_or(ClaimFault::TrailerMissing(*algorithm))??,
        };
        let extra = digests.extra.as_ref();
        let computed = Checksum::among(claimed.algorithm, digests.crc64nvme, extra);
        if computed.as_ref() == Some(&claimed) {
            Ok(())
        } else {
            Err(ClaimFault::WrongChecksum(claimed.algorithm))
        }
    }
}

/// The `x-amz-checksum-*` value of that algorithm, if it is there; well-formed.
fn value_of(headers: &HeaderMap, algorithm: Algorithm) -> Result<Option<Checksum>, ClaimFault> {
    let Some(value) = headers.get(algorithm.header()) else {
        return Ok(None);
    };
    let checksum = Checksum {
        algorithm,
        value: String::from_utf8_lossy(value.as_bytes()).trim().to_owned(),
    };
    if checksum.bytes().is_none() {
        return Err(ClaimFault::MalformedChecksum(algorithm));
    }
    Ok(Some(checksum))
}

fn trailer_in(headers: &HeaderMap) -> Result<Option<Algorithm>, ClaimFault> {
    let Some(names) = headers.get("x-amz-trailer") else {
        return Ok(None);
    };
    let names = String::from_utf8_lossy(names.as_bytes()).to_ascii_lowercase();
    let mut names = names.split(',').map(str::trim);
    let Some(name) = names.find(|name| name.starts_with("x-amz-checksum-")) else {
        return Ok(None);
    };
    Algorithm::ALL
        .into_iter()
        .find(|algorithm| algorithm.header() == name)
        .map(Some)
        .ok_or(ClaimFault::UnknownAlgorithm)
}

fn parse_md5(value: &HeaderValue) -> Result<[u8; 16], ClaimFault> {
    BASE64
        .decode(value)
        .ok()
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or(ClaimFault::MalformedMd5)
}

#[cfg(test)]
mod tests {
    use super::super::Hashing;
    use super::*;

    const MD5: &str = "JfnnlDI7RTiF9RgfG2JNCw==";
    const CRC32: &str = "y/Q5Jg==";
    const CRC64: &str = "rosUhgp5mIg=";
    const OTHER_CRC32: &str = "AAAAAA==";

    type Headers = [(&'static str, &'static str)];

    #[test]
    fn claims_in_headers_follow_the_table() {
        let rows: [(&str, &Headers, _); 9] = [
            ("nothing claimed", &[], Ok(())),
            ("right md5", &[("content-md5", MD5)], Ok(())),
            (
                "wrong md5",
                &[("content-md5", "AAAAAAAAAAAAAAAAAAAAAA==")],
                Err(ClaimFault::WrongMd5),
            ),
            (
                "no md5 at all",
                &[("content-md5", "AAAA")],
                Err(ClaimFault::MalformedMd5),
            ),
            ("right crc32", &[("x-amz-checksum-crc32", CRC32)], Ok(())),
            (
                "wrong crc32",
                &[("x-amz-checksum-crc32", OTHER_CRC32)],
                Err(ClaimFault::WrongChecksum(Algorithm::Crc32)),
            ),
            (
                "no crc32 at all",
                &[("x-amz-checksum-crc32", CRC64)],
                Err(ClaimFault::MalformedChecksum(Algorithm::Crc32)),
            ),
            (
                "two checksums",
                &[
                    ("x-amz-checksum-crc32", CRC32),
                    ("x-amz-checksum-crc64nvme", CRC64),
                ],
                Err(ClaimFault::SeveralChecksums),
            ),
            (
                "an algorithm without a value",
                &[("x-amz-sdk-checksum-algorithm", "CRC32")],
                Err(ClaimFault::NoValue),
            ),
        ];

        for (name, headers, expected) in rows {
            assert_eq!(verdict(headers, &[]), expected, "{name}");
        }
    }

    #[test]
    fn claims_in_trailers_follow_the_table() {
        const ANNOUNCED: &Headers = &[("x-amz-trailer", "x-amz-checksum-crc32")];
        let rows: [(&str, &Headers, &Headers, _); 4] = [
            (
                "right",
                ANNOUNCED,
                &[("x-amz-checksum-crc32", CRC32)],
                Ok(()),
            ),
            (
                "wrong",
                ANNOUNCED,
                &[("x-amz-checksum-crc32", OTHER_CRC32)],
                Err(ClaimFault::WrongChecksum(Algorithm::Crc32)),
            ),
            (
                "cut off",
                ANNOUNCED,
                &[],
                Err(ClaimFault::TrailerMissing(Algorithm::Crc32)),
            ),
            (
                "unknown",
                &[("x-amz-trailer", "x-amz-checksum-crc7")],
                &[],
                Err(ClaimFault::UnknownAlgorithm),
            ),
        ];

        for (name, headers, trailers, expected) in rows {
            assert_eq!(verdict(headers, trailers), expected, "{name}");
        }
    }

    /// What is said about the body "123456789".
    fn verdict(headers: &Headers, trailers: &Headers) -> Result<(), ClaimFault> {
        let claims = Claims::of(&map(headers))?;
        let mut hashing = Hashing::for_body(claims.algorithm());
        hashing.update(b"123456789");
        claims.check(&hashing.finish(), Some(&map(trailers)))
    }

    fn map(pairs: &Headers) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value)))
            .collect()
    }
}
