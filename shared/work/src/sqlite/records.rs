//! Work records in SQLite: of the object, of its files in batches, the checkpoint, the done marks.
//!
//! A batch's records are kept as runs, one JSON array each. Pass one appends a run with every
//! checkpoint, so a checkpoint writes only what is new; later stages write the batch as one run.
//!
//! Every write compares the fence in its own transaction: nobody can take the lease between the
//! comparison and the write. JSON is made before the connection is taken and read after it is
//! given back, so that nobody waits for that.

use std::collections::BTreeSet;

use muniment_model::{BatchNumber, Checkpoint, FileRecord, ObjectRecord, Queue, WorkItemId};
use sqlx::{Sqlite, SqliteConnection, Transaction};
use tokio::sync::{Mutex, MutexGuard};

use super::queue::batch_column;
use super::write;
use crate::codec::{decode, decode_all, encode, encode_all};
use crate::{BATCH_FILES_MAX, Contents, Lease, WorkError};

type Writer = Mutex<SqliteConnection>;
type Reader<'a> = MutexGuard<'a, SqliteConnection>;

/// Consecutive records of one batch, ready to be written.
pub(super) struct Run {
    item: WorkItemId,
    batch: BatchNumber,
    first_index: usize,
    count: usize,
    json: String,
}

impl Run {
    pub(super) fn new(
        lease: &Lease,
        batch: BatchNumber,
        first_index: usize,
        records: &[FileRecord],
    ) -> Result<Self, WorkError> {
        let item = lease.item;
        let count = records.len();
        if first_index.saturating_add(count) > BATCH_FILES_MAX {
            return Err(WorkError::BatchTooLarge {
                item,
                batch,
                count: first_index.saturating_add(count),
            });
        }
        Ok(Self {
            item,
            batch,
            first_index,
            count,
            json: encode_all(records, || what_files(item, batch))?,
        })
    }
}

fn what_object(item: WorkItemId) -> String {
    format!("the object record of item {item}")
}

fn what_checkpoint(item: WorkItemId) -> String {
    format!("the checkpoint of item {item}")
}

fn what_files(item: WorkItemId, batch: BatchNumber) -> String {
    format!("the file records of item {item}, batch {batch}")
}

/// Fails unless the store holds this lease's token for its work.
async fn check_fence(
    transaction: &mut Transaction<'_, Sqlite>,
    lease: &Lease,
) -> Result<(), WorkError> {
    let held: bool = sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM message WHERE item = ?1 AND queue = ?2 AND batch = ?3 \
         AND phase = 'leased' AND token = ?4)",
    )
    .bind(lease.item.0)
    .bind(lease.queue.as_str())
    .bind(batch_column(lease.batch))
    .bind(lease.token.0.to_be_bytes().to_vec())
    .fetch_one(&mut **transaction)
    .await?;
    if held {
        Ok(())
    } else {
        Err(WorkError::LeaseLost {
            identity: lease.identity(),
        })
    }
}

/// The lease on a batch covers that batch only; the planner's covers the whole item.
fn check_batch(lease: &Lease, batch: BatchNumber) -> Result<(), WorkError> {
    if lease.batch.is_none_or(|own| own == batch) {
        Ok(())
    } else {
        Err(WorkError::OtherBatch {
            identity: lease.identity(),
            batch,
        })
    }
}

pub(super) async fn object(
    mut reader: Reader<'_>,
    item: WorkItemId,
) -> Result<Option<ObjectRecord>, WorkError> {
    let json: Option<String> =
        sqlx::query_scalar("SELECT record FROM object_record WHERE item = ?1")
            .bind(item.0)
            .fetch_optional(&mut *reader)
            .await?;
    drop(reader);
    json.map(|json| decode(&json, || what_object(item)))
        .transpose()
}

pub(super) async fn put_object(
    writer: &Writer,
    lease: &Lease,
    record: &ObjectRecord,
) -> Result<(), WorkError> {
    if record.item != lease.item {
        return Err(WorkError::OtherItem {
            identity: lease.identity(),
            item: record.item,
        });
    }
    let json = encode(record, || what_object(record.item))?;
    let mut connection = writer.lock().await;
    let mut transaction = write(&mut connection).await?;
    check_fence(&mut transaction, lease).await?;
    sqlx::query(
        "INSERT INTO object_record (item, record) VALUES (?1, ?2) \
         ON CONFLICT (item) DO UPDATE SET record = excluded.record",
    )
    .bind(lease.item.0)
    .bind(json)
    .execute(&mut *transaction)
    .await?;
    Ok(transaction.commit().await?)
}

