//! Ctrl-C while `muniment deposit` is at work: a process of its own, and a real endpoint.

use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use muniment_bag_builder::BagBuilder;
use muniment_fault_proxy::{Fault, FaultProxy, Method, Requests, Times};
use tempfile::TempDir;
use tokio::time::{interval, timeout};

use crate::site::{Site, TEST_EDU};

/// A deposit takes a second on an idle machine.
const WITHIN: Duration = Duration::from_mins(5);
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// More than two parts of an upload.
const LARGE: u64 = 40 << 20;

#[tokio::test(flavor = "multi_thread")]
async fn a_deposit_that_is_told_to_stop_leaves_no_upload_open_and_says_what_is_not_there() {
    let site = Site::start().await;
    let proxy = before(&site.system.instance().s3.endpoint).await;
    let parts = Requests::of(Method::PUT).containing("partNumber=");
    proxy.plan(parts.clone(), Times::Always, Fault::Hold);
    let folder = TempDir::new().expect("a folder");
    write(folder.path(), &small("first"));
    write(
        folder.path(),
        &small("large").generated_file("data/large", LARGE, 1),
    );
    write(folder.path(), &small("third"));

    let deposit = deposit(&site, &proxy, folder.path(), &[]);
    until(|| !proxy.seen(&parts).is_empty()).await;
    signal(&deposit, "-INT");
    let output = output_of(deposit).await;

    assert_eq!(output.status.code(), Some(130), "{output:?}");
    let told = String::from_utf8(output.stderr).expect("text");
    let told: Vec<_> = told.lines().collect();
    let [first, rest @ ..] = &*told else {
        panic!("{told:?}");
    };
    assert!(first.starts_with("first.tar: uploaded "), "{told:?}");
    let expected = [
        "large.tar: not uploaded",
        "third.tar: not uploaded",
        "told to stop: 1 of 3 bags were uploaded",
    ];
    assert_eq!(*rest, expected);
    let aborts = Requests::of(Method::DELETE).containing("large.tar?");
    assert_eq!(proxy.seen(&aborts).len(), 1);
    let begun = Requests::of(Method::POST).containing("uploads");
    assert_eq!(proxy.seen(&begun).len(), 1);
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deposit_that_waits_can_be_told_to_wait_no_longer() {
    let site = Site::start().await;
    let s3 = before(&site.system.instance().s3.endpoint).await;
    let registry = before(&site.system.instance().registry.url).await;
    let looks = Requests::of(Method::GET).containing("etag=");
    registry.plan(looks.clone(), Times::Always, Fault::Hold);
    let folder = TempDir::new().expect("a folder");
    write(folder.path(), &small("first"));
    let access = &site.system.instance().registry;
    let (url, user, key) = (registry.url(), access.user.clone(), access.api_key.clone());
    let waits = [
        "--wait".to_owned(),
        format!("--registry-url={url}"),
        format!("--registry-api-user={user}"),
        format!("--registry-api-key={key}"),
    ];

    let deposit = deposit(&site, &s3, folder.path(), &waits);
    until(|| !registry.seen(&looks).is_empty()).await;
    signal(&deposit, "-TERM");
    let output = output_of(deposit).await;

    assert_eq!(output.status.code(), Some(130), "{output:?}");
    let told = String::from_utf8(output.stderr).expect("text");
    assert!(told.contains("1 of 1 bags were uploaded"), "{told}");
    assert!(told.contains("no longer waiting"), "{told}");
    site.stop().await;
}

fn deposit(site: &Site, s3: &FaultProxy, folder: &Path, more: &[String]) -> Child {
    let access = &site.system.instance().s3;
    let bucket = site.view.receiving(TEST_EDU).expect("a bucket");
    let child = Command::new(env!("CARGO_BIN_EXE_muniment"))
        .arg("deposit")
        .arg(format!("--s3-endpoint={}", s3.url()))
        .arg(format!("--s3-region={}", access.region))
        .arg(format!("--s3-access-key={}", access.access_key))
        .arg(format!("--s3-secret-key={}", access.secret_key))
        .arg(format!("--bucket={bucket}"))
        .args(more)
        .arg(folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    child.expect("starts")
}

async fn before(url: &url::Url) -> FaultProxy {
    let origin = url.as_str().trim_end_matches('/');
    FaultProxy::before(origin).await.expect("a proxy")
}

fn signal(child: &Child, signal: &str) {
    let pid = child.id().to_string();
    let sent = Command::new("kill").args([signal, &pid]).status();
    assert!(sent.expect("runs").success());
}

async fn until(is_so: impl Fn() -> bool) {
    let reached = timeout(WITHIN, async {
        let mut ticks = interval(LOOK_EVERY);
        while !is_so() {
            ticks.tick().await;
        }
    });
    reached.await.expect("happens in time");
}

async fn output_of(mut child: Child) -> Output {
    let ended = timeout(WITHIN, async {
        let mut ticks = interval(LOOK_EVERY);
        while child.try_wait().expect("can be asked").is_none() {
            ticks.tick().await;
        }
    });
    if ended.await.is_err() {
        child.kill().expect("is killed");
    }
    child.wait_with_output().expect("has ended")
}

fn small(name: &str) -> BagBuilder {
    BagBuilder::aptrust(name).file("data/letter.txt", "Dear all,")
}

fn write(folder: &Path, bag: &BagBuilder) {
    std::fs::write(folder.join(bag.key()), bag.to_tar()).expect("writes");
}
