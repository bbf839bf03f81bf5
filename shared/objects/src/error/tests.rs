use super::*;

fn object() -> ObjectAddress {
    ObjectAddress {
        bucket: BucketAddress {
            endpoint: "127.0.0.1:9".to_owned(),
            bucket: "bucket".parse().expect("name"),
        }
        .into(),
        key: ObjectKey::new("key").expect("key"),
    }
}

fn resource() -> Resource {
    Resource::Object(object())
}

fn cause() -> Cause {
    "cause".into()
}

fn interrupted() -> StorageError {
    StorageError::Interrupted {
        resource: resource(),
        source: cause(),
    }
}

fn reset() -> StorageError {
    StorageError::Reset {
        resource: resource(),
        source: cause(),
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn each_error_has_its_class_its_retry_and_its_word_on_load() {
    use Class::Permanent;
    use Outcome::{Neither, PushedBack};
    use StorageError as E;
    let bucket = || Class::Outage(Dependency::Bucket(object().bucket));
    let endpoint = || Class::Outage(Dependency::Endpoint("127.0.0.1:9".to_owned()));
    let transient = || Class::Transient { after: None };
    let soon = Again::Soon { after: None };
    let never = Again::Never;
    let after = Some(Duration::from_secs(3));
    let asked_for = Again::Soon { after };
    let throttled = |retry_after| E::Throttled {
        resource: resource(),
        retry_after,
    };
    let unreachable = E::Unreachable {
        resource: resource(),
        source: cause(),
    };
    let silent = E::Silent {
        resource: resource(),
        source: cause(),
    };
    let out_of_order = E::OutOfOrder {
        resource: resource(),
        code: "500".to_owned(),
    };
    let disk_full = E::DiskFull {
        resource: resource(),
    };
    let denied = E::Denied {
        resource: resource(),
        code: "403".to_owned(),
    };
    let not_configured = E::NotConfigured {
        target: StorageTarget::StandardVa,
    };
    let wrong_size = E::WrongSize {
        object: object(),
        expected: 1,
        found: 2,
    };
    let too_large = E::TooLarge {
        object: object(),
        size_max: 1,
    };
    let refused = E::Refused {
        resource: resource(),
        code: "400".to_owned(),
        message: String::new(),
    };
    let rows = [
        (throttled(None), bucket(), soon, PushedBack),
        (throttled(after), bucket(), asked_for, PushedBack),
        (out_of_order, bucket(), soon, PushedBack),
        (unreachable, endpoint(), soon, Neither),
        (silent, bucket(), soon, Neither),
        (interrupted(), transient(), soon, Neither),
        (reset(), transient(), soon, Neither),
        (denied, bucket(), never, Neither),
        (disk_full, endpoint(), never, Neither),
        (E::NoBucket(object().bucket), bucket(), never, Neither),
        (E::DamagedOnTheWay(object()), transient(), never, Neither),
        (E::UploadGone(object()), transient(), never, Neither),
        (E::Stopped, transient(), never, Neither),
        (E::NotFound(object()), Permanent, never, Neither),
        (not_configured, Permanent, never, Neither),
        (E::Superseded(object()), Permanent, never, Neither),
        (E::AlreadyThere(object()), Permanent, never, Neither),
        (E::Unconfirmed(object()), Permanent, never, Neither),
        (wrong_size, Permanent, never, Neither),
        (too_large, Permanent, never, Neither),
        (refused, Permanent, never, Neither),
    ];

    for (error, class, again, load) in rows {
        let asked = (error.class(), error.again(), error.load());

        assert_eq!(asked, (class, again, load), "{error:?}");
    }
}

#[test]
fn what_was_refused_is_told_by_the_code() {
    let rows = [
        ("InvalidAccessKeyId", Denial::Keys),
        ("SignatureDoesNotMatch", Denial::Keys),
        ("401", Denial::Keys),
        ("AuthorizationHeaderMalformed", Denial::Region),
        ("301", Denial::Region),
        ("RequestTimeTooSkewed", Denial::Clock),
        ("AccessDenied", Denial::Rights),
        ("403", Denial::Rights),
    ];

    for (code, expected) in rows {
        let denied = StorageError::Denied {
            resource: resource(),
            code: code.to_owned(),
        };

        assert_eq!(denied.denial(), Some(expected), "{code}");
    }
    assert_eq!(interrupted().denial(), None);
}
