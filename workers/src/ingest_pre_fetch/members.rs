//! From a member's header to its record: digest, identify, stage.
//!
//! Small members are held whole and put; large ones are digested as they stream past and then
//! copied by the store itself, from their range of the tar, so that their bytes leave no worker.
//! Either way the store confirms our checksum. Nobody waits for the copy of a payload file: the record is
//! final without it, and Copy To Staging makes those that were given up.

use std::ops::Range;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};
use muniment_bagit::tar::Member;
use muniment_digest::FanOut;
use muniment_formats::{Window, identify};
use muniment_model::registry::WorkItem;
use muniment_model::{
    Clock, Crc64Nvme, Digests, FileRecord, FindingCode, Findings, MemberKind, Namespace,
    SCHEMA_VERSION, Tar,
};
use muniment_objects::{ObjectWriter, StagingBucket};
use muniment_runtime::JobError;

use crate::upload;

/// Digesting more than this at once would hold up the async threads: it goes to the blocking ones.
const DIGEST_INLINE_BYTES: usize = 64 * 1024;
/// Bytes of a large member that are digested at a time: enough for the digests to share two cores.
const DIGEST_AT_ONCE_BYTES: usize = 1024 * 1024;
/// Header blocks of one member, compressed and encoded, that are kept in its record. A usual
/// header takes some 200; the largest allowed ones would make a batch of records hundreds of MiB.
const HEADER_KEPT_MAX: usize = 4 * 1024;

/// What a member's job needs; it outlives the reader's borrow of the worker.
#[derive(Clone)]
pub(super) struct Stager {
    pub(super) staging: StagingBucket,
    pub(super) namespace: Namespace,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) item: Arc<WorkItem>,
    pub(super) tar: Tar,
    /// Whether the staging store can copy out of the receiving bucket by itself.
    pub(super) copies_ranges: bool,
}

impl Stager {
    /// Digests a member whose bytes are all here.
    pub(super) async fn digest_small(
        &self,
        mut record: FileRecord,
        bytes: &Bytes,
    ) -> Result<FileRecord, JobError> {
        let (digests, window) = if bytes.len() <= DIGEST_INLINE_BYTES {
            (muniment_digest::digest(bytes), Window::of(bytes))
        } else {
            let bytes = bytes.clone();
            blocking(move || (muniment_digest::digest(&bytes), Window::of(&bytes))).await?
        };
        self.describe(&mut record, digests, &window);
        Ok(record)
    }

    /// Stages a member that was digested.
    pub(super) async fn stage_small(
        &self,
        mut record: FileRecord,
        bytes: Bytes,
    ) -> Result<FileRecord, JobError> {
        let digests = record.digests.ok_or(JobError::RecordsLost)?;
        let key = self.namespace.staging_key(self.item.id, record.tar_offset);
        record.staged_etag = self.staging.put(&key, bytes, digests.crc64nvme).await?;
        Ok(record)
    }

    /// A large member about to stream past. Where the store cannot copy its range of the tar, its
    /// bytes are written to staging as they come.
    pub(super) fn begin_large(&self, record: &FileRecord) -> LargeMember {
        let key = self.namespace.staging_key(self.item.id, record.tar_offset);
        LargeMember {
            writer: (!self.copies_ranges).then(|| self.staging.writer(&key)),
            ..LargeMember::unstaged()
        }
    }

    /// Ends a member whose bytes were written to staging on their way past.
    pub(super) async fn finish_written(
        &self,
        mut record: FileRecord,
        writer: ObjectWriter,
    ) -> Result<FileRecord, JobError> {
        let digests = record.digests.ok_or(JobError::RecordsLost)?;
        record.staged_etag = writer.finish(Some(digests.crc64nvme)).await?.etag;
        Ok(record)
    }

    /// Has a member copied from its range of the tar, by the store itself.
    pub(super) async fn copy_range(&self, range: &CopiedRange) -> Result<Staged, JobError> {
        let key = self.namespace.staging_key(self.item.id, range.tar_offset);
        let etag = self
            .staging
            .copy_range(&self.tar, range.bytes.clone(), &key, range.crc64nvme)
            .await
            .map_err(|error| upload::explain_read(&self.item, error))?;
        Ok(Staged {
            tar_offset: range.tar_offset,
            etag,
        })
    }

    /// What the bytes of a member tell goes into its record. Its writer is left to be finished.
    pub(super) async fn finish_large(
        &self,
        record: &mut FileRecord,
        member: LargeMember,
    ) -> Result<Option<ObjectWriter>, JobError> {
        let done = member.digest_waiting().await?;
        let Progress { digests, window } = done.progress;
        self.describe(record, digests.finish(), &window);
        Ok(done.writer)
    }

    fn describe(&self, record: &mut FileRecord, digests: Digests, window: &Window) {
        record.format = Some(identify(&record.path, record.size, window).format);
        record.digests = Some(digests);
        record.digested_at = Some(self.clock.now());
    }
}

