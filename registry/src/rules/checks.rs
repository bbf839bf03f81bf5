//! Whether a record that a client sends is complete and well formed, in the contract's wording
//! (registry contract, 2.4): one `Field: message` line per fault.

use muniment_model::registry::{
    BATCH_MAX, Checksum, GenericFile, IntellectualObject, PremisEvent, StorageRecord, WorkItem,
};
use url::Url;

use super::Refusal;

/// The nine types that the contract's registry accepts.
const EVENT_TYPES: [&str; 9] = [
    "access assignment",
    "creation",
    "deletion",
    "message digest calculation",
    "fixity check",
    "identifier assignment",
    "ingestion",
    "replication",
    "validation",
];

/// `Failed` is what fixity checks of the original send and what its alerts look for.
const OUTCOMES: [&str; 3] = ["Success", "Failure", "Failed"];

const ACCESS: [&str; 3] = ["consortia", "institution", "restricted"];

/// The longest key that S3 has: whatever can be uploaded can have a work item. The original ends at
/// 1,000 (contract 2.4.7), and an upload with a longer key would wait in its bucket for ever.
const NAME_BYTES_MAX: usize = 1_024;

/// Contract 2.4.7. Far more than any bucket's name has.
const BUCKET_BYTES_MAX: usize = 1_000;

/// An md5, or the etag of a multipart upload: an md5, a hyphen and at most five digits.
const ETAG_BYTES: std::ops::RangeInclusive<usize> = 32..=40;

/// Long enough for every event the workers write; a note lists at most 30 findings.
const TEXT_BYTES_MAX: usize = 64 * 1024;

