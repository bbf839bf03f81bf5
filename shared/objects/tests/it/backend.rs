//! The S3 servers that the suite runs on: the embedded endpoint, and `SeaweedFS`, which is not ours.

use aws_sdk_s3::config::{BehaviorVersion, Credentials as Keys, Region, SharedCredentialsProvider};
use aws_sdk_s3::types::{Delete, ObjectIdentifier};
use muniment_embedded_s3::{Credentials, EmbeddedS3};
use muniment_seaweedfs::SeaweedFs;
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

/// What answers, for as long as the back end is in use.
enum Server {
    Embedded {
        _folder: TempDir,
        _serving: JoinSet<()>,
    },
    SeaweedFs(#[expect(dead_code, reason = "it is killed when it is dropped")] SeaweedFs),
}

pub(crate) struct Backend {
    pub(crate) url: String,
    pub(crate) signer: Signer,
    client: aws_sdk_s3::Client,
    _server: Server,
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
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            store.serve(listener, CancellationToken::new()).await;
        });
        let server = Server::Embedded {
            _folder: folder,
            _serving: serving,
        };
        Self::new(url, signer, server)
    }

    pub(crate) async fn seaweedfs() -> Self {
        let server = SeaweedFs::start().await.expect("starts");
        let signer = Signer {
            access_key: muniment_seaweedfs::ACCESS_KEY.to_owned(),
            secret_key: muniment_seaweedfs::SECRET_KEY.to_owned(),
            region: "us-east-1".to_owned(),
        };
        Self::new(server.url(), signer, Server::SeaweedFs(server))
    }

    fn new(url: String, signer: Signer, server: Server) -> Self {
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
