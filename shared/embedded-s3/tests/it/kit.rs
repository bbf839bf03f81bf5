//! An endpoint on a fresh folder, and a client for it.

use std::path::{Path, PathBuf};

use aws_sdk_s3::Client;
use aws_sdk_s3::config::{
    BehaviorVersion, Credentials as Keys, Region, ResponseChecksumValidation,
};
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::primitives::ByteStream;
use muniment_embedded_s3::{Credentials, EmbeddedS3, Options};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub(crate) const BUCKET: &str = "bucket";
/// Only there where a test asks for it.
pub(crate) const OTHER_BUCKET: &str = "other-bucket";
pub(crate) const MIB: usize = 1024 * 1024;

pub(crate) struct Endpoint {
    pub client: Client,
    pub url: String,
    pub stop: CancellationToken,
    pub serving: JoinSet<()>,
    pub folder: TempDir,
}

/// An endpoint with one empty bucket.
pub(crate) async fn start() -> Endpoint {
    start_in(tempfile::tempdir().unwrap()).await
}

pub(crate) async fn start_in(folder: TempDir) -> Endpoint {
    start_with(folder, Options::default(), &[BUCKET]).await
}

pub(crate) async fn start_with(folder: TempDir, options: Options, buckets: &[&str]) -> Endpoint {
    let s3 = EmbeddedS3::open_with(folder.path(), credentials(), options)
        .await
        .unwrap();
    for bucket in buckets {
        s3.create_bucket(bucket).await.unwrap();
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let stop = CancellationToken::new();
    let mut serving = JoinSet::new();
    serving.spawn(s3.serve(listener, stop.clone()));
    Endpoint {
        client: client(&url, "secret"),
        url,
        stop,
        serving,
        folder,
    }
}

pub(crate) fn credentials() -> Credentials {
    Credentials {
        access_key: "access".to_owned(),
        secret_key: "secret".to_owned(),
    }
}

pub(crate) fn client(url: &str, secret: &str) -> Client {
    client_of(url, "access", secret)
}

pub(crate) fn client_of(url: &str, access: &str, secret: &str) -> Client {
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(Keys::new(access, secret, None, None, "test"))
        .endpoint_url(url)
        .force_path_style(true)
        // Damaged bytes have to be found by the endpoint, and not by this client.
        .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
        // A refusal must be seen as such, not asked for again.
        .retry_config(aws_sdk_s3::config::retry::RetryConfig::disabled())
        .build();
    Client::from_conf(config)
}

impl Endpoint {
    pub(crate) async fn put(&self, key: &str, body: &[u8]) -> String {
        self.client
            .put_object()
            .bucket(BUCKET)
            .key(key)
            .body(ByteStream::from(body.to_vec()))
            .send()
            .await
            .unwrap()
            .e_tag
            .unwrap()
    }

    pub(crate) async fn get(&self, key: &str) -> Option<Vec<u8>> {
        let output = self
            .client
            .get_object()
            .bucket(BUCKET)
            .key(key)
            .send()
            .await;
        match output {
            Ok(output) => Some(output.body.collect().await.unwrap().to_vec()),
            Err(error) => {
                assert_eq!(code(&error), "NoSuchKey");
                None
            }
        }
    }

    pub(crate) async fn delete(&self, key: &str) {
        self.client
            .delete_object()
            .bucket(BUCKET)
            .key(key)
            .send()
            .await
            .unwrap();
    }

    /// Starts a multipart upload without any wish for a checksum.
    pub(crate) async fn start_upload(&self, key: &str) -> String {
        self.client
            .create_multipart_upload()
            .bucket(BUCKET)
            .key(key)
            .send()
            .await
            .unwrap()
            .upload_id
            .unwrap()
    }

    /// Stops as SIGTERM would and returns the folder.
    pub(crate) async fn stop(mut self) -> TempDir {
        self.stop.cancel();
        while let Some(ended) = self.serving.join_next().await {
            ended.unwrap();
        }
        self.folder
    }

    /// Drops everything at once, as a crash would.
    pub(crate) async fn crash(mut self) -> TempDir {
        self.serving.shutdown().await;
        self.folder
    }
}

/// The S3 code of an error.
pub(crate) fn code<E: ProvideErrorMetadata, R: std::fmt::Debug>(error: &SdkError<E, R>) -> String {
    match error.code() {
        Some(code) => code.to_owned(),
        None => format!("{:?}", error.raw_response()),
    }
}

/// The HTTP status of an error.
pub(crate) fn status<E>(error: &SdkError<E, aws_sdk_s3::config::http::HttpResponse>) -> u16 {
    error.raw_response().map_or(0, |raw| raw.status().as_u16())
}

/// Bytes that differ from each other everywhere.
pub(crate) fn bytes(seed: u64, count: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[0]
    })
    .take(count)
    .collect()
}

/// The crc64nvme of the bytes as S3 writes it.
pub(crate) fn crc64nvme(bytes: &[u8]) -> String {
    use base64::Engine as _;
    let crc = crc_fast::checksum(crc_fast::CrcAlgorithm::Crc64Nvme, bytes);
    base64::engine::general_purpose::STANDARD.encode(crc.to_be_bytes())
}

pub(crate) fn md5_etag(bytes: &[u8]) -> String {
    use md5::Digest as _;
    format!("\"{}\"", hex::encode(md5::Md5::digest(bytes)))
}

/// The blob files in the folder of an endpoint.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    walk(&folder.join("blobs"), &mut found);
    found
}

/// Waits until as many files are left: they go a moment after the answer.
pub(crate) async fn until_files(folder: &Path, count: usize) {
    let waited = tokio::time::timeout(std::time::Duration::from_secs(10), async {
        let mut polls = tokio::time::interval(std::time::Duration::from_millis(5));
        while files(folder).len() != count {
            polls.tick().await;
        }
    });
    let reached = waited.await.is_ok();
    assert!(reached, "{} files, not {count}", files(folder).len());
}
