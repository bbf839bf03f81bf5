//! All workers as processes that share one Redis.

use muniment_bag_builder::BagBuilder;
use muniment_redis_server::RedisServer;

use crate::ingest::{Ingest, expected_of};
use crate::kit::Site;

async fn ingest_on(redis: &RedisServer) -> Ingest {
    let mut site = Site::start().await;
    site.work_location = redis.url();
    Ingest::on(site, |_all| true).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_that_share_a_redis_ingest_a_bag() {
    let redis = RedisServer::start().await.expect("a server");
    let ingest = ingest_on(&redis).await;

    let (upload, expected) = ingest.deposit().await;

    ingest.check_preserved(&upload, &expected).await;
    ingest.stop().await;
}

/// At any moment of five ingests, three times.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ingests_survive_the_loss_of_all_that_a_redis_has() {
    let redis = RedisServer::start().await.expect("a server");
    let ingest = ingest_on(&redis).await;
    let mut deposited = Vec::new();
    for number in 0..5 {
        let bag = BagBuilder::aptrust(format!("photos-{number}"))
            .file("data/hello.txt", "hello")
            .generated_file("data/large.bin", 20 << 20, number);
        let tar = bag.to_tar();
        let mut expected = expected_of(&tar);
        expected.object = format!("test.edu/photos-{number}");
        let upload = ingest.upload(&format!("photos-{number}.tar"), tar).await;
        ingest.item_of(&upload).await;
        redis.lose_everything().await.expect("lost");
        deposited.push((upload, expected));
    }

    for (upload, expected) in &deposited {
        ingest.check_preserved(upload, expected).await;
    }
    ingest.stop().await;
}
