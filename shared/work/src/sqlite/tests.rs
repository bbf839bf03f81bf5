//! SQLite answers as the model in memory does, whatever the sequence of commands.

use std::sync::Arc;

use muniment_testkit::MockClock;
use proptest::prelude::*;

use super::{SqliteWork, queue};
use crate::decide::model::{Model, QUEUE, Step, start, steps};
use crate::decide::{Command, Reply};
use crate::{Lease, Token};

async fn compare(steps: Vec<Step>) {
    let folder = tempfile::TempDir::new().expect("a folder");
    let clock = Arc::new(MockClock::at(start()));
    let handed = Arc::clone(&clock);
    let store = SqliteWork::open(&folder.path().join("work.db"), handed)
        .await
        .expect("opens");
    let mut model = Model::new();
    let mut leases: Vec<Lease> = Vec::new();
    for (number, step) in steps.iter().enumerate() {
        if let Step::Pass(seconds) = step {
            model.pass(*seconds);
            clock.set(model.now);
        }
        let Some(command) = step.command(&leases, Token(number as u128)) else {
            continue;
        };

        let expected = model.run(&command);
        let reply = store.run(QUEUE, command.clone()).await.expect("runs");

        assert_eq!(reply, expected, "{command:?}");
        if let Reply::Claimed(claim) = reply {
            leases.push(claim.lease);
        }
    }
    // What the file holds in the end, as far as a claim and a void can tell.
    let expected = model.run(&Command::Void);
    assert_eq!(
        store.run(QUEUE, Command::Void).await.expect("runs"),
        expected
    );
}

/// What keeps a claim quick behind thousands of ready messages.
#[tokio::test]
async fn a_claim_finds_messages_by_index_only() {
    let folder = tempfile::TempDir::new().expect("a folder");
    let clock = Arc::new(MockClock::at(start()));
    let store = SqliteWork::open(&folder.path().join("work.db"), clock)
        .await
        .expect("opens");
    let explain = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {}", queue::SELECT_CLAIMABLE));

    let plan: Vec<(i64, i64, i64, String)> = sqlx::query_as(explain)
        .fetch_all(&mut *store.reader().await)
        .await
        .expect("explained");

    let on_messages: Vec<&str> = plan
        .iter()
        .map(|(_id, _parent, _unused, detail)| detail.as_str())
        .filter(|detail| [" m ", " r "].iter().any(|name| detail.contains(name)))
        .collect();
    assert_eq!(on_messages.len(), 6, "{plan:#?}");
    for detail in on_messages {
        assert!(detail.starts_with("SEARCH"), "{detail}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn sqlite_and_the_model_give_the_same_answers(steps in steps(80)) {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime")
            .block_on(compare(steps));
    }
}
