use std::sync::Arc;

use muniment_model::{BucketAddress, Class, Classify, Dependency, ObjectKey};

use super::*;

fn bucket() -> Arc<BucketAddress> {
    Arc::new(BucketAddress {
        endpoint: "127.0.0.1:9".to_owned(),
        bucket: "bucket".parse().expect("name"),
    })
}

fn object() -> Resource {
    Resource::Object(ObjectAddress {
        bucket: bucket(),
        key: ObjectKey::new("key").expect("key"),
    })
}

fn answer(status: u16, code: &str) -> Answer {
    Answer {
        status,
        code: code.to_owned(),
        message: "text nobody reads".to_owned(),
        retry_after: None,
    }
}

/// The variant's name, which is what the table below compares.
fn name_of(error: &StorageError) -> String {
    let text = format!("{error:?}");
    text.split([' ', '(']).next().unwrap_or_default().to_owned()
}

#[test]
fn every_answer_has_one_meaning() {
    use Condition::{IfMatch, IfNoneMatch, None};
    let rows = [
        (404, "NoSuchKey", None, "NotFound"),
        (404, "", None, "NotFound"),
        (404, "NoSuchBucket", None, "NoBucket"),
        (404, "NoSuchUpload", IfNoneMatch, "UploadGone"),
        (412, "PreconditionFailed", IfMatch, "Superseded"),
        (412, "", IfMatch, "Superseded"),
        (412, "PreconditionFailed", IfNoneMatch, "AlreadyThere"),
        (
            409,
            "ConditionalRequestConflict",
            IfNoneMatch,
            "AlreadyThere",
        ),
        (409, "ConditionalRequestConflict", IfMatch, "Interrupted"),
        (409, "OperationAborted", IfNoneMatch, "Interrupted"),
        (412, "PreconditionFailed", None, "Refused"),
        (403, "AccessDenied", None, "Denied"),
        (403, "", None, "Denied"),
        (403, "RequestTimeTooSkewed", None, "Denied"),
        (400, "ExpiredToken", None, "Denied"),
        (400, "", None, "Denied"),
        (400, "AuthorizationHeaderMalformed", None, "Denied"),
        (301, "PermanentRedirect", None, "Denied"),
        (503, "SlowDown", None, "Throttled"),
        (503, "", None, "Throttled"),
        (429, "", None, "Throttled"),
        (200, "SlowDown", None, "Throttled"),
        (500, "InternalError", None, "OutOfOrder"),
        (200, "InternalError", None, "OutOfOrder"),
        (502, "", None, "OutOfOrder"),
        (0, "InternalError", None, "OutOfOrder"),
        (507, "DiskFull", None, "DiskFull"),
        (507, "XMinioStorageFull", IfNoneMatch, "DiskFull"),
        (400, "BadDigest", None, "DamagedOnTheWay"),
        (400, "XAmzContentSHA256Mismatch", None, "DamagedOnTheWay"),
        (400, "RequestTimeout", None, "Interrupted"),
        (400, "IncompleteBody", None, "Interrupted"),
        (200, "", None, "Interrupted"),
        (400, "EntityTooLarge", None, "Refused"),
        (403, "InvalidObjectState", None, "Refused"),
        (416, "InvalidRange", None, "Refused"),
        (501, "NotImplemented", None, "Refused"),
        (501, "", None, "Refused"),
    ];

    for (status, code, condition, expected) in rows {
        let error = answer(status, code).into_error(&object(), condition);

        assert_eq!(name_of(&error), expected, "{status} {code} {condition:?}");
    }
}

#[test]
fn a_missing_bucket_is_never_a_missing_object() {
    let error = answer(404, "").into_error(&Resource::Bucket(bucket()), Condition::None);

    assert_eq!(name_of(&error), "NoBucket");
    assert_eq!(error.class(), Class::Outage(Dependency::Bucket(bucket())));
}

#[test]
fn a_stores_text_is_cut_and_cannot_forge_a_line() {
    let mut long = answer(400, "Strange");
    long.message = format!("a\r\nb{}", "x".repeat(10_000));

    let error = long.into_error(&object(), Condition::None);

    let text = error.to_string();
    assert!(text.contains("abx"), "{text}");
    assert!(text.len() < 400, "{}", text.len());
}

#[test]
fn a_store_that_is_away_never_counts_against_a_bag() {
    let outage = || Class::Outage(Dependency::Bucket(bucket()));
    let rows = [
        (503, "SlowDown", outage()),
        (500, "InternalError", outage()),
        (403, "AccessDenied", outage()),
        (400, "RequestTimeout", Class::Transient { after: None }),
        (400, "BadDigest", Class::Transient { after: None }),
        (400, "", outage()),
        (400, "EntityTooLarge", Class::Permanent),
        (404, "NoSuchKey", Class::Permanent),
    ];

    for (status, code, expected) in rows {
        let error = answer(status, code).into_error(&object(), Condition::None);

        assert_eq!(error.class(), expected, "{status} {code}");
    }
}
