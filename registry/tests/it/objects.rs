//! Objects: created once, kept in place, revived by a re-ingest; and their events.

use muniment_model::registry::{EventOutcome, PremisEvent, RecordState};
use muniment_model::{ObjectIdentifier, StorageOption, WorkItemId};
use muniment_registry_client::ClientError;
use reqwest::StatusCode;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::kit::{Site, object};

#[tokio::test]
async fn a_create_from_the_same_item_finds_the_object_and_adds_missing_events() {
    let site = Site::start().await;
    let client = site.client();
    let mut wanted = object(site.institution, "test.edu", "a", WorkItemId(7));
    wanted.premis_events = vec![event(1)];
    let first = client.save_object(&wanted).await.unwrap();
    site.clock.advance_seconds(5);

    wanted.premis_events.push(event(2));
    let second = client.save_object(&wanted).await.unwrap();
    let third = client.save_object(&wanted).await.unwrap();

    assert_eq!((&first, &first), (&second, &third));
    assert_eq!(first.premis_events, []);
    assert_eq!(
        count(&site, "events?generic_file_id__is_null=true").await,
        2
    );
    assert_eq!(
        first.bagit_profile_identifier,
        "https://raw.githubusercontent.com/APTrust/preservation-services/master/profiles/aptrust-v2.2.json"
    );
}

/// If the event were passed over, it would be missing from its object without a trace.
#[tokio::test]
async fn an_event_of_another_object_keeps_its_identifier() {
    let site = Site::start().await;
    let mut first = object(site.institution, "test.edu", "a", WorkItemId(7));
    first.premis_events = vec![event(1)];
    site.client().save_object(&first).await.unwrap();
    let mut second = object(site.institution, "test.edu", "b", WorkItemId(8));
    second.premis_events = vec![event(2), event(1)];

    let refused = site.client().save_object(&second).await;

    let Err(ClientError::Conflict { message, .. }) = refused else {
        panic!("{refused:?}");
    };
    let taken = Uuid::from_u128(1);
    assert_eq!(
        message,
        format!("event identifier {taken} has already been taken")
    );
    assert_eq!(count(&site, "objects").await, 1);
}

#[tokio::test]
async fn a_second_bag_cannot_take_an_identifier() {
    let site = Site::start().await;
    let rows = [
        (WorkItemId(7), WorkItemId(8)),
        (WorkItemId(0), WorkItemId(0)),
    ];

    for (number, (first, second)) in rows.into_iter().enumerate() {
        let name = number.to_string();
        let make = |item| object(site.institution, "test.edu", &name, item);
        site.client().save_object(&make(first)).await.unwrap();
        let (status, body) = site
            .post("/admin-api/v3/objects/create/1", json!(make(second)))
            .await;
        assert_eq!(status, StatusCode::CONFLICT, "{first}");
        assert_eq!(
            body["Error"], "identifier has already been taken",
            "{first}"
        );
    }
}

#[tokio::test]
async fn a_re_ingest_revives_the_object_and_only_then_may_change_its_storage_option() {
    let site = Site::start().await;
    let client = site.client();
    let made = site.object("a", WorkItemId(7)).await;
    site.clock.advance_seconds(60);
    let mut wanted = made.clone();
    wanted.storage_option = StorageOption::WasabiVa;
    wanted.created_at = None;
    wanted.work_item_id = WorkItemId(8);

    let while_active = client.save_object(&wanted).await.unwrap();
    let mut deleted = while_active.clone();
    deleted.state = RecordState::Deleted;
    client.save_object(&deleted).await.unwrap();
    let revived = client.save_object(&wanted).await.unwrap();

    assert_eq!(while_active.storage_option, StorageOption::Standard);
    assert_eq!(while_active.created_at, made.created_at);
    assert!(while_active.updated_at > made.updated_at);
    assert_eq!(revived.storage_option, StorageOption::WasabiVa);
    assert_eq!(revived.state, RecordState::Active);
    assert_eq!(revived.work_item_id, WorkItemId(8));
}

#[tokio::test]
async fn objects_are_found_under_awkward_identifiers() {
    let site = Site::start().await;
    let names = [
        "plain",
        "with space",
        "50%25",
        "a+b",
        "é",
        "..",
        "?q=1#f",
        "1",
    ];

    for name in names {
        let made = site.object(name, WorkItemId(7)).await;
        let identifier = ObjectIdentifier::new("test.edu", name);
        let found = site.client().object(&identifier).await.unwrap();
        assert_eq!(found, Some(made), "{name}");
    }
    let raw = "/admin-api/v3/objects/show/test.edu/plain";
    assert_eq!(site.get(raw).await.1["identifier"], "test.edu/plain");
    let escaped = "/admin-api/v3/objects/show/test.edu%2Fwith%20space";
    assert_eq!(site.get(escaped).await.1["title"], "with space");
    let absent = ObjectIdentifier::new("test.edu", "absent");
    assert_eq!(site.client().object(&absent).await.unwrap(), None);
}

#[tokio::test]
async fn an_event_is_recorded_once_and_failed_checks_are_found() {
    let site = Site::start().await;
    let object = site.object("a", WorkItemId(7)).await;
    let mut wanted = event(1);
    wanted.outcome = EventOutcome::Failed;
    wanted.institution_id = site.institution;
    wanted.intellectual_object_id = object.id;
    let path = "/admin-api/v3/events/create";

    let first = site.post(path, json!(wanted)).await;
    let again = site.post(path, json!(wanted)).await;
    let mut other = wanted.clone();
    other.outcome_detail = "something else".to_owned();
    let differs = site.post(path, json!(other)).await;
    let mut foreign = wanted.clone();
    foreign.identifier = Uuid::from_u128(9);
    foreign.institution_id = site.other;
    let foreign = site.post(path, json!(foreign)).await;

    assert_eq!(first.0, StatusCode::CREATED);
    assert_eq!(again, (StatusCode::OK, first.1));
    assert_eq!(differs.0, StatusCode::CONFLICT);
    assert_eq!(foreign.0, StatusCode::BAD_REQUEST);
    assert_eq!(count(&site, "events?outcome=Failed").await, 1);
    let shown = format!("/admin-api/v3/events/show/{}", wanted.identifier);
    let (_, shown) = site.get(&shown).await;
    assert_eq!(shown["intellectual_object_identifier"], "test.edu/a");
}

#[tokio::test]
async fn an_update_keeps_the_identifier() {
    let site = Site::start().await;
    let mut object = site.object("a", WorkItemId(7)).await;
    object.identifier.push('x');

    let refused = site.client().save_object(&object).await;

    assert!(matches!(refused, Err(ClientError::Rejected { .. })));
}

fn event(number: u128) -> PremisEvent {
    serde_json::from_value(json!({
        "agent": "agent", "date_time": "2026-01-05T10:07:00Z", "detail": "detail",
        "event_type": "ingestion", "identifier": Uuid::from_u128(number), "object": "object",
        "outcome": "Success", "outcome_detail": "d", "outcome_information": "i"
    }))
    .unwrap()
}

async fn count(site: &Site, list: &str) -> i64 {
    let (_, body): (_, Value) = site.get(&format!("/admin-api/v3/{list}")).await;
    body["count"].as_i64().unwrap()
}
