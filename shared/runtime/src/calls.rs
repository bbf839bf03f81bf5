//! What each worker has asked of other services, for a person or a program to read.

use muniment_meter::Meters;
use tracing::{info, warn};

/// Logs it, a line for each worker of the process.
pub(crate) fn log_calls(meters: &Meters) {
    for (worker, counts) in meters.counts() {
        match serde_json::to_string(&counts) {
            Ok(calls) => info!(worker, %calls, "what was asked of other services"),
            Err(error) => warn!(worker, %error, "its calls cannot be written"),
        }
    }
}
