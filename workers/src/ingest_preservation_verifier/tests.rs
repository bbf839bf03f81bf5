use super::*;

fn faults(count: usize) -> Vec<String> {
    (0..count)
        .map(|number| format!("standard-or has no copy of data/{:03}", count - number))
        .collect()
}

#[test]
fn no_fault_is_no_halt() {
    assert!(or_halt(Vec::new()).is_ok());
}

/// Files are looked at side by side: the note must be the same every time.
#[test]
fn faults_are_told_in_order_up_to_a_limit_with_what_to_do() {
    let rows = [(1, None), (30, None), (42, Some("and 12 more"))];

    for (count, more) in rows {
        let Err(JobError::Halt { note }) = or_halt(faults(count)) else {
            panic!("{count} faults");
        };
        assert!(
            note.starts_with("standard-or has no copy of data/001"),
            "{note}"
        );
        assert!(note.ends_with("Requeue the item at Store to make missing copies again."));
        assert_eq!(note.contains("more"), more.is_some(), "{note}");
        assert!(more.is_none_or(|more| note.contains(more)), "{note}");
    }
}

/// A copy too many is not a copy too few.
#[test]
fn every_wanted_target_has_to_be_named_and_no_other() {
    use StorageTarget::{StandardOr, StandardVa, WasabiVa};
    let wanted = [StandardVa, StandardOr];
    let rows: [(&[StorageTarget], bool); 4] = [
        (&[StandardVa, StandardOr], true),
        (&[WasabiVa, StandardOr, StandardVa], true),
        (&[StandardVa], false),
        (&[StandardVa, WasabiVa], false),
    ];

    for (held, expected) in rows {
        let mut copies: Vec<_> = held.iter().map(|target| copy_in(*target)).collect();
        assert_eq!(prune(&mut copies, &wanted), expected, "{held:?}");
        let mut kept = copies.iter().map(|copy| copy.target);
        assert!(kept.all(|target| wanted.contains(&target)), "{held:?}");
    }
}

fn copy_in(target: StorageTarget) -> StoredCopy {
    StoredCopy {
        target,
        stored_at: chrono::DateTime::UNIX_EPOCH,
        verified_at: None,
        verification_method: None,
    }
}
