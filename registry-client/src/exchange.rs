//! One request and its answer: addresses, headers, limits, repetition.
//!
//! Idempotent as far as each call is; the calls say why.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use muniment_meter::{Meter, Service};
use muniment_model::registry::Installation;
use muniment_retry::{Backoff, pause, retry};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::header::{self, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, StatusCode};
use secrecy::ExposeSecret;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio_util::sync::CancellationToken;
use url::{Url, form_urlencoded};

use crate::{ClientError, RegistrySettings};

const USER_HEADER: HeaderName = HeaderName::from_static("x-pharos-api-user");
const PREFER: HeaderName = HeaderName::from_static("prefer");
const KEY_HEADER: HeaderName = HeaderName::from_static("x-pharos-api-key");

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const FORM: HeaderValue = HeaderValue::from_static("application/x-www-form-urlencoded");

/// A page of 1,000 files with all their events is about 10 MiB; more than this is no answer to
/// anything we ask.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Four attempts within about two seconds: enough for a connection that was closed while idle and
/// for a registry that restarts behind a load balancer.
pub(crate) const BACKOFF: Backoff = Backoff {
    attempts_max: 4,
    first: Duration::from_millis(200),
    longest: Duration::from_secs(5),
};

/// Longer than this and the registry is not there.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// How long a request may take that is under way when told to stop, or made after that: many times
/// what an answer takes, and little of the time in which leases have to be released.
const STOPPING_LIMIT: Duration = Duration::from_secs(5);

/// Everything but the characters that need no escape in a path segment. The slash is escaped too,
/// so an identifier is one segment and no `..` in it can move the address.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// The registry, as its user sees it. Clones share connections and the count of calls.
#[derive(Clone, Debug)]
pub struct RegistryClient {
    http: reqwest::Client,
    base: Url,
    /// Where the paths of the API begin.
    prefix: &'static str,
    calls: Arc<AtomicU64>,
    meter: Meter,
    stop: CancellationToken,
}

/// One request, as often as it is sent.
pub(crate) struct Call {
    method: Method,
    path: String,
    query: Vec<(&'static str, String)>,
    body: Option<Vec<u8>>,
    content_type: HeaderValue,
    if_match: Option<i64>,
    /// Not to be sent back what was sent (RFC 7240 §4.2). A registry that does not know it answers in full.
    prefers_minimal: bool,
    /// A status that is an answer here although it is an error elsewhere.
    also_good: Option<StatusCode>,
}

/// What came back from a call that went well.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: Vec<u8>,
    call: String,
}

impl Call {
    pub(crate) fn get(path: impl Into<String>) -> Self {
        Self::new(Method::GET, path)
    }

    pub(crate) fn post<T: Serialize + ?Sized>(
        path: impl Into<String>,
        body: &T,
    ) -> Result<Self, ClientError> {
        Self::new(Method::POST, path).with_body(body)
    }

    pub(crate) fn put<T: Serialize + ?Sized>(
        path: impl Into<String>,
        body: &T,
    ) -> Result<Self, ClientError> {
        Self::new(Method::PUT, path).with_body(body)
    }

    /// With the fields of a form, as operators' orders have them.
    pub(crate) fn put_form(path: impl Into<String>, fields: &[(&str, &str)]) -> Self {
        let mut form = form_urlencoded::Serializer::new(String::new());
        let body = form.extend_pairs(fields).finish().into_bytes();
        Self {
            body: Some(body),
            content_type: FORM,
            ..Self::new(Method::PUT, path)
        }
    }

    fn new(method: Method, path: impl Into<String>) -> Self {
        Self {
            method,
            path: path.into(),
            query: Vec::new(),
            body: None,
            content_type: JSON,
            if_match: None,
            prefers_minimal: false,
            also_good: None,
        }
    }

    fn with_body<T: Serialize + ?Sized>(self, body: &T) -> Result<Self, ClientError> {
        match serde_json::to_vec(body) {
            Ok(body) => Ok(Self {
                body: Some(body),
                ..self
            }),
            Err(source) => Err(ClientError::Unwritable {
                call: self.name(),
                source,
            }),
        }
    }

