//! S2 to S4: the tar does not arrive as it is.

use muniment_bag_builder::BagBuilder;
use muniment_fault_proxy::{Fault, Times};
use muniment_observer::Observer;
use serde_json::Value;

use super::{Deposited, Proxied, gets, repeated};
use crate::kit::WITHIN;

fn bag(name: &str) -> BagBuilder {
    BagBuilder::aptrust(name)
        .file("data/a.txt", "a")
        .file("data/b.bin", vec![7; 1_500])
}

/// At, before and after every edge of a record in turn.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s2_a_reset_at_any_record_of_the_tar_is_resumed_there() {
    let proxied = Proxied::start().await;
    let size = bag("reset-0").to_tar().len() as u64;
    let mut bags = Vec::new();
    for (edge, turn) in (512..size).step_by(512).zip([0, 511, 513].iter().cycle()) {
        let after = edge - 512 + turn;
        let name = format!("reset-{after}");
        let get = gets(&format!("/{name}.tar"));
        let reset = Fault::ResetAfter(after);
        proxied.near.plan(get.clone(), Times::Next(1), reset);
        bags.push((get, after, proxied.deposit(&bag(&name)).await));
    }

    for (get, after, deposited) in bags {
        proxied
            .ingest
            .check_preserved(&deposited.upload, &deposited.expected)
            .await;
        let seen = proxied.near.seen(&get);
        let [first, resumed] = &seen[..] else {
            panic!("{after}: {seen:?}");
        };
        let tag = first.header("if-match");
        assert!(
            tag.is_some() && tag == resumed.header("if-match"),
            "{seen:?}"
        );
        let range = resumed.header("range").expect("a range");
        let from = range.trim_start_matches("bytes=").split('-').next();
        let from: u64 = from.and_then(|from| from.parse().ok()).expect("a range");
        // A reset overtakes what is still in buffers.
        assert!(from <= after, "{after}: {range}");
    }
    proxied.ingest.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s3_a_body_that_ends_early_is_never_taken_for_the_whole() {
    let proxied = Proxied::start().await;
    let size = bag("short").to_tar().len() as u64;
    let mut faults = vec![(Fault::Shorten(700), Times::Always)];
    for after in [0, 1, 511, 512, 1_024, 5_000, size - 1_024, size - 1] {
        faults.push((Fault::Shorten(after), Times::Next(1)));
        faults.push((Fault::TruncateAfter(after), Times::Next(1)));
    }
    let mut bags = Vec::new();
    for (number, (fault, times)) in faults.into_iter().enumerate() {
        let name = format!("short-{number}");
        let get = gets(&format!("/{name}.tar"));
        proxied.near.plan(get.clone(), times, fault);
        bags.push((get, proxied.deposit(&bag(&name)).await));
    }

    for (get, deposited) in &bags {
        proxied
            .ingest
            .check_preserved(&deposited.upload, &deposited.expected)
            .await;
        assert!(proxied.near.seen(get).len() > 1, "{get:?}");
    }
    proxied.ingest.stop().await;
}

/// In headers, in a manifest, in content and in padding; and of what is read from staging.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s4_a_bit_that_flips_once_is_read_again_and_blames_nobody() {
    let proxied = Proxied::start().await;
    let size = bag("flip-0").to_tar().len() as u64;
    let mut bags = Vec::new();
    for position in (3..size - 1_024).step_by(700) {
        let name = format!("flip-{position}");
        let get = gets(&format!("/{name}.tar"));
        let flip = Fault::FlipBit(position);
        proxied.near.plan(get.clone(), Times::Next(1), flip);
        bags.push(proxied.deposit(&bag(&name)).await);
    }
    let staged = gets("/staging/");
    let flip = Fault::FlipBit(0);
    proxied.near.plan(staged.clone(), Times::Next(3), flip);

    proxied.assert_preserved(&bags).await;
    for Deposited { upload, .. } in &bags {
        let read = proxied.near.seen(&gets(&format!("/{}", upload.key))).len();
        assert!(read >= 2, "{}: {read}", upload.key);
    }
    assert!(repeated(&proxied.near, &staged) >= 3);
    proxied.ingest.stop().await;
}

/// An operator is told, and no depositor; and it goes on when the cause is gone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s4_bytes_that_change_at_every_reading_are_never_stored() {
    let proxied = Proxied::start().await;
    let beside = proxied.deposit(&bag("beside")).await;
    let flip = Fault::FlipBit(5_000);
    proxied.near.plan(gets("/always.tar"), Times::Always, flip);

    let always = proxied.deposit(&bag("always")).await;

    let observer = &proxied.ingest.observer;
    let item = observer.wait_for_ending(&always.upload, WITHIN).await;
    let item = item.expect("answers");
    assert_eq!(item["status"], "Suspended", "{item:#}");
    assert_eq!(item["needs_admin_review"], true, "{item:#}");
    let note = item["note"].as_str().expect("a note");
    assert!(
        note.contains("every reading of the tar says something else"),
        "{note}"
    );
    proxied.assert_preserved(&[beside]).await;
    proxied.near.heal();
    requeue_at_receive(observer, &item).await;
    proxied
        .ingest
        .check_preserved(&always.upload, &always.expected)
        .await;
    proxied.ingest.stop().await;
}

async fn requeue_at_receive(observer: &Observer, item: &Value) {
    let order = format!("items/requeue/{}", item["id"]);
    let ordered = observer.order(&order, "stage=Receive").await;
    ordered.expect("requeued");
}
