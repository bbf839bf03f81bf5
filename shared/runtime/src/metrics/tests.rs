use std::time::Duration;

use muniment_meter::BatchWork;

use super::*;

#[test]
fn what_was_counted_is_told_with_its_labels() {
    let meters = Meters::default();
    let meter = meters.of("ingest_recorder");
    meter.jobs_at_a_time(2);
    let _running = meter.job();
    meter.job_ended("completed", BatchWork { files: 7, bytes: 9 });
    meter.lease_lost();
    meter.sent(Service::S3, "PutObject", 5);
    meter.sent(Service::S3, "PutObject", 5);
    meter.failed(Service::S3, "PutObject");
    meter.took(Service::S3, "PutObject", Duration::from_millis(20));
    let backlog = Backlog {
        ready: 3,
        leased: 1,
        due: 0,
        size_bytes: 11,
        files: 13,
    };
    let backlogs = [(QueueName::IngestRecorder, backlog)].into();

    let text = text_of(&meters, Some(backlogs)).expect("text");

    let worker = "worker=\"ingest_recorder\"";
    let put = "service=\"s3\",kind=\"PutObject\"";
    for line in [
        format!("muniment_jobs_max{{{worker}}} 2"),
        format!("muniment_jobs_running{{{worker}}} 1"),
        format!("muniment_attempts_total{{{worker}}} 1"),
        format!("muniment_leases_lost_total{{{worker}}} 1"),
        format!("muniment_batch_files_total{{{worker}}} 7"),
        format!("muniment_endings_total{{{worker},ending=\"completed\"}} 1"),
        format!("muniment_calls_total{{{worker},{put},outcome=\"ok\"}} 1"),
        format!("muniment_calls_total{{{worker},{put},outcome=\"failed\"}} 1"),
        format!("muniment_call_bytes_total{{{worker},{put},direction=\"sent\"}} 10"),
        format!("muniment_call_seconds_bucket{{le=\"0.01\",{worker},{put}}} 0"),
        format!("muniment_call_seconds_bucket{{le=\"0.03\",{worker},{put}}} 1"),
        format!("muniment_call_seconds_bucket{{le=\"+Inf\",{worker},{put}}} 1"),
        "muniment_backlog_known 1".to_owned(),
        "muniment_backlog_messages{queue=\"ingest_recorder\",state=\"ready\"} 3".to_owned(),
        "muniment_backlog_bytes{queue=\"ingest_recorder\"} 11".to_owned(),
    ] {
        assert!(text.lines().any(|other| other == line), "{line} in\n{text}");
    }
    assert!(text.ends_with("# EOF\n"), "{text}");
}

#[test]
fn a_work_store_that_does_not_answer_hides_nothing_else() {
    let meters = Meters::default();
    meters
        .of("apt_queue")
        .sent(Service::Registry, "GET items", 0);

    let text = text_of(&meters, None).expect("text");

    assert!(text.contains("muniment_backlog_known 0\n"), "{text}");
    assert!(text.contains("kind=\"GET items\""), "{text}");
}
