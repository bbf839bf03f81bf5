//! A body signed chunk by chunk ends in a chunk of no bytes, whose signature closes the chain.
//!
//! `s3s` takes the end of the body for the end of the chunks. So the raw bytes are watched as they
//! pass, and a body without the last chunk ends in an error.

use std::io;

use bytes::Bytes;
use futures::{StreamExt as _, stream};
use http::HeaderMap;
use s3s::Body;
use s3s::dto::StreamingBlob;

/// How such a body says what it is. One with a trailer cannot be without its last chunk: the trailer
/// follows it and is asked for by name.
const SIGNED_CHUNKS: &str = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD";
const LAST_BEGINS: &[u8] = b"0;chunk-signature=";
const SIGNATURE_BYTES: usize = 64;
/// `LAST_BEGINS`, signature, and two line ends, the last of which some clients leave out.
const TAIL_BYTES: usize = LAST_BEGINS.len() + SIGNATURE_BYTES + 4;

/// The body, which ends in an error where its last chunk is missing.
pub(super) fn to_the_last(headers: &HeaderMap, body: Body) -> Body {
    let kind = headers.get("x-amz-content-sha256");
    if kind.is_none_or(|kind| kind.as_bytes() != SIGNED_CHUNKS.as_bytes()) {
        return body;
    }
    let begun = (StreamingBlob::from(body), Some(Vec::new()));
    let watched = stream::unfold(begun, |(mut raw, tail)| async move {
        let mut tail = tail?;
        match raw.next().await {
            Some(Ok(bytes)) => {
                keep_tail(&mut tail, &bytes);
                Some((Ok(bytes), (raw, Some(tail))))
            }
            Some(Err(error)) => Some((Err(io::Error::other(error)), (raw, None))),
            None if ends_in_last(&tail) => None,
            None => Some((Err(missing()), (raw, None))),
        }
    });
    Body::from(StreamingBlob::wrap(watched))
}

fn missing() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the last chunk is missing")
}

fn keep_tail(tail: &mut Vec<u8>, bytes: &Bytes) {
    let newest = bytes.len().saturating_sub(TAIL_BYTES);
    tail.extend_from_slice(bytes.get(newest..).unwrap_or_default());
    let excess = tail.len().saturating_sub(TAIL_BYTES);
    tail.drain(..excess);
}

fn ends_in_last(tail: &[u8]) -> bool {
    let chunk = tail.strip_suffix(b"\r\n").unwrap_or(tail);
    let chunk = chunk.strip_suffix(b"\r\n").unwrap_or(chunk);
    let begins = chunk.len().checked_sub(LAST_BEGINS.len() + SIGNATURE_BYTES);
    begins
        .and_then(|begins| chunk.get(begins..))
        .is_some_and(|chunk| chunk.starts_with(LAST_BEGINS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_body_without_its_last_chunk_ends_in_an_error() {
        let signed = http::HeaderValue::from_static(SIGNED_CHUNKS);
        let headers = HeaderMap::from_iter([(
            http::HeaderName::from_static("x-amz-content-sha256"),
            signed,
        )]);
        let last = format!("data\r\n0;chunk-signature={}\r\n\r\n", "a".repeat(64));

        for (body, whole) in [(last, true), ("data\r\n".to_owned(), false)] {
            let watched = to_the_last(&headers, Body::from(body));
            let frames: Vec<_> = StreamingBlob::from(watched).collect().await;
            assert_eq!(frames.iter().all(Result::is_ok), whole);
        }
    }

    #[test]
    fn only_a_body_with_its_last_chunk_ends_well() {
        let last = format!("0;chunk-signature={}", "a".repeat(SIGNATURE_BYTES));
        let rows = [
            (
                "with both line ends",
                format!("data\r\n{last}\r\n\r\n"),
                true,
            ),
            ("with one", format!("data\r\n{last}\r\n"), true),
            ("nothing else", format!("{last}\r\n\r\n"), true),
            ("none", "data\r\n".to_owned(), false),
            (
                "cut",
                format!("data\r\n{}", last.trim_end_matches('a')),
                false,
            ),
            ("empty", String::new(), false),
        ];

        for (name, body, expected) in rows {
            for step in [1, 7, body.len().max(1)] {
                let mut tail = Vec::new();
                for bytes in body.as_bytes().chunks(step) {
                    keep_tail(&mut tail, &Bytes::copy_from_slice(bytes));
                }
                assert_eq!(ends_in_last(&tail), expected, "{name} by {step}");
            }
        }
    }
}
