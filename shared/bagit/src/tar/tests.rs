use chrono::DateTime;
use muniment_model::{FindingCode, Findings};

use super::*;
use muniment_bag_builder::Entry;

mod cut;
mod hostile;
mod random;

/// What the reader said, with the data of a member in one piece, however it came.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Seen {
    Member(Member),
    Data(Vec<u8>),
    Irregular(Irregular),
    MemberEnd(u64),
    End,
    Finished(TarEnd),
    Failed(TarFault),
}

const END: [u8; 1024] = [0; 1024];

#[test]
fn files_and_folders_are_read_with_their_offsets() {
    let tar = archive(&[Entry::directory("bag/"), Entry::file("bag/a", "hello")]);

    let seen = read(&tar);

    let expected = [
        Seen::Member(Member {
            raw_path: b"bag/".to_vec(),
            kind: EntryKind::Directory,
            size: 0,
            tar_offset: 0,
            data_offset: 512,
            modified_at: DateTime::from_timestamp(1_704_067_200, 0),
            header: tar[..512].to_vec(),
        }),
        Seen::MemberEnd(512),
        Seen::Member(Member {
            raw_path: b"bag/a".to_vec(),
            kind: EntryKind::Regular,
            size: 5,
            tar_offset: 512,
            data_offset: 1024,
            modified_at: DateTime::from_timestamp(1_704_067_200, 0),
            header: tar[512..1024].to_vec(),
        }),
        Seen::Data(b"hello".to_vec()),
        Seen::MemberEnd(1536),
        Seen::End,
        finished(2, None),
    ];
    assert_eq!(seen, expected);
}

#[test]
fn every_usual_spelling_of_a_name_is_read() {
    let long = format!("bag/data/{}/file", "folder/".repeat(60));
    let rows = [
        ("short", Entry::file("bag/a", "x"), "bag/a"),
        ("PAX", Entry::file(long.as_str(), "x"), long.as_str()),
        (
            "GNU",
            Entry::file(long.as_str(), "x").in_gnu_form(),
            long.as_str(),
        ),
        ("v7", Entry::file("bag/a", "x").in_v7_form(), "bag/a"),
        ("not ASCII", Entry::file("bag/ä", "x"), "bag/ä"),
        ("contiguous", Entry::of_type(b'7', "bag/a", "x"), "bag/a"),
        (
            "a repeated key, where the last one counts",
            Entry::file("bag/0", "x")
                .pax("path", "bag/1")
                .pax("path", "bag/2"),
            "bag/2",
        ),
        (
            "newlines in a value",
            Entry::file("bag/0", "x")
                .pax("comment", "9 path=a\n")
                .pax("path", "b\nc"),
            "b\nc",
        ),
    ];

    for (name, entry, expected) in rows {
        let members = members(&archive(&[entry]));
        assert_eq!(members.len(), 1, "{name}");
        assert_eq!(members[0].raw_path, expected.as_bytes(), "{name}");
        assert_eq!(members[0].kind, EntryKind::Regular, "{name}");
        assert_eq!(members[0].size, 1, "{name}");
    }
}

#[test]
fn a_ustar_prefix_is_part_of_the_name() {
    let mut header = ::tar::Header::new_ustar();
    header
        .set_path(format!("{}/end", "p".repeat(120)))
        .expect("splits");
    header.set_size(0);
    header.set_cksum();

    let members = members(&[&header.as_bytes()[..], &END].concat());

    assert_eq!(
        members[0].raw_path,
        format!("{}/end", "p".repeat(120)).as_bytes()
    );
}

#[test]
fn a_slash_at_the_end_makes_a_directory_without_its_type_letter() {
    let rows = [
        ("v7", Entry::directory("bag/data/").in_v7_form()),
        ("ustar", Entry::file("bag/data/", "")),
        ("PAX", Entry::file("bag", "").pax("path", "bag/data/")),
    ];

    for (name, entry) in rows {
        assert_eq!(
            members(&archive(&[entry]))[0].kind,
            EntryKind::Directory,
            "{name}"
        );
    }
}

#[test]
fn the_header_of_a_member_holds_all_its_blocks() {
    let long = format!("bag/{}", "n".repeat(600));
    let tar = archive(&[
        Entry::global_pax("comment", "made by a tool"),
        Entry::file(long.as_str(), "x"),
        Entry::file("bag/b", "y"),
    ]);

    let members = members(&tar);

    let first = &members[0];
    assert_eq!(first.tar_offset, 0);
    assert_eq!(
        first.header,
        tar[..usize::try_from(first.data_offset).unwrap()]
    );
    assert_eq!(members[1].header.len(), 512);
    assert_eq!(members[1].tar_offset, first.data_offset + 512);
}

