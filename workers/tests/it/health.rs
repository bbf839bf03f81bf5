//! What a worker's process tells over HTTP while it works.

use std::net::SocketAddr;

use muniment_model::QueueName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::kit::{Process, Site};

/// The whole answer, head and body.
async fn get(address: SocketAddr, path: &str) -> String {
    let mut connection = TcpStream::connect(address).await.expect("connects");
    let request = format!("GET {path} HTTP/1.1\r\nhost: worker\r\nconnection: close\r\n\r\n");
    let sent = connection.write_all(request.as_bytes()).await;
    sent.expect("sent");
    let mut answer = String::new();
    let read = connection.read_to_string(&mut answer).await;
    read.expect("answered");
    answer
}

async fn started(site: &Site, name: &str) -> (Process, SocketAddr) {
    let worker = workers::all().iter().find(|worker| worker.name == name);
    let process = site.spawn(worker.expect("it is there")).await;
    let address = process.address();
    (process, address)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_tells_its_health_and_what_it_has_done() {
    let site = Site::start().await;
    let queue = QueueName::IngestRecorder;
    site.give_work(queue, 1).await;
    let (_process, address) = started(&site, "ingest_recorder").await;
    site.wait_until_left(queue, 0).await;

    let health = get(address, "/health").await;
    let ready = get(address, "/ready").await;
    let metrics = get(address, "/metrics").await;
    let nothing = get(address, "/").await;

    for answer in [health, ready] {
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert!(answer.contains(r#""live":true"#), "{answer}");
        assert!(answer.contains(r#""ready":true"#), "{answer}");
        assert!(answer.contains(r#""draining":false"#), "{answer}");
    }
    assert!(nothing.starts_with("HTTP/1.1 404"), "{nothing}");
    for line in [
        "muniment_attempts_total{worker=\"ingest_recorder\"} 1",
        "muniment_jobs_max{worker=\"ingest_recorder\"} 2",
        "muniment_backlog_known 1",
        "muniment_backlog_messages{queue=\"ingest_recorder\",state=\"ready\"} 0",
    ] {
        let is_there = metrics.lines().any(|other| other == line);
        assert!(is_there, "{line} in\n{metrics}");
    }
    for part in [
        "muniment_endings_total{worker=\"ingest_recorder\",ending=",
        "muniment_calls_total{worker=\"ingest_recorder\",service=\"registry\"",
        "muniment_call_seconds_bucket{",
        "service=\"work_store\",kind=\"claim\"",
    ] {
        assert!(metrics.contains(part), "{part} in\n{metrics}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sweep_tells_its_health_as_well() {
    let site = Site::start().await;
    let (_process, address) = started(&site, "apt_queue").await;

    let ready = get(address, "/ready").await;

    assert!(ready.starts_with("HTTP/1.1 200"), "{ready}");
}
