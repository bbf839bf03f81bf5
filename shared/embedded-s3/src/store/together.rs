//! New bytes under many keys, in few trips to the database.
//!
//! At thousands of small objects a second the trips are what they cost. So changes that follow each other and
//! only put new bytes under a key are made together: what their keys have now is asked for in one question,
//! and their rows are written in a few statements at the end. That nothing else is between them, and no key
//! twice, is what makes the answers true: neither can one of them change what another was told.

use std::collections::{HashSet, VecDeque};

use bytes::Bytes;
use sqlx::query_builder::Separated;
use sqlx::{QueryBuilder, Row as _, Sqlite};

use super::StoreError;
use super::objects::Standing;
use super::rows::{Place, column};
use super::versions::Name;
use super::writer::{Batch, Queued};
use crate::blobs::BlobId;
use crate::intake::NewBytes;

/// Rows of one statement: the largest power of two that is not more than there are. So a handful of texts
/// serve all lengths, and each is prepared once.
const ROWS_MAX: usize = 64;

/// What the keys have now, by their place in the list; without a row where there is no such bucket.
const STANDING: &str = "
    SELECT asked.key AS place_in_list, b.versioning, o.etag, o.modified_micros, o.blob, o.version
    FROM json_each(?1) asked
    CROSS JOIN buckets b ON b.name = asked.value ->> 0
    LEFT JOIN objects o ON o.bucket = b.name AND o.key = CAST(asked.value ->> 1 AS BLOB)";

/// A blob with one reference: that of the row that is written with it.
struct BlobRow {
    id: BlobId,
    place: Place,
    size: i64,
    body: Option<Bytes>,
}

/// A row of `objects`, as wide as the table was when it was made first, and with the version.
pub(super) struct ObjectColumns {
    pub bucket: String,
    pub key: String,
    pub etag: String,
    pub size: i64,
    pub modified_micros: i64,
    pub storage_class: Option<String>,
    pub blob: BlobId,
    pub crc64nvme: i64,
    pub checksum_algorithm: Option<String>,
    pub checksum_value: Option<String>,
    pub about: String,
    pub version: String,
}

/// What the changes that are made together were told, and what they leave to be written.
#[derive(Default)]
pub(super) struct Together {
    /// Of the changes still to be made, in their order.
    standing: VecDeque<Option<Standing>>,
    blobs: Vec<BlobRow>,
    objects: Vec<ObjectColumns>,
}

/// The changes, cut into runs that can be made together and others that are alone.
pub(super) fn runs(changes: &mut [Box<dyn Queued>]) -> Vec<&mut [Box<dyn Queued>]> {
    let mut runs = Vec::new();
    let mut rest = changes;
    while !rest.is_empty() {
        let (run, others) = rest.split_at_mut(length_of_run(rest));
        runs.push(run);
        rest = others;
    }
    runs
}

fn length_of_run(changes: &[Box<dyn Queued>]) -> usize {
    let mut names = HashSet::new();
    let puts = changes.iter().map_while(|change| change.puts());
    puts.take_while(|name| names.insert(*name)).count().max(1)
}

impl Batch<'_> {
    /// Makes a run of changes: [`runs`].
    pub(super) async fn apply_run(
        &mut self,
        run: &mut [Box<dyn Queued>],
    ) -> Result<(), sqlx::Error> {
        if run.len() > 1 {
            let names: Vec<_> = run.iter().filter_map(|change| change.puts()).collect();
            self.together.standing = self.look_up(&names).await?;
        }
        for change in run {
            change.apply(self).await?;
        }
        self.write_rows().await
    }

    async fn look_up(
        &mut self,
        names: &[Name<'_>],
    ) -> Result<VecDeque<Option<Standing>>, sqlx::Error> {
        let list: Vec<_> = names.iter().map(|name| (name.bucket, name.key)).collect();
        let list = serde_json::to_string(&list).map_err(|e| sqlx::Error::Encode(e.into()))?;
        let rows = sqlx::query(STANDING)
            .bind(list)
            .fetch_all(&mut *self.connection)
            .await?;
        let mut found: VecDeque<_> = names.iter().map(|_name| None).collect();
        for row in &rows {
            let place: i64 = row.try_get("place_in_list")?;
            if let Some(found) = usize::try_from(place).ok().and_then(|at| found.get_mut(at)) {
                *found = Some(Standing::read(row)?);
            }
        }
        Ok(found)
    }

    /// What the key of the change that is being made has now, if that was asked for with others.
    pub(super) fn known_standing(&mut self) -> Option<Result<Standing, StoreError>> {
        let known = self.together.standing.pop_front()?;
        Some(known.ok_or(StoreError::NoSuchBucket))
    }

    /// A blob with one reference, that of a row of the same change.
    pub(super) fn add_blob(&mut self, bytes: &NewBytes, size_bytes: u64) {
        let (place, body) = match bytes {
            NewBytes::Inline { body, .. } => (Place::Inline, Some(body.clone())),
            NewBytes::File(_) => (Place::File, None),
        };
        self.together.blobs.push(BlobRow {
            id: bytes.id(),
            place,
            size: column(size_bytes),
            body,
        });
    }

    pub(super) fn add_object(&mut self, object: ObjectColumns) {
        self.together.objects.push(object);
    }

    /// A trip for up to [`ROWS_MAX`] rows of each table.
    async fn write_rows(&mut self) -> Result<(), sqlx::Error> {
        let (blobs, objects) = (&mut self.together.blobs, &mut self.together.objects);
        let (mut blobs, mut objects) = (std::mem::take(blobs), std::mem::take(objects));
        while !blobs.is_empty() {
            let some = blobs.drain(..rows_of_statement(blobs.len()));
            let mut sql = QueryBuilder::new("INSERT INTO blobs (id, refs, place, size, body) ");
            sql.push_values(some, push_blob);
            sql.build().execute(&mut *self.connection).await?;
        }
        while !objects.is_empty() {
            let some = objects.drain(..rows_of_statement(objects.len()));
            let mut sql = QueryBuilder::new(
                "INSERT OR REPLACE INTO objects (bucket, key, etag, size, modified_micros, \
                 storage_class, blob, crc64nvme, checksum_algorithm, checksum_value, about, version) ",
            );
            sql.push_values(some, push_object);
            sql.build().execute(&mut *self.connection).await?;
        }
        Ok(())
    }
}

fn rows_of_statement(rows: usize) -> usize {
    1 << rows.min(ROWS_MAX).ilog2()
}

fn push_blob(mut columns: Separated<'_, Sqlite, &'static str>, row: BlobRow) {
    columns
        .push_bind(row.id)
        .push("1")
        .push_bind(row.place)
        .push_bind(row.size)
        .push_bind(row.body.map(Vec::from));
}

fn push_object(mut columns: Separated<'_, Sqlite, &'static str>, row: ObjectColumns) {
    columns
        .push_bind(row.bucket)
        .push_bind(row.key.into_bytes())
        .push_bind(row.etag)
        .push_bind(row.size)
        .push_bind(row.modified_micros)
        .push_bind(row.storage_class)
        .push_bind(row.blob)
        .push_bind(row.crc64nvme)
        .push_bind(row.checksum_algorithm)
        .push_bind(row.checksum_value)
        .push_bind(row.about)
        .push_bind(row.version);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_texts_serve_all_numbers_of_rows() {
        let rows = [
            (1, 1),
            (2, 2),
            (3, 2),
            (7, 4),
            (63, 32),
            (64, 64),
            (256, 64),
        ];

        for (there, written) in rows {
            assert_eq!(rows_of_statement(there), written, "{there}");
        }
    }
}
