use std::fs;

use super::*;

#[test]
fn the_tar_holds_every_file_and_folder_and_has_the_size_that_was_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let deep = "n".repeat(120);
    let names = [
        "bagit.txt",
        "data/a",
        "data/b/c",
        &format!("data/{deep}/{deep}"),
    ];
    for (n, name) in names.iter().enumerate() {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
        fs::write(path, vec![b'x'; n * 300]).expect("writes");
    }
    fs::create_dir(folder.path().join("data/empty")).expect("a folder");

    let plan = FolderTar::plan(folder.path(), "bag".to_owned()).expect("a plan");
    let mut bytes = Vec::new();
    plan.write(&mut bytes).expect("writes");

    assert_eq!(bytes.len() as u64, plan.size());
    assert_eq!(
        names_in(&bytes),
        [
            "bag/".to_owned(),
            "bag/bagit.txt".to_owned(),
            "bag/data/".to_owned(),
            "bag/data/a".to_owned(),
            "bag/data/b/".to_owned(),
            "bag/data/b/c".to_owned(),
            "bag/data/empty/".to_owned(),
            format!("bag/data/{deep}/"),
            format!("bag/data/{deep}/{deep}"),
        ]
    );
}

#[test]
fn the_size_is_right_for_names_around_the_limit_of_a_header() {
    for length in 94..=101 {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("n".repeat(length)), "x").expect("writes");

        let plan = FolderTar::plan(folder.path(), "bag".to_owned()).expect("a plan");
        let mut bytes = Vec::new();
        plan.write(&mut bytes).expect("writes");

        assert_eq!(bytes.len() as u64, plan.size(), "{length}");
    }
}

#[test]
fn a_file_that_grows_or_shrinks_meanwhile_is_an_error() {
    for later in ["shorter", "a good deal longer"] {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("a");
        fs::write(&file, "at the start").expect("writes");
        let plan = FolderTar::plan(folder.path(), "bag".to_owned()).expect("a plan");
        fs::write(&file, later).expect("writes");

        let error = plan.write(io::sink()).expect_err("an error");

        assert!(
            error.to_string().contains("was changed"),
            "{later}: {error}"
        );
    }
}

fn names_in(bytes: &[u8]) -> Vec<String> {
    let mut archive = tar::Archive::new(bytes);
    let entries = archive.entries().expect("a tar");
    entries
        .map(|entry| {
            let name = entry.expect("an entry").path_bytes().into_owned();
            String::from_utf8(name).expect("text")
        })
        .collect()
}
