//! Files: batches that may be sent twice, replaced bytes, superseded copies, counters.

use std::time::Instant;

use muniment_model::registry::{EventType, GenericFile, RecordState, Recorded};
use muniment_model::{StorageOption, WorkItemId};
use muniment_registry_client::{FileQuery, PageRequest};
use reqwest::StatusCode;
use serde_json::json;

use crate::kit::{ADMIN, Site, file};

#[tokio::test]
async fn a_batch_sent_twice_is_recorded_once_and_answers_the_same() {
    let site = Site::start().await;
    let object = site.object("a", WorkItemId(7)).await;
    let files: Vec<_> = (0..3)
        .map(|n| file(&object, &format!("data/{n}"), 1))
        .collect();

    let first = save(&site, &files).await;
    site.clock.advance_seconds(60);
    let second = save(&site, &files).await;

    assert_eq!(first, second);
    let names: Vec<_> = first.iter().map(|file| &file.identifier).collect();
    let sent: Vec<_> = files.iter().map(|file| &file.identifier).collect();
    assert_eq!(names, sent);
    assert_eq!(counts(&site).await, [3, 12, 6, 27]);
    assert!(first.iter().all(|file| {
        let events = file.premis_events.iter().all(|event| event.id > 0);
        events && file.checksums.len() == 4 && file.storage_records.len() == 2
    }));
}

/// With their events, what our recorder sends is megabytes, and it would look at none of them again.
#[tokio::test]
async fn who_prefers_a_minimal_answer_is_recorded_alike_and_sent_nothing_back() {
    let site = Site::start().await;
    let object = site.object("a", WorkItemId(7)).await;
    let files = [file(&object, "data/1", 1), file(&object, "data/2", 1)];
    let path = format!("{}/admin-api/v3/files/create_batch/1", site.url);

    for preference in ["return=minimal", "wait=5, Return=Minimal; x"] {
        let sent = reqwest::Client::new()
            .post(&path)
            .header("X-Pharos-API-User", ADMIN)
            .header("X-Pharos-API-Key", site.key(ADMIN))
            .header("Prefer", preference)
            .body(json!(files).to_string());
        let answer = sent.send().await.unwrap();

        assert_eq!(answer.status(), StatusCode::NO_CONTENT, "{preference}");
        let applied = &answer.headers()["preference-applied"];
        assert_eq!(applied, "return=minimal", "{preference}");
        assert_eq!(answer.text().await.unwrap(), "", "{preference}");
        assert_eq!(counts(&site).await, [2, 8, 4, 18], "{preference}");
    }
    let client = site.client();
    let recorded = client.record_files(site.institution, WorkItemId(0), &files);
    recorded.await.unwrap();
    assert_eq!(counts(&site).await, [2, 8, 4, 18]);
}

#[tokio::test]
async fn missing_children_are_added_and_echoed_ones_are_skipped() {
    let site = Site::start().await;
    let object = site.object("a", WorkItemId(7)).await;
    let whole = file(&object, "data/1", 1);
    let mut partial = whole.clone();
    partial.checksums.truncate(1);
    partial.storage_records.truncate(1);
    partial.premis_events.truncate(1);

    let saved = save(&site, &[partial]).await;
    save(&site, &[whole]).await;
    save(&site, &saved).await;

    assert_eq!(counts(&site).await, [1, 4, 2, 9]);
}

#[tokio::test]
async fn a_changed_file_takes_a_new_key_and_its_former_copies_are_superseded() {
    let site = Site::start().await;
    let object = site.object("a", WorkItemId(7)).await;
    let before = save(&site, &[file(&object, "data/1", 1)]).await.remove(0);
    site.clock.advance_seconds(60);
    let mut again = object.clone();
    again.work_item_id = WorkItemId(8);
    site.client().save_object(&again).await.unwrap();
    let mut changed = file(&object, "data/1", 2);
    changed.id = before.id;
    changed.size = 11;
    changed.storage_option = StorageOption::WasabiVa;

    let after = save(&site, &[changed.clone()]).await.remove(0);
    let repeated = save(&site, &[changed.clone()]).await.remove(0);

    assert_eq!(
        (after.id, after.uuid, after.size),
        (before.id, changed.uuid, 11)
    );
    assert_eq!(after.storage_option, StorageOption::Standard);
    assert_eq!(after.created_at, before.created_at);
    let superseded: Vec<_> = after
        .storage_records
        .iter()
        .map(|record| record.superseded_at.is_some())
        .collect();
    assert_eq!(superseded, [true, true, false, false]);
    assert_eq!(repeated.storage_records, after.storage_records);
    let identifiers = [after.identifier.clone(), "test.edu/a/data/none".to_owned()];
    let found = site.client().lookup_files(object.id, &identifiers).await;
    let found = found.unwrap();
    // Superseded copies too: they tell a worker that this row replaced another.
    assert_eq!(found[0].storage_records, after.storage_records);
    assert_eq!((found.len(), found[0].premis_events.len()), (1, 0));
}

