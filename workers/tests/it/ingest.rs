//! A bag through eleven processes, one for each worker, as on ECS.

use muniment_bag_builder::BagBuilder;
use muniment_model::{BucketName, StorageOption};
use muniment_observer::{
    Expected, Observer, RegistryAccess, S3Access, Site as ObservedSite, TarListing,
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
        preservation_buckets: preservation_buckets().into_values().collect(),
        storage_host: STORAGE_HOST.to_owned(),
    })
    .expect("an observer")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bag_goes_through_eleven_processes() {
    let site = Site::start().await;
    let observer = observer_of(&site);
    let mut processes = Vec::new();
    for worker in workers::all() {
        processes.push(site.spawn(worker).await);
    }
    let tar = BagBuilder::aptrust("photos")
        .file("data/hello.txt", "hello")
        .to_tar();

    let upload = observer
        .deposit("test.edu", "photos.tar", tar.clone())
        .await;
    let upload = upload.expect("deposited");
    let expected = Expected {
        object: "test.edu/photos".to_owned(),
        option: StorageOption::Standard,
        tar: TarListing::read(tar.as_slice()).expect("a tar"),
    };
    let differences = observer.check_preserved(&upload, &expected, WITHIN).await;

    let differences = differences.expect("answers");
    assert!(differences.is_empty(), "{differences}");
    for mut process in processes {
        process.signal("TERM");
        assert!(process.ended().await.success(), "{}", process.logged());
    }
}
