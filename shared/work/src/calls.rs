//! Calls to a work store, whatever keeps it: each within a time limit, and counted.

use std::time::Duration;

use muniment_meter::{Meter, Service};
use tokio::time::{Instant, timeout};

use crate::WorkError;

/// How long a call may take in all, the wait for its connection included. Longer than a statement of SQLite waits
/// for another process, shorter than the time between two renewals.
pub(crate) const CALL_LIMIT: Duration = Duration::from_secs(15);

/// One call that sends records of so many bytes.
pub(crate) async fn counted<T>(
    meter: &Meter,
    (kind, bytes): (&'static str, usize),
    limit: Duration,
    work: impl Future<Output = Result<T, WorkError>>,
) -> Result<T, WorkError> {
    meter.sent(Service::WorkStore, kind, wide(bytes));
    let began = Instant::now();
    let answer = timeout(limit, work).await.unwrap_or(Err(WorkError::Silent));
    meter.took(Service::WorkStore, kind, began.elapsed());
    if answer.is_err() {
        meter.failed(Service::WorkStore, kind);
    }
    answer
}

/// One look for work. Those that find none are a kind of their own: they are no part of what a bag costs.
pub(crate) async fn counted_claim<T>(
    meter: &Meter,
    look: impl Future<Output = Result<T, WorkError>>,
    is_idle: impl Fn(&T) -> bool,
) -> Result<T, WorkError> {
    let began = Instant::now();
    let answer = timeout(CALL_LIMIT, look).await;
    let answer = answer.unwrap_or(Err(WorkError::Silent));
    let kind = if answer.as_ref().is_ok_and(is_idle) {
        "idle claim"
    } else {
        "claim"
    };
    meter.sent(Service::WorkStore, kind, 0);
    meter.took(Service::WorkStore, kind, began.elapsed());
    if answer.is_err() {
        meter.failed(Service::WorkStore, kind);
    }
    answer
}

/// Records of so many bytes were read.
pub(crate) fn received(meter: &Meter, kind: &'static str, bytes: usize) {
    meter.received(Service::WorkStore, kind, wide(bytes));
}

fn wide(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}
