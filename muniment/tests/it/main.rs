//! The whole system, started here and seen from outside: bags go in by S3, and what becomes of them is
//! read by S3 and REST (`muniment-observer`).
//!
//! Every wait is for what is asserted after it, and its limit is far beyond what a busy machine needs.

#[cfg(test)]
mod accepted;
#[cfg(test)]
mod calls;
#[cfg(test)]
mod checks;
#[cfg(test)]
mod deleted;
#[cfg(test)]
mod depositor;
#[cfg(test)]
mod elsewhere;
#[cfg(test)]
mod full_disk;
#[cfg(test)]
mod inspected;
#[cfg(test)]
mod kept_versions;
#[cfg(test)]
mod killed;
#[cfg(test)]
mod killed_at_random;
#[cfg(test)]
mod lost_work;
#[cfg(test)]
mod matrix;
#[cfg(test)]
mod observed;
#[cfg(test)]
mod ordered;
#[cfg(test)]
mod other_uploads;
#[cfg(test)]
mod output;
#[cfg(test)]
mod parts;
#[cfg(test)]
mod process;
#[cfg(test)]
mod progress;
#[cfg(test)]
mod re_uploads;
#[cfg(test)]
mod rejected;
#[cfg(test)]
mod round_trips;
#[cfg(test)]
mod s3;
#[cfg(test)]
mod same_verdict;
#[cfg(test)]
mod shared_bags;
#[cfg(test)]
mod site;
#[cfg(test)]
mod stopped;
#[cfg(test)]
mod stores;
#[cfg(test)]
mod validating;
#[cfg(test)]
mod versions;
