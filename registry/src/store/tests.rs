use std::sync::Arc;

use muniment_model::registry::GenericFile;
use muniment_testkit::MockClock;
use sqlx::{AssertSqlSafe, Row as _};

use super::checksums::CHECKSUMS;
use super::events::EVENTS;
use super::files::{FILES, SIZES};
use super::institutions::INSTITUTIONS;
use super::items::ITEMS;
use super::objects::OBJECTS;
use super::query::{Condition, Op, Query, Resource, Value, count_statement, page_statement};
use super::storage_records::STORAGE_RECORDS;
use super::*;
use crate::rules::access::Scope;
use crate::views::ItemView;

const RESOURCES: [&Resource; 7] = [
    &INSTITUTIONS,
    &ITEMS,
    &OBJECTS,
    &FILES,
    &CHECKSUMS,
    &STORAGE_RECORDS,
    &EVENTS,
];

/// A filter that no index serves reads every row of its table: with a hundred million events, for
/// minutes. `Contains` is left out: it is for the few institutions only.
#[tokio::test]
async fn every_filter_of_every_list_is_served_by_an_index() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("r.db"), Arc::new(MockClock::default()))
        .await
        .unwrap();

    let filters = RESOURCES.iter().flat_map(|resource| {
        let served = resource.filters.iter().filter(|f| f.op != Op::Contains);
        served.map(move |filter| (*resource, filter))
    });
    for (resource, filter) in filters {
        let query = query(vec![Condition {
            filter,
            values: vec![Value::Flag(true)],
        }]);
        let plan = plan(&store, count_statement(resource, &query).sql().as_str()).await;
        let served = plan.iter().any(|step| step.starts_with("SEARCH"))
            && !plan.iter().any(|step| is_scan(step));
        assert!(served, "{} of {}: {plan:?}", filter.name, resource.from);
    }
}

#[tokio::test]
async fn the_default_order_of_every_list_is_read_from_an_index() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("r.db"), Arc::new(MockClock::default()))
        .await
        .unwrap();

    for resource in RESOURCES.into_iter().filter(|r| r.id != "i.id") {
        let mut query = query(Vec::new());
        query.order = vec![resource.default_sort];
        let plan = plan(&store, page_statement(resource, &query).sql().as_str()).await;
        let sorted = plan.iter().any(|step| step.contains("TEMP B-TREE"));
        assert!(!sorted, "{}: {plan:?}", resource.from);
    }
}

/// Of an object with a million files, a page costs no more than of one with a thousand.
#[tokio::test]
async fn a_page_of_sizes_is_read_from_an_index_in_its_order() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("r.db"), Arc::new(MockClock::default()))
        .await
        .unwrap();

    let plan = plan(&store, SIZES).await;

    let served = plan.iter().all(|step| step.starts_with("SEARCH"));
    assert!(served, "{plan:?}");
}

/// A row may be written by hand, or by a newer program before a step back.
#[tokio::test]
async fn a_row_that_cannot_be_read_does_not_fail_the_list_of_all_others() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("r.db"), Arc::new(MockClock::default()))
        .await
        .unwrap();
    run(&store, ROWS).await;
    let spoilers = [
        "SELECT 1",
        "UPDATE work_items SET stage = 'Nowhere' WHERE id = 2",
        "UPDATE work_items SET bag_date = 'yesterday' WHERE id = 1",
        "UPDATE generic_files SET storage_option = 'Attic' WHERE id = 2",
        "UPDATE checksums SET algorithm = 'crc32' WHERE generic_file_id = 1",
    ];
    let lengths = [(3, 3), (2, 3), (1, 3), (1, 2), (1, 1)];

    for (spoiler, expected) in spoilers.into_iter().zip(lengths) {
        run(&store, spoiler).await;

        let items = store.page::<ItemView>(&query(Vec::new())).await.unwrap();
        let files = store.page::<GenericFile>(&query(Vec::new())).await.unwrap();

        assert_eq!((items.count, files.count), (3, 3), "{spoiler}");
        let read = (items.rows.len(), files.rows.len());
        assert_eq!(read, expected, "{spoiler}");
    }
}

/// Three items and three files with a digest each.
const ROWS: &str = "
    INSERT INTO institutions VALUES (1, 0, 0, 'T', 'test.edu', 'A', '', 'in', 'out', NULL, NULL);
    INSERT INTO intellectual_objects (id, created_at, updated_at, title, description, identifier,
        alt_identifier, access, bag_name, institution_id, state, etag, bag_group_identifier,
        storage_option, bagit_profile_identifier, source_organization, internal_sender_identifier,
        internal_sender_description)
    VALUES (1, 0, 0, 't', '', 'test.edu/a', '', 'institution', 'a', 1, 'A', '', '', 'Standard', '', '',
        '', '');
    INSERT INTO generic_files (id, created_at, updated_at, file_format, size, identifier,
        intellectual_object_id, state, last_fixity_check, institution_id, storage_option, uuid)
    SELECT n, 0, 0, 'x', 1, 'test.edu/a/' || n, 1, 'A', 0, 1, 'Standard',
        '00000000-0000-0000-0000-00000000000' || n FROM (SELECT 1 AS n UNION SELECT 2 UNION SELECT 3);
    INSERT INTO checksums (created_at, updated_at, algorithm, datetime, digest, generic_file_id)
    SELECT 0, 0, 'md5', 0, 'aa', id FROM generic_files;
    INSERT INTO work_items (id, created_at, updated_at, name, etag, institution_id, bucket, user_email,
        note, action, stage, status, outcome, bag_date, date_processed, retry, pid, needs_admin_review,
        size, aptrust_approver, inst_approver, version)
    SELECT id, 0, 0, identifier, 'e', 1, 'in', 'u@test.edu', '', 'Ingest', 'Receive', 'Pending', '', id,
        0, TRUE, 0, FALSE, 1, '', '', 1 FROM generic_files;";

#[tokio::test]
async fn the_namespace_is_made_once() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("r.db");
    let first = Store::open(&file, Arc::new(MockClock::default()))
        .await
        .unwrap();
    let made = first.namespace().await.unwrap();
    first.close().await;

    let second = Store::open(&file, Arc::new(MockClock::default()))
        .await
        .unwrap();

    assert_eq!(second.namespace().await.unwrap(), made);
}

/// The small table of institutions is in every join and may well be read from end to end; the
/// plan says so by its alias.
fn is_scan(step: &str) -> bool {
    step.starts_with("SCAN") && step != "SCAN i"
}

fn query(conditions: Vec<Condition>) -> Query {
    Query {
        scope: Scope::Everything,
        conditions,
        order: Vec::new(),
        limit: 20,
        offset: 0,
    }
}

async fn run(store: &Store, sql: &'static str) {
    let mut writer = store.write().await.unwrap();
    sqlx::raw_sql(sql).execute(&mut *writer).await.unwrap();
    writer.commit().await.unwrap();
}

async fn plan(store: &Store, sql: &str) -> Vec<String> {
    let mut connection = store.readers.acquire().await.unwrap();
    let explain = format!("EXPLAIN QUERY PLAN {sql}");
    sqlx::query(AssertSqlSafe(explain))
        .fetch_all(&mut *connection)
        .await
        .unwrap()
        .iter()
        .map(|row| row.get("detail"))
        .collect()
}
