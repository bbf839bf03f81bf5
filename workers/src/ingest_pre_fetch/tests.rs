use std::collections::HashMap;

use muniment_testkit::records;

use super::*;

fn head() -> Head {
    let tar = records::object(Vec::new()).tar;
    Head {
        size: tar.size,
        etag: tar.etag,
        last_modified: tar.last_modified,
        version_id: None,
        has_versions: false,
        crc64nvme: tar.crc64nvme,
        content_type: "application/x-tar".to_owned(),
        metadata: HashMap::new(),
    }
}

#[test]
fn the_identity_of_an_object_comes_from_its_bucket_and_key() {
    let record = new_record(&records::item(), &head()).expect("a record");

    assert_eq!(record.identifier.as_str(), "test.edu/photos");
    assert_eq!(record.bag_name, "photos");
    assert_eq!(record.tar, records::object(Vec::new()).tar);
    assert_eq!(record.received, None);
}

#[test]
fn an_item_without_institution_or_bag_name_is_a_fault_of_ours() {
    let of_nobody = WorkItem {
        institution_identifier: String::new(),
        ..records::item()
    };
    let no_bag = WorkItem {
        name: "photos.zip".to_owned(),
        ..records::item()
    };

    for item in [of_nobody, no_bag] {
        let refused = new_record(&item, &head());
        assert!(matches!(refused, Err(JobError::Halt { .. })), "{refused:?}");
    }
}
