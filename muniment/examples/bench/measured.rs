//! What one case came to.

use std::collections::BTreeMap;
use std::path::PathBuf;

use muniment_meter::{Service, Tally, total};

use super::AnyError;
use super::process::{Calls, Spent};

pub(super) struct Measured {
    pub(super) seconds: f64,
    pub(super) spent: Spent,
    pub(super) calls: Calls,
    pub(super) bags: u64,
    /// Of the tars.
    pub(super) bytes: u64,
    /// Files in them, tag files and manifests included.
    pub(super) files: u64,
    /// Bytes of those of them that are too small to be copied by the store itself.
    pub(super) small_bytes: u64,
}

/// From this size on a member is staged by a copy that the store makes.
const COPIED_FROM_BYTES: u64 = 16 << 20;

/// Sweeps ask in time, not for the bags.
const SWEEPS: [&str; 2] = ["apt_queue", "ingest_bucket_reader"];

impl Measured {
    pub(super) fn new(
        tars: &[PathBuf],
        seconds: f64,
        spent: Spent,
        calls: Calls,
    ) -> Result<Self, AnyError> {
        let (mut bytes, mut files, mut small_bytes) = (0, 0, 0);
        for tar in tars {
            bytes += std::fs::metadata(tar)?.len();
            let mut archive = tar::Archive::new(std::fs::File::open(tar)?);
            for entry in archive.entries()? {
                let entry = entry?;
                if entry.header().entry_type().is_file() {
                    files += 1;
                    small_bytes += Some(entry.size())
                        .filter(|size| *size < COPIED_FROM_BYTES)
                        .unwrap_or(0);
                }
            }
        }
        Ok(Self {
            seconds,
            spent,
            calls,
            bags: tars.len().try_into()?,
            bytes,
            files,
            small_bytes,
        })
    }

    /// All that the workers asked of a service for the bags, idle claims apart.
    pub(super) fn asked(&self, service: Service) -> Tally {
        let workers = self.calls.iter().filter(|(name, _)| !is_sweep(name));
        workers.fold(Tally::default(), |sum, (_, counts)| {
            let idle = counts
                .get(&service)
                .and_then(|kinds| kinds.get("idle claim"));
            let asked = total(counts, service);
            sum.and(Tally {
                calls: asked.calls - idle.map_or(0, |idle| idle.calls),
                ..asked
            })
        })
    }

    /// Calls of these kinds, by all workers but the sweeps.
    pub(super) fn calls_of(&self, service: Service, kinds: &[&str]) -> u64 {
        let workers = self.calls.iter().filter(|(name, _)| !is_sweep(name));
        let tallies = workers.filter_map(|(_, counts)| counts.get(&service));
        let of_kind = |counted: &BTreeMap<String, Tally>| {
            let named = kinds.iter().filter_map(|kind| counted.get(*kind));
            named.map(|tally| tally.calls).sum::<u64>()
        };
        tallies.map(of_kind).sum()
    }

    /// What one worker asked of a service by calls of one kind.
    pub(super) fn by(&self, worker: &str, service: Service, kind: &str) -> Tally {
        let of_service = self
            .calls
            .get(worker)
            .and_then(|counts| counts.get(&service));
        let tally = of_service.and_then(|kinds| kinds.get(kind));
        tally.copied().unwrap_or_default()
    }
}

fn is_sweep(worker: &str) -> bool {
    SWEEPS.contains(&worker)
}
