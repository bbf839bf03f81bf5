use http::HeaderValue;

use super::*;

const SIGNED: &str = "AWS4-HMAC-SHA256 Credential=KEY/20260101/us-west-2/s3/aws4_request, \
                      SignedHeaders=host;range, Signature=aa";

#[test]
fn a_signature_says_what_it_is_for() {
    let query = "/b/k?X-Amz-Expires=60&X-Amz-Credential=A%2F20260101%2FUS%2Fs3%2Faws4_request";
    let rows = [
        (Some(SIGNED), "/b", Some(("us-west-2", None))),
        (None, query, Some(("US", Some(60)))),
        (None, "/b", None),
        (Some("Basic abc"), "/b", None),
    ];

    for (header, uri, expected) in rows {
        let mut headers = HeaderMap::new();
        headers.extend(header.map(|value| (AUTHORIZATION, HeaderValue::from_static(value))));
        let scope = Scope::of(&headers, &Uri::from_static(uri));
        let expected = expected.map(|(region, expires)| Scope {
            region: region.to_owned(),
            expires,
        });
        assert_eq!(scope, expected, "{uri}");
    }
}

#[test]
fn a_range_that_cannot_be_read_is_ignored_unless_it_is_signed() {
    let rows = [
        ("bytes=0-1", None, true),
        ("bytes=5-1", None, false),
        ("bytes=0-1,3-4", None, false),
        ("lines=1-2", None, false),
        ("lines=1-2", Some(SIGNED), true),
    ];

    for (range, header, stays) in rows {
        let mut headers = HeaderMap::from_iter([(RANGE, HeaderValue::from_static(range))]);
        headers.extend(header.map(|value| (AUTHORIZATION, HeaderValue::from_static(value))));
        ignore_bad_range(&Method::GET, &mut headers);
        assert_eq!(headers.contains_key(RANGE), stays, "{range}");
    }
}
