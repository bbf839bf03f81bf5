//! A system on a fresh folder, with an S3 client and an HTTP client that know nothing of ours.

use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
use muniment::up::instance::Instance;
use muniment::up::{Options, System};
use serde_json::Value;
use tempfile::TempDir;
use tokio::time::{interval, timeout};

/// Long enough for a busy machine; a test that reaches it has found a bag that never ends.
const ENDING_WITHIN: Duration = Duration::from_mins(2);
const LOOK_EVERY: Duration = Duration::from_millis(100);

pub(crate) const TEST_EDU: &str = "test.edu";
pub(crate) const EXAMPLE_EDU: &str = "example.edu";

pub(crate) struct Site {
    pub(crate) system: System,
    pub(crate) view: View,
    _folder: TempDir,
}

/// What a depositor and an auditor can reach.
pub(crate) struct View {
    pub(crate) s3: Client,
    pub(crate) instance: Instance,
    http: reqwest::Client,
}

impl Site {
    pub(crate) async fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let system = System::start(&Options::on(folder.path()))
            .await
            .expect("the system starts");
        let view = View::of(system.instance().clone());
        Self {
            system,
            view,
            _folder: folder,
        }
    }

    /// Stops the system, having made sure that it left nothing to do.
    pub(crate) async fn stop(self) {
        let left = self.system.work().contents().await.expect("contents");
        assert!(left.is_empty(), "work is left over: {left:?}");
        self.system.stop().await;
    }
}

impl View {
    pub(crate) fn of(instance: Instance) -> Self {
        let credentials = Credentials::new(
            &instance.s3.access_key,
            &instance.s3.secret_key,
            None,
            None,
            "test",
        );
        let config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .endpoint_url(instance.s3.endpoint.as_str())
            .region(Region::new("us-east-1"))
            .force_path_style(true)
            .credentials_provider(credentials)
            .build();
        Self {
            s3: Client::from_conf(config),
            instance,
            http: reqwest::Client::new(),
        }
    }

    pub(crate) fn receiving(&self, institution: &str) -> String {
        self.instance
            .institutions
            .iter()
            .find(|known| known.identifier == institution)
            .expect("an institution")
            .receiving_bucket
            .as_str()
            .to_owned()
    }

    pub(crate) async fn deposit(&self, institution: &str, key: &str, tar: Vec<u8>) {
        self.put(&self.receiving(institution), key, tar).await;
    }

    pub(crate) async fn put(&self, bucket: &str, key: &str, bytes: Vec<u8>) {
        self.s3
            .put_object()
            .bucket(bucket)
            .key(key)
            .body(bytes.into())
            .send()
            .await
            .expect("uploads");
    }

    /// The newest work item of a key, once it has ended or waits for an operator.
    pub(crate) async fn ending_of(&self, key: &str) -> Value {
        self.ending_after(key, 0).await
    }

    /// The same, of an item newer than `id`.
    pub(crate) async fn ending_after(&self, key: &str, id: i64) -> Value {
        let mut ticks = interval(LOOK_EVERY);
        let path = format!("items?name={}&sort=id__desc&per_page=1", encoded(key));
        let mut last = Value::Null;
        let waited = timeout(ENDING_WITHIN, async {
            loop {
                ticks.tick().await;
                last = self.rest(&path).await["results"][0].clone();
                let status = last["status"].as_str().unwrap_or_default();
                let is_over = !matches!(status, "" | "Pending" | "Started");
                if is_over && last["id"].as_i64() > Some(id) {
                    return;
                }
            }
        })
        .await;
        assert!(waited.is_ok(), "{key} does not end: {last:#}");
        last
    }

    /// What the registry's admin API answers, which must be well.
    pub(crate) async fn rest(&self, path: &str) -> Value {
        let registry = &self.instance.registry;
        let url = format!("{}admin-api/v3/{path}", registry.url);
        let answer = self
            .http
            .get(&url)
            .header("X-Pharos-API-User", &registry.user)
            .header("X-Pharos-API-Key", &registry.api_key)
            .send()
            .await
            .expect("an answer");
        assert!(answer.status().is_success(), "{url}: {}", answer.status());
        answer.json().await.expect("JSON")
    }

    pub(crate) async fn keys(&self, bucket: &str) -> Vec<String> {
        let mut pages = self
            .s3
            .list_objects_v2()
            .bucket(bucket)
            .into_paginator()
            .send();
        let mut keys = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.expect("a page");
            keys.extend(page.contents().iter().filter_map(|one| one.key.clone()));
        }
        keys
    }

    /// All objects in all preservation buckets.
    pub(crate) async fn preserved(&self) -> Vec<String> {
        let mut keys = Vec::new();
        for bucket in self.instance.preservation_buckets.values() {
            keys.extend(self.keys(bucket.as_str()).await);
        }
        keys
    }

    pub(crate) async fn staged(&self) -> Vec<String> {
        self.keys(self.instance.staging_bucket.as_str()).await
    }
}

/// For a path as well as for a query.
pub(crate) fn encoded(text: &str) -> String {
    let form: String = url::form_urlencoded::byte_serialize(text.as_bytes()).collect();
    form.replace('+', "%20")
}
