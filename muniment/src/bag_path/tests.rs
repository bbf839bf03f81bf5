use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use muniment_bag_builder::BagBuilder;
use muniment_model::{Chain, printable};
use tempfile::TempDir;

use super::*;
use crate::deposit;
use crate::local_bag::{self, ProfileChoice};

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
fn a_name_that_is_no_text_is_refused_as_such() {
    let (_folder, path) = written(OsStr::from_bytes(b"caf\xe9.tar"));

    assert_eq!(validated(&path), ["The bag's name is not valid UTF-8"]);
    assert!(deposited(&path).ends_with("The bag's name is not valid UTF-8"));
}

/// The messages of all errors.
fn validated(path: &Path) -> Vec<String> {
    let findings = local_bag::validate(path, ProfileChoice::None).expect("a readable disk");
    let errors = findings.errors().map(|error| error.message.clone());
    errors.collect()
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
