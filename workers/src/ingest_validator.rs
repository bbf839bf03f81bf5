//! Holds the bag to BagIt and to its profile.
//!
//! Stage Validate, after pass one. Reads the manifests and the tag files from staging, joins the
//! manifests' lines with the file records, and collects every finding; payload bytes are not read
//! again. A bag with errors is rejected with all of them.
//!
//! Safe to repeat: it reads, and writes the same findings and metadata again. When the work store
//! was lost it first makes the records again from the index. A bag that seems wrong although the
//! store had no checksum of the tar to compare our reading with is read a second time first.
//!
//! It never reads the receiving bucket.

use std::collections::BTreeSet;

use async_trait::async_trait;
use muniment_bagit::manifest::ManifestFile;
use muniment_bagit::profile::Profile;
use muniment_bagit::tag_file::{PARSED, TagEncoding, TagFileParser, TagFiles};
use muniment_bagit::validate::{
    BagFacts, FileFacts, JoinKey, ListingPolicy, ManifestJoin, Partition, Placed, check_bag,
    listing_policy,
};
use muniment_model::{
    BatchNumber, Doubt, FileRecord, Findings, Manifest, Namespace, ObjectRecord, Queue, Received,
    Stage, StagedTagFile,
};
use muniment_objects::StagingBucket;
use muniment_runtime::{Completed, Job, JobError, JobSpec, Step, Worker};
use uuid::Uuid;

use crate::index;
use crate::ingest_pre_fetch::UNSTABLE;

/// Memory for the files of one partition of the join.
const JOIN_BYTES: usize = 64 * 1024 * 1024;
/// The stages after this one that keep account of their batches.
const LATER_IN_BATCHES: [Queue; 4] = [
    Queue::IngestStagingUploader,
    Queue::IngestPreservationUploader,
    Queue::IngestPreservationVerifier,
    Queue::IngestRecorder,
];

pub struct IngestValidator {
    pub staging: StagingBucket,
    pub namespace: Namespace,
}

#[async_trait]
impl Worker for IngestValidator {
    const SPEC: JobSpec = JobSpec {
        queue: Queue::IngestValidator,
        next: Some(Stage::ReingestCheck),
        attempts_max: 3,
        retry_delay: crate::RETRY_DELAY,
    };

    async fn run(&self, job: &Job) -> Result<Step, JobError> {
        let mut object = self.load_or_rebuild(job).await?;
        // Whatever later stages did for records that were lost since, they do again.
        for queue in LATER_IN_BATCHES {
            job.work.clear_done(&job.lease, queue).await?;
        }
        let received = object.received.clone().ok_or(JobError::RecordsLost)?;
        let mut findings = received.findings.clone();
        let tags = self.read_tags(job, &received, &mut findings).await?;
        let profile = Profile::choose(tags.profile_identifier());
        let facts = BagFacts::of(&received, &object.bag_name);
        let metadata = check_bag(profile, &facts, &tags, &mut findings);
        let check = Check {
            job,
            object: object.identifier.as_str(),
            received: &received,
            manifests: facts.manifest_files(),
            encoding: tags.encoding(),
            policy: listing_policy(profile, &tags),
        };
        if let Err(error) = self.join(&check, &mut findings).await {
            if matches!(error, JobError::RecordsLost) {
                forget_reading(job, &mut object).await?;
            }
            return Err(error);
        }
        if !findings.is_valid() {
            return self.doubt_or_reject(job, object, findings).await;
        }
        object.findings = findings;
        object.metadata = Some(metadata);
        job.save_object(&object).await?;
        Ok(Step::Completed(Completed::with_note("Bag is valid")))
    }
}

/// What the join of one bag needs to know.
struct Check<'a> {
    job: &'a Job,
    object: &'a str,
    received: &'a Received,
    manifests: Vec<ManifestFile>,
    encoding: TagEncoding,
    policy: ListingPolicy,
}

impl IngestValidator {
    /// A depositor is not blamed for a bit that flipped on our way: where no checksum of the store
    /// confirms the reading of the tar, a second one must have read the same bytes.
    async fn doubt_or_reject(
        &self,
        job: &Job,
        mut object: ObjectRecord,
        findings: Findings,
    ) -> Result<Step, JobError> {
        let received = object.received.as_ref().ok_or(JobError::RecordsLost)?;
        if received.confirmed {
            return Err(JobError::Reject(findings));
        }
        let said = format!("crc64nvme {}", received.crc64nvme.to_base64());
        let doubt = object.doubt_reading(said);
        if doubt == Doubt::Believed {
            return Err(JobError::Reject(findings));
        }
        forget_reading(job, &mut object).await?;
        if doubt == Doubt::Unstable {
            return Err(JobError::halt(UNSTABLE));
        }
        Ok(Step::Completed(Completed {
            note: "The bag is read a second time, to be sure of what seems wrong with it"
                .to_owned(),
            to: Some(Stage::Receive),
            intended: None,
        }))
    }

