//! What can go wrong between us and the registry, and whether asking again can help.

use std::time::Duration;

use muniment_model::registry::ErrorBody;
use muniment_model::{Class, Classify, Dependency};
use muniment_retry::{Again, Retryable};
use reqwest::StatusCode;

#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// A setting cannot be used: an address without host, a user or key that no header can hold.
    #[error("the registry's {setting} cannot be used")]
    Settings { setting: &'static str },
    /// No connection: refused, no such host, no route.
    #[error("no connection to the registry for {call}")]
    Unreachable {
        call: String,
        source: reqwest::Error,
    },
    /// The connection broke or the answer took too long. The request may have been carried out.
    #[error("no complete answer from the registry to {call}")]
    Interrupted {
        call: String,
        source: reqwest::Error,
    },
    /// Told to stop, and the registry still had not answered a while later. The request may have been
    /// carried out.
    #[error("told to stop while the registry did not answer {call}")]
    Stopped { call: String },
    /// 429.
    #[error("the registry asked us to slow down at {call}")]
    Throttled {
        call: String,
        after: Option<Duration>,
    },
    /// 502, 503, 504: something in front of the registry, or itself, is not ready.
    #[error("the registry is not available for {call} (status {status})")]
    Unavailable {
        call: String,
        status: u16,
        after: Option<Duration>,
    },
    /// 507.
    #[error("the registry has no room for {call}: its disk is full")]
    DiskFull { call: String },
    /// 401, 403.
    #[error("the registry refused our credentials at {call} (status {status})")]
    Denied { call: String, status: u16 },
    /// Not an answer of the registry: a proxy's page, another service, a body that is too long or
    /// not what was asked for.
    #[error("the answer to {call} is not the registry's (status {status})")]
    NotOurs { call: String, status: u16 },
    /// 500 and what else a server blames itself for.
    #[error("the registry failed at {call} (status {status}: {message})")]
    Failed {
        call: String,
        status: u16,
        message: String,
    },
    /// The registry itself says that there is no such record.
    #[error("the registry has no such record for {call}")]
    NotFound { call: String },
    /// 409: it contradicts what is recorded.
    #[error("the registry refused {call}: {message}")]
    Conflict { call: String, message: String },
    /// 412: another process has updated the record since we read it.
    #[error("another process has updated the record of {call}")]
    VersionConflict { call: String },
    /// 400 and its like: the request is wrong, and the fault is ours.
    #[error("the registry rejected {call} (status {status}: {message})")]
    Rejected {
        call: String,
        status: u16,
        message: String,
    },
    /// More pages than any such list can have.
    #[error("the list of {call} does not end")]
    Endless { call: String },
    /// A body of ours that JSON cannot hold.
    #[error("could not write the request for {call}")]
    Unwritable {
        call: String,
        source: serde_json::Error,
    },
}

impl ClientError {
    /// The one table of what follows from each error: what it means that the retry did not help,
    /// and whether the same request may be answered in a moment. Refused credentials and a full disk
    /// are outages, but none that end in seconds.
    fn traits(&self) -> (Class, Again) {
        const TRANSIENT: Class = Class::Transient { after: None };
        const SOON: Again = Again::Soon { after: None };
        const AWAY: Class = Class::Outage(Dependency::Registry);
        match self {
            Self::Unreachable { .. } => (AWAY, SOON),
            Self::Throttled { after, .. } | Self::Unavailable { after, .. } => {
                (AWAY, Again::Soon { after: *after })
            }
            Self::DiskFull { .. }
            | Self::Denied { .. }
            | Self::NotOurs { .. }
            | Self::Stopped { .. } => (AWAY, Again::Never),
            // One request that always breaks its connection, or always makes the registry fail,
            // must end at an operator; as an outage it would hold up every item for ever.
            Self::Interrupted { .. } => (TRANSIENT, SOON),
            Self::Failed { .. } => (TRANSIENT, Again::Never),
            // Settings are no outage: the process does not start.
            Self::Settings { .. }
            | Self::NotFound { .. }
            | Self::Conflict { .. }
            | Self::VersionConflict { .. }
            | Self::Rejected { .. }
            | Self::Endless { .. }
            | Self::Unwritable { .. } => (Class::Permanent, Again::Never),
        }
    }

    /// From an answer that is no success.
    pub(crate) fn from_answer(
        call: String,
        status: StatusCode,
        text: &[u8],
        after: Option<Duration>,
    ) -> Self {
        let ours = serde_json::from_slice::<ErrorBody>(text)
            .ok()
            .filter(|body| body.status_code == status.as_u16());
        let code = status.as_u16();
        match (status, ours) {
            (StatusCode::TOO_MANY_REQUESTS, _) => Self::Throttled { call, after },
            (
                StatusCode::BAD_GATEWAY
                | StatusCode::SERVICE_UNAVAILABLE
                | StatusCode::GATEWAY_TIMEOUT,
                _,
            ) => Self::Unavailable {
                call,
                status: code,
                after,
            },
            (StatusCode::INSUFFICIENT_STORAGE, _) => Self::DiskFull { call },
            (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, _) => {
                Self::Denied { call, status: code }
            }
            // A router or proxy that does not know the path also says 404. Only the registry's own
            // word means "no such record": "no object yet" must never be concluded from a page.
            (StatusCode::NOT_FOUND, Some(_)) => Self::NotFound { call },
            (StatusCode::CONFLICT, Some(body)) => Self::Conflict {
                call,
                message: body.error,
            },
            (StatusCode::PRECONDITION_FAILED, Some(_)) => Self::VersionConflict { call },
            (_, ours) if status.is_server_error() => Self::Failed {
                call,
                status: code,
                message: ours.map(|body| body.error).unwrap_or_default(),
            },
            (_, Some(body)) => Self::Rejected {
                call,
                status: code,
                message: body.error,
            },
            (_, None) => Self::NotOurs { call, status: code },
        }
    }
}

impl Classify for ClientError {
    fn class(&self) -> Class {
        self.traits().0
    }
}

impl Retryable for ClientError {
    fn again(&self) -> Again {
        self.traits().1
    }
}

#[cfg(test)]
mod tests;
