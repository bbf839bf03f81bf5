//! Lists and look-ups: which parameters each list has, the columns they are compared with, and the
//! SQL they become.
//!
//! Parameters are looked up in tables of constants; nothing a client sends ever becomes part of
//! the SQL, only of its bound values. Every row of a filter table has an index (a test asks the
//! database for its plan).

use muniment_model::InstitutionId;
use serde::Serialize;
use sqlx::QueryBuilder;
use tracing::error;

use super::{Connection, Db, Row, Store, StoreError};
use crate::rules::access::Scope;

/// How a filter compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    Is,
    /// Of digests, which are indexed by their first characters.
    IsDigest,
    MoreThan,
    AtLeast,
    AtMost,
    OneOf,
    /// Without regard to ASCII case.
    StartsWith,
    /// Without regard to ASCII case. Reads every row: for small tables only.
    Contains,
    /// Takes `true` or `false`; `false` reverses it.
    Absent,
    /// Takes `true` or `false`; `false` reverses it.
    Present,
}

/// What a filter's value must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Number,
    Flag,
    Time,
}

/// One parameter of a list.
#[derive(Debug)]
pub(crate) struct Filter {
    /// As clients write it: `size__gteq`.
    pub(crate) name: &'static str,
    pub(crate) column: &'static str,
    pub(crate) op: Op,
    pub(crate) kind: Kind,
}

/// The filters of a list, by what their names end in, how they compare and what their values are. A
/// filter is named like its column, or as the word after `as` says.
macro_rules! filters {
    ($($end:literal $op:ident $kind:ident: $($table:ident.$column:ident $(as $name:ident)?),+;)+) => {
        &[$($($crate::store::query::Filter {
            name: concat!($crate::store::query::name!($column $($name)?), $end),
            column: concat!(stringify!($table), ".", stringify!($column)),
            op: $crate::store::query::Op::$op,
            kind: $crate::store::query::Kind::$kind,
        }),+),+]
    };
}
pub(super) use filters;

macro_rules! name {
    ($column:ident) => {
        stringify!($column)
    };
    ($column:ident $name:ident) => {
        stringify!($name)
    };
}
pub(super) use name;

/// The columns that a list may be sorted by, each under its own name.
macro_rules! sorts {
    ($($table:ident.$column:ident),+) => {
        &[$((stringify!($column), concat!(stringify!($table), ".", stringify!($column)))),+]
    };
}
pub(super) use sorts;

/// A name to sort by, and its column.
pub(crate) type SortColumn = (&'static str, &'static str);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    Ascending,
    Descending,
}

impl Direction {
    const fn sql(self) -> &'static str {
        match self {
            Self::Ascending => " ASC",
            Self::Descending => " DESC",
        }
    }
}