    pub(crate) fn with_query(self, query: Vec<(&'static str, String)>) -> Self {
        Self { query, ..self }
    }

    pub(crate) fn if_match(self, version: i64) -> Self {
        Self {
            if_match: Some(version),
            ..self
        }
    }

    pub(crate) fn prefer_minimal(self) -> Self {
        Self {
            prefers_minimal: true,
            ..self
        }
    }

    pub(crate) fn or(self, status: StatusCode) -> Self {
        Self {
            also_good: Some(status),
            ..self
        }
    }

    /// What such calls are counted as: the method and the resource, without what names one of them.
    fn kind(&self) -> String {
        let resource: Vec<&str> = self.path.split('/').take(2).collect();
        format!("{} {}", self.method, resource.join("/"))
    }

    /// For messages. Without the query, whose values would only make it long.
    pub(crate) fn name(&self) -> String {
        format!("{} {}", self.method, self.path)
    }
}

impl Answer {
    /// What the answer would have been without [`Call::or`].
    pub(crate) fn into_error(self) -> ClientError {
        ClientError::from_answer(self.call, self.status, &self.body, None)
    }

    pub(crate) fn read<T: DeserializeOwned>(&self) -> Result<T, ClientError> {
        match serde_json::from_slice(&self.body) {
            Ok(read) => Ok(read),
            Err(error) => {
                tracing::warn!(call = %self.call, %error, "the registry's answer cannot be read");
                Err(ClientError::NotOurs {
                    call: self.call.clone(),
                    status: self.status.as_u16(),
                })
            }
        }
    }
}

impl RegistryClient {
    pub(crate) fn new(
        settings: &RegistrySettings,
        prefix: &'static str,
    ) -> Result<Self, ClientError> {
        let mut headers = HeaderMap::new();
        headers.insert(
            USER_HEADER,
            header_value("API user", &settings.registry_api_user)?,
        );
        let mut key = header_value("API key", settings.registry_api_key.expose_secret())?;
        key.set_sensitive(true);
        headers.insert(KEY_HEADER, key);
        headers.insert(header::ACCEPT, JSON);
        let unusable = |setting| move |_cause| ClientError::Settings { setting };
        let http = reqwest::Client::builder()
            .default_headers(headers)
            .timeout(settings.registry_timeout.into())
            .connect_timeout(CONNECT_LIMIT)
            // The registry never redirects. Following one would give our key to another service.
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(unusable("HTTP settings"))?;
        let mut base = settings.registry_url.clone();
        if base.cannot_be_a_base() || !base.has_host() {
            return Err(ClientError::Settings { setting: "URL" });
        }
        // `join` replaces what follows the last slash.
        if !base.path().ends_with('/') {
            base.set_path(&format!("{}/", base.path()));
        }
        Ok(Self {
            http,
            base,
            prefix,
            calls: Arc::new(AtomicU64::new(0)),
            meter: Meter::default(),
            stop: CancellationToken::new(),
        })
    }

    /// The same client, whose waits between tries end with `stop`, and its requests soon after.
    #[must_use]
    pub fn with_stop(&self, stop: CancellationToken) -> Self {
        Self {
            stop,
            ..self.clone()
        }
    }

    /// The same client, whose requests `meter` counts.
    #[must_use]
    pub fn metered(&self, meter: Meter) -> Self {
        Self {
            meter,
            ..self.clone()
        }
    }

    /// Requests sent so far, repetitions included, by this client and its clones.
    pub fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    /// What identifies this installation.
    pub async fn installation(&self) -> Result<Installation, ClientError> {
        self.fetch(&Call::get("installation")).await
    }

