//! What follows from the records: states of files, and the events that are to come. Pure.

use std::collections::BTreeMap;

use muniment_model::registry::{EventType, WorkItem};
use muniment_model::{
    BatchNumber, Checkpoint, FileRecord, MemberKind, ObjectRecord, QueueName, Stage, Status,
};
use muniment_work::{ItemView, MessageState, QueuedMessage};
use workers::to_come;

use super::document::{
    BatchPart, CheckpointPart, CopyPart, EventCounts, EventsToCome, FileCounts, FilePart,
    HolderPart, LeasePart, MessagePart, ObjectPart,
};

/// Goes through the file records of an item, a batch at a time.
pub(super) struct Summary<'a> {
    object: Option<ObjectRecord>,
    work: &'a ItemView,
    pub(super) counts: FileCounts,
    pub(super) events: EventsToCome,
    /// The first files, as many as are wanted.
    pub(super) files: Vec<FilePart>,
    pub(super) files_left_out: u64,
    files_max: usize,
}

impl<'a> Summary<'a> {
    pub(super) fn new(item: Option<&WorkItem>, work: &'a ItemView, files_max: usize) -> Self {
        let known = work.object.as_ref().ok().and_then(Option::as_ref);
        let checkpoint = work.checkpoint.as_ref().ok().and_then(Option::as_ref);
        let mut summary = Self {
            object: known.map(|object| as_far_as_seen(object, checkpoint)),
            work,
            counts: FileCounts::default(),
            events: EventsToCome {
                none_because: none_because(item, known),
                ..EventsToCome::default()
            },
            files: Vec::new(),
            files_left_out: 0,
            files_max,
        };
        if let Some(object) = &summary.object
            && summary.events.none_because.is_none()
        {
            summary.events.object = counted(to_come::of_object(object));
            summary.events.may_change = may_change(item, work);
        }
        summary
    }

    pub(super) fn add(&mut self, batch: BatchNumber, records: &[FileRecord]) {
        let recorder = self.work.done.get(&QueueName::IngestRecorder);
        let is_recorded = recorder.is_some_and(|done| done.contains(&batch));
        for file in records {
            self.counts.add(file);
            let events = match &self.object {
                Some(object) if !is_recorded && self.events.none_because.is_none() => {
                    counted(to_come::of_file(object, file))
                }
                Some(_) | None => EventCounts::new(),
            };
            for (event, count) in &events {
                *self.events.files.entry(*event).or_default() += count;
            }
            if self.files.len() < self.files_max {
                self.files.push(of_file(batch, file, events));
            } else {
                self.files_left_out += 1;
            }
        }
    }

    pub(super) fn finish(mut self) -> Self {
        let all = self
            .events
            .object
            .values()
            .chain(self.events.files.values());
        self.events.total = all.sum();
        self
    }
}

/// Before pass one has ended, what it has seen of the bag is in its checkpoint.
fn as_far_as_seen(object: &ObjectRecord, checkpoint: Option<&Checkpoint>) -> ObjectRecord {
    let so_far = checkpoint.map(|checkpoint| checkpoint.so_far.clone());
    ObjectRecord {
        received: object.received.clone().or(so_far),
        ..object.clone()
    }
}

/// Why nothing more will be recorded of the item, if so it is.
fn none_because(item: Option<&WorkItem>, object: Option<&ObjectRecord>) -> Option<String> {
    if let Some(item) = item {
        if item.status.is_ended() {
            return Some(format!("the item has ended: {}", item.status));
        }
        let rejected = item
            .intended_status
            .filter(|ending| *ending != Status::Success);
        if let Some(ending) = rejected {
            return Some(format!("the item is to end as {ending}"));
        }
    }
    match object {
        None => Some("the work store has no record of the object".to_owned()),
        Some(object) if !object.findings.is_valid() => {
            Some("there are errors in the bag, which make it end as Failed".to_owned())
        }
        Some(_) => None,
    }
}

/// Whether what is recorded is not decided yet: what pass one has still to read adds to it, and what
/// Reingest Check finds unchanged is not recorded again.
fn may_change(item: Option<&WorkItem>, work: &ItemView) -> bool {
    let has_read_all = matches!(&work.object, Ok(Some(object)) if object.received.is_some());
    let is_checked = item.is_some_and(|item| {
        let stages = item.pipeline().steps.iter().filter_map(|step| step.stage);
        let mut before = stages.take_while(|stage| *stage != item.stage);
        before.any(|stage| stage == Stage::ReingestCheck)
    });
    !(has_read_all && is_checked)
}

fn counted(events: Vec<EventType>) -> EventCounts {
    let mut counts = EventCounts::new();
    for event in events {
        *counts.entry(event.as_str()).or_default() += 1;
    }
    counts
}

