//! The S3 endpoints that the suite runs on: the embedded one always, and the one that the environment names.
//!
//! `MUNIMENT_TEST_S3` is its URL (plain HTTP, because the fault proxy goes before it), and
//! `MUNIMENT_TEST_S3_ACCESS_KEY`, `_SECRET_KEY` and `_REGION` are what its URL needs beside it. What it
//! cannot do is named in `MUNIMENT_TEST_S3_LACKS`, separated by commas.

use std::io::Write as _;

use aws_sdk_s3::config::{BehaviorVersion, Credentials as Keys, Region, SharedCredentialsProvider};
use aws_sdk_s3::types::{Delete, ObjectIdentifier};
use muniment_embedded_s3::{Credentials, EmbeddedS3};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// What requests are signed with, and for which region.
#[derive(Clone, Debug)]
pub(crate) struct Signer {
    pub(crate) access_key: String,
    pub(crate) secret_key: String,
    pub(crate) region: String,
}

/// What not every S3 endpoint can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ability {
    /// Refuses to create an object whose key is taken (`If-None-Match`).
    ConditionalWrites,
    /// Deletes an object only if it is the one that was meant (`If-Match`).
    ConditionalDeletes,
}

impl Ability {
    const NAMES: [(&str, Self); 2] = [
        ("conditional-writes", Self::ConditionalWrites),
        ("conditional-deletes", Self::ConditionalDeletes),
    ];
}

pub(crate) struct Backend {
    pub(crate) url: String,
    pub(crate) signer: Signer,
    pub(crate) lacks: Vec<Ability>,
    client: aws_sdk_s3::Client,
    _server: Option<(TempDir, JoinSet<()>)>,
}

impl Backend {
    pub(crate) async fn embedded() -> Self {
        let signer = Signer {
            access_key: "depositor-and-worker".to_owned(),
            secret_key: "only-for-tests".to_owned(),
            region: "us-east-1".to_owned(),
        };
        let credentials = Credentials {
            access_key: signer.access_key.clone(),
            secret_key: signer.secret_key.clone(),
        };
        let folder = TempDir::new().expect("folder");
        let store = EmbeddedS3::open(folder.path(), credentials).await;
        let store = store.expect("opens");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let url = format!("http://{}", listener.local_addr().expect("address"));
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            store.serve(listener, CancellationToken::new()).await;
        });
        Self::new(url, signer, Vec::new(), Some((folder, tasks)))
    }

    /// `None`, and said so, where the environment names no endpoint.
    pub(crate) fn external() -> Option<Self> {
        let Some(url) = setting("MUNIMENT_TEST_S3") else {
            skipped(
                "all cases on an external S3 endpoint",
                "MUNIMENT_TEST_S3 is not set",
            );
            return None;
        };
        let required = |name| setting(name).unwrap_or_else(|| panic!("{name} is not set"));
        let signer = Signer {
            access_key: required("MUNIMENT_TEST_S3_ACCESS_KEY"),
            secret_key: required("MUNIMENT_TEST_S3_SECRET_KEY"),
            region: setting("MUNIMENT_TEST_S3_REGION").unwrap_or_else(|| "us-east-1".to_owned()),
        };
        let lacks = setting("MUNIMENT_TEST_S3_LACKS").unwrap_or_default();
        let lacks = lacks.split(',').filter(|name| !name.is_empty());
        let ability = |name| {
            let found = Ability::NAMES.iter().find(|(known, _)| *known == name);
            found.unwrap_or_else(|| panic!("no ability {name:?}")).1
        };
        Some(Self::new(url, signer, lacks.map(ability).collect(), None))
    }

    fn new(
        url: String,
        signer: Signer,
        lacks: Vec<Ability>,
        server: Option<(TempDir, JoinSet<()>)>,
    ) -> Self {
        let keys = Keys::new(&signer.access_key, &signer.secret_key, None, None, "test");
        let config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(signer.region.clone()))
            .credentials_provider(SharedCredentialsProvider::new(keys))
            .force_path_style(true)
            .endpoint_url(&url)
            .build();
        Self {
            url,
            signer,
            lacks,
            client: aws_sdk_s3::Client::from_conf(config),
            _server: server,
        }
    }

    pub(crate) async fn create_bucket(&self, name: &str) {
        let created = self.client.create_bucket().bucket(name).send().await;
        created.expect("creates");
    }

    /// The keys of the multipart uploads that are open in the bucket.
    pub(crate) async fn open_uploads(&self, bucket: &str) -> Vec<String> {
        let listed = self.client.list_multipart_uploads().bucket(bucket).send();
        let uploads = listed.await.expect("lists").uploads.unwrap_or_default();
        let keys = uploads.into_iter().filter_map(|upload| upload.key);
        keys.collect()
    }

    /// Removes the bucket with all that is in it. A case makes few enough objects for a few pages.
    pub(crate) async fn remove_bucket(&self, name: &str) {
        let uploads = self.client.list_multipart_uploads().bucket(name);
        for upload in uploads.send().await.expect("lists").uploads() {
            let abort = self.client.abort_multipart_upload().bucket(name);
            let abort = abort.set_key(upload.key.clone());
            let aborted = abort.set_upload_id(upload.upload_id.clone()).send().await;
            aborted.expect("aborts");
        }
        loop {
            let listed = self.client.list_objects_v2().bucket(name).send().await;
            let keys = listed.expect("lists").contents.unwrap_or_default();
            let keys = keys.into_iter().filter_map(|object| object.key);
            let keys: Vec<_> = keys
                .map(|key| ObjectIdentifier::builder().key(key).build())
                .collect::<Result<_, _>>()
                .expect("keys");
            if keys.is_empty() {
                break;
            }
            let keys = Delete::builder().set_objects(Some(keys)).build();
            let delete = self.client.delete_objects().bucket(name);
            let deleted = delete.delete(keys.expect("keys")).send().await;
            assert!(deleted.expect("deletes").errors().is_empty());
        }
        let removed = self.client.delete_bucket().bucket(name).send().await;
        removed.expect("removes");
    }
}

/// Says what was not tested. Past the capture of the test harness, which hides what passing tests print.
pub(crate) fn skipped(what: &str, reason: &str) {
    writeln!(std::io::stderr(), "SKIPPED: {what}: {reason}").expect("writes");
}

#[expect(
    clippy::disallowed_methods,
    reason = "a test has no command line to be told by"
)]
fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
