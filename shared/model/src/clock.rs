//! Time is handed in, so that a test decides what time it is.

use chrono::{DateTime, Utc};

/// Where the current time comes from. The one real implementation is in `runtime`.
pub trait Clock: Send + Sync {
    fn now(&self) -> DateTime<Utc>;
}
