//! The end of a batch: its message goes, and the last one wakes the planner.

use chrono::{DateTime, Utc};
use sqlx::SqliteConnection;

use super::queue::{load_one, run};
use crate::decide::Command;
use crate::{Lease, Message, WorkError};

/// Whether a batch that is done is the one to wake the planner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wake {
    Planner,
    Nobody,
}

/// Acknowledges a batch that is done; answers how many messages became ready.
pub(super) async fn acknowledge(
    connection: &mut SqliteConnection,
    lease: &Lease,
    wake: Wake,
    now: DateTime<Utc>,
) -> Result<usize, WorkError> {
    let queue = lease.identity.queue;
    let mut woken = 0;
    if wake == Wake::Planner
        && let Some(row) = load_one(connection, lease.identity).await?.pop()
    {
        let planner = Message {
            batch: None,
            ..row.into_entry(queue)?.message
        };
        woken += run(connection, queue, &Command::Publish(planner), now)
            .await?
            .0;
    }
    let acknowledge = Command::Acknowledge(*lease);
    Ok(woken + run(connection, queue, &acknowledge, now).await?.0)
}