/// Before, such times were recorded, and the registry or its database refused them for ever, or the
/// header's time was taken, which is that of another moment.
#[test]
fn a_time_that_cannot_be_recorded_is_none_and_stays_in_the_header() {
    let times = [
        "253402300800",
        "-1",
        "-2",
        "-0.5",
        "-1.25",
        "-62135596801",
        "99999999999999999",
        "9223372036854775807.5",
        "-9223372036854775808.5",
        "99999999999999999999",
        "-99999999999999999999",
    ];

    for time in times {
        let entry = Entry::file("bag/a", "").pax("mtime", time);
        let members = members(&archive(&[entry]));
        assert_eq!(members[0].modified_at, None, "{time}");
        let text = String::from_utf8_lossy(&members[0].header);
        assert!(text.contains(&format!("mtime={time}\n")), "{time}");
    }
}

#[test]
fn times_are_read_from_the_header_and_from_pax() {
    let at = |value: &str| Entry::file("bag/a", "").pax("mtime", value);
    let rows = [
        ("plain", Entry::file("bag/a", ""), Some((1_704_067_200, 0))),
        ("whole", at("12"), Some((12, 0))),
        ("fraction", at("12.5"), Some((12, 500_000_000))),
        ("many digits", at("12.0000000019"), Some((12, 1))),
        ("the first", at("0"), Some((0, 0))),
        (
            "the last",
            at("253402300799.999999999"),
            Some((253_402_300_799, 999_999_999)),
        ),
        ("nonsense falls back", at("soon"), Some((1_704_067_200, 0))),
    ];

    for (name, entry, expected) in rows {
        let expected = expected.and_then(|(s, n)| DateTime::from_timestamp(s, n));
        assert_eq!(
            members(&archive(&[entry]))[0].modified_at,
            expected,
            "{name}"
        );
    }
}

#[test]
fn sizes_of_eight_gib_and_more_are_read_in_every_form() {
    const SIZE: u64 = 9 << 30;
    let mut base_256 = [0; 12];
    base_256[0] = 0x80;
    base_256[4..].copy_from_slice(&SIZE.to_be_bytes());
    let rows = [
        (
            "PAX, 0 in the header",
            Entry::file("bag/a", "").claiming(SIZE),
        ),
        (
            "GNU base-256",
            Entry::file("bag/a", "").in_gnu_form().claiming(SIZE),
        ),
        (
            "both",
            Entry::file("bag/a", "")
                .claiming(SIZE)
                .with_size_field(base_256),
        ),
        (
            "twelve octal digits",
            Entry::file("bag/a", "").with_size_field(*b"110000000000"),
        ),
    ];

    for (name, entry) in rows {
        let headers = entry.to_bytes();
        let mut reader = TarReader::new(SIZE + 1_000_000);
        let event = reader.next(&mut headers.as_slice());
        let Ok(Some(Event::Member(member))) = event else {
            panic!("{name}: {event:?}");
        };
        assert_eq!(member.size, SIZE, "{name}");
    }
}

#[test]
fn reading_resumes_at_every_member_end() {
    let tar = archive(&[
        Entry::directory("bag/"),
        Entry::file(format!("bag/{}", "n".repeat(300)), "hello"),
        Entry::symbolic_link("bag/link", "a"),
        Entry::file("bag/b", vec![7; 2000]),
    ]);
    let seen = read(&tar);

    let ends = boundaries(&seen);

    assert_eq!(ends.len(), 4);
    for (at, offset) in ends {
        let reader = TarReader::resume(tar.len() as u64, offset as u64);
        let resumed = drive(reader, [&tar[offset..]]);
        // The last one tells the number of members, which differs.
        let (_, events) = resumed.split_last().expect("an ending");
        assert_eq!(events, &seen[at + 1..seen.len() - 1], "at {offset}");
    }
}

#[test]
fn reading_goes_on_at_any_byte_of_a_member_and_of_its_padding() {
    let header = 512;
    let entries = [
        Entry::file("bag/a", vec![7; 700]),
        Entry::file("bag/b", "b"),
    ];
    let tar = archive(&entries);
    let seen = read(&tar);

    for position in header..=header + 1024 {
        let mut reader = TarReader::new(tar.len() as u64);
        let member = reader.next(&mut &tar[..header]);
        assert!(matches!(member, Ok(Some(Event::Member(_)))), "{member:?}");
        assert!(reader.skip_to(position as u64), "{position}");
        assert_eq!(reader.position(), position as u64);
        let rest = drive(reader, [&tar[position..]]);

        let next = boundaries(&seen)[0].0;
        let data = 700_usize.saturating_sub(position - header);
        let taken = usize::from(data > 0);
        assert_eq!(rest[taken..], seen[next..], "at {position}");
    }
}

