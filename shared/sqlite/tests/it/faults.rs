//! What SQLite really answers, and what it is called.

use std::path::Path;
use std::time::Duration;

use muniment_sqlite::{Database, SqliteFault, is_disk_full};

use crate::kit::{file, run};

#[tokio::test]
async fn answers_are_told_apart_by_their_codes() {
    let mut file = file();
    file.database = file.database.pragma("max_page_count", "20");
    let writer = file.open().await;
    let rows = [
        (
            "INSERT INTO numbers (n) VALUES (1), (1)",
            SqliteFault::NotUnique,
        ),
        ("INSERT INTO nowhere VALUES (1)", SqliteFault::Refused),
        (
            "INSERT INTO numbers (body) VALUES ('text')",
            SqliteFault::Refused,
        ),
        (
            "INSERT INTO numbers (body) VALUES (zeroblob(1000000))",
            SqliteFault::Unusable,
        ),
    ];

    for (sql, expected) in rows {
        let failed = writer.transaction(async |connection| run(connection, sql).await);
        let failed = failed.await.unwrap_err();
        assert_eq!(SqliteFault::of(&failed), expected, "{sql}: {failed}");
        let full = expected == SqliteFault::Unusable;
        assert_eq!(is_disk_full(&failed), full, "{sql}: {failed}");
    }
}

#[tokio::test]
async fn a_connection_that_only_reads_refuses_to_write() {
    let file = file();
    file.open().await;
    let mut connection = file.database.clone().read_only().connect().await.unwrap();

    let failed = run(&mut connection, "INSERT INTO numbers (n) VALUES (1)").await;

    let failed = failed.unwrap_err();
    assert_eq!(SqliteFault::of(&failed), SqliteFault::Unusable);
}

#[tokio::test]
async fn a_file_that_cannot_be_opened_is_unusable() {
    let absent = Database::new(Path::new("/nowhere/at/all.db"));

    let failed = absent.connect().await.unwrap_err();

    assert_eq!(SqliteFault::of(&failed), SqliteFault::Unusable);
}

#[tokio::test]
async fn a_closed_pool_is_busy() {
    let pool = file().database.pool(1, Duration::from_mins(1));
    pool.close().await;

    let failed = pool.acquire().await.unwrap_err();

    assert_eq!(SqliteFault::of(&failed), SqliteFault::Busy);
}

/// `sqlx` loses count when SQLite rolls back by itself, and would refuse every later transaction.
#[tokio::test]
async fn a_pool_gives_out_no_connection_that_is_left_in_a_transaction() {
    let file = file();
    file.open().await;
    let pool = file.database.pool(1, Duration::from_mins(1));
    let mut transaction = pool.begin_with("BEGIN IMMEDIATE").await.unwrap();
    run(&mut transaction, "ROLLBACK").await.unwrap();
    drop(transaction);

    let next = pool.begin_with("BEGIN IMMEDIATE").await;

    next.unwrap().commit().await.unwrap();
}
