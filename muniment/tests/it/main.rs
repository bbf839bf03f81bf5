//! The whole system, seen from outside: bags go in by S3, and what becomes of them is read by S3
//! and REST.

#[cfg(test)]
mod accepted;
#[cfg(test)]
mod checks;
#[cfg(test)]
mod killed;
#[cfg(test)]
mod lost_work;
#[cfg(test)]
mod other_uploads;
#[cfg(test)]
mod rejected;
#[cfg(test)]
mod shared_bags;
#[cfg(test)]
mod site;
