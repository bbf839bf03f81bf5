//! What pass one has learned, in tar order: records, batches, checkpoint.
//!
//! Members are staged concurrently and finish in any order. Their results wait here until
//! everything before them has finished, so the checkpoint always means "all of this, and nothing
//! after it, is digested, staged and written". The index object of a batch is put before the
//! checkpoint moves past the batch: a crash between the two writes the same object again.
//!
//! A large member has places of its own, inside its bytes, at which another attempt can go on.

use std::collections::BTreeMap;
use std::time::Duration;

use muniment_bagit::census;
use muniment_bagit::survey::BagMember;
use muniment_model::{
    BatchNumber, Checkpoint, Crc64Nvme, FileRecord, Findings, Inside, Received, SCHEMA_VERSION,
};
use muniment_objects::{RANGE_BYTES, RANGES_AT_ONCE, StagingBucket};
use muniment_runtime::{Job, JobError};
use muniment_work::{BATCH_BYTES_MAX, BATCH_FILES_MAX, FileWrite, Progress};
use tokio::time::Instant;

use super::members::Staged;
use crate::index;

/// How much of the tar may have to be read again after a kill (architecture, section 4).
const SAVE_EVERY_BYTES: u64 = 64 * 1024 * 1024;
const SAVE_EVERY: Duration = Duration::from_secs(1);
/// Inside a large member, so that with what was read ahead no more than [`SAVE_EVERY_BYTES`] are asked for
/// again after a kill ...
const INSIDE_OFTEN_BYTES: u64 = SAVE_EVERY_BYTES - (RANGES_AT_ONCE as u64 + 1) * RANGE_BYTES;
/// ... but not in all of a tar of terabytes: the writes have a budget (architecture, section 4).
const OFTEN_UP_TO_BYTES: u64 = 8 * 1024 * 1024 * 1024;

/// A member that has passed: its record, when it has one, and where the tar goes on.
pub(super) struct Passed {
    pub(super) record: Option<FileRecord>,
    pub(super) findings: Findings,
    pub(super) is_of_payload: bool,
    /// What the end of this member adds to the whole.
    pub(super) folder: Option<String>,
    pub(super) next_offset: u64,
    /// Over the tar up to `next_offset`.
    pub(super) crc64nvme: Crc64Nvme,
}

/// Where an earlier attempt left off, and the records of the batch it was filling.
pub(super) struct SoFar {
    pub(super) checkpoint: Checkpoint,
    files: Vec<FileRecord>,
}

impl SoFar {
    /// `None` begins at the start of the tar: there is no checkpoint, or the records it speaks of
    /// are not all there.
    pub(super) async fn load(job: &Job) -> Result<Option<Self>, JobError> {
        let Some(checkpoint) = job.checkpoint().await? else {
            return Ok(None);
        };
        let mut files = job.files(checkpoint.batch).await?;
        let wanted = checkpoint.in_batch as usize;
        if files.len() < wanted {
            job.clear_records().await?;
            return Ok(None);
        }
        files.truncate(wanted);
        Ok(Some(Self { checkpoint, files }))
    }

    /// Where the reading goes on inside a member.
    pub(super) fn inside(&self) -> Option<Inside> {
        self.checkpoint.inside.clone()
    }

    fn nothing() -> Self {
        let so_far = census::empty();
        Self {
            checkpoint: Checkpoint {
                schema: SCHEMA_VERSION,
                tar_offset: 0,
                batch: BatchNumber(0),
                in_batch: 0,
                crc64nvme: so_far.crc64nvme,
                so_far,
                findings: Findings::default(),
                inside: None,
            },
            files: Vec::new(),
        }
    }
}

/// How far the tar was read.
fn position_of(boundary: u64, inside: Option<&Inside>) -> u64 {
    inside.map_or(boundary, |inside| inside.position)
}

pub(super) struct Ledger<'a> {
    job: &'a Job,
    staging: &'a StagingBucket,
    /// Members that finished before one that is earlier in the tar.
    early: BTreeMap<u64, Passed>,
    next: u64,
    batch: BatchNumber,
    files: Vec<FileRecord>,
    bytes: u64,
    /// How many of `files` the work store has.
    written: usize,
    so_far: Received,
    findings: Findings,
    offset: u64,
    /// Of the member after `offset`.
    inside: Option<Inside>,
    /// How far the tar is read when nothing after it is in the work store.
    saved_offset: u64,
    saved_at: Instant,
}

impl<'a> Ledger<'a> {
    /// Continues at `from`, or begins.
    pub(super) fn open(job: &'a Job, staging: &'a StagingBucket, from: Option<SoFar>) -> Self {
        let SoFar { checkpoint, files } = from.unwrap_or_else(SoFar::nothing);
        Self {
            job,
            staging,
            early: BTreeMap::new(),
            next: 0,
            batch: checkpoint.batch,
            bytes: files.iter().map(|file| file.size).sum(),
            written: files.len(),
            files,
            so_far: checkpoint.so_far,
            findings: checkpoint.findings,
            offset: checkpoint.tar_offset,
            saved_offset: position_of(checkpoint.tar_offset, checkpoint.inside.as_ref()),
            inside: checkpoint.inside,
            saved_at: Instant::now(),
        }
    }

