//! The work store is a cache: losing all of it in the middle changes only the duration.

use muniment::up::{Options, System};
use muniment_bagit::build::BagBuilder;
use muniment_model::StorageOption;

use crate::checks::assert_preserved;
use crate::site::{TEST_EDU, View};

#[tokio::test(flavor = "multi_thread")]
async fn ingests_survive_the_loss_of_the_whole_work_store() {
    let folder = tempfile::tempdir().expect("a folder");
    let first = System::start(&Options::on(folder.path()))
        .await
        .expect("starts");
    let before = View::of(first.instance().clone());
    let mut bags = Vec::new();
    for n in 0..6 {
        let mut bag = BagBuilder::btr(format!("bag-{n}"));
        for m in 0..700 {
            bag = bag.generated_file(format!("data/{m}.bin"), 500 + m, n * 1_000 + m);
        }
        let tar = bag.to_tar();
        before.deposit(TEST_EDU, &bag.key(), tar.clone()).await;
        bags.push((bag, tar));
    }
    before.ending_of("bag-0.tar").await;

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
    let after = View::of(second.instance().clone());

    for (bag, tar) in &bags {
        let manifests = bag.payload_manifest_count();
        let identity = (TEST_EDU, bag.name());
        assert_preserved(&after, identity, tar, StorageOption::Standard, manifests).await;
    }
    assert_eq!(after.staged().await, Vec::<String>::new());
    second.stop().await;
}
