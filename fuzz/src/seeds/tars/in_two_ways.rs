//! Tars that are made to be read in two ways: by their sizes, or by the headers before a member.

use muniment_bag_builder::Entry;

use super::{file, long_name, record, tar};
use crate::seeds::Seed;

pub(super) fn in_two_ways() -> Vec<Seed> {
    let mut seeds = by_two_sizes();
    seeds.extend(by_size_field());
    seeds.extend(by_headers());
    seeds
}

fn by_two_sizes() -> Vec<Seed> {
    let hidden = tar(&[file("bag/hidden")]);
    let inner = |entry: Entry| tar(&[entry, file("bag/b")]);
    let holding = || Entry::file("bag/a", hidden.clone());
    vec![
        Seed::new("tar_in_a_tar", inner(holding())),
        // CVE-2025-62518: the size of the header is zero, that of the PAX record is not.
        Seed::new(
            "pax_size_over_zero",
            inner(
                holding()
                    .pax("size", hidden.len().to_string())
                    .with_size_field(*b"00000000000\0"),
            ),
        ),
        Seed::new("pax_size_of_zero", inner(holding().pax("size", "0"))),
        Seed::new("pax_size_is_less", inner(file("bag/a").pax("size", "4"))),
        Seed::new(
            "pax_size_twice",
            inner(file("bag/a").pax("size", "4").pax("size", "5")),
        ),
        Seed::new(
            "folder_with_bytes",
            inner(Entry::of_type(b'5', "bag/", hidden.clone())),
        ),
        Seed::new(
            "folder_by_name_with_bytes",
            inner(Entry::file("bag/", hidden.clone())),
        ),
        Seed::new(
            "folder_that_claims_bytes",
            inner(Entry::directory("bag/").claiming(512)),
        ),
        Seed::new(
            "hard_link_with_bytes",
            inner(Entry::hard_link("bag/c", "bag/b").claiming(512)),
        ),
    ]
}

fn by_size_field() -> Vec<Seed> {
    let hidden = tar(&[file("bag/hidden")]);
    let inner = |entry: Entry| tar(&[entry, file("bag/b")]);
    let holding = || Entry::file("bag/a", hidden.clone());
    vec![
        Seed::new(
            "size_behind_nul",
            inner(holding().with_size_field(*b"\x0000000003000")),
        ),
        Seed::new(
            "size_of_blanks",
            inner(Entry::file("bag/a", "").with_size_field([b' '; 12])),
        ),
        Seed::new(
            "size_of_blanks_and_nul",
            inner(Entry::file("bag/a", "").with_size_field(*b"           \0")),
        ),
        Seed::new(
            "size_with_sign",
            inner(file("bag/a").with_size_field(*b"+0000000005\0")),
        ),
        Seed::new(
            "size_in_base_64",
            inner(file("bag/a").with_size_field(*b"+AAAAAAAAAF\0")),
        ),
        Seed::new(
            "size_with_underscore",
            inner(file("bag/a").with_size_field(*b"0000000_005\0")),
        ),
        Seed::new(
            "negative_size",
            inner(file("bag/a").with_size_field([0xff; 12])),
        ),
        Seed::new(
            "size_of_2_63",
            inner(file("bag/a").with_size_field(*b"\x80\0\0\0\x80\0\0\0\0\0\0\0")),
        ),
        Seed::new(
            "size_beyond_64_bits",
            inner(file("bag/a").with_size_field(*b"\x80\0\x01\0\0\0\0\0\0\0\0\x05")),
        ),
        Seed::new(
            "ten_gigabytes_claimed",
            inner(Entry::file("bag/a", "").claiming(10 << 30)),
        ),
        Seed::new(
            "pax_header_of_a_gigabyte",
            inner(record("").claiming(1 << 30)),
        ),
    ]
}

fn by_headers() -> Vec<Seed> {
    let then = |entries: &[Entry]| tar(&[entries, &[file("bag/a"), file("bag/b")]].concat());
    let path = |name: &str| record(&format!("{} path={name}\n", name.len() + 9));
    vec![
        Seed::new("path", then(&[path("bag/c")])),
        Seed::new(
            "path_twice",
            then(&[record("14 path=bag/c\n14 path=bag/d\n")]),
        ),
        Seed::new("two_pax_headers", then(&[path("bag/c"), path("bag/d")])),
        Seed::new(
            "two_long_names",
            then(&[long_name("bag/c\0"), long_name("bag/d\0")]),
        ),
        Seed::new(
            "two_kinds_of_names",
            then(&[long_name("bag/c\0"), path("bag/d")]),
        ),
        Seed::new(
            "two_kinds_of_one_name",
            then(&[long_name("bag/c\0"), path("bag/c")]),
        ),
        Seed::new("long_name_with_nul", then(&[long_name("bag/c\0d\0")])),
        Seed::new("long_name_of_nothing", then(&[long_name("\0")])),
        Seed::new("long_name_without_nul", then(&[long_name("bag/c")])),
        Seed::new("path_with_nul", then(&[path("bag/c\0d")])),
        Seed::new("path_of_nothing", then(&[record("8 path=\n")])),
        Seed::new("path_of_folder", then(&[path("bag/c/")])),
        Seed::new(
            "long_target",
            then(&[Entry::of_type(b'K', "././@LongLink", "bag/x\0")]),
        ),
        Seed::new("linkpath_of_a_file", then(&[record("18 linkpath=bag/c\n")])),
        Seed::new(
            "charset",
            then(&[record("21 hdrcharset=BINARY\n14 path=bag/c\n")]),
        ),
        Seed::new("no_member_after", tar(&[file("bag/a"), path("bag/c")])),
        Seed::new("global_path", then(&[Entry::global_pax("path", "bag/c")])),
        Seed::new("global_size", then(&[Entry::global_pax("size", "5")])),
        Seed::new(
            "global_between",
            then(&[path("bag/c"), Entry::global_pax("comment", "x")]),
        ),
        Seed::new("short_record", then(&[record("9 path=bag/c\n")])),
        Seed::new("long_record", then(&[record("99 path=bag/c\n")])),
        Seed::new("record_without_end", then(&[record("13 path=bag/c")])),
        Seed::new("record_with_blanks", then(&[record(" 15 path=bag/c\n")])),
        Seed::new("record_and_nul", then(&[record("14 path=bag/c\n\0\0")])),
        Seed::new(
            "record_in_a_record",
            then(&[record("31 comment=x\n14 path=bag/c\n   \n")]),
        ),
    ]
}
