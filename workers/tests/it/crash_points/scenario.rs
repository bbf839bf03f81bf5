//! The bags whose way is interrupted, and how far they have come when it is.

use muniment_bag_builder::BagBuilder;
use muniment_model::{QueueName, StorageOption};
use muniment_observer::{Expected, TarListing, Upload};
use muniment_runtime::WorkerEntry;

use super::process::{Successors, wait_for_the_end, wait_for_work};
use super::site::{Site, Template};
use super::work_place::Kind;
use crate::ingest::bucket;
use crate::kit::{STAGING, WITHIN};

const KEY: &str = "photos.tar";
const OBJECT: &str = "test.edu/photos";
/// The least that a zip can be.
const EMPTY_ZIP: &[u8] = b"PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scenario {
    /// A bag of a new object, with copies in two regions.
    New,
    /// A bag of an object that was ingested before: one file is new, one changed, one unchanged.
    Again,
    /// A bag that is refused.
    Refused,
}

impl Scenario {
    /// How many uploads there are in the end.
    pub(super) fn items(self, worker: &WorkerEntry) -> usize {
        let of_bags = match self {
            Self::New | Self::Refused => 1,
            Self::Again => 2,
        };
        of_bags + usize::from(worker.name == "apt_queue")
    }

    /// What the undisturbed run leaves is what the observer expects of it; with it all others are compared.
    pub(super) async fn check(self, site: &Site, upload: &Upload) {
        let observer = &site.observer;
        let tar = self.tar();
        let differences = match self {
            Self::New => {
                let expected = Expected {
                    object: OBJECT.to_owned(),
                    option: StorageOption::Standard,
                    tar: TarListing::read(tar.as_slice()).expect("a tar"),
                };
                observer.check_preserved(upload, &expected, WITHIN).await
            }
            Self::Again => observer.check_fetchable(OBJECT).await,
            Self::Refused => {
                let digests = muniment_digest::digest(&tar);
                observer.check_refused(upload, &digests, WITHIN).await
            }
        };
        let differences = differences.expect("answers");
        assert!(differences.is_empty(), "{differences}");
    }

    fn tar(self) -> Vec<u8> {
        match self {
            Self::New => photos("hello").file("custom/notes.txt", "notes"),
            Self::Again => photos("good bye").file("data/more.txt", "more"),
            Self::Refused => photos("hello").without_file_but_listed("data/lost.txt"),
        }
        .to_tar()
    }

    /// The services as they are when the worker finds its work.
    pub(super) async fn before(self, worker: &WorkerEntry, kind: Kind) -> (Template, Upload) {
        let site = Site::new(kind).await;
        if self == Self::Again {
            through_to_the_end(&site, photos("hello").to_tar()).await;
        }
        if worker.name == "apt_queue" {
            return self.with_lost_work(site).await;
        }
        let upload = deposit(&site, KEY, self.tar()).await;
        if let Some(queue) = worker.queue {
            let others = Successors::start(&site, |other| other.name != worker.name).await;
            wait_for_work(&site, queue).await;
            others.stop().await;
        }
        (site.close().await, upload)
    }

    /// An item without a message, and one that has ended and left a staged file.
    async fn with_lost_work(self, site: Site) -> (Template, Upload) {
        let refused = photos("hello").without_file_but_listed("data/lost.txt");
        let deposited = deposit(&site, "other.tar", refused.to_tar()).await;
        let all = Successors::start(&site, |_| true).await;
        wait_for_the_end(&site, 1).await;
        all.stop().await;
        let observer = &site.observer;
        let ended = observer.item_of(&deposited).await.expect("answers");
        let left = format!("{}/late", ended["id"]);
        let staging = bucket(STAGING);
        let put = observer.put(&staging, &left, b"late".to_vec());
        put.await.expect("put");
        let upload = deposit(&site, KEY, self.tar()).await;
        let receive = QueueName::IngestPreFetch;
        let reader = |other: &WorkerEntry| other.name == "ingest_bucket_reader";
        let reader = Successors::start(&site, reader).await;
        wait_for_work(&site, receive).await;
        reader.stop().await;
        let mut template = site.close().await;
        template.lose_work_store();
        (template, upload)
    }
}

fn photos(hello: &str) -> BagBuilder {
    BagBuilder::aptrust("photos")
        .file("data/hello.txt", hello)
        .file("data/world.txt", "world")
        .file("data/empty.zip", EMPTY_ZIP)
}

async fn deposit(site: &Site, key: &str, tar: Vec<u8>) -> Upload {
    let deposited = site.observer.deposit("test.edu", key, tar).await;
    deposited.expect("deposited")
}

async fn through_to_the_end(site: &Site, tar: Vec<u8>) {
    deposit(site, KEY, tar).await;
    let all = Successors::start(site, |_| true).await;
    wait_for_the_end(site, 1).await;
    all.stop().await;
}
