//! The deposit record: one object per ingest in the records bucket.
//!
//! Zstandard-compressed JSON lines: one `deposit` line, one `member` line for each member of the
//! tar in tar order, followed by `tag_file` lines with the bytes of those files that are preserved
//! nowhere else (manifests, bagit.txt, fetch.txt), one `finding` line each, and a closing `end` line
//! with the sha256 of every uncompressed byte before it. It makes receipts, rebuilding the registry
//! and byte-identical restoration possible, and could not be made later.
//!
//! Written as a stream, batch by batch. A repeated writing replaces the object as a whole: an
//! unfinished one is never visible.

use std::io::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use muniment_model::{
    BatchNumber, FileRecord, Finding, ObjectIdentifier, ObjectKey, ObjectRecord, Saved, Tar,
    WorkItemId,
};
use muniment_objects::ObjectWriter;
use muniment_runtime::{Job, JobError};
use serde::Serialize;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::IngestRecorder;
use crate::staged::{StagedFault, StagedFile};

/// The version of the lines' shapes.
const FORMAT: u16 = 1;
/// Records are small and many; the default level is where zstd's speed and size balance.
const LEVEL: i32 = 3;
/// Bytes of a file in one line: a line stays easy to hold.
const PIECE_BYTES: usize = 64 * 1024;
/// Compressed bytes are handed to the store in pieces of about this size.
const FLUSH_BYTES: usize = 1024 * 1024;

#[derive(Serialize)]
#[serde(tag = "line", rename_all = "snake_case")]
enum Line<'a> {
    Deposit {
        format: u16,
        program: &'static str,
        work_item: WorkItemId,
        object_identifier: &'a str,
        object_id: Option<i64>,
        recorded_at: DateTime<Utc>,
        tar: &'a Tar,
        tar_crc64nvme: muniment_model::Crc64Nvme,
        folder: &'a str,
        bagit_profile_identifier: &'a str,
        storage_option: muniment_model::StorageOption,
    },
    Member {
        #[serde(skip_serializing_if = "Option::is_none")]
        uuid: Option<Uuid>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        urls: Vec<String>,
        #[serde(flatten)]
        record: &'a FileRecord,
    },
    TagFile {
        path: &'a str,
        tar_offset: u64,
        /// Of these bytes in the file.
        offset: u64,
        base64: String,
    },
    Finding(&'a Finding),
    End {
        members: u64,
        files: u64,
        copies: u64,
        /// Of a re-ingest: files that were recorded before with these bytes, and are kept as they are.
        unchanged: u64,
        sha256: String,
    },
}

/// `<institution>/<bag>/<item>.jsonl.zst`
pub(crate) fn key_of(
    identifier: &ObjectIdentifier,
    item: WorkItemId,
) -> Result<ObjectKey, JobError> {
    ObjectKey::new(format!("{identifier}/{item}.jsonl.zst"))
        .map_err(|fault| JobError::halt(format!("no key for the deposit record: {fault}")))
}

/// Why the record was not written.
pub(super) enum Unwritten {
    /// A staged file is gone or not as pass one staged it.
    StagedFileChanged,
    Job(JobError),
}

impl<E: Into<JobError>> From<E> for Unwritten {
    fn from(error: E) -> Self {
        Self::Job(error.into())
    }
}

/// Writes the deposit record of the item, and counts what it saved.
pub(super) async fn write(
    recorder: &IngestRecorder,
    job: &Job,
    object: &ObjectRecord,
) -> Result<Saved, Unwritten> {
    let received = object.received.as_ref().ok_or(JobError::RecordsLost)?;
    let mut lines = Lines::open(
        recorder
            .records
            .writer(&key_of(&object.identifier, object.item)?),
    )?;
    let profile = object
        .metadata
        .as_ref()
        .map_or("", |metadata| metadata.bagit_profile_identifier.as_str());
    lines
        .push(&Line::Deposit {
            format: FORMAT,
            program: concat!("muniment ", env!("CARGO_PKG_VERSION")),
            work_item: object.item,
            object_identifier: object.identifier.as_str(),
            object_id: object.recorded_id,
            recorded_at: recorder.clock.now(),
            tar: &object.tar,
            tar_crc64nvme: received.crc64nvme,
            folder: &received.folder,
            bagit_profile_identifier: profile,
            storage_option: object.storage_option(),
        })
        .await?;
    let mut saved = Saved::default();
    let (mut members, mut unchanged) = (0, 0);
    for number in 0..received.batches {
        job.may_stop()?;
        for file in job.files(BatchNumber(number)).await? {
            members += 1;
            unchanged += u64::from(file.is_unchanged());
            let (uuid, urls) = kept_as(recorder, object, &file)?;
            if uuid.is_some() {
                saved.files += 1;
                saved.copies += urls.len() as u64;
            }
            let record = &file;
            lines.push(&Line::Member { uuid, urls, record }).await?;
            write_content(recorder, &mut lines, object.item, &file).await?;
        }
    }
    for finding in object.findings.iter() {
        lines.push(&Line::Finding(finding)).await?;
    }
    lines.close(members, unchanged, saved).await?;
    Ok(saved)
}

