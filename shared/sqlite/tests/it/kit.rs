//! A file in a folder of its own, and short words for looking into it.

use std::borrow::Cow;

use muniment_sqlite::{Database, Migration, Writer};
use sqlx::{AssertSqlSafe, SqlSafeStr as _, SqliteConnection};
use tempfile::TempDir;

pub(crate) const NUMBERS: Migration = Migration {
    name: "numbers",
    sql: Cow::Borrowed("CREATE TABLE numbers (n INTEGER PRIMARY KEY, body BLOB) STRICT"),
};
pub(crate) const PAIRS: Migration = Migration {
    name: "pairs",
    sql: Cow::Borrowed(
        "CREATE TABLE pairs (n INTEGER NOT NULL REFERENCES numbers (n)
                                        DEFERRABLE INITIALLY DEFERRED) STRICT",
    ),
};

pub(crate) struct File {
    pub folder: TempDir,
    pub database: Database,
}

/// A file that is not there yet. Nobody waits for a lock.
pub(crate) fn file() -> File {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::new(&folder.path().join("x.db")).pragma("busy_timeout", "0");
    File { folder, database }
}

impl File {
    pub(crate) async fn open(&self) -> Writer {
        let opened = self.database.clone().open(&[NUMBERS, PAIRS]).await;
        opened.unwrap()
    }

    /// Through a connection of its own.
    pub(crate) async fn number(&self, sql: &'static str) -> i64 {
        let mut connection = self.database.clone().read_only().connect().await.unwrap();
        let number = sqlx::query_scalar(sql).fetch_one(&mut connection).await;
        number.unwrap()
    }
}

pub(crate) async fn run(connection: &mut SqliteConnection, sql: &str) -> Result<(), sqlx::Error> {
    let sql = AssertSqlSafe(sql.to_owned()).into_sql_str();
    sqlx::raw_sql(sql).execute(connection).await?;
    Ok(())
}
