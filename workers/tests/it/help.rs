//! What each binary says of itself is documentation, and changes only on purpose.
//!
//! To write a snapshot again: `env -i target/debug/NAME --help > workers/tests/it/help/NAME.txt`.

use std::process::Command;

use crate::kit::{binaries, unbuilt_binaries};

#[test]
fn every_worker_has_its_binary_and_every_binary_its_worker() {
    let mut names: Vec<&str> = workers::all().iter().map(|worker| worker.name).collect();
    names.sort_unstable();

    assert_eq!(names, binaries().into_keys().collect::<Vec<_>>());
}

/// So that a container that is started for nothing tells it at once, and is not started again and again.
#[test]
fn a_worker_that_is_not_built_says_so_and_exits_with_78() {
    for (name, binary) in unbuilt_binaries() {
        for arguments in [&[][..], &["--help"], &["--work=sqlite:work.db"]] {
            let said = Command::new(binary).args(arguments).env_clear().output();

            let said = said.expect("runs");
            assert_eq!(said.status.code(), Some(78), "{name}");
            let error = String::from_utf8_lossy(&said.stderr).into_owned();
            assert!(error.contains(name), "{error}");
            assert!(error.contains("not built yet"), "{error}");
        }
    }
    let mut names: Vec<&str> = workers::unbuilt::all().iter().map(|all| all.name).collect();
    names.sort_unstable();
    assert_eq!(names, unbuilt_binaries().into_keys().collect::<Vec<_>>());
}

#[test]
fn the_help_of_every_binary_is_as_written_down() {
    for (name, binary) in binaries() {
        let snapshot = format!("{}/tests/it/help/{name}.txt", env!("CARGO_MANIFEST_DIR"));
        let expected = std::fs::read_to_string(&snapshot).expect(&snapshot);

        // Without an environment: clap shows the values it finds there.
        let said = Command::new(binary).arg("--help").env_clear().output();

        let said = said.expect("runs");
        assert!(said.status.success(), "{name}");
        assert_eq!(String::from_utf8_lossy(&said.stdout), expected, "{name}");
    }
}

#[test]
fn a_binary_that_lacks_settings_names_them_all_and_fails() {
    for (name, binary) in binaries() {
        let said = Command::new(binary).env_clear().output().expect("runs");

        let error = String::from_utf8_lossy(&said.stderr).into_owned();
        assert!(!said.status.success(), "{name}");
        for setting in ["--registry-url", "--registry-api-key", "--work"] {
            assert!(error.contains(setting), "{name}: {error}");
        }
    }
}

#[test]
fn no_key_is_shown_in_help() {
    for (name, binary) in binaries() {
        let said = Command::new(binary)
            .arg("--help")
            .env_clear()
            .env("MUNIMENT_REGISTRY_API_KEY", "a-secret-key")
            .env("MUNIMENT_STAGING_SECRET_KEY", "a-secret-key")
            .env("MUNIMENT_AWS_SECRET_KEY", "a-secret-key")
            .output()
            .expect("runs");

        assert!(
            !String::from_utf8_lossy(&said.stdout).contains("a-secret-key"),
            "{name}"
        );
    }
}
