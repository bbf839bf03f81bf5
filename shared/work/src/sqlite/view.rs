//! The look at a SQLite file, be it in use or left by a process that is gone.
//!
//! The file is opened read-only and its layout is checked instead of made: not a byte of it changes. SQLite
//! keeps its log and index beside it (`-wal`, `-shm`), and makes empty ones where there are none.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use async_trait::async_trait;
use muniment_model::{BatchNumber, FileRecord, QueueName, WorkItemId};
use muniment_sqlite::Database;
use sqlx::{Connection as _, SqliteConnection};
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::queue::{EntryRow, entry_columns};
use super::{CALL_LIMIT, MIGRATIONS, records};
use crate::view::{ItemView, WorkView};
use crate::{QueuedMessage, Subject, WorkError};

const SELECT_OF_SUBJECT: &str = concat!(
    "SELECT ",
    entry_columns!(),
    " FROM message m WHERE m.queue = ?1 AND m.subject = ?2 ORDER BY m.batch"
);

/// A work store to look at.
pub(crate) struct SqliteView {
    reader: Mutex<SqliteConnection>,
}

impl SqliteView {
    /// The file must exist, and be of the layout that this program writes.
    pub(crate) async fn open(path: &Path) -> Result<Self, WorkError> {
        let mut reader = Database::new(path).untouched().connect().await?;
        let found: i64 = sqlx::query_scalar("PRAGMA user_version")
            .fetch_one(&mut reader)
            .await?;
        let known = MIGRATIONS.len();
        match usize::try_from(found) {
            Ok(layout) if layout == known => {}
            Ok(layout) if layout < known => return Err(WorkError::OlderLayout { found, known }),
            Ok(_) | Err(_) => return Err(WorkError::NewerLayout { found, known }),
        }
        Ok(Self {
            reader: Mutex::new(reader),
        })
    }

    async fn call<T>(
        &self,
        work: impl Future<Output = Result<T, WorkError>>,
    ) -> Result<T, WorkError> {
        timeout(CALL_LIMIT, work)
            .await
            .unwrap_or(Err(WorkError::Silent))
    }
}

#[async_trait]
impl WorkView for SqliteView {
    async fn item(&self, item: WorkItemId) -> Result<ItemView, WorkError> {
        self.call(async {
            let mut reader = self.reader.lock().await;
            // Reads only: one that is dropped leaves nothing to roll back.
            let mut moment = reader.begin().await?;
            let object = records::object(&mut moment, item).await?;
            let checkpoint = records::checkpoint(&mut moment, item).await;
            let batches = records::batch_sizes(&mut moment, item).await?;
            let mut done = BTreeMap::new();
            let mut messages = Vec::new();
            for queue in QueueName::ALL {
                let marked: BTreeSet<_> = records::done_batches(&mut moment, item, *queue).await?;
                if !marked.is_empty() {
                    done.insert(*queue, marked);
                }
                messages.extend(messages_of(&mut moment, item, *queue).await?);
            }
            moment.commit().await?;
            Ok(ItemView {
                object: records::read_object(item, object),
                checkpoint,
                batches,
                done,
                messages,
            })
        })
        .await
    }

    async fn files(
        &self,
        item: WorkItemId,
        batch: BatchNumber,
    ) -> Result<Vec<FileRecord>, WorkError> {
        let read = async { records::files(&mut *self.reader.lock().await, item, batch).await };
        records::read_files(item, batch, &self.call(read).await?)
    }

    async fn items_after(
        &self,
        after: WorkItemId,
        max: usize,
    ) -> Result<Vec<WorkItemId>, WorkError> {
        let read = async { records::items_after(&mut *self.reader.lock().await, after, max).await };
        self.call(read).await
    }
}

/// What the queue holds of the item, the planner first.
async fn messages_of(
    connection: &mut SqliteConnection,
    item: WorkItemId,
    queue: QueueName,
) -> Result<Vec<QueuedMessage>, WorkError> {
    let rows: Vec<EntryRow> = sqlx::query_as(SELECT_OF_SUBJECT)
        .bind(queue.as_str())
        .bind(Subject::Item(item).to_string())
        .fetch_all(connection)
        .await?;
    let entries = rows.into_iter().map(|row| row.into_entry(queue));
    entries
        .map(|entry| entry.map(QueuedMessage::from))
        .collect()
}
