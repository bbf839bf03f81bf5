use super::*;

#[test]
fn a_name_is_split_into_folder_and_path() {
    let rows = [
        ("bag/data/a", "bag", "data/a"),
        ("./bag/data/a", "bag", "data/a"),
        ("././bag/a", "bag", "a"),
        ("bag/", "bag", ""),
        ("bag", "bag", ""),
        ("bag/data/", "bag", "data"),
        ("./", "", ""),
        (".", "", ""),
        ("bag/a b", "bag", "a b"),
        ("bag/data/C:\\x", "bag", "data/C:\\x"),
        ("bag/data/...", "bag", "data/..."),
        ("bag/data/.hidden", "bag", "data/.hidden"),
        (
            "bag/data/narrow\u{202f}space",
            "bag",
            "data/narrow\u{202f}space",
        ),
        (
            "bag/data/line\u{2028}separator",
            "bag",
            "data/line\u{2028}separator",
        ),
        ("bag/data/%0A", "bag", "data/%0A"),
        ("bag/data/a\\n", "bag", "data/a\\n"),
        ("bag/data/\\u0041", "bag", "data/\\u0041"),
        ("bag/data/\\u00a", "bag", "data/\\u00a"),
    ];

    for (name, folder, path) in rows {
        assert_eq!(place(name.as_bytes()), Ok(Place { folder, path }), "{name}");
    }
}

#[test]
fn names_that_leave_the_bag_or_hide_something_are_refused() {
    const OUTSIDE: FindingCode = FindingCode::MemberOutsideBag;
    const INVALID: FindingCode = FindingCode::MemberNameInvalid;
    let rows: [(&[u8], FindingCode); 27] = [
        (b"/etc/passwd", OUTSIDE),
        (b"//bag/a", OUTSIDE),
        (b"C:\\bag\\a", OUTSIDE),
        (b"c:/bag/a", OUTSIDE),
        (b"\\\\server\\share", OUTSIDE),
        (b"./C:\\bag\\a", OUTSIDE),
        (b"./\\bag\\a", OUTSIDE),
        (b"..", OUTSIDE),
        (b"../a", OUTSIDE),
        (b"./../a", OUTSIDE),
        (b"bag/../../a", OUTSIDE),
        (b"bag/manifest-/../../p", OUTSIDE),
        (b"bag/data/..", OUTSIDE),
        (b"bag/data\\..\\..\\a", OUTSIDE),
        (b"", INVALID),
        (b"bag//a", INVALID),
        (b"bag/./a", INVALID),
        (b"bag/data//", INVALID),
        (b".//a", INVALID),
        (b"bag/a\0b", INVALID),
        (b"bag/a\nb", INVALID),
        (b"bag/\x7f", INVALID),
        (b"bag/\xff\xfe", INVALID),
        ("bag/a\u{85}".as_bytes(), INVALID),
        ("bag/no\u{a0}break".as_bytes(), INVALID),
        (b"bag/a\\u000ab", INVALID),
        (b"bag/a\\U0000001b[0m", INVALID),
    ];

    for (name, code) in rows {
        let fault = place(name).expect_err("refused");
        assert_eq!(fault.code(), code, "{fault}");
    }
}

#[test]
fn a_file_called_data_is_refused_by_name() {
    let fault = place_file(b"bag/data").expect_err("refused");

    assert_eq!(fault.code(), FindingCode::MemberNameInvalid);
    assert!(fault.to_string().starts_with("'data' is a file"), "{fault}");
    assert!(place(b"bag/data").is_ok(), "a folder of that name");
    assert!(place_file(b"bag/data/data").is_ok());
    assert!(place_file(b"bag/Data").is_ok());
}

#[test]
fn the_message_about_control_characters_is_that_of_the_contract() {
    let fault = place(b"bag/data/a\x07b").expect_err("refused");
    let mut findings = Findings::default();

    fault.report(&mut findings);

    assert_eq!(
        findings.note(),
        "File name 'data/a\\u{7}b' contains one or more illegal control characters"
    );
}

#[test]
fn a_path_may_be_as_long_as_s3_can_carry() {
    let ascii = |length: usize| format!("bag/{}", "a".repeat(length));
    let letters = |count: usize| format!("bag/{}", "ä".repeat(count));
    let most = ENCODED_BYTES_MAX / "%C3%A4".len();

    assert!(place(ascii(PATH_BYTES_MAX).as_bytes()).is_ok());
    assert!(place(letters(most).as_bytes()).is_ok());
    let raw = place(ascii(PATH_BYTES_MAX + 1).as_bytes()).expect_err("too long");
    assert_eq!(raw.code(), FindingCode::MemberNameTooLong);
    let encoded = place(letters(most + 1).as_bytes()).expect_err("too long");
    assert!(
        encoded
            .to_string()
            .ends_with("encoded, at most 1450 are possible"),
        "{encoded}"
    );
    assert!(place(ascii(64 * 1024).as_bytes()).is_err());
}

