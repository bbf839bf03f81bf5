//! The two clients, and one question at a time.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region, StalledStreamProtectionConfig};
use aws_sdk_s3::operation::get_object::{GetObjectError, GetObjectOutput};
use muniment_digest::FanOut;
use muniment_model::{BucketName, Digests};
use reqwest::{Method, StatusCode};
use secrecy::ExposeSecret;
use serde_json::Value;

use crate::{ObserverError, Site};

/// How long one answer may take. A busy machine takes seconds; this is far more, so that only a request
/// that is lost ends by it.
const ANSWER_LIMIT: Duration = Duration::from_mins(2);
/// How long a body may stay without a byte. The SDK's own 5 s are too few for a busy store.
const STALL_GRACE: Duration = Duration::from_mins(1);
/// The largest object that is read into memory: far more than the deposit record of a bag in a test.
const IN_MEMORY_BYTES_MAX: i64 = 256 << 20;

/// A depositor's and an auditor's view of one installation.
#[derive(Debug)]
pub struct Observer {
    site: Site,
    s3: Client,
    http: reqwest::Client,
}

/// An object of S3, read to its end.
#[derive(Clone, Debug)]
pub struct Stored {
    pub content_type: Option<String>,
    pub metadata: HashMap<String, String>,
    pub size: u64,
    pub digests: Digests,
}

impl Observer {
    /// Opens no connection: the first question does.
    pub fn new(site: Site) -> Result<Self, ObserverError> {
        let http = reqwest::Client::builder()
            .timeout(ANSWER_LIMIT)
            .build()
            .map_err(ObserverError::HttpClient)?;
        Ok(Self {
            s3: s3_client(&site),
            http,
            site,
        })
    }

    pub fn site(&self) -> &Site {
        &self.site
    }

    /// What the registry's admin API answers to a GET of this path and query.
    pub async fn rest(&self, path: &str) -> Result<Value, ObserverError> {
        self.ask(Method::GET, path, "").await
    }

    /// What an operator orders: a PUT of a form to the registry's admin API, such as `items/cancel/7`.
    pub async fn order(&self, path: &str, form: &'static str) -> Result<Value, ObserverError> {
        self.ask(Method::PUT, path, form).await
    }

    async fn ask(
        &self,
        method: Method,
        path: &str,
        form: &'static str,
    ) -> Result<Value, ObserverError> {
        let (url, answer) = self.send(method, path, form).await?;
        if !answer.status().is_success() {
            let status = answer.status().as_u16();
            return Err(ObserverError::Status { url, status });
        }
        let body = answer.json().await;
        body.map_err(|source| ObserverError::NoAnswer { url, source })
    }

    /// The object of this identifier; `None` when the registry has none.
    pub async fn object(&self, identifier: &str) -> Result<Option<Value>, ObserverError> {
        let path = format!("objects/show/{}", encoded(identifier));
        self.rest_if_any(&path).await
    }

    /// The file of this identifier, with its digests, copies and events.
    pub async fn file(&self, identifier: &str) -> Result<Option<Value>, ObserverError> {
        let path = format!("files/show/{}", encoded(identifier));
        self.rest_if_any(&path).await
    }

    async fn rest_if_any(&self, path: &str) -> Result<Option<Value>, ObserverError> {
        match self.rest(path).await {
            Ok(found) => Ok(Some(found)),
            Err(ObserverError::Status { status, .. }) if status == StatusCode::NOT_FOUND => {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        form: &'static str,
    ) -> Result<(String, reqwest::Response), ObserverError> {
        let registry = &self.site.registry;
        let base = registry.url.as_str().trim_end_matches('/');
        let url = format!("{base}/admin-api/v3/{path}");
        let sent = self
            .http
            .request(method, &url)
            .header("X-Pharos-API-User", &registry.user)
            .header("X-Pharos-API-Key", registry.api_key.expose_secret())
            .body(form)
            .send()
            .await;
        match sent {
            Ok(answer) => Ok((url, answer)),
            Err(source) => Err(ObserverError::NoAnswer { url, source }),
        }
    }

    /// Reads an object and takes its digests; `None` when there is none.
    pub async fn stored(
        &self,
        bucket: &BucketName,
        key: &str,
    ) -> Result<Option<Stored>, ObserverError> {
        let Some(mut found) = self.open(bucket, key).await? else {
            return Ok(None);
        };
        let broken = |source| ObserverError::Body {
            bucket: bucket.clone(),
            key: key.to_owned(),
            source,
        };
        let mut fan_out = FanOut::new();
        let mut size = 0;
        while let Some(bytes) = found.body.try_next().await.map_err(broken)? {
            size += bytes.len() as u64;
            fan_out.update(&bytes);
        }
        Ok(Some(Stored {
            content_type: found.content_type,
            metadata: found.metadata.unwrap_or_default(),
            size,
            digests: fan_out.finish(),
        }))
    }

    /// Reads an object of no more than 256 MiB into memory; `None` when there is none.
    pub async fn bytes(
        &self,
        bucket: &BucketName,
        key: &str,
    ) -> Result<Option<Vec<u8>>, ObserverError> {
        let Some(found) = self.open(bucket, key).await? else {
            return Ok(None);
        };
        if found
            .content_length
            .is_none_or(|size| size > IN_MEMORY_BYTES_MAX)
        {
            return Err(ObserverError::TooLarge {
                bucket: bucket.clone(),
                key: key.to_owned(),
            });
        }
        match found.body.collect().await {
            Ok(bytes) => Ok(Some(bytes.to_vec())),
            Err(source) => Err(ObserverError::Body {
                bucket: bucket.clone(),
                key: key.to_owned(),
                source,
            }),
        }
    }

    async fn open(
        &self,
        bucket: &BucketName,
        key: &str,
    ) -> Result<Option<GetObjectOutput>, ObserverError> {
        let get = self.s3.get_object().bucket(bucket.as_str()).key(key);
        match get.send().await {
            Ok(found) => Ok(Some(found)),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(GetObjectError::is_no_such_key) =>
            {
                Ok(None)
            }
            Err(error) => Err(ObserverError::s3("read", bucket, key, error)),
        }
    }

    /// All keys of a bucket that begin with `prefix`.
    pub async fn keys(
        &self,
        bucket: &BucketName,
        prefix: &str,
    ) -> Result<Vec<String>, ObserverError> {
        let list = self.s3.list_objects_v2();
        let list = list.bucket(bucket.as_str()).prefix(prefix);
        let mut pages = list.into_paginator().send();
        let mut keys = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| ObserverError::s3("list", bucket, prefix, error))?;
            keys.extend(
                page.contents
                    .unwrap_or_default()
                    .into_iter()
                    .filter_map(|one| one.key),
            );
        }
        Ok(keys)
    }

