//! All workers as processes that share one Redis, and what may happen to it.

use muniment_bag_builder::BagBuilder;
use muniment_observer::{Expected, Upload};
use muniment_redis_server::RedisServer;

use crate::ingest::{Ingest, expected_of};
use crate::kit::Site;

const BAGS: u64 = 5;

async fn ingest_on(redis: &RedisServer) -> Ingest {
    let mut site = Site::start().await;
    site.work_location = redis.url();
    Ingest::on(site, |_all| true).await
}

/// Deposits a bag and waits until its item is there.
async fn begin(ingest: &Ingest, number: u64) -> (Upload, Expected) {
    let bag = BagBuilder::aptrust(format!("photos-{number}"))
        .file("data/hello.txt", "hello")
        .generated_file("data/large.bin", 20 << 20, number);
    let tar = bag.to_tar();
    let mut expected = expected_of(&tar);
    expected.object = format!("test.edu/photos-{number}");
    let upload = ingest.upload(&format!("photos-{number}.tar"), tar).await;
    ingest.item_of(&upload).await;
    (upload, expected)
}

async fn check(ingest: Ingest, deposited: &[(Upload, Expected)]) {
    for (upload, expected) in deposited {
        ingest.check_preserved(upload, expected).await;
    }
    ingest.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_that_share_a_redis_ingest_a_bag() {
    let redis = RedisServer::start().await.expect("a server");
    let ingest = ingest_on(&redis).await;

    let (upload, expected) = ingest.deposit().await;

    ingest.check_preserved(&upload, &expected).await;
    ingest.stop().await;
}

/// At any moment of five ingests.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r1_ingests_go_on_after_a_redis_was_started_anew() {
    let mut redis = RedisServer::start().await.expect("a server");
    let ingest = ingest_on(&redis).await;
    let mut deposited = Vec::new();
    for number in 0..BAGS {
        deposited.push(begin(&ingest, number).await);
        redis.save().await.expect("saved");
        redis.restart().await.expect("starts");
    }

    check(ingest, &deposited).await;
}

/// At any moment of five ingests.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r2_ingests_survive_the_loss_of_all_that_a_redis_has() {
    let redis = RedisServer::start().await.expect("a server");
    let ingest = ingest_on(&redis).await;
    let mut deposited = Vec::new();
    for number in 0..BAGS {
        deposited.push(begin(&ingest, number).await);
        redis.lose_everything().await.expect("lost");
    }

    check(ingest, &deposited).await;
}

/// To what it had one bag and two bags before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r3_ingests_survive_a_redis_that_goes_back_in_time() {
    let mut redis = RedisServer::start().await.expect("a server");
    let ingest = ingest_on(&redis).await;
    let mut deposited = Vec::new();
    for number in 0..BAGS {
        deposited.push(begin(&ingest, number).await);
        if number % 2 == 0 {
            redis.save().await.expect("saved");
        } else {
            redis.restart().await.expect("starts");
        }
    }
    redis.restart().await.expect("starts");

    check(ingest, &deposited).await;
}