/// The copies would otherwise be deleted after their undo time, although the file has these bytes.
#[tokio::test]
async fn copies_of_bytes_that_come_back_are_current_again() {
    let site = Site::start().await;
    let object = site.object("a", WorkItemId(7)).await;
    let first = file(&object, "data/1", 1);
    let id = save(&site, std::slice::from_ref(&first)).await[0].id;
    let version = |seed| GenericFile {
        id,
        ..file(&object, "data/1", seed)
    };
    let superseded = |saved: &GenericFile| -> Vec<_> {
        let copies = saved.storage_records.iter();
        copies.map(|copy| copy.superseded_at.is_some()).collect()
    };

    let replaced = save(&site, &[version(2)]).await.remove(0);
    // A copy sent alone says nothing of the bytes that the file has.
    let mut lone = first.storage_records[0].clone();
    lone.generic_file_id = id;
    let path = format!("/admin-api/v3/storage_records/create/{}", site.institution);
    let (status, _) = site.post(&path, json!(lone)).await;
    assert!(status.is_success(), "{status}");
    let echoed = save(&site, std::slice::from_ref(&replaced)).await.remove(0);
    let back = save(&site, &[version(1)]).await.remove(0);
    let repeated = save(&site, &[version(1), file(&object, "data/2", 1)]).await;

    assert_eq!(superseded(&replaced), [true, true, false, false]);
    assert_eq!(superseded(&echoed), [true, true, false, false]);
    assert_eq!(back.uuid, first.uuid);
    assert_eq!(superseded(&back), [false, false, true, true]);
    assert_eq!(repeated[0].storage_records, back.storage_records);
}

#[tokio::test]
async fn an_event_identifier_of_something_else_is_refused_and_named() {
    let site = Site::start().await;
    let object = site.object("a", WorkItemId(7)).await;
    let other = site.object("b", WorkItemId(7)).await;
    let known = save(&site, &[file(&object, "data/0", 1)]).await.remove(0);
    let taken = known.premis_events[0].identifier;
    let stealing = |mut thief: GenericFile| {
        thief.premis_events[3].identifier = taken;
        thief
    };
    let mut retyped = file(&object, "data/0", 1);
    for event in &mut retyped.premis_events {
        event.event_type = EventType::Replication;
    }
    let mut twins = [file(&object, "data/3", 1), file(&object, "data/4", 1)];
    twins[1].premis_events[8].identifier = twins[0].premis_events[8].identifier;
    let rows = [
        ("another file", stealing(file(&object, "data/1", 1)), None),
        ("another object", stealing(file(&other, "data/1", 1)), None),
        ("another type", retyped, None),
        ("the same batch", twins[1].clone(), Some(twins[0].clone())),
    ];

    for (name, bad, before) in rows {
        let good = before.unwrap_or_else(|| file(&object, "data/good", 1));
        let text = format!("file 1 ({}): event identifier ", bad.identifier);
        let path = "/admin-api/v3/files/create_batch/1";
        let (status, body) = site.post(path, json!([good, bad])).await;
        assert_eq!(status, StatusCode::CONFLICT, "{name}");
        let found = body["Error"].as_str().unwrap();
        assert!(found.starts_with(&text), "{name}: {found}");
        assert!(
            found.ends_with(" has already been taken"),
            "{name}: {found}"
        );
    }
    assert_eq!(counts(&site).await, [1, 4, 2, 9]);
}

#[tokio::test]
async fn what_an_item_recorded_is_counted_for_it_alone() {
    let site = Site::start().await;
    let first = site.item("a", 1).await.id;
    let second = site.item("a", 2).await.id;
    let mut object = site.object("a", first).await;
    let files: Vec<_> = (0..3)
        .map(|n| file(&object, &format!("data/{n}"), 1))
        .collect();
    let saved = save(&site, &files).await;
    let before = site.client().recorded(first).await.unwrap();
    object.work_item_id = second;
    site.client().save_object(&object).await.unwrap();
    let mut changed = file(&object, "data/0", 2);
    changed.id = saved[0].id;

    save(&site, &[changed, file(&object, "data/new", 2)]).await;

    let recorded = |id, count, storage_records| Recorded {
        intellectual_object_id: id,
        files: count,
        storage_records,
    };
    assert_eq!(before, recorded(object.id, 3, 6));
    let after = site.client().recorded(first).await.unwrap();
    assert_eq!(after, recorded(0, 2, 4));
    let ours = site.client().recorded(second).await.unwrap();
    assert_eq!(ours, recorded(object.id, 2, 4));
}

