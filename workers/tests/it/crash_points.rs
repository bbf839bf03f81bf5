//! Crash points: a worker dies before and after each of its calls to S3, the work store and the registry.
//!
//! The services are as they are when the worker finds its work. It runs alone, in a process of its own whose
//! calls are counted; at one of them it is gone, with whatever it held. Its lease runs out, all workers are
//! started anew, and the run goes on to its end. What is in S3 and in the registry then, the deposit record
//! included, has to be what the undisturbed run left: the same rows, identifiers, keys and bytes, no staged
//! file, no open upload, and no trace in the work store. Only the times of the run may be others.
//!
//! On a Redis the calls to the work store are the commands on the wire, as one call of ours may be several of them;
//! and it is these that the process dies at. What it asks of S3 and the registry does not depend on where work is
//! kept, so their points are tried on a file.
//!
//! What fails without ending the process, as an answer that is lost, is tried in `muniment_runtime`'s tests
//! and by the fault proxy; processes that are really killed, at any moment, in those of `muniment`.

use std::collections::BTreeMap;
use std::sync::Arc;

use muniment_runtime::WorkerEntry;
use muniment_testkit::Moment;
use serde_json::Value;

use crash::Crash;
use process::{Successors, entry_of, let_leases_run_out, run_alone, wait_for_the_end};
use scenario::Scenario;
use site::{Site, Template};
use state::{differences, state_of};
use work_place::Kind;

mod crash;
mod process;
mod scenario;
mod site;
mod state;
mod wire;
mod work_place;

/// The calls of two runs differ where some are made side by side. Of a hundred points so many may not come.
const UNREACHED_PERCENT_MAX: usize = 10;

/// How calls to it are named.
const WORK_STORE: &str = "work store";

/// How many are told of one point: as a rule one thing that is wrong shows in many places.
const DIFFERENCES_MAX: usize = 6;

/// Each is one worker's points, so that they run beside each other.
macro_rules! crash_points {
    ($($name:ident: $scenario:ident, $worker:literal, $kind:ident;)+) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                try_each_point(Scenario::$scenario, entry_of($worker), Kind::$kind).await;
            }
        )+
    };
}

crash_points! {
    a_new_bag_survives_each_crash_of_ingest_bucket_reader: New, "ingest_bucket_reader", File;
    a_new_bag_survives_each_crash_of_apt_queue: New, "apt_queue", File;
    a_new_bag_survives_each_crash_of_ingest_pre_fetch: New, "ingest_pre_fetch", File;
    a_new_bag_survives_each_crash_of_ingest_validator: New, "ingest_validator", File;
    a_new_bag_survives_each_crash_of_reingest_manager: New, "reingest_manager", File;
    a_new_bag_survives_each_crash_of_ingest_staging_uploader: New, "ingest_staging_uploader", File;
    a_new_bag_survives_each_crash_of_ingest_format_identifier: New, "ingest_format_identifier", File;
    a_new_bag_survives_each_crash_of_ingest_preservation_uploader: New, "ingest_preservation_uploader", File;
    a_new_bag_survives_each_crash_of_ingest_preservation_verifier: New, "ingest_preservation_verifier", File;
    a_new_bag_survives_each_crash_of_ingest_recorder: New, "ingest_recorder", File;
    a_new_bag_survives_each_crash_of_ingest_cleanup: New, "ingest_cleanup", File;
    a_new_version_survives_each_crash_of_reingest_manager: Again, "reingest_manager", File;
    a_new_version_survives_each_crash_of_ingest_preservation_uploader: Again, "ingest_preservation_uploader", File;
    a_new_version_survives_each_crash_of_ingest_recorder: Again, "ingest_recorder", File;
    a_refusal_survives_each_crash_of_ingest_validator: Refused, "ingest_validator", File;
    a_refusal_survives_each_crash_of_ingest_cleanup: Refused, "ingest_cleanup", File;
    a_new_bag_survives_each_crash_of_ingest_bucket_reader_on_redis: New, "ingest_bucket_reader", Redis;
    a_new_bag_survives_each_crash_of_apt_queue_on_redis: New, "apt_queue", Redis;
    a_new_bag_survives_each_crash_of_ingest_pre_fetch_on_redis: New, "ingest_pre_fetch", Redis;
    a_new_bag_survives_each_crash_of_ingest_validator_on_redis: New, "ingest_validator", Redis;
    a_new_bag_survives_each_crash_of_reingest_manager_on_redis: New, "reingest_manager", Redis;
    a_new_bag_survives_each_crash_of_ingest_staging_uploader_on_redis: New, "ingest_staging_uploader", Redis;
    a_new_bag_survives_each_crash_of_ingest_format_identifier_on_redis: New, "ingest_format_identifier", Redis;
    a_new_bag_survives_each_crash_of_ingest_preservation_uploader_on_redis: New, "ingest_preservation_uploader", Redis;
    a_new_bag_survives_each_crash_of_ingest_preservation_verifier_on_redis: New, "ingest_preservation_verifier", Redis;
    a_new_bag_survives_each_crash_of_ingest_recorder_on_redis: New, "ingest_recorder", Redis;
    a_new_bag_survives_each_crash_of_ingest_cleanup_on_redis: New, "ingest_cleanup", Redis;
}

