//! The whole system, seen from outside: bags go in by S3, and what becomes of them is read by S3
//! and REST.

mod accepted;
mod checks;
mod killed;
mod lost_work;
mod other_uploads;
mod rejected;
mod shared_bags;
mod site;
