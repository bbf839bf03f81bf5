//! `kill -9` at a hundred random moments while fifty bags are ingested.
//!
//! A moment is random in time and in progress: some lives are cut short while the process starts and
//! takes over what the last one left, the others after some more stages and some more milliseconds.
//! `MUNIMENT_TEST_SEED` repeats the moments of another run, which prints its seed.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use muniment_bag_builder::BagBuilder;
use muniment_model::StorageOption;
use muniment_observer::{Expected, Observer, Upload};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::checks::{
    Deposited, assert_nothing_staged, assert_preserved, assert_refused_beside, count, deposit,
    deposit_bag, ending_of,
};
use crate::process::Up;
use crate::progress::{stages_from, steps};
use crate::site::{EXAMPLE_EDU, Site, TEST_EDU};

const SEED: &str = "MUNIMENT_TEST_SEED";
const KILLS: usize = 100;
const BAGS: usize = 50;
/// Bags before the first kill. The others come between the kills, so that none falls into idleness.
const BAGS_FIRST: usize = 12;
/// Of a hundred lives, so many end while the process starts.
const SHORT_LIVES_PERCENT: f64 = 25.0;
/// A start takes a tenth of a second on an idle machine.
const SHORT_LIFE_MS_MAX: u64 = 400;
/// So that the long lives together see about as many stages as the bags have.
const STAGES_PER_LIFE_MAX: usize = 11;
/// A stage of a small bag takes less.
const REST_OF_LIFE_MS_MAX: u64 = 300;

#[derive(Debug)]
enum Moment {
    AfterStart(Duration),
    AfterStages(usize, Duration),
}

