//! The whole system on an S3 store that is not ours: `SeaweedFS`.
//!
//! One server for one long test, because a start of it takes seconds: bags go in, are kept, refused and
//! changed, as on the store of one machine, and nothing is left over.

use std::path::Path;
use std::process::Output;

use muniment::up::depositor;
use muniment::up::instance::Instance;
use muniment::up::{Options, StoreKeys, StoreOptions};
use muniment_bag_builder::BagBuilder;
use muniment_model::{Algorithm, Status, StorageOption};
use muniment_observer::Observer;
use muniment_seaweedfs::{ACCESS_KEY, SECRET_KEY, SeaweedFs};
use tempfile::TempDir;

use crate::checks::{
    assert_nothing_staged, assert_preserved, assert_refused_beside, deposit, deposit_bag, ending_of,
};
use crate::process::run;
use crate::site::{EXAMPLE_EDU, Site, TEST_EDU};

#[tokio::test(flavor = "multi_thread")]
async fn bags_are_ingested_on_a_store_elsewhere_as_on_our_own() {
    let seaweedfs = SeaweedFs::start().await.expect("starts");
    let folder = tempfile::tempdir().expect("a folder");
    let store = StoreOptions {
        url: Some(seaweedfs.url().parse().expect("a URL")),
        region: None,
        keys: Some(StoreKeys {
            access_key: ACCESS_KEY.into(),
            secret_key: SECRET_KEY.into(),
        }),
    };
    let options = Options {
        store,
        ..Options::on(folder.path())
    };
    let site = Site::start_as(folder, options).await;

    bags_are_kept(&site.view).await;
    a_bad_bag_is_refused(&site.view).await;
    a_changed_bag_is_kept_anew(&site.view).await;
    nothing_is_left_over(&site).await;

    // The folder remembers its store.
    let site = Site::start_on(site.stopped().await).await;
    assert!(site.system.instance().is_elsewhere());
    depositors_bring_keys_of_the_store(&site).await;
    nothing_is_left_over(&site).await;
    site.stop().await;
}

async fn bags_are_kept(view: &Observer) {
    let small = BagBuilder::aptrust("letters")
        .manifests(&[Algorithm::Md5, Algorithm::Sha256])
        .file("data/letter.txt", "Dear all,")
        .file("data/empty.bin", "")
        .file("data/ü/naïve name+1.txt", "not plain ASCII");
    let far = BagBuilder::aptrust("far")
        .storage_option(StorageOption::WasabiVa)
        .file("data/a.txt", "a");
    let mut large = BagBuilder::btr("mixed")
        .manifests(&[Algorithm::Sha256])
        .generated_file("data/just-under.bin", (16 << 20) - 1, 1)
        .generated_file("data/large.bin", 40 << 20, 2);
    for n in 0..120 {
        large = large.generated_file(format!("data/small/{n}.txt"), n % 700, n);
    }
    let bags = [
        deposit_bag(view, TEST_EDU, &small, StorageOption::Standard).await,
        deposit_bag(view, TEST_EDU, &far, StorageOption::WasabiVa).await,
        deposit_bag(view, EXAMPLE_EDU, &large, StorageOption::Standard).await,
    ];

    // Each copy is read there, and has the recorded digests.
    for bag in &bags {
        assert_preserved(view, bag).await;
    }
}

async fn a_bad_bag_is_refused(view: &Observer) {
    let tar = BagBuilder::aptrust("broken")
        .file("data/letter.txt", "Dear all,")
        .corrupt_digest("data/letter.txt")
        .to_tar();

    let upload = deposit(view, TEST_EDU, "broken.tar", &tar).await;

    assert_refused_beside(view, &upload, &tar).await;
}

async fn a_changed_bag_is_kept_anew(view: &Observer) {
    let bag = |letter: &str| {
        BagBuilder::aptrust("again")
            .file("data/letter.txt", letter)
            .file("data/same.txt", "the same")
            .generated_file("data/large.bin", 17 << 20, 3)
            .to_tar()
    };
    let uuids = async || {
        let mut uuids = Vec::new();
        for path in ["letter.txt", "same.txt", "large.bin"] {
            let file = view.file(&format!("test.edu/again/data/{path}")).await;
            uuids.push(file.expect("an answer").expect("a file")["uuid"].clone());
        }
        uuids
    };

    let first = deposit(view, TEST_EDU, "again.tar", &bag("first")).await;
    ending_of(view, &first).await;
    let before = uuids().await;
    let second = deposit(view, TEST_EDU, "again.tar", &bag("second")).await;
    let second = ending_of(view, &second).await;
    let after = uuids().await;

    assert_eq!(second["status"], "Success", "{second:#}");
    assert_ne!(after[0], before[0]);
    assert_eq!(after[1..], before[1..]);
    let differences = view.check_fetchable("test.edu/again").await;
    let differences = differences.expect("answers");
    assert!(differences.is_empty(), "{differences}");
}

async fn depositors_bring_keys_of_the_store(site: &Site) {
    let folder = tempfile::tempdir().expect("a folder");
    let (own, theirs) = (write_bag(&folder, "own"), write_bag(&folder, "theirs"));
    let file = depositor::file(site.data(), TEST_EDU);
    let keys = ["--s3-access-key", ACCESS_KEY, "--s3-secret-key", SECRET_KEY];

    let by_operator = muniment(&["deposit", "--wait", &own], "--data", site.data()).await;
    let keyless = muniment(&["deposit", &theirs], "--instance", &file).await;
    let words = [&["deposit", "--wait", theirs.as_str()], &keys[..]].concat();
    let by_depositor = muniment(&words, "--instance", &file).await;
    let listed = muniment(&["status"], "--instance", &file).await;

    for (done, bag) in [(&by_operator, "own.tar"), (&by_depositor, "theirs.tar")] {
        let said = String::from_utf8_lossy(&done.stdout);
        assert!(done.status.success(), "{done:?}");
        assert!(
            said.starts_with(&format!("{bag}: {}", Status::Success)),
            "{said}"
        );
    }
    assert_eq!(keyless.status.code(), Some(1), "{keyless:?}");
    let said = String::from_utf8_lossy(&keyless.stderr);
    assert!(said.contains("its file has no keys to that"), "{said}");
    assert!(listed.status.success(), "{listed:?}");
    let given = std::fs::read_to_string(&file).expect("a file");
    assert!(!given.contains(SECRET_KEY), "{given}");
}

fn write_bag(folder: &TempDir, name: &str) -> String {
    let bag = BagBuilder::aptrust(name).file("data/a", "a");
    let tar = folder.path().join(bag.key());
    std::fs::write(&tar, bag.to_tar()).expect("writes");
    tar.to_str().expect("its name").to_owned()
}

async fn muniment(words: &[&str], which: &str, path: &Path) -> Output {
    let path = path.to_str().expect("its name");
    run(&[words, &[which, path]].concat()).await
}

async fn nothing_is_left_over(site: &Site) {
    site.has_nothing_left().await;
    assert_nothing_staged(&site.view).await;
    let instance: &Instance = site.system.instance();
    for bucket in instance.buckets() {
        let open = site.view.open_uploads(bucket).await.expect("lists");
        assert_eq!(open, Vec::<String>::new(), "{bucket}");
    }
}
