//! Copies between two providers, which pass through the worker: what the process holds that makes them.
//!
//! The endpoint is a `muniment up`, another process, known here under two addresses: those are two
//! providers to our code. So the peak memory of this process is that of the S3 layer alone.

use std::collections::HashMap;

use bytes::Bytes;
use futures::future::try_join_all;
use muniment::up::instance::Instance;
use muniment_digest::Crc64;
use muniment_model::{Crc64Nvme, ObjectKey, StorageTarget};
use muniment_objects::{
    Connections, CopyOrder, PreservationBuckets, PreservationSettings, StagingBucket,
    StagingSettings,
};
use secrecy::SecretString;
use tempfile::tempdir;

use super::AnyError;
use super::process::{Up, peak_mib_of};
use super::report::as_f64;

/// As many as a job makes at a time.
const AT_A_TIME: usize = 16;
const COPY_BYTES: u64 = 64 << 20;
const PIECE_BYTES: usize = 1 << 20;
const TARGET: StorageTarget = StorageTarget::WasabiOr;

/// Answers what it came to, in words.
pub(crate) fn run(program: &std::path::Path) -> Result<String, AnyError> {
    let folder = tempdir()?;
    let data = folder.path().join("data");
    let _up = Up::start(program, &data)?;
    let instance = Instance::find(&data)?.ok_or("no instance")?;
    let runtime = tokio::runtime::Runtime::new()?;
    let began = std::time::Instant::now();
    let most_held = runtime.block_on(copy_all(&instance))?;
    let seconds = began.elapsed().as_secs_f64();
    Ok(format!(
        "{AT_A_TIME} copies of 64 MiB between providers at a time, through one process: {:.0} MB/s, {} MiB of \
         objects held, peak memory {} MiB",
        as_f64(COPY_BYTES) * 16.0 / 1e6 / seconds,
        most_held >> 20,
        peak_mib_of(std::process::id())?,
    ))
}

/// Answers the most bytes of objects that were held at one time.
async fn copy_all(instance: &Instance) -> Result<u64, AnyError> {
    let connections = Connections::default();
    let (staging, preservation) = buckets(instance, &connections)?;
    let from = ObjectKey::new("1/copied")?;
    let crc64nvme = stage(&staging, &from).await?;
    let orders = (0..AT_A_TIME).map(|number| {
        Ok(CopyOrder {
            from: from.clone(),
            etag: None,
            to: ObjectKey::new(format!("copy-{number}"))?,
            size: COPY_BYTES,
            crc64nvme,
            content_type: "application/octet-stream".to_owned(),
            metadata: HashMap::new(),
        })
    });
    let orders = orders.collect::<Result<Vec<_>, AnyError>>()?;
    try_join_all(
        orders
            .iter()
            .map(|order| preservation.store(TARGET, &staging, order)),
    )
    .await?;
    Ok(connections.budget().most_held())
}

async fn stage(staging: &StagingBucket, key: &ObjectKey) -> Result<Crc64Nvme, AnyError> {
    let piece: Bytes = (0..=u8::MAX).cycle().take(PIECE_BYTES).collect();
    let mut crc = Crc64::new();
    let mut writer = staging.writer(key);
    for _ in 0..COPY_BYTES / piece.len() as u64 {
        crc.update(&piece);
        writer.write(piece.clone()).await?;
    }
    writer.finish(Some(crc.value())).await?;
    Ok(crc.value())
}

fn buckets(
    instance: &Instance,
    connections: &Connections,
) -> Result<(StagingBucket, PreservationBuckets), AnyError> {
    let s3 = &instance.s3;
    let access_key = || SecretString::from(s3.access_key.as_str());
    let secret_key = || SecretString::from(s3.secret_key.as_str());
    let mut elsewhere = s3.endpoint.clone();
    elsewhere.set_host(Some("localhost"))?;
    let staging = StagingSettings {
        staging_endpoint: Some(s3.endpoint.clone()),
        staging_region: s3.region.clone(),
        staging_access_key: access_key(),
        staging_secret_key: secret_key(),
        staging_bucket: instance.staging_bucket.clone(),
    };
    let named = instance.preservation_buckets.iter();
    let named = named.map(|(target, bucket)| format!("{target}={bucket}").parse());
    let preservation = PreservationSettings {
        aws_endpoint: Some(s3.endpoint.clone()),
        aws_region: None,
        aws_access_key: access_key(),
        aws_secret_key: secret_key(),
        aws_host: instance.storage_host.clone(),
        wasabi_endpoint: Some(elsewhere),
        wasabi_region: None,
        wasabi_access_key: Some(access_key()),
        wasabi_secret_key: Some(secret_key()),
        wasabi_host: instance.storage_host.clone(),
        preservation_buckets: named.collect::<Result<_, _>>()?,
    };
    Ok((
        staging.connect(connections),
        preservation.connect(connections)?,
    ))
}
