//! What a bag costs the work store, in round trips: the cost budget's row, counted.

use std::time::Instant;

use muniment_bag_builder::BagBuilder;
use muniment_model::StorageOption;

use crate::checks::{assert_preserved, deposit_bag};
use crate::site::{Site, TEST_EDU};

/// For one bag, however few its files: planners, looks, the reconciler.
const FIXED_MAX: u64 = 200;
/// For each thousand files.
const PER_THOUSAND_MAX: u64 = 30;
/// For each ten seconds that it takes, on a machine busy with other things: a look of the reconciler and
/// a renewal of each lease.
const PER_TEN_SECONDS_MAX: u64 = 8;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn round_trips_grow_with_batches_and_not_with_files() {
    for files in [1_000, 10_000, 20_000] {
        let site = Site::start().await;
        let bag = (0..files).fold(BagBuilder::aptrust("many"), |bag, number| {
            bag.file(format!("data/{number}.txt"), number.to_string())
        });
        let before = site.system.work().round_trips();
        let began = Instant::now();

        let bag = deposit_bag(&site.view, TEST_EDU, &bag, StorageOption::Standard).await;
        site.view
            .wait_for_ending(&bag.upload, crate::checks::ENDING_WITHIN)
            .await
            .expect("ends");

        let spent = site.system.work().round_trips() - before;
        let allowed = FIXED_MAX
            + PER_THOUSAND_MAX * files / 1_000
            + PER_TEN_SECONDS_MAX * (began.elapsed().as_secs() / 10);
        println!("{files} files: {spent} round trips of {allowed} allowed");
        assert!(
            spent <= allowed,
            "{files} files: {spent} round trips, {allowed} allowed"
        );
        if files == 1_000 {
            assert_preserved(&site.view, &bag).await;
        }
        site.stop().await;
    }
}
