//! The rows S2 to S9 of the fault matrix (`docs/FAULT_MATRIX.md`): what a network and a store do to an
//! ingest, between the workers and their S3 endpoint.

mod open_uploads;
mod reading;
mod replaced;
mod writing;

use muniment_bag_builder::BagBuilder;
use muniment_fault_proxy::{FaultProxy, Method, Requests};
use muniment_observer::{Expected, Upload};

use crate::ingest::{Ingest, expected_of};

/// The workers, with a proxy between them and the store, and one more before its buckets at Wasabi, which
/// makes it another store: copies to it are streamed.
struct Proxied {
    ingest: Ingest,
    near: FaultProxy,
    far: FaultProxy,
}

impl Proxied {
    async fn start() -> Self {
        Self::with(|_| true).await
    }

    async fn with(starts: impl Fn(&str) -> bool) -> Self {
        let mut ingest = Ingest::with(|_| false).await;
        let store = ingest.site.s3_url.trim_end_matches('/').to_owned();
        let near = FaultProxy::before(&store).await.expect("a proxy");
        let far = FaultProxy::before(&store).await.expect("a proxy");
        ingest.site.s3_url = format!("{}/", near.url());
        ingest.site.wasabi_url = format!("{}/", far.url());
        for worker in workers::all() {
            if starts(worker.name) {
                ingest.start(worker.name).await;
            }
        }
        Self { ingest, near, far }
    }

    /// Deposits a bag under its name, past the proxies.
    async fn deposit(&self, bag: &BagBuilder) -> Deposited {
        let tar = bag.to_tar();
        let expected = Expected {
            object: format!("test.edu/{}", bag.name()),
            ..expected_of(&tar)
        };
        let upload = self.ingest.upload(&bag.key(), tar).await;
        Deposited { upload, expected }
    }

    /// Asserts that each bag is preserved, and that there is no copy more.
    async fn assert_preserved(&self, bags: &[Deposited]) {
        let mut copies = 0;
        for Deposited { upload, expected } in bags {
            self.ingest.check_preserved(upload, expected).await;
            copies += expected.copies();
        }
        let keys = self.ingest.observer.preserved_keys().await.expect("keys");
        assert_eq!(keys.len(), copies, "{keys:?}");
    }
}

struct Deposited {
    upload: Upload,
    expected: Expected,
}

fn gets(part: &str) -> Requests {
    Requests::of(Method::GET).containing(part)
}

fn puts(part: &str) -> Requests {
    Requests::of(Method::PUT).containing(part)
}

/// How many requests of this kind were made again.
fn repeated(proxy: &FaultProxy, requests: &Requests) -> usize {
    let seen = proxy.seen(requests);
    let mut targets: Vec<_> = seen.iter().map(|one| one.target.as_str()).collect();
    targets.sort_unstable();
    targets.dedup();
    seen.len() - targets.len()
}