#[tokio::test]
async fn a_batch_fails_as_a_whole_and_names_the_file() {
    let site = Site::start().await;
    let object = site.object("a", WorkItemId(7)).await;
    let stored = save(&site, &[file(&object, "data/0", 1)]).await.remove(0);
    let good = || file(&object, "data/good", 1);
    let change = |edit: fn(&mut GenericFile)| {
        let mut changed = file(&object, "data/bad", 1);
        edit(&mut changed);
        changed
    };
    let mut thief = change(|_| {});
    thief.uuid = stored.uuid;
    let mut unknown = change(|_| {});
    unknown.id = 99;
    let rows = [
        (
            file(&object, "data/0", 2),
            409,
            "test.edu/a/data/0): identifier has already been taken",
        ),
        (
            thief,
            409,
            "test.edu/a/data/bad): uuid has already been taken",
        ),
        (
            unknown,
            400,
            "test.edu/a/data/bad): resource or institution id mismatch",
        ),
        (
            change(|file| file.intellectual_object_id = 99),
            400,
            "test.edu/a/data/bad): IntellectualObjectID: there is no such object",
        ),
        (
            change(|file| file.checksums[3].digest.clear()),
            400,
            "test.edu/a/data/bad): Digest: Checksum Digest is not one of its algorithm",
        ),
    ];

    for (bad, status, expected) in rows {
        let batch = json!([good(), bad]);
        let path = "/admin-api/v3/files/create_batch/1";
        let (found, body) = site.post(path, batch).await;
        let text = body["Error"].as_str().unwrap();
        assert_eq!(
            (found.as_u16(), text),
            (status, format!("file 1 ({expected}").as_str())
        );
    }
    assert_eq!(counts(&site).await, [1, 4, 2, 9]);
}

#[tokio::test]
async fn a_batch_reaches_no_other_institutions_object() {
    let site = Site::start().await;
    let object = site.object("a", WorkItemId(7)).await;
    let mut foreign = file(&object, "data/1", 1);
    foreign.institution_id = site.other;

    let path = format!("/admin-api/v3/files/create_batch/{}", site.other);
    let (status, _) = site.post(&path, json!([foreign])).await;

    assert_eq!(status, StatusCode::BAD_REQUEST);
}

/// Counters are moved, not counted. They must say what counting would.
#[tokio::test]
async fn a_word_of_no_list_is_refused_and_named() {
    let site = Site::start().await;
    let object = site.object("a", WorkItemId(7)).await;
    let mut batch = json!([file(&object, "data/0", 1), file(&object, "data/1", 1)]);
    batch[1]["premis_events"][2]["event_type"] = json!("x");
    let mut one = json!(file(&object, "data/2", 1));
    one["state"] = json!("x");
    let event = "file 1 (test.edu/a/data/1): premis_events[2].event_type: ";
    let rows = [
        ("/admin-api/v3/files/create_batch/1", batch, event),
        ("/admin-api/v3/files/create/1", one, "state: "),
        (
            "/admin-api/v3/files/create_batch/1",
            json!(7),
            "the body cannot be read: ",
        ),
    ];

    for (path, body, expected) in rows {
        let (status, reply) = site.post(path, body).await;

        assert_eq!(status, StatusCode::BAD_REQUEST);
        let text = reply["Error"].as_str().unwrap();
        assert!(text.starts_with(expected), "{text}");
    }
}

#[tokio::test]
async fn an_objects_counters_follow_its_files() {
    let site = Site::start().await;
    let object = site.object("a", WorkItemId(7)).await;
    let mut files = vec![
        file(&object, "data/1", 1),
        file(&object, "data/2", 1),
        file(&object, "bag-info.txt", 1),
    ];
    let saved = save(&site, &files).await;
    save(&site, &files).await;
    files[0] = file(&object, "data/1", 2);
    files[0].id = saved[0].id;
    files[0].size = 100;
    save(&site, &files[..1]).await;
    let mut deleted = saved[1].clone();
    deleted.state = RecordState::Deleted;
    let path = format!("/admin-api/v3/files/update/{}", deleted.id);

    let (status, _) = site.put(&path, json!(deleted)).await;

    assert_eq!(status, StatusCode::OK);
    let (_, shown) = site
        .get(&format!("/admin-api/v3/objects/show/{}", object.id))
        .await;
    let found = ["file_count", "size", "payload_file_count", "payload_size"]
        .map(|member| shown[member].as_i64().unwrap());
    assert_eq!(found, [2, 105, 1, 100]);
}