impl FileCounts {
    fn add(&mut self, file: &FileRecord) {
        self.records += 1;
        self.folders += u64::from(file.kind == MemberKind::Directory);
        self.digested += u64::from(file.digests.is_some());
        self.staged += u64::from(file.staged_etag.is_some());
        self.repeated += u64::from(file.repeated);
        self.unchanged += u64::from(file.is_unchanged());
        self.to_save += u64::from(file.needs_saving());
        for copy in &file.copies {
            *self.copies.entry(copy.target).or_default() += 1;
            *self.verified.entry(copy.target).or_default() += u64::from(copy.verified_at.is_some());
        }
    }
}

fn of_file(batch: BatchNumber, file: &FileRecord, events_to_come: EventCounts) -> FilePart {
    let copies = file.copies.iter().map(|copy| CopyPart {
        target: copy.target,
        stored_at: copy.stored_at,
        verified_at: copy.verified_at,
    });
    FilePart {
        path: file.path.clone(),
        batch,
        kind: file.kind,
        size: file.size,
        state: state_of(file),
        copies: copies.collect(),
        events_to_come,
    }
}

fn state_of(file: &FileRecord) -> &'static str {
    if file.is_unchanged() {
        return "unchanged";
    }
    if file.repeated {
        return "repeated";
    }
    match (file.copies.as_slice(), &file.staged_etag, file.digests) {
        ([], None, None) => "seen",
        ([], None, Some(_)) => "digested",
        ([], Some(_), _) => "staged",
        (copies, ..) if copies.iter().all(|copy| copy.verified_at.is_some()) => "verified",
        _ => "copied",
    }
}

pub(super) fn of_object(object: &ObjectRecord) -> ObjectPart {
    let received = object.received.as_ref();
    ObjectPart {
        identifier: object.identifier.to_string(),
        bucket: object.tar.bucket.to_string(),
        key: object.tar.key.to_string(),
        etag: object.tar.etag.clone(),
        size: object.tar.size,
        last_modified: object.tar.last_modified,
        storage_option: object.storage_option(),
        batches: received.map(|seen| seen.batches),
        files: received.map(|seen| seen.files),
        payload_files: received.map(|seen| seen.payload_files),
        payload_bytes: received.map(|seen| seen.payload_bytes),
        errors: object.findings.error_count(),
        warnings: object.findings.warnings().count() as u64,
        registered_id: object.registered.as_ref().map(|known| known.id),
        storing_since: object.storing_since,
        recorded_id: object.recorded_id,
    }
}

pub(super) fn of_checkpoint(checkpoint: &Checkpoint) -> CheckpointPart {
    CheckpointPart {
        tar_offset: checkpoint.tar_offset,
        batch: checkpoint.batch,
        in_batch: checkpoint.in_batch,
        files: checkpoint.so_far.files,
        inside: checkpoint.inside.as_ref().map(|inside| inside.position),
    }
}

/// Those with records, and those that are marked without.
pub(super) fn of_batches(work: &ItemView) -> Vec<BatchPart> {
    let mut batches: BTreeMap<BatchNumber, BatchPart> = BTreeMap::new();
    let empty = |batch| BatchPart {
        batch,
        files: 0,
        size_bytes: 0,
        done_by: Vec::new(),
    };
    for (batch, size) in &work.batches {
        let part = BatchPart {
            files: size.files,
            size_bytes: size.bytes,
            ..empty(*batch)
        };
        batches.insert(*batch, part);
    }
    for (queue, done) in &work.done {
        for batch in done {
            let part = batches.entry(*batch).or_insert_with(|| empty(*batch));
            part.done_by.push(*queue);
        }
    }
    batches.into_values().collect()
}

pub(super) fn of_message(message: &QueuedMessage, item: Option<&WorkItem>) -> MessagePart {
    let (state, due_at, lease) = match message.state {
        MessageState::Ready => ("ready", None, None),
        MessageState::Due { at } => ("due", Some(at), None),
        MessageState::Leased {
            deadline,
            again,
            alone,
        } => {
            let lease = LeasePart {
                until: deadline,
                holder: item.and_then(|item| holder_of(message, item)),
                alone,
                published_again: again,
            };
            ("leased", None, Some(lease))
        }
    };
    MessagePart {
        queue: message.message.queue,
        batch: message.message.batch,
        state,
        due_at,
        lease,
        attempts: message.attempts,
        vanished: message.vanished,
        vanished_alone: message.vanished_alone,
        files: message.message.files,
        size_bytes: message.message.size_bytes,
    }
}

/// The work item names who works on it: the holder of the planner of its stage. A batch on its way writes no
/// work item.
fn holder_of(message: &QueuedMessage, item: &WorkItem) -> Option<HolderPart> {
    let steps = item.pipeline().steps.iter();
    let mut at_stage = steps.filter(|step| step.stage == Some(item.stage));
    let is_planner_of_stage =
        message.message.batch.is_none() && at_stage.any(|step| step.queue == message.message.queue);
    let is_held = is_planner_of_stage && item.status == Status::Started && !item.node.is_empty();
    is_held.then(|| HolderPart {
        node: item.node.clone(),
        pid: item.pid,
    })
}

#[cfg(test)]
mod tests;
