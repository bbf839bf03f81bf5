//! The suite on `SeaweedFS`, with the cases that it fails, each with its reason.
//!
//! One server for all of them, a few at a time. A case that fails and is not in the table fails the test, and
//! so does one that is in the table and passes: what an operator reads of it in docs/OPERATIONS.md stays true.

use std::any::Any;
use std::sync::Arc;

use futures::{StreamExt, stream};
use tokio::task::JoinSet;

use crate::backend::Backend;
use crate::conformance::{CASES, Case, run};

/// What it does otherwise than S3, by the case that shows it.
const DEVIATIONS: &[(&str, &str)] = &[];

/// Most of a case is waiting: for a retry, for an answer.
const CASES_AT_ONCE: usize = 8;

#[tokio::test]
async fn seaweedfs_passes_every_case_but_those_it_cannot() {
    let backend = Arc::new(Backend::seaweedfs().await);

    let ended: Vec<_> = stream::iter(CASES)
        .map(|(name, case)| {
            let backend = Arc::clone(&backend);
            async move { (*name, ended(backend, *case).await) }
        })
        .buffer_unordered(CASES_AT_ONCE)
        .collect()
        .await;

    let wrong: Vec<String> = ended
        .into_iter()
        .filter_map(|(name, fault)| wrong(name, fault))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn each_deviation_is_of_a_case_and_named_once() {
    for (number, (name, _)) in DEVIATIONS.iter().enumerate() {
        assert!(CASES.iter().any(|(case, _)| case == name), "{name}");
        let others = &DEVIATIONS[number + 1..];
        assert!(!others.iter().any(|(other, _)| other == name), "{name}");
    }
}

/// What is wrong with the ending of a case, in view of the table.
fn wrong(name: &str, fault: Option<String>) -> Option<String> {
    let deviation = DEVIATIONS.iter().find(|(listed, _)| *listed == name);
    match (fault, deviation) {
        (None, None) | (Some(_), Some(_)) => None,
        (Some(fault), None) => Some(format!("{name} fails: {fault}")),
        (None, Some((_, reason))) => Some(format!(
            "{name} passes: it is no deviation any more that {reason}"
        )),
    }
}

/// With what a case failed, if it did.
async fn ended(backend: Arc<Backend>, case: Case) -> Option<String> {
    let mut task = JoinSet::new();
    task.spawn(run(backend, case));
    let ended = task.join_next().await.expect("a task");
    ended.err().map(|error| match error.try_into_panic() {
        Ok(panic) => said(panic.as_ref()),
        Err(error) => error.to_string(),
    })
}

fn said(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    let text = text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
    text.unwrap_or_else(|| "a panic without words".to_owned())
}