pub(super) async fn files(
    mut reader: Reader<'_>,
    item: WorkItemId,
    batch: BatchNumber,
) -> Result<Vec<FileRecord>, WorkError> {
    let runs: Vec<String> = sqlx::query_scalar(
        "SELECT records FROM file_run WHERE item = ?1 AND batch = ?2 ORDER BY first_index",
    )
    .bind(item.0)
    .bind(i64::from(batch.0))
    .fetch_all(&mut *reader)
    .await?;
    drop(reader);
    let mut records = Vec::new();
    for run in runs {
        records.extend(decode_all(&run, || what_files(item, batch))?);
    }
    Ok(records)
}

pub(super) async fn put_files(
    writer: &Writer,
    lease: &Lease,
    run: &Run,
    checkpoint: Option<&Checkpoint>,
) -> Result<(), WorkError> {
    check_batch(lease, run.batch)?;
    let checkpoint = checkpoint
        .map(|checkpoint| encode(checkpoint, || what_checkpoint(lease.item)))
        .transpose()?;
    let mut connection = writer.lock().await;
    let mut transaction = write(&mut connection).await?;
    check_fence(&mut transaction, lease).await?;
    put_run(&mut transaction, run).await?;
    if let Some(json) = checkpoint {
        sqlx::query(
            "INSERT INTO checkpoint (item, record) VALUES (?1, ?2) \
             ON CONFLICT (item) DO UPDATE SET record = excluded.record",
        )
        .bind(lease.item.0)
        .bind(json)
        .execute(&mut *transaction)
        .await?;
    }
    Ok(transaction.commit().await?)
}

/// Writes the run in place of everything from its first record on.
async fn put_run(transaction: &mut Transaction<'_, Sqlite>, run: &Run) -> Result<(), WorkError> {
    if run.first_index > 0 {
        end_before(transaction, run).await?;
    }
    sqlx::query("DELETE FROM file_run WHERE item = ?1 AND batch = ?2 AND first_index >= ?3")
        .bind(run.item.0)
        .bind(i64::from(run.batch.0))
        .bind(column(run.first_index))
        .execute(&mut **transaction)
        .await?;
    if run.count > 0 {
        insert_run(transaction, run).await?;
    }
    Ok(())
}

/// Sees to it that the run before this one ends where this one begins. It need not: whoever goes
/// on from a checkpoint may cut the batch elsewhere than the one before.
async fn end_before(transaction: &mut Transaction<'_, Sqlite>, run: &Run) -> Result<(), WorkError> {
    let Run {
        item,
        batch,
        first_index: from_index,
        ..
    } = *run;
    let before: Option<(i64, i64)> = sqlx::query_as(
        "SELECT first_index, count FROM file_run WHERE item = ?1 AND batch = ?2 \
         AND first_index < ?3 ORDER BY first_index DESC LIMIT 1",
    )
    .bind(item.0)
    .bind(i64::from(batch.0))
    .bind(column(from_index))
    .fetch_optional(&mut **transaction)
    .await?;
    let (first_index, count) = before.map_or((0, 0), |(first_index, count)| {
        (index(first_index), index(count))
    });
    let held = first_index + count;
    if held < from_index {
        return Err(WorkError::Gap {
            item,
            batch,
            held,
            from_index,
        });
    }
    if held == from_index {
        return Ok(());
    }
    let json: String = sqlx::query_scalar(
        "SELECT records FROM file_run WHERE item = ?1 AND batch = ?2 AND first_index = ?3",
    )
    .bind(item.0)
    .bind(i64::from(batch.0))
    .bind(column(first_index))
    .fetch_one(&mut **transaction)
    .await?;
    let mut records: Vec<FileRecord> = decode_all(&json, || what_files(item, batch))?;
    records.truncate(from_index - first_index);
    let shortened = Run {
        item,
        batch,
        first_index,
        count: records.len(),
        json: encode_all(&records, || what_files(item, batch))?,
    };
    insert_run(transaction, &shortened).await
}

