//! What operators order: that an item goes on, or that it ends.

use muniment_model::registry::WorkItem;
use muniment_model::{ObjectIdentifier, Stage, Status};
use muniment_registry_client::LockAnswer::{HeldBy, Taken};
use reqwest::StatusCode;

use crate::kit::{ADMIN, MANAGER, MEMBER, Site};

const REQUEUE: &str = "/admin-api/v3/items/requeue/1";
const CANCEL: &str = "/admin-api/v3/items/cancel/1";

#[tokio::test]
async fn a_suspended_item_goes_on_where_it_is_or_where_the_form_says() {
    let rows = [
        ("", Stage::Store),
        ("stage=", Stage::Store),
        ("stage=Copy+To+Staging", Stage::CopyToStaging),
        ("stage=Reingest%20Check", Stage::ReingestCheck),
    ];

    for (form, stage) in rows {
        let site = Site::start().await;
        suspended(&site, Stage::Store).await;

        let (status, body) = site.order(REQUEUE, ADMIN, form).await;

        let expected =
            format!(r#"{{"Message":"Requeued WorkItem 1 to {stage}","StatusCode":200}}"#);
        assert_eq!((status, body), (StatusCode::OK, expected), "{form}");
        // `apt_queue` gives its message to every open item that has none.
        let open = site
            .client()
            .open_work_items()
            .next()
            .await
            .unwrap()
            .unwrap();
        assert_eq!((open[0].stage, open[0].status), (stage, Status::Pending));
        assert_eq!(open[0].note, format!("Requeued for {stage}"));
        assert!(open[0].retry && !open[0].needs_admin_review);
    }
}

#[tokio::test]
async fn a_cancelled_item_goes_to_cleanup_and_has_its_lock_until_it_ends() {
    let site = Site::start().await;
    let bag = ObjectIdentifier::new("test.edu", "a");
    let item = suspended(&site, Stage::ReingestCheck).await;
    site.client().take_lock(item.id, &bag).await.unwrap();
    let mut next = site.item("a", 2).await;
    next.stage = Stage::ReingestCheck;
    let next = site.client().update_work_item(&next).await.unwrap();

    let (status, body) = site.order(CANCEL, ADMIN, "reason=withdrawn").await;

    let expected = r#"{"Message":"Cancelling WorkItem 1","StatusCode":200}"#;
    assert_eq!((status, body.as_str()), (StatusCode::OK, expected));
    let cancelled = site.client().work_item(item.id).await.unwrap().unwrap();
    assert_eq!(
        (cancelled.stage, cancelled.status),
        (Stage::Cleanup, Status::Pending)
    );
    assert_eq!(cancelled.intended_status, Some(Status::Cancelled));
    assert_eq!(cancelled.reason, "Cancelled by an operator: withdrawn");
    let waits = site.client().take_lock(next.id, &bag).await.unwrap();
    assert_eq!(waits, HeldBy(item.id));
    let mut ended = cancelled;
    ended.status = Status::Cancelled;
    site.client().update_work_item(&ended).await.unwrap();
    let goes_on = site.client().take_lock(next.id, &bag).await.unwrap();
    assert_eq!(goes_on, Taken);
}

#[tokio::test]
async fn an_order_that_the_item_cannot_follow_is_refused_and_changes_nothing() {
    let of_item = |text: &str| format!("work item 1 {text}");
    let rows = [
        (
            CANCEL,
            "",
            StatusCode::CONFLICT,
            of_item("is being stored: it ends in Success or stays with an operator. Requeue it"),
        ),
        (
            REQUEUE,
            "stage=Record",
            StatusCode::BAD_REQUEST,
            of_item("is at Store and cannot skip to Record"),
        ),
        (
            REQUEUE,
            "stage=Package",
            StatusCode::BAD_REQUEST,
            "item cannot be requeued to the specified stage".to_owned(),
        ),
        (
            REQUEUE,
            "stage=Nowhere",
            StatusCode::BAD_REQUEST,
            r#"\"Nowhere\" is not one of the registry's words for a stage"#.to_owned(),
        ),
        (
            REQUEUE,
            "stge=Receive",
            StatusCode::BAD_REQUEST,
            r#"the form has no field \"stge\""#.to_owned(),
        ),
    ];

    let site = Site::start().await;
    let item = suspended(&site, Stage::Store).await;
    for (path, form, expected, text) in rows {
        let (status, body) = site.order(path, ADMIN, form).await;

        assert_eq!(status, expected, "{form}");
        assert!(body.contains(&text), "{body}");
        assert_eq!(
            site.client().work_item(item.id).await.unwrap(),
            Some(item.clone())
        );
    }
}

#[tokio::test]
async fn an_ended_item_that_is_requeued_past_the_check_has_its_lock_again() {
    let site = Site::start().await;
    let client = site.client();
    let bag = ObjectIdentifier::new("test.edu", "a");
    let item = suspended(&site, Stage::ReingestCheck).await;
    client.take_lock(item.id, &bag).await.unwrap();
    let mut ended = client.work_item(item.id).await.unwrap().unwrap();
    (ended.stage, ended.status) = (Stage::Cleanup, Status::Failed);
    client.update_work_item(&ended).await.unwrap();
    let mut next = site.item("a", 2).await;
    next.stage = Stage::ReingestCheck;
    let next = client.update_work_item(&next).await.unwrap();

    let (status, _) = site.order(REQUEUE, ADMIN, "stage=Copy+To+Staging").await;

    assert_eq!(status, StatusCode::OK);
    let waits = client.take_lock(next.id, &bag).await.unwrap();
    assert_eq!(waits, HeldBy(item.id));
}

#[tokio::test]
async fn only_administrators_order() {
    let site = Site::start().await;
    let item = suspended(&site, Stage::Receive).await;

    for user in [MEMBER, MANAGER] {
        for path in [REQUEUE, CANCEL] {
            let (status, _) = site.order(path, user, "").await;
            assert_eq!(status, StatusCode::FORBIDDEN, "{user} {path}");
            let member = path.replace("admin-api", "member-api");
            let (unknown, _) = site.order(&member, user, "").await;
            assert_eq!(unknown, StatusCode::NOT_FOUND, "{user} {member}");
        }
    }
    assert_eq!(site.client().work_item(item.id).await.unwrap(), Some(item));
}

/// Item 1.
async fn suspended(site: &Site, stage: Stage) -> WorkItem {
    let mut item = site.item("a", 1).await;
    item.stage = stage;
    item.status = Status::Suspended;
    item.needs_admin_review = true;
    item.retry = false;
    site.client().update_work_item(&item).await.unwrap()
}
