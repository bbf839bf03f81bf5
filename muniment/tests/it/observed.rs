//! The observer itself: what is not as expected is found, and named.

use std::time::Duration;

use muniment_bag_builder::BagBuilder;
use muniment_model::StorageOption;
use muniment_observer::{Expected, ObserverError, Subject, TarListing};

use crate::checks::{ENDING_WITHIN, deposit};
use crate::site::{Site, TEST_EDU};

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_is_not_what_was_deposited_is_said_to_differ() {
    let site = Site::start().await;
    let bag = |letter: &str| BagBuilder::aptrust("bag").file("data/letter.txt", letter);
    let upload = deposit(&site.view, TEST_EDU, "bag.tar", &bag("as it was").to_tar()).await;
    let other = bag("as it never was")
        .file("data/lost.txt", "lost")
        .to_tar();
    let expected = Expected {
        object: "test.edu/bag".to_owned(),
        option: StorageOption::GlacierOh,
        tar: TarListing::read(other.as_slice()).expect("a tar"),
    };

    let found = site
        .view
        .check_preserved(&upload, &expected, ENDING_WITHIN)
        .await
        .expect("can be looked at");

    let has = |subject: &Subject, what| {
        let mut list = found.list().iter();
        list.any(|one| one.subject == *subject && one.what == what)
    };
    let letter = Subject::File("data/letter.txt".to_owned());
    let lost = Subject::File("data/lost.txt".to_owned());
    for (subject, what) in [
        (&Subject::Object, "storage_option"),
        (&Subject::Object, "file_count"),
        (&letter, "size"),
        (&letter, "sha512"),
        (&letter, "buckets of the copies"),
        (&lost, "identifier"),
        (&Subject::DepositRecord, "files"),
    ] {
        assert!(has(subject, what), "{subject} {what}:\n{found}");
    }
    assert!(!has(&Subject::WorkItem, "status"), "{found}");
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_for_an_upload_that_is_never_seen_ends_with_the_limit() {
    let site = Site::start().await;
    let restore = &site.system.instance().institutions[0].restore_bucket;
    let upload = site.view.upload(restore, "bag.tar", Vec::new()).await;

    let ended = site
        .view
        .wait_for_ending(&upload.expect("uploads"), Duration::from_millis(300))
        .await;

    assert!(
        matches!(&ended, Err(ObserverError::NotEnded { .. })),
        "{ended:?}"
    );
    site.stop().await;
}
