//! What must be true after a bag was accepted (worker contract, part 4), asserted with an
//! independent tar reader, by S3 and REST only.

use std::collections::BTreeMap;
use std::io::Read;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use muniment_model::{Algorithm, Digests, StorageOption};
use serde_json::Value;

use crate::site::{View, encoded};

/// One regular member of a bag, as another tar reader sees it.
struct Member {
    path: String,
    size: u64,
    digests: Digests,
}

/// Asserts everything that an accepted bag leaves behind. `manifests`: how many payload manifests
/// it has.
pub(crate) async fn assert_preserved(
    view: &View,
    (institution, name): (&str, &str),
    tar: &[u8],
    option: StorageOption,
    manifests: usize,
) {
    let item = view.ending_of(&format!("{name}.tar")).await;
    assert_eq!(item["status"], "Success", "{item:#}");
    assert_eq!(item["stage"], "Cleanup");
    assert_eq!(item["note"], "Finished cleanup. Ingest complete.");
    assert_eq!(item["outcome"], "Ingest complete");
    assert_eq!(item["retry"], false);
    assert_eq!(item["node"], "");

    let identifier = format!("{institution}/{name}");
    let object = view
        .rest(&format!("objects/show/{}", encoded(&identifier)))
        .await;
    assert_eq!(item["intellectual_object_id"], object["id"]);
    assert_eq!(object["storage_option"], option.as_str());
    assert_eq!(object["state"], "A");

    let kept = members_of(tar)
        .into_iter()
        .filter(|member| is_preserved(&member.path))
        .collect::<Vec<_>>();
    assert_eq!(object["file_count"], kept.len() as u64, "{object:#}");
    for member in &kept {
        assert_file(view, &identifier, member, option, manifests).await;
    }
    assert_object_events(view, &object).await;
    assert_deposit_record(view, &identifier, &item, kept.len()).await;

    let item_prefix = format!("{}/", item["id"]);
    let staged = view.staged().await;
    assert!(
        !staged.iter().any(|key| key.starts_with(&item_prefix)),
        "{staged:?}"
    );
    let received = view.keys(&view.receiving(institution)).await;
    assert!(!received.contains(&format!("{name}.tar")), "{received:?}");
}

async fn assert_file(
    view: &View,
    object: &str,
    member: &Member,
    option: StorageOption,
    manifests: usize,
) {
    let identifier = format!("{object}/{}", member.path);
    let file = view
        .rest(&format!("files/show/{}", encoded(&identifier)))
        .await;
    assert_eq!(file["size"], member.size, "{identifier}");
    let recorded: BTreeMap<_, _> = each(&file["checksums"])
        .map(|one| (one["algorithm"].clone().to_string(), one["digest"].clone()))
        .collect();
    assert_eq!(each(&file["checksums"]).count(), 4, "{identifier}");
    for algorithm in Algorithm::ALL {
        let digest = &recorded[&format!("\"{algorithm}\"")];
        assert_eq!(*digest, member.digests.hex(algorithm), "{identifier}");
    }
    let copies = option.targets().len();
    assert_eq!(each(&file["storage_records"]).count(), copies);
    let in_manifests = if member.path.starts_with("data/") {
        manifests
    } else {
        0
    };
    let replication = usize::from(copies == 2);
    assert_eq!(
        each(&file["premis_events"]).count(),
        in_manifests + 4 + 1 + replication + 2,
        "{identifier}: {:#}",
        file["premis_events"]
    );
    for record in each(&file["storage_records"]) {
        assert_copy(view, object, member, (&file, record)).await;
    }
}

