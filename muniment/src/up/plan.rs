//! The instance as it will be: names and keys of the last start, and new ones where there are none.

use muniment_model::{BucketName, InvalidName, StorageTarget};
use url::Url;

use super::instance::{Instance, InstitutionAccess, RegistryAccess, S3Access};
use super::keys::{new_access_key, new_secret_key};
use super::services::{ServiceError, ours};
use super::settings::RECEIVING_PREFIX;
use super::store::{REGION, Store};
use super::system::{Options, StartError};

/// What a new folder begins with when nobody named any.
const FIRST_INSTITUTIONS: [&str; 2] = ["test.edu", "example.edu"];
const OPERATOR_USER: &str = "system@muniment.org";
/// `.localhost` belongs to this machine for good (RFC 6761), so the URLs can never belong to
/// another.
const STORAGE_HOST: &str = "storage.muniment.localhost";

/// Addresses of our own and the time follow once they are known.
pub(super) fn plan(
    options: &Options,
    last: Option<&Instance>,
    store: &Store,
) -> Result<Instance, StartError> {
    let mut institutions = last.map_or_else(Vec::new, |last| last.institutions.clone());
    let mut named = options.institutions.clone();
    if institutions.is_empty() && named.is_empty() {
        named = FIRST_INSTITUTIONS.map(str::to_owned).to_vec();
    }
    for identifier in &named {
        let is_known = |known: &InstitutionAccess| known.identifier == *identifier;
        if !institutions.iter().any(is_known) {
            institutions.push(institution(identifier)?);
        }
    }
    for one in &mut institutions {
        one.give_keys_to(store);
    }
    let nowhere = Url::parse("http://localhost/").map_err(|_never| ours("http://localhost/"))?;
    Ok(Instance {
        format: store.format(),
        store_id: store.id().map(str::to_owned),
        s3: match store {
            Store::Elsewhere(elsewhere) => elsewhere.access.clone(),
            Store::Embedded => S3Access {
                endpoint: nowhere.clone(),
                region: REGION.to_owned(),
                access_key: last.map_or_else(new_access_key, |last| last.s3.access_key.clone()),
                secret_key: last.map_or_else(new_secret_key, |last| last.s3.secret_key.clone()),
            },
        },
        registry: RegistryAccess {
            url: nowhere,
            user: OPERATOR_USER.to_owned(),
            api_key: last.map_or_else(new_secret_key, |last| last.registry.api_key.clone()),
        },
        institutions,
        staging_bucket: bucket("staging")?,
        records_bucket: bucket("records")?,
        preservation_buckets: StorageTarget::ALL
            .iter()
            .map(|target| Ok((*target, bucket(&format!("preservation-{target}"))?)))
            .collect::<Result<_, ServiceError>>()?,
        storage_host: options
            .storage_host
            .clone()
            .or_else(|| last.map(|last| last.storage_host.clone()))
            .unwrap_or_else(|| STORAGE_HOST.to_owned()),
        pid: std::process::id(),
        started_at: chrono::DateTime::UNIX_EPOCH,
    })
}

fn institution(identifier: &str) -> Result<InstitutionAccess, StartError> {
    let refused = |source: InvalidName| StartError::Institution {
        institution: identifier.to_owned(),
        source,
    };
    let bucket = |prefix| BucketName::new(format!("{prefix}{identifier}")).map_err(refused);
    Ok(InstitutionAccess {
        identifier: identifier.to_owned(),
        receiving_bucket: bucket(RECEIVING_PREFIX)?,
        restore_bucket: bucket("restore.")?,
        user: format!("depositor@{identifier}"),
        api_key: new_secret_key(),
        s3_access_key: String::new(),
        s3_secret_key: String::new(),
    })
}

