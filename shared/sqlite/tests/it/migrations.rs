//! New files, old files, files of other programs.

use std::borrow::Cow;

use muniment_sqlite::{Migration, OpenError};
use sqlx::migrate::{MigrationType, Migrator};
use sqlx::{AssertSqlSafe, SqlSafeStr as _};
use tokio::task::JoinSet;

use crate::kit::{File, NUMBERS, PAIRS, file, run};

const VERSION: &str = "SELECT user_version FROM pragma_user_version";
const TABLES: &str = "SELECT COUNT(*) FROM sqlite_schema WHERE name IN ('numbers', 'pairs')";
const TAKEN_OVER: &str = "SELECT COUNT(*) = 0 FROM sqlite_schema WHERE name = '_sqlx_migrations'";

#[tokio::test]
async fn a_new_file_gets_every_migration_once() {
    let file = file();

    for _ in 0..2 {
        file.open().await.close().await.unwrap();
        assert_eq!(file.number(VERSION).await, 2);
        assert_eq!(file.number(TABLES).await, 2);
    }
}

#[tokio::test]
async fn an_older_file_gets_what_is_missing_and_keeps_its_rows() {
    let file = file();
    let writer = file.database.clone().open(&[NUMBERS]).await.unwrap();
    let insert = "INSERT INTO numbers (n) VALUES (7)";
    let done = writer.transaction(async |connection| run(connection, insert).await);
    done.await.unwrap();
    writer.close().await.unwrap();

    file.open().await.close().await.unwrap();

    assert_eq!(file.number(VERSION).await, 2);
    assert_eq!(file.number("SELECT n FROM numbers").await, 7);
}

/// The change to WAL is refused at once while another connection makes the file.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn openers_of_a_new_file_wait_for_each_other() {
    let file = file();
    let database = file.database.clone().pragma("busy_timeout", "5000");
    let mut openers = JoinSet::new();
    for _ in 0..8 {
        let database = database.clone();
        openers.spawn(async move { database.open(&[NUMBERS, PAIRS]).await.map(drop) });
    }

    while let Some(opened) = openers.join_next().await {
        opened.unwrap().unwrap();
    }

    assert_eq!(file.number(TABLES).await, 2);
}

#[tokio::test]
async fn a_newer_file_is_refused_as_it_is() {
    let file = file();
    file.open().await.close().await.unwrap();

    let opened = file.database.clone().open(&[NUMBERS]).await;

    let refused = OpenError::NewerLayout { found: 2, known: 1 };
    assert_eq!(opened.err().unwrap().to_string(), refused.to_string());
    assert_eq!(file.number(VERSION).await, 2);
}

#[tokio::test]
async fn an_edited_migration_is_refused_before_anything_is_applied() {
    let file = file();
    let opened = file.database.clone().open(&[NUMBERS]).await;
    opened.unwrap().close().await.unwrap();

    let reopened = file.database.clone().open(&[edited(), PAIRS]).await;

    assert!(is_other(reopened.err().as_ref(), 1));
    assert_eq!(file.number(TABLES).await, 1);
}

#[tokio::test]
async fn a_migration_that_fails_leaves_the_file_as_it_was() {
    let file = file();
    let wrong = Migration {
        name: "wrong",
        sql: Cow::Borrowed("CREATE TABLE pairs (n INTEGER) STRICT; INSERT INTO nowhere VALUES (1)"),
    };

    let opened = file.database.clone().open(&[NUMBERS, wrong]).await;

    assert!(matches!(opened.err(), Some(OpenError::Sqlite(_))));
    assert_eq!(file.number(TABLES).await, 0);
    file.open().await;
    assert_eq!(file.number(TABLES).await, 2);
}

#[tokio::test]
async fn a_file_of_the_migrator_of_sqlx_is_taken_over() {
    let file = file();
    migrate_with_sqlx(&file, &[NUMBERS]).await;

    for _ in 0..2 {
        file.open().await.close().await.unwrap();
        assert_eq!(file.number(VERSION).await, 2);
        assert_eq!(file.number(TABLES).await, 2);
        assert_eq!(file.number(TAKEN_OVER).await, 1);
    }
}

#[tokio::test]
async fn a_file_of_the_migrator_of_sqlx_is_compared_and_counted_too() {
    let (other, newer) = (file(), file());
    migrate_with_sqlx(&other, &[NUMBERS]).await;
    migrate_with_sqlx(&newer, &[NUMBERS, PAIRS]).await;

    let other_opened = other.database.clone().open(&[edited(), PAIRS]).await;
    let newer_opened = newer.database.clone().open(&[NUMBERS]).await;

    assert!(is_other(other_opened.err().as_ref(), 1));
    let newer_refused = newer_opened.err();
    assert!(matches!(newer_refused, Some(OpenError::NewerLayout { .. })));
    assert_eq!(newer.number(TAKEN_OVER).await, 0, "nothing was changed");
}

/// What the work store did before it used this crate.
#[tokio::test]
async fn a_file_with_a_version_only_is_kept_and_compared_from_then_on() {
    let file = file();
    let mut connection = file.database.connect().await.unwrap();
    run(&mut connection, &NUMBERS.sql).await.unwrap();
    let version = "PRAGMA user_version = 1";
    run(&mut connection, version).await.unwrap();
    drop(connection);

    file.open().await.close().await.unwrap();
    let opened = file.database.clone().open(&[edited(), PAIRS]).await;

    assert_eq!(file.number(VERSION).await, 2);
    assert!(is_other(opened.err().as_ref(), 1));
}

fn edited() -> Migration {
    Migration {
        sql: Cow::Owned(format!("{} -- once more", NUMBERS.sql)),
        ..NUMBERS
    }
}

fn is_other(error: Option<&OpenError>, expected: i64) -> bool {
    matches!(error, Some(OpenError::OtherMigration { number, .. }) if *number == expected)
}

async fn migrate_with_sqlx(file: &File, migrations: &[Migration]) {
    let migrations = (1..).zip(migrations).map(|(version, migration)| {
        let sql = AssertSqlSafe(migration.sql.to_string()).into_sql_str();
        let name = Cow::Borrowed(migration.name);
        sqlx::migrate::Migration::new(version, name, MigrationType::Simple, sql, false)
    });
    let migrator = Migrator::with_migrations(migrations.collect());
    let mut connection = file.database.connect().await.unwrap();
    migrator.run(&mut connection).await.unwrap();
}
