//! Target: names of members, by which a tar says where its files belong.
//!
//! The input is the name. Whatever it is, a name that is accepted stays in the bag's folder, on any system.

use muniment_bagit::manifest::ManifestFile;
use muniment_bagit::member::{
    NameFault, PATH_BYTES_MAX, Place, is_of_payload, kind_of, manifest_of, place, place_file,
};
use muniment_model::{Findings, MemberKind};

pub(crate) fn check(name: &[u8]) {
    let folder = place(name);
    let file = place_file(name);
    match (&folder, &file) {
        (Ok(found), Ok(same)) => {
            assert_eq!(found, same, "a file and a folder are in different places");
            assert!(!found.path.is_empty(), "a file without a path");
            assert_ne!(found.path, "data", "the payload folder is a file");
        }
        (Ok(found), Err(fault)) => {
            assert!(matches!(found.path, "" | "data"), "{found:?} {fault}");
        }
        (Err(fault), Err(same)) => assert_eq!(fault, same, "one name with two faults"),
        (Err(fault), Ok(found)) => assert_eq!(Ok(*found), Err(fault.clone()), "refused, then not"),
    }
    for fault in [folder.as_ref().err(), file.as_ref().err()] {
        fault.into_iter().for_each(check_fault);
    }
    if let Ok(found) = folder {
        check_place(found);
        let is_payload = found.path == "data" || found.path.starts_with("data/");
        assert_eq!(is_of_payload(name), is_payload, "{found:?}");
    }
    if let Ok(path) = std::str::from_utf8(name) {
        check_kind(path);
    }
}

pub(crate) fn parse(name: &[u8]) {
    // The answers are compared elsewhere; here they only have to be made.
    drop((place(name), place_file(name), is_of_payload(name)));
}

fn check_place(found: Place<'_>) {
    let Place { folder, path } = found;
    assert!(folder.len() <= PATH_BYTES_MAX && path.len() <= PATH_BYTES_MAX);
    if folder.is_empty() {
        assert_eq!(path, "", "a path in no folder");
        return;
    }
    let whole = match path {
        "" => folder.to_owned(),
        _ => format!("{folder}/{path}"),
    };
    for part in whole.split(['/', '\\']) {
        assert_ne!(part, "..", "{whole:?} leaves the bag");
    }
    for part in whole.split('/') {
        assert!(!matches!(part, "" | "."), "{whole:?} has an empty part");
    }
    assert!(!whole.starts_with('\\'), "{whole:?} is absolute");
    assert!(!whole.contains(char::is_control), "{whole:?}");
    assert_eq!(place(whole.as_bytes()), Ok(found), "placed twice");
}

fn check_fault(fault: &NameFault) {
    let mut findings = Findings::default();
    fault.report(&mut findings);
    assert!(!findings.is_valid(), "{fault} is no error");
}

fn check_kind(path: &str) {
    let kind = kind_of(path);
    let is_manifest = matches!(kind, MemberKind::Manifest | MemberKind::TagManifest);
    assert_eq!(manifest_of(path).is_some(), is_manifest, "{path:?}");
    let file = ManifestFile::at(path);
    assert_eq!(file.is_some(), is_manifest, "{path:?}");
    if let Some(file) = file {
        assert_eq!(file.of_tags, kind == MemberKind::TagManifest, "{path:?}");
        assert!(!path.contains('/'), "{path:?} is a manifest in a folder");
        let is_name = |word: &str| word.bytes().all(|byte| byte.is_ascii_alphanumeric());
        assert!(is_name(file.algorithm_name()), "{path:?}");
    }
}
