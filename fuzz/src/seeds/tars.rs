//! Tars in every form that a depositor's tool writes, and in those that are made to be read in two ways.
//!
//! All members lie in `bag/`, so that what a tar is refused for is what its name says.

mod in_two_ways;
mod names;

use muniment_bag_builder::{BagBuilder, Entry};

use super::Seed;
use crate::mutate::mend;

const END: [u8; 1024] = [0; 1024];

pub fn tars() -> Vec<Seed> {
    let mut seeds = usual();
    seeds.extend(sizes());
    seeds.extend(names::names());
    seeds.extend(in_two_ways::in_two_ways());
    seeds.extend(no_files());
    seeds.extend(sparse());
    seeds.extend(endings());
    seeds
}

fn file(name: &str) -> Entry {
    Entry::file(name, "hello")
}

/// The entries and the end.
fn tar(entries: &[Entry]) -> Vec<u8> {
    let mut tar: Vec<u8> = entries.iter().flat_map(Entry::to_bytes).collect();
    tar.extend(END);
    tar
}

/// The entry with these bytes at that place of its header, and a right checksum.
fn with(entry: &Entry, at: usize, field: &[u8]) -> Vec<u8> {
    let mut bytes = entry.to_bytes();
    for (to, from) in bytes.iter_mut().skip(at).zip(field) {
        *to = *from;
    }
    mend(&mut bytes);
    bytes
}

fn record(text: &str) -> Entry {
    Entry::of_type(b'x', "PaxHeader", text)
}

fn long_name(name: &str) -> Entry {
    Entry::of_type(b'L', "././@LongLink", name)
}

fn usual() -> Vec<Seed> {
    let nothing: &[Entry] = &[Entry::directory("bag/"), Entry::file("bag/empty", "")];
    vec![
        Seed::new(
            "bag",
            BagBuilder::aptrust("bag").file("data/a", "hello").to_tar(),
        ),
        Seed::new(
            "ustar",
            tar(&[Entry::directory("bag/"), file("bag/a"), file("bag/b")]),
        ),
        Seed::new(
            "v7",
            tar(&[
                Entry::directory("bag/").in_v7_form(),
                file("bag/a").in_v7_form(),
            ]),
        ),
        Seed::new(
            "gnu",
            tar(&[
                Entry::directory("bag/").in_gnu_form(),
                file("bag/a").in_gnu_form(),
            ]),
        ),
        Seed::new("contiguous", tar(&[Entry::of_type(b'7', "bag/a", "hello")])),
        Seed::new("empty_files", tar(nothing)),
        Seed::new(
            "one_block",
            tar(&[Entry::file("bag/a", vec![b'x'; 512]), file("bag/b")]),
        ),
        Seed::new(
            "two_blocks",
            tar(&[Entry::file("bag/a", vec![b'x'; 513]), file("bag/b")]),
        ),
        Seed::new(
            "twice",
            tar(&[file("bag/a"), Entry::file("bag/a", "other")]),
        ),
        Seed::new(
            "times",
            tar(&[file("bag/a").pax("mtime", "-1.5").pax("atime", "1")]),
        ),
        Seed::new("signed_checksum", signed_checksum()),
        Seed::new(
            "comments",
            tar(&[Entry::global_pax("comment", "by a tool"), file("bag/a")]),
        ),
    ]
}

/// Sizes in all forms that are used.
fn sizes() -> Vec<Seed> {
    vec![
        Seed::new("pax_size", tar(&[file("bag/a").pax("size", "5")])),
        Seed::new(
            "pax_size_alone",
            tar(&[
                file("bag/a")
                    .pax("size", "5")
                    .with_size_field(*b"00000000000\0"),
                file("bag/b"),
            ]),
        ),
        Seed::new(
            "base_256",
            tar(&[
                file("bag/a").with_size_field(*b"\x80\0\0\0\0\0\0\0\0\0\0\x05"),
                file("bag/b"),
            ]),
        ),
        Seed::new(
            "octal_of_twelve",
            tar(&[
                file("bag/a").with_size_field(*b"000000000005"),
                file("bag/b"),
            ]),
        ),
        Seed::new(
            "octal_with_blanks",
            tar(&[
                file("bag/a").with_size_field(*b"          5 "),
                file("bag/b"),
            ]),
        ),
    ]
}

/// Some old tools summed the bytes of a header as signed numbers.
fn signed_checksum() -> Vec<u8> {
    let mut bytes = with(&Entry::file("bag/", ""), 4, b"caf\xe9");
    let sum: i64 = bytes
        .iter()
        .zip(0..)
        .map(|(byte, at)| {
            if (148..156).contains(&at) {
                b' '
            } else {
                *byte
            }
        })
        .map(|byte| i64::from(byte.cast_signed()))
        .sum();
    for (to, from) in bytes
        .iter_mut()
        .skip(148)
        .zip(format!("{sum:06o}\0 ").bytes())
    {
        *to = from;
    }
    [&bytes[..], &END].concat()
}

