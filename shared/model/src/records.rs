//! Work records: what the workers of one item tell each other. About 1 KB of JSON each, one for
//! the object and one per tar member; whatever can be derived (URLs, events) is not in them.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::registry::Access;
use crate::{
    Algorithm, BatchNumber, BucketName, Crc64Nvme, Digests, Findings, InstitutionId, Namespace,
    ObjectIdentifier, ObjectKey, Stage, StorageOption, StorageTarget, TarPlace, UnstableReads,
    WorkItemId,
};

/// Written into every record; a reader refuses one it does not know.
pub const SCHEMA_VERSION: u16 = 1;

/// The upload as the receiving bucket has it. Every read carries its etag as `If-Match`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tar {
    pub bucket: BucketName,
    pub key: ObjectKey,
    /// Without quotes.
    pub etag: String,
    pub size: u64,
    pub last_modified: DateTime<Utc>,
    /// The store's own full-object checksum, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crc64nvme: Option<Crc64Nvme>,
}

/// How far the records of an item have come.
///
/// Written in one step with what a stage leaves for those after it. A work store that went back in time
/// may have records of a stage before the item's own: they look complete, and would be taken for
/// answers that nobody gave.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Stamp {
    /// By pass one, to its end or not.
    #[default]
    Received,
    /// With what the tag files say, and which files repeat others.
    Validated,
    /// With what the registry knows of the object and of each file.
    ReingestChecked,
}

impl Stamp {
    /// What the records must have come to when an item is at this stage. Cleanup asks the registry
    /// instead.
    pub const fn before(stage: Stage) -> Self {
        match stage {
            Stage::ReingestCheck => Self::Validated,
            Stage::CopyToStaging
            | Stage::FormatIdentification
            | Stage::Store
            | Stage::StorageValidation
            | Stage::Record => Self::ReingestChecked,
            Stage::Requested
            | Stage::Receive
            | Stage::Validate
            | Stage::Cleanup
            | Stage::AvailableInS3
            | Stage::Restoring
            | Stage::Package
            | Stage::Resolve
            | Stage::Fetch
            | Stage::Unpack => Self::Received,
        }
    }
}

/// The record of an item as a whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectRecord {
    pub schema: u16,
    pub item: WorkItemId,
    pub institution_id: InstitutionId,
    pub institution: String,
    /// The key without `.tar`.
    pub bag_name: String,
    pub identifier: ObjectIdentifier,
    pub tar: Tar,
    /// Demanded by each stage that builds on what others have found ([`Stamp::before`]).
    #[serde(default)]
    pub stamp: Stamp,
    /// What pass one saw; `None` until it reached the end of the tar.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub received: Option<Received>,
    /// All of them: what pass one found, and what the validator added.
    #[serde(default)]
    pub findings: Findings,
    /// What the tag files say; `None` until the bag was validated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<BagMetadata>,
    /// The object as the registry has it already; `None` for a first ingest, and until Reingest
    /// Check has asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registered: Option<RegisteredObject>,
    /// Set before the first copy is made: from here on the item ends in Success or at an operator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storing_since: Option<DateTime<Utc>>,
    /// The registry's number for the object, once this item has recorded it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recorded_id: Option<i64>,
    /// What Record wrote, counted from the records; Cleanup compares it with the registry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub saved: Option<Saved>,
    /// Readings of the tar that could not be believed at once.
    #[serde(default)]
    pub unstable_reads: UnstableReads,
}

/// How many files, and copies of them, an item stores and records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Saved {
    pub files: u64,
    pub copies: u64,
}

/// What pass one knows at the end of the tar.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Received {
    /// The name of the one folder at the top of the tar.
    pub folder: String,
    /// How many batches of file records there are, numbered from 0.
    pub batches: u32,
    /// Regular members, manifests and bagit.txt included.
    pub files: u64,
    pub payload_files: u64,
    pub payload_bytes: u64,
    /// Whether there is anything under `data/`, be it an empty folder.
    pub has_payload_folder: bool,
    /// Computed over the whole tar by pass one.
    pub crc64nvme: Crc64Nvme,
    /// Whether the store's checksum of the tar equals ours. Where it has none, a bag that seems
    /// wrong is read a second time before anyone is blamed.
    pub confirmed: bool,
    /// What pass one found.
    #[serde(default)]
    pub findings: Findings,
    /// The bag's payload and tag manifests, at most one of a kind and algorithm.
    pub manifests: Vec<Manifest>,
    /// The tag files that are read for their tags.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tag_files: Vec<StagedTagFile>,
    /// Paths of manifests whose algorithm is not one of ours, the first few of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unknown_manifests: Vec<String>,
    /// Where the header of fetch.txt is in the tar, when the bag has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fetch_offset: Option<u64>,
}

