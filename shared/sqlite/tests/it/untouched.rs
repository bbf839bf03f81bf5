//! A look at a file that nobody has closed.

use std::fs;

use muniment_sqlite::{Database, SqliteFault};
use sqlx::{Connection as _, SqliteConnection};

use crate::kit::{file, run};

/// A killed process leaves its last writes in the log. The last connection to be closed would fold them into
/// the file, and remove the log.
#[tokio::test]
async fn a_look_sees_what_a_killed_process_wrote_and_changes_no_byte_also_when_it_ends() {
    let file = file();
    let writer = file.open().await;
    let insert = async |connection: &mut SqliteConnection| {
        run(connection, "INSERT INTO numbers (n) VALUES (7)").await
    };
    writer.transaction(insert).await.unwrap();
    let left = tempfile::tempdir().unwrap();
    let names = ["x.db", "x.db-wal"];
    for name in names {
        fs::copy(file.folder.path().join(name), left.path().join(name)).unwrap();
    }
    let read = || names.map(|name| fs::read(left.path().join(name)).unwrap());
    let before = read();

    let database = Database::new(&left.path().join("x.db")).untouched();
    let mut look = database.connect().await.unwrap();
    let seen: i64 = sqlx::query_scalar("SELECT n FROM numbers")
        .fetch_one(&mut look)
        .await
        .unwrap();
    let refused = run(&mut look, "INSERT INTO numbers (n) VALUES (8)").await;
    look.close().await.unwrap();

    assert_eq!(seen, 7);
    assert_eq!(
        SqliteFault::of(&refused.unwrap_err()),
        SqliteFault::Unusable
    );
    assert!(read() == before, "the look has written");
}