impl InstitutionAccess {
    /// Where it has none, as in what an older version left. A store elsewhere takes none of ours.
    fn give_keys_to(&mut self, store: &Store) {
        match store {
            Store::Embedded if self.s3_access_key.is_empty() => {
                self.s3_access_key = new_access_key();
                self.s3_secret_key = new_secret_key();
            }
            Store::Embedded | Store::Elsewhere(_) => {}
        }
    }
}

fn bucket(name: &str) -> Result<BucketName, ServiceError> {
    BucketName::new(name).map_err(|_never| ours(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::up::store::Elsewhere;

    #[test]
    fn a_new_folder_begins_with_two_institutions_unless_others_are_named() {
        let rows: [(&[&str], &[&str]); 2] = [
            (&[], &["test.edu", "example.edu"]),
            (&["library.org"], &["library.org"]),
        ];

        for (named, expected) in rows {
            let plan = plan(&options(named), None, &Store::Embedded).expect("a plan");
            assert_eq!(names(&plan), expected);
        }
    }

    #[test]
    fn a_later_start_keeps_names_and_keys_and_adds_to_them() {
        let first = plan(&options(&[]), None, &Store::Embedded).expect("a plan");

        let later = plan(
            &options(&["library.org", "test.edu"]),
            Some(&first),
            &Store::Embedded,
        )
        .expect("a plan");

        assert_eq!(names(&later), ["test.edu", "example.edu", "library.org"]);
        assert!(later.institutions.starts_with(&first.institutions));
        assert!(later.s3 == first.s3);
        assert!(later.registry == first.registry);
        assert_eq!(later.storage_host, first.storage_host);
    }

    #[test]
    fn what_an_older_version_left_without_keys_is_given_some() {
        let mut first = plan(&options(&[]), None, &Store::Embedded).expect("a plan");
        let kept = first.institutions[1].clone();
        first.institutions[0].s3_access_key.clear();
        first.institutions[0].s3_secret_key.clear();

        let later = plan(&options(&[]), Some(&first), &Store::Embedded).expect("a plan");

        let made = &later.institutions[0];
        let lengths = (made.s3_access_key.len(), made.s3_secret_key.len());
        assert_eq!(lengths, (20, 40));
        assert!(later.institutions[1] == kept);
    }

    #[test]
    fn depositors_have_no_keys_to_a_store_elsewhere() {
        let elsewhere = Store::Elsewhere(Elsewhere {
            access: crate::up::instance::tests::example().s3,
            id: "marker".to_owned(),
            was_in_use: false,
        });

        let plan = plan(&options(&[]), None, &elsewhere).expect("a plan");

        assert!(
            plan.institutions
                .iter()
                .all(|one| one.s3_access_key.is_empty())
        );
        assert!(plan.institutions.iter().all(|one| !one.api_key.is_empty()));
        assert_eq!(plan.s3.access_key, "key");
        assert_eq!((plan.format, plan.store_id.as_deref()), (2, Some("marker")));
    }

    #[test]
    fn the_storage_host_stays_until_another_is_given() {
        let mut options = options(&[]);
        options.storage_host = Some("storage.library.org".to_owned());
        let first = plan(&options, None, &Store::Embedded).expect("a plan");
        options.storage_host = None;

        let later = plan(&options, Some(&first), &Store::Embedded).expect("a plan");

        assert_eq!(later.storage_host, "storage.library.org");
    }

    #[test]
    fn what_no_bucket_can_be_called_is_no_institution() {
        for identifier in ["Test.EDU", "a b", "", "../x", &"x".repeat(60)] {
            let error = plan(&options(&[identifier]), None, &Store::Embedded).err();
            assert!(
                matches!(error, Some(StartError::Institution { .. })),
                "{identifier}"
            );
        }
    }

    fn options(institutions: &[&str]) -> Options {
        Options {
            institutions: institutions.iter().map(ToString::to_string).collect(),
            ..Options::on("/nowhere")
        }
    }

    fn names(plan: &Instance) -> Vec<&str> {
        let institutions = plan.institutions.iter();
        institutions.map(|one| one.identifier.as_str()).collect()
    }
}
