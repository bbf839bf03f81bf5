use muniment_model::{Algorithm, StagedTagFile};
use muniment_testkit::records;

use super::*;

#[test]
fn only_what_pass_one_kept_the_offset_of_is_read_again() {
    let manifest = records::manifest(Algorithm::Sha256);
    let mut received = records::object(vec![manifest.clone()])
        .received
        .expect("received");
    received.tag_files.push(StagedTagFile {
        path: "bag-info.txt".to_owned(),
        tar_offset: 1_024,
        size: 7,
        crc64nvme: Some(Crc64Nvme(9)),
    });
    let rows = [
        (
            manifest.path.as_str(),
            Some(Place {
                tar_offset: manifest.tar_offset,
                size: manifest.size,
                crc64nvme: None,
            }),
        ),
        (
            "bag-info.txt",
            Some(Place {
                tar_offset: 1_024,
                size: 7,
                crc64nvme: Some(Crc64Nvme(9)),
            }),
        ),
        ("manifest-sha224.txt", None),
        ("fetch.txt", None),
    ];

    for (path, expected) in rows {
        assert_eq!(staged(&received, path), expected, "{path}");
    }
}
