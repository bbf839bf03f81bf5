//! The bags of the fault matrix (`docs/FAULT_MATRIX.md`), row by row, each through a whole ingest.
//!
//! It fails with a reason that its depositor can act on, or all its bytes are preserved. In either case
//! nothing else is written, and a good bag that another institution deposits beside it is preserved.

mod ends;
mod manifests;
mod names;
mod sizes;
mod tag_files;
mod tars;
mod tenants;
mod twins;

use muniment_bag_builder::{BagBuilder, Entry};
use muniment_model::StorageOption;
use muniment_observer::{Expected, Observer, TarListing, Upload};

use crate::checks::{
    Deposited, assert_nothing_staged, assert_preserved, assert_refused_beside, deposit,
    deposit_bag, ending_of,
};
use crate::site::{EXAMPLE_EDU, Site, TEST_EDU};

/// The one file of most bags here.
const LETTER: &str = "data/letter.txt";
const TEXT: &str = "Dear all,";

fn bag(name: &str) -> BagBuilder {
    BagBuilder::aptrust(name).file(LETTER, TEXT)
}

fn with_entry(name: &str, entry: Entry) -> Vec<u8> {
    bag(name).entry(entry).to_tar()
}

/// What must become of a bag.
enum Ending {
    /// Words that the depositor must read.
    Refused(&'static str),
    /// The files of this tar, which another reader can read, and words that are among the warnings.
    Preserved(Vec<u8>, Option<&'static str>),
}

struct Case {
    name: String,
    tar: Vec<u8>,
    ending: Ending,
}

impl Case {
    fn refused(name: &str, tar: Vec<u8>, words: &'static str) -> Self {
        Self {
            name: name.to_owned(),
            tar,
            ending: Ending::Refused(words),
        }
    }

    /// Without any warning.
    fn preserved(bag: &BagBuilder) -> Self {
        Self::read_as(bag.name(), bag.to_tar(), bag.to_tar())
    }

    /// Without any warning, although readers differ: as if it were `plain`.
    fn read_as(name: &str, tar: Vec<u8>, plain: Vec<u8>) -> Self {
        Self {
            name: name.to_owned(),
            tar,
            ending: Ending::Preserved(plain, None),
        }
    }

    fn warned(self, words: &'static str) -> Self {
        let ending = match self.ending {
            Ending::Preserved(plain, _) => Ending::Preserved(plain, Some(words)),
            Ending::Refused(_) => panic!("{} is refused", self.name),
        };
        Self { ending, ..self }
    }

    /// Answers how many copies of it there are.
    async fn check(&self, view: &Observer, upload: &Upload) -> usize {
        let item = ending_of(view, upload).await;
        let note = item["note"].as_str().unwrap_or_default();
        assert!(!note.chars().any(is_unprintable), "{}: {note:?}", self.name);
        match &self.ending {
            Ending::Refused(words) => {
                assert!(note.contains(words), "{}: {note}", self.name);
                assert_refused_beside(view, upload, &self.tar).await;
                0
            }
            Ending::Preserved(plain, words) => {
                assert_eq!(item["status"], "Success", "{}: {item:#}", self.name);
                let object = format!("{TEST_EDU}/{}", self.name);
                let warnings = view.recorded_findings(&object, &item).await;
                let warnings = warnings.expect("a deposit record").join("; ");
                let is_warned =
                    words.map_or(warnings.is_empty(), |wanted| warnings.contains(wanted));
                assert!(is_warned, "{}: {warnings:?}", self.name);
                let expected = Expected {
                    object,
                    option: StorageOption::Standard,
                    tar: TarListing::read(plain.as_slice()).expect("a tar"),
                };
                let copies = expected.copies();
                let upload = upload.clone();
                assert_preserved(view, &Deposited { upload, expected }).await;
                copies
            }
        }
    }
}

/// Asserts that an upload was never taken for a bag: its item failed with this note, and it is where it was.
async fn assert_passed_over(view: &Observer, upload: &Upload, tar: &[u8], note: &str) {
    let item = ending_of(view, upload).await;
    assert_eq!(item["status"], "Failed", "{item:#}");
    assert_eq!(item["note"], note, "{item:#}");
    let stored = view.stored(&upload.bucket, &upload.key).await;
    let stored = stored.expect("an answer").expect("the upload");
    assert_eq!(stored.digests, muniment_digest::digest(tar));
    assert_nothing_staged(view).await;
}

/// What may move a cursor, end a line, or turn the direction of a text.
fn is_unprintable(character: char) -> bool {
    character.is_control() || matches!(character, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Deposits all bags at once into a system of their own, and looks at how each ends.
async fn assert_endings(cases: Vec<Case>) {
    let site = Site::start().await;
    assert_endings_at(&site.view, cases).await;
    site.stop().await;
}

async fn assert_endings_at(view: &Observer, cases: Vec<Case>) {
    let good = bag("beside");
    let beside = deposit_bag(view, EXAMPLE_EDU, &good, StorageOption::Standard).await;
    let mut uploads = Vec::new();
    for case in &cases {
        let key = format!("{}.tar", case.name);
        uploads.push(deposit(view, TEST_EDU, &key, &case.tar).await);
    }

    let mut copies = beside.expected.copies();
    for (case, upload) in cases.iter().zip(&uploads) {
        copies += case.check(view, upload).await;
    }
    assert_preserved(view, &beside).await;
    assert_nothing_staged(view).await;
    let preserved = view.preserved_keys().await.expect("keys");
    assert_eq!(preserved.len(), copies, "copies that nobody recorded");
}