async fn insert_run(transaction: &mut Transaction<'_, Sqlite>, run: &Run) -> Result<(), WorkError> {
    sqlx::query(
        "INSERT INTO file_run (item, batch, first_index, count, records) \
         VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (item, batch, first_index) \
         DO UPDATE SET count = excluded.count, records = excluded.records",
    )
    .bind(run.item.0)
    .bind(i64::from(run.batch.0))
    .bind(column(run.first_index))
    .bind(column(run.count))
    .bind(run.json.as_str())
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

fn column(index: usize) -> i64 {
    i64::try_from(index).unwrap_or(i64::MAX)
}

/// Indexes are at most [`BATCH_FILES_MAX`]; a foreign row with another is seen as a gap.
fn index(column: i64) -> usize {
    usize::try_from(column).unwrap_or_default()
}

pub(super) async fn checkpoint(
    mut reader: Reader<'_>,
    item: WorkItemId,
) -> Result<Option<Checkpoint>, WorkError> {
    let json: Option<String> = sqlx::query_scalar("SELECT record FROM checkpoint WHERE item = ?1")
        .bind(item.0)
        .fetch_optional(&mut *reader)
        .await?;
    drop(reader);
    json.map(|json| decode(&json, || what_checkpoint(item)))
        .transpose()
}

pub(super) async fn mark_done(
    writer: &Writer,
    lease: &Lease,
    batch: BatchNumber,
    run: Option<&Run>,
) -> Result<u64, WorkError> {
    check_batch(lease, batch)?;
    let mut connection = writer.lock().await;
    let mut transaction = write(&mut connection).await?;
    check_fence(&mut transaction, lease).await?;
    if let Some(run) = run {
        put_run(&mut transaction, run).await?;
    }
    sqlx::query(
        "INSERT INTO done_batch (item, queue, batch) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
    )
    .bind(lease.item.0)
    .bind(lease.queue.as_str())
    .bind(i64::from(batch.0))
    .execute(&mut *transaction)
    .await?;
    let done: i64 =
        sqlx::query_scalar("SELECT count(*) FROM done_batch WHERE item = ?1 AND queue = ?2")
            .bind(lease.item.0)
            .bind(lease.queue.as_str())
            .fetch_one(&mut *transaction)
            .await?;
    transaction.commit().await?;
    Ok(done.cast_unsigned())
}

pub(super) async fn done_batches(
    connection: &mut SqliteConnection,
    item: WorkItemId,
    queue: Queue,
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
    writer: &Writer,
    lease: &Lease,
    queue: Queue,
) -> Result<(), WorkError> {
    let mut connection = writer.lock().await;
    let mut transaction = write(&mut connection).await?;
    check_fence(&mut transaction, lease).await?;
    sqlx::query("DELETE FROM done_batch WHERE item = ?1 AND queue = ?2")
        .bind(lease.item.0)
        .bind(queue.as_str())
        .execute(&mut *transaction)
        .await?;
    Ok(transaction.commit().await?)
}

pub(super) async fn clear_records(writer: &Writer, lease: &Lease) -> Result<(), WorkError> {
    let mut connection = writer.lock().await;
    let mut transaction = write(&mut connection).await?;
    check_fence(&mut transaction, lease).await?;
    for statement in [
        "DELETE FROM file_run WHERE item = ?1",
        "DELETE FROM checkpoint WHERE item = ?1",
        "DELETE FROM done_batch WHERE item = ?1",
    ] {
        sqlx::query(statement)
            .bind(lease.item.0)
            .execute(&mut *transaction)
            .await?;
    }
    sqlx::query("DELETE FROM message WHERE item = ?1 AND NOT (queue = ?2 AND batch = ?3)")
        .bind(lease.item.0)
        .bind(lease.queue.as_str())
        .bind(batch_column(lease.batch))
        .execute(&mut *transaction)
        .await?;
    Ok(transaction.commit().await?)
}

pub(super) async fn drop_item(writer: &Writer, item: WorkItemId) -> Result<(), WorkError> {
    let mut connection = writer.lock().await;
    let mut transaction = write(&mut connection).await?;
    for statement in [
        "DELETE FROM object_record WHERE item = ?1",
        "DELETE FROM file_run WHERE item = ?1",
        "DELETE FROM checkpoint WHERE item = ?1",
        "DELETE FROM done_batch WHERE item = ?1",
        "DELETE FROM message WHERE item = ?1",
    ] {
        sqlx::query(statement)
            .bind(item.0)
            .execute(&mut *transaction)
            .await?;
    }
    Ok(transaction.commit().await?)
}

pub(super) async fn contents(connection: &mut SqliteConnection) -> Result<Contents, WorkError> {
    let (messages, object_records, file_records, checkpoints, done_marks): (
        i64,
        i64,
        i64,
        i64,
        i64,
    ) = sqlx::query_as(
        "SELECT (SELECT count(*) FROM message), (SELECT count(*) FROM object_record), \
         (SELECT coalesce(sum(count), 0) FROM file_run), (SELECT count(*) FROM checkpoint), \
         (SELECT count(*) FROM done_batch)",
    )
    .fetch_one(connection)
    .await?;
    Ok(Contents {
        messages: messages.cast_unsigned(),
        object_records: object_records.cast_unsigned(),
        file_records: file_records.cast_unsigned(),
        checkpoints: checkpoints.cast_unsigned(),
        done_marks: done_marks.cast_unsigned(),
    })
}
