//! The queue and the work records in one Redis, for processes on many machines.
//!
//! Every call of the queue is one script over the queues' slot; that its answers are those of `decide` is a test
//! under generated histories. Records are in a slot for each item ([`records`]).
//!
//! Idempotent, and safe to interrupt: a call that is dropped or killed happens on the server as a whole or not at
//! all, but for those that touch both slots. Of these either call may be the last, and both may be repeated
//! (decision 8).
//!
//! **Durability.** A Redis that fails over may lose its last second, and one without replicas all of it. Nothing here
//! is the only copy of a fact: `apt_queue` publishes again what the registry has open, records come back from
//! the index of the staged batches, and the stamps of the stages tell records that are older than they should
//! be. What must not happen is that single keys are evicted, so a server that would is refused.
//!
//! The time is the server's.

mod connection;
mod errors;
mod queue;
mod records;
mod scripts;
mod view;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use muniment_meter::Meter;
use muniment_model::{Clock, QueueName, WorkItemId};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

pub use connection::RedisUrl;
pub(crate) use view::RedisView;

use crate::calls::{self, CALL_LIMIT};
use crate::{Backlog, Claim, Lease, Message, Queue, Release, Subject, Token, WorkError, WorkStore};
use connection::Connections;
use queue::{Act, Claimed, Scripts};

/// A claim that waits is woken by what is published. It looks by itself as often, for wake-ups that were lost
/// with a connection. A look is some ten commands to the server: an idle worker makes one of them a second.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// What falls due may do so while the answer is on its way; a wait without end is written as none.
const WAIT_MIN: Duration = Duration::from_millis(10);
/// Less than the run loop waits for a renewal, so that its next try has a connection that is alive.
const RENEW_LIMIT: Duration = Duration::from_secs(5);
/// The longest a single claim waits, whatever its caller asks for.
const CLAIM_WAIT_MAX: Duration = Duration::from_mins(10);

/// Installations that share a server have names of their own.
pub(crate) const NAME: &str = "muniment";

/// A work store in one Redis, and the meter of those who ask it through this value.
pub struct RedisWork {
    store: Arc<Store>,
    meter: Meter,
}

struct Store {
    connections: Connections,
    name: String,
    /// The name in braces, which puts all queues into one slot.
    tag: String,
    clock: Option<Arc<dyn Clock>>,
}

impl Store {
    fn done_key(&self, item: WorkItemId, queue: QueueName) -> String {
        format!("{}:{queue}:done:{item}", self.tag)
    }
}

impl RedisWork {
    /// Connects, and refuses a server that may evict keys or is too old.
    pub async fn open(url: &RedisUrl, name: &str) -> Result<Self, WorkError> {
        Self::open_at(url, name, None).await
    }

    /// As [`Self::open`], by another clock than the server's: for tests, since the clocks of machines differ.
    pub async fn open_at(
        url: &RedisUrl,
        name: &str,
        clock: Option<Arc<dyn Clock>>,
    ) -> Result<Self, WorkError> {
        let opened = timeout(CALL_LIMIT, Connections::open(url)).await;
        let store = Store {
            connections: opened.unwrap_or(Err(WorkError::Silent))?,
            name: name.to_owned(),
            tag: format!("{{{name}}}"),
            clock,
        };
        Ok(Self {
            store: Arc::new(store),
            meter: Meter::default(),
        })
    }

