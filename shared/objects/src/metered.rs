//! Counts each request of a client as the SDK sends it: whatever part of this crate makes it, and each
//! repetition for itself.

use std::time::Instant;

use aws_sdk_s3::config::interceptors::{
    BeforeTransmitInterceptorContextRef, FinalizerInterceptorContextRef,
};
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::BoxError;
use aws_smithy_runtime_api::client::orchestrator::Metadata;
use aws_smithy_types::config_bag::{Storable, StoreReplace};
use muniment_meter::{Meter, Service};

/// For requests that the SDK gives no name.
const UNNAMED: &str = "unnamed";

/// When the SDK began to send a request.
#[derive(Debug)]
struct SentAt(Instant);

impl Storable for SentAt {
    type Storer = StoreReplace<Self>;
}

/// A meter as an interceptor of the SDK.
#[derive(Debug)]
pub(crate) struct Metered(pub(crate) Meter);

fn kind(config: &ConfigBag) -> &str {
    config.load::<Metadata>().map_or(UNNAMED, Metadata::name)
}

impl Intercept for Metered {
    fn name(&self) -> &'static str {
        "meter"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let bytes = context.request().body().content_length().unwrap_or(0);
        self.0.sent(Service::S3, kind(config), bytes);
        config.interceptor_state().store_put(SentAt(Instant::now()));
        Ok(())
    }

    /// Of a body that is read piece by piece the promised length counts: what a reset cut off is counted
    /// too.
    fn read_after_attempt(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(SentAt(sent)) = config.load::<SentAt>() {
            self.0.took(Service::S3, kind(config), sent.elapsed());
        }
        match context.response() {
            Some(response) if !response.status().is_success() => {
                self.0.failed(Service::S3, kind(config));
            }
            // The answer to a HEAD names a length and has no body.
            Some(_) if kind(config).starts_with("Head") => {}
            Some(response) => {
                let length = response.headers().get("content-length");
                let bytes = length.and_then(|length| length.parse().ok()).unwrap_or(0);
                self.0.received(Service::S3, kind(config), bytes);
            }
            None => self.0.failed(Service::S3, kind(config)),
        }
        Ok(())
    }
}
