//! What is deposited, and how it is measured.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use muniment_bag_builder::BagBuilder;
use tempfile::tempdir;

use super::AnyError;
use super::measured::Measured;
use super::process::Up;

/// Files of the bag that is deposited a second time, and how many of them have changed then.
const AGAIN_FILES: u64 = 10_000;
const AGAIN_CHANGED: u64 = AGAIN_FILES / 100;
const MIXED_BAGS: u64 = 50;

/// Bags to measure with.
pub(super) struct Case {
    pub(super) name: &'static str,
    pub(super) what: &'static str,
    /// Deposited and ended before the measurement begins.
    before: Option<fn() -> BagBuilder>,
    bags: fn() -> Vec<BagBuilder>,
    pub(super) ends_in: &'static str,
}

pub(super) const CASES: &[Case] = &[
    Case {
        name: "thousand",
        what: "1,000 files of 1 KB",
        before: None,
        bags: || vec![small_files("thousand", 1_000, 0)],
        ends_in: "Success",
    },
    Case {
        name: "small",
        what: "10,000 files of 1 KB",
        before: None,
        bags: || vec![small_files("small", 10_000, 0)],
        ends_in: "Success",
    },
    Case {
        name: "many",
        what: "100,000 files of 1 KB",
        before: None,
        bags: || vec![small_files("many", 100_000, 0)],
        ends_in: "Success",
    },
    Case {
        name: "large",
        what: "one file of 2 GiB",
        before: None,
        bags: || vec![BagBuilder::btr("large").generated_file("data/large.bin", 2 << 30, 1)],
        ends_in: "Success",
    },
    Case {
        name: "mixed",
        what: "50 bags: 40 of 20 files of 1 to 50 KB, 10 of one file of 20 MiB",
        before: None,
        bags: || (0..MIXED_BAGS).map(mixed).collect(),
        ends_in: "Success",
    },
    Case {
        name: "again",
        what: "10,000 files of 1 KB a second time, 100 of them changed",
        before: Some(|| small_files("again", AGAIN_FILES, 0)),
        bags: || vec![small_files("again", AGAIN_FILES, AGAIN_CHANGED)],
        ends_in: "Success",
    },
    Case {
        name: "phantoms",
        what: "1,000,000 manifest lines without files",
        before: None,
        bags: || {
            vec![
                BagBuilder::aptrust("phantoms")
                    .file("data/a.txt", "a")
                    .phantom_lines(1_000_000),
            ]
        },
        ends_in: "Failed",
    },
];

/// The first `changed` files are others than without that.
fn small_files(name: &str, files: u64, changed: u64) -> BagBuilder {
    (0..files).fold(BagBuilder::btr(name), |bag, number| {
        let seed = if number < changed {
            number + files
        } else {
            number
        };
        bag.generated_file(
            format!("data/{:03}/{number}.bin", number % 100),
            1_000,
            seed,
        )
    })
}

fn mixed(number: u64) -> BagBuilder {
    let bag = BagBuilder::btr(format!("mixed-{number}"));
    if number.is_multiple_of(5) {
        return bag.generated_file("data/film.bin", 20 << 20, number);
    }
    (0..20).fold(bag, |bag, file| {
        bag.generated_file(format!("data/{file}.bin"), 1_000 * (number + 1), file)
    })
}

impl Case {
    pub(super) fn run(&self, program: &Path) -> Result<Measured, AnyError> {
        let folder = tempdir()?;
        let data = folder.path().join("data");
        if let Some(before) = self.before {
            let tars = write_tars(folder.path(), &[before()])?;
            let mut up = Up::start(program, &data)?;
            up.deposit(&tars)?;
            up.wait_for(tars.len(), self.ends_in)?;
            up.stop()?;
        }
        let items_before = usize::from(self.before.is_some());
        let bags = (self.bags)();
        let tars = write_tars(folder.path(), &bags)?;
        let mut up = Up::start(program, &data)?;
        let mut began = Instant::now();
        up.deposit(&tars)?;
        if tars.len() == 1 {
            began = Instant::now();
        }
        up.wait_for(items_before + tars.len(), self.ends_in)?;
        let seconds = began.elapsed().as_secs_f64();
        let spent = up.spent()?;
        let calls = up.stop()?;
        Measured::new(&tars, seconds, spent, calls)
    }
}

pub(super) fn write_tars(folder: &Path, bags: &[BagBuilder]) -> Result<Vec<PathBuf>, AnyError> {
    let mut tars = Vec::new();
    for bag in bags {
        let tar = folder.join(bag.key());
        let mut out = BufWriter::new(File::create(&tar)?);
        bag.write_tar(&mut out)?;
        out.flush()?;
        tars.push(tar);
    }
    Ok(tars)
}
