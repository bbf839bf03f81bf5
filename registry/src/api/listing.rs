//! Lists: from a query string to a [`Query`], and from a page to the envelope (registry contract,
//! 2.1 and 2.3).
//!
//! A parameter that is not in the resource's table is refused: a filter that is misspelt must not
//! show everything.

use axum::extract::OriginalUri;
use axum::http::StatusCode;
use axum::response::Response;
use chrono::DateTime;
use muniment_model::InstitutionId;
use muniment_model::registry::BATCH_MAX;
use serde::Serialize;
use url::form_urlencoded;

use super::access::Caller;
use super::error::ApiError;
use super::request::reply;
use crate::rules::access::Audience;
use crate::rules::access::Scope;
use crate::store::query::{Condition, Direction, Filter, Kind, Op, Page, Query, Resource, Value};

const PER_PAGE_DEFAULT: i64 = 20;
const PER_PAGE_MAX: i64 = 1_000;
const _: () = assert!(PER_PAGE_MAX.unsigned_abs() == BATCH_MAX as u64);
/// Enough for every status and stage at once; each value is bound, so this also bounds the SQL.
const PARAMETERS_MAX: usize = 200;

/// What a client asked for.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) query: Query,
    path: String,
    /// Without `page` and `per_page`, in the order they came.
    pairs: Vec<(String, String)>,
    page: i64,
}

/// The envelope. An empty list is `null`, as in the original.
#[derive(Serialize)]
struct Envelope<'a, T> {
    count: i64,
    next: String,
    previous: String,
    results: Option<&'a [T]>,
}

impl Asked {
    pub(super) fn read(
        resource: &'static Resource,
        uri: &OriginalUri,
        caller: Caller,
    ) -> Result<Self, ApiError> {
        let pairs: Vec<(String, String)> =
            form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes())
                .into_owned()
                .collect();
        if pairs.len() > PARAMETERS_MAX {
            return Err(ApiError::Bad(format!(
                "a list takes at most {PARAMETERS_MAX} parameters"
            )));
        }
        refuse_unknown(resource, &pairs)?;
        refuse_foreign(&pairs, caller)?;
        let page = number_of(&pairs, "page")
            .filter(|page| *page > 0)
            .unwrap_or(1);
        let per_page = number_of(&pairs, "per_page")
            .filter(|per_page| *per_page > 0)
            .unwrap_or(PER_PAGE_DEFAULT)
            .min(PER_PAGE_MAX);
        let query = Query {
            scope: caller.scope,
            conditions: with_defaults(resource, conditions(resource, &pairs)?),
            order: order(resource, &pairs)?,
            limit: per_page,
            offset: (page - 1).saturating_mul(per_page),
        };
        Ok(Self {
            query,
            path: uri.path().to_owned(),
            pairs: pairs
                .into_iter()
                .filter(|(name, _)| name != "page" && name != "per_page")
                .collect(),
            page,
        })
    }

    pub(super) fn reply<T: Serialize>(&self, page: &Page<T>) -> Response {
        let seen = self.query.offset.saturating_add(self.query.limit);
        let next = if seen < page.count {
            self.address(self.page + 1)
        } else {
            String::new()
        };
        let previous = if self.page > 1 {
            self.address(self.page - 1)
        } else {
            String::new()
        };
        let envelope = Envelope {
            count: page.count,
            next,
            previous,
            results: Some(page.rows.as_slice()).filter(|rows| !rows.is_empty()),
        };
        reply(StatusCode::OK, &envelope)
    }

    /// Path and query of another page, the parameters in alphabetical order.
    fn address(&self, page: i64) -> String {
        let mut pairs = self.pairs.clone();
        pairs.push(("page".to_owned(), page.to_string()));
        pairs.push(("per_page".to_owned(), self.query.limit.to_string()));
        pairs.sort_by(|(one, _), (other, _)| one.cmp(other));
        let query = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(pairs)
            .finish();
        format!("{}?{query}", self.path)
    }
}

/// A finished list that is not paged: what `create_batch` and `lookup` answer.
pub(super) fn whole<T: Serialize>(status: StatusCode, rows: &[T]) -> Response {
    let envelope = Envelope {
        count: i64::try_from(rows.len()).unwrap_or(i64::MAX),
        next: String::new(),
        previous: String::new(),
        results: Some(rows),
    };
    reply(status, &envelope)
}

