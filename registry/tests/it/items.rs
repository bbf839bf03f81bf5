//! Work items: created once per upload, updated under their version.

use muniment_model::registry::WorkItem;
use muniment_model::{Action, Class, Classify, Stage, Status, WorkItemId};
use muniment_registry_client::{ClientError, MadeItem, PageRequest, WorkItemQuery};
use reqwest::StatusCode;
use serde_json::json;

use crate::kit::{Site, upload};

#[tokio::test]
async fn the_same_upload_is_one_item_and_any_other_date_is_another() {
    let site = Site::start().await;
    let client = site.client();
    let item = upload(site.institution, "test.edu", "a", 1);

    let first = client.create_work_item(&item).await.unwrap();
    site.clock.advance_seconds(60);
    let second = client.create_work_item(&item).await.unwrap();
    let later = upload(site.institution, "test.edu", "a", 2);
    let third = client.create_work_item(&later).await.unwrap();

    assert!(matches!(first, MadeItem::New(_)));
    assert_eq!(second, MadeItem::Existing(first.into_item()));
    assert!(matches!(third, MadeItem::New(_)));
}

/// An upload is the same upload also after its item has ended.
#[tokio::test]
async fn a_repeated_scan_does_nothing_after_any_ending() {
    let site = Site::start().await;
    let mut item = site.item("a", 1).await;
    item.status = Status::Failed;
    let ended = site.client().update_work_item(&item).await.unwrap();

    let again = upload(site.institution, "test.edu", "a", 1);
    let made = site.client().create_work_item(&again).await.unwrap();

    assert_eq!(made, MadeItem::Existing(ended));
}

/// A bucket may change hands while an upload lies in it.
#[tokio::test]
async fn an_upload_that_another_institution_has_is_answered_with_its_item() {
    let site = Site::start().await;
    let item = site.item("a", 1).await;
    let mut again = upload(site.other, "test.edu", "a", 1);
    again.note = "another".to_owned();

    let made = site.client().create_work_item(&again).await.unwrap();

    assert_eq!(made, MadeItem::Existing(item));
}

#[tokio::test]
async fn every_update_raises_the_version_and_an_old_one_is_refused() {
    let site = Site::start().await;
    let client = site.client();
    let item = site.item("a", 1).await;
    let mut started = item.clone();
    started.status = Status::Started;
    started.node = "host".to_owned();
    let started = client.update_work_item(&started).await.unwrap();

    let mut stale = item;
    stale.note = "another".to_owned();
    let refused = client.update_work_item(&stale).await.unwrap_err();

    assert_eq!(started.version, 2);
    assert!(matches!(refused, ClientError::VersionConflict { .. }));
    assert_eq!(refused.class(), Class::Permanent);
    let stored = client.work_item(started.id).await.unwrap();
    assert_eq!(stored, Some(started));
}

/// The answer to an update may be lost. The repetition meets a newer version, which is its own.
#[tokio::test]
async fn an_update_that_was_carried_out_already_counts_as_done() {
    let site = Site::start().await;
    let client = site.client();
    let mut item = site.item("a", 1).await;
    item.stage = Stage::Validate;
    item.intended_status = Some(Status::Failed);
    item.reason = "data/letter — 1912.txt is missing".to_owned();
    let first = client.update_work_item(&item).await.unwrap();

    let second = client.update_work_item(&item).await.unwrap();

    assert_eq!(second, first);
    assert_eq!(second.version, 2);
    assert_eq!(second.reason, item.reason);
}

#[tokio::test]
async fn a_plain_put_needs_no_version_and_a_wrong_one_answers_412() {
    let site = Site::start().await;
    let item = site.item("a", 1).await;
    let path = format!("/admin-api/v3/items/update/{}", item.id);
    let mut body = json!(item);
    body.as_object_mut().unwrap().remove("version");

    let (plain, stored) = site.put(&path, body.clone()).await;
    let refused = reqwest::Client::new()
        .put(format!("{}{path}", site.url))
        .header("X-Pharos-API-User", crate::kit::ADMIN)
        .header("X-Pharos-API-Key", site.key(crate::kit::ADMIN))
        .header("If-Match", "\"1\"")
        .body(body.to_string())
        .send()
        .await
        .unwrap();

    assert_eq!((plain, &stored["version"]), (StatusCode::OK, &json!(2)));
    assert_eq!(refused.status(), StatusCode::PRECONDITION_FAILED);
    assert_eq!(
        refused.text().await.unwrap(),
        r#"{"StatusCode":412,"Error":"the work item is at version 2, not 1"}"#
    );
}

