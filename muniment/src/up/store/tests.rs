use super::*;
use crate::up::instance::tests::{example, example_elsewhere};

const FAR: &str = "http://far.example:9000/";
const OTHER: &str = "https://other.example/";

/// What the folder is, what is asked for, and what comes of it: an address and an access key, or words.
#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn a_folder_stays_with_the_store_that_it_began_with() {
    let keys = Some(("given", "s"));
    let remembered = || past(Some(("old", "s")));
    let rows = [
        ("new", Known::Nothing, asked(None, None), Ok(None)),
        (
            "new, far",
            Known::Nothing,
            asked(Some(FAR), keys),
            Ok(Some((FAR, "given"))),
        ),
        (
            "new, far, no keys",
            Known::Nothing,
            asked(Some(FAR), None),
            Err("are wanted"),
        ),
        (
            "new, keys alone",
            Known::Nothing,
            asked(None, keys),
            Err("and no store"),
        ),
        ("embedded", Known::Embedded, asked(None, None), Ok(None)),
        (
            "embedded, far",
            Known::Embedded,
            asked(Some(FAR), keys),
            Err("in itself, for good"),
        ),
        (
            "embedded, keys alone",
            Known::Embedded,
            asked(None, keys),
            Err("and no store"),
        ),
        (
            "far",
            remembered(),
            asked(None, None),
            Ok(Some((FAR, "old"))),
        ),
        (
            "far, new keys",
            remembered(),
            asked(None, keys),
            Ok(Some((FAR, "given"))),
        ),
        (
            "far, moved",
            remembered(),
            asked(Some(OTHER), None),
            Ok(Some((OTHER, "old"))),
        ),
        (
            "far, keys lost",
            past(None),
            asked(None, None),
            Err("are wanted"),
        ),
        (
            "far, keys again",
            past(None),
            asked(None, keys),
            Ok(Some((FAR, "given"))),
        ),
    ];

    for (name, known, asked, expected) in rows {
        let chosen = choose(&asked, known, Path::new("/data"));

        match (&chosen, expected) {
            (Ok(Store::Embedded), Ok(None)) => {}
            (Ok(Store::Elsewhere(one)), Ok(Some((endpoint, key)))) => {
                assert_eq!(one.access.endpoint.as_str(), endpoint, "{name}");
                assert_eq!(one.access.access_key, key, "{name}");
            }
            (Err(error), Err(words)) => {
                assert!(error.to_string().contains(words), "{name}: {error}");
            }
            _ => panic!("{name}: {:?}", chosen.err()),
        }
    }
}

#[test]
fn the_marker_of_a_folder_stays_and_that_of_a_new_one_is_its_own() {
    let id = |known, asked| match choose(&asked, known, Path::new("/data")) {
        Ok(Store::Elsewhere(one)) => one.id,
        _ => panic!("elsewhere"),
    };
    let begun = || id(Known::Nothing, asked(Some(FAR), Some(("k", "s"))));

    assert_eq!(
        id(past(Some(("k", "s"))), asked(Some(OTHER), None)),
        "marker"
    );
    assert_ne!(begun(), begun());
}

#[test]
fn an_address_holds_no_secret_and_can_be_asked() {
    let rows = [
        ("http://127.0.0.1:8333", true),
        ("https://s3.example.org/path", true),
        ("https://me@s3.example.org", false),
        ("https://me:secret@s3.example.org", false),
        ("https://s3.example.org?key=secret", false),
        ("ftp://s3.example.org", false),
        ("s3:bucket", false),
    ];

    for (url, expected) in rows {
        let chosen = choose(
            &asked(Some(url), Some(("k", "s"))),
            Known::Nothing,
            Path::new("/data"),
        );

        assert_eq!(chosen.is_ok(), expected, "{url}");
        if let Err(error) = chosen {
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }
}

#[test]
fn what_a_folder_remembers_is_told_from_its_files() {
    let folder = tempfile::tempdir().expect("a folder");
    let known = |last: Option<&Instance>| match Known::of(folder.path(), last).expect("reads") {
        Known::Nothing => "nothing".to_owned(),
        Known::Embedded => "embedded".to_owned(),
        Known::Elsewhere(past) => {
            let keys = past
                .keys
                .map(|keys| keys.access_key.expose_secret().to_owned());
            format!("{} {:?} {}", past.id, keys, past.was_in_use)
        }
    };

    assert_eq!(known(None), "nothing");
    assert_eq!(known(Some(&example())), "embedded");
    assert_eq!(
        known(Some(&example_elsewhere())),
        "a marker Some(\"key\") true"
    );
    let begun = Elsewhere {
        access: example().s3,
        id: "begun".to_owned(),
        was_in_use: false,
    };
    Remembered::write(&begun, folder.path()).expect("writes");
    assert_eq!(known(None), "begun None false");
    std::fs::write(folder.path().join("registry.db"), "").expect("writes");
    assert_eq!(known(None), "begun None true");
    Remembered::forget(folder.path()).expect("removes");
    std::fs::create_dir(folder.path().join("s3")).expect("makes");
    assert_eq!(known(None), "embedded");
}

#[test]
fn what_is_for_our_own_endpoint_is_refused_where_it_does_not_run() {
    let options = Options {
        store: asked(Some(FAR), Some(("k", "s"))),
        ..Options::on("/nowhere")
    };
    let port = Options {
        s3_port: Some(9_000),
        ..options.clone()
    };
    let shared = Options {
        copies: Copies::Shared,
        ..options.clone()
    };

    assert!(decide(&options, None).is_ok());
    for (refused, what) in [(port, "--s3-port"), (shared, "--share-copies")] {
        let error = decide(&refused, None).err().expect(what);
        assert!(error.to_string().starts_with(what), "{error}");
    }
}

#[test]
fn keys_are_not_shown() {
    let options = Options {
        store: asked(Some(FAR), Some(("hidden", "hidden"))),
        ..Options::on("/nowhere")
    };

    assert!(!format!("{options:?}").contains("hidden"));
}

fn asked(url: Option<&str>, keys: Option<(&str, &str)>) -> StoreOptions {
    StoreOptions {
        url: url.map(|url| url.parse().expect("a URL")),
        region: None,
        keys: keys.map(of),
    }
}

fn past(keys: Option<(&str, &str)>) -> Known {
    Known::Elsewhere(Past {
        id: "marker".to_owned(),
        endpoint: FAR.parse().expect("a URL"),
        region: "us-east-1".to_owned(),
        keys: keys.map(of),
        was_in_use: true,
    })
}

fn of((access_key, secret_key): (&str, &str)) -> StoreKeys {
    StoreKeys {
        access_key: access_key.into(),
        secret_key: secret_key.into(),
    }
}
