//! A depositor: what its keys are good for, and that its file is all it needs.

use std::fs::File;
use std::path::Path;
use std::process::{Output, Stdio};

use aws_sdk_s3::error::ProvideErrorMetadata as _;
use muniment::up::depositor::{self, ClientAccess};
use muniment::up::{Options, System};
use muniment_bag_builder::BagBuilder;
use muniment_model::registry::{Listing, WorkItem};
use muniment_model::{Status, StorageTarget, WorkItemId};
use tempfile::TempDir;

use crate::process::{Up, run};
use crate::s3::{Operation, answer, ask, client, put};
use crate::site::{EXAMPLE_EDU, TEST_EDU};

#[tokio::test(flavor = "multi_thread")]
async fn a_depositors_key_opens_its_own_two_buckets_and_no_other() {
    let place = Place::start().await;
    let instance = place.system.instance();
    let [own, other] = &instance.institutions[..] else {
        panic!("two institutions");
    };
    let preserved = &instance.preservation_buckets[&StorageTarget::StandardVa];
    let buckets = [
        (own.receiving_bucket.as_str(), true),
        (own.restore_bucket.as_str(), true),
        (other.receiving_bucket.as_str(), false),
        (other.restore_bucket.as_str(), false),
        (preserved.as_str(), false),
        (instance.staging_bucket.as_str(), false),
        (instance.records_bucket.as_str(), false),
        ("nothing-of-this-name", false),
    ];
    let operator = client(&instance.s3, "us-east-1");
    for (bucket, _) in &buckets[..7] {
        put(&operator, bucket).await;
    }
    let depositor = client(&place.given(TEST_EDU).s3, "us-east-1");

    for (bucket, is_own) in buckets {
        for operation in Operation::ALL {
            let asked = ask(&depositor, operation, bucket, own.restore_bucket.as_str()).await;
            // The answer to a HEAD has no body, and so no code.
            let code = asked.code.as_deref().unwrap_or("AccessDenied");
            let is_denied = asked.status == 403 && code == "AccessDenied";
            assert_eq!(is_denied, !is_own, "{operation:?} {bucket}: {asked:?}");
        }
        for change in [
            answer(&depositor.create_bucket().bucket(bucket).send().await),
            answer(&depositor.delete_bucket().bucket(bucket).send().await),
        ] {
            assert_eq!(change.status, 403, "{bucket}: {change:?}");
        }
    }
    for (bucket, _) in &buckets[2..7] {
        let there = operator.list_objects_v2().bucket(*bucket).send().await;
        let there = there.expect("the operator may");
        assert_eq!(there.contents().len(), 1, "{bucket}");
    }
    place.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_depositor_is_shown_its_own_buckets_also_without_a_region() {
    let place = Place::start().await;
    let given = place.given(TEST_EDU);

    let listed = client(&given.s3, "us-east-1").list_buckets().send().await;
    // What `s3cmd` signs for when it is told no region: it asks again with the one in the answer.
    let unnamed = client(&given.s3, "US").list_buckets().send().await;

    let listed = listed.expect("is answered");
    let names: Vec<_> = listed
        .buckets()
        .iter()
        .filter_map(|one| one.name())
        .collect();
    assert_eq!(names, ["receiving.test.edu", "restore.test.edu"]);
    let unnamed = unnamed.expect_err("is told the region");
    assert_eq!(unnamed.code(), Some("AuthorizationHeaderMalformed"));
    let body = unnamed.raw_response().and_then(|raw| raw.body().bytes());
    let body = String::from_utf8_lossy(body.expect("a body"));
    assert!(body.contains("<Region>us-east-1</Region>"), "{body}");
    place.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_depositor_needs_its_file_and_nothing_else() {
    let place = Place::start().await;
    let bag = BagBuilder::aptrust("letters").file("data/a", "a");
    let tar = place.folder.path().join(bag.key());
    std::fs::write(&tar, bag.to_tar()).expect("writes");
    let (tar, own) = (tar.to_str().expect("its name"), place.file(TEST_EDU));
    let (own, other) = (own.as_path(), place.file(EXAMPLE_EDU));

    let deposited = muniment(&["deposit", "--wait", tar], own).await;
    let foreign = muniment(&["deposit", "--bucket=receiving.example.edu", tar], own).await;
    let (shown, hidden) = (items(own).await, items(&other).await);

    assert!(deposited.status.success(), "{deposited:?}");
    let answer = String::from_utf8_lossy(&deposited.stdout);
    assert!(answer.starts_with("letters.tar: Success"), "{answer}");
    assert!(!foreign.status.success(), "{foreign:?}");
    let said = String::from_utf8_lossy(&foreign.stderr);
    assert!(said.contains("refused our credentials"), "{said}");
    let shown: Vec<_> = shown
        .iter()
        .map(|item| (item.name.as_str(), item.status))
        .collect();
    assert_eq!(shown, [("letters.tar", Status::Success)]);
    assert!(hidden.is_empty(), "{hidden:?}");
    place.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_stay_over_restarts_and_end_when_they_are_renewed() {
    let place = Place::start().await;
    let first = place.given(TEST_EDU);
    std::fs::remove_file(place.file(TEST_EDU)).expect("removes");

    let again = Place::on(place.stop().await).await;
    let second = again.given(TEST_EDU);
    let folder = again.stop().await;
    let data = folder.path().join("data");
    let arguments = [
        "renew-key",
        TEST_EDU,
        "--data",
        data.to_str().expect("its name"),
    ];
    let renewed = run(&arguments).await;
    let last = Place::on(folder).await;
    let third = last.given(TEST_EDU);

    assert!(second == first, "the same file again");
    assert!(renewed.status.success(), "{renewed:?}");
    assert_ne!(third.s3.access_key, first.s3.access_key);
    let old = client(&first.s3, "us-east-1").list_buckets().send().await;
    assert_eq!(old.expect_err("refused").code(), Some("InvalidAccessKeyId"));
    let new = client(&third.s3, "us-east-1").list_buckets().send().await;
    assert!(new.is_ok(), "{new:?}");
    let old_user = first
        .registry
        .settings()
        .connect_as_member()
        .expect("a client");
    let refused = old_user.work_item(WorkItemId(1)).await;
    assert!(refused.is_err(), "{refused:?}");
    last.stop().await;
}

/// An operator who is asked why an upload was refused finds it in the log.
#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_refused_is_logged_with_its_reason() {
    let folder = tempfile::tempdir().expect("a folder");
    let (data, log) = (folder.path().join("data"), folder.path().join("log"));
    let file = File::create(&log).expect("a log");
    let mut up = Up::spawn_logging(&data, "info", Stdio::from(file));
    up.ready(&data).await;
    let mut given = ClientAccess::read(&depositor::file(&data, TEST_EDU)).expect("a file");
    given.s3.access_key = "nobody".to_owned();
    let client = client(&given.s3, "us-east-1");

    let listed = client.list_objects_v2().bucket("receiving.test.edu");
    let refused = listed.send().await;

    assert_eq!(
        refused.expect_err("refused").code(),
        Some("InvalidAccessKeyId")
    );
    drop(up);
    let logged = std::fs::read_to_string(&log).expect("a log");
    let lines = logged.lines().filter(|line| line.contains("was refused"));
    let [line] = lines.collect::<Vec<_>>()[..] else {
        panic!("{logged}");
    };
    for part in ["INFO", "/receiving.test.edu", "403", "InvalidAccessKeyId"] {
        assert!(line.contains(part), "{part}: {line}");
    }
}

/// A system, and the folder in which its data folder is.
struct Place {
    system: System,
    folder: TempDir,
}

impl Place {
    async fn start() -> Self {
        Self::on(tempfile::tempdir().expect("a folder")).await
    }

    /// Stopped, and its folder free again.
    async fn stop(self) -> TempDir {
        self.system.stop().await;
        self.folder
    }

    async fn on(folder: TempDir) -> Self {
        let system = System::start(&Options::on(folder.path().join("data"))).await;
        let system = system.expect("the system starts");
        Self { system, folder }
    }

    fn file(&self, institution: &str) -> std::path::PathBuf {
        depositor::file(&self.folder.path().join("data"), institution)
    }

    fn given(&self, institution: &str) -> ClientAccess {
        ClientAccess::read(&self.file(institution)).expect("a depositor's file")
    }
}

/// The command with nothing but the depositor's file.
async fn muniment(arguments: &[&str], file: &Path) -> Output {
    let file = file.to_str().expect("its name");
    run(&[arguments, &["--instance", file]].concat()).await
}

async fn items(file: &Path) -> Vec<WorkItem> {
    let output = muniment(&["status", "--json"], file).await;
    assert!(output.status.success(), "{output:?}");
    let listing: Listing<WorkItem> = serde_json::from_slice(&output.stdout).expect("a list");
    listing.results
}