async fn assert_copy(view: &View, object: &str, member: &Member, (file, record): (&Value, &Value)) {
    let url = record["url"].as_str().expect("a URL");
    let host = format!(".{}/", view.instance.storage_host);
    let (_, place) = url.split_once(&host).expect("the configured host");
    let (bucket, key) = place.split_once('/').expect("a bucket and a key");
    assert_eq!(file["uuid"], key);
    let stored = view
        .s3
        .get_object()
        .bucket(bucket)
        .key(key)
        .send()
        .await
        .expect("a preserved copy");
    assert_eq!(stored.content_type(), file["file_format"].as_str());
    let metadata = stored.metadata().cloned().expect("metadata");
    let (institution, _) = object.split_once('/').expect("an institution");
    let sha256 = member.digests.hex(Algorithm::Sha256);
    let expected = [
        ("institution", institution.to_owned()),
        ("bag", object.to_owned()),
        ("md5", member.digests.hex(Algorithm::Md5)),
        ("sha256", sha256.clone()),
    ];
    for (name, value) in expected {
        assert_eq!(metadata.get(name), Some(&value), "{url}");
    }
    let path = if member.path.is_ascii() {
        metadata.get("bagpath").cloned()
    } else {
        let encoded = metadata.get("bagpath-encoded").expect("an encoded path");
        url::form_urlencoded::parse(format!("p={encoded}").as_bytes())
            .next()
            .map(|(_, path)| path.into_owned())
    };
    assert_eq!(path.as_deref(), Some(member.path.as_str()));
    let bytes = stored.body.collect().await.expect("bytes").into_bytes();
    let found = muniment_digest::digest(&bytes).hex(Algorithm::Sha256);
    assert_eq!(found, sha256, "{url}");
}

async fn assert_object_events(view: &View, object: &Value) {
    let path = format!(
        "events?intellectual_object_id={}&generic_file_id__is_null=true&per_page=100",
        object["id"]
    );
    let events = view.rest(&path).await;
    let types: Vec<_> = each(&events["results"])
        .filter_map(|event| event["event_type"].as_str())
        .collect();
    assert_eq!(types.len(), 4, "{types:?}");
}

async fn assert_deposit_record(view: &View, identifier: &str, item: &Value, kept: usize) {
    let stored = view
        .s3
        .get_object()
        .bucket(view.instance.records_bucket.as_str())
        .key(format!("{identifier}/{}.jsonl.zst", item["id"]))
        .send()
        .await
        .expect("a deposit record");
    let packed = stored.body.collect().await.expect("bytes").into_bytes();
    let text = zstd::decode_all(packed.as_ref()).expect("zstd");
    let text = String::from_utf8(text).expect("UTF-8");
    let lines: Vec<&str> = text.lines().collect();
    let (last, before) = lines.split_last().expect("lines");
    let end: Value = serde_json::from_str(last).expect("the end line");
    assert_eq!(end["line"], "end");
    assert_eq!(end["files"], kept as u64);
    let bodies: BTreeMap<String, Vec<u8>> = before
        .iter()
        .map(|line| serde_json::from_str::<Value>(line).expect("a line"))
        .filter(|line| line["line"] == "tag_file")
        .map(|line| {
            let body = line["base64"].as_str().expect("base64");
            let path = line["path"].as_str().expect("a path");
            (path.to_owned(), STANDARD.decode(body).expect("base64"))
        })
        .collect();
    assert!(bodies["bagit.txt"].starts_with(b"BagIt-Version: "));
    assert!(bodies.keys().any(|path| path.starts_with("manifest-")));
    let summed = before.join("\n") + "\n";
    let sha256 = muniment_digest::digest(summed.as_bytes()).hex(Algorithm::Sha256);
    assert_eq!(end["sha256"], sha256);
}

/// Asserts that a rejected or cancelled item left nothing but its tar and its note.
pub(crate) async fn assert_nothing_kept(view: &View, institution: &str, key: &str, tar: &[u8]) {
    assert_eq!(view.preserved().await, Vec::<String>::new());
    let stored = view
        .s3
        .get_object()
        .bucket(view.receiving(institution))
        .key(key)
        .send()
        .await
        .expect("the tar is still there");
    let bytes = stored.body.collect().await.expect("bytes").into_bytes();
    assert!(bytes == tar, "the tar of {key} was changed");
}

pub(crate) fn each(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

fn members_of(tar: &[u8]) -> Vec<Member> {
    let mut archive = tar::Archive::new(tar);
    let entries = archive.entries().expect("a tar");
    let mut members = Vec::new();
    for entry in entries {
        let mut entry = entry.expect("an entry");
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let path = String::from_utf8(entry.path_bytes().into_owned()).expect("UTF-8");
        let (_, path) = path.split_once('/').expect("a folder");
        let path = path.to_owned();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).expect("bytes");
        members.push(Member {
            path,
            size: bytes.len() as u64,
            digests: muniment_digest::digest(&bytes),
        });
    }
    members
}

fn is_preserved(path: &str) -> bool {
    let made_anew = path == "bagit.txt"
        || path == "fetch.txt"
        || path.starts_with("manifest-")
        || path.starts_with("tagmanifest-");
    !made_anew
}
