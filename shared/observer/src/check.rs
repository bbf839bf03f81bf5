//! What must be true of an upload after it has ended (worker contract, part 4).

mod deposit_record;
mod fetchable;
mod files;

use std::time::Duration;

use muniment_model::{Digests, StorageOption};
use serde_json::Value;

use self::files::events;
use crate::{Differences, Observer, ObserverError, Subject, TarListing, Upload};

/// What an accepted bag has to become.
#[derive(Clone, Debug)]
pub struct Expected {
    /// `<institution>/<bag name>`.
    pub object: String,
    pub option: StorageOption,
    pub tar: TarListing,
}

impl Expected {
    /// How many files have to be preserved.
    pub fn files(&self) -> usize {
        self.tar.preserved().count()
    }

    /// How many copies of them there have to be.
    pub fn copies(&self) -> usize {
        self.files() * self.option.targets().len()
    }

    /// How many events the object and its files have to have.
    pub fn events(&self) -> usize {
        let of_files = self.tar.preserved().map(|member| events(self, member));
        OBJECT_EVENTS + of_files.sum::<usize>()
    }
}

impl Observer {
    /// Waits for the ending of an accepted bag, and looks at everything it leaves behind: the item, the
    /// object with its events, each file with digests, copies and events, each copy's bytes and
    /// metadata, the deposit record, an empty staging prefix, and a receiving bucket without the tar.
    pub async fn check_preserved(
        &self,
        upload: &Upload,
        expected: &Expected,
        limit: Duration,
    ) -> Result<Differences, ObserverError> {
        let item = self.wait_for_ending(upload, limit).await?;
        let mut differences = Differences::default();
        for (what, value) in [
            ("status", Value::from("Success")),
            ("stage", "Cleanup".into()),
            ("note", "Finished cleanup. Ingest complete.".into()),
            ("outcome", "Ingest complete".into()),
            ("retry", false.into()),
            ("needs_admin_review", false.into()),
            ("node", "".into()),
        ] {
            differences.compare(&Subject::WorkItem, what, item[what].clone(), value);
        }
        if let Some(object) = self.object(&expected.object).await? {
            self.check_object(&mut differences, (&item, &object), expected)
                .await?;
            for member in expected.tar.preserved() {
                self.check_file(&mut differences, expected, member).await?;
            }
            self.check_deposit_record(&mut differences, &item, expected)
                .await?;
        } else {
            differences.compare(
                &Subject::Object,
                "identifier",
                Value::Null,
                &*expected.object,
            );
        }
        self.check_staging(&mut differences, &item).await?;
        let received = self.stored(&upload.bucket, &upload.key).await?;
        differences.compare(&Subject::Upload, "presence", received.is_some(), false);
        Ok(differences)
    }

    /// Waits for the ending of a bag that must be refused, and looks at what it leaves behind: nothing
    /// but its item and its tar, unchanged. What the item's note has to say is its caller's affair.
    pub async fn check_refused(
        &self,
        upload: &Upload,
        tar: &Digests,
        limit: Duration,
    ) -> Result<Differences, ObserverError> {
        let item = self.wait_for_ending(upload, limit).await?;
        let mut differences = Differences::default();
        for (what, value) in [
            ("status", Value::from("Failed")),
            ("stage", "Cleanup".into()),
            ("outcome", "Ingest failed due to fatal error.".into()),
            ("retry", false.into()),
            ("needs_admin_review", false.into()),
        ] {
            differences.compare(&Subject::WorkItem, what, item[what].clone(), value);
        }
        let recorded = self.rest(&format!("items/recorded/{}", item["id"])).await?;
        for what in ["intellectual_object_id", "files", "storage_records"] {
            differences.compare(&Subject::Object, what, recorded[what].clone(), 0);
        }
        let written = self.keys(&self.site().records_bucket, "").await?;
        let own = format!("/{}.jsonl.zst", item["id"]);
        let written: Vec<_> = written
            .into_iter()
            .filter(|key| key.ends_with(&own))
            .collect();
        differences.compare(
            &Subject::DepositRecord,
            "key",
            written,
            Vec::<String>::new(),
        );
        self.check_staging(&mut differences, &item).await?;
        let stored = self.stored(&upload.bucket, &upload.key).await?;
        let found = stored.map(|stored| hex(&stored.digests));
        differences.compare(&Subject::Upload, "sha256", found, hex(tar));
        Ok(differences)
    }

    async fn check_object(
        &self,
        differences: &mut Differences,
        (item, object): (&Value, &Value),
        expected: &Expected,
    ) -> Result<(), ObserverError> {
        let files = expected.files();
        let events = format!(
            "events?intellectual_object_id={}&generic_file_id__is_null=true&per_page=1",
            object["id"]
        );
        let events = self.rest(&events).await?["count"].clone();
        for (what, found, value) in [
            ("id", &object["id"], item["intellectual_object_id"].clone()),
            (
                "storage_option",
                &object["storage_option"],
                expected.option.as_str().into(),
            ),
            ("state", &object["state"], "A".into()),
            ("file_count", &object["file_count"], files.into()),
            ("number of events", &events, OBJECT_EVENTS.into()),
        ] {
            differences.compare(&Subject::Object, what, found.clone(), value);
        }
        Ok(())
    }

    async fn check_staging(
        &self,
        differences: &mut Differences,
        item: &Value,
    ) -> Result<(), ObserverError> {
        let prefix = format!("{}/", item["id"]);
        let staged = self.keys(&self.site().staging_bucket, &prefix).await?;
        differences.compare(&Subject::Staging, "number of keys", staged.len(), 0);
        Ok(())
    }
}

/// Creation, ingestion, identifier assignment and access assignment.
const OBJECT_EVENTS: usize = 4;

fn hex(digests: &Digests) -> String {
    digests.hex(muniment_model::Algorithm::Sha256)
}
