//! Whole objects that are being read back because a request wants to know what their bytes have.
//!
//! A large object takes longer than its client waits for a HEAD. So a reading whose request is gone is
//! kept where it is, and the client's next try goes on with it; requests for one blob at the same time
//! share one reading. An answer is never used twice: the next question reads again.
//!
//! Nothing here runs by itself: a reading goes on while a request waits for it.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::{BoxFuture, Shared};
use tokio::time::Instant;

use crate::blobs::BlobId;

/// As many as there can be requests. Beyond it the one that was not asked for the longest is forgotten.
const READINGS_MAX: usize = 1024;
/// How long one that nobody waits for is kept, with the file it reads. Clients ask again within minutes.
const KEPT_MAX: Duration = Duration::from_mins(10);

type Reading = Shared<BoxFuture<'static, Result<u64, Arc<io::Error>>>>;

#[derive(Default)]
pub(crate) struct Readings {
    begun: Mutex<HashMap<BlobId, Begun>>,
}

struct Begun {
    reading: Reading,
    asked_at: Instant,
}

impl Readings {
    /// What the reading of `blob` that is under way finds, or else the one that is handed in.
    pub(crate) async fn find(
        &self,
        blob: BlobId,
        reading: impl Future<Output = io::Result<u64>> + Send + 'static,
    ) -> Result<u64, Arc<io::Error>> {
        let reading = self.join(blob, reading);
        let found = reading.await;
        self.lock().remove(&blob);
        found
    }

    fn join(
        &self,
        blob: BlobId,
        reading: impl Future<Output = io::Result<u64>> + Send + 'static,
    ) -> Reading {
        let asked_at = Instant::now();
        let mut begun = self.lock();
        begun.retain(|_, one| asked_at - one.asked_at < KEPT_MAX);
        if begun.len() >= READINGS_MAX && !begun.contains_key(&blob) {
            let oldest = begun.iter().min_by_key(|(_, one)| one.asked_at);
            if let Some(oldest) = oldest.map(|(oldest, _)| *oldest) {
                begun.remove(&oldest);
            }
        }
        let one = begun.entry(blob).or_insert_with(|| Begun {
            reading: reading
                .map(|found| found.map_err(Arc::new))
                .boxed()
                .shared(),
            asked_at,
        });
        one.asked_at = asked_at;
        one.reading.clone()
    }

    /// Whole after every statement, so a panic elsewhere does not spoil it.
    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<BlobId, Begun>> {
        self.begun.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn a_reading_whose_request_is_gone_is_gone_on_with_and_its_answer_is_used_once() {
        let readings = Readings::default();
        let (end, ended) = oneshot::channel();
        let first = async move { ended.await.map_err(io::Error::other) };
        let given_up = readings.find(BlobId(1), first).now_or_never();
        assert!(given_up.is_none(), "it is not done yet");
        end.send(7).unwrap();

        let gone_on_with = readings.find(BlobId(1), async { Ok(8) }).await;
        let anew = readings.find(BlobId(1), async { Ok(9) }).await;

        assert_eq!((gone_on_with.unwrap(), anew.unwrap()), (7, 9));
    }

    #[tokio::test(start_paused = true)]
    async fn a_reading_nobody_asks_for_is_forgotten() {
        let readings = Readings::default();
        let never = std::future::pending;
        assert!(readings.find(BlobId(1), never()).now_or_never().is_none());
        tokio::time::advance(KEPT_MAX).await;

        let anew = readings.find(BlobId(1), async { Ok(1) }).await;

        assert_eq!(anew.unwrap(), 1);
    }

    #[tokio::test]
    async fn no_more_readings_are_kept_than_there_can_be_requests() {
        let readings = Readings::default();

        for blob in 0..=READINGS_MAX {
            let blob = BlobId(i64::try_from(blob).unwrap());
            let never = std::future::pending();
            assert!(readings.find(blob, never).now_or_never().is_none());
        }

        assert_eq!(readings.lock().len(), READINGS_MAX);
    }
}
