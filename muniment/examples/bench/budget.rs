//! The cost budget: what a bag of N files and B bytes may ask of the services, and what it asked.
//!
//! From the design (architecture, section 4), for the option Standard, whose files have two copies.

use muniment_meter::Service;

use super::measured::Measured;

const COPIES: u64 = 2;
/// Requests and round trips that every bag needs, however small: "small change".
const SMALL_CHANGE: u64 = 100;
const MIB: u64 = 1 << 20;

/// One row of the budget.
pub(super) struct Row {
    pub(super) what: &'static str,
    pub(super) allowed: u64,
    pub(super) counted: u64,
}

impl Row {
    pub(super) fn is_kept(&self) -> bool {
        self.counted <= self.allowed
    }
}

/// All rows, for `bags` bags together.
pub(super) fn rows(measured: &Measured, bags: u64) -> Vec<Row> {
    let (files, bytes) = (measured.files, measured.bytes);
    let s3 = |kinds: &[&str]| measured.calls_of(Service::S3, kinds);
    let seconds = whole_seconds(measured.seconds);
    vec![
        Row {
            what: "bytes read from receiving",
            allowed: bytes,
            counted: measured
                .by("ingest_pre_fetch", Service::S3, "GetObject")
                .received_bytes,
        },
        Row {
            what: "bytes read from S3 by all workers",
            // And what is read again of itself: manifests, tag files, the index.
            allowed: bytes + measured.small_bytes + bags * MIB,
            counted: measured.asked(Service::S3).received_bytes,
        },
        Row {
            what: "bytes written to S3 by all workers",
            // Members under 16 MiB, and about 1 KB for each file in the index and the deposit record.
            allowed: measured.small_bytes + 2_000 * files + bags * MIB,
            counted: measured.asked(Service::S3).sent_bytes,
        },
        Row {
            what: "PUT requests",
            allowed: files + bags * SMALL_CHANGE,
            counted: s3(&["PutObject"]),
        },
        Row {
            what: "copies",
            allowed: (COPIES + 1) * files + bags * SMALL_CHANGE,
            counted: s3(&["CopyObject", "UploadPartCopy"]),
        },
        Row {
            what: "HEAD requests",
            allowed: COPIES * files + bags * SMALL_CHANGE,
            counted: s3(&["HeadObject"]),
        },
        Row {
            what: "GET requests",
            allowed: bytes / (8 * MIB) + bags * SMALL_CHANGE,
            counted: s3(&["GetObject"]),
        },
        Row {
            what: "lists and bulk deletes",
            allowed: 2 * (files / 1_000) + bags * SMALL_CHANGE,
            counted: s3(&["ListObjectsV2", "ListMultipartUploads", "DeleteObjects"]),
        },
        Row {
            what: "round trips to the work store",
            allowed: bags * 200 + 3 * files / 100 + bytes / (64 * MIB) + seconds / 20,
            counted: measured.asked(Service::WorkStore).calls,
        },
        Row {
            what: "calls to the registry",
            allowed: bags * 40 + 2 * files / 500 + files / 1_000 + bags * (seconds / 60 + 1),
            counted: measured.asked(Service::Registry).calls,
        },
    ]
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "some minutes, never negative"
)]
fn whole_seconds(seconds: f64) -> u64 {
    seconds as u64
}
