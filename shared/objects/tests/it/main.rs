//! Our S3 layer against the embedded endpoint, with a proxy between them that breaks connections.

// `cfg(test)` is what allows `expect` in their helpers.
#[cfg(test)]
mod copies;
#[cfg(test)]
mod failures;
#[cfg(test)]
mod proxy;
#[cfg(test)]
mod reading;
#[cfg(test)]
mod support;
#[cfg(test)]
mod writing;
