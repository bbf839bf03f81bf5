//! Whether a record that a client sends is complete and well formed.
//!
//! In the contract's wording (registry contract, 2.4): one `Field: message` line per fault. A word that
//! is none of a closed list is refused before, where the body is read.
//!
//! The registry asks this of what it is sent. The workers ask it of what they will send, before
//! anything is stored that could not be recorded.

use url::Url;

use super::{
    BATCH_MAX, Checksum, GenericFile, IntellectualObject, PremisEvent, StorageRecord, WorkItem,
};

/// The longest key that S3 has: whatever can be uploaded can have a work item. The original ends at
/// 1,000 (contract 2.4.7), and an upload with a longer key would wait in its bucket for ever.
const NAME_BYTES_MAX: usize = 1_024;

/// Contract 2.4.7. Far more than any bucket's name has.
const BUCKET_BYTES_MAX: usize = 1_000;

/// An md5, or the etag of a multipart upload: an md5, a hyphen and at most five digits.
const ETAG_BYTES: std::ops::RangeInclusive<usize> = 32..=40;

/// Long enough for every event the workers write; a note lists at most 30 findings.
pub const TEXT_BYTES_MAX: usize = 64 * 1024;

/// What is wrong with one record: at least one line, each `Field: message`.
#[derive(Clone, Debug, Default, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct Faults(Vec<&'static str>);

impl Faults {
    pub fn lines(&self) -> &[&'static str] {
        &self.0
    }
}

/// What is wrong with a batch of files as a whole.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BatchFault {
    #[error("a batch has at most {BATCH_MAX} files, not {0}")]
    TooLong(usize),
    #[error("the batch has this identifier twice")]
    Twice { index: usize, identifier: String },
}

/// Notes each fault whose condition does not hold.
macro_rules! require {
    ($faults:ident: $($fault:literal unless $good:expr;)+) => {
        $(if !$good { $faults.0.push($fault); })+
    };
}

fn verdict(faults: Faults) -> Result<(), Faults> {
    if faults.0.is_empty() {
        return Ok(());
    }
    Err(faults)
}

/// A work item.
pub fn item(item: &WorkItem) -> Result<(), Faults> {
    let mut faults = Faults::default();
    require! { faults:
        "Name: Name is required." unless (1..=NAME_BYTES_MAX).contains(&item.name.len());
        "ETag: ETag is required (32-40 bytes)." unless ETAG_BYTES.contains(&item.etag.len());
        "InstitutionID: InstitutionID is required." unless item.institution_id.0 > 0;
        "Bucket: Bucket is required." unless (1..=BUCKET_BYTES_MAX).contains(&item.bucket.len());
        "User: User must be a valid email address." unless is_email(&item.user);
        "BagDate: BagDate is required." unless item.bag_date.is_some();
        "Size: Size is too large." unless fits(item.size);
        "Note: Note is too long." unless short(&item.note) && short(&item.outcome);
        "Reason: Reason is too long." unless short(&item.reason);
    }
    verdict(faults)
}

/// An object, without its events.
pub fn object(object: &IntellectualObject) -> Result<(), Faults> {
    let mut faults = Faults::default();
    require! { faults:
        "Title: Title is required" unless filled(&object.title);
        "Identifier: Identifier is required" unless filled(&object.identifier);
        "InstitutionID: Invalid institution id" unless object.institution_id.0 > 0;
    }
    verdict(faults)
}

/// Whether a batch is small enough and names each file once.
pub fn batch(files: &[GenericFile]) -> Result<(), BatchFault> {
    if files.len() > BATCH_MAX {
        return Err(BatchFault::TooLong(files.len()));
    }
    let mut seen = std::collections::HashSet::new();
    for (index, file) in files.iter().enumerate() {
        if !seen.insert(file.identifier.as_str()) {
            return Err(BatchFault::Twice {
                index,
                identifier: file.identifier.clone(),
            });
        }
    }
    Ok(())
}