fn no_files() -> Vec<Seed> {
    let then = |entry: Entry| tar(&[entry, file("bag/b")]);
    let mut seeds = vec![
        Seed::new(
            "symbolic_link",
            then(Entry::symbolic_link("bag/a", "/etc/passwd")),
        ),
        Seed::new(
            "hard_link",
            tar(&[file("bag/b"), Entry::hard_link("bag/a", "bag/b")]),
        ),
        Seed::new("fifo", then(Entry::fifo("bag/a"))),
        Seed::new("character_device", then(Entry::character_device("bag/a"))),
        Seed::new("block_device", then(Entry::block_device("bag/a"))),
    ];
    for letter in *b"VMDNAXZa" {
        let name = format!("letter_{}", char::from(letter));
        seeds.push(Seed::new(
            name,
            then(Entry::of_type(letter, "bag/a", "hello")),
        ));
    }
    seeds
}

fn sparse() -> Vec<Seed> {
    let then = |entry: Entry| tar(&[entry, file("bag/b")]);
    let map = "1\n0\n5\n";
    let packed = [map.as_bytes(), &[0; 506], b"hello"].concat();
    let old = Entry::old_sparse("bag/a", "hello");
    let mapped = [
        &b"00000000000 00000000005 "[..],
        &b"00000010000 00000000000 "[..],
    ];
    let goes_on = [&[0; 96 - 48][..], b"\x0100000010000\0"].concat();
    let old_with_map = with(&old, 386, &[&mapped.concat()[..], &goes_on].concat());
    let mut more = vec![0; 512];
    more[..48].copy_from_slice(&mapped.concat());
    let (header, data) = old_with_map.split_at(512);
    let zero = Entry::file("bag/a", "hello")
        .pax("GNU.sparse.size", "4096")
        .pax("GNU.sparse.numblocks", "1")
        .pax("GNU.sparse.offset", "0")
        .pax("GNU.sparse.numbytes", "5");
    let one = Entry::file("bag/GNUSparseFile.1/a", "hello")
        .pax("GNU.sparse.size", "4096")
        .pax("GNU.sparse.name", "bag/a")
        .pax("GNU.sparse.map", "0,5");
    let last = Entry::file("bag/GNUSparseFile.1/a", packed)
        .pax("GNU.sparse.major", "1")
        .pax("GNU.sparse.minor", "0")
        .pax("GNU.sparse.name", "bag/a")
        .pax("GNU.sparse.realsize", "4096");
    let bomb = Entry::file("bag/a", "hello").pax("GNU.sparse.realsize", "10737418240");
    vec![
        Seed::new("old_sparse", then(old)),
        Seed::new(
            "old_sparse_of_two_maps",
            [header, &more, data, &tar(&[file("bag/b")])].concat(),
        ),
        Seed::new("sparse_0_0", then(zero)),
        Seed::new("sparse_0_1", then(one)),
        Seed::new("sparse_1_0", then(last)),
        Seed::new(
            "sparse_of_star",
            then(file("bag/a").pax("SCHILY.realsize", "99")),
        ),
        Seed::new("sparse_of_ten_gigabytes", then(bomb)),
    ]
}

fn endings() -> Vec<Seed> {
    let members = [file("bag/a").to_bytes(), file("bag/b").to_bytes()].concat();
    let and = |ending: &[u8]| [&members, ending].concat();
    let second = tar(&[file("bag/c")]);
    let mut damaged = and(&END);
    damaged[1024 + 3] ^= 1;
    vec![
        Seed::new("no_end", and(&[])),
        Seed::new("one_zero_block", and(&[0; 512])),
        Seed::new("a_record_of_zeros", and(&[0; 8192])),
        Seed::new("bytes_after_the_end", and(&[&END[..], b"more"].concat())),
        Seed::new("a_second_tar", and(&[&END[..], &second].concat())),
        Seed::new(
            "a_second_tar_after_one_zero_block",
            and(&[&[0; 512][..], &second].concat()),
        ),
        Seed::new("a_second_tar_without_an_end", and(&second)),
        Seed::new("cut_in_a_header", and(&second[..300])),
        Seed::new("cut_in_data", and(&second[..515])),
        Seed::new("cut_in_padding", and(&second[..600])),
        Seed::new("nothing_but_an_end", END.to_vec()),
        Seed::new("a_damaged_header", damaged),
        Seed::new("a_text", b"hello\n".repeat(200)),
        Seed::new("nothing", Vec::new()),
    ]
}