    fn scripts(&self) -> Scripts<'_> {
        self.scripts_on(self.store.connections.calls())
    }

    fn scripts_on(&self, connection: redis::aio::ConnectionManager) -> Scripts<'_> {
        let now = self.store.clock.as_ref().map(|clock| clock.now());
        Scripts {
            connection,
            tag: &self.store.tag,
            now: now.map_or_else(String::new, |now| now.timestamp_micros().to_string()),
        }
    }

    /// One call within its time limit, with records of so many bytes.
    async fn call<T>(
        &self,
        kind: &'static str,
        bytes: usize,
        work: impl Future<Output = Result<T, WorkError>>,
    ) -> Result<T, WorkError> {
        self.call_within(CALL_LIMIT, (kind, bytes), work).await
    }

    async fn call_within<T>(
        &self,
        limit: Duration,
        call: (&'static str, usize),
        work: impl Future<Output = Result<T, WorkError>>,
    ) -> Result<T, WorkError> {
        let answer = calls::counted(&self.meter, call, limit, work).await;
        if let Err(error) = &answer {
            self.leave_after(error).await;
        }
        answer
    }

    /// A server that cannot be used may not be the primary any more, and a connection that is silent may be one
    /// that carries nothing any more.
    async fn leave_after(&self, error: &WorkError) {
        if matches!(error, WorkError::Unusable { .. } | WorkError::Silent) {
            self.store.connections.leave().await;
        }
    }

    /// Records of so many bytes were read.
    fn received(&self, kind: &'static str, bytes: usize) {
        calls::received(&self.meter, kind, bytes);
    }

    async fn hold(&self, kind: &'static str, lease: &Lease, act: Act) -> Result<(), WorkError> {
        let connections = &self.store.connections;
        let (connection, limit) = match act {
            Act::Renew => (connections.renewals(), RENEW_LIMIT),
            Act::Look | Act::RunAlone | Act::Progress | Act::Acknowledge | Act::Release(_) => {
                (connections.calls(), CALL_LIMIT)
            }
        };
        let mut scripts = self.scripts_on(connection);
        let held = scripts.held(lease, act);
        let held = self.call_within(limit, (kind, 0), held).await?;
        held.map(drop).ok_or(WorkError::LeaseLost {
            identity: lease.identity,
        })
    }

    /// Looks once; a claim leaves its number with the records before anybody reads them.
    async fn claim_now(&self, queue: QueueName) -> Result<Claimed, WorkError> {
        let is_idle = |claimed: &Claimed| matches!(claimed, Claimed::Nothing(_));
        let claimed = calls::counted_claim(&self.meter, self.claim_and_note(queue), is_idle).await;
        if let Err(error) = &claimed {
            self.leave_after(error).await;
        }
        claimed
    }

    async fn claim_and_note(&self, queue: QueueName) -> Result<Claimed, WorkError> {
        let claimed = self.scripts().claim(queue, Token(rand::random())).await?;
        if let Claimed::Some(claim, fence) = &claimed
            && let Err(error) = self.note_claim(claim.lease.identity, fence).await
        {
            // Nobody works on it: it is no holder that vanished, if the server still hears us.
            let given_back = Act::Release(Release::Now);
            drop(self.scripts().held(&claim.lease, given_back).await);
            return Err(error);
        }
        Ok(claimed)
    }
}

#[async_trait]
impl Queue for RedisWork {
    async fn publish(&self, messages: &[Message]) -> Result<(), WorkError> {
        if messages.is_empty() {
            return Ok(());
        }
        let mut scripts = self.scripts();
        self.call("publish", 0, scripts.publish(messages)).await
    }

    async fn claim_until(
        &self,
        queue: QueueName,
        max_wait: Duration,
        stop: &CancellationToken,
    ) -> Result<Option<Claim>, WorkError> {
        let end = Instant::now() + max_wait.min(CLAIM_WAIT_MAX);
        let list = format!("{}:{queue}:wake", self.store.tag);
        loop {
            let due_in = match self.claim_now(queue).await? {
                Claimed::Some(claim, _fence) => return Ok(Some(claim)),
                Claimed::Nothing(due_in) => due_in,
            };
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() || stop.is_cancelled() {
                return Ok(None);
            }
            // What was published since we looked is in the list already, so this returns at once.
            let wait = due_in.unwrap_or(LOOK_EVERY).min(LOOK_EVERY).min(left);
            tokio::select! {
                waited = self.store.connections.wait(&list, wait.max(WAIT_MIN)) => waited?,
                () = stop.cancelled() => return Ok(None),
            }
        }
    }

    async fn renew(&self, lease: &Lease) -> Result<(), WorkError> {
        self.hold("renew", lease, Act::Renew).await
    }

    async fn run_alone(&self, lease: &Lease) -> Result<(), WorkError> {
        self.hold("run_alone", lease, Act::RunAlone).await
    }

    async fn acknowledge(&self, lease: &Lease) -> Result<(), WorkError> {
        self.hold("acknowledge", lease, Act::Acknowledge).await
    }

    async fn release(&self, lease: &Lease, release: Release) -> Result<(), WorkError> {
        self.hold("release", lease, Act::Release(release)).await
    }

    async fn backlog(&self) -> Result<BTreeMap<QueueName, Backlog>, WorkError> {
        let mut scripts = self.scripts();
        self.call("backlog", 0, scripts.backlog()).await
    }

    async fn are_known(&self, asked: &[(Subject, QueueName)]) -> Result<Vec<bool>, WorkError> {
        let mut scripts = self.scripts();
        self.call("are_known", 0, scripts.are_known(asked)).await
    }

    async fn is_leased(&self, subject: Subject) -> Result<bool, WorkError> {
        let mut scripts = self.scripts();
        self.call("is_leased", 0, scripts.is_leased(subject)).await
    }
}

impl WorkStore for RedisWork {
    fn metered(&self, meter: Meter) -> Arc<dyn WorkStore> {
        let store = Arc::clone(&self.store);
        Arc::new(Self { store, meter })
    }
}

#[cfg(test)]
mod tests;
