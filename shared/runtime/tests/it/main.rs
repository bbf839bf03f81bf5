//! The run loop as a worker meets it: fake workers, the real work store, a registry over HTTP.

#[cfg(test)]
mod batches;
#[cfg(test)]
mod breaking;
#[cfg(test)]
mod endings;
#[cfg(test)]
mod kit;
#[cfg(test)]
mod leases;
#[cfg(test)]
mod other_pipelines;
#[cfg(test)]
mod outages;
#[cfg(test)]
mod stopping;
#[cfg(test)]
mod stopping_away;
#[cfg(test)]
mod waiting;
