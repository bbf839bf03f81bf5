//! Every fault, between a client and a server that both are a few lines.

// `cfg(test)` is what allows `expect` in their helpers.
#[cfg(test)]
mod faults;
#[cfg(test)]
mod passing;
#[cfg(test)]
mod server;
#[cfg(test)]
mod watched;