#[test]
fn a_place_that_is_not_in_the_open_member_is_refused() {
    let tar = archive(&[Entry::file("bag/a", vec![7; 700])]);
    let mut reader = TarReader::new(tar.len() as u64);
    assert!(!reader.skip_to(0), "no member is open");
    let member = reader.next(&mut &tar[..512]);
    assert!(matches!(member, Ok(Some(Event::Member(_)))), "{member:?}");

    for position in [0, 511, 512 + 1025, u64::MAX] {
        assert!(!reader.skip_to(position), "{position}");
    }

    assert_eq!(drive(reader, [&tar[512..]])[1..], read(&tar)[2..]);
}

#[test]
fn how_the_archive_ends_is_told() {
    let tar = Entry::file("bag/a", "hello").to_bytes();
    let missing = Some(TarWarning::EndMissing { offset: 1024 });
    let one_block = Some(TarWarning::EndMissing { offset: 1536 });
    let trailing = Some(TarWarning::TrailingData { offset: 2148 });
    let rows: [(&str, Vec<u8>, Option<TarWarning>); 5] = [
        ("no zero block", vec![], missing),
        ("one zero block", vec![0; 512], one_block),
        ("two zero blocks", vec![0; 1024], None),
        ("a record of zeros, and a piece", vec![0; 10_100], None),
        (
            "bytes after the end",
            [&[0; 1124][..], b"more"].concat(),
            trailing,
        ),
    ];

    for (name, ending, expected) in rows {
        let seen = read(&[tar.clone(), ending].concat());
        assert_eq!(seen.last(), Some(&finished(1, expected)), "{name}");
    }
}

#[test]
fn bytes_beyond_the_size_of_the_tar_are_left() {
    let tar = archive(&[Entry::file("bag/a", "hello")]);
    let longer = [&tar[..], b"next"].concat();
    let mut reader = TarReader::new(tar.len() as u64);
    let mut input = longer.as_slice();

    while reader.next(&mut input).expect("reads").is_some() {}

    assert_eq!(input, b"next");
    assert_eq!(reader.finish().expect("ends").warning, None);
}

fn archive(entries: &[Entry]) -> Vec<u8> {
    let mut tar: Vec<u8> = entries.iter().flat_map(Entry::to_bytes).collect();
    tar.extend(END);
    tar
}

fn read(tar: &[u8]) -> Vec<Seen> {
    drive(TarReader::new(tar.len() as u64), [tar])
}

fn members(tar: &[u8]) -> Vec<Member> {
    let member = |event| match event {
        Seen::Member(member) => Some(member),
        Seen::Failed(fault) => panic!("{fault}"),
        Seen::Data(_) | Seen::Irregular(_) | Seen::MemberEnd(_) | Seen::End | Seen::Finished(_) => {
            None
        }
    };
    read(tar).into_iter().filter_map(member).collect()
}

fn fault_of(tar: &[u8]) -> TarFault {
    match read(tar).pop() {
        Some(Seen::Failed(fault)) => fault,
        other => panic!("not refused: {other:?}"),
    }
}

/// Where members end, and at which place among the events.
fn boundaries(seen: &[Seen]) -> Vec<(usize, usize)> {
    let offsets = seen.iter().map(|event| match event {
        Seen::MemberEnd(offset) => usize::try_from(*offset).ok(),
        Seen::Member(_)
        | Seen::Data(_)
        | Seen::Irregular(_)
        | Seen::End
        | Seen::Finished(_)
        | Seen::Failed(_) => None,
    });
    offsets
        .enumerate()
        .filter_map(|(at, offset)| Some((at, offset?)))
        .collect()
}

fn finished(members: u64, warning: Option<TarWarning>) -> Seen {
    Seen::Finished(TarEnd { members, warning })
}

fn drive<'a>(mut reader: TarReader, pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<Seen> {
    let mut seen = Vec::new();
    for mut piece in pieces {
        loop {
            match reader.next(&mut piece) {
                Ok(None) => break,
                Ok(Some(event)) => record(&mut seen, event),
                Err(fault) => {
                    seen.push(Seen::Failed(fault));
                    return seen;
                }
            }
        }
    }
    seen.push(reader.finish().map_or_else(Seen::Failed, Seen::Finished));
    seen
}

fn record(seen: &mut Vec<Seen>, event: Event<'_>) {
    match (event, seen.last_mut()) {
        (Event::Data(more), Some(Seen::Data(data))) => data.extend(more),
        (Event::Data(data), _) => seen.push(Seen::Data(data.to_vec())),
        (Event::Member(member), _) => seen.push(Seen::Member(member)),
        (Event::Irregular(irregular), _) => seen.push(Seen::Irregular(irregular)),
        (Event::MemberEnd { next_offset }, _) => seen.push(Seen::MemberEnd(next_offset)),
        (Event::End, _) => seen.push(Seen::End),
    }
}
