use std::collections::BTreeMap;

use super::*;
use muniment_bagit::member::place;
use muniment_bagit::tar::{Event, TarReader};

#[test]
fn a_bag_lists_its_files_with_their_digests() {
    let bag = BagBuilder::aptrust("photos").file("data/a.txt", "hello");

    let files = files(&bag);

    assert_eq!(
        files["manifest-md5.txt"],
        "5d41402abc4b2a76b9719d911017c592  data/a.txt\n"
    );
    assert_eq!(
        files["manifest-sha256.txt"],
        "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824  data/a.txt\n"
    );
    assert_eq!(
        files["bagit.txt"],
        "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"
    );
    assert!(files["bag-info.txt"].contains("Payload-Oxum: 5.1\n"));
    assert!(files["aptrust-info.txt"].contains("Storage-Option: Standard\n"));
    let tagged: Vec<&str> = files["tagmanifest-md5.txt"]
        .lines()
        .filter_map(|line| line.split_once("  ").map(|(_, path)| path))
        .collect();
    assert_eq!(
        tagged,
        [
            "bagit.txt",
            "bag-info.txt",
            "aptrust-info.txt",
            "manifest-md5.txt",
            "manifest-sha256.txt"
        ]
    );
}

#[test]
fn each_mistake_changes_what_it_says() {
    let bag = || BagBuilder::btr("photos").file("data/a.txt", "hello");
    let good = files(&bag());
    let manifest = "manifest-sha256.txt";

    let corrupt = files(&bag().corrupt_digest("data/a.txt"));
    assert_ne!(corrupt[manifest], good[manifest]);
    assert_eq!(corrupt[manifest].len(), good[manifest].len());

    let missing = files(&bag().without_file_but_listed("data/a.txt"));
    assert_eq!(missing[manifest], good[manifest]);
    assert!(!missing.contains_key("data/a.txt"));

    let extra = files(&bag().extra_unlisted_file("data/b.txt", "x"));
    assert_eq!(extra[manifest], good[manifest]);
    assert_eq!(extra["data/b.txt"], "x");

    let untagged = files(&bag().without_tag("Source-Organization").without_bagit_txt());
    assert!(!untagged["bag-info.txt"].contains("Source-Organization"));
    assert!(!untagged.contains_key("bagit.txt"));

    let replaced = files(
        &bag()
            .file(manifest, "nonsense")
            .tag("bag-info.txt", OXUM, "1.1"),
    );
    assert_eq!(replaced[manifest], "nonsense");
    assert!(replaced["bag-info.txt"].contains("Payload-Oxum: 1.1\n"));

    let phantoms = files(&bag().phantom_lines(3));
    assert_eq!(phantoms[manifest].lines().count(), 4);
}

#[test]
fn generated_files_are_the_same_wherever_the_manifests_stand() {
    let bag = BagBuilder::plain("large")
        .generated_file("data/large.bin", 200_001, 7)
        .generated_file("data/other.bin", 200_001, 8);

    let last = read(&bag);
    let first = read(&bag.clone().manifests_first());

    assert_eq!(bag.to_tar(), bag.to_tar());
    assert_eq!(last["data/large.bin"].len(), 200_001);
    assert_ne!(last["data/large.bin"], last["data/other.bin"]);
    assert_eq!(first, last);
}

#[test]
fn odd_names_survive() {
    let name = format!("data/{}/ä%\n", "folder/".repeat(30).trim_end_matches('/'));

    let tar = BagBuilder::plain("odd").file(name.as_str(), "x").to_tar();
    let mut found = false;
    each_member(&tar, |raw_path, _| {
        found |= raw_path == format!("odd/{name}").as_bytes();
    });

    assert!(found);
}

#[test]
fn members_of_any_kind_can_follow_those_of_the_bag() {
    let tar = BagBuilder::plain("bag")
        .entry(Entry::symbolic_link("bag/data/link", "/etc/passwd"))
        .entry(Entry::file("/absolute", "x"))
        .without_end_blocks()
        .to_tar();

    let mut names = Vec::new();
    each_member(&tar, |raw_path, _| names.push(raw_path.to_vec()));

    assert_eq!(names.last().map(Vec::as_slice), Some(&b"/absolute"[..]));
    assert!(names.contains(&b"bag/data/link".to_vec()));
}

fn files(bag: &BagBuilder) -> BTreeMap<String, String> {
    let text = |bytes| String::from_utf8(bytes).expect("is text");
    read(bag)
        .into_iter()
        .map(|(path, bytes)| (path, text(bytes)))
        .collect()
}

fn read(bag: &BagBuilder) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    each_member(&bag.to_tar(), |raw_path, bytes| {
        let found = place(raw_path).expect("is in the bag");
        if !raw_path.ends_with(b"/") {
            files.insert(found.path.to_owned(), bytes.to_vec());
        }
    });
    files
}

fn each_member(tar: &[u8], mut seen: impl FnMut(&[u8], &[u8])) {
    let mut reader = TarReader::new(tar.len() as u64);
    let mut input = tar;
    let mut member = (Vec::new(), Vec::new());
    while let Some(event) = reader.next(&mut input).expect("reads") {
        match event {
            Event::Member(found) => member = (found.raw_path, Vec::new()),
            Event::Irregular(found) => member = (found.raw_path, Vec::new()),
            Event::Data(bytes) => member.1.extend(bytes),
            Event::MemberEnd { .. } => seen(&member.0, &member.1),
            Event::End => {}
        }
    }
}
