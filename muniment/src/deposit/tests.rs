use muniment_bag_builder::BagBuilder;
use muniment_objects::Connections;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::bags::Source;
use super::*;
use crate::access::receiving_bucket;
use crate::up::{Options, System};

#[tokio::test]
async fn bags_before_one_that_cannot_be_uploaded_are_followed_to_their_endings() {
    let folder = TempDir::new().expect("a folder");
    let system = System::start(&Options::on(folder.path().join("data")))
        .await
        .expect("the system starts");
    let instance = system.instance();
    let bucket = receiving_bucket(instance, None).expect("a bucket");
    let connections = Connections::new(CancellationToken::new());
    let bucket = instance.receiving().connect_depositor(&connections, bucket);
    let built = BagBuilder::aptrust("first").file("data/a", "a");
    let tar = folder.path().join(built.key());
    std::fs::write(&tar, built.to_tar()).expect("writes");
    let first = of_tar(&tar).expect("a bag");
    let key = first.key.clone();
    let second = folder.path().join("second.tar");
    std::fs::write(&second, "a tar").expect("writes");
    let mut gone = of_tar(&second).expect("a bag");
    gone.source = Source::Tar(folder.path().join("gone.tar"));

    let terminal = Terminal::default();
    let deposit = Deposit {
        bucket: &bucket,
        stop: &CancellationToken::new(),
        terminal: &terminal,
    };
    let error = deposit.upload_and_wait(vec![first, gone], system.registry().clone());
    let error = error.await;
    let error = error.err();

    assert!(matches!(&error, Some(CommandError::Upload(_))), "{error:?}");
    let registry = system.registry();
    let id = follow::newest(registry, bucket.name(), &key)
        .await
        .expect("the registry answers");
    let item = registry.work_item(id).await.expect("the registry answers");
    let status = item.map(|item| item.status);
    assert_eq!(status, Some(Status::Success));
    system.stop().await;
}
