//! One process that dies at one of its calls, to whichever service.
//!
//! From that moment it does nothing any more: its later calls are not made, and no answer reaches it. What it
//! has asked for before may still be carried out, as in reality.

use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use muniment_fault_proxy::{Passing, Seen};
use muniment_testkit::Moment;
use muniment_work::WorkError;
use tokio_util::sync::CancellationToken;

/// The calls of a process, counted from 1, and the one it dies at.
pub(super) struct Crash {
    point: Option<(u64, Moment)>,
    calls: Mutex<Calls>,
    dead: CancellationToken,
}

#[derive(Default)]
struct Calls {
    names: Vec<String>,
    ended: usize,
}

impl Crash {
    pub(super) fn at(number: usize, moment: Moment) -> Self {
        Self {
            point: Some((number as u64, moment)),
            ..Self::never()
        }
    }

    pub(super) fn never() -> Self {
        Self {
            point: None,
            calls: Mutex::default(),
            dead: CancellationToken::new(),
        }
    }

    /// What was called, in this order.
    pub(super) fn calls(&self) -> Vec<String> {
        self.lock().names.clone()
    }

    pub(super) fn is_dead(&self) -> bool {
        self.dead.is_cancelled()
    }

    pub(super) async fn death(&self) {
        self.dead.cancelled().await;
    }

    /// Whether every call has been answered.
    pub(super) fn is_quiet(&self) -> bool {
        let calls = self.lock();
        calls.names.len() == calls.ended
    }

    /// Never ends when the process is dead by then.
    async fn begin(&self, name: String) -> u64 {
        let number = {
            let mut calls = self.lock();
            let number = calls.names.len() as u64 + 1;
            if !self.is_dead() {
                calls.names.push(name);
                self.die_at(number, Moment::Before);
            }
            number
        };
        self.stay_dead().await;
        number
    }

    /// Never ends when the process is dead by then.
    async fn end(&self, number: u64) {
        self.die_at(number, Moment::After);
        self.stay_dead().await;
        self.lock().ended += 1;
    }

    fn die_at(&self, number: u64, moment: Moment) {
        if self.point == Some((number, moment)) {
            self.dead.cancel();
        }
    }

    async fn stay_dead(&self) {
        if self.is_dead() {
            pending::<()>().await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Calls> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The calls of one kind among those of a process.
#[derive(Clone)]
pub(super) struct CallsTo {
    pub(super) service: &'static str,
    pub(super) crash: Arc<Crash>,
}

impl CallsTo {
    fn name(&self, call: &str) -> String {
        format!("{}: {call}", self.service)
    }

    /// Never ends when the process is dead by then.
    pub(super) async fn begin(&self, call: &str) -> u64 {
        self.crash.begin(self.name(call)).await
    }

    /// Never ends when the process is dead by then.
    pub(super) async fn end(&self, number: u64) {
        self.crash.end(number).await;
    }
}

impl muniment_fault_proxy::Watch for CallsTo {
    fn before<'a>(&'a self, request: &'a Seen) -> Passing<'a, u64> {
        let call = format!("{} {}", request.method, request.target);
        Box::pin(async move { self.begin(&call).await })
    }

    fn after(&self, number: u64) -> Passing<'_, ()> {
        Box::pin(self.end(number))
    }
}

#[async_trait]
impl muniment_testkit::Watch for CallsTo {
    async fn before(&self, call: &'static str) -> Result<u64, WorkError> {
        Ok(self.begin(call).await)
    }

    async fn after(&self, number: u64) -> Result<(), WorkError> {
        self.end(number).await;
        Ok(())
    }
}
