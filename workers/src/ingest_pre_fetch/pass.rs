//! The reading itself: one ordered stream of the tar's bytes, from the checkpoint to the end.
//!
//! A stop waits for the small members in flight and for nothing else. Copies that the store makes by itself
//! are given up: those of payload files are left to Copy To Staging, and those of tag files, which
//! Validate needs before, are waited for before the reading goes on, and begun anew by the next attempt.
//!
//! Bounds: small members in flight hold at most [`IN_FLIGHT_BYTES_MAX`] together, and at most
//! [`IN_FLIGHT_MAX`] members are being staged at a time; the reader waits for them. A small
//! member's bytes are copied out of the stream's block, so that no block is held by them, and are
//! taken from the budget of the process before the first of them is; a large one's writer does so
//! itself.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use muniment_bagit::member::{check_identity, is_of_payload};
use muniment_bagit::survey::{BagMember, Survey};
use muniment_bagit::tar::{Event, Member, TarFault, TarReader};
use muniment_digest::Crc64;
use muniment_model::{
    FileRecord, Findings, Inside, MemberKind, ObjectIdentifier, ObjectRecord, Received, Said,
};
use muniment_objects::{ByteBudget, HeldBytes, ReceivingBucket, TarStream};
use muniment_runtime::{Job, JobError};
use tokio::task::JoinSet;

use super::IngestPreFetch;
use super::known::KnownFiles;
use super::ledger::{Ledger, Passed, SoFar};
use super::members::{CopiedRange, LargeMember, Staged, Stager, begin_record};
use crate::{RANGE_COPY_FROM_BYTES, unless_stopped, upload};

/// How far the reader runs ahead of what is staged (architecture, section 9).
const IN_FLIGHT_BYTES_MAX: u64 = 48 * 1024 * 1024;
/// Enough to keep an S3 endpoint busy with files of 1 KB.
const IN_FLIGHT_MAX: usize = 64;

/// Copies of large members that the store makes at a time.
const COPIES_MAX: usize = 16;

/// Members that may have finished before one that is earlier in the tar.
const WAITING_MAX: usize = 1_000;

/// What came of a reading.
pub(super) enum Reading {
    Whole(Received, Findings),
    /// The tar could not be read to its end. The findings are for the depositor; what the reading
    /// says is compared with another.
    Unreadable(Said, Findings),
    /// The bytes read are not those that the receiving bucket has a checksum of.
    WrongBytes,
}

impl IngestPreFetch {
    pub(super) async fn read(
        &self,
        job: &Job,
        object: &ObjectRecord,
        known: &KnownFiles,
    ) -> Result<Reading, JobError> {
        let so_far = SoFar::load(job).await?;
        let inside = so_far.as_ref().and_then(SoFar::inside);
        let mut pass = Pass::open(self, job, (object, known), so_far);
        let result = pass.read_to_end(inside).await;
        match result {
            Ok(()) => pass.close(object).await,
            Err(Halted::Fault(fault)) => {
                // So that the findings do not depend on timing either.
                pass.join_all().await?;
                Ok(unreadable(pass.ledger, pass.findings, &fault))
            }
            Err(Halted::Job(error)) => {
                // Small members in flight are seen to their end, so that the next attempt begins after
                // them.
                if matches!(error, JobError::Stopped) {
                    pass.flush().await?;
                }
                Err(error)
            }
        }
    }
}

/// Why a pass ended before the tar did.
pub(super) enum Halted {
    Fault(TarFault),
    Job(JobError),
}

impl<E: Into<JobError>> From<E> for Halted {
    fn from(error: E) -> Self {
        Self::Job(error.into())
    }
}

/// The member whose bytes are streaming past.
pub(super) enum Open {
    None,
    /// Its bytes are passed over; what is wrong with it is in the findings.
    Skipped,
    Directory(FileRecord),
    Small(FileRecord, BytesMut, HeldBytes),
    Large(FileRecord, Box<LargeMember>),
}

