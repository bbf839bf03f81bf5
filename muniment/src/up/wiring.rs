//! Which worker gets what, and how many jobs each does at a time.
//!
//! The workers are those of the separate binaries. They reach S3 and the registry over HTTP like
//! there, each with the buckets that its struct names; only the work store is a value in the same
//! process.

use std::sync::Arc;
use std::time::Duration;

use muniment_model::{InstitutionId, Namespace};
use muniment_objects::{PreservationBuckets, ReceivingBuckets, RecordsBucket, StagingBucket};
use muniment_runtime::{Batched, Runner, Services, Shutdown, Sweep, Worker, keep_sweeping};
use workers::apt_queue::AptQueue;
use workers::ingest_bucket_reader::IngestBucketReader;
use workers::ingest_cleanup::IngestCleanup;
use workers::ingest_format_identifier::IngestFormatIdentifier;
use workers::ingest_pre_fetch::IngestPreFetch;
use workers::ingest_preservation_uploader::IngestPreservationUploader;
use workers::ingest_preservation_verifier::IngestPreservationVerifier;
use workers::ingest_recorder::IngestRecorder;
use workers::ingest_staging_uploader::IngestStagingUploader;
use workers::ingest_validator::IngestValidator;
use workers::reingest_manager::ReingestManager;

use super::tasks::Tasks;

/// Soon enough for somebody who watches, and two small requests when there is nothing new.
const LOOK_FOR_BAGS_EVERY: Duration = Duration::from_secs(1);
/// What a crash left without a message waits at most this long.
const RECONCILE_EVERY: Duration = Duration::from_secs(10);
/// Pass one holds up to 72 MiB per bag (read ahead and being staged), and one pass can use all
/// cores: two of them keep the cores busy while the other waits for the disk.
const PASSES: usize = 2;
/// Stages that wait for S3 or the registry most of the time.
const JOBS: usize = 4;

/// Everything that workers are made of.
pub(super) struct Parts {
    pub(super) services: Services,
    pub(super) receiving: ReceivingBuckets,
    pub(super) staging: StagingBucket,
    pub(super) preservation: PreservationBuckets,
    pub(super) records: RecordsBucket,
    pub(super) namespace: Namespace,
    /// The institution that items of stray uploads belong to.
    pub(super) operator: InstitutionId,
}

/// Starts all workers. They end when told to stop.
pub(super) fn start(parts: &Parts, shutdown: &Shutdown) -> Tasks {
    let mut crew = Crew {
        tasks: Tasks::default(),
        services: &parts.services,
        shutdown,
    };
    crew.up_to_validation(parts);
    crew.up_to_verification(parts);
    crew.after_verification(parts);
    crew.sweeps(parts);
    crew.tasks
}

struct Crew<'a> {
    tasks: Tasks,
    services: &'a Services,
    shutdown: &'a Shutdown,
}

impl Crew<'_> {
    fn up_to_validation(&mut self, parts: &Parts) {
        let pre_fetch = IngestPreFetch {
            receiving: parts.receiving.clone(),
            staging: parts.staging.clone(),
            namespace: parts.namespace,
            clock: Arc::clone(&parts.services.clock),
        };
        self.worker(pre_fetch, PASSES);
        let validator = IngestValidator {
            staging: parts.staging.clone(),
            namespace: parts.namespace,
        };
        self.worker(validator, PASSES);
        let reingest = ReingestManager {
            registry: parts.services.registry.clone(),
            namespace: parts.namespace,
        };
        self.worker(reingest, JOBS);
    }

    fn up_to_verification(&mut self, parts: &Parts) {
        let staging = IngestStagingUploader {
            receiving: parts.receiving.clone(),
            staging: parts.staging.clone(),
            namespace: parts.namespace,
            clock: Arc::clone(&parts.services.clock),
        };
        self.worker(Batched(staging), PASSES);
        self.worker(IngestFormatIdentifier, JOBS);
        let uploader = IngestPreservationUploader {
            receiving: parts.receiving.clone(),
            staging: parts.staging.clone(),
            preservation: parts.preservation.clone(),
            namespace: parts.namespace,
            clock: Arc::clone(&parts.services.clock),
        };
        self.worker(Batched(uploader), JOBS);
        let verifier = IngestPreservationVerifier {
            preservation: parts.preservation.clone(),
            namespace: parts.namespace,
            clock: Arc::clone(&parts.services.clock),
        };
        self.worker(Batched(verifier), JOBS);
    }

    fn after_verification(&mut self, parts: &Parts) {
        let recorder = IngestRecorder {
            registry: parts.services.registry.clone(),
            preservation: parts.preservation.clone(),
            staging: parts.staging.clone(),
            records: parts.records.clone(),
            namespace: parts.namespace,
            clock: Arc::clone(&parts.services.clock),
        };
        self.worker(Batched(recorder), JOBS);
        let cleanup = IngestCleanup {
            registry: parts.services.registry.clone(),
            receiving: parts.receiving.clone(),
            staging: parts.staging.clone(),
            records: parts.records.clone(),
        };
        self.worker(cleanup, JOBS);
    }

    fn sweeps(&mut self, parts: &Parts) {
        let services = &parts.services;
        let reader = IngestBucketReader::new(services, parts.receiving.clone(), parts.operator);
        self.sweep(reader, LOOK_FOR_BAGS_EVERY);
        let queue = AptQueue {
            registry: services.registry.clone(),
            work: Arc::clone(&services.work),
        };
        self.sweep(queue, RECONCILE_EVERY);
    }

    fn worker<W: Worker>(&mut self, worker: W, jobs: usize) {
        let runner = Runner::new(worker, self.services.clone(), self.shutdown.clone());
        let name = W::SPEC.queue.as_str();
        self.tasks.spawn(name, runner.run(jobs));
    }

    fn sweep<S: Sweep>(&mut self, sweep: S, period: Duration) {
        let sweeping = keep_sweeping(sweep, period, self.shutdown.clone());
        self.tasks.spawn(S::NAME, sweeping);
    }
}
