//! A bag through eleven processes, one for each worker, as on ECS.

use muniment_bag_builder::BagBuilder;
use muniment_model::{BucketName, QueueName, StorageOption};
use muniment_observer::{
    Expected, Observer, RegistryAccess, S3Access, Site as ObservedSite, TarListing, Upload,
};

use crate::kit::{
    ACCESS_KEY, RECEIVING, RECORDS, SECRET_KEY, STAGING, STORAGE_HOST, Site, WITHIN,
    preservation_buckets,
};

fn bucket(name: &str) -> BucketName {
    BucketName::new(name).expect("a name")
}

fn observer_of(site: &Site) -> Observer {
    let receiving = bucket(RECEIVING);
    Observer::new(ObservedSite {
        s3: S3Access {
            endpoint: site.s3_url.parse().expect("a URL"),
            region: "us-east-1".to_owned(),
            access_key: ACCESS_KEY.into(),
            secret_key: SECRET_KEY.into(),
        },
        registry: RegistryAccess {
            url: site.registry_url.parse().expect("a URL"),
            user: "system@muniment.org".to_owned(),
            api_key: site.api_key.clone().into(),
        },
        receiving_buckets: [("test.edu".to_owned(), receiving)].into(),
        staging_bucket: bucket(STAGING),
        records_bucket: bucket(RECORDS),
        preservation_buckets: preservation_buckets(),
        storage_host: STORAGE_HOST.to_owned(),
    })
    .expect("an observer")
}

async fn deposit(observer: &Observer) -> (Upload, Expected) {
    let tar = BagBuilder::aptrust("photos")
        .file("data/hello.txt", "hello")
        .file("data/world.txt", "world")
        .to_tar();
    let expected = Expected {
        object: "test.edu/photos".to_owned(),
        option: StorageOption::Standard,
        tar: TarListing::read(tar.as_slice()).expect("a tar"),
    };
    let upload = observer.deposit("test.edu", "photos.tar", tar).await;
    (upload.expect("deposited"), expected)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bag_goes_through_eleven_processes() {
    let site = Site::start().await;
    let observer = observer_of(&site);
    let mut processes = Vec::new();
    for worker in workers::all() {
        processes.push(site.spawn(worker).await);
    }

    let (upload, expected) = deposit(&observer).await;
    let differences = observer.check_preserved(&upload, &expected, WITHIN).await;

    let differences = differences.expect("answers");
    assert!(differences.is_empty(), "{differences}");
    for mut process in processes {
        process.signal("TERM");
        assert!(process.ended().await.success(), "{}", process.logged());
    }
}

/// Every file of the bag in turn has its bytes read from the tar once more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn staged_files_that_were_lost_are_staged_again() {
    let site = Site::start().await;
    let observer = observer_of(&site);
    let stages_again = "ingest_staging_uploader";
    let mut processes = Vec::new();
    for worker in workers::all() {
        if worker.name != stages_again {
            processes.push(site.spawn(worker).await);
        }
    }
    let (upload, expected) = deposit(&observer).await;
    let queue = QueueName::IngestStagingUploader;
    site.wait_until_waiting(queue).await;
    let staging = bucket(STAGING);
    let staged = observer.staged_keys().await.expect("listed");
    let files: Vec<_> = staged
        .iter()
        .filter(|key| !key.contains("/index/"))
        .collect();
    assert!(files.len() > 2, "{staged:?}");
    for key in files {
        observer.lose(&staging, key).await.expect("deleted");
    }

    let worker = workers::all()
        .iter()
        .find(|worker| worker.name == stages_again);
    processes.push(site.spawn(worker.expect("it is there")).await);
    let differences = observer.check_preserved(&upload, &expected, WITHIN).await;

    let differences = differences.expect("answers");
    assert!(differences.is_empty(), "{differences}");
    for mut process in processes {
        process.signal("TERM");
        assert!(process.ended().await.success(), "{}", process.logged());
    }
}
