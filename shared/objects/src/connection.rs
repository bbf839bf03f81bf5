//! One S3 client per endpoint and credentials, and how every request goes through it: behind the
//! gate, with a time limit, repeated while that helps.
//!
//! The SDK's own retries are off, so that there is one retry layer. Bodies are not signed over
//! TLS, which protects them already; over plain HTTP they are.

use std::error::Error;
use std::future::Future;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{
    BehaviorVersion, Credentials, Region, ResponseChecksumValidation, SharedCredentialsProvider,
    StalledStreamProtectionConfig,
};
use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use muniment_meter::Meter;
use muniment_model::{BucketAddress, BucketName};
use muniment_retry::{Backoff, retry};
use secrecy::{ExposeSecret, SecretString};
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::answer::{Condition, SdkResult, error_of};
use crate::budget::ByteBudget;
use crate::error::{ObjectAddress, Resource, StorageError};
use crate::gate::{Gate, Outcome};
use crate::metered::Metered;
use crate::open_upload::{LEFT_OPEN_MAX, LeftOpenUpload};
use crate::path_style::PathStyle;

/// Eight attempts within some 16 s. While a store answers 30 % of requests with 503, one request in
/// 15,000 fails eight times; with fewer attempts most large jobs would go back to the queue. A
/// store that asks for more than 5 s is left alone: the queue waits better than a job.
pub(crate) const BACKOFF: Backoff = Backoff {
    attempts_max: 8,
    first: Duration::from_millis(200),
    longest: Duration::from_secs(5),
};

/// After so many resets in a row, at the end of the attempts, the endpoint may be away: a few are what
/// a busy network does.
const RESETS_MAX: u32 = 3;

/// A store in the same region answers a connection in milliseconds.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// How long a stream may bring no byte. The SDK's 5 s kills healthy uploads while a store is busy.
const STALL_GRACE: Duration = Duration::from_secs(30);

/// The slowest transfer of a body that is not given up.
const SLOWEST_BODY: u64 = 256 * 1024;

/// The slowest copy within the store that is not given up: a fifth of what S3 does.
const SLOWEST_COPY: u64 = 16 * 1024 * 1024;

/// Where a store listens and how it knows us.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// `None`: the endpoint of AWS for the region.
    pub url: Option<Url>,
    pub region: String,
    pub access_key: SecretString,
    pub secret_key: SecretString,
}

impl Endpoint {
    /// Host and port, or the region of AWS.
    fn name(&self) -> String {
        let address = self.url.as_ref().and_then(|url| {
            let port = url.port_or_known_default()?;
            Some(format!("{}:{port}", url.host_str()?))
        });
        address.unwrap_or_else(|| format!("AWS {}", self.region))
    }

    fn is_same(&self, other: &Self) -> bool {
        self.url == other.url
            && self.region == other.region
            && self.access_key.expose_secret() == other.access_key.expose_secret()
            && self.secret_key.expose_secret() == other.secret_key.expose_secret()
    }
}

/// The endpoints that one process speaks to, each shared by all buckets with the same address and
/// credentials, and the meter of the worker that connects through this value.
#[derive(Clone, Debug, Default)]
pub struct Connections {
    stop: CancellationToken,
    budget: ByteBudget,
    meter: Meter,
    made: Arc<Mutex<Vec<Known>>>,
}

/// An endpoint, and what is shared by those who speak to it.
type Known = (Endpoint, Arc<Shared>);

impl Connections {
    /// `stop` ends every wait between attempts; requests under way go on to their end.
    pub fn new(stop: CancellationToken) -> Self {
        Self {
            stop,
            ..Self::default()
        }
    }

    /// The bytes that all clients of the process, and those who use them, may hold together.
    pub fn budget(&self) -> &ByteBudget {
        &self.budget
    }

    /// The same, whose requests `meter` counts.
    #[must_use]
    pub fn metered(&self, meter: Meter) -> Self {
        Self {
            meter,
            ..self.clone()
        }
    }

    pub(crate) fn to(&self, endpoint: &Endpoint) -> Connection {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let known = made.iter().find(|(known, _)| known.is_same(endpoint));
        let shared = if let Some((_, shared)) = known {
            Arc::clone(shared)
        } else {
            let shared = Shared::new(endpoint, self.stop.clone(), self.budget.clone());
            let shared = Arc::new(shared);
            made.push((endpoint.clone(), Arc::clone(&shared)));
            shared
        };
        let metered = shared.config.to_builder();
        let metered = metered.interceptor(Metered(self.meter.clone()));
        Connection {
            client: aws_sdk_s3::Client::from_conf(metered.build()),
            shared,
        }
    }
}

/// A worker's client, and what every request to its endpoint shares. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Connection {
    client: aws_sdk_s3::Client,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    /// Of every client: they share its HTTP connections.
    config: aws_sdk_s3::Config,
    url: Option<Url>,
    name: String,
    gate: Gate,
    left_open: Mutex<Vec<LeftOpenUpload>>,
    budget: ByteBudget,
    stop: CancellationToken,
}

