//! Bags that must be refused: each with a clear reason, nothing kept, the tar untouched.

use muniment_bag_builder::{BagBuilder, Entry};

use crate::checks::{assert_nothing_staged, assert_refused, deposit, ending_of};
use crate::site::{Site, TEST_EDU};

/// A name, what is deposited, and words that the depositor must read.
type Row = (&'static str, Vec<u8>, &'static str);

fn bag(name: &str) -> BagBuilder {
    BagBuilder::aptrust(name).file("data/letter.txt", "Dear all,")
}

fn with_entry(name: &str, entry: Entry) -> Vec<u8> {
    bag(name).entry(entry).to_tar()
}

/// Deposits all rows at once, and looks at how each ends.
async fn assert_rejected(rows: Vec<Row>) {
    let site = Site::start().await;
    let mut uploads = Vec::new();
    for (name, tar, _) in &rows {
        uploads.push(deposit(&site.view, TEST_EDU, &format!("{name}.tar"), tar).await);
    }
    for (upload, (name, tar, words)) in uploads.iter().zip(&rows) {
        assert_refused(&site.view, upload, tar).await;
        let item = ending_of(&site.view, upload).await;
        let note = item["note"].as_str().unwrap_or_default();
        assert!(note.contains(words), "{name}: {note}");
        assert!(!note.chars().any(char::is_control), "{name}: {note:?}");
    }
    assert_nothing_staged(&site.view).await;
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_only_calls_itself_a_tar_is_named_for_what_it_is() {
    assert_rejected(vec![
        (
            "gzip",
            [&[0x1f, 0x8b, 8, 0][..], &[7; 2_000]].concat(),
            "gzip",
        ),
        ("zip", [&b"PK\x03\x04"[..], &[7; 2_000]].concat(), "zip"),
        (
            "text",
            b"Dear archive, please find attached. ".repeat(40),
            "not a tar file",
        ),
        ("nothing", Vec::new(), "not a tar file"),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tar_that_was_cut_is_never_valid() {
    // Manifests first: so that each cut loses something that a manifest lists.
    let whole = bag("cut")
        .file("data/more.bin", vec![7; 3_000])
        .manifests_first()
        .to_tar();
    let site = Site::start().await;
    let cuts: Vec<usize> = (1..whole.len() / 512)
        .map(|block| block * 512)
        .chain([700, 5_000, whole.len() - 1_500])
        .collect();
    let mut uploads = Vec::new();
    for cut in &cuts {
        let key = format!("cut-{cut}.tar");
        uploads.push(deposit(&site.view, TEST_EDU, &key, &whole[..*cut]).await);
    }

    for (upload, cut) in uploads.iter().zip(&cuts) {
        let item = ending_of(&site.view, upload).await;
        let without_end_blocks = whole.len() - cut <= 1_024;
        let expected = if without_end_blocks {
            "Success"
        } else {
            "Failed"
        };
        assert_eq!(item["status"], expected, "cut at {cut}: {item:#}");
    }
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn members_that_no_bag_may_hold_are_refused_by_name() {
    assert_rejected(vec![
        (
            "parent",
            with_entry("parent", Entry::file("parent/../../up.txt", "up")),
            "leaves the bag's folder",
        ),
        (
            "absolute",
            with_entry("absolute", Entry::file("/etc/passwd", "root")),
            "absolute path",
        ),
        (
            "symlink",
            with_entry("symlink", Entry::symbolic_link("symlink/data/l", "/etc")),
            "data/l is a symbolic link: a bag may hold only files and folders. Put the file itself in \
             its place, or make the tar again with the option --dereference",
        ),
        (
            "hardlink",
            with_entry(
                "hardlink",
                Entry::hard_link("hardlink/data/h", "letter.txt"),
            ),
            "data/h is a hard link: a bag may hold only files and folders. Make the tar again with the \
             option --hard-dereference",
        ),
        (
            "device",
            with_entry("device", Entry::character_device("device/data/d")),
            "data/d",
        ),
        (
            "utf8",
            with_entry("utf8", Entry::file(b"utf8/data/\xff\xfe.txt".to_vec(), "x")),
            "not valid UTF-8",
        ),
        (
            "control",
            with_entry("control", Entry::file("control/data/a\u{7}b.txt", "x")),
            "illegal control characters",
        ),
        (
            "newline",
            with_entry("newline", Entry::file("newline/data/a\nb.txt", "x")),
            "illegal control characters",
        ),
        (
            "elsewhere",
            with_entry("elsewhere", Entry::file("other/data/x.txt", "x")),
            "more than one folder",
        ),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_that_lie_are_refused() {
    let sparse = |key: &'static str, value: &'static str| {
        Entry::file("sparse/data/s.bin", "packed").pax(key, value)
    };
    assert_rejected(vec![
        (
            "repeated",
            with_entry("repeated", Entry::file("repeated/data/letter.txt", "other")),
            "data/letter.txt",
        ),
        (
            "sizes",
            with_entry(
                "sizes",
                Entry::file("sizes/data/x.bin", vec![7; 2_000]).pax("size", "512"),
            ),
            "disagree about the size",
        ),
        (
            "nul-size",
            with_entry(
                "nul-size",
                Entry::file("nul-size/data/x.bin", vec![7; 1_024])
                    .with_size_field(*b"\x0000000002000"),
            ),
            "behind a zero byte",
        ),
        (
            "folder",
            bag("folder").file("data/letter.txt/x", "x").to_tar(),
            "data/letter.txt is in the bag as a file and as a folder",
        ),
        (
            "data-file",
            with_entry("data-file", Entry::file("data-file/data", "x")),
            "'data' is a file",
        ),
        (
            "longname",
            with_entry(
                "longname",
                Entry::of_type(b'L', "././@LongLink", "x").claiming(1 << 30),
            ),
            "header",
        ),
        (
            "sparse-old",
            with_entry(
                "sparse-old",
                Entry::old_sparse("sparse-old/data/s.bin", vec![0; 512]),
            ),
            "sparse",
        ),
        (
            "sparse-0-0",
            with_entry("sparse", sparse("GNU.sparse.size", "100")),
            "sparse",
        ),
        (
            "sparse-0-1",
            with_entry("sparse", sparse("GNU.sparse.map", "0,6")),
            "sparse",
        ),
        (
            "sparse-1-0",
            with_entry("sparse", sparse("GNU.sparse.major", "1")),
            "sparse",
        ),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_bags_are_refused_with_all_their_findings() {
    assert_rejected(vec![
        (
            "digest",
            bag("digest").corrupt_digest("data/letter.txt").to_tar(),
            "doesn't match manifest checksum",
        ),
        (
            "missing",
            bag("missing")
                .without_file_but_listed("data/gone.txt")
                .to_tar(),
            "is missing from bag",
        ),
        (
            "extra",
            bag("extra")
                .extra_unlisted_file("data/extra.txt", "x")
                .to_tar(),
            "is not in manifest",
        ),
        (
            "untitled",
            bag("untitled").without_tag("Title").to_tar(),
            "Required tag Title in file aptrust-info.txt is missing",
        ),
        (
            "mark",
            bag("mark")
                .file(
                    "bagit.txt",
                    "\u{feff}BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n",
                )
                .to_tar(),
            "bagit.txt begins with a byte order mark",
        ),
        (
            "garbled",
            bag("garbled")
                .file("bag-info.txt", b"Source-Organization: caf\xe9\n")
                .to_tar(),
            "Line 1 of bag-info.txt has bytes that mean nothing",
        ),
        (
            "fetch",
            bag("fetch").with_fetch_txt().to_tar(),
            "Bag has fetch.txt file which profile does not allow",
        ),
        (
            "undeclared",
            bag("undeclared").without_bagit_txt().to_tar(),
            "Missing required tag bagit.txt/BagIt-Version.",
        ),
        (
            "both",
            bag("both")
                .without_tag("Title")
                .corrupt_digest("data/letter.txt")
                .to_tar(),
            "doesn't match manifest checksum",
        ),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_of_a_million_phantoms_is_counted_not_kept() {
    assert_rejected(vec![(
        "phantoms",
        bag("phantoms").phantom_lines(1_000_000).to_tar(),
        "more",
    )])
    .await;
}
