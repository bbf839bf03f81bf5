use muniment_model::{Algorithm, FormatMatch, MemberKind};
use muniment_testkit::records::{file, manifest, object};
use uuid::Uuid;

use super::*;

const NAMESPACE: Namespace = Namespace(Uuid::from_u128(7));

fn checked(object: &ObjectRecord, files: &[FileRecord]) -> Result<Findings, JobError> {
    let mut check = RowCheck::new(NAMESPACE, object, DateTime::UNIX_EPOCH);
    check.object()?;
    check.batch(files)?;
    Ok(check.finish())
}

#[test]
fn what_the_depositor_gave_and_the_registry_refuses_is_a_finding() {
    let good = object(vec![manifest(Algorithm::Md5)]);
    let untitled = ObjectRecord {
        metadata: Some(BagMetadata::default()),
        ..good.clone()
    };
    let fine = file("data/a.txt", MemberKind::Payload, &[]);
    let huge = FileRecord {
        size: u64::MAX,
        ..fine.clone()
    };
    let rows = [
        (&good, &fine, ""),
        (
            &good,
            &huge,
            "File test.edu/photos/data/a.txt cannot be recorded: Size: Size is too large",
        ),
        (
            &untitled,
            &fine,
            "The object cannot be recorded: Title: Title is required",
        ),
    ];

    for (object, file, expected) in rows {
        let findings = checked(object, std::slice::from_ref(file)).expect("judged");
        assert_eq!(findings.note(), expected);
    }
}

#[test]
fn a_row_that_is_refused_for_what_we_made_of_it_halts() {
    let unnamed = FileRecord {
        format: Some(FormatMatch {
            media_type: " ".to_owned(),
            basis: "signature".to_owned(),
        }),
        ..file("data/a.txt", MemberKind::Payload, &[])
    };

    let judged = checked(&object(Vec::new()), &[unnamed]);

    assert!(matches!(judged, Err(JobError::Halt { .. })), "{judged:?}");
}
