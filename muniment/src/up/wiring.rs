//! Every worker in this process, with the settings that its own binary would be given.
//!
//! The settings are written as flags and read by each worker's own command, so a worker cannot tell
//! where it runs: it reaches S3 and the registry over HTTP like there. Only the work store is a
//! value in the same process.

use muniment_model::{QueueName, StorageTarget};
use muniment_runtime::{Running, Services, Shutdown, StartError, WorkerEntry};
use url::Url;

use super::instance::{Instance, S3Access};
use super::settings::RECEIVING_PREFIX;

/// Soon enough for a person who watches, and two small requests when there is nothing new.
const LOOK_FOR_BAGS_EVERY: &str = "1s";
/// What a crash left without a message waits at most this long.
const RECONCILE_EVERY: &str = "10s";
/// Pass one holds up to 72 MiB per bag (read ahead and being staged), and one pass can use all
/// cores: two of them keep the cores busy while the other waits for the disk.
const PASSES: &str = "2";
/// Steps that wait for S3 or the registry most of the time.
const JOBS: &str = "4";

/// Connects all workers, with a key pair of their own to S3. What is answered for each claims work once
/// it is polled, and ends when told to stop.
pub(super) async fn connect(
    instance: &Instance,
    s3: &S3Access,
    services: &Services,
    shutdown: &Shutdown,
) -> Result<Vec<(&'static str, Running)>, StartError> {
    let flags = flags(instance, s3);
    let mut connected = Vec::new();
    for worker in workers::all() {
        let settings = flags.iter().map(|(flag, value)| (*flag, value.as_str()));
        let command = worker.command();
        let arguments = worker.arguments(&command, settings.chain([pace_of(worker)]));
        let matches = command.try_get_matches_from(arguments)?;
        let running = worker.start(&matches, services, shutdown).await?;
        connected.push((worker.name, running));
    }
    Ok(connected)
}

/// How much a worker does at a time, or how often a sweep runs.
fn pace_of(worker: &WorkerEntry) -> (&'static str, &'static str) {
    match worker.queue {
        Some(
            QueueName::IngestPreFetch
            | QueueName::IngestValidator
            | QueueName::IngestStagingUploader,
        ) => ("jobs", PASSES),
        Some(_) => ("jobs", JOBS),
        None if worker.name == "ingest_bucket_reader" => ("every", LOOK_FOR_BAGS_EVERY),
        None => ("every", RECONCILE_EVERY),
    }
}

/// The instance as the flags of its workers. One endpoint serves both providers here.
fn flags(instance: &Instance, s3: &S3Access) -> Vec<(&'static str, String)> {
    let endpoint = |url: &Url| url.to_string();
    let mut flags = vec![
        ("receiving-endpoint", endpoint(&s3.endpoint)),
        ("receiving-region", s3.region.clone()),
        ("receiving-access-key", s3.access_key.clone()),
        ("receiving-secret-key", s3.secret_key.clone()),
        ("receiving-prefix", RECEIVING_PREFIX.to_owned()),
        ("staging-endpoint", endpoint(&s3.endpoint)),
        ("staging-region", s3.region.clone()),
        ("staging-access-key", s3.access_key.clone()),
        ("staging-secret-key", s3.secret_key.clone()),
        ("staging-bucket", instance.staging_bucket.to_string()),
        ("records-endpoint", endpoint(&s3.endpoint)),
        ("records-region", s3.region.clone()),
        ("records-access-key", s3.access_key.clone()),
        ("records-secret-key", s3.secret_key.clone()),
        ("records-bucket", instance.records_bucket.to_string()),
        ("aws-endpoint", endpoint(&s3.endpoint)),
        ("aws-access-key", s3.access_key.clone()),
        ("aws-secret-key", s3.secret_key.clone()),
        ("aws-host", instance.storage_host.clone()),
        ("wasabi-endpoint", endpoint(&s3.endpoint)),
        ("wasabi-access-key", s3.access_key.clone()),
        ("wasabi-secret-key", s3.secret_key.clone()),
        ("wasabi-host", instance.storage_host.clone()),
        ("operator", super::services::OPERATOR.to_owned()),
    ];
    let of_target = |(target, bucket): (&StorageTarget, _)| {
        ("preservation-bucket", format!("{target}={bucket}"))
    };
    flags.extend(instance.preservation_buckets.iter().map(of_target));
    // Our own endpoint takes the regions of the targets.
    if instance.is_elsewhere() {
        let regions = ["aws-region", "wasabi-region"];
        flags.extend(regions.map(|flag| (flag, s3.region.clone())));
    }
    flags
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_flag_is_unknown_to_all_workers() {
        let instance = crate::up::instance::tests::example_elsewhere();

        for (flag, value) in flags(&instance, &instance.s3) {
            let known = workers::all().iter().any(|worker| {
                let arguments = worker.arguments(&worker.command(), [(flag, value.as_str())]);
                arguments.len() > 1
            });
            assert!(known, "{flag}");
        }
    }
}
