//! A file, and how connections to it are opened.

use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{ConnectOptions as _, Connection as _, SqliteConnection};
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::{Migration, OpenError, SqliteFault, Writer, migrations};

/// How long a statement waits for another process: its writes take milliseconds, so this is enough
/// for a queue of them, and short against a lease and a request.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// The log is cut back to 64 MiB after a burst, in bytes.
const LOG_BYTES_KEPT: &str = "67108864";
/// The log is folded into the file once it has so many pages, 64 MiB, instead of SQLite's 1,000: a page that
/// changes often is written there once, and the larger log costs a restart some tenths of a second.
const LOG_PAGES: &str = "16384";
/// How long opening waits for another process that is just making the file: a few syncs.
const OPEN_WAIT_MAX: Duration = Duration::from_secs(1);
const OPEN_PAUSE: Duration = Duration::from_millis(20);

/// A file of which every connection is opened alike. Nothing happens before one is.
#[derive(Clone, Debug)]
pub struct Database {
    options: SqliteConnectOptions,
}

impl Database {
    /// The file is made when it is absent; its folder must exist.
    pub fn new(file: &Path) -> Self {
        let options = SqliteConnectOptions::new()
            .filename(file)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(BUSY_TIMEOUT)
            .pragma("wal_autocheckpoint", LOG_PAGES)
            .pragma("journal_size_limit", LOG_BYTES_KEPT);
        Self { options }
    }

    /// With another setting of SQLite for each connection.
    #[must_use]
    pub fn pragma(self, name: &'static str, value: &'static str) -> Self {
        let options = self.options.pragma(name, value);
        Self { options }
    }

    /// Without a log line per statement: for callers with thousands of them a second.
    #[must_use]
    pub fn without_statement_log(self) -> Self {
        let options = self.options.disable_statement_logging();
        Self { options }
    }

    /// The file as it is: an absent one is an error.
    #[must_use]
    pub fn existing(&self) -> Self {
        let options = self.options.clone().create_if_missing(false);
        Self { options }
    }

    /// For connections that write, and sort nothing large. A statement of many rows keeps what its pages were,
    /// in case that a row is refused: in memory, and not in a file, which would be as much again as the log.
    #[must_use]
    pub fn for_writing(&self) -> Self {
        self.existing().pragma("temp_store", "memory")
    }

    /// For connections that read only. They do not wait for the writer, nor it for them.
    #[must_use]
    pub fn read_only(self) -> Self {
        // Not `SQLITE_OPEN_READONLY`: such a connection cannot repair the log after a crash.
        self.existing().pragma("query_only", "true")
    }

    /// For a look at a file whose other users may be at work, or gone without having closed it: not a byte
    /// of it changes, not even by folding the log into it when the connection is closed.
    #[must_use]
    pub fn untouched(self) -> Self {
        let options = self.existing().options.read_only(true);
        Self { options }
    }

    /// Makes the file if it is absent, brings it to the layout of this program, and gives a connection for
    /// writing.
    pub async fn open(self, migrations: &[Migration]) -> Result<Writer, OpenError> {
        let migrating = Writer::new(self.existing(), self.connect().await?);
        let mut transaction = migrating.begin().await?;
        migrations::run(&mut transaction, migrations).await?;
        transaction.commit().await?;
        // Not before: a migration may sort more than memory holds.
        let writing = self.for_writing();
        let connection = writing.connect().await?;
        migrating.close().await?;
        Ok(Writer::new(writing, connection))
    }

    /// Connects, also while another process makes the file: the change to WAL is refused at once
    /// then, whatever the busy time-out says (SQLite, "Write-Ahead Logging").
    pub async fn connect(&self) -> Result<SqliteConnection, sqlx::Error> {
        let end = Instant::now() + OPEN_WAIT_MAX;
        let mut tries = interval(OPEN_PAUSE);
        tries.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tries.tick().await;
            match self.options.connect().await {
                Err(error)
                    if SqliteFault::of(&error) == SqliteFault::Busy && Instant::now() < end => {}
                connected => return connected,
            }
        }
    }

    /// At most so many connections, made as they are needed. A caller waits for one at most
    /// `wait_max`.
    pub fn pool(&self, connections_max: u32, wait_max: Duration) -> SqlitePool {
        SqlitePoolOptions::new()
            .max_connections(connections_max)
            .acquire_timeout(wait_max)
            // A connection to a file does not go stale, and its page cache gets better with age.
            .test_before_acquire(false)
            .idle_timeout(None)
            .max_lifetime(None)
            // One whose transaction could not be ended would refuse every later one.
            .before_acquire(|connection, _about| {
                let usable = !connection.is_in_transaction();
                Box::pin(async move { Ok(usable) })
            })
            .connect_lazy_with(self.options.clone())
    }
}