impl Shared {
    fn new(endpoint: &Endpoint, stop: CancellationToken, budget: ByteBudget) -> Self {
        let credentials = Credentials::new(
            endpoint.access_key.expose_secret(),
            endpoint.secret_key.expose_secret(),
            None,
            None,
            "settings",
        );
        let http = aws_smithy_http_client::Builder::new()
            .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
            .build_https();
        let mut config = aws_sdk_s3::Config::builder()
            .http_client(http)
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(endpoint.region.clone()))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .force_path_style(true)
            .retry_config(RetryConfig::disabled())
            .timeout_config(
                TimeoutConfig::builder()
                    .connect_timeout(CONNECT_LIMIT)
                    .build(),
            )
            .stalled_stream_protection(
                StalledStreamProtectionConfig::enabled()
                    .grace_period(STALL_GRACE)
                    .build(),
            )
            // A range of an object has no checksum of its own. Whole objects ask for theirs.
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired);
        if let Some(url) = &endpoint.url {
            config = config.endpoint_resolver(PathStyle::at(url));
        }
        Self {
            config: config.build(),
            url: endpoint.url.clone(),
            name: endpoint.name(),
            gate: Gate::new(),
            left_open: Mutex::default(),
            budget,
            stop,
        }
    }
}

impl Connection {
    pub(crate) fn client(&self) -> &aws_sdk_s3::Client {
        &self.client
    }

    pub(crate) fn budget(&self) -> &ByteBudget {
        &self.shared.budget
    }

    pub(crate) fn stop(&self) -> &CancellationToken {
        &self.shared.stop
    }

    /// Remembers an upload that was dropped on the way. Beyond [`LEFT_OPEN_MAX`] the oldest are
    /// left to the next upload to their keys.
    pub(crate) fn remember(&self, upload: LeftOpenUpload) {
        let mut left_open = self.left_open();
        if left_open.len() >= LEFT_OPEN_MAX {
            left_open.remove(0);
        }
        left_open.push(upload);
    }

    /// Gives away what is remembered of a bucket.
    pub(crate) fn forget_left_open(&self, bucket: &BucketName) -> Vec<LeftOpenUpload> {
        let mut left_open = self.left_open();
        left_open
            .extract_if(.., |upload| upload.bucket == *bucket)
            .collect()
    }

    fn left_open(&self) -> MutexGuard<'_, Vec<LeftOpenUpload>> {
        let left_open = self.shared.left_open.lock();
        left_open.unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn resource(&self) -> Resource {
        Resource::Endpoint(self.shared.name.clone())
    }

    /// What a bucket of the store is called in errors.
    pub(crate) fn address_of(&self, bucket: &BucketName) -> Arc<BucketAddress> {
        Arc::new(BucketAddress {
            endpoint: self.shared.name.clone(),
            bucket: bucket.clone(),
        })
    }

    pub(crate) fn is_over_tls(&self) -> bool {
        self.shared
            .url
            .as_ref()
            .is_none_or(|url| url.scheme() == "https")
    }

    /// Whether the store behind both is one, so that it can copy between their buckets by itself.
    /// Regions of AWS are one store in this sense; credentials are not compared, because a store
    /// that lets us copy decides by the credentials of the target.
    pub(crate) fn is_one_store_with(&self, other: &Self) -> bool {
        self.shared.url == other.shared.url
    }

