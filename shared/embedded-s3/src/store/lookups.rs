//! Look-ups of objects, those of many requests in one question.
//!
//! Nearly every request looks up one object, and a question to the database costs a trip to another
//! thread and back, several times what the database needs for the answer. While one question is being
//! answered the next look-ups queue up, so the more requests there are, the more share a trip; a single one
//! waits for nothing.
//!
//! A row that cannot be read is an error of its own look-up and of no other. A question that fails is asked
//! again for each of its look-ups alone, all at a time, so that each waits no longer than one would. Reading
//! twice is safe.

use std::slice;
use std::sync::Arc;

use futures::future::join_all;
use sqlx::Row as _;
use sqlx::sqlite::SqlitePool;
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::task::JoinSet;

use super::StoreError;
use super::rows::ObjectRow;

/// Questions at a time: one that waits for the disk does not hold up the other.
const AT_A_TIME: usize = 2;
/// Look-ups in one question. Bounds what one answer waits for, and what is read at once: as many bodies of
/// rows, 16 KiB each.
const TOGETHER_MAX: usize = 32;
/// Look-ups that wait for a question before requests have to wait to queue.
const QUEUE_MAX: usize = 1024;

/// The current version of each key that is asked for, by its place in the list; without a row where there is
/// none. The order of the tables is as written (`CROSS JOIN`): by the list, never by all objects.
const CURRENT: &str = "
    SELECT asked.key AS place_in_list, o.*, b.place, k.versioning,
           CASE WHEN asked.value ->> 2 THEN b.body END AS body
    FROM json_each(?1) asked
    CROSS JOIN objects o
        ON o.bucket = asked.value ->> 0 AND o.key = CAST(asked.value ->> 1 AS BLOB)
    CROSS JOIN blobs b ON b.id = o.blob
    CROSS JOIN buckets k ON k.name = o.bucket";

/// Whether the bytes that are in the row are wanted too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Body {
    With,
    Without,
}

type Found = Result<Option<ObjectRow>, StoreError>;

struct Asked {
    bucket: String,
    key: String,
    body: Body,
    reply: oneshot::Sender<Found>,
}

/// Cheap to clone.
#[derive(Clone)]
pub(super) struct Lookups {
    queue: mpsc::Sender<Asked>,
}

impl Lookups {
    /// Starts what asks the questions; `tasks` then owns it.
    pub(super) fn start(readers: &SqlitePool, tasks: &mut JoinSet<()>) -> Self {
        let (queue, asked) = mpsc::channel(QUEUE_MAX);
        let asked = Arc::new(Mutex::new(asked));
        for _ in 0..AT_A_TIME {
            tasks.spawn(run(readers.clone(), Arc::clone(&asked)));
        }
        Self { queue }
    }

    /// The current version under the key; `None` where there is none, or no bucket.
    pub(super) async fn current(&self, bucket: &str, key: &str, body: Body) -> Found {
        let (reply, found) = oneshot::channel();
        let asked = Asked {
            bucket: bucket.to_owned(),
            key: key.to_owned(),
            body,
            reply,
        };
        let queued = self.queue.send(asked).await;
        queued.map_err(|_closed| StoreError::Stopping)?;
        found.await.map_err(|_dropped| StoreError::Stopping)?
    }
}

/// Answers until the store is gone.
async fn run(readers: SqlitePool, queue: Arc<Mutex<mpsc::Receiver<Asked>>>) {
    let mut together = Vec::with_capacity(TOGETHER_MAX);
    while next(&queue, &mut together).await > 0 {
        match find(&readers, &together).await {
            Ok(answers) => {
                for (asked, found) in together.drain(..).zip(answers) {
                    answer(asked, found);
                }
            }
            Err(_of_all) => {
                let alone = together.drain(..).map(|asked| find_alone(&readers, asked));
                join_all(alone).await;
            }
        }
    }
}

async fn find_alone(readers: &SqlitePool, asked: Asked) {
    let alone = find(readers, slice::from_ref(&asked)).await;
    let found = alone.and_then(|mut one| one.pop().unwrap_or(Ok(None)));
    answer(asked, found);
}

async fn next(queue: &Mutex<mpsc::Receiver<Asked>>, together: &mut Vec<Asked>) -> usize {
    queue.lock().await.recv_many(together, TOGETHER_MAX).await
}

/// In the order in which they were asked for.
async fn find(readers: &SqlitePool, together: &[Asked]) -> Result<Vec<Found>, StoreError> {
    let list: Vec<_> = together
        .iter()
        .map(|asked| (&asked.bucket, &asked.key, asked.body == Body::With))
        .collect();
    let rows = sqlx::query(CURRENT)
        .bind(serde_json::to_string(&list)?)
        .fetch_all(readers)
        .await?;
    let mut found: Vec<_> = together.iter().map(|_asked| Ok(None)).collect();
    for row in &rows {
        let place: i64 = row.try_get("place_in_list")?;
        if let Some(found) = usize::try_from(place).ok().and_then(|at| found.get_mut(at)) {
            *found = ObjectRow::read(row).map(Some);
        }
    }
    Ok(found)
}

fn answer(asked: Asked, found: Found) {
    if asked.reply.send(found).is_err() {
        tracing::debug!("the client went away before its answer");
    }
}