    async fn load_or_rebuild(&self, job: &Job) -> Result<ObjectRecord, JobError> {
        if let Some(object) = job.work.object(job.item_id()).await? {
            return Ok(object);
        }
        let object = index::end(&self.staging, job.item_id())
            .await?
            .ok_or(JobError::RecordsLost)?;
        let batches = object.received.as_ref().map_or(0, |seen| seen.batches);
        for number in (0..batches).map(BatchNumber) {
            job.checkpoint()?;
            let files = index::batch(&self.staging, job.item_id(), number)
                .await?
                .ok_or(JobError::RecordsLost)?;
            job.work
                .put_files(&job.lease, number, 0, &files, None)
                .await?;
        }
        // Last: its presence means that all batches are there.
        job.save_object(&object).await?;
        Ok(object)
    }

    /// Reads the tag files, the declaration first: it names the encoding of the others.
    async fn read_tags(
        &self,
        job: &Job,
        received: &Received,
        findings: &mut Findings,
    ) -> Result<TagFiles, JobError> {
        let mut tags = TagFiles::default();
        for path in PARSED {
            let file = received.tag_files.iter().find(|file| file.path == path);
            let Some(StagedTagFile {
                tar_offset, size, ..
            }) = file
            else {
                continue;
            };
            let mut parser = TagFileParser::new(path, tags.encoding());
            let key = self.namespace.staging_key(job.item_id(), *tar_offset);
            let mut bytes = self.staging.read(&key, *size);
            while let Some(block) = bytes.next().await? {
                parser.push(&block, findings);
            }
            tags.add(parser.end(findings));
        }
        Ok(tags)
    }

    /// Joins the manifests with the files, one partition of the files at a time.
    async fn join(&self, check: &Check<'_>, findings: &mut Findings) -> Result<(), JobError> {
        let key = JoinKey(Uuid::new_v4().into_bytes());
        for partition in Partition::plan(check.received.files, JOIN_BYTES) {
            let mut join =
                ManifestJoin::new(check.object, check.policy, &check.manifests, partition, key);
            let mut files = 0;
            for number in (0..check.received.batches).map(BatchNumber) {
                check.job.checkpoint()?;
                files += add_batch(check, number, &mut join, findings).await?;
            }
            // Records of ours that are missing must not look like files missing from the bag.
            if files != check.received.files {
                return Err(JobError::RecordsLost);
            }
            for manifest in &check.manifests {
                self.add_manifest(check, manifest, &mut join, findings)
                    .await?;
            }
            join.finish(findings);
        }
        Ok(())
    }

    async fn add_manifest(
        &self,
        check: &Check<'_>,
        file: &ManifestFile,
        join: &mut ManifestJoin,
        findings: &mut Findings,
    ) -> Result<(), JobError> {
        let staged = |manifest: &&Manifest| manifest.path == file.path;
        let Some(manifest) = check.received.manifests.iter().find(staged) else {
            return Ok(());
        };
        let key = self
            .namespace
            .staging_key(check.job.item_id(), manifest.tar_offset);
        let mut bytes = self.staging.read(&key, manifest.size);
        let mut reading = join.manifest(file, check.encoding);
        while let Some(block) = bytes.next().await? {
            check.job.checkpoint()?;
            reading.push(&block, findings);
        }
        reading.end(findings);
        Ok(())
    }
}

/// Makes pass one read the tar again: a record that says it is complete would be believed.
async fn forget_reading(job: &Job, object: &mut ObjectRecord) -> Result<(), JobError> {
    object.received = None;
    job.work.clear_records(&job.lease).await?;
    job.save_object(object).await
}

/// Adds the files of one batch, and marks those that repeat an earlier member. Answers how many
/// files the batch holds.
async fn add_batch(
    check: &Check<'_>,
    number: BatchNumber,
    join: &mut ManifestJoin,
    findings: &mut Findings,
) -> Result<u64, JobError> {
    let job = check.job;
    let mut files = job.work.files(job.item_id(), number).await?;
    let mut repeated = BTreeSet::new();
    for file in &files {
        if add_file(file, join, findings) == Placed::Repeated && !file.repeated {
            repeated.insert(file.tar_offset);
        }
    }
    let count = files.iter().filter(|file| file.digests.is_some()).count() as u64;
    if repeated.is_empty() {
        return Ok(count);
    }
    for file in &mut files {
        file.repeated |= repeated.contains(&file.tar_offset);
    }
    job.work
        .put_files(&job.lease, number, 0, &files, None)
        .await?;
    Ok(count)
}

fn add_file(file: &FileRecord, join: &mut ManifestJoin, findings: &mut Findings) -> Placed {
    let Some(digests) = &file.digests else {
        return Placed::Elsewhere;
    };
    let facts = FileFacts {
        path: &file.path,
        kind: file.kind,
        tar_offset: file.tar_offset,
        digests,
    };
    join.file(&facts, findings)
}