#[tokio::test]
async fn a_fixity_check_is_noted_on_its_file() {
    let site = Site::start().await;
    let object = site.object("a", WorkItemId(7)).await;
    let saved = save(&site, &[file(&object, "data/1", 1)]).await.remove(0);
    let mut check = saved.premis_events[0].clone();
    check.id = 0;
    check.identifier = uuid::Uuid::from_u128(77);
    check.event_type = EventType::FixityCheck;
    check.date_time = Some("2026-03-01T00:00:00Z".parse().unwrap());

    let (status, _) = site.post("/admin-api/v3/events/create", json!(check)).await;

    let found = site
        .client()
        .file(&saved.identifier)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(status, StatusCode::CREATED);
    assert_eq!(found.last_fixity_check, check.date_time);
    assert_eq!(found.premis_events.len(), 10);
}

/// Events are posted again after a lost answer, and checkers run beside each other.
#[tokio::test]
async fn an_older_fixity_check_does_not_move_the_last_one_back() {
    let site = Site::start().await;
    let object = site.object("a", WorkItemId(7)).await;
    let saved = save(&site, &[file(&object, "data/1", 1)]).await.remove(0);
    let check = |number, time: &str| {
        let mut check = saved.premis_events[0].clone();
        check.id = 0;
        check.identifier = uuid::Uuid::from_u128(number);
        check.event_type = EventType::FixityCheck;
        check.date_time = Some(time.parse().unwrap());
        check
    };
    let [later, earlier] = ["2026-03-01T00:00:00Z", "2026-02-01T00:00:00Z"];

    for event in [check(77, later), check(78, earlier)] {
        let (status, _) = site.post("/admin-api/v3/events/create", json!(event)).await;
        assert_eq!(status, StatusCode::CREATED);
    }
    // Written by a client that read the file before the check.
    let echoed = save(&site, std::slice::from_ref(&saved)).await.remove(0);

    assert_eq!(echoed.last_fixity_check, check(0, later).date_time);
    let shown = site
        .client()
        .file(&saved.identifier)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(shown.premis_events.len(), 11, "both checks are recorded");
}

/// The longest batch our recorder sends; the time is printed, the budget is a second.
#[tokio::test]
async fn a_full_batch_is_recorded_in_one_request() {
    let site = Site::start().await;
    let object = site.object("a", WorkItemId(7)).await;
    let files: Vec<_> = (0..500)
        .map(|n| file(&object, &format!("data/{n}"), 1))
        .collect();

    let begun = Instant::now();
    let client = site.client();
    let send = async || {
        client
            .save_files(site.institution, WorkItemId(7), &files)
            .await
            .unwrap()
    };
    let saved = send().await;
    let first = begun.elapsed();
    let repeated = send().await;
    let both = begun.elapsed();

    println!("500 files with 7,500 children: {first:?}; sent twice: {both:?}");
    assert_eq!(client.calls(), 2);
    assert_eq!(saved, repeated);
    let query = FileQuery {
        object_id: Some(object.id),
        state: Some(RecordState::Active),
        storage_options: vec![StorageOption::Standard],
        ..FileQuery::default()
    };
    let page = PageRequest {
        page: 25,
        per_page: 20,
    };
    let last = client.files(&query, page).await.unwrap();
    assert_eq!(
        (last.count, last.results.len(), last.next.as_str()),
        (500, 20, "")
    );
}

async fn save(site: &Site, files: &[GenericFile]) -> Vec<GenericFile> {
    site.client()
        .save_files(site.institution, WorkItemId(0), files)
        .await
        .unwrap()
}

/// Files, checksums, copies and events there are.
async fn counts(site: &Site) -> [i64; 4] {
    let mut found = [0; 4];
    for (place, list) in ["files", "checksums", "storage_records", "events"]
        .iter()
        .enumerate()
    {
        let (_, body) = site.get(&format!("/admin-api/v3/{list}?per_page=1")).await;
        found[place] = body["count"].as_i64().unwrap();
    }
    found
}
