//! A store on a file of its own, a clock that stands still, and records that are like real ones.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use chrono::DateTime;
use muniment_model::{
    BatchNumber, Checkpoint, Clock, Crc64Nvme, Digests, FileRecord, InstitutionId, MemberKind,
    ObjectRecord, Queue, SCHEMA_VERSION, WorkItemId,
};
use muniment_testkit::MockClock;
use muniment_work::{Claim, Lease, Message, SqliteWork, WorkStore};
use serde_json::json;
use tempfile::TempDir;

pub(crate) const QUEUE: Queue = Queue::IngestValidator;

pub(crate) struct Kit {
    pub(crate) store: SqliteWork,
    pub(crate) clock: Arc<MockClock>,
    folder: TempDir,
}

async fn open(folder: &TempDir, clock: &Arc<MockClock>) -> SqliteWork {
    let clock = Arc::clone(clock);
    SqliteWork::open(&folder.path().join("work.db"), clock)
        .await
        .expect("opens")
}

impl Kit {
    /// For opening stores by other ways than these.
    pub(crate) fn clock(&self) -> Arc<dyn Clock> {
        Arc::<MockClock>::clone(&self.clock)
    }

    pub(crate) async fn new() -> Self {
        let folder = TempDir::new().expect("a folder");
        let start = DateTime::from_timestamp(1_700_000_000, 0).expect("a time");
        let clock = Arc::new(MockClock::at(start));
        let store = open(&folder, &clock).await;
        Self {
            store,
            clock,
            folder,
        }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("work.db")
    }

    /// The same file, as another process opens it.
    pub(crate) async fn another(&self) -> SqliteWork {
        open(&self.folder, &self.clock).await
    }

    /// As after the end of the process.
    pub(crate) async fn reopened(self) -> Self {
        drop(self.store);
        Self {
            store: open(&self.folder, &self.clock).await,
            clock: self.clock,
            folder: self.folder,
        }
    }

    pub(crate) async fn claim(&self) -> Option<Claim> {
        self.store
            .claim(QUEUE, Duration::ZERO)
            .await
            .expect("answers")
    }

    /// Publishes the planner's message of the item and claims it.
    pub(crate) async fn lease(&self, item: i64) -> Lease {
        self.store.publish(&planner(item)).await.expect("published");
        self.claim().await.expect("ready").lease
    }
}

pub(crate) fn planner(item: i64) -> Message {
    Message {
        item: WorkItemId(item),
        queue: QUEUE,
        batch: None,
        institution: InstitutionId(1),
        size_bytes: 1,
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
        staged_at: DateTime::from_timestamp(1_700_000_000, 0),
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