#[tokio::test]
async fn what_identifies_an_upload_stays_and_the_object_is_filled_in_once() {
    let site = Site::start().await;
    let item = site.item("a", 1).await;
    let object = site.object("a", item.id).await;
    let other = site.object("b", item.id).await;
    let change = async |edit: fn(&mut WorkItem)| {
        let mut wanted = site.client().work_item(item.id).await.unwrap().unwrap();
        edit(&mut wanted);
        site.client().update_work_item(&wanted).await
    };

    let renamed = change(|wanted| wanted.name.insert(0, 'x')).await;
    let mut filled = site.client().work_item(item.id).await.unwrap().unwrap();
    filled.intellectual_object_id = object.id;
    let filled = site.client().update_work_item(&filled).await.unwrap();
    let mut moved = filled.clone();
    moved.intellectual_object_id = other.id;
    let moved = site.client().update_work_item(&moved).await;

    assert!(matches!(renamed, Err(ClientError::Rejected { .. })));
    assert_eq!(filled.object_identifier, "test.edu/a");
    assert!(matches!(moved, Err(ClientError::Rejected { .. })));
}

type Edit = fn(&mut WorkItem);

/// A deletion takes two persons. One key must not make what the second one approves.
#[tokio::test]
async fn no_client_makes_a_deletion_or_an_approval() {
    let site = Site::start().await;
    let made = site.item("a", 1).await;
    let edits: [(&str, Edit); 4] = [
        ("action", |item| item.action = Action::Delete),
        ("aptrust_approver", |item| {
            item.aptrust_approver = "admin@system.test".to_owned();
        }),
        ("inst_approver", |item| {
            item.inst_approver = "manager@test.edu".to_owned();
        }),
        ("deletion_request_id", |item| item.deletion_request_id = 5),
    ];

    for (what, edit) in edits {
        let mut new = upload(site.institution, "test.edu", "b", 2);
        let mut changed = made.clone();
        edit(&mut new);
        edit(&mut changed);
        let created = site.client().create_work_item(&new).await;
        let updated = site.client().update_work_item(&changed).await;

        assert!(
            matches!(created, Err(ClientError::Rejected { .. })),
            "{what}"
        );
        assert!(
            matches!(updated, Err(ClientError::Rejected { .. })),
            "{what}"
        );
    }
    assert_eq!(site.client().work_item(made.id).await.unwrap(), Some(made));
}

#[tokio::test]
async fn open_items_are_read_page_by_page_although_some_end_meanwhile() {
    let site = Site::start().await;
    let client = site.client();
    let mut ended = site.item("ended", 1).await;
    ended.status = Status::Cancelled;
    client.update_work_item(&ended).await.unwrap();
    let mut suspended = site.item("suspended", 4).await;
    suspended.status = Status::Suspended;
    client.update_work_item(&suspended).await.unwrap();
    let mut started = site.item("b", 2).await;
    started.status = Status::Started;
    client.update_work_item(&started).await.unwrap();
    let open = [started, site.item("c", 3).await];

    let mut pages = client.open_work_items();
    let first = pages.next().await.unwrap().unwrap();
    let second = pages.next().await.unwrap();

    let ids: Vec<_> = first.iter().map(|item| item.id).collect();
    assert_eq!(ids, open.map(|item| item.id));
    assert_eq!(second, None);
}

#[tokio::test]
async fn items_are_found_by_what_the_workers_ask_for() {
    let site = Site::start().await;
    let client = site.client();
    let mut item = site.item("a", 1).await;
    item.node = "host".to_owned();
    item.status = Status::Started;
    client.update_work_item(&item).await.unwrap();
    site.item("b", 2).await;
    let rows = [
        ("node__is_null=true", 1),
        ("node__not_null=true", 1),
        ("node__is_null=false", 1),
        ("queued_at__is_null=true", 2),
        ("intellectual_object_id__is_null=true", 2),
        ("status__in=Pending&status__in=Started", 2),
        ("status=Started&name=a.tar", 1),
        (
            "name=a.tar&etag=0123456789abcdef0123456789abcdef&action=Ingest",
            1,
        ),
        ("bag_date__gteq=2026-01-05T10:00:02Z", 1),
        ("bag_date__gteq=2026-01-05T12:00:02%2B02:00", 1),
        ("stage=Cleanup", 0),
        ("name=", 2),
    ];

    for (query, expected) in rows {
        let (status, list) = site.get(&format!("/admin-api/v3/items?{query}")).await;
        assert_eq!(status, StatusCode::OK, "{query}");
        assert_eq!(list["count"], expected, "{query}");
    }
    let query = WorkItemQuery {
        name: Some("a.tar".to_owned()),
        statuses: vec![Status::Started],
        ..WorkItemQuery::default()
    };
    let listing = client.work_items(&query, PageRequest::LONGEST).await;
    assert_eq!(listing.unwrap().count, 1);
}

#[tokio::test]
async fn an_item_that_is_not_there_is_none() {
    let site = Site::start().await;

    let found = site.client().work_item(WorkItemId(99)).await.unwrap();

    assert_eq!(found, None);
}
