use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use muniment_bag_builder::BagBuilder;
use muniment_model::{Chain, FindingCode, Findings, printable};
use tempfile::TempDir;

use super::*;
use crate::deposit;
use crate::local_bag::{self, BytesRead, ProfileChoice, Terms};

/// The bucket reader's note about an upload is the text of `check_bag_name` for its key.
#[test]
fn validate_and_deposit_refuse_a_bags_name_in_the_servers_words() {
    let names = [
        "pho\u{7}tos.tar",
        "photos\n.tar",
        "photos\\u000a.tar",
        "pho\u{a0}tos.tar",
        "\u{a0}photos.tar",
        "photos\u{a0}.tar",
        "pho\u{2028}tos.tar",
        "pho\u{2029}tos.tar",
        " photos.tar",
        "photos .tar",
        "photos.TAR",
        "photos.tgz",
        "photos",
        ".tar",
        ".b01.of02.tar",
    ];

    for name in names {
        let (_folder, path) = written(OsStr::new(name));

        let server = check_bag_name(name).expect_err(name).to_string();

        assert_eq!(validated(&path), [printable(&server)], "{name:?}");
        assert!(deposited(&path).ends_with(&server), "{name:?}");
    }
}

#[test]
fn a_folders_name_is_judged_as_that_of_its_tar() {
    for name in ["pho\u{7}tos", "\u{a0}photos", "pho\u{2028}tos", "photos "] {
        let folder = TempDir::new().expect("a folder");
        let bag = folder.path().join(name);
        unpack(&BagBuilder::plain("photos").file("data/a", "a"), &bag);
        let key = format!("{name}{TAR_EXTENSION}");

        let server = check_bag_name(&key).expect_err(name).to_string();

        assert_eq!(validated(&bag), [printable(&server)], "{name:?}");
        assert!(deposited(&bag).ends_with(&server), "{name:?}");
    }
}

#[test]
fn a_name_that_no_file_can_have_is_too_long_rather_than_not_there() {
    let path = PathBuf::from(format!("/tmp/{}.tar", "a".repeat(300)));

    let expected = BagNameFault::TooLong.to_string();

    assert_eq!(validated(&path), [&*expected]);
    assert!(deposited(&path).ends_with(&expected));
}

#[test]
fn a_name_that_is_no_text_is_refused_as_such() {
    let (_folder, path) = written(OsStr::from_bytes(b"caf\xe9.tar"));

    assert_eq!(validated(&path), ["The bag's name is not valid UTF-8"]);
    assert!(deposited(&path).ends_with("The bag's name is not valid UTF-8"));
}

#[test]
fn a_tar_is_judged_under_the_name_it_is_called_by() {
    let (folder, tar) = written(OsStr::new("photos.tar"));
    let elsewhere = folder.path().join("stored-1.tar");
    std::fs::rename(&tar, &elsewhere).expect("renames");
    std::os::unix::fs::symlink(&elsewhere, &tar).expect("links");

    assert_eq!(codes(&tar), []);
}

#[test]
fn a_folder_is_judged_under_its_own_name() {
    let folder = TempDir::new().expect("a folder");
    let (bag, link) = (folder.path().join("bag"), folder.path().join("link"));
    std::fs::create_dir(&bag).expect("a folder");
    std::os::unix::fs::symlink(&bag, &link).expect("links");

    let codes = codes(&link);

    assert!(
        !codes.contains(&FindingCode::FolderNameDiffers),
        "{codes:?}"
    );
}

#[test]
fn a_folder_of_tars_is_every_file_that_is_meant_as_one() {
    let folder = TempDir::new().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    let meant = [".tar", "a.tar", "b.TAR", "c.tgz", "d.tar.gz", "gone.tar"];
    for name in [".tar", "a.tar", "b.TAR", "c.tgz", "d.tar.gz", "notes.txt"] {
        std::fs::write(at(name), "").expect("writes");
    }
    std::os::unix::fs::symlink(at("nowhere"), at("gone.tar")).expect("links");
    std::fs::create_dir(at("folder.tar")).expect("a folder");

    let found = BagPath::of(folder.path()).expect("a readable disk");

    assert_eq!(found, BagPath::Tars(meant.map(at).to_vec()));
}

/// The messages of all errors.
fn validated(path: &Path) -> Vec<String> {
    let findings = findings(path);
    let errors = findings.errors().map(|error| error.message.clone());
    errors.collect()
}

fn codes(path: &Path) -> Vec<FindingCode> {
    findings(path).iter().map(|finding| finding.code).collect()
}

fn findings(path: &Path) -> Findings {
    let terms = Terms {
        profile: ProfileChoice::None,
        institution: None,
    };
    local_bag::validate(path, &terms, &BytesRead::default()).expect("a readable disk")
}

fn deposited(path: &Path) -> String {
    let fault = deposit::find(&[path.to_owned()]).expect_err("a fault");
    Chain(&fault).to_string()
}

/// A bag that is good but for the name of its file.
fn written(name: &OsStr) -> (TempDir, PathBuf) {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join(name);
    let bag = BagBuilder::plain("photos").file("data/a", "a");
    std::fs::write(&path, bag.to_tar()).expect("writes");
    (folder, path)
}

fn unpack(bag: &BagBuilder, folder: &Path) {
    let tar = bag.to_tar();
    let mut archive = tar::Archive::new(&*tar);
    for entry in archive.entries().expect("a tar") {
        let mut entry = entry.expect("an entry");
        let path = entry.path().expect("a path").into_owned();
        let inside: PathBuf = path.components().skip(1).collect();
        let target = folder.join(inside);
        std::fs::create_dir_all(target.parent().expect("a parent")).expect("folders");
        entry.unpack(target).expect("unpacks");
    }
}
