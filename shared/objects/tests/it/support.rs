//! A store in a folder of its own, a proxy before it, and our buckets behind that.

use std::net::SocketAddr;

use bytes::Bytes;
use crc_fast::{CrcAlgorithm, checksum};
use muniment_embedded_s3::{Credentials, EmbeddedS3};
use muniment_model::{Crc64Nvme, ObjectKey, Tar};
use muniment_objects::settings::{
    PreservationSettings, ReceivingSettings, RecordsSettings, StagingSettings,
};
use muniment_objects::{
    Connections, DepositBucket, ObjectStream, PreservationBuckets, ReceivingBucket,
    ReceivingBuckets, RecordsBucket, StagingBucket, StorageError,
};
use secrecy::SecretString;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::proxy::Proxy;

pub(crate) const RECEIVING: &str = "aptrust.receiving.test.edu";
pub(crate) const MIB: usize = 1024 * 1024;

const ACCESS_KEY: &str = "depositor-and-worker";
const SECRET_KEY: &str = "only-for-tests";

/// Everything a test may touch. The store ends with it.
pub(crate) struct Bench {
    pub(crate) proxy: Proxy,
    /// Before the second store.
    pub(crate) far_proxy: Proxy,
    /// The same buckets, not through the proxy.
    pub(crate) direct: Buckets,
    pub(crate) buckets: Buckets,
    _store: Store,
    /// A second store, for copies that cannot be made within one.
    _elsewhere: Store,
}

pub(crate) struct Buckets {
    pub(crate) all_receiving: ReceivingBuckets,
    pub(crate) receiving: ReceivingBucket,
    pub(crate) deposits: DepositBucket,
    pub(crate) staging: StagingBucket,
    pub(crate) preservation: PreservationBuckets,
    pub(crate) records: RecordsBucket,
}

struct Store {
    address: SocketAddr,
    _folder: TempDir,
    _tasks: JoinSet<()>,
}

impl Store {
    async fn with_buckets(names: &[&str]) -> Self {
        let folder = TempDir::new().expect("folder");
        let credentials = Credentials {
            access_key: ACCESS_KEY.to_owned(),
            secret_key: SECRET_KEY.to_owned(),
        };
        let store = EmbeddedS3::open(folder.path(), credentials)
            .await
            .expect("opens");
        for name in names {
            store.create_bucket(name).await.expect("creates");
        }
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let address = listener.local_addr().expect("address");
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            store
                .serve(listener, CancellationToken::new())
                .await
                .expect("serves");
        });
        Self {
            address,
            _folder: folder,
            _tasks: tasks,
        }
    }

    fn url(&self) -> Url {
        format!("http://{}", self.address).parse().expect("url")
    }
}

impl Bench {
    pub(crate) async fn new() -> Self {
        let store = Store::with_buckets(&[
            RECEIVING,
            "aptrust.receiving.example.edu",
            "staging",
            "copies-va",
            "copies-or",
            "records",
        ])
        .await;
        let elsewhere = Store::with_buckets(&["copies-wasabi"]).await;
        let proxy = Proxy::before(store.address).await;
        let far_proxy = Proxy::before(elsewhere.address).await;
        Self {
            buckets: buckets(&proxy.url, &far_proxy.url, &Connections::default()),
            direct: buckets(&store.url(), &elsewhere.url(), &Connections::default()),
            proxy,
            far_proxy,
            _store: store,
            _elsewhere: elsewhere,
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

pub(crate) fn buckets(url: &Url, elsewhere: &Url, connections: &Connections) -> Buckets {
    buckets_as(url, elsewhere, connections, SECRET_KEY)
}

pub(crate) fn buckets_as(
    url: &Url,
    elsewhere: &Url,
    connections: &Connections,
    secret: &str,
) -> Buckets {
    let access = || SecretString::from(ACCESS_KEY);
    let secret = || SecretString::from(secret);
    let region = || "us-east-1".to_owned();
    let receiving = ReceivingSettings {
        receiving_endpoint: Some(url.clone()),
        receiving_region: region(),
        receiving_access_key: access(),
        receiving_secret_key: secret(),
        receiving_prefix: "aptrust.receiving.".to_owned(),
    };
    let staging = StagingSettings {
        staging_endpoint: Some(url.clone()),
        staging_region: region(),
        staging_access_key: access(),
        staging_secret_key: secret(),
        staging_bucket: "staging".parse().expect("name"),
    };
    let records = RecordsSettings {
        records_endpoint: Some(url.clone()),
        records_region: region(),
        records_access_key: access(),
        records_secret_key: secret(),
        records_bucket: "records".parse().expect("name"),
    };
    let targets = [
        "standard-va=copies-va",
        "standard-or=copies-or",
        "wasabi-or=copies-wasabi",
    ];
    let preservation = PreservationSettings {
        aws_endpoint: Some(url.clone()),
        aws_access_key: access(),
        aws_secret_key: secret(),
        aws_host: "muniment.example".to_owned(),
        wasabi_endpoint: Some(elsewhere.clone()),
        wasabi_access_key: Some(access()),
        wasabi_secret_key: Some(secret()),
        wasabi_host: "wasabisys.com".to_owned(),
        preservation_buckets: targets.map(|target| target.parse().expect("target")).into(),
    };
    let name = RECEIVING.parse().expect("name");
    let all_receiving = receiving.connect(connections);
    Buckets {
        receiving: all_receiving.bucket(name),
        deposits: receiving.connect_depositor(connections, RECEIVING.parse().expect("name")),
        all_receiving,
        staging: staging.connect(connections),
        preservation: preservation.connect(connections).expect("connects"),
        records: records.connect(connections),
    }
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
