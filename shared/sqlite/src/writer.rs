//! The one connection that writes.
//!
//! Requests take it in the order of asking. A pool would bring timers of its own, which fire at once
//! under a paused test clock.
//!
//! A connection whose `BEGIN`, `COMMIT` or `ROLLBACK` failed, or whose transaction was dropped in
//! its middle, may still be inside that transaction. It is closed, which rolls back whatever was
//! open, and the next transaction opens another: a full disk or a cancelled request never leaves a
//! writer that refuses everything afterwards.

use std::ops::{Deref, DerefMut};

use sqlx::{Connection as _, SqliteConnection};
use tokio::sync::{Mutex, MutexGuard};

use crate::Database;

/// Begins transactions, one at a time.
pub struct Writer {
    database: Database,
    /// Nothing while a transaction has it, and after one that ended badly.
    idle: Mutex<Option<SqliteConnection>>,
}

impl Writer {
    pub(crate) fn new(database: Database, connection: SqliteConnection) -> Self {
        Self {
            database,
            idle: Mutex::new(Some(connection)),
        }
    }

    /// Begins a transaction that holds the write lock from its start: one that reads first and wants
    /// to write later could find that another process has written in between.
    pub async fn begin(&self) -> Result<Transaction<'_>, sqlx::Error> {
        let mut idle = self.idle.lock().await;
        let mut connection = match idle.take() {
            Some(connection) => connection,
            None => self.database.connect().await?,
        };
        sqlx::query("BEGIN IMMEDIATE")
            .execute(&mut connection)
            .await?;
        Ok(Transaction { idle, connection })
    }

    /// Runs `work` in a transaction, which is committed if the work succeeds and else leaves nothing.
    pub async fn transaction<T, E: From<sqlx::Error>>(
        &self,
        work: impl AsyncFnOnce(&mut SqliteConnection) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut transaction = self.begin().await?;
        match work(&mut transaction).await {
            Ok(done) => {
                transaction.commit().await?;
                Ok(done)
            }
            Err(error) => {
                transaction.rollback().await;
                Err(error)
            }
        }
    }

    /// Ends when the connection is closed; if it was the last, the log is folded into the file.
    pub async fn close(self) -> Result<(), sqlx::Error> {
        match self.idle.into_inner() {
            Some(connection) => connection.close().await,
            None => Ok(()),
        }
    }
}

/// A transaction with the write lock. Dropped, it leaves nothing.
pub struct Transaction<'w> {
    idle: MutexGuard<'w, Option<SqliteConnection>>,
    connection: SqliteConnection,
}

impl Transaction<'_> {
    /// Ends when what was written is durable. After an error nothing was, unless the machine failed:
    /// then it is known when the file is read again.
    pub async fn commit(mut self) -> Result<(), sqlx::Error> {
        sqlx::query("COMMIT").execute(&mut self.connection).await?;
        *self.idle = Some(self.connection);
        Ok(())
    }

    /// Leaves nothing, like a drop, and keeps the connection for the next.
    pub async fn rollback(mut self) {
        let ended = sqlx::query("ROLLBACK").execute(&mut self.connection).await;
        // Fails where SQLite has rolled back by itself, after a full disk for one.
        if ended.is_ok() {
            *self.idle = Some(self.connection);
        }
    }
}

impl Deref for Transaction<'_> {
    type Target = SqliteConnection;

    fn deref(&self) -> &SqliteConnection {
        &self.connection
    }
}

impl DerefMut for Transaction<'_> {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        &mut self.connection
    }
}