/// The column by which a path may name a record, besides its id.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Identifier {
    None,
    Text(&'static str),
    /// Kept in lower case.
    Uuid(&'static str),
}

/// Everything SQL needs to know of one list.
#[derive(Debug)]
pub(crate) struct Resource {
    pub(crate) columns: &'static str,
    pub(crate) from: &'static str,
    /// The column that breaks ties.
    pub(crate) id: &'static str,
    pub(crate) identifier: Identifier,
    /// The column by which a depositor sees only its own rows.
    pub(crate) institution: &'static str,
    pub(crate) filters: &'static [Filter],
    /// The filter that is `false` unless a client gives it a value.
    pub(crate) off_unless_asked: Option<&'static str>,
    pub(crate) sorts: &'static [SortColumn],
    pub(crate) default_sort: (&'static str, Direction),
}

/// A value that a client sent, of the kind its filter wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    Text(String),
    Number(i64),
    Flag(bool),
}

/// One filter with its values: never none of them, and more than one only for [`Op::OneOf`].
#[derive(Debug)]
pub(crate) struct Condition {
    pub(crate) filter: &'static Filter,
    pub(crate) values: Vec<Value>,
}

/// One page of a list.
#[derive(Debug)]
pub(crate) struct Query {
    pub(crate) scope: Scope,
    pub(crate) conditions: Vec<Condition>,
    pub(crate) order: Vec<(&'static str, Direction)>,
    pub(crate) limit: i64,
    pub(crate) offset: i64,
}

/// One page, and how many rows there are on all of them.
#[derive(Debug)]
pub(crate) struct Page<T> {
    pub(crate) count: i64,
    pub(crate) rows: Vec<T>,
}

/// What a list or a look-up shows of a row.
pub(crate) trait View: Serialize + Sized + Send + 'static {
    const RESOURCE: &'static Resource;

    fn read(row: &Row) -> Result<Self, StoreError>;

    /// Whose record it is; 0 when no depositor may see it.
    fn institution(&self) -> InstitutionId;

    /// Of a record that counts its updates.
    fn version(&self) -> Option<i64> {
        None
    }

    /// Adds what is in other tables.
    fn complete(
        _connection: &mut Connection,
        _rows: &mut [Self],
    ) -> impl Future<Output = Result<(), StoreError>> + Send {
        std::future::ready(Ok(()))
    }
}

impl Store {
    /// Counts and reads in one transaction, so that they agree. A row that cannot be read is counted and
    /// left out: it must not hide all others on its page.
    pub(crate) async fn page<V: View>(&self, query: &Query) -> Result<Page<V>, StoreError> {
        let mut transaction = self.read().await?;
        let count = count_statement(V::RESOURCE, query)
            .build_query_scalar::<i64>()
            .fetch_one(&mut *transaction)
            .await?;
        let found = page_statement(V::RESOURCE, query)
            .build()
            .fetch_all(&mut *transaction)
            .await?;
        let mut rows = Vec::with_capacity(found.len());
        for row in &found {
            rows.extend(readable(V::RESOURCE, V::read(row))?);
        }
        match V::complete(&mut transaction, &mut rows).await {
            Err(StoreError::Corrupt { .. }) => {
                rows = complete_each(&mut transaction, rows).await?;
            }
            completed => completed?,
        }
        Ok(Page { count, rows })
    }

    /// The record that a path names. As the contract has it, what reads as a number is an id.
    pub(crate) async fn named<V: View>(&self, name: &str) -> Result<V, StoreError> {
        let (column, value) = match (name.parse(), V::RESOURCE.identifier) {
            (Ok(id), _) => (V::RESOURCE.id, Value::Number(id)),
            (Err(_), Identifier::Text(column)) => (column, Value::Text(name.to_owned())),
            (Err(_), Identifier::Uuid(column)) => (column, Value::Text(name.to_ascii_lowercase())),
            (Err(_), Identifier::None) => return Err(StoreError::NotFound),
        };
        let mut transaction = self.read().await?;
        one(&mut transaction, column, value).await
    }
}

/// Completes what can be completed.
async fn complete_each<V: View>(
    connection: &mut Connection,
    rows: Vec<V>,
) -> Result<Vec<V>, StoreError> {
    let mut complete = Vec::with_capacity(rows.len());
    for mut row in rows {
        let completed = V::complete(connection, std::slice::from_mut(&mut row)).await;
        complete.extend(readable(V::RESOURCE, completed.map(|()| row))?);
    }
    Ok(complete)
}

/// `None`, with a line in the log, for what a row holds that is none of our words.
fn readable<T>(resource: &Resource, read: Result<T, StoreError>) -> Result<Option<T>, StoreError> {
    match read {
        Err(cause @ StoreError::Corrupt { .. }) => {
            error!(table = resource.from, %cause, "a row cannot be read and was left out of a list");
            Ok(None)
        }
        other => other.map(Some),
    }
}

/// The row in which `column`, a constant, has this value.
pub(super) async fn one<V: View>(
    connection: &mut Connection,
    column: &'static str,
    value: Value,
) -> Result<V, StoreError> {
    let mut sql = select(V::RESOURCE.columns, V::RESOURCE);
    sql.push(" WHERE ").push(column).push(" = ");
    bind(&mut sql, value);
    let row = sql.build().fetch_optional(&mut *connection).await?;
    let mut found = [V::read(&row.ok_or(StoreError::NotFound)?)?];
    V::complete(connection, &mut found).await?;
    let [view] = found;
    Ok(view)
}

fn select(columns: &str, resource: &Resource) -> QueryBuilder<Db> {
    let mut sql = QueryBuilder::new("SELECT ");
    sql.push(columns).push(" FROM ").push(resource.from);
    sql
}

pub(super) fn count_statement(resource: &Resource, query: &Query) -> QueryBuilder<Db> {
    let mut sql = select("count(*)", resource);
    push_conditions(&mut sql, resource, query);
    sql
}

pub(super) fn page_statement(resource: &Resource, query: &Query) -> QueryBuilder<Db> {
    let mut sql = select(resource.columns, resource);
    push_conditions(&mut sql, resource, query);
    sql.push(" ORDER BY ");
    let mut last = Direction::Ascending;
    for (column, direction) in &query.order {
        sql.push(column).push(direction.sql()).push(", ");
        last = *direction;
    }
    // The tie-break runs the same way as the last column, so that one index serves both.
    sql.push(resource.id).push(last.sql());
    sql.push(" LIMIT ").push_bind(query.limit);
    sql.push(" OFFSET ").push_bind(query.offset);
    sql
}

fn push_conditions(sql: &mut QueryBuilder<Db>, resource: &Resource, query: &Query) {
    let mut glue = " WHERE ";
    if let Scope::Institution(InstitutionId(id)) = query.scope {
        sql.push(glue).push(resource.institution).push(" = ");
        sql.push_bind(id);
        glue = " AND ";
    }
    for condition in &query.conditions {
        sql.push(glue);
        push_condition(sql, condition);
        glue = " AND ";
    }
}

fn push_condition(sql: &mut QueryBuilder<Db>, condition: &Condition) {
    let column = condition.filter.column;
    let Some(value) = condition.values.first().cloned() else {
        // No value can match no list of values. Never "no condition": that would show everything.
        sql.push("1 = 0");
        return;
    };
    match condition.filter.op {
        Op::Is => compare(sql, column, " = ", value),
        Op::IsDigest => push_digest(sql, column, value),
        Op::MoreThan => compare(sql, column, " > ", value),
        Op::AtLeast => compare(sql, column, " >= ", value),
        Op::AtMost => compare(sql, column, " <= ", value),
        Op::OneOf => {
            sql.push(column).push(" IN (");
            let mut glue = "";
            for one_of in &condition.values {
                sql.push(glue);
                bind(sql, one_of.clone());
                glue = ", ";
            }
            sql.push(")");
        }
        Op::StartsWith => push_prefix(sql, column, value),
        Op::Contains => push_part(sql, column, value),
        Op::Absent => push_null(sql, column, value == Value::Flag(true)),
        Op::Present => push_null(sql, column, value != Value::Flag(true)),
    }
}

fn compare(sql: &mut QueryBuilder<Db>, column: &str, operator: &str, value: Value) {
    sql.push(column).push(operator);
    bind(sql, value);
}

#[expect(
    clippy::fn_params_excessive_bools,
    reason = "the value of the filter itself"
)]
fn push_null(sql: &mut QueryBuilder<Db>, column: &str, absent: bool) {
    let test = if absent { " IS NULL" } else { " IS NOT NULL" };
    sql.push(column).push(test);
}

