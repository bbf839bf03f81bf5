//! Bags that other people's tools made, deposited over S3. They are beside the project and no part of
//! it: where they are absent, this says so.

use std::path::{Path, PathBuf};

use muniment_observer::Upload;

use crate::checks::{deposit, ending_of};
use crate::site::{EXAMPLE_EDU, Site, TEST_EDU};

const BAGS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/bags");

/// A tar, the texts that must be among its findings (none: it is accepted), and its storage option.
type Row = (&'static str, &'static [&'static str], &'static str);

const ROWS: &[Row] = &[
    ("aptrust/example.edu.sample_good.tar", &[], "Standard"),
    ("aptrust/example.edu.tagsample_good.tar", &[], "Standard"),
    (
        "aptrust/example.edu.sample_glacier_oh.tar",
        &[],
        "Glacier-OH",
    ),
    (
        "aptrust/example.edu.sample_glacier_or.tar",
        &[],
        "Glacier-OR",
    ),
    (
        "aptrust/example.edu.sample_glacier_va.tar",
        &[],
        "Glacier-VA",
    ),
    (
        "aptrust/example.edu.sample_wrong_folder_name.tar",
        &[],
        "Standard",
    ),
    (
        "aptrust/example.edu.fetchtxt.tar",
        &["Bag has fetch.txt file which profile does not allow"],
        "",
    ),
    (
        "aptrust/example.edu.sample_bad_access.tar",
        &["In file aptrust-info.txt, tag Access has illegal value 'Hands Off!'"],
        "",
    ),
    (
        "aptrust/example.edu.sample_bad_checksums.tar",
        &[
            "doesn't match manifest checksum",
            "Required tag Access in file aptrust-info.txt is missing",
        ],
        "",
    ),
    (
        "aptrust/example.edu.sample_missing_data_file.tar",
        &[
            "data/datastream-DC in manifest-md5.txt is missing from bag",
            "Required tag Access in file aptrust-info.txt is missing",
        ],
        "",
    ),
    (
        "aptrust/example.edu.sample_no_aptrust_info.tar",
        &[
            "Required tag Title in file aptrust-info.txt is missing",
            "Required tag Access in file aptrust-info.txt is missing",
        ],
        "",
    ),
    (
        "aptrust/example.edu.sample_no_bagit.tar",
        &[
            "Missing required tag bagit.txt/BagIt-Version.",
            "Required tag Access in file aptrust-info.txt is missing",
        ],
        "",
    ),
    (
        "aptrust/example.edu.sample_no_md5_manifest.tar",
        &["Bag is missing required manifest 'md5'"],
        "",
    ),
    (
        "aptrust/example.edu.sample_no_title.tar",
        &["In file aptrust-info.txt, required tag Title has no value"],
        "",
    ),
    ("btr/test.edu.btr_good_sha256.tar", &[], "Standard"),
    (
        "btr/test.edu.btr-glacier-deep-oh.tar",
        &[],
        "Glacier-Deep-OH",
    ),
    (
        "btr/test.edu.btr_bad_checksums.tar",
        &["doesn't match manifest checksum"],
        "",
    ),
];

fn institution_of(bag: &str) -> &'static str {
    if bag.starts_with("btr/") {
        TEST_EDU
    } else {
        EXAMPLE_EDU
    }
}

fn key_of(bag: &Path) -> String {
    bag.file_name()
        .expect("a name")
        .to_string_lossy()
        .into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_shared_bag_ends_as_its_readme_says() {
    let folder = PathBuf::from(BAGS);
    if !folder.exists() {
        println!("skipped: {BAGS} is not there");
        return;
    }
    let site = Site::start().await;
    let mut uploads = Vec::new();
    for (bag, _, _) in ROWS {
        let tar = std::fs::read(folder.join(bag)).expect("a bag");
        let key = key_of(Path::new(bag));
        uploads.push(deposit(&site.view, institution_of(bag), &key, &tar).await);
    }

    for (upload, (bag, texts, option)) in uploads.iter().zip(ROWS) {
        let item = ending_of(&site.view, upload).await;
        let note = item["note"].as_str().unwrap_or_default();
        let expected = if texts.is_empty() {
            "Success"
        } else {
            "Failed"
        };
        assert_eq!(item["status"], expected, "{bag}: {item:#}");
        for text in *texts {
            assert!(note.contains(text), "{bag}: {note}");
        }
        if texts.is_empty() {
            let path = format!("objects/show/{}", item["intellectual_object_id"]);
            let object = site.view.rest(&path).await.expect("an object");
            assert_eq!(object["storage_option"], *option, "{bag}");
        }
    }
    re_ingest(&site, &folder, &uploads).await;
    site.stop().await;
}

/// `updated/` holds a bag of the same name with changes.
async fn re_ingest(site: &Site, folder: &Path, uploads: &[Upload]) {
    let key = "example.edu.tagsample_good.tar";
    let first = uploads.iter().find(|one| one.key == key);
    let first = ending_of(&site.view, first.expect("is in the table")).await;
    let tar = std::fs::read(folder.join("aptrust/updated").join(key)).expect("a bag");
    let second = deposit(&site.view, EXAMPLE_EDU, key, &tar).await;
    let second = ending_of(&site.view, &second).await;
    assert_eq!(second["status"], "Success", "{second:#}");
    assert_eq!(
        second["intellectual_object_id"],
        first["intellectual_object_id"]
    );
    let identifier = "example.edu/example.edu.tagsample_good";
    let object = site.view.object(identifier).await.expect("an answer");
    let object = object.expect("an object");
    assert_eq!(object["id"], second["intellectual_object_id"]);
}
