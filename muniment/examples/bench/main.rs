//! Measures `muniment up` under load, as a process of its own: `cargo xtask bench`.
//!
//! Each case starts a fresh system, deposits its bags over S3, waits for their endings and prints wall time,
//! rates, and what the process cost: processor time, peak memory and bytes written to the disk, as the kernel
//! counted them, and what its workers asked of S3, registry and work store, as they counted it themselves,
//! beside the cost budget ([`budget`]). The bags are written to files first, so that making them costs
//! nothing here. Of a single bag the time runs from the end of its upload, of several from the beginning of
//! the first.
//!
//! A run of all cases writes docs/PERFORMANCE.md anew ([`report`]). The last two cases measure something else: see
//! [`copies`] and [`interrupted`].
//!
//! ```text
//! cargo xtask bench                    all cases, and docs/PERFORMANCE.md
//! cargo xtask bench -- small large     only these
//! ```
#![expect(clippy::print_stdout, reason = "a person reads what it prints")]

mod budget;
mod cases;
mod copies;
mod interrupted;
mod measured;
mod process;
mod report;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;

use cases::CASES;

type AnyError = Box<dyn Error>;

/// A case that answers in words.
type Told = fn(&Path) -> Result<String, AnyError>;

const OTHERS: [(&str, &str, Told); 2] = [
    ("copies", "Copies", copies::run),
    ("interrupted", "Interruptions", interrupted::run),
];

fn main() -> Result<(), AnyError> {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|one| one != "--").collect();
    let names = CASES.iter().map(|case| case.name);
    let names: Vec<&str> = names.chain(OTHERS.map(|(name, ..)| name)).collect();
    if let Some(unknown) = wanted.iter().find(|name| !names.contains(&name.as_str())) {
        return Err(format!("there is no case {unknown:?}").into());
    }
    let is_wanted = |case: &str| wanted.is_empty() || wanted.iter().any(|name| name == case);
    let program = program()?;
    println!("{}", report::HEADING);
    let mut all = Vec::new();
    for case in CASES.iter().filter(|case| is_wanted(case.name)) {
        let measured = case.run(&program)?;
        println!("{}", report::line(case, &measured));
        print!("{}", report::costs(case, &measured));
        all.push((case, measured));
    }
    let mut told = Vec::new();
    for (name, heading, run) in OTHERS.iter().filter(|(name, ..)| is_wanted(name)) {
        let line = format!("{heading} (`{name}`): {}.", run(&program)?);
        println!("{line}");
        told.push(line);
    }
    if wanted.is_empty() {
        report::write(&all, &told)?;
    }
    Ok(())
}

/// The `muniment` beside this example, built anew: cargo has built only the library for an example.
fn program() -> Result<PathBuf, AnyError> {
    let this = std::env::current_exe()?;
    let folder = this.parent().and_then(Path::parent);
    let program = folder.ok_or("no folder")?.join("muniment");
    let status = Command::new("cargo")
        .args(["build", "--release", "--package", "muniment"])
        .status()?;
    if !status.success() {
        return Err("cannot build muniment".into());
    }
    Ok(program)
}
