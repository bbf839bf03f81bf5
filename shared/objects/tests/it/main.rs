//! Our S3 layer on two S3 servers: one suite, whose list of cases is in `conformance`.

// `cfg(test)` is what allows `expect` in their helpers.
#[cfg(test)]
mod backend;
#[cfg(test)]
mod budget;
#[cfg(test)]
mod conformance;
#[cfg(test)]
mod copies;
#[cfg(test)]
mod deleting;
#[cfg(test)]
mod failures;
#[cfg(test)]
mod left_open;
#[cfg(test)]
mod reading;
#[cfg(test)]
mod seaweedfs;
#[cfg(test)]
mod store;
#[cfg(test)]
mod support;
#[cfg(test)]
mod writing;
