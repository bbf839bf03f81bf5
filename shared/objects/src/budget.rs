//! How many bytes of objects a process holds at once, whatever its workers do at the same time.
//!
//! Everything that holds bytes takes them from one budget before it allocates, and gives them
//! back when they are sent or dropped. Nobody can wait for ever, because of three rules:
//!
//! * What is waited for ([`ByteBudget::take`]) is taken in one piece, before it is filled, and its holder
//!   waits for nothing more: what it fills comes from a stream that can always go on, and what it
//!   sends ends by a time limit. Pieces are given in the order in which they were asked for.
//! * What is read ahead is never waited for, and has a share of its own, because its reader may be
//!   waiting for a piece.
//! * A stream for which nothing is left to read ahead goes on in small steps. None waits for one, because
//!   its reader may hold a piece that another step has to fill: the more of their share is taken, the
//!   smaller they are instead. More than a hundred streams at a time stay within the share.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

const MIB: u64 = 1024 * 1024;

/// For what is written: parts of multipart uploads, small members. The largest part has as many;
/// eight of the usual ones are enough to keep an endpoint busy.
const WRITE_BYTES: u64 = 128 * MIB;

/// For what is read ahead: one object at full speed, or several with a range each.
const READ_BYTES: u64 = 32 * MIB;

/// The largest step of a stream that may not read ahead: a request for less costs more than it brings.
pub const STEP_BYTES: u64 = MIB;

/// The smallest: even these bring more than the buffers of their connection hold.
const STEP_BYTES_MIN: u64 = 64 * 1024;

/// For small steps.
const STEPS_BYTES: u64 = 32 * MIB;

/// How much of what is left of their share a step may have. 88 steps at a time are larger than the
/// smallest; then there is room for some thirty of those.
const STEP_FRACTION: u64 = 32;

/// The most bytes of objects that a process holds. What libraries and the allocator hold comes on top:
/// 512 MiB are to be enough for all.
pub const BUDGET_BYTES: u64 = WRITE_BYTES + READ_BYTES + STEPS_BYTES;

/// What one permit of a semaphore is worth. The largest piece is then a small number.
const UNIT_BYTES: u64 = 64 * 1024;

/// The bytes that one process may hold. Cheap to clone; all clones are one budget.
#[derive(Clone, Debug)]
pub struct ByteBudget(Arc<Shares>);

#[derive(Debug)]
struct Shares {
    writes: Arc<Semaphore>,
    reads: Arc<Semaphore>,
    steps: Arc<Count>,
    count: Arc<Count>,
}

/// How much is held, for metrics and tests.
#[derive(Debug, Default)]
struct Count {
    held: AtomicU64,
    most: AtomicU64,
}

/// Bytes that may be held until this is dropped.
#[derive(Debug)]
pub struct HeldBytes {
    bytes: u64,
    count: Arc<Count>,
    /// Of the share of the steps, for one of them.
    steps: Option<Arc<Count>>,
    _permit: Option<OwnedSemaphorePermit>,
}

impl Default for ByteBudget {
    fn default() -> Self {
        Self(Arc::new(Shares {
            writes: Arc::new(Semaphore::new(units_of(WRITE_BYTES) as usize)),
            reads: Arc::new(Semaphore::new(units_of(READ_BYTES) as usize)),
            steps: Arc::default(),
            count: Arc::default(),
        }))
    }
}

impl ByteBudget {
    /// Waits for bytes to fill. To be asked before they are allocated, and by those who hold nothing of
    /// this kind that is not yet on its way. More than there are at all count as all there are.
    pub async fn take(&self, bytes: u64) -> HeldBytes {
        let bytes = bytes.min(WRITE_BYTES);
        let writes = Arc::clone(&self.0.writes);
        // The semaphore is never closed, so `None` does not happen, and would only mean no limit.
        let permit = writes.acquire_many_owned(units_of(bytes)).await.ok();
        self.hold(bytes, permit)
    }

    /// Bytes to read ahead, if there are so many left.
    pub(crate) fn try_read_ahead(&self, bytes: u64) -> Option<HeldBytes> {
        let reads = Arc::clone(&self.0.reads);
        let permit = reads.try_acquire_many_owned(units_of(bytes)).ok()?;
        Some(self.hold(bytes, Some(permit)))
    }