    /// Sends a request, and reads no body, until it succeeds or repeating it does not help.
    pub(crate) async fn send<T, E, F>(
        &self,
        resource: &Resource,
        limit: Duration,
        condition: Condition,
        request: impl Fn(&aws_sdk_s3::Client) -> F,
    ) -> Result<T, StorageError>
    where
        F: Future<Output = SdkResult<T, E>>,
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        self.call(resource, limit, || async {
            let answer = request(self.client()).await;
            answer.map_err(|error| error_of(error, resource, condition))
        })
        .await
    }

    /// Makes an exchange until it succeeds or repeating it does not help.
    pub(crate) async fn call<T, F>(
        &self,
        resource: &Resource,
        limit: Duration,
        exchange: impl FnMut() -> F,
    ) -> Result<T, StorageError>
    where
        F: Future<Output = Result<T, StorageError>>,
    {
        self.call_until(&self.shared.stop, resource, limit, exchange)
            .await
    }

    /// As [`Self::call`], with a stop of the caller.
    pub(crate) async fn call_until<T, F>(
        &self,
        stop: &CancellationToken,
        resource: &Resource,
        limit: Duration,
        mut exchange: impl FnMut() -> F,
    ) -> Result<T, StorageError>
    where
        F: Future<Output = Result<T, StorageError>>,
    {
        let resets = AtomicU32::new(0);
        let made = retry(&BACKOFF, stop, || {
            // Boxed, because the SDK's futures are large and every caller would grow by them.
            let once = self.once(resource, limit, Box::pin(exchange()));
            count_resets(&resets, once)
        })
        .await;
        match made {
            Err(StorageError::Reset { source, .. })
                if resets.into_inner() >= RESETS_MAX && !self.is_answering(resource).await =>
            {
                Err(StorageError::Unreachable {
                    resource: resource.clone(),
                    source,
                })
            }
            made => made,
        }
    }

    /// Whether the endpoint answers anything at all. It is asked when a request was reset again and
    /// again: a request that always breaks its connection has to count as an attempt, or its job
    /// would never end, and a balancer whose back end is dead must not.
    async fn is_answering(&self, resource: &Resource) -> bool {
        let client = self.client();
        let probe = async {
            match resource {
                Resource::Object(ObjectAddress { bucket, .. }) | Resource::Bucket(bucket) => {
                    let head = client.head_bucket().bucket(bucket.bucket.as_str());
                    let head = head.send().await;
                    head.map_or_else(|error| error.raw_response().is_some(), |_| true)
                }
                Resource::Endpoint(_) => {
                    let list = client.list_buckets().send().await;
                    list.map_or_else(|error| error.raw_response().is_some(), |_| true)
                }
            }
        };
        let answered = tokio::time::timeout(Limit::ANSWER, Box::pin(probe)).await;
        answered.unwrap_or(false)
    }

    /// Makes a request once, behind the gate and within `limit`.
    pub(crate) async fn once<T>(
        &self,
        resource: &Resource,
        limit: Duration,
        request: impl Future<Output = Result<T, StorageError>>,
    ) -> Result<T, StorageError> {
        let permit = self.shared.gate.enter().await;
        let result = within(limit, resource, request).await;
        permit.leave(match &result {
            Ok(_) => Outcome::Taken,
            Err(error) => error.load(),
        });
        result
    }
}

/// Counts how often in a row a connection broke before an answer.
async fn count_resets<T>(
    resets: &AtomicU32,
    request: impl Future<Output = Result<T, StorageError>>,
) -> Result<T, StorageError> {
    let made = request.await;
    if let Err(StorageError::Reset { .. }) = made {
        resets.fetch_add(1, Ordering::Relaxed);
    } else {
        resets.store(0, Ordering::Relaxed);
    }
    made
}

/// Makes a request that must have its answer within `limit`.
pub(crate) async fn within<T>(
    limit: Duration,
    resource: &Resource,
    request: impl Future<Output = Result<T, StorageError>>,
) -> Result<T, StorageError> {
    match tokio::time::timeout(limit, request).await {
        Ok(result) => result,
        // Silence is an outage, not an attempt: a store that answers nothing must not use up
        // the attempts of every bag on its way.
        Err(elapsed) => Err(StorageError::Silent {
            resource: resource.clone(),
            source: elapsed.into(),
        }),
    }
}

/// The time limits of one attempt.
pub(crate) struct Limit;

impl Limit {
    /// For a request without a body.
    pub(crate) const ANSWER: Duration = Duration::from_secs(30);

    /// For a request that carries `size` bytes, in either direction.
    pub(crate) fn body(size: u64) -> Duration {
        Self::ANSWER + Duration::from_secs(size / SLOWEST_BODY)
    }

    /// For a request that makes the store copy or assemble `size` bytes.
    pub(crate) fn copy(size: u64) -> Duration {
        Self::ANSWER + Duration::from_secs(size / SLOWEST_COPY)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(url: &str, key: &str) -> Endpoint {
        Endpoint {
            url: Some(url.parse().expect("url")),
            region: "us-east-1".to_owned(),
            access_key: key.into(),
            secret_key: "secret".into(),
        }
    }

    #[test]
    fn equal_endpoints_and_credentials_share_a_client() {
        let connections = Connections::default();

        let first = connections.to(&endpoint("http://127.0.0.1:9", "a"));
        let same = connections.to(&endpoint("http://127.0.0.1:9", "a"));
        let other_key = connections.to(&endpoint("http://127.0.0.1:9", "b"));
        let other_store = connections.to(&endpoint("http://127.0.0.1:8", "a"));

        assert!(Arc::ptr_eq(&first.shared, &same.shared));
        assert!(!Arc::ptr_eq(&first.shared, &other_key.shared));
        assert!(first.is_one_store_with(&other_key));
        assert!(!first.is_one_store_with(&other_store));
    }

    #[test]
    fn bodies_are_signed_unless_tls_protects_them() {
        let connections = Connections::default();
        let aws = Endpoint {
            url: None,
            ..endpoint("http://127.0.0.1:9", "a")
        };
        let rows = [
            (endpoint("http://127.0.0.1:9", "a"), false),
            (endpoint("https://s3.us-east-1.example.org", "a"), true),
            (aws, true),
        ];

        for (endpoint, expected) in rows {
            let connection = connections.to(&endpoint);

            assert_eq!(connection.is_over_tls(), expected, "{endpoint:?}");
        }
    }
}
