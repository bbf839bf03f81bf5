//! What an object is, without its bytes: `GetObjectAttributes`.

use s3s::dto::{
    Checksum, ETag, GetObjectAttributesInput, GetObjectAttributesOutput, GetObjectAttributesParts,
    ObjectAttributes, ObjectPart,
};

use super::Service;
use super::errors::RequestError;
use super::lists::number;
use super::objects::object_named;
use super::words::{checksum_type, listed_class, whole_seconds, with_checksums};
use crate::limits::page_size;
use crate::store::rows::{ObjectRow, PartRow};

const KNOWN: [&str; 5] = [
    ObjectAttributes::CHECKSUM,
    ObjectAttributes::ETAG,
    ObjectAttributes::OBJECT_PARTS,
    ObjectAttributes::OBJECT_SIZE,
    ObjectAttributes::STORAGE_CLASS,
];

impl Service {
    pub(super) async fn attributes(
        &self,
        input: GetObjectAttributesInput,
    ) -> Result<GetObjectAttributesOutput, RequestError> {
        let named = input.object_attributes.iter();
        let named: Vec<&str> = named.map(ObjectAttributes::as_str).collect();
        if !named.iter().all(|name| KNOWN.contains(name)) {
            return Err(RequestError::Attribute);
        }
        let asks = |name: &str| named.contains(&name);
        let row = self.store.object(object_named!(input)).await?;
        let mut output = GetObjectAttributesOutput {
            last_modified: Some(whole_seconds(row.modified_micros)),
            version_id: row.version.clone(),
            ..GetObjectAttributesOutput::default()
        };
        if asks(ObjectAttributes::ETAG) {
            output.e_tag = Some(ETag::Strong(row.content.etag.clone()));
        }
        if asks(ObjectAttributes::CHECKSUM) {
            let mut checksum = Checksum {
                checksum_type: Some(checksum_type(&row.content)),
                ..Checksum::default()
            };
            with_checksums!(checksum, &row.content);
            output.checksum = Some(checksum);
        }
        if asks(ObjectAttributes::OBJECT_SIZE) {
            output.object_size = Some(row.content.size_bytes.cast_signed());
        }
        if asks(ObjectAttributes::STORAGE_CLASS) {
            output.storage_class = Some(listed_class(row.about.storage_class.clone()).into());
        }
        if asks(ObjectAttributes::OBJECT_PARTS) {
            output.object_parts = self.parts_of(&row, &input).await?;
        }
        Ok(output)
    }

    /// How many parts there were, and those whose checksums were asked for when they were uploaded.
    async fn parts_of(
        &self,
        row: &ObjectRow,
        input: &GetObjectAttributesInput,
    ) -> Result<Option<GetObjectAttributesParts>, RequestError> {
        let count = row.content.etag.rsplit_once('-');
        let Some(count) = count.and_then(|(_, count)| count.parse().ok()) else {
            return Ok(None);
        };
        let mut answer = GetObjectAttributesParts {
            total_parts_count: Some(count),
            ..GetObjectAttributesParts::default()
        };
        let parts_max = page_size(input.max_parts)?;
        let after = input.part_number_marker.unwrap_or_default();
        let after = u32::try_from(after).unwrap_or(0);
        let asked = parts_max + 1;
        let mut parts = self.store.object_parts(row.blob, after, asked).await?;
        let truncated = parts.len() > parts_max && parts_max > 0;
        parts.truncate(parts_max);
        if let Some(last) = parts.last() {
            let last = last.part.number.cast_signed();
            answer.is_truncated = Some(truncated);
            answer.max_parts = Some(number(parts_max));
            answer.part_number_marker = Some(after.cast_signed());
            answer.next_part_number_marker = truncated.then_some(last);
            answer.parts = Some(parts.iter().map(part).collect());
        }
        Ok(Some(answer))
    }
}

fn part(row: &PartRow) -> ObjectPart {
    let content = &row.part.content;
    let mut part = ObjectPart {
        part_number: Some(row.part.number.cast_signed()),
        size: Some(content.size_bytes.cast_signed()),
        ..ObjectPart::default()
    };
    with_checksums!(part, content);
    part
}
