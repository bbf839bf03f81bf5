//! A Redis of its own for a test: the real server, in a folder that goes with it.
//!
//! It is a process on loopback, with a free port, that is killed by its own pid when the value is dropped. It keeps
//! nothing, reads no settings but those given here, and what it may take is bounded.
//!
//! Cannot install the program: `cargo xtask test` does where it may, and a test that needs it fails without it.

use std::fs::File;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, interval};

/// Found as a shell finds it.
const PROGRAM: &str = "redis-server";
/// It takes some milliseconds on an idle machine. One that is busy with builds takes many times as long.
const READY_WITHIN: Duration = Duration::from_mins(1);
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// A free port is told before it is taken, so another program can be quicker.
const STARTS_MAX: u32 = 5;
const MEMORY_MAX: &str = "256mb";
const LOG: &str = "log";
/// Where it saves, and what it begins with, unless told otherwise.
const SAVED: &str = "dump.rdb";

#[derive(Debug, thiserror::Error)]
pub enum RedisServerError {
    #[error(
        "cannot start {PROGRAM}, which the tests run on: `cargo xtask test` installs it where it may, and says \
         what to install where it may not; without it this test fails"
    )]
    Unstartable(#[source] io::Error),
    #[error("cannot prepare its folder")]
    Folder(#[source] io::Error),
    /// With what it logged.
    #[error("{PROGRAM} ended at its start:\n{log}")]
    Ended { log: String },
    #[error("{PROGRAM} was not ready in time:\n{log}")]
    NotReady { log: String },
}

/// A server that answers. Killed when dropped, and its folder is gone.
#[derive(Debug)]
pub struct RedisServer {
    process: Child,
    port: u16,
    settings: Vec<String>,
    folder: TempDir,
}

impl RedisServer {
    /// An empty one, which evicts nothing.
    pub async fn start() -> Result<Self, RedisServerError> {
        Self::start_with(&["--maxmemory", MEMORY_MAX]).await
    }

    /// With settings of its own, as on the command line.
    pub async fn start_with(settings: &[&str]) -> Result<Self, RedisServerError> {
        Self::start_on(settings, None).await
    }

    /// With what another has saved.
    pub async fn start_from(saved: &[u8]) -> Result<Self, RedisServerError> {
        Self::start_on(&["--maxmemory", MEMORY_MAX], Some(saved)).await
    }

    async fn start_on(settings: &[&str], saved: Option<&[u8]>) -> Result<Self, RedisServerError> {
        let mut starts = 1;
        loop {
            match Self::start_once(settings, saved).await {
                Err(RedisServerError::Ended { .. }) if starts < STARTS_MAX => starts += 1,
                started => return started,
            }
        }
    }

    async fn start_once(settings: &[&str], saved: Option<&[u8]>) -> Result<Self, RedisServerError> {
        let folder = TempDir::new().map_err(RedisServerError::Folder)?;
        if let Some(saved) = saved {
            let file = folder.path().join(SAVED);
            std::fs::write(file, saved).map_err(RedisServerError::Folder)?;
        }
        let port = free_port().map_err(RedisServerError::Folder)?;
        let settings = settings.iter().map(ToString::to_string);
        let mut started = Self::spawn(folder, port, settings.collect())?;
        started.wait_until_ready().await?;
        Ok(started)
    }

    /// Kills it, and starts it anew where it was, with what it saved last.
    pub async fn restart(&mut self) -> Result<(), RedisServerError> {
        self.kill();
        self.process = run(self.folder.path(), self.port, &self.settings)?;
        self.wait_until_ready().await
    }

    async fn wait_until_ready(&mut self) -> Result<(), RedisServerError> {
        let began = Instant::now();
        let mut looks = interval(LOOK_EVERY);
        while !self.answers().await {
            if !matches!(self.process.try_wait(), Ok(None)) {
                let log = self.log();
                return Err(RedisServerError::Ended { log });
            }
            if began.elapsed() > READY_WITHIN {
                let log = self.log();
                return Err(RedisServerError::NotReady { log });
            }
            looks.tick().await;
        }
        Ok(())
    }

    fn spawn(folder: TempDir, port: u16, settings: Vec<String>) -> Result<Self, RedisServerError> {
        Ok(Self {
            process: run(folder.path(), port, &settings)?,
            port,
            settings,
            folder,
        })
    }

    fn kill(&mut self) {
        // What cannot be killed has ended, and nobody is left to be told.
        drop(self.process.kill());
        drop(self.process.wait());
    }

    /// `redis://127.0.0.1:PORT/`.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port)
    }

    /// On loopback.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// As a server without replicas does that is started anew on an empty disk.
    pub async fn lose_everything(&self) -> io::Result<()> {
        self.tell("FLUSHALL").await
    }

    /// From now on it takes no writes.
    pub async fn become_a_replica_of(&self, port: u16) -> io::Result<()> {
        self.tell(&format!("REPLICAOF 127.0.0.1 {port}")).await
    }

    /// All that it has, for [`Self::start_from`].
    pub async fn save(&self) -> io::Result<Vec<u8>> {
        self.tell("SAVE").await?;
        std::fs::read(self.folder.path().join(SAVED))
    }

    /// How many commands it has been given in all, inside of scripts too.
    pub async fn commands(&self) -> io::Result<u64> {
        let mut connection = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).await?;
        connection
            .write_all(b"INFO commandstats\r\nQUIT\r\n")
            .await?;
        let mut told = String::new();
        connection.read_to_string(&mut told).await?;
        let calls = told.lines().filter_map(|line| {
            let (_, calls) = line.split_once("calls=")?;
            calls.split(',').next()?.parse::<u64>().ok()
        });
        Ok(calls.sum())
    }

    async fn tell(&self, command: &str) -> io::Result<()> {
        let mut connection = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).await?;
        let line = format!("{command}\r\n");
        connection.write_all(line.as_bytes()).await?;
        let mut answer = [0; 5];
        connection.read_exact(&mut answer).await?;
        if answer == *b"+OK\r\n" {
            return Ok(());
        }
        Err(io::Error::other("it refuses"))
    }

    /// Any answer will do: it may want a password first.
    async fn answers(&self) -> bool {
        let asked = async {
            let mut connection = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).await?;
            connection.write_all(b"PING\r\n").await?;
            let mut first = [0];
            connection.read_exact(&mut first).await?;
            Ok::<_, io::Error>(matches!(first, [b'+' | b'-']))
        };
        asked.await.unwrap_or(false)
    }

    fn log(&self) -> String {
        let log = std::fs::read(self.folder.path().join(LOG)).unwrap_or_default();
        String::from_utf8_lossy(&log).into_owned()
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.kill();
    }
}

