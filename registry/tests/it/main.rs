//! The registry over real HTTP, on SQLite in a temporary folder.

mod access;
mod files;
mod items;
mod kit;
mod lists;
mod objects;
mod turns;
mod wire;
