//! The events that an item will have recorded, as far as its work records tell: for an operator who looks at
//! an item on its way.
//!
//! They are made by what Record makes them with, so nothing else can be said here than will be recorded. Of
//! what is made only the types are told: these and their number depend neither on the installation nor on
//! the time. It reads and writes nothing.

use chrono::DateTime;
use muniment_model::registry::{EventType, PremisEvent};
use muniment_model::{FileRecord, Namespace, ObjectRecord};
use uuid::Uuid;

use crate::premis::{Events, Kept};

/// Those of the object itself; none once the item has recorded it.
pub fn of_object(object: &ObjectRecord) -> Vec<EventType> {
    if object.recorded_id.is_some() {
        return Vec::new();
    }
    types(events(object).of_object(""))
}

/// Those of one file; none of what this item does not record. Whether Record has been there already is
/// known of its batch.
pub fn of_file(object: &ObjectRecord, file: &FileRecord) -> Vec<EventType> {
    let Some(digests) = file.digests.filter(|_| file.needs_saving()) else {
        return Vec::new();
    };
    let targets = object.storage_option().targets().iter();
    let kept = Kept {
        uuid: Uuid::nil(),
        urls: targets.map(ToString::to_string).collect(),
    };
    types(events(object).of_file(file, &digests, &kept))
}

fn events(object: &ObjectRecord) -> Events<'_> {
    Events {
        namespace: Namespace(Uuid::nil()),
        object,
        object_id: 0,
        now: DateTime::UNIX_EPOCH,
    }
}

fn types(events: Vec<PremisEvent>) -> Vec<EventType> {
    events.into_iter().map(|event| event.event_type).collect()
}

#[cfg(test)]
mod tests {
    use muniment_model::{Algorithm, MemberKind, RegisteredFile};
    use muniment_testkit::records::{file, manifest, object};

    use super::*;

    #[test]
    fn a_file_has_those_that_record_will_make_before_it_is_stored() {
        let object = object(vec![manifest(Algorithm::Md5), manifest(Algorithm::Sha256)]);
        let stored = file("data/a.txt", MemberKind::Payload, &[]);
        let unchanged = RegisteredFile {
            id: 1,
            uuid: Uuid::from_u128(2),
            unchanged: true,
        };
        let rows = [
            ("payload", stored.clone(), 10),
            ("a folder", file("data", MemberKind::Directory, &[]), 0),
            (
                "a manifest",
                file("manifest-md5.txt", MemberKind::Manifest, &[]),
                0,
            ),
            (
                "unchanged",
                FileRecord {
                    registered: Some(unchanged),
                    ..stored.clone()
                },
                0,
            ),
            (
                "not digested",
                FileRecord {
                    digests: None,
                    ..stored
                },
                0,
            ),
        ];

        for (name, file, expected) in rows {
            assert_eq!(of_file(&object, &file).len(), expected, "{name}");
        }
    }

    #[test]
    fn an_object_has_four_until_it_is_recorded() {
        let recorded = object(Vec::new());
        let not_yet = ObjectRecord {
            recorded_id: None,
            ..recorded.clone()
        };

        assert_eq!(of_object(&not_yet).len(), 4);
        assert_eq!(of_object(&recorded), []);
    }
}
