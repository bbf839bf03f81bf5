//! The endpoint as a client sees it: the real SDK, over HTTP, against a folder of its own.

#![expect(
    clippy::unwrap_used,
    reason = "the lint knows test functions, not the helpers beside them"
)]

mod apart;
mod attributes;
mod checksums;
mod cold;
mod conditions;
mod copies;
mod durability;
mod full_disk;
mod keys;
mod kit;
mod lists;
mod objects;
mod refusals;
mod tags;
mod uploads;
mod versions;
