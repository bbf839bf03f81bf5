//! Whether the disk of the data folder has room.
//!
//! Asked of the disk and not of the registry, which cannot write either when there is none. What is
//! written to find out has no name and is gone when this answers.

use std::io::{self, ErrorKind, Write as _};
use std::path::Path;

/// Less than this is no room: the smallest steps of an ingest write as much.
const NEEDED_BYTES: usize = 1 << 20;

/// Only what the disk itself says counts: who may not write here is not told that it is full.
pub(crate) fn is_full(folder: &Path) -> bool {
    let written = tempfile::tempfile_in(folder).and_then(|mut file| {
        file.write_all(&vec![0; NEEDED_BYTES])?;
        file.sync_all()
    });
    written.is_err_and(|error| says_full(&error))
}

/// Whether it failed for want of room.
pub(crate) fn says_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge
    )
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use clap::Parser as _;

    use super::*;
    use crate::status::{StatusSettings, run};
    use crate::terminal::Terminal;

    const NAME: &str = "room::tests::status_says_that_the_disk_is_full";
    /// Set for the run under a limit on the size of files, which is how this test has no room.
    const LIMITED: &str = "MUNIMENT_TEST_FILE_LIMIT";
    /// Without the signal that a write beyond the limit would send: it ends in an error then.
    const SCRIPT: &str = r#"trap '' XFSZ; ulimit -f 64; exec "$0" "$@""#;

    #[derive(clap::Parser)]
    struct Cli {
        #[command(flatten)]
        status: StatusSettings,
    }

    #[tokio::test]
    async fn status_says_that_the_disk_is_full() {
        let folder = tempfile::tempdir().expect("a folder");
        let data = folder.path().to_str().expect("its name");
        let cli = Cli::try_parse_from(["status", "--data", data]).expect("parses");
        let full = is_full(folder.path());
        let answered = run(&cli.status, &Terminal::default()).await;
        assert!(answered.is_err(), "there is no muniment");
        if std::env::var_os(LIMITED).is_some() {
            assert!(full);
            return;
        }
        assert!(!full);

        let limited = Command::new("sh")
            .args(["-c", SCRIPT])
            .arg(std::env::current_exe().expect("this"))
            .args(["--exact", NAME, "--nocapture"])
            .env(LIMITED, "1")
            .output()
            .expect("runs");

        let (output, said) = (
            String::from_utf8_lossy(&limited.stdout),
            String::from_utf8_lossy(&limited.stderr),
        );
        assert!(output.contains("1 passed"), "{output}");
        assert!(
            said.contains("is full: nothing goes on until there is room"),
            "{said}"
        );
    }
}
