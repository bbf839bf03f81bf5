//! One open work item per object, the oldest first.

use muniment_model::registry::{GenericFile, WorkItem};
use muniment_model::{ObjectIdentifier, Stage, Status, WorkItemId};
use muniment_registry_client::ClientError;
use muniment_registry_client::LockAnswer::{HeldBy, Taken};
use reqwest::StatusCode;
use serde_json::json;

use crate::kit::{Site, file, object, upload};

#[tokio::test]
async fn the_older_upload_goes_first_and_the_younger_one_follows_when_it_has_ended() {
    let site = Site::start().await;
    let client = site.client();
    let bag = ObjectIdentifier::new("test.edu", "a");
    // The younger upload has the lower number.
    let younger = at_reingest_check(&site, site.item("a", 9).await).await;
    let older = at_reingest_check(&site, site.item("a", 1).await).await;

    let too_early = client.take_lock(younger.id, &bag).await.unwrap();
    let first = client.take_lock(older.id, &bag).await.unwrap();
    let again = client.take_lock(older.id, &bag).await.unwrap();
    let held = client.take_lock(younger.id, &bag).await.unwrap();
    ended(&site, older.clone(), Status::Success).await;
    let at_last = client.take_lock(younger.id, &bag).await.unwrap();

    assert_eq!(too_early, HeldBy(older.id));
    assert_eq!((first, again), (Taken, Taken));
    assert_eq!(held, HeldBy(older.id));
    assert_eq!(at_last, Taken);
}

#[tokio::test]
async fn a_suspended_item_keeps_its_lock_and_each_ending_releases_it() {
    let rows = [
        (Status::Suspended, false),
        (Status::Started, false),
        (Status::Success, true),
        (Status::Failed, true),
        (Status::Cancelled, true),
    ];

    for (status, free) in rows {
        let site = Site::start().await;
        let bag = ObjectIdentifier::new("test.edu", "a");
        let holder = at_reingest_check(&site, site.item("a", 1).await).await;
        let waiting = at_reingest_check(&site, site.item("a", 2).await).await;
        site.client().take_lock(holder.id, &bag).await.unwrap();
        ended(&site, holder.clone(), status).await;
        let answer = site.client().take_lock(waiting.id, &bag).await.unwrap();
        assert_eq!(answer == Taken, free, "{status}");
    }
}

#[tokio::test]
async fn objects_do_not_wait_for_each_other() {
    let site = Site::start().await;
    let client = site.client();
    let one = at_reingest_check(&site, site.item("a", 1).await).await;
    let other = at_reingest_check(&site, site.item("A", 2).await).await;
    let mut foreign = upload(site.other, "example.edu", "a", 3);
    foreign.stage = Stage::ReingestCheck;
    let foreign = client.create_work_item(&foreign).await.unwrap().into_item();

    let rows = [
        (one.id, ObjectIdentifier::new("test.edu", "a")),
        (other.id, ObjectIdentifier::new("test.edu", "A")),
        (foreign.id, ObjectIdentifier::new("example.edu", "a")),
    ];
    for (id, bag) in rows {
        assert_eq!(client.take_lock(id, &bag).await.unwrap(), Taken, "{bag}");
    }
}

/// Workers of the original move an item on without asking. It works on the object all the same.
#[tokio::test]
async fn an_item_that_moved_on_without_asking_is_waited_for() {
    let site = Site::start().await;
    let bag = ObjectIdentifier::new("test.edu", "a");
    let mut unasked = site.item("a", 5).await;
    unasked.stage = Stage::Store;
    let unasked = site.client().update_work_item(&unasked).await.unwrap();
    let older = at_reingest_check(&site, site.item("a", 1).await).await;

    let answer = site.client().take_lock(older.id, &bag).await.unwrap();

    assert_eq!(answer, HeldBy(unasked.id));
}

#[tokio::test]
async fn of_many_that_ask_at_once_one_has_the_lock() {
    let site = Site::start().await;
    let bag = ObjectIdentifier::new("test.edu", "a");
    let mut asking = tokio::task::JoinSet::new();
    for second in 1..=8 {
        let item = at_reingest_check(&site, site.item("a", second).await).await;
        let (client, bag) = (site.client(), bag.clone());
        asking.spawn(async move { client.take_lock(item.id, &bag).await.unwrap() });
    }

    let answers = asking.join_all().await;

    let taken = answers.iter().filter(|answer| **answer == Taken).count();
    assert_eq!(taken, 1);
}

#[tokio::test]
async fn an_item_that_has_ended_gets_no_lock() {
    let site = Site::start().await;
    let item = site.item("a", 1).await;
    ended(&site, item.clone(), Status::Failed).await;

    let bag = ObjectIdentifier::new("test.edu", "a");
    let answer = site.client().take_lock(item.id, &bag).await;

    assert!(answer.is_err());
}

