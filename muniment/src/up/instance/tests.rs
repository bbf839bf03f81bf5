use super::*;

#[test]
fn an_instance_is_read_as_it_was_written() {
    let folder = tempfile::tempdir().expect("a folder");
    let instance = example();

    instance.write(folder.path()).expect("writes");

    let read = Instance::read(folder.path()).expect("reads");
    assert!(read == instance);
}

#[test]
fn only_the_owner_can_read_the_keys_also_when_the_file_was_open_to_all() {
    let folder = tempfile::tempdir().expect("a folder");
    let next = folder.path().join("instance.json.next");
    std::fs::write(&next, "left by a crash").expect("writes");
    std::fs::set_permissions(&next, Permissions::from_mode(0o644)).expect("opens");

    example().write(folder.path()).expect("writes");

    let file = folder.path().join("instance.json");
    let mode = std::fs::metadata(file).expect("is there").permissions();
    assert_eq!(mode.mode() & 0o777, 0o600);
    assert!(!next.exists());
}

#[test]
fn a_folder_without_a_muniment_says_how_to_start_one() {
    let folder = tempfile::tempdir().expect("a folder");

    let error = Instance::read(folder.path()).err().expect("an error");

    assert!(matches!(error, InstanceError::NotThere { .. }));
    assert!(error.to_string().contains("muniment up --data"), "{error}");
}

#[test]
fn a_file_that_cannot_be_understood_is_never_taken_for_none() {
    let rows = [
        (
            "cut short",
            r#"{"format": 1, "s3""#,
            "put a copy of it from a backup",
        ),
        ("not ours", r#"{"name": "x"}"#, "damaged"),
        ("empty", "", "damaged"),
        (
            "from a newer version",
            r#"{"format": 3, "other": 1}"#,
            "newer",
        ),
    ];

    for (name, text, expected) in rows {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join(FILE), text).expect("writes");

        let error = Instance::find(folder.path()).err().expect(name);

        assert!(error.to_string().contains(expected), "{name}: {error}");
    }
}

/// An older version, which knows format 1 alone, would start an endpoint of its own on it.
#[test]
fn only_a_folder_whose_store_is_elsewhere_is_kept_from_older_versions() {
    let embedded = serde_json::to_value(example()).expect("JSON");
    let elsewhere = serde_json::to_value(example_elsewhere()).expect("JSON");

    assert_eq!(
        (&embedded["format"], &elsewhere["format"]),
        (&1.into(), &2.into())
    );
    assert_eq!(embedded.get("store_id"), None);
    let read: Instance = serde_json::from_value(elsewhere).expect("reads");
    assert!(read.is_elsewhere() && !example().is_elsewhere());
}

pub(crate) fn example_elsewhere() -> Instance {
    let mut instance = example();
    instance.format = FORMAT;
    instance.store_id = Some("a marker".to_owned());
    for one in &mut instance.institutions {
        one.s3_access_key.clear();
        one.s3_secret_key.clear();
    }
    instance
}

pub(crate) fn example() -> Instance {
    Instance {
        format: FORMAT_EMBEDDED,
        store_id: None,
        s3: S3Access {
            endpoint: Url::parse("http://127.0.0.1:9000").expect("a url"),
            region: "us-east-1".to_owned(),
            access_key: "key".to_owned(),
            secret_key: "secret".to_owned(),
        },
        registry: RegistryAccess {
            url: Url::parse("http://127.0.0.1:8080").expect("a url"),
            user: "system@muniment.org".to_owned(),
            api_key: "secret".to_owned(),
        },
        institutions: vec![institution("test.edu"), institution("example.edu")],
        staging_bucket: bucket("staging"),
        records_bucket: bucket("records"),
        preservation_buckets: [(
            StorageTarget::StandardVa,
            bucket("preservation-standard-va"),
        )]
        .into(),
        storage_host: "storage.muniment.localhost".to_owned(),
        pid: 12,
        started_at: DateTime::UNIX_EPOCH,
    }
}

fn institution(identifier: &str) -> InstitutionAccess {
    InstitutionAccess {
        identifier: identifier.to_owned(),
        receiving_bucket: bucket(&format!("receiving.{identifier}")),
        restore_bucket: bucket(&format!("restore.{identifier}")),
        user: format!("depositor@{identifier}"),
        api_key: "secret".to_owned(),
        s3_access_key: format!("key of {identifier}"),
        s3_secret_key: "secret".to_owned(),
    }
}

fn bucket(name: &str) -> BucketName {
    BucketName::new(name).expect("a bucket name")
}
