//! Archives that are damaged, or made to be read in two ways.

use muniment_model::Finding;

use super::*;

#[test]
fn members_with_two_sizes_are_refused() {
    let file = || Entry::file("bag/a", "hello");
    let link = Entry::hard_link("bag/b", "bag/a").claiming(5);
    let rows = [
        ("PAX and header", vec![file().pax("size", "4")]),
        ("a directory", vec![Entry::of_type(b'5', "bag/", "x")]),
        ("a name of a directory", vec![Entry::file("bag/", "x")]),
        ("a hard link", vec![link, file()]),
        ("a device", vec![Entry::character_device("b").claiming(5)]),
    ];

    for (name, entries) in rows {
        let code = fault_of(&archive(&entries)).code();
        assert_eq!(code, FindingCode::TarSizesDisagree, "{name}");
    }
}

#[test]
fn headers_that_readers_put_together_differently_are_refused() {
    let file = || Entry::file("bag/a", "hello");
    let x = |path: &str| Entry::of_type(b'x', "h", format!("9 path={path}\n"));
    let gnu = |name: &str| Entry::of_type(b'L', "././@LongLink", name);
    let link = || Entry::of_type(b'K', "././@LongLink", "target\0");
    let comment = || Entry::global_pax("comment", "c");
    let rows = [
        ("two PAX headers", vec![x("a"), x("b"), file()]),
        ("two long names", vec![gnu("a\0"), gnu("b\0"), file()]),
        ("two long targets", vec![link(), link(), file()]),
        ("two kinds of names", vec![gnu("a\0"), x("b"), file()]),
        ("a global header between", vec![x("a"), comment(), file()]),
        ("no member after", vec![file(), x("a")]),
    ];

    for (name, entries) in rows {
        let code = fault_of(&archive(&entries)).code();
        assert_eq!(code, FindingCode::TarDamaged, "{name}");
    }
}

/// GNU tar has times where ustar has the beginning of a name, and only for incremental archives. Python's
/// tarfile takes them for that all the same.
#[test]
fn what_some_readers_take_for_the_beginning_of_a_name_is_refused() {
    let header = |mut header: ::tar::Header| {
        header.set_path("bag/a").expect("fits");
        header.set_size(0);
        header.as_mut_bytes()[345..357].copy_from_slice(b"00000000001\0");
        header.set_cksum();
        header
    };
    let long = Entry::of_type(b'L', "././@LongLink", "bag/b\0").to_bytes();
    let x = Entry::of_type(b'x', "h", "14 path=bag/c\n").to_bytes();

    for form in [::tar::Header::new_gnu(), ::tar::Header::new_old()] {
        let times = header(form);
        let alone = fault_of(&[times.as_bytes(), &END[..]].concat());
        assert_eq!(alone, TarFault::NamesDisagree { offset: 0 });
        // A name that comes before the header is that of all readers.
        let tar = [&long[..], times.as_bytes(), &x, times.as_bytes(), &END].concat();
        let names = members(&tar).into_iter().map(|member| member.raw_path);
        assert_eq!(names.collect::<Vec<_>>(), [b"bag/b", b"bag/c"]);
    }
}

/// A name that is cut after a slash says folder. Python's tarfile then takes the bytes of the file for
/// headers.
#[test]
fn a_file_that_is_a_folder_by_its_cut_name_is_refused() {
    let hidden = Entry::file("bag/hidden", "x").to_bytes();
    let cut = || Entry::of_type(0, "bag/d/", hidden.clone());
    let long = |name: &str| Entry::of_type(b'L', "././@LongLink", name);
    let rows = [
        ("GNU", vec![long("bag/d/file\0"), cut()]),
        ("PAX", vec![cut().pax("path", "bag/d/file")]),
    ];

    for (name, entries) in rows {
        let code = fault_of(&archive(&entries)).code();
        assert_eq!(code, FindingCode::TarDamaged, "{name}");
    }
    let folder = [long("bag/d/e/\0"), Entry::of_type(0, "bag/d/", "")];
    assert_eq!(members(&archive(&folder))[0].kind, EntryKind::Directory);
}