#[derive(Default)]
struct Deposits {
    accepted: Vec<Deposited>,
    /// Each with its bytes, and words that its depositor must read.
    refused: Vec<(Upload, Vec<u8>, &'static str)>,
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_ingests_survive_a_hundred_kills_at_random_moments() {
    let given = std::env::var_os(SEED).and_then(|seed| seed.to_str()?.parse().ok());
    let seed = given.unwrap_or_else(rand::random);
    println!("{SEED}={seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let folder = tempfile::tempdir().expect("a folder");
    let mut bags = Deposits::default();
    let (first, before) = Up::start(folder.path()).await;
    bags.until(BAGS_FIRST, &before).await;
    drop(first);

    let mut completed = 0;
    for life in 0..KILLS {
        let moment = Moment::any(&mut random);
        println!("{life}: {completed} stages completed, killed {moment:?}");
        let wanted = BAGS_FIRST + life * (BAGS - BAGS_FIRST) / KILLS;
        completed = live(folder.path(), &moment, &mut bags, (wanted, completed)).await;
    }
    let (last, after) = Up::start(folder.path()).await;
    bags.until(BAGS, &after).await;

    assert_all_right(&after, &bags).await;
    drop(last);
    // What the work store holds is seen from inside.
    Site::start_on(folder).await.stop().await;
}

/// One life of the process, with deposits up to the number that is wanted, unless it is a short one.
/// Answers how many stages are completed.
async fn live(
    folder: &Path,
    moment: &Moment,
    bags: &mut Deposits,
    (wanted, completed): (usize, usize),
) -> usize {
    let mut up = Up::spawn(folder, Stdio::inherit());
    match moment {
        Moment::AfterStart(rest) => {
            up.lives_for(*rest).await;
            completed
        }
        Moment::AfterStages(more, rest) => {
            let view = up.ready(folder).await;
            bags.until(wanted, &view).await;
            let all = bags.len() * steps().len();
            let completed = stages_from(&view, (completed + more).min(all)).await;
            up.lives_for(*rest).await;
            completed
        }
    }
}

impl Moment {
    fn any(random: &mut StdRng) -> Self {
        let mut ms = |max| Duration::from_millis(random.random_range(0..=max));
        let (short, rest) = (ms(SHORT_LIFE_MS_MAX), ms(REST_OF_LIFE_MS_MAX));
        let stages = random.random_range(0..=STAGES_PER_LIFE_MAX);
        if random.random_bool(SHORT_LIVES_PERCENT / 100.0) {
            Self::AfterStart(short)
        } else {
            Self::AfterStages(stages, rest)
        }
    }
}

impl Deposits {
    fn len(&self) -> usize {
        self.accepted.len() + self.refused.len()
    }

    async fn until(&mut self, wanted: usize, view: &Observer) {
        for n in self.len()..wanted {
            self.add(n, view).await;
        }
    }

    /// One bag of ten kinds: of either profile, with one copy of its files or two, of one batch or two,
    /// with a member that is copied in parts, and some that must be refused.
    async fn add(&mut self, n: usize, view: &Observer) {
        let seed = n as u64 * 10_000;
        let name = format!("bag-{n}");
        let btr = |files: u64| {
            (0..files).fold(BagBuilder::btr(&name), |bag, m| {
                bag.generated_file(format!("data/{m}.bin"), 500 + m, seed + m)
            })
        };
        let aptrust = || BagBuilder::aptrust(&name).file("data/letter.txt", format!("Bag {n}"));
        let glacier = StorageOption::GlacierOh;
        match n % 10 {
            0 => self.accept(view, aptrust(), StorageOption::Standard).await,
            1 => self.accept(view, btr(40), StorageOption::Standard).await,
            2 => {
                let bag = btr(5).generated_file("data/large.bin", 17 << 20, seed);
                self.accept(view, bag, StorageOption::Standard).await;
            }
            3 => {
                let bag = aptrust().storage_option(glacier);
                self.accept(view, bag, glacier).await;
            }
            4 => {
                let bag = aptrust().corrupt_digest("data/letter.txt");
                self.refuse(view, &bag, "doesn't match manifest checksum")
                    .await;
            }
            5 => {
                let bag = aptrust().generated_file("data/empty.bin", 0, 0);
                self.accept(view, bag, StorageOption::Standard).await;
            }
            6 => {
                let bag = btr(30).without_file_but_listed("data/gone.bin");
                self.refuse(view, &bag, "is missing from bag").await;
            }
            7 if n == 27 => self.accept(view, btr(600), StorageOption::Standard).await,
            _ => {
                let bag = btr(15).generated_file("data/medium.bin", 2 << 20, seed);
                self.accept(view, bag, StorageOption::Standard).await;
            }
        }
    }

    async fn accept(&mut self, view: &Observer, bag: BagBuilder, option: StorageOption) {
        let institution = [TEST_EDU, EXAMPLE_EDU][self.len() % 2];
        let deposited = deposit_bag(view, institution, &bag, option).await;
        self.accepted.push(deposited);
    }

    async fn refuse(&mut self, view: &Observer, bag: &BagBuilder, words: &'static str) {
        let tar = bag.to_tar();
        let upload = deposit(view, EXAMPLE_EDU, &bag.key(), &tar).await;
        self.refused.push((upload, tar, words));
    }
}

/// Every bag ended as it must, nothing is there twice, and nothing is left over.
async fn assert_all_right(view: &Observer, bags: &Deposits) {
    for bag in &bags.accepted {
        assert_preserved(view, bag).await;
    }
    for (upload, tar, words) in &bags.refused {
        assert_refused_beside(view, upload, tar).await;
        let item = ending_of(view, upload).await;
        let note = item["note"].as_str().unwrap_or_default();
        assert!(note.contains(words), "{}: {note}", upload.key);
    }
    let expected = || bags.accepted.iter().map(|bag| &bag.expected);
    let copies = expected().map(Expected::copies).sum();
    for (list, rows) in [
        ("items", BAGS),
        ("objects", bags.accepted.len()),
        ("files", expected().map(Expected::files).sum()),
        ("storage_records", copies),
        ("events", expected().map(Expected::events).sum()),
    ] {
        assert_eq!(count(view, list).await, rows as u64, "{list}");
    }
    let preserved = view.preserved_keys().await.expect("keys");
    assert_eq!(preserved.len(), copies);
    let records = view.keys(&view.site().records_bucket, "").await;
    assert_eq!(records.expect("keys").len(), bags.accepted.len());
    assert_nothing_staged(view).await;
    assert_received(view, bags.refused.len()).await;
    assert_no_open_uploads(view).await;
}

async fn assert_received(view: &Observer, tars: usize) {
    let mut received = Vec::new();
    for bucket in view.site().receiving_buckets.values() {
        received.extend(view.keys(bucket, "").await.expect("keys"));
    }
    assert_eq!(received.len(), tars, "{received:?}");
}

async fn assert_no_open_uploads(view: &Observer) {
    let site = view.site();
    let others = [&site.staging_bucket, &site.records_bucket];
    for bucket in site.preservation_buckets.values().chain(others) {
        let open = view.open_uploads(bucket).await.expect("a list");
        assert_eq!(open, Vec::<String>::new(), "{bucket}");
    }
}
