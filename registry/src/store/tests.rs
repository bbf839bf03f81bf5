use std::sync::Arc;

use muniment_testkit::MockClock;
use sqlx::{AssertSqlSafe, Row as _};

use super::checksums::CHECKSUMS;
use super::events::EVENTS;
use super::files::FILES;
use super::institutions::INSTITUTIONS;
use super::items::ITEMS;
use super::objects::OBJECTS;
use super::query::{Condition, Op, Query, Resource, Value, count_statement, page_statement};
use super::storage_records::STORAGE_RECORDS;
use super::*;
use crate::rules::access::Scope;

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
