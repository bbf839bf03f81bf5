//! A watch sees each request twice, and holds what is not to go further.

use std::future::pending;
use std::sync::{Arc, Mutex};

use muniment_fault_proxy::{FaultProxy, Passing, Seen, Watch};
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::server::{Server, ask};

/// Writes down what it is told of; lets nothing go further that is called as these are.
struct Diary {
    held_before: &'static str,
    held_after: &'static str,
    entries: Mutex<Vec<String>>,
    holding: Notify,
}

impl Diary {
    fn holding(held_before: &'static str, held_after: &'static str) -> Arc<Self> {
        Arc::new(Self {
            held_before,
            held_after,
            entries: Mutex::default(),
            holding: Notify::new(),
        })
    }

    async fn write(&self, entry: String) {
        let is_held = [self.held_before, self.held_after].contains(&entry.as_str());
        self.entries.lock().expect("lock").push(entry);
        if is_held {
            self.holding.notify_one();
            pending::<()>().await;
        }
    }

    fn entries(&self) -> Vec<String> {
        self.entries.lock().expect("lock").clone()
    }
}

impl Watch for Diary {
    fn before<'a>(&'a self, request: &'a Seen) -> Passing<'a, u64> {
        Box::pin(async move {
            self.write(format!("before {}", request.target)).await;
            7
        })
    }

    fn after(&self, number: u64) -> Passing<'_, ()> {
        Box::pin(self.write(format!("after {number}")))
    }
}

#[tokio::test]
async fn a_watch_sees_each_request_before_it_is_passed_on_and_once_it_is_answered() {
    let server = Server::answering(b"the answer").await;
    let diary = Diary::holding("", "");
    let watch = Arc::<Diary>::clone(&diary);
    let proxy = FaultProxy::watched(&server.url, watch).await;
    let proxy = proxy.expect("starts");
    let request = b"PUT /a HTTP/1.1\r\nExpect: 100-continue\r\ncontent-length: 4\r\n\r\nbody";

    let (permission, answer, _) = ask(&proxy, request).await;

    assert_eq!(permission, "HTTP/1.1 100 Continue\r\n\r\n");
    assert!(answer.ends_with(b"the answer"));
    assert_eq!(diary.entries(), ["before /a", "after 7"]);
}

#[tokio::test]
async fn a_watch_may_hold_a_request_and_an_answer() {
    for (held_before, held_after, received) in [("before /a", "", 0), ("", "after 7", 1)] {
        let server = Server::answering(b"the answer").await;
        let diary = Diary::holding(held_before, held_after);
        let watch = Arc::<Diary>::clone(&diary);
        let proxy = FaultProxy::watched(&server.url, watch).await;
        let proxy = Arc::new(proxy.expect("starts"));
        let mut asking = JoinSet::new();
        let asked = Arc::clone(&proxy);
        asking.spawn(async move { ask(&asked, b"GET /a HTTP/1.1\r\n\r\n").await });

        diary.holding.notified().await;

        assert_eq!(server.received().len(), received);
        drop(proxy);
        assert!(asking.try_join_next().is_none(), "no answer came");
    }
}
