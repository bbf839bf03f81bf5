//! `depositors/<institution>.json`: what a depositor is given: where the installation is, the two buckets
//! of its institution, and keys that are good for those alone.
//!
//! Made from `instance.json` at each start, which alone has the truth, so one that is gone, damaged or
//! of other ports is replaced, with the same keys. Readable by its owner only.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use muniment_model::BucketName;
use serde::{Deserialize, Serialize};

use super::instance::{
    Instance, InstanceError, InstitutionAccess, RegistryAccess, S3Access, parse, read_limited,
    replace,
};
use crate::error::CommandError;

const FOLDER: &str = "depositors";
/// Only the owner, as the files in it.
const MODE: u32 = 0o700;

/// What a client has to know of an installation. The file of a depositor is this; an `instance.json`
/// has more, and can be read as this too.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientAccess {
    pub format: u32,
    pub s3: S3Access,
    pub registry: RegistryAccess,
    /// Whose bags may be deposited; of a depositor, its own one.
    pub institutions: Vec<InstitutionBuckets>,
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstitutionBuckets {
    pub identifier: String,
    pub receiving_bucket: BucketName,
    pub restore_bucket: BucketName,
}

impl InstitutionBuckets {
    pub(super) fn of(institution: &InstitutionAccess) -> Self {
        Self {
            identifier: institution.identifier.clone(),
            receiving_bucket: institution.receiving_bucket.clone(),
            restore_bucket: institution.restore_bucket.clone(),
        }
    }
}

impl ClientAccess {
    pub fn read(file: &Path) -> Result<Self, InstanceError> {
        let bytes = read_limited(file).map_err(|source| InstanceError::Unreadable {
            file: file.to_path_buf(),
            source,
        })?;
        parse(file, &bytes, |file, source| InstanceError::NotOfDepositor {
            file,
            source,
        })
    }

    /// What the depositor of this institution has to know.
    fn of_depositor(instance: &Instance, institution: &InstitutionAccess) -> Self {
        Self {
            format: instance.format,
            s3: S3Access {
                access_key: institution.s3_access_key.clone(),
                secret_key: institution.s3_secret_key.clone(),
                ..instance.s3.clone()
            },
            registry: RegistryAccess {
                url: instance.registry.url.clone(),
                user: institution.user.clone(),
                api_key: institution.api_key.clone(),
            },
            institutions: vec![InstitutionBuckets::of(institution)],
        }
    }

    /// The bucket that the bags of this institution, or of the first one, go to.
    pub fn receiving_bucket(&self, institution: Option<&str>) -> Result<BucketName, CommandError> {
        let is_meant = |known: &&InstitutionBuckets| {
            institution.is_none_or(|wanted| known.identifier == wanted)
        };
        match self.institutions.iter().find(is_meant) {
            Some(found) => Ok(found.receiving_bucket.clone()),
            None => Err(self.unknown(institution.unwrap_or("any"))),
        }
    }

    pub(crate) fn unknown(&self, institution: &str) -> CommandError {
        CommandError::UnknownInstitution {
            wanted: institution.to_owned(),
            known: self.institution_names(),
        }
    }

    /// For a message: `test.edu, example.edu`.
    fn institution_names(&self) -> String {
        let institutions = self.institutions.iter();
        let names: Vec<&str> = institutions.map(|one| one.identifier.as_str()).collect();
        names.join(", ")
    }
}

/// The file of an institution in the data folder.
pub fn file(folder: &Path, institution: &str) -> PathBuf {
    folder.join(FOLDER).join(name(institution))
}

/// A domain that names a bucket too, so it names no other folder.
fn name(institution: &str) -> String {
    format!("{institution}.json")
}

/// Writes the files of all depositors.
pub(crate) fn write_all(instance: &Instance, folder: &Path) -> Result<(), InstanceError> {
    let folder = folder.join(FOLDER);
    let made = DirBuilder::new().recursive(true).mode(MODE).create(&folder);
    made.map_err(|source| InstanceError::Unwritable {
        file: folder.clone(),
        source,
    })?;
    for institution in &instance.institutions {
        let access = ClientAccess::of_depositor(instance, institution);
        replace(&folder, &name(&institution.identifier), &access)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::up::instance::tests::example;

    #[test]
    fn a_file_that_is_gone_damaged_or_open_to_all_is_made_again_as_it_was() {
        let folder = tempfile::tempdir().expect("a folder");
        let instance = example();
        write_all(&instance, folder.path()).expect("writes");
        let file = file(folder.path(), "test.edu");
        let first = std::fs::read(&file).expect("reads");

        for damage in ["gone", "damaged"] {
            std::fs::remove_file(&file).expect("removes");
            if damage == "damaged" {
                std::fs::write(&file, "{").expect("writes");
            }
            write_all(&instance, folder.path()).expect("writes");
            assert_eq!(std::fs::read(&file).expect("reads"), first, "{damage}");
            let mode = file.metadata().expect("is there").permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{damage}");
        }
    }

    #[test]
    fn a_depositor_is_told_of_its_own_institution_and_keys_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let instance = example();

        write_all(&instance, folder.path()).expect("writes");

        let read = ClientAccess::read(&file(folder.path(), "example.edu")).expect("reads");
        assert_eq!(read.institution_names(), "example.edu");
        assert_eq!(read.s3.access_key, "key of example.edu");
        assert_eq!(read.registry.user, "depositor@example.edu");
        assert!(read.receiving_bucket(Some("test.edu")).is_err());
    }

    #[test]
    fn a_file_that_cannot_be_used_says_where_to_get_it() {
        let rows = [
            ("cut short", r#"{"format": 1, "s3""#, "ask for it again"),
            ("another's", r#"{"name": "x"}"#, "ask for it again"),
            ("newer", r#"{"format": 3}"#, "newer"),
        ];

        for (name, text, expected) in rows {
            let file = tempfile::NamedTempFile::new().expect("a file");
            std::fs::write(file.path(), text).expect("writes");

            let error = ClientAccess::read(file.path()).err().expect(name);

            assert!(error.to_string().contains(expected), "{name}: {error}");
        }
    }

    #[test]
    fn the_first_institution_is_meant_unless_another_is_named() {
        let client = example().client();

        let bucket = |wanted| Some(client.receiving_bucket(wanted).ok()?.to_string());

        assert_eq!(bucket(None).as_deref(), Some("receiving.test.edu"));
        let named = bucket(Some("example.edu"));
        assert_eq!(named.as_deref(), Some("receiving.example.edu"));
        assert_eq!(bucket(Some("nowhere.edu")), None);
    }
}
