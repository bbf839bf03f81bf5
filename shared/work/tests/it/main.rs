//! The work store on SQLite, through its public interface.

#[cfg(test)]
mod kit;
#[cfg(test)]
mod queue;
#[cfg(test)]
mod records;
#[cfg(test)]
mod sharing;
