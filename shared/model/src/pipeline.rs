//! The stages of an ingest, in the registry's words, and the worker that performs each.

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
        $name:ident for $what:literal { $($variant:ident = $word:literal),+ $(,)? }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub enum $name { $($variant),+ }

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
    /// How a work item stands.
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
    /// Where a work item stands. The order of the ingest stages is the order of the pipeline.
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
    Queue for "a worker" {
        IngestPreFetch = "ingest_pre_fetch",
        IngestValidator = "ingest_validator",
        ReingestManager = "reingest_manager",
        IngestStagingUploader = "ingest_staging_uploader",
        IngestFormatIdentifier = "ingest_format_identifier",
        IngestPreservationUploader = "ingest_preservation_uploader",
        IngestPreservationVerifier = "ingest_preservation_verifier",
        IngestRecorder = "ingest_recorder",
        IngestCleanup = "ingest_cleanup",
    }
}

impl Stage {
    /// The queue whose worker performs this stage; `None` for stages that are not of an ingest.
    pub const fn queue(self) -> Option<Queue> {
        match self {
            Self::Receive => Some(Queue::IngestPreFetch),
            Self::Validate => Some(Queue::IngestValidator),
            Self::ReingestCheck => Some(Queue::ReingestManager),
            Self::CopyToStaging => Some(Queue::IngestStagingUploader),
            Self::FormatIdentification => Some(Queue::IngestFormatIdentifier),
            Self::Store => Some(Queue::IngestPreservationUploader),
            Self::StorageValidation => Some(Queue::IngestPreservationVerifier),
            Self::Record => Some(Queue::IngestRecorder),
            Self::Cleanup => Some(Queue::IngestCleanup),
            Self::Requested
            | Self::AvailableInS3
            | Self::Restoring
            | Self::Package
            | Self::Resolve
            | Self::Fetch
            | Self::Unpack => None,
        }
    }

    /// Whether the object's turn is taken: one open item per object from Reingest Check on.
    pub fn holds_object(self) -> bool {
        (Self::ReingestCheck..=Self::Cleanup).contains(&self)
    }

    /// Whether preservation storage may already hold something of this item. From Store on, an
    /// item ends in Success or waits for an operator.
    pub fn is_past_no_return(self) -> bool {
        (Self::Store..=Self::Cleanup).contains(&self)
    }
}

impl Queue {
    /// The stage this queue's worker performs.
    pub const fn stage(self) -> Stage {
        match self {
            Self::IngestPreFetch => Stage::Receive,
            Self::IngestValidator => Stage::Validate,
            Self::ReingestManager => Stage::ReingestCheck,
            Self::IngestStagingUploader => Stage::CopyToStaging,
            Self::IngestFormatIdentifier => Stage::FormatIdentification,
            Self::IngestPreservationUploader => Stage::Store,
            Self::IngestPreservationVerifier => Stage::StorageValidation,
            Self::IngestRecorder => Stage::Record,
            Self::IngestCleanup => Stage::Cleanup,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_queue_performs_the_stage_that_names_it() {
        for queue in Queue::ALL {
            assert_eq!(queue.stage().queue(), Some(*queue), "{queue}");
        }
    }

    #[test]
    fn words_are_read_back_as_written() {
        for stage in Stage::ALL {
            assert_eq!(stage.as_str().parse(), Ok(*stage), "{stage}");
        }
        assert!("reingest check".parse::<Stage>().is_err());
    }

    #[test]
    fn the_object_is_held_from_reingest_check_to_cleanup() {
        let rows = [
            (Stage::Receive, false),
            (Stage::Validate, false),
            (Stage::ReingestCheck, true),
            (Stage::Store, true),
            (Stage::Cleanup, true),
            (Stage::Resolve, false),
        ];

        for (stage, expected) in rows {
            assert_eq!(stage.holds_object(), expected, "{stage}");
        }
    }
}
