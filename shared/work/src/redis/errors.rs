//! What an error of the server means: by the kind and the code of the protocol, never by its words.

use redis::{ErrorKind, RedisError, ServerErrorKind};

use crate::WorkError;

/// Codes of a server that cannot write now: full, failing to save, without its replicas, or in a long script.
const OUTAGES: [&str; 4] = ["OOM", "MISCONF", "NOREPLICAS", "BUSY"];

impl From<RedisError> for WorkError {
    fn from(error: RedisError) -> Self {
        if error.is_timeout() {
            return Self::Silent;
        }
        if is_outage(&error) {
            Self::Unusable {
                source: error.into(),
            }
        } else {
            Self::Refused {
                source: error.into(),
            }
        }
    }
}

fn is_outage(error: &RedisError) -> bool {
    let kind = error.kind();
    let away = matches!(
        kind,
        ErrorKind::Io
            // The password may be in the middle of its renewal.
            | ErrorKind::AuthenticationFailed
            | ErrorKind::ClusterConnectionNotFound
            | ErrorKind::MasterNameNotFoundBySentinel
            | ErrorKind::NoValidReplicasFoundBySentinel
            | ErrorKind::Server(
                ServerErrorKind::BusyLoading
                    | ServerErrorKind::ReadOnly
                    | ServerErrorKind::MasterDown
                    | ServerErrorKind::ClusterDown
                    | ServerErrorKind::TryAgain
                    | ServerErrorKind::Moved
                    | ServerErrorKind::Ask
            )
    );
    away || has_code_of_an_outage(error)
}

fn has_code_of_an_outage(error: &RedisError) -> bool {
    error.code().is_some_and(|code| OUTAGES.contains(&code))
}
