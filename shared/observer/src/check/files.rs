//! A file with its digests, copies and events, and each copy with its metadata and bytes.

use muniment_model::{Algorithm, BucketName};
use serde_json::Value;

use super::Expected;
use crate::tar_listing::Member;
use crate::{Differences, Observer, ObserverError, Stored, Subject};

impl Observer {
    pub(super) async fn check_file(
        &self,
        differences: &mut Differences,
        expected: &Expected,
        member: &Member,
    ) -> Result<(), ObserverError> {
        let subject = Subject::File(member.path.clone());
        let identifier = format!("{}/{}", expected.object, member.path);
        let Some(file) = self.file(&identifier).await? else {
            differences.compare(&subject, "identifier", Value::Null, identifier);
            return Ok(());
        };
        for (what, found, value) in [
            ("size", file["size"].clone(), Value::from(member.size)),
            (
                "number of digests",
                count(&file["checksums"]),
                Algorithm::ALL.len().into(),
            ),
            (
                "buckets of the copies",
                self.buckets_in(&file["storage_records"]),
                self.buckets_of(expected),
            ),
            (
                "number of events",
                count(&file["premis_events"]),
                events(expected, member).into(),
            ),
        ] {
            differences.compare(&subject, what, found, value);
        }
        for algorithm in Algorithm::ALL {
            let name = algorithm.name();
            let digest = each(&file["checksums"]).find(|one| one["algorithm"] == name);
            let found = digest.map_or(Value::Null, |one| one["digest"].clone());
            differences.compare(&subject, name, found, member.digests.hex(algorithm));
        }
        for record in each(&file["storage_records"]) {
            self.check_copy(differences, (&expected.object, member), (&file, record))
                .await?;
        }
        Ok(())
    }

    async fn check_copy(
        &self,
        differences: &mut Differences,
        (object, member): (&str, &Member),
        (file, record): (&Value, &Value),
    ) -> Result<(), ObserverError> {
        let url = record["url"].as_str().unwrap_or_default();
        let subject = Subject::Copy(url.to_owned());
        let Some((bucket, key)) = self.place_of(url) else {
            let shape = format!("https://….{}/BUCKET/KEY", self.site().storage_host);
            differences.compare(&subject, "url", url, shape);
            return Ok(());
        };
        differences.compare(&subject, "key", key, file["uuid"].clone());
        let Some(stored) = self.stored(&bucket, key).await? else {
            differences.compare(&subject, "presence", false, true);
            return Ok(());
        };
        let sha256 = member.digests.hex(Algorithm::Sha256);
        let institution = object.split_once('/').map(|(institution, _)| institution);
        let metadata = |name| stored.metadata.get(name).map(String::as_str);
        for (what, found, value) in [
            (
                "content type",
                stored.content_type.as_deref(),
                file["file_format"].as_str(),
            ),
            (
                "institution in metadata",
                metadata("institution"),
                institution,
            ),
            ("bag in metadata", metadata("bag"), Some(object)),
            (
                "md5 in metadata",
                metadata("md5"),
                Some(&*member.digests.hex(Algorithm::Md5)),
            ),
            ("sha256 in metadata", metadata("sha256"), Some(&*sha256)),
            (
                "path in metadata",
                path_in(&stored).as_deref(),
                Some(&*member.path),
            ),
            (
                "sha256",
                Some(&*stored.digests.hex(Algorithm::Sha256)),
                Some(&*sha256),
            ),
        ] {
            differences.compare(&subject, what, found, value);
        }
        Ok(())
    }

    /// Where the copies are, by their URLs, in order.
    fn buckets_in(&self, copies: &Value) -> Value {
        let urls = each(copies).map(|copy| copy["url"].as_str().unwrap_or_default());
        let mut buckets: Vec<String> = urls
            .map(|url| match self.place_of(url) {
                Some((bucket, _)) => bucket.to_string(),
                None => url.to_owned(),
            })
            .collect();
        buckets.sort_unstable();
        buckets.into()
    }

    /// Where the copies of an object's files have to be, in order.
    fn buckets_of(&self, expected: &Expected) -> Value {
        let known = &self.site().preservation_buckets;
        let buckets = expected.option.targets().iter();
        let mut buckets: Vec<String> = buckets
            .map(|target| {
                known
                    .get(target)
                    .map_or_else(|| target.to_string(), ToString::to_string)
            })
            .collect();
        buckets.sort_unstable();
        buckets.into()
    }

    /// The bucket and key that the URL of a copy names.
    pub(super) fn place_of<'a>(&self, url: &'a str) -> Option<(BucketName, &'a str)> {
        let host = format!(".{}/", self.site().storage_host);
        let (_, place) = url.split_once(&host)?;
        let (bucket, key) = place.split_once('/')?;
        Some((BucketName::new(bucket).ok()?, key))
    }
}

/// One event for the check against each payload manifest, one per digest, two identifiers, the ingestion,
/// and one per copy beyond the first.
pub(super) fn events(expected: &Expected, member: &Member) -> usize {
    let in_manifests = if member.path.starts_with("data/") {
        expected.tar.payload_manifests()
    } else {
        0
    };
    let replications = expected.option.targets().len() - 1;
    in_manifests + Algorithm::ALL.len() + 3 + replications
}

/// The path that a copy carries. One that is not ASCII is percent-encoded, since a header cannot hold it.
fn path_in(stored: &Stored) -> Option<String> {
    if let Some(plain) = stored.metadata.get("bagpath") {
        return plain.is_ascii().then(|| plain.clone());
    }
    let encoded = stored.metadata.get("bagpath-encoded")?;
    let query = format!("p={encoded}");
    url::form_urlencoded::parse(query.as_bytes())
        .next()
        .map(|(_, path)| path.into_owned())
}

pub(super) fn each(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

fn count(list: &Value) -> Value {
    each(list).count().into()
}
