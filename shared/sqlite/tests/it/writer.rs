//! Whatever happens to a transaction, the next one works.

use muniment_sqlite::{SqliteFault, Writer};
use sqlx::SqliteConnection;
use tokio::task::JoinSet;

use crate::kit::{file, run};

const COUNT: &str = "SELECT COUNT(*) FROM numbers";
const INSERT: &str = "INSERT INTO numbers (n) VALUES (1)";
/// A table that only the connection that made it can see.
const MARK: &str = "CREATE TEMP TABLE mark (n)";
const IS_MARKED: &str = "SELECT EXISTS (SELECT 1 FROM sqlite_temp_schema)";

#[tokio::test]
async fn what_is_committed_stays_and_what_is_refused_leaves_nothing() {
    let file = file();
    let writer = file.open().await;
    mark(&writer).await;

    let refused = writer.transaction(async |connection| {
        run(connection, INSERT).await?;
        Err::<(), _>(sqlx::Error::RowNotFound)
    });
    let refused = refused.await;

    assert!(matches!(refused, Err(sqlx::Error::RowNotFound)));
    assert_eq!(file.number(COUNT).await, 0);
    assert!(is_marked(&writer).await, "the connection is kept");
    insert(&writer).await.unwrap();
    assert_eq!(file.number(COUNT).await, 1);
}

#[tokio::test]
async fn after_a_commit_that_failed_the_next_transaction_has_another_connection() {
    let file = file();
    let writer = file.open().await;
    mark(&writer).await;

    // Looked at by the commit only, which fails and leaves the transaction open.
    let dangling = "INSERT INTO pairs (n) VALUES (9)";
    let failed = writer.transaction(async |connection| {
        run(connection, INSERT).await?;
        run(connection, dangling).await
    });
    let failed = failed.await.unwrap_err();

    assert_eq!(SqliteFault::of(&failed), SqliteFault::Dangling);
    assert!(!is_marked(&writer).await, "the connection is another");
    assert_eq!(file.number(COUNT).await, 0);
    insert(&writer).await.unwrap();
    assert_eq!(file.number(COUNT).await, 1);
}

/// A full disk makes SQLite roll back by itself, so that the rollback after it fails.
#[tokio::test]
async fn after_a_full_disk_the_next_transaction_works() {
    let mut file = file();
    file.database = file.database.pragma("max_page_count", "20");
    let writer = file.open().await;

    let large = "INSERT INTO numbers (n, body) VALUES (2, zeroblob(1000000))";
    let failed = writer.transaction(async |connection| run(connection, large).await);
    let failed = failed.await.unwrap_err();

    assert_eq!(SqliteFault::of(&failed), SqliteFault::Unusable);
    insert(&writer).await.unwrap();
    assert_eq!(file.number(COUNT).await, 1);
}

#[tokio::test]
async fn after_a_begin_that_failed_the_next_transaction_works() {
    let file = file();
    let (writer, other) = (file.open().await, file.open().await);
    let held = other.begin().await.unwrap();

    let failed = insert(&writer).await.unwrap_err();
    held.rollback().await;

    assert_eq!(SqliteFault::of(&failed), SqliteFault::Busy);
    insert(&writer).await.unwrap();
}

#[tokio::test]
async fn a_transaction_dropped_in_its_middle_leaves_nothing_and_blocks_nobody() {
    let mut file = file();
    // Its connection is closed on a thread of its own, a moment later.
    file.database = file.database.pragma("busy_timeout", "5000");
    let writer = file.open().await;

    let mut dropped = writer.begin().await.unwrap();
    run(&mut dropped, INSERT).await.unwrap();
    drop(dropped);

    insert(&writer).await.unwrap();
    assert_eq!(file.number(COUNT).await, 1);
}

/// A file that was taken away is not made again, empty.
#[tokio::test]
async fn a_writer_does_not_make_the_file_anew() {
    let file = file();
    let writer = file.open().await;
    drop(writer.begin().await.unwrap());
    for gone in std::fs::read_dir(file.folder.path()).unwrap() {
        // The closing connection may take its log away first.
        drop(std::fs::remove_file(gone.unwrap().path()));
    }

    let failed = insert(&writer).await.unwrap_err();

    assert_eq!(SqliteFault::of(&failed), SqliteFault::Unusable);
}

/// Requests run on any thread, with what they borrowed.
#[tokio::test(flavor = "multi_thread")]
async fn transactions_of_many_tasks_come_one_after_the_other() {
    let file = file();
    let writer = std::sync::Arc::new(file.open().await);
    let mut tasks = JoinSet::new();
    for n in 0..20_i64 {
        let writer = std::sync::Arc::clone(&writer);
        tasks.spawn(async move { borrowed(&writer, &n).await });
    }

    while let Some(done) = tasks.join_next().await {
        done.unwrap().unwrap();
    }

    assert_eq!(file.number(COUNT).await, 20);
}

async fn borrowed(writer: &Writer, n: &i64) -> Result<(), sqlx::Error> {
    let insert = "INSERT INTO numbers (n) VALUES (?)";
    let work = async |connection: &mut SqliteConnection| {
        sqlx::query(insert).bind(*n).execute(connection).await?;
        Ok(())
    };
    writer.transaction(work).await
}

async fn insert(writer: &Writer) -> Result<(), sqlx::Error> {
    let work = async |connection: &mut SqliteConnection| run(connection, INSERT).await;
    writer.transaction(work).await
}

async fn mark(writer: &Writer) {
    let work = async |connection: &mut SqliteConnection| run(connection, MARK).await;
    writer.transaction(work).await.unwrap();
}

async fn is_marked(writer: &Writer) -> bool {
    let mut transaction = writer.begin().await.unwrap();
    let marked = sqlx::query_scalar(IS_MARKED)
        .fetch_one(&mut *transaction)
        .await;
    transaction.rollback().await;
    marked.unwrap()
}

const KEYS: &str = "CREATE TABLE keys (key BLOB NOT NULL UNIQUE)";
/// Each goes to another page of the index.
const MORE_KEYS: &str = "INSERT INTO keys
    WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 5000)
    SELECT randomblob(100) FROM numbers";

/// It keeps what its pages were, in case that a row is refused. In a file that would be as much again as
/// the log.
#[tokio::test]
async fn a_statement_of_many_rows_writes_no_file_beside_the_log() {
    let file = file();
    let writer = file.open().await;
    let made = writer.transaction(async |connection| {
        run(connection, KEYS).await?;
        run(connection, MORE_KEYS).await
    });
    made.await.unwrap();

    let mut transaction = writer.begin().await.unwrap();
    run(&mut transaction, MORE_KEYS).await.unwrap();

    let open = std::fs::read_dir("/proc/self/fd").unwrap();
    let files: Vec<_> = open
        .filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok())
        .map(|target| target.display().to_string())
        .collect();
    assert!(files.iter().any(|name| name.ends_with("-wal")), "{files:?}");
    assert!(
        !files.iter().any(|name| name.contains("etilqs")),
        "{files:?}"
    );
    transaction.rollback().await;
}
