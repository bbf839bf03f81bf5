use super::*;

fn recorded(files: i64, storage_records: i64) -> Recorded {
    Recorded {
        intellectual_object_id: 7,
        files,
        storage_records,
    }
}

#[test]
fn nothing_is_cleaned_unless_the_registry_holds_what_was_recorded() {
    let saved = Saved {
        files: 3,
        copies: 6,
    };
    let rows = [
        ("all of it", recorded(3, 6), false),
        ("a file is missing", recorded(2, 6), true),
        ("a copy is missing", recorded(3, 5), true),
        ("nothing", recorded(0, 0), true),
        ("more than was recorded", recorded(4, 8), true),
        ("no number", recorded(-1, 6), true),
    ];

    for (name, recorded, differs) in rows {
        assert_eq!(difference(recorded, saved).is_some(), differs, "{name}");
    }
    let note = difference(recorded(2, 6), saved).expect("a difference");
    assert!(
        note.starts_with("the registry holds 2 files and 6 copies"),
        "{note}"
    );
    assert!(note.ends_with("Requeue the item at Record."), "{note}");
}
