//! The sample bags, and how the deposit of each one has to end.
//!
//! Data: a row names a bag, how it is built, what is done to its tar, and what a depositor must read
//! in the end. Both profiles, every storage option, one of each common mistake, a re-ingest, and one
//! bag that is large enough to watch.

use muniment_bag_builder::{BagBuilder, Entry};
use muniment_model::{Algorithm, StorageOption};

/// The file of the large sample that is staged by a copy within the store: 64 MiB.
const LARGE_FILE_BYTES: u64 = 64 << 20;
/// How many small files the large sample has beside it.
const SMALL_FILES: u64 = 300;

/// The institutions the samples are deposited for.
pub(crate) const INSTITUTIONS: [&str; 2] = ["test.edu", "example.edu"];

/// One bag, and what becomes of it.
pub(crate) struct Sample {
    pub(crate) name: &'static str,
    pub(crate) institution: &'static str,
    pub(crate) build: fn(BagBuilder) -> BagBuilder,
    pub(crate) profile: Profile,
    pub(crate) form: Form,
    pub(crate) expected: Expected,
    /// Deposited again under the same name, after the first deposit has ended.
    pub(crate) again: Option<fn(BagBuilder) -> BagBuilder>,
}

/// Which valid bag a sample starts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Profile {
    Aptrust,
    Btr,
}

/// What is done to the finished tar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Whole,
    /// The last third is missing, as after an upload that broke off.
    Truncated,
    /// Compressed, though its name does not say so.
    Gzip,
}

/// How a deposit has to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    /// Stored and recorded, with the copies of this option.
    Accepted(StorageOption),
    /// Rejected, with each of these texts among the findings.
    Rejected(&'static [&'static str]),
}

impl Sample {
    fn accepted(name: &'static str, profile: Profile, option: StorageOption) -> Self {
        Self {
            name,
            institution: profile.institution(),
            build: with_papers,
            profile,
            form: Form::Whole,
            expected: Expected::Accepted(option),
            again: None,
        }
    }

    fn rejected(
        name: &'static str,
        build: fn(BagBuilder) -> BagBuilder,
        findings: &'static [&'static str],
    ) -> Self {
        Self {
            build,
            expected: Expected::Rejected(findings),
            ..Self::accepted(name, Profile::Aptrust, StorageOption::Standard)
        }
    }

    /// The bag of the first deposit.
    pub(crate) fn bag(&self) -> BagBuilder {
        (self.build)(self.blank())
    }

    /// The bag of the second deposit, for a re-ingest.
    pub(crate) fn second_bag(&self) -> Option<BagBuilder> {
        Some(self.again?(self.blank()))
    }

    fn blank(&self) -> BagBuilder {
        let blank = match self.profile {
            Profile::Aptrust => BagBuilder::aptrust(self.name),
            Profile::Btr => BagBuilder::btr(self.name),
        };
        match self.expected {
            Expected::Accepted(option) => blank.storage_option(option),
            Expected::Rejected(_) => blank,
        }
    }
}

impl Profile {
    const fn institution(self) -> &'static str {
        let [test_edu, example_edu] = INSTITUTIONS;
        match self {
            Self::Aptrust => test_edu,
            Self::Btr => example_edu,
        }
    }
}

/// All samples, in the order of the final table.
pub(crate) fn all() -> Vec<Sample> {
    let mut samples = vec![Sample {
        build: large,
        ..Sample::accepted("large", Profile::Btr, StorageOption::Standard)
    }];
    samples.extend(storage_options());
    samples.push(Sample {
        again: Some(with_papers_changed),
        ..Sample::accepted("re-ingested", Profile::Aptrust, StorageOption::Standard)
    });
    samples.extend(mistakes_in_the_bag());
    samples.extend(mistakes_in_the_tar());
    samples
}

fn storage_options() -> impl Iterator<Item = Sample> {
    use Profile::{Aptrust, Btr};

    [
        ("standard", Aptrust, StorageOption::Standard),
        ("glacier-oh", Aptrust, StorageOption::GlacierOh),
        ("glacier-or", Btr, StorageOption::GlacierOr),
        ("glacier-va", Aptrust, StorageOption::GlacierVa),
        ("glacier-deep-oh", Btr, StorageOption::GlacierDeepOh),
        ("glacier-deep-or", Aptrust, StorageOption::GlacierDeepOr),
        ("glacier-deep-va", Btr, StorageOption::GlacierDeepVa),
        ("wasabi-or", Aptrust, StorageOption::WasabiOr),
        ("wasabi-tx", Aptrust, StorageOption::WasabiTx),
        ("wasabi-va", Btr, StorageOption::WasabiVa),
    ]
    .into_iter()
    .map(|(name, profile, option)| Sample::accepted(name, profile, option))
}

