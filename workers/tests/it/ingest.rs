//! A bag through eleven processes, one for each worker, as on ECS; and what may happen to its
//! interim files on the way.

use muniment_bag_builder::BagBuilder;
use muniment_fault_proxy::{Fault, FaultProxy, Requests, StatusCode, Times};
use muniment_model::{
    BatchNumber, BucketName, FileRecord, ObjectRecord, QueueName, StorageOption, WorkItemId,
};
use muniment_observer::{
    Expected, Observer, RegistryAccess, S3Access, Site as ObservedSite, TarListing, Upload,
};
use muniment_work::{FileWrite, Progress, Queue, Records, Release};
use serde_json::Value;

use crate::kit::{
    ACCESS_KEY, OTHER_RECEIVING, Process, RECEIVING, RECORDS, SECRET_KEY, STAGING, STORAGE_HOST,
    Site, WITHIN, preservation_buckets,
};

pub(crate) fn bucket(name: &str) -> BucketName {
    BucketName::new(name).expect("a name")
}

fn observer_of(site: &Site) -> Observer {
    observer_at(&site.s3_url, (&site.registry_url, &site.api_key))
}

pub(crate) fn observer_at(s3_url: &str, (registry_url, api_key): (&str, &str)) -> Observer {
    let receiving = bucket(RECEIVING);
    Observer::new(ObservedSite {
        s3: S3Access {
            endpoint: s3_url.parse().expect("a URL"),
            region: "us-east-1".to_owned(),
            access_key: ACCESS_KEY.into(),
            secret_key: SECRET_KEY.into(),
        },
        registry: RegistryAccess {
            url: registry_url.parse().expect("a URL"),
            user: "system@muniment.org".to_owned(),
            api_key: api_key.to_owned().into(),
        },
        receiving_buckets: [
            ("test.edu".to_owned(), receiving),
            ("other.edu".to_owned(), bucket(OTHER_RECEIVING)),
        ]
        .into(),
        staging_bucket: bucket(STAGING),
        records_bucket: bucket(RECORDS),
        preservation_buckets: preservation_buckets(),
        storage_host: STORAGE_HOST.to_owned(),
    })
    .expect("an observer")
}

/// What a bag called photos has to become.
pub(crate) fn expected_of(tar: &[u8]) -> Expected {
    Expected {
        object: "test.edu/photos".to_owned(),
        option: StorageOption::Standard,
        tar: TarListing::read(tar).expect("a tar"),
    }
}

/// The processes that are running, and what is seen of them from outside.
pub(crate) struct Ingest {
    pub(crate) site: Site,
    pub(crate) observer: Observer,
    processes: Vec<Process>,
}

impl Ingest {
    pub(crate) async fn with(starts: impl Fn(&str) -> bool) -> Self {
        Self::on(Site::start().await, starts).await
    }

    pub(crate) async fn on(site: Site, starts: impl Fn(&str) -> bool) -> Self {
        let observer = observer_of(&site);
        let mut ingest = Self {
            site,
            observer,
            processes: Vec::new(),
        };
        for worker in workers::all() {
            if starts(worker.name) {
                ingest.start(worker.name).await;
            }
        }
        ingest
    }

    /// What a worker's process has logged so far; the newest process that was started.
    pub(crate) fn last_logged(&self) -> String {
        self.processes
            .last()
            .map(Process::logged)
            .unwrap_or_default()
    }

    pub(crate) async fn start(&mut self, name: &str) {
        let worker = workers::all().iter().find(|worker| worker.name == name);
        let process = self.site.spawn(worker.expect("it is there")).await;
        self.processes.push(process);
    }

    pub(crate) async fn deposit(&self) -> (Upload, Expected) {
        self.deposit_of("test.edu").await
    }

    async fn deposit_of(&self, institution: &str) -> (Upload, Expected) {
        let bag = BagBuilder::aptrust("photos")
            .file("data/hello.txt", "hello")
            .file("data/world.txt", "world");
        let tar = bag.to_tar();
        let expected = Expected {
            object: format!("{institution}/photos"),
            ..expected_of(&tar)
        };
        let upload = self.observer.deposit(institution, "photos.tar", tar).await;
        (upload.expect("deposited"), expected)
    }

    pub(crate) async fn upload(&self, key: &str, tar: Vec<u8>) -> Upload {
        let upload = self.observer.deposit("test.edu", key, tar).await;
        upload.expect("deposited")
    }

