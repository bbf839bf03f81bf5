//! What `muniment up` prints when it is ready: all that a person needs to begin.
//!
//! The keys that it prints are those that it gives out. Keys to a store elsewhere are never printed.

use std::path::Path;

use muniment_embedded_s3::Copies;

use super::depositor;
use super::instance::{Instance, InstitutionAccess, RegistryAccess, S3Access};
use super::system::Options;

pub(super) fn summary(instance: &Instance, options: &Options) -> String {
    let folder = &options.folder;
    let store = if instance.is_elsewhere() {
        of_store(&instance.s3)
    } else {
        of_endpoint(&instance.s3, options.copies)
    };
    let RegistryAccess { url, user, api_key } = &instance.registry;
    let (pid, file) = (instance.pid, Instance::file(folder));
    let institutions = instance.institutions.iter();
    let depositors: String = institutions.map(|one| of_depositor(one, folder)).collect();
    let (folder, file) = (folder.display(), file.display());
    format!(
        "\
Muniment is ready (pid {pid})

  Data folder    {folder}
{store}  Registry       {url}
    user         {user}
    API key      {api_key}

  The keys above are the operator's. Those of each depositor:

{depositors}
All of this is in {file}. Stop with Ctrl-C."
    )
}

fn of_endpoint(s3: &S3Access, copies: Copies) -> String {
    let S3Access {
        endpoint,
        region,
        access_key,
        secret_key,
    } = s3;
    let copies = match copies {
        Copies::Apart => "each has bytes of its own",
        Copies::Shared => "share their bytes: what damages one copy damages all of them",
    };
    format!(
        "  Copies         {copies}
  S3 endpoint    {endpoint}
    region       {region}
    access key   {access_key}
    secret key   {secret_key}
"
    )
}

fn of_store(s3: &S3Access) -> String {
    let S3Access {
        endpoint, region, ..
    } = s3;
    format!(
        "  S3 store       {endpoint}
    region       {region}
    keys         as they were given. The store's operator makes those of depositors
"
    )
}

/// Where a depositor's bags go, and with which keys.
fn of_depositor(institution: &InstitutionAccess, folder: &Path) -> String {
    let (name, bucket) = (&institution.identifier, &institution.receiving_bucket);
    let file = depositor::file(folder, name);
    let file = file.display();
    let (access_key, secret_key) = (&institution.s3_access_key, &institution.s3_secret_key);
    let keys = if access_key.is_empty() {
        let restore = &institution.restore_bucket;
        format!("    keys to it   of the store, good for it and for {restore}")
    } else {
        format!("    access key   {access_key}\n    secret key   {secret_key}")
    };
    format!(
        "  Bags of {name} go to the bucket {bucket}
{keys}
    for its depositor: {file}
"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::up::instance::tests::{example, example_elsewhere};

    #[test]
    fn the_keys_of_a_store_elsewhere_are_not_printed() {
        for (instance, expected) in [(example(), true), (example_elsewhere(), false)] {
            let mut with_keys = instance;
            with_keys.s3.access_key = "the-access-key".to_owned();
            with_keys.s3.secret_key = "the-secret-key".to_owned();

            let said = summary(&with_keys, &Options::on("/nowhere"));

            assert_eq!(said.contains("the-access-key"), expected, "{said}");
            assert_eq!(said.contains("the-secret-key"), expected, "{said}");
            assert_eq!(
                said.contains("keys to it   of the store"),
                !expected,
                "{said}"
            );
        }
    }
}
