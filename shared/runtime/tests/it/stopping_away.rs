//! Told to stop while the registry is away: no lease is left.

use std::sync::Arc;

use muniment_fault_proxy::{Fault, FaultProxy, Requests, Times};
use muniment_runtime::{Completed, JobError};
use muniment_work::Queue;
use tokio::sync::watch;

use crate::kit::{Act, Fake, QUEUE, Site};

#[derive(Clone, Copy, Debug)]
enum Away {
    /// Connections are refused.
    Gone,
    /// Connections come about, and nothing else.
    Silent,
}

/// What a job is doing when the process is told to stop.
#[derive(Clone, Copy, Debug)]
enum Doing {
    /// The item is looked at.
    Beginning,
    Working(fn() -> Result<Completed, JobError>),
    /// It has come to its end, which cannot be recorded.
    Recording(fn() -> Result<Completed, JobError>),
}

async fn stop_while(doing: Doing, away: Away) {
    let name = format!("{doing:?} {away:?}");
    let mut site = Site::start().await;
    let proxy = FaultProxy::before(&site.registry_url).await;
    let mut proxy = Some(proxy.expect("a proxy"));
    let services = site.services_behind(&proxy.as_ref().expect("there").url());
    let (go, gone) = watch::channel(false);
    let ends = match doing {
        Doing::Beginning => || Ok(Completed::step()),
        Doing::Working(ends) | Doing::Recording(ends) => ends,
    };
    let act: Act = Arc::new(move |_job| {
        let mut gone = gone.clone();
        Box::pin(async move {
            gone.wait_for(|gone| *gone).await.expect("open");
            ends()
        })
    });
    let mut take_away = || match away {
        Away::Gone => drop(proxy.take()),
        Away::Silent => {
            let proxy = proxy.as_ref().expect("there");
            proxy.plan(Requests::any(), Times::Always, Fault::Hold);
        }
    };
    if matches!(doing, Doing::Beginning) {
        take_away();
    }
    site.ready_item().await;
    let worker = Fake::new([act]);
    site.run_on(services, worker.clone(), 1);
    match doing {
        Doing::Beginning => {
            site.wait_for_backlog(QUEUE, |here| here.leased + here.due == 1)
                .await;
        }
        Doing::Working(_) => {
            worker.wait_until_running().await;
            take_away();
            site.shutdown.soft.cancel();
            go.send_replace(true);
        }
        Doing::Recording(_) => {
            worker.wait_until_running().await;
            take_away();
            go.send_replace(true);
        }
    }

    // Without the hard phase, which would drop what does not end.
    site.stop_workers().await;

    let here = site.work.backlog().await.expect("counted")[&QUEUE];
    assert_eq!(here.leased, 0, "{name}: {here:?}");
    assert_eq!(here.ready + here.due, 1, "{name}: {here:?}");
    site.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_while_the_registry_is_away_leaves_no_lease() {
    let completed: fn() -> Result<Completed, JobError> = || Ok(Completed::step());
    let stopped: fn() -> Result<Completed, JobError> = || Err(JobError::Stopped);
    for away in [Away::Gone, Away::Silent] {
        tokio::join!(
            stop_while(Doing::Beginning, away),
            stop_while(Doing::Working(completed), away),
            stop_while(Doing::Working(stopped), away),
            stop_while(Doing::Recording(completed), away),
        );
    }
}