    /// The work item of an upload, once the bucket reader has made it.
    pub(crate) async fn item_of(&self, upload: &Upload) -> Value {
        self.wait_for_item(upload, |_| true).await
    }

    /// The work item of an upload, once it is as wanted.
    pub(crate) async fn wait_for_item(
        &self,
        upload: &Upload,
        wanted: impl Fn(&Value) -> bool,
    ) -> Value {
        let mut ticks = tokio::time::interval(std::time::Duration::from_millis(50));
        let found = tokio::time::timeout(WITHIN, async {
            loop {
                ticks.tick().await;
                let item = self.observer.item_of(upload).await.expect("answers");
                if !item.is_null() && wanted(&item) {
                    return item;
                }
            }
        });
        found.await.expect("an item")
    }

    /// The keys of the staged files, without the index.
    pub(crate) async fn staged_files(&self) -> Vec<String> {
        let keys = self.observer.staged_keys().await.expect("listed");
        let files = keys.into_iter().filter(|key| !key.contains("/index/"));
        let files: Vec<_> = files.collect();
        assert!(files.len() > 2, "{files:?}");
        files
    }

    pub(crate) async fn check_preserved(&self, upload: &Upload, expected: &Expected) {
        let checked = self.observer.check_preserved(upload, expected, WITHIN);
        let differences = checked.await.expect("answers");
        assert!(differences.is_empty(), "{differences}");
    }

    /// Changes the records of one batch while its item waits for a worker that is not running.
    pub(crate) async fn change_records(
        &self,
        upload: &Upload,
        (queue, batch): (QueueName, BatchNumber),
        change: impl FnOnce(&mut ObjectRecord, &mut [FileRecord]),
    ) {
        self.site.wait_until_waiting(queue).await;
        let item = self.item_of(upload).await;
        let id = WorkItemId(item["id"].as_i64().expect("an id"));
        let work = &self.site.work;
        let claim = work.claim(queue, WITHIN).await.expect("answers");
        let lease = claim.expect("a claim").lease;
        let object = work.object(id).await.expect("read");
        let mut object = object.expect("a record");
        let mut records = work.files(id, batch).await.expect("read");
        change(&mut object, &mut records);
        let write = FileWrite {
            batch,
            from_index: 0,
            records: &records,
            checkpoint: None,
            progress: Progress::NotMade,
        };
        work.save_files(&lease, write).await.expect("written");
        work.save_object(&lease, &object).await.expect("written");
        let given_up = work.release(&lease, Release::Now).await;
        given_up.expect("released");
    }

    /// Ends the process of one worker, which is started last again.
    pub(crate) async fn stop_one(&mut self, name: &str) {
        let at = workers::all().iter().position(|worker| worker.name == name);
        let mut process = self.processes.remove(at.expect("it is there"));
        process.signal("TERM");
        assert!(process.ended().await.success(), "{}", process.logged());
    }

    /// Ends the process that was started last, without a warning.
    pub(crate) async fn kill_last(&mut self) {
        let mut process = self.processes.pop().expect("one is running");
        process.signal("KILL");
        process.ended().await;
    }

