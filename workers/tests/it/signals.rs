//! SIGTERM while idle and while busy, SIGKILL, and a start after it: every binary.

use std::time::{Duration, Instant};

use muniment_fault_proxy::{Fault, FaultProxy, Requests, Times};
use muniment_model::QueueName;
use muniment_work::Queue;

use crate::kit::{Process, Site};

/// How long a stop may take. Far less than the 90 s that ECS leaves for it.
const STOPS_WITHIN: Duration = Duration::from_secs(5);
/// More than two jobs at a time do between a look and a signal.
const ITEMS: usize = 40;

async fn stop(process: &mut Process, name: &str) {
    process.signal("TERM");
    let told = Instant::now();
    let status = process.ended().await;

    assert_eq!(status.code(), Some(0), "{name}: {}", process.logged());
    let took = told.elapsed();
    assert!(took < STOPS_WITHIN, "{name}: {took:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_process_stops_on_sigterm() {
    let site = Site::start().await;
    for worker in workers::all() {
        let mut process = site.spawn(worker).await;

        stop(&mut process, worker.name).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_busy_process_stops_on_sigterm_and_releases_its_leases() {
    for worker in workers::all() {
        let Some(queue) = worker.queue else { continue };
        let site = Site::start().await;
        site.give_work(queue, ITEMS).await;
        let mut process = site.spawn(worker).await;
        site.wait_until_left(queue, ITEMS as u64 - 1).await;

        stop(&mut process, worker.name).await;
        let left = site.work.backlog().await.expect("counted")[&queue];
        assert_eq!(left.leased, 0, "{}: {left:?}", worker.name);
    }
}

/// Of the 115 s in which ECS wants the leases released. Without a limit of its own a silent registry
/// alone takes two minutes.
const STOPS_AWAY_WITHIN: Duration = Duration::from_mins(1);

/// Connections are refused, or come about and nothing else does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_stops_on_sigterm_while_the_registry_is_away_and_leaves_no_lease() {
    let queue = QueueName::IngestPreFetch;
    let entry = workers::all()
        .iter()
        .find(|worker| worker.queue == Some(queue));
    for silent in [false, true] {
        let site = Site::start().await;
        let proxy = FaultProxy::before(site.registry_url.trim_end_matches('/')).await;
        let proxy = proxy.expect("a proxy");
        let url = format!("{}/", proxy.url());
        let mut process = site.spawn_behind(&url, entry.expect("it is there")).await;
        let proxy = if silent {
            proxy.plan(Requests::any(), Times::Always, Fault::Hold);
            Some(proxy)
        } else {
            drop(proxy);
            None
        };
        site.give_work(queue, 2).await;
        site.wait_until_claimed(queue).await;

        process.signal("TERM");
        let told = Instant::now();
        let status = process.ended().await;

        let took = told.elapsed();
        assert_eq!(status.code(), Some(0), "{}", process.logged());
        assert!(took < STOPS_AWAY_WITHIN, "silent {silent}: {took:?}");
        let left = site.work.backlog().await.expect("counted")[&queue];
        assert_eq!(left.leased, 0, "silent {silent}: {left:?}");
        assert_eq!(left.ready + left.due, 2, "silent {silent}: {left:?}");
        drop(proxy);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_process_loses_nothing_and_the_next_one_goes_on() {
    for worker in workers::all() {
        let Some(queue) = worker.queue else { continue };
        let site = Site::start().await;
        let items = site.give_work(queue, ITEMS).await;
        let mut process = site.spawn(worker).await;
        site.wait_until_left(queue, ITEMS as u64 - 1).await;
        process.signal("KILL");
        assert!(!process.ended().await.success());

        let next = site.spawn(worker).await;
        // Without this a lease of the dead would run out after a minute.
        site.work.revoke_all_leases().await.expect("revoked");
        site.wait_until_left(queue, 0).await;

        for item in items {
            let found = site.registry.work_item(item.id).await.expect("answers");
            let found = found.expect("the item");
            assert_ne!(found.status, muniment_model::Status::Started, "{found:?}");
        }
        drop(next);
    }
}