fn mistakes_in_the_bag() -> [Sample; 8] {
    [
        Sample::rejected(
            "bad-digest",
            |bag| with_papers(bag).corrupt_digest("data/letter.txt"),
            &["data/letter.txt: ingest md5 checksum", "doesn't match"],
        ),
        Sample::rejected(
            "missing-file",
            |bag| with_papers(bag).without_file_but_listed("data/lost.txt"),
            &["data/lost.txt in manifest-md5.txt is missing from bag"],
        ),
        Sample::rejected(
            "extra-file",
            |bag| with_papers(bag).extra_unlisted_file("data/stowaway.txt", "not listed\n"),
            &["data/stowaway.txt is not in manifest"],
        ),
        Sample::rejected(
            "missing-title",
            |bag| with_papers(bag).without_tag("Title"),
            &["Required tag Title in file aptrust-info.txt is missing"],
        ),
        Sample::rejected(
            "bad-access",
            |bag| with_papers(bag).tag("aptrust-info.txt", "Access", "Hands Off!"),
            &["In file aptrust-info.txt, tag Access has illegal value 'Hands Off!'"],
        ),
        Sample::rejected(
            "fetch-txt",
            |bag| with_papers(bag).with_fetch_txt(),
            &["Bag has fetch.txt file which profile does not allow"],
        ),
        Sample::rejected(
            "no-bagit-txt",
            |bag| with_papers(bag).without_bagit_txt(),
            &["Missing required tag bagit.txt/BagIt-Version."],
        ),
        Sample::rejected(
            "no-md5-manifest",
            |bag| with_papers(bag).manifests(&[Algorithm::Sha256]),
            &["Bag is missing required manifest 'md5'"],
        ),
    ]
}

fn mistakes_in_the_tar() -> [Sample; 4] {
    [
        Sample {
            form: Form::Truncated,
            ..Sample::rejected("truncated", with_papers, &["cut short"])
        },
        Sample {
            form: Form::Gzip,
            ..Sample::rejected("gzip", with_papers, &["gzip"])
        },
        Sample::rejected(
            "path-traversal",
            |bag| with_papers(bag).entry(Entry::file("path-traversal/../../escaped", "out\n")),
            &["leaves the bag's folder"],
        ),
        Sample::rejected(
            "symlink",
            |bag| {
                with_papers(bag).entry(Entry::symbolic_link("symlink/data/passwd", "/etc/passwd"))
            },
            &["data/passwd", "symbolic link"],
        ),
    ]
}

/// A few files of different formats, enough to see a format in each record.
fn with_papers(bag: BagBuilder) -> BagBuilder {
    with_letter(bag, "Dear reader,\nthis is to be kept.\n")
}

/// The same bag later: one file changed, one added, the others as they were.
fn with_papers_changed(bag: BagBuilder) -> BagBuilder {
    with_letter(bag, "Dear reader,\nthis was changed.\n")
        .file("data/postscript.txt", "P.S. And this was added.\n")
}

fn with_letter(bag: BagBuilder, letter: &str) -> BagBuilder {
    bag.file("data/letter.txt", letter)
        .file("data/catalogue.json", r#"{"title": "Papers", "boxes": 3}"#)
        .file("data/empty.txt", "")
        .generated_file("data/scans/page 1.tif", 200_000, 1)
        .generated_file("data/scans/page 2.tif", 300_000, 2)
}

fn large(bag: BagBuilder) -> BagBuilder {
    let with_page = |sofar: BagBuilder, n| {
        sofar.generated_file(format!("data/page-{n:03}.tif"), 4_096 + 31 * n, n)
    };
    (0..SMALL_FILES).fold(bag, with_page).generated_file(
        "data/film.mov",
        LARGE_FILE_BYTES,
        SMALL_FILES,
    )
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_storage_option_and_both_profiles_are_shown() {
        let samples = all();

        for option in StorageOption::ALL {
            let shown = |sample: &Sample| sample.expected == Expected::Accepted(*option);
            assert!(samples.iter().any(shown), "{option}");
        }
        for profile in [Profile::Aptrust, Profile::Btr] {
            assert!(samples.iter().any(|sample| sample.profile == profile));
        }
    }

    #[test]
    fn no_two_samples_share_a_name() {
        let samples = all();

        let names: HashSet<_> = samples.iter().map(|sample| sample.name).collect();

        assert_eq!(names.len(), samples.len());
    }

    #[test]
    fn a_rejected_sample_says_what_its_depositor_must_read() {
        for sample in all() {
            assert_ne!(sample.expected, Expected::Rejected(&[]), "{}", sample.name);
        }
    }
}
