//! The storage options a depositor can choose, and the copies each one means.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::pipeline::{UnknownWord, words};

words! {
    /// What a depositor chooses: which buckets hold the copies of an object.
    StorageOption for "a storage option" {
        Standard = "Standard",
        GlacierOh = "Glacier-OH",
        GlacierOr = "Glacier-OR",
        GlacierVa = "Glacier-VA",
        GlacierDeepOh = "Glacier-Deep-OH",
        GlacierDeepOr = "Glacier-Deep-OR",
        GlacierDeepVa = "Glacier-Deep-VA",
        WasabiOr = "Wasabi-OR",
        WasabiTx = "Wasabi-TX",
        WasabiVa = "Wasabi-VA",
    }
}

words! {
    /// One place for copies: a preservation bucket. Its configuration names the bucket.
    StorageTarget for "a storage target" {
        StandardVa = "standard-va",
        StandardOr = "standard-or",
        GlacierOh = "glacier-oh",
        GlacierOr = "glacier-or",
        GlacierVa = "glacier-va",
        GlacierDeepOh = "glacier-deep-oh",
        GlacierDeepOr = "glacier-deep-or",
        GlacierDeepVa = "glacier-deep-va",
        WasabiOr = "wasabi-or",
        WasabiTx = "wasabi-tx",
        WasabiVa = "wasabi-va",
    }
}

/// Whose S3 a target belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Provider {
    Aws,
    Wasabi,
}

/// Whether a copy can be read at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StorageClass {
    Online,
    Glacier,
    DeepArchive,
}

impl StorageOption {
    /// The places that must hold a copy of every file, the primary one first.
    pub const fn targets(self) -> &'static [StorageTarget] {
        match self {
            Self::Standard => &[StorageTarget::StandardVa, StorageTarget::StandardOr],
            Self::GlacierOh => &[StorageTarget::GlacierOh],
            Self::GlacierOr => &[StorageTarget::GlacierOr],
            Self::GlacierVa => &[StorageTarget::GlacierVa],
            Self::GlacierDeepOh => &[StorageTarget::GlacierDeepOh],
            Self::GlacierDeepOr => &[StorageTarget::GlacierDeepOr],
            Self::GlacierDeepVa => &[StorageTarget::GlacierDeepVa],
            Self::WasabiOr => &[StorageTarget::WasabiOr],
            Self::WasabiTx => &[StorageTarget::WasabiTx],
            Self::WasabiVa => &[StorageTarget::WasabiVa],
        }
    }
}

impl StorageTarget {
    pub const fn provider(self) -> Provider {
        match self {
            Self::WasabiOr | Self::WasabiTx | Self::WasabiVa => Provider::Wasabi,
            Self::StandardVa
            | Self::StandardOr
            | Self::GlacierOh
            | Self::GlacierOr
            | Self::GlacierVa
            | Self::GlacierDeepOh
            | Self::GlacierDeepOr
            | Self::GlacierDeepVa => Provider::Aws,
        }
    }

    /// The provider's region, part of every storage URL.
    pub const fn region(self) -> &'static str {
        match self {
            Self::StandardVa | Self::GlacierVa | Self::GlacierDeepVa | Self::WasabiVa => {
                "us-east-1"
            }
            Self::StandardOr | Self::GlacierOr | Self::GlacierDeepOr => "us-west-2",
            Self::GlacierOh | Self::GlacierDeepOh => "us-east-2",
            Self::WasabiOr => "us-west-1",
            Self::WasabiTx => "us-central-1",
        }
    }

    pub const fn class(self) -> StorageClass {
        match self {
            Self::StandardVa | Self::WasabiOr | Self::WasabiTx | Self::WasabiVa => {
                StorageClass::Online
            }
            Self::StandardOr | Self::GlacierOh | Self::GlacierOr | Self::GlacierVa => {
                StorageClass::Glacier
            }
            Self::GlacierDeepOh | Self::GlacierDeepOr | Self::GlacierDeepVa => {
                StorageClass::DeepArchive
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn standard_has_two_copies_and_every_other_option_one() {
        for option in StorageOption::ALL {
            let expected = if *option == StorageOption::Standard {
                2
            } else {
                1
            };
            assert_eq!(option.targets().len(), expected, "{option}");
        }
    }

    #[test]
    fn every_target_belongs_to_one_option() {
        for target in StorageTarget::ALL {
            let options = StorageOption::ALL
                .iter()
                .filter(|option| option.targets().contains(target))
                .count();
            assert_eq!(options, 1, "{target}");
        }
    }
}
