//! What the observer finds, as assertions.

use std::time::Duration;

use muniment_bag_builder::BagBuilder;
use muniment_model::StorageOption;
use muniment_observer::{Expected, Observer, TarListing, Upload};
use serde_json::Value;

/// A bag that has not ended by then never does. Ingests take seconds on an idle machine; one that is busy
/// with builds takes a hundred times as long.
pub(crate) const ENDING_WITHIN: Duration = Duration::from_mins(10);

/// A valid bag that was uploaded, and what it has to become.
pub(crate) struct Deposited {
    pub(crate) upload: Upload,
    pub(crate) expected: Expected,
}

pub(crate) async fn deposit(view: &Observer, institution: &str, key: &str, tar: &[u8]) -> Upload {
    view.deposit(institution, key, tar.to_vec())
        .await
        .expect("uploads")
}

pub(crate) async fn deposit_bag(
    view: &Observer,
    institution: &str,
    bag: &BagBuilder,
    option: StorageOption,
) -> Deposited {
    let tar = bag.to_tar();
    Deposited {
        upload: deposit(view, institution, &bag.key(), &tar).await,
        expected: Expected {
            object: format!("{institution}/{}", bag.name()),
            option,
            tar: TarListing::read(tar.as_slice()).expect("a tar"),
        },
    }
}

/// The work item of an upload, once it has ended.
pub(crate) async fn ending_of(view: &Observer, upload: &Upload) -> Value {
    view.wait_for_ending(upload, ENDING_WITHIN)
        .await
        .expect("ends")
}

/// Asserts everything that an accepted bag leaves behind.
pub(crate) async fn assert_preserved(view: &Observer, bag: &Deposited) {
    let differences = view
        .check_preserved(&bag.upload, &bag.expected, ENDING_WITHIN)
        .await
        .expect("can be looked at");
    assert!(differences.is_empty(), "{}:\n{differences}", bag.upload.key);
}

/// Asserts that a refused bag left nothing but its item and its tar, where it was the only kind of bag.
pub(crate) async fn assert_refused(view: &Observer, upload: &Upload, tar: &[u8]) {
    assert_refused_beside(view, upload, tar).await;
    let preserved = view.preserved_keys().await.expect("keys");
    assert_eq!(preserved, Vec::<String>::new());
}

/// Asserts that a refused bag left nothing but its item and its tar, where others were accepted.
pub(crate) async fn assert_refused_beside(view: &Observer, upload: &Upload, tar: &[u8]) {
    let digests = muniment_digest::digest(tar);
    let differences = view
        .check_refused(upload, &digests, ENDING_WITHIN)
        .await
        .expect("can be looked at");
    assert!(differences.is_empty(), "{}:\n{differences}", upload.key);
}

pub(crate) async fn assert_nothing_staged(view: &Observer) {
    let staged = view.staged_keys().await.expect("keys");
    assert_eq!(staged, Vec::<String>::new());
}

/// How many rows a list of the registry has.
pub(crate) async fn count(view: &Observer, list: &str) -> u64 {
    let page = view
        .rest(&format!("{list}?per_page=1"))
        .await
        .expect("a list");
    page["count"].as_u64().expect("a count")
}