/// A file and its new children; those with an id are only an echo.
pub fn file(file: &GenericFile, object_identifier: &str) -> Result<(), Faults> {
    let belongs = file
        .identifier
        .strip_prefix(object_identifier)
        .and_then(|path| path.strip_prefix('/'))
        .is_some_and(|path| !path.is_empty());
    let mut faults = Faults::default();
    require! { faults:
        "FileFormat: FileFormat is required" unless filled(&file.file_format);
        "Size: Size is too large" unless fits(file.size);
        "Identifier: Identifier must begin with that of the object" unless belongs;
        "UUID: Valid UUID required" unless !file.uuid.is_nil();
    }
    for checksum in file.checksums.iter().filter(|child| child.id == 0) {
        push_checksum(&mut faults, checksum);
    }
    for record in file.storage_records.iter().filter(|child| child.id == 0) {
        push_storage_record(&mut faults, record);
    }
    for event in file.premis_events.iter().filter(|child| child.id == 0) {
        push_event(&mut faults, event);
    }
    verdict(faults)
}

/// An event whose institution and object are known, whether sent or filled in.
pub fn event(event: &PremisEvent) -> Result<(), Faults> {
    let mut faults = Faults::default();
    require! { faults:
        "InstitutionID: Event requires a valid institution id" unless event.institution_id.0 > 0;
        "IntellectualObjectID: Event requires a valid intellectual object id"
            unless event.intellectual_object_id > 0;
    }
    push_event(&mut faults, event);
    verdict(faults)
}

/// A copy that is sent by itself, of a file whose number is known.
pub fn storage_record(record: &StorageRecord) -> Result<(), Faults> {
    let mut faults = Faults::default();
    require! { faults:
        "GenericFileID: Storage record requires a valid file id" unless record.generic_file_id > 0;
    }
    push_storage_record(&mut faults, record);
    verdict(faults)
}

fn push_checksum(faults: &mut Faults, checksum: &Checksum) {
    let digest = &checksum.digest;
    let is_digest = digest.len() == checksum.algorithm.hex_len()
        && digest.bytes().all(|byte| byte.is_ascii_hexdigit());
    require! { faults:
        "DateTime: Checksum DateTime is required" unless checksum.datetime.is_some();
        "Digest: Checksum Digest is not one of its algorithm" unless is_digest;
    }
}

fn push_storage_record(faults: &mut Faults, record: &StorageRecord) {
    let is_address = Url::parse(&record.url).is_ok_and(|url| url.has_host());
    require! { faults:
        "URL: Storage record requires a valid URL" unless is_address;
    }
}

fn push_event(faults: &mut Faults, event: &PremisEvent) {
    require! { faults:
        "Agent: Event Agent cannot be empty" unless filled(&event.agent);
        "DateTime: Event DateTime is required" unless event.date_time.is_some();
        "Detail: Event Detail cannot be empty" unless filled(&event.detail);
        "Identifier: Event identifier should be a UUID" unless !event.identifier.is_nil();
        "Object: Event Object cannot be empty" unless filled(&event.object);
        "OutcomeDetail: Event OutcomeDetail cannot be empty"
            unless filled(&event.outcome_detail) && short(&event.outcome_detail);
        "OutcomeInformation: Event OutcomeInformation cannot be empty"
            unless filled(&event.outcome_information) && short(&event.outcome_information);
    }
}

fn filled(text: &str) -> bool {
    !text.trim().is_empty()
}

fn short(text: &str) -> bool {
    text.len() <= TEXT_BYTES_MAX
}

fn fits(bytes: u64) -> bool {
    i64::try_from(bytes).is_ok()
}

/// One `@` between two parts without spaces. The registry sends no mail to it.
fn is_email(text: &str) -> bool {
    text.split_once('@').is_some_and(|(user, host)| {
        !user.is_empty()
            && !host.is_empty()
            && !host.contains('@')
            && !text.contains(char::is_whitespace)
    })
}
