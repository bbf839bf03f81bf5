//! One open work item per object, the oldest first.

use muniment_model::registry::WorkItem;
use muniment_model::{ObjectIdentifier, Stage, Status};
use muniment_registry_client::TurnAnswer::{HeldBy, Taken};

use crate::kit::{Site, upload};

#[tokio::test]
async fn the_older_upload_goes_first_and_the_younger_one_follows_when_it_has_ended() {
    let site = Site::start().await;
    let client = site.client();
    let bag = ObjectIdentifier::new("test.edu", "a");
    // The younger upload has the lower number.
    let younger = at_reingest_check(&site, site.item("a", 9).await).await;
    let older = at_reingest_check(&site, site.item("a", 1).await).await;

    let too_early = client.take_turn(younger.id, &bag).await.unwrap();
    let first = client.take_turn(older.id, &bag).await.unwrap();
    let again = client.take_turn(older.id, &bag).await.unwrap();
    let held = client.take_turn(younger.id, &bag).await.unwrap();
    ended(&site, older.clone(), Status::Success).await;
    let at_last = client.take_turn(younger.id, &bag).await.unwrap();

    assert_eq!(too_early, HeldBy(older.id));
    assert_eq!((first, again), (Taken, Taken));
    assert_eq!(held, HeldBy(older.id));
    assert_eq!(at_last, Taken);
}

#[tokio::test]
async fn a_suspended_item_keeps_its_turn_and_each_ending_gives_it_up() {
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
        site.client().take_turn(holder.id, &bag).await.unwrap();
        ended(&site, holder.clone(), status).await;
        let answer = site.client().take_turn(waiting.id, &bag).await.unwrap();
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
        assert_eq!(client.take_turn(id, &bag).await.unwrap(), Taken, "{bag}");
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

    let answer = site.client().take_turn(older.id, &bag).await.unwrap();

    assert_eq!(answer, HeldBy(unasked.id));
}

#[tokio::test]
async fn of_many_that_ask_at_once_one_has_the_turn() {
    let site = Site::start().await;
    let bag = ObjectIdentifier::new("test.edu", "a");
    let mut asking = tokio::task::JoinSet::new();
    for second in 1..=8 {
        let item = at_reingest_check(&site, site.item("a", second).await).await;
        let (client, bag) = (site.client(), bag.clone());
        asking.spawn(async move { client.take_turn(item.id, &bag).await.unwrap() });
    }

    let answers = asking.join_all().await;

    let taken = answers.iter().filter(|answer| **answer == Taken).count();
    assert_eq!(taken, 1);
}

#[tokio::test]
async fn an_item_that_has_ended_gets_no_turn() {
    let site = Site::start().await;
    let item = site.item("a", 1).await;
    ended(&site, item.clone(), Status::Failed).await;

    let bag = ObjectIdentifier::new("test.edu", "a");
    let answer = site.client().take_turn(item.id, &bag).await;

    assert!(answer.is_err());
}

async fn at_reingest_check(site: &Site, mut item: WorkItem) -> WorkItem {
    item.stage = Stage::ReingestCheck;
    site.client().update_work_item(&item).await.unwrap()
}

async fn ended(site: &Site, mut item: WorkItem, status: Status) {
    item.status = status;
    site.client().update_work_item(&item).await.unwrap();
}
