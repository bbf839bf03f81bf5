//! The lock of an object: taken here, released by the update that ends the item, and taken again by the
//! update with which an ended item goes on (`items.rs`). Every write of objects and files asks here
//! whether its item has it.
//!
//! Idempotent: an item that has the lock keeps it. Two items that ask at once are served one
//! after the other by the write lock; where a database lets both in, the unique index on `holds`
//! refuses the second, which asks once more and finds the first.

use muniment_model::registry::ObjectLock;
use muniment_model::{Action, Stage, Status, WorkItemId};
use sqlx::QueryBuilder;

use super::columns::{Columns, record};
use super::{Connection, Row, Store, StoreError};
use crate::rules::RuleError;
use crate::rules::lock::{Contender, Recorder, UNASKED, holder, to_take_again};

/// Ends before the condition. The partial index on open items wants this very wording.
const CONTENDERS: &str = "SELECT id, bag_date, stage, holds FROM work_items \
                          WHERE status NOT IN ('Success', 'Failed', 'Cancelled') AND ";

impl Store {
    /// Gives the lock of the object to the item, or says which item has it.
    pub(crate) async fn take_lock(
        &self,
        id: WorkItemId,
        object: &str,
    ) -> Result<ObjectLock, StoreError> {
        once_more_if_taken(|| self.take_lock_once(id, object)).await
    }

    async fn take_lock_once(&self, id: WorkItemId, object: &str) -> Result<ObjectLock, StoreError> {
        let mut transaction = self.write().await?;
        let row =
            sqlx::query("SELECT id, bag_date, stage, status, holds FROM work_items WHERE id = $1")
                .bind(id.0)
                .fetch_one(&mut *transaction)
                .await?;
        let status: Status = row.value("status")?;
        let held: String = row.value("holds")?;
        if status.is_ended() {
            let text = format!("work item {id} has ended: {status}");
            return Err(RuleError::Invalid(text).into());
        }
        if !held.is_empty() && held != object {
            let text = format!("work item {id} holds the lock of {held}");
            return Err(RuleError::Invalid(text).into());
        }
        let asking = contender(&row)?;
        let others = others(&mut transaction, &asking, object).await?;
        let lock = ObjectLock {
            holder: holder(&asking, &others),
        };
        // The subject is noted in any case, so that an item that has to wait is found by others.
        sqlx::query(
            "UPDATE work_items SET subject = $1, holds = CASE WHEN $2 THEN $1 END, \
             last_lock = CASE WHEN $2 THEN $1 ELSE last_lock END \
             WHERE id = $3 AND ($2 OR subject IS DISTINCT FROM $1)",
        )
        .bind(object)
        .bind(lock.holder == id)
        .bind(id.0)
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(lock)
    }
}

/// Gives an item that goes on after its ending its lock again, where it needs it at once.
pub(super) async fn take_again(
    connection: &mut Connection,
    id: WorkItemId,
) -> Result<(), StoreError> {
    let row =
        sqlx::query("SELECT id, bag_date, stage, holds, last_lock FROM work_items WHERE id = $1")
            .bind(id.0)
            .fetch_one(&mut *connection)
            .await?;
    let (held, last): (String, String) = (row.value("holds")?, row.value("last_lock")?);
    let asking = contender(&row)?;
    let Some(object) = to_take_again(asking.stage, &held, &last) else {
        return Ok(());
    };
    let others = others(connection, &asking, object).await?;
    let holder = holder(&asking, &others);
    if holder != id {
        return Err(RuleError::LockedBy {
            item: id,
            object: object.to_owned(),
            holder,
        }
        .into());
    }
    sqlx::query("UPDATE work_items SET holds = $1 WHERE id = $2")
        .bind(object)
        .bind(id.0)
        .execute(connection)
        .await?;
    Ok(())
}

/// Two items that ask at once may both see the lock free; the second then sees which one has it.
async fn once_more_if_taken<T, F>(attempt: impl Fn() -> F) -> Result<T, StoreError>
where
    F: Future<Output = Result<T, StoreError>>,
{
    match attempt().await {
        Err(StoreError::Taken) => attempt().await,
        answer => answer,
    }
}

/// What is known of the ingest that a client says is recording; `None` when there is no such ingest.
pub(super) async fn recorder(
    connection: &mut Connection,
    id: WorkItemId,
) -> Result<Option<Recorder>, StoreError> {
    let row = sqlx::query("SELECT holds, last_lock FROM work_items WHERE id = $1 AND action = $2")
        .bind(id.0)
        .bind(Action::Ingest.as_str())
        .fetch_optional(connection)
        .await?;
    row.map(|row| {
        let last_lock: String = row.value("last_lock")?;
        Ok(record!(row => Recorder { holds; id: id, had_lock: !last_lock.is_empty() }))
    })
    .transpose()
}

/// The open items that can come before: the one that has the lock, one that works on the object
/// without having asked, and the oldest that waits. At most one of each, however many uploads of one
/// bag are waiting.
async fn others(
    connection: &mut Connection,
    asking: &Contender,
    object: &str,
) -> Result<Vec<Contender>, StoreError> {
    let mut found = Vec::new();
    let kinds: [(_, &[Stage]); 3] = [
        ("holds = ", &[]),
        ("subject = ", &UNASKED),
        ("subject = ", &[Stage::ReingestCheck]),
    ];
    for (names, stages) in kinds {
        let mut sql = QueryBuilder::new(CONTENDERS);
        sql.push(names).push_bind(object.to_owned());
        if !stages.is_empty() {
            sql.push(" AND stage IN (");
            let mut list = sql.separated(", ");
            for stage in stages {
                list.push_bind(stage.as_str());
            }
            sql.push(")");
        }
        sql.push(" AND id <> ").push_bind(asking.id.0);
        sql.push(" ORDER BY bag_date, id LIMIT 1");
        if let Some(row) = sql.build().fetch_optional(&mut *connection).await? {
            found.push(contender(&row)?);
        }
    }
    Ok(found)
}

fn contender(row: &Row) -> Result<Contender, StoreError> {
    let holds: String = row.value("holds")?;
    Ok(record!(row => Contender { id, bag_date, stage; holds: !holds.is_empty() }))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// SQLite's write lock lets no two in, so the race itself cannot happen here.
    #[tokio::test]
    async fn a_lock_that_was_taken_meanwhile_is_asked_for_once_more() {
        let rows = [(0, 1, true), (1, 2, true), (2, 2, false)];

        for (races, attempts, good) in rows {
            let made = AtomicUsize::new(0);
            let answer = once_more_if_taken(|| async {
                let before = made.fetch_add(1, Ordering::Relaxed);
                (before >= races).then_some(()).ok_or(StoreError::Taken)
            })
            .await;
            assert_eq!(answer.is_ok(), good, "{races}");
            assert_eq!(made.load(Ordering::Relaxed), attempts, "{races}");
        }
    }
}