    pub(crate) async fn stop(self) {
        for mut process in self.processes {
            process.signal("TERM");
            assert!(process.ended().await.success(), "{}", process.logged());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bag_goes_through_eleven_processes() {
    let ingest = Ingest::with(|_| true).await;

    let (upload, expected) = ingest.deposit().await;

    ingest.check_preserved(&upload, &expected).await;
    ingest.stop().await;
}

/// One institution's upload can be listed and not read. It waits, and says for what; another's goes
/// through meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bucket_that_is_closed_to_us_holds_up_its_own_institution_only() {
    let mut ingest = Ingest::with(|_| false).await;
    let proxy = FaultProxy::before(ingest.site.s3_url.trim_end_matches('/')).await;
    let proxy = proxy.expect("a proxy");
    let refused = Fault::status(StatusCode::FORBIDDEN);
    let closed = Requests::any().containing("receiving.other.edu/photos.tar");
    proxy.plan(closed, Times::Always, refused);
    ingest.site.s3_url = format!("{}/", proxy.url());
    for worker in workers::all() {
        ingest.start(worker.name).await;
    }
    let (waiting, expected_later) = ingest.deposit_of("other.edu").await;
    let endpoint = proxy.url().trim_start_matches("http://").to_owned();
    let note = format!("Waiting for the bucket receiving.other.edu at {endpoint}, which is away: ");
    ingest
        .wait_for_item(&waiting, |item| {
            item["note"]
                .as_str()
                .is_some_and(|said| said.starts_with(&note))
        })
        .await;

    let (upload, expected) = ingest.deposit_of("test.edu").await;

    ingest.check_preserved(&upload, &expected).await;
    let still = ingest.item_of(&waiting).await;
    assert_eq!(still["stage"], "Receive", "{still:#}");
    proxy.heal();
    ingest.check_preserved(&waiting, &expected_later).await;
    ingest.stop().await;
}

/// Every file of the bag has its bytes read from the tar once more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn staged_files_that_were_lost_are_staged_again() {
    let mut ingest = Ingest::with(|name| name != "ingest_staging_uploader").await;
    let (upload, expected) = ingest.deposit().await;
    let queue = QueueName::IngestStagingUploader;
    ingest.site.wait_until_waiting(queue).await;
    let staging = bucket(STAGING);
    for key in ingest.staged_files().await {
        let lost = ingest.observer.lose(&staging, &key).await;
        lost.expect("deleted");
    }

    ingest.start("ingest_staging_uploader").await;

    ingest.check_preserved(&upload, &expected).await;
    ingest.stop().await;
}

/// Another object under the item's prefix makes up the number.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_staged_file_that_was_lost_is_not_hidden_by_a_count_that_matches() {
    let mut ingest = Ingest::with(|name| name != "ingest_staging_uploader").await;
    let (upload, expected) = ingest.deposit().await;
    let queue = QueueName::IngestStagingUploader;
    ingest.site.wait_until_waiting(queue).await;
    let staging = bucket(STAGING);
    let files = ingest.staged_files().await;
    let lost = ingest.observer.lose(&staging, &files[0]).await;
    lost.expect("deleted");
    let (prefix, _) = files[0].split_once('/').expect("a prefix");
    let stray = format!("{prefix}/00000000-0000-5000-8000-000000000000");
    let put = ingest.observer.put(&staging, &stray, b"stray".to_vec());
    put.await.expect("put");

    ingest.start("ingest_staging_uploader").await;

    ingest.check_preserved(&upload, &expected).await;
    ingest.stop().await;
}

/// Of payload files as of others: small ones and one that the store has copied from the tar. One is
/// lost altogether.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bit_that_flipped_in_a_staged_file_is_never_stored() {
    let store = "ingest_preservation_uploader";
    let mut ingest = Ingest::with(|name| name != store).await;
    let bag = BagBuilder::aptrust("photos")
        .file("data/hello.txt", "hello")
        .file("data/world.txt", "world")
        .generated_file("data/large.bin", 17 << 20, 1);
    let tar = bag.to_tar();
    let expected = expected_of(&tar);
    let upload = ingest.upload("photos.tar", tar).await;
    let queue = QueueName::IngestPreservationUploader;
    ingest.site.wait_until_waiting(queue).await;
    let staging = bucket(STAGING);
    let staged = ingest.staged_files().await;
    for key in &staged {
        let flipped = ingest.observer.flip_a_bit(&staging, key).await;
        flipped.expect("flipped");
    }
    let lost = ingest.observer.lose(&staging, &staged[0]).await;
    lost.expect("deleted");

    ingest.start(store).await;

    ingest.check_preserved(&upload, &expected).await;
    ingest.stop().await;
}

/// Before the manifests and tag files are judged, and before they are recorded.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_depositor_is_not_blamed_for_a_bit_that_flipped_in_our_staging() {
    let rows = [
        ("ingest_validator", QueueName::IngestValidator),
        ("ingest_recorder", QueueName::IngestRecorder),
    ];

    for (name, queue) in rows {
        let mut ingest = Ingest::with(|other| other != name).await;
        let (upload, expected) = ingest.deposit().await;
        ingest.site.wait_until_waiting(queue).await;
        for key in ingest.staged_files().await {
            let flipped = ingest.observer.flip_a_bit(&bucket(STAGING), &key).await;
            flipped.expect("flipped");
        }

        ingest.start(name).await;

        ingest.check_preserved(&upload, &expected).await;
        ingest.stop().await;
    }
}