impl Received {
    /// Notes the checksum of a member, if it is one that is read again.
    pub fn note_checksum(&mut self, tar_offset: u64, crc64nvme: Crc64Nvme) {
        for manifest in &mut self.manifests {
            if manifest.tar_offset == tar_offset {
                manifest.crc64nvme = Some(crc64nvme);
            }
        }
        for tag_file in &mut self.tag_files {
            if tag_file.tar_offset == tar_offset {
                tag_file.crc64nvme = Some(crc64nvme);
            }
        }
    }
}

/// A payload or tag manifest, staged under the key of its tar offset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Path in the bag, `manifest-sha256.txt`.
    pub path: String,
    pub algorithm: Algorithm,
    /// Whether it lists tag files rather than payload files.
    pub of_tags: bool,
    pub tar_offset: u64,
    pub size: u64,
    /// As pass one computed it: a later reading of the staged file must come to the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crc64nvme: Option<Crc64Nvme>,
}

/// A tag file that is read for its tags, staged under the key of its tar offset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StagedTagFile {
    /// Path in the bag, `bag-info.txt`.
    pub path: String,
    pub tar_offset: u64,
    pub size: u64,
    /// As pass one computed it: a later reading of the staged file must come to the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crc64nvme: Option<Crc64Nvme>,
}

/// What the depositor's tag files say about the object. All texts are as in the tag files.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BagMetadata {
    pub title: String,
    pub description: String,
    pub access: Access,
    pub storage_option: Option<StorageOption>,
    pub bag_group_identifier: String,
    pub alt_identifier: String,
    /// Normalised.
    pub bagit_profile_identifier: String,
    pub source_organization: String,
    pub internal_sender_identifier: String,
    pub internal_sender_description: String,
}

/// What the registry held of an object before this item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegisteredObject {
    pub id: i64,
    /// Kept for as long as any file of the object is active.
    pub storage_option: StorageOption,
}

/// What a member of the tar is, by its path in the bag (RFC 8493 section 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MemberKind {
    /// Under `data/`.
    Payload,
    /// `manifest-<algorithm>.txt` in the top folder.
    Manifest,
    /// `tagmanifest-<algorithm>.txt` in the top folder.
    TagManifest,
    /// `bagit.txt` in the top folder.
    Declaration,
    /// `fetch.txt` in the top folder.
    Fetch,
    /// Any other file.
    Tag,
    /// A folder: kept for the deposit record only.
    Directory,
}

impl MemberKind {
    /// Whether the file is kept in preservation storage. Declaration, manifests and fetch.txt
    /// are made anew when a bag is restored.
    pub const fn is_preserved(self) -> bool {
        match self {
            Self::Payload | Self::Tag => true,
            Self::Manifest
            | Self::TagManifest
            | Self::Declaration
            | Self::Fetch
            | Self::Directory => false,
        }
    }
}

/// How a file's format was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FormatMatch {
    /// A media type, `application/binary` when nothing is known.
    pub media_type: String,
    /// The method: `extension`, `signature`.
    pub basis: String,
}

/// How we know that a copy holds the right bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VerificationMethod {
    /// The store confirmed our digest when it took the bytes.
    Stored,
    /// A server-side copy whose full-object checksum equals ours.
    Carried,
    /// We read the bytes back and digested them.
    ReadBack,
}

impl VerificationMethod {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stored => "stored",
            Self::Carried => "carried",
            Self::ReadBack => "read-back",
        }
    }
}

/// One copy of a file in preservation storage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredCopy {
    pub target: StorageTarget,
    pub stored_at: DateTime<Utc>,
    /// Set by the verifier, with the method that confirmed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verified_at: Option<DateTime<Utc>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verification_method: Option<VerificationMethod>,
}