/// A range of the lower-cased column, which an index can serve; LIKE cannot promise that.
fn push_prefix(sql: &mut QueryBuilder<Db>, column: &str, value: Value) {
    let prefix = lower(value);
    // No text goes on with a character beyond the last one there is.
    let end = format!("{prefix}\u{10FFFF}");
    sql.push("lower(").push(column).push(") >= ");
    sql.push_bind(prefix);
    sql.push(" AND lower(").push(column).push(") < ");
    sql.push_bind(end);
}

/// By the expression that is indexed (migration 6), then by the whole digest.
fn push_digest(sql: &mut QueryBuilder<Db>, column: &str, value: Value) {
    sql.push("substr(").push(column).push(", 1, 8) = substr(");
    bind(sql, value.clone());
    sql.push(", 1, 8) AND ");
    compare(sql, column, " = ", value);
}

fn push_part(sql: &mut QueryBuilder<Db>, column: &str, value: Value) {
    let part = lower(value)
        .replace('\\', "\\\\")
        .replace('%', "\\%")
        .replace('_', "\\_");
    sql.push("lower(").push(column).push(") LIKE ");
    sql.push_bind(format!("%{part}%"));
    sql.push(" ESCAPE '\\'");
}

fn lower(value: Value) -> String {
    match value {
        Value::Text(text) => text.to_ascii_lowercase(),
        Value::Number(number) => number.to_string(),
        Value::Flag(flag) => flag.to_string(),
    }
}

fn bind(sql: &mut QueryBuilder<Db>, value: Value) {
    match value {
        Value::Text(text) => sql.push_bind(text),
        Value::Number(number) => sql.push_bind(number),
        Value::Flag(flag) => sql.push_bind(flag),
    };
}