/// Copies may have been made before the work store was lost: whatever the tar looks like now, its
/// item is not said to have failed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_fails_or_is_cleaned_once_storing_has_begun() {
    let mut ingest = Ingest::with(|name| name == "ingest_bucket_reader").await;
    let broken = BagBuilder::aptrust("broken").file("data/a", "a");
    let broken = broken.without_file_but_listed("data/b").to_tar();
    let uploads = [
        ingest.upload("no-tar.tar", b"no tar".repeat(200)).await,
        ingest.upload("broken.tar", broken).await,
    ];
    let staging = bucket(STAGING);
    for upload in &uploads {
        let item = ingest.item_of(upload).await;
        let marker = format!("{}/index/storing", item["id"]);
        let put = ingest.observer.put(&staging, &marker, b"1".to_vec());
        put.await.expect("put");
    }

    for name in ["ingest_pre_fetch", "ingest_validator", "ingest_cleanup"] {
        ingest.start(name).await;
    }

    for upload in &uploads {
        let ended = ingest.observer.wait_for_ending(upload, WITHIN).await;
        let item = ended.expect("answers");
        assert_eq!(item["status"], "Suspended", "{item:#}");
        let note = item["note"].as_str().expect("a note");
        assert!(
            note.contains("are in preservation storage already"),
            "{note}"
        );
    }
    ingest.stop().await;
}

/// The copies that were made would be known to nobody.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_item_that_is_to_fail_with_copies_in_preservation_is_not_cleaned() {
    let mut ingest = Ingest::with(|name| name != "ingest_preservation_verifier").await;
    let (upload, _) = ingest.deposit().await;
    let queue = QueueName::IngestPreservationVerifier;
    ingest.site.wait_until_waiting(queue).await;
    let staged = ingest.staged_files().await;
    let cleanup = QueueName::IngestCleanup;
    let item = ingest.item_of(&upload).await;
    ingest.site.put_at(&item, cleanup).await;

    ingest.start("ingest_preservation_verifier").await;

    let ended = ingest.observer.wait_for_ending(&upload, WITHIN).await;
    let halted = ended.expect("answers");
    assert_eq!(halted["status"], "Suspended", "{halted:#}");
    assert_eq!(ingest.staged_files().await, staged);
    ingest.stop().await;
}

/// Whatever loses the records, an operator hears of it; and then the item goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_item_does_not_come_back_to_be_validated_for_ever() {
    let mut ingest = Ingest::with(|name| name != "ingest_preservation_verifier").await;
    let (upload, expected) = ingest.deposit().await;
    let queue = QueueName::IngestPreservationVerifier;
    ingest.site.wait_until_waiting(queue).await;
    let item = ingest.item_of(&upload).await;
    let returns = format!("{}/index/returns", item["id"]);
    let staging = bucket(STAGING);
    let put = ingest.observer.put(&staging, &returns, b"9".to_vec());
    put.await.expect("put");

    let validate = QueueName::IngestValidator;
    ingest.site.put_at(&item, validate).await;
    let ended = ingest.observer.wait_for_ending(&upload, WITHIN).await;
    let halted = ended.expect("answers");
    let note = halted["note"].as_str().expect("a note");
    assert!(note.contains("lost 10 times"), "{halted:#}");

    ingest.site.put_at(&item, validate).await;
    ingest.start("ingest_preservation_verifier").await;
    ingest.check_preserved(&upload, &expected).await;
    ingest.stop().await;
}

/// Cancelled past Validate, with staged files: Cleanup takes them away, and leaves the tar.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_item_that_an_operator_cancels_leaves_nothing_but_its_tar() {
    let ingest = Ingest::with(|name| name != "ingest_staging_uploader").await;
    let (upload, _) = ingest.deposit().await;
    let queue = QueueName::IngestStagingUploader;
    ingest.site.wait_until_waiting(queue).await;
    ingest.staged_files().await;
    let item = ingest.item_of(&upload).await;

    let order = format!("items/cancel/{}", item["id"]);
    let reason = "reason=the%20depositor%20asked%20for%20it";
    let ordered = ingest.observer.order(&order, reason).await;
    ordered.expect("cancelled");

    let ended = ingest.observer.wait_for_ending(&upload, WITHIN).await;
    let ended = ended.expect("ends");
    let note = "Cancelled by an operator: the depositor asked for it";
    for (what, expected) in [
        ("status", "Cancelled"),
        ("stage", "Cleanup"),
        ("outcome", "Ingest cancelled"),
        ("note", note),
        ("reason", note),
    ] {
        assert_eq!(ended[what], expected, "{ended:#}");
    }
    let staged = ingest.observer.staged_keys().await.expect("listed");
    assert_eq!(staged, Vec::<String>::new());
    let receiving = bucket(RECEIVING);
    let tar = ingest.observer.stored(&receiving, "photos.tar");
    assert!(tar.await.expect("an answer").is_some(), "the tar stays");
    ingest.stop().await;
}
