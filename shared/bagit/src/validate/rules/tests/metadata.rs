use muniment_model::StorageOption;

use super::{APTRUST, BAGIT, BTR, check, received};

#[test]
fn metadata_comes_from_the_tags_with_the_contracts_fallbacks() {
    let rows: [(&str, &str, [&str; 4]); 5] = [
        (
            "External-Identifier: E\nInternal-Identifier: I\n",
            "Title: T\nDescription: D\nAccess: Restricted\n",
            ["T", "D", "restricted", ""],
        ),
        (
            "External-Identifier: E\nInternal-Identifier: I\nInternal-Sender-Description: S\n",
            "Title: \nAccess:\n",
            ["I", "S", "institution", ""],
        ),
        (
            "External-Identifier: E\nExternal-Description: X\n",
            "",
            ["E", "X", "institution", ""],
        ),
        (
            "Internal-Sender-Identifier: 7\n",
            "",
            ["bag", "", "institution", "7"],
        ),
        ("", "Access: CONSORTIA\n", ["bag", "", "consortia", ""]),
    ];

    for (bag_info, aptrust, expected) in rows {
        let files = [
            ("bagit.txt", BAGIT),
            ("bag-info.txt", bag_info),
            ("aptrust-info.txt", aptrust),
        ];
        let metadata = check("none", &received(), &files).metadata;
        let found = [
            metadata.title,
            metadata.description,
            metadata.access.to_string(),
            metadata.alt_identifier,
        ];
        assert_eq!(found, expected, "{bag_info} {aptrust}");
    }
}

#[test]
fn the_storage_option_is_the_profiles_tag_or_standard() {
    use StorageOption::{GlacierDeepOh, Standard, WasabiTx};

    let ours = |value: &str| format!("{APTRUST}Storage-Option: {value}\n");
    let theirs = |value: &str| format!("{BTR}APTrust-Storage-Option: {value}\n");
    let (aptrust, btr) = (APTRUST.to_owned(), BTR.to_owned());
    let rows = [
        ("aptrust", &btr, &aptrust, Some(Standard), true),
        ("aptrust", &btr, &ours(""), Some(Standard), true),
        ("aptrust", &btr, &ours("wasabi-tx"), Some(WasabiTx), true),
        (
            "aptrust",
            &theirs("Glacier-OH"),
            &aptrust,
            Some(Standard),
            true,
        ),
        ("aptrust", &btr, &ours("Attic"), None, false),
        ("btr", &btr, &ours("Glacier-OH"), Some(Standard), true),
        ("btr", &theirs("Wasabi-TX"), &aptrust, Some(WasabiTx), true),
        (
            "btr",
            &theirs("Glacier-Deep-OH"),
            &aptrust,
            Some(GlacierDeepOh),
            true,
        ),
        ("btr", &theirs("Attic"), &aptrust, Some(Standard), true),
    ];

    for (profile, bag_info, aptrust_info, option, valid) in rows {
        let files = [
            ("bagit.txt", BAGIT),
            ("bag-info.txt", bag_info),
            ("aptrust-info.txt", aptrust_info),
        ];
        let found = check(profile, &received(), &files);
        assert_eq!(found.metadata.storage_option, option, "{profile} {files:?}");
        assert_eq!(found.findings.is_valid(), valid, "{profile} {files:?}");
    }
}
