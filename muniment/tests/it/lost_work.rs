//! The work store is a cache: losing all of it in the middle changes only the duration.

use muniment::up::{Options, System};
use muniment_bag_builder::BagBuilder;
use muniment_model::StorageOption;

use crate::checks::{assert_nothing_staged, assert_preserved, deposit_bag, ending_of};
use crate::site::{TEST_EDU, observer_of};

#[tokio::test(flavor = "multi_thread")]
async fn ingests_survive_the_loss_of_the_whole_work_store() {
    let folder = tempfile::tempdir().expect("a folder");
    let first = System::start(&Options::on(folder.path()))
        .await
        .expect("starts");
    let before = observer_of(first.instance());
    let mut bags = Vec::new();
    for n in 0..6 {
        let mut bag = BagBuilder::btr(format!("bag-{n}"));
        for m in 0..700 {
            bag = bag.generated_file(format!("data/{m}.bin"), 500 + m, n * 1_000 + m);
        }
        bags.push(deposit_bag(&before, TEST_EDU, &bag, StorageOption::Standard).await);
    }
    ending_of(&before, &bags[0].upload).await;

    first.stop().await;
    drop(first);
    for file in ["work.db", "work.db-wal", "work.db-shm"] {
        let path = folder.path().join(file);
        if path.exists() {
            std::fs::remove_file(path).expect("removes");
        }
    }
    let second = System::start(&Options::on(folder.path()))
        .await
        .expect("starts again");
    let after = observer_of(second.instance());

    for bag in &bags {
        assert_preserved(&after, bag).await;
    }
    assert_nothing_staged(&after).await;
    second.stop().await;
}
