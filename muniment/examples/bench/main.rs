//! Measures one `muniment up` under load, as a process of its own: `cargo xtask bench`.
//!
//! Each case starts a fresh system, deposits one bag over S3, waits for its ending and prints wall
//! time (from the end of the upload to the final status), rates, and the process's peak memory as
//! the kernel counted it. The bag is written to a file first, so that making it costs nothing here.
//! The last case deposits nothing: see [`copies`].
//!
//! ```text
//! cargo xtask bench                    all cases
//! cargo xtask bench -- small large     only these
//! ```
#![expect(clippy::print_stdout, reason = "a person reads what it prints")]

mod copies;

use std::error::Error;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use muniment::up::instance::Instance;
use muniment_bag_builder::BagBuilder;

type AnyError = Box<dyn Error>;

/// A bag to measure with.
struct Case {
    name: &'static str,
    what: &'static str,
    build: fn() -> BagBuilder,
    files: u32,
    ends_in: &'static str,
}

const CASES: &[Case] = &[
    Case {
        name: "small",
        what: "10,000 files of 1 KB",
        build: small,
        files: 10_000,
        ends_in: "Success",
    },
    Case {
        name: "large",
        what: "one file of 2 GiB",
        build: large,
        files: 1,
        ends_in: "Success",
    },
    Case {
        name: "phantoms",
        what: "1,000,000 manifest lines without files",
        build: phantoms,
        files: 1,
        ends_in: "Failed",
    },
];

fn small() -> BagBuilder {
    (0..10_000).fold(BagBuilder::btr("small"), |bag, n| {
        bag.generated_file(format!("data/{:03}/{n}.bin", n % 100), 1_000, n)
    })
}

fn large() -> BagBuilder {
    BagBuilder::btr("large").generated_file("data/large.bin", 2 << 30, 1)
}

fn phantoms() -> BagBuilder {
    BagBuilder::aptrust("phantoms")
        .file("data/a.txt", "a")
        .phantom_lines(1_000_000)
}

fn main() -> Result<(), AnyError> {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|one| one != "--").collect();
    let program = program()?;
    println!(
        "{:<10} {:>9} {:>9} {:>10} {:>10} {:>9}",
        "case", "seconds", "files/s", "MB/s", "peak MiB", "ready ms"
    );
    let is_wanted = |case: &str| wanted.is_empty() || wanted.iter().any(|name| name == case);
    for case in CASES {
        if is_wanted(case.name) {
            run(case, &program)?;
        }
    }
    if is_wanted("copies") {
        copies::run(&program)?;
    }
    Ok(())
}

/// The `muniment` beside this example, built anew: cargo has built only the library for an example.
fn program() -> Result<PathBuf, AnyError> {
    let this = std::env::current_exe()?;
    let folder = this.parent().and_then(Path::parent).ok_or("no folder")?;
    let program = folder.join("muniment");
    let status = Command::new("cargo")
        .args(["build", "--release", "--package", "muniment"])
        .status()?;
    if !status.success() {
        return Err("cannot build muniment".into());
    }
    Ok(program)
}

fn run(case: &Case, program: &Path) -> Result<(), AnyError> {
    let folder = tempfile::tempdir()?;
    let bag = (case.build)();
    let tar = folder.path().join(bag.key());
    let mut out = BufWriter::new(File::create(&tar)?);
    bag.write_tar(&mut out)?;
    out.flush()?;
    let bytes = std::fs::metadata(&tar)?.len();

    let data = folder.path().join("data");
    let called = Instant::now();
    let up = Up::start(program, &data)?;
    let ready = called.elapsed();
    let deposited = Command::new(program)
        .args(["deposit", "--data"])
        .args([&data, &tar])
        .stderr(Stdio::null())
        .stdout(Stdio::null())
        .status()?;
    if !deposited.success() {
        return Err(format!("{} was not deposited", case.name).into());
    }
    let began = Instant::now();
    let item = wait(program, &data)?;
    let seconds = began.elapsed().as_secs_f64();
    if item["status"] != case.ends_in {
        return Err(format!("{} ended otherwise: {item:#}", case.name).into());
    }
    println!(
        "{:<10} {seconds:>9.2} {:>9.0} {:>10.1} {:>10} {:>9}  {}",
        case.name,
        f64::from(case.files) / seconds,
        as_f64(bytes) / 1e6 / seconds,
        up.peak_mib()?,
        ready.as_millis(),
        case.what
    );
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "a rate for people")]
fn as_f64(bytes: u64) -> f64 {
    bytes as f64
}

/// Asks for the newest work item until it has ended.
fn wait(program: &Path, data: &Path) -> Result<serde_json::Value, AnyError> {
    let until = Instant::now() + Duration::from_mins(10);
    while Instant::now() < until {
        let status = Command::new(program)
            .args(["status", "--json", "--data"])
            .arg(data)
            .output()?;
        let list: serde_json::Value = serde_json::from_slice(&status.stdout)?;
        let item = list["results"][0].clone();
        if ["Success", "Failed", "Cancelled", "Suspended"]
            .contains(&item["status"].as_str().unwrap_or(""))
        {
            return Ok(item);
        }
        rest(Duration::from_millis(200));
    }
    Err("the bag did not end within ten minutes".into())
}

/// Asking without rest would take the time of what is measured.
#[expect(clippy::disallowed_methods, reason = "there is no async runtime here")]
fn rest(duration: Duration) {
    std::thread::sleep(duration);
}

/// A running `muniment up`, ended when dropped.
struct Up(Child);

impl Up {
    fn start(program: &Path, data: &Path) -> Result<Self, AnyError> {
        let child = Command::new(program)
            .args(["up", "--data"])
            .arg(data)
            .stdout(Stdio::null())
            .spawn()?;
        let up = Self(child);
        let until = Instant::now() + Duration::from_secs(30);
        while Instant::now() < until {
            if Instance::find(data)?.is_some() {
                return Ok(up);
            }
            rest(Duration::from_millis(5));
        }
        Err("muniment up is not ready after 30 seconds".into())
    }

    fn peak_mib(&self) -> Result<u64, AnyError> {
        peak_mib_of(self.0.id())
    }
}

/// The most memory a process has held at one time (`VmHWM`).
fn peak_mib_of(process: u32) -> Result<u64, AnyError> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .ok_or("no VmHWM")?;
    let kib: u64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kib / 1_024)
}

impl Drop for Up {
    fn drop(&mut self) {
        if let Err(cause) = self.0.kill().and_then(|()| self.0.wait()) {
            println!("muniment up was not stopped: {cause}");
        }
    }
}
