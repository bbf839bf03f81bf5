//! Z1 to Z6: what the headers of a tar may say.

use std::path::Path;

use muniment_bag_builder::Entry;

use super::{Case, LETTER, TEXT, assert_endings, assert_endings_at, bag, with_entry};
use crate::site::Site;

const GIB: u64 = 1 << 30;

/// A size field in base 256, as GNU tar writes sizes of 8 GiB and more.
fn base_256(first: u8, size: u64) -> [u8; 12] {
    let mut field = [0; 12];
    field[0] = first;
    field[4..].copy_from_slice(&size.to_be_bytes());
    field
}

#[tokio::test(flavor = "multi_thread")]
async fn z1_a_size_that_the_tar_cannot_hold_is_refused() {
    let file = |name: &str| Entry::file(format!("{name}/data/x.bin"), vec![0; 1_024]);
    let sized = |name: &str, first, size| {
        let field = base_256(first, size);
        with_entry(name, file(name).with_size_field(field))
    };
    let cut = "data/x.bin, which goes on to byte";
    let impossible = "gives an impossible size";
    assert_endings(vec![
        Case::refused(
            "zeros",
            with_entry("zeros", file("zeros").claiming(10 * GIB)),
            cut,
        ),
        Case::refused(
            "gnu",
            with_entry("gnu", file("gnu").in_gnu_form().claiming(10 * GIB)),
            cut,
        ),
        Case::refused(
            "sparse",
            with_entry(
                "sparse",
                file("sparse")
                    .pax("GNU.sparse.major", "1")
                    .pax("GNU.sparse.realsize", "10737418240"),
            ),
            "data/x.bin is stored as a sparse file",
        ),
        Case::refused(
            "little",
            with_entry("little", file("little").claiming(1 << 20)),
            cut,
        ),
        Case::refused("negative", sized("negative", 0xff, u64::MAX), impossible),
        Case::refused("two-63", sized("two-63", 0x80, 1 << 63), impossible),
        Case::refused("most", sized("most", 0x80, (1 << 63) - 1), cut),
        Case::refused(
            "nul-size",
            with_entry(
                "nul-size",
                file("nul-size").with_size_field(*b"\x0000000002000"),
            ),
            "behind a zero byte",
        ),
        Case::refused(
            "name",
            with_entry(
                "name",
                Entry::of_type(b'L', "././@LongLink", "x").claiming(GIB),
            ),
            "name or PAX header of 1073741824 bytes",
        ),
    ])
    .await;
}

/// Found in no name of a file that we make ourselves.
const MARK: &str = "z2-was-here";

#[tokio::test(flavor = "multi_thread")]
async fn z2_a_path_out_of_the_bag_is_refused_and_nothing_is_written_there() {
    let site = Site::start().await;
    let temporary = std::env::temp_dir();
    let absolute = format!("{}/{MARK}", temporary.display());
    let entry = |name: &str, path: String| with_entry(name, Entry::file(path, "x"));
    let inside = |name: &str, path: &str| entry(name, format!("{name}/{path}"));
    let up = format!("data/{}{absolute}", "../".repeat(20));
    let leaves = "leaves the bag's folder by '..'";
    let empty = "has an empty part";

    assert_endings_at(
        &site.view,
        vec![
            Case::refused("up", inside("up", &format!("../{MARK}")), leaves),
            Case::refused("far-up", inside("far-up", &up), leaves),
            Case::refused("first", entry("first", format!("../{MARK}")), leaves),
            Case::refused(
                "manifest",
                inside("manifest", &format!("manifest-/../../{MARK}")),
                leaves,
            ),
            Case::refused(
                "windows",
                inside("windows", &format!("data\\..\\..\\{MARK}")),
                leaves,
            ),
            Case::refused("absolute", entry("absolute", absolute), "absolute path"),
            Case::refused(
                "drive",
                entry("drive", format!("C:\\{MARK}")),
                "absolute path",
            ),
            Case::refused("part", inside("part", &format!("data//{MARK}")), empty),
            Case::refused("dot", inside("dot", &format!("data/./{MARK}")), empty),
            Case::refused(
                "long",
                inside("long", &format!("data/{}{MARK}", "a/".repeat(32 << 10))),
                "is too long",
            ),
            Case::refused(
                "nul",
                with_entry(
                    "nul",
                    Entry::file("x", "x").pax("path", format!("nul/data/{MARK}\0.txt")),
                ),
                "illegal control characters",
            ),
            Case::refused(
                "other-folder",
                entry("other-folder", format!("other/data/{MARK}")),
                "more than one folder",
            ),
            Case::refused("no-folder", entry("no-folder", MARK.to_owned()), MARK),
        ],
    )
    .await;

    for folder in [&temporary, Path::new(".")] {
        let there = folder.join(MARK);
        assert!(!there.exists(), "{}", there.display());
    }
    assert_no_name_says(MARK, site.data());
    site.stop().await;
}