    /// Takes a member that has passed. `sequence` counts the members of this run from 0.
    pub(super) async fn take(&mut self, sequence: u64, passed: Passed) -> Result<(), JobError> {
        self.early.insert(sequence, passed);
        while let Some(due) = self.early.remove(&self.next) {
            self.next += 1;
            self.append(due).await?;
        }
        self.save_if_due().await
    }

    async fn append(&mut self, passed: Passed) -> Result<(), JobError> {
        if let Some(record) = passed.record {
            if self.is_full_for(&record) {
                self.seal().await?;
            }
            let member = BagMember {
                path: &record.path,
                kind: record.kind,
            };
            census::count(&mut self.so_far, member, record.size, record.tar_offset);
            if let Some(digests) = &record.digests {
                self.so_far
                    .note_checksum(record.tar_offset, digests.crc64nvme);
            }
            self.bytes += record.size;
            self.files.push(record);
        }
        self.so_far.has_payload_folder |= passed.is_of_payload;
        if let Some(folder) = passed.folder
            && self.so_far.folder.is_empty()
        {
            self.so_far.folder = folder;
        }
        self.findings.append(passed.findings);
        self.offset = passed.next_offset;
        self.inside = None;
        self.so_far.crc64nvme = passed.crc64nvme;
        Ok(())
    }

    /// A file larger than a batch is a batch of its own.
    fn is_full_for(&self, record: &FileRecord) -> bool {
        !self.files.is_empty()
            && (self.files.len() >= BATCH_FILES_MAX || self.bytes + record.size > BATCH_BYTES_MAX)
    }

    /// Closes the current batch.
    async fn seal(&mut self) -> Result<(), JobError> {
        index::put_batch(self.staging, self.job.item_id(), self.batch, &self.files).await?;
        self.save().await?;
        self.batch = BatchNumber(self.batch.0 + 1);
        self.so_far.batches = self.batch.0;
        self.files.clear();
        self.bytes = 0;
        self.written = 0;
        Ok(())
    }

    async fn save_if_due(&mut self) -> Result<(), JobError> {
        let ahead = self.offset.saturating_sub(self.saved_offset);
        if ahead >= SAVE_EVERY_BYTES || (ahead > 0 && self.saved_at.elapsed() >= SAVE_EVERY) {
            self.save().await?;
        }
        Ok(())
    }

    /// Whether so much of a large member has been read that the place should be saved.
    pub(super) fn is_due_inside(&self, position: u64) -> bool {
        let every = if position < OFTEN_UP_TO_BYTES {
            INSIDE_OFTEN_BYTES
        } else {
            SAVE_EVERY_BYTES
        };
        position.saturating_sub(self.saved_offset) >= every
    }

    /// Saves a place inside the member after all those taken so far.
    pub(super) async fn save_inside(&mut self, inside: Inside) -> Result<(), JobError> {
        self.inside = Some(inside);
        self.save().await
    }

    /// Notes in a record that its file is staged. The record of a batch that is sealed stays as it is:
    /// what is staged is looked at again before it is used.
    pub(super) fn note_staged(&mut self, staged: Staged) {
        let Some(at) = self.files.iter().position(|file| staged.is_of(file)) else {
            return;
        };
        if let Some(file) = self.files.get_mut(at) {
            staged.note_in(file);
            self.written = self.written.min(at);
        }
    }

    /// Writes what the work store does not have yet, and moves the checkpoint, in one step.
    pub(super) async fn save(&mut self) -> Result<(), JobError> {
        let checkpoint = Checkpoint {
            schema: SCHEMA_VERSION,
            tar_offset: self.offset,
            batch: self.batch,
            in_batch: u32::try_from(self.files.len()).unwrap_or(u32::MAX),
            crc64nvme: self.so_far.crc64nvme,
            so_far: self.so_far.clone(),
            findings: self.findings.clone(),
            inside: self.inside.clone(),
        };
        let position = position_of(self.offset, self.inside.as_ref());
        let new = self.files.get(self.written..).unwrap_or_default();
        // Writing the same again, after a failure further on, is no progress.
        let progress = if position > self.saved_offset {
            Progress::Made
        } else {
            Progress::NotMade
        };
        self.job
            .save(FileWrite {
                batch: self.batch,
                from_index: self.written,
                records: new,
                checkpoint: Some(&checkpoint),
                progress,
            })
            .await?;
        self.written = self.files.len();
        self.saved_offset = position;
        self.saved_at = Instant::now();
        Ok(())
    }

    /// How many members have finished before one that is earlier in the tar.
    pub(super) fn waiting(&self) -> usize {
        self.early.len()
    }

    /// The end of the tar: seals the last batch and gives up what was learned.
    pub(super) async fn close(mut self) -> Result<(Received, Findings), JobError> {
        if !self.files.is_empty() {
            self.seal().await?;
        }
        Ok((self.so_far, self.findings))
    }

    pub(super) fn into_findings(self) -> Findings {
        self.findings
    }
}
