//! `muniment up` as a process: started, given bags, looked at, stopped.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use muniment::up::instance::Instance;
use muniment_meter::Counts;

use super::AnyError;

/// What each worker asked, by its name.
pub(super) type Calls = BTreeMap<String, Counts>;

/// The largest case takes two minutes on an idle machine.
const ENDS_WITHIN: Duration = Duration::from_mins(20);
const READY_WITHIN: Duration = Duration::from_secs(30);
const STOPS_WITHIN: Duration = Duration::from_mins(2);
/// A look is a process and a request of its own: more of them would take time from what is measured.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// A running `muniment up`, killed when dropped.
pub(super) struct Up {
    child: Child,
    program: PathBuf,
    data: PathBuf,
    pub(super) ready: Duration,
}

/// What a process has cost so far, as the kernel counts it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spent {
    pub(super) cpu_seconds: f64,
    pub(super) peak_mib: u64,
    pub(super) written_bytes: u64,
    pub(super) ready: Duration,
}

impl Up {
    pub(super) fn start(program: &Path, data: &Path) -> Result<Self, AnyError> {
        Self::start_with(program, data, &[])
    }

    pub(super) fn start_with(
        program: &Path,
        data: &Path,
        options: &[&str],
    ) -> Result<Self, AnyError> {
        let called = Instant::now();
        let child = Command::new(program)
            .args(["up", "--data"])
            .arg(data)
            .arg("--calls")
            .arg(calls_file(data))
            .args(options)
            .stdout(Stdio::null())
            .spawn()?;
        let pid = child.id();
        let mut up = Self {
            child,
            program: program.to_owned(),
            data: data.to_owned(),
            ready: Duration::ZERO,
        };
        while called.elapsed() < READY_WITHIN {
            // A file of an earlier start names another process.
            if Instance::find(data)?.is_some_and(|instance| instance.pid == pid) {
                up.ready = called.elapsed();
                return Ok(up);
            }
            rest(Duration::from_millis(5));
        }
        Err("muniment up is not ready after 30 seconds".into())
    }

    pub(super) fn deposit(&self, tars: &[PathBuf]) -> Result<(), AnyError> {
        let deposited = Command::new(&self.program)
            .args(["deposit", "--data"])
            .arg(&self.data)
            .args(tars)
            .stderr(Stdio::null())
            .stdout(Stdio::null())
            .status()?;
        if deposited.success() {
            Ok(())
        } else {
            Err("the bags were not deposited".into())
        }
    }

    /// Waits until there are so many work items and all have ended, in this status.
    pub(super) fn wait_for(&self, items: usize, status: &str) -> Result<(), AnyError> {
        let until = Instant::now() + ENDS_WITHIN;
        while Instant::now() < until {
            let listed = Command::new(&self.program)
                .args(["status", "--json", "--data"])
                .arg(&self.data)
                .output()?;
            let listed: serde_json::Value = serde_json::from_slice(&listed.stdout)?;
            let results = listed["results"].as_array().ok_or("no list of items")?;
            let is_open = |item: &serde_json::Value| {
                ["Pending", "Started"].contains(&item["status"].as_str().unwrap_or(""))
            };
            if results.len() == items && !results.iter().any(is_open) {
                let other = results.iter().find(|item| item["status"] != status);
                return other.map_or(Ok(()), |item| {
                    Err(format!("an item ended otherwise: {item:#}").into())
                });
            }
            rest(LOOK_EVERY);
        }
        Err("the bags did not end within twenty minutes".into())
    }

    pub(super) fn spent(&self) -> Result<Spent, AnyError> {
        let process = self.child.id();
        let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
        // The name, in parentheses, may hold blanks. utime and stime are the 12th and 13th after it.
        let (_, after_name) = stat.rsplit_once(')').ok_or("no name")?;
        let ticks = after_name.split_whitespace().skip(11).take(2);
        let ticks = ticks.map(str::parse::<u32>).sum::<Result<u32, _>>()?;
        Ok(Spent {
            cpu_seconds: f64::from(ticks) / TICKS_PER_SECOND,
            peak_mib: peak_mib_of(process)?,
            written_bytes: counted(process, "io", "write_bytes:")?,
            ready: self.ready,
        })
    }

    /// Stops it as an operator would, and reads what its workers asked.
    pub(super) fn stop(&mut self) -> Result<Calls, AnyError> {
        self.end("TERM")?;
        let calls = std::fs::read(calls_file(&self.data))?;
        Ok(serde_json::from_slice(&calls)?)
    }

    /// Ends it by a signal, and answers how long that took.
    pub(super) fn end(&mut self, signal: &str) -> Result<Duration, AnyError> {
        let kill = format!("kill -{signal} {}", self.child.id());
        let told = Instant::now();
        Command::new("sh").args(["-c", &kill]).status()?;
        while told.elapsed() < STOPS_WITHIN {
            if self.child.try_wait()?.is_some() {
                return Ok(told.elapsed());
            }
            rest(Duration::from_millis(20));
        }
        Err("muniment up does not stop".into())
    }
}

/// `USER_HZ`: 100 on every Linux.
const TICKS_PER_SECOND: f64 = 100.0;

fn calls_file(data: &Path) -> PathBuf {
    data.with_extension("calls.json")
}

/// The most memory a process has held at one time (`VmHWM`).
pub(super) fn peak_mib_of(process: u32) -> Result<u64, AnyError> {
    Ok(counted(process, "status", "VmHWM:")? / 1_024)
}

/// A number that the kernel keeps of a process.
fn counted(process: u32, file: &str, name: &str) -> Result<u64, AnyError> {
    let text = std::fs::read_to_string(format!("/proc/{process}/{file}"))?;
    let value = text.lines().find_map(|line| line.strip_prefix(name));
    let value = value.ok_or_else(|| format!("no {name}"))?;
    Ok(value.trim().trim_end_matches(" kB").parse()?)
}

/// Asking without rest would take the time of what is measured.
#[expect(clippy::disallowed_methods, reason = "there is no async runtime here")]
pub(super) fn rest(duration: Duration) {
    std::thread::sleep(duration);
}

impl Drop for Up {
    fn drop(&mut self) {
        // After a stop there is nothing left to kill.
        drop(self.child.kill().and_then(|()| self.child.wait()));
    }
}
