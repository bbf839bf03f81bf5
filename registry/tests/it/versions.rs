//! The versions of a file: which digests and copies are of the bytes that it has now.

use muniment_model::WorkItemId;
use muniment_model::registry::{Checksum, GenericFile, IntellectualObject};
use reqwest::StatusCode;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::kit::{Site, file};

/// Bytes may go A, B, A, B: what is current is never the newest by date.
#[tokio::test]
async fn bytes_that_come_back_have_their_digests_again_and_no_others() {
    let site = Site::start().await;
    let object = site.object("a", WorkItemId(7)).await;
    let (a, b) = (digests_of(&object, 1), digests_of(&object, 2));
    let mut id = 0;

    for (deposit, digests) in (10..).zip([&a, &b, &a, &b]) {
        site.clock.advance_seconds(60);
        // A deposit gives the file a uuid of its own, whatever the bytes.
        let sent = GenericFile {
            id,
            checksums: digests.clone(),
            ..file(&object, "data/1", deposit)
        };
        id = save(&site, &sent).await.id;

        let shown = shown(&site, &sent).await;
        assert_eq!(hex(&shown.checksums), hex(digests), "{deposit}");
        let versions = shown.checksums.iter().map(|digest| digest.version);
        assert!(versions.into_iter().all(|of| of == Some(sent.uuid)));
        let (_, members) = site.get("/member-api/v3/files").await;
        assert_eq!(members["results"][0]["sha256"], digests[2].digest);
        let looked_up = looked_up(&site, &sent).await;
        let current: Vec<_> = looked_up
            .checksums
            .into_iter()
            .filter(|digest| digest.superseded_at.is_none())
            .collect();
        assert_eq!(hex(&current), hex(digests), "{deposit}");
    }
    let (_, all) = site.get("/admin-api/v3/checksums?per_page=100").await;
    assert_eq!(all["count"], 16, "no digest of any version is lost");
}

/// Workers of the original overwrite a changed file under its uuid, and send fewer digests than ours.
#[tokio::test]
async fn digests_of_bytes_that_were_overwritten_under_one_uuid_are_superseded() {
    let site = Site::start().await;
    let object = site.object("a", WorkItemId(7)).await;
    let first = file(&object, "data/1", 1);
    let id = save(&site, &first).await.id;
    let (a, b) = (first.checksums.clone(), digests_of(&object, 2));
    let overwritten = |digests: &[Checksum]| GenericFile {
        id,
        checksums: digests.to_vec(),
        premis_events: Vec::new(),
        ..first.clone()
    };

    for digests in [&b[..3], &a[..3], &b[..3]] {
        let sent = overwritten(digests);
        save(&site, &sent).await;
        save(&site, &sent).await;

        let shown = shown(&site, &sent).await;
        assert_eq!(hex(&shown.checksums), hex(digests));
        assert_eq!(shown.storage_records.len(), 2);
    }
}

#[tokio::test]
async fn superseded_copies_are_listed_only_when_they_are_asked_for() {
    let site = Site::start().await;
    let object = site.object("a", WorkItemId(7)).await;
    let first = file(&object, "data/1", 1);
    let id = save(&site, &first).await.id;
    let second = GenericFile {
        id,
        ..file(&object, "data/1", 2)
    };
    save(&site, &second).await;

    let copies = async |query: &str| urls(&site.get(&format!("/admin-api/v3/{query}")).await.1);

    let (live, kept) = (urls_of(&second), urls_of(&first));
    assert_eq!(copies("storage_records?sort=id").await, live);
    let asked = "storage_records?sort=id&superseded_at__not_null=";
    assert_eq!(copies(&format!("{asked}false")).await, live);
    assert_eq!(copies(&format!("{asked}true")).await, kept);
    assert_eq!(urls_of(&shown(&site, &second).await), live);
    let (_, list) = site.get("/admin-api/v3/files").await;
    let listed: GenericFile = serde_json::from_value(list["results"][0].clone()).unwrap();
    assert_eq!(urls_of(&listed), live);
    let known = looked_up(&site, &second).await;
    let versions: Vec<_> = known
        .storage_records
        .iter()
        .map(|copy| copy.version)
        .collect();
    let (old, new) = (Some(first.uuid), Some(second.uuid));
    assert_eq!(versions, [old, old, new, new]);
}

