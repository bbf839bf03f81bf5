//! Pages, orders and filters.

use muniment_model::WorkItemId;
use muniment_model::registry::{GenericFile, RecordState};
use reqwest::StatusCode;
use serde_json::Value;

use crate::kit::{Site, file};

#[tokio::test]
async fn pages_of_equal_rows_follow_each_other_without_gap_or_repetition() {
    let site = Site::start().await;
    for second in 1..=7 {
        site.item("a", second).await;
    }

    let mut path = "/admin-api/v3/items?sort=name&per_page=3".to_owned();
    let mut ids = Vec::new();
    while !path.is_empty() {
        let (_, list) = site.get(&path).await;
        assert_eq!(list["count"], 7);
        ids.extend(numbers(&list));
        list["next"].as_str().unwrap().clone_into(&mut path);
    }

    assert_eq!(ids, [1, 2, 3, 4, 5, 6, 7]);
}

#[tokio::test]
async fn the_first_page_has_no_previous_and_the_last_no_next() {
    let site = Site::start().await;
    for second in 1..=3 {
        site.item("a", second).await;
    }
    let rows = [
        (1, "/admin-api/v3/items?page=2&per_page=2", ""),
        (2, "", "/admin-api/v3/items?page=1&per_page=2"),
        (9, "", "/admin-api/v3/items?page=8&per_page=2"),
    ];

    for (page, next, previous) in rows {
        let path = format!("/admin-api/v3/items?page={page}&per_page=2");
        let (_, list) = site.get(&path).await;
        assert_eq!(
            (&list["next"], &list["previous"]),
            (&next.into(), &previous.into()),
            "{page}"
        );
    }
}

#[tokio::test]
async fn the_last_updated_come_first_unless_asked_otherwise() {
    let site = Site::start().await;
    let mut first = site.item("a", 1).await;
    site.clock.advance_seconds(1);
    site.item("b", 2).await;
    site.clock.advance_seconds(1);
    first.note = "touched".to_owned();
    site.client().update_work_item(&first).await.unwrap();
    let rows = [
        ("", [1, 2]),
        ("?sort=id", [1, 2]),
        ("?sort=id__desc", [2, 1]),
        ("?sort=name__desc&sort=id", [2, 1]),
    ];

    for (query, expected) in rows {
        let (_, list) = site.get(&format!("/admin-api/v3/items{query}")).await;
        assert_eq!(numbers(&list), expected, "{query}");
    }
}

/// Digests are indexed by their first eight characters.
#[tokio::test]
async fn a_digest_is_found_as_a_whole_and_not_by_its_beginning() {
    let site = Site::start().await;
    let object = site.object("a", WorkItemId(1)).await;
    let files = [file(&object, "data/1", 1)];
    let saved = site
        .client()
        .save_files(site.institution, WorkItemId(1), &files)
        .await;
    let saved = saved.unwrap().remove(0);
    let digest = &saved.checksums[0].digest;
    let (beginning, rest) = digest.split_at(8);
    let rows = [
        (digest.clone(), 1),
        (beginning.to_owned(), 0),
        (format!("{beginning}{}", "0".repeat(rest.len())), 0),
    ];

    for (asked, expected) in rows {
        let (_, list) = site
            .get(&format!("/admin-api/v3/checksums?digest={asked}"))
            .await;
        assert_eq!(list["count"], expected, "{asked}");
    }
}

#[tokio::test]
async fn lists_answer_with_and_without_a_slash_at_the_end() {
    let site = Site::start().await;
    let lists = [
        "items",
        "objects",
        "files",
        "events",
        "checksums",
        "institutions",
    ];

    for list in lists {
        let path = format!("/admin-api/v3/{list}/?per_page=1");
        assert_eq!(site.get(&path).await.0, StatusCode::OK, "{list}");
    }
}

