//! Work records in SQLite: of the object, of its files in batches, the checkpoint, the done marks.
//!
//! A batch's records are kept as runs, one packed JSON array each. Pass one appends a run with every
//! checkpoint, so a checkpoint writes only what is new; later stages write the batch as one run.
//!
//! Everything here runs inside the caller's transaction, whose first act is to compare the fence:
//! nobody can take the lease between the comparison and the write. JSON is made before the
//! connection is taken and read after it is given back, so that nobody waits for that.

use std::collections::{BTreeMap, BTreeSet};

use muniment_model::{BatchNumber, Checkpoint, FileRecord, ObjectRecord, QueueName, WorkItemId};
use sqlx::{FromRow, SqliteConnection};

use super::packed::{StoredRun, columns, pack};
use super::queue::batch_column;
use crate::codec::{decode, decode_all, encode, encode_all};
use crate::rules::{check_batch, check_count, check_object, item_of, size_of};
use crate::{BatchSize, BatchesDone, Lease, WorkError, what};

const SELECT_RUNS: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM file_run WHERE item = ?1 AND batch = ?2 ORDER BY first_index"
);

const SELECT_RUN_BEFORE: &str = concat!(
    "SELECT first_index, count, ",
    columns!(),
    " FROM file_run WHERE item = ?1 AND batch = ?2 AND first_index < ?3 ORDER BY first_index DESC LIMIT 1"
);

/// Consecutive records of one batch, ready to be written.
pub(super) struct Run {
    item: WorkItemId,
    batch: BatchNumber,
    first_index: usize,
    count: usize,
    size_bytes: u64,
    packed: Vec<u8>,
}

impl Run {
    pub(super) fn new(
        lease: &Lease,
        batch: BatchNumber,
        first_index: usize,
        records: &[FileRecord],
    ) -> Result<Self, WorkError> {
        let item = item_of(lease)?;
        check_batch(lease, batch)?;
        let count = records.len();
        check_count(item, batch, first_index.saturating_add(count))?;
        Ok(Self {
            item,
            batch,
            first_index,
            count,
            size_bytes: size_of(records),
            packed: pack(&encode_all(records, || what::files(item, batch))?)?,
        })
    }

    /// Of the records as they are written.
    pub(super) fn bytes(&self) -> usize {
        self.packed.len()
    }
}

/// Fails unless the store holds this lease's token for its work.
pub(super) async fn check_fence(
    connection: &mut SqliteConnection,
    lease: &Lease,
) -> Result<(), WorkError> {
    let held: bool = sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM message WHERE subject = ?1 AND queue = ?2 AND batch = ?3 \
         AND phase = 'leased' AND token = ?4)",
    )
    .bind(lease.identity.subject.to_string())
    .bind(lease.identity.queue.as_str())
    .bind(batch_column(lease.identity.batch))
    .bind(lease.token.0.to_be_bytes().to_vec())
    .fetch_one(connection)
    .await?;
    if held {
        Ok(())
    } else {
        Err(WorkError::LeaseLost {
            identity: lease.identity,
        })
    }
}

/// The JSON of the object's record, to be read with [`read_object`].
pub(super) async fn object(
    connection: &mut SqliteConnection,
    item: WorkItemId,
) -> Result<Option<String>, WorkError> {
    let json = sqlx::query_scalar("SELECT record FROM object_record WHERE item = ?1")
        .bind(item.0)
        .fetch_optional(connection)
        .await?;
    Ok(json)
}

pub(super) fn read_object(
    item: WorkItemId,
    json: Option<String>,
) -> Result<Option<ObjectRecord>, WorkError> {
    json.map(|json| decode(&json, || what::object(item)))
        .transpose()
}

/// The object's record as JSON, if it is the record of the lease's item.
pub(super) fn write_object(lease: &Lease, record: &ObjectRecord) -> Result<String, WorkError> {
    check_object(lease, record)?;
    encode(record, || what::object(record.item))
}

pub(super) async fn save_object(
    connection: &mut SqliteConnection,
    item: WorkItemId,
    json: String,
) -> Result<(), WorkError> {
    let statement = "INSERT INTO object_record (item, record) VALUES (?1, ?2) \
                     ON CONFLICT (item) DO UPDATE SET record = excluded.record";
    save_record(connection, statement, item, json).await
}

async fn save_record(
    connection: &mut SqliteConnection,
    statement: &'static str,
    item: WorkItemId,
    json: String,
) -> Result<(), WorkError> {
    sqlx::query(statement)
        .bind(item.0)
        .bind(json)
        .execute(connection)
        .await?;
    Ok(())
}

