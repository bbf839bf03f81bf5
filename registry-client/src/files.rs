//! Files, in batches.

use muniment_model::registry::{
    BATCH_MAX, FileLookup, FileSize, GenericFile, Listing, RecordState,
};
use muniment_model::{InstitutionId, StorageOption, WorkItemId};

use crate::exchange::{Call, segment};
use crate::paging::{Order, PageRequest};
use crate::{ClientError, RegistryClient};

/// Which files to list. Empty means all.
#[derive(Clone, Debug, Default)]
pub struct FileQuery {
    pub object_id: Option<i64>,
    pub institution: Option<InstitutionId>,
    pub state: Option<RecordState>,
    pub storage_options: Vec<StorageOption>,
    /// Only files with a greater id: for reading all of a list that changes meanwhile.
    pub after_id: Option<i64>,
    pub order: Option<Order>,
}

impl FileQuery {
    fn parameters(&self) -> Vec<(&'static str, String)> {
        let mut query = Vec::new();
        let mut push = |name, value: Option<String>| {
            if let Some(value) = value {
                query.push((name, value));
            }
        };
        push(
            "intellectual_object_id",
            self.object_id.map(|id| id.to_string()),
        );
        push("institution_id", self.institution.map(|id| id.to_string()));
        push("state", self.state.map(String::from));
        for option in &self.storage_options {
            push("storage_option__in", Some(option.to_string()));
        }
        push("id__gt", self.after_id.map(|id| id.to_string()));
        push("sort", self.order.as_ref().map(Order::parameter));
        query
    }
}

impl RegistryClient {
    /// One page of files with the checksums and copies of their present bytes, and all their events.
    pub async fn files(
        &self,
        query: &FileQuery,
        page: PageRequest,
    ) -> Result<Listing<GenericFile>, ClientError> {
        self.page("files", query.parameters(), page).await
    }

    /// The file with this identifier.
    pub async fn file(&self, identifier: &str) -> Result<Option<GenericFile>, ClientError> {
        let path = format!("files/show/{}", segment(identifier));
        self.fetch_if_any(&Call::get(path)).await
    }

    /// The active files of an object with ids above `after_id`, in the order of their ids: a thousand at
    /// most, and fewer only where there are no more.
    pub async fn file_sizes(
        &self,
        object_id: i64,
        after_id: i64,
    ) -> Result<Vec<FileSize>, ClientError> {
        let call = Call::get(format!("files/sizes/{object_id}"))
            .with_query(vec![("after_id", after_id.to_string())]);
        let listing: Listing<FileSize> = self.fetch(&call).await?;
        Ok(listing.results)
    }

    /// Those of the identifiers that are recorded, with the checksums and copies of all their versions,
    /// but without events. One request per thousand.
    pub async fn lookup_files(
        &self,
        object_id: i64,
        identifiers: &[String],
    ) -> Result<Vec<GenericFile>, ClientError> {
        let mut found = Vec::new();
        for some in identifiers.chunks(BATCH_MAX) {
            let lookup = FileLookup {
                intellectual_object_id: object_id,
                identifiers: some.to_vec(),
            };
            let call = Call::post("files/lookup", &lookup)?;
            let mut listing: Listing<GenericFile> = self.fetch(&call).await?;
            found.append(&mut listing.results);
        }
        Ok(found)
    }

    /// Records the files with their checksums, copies and events. Up to a thousand are one transaction;
    /// more are several.
    ///
    /// `work_item` is the ingest that records them. One that held the lock of the files' object and
    /// has it no more is refused with a conflict; 0 names none and is never refused for that.
    ///
    /// Idempotent: what is recorded already is left alone.
    pub async fn record_files(
        &self,
        institution: InstitutionId,
        work_item: WorkItemId,
        files: &[GenericFile],
    ) -> Result<(), ClientError> {
        for some in files.chunks(BATCH_MAX) {
            let call = create_batch(institution, work_item, some)?.prefer_minimal();
            self.exchange(&call).await?;
        }
        Ok(())
    }

    /// As [`Self::record_files`], and gives the files back in the same order with their ids.
    pub async fn save_files(
        &self,
        institution: InstitutionId,
        work_item: WorkItemId,
        files: &[GenericFile],
    ) -> Result<Vec<GenericFile>, ClientError> {
        let mut saved = Vec::with_capacity(files.len());
        for some in files.chunks(BATCH_MAX) {
            let call = create_batch(institution, work_item, some)?;
            let mut listing: Listing<GenericFile> = self.fetch(&call).await?;
            saved.append(&mut listing.results);
        }
        Ok(saved)
    }
}

fn create_batch(
    institution: InstitutionId,
    work_item: WorkItemId,
    files: &[GenericFile],
) -> Result<Call, ClientError> {
    let call = Call::post(format!("files/create_batch/{institution}"), files)?;
    Ok(call.with_query(vec![("work_item_id", work_item.to_string())]))
}
