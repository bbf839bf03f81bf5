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

/// Inserts all rows and returns what `tail` returns.
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
        returned.append(&mut run(connection, sql, chunk.len()).await?);
    }
    Ok(returned)
}

/// Reads what `head`, which ends with `IN`, finds for any number of values.
pub(super) async fn select_in<'v, V, T>(
    connection: &mut Connection,
    head: &'static str,
    values: &'v [V],
    read: impl Fn(&Row) -> Result<T, StoreError>,
) -> Result<Vec<T>, StoreError>
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
        for row in run(connection, sql, chunk.len()).await? {
            found.push(read(&row)?);
        }
    }
    Ok(found)
}

/// Only the lengths that come often are worth keeping prepared.
async fn run(
    connection: &mut Connection,
    mut sql: QueryBuilder<Db>,
    rows: usize,
) -> Result<Vec<Row>, StoreError> {
    let prepared = rows == ROWS_MAX || rows == 1;
    let statement = sql.build().persistent(prepared);
    Ok(statement.fetch_all(connection).await?)
}