fn run(folder: &Path, port: u16, settings: &[String]) -> Result<Child, RedisServerError> {
    let log = File::create(folder.join(LOG)).map_err(RedisServerError::Folder)?;
    // What is wrong with its settings is said there.
    let errors = log.try_clone().map_err(RedisServerError::Folder)?;
    Command::new(PROGRAM)
        .args(["--bind", "127.0.0.1", "--port", &port.to_string()])
        .args(["--save", "", "--appendonly", "no", "--dir", "."])
        .args(settings)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(log)
        .stderr(errors)
        .spawn()
        .map_err(RedisServerError::Unstartable)
}

fn free_port() -> io::Result<u16> {
    let held = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok(held.local_addr()?.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_server_answers_on_loopback_and_leaves_nothing_behind() {
        let server = RedisServer::start().await.expect("starts");
        let (folder, port) = (server.folder.path().to_owned(), server.port);
        assert!(server.answers().await);

        drop(server);

        assert!(!folder.exists());
        assert!(
            TcpStream::connect((Ipv4Addr::LOCALHOST, port))
                .await
                .is_err()
        );
    }

    #[tokio::test]
    async fn a_server_that_does_not_start_says_why() {
        let started = RedisServer::start_with(&["--no-such-setting", "yes"]).await;

        let Err(RedisServerError::Ended { log }) = started else {
            panic!("it starts: {started:?}");
        };
        assert!(log.contains("no-such-setting"), "{log}");
    }
}
