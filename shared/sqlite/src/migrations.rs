//! Brings a file to the layout of this program.
//!
//! SQLite's `user_version` counts the migrations that were applied, and the table `migrations` keeps
//! a digest of each, so that one that was edited afterwards is noticed. Both are part of the
//! transaction that applies the migrations: two processes that open a new file at once make it once,
//! and a kill in between leaves it as it was.
//!
//! Files that `sqlx`'s migrator made keep the same in a table of its own. It is taken over once and
//! dropped, so that a program that knows only that table fails at once instead of missing what later
//! migrations did.

use std::borrow::Cow;

use sha2::{Digest as _, Sha384};
use sqlx::{AssertSqlSafe, SqlSafeStr as _, SqliteConnection};

use crate::OpenError;

/// One step of the layout. Once released, neither it nor its place in the list ever changes.
#[derive(Clone, Debug)]
pub struct Migration {
    pub name: &'static str,
    pub sql: Cow<'static, str>,
}

const TABLE: &str = "CREATE TABLE IF NOT EXISTS migrations (
    number INTEGER NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    digest BLOB NOT NULL
) STRICT";

/// The digest of `sqlx` is that of ours: SHA-384 over the text.
const TAKE_OVER: &str = "INSERT INTO migrations (number, name, digest)
    SELECT version, description, checksum FROM _sqlx_migrations WHERE success;
    DROP TABLE _sqlx_migrations";

/// Applies what is missing. In a transaction of the caller's that has the write lock.
pub(crate) async fn run(
    connection: &mut SqliteConnection,
    migrations: &[Migration],
) -> Result<(), OpenError> {
    sqlx::query(TABLE).execute(&mut *connection).await?;
    let version: i64 = sqlx::query_scalar("PRAGMA user_version")
        .fetch_one(&mut *connection)
        .await?;
    let applied = match version {
        0 => take_over(connection).await?,
        version => version,
    };
    let known = migrations.len();
    if !usize::try_from(applied).is_ok_and(|count| count <= known) {
        let found = applied;
        return Err(OpenError::NewerLayout { found, known });
    }
    let digests: Vec<(i64, Vec<u8>)> = sqlx::query_as("SELECT number, digest FROM migrations")
        .fetch_all(&mut *connection)
        .await?;
    for (number, migration) in (1..).zip(migrations) {
        let digest = Sha384::digest(migration.sql.as_bytes());
        let noted = digests.iter().find(|(of, _)| *of == number);
        match noted {
            Some((_, same)) if number <= applied && same[..] == digest[..] => continue,
            // Made before digests were kept.
            None if number <= applied && digests.is_empty() => {}
            None if number > applied => execute(connection, migration.sql.to_string()).await?,
            Some(_) | None => {
                let name = migration.name;
                return Err(OpenError::OtherMigration { number, name });
            }
        }
        sqlx::query("INSERT INTO migrations (number, name, digest) VALUES (?, ?, ?)")
            .bind(number)
            .bind(migration.name)
            .bind(digest.as_slice())
            .execute(&mut *connection)
            .await?;
    }
    if usize::try_from(version) != Ok(known) {
        // A pragma takes no bound value. Writing the same number again would cost a sync.
        execute(connection, format!("PRAGMA user_version = {known}")).await?;
    }
    Ok(())
}

/// Answers how many migrations the file has had, if `sqlx`'s migrator made it.
async fn take_over(connection: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
    let made_by_sqlx: bool = sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM sqlite_schema
                        WHERE type = 'table' AND name = '_sqlx_migrations')",
    )
    .fetch_one(&mut *connection)
    .await?;
    if made_by_sqlx {
        sqlx::raw_sql(TAKE_OVER).execute(&mut *connection).await?;
    }
    sqlx::query_scalar("SELECT COALESCE(MAX(number), 0) FROM migrations")
        .fetch_one(connection)
        .await
}

/// Runs text of this program's own: of a migration, or with a number in it.
async fn execute(connection: &mut SqliteConnection, sql: String) -> Result<(), sqlx::Error> {
    let sql = AssertSqlSafe(sql).into_sql_str();
    sqlx::raw_sql(sql).execute(connection).await?;
    Ok(())
}
