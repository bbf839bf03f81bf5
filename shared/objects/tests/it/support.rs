//! What a case works with: buckets of its own on a back end, and two fault proxies before it.

use std::sync::Arc;

use bytes::Bytes;
use crc_fast::{CrcAlgorithm, checksum};
use muniment_fault_proxy::FaultProxy;
use muniment_model::{BucketName, Crc64Nvme, KeyPrefix, ObjectKey, Tar};
use muniment_objects::settings::{
    PreservationSettings, ReceivingSettings, RecordsSettings, StagingSettings,
};
use muniment_objects::{
    Connections, DepositBucket, ObjectStream, PreservationBuckets, ReceivingBucket,
    ReceivingBuckets, RecordsBucket, StagingBucket, StorageError,
};
use secrecy::SecretString;
use url::Url;

use crate::backend::{Backend, Signer};

/// Deletes everything under the prefix, page by page; answers how many objects that were.
pub(crate) async fn delete_all(staging: &StagingBucket, prefix: &KeyPrefix) -> usize {
    let mut listing = staging.list(prefix);
    let mut count = 0;
    while let Some(page) = listing.next_page().await.expect("lists") {
        staging.delete(&page, || true).await.expect("deletes");
        count += page.len();
    }
    count
}

pub(crate) const MIB: usize = 1024 * 1024;

/// Everything a case may touch.
pub(crate) struct Bench {
    pub(crate) backend: Arc<Backend>,
    pub(crate) names: Names,
    pub(crate) proxy: FaultProxy,
    /// Before the same back end under another address, which makes it another store to our code: for
    /// copies that cannot be made within one.
    pub(crate) far_proxy: FaultProxy,
    /// The same buckets, not through the proxies.
    pub(crate) direct: Buckets,
    pub(crate) buckets: Buckets,
}

pub(crate) struct Buckets {
    pub(crate) all_receiving: ReceivingBuckets,
    pub(crate) receiving: ReceivingBucket,
    pub(crate) deposits: DepositBucket,
    pub(crate) staging: StagingBucket,
    pub(crate) preservation: PreservationBuckets,
    pub(crate) records: RecordsBucket,
}

/// Bucket names that no other case has, in this run or another.
pub(crate) struct Names {
    pub(crate) prefix: String,
    /// In the order in which they are listed.
    pub(crate) receiving: [String; 2],
    pub(crate) staging: String,
    pub(crate) records: String,
    pub(crate) virginia: String,
    pub(crate) oregon: String,
    pub(crate) wasabi: String,
}

impl Names {
    fn fresh() -> Self {
        let case = format!("{:016x}", rand::random::<u64>());
        let prefix = format!("receiving-{case}.");
        Self {
            receiving: ["example.edu", "test.edu"].map(|name| format!("{prefix}{name}")),
            prefix,
            staging: format!("staging-{case}"),
            records: format!("records-{case}"),
            virginia: format!("copies-va-{case}"),
            oregon: format!("copies-or-{case}"),
            wasabi: format!("copies-wasabi-{case}"),
        }
    }

    fn all(&self) -> impl Iterator<Item = &str> {
        let others = [
            &self.staging,
            &self.records,
            &self.virginia,
            &self.oregon,
            &self.wasabi,
        ];
        self.receiving.iter().chain(others).map(String::as_str)
    }
}

impl Bench {
    pub(crate) async fn on(backend: Arc<Backend>) -> Self {
        let names = Names::fresh();
        for name in names.all() {
            backend.create_bucket(name).await;
        }
        let proxy = FaultProxy::before(&backend.url).await.expect("starts");
        let far_proxy = FaultProxy::before(&backend.url).await.expect("starts");
        let connect = |near: &str, far: &str| {
            let urls = [near, far].map(|url| url.parse().expect("url"));
            connect(&names, &backend.signer, &urls, &Connections::default())
        };
        Self {
            buckets: connect(&proxy.url(), &far_proxy.url()),
            direct: connect(&backend.url, &backend.url),
            backend,
            names,
            proxy,
            far_proxy,
        }
    }

    /// The buckets as another process sees them, through the same proxies.
    pub(crate) fn buckets_of_another_process(&self, connections: &Connections) -> Buckets {
        let urls = [self.proxy.url(), self.far_proxy.url()];
        let urls = urls.map(|url| url.parse().expect("url"));
        connect(&self.names, &self.backend.signer, &urls, connections)
    }

    /// Its buckets, all at `url`.
    pub(crate) fn buckets_at(&self, url: &str, connections: &Connections) -> Buckets {
        self.buckets_as(&self.backend.signer, url, connections)
    }

