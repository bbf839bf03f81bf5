//! Every worker as the process it is in production, on one machine: the embedded S3 endpoint, a
//! registry over HTTP, and the work store in one file between them.

#[cfg(test)]
mod crash_points;
#[cfg(test)]
mod health;
mod help;
#[cfg(test)]
mod in_flight;
#[cfg(test)]
mod ingest;
#[cfg(test)]
mod inside_a_member;
#[cfg(test)]
mod kit;
#[cfg(test)]
mod leftovers;
#[cfg(test)]
mod matrix;
#[cfg(test)]
mod on_redis;
#[cfg(test)]
mod premis;
#[cfg(test)]
mod re_ingests;
#[cfg(test)]
mod rolled_back;
#[cfg(test)]
mod rows;
#[cfg(test)]
mod signals;