#[tokio::test]
async fn prefixes_ignore_case_and_mean_what_they_say() {
    let site = Site::start().await;
    site.object("Photos_1", WorkItemId(1)).await;
    site.object("photosX1", WorkItemId(2)).await;
    let rows = [
        ("test.edu/PHOTOS", 2),
        ("test.edu/photos_", 1),
        ("test.edu/%25", 0),
        ("photos", 0),
    ];

    for (prefix, expected) in rows {
        let path = format!("/admin-api/v3/objects?identifier__starts_with={prefix}");
        assert_eq!(site.get(&path).await.1["count"], expected, "{prefix}");
    }
    let parts = [("EXAMPLE", 1), ("of", 2), ("%25", 0), ("_", 0)];
    for (part, expected) in parts {
        let path = format!("/admin-api/v3/institutions?name__contains={part}");
        assert_eq!(site.get(&path).await.1["count"], expected, "{part}");
    }
}

/// Values go into the statement as values. This guards against a filter that is ever glued in.
#[tokio::test]
async fn hostile_values_are_only_values() {
    let site = Site::start().await;
    site.item("a", 1).await;
    let values = [
        "' OR '1'='1",
        "a.tar'; DROP TABLE work_items; --",
        "\\",
        "%00",
    ];

    for value in values {
        let path = format!("/admin-api/v3/items?name={value}");
        let (status, list) = site.get(&path).await;
        assert_eq!(
            (status, &list["count"]),
            (StatusCode::OK, &0.into()),
            "{value}"
        );
    }
    assert_eq!(site.get("/admin-api/v3/items").await.1["count"], 1);
}

#[tokio::test]
async fn a_page_of_files_brings_their_children_and_the_member_list_their_digests() {
    let site = Site::start().await;
    let object = site.object("a", WorkItemId(1)).await;
    let files: Vec<_> = (0..3)
        .map(|n| file(&object, &format!("data/{n}"), 1))
        .collect();
    site.client()
        .save_files(site.institution, WorkItemId(1), &files)
        .await
        .unwrap();

    let path = "/admin-api/v3/files?intellectual_object_identifier=test.edu/a&sort=identifier";
    let (_, full) = site.get(path).await;
    let (_, views) = site.get("/member-api/v3/files?sort=identifier").await;

    let (full, view) = (&full["results"][1], &views["results"][1]);
    assert_eq!(full["premis_events"].as_array().unwrap().len(), 9);
    assert_eq!(full["checksums"].as_array().unwrap().len(), 4);
    assert_eq!(view["sha256"], files[1].checksums[2].digest);
    assert_eq!(view["object_identifier"], "test.edu/a");
    assert_eq!(full["identifier"], view["identifier"]);
}

/// What a worker asks before it reads a bag that was ingested before. No page repeats or leaves out a file,
/// though others are added meanwhile.
#[tokio::test]
async fn the_sizes_of_active_files_come_in_pages_of_a_thousand() {
    let site = Site::start().await;
    let object = site.object("a", WorkItemId(1)).await;
    let other = site.object("b", WorkItemId(2)).await;
    let sized = |number: u64, state| GenericFile {
        size: number,
        state,
        premis_events: Vec::new(),
        ..file(&object, &format!("data/{number}"), 1)
    };
    let client = site.client();
    let save = async |files: &[GenericFile]| {
        let none = WorkItemId(0);
        let saved = client.save_files(site.institution, none, files).await;
        saved.unwrap();
    };
    let active: Vec<_> = (0..1_000)
        .map(|number| sized(number, RecordState::Active))
        .collect();
    save(&active).await;
    let deleted = sized(1_000, RecordState::Deleted);
    let last = sized(1_001, RecordState::Active);
    save(&[deleted, last, file(&other, "data/0", 1)]).await;

    let first = client.file_sizes(object.id, 0).await.unwrap();
    save(&[sized(1_002, RecordState::Active)]).await;
    let second = client.file_sizes(object.id, first[999].id).await.unwrap();
    let none = client.file_sizes(object.id, second[1].id).await.unwrap();

    assert_eq!((first.len(), second.len(), none.len()), (1_000, 2, 0));
    let expected = (0..1_000).chain([1_001, 1_002]);
    for (found, number) in first.iter().chain(&second).zip(expected) {
        let identifier = format!("test.edu/a/data/{number}");
        assert_eq!((&found.identifier, found.size), (&identifier, number));
    }
}

fn numbers(list: &Value) -> Vec<i64> {
    let rows = list["results"].as_array().unwrap();
    rows.iter().map(|row| row["id"].as_i64().unwrap()).collect()
}
