//! Checksums, as they are listed. Written with their files only.

use muniment_model::InstitutionId;

use super::children::checksum;
use super::columns::{Columns, record};
use super::query::{Direction, Identifier, Resource, View, filters, sorts};
use super::{Row, StoreError};
use crate::views::ChecksumView;

pub(crate) const CHECKSUMS: Resource = Resource {
    columns: "c.*, f.state, f.identifier AS generic_file_identifier, f.intellectual_object_id, \
              f.institution_id",
    from: "checksums c JOIN generic_files f ON f.id = c.generic_file_id",
    id: "c.id",
    identifier: Identifier::None,
    institution: "f.institution_id",
    filters: filters! {
        "" IsDigest Text: c.digest;
        "" Is Text: c.algorithm, f.identifier as generic_file_identifier, f.state;
        "" Is Number: c.generic_file_id, f.institution_id, f.intellectual_object_id;
        "__gteq" AtLeast Time: c.datetime;
        "__lteq" AtMost Time: c.datetime;
    },
    off_unless_asked: None,
    sorts: sorts! { c.id, c.datetime, c.generic_file_id },
    default_sort: ("c.datetime", Direction::Descending),
};

impl View for ChecksumView {
    const RESOURCE: &'static Resource = &CHECKSUMS;

    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(record!(row => Self {
            state, generic_file_identifier, intellectual_object_id, institution_id;
            checksum: checksum(row)?
        }))
    }

    fn institution(&self) -> InstitutionId {
        self.institution_id
    }
}
