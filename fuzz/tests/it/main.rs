//! The bounded run of the fuzz targets that every check makes, and the comparison with other programs
//! for tars. Both do the same each time: what is random follows from a seed that a failure names.

#[cfg(test)]
mod differential;
#[cfg(test)]
mod made;
#[cfg(test)]
mod memory;
#[cfg(test)]
mod replay;