/// In no folder, however deep.
fn assert_no_name_says(mark: &str, folder: &Path) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        assert!(!name.contains(mark), "{}", path.display());
        if path.is_dir() {
            assert_no_name_says(mark, &path);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn z3_what_is_no_file_or_folder_is_refused_by_name() {
    assert_endings(vec![
        Case::refused(
            "symlink",
            with_entry("symlink", Entry::symbolic_link("symlink/data/l", "/etc")),
            "data/l is a symbolic link: a bag may hold only files and folders. Put the file itself in \
             its place, or make the tar again with the option --dereference",
        ),
        Case::refused(
            "hardlink",
            with_entry(
                "hardlink",
                Entry::hard_link("hardlink/data/h", "hardlink/data/letter.txt"),
            ),
            "data/h is a hard link: a bag may hold only files and folders. Make the tar again with the \
             option --hard-dereference",
        ),
        Case::refused(
            "fifo",
            with_entry("fifo", Entry::fifo("fifo/data/f")),
            "data/f is a named pipe",
        ),
        Case::refused(
            "character",
            with_entry("character", Entry::character_device("character/data/d")),
            "data/d is a character device",
        ),
        Case::refused(
            "block",
            with_entry("block", Entry::block_device("block/data/d")),
            "data/d is a block device",
        ),
        Case::refused(
            "full-folder",
            with_entry("full-folder", Entry::of_type(b'5', "full-folder/data/x", "content")),
            "data/x a size, though it is not a file",
        ),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn z4_sparse_files_of_every_form_are_refused_by_name() {
    let pax = |name: &str, key: &str, value: &str| {
        let file = Entry::file(format!("{name}/data/s.bin"), "packed");
        with_entry(name, file.pax(key, value))
    };
    let words = "data/s.bin is stored as a sparse file";
    let old = Entry::old_sparse("old/data/s.bin", vec![0; 512]);
    let real = Entry::file("form-1-0/data/GNUSparseFile.7/s.bin", "packed")
        .pax("GNU.sparse.major", "1")
        .pax("GNU.sparse.name", "form-1-0/data/s.bin");
    assert_endings(vec![
        Case::refused("old", with_entry("old", old), words),
        Case::refused("form-0-0", pax("form-0-0", "GNU.sparse.size", "100"), words),
        Case::refused("form-0-1", pax("form-0-1", "GNU.sparse.map", "0,6"), words),
        Case::refused("form-1-0", with_entry("form-1-0", real), words),
        Case::refused("star", pax("star", "SCHILY.realsize", "99"), words),
    ])
    .await;
}

/// One tar must not be two bags, so what GNU tar reads is what is read, or nothing.
#[tokio::test(flavor = "multi_thread")]
async fn z5_headers_that_programs_read_in_two_ways_are_read_as_gnu_tar_does_or_refused() {
    let inner = [
        Entry::file("nested/data/hidden.txt", "hidden").to_bytes(),
        vec![0; 512],
    ]
    .concat();
    let counted = "Payload-Oxum";
    let plain = bag("nested").file("data/x.tar", inner.as_slice());
    let plain = plain.without_tag(counted);
    let nested = |header_size: u64| {
        let file = Entry::file("nested/data/x.tar", inner.as_slice());
        let sized = file
            .pax("size", inner.len().to_string())
            .claiming(header_size);
        let listed = plain.clone().without_file_but_listed("data/x.tar");
        listed.entry(sized).to_tar()
    };
    let keys = bag("keys").without_tag(counted).file("data/a.txt", "");
    let repeated = keys.clone().without_file_but_listed("data/a.txt");
    let last = Entry::file("keys/data/other.txt", "")
        .pax("path", "keys/data/not-this.txt")
        .pax("path", "keys/data/a.txt");
    let comment = bag("comment").entry(Entry::global_pax("comment", "made by a tool"));
    let sets = |name: &str, key: &str| with_entry(name, Entry::global_pax(key, "1"));
    assert_endings(vec![
        Case::read_as("nested", nested(0), plain.to_tar()),
        Case::refused(
            "sizes",
            nested(512),
            "disagree about the size of nested/data/x.tar: 512 bytes or 1536 bytes",
        ),
        Case::read_as("keys", repeated.entry(last).to_tar(), keys.to_tar()),
        Case::preserved(&comment),
        Case::refused(
            "all-size",
            sets("all-size", "size"),
            "sets size for all members",
        ),
        Case::refused(
            "all-path",
            sets("all-path", "path"),
            "sets path for all members",
        ),
        Case::refused(
            "two-headers",
            bag("two-headers")
                .entry(Entry::of_type(b'x', "h", "9 path=a\n"))
                .entry(Entry::file("two-headers/data/b", "x").pax("comment", "c"))
                .to_tar(),
            "comes between another header and its member",
        ),
        Case::refused(
            "no-member",
            with_entry("no-member", Entry::of_type(b'x', "h", "9 path=a\n")),
            "belongs to a member that is missing",
        ),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn z6_a_member_twice_is_kept_once_when_the_bytes_are_the_same_and_else_refused_by_name() {
    let again = |name: &str, path: &str, bytes: &str| Entry::file(format!("{name}{path}"), bytes);
    let twice = |name: &'static str, is_first: bool, entry: Entry| {
        let bag = if is_first {
            bag(name).manifests_first()
        } else {
            bag(name)
        };
        bag.entry(entry).to_tar()
    };
    let same = "File data/letter.txt is in the bag twice, with the same content";
    let other = "File data/letter.txt is in the bag twice, with different content";
    let mut cases = Vec::new();
    for (is_first, names) in [
        (true, ["same-before", "dotted-before", "other-before"]),
        (false, ["same-after", "dotted-after", "other-after"]),
    ] {
        let letter = |name: &str| again(name, "/data/letter.txt", TEXT);
        let [name, dotted, differs] = names;
        let same_tar = twice(name, is_first, letter(name));
        cases.push(Case::read_as(name, same_tar, bag(name).to_tar()).warned(same));
        let dotted_tar = twice(dotted, is_first, letter(&format!("./{dotted}")));
        cases.push(Case::read_as(dotted, dotted_tar, bag(dotted).to_tar()).warned(same));
        let other_tar = twice(differs, is_first, again(differs, "/data/letter.txt", "x"));
        cases.push(Case::refused(differs, other_tar, other));
    }
    cases.push(Case::refused(
        "tags",
        twice("tags", false, again("tags", "/bag-info.txt", "Title: x\n")),
        "File bag-info.txt is in the bag twice, with different content",
    ));
    cases.push(Case::refused(
        "folder",
        bag("folder").file(format!("{LETTER}/x"), "x").to_tar(),
        "data/letter.txt is in the bag as a file and as a folder",
    ));
    cases.push(Case::refused(
        "data-file",
        with_entry("data-file", Entry::file("data-file/data", "x")),
        "'data' is a file",
    ));
    assert_endings(cases).await;
}