    /// The keys of the multipart uploads that are open in a bucket, parts without an object: the first
    /// thousand.
    pub async fn open_uploads(&self, bucket: &BucketName) -> Result<Vec<String>, ObserverError> {
        let list = self.s3.list_multipart_uploads().bucket(bucket.as_str());
        match list.send().await {
            Ok(page) => {
                let open = page.uploads.unwrap_or_default().into_iter();
                Ok(open.filter_map(|one| one.key).collect())
            }
            Err(error) => Err(ObserverError::s3("list", bucket, "", error)),
        }
    }

    /// The keys in all preservation buckets.
    pub async fn preserved_keys(&self) -> Result<Vec<String>, ObserverError> {
        let mut keys = Vec::new();
        for bucket in self.site.preservation_buckets.values() {
            keys.extend(self.keys(bucket, "").await?);
        }
        Ok(keys)
    }

    /// The keys in the staging bucket.
    pub async fn staged_keys(&self) -> Result<Vec<String>, ObserverError> {
        self.keys(&self.site.staging_bucket, "").await
    }

    pub async fn create_bucket(&self, bucket: &BucketName) -> Result<(), ObserverError> {
        let create = self.s3.create_bucket().bucket(bucket.as_str());
        match create.send().await {
            Ok(_created) => Ok(()),
            Err(error) => Err(ObserverError::s3("create", bucket, "", error)),
        }
    }

    /// Loses an object, as a store may.
    pub async fn lose(&self, bucket: &BucketName, key: &str) -> Result<(), ObserverError> {
        let delete = self.s3.delete_object().bucket(bucket.as_str()).key(key);
        match delete.send().await {
            Ok(_deleted) => Ok(()),
            Err(error) => Err(ObserverError::s3("delete", bucket, key, error)),
        }
    }

    /// Flips the last bit of an object's first byte, as a store may; without a byte it stays.
    pub async fn flip_a_bit(&self, bucket: &BucketName, key: &str) -> Result<(), ObserverError> {
        let mut bytes = self.bytes(bucket, key).await?.unwrap_or_default();
        if let Some(first) = bytes.first_mut() {
            *first ^= 1;
            self.put(bucket, key, bytes).await?;
        }
        Ok(())
    }

    pub async fn put(
        &self,
        bucket: &BucketName,
        key: &str,
        bytes: Vec<u8>,
    ) -> Result<(), ObserverError> {
        let put = self.s3.put_object().bucket(bucket.as_str()).key(key);
        match put.body(bytes.into()).send().await {
            Ok(_stored) => Ok(()),
            Err(error) => Err(ObserverError::s3("take", bucket, key, error)),
        }
    }
}

fn s3_client(site: &Site) -> Client {
    let access = &site.s3;
    let credentials = Credentials::new(
        access.access_key.expose_secret(),
        access.secret_key.expose_secret(),
        None,
        None,
        "site",
    );
    let timeouts = TimeoutConfig::builder().read_timeout(ANSWER_LIMIT).build();
    let stalls = StalledStreamProtectionConfig::enabled().grace_period(STALL_GRACE);
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .endpoint_url(access.endpoint.as_str())
        .region(Region::new(access.region.clone()))
        .force_path_style(true)
        .credentials_provider(credentials)
        .timeout_config(timeouts)
        .stalled_stream_protection(stalls.build())
        .build();
    Client::from_conf(config)
}

/// For a path as well as for a query.
pub(crate) fn encoded(text: &str) -> String {
    let form: String = url::form_urlencoded::byte_serialize(text.as_bytes()).collect();
    form.replace('+', "%20")
}