struct Finished {
    sequence: u64,
    /// How much of [`IN_FLIGHT_BYTES_MAX`] it held.
    held: u64,
    passed: Passed,
}

pub(super) struct Pass<'a> {
    pub(super) job: &'a Job,
    institution: String,
    identifier: ObjectIdentifier,
    pub(super) bucket: ReceivingBucket,
    pub(super) stream: TarStream,
    pub(super) parser: TarReader,
    pub(super) ledger: Ledger<'a>,
    pub(super) stager: Stager,
    known: &'a KnownFiles,
    budget: &'a ByteBudget,
    jobs: JoinSet<Result<Finished, JobError>>,
    /// Of payload files, by the store itself. Nothing waits for one but the end of the tar.
    copies: JoinSet<Result<Staged, JobError>>,
    held: u64,
    sequence: u64,
    pub(super) open: Open,
    /// Findings about the member that is open.
    findings: Findings,
    /// Whether the member that is open is of the payload, kept or not.
    is_of_payload: bool,
    survey: Survey,
    /// Over the tar up to the last member boundary, or further at its end.
    pub(super) crc: Crc64,
}

impl<'a> Pass<'a> {
    fn open(
        worker: &'a IngestPreFetch,
        job: &'a Job,
        (object, known): (&ObjectRecord, &'a KnownFiles),
        from: Option<SoFar>,
    ) -> Self {
        let tar = &object.tar;
        let at = from.as_ref().map(|so_far| &so_far.checkpoint);
        let offset = at.map_or(0, |at| at.tar_offset);
        let crc = at.map_or_else(Crc64::new, |at| Crc64::resume(at.crc64nvme));
        let survey = Survey::resume(at.map(|at| at.so_far.folder.clone()));
        let bucket = worker.receiving.bucket(tar.bucket.clone());
        let stager = Stager {
            staging: worker.staging.clone(),
            namespace: worker.namespace,
            clock: Arc::clone(&worker.clock),
            item: Arc::new(job.item().clone()),
            tar: tar.clone(),
            copies_ranges: worker.staging.can_copy_from(&bucket),
        };
        Self {
            job,
            institution: object.institution.clone(),
            identifier: object.identifier.clone(),
            stream: bucket.read(tar, offset, job.stop()),
            bucket,
            parser: TarReader::resume(tar.size, offset),
            ledger: Ledger::open(job, &worker.staging, from),
            stager,
            known,
            budget: &worker.budget,
            jobs: JoinSet::new(),
            copies: JoinSet::new(),
            held: 0,
            sequence: 0,
            open: Open::None,
            findings: Findings::default(),
            is_of_payload: false,
            survey,
            crc,
        }
    }

    async fn read_to_end(&mut self, inside: Option<Inside>) -> Result<(), Halted> {
        if let Some(inside) = inside {
            self.go_on_inside(&inside).await?;
        }
        while let Some(block) = self.next_block().await? {
            self.job.may_stop()?;
            self.read_block(&block).await?;
            if self.ledger.is_due_inside(self.parser.position()) {
                self.save_inside().await?;
            }
        }
        self.join_all().await?;
        while !self.copies.is_empty() {
            self.copy_made().await?;
        }
        Ok(())
    }

    async fn next_block(&mut self) -> Result<Option<Bytes>, JobError> {
        self.stream
            .next()
            .await
            .map_err(|error| upload::explain_read(self.job.item(), error))
    }

    pub(super) async fn read_block(&mut self, block: &Bytes) -> Result<(), Halted> {
        let mut input: &[u8] = block;
        let mut summed = 0;
        while let Some(event) = self.parser.next(&mut input).map_err(Halted::Fault)? {
            match event {
                Event::Member(member) => {
                    self.is_of_payload = is_of_payload(&member.raw_path);
                    self.begin(&member).await;
                }
                Event::Data(bytes) => self.take(block.slice_ref(bytes)).await?,
                Event::Irregular(irregular) => {
                    self.is_of_payload = is_of_payload(&irregular.raw_path);
                    irregular.report(&mut self.findings);
                    self.open = Open::Skipped;
                }
                Event::MemberEnd { next_offset } => {
                    let consumed = block.len() - input.len();
                    self.crc
                        .update(block.get(summed..consumed).unwrap_or_default());
                    summed = consumed;
                    self.end_member(next_offset).await?;
                }
                Event::End => {}
            }
        }
        self.crc.update(block.get(summed..).unwrap_or_default());
        Ok(())
    }

    async fn begin(&mut self, member: &Member) {
        self.open = Open::Skipped;
        let Some(BagMember { path, kind }) = self.survey.place(member, &mut self.findings) else {
            return;
        };
        if let Err(fault) = check_identity(&self.institution, &self.identifier, path) {
            fault.report(&mut self.findings);
            return;
        }
        let record = begin_record(member, path, kind, &mut self.findings);
        self.open = if kind == MemberKind::Directory {
            Open::Directory(record)
        } else if member.size >= RANGE_COPY_FROM_BYTES {
            let large = if self.known.leaves_out(&record) {
                LargeMember::unstaged()
            } else {
                self.stager.begin_large(&record)
            };
            Open::Large(record, Box::new(large))
        } else {
            let held = self.budget.take(member.size).await;
            Open::Small(record, BytesMut::new(), held)
        };
    }

    async fn take(&mut self, bytes: Bytes) -> Result<(), JobError> {
        match std::mem::replace(&mut self.open, Open::Skipped) {
            Open::Small(record, mut content, held) => {
                content.extend_from_slice(&bytes);
                self.open = Open::Small(record, content, held);
            }
            Open::Large(record, member) => {
                self.open = Open::Large(record, Box::new(member.take(bytes).await?));
            }
            other @ (Open::None | Open::Skipped | Open::Directory(_)) => self.open = other,
        }
        Ok(())
    }

    async fn end_member(&mut self, next_offset: u64) -> Result<(), JobError> {
        // One slow member must not let the results behind it pile up.
        while self.ledger.waiting() >= WAITING_MAX && !self.jobs.is_empty() {
            self.join_one().await?;
        }
        let sequence = self.sequence;
        self.sequence += 1;
        let mut passed = Passed {
            record: None,
            findings: std::mem::take(&mut self.findings),
            is_of_payload: self.is_of_payload,
            folder: self.survey.folder().map(str::to_owned),
            next_offset,
            crc64nvme: self.crc.value(),
        };
        match std::mem::replace(&mut self.open, Open::None) {
            Open::None | Open::Skipped => self.ledger.take(sequence, passed).await,
            Open::Directory(record) => {
                passed.record = Some(record);
                self.ledger.take(sequence, passed).await
            }
            Open::Small(record, bytes, budgeted) => {
                let held = bytes.len() as u64;
                self.make_room(held).await?;
                let stager = self.stager.clone();
                let is_left_out = self.known.leaves_out(&record);
                self.jobs.spawn(async move {
                    let bytes = bytes.freeze();
                    let digested = stager.digest_small(record, &bytes).await?;
                    passed.record = Some(if is_left_out {
                        digested
                    } else {
                        stager.stage_small(digested, bytes).await?
                    });
                    drop(budgeted);
                    Ok(Finished {
                        sequence,
                        held,
                        passed,
                    })
                });
                Ok(())
            }
            Open::Large(record, member) => {
                Box::pin(self.end_large(sequence, passed, (record, *member))).await
            }
        }
    }

    async fn end_large(
        &mut self,
        sequence: u64,
        mut passed: Passed,
        (mut record, member): (FileRecord, LargeMember),
    ) -> Result<(), JobError> {
        let waits_for_copy = record.kind != MemberKind::Payload && member.can_be_continued();
        let member = if waits_for_copy {
            let place = (passed.next_offset, passed.crc64nvme);
            self.save_place(&record, member, place).await?
        } else {
            member
        };
        let stager = self.stager.clone();
        if let Some(writer) = stager.finish_large(&mut record, member).await? {
            self.make_room(0).await?;
            self.jobs.spawn(async move {
                passed.record = Some(stager.finish_written(record, writer).await?);
                Ok(Finished {
                    sequence,
                    held: 0,
                    passed,
                })
            });
            return Ok(());
        }
        if self.known.leaves_out(&record) {
            passed.record = Some(record);
            return self.ledger.take(sequence, passed).await;
        }
        let range = CopiedRange::of(&record).ok_or(JobError::RecordsLost)?;
        if waits_for_copy {
            let copied = unless_stopped(self.job, stager.copy_range(&range)).await?;
            copied.note_in(&mut record);
            passed.record = Some(record);
            return self.ledger.take(sequence, passed).await;
        }
        while self.copies.len() >= COPIES_MAX {
            self.copy_made().await?;
        }
        passed.record = Some(record);
        self.ledger.take(sequence, passed).await?;
        self.copies
            .spawn(async move { stager.copy_range(&range).await });
        Ok(())
    }

    /// Waits for one copy, and for no longer than until the stop.
    async fn copy_made(&mut self) -> Result<(), JobError> {
        let copied = async {
            self.copies
                .join_next()
                .await
                .transpose()
                .map_err(JobError::retry)
        };
        if let Some(copied) = unless_stopped(self.job, copied).await? {
            self.ledger.note_staged(copied?);
        }
        Ok(())
    }

    /// Waits until another member may be in flight.
    async fn make_room(&mut self, bytes: u64) -> Result<(), JobError> {
        while self.jobs.len() >= IN_FLIGHT_MAX
            || (!self.jobs.is_empty() && self.held + bytes > IN_FLIGHT_BYTES_MAX)
        {
            self.join_one().await?;
        }
        self.held += bytes;
        Ok(())
    }

    async fn join_one(&mut self) -> Result<(), JobError> {
        let Some(joined) = self.jobs.join_next().await else {
            return Ok(());
        };
        let finished = joined.map_err(JobError::retry)??;
        self.held -= finished.held;
        self.ledger.take(finished.sequence, finished.passed).await
    }

    /// Lets the small members in flight finish, and writes down how far the reading has come.
    async fn flush(&mut self) -> Result<(), JobError> {
        self.join_all().await?;
        while let Some(Ok(Ok(staged))) = self.copies.try_join_next() {
            self.ledger.note_staged(staged);
        }
        match self.open {
            Open::Large(..) => self.save_inside().await,
            Open::None | Open::Skipped | Open::Directory(_) | Open::Small(..) => {
                self.ledger.save().await
            }
        }
    }

    pub(super) async fn join_all(&mut self) -> Result<(), JobError> {
        while !self.jobs.is_empty() {
            self.join_one().await?;
        }
        Ok(())
    }

    async fn close(self, object: &ObjectRecord) -> Result<Reading, JobError> {
        let end = match self.parser.finish() {
            Ok(end) => end,
            Err(fault) => return Ok(unreadable(self.ledger, self.findings, &fault)),
        };
        let whole = self.crc.value();
        if let Some(expected) = object.tar.crc64nvme
            && expected != whole
        {
            return Ok(Reading::WrongBytes);
        }
        let (mut received, mut findings) = self.ledger.close().await?;
        end.report(&mut findings);
        received.crc64nvme = whole;
        received.confirmed = object.tar.crc64nvme.is_some();
        Ok(Reading::Whole(received, findings))
    }
}

/// `open` are the findings about the member that was open.
fn unreadable(ledger: Ledger<'_>, open: Findings, fault: &TarFault) -> Reading {
    let said = Said::Unreadable {
        fault: fault.code(),
        offset: fault.offset(),
    };
    let mut findings = ledger.into_findings();
    findings.append(open);
    fault.report(&mut findings);
    Reading::Unreadable(said, findings)
}
