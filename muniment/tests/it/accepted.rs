//! Bags that are accepted, and everything they must leave behind.

use std::io::Read;

use chrono::{DateTime, TimeDelta, Utc};
use muniment_bag_builder::{BagBuilder, Entry};
use muniment_model::{Algorithm, Clock as _, StorageOption};

use muniment_observer::Observer;
use muniment_runtime::SystemClock;
use serde_json::Value;

use crate::checks::{assert_preserved, deposit, deposit_bag, ending_of};
use crate::site::{EXAMPLE_EDU, Site, TEST_EDU};

#[tokio::test(flavor = "multi_thread")]
async fn a_bag_of_every_storage_option_is_preserved_where_its_option_says() {
    let site = Site::start().await;
    let mut bags = Vec::new();
    for option in StorageOption::ALL {
        let bag = BagBuilder::aptrust(format!("bag-{option}"))
            .storage_option(*option)
            .manifests(&[Algorithm::Md5, Algorithm::Sha256])
            .file("data/letter.txt", "Dear all,")
            .file("data/empty.bin", "")
            .file("data/ü/naïve name.txt", "not plain ASCII");
        bags.push(deposit_bag(&site.view, TEST_EDU, &bag, *option).await);
    }

    for bag in &bags {
        assert_preserved(&site.view, bag).await;
    }

    site.stop().await;
}

