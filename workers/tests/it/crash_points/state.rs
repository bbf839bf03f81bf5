//! All that a run leaves behind, as one value that can be compared with another's.
//!
//! Times are left out where they are those of the run itself, and the numbers of rows; identifiers, keys and
//! bytes are not.

use std::collections::BTreeSet;
use std::io::Cursor;

use chrono::{DateTime, Utc};
use muniment_model::registry::UNDO_TIME;
use muniment_observer::Observer;
use serde_json::{Map, Value, json};

use super::site::{AFTERWARDS, DURING, Site, time};
use crate::kit::{RECORDS, buckets};

/// What is in the registry, a list each; of copies also those that are no longer current.
const LISTS: [&str; 7] = [
    "items?per_page=1000",
    "objects?per_page=1000",
    "files?per_page=1000",
    "checksums?per_page=1000",
    "events?per_page=1000",
    "storage_records?per_page=1000",
    "storage_records?superseded_at__not_null=true&per_page=1000",
];

/// What rows are told apart by: events, objects and files; copies; digests; work items.
const NAMES: [&str; 7] = [
    "identifier",
    "url",
    "algorithm",
    "digest",
    "generic_file_id",
    "name",
    "bag_date",
];

pub(super) async fn state_of(site: &Site) -> Value {
    let observer = &site.observer;
    let mut registry = Map::new();
    for list in LISTS {
        let answer = observer.rest(list).await.expect("answers");
        registry.insert(list.to_owned(), answer["results"].clone());
    }
    let mut s3 = Map::new();
    for bucket in buckets() {
        let open = observer.open_uploads(&bucket).await.expect("uploads");
        let mut objects = Map::new();
        for key in observer.keys(&bucket, "").await.expect("keys") {
            let object = if bucket.as_str() == RECORDS {
                deposit_record(observer, &key).await
            } else {
                object(observer, &bucket, &key).await
            };
            objects.insert(key, object);
        }
        let found = json!({"objects": objects, "open uploads": open});
        s3.insert(bucket.to_string(), found);
    }
    let mut registry = Value::Object(registry);
    name_rows(&mut registry);
    let mut state = json!({"registry": registry, "S3": s3});
    without_times(&mut state);
    state
}

async fn object(observer: &Observer, bucket: &muniment_model::BucketName, key: &str) -> Value {
    let stored = observer.stored(bucket, key).await.expect("answers");
    let stored = stored.expect("was listed");
    let metadata: Map<_, _> = stored
        .metadata
        .into_iter()
        .map(|(name, value)| (name, value.into()))
        .collect();
    json!({
        "content type": stored.content_type,
        "metadata": metadata,
        "size": stored.size,
        "digests": stored.digests,
    })
}

/// Its lines, but for the digest of them all, which covers times.
async fn deposit_record(observer: &Observer, key: &str) -> Value {
    let bucket = crate::ingest::bucket(RECORDS);
    let packed = observer.bytes(&bucket, key).await.expect("answers");
    let text = zstd::decode_all(Cursor::new(packed.expect("was listed"))).expect("zstd");
    let lines = serde_json::Deserializer::from_slice(&text).into_iter();
    let lines = lines
        .map(|line| line.expect("a line"))
        .map(|mut line: Value| {
            if line["line"] == "end" {
                line["sha256"].take();
            }
            line
        });
    lines.collect()
}

/// Lists of rows by what each is called: they come in an order of times. Numbers of rows are left out, as they
/// have gaps where a row was there already; so is how often an item was written.
fn name_rows(value: &mut Value) {
    if let Value::Array(rows) = value
        && rows.iter().any(|row| row["id"].is_number())
    {
        let rows = std::mem::take(rows);
        *value = Value::Object(named(rows));
    }
    match value {
        Value::Array(all) => all.iter_mut().for_each(name_rows),
        Value::Object(all) => {
            all.remove("id");
            if all.get("version").is_some_and(Value::is_number) {
                all.remove("version");
            }
            all.values_mut().for_each(name_rows);
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn named(rows: Vec<Value>) -> Map<String, Value> {
    let mut named = Map::new();
    for row in rows {
        let told = NAMES.iter().map(|name| &row[name]);
        let told = told.filter(|told| !told.is_null());
        let told: Vec<String> = told.map(ToString::to_string).collect();
        let mut name = told.join(" ");
        while named.contains_key(&name) {
            name += " again";
        }
        named.insert(name, row);
    }
    named
}

fn without_times(value: &mut Value) {
    match value {
        Value::String(text) => {
            let told: Option<DateTime<Utc>> = text.parse().ok();
            let is_of_run = |moment| [DURING, AFTERWARDS].map(time).contains(&moment);
            if told.is_some_and(is_of_run) {
                "during the run".clone_into(text);
            } else if told.is_some_and(|told| is_of_run(told - UNDO_TIME)) {
                "an undo time after the run".clone_into(text);
            }
        }
        Value::Array(all) => all.iter_mut().for_each(without_times),
        Value::Object(all) => all.values_mut().for_each(without_times),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Where two states differ, with what is found in each.
pub(super) fn differences(found: &Value, expected: &Value) -> Vec<String> {
    let mut differences = Vec::new();
    compare(&mut differences, "", (found, expected));
    differences
}

fn compare(differences: &mut Vec<String>, place: &str, (found, expected): (&Value, &Value)) {
    if found == expected {
        return;
    }
    let names: BTreeSet<String> = names_of(found).chain(names_of(expected)).collect();
    if names.is_empty() {
        differences.push(format!("{place}: {found} instead of {expected}"));
    }
    for name in names {
        let inner = format!("{place} > {name}");
        compare(differences, &inner, (of(found, &name), of(expected, &name)));
    }
}

/// The names of what a value consists of.
fn names_of(value: &Value) -> impl Iterator<Item = String> {
    let names = match value {
        Value::Object(all) => all.keys().cloned().collect(),
        Value::Array(all) => (0..all.len()).map(|number| number.to_string()).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    };
    names.into_iter()
}

/// Null where there is none.
fn of<'a>(value: &'a Value, name: &str) -> &'a Value {
    const NONE: &Value = &Value::Null;
    let found = match value {
        Value::Object(all) => all.get(name),
        Value::Array(all) => name
            .parse::<usize>()
            .ok()
            .and_then(|number| all.get(number)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    };
    found.unwrap_or(NONE)
}
