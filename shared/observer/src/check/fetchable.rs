//! What a preserved object is for: each of its files can be fetched.

use muniment_model::Algorithm;
use serde_json::Value;

use super::files::each;
use crate::{Differences, Observer, ObserverError, Subject};

/// Files in one answer.
const PAGE: usize = 100;

impl Observer {
    /// Fetches every current file of an object from every copy that the registry lists of it, and
    /// compares the bytes with the recorded sha256.
    pub async fn check_fetchable(
        &self,
        object_identifier: &str,
    ) -> Result<Differences, ObserverError> {
        let mut differences = Differences::default();
        let Some(object) = self.object(object_identifier).await? else {
            differences.compare(
                &Subject::Object,
                "identifier",
                Value::Null,
                object_identifier,
            );
            return Ok(differences);
        };
        let mut found = 0;
        for page in 1.. {
            let path = format!(
                "files?intellectual_object_id={}&state=A&sort=id__asc&per_page={PAGE}&page={page}",
                object["id"]
            );
            let answer = self.rest(&path).await?;
            let files: Vec<_> = each(&answer["results"]).collect();
            for file in &files {
                let identifier = file["identifier"].as_str().unwrap_or_default();
                self.fetch(&mut differences, identifier).await?;
            }
            found += files.len();
            if files.len() < PAGE {
                break;
            }
        }
        let counted = object["file_count"].clone();
        differences.compare(&Subject::Object, "file_count", counted, found);
        Ok(differences)
    }

    async fn fetch(
        &self,
        differences: &mut Differences,
        identifier: &str,
    ) -> Result<(), ObserverError> {
        let file = self.file(identifier).await?.unwrap_or_default();
        let sha256 = Algorithm::Sha256.name();
        let digests = each(&file["checksums"]).filter(|one| one["algorithm"] == sha256);
        let digests: Vec<_> = digests.map(|one| one["digest"].clone()).collect();
        let subject = Subject::File(identifier.to_owned());
        differences.compare(&subject, "number of digests", digests.len(), 1);
        let copies: Vec<_> = each(&file["storage_records"]).collect();
        differences.compare(&subject, "has copies", !copies.is_empty(), true);
        for copy in copies {
            let url = copy["url"].as_str().unwrap_or_default();
            let stored = match self.place_of(url) {
                Some((bucket, key)) => self.stored(&bucket, key).await?,
                None => None,
            };
            let found = stored.map(|stored| stored.digests.hex(Algorithm::Sha256));
            let recorded = digests.first().cloned();
            differences.compare(&Subject::Copy(url.to_owned()), sha256, found, recorded);
        }
        Ok(())
    }
}
