//! Checksums, as they are listed. Written with their files only.

use muniment_model::InstitutionId;

use super::children::checksum;
use super::columns::Columns;
use super::query::{Direction, Filter, Kind, Op, Page, Query, Resource, Value, filter};
use super::{Row, Store, StoreError};
use crate::views::ChecksumView;

pub(crate) const CHECKSUMS: Resource = Resource {
    columns: "c.*, f.state, f.identifier AS generic_file_identifier, f.intellectual_object_id, \
              f.institution_id",
    from: "checksums c JOIN generic_files f ON f.id = c.generic_file_id",
    id: "c.id",
    institution: "f.institution_id",
    filters: FILTERS,
    sorts: &[
        ("id", "c.id"),
        ("datetime", "c.datetime"),
        ("generic_file_id", "c.generic_file_id"),
    ],
    default_sort: ("c.datetime", Direction::Descending),
};

const FILTERS: &[Filter] = &[
    filter("algorithm", "c.algorithm", Op::Is, Kind::Text),
    filter("datetime__gteq", "c.datetime", Op::AtLeast, Kind::Time),
    filter("datetime__lteq", "c.datetime", Op::AtMost, Kind::Time),
    filter("digest", "c.digest", Op::Is, Kind::Text),
    filter("generic_file_id", "c.generic_file_id", Op::Is, Kind::Number),
    filter(
        "generic_file_identifier",
        "f.identifier",
        Op::Is,
        Kind::Text,
    ),
    filter("institution_id", "f.institution_id", Op::Is, Kind::Number),
    filter(
        "intellectual_object_id",
        "f.intellectual_object_id",
        Op::Is,
        Kind::Number,
    ),
    filter("state", "f.state", Op::Is, Kind::Text),
];

impl Store {
    pub(crate) async fn checksums(&self, query: &Query) -> Result<Page<ChecksumView>, StoreError> {
        self.page(&CHECKSUMS, query, view).await
    }

    pub(crate) async fn checksum(&self, id: i64) -> Result<ChecksumView, StoreError> {
        self.one(&CHECKSUMS, "c.id", Value::Number(id), view).await
    }
}

fn view(row: &Row) -> Result<ChecksumView, StoreError> {
    Ok(ChecksumView {
        checksum: checksum(row)?,
        state: row.text("state")?,
        generic_file_identifier: row.text("generic_file_identifier")?,
        intellectual_object_id: row.number("intellectual_object_id")?,
        institution_id: InstitutionId(row.number("institution_id")?),
    })
}
