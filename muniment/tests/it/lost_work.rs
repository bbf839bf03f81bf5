//! The work store is a cache: losing all of it in the middle changes only the duration.

use muniment::up::{Options, System};
use muniment_bagit::build::BagBuilder;
use muniment_model::StorageOption;

use crate::checks::assert_preserved;
use crate::site::{TEST_EDU, View};

#[tokio::test(flavor = "multi_thread")]
async fn ingests_survive_the_loss_of_the_whole_work_store() {
    let folder = tempfile::tempdir().expect("a folder");
    let system = System::start(&Options::on(folder.path()))
        .await
        .expect("starts");
    let view = View::of(system.instance().clone());
    let mut bags = Vec::new();
    for n in 0..6 {
        let mut bag = BagBuilder::btr(format!("bag-{n}"));
        for m in 0..700 {
            bag = bag.generated_file(format!("data/{m}.bin"), 500 + m, n * 1_000 + m);
        }
        let tar = bag.to_tar();
        view.deposit(TEST_EDU, &bag.key(), tar.clone()).await;
        bags.push((bag, tar));
    }
    view.ending_of("bag-0.tar").await;

    system.stop().await;
    drop(system);
    for file in ["work.db", "work.db-wal", "work.db-shm"] {
        let path = folder.path().join(file);
        if path.exists() {
            std::fs::remove_file(path).expect("removes");
        }
    }
    let system = System::start(&Options::on(folder.path()))
        .await
        .expect("starts again");
    let view = View::of(system.instance().clone());

    for (bag, tar) in &bags {
        let manifests = bag.payload_manifest_count();
        let identity = (TEST_EDU, bag.name());
        assert_preserved(&view, identity, tar, StorageOption::Standard, manifests).await;
    }
    assert_eq!(view.staged().await, Vec::<String>::new());
    system.stop().await;
}
