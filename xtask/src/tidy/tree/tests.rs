use std::fs;
use std::path::Path;

use super::{Tree, walked};

#[test]
fn the_project_itself_can_be_read() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");

    let tree = Tree::read(&root).expect("reads");

    assert!(tree.get("xtask/src/tidy/tree/tests.rs").is_some());
    assert!(tree.text("Cargo.toml").contains("[workspace]"));
    assert!(
        !tree
            .files
            .iter()
            .any(|file| file.path.starts_with("target/"))
    );
}

#[test]
fn a_folder_without_git_is_walked() {
    let root = tempfile::tempdir().expect("a folder");
    for folder in ["a/src", "target/debug", ".git"] {
        fs::create_dir_all(root.path().join(folder)).expect("a folder");
    }
    for path in [
        "Cargo.toml",
        "a/src/lib.rs",
        "target/debug/x",
        ".git/config",
    ] {
        fs::write(root.path().join(path), "x").expect("a file");
    }

    let mut paths = walked(root.path()).expect("walks");
    paths.sort();

    assert_eq!(paths, ["Cargo.toml", "a/src/lib.rs"]);
}

#[test]
fn bytes_that_are_not_text_are_told_apart() {
    let root = tempfile::tempdir().expect("a folder");
    fs::write(root.path().join("a.bin"), b"\xff\xfe").expect("a file");
    fs::write(root.path().join("b.bin"), b"a\0b").expect("a file");
    fs::write(root.path().join("c.txt"), "ä").expect("a file");

    let tree = Tree::read(root.path()).expect("reads");

    let texts: Vec<&str> = tree.texts().map(|(path, _)| path).collect();
    assert_eq!(tree.files.len(), 3);
    assert_eq!(texts, ["c.txt"]);
}
