//! Archives that are cut short, and files that are no archives.

use super::*;

#[test]
fn a_cut_anywhere_but_at_a_member_boundary_is_truncation() {
    let tar = archive(&[
        Entry::directory("bag/"),
        Entry::file(format!("bag/{}", "n".repeat(700)), vec![1; 700]),
        Entry::file("bag/b", vec![2; 1024]).in_gnu_form(),
    ]);
    let seen = read(&tar);
    let ends: Vec<usize> = boundaries(&seen)
        .into_iter()
        .map(|(_, offset)| offset)
        .collect();
    let one_end_block = tar.len() - BLOCK;

    for cut in 1..tar.len() {
        let mut findings = Findings::default();
        match read(&tar[..cut]).pop() {
            Some(Seen::Failed(fault)) => fault.report(&mut findings),
            Some(Seen::Finished(end)) => end.report(&mut findings),
            other => panic!("cut at {cut}: {other:?}"),
        }
        let expected = match cut {
            // Nothing tells such a stub from any other file.
            ..262 => FindingCode::NotATar,
            _ if cut == one_end_block || ends.contains(&cut) => FindingCode::TarEndMissing,
            _ => FindingCode::TarTruncated,
        };
        let codes: Vec<FindingCode> = findings.iter().map(|finding| finding.code).collect();
        assert_eq!(codes, [expected], "cut at {cut}");
    }
}

#[test]
fn an_input_that_stops_early_is_truncation_everywhere() {
    let tar = archive(&[Entry::file("bag/a", vec![1; 700])]);

    for cut in 0..tar.len() {
        let seen = drive(TarReader::new(tar.len() as u64), [&tar[..cut]]);
        let fault = Seen::Failed(TarFault::Interrupted {
            position: cut as u64,
            tar_size: tar.len() as u64,
        });
        assert_eq!(seen.last(), Some(&fault), "cut at {cut}");
    }
}

#[test]
fn a_file_of_another_kind_is_named() {
    let zeros = vec![0; 600];
    let rows: [(&[u8], &str); 12] = [
        (b"", "The file is empty (0 bytes), not a tar file"),
        (b"\x1f\x8b\x08", "The file is a gzip file, not a tar file"),
        (b"PK\x03\x04", "The file is a zip file, not a tar file"),
        (
            b"\x28\xb5\x2f\xfd",
            "The file is a zstd file, not a tar file",
        ),
        (b"\xfd7zXZ\0", "The file is an xz file, not a tar file"),
        (b"BZh91AY", "The file is a bzip2 file, not a tar file"),
        (
            b"7z\xbc\xaf\x27\x1c",
            "The file is a 7z file, not a tar file",
        ),
        (b"%PDF-1.7", "The file is a PDF file, not a tar file"),
        (b"hello\n", "The file is a text file, not a tar file"),
        (
            b"\0\x01\x02",
            "The file is shorter than one tar header, not a tar file",
        ),
        (
            &[0xee; 700],
            "The file is of an unknown kind, not a tar file",
        ),
        (
            &zeros,
            "The tar file is cut short: it ends at byte 600, in the middle of a header",
        ),
    ];

    for (bytes, message) in rows {
        assert_eq!(fault_of(bytes).to_string(), message);
    }
}

#[test]
fn z12_a_large_file_of_another_kind_is_named_by_its_first_block() {
    let text = "ä text. ".repeat(200);
    let gzip = [&b"\x1f\x8b\x08\0"[..], &[0x55; 9000]].concat();

    // The cut after 512 bytes may fall inside a letter.
    assert_eq!(
        fault_of(&text.as_bytes()[..1200]),
        TarFault::NotATar(Lookalike::Text)
    );
    assert_eq!(fault_of(&gzip), TarFault::NotATar(Lookalike::Gzip));
}

#[test]
fn a_lone_zero_block_is_damage() {
    let file = Entry::file("bag/a", "hello").to_bytes();
    let tar = [&file[..], &[0; 512], &file, &END].concat();

    assert_eq!(fault_of(&tar), TarFault::LoneZeroBlock { offset: 1024 });
}

#[test]
fn a_tar_without_members_is_empty() {
    let comment = Entry::global_pax("comment", "nothing").to_bytes();
    let rows = [
        ("two blocks", END.to_vec()),
        ("one block", vec![0; 512]),
        ("a record", vec![0; 10_240]),
        ("a comment only", [&comment[..], &END].concat()),
    ];

    for (name, tar) in rows {
        assert_eq!(fault_of(&tar), TarFault::Empty, "{name}");
    }
}
