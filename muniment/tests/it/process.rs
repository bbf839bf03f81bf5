//! `muniment up` as a process of its own.

use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use muniment::up::instance::Instance;
use muniment_observer::Observer;
use tokio::time::{interval, timeout};

use crate::site::observer_of;

/// A start takes a tenth of a second on an idle machine.
pub(crate) const READY_WITHIN: Duration = Duration::from_mins(5);
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Killed with SIGKILL when dropped.
pub(crate) struct Up(pub(crate) Child);

impl Up {
    pub(crate) fn spawn(folder: &Path, stderr: Stdio) -> Self {
        let child = Command::new(env!("CARGO_BIN_EXE_muniment"))
            .args(["up", "--data"])
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
