//! Many rows in few statements.
//!
//! One statement per row costs a trip to the database's thread each; a statement of a hundred rows
//! costs one. All statements but the last of a list have the same text, so they are prepared once.

use sqlx::QueryBuilder;
use sqlx::query_builder::Separated;

use super::{Connection, Db, Row, StoreError};

/// Rows in one statement. Times the columns of our widest table (16 and the file's 15) it stays far
/// below the 32,766 values that SQLite binds at most.
const ROWS_MAX: usize = 100;

/// One INSERT: `head` ends before VALUES, `tail` follows the last row.
pub(super) struct Insert {
    pub(super) head: &'static str,
    pub(super) tail: &'static str,
}

/// Inserts all rows; gives back what `tail` returns.
pub(super) async fn insert<T>(
    connection: &mut Connection,
    insert: &Insert,
    rows: &[T],
    push: fn(&mut Separated<'_, Db, &'static str>, &T),
) -> Result<Vec<Row>, StoreError> {
    let mut returned = Vec::new();
    for chunk in rows.chunks(ROWS_MAX) {
        let mut sql = QueryBuilder::new(insert.head);
        sql.push_values(chunk, |mut row, item| push(&mut row, item));
        sql.push(insert.tail);
        let prepared = chunk.len() == ROWS_MAX || chunk.len() == 1;
        let mut some = sql
            .build()
            .persistent(prepared)
            .fetch_all(&mut *connection)
            .await?;
        returned.append(&mut some);
    }
    Ok(returned)
}

/// `head` up to `IN`, for as many values as there are.
pub(super) async fn select_in<'v, V>(
    connection: &mut Connection,
    head: &'static str,
    values: &'v [V],
) -> Result<Vec<Row>, StoreError>
where
    V: sqlx::Encode<'v, Db> + sqlx::Type<Db> + Clone,
{
    let mut found = Vec::new();
    for chunk in values.chunks(ROWS_MAX) {
        let mut sql = QueryBuilder::new(head);
        sql.push(" (");
        let mut list = sql.separated(", ");
        for value in chunk {
            list.push_bind(value.clone());
        }
        sql.push(")");
        let prepared = chunk.len() == ROWS_MAX || chunk.len() == 1;
        let mut some = sql
            .build()
            .persistent(prepared)
            .fetch_all(&mut *connection)
            .await?;
        found.append(&mut some);
    }
    Ok(found)
}
