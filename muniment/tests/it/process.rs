//! `muniment up`, and other commands, as processes of their own.

use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::Duration;

use muniment::up::instance::Instance;
use muniment_observer::Observer;
use tokio::task::spawn_blocking;
use tokio::time::{interval, timeout};

use crate::site::observer_of;

/// A start takes a tenth of a second on an idle machine.
pub(crate) const READY_WITHIN: Duration = Duration::from_mins(5);
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// The command with these words on this data folder, once it has ended.
pub(crate) async fn muniment(words: &[&str], data: &Path) -> Output {
    let data = data.to_str().expect("its name");
    run(&[words, &["--data", data]].concat()).await
}

/// The command with these words alone, once it has ended.
pub(crate) async fn run(words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_muniment"));
    command.args(words).env_remove("MUNIMENT_DATA");
    let ended = spawn_blocking(move || command.output()).await;
    ended.expect("is waited for").expect("runs")
}

/// Killed with SIGKILL when dropped.
pub(crate) struct Up(pub(crate) Child);

impl Up {
    pub(crate) fn spawn(folder: &Path, stderr: Stdio) -> Self {
        Self::spawn_logging(folder, "warn", stderr)
    }

    /// As [`Self::spawn`], with what it logs at this level.
    pub(crate) fn spawn_logging(folder: &Path, level: &str, stderr: Stdio) -> Self {
        let child = Command::new(env!("CARGO_BIN_EXE_muniment"))
            .args(["up", "--log", level, "--data"])
            .arg(folder)
            .stdout(Stdio::null())
            .stderr(stderr)
            .spawn();
        Self(child.expect("starts"))
    }

    /// Answers when it is ready.
    pub(crate) async fn start(folder: &Path) -> (Self, Observer) {
        let mut up = Self::spawn(folder, Stdio::inherit());
        let view = up.ready(folder).await;
        (up, view)
    }

    pub(crate) async fn ready(&mut self, folder: &Path) -> Observer {
        let instance = timeout(READY_WITHIN, self.is_ready(folder))
            .await
            .expect("is ready in time");
        observer_of(&instance)
    }

    async fn is_ready(&mut self, folder: &Path) -> Instance {
        let mut ticks = interval(LOOK_EVERY);
        loop {
            ticks.tick().await;
            let ended = self.0.try_wait().expect("can be asked");
            assert_eq!(ended, None, "it ended by itself");
            if let Ok(Some(instance)) = Instance::find(folder)
                && instance.pid == self.0.id()
            {
                return instance;
            }
        }
    }

    pub(crate) async fn has_ended(&mut self) -> ExitStatus {
        let mut ticks = interval(LOOK_EVERY);
        loop {
            ticks.tick().await;
            if let Some(status) = self.0.try_wait().expect("can be asked") {
                return status;
            }
        }
    }

    /// Waits, and sees to it that it does not end meanwhile.
    pub(crate) async fn lives_for(&mut self, duration: Duration) {
        let ended = timeout(duration, self.has_ended()).await;
        assert!(ended.is_err(), "it ended by itself: {ended:?}");
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        self.0.kill().expect("is killed with SIGKILL");
        self.0.wait().expect("is gone");
    }
}
