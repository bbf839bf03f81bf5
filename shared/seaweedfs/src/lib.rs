//! A `SeaweedFS` of its own for a test: an S3 endpoint that is not ours, over a folder that goes with it.
//!
//! The server is a process on loopback, with free ports, that is killed by its own pid when the value is
//! dropped. What it may take is bounded: memory, the size of its files, and how many there are. It reports
//! nothing to anybody, and reads no settings but those given here.
//!
//! Cannot fetch the program: `cargo xtask test` does, and a test that needs it fails without it.

mod place;
mod ports;

use std::io;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use tokio::time::{Instant, interval};

pub use place::Missing;
use ports::Ports;

/// Good for everything.
pub const ACCESS_KEY: &str = "seaweedfs-for-tests";
pub const SECRET_KEY: &str = "only-for-tests-on-loopback";

/// It takes four seconds on an idle machine. One that is busy with builds takes many times as long.
const READY_WITHIN: Duration = Duration::from_mins(5);
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Free ports are told before they are taken, so another program can be quicker.
const STARTS_MAX: u32 = 5;

/// Files that hold objects grow to this size. A bucket has its own, and one at first.
const FILE_MIB_MAX: u32 = 64;
/// Enough for the buckets of a whole suite, and 32 GiB if all were full.
const FILES_MAX: u32 = 512;
/// Its garbage collector keeps below this where it can.
const MEMORY: &str = "384MiB";

const LOG: &str = "log";
const KEYS_FILE: &str = "s3.json";

#[derive(Debug, thiserror::Error)]
pub enum SeaweedFsError {
    #[error(transparent)]
    Missing(#[from] Missing),
    #[error("cannot prepare its folder")]
    Folder(#[source] io::Error),
    #[error("cannot start {program}")]
    Unstartable { program: String, source: io::Error },
    /// With the end of what it logged.
    #[error("SeaweedFS ended at its start:\n{log}")]
    Ended { log: String },
    #[error("SeaweedFS was not ready in time:\n{log}")]
    NotReady { log: String },
}

/// A server that answers.
#[derive(Debug)]
pub struct SeaweedFs {
    server: Server,
}

impl SeaweedFs {
    /// An empty store. Answers when objects can be put into it.
    pub async fn start() -> Result<Self, SeaweedFsError> {
        let program = place::program()?;
        let mut starts = 1;
        loop {
            match Self::start_once(&program).await {
                Err(SeaweedFsError::Ended { .. }) if starts < STARTS_MAX => starts += 1,
                started => return started,
            }
        }
    }

    async fn start_once(program: &Path) -> Result<Self, SeaweedFsError> {
        let ports = Ports::free().map_err(SeaweedFsError::Folder)?;
        let server = Server::spawn(program, ports)?;
        let mut started = Self { server };
        let began = Instant::now();
        let mut looks = interval(LOOK_EVERY);
        while !started.server.ports.answer().await {
            if started.server.has_ended() {
                let log = started.server.end_of_log();
                return Err(SeaweedFsError::Ended { log });
            }
            if began.elapsed() > READY_WITHIN {
                let log = started.server.end_of_log();
                return Err(SeaweedFsError::NotReady { log });
            }
            looks.tick().await;
        }
        Ok(started)
    }

    /// Where it answers S3, over plain HTTP.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.server.ports.s3)
    }
}

/// The process, its folder and its sockets, all gone when this is dropped.
#[derive(Debug)]
struct Server {
    process: Child,
    ports: Ports,
    folder: TempDir,
}

impl Server {
    fn spawn(program: &Path, ports: Ports) -> Result<Self, SeaweedFsError> {
        let folder = folder().map_err(SeaweedFsError::Folder)?;
        let log = std::fs::File::create(folder.path().join(LOG)).map_err(SeaweedFsError::Folder)?;
        let process = Command::new(program)
            // Logs to standard error alone.
            .args(["-logtostderr=true", "server"])
            .args(["-dir=.", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"])
            .args(ports.flags())
            .arg("-s3")
            .arg(format!("-s3.config={KEYS_FILE}"))
            .args(["-s3.localSocket=s3.sock", "-filer.localSocket=filer.sock"])
            // As S3 does: what is put into a bucket that is not there makes none.
            .arg("-s3.autoCreateBucket=false")
            .arg("-master.telemetry=false")
            .arg(format!("-master.volumeSizeLimitMB={FILE_MIB_MAX}"))
            .arg(format!("-volume.max={FILES_MAX}"))
            .current_dir(folder.path())
            .env_clear()
            // Where it looks for settings.
            .env("HOME", folder.path())
            .env("GOMEMLIMIT", MEMORY)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .map_err(|source| SeaweedFsError::Unstartable {
                program: program.display().to_string(),
                source,
            })?;
        Ok(Self {
            process,
            ports,
            folder,
        })
    }

    fn has_ended(&mut self) -> bool {
        !matches!(self.process.try_wait(), Ok(None))
    }

    fn end_of_log(&self) -> String {
        const LINES_MAX: usize = 20;
        let log = std::fs::read(self.folder.path().join(LOG)).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(LINES_MAX)..].join("\n")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // What cannot be killed has ended, and nobody is left to be told.
        drop(self.process.kill());
        drop(self.process.wait());
        for socket in self.ports.sockets() {
            drop(std::fs::remove_file(socket));
        }
    }
}

/// With the keys, and with one file to a bucket at first, where it would make seven.
fn folder() -> io::Result<TempDir> {
    let folder = TempDir::new()?;
    let keys = format!(
        r#"{{"identities": [{{
            "name": "tests",
            "credentials": [{{"accessKey": "{ACCESS_KEY}", "secretKey": "{SECRET_KEY}"}}],
            "actions": ["Admin", "Read", "Write", "List", "Tagging"]
        }}]}}"#
    );
    std::fs::write(folder.path().join(KEYS_FILE), keys)?;
    let growth = "[master.volume_growth]\ncopy_1 = 1\n";
    std::fs::write(folder.path().join("master.toml"), growth)?;
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_server_answers_on_loopback_and_leaves_nothing_behind() {
        let seaweedfs = SeaweedFs::start().await.expect("starts");
        let folder = seaweedfs.server.folder.path().to_owned();
        let ports = seaweedfs.server.ports.clone();
        assert!(ports.sockets().iter().all(|socket| socket.exists()));
        assert!(seaweedfs.url().starts_with("http://127.0.0.1:"));

        drop(seaweedfs);

        assert!(!folder.exists());
        assert!(!ports.sockets().iter().any(|socket| socket.exists()));
        assert!(!ports.answer().await);
    }
}
