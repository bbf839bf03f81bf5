use muniment_model::Algorithm;

use super::*;
use crate::member::kind_of;

#[test]
fn files_and_payload_are_counted_and_folders_are_not() {
    let mut seen = empty();

    for (path, size) in [
        ("bagit.txt", 55),
        ("data/a", 5),
        ("data/b/c", 7),
        ("x/y", 9),
    ] {
        see(&mut seen, path, size, 512);
    }
    folder(&mut seen, "x");

    assert_eq!(seen.files, 4);
    assert_eq!((seen.payload_files, seen.payload_bytes), (2, 12));
    assert!(seen.has_payload_folder);
}

#[test]
fn the_payload_folder_is_data_or_below_it() {
    let rows = [
        ("data", true),
        ("data/a", true),
        ("data/a/b", true),
        ("database", false),
        ("Data", false),
        ("custom/data", false),
        ("", false),
    ];

    for (path, expected) in rows {
        let mut seen = empty();
        folder(&mut seen, path);
        assert_eq!(seen.has_payload_folder, expected, "{path}");
    }
}

#[test]
fn what_the_check_reads_again_is_remembered_once_and_the_first_counts() {
    let rows = [
        ("bagit.txt", true),
        ("package-info.txt", true),
        ("fetch.txt", true),
        ("manifest-md5.txt", true),
        ("tagmanifest-sha512.txt", true),
        ("manifest-sha224.txt", true),
        ("other-info.txt", false),
        ("data/bagit.txt", false),
    ];

    for (path, expected) in rows {
        let mut seen = empty();
        assert_eq!(see(&mut seen, path, 10, 512), expected, "{path}");
        let first = seen.clone();
        assert!(!see(&mut seen, path, 20, 1_024), "{path} again");
        assert_eq!(seen.files, 2, "{path}");
        assert_eq!(seen.manifests, first.manifests, "{path}");
        assert_eq!(seen.tag_files, first.tag_files, "{path}");
        assert_eq!(seen.unknown_manifests, first.unknown_manifests, "{path}");
        assert_eq!(seen.fetch_offset, first.fetch_offset, "{path}");
    }
}

#[test]
fn a_manifest_is_known_by_its_name() {
    let mut seen = empty();

    see(&mut seen, "tagmanifest-sha256.txt", 10, 512);
    see(&mut seen, "manifest-sha224.txt", 10, 1_024);

    let manifest = Manifest {
        path: "tagmanifest-sha256.txt".to_owned(),
        algorithm: Algorithm::Sha256,
        of_tags: true,
        tar_offset: 512,
        size: 10,
        crc64nvme: None,
    };
    assert_eq!(seen.manifests, [manifest]);
    assert_eq!(seen.unknown_manifests, ["manifest-sha224.txt"]);
}

#[test]
fn manifests_of_unknown_algorithms_are_bounded() {
    let mut seen = empty();

    let kept = (0..40)
        .filter(|n| see(&mut seen, &format!("manifest-a{n}.txt"), 1, 512))
        .count();

    assert_eq!(kept, UNKNOWN_MANIFESTS_MAX);
    assert_eq!(seen.unknown_manifests.len(), UNKNOWN_MANIFESTS_MAX);
    assert_eq!(seen.files, 40);
}

fn see(seen: &mut Received, path: &str, size: u64, tar_offset: u64) -> bool {
    let kind = kind_of(path);
    count(seen, BagMember { path, kind }, size, tar_offset)
}

fn folder(seen: &mut Received, path: &str) {
    let kind = MemberKind::Directory;
    count(seen, BagMember { path, kind }, 0, 0);
}