    pub(crate) fn buckets_as(
        &self,
        signer: &Signer,
        url: &str,
        connections: &Connections,
    ) -> Buckets {
        let url: Url = url.parse().expect("url");
        connect(&self.names, signer, &[url.clone(), url], connections)
    }

    pub(crate) async fn remove(self) {
        for name in self.names.all() {
            self.backend.remove_bucket(name).await;
        }
    }

    /// Puts a tar into the receiving bucket and describes it as the bucket reader would.
    pub(crate) async fn deposit(&self, key: &str, bytes: &Bytes) -> Tar {
        let key = object_key(key);
        let mut writer = self.direct.deposits.writer(&key);
        writer.write(bytes.clone()).await.expect("writes");
        writer.finish(None).await.expect("finishes");
        let head = self.direct.receiving.head(&key).await.expect("head");
        Tar {
            bucket: self.direct.receiving.name().clone(),
            key,
            etag: head.etag,
            size: head.size,
            last_modified: head.last_modified,
            crc64nvme: head.crc64nvme,
        }
    }

    pub(crate) async fn stage(&self, key: &str, bytes: &Bytes) -> ObjectKey {
        let key = object_key(key);
        let mut writer = self.direct.staging.writer(&key);
        writer.write(bytes.clone()).await.expect("writes");
        writer.finish(Some(crc(bytes))).await.expect("finishes");
        key
    }
}

fn connect(
    names: &Names,
    signer: &Signer,
    [near, far]: &[Url; 2],
    connections: &Connections,
) -> Buckets {
    let access_key = || SecretString::from(signer.access_key.as_str());
    let secret_key = || SecretString::from(signer.secret_key.as_str());
    let receiving = ReceivingSettings {
        receiving_endpoint: Some(near.clone()),
        receiving_region: signer.region.clone(),
        receiving_access_key: access_key(),
        receiving_secret_key: secret_key(),
        receiving_prefix: names.prefix.clone(),
    };
    let staging = StagingSettings {
        staging_endpoint: Some(near.clone()),
        staging_region: signer.region.clone(),
        staging_access_key: access_key(),
        staging_secret_key: secret_key(),
        staging_bucket: bucket_name(&names.staging),
    };
    let records = RecordsSettings {
        records_endpoint: Some(near.clone()),
        records_region: signer.region.clone(),
        records_access_key: access_key(),
        records_secret_key: secret_key(),
        records_bucket: bucket_name(&names.records),
    };
    let targets = [
        format!("standard-va={}", names.virginia),
        format!("standard-or={}", names.oregon),
        format!("wasabi-or={}", names.wasabi),
    ];
    let preservation = PreservationSettings {
        aws_endpoint: Some(near.clone()),
        aws_region: None,
        aws_access_key: access_key(),
        aws_secret_key: secret_key(),
        aws_host: "muniment.example".to_owned(),
        wasabi_endpoint: Some(far.clone()),
        wasabi_region: None,
        wasabi_access_key: Some(access_key()),
        wasabi_secret_key: Some(secret_key()),
        wasabi_host: "wasabisys.com".to_owned(),
        preservation_buckets: targets.map(|target| target.parse().expect("target")).into(),
    };
    let [_, name] = names.receiving.each_ref().map(|name| bucket_name(name));
    let all_receiving = receiving.connect(connections);
    Buckets {
        receiving: all_receiving.bucket(name.clone()),
        deposits: receiving.connect_depositor(connections, name),
        all_receiving,
        staging: staging.connect(connections),
        preservation: preservation.connect(connections).expect("connects"),
        records: records.connect(connections),
    }
}

pub(crate) fn bucket_name(name: &str) -> BucketName {
    BucketName::new(name).expect("name")
}

pub(crate) fn object_key(key: &str) -> ObjectKey {
    ObjectKey::new(key).expect("key")
}

pub(crate) fn crc(bytes: &[u8]) -> Crc64Nvme {
    Crc64Nvme(checksum(CrcAlgorithm::Crc64Nvme, bytes))
}

/// Bytes that differ at every position from those of any other seed, most of the time.
pub(crate) fn noise(length: usize, seed: u64) -> Bytes {
    let mut state = seed.wrapping_mul(2).wrapping_add(1);
    let bytes = (0..length).map(|_| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        state.to_be_bytes()[0]
    });
    bytes.collect()
}

pub(crate) async fn read_all(mut stream: ObjectStream) -> Result<Vec<u8>, StorageError> {
    let mut all = Vec::new();
    while let Some(bytes) = stream.next().await? {
        all.extend_from_slice(&bytes);
    }
    Ok(all)
}
