//! The calls of [`Records`]: each one transaction, or one read, of the statements in [`records`].

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use muniment_model::{BatchNumber, Checkpoint, FileRecord, ObjectRecord, QueueName, WorkItemId};

use super::packed::StoredRun;
use super::records::{self, Run};
use super::{SqliteWork, finish, queue};
use crate::decide::Command;
use crate::rules::{check_batch, item_of};
use crate::{
    BatchRecords, BatchSize, BatchesDone, FileWrite, Lease, Progress, Records, Subject, WorkError,
};

#[async_trait]
impl Records for SqliteWork {
    async fn object(&self, item: WorkItemId) -> Result<Option<ObjectRecord>, WorkError> {
        let read = async { records::object(&mut *self.store.reader.lock().await, item).await };
        let json = self.call("object", read).await?;
        self.received("object", json.as_ref().map_or(0, String::len));
        records::read_object(item, json)
    }

    async fn save_object(&self, lease: &Lease, record: &ObjectRecord) -> Result<(), WorkError> {
        let json = records::write_object(lease, record)?;
        self.call_with("save_object", json.len(), async {
            let mut transaction = self.fenced(lease).await?;
            records::save_object(&mut transaction, record.item, json).await?;
            Ok(transaction.commit().await?)
        })
        .await
    }

    async fn files(
        &self,
        item: WorkItemId,
        batch: BatchNumber,
    ) -> Result<Vec<FileRecord>, WorkError> {
        let read =
            async { records::files(&mut *self.store.reader.lock().await, item, batch).await };
        let runs = self.call("files", read).await?;
        self.received("files", runs.iter().map(StoredRun::len).sum());
        records::read_files(item, batch, &runs)
    }

    async fn batch_sizes(
        &self,
        item: WorkItemId,
    ) -> Result<BTreeMap<BatchNumber, BatchSize>, WorkError> {
        self.call("batch_sizes", async {
            records::batch_sizes(&mut *self.store.reader.lock().await, item).await
        })
        .await
    }

    async fn batch(&self, item: WorkItemId, batch: BatchNumber) -> Result<BatchRecords, WorkError> {
        let (object, files) = self
            .call("batch", async {
                let mut reader = self.store.reader.lock().await;
                let object = records::object(&mut reader, item).await?;
                Ok((object, records::files(&mut reader, item, batch).await?))
            })
            .await?;
        let of_files: usize = files.iter().map(StoredRun::len).sum();
        let of_object = object.as_ref().map_or(0, String::len);
        self.received("batch", of_files + of_object);
        Ok(BatchRecords {
            object: records::read_object(item, object)?,
            files: records::read_files(item, batch, &files)?,
        })
    }

    async fn save_files(&self, lease: &Lease, write: FileWrite<'_>) -> Result<(), WorkError> {
        let item = item_of(lease)?;
        let run = Run::new(lease, write.batch, write.from_index, write.records)?;
        let checkpoint = write
            .checkpoint
            .map(|checkpoint| records::write_checkpoint(item, checkpoint))
            .transpose()?;
        let bytes = run.bytes() + checkpoint.as_ref().map_or(0, String::len);
        self.call_with("save_files", bytes, async {
            let mut transaction = self.fenced(lease).await?;
            records::save_run(&mut transaction, &run).await?;
            if let Some(json) = checkpoint {
                records::save_checkpoint(&mut transaction, item, json).await?;
            }
            if write.progress == Progress::Made {
                let command = Command::Progress(*lease);
                let queue = lease.identity.queue;
                queue::run(&mut transaction, queue, &command, self.store.clock.now()).await?;
            }
            Ok(transaction.commit().await?)
        })
        .await
    }

    async fn checkpoint(&self, item: WorkItemId) -> Result<Option<Checkpoint>, WorkError> {
        self.call("checkpoint", async {
            records::checkpoint(&mut *self.store.reader.lock().await, item).await
        })
        .await
    }

    async fn finish_batch(
        &self,
        lease: &Lease,
        batch: BatchNumber,
        records: Option<&[FileRecord]>,
        batches: u32,
    ) -> Result<BatchesDone, WorkError> {
        let item = item_of(lease)?;
        check_batch(lease, batch)?;
        let run = records
            .map(|records| Run::new(lease, batch, 0, records))
            .transpose()?;
        let queue = lease.identity.queue;
        let mut woken = 0;
        let done = self
            .call_with("finish_batch", run.as_ref().map_or(0, Run::bytes), async {
                let mut transaction = self.fenced(lease).await?;
                if let Some(run) = &run {
                    records::save_run(&mut transaction, run).await?;
                }
                let done = records::mark_done(&mut transaction, (item, queue), batch).await?;
                if lease.identity.batch.is_some() {
                    let wake = if done.newly && done.done == batches {
                        finish::Wake::Planner
                    } else {
                        finish::Wake::Nobody
                    };
                    let now = self.store.clock.now();
                    woken = finish::acknowledge(&mut transaction, lease, wake, now).await?;
                }
                transaction.commit().await?;
                Ok(done)
            })
            .await?;
        self.wake(queue, woken);
        Ok(done)
    }

    async fn done_batches(
        &self,
        item: WorkItemId,
        queue: QueueName,
    ) -> Result<BTreeSet<BatchNumber>, WorkError> {
        let read = async {
            records::done_batches(&mut *self.store.reader.lock().await, item, queue).await
        };
        self.call("done_batches", read).await
    }

    async fn clear_done(&self, lease: &Lease, queues: &[QueueName]) -> Result<(), WorkError> {
        let item = item_of(lease)?;
        self.call("clear_done", async {
            let mut transaction = self.fenced(lease).await?;
            records::clear_done(&mut transaction, item, queues).await?;
            Ok(transaction.commit().await?)
        })
        .await
    }

    async fn clear_records(&self, lease: &Lease) -> Result<(), WorkError> {
        let item = item_of(lease)?;
        self.call("clear_records", async {
            let mut transaction = self.fenced(lease).await?;
            records::clear(&mut transaction, item).await?;
            let own = Some(lease.identity);
            queue::remove_all(&mut transaction, lease.identity.subject, own).await?;
            Ok(transaction.commit().await?)
        })
        .await
    }

    async fn items_after(
        &self,
        after: WorkItemId,
        max: usize,
    ) -> Result<Vec<WorkItemId>, WorkError> {
        self.call("items_after", async {
            records::items_after(&mut *self.store.reader.lock().await, after, max).await
        })
        .await
    }

    async fn drop_item(&self, item: WorkItemId) -> Result<(), WorkError> {
        self.call("drop_item", async {
            let mut transaction = self.store.writer.begin().await?;
            records::clear(&mut transaction, item).await?;
            records::remove_object(&mut transaction, item).await?;
            queue::remove_all(&mut transaction, Subject::Item(item), None).await?;
            Ok(transaction.commit().await?)
        })
        .await
    }
}
