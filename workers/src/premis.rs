//! The PREMIS events of an ingest (PREMIS 3.0; texts and counts: worker contract, 1.11, with its
//! table of differences).
//!
//! Events are derived from the records each time they are needed, and so are their identifiers, so
//! recording them twice records them once.

use chrono::{DateTime, Utc};
use muniment_model::registry::{EventOutcome, EventType, PremisEvent};
use muniment_model::{
    Algorithm, Digests, FileRecord, MemberKind, Namespace, ObjectRecord, TarPlace,
};
use uuid::Uuid;

/// Identifies the agent of every event: the product, with its version.
const AGENT: &str = concat!("https://muniment.org/", env!("CARGO_PKG_VERSION"));

/// What performed an event: our component, and the library that did it, with their versions. A test
/// compares the libraries' with the lock file.
mod instrument {
    pub(super) const RECORDER: &str =
        concat!("Muniment ingest_recorder ", env!("CARGO_PKG_VERSION"));
    pub(super) const STORE: &str = concat!(
        "Muniment ingest_preservation_uploader ",
        env!("CARGO_PKG_VERSION"),
        " with aws-sdk-s3 1.157.0"
    );
    pub(super) const VALIDATOR: &str =
        concat!("Muniment ingest_validator ", env!("CARGO_PKG_VERSION"));
    pub(super) const MD5: &str = concat!(
        "Muniment ingest_pre_fetch ",
        env!("CARGO_PKG_VERSION"),
        " with RustCrypto md-5 0.11.0"
    );
    pub(super) const SHA1: &str = concat!(
        "Muniment ingest_pre_fetch ",
        env!("CARGO_PKG_VERSION"),
        " with RustCrypto sha1 0.11.0"
    );
    pub(super) const SHA2: &str = concat!(
        "Muniment ingest_pre_fetch ",
        env!("CARGO_PKG_VERSION"),
        " with RustCrypto sha2 0.11.1"
    );
}

/// Makes the events of one item.
pub(crate) struct Events<'a> {
    pub(crate) namespace: Namespace,
    pub(crate) object: &'a ObjectRecord,
    /// The registry's number of the object; 0 before it is recorded.
    pub(crate) object_id: i64,
    pub(crate) now: DateTime<Utc>,
}

/// Where a file is kept.
pub(crate) struct Kept {
    pub(crate) uuid: Uuid,
    /// Of its copies, the primary one first.
    pub(crate) urls: Vec<String>,
}

/// What an event is about: the object, or a file of it.
struct Subject<'a> {
    identifier: &'a str,
    /// Of the file's header; 0 for the object.
    tar_offset: u64,
}

struct Text<'a> {
    event_type: EventType,
    instrument: &'static str,
    detail: String,
    outcome_detail: &'a str,
    outcome_information: &'a str,
}

