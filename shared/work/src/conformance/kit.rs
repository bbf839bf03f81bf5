//! What a back end has to offer to be tested, and records that are like real ones.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use muniment_model::{
    BatchNumber, Checkpoint, Crc64Nvme, Digests, FileRecord, InstitutionId, MemberKind,
    ObjectRecord, QueueName, SCHEMA_VERSION, WorkItemId,
};
use serde_json::json;

use crate::decide::{Command, Reply, model};
use crate::{
    Backlog, Claim, FileWrite, Lease, Message, Progress, Queue, Records, Subject, WorkError,
    WorkView,
};

pub(crate) const QUEUE: QueueName = model::QUEUE;

/// A work store of one kind, empty at first, whose clock a test moves. It begins at [`model::start`].
#[async_trait]
pub(crate) trait Backend: Sized + Send + Sync + 'static {
    type Store: Queue + Records + 'static;

    async fn fresh() -> Self;

    fn store(&self) -> &Self::Store;

    /// The same store, as another process opens it.
    async fn another(&self) -> Self::Store;

    /// The same store, as an operator's tool opens it while it is in use.
    async fn look(&self) -> Box<dyn WorkView>;

    /// As after the end of the process.
    async fn reopened(self) -> Self;

    /// Moves the clock of the store.
    fn set_time(&self, now: DateTime<Utc>);

    fn time(&self) -> DateTime<Utc>;

    async fn revoke_all_leases(&self) -> u64;

    /// One command to [`QUEUE`], to be compared with what the model answers.
    async fn run(&self, command: Command) -> Reply;

    fn pass(&self, seconds: i64) {
        self.set_time(self.time() + chrono::TimeDelta::seconds(seconds));
    }

    async fn claim(&self) -> Option<Claim> {
        let claim = self.store().claim(QUEUE, Duration::ZERO).await;
        claim.expect("answers")
    }

    /// Publishes the planner's message of the item and claims it.
    async fn lease(&self, item: i64) -> Lease {
        self.publish(&planner(item)).await;
        self.claim().await.expect("ready").lease
    }

    async fn publish(&self, message: &Message) {
        let published = self.store().publish(std::slice::from_ref(message)).await;
        published.expect("published");
    }

    /// Writes records of the first batch.
    async fn save(
        &self,
        lease: &Lease,
        from_index: usize,
        records: &[FileRecord],
        checkpoint: Option<&Checkpoint>,
    ) -> Result<(), WorkError> {
        let write = FileWrite {
            batch: BatchNumber(0),
            from_index,
            records,
            checkpoint,
            progress: Progress::NotMade,
        };
        self.store().save_files(lease, write).await
    }

    /// Whether the store holds nothing about these items, and no message at all.
    async fn is_empty(&self, items: &[i64]) -> bool {
        let backlog = self.store().backlog().await.expect("counted");
        let mut empty = backlog.values().all(|queue| *queue == Backlog::default());
        for item in items {
            empty &= self.has_no_records(WorkItemId(*item)).await;
        }
        empty
    }

    async fn has_no_records(&self, item: WorkItemId) -> bool {
        let batch = self
            .store()
            .batch(item, BatchNumber(0))
            .await
            .expect("read");
        let checkpoint = self.store().checkpoint(item).await.expect("read");
        let done = self.store().done_batches(item, QUEUE).await.expect("read");
        batch.object.is_none() && batch.files.is_empty() && checkpoint.is_none() && done.is_empty()
    }
}

pub(crate) fn planner(item: i64) -> Message {
    Message {
        subject: Subject::Item(WorkItemId(item)),
        queue: QUEUE,
        batch: None,
        institution: InstitutionId(1),
        size_bytes: 1,
        files: 0,
    }
}

pub(crate) fn batch(item: i64, number: u32) -> Message {
    Message {
        batch: Some(BatchNumber(number)),
        ..planner(item)
    }
}

pub(crate) fn file(number: usize) -> FileRecord {
    FileRecord {
        schema: SCHEMA_VERSION,
        path: format!("data/files/{number}.txt"),
        kind: MemberKind::Payload,
        size: 1_024,
        tar_offset: number as u64 * 1_536,
        data_offset: number as u64 * 1_536 + 512,
        header: "KLUv/WAAAQ0EAHQGZGF0YS9maWxlcy8xLnR4dAAwMDAwNjQ0ADAwMDE3NTAAMTQ3NTQ".to_owned(),
        modified_at: DateTime::from_timestamp(1_600_000_000, 0),
        digests: Some(Digests {
            md5: [1; 16],
            sha1: [2; 20],
            sha256: [3; 32],
            sha512: [4; 64],
            crc64nvme: Crc64Nvme(5),
        }),
        format: None,
        digested_at: DateTime::from_timestamp(1_700_000_000, 0),
        staged_etag: None,
        repeated: false,
        registered: None,
        copies: Vec::new(),
    }
}

pub(crate) fn files(numbers: std::ops::Range<usize>) -> Vec<FileRecord> {
    numbers.map(file).collect()
}

/// From JSON, like the next one: a member that is added later with a default changes nothing here.
pub(crate) fn object(item: i64) -> ObjectRecord {
    serde_json::from_value(json!({
        "schema": SCHEMA_VERSION,
        "item": item,
        "institution_id": 1,
        "institution": "test.edu",
        "bag_name": "photos",
        "identifier": "test.edu/photos",
        "tar": {
            "bucket": "receiving.test.edu",
            "key": "photos.tar",
            "etag": "abc",
            "size": 10,
            "last_modified": "2023-11-14T22:13:20Z",
        },
    }))
    .expect("an object record")
}

pub(crate) fn checkpoint(tar_offset: u64, in_batch: u32) -> Checkpoint {
    serde_json::from_value(json!({
        "schema": SCHEMA_VERSION,
        "tar_offset": tar_offset,
        "batch": 0,
        "in_batch": in_batch,
        "crc64nvme": "AAAAAAAAAAA=",
        "so_far": {
            "folder": "photos",
            "batches": 0,
            "files": 0,
            "payload_files": 0,
            "payload_bytes": 0,
            "has_payload_folder": false,
            "crc64nvme": "AAAAAAAAAAA=",
            "confirmed": false,
            "manifests": [],
        },
        "findings": {},
    }))
    .expect("a checkpoint")
}