/// Collects the faults of one record.
#[derive(Default)]
struct Faults(Vec<&'static str>);

impl Faults {
    /// Each row: whether all is well, and what to say if not.
    fn add<const N: usize>(&mut self, rows: [(bool, &'static str); N]) {
        let bad = rows.into_iter().filter(|(good, _)| !good);
        self.0.extend(bad.map(|(_, fault)| fault));
    }

    fn verdict(self) -> Result<(), Refusal> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(Refusal::Invalid(self.0.join("\n")))
        }
    }
}

pub(crate) fn item(item: &WorkItem) -> Result<(), Refusal> {
    let mut faults = Faults::default();
    faults.add([
        (
            (1..=NAME_BYTES_MAX).contains(&item.name.len()),
            "Name: Name is required.",
        ),
        (
            ETAG_BYTES.contains(&item.etag.len()),
            "ETag: ETag is required (32-40 bytes).",
        ),
        (
            item.institution_id.0 > 0,
            "InstitutionID: InstitutionID is required.",
        ),
        (
            (1..=BUCKET_BYTES_MAX).contains(&item.bucket.len()),
            "Bucket: Bucket is required.",
        ),
        (
            is_email(&item.user),
            "User: User must be a valid email address.",
        ),
        (item.bag_date.is_some(), "BagDate: BagDate is required."),
        (fits(item.size), "Size: Size is too large."),
        (
            item.note.len() <= TEXT_BYTES_MAX && item.outcome.len() <= TEXT_BYTES_MAX,
            "Note: Note is too long.",
        ),
    ]);
    faults.verdict()
}

pub(crate) fn object(object: &IntellectualObject) -> Result<(), Refusal> {
    let mut faults = Faults::default();
    faults.add([
        (filled(&object.title), "Title: Title is required"),
        (
            filled(&object.identifier),
            "Identifier: Identifier is required",
        ),
        (
            ACCESS.contains(&object.access.as_str()),
            "Access: Invalid access value",
        ),
        (
            object.institution_id.0 > 0,
            "InstitutionID: Invalid institution id",
        ),
        (is_state(&object.state), "State: State must be 'A' or 'D'."),
    ]);
    faults.verdict()
}

/// Whether a batch is small enough and names each file once.
pub(crate) fn batch(files: &[GenericFile]) -> Result<(), Refusal> {
    if files.len() > BATCH_MAX {
        return Err(Refusal::Invalid(format!(
            "a batch has at most {BATCH_MAX} files, not {}",
            files.len()
        )));
    }
    let mut seen = std::collections::HashSet::new();
    for (index, file) in files.iter().enumerate() {
        if !seen.insert(file.identifier.as_str()) {
            let twice = Refusal::Invalid("the batch has this identifier twice".to_owned());
            return Err(twice.at(index, &file.identifier));
        }
    }
    Ok(())
}

/// A file and its new children; those with an id are only an echo. `object_identifier` is that of the object it names.
pub(crate) fn file(file: &GenericFile, object_identifier: &str) -> Result<(), Refusal> {
    let belongs = file
        .identifier
        .strip_prefix(object_identifier)
        .and_then(|path| path.strip_prefix('/'))
        .is_some_and(|path| !path.is_empty());
    let mut faults = Faults::default();
    faults.add([
        (
            filled(&file.file_format),
            "FileFormat: FileFormat is required",
        ),
        (fits(file.size), "Size: Size is too large"),
        (
            belongs,
            "Identifier: Identifier must begin with that of the object",
        ),
        (is_state(&file.state), "State: State must be 'A' or 'D'."),
        (!file.uuid.is_nil(), "UUID: Valid UUID required"),
    ]);
    for checksum in file.checksums.iter().filter(|child| child.id == 0) {
        push_checksum(&mut faults, checksum);
    }
    for record in file.storage_records.iter().filter(|child| child.id == 0) {
        push_storage_record(&mut faults, record);
    }
    for event in file.premis_events.iter().filter(|child| child.id == 0) {
        push_event(&mut faults, event);
    }
    faults.verdict()
}

/// An event whose institution and object are known, whether sent or filled in.
pub(crate) fn event(event: &PremisEvent) -> Result<(), Refusal> {
    if event.id != 0 {
        return Err(Refusal::WrittenOnce);
    }
    let mut faults = Faults::default();
    faults.add([
        (
            event.institution_id.0 > 0,
            "InstitutionID: Event requires a valid institution id",
        ),
        (
            event.intellectual_object_id > 0,
            "IntellectualObjectID: Event requires a valid intellectual object id",
        ),
    ]);
    push_event(&mut faults, event);
    faults.verdict()
}

pub(crate) fn storage_record(record: &StorageRecord) -> Result<(), Refusal> {
    if record.id != 0 {
        return Err(Refusal::WrittenOnce);
    }
    let mut faults = Faults::default();
    faults.add([(
        record.generic_file_id > 0,
        "GenericFileID: Storage record requires a valid file id",
    )]);
    push_storage_record(&mut faults, record);
    faults.verdict()
}

fn push_checksum(faults: &mut Faults, checksum: &Checksum) {
    let digest = &checksum.digest;
    faults.add([
        (
            checksum.datetime.is_some(),
            "DateTime: Checksum DateTime is required",
        ),
        (
            digest.len() == checksum.algorithm.hex_len()
                && digest.bytes().all(|byte| byte.is_ascii_hexdigit()),
            "Digest: Checksum Digest is not one of its algorithm",
        ),
    ]);
}

fn push_storage_record(faults: &mut Faults, record: &StorageRecord) {
    faults.add([(
        Url::parse(&record.url).is_ok_and(|url| url.has_host()),
        "URL: Storage record requires a valid URL",
    )]);
}

fn push_event(faults: &mut Faults, event: &PremisEvent) {
    let short = |text: &str| text.len() <= TEXT_BYTES_MAX;
    faults.add([
        (filled(&event.agent), "Agent: Event Agent cannot be empty"),
        (
            event.date_time.is_some(),
            "DateTime: Event DateTime is required",
        ),
        (
            filled(&event.detail),
            "Detail: Event Detail cannot be empty",
        ),
        (
            EVENT_TYPES.contains(&event.event_type.as_str()),
            "EventType: Event requires a valid EventType",
        ),
        (
            !event.identifier.is_nil(),
            "Identifier: Event identifier should be a UUID",
        ),
        (
            filled(&event.object),
            "Object: Event Object cannot be empty",
        ),
        (
            OUTCOMES.contains(&event.outcome.as_str()),
            "Outcome: Event requires a valid Outcome value",
        ),
        (
            filled(&event.outcome_detail) && short(&event.outcome_detail),
            "OutcomeDetail: Event OutcomeDetail cannot be empty",
        ),
        (
            filled(&event.outcome_information) && short(&event.outcome_information),
            "OutcomeInformation: Event OutcomeInformation cannot be empty",
        ),
    ]);
}

fn filled(text: &str) -> bool {
    !text.trim().is_empty()
}

fn is_state(state: &str) -> bool {
    matches!(state, "A" | "D")
}

fn fits(bytes: u64) -> bool {
    i64::try_from(bytes).is_ok()
}

/// One `@` between two parts without spaces. The registry sends no mail to it.
fn is_email(text: &str) -> bool {
    match text.split_once('@') {
        Some((user, host)) => {
            !user.is_empty()
                && !host.is_empty()
                && !host.contains('@')
                && !text.contains(char::is_whitespace)
        }
        None => false,
    }
}

#[cfg(test)]
mod tests;
