//! Archives and cuts that no one thought of.

use std::io::Read;

use proptest::prelude::*;

use super::*;

/// A path, its bytes, and how the tar spells it.
fn entries() -> impl Strategy<Value = Vec<Entry>> {
    let name = prop_oneof!["[a-z]{1,8}", "[a-z/]{90,300}", "[a-zäß漢 %]{1,60}"];
    let data = prop::collection::vec(any::<u8>(), 0..1500);
    let entry = (name, data, 0_u8..7).prop_map(|(name, data, form)| {
        let name = format!("bag/{}x", name.replace("//", "/_"));
        match form {
            0 => Entry::directory(format!("{name}/")),
            1 => Entry::file(name, data).in_gnu_form(),
            2 => Entry::of_type(b'7', name, data),
            3 => Entry::file(name, data)
                .pax("mtime", "12.5")
                .pax("comment", "a\nb"),
            4 => Entry::symbolic_link(name, "elsewhere"),
            _ => Entry::file(name, data),
        }
    });
    prop::collection::vec(entry, 1..6)
}

/// What the `tar` crate makes of an archive: names and bytes of its files and folders.
fn as_the_tar_crate_reads(tar: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut archive = ::tar::Archive::new(tar);
    let entries = archive.entries().expect("begins");
    let kept = |kind: ::tar::EntryType| kind.is_file() || kind.is_dir() || kind.is_contiguous();
    entries
        .map(|entry| entry.expect("reads"))
        .filter(|entry| kept(entry.header().entry_type()))
        .map(|mut entry| {
            let name = entry.path_bytes().into_owned();
            let mut data = Vec::new();
            entry.read_to_end(&mut data).expect("reads");
            (name, data)
        })
        .collect()
}

fn as_we_read(tar: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut members = Vec::new();
    for event in read(tar) {
        match event {
            Seen::Member(member) => members.push((member.raw_path, Vec::new())),
            Seen::Data(data) => members.last_mut().expect("a member").1 = data,
            Seen::Failed(fault) => panic!("{fault}"),
            Seen::Irregular(_) | Seen::MemberEnd(_) | Seen::End | Seen::Finished(_) => {}
        }
    }
    members
}

fn in_pieces(tar: &[u8], cuts: &[prop::sample::Index]) -> Vec<Seen> {
    let mut ends: Vec<usize> = cuts.iter().map(|cut| cut.index(tar.len() + 1)).collect();
    ends.extend([0, tar.len()]);
    ends.sort_unstable();
    let pieces = ends.windows(2).map(|pair| &tar[pair[0]..pair[1]]);
    drive(TarReader::new(tar.len() as u64), pieces)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_events_are_the_same_however_the_input_is_cut(
        entries in entries(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..40),
    ) {
        let tar = archive(&entries);

        prop_assert_eq!(in_pieces(&tar, &cuts), read(&tar));
    }

    #[test]
    fn damage_gives_the_same_verdict_however_the_input_is_cut(
        entries in entries(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        length in any::<prop::sample::Index>(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..40),
    ) {
        let mut tar = archive(&entries);
        for (at, byte) in damage {
            let at = at.index(tar.len());
            tar[at] = byte;
        }
        tar.truncate(length.index(2 * tar.len()));

        prop_assert_eq!(in_pieces(&tar, &cuts), read(&tar));
    }

    #[test]
    fn ordinary_archives_hold_what_the_tar_crate_finds_in_them(entries in entries()) {
        let tar = archive(&entries);

        prop_assert_eq!(as_we_read(&tar), as_the_tar_crate_reads(&tar));
    }
}

#[test]
fn one_byte_at_a_time_is_enough() {
    let mut tar = archive(&[
        Entry::file(format!("bag/{}", "n".repeat(300)), vec![5; 600]),
        Entry::directory("bag/data/"),
    ]);
    let offset = tar.len() as u64;
    tar.extend(b"more\0and more");

    let seen = drive(TarReader::new(tar.len() as u64), tar.chunks(1));

    let trailing = Some(TarWarning::TrailingData { offset });
    assert_eq!(seen.last(), Some(&finished(2, trailing)));
    assert_eq!(seen, read(&tar));
}

#[test]
fn archives_of_the_tar_crate_are_read_as_it_reads_them() {
    let mut builder = ::tar::Builder::new(Vec::new());
    let long = format!("bag/data/{}", "long name/".repeat(40));
    for (name, bytes) in [
        ("bag/bagit.txt", "x"),
        (long.as_str(), "yy"),
        ("bag/empty", ""),
    ] {
        let mut header = ::tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        let name = name.trim_end_matches('/');
        builder
            .append_data(&mut header, name, bytes.as_bytes())
            .expect("appends");
    }
    let tar = builder.into_inner().expect("ends");

    let members = as_we_read(&tar);

    assert_eq!(members.len(), 3);
    assert_eq!(members, as_the_tar_crate_reads(&tar));
}