/// GNU tar reads a long name, and Python's tarfile records too, beyond the size that the header gives.
#[test]
fn what_goes_on_behind_the_body_of_a_header_is_refused() {
    let rows = [
        (b'L', "bag/b", "c"),
        (b'x', "14 path=bag/b\n", "14 path=bag/c\n"),
        (b'g', "12 comment=\n", "12 comment=\n"),
    ];

    for (letter, body, behind) in rows {
        let size = body.len() as u64;
        let whole = format!("{body}{behind}");
        let header = |bytes: &str| Entry::of_type(letter, "h", bytes).claiming(size);
        let tar = |bytes: &str| archive(&[header(bytes), Entry::file("bag/a", "hello")]);

        assert_eq!(
            fault_of(&tar(&whole)).code(),
            FindingCode::TarDamaged,
            "{body}"
        );
        assert_eq!(members(&tar(body)).len(), 1, "{body}");
    }
}

#[test]
fn headers_that_agree_are_put_together() {
    let tar = archive(&[
        Entry::global_pax("comment", "made by a tool"),
        Entry::of_type(b'L', "././@LongLink", "bag/a\0"),
        Entry::of_type(b'x', "h", "14 path=bag/a\n"),
        Entry::of_type(b'K', "././@LongLink", "target\0"),
        Entry::file("cut", "hello"),
    ]);

    assert_eq!(members(&tar)[0].raw_path, b"bag/a");
}

#[test]
fn global_headers_may_not_change_what_members_are() {
    for key in [
        "path",
        "size",
        "linkpath",
        "GNU.sparse.major",
        "SUN.holesdata",
    ] {
        let tar = archive(&[Entry::global_pax(key, "1"), Entry::file("bag/a", "hello")]);

        let fault = fault_of(&tar);

        assert_eq!(fault.code(), FindingCode::TarGlobalHeader, "{key}");
        assert!(
            fault.to_string().contains(&format!("sets {key} ")),
            "{fault}"
        );
    }
}

#[test]
fn malformed_pax_records_are_refused() {
    let rows = [
        ("no length", "path=a\n"),
        ("a short length", "8 path=a\n"),
        ("a long length", "11 path=a\n"),
        ("an absurd length", "99999999999999999999 path=a\n"),
        ("a signed length", "+9 path=a\n"),
        ("a length of nothing", "0 path=a\n"),
        ("no equals sign", "9 path:a\n"),
        ("no key", "5 =a\n"),
        ("no line end", "9 path=ab"),
        ("bytes after", "9 path=a\n\n"),
        ("an empty path", "8 path=\n"),
        ("a negative size", "11 size=-5\n"),
        ("a size of 2^63", "28 size=9223372036854775808\n"),
        ("an empty size", "8 size=\n"),
    ];

    for (name, body) in rows {
        for letter in [b'x', b'g'] {
            let header = Entry::of_type(letter, "h", body);
            let fault = fault_of(&archive(&[header, Entry::file("bag/a", "hello")]));
            let codes = [FindingCode::TarDamaged, FindingCode::TarGlobalHeader];
            assert!(codes.contains(&fault.code()), "{name}: {fault}");
        }
    }
}

#[test]
fn size_fields_that_no_file_can_have_are_refused() {
    let base_256 = |first: u8, size: u64| {
        let mut field = [0; 12];
        field[0] = first;
        field[4..].copy_from_slice(&size.to_be_bytes());
        field
    };
    let mut beyond_64_bits = base_256(0x80, 5);
    beyond_64_bits[2] = 1;
    let rows = [
        ("negative", base_256(0xff, u64::MAX)),
        ("2^63", base_256(0x80, 1 << 63)),
        ("beyond 64 bits", beyond_64_bits),
        ("another marker", base_256(0x81, 5)),
        ("letters", *b"0000000000z\0"),
        ("decimal", *b"00000000008\0"),
        ("signed", *b"+0000000005\0"),
        ("blank", *b"            "),
        ("two numbers", *b"0000000005 7"),
    ];

    for (name, field) in rows {
        let tar = archive(&[Entry::file("bag/a", "hello").with_size_field(field)]);
        assert_eq!(
            fault_of(&tar),
            TarFault::ImpossibleSize { offset: 0 },
            "{name}"
        );
    }
}

/// GNU tar passes over the zero byte and reads the number; for who reads 0, the content is members.
#[test]
fn a_size_behind_zero_bytes_is_refused_by_name() {
    let rows = [
        *b"\x0000000002000",
        *b"\0\0\0\0\0\x002000\0\0",
        *b"  \x0000002000\0",
    ];
    let inner = Entry::file("bag/hidden", "x").to_bytes();

    for field in rows {
        let file = Entry::file("bag/a", inner.clone()).with_size_field(field);
        let fault = fault_of(&archive(&[file]));
        assert_eq!(fault.code(), FindingCode::TarSizesDisagree, "{field:?}");
        assert!(fault.to_string().contains("bag/a"), "{fault}");
    }
    let empty = Entry::file("bag/a", "").with_size_field([0; 12]);
    assert_eq!(members(&archive(&[empty]))[0].size, 0);
}