async fn try_each_point(scenario: Scenario, worker: &'static WorkerEntry, kind: Kind) {
    let (template, upload) = scenario.before(worker, kind).await;
    let undisturbed = Run::of(&template, (scenario, worker), Crash::never()).await;
    scenario.check(&undisturbed.site, &upload).await;
    let calls = undisturbed.crash.calls();
    let numbers = numbers_of(&calls, kind);
    let mut unreached = Vec::new();
    let mut found = Vec::new();
    for number in numbers.iter().copied() {
        for moment in [Moment::Before, Moment::After] {
            let crash = Crash::at(number, moment);
            let run = Run::of(&template, (scenario, worker), crash).await;
            let point = run.point(number, moment);
            if !run.crash.is_dead() {
                unreached.push(point.clone());
            }
            let all = differences(&run.state, &undisturbed.state).into_iter();
            for difference in all.take(DIFFERENCES_MAX) {
                found.push(format!("{point}: {difference}"));
            }
        }
    }

    let points = 2 * numbers.len();
    println!(
        "crash points of {} ({scenario:?}, {kind:?}): {points}, of them not reached: {}; calls: {:?}",
        worker.name,
        unreached.len(),
        by_kind(&calls)
    );
    assert!(found.is_empty(), "{found:#?}");
    let allowed = points * UNREACHED_PERCENT_MAX / 100;
    assert!(unreached.len() <= allowed, "{unreached:?} of {calls:#?}");
}

/// Which calls it dies at.
fn numbers_of(calls: &[String], kind: Kind) -> Vec<usize> {
    let numbers = calls.iter().zip(1..).filter(|(call, _)| match kind {
        Kind::File => true,
        Kind::Redis => call.starts_with(WORK_STORE),
    });
    numbers.map(|(_, number)| number).collect()
}

/// One run from the template to the end.
struct Run {
    site: Site,
    crash: Arc<Crash>,
    state: Value,
}

impl Run {
    async fn of(
        template: &Template,
        (scenario, worker): (Scenario, &'static WorkerEntry),
        crash: Crash,
    ) -> Self {
        let crash = Arc::new(crash);
        let site = template.site().await;
        run_alone(&site, worker, &crash).await;
        let_leases_run_out(&site, worker.queue).await;
        let successors = Successors::start(&site, |_| true).await;
        wait_for_the_end(&site, scenario.items(worker)).await;
        successors.stop().await;
        let state = state_of(&site).await;
        Self { site, crash, state }
    }

    fn point(&self, number: usize, moment: Moment) -> String {
        let calls = self.crash.calls();
        let name = calls.get(number - 1).cloned().unwrap_or_default();
        format!("{moment:?} call {number} ({name})")
    }
}

fn by_kind(calls: &[String]) -> BTreeMap<&str, usize> {
    let mut counts = BTreeMap::new();
    for call in calls {
        let service = call.split_once(':').map_or("", |(service, _)| service);
        *counts.entry(service).or_default() += 1;
    }
    counts
}
