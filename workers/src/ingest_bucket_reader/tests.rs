use super::*;

fn listed(key: &str) -> Listed {
    Listed {
        key: key.to_owned(),
        etag: "0123456789abcdef0123456789abcdef".to_owned(),
        size: 2_048,
        last_modified: DateTime::UNIX_EPOCH,
    }
}

fn bucket() -> BucketName {
    BucketName::new("receiving.test.edu").expect("a bucket name")
}

#[test]
fn what_is_no_bag_is_refused_with_a_reason() {
    let rows = [
        ("photos.tar", None),
        (
            "photos.zip",
            Some("The upload is no bag: the name of a bag ends in .tar"),
        ),
        (
            "2026/photos.tar",
            Some("The upload is in a folder; put bags at the top of the bucket"),
        ),
        (
            "pho\ntos.tar",
            Some("The bag's name contains one or more illegal control characters"),
        ),
        (
            "photos\u{3000}.tar",
            Some("The bag's name begins or ends with a blank"),
        ),
    ];

    for (key, expected) in rows {
        assert_eq!(refusal_of(key).as_deref(), expected, "{key}");
    }
}

#[test]
fn a_refused_upload_is_an_item_that_has_failed() {
    let item = new_item(
        &bucket(),
        &listed("photos.zip"),
        InstitutionId(3),
        refusal_of("photos.zip").as_deref(),
        DateTime::UNIX_EPOCH,
    );

    assert_eq!(item.status, Status::Failed);
    assert!(!item.retry);
    assert_eq!(item.queued_at, None);
}

#[test]
fn an_upload_becomes_an_item_in_the_words_of_the_contract() {
    let item = new_item(
        &bucket(),
        &listed("photos.tar"),
        InstitutionId(3),
        None,
        DateTime::UNIX_EPOCH,
    );

    assert_eq!(item.note, "Bag is in receiving bucket");
    assert_eq!(item.outcome, "Item is pending ingest");
    assert_eq!((item.stage, item.status), (Stage::Receive, Status::Pending));
    assert!(item.retry);
}

#[test]
fn the_same_bytes_put_again_are_not_known() {
    let known = Known::default();
    let again = Listed {
        last_modified: DateTime::UNIX_EPOCH + chrono::TimeDelta::seconds(1),
        ..listed("photos.tar")
    };

    known.add(&bucket(), &listed("photos.tar"));

    assert!(known.holds(&bucket(), &listed("photos.tar")));
    assert!(!known.holds(&bucket(), &again));
}

/// An older version comes to light when the newer one is ingested and deleted, a moment before the item
/// of the newer one has ended.
#[test]
fn an_upload_that_was_replaced_is_passed_over_unless_what_replaced_it_came_to_nothing() {
    let newer = |status| item_of(1, status);
    let rows = [
        ("none", vec![], Place::Current),
        ("its own", vec![item_of(0, Status::Success)], Place::Current),
        ("older", vec![item_of(-1, Status::Success)], Place::Current),
        ("ingested", vec![newer(Status::Success)], Place::Replaced),
        ("pending", vec![newer(Status::Pending)], Place::Undecided),
        ("started", vec![newer(Status::Started)], Place::Undecided),
        (
            "suspended",
            vec![newer(Status::Suspended)],
            Place::Undecided,
        ),
        ("failed", vec![newer(Status::Failed)], Place::Current),
        ("cancelled", vec![newer(Status::Cancelled)], Place::Current),
        (
            "ingested, then another",
            vec![item_of(2, Status::Started), newer(Status::Success)],
            Place::Replaced,
        ),
        (
            "one that failed after one that is open",
            vec![item_of(2, Status::Failed), newer(Status::Started)],
            Place::Undecided,
        ),
    ];

    for (name, items, expected) in rows {
        let place = place_among(&items, &listed("photos.tar"));
        assert_eq!(place, expected, "{name}");
    }
}

/// The item of an upload so many seconds after the one that is listed.
fn item_of(seconds: i64, status: Status) -> WorkItem {
    let upload = Listed {
        last_modified: DateTime::UNIX_EPOCH + chrono::TimeDelta::seconds(seconds),
        ..listed("photos.tar")
    };
    let institution = InstitutionId(3);
    WorkItem {
        status,
        ..new_item(&bucket(), &upload, institution, None, DateTime::UNIX_EPOCH)
    }
}
