//! Work records in Redis: each of an item's under one tag of its own, so that items spread over nodes.
//!
//! A write is two calls: the queue's slot says whether the lease holds and tells the number of its claim, and the
//! item's slot refuses a number that is lower than that of a later claim of the same work. A claim leaves its
//! number there before anything is read, so no late write follows the read of the next holder (decision 8).

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use muniment_model::{BatchNumber, Checkpoint, FileRecord, ObjectRecord, QueueName, WorkItemId};
use redis::{Cmd, FromRedisValue, Script, cmd, pipe};

use super::queue::{Act, batch_text, foreign};
use super::{RedisWork, scripts};
use crate::codec::{decode, encode};
use crate::rules::{check_batch, check_count, check_object, item_of, size_of};
use crate::{
    BatchRecords, BatchSize, BatchesDone, FileWrite, Identity, Lease, Progress, Records, Subject,
    WorkError, what,
};

/// Far beyond any ingest. What is forgotten is made again from the index of the staged batches.
const LASTS_SECONDS: u64 = 60 * 60 * 24 * 60;

/// How long it is remembered what was forgotten. A write that was on its way then may come as late as a call takes.
const FORGOTTEN_SECONDS: u64 = 60 * 60;

/// What one write has; nothing where a member is empty.
#[derive(Default)]
struct Write {
    object: String,
    checkpoint: String,
    batch: String,
    from_index: usize,
    bytes: u64,
    records: Vec<String>,
}

impl Write {
    fn of_files(
        lease: &Lease,
        (batch, from_index): (BatchNumber, usize),
        records: &[FileRecord],
    ) -> Result<Self, WorkError> {
        let item = item_of(lease)?;
        check_batch(lease, batch)?;
        check_count(item, batch, from_index.saturating_add(records.len()))?;
        let name = || what::files(item, batch);
        let encoded = records.iter().map(|record| encode(record, name));
        Ok(Self {
            batch: batch.to_string(),
            from_index,
            bytes: size_of(records),
            records: encoded.collect::<Result<_, _>>()?,
            ..Self::default()
        })
    }

    fn len(&self) -> usize {
        let of_records: usize = self.records.iter().map(String::len).sum();
        self.object.len() + self.checkpoint.len() + of_records
    }
}

impl RedisWork {
    fn item_tag(&self, item: WorkItemId) -> String {
        format!("{{{}/{item}}}", self.store.name)
    }

    fn item_key(&self, item: WorkItemId, part: &str) -> String {
        format!("{}:{part}", self.item_tag(item))
    }

    fn files_key(&self, item: WorkItemId, batch: BatchNumber) -> String {
        self.item_key(item, &format!("files:{batch}"))
    }

    /// One command that reads.
    async fn ask<T: FromRedisValue>(
        &self,
        kind: &'static str,
        command: &Cmd,
    ) -> Result<T, WorkError> {
        let mut connection = self.store.connections.calls();
        self.call(kind, 0, async {
            Ok(command.query_async(&mut connection).await?)
        })
        .await
    }

    /// Leaves the number of a claim with the records of its item.
    pub(super) async fn note_claim(
        &self,
        identity: Identity,
        fence: &str,
    ) -> Result<(), WorkError> {
        match identity.subject {
            Subject::Item(item) => {
                let script = &scripts::CLAIM_NUMBER;
                self.write(script, (item, identity), fence, &Write::default())
                    .await
            }
            Subject::File(_) => Ok(()),
        }
    }

    async fn write(
        &self,
        script: &Script,
        (item, identity): (WorkItemId, Identity),
        fence: &str,
        write: &Write,
    ) -> Result<(), WorkError> {
        let mut call = script.key(self.item_tag(item));
        call.arg(format!("{}#{}", identity.queue, batch_text(identity.batch)))
            .arg(fence)
            .arg(LASTS_SECONDS)
            .arg(&write.object)
            .arg(&write.checkpoint)
            .arg(&write.batch)
            .arg(write.from_index)
            .arg(write.bytes)
            .arg(&write.records);
        let (word, held): (String, usize) = call
            .invoke_async(&mut self.store.connections.calls())
            .await?;
        match word.as_str() {
            "done" => Ok(()),
            "lost" => Err(WorkError::LeaseLost { identity }),
            "gap" => Err(WorkError::Gap {
                item,
                batch: BatchNumber(write.batch.parse().unwrap_or_default()),
                held,
                from_index: write.from_index,
            }),
            _ => Err(foreign()),
        }
    }