impl Events<'_> {
    /// Four for a first ingest, two for a re-ingest.
    /// `methods` names how the copies were confirmed.
    pub(crate) fn of_object(&self, methods: &str) -> Vec<PremisEvent> {
        let identifier = self.object.identifier.as_str();
        let subject = Subject {
            identifier,
            tar_offset: 0,
        };
        let files = self.object.received.as_ref().map_or(0, |seen| seen.files);
        let copied = format!("{files} files copied");
        let access = self
            .object
            .metadata
            .as_ref()
            .map_or("", |metadata| metadata.access.as_str());
        let set_access = format!("Set access to {access}");
        let method = format!("Put and confirmed ({methods})");
        let mut texts = Vec::new();
        if self.object.registered.is_none() {
            texts.push(Text {
                event_type: EventType::Creation,
                instrument: instrument::RECORDER,
                detail: "Object created".to_owned(),
                outcome_detail: "Intellectual object created",
                outcome_information: "Object created, files copied to preservation storage",
            });
            texts.push(Text {
                event_type: EventType::IdentifierAssignment,
                instrument: instrument::RECORDER,
                detail: format!("Assigned object identifier {identifier}"),
                outcome_detail: identifier,
                outcome_information: "Institution domain + tar file name",
            });
        }
        texts.push(Text {
            event_type: EventType::Ingestion,
            instrument: instrument::STORE,
            detail: "Copied files to preservation storage".to_owned(),
            outcome_detail: &copied,
            outcome_information: &method,
        });
        texts.push(Text {
            event_type: EventType::AccessAssignment,
            instrument: instrument::RECORDER,
            detail: "Assigned object access rights".to_owned(),
            outcome_detail: access,
            outcome_information: &set_access,
        });
        texts
            .into_iter()
            .map(|text| self.event(&subject, self.now, text))
            .collect()
    }

    /// The events of one file, in the order of the contract.
    pub(crate) fn of_file(
        &self,
        file: &FileRecord,
        digests: &Digests,
        kept: &Kept,
    ) -> Vec<PremisEvent> {
        let identifier = self.object.identifier.file(&file.path);
        let subject = Subject {
            identifier: &identifier,
            tar_offset: file.tar_offset,
        };
        let digested_at = file.digested_at.unwrap_or(self.now);
        let mut events = Vec::new();
        for algorithm in self.manifests_listing(file) {
            let digest = format!("{algorithm}:{}", digests.hex(algorithm));
            events.push(self.event(
                &subject,
                digested_at,
                Text {
                    event_type: EventType::FixityCheck,
                    instrument: instrument::VALIDATOR,
                    detail: "Fixity check against registered hash".to_owned(),
                    outcome_detail: &digest,
                    outcome_information: "Fixity matches",
                },
            ));
        }
        for algorithm in Algorithm::ALL {
            let digest = format!("{algorithm}:{}", digests.hex(algorithm));
            events.push(self.event(
                &subject,
                digested_at,
                Text {
                    event_type: EventType::MessageDigestCalculation,
                    instrument: instrument_of(algorithm),
                    detail: "Calculated fixity value".to_owned(),
                    outcome_detail: &digest,
                    outcome_information: "Calculated fixity value",
                },
            ));
        }
        events.extend(self.of_storage(file, &subject, digests, kept));
        events
    }

    fn of_storage(
        &self,
        file: &FileRecord,
        subject: &Subject<'_>,
        digests: &Digests,
        Kept { uuid, urls }: &Kept,
    ) -> Vec<PremisEvent> {
        // Copies are in the order in which they were made; one that was lost is made again after the
        // others. A file is ingested with the first of them and replicated with the last.
        let times = || file.copies.iter().map(|copy| copy.stored_at);
        let ingested_at = times().min().unwrap_or(self.now);
        let replicated_at = times().max().unwrap_or(self.now);
        let md5 = format!("md5:{}", digests.hex(Algorithm::Md5));
        let mut texts = vec![(
            ingested_at,
            Text {
                event_type: EventType::Ingestion,
                instrument: instrument::STORE,
                detail: format!("Completed copy to preservation storage ({uuid})"),
                outcome_detail: &md5,
                outcome_information: "Put using md5 checksum",
            },
        )];
        if let [_, replica, ..] = urls.as_slice() {
            texts.push((
                replicated_at,
                Text {
                    event_type: EventType::Replication,
                    instrument: instrument::STORE,
                    detail: "Copied to replication storage and assigned replication URL identifier"
                        .to_owned(),
                    outcome_detail: replica,
                    outcome_information: "Replicated to secondary storage",
                },
            ));
        }
        if file.registered.is_none() {
            texts.push((
                self.now,
                Text {
                    event_type: EventType::IdentifierAssignment,
                    instrument: instrument::RECORDER,
                    detail: "Assigned new institution.bag/path identifier".to_owned(),
                    outcome_detail: subject.identifier,
                    outcome_information: "Assigned bag/filepath identifier",
                },
            ));
            if let Some(primary) = urls.first() {
                texts.push((
                    self.primary_stored_at(file).unwrap_or(ingested_at),
                    Text {
                        event_type: EventType::IdentifierAssignment,
                        instrument: instrument::STORE,
                        detail: "Assigned new storage URL identifier".to_owned(),
                        outcome_detail: primary,
                        outcome_information: "Assigned url identifier",
                    },
                ));
            }
        }
        texts
            .into_iter()
            .map(|(at, text)| self.event(subject, at, text))
            .collect()
    }

    fn primary_stored_at(&self, file: &FileRecord) -> Option<DateTime<Utc>> {
        let primary = self.object.storage_option().targets().first()?;
        let mut copies = file.copies.iter();
        let copy = copies.find(|copy| copy.target == *primary)?;
        Some(copy.stored_at)
    }

    /// A payload file that was accepted is in every payload manifest. Tag manifests do not count.
    fn manifests_listing(&self, file: &FileRecord) -> Vec<Algorithm> {
        if file.kind != MemberKind::Payload {
            return Vec::new();
        }
        let manifests = self.object.received.iter().flat_map(|seen| &seen.manifests);
        manifests
            .filter(|manifest| !manifest.of_tags)
            .map(|manifest| manifest.algorithm)
            .collect()
    }

    fn event(&self, subject: &Subject<'_>, at: DateTime<Utc>, text: Text<'_>) -> PremisEvent {
        PremisEvent {
            id: 0,
            agent: AGENT.to_owned(),
            date_time: Some(at),
            detail: text.detail,
            event_type: text.event_type,
            generic_file_id: 0,
            identifier: self.namespace.event_uuid(
                TarPlace {
                    item: self.object.item,
                    tar_offset: subject.tar_offset,
                },
                subject.identifier,
                text.event_type.as_str(),
                text.outcome_detail,
            ),
            institution_id: self.object.institution_id,
            intellectual_object_id: self.object_id,
            object: text.instrument.to_owned(),
            old_uuid: String::new(),
            outcome: EventOutcome::Success,
            outcome_detail: text.outcome_detail.to_owned(),
            outcome_information: text.outcome_information.to_owned(),
            created_at: None,
            updated_at: None,
        }
    }
}

fn instrument_of(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::Md5 => instrument::MD5,
        Algorithm::Sha1 => instrument::SHA1,
        Algorithm::Sha256 | Algorithm::Sha512 => instrument::SHA2,
    }
}

#[cfg(test)]
mod tests;