/// The batch's runs, to be read with [`read_files`].
pub(super) async fn files(
    connection: &mut SqliteConnection,
    item: WorkItemId,
    batch: BatchNumber,
) -> Result<Vec<StoredRun>, WorkError> {
    let runs = sqlx::query_as(SELECT_RUNS)
        .bind(item.0)
        .bind(i64::from(batch.0))
        .fetch_all(connection)
        .await?;
    Ok(runs)
}

pub(super) fn read_files(
    item: WorkItemId,
    batch: BatchNumber,
    runs: &[StoredRun],
) -> Result<Vec<FileRecord>, WorkError> {
    let what = || what::files(item, batch);
    let mut records = Vec::new();
    for run in runs {
        records.extend(decode_all(&run.unpack(what)?, what)?);
    }
    Ok(records)
}

pub(super) async fn batch_sizes(
    connection: &mut SqliteConnection,
    item: WorkItemId,
) -> Result<BTreeMap<BatchNumber, BatchSize>, WorkError> {
    let rows: Vec<(u32, u32, i64)> = sqlx::query_as(
        "SELECT batch, sum(count), sum(size_bytes) FROM file_run INDEXED BY file_run_size \
         WHERE item = ?1 GROUP BY batch",
    )
    .bind(item.0)
    .fetch_all(connection)
    .await?;
    let sizes = rows.into_iter().map(|(batch, files, bytes)| {
        let bytes = bytes.cast_unsigned();
        (BatchNumber(batch), BatchSize { files, bytes })
    });
    Ok(sizes.collect())
}

/// Writes the run in place of everything from its first record on.
pub(super) async fn save_run(
    connection: &mut SqliteConnection,
    run: &Run,
) -> Result<(), WorkError> {
    if run.first_index > 0 {
        end_before(connection, run).await?;
    }
    sqlx::query("DELETE FROM file_run WHERE item = ?1 AND batch = ?2 AND first_index >= ?3")
        .bind(run.item.0)
        .bind(i64::from(run.batch.0))
        .bind(column(run.first_index))
        .execute(&mut *connection)
        .await?;
    if run.count > 0 {
        insert_run(connection, run).await?;
    }
    Ok(())
}

/// The run before another one.
#[derive(FromRow)]
struct RunBefore {
    first_index: i64,
    count: i64,
    #[sqlx(flatten)]
    run: StoredRun,
}

/// Makes the run before this one end where this one begins. It need not: a job that goes on from a
/// checkpoint may cut the batch elsewhere than the one before.
async fn end_before(connection: &mut SqliteConnection, run: &Run) -> Result<(), WorkError> {
    let Run {
        item,
        batch,
        first_index: from_index,
        ..
    } = *run;
    let before: Option<RunBefore> = sqlx::query_as(SELECT_RUN_BEFORE)
        .bind(item.0)
        .bind(i64::from(batch.0))
        .bind(column(from_index))
        .fetch_optional(&mut *connection)
        .await?;
    let held = before
        .as_ref()
        .map_or(0, |last| index(last.first_index) + index(last.count));
    if held < from_index {
        return Err(WorkError::Gap {
            item,
            batch,
            held,
            from_index,
        });
    }
    let Some(before) = before.filter(|_| held > from_index) else {
        return Ok(());
    };
    let first_index = index(before.first_index);
    let mut records = read_files(item, batch, &[before.run])?;
    records.truncate(from_index - first_index);
    let shortened = Run {
        item,
        batch,
        first_index,
        count: records.len(),
        size_bytes: size_of(&records),
        packed: pack(&encode_all(&records, || what::files(item, batch))?)?,
    };
    insert_run(connection, &shortened).await
}

async fn insert_run(connection: &mut SqliteConnection, run: &Run) -> Result<(), WorkError> {
    sqlx::query(
        "INSERT INTO file_run (item, batch, first_index, count, records, size_bytes) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (item, batch, first_index) \
         DO UPDATE SET count = excluded.count, records = excluded.records, \
         size_bytes = excluded.size_bytes",
    )
    .bind(run.item.0)
    .bind(i64::from(run.batch.0))
    .bind(column(run.first_index))
    .bind(column(run.count))
    .bind(run.packed.as_slice())
    // The files of a tar, whose own length fits.
    .bind(run.size_bytes.cast_signed())
    .execute(connection)
    .await?;
    Ok(())
}

fn column(index: usize) -> i64 {
    i64::try_from(index).unwrap_or(i64::MAX)
}

/// Indexes are at most [`crate::BATCH_FILES_MAX`]; a foreign row with another is seen as a gap.
fn index(column: i64) -> usize {
    usize::try_from(column).unwrap_or_default()
}