/// A worker that was thought dead wakes up after its item was cancelled and the next one recorded.
#[tokio::test]
async fn a_late_recorder_overwrites_nothing() {
    let site = Site::start().await;
    let client = site.client();
    let bag = ObjectIdentifier::new("test.edu", "a");
    let late = at_reingest_check(&site, site.item("a", 1).await).await;
    let next = at_reingest_check(&site, site.item("a", 2).await).await;
    client.take_lock(late.id, &bag).await.unwrap();
    let first = site.object("a", late.id).await;
    let save = async |item, file: &GenericFile| {
        let files = std::slice::from_ref(file);
        client.save_files(site.institution, item, files).await
    };
    let saved = save(late.id, &file(&first, "data/1", 1)).await.unwrap();
    let version = |seed| GenericFile {
        id: saved[0].id,
        ..file(&first, "data/1", seed)
    };
    ended(&site, late.clone(), Status::Cancelled).await;
    client.take_lock(next.id, &bag).await.unwrap();
    let mut object = first.clone();
    object.work_item_id = next.id;
    object.title = "next".to_owned();
    client.save_object(&object).await.unwrap();
    let ours = save(next.id, &version(2)).await.unwrap();

    let refused = [
        client.save_object(&first).await.err(),
        save(late.id, &version(3)).await.err(),
        save(late.id, &file(&first, "data/new", 1)).await.err(),
    ];

    for error in refused {
        let Some(ClientError::Conflict { message, .. }) = error else {
            panic!("{error:?}");
        };
        let expected = format!("work item {} does not hold the lock of test.edu/a", late.id);
        assert!(message.ends_with(&expected), "{message}");
    }
    let found = client.object(&bag).await.unwrap().unwrap();
    assert_eq!((found.title.as_str(), found.file_count), ("next", 1));
    let kept = client.file(&ours[0].identifier).await.unwrap().unwrap();
    assert_eq!(kept.uuid, ours[0].uuid);
    // A client that names no item needs no lock.
    assert!(save(WorkItemId(0), &version(4)).await.is_ok());
    object.work_item_id = WorkItemId(0);
    assert!(client.save_object(&object).await.is_ok());
}

/// An item that was ended by mistake, or by an operator who then thinks better of it.
#[tokio::test]
async fn an_item_that_goes_on_after_its_ending_has_its_lock_again() {
    let site = Site::start().await;
    let client = site.client();
    let bag = ObjectIdentifier::new("test.edu", "a");
    let item = at_reingest_check(&site, site.item("a", 1).await).await;
    client.take_lock(item.id, &bag).await.unwrap();
    site.object("a", item.id).await;
    ended(&site, item.clone(), Status::Cancelled).await;
    let next = at_reingest_check(&site, site.item("a", 2).await).await;

    let at_record = put_back(&site, item.id, Stage::Record).await.unwrap();

    assert_eq!(
        client.take_lock(next.id, &bag).await.unwrap(),
        HeldBy(item.id)
    );
    let wanted = object(site.institution, "test.edu", "a", item.id);
    assert!(
        client.save_object(&wanted).await.is_ok(),
        "it records again"
    );
    ended(&site, at_record, Status::Failed).await;
    assert_eq!(client.take_lock(next.id, &bag).await.unwrap(), Taken);
    let refused = put_back(&site, item.id, Stage::Record).await;
    let Err(ClientError::Conflict { message, .. }) = refused else {
        panic!("{refused:?}");
    };
    assert!(
        message.contains(&format!("has to wait for work item {}", next.id)),
        "{message}"
    );
    put_back(&site, item.id, Stage::ReingestCheck)
        .await
        .unwrap();
    let waits = client.take_lock(item.id, &bag).await.unwrap();
    assert_eq!(waits, HeldBy(next.id));
}

#[tokio::test]
async fn an_item_that_had_the_lock_makes_no_object_and_one_that_never_asked_does() {
    let site = Site::start().await;
    let bag = ObjectIdentifier::new("test.edu", "a");
    let late = at_reingest_check(&site, site.item("a", 1).await).await;
    site.client().take_lock(late.id, &bag).await.unwrap();
    ended(&site, late.clone(), Status::Failed).await;
    let unasked = site.item("a", 2).await;
    let wanted = |item| object(site.institution, "test.edu", "a", item);

    let refused = site.client().save_object(&wanted(late.id)).await;
    let made = site
        .client()
        .save_object(&wanted(unasked.id))
        .await
        .unwrap();
    let files = [file(&made, "data/1", 1)];
    let client = site.client();
    let saved = client
        .save_files(site.institution, unasked.id, &files)
        .await;

    assert!(matches!(refused, Err(ClientError::Conflict { .. })));
    assert!(saved.is_ok(), "{saved:?}");
}

#[tokio::test]
async fn a_batch_of_an_item_that_is_no_number_is_a_bad_request() {
    let site = Site::start().await;

    for value in ["", "x", "1.5"] {
        let path = format!("/admin-api/v3/files/create_batch/1?work_item_id={value}");
        let (status, _) = site.post(&path, json!([])).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{value}");
    }
}

async fn at_reingest_check(site: &Site, mut item: WorkItem) -> WorkItem {
    item.stage = Stage::ReingestCheck;
    site.client().update_work_item(&item).await.unwrap()
}

/// As an operator puts an ended item back.
async fn put_back(site: &Site, id: WorkItemId, stage: Stage) -> Result<WorkItem, ClientError> {
    let mut item = site.client().work_item(id).await.unwrap().unwrap();
    item.status = Status::Pending;
    item.stage = stage;
    site.client().update_work_item(&item).await
}

async fn ended(site: &Site, mut item: WorkItem, status: Status) {
    item.status = status;
    site.client().update_work_item(&item).await.unwrap();
}