#[test]
fn a_long_institution_and_bag_leave_less_for_the_path() {
    let institution = "university.edu";
    let check = |bag: &str, path: &str| {
        check_identity(institution, &ObjectIdentifier::new(institution, bag), path)
    };

    // 1,024 bytes of identifier: 14 + "/" + 3 + "/" + 1,005.
    assert!(check("bag", &"a".repeat(1005)).is_ok());
    assert!(check("bag", &"a".repeat(1006)).is_err());
    // 2,048 bytes of metadata: 189 for names and digests, 14, 18, and 1,827 for the path.
    assert!(check("bag", &"ä".repeat(1827 / 6)).is_ok());
    assert!(check("bag", &"ä".repeat(1827 / 6 + 1)).is_err());
}

#[test]
fn only_files_in_the_top_folder_with_exactly_that_name_are_manifests() {
    let rows = [
        ("data/a", MemberKind::Payload),
        ("data/manifest-md5.txt", MemberKind::Payload),
        ("data/bagit.txt", MemberKind::Payload),
        ("bagit.txt", MemberKind::Declaration),
        ("fetch.txt", MemberKind::Fetch),
        ("manifest-md5.txt", MemberKind::Manifest),
        ("manifest-sha512.txt", MemberKind::Manifest),
        ("manifest-blake3.txt", MemberKind::Manifest),
        ("tagmanifest-sha256.txt", MemberKind::TagManifest),
        ("tagmanifest-sha224.txt", MemberKind::TagManifest),
        ("manifest-md5.txt.bak", MemberKind::Tag),
        ("manifest-md5", MemberKind::Tag),
        ("manifest-.txt", MemberKind::Tag),
        ("manifest-of-the-ship.txt", MemberKind::Tag),
        ("custom/manifest-md5.txt", MemberKind::Tag),
        ("manifest-md5.txt/a", MemberKind::Tag),
        ("tagtagmanifest-md5.txt", MemberKind::Tag),
        ("fetch.txt.old", MemberKind::Tag),
        ("data", MemberKind::Tag),
        ("database/a", MemberKind::Tag),
        ("bag-info.txt", MemberKind::Tag),
    ];

    for (path, expected) in rows {
        assert_eq!(kind_of(path), expected, "{path}");
    }
}

#[test]
fn a_manifest_says_its_algorithm() {
    let known = |algorithm, of_tags| {
        Some(ManifestName {
            algorithm: ManifestAlgorithm::Known(algorithm),
            of_tags,
        })
    };
    let unknown = ManifestName {
        algorithm: ManifestAlgorithm::Unknown("blake3"),
        of_tags: false,
    };

    assert_eq!(
        manifest_of("manifest-sha256.txt"),
        known(Algorithm::Sha256, false)
    );
    assert_eq!(
        manifest_of("tagmanifest-md5.txt"),
        known(Algorithm::Md5, true)
    );
    assert_eq!(manifest_of("manifest-blake3.txt"), Some(unknown));
    assert_eq!(manifest_of("manifest-my notes.txt"), None);
}

#[test]
fn another_spelling_of_an_algorithm_is_not_that_algorithm() {
    let rows = [
        ("manifest-MD5.txt", Some("MD5")),
        ("manifest-Sha256.txt", Some("Sha256")),
        ("tagmanifest-SHA512.txt", Some("SHA512")),
        ("manifest-m-d5.txt", None),
        ("manifest-sha-256.txt", None),
        ("tagmanifest-SHA-1.txt", None),
        ("manifest--md5.txt", None),
    ];

    for (path, word) in rows {
        let algorithm = manifest_of(path).map(|name| name.algorithm);
        assert_eq!(algorithm, word.map(ManifestAlgorithm::Unknown), "{path}");
    }
}

#[test]
fn a_member_is_of_the_payload_whatever_its_name_is_worth() {
    let rows: [(&[u8], bool); 9] = [
        (b"bag/data", true),
        (b"bag/data/", true),
        (b"bag/data/a", true),
        (b"./bag/data/a", true),
        (b"bag/data/\xff", true),
        (b"bag/data/a\x07b", true),
        (b"bag/database", false),
        (b"bag/tags/data/a", false),
        (b"data/a", false),
    ];

    for (raw, expected) in rows {
        let name = String::from_utf8_lossy(raw);
        assert_eq!(is_of_payload(raw), expected, "{name}");
    }
}