/// A file that the registry knows from an earlier ingest of the object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegisteredFile {
    pub id: i64,
    pub uuid: Uuid,
    /// The bytes are the same as recorded: nothing is stored or recorded again.
    pub unchanged: bool,
}

/// The record of one tar member. Final when its digests are known and its staging is confirmed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileRecord {
    pub schema: u16,
    /// Path in the bag, without the top folder. Exactly the bytes of the tar header.
    pub path: String,
    pub kind: MemberKind,
    pub size: u64,
    /// Where the member's first header block is in the tar; names its staging key.
    pub tar_offset: u64,
    /// Where its bytes begin in the tar.
    pub data_offset: u64,
    /// All its header blocks, zstd-compressed, in base64: what a byte-identical tar needs.
    pub header: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modified_at: Option<DateTime<Utc>>,
    /// `None` for a folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digests: Option<Digests>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<FormatMatch>,
    /// When pass one had the digests; older versions noted when the file was staged, which followed at
    /// once.
    #[serde(default, alias = "staged_at", skip_serializing_if = "Option::is_none")]
    pub digested_at: Option<DateTime<Utc>>,
    /// Of the staged object when it was confirmed, without quotes: its copies are made of no other.
    /// `None` in records of older versions, and where the store names none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub staged_etag: Option<String>,
    /// An earlier member has the same path and the same bytes.
    #[serde(default, skip_serializing_if = "is_false")]
    pub repeated: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registered: Option<RegisteredFile>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub copies: Vec<StoredCopy>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
fn is_false(flag: &bool) -> bool {
    !*flag
}

impl ObjectRecord {
    /// Where the copies of this item's files go: what the registry holds the object to, else what
    /// the depositor chose, else Standard.
    pub fn storage_option(&self) -> StorageOption {
        self.registered
            .as_ref()
            .map(|object| object.storage_option)
            .or_else(|| self.metadata.as_ref()?.storage_option)
            .unwrap_or(StorageOption::Standard)
    }
}

impl FileRecord {
    /// The file's uuid in the registry and its key in preservation storage; `None` for a folder.
    pub fn uuid(&self, namespace: Namespace, item: WorkItemId) -> Option<Uuid> {
        let sha256 = self.digests?.hex(Algorithm::Sha256);
        let tar_offset = self.tar_offset;
        Some(namespace.file_uuid(TarPlace { item, tar_offset }, &self.path, &sha256))
    }

    /// Whether the file is recorded with these bytes already, each of its copies there.
    pub fn is_unchanged(&self) -> bool {
        self.registered.as_ref().is_some_and(|file| file.unchanged)
    }

    /// Whether this item stores and records the file.
    pub fn needs_saving(&self) -> bool {
        self.kind.is_preserved() && !self.repeated && !self.is_unchanged()
    }

    /// Whether a step after Copy To Staging reads the staged file: Store copies what is saved, and the
    /// deposit record has the bytes of what is preserved nowhere else.
    pub fn needs_staging(&self) -> bool {
        self.digests.is_some() && (self.needs_saving() || !self.kind.is_preserved())
    }
}

/// How far pass one has come: everything before `tar_offset` is digested, staged and written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    pub schema: u16,
    /// A member boundary: where the next header block is.
    pub tar_offset: u64,
    /// The batch that is being filled, and how many records it holds.
    pub batch: BatchNumber,
    pub in_batch: u32,
    /// Over the first `tar_offset` bytes of the tar.
    pub crc64nvme: Crc64Nvme,
    /// What [`Received`] will say, so far.
    pub so_far: Received,
    pub findings: Findings,
    /// How far the member after `tar_offset` is digested, when it is a large one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inside: Option<Inside>,
}

/// A place inside a member's bytes, or in the padding after them. Nothing of the member is recorded yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inside {
    /// Where in the tar the member's bytes begin.
    pub data_offset: u64,
    /// Where in the tar the reading goes on.
    pub position: u64,
    /// Over the first `position` bytes of the tar.
    pub crc64nvme: Crc64Nvme,
    /// The saved states of the member's digests, in base64.
    pub digests: String,
}

#[cfg(test)]
mod tests;