fn refuse_unknown(resource: &Resource, pairs: &[(String, String)]) -> Result<(), ApiError> {
    let known = |name: &str| {
        matches!(name, "sort" | "page" | "per_page")
            || resource.filters.iter().any(|filter| filter.name == name)
    };
    let mut unknown: Vec<&str> = pairs
        .iter()
        .map(|(name, _)| name.as_str())
        .filter(|name| !known(name))
        .collect();
    unknown.sort_unstable();
    unknown.dedup();
    if unknown.is_empty() {
        return Ok(());
    }
    Err(ApiError::Bad(format!(
        "Invalid query params: {}",
        unknown.join(", ")
    )))
}

/// Asking for another institution's records is refused rather than answered with none.
fn refuse_foreign(pairs: &[(String, String)], caller: Caller) -> Result<(), ApiError> {
    let Scope::Institution(own) = caller.scope else {
        return Ok(());
    };
    for (_, value) in pairs.iter().filter(|(name, _)| name == "institution_id") {
        let asked = InstitutionId(value.parse().unwrap_or_default());
        if asked != own && !value.is_empty() {
            return Err(ApiError::Forbidden {
                institution: asked,
                audience: Audience::Member,
            });
        }
    }
    Ok(())
}

fn number_of(pairs: &[(String, String)], name: &str) -> Option<i64> {
    let (_, value) = pairs.iter().find(|(known, _)| known == name)?;
    value.parse().ok()
}

fn with_defaults(resource: &'static Resource, mut conditions: Vec<Condition>) -> Vec<Condition> {
    let name = resource.off_unless_asked;
    let default = resource.filters.iter().find(|f| Some(f.name) == name);
    if let Some(filter) = default
        && !conditions
            .iter()
            .any(|given| given.filter.name == filter.name)
    {
        conditions.push(Condition {
            filter,
            values: vec![Value::Flag(false)],
        });
    }
    conditions
}

/// One condition per filter that has a value. As in the original, a parameter without any is none.
fn conditions(
    resource: &'static Resource,
    pairs: &[(String, String)],
) -> Result<Vec<Condition>, ApiError> {
    let mut conditions = Vec::new();
    for filter in resource.filters {
        let texts: Vec<&str> = pairs
            .iter()
            .filter(|(name, value)| name == filter.name && !value.is_empty())
            .map(|(_, value)| value.as_str())
            .collect();
        let wanted = if filter.op == Op::OneOf {
            texts.len()
        } else {
            1
        };
        let values = texts
            .into_iter()
            .take(wanted)
            .map(|text| value(filter, text))
            .collect::<Result<Vec<_>, _>>()?;
        if !values.is_empty() {
            conditions.push(Condition { filter, values });
        }
    }
    Ok(conditions)
}

fn value(filter: &Filter, text: &str) -> Result<Value, ApiError> {
    let read = match filter.kind {
        Kind::Text => Some(Value::Text(text.to_owned())),
        Kind::Number => text.parse().ok().map(Value::Number),
        Kind::Flag => text.parse().ok().map(Value::Flag),
        Kind::Time => DateTime::parse_from_rfc3339(text)
            .ok()
            .map(|time| Value::Number(time.timestamp_micros())),
    };
    read.ok_or_else(|| ApiError::Bad(format!("Invalid value for {}: {text:?}", filter.name)))
}

fn order(
    resource: &'static Resource,
    pairs: &[(String, String)],
) -> Result<Vec<(&'static str, Direction)>, ApiError> {
    let mut order = Vec::new();
    for (_, wanted) in pairs
        .iter()
        .filter(|(name, value)| name == "sort" && !value.is_empty())
    {
        let (name, direction) = match wanted.split_once("__") {
            Some((name, "desc")) => (name, Direction::Descending),
            Some((name, _)) => (name, Direction::Ascending),
            None => (wanted.as_str(), Direction::Ascending),
        };
        let column = resource
            .sorts
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, column)| *column)
            .ok_or_else(|| ApiError::Bad(format!("Invalid sort column: {name:?}")))?;
        order.push((column, direction));
    }
    if order.is_empty() {
        order.push(resource.default_sort);
    }
    Ok(order)
}

#[cfg(test)]
mod tests;