    /// The bytes that a stream can always read, if it has no others. Two that ask at the same moment may
    /// take more together than one after the other would, by less than a step.
    pub(crate) fn step(&self, bytes: u64) -> HeldBytes {
        let taken = self.0.steps.held.load(Ordering::Relaxed);
        let share = STEPS_BYTES.saturating_sub(taken) / STEP_FRACTION;
        let bytes = bytes.min(share.clamp(STEP_BYTES_MIN, STEP_BYTES));
        self.0.steps.add(bytes);
        let mut held = self.hold(bytes, None);
        held.steps = Some(Arc::clone(&self.0.steps));
        held
    }

    /// The most bytes that were held at one time.
    pub fn most_held(&self) -> u64 {
        self.0.count.most.load(Ordering::Relaxed)
    }

    /// The bytes that are held now.
    pub fn held(&self) -> u64 {
        self.0.count.held.load(Ordering::Relaxed)
    }

    fn hold(&self, bytes: u64, permit: Option<OwnedSemaphorePermit>) -> HeldBytes {
        let count = Arc::clone(&self.0.count);
        count.add(bytes);
        HeldBytes {
            bytes,
            count,
            steps: None,
            _permit: permit,
        }
    }
}

impl Count {
    fn add(&self, bytes: u64) {
        let held = self.held.fetch_add(bytes, Ordering::Relaxed) + bytes;
        self.most.fetch_max(held, Ordering::Relaxed);
    }
}

impl HeldBytes {
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl Drop for HeldBytes {
    fn drop(&mut self) {
        self.count.held.fetch_sub(self.bytes, Ordering::Relaxed);
        if let Some(steps) = &self.steps {
            steps.held.fetch_sub(self.bytes, Ordering::Relaxed);
        }
    }
}

/// How many permits are worth so many bytes.
fn units_of(bytes: u64) -> u32 {
    u32::try_from(bytes.div_ceil(UNIT_BYTES)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn bytes_are_waited_for_and_come_back_when_they_are_dropped() {
        let budget = ByteBudget::default();
        let half = budget.take(WRITE_BYTES / 2).await;
        let other = budget.take(WRITE_BYTES / 2).await;
        assert_eq!(budget.held(), WRITE_BYTES);
        assert!(budget.take(1).now_or_never().is_none());

        drop(half);

        assert!(budget.take(WRITE_BYTES / 2).now_or_never().is_some());
        drop(other);
        assert_eq!(budget.held(), 0);
        assert_eq!(budget.most_held(), WRITE_BYTES);
    }

    #[tokio::test]
    async fn a_large_piece_is_not_overtaken_by_small_ones() {
        let budget = ByteBudget::default();
        let first = budget.take(MIB).await;
        let mut large = Box::pin(budget.take(WRITE_BYTES));
        assert!(large.as_mut().now_or_never().is_none());

        assert!(budget.take(MIB).now_or_never().is_none(), "behind it");

        drop(first);
        assert_eq!(large.await.bytes(), WRITE_BYTES);
    }

    #[tokio::test]
    async fn more_than_there_is_counts_as_all_there_is() {
        let budget = ByteBudget::default();

        let all = budget.take(u64::MAX).await;

        assert_eq!(all.bytes(), WRITE_BYTES);
    }

    #[tokio::test]
    async fn what_is_written_leaves_something_to_read_ahead_and_a_step_is_always_possible() {
        let budget = ByteBudget::default();
        let _writes = budget.take(WRITE_BYTES).await;

        let ahead = budget.try_read_ahead(READ_BYTES);

        assert!(ahead.is_some());
        assert!(budget.try_read_ahead(1).is_none());
        assert_eq!(budget.step(u64::MAX).bytes(), STEP_BYTES);
        assert!(budget.most_held() <= BUDGET_BYTES);
    }

    /// Sixteen copies in each of seven jobs, all of which have a step.
    #[test]
    fn the_steps_of_many_streams_stay_within_their_share_and_come_back() {
        let budget = ByteBudget::default();

        let steps: Vec<_> = (0..112).map(|_| budget.step(u64::MAX)).collect();

        assert!(budget.held() <= STEPS_BYTES, "{}", budget.held());
        assert!(steps.iter().all(|step| step.bytes() >= STEP_BYTES_MIN));
        drop(steps);
        assert_eq!(budget.held(), 0);
        assert_eq!(budget.step(u64::MAX).bytes(), STEP_BYTES);
    }
}