    /// Writes what only the holder of the lease may write.
    async fn write_held(&self, lease: &Lease, write: &Write) -> Result<(), WorkError> {
        let item = item_of(lease)?;
        let fence = self.scripts().held(lease, Act::Look).await?;
        let identity = lease.identity;
        let fence = fence.ok_or(WorkError::LeaseLost { identity })?;
        self.write(&scripts::RECORDS, (item, identity), &fence, write)
            .await
    }

    /// In the queue's slot first: what is forgotten there makes late writes to the item's be refused.
    async fn forget(
        &self,
        act: &str,
        item: WorkItemId,
        lease: Option<&Lease>,
        queues: &[QueueName],
    ) -> Result<(), WorkError> {
        let mut call = scripts::FORGET.key(&self.store.tag);
        call.arg(act)
            .arg(item.0)
            .arg(Subject::Item(item).to_string());
        if let Some(lease) = lease {
            call.arg(lease.identity.queue.as_str())
                .arg(batch_text(lease.identity.batch))
                .arg(lease.token.to_string());
        } else {
            call.arg("").arg("").arg("");
        }
        for queue in queues {
            call.arg(queue.as_str());
        }
        let mut connection = self.store.connections.calls();
        let (word, fence): (String, String) = call.invoke_async(&mut connection).await?;
        if let Some(lease) = lease.filter(|_| word == "lost") {
            let identity = lease.identity;
            return Err(WorkError::LeaseLost { identity });
        }
        if fence.is_empty() {
            return Ok(());
        }
        let mut of_records = scripts::FORGET_RECORDS.key(self.item_tag(item));
        of_records
            .arg(&fence)
            .arg(FORGOTTEN_SECONDS)
            .arg(i32::from(lease.is_none()));
        let _done: String = of_records.invoke_async(&mut connection).await?;
        if lease.is_none() {
            self.unlist(item).await?;
        }
        Ok(())
    }

    /// Takes the item off the list, unless it has a message again.
    async fn unlist(&self, item: WorkItemId) -> Result<(), WorkError> {
        let mut call = scripts::UNLIST.key(&self.store.tag);
        call.arg(item.0).arg(Subject::Item(item).to_string());
        for queue in QueueName::ALL {
            call.arg(queue.as_str());
        }
        let mut connection = self.store.connections.calls();
        let _done: String = call.invoke_async(&mut connection).await?;
        Ok(())
    }

    /// By their numbers, in order.
    pub(super) fn read_files(
        item: WorkItemId,
        batch: BatchNumber,
        rows: &BTreeMap<u32, String>,
    ) -> Result<Vec<FileRecord>, WorkError> {
        let rows = rows.values();
        rows.map(|json| decode(json, || what::files(item, batch)))
            .collect()
    }
}

fn wide(rows: &BTreeMap<u32, String>) -> usize {
    rows.values().map(String::len).sum()
}

#[async_trait]
impl Records for RedisWork {
    async fn object(&self, item: WorkItemId) -> Result<Option<ObjectRecord>, WorkError> {
        let json: Option<String> = self
            .ask("object", &Cmd::get(self.item_key(item, "object")))
            .await?;
        self.received("object", json.as_ref().map_or(0, String::len));
        json.map(|json| decode(&json, || what::object(item)))
            .transpose()
    }

    async fn save_object(&self, lease: &Lease, record: &ObjectRecord) -> Result<(), WorkError> {
        check_object(lease, record)?;
        let write = Write {
            object: encode(record, || what::object(record.item))?,
            ..Write::default()
        };
        let written = self.write_held(lease, &write);
        self.call("save_object", write.len(), written).await
    }

    async fn files(
        &self,
        item: WorkItemId,
        batch: BatchNumber,
    ) -> Result<Vec<FileRecord>, WorkError> {
        let rows: BTreeMap<u32, String> = self
            .ask("files", &Cmd::hgetall(self.files_key(item, batch)))
            .await?;
        self.received("files", wide(&rows));
        Self::read_files(item, batch, &rows)
    }

    async fn batch_sizes(
        &self,
        item: WorkItemId,
    ) -> Result<BTreeMap<BatchNumber, BatchSize>, WorkError> {
        let sizes: BTreeMap<u32, String> = self
            .ask("batch_sizes", &Cmd::hgetall(self.item_key(item, "sizes")))
            .await?;
        let sizes = sizes.into_iter().map(|(batch, size)| {
            let (files, bytes) = size.split_once(' ')?;
            let files = files.parse().ok()?;
            let bytes = bytes.parse().ok()?;
            Some((BatchNumber(batch), BatchSize { files, bytes }))
        });
        sizes
            .collect::<Option<_>>()
            .ok_or_else(|| WorkError::Foreign {
                what: format!("sizes of the batches of item {item}"),
            })
    }