    /// The record, or `None` when the registry says that there is none.
    pub(crate) async fn fetch_if_any<T: DeserializeOwned>(
        &self,
        call: &Call,
    ) -> Result<Option<T>, ClientError> {
        match self.exchange(call).await {
            Ok(answer) => answer.read().map(Some),
            Err(ClientError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(crate) async fn fetch<T: DeserializeOwned>(&self, call: &Call) -> Result<T, ClientError> {
        self.exchange(call).await?.read()
    }

    /// Sends the call until it is answered for good.
    pub(crate) async fn exchange(&self, call: &Call) -> Result<Answer, ClientError> {
        let too_late = async {
            self.stop.cancelled().await;
            pause(STOPPING_LIMIT, &CancellationToken::new()).await;
        };
        tokio::select! {
            biased;
            answer = retry(&BACKOFF, &self.stop, || self.exchange_once(call)) => answer,
            () = too_late => Err(ClientError::Stopped { call: call.name() }),
        }
    }

    /// One try, counted.
    async fn exchange_once(&self, call: &Call) -> Result<Answer, ClientError> {
        let kind = call.kind();
        let sent = call.body.as_ref().map_or(0, Vec::len);
        let wide = |bytes| u64::try_from(bytes).unwrap_or(u64::MAX);
        self.calls.fetch_add(1, Ordering::Relaxed);
        self.meter.sent(Service::Registry, &kind, wide(sent));
        let began = Instant::now();
        let answer = self.send(call).await;
        self.meter.took(Service::Registry, &kind, began.elapsed());
        match &answer {
            Ok(answer) => {
                let received = wide(answer.body.len());
                self.meter.received(Service::Registry, &kind, received);
            }
            Err(_) => self.meter.failed(Service::Registry, &kind),
        }
        answer
    }

    async fn send(&self, call: &Call) -> Result<Answer, ClientError> {
        let url = self
            .base
            .join(&format!("{}/{}", self.prefix, call.path))
            .map_err(|_unusable| ClientError::Settings { setting: "URL" })?;
        let mut request = self.http.request(call.method.clone(), url);
        request = request.header(header::CONTENT_TYPE, &call.content_type);
        if !call.query.is_empty() {
            request = request.query(&call.query);
        }
        if let Some(version) = call.if_match {
            request = request.header(header::IF_MATCH, format!("\"{version}\""));
        }
        if call.prefers_minimal {
            request = request.header(PREFER, "return=minimal");
        }
        if let Some(body) = &call.body {
            request = request.body(body.clone());
        }
        let lost = |source| unanswered(call.name(), source);
        let response = request.send().await.map_err(lost)?;
        let status = response.status();
        let after = retry_after(response.headers());
        let body = body_of(response, call).await?;
        if status.is_success() || call.also_good == Some(status) {
            return Ok(Answer {
                status,
                body,
                call: call.name(),
            });
        }
        Err(ClientError::from_answer(call.name(), status, &body, after))
    }
}

/// Reads no more than any answer of the registry can have.
async fn body_of(mut response: reqwest::Response, call: &Call) -> Result<Vec<u8>, ClientError> {
    let mut body = Vec::new();
    loop {
        let chunk = match response.chunk().await {
            Ok(Some(chunk)) => chunk,
            Ok(None) => return Ok(body),
            Err(source) => return Err(unanswered(call.name(), source)),
        };
        if body.len() + chunk.len() > ANSWER_BYTES_MAX {
            return Err(ClientError::NotOurs {
                call: call.name(),
                status: response.status().as_u16(),
            });
        }
        body.extend_from_slice(&chunk);
    }
}

fn unanswered(call: String, source: reqwest::Error) -> ClientError {
    // A connection that could not be made cannot have carried the request.
    if source.is_connect() {
        ClientError::Unreachable { call, source }
    } else {
        ClientError::Interrupted { call, source }
    }
}

/// The number of seconds that the server asks for; the other form, a date, needs a common clock.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(header::RETRY_AFTER)?.to_str().ok()?;
    seconds.parse().ok().map(Duration::from_secs)
}

fn header_value(setting: &'static str, text: &str) -> Result<HeaderValue, ClientError> {
    HeaderValue::from_str(text).map_err(|_unusable| ClientError::Settings { setting })
}

/// An identifier as one segment of a path.
pub(crate) fn segment(identifier: &str) -> String {
    utf8_percent_encode(identifier, SEGMENT).to_string()
}

#[cfg(test)]
mod tests;
