//! Tags of objects: reading and replacing them. Writes bring theirs along (`words.rs`).

use s3s::dto::{
    DeleteObjectTaggingInput, DeleteObjectTaggingOutput, GetObjectTaggingInput,
    GetObjectTaggingOutput, PutObjectTaggingInput, PutObjectTaggingOutput, Tag,
};

use super::Service;
use super::errors::RequestError;
use super::objects::object_named;
use crate::store::reads::ObjectName;
use crate::store::rows::ObjectRow;
use crate::store::tags::SetTags;
use crate::tags::{Tags, tags_of};

impl Service {
    pub(super) async fn tags(
        &self,
        input: GetObjectTaggingInput,
    ) -> Result<GetObjectTaggingOutput, RequestError> {
        let row = self.store.object(object_named!(input)).await?;
        let tags = row.about.tags.into_iter().map(|(key, value)| Tag {
            key: Some(key),
            value: Some(value),
        });
        Ok(GetObjectTaggingOutput {
            tag_set: tags.collect(),
            version_id: row.version,
        })
    }

    pub(super) async fn put_tags(
        &self,
        input: PutObjectTaggingInput,
    ) -> Result<PutObjectTaggingOutput, RequestError> {
        let pairs = input.tagging.tag_set.iter().map(|tag| {
            let part = |text: &Option<String>| text.clone().unwrap_or_default();
            (part(&tag.key), part(&tag.value))
        });
        let tags = tags_of(pairs)?;
        let version_id = self.set_tags(object_named!(input), tags).await?;
        Ok(PutObjectTaggingOutput { version_id })
    }

    pub(super) async fn remove_tags(
        &self,
        input: DeleteObjectTaggingInput,
    ) -> Result<DeleteObjectTaggingOutput, RequestError> {
        let version_id = self.set_tags(object_named!(input), Tags::new()).await?;
        Ok(DeleteObjectTaggingOutput { version_id })
    }

    /// Returns the version whose tags they are now, where there are versions.
    async fn set_tags(
        &self,
        name: ObjectName<'_>,
        tags: Tags,
    ) -> Result<Option<String>, RequestError> {
        let row = self.store.object(name).await?;
        let set = SetTags {
            bucket: name.bucket.to_owned(),
            key: name.key.to_owned(),
            version: row.id().to_owned(),
            tags,
        };
        self.store.submit(set).await?;
        Ok(row.version)
    }
}

/// `x-amz-tagging-count`: said of objects that have some.
pub(super) fn tag_count(row: &ObjectRow) -> Option<i32> {
    let count = i32::try_from(row.about.tags.len()).ok();
    count.filter(|count| *count > 0)
}
