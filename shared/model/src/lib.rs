//! The words of the domain: identifiers, stages, storage options, records, findings, error classes.
//!
//! Everything here is a value. Nothing reads a clock, a network or a disk, so every rule in it can
//! be tested as a table.

mod bag_name;
mod class;
mod clock;
mod copy_metadata;
mod digests;
mod findings;
mod ids;
mod names;
mod pipeline;
mod records;
pub mod registry;
mod steps;
mod storage;
mod unstable_read;
pub mod zero_time;

pub use bag_name::{
    BAG_NAME_BYTES_MAX, BagNameFault, TAR_EXTENSION, bag_name_of, check_bag_name, has_control,
};
pub use class::{BucketAddress, Chain, Class, Classify, Dependency};
pub use clock::Clock;
pub use copy_metadata::{
    METADATA_BYTES_MAX, MetadataPairs, copy_metadata, copy_metadata_bytes, header_value,
};
pub use digests::{Algorithm, Crc64Nvme, Digests, UnknownAlgorithm};
pub use findings::{Finding, FindingCode, Findings, Severity, is_unprintable, printable};
pub use ids::{BatchNumber, FileId, InstitutionId, Namespace, TarPlace, WorkItemId};
pub use names::{
    BUCKET_NAME_BYTES_MAX, BucketName, InvalidName, KeyPrefix, ObjectIdentifier, ObjectKey,
};
pub use pipeline::{Action, QueueName, Stage, Status, UnknownWord};
pub use records::{
    BagMetadata, Checkpoint, FileRecord, FormatMatch, Inside, Manifest, MemberKind, ObjectRecord,
    Received, RegisteredFile, RegisteredObject, SCHEMA_VERSION, Saved, StagedTagFile, Stamp,
    StoredCopy, Tar, VerificationMethod,
};
pub use steps::{Outcomes, Pipeline, Step};
pub use storage::{Provider, StorageClass, StorageOption, StorageTarget};
pub use unstable_read::{ReadVerdict, Said, UnstableReads};
