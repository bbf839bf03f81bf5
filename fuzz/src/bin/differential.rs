//! Compares changed tars with GNU tar and Python's tarfile until a time is over.
//!
//! `differential SECONDS [SEED]`: keeps each tar that is read in two ways in the present folder, and goes
//! on. What it finds belongs into `corpus/tar_reader` once it is understood.
#![expect(clippy::print_stdout, reason = "a person reads what it prints")]

use std::collections::BTreeMap;
use std::fs;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use muniment_fuzz::differential::{Agreement, Programs};
use muniment_fuzz::{Random, TAR_READER};

fn main() -> Result<ExitCode> {
    let mut arguments = std::env::args().skip(1);
    let seconds = arguments.next().context("for how many seconds?")?;
    let limit = Duration::from_secs(seconds.parse()?);
    let first = arguments.next().map_or(Ok(1), |seed| seed.parse())?;
    let start = Instant::now();
    let mut programs = Programs::start()?;
    let seeds = (TAR_READER.seeds)();
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    let mut found = 0;
    for seed in first.. {
        if start.elapsed() > limit {
            break;
        }
        let mut random = Random::new(seed);
        let (Some(one), Some(other)) = (random.one_of(&seeds), random.one_of(&seeds)) else {
            break;
        };
        let mut tar = one.bytes.clone();
        (TAR_READER.mutate)(&mut tar, &other.bytes, &mut random);
        let kind = match programs.compare(&tar)? {
            Agreement::Same(_) => "same",
            Agreement::Refused(_) => "refused",
            Agreement::Excepted(_) => "excepted",
            Agreement::Differs(difference) => {
                found += 1;
                let name = format!("differs-{seed}.tar");
                println!("{name}, from {}: {difference}", one.name);
                fs::write(name, &tar)?;
                "differs"
            }
        };
        *counts.entry(kind).or_default() += 1;
    }
    println!("{counts:?}");
    Ok(if found == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
