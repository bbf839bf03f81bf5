//! The database: two pools, transactions, and what can go wrong there.
//!
//! Everything that names a database product is in this file, `store/migrations.rs` and
//! `store/multi_row.rs`; the other files of `store/` hold SQL that SQLite and PostgreSQL read
//! alike. One connection writes, each time in a transaction that takes the write lock at once, so no
//! write ever waits in the middle for another; readers see the last committed state.

pub(crate) mod checksums;
mod children;
mod columns;
pub(crate) mod events;
pub(crate) mod file_batches;
pub(crate) mod files;
pub(crate) mod institutions;
pub(crate) mod items;
mod locks;
mod migrations;
mod multi_row;
pub(crate) mod objects;
pub(crate) mod query;
mod settings;
pub(crate) mod storage_records;
pub(crate) mod users;

#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, SubsecRound, Utc};
use muniment_model::Clock;
use muniment_sqlite::{Database, OpenError, SqliteFault, is_disk_full};
use sqlx::{Pool, Transaction};

use crate::rules::RuleError;

/// The database product. A second one makes these aliases the only lines that differ.
pub(crate) type Db = sqlx::Sqlite;
type Connection = sqlx::SqliteConnection;
type Row = sqlx::sqlite::SqliteRow;
/// A statement with the values bound so far.
type Statement = sqlx::query::Query<'static, Db, <Db as sqlx::Database>::Arguments>;

/// Reads take well under a millisecond; more connections than this only share the same cores.
const READERS_MAX: u32 = 8;
/// How long a request may wait for a connection. Below the request's own limit (`serve.rs`), so that
/// the client hears that the registry is busy rather than nothing.
const CONNECTION_WAIT: Duration = Duration::from_secs(10);
/// 64 MiB of page cache for the writer, in KiB: the upper levels of every index of a few million
/// files.
const WRITER_CACHE: &str = "-65536";

/// What can go wrong between a rule and its rows.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    /// No such row.
    #[error("no such row")]
    NotFound,
    /// A rule does not allow it.
    #[error(transparent)]
    Refused(#[from] RuleError),
    /// A unique index does not allow it, where no rule had noticed.
    #[error("another record has the same identity")]
    Taken,
    /// The row names another that does not exist.
    #[error("a record that this one belongs to does not exist")]
    Dangling,
    #[error("the database is busy")]
    Busy(#[source] sqlx::Error),
    /// No fault of the request, and nothing is written until there is room.
    #[error("the registry has no room: its disk is full")]
    DiskFull(#[source] sqlx::Error),
    /// Its disk is failing or gone: no fault of the request, and nothing works until that ends.
    #[error("the registry cannot use its disk or memory; its log says why")]
    Unusable(#[source] sqlx::Error),
    #[error("the column {column} holds {value:?}, which is not one of our words")]
    Corrupt { column: &'static str, value: String },
    #[error("the database failed")]
    Failed(#[source] sqlx::Error),
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        if matches!(error, sqlx::Error::RowNotFound) {
            return Self::NotFound;
        }
        match SqliteFault::of(&error) {
            SqliteFault::NotUnique => Self::Taken,
            SqliteFault::Dangling => Self::Dangling,
            SqliteFault::Busy => Self::Busy(error),
            SqliteFault::Unusable if is_disk_full(&error) => Self::DiskFull(error),
            SqliteFault::Unusable => Self::Unusable(error),
            SqliteFault::Refused => Self::Failed(error),
        }
    }
}

/// What became of a create, which may be a repetition.
pub(crate) enum Made<T> {
    New(T),
    Existing(T),
}

/// The database. Clones share its connections.
#[derive(Clone)]
pub(crate) struct Store {
    writer: Pool<Db>,
    readers: Pool<Db>,
    clock: Arc<dyn Clock>,
}

impl Store {
    /// Opens the file, makes it when it is absent, and brings its schema up to date.
    pub(crate) async fn open(file: &Path, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        let database = Database::new(file);
        migrations::run(database.clone()).await?;
        let writer = database
            .for_writing()
            .pragma("cache_size", WRITER_CACHE)
            .pool(1, CONNECTION_WAIT);
        let readers = database.read_only().pool(READERS_MAX, CONNECTION_WAIT);
        Ok(Self {
            writer,
            readers,
            clock,
        })
    }

    /// Ends when every connection is closed; the write-ahead log is folded into the file.
    pub(crate) async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }

    /// The time, as precise as it can be written and read back.
    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.clock.now().trunc_subsecs(6)
    }

    /// A transaction that has the write lock from its first statement. Dropped, it leaves nothing.
    async fn write(&self) -> Result<Transaction<'static, Db>, StoreError> {
        Ok(self.writer.begin_with("BEGIN IMMEDIATE").await?)
    }

    /// A transaction in which every read sees the same state.
    async fn read(&self) -> Result<Transaction<'static, Db>, StoreError> {
        Ok(self.readers.begin().await?)
    }

    /// Answers when the database does.
    pub(crate) async fn ping(&self) -> Result<(), StoreError> {
        let mut connection = self.readers.acquire().await?;
        sqlx::query("SELECT 1").fetch_one(&mut *connection).await?;
        Ok(())
    }
}
