//! The registry over real HTTP, on SQLite in a temporary folder.
//!
//! The modules are marked as tests so that their helpers may unwrap, too.

#[cfg(test)]
mod access;
#[cfg(test)]
mod files;
#[cfg(test)]
mod items;
#[cfg(test)]
mod kit;
#[cfg(test)]
mod lists;
#[cfg(test)]
mod locks;
#[cfg(test)]
mod objects;
#[cfg(test)]
mod orders;
#[cfg(test)]
mod serving;
#[cfg(test)]
mod versions;
#[cfg(test)]
mod wire;
