//! Writes the seeds of a target into a folder, to look at them.
//!
//! `seeds TARGET FOLDER`

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use muniment_fuzz::TARGETS;

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let (Some(name), Some(folder)) = (arguments.next(), arguments.next()) else {
        anyhow::bail!("usage: seeds TARGET FOLDER");
    };
    let target = TARGETS.into_iter().find(|target| target.name == name);
    let target = target.with_context(|| format!("no target {name:?}"))?;
    let folder = PathBuf::from(folder);
    fs::create_dir_all(&folder)?;
    for seed in (target.seeds)() {
        fs::write(folder.join(seed.name.as_ref()), &seed.bytes)?;
    }
    Ok(())
}
