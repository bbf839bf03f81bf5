use std::fs;

use muniment_model::Chain;

use super::*;

#[test]
fn a_tar_is_uploaded_under_its_own_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = write(folder.path(), "photos.tar", "12345");

    let bags = find(&[path]).expect("a bag");

    assert_eq!(keys(&bags), ["photos.tar"]);
    assert_eq!(bags.first().map(|bag| bag.size), Some(5));
}

#[test]
fn a_folder_with_a_bagit_txt_is_one_bag_named_like_the_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path(), "photos/bagit.txt", "");
    write(
        folder.path(),
        "photos/data/a.tar",
        "not deposited by itself",
    );

    let bags = find(&[folder.path().join("photos")]).expect("a bag");

    assert_eq!(keys(&bags), ["photos.tar"]);
}

#[test]
fn the_present_folder_has_a_name_too() {
    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path(), "photos/bagit.txt", "");

    let bags = find(&[folder.path().join("photos/.")]).expect("a bag");

    assert_eq!(keys(&bags), ["photos.tar"]);
}

#[test]
fn any_other_folder_means_the_tars_in_it() {
    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path(), "b.tar", "");
    write(folder.path(), "a.tar", "");
    write(folder.path(), "readme.txt", "");
    write(folder.path(), "deeper/c.tar", "");

    let bags = find(&[folder.path().to_path_buf()]).expect("bags");

    assert_eq!(keys(&bags), ["a.tar", "b.tar"]);
}

#[test]
fn what_cannot_be_deposited_says_why() {
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["photos.zip", "photos.TAR", ".tar"] {
        write(folder.path(), name, "");
    }
    write(folder.path(), "pho\u{2028}tos.tar", "");
    write(folder.path(), "\u{a0}photos.tar", "");
    write(folder.path(), "one/x.tar", "");
    write(folder.path(), "two/x.tar", "");
    fs::create_dir(folder.path().join("nothing")).expect("a folder");
    let rows: [(&[&str], &str); 8] = [
        (&["photos.zip"], "the name of a bag ends in .tar"),
        (&["photos.TAR"], "the name of a bag ends in .tar"),
        (&[".tar"], "there is no name before .tar"),
        (&["pho\u{2028}tos.tar"], "contains a line separator"),
        (&["\u{a0}photos.tar"], "illegal control characters"),
        (&["nothing"], "neither a bag"),
        (&["missing.tar"], "cannot read"),
        (&["one", "two"], "like another one before it"),
    ];

    for (names, expected) in rows {
        let paths: Vec<_> = names.iter().map(|name| folder.path().join(name)).collect();

        let fault = find(&paths).expect_err(expected);
        let fault = Chain(&fault).to_string();

        assert!(fault.contains(expected), "{names:?}: {fault}");
    }
}

#[test]
fn a_link_in_a_bag_folder_is_refused_before_anything_is_sent() {
    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path(), "photos/bagit.txt", "");
    let link = folder.path().join("photos/passwd");
    std::os::unix::fs::symlink("/etc/passwd", link).expect("a link");

    let fault = find(&[folder.path().join("photos")]).expect_err("a fault");

    assert!(matches!(fault, BagFault::NeitherFileNorFolder { .. }));
}

fn write(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    let parent = path.parent().expect("a parent");
    fs::create_dir_all(parent).expect("folders");
    fs::write(&path, text).expect("writes");
    path
}

fn keys(bags: &[Bag]) -> Vec<&str> {
    bags.iter().map(|bag| bag.key.as_str()).collect()
}
