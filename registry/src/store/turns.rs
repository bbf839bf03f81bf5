//! The turn of an object: asked for here, given up by the update that ends the item (`items.rs`).
//! Who records says here whether it has it.
//!
//! Safe to repeat: who has the turn keeps it. Two items that ask at once are served one after the
//! other by the write lock; where a database lets both in, the unique index on `holds` refuses the
//! second, which asks once more and finds the first.

use muniment_model::registry::Turn;
use muniment_model::{Action, Stage, Status, WorkItemId};
use sqlx::QueryBuilder;

use super::columns::Columns;
use super::{Connection, Db, Row, Store, StoreError};
use crate::rules::Refusal;
use crate::rules::turn::{Contender, Recorder, UNASKED, holder};

/// Ends before the condition. The partial index on open items wants this very wording.
const CONTENDERS: &str = "SELECT id, bag_date, stage, holds FROM work_items \
                          WHERE status NOT IN ('Success', 'Failed', 'Cancelled') AND ";

impl Store {
    /// Gives the turn of the object to the item, or says which item has it.
    pub(crate) async fn take_turn(&self, id: WorkItemId, object: &str) -> Result<Turn, StoreError> {
        once_more_if_taken(|| self.take_turn_once(id, object)).await
    }

    async fn take_turn_once(&self, id: WorkItemId, object: &str) -> Result<Turn, StoreError> {
        let mut transaction = self.write().await?;
        let row =
            sqlx::query("SELECT id, bag_date, stage, status, holds FROM work_items WHERE id = $1")
                .bind(id.0)
                .fetch_one(&mut *transaction)
                .await?;
        let status: Status = row.word("status")?;
        let held = row.text("holds")?;
        if status.is_ended() {
            let text = format!("work item {id} has ended: {status}");
            return Err(Refusal::Invalid(text).into());
        }
        if !held.is_empty() && held != object {
            let text = format!("work item {id} has the turn of {held}");
            return Err(Refusal::Invalid(text).into());
        }
        let me = contender(&row)?;
        let others = others(&mut transaction, &me, object).await?;
        let turn = Turn {
            holder: holder(&me, &others),
        };
        // The subject is noted in any case: an item that has to wait keeps its place in the order.
        sqlx::query(
            "UPDATE work_items SET subject = $1, holds = CASE WHEN $2 THEN $1 END, \
             last_turn = CASE WHEN $2 THEN $1 ELSE last_turn END WHERE id = $3",
        )
        .bind(object)
        .bind(turn.holder == id)
        .bind(id.0)
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(turn)
    }
}

/// Two that ask at once may both see the turn free; the second then sees who has it.
async fn once_more_if_taken<T, F>(attempt: impl Fn() -> F) -> Result<T, StoreError>
where
    F: Future<Output = Result<T, StoreError>>,
{
    match attempt().await {
        Err(StoreError::Taken) => attempt().await,
        answer => answer,
    }
}

/// What is known of the ingest that says it is recording; `None` when it is not one of ours.
pub(super) async fn recorder(
    connection: &mut Connection,
    id: WorkItemId,
) -> Result<Option<Recorder>, StoreError> {
    let row = sqlx::query("SELECT holds, last_turn FROM work_items WHERE id = $1 AND action = $2")
        .bind(id.0)
        .bind(Action::Ingest.as_str())
        .fetch_optional(connection)
        .await?;
    let Some(row) = row else {
        return Ok(None);
    };
    Ok(Some(Recorder {
        id,
        holds: row.text("holds")?,
        had_turn: !row.text("last_turn")?.is_empty(),
    }))
}

/// The open items that can stand in the way: who holds, who works without having asked, and the
/// oldest that waits. At most one of each, however many uploads of one bag are waiting.
async fn others(
    connection: &mut Connection,
    me: &Contender,
    object: &str,
) -> Result<Vec<Contender>, StoreError> {
    let mut found = Vec::new();
    for condition in [holds, works_unasked, waits] {
        let mut sql = QueryBuilder::new(CONTENDERS);
        condition(&mut sql, object);
        sql.push(" AND id <> ").push_bind(me.id.0);
        sql.push(" ORDER BY bag_date, id LIMIT 1");
        if let Some(row) = sql.build().fetch_optional(&mut *connection).await? {
            found.push(contender(&row)?);
        }
    }
    Ok(found)
}

fn holds(sql: &mut QueryBuilder<Db>, object: &str) {
    sql.push("holds = ").push_bind(object.to_owned());
}

fn works_unasked(sql: &mut QueryBuilder<Db>, object: &str) {
    sql.push("subject = ").push_bind(object.to_owned());
    sql.push(" AND stage IN (");
    let mut stages = sql.separated(", ");
    for stage in UNASKED {
        stages.push_bind(stage.as_str());
    }
    sql.push(")");
}

fn waits(sql: &mut QueryBuilder<Db>, object: &str) {
    sql.push("subject = ").push_bind(object.to_owned());
    sql.push(" AND stage = ")
        .push_bind(Stage::ReingestCheck.as_str());
}

fn contender(row: &Row) -> Result<Contender, StoreError> {
    Ok(Contender {
        id: WorkItemId(row.number("id")?),
        bag_date: row.time("bag_date")?,
        stage: row.word("stage")?,
        holds: !row.text("holds")?.is_empty(),
    })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// SQLite's write lock lets no two in, so the race itself cannot be had here.
    #[tokio::test]
    async fn a_turn_that_was_taken_meanwhile_is_asked_for_once_more() {
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