#[test]
fn a_size_beyond_the_end_is_refused_at_the_header() {
    let tar = Entry::file("bag/a", "").claiming(10 << 30).to_bytes();
    let mut reader = TarReader::new(tar.len() as u64);

    let fault = reader.next(&mut tar.as_slice()).expect_err("refused");

    assert_eq!(fault.code(), FindingCode::TarTruncated);
    assert!(
        fault.to_string().contains("in the middle of bag/a"),
        "{fault}"
    );
}

#[test]
fn a_long_name_of_one_gib_is_refused_at_its_header() {
    for letter in [b'L', b'K', b'x', b'g'] {
        let header = Entry::of_type(letter, "long", "")
            .claiming(1 << 30)
            .to_bytes();
        let mut reader = TarReader::new(1 << 32);

        let fault = reader.next(&mut header.as_slice()).expect_err("refused");

        assert_eq!(fault.code(), FindingCode::TarMetaTooLarge, "{letter}");
    }
}

#[test]
fn a_long_name_beyond_the_end_is_refused_at_its_header() {
    let header = Entry::of_type(b'L', "long", "")
        .claiming(900_000)
        .to_bytes();
    let mut reader = TarReader::new(100_000);

    let fault = reader.next(&mut header.as_slice());

    let tar_size = 100_000;
    assert_eq!(fault, Err(TarFault::CutInHeader { tar_size }));
}

#[test]
fn headers_are_read_up_to_the_limit_and_not_beyond() {
    // "1047552 c=…\n" and the blocks of the header and the member make up the limit.
    let limit = usize::try_from(HEADER_BYTES_MAX).expect("fits") - 2 * BLOCK - 11;
    let comment = |length: usize| Entry::global_pax("c", vec![b'.'; length]);
    let file = || Entry::file("bag/a", "x");

    let fits = members(&archive(&[comment(limit), file()]));
    let above = fault_of(&archive(&[comment(limit + 1), file()]));
    let together = fault_of(&archive(&[comment(limit / 2), comment(limit / 2), file()]));

    assert_eq!(fits[0].header.len() as u64, HEADER_BYTES_MAX);
    assert_eq!(above.code(), FindingCode::TarMetaTooLarge);
    assert_eq!(together.code(), FindingCode::TarMetaTooLarge);
}

#[test]
fn a_flipped_bit_in_a_header_is_damage_with_its_place() {
    let mut tar = archive(&[Entry::file("bag/a", "hello"), Entry::file("bag/b", "x")]);
    tar[1024 + 3] ^= 1;

    let fault = fault_of(&tar);

    assert_eq!(fault, TarFault::BadChecksum { offset: 1024 });
    assert_eq!(
        fault.to_string(),
        "The tar file is damaged at byte 1024: the header there does not match its checksum"
    );
}

#[test]
fn a_damaged_first_header_is_still_a_tar() {
    let mut tar = archive(&[Entry::file("bag/a", "hello")]);
    tar[3] ^= 1;

    assert_eq!(fault_of(&tar), TarFault::BadChecksum { offset: 0 });
}

#[test]
fn checksums_of_signed_bytes_are_accepted() {
    let mut header = ::tar::Header::new_ustar();
    header.as_old_mut().name[..6].copy_from_slice("bag/ä".as_bytes());
    header.set_size(0);
    header.set_cksum();
    let unsigned = header.cksum().expect("is set");
    header.as_old_mut().cksum = *format!("{:06o}\0 ", unsigned - 512)
        .as_bytes()
        .first_chunk()
        .unwrap();

    let members = members(&[&header.as_bytes()[..], &END].concat());

    assert_eq!(members[0].raw_path, "bag/ä".as_bytes());
}

#[test]
fn members_are_counted_up_to_the_limit() {
    let tar = archive(&[Entry::file("bag/a", ""), Entry::file("bag/b", "")]);
    let mut reader = TarReader::new(tar.len() as u64);
    reader.members = MEMBERS_MAX - 1;

    let seen = drive(reader, [tar.as_slice()]);

    assert!(matches!(seen[0], Seen::Member(_)));
    assert_eq!(
        seen[2],
        Seen::Failed(TarFault::TooManyMembers { offset: 512 })
    );
}