/// Who would undo a re-ingest, or remove what it replaced, reads there how long there is.
#[tokio::test]
async fn a_superseded_copy_says_until_when_it_is_kept() {
    let site = Site::start().await;
    let object = site.object("a", WorkItemId(7)).await;
    let first = file(&object, "data/1", 1);
    let id = save(&site, &first).await.id;
    let second = GenericFile {
        id,
        ..file(&object, "data/1", 2)
    };
    save(&site, &second).await;
    let copies = async |query: &str| {
        let path = format!("/admin-api/v3/storage_records?sort=id&{query}");
        site.get(&path).await.1
    };

    let superseded = copies("superseded_at__not_null=true").await;
    let shown = format!(
        "/admin-api/v3/storage_records/show/{}",
        superseded["results"][0]["id"]
    );
    let (_, shown) = site.get(&shown).await;
    let current = copies("").await;

    // Thirty days after the clock of these tests.
    for copy in [&superseded["results"][0], &superseded["results"][1], &shown] {
        assert_eq!(copy["superseded_at"], "2026-01-05T10:05:01.123456Z");
        assert_eq!(copy["kept_until"], "2026-02-04T10:05:01.123456Z");
    }
    assert_eq!(current["results"][0]["kept_until"], "0001-01-01T00:00:00Z");
    let rows = [
        ("2026-01-05T10:05:02Z", urls_of(&first)),
        ("2026-01-05T10:05:01Z", Vec::new()),
    ];
    for (time, expected) in rows {
        let query = format!("superseded_at__not_null=true&superseded_at__lteq={time}");
        assert_eq!(urls(&copies(&query).await), expected, "{time}");
    }
}

/// A copy that comes after its file has taken other bytes.
#[tokio::test]
async fn a_late_copy_of_a_former_version_is_superseded_from_the_start() {
    let site = Site::start().await;
    let object = site.object("a", WorkItemId(7)).await;
    let present = file(&object, "data/1", 1);
    let id = save(&site, &present).await.id;
    let former = Uuid::from_u128(5);
    let rows = [
        (format!("https://s3.example.com/late/{former}"), true),
        (
            format!("https://s3.example.com/late/{}", present.uuid),
            false,
        ),
        (
            "https://s3.example.com/late/named-otherwise".to_owned(),
            false,
        ),
    ];

    for (url, superseded) in rows {
        let path = format!("/admin-api/v3/storage_records/create/{}", site.institution);
        let body = json!({"generic_file_id": id, "url": url});
        let (status, made) = site.post(&path, body).await;

        assert_eq!(status, StatusCode::CREATED, "{url}");
        let is_superseded = made["superseded_at"] != "0001-01-01T00:00:00Z";
        assert_eq!(is_superseded, superseded, "{url}");
    }
}

#[tokio::test]
async fn a_file_with_two_digests_of_one_algorithm_is_refused() {
    let site = Site::start().await;
    let object = site.object("a", WorkItemId(7)).await;
    let mut twofold = file(&object, "data/1", 1);
    twofold.checksums.push(digests_of(&object, 2).remove(0));

    let path = format!("/admin-api/v3/files/create/{}", site.institution);
    let (status, _) = site.post(&path, json!(twofold)).await;

    assert_eq!(status, StatusCode::CONFLICT);
}

fn digests_of(object: &IntellectualObject, seed: u128) -> Vec<Checksum> {
    file(object, "data/1", seed).checksums
}

async fn save(site: &Site, file: &GenericFile) -> GenericFile {
    let files = std::slice::from_ref(file);
    let saved = site
        .client()
        .save_files(site.institution, WorkItemId(0), files)
        .await;
    saved.unwrap().remove(0)
}

async fn shown(site: &Site, file: &GenericFile) -> GenericFile {
    let found = site.client().file(&file.identifier).await;
    found.unwrap().unwrap()
}

async fn looked_up(site: &Site, file: &GenericFile) -> GenericFile {
    let identifiers = [file.identifier.clone()];
    let found = site
        .client()
        .lookup_files(file.intellectual_object_id, &identifiers)
        .await;
    found.unwrap().remove(0)
}

fn hex(checksums: &[Checksum]) -> Vec<String> {
    let mut hex: Vec<_> = checksums.iter().map(|one| one.digest.clone()).collect();
    hex.sort_unstable();
    hex
}

fn urls_of(file: &GenericFile) -> Vec<String> {
    file.storage_records
        .iter()
        .map(|copy| copy.url.clone())
        .collect()
}

fn urls(list: &Value) -> Vec<String> {
    let rows = list["results"].as_array().into_iter().flatten();
    rows.map(|row| row["url"].as_str().unwrap().to_owned())
        .collect()
}