/// A time that the registry's wire or database cannot hold must not be found out after the copies are
/// made.
#[tokio::test(flavor = "multi_thread")]
async fn times_that_no_registry_can_hold_are_recorded_as_unknown() {
    let site = Site::start().await;
    let timed =
        |name: &str, time: &str| Entry::file(format!("times/{name}"), "x").pax("mtime", time);
    let bag = BagBuilder::aptrust("times")
        .file("data/letter.txt", "Dear all,")
        .entry(timed("late.txt", "253402300800"))
        .entry(timed("never.txt", "99999999999999999999"))
        .entry(timed("early.txt", "-62135596801"))
        .entry(timed("last.txt", "253402300799"));

    let upload = deposit(&site.view, TEST_EDU, "times.tar", &bag.to_tar()).await;

    let item = ending_of(&site.view, &upload).await;
    assert_eq!(item["status"], "Success", "{item:#}");
    for name in ["late.txt", "never.txt", "early.txt"] {
        let file = file(&site.view, &format!("test.edu/times/{name}")).await;
        assert_eq!(file["mtime"], "0001-01-01T00:00:00Z", "{name}: {file:#}");
    }
    let last = file(&site.view, "test.edu/times/last.txt").await;
    assert_eq!(last["mtime"], "9999-12-31T23:59:59Z", "{last:#}");
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn large_and_small_members_of_a_btr_bag_are_preserved() {
    let site = Site::start().await;
    let mut bag = BagBuilder::btr("mixed")
        .manifests(&[Algorithm::Sha256])
        .generated_file("data/just-under.bin", (16 << 20) - 1, 1)
        .generated_file("data/at-the-limit.bin", 16 << 20, 2)
        .generated_file("data/large.bin", 40 << 20, 3);
    for n in 0..1_200 {
        bag = bag.generated_file(format!("data/small/{n}.txt"), n % 700, n);
    }

    let deposited = deposit_bag(&site.view, EXAMPLE_EDU, &bag, StorageOption::Standard).await;

    assert_preserved(&site.view, &deposited).await;
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_file_of_a_re_ingest_takes_a_new_key_and_the_rest_is_kept() {
    let site = Site::start().await;
    let view = &site.view;
    let bag = |letter: &str| {
        BagBuilder::aptrust("again")
            .manifests(&[Algorithm::Md5])
            .file("data/letter.txt", letter)
            .file("data/same.txt", "the same")
    };
    let first = deposit(view, TEST_EDU, "again.tar", &bag("first").to_tar()).await;
    ending_of(view, &first).await;
    let letter_before = file(view, "test.edu/again/data/letter.txt").await;
    let same_before = file(view, "test.edu/again/data/same.txt").await;

    let began = SystemClock.now();
    let second = deposit(view, TEST_EDU, "again.tar", &bag("second").to_tar()).await;
    let second = ending_of(view, &second).await;

    assert_eq!(second["status"], "Success", "{second:#}");
    let letter = file(view, "test.edu/again/data/letter.txt").await;
    let same = file(view, "test.edu/again/data/same.txt").await;
    assert_eq!(letter["id"], letter_before["id"]);
    assert_ne!(letter["uuid"], letter_before["uuid"]);
    assert_eq!(same["uuid"], same_before["uuid"]);
    // Contract 1.11: fixity 2, identifier assignment 2, ingestion 2, digests 8, replication 2.
    assert_eq!(each(&letter["premis_events"]).count(), 16, "{letter:#}");
    assert_eq!(
        each(&same["premis_events"]).count(),
        each(&same_before["premis_events"]).count()
    );
    assert_eq!(each(&letter["storage_records"]).count(), 2, "{letter:#}");
    let kept = "storage_records?superseded_at__not_null=true&generic_file_id=";
    let kept = view.rest(&format!("{kept}{}", letter["id"])).await;
    let kept = kept.expect("listed");
    assert_eq!(kept["count"], 2);
    for copy in each(&kept["results"]) {
        let [since, until] = ["superseded_at", "kept_until"].map(|what| {
            let text = copy[what].as_str().expect("a time");
            text.parse::<DateTime<Utc>>().expect("a time")
        });
        assert_eq!(until - since, TimeDelta::days(30), "{copy:#}");
        assert!(since >= began, "{copy:#}");
    }
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_versions_deposited_at_once_end_one_after_the_other() {
    let site = Site::start().await;
    let view = &site.view;
    let other = BagBuilder::aptrust("twice").file("data/a.txt", "part one");
    let newer = BagBuilder::aptrust("twice").file("data/a.txt", "part two");

    // Two keys of one object: parts of a multi-part bag.
    let first = deposit(view, TEST_EDU, "twice.b01.of02.tar", &other.to_tar()).await;
    let second = deposit(view, TEST_EDU, "twice.b02.of02.tar", &newer.to_tar()).await;

    let first = ending_of(view, &first).await;
    let second = ending_of(view, &second).await;
    assert_eq!(first["status"], "Success", "{first:#}");
    assert_eq!(second["status"], "Success", "{second:#}");
    assert_eq!(
        first["intellectual_object_id"],
        second["intellectual_object_id"]
    );
    site.stop().await;
}

/// `tar -cf bag.tar .` names the root of the tar first, and every member with a `./` before it.
#[tokio::test(flavor = "multi_thread")]
async fn a_bag_that_was_packed_from_the_folder_above_it_is_accepted() {
    let site = Site::start().await;
    let plain = BagBuilder::aptrust("dotted").file("data/a.txt", "a");
    let mut tar = Entry::directory("./").to_bytes();
    for entry in tar::Archive::new(plain.to_tar().as_slice())
        .entries()
        .expect("a tar")
    {
        let mut entry = entry.expect("an entry");
        let name = [b"./".as_slice(), &entry.path_bytes()].concat();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).expect("bytes");
        let kind = entry.header().entry_type().as_byte();
        tar.extend(Entry::of_type(kind, name, bytes).to_bytes());
    }
    tar.extend([0; 1_024]);

    let upload = deposit(&site.view, TEST_EDU, "dotted.tar", &tar).await;
    let item = ending_of(&site.view, &upload).await;

    assert_eq!(item["status"], "Success", "{item:#}");
    site.stop().await;
}

async fn file(view: &Observer, identifier: &str) -> Value {
    let found = view.file(identifier).await.expect("an answer");
    found.expect("a file")
}

fn each(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}