#[test]
fn what_is_no_file_is_passed_over_with_a_finding() {
    let link = Entry::symbolic_link("bag/a", "/etc/passwd");
    let label = Entry::of_type(b'V', "bag/a", "label");
    let rows = [
        (link, "a is a symbolic link"),
        (Entry::hard_link("bag/a", "bag/b"), "a is a hard link"),
        (Entry::character_device("bag/a"), "a is a character device"),
        (Entry::block_device("bag/a"), "a is a block device"),
        (Entry::fifo("bag/a"), "a is a named pipe"),
        (label, "a is a tar member of the unknown type 'V'"),
    ];

    for (entry, message) in rows {
        let finding = passed_over(&entry.to_bytes());
        assert!(finding.message.starts_with(message), "{}", finding.message);
        assert_eq!(finding.code, FindingCode::MemberNotRegular, "{message}");
        assert_eq!(finding.path, "a", "{message}");
    }
}

#[test]
fn every_form_of_sparse_files_is_passed_over_by_name() {
    let gnu = Entry::old_sparse("bag/a", "packed");
    let packed = || Entry::file("bag/GNUSparseFile.1/b", "packed");
    let form_0_0 = packed()
        .pax("GNU.sparse.size", "9")
        .pax("GNU.sparse.numblocks", "1");
    let form_0_1 = packed()
        .pax("GNU.sparse.name", "bag/a")
        .pax("GNU.sparse.map", "0,6");
    let form_1_0 = packed()
        .pax("GNU.sparse.major", "1")
        .pax("GNU.sparse.name", "bag/a");
    let rows = [
        ("old GNU", gnu.to_bytes(), "a"),
        ("old GNU, long", old_sparse_with_two_map_blocks(), "a"),
        ("0.0", form_0_0.to_bytes(), "GNUSparseFile.1/b"),
        ("0.1", form_0_1.to_bytes(), "a"),
        ("1.0", form_1_0.to_bytes(), "a"),
        (
            "star",
            packed().pax("SCHILY.realsize", "99").to_bytes(),
            "GNUSparseFile.1/b",
        ),
    ];

    for (name, bytes, path) in rows {
        let finding = passed_over(&bytes);
        assert_eq!(finding.code, FindingCode::TarSparse, "{name}");
        assert_eq!(finding.path, path, "{name}");
    }
}

#[test]
fn a_fault_is_final() {
    let tar = [
        Entry::file("bag/a", "hello").to_bytes(),
        vec![9; 512],
        END.to_vec(),
    ]
    .concat();
    let mut reader = TarReader::new(tar.len() as u64);
    let mut input = tar.as_slice();

    let fault = loop {
        match reader.next(&mut input) {
            Ok(_) => {}
            Err(fault) => break fault,
        }
    };

    assert_eq!(reader.next(&mut input), Err(fault.clone()));
    assert_eq!(reader.finish(), Err(fault));
}

/// The finding for a member, after which the archive goes on.
fn passed_over(bytes: &[u8]) -> Finding {
    let kept = Entry::file("bag/z", "kept").to_bytes();
    let seen = read(&[bytes, &kept, &END].concat());
    let Seen::Irregular(irregular) = &seen[0] else {
        panic!("{seen:?}");
    };
    assert_eq!(seen[1], Seen::MemberEnd(bytes.len() as u64));
    assert_eq!(seen[3], Seen::Data(b"kept".to_vec()));
    let mut findings = Findings::default();
    irregular.report(&mut findings);
    findings.iter().next().expect("one finding").clone()
}

/// A map too long for the header goes on in blocks of its own, which its size does not count.
fn old_sparse_with_two_map_blocks() -> Vec<u8> {
    let bytes = Entry::old_sparse("bag/a", "packed").to_bytes();
    let mut header = ::tar::Header::new_gnu();
    header.as_mut_bytes().copy_from_slice(&bytes[..BLOCK]);
    header.as_gnu_mut().expect("is one").set_is_extended(true);
    header.set_cksum();
    let mut map = ::tar::GnuExtSparseHeader::new();
    map.set_is_extended(true);
    let last_map = ::tar::GnuExtSparseHeader::new();
    [
        &header.as_bytes()[..],
        map.as_bytes(),
        last_map.as_bytes(),
        &bytes[BLOCK..],
    ]
    .concat()
}
