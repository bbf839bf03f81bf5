use std::collections::HashMap;

use muniment_model::{Crc64Nvme, MemberKind};
use muniment_testkit::records;

use super::*;

fn file() -> FileRecord {
    records::file("data/a", MemberKind::Payload, &[])
}

fn head(crc64nvme: Option<Crc64Nvme>, sha256: &str) -> Head {
    let tar = records::object(Vec::new()).tar;
    Head {
        size: file().size,
        etag: tar.etag,
        version_id: None,
        has_versions: false,
        last_modified: tar.last_modified,
        crc64nvme,
        content_type: String::new(),
        metadata: HashMap::from([("sha256".to_owned(), sha256.to_owned())]),
    }
}

#[test]
fn a_copy_is_known_by_its_size_and_checksum_or_digest() {
    let digests = file().digests.expect("digests");
    let sha256 = digests.hex(Algorithm::Sha256);
    let other = Crc64Nvme(digests.crc64nvme.0 ^ 1);
    let longer = Head {
        size: file().size + 1,
        ..head(Some(digests.crc64nvme), &sha256)
    };
    let rows = [
        ("the checksum", head(Some(digests.crc64nvme), ""), true),
        ("another checksum", head(Some(other), &sha256), false),
        ("no checksum, the digest", head(None, &sha256), true),
        ("no checksum, another digest", head(None, "00"), false),
        ("another size", longer, false),
    ];

    for (name, head, expected) in rows {
        assert_eq!(is_copy_of(&head, &file()), expected, "{name}");
    }
}
