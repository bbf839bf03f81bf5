//! What is looked at before a request reaches `s3s`: what it signs for, how long, and with what range.
//!
//! It answers as S3 does where `s3s` answers otherwise or not at all, and logs every refusal with its
//! reason. Looks only, so a request may be repeated.

mod chunks;
mod scope;

use std::collections::HashSet;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, RANGE};
use http::{HeaderMap, Method, Request, Response, StatusCode, Uri};
use hyper::body::Incoming;
use hyper::service::Service;
use s3s::service::S3Service;
use s3s::{Body, HttpError};
use tracing::info;

use crate::service::Accepted;
use scope::Scope;

/// The longest that a presigned URL may be good for: 7 days, as on S3.
const PRESIGNED_SECONDS_MAX: u64 = 7 * 24 * 60 * 60;
/// What a client without a region is told to use. S3 clients take it for the default themselves.
const DEFAULT_REGION: &str = "us-east-1";
/// How much of a refusal is logged: code and message stand first.
const REASON_BYTES_MAX: usize = 300;

/// `s3s` with these questions before it.
#[derive(Clone)]
pub(crate) struct Front {
    service: S3Service,
    /// Those that requests may be signed for; every one when there are none.
    regions: Arc<HashSet<String>>,
}

/// Why a request goes no further.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Refused {
    Region,
    Expires,
}

impl Front {
    pub(crate) fn new(service: S3Service, regions: HashSet<String>) -> Self {
        Self {
            service,
            regions: Arc::new(regions),
        }
    }

    fn check(&self, headers: &HeaderMap, uri: &Uri) -> Result<(), Refused> {
        let Some(scope) = Scope::of(headers, uri) else {
            // `s3s` refuses what is not signed, and what it cannot read.
            return Ok(());
        };
        if !self.regions.is_empty() && !self.regions.contains(&scope.region) {
            return Err(Refused::Region);
        }
        if scope
            .expires
            .is_some_and(|seconds| seconds > PRESIGNED_SECONDS_MAX)
        {
            return Err(Refused::Expires);
        }
        Ok(())
    }

    async fn answer(self, request: Request<Incoming>) -> Result<Response<Body>, HttpError> {
        let (mut head, body) = request.into_parts();
        let (method, path) = (head.method.clone(), head.uri.path().to_owned());
        let answer = if let Err(refused) = self.check(&head.headers, &head.uri) {
            refused.answer()
        } else {
            ignore_bad_range(&head.method, &mut head.headers);
            let whole = chunks::to_the_last(&head.headers, Body::from(body));
            let mut answer = self.service.call(Request::from_parts(head, whole)).await?;
            if answer.extensions().get::<Accepted>().is_some() {
                *answer.status_mut() = StatusCode::ACCEPTED;
            }
            answer
        };
        log_refusal(&method, &path, &answer);
        Ok(answer)
    }
}

impl Service<Request<Incoming>> for Front {
    type Response = Response<Body>;
    type Error = HttpError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, HttpError>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        Box::pin(self.clone().answer(request))
    }
}

impl Refused {
    fn answer(&self) -> Response<Body> {
        let text = match self {
            // Clients read the region out of it and ask again with that.
            Self::Region => format!(
                "<Code>AuthorizationHeaderMalformed</Code><Message>The authorization is for a \
                 region that is not here; expecting '{DEFAULT_REGION}'</Message>\
                 <Region>{DEFAULT_REGION}</Region>"
            ),
            Self::Expires => "<Code>AuthorizationQueryParametersError</Code><Message>\
                 X-Amz-Expires must be less than a week (in seconds); that is 604800</Message>"
                .to_owned(),
        };
        let declaration = r#"<?xml version="1.0" encoding="UTF-8"?>"#;
        let body = format!("{declaration}<Error>{text}</Error>");
        let mut answer = Response::new(Body::from(body));
        *answer.status_mut() = StatusCode::BAD_REQUEST;
        let xml = http::HeaderValue::from_static("application/xml");
        answer.headers_mut().insert(CONTENT_TYPE, xml);
        answer
    }
}

/// S3 answers the whole object when it cannot read the range. One that was signed has to stay for the
/// signature to be right, and is refused.
fn ignore_bad_range(method: &Method, headers: &mut HeaderMap) {
    let reads = method == Method::GET || method == Method::HEAD;
    let Some(range) = headers.get(RANGE).filter(|_| reads) else {
        return;
    };
    let is_good = range
        .to_str()
        .is_ok_and(|text| s3s::dto::Range::parse(text).is_ok());
    let signed = headers
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok());
    if !is_good && !signed.is_some_and(scope::signs_range) {
        headers.remove(RANGE);
    }
}

/// Not what is merely not there, or as the client hoped that it would not be.
fn log_refusal(method: &Method, path: &str, answer: &Response<Body>) {
    let status = answer.status();
    let is_usual = matches!(
        status,
        StatusCode::NOT_MODIFIED | StatusCode::NOT_FOUND | StatusCode::PRECONDITION_FAILED
    );
    if is_usual || !(status.is_client_error() || status.is_server_error()) {
        return;
    }
    let reason = answer.body().bytes().unwrap_or_default();
    let reason = reason.slice(..reason.len().min(REASON_BYTES_MAX));
    info!(%method, path, status = status.as_u16(), reason = text(&reason), "a request was refused");
}

fn text(reason: &Bytes) -> String {
    String::from_utf8_lossy(reason).into_owned()
}

#[cfg(test)]
mod tests;
