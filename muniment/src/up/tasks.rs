//! Tasks that run for as long as the system does, each with a name.
//!
//! The name tells which one has ended, even when it panicked and could not say so itself. They all end when the value is dropped.

use std::collections::HashMap;

use tokio::task::{Id, JoinSet};
use tracing::error;

#[derive(Default)]
pub(super) struct Tasks {
    running: JoinSet<()>,
    names: HashMap<Id, &'static str>,
}

impl Tasks {
    pub(super) fn spawn(
        &mut self,
        name: &'static str,
        task: impl Future<Output = ()> + Send + 'static,
    ) {
        let id = self.running.spawn(task).id();
        self.names.insert(id, name);
    }

    /// The name of the next one that ends, be it by a panic; `None` when all have ended. Nothing is
    /// lost when the waiting is given up.
    pub(super) async fn next_ended(&mut self) -> Option<&'static str> {
        let ended = self.running.join_next_with_id().await?;
        let id = match &ended {
            Ok((id, ())) => *id,
            Err(error) => error.id(),
        };
        let name = self.names.remove(&id).unwrap_or("a part");
        if let Err(error) = ended {
            error!(?error, "{name} died");
        }
        Some(name)
    }

    pub(super) async fn all_ended(&mut self) {
        while self.next_ended().await.is_some() {}
    }

    /// Ends all of them at once.
    pub(super) async fn abort(&mut self) {
        self.running.shutdown().await;
        self.names.clear();
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;

    #[tokio::test]
    async fn a_task_that_returns_or_panics_is_named() {
        let mut tasks = Tasks::default();
        tasks.spawn("the patient one", pending());
        tasks.spawn("the short one", async {});
        assert_eq!(tasks.next_ended().await, Some("the short one"));

        tasks.spawn("the clumsy one", async { panic!("dropped it") });
        assert_eq!(tasks.next_ended().await, Some("the clumsy one"));

        tasks.abort().await;
        assert_eq!(tasks.next_ended().await, None);
    }
}