    async fn batch(&self, item: WorkItemId, batch: BatchNumber) -> Result<BatchRecords, WorkError> {
        let (object, rows): (Option<String>, BTreeMap<u32, String>) = self
            .call("batch", 0, async {
                let mut both = pipe();
                both.get(self.item_key(item, "object"))
                    .hgetall(self.files_key(item, batch));
                Ok(both
                    .query_async(&mut self.store.connections.calls())
                    .await?)
            })
            .await?;
        let of_object = object.as_ref().map_or(0, String::len);
        self.received("batch", of_object + wide(&rows));
        let object = object.map(|json| decode(&json, || what::object(item)));
        Ok(BatchRecords {
            object: object.transpose()?,
            files: Self::read_files(item, batch, &rows)?,
        })
    }

    /// Records and checkpoint first, then the attempts begin anew: lost in between, an attempt counts that
    /// need not.
    async fn save_files(&self, lease: &Lease, write: FileWrite<'_>) -> Result<(), WorkError> {
        let item = item_of(lease)?;
        let place = (write.batch, write.from_index);
        let mut files = Write::of_files(lease, place, write.records)?;
        if let Some(checkpoint) = write.checkpoint {
            files.checkpoint = encode(checkpoint, || what::checkpoint(item))?;
        }
        self.call("save_files", files.len(), async {
            self.write_held(lease, &files).await?;
            if write.progress == Progress::Made {
                self.scripts().held(lease, Act::Progress).await?;
            }
            Ok(())
        })
        .await
    }

    async fn checkpoint(&self, item: WorkItemId) -> Result<Option<Checkpoint>, WorkError> {
        let json: Option<String> = self
            .ask("checkpoint", &Cmd::get(self.item_key(item, "checkpoint")))
            .await?;
        json.map(|json| decode(&json, || what::checkpoint(item)))
            .transpose()
    }

    /// The records first: a mark never exists without them.
    async fn finish_batch(
        &self,
        lease: &Lease,
        batch: BatchNumber,
        records: Option<&[FileRecord]>,
        batches: u32,
    ) -> Result<BatchesDone, WorkError> {
        let item = item_of(lease)?;
        check_batch(lease, batch)?;
        let files = records.map(|records| Write::of_files(lease, (batch, 0), records));
        let files = files.transpose()?;
        let bytes = files.as_ref().map_or(0, Write::len);
        self.call("finish_batch", bytes, async {
            if let Some(files) = &files {
                self.write_held(lease, files).await?;
            }
            let identity = lease.identity;
            let mut call = scripts::FINISH.key(&self.store.tag);
            call.arg(identity.queue.as_str())
                .arg(identity.subject.to_string())
                .arg(batch_text(identity.batch))
                .arg(lease.token.to_string())
                .arg(item.0)
                .arg(batch.0)
                .arg(batches);
            let mut connection = self.store.connections.calls();
            let (word, newly, done): (String, bool, u32) =
                call.invoke_async(&mut connection).await?;
            if word == "done" {
                Ok(BatchesDone { newly, done })
            } else {
                Err(WorkError::LeaseLost { identity })
            }
        })
        .await
    }

    async fn done_batches(
        &self,
        item: WorkItemId,
        queue: QueueName,
    ) -> Result<BTreeSet<BatchNumber>, WorkError> {
        let done: BTreeSet<u32> = self
            .ask(
                "done_batches",
                &Cmd::smembers(self.store.done_key(item, queue)),
            )
            .await?;
        Ok(done.into_iter().map(BatchNumber).collect())
    }

    async fn clear_done(&self, lease: &Lease, queues: &[QueueName]) -> Result<(), WorkError> {
        let item = item_of(lease)?;
        let forgotten = self.forget("marks", item, Some(lease), queues);
        self.call("clear_done", 0, forgotten).await
    }

    async fn clear_records(&self, lease: &Lease) -> Result<(), WorkError> {
        let item = item_of(lease)?;
        let forgotten = self.forget("records", item, Some(lease), QueueName::ALL);
        self.call("clear_records", 0, forgotten).await
    }

    async fn items_after(
        &self,
        after: WorkItemId,
        max: usize,
    ) -> Result<Vec<WorkItemId>, WorkError> {
        let mut get = cmd("ZRANGEBYSCORE");
        get.arg(format!("{}:items", self.store.tag))
            .arg(format!("({after}"))
            .arg("+inf")
            .arg("LIMIT")
            .arg(0)
            .arg(max);
        let items: Vec<i64> = self.ask("items_after", &get).await?;
        Ok(items.into_iter().map(WorkItemId).collect())
    }

    async fn drop_item(&self, item: WorkItemId) -> Result<(), WorkError> {
        let forgotten = self.forget("item", item, None, QueueName::ALL);
        self.call("drop_item", 0, forgotten).await
    }
}