/// The uuid and copies of a file that this item saved.
fn kept_as(
    recorder: &IngestRecorder,
    object: &ObjectRecord,
    file: &FileRecord,
) -> Result<(Option<Uuid>, Vec<String>), JobError> {
    let uuid = file.uuid(recorder.namespace, object.item);
    let Some(uuid) = uuid.filter(|_| file.needs_saving()) else {
        return Ok((None, Vec::new()));
    };
    let urls = recorder.urls(object, file, &ObjectKey::from(uuid))?;
    Ok((Some(uuid), urls))
}

/// Whether the record holds the bytes of a file.
pub(super) fn holds(file: &FileRecord) -> bool {
    file.digests.is_some() && !file.kind.is_preserved()
}

/// Writes a file that is kept nowhere else: manifests, bagit.txt, fetch.txt. In pieces, each a line,
/// because a manifest may be larger than memory.
async fn write_content(
    recorder: &IngestRecorder,
    lines: &mut Lines,
    item: WorkItemId,
    file: &FileRecord,
) -> Result<(), Unwritten> {
    let Some(digests) = file.digests.filter(|_| holds(file)) else {
        return Ok(());
    };
    let key = recorder.namespace.staging_key(item, file.tar_offset);
    let expected = Some(digests.crc64nvme);
    let mut bytes = StagedFile::open(&recorder.staging, &key, file.size, expected);
    let mut offset = 0;
    loop {
        let block = match bytes.next().await {
            Ok(Some(block)) => block,
            Ok(None) => return Ok(()),
            Err(StagedFault::Changed) => return Err(Unwritten::StagedFileChanged),
            Err(StagedFault::Unanswered(error)) => return Err(error.into()),
        };
        for piece in block.chunks(PIECE_BYTES) {
            lines
                .push(&Line::TagFile {
                    path: &file.path,
                    tar_offset: file.tar_offset,
                    offset,
                    base64: STANDARD.encode(piece),
                })
                .await?;
            offset += piece.len() as u64;
        }
    }
}

/// JSON lines on their way into the records bucket.
struct Lines {
    encoder: zstd::stream::write::Encoder<'static, Vec<u8>>,
    sha256: Sha256,
    object: ObjectWriter,
}

impl Lines {
    fn open(object: ObjectWriter) -> Result<Self, JobError> {
        Ok(Self {
            encoder: zstd::stream::write::Encoder::new(Vec::new(), LEVEL).map_err(unwritable)?,
            sha256: Sha256::new(),
            object,
        })
    }

    async fn push(&mut self, line: &Line<'_>) -> Result<(), JobError> {
        let mut json = serde_json::to_vec(line)
            .map_err(|error| JobError::halt(format!("a deposit record line: {error}")))?;
        json.push(b'\n');
        self.sha256.update(&json);
        self.encoder.write_all(&json).map_err(unwritable)?;
        if self.encoder.get_ref().len() >= FLUSH_BYTES {
            let packed = std::mem::take(self.encoder.get_mut());
            self.object.write(Bytes::from(packed)).await?;
        }
        Ok(())
    }

    async fn close(mut self, members: u64, unchanged: u64, saved: Saved) -> Result<(), JobError> {
        let end = Line::End {
            members,
            files: saved.files,
            copies: saved.copies,
            unchanged,
            sha256: hex::encode(self.sha256.clone().finalize()),
        };
        self.push(&end).await?;
        let packed = self.encoder.finish().map_err(unwritable)?;
        self.object.write(Bytes::from(packed)).await?;
        self.object.finish(None).await?;
        Ok(())
    }
}

/// Writing to memory does not fail.
fn unwritable(error: std::io::Error) -> JobError {
    JobError::retry(error)
}