pub(super) async fn checkpoint(
    connection: &mut SqliteConnection,
    item: WorkItemId,
) -> Result<Option<Checkpoint>, WorkError> {
    let json: Option<String> = sqlx::query_scalar("SELECT record FROM checkpoint WHERE item = ?1")
        .bind(item.0)
        .fetch_optional(connection)
        .await?;
    json.map(|json| decode(&json, || what::checkpoint(item)))
        .transpose()
}

pub(super) fn write_checkpoint(
    item: WorkItemId,
    checkpoint: &Checkpoint,
) -> Result<String, WorkError> {
    encode(checkpoint, || what::checkpoint(item))
}

pub(super) async fn save_checkpoint(
    connection: &mut SqliteConnection,
    item: WorkItemId,
    json: String,
) -> Result<(), WorkError> {
    let statement = "INSERT INTO checkpoint (item, record) VALUES (?1, ?2) \
                     ON CONFLICT (item) DO UPDATE SET record = excluded.record";
    save_record(connection, statement, item, json).await
}

pub(super) async fn mark_done(
    connection: &mut SqliteConnection,
    (item, queue): (WorkItemId, QueueName),
    batch: BatchNumber,
) -> Result<BatchesDone, WorkError> {
    let marked = sqlx::query(
        "INSERT INTO done_batch (item, queue, batch) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
    )
    .bind(item.0)
    .bind(queue.as_str())
    .bind(i64::from(batch.0))
    .execute(&mut *connection)
    .await?;
    let done = sqlx::query_scalar("SELECT count(*) FROM done_batch WHERE item = ?1 AND queue = ?2")
        .bind(item.0)
        .bind(queue.as_str())
        .fetch_one(connection)
        .await?;
    Ok(BatchesDone {
        newly: marked.rows_affected() > 0,
        done,
    })
}

pub(super) async fn done_batches(
    connection: &mut SqliteConnection,
    item: WorkItemId,
    queue: QueueName,
) -> Result<BTreeSet<BatchNumber>, WorkError> {
    let batches: Vec<u32> =
        sqlx::query_scalar("SELECT batch FROM done_batch WHERE item = ?1 AND queue = ?2")
            .bind(item.0)
            .bind(queue.as_str())
            .fetch_all(connection)
            .await?;
    Ok(batches.into_iter().map(BatchNumber).collect())
}

pub(super) async fn clear_done(
    connection: &mut SqliteConnection,
    item: WorkItemId,
    queues: &[QueueName],
) -> Result<(), WorkError> {
    for queue in queues {
        sqlx::query("DELETE FROM done_batch WHERE item = ?1 AND queue = ?2")
            .bind(item.0)
            .bind(queue.as_str())
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

/// Each part reads no more of its index than it answers, but that of the messages: their keys are
/// text, and there are as many as batches under way.
pub(super) async fn items_after(
    connection: &mut SqliteConnection,
    after: WorkItemId,
    max: usize,
) -> Result<Vec<WorkItemId>, WorkError> {
    let items: Vec<i64> = sqlx::query_scalar(
        "SELECT item FROM (SELECT item FROM object_record WHERE item > ?1 ORDER BY item LIMIT ?2) \
         UNION SELECT item FROM (SELECT DISTINCT item FROM file_run WHERE item > ?1 \
         ORDER BY item LIMIT ?2) \
         UNION SELECT item FROM (SELECT item FROM checkpoint WHERE item > ?1 \
         ORDER BY item LIMIT ?2) \
         UNION SELECT item FROM (SELECT DISTINCT item FROM done_batch WHERE item > ?1 \
         ORDER BY item LIMIT ?2) \
         UNION SELECT item FROM (SELECT DISTINCT CAST(substr(subject, 6) AS INTEGER) AS item \
         FROM message WHERE subject > 'item/' AND subject < 'item0') WHERE item > ?1 \
         ORDER BY item LIMIT ?2",
    )
    .bind(after.0)
    .bind(i64::try_from(max).unwrap_or(i64::MAX))
    .fetch_all(connection)
    .await?;
    Ok(items.into_iter().map(WorkItemId).collect())
}

/// Removes what [`crate::Records::clear_records`] says, but the messages.
pub(super) async fn clear(
    connection: &mut SqliteConnection,
    item: WorkItemId,
) -> Result<(), WorkError> {
    for statement in [
        "DELETE FROM file_run WHERE item = ?1",
        "DELETE FROM checkpoint WHERE item = ?1",
        "DELETE FROM done_batch WHERE item = ?1",
    ] {
        sqlx::query(statement)
            .bind(item.0)
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

pub(super) async fn remove_object(
    connection: &mut SqliteConnection,
    item: WorkItemId,
) -> Result<(), WorkError> {
    sqlx::query("DELETE FROM object_record WHERE item = ?1")
        .bind(item.0)
        .execute(connection)
        .await?;
    Ok(())
}
