//! The keys that are given out: how they are made and renewed, and what those to S3 are good for.

use muniment_embedded_s3::{Credentials, Key, Reach};
use rand::distr::{Alphanumeric, SampleString};

use super::instance::{Instance, InstitutionAccess};

/// As long as those of AWS.
const ACCESS_KEY_LENGTH: usize = 20;
const SECRET_KEY_LENGTH: usize = 40;

pub(super) fn new_access_key() -> String {
    random(ACCESS_KEY_LENGTH)
}

/// Also a key to the registry.
pub(super) fn new_secret_key() -> String {
    random(SECRET_KEY_LENGTH)
}

/// Of a data folder: no other has it.
pub(super) fn new_id() -> String {
    random(SECRET_KEY_LENGTH)
}

/// Letters and digits from the system's own randomness, 5.9 bits each.
fn random(length: usize) -> String {
    Alphanumeric.sample_string(&mut rand::rng(), length)
}

/// The operator's, which is good for everything, and one for each depositor.
pub(super) fn given_out(instance: &Instance) -> Vec<Key> {
    let operator = Key {
        credentials: Credentials {
            access_key: instance.s3.access_key.clone(),
            secret_key: instance.s3.secret_key.clone(),
        },
        reach: Reach::Everything,
    };
    let of_depositor = |one: &InstitutionAccess| {
        let buckets = [&one.receiving_bucket, &one.restore_bucket];
        Key {
            credentials: Credentials {
                access_key: one.s3_access_key.clone(),
                secret_key: one.s3_secret_key.clone(),
            },
            reach: Reach::Buckets(buckets.map(ToString::to_string).into()),
        }
    };
    let depositors = instance.institutions.iter().map(of_depositor);
    std::iter::once(operator).chain(depositors).collect()
}

impl Instance {
    /// New keys for the operator, to S3 and to the registry; to the registry alone where the store is elsewhere.
    pub(crate) fn renew_operator(&mut self) {
        if !self.is_elsewhere() {
            self.s3.access_key = new_access_key();
            self.s3.secret_key = new_secret_key();
        }
        self.registry.api_key = new_secret_key();
    }

    /// As for the operator; whether there is such an institution.
    pub(crate) fn renew_depositor(&mut self, institution: &str) -> bool {
        let is_elsewhere = self.is_elsewhere();
        let mut known = self.institutions.iter_mut();
        let Some(found) = known.find(|one| one.identifier == institution) else {
            return false;
        };
        if !is_elsewhere {
            found.s3_access_key = new_access_key();
            found.s3_secret_key = new_secret_key();
        }
        found.api_key = new_secret_key();
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_keys_are_alike() {
        assert_ne!(new_secret_key(), new_secret_key());
        assert_eq!(new_secret_key().len(), 40);
    }
}
