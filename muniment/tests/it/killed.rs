//! `kill -9` in the middle, and a start on the same folder.

use std::process::Stdio;

use muniment_bag_builder::BagBuilder;
use muniment_model::StorageOption;
use muniment_observer::Observer;
use tokio::time::timeout;

use crate::checks::{
    Deposited, assert_nothing_staged, assert_preserved, count, deposit_bag, ending_of,
};
use crate::process::{READY_WITHIN, Up};
use crate::progress::{stages_from, steps};
use crate::site::TEST_EDU;

const BAGS: usize = 10;
/// How many stages all items together complete before the next kill. Counted in stages and not in seconds,
/// so that the kills fall into every stage, and each life gets somewhere, however fast the machine is.
const STAGES_PER_LIFE: usize = 6;

async fn deposit_all(view: &Observer) -> Vec<Deposited> {
    let mut bags = Vec::new();
    for n in 0..BAGS as u64 {
        let mut bag = BagBuilder::btr(format!("bag-{n}"));
        for m in 0..150 {
            bag = bag.generated_file(format!("data/{m}.bin"), 1_000 + m, n * 1_000 + m);
        }
        bag = bag.generated_file("data/large.bin", 20 << 20, n);
        bags.push(deposit_bag(view, TEST_EDU, &bag, StorageOption::Standard).await);
    }
    bags
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_ingests_survive_a_kill_in_their_middle() {
    let folder = tempfile::tempdir().expect("a folder");
    let (first, before) = Up::start(folder.path()).await;
    let bags = deposit_all(&before).await;
    ending_of(&before, &bags[0].upload).await;

    drop(first);
    let (second, after) = Up::start(folder.path()).await;

    assert_all_preserved_once(&after, &bags).await;
    drop(second);
}

/// Kills during the recovery from kills: each life gets a little further than the last.
#[tokio::test(flavor = "multi_thread")]
async fn ingests_survive_being_killed_again_and_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let (first, before) = Up::start(folder.path()).await;
    let bags = deposit_all(&before).await;
    drop(first);

    let mut completed = 0;
    while completed + STAGES_PER_LIFE < BAGS * steps().len() {
        let (up, view) = Up::start(folder.path()).await;
        completed = stages_from(&view, completed + STAGES_PER_LIFE).await;
        drop(up);
    }
    let (last, after) = Up::start(folder.path()).await;

    assert_all_preserved_once(&after, &bags).await;
    drop(last);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_process_is_kept_out_of_the_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    let (up, _view) = Up::start(folder.path()).await;

    let mut second = Up::spawn(folder.path(), Stdio::piped());
    let status = timeout(READY_WITHIN, second.has_ended())
        .await
        .expect("ends in time");

    assert!(!status.success());
    let told = second.0.stderr.take().expect("is piped");
    let told = std::io::read_to_string(told).expect("text");
    assert!(told.contains("another muniment"), "{told}");
    drop(up);
}

/// Every bag is preserved, every preserved object belongs to a file, and every upload has one item.
async fn assert_all_preserved_once(view: &Observer, bags: &[Deposited]) {
    for bag in bags {
        assert_preserved(view, bag).await;
    }
    for (list, expected) in [("items", bags.len()), ("objects", bags.len())] {
        let found = count(view, list).await;
        assert_eq!(found, expected as u64, "{list}");
    }
    let copies = view.preserved_keys().await.expect("keys").len();
    assert_eq!(count(view, "files").await, copies as u64 / 2);
    assert_nothing_staged(view).await;
}
