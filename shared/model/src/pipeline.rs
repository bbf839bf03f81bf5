//! The registry's words for what a work item asks for and where it is, and the names of the workers.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{word:?} is not one of the registry's words for {what}")]
pub struct UnknownWord {
    pub what: &'static str,
    pub word: String,
}

/// Declares an enum whose variants have fixed spellings on the wire.
macro_rules! words {
    (
        $(#[$meta:meta])*
        $name:ident for $what:literal {
            $($(#[$of_variant:meta])* $variant:ident = $word:literal),+ $(,)?
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub enum $name { $($(#[$of_variant])* $variant),+ }

        impl $name {
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = UnknownWord;

            fn from_str(word: &str) -> Result<Self, Self::Err> {
                Self::ALL
                    .iter()
                    .copied()
                    .find(|known| known.as_str() == word)
                    .ok_or_else(|| UnknownWord { what: $what, word: word.to_owned() })
            }
        }

        impl TryFrom<String> for $name {
            type Error = UnknownWord;

            fn try_from(word: String) -> Result<Self, Self::Error> {
                word.parse()
            }
        }

        impl From<$name> for String {
            fn from(known: $name) -> Self {
                known.as_str().to_owned()
            }
        }
    };
}
pub(crate) use words;

words! {
    /// What a work item asks for.
    Action for "an action" {
        Ingest = "Ingest",
        RestoreObject = "Restore Object",
        RestoreFile = "Restore File",
        GlacierRestore = "Glacier Restore",
        Delete = "Delete",
    }
}

words! {
    /// Whether a work item waits, is worked on, or has ended.
    Status for "a status" {
        Pending = "Pending",
        Started = "Started",
        Success = "Success",
        Failed = "Failed",
        Cancelled = "Cancelled",
        Suspended = "Suspended",
    }
}

impl Status {
    /// Whether no worker will touch the item again. A suspended item is not ended: an operator
    /// requeues or cancels it.
    pub const fn is_ended(self) -> bool {
        match self {
            Self::Success | Self::Failed | Self::Cancelled => true,
            Self::Pending | Self::Started | Self::Suspended => false,
        }
    }
}

words! {
    /// Where a work item is in its pipeline ([`crate::Pipeline`]).
    Stage for "a stage" {
        Requested = "Requested",
        Receive = "Receive",
        Validate = "Validate",
        ReingestCheck = "Reingest Check",
        CopyToStaging = "Copy To Staging",
        FormatIdentification = "Format Identification",
        Store = "Store",
        StorageValidation = "Storage Validation",
        Record = "Record",
        Cleanup = "Cleanup",
        AvailableInS3 = "Available in S3",
        Restoring = "Restoring",
        Package = "Package",
        Resolve = "Resolve",
        Fetch = "Fetch",
        Unpack = "Unpack",
    }
}

words! {
    /// The queue of one worker, named like the worker: binary, file, service and log field.
    QueueName for "a worker" {
        IngestPreFetch = "ingest_pre_fetch",
        IngestValidator = "ingest_validator",
        ReingestManager = "reingest_manager",
        IngestStagingUploader = "ingest_staging_uploader",
        IngestFormatIdentifier = "ingest_format_identifier",
        IngestPreservationUploader = "ingest_preservation_uploader",
        IngestPreservationVerifier = "ingest_preservation_verifier",
        IngestRecorder = "ingest_recorder",
        IngestCleanup = "ingest_cleanup",
        BagRestorer = "bag_restorer",
        FileRestorer = "file_restorer",
        GlacierRestorer = "glacier_restorer",
        AptDelete = "apt_delete",
        AptFixity = "apt_fixity",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_back_as_written() {
        for stage in Stage::ALL {
            assert_eq!(stage.as_str().parse(), Ok(*stage), "{stage}");
        }
        assert!("reingest check".parse::<Stage>().is_err());
    }
}
