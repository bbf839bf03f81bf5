//! What an operator orders: `muniment requeue` and `muniment cancel`, on a system whose settings are wrong.

use std::process::Output;

use muniment::up::depositor;
use muniment_bag_builder::BagBuilder;
use muniment_model::StorageOption;
use muniment_observer::Upload;
use serde_json::Value;

use crate::checks::{
    Deposited, assert_nothing_staged, assert_preserved, count, deposit_bag, ending_of,
};
use crate::process::{muniment, run};
use crate::site::{EXAMPLE_EDU, Site, TEST_EDU};

#[tokio::test(flavor = "multi_thread")]
async fn a_suspended_item_that_is_requeued_goes_on_to_success() {
    let site = Site::start_halting().await;
    let bag = suspended(&site, TEST_EDU).await;
    let site = site.mended().await;

    let requeued = muniment(&["requeue", "test.edu/photos", "--wait"], site.data()).await;

    let said = answer(&requeued);
    assert_eq!(requeued.status.code(), Some(0), "{requeued:?}");
    assert!(
        said.starts_with("work item 1 (photos.tar) goes on at Reingest Check: "),
        "{said}"
    );
    assert!(said.contains("\nphotos.tar: Success, Finished"), "{said}");
    assert_preserved(&site.view, &bag).await;
    let again = muniment(&["requeue", "1"], site.data()).await;
    assert_refused(&again, "has ended in Success", "deposit the bag again");
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_item_that_is_requeued_while_the_cause_is_there_is_with_the_operator_again() {
    let site = Site::start_halting().await;
    suspended(&site, TEST_EDU).await;

    let skips = ["requeue", "1", "--stage", "copy-to-staging"];
    let skipping = muniment(&skips, site.data()).await;
    let words = ["requeue", "1", "--stage", "validate", "--wait", "--json"];
    let requeued = muniment(&words, site.data()).await;

    let stages = "with --stage: Receive, Validate, Reingest Check\n";
    assert_refused(&skipping, "cannot skip to Copy To Staging", stages);
    assert_eq!(requeued.status.code(), Some(1), "{requeued:?}");
    let row: Value = serde_json::from_slice(&requeued.stdout).expect("JSON");
    assert_eq!(row["status"], "Suspended", "{row:#}");
    assert_eq!(row["stage"], "Reingest Check", "{row:#}");
    let told = String::from_utf8_lossy(&requeued.stderr);
    assert!(told.contains("goes on at Validate"), "{told}");
    site.system.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_item_leaves_nothing_but_its_tar() {
    let site = Site::start_halting().await;
    let bag = suspended(&site, TEST_EDU).await;

    let words = ["cancel", "photos", "--reason=withdrawn", "--wait", "--json"];
    let cancelled = muniment(&words, site.data()).await;

    assert_eq!(cancelled.status.code(), Some(0), "{cancelled:?}");
    let row: Value = serde_json::from_slice(&cancelled.stdout).expect("JSON");
    assert_eq!(row["status"], "Cancelled", "{row:#}");
    assert_eq!(row["reason"], "Cancelled by an operator: withdrawn");
    assert_nothing_staged(&site.view).await;
    let Upload { bucket, key, .. } = &bag.upload;
    let tar = site.view.stored(bucket, key).await.expect("is looked at");
    assert!(tar.is_some(), "the tar is gone");
    assert_eq!(count(&site.view, "objects").await, 0);
    let once_more = muniment(&["cancel", "1"], site.data()).await;
    assert_refused(&once_more, "has ended: Cancelled", "nothing left to cancel");
    let by_name = muniment(&["cancel", "photos"], site.data()).await;
    assert_failed(&by_name, "by its id: 1 (Cancelled, test.edu)");
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_cannot_be_given_says_why_and_changes_nothing() {
    let site = Site::start_halting().await;
    suspended(&site, TEST_EDU).await;
    suspended(&site, EXAMPLE_EDU).await;
    let file = depositor::file(site.data(), TEST_EDU);
    let file = file.to_str().expect("its name");
    let before = site.view.rest("items").await.expect("items");

    for command in ["requeue", "cancel"] {
        let both = muniment(&[command, "photos"], site.data()).await;
        assert_failed(&both, "2 (Suspended, example.edu), 1 (Suspended, test.edu)");
        let unknown = muniment(&[command, "77"], site.data()).await;
        assert_failed(&unknown, "there is no work item 77");
        let no_bag = muniment(&[command, "letters.tar"], site.data()).await;
        assert_failed(&no_bag, "no work item is about a bag named letters");
        let nothing = muniment(&[command, ""], site.data()).await;
        assert_eq!(nothing.status.code(), Some(2), "{nothing:?}");
        let theirs = run(&[command, "1", "--instance", file]).await;
        assert_failed(&theirs, "this takes an operator's keys");
    }
    let no_stage = muniment(&["requeue", "1", "--stage=stored"], site.data()).await;
    assert_eq!(no_stage.status.code(), Some(2), "{no_stage:?}");

    let after = site.view.rest("items").await.expect("items");
    assert_eq!(after["results"], before["results"]);
    site.system.stop().await;
    let nobody = muniment(&["cancel", "1"], site.data()).await;
    assert_failed(&nobody, "is `muniment up` running?");
}

/// A valid bag that waits for an operator.
async fn suspended(site: &Site, institution: &str) -> Deposited {
    let bag = BagBuilder::aptrust("photos").file("data/a", institution);
    let bag = deposit_bag(&site.view, institution, &bag, StorageOption::Standard).await;
    let item = ending_of(&site.view, &bag.upload).await;
    assert_eq!(item["status"], "Suspended", "{item:#}");
    bag
}

fn answer(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn assert_refused(output: &Output, by_registry: &str, next: &str) {
    assert_failed(output, by_registry);
    assert_failed(output, next);
}

fn assert_failed(output: &Output, expected: &str) {
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains(expected), "{told}");
    assert!(output.stdout.is_empty(), "{output:?}");
}
