//! The reading of one file of 2 GiB, interrupted by a stop and by a kill: how much of it is read again.
//!
//! The S3 store is one of its own behind a proxy that sees what is asked for, as a process that is killed cannot
//! tell what it had asked.

use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use muniment_bag_builder::BagBuilder;
use muniment_embedded_s3::{Credentials, EmbeddedS3};
use muniment_fault_proxy::{FaultProxy, Method, Requests};
use tempfile::tempdir;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::AnyError;
use super::cases::write_tars;
use super::process::{Up, rest};

const MIB: u64 = 1 << 20;
const SIZE: u64 = 2_048 * MIB;
const TAR: &str = "interrupted.tar";
/// Each signal, and how much of the tar has been asked for when it comes.
const SIGNALS: [(&str, u64); 2] = [("TERM", 700 * MIB), ("KILL", 1_400 * MIB)];
const AGAIN_MAX: u64 = 64 * MIB;
const ASKED_WITHIN: Duration = Duration::from_mins(5);
const ACCESS_KEY: &str = "bench";
const SECRET_KEY: &str = "of-a-store-of-this-bench-alone";

/// Answers what it came to, in words; an error where more was read again than is promised.
pub(crate) fn run(program: &Path) -> Result<String, AnyError> {
    let folder = tempdir()?;
    let runtime = Runtime::new()?;
    let mut serving = JoinSet::new();
    let proxy = runtime.block_on(store(&folder.path().join("store"), &mut serving))?;
    let url = proxy.url();
    let keys = ["--s3-access-key", ACCESS_KEY, "--s3-secret-key", SECRET_KEY];
    let elsewhere = [&["--s3", &url][..], &keys].concat();
    let bag = BagBuilder::btr("interrupted").generated_file("data/large.bin", SIZE, 1);
    let tars = write_tars(folder.path(), &[bag])?;
    let data = folder.path().join("data");
    let mut told = "one file of 2 GiB, interrupted in its middle".to_owned();
    let mut up = Up::start_with(program, &data, &elsewhere)?;
    up.deposit(&tars)?;
    for (signal, asked) in SIGNALS {
        wait_until(|| asked_to(&readings(&proxy)) >= asked)?;
        let ended = up.end(signal)?;
        let before = readings(&proxy);
        let (read_to, called) = (asked_to(&before), Instant::now());
        up = Up::start_with(program, &data, &elsewhere)?;
        // The reading has gone on where it reads what nobody has read.
        wait_until(|| asked_to(&readings(&proxy)) > read_to)?;
        let again = below(&readings(&proxy)[before.len()..], read_to);
        write!(
            told,
            "; by SIG{signal}: ended after {:.1} s, gone on within {:.1} s of the next start, {} MiB read again",
            ended.as_secs_f64(),
            called.elapsed().as_secs_f64(),
            again / MIB,
        )?;
        if again > AGAIN_MAX {
            return Err(format!("{told}: more than {} MiB", AGAIN_MAX / MIB).into());
        }
    }
    up.wait_for(1, "Success")?;
    up.stop()?;
    Ok(told)
}

/// An endpoint that is not the system's own, as seen through a proxy.
async fn store(folder: &Path, serving: &mut JoinSet<()>) -> Result<FaultProxy, AnyError> {
    std::fs::create_dir(folder)?;
    let credentials = Credentials {
        access_key: ACCESS_KEY.to_owned(),
        secret_key: SECRET_KEY.to_owned(),
    };
    let endpoint = EmbeddedS3::open(folder, credentials).await?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    serving.spawn(async move { endpoint.serve(listener, CancellationToken::new()).await });
    Ok(FaultProxy::before(&format!("http://{address}")).await?)
}

/// The first and the last byte of each range of the tar that was asked for.
fn readings(proxy: &FaultProxy) -> Vec<(u64, u64)> {
    let of_the_tar = Requests::of(Method::GET).containing(TAR);
    let seen = proxy.seen(&of_the_tar);
    let ranges = seen.iter().filter_map(|request| {
        let range = request.header("range")?.strip_prefix("bytes=")?;
        let (first, last) = range.split_once('-')?;
        Some((first.parse().ok()?, last.parse().ok()?))
    });
    ranges.collect()
}

/// The end of what was asked for.
fn asked_to(readings: &[(u64, u64)]) -> u64 {
    let ends = readings.iter().map(|(_, last)| last + 1);
    ends.max().unwrap_or(0)
}

/// How many bytes before `end` were asked for.
fn below(readings: &[(u64, u64)], end: u64) -> u64 {
    let lengths = readings
        .iter()
        .map(|(first, last)| (last + 1).min(end).saturating_sub(*first));
    lengths.sum()
}

fn wait_until(reached: impl Fn() -> bool) -> Result<(), AnyError> {
    let until = Instant::now() + ASKED_WITHIN;
    while !reached() {
        if Instant::now() > until {
            return Err("the tar is not read on".into());
        }
        rest(Duration::from_millis(20));
    }
    Ok(())
}
