use super::*;

#[test]
fn members_of_one_folder_are_placed_in_it() {
    let rows = [
        (EntryKind::Directory, "bag/", None),
        (
            EntryKind::Regular,
            "bag/bagit.txt",
            Some(("bagit.txt", MemberKind::Declaration)),
        ),
        (
            EntryKind::Directory,
            "bag/data/",
            Some(("data", MemberKind::Directory)),
        ),
        (
            EntryKind::Regular,
            "./bag/data/a",
            Some(("data/a", MemberKind::Payload)),
        ),
    ];
    let (mut survey, mut findings) = (Survey::default(), Findings::default());

    for (kind, name, expected) in rows {
        let member = member(kind, name);
        let placed = survey.place(&member, &mut findings);
        let placed = placed.map(|found| (found.path, found.kind));
        assert_eq!(placed, expected, "{name}");
        assert_eq!(survey.folder(), Some("bag"));
    }
    assert_eq!(findings, Findings::default());
}

#[test]
fn the_root_of_the_tar_is_no_folder() {
    let (mut survey, mut findings) = (Survey::default(), Findings::default());

    for name in ["./", "."] {
        let root = member(EntryKind::Directory, name);
        assert_eq!(survey.place(&root, &mut findings), None);
        assert_eq!(survey.folder(), None);
    }
    let file = member(EntryKind::Regular, "./bag/data/a");
    assert!(survey.place(&file, &mut findings).is_some());

    assert_eq!(survey.folder(), Some("bag"));
    assert_eq!(findings, Findings::default());
}

#[test]
fn every_member_of_a_second_folder_is_one_finding_be_it_empty() {
    let rows = [
        (EntryKind::Regular, "other/data/x", "data/x"),
        (EntryKind::Directory, "other/data/", "data"),
        (EntryKind::Directory, "other/", "other"),
    ];
    for (kind, name, path) in rows {
        let (mut survey, mut findings) = (Survey::default(), Findings::default());
        let first = member(EntryKind::Regular, "bag/a");
        survey.place(&first, &mut findings);

        let second = member(kind, name);
        assert_eq!(survey.place(&second, &mut findings), None, "{name}");

        let found: Vec<_> = findings.errors().collect();
        assert_eq!(found.len(), 1, "{name}");
        assert_eq!(found[0].code, FindingCode::SeveralFolders);
        assert_eq!(found[0].path, path);
        assert_eq!(
            found[0].message,
            "The tar holds more than one folder: bag and other"
        );
        assert_eq!(survey.folder(), Some("bag"));
    }
}

#[test]
fn a_refused_name_is_a_finding_and_names_no_folder() {
    let rows = [
        (EntryKind::Regular, "../a", FindingCode::MemberOutsideBag),
        (EntryKind::Regular, "bag.txt", FindingCode::MemberOutsideBag),
        (
            EntryKind::Directory,
            "bag//a",
            FindingCode::MemberNameInvalid,
        ),
    ];

    for (kind, name, expected) in rows {
        let (mut survey, mut findings) = (Survey::default(), Findings::default());
        let refused = member(kind, name);
        assert_eq!(survey.place(&refused, &mut findings), None, "{name}");
        let codes: Vec<_> = findings.errors().map(|finding| finding.code).collect();
        assert_eq!(codes, [expected], "{name}");
        assert_eq!(survey.folder(), None);
    }
}

#[test]
fn a_resumed_reading_keeps_its_folder() {
    let mut findings = Findings::default();
    let mut survey = Survey::resume(Some("bag".to_owned()));
    survey.place(&member(EntryKind::Regular, "other/a"), &mut findings);

    assert_eq!(findings.error_count(), 1);
    assert_eq!(Survey::resume(Some(String::new())).folder(), None);
    assert_eq!(Survey::resume(None), Survey::default());
}

fn member(kind: EntryKind, name: &str) -> Member {
    Member {
        raw_path: name.as_bytes().to_vec(),
        kind,
        size: 0,
        tar_offset: 0,
        data_offset: 512,
        modified_at: None,
        header: Vec::new(),
    }
}