/// A member whose bytes have passed, as the store is to copy it out of the tar.
pub(super) struct CopiedRange {
    tar_offset: u64,
    bytes: Range<u64>,
    crc64nvme: Crc64Nvme,
}

impl CopiedRange {
    /// `None` before its digests are known.
    pub(super) fn of(record: &FileRecord) -> Option<Self> {
        Some(Self {
            tar_offset: record.tar_offset,
            bytes: record.data_offset..record.data_offset + record.size,
            crc64nvme: record.digests?.crc64nvme,
        })
    }
}

/// What the store said when a member was copied.
pub(super) struct Staged {
    tar_offset: u64,
    etag: Option<String>,
}

impl Staged {
    pub(super) fn is_of(&self, record: &FileRecord) -> bool {
        record.tar_offset == self.tar_offset
    }

    pub(super) fn note_in(self, record: &mut FileRecord) {
        record.staged_etag = self.etag;
    }
}

/// What is known of a large member so far.
struct Progress {
    digests: FanOut,
    window: Window,
}

/// A large member on its way past.
pub(super) struct LargeMember {
    progress: Progress,
    /// Bytes that are too few to be worth a thread of their own.
    waiting: BytesMut,
    writer: Option<ObjectWriter>,
}

impl LargeMember {
    /// One whose bytes are only digested as they stream past.
    pub(super) fn unstaged() -> Self {
        Self {
            progress: Progress {
                digests: FanOut::new(),
                window: Window::new(),
            },
            waiting: BytesMut::new(),
            writer: None,
        }
    }

    /// Takes the next bytes; digests them on blocking threads as soon as there are enough.
    pub(super) async fn take(mut self, bytes: Bytes) -> Result<Self, JobError> {
        self.waiting.extend_from_slice(&bytes);
        if let Some(writer) = &mut self.writer {
            writer.write(bytes).await?;
        }
        if self.waiting.len() < DIGEST_AT_ONCE_BYTES {
            return Ok(self);
        }
        self.digest_waiting().await
    }

    async fn digest_waiting(mut self) -> Result<Self, JobError> {
        let bytes = self.waiting.split().freeze();
        let Progress {
            mut digests,
            mut window,
        } = self.progress;
        self.progress = blocking(move || {
            digests.update_split(&bytes);
            window.push(&bytes);
            Progress { digests, window }
        })
        .await?;
        Ok(self)
    }

    /// Whether it can be continued by another attempt: what was written to staging cannot.
    pub(super) const fn can_be_continued(&self) -> bool {
        self.writer.is_none()
    }

    /// The states of its digests after the bytes taken so far, as text.
    pub(super) async fn save(self) -> Result<(Self, String), JobError> {
        let digested = self.digest_waiting().await?;
        let states = STANDARD.encode(digested.progress.digests.save());
        Ok((digested, states))
    }

    /// Goes on where [`Self::save`] was called; `None` when that is not possible.
    pub(super) fn resume(&self, states: &str, window: Window) -> Option<Self> {
        if !self.can_be_continued() {
            return None;
        }
        let digests = FanOut::resume(&STANDARD.decode(states).ok()?)?;
        Some(Self {
            progress: Progress { digests, window },
            waiting: BytesMut::new(),
            writer: None,
        })
    }
}

async fn blocking<T, F>(work: F) -> Result<T, JobError>
where
    T: Send + 'static,
    F: FnOnce() -> T + Send + 'static,
{
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|cause| JobError::Retry {
            cause: Box::new(cause),
            after: None,
        })
}

/// The record of a member before its bytes are known.
pub(super) fn begin_record(
    member: &Member,
    path: &str,
    kind: MemberKind,
    findings: &mut Findings,
) -> FileRecord {
    FileRecord {
        schema: SCHEMA_VERSION,
        path: path.to_owned(),
        kind,
        size: member.size,
        tar_offset: member.tar_offset,
        data_offset: member.data_offset,
        header: kept_header(&member.header, path, findings),
        modified_at: member.modified_at,
        digests: None,
        format: None,
        digested_at: None,
        staged_etag: None,
        repeated: false,
        registered: None,
        copies: Vec::new(),
    }
}

fn kept_header(header: &[u8], path: &str, findings: &mut Findings) -> String {
    // Level 1: headers are mostly zeros, and there may be a million of them.
    let packed = zstd::bulk::compress(header, 1).map(|bytes| STANDARD.encode(bytes));
    match packed {
        Ok(text) if text.len() <= HEADER_KEPT_MAX => text,
        Ok(_) | Err(_) => {
            findings.warning(
                FindingCode::TarMetaTooLarge,
                path,
                format!(
                    "File {path} has an unusually large tar header, which is not kept: a restored \
                     tar will differ from the deposited one there"
                ),
            );
            String::new()
        }
    }
}
